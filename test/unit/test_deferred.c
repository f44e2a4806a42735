/* Deferred as scripts see it, on real threads. */
#include "guest/shared.h"
#include "unit/deferred_fixture.h"

/* What the scripts of this file have at hand. */
#define SAY "const say = (p) => p.then((v) => v, (e) => `${e?.name}: ${e?.message}`);"
#define MADE                                                                                       \
  "const made = (f) => { try { f(); return 'made'; } catch (e) { return `${e.name}: "              \
  "${e.message}`; } };"

typedef struct script {
  const char *source, *value;
} script;

static void check_all(const script *scripts, size_t count) {
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  for (size_t i = 0; i < count; i++)
    deferred_gives(&f, scripts[i].source, scripts[i].value);
  deferred_fixture_close(&f, false);
}
#define CHECK(scripts) check_all(scripts, sizeof(scripts) / sizeof(scripts)[0])

static void test_values(void **state) {
  (void)state;
  static const script scripts[] = {
      {"await new Deferred(() => 42 * 2)", "84"},
      {"await new Deferred((a, b) => a + b, 1, 2)", "3"},
      {"await Deferred.run((a) => a.reverse(), [[1, 2, 3]])", "[3,2,1]"},
      {"await new Deferred(async (a) => { await null; return a * 2; }, 4)", "8"},
      {"const o = { m(x) { return x + 1; } }; await new Deferred(o.m, 1)", "2"},
      {"await new Deferred(function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }, 20)",
       "6765"},
      {"const d = new Deferred(() => 1); [d instanceof Promise, d instanceof Deferred, await d]",
       "[true,true,1]"},
      {"await Promise.all([1, 2, 3].map((n) => new Deferred((x) => x * x, n)))", "[1,4,9]"},
      {"await new Deferred(() => undefined) === undefined", "true"},
      {"const m = await new Deferred((m) => new Map([...m, ['b', 2n]]), new Map([['a', 1n]]));"
       "[...m].map(([k, v]) => `${k}${typeof v}${v}`)",
       "[\"abigint1\",\"bbigint2\"]"},
      {"(await new Deferred((d) => new Date(d.getTime() + 1), new Date(5))).getTime()", "6"},
      {"const t = await new Deferred((t) => t.map((x) => x * 2), new Float64Array([1, 2]));"
       "[t.constructor.name, ...t]",
       "[\"Float64Array\",2,4]"},
      {"await new Deferred(() => { let x = 0; while (x < 1e6) x++; return x; })", "1000000"},
      {"await new Deferred((s) => [...s].reverse().join(''), 'stressed')", "\"desserts\""},
      {"(await new Deferred(() => 'x'.repeat(1 << 20))).length", "1048576"},
      {"let n = 0; for (let i = 0; i < 500; i++) n += await new Deferred((x) => x + 1, i); n",
       "125250"},
      {"await new Deferred(() => 1).finally(() => 2)", "1"},
  };
  CHECK(scripts);
}

static void test_errors(void **state) {
  (void)state;
  static const script scripts[] = {
      {SAY "await say(new Deferred(() => { throw new RangeError('too far'); }))",
       "\"RangeError: too far\""},
      {"await new Deferred(() => { throw null; }).catch((e) => e === null)", "true"},
      {"await new Deferred(() => Promise.reject({ a: 1 })).catch((e) => e)", "{\"a\":1}"},
      {"const e = await new Deferred(() => { throw new Error('a', { cause: new Error('b') }); })"
       ".catch((e) => e); [e instanceof Error, e.cause.message, /at /.test(e.stack)]",
       "[true,\"b\",true]"},
      {SAY "await say(new Deferred(() => ({ items: [1, { callback: () => 1 }] })))",
       "\"TypeError: result.items[1].callback is a function\""},
      {SAY "await say(new Deferred(() => new Promise(() => {})))",
       "\"Error: Deferred: the function waits for a promise that nothing can settle any more\""},
      {SAY "(await say(new Deferred(() => { const f = () => f() + 1; return f(); })))",
       "\"RangeError: Maximum call stack size exceeded\""},
      {SAY "(await say(Deferred.run(() => { const a = []; for (;;) a.push(new Uint8Array(1e6)); },"
           " [], { memoryMib: 32 }))).slice(0, 10)",
       "\"RangeError\""},
      {SAY "const a = say(new Deferred(() => { const a = []; for (;;) a.push({}); }));"
           "const b = new Deferred(() => 5); await a; [await b, await new Deferred(() => 6)]",
       "[5,6]"},
  };
  CHECK(scripts);
}

