/* Policies of kinds at their edges, one by one; sim_op.c has them in any order. */
#include "unit/op_fixture.h"

static op_kind *open_kind(op_fixture *f, const op_policy *policy) {
  op_kind *kind = op_kind_open(f->table, "kind", policy, 1);
  assert_non_null(kind);
  return kind;
}

static op_id submit_kind(op_fixture *f, op_scope *scope, op_kind *kind, uint64_t timeout,
                         uint8_t priority) {
  op_spec spec = {.kind = kind, .timeout_ns = timeout, .priority = priority};
  op_id id = 0;
  assert_int_equal(op_submit(scope, &spec, 0, &id), OP_OK);
  assert_true(op_table_check(f->table));
  return id;
}

static void fulfil(op_fixture *f, op_id id, uint64_t now) {
  assert_int_equal(op_fulfil(f->table, id, now), OP_OK);
  done(f, id);
}

static void close_kind(op_fixture *f, op_kind *kind) {
  op_kind_close(kind);
  close_table(f);
}

/* ---- batches ---- */

static void a_short_call_ends_the_window(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.batch_max = 8, .batch_window_ns = 1000});
  op_id patient = submit_kind(&f, f.scope, kind, 0, 0);
  assert_int_equal(op_next_deadline(f.table), 1000);
  op_id hasty = submit_kind(&f, f.scope, kind, 100, 0);
  assert_int_equal(op_next_deadline(f.table), 50);
  op_id last = submit_kind(&f, f.scope, kind, 500, 0);
  assert_int_equal(op_next_deadline(f.table), 50);
  no_event(&f);
  assert_int_equal(op_expire(f.table, 50, 0), 1);
  op_event event = next(&f);
  assert_true(event.id == patient && event.kind == OP_EVENT_START && event.batch_more);
  expect(&f, OP_EVENT_START, hasty, OP_RUNNING);
  expect(&f, OP_EVENT_START, last, OP_RUNNING);
  fulfil(&f, patient, 60);
  fulfil(&f, hasty, 60);
  fulfil(&f, last, 60);
  close_kind(&f, kind);
}

/* ---- places ---- */

/* More of them serve who waits; fewer are so when handlers have ended. */
static void places_of_a_kind_change(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.concurrent_max = 1});
  op_id ids[4];
  for (int i = 0; i < 4; i++)
    ids[i] = submit_kind(&f, f.scope, kind, 0, 0);
  expect(&f, OP_EVENT_START, ids[0], OP_RUNNING);
  no_event(&f);
  op_kind_set_concurrent(kind, 3);
  assert_true(op_table_check(f.table));
  expect(&f, OP_EVENT_START, ids[1], OP_RUNNING);
  expect(&f, OP_EVENT_START, ids[2], OP_RUNNING);
  no_event(&f);
  op_kind_set_concurrent(kind, 1);
  assert_true(op_table_check(f.table));
  assert_int_equal(op_kind_look(kind).places, 3);
  fulfil(&f, ids[0], 10);
  fulfil(&f, ids[1], 10);
  no_event(&f); /* one place is in use still */
  fulfil(&f, ids[2], 10);
  expect(&f, OP_EVENT_START, ids[3], OP_RUNNING);
  assert_int_equal(op_finish(f.table, ids[3], OP_REJECTED, 20), OP_OK);
  assert_int_equal(op_finish(f.table, ids[3], OP_REJECTED, 20), OP_E_GONE);
  assert_int_equal(op_scope_counts(f.scope).rejected, 1);
  close_kind(&f, kind);
}

/* ---- retries ---- */

/* One handler at once: `id` has failed at 30, after as long, and `other` has its place. */
static void fail_behind(op_fixture *f, op_kind **kind, op_id *id, op_id *other) {
  open_table(f, &(op_scope_limits){.concurrent_max = 1}, 0);
  *kind = open_kind(f, &(op_policy){.attempts = 2});
  *id = submit_kind(f, f->scope, *kind, 100, 0);
  expect(f, OP_EVENT_START, *id, OP_RUNNING);
  *other = submit(f, 0, 0, 0);
  assert_int_equal(op_retry(f->table, *id, 30, 0), OP_OK);
  expect(f, OP_EVENT_START, *other, OP_RUNNING);
  assert_int_equal(op_expire(f->table, 30, 0), 1);
  no_event(f);
}

