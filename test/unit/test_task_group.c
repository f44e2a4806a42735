/* Groups of tasks: parallel and race. */
#include "unit/task_group_fixture.h"

/* ---- parallel ---- */

static void raw_bytes(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_succeed(context, "\xff\x00z", 3);
}

/* In their order, whatever order they end in. */
static void parallel_gives_all_values(void **state) {
  (void)state;
  stage s;
  act first = {.json = "{\"a\":[1,2]}", .waits = true}, last = {.json = "2"}, none = {0};
  stage_open(&s, 4);
  vow_task_spec a = act_spec("a", &first), b = vow_task_call_spec("b", raw_bytes, NULL);
  vow_task_spec c = act_spec("c", &none), d = act_spec("d", &last);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b, &c, &d);
  vow_task *group = start_spec(&s, &all);
  vow_task *early = vow_task_member(group, 3);
  assert_int_equal(vow_task_wait(early, VOW_FOREVER), VOW_OK);
  assert_null(vow_task_result_of(group));
  atomic_store(&first.go, true);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  expect_json(group, "[{\"a\":[1,2]},\"/wB6\",null,2]");
  assert_int_equal(vow_task_winner(group), SIZE_MAX);
  expect_json(vow_task_member(group, 0), "{\"a\":[1,2]}");
  assert_null(vow_task_member(group, 4));
  assert_null(vow_task_member(early, 0));
  assert_int_equal(vow_task_result_of(group)->attempts, 1);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(first.freed + last.freed + none.freed, 3);
}

static void nothing_to_do_is_an_empty_list(void **state) {
  (void)state;
  stage s;
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec empty = vow_task_group_spec("none", VOW_TASK_PARALLEL, NULL, 0);
  run_to(&s, &empty, VOW_FULFILLED, &group);
  expect_json(group, "[]");
  vow_task_release(group);
  vow_task_spec nested = GROUP("two", VOW_TASK_PARALLEL, &empty, &empty);
  run_to(&s, &nested, VOW_FULFILLED, &group);
  expect_json(group, "[[],[]]");
  vow_task_release(group);
  stage_close(&s);
}

/* All are waited for; what counts is their order, not that of time. */
static void parallel_fails_by_the_first_in_order(void **state) {
  (void)state;
  stage s;
  act slow = {.error = "SlowError", .waits = true}, fast = {.error = "FastError"};
  act good = {.json = "1"};
  stage_open(&s, 4);
  vow_task_spec a = act_spec("a", &good), b = act_spec("b", &slow), c = act_spec("c", &fast);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b, &c);
  vow_task *group = start_spec(&s, &all);
  assert_int_equal(vow_task_wait(vow_task_member(group, 2), VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(group), VOW_RUNNING);
  atomic_store(&slow.go, true);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(group), VOW_REJECTED);
  expect_error(group, "SlowError", "as it was told");
  assert_int_equal(member_state(group, 0), VOW_FULFILLED);
  vow_task_release(group);
  stage_close(&s);
}

static void fail_fast_cancels_the_others(void **state) {
  (void)state;
  stage s;
  act running = {.waits = true}, queued = {.json = "1"}, bad = {.error = "BadError", .waits = true};
  stage_open(&s, 2);
  vow_task_spec a = act_spec("a", &running), b = act_spec("b", &bad), c = act_spec("c", &queued);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b, &c);
  all.fail_fast = true;
  vow_task *group = start_spec(&s, &all);
  await_count(&running.begun, 1);
  atomic_store(&bad.go, true);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(group), VOW_REJECTED);
  expect_error(group, "BadError", "as it was told");
  assert_int_equal(member_state(group, 0), VOW_OP_CANCELLED);
  assert_int_equal(member_state(group, 1), VOW_REJECTED);
  assert_int_equal(member_state(group, 2), VOW_OP_CANCELLED);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(queued.begun, 0);
  assert_int_equal(running.freed + bad.freed + queued.freed, 3);
}

static void a_member_that_is_cancelled_has_failed(void **state) {
  (void)state;
  stage s;
  act a = {.waits = true}, b = {.json = "1"};
  stage_open(&s, 2);
  vow_task_spec first = act_spec("a", &a), second = act_spec("b", &b);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &first, &second);
  vow_task *group = start_spec(&s, &all);
  assert_int_equal(vow_task_cancel(vow_task_member(group, 0)), VOW_OK);
  assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(group), VOW_REJECTED);
  expect_error(group, "AbortError", "it was cancelled");
  vow_task_release(group);
  stage_close(&s);
}

