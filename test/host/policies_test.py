#!/usr/bin/env python3
"""What policies do to the calls of `vow host`, and what the audit tells of it, against
the real process.

    policies_test.py VOW [NAME...]
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import protocol_test
from peer import Peer
from protocol_test import ECHO, HostTest


def operation(name, **policy):
    return dict(ECHO, name=name, policy=policy)


class Policies(HostTest):
    def test_single_flight(self):
        """Equal calls of several runs are one call, and each gets its answer."""
        peer = self.peer
        peer.register(operation("shared", single_flight=True))
        numbers = [peer.eval("await Promise.all([shared('x'), shared('y')])") for _ in range(3)]
        calls = [peer.call() for _ in range(2)]
        self.assertEqual(peer.counts()["calls"], 2)
        self.assertEqual({call["params"]["arguments"][0] for call in calls}, {"x", "y"})
        for call in calls:
            peer.fulfil(call, call["params"]["arguments"][0] * 2)
        for number in numbers:
            self.assertEqual(self.value(peer.report(number)), ["xx", "yy"])
        peer.end()

    def test_full_queue(self):
        """Of an operation, and of a run."""
        peer = self.peer
        peer.register(operation("narrow", concurrent_max=1, queue_max=1), operation("wide"))
        for name, code, limits in (("narrow", "QUEUE_FULL", {}),
                                   ("wide", "RUN_QUEUE_FULL",
                                    {"max_concurrent": 1, "max_queued": 1})):
            number = peer.eval(f"(await Promise.allSettled([1, 2, 3].map((n) => {name}(n))))"
                               ".map((end) => end.value ?? [end.reason.name, end.reason.code])",
                               **limits)
            for i in (1, 2):
                call = peer.call()
                self.assertEqual(call["params"]["arguments"], [i])
                peer.fulfil(call, i)
            report = peer.report(number)
            self.assertEqual(self.value(report), [1, 2, ["ApiError", code]])
            self.assertEqual(report["operations"]["concurrent_max"], 1)
        peer.end()

    def test_kept_errors(self):
        """Only those that are not transient."""
        peer = self.peer
        peer.register(operation("known", cache_error_ms=60000))
        source = "await known(context).catch((e) => e.code)"
        for transient, asked in ((True, [1, 1]), (False, [1, 0])):
            for expected in asked:
                number = peer.eval(source, context=[transient])
                if expected:
                    peer.fail(peer.call(), code="NO", transient=transient)
                report = peer.report(number)
                self.assertEqual(self.value(report), "NO")
                self.assertEqual(report["operations"]["cache_hits"], 1 - expected)
        peer.end()

    def test_priority(self):
        """When a place is free the higher one goes first, though it came last."""
        peer = self.peer
        peer.register(operation("low", priority=2), operation("high", priority=0))
        number = peer.eval("await Promise.all([low(0), low(1), high(2)])", max_concurrent=1)
        seen = []
        for _ in range(3):
            call = peer.call()
            seen += call["params"]["arguments"]
            peer.fulfil(call, None)
        self.assertEqual(seen, [0, 2, 1])
        self.value(peer.report(number))
        peer.end()


class Events(HostTest):
    def test_every_event(self):
        """Each kind of event is in the audit, and those of security are marked."""
        with tempfile.TemporaryDirectory() as folder:
            audit = os.path.join(folder, "audit")
            peer = Peer(protocol_test.VOW, "--audit", audit, "--allow", "fetch:api.example.com")
            self.addCleanup(peer.kill)
            last = self.run_all(peer)
            peer.end()
            with open(audit, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            verified = subprocess.run([protocol_test.VOW, "audit", "verify", "--last", last["last"],
                                       audit], capture_output=True, check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout)
        self.assertEqual(last["lines"], len(lines))
        self.assert_events(lines)

    def run_all(self, peer):
        peer.register(operation("flaky", attempts=2, idempotent=True), operation("single", concurrent_max=1),
                      operation("kept", cache_ms=60000), operation("brief", timeout_ms=20), ECHO)
        number = peer.eval("""
          await flaky();
          await Promise.all([single(1), single(2)]);
          await kept(); await kept();
          await brief().catch(() => 0);
          const controller = new AbortController();
          const given = echo({}, { signal: controller.signal }).catch(() => 0);
          await sleep(1);
          controller.abort();
          await given;
          await fetch("http://127.0.0.1:1/").catch(() => 0);
          await single(3);""", allow=["*", "fetch"])
        peer.fail(peer.call(), transient=True)
        for _ in range(4):
            peer.fulfil(peer.call(), None)
        for _ in range(2):  # answered when nobody waits any more
            call = peer.call()
            peer.notification("cancelled")
            peer.fulfil(call, None)
        peer.fulfil(peer.call(), None)
        return peer.report(number)["audit"]

    def assert_events(self, lines):
        told = {}
        for line in lines:
            if "operation" in line:
                told.setdefault(line["operation"], []).append(line["event"])
        begun = ["created", "started"]
        self.assertEqual(told, {
            1: [*begun, "retried", "started", "settled"],
            2: [*begun, "settled"], 3: ["created", "queued", "started", "settled"],
            4: [*begun, "settled"], 5: ["created", "cache_hit", "settled"],
            6: [*begun, "timed_out", "late"], 7: [*begun, "cancelled", "late"],
            8: [*begun, "denied"], 9: [*begun, "settled"]})
        self.assertEqual([line["event"] for line in lines if line.get("security")],
                         ["timed_out", "denied"])
        self.assertEqual({line["attempt"] for line in lines if line["event"] == "retried"}, {1})
        for line in lines:
            ends = line["event"] in ("settled", "timed_out", "cancelled", "denied", "late")
            timed = "operation" in line and ends
            self.assertEqual(("state" in line, "age_ms" in line), (timed, timed), line)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    protocol_test.VOW = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1, warnings="ignore")


if __name__ == "__main__":
    main()
