#!/usr/bin/env python3
"""`vow task`: every exit status and message; functions of all languages in one command; what
is left when it ends.

    task_test.py [--scale N] VOW TASKS.so [--no-python] [NAME...]

With VOW_TEST_NAME, a regular expression, only tests that it matches are run.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

ARGUMENTS = None
FILES = {
    "f.js": """
let tries = 0;
console.log('executed');
function same(value) { return value; }
function say(value) { console.log('to standard output'); console.error('and error'); return 1; }
async function fast() { await sleep(20); return 'fast'; }
function fail() { throw new TypeError('no way'); }
function third() { if (++tries < 3) throw new Error('try ' + tries); return tries; }
function always() { throw new RangeError('try ' + ++tries); }
function spin() { for (;;); }
async function wait() { console.log('waits'); await sleep(1e8); }
function never() { return new Promise(() => {}); }
function deep() { let list = []; for (let i = 0; i < 300; i++) list = [list]; return list; }
function large() { return 'x'.repeat(20 << 20); }
function odd() { return { bytes: new Uint8Array([0, 1]), date: new Date(0), big: 2n ** 70n,
  map: new Map([['a', new Set([1])]]), nan: NaN, none: undefined }; }
function missing() { const e = new Error('thrown'); e.name = 'NotFoundError'; throw e; }
const value = 1;
""",
    # Each addition writes 286,273 digits, and nothing can interrupt that.
    "ignore.js": "function ignore() {\n  console.log('ignores');\n"
                 "  const big = 3n ** 600000n;\n  return ''" + " + big" * 60 + ";\n}\n",
    # Behind all that begins with it, on a machine that is busy elsewhere for a moment either.
    "second.js": "async function second() { await sleep(1000); return 'second'; }\n",
    "m.mjs": """
import { part } from './part.mjs';
export async function main(x) { return part + x; }
export default () => 'default';
""",
    "part.mjs": "export const part = 40;\n",
    "syntax.js": "function f() {\n  return 1 +;\n}\n",
    "top.js": "function f() {} console.log('once'); throw new TypeError('at load');\n",
    "endless.js": "function f() {} for (;;);\n",
    "p.py": """
import asyncio, sys, time
def same(value): return value
def say(value):
    print('of python')
    print('to error', file=sys.stderr)
def fail(value): raise ValueError('bad')
async def fast(value):
    await asyncio.sleep(0.02)
    return 'python'
async def wait(value):
    print('waits', flush=True)
    try:
        await asyncio.sleep(1e6)
    except asyncio.CancelledError:
        print('cancelled')
        raise
def spin(value):
    print('spins', flush=True)
    while True: pass
def block(value): time.sleep(1000)
def ignore(value):
    print('ignores', flush=True)
    while True:
        try: time.sleep(1000)
        except BaseException: pass
