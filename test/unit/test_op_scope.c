/* The operation table: scopes, limits, timers, time, clocks and lists. */
#include "op_fixture.h"

/* ---- closing ---- */

static void close_settles_everything(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 3}, 0);
  op_id done_late = start(&f, 0, 5, 0), running = start(&f, 0, 0, 0), timer, id = 0;
  op_id starting = submit(&f, running, 0, 0), waiting = submit(&f, starting, 0, 0);
  op_scope_set_wall(f.scope, 6);
  assert_int_equal(op_timer_start(f.scope, 7, 0, 0, &timer), OP_OK);
  assert_int_equal(op_timer_start(f.scope, 99, 0, 0, &timer), OP_OK);
  assert_int_equal(op_expire(f.table, 8, 0), 3);
  op_scope_close(f.scope, 9);
  op_counts counts = op_scope_counts(f.scope);
  assert_int_equal(counts.live + counts.timers + counts.queued, 0);
  assert_int_equal(counts.cancelled, 3);
  assert_int_equal(counts.running, 2);
  assert_int_equal(op_next_deadline(f.table), OP_NEVER);
  /* Raised before the close: kept. START, TIMER and WALL: gone. */
  expect(&f, OP_EVENT_SETTLED, done_late, OP_TIMED_OUT);
  expect(&f, OP_EVENT_STOP, done_late, OP_TIMED_OUT);
  expect(&f, OP_EVENT_STOP, running, OP_CANCELLED);
  no_event(&f);
  assert_true(op_scope_idle(f.scope));
  assert_true(gone(&f, starting) && gone(&f, waiting));

  assert_int_equal(try_submit(f.scope, 0, &id), OP_E_CLOSED);
  assert_int_equal(op_timer_start(f.scope, 1, 0, 9, &id), OP_E_CLOSED);
  op_scope_set_wall(f.scope, 1);
  op_scope_cancel_all(f.scope, 9);
  op_scope_drop_timers(f.scope);
  op_scope_close(f.scope, 9);
  assert_int_equal(op_expire(f.table, 1000, 0), 0);
  done(&f, done_late);
  done(&f, running);
  no_event(&f);
  assert_int_equal(op_scope_counts(f.scope).cancelled, 3);
  close_table(&f);
}

static void released_with_running_handlers(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = start(&f, 0, 0, 0), b = start(&f, 0, 0, 0);
  size_t blocks = f.blocks;
  op_scope_close(f.scope, 1);
  op_scope_release(f.scope);
  f.scope = NULL;
  assert_int_equal(f.blocks, blocks);
  op_event event = next(&f);
  assert_int_equal(event.kind, OP_EVENT_STOP);
  assert_int_equal(event.id, a);
  assert_null(event.scope);
  assert_null(event.scope_user);
  assert_string_equal(event.name, "kind");
  done(&f, b); /* before its STOP was taken */
  no_event(&f);
  assert_int_equal(f.blocks, blocks);
  assert_int_equal(op_fulfil(f.table, a, 2), OP_LATE);
  assert_int_equal(op_table_counts(f.table).running, 1);
  done(&f, a);
  assert_int_equal(f.blocks, blocks - 1); /* the scope */
  assert_int_equal(op_table_counts(f.table).late, 1);
  close_table(&f);
}

static void released_with_waiting_event(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = submit(&f, 0, 5, 0);
  assert_int_equal(op_expire(f.table, 5, 0), 1);
  size_t blocks = f.blocks;
  op_scope_close(f.scope, 6);
  op_scope_release(f.scope);
  f.scope = NULL;
  assert_int_equal(f.blocks, blocks);
  op_event event = next(&f);
  assert_int_equal(event.kind, OP_EVENT_SETTLED);
  assert_int_equal(event.id, a);
  assert_null(event.scope);
  assert_int_equal(f.blocks, blocks - 1);
  close_table(&f);
}

static void table_forgets_handlers(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_scope *kept = op_scope_open(f.table, NULL, 50, NULL, 0);
  op_id id = submit_in(&f, kept, 0, 0, 0);
  expect(&f, OP_EVENT_START, id, OP_RUNNING);
  id = start(&f, 0, 0, 0);
  op_scope_close(kept, 0); /* but not released */
  op_scope_close(f.scope, 0);
  op_scope_release(f.scope);
  while (op_table_counts(f.table).running && !op_scope_idle(kept))
    assert_int_equal(next(&f).kind, OP_EVENT_STOP);
  assert_int_equal(next(&f).kind, OP_EVENT_STOP);
  op_table_close(f.table);
  assert_int_equal(f.blocks, 0);
  op_table_close(NULL);
}