/* ---- race ---- */

static void race_first_wins(void **state) {
  (void)state;
  stage s;
  act slow = {.waits = true}, bad = {.error = "BadError"}, good = {.json = "\"good\""};
  act queued = {.waits = true};
  stage_open(&s, 2);
  vow_task_spec a = act_spec("slow", &slow), b = act_spec("bad", &bad);
  vow_task_spec c = act_spec("good", &good), d = act_spec("queued", &queued);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b, &c, &d);
  vow_task *group;
  run_to(&s, &race, VOW_FULFILLED, &group);
  expect_json(group, "\"good\"");
  assert_int_equal(vow_task_winner(group), 2);
  assert_int_equal(member_state(group, 0), VOW_OP_CANCELLED);
  assert_int_equal(member_state(group, 1), VOW_REJECTED);
  assert_int_equal(member_state(group, 2), VOW_FULFILLED);
  assert_int_equal(member_state(group, 3), VOW_OP_CANCELLED);
  vow_task_release(group);
  stage_close(&s);
  assert_true(slow.begun <= 1 && slow.stopped == slow.begun);
  assert_int_equal(slow.freed + bad.freed + good.freed + queued.freed, 4);
}

static void race_lost_by_all(void **state) {
  (void)state;
  stage s;
  act one = {.error = "OneError"}, two = {.error = "TwoError"};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = act_spec("first", &one), b = act_spec("second", &two);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  run_to(&s, &race, VOW_REJECTED, &group);
  expect_error(group, "AggregateError",
               "all 2 members failed: first: OneError: as it was told; "
               "second: TwoError: as it was told");
  assert_int_equal(vow_task_winner(group), SIZE_MAX);
  vow_task_release(group);
  vow_task_spec alone = GROUP("race", VOW_TASK_RACE, &b);
  run_to(&s, &alone, VOW_REJECTED, &group);
  expect_error(group, "TwoError", "as it was told");
  vow_task_release(group);
  stage_close(&s);
}

/* As many as fit are named. */
static void race_lost_by_many(void **state) {
  (void)state;
  enum { MANY = 1000 };
  static const vow_task_spec *members[MANY];
  stage s;
  act bad = {.error = "BadError"};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec member = act_spec("\xc3\xa4\xc3\xb6\xc3\xbc", &bad);
  for (int i = 0; i < MANY; i++)
    members[i] = &member;
  vow_task_spec race = vow_task_group_spec("race", VOW_TASK_RACE, members, MANY);
  run_to(&s, &race, VOW_REJECTED, &group);
  const char *message = vow_task_result_of(group)->error_message;
  assert_true(strlen(message) <= 4096 && strlen(message) > 4090);
  assert_memory_equal(message, "all 1000 members failed: ", 25);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(bad.freed, MANY);
}

static void race_timeout(void **state) {
  (void)state;
  stage s;
  act one = {.waits = true}, two = {.waits = true};
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec a = act_spec("one", &one), b = act_spec("two", &two);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  race.timeout_ms = 20;
  run_to(&s, &race, VOW_TIMED_OUT, &group);
  expect_error(group, "TimeoutError", "its time limit is over");
  assert_int_equal(member_state(group, 0), VOW_TIMED_OUT);
  assert_int_equal(member_state(group, 1), VOW_TIMED_OUT);
  vow_task_release(group);
  stage_close(&s);
}

/* The members' own limits: then nobody is left in the race. */
static void race_of_members_that_time_out(void **state) {
  (void)state;
  stage s;
  act one = {.waits = true}, two = {.waits = true};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = act_spec("one", &one), b = act_spec("two", &two);
  a.timeout_ms = 5;
  b.timeout_ms = 10;
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  run_to(&s, &race, VOW_REJECTED, &group);
  expect_error(group, "AggregateError",
               "all 2 members failed: one: TimeoutError: its time limit is over; "
               "two: TimeoutError: its time limit is over");
  vow_task_release(group);
  stage_close(&s);
}

