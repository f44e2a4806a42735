/* Another attempt of calls and of groups; types of values, JSON in callbacks. */
#include "unit/task_group_fixture.h"

static vow_task_spec tried(const char *name, act *a, uint32_t attempts) {
  vow_task_spec spec = act_spec(name, a);
  spec.retry = (vow_task_retry){.attempts = attempts, .delay_ms = 1};
  return spec;
}

/* ---- calls ---- */

static void succeeds_at_last(void **state) {
  (void)state;
  stage s;
  act a = {.json = "\"done\"", .failures = 2};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 5);
  run_to(&s, &spec, VOW_FULFILLED, &task);
  expect_json(task, "\"done\"");
  assert_int_equal(vow_task_result_of(task)->attempts, 3);
  assert_null(vow_task_result_of(task)->error_type);
  vow_task_release(task);
  assert_int_equal(counts_of(&s).retries, 2);
  stage_close(&s);
  assert_int_equal(a.begun, 3);
  assert_int_equal(a.freed, 1);
}

static void fails_at_last(void **state) {
  (void)state;
  stage s;
  act a = {.failures = 100};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 3);
  spec.retry.errors = "ApiError, NetError";
  run_to(&s, &spec, VOW_REJECTED, &task);
  expect_error(task, "NetError", "not yet");
  assert_int_equal(vow_task_result_of(task)->attempts, 3);
  vow_task_release(task);
  stage_close(&s);
  assert_int_equal(a.freed, 1);
}

static void only_for_errors_that_are_named(void **state) {
  (void)state;
  stage s;
  act a = {.error = "OtherError"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 3);
  spec.retry.errors = "ApiError,NetError";
  run_to(&s, &spec, VOW_REJECTED, &task);
  assert_int_equal(vow_task_result_of(task)->attempts, 1);
  vow_task_release(task);
  stage_close(&s);
}

static void waits_for_its_delay(void **state) {
  (void)state;
  stage s;
  act a = {.failures = 3};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 4);
  spec.retry.delay_ms = 5;
  spec.retry.backoff = 2;
  run_to(&s, &spec, VOW_FULFILLED, &task);
  assert_true(vow_task_result_of(task)->age_ns >= 35000000);
  assert_true(vow_task_result_of(task)->run_ns < vow_task_result_of(task)->age_ns);
  vow_task_release(task);
  stage_close(&s);
}

/* Its place is free meanwhile. */
static void another_runs_between_attempts(void **state) {
  (void)state;
  stage s;
  act a = {.failures = 1}, b = {.json = "1"};
  vow_task *other;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 2), plain = act_spec("b", &b);
  spec.retry.delay_ms = 600000;
  spec.timeout_ms = 0;
  vow_task *task = start_spec(&s, &spec);
  while (counts_of(&s).retries == 0)
    uv_sleep(1);
  run_to(&s, &plain, VOW_FULFILLED, &other);
  vow_task_release(other);
  assert_int_equal(vow_task_state(task), VOW_RUNNING);
  assert_int_equal(counts_of(&s).active, 0);
  assert_int_equal(vow_task_cancel(task), VOW_OK); /* between two attempts */
  assert_int_equal(vow_task_result_of(task)->attempts, 1);
  expect_end(task, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(a.begun, 1);
  assert_int_equal(a.freed, 1);
}

static void no_attempt_that_cannot_end_in_time(void **state) {
  (void)state;
  stage s;
  act a = {.error = "NetError"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 3);
  spec.timeout_ms = 60000;
  spec.retry.delay_ms = 60000;
  run_to(&s, &spec, VOW_REJECTED, &task); /* now, not in a minute */
  assert_int_equal(vow_task_result_of(task)->attempts, 1);
  vow_task_release(task);
  stage_close(&s);
}

static void its_time_is_that_of_all_attempts(void **state) {
  (void)state;
  stage s;
  act a = {.error = "NetError"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, UINT32_MAX);
  spec.timeout_ms = BEGUN_MS;
  assert_int_equal(vow_task_run(s.pool, &spec, &task), VOW_OK);
  assert_true(vow_task_state(task) == VOW_REJECTED || vow_task_state(task) == VOW_TIMED_OUT);
  assert_true(vow_task_result_of(task)->attempts > 1);
  assert_true(vow_task_result_of(task)->age_ns < UINT64_C(20000000000));
  vow_task_release(task);
  stage_close(&s);
}

static void a_cancelled_one_is_not_tried_again(void **state) {
  (void)state;
  stage s;
  act a = {.error = "NetError", .waits = true};
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 100);
  vow_task *task = start_spec(&s, &spec);
  await_count(&a.begun, 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  expect_end(task, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(a.begun, 1);
}

static void closes_between_attempts(void **state) {
  (void)state;
  stage s;
  act a = {.failures = 1};
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 2);
  spec.retry.delay_ms = 600000;
  spec.timeout_ms = 0;
  vow_task *task = start_spec(&s, &spec);
  while (counts_of(&s).retries == 0)
    uv_sleep(1);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
  expect_end(task, VOW_OP_CANCELLED);
  assert_int_equal(a.freed, 1);
  assert_int_equal(s.memory.blocks, 0);
}