static void cancel_all_leaves_it_open(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 1}, 0);
  op_id a = start(&f, 0, 10, 0), b = submit(&f, a, 0, 0), c = submit(&f, b, 0, 0), timer;
  op_scope_set_wall(f.scope, 70);
  assert_int_equal(op_timer_start(f.scope, 10, 0, 0, &timer), OP_OK);
  op_scope_cancel_all(f.scope, 1);
  assert_int_equal(op_next_deadline(f.table), 70);
  expect(&f, OP_EVENT_SETTLED, a, OP_CANCELLED);
  expect(&f, OP_EVENT_STOP, a, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, b, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, c, OP_CANCELLED);
  no_event(&f);
  assert_int_equal(op_timer_stop(f.table, timer), OP_E_GONE);
  op_id d = submit(&f, 0, 0, 2);
  no_event(&f); /* the one slot is still that of a's handler */
  done(&f, a);
  expect(&f, OP_EVENT_START, d, OP_RUNNING);
  done(&f, d);
  expect(&f, OP_EVENT_SETTLED, d, OP_REJECTED);
  close_table(&f);
}

static void scopes_are_apart(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  char cookie;
  op_scope *other = op_scope_open(f.table, NULL, OP_NEVER, &cookie, 0);
  op_id a = submit(&f, 0, 0, 0), b = submit_in(&f, other, 0, 0, 0);
  op_scope_close(f.scope, 0);
  op_event event = next(&f);
  assert_int_equal(event.id, b);
  assert_ptr_equal(event.scope, other);
  assert_ptr_equal(event.scope_user, &cookie);
  assert_true(gone(&f, a));
  assert_true(op_scope_has_live(other));
  assert_int_equal(op_scope_counts(other).created, 1);
  assert_int_equal(op_table_counts(f.table).created, 2);
  done(&f, b);
  expect(&f, OP_EVENT_SETTLED, b, OP_REJECTED);
  op_scope_close(other, 0);
  op_scope_release(other);
  close_table(&f);
}

/* ---- limits ---- */

static void total_is_limited(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.operations_max = 2}, 0);
  op_id id;
  for (int i = 0; i < 2; i++)
    assert_int_equal(op_fulfil(f.table, submit(&f, 0, 0, 0), 0), OP_OK);
  assert_int_equal(try_submit(f.scope, 0, &id), OP_E_TOTAL);
  assert_int_equal(op_timer_start(f.scope, 1, 0, 0, &id), OP_OK); /* timers do not count */
  assert_int_equal(op_scope_counts(f.scope).created, 2);
  close_table(&f);
}

static void live_is_limited(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.timers_max = 1}, 3);
  op_id a = start(&f, 0, 0, 0), timer, id;
  assert_int_equal(op_timer_start(f.scope, 9, 0, 0, &timer), OP_OK);
  assert_int_equal(op_timer_start(f.scope, 9, 0, 0, &id), OP_E_LIVE);
  op_scope *other = op_scope_open(f.table, NULL, 10, NULL, 0);
  op_id b = submit_in(&f, other, 0, 0, 0);
  assert_int_equal(try_submit(f.scope, 0, &id), OP_E_LIVE);
  assert_int_equal(op_timer_start(other, 9, 0, 0, &id), OP_E_LIVE);
  assert_int_equal(op_fulfil(f.table, a, 0), OP_OK);
  assert_int_equal(try_submit(f.scope, 0, &id), OP_E_LIVE); /* its handler runs */
  done(&f, a);
  assert_int_equal(try_submit(f.scope, 0, &id), OP_OK);
  assert_int_equal(op_cancel(f.table, id, 0), OP_OK);
  assert_int_equal(try_submit(f.scope, 0, &a), OP_E_LIVE); /* its event waits */
  expect(&f, OP_EVENT_START, b, OP_RUNNING);
  expect(&f, OP_EVENT_SETTLED, id, OP_CANCELLED);
  assert_int_equal(op_timer_start(other, 9, 0, 0, &id), OP_OK);
  done(&f, b);
  expect(&f, OP_EVENT_SETTLED, b, OP_REJECTED);
  op_scope_close(other, 0);
  op_scope_release(other);
  close_table(&f);
}

/* ---- timers and walls ---- */

