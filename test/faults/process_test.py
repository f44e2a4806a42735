#!/usr/bin/env python3
"""A process that gets no more descriptors, no thread, or another time of day.

    process_test.py VOW SCALE [NAME...]       FAULT_SHIM: the library made of shim.c
"""
import json
import os
import resource
import socket
import socketserver
import sys
import threading
import unittest

import common
from common import FaultTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host"))
from peer import Peer  # noqa: E402


class Server(socketserver.ThreadingTCPServer):
    """HTTP: answers "fine" once `held` requests are there."""
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Request)
        self.port = self.server_address[1]
        self.held, self.here, self.came = 1, 0, threading.Condition()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Request(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        server = self.server
        with server.came:
            server.here += 1
            server.came.notify_all()
            server.came.wait_for(lambda: server.here >= server.held, 10)
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine")
        except ConnectionError:
            pass  # it waits no longer


# What a script sees of one call: its value, or its error, which must be typed.
CALLS = """
  const told = (p) => p.then((v) => v, (e) => ({ name: e.name, code: e.code, message: e.message }));
"""


class FaultOfProcess(FaultTest):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.everything = CALLS + f"""
          [await told(notes.create({{ title: "x" }}).then(() => "made")),
           await told(notes.list().then((page) => page.items.length)),
           await told(fetch("http://localhost:{self.server.port}/").then((r) => r.text()))]"""
        self.options = ["--allow", f"notes.*,fetch:localhost:{self.server.port},"
                                   f"fetch:127.0.0.1:{self.server.port}",
                        "--audit", "audit", "--report", "report", "--metrics", "metrics"]

    def assert_told(self, value):
        """Errors of calls name what is lacking; gives whether there were any."""
        for item in value:
            if isinstance(item, dict):
                self.assertIn(item["name"], ("ApiError", "TypeError"), value)
                self.assertNotIn("install", item["message"])
        return any(isinstance(item, dict) for item in value)


class Descriptors(FaultOfProcess):
    @staticmethod
    def limit(count):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    def test_each_number(self):
        """From too few for anything to enough for all: told, each time."""
        outcomes = set()
        for engine in ("wasm", "native"):
            for count in range(5, 40):
                result = self.script(self.everything, "--engine", engine, *self.options,
                                     preexec_fn=self.limit(count))
                with self.subTest(engine=engine, count=count):
                    outcomes.add(self.outcome(result))
            self.assertEqual(self.outcome(result), "fine", result)
        self.assertEqual(outcomes, {"refused", "errors", "fine"})
        self.assertGreater(len(self.check_database()), 0)

    def outcome(self, result):
        self.assertNotEqual(result.status, 3, result)
        if result.status == 2:
            self.assertRegex(result.err, "^vow eval: .*(Too many open files|descriptor)")
            return "refused"
        if result.status == 1:  # what was asked for beside the value
            self.assertRegex(result.err, "(could not|cannot) be written: Too many open files", result)
        return "errors" if self.assert_told(result.value) else "fine"

    def test_import(self):
        lines = self.write("put.jsonl", '{"id":"a","title":"x"}\n')
        statuses = set()
        for count in range(4, 16):
            result = self.vow("notes", "put", "--file", lines, preexec_fn=self.limit(count))
            if result.status:
                self.assertEqual((result.out, result.err.count("\n")), ("", 1), result)
                self.assertIn("Too many open files", result.err)
            statuses.add(result.status)
        self.assertEqual(result.status, 0, result)
        self.assertGreater(len(statuses), 1)
        self.assertEqual([n for n in os.listdir(self.folder) if ".new-" in n], [])

    def test_many_fetches(self):
        """More connections than there may be: those that get none are told so; afterwards
        everything works as before."""
        source = CALLS + f"""
          const get = () => told(fetch("http://127.0.0.1:{self.server.port}/").then((r) => r.text()));
          const first = await Promise.all([...Array(60)].map(get));
          [first, await get(), await told(notes.list().then(() => "listed"))]"""
        self.server.held = 8
        self.write("one.jsonl", '{"id":"a","title":"x"}\n')
        self.assertEqual(self.vow("notes", "put", "--file", "one.jsonl").status, 0)
        result = self.script(source, *self.options, preexec_fn=self.limit(32))
        self.assertEqual(result.status, 0, result)
        first, _, listed = result.value
        self.assertEqual(listed, "listed")
        self.assertIn("fine", first)
        failed = [item for item in first if isinstance(item, dict)]
        self.assertTrue(failed)
        for item in failed:
            self.assertIn(item["name"], ("TypeError", "TimeoutError"), item)

    def test_until_there_are_more(self):
        """Whatever a call lacked, it is missing no longer than the descriptors are."""
        source = CALLS + f"""
          const get = () => fetch("http://127.0.0.1:{self.server.port}/").then(
            (r) => r.text(), (e) => [e.code, e.transient]);
          const first = await get();
          console.log("now");
          let last, tries = 0;
          while ((last = await get()) !== "fine" && ++tries < 500) await sleep(10);
          [first, last]"""
        script = self.write("s.js", source)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        firsts = []
        for count in range(6, 24):
            process = self.start(
                "eval", *self.options[:2], script,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard)))
            started = process.stderr.readline() == "now\n"
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (100, hard))
            if not started:
                process.communicate()
                self.assertEqual(process.returncode, 2)
                continue
            result = self.end(process)
            self.assertEqual(result.value[1], "fine", result)
            firsts.append(result.value[0])
        self.assertIn(["NO_DESCRIPTOR", True], firsts)
        self.assertIn("fine", firsts)

    def test_host(self):
        """vow host: with each number it either refuses to start or answers all."""
        started = refused = 0
        for count in range(5, 24):
            peer = Peer(common.VOW, preexec_fn=self.limit(count), cwd=self.folder)
            try:
                number = peer.eval("1 + 1")
                report = peer.report(number)
                self.assertEqual(report["outcome"], "value")
                peer.end()
                started += 1
            except (AssertionError, BrokenPipeError):
                status = peer.process.wait(20 * common.SCALE)
                peer.listener.join()
                self.assertEqual(status, 2, peer.errors)
                self.assertEqual(peer.errors.count(b"\n"), 1, peer.errors)
                self.assertRegex(peer.errors, b"Too many open files|descriptor")
                refused += 1
        self.assertTrue(started and refused, (started, refused))


