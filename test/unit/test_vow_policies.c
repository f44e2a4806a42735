/* The public interface: what policies and the bounds of a runtime do to calls. */
#include "unit/vow_fixture.h"

/* ---- policies ---- */

/* Fails twice, then answers with the number of its call. */
static void on_flaky(vow_op *op, void *user) {
  static const vow_error busy = {.size = sizeof busy, .message = "busy", .transient = true};
  unsigned *calls = user;
  char json[16];
  snprintf(json, sizeof json, "%u", ++*calls);
  if (*calls <= 2)
    vow_op_reject(op, &busy);
  else
    vow_op_fulfil_json(op, json);
}

static void policies_hold(void **state) {
  fixture f;
  subject s;
  unsigned flaky = 0;
  const vow_policy policy = {.size = sizeof policy,
                             .attempts = 3,
                             .backoff_ms = 1,
                             .idempotent = true,
                             .cache_ms = 60000,
                             .cache_bytes = 1000};
  const vow_policy single = {.size = sizeof single, .concurrent_max = 1, .timeout_ms = BEGUN_MS};
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.flaky", on_flaky, &policy, &flaky), VOW_OK);
  assert_int_equal(vow_register(f.rt, "test.single", on_hold, &single, &f), VOW_OK);
  subject_open(&s, &f, "[await test.flaky(1), await test.flaky(1)]");
  ends_with_value(&s, "[3,3]");
  assert_int_equal(s.events[VOW_EVENT_RETRIED], 2);
  assert_int_equal(s.events[VOW_EVENT_CACHE_HIT], 1);
  assert_int_equal(vow_run_report(s.run)->retries, 2);
  assert_int_equal(vow_run_report(s.run)->cache_hits, 1);
  assert_int_equal(vow_run_report(s.run)->batched, 0);
  subject_close(&s);
  subject_open(&s, &f,
               "(await Promise.allSettled([test.single(1), test.single(2)]))"
               ".map((end) => end.reason.name)");
  until_held(&f, 1);
  assert_true(vow_op_remaining_ms(f.held[0]) <= BEGUN_MS);
  ends_with_value(&s, "[\"TimeoutError\",\"TimeoutError\"]");
  assert_int_equal(f.held_count, 1); /* the second one never began */
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

static void on_busy(vow_op *op, void *user) {
  static const vow_error busy = {.size = sizeof busy, .message = "busy", .transient = true};
  unsigned *calls = user;
  ++*calls;
  vow_op_reject(op, &busy);
}

/* A run has 100 attempts after the first, for all its calls together. */
static void retries_have_a_budget(void **state) {
  fixture f;
  subject s;
  unsigned calls = 0;
  const vow_policy policy = {.size = sizeof policy, .attempts = 3, .idempotent = true};
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.busy", on_busy, &policy, &calls), VOW_OK);
  subject_open(&s, &f, "await test.busy()");
  ends_with_kind(&s, "api");
  const vow_report *report = vow_run_report(s.run);
  assert_string_equal(report->error_operation_name, "test.busy");
  assert_int_equal(report->error_operation_attempts, 3);
  subject_close(&s);
  calls = 0;
  subject_open(&s, &f, "for (let i = 0; i < 60; i++) await test.busy().catch(() => 0)");
  until_done(&s);
  report = vow_run_report(s.run);
  assert_int_equal(report->outcome, VOW_VALUE);
  assert_int_equal(report->rejected, 60);
  assert_int_equal(report->retries, 100);
  assert_int_equal(calls, 160);
  subject_close(&s);
  fixture_close(&f);
}

/* An attempt that failed may have had its effect. */
static void only_the_idempotent_is_tried_again(void **state) {
  fixture f;
  subject s;
  unsigned calls = 0;
  vow_policy policy = {.size = sizeof policy, .attempts = 2};
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.busy", on_busy, &policy, &calls), VOW_E_INVALID);
  assert_non_null(strstr(vow_runtime_message(f.rt), "policy of test.busy: attempts: only"));
  policy.attempts = 1;
  assert_int_equal(vow_register(f.rt, "test.busy", on_busy, &policy, &calls), VOW_OK);
  subject_open(&s, &f, "await test.busy().catch((e) => [e.transient, e.operation.attempts])");
  ends_with_value(&s, "[true,1]");
  assert_int_equal(calls, 1);
  subject_close(&s);
  fixture_close(&f);
}

/* ---- bounds of the runtime ---- */

static void the_number_of_runs_is_bounded(void **state) {
  fixture f = {0};
  subject s, t;
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .runs_max = 1};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  subject_open(&s, &f, "1");
  subject_init(&t, &f, "2");
  assert_int_equal(subject_try(&t), VOW_E_FULL);
  ends_with_value(&s, "1");
  assert_int_equal(subject_try(&t), VOW_OK);
  ends_with_value(&t, "2");
  subject_close(&s);
  subject_close(&t);
  fixture_close(&f);
}

