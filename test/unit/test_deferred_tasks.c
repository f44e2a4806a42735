/* Tasks from submission to end: code that is sent once, progress, cancellation, map,
 * what a task leaves behind, stopping, and every allocation failing once. */
#include <pthread.h>
#include <time.h>

#include <stdlib.h>

void *__real_malloc(size_t size);
#define FIXTURE_MALLOC __real_malloc
#include "unit/guests_fixture.h"

/* ---- code ---- */

static void expect_codes(const char *source, const char *value, unsigned codes, unsigned calls) {
  pair p;
  pair_open(&p);
  pair_script(&p, source);
  pair_expect(&p, source, value);
  assert_int_equal(p.codes, codes);
  assert_int_equal(p.calls, calls);
  pair_close(&p);
}

static void code_is_sent_once(void **state) {
  (void)state;
  expect_codes("const f = x => x + 1; let n = 0;"
               "for (let i = 0; i < 300; i++) n += await new Deferred(f, i); n",
               "45150", 1, 300);
  /* Closures of one text are one function. */
  expect_codes("const make = () => x => x; let n = 0;"
               "for (let i = 0; i < 50; i++) n += await new Deferred(make(), i); n",
               "1225", 1, 50);
  expect_codes("let n = 0; for (let i = 0; i < 50; i++) n += await Deferred.run(x => x, [i],"
               " { affinity: 'a' }); n",
               "1225", 1, 50);
  /* More functions than are remembered. */
  expect_codes("const many = Array.from({ length: 300 }, (_, i) => new Function('x', `return x + "
               "${i}`)); let n = 0;"
               "for (const f of many) n += await new Deferred(f, 1); n",
               "45150", 300, 300);
}

/* What names stand for is looked at each time. */
static void names_are_looked_at_each_time(void **state) {
  (void)state;
  expect_codes("const f = () => Math.max(1, 2); const a = await new Deferred(f);"
               "globalThis.Math = {}; let b; try { new Deferred(f) } catch (e) { b = e.message }"
               "[a, b]",
               "[2,\"Deferred: function uses 'Math' from its surroundings; pass it as an "
               "argument\"]",
               1, 1);
  expect_codes(
      "let f = function () { return typeof f }; const a = await new Deferred(f); const g = "
      "f; f = 1; let b; try { new Deferred(g) } catch (e) { b = e.message } [a, b]",
      "[\"function\",\"Deferred: function uses 'f' from its surroundings; pass it as an "
      "argument\"]",
      1, 1);
  expect_codes("const { f, put } = (() => { let f = n => n ? f(n - 1) : 'end';"
               " return { f, put: v => { f = v } } })();"
               "const a = await new Deferred(f, 2); put(1); let b; try { new Deferred(f, 2) }"
               "catch (e) { b = e.message } [a, b]",
               "[\"end\",\"Deferred: function uses 'f' from its surroundings; pass it as an "
               "argument\"]",
               1, 1);
}

/* A function that writes to itself is whole again for the next task. */
static void a_function_is_bound_anew_for_each_task(void **state) {
  (void)state;
  gives("const f = (() => { let f = n => { const had = typeof f; if (n) f = null; return had };"
        " return f })();"
        "[await new Deferred(f, 1), await new Deferred(f, 1)]",
        "[\"function\",\"function\"]");
  gives("function g() { const had = typeof g; globalThis.g = 1; return had }"
        "[await new Deferred(g), await new Deferred(g)]",
        "[\"function\",\"function\"]");
  /* Its name is no global of the worker afterwards. */
  gives("function h() { return typeof h } await new Deferred(h);"
        "await new Deferred(() => typeof globalThis.h)",
        "\"undefined\"");
}

static void dropped_code_is_gone(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  p.hold_tasks = true;
  pair_script(&p, "await new Deferred(() => 1).catch(e => e.message)");
  message *task = p.tasks.first;
  uint8_t hash[17];
  memcpy(hash, task->bytes + 1, sizeof hash);
  queue_put(&p.worker.heard, WIRE_CODE_DROP, 0, hash, sizeof hash);
  p.hold_tasks = false;
  assert_true(pair_run(&p));
  pair_expect(&p, "dropped", "\"the worker could not read this function\"");
  pair_close(&p);
}