""",
}


class Ended:
    def __init__(self, process, out, err, seconds):
        self.status, self.out, self.err, self.seconds = process.returncode, out, err, seconds


def ignoring():
    """Functions that say so, and then go on whatever they are told."""
    return (["so:tasks.so:say_and_ignore", "js:ignore.js:ignore"] +
            ([] if ARGUMENTS.no_python else ["py:p.py:ignore"]))


def command(*words):
    return [ARGUMENTS.vow, "task", *map(str, words)]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vow-task-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name, text in FILES.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        shutil.copy(ARGUMENTS.tasks, os.path.join(self.folder, "tasks.so"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, *words, **more):
        return subprocess.Popen(command(*words), cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def end(self, process, begun):
        out, err = process.communicate(timeout=30 * ARGUMENTS.scale)
        return Ended(process, out, err, time.monotonic() - begun)

    def run_task(self, *words):
        begun = time.monotonic()
        return self.end(self.start(*words), begun)

    def gives(self, expected, *words):
        """The value, as one line of JSON."""
        ended = self.run_task(*words)
        self.assertEqual((ended.status, ended.err.replace("executed\n", "")), (0, ""), ended.out)
        self.assertEqual(ended.out, expected + "\n")

    def fails(self, status, line, *words):
        """Nothing on standard output; the first line of standard error that the command says."""
        ended = self.run_task(*words)
        lines = [said for said in ended.err.split("\n") if said != "executed"]
        self.assertEqual((ended.status, ended.out), (status, ""), ended.err)
        self.assertEqual(lines[0], line)
        return ended, lines[1:]

    def usage(self, line, *words):
        ended, more = self.fails(2, line, *words)
        self.assertEqual(more, [""], "one line")
        return ended

    def report(self, status, *words):
        ended = self.run_task(*words, "--report", "-")
        self.assertEqual(ended.status, status, ended.err)
        self.assertEqual(ended.out.count("\n"), 1)
        report = json.loads(ended.out)
        counts = report["counts"]
        self.assertEqual(counts["created"], counts["fulfilled"] + counts["rejected"] +
                         counts["timed_out"] + counts["cancelled"] + counts["live"])
        self.assertEqual(report["version"], 1)
        return report


class Values(Case):
    def test_each_language(self):
        self.gives("[1,2]", "run", "js:f.js:same", "--arg", "[1,2]")
        self.gives("[1,2]", "run", "js-isolated:f.js:same", "--arg", "[1,2]")
        self.gives("[1,2]", "run", "so:tasks.so:same", "--arg", "[1,2]")
        self.gives("null", "run", "so:tasks.so:nothing")
        self.gives("1", "run", "so:tasks.so:twice")

    def test_no_argument(self):
        self.gives("null", "run", "js:f.js:same")
        self.gives("null", "run", "js-isolated:f.js:same")
        self.gives("null", "run", "so:tasks.so:same")

    def test_modules(self):
        self.gives("42", "run", "js:m.mjs:main", "--arg=2")
        self.gives('"default"', "run", "js:m.mjs:default")
        self.gives("42", "run", f"js:{self.path('m.mjs')}:main", "--arg=2")

    def test_json_that_javascript_has_not(self):
        self.gives('{"bytes":"AAE=","date":"1970-01-01T00:00:00.000Z",'
                   '"big":1180591620717411303424,"map":{"a":[1]},"nan":null}',
                   "run", "js:f.js:odd")

    def test_bytes_that_are_no_cbor(self):
        self.gives('"//8="', "run", "so:tasks.so:raw")
        self.gives('["//8=",null]', "parallel", "so:tasks.so:raw", "so:tasks.so:nothing")

    def test_large(self):
        self.gives(json.dumps("x" * (20 << 20)), "run", "js:f.js:large")
        self.gives(json.dumps("y" * 60000), "run", "js:f.js:same", "--arg",
                   json.dumps("y" * 60000))

    def test_unicode(self):
        text = json.dumps("\u00e4\u20ac\U0001f600\ud800")
        ended = self.run_task("run", "js:f.js:same", "--arg", text)
        self.assertEqual(json.loads(ended.out), json.loads(text))

    def test_output_goes_to_standard_error(self):
        ended = self.run_task("run", "js:f.js:say")
        self.assertEqual((ended.out, ended.err),
                         ("1\n", "executed\nto standard output\nand error\n"))

    def test_sandbox_executes_again_and_says_it_once(self):
        ended = self.run_task("run", "js-isolated:f.js:same")
        self.assertEqual(ended.err, "executed\n")


class Failures(Case):
    def test_thrown(self):
        _, more = self.fails(1, "vow task run: TypeError: no way", "run", "js:f.js:fail")
        self.assertRegex(more[0], r"^    at fail \(.*/f\.js:7:\d+\)$")
        self.fails(1, "vow task run: TypeError: no way", "run", "js-isolated:f.js:fail")
        _, more = self.fails(1, "vow task run: CError: too much is waiting or live: try again later",
                             "run", "so:tasks.so:fail")
        self.assertEqual(more[:2], ["line 1", "line 2"])

    def test_its_own_not_found_error_is_no_usage_error(self):
        self.fails(1, "vow task run: NotFoundError: thrown", "run", "js:f.js:missing")

    def test_deadlock_at_once(self):
        ended, _ = self.fails(1, "vow task run: DeadlockError: never of f.js waits for a promise "
                              "that nothing can settle any more", "run", "js:f.js:never")
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)

    def test_too_deep_a_value(self):
        self.fails(1, "vow task run: Error: the result is nested deeper than 256 levels",
                   "run", "js:f.js:deep")

    def test_source_that_does_not_compile(self):
        _, more = self.fails(1, "vow task run: SyntaxError: unexpected token in "
                             f"expression: ';' at {os.path.realpath(self.path('syntax.js'))}:2:13",
                             "run", "js:syntax.js:f")
        self.assertIn("syntax.js:2:", more[0])

    def test_source_that_throws_is_executed_once(self):
        ended = self.run_task("run", "js:top.js:f")
        self.assertEqual((ended.status, ended.out), (1, ""))
        self.assertEqual(ended.err.split("\n")[:2],
                         ["once", "vow task run: TypeError: at load"])
        self.assertEqual(ended.err.count("once"), 1)

    def test_time_limit(self):
        for spec in ("js:f.js:spin", "js-isolated:f.js:spin", "js:f.js:wait",
                     "so:tasks.so:wait_for_stop", "js:endless.js:f"):
            with self.subTest(spec):
                ended = self.run_task("run", spec, "--timeout-ms", 400, "--report", "r.json")
                self.assertEqual((ended.status, ended.out), (3, ""), ended.err)
                self.assertIn("vow task run: TimeoutError: it took longer than "
                              "--timeout-ms 400\n", ended.err)
                self.assertGreaterEqual(ended.seconds, 0.4)
                with open(self.path("r.json"), encoding="utf-8") as file:
                    counts = json.load(file)["counts"]
                self.assertEqual((counts["active"], counts["retired"]), (0, 0), "it ended")

    def test_no_time_limit(self):
        self.gives('"fast"', "run", "js:f.js:fast", "--timeout-ms", 0)

    def test_who_ignores_the_end_is_not_waited_for(self):
        ended, _ = self.fails(3, "vow task run: TimeoutError: it took longer than --timeout-ms 100",
                              "run", "so:tasks.so:ignore_stop", "--timeout-ms", 100)
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)
        ended = self.run_task("race", "so:tasks.so:ignore_stop", "js:f.js:fast")
        self.assertEqual((ended.status, ended.out), (0, '"fast"\n'))
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)


class Groups(Case):
    def test_race(self):
        ended = self.run_task("race", "so:tasks.so:wait_for_stop", "js:f.js:wait",
                              "js:second.js:second", "js:f.js:fail", "js-isolated:f.js:spin")
        self.assertEqual((ended.status, ended.out), (0, '"second"\n'), ended.err)
        self.assertIn("told to stop\n", ended.err)
        self.assertLess(ended.seconds, 10 * ARGUMENTS.scale)

    def test_race_that_all_lose(self):
        self.fails(1, "vow task race: AggregateError: all 2 members failed: js:f.js:fail: "
                   "TypeError: no way; so:tasks.so:fail: CError: too much is waiting or live: "
                   "try again later", "race", "js:f.js:fail", "so:tasks.so:fail")

    def test_race_with_one_that_cannot_be_loaded(self):
        ended = self.run_task("race", "js:syntax.js:f", "js:f.js:fast")
        self.assertEqual((ended.status, ended.out), (0, '"fast"\n'))

    def test_race_against_time(self):
        self.fails(3, "vow task race: TimeoutError: it took longer than --timeout-ms 100", "race",
                   "js:f.js:spin", "js-isolated:f.js:spin", "--timeout-ms", 100)

    def test_parallel_keeps_the_order(self):
        self.gives('["fast",7,7,"fast"]', "parallel", "js:f.js:fast", "so:tasks.so:same",
                   "js-isolated:f.js:same", "js-isolated:f.js:fast", "--arg", 7)

    def test_parallel_one_at_a_time(self):
        self.gives('["fast",null,"fast"]', "parallel", "js:f.js:fast", "so:tasks.so:same",
                   "js:f.js:fast", "--workers", 1)

    def test_parallel_that_fails(self):
        _, more = self.fails(1, "vow task parallel: js:f.js:fail: TypeError: no way", "parallel",
                             "js:f.js:fast", "js:f.js:fail")
        self.assertIn("at fail (", more[0])

    def test_the_same_many_times(self):
        specs = ["js-isolated:f.js:same"] * 40 + ["so:tasks.so:same"] * 60
        self.gives(json.dumps([1] * 100, separators=(",", ":")), "parallel", *specs, "--arg", 1,
                   "--workers", 4)

    def test_retry(self):
        begun = time.monotonic()
        self.gives("3", "retry", "js:f.js:third")
        self.assertGreaterEqual(time.monotonic() - begun, 0.2)
        self.fails(1, "vow task retry: Error: try 2", "retry", "js:f.js:third", "--times", 2,
                   "--delay-ms", 0)
        self.fails(1, "vow task retry: RangeError: try 1", "retry", "js:f.js:always", "--times", 1)
        self.fails(1, "vow task retry: RangeError: try 3", "retry", "js:f.js:always")

    def test_retry_of_a_shared_object(self):
        self.gives("3", "retry", "so:tasks.so:third", "--delay-ms", 1)
        self.fails(1, "vow task retry: CError: try 2", "retry", "so:tasks.so:third", "--times", 2,
                   "--delay-ms", 1)
        report = self.report(0, "retry", "so:tasks.so:third", "--delay-ms", 1)
        self.assertEqual((report["tasks"][0]["attempts"], report["counts"]["retries"],
                          report["value"]), (3, 2, 3))
        begun = time.monotonic()
        self.gives("3", "retry", "so:tasks.so:third")
        self.assertGreaterEqual(time.monotonic() - begun, 0.2, "it waits between tries")

    def test_retry_begins_nothing_that_cannot_end(self):
        ended, _ = self.fails(1, "vow task retry: RangeError: try 1", "retry", "js:f.js:always",
                              "--delay-ms", 60000, "--timeout-ms", 10000)
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)


class Usage(Case):
    def test_subcommands(self):
        for words, line in (
                ([], "vow task: say what to do: run, race, parallel or retry; see: vow help task"),
                (["ra ce"], "vow task: there is no 'ra ce'; did you mean race?"),
                (["retri"], "vow task: there is no 'retri'; did you mean retry?"),
                (["wait"], "vow task: there is no 'wait'; there are run, race, parallel and retry")):
            self.usage(line, *words)

    def test_numbers_of_specs(self):
        one = "needs a SPEC, such as js:FILE:FUNCTION; see: vow help task"
        some = "needs at least one SPEC, such as js:FILE:FUNCTION; see: vow help task"
        self.usage(f"vow task run: {one}", "run")
        self.usage(f"vow task retry: {one}", "retry", "--times", 2)
        self.usage(f"vow task race: {some}", "race")
        self.usage(f"vow task parallel: {some}", "parallel", "--arg", 1)
        self.usage("vow task run: takes one SPEC; see: vow help task", "run", "js:f.js:same",
                   "js:f.js:same")
        self.usage("vow task race: takes at most 1024 SPECs", "race", *["js:f.js:same"] * 1025)

    def test_specs(self):
        forms = "must be LANGUAGE:FILE:FUNCTION, of the languages py, js, js-isolated, so"
        for spec, said in (
                ("f.js", f"'f.js' is no function: {forms}"),
                ("", f"'' is no function: {forms}"),
                ("rb:f:g", "'rb:f:g': there is no language 'rb': must be py, js, js-isolated or so"),
                ("js:f.js", "'js:f.js' names no function: must be js:FILE:FUNCTION"),
                ("js:f.js:", "'js:f.js:' names no function: must be js:FILE:FUNCTION"),
                ("js::same", "'js::same' names no file: must be js:FILE:FUNCTION"),
                ("js:f.js:a b",
                 "'js:f.js:a b': 'a b' is no name of a function: must be js:FILE:FUNCTION"),
                ("so:l.so:9", "'so:l.so:9': '9' is no name of a function: must be so:FILE:SYMBOL"),
                ("py:a-b:f", "'py:a-b:f': 'a-b' is no name of a module: must be "
                 "py:FILE.py:FUNCTION or py:package.module:FUNCTION"),
                ("js:\n:f.js", "'js:?:f.js': 'f.js' is no name of a function: must be "
                 "js:FILE:FUNCTION")):
            with self.subTest(spec):
                self.usage(f"vow task race: {said}", "race", "js:f.js:say", spec)

    def test_what_is_not_there(self):
        for spec, said in (
                ("js:gone.js:f", "gone.js: cannot be read: No such file or directory"),
                ("js:.:f", ".: cannot be read: Is a directory"),
                ("js:f.js:gone", "f.js: there is no function 'gone'; there are: same, say, fast, "
                 "fail, third, always, spin, wait, never, deep, large, odd, missing"),
                ("js-isolated:m.mjs:f", None),
                ("js:m.mjs:f", "m.mjs: there is no function 'f'; there are: default, main"),
                ("js:f.js:value", "f.js: 'value' is no function; there are: same, say, fast, "
                 "fail, third, always, spin, wait, never, deep, large, odd, missing"),
                ("so:gone.so:f", "gone.so: cannot be read: No such file or directory"),
                ("so:f.js:f", "f.js: cannot be loaded: ./f.js: file too short"),
                ("so:tasks.so:gone", "tasks.so: there is no symbol 'gone'"),
                ("so:tasks.so:data_of_this", "tasks.so: 'data_of_this' is no function")):
            with self.subTest(spec):
                if spec == "so:f.js:f":
                    with open(self.path("f.js"), "w", encoding="utf-8") as file:
                        file.write("x")
                if said:
                    self.usage(f"vow task parallel: '{spec}': {said}", "parallel",
                               "so:tasks.so:wait_for_stop", spec)

    def test_without_the_compiled_guest(self):
        alone = self.path("vow")
        shutil.copy(ARGUMENTS.vow, alone)
        ended = subprocess.run([alone, "task", "run", "js-isolated:f.js:same"], cwd=self.folder,
                               capture_output=True, text=True)
        self.assertEqual((ended.returncode, ended.stdout), (2, ""), ended.stderr)
        self.assertRegex(ended.stderr, r"^vow task run: 'js-isolated:f.js:same': JavaScript cannot "
                         r"be executed: [^\n]+\n$")

    def without_python(self, said):
        """`said` is how the reason begins, of a program with `guest/vow-python.so` or without."""
        for words in (["run", "py:p.py:same"], ["race", "js:f.js:say", "py:json:dumps"],
                      ["retry", "py:p.py:same", "--times", 3]):
            ended = subprocess.run([self.path("vow"), "task", *map(str, words)], cwd=self.folder,
                                   capture_output=True, text=True)
            lines = [line for line in ended.stderr.split("\n") if line not in ("executed", "")]
            self.assertEqual((ended.returncode, ended.stdout, len(lines)), (2, "", 1),
                             ended.stderr)
            spec = next(word for word in words if word.startswith("py:"))
            self.assertTrue(lines[0].startswith(f"vow task {words[0]}: '{spec}': {said}"), lines[0])

    def test_without_the_module_of_python(self):
        shutil.copy(ARGUMENTS.vow, self.path("vow"))
        if ARGUMENTS.no_python:
            self.without_python("Python is not in this build: ")
            return
        self.without_python("Python cannot be used: vow-python.so cannot be found; it belongs in "
                            "guest/, vow/ or ../lib/vow/ beside the program or the library")
        module = self.path("guest/vow-python.so")
        os.mkdir(self.path("guest"))
        with open(module, "wb"):
            pass
        self.without_python(f"Python cannot be used: {module} cannot be loaded: {module}: file "
                            "too short")
        shutil.copy(ARGUMENTS.tasks, module)
        self.without_python(f"Python cannot be used: {module} cannot be loaded: {module}: "
                            "undefined symbol: vow_python_module")

    def test_with_the_module_of_another_build(self):
        if ARGUMENTS.no_python:
            self.skipTest("Python is not in this build")
        version = subprocess.run([ARGUMENTS.vow, "version"], capture_output=True, text=True)
        number = version.stdout.split()[1].encode()
        shutil.copy(ARGUMENTS.vow, self.path("vow"))
        os.mkdir(self.path("guest"))
        with open(os.path.join(os.path.dirname(ARGUMENTS.vow), "guest/vow-python.so"),
                  "rb") as file:
            code = file.read()
        self.assertIn(number + b"\0", code)
        module = self.path("guest/vow-python.so")
        with open(module, "wb") as file:
            file.write(code.replace(number + b"\0", b"9" * len(number) + b"\0"))
        self.without_python(f"Python cannot be used: {module} is of another build of Vow")

    def test_nothing_is_called_before(self):
        ended = self.run_task("parallel", "js:f.js:say", "so:tasks.so:gone")
        self.assertEqual((ended.status, ended.out), (2, ""))
        self.assertNotIn("to standard output", ended.err)

    def test_argument(self):
        for text, at in (("{", 2), ("", 1), ("[1,]", 4), ('"\u00e4" x', 5), ("nul", 1)):
            with self.subTest(text):
                self.usage(f"vow task run: --arg: not JSON, wrong at character {at}", "run",
                           "js:f.js:same", f"--arg={text}")
        self.usage("vow task run: --arg: nested deeper than 256 levels", "run", "js:f.js:same",
                   "--arg", "[" * 300 + "]" * 300)

    def test_options(self):
        number = "must be a whole number from 0 to 86400000"
        for words, said in (
                (["--timeout-ms", "x"], f"--timeout-ms 'x': {number}"),
                (["--timeout-ms", "-1"], f"--timeout-ms '-1': {number}"),
                (["--timeout-ms", "86400001"], "--timeout-ms 86400001: must be 0 to 86400000"),
                (["--workers", "0"], "--workers 0: must be 1 to 1024"),
                (["--times", "2"], "unknown option --times; see: vow help task"),
                (["--timeout", "2"], "unknown option --timeout; did you mean --timeout-ms?"),
                (["--arg", "1", "--arg", "2"], "--arg is given twice"),
                (["--arg"], "--arg needs a value: --arg=JSON")):
            with self.subTest(words):
                self.usage(f"vow task race: {said}", "race", "js:f.js:say", *words)
        self.usage("vow task retry: --times 0: must be 1 to 1000", "retry", "js:f.js:say",
                   "--times", "0")

    def test_help(self):
        for words in (["task", "--help"], ["help", "task"]):
            ended = subprocess.run([ARGUMENTS.vow, *words], capture_output=True, text=True)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            for part in ("vow task race", "--delay-ms", "py:package.module:FUNCTION"):
                self.assertIn(part, ended.stdout)
        ended = self.run_task("run", "--help")
        self.assertEqual(ended.status, 0)
        self.assertNotIn("--times", ended.out)

    def test_files_that_are_in_the_way(self):
        self.usage("vow task run: --report f.js and js:f.js:same name the same file", "run",
                   "js:f.js:same", "--report", "f.js")
        self.usage("vow task run: --report x.json and --metrics name the same file", "run",
                   "js:f.js:same", "--report", "x.json", "--metrics", "x.json")
        self.usage("vow task run: --audit gone/a: cannot be written: No such file or directory",
                   "run", "js:f.js:same", "--audit", "gone/a")
        self.assertFalse(os.path.exists(self.path("x.json")))
        self.usage("vow task run: 'js:f.js:gone': f.js: there is no function 'gone'; there are: "
                   "same, say, fast, fail, third, always, spin, wait, never, deep, large, odd, "
                   "missing", "run", "js:f.js:gone", "--report", "r.json", "--audit", "a.jsonl",
                   "--metrics", "m.txt")
        for name in ("r.json", "a.jsonl", "m.txt"):
            self.assertFalse(os.path.exists(self.path(name)), name)


class Told(Case):
    def test_report_of_a_value(self):
        report = self.report(0, "run", "js:f.js:same", "--arg", '{"a":1}')
        self.assertEqual((report["outcome"], report["value"]), ("value", {"a": 1}))
        self.assertNotIn("error", report)
        task, = report["tasks"]
        self.assertEqual((task["name"], task["state"], task["attempts"]),
                         ("js:f.js:same", "fulfilled", 1))
        self.assertLessEqual(task["run_ms"], task["age_ms"])
        self.assertEqual(report["counts"]["created"], 1)

    def test_report_of_a_race(self):
        report = self.report(0, "race", "so:tasks.so:wait_for_stop", "js:f.js:fail",
                             "js:second.js:second")
        self.assertEqual((report["value"], report["winner"]), ("second", 2))
        self.assertEqual([task["state"] for task in report["tasks"]],
                         ["cancelled", "rejected", "fulfilled"])
        self.assertEqual(report["tasks"][1]["error"]["name"], "TypeError")
        counts = report["counts"]
        self.assertEqual((counts["created"], counts["fulfilled"], counts["rejected"],
                          counts["cancelled"], counts["active"]), (4, 2, 1, 1, 0))

    def test_report_of_failures(self):
        report = self.report(1, "run", "js:f.js:fail")
        self.assertEqual(report["outcome"], "error")
        self.assertEqual((report["error"]["kind"], report["error"]["name"],
                          report["error"]["message"]), ("script", "TypeError", "no way"))
        self.assertIn("at fail (", report["error"]["stack"])
        report = self.report(3, "run", "js:f.js:spin", "--timeout-ms", 100)
        self.assertEqual((report["outcome"], report["error"]["kind"], report["error"]["name"]),
                         ("limit", "timeout", "TimeoutError"))
        report = self.report(1, "retry", "js:f.js:always", "--delay-ms", 1)
        self.assertEqual((report["tasks"][0]["attempts"], report["counts"]["retries"]), (3, 2))
        report = self.report(3, "race", "so:tasks.so:ignore_stop", "--timeout-ms", 500)
        counts = report["counts"]  # given up, or about to be
        self.assertGreaterEqual(counts["retired"] + counts["active"], 1)

    def test_report_of_what_cannot_be_loaded(self):
        report = self.report(1, "run", "js:syntax.js:f")
        self.assertEqual((report["outcome"], report["error"]["name"]), ("error", "SyntaxError"))

    def test_files(self):
        ended = self.run_task("race", "js:f.js:wait", "js:f.js:fast", "--report", "r.json",
                              "--audit", "a.jsonl", "--metrics", "m.txt")
        self.assertEqual((ended.status, ended.out), (0, '"fast"\n'), ended.err)
        with open(self.path("r.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["winner"], 1)
        with open(self.path("a.jsonl"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        self.assertEqual({event.get("name") for event in events if "operation" in event},
                         {"race", "js:f.js:wait", "js:f.js:fast"})
        self.assertEqual(subprocess.run([ARGUMENTS.vow, "audit", "verify", self.path("a.jsonl")],
                                        capture_output=True).returncode, 0)
        with open(self.path("m.txt"), encoding="utf-8") as file:
            self.assertIn('vow_tasks_total{name="js:f.js:fast",state="fulfilled"} 1', file.read())

    def test_an_audit_goes_on(self):
        for _ in range(2):
            self.assertEqual(self.run_task("run", "js:f.js:same", "--audit", "a.jsonl").status, 0)
        verified = subprocess.run([ARGUMENTS.vow, "audit", "verify", self.path("a.jsonl")],
                                  capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stderr)

    def test_output_that_nobody_reads(self):
        process = self.start("run", "js:f.js:large")
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 1)
        self.assertIn("vow task run: standard output cannot be written: Broken pipe\n", err)

    def test_closed_streams(self):
        """Nothing else that is opened takes their place."""
        for closed, status, out, err in (
                (">&-", 2, "", "vow task run: standard output cannot be written: it is closed\n"),
                ("2>&-", 0, "null\n", ""), ("<&- 2>&-", 0, "null\n", "")):
            with self.subTest(closed):
                ended = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh",
                                        *command("run", "js:f.js:same", "--report", "r.json")],
                                       cwd=self.folder, capture_output=True, text=True)
                self.assertEqual((ended.returncode, ended.stdout, ended.stderr),
                                 (status, out, err))

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            ended = subprocess.run(command("run", "js:f.js:same"), cwd=self.folder, stdout=full,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("standard output cannot be written: No space left on device", ended.stderr)
        ended = self.run_task("run", "js:f.js:same", "--report", "/dev/full")
        self.assertEqual((ended.status, ended.out), (1, "null\n"))
        self.assertIn("vow task run: --report /dev/full: cannot be written: No space left on "
                      "device", ended.err)


class Late(Case):
    """Functions that ignore the end: how late the command ends, and what it says."""

    def ends_in_time(self, *commands):
        """All at once, each the time limit and the patience after it began. The limit is long
        enough for all that is called to begin."""
        limit_ms = int(1500 * min(ARGUMENTS.scale, 4))
        begun = time.monotonic()
        running = [self.start(*words, "--timeout-ms", limit_ms) for words in commands]
        all_ended = [self.end(process, begun) for process in running]
        for words, ended in zip(commands, all_ended):
            latest = limit_ms / 1000 + 1 + 2 * ARGUMENTS.scale
            with self.subTest(words):
                self.assertTrue(limit_ms / 1000 + 0.9 <= ended.seconds < latest, ended.seconds)
                self.assertEqual(ended.status, 3, ended.err)
                said = [line for line in ended.err.split("\n")
                        if line not in ("ignores", "executed", "")]
                self.assertEqual(said, [f"vow task {words[0]}: TimeoutError: it took longer than "
                                        f"--timeout-ms {limit_ms}"])
        return zip(commands, all_ended)

    def test_each_language(self):
        commands = [[name, spec] for name in ("run", "retry") for spec in ignoring()]
        commands += [[name, *ignoring()] for name in ("race", "parallel")]
        commands += [["run", spec, "--report", "-"] for spec in ignoring()]
        commands.append(["parallel", *ignoring(), "--report", "-"])
        for words, ended in self.ends_in_time(*commands):
            if "--report" not in words:
                self.assertEqual(ended.out, "")
                continue
            self.assertEqual(ended.out.count("\n"), 1)
            report = json.loads(ended.out)
            self.assertEqual((report["outcome"], report["error"]["kind"], report["error"]["name"]),
                             ("limit", "timeout", "TimeoutError"))
            counts = report["counts"]
            self.assertEqual((counts["retired"], counts["active"], counts["live"]),
                             (len(words) - 3, 0, 0))

    def test_while_loading(self):
        with open(self.path("ignore.js"), "a", encoding="utf-8") as file:
            file.write("ignore();\n")
        with open(self.path("p.py"), "a", encoding="utf-8") as file:
            file.write("ignore(None)\n")
        specs = [spec for spec in ignoring() if not spec.startswith("so:")]
        commands = [["run", spec] for spec in specs] + [["race", "js:f.js:same", *specs]]
        for _, ended in self.ends_in_time(*commands):
            self.assertEqual(ended.out, "")

    def test_many(self):
        """They are waited for together, not one after the other."""
        for _, ended in self.ends_in_time(["parallel", *["so:tasks.so:ignore_stop"] * 24]):
            self.assertEqual(ended.out, "")


class Signals(Case):
    @staticmethod
    def catches(process, number):
        """Not any more, when one has come."""
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", file.read()).group(1), 16)
        return bool(caught >> (number - 1) & 1)

    def stop(self, number, said, *words, again=False):
        begun = time.monotonic()
        process = self.start(*words)
        err = ""
        while not all(part in err for part in said.split()):
            line = process.stderr.readline()
            self.assertTrue(line, f"ended before: {err}")
            err += line
        process.send_signal(number)
        while again and self.catches(process, number):
            time.sleep(0.001)
        if again:  # well before the second that it waits for functions
            process.send_signal(number)
        ended = self.end(process, begun)
        ended.err = err + ended.err
        return ended

    def test_cancel(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for words in (["run", "js:f.js:wait"], ["race", "js:f.js:wait", "js-isolated:f.js:spin"],
                          ["parallel", "js:f.js:wait", "so:tasks.so:wait_for_stop"],
                          ["retry", "js:f.js:wait"]):
                with self.subTest((number, words)):
                    begun = "waits begun" if "so:tasks.so:wait_for_stop" in words else "waits"
                    ended = self.stop(number, begun, *words)
                    self.assertEqual((ended.status, ended.out), (130, ""), ended.err)
                    self.assertIn(f"vow task {words[0]}: interrupted by a signal\n", ended.err)
                    if "so:tasks.so:wait_for_stop" in words:
                        self.assertIn("told to stop\n", ended.err)

    def test_while_loading(self):
        with open(self.path("slow.js"), "w", encoding="utf-8") as file:
            file.write("console.log('waits'); function f() {} for (;;);")
        ended = self.stop(signal.SIGINT, "waits", "run", "js:slow.js:f")
        self.assertEqual(ended.status, 130, ended.err)

    def test_report_of_it(self):
        ended = self.stop(signal.SIGTERM, "waits", "run", "js:f.js:wait", "--report", "-")
        report = json.loads(ended.out)
        self.assertEqual((ended.status, report["outcome"], report["error"]["kind"]),
                         (130, "cancelled", "cancelled"))

    def test_a_second_one_ends_at_once(self):
        """Within the second that the command waits for functions that ignore the first."""
        for number in (signal.SIGINT, signal.SIGTERM):
            for spec in ignoring():
                with self.subTest((number, spec)):
                    ended = self.stop(number, "ignores", "run", spec, again=True)
                    self.assertEqual((ended.status, ended.out), (-number, ""), ended.err)

    def test_who_ignores_it_is_not_waited_for(self):
        ended = self.stop(signal.SIGINT, "ignores", "run", "so:tasks.so:say_and_ignore")
        self.assertEqual(ended.status, 130)
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)


class Python(Case):
    def setUp(self):
        if ARGUMENTS.no_python:
            self.skipTest("Python is not in this build")
        super().setUp()

    def test_values(self):
        self.gives("[1,2]", "run", "py:p.py:same", "--arg", "[1,2]")
        self.gives("null", "run", "py:p.py:same")
        self.gives('"python"', "run", "py:p.py:fast")
        self.gives("3", "run", "py:operator:index", "--arg", 3)

    def test_output(self):
        ended = self.run_task("run", "py:p.py:say")
        self.assertEqual((ended.out, ended.err), ("null\n", "of python\nto error\n"))

    def test_failures(self):
        _, more = self.fails(1, "vow task run: ValueError: bad", "run", "py:p.py:fail")
        self.assertEqual(more[0], "Traceback (most recent call last):")
        ended = self.run_task("run", "py:p.py:spin", "--timeout-ms", 200)
        self.assertEqual(ended.status, 3)
        self.assertIn("vow task run: TimeoutError: it took longer than --timeout-ms 200\n",
                      ended.err)
        ended = self.run_task("run", "py:p.py:gone")
        self.assertEqual(ended.status, 2)
        self.assertEqual(ended.err.count("\n"), 1)
        self.assertEqual(self.run_task("run", "py:gone:f").status, 2)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_tried_again(self):
        """The module is executed once, so it can count."""
        self.write("flaky.py", """
