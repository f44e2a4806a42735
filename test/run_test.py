#!/usr/bin/env python3
"""`vow run`: programs in test/run, one behaviour each, and what a file cannot say.

    run_test.py [--scale N] VOW [NAME...]

A program starts with comment lines that say how it is run and what must come of it:

    // options: --memory-mib 16   of `vow run`
    // args: a b                  what follows the file
    // stdin: yes                 the program is given as `-`
    // status: 1                  exit status; default 0
    // stdout: TEXT               the next line of standard output, all of it
    // stdout~ PATTERN            likewise, as a regular expression found in it
    // stderr: / stderr~          likewise
    // more: yes                  standard error has more lines, anywhere
    // together: TEXT             the next line of both streams in one pipe
    // bytes: HEX                 standard output
    // size: N                    bytes of standard output
    // link: NAME TARGET          a symbolic link beside the programs
    // lock: FILE                 another process holds the database's write lock

All of them run in a copy of the folder. With VOW_TEST_NAME, a regular expression, only
tests that it matches are run.
"""
import argparse
import ctypes
import http.server
import json
import os
import re
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
MULTIPLE = {"stdout", "stdout~", "stderr", "stderr~", "together"}


def read_header(path):
    header = {"out": [], "err": [], "together": []}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#!"):
                continue
            match = re.match(r"// (\w+)([:~]) ?(.*)\n", line)
            if not match:
                break
            key, sign, text = match.groups()
            if key in ("stdout", "stderr"):
                header[key[3:]].append((sign, text))
            elif key == "together":
                header[key].append((sign, text))
            else:
                header[key] = text
    return header


def differs(wanted, text, more):
    """What is wrong with the lines of a stream; None: nothing."""
    lines = text.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    at = 0
    for sign, want in wanted:
        fits = (lambda line: line == want) if sign == ":" else (lambda line: re.search(want, line))
        while more and at < len(lines) and not fits(lines[at]):
            at += 1
        if at == len(lines) or not fits(lines[at]):
            return f"line {at + 1} is not {want!r}: {lines!r}"
        at += 1
    if at < len(lines) and not more:
        return f"more than was expected: {lines[at:]!r}"
    return None