static void test_refusals(void **state) {
  (void)state;
  static const script scripts[] = {
      {MADE "(() => { const rate = 2; return made(() => new Deferred((x) => x * rate, 1)); })()",
       "\"TypeError: Deferred: function uses 'rate' from its surroundings; pass it as an "
       "argument\""},
      {MADE "const top = 1; made(() => new Deferred(() => top)).includes(\"'top'\")", "true"},
      {MADE "made(() => new Deferred(() => notDefinedAnywhere)).includes('notDefinedAnywhere')",
       "true"},
      {MADE "await new Deferred(() => typeof notDefinedAnywhere)", "\"undefined\""},
      {MADE "[42, Math.max, ((x) => x).bind(null), class A {}, function* g() {}]"
            ".map((f) => made(() => new Deferred(f)).slice(0, 9))",
       "[\"TypeError\",\"TypeError\",\"TypeError\",\"TypeError\",\"TypeError\"]"},
      {MADE "made(() => new Deferred((x) => eval('x'), 1)).slice(0, 9)", "\"TypeError\""},
      {"await new Deferred(() => 1, [1, { f() {} }]).catch((e) => `${e.name}: ${e.message}`)",
       "\"TypeError: argument 1[1].f is a function\""},
      {"await new Deferred((x) => Math.max(x, JSON.parse('7')), 3)", "7"},
      {SAY "[await say(new Deferred((x) => x, Promise.resolve(1))),"
           " await say(new Deferred(() => ({ p: Promise.resolve(1) })))]",
       "[\"TypeError: argument 1 is a promise; await it first\","
       "\"TypeError: result.p is a promise; await it first\"]"},
      {SAY "await say(Deferred.map({ length: 0 }, (x) => x))",
       "\"TypeError: Deferred.map: give it a list of items\""},
  };
  CHECK(scripts);
}

static void test_options(void **state) {
  (void)state;
  static const script scripts[] = {
      {SAY "const t = performance.now(); const r = await say(Deferred.run(() => { for (;;); }, [],"
           " { timeout: 20 })); [r.slice(0, 12), performance.now() - t < 2000]",
       "[\"TimeoutError\",true]"},
      {SAY "(await say(Deferred.run(() => { for (;;); }, [], { runTimeout: 20 }))).slice(0, 12)",
       "\"TimeoutError\""},
      {SAY "(await say(Deferred.run(() => new Promise((r) => setTimeout(r, 5000)), [],"
           " { runTimeout: 20 }))).slice(0, 12)",
       "\"TimeoutError\""},
      {SAY "const d = new Deferred(() => { for (;;); }); setTimeout(() => d.cancel(), 5);"
           "(await say(d)).slice(0, 10)",
       "\"AbortError\""},
      {"const d = new Deferred(() => { for (;;); }); d.cancel('why'); await d.catch((e) => e)",
       "\"why\""},
      {"const c = new AbortController(); const d = Deferred.run(() => { for (;;); }, [],"
       " { signal: c.signal }); setTimeout(() => c.abort(7), 5); await d.catch((e) => e)",
       "7"},
      {"const count = () => { globalThis.seen = (globalThis.seen ?? 0) + 1; return seen; };"
       "const all = []; for (let i = 0; i < 6; i++)"
       " all.push(Deferred.run(() => { globalThis.seen = (globalThis.seen ?? 0) + 1;"
       " return globalThis.seen; }, [], { affinity: 'k' })); await Promise.all(all)",
       "[1,2,3,4,5,6]"},
      {"const f = (x) => Math.random() + x; const o = { cache: true };"
       "const a = await Deferred.run(f, [1], o), b = await Deferred.run(f, [1], o),"
       " c = await Deferred.run(f, [2], o); [a === b, a === c]",
       "[true,false]"},
  };
  CHECK(scripts);
}

