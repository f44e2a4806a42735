#!/usr/bin/env python3
"""Runs what the documents show, and compares what they say with the program.

    docs_test.py VOW REPO

Documents are README.md, docs/*.md and bindings/*/README.md. Every fenced block says
what it is:

    ```sh           Commands. Each block runs in a folder of its own with
                    examples/, test/, build/release/vow (also as `vow`) and a
                    vow.db filled from examples/notes.jsonl (`sh empty`: none).
                    Commands that are not run here (make, git, pip ...) stand
                    in blocks of their own: target, preset and test must exist.
    ```js ARGS      A script, run by `vow eval ARGS` on both engines.
    ```python       A program, run by python3 with the package of bindings/python.
    ```js node      A program, run by node with the package of bindings/node.
    ```js examples/FILE    The text of that file; a `sh` block runs it. Likewise `c`, `cpp`.
    ```text, ```json       What the block before prints. In `text`, "..." stands
                    for any characters of a line, and a line of nothing else for
                    any lines. `json` is compared as a value with the order of
                    its keys; clocks, peak_bytes and dates may differ.
    ```diagram      A picture.

A block without an output block must end with status 0. Beyond blocks: tables of
options, operations, error kinds, bounds, metrics, methods and members of vow host,
links and paths must be those of the program and the tree; no registry, no path of
one machine is named.
"""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SECONDS = 120
RUN = {"vow", "env", "build/release/vow", "echo", "printf", "cat", "cc", "c++"}
COMPILERS = {"cc", "c++"}
# Programs that one of them before has made.
BUILT = re.compile(r"\./[a-z_]+$")
NOT_RUN = {"make", "git", "cd", "cmake", "ctest", "pip", "npm"}
VOLATILE = {"wall_ms", "guest_ms", "host_wait_ms", "ready_ms", "age_ms", "run_ms", "peak_bytes"}
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
FORBIDDEN = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|Users|mnt)/")
TREE = re.compile(r"(?:src|test|docs|deps|cmake|fuzz|bench|examples|include|\.ci)/[\w./*-]*$")


# The library as it lies in the build.
PACKAGE = "Name: Vow\nDescription: -\nVersion: 0\nCflags: -I{}\nLibs: -L{} -lvow\n"


class Failure(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Failure(message)


# ---- documents ----

class Block:
    """One fenced block; `output` is the block that shows what it prints."""

    def __init__(self, line, info, body):
        self.line, self.body, self.output = line, body, None
        self.kind, _, self.info = info.partition(" ")


class Document:
    def __init__(self, repo, name):
        self.name = name
        with open(os.path.join(repo, name), encoding="utf-8") as file:
            self.text = file.read()
        self.blocks, self.prose = [], []
        self.split()

    def split(self):
        block, between, bare = None, 0, True
        for number, line in enumerate(self.text.splitlines(), 1):
            if block is None and line.startswith("```"):
                block = Block(number, line[3:].strip(), [])
            elif block is not None and line == "```":
                self.close(block, between)
                block, between = None, 0
            elif block is not None:
                block.body.append(line)
            else:
                need(not (bare and line.startswith("    ")),
                     f"{self.name}:{number}: code outside of a fence is not run")
                between += bool(line.strip())
                self.prose.append(line)
            bare = not line.strip()
        need(block is None, f"{self.name}: a fence is not closed")

    def close(self, block, between):
        where = f"{self.name}:{block.line}"
        need(block.kind in ("sh", "js", "c", "cpp", "python", "text", "json", "diagram"),
             f"{where}: a block must say sh, js, c, cpp, python, text, json or diagram, not '{block.kind}'")
        block.body = "\n".join(block.body) + "\n"
        if block.kind in ("text", "json"):
            before = self.blocks[-1] if self.blocks else None
            need(before and before.kind in ("sh", "js", "python") and not before.output and not between,
                 f"{where}: output without the commands that print it")
            before.output = block
        else:
            self.blocks.append(block)

    def section(self, heading):
        """The prose from `heading` to the next one of its level or higher."""
        level = heading.index(" ")
        found = []
        for line in self.prose[self.prose.index(heading) + 1:]:
            if line.startswith("#") and line.index(" ") <= level:
                break
            found.append(line)
        return found


def cells(line):
    """The cells of a table's row, without back quotes; [] if it is none."""
    if not line.startswith("|"):
        return []
    parts = re.split(r"(?<!\\)\|", line)[1:-1]
    return [part.replace("\\|", "|").replace("`", "").strip() for part in parts]


def rows(lines):
    return [found for found in map(cells, lines) if found and set(found[0]) - set("-: ")]


# ---- comparing output ----

def pattern(expected):
    """A regular expression for a `text` block."""
    parts = []
    for line in expected.splitlines():
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("..."))) + r"\n")
    return "".join(parts)


