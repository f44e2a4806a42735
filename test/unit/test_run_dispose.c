/* Ending runs at every moment: cancel and dispose before, in and between
 * turns, in callbacks, with operations in every state. */
#include "unit/run_fixture.h"

static const char spin[] = "for (;;);";
static const char two_holds[] = "await Promise.all([test.hold(1), test.hold(2)])";

/* ---- cancel ---- */

static void cancel_before_the_first_turn(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "1");
  run_cancel(s.run);
  assert_int_equal(s.done, 1);
  assert_int_equal(s.outcome, RUN_CANCELLED);
  assert_int_equal(s.kind, RUN_KIND_CANCELLED);
  assert_true(s.report.memory_peak > 0);
  assert_false(run_alive(s.run));
  run_cancel(s.run); /* again: nothing more happens */
  assert_int_equal(s.done, 1);
  subject_close(&s);
  fixture_close(&f);
}

static void cancel_while_waiting(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = "test.hold test.hold";
  subject_open(&s, two_holds);
  until_started(&f, 2);
  run_cancel(s.run);
  assert_int_equal(s.kind, RUN_KIND_CANCELLED);
  assert_int_equal(s.report.operations.cancelled, 2);
  assert_int_equal(s.report.pending_count, 2);
  assert_string_equal(s.pending, "test.hold");
  assert_int_equal(f.stopped, 2);
  subject_close(&s);
  assert_no_run_left(&f);
  answer_all_held(&f);
  fixture_close(&f);
}

/* A preempted turn is simply left. */
static void cancel_in_the_middle_of_a_turn(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  for (int i = 0; i < 20; i++) {
    subject_init(&s, &f);
    subject_open(&s, spin);
    for (int turn = 0; turn <= i; turn++)
      shard_turn(f.shard);
    run_cancel(s.run);
    assert_int_equal(s.kind, RUN_KIND_CANCELLED);
    subject_close(&s);
  }
  assert_int_equal(engine_counts_of(shard_engine(f.shard)).recycled, 0);
  fixture_close(&f);
}

static void cancel_when_finished(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "42");
  ends_with_value(&s, "42");
  run_cancel(s.run);
  assert_int_equal(s.done, 1);
  assert_int_equal(s.outcome, RUN_VALUE);
  subject_close(&s);
  fixture_close(&f);
}

static void cancel_own_run(subject *s) {
  run_cancel(s->run);
}

static void cancel_in_on_done(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.when_done = cancel_own_run;
  subject_open(&s, "await test.echo(7)");
  ends_with_value(&s, "7");
  subject_close(&s);
  fixture_close(&f);
}

static void cancel_user_run(run_fixture *f, host_call *call) {
  (void)call;
  run_cancel(((subject *)f->user)->run);
}

/* False: the guest was interrupted before its second call. */
static bool cancel_first_of_two(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = ANY_LEAKS;
  f.in_start = cancel_user_run;
  f.user = &s;
  subject_open(&s, two_holds);
  until_done(&s);
  assert_int_equal(s.kind, RUN_KIND_CANCELLED);
  assert_int_equal(f.started, 1); /* the other one never began */
  assert_int_equal(s.report.operations.cancelled, s.report.operations.created);
  bool both = s.report.operations.created == 2;
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
  return both;
}

static void cancel_in_start(void **state) {
  unsigned tries = 1;
  while (!cancel_first_of_two(state))
    assert_true(tries++ < 100);
}

static void cancel_in_stop(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.op_timeout_ms = BEGUN_MS;
  f.in_stop = cancel_user_run;
  f.user = &s;
  subject_open(&s, "try { await test.hold(1) } catch {} await test.hold(2)");
  until_done(&s);
  assert_int_equal(s.kind, RUN_KIND_CANCELLED);
  assert_int_equal(s.report.operations.timed_out, 1);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
}

/* ---- dispose ---- */

static void dispose_before_the_first_turn(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "1");
  subject_close(&s);
  assert_int_equal(s.done, 0); /* disposal is silent */
  fixture_close(&f);
}

static void dispose_in_the_middle_of_a_turn(void **state) {
  run_fixture f;
  subject s, other;
  fixture_open(&f, state);
  subject_init(&other, &f);
  subject_open(&other, "await test.hold(5)");
  for (int i = 0; i < 20; i++) {
    subject_init(&s, &f);
    subject_open(&s, spin);
    for (int turn = 0; turn <= i; turn++)
      shard_turn(f.shard);
    subject_close(&s);
    assert_int_equal(s.done, 0);
  }
  until_started(&f, 1);
  answer_held(&f, 0);
  ends_with_value(&other, "5");
  subject_close(&other);
  fixture_close(&f);
}