static void an_attempt_that_came_too_late_does_not_begin(void **state) {
  (void)state;
  op_fixture f = {0};
  op_kind *kind;
  op_id id, other;
  fail_behind(&f, &kind, &id, &other);
  assert_int_equal(op_next_deadline(f.table), 70);
  assert_int_equal(op_expire(f.table, 69, 0), 0);
  assert_int_equal(op_expire(f.table, 70, 0), 1);
  expect(&f, OP_EVENT_SETTLED, id, OP_TIMED_OUT);
  assert_true(gone(&f, id));
  fulfil(&f, other, 80);
  no_event(&f);
  close_kind(&f, kind);
}

static void an_attempt_in_time_has_the_whole_deadline(void **state) {
  (void)state;
  op_fixture f = {0};
  op_kind *kind;
  op_id id, other;
  fail_behind(&f, &kind, &id, &other);
  fulfil(&f, other, 69);
  expect(&f, OP_EVENT_START, id, OP_RUNNING);
  assert_int_equal(op_next_deadline(f.table), 100);
  assert_int_equal(op_expire(f.table, 99, 0), 0);
  fulfil(&f, id, 99);
  close_kind(&f, kind);
}

/* Its owner counts: no kind, no bound but that of a record. */
static void an_attempt_as_its_owner_says(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id id = start(&f, 0, 0, 0);
  for (uint32_t attempt = 1; attempt < OP_ATTEMPTS_MAX; attempt++) {
    assert_int_equal(op_retry_after(f.table, id, attempt, 1), OP_OK);
    assert_int_equal(op_retry_after(f.table, id, attempt, 1), OP_E_STATE);
    assert_int_equal(op_expire(f.table, attempt, 0), 0);
    assert_int_equal(op_expire(f.table, attempt + 1, 0), 1);
    op_event event;
    assert_true(op_next_event(f.table, &event) && event.kind == OP_EVENT_START);
  }
  op_info info;
  assert_int_equal(op_find(f.table, id, &info, 0), OP_OK);
  assert_int_equal(info.attempts, OP_ATTEMPTS_MAX);
  assert_int_equal(op_retry_after(f.table, id, OP_ATTEMPTS_MAX, 1), OP_E_SPENT);
  assert_int_equal(op_table_counts(f.table).retries, OP_ATTEMPTS_MAX - 1);
  fulfil(&f, id, OP_ATTEMPTS_MAX);
  assert_int_equal(op_retry_after(f.table, id, OP_ATTEMPTS_MAX, 1), OP_E_GONE);
  close_table(&f);
}

static void an_attempt_that_would_end_too_late_is_refused(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.attempts = 1});
  op_id id = submit_kind(&f, f.scope, kind, 100, 0);
  expect(&f, OP_EVENT_START, id, OP_RUNNING);
  assert_int_equal(op_retry_after(f.table, id, 30, 40), OP_E_SPENT); /* 30 + 40 + 30 */
  assert_int_equal(op_retry_after(f.table, id, 30, OP_NEVER), OP_E_SPENT);
  assert_int_equal(op_retry_after(f.table, id, 30, 39), OP_OK); /* beyond the kind's */
  assert_int_equal(op_next_deadline(f.table), 69);
  assert_int_equal(op_cancel(f.table, id, 50), OP_OK);
  expect(&f, OP_EVENT_SETTLED, id, OP_CANCELLED);
  no_event(&f);
  assert_true(gone(&f, id));
  close_kind(&f, kind);
}

/* ---- places ---- */

