/* How tasks end at the edges: too large, dropped, without owner, cancelled, stuck, too
 * deep; and that others come to no harm. */
#include <time.h>

#include "guest/shared.h"
#include "unit/deferred_fixture.h"

static void large_values(void **state) {
  (void)state;
  static const char *const scripts[][2] = {
      {"await Deferred.run(() => new Uint8Array(1e8), [], { memoryMib: 400 })"
       ".catch((e) => `${e.name}: ${e.message}`)",
       "\"RangeError: result is larger than 64 MiB\""},
      {"await Deferred.run(() => Deferred.progress(new Uint8Array(1e8)), [], { memoryMib: 400 })"
       ".catch((e) => `${e.name}: ${e.message}`)",
       "\"RangeError: progress is larger than 64 MiB\""},
      {"const r = await Deferred.run(() => new Uint8Array(6e7).fill(7), [], { memoryMib: 400 });"
       "[r.length, r[0], r.at(-1)]",
       "[60000000,7,7]"},
      {"await Deferred.run((x) => x.length, [new Uint8Array(6e7)], { memoryMib: 400 })",
       "60000000"},
      {"try { await Deferred.run((x) => x.length, [new Uint8Array(1e8)]); } catch (e) {"
       " e.message.includes('64 MiB') }",
       "true"},
  };
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
    subject s;
    subject_init(&s, &f.run);
    s.limits.concurrent_max = 0;
    s.limits.memory_bytes = UINT64_C(1) << 30;
    assert_true(deferred_try_run(&f, &s, scripts[i][0]));
    ends_with_value(&s, scripts[i][1]);
    subject_close(&s);
  }
  deferred_fixture_close(&f, false);
}

static void nobody_holds_it(void **state) {
  (void)state;
  deferred_fixture f;
  subject s;
  deferred_fixture_open(&f, 1, 0);
  deferred_open_run(&f, &s,
                    "new Deferred(async () => { await sleep(10); console.log('ended'); }); 1");
  ends_with_value(&s, "1");
  assert_non_null(strstr(s.log, ":ended\n"));
  assert_int_equal(s.settled[OP_CANCELLED], 0);
  subject_close(&s);
  deferred_fixture_close(&f, false);
}

static void its_owner_has_ended(void **state) {
  (void)state;
  deferred_fixture f;
  subject s;
  deferred_fixture_open(&f, 2, 0);
  deferred_open_run(&f, &s,
                    "await new Deferred(() => { new Deferred(() => { for (;;); }).catch(() => {});"
                    " return 'owner'; })");
  ends_with_value(&s, "\"owner\"");
  assert_int_equal(s.settled[OP_CANCELLED], 1);
  subject_close(&s);
  deferred_fixture_close(&f, false);
}

/* An answer on its way to a call that is cancelled is counted for no other. */
static void an_answer_crosses_a_cancel(void **state) {
  (void)state;
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  for (int i = 0; i < 5; i++)
    deferred_gives(&f,
                   "await new Deferred(async () => { const gone = new Deferred(() => 1);"
                   " gone.catch(() => {}); const kept = test.later(60); await sleep(0);"
                   " const t = performance.now(); while (performance.now() - t < 20);"
                   " gone.cancel(); await sleep(1); return kept; })",
                   "60");
  deferred_fixture_close(&f, false);
}

/* Answers that a task does not come to read hold no shared memory. */
static void answers_nobody_reads(void **state) {
  (void)state;
  deferred_fixture f;
  deferred_fixture_open(&f, 3, 0);
  deferred_gives(&f,
                 "const d = Deferred.run(async (m) => { for (let i = 0; i < 8; i++)"
                 " new Deferred((m) => m, m).then(() => { for (;;); });"
                 " const t = performance.now(); while (performance.now() - t < 10);"
                 " await sleep(1000); }, [new SharedArrayBuffer(8)], { runTimeout: 30 });"
                 "await d.catch((e) => e.name)",
                 "\"TimeoutError\"");
  deferred_fixture_close(&f, false);
  assert_int_equal(shared_in_flight(), 0);
}

/* Nor do calls that the run does not come to make, one message each or all in one. */
static void calls_nobody_takes(void **state) {
  (void)state;
  static const char *const scripts[] = {
      "for (let i = 0; i < 4; i++) new Deferred((m) => m, new SharedArrayBuffer(8));"
      "await sleep(9)",
      "for (let i = 0; i < 4; i++) new Deferred((m) => 1, new SharedArrayBuffer(8),"
      " 'x'.repeat(300000)); await sleep(9)",
  };
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
    subject s;
    subject_init(&s, &f.run);
    s.limits.concurrent_max = 0;
    s.limits.operations_max = 1;
    assert_true(deferred_try_run(&f, &s, scripts[i]));
    until_done(&s);
    assert_int_equal(s.kind, RUN_KIND_OPERATIONS);
    subject_close(&s);
  }
  deferred_fixture_close(&f, false);
  assert_int_equal(shared_in_flight(), 0);
}

