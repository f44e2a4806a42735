/* Tasks one by one: what a callback gets and says, and what its starter sees. */
#include "unit/task_fixture.h"

static void double_it(vow_task_context *context, void *argument) {
  int *number = argument;
  *number *= 2;
  assert_int_equal(vow_task_succeed(context, "done", 4), VOW_OK);
  assert_int_equal(vow_task_succeed(context, "again", 5), VOW_LATE);
  assert_int_equal(vow_task_fail(context, "Error", "again", NULL), VOW_LATE);
}

static void a_callback_runs_and_its_value_comes(void **state) {
  (void)state;
  stage s;
  int number = 21;
  stage_open(&s, 2);
  vow_task_spec spec = vow_task_call_spec("double", double_it, &number);
  vow_task *task;
  assert_int_equal(vow_task_run(s.pool, &spec, &task), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(number, 42);
  assert_int_equal(result->state, VOW_FULFILLED);
  assert_int_equal(result->value_len, 4);
  assert_memory_equal(result->value, "done", 4);
  assert_null(result->error_type);
  assert_int_equal(result->attempts, 1);
  assert_true(result->age_ns >= result->run_ns);
  vow_task_release(task);
  stage_close(&s);
}

static void fail_it(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_fail(context, "RangeError", "too far", "at line 3"), VOW_OK);
}

static void a_failure_comes_with_its_texts(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, fail_it, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_REJECTED);
  assert_string_equal(result->error_type, "RangeError");
  assert_string_equal(result->error_message, "too far");
  assert_string_equal(result->error_detail, "at line 3");
  assert_null(result->value);
  vow_task_release(task);
  stage_close(&s);
}

static void a_time_limit_ends_it(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  vow_task_spec spec = probe_spec(obedient, &p);
  spec.timeout_ms = 20;
  vow_task *task = start_spec(&s, &spec);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_TIMED_OUT);
  assert_string_equal(result->error_type, "TimeoutError");
  assert_true(result->age_ns >= 20000000);
  vow_task_release(task);
  stage_close(&s);
  assert_int_equal(p.returned, 1);
  assert_int_equal(p.freed, 1);
}

static void cancelled_while_it_runs(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  vow_task *task = start(&s, obedient, &p);
  await_count(&p.begun, 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  assert_int_equal(vow_task_cancel(task), VOW_LATE);
  expect_end(task, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(p.freed, 1);
}

static void cancelled_before_it_begins(void **state) {
  (void)state;
  stage s;
  probe first = {0}, second = {0};
  stage_open(&s, 1);
  vow_task *busy = start(&s, stubborn, &first);
  await_count(&first.begun, 1);
  vow_task *waits = start(&s, nothing, &second);
  assert_int_equal(vow_task_state(waits), VOW_PENDING);
  assert_int_equal(vow_task_cancel(waits), VOW_OK);
  assert_int_equal(vow_task_result_of(waits)->attempts, 0);
  assert_int_equal(second.freed, 1);
  expect_end(waits, VOW_OP_CANCELLED);
  atomic_store(&first.go, true);
  expect_end(busy, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(second.begun, 0);
}

static void many_tasks_end(void **state) {
  (void)state;
  static vow_task *tasks[1000];
  stage s;
  probe p = {0};
  stage_open(&s, 4);
  for (size_t i = 0; i < 1000; i++)
    tasks[i] = start(&s, nothing, &p);
  for (size_t i = 0; i < 1000; i++)
    expect_end(tasks[i], VOW_FULFILLED);
  assert_int_equal(counts_of(&s).fulfilled, 1000);
  stage_close(&s);
  assert_int_equal(p.freed, 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_callback_runs_and_its_value_comes),
      cmocka_unit_test(a_failure_comes_with_its_texts),
      cmocka_unit_test(a_time_limit_ends_it),
      cmocka_unit_test(cancelled_while_it_runs),
      cmocka_unit_test(cancelled_before_it_begins),
      cmocka_unit_test(many_tasks_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