static void low_priority_is_not_starved(void **state) {
  (void)state;
  enum { FLOOD = 40 };
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.concurrent_max = 1});
  op_id running = submit_kind(&f, f.scope, kind, 0, 0);
  expect(&f, OP_EVENT_START, running, OP_RUNNING);
  op_id low = submit_kind(&f, f.scope, kind, 0, OP_PRIORITIES - 1);
  for (int i = 0; i < FLOOD; i++)
    submit_kind(&f, f.scope, kind, 0, 0);
  unsigned before = 0;
  for (; running != low; before++) { /* one more of the flood comes for each that goes */
    fulfil(&f, running, 0);
    submit_kind(&f, f.scope, kind, 0, 0);
    running = next(&f).id;
  }
  assert_in_range(before, 1, OP_TURN);
  fulfil(&f, low, 0);
  assert_int_equal(next(&f).kind, OP_EVENT_START);
  op_scope_cancel_all(f.scope, 0);
  for (op_event event; op_next_event(f.table, &event);)
    if (event.kind == OP_EVENT_STOP)
      done(&f, event.id);
  close_kind(&f, kind);
}

/* The flood of one run waits in its own queue, whatever is free for all. */
static void one_run_does_not_take_the_places_of_others(void **state) {
  (void)state;
  enum { FLOOD = 1000 };
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 2}, 0);
  op_table_set_concurrent(f.table, 3);
  op_scope *other = op_scope_open(f.table, NULL, OP_NEVER, NULL, 0);
  assert_non_null(other);
  op_id flood[2];
  for (int i = 0; i < FLOOD; i++) {
    op_id id = submit(&f, 0, 0, 0);
    if (i < 2)
      flood[i] = id;
  }
  expect(&f, OP_EVENT_START, flood[0], OP_RUNNING);
  expect(&f, OP_EVENT_START, flood[1], OP_RUNNING);
  op_id mine = submit_in(&f, other, 0, 0, 0), next_mine = submit_in(&f, other, 0, 0, 0);
  expect(&f, OP_EVENT_START, mine, OP_RUNNING);
  no_event(&f);
  fulfil(&f, flood[0], 0); /* the next place is not the flood's again: `next_mine` came first */
  expect(&f, OP_EVENT_START, next_mine, OP_RUNNING);
  op_scope_close(f.scope, 0);
  expect(&f, OP_EVENT_STOP, flood[1], OP_CANCELLED);
  done(&f, flood[1]);
  fulfil(&f, mine, 0);
  fulfil(&f, next_mine, 0);
  op_scope_close(other, 0);
  op_scope_release(other);
  close_table(&f);
}

/* ---- bounds of the queues ---- */

static op_status try_kind(op_scope *scope, op_kind *kind) {
  op_spec spec = {.kind = kind, .name = "kind"};
  op_id id;
  return op_submit(scope, &spec, 0, &id);
}

/* One place for all, one operation of each scope in it or behind it; the kind's, the
 * scope's and the table's bound refuse in this order, and each names itself. */
static void each_queue_has_its_bound(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.queue_max = 2}, 0);
  op_table_set_concurrent(f.table, 1);
  op_table_set_queue(f.table, 3);
  op_kind *kind = open_kind(&f, &(op_policy){.queue_max = 1});
  op_scope *other = op_scope_open(f.table, NULL, OP_NEVER, NULL, 0);
  assert_non_null(other);
  op_id running = submit_kind(&f, f.scope, kind, 0, 0);
  expect(&f, OP_EVENT_START, running, OP_RUNNING);
  op_id first = submit_kind(&f, f.scope, kind, 0, 0);
  assert_int_equal(try_kind(f.scope, kind), OP_E_FULL);
  assert_int_equal(try_kind(f.scope, NULL), OP_OK);
  assert_int_equal(try_kind(f.scope, NULL), OP_E_FULL_SCOPE);
  assert_int_equal(try_kind(other, NULL), OP_OK);
  assert_int_equal(try_kind(other, NULL), OP_E_FULL_TABLE);
  assert_int_equal(op_scope_counts(f.scope).rejected, 2);
  assert_int_equal(op_scope_counts(other).rejected, 1);
  assert_true(op_table_check(f.table));
  fulfil(&f, running, 0); /* one less waits: there is room again */
  expect(&f, OP_EVENT_START, first, OP_RUNNING);
  assert_int_equal(try_kind(f.scope, kind), OP_OK);
  assert_int_equal(try_kind(other, NULL), OP_E_FULL_TABLE);
  fulfil(&f, first, 0);
  op_scope_close(f.scope, 0);
  op_scope_close(other, 0);
  op_scope_release(other);
  for (op_event event; op_next_event(f.table, &event);)
    if (event.kind == OP_EVENT_STOP)
      done(&f, event.id);
  close_kind(&f, kind);
}