class Base(unittest.TestCase):
    maxDiff = None
    vow = "vow"
    scale = 1

    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.mkdtemp(prefix="vow-run-")
        shutil.copytree(os.path.join(HERE, "run"), os.path.join(cls.work, "run"))
        cls.folder = os.path.join(cls.work, "run")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def start(self, *arguments, **more):
        environment = {**os.environ, "VOW_RUN_TEST": "from the test"}
        given = {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL,
                 "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        child = subprocess.Popen([self.vow, "run", *arguments], **given)
        self.addCleanup(self.end, child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()

    def run_program(self, source, *arguments, **more):
        child = self.start("-", *arguments, **{**more, "stdin": subprocess.PIPE})
        out, err = child.communicate(source.encode(), timeout=30 * self.scale)
        return child.returncode, out, err


class Programs(Base):
    """One test for each file; added below."""

    def check(self, name):
        header = read_header(os.path.join(self.folder, name))
        if "link" in header:
            link, target = header["link"].split()
            os.symlink(target, os.path.join(self.folder, link))
        lock = self.lock(header["lock"]) if "lock" in header else None
        together = bool(header["together"])
        from_stdin = "stdin" in header
        with open(os.path.join(self.folder, name), "rb") as source:
            child = self.start(*shlex.split(header.get("options", "")),
                               "-" if from_stdin else name,
                               *shlex.split(header.get("args", "")),
                               stdin=source if from_stdin else subprocess.DEVNULL,
                               stderr=subprocess.STDOUT if together else subprocess.PIPE)
            out, err = child.communicate(timeout=20 * self.scale)
        if lock:
            lock.close()
        self.assertEqual(child.returncode, int(header.get("status", 0)), (out[:2000], err))
        if "size" in header:
            self.assertEqual(len(out), int(header["size"]))
        elif "bytes" in header:
            self.assertEqual(out.hex(), header["bytes"])
        else:
            self.assertIsNone(differs(header["together"] or header["out"], out, False), err)
        if not together:
            self.assertIsNone(differs(header["err"], err, "more" in header))

    def lock(self, name):
        path = os.path.join(self.folder, name)
        self.run_program("await kv.list()", "--db", "sqlite:" + path)
        subprocess.run([self.vow, "run", "--db", "sqlite:" + path, "empty.js"], cwd=self.folder,
                       check=True)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        return other


class Usage(Base):
    """Status 2, one line, and nothing was run or made."""

    def refused(self, pattern, *arguments):
        before = sorted(os.listdir(self.folder))
        child = self.start(*arguments)
        out, err = child.communicate(timeout=30 * self.scale)
        self.assertEqual((child.returncode, out), (2, b""), err)
        self.assertEqual(err.count(b"\n"), 1, err)
        self.assertRegex(err.decode(), pattern)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_no_file(self):
        self.refused(r"^vow run: needs a FILE")

    def test_missing_file(self):
        self.refused(r"^vow run: none\.js: cannot be read: No such file", "none.js")

    def test_folder(self):
        self.refused(r"^vow run: lib: cannot be read: Is a directory", "lib")

    def test_name_of_a_file_in_one_line(self):
        self.refused(r"^vow run: a\?b\.js: ", "a\nb.js")

    def test_unknown_option(self):
        self.refused(r"did you mean --memory-mib\?", "--memory-mb", "8", "argv.js")

    def test_option_after_the_file_is_the_programs(self):
        child = self.start("argv.js", "--memory-mb")
        out, _ = child.communicate(timeout=30 * self.scale)
        self.assertIn(b"--memory-mb", out)

    def test_memory_out_of_range(self):
        self.refused(r"--memory-mib 1: must be 8 to", "--memory-mib", "1", "argv.js")

    def test_unknown_operation(self):
        self.refused(r"notse", "--allow", "notse.*", "argv.js")

    def test_database_that_is_none(self):
        path = os.path.join(self.folder, "garbage.db")
        with open(path, "wb") as file:
            file.write(b"no database at all" * 100)
        self.refused(r"garbage\.db", "--db", "sqlite:garbage.db", "argv.js")

    def test_report_over_the_script(self):
        self.refused(r"--report argv\.js and the script name the same file", "--report", "argv.js",
                     "argv.js")

    def test_workers_out_of_range(self):
        self.refused(r"--workers 0: must be 1 to", "--workers", "0", "argv.js")


class Signals(Base):
    def ready(self, source, *options):
        """A program that has said so."""
        child = self.start(*options, "-", stdin=subprocess.PIPE)
        child.stdin.write(source.encode())
        child.stdin.close()
        child.stdin = None
        self.assertEqual(child.stdout.readline(), b"ready\n")
        return child

    def interrupted(self, source, number):
        child = self.ready(source)
        child.send_signal(number)
        out, err = child.communicate(timeout=10 * self.scale)
        self.assertEqual((child.returncode, out, err), (130, b"", b""))

    def test_waiting_for_a_timer(self):
        self.interrupted("console.log('ready'); setInterval(() => {}, 1e6)", signal.SIGINT)

    def test_terminated(self):
        self.interrupted("console.log('ready'); await sleep(1e6)", signal.SIGTERM)

    def test_spinning(self):
        self.interrupted("console.log('ready'); for (;;);", signal.SIGINT)

    def test_spinning_in_microtasks(self):
        self.interrupted("console.log('ready'); const f = () => Promise.resolve().then(f); f();",
                         signal.SIGINT)

    def test_spinning_where_everything_is_caught(self):
        self.interrupted("console.log('ready'); for (;;) try { for (;;); } catch {} finally {}",
                         signal.SIGINT)

    @unittest.skipIf("TSAN_OPTIONS" in os.environ,
                     "ThreadSanitizer runs no handler in a thread that only computes")
    def test_told_to_another_thread(self):
        child = self.ready("const d = new Deferred(() => { Deferred.progress(1); for (;;); });"
                           "d.onprogress = () => console.log('ready'); await d")
        others = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")
                  if int(name) != child.pid]
        self.assertEqual(ctypes.CDLL(None).tgkill(child.pid, others[0], signal.SIGINT), 0)
        child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 130)

    def catches(self, child, number):
        with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
            caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", file.read()).group(1), 16)
        return bool(caught >> (number - 1) & 1)

    def test_twice_in_a_native(self):
        child = self.ready("console.log('ready'); new Array(2 ** 32 - 1).join()")
        self.assertTrue(self.catches(child, signal.SIGINT))
        child.send_signal(signal.SIGINT)
        until = time.monotonic() + 30 * self.scale
        while self.catches(child, signal.SIGINT):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.001)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, -signal.SIGINT)

    def test_waiting_for_an_operation(self):
        path = os.path.join(self.folder, "signal.db")
        self.run_program("await kv.list()", "--db", "sqlite:" + path)
        child = self.start("--db", "sqlite:" + path, "empty.js")
        child.communicate(timeout=30 * self.scale)
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            program = os.path.join(self.folder, "waits.js")
            with open(program, "w", encoding="utf-8") as file:
                file.write("console.log('ready'); for (;;) await kv.set('a', 1).catch(() => {});")
            child = self.start("--db", "sqlite:" + path, program)
            self.assertEqual(child.stdout.readline(), b"ready\n")
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=30 * self.scale)
            self.assertEqual(child.returncode, 130)
        finally:
            lock.close()

    def test_report_of_an_interrupted_program(self):
        report = os.path.join(self.folder, "interrupted.json")
        child = self.ready("console.log('ready'); for (;;);", "--report", report)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30 * self.scale)
        with open(report, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["outcome"], "cancelled")


