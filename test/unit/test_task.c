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
  spec.timeout_ms = BEGUN_MS;
  vow_task *task = start_spec(&s, &spec);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_TIMED_OUT);
  assert_string_equal(result->error_type, "TimeoutError");
  assert_true(result->age_ns >= BEGUN_MS * UINT64_C(1000000));
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

typedef struct first_of_two {
  probe p; /* must stay first */
  vow_task *second;
} first_of_two;

static void cancel_second(void *argument) {
  assert_int_equal(vow_task_cancel(((first_of_two *)argument)->second), VOW_OK);
  free_probe(argument);
}

/* The runner has taken it, and ends the one before it first. */
static void cancelled_by_the_end_of_the_one_before(void **state) {
  (void)state;
  stage s;
  first_of_two first = {.p = {0}};
  probe second = {0};
  stage_open(&s, 1);
  vow_task_spec spec = probe_spec(stubborn, &first.p);
  spec.argument_free = cancel_second;
  vow_task *before = start_spec(&s, &spec);
  first.second = start(&s, nothing, &second);
  atomic_store(&first.p.go, true);
  expect_end(before, VOW_FULFILLED);
  expect_end(first.second, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(second.begun, 0);
  assert_int_equal(second.freed, 1);
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

/* ---- execution ---- */

static void look_around(vow_task_context *context, void *argument) {
  vow_task **own = argument;
  size_t len = 0;
  const void *value = vow_task_value(context, &len);
  assert_int_equal(len, 5);
  assert_memory_equal(value, "given", 5);
  assert_int_equal(vow_task_attempt(context), 1);
  assert_false(vow_task_cancelled(context));
  assert_true(vow_task_remaining_ms(context) <= 60000);
  assert_true(vow_task_remaining_ms(context) > 50000);
  *own = vow_task_self(context);
  assert_int_equal(vow_task_state(*own), VOW_RUNNING);
  assert_null(vow_task_result_of(*own));
  vow_task_succeed(context, value, len);
}

static void a_callback_sees_its_task(void **state) {
  (void)state;
  stage s;
  char bytes[] = "given";
  vow_task *own, *task;
  stage_open(&s, 1);
  vow_task_spec spec = vow_task_call_spec("look", look_around, &own);
  spec.timeout_ms = 60000;
  spec.value = bytes;
  spec.value_len = 5;
  task = start_spec(&s, &spec);
  memset(bytes, 0, sizeof bytes); /* it was copied */
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_ptr_equal(own, task);
  assert_memory_equal(vow_task_result_of(task)->value, "given", 5);
  vow_task_release(task);
  stage_close(&s);
}

static void no_limit(vow_task_context *context, void *argument) {
  (void)argument;
  size_t len = 1;
  assert_null(vow_task_value(context, &len));
  assert_int_equal(len, 0);
  assert_int_equal(vow_task_remaining_ms(context), UINT64_MAX);
}

static void without_a_limit_or_a_value(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task_spec spec = vow_task_call_spec(NULL, no_limit, NULL);
  spec.timeout_ms = 0;
  vow_task *task = start_spec(&s, &spec);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_null(vow_task_result_of(task)->value);
  vow_task_release(task);
  spec.timeout_ms = UINT64_MAX; /* does not fit */
  assert_int_equal(vow_task_run(s.pool, &spec, NULL), VOW_OK);
  stage_close(&s);
}

static void say_empty(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_succeed(context, "", 0), VOW_OK);
}

static void an_empty_value_is_a_value(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, say_empty, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_non_null(vow_task_result_of(task)->value);
  assert_int_equal(vow_task_result_of(task)->value_len, 0);
  vow_task_release(task);
  stage_close(&s);
}

/* The first reference is the starter's; what nobody holds runs all the same. */
static void references_are_counted(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  vow_task *task = start(&s, stubborn, &p);
  assert_ptr_equal(vow_task_retain(task), task);
  vow_task_release(task);
  atomic_store(&p.go, true);
  expect_end(task, VOW_FULFILLED);
  vow_task_spec spec = probe_spec(nothing, &p);
  assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_OK);
  vow_task_release(NULL);
  stage_close(&s);
  assert_int_equal(p.freed, 2);
}