/* What was admitted waits again for another attempt, however many do. */
static void a_full_queue_refuses_no_attempt(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 1, .queue_max = 1}, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.attempts = 2, .queue_max = 1});
  op_id id = submit_kind(&f, f.scope, kind, 0, 0);
  expect(&f, OP_EVENT_START, id, OP_RUNNING);
  op_id other = submit_kind(&f, f.scope, kind, 0, 0);
  assert_int_equal(op_retry(f.table, id, 0, 0), OP_OK);
  expect(&f, OP_EVENT_START, other, OP_RUNNING);
  op_id third = submit_kind(&f, f.scope, kind, 0, 0);
  assert_int_equal(op_expire(f.table, 0, 0), 1);
  assert_int_equal(op_scope_counts(f.scope).queued, 2);
  assert_int_equal(try_kind(f.scope, NULL), OP_E_FULL_SCOPE);
  fulfil(&f, other, 0);
  expect(&f, OP_EVENT_START, third, OP_RUNNING);
  fulfil(&f, third, 0);
  expect(&f, OP_EVENT_START, id, OP_RUNNING);
  fulfil(&f, id, 0);
  close_kind(&f, kind);
}

/* ---- flights ---- */

static op_id submit_equal(op_fixture *f, op_kind *kind, uint8_t priority) {
  op_spec spec = {.kind = kind, .priority = priority, .key = "k", .key_len = 1};
  op_id id = 0;
  assert_int_equal(op_submit(f->scope, &spec, 0, &id), OP_OK);
  assert_true(op_table_check(f->table));
  return id;
}

static uint8_t level_of(op_fixture *f, op_id id) {
  op_info info;
  assert_int_equal(op_find(f->table, id, &info, 0), OP_OK);
  return info.priority;
}

static void submit_flood(op_fixture *f, op_kind *kind, op_id *ids, size_t count) {
  for (size_t i = 0; i < count; i++)
    ids[i] = submit_kind(f, f->scope, kind, 0, 1);
}

/* The leader is the last in line; one that follows goes before all, so it does too. */
static void a_follower_takes_its_leader_along(void **state) {
  (void)state;
  op_fixture f = {0};
  op_id flood[2], more[2];
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.concurrent_max = 1, .single_flight = true});
  submit_flood(&f, kind, flood, 2);
  op_id leader = submit_equal(&f, kind, 3);
  submit_flood(&f, kind, more, 2);
  expect(&f, OP_EVENT_START, flood[0], OP_RUNNING);
  op_id patient = submit_equal(&f, kind, 3);
  assert_int_equal(level_of(&f, leader), 3);
  op_id urgent = submit_equal(&f, kind, 0);
  assert_int_equal(level_of(&f, leader), 0);
  assert_int_equal(op_cancel(f.table, urgent, 0), OP_OK); /* it keeps what it was given */
  expect(&f, OP_EVENT_SETTLED, urgent, OP_CANCELLED);
  assert_int_equal(level_of(&f, leader), 0);
  fulfil(&f, flood[0], 0);
  expect(&f, OP_EVENT_START, leader, OP_RUNNING);
  assert_int_equal(op_fulfil(f.table, patient, 0), OP_OK); /* it has no handler of its own */
  fulfil(&f, leader, 0);
  op_scope_cancel_all(f.scope, 0);
  for (op_event event; op_next_event(f.table, &event);)
    if (event.kind == OP_EVENT_STOP)
      done(&f, event.id);
  close_kind(&f, kind);
}

