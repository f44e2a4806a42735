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
        numbers = [peer.eval("const both = [shared('x'), shared('y')]; console.log('asked'); "
                             "await Promise.all(both)") for _ in range(3)]
        for _ in numbers:
            peer.notification("log")
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
            number = peer.eval(f"const all = [1, 2, 3].map((n) => {name}(n)); console.log('asked');"
                               "(await Promise.allSettled(all))"
                               ".map((end) => end.value ?? [end.reason.name, end.reason.code])",
                               **limits)
            peer.notification("log")
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
        number = peer.eval("const all = [low(0), low(1), high(2)]; console.log('asked'); "
                           "await Promise.all(all)", max_concurrent=1)
        peer.notification("log")
        seen = []
        for _ in range(3):
            call = peer.call()
            seen += call["params"]["arguments"]
            peer.fulfil(call, None)
        self.assertEqual(seen, [0, 2, 1])
        self.value(peer.report(number))
        peer.end()


class Batches(HostTest):
    def eval_in_one_turn(self, source, count):
        """A run, and its first calls, which came as one array: again while the guest was
        interrupted between two of them."""
        peer = self.peer
        for _ in range(100):
            number = peer.eval(source)
            calls = peer.calls()
            if len(calls) == count:
                return number, calls
            self.assertLess(len(calls), count)
            peer.answer(peer.ask("cancel", id=number))
            peer.report(number, ["many", "echo"])
            for message in peer.kept:
                calls += message if isinstance(message, list) else \
                    [message] if message.get("method") == "call" else []
            peer.kept.clear()
            for call in calls:
                peer.fulfil(call, None)
        return self.fail("calls of one turn never come together")

    def test_of_one_turn(self):
        """Calls of one turn come as one array, also a single one; each is answered alone."""
        peer = self.peer
        peer.register(operation("many", batch_max=100), ECHO)
        number, calls = self.eval_in_one_turn(
            "(await Promise.allSettled([many(0), many(1), many(2), echo(3)]))"
            ".map((end) => end.value ?? end.reason.name)", 3)
        self.assertEqual([call["params"]["arguments"] for call in calls], [[0], [1], [2]])
        self.assertEqual(len({call["id"] for call in calls}), 3)
        peer.fulfil(calls[2], "c")
        peer.fail(calls[0], name="NotFoundError")
        self.assertEqual(peer.counts()["calls"], 2)
        peer.fulfil(peer.call(), "d")
        peer.fulfil(calls[1], "b")
        report = peer.report(number)
        self.assertEqual(self.value(report), ["NotFoundError", "b", "c", "d"])
        self.assertEqual(report["operations"]["batched"], 3)
        number = peer.eval("await many(1)")
        [call] = peer.calls()
        peer.fulfil(call, 1)
        report = peer.report(number)
        self.assertEqual((self.value(report), report["operations"]["batched"]), (1, 0))
        peer.end()

    def test_answered_by_an_array(self):
        """The places that it frees are taken by the next batch, not by one call after the other."""
        peer = self.peer
        peer.register(operation("many", batch_max=64))
        number = peer.eval("""
          const all = Array.from({ length: 12 }, (_, i) => many(i));
          console.log("all of them wait");
          (await Promise.all(all)).join()""", max_concurrent=4)
        peer.notification("log")
        calls, sizes = [], []
        while len(calls) < 4:  # the guest's turn may have been cut in two
            calls += peer.calls()
        while calls:
            peer.send([{"jsonrpc": "2.0", "id": call["id"], "result": call["params"]["arguments"][0]}
                       for call in calls])
            sizes.append(len(calls))
            calls = peer.calls() if sum(sizes) < 12 else []
        self.assertEqual(sizes, [4, 4, 4])
        self.assertEqual(self.value(peer.report(number)), ",".join(map(str, range(12))))
        peer.end()

    def test_window_of_several_runs(self):
        peer = self.peer
        peer.register(operation("many", batch_max=3, batch_window_ms=3600000))
        numbers = [peer.eval("await many(context)", context=i, wall_ms=86400000,
                             op_timeout_ms=86400000) for i in range(3)]
        calls = peer.calls()
        self.assertEqual({call["params"]["run"] for call in calls}, set(numbers))
        for call in calls:
            peer.fulfil(call, call["params"]["arguments"][0] * 10)
        self.assertEqual([self.value(peer.report(number)) for number in numbers], [0, 10, 20])
        peer.end()

    def test_one_is_cancelled(self):
        peer = self.peer
        peer.register(operation("many", batch_max=8), ECHO)
        number, calls = self.eval_in_one_turn("""
          const controller = new AbortController();
          const given = many(1, { signal: controller.signal }).catch((e) => e.name), kept = many(2);
          await echo({});
          controller.abort();
          await Promise.all([given, kept])""", 2)
        peer.fulfil(peer.call(), None)
        self.assertEqual(peer.notification("cancelled"), {"call": calls[0]["id"]})
        for call in calls:
            peer.fulfil(call, call["params"]["arguments"][0])
        report = peer.report(number)
        self.assertEqual(self.value(report), ["AbortError", 2])
        self.assertEqual(report["operations"]["late"], 1)
        peer.end()

    def test_attempts_are_batched_again(self):
        peer = self.peer
        peer.register(operation("many", batch_max=8, attempts=2, idempotent=True))
        number, calls = self.eval_in_one_turn("await Promise.all([many(1), many(2)])", 2)
        for attempt in (1, 2):
            calls = calls or peer.calls()
            self.assertEqual([call["params"]["attempt"] for call in calls], [attempt] * 2)
            answers = [{"jsonrpc": "2.0", "id": call["id"], "result": attempt} for call in calls]
            if attempt == 1:
                for answer in answers:
                    del answer["result"]
                    answer["error"] = {"code": 1, "message": "no", "data": {"transient": True}}
            peer.send(answers)
            calls = None
        self.assertEqual(self.value(peer.report(number)), [2, 2])
        peer.end()

    def test_wrong_arguments_and_large_ones(self):
        """Only what can be sent is in an array, and no array is longer than a message."""
        peer = Peer(protocol_test.VOW, "--message-mib", "1")
        self.addCleanup(peer.kill)
        peer.register({"name": "many", "parameters": [{"name": "text", "schema": {"type": "string"}}],
                       "policy": {"batch_max": 6, "batch_window_ms": 3600000}})
        number = peer.eval("""
          const text = (size) => "\\x01".repeat(size); // six bytes each in JSON
          (await Promise.allSettled([many(text(70000)), many(1), many(text(70000)), many(text(70000)),
             many(text(200000)), many("last")])).map((end) => end.value ?? end.reason.name)""",
                           op_timeout_ms=86400000, wall_ms=86400000)
        sizes = []
        for count in (2, 1, 1):
            line = peer.line()
            self.assertLessEqual(len(line), (1 << 20) + 1)
            calls = json.loads(line)
            self.assertEqual(len(calls), count)
            for call in calls:
                sizes.append(len(call["params"]["arguments"][0]))
                peer.fulfil(call, len(call["params"]["arguments"][0]))
        self.assertEqual(sizes, [70000, 70000, 70000, 4])
        self.assertEqual(self.value(peer.report(number)),
                         [70000, "TypeError", 70000, 70000, "RangeError", 4])
        peer.end()

    def test_wrong_policies(self):
        peer = self.peer
        for policy, told in (({"batch_max": 1}, "batch_max must be a whole number from 2 to 256"),
                             ({"batch_max": 257}, "batch_max must be a whole number from 2 to 256"),
                             ({"batch_max": 2, "batch_window_ms": -1}, "batch_window_ms must be"),
                             ({"batch_window_ms": 5}, "batch_window_ms goes with batch_max")):
            answer = peer.answer(peer.ask("register", operations=[operation("many", **policy)]))
            self.assertEqual(self.code(answer), -32602)
            self.assertIn("register: many: " + told, answer["error"]["message"])
        peer.end()

    def test_the_host_goes(self):
        peer = self.peer
        peer.register(operation("many", batch_max=8))
        number, _ = self.eval_in_one_turn(
            "(await Promise.allSettled([many(1), many(2)])).map((end) => end.reason.code)", 2)
        peer.process.stdin.close()
        self.assertEqual(self.value(peer.report(number)), ["HOST_GONE", "HOST_GONE"])
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