static void timers_fire_once(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id late, early, never;
  assert_int_equal(op_timer_start(f.scope, 20, 1, 5, &late), OP_OK);
  assert_int_equal(op_timer_start(f.scope, 0, 2, 5, &early), OP_OK);
  assert_int_equal(op_timer_start(f.scope, UINT64_MAX, 3, 5, &never), OP_OK);
  assert_int_equal(op_next_deadline(f.table), 5);
  assert_false(op_scope_idle(f.scope));
  assert_false(op_scope_has_live(f.scope));
  assert_int_equal(op_expire(f.table, 25, 0), 2);
  assert_int_equal(op_scope_counts(f.scope).timers, 3);
  op_event event = next(&f);
  assert_int_equal(event.kind, OP_EVENT_TIMER);
  assert_int_equal(event.id, early);
  assert_int_equal(event.tag, 2);
  assert_null(event.name);
  assert_null(event.user);
  assert_ptr_equal(event.scope, f.scope);
  assert_int_equal(op_timer_stop(f.table, early), OP_E_GONE);
  assert_int_equal(op_timer_stop(f.table, late), OP_OK); /* fired, not taken */
  no_event(&f);
  assert_int_equal(op_timer_stop(f.table, late), OP_E_GONE);
  assert_int_equal(op_timer_stop(f.table, never), OP_OK);
  assert_true(op_scope_idle(f.scope));
  close_table(&f);
}

static void timers_are_dropped(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id op = submit(&f, 0, 0, 0), timer;
  for (uint64_t i = 0; i < 10; i++)
    assert_int_equal(op_timer_start(f.scope, i, 0, 0, &timer), OP_OK);
  assert_int_equal(op_timer_stop(f.table, op), OP_E_GONE);
  assert_int_equal(op_expire(f.table, 4, 0), 5);
  op_scope_drop_timers(f.scope);
  assert_int_equal(op_scope_counts(f.scope).timers, 0);
  assert_int_equal(op_next_deadline(f.table), OP_NEVER);
  expect(&f, OP_EVENT_START, op, OP_RUNNING);
  no_event(&f);
  done(&f, op);
  expect(&f, OP_EVENT_SETTLED, op, OP_REJECTED);
  close_table(&f);
}

static void wall_is_raised_once_per_setting(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_scope_set_wall(f.scope, 10);
  op_scope_set_wall(f.scope, 30);
  assert_int_equal(op_next_deadline(f.table), 30);
  assert_int_equal(op_expire(f.table, 29, 0), 0);
  assert_int_equal(op_expire(f.table, 30, 0), 1);
  assert_int_equal(op_expire(f.table, 31, 0), 0);
  op_event event = next(&f);
  assert_int_equal(event.kind, OP_EVENT_WALL);
  assert_int_equal(event.id, 0);
  assert_int_equal(event.tag, 0);
  assert_null(event.name);
  assert_ptr_equal(event.scope, f.scope);
  assert_ptr_equal(event.scope_user, &f.cookie);
  op_scope_set_wall(f.scope, 31);
  assert_int_equal(op_expire(f.table, 31, 0), 1);
  assert_false(op_scope_idle(f.scope));
  op_scope_set_wall(f.scope, 50); /* before the event was taken */
  no_event(&f);
  assert_int_equal(op_next_deadline(f.table), 50);
  op_scope_set_wall(f.scope, OP_NEVER);
  assert_int_equal(op_expire(f.table, OP_NEVER, 0), 0);
  close_table(&f);
}

static void expire_keeps_order_and_bound(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_scope *other = op_scope_open(f.table, NULL, 20, NULL, 0);
  op_id a = submit(&f, 0, 20, 0), timer, b, c, d = submit(&f, 0, 21, 0);
  assert_int_equal(op_timer_start(f.scope, 20, 0, 0, &timer), OP_OK);
  b = submit(&f, a, 0, 0);
  c = submit(&f, a, 19, 0);
  assert_int_equal(op_expire(f.table, 20, 2), 2);
  assert_int_equal(op_next_deadline(f.table), 20);
  assert_int_equal(op_expire(f.table, 20, 1), 1);
  assert_int_equal(parent_of(&f, b), 0); /* a timed out, b is due but not yet handled */
  assert_int_equal(op_expire(f.table, 20, 100), 2);
  assert_int_equal(op_expire(f.table, 20, 0), 0);
  assert_int_equal(op_next_deadline(f.table), 21);
  expect(&f, OP_EVENT_START, d, OP_RUNNING);
  expect(&f, OP_EVENT_SETTLED, c, OP_TIMED_OUT);
  expect(&f, OP_EVENT_WALL, 0, OP_PENDING);
  expect(&f, OP_EVENT_SETTLED, a, OP_TIMED_OUT);
  assert_int_equal(next(&f).id, timer);
  expect(&f, OP_EVENT_SETTLED, b, OP_TIMED_OUT);
  no_event(&f);
  done(&f, d);
  expect(&f, OP_EVENT_SETTLED, d, OP_REJECTED);
  op_scope_close(other, 0);
  op_scope_release(other);
  close_table(&f);
}

