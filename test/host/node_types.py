#!/usr/bin/env python3
"""TypeScript, strict, accepts the types of the node package and judges programs by them.

    node_types.py REPO FOLDER

FOLDER is that of test/types_test.py, which says where the compiler comes from. Each
line of bad.ts that ends in a code must be refused with it, and no other one.
"""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from types_test import OPTIONS, compiler, need, run  # noqa: E402

GOOD = """
import { Host, RunCancelled, ToolError, type BatchCall, type Call, type Progress } from "./index.js";
const host = await Host.open({ allow: ["notes.*"], audit: "audit.jsonl" });
host.tool("double", { parameters: { n: "integer", "by?": { type: "number" } }, policy: { timeoutMs: 5 } },
  async (n: number, by: number | undefined, call: Call) => {
    call.progress({ left: call.remainingMs ?? 0 });
    await host.eval("1", { parent: call });
    if (call.signal.aborted) throw new ToolError("no", { name: "NotFoundError" });
    return n * (by ?? 2);
  });
host.tool("sizes", { parameters: { text: "string" }, policy: { batchMax: 9, batchWindowMs: 5 } },
  (calls: BatchCall[]) => calls.map((call): number => call.arguments[0].length + call.attempt));
const seen: Progress[] = [];
const { value, report } = await host.eval("await double(4)", {
  cpuMs: 5, onProgress: (progress) => void seen.push(progress), tenant: "a",
});
const last: string | undefined = report.audit?.last;
const text: string = await host.metrics();
const dropped: number = (await host.counts()).progress_dropped;
console.log(value, last, text, dropped, seen[0]?.event === "settled", RunCancelled);
await host.close();
"""
BAD = """
import { Host, type Call } from "./index.js";
const host = await Host.open({ allow: 5 }); // TS2322
await host.eval("1", { cpu: 5 }); // TS2353
await host.eval("1", { parent: 5 }); // TS2322
host.tool("x", { parameters: { n: "text" } }, () => 1); // TS2322
export const id = (call: Call) => { call.id = 5; }; // TS2540
export const n: number = await host.metrics(); // TS2322
"""
PLACE = re.compile(r"bad\.ts\((\d+),\d+\): error (TS\d+)")


def main():
    repo, folder = (os.path.abspath(word) for word in sys.argv[1:])
    tsc = compiler(repo, folder)
    with tempfile.TemporaryDirectory() as work:
        for name, text in (("good.ts", GOOD), ("bad.ts", BAD)):
            with open(os.path.join(work, name), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(repo, "bindings/node/index.d.ts"), encoding="utf-8") as types, \
                open(os.path.join(work, "index.d.ts"), "w", encoding="utf-8") as copy:
            copy.write(types.read())
        options = dict(OPTIONS, lib=["es2023", "dom"], moduleResolution="bundler")
        with open(os.path.join(work, "tsconfig.json"), "w", encoding="utf-8") as file:
            json.dump({"compilerOptions": options, "files": ["good.ts", "bad.ts"]}, file)
        done = run(["node", tsc, "-p", work], cwd=work)
    wanted = {(str(at), line.rpartition("// ")[2])
              for at, line in enumerate(BAD.split("\n"), 1) if "// TS" in line}
    need(set(PLACE.findall(done.stdout)) == wanted, f"bad.ts: {done.stdout}")
    need("good.ts" not in done.stdout and "index.d.ts" not in done.stdout, done.stdout)


if __name__ == "__main__":
    main()
