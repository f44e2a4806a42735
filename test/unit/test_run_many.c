/* 100,000 operations in one run: memory does not grow by their number once they are
 * settled, and is bounded by it while they live. */
#include "unit/run_fixture.h"

#define OPERATIONS 100000
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number
/* A block for each operation would be 99,000 of them; a collector's rhythm is less. */
#define BLOCKS_APART 4096

static void open_many(run_fixture *f, subject *s, void **state) {
  fixture_open(f, state);
  subject_init(s, f);
  s->limits.operations_max = OPERATIONS + 2;
  s->limits.queue_max = OPERATIONS;
  s->limits.memory_bytes = 512u << 20;
  s->limits.cpu_ms = s->limits.wall_ms = 300000;
}

/* Blocks of memory when the script waits in test.hold for the `count`th time. */
static size_t blocks_when_held(run_fixture *f, unsigned count) {
  until_started(f, count);
  size_t blocks = f->counting.blocks;
  answer_all_held(f);
  return blocks;
}

static void settled_ones_leave_nothing(void **state) {
  run_fixture f;
  subject s;
  open_many(&f, &s, state);
  subject_open(&s,
               "for (let i = 1; i <= " TEXT(OPERATIONS) "; i++) {"
                                                        "  if (await test.echo(i) !== i) throw i;"
                                                        "  if (i === 1000 || i === " TEXT(
                                                            OPERATIONS) ") await test.hold(i);"
                                                                        "} 'done'");
  size_t early = blocks_when_held(&f, 1), late = blocks_when_held(&f, 2);
  ends_with_value(&s, "\"done\"");
  assert_in_range(late, 0, early + BLOCKS_APART);
  assert_int_equal(s.report.operations.fulfilled, OPERATIONS + 2);
  assert_int_equal(s.report.operations.running_max, 1);
  assert_in_range(s.report.memory_peak, 1, 16u << 20);
  subject_close(&s);
  fixture_close(&f);
}

static void live_ones_are_bounded(void **state) {
  run_fixture f;
  subject s;
  open_many(&f, &s, state);
  subject_open(&s, "const all = Array.from({length: " TEXT(
                       OPERATIONS) "}, (_, i) => test.echo(i));"
                                   "(await Promise.all(all)).reduce((a, b) => a + b, 0)");
  ends_with_value(&s, "4999950000");
  assert_int_equal(s.report.operations.fulfilled, OPERATIONS);
  assert_int_equal(s.events[RUN_EVENT_STARTED], OPERATIONS);
  assert_in_range(s.report.operations.running_max, 1, s.limits.concurrent_max);
  assert_in_range(s.report.memory_peak / OPERATIONS, 1, 2048);
  subject_close(&s);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(settled_ones_leave_nothing),
      ON_BOTH(live_ones_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