/* What was started is done first. */
static void a_graceful_close_waits_for_attempts(void **state) {
  (void)state;
  stage s;
  act a = {.failures = 3};
  stage_open(&s, 1);
  vow_task_spec spec = tried("a", &a, 4);
  vow_task_spec group = GROUP("group", VOW_TASK_PARALLEL, &spec);
  vow_task *task = start_spec(&s, &spec), *all = start_spec(&s, &group);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  expect_end(task, VOW_FULFILLED);
  expect_end(all, VOW_FULFILLED);
  assert_int_equal(a.freed, 2);
  assert_int_equal(s.memory.blocks, 0);
}

/* ---- groups ---- */

static void a_group_is_tried_again(void **state) {
  (void)state;
  stage s;
  act bad = {.json = "1", .failures = 2}, good = {.json = "2"};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = act_spec("bad", &bad), b = act_spec("good", &good);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b);
  all.retry = (vow_task_retry){.attempts = 3, .delay_ms = 1};
  run_to(&s, &all, VOW_FULFILLED, &group);
  expect_json(group, "[1,2]");
  assert_int_equal(vow_task_result_of(group)->attempts, 3);
  assert_int_equal(vow_task_result_of(vow_task_member(group, 0))->attempts, 1);
  assert_int_equal(counts_of(&s).created, 7);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(bad.begun, 3);
  assert_int_equal(good.begun, 3);
  assert_int_equal(bad.freed, 1);
  assert_int_equal(good.freed, 1);
}

static void a_race_is_tried_again(void **state) {
  (void)state;
  stage s;
  act bad = {.error = "BadError"}, late = {.json = "1", .failures = 1};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = act_spec("bad", &bad), b = act_spec("late", &late);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  race.retry = (vow_task_retry){.attempts = 2, .errors = "AggregateError"};
  run_to(&s, &race, VOW_FULFILLED, &group);
  assert_int_equal(vow_task_winner(group), 1);
  vow_task_release(group);
  race.retry.errors = "BadError";
  run_to(&s, &race, VOW_FULFILLED, &group); /* `late` has had its failure */
  vow_task_release(group);
  late.failures = 1000;
  run_to(&s, &race, VOW_REJECTED, &group);
  assert_int_equal(vow_task_result_of(group)->attempts, 1);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(bad.freed, 3);
  assert_int_equal(late.freed, 3);
}

/* A race of tried parallels of tried calls; an outer retry makes all of it anew. */
static void retries_compose(void **state) {
  (void)state;
  stage s;
  act flaky = {.json = "1", .failures = 11}, bad = {.error = "BadError"}, two = {.json = "2"};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = tried("flaky", &flaky, 2), b = act_spec("bad", &bad), c = act_spec("c", &two);
  vow_task_spec one = GROUP("one", VOW_TASK_PARALLEL, &a, &c);
  one.retry = (vow_task_retry){.attempts = 3};
  vow_task_spec other = GROUP("other", VOW_TASK_PARALLEL, &c, &b);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &one, &other);
  race.retry = (vow_task_retry){.attempts = 2, .delay_ms = 1};
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &race, &c);
  run_to(&s, &all, VOW_FULFILLED, &group);
  expect_json(group, "[[1,2],2]");
  assert_int_equal(flaky.begun, 12); /* twice, three times, twice */
  vow_task *raced = vow_task_member(group, 0);
  assert_int_equal(vow_task_result_of(raced)->attempts, 2);
  assert_int_equal(vow_task_result_of(vow_task_member(raced, 0))->attempts, 3);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(flaky.freed + bad.freed, 2);
  assert_int_equal(two.freed, 3);
}

static void members_that_were_asked_for_stay(void **state) {
  (void)state;
  stage s;
  act bad = {.failures = 1, .waits = true};
  stage_open(&s, 1);
  vow_task_spec a = act_spec("bad", &bad);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a);
  all.retry = (vow_task_retry){.attempts = 2};
  vow_task *group = start_spec(&s, &all), *first = vow_task_member(group, 0);
  atomic_store(&bad.go, true);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(first), VOW_REJECTED);
  assert_ptr_not_equal(vow_task_member(group, 0), first);
  assert_int_equal(member_state(group, 0), VOW_FULFILLED);
  expect_end(group, VOW_FULFILLED);
  stage_close(&s);
}