static void time_does_not_run_backwards(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = submit(&f, 0, 10, 100), b = submit(&f, 0, 10, 50);
  assert_int_equal(deadline_of(&f, a), 110);
  assert_int_equal(deadline_of(&f, b), 110);
  op_scope_clock(f.scope, OP_CLOCK_GUEST, 40);
  assert_int_equal(op_scope_time(f.scope, OP_CLOCK_READY, 40), 100);
  assert_int_equal(op_scope_time(f.scope, OP_CLOCK_GUEST, 40), 0);
  close_table(&f);
}

/* ---- clocks ---- */

static void clocks_sum_to_the_wall(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_scope *scope = op_scope_open(f.table, NULL, OP_NEVER, NULL, 1000);
  uint64_t now = 1000, expected[3] = {0};
  op_clock clock = OP_CLOCK_READY;
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t step = (i * 7919u) % 1013;
    now += step;
    expected[clock] += step;
    for (unsigned c = 0; c < 3; c++)
      assert_int_equal(op_scope_time(scope, (op_clock)c, now), expected[c]);
    clock = (op_clock)((i * 31u) % 3);
    op_scope_clock(scope, clock, now);
  }
  assert_int_equal(expected[0] + expected[1] + expected[2], now - 1000);
  now += 5;
  expected[clock] += 5;
  op_scope_close(scope, now); /* stops the clocks */
  op_scope_clock(scope, OP_CLOCK_GUEST, now + 100);
  for (unsigned c = 0; c < 3; c++)
    assert_int_equal(op_scope_time(scope, (op_clock)c, now + 500), expected[c]);
  assert_int_equal(op_scope_time(scope, OP_CLOCK_STOPPED, now + 500), 0);
  op_scope_release(scope);
  close_table(&f);
}

/* ---- lists ---- */

static void lists_are_oldest_first(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_info info[8];
  assert_int_equal(op_scope_list(f.scope, info, 8, 0), 0);
  op_id a = submit(&f, 0, 0, 10), timer, timer2;
  assert_int_equal(op_timer_start(f.scope, 100, 42, 20, &timer), OP_OK);
  op_id b = submit(&f, a, 50, 30), c = submit(&f, 0, 0, 40);
  assert_int_equal(op_timer_start(f.scope, 1, 0, 40, &timer2), OP_OK);
  expect(&f, OP_EVENT_START, a, OP_RUNNING);
  assert_int_equal(op_scope_list(f.scope, info, 8, 45), 5);
  op_id order[] = {a, timer, b, c, timer2};
  uint64_t age[] = {35, 25, 15, 5, 5};
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(info[i].id, order[i]);
    assert_int_equal(info[i].age_ns, age[i]);
    assert_string_equal(info[i].name, order[i] == timer || order[i] == timer2 ? "timer" : "kind");
  }
  assert_int_equal(info[0].state, OP_RUNNING);
  assert_int_equal(info[0].deadline, OP_NEVER);
  assert_int_equal(info[1].deadline, 120);
  assert_int_equal(info[1].tag, 42);
  assert_int_equal(info[2].state, OP_PENDING);
  assert_int_equal(info[2].parent, a);
  assert_int_equal(info[2].deadline, 80);
  info[2].id = 0;
  assert_int_equal(op_scope_list(f.scope, info, 2, 45), 5);
  assert_int_equal(info[2].id, 0);
  assert_int_equal(op_scope_list(f.scope, NULL, 0, 45), 5);

  assert_int_equal(op_scope_older_than(f.scope, 15, info, 8, 45), 2);
  assert_int_equal(info[0].id, a);
  assert_int_equal(info[1].id, b);
  assert_int_equal(op_scope_older_than(f.scope, 0, info, 1, 45), 3);
  assert_int_equal(op_scope_older_than(f.scope, 36, info, 8, 45), 0);
  /* Settled ones are listed no more, even while the handler runs. */
  assert_int_equal(op_fulfil(f.table, a, 45), OP_OK);
  assert_int_equal(op_scope_list(f.scope, info, 8, 45), 4);
  assert_int_equal(op_find(f.table, timer, info, 45), OP_E_GONE);
  done(&f, a);
  close_table(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(close_settles_everything),
      cmocka_unit_test(released_with_running_handlers),
      cmocka_unit_test(released_with_waiting_event),
      cmocka_unit_test(table_forgets_handlers),
      cmocka_unit_test(cancel_all_leaves_it_open),
      cmocka_unit_test(scopes_are_apart),
      cmocka_unit_test(total_is_limited),
      cmocka_unit_test(live_is_limited),
      cmocka_unit_test(timers_fire_once),
      cmocka_unit_test(timers_are_dropped),
      cmocka_unit_test(wall_is_raised_once_per_setting),
      cmocka_unit_test(expire_keeps_order_and_bound),
      cmocka_unit_test(time_does_not_run_backwards),
      cmocka_unit_test(clocks_sum_to_the_wall),
      cmocka_unit_test(lists_are_oldest_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