def same_value(expected, found, key=None):
    if key in VOLATILE:
        return all(isinstance(n, (int, float)) and n >= 0 for n in (expected, found))
    if isinstance(expected, dict):
        return isinstance(found, dict) and list(expected) == list(found) and all(
            same_value(expected[name], found[name], name) for name in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(
            map(same_value, expected, found))
    if isinstance(expected, str) and isinstance(found, str) and DATE.match(expected):
        return bool(DATE.match(found))
    return type(expected) is type(found) and expected == found


def compare(where, output, found):
    if output.kind == "text":
        ok = re.fullmatch(pattern(output.body), found)
    else:
        try:
            ok = same_value(json.loads(output.body), json.loads(found))
        except ValueError as error:
            raise Failure(f"{where}: not JSON: {error}: {found}") from None
    need(ok, f"{where}: the document shows\n{output.body}but it is\n{found}")


# ---- running blocks ----

class Runner:
    def __init__(self, vow, repo, tests):
        self.vow, self.repo, self.tests = vow, repo, tests
        self.targets = make_targets(repo)
        self.ran = 0
        with open(os.path.join(repo, "CMakePresets.json"), encoding="utf-8") as file:
            presets = json.load(file)
        self.presets = {kind: {p["name"] for p in presets[kind + "Presets"]
                               if not p.get("hidden")}
                        for kind in ("configure", "build", "test")}

    def in_box(self, words, script=None, filled=True):
        """Runs in a fresh folder: status, standard output, standard error; without
        a script both are in the output, as on a terminal."""
        with tempfile.TemporaryDirectory(prefix="vow-docs-") as box:
            bin_folder = os.path.join(box, "build", "release")
            os.makedirs(bin_folder)
            os.symlink(self.vow, os.path.join(bin_folder, "vow"))
            os.symlink(os.path.join(self.repo, "test"), os.path.join(box, "test"))
            shutil.copytree(os.path.join(self.repo, "examples"), os.path.join(box, "examples"))
            if script is not None:
                with open(os.path.join(box, "script.js"), "w", encoding="utf-8") as file:
                    file.write(script)
            environment = dict(os.environ, PATH=bin_folder + os.pathsep + os.environ["PATH"],
                               PKG_CONFIG_PATH=box, LD_LIBRARY_PATH=os.path.dirname(self.vow))
            with open(os.path.join(box, "vow.pc"), "w", encoding="utf-8") as file:
                file.write(PACKAGE.format(os.path.join(self.repo, "include"),
                                          os.path.dirname(self.vow)))
            if filled:
                subprocess.run([self.vow, "notes", "put", "--file", "examples/notes.jsonl"],
                               cwd=box, stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
            merged = script is None
            done = subprocess.run(words, cwd=box, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                                  timeout=SECONDS, check=False)
        self.ran += 1
        return done.returncode, done.stdout.decode(), (done.stderr or b"").decode()

    def run(self, document, block):
        where = f"{document.name}:{block.line}"
        if block.kind in ("js", "c", "cpp") and block.info.startswith("examples/"):
            with open(os.path.join(self.repo, block.info), encoding="utf-8") as file:
                need(file.read() == block.body, f"{where}: differs from {block.info}")
        elif block.kind == "js" and block.info != "node":
            self.run_script(where, block)
        elif block.kind in ("js", "python"):
            self.run_program(where, block)
        elif block.kind == "sh":
            self.run_commands(where, block)
        else:
            need(block.kind == "diagram", f"{where}: which example is it?")

    def run_script(self, where, block):
        for engine in ("wasm", "native"):
            words = [self.vow, "eval", "--engine", engine, *shlex.split(quoted(block.info)),
                     "script.js"]
            status, stdout, stderr = self.in_box(words, block.body)
            if block.output and not block.output.body.startswith("vow eval:"):
                need(status == 0, f"{where}: status {status} on {engine}: {stderr}")
                compare(f"{where} ({engine})", block.output, stdout)
            elif block.output:
                compare(f"{where} ({engine})", block.output, stderr)
            else:
                need(status == 0, f"{where}: status {status} on {engine}: {stderr}")

    def run_program(self, where, block):
        """With the package as it lies in the tree."""
        if block.kind == "js":
            program, package = shutil.which("node"), "bindings/node"
        else:
            program, package = sys.executable, "bindings/python"
        if not program:
            return
        package = os.path.join(self.repo, package)
        words = ["env", f"PYTHONPATH={package}", "PYTHONDONTWRITEBYTECODE=1", f"VOW={self.vow}"]
        if block.kind == "js":  # which looks for packages beside the program
            words += ["sh", "-ec", 'mkdir node_modules; ln -s "$1" node_modules/vow; '
                      'exec "$2" --input-type=module <script.js', "sh", package, program]
        else:
            words += [program, "script.js"]
        status, stdout, stderr = self.in_box(words, block.body)
        need(status == 0, f"{where}: status {status}: {stderr}")
        if block.output:
            compare(where, block.output, stdout)

    def run_commands(self, where, block):
        lines = block.body.replace("\\\n", " ").splitlines()
        commands = [found for line in lines for found in simple_commands(line)]
        programs = {words[0] for words in commands}
        if programs <= NOT_RUN:
            need(not block.output, f"{where}: output of commands that are not run here")
            for words in commands:
                self.check_command(where, words)
            return
        for words in commands:
            need(words[0] in RUN or words[0] == "python3" and words[1].startswith("test/")
                 or BUILT.match(words[0]) and COMPILERS & programs,
                 f"{where}: '{words[0]}' is not among the commands that documents may use")
        if COMPILERS & programs and os.environ.get("VOW_DOCS_CC") == "no":
            return
        if "py:" in block.body and os.environ.get("VOW_DOCS_PYTHON") == "no":
            return
        status, stdout, _ = self.in_box(["sh", "-ec", block.body] if COMPILERS & programs else
                                        ["sh", "-c", block.body], filled=block.info != "empty")
        if block.output:
            compare(where, block.output, stdout)
        else:
            need(status == 0, f"{where}: status {status}: {stdout}")

    def check_command(self, where, words):
        """A command that is not run here must still be one that works."""
        if words[0] == "make":
            for word in words[1:]:
                name, equals, value = word.partition("=")
                need(equals or name in self.targets, f"{where}: make help knows no '{name}'")
                need(name != "T" or any(re.search(value, test) for test in self.tests),
                     f"{where}: no test matches '{value}'")
        elif words[0] in ("pip", "npm"):
            need(os.path.isdir(os.path.join(self.repo, words[-1])),
                 f"{where}: there is no {words[-1]}")
        elif words[0] in ("cmake", "ctest"):
            kind = "test" if words[0] == "ctest" else "build" if "--build" in words else "configure"
            name = words[words.index("--preset") + 1]
            need(name in self.presets[kind], f"{where}: there is no {kind} preset '{name}'")


def quoted(info):
    """JSON in an info string needs no quotes of the shell."""
    return re.sub(r"(?<= )([{\[].*[}\]])(?= |$)", lambda match: shlex.quote(match[1]), info)


def simple_commands(line):
    """The words of each simple command of a shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.wordchars += "+"
    words = []
    for word in lexer:
        if set(word) <= set("|;&"):
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def make_targets(repo):
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    text = subprocess.run(["make", "-s", "help"], cwd=repo, env=alone, stdout=subprocess.PIPE,
                          check=True, timeout=SECONDS).stdout.decode()
    targets = {"help"}
    for found in re.findall(r"\bmake ([a-z-]+(?: \| [a-z-]+)*)", text):
        targets |= set(re.findall(r"[a-z-]+", found))
    return targets


def test_names(repo):
    names = set()
    for path in glob.glob(os.path.join(repo, "test/script/*.*js")):
        stem = os.path.splitext(os.path.basename(path))[0]
        names |= {f"script.{stem}.wasm", f"script.{stem}.native"}
    with open(os.path.join(repo, "test/CMakeLists.txt"), encoding="utf-8") as file:
        names |= set(re.findall(r"\b(?:test_\w+|sim_\w+|cli\.\w+|docs)\b", file.read()))
    return names


# ---- words against the program ----

def ask(vow, *words):
    done = subprocess.run([vow, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    return done.stdout.decode()


def options_of_help(vow, command):
    """Of each option: how it is written, default and range, as in the tables."""
    options = {}
    for line in ask(vow, "help", command).splitlines():
        match = re.match(r"  (--[a-z-]+(?: \S+)?) {2,}(.*)$", line)
        if match:
            default = re.search(r"\bdefault ([^ ,]+)", match[2])
            span = re.search(r"\((\d+ to \d+)\)$", match[2])
            options[match[1]] = (default[1] if default else "", span[1] if span else "")
    need(options, f"vow help {command} shows no options")
    return options


def check_options(document, command, options):
    found = {row[0]: row for row in rows(document.section(f"## vow {command}"))
             if row[0].startswith("--")}
    where = f"{document.name}, vow {command}"
    need(set(found) == set(options),
         f"{where}: only in the document: {sorted(set(found) - set(options))}, "
         f"only in the program: {sorted(set(options) - set(found))}")
    for name, (default, span) in options.items():
        need(found[name][1] == default and found[name][2] == span,
             f"{where}: {name}: default '{default}', range '{span}', not {found[name][1:3]}")


def check_limits(document, options):
    """Tables of options elsewhere: what is there must be right."""
    for row in rows(document.prose):
        if row[0].startswith("--") and len(row) > 1 and row[0] in options:
            need(row[1] == options[row[0]][0],
                 f"{document.name}: default of {row[0]} is {options[row[0]][0]}, not {row[1]}")


def check_operations(documents, vow):
    names = ask(vow, "eval", "--allow", "no.such.operation", "-").partition("there are: ")[2]
    names = {name.strip().partition(":")[0] for name in names.split(",")}
    need("notes.get" in names, "the program tells no operations")
    api = documents["docs/guest-api.md"]
    for name in names:
        need(any(line.startswith(f"### `{name}(") for line in api.prose),
             f"{api.name}: there is no section for {name}")
    spaces = "|".join({name.partition(".")[0] for name in names})
    for document in documents.values():
        for found in re.findall(rf"(?<![\w./])((?:{spaces})\.[a-z]+)\(", document.text):
            need(found in names, f"{document.name}: there is no operation {found}")


def check_kinds(document, repo):
    with open(os.path.join(repo, "src/sandbox/report.c"), encoding="utf-8") as file:
        kinds = set(re.findall(r'\[RUN_KIND_\w+\] = "(\w+)"', file.read())) - {"none"}
    shown = {row[1] for row in rows(document.section("### The report"))
             if row[0] in ("error", "limit", "cancelled") and len(row) == 3}
    need(shown == kinds, f"{document.name}: kinds {sorted(shown)}, but there are {sorted(kinds)}")


def check_metrics(document, vow):
    text = subprocess.run([vow, "eval", "--metrics", "/dev/stdout", "-"], input=b"undefined",
                          stdout=subprocess.PIPE, check=True, timeout=SECONDS).stdout.decode()
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    shown = set(re.findall(r"\bvow_\w+", "\n".join(document.section("### Metrics"))))
    need(shown == names, f"{document.name}: metrics: only in the document: {sorted(shown - names)}, "
                         f"only in the program: {sorted(names - shown)}")


def check_task_metrics(document, vow):
    """Those of a pool, in its table."""
    text = subprocess.run([vow, "task", "run", "--metrics", "/dev/stdout",
                           "js:examples/providers.js:near", "--arg", "{}"],
                          cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                          stdout=subprocess.PIPE, check=True, timeout=SECONDS).stdout.decode()
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    shown = {row[0] for row in rows(document.section("## Audit and metrics")) if row[0] != "metric"}
    need(shown == names, f"{document.name}: metrics: only in the document: {sorted(shown - names)}, "
                         f"only in the program: {sorted(names - shown)}")


def tell_host(vow, method, params):
    """What vow host says to a request that it must refuse."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    done = subprocess.run([vow, "host"], input=json.dumps(request).encode() + b"\n",
                          stdout=subprocess.PIPE, check=True, timeout=SECONDS)
    return json.loads(done.stdout)["error"]["message"]


def check_host(document, vow):
    """Methods, members and policies."""
    def compare_names(what, found, message):
        names = message.partition("there are: ")[2].split(", ")
        need(sorted(found) == sorted(names), f"{document.name}: {what}: {found}, but there are {names}")

    def operation(**members):
        return {"operations": [{"name": "a", **members}]}

    tables = rows(document.section("### Operations"))
    policies = [row for row in tables if len(row) == 4 and row[0] != "policy"]
    compare_names("methods", [row[0] for row in rows(document.section("## Requests to Vow"))
                              if len(row) == 3 and row[0] != "method"],
                  tell_host(vow, "none", {}))
    members = [name for row in rows(document.section("### eval")) if row[0] != "member"
               for name in row[0].split(", ")]
    compare_names("eval", members, tell_host(vow, "eval", {"none": 1}))
    compare_names("operations", [row[0] for row in tables if len(row) == 2 and row[0] != "member"],
                  tell_host(vow, "register", operation(none=1)))
    compare_names("policies", [row[0] for row in policies],
                  tell_host(vow, "register", operation(policy={"none": 1})))
    for name, _, span, _ in policies:
        message = tell_host(vow, "register", operation(policy={name: -1}))
        need(not span or message.endswith(f"a whole number from {span}"),
             f"{document.name}: range {span} of {name}, but {message}")


def check_bounds(document, repo, space):
    prefix = space.upper() + "_"
    with open(os.path.join(repo, f"src/api/{space}.h"), encoding="utf-8") as file:
        defined = dict(re.findall(rf"#define ({prefix}\w+) \(?(\d+(?: << \d+)?)\)?$", file.read(),
                                  re.MULTILINE))
    table = [row for row in rows(document.section(f"## {space}")) if len(row) == 3]
    shown = {row[2]: row[1] for row in table if row[2].startswith(prefix)}
    need(set(shown) == set(defined), f"{document.name}: bounds {sorted(shown)}, "
                                     f"but there are {sorted(defined)}")
    for name, text in defined.items():
        base, _, shift = text.partition(" << ")
        value = int(base) << int(shift or 0)
        told = f"{value >> 20} MiB" if value % (1 << 20) == 0 else str(value)
        need(told in shown[name], f"{document.name}: {name} is {told}, not {shown[name]}")


# ---- words against the tree ----

def slug(heading):
    text = re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower())
    return text.replace(" ", "-")


