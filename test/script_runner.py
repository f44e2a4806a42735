#!/usr/bin/env python3
"""Runs script tests: small files in test/script, one behaviour each.

    script_runner.py [--scale N] [--keep] VOW ENGINE FILE...

ENGINE is wasm, native, or all. A file starts with comment lines that say how it
is run and what must come of it:

    // args: --cpu-ms 200 --allow notes.*   options of `vow eval`; may be repeated
    // expect: value {"a":1}                the exact line on standard output
    // expect: size 1024                    a value whose line has so many bytes
    // expect: varies                       a value; two runs give different ones
    // expect: error script TypeError       kind and name; the name may be left out
    // expect: limit memory
    // expect: cancelled
    // expect: exit 2                       refused: one line on stderr, no report
    // message: TEXT       is part of the error's message (exit 2: of the line)
    // stack: TEXT         is part of the error's stack; may be repeated
    // operation: NAME     the host operation behind the error; `none`
    // operations: created=3 concurrent_max<=2      what the report counts
    // pending: timer notes.create                  what the report says was live
    // leaks: timer*2 notes.create   what outlived the run; without it, nothing may;
    //                     `timer*`: any number of them, maybe none
    // stderr: TEXT        is a line on standard error; a value without any such
    //                     line must leave standard error empty
    // not: TEXT           appears in no output
    // engines: wasm       the other one cannot, by design
    // seconds: 2          the whole process ends within (default 15)
    // stdin: yes          the script is given as `-`
    // as: NAME            the file name it runs under
    // notes: none         no database is there (default: with --allow notes a
    //                     filled one); `garbage`: a file that is none
    // lock: yes           another process holds the database's write lock, so
    //                     notes.create, update and delete wait
    // signal: INT         is sent when the script has logged the line `ready`

What holds for every run is checked for every run: exit status, form and sums of
the report, nothing left live, limits told in time, no trace of a sanitizer.
Status 0: all passed, 1: some failed, 77: no file is for this engine.
With --scale, the run's own clocks are as much longer unless the file is about
them. If the environment has VOW_TEST_NAME, a regular expression, and it matches
tests (as script.value-date.wasm), only those are run.
"""
import argparse
import collections
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

KINDS = {
    "error": {"script", "api", "denied", "deadlock", "internal"},
    "limit": {"cpu", "timeout", "memory", "stack", "operations", "result", "output"},
    "cancelled": {"cancelled"},
}
# What a native guest may hold beyond its limit until it stops (src/engine/engine.h).
NATIVE_RESERVE = 2 << 20
STATUS = {"value": 0, "error": 1, "limit": 3, "cancelled": 130}
SINGLE = {"expect", "operation", "operations", "pending", "leaks", "engines", "seconds", "stdin", "as",
          "notes", "lock", "signal"}
REPEATED = {"args", "message", "stack", "stderr", "not"}
REPORT_KEYS = {"version", "outcome", "operations", "time", "memory", "pending", "leaks"}
ERROR_KEYS = {"kind", "name", "message", "stack", "operation"}
COUNTS = {"created", "fulfilled", "rejected", "timed_out", "cancelled", "live", "late", "retries",
          "cache_hits", "batched", "concurrent_max"}
CLOCKS = {"wall_ms", "guest_ms", "host_wait_ms", "ready_ms"}
CLOCK_LIMITS = {"cpu": ("guest_ms", "--cpu-ms", 5000), "timeout": ("wall_ms", "--wall-ms", 30000)}
LIMIT_DELAY_MS = 500  # a limit is told at the latest so long after it was hit
EXIT_DELAY_MS = 1500  # start of the process and its end, around the run
TEXT_MAX = 20000  # of a message or a stack in a report
SANITIZER = re.compile(r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:"
                       r"|Assertion .* failed|ASSERT|panicked at")
LEAK = re.compile(r"vow eval: outlived the run: .*\n(?:    at .*\n)*")
SKIPPED = 77


