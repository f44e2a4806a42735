// The package against the real program: VOW says where it is.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import * as vow from "../index.js";
import { decode, encode } from "../values.js";

const withHost = (name, run) =>
  test(name, { timeout: 60000 }, async () => {
    const host = await vow.Host.open();
    try {
      await run(host);
      const counts = await host.counts();
      assert.deepEqual([counts.runs, counts.calls, counts.strays], [0, 0, 0]);
    } finally {
      await host.close();
    }
  });

const value = async (host, source, options) => (await host.eval(source, options)).value;

test("values there and back", () => {
  for (const each of [null, true, 1, -2.5, "é😀", [], {}, new Uint8Array([0, 255]), 2n ** 70n, -1n, new Date(1500),
    { $bytes: "AAAA" }, { $$date: 1 }, { $x: [{ $bigint: "1" }] }, { $bytes: 1, c: [new Date(0)] },
    JSON.parse('{"__proto__":{"a":1}}')])
    assert.deepEqual(decode(JSON.parse(encode(each))), each);
  assert.equal(encode(new Map([["a", new Set([1])]])), '{"a":[1]}');
  assert.equal(encode({ a: undefined, b: [undefined] }), '{"b":[null]}');
  assert.ok(Number.isNaN(decode({ $date: null }).getTime()));
  for (const same of [{ $bytes: "A" }, { $bytes: 1 }, { $bigint: "x" }, { $date: "x" }, { $date: 1e300 }])
    assert.deepEqual(decode(same), same);
  const circle = [];
  circle.push(circle);
  assert.throws(() => encode(circle), RangeError);
  assert.throws(() => encode([() => 1]), TypeError);
});

withHost("value, report and log", async (host) => {
  const heard = [];
  const result = await host.eval("console.log('a'); console.error('b'); [1, context.x]", {
    context: { x: "y" },
    onLog: (line) => heard.push(line),
  });
  assert.deepEqual(result.value, [1, "y"]);
  assert.deepEqual(result.log, [{ level: "log", text: "a" }, { level: "error", text: "b" }]);
  assert.deepEqual(heard, result.log);
  assert.equal(result.report.operations.live, 0);
});