def shim(**faults):
    found = {"LD_PRELOAD": os.environ["FAULT_SHIM"], **faults}
    options = os.environ.get("ASAN_OPTIONS", "")
    found["ASAN_OPTIONS"] = options + ":verify_asan_link_order=0"
    return {**os.environ, **found}


class Threads(FaultOfProcess):
    def test_each_thread(self):
        """The nth thread cannot be made, or none from the nth on."""
        for engine in ("wasm", "native"):
            seen = set()
            for number in [*range(1, 8), *range(-7, 0)]:
                result = self.script(self.everything, "--engine", engine, *self.options,
                                     env=shim(FAULT_THREAD=str(number)))
                with self.subTest(engine=engine, number=number):
                    seen.add(self.outcome(result))
            self.assertLessEqual({"refused", "fine"}, seen)

    def test_name_lookup(self):
        """Names are looked up on threads: a fetch without one fails, as transient."""
        name = socket.gethostname()
        try:
            socket.gethostbyname(name)
        except OSError:
            self.skipTest("this machine's name does not resolve")
        source = CALLS + f"""
          const get = () => fetch("http://{name}:1/").then(() => "answered",
                                                           (e) => [e.name, e.code, e.transient]);
          [await get(), await get()]"""
        result = self.script(source, "--engine", "native", "--allow", f"fetch:{name}:1",
                             env=shim(FAULT_THREAD="1"))
        first, second = result.value
        self.assertEqual(first, ["ApiError", "NO_THREAD", True])
        self.assertNotEqual(second, first)

    def outcome(self, result):
        if result.status == 2:
            self.assertRegex(result.err, "^vow eval: .*thread", result)
            return "refused"
        self.assertEqual(result.status, 0, result)
        return "errors" if self.assert_told(result.value) else "fine"

    def test_host(self):
        """vow host says which it lacks, or runs with those it has."""
        statuses = set()
        for number in (1, 2, 3, -1, -2, -3):
            process = self.start("host", "--allow", "notes.*", env=shim(FAULT_THREAD=str(number)))
            result = self.end(process)  # there is no input
            if result.status:
                self.assertRegex(result.err, "^vow host: .*thread")
            statuses.add(result.status)
        self.assertEqual(statuses, {0, 2})

    @unittest.skipUnless(os.geteuid() == 0, "needs to become another user")
    def test_system_limit(self):
        """As above by the kernel's own limit on a user who may have one thread."""
        if common.SCALE > 1:
            self.skipTest("the leak checker starts a process")
        os.chmod(self.folder, 0o777)

        def become():
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            os.setgroups([])
            os.setgid(54322)  # who runs nothing else, in disk_test.py either
            os.setuid(54322)
        try:
            result = self.script("1", preexec_fn=become)
        except PermissionError:
            self.skipTest("another user cannot reach the command")
        self.assertEqual(result.status, 2, result)
        self.assertIn("thread", result.err)