static void race_that_nobody_has_to_run(void **state) {
  (void)state;
  stage s;
  act never = {.json = "1"};
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec call = act_spec("call", &never);
  vow_task_spec empty = vow_task_group_spec("none", VOW_TASK_PARALLEL, NULL, 0);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &call, &empty, &call);
  run_to(&s, &race, VOW_FULFILLED, &group);
  expect_json(group, "[]");
  assert_int_equal(vow_task_winner(group), 1);
  assert_int_equal(member_state(group, 0), VOW_OP_CANCELLED);
  assert_int_equal(vow_task_result_of(vow_task_member(group, 0))->attempts, 0);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(never.begun, 0);
  assert_int_equal(never.freed, 2);
}

/* ---- groups of groups ---- */

static void they_compose(void **state) {
  (void)state;
  stage s;
  act one = {.json = "1"}, two = {.json = "2"}, bad = {.error = "E"}, slow = {.waits = true};
  vow_task *group;
  stage_open(&s, 2);
  vow_task_spec a = act_spec("a", &one), b = act_spec("b", &two), c = act_spec("c", &bad);
  vow_task_spec d = act_spec("d", &slow);
  vow_task_spec both = GROUP("both", VOW_TASK_PARALLEL, &a, &b);
  vow_task_spec fails = GROUP("fails", VOW_TASK_PARALLEL, &a, &c);
  vow_task_spec hangs = GROUP("hangs", VOW_TASK_PARALLEL, &d, &a);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &hangs, &fails, &both);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &race, &a, &both);
  run_to(&s, &all, VOW_FULFILLED, &group);
  expect_json(group, "[[1,2],1,[1,2]]");
  vow_task *inner = vow_task_member(group, 0);
  assert_int_equal(vow_task_winner(inner), 2);
  assert_int_equal(member_state(inner, 0), VOW_OP_CANCELLED);
  assert_int_equal(member_state(vow_task_member(inner, 0), 0), VOW_OP_CANCELLED);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(one.freed, 5);
  assert_int_equal(slow.freed, 1);
}

/* As deep as may be, on one thread. */
static void deep_groups(void **state) {
  (void)state;
  enum { DEEPEST = 16 };
  stage s;
  act a = {.json = "1"};
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec specs[DEEPEST + 2];
  const vow_task_spec *members[DEEPEST + 2];
  specs[0] = act_spec("leaf", &a);
  for (int i = 1; i < DEEPEST + 2; i++) {
    members[i] = &specs[i - 1];
    specs[i] =
        vow_task_group_spec("level", i % 2 ? VOW_TASK_PARALLEL : VOW_TASK_RACE, &members[i], 1);
  }
  run_to(&s, &specs[DEEPEST], VOW_FULFILLED, &group);
  expect_json(group, "[[[[[[[[1]]]]]]]]");
  vow_task_release(group);
  assert_int_equal(vow_task_run(s.pool, &specs[DEEPEST + 1], &group), VOW_E_INVALID);
  assert_null(group);
  assert_non_null(
      strstr(vow_task_pool_message(s.pool), "members: groups are nested deeper than 16"));
  stage_close(&s);
  assert_int_equal(a.freed, 1);
}

static void a_thousand_members(void **state) {
  (void)state;
  enum { MANY = 1000 };
  static const vow_task_spec *members[MANY];
  stage s;
  act good = {.json = "7"}, slow = {.waits = true};
  vow_task *group;
  stage_open(&s, 4);
  vow_task_spec member = act_spec("good", &good), waits = act_spec("slow", &slow);
  for (int i = 0; i < MANY; i++)
    members[i] = &member;
  vow_task_spec all = vow_task_group_spec("all", VOW_TASK_PARALLEL, members, MANY);
  run_to(&s, &all, VOW_FULFILLED, &group);
  assert_int_equal(strlen(vow_task_value_json(group)), 2 * MANY + 1);
  vow_task_release(group);
  for (int i = 0; i < MANY; i++)
    members[i] = i == 3 ? &member : &waits;
  vow_task_spec race = vow_task_group_spec("race", VOW_TASK_RACE, members, MANY);
  run_to(&s, &race, VOW_FULFILLED, &group);
  assert_int_equal(vow_task_winner(group), 3);
  vow_task_release(group);
  stage_close(&s);
  assert_int_equal(good.freed + slow.freed, 2 * MANY);
}

/* ---- what is refused ---- */

static void refuse(const stage *s, const vow_task_spec *spec, const char *message) {
  vow_task *task = (vow_task *)(uintptr_t)8;
  assert_int_equal(vow_task_start(s->pool, spec, &task), VOW_E_INVALID);
  assert_null(task);
  if (!strstr(vow_task_pool_message(s->pool), message))
    fail_msg("%s", vow_task_pool_message(s->pool));
}

