#!/usr/bin/env python3
"""TypeScript accepts what `vow types` prints, and judges scripts by it.

    types_test.py VOW REPO FOLDER

The compiler is the one that test/types/package-lock.json pins; npm puts it into
FOLDER once. Without node and npm, or without their registry, the test is skipped
(77). Each line of test/types/bad.ts that ends in a code must be refused with it.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

OPTIONS = {"noEmit": True, "strict": True, "lib": ["es2023"], "types": [], "target": "es2022",
           "module": "esnext", "pretty": False}
ALL = "*,fetch:api.example.com"
DECLARED = re.compile(r"^declare (?:function|const|class|namespace) (\w+)", re.MULTILINE)


def run(words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False, text=True, **more)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def need(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


def compiler(repo, folder):
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are needed to check the declarations with TypeScript")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(repo, "test/types", name), folder)
    with open(os.path.join(folder, "package-lock.json"), encoding="utf-8") as file:
        wanted = json.load(file)["packages"]["node_modules/typescript"]["version"]
    tsc = os.path.join(folder, "node_modules/typescript/bin/tsc")
    if tsc_version(tsc) != wanted:
        done = run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
                   cwd=folder)
        if done.returncode != 0:
            skip(f"npm could not install TypeScript {wanted}: {done.stdout.strip()[-200:]}")
    need(tsc_version(tsc) == wanted, "npm installed another TypeScript than the lock file names")
    return tsc


def tsc_version(tsc):
    if not os.path.exists(tsc):
        return None
    return run(["node", tsc, "--version"]).stdout.strip().partition(" ")[2]


def declarations(vow, allow, box):
    done = run([vow, "types", "--allow", allow])
    need(done.returncode == 0, f"vow types --allow '{allow}': {done.stdout}")
    with open(os.path.join(box, "vow.d.ts"), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    return done.stdout


def compile_files(tsc, box, *files):
    with open(os.path.join(box, "tsconfig.json"), "w", encoding="utf-8") as file:
        json.dump({"compilerOptions": OPTIONS, "files": ["vow.d.ts", *files]}, file)
    done = run(["node", tsc, "--project", "."], cwd=box)
    return done.returncode, done.stdout


def check_alone(tsc, vow, box):
    for allow in ("*", ALL, "fetch:a.example", "kv.delete", "notes.get,kv.*", ""):
        declarations(vow, allow, box)
        status, text = compile_files(tsc, box)
        need(status == 0, f"--allow '{allow}' does not compile alone:\n{text}")


def check_good(tsc, vow, repo, box):
    declarations(vow, ALL, box)
    shutil.copy(os.path.join(repo, "test/types/good.ts"), box)
    status, text = compile_files(tsc, box, "good.ts")
    need(status == 0, f"good.ts is refused:\n{text}")
    declarations(vow, "kv.*,fetch:a.example", box)
    status, text = compile_files(tsc, box, "good.ts")
    need(status != 0 and "Cannot find name 'notes'" in text,
         f"notes are declared though not allowed:\n{text}")


def check_bad(tsc, vow, repo, box):
    declarations(vow, ALL, box)
    path = os.path.join(repo, "test/types/bad.ts")
    shutil.copy(path, box)
    with open(path, encoding="utf-8") as file:
        wanted = [(number, code.group(1)) for number, line in enumerate(file, 1)
                  if (code := re.search(r"// (TS\d+)$", line))]
    _, text = compile_files(tsc, box, "bad.ts")
    found = [(int(line), code) for line, code in
             re.findall(r"^bad\.ts\((\d+),\d+\): error (TS\d+)", text, re.MULTILINE)]
    need(found == wanted, f"bad.ts: expected {wanted}, found:\n{text}")


def check_there(vow, box):
    """All that is declared exists in a run, and what exists is declared."""
    names = DECLARED.findall(declarations(vow, ALL, box))
    script = f"{json.dumps(names)}.filter((name) => !(name in globalThis))"
    done = run([vow, "eval", "--allow", ALL, "-"], input=script, cwd=box)
    need(done.stdout.strip() == "[]", f"declared but absent: {done.stdout}")
    script = "Reflect.ownKeys(globalThis).filter((name) => typeof name === 'string')"
    there = set(json.loads(run([vow, "eval", "--allow", ALL, "-"], input=script, cwd=box).stdout))
    language = set(json.loads(run(["node", "-p", "JSON.stringify(Reflect.ownKeys(require('vm')"
                                   ".runInNewContext('globalThis')))"]).stdout))
    newer = {"InternalError", "SuppressedError", "DisposableStack", "AsyncDisposableStack",
             "Float16Array", "Iterator"}
    need(not there - language - newer - set(names),
         f"there but not declared: {sorted(there - language - newer - set(names))}")


def members(declarations_text):
    """{class: (names on its prototype or its objects, static names)}"""
    found = {}
    for name, body in re.findall(r"^declare class (\w+)[^{\n]*\{\n(.*?)^\}", declarations_text,
                                 re.MULTILINE | re.DOTALL):
        names = re.findall(r"^  (static )?(?:readonly )?(\w+)[(:?<]", body, re.MULTILINE)
        found[name] = ({word for static, word in names if not static},
                       {word for static, word in names if static})
    return found


def check_members(vow, box):
    """Classes have the methods and accessors that are declared, and no others."""
    declared = members(declarations(vow, ALL, box))
    need({"URL", "Headers", "Response", "AbortSignal"} <= set(declared), f"{sorted(declared)}")
    script = """const names = (object) => Object.getOwnPropertyNames(object);
      const own = { ApiError: new ApiError("x"), DOMException: new DOMException("x"), Event: new Event("x") };
      Object.fromEntries(%s.map((name) => [name, [
        [...names(globalThis[name].prototype), ...names(own[name] ?? {})],
        names(globalThis[name]).filter((n) => !["length", "name", "prototype"].includes(n))]]))
    """ % json.dumps(sorted(declared))
    there = json.loads(run([vow, "eval", "--allow", ALL, "-"], input=script, cwd=box).stdout)
    language = {"constructor", "name", "message", "stack", "toString"}
    for name, (own, static) in declared.items():
        instance = {word for word in there[name][0] if not re.fullmatch(r"[A-Z_]+", word)}
        statics = {word for word in there[name][1] if not re.fullmatch(r"[A-Z_]+", word)}
        need(own - language - instance == set() and instance - language - own == set(),
             f"{name}: declared {sorted(own - instance)}, there {sorted(instance - own)}")
        need(static == statics, f"{name}: static {sorted(static)}, there {sorted(statics)}")


def main():
    vow, repo, folder = (os.path.abspath(word) for word in sys.argv[1:])
    tsc = compiler(repo, folder)
    with tempfile.TemporaryDirectory() as box:
        check_alone(tsc, vow, box)
        check_good(tsc, vow, repo, box)
        check_bad(tsc, vow, repo, box)
        check_there(vow, box)
        check_members(vow, box)
    print("types: ok")


main()