def check_links(document, documents, repo):
    folder = os.path.dirname(document.name)
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(document.prose)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        name = os.path.normpath(os.path.join(folder, path)) if path else document.name
        need(os.path.exists(os.path.join(repo, name)), f"{document.name}: no file for {target}")
        need(not anchor or name in documents and anchor in
             {slug(line) for line in documents[name].prose if line.startswith("#")},
             f"{document.name}: no heading for {target}")


def check_paths(document, repo):
    for code in re.findall(r"`([^`\n]+)`", "\n".join(document.prose)):
        if TREE.match(code):
            need(glob.glob(os.path.join(repo, code)), f"{document.name}: there is no {code}")


def check_forbidden(document):
    for number, line in enumerate(document.text.splitlines(), 1):
        match = FORBIDDEN.search(line)
        need(not match, f"{document.name}:{number}: '{match and match[0]}' does not belong here")


def check_make(document, runner):
    """Targets that the prose names."""
    for name in re.findall(r"`make ([a-z-]+)[^`]*`", "\n".join(document.prose)):
        need(name in runner.targets, f"{document.name}: make help knows no '{name}'")


# ---- all of it ----

def checks(documents, vow, repo, runner):
    """Every check as a function without arguments."""
    commands = ("eval", "run", "task", "host", "audit", "notes", "types")
    options = {command: options_of_help(vow, command) for command in commands}
    line = documents["docs/command-line.md"]
    for command in options:
        yield lambda command=command: check_options(line, command, options[command])
    yield lambda: check_operations(documents, vow)
    yield lambda: check_kinds(line, repo)
    yield lambda: check_metrics(line, vow)
    yield lambda: check_task_metrics(documents["docs/task.md"], vow)
    yield lambda: check_host(documents["docs/host.md"], vow)
    for space in ("notes", "kv"):
        yield lambda space=space: check_bounds(documents["docs/guest-api.md"], repo, space)
    for each in documents.values():
        if each is not line:  # which has a table for each command
            yield lambda each=each: check_limits(each, options["eval"])
        yield lambda each=each: check_links(each, documents, repo)
        yield lambda each=each: check_paths(each, repo)
        yield lambda each=each: check_forbidden(each)
        yield lambda each=each: check_make(each, runner)
        for block in each.blocks:
            yield lambda each=each, block=block: runner.run(each, block)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    vow, repo = map(os.path.abspath, sys.argv[1:])
    names = ["README.md"] + sorted(os.path.relpath(path, repo)
                                   for kind in ("docs/*.md", "bindings/*/README.md")
                                   for path in glob.glob(os.path.join(repo, kind)))
    failed = 0
    try:
        documents = {name: Document(repo, name) for name in names}
        runner = Runner(vow, repo, test_names(repo))
        for check in checks(documents, vow, repo, runner):
            try:
                check()
            except Failure as failure:
                failed += 1
                print(f"FAILED {failure}")
    except Failure as failure:
        print(f"FAILED {failure}")
        sys.exit(1)
    print(f"{len(documents)} documents, {runner.ran} runs, {failed} failures")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
