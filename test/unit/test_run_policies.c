/* What the policies of kinds do to runs: from the script's view, and in the report. */
#include "unit/run_fixture.h"

/* Counts what begins, and fails so often before it answers. */
typedef struct upstream {
  run_fixture f; /* must stay first: the user of its kinds */
  unsigned starts, batches, largest, failures;
  uint64_t remaining_ms, calls_left;
} upstream;

static void start_flaky(host_call *call, void *user) {
  static const host_error error = {.code = "BUSY", .message = "come back later", .transient = true};
  upstream *up = user;
  up->remaining_ms = host_call_remaining_ms(call);
  up->calls_left = host_call_calls_left(call);
  if (up->starts++ < up->failures)
    host_call_reject(call, &error);
  else
    answer_with_argument(call);
}

static void start_refusing(host_call *call, void *user) {
  upstream *up = user;
  up->starts++;
  reject_call(call, "NotFoundError", "there is no such thing");
}

static void start_many(host_call **calls, size_t count, void *user) {
  upstream *up = user;
  up->batches++;
  up->largest = count > up->largest ? (unsigned)count : up->largest;
  for (size_t i = 0; i < count; i++)
    start_flaky(calls[i], user);
}

/* Gives test.echo, test.fail and test.hold the policy. */
static void open_with(upstream *up, void **state, const host_policy *policy) {
  *up = (upstream){.starts = 0};
  fixture_open(&up->f, state);
  host_kind *kinds = up->f.kinds;
  kinds[KIND_ECHO].start = start_flaky;
  kinds[KIND_FAIL].start = start_refusing;
  kinds[KIND_ECHO].policy = kinds[KIND_FAIL].policy = kinds[KIND_HOLD].policy = *policy;
  assert_true(host_kinds_open(up->f.shard, kinds, KIND_COUNT));
}

static void close_all(upstream *up) {
  host_kinds_close(up->f.kinds, KIND_COUNT);
  fixture_close(&up->f);
}

static void ends_as(upstream *up, subject *s, const char *source, const char *value) {
  subject_init(s, &up->f);
  subject_open(s, source);
  ends_with_value(s, value);
  subject_close(s);
}

static void a_full_queue_rejects_the_call(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.concurrent_max = 1, .queue_max = 1});
  subject_init(&s, &up.f);
  subject_open(&s, "const all = [1, 2, 3].map((n) => test.hold(n));"
                   "const e = await all[2].catch((e) => e);"
                   "const rest = await Promise.all(all.slice(0, 2));"
                   "[e.name, e.code, e.transient, e.operation.name, rest]");
  until_created(&s, 3);
  for (unsigned i = 1; i <= 2; i++) {
    until_started(&up.f, i);
    answer_all_held(&up.f);
  }
  ends_with_value(&s, "[\"ApiError\",\"QUEUE_FULL\",true,\"test.hold\",[1,2]]");
  assert_int_equal(s.events[RUN_EVENT_QUEUED], 1);
  assert_int_equal(s.events[RUN_EVENT_CREATED], 3);
  assert_int_equal(s.events[RUN_EVENT_SETTLED], 3);
  assert_int_equal(s.report.operations.created, 3);
  assert_int_equal(s.report.operations.rejected, 1);
  subject_close(&s);
  close_all(&up);
}

/* Or a guest would have the host work for calls that nothing bounds. */
static void refused_calls_count(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.concurrent_max = 1, .queue_max = 1});
  subject_init(&s, &up.f);
  s.leaks = "test.hold test.hold";
  s.limits.operations_max = 50;
  subject_open(&s, "test.hold(1); test.hold(2); for (;;) await test.hold(3).catch(() => 0);");
  ends_with_kind(&s, RUN_KIND_OPERATIONS);
  assert_int_equal(s.report.operations.created, 50);
  assert_int_equal(s.report.operations.rejected, 48);
  answer_all_held(&up.f); /* late */
  subject_close(&s);
  close_all(&up);
}