class Clock(FaultOfProcess):
    def test_jumps(self):
        """Ten years forth and back each 100 ms, or into the past: timers, time-outs and
        limits neither fire early nor get lost."""
        source = CALLS + """
          const now = performance.now(), since = () => Math.round(performance.now() - now);
          const dates = [];
          const tick = setInterval(() => dates.push(Date.now()), 40);
          const signal = AbortSignal.timeout(600);
          const late = sleep(60000, { signal }).then(() => 0, () => since());
          await sleep(450);
          const slept = since();
          const lock = await notes.create({ title: "x" }, { timeout: 700 }).then(
            () => 0, (e) => [e.name, since() - slept]);
          clearInterval(tick);
          ({ slept, late: await late, lock, dates })"""
        self.write("one.jsonl", '{"id":"one","title":"one"}\n')
        self.assertEqual(self.vow("notes", "put", "--file", "one.jsonl").status, 0)
        for engine in ("wasm", "native"):
            for seconds in (315360000, -315360000):
                with self.subTest(engine=engine, seconds=seconds):
                    result = self.locked(source, engine, seconds)
                    value = result.value
                    self.assert_close(value["slept"], 450)
                    self.assert_close(value["late"], 600)
                    self.assertEqual(value["lock"][0], "TimeoutError")
                    self.assert_close(value["lock"][1], 700)
                    dates = value["dates"]
                    self.assertGreater(max(dates) - min(dates), 300000000000, "no jump was seen")

    def locked(self, source, engine, seconds, *options):
        from lock_test import Lock
        with Lock(self.path("vow.db")):
            result = self.script(source, "--engine", engine, *self.options, *options,
                                 env=shim(FAULT_CLOCK=f"100:{seconds}"))
        self.assertEqual(result.status, 0, result)
        return result

    def assert_close(self, got_ms, wanted_ms):
        """As by a clock that nobody sets; by the one that jumps it would be at once, or years."""
        self.assertGreaterEqual(got_ms, wanted_ms - 2)
        self.assertLess(got_ms, wanted_ms + 5000 * common.SCALE)

    def test_limits(self):
        for engine in ("wasm", "native"):
            for option, source, left in (("--wall-ms", "await sleep(20000)", ["timer"]),
                                         ("--cpu-ms", "for (;;);", [])):
                with self.subTest(engine=engine, option=option):
                    result = self.script(source, "--engine", engine, option, "500", "--report", "r",
                                         leaks=left, env=shim(FAULT_CLOCK="100:-315360000"))
                    self.assertEqual(result.status, 3, result)
                    with open(self.path("r"), encoding="utf-8") as file:
                        self.assert_close(json.load(file)["time"]["wall_ms"], 500)

    def test_busy_wait(self):
        """A lock that is not released is waited for as long as ever, and no longer."""
        self.write("one.jsonl", '{"id":"one","title":"one"}\n')
        self.assertEqual(self.vow("notes", "put", "--file", "one.jsonl").status, 0)
        result = self.locked("const now = performance.now();"
                             "await notes.create({ title: 'x' }).then(() => 0,"
                             "  (e) => [e.code, performance.now() - now])", "wasm", 315360000)
        self.assertEqual(result.value[0], "SQLITE_BUSY", result)
        self.assert_close(result.value[1], 2000)


if __name__ == "__main__":
    common.main()