static void until_idle(deferred_fixture *f) {
  while (deferred_counts_of(f->deferred).running > 0)
    turn_without_waiting(&f->run);
}

/* Half of the cancels tell within that. */
static void cancel_is_told_at_once(void **state) {
  (void)state;
  deferred_fixture f;
  subject s;
  deferred_fixture_open(&f, 1, 0);
  deferred_open_run(
      &f, &s,
      "const told = [], next = []; const stay = (m) => { const a = new Int32Array(m);"
      " Atomics.store(a, 0, 1); for (;;); };"
      "for (let i = 0; i < 20; i++) { const m = new SharedArrayBuffer(4), a = new Int32Array(m);"
      " const d = new Deferred(stay, m); while (!Atomics.load(a, 0)) await sleep(0);"
      " const t = performance.now(); d.cancel(); await d.catch(() => {});"
      " told.push(performance.now() - t); await new Deferred(() => 1);"
      " next.push(performance.now() - t); }"
      "const middle = (l) => l.sort((a, b) => a - b)[10];"
      "console.log(`told ${middle(told).toFixed(3)} ms, next ${middle(next).toFixed(3)} ms`);"
      "[middle(told) < 50, middle(next) < 500]");
  ends_with_value(&s, "[true,true]");
  print_message("%s", s.log);
  subject_close(&s);
  until_idle(&f);
  deferred_fixture_close(&f, false);
}

static void a_cancel_harms_nobody_else(void **state) {
  (void)state;
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  deferred_gives(
      &f,
      "const m = new Int32Array(new SharedArrayBuffer(8));"
      "const loop = new Deferred((m) => { Atomics.store(m, 0, 1); for (;;); }, m);"
      "const neighbour = new Deferred((m) => { Atomics.store(m, 1, 1); let n = 0; const t ="
      " performance.now(); while (performance.now() - t < 30) n++; return n > 0; }, m);"
      "const queued = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => new Deferred((x) => x * x, n));"
      "while (!Atomics.load(m, 0) || !Atomics.load(m, 1)) await sleep(0);"
      "loop.cancel('stop'); [await loop.catch((e) => e), await neighbour,"
      " (await Promise.all(queued)).join()]",
      "[\"stop\",true,\"1,4,9,16,25,36,49,64\"]");
  deferred_fixture_close(&f, false);
}

/* Jobs that a function had queued when it was stopped never run: not in the next one on
 * its thread either, which finds globals as a fresh worker has them. */
static void jobs_of_the_stopped_are_gone(void **state) {
  (void)state;
#define LEAVE                                                                                      \
  "const m = new Int32Array(new SharedArrayBuffer(4)), on = { affinity: 'k' };"                    \
  "const begun = async () => { while (!Atomics.load(m, 0)) await sleep(0); };"                     \
  "const next = () => Deferred.run(async () => { await null; await sleep(1);"                      \
  " return globalThis.leak ?? 'nothing'; }, [], on);"                                              \
  "const leave = (m) => { globalThis.leak = 'its own';"                                            \
  " Promise.resolve().then(() => { globalThis.leak = 'of a job'; });"                              \
  " queueMicrotask(() => { globalThis.leak = 'of a microtask'; });"                                \
  " Atomics.store(m, 0, 1); for (;;); };"
  static const char *const scripts[][2] = {
      {LEAVE "const d = Deferred.run(leave, [m], on); await begun(); d.cancel();"
             "[await d.catch((e) => e.name), await next()]",
       "[\"AbortError\",\"nothing\"]"},
      {LEAVE "const d = Deferred.run(leave, [m], { ...on, timeout: 30 });"
             "[await d.catch((e) => e.name), await next()]",
       "[\"TimeoutError\",\"nothing\"]"},
      {LEAVE "const d = Deferred.run(leave, [m], { ...on, runTimeout: 30 });"
             "[await d.catch((e) => e.name), await next()]",
       "[\"TimeoutError\",\"nothing\"]"},
      /* in a later turn, with a timer and a call that are pending */
      {LEAVE "const d = Deferred.run(async (m) => { setTimeout(() => { globalThis.leak = 1; }, 0);"
             " test.later(20).then(() => { globalThis.leak = 2; }); await sleep(1);"
             " queueMicrotask(() => { globalThis.leak = 3; }); Atomics.store(m, 0, 1); for (;;); },"
             " [m], on); await begun(); d.cancel(); [await d.catch((e) => e.name), await next()]",
       "[\"AbortError\",\"nothing\"]"},
  };
#undef LEAVE
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
    deferred_gives(&f, scripts[i][0], scripts[i][1]);
  deferred_fixture_close(&f, false);
}