static void a_low_priority_waits(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.concurrent_max = 1});
  subject_init(&s, &up.f);
  subject_open(&s, "const order = [];"
                   "const call = (n, o) => test.hold(n, o).then((v) => order.push(v));"
                   "await Promise.all([call(1), call(2, {priority: 'low'}), call(3)]); order");
  until_created(&s, 3);
  for (unsigned i = 1; i <= 3; i++) {
    until_started(&up.f, i);
    answer_all_held(&up.f);
  }
  ends_with_value(&s, "[1,3,2]");
  subject_close(&s);
  close_all(&up);
}

static void transient_errors_are_retried(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.attempts = 3, .backoff_ms = 2, .idempotent = true});
  up.failures = 2;
  ends_as(&up, &s, "await test.echo(5)", "5");
  assert_int_equal(up.starts, 3);
  assert_int_equal(s.report.operations.retries, 2);
  assert_int_equal(s.events[RUN_EVENT_RETRIED], 2);
  assert_int_equal(s.events[RUN_EVENT_STARTED], 3);
  assert_true(up.remaining_ms > 0 && up.remaining_ms <= s.limits.op_timeout_ms);
  assert_int_equal(up.calls_left, s.limits.operations_max - 1);
  close_all(&up);
}

static void attempts_end(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.attempts = 3, .backoff_ms = 1, .idempotent = true});
  up.failures = UINT32_MAX;
  ends_as(&up, &s,
          "const e = await test.echo(5).catch((e) => e);"
          "const n = await test.fail(5).catch((e) => e);"
          "[e.code, e.operation.attempts, n.name, n.operation.attempts]",
          "[\"BUSY\",3,\"NotFoundError\",1]");
  assert_int_equal(s.report.operations.retries, 2);
  subject_init(&s, &up.f);
  s.limits.retries_max = 1;
  subject_open(&s, "await test.echo(5)");
  ends_with_kind(&s, RUN_KIND_API);
  assert_int_equal(s.report.error.operation_attempts, 2);
  subject_close(&s);
  close_all(&up);
}

static void a_cancel_ends_the_delay(void **state) {
  upstream up;
  subject s;
  open_with(&up, state,
            &(host_policy){.attempts = 9, .backoff_ms = UINT32_MAX, .idempotent = true});
  up.failures = UINT32_MAX;
  subject_init(&s, &up.f);
  s.limits.op_timeout_ms = UINT64_MAX / 2000000;
  subject_open(&s, "const stop = new AbortController(); setTimeout(() => stop.abort(), 5);"
                   "(await test.echo(5, {signal: stop.signal}).catch((e) => e)).name");
  ends_with_value(&s, "\"AbortError\"");
  assert_int_equal(s.report.operations.cancelled + s.report.operations.rejected, 1);
  subject_close(&s);
  close_all(&up);
}

static void answers_are_kept(void **state) {
  upstream up;
  subject s;
  open_with(&up, state, &(host_policy){.cache_ms = 3600000, .cache_error_ms = 3600000});
  ends_as(&up, &s,
          "[await test.echo({a: 1, b: [2]}), await test.echo({b: [2], a: 1}), await test.echo(1)]",
          "[{\"a\":1,\"b\":[2]},{\"a\":1,\"b\":[2]},1]");
  assert_int_equal(up.starts, 2);
  assert_int_equal(s.report.operations.cache_hits, 1);
  assert_int_equal(s.events[RUN_EVENT_CACHE_HIT], 1);
  ends_as(&up, &s, "await test.echo(1)", "1"); /* of the run before */
  assert_int_equal(up.starts, 2);
  const char *twice = "const f = () => test.fail(1).catch((e) => e);"
                      "const [a, b] = [await f(), await f()];"
                      "[a.name, b.name, b.message, b.code, b.operation.name]";
  ends_as(
      &up, &s, twice,
      "[\"NotFoundError\",\"NotFoundError\",\"there is no such thing\",\"TEST\",\"test.fail\"]");
  assert_int_equal(up.starts, 3);
  assert_int_equal(s.report.operations.cache_hits, 1);
  close_all(&up);
}