static void dispose_while_waiting(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.concurrent_max = 1; /* one handler runs, one call waits for its slot */
  subject_open(&s, "setTimeout(() => {}, 5); await Promise.all([test.hold(1), test.hold(2)])");
  until_started(&f, 1);
  until_created(&s, 2);
  subject_close(&s);
  assert_int_equal(s.done, 0);
  assert_int_equal(f.stopped, 1);
  assert_no_run_left(&f);
  assert_int_equal(shard_handlers(f.shard), 1);
  answer_all_held(&f);
  assert_int_equal(f.started, 1);
  fixture_close(&f);
}

static void dispose_in_on_done(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  static const char *const sources[] = {"1", "throw 1", "await test.later(1)",
                                        "await new Promise(() => {})", "test.echo(1); 2"};
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    subject_init(&s, &f);
    s.dispose_when_done = true;
    subject_open(&s, sources[i]);
    until_done(&s);
    assert_null(s.run);
  }
  fixture_close(&f);
}

static void dispose_in_on_done_of_cancel(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = "test.hold test.hold";
  s.dispose_when_done = true;
  subject_open(&s, two_holds);
  until_started(&f, 2);
  run_cancel(s.run);
  assert_int_equal(s.done, 1);
  assert_null(s.run);
  answer_all_held(&f);
  fixture_close(&f);
}

static void dispose_user_run(run_fixture *f, host_call *call) {
  (void)call;
  subject *s = f->user;
  if (s->run)
    subject_close(s);
}

static void dispose_in_start(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  f.in_start = dispose_user_run;
  f.user = &s;
  subject_open(&s, two_holds);
  until_started(&f, 1);
  assert_null(s.run);
  assert_int_equal(s.done, 0);
  answer_all_held(&f);
  fixture_close(&f);
}

/* The slot that became free by a timeout lets the next handler start, which
 * disposes of the run while events of it are being handled. */
static void dispose_in_start_of_a_queued_call(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.concurrent_max = 1;
  f.user = &s;
  subject_open(&s, two_holds);
  until_started(&f, 1);
  until_created(&s, 2);
  f.in_start = dispose_user_run;
  answer_held(&f, 0);
  assert_int_equal(f.started, 2);
  assert_null(s.run);
  answer_all_held(&f);
  fixture_close(&f);
}

static void dispose_in_stop(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.op_timeout_ms = BEGUN_MS;
  f.in_stop = dispose_user_run;
  f.user = &s;
  subject_open(&s, two_holds);
  while (s.run)
    shard_turn(f.shard);
  assert_int_equal(s.done, 0);
  answer_all_held(&f);
  fixture_close(&f);
}

/* Handlers that end by themselves when they are asked to stop, in the middle
 * of the disposal that asks them. */
static void dispose_with_polite_handlers(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "await Promise.all([test.polite(1), test.polite(2), test.later(60000)])");
  until_started(&f, 2);
  subject_close(&s);
  assert_int_equal(f.stopped, 2);
  assert_int_equal(shard_handlers(f.shard), 0);
  fixture_close(&f);
}

/* ---- events of calls that are gone ---- */

/* A call is made and given up, and the run ends, all in one turn: the call's
 * handler never began, and the word of its cancel finds no run any more. */
static void give_up_a_call_and_hit_a_limit(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  for (int i = 0; i < 2; i++) {
    subject_init(&s, &f);
    s.limits.log_bytes = 100;
    s.limits.concurrent_max = 1;
    s.dispose_when_done = i == 1;
    subject_open(&s, "const c = new AbortController();"
                     "for (let i = 0; i < 5; i++) test.hold(i, {signal: c.signal}).catch(() => {});"
                     "c.abort();"
                     "console.log('x'.repeat(1000))");
    ends_with_kind(&s, RUN_KIND_OUTPUT);
    assert_int_equal(s.report.operations.cancelled, 5);
    subject_close(&s);
  }
  answer_all_held(&f); /* at most one began, if a slice ended right there */
  fixture_close(&f);
}