/* Who leads next waits with the highest priority of those that still follow. */
static void the_next_leader_waits_for_its_followers(void **state) {
  (void)state;
  op_fixture f = {0};
  op_id running;
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.concurrent_max = 1, .single_flight = true});
  submit_flood(&f, kind, &running, 1);
  expect(&f, OP_EVENT_START, running, OP_RUNNING);
  op_id leader = submit_equal(&f, kind, 3), next_one = submit_equal(&f, kind, 3);
  op_id urgent = submit_equal(&f, kind, 0), middle = submit_equal(&f, kind, 2);
  assert_int_equal(op_cancel(f.table, urgent, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, urgent, OP_CANCELLED);
  assert_int_equal(op_cancel(f.table, leader, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, leader, OP_CANCELLED);
  assert_int_equal(level_of(&f, next_one), 2);
  assert_int_equal(op_cancel(f.table, next_one, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, next_one, OP_CANCELLED);
  assert_int_equal(level_of(&f, middle), 2);
  fulfil(&f, running, 0);
  expect(&f, OP_EVENT_START, middle, OP_RUNNING);
  fulfil(&f, middle, 0);
  close_kind(&f, kind);
}

/* ---- times that do not fit ---- */

static void the_longest_times_do_not_wrap(void **state) {
  (void)state;
  const uint64_t late = OP_NEVER - 10;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_kind *kind = open_kind(&f, &(op_policy){.timeout_ns = OP_NEVER,
                                             .attempts = UINT32_MAX,
                                             .backoff_ns = OP_NEVER,
                                             .cache_ns = OP_NEVER,
                                             .batch_max = UINT32_MAX,
                                             .batch_window_ns = OP_NEVER});
  op_answer answer;
  op_spec spec = {.kind = kind, .timeout_ns = 1000, .key = "k", .key_len = 1, .answer = &answer};
  op_id id;
  assert_int_equal(op_submit(f.scope, &spec, late, &id), OP_OK);
  assert_int_equal(op_next_deadline(f.table), OP_NEVER); /* the window and the deadline */
  for (int i = 1; i < (int)OP_BATCH_MAX; i++)
    submit_kind(&f, f.scope, kind, 0, 0);
  expect(&f, OP_EVENT_START, id, OP_RUNNING); /* the batch is full at its bound */
  assert_int_equal(op_retry(f.table, id, late + 5, OP_NEVER), OP_E_SPENT); /* never comes */
  assert_true(op_keep(f.table, id, OP_FULFILLED, "v", 1, late + 5));
  fulfil(&f, id, late + 5);
  assert_int_equal(op_submit(f.scope, &spec, OP_NEVER - 1, &id), OP_HIT);
  op_scope_cancel_all(f.scope, OP_NEVER - 1);
  for (op_event event; op_next_event(f.table, &event);)
    assert_int_equal(event.kind, OP_EVENT_SETTLED);
  close_kind(&f, kind);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_of_a_kind_change),
      cmocka_unit_test(a_short_call_ends_the_window),
      cmocka_unit_test(an_attempt_that_came_too_late_does_not_begin),
      cmocka_unit_test(an_attempt_in_time_has_the_whole_deadline),
      cmocka_unit_test(an_attempt_as_its_owner_says),
      cmocka_unit_test(an_attempt_that_would_end_too_late_is_refused),
      cmocka_unit_test(low_priority_is_not_starved),
      cmocka_unit_test(one_run_does_not_take_the_places_of_others),
      cmocka_unit_test(each_queue_has_its_bound),
      cmocka_unit_test(a_full_queue_refuses_no_attempt),
      cmocka_unit_test(a_follower_takes_its_leader_along),
      cmocka_unit_test(the_next_leader_waits_for_its_followers),
      cmocka_unit_test(the_longest_times_do_not_wrap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