static void options_are_told(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  pair_script(&p, "await Deferred.run(() => 1, [], { affinity: 'key', isolated: true,"
                  " memoryMib: 16, runTimeout: 250, timeout: 1000, priority: 'low' })");
  pair_expect(&p, "options", "1");
  assert_string_equal(p.affinity, "key");
  assert_true(p.isolated);
  assert_true(p.memory_mib == 16 && p.run_ms == 250);
  pair_close(&p);
  gives("await Deferred.ready()", "null");
  gives("await Deferred.run(x => x, [1], { cache: true })", "1");
}

/* ---- its promise ---- */

static const char *const promises[][2] = {
    {"const d = new Deferred(() => 1); [d instanceof Deferred, d instanceof Promise,"
     " d.constructor === Promise, Object.prototype.toString.call(d), await d]",
     "[true,true,true,\"[object Deferred]\",1]"},
    {"(await Promise.all([new Deferred(() => 1), new Deferred(() => 2)])).join()", "\"1,2\""},
    {"let ran = 0; await new Deferred(() => { throw 1 }).catch(() => {}).finally(() => ran++); ran",
     "1"},
    {"new Deferred(() => 1).then(x => x) instanceof Deferred", "false"},
    {"const d = new Deferred(() => 1); const v = await d; d.cancel(); [v, await d]", "[1,1]"},
    {"const d = new Deferred(() => { for (;;); }); d.cancel(); d.cancel('again');"
     "await d.catch(e => [e instanceof DOMException, e.name])",
     "[true,\"AbortError\"]"},
    {"const d = new Deferred(() => { for (;;); }); d.cancel('why'); await d.catch(e => e)",
     "\"why\""},
    {"const c = new AbortController(); const d = Deferred.run(() => { for (;;); }, [],"
     " { signal: c.signal }); c.abort('by signal'); await d.catch(e => e)",
     "\"by signal\""},
    {"await Deferred.run(() => 1, [], { signal: AbortSignal.abort('early') }).catch(e => e)",
     "\"early\""},
    {"Promise.prototype.then = () => { throw 1 }; await new Deferred(() => 1)", "1"},
};

static void promises_are_promises(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
    pair p;
    pair_open(&p);
    /* A task that was cancelled never starts here, as by the host it would be stopped. */
    p.hold_tasks = strstr(promises[i][0], "for (;;)") != NULL;
    pair_script(&p, promises[i][0]);
    pair_expect(&p, promises[i][0], promises[i][1]);
    assert_int_equal(p.cancels, p.hold_tasks);
    pair_close(&p);
  }
}

/* ---- progress ---- */

static const char *const progress[][2] = {
    {"const d = new Deferred(() => { for (let i = 0; i < 3; i++) Deferred.progress({ i });"
     " return 'end' }); const seen = []; d.onprogress = v => seen.push(v.i); const end = await d;"
     "[...seen, end]",
     "[0,1,2,\"end\"]"},
    {"const d = new Deferred(async () => { for (let i = 0; i < 3; i++) { await sleep(1);"
     " Deferred.progress(i) } }); const seen = []; for await (const v of d.progress) seen.push(v);"
     "seen",
     "[0,1,2]"},
    /* The latest 64, however late one looks. */
    {"const d = new Deferred(() => { for (let i = 0; i < 100; i++) Deferred.progress(i) }); await"
     " d; const seen = []; for await (const v of d.progress) seen.push(v);"
     "[seen.length, seen[0], seen.at(-1)]",
     "[64,36,99]"},
    /* Its slot is another call's by then. */
    {"const d = new Deferred(() => Deferred.progress(1)); const it = d.progress; await d;"
     "await Promise.all([op(1), new Deferred(() => 2)]); [(await it.next()).value,"
     " (await it.next()).done]",
     "[1,true]"},
    {"const d = new Deferred(() => 1); await d; const seen = [];"
     "for await (const v of d.progress) seen.push(v); seen",
     "[]"},
    {"const d = new Deferred(() => { Deferred.progress(1); throw 2 }); const seen = [];"
     "const failed = d.catch(e => e); for await (const v of d.progress) seen.push(v);"
     "[...seen, await failed]",
     "[1,2]"},
    {"const d = new Deferred(() => { for (let i = 0; i < 4; i++) Deferred.progress(i) });"
     "const seen = []; for await (const v of d.progress) { seen.push(v); if (v === 1) break }"
     "for await (const v of d.progress) seen.push(v); seen",
     "[0,1,2,3]"},
    {"await new Deferred(() => { try { Deferred.progress(() => 1) } catch (e) { return e.message }"
     " })",
     "\"progress is a function\""},
    {"const m = new SharedArrayBuffer(4); const d = new Deferred(m => Deferred.progress(m), m);"
     "d.onprogress = m => { new Uint8Array(m)[0] = 5 }; await d; new Uint8Array(m)[0]",
     "5"},
    {"Promise.prototype.progress", NULL},
};

