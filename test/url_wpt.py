#!/usr/bin/env python3
"""URL against the cases of Web Platform Tests, on both engines.

    url_wpt.py VOW FOLDER

FOLDER holds the JSON files of WPT's url/resources, as the package of the URL
parser carries them.
"""
import json
import os
import subprocess
import sys
import tempfile

PARSE = """
const parts = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port",
  "pathname", "search", "hash"];
const parse = (test) => {
  try {
    return test.base === null || test.base === undefined
      ? new URL(test.input) : new URL(test.input, test.base);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
};
for (const test of cases) {
  const url = parse(test);
  const can = test.base === null || test.base === undefined
    ? URL.canParse(test.input) : URL.canParse(test.input, test.base);
  checks++;
  if (can !== (url !== undefined) || (url !== undefined) === !!test.failure) wrong.push(test.input);
  else if (url)
    for (const part of parts)
      if (test[part] !== undefined && url[part] !== test[part])
        wrong.push([test.input, part, url[part], test[part]]);
  if (url && new URL(url.href).href !== url.href) wrong.push([test.input, "again"]);
}
"""

SET = """
for (const part in cases) {
  if (part === "comment") continue;
  for (const test of cases[part]) {
    const url = new URL(test.href);
    checks++;
    url[part] = test.new_value;
    for (const name in test.expected)
      if (url[name] !== test.expected[name])
        wrong.push([test.href, part, test.new_value, name, url[name], test.expected[name]]);
  }
}
"""

TO_ASCII = """
for (const test of cases) {
  if (typeof test === "string" || test.input === "") continue;
  checks++;
  const url = URL.parse(`https://${test.input}/x`);
  const good = test.output === null
    ? url === null
    : url !== null && url.host === test.output && url.href === `https://${test.output}/x`;
  if (!good) wrong.push([test.input, test.output, url && url.href]);
}
"""

# File, how it is checked, and how many cases it has at least.
FILES = [
    ("urltestdata.json", PARSE, 800),
    ("urltestdata-javascript-only.json", PARSE, 1),
    ("ada_long_urltestdata.json", PARSE, 1),
    ("setters_tests.json", SET, 200),
    ("toascii.json", TO_ASCII, 50),
    ("IdnaTestV2.json", TO_ASCII, 2000),
    ("IdnaTestV2-removed.json", TO_ASCII, 10),
]


def check(vow, engine, folder, box, name, body, least):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        cases = json.load(file)
    if isinstance(cases, list):
        cases = [case for case in cases if not isinstance(case, str)]
    script = os.path.join(box, "script.js")
    with open(script, "w", encoding="ascii") as file:
        file.write(f"const cases = {json.dumps(cases)};\nlet checks = 0;\nconst wrong = [];\n"
                   f"{body}[checks, wrong];\n")
    done = subprocess.run([vow, "eval", "--debug", "--engine", engine, "--cpu-ms", "60000", "--wall-ms",
                           "120000", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=600, check=False)
    if done.returncode != 0 or done.stderr:
        sys.exit(f"FAILED: {name} on {engine}: {done.stderr.decode(errors='replace')[-500:]}")
    checks, wrong = json.loads(done.stdout)
    if wrong or checks < least:
        sys.exit(f"FAILED: {name} on {engine}: {len(wrong)} of {checks}: {wrong[:10]}")
    return checks


def main():
    vow, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    total = 0
    with tempfile.TemporaryDirectory() as box:
        for engine in ("wasm", "native"):
            for name, body, least in FILES:
                total += check(vow, engine, folder, box, name, body, least)
    print(f"url: {total} cases")


main()