static void what_is_no_group(void **state) {
  (void)state;
  stage s;
  act a = {.json = "1"};
  stage_open(&s, 1);
  vow_task_spec call = act_spec("a", &a), bad = call, race = {0}, outer = {0};
  race = vow_task_group_spec("race", VOW_TASK_RACE, NULL, 0);
  refuse(&s, &race, "members: a race needs one");
  outer = GROUP("outer", VOW_TASK_PARALLEL, &call, &race);
  refuse(&s, &outer, "members[1]: members: a race needs one");
  vow_task_spec outmost = GROUP("outmost", VOW_TASK_RACE, &outer);
  refuse(&s, &outmost, "members[0].members[1]: members: a race needs one");
  bad.callback = NULL;
  outer = GROUP("outer", VOW_TASK_PARALLEL, &call, &call, &bad);
  refuse(&s, &outer, "members[2]: callback: a call needs one");
  outer = GROUP("outer", VOW_TASK_PARALLEL, &call, NULL);
  refuse(&s, &outer, "members[1]: the spec is NULL");
  outer.members = NULL;
  refuse(&s, &outer, "members: it is NULL");
  bad = call;
  bad.retry.jitter_percent = 101;
  outer = GROUP("outer", VOW_TASK_RACE, &bad);
  refuse(&s, &outer, "members[0]: retry.jitter_percent");
  bad = call;
  bad.form = (vow_task_form)7;
  refuse(&s, &bad, "form: there is no such one");
  bad = call;
  bad.gives = 1u << 9;
  refuse(&s, &bad, "takes, gives: there is no such type");
  const vow_task_spec *self = &race; /* a group that holds itself has no end */
  race = vow_task_group_spec("race", VOW_TASK_RACE, &self, 1);
  refuse(&s, &race, "nested deeper than 16");
  assert_int_equal(counts_of(&s).created, 0);
  stage_close(&s);
  assert_int_equal(a.begun + a.freed, 0);
}

static void too_many_members(void **state) {
  (void)state;
  enum { MANY = 300 };
  static const vow_task_spec *inner[MANY], *outer[MANY];
  stage s;
  act a = {.json = "1"};
  stage_open(&s, 1);
  vow_task_spec call = act_spec("a", &a);
  vow_task_spec group = vow_task_group_spec("inner", VOW_TASK_PARALLEL, inner, MANY);
  for (int i = 0; i < MANY; i++) {
    inner[i] = &call;
    outer[i] = &group;
  }
  vow_task_spec all = vow_task_group_spec("all", VOW_TASK_PARALLEL, outer, MANY);
  refuse(&s, &all, "members: there are more than 65535 in all");
  stage_close(&s);
  assert_int_equal(a.begun + a.freed, 0);
}

/* Five of six calls have room: none is begun. */
static void all_or_nothing(void **state) {
  (void)state;
  stage s;
  act busy = {.waits = true}, a = {.json = "1"};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .queue_max = 4});
  vow_task_spec call = act_spec("a", &a), wait = act_spec("busy", &busy);
  vow_task *running = start_spec(&s, &wait), *group;
  await_count(&busy.begun, 1);
  vow_task_spec three = GROUP("three", VOW_TASK_PARALLEL, &call, &call, &call);
  vow_task_spec six = GROUP("six", VOW_TASK_PARALLEL, &three, &three);
  assert_int_equal(vow_task_start(s.pool, &six, &group), VOW_E_FULL);
  assert_null(group);
  assert_int_equal(counts_of(&s).created, 1);
  assert_int_equal(a.begun + a.freed, 0);
  vow_task_spec five = GROUP("five", VOW_TASK_PARALLEL, &three, &call, &call);
  group = start_spec(&s, &five);
  atomic_store(&busy.go, true);
  expect_end(group, VOW_FULFILLED);
  expect_end(running, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(a.freed, 5);
}

/* ---- cancels and deadlines ---- */

