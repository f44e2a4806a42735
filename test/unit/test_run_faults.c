/* Every allocation of a scenario fails once, and then everything from it on:
 * a typed error or a clean failure, no crash, nothing left. */
#include "unit/run_fixture.h"

#define RUNS 3

/* Every kind of operation, timers, output, a value. */
static const char everything[] =
    "const t = setTimeout(() => {}, 60000); clearTimeout(t); console.log('line');"
    "const failed = test.fail(1).catch(e => e.name);"
    "for (let i = 0; i < 12; i++) setTimeout(() => {}, i % 2);"
    "(await Promise.all([test.echo({a: 1}), test.later(1), test.pool('p'), failed])).join()";
/* An error with a trace and an operation behind it. */
static const char failing[] = "await test.echo('x'.repeat(20000)); await test.fail(1)";
/* Waits until it is cancelled; large enough for messages of their own. */
static const char waiting[] = "console.log('y'.repeat(20000));"
                              "await Promise.all([test.hold('z'.repeat(20000)), test.polite(1)])";

static const char *const sources[RUNS] = {everything, failing, waiting};

/* What a run may come to when memory of the host is short: what it would have
 * come to, or a word about memory. An operation may fail by itself. */
static void expect_typed(const subject *s, size_t which) {
  switch (s->kind) {
  case RUN_KIND_NONE:
    assert_int_equal(which, 0);
    break;
  case RUN_KIND_API:
  case RUN_KIND_MEMORY:
    break;
  case RUN_KIND_INTERNAL: /* the copy of the message may be what failed */
    if (s->message[0])
      assert_string_equal(s->message, "the host is out of memory");
    break;
  case RUN_KIND_CANCELLED:
    assert_int_equal(which, 2);
    break;
  default:
    fail_msg("run %zu ended as %s: %s", which, run_kind_text(s->kind), s->message);
  }
}

static void write_report(subject *s) {
  char *text = run_report_json(&s->report, NULL, &s->f->allocator);
  mem_free(&s->f->allocator, text);
}

static void drive(run_fixture *f) {
  subject subjects[RUNS];
  for (size_t i = 0; i < RUNS; i++) {
    subject_init(&subjects[i], f);
    subjects[i].leaks = ANY_LEAKS;
    subjects[i].when_done = write_report;
    if (!subject_try(&subjects[i], sources[i], strlen(sources[i])))
      subjects[i].run = NULL;
  }
  for (size_t i = 0; i < RUNS; i++) {
    subject *s = &subjects[i];
    while (s->run && !s->done) {
      if (f->started == 2 && subjects[2].run && run_alive(subjects[2].run))
        run_cancel(subjects[2].run);
      else
        shard_turn(f->shard);
    }
    if (s->run)
      expect_typed(s, i);
  }
  for (size_t i = 0; i < RUNS; i++)
    subject_close(&subjects[i]);
  answer_all_held(f);
}

/* False when the scenario needs fewer than `nth` allocations. */
static bool scenario(engine_kind engine, size_t nth, bool for_ever) {
  run_fixture f = {.counting = {.fail_at = nth, .for_ever = for_ever}};
  fixture_try(&f, engine);
  if (f.shard) {
    drive(&f);
    fixture_close(&f);
  }
  assert_int_equal(f.counting.blocks, 0);
  return f.counting.calls >= nth;
}

static void each_allocation_fails(engine_kind engine, bool for_ever) {
  size_t nth = 1;
  while (scenario(engine, nth, for_ever))
    nth++;
  assert_true(nth > 30); /* there is something to fail */
  print_message("%zu allocations\n", nth - 1);
}

static void each_allocation_fails_once(void **state) {
  each_allocation_fails(*(const engine_kind *)*state, false);
}

static void from_each_allocation_on_all_fail(void **state) {
  each_allocation_fails(*(const engine_kind *)*state, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(each_allocation_fails_once),
      ON_BOTH(from_each_allocation_on_all_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