withHost("tools", async (host) => {
  host.tool("add", { description: "Adds", parameters: { a: "integer", "b?": "integer" }, result: "number" },
    async (a, b = 10, call) => {
      assert.ok(call.remainingMs > 0 && call.remainingMs <= 10000 && call.name === "add");
      return a + b;
    });
  host.tool("echo", { parameters: { "value?": {} }, policy: { timeoutMs: 5000 } }, (each) => each);
  assert.equal(await value(host, "await add(1)"), 11);
  assert.equal(await value(host, "await add(1, 2)"), 3);
  assert.equal(await value(host, "typeof add", { allow: "echo" }), "undefined");
  assert.deepEqual(await value(host, "const b = await echo(new Uint8Array([7])), i = await echo(2n ** 70n), " +
    "d = await echo(new Date(5)); [b[0], i === 2n ** 70n, d.getTime(), await echo({$bytes: 'AAAA'}), await echo()]"),
  [7, true, 5, { $bytes: "AAAA" }, null]);
  await assert.rejects(value(host, "await add('1')"), (error) =>
    error instanceof vow.OperationError && error.operation.name === "add" &&
    error.scriptError.message === "add: a must be an integer, not a string");
  assert.match(await host.types(), /\/\*\* Adds \*\/\ndeclare function add\(a: number, b\?: number, options\?/);
  assert.throws(() => host.tool("echo", {}, () => 1), /already/);
});

withHost("errors of tools", async (host) => {
  host.tool("fail", { parameters: { how: "string" } }, async (how) => {
    if (how === "tool") throw new vow.ToolError("gone", { name: "NotFoundError", code: "GONE", transient: true });
    if (how === "type") throw new TypeError("bad");
    if (how === "text") throw "text";
    return how === "large" ? "x".repeat(17 << 20) : () => 1;
  });
  const ask = (context) => value(host, "await fail(context).catch((e) => [e.name, e.code, e.message, e.transient])",
    { context });
  assert.deepEqual(await ask("tool"), ["NotFoundError", "GONE", "gone", true]);
  assert.deepEqual(await ask("type"), ["TypeError", null, "bad", false]);
  assert.deepEqual(await ask("text"), ["ApiError", null, "text", false]);
  assert.equal((await ask("large"))[0], "RangeError");
  assert.match((await ask("function"))[2], /cannot be sent/);
});

withHost("errors of runs", async (host) => {
  for (const [source, options, kind, name] of [
    ["null.x", {}, vow.ScriptError, "script"], ["await new Promise(() => {})", {}, vow.DeadlockError, "deadlock"],
    ["for (;;);", { cpuMs: 20 }, vow.LimitError, "cpu"], ["await sleep(60000)", { wallMs: 20 }, vow.LimitError, "timeout"]])
    await assert.rejects(host.eval(source, options), (error) => error instanceof kind && error.kind === name &&
      error instanceof vow.EvalError);
  const { value: none, report } = await host.eval("null.x", { check: false });
  assert.deepEqual([none, report.outcome], [undefined, "error"]);
  await assert.rejects(host.eval("1", { cpuMs: 0 }), (error) => error.code === -32602);
  await assert.rejects(host.eval(" ".repeat(17 << 20)), (error) => error.code === -32001);
  host.tool("bad name", {}, () => 1);
  await assert.rejects(host.eval("1"), /no name for an operation/);
  assert.equal(await value(host, "1"), 1);
});

withHost("cancelling", async (host) => {
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  let aborted = 0;
  host.tool("wait", {}, (call) => new Promise((resolve, reject) => {
    begin();
    call.signal.addEventListener("abort", () => {
      aborted++;
      reject(call.signal.reason);
    });
  }));
  const controller = new AbortController();
  const run = host.eval("await wait()", { signal: controller.signal });
  await begun;
  controller.abort(new Error("enough"));
  await assert.rejects(run, /enough/);
  while ((await host.counts()).calls > 0);
  assert.equal(aborted, 1);
  assert.equal(await value(host, "await wait({timeout: 20}).catch((e) => e.name)"), "TimeoutError");
  while ((await host.counts()).calls > 0);
  assert.equal(aborted, 2);
  await assert.rejects(host.eval("for (;;);", { cpuMs: 600000, signal: AbortSignal.timeout(30) }), { name: "TimeoutError" });
  await assert.rejects(host.eval("1", { signal: AbortSignal.abort(new Error("before")) }), /before/);
  while ((await host.counts()).runs > 0);
});

withHost("many at once", async (host) => {
  host.tool("double", { parameters: { n: "integer" } }, async (n) => 2 * n);
  const values = await Promise.all(Array.from({ length: 300 }, (_, i) => value(host,
    "(await Promise.all([double(context), double(1), double(2)])).reduce((a, b) => a + b)",
    { context: i, wallMs: 600000, opTimeoutMs: 600000 })));
  assert.deepEqual(values, Array.from({ length: 300 }, (_, i) => 2 * i + 6));
});

withHost("progress, metrics and nested runs", async (host) => {
  const told = [];
  let nested, runs;
  const running = new Promise((resolve) => (runs = resolve));
  host.tool("slow", {}, (call) => {
    call.progress({ half: new Uint8Array([0]) });
    return call.callsLeft;
  });
  host.tool("nest", {}, async (call) => {
    nested = host.eval("console.log('runs'); await sleep(60000)", { parent: call, onLog: runs });
    await nested;
  });
  host.tool("untilRunning", {}, () => running);
  const { value } = await host.eval("await slow()", { maxOps: 7, onProgress: (progress) => told.push(progress) });
  assert.equal(value, 6);
  assert.deepEqual(told.map(({ event }) => event), ["created", "started", "progress", "settled"]);
  assert.deepEqual(told[2].value, { half: new Uint8Array([0]) });
  assert.equal(told[3].state, "fulfilled");
  assert.match(await host.metrics(), /vow_operations_total\{kind="slow",state="fulfilled"\} 1\n/);
  const given = await host.eval(`
    const controller = new AbortController();
    const name = nest({ signal: controller.signal }).catch((e) => e.name);
    await untilRunning();
    controller.abort();
    await name`);
  assert.equal(given.value, "AbortError");
  await assert.rejects(nested, vow.RunCancelled);
  while ((await host.counts()).calls > 0);
});

withHost("progress that is too long", async (host) => {
  host.tool("tell", {}, (call) => {
    assert.throws(() => call.progress("x".repeat(17 << 20)), (error) => error.code === -32001);
    return 1;
  });
  assert.equal(await value(host, "await tell()"), 1);
});

// So that only the last call of a batch lets it go.
const batch = (batchMax) => ({ batchMax, batchWindowMs: 3600000 });

withHost("batches", async (host) => {
  const asked = [];
  host.tool("many", { parameters: { key: "string", "by?": "number" }, policy: batch(5) }, async (calls) => {
    asked.push(calls.map(({ operation, arguments: given }) => [operation, ...given]));
    const late = new Promise((resolve) => setTimeout(resolve, 10, 9));
    return [calls[0].arguments[0].length, new vow.ToolError("no", { name: "NotFoundError" }), Promise.reject(new RangeError("far")), late];
  });
  const result = await host.eval(`
    (await Promise.allSettled([many("abc"), many("b", 2), many("c"), many("d"), many(5)]))
      .map((end) => end.value ?? end.reason.name)`);
  assert.deepEqual(result.value, [3, "NotFoundError", "RangeError", 9, "TypeError"]);
  assert.deepEqual(asked, [[[1, "abc", undefined], [2, "b", 2], [3, "c", undefined], [4, "d", undefined]]]);
  assert.equal(result.report.operations.batched, 5);
});

withHost("batches that fail", async (host) => {
  host.tool("throws", { policy: batch(2) }, () => {
    throw new TypeError("thrown");
  });
  host.tool("short", { policy: batch(2) }, () => [Promise.reject(new Error("not heard of"))]);
  host.tool("none", { policy: batch(2) }, () => 5);
  for (const [name, told] of [["throws", "thrown"], ["short", "short returned 1 results for 2 calls"],
    ["none", "none returned no array"]])
    assert.deepEqual(await value(host, `(await Promise.allSettled([${name}(), ${name}()])).map((end) => end.reason.message)`),
      [told, told]);
});

withHost("one of a batch is cancelled", async (host) => {
  const signals = [];
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  host.tool("many", { policy: batch(2) }, (calls) => calls.map(({ signal }, at) => {
    signals.push(signal);
    begin();
    return at ? "b" : new Promise((resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }));
  host.tool("untilBegun", {}, () => begun);
  assert.deepEqual(await value(host, `
    const controller = new AbortController();
    const one = many({ signal: controller.signal }).catch((e) => e.name), other = many();
    await untilBegun();
    controller.abort();
    await Promise.all([one, other])`), ["AbortError", "b"]);
  while ((await host.counts()).calls > 0);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, false]);
});

test("the program dies", { timeout: 60000 }, async () => {
  const host = await vow.Host.open();
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  host.tool("wait", {}, (call) => new Promise((resolve) => {
    begin();
    call.signal.addEventListener("abort", resolve);
  }));
  const run = host.eval("await wait()");
  await begun;
  process.kill(host.pid, "SIGKILL");
  await assert.rejects(run, vow.HostGone);
  await assert.rejects(host.eval("1"), vow.HostGone);
  await host.close();
});

test("opening and closing", { timeout: 60000 }, async () => {
  for (const options of [{ path: "/no/such/program" }, { path: "/bin/true" }])
    await assert.rejects(vow.Host.open(options), vow.HostGone);
  const folder = mkdtempSync(join(tmpdir(), "vow-node-"));
  try {
    const host = await vow.Host.open({ db: `sqlite:${folder}/n.db`, allow: ["notes.*"] });
    assert.equal((await value(host, "await notes.create({title: 'T'})", { allow: ["notes.*"] })).title, "T");
    const run = host.eval("await sleep(600000)");
    const ended = assert.rejects(run, vow.HostGone);
    await host.close();
    await ended;
  } finally {
    rmSync(folder, { recursive: true });
  }
});