class Failure(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Failure(message)


# ---- what a file asks for ----

def read_directives(path):
    found = {key: [] for key in REPEATED}
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
        for number, line in enumerate(file):
            line = line.rstrip("\n")
            if number == 0 and line.startswith("#!"):
                continue
            if not line.startswith("//"):
                break
            match = re.match(r"// ([a-z]+): (.*)$", line)
            if not match:
                continue
            key, text = match.groups()
            if key in REPEATED:
                found[key].append(text)
            else:
                need(key in SINGLE, f"{path}: there is no directive '{key}'")
                need(key not in found, f"{path}: '{key}' is given twice")
                found[key] = text
    need("expect" in found, f"{path}: says not what to expect")
    return found


class Test:
    def __init__(self, path):
        self.path = path
        self.directives = read_directives(path)
        self.args = [word for text in self.directives["args"] for word in shlex.split(text)]
        self.expect, _, self.expected = self.directives["expect"].partition(" ")
        need(self.expect in ("value", "size", "varies", "error", "limit", "cancelled", "exit"),
             f"{path}: cannot expect '{self.expect}'")
        self.name = self.directives.get("as", os.path.basename(path))

    def engines(self):
        return self.directives.get("engines", "wasm native").split()

    def option(self, name, default):
        for i, word in enumerate(self.args):
            if word == name:
                return int(self.args[i + 1])
            if word.startswith(name + "="):
                return int(word[len(name) + 1:])
        return default

    def allows_notes(self):
        return "notes." in " ".join(self.args)

    def report_on_stdout(self):
        return "--report -" in " ".join(self.args)


# ---- the notes every test finds ----

def fixed_notes():
    yield {"id": "apple", "title": "Apple pie", "body": "Cut apples. Bake.",
           "tags": ["food", "sweet"]}
    yield {"id": "banana", "title": "Banana bread", "body": "Mash bananas. Bake.", "tags": ["food"]}
    yield {"id": "cherry", "title": "Cherry", "body": "Größe \U0001f352", "tags": []}
    for i in range(22):
        yield {"id": f"n{i:02}", "title": f"Number {i}", "body": "plain", "tags": []}


def put_notes(vow, box, vault, notes):
    lines = "".join(json.dumps(dict(note, created="2026-01-02T03:04:05.006Z",
                                    updated="2026-01-02T03:04:05.006Z")) + "\n" for note in notes)
    done = subprocess.run([vow, "notes", "put", "--vault", vault], input=lines.encode(), cwd=box,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    need(done.returncode == 0, f"vow notes put: {done.stderr.decode(errors='replace')}")


def prepare_database(test, vow, box):
    kind = test.directives.get("notes", "filled" if test.allows_notes() else "none")
    if kind == "garbage":
        with open(os.path.join(box, "vow.db"), "wb") as file:
            file.write(b"this is no database\n" * 200)
    elif kind == "filled":
        put_notes(vow, box, "default", fixed_notes())
        put_notes(vow, box, "other", [{"id": "secret", "title": "Of the other vault", "body": ""}])


def take_lock(test, box):
    if "lock" not in test.directives:
        return None
    other = sqlite3.connect(os.path.join(box, "vow.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


# ---- one run of the command ----

class Outcome:
    """What one run of the command left behind."""

    def __init__(self, status, elapsed, stdout, stderr, report):
        self.status, self.elapsed, self.report = status, elapsed, report
        self.stdout = stdout.decode("utf-8", "surrogateescape")
        self.stderr = stderr.decode("utf-8", "surrogateescape")


def read_bytes(path):
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def scaled_clocks(test, scale):
    if scale == 1 or test.expect == "exit":
        return []
    return [word for kind, (_, option, default) in CLOCK_LIMITS.items()
            if kind not in test.expected.split() and test.option(option, None) is None
            for word in (option, str(int(default * scale)))]


def command(test, vow, engine, side, scale):
    words = [vow, "eval", "--debug", "--engine", engine] + scaled_clocks(test, scale) + test.args
    if "--report" not in " ".join(test.args):
        words += ["--report", os.path.join(side, "report")]
    return words + ["-" if "stdin" in test.directives else test.name]


def signal_when_ready(process, stderr_path, name, deadline):
    while process.poll() is None and time.monotonic() < deadline:
        if b"ready\n" in read_bytes(stderr_path):
            process.send_signal(getattr(signal, "SIG" + name))
            return
        time.sleep(0.002)
    raise Failure("the script never logged 'ready'")


def execute(test, vow, engine, box, side, scale):
    seconds = float(test.directives.get("seconds", 15)) * scale
    out_path, err_path = os.path.join(side, "out"), os.path.join(side, "err")
    begun = time.monotonic()
    with open(out_path, "wb") as out, open(err_path, "wb") as err, open(test.path, "rb") as script:
        process = subprocess.Popen(command(test, vow, engine, side, scale), cwd=box, stdout=out,
                                   stderr=err, stdin=script if "stdin" in test.directives
                                   else subprocess.DEVNULL)
        try:
            if "signal" in test.directives:
                signal_when_ready(process, err_path, test.directives["signal"], begun + seconds)
            status = process.wait(max(0.0, begun + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {seconds:g} seconds") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    elapsed = time.monotonic() - begun
    return Outcome(status, elapsed, read_bytes(out_path), read_bytes(err_path),
                   read_bytes(os.path.join(side, "report")))


# ---- what holds for every report ----

def strict_json(text):
    def refuse(word):
        raise Failure(f"{word} is not JSON")
    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise Failure(f"not JSON: {error}: {text[:200]!r}") from None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_counts(report):
    counts = report["operations"]
    need(set(counts) == COUNTS, f"report.operations has {sorted(counts)}")
    need(all(isinstance(n, int) and n >= 0 for n in counts.values()), f"counts: {counts}")
    ended = sum(counts[key] for key in ("fulfilled", "rejected", "timed_out", "cancelled"))
    need(counts["live"] == 0, f"operations are live: {counts}")
    need(counts["created"] == ended, f"operations do not add up: {counts}")


def check_clocks(report):
    clocks = report["time"]
    need(set(clocks) == CLOCKS, f"report.time has {sorted(clocks)}")
    need(all(is_number(ms) and ms >= 0 for ms in clocks.values()), f"times: {clocks}")
    parts = clocks["guest_ms"] + clocks["host_wait_ms"] + clocks["ready_ms"]
    need(abs(clocks["wall_ms"] - parts) <= 0.5, f"wall is not the sum of its parts: {clocks}")


def check_memory(test, report):
    memory = report["memory"]
    need(set(memory) == {"peak_bytes", "limit_bytes"}, f"report.memory has {sorted(memory)}")
    limit = test.option("--memory-mib", 64) << 20
    need(memory["limit_bytes"] == limit, f"memory.limit_bytes is {memory['limit_bytes']}")
    reserve = NATIVE_RESERVE if test.engine == "native" else 0
    need(0 < memory["peak_bytes"] <= limit + reserve,
         f"memory.peak_bytes is {memory['peak_bytes']}")


def check_pending(report):
    need(isinstance(report["pending"], list), "report.pending is no list")
    for entry in report["pending"]:
        need(set(entry) - {"detail"} == {"id", "name", "age_ms"}, f"report.pending has {entry}")
        need(is_number(entry["age_ms"]) and entry["age_ms"] >= 0, f"report.pending has {entry}")


def check_error_form(report):
    error = report["error"]
    need("kind" in error and set(error) <= ERROR_KEYS, f"report.error has {sorted(error)}")
    need(error["kind"] in KINDS[report["outcome"]],
         f"kind {error['kind']} does not belong to outcome {report['outcome']}")
    for key in ("name", "message", "stack"):
        text = error.get(key)
        need(text is None or isinstance(text, str) and len(text) <= TEXT_MAX,
             f"error.{key} is {type(text).__name__} of length {len(text or '')}")
    operation = error.get("operation")
    need(operation is None or set(operation) == {"id", "name", "attempts"},
         f"error.operation is {operation}")
    need(error["kind"] not in ("api", "denied") or operation, "no operation is named")


def check_report(test, report):
    need(REPORT_KEYS <= set(report), f"the report lacks {sorted(REPORT_KEYS - set(report))}")
    extra = set(report) - REPORT_KEYS - {"value", "error"}
    need(not extra, f"the report has {sorted(extra)}")
    need(report["version"] == 1, f"version is {report['version']}")
    need(report["outcome"] in STATUS, f"outcome is {report['outcome']}")
    check_counts(report)
    check_clocks(report)
    check_memory(test, report)
    check_pending(report)
    if report["outcome"] == "value":
        need(report.get("error") is None, "a value and an error")
        need("value" in report, "outcome value without a value")
    else:
        need(report.get("value") is None, f"a value beside outcome {report['outcome']}")
        check_error_form(report)


# ---- what this file expects ----

def check_refused(test, outcome):
    need(outcome.status == 2, f"exit status {outcome.status}, expected 2")
    need(outcome.stdout == "", f"standard output: {outcome.stdout[:200]!r}")
    need(outcome.report is None, "a report was written although nothing ran")
    need(outcome.stderr.count("\n") == 1 and outcome.stderr.endswith("\n"),
         f"not one line on stderr: {outcome.stderr[:400]!r}")
    for text in test.directives["message"]:
        need(text in outcome.stderr, f"stderr lacks {text!r}: {outcome.stderr!r}")


def check_value(test, outcome, report, raw):
    if test.report_on_stdout():
        line = None
    else:
        need(outcome.stdout.endswith("\n") and outcome.stdout.count("\n") == 1,
             f"not one line on stdout: {outcome.stdout[:200]!r}")
        line = outcome.stdout[:-1]
        strict_json(line)
        need('"value":' + line in raw, "the report has another value than standard output")
    if test.expect == "value" and line is None:
        need(report["value"] == strict_json(test.expected), f"value {report['value']!r}")
    elif test.expect == "value":
        need(line == test.expected, f"value {line[:400]}\n  expected {test.expected}")
    elif test.expect == "size":
        size = len(line.encode("utf-8", "surrogateescape"))
        need(size == int(test.expected), f"the value has {size} bytes, expected {test.expected}")


def check_error(test, report):
    error = report["error"]
    words = test.expected.split()
    if words:
        need(error["kind"] == words[0], f"kind {error['kind']}, expected {words[0]}: {error}")
    if len(words) > 1:
        need(error.get("name") == words[1], f"name {error.get('name')}, expected {words[1]}")
    for text in test.directives["message"]:
        need(text in (error.get("message") or ""),
             f"message {error.get('message')!r} lacks {text!r}")
    for text in test.directives["stack"]:
        need(text in (error.get("stack") or ""), f"stack lacks {text!r}:\n{error.get('stack')}")
    if "operation" in test.directives:
        named = (error.get("operation") or {"name": "none"})["name"]
        need(named == test.directives["operation"], f"the operation is {named}")


def check_limit_delay(test, report, scale):
    kind = report["error"]["kind"] if report["outcome"] == "limit" else None
    if kind not in CLOCK_LIMITS:
        return
    key, option, default = CLOCK_LIMITS[kind]
    limit, spent = test.option(option, default), report["time"][key]
    need(limit - 1 <= spent <= limit + LIMIT_DELAY_MS * scale,
         f"{key} is {spent} with a limit of {limit}")


def compare(left, operator, right):
    return {"=": left == right, "<=": left <= right, ">=": left >= right}[operator]


def check_asked_counts(test, report):
    for word in test.directives.get("operations", "").split():
        key, operator, number = re.match(r"([a-z_]+)(<=|>=|=)(\d+)$", word).groups()
        need(compare(report["operations"][key], operator, int(number)),
             f"operations: {report['operations']}, expected {word}")


def check_asked_pending(test, report):
    names = [entry["name"] for entry in report["pending"]]
    if "pending" in test.directives:
        need(names == test.directives["pending"].split(), f"pending: {names}")
    elif report["outcome"] == "value":
        need(names == [], f"pending beside a value: {names}")


def check_asked_leaks(test, report):
    """Leaks are looked for in every run: a script that leaves some says which."""
    found = collections.Counter(leak["name"] for leak in report["leaks"])
    for word in test.directives.get("leaks", "").split():
        name, star, number = word.partition("*")
        count = found.pop(name, 0)
        need(star and not number or count == int(number or 1),
             f"leaks: {count} {name}, expected {word}")
    need(not found, f"leaks: {dict(found)}")


def without_leaks(stderr):
    """What is said of each leak: a line, and its place in the script."""
    return LEAK.sub("", stderr)


def check_stderr(test, outcome, ended):
    lines = outcome.stderr.split("\n")
    rest = without_leaks(outcome.stderr)
    for text in test.directives["stderr"]:
        need(text in lines, f"stderr lacks the line {text!r}:\n{outcome.stderr[:1000]}")
    if ended != "value":
        need(rest.strip(), "stderr does not say why")
    elif not test.directives["stderr"]:
        need(rest == "", f"stderr: {outcome.stderr[:1000]!r}")


def check_everywhere(test, outcome, box):
    need(outcome.status >= 0, f"ended by signal {-outcome.status}; stderr:\n{outcome.stderr}")
    need(not SANITIZER.search(outcome.stderr), f"stderr:\n{outcome.stderr[:4000]}")
    report = (outcome.report or b"").decode("utf-8", "surrogateescape")
    for text in test.directives["not"]:
        need(text not in outcome.stderr + outcome.stdout + report, f"{text!r} is in the output")
    left = set(os.listdir(box)) - {test.name, "vow.db", "vow.db-wal", "vow.db-shm"}
    need(not left, f"files were left behind: {sorted(left)}")


def check(test, outcome, box, scale):
    check_everywhere(test, outcome, box)
    if test.expect == "exit":
        check_refused(test, outcome)
        return
    raw = outcome.stdout if test.report_on_stdout() else \
        (outcome.report or b"").decode("utf-8", "surrogateescape")
    need(raw, f"no report; exit status {outcome.status}, stderr:\n{outcome.stderr[:2000]}")
    report = strict_json(raw)
    check_report(test, report)
    wanted = "value" if test.expect in ("size", "varies") else test.expect
    told = report.get("error") or report.get("value")
    need(report["outcome"] == wanted,
         f"outcome {report['outcome']}, expected {wanted}: {str(told)[:1000]}")
    need(outcome.status == STATUS[wanted], f"exit status {outcome.status} with outcome {wanted}")
    if wanted == "value":
        check_value(test, outcome, report, raw)
    else:
        need(outcome.stdout == "" or test.report_on_stdout(), f"stdout: {outcome.stdout[:200]!r}")
        check_error(test, report)
    check_limit_delay(test, report, scale)
    check_asked_counts(test, report)
    check_asked_pending(test, report)
    check_asked_leaks(test, report)
    check_stderr(test, outcome, wanted)
    around = outcome.elapsed * 1000 - report["time"]["wall_ms"]
    need(around <= EXIT_DELAY_MS * scale, f"{around:.0f} ms passed outside of the run")


# ---- all of it ----

def run_once(test, vow, engine, scale, keep):
    side = tempfile.mkdtemp(prefix="vow-script-")
    box = os.path.join(side, "box")
    os.mkdir(box)
    lock = None
    try:
        if "stdin" not in test.directives:
            shutil.copyfile(test.path, os.path.join(box, test.name))
        prepare_database(test, vow, box)
        lock = take_lock(test, box)
        outcome = execute(test, vow, engine, box, side, scale)
        check(test, outcome, box, scale)
        return outcome.stdout
    finally:
        if lock:
            lock.close()
        if keep:
            print(f"kept {side}")
        else:
            shutil.rmtree(side, ignore_errors=True)


def run_test(path, vow, engine, scale, keep):
    """None if the file is not for this engine, else whether it passed."""
    try:
        test = Test(path)
        test.engine = engine
        if engine not in test.engines():
            return None
        stdout = run_once(test, vow, engine, scale, keep)
        if test.expect == "varies":
            need(run_once(test, vow, engine, scale, keep) != stdout, f"twice {stdout!r}")
    except Failure as failure:
        print(f"FAILED {os.path.basename(path)} {engine}: {failure}", flush=True)
        return False
    return True


def chosen(files, engines):
    """The pairs of file and engine to run."""
    pairs = [(path, engine) for path in files for engine in engines]
    asked = os.environ.get("VOW_TEST_NAME", "")
    named = [(path, engine) for path, engine in pairs if re.search(
        asked, f"script.{os.path.splitext(os.path.basename(path))[0]}.{engine}")]
    return named or pairs


def main():
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="time limits are so much longer")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the runs")
    parser.add_argument("vow")
    parser.add_argument("engine", choices=["wasm", "native", "all"])
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    vow = os.path.abspath(options.vow)
    engines = ["wasm", "native"] if options.engine == "all" else [options.engine]
    results = [run_test(path, vow, engine, options.scale, options.keep)
               for path, engine in chosen(options.files, engines)]
    ran = [result for result in results if result is not None]
    if len(ran) > 1:
        print(f"{sum(ran)} of {len(ran)} passed")
    return SKIPPED if not ran else 0 if all(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