static void equal_calls_share_a_handler(void **state) {
  upstream up;
  subject first, second;
  open_with(&up, state, &(host_policy){.single_flight = true});
  subject_init(&first, &up.f);
  subject_init(&second, &up.f);
  subject_open(&first, "await Promise.all([test.hold(7), test.hold(7), test.hold(8)])");
  until_started(&up.f, 2);
  subject_open(&second, "await test.hold(7)");
  while (run_pending(second.run, NULL, 0) == 0)
    shard_turn(up.f.shard);
  assert_int_equal(up.f.started, 2);
  answer_all_held(&up.f);
  ends_with_value(&first, "[7,7,8]");
  ends_with_value(&second, "7");
  assert_int_equal(second.events[RUN_EVENT_STARTED], 0);
  subject_close(&first);
  subject_close(&second);
  close_all(&up);
}

static void a_follower_takes_over(void **state) {
  upstream up;
  subject first, second;
  open_with(&up, state, &(host_policy){.single_flight = true});
  subject_init(&first, &up.f);
  first.leaks = "test.hold";
  subject_init(&second, &up.f);
  subject_open(&first, "await test.hold(7)");
  until_started(&up.f, 1);
  subject_open(&second, "await test.hold(7)");
  while (run_pending(second.run, NULL, 0) == 0)
    shard_turn(up.f.shard);
  run_cancel(first.run);
  until_started(&up.f, 2);
  answer_all_held(&up.f);
  ends_with_value(&second, "7");
  assert_int_equal(second.events[RUN_EVENT_STARTED], 1);
  subject_close(&first);
  subject_close(&second);
  close_all(&up);
}

/* False: the script was interrupted between two of its calls. */
static bool sixty_are_three_batches(void **state) {
  upstream up;
  subject s;
  open_with(&up, state,
            &(host_policy){.batch_max = 40, .attempts = 2, .backoff_ms = 1, .idempotent = true});
  up.f.kinds[KIND_ECHO].start_batch = start_many;
  up.failures = 1; /* one of them is retried alone */
  ends_as(&up, &s,
          "(await Promise.all(Array.from({length: 60}, (_, i) => test.echo(i))))"
          ".reduce((a, b) => a + b)",
          "1770");
  bool together = up.batches == 3;
  assert_in_range(up.largest, 1, 40);
  assert_true(!together || (up.largest == 40 && s.report.operations.batched == 60));
  assert_int_equal(s.report.operations.retries, 1);
  close_all(&up);
  return together;
}

static void calls_of_one_turn_go_together(void **state) {
  unsigned tries = 0;
  while (!sixty_are_three_batches(state))
    assert_in_range(++tries, 1, 100);
}

/* Each call is answered, and its run disposed, before the next one's is started. */
static void start_and_dispose(host_call *call, void *user) {
  upstream *up = user;
  subject *s = host_call_run_user(call);
  up->starts++;
  answer_with_argument(call);
  subject_close(s);
}

static void a_batch_outlives_runs_that_are_in_it(void **state) {
  upstream up;
  subject first, second;
  open_with(&up, state, &(host_policy){.batch_max = 2, .batch_window_ms = 60000});
  up.f.kinds[KIND_ECHO].start = start_and_dispose;
  subject_init(&first, &up.f);
  subject_init(&second, &up.f);
  subject_open(&first, "await test.echo(1)");
  subject_open(&second, "await test.echo(2)");
  while (up.starts < 2)
    shard_turn(up.f.shard);
  assert_int_equal(first.done + second.done, 0);
  close_all(&up);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(a_full_queue_rejects_the_call),
      ON_BOTH(refused_calls_count),
      ON_BOTH(a_low_priority_waits),
      ON_BOTH(transient_errors_are_retried),
      ON_BOTH(attempts_end),
      ON_BOTH(a_cancel_ends_the_delay),
      ON_BOTH(answers_are_kept),
      ON_BOTH(equal_calls_share_a_handler),
      ON_BOTH(a_follower_takes_over),
      ON_BOTH(calls_of_one_turn_go_together),
      ON_BOTH(a_batch_outlives_runs_that_are_in_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