tries = 0
def f(value):
    global tries
    tries += 1
    if tries < 3: raise ValueError('not yet')
    return tries
""")
        self.gives("3", "retry", "py:flaky.py:f", "--delay-ms", 1)

    def test_environment_changes_nothing(self):
        variables = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONSTARTUP": "/nowhere",
                     "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        with unittest.mock.patch.dict(os.environ, variables):
            self.gives('"\u00e9"', "run", "py:p.py:same", "--arg", '"\u00e9"')

    def test_only_the_value_on_standard_output(self):
        """Not what is printed past the executor, by a thread, a descriptor, another program."""
        self.write("past.py", """
import os, subprocess, threading
def thread(value):
    printer = threading.Thread(target=print, args=('of a thread',))
    printer.start()
    printer.join()
def descriptor(value): os.write(1, b'of a descriptor\\n')
def program(value): subprocess.run(['echo', 'of a program'], check=True)
def close(value): os.close(1)
""")
        for name in ("thread", "descriptor", "program"):
            with self.subTest(name):
                ended = self.run_task("run", f"py:past.py:{name}")
                self.assertEqual((ended.status, ended.out, ended.err),
                                 (0, "null\n", f"of a {name}\n"))
        self.gives("null", "run", "py:past.py:close")

    def test_a_fork_that_returns_too(self):
        """The child has the descriptors by which the command is woken."""
        self.write("forks.py", """