static void a_task_outlives_its_pool(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  int number = 1;
  vow_task *task = start_with(&s, double_it, &number);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_int_equal(vow_task_wait(task, 0), VOW_OK);
  assert_int_equal(vow_task_cancel(task), VOW_LATE);
  assert_memory_equal(vow_task_result_of(task)->value, "done", 4);
  assert_true(s.memory.blocks > 0);
  vow_task_release(task);
  assert_int_equal(s.memory.blocks, 0);
}

/* ---- what is wrong ---- */

static void a_spec_is_checked(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  vow_task *task = (vow_task *)&s;
  stage_open(&s, 1);
  vow_task_spec spec = probe_spec(NULL, &p);
  assert_int_equal(vow_task_start(s.pool, &spec, &task), VOW_E_INVALID);
  assert_null(task);
  assert_non_null(strstr(vow_task_pool_message(s.pool), "callback"));
  spec = probe_spec(nothing, &p);
  spec.value_len = 1;
  assert_int_equal(vow_task_start(s.pool, &spec, &task), VOW_E_INVALID);
  assert_non_null(strstr(vow_task_pool_message(s.pool), "value"));
  spec.value_len = 0;
  spec.size = 3;
  assert_int_equal(vow_task_start(s.pool, &spec, &task), VOW_E_INVALID);
  spec.size = sizeof spec;
  assert_int_equal(vow_task_run(s.pool, &spec, NULL), VOW_OK);
  assert_string_equal(vow_task_pool_message(s.pool), "");
  stage_close(&s);
  assert_int_equal(p.freed, 1);
}

/* A program of an older version knows fewer fields, one of a newer version more. */
static void specs_of_other_versions(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  struct {
    vow_task_spec spec;
    uint64_t more;
  } newer = {.more = 0};
  stage_open(&s, 1);
  newer.spec = probe_spec(nothing, &p);
  newer.spec.size = sizeof newer;
  assert_int_equal(vow_task_run(s.pool, &newer.spec, NULL), VOW_OK);
  newer.more = 1;
  assert_int_equal(vow_task_run(s.pool, &newer.spec, NULL), VOW_E_INVALID);
  newer.spec.size = offsetof(vow_task_spec, members);
  newer.spec.members = (void *)&s; /* is not read */
  assert_int_equal(vow_task_run(s.pool, &newer.spec, NULL), VOW_OK);
  stage_close(&s);
}

static void fail_badly(vow_task_context *context, void *argument) {
  (void)argument;
  static char long_text[20000];
  memset(long_text, 'x', sizeof long_text - 1);
  memcpy(long_text + 126, "\xe2\x82\xac", 3); /* a character across the 128th byte */
  assert_int_equal(vow_task_fail(context, long_text, "bad \xff text", long_text), VOW_OK);
}

static void texts_of_errors_are_cut_and_made_good(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, fail_badly, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(strlen(result->error_type), 126);
  assert_string_equal(result->error_message, "bad \xef\xbf\xbd text");
  assert_int_equal(strlen(result->error_detail), 16384);
  vow_task_release(task);
  stage_close(&s);
}

static void fail_without_texts(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_fail(context, NULL, NULL, NULL), VOW_OK);
}

static void an_error_has_a_type_and_a_message(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, fail_without_texts, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_string_equal(vow_task_result_of(task)->error_type, "Error");
  assert_string_equal(vow_task_result_of(task)->error_message, "");
  assert_null(vow_task_result_of(task)->error_detail);
  vow_task_release(task);
  stage_close(&s);
}

/* ---- time limits ---- */