static void progress_is_told(void **state) {
  (void)state;
  for (size_t i = 0; progress[i][1]; i++)
    gives(progress[i][0], progress[i][1]);
  pair p;
  pair_open(&p);
  pair_start(&p.main, WIRE_START,
             "const d = new Deferred(() => Deferred.progress(1));"
             "d.onprogress = () => { throw new Error('in onprogress') }; await d",
             false);
  pair_run(&p);
  assert_string_equal(p.error, "in onprogress");
  pair_close(&p);
}

/* ---- map ---- */

static const char *const maps[][2] = {
    {"await Deferred.map([3, 1, 2], (x, i) => [x * 10, i])", "[[30,0],[10,1],[20,2]]"},
    {"await Deferred.map(new Set([1, 2]), x => x)", "[1,2]"},
    {"await Deferred.map([], x => x)", "[]"},
    {"(await Deferred.map(Array.from({ length: 100 }, (_, i) => i), x => x * 2)).reduce((a, b) =>"
     " a + b)",
     "9900"},
    {"await Deferred.map([1, 2, 3, 4], x => { if (x === 2) throw new Error('no ' + x); return x },"
     " { concurrency: 1 }).catch(e => e.message)",
     "\"no 2\""},
    {"const told = []; await Deferred.map(['a', 'b'], x => { Deferred.progress(x + x) },"
     " { concurrency: 1, onprogress: p => told.push([p.done, p.total, p.index, p.value]) }); told",
     "[[0,2,0,\"aa\"],[1,2,0,null],[1,2,1,\"bb\"],[2,2,1,null]]"},
    {"await Deferred.map([1], x => x, { concurrency: 0 }).catch(e => e.message)",
     "\"Deferred.map: options.concurrency must be a whole number, 1 or more\""},
    {"await Deferred.map([1], 5).catch(e => e.message)",
     "\"Deferred.map: give it a function to run\""},
    {"const k = 2; await Deferred.map([1], x => x * k).catch(e => e.message)",
     "\"Deferred: function uses 'k' from its surroundings; pass it as an argument\""},
    {"await Deferred.map([1], x => x, { signal: AbortSignal.abort('early') }).catch(e => e)",
     "\"early\""},
    {"await Deferred.map(5, x => x).catch(e => e instanceof TypeError)", NULL},
};

static void map_keeps_order(void **state) {
  (void)state;
  for (size_t i = 0; maps[i][1]; i++)
    gives(maps[i][0], maps[i][1]);
  /* No more than the said number at once; the first rejection cancels the others. */
  pair p;
  pair_open(&p);
  p.hold_tasks = true;
  pair_script(&p, "const c = new AbortController(); globalThis.c = c;"
                  "const done = Deferred.map([1, 2, 3, 4, 5], x => x, { concurrency: 3, signal:"
                  " c.signal }).catch(e => e); setTimeout(() => c.abort('stop'), 1); await done");
  pair_expect(&p, "aborted", "\"stop\"");
  assert_int_equal(p.calls, 3);
  assert_int_equal(p.cancels, 3);
  pair_close(&p);
}

/* ---- what a task leaves behind ---- */

static void nothing_of_a_task_is_left(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  pair_script(&p, "await new Deferred(() => { setTimeout(() => { globalThis.leak = 1 }, 5);"
                  " setInterval(() => {}, 5); op(1).then(() => { globalThis.leak = 2 });"
                  " Promise.resolve().then(() => { globalThis.job = 3 }); return 1 });"
                  "await new Deferred(() => [globalThis.leak, globalThis.job])");
  pair_expect(&p, "left", "[null,3]"); /* its jobs have run */
  assert_int_equal(p.stopped_timers, 2);
  assert_int_equal(p.cancels, 1);
  assert_int_equal(engine_unhandled(p.worker.instance), 0);
  pair_close(&p);
}