/* The losers of an attempt that has failed may go on while the next one begins. */
static void old_members_do_not_matter(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  act bad = {.failures = 1, .waits = true};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 4, .patience_ms = 600000});
  vow_task_spec a = act_spec("bad", &bad), b = probe_spec(stubborn, &p);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b);
  all.fail_fast = true;
  all.retry = (vow_task_retry){.attempts = 2};
  vow_task *group = start_spec(&s, &all);
  await_count(&p.begun, 1);
  atomic_store(&bad.go, true);
  await_count(&p.begun, 2);
  assert_int_equal(p.returned, 0);
  atomic_store(&p.go, true);
  expect_end(group, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(p.freed, 1);
  assert_int_equal(bad.freed, 1);
}

/* No room for another attempt: it has failed by the one before. */
static void a_full_queue_ends_the_attempts(void **state) {
  (void)state;
  stage s;
  act bad = {.error = "BadError"}, last = {.waits = true}, busy = {.waits = true};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .queue_max = 1});
  vow_task_spec a = act_spec("bad", &bad), b = act_spec("last", &last);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b), wait = act_spec("busy", &busy);
  all.retry = (vow_task_retry){.attempts = 2, .delay_ms = 1};
  vow_task *group = start_spec(&s, &all);
  await_count(&last.begun, 1);
  vow_task *running = start_spec(&s, &wait); /* has the one thread after it */
  atomic_store(&last.go, true);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  expect_error(group, "BadError", "as it was told");
  assert_int_equal(vow_task_result_of(group)->attempts, 1);
  expect_end(group, VOW_REJECTED);
  atomic_store(&busy.go, true);
  expect_end(running, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(bad.begun, 1);
  assert_int_equal(bad.freed + last.freed, 2);
}

static void cancels_between_attempts_of_a_group(void **state) {
  (void)state;
  stage s;
  act bad = {.error = "BadError"};
  stage_open(&s, 1);
  vow_task_spec a = act_spec("bad", &bad);
  vow_task_spec inner = GROUP("inner", VOW_TASK_PARALLEL, &a);
  inner.retry = (vow_task_retry){.attempts = 2, .delay_ms = 600000};
  inner.timeout_ms = 0;
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &inner);
  all.timeout_ms = 0;
  vow_task *group = start_spec(&s, &all);
  while (counts_of(&s).retries == 0)
    uv_sleep(1);
  assert_int_equal(vow_task_cancel(group), VOW_OK);
  assert_int_equal(member_state(group, 0), VOW_OP_CANCELLED);
  expect_end(group, VOW_OP_CANCELLED);
  await_count(&bad.freed, 1);
  stage_close(&s);
}

/* ---- types ---- */