/* Of a pure function too: memory that is shared is made anew for each call, those in
 * progress as well. */
static void test_shared_results_are_not_kept(void **state) {
  (void)state;
#define PURE                                                                                       \
  "const pure = (f, n) => Deferred.run(f, [n], { cache: true });"                                  \
  "const make = (n) => { const m = new SharedArrayBuffer(4); new Int32Array(m)[0] = n;"            \
  " return { m }; };"                                                                              \
  "const apart = (all) => { all.forEach((m, i) => { new Int32Array(m)[0] += i * 10; });"           \
  " return all.map((m) => new Int32Array(m)[0]); };"
  static const script scripts[] = {
      {PURE "apart([(await pure(make, 1)).m, (await pure(make, 1)).m])", "[1,11]"},
      {PURE "apart((await Promise.all([1, 1, 1].map((n) => pure(make, n)))).map((v) => v.m))",
       "[1,11,21]"},
      {PURE "const fail = (n) => { const m = new SharedArrayBuffer(4);"
            " new Int32Array(m)[0] = n; throw m; };"
            "apart(await Promise.all([2, 2].map((n) => pure(fail, n).catch((m) => m))))",
       "[2,12]"},
      /* Others are kept beside memory that is on its way. */
      {PURE "const m = new SharedArrayBuffer(4); const f = () => Math.random();"
            "const first = pure(f); new Deferred((m) => 1, m); [await first === await pure(f)]",
       "[true]"},
  };
#undef PURE
  CHECK(scripts);
  assert_int_equal(shared_in_flight(), 0);
}

/* A pure and an isolated function are given copies. */
static void test_arguments_that_are_copied(void **state) {
  (void)state;
#define BOTH "await Promise.all([{ cache: true }, { isolated: true }].map(async (options) => {"
  static const script scripts[] = {
      {SAY BOTH "return say(Deferred.run((x) => x, [new SharedArrayBuffer(4)], options)); }))",
       "[\"TypeError: argument 1 is a SharedArrayBuffer\","
       "\"TypeError: argument 1 is a SharedArrayBuffer\"]"},
      {BOTH "const x = new Int32Array(new SharedArrayBuffer(4)); x[0] = 5;"
            " const given = Deferred.run((x) => { const y = x[0]; x[0] = 9; return y; }, [x],"
            " options); x[0] = 6; return [await given, x[0]]; }))",
       "[[5,6],[5,6]]"},
  };
#undef BOTH
  CHECK(scripts);
}

static void test_inside(void **state) {
  (void)state;
  static const script scripts[] = {
      {"await new Deferred(async () => { await new Promise((r) => setTimeout(r, 5)); return "
       "'later';"
       " })",
       "\"later\""},
      {"await new Deferred(async (x) => await test.pool(await test.echo(x)), 9)", "9"},
      {"await new Deferred(() => test.fail(1)).catch((e) => e.name)", "\"NotFoundError\""},
      {"await new Deferred(async () => 1 + await new Deferred(() => 2))", "3"},
      {"await new Deferred(function down(n) { return n === 0 ? 0 : new Deferred(down, n - 1)"
       ".then((x) => x + 1); }, 20)",
       "20"},
      {"const seen = []; const d = new Deferred(async () => { for (let i = 0; i < 3; i++) {"
       " Deferred.progress(i); await new Promise((r) => setTimeout(r, 1)); } return 'end'; });"
       "d.onprogress = (v) => seen.push(v); [await d, seen]",
       "[\"end\",[0,1,2]]"},
      {"const d = new Deferred(async () => { for (let i = 0; i < 3; i++) { Deferred.progress(i);"
       " await new Promise((r) => setTimeout(r, 1)); } }); const seen = [];"
       "for await (const v of d.progress) seen.push(v); seen",
       "[0,1,2]"},
      {"const shared = new Int32Array(new SharedArrayBuffer(4));"
       "const d = new Deferred((s) => { Deferred.progress(1); while (Atomics.load(s, 0) === 0);"
       " return 'told'; }, shared); d.onprogress = () => Atomics.store(shared, 0, 1); await d",
       "\"told\""},
      {"await Deferred.map([1, 2, 3, 4], (x) => x * 10, { concurrency: 2 })", "[10,20,30,40]"},
      {"await Deferred.ready()", "null"},
  };
  CHECK(scripts);
}