static void a_wait_has_a_limit_of_its_own(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  vow_task *task = start(&s, stubborn, &p);
  assert_int_equal(vow_task_wait(task, 0), VOW_E_TIME);
  assert_int_equal(vow_task_wait(task, 5), VOW_E_TIME);
  assert_true(vow_task_state(task) < VOW_FULFILLED);
  atomic_store(&p.go, true);
  expect_end(task, VOW_FULFILLED);
  stage_close(&s);
}

static void a_limit_holds_while_it_waits_for_a_thread(void **state) {
  (void)state;
  stage s;
  probe busy = {0}, p = {0};
  stage_open(&s, 1);
  vow_task *first = start(&s, stubborn, &busy);
  await_count(&busy.begun, 1);
  vow_task_spec spec = probe_spec(nothing, &p);
  spec.timeout_ms = 10;
  expect_end(start_spec(&s, &spec), VOW_TIMED_OUT);
  atomic_store(&busy.go, true);
  expect_end(first, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(p.begun, 0);
  assert_int_equal(p.freed, 1);
}

/* A later one with a nearer limit: the keeper sleeps for the first one's. */
static void limits_in_any_order(void **state) {
  (void)state;
  static const uint64_t limits[] = {500000, 40, 10, 200000, 20, 5, 30};
  vow_task *tasks[7];
  stage s;
  probe p = {0};
  stage_open(&s, 7);
  for (size_t i = 0; i < 7; i++) {
    vow_task_spec spec = probe_spec(obedient, &p);
    spec.timeout_ms = limits[i];
    tasks[i] = start_spec(&s, &spec);
  }
  for (size_t i = 0; i < 7; i++)
    if (limits[i] < 100)
      expect_end(tasks[i], VOW_TIMED_OUT);
  assert_int_equal(counts_of(&s).live, 2);
  assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
  expect_end(tasks[0], VOW_OP_CANCELLED);
  expect_end(tasks[3], VOW_OP_CANCELLED);
  stage_close(&s);
}

/* ---- cancelling ---- */

static void cancelled_after_it_has_settled(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, nothing, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_cancel(task), VOW_LATE);
  expect_end(task, VOW_FULFILLED);
  stage_close(&s);
}

static void note_stop(void *user) {
  atomic_fetch_add((atomic_uint *)user, 1);
}

typedef struct told {
  probe p;
  atomic_uint first, second;
} told;

static void tell_me(vow_task_context *context, void *argument) {
  told *t = argument;
  vow_task_on_stop(context, note_stop, &t->first);
  vow_task_on_stop(context, note_stop, &t->second); /* takes its place */
  atomic_fetch_add(&t->p.begun, 1);
  assert_false(vow_task_sleep(context, 1000000));
  assert_true(vow_task_cancelled(context));
  assert_int_equal(vow_task_remaining_ms(context), 0);
  assert_false(vow_task_sleep(context, 0));
  vow_task_on_stop(context, note_stop, &t->first); /* at once */
  vow_task_on_stop(context, NULL, NULL);
}

static void who_asks_is_told_to_stop(void **state) {
  (void)state;
  stage s;
  told t = {.first = 0};
  stage_open(&s, 1);
  vow_task *task = start(&s, tell_me, &t.p);
  await_count(&t.p.begun, 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  expect_end(task, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(t.first, 1);
  assert_int_equal(t.second, 1);
}

static void cancel_itself(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_cancel(vow_task_self(context)), VOW_OK);
  assert_true(vow_task_cancelled(context));
  assert_int_equal(vow_task_succeed(context, "late", 4), VOW_OK);
}

static void a_callback_cancels_itself(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  expect_end(start(&s, cancel_itself, NULL), VOW_OP_CANCELLED);
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED); /* behind its return */
  assert_int_equal(counts_of(&s).late, 1);
  stage_close(&s);
}

static void sleep_a_little(vow_task_context *context, void *argument) {
  uint64_t start = uv_hrtime();
  assert_true(vow_task_sleep(context, 5));
  *(uint64_t *)argument = uv_hrtime() - start;
}