static void cancel_before_its_members_begin(void **state) {
  (void)state;
  stage s;
  act busy = {.waits = true}, a = {.json = "1"};
  stage_open(&s, 1);
  vow_task_spec call = act_spec("a", &a), wait = act_spec("busy", &busy);
  vow_task *running = start_spec(&s, &wait);
  await_count(&busy.begun, 1);
  vow_task_spec inner = GROUP("inner", VOW_TASK_RACE, &call, &call);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &call, &inner);
  vow_task *group = start_spec(&s, &all);
  assert_int_equal(vow_task_cancel(group), VOW_OK);
  assert_int_equal(vow_task_cancel(group), VOW_LATE);
  assert_int_equal(vow_task_state(group), VOW_OP_CANCELLED);
  assert_int_equal(member_state(group, 1), VOW_OP_CANCELLED);
  assert_int_equal(member_state(vow_task_member(group, 1), 1), VOW_OP_CANCELLED);
  await_count(&a.freed, 3);
  expect_end(group, VOW_OP_CANCELLED);
  atomic_store(&busy.go, true);
  expect_end(running, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(a.begun, 0);
}

static void cancel_while_its_members_run(void **state) {
  (void)state;
  stage s;
  act a = {.waits = true};
  stage_open(&s, 3);
  vow_task_spec call = act_spec("a", &a);
  vow_task_spec inner = GROUP("inner", VOW_TASK_RACE, &call, &call);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &call, &inner);
  vow_task *group = start_spec(&s, &all);
  await_count(&a.begun, 3);
  assert_int_equal(vow_task_cancel(group), VOW_OK);
  expect_end(group, VOW_OP_CANCELLED);
  await_count(&a.freed, 3);
  assert_int_equal(a.stopped, 3);
  stage_close(&s);
}

static void pool_cancel_and_close_end_groups(void **state) {
  (void)state;
  for (int round = 0; round < 2; round++) {
    stage s;
    act a = {.waits = true};
    stage_open(&s, 2);
    vow_task_spec call = act_spec("a", &a);
    vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &call, &call, &call);
    vow_task *group = start_spec(&s, &all);
    await_count(&a.begun, 2);
    if (round == 0)
      assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
    assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
    assert_int_equal(a.freed, 3);
    assert_int_equal(vow_task_wait(group, 0), VOW_OK); /* held tasks stay valid */
    assert_int_equal(member_state(group, 2), VOW_OP_CANCELLED);
    expect_end(group, VOW_OP_CANCELLED);
    assert_int_equal(s.memory.blocks, 0);
  }
}

static void tell_remaining(vow_task_context *context, void *argument) {
  atomic_store((atomic_uint *)argument, (unsigned)vow_task_remaining_ms(context));
}

static void a_group_bounds_its_members(void **state) {
  (void)state;
  stage s;
  atomic_uint left = 0;
  vow_task *group;
  stage_open(&s, 1);
  vow_task_spec call = vow_task_call_spec("left", tell_remaining, &left);
  call.timeout_ms = 0;
  vow_task_spec inner = GROUP("inner", VOW_TASK_RACE, &call);
  inner.timeout_ms = 0;
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &inner);
  all.timeout_ms = 20000;
  run_to(&s, &all, VOW_FULFILLED, &group);
  assert_true(left > 10000 && left <= 20000);
  vow_task_release(group);
  stage_close(&s);
}

/* One that ignores it is given up; its argument is freed when it returns. */
static void a_loser_that_does_not_stop(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  act good = {.json = "1", .waits = true};
  vow_task *group;
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .patience_ms = 10});
  vow_task_spec a = probe_spec(stubborn, &p), b = act_spec("good", &good);
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  group = start_spec(&s, &race);
  await_count(&p.begun, 1);
  atomic_store(&good.go, true);
  expect_end(group, VOW_FULFILLED);
  while (counts_of(&s).retired == 0)
    uv_sleep(1);
  assert_int_equal(p.freed, 0);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_E_TIME);
  atomic_store(&p.go, true);
  await_count(&p.freed, 1);
  stage_no_memory(&s);
}

/* ---- from callbacks ---- */

typedef struct outer_job {
  atomic_uint freed;
  vow_task_form form;
  act *a;
  bool done;
} outer_job;

/* A group in a callback of the only thread. */
static void starts_a_group(vow_task_context *context, void *argument) {
  outer_job *job = argument;
  vow_task_spec call = act_spec("inner", job->a);
  vow_task_spec group = GROUP("group", job->form, &call, &call, &call);
  vow_task *task;
  assert_int_equal(vow_task_run(vow_task_pool_of(context), &group, &task), VOW_OK);
  vow_task_succeed(context, vow_task_result_of(task)->value, vow_task_result_of(task)->value_len);
  vow_task_release(task);
  job->done = true;
}