/* The wall and the deadlines of a running and of a queued call pass at once. */
static void wall_beside_timeouts(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  for (int i = 0; i < 2; i++) {
    subject_init(&s, &f);
    s.limits.wall_ms = s.limits.op_timeout_ms = BEGUN_MS;
    s.limits.concurrent_max = 1;
    s.dispose_when_done = i == 1;
    subject_open(&s, two_holds);
    until_started(&f, (unsigned)i + 1);
    run_set_wall(s.run, 1);
    let_pass(BEGUN_MS + 10);
    until_done(&s);
    assert_int_equal(s.kind, RUN_KIND_TIMEOUT);
    subject_close(&s);
  }
  answer_all_held(&f);
  fixture_close(&f);
}

static void answer_the_other(run_fixture *f, host_call *call) {
  for (size_t i = f->held_count; i-- > 0;)
    if (f->held[i] != call)
      answer_held(f, i);
}

/* Two calls time out at once; stopping the first makes the second answer, whose
 * own word of the timeout has not been handled yet. */
static void answer_another_in_stop(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.op_timeout_ms = BEGUN_MS;
  f.in_stop = answer_the_other;
  subject_open(&s, "const done = await Promise.allSettled([test.hold(1), test.hold(2)]);"
                   "done.map(d => d.reason.name).join()");
  until_started(&f, 2);
  let_pass(BEGUN_MS + 5);
  ends_with_value(&s, "\"TimeoutError,TimeoutError\"");
  assert_int_equal(s.report.operations.timed_out, 2);
  assert_int_equal(s.report.operations.late, 1);
  assert_int_equal(f.stopped, 1); /* the other one had ended */
  f.in_stop = NULL;
  answer_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

static void answer_everything(subject *s) {
  answer_all_held(s->f);
}

/* Calls given up in the turn that ends the run, answered in on_done. */
static void answer_given_up_calls_in_on_done(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.log_bytes = 100;
  s.when_done = answer_everything;
  subject_open(&s, "const c = new AbortController();"
                   "for (let i = 0; i < 3; i++) test.hold(i, {signal: c.signal}).catch(() => {});"
                   "await test.later(1);"
                   "c.abort();"
                   "console.log('x'.repeat(1000))");
  ends_with_kind(&s, RUN_KIND_OUTPUT);
  assert_int_equal(f.started, 3);
  subject_close(&s);
  fixture_close(&f);
}

/* ---- runs that touch each other ---- */

static void open_another(subject *s) {
  subject *next = s->f->user;
  subject_init(next, s->f);
  subject_open(next, "await test.echo('next')");
}

static void open_a_run_in_on_done(void **state) {
  run_fixture f;
  subject s, next;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.when_done = open_another;
  f.user = &next;
  subject_open(&s, "1");
  ends_with_value(&s, "1");
  ends_with_value(&next, "\"next\"");
  subject_close(&s);
  subject_close(&next);
  fixture_close(&f);
}

static void dispose_another(subject *s) {
  subject_close(s->f->user);
}

static void dispose_another_run_in_on_done(void **state) {
  run_fixture f;
  subject s, other;
  fixture_open(&f, state);
  static const char *const others[] = {"1", spin, two_holds,
                                       "await new Promise(r => setTimeout(r, 1))"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    subject_init(&other, &f);
    subject_init(&s, &f);
    other.limits.cpu_ms = 50; /* natively it is not preempted */
    subject_open(&other, others[i]);
    s.when_done = dispose_another;
    f.user = &other;
    subject_open(&s, "await test.later(1)");
    ends_with_value(&s, "1");
    assert_null(other.run);
    subject_close(&s);
    answer_all_held(&f);
  }
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(cancel_before_the_first_turn),
      ON_BOTH(cancel_while_waiting),
      ON_WASM(cancel_in_the_middle_of_a_turn),
      ON_BOTH(cancel_when_finished),
      ON_BOTH(cancel_in_on_done),
      ON_BOTH(cancel_in_start),
      ON_BOTH(cancel_in_stop),
      ON_BOTH(dispose_before_the_first_turn),
      ON_WASM(dispose_in_the_middle_of_a_turn),
      ON_BOTH(dispose_while_waiting),
      ON_BOTH(dispose_in_on_done),
      ON_BOTH(dispose_in_on_done_of_cancel),
      ON_BOTH(dispose_in_start),
      ON_BOTH(dispose_in_start_of_a_queued_call),
      ON_BOTH(dispose_in_stop),
      ON_BOTH(dispose_with_polite_handlers),
      ON_BOTH(give_up_a_call_and_hit_a_limit),
      ON_BOTH(wall_beside_timeouts),
      ON_BOTH(answer_another_in_stop),
      ON_BOTH(answer_given_up_calls_in_on_done),
      ON_BOTH(open_a_run_in_on_done),
      ON_BOTH(dispose_another_run_in_on_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
