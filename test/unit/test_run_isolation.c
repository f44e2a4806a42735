/* What one run leaves for the next: nothing. Memories are recycled only after
 * runs that ended well, and every run has seeds of its own. */
#include "sandbox/run_int.h"
#include "unit/run_fixture.h"

static void only_runs_that_end_well_are_recycled(void **state) {
  static const struct {
    const char *source;
    run_kind kind;
    bool recycled;
  } cases[] = {
      {"1", RUN_KIND_NONE, true},
      {"await test.later(1)", RUN_KIND_NONE, true},
      {"throw 1", RUN_KIND_SCRIPT, true},
      {"syntax error", RUN_KIND_SCRIPT, true},
      {"await test.fail(1)", RUN_KIND_API, true},
      {"await new Promise(() => {})", RUN_KIND_DEADLOCK, true},
      {"for (;;);", RUN_KIND_CPU, false},
      {"await test.hold(1)", RUN_KIND_TIMEOUT, false},
      {"const a = []; for (;;) a.push(new Uint8Array(1 << 20))", RUN_KIND_MEMORY, false},
      {"try { new Uint8Array(1 << 30) } catch {} 1", RUN_KIND_MEMORY, false},
      {"const f = () => f() + 1; f()", RUN_KIND_STACK, false},
      {"for (;;) await test.echo(1)", RUN_KIND_OPERATIONS, false},
      {"'x'.repeat(5000)", RUN_KIND_RESULT, false},
      {"console.log('x'.repeat(5000))", RUN_KIND_OUTPUT, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    run_fixture f;
    subject s;
    fixture_open(&f, state);
    subject_init(&s, &f);
    s.leaks = cases[i].kind == RUN_KIND_TIMEOUT ? "test.hold" : NULL;
    s.limits.operations_max = 10;
    s.limits.result_bytes = s.limits.log_bytes = 1000;
    if (cases[i].kind == RUN_KIND_CPU)
      s.limits.cpu_ms = 5;
    if (cases[i].kind == RUN_KIND_TIMEOUT)
      s.limits.wall_ms = BEGUN_MS;
    subject_open(&s, cases[i].source);
    ends_with_kind(&s, cases[i].kind);
    subject_close(&s);
    engine_counts counts = engine_counts_of(shard_engine(f.shard));
    assert_int_equal(counts.recycled, cases[i].recycled);
    assert_int_equal(counts.discarded, !cases[i].recycled);
    answer_all_held(&f);
    fixture_close(&f);
  }
}

static void a_cancelled_run_is_not_recycled(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  for (int i = 0; i < 2; i++) {
    subject_init(&s, &f);
    s.leaks = "test.hold";
    subject_open(&s, "await test.hold(1)");
    until_started(&f, (unsigned)i + 1);
    if (i == 0)
      run_cancel(s.run);
    subject_close(&s);
  }
  assert_int_equal(engine_counts_of(shard_engine(f.shard)).recycled, 0);
  answer_all_held(&f);
  fixture_close(&f);
}

/* ---- seeds ---- */

static void each_run_has_its_own_random_numbers(void **state) {
  enum { RUNS = 20 };
  static char values[RUNS][256];
  run_fixture f;
  fixture_open(&f, state);
  for (int i = 0; i < RUNS; i++) {
    subject s;
    subject_init(&s, &f);
    subject_open(&s, "[Math.random(), Math.random()].join()");
    until_done(&s);
    assert_int_equal(s.outcome, RUN_VALUE);
    memcpy(values[i], s.value, sizeof values[i]);
    for (int k = 0; k < i; k++)
      assert_string_not_equal(values[k], values[i]);
    subject_close(&s);
  }
  fixture_close(&f);
}

static int by_bytes(const void *a, const void *b) {
  return memcmp(a, b, 12);
}

/* Random state and hash seed of a run, as they go into its first message. */
static void seeds_never_repeat(void **state) {
  enum { SEEDS = 5000 };
  static uint8_t seeds[SEEDS][12];
  run_fixture f;
  fixture_open(&f, state);
  uint8_t ored[12] = {0}, anded[12];
  memset(anded, 255, sizeof anded);
  for (int i = 0; i < SEEDS; i++) {
    shard_seeds(f.shard, seeds[i]);
    for (int k = 0; k < 12; k++) {
      ored[k] |= seeds[i][k];
      anded[k] &= seeds[i][k];
    }
  }
  for (int k = 0; k < 12; k++) { /* every bit is sometimes set and sometimes not */
    assert_int_equal(ored[k], 255);
    assert_int_equal(anded[k], 0);
  }
  qsort(seeds, SEEDS, sizeof seeds[0], by_bytes);
  for (int i = 1; i < SEEDS; i++)
    assert_memory_not_equal(seeds[i - 1], seeds[i], 12);
  fixture_close(&f);
}

/* ---- state ---- */

static void globals_and_prototypes_are_fresh(void **state) {
  static const char spoil[] =
      "Object.prototype.left = 1; globalThis.left = 2; Array.prototype.map = null;"
      "Promise.prototype.then = () => {}; test.echo = null; JSON.stringify = () => 'mine';"
      "Symbol.for('left'); Object.defineProperty(Math, 'random', {value: () => 0.5}); 1";
  static const char look[] =
      "const t = typeof ({}).left + typeof globalThis.left + typeof [].map + typeof test.echo;"
      "t + (Math.random() === 0.5) + await test.echo('x')";
  run_fixture f;
  fixture_open(&f, state);
  for (int i = 0; i < 5; i++) {
    subject s;
    subject_init(&s, &f);
    subject_open(&s, spoil);
    until_done(&s);
    subject_close(&s);
    subject_init(&s, &f);
    subject_open(&s, look);
    ends_with_value(&s, "\"undefinedundefinedfunctionfunctionfalsex\"");
    subject_close(&s);
  }
  fixture_close(&f);
}

static size_t count_secret(const subject *s, const char *secret) {
  size_t len, found = 0;
  const uint8_t *at = engine_memory_bytes(s->run->instance, &len), *end = at + len;
  while ((at = memmem(at, (size_t)(end - at), secret, strlen(secret)))) {
    at++;
    found++;
  }
  return found;
}

/* By way of the whole run: source, context, arguments, answers, log, value. */
static void nothing_of_a_run_is_in_the_next_memory(void **state) {
  static const char secret[] = "Rq7f-nothing-else-looks-like-this-Zz9";
  char source[300];
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  snprintf(source, sizeof source,
           "const k = '%s'; console.log(k); globalThis[k] = await test.echo({[k]: k});"
           "await test.hold(1); k",
           secret);
  subject_init(&s, &f);
  subject_open(&s, source);
  until_started(&f, 1);
  assert_true(count_secret(&s, secret) > 2);
  answer_held(&f, 0);
  until_done(&s);
  subject_close(&s);
  assert_int_equal(engine_counts_of(shard_engine(f.shard)).recycled, 1);

  subject_init(&s, &f);
  subject_open(&s, "await test.hold(1)");
  assert_int_equal(count_secret(&s, secret), 0);
  until_started(&f, 2);
  assert_int_equal(count_secret(&s, secret), 0);
  answer_all_held(&f);
  until_done(&s);
  subject_close(&s);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_WASM(only_runs_that_end_well_are_recycled),
      ON_WASM(a_cancelled_run_is_not_recycled),
      ON_BOTH(each_run_has_its_own_random_numbers),
      ON_BOTH(seeds_never_repeat),
      ON_BOTH(globals_and_prototypes_are_fresh),
      ON_WASM(nothing_of_a_run_is_in_the_next_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