static void an_argument_of_another_type(void **state) {
  (void)state;
  stage s;
  act a = {.json = "1"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = tried("resize", &a, 5);
  spec.takes = VOW_TYPE_INTEGER | VOW_TYPE_NONE;
  spec.value = "\x61x";
  spec.value_len = 2;
  run_to(&s, &spec, VOW_REJECTED, &task);
  expect_error(task, "TypeError", "argument of 'resize' is text, expected integer or null");
  assert_int_equal(vow_task_result_of(task)->attempts, 1); /* it will be the same again */
  vow_task_release(task);
  assert_int_equal(a.begun, 0);
  spec.value = "\x18\x2a";
  run_to(&s, &spec, VOW_FULFILLED, &task);
  vow_task_release(task);
  stage_close(&s);
  assert_int_equal(a.freed, 2);
}

static void a_result_of_another_type(void **state) {
  (void)state;
  stage s;
  act a = {.json = "[1]"}, none = {0}, bad = {.error = "BadError"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = act_spec("resize", &a);
  spec.gives = VOW_TYPE_MAP;
  run_to(&s, &spec, VOW_REJECTED, &task);
  expect_error(task, "TypeError", "result of 'resize' is list, expected map");
  vow_task_release(task);
  spec.gives = VOW_TYPE_LIST;
  run_to(&s, &spec, VOW_FULFILLED, &task);
  expect_json(task, "[1]");
  vow_task_release(task);
  spec.argument = &none;
  run_to(&s, &spec, VOW_REJECTED, &task);
  expect_error(task, "TypeError", "result of 'resize' is null, expected list");
  vow_task_release(task);
  spec.argument = &bad; /* its own error stays */
  run_to(&s, &spec, VOW_REJECTED, &task);
  expect_error(task, "BadError", "as it was told");
  vow_task_release(task);
  stage_close(&s);
}

static void types_of_members(void **state) {
  (void)state;
  stage s;
  act a = {.json = "1"};
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec spec = act_spec("count", &a);
  spec.gives = VOW_TYPE_TEXT;
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &spec);
  run_to(&s, &all, VOW_REJECTED, &group);
  expect_error(group, "TypeError", "result of 'count' is integer, expected text");
  vow_task_release(group);
  stage_close(&s);
}

/* ---- JSON ---- */

typedef struct exchange {
  char seen[64];
  vow_status statuses[4];
} exchange;

static void answers_in_json(vow_task_context *context, void *argument) {
  exchange *x = argument;
  const char *json = vow_task_argument_json(context);
  snprintf(x->seen, sizeof x->seen, "%s", json ? json : "none");
  if (json)
    assert_ptr_equal(vow_task_argument_json(context), json);
  x->statuses[0] = vow_task_succeed_json(context, "{");
  x->statuses[1] = vow_task_succeed_json(context, NULL);
  x->statuses[2] = vow_task_succeed_json(context, "{\"a\":1}");
  x->statuses[3] = vow_task_succeed_json(context, "2");
}

static void json_in_callbacks(void **state) {
  (void)state;
  stage s;
  exchange x = {.seen = ""};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec spec = vow_task_call_spec("json", answers_in_json, &x);
  spec.value = "\x82\x01\x61z";
  spec.value_len = 4;
  run_to(&s, &spec, VOW_FULFILLED, &task);
  assert_string_equal(x.seen, "[1,\"z\"]");
  assert_int_equal(x.statuses[0], VOW_E_JSON);
  assert_int_equal(x.statuses[1], VOW_E_JSON);
  assert_int_equal(x.statuses[2], VOW_OK);
  assert_int_equal(x.statuses[3], VOW_LATE);
  expect_json(task, "{\"a\":1}");
  assert_ptr_equal(vow_task_value_json(task), vow_task_value_json(task));
  vow_task_release(task);
  spec.value = "\xff";
  spec.value_len = 1;
  run_to(&s, &spec, VOW_FULFILLED, &task);
  assert_string_equal(x.seen, "none");
  vow_task_release(task);
  stage_close(&s);
}

static void values_without_json(void **state) {
  (void)state;
  stage s;
  act none = {0}, bad = {.error = "E"};
  vow_task *task;
  stage_open(&s, 1);
  vow_task_spec a = act_spec("a", &none), b = act_spec("b", &bad);
  run_to(&s, &a, VOW_FULFILLED, &task);
  assert_null(vow_task_value_json(task));
  vow_task_release(task);
  run_to(&s, &b, VOW_REJECTED, &task);
  assert_null(vow_task_value_json(task));
  vow_task_release(task);
  stage_close(&s);
}

/* ---- memory ---- */

static void each_allocation_fails_once(void **state) {
  (void)state;
  stage s;
  unsigned whole = 0;
  stage_open(&s, 2);
  for (size_t n = 1; whole < 3; n++) {
    act bad = {.json = "1", .failures = 1};
    vow_task *group;
    vow_task_spec a = tried("bad", &bad, 2), b = act_spec("bad", &bad);
    a.retry.errors = "NetError, MemoryError";
    vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b);
    all.retry = (vow_task_retry){.attempts = 4, .delay_ms = 1};
    counting_fail(&s.memory, n);
    vow_status status = vow_task_run(s.pool, &all, &group);
    bool failed = __atomic_load_n(&s.memory.calls, __ATOMIC_RELAXED) >= n;
    counting_fail(&s.memory, 0);
    whole += !failed;
    if (status != VOW_OK) {
      assert_int_equal(status, VOW_E_NOMEM);
      assert_int_equal(bad.begun + bad.freed, 0);
      continue;
    }
    vow_task_release(group);
    await_count(&bad.freed, 2);
  }
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(succeeds_at_last),
      cmocka_unit_test(fails_at_last),
      cmocka_unit_test(only_for_errors_that_are_named),
      cmocka_unit_test(waits_for_its_delay),
      cmocka_unit_test(another_runs_between_attempts),
      cmocka_unit_test(no_attempt_that_cannot_end_in_time),
      cmocka_unit_test(its_time_is_that_of_all_attempts),
      cmocka_unit_test(a_cancelled_one_is_not_tried_again),
      cmocka_unit_test(closes_between_attempts),
      cmocka_unit_test(a_graceful_close_waits_for_attempts),
      cmocka_unit_test(a_group_is_tried_again),
      cmocka_unit_test(a_race_is_tried_again),
      cmocka_unit_test(retries_compose),
      cmocka_unit_test(members_that_were_asked_for_stay),
      cmocka_unit_test(old_members_do_not_matter),
      cmocka_unit_test(a_full_queue_ends_the_attempts),
      cmocka_unit_test(cancels_between_attempts_of_a_group),
      cmocka_unit_test(an_argument_of_another_type),
      cmocka_unit_test(a_result_of_another_type),
      cmocka_unit_test(types_of_members),
      cmocka_unit_test(json_in_callbacks),
      cmocka_unit_test(values_without_json),
      cmocka_unit_test(each_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