class Output(Base):
    def test_is_seen_at_once(self):
        child = self.start("-", stdin=subprocess.PIPE)
        child.stdin.write(b"console.log('now'); for (;;);")
        child.stdin.close()
        child.stdin = None
        self.assertEqual(child.stdout.readline(), b"now\n")
        self.assertIsNone(child.poll())

    def test_nobody_reads(self):
        child = self.start("-", stdin=subprocess.PIPE)
        child.stdout.close()
        child.stdout = None
        child.stdin.write(b"setInterval(() => console.log('x'), 1)")
        child.stdin.close()
        child.stdin = None
        err = child.stderr.read()
        child.wait(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 1)
        self.assertEqual(err, b"vow run: standard output cannot be written: Broken pipe\n")

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            child = self.start("argv.js", stdout=full)
            _, err = child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 1)
        self.assertIn(b"standard output cannot be written: No space left", err)

    def test_stream_that_does_not_block(self):
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        child = self.start("output-large.js", stdout=theirs)
        os.close(theirs)
        seen = []
        reader = threading.Thread(target=lambda: seen.append(self.drain(ours)))
        reader.start()
        child.wait(timeout=30 * self.scale)
        reader.join()
        self.assertEqual((child.returncode, seen[0]), (0, 12000001))

    def drain(self, fd):
        total = 0
        with os.fdopen(fd, "rb", buffering=0) as file:
            while chunk := file.read(65536):
                total += len(chunk)
        return total