static void groups_in_callbacks(void **state) {
  (void)state;
  for (int form = VOW_TASK_PARALLEL; form <= VOW_TASK_RACE; form++) {
    stage s;
    act a = {.json = "5"};
    outer_job job = {.form = (vow_task_form)form, .a = &a};
    vow_task *task;
    stage_open(&s, 1);
    vow_task_spec spec = vow_task_call_spec("outer", starts_a_group, &job);
    run_to(&s, &spec, VOW_FULFILLED, &task);
    expect_json(task, form == VOW_TASK_PARALLEL ? "[5,5,5]" : "5");
    vow_task_release(task);
    stage_close(&s);
    assert_true(job.done);
    assert_int_equal(a.freed, 3);
  }
}

typedef struct circle {
  _Atomic(vow_task *) group;
  vow_status status;
} circle;

static void waits_for_its_group(vow_task_context *context, void *argument) {
  circle *c = argument;
  while (!atomic_load(&c->group))
    vow_task_sleep(context, 1);
  c->status = vow_task_wait(atomic_load(&c->group), VOW_FOREVER);
}

static void a_member_cannot_wait_for_its_group(void **state) {
  (void)state;
  stage s;
  circle c = {.status = VOW_OK};
  stage_open(&s, 2);
  vow_task_spec call = vow_task_call_spec("circle", waits_for_its_group, &c);
  vow_task_spec inner = GROUP("inner", VOW_TASK_PARALLEL, &call);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &inner);
  vow_task *group = start_spec(&s, &all);
  atomic_store(&c.group, group);
  expect_end(group, VOW_FULFILLED);
  assert_int_equal(c.status, VOW_E_DEADLOCK);
  stage_close(&s);
}

static void a_guard_waits_for_all_members(void **state) {
  (void)state;
  stage s;
  act a = {.waits = true};
  stage_open(&s, 3);
  {
    VOW_TASK_GUARD(group) = NULL;
    vow_task_spec call = act_spec("a", &a);
    vow_task_spec inner = GROUP("inner", VOW_TASK_PARALLEL, &call, &call);
    vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &call, &inner);
    assert_int_equal(vow_task_start(s.pool, &all, &group), VOW_OK);
    await_count(&a.begun, 3);
  }
  assert_int_equal(a.stopped, 3);
  stage_close(&s);
}

#define FLOOD 600

typedef struct flood {
  atomic_uint begun;
  atomic_bool held, over;
  uv_thread_t test;
} flood;

static void first_of_flood(vow_task_context *context, void *argument) {
  atomic_fetch_add(&((flood *)argument)->begun, 1);
  while (vow_task_sleep(context, 1000000))
    ;
}

static void next_of_flood(vow_task_context *context, void *argument) {
  (void)context;
  atomic_fetch_add(&((flood *)argument)->begun, 1);
  uv_sleep(1);
}

/* The first one freed keeps the thread that ends those whose time is over. */
static void hold_keeper(void *argument) {
  flood *f = argument;
  uv_thread_t self = uv_thread_self();
  if (uv_thread_equal(&self, &f->test) || atomic_exchange(&f->held, true))
    return;
  while (!atomic_load(&f->over))
    uv_sleep(1);
}

/* More than come to their end at once when the time of the group is over. */
static void nothing_begins_behind_a_guard(void **state) {
  (void)state;
  stage s;
  flood f = {.test = uv_thread_self()};
  const vow_task_spec *members[FLOOD];
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 100});
  vow_task_spec first = vow_task_call_spec("first", first_of_flood, &f);
  vow_task_spec next = vow_task_call_spec("next", next_of_flood, &f);
  next.argument_free = hold_keeper;
  for (size_t i = 0; i < FLOOD; i++)
    members[i] = i == 0 ? &first : &next;
  vow_task_spec all = vow_task_group_spec("all", VOW_TASK_PARALLEL, members, FLOOD);
  all.timeout_ms = 200;
  {
    VOW_TASK_GUARD(group) = NULL;
    assert_int_equal(vow_task_start(s.pool, &all, &group), VOW_OK);
    assert_int_equal(vow_task_wait(group, VOW_FOREVER), VOW_OK);
    assert_int_equal(vow_task_state(group), VOW_TIMED_OUT);
  }
  unsigned begun = atomic_load(&f.begun);
  uv_sleep(50); /* so long as many of them take */
  atomic_store(&f.over, true);
  assert_int_equal(vow_task_pool_wait(s.pool, VOW_FOREVER), VOW_OK);
  stage_close(&s);
  assert_int_equal(f.begun, begun);
}

