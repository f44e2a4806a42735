/* When a task is tried again, and after what time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task/task_retry.h"

#define MS UINT64_C(1000000)

static void faults(void **state) {
  (void)state;
  assert_null(task_retry_fault(&(vow_task_retry){0}));
  assert_null(task_retry_fault(&(vow_task_retry){.jitter_percent = 100, .errors = "A, B ,C"}));
  assert_non_null(task_retry_fault(&(vow_task_retry){.jitter_percent = 101}));
  static const char *const lists[] = {"", " ", ",", "A,", ",A", "A,,B", "A, ,B"};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    assert_non_null(task_retry_fault(&(vow_task_retry){.errors = lists[i]}));
}

static void attempts_are_counted(void **state) {
  (void)state;
  assert_false(task_retry_wanted(&(vow_task_retry){0}, 1, "Error"));
  assert_false(task_retry_wanted(&(vow_task_retry){.attempts = 1}, 1, "Error"));
  assert_true(task_retry_wanted(&(vow_task_retry){.attempts = 3}, 2, "Error"));
  assert_false(task_retry_wanted(&(vow_task_retry){.attempts = 3}, 3, "Error"));
  assert_true(task_retry_wanted(&(vow_task_retry){.attempts = UINT32_MAX}, UINT32_MAX - 1, "E"));
}

static void only_errors_that_are_named(void **state) {
  (void)state;
  const vow_task_retry retry = {.attempts = 2, .errors = "NetError, std::bad_alloc ,ApiError"};
  assert_true(task_retry_wanted(&retry, 1, "NetError"));
  assert_true(task_retry_wanted(&retry, 1, "std::bad_alloc"));
  assert_true(task_retry_wanted(&retry, 1, "ApiError"));
  assert_false(task_retry_wanted(&retry, 1, "Net"));
  assert_false(task_retry_wanted(&retry, 1, "NetErrors"));
  assert_false(task_retry_wanted(&retry, 1, "TypeError"));
  assert_false(task_retry_wanted(&retry, 1, ""));
}

static uint64_t delay(const vow_task_retry *retry, uint32_t attempts) {
  uint64_t ns = task_retry_delay_ns(retry, attempts, 0x0123456789abcdefu);
  assert_int_equal(ns % MS, 0);
  return ns / MS;
}

static void delays_grow(void **state) {
  (void)state;
  const vow_task_retry same = {.delay_ms = 100}, one = {.delay_ms = 100, .backoff = 1};
  const vow_task_retry triple = {.delay_ms = 100, .backoff = 3, .delay_max_ms = 1000};
  assert_int_equal(delay(&(vow_task_retry){.backoff = 9}, 5), 0);
  assert_int_equal(delay(&same, 7), 100);
  assert_int_equal(delay(&one, 7), 100);
  assert_int_equal(delay(&triple, 1), 100);
  assert_int_equal(delay(&triple, 2), 300);
  assert_int_equal(delay(&triple, 3), 900);
  assert_int_equal(delay(&triple, 4), 1000);
  assert_int_equal(delay(&triple, UINT32_MAX), 1000);
  assert_int_equal(delay(&(vow_task_retry){.delay_ms = 100, .delay_max_ms = 30}, 1), 30);
}

static void the_longest_delays_do_not_wrap(void **state) {
  (void)state;
  const vow_task_retry doubled = {.delay_ms = 1, .backoff = 2};
  const vow_task_retry most = {.delay_ms = UINT64_MAX, .backoff = UINT32_MAX};
  for (uint32_t attempts = 1; attempts < 200; attempts++)
    assert_true(task_retry_delay_ns(&doubled, attempts, 0) <=
                task_retry_delay_ns(&doubled, attempts + 1, 0));
  assert_int_equal(task_retry_delay_ns(&doubled, UINT32_MAX, 0), UINT64_MAX);
  assert_int_equal(task_retry_delay_ns(&most, 9, 0), UINT64_MAX);
}

static void a_part_is_left_to_chance(void **state) {
  (void)state;
  const vow_task_retry none = {.delay_ms = 100}, half = {.delay_ms = 100, .jitter_percent = 50};
  const vow_task_retry all = {.delay_ms = 100, .jitter_percent = 100};
  const vow_task_retry ever = {.delay_ms = UINT64_MAX, .jitter_percent = 100};
  uint64_t random = 7, least = UINT64_MAX, longest = 0;
  for (unsigned i = 0; i < 10000; i++) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint64_t ns = task_retry_delay_ns(&half, 1, random);
    assert_true(ns >= 50 * MS && ns <= 100 * MS);
    least = ns < least ? ns : least;
    longest = ns > longest ? ns : longest;
    assert_true(task_retry_delay_ns(&all, 1, random) <= 100 * MS);
    assert_int_equal(task_retry_delay_ns(&none, 1, random), 100 * MS);
  }
  assert_true(least < 51 * MS && longest > 99 * MS);
  assert_int_equal(task_retry_delay_ns(&all, 1, 0), 0);
  assert_int_equal(task_retry_delay_ns(&ever, 1, 5), 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(faults),
      cmocka_unit_test(attempts_are_counted),
      cmocka_unit_test(only_errors_that_are_named),
      cmocka_unit_test(delays_grow),
      cmocka_unit_test(the_longest_delays_do_not_wrap),
      cmocka_unit_test(a_part_is_left_to_chance),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