/* Of all runs together, beside what each run may have at once. */
static void the_number_of_handlers_is_bounded(void **state) {
  fixture f = {0};
  subject s, t;
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .concurrent_max = 2};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  subject_open(&s, &f, "(await Promise.all([test.hold(1), test.hold(2)])).join()");
  subject_open(&t, &f, "await test.hold(3)");
  until_held(&f, 2);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_POLL), VOW_OK);
  assert_int_equal(f.held_count, 2);
  assert_int_equal(counts_of(&f).running, 2);
  for (int i = 0; i < 3; i++) {
    until_held(&f, 1);
    vow_op *op = take_held(&f);
    assert_int_equal(vow_op_fulfil_json(op, "7"), VOW_OK);
    vow_op_release(op);
    assert_true(counts_of(&f).running <= 2);
  }
  ends_with_value(&s, "\"7,7\"");
  ends_with_value(&t, "7");
  subject_close(&s);
  subject_close(&t);
  fixture_close(&f);
}

static const char *const refused =
    "const all = [1, 2, 3].map((n) => test.hold(n));"
    "const e = await all[2].catch((e) => e);"
    "[e.name, e.code, e.transient, e.operation.name, await Promise.all(all.slice(0, 2))]";

static void fulfil_held(fixture *f) {
  until_held(f, 1);
  vow_op *op = take_held(f);
  assert_int_equal(vow_op_fulfil_json(op, "7"), VOW_OK);
  vow_op_release(op);
}

static void the_queue_of_a_run_is_bounded(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, refused);
  s.request.concurrent_max = 1;
  s.request.queue_max = 1000001;
  assert_int_equal(subject_try(&s), VOW_E_INVALID);
  assert_non_null(strstr(vow_runtime_message(f.rt), "queue_max is 1000001: must be"));
  s.request.queue_max = 1;
  assert_int_equal(subject_try(&s), VOW_OK);
  until_created(&s, 3);
  for (int i = 0; i < 2; i++)
    fulfil_held(&f);
  ends_with_value(&s, "[\"ApiError\",\"RUN_QUEUE_FULL\",true,\"test.hold\",[7,7]]");
  subject_close(&s);
  fixture_close(&f);
}

/* What one run has waiting is refused to the other. */
static void the_queue_of_a_runtime_is_bounded(void **state) {
  fixture f = {0};
  subject s, t;
  vow_runtime_options options = {
      .engine = *(const vow_engine *)*state, .concurrent_max = 1, .queue_max = 1};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  subject_open(&s, &f, refused);
  until_created(&s, 3);
  subject_open(&t, &f, "await test.echo(1).catch((e) => [e.name, e.code, e.transient])");
  ends_with_value(&t, "[\"ApiError\",\"RUNTIME_QUEUE_FULL\",true]");
  for (int i = 0; i < 2; i++)
    fulfil_held(&f);
  ends_with_value(&s, "[\"ApiError\",\"RUNTIME_QUEUE_FULL\",true,\"test.hold\",[7,7]]");
  subject_close(&s);
  subject_close(&t);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(policies_hold),
      ON_BOTH(retries_have_a_budget),
      ON_BOTH(only_the_idempotent_is_tried_again),
      ON_BOTH(the_number_of_runs_is_bounded),
      ON_BOTH(the_number_of_handlers_is_bounded),
      ON_BOTH(the_queue_of_a_run_is_bounded),
      ON_BOTH(the_queue_of_a_runtime_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