/* Progress is told while the function is at it. */
static void progress_in_a_long_turn(void **state) {
  (void)state;
  deferred_fixture f;
  deferred_fixture_open(&f, 1, 0);
  deferred_gives(&f,
                 "const m = new Int32Array(new SharedArrayBuffer(4));"
                 "const d = new Deferred((m) => { Deferred.progress('half');"
                 " while (!Atomics.load(m, 0)); return 'whole'; }, m); let seen;"
                 "d.onprogress = (v) => { seen = v; Atomics.store(m, 0, 1); }; [await d, seen]",
                 "[\"whole\",\"half\"]");
  deferred_fixture_close(&f, false);
}

/* 64 threads are given up; what is stuck after them keeps its place, and all goes on
 * when they return. */
static void many_are_stuck(void **state) {
  (void)state;
  deferred_fixture f;
  subject s;
  deferred_fixture_open(&f, 2, 0);
  deferred_open_run(
      &f, &s,
      "const m = new Int32Array(new SharedArrayBuffer(4)); const all = []; let begun = 0;"
      "for (let i = 0; i < 70; i++) { const d = new Deferred((m) => { Deferred.progress(1);"
      " Atomics.wait(m, 0, 0); }, m); all.push(d); d.onprogress = () => {"
      " d.cancel(); if (++begun === 66) test.hold(2); }; }"
      "const settled = Promise.allSettled(all); await test.hold(1);"
      "Atomics.store(m, 0, 1); Atomics.notify(m, 0); const ends = await settled;"
      "[ends.filter((e) => e.status === 'rejected').length >= 66, await new Deferred(() => 'on')]");
  while (deferred_counts_of(f.deferred).retired < 64 ||
         deferred_counts_of(f.deferred).running < 2 || f.run.held_count < 2)
    turn_without_waiting(&f.run);
  let_pass(60); /* longer than the patience with one more */
  for (int i = 0; i < 10; i++)
    turn_without_waiting(&f.run);
  assert_int_equal(deferred_counts_of(f.deferred).retired, 64);
  assert_int_equal(deferred_counts_of(f.deferred).queued, 4);
  answer_all_held(&f.run);
  ends_with_value(&s, "[true,\"on\"]");
  subject_close(&s);
  deferred_fixture_close(&f, false); /* waits for all 64 */
}

static void too_deep(void **state) {
  (void)state;
  deferred_fixture f;
  deferred_fixture_open(&f, 2, 0);
  deferred_gives(
      &f,
      "const down = function down(n) { return n ? new Deferred(down, n - 1) : 'deep'; };"
      "[await new Deferred(down, 100), await new Deferred(down, 400).catch((e) =>"
      " [e.name, e.message]), await new Deferred(() => 'on')]",
      "[\"deep\",[\"RangeError\",\"Deferred: too many functions wait for functions that they"
      " have deferred\"],\"on\"]");
  deferred_fixture_close(&f, false);
}

/* Threads that have nothing to do for ten seconds end. */
static void idle_threads_end(void **state) {
  (void)state;
  const struct timespec moment = {0, 20000000};
  deferred_fixture f;
  deferred_fixture_open(&f, 3, 0);
  deferred_gives(&f, "(await Promise.all([1, 2, 3].map((n) => new Deferred((x) => x, n)))).length",
                 "3");
  assert_true(deferred_counts_of(f.deferred).threads > 0);
  while (deferred_counts_of(f.deferred).threads > 0)
    nanosleep(&moment, NULL); /* between looks */
  deferred_gives(&f, "await new Deferred(() => 'again')", "\"again\"");
  deferred_fixture_close(&f, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_values),
      cmocka_unit_test(nobody_holds_it),
      cmocka_unit_test(its_owner_has_ended),
      cmocka_unit_test(an_answer_crosses_a_cancel),
      cmocka_unit_test(answers_nobody_reads),
      cmocka_unit_test(calls_nobody_takes),
      cmocka_unit_test(cancel_is_told_at_once),
      cmocka_unit_test(a_cancel_harms_nobody_else),
      cmocka_unit_test(jobs_of_the_stopped_are_gone),
      cmocka_unit_test(progress_in_a_long_turn),
      cmocka_unit_test(many_are_stuck),
      cmocka_unit_test(too_deep),
      cmocka_unit_test(idle_threads_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