import os, time
def f(value):
    child = os.fork()
    if child == 0:
        return 'child'
    time.sleep(0.5)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 'parent'
""")
        self.gives('"parent"', "run", "py:forks.py:f")

    def test_files_that_are_named_like_the_library(self):
        """They hide nothing of it from the executor, or from functions of other files."""
        self.write("like/asyncio.py", "async def f(value): return 'own'\n")
        self.write("like/traceback.py", "def f(value): raise KeyError('own')\n")
        self.write("like/json.py", "def dumps(value): return 'own'\n")
        self.gives('["own","python"]', "parallel", "py:like/asyncio.py:f", "py:p.py:fast")
        _, more = self.fails(1, "vow task run: KeyError: 'own'", "run", "py:like/traceback.py:f")
        self.assertIn("traceback.py", more[1])
        self.gives('["own","null"]', "parallel", "py:like/json.py:dumps", "py:json:dumps")

    def test_what_cannot_be_traced(self):
        self.write("notes.py", """
class Odd(Exception):
    __cause__ = property(lambda self: 1 / 0)
def f(value): raise Odd('told all the same')
""")
        self.fails(1, "vow task run: Odd: told all the same", "run", "py:notes.py:f")

    def test_a_file_of_zeros(self):
        self.write("zeros.py", "\0" * 10)
        self.fails(1, "vow task run: SyntaxError: source code string cannot contain null bytes "
                   "(zeros.py)", "run", "py:zeros.py:f")

    def test_a_folder_that_is_gone(self):
        folder = self.path("gone")
        os.mkdir(folder)
        for spec in ("py:p.py:same", "py:nowhere:f", "js:f.js:same"):
            ended = subprocess.run(
                ["sh", "-c", f'mkdir -p "{folder}"; cd "{folder}"; rmdir "{folder}"; exec "$@"',
                 "sh", *command("run", spec)], capture_output=True, text=True)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""), ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)

    def test_one_race_of_all(self):
        ended = self.run_task("race", "py:p.py:wait", "py:p.py:fail", "py:p.py:spin",
                              "js:f.js:wait", "js-isolated:f.js:spin", "so:tasks.so:wait_for_stop",
                              "js:second.js:second")
        self.assertEqual((ended.status, ended.out), (0, '"second"\n'), ended.err)
        self.assertIn("cancelled\n", ended.err)
        self.assertIn("told to stop\n", ended.err)
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)
        self.gives('"python"', "race", "js:f.js:never", "js-isolated:f.js:never", "py:p.py:fast")

    def test_parallel_of_all(self):
        self.gives('["python",5,5,5,"fast"]', "parallel", "py:p.py:fast", "py:p.py:same",
                   "js-isolated:f.js:same", "so:tasks.so:same", "js:f.js:fast", "--arg", 5)

    def test_blocked_python_is_not_waited_for(self):
        ended = self.run_task("run", "py:p.py:block", "--timeout-ms", 100)
        self.assertEqual(ended.status, 3)
        self.assertLess(ended.seconds, 5 * ARGUMENTS.scale)


def main():
    global ARGUMENTS
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--no-python", action="store_true")
    parser.add_argument("vow")
    parser.add_argument("tasks")
    parser.add_argument("names", nargs="*")
    ARGUMENTS = parser.parse_args()
    ARGUMENTS.vow = os.path.abspath(ARGUMENTS.vow)
    ARGUMENTS.tasks = os.path.abspath(ARGUMENTS.tasks)
    words = [sys.argv[0]] + ARGUMENTS.names
    pattern = os.environ.get("VOW_TEST_NAME")
    if pattern:
        words += ["-k", pattern]
    unittest.main(argv=words)


if __name__ == "__main__":
    main()