static void a_sleep_lasts(void **state) {
  (void)state;
  stage s;
  uint64_t slept = 0;
  stage_open(&s, 1);
  vow_task *task = start_with(&s, sleep_a_little, &slept);
  expect_end(task, VOW_FULFILLED);
  assert_true(slept >= 5000000);
  stage_close(&s);
}

/* ---- guard ---- */

static void a_guard_cancels_and_waits(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  {
    VOW_TASK_GUARD(task) = start(&s, obedient, &p);
    await_count(&p.begun, 1);
    assert_int_equal(vow_task_state(task), VOW_RUNNING);
  }
  assert_int_equal(p.returned, 1);
  assert_int_equal(counts_of(&s).cancelled, 1);
  {
    VOW_TASK_GUARD(task) = NULL;
    assert_null(task);
  }
  {
    VOW_TASK_GUARD(task) = start(&s, nothing, NULL);
    assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  }
  assert_int_equal(counts_of(&s).fulfilled, 1);
  stage_close(&s);
}

/* Not longer than the pool's patience. */
static void a_guard_does_not_wait_for_ever(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 20});
  {
    VOW_TASK_GUARD(task) = start(&s, stubborn, &p);
    (void)task;
    await_count(&p.begun, 1);
  }
  assert_int_equal(p.returned, 0);
  atomic_store(&p.go, true);
  await_count(&p.returned, 1);
  vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS);
  stage_no_memory(&s);
  assert_int_equal(p.freed, 1);
}

static void note_remaining(vow_task_context *context, void *argument) {
  *(uint64_t *)argument = vow_task_remaining_ms(context);
}

static void who_says_nothing_has_thirty_seconds(void **state) {
  (void)state;
  stage s;
  uint64_t remaining = 0;
  stage_open(&s, 1);
  vow_task_spec spec = vow_task_call_spec("plain", note_remaining, &remaining);
  assert_int_equal(spec.timeout_ms, 30000);
  expect_end(start_spec(&s, &spec), VOW_FULFILLED);
  assert_in_range(remaining, 1, 30000);
  assert_int_equal(vow_task_group_spec("none", VOW_TASK_PARALLEL, NULL, 0).timeout_ms, 30000);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_says_nothing_has_thirty_seconds),
      cmocka_unit_test(a_callback_runs_and_its_value_comes),
      cmocka_unit_test(a_failure_comes_with_its_texts),
      cmocka_unit_test(a_time_limit_ends_it),
      cmocka_unit_test(cancelled_while_it_runs),
      cmocka_unit_test(cancelled_before_it_begins),
      cmocka_unit_test(cancelled_by_the_end_of_the_one_before),
      cmocka_unit_test(many_tasks_end),
      cmocka_unit_test(a_callback_sees_its_task),
      cmocka_unit_test(without_a_limit_or_a_value),
      cmocka_unit_test(an_empty_value_is_a_value),
      cmocka_unit_test(references_are_counted),
      cmocka_unit_test(a_task_outlives_its_pool),
      cmocka_unit_test(a_spec_is_checked),
      cmocka_unit_test(specs_of_other_versions),
      cmocka_unit_test(texts_of_errors_are_cut_and_made_good),
      cmocka_unit_test(an_error_has_a_type_and_a_message),
      cmocka_unit_test(a_wait_has_a_limit_of_its_own),
      cmocka_unit_test(a_limit_holds_while_it_waits_for_a_thread),
      cmocka_unit_test(limits_in_any_order),
      cmocka_unit_test(cancelled_after_it_has_settled),
      cmocka_unit_test(who_asks_is_told_to_stop),
      cmocka_unit_test(a_callback_cancels_itself),
      cmocka_unit_test(a_sleep_lasts),
      cmocka_unit_test(a_guard_cancels_and_waits),
      cmocka_unit_test(a_guard_does_not_wait_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