class Told(Base):
    def test_recursion_with_any_stack(self):
        program = "const down = 'const f = () => f() + 1; f()'; const deep = (source) => {" \
            " try { return new Function(source)(); } catch (error) { return error.name; } };" \
            "console.log(deep(down), await Deferred.run((source) => { try {" \
            " return new Function(source)(); } catch (error) { return error.name; } }, [down]));"
        for kib in (1024, 8192, 65536, -1):
            size = kib * 1024 if kib > 0 else resource.RLIM_INFINITY
            if resource.getrlimit(resource.RLIMIT_STACK)[1] not in (resource.RLIM_INFINITY, size):
                continue
            child = self.start("-", stdin=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_STACK, (size, resource.getrlimit(resource.RLIMIT_STACK)[1])))
            out, err = child.communicate(program.encode(), timeout=60 * self.scale)
            self.assertEqual((out, err, child.returncode), (b"RangeError RangeError\n", b"", 0), kib)

    def test_arguments_that_are_no_text(self):
        child = self.start(b"argv.js", b"a\xffb\xed\xa0\x80")
        out, _ = child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 0)
        self.assertIn("a\ufffdb\ufffd\ufffd\ufffd".encode(), out)

    def test_environment_that_is_no_text(self):
        status, out, _ = self.run_program("console.log(process.env.ODD, process.env.B)",
                                          env={b"ODD": b"\xff", b"B": b"a=b"})
        self.assertEqual((status, out), (0, "\ufffd a=b\n".encode()))

    def test_report(self):
        path = os.path.join(self.folder, "report.json")
        database = "sqlite:" + os.path.join(self.folder, "report.db")
        program = os.path.join(self.folder, "reported.js")
        with open(program, "w", encoding="utf-8") as file:
            file.write("await kv.set('a', 1); await kv.get('a'); setTimeout(() => {}, 1);")
        child = self.start("--report", path, "--db", database, program)
        child.communicate(timeout=30 * self.scale)
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual((child.returncode, report["outcome"], report["value"]), (0, "value", None))
        self.assertEqual((report["operations"]["created"], report["operations"]["fulfilled"]),
                         (2, 2))
        self.assertEqual((report["operations"]["live"], report["pending"]), (0, []))

    def test_report_of_exit(self):
        path = os.path.join(self.folder, "exit.json")
        child = self.start("--report", path, "exit-with-operation.js")
        child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 1)  # without a database there are no notes
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["error"]["name"], "ReferenceError")

    def test_calls_of_deferred_functions_are_nested(self):
        path = os.path.join(self.folder, "nested.jsonl")
        database = "sqlite:" + os.path.join(self.folder, "nested.db")
        with open(os.path.join(self.folder, "nested.mjs"), "w", encoding="utf-8") as program:
            program.write("await new Deferred(async () => { await kv.set('a', 1); });")
        child = self.start("--audit", path, "--db", database, "nested.mjs")
        child.communicate()
        self.assertEqual(child.returncode, 0)
        with open(path, encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
        parents = {(e["name"], e.get("parent")) for e in events if "name" in e}
        self.assertEqual(parents, {("Deferred", None), ("kv.set", events[0]["run"] + "/1")})

    def test_audit(self):
        path = os.path.join(self.folder, "audit.jsonl")
        database = "sqlite:" + os.path.join(self.folder, "audit.db")
        child = self.start("--audit", path, "--db", database, "notes.js")
        child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 0)
        checked = subprocess.run([self.vow, "audit", "verify", path], capture_output=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        with open(path, encoding="utf-8") as file:
            self.assertIn("notes.create", file.read())

    def test_debug_tells_of_what_exit_left(self):
        program = os.path.join(self.folder, "leaves.js")
        with open(program, "w", encoding="utf-8") as file:
            file.write("setTimeout(() => {}, 1e6);\nprocess.exit(0);\n")
        child = self.start("--debug", program)
        _, err = child.communicate(timeout=30 * self.scale)
        self.assertEqual(child.returncode, 0)
        self.assertIn(b"vow run: outlived the run: timer", err)
        self.assertIn(b"leaves.js:1:", err)

    def test_script_without_a_path(self):
        child = self.start("/dev/stdin", stdin=subprocess.PIPE)
        out, _ = child.communicate(b"console.log(process.argv[1])", timeout=30 * self.scale)
        self.assertEqual((child.returncode, out), (0, b"/dev/stdin\n"))

    def chain(self, length):
        folder = os.path.join(self.folder, "chain")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        for i in range(length):
            with open(os.path.join(folder, f"{i}.mjs"), "w", encoding="utf-8") as file:
                file.write(f"import './{i + 1}.mjs';\n" if i + 1 < length else "console.log('end');")
        return os.path.join(folder, "0.mjs")

    def test_deep_imports(self):
        child = self.start(self.chain(300))
        out, err = child.communicate(timeout=30 * self.scale)
        self.assertEqual((child.returncode, out), (0, b"end\n"), err)

    def test_imports_deeper_than_the_stack(self):
        child = self.start(self.chain(8000))
        out, err = child.communicate(timeout=60 * self.scale)
        self.assertEqual((child.returncode, out), (1, b""))
        self.assertIn(b"RangeError: Maximum call stack size exceeded", err)
        self.assertLess(len(err), 10000)

    def test_fetch(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            get = f"console.log(await (await fetch('{url}')).text())"
            self.assertEqual(self.run_program(get), (0, b"ok\n", b""))
            get = get.replace("127.0.0.1", "localhost")
            self.assertEqual(self.run_program(get), (0, b"ok\n", b""))
            child = self.start("--allow", "fetch:api.example.com", "-", stdin=subprocess.PIPE)
            _, err = child.communicate(get.encode(), timeout=30 * self.scale)
            self.assertEqual(child.returncode, 1)
            self.assertIn(b"is not allowed", err)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_help(self):
        out = subprocess.run([self.vow, "help", "run"], capture_output=True, check=True).stdout
        self.assertTrue(out.startswith(b"vow run [options] FILE|- [args]\n"))
        self.assertIn(b"--op-timeout-ms", out)


def add_programs():
    for name in sorted(os.listdir(os.path.join(HERE, "run"))):
        if name.endswith((".js", ".mjs")):
            title = "test_" + re.sub(r"\W", "_", name.rsplit(".", 1)[0])
            setattr(Programs, title, lambda self, name=name: self.check(name))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("vow")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    Base.vow = os.path.abspath(given.vow)
    Base.scale = given.scale
    add_programs()
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite()
    wanted = os.environ.get("VOW_TEST_NAME", "")
    for case in (Programs, Usage, Signals, Output, Told):
        for test in loader.loadTestsFromTestCase(case):
            if re.search(wanted, test.id()) and (not given.names or type(test).__name__ in given.names):
                suite.addTest(test)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