static void test_isolated(void **state) {
  (void)state;
  static const script scripts[] = {
      {"await Deferred.run((a) => a * 2, [21], { isolated: true })", "42"},
      {"await Deferred.run(() => typeof test, [], { isolated: true })", "\"undefined\""},
      {"await Deferred.run(async () => { await sleep(2); return new Map([[1, 2n]]).get(1) === 2n; "
       "},"
       " [], { isolated: true })",
       "true"},
      {"const o = { m(x) { return x + 1; } }; await Deferred.run(o.m, [1], { isolated: true })",
       "2"},
      {SAY
       "await say(Deferred.run(() => { throw new RangeError('far'); }, [], { isolated: true }))",
       "\"RangeError: far\""},
      {SAY "(await say(Deferred.run(() => { for (;;); }, [], { isolated: true, timeout: 30 })))"
           ".slice(0, 12)",
       "\"TimeoutError\""},
      {SAY "(await say(Deferred.run(() => sleep(60000), [], { isolated: true, runTimeout: 20 })))"
           ".slice(0, 12)",
       "\"TimeoutError\""},
      {SAY "(await say(Deferred.run(() => new Array(2 ** 32 - 1).join(), [], { isolated: true,"
           " timeout: 30 }))).length > 0",
       "true"},
  };
  CHECK(scripts);
}

/* An isolated function fails with the words of any other. */
static void test_isolated_failures(void **state) {
  (void)state;
#define SAME                                                                                       \
  SAY "const same = async (f, options) => { const [a, b] = await Promise.all([false, true].map("   \
      "(isolated) => say(Deferred.run(f, [], { ...options, isolated }))));"                        \
      " return a === b ? a : [a, b]; };"
  static const script scripts[] = {
      {SAME "await same(() => ({ a: [{ call() {} }] }))",
       "\"TypeError: result.a[0].call is a function\""},
      {SAME "await same(() => { throw { call() {} }; })",
       "\"TypeError: error.call is a function\""},
      {SAME "await same(() => { throw new Error('e', { cause: () => 1 }); })",
       "\"TypeError: error.cause is a function\""},
      {SAME "await same(() => { throw new RangeError('argument 1 of mine'); })",
       "\"RangeError: argument 1 of mine\""},
      {SAME "await same(() => Deferred.progress(() => 1))",
       "\"TypeError: progress is a function\""},
      {SAME "await same(() => new Promise(() => {}))",
       "\"Error: Deferred: the function waits for a promise that nothing can settle any more\""},
      {SAME "await same(() => { Promise.reject(new RangeError('lost')); return 1; })",
       "\"RangeError: lost\""},
      {SAME "await same(() => { setTimeout(() => { throw new TypeError('late'); }, 0);"
            " return new Promise(() => {}); })",
       "\"TypeError: late\""},
      {SAME "await same(() => { const a = []; for (;;) a.push(new Uint8Array(1e6)); },"
            " { memoryMib: 32 })",
       "\"RangeError: Deferred: the function needs more than its 32 MiB of memory\""},
      {SAME "await same(() => new Uint8Array(1e8), { memoryMib: 512 })",
       "\"RangeError: result is larger than 64 MiB\""},
      {"const e = await Deferred.run(() => { Promise.reject(new RangeError('lost')); }, [],"
       " { isolated: true }).catch((e) => e); [e instanceof RangeError, /at /.test(e.stack)]",
       "[true,true]"},
  };
#undef SAME
  CHECK(scripts);
}