/* Nobody may try them again, so each is freed when it ends. */
static void arguments_are_freed_in_time(void **state) {
  (void)state;
  stage s;
  act fast = {.json = "1"}, slow = {.waits = true};
  stage_open(&s, 2);
  vow_task_spec a = act_spec("fast", &fast), b = act_spec("slow", &slow);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &a, &b);
  vow_task *group = start_spec(&s, &all);
  await_count(&fast.freed, 1);
  assert_null(vow_task_result_of(group));
  atomic_store(&slow.go, true);
  expect_end(group, VOW_FULFILLED);
  stage_close(&s);
}

static void nobody_holds_the_group(void **state) {
  (void)state;
  stage s;
  act a = {.json = "1"};
  stage_open(&s, 2);
  vow_task_spec call = act_spec("a", &a);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &call, &call);
  assert_int_equal(vow_task_start(s.pool, &all, NULL), VOW_OK);
  stage_close(&s);
  assert_int_equal(a.freed, 2);
}

/* ---- memory ---- */

/* Each allocation fails once: nothing was started, or it ends in one of the ways there are. */
static void each_allocation_fails_once(void **state) {
  (void)state;
  stage s;
  unsigned refused = 0, fulfilled = 0;
  stage_open(&s, 2);
  for (size_t n = 1; fulfilled < 3; n++) {
    act a = {.json = "1"};
    vow_task *group;
    vow_task_spec call = act_spec("a", &a);
    call.value = "v";
    call.value_len = 1;
    vow_task_spec inner = GROUP("inner", VOW_TASK_PARALLEL, &call, &call);
    vow_task_spec race = GROUP("race", VOW_TASK_RACE, &inner, &call);
    vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &race, &inner);
    all.retry = (vow_task_retry){.attempts = 2};
    counting_fail(&s.memory, n);
    vow_status status = vow_task_run(s.pool, &all, &group);
    counting_fail(&s.memory, 0);
    assert_true(status == VOW_OK || status == VOW_E_NOMEM);
    if (status == VOW_E_NOMEM) {
      refused++;
      assert_int_equal(a.begun + a.freed, 0);
      continue;
    }
    fulfilled += vow_task_state(group) == VOW_FULFILLED;
    vow_task_release(group);
    assert_int_equal(vow_task_pool_wait(s.pool, VOW_FOREVER), VOW_OK);
    await_count(&a.freed, 5);
  }
  assert_true(refused > 5);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parallel_gives_all_values),
      cmocka_unit_test(nothing_to_do_is_an_empty_list),
      cmocka_unit_test(parallel_fails_by_the_first_in_order),
      cmocka_unit_test(fail_fast_cancels_the_others),
      cmocka_unit_test(a_member_that_is_cancelled_has_failed),
      cmocka_unit_test(race_first_wins),
      cmocka_unit_test(race_lost_by_all),
      cmocka_unit_test(race_lost_by_many),
      cmocka_unit_test(race_timeout),
      cmocka_unit_test(race_of_members_that_time_out),
      cmocka_unit_test(race_that_nobody_has_to_run),
      cmocka_unit_test(they_compose),
      cmocka_unit_test(deep_groups),
      cmocka_unit_test(a_thousand_members),
      cmocka_unit_test(what_is_no_group),
      cmocka_unit_test(too_many_members),
      cmocka_unit_test(all_or_nothing),
      cmocka_unit_test(cancel_before_its_members_begin),
      cmocka_unit_test(cancel_while_its_members_run),
      cmocka_unit_test(pool_cancel_and_close_end_groups),
      cmocka_unit_test(a_group_bounds_its_members),
      cmocka_unit_test(a_loser_that_does_not_stop),
      cmocka_unit_test(groups_in_callbacks),
      cmocka_unit_test(a_member_cannot_wait_for_its_group),
      cmocka_unit_test(a_guard_waits_for_all_members),
      cmocka_unit_test(nothing_begins_behind_a_guard),
      cmocka_unit_test(arguments_are_freed_in_time),
      cmocka_unit_test(nobody_holds_the_group),
      cmocka_unit_test(each_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