static void rejections_that_nobody_handles(void **state) {
  (void)state;
  gives("await new Deferred(() => { Promise.reject(new Error('lost')); return 1 })"
        ".catch(e => e.message)",
        "\"lost\"");
  gives("await new Deferred(async () => { const p = Promise.reject(1); await null; p.catch(() =>"
        " {}); return 'handled' })",
        "\"handled\"");
  gives("await new Deferred(() => { Promise.reject(1); throw 2 }).catch(e => e)", "2");
  gives("await new Deferred(() => { Promise.reject(1) }).catch(e => e);"
        "await new Deferred(() => 'next')",
        "\"next\"");
  /* A timer of the task throws while it waits. */
  gives("await new Deferred(() => new Promise(() => setTimeout(() => { throw new Error('in a "
        "timer') }))).catch(e => e.message)",
        "\"in a timer\"");
  gives("await new Deferred(() => new Promise(() => queueMicrotask(() => { throw 5 })))"
        ".catch(e => e)",
        "5");
  gives("await new Deferred(() => { queueMicrotask(() => { throw 6 }); return 1 }).catch(e => e)",
        "6");
}

static void workers_have_what_they_need(void **state) {
  (void)state;
  gives("await new Deferred(() => globalThis.require('fs')).catch(e => e.message)",
        "\"require('fs') is not here: use import ... from './file.js', or await "
        "import('./file.js')\"");
  /* A task starts tasks: to the host they are calls like others. */
  pair p;
  pair_open(&p);
  pair_script(&p, "await new Deferred(() => typeof Deferred.run)");
  pair_expect(&p, "nested", "\"function\"");
  pair_close(&p);
}

/* ---- stopping ---- */

static uint64_t time_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

typedef struct stopping {
  engine_instance *instance;
  clockid_t clock; /* what the thread of the guest has run */
  uint64_t at;     /* by it, when the guest was told */
  uint64_t took;   /* to tell it: long when something else had the processor meanwhile */
} stopping;

static void *stop_soon(void *user) {
  stopping *s = user;
  const struct timespec wait = {0, 5000000};
  nanosleep(&wait, NULL); /* for it to be in the middle; before that is as good */
  uint64_t begun = time_of(CLOCK_MONOTONIC);
  s->at = time_of(s->clock);
  engine_stop(s->instance);
  s->took = time_of(CLOCK_MONOTONIC) - begun;
  return NULL;
}

/* How long the guest went on; false: that is not known. */
static bool stop_in(const char *loop, uint64_t *ns) {
  pair p;
  pthread_t thread;
  char source[200];
  pair_open(&p);
  snprintf(source, sizeof source, "new Deferred(() => { %s }); 1", loop);
  pair_start(&p.main, WIRE_START, source, false);
  assert_true(side_turn(&p.main));
  look(&p, &p.main);
  stopping s = {.instance = p.worker.instance};
  assert_int_equal(pthread_getcpuclockid(pthread_self(), &s.clock), 0);
  assert_int_equal(pthread_create(&thread, NULL, stop_soon, &s), 0);
  assert_false(pair_run(&p));
  uint64_t ended = time_of(s.clock);
  pthread_join(thread, NULL);
  assert_int_equal(engine_fault_of(p.worker.instance), ENGINE_FAULT_TIME);
  assert_int_equal(p.answers, 0); /* the host says what became of the task */
  pair_close(&p);
  *ns = ended - s.at;
  return s.took < 200000;
}

static void script_is_stopped_within_2_ms(void **state) {
  (void)state;
  static const char *const loops[] = {
      "for (;;);",
      "for (;;) { try { null.x } catch {} }",
      "const f = () => f.x; for (;;) f()",
      "const a = new Array(1e4).fill(0); for (;;) a.indexOf(1)",
      "const s = 'x'.repeat(1e5); for (;;) s.includes('y')",
      "const a = Array.from({ length: 1e4 }, (_, i) => i); for (;;) a.slice().reverse()",
      "const f = () => Promise.resolve().then(f); return f()",
  };
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    uint64_t ns = UINT64_MAX, once;
    /* What runs beside it on a processor's core makes natives slow: the best of ten. */
    for (unsigned known = 0, tries = 0; known < 10; tries++) {
      assert_in_range(tries, 0, 200);
      if (!stop_in(loops[i], &once))
        continue;
      known++;
      ns = once < ns ? once : ns;
    }
    print_message("stopped after %6.3f ms: %s\n", (double)ns / 1e6, loops[i]);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(ns < 2000000);
#endif
  }
}