/* The script's own code goes on while its functions are executed elsewhere. */
static void test_loop_keeps_turning(void **state) {
  (void)state;
  static const char source[] =
      "let ticks = 0; const timer = setInterval(() => ticks++, 1);"
      "const busy = [1, 2].map(() => new Deferred(() => { const t = performance.now();"
      " while (performance.now() - t < 100); }));"
      "await Promise.all(busy); clearInterval(timer); ticks > 20";
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  deferred_gives(&f, source, "true");
  deferred_fixture_close(&f, false);
}

/* A native that does not look whether it is to stop: its promise is settled, its thread
 * replaced, and nothing waits for it. */
static void test_stuck_native(void **state) {
  (void)state;
  static const char source[] =
      "const shared = new Int32Array(new SharedArrayBuffer(8));"
      "const stuck = new Deferred((s) => { Atomics.store(s, 1, 1); Atomics.wait(s, 0, 0); },"
      " shared);"
      "while (Atomics.load(shared, 1) === 0) await sleep(1);"
      "stuck.cancel(); const why = await stuck.catch((e) => e.name);"
      "[why, await new Deferred(() => 'replaced')]";
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  deferred_gives(&f, source, "[\"AbortError\",\"replaced\"]");
  assert_int_equal(deferred_counts_of(f.deferred).retired, 1);
  deferred_fixture_close(&f, true);
}

/* Likewise when its own limit is what ends it, long after it has begun to wait. */
static void test_stuck_out_of_time(void **state) {
  (void)state;
  static const char source[] =
      "const wait = (s) => Atomics.wait(new Int32Array(s), 0, 0, 60000);"
      "const stuck = Deferred.run(wait, [new SharedArrayBuffer(4)], { runTimeout: 500 });"
      "const why = await stuck.catch((e) => e.name);"
      "[why, await new Deferred(() => 'replaced')]";
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  deferred_gives(&f, source, "[\"TimeoutError\",\"replaced\"]");
  assert_int_equal(deferred_counts_of(f.deferred).retired, 1);
  deferred_fixture_close(&f, true);
}

static void test_queue_is_bounded(void **state) {
  (void)state;
  static const char source[] =
      "const shared = new Int32Array(new SharedArrayBuffer(8));"
      "const first = new Deferred((s) => { Atomics.store(s, 1, 1);"
      " while (Atomics.load(s, 0) === 0); }, shared);"
      "while (Atomics.load(shared, 1) === 0) await sleep(1);"
      "const rest = [1, 2, 3, 4, 5].map(() => new Deferred(() => 1).catch((e) => e.code));"
      "const ready = Deferred.ready(); await sleep(1); Atomics.store(shared, 0, 1);"
      "await ready; [await first, ...await Promise.all(rest)].slice(1)";
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 4);
  deferred_gives(&f, source, "[1,1,1,1,\"QUEUE_FULL\"]");
  deferred_fixture_close(&f, false);
}

/* On one thread, which is busy until all are queued. */
static void test_priority(void **state) {
  (void)state;
  static const char source[] =
      "const m = new Int32Array(new SharedArrayBuffer(8)), order = [];"
      "const busy = new Deferred((m) => { Atomics.store(m, 0, 1); while (!Atomics.load(m, 1)); },"
      " m); while (!Atomics.load(m, 0)) await sleep(0);"
      "const add = (n, options) => Deferred.run((n) => n, [n], options).then((n) => order.push(n));"
      "const all = [add('low', { priority: 'low' }), add('low, pure', { priority: 'low', cache:"
      " true }), add('normal', { priority: 'normal' }), add('not said')];"
      "await sleep(1); Atomics.store(m, 1, 1); await Promise.all(all); order";
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  deferred_gives(&f, source, "[\"normal\",\"not said\",\"low\",\"low, pure\"]");
  deferred_fixture_close(&f, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_shared_results_are_not_kept),
      cmocka_unit_test(test_arguments_that_are_copied),
      cmocka_unit_test(test_inside),
      cmocka_unit_test(test_isolated),
      cmocka_unit_test(test_isolated_failures),
      cmocka_unit_test(test_loop_keeps_turning),
      cmocka_unit_test(test_stuck_native),
      cmocka_unit_test(test_stuck_out_of_time),
      cmocka_unit_test(test_queue_is_bounded),
      cmocka_unit_test(test_priority),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