static void a_stopped_guest_takes_no_other_turn(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  pair_script(&p, "await new Deferred(() => 1)");
  engine_stop(p.worker.instance);
  assert_false(side_turn(&p.worker));
  assert_int_equal(engine_fault_of(p.worker.instance), ENGINE_FAULT_TIME);
  assert_false(side_turn(&p.worker));
  pair_close(&p);
}

/* ---- memory ---- */

static size_t fail_at, allocations; /* 0: none fails */

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

/* A place to stop a debugger at. */
__attribute__((noinline)) static bool failed_here(void) {
  return true;
}

static bool fails(void) {
  return fail_at && ++allocations == fail_at && failed_here();
}

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
  return size && fails() ? NULL : __real_realloc(block, size);
}

/* One turn with the failure armed for what the guest does, after op(), not for the test. */
static bool failing_turn(side *s, size_t *nth) {
  fail_at = s->pair->calls ? *nth : 0;
  allocations = 0;
  bool fine = side_turn(s);
  *nth -= allocations < *nth ? allocations : *nth;
  fail_at = 0;
  return fine;
}

/* Functions, names, rows, shared memory, progress, errors, cancellation. The engine's compiler
 * is not made for a lack of memory, so all is compiled before op() is called, and what
 * follows its answer fails. */
static const char everything[] =
    "await Deferred.map([], x => x); await op('armed');"
    "function again(n) { return n ? again(n - 1) : [n, new Map([[1, 'x']])] }"
    "const m = new SharedArrayBuffer(8); const d = new Deferred(again, 2);"
    "const e = Deferred.run((x, y) => { Deferred.progress(x); return [x, y] }, [m, 'y'],"
    " { affinity: 'key' }); e.onprogress = () => {};"
    "const f = new Deferred(async () => { await sleep(1); throw new Error('e') }).catch(e =>"
    " e.message); const g = new Deferred(() => 1); g.cancel(); g.catch(() => {});"
    "const r = () => [1, 2, 3].map(i => ({ i, same: 'text', list: ['x', i], of: { i, j: i } }));"
    "await d; await e; await f; await new Deferred(r); await new Deferred(r); 'done'";

/* True when the scenario went through without a failure. */
static bool failing_scenario(size_t nth) {
  pair p;
  pair_open(&p);
  pair_start(&p.main, WIRE_START, everything, false);
  bool fine = true;
  while (fine && (p.worker.heard.first || p.main.heard.first || p.tasks.first)) {
    give_task(&p);
    side *s = p.worker.heard.first ? &p.worker : &p.main;
    if (!s->heard.first)
      break; /* the worker's answer was lost with its memory */
    fine = failing_turn(s, &nth);
    look(&p, s);
  }
  bool through = nth > 0;
  if (through)
    pair_expect(&p, everything, "\"done\"");
  pair_close(&p);
  return through;
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  size_t nth = 1;
  while (!failing_scenario(nth))
    nth++;
  print_message("%zu allocations\n", nth);
  assert_true(nth > 10); /* the engine takes memory in chunks, but under ASan one by one */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(code_is_sent_once),
      cmocka_unit_test(names_are_looked_at_each_time),
      cmocka_unit_test(a_function_is_bound_anew_for_each_task),
      cmocka_unit_test(dropped_code_is_gone),
      cmocka_unit_test(options_are_told),
      cmocka_unit_test(promises_are_promises),
      cmocka_unit_test(progress_is_told),
      cmocka_unit_test(map_keeps_order),
      cmocka_unit_test(nothing_of_a_task_is_left),
      cmocka_unit_test(rejections_that_nobody_handles),
      cmocka_unit_test(workers_have_what_they_need),
      cmocka_unit_test(script_is_stopped_within_2_ms),
      cmocka_unit_test(a_stopped_guest_takes_no_other_turn),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
