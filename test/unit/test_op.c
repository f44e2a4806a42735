/* The operation table: operations, their events and their ids. */
#include "op_fixture.h"

#include <pthread.h>

#include "core/op_int.h"

static void texts(void **state) {
  (void)state;
  assert_string_equal(op_state_text(OP_PENDING), "pending");
  assert_string_equal(op_state_text(OP_RUNNING), "running");
  assert_string_equal(op_state_text(OP_FULFILLED), "fulfilled");
  assert_string_equal(op_state_text(OP_REJECTED), "rejected");
  assert_string_equal(op_state_text(OP_TIMED_OUT), "timed_out");
  assert_string_equal(op_state_text(OP_CANCELLED), "cancelled");
  assert_string_equal(op_state_text((op_state)99), "unknown");
  for (int i = OP_OK; i <= OP_E_NOMEM; i++)
    for (int j = OP_OK; j < i; j++)
      assert_string_not_equal(op_status_text((op_status)i), op_status_text((op_status)j));
  assert_string_equal(op_status_text((op_status)99), "unknown");
}

static void fulfil_and_reject(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  char cookie;
  op_spec spec = {.name = "notes.get", .tag = 7, .user = &cookie};
  op_id a, b;
  assert_int_equal(op_submit(f.scope, &spec, 5, &a), OP_OK);
  assert_false(op_scope_idle(f.scope));
  op_event event = next(&f);
  assert_int_equal(event.kind, OP_EVENT_START);
  assert_int_equal(event.id, a);
  assert_string_equal(event.name, "notes.get");
  assert_int_equal(event.tag, 7);
  assert_ptr_equal(event.user, &cookie);
  assert_ptr_equal(event.scope, f.scope);
  assert_ptr_equal(event.scope_user, &f.cookie);
  b = start(&f, 0, 0, 5);

  assert_int_equal(op_fulfil(f.table, a, 6), OP_OK);
  assert_int_equal(op_reject(f.table, b, 6), OP_OK);
  assert_false(op_scope_has_live(f.scope));
  op_counts counts = op_scope_counts(f.scope);
  assert_int_equal(counts.created, 2);
  assert_int_equal(counts.fulfilled, 1);
  assert_int_equal(counts.rejected, 1);
  assert_int_equal(counts.running, 2);
  assert_int_equal(counts.running_max, 2);
  no_event(&f);
  op_info info;
  assert_int_equal(op_find(f.table, a, &info, 6), OP_OK);
  assert_int_equal(info.state, OP_FULFILLED);
  done(&f, a);
  done(&f, b);
  assert_true(gone(&f, a) && gone(&f, b));
  assert_int_equal(op_table_counts(f.table).running, 0);
  close_table(&f);
}

static void settled_before_start(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = submit(&f, 0, 0, 0), b = submit(&f, 0, 10, 0), c = submit(&f, 0, 0, 0);
  assert_int_equal(op_handler_done(f.table, a, 0), OP_E_STATE);
  assert_int_equal(op_fulfil(f.table, a, 0), OP_OK);
  assert_true(gone(&f, a));
  assert_int_equal(op_expire(f.table, 10, 0), 1);
  assert_int_equal(op_cancel(f.table, c, 10), OP_OK);
  assert_int_equal(op_handler_done(f.table, c, 10), OP_E_STATE);
  expect(&f, OP_EVENT_SETTLED, b, OP_TIMED_OUT);
  expect(&f, OP_EVENT_SETTLED, c, OP_CANCELLED);
  no_event(&f);
  assert_true(gone(&f, b) && gone(&f, c));
  assert_int_equal(op_scope_counts(f.scope).running_max, 0);
  close_table(&f);
}

static void timed_out_while_running(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 1}, 0);
  op_id a = start(&f, 0, 10, 0), b = submit(&f, 0, 0, 0);
  assert_int_equal(op_next_deadline(f.table), 10);
  assert_int_equal(op_expire(f.table, 9, 0), 0);
  assert_int_equal(op_expire(f.table, 10, 0), 1);
  assert_int_equal(op_next_deadline(f.table), OP_NEVER);
  expect(&f, OP_EVENT_SETTLED, a, OP_TIMED_OUT);
  expect(&f, OP_EVENT_STOP, a, OP_TIMED_OUT);
  no_event(&f); /* b waits: the handler of a still has the slot */
  assert_int_equal(op_scope_counts(f.scope).queued, 1);
  assert_int_equal(op_fulfil(f.table, a, 11), OP_LATE);
  done(&f, a);
  assert_true(gone(&f, a));
  expect(&f, OP_EVENT_START, b, OP_RUNNING);
  assert_int_equal(op_fulfil(f.table, b, 12), OP_OK);
  done(&f, b);
  op_counts counts = op_scope_counts(f.scope);
  assert_int_equal(counts.timed_out, 1);
  assert_int_equal(counts.late, 1);
  assert_int_equal(counts.running_max, 1);
  close_table(&f);
}

static void handler_end_withdraws_stop(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = start(&f, 0, 0, 0), b = start(&f, 0, 0, 0);
  assert_int_equal(op_cancel(f.table, a, 0), OP_OK);
  done(&f, a);
  assert_int_equal(op_handler_done(f.table, a, 0), OP_E_STATE);
  expect(&f, OP_EVENT_SETTLED, a, OP_CANCELLED);
  no_event(&f);
  assert_int_equal(op_handler_done(f.table, a, 0), OP_E_GONE);
  assert_int_equal(op_cancel(f.table, b, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, b, OP_CANCELLED);
  done(&f, b);
  no_event(&f);
  assert_true(gone(&f, b));
  close_table(&f);
}

static void abandoned(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = start(&f, 0, 50, 0), nested = start(&f, a, 0, 0);
  done(&f, a);
  assert_int_equal(op_reject(f.table, a, 0), OP_LATE);
  expect(&f, OP_EVENT_SETTLED, a, OP_REJECTED);
  no_event(&f);
  assert_true(gone(&f, a));
  assert_int_equal(parent_of(&f, nested), 0);
  assert_int_equal(deadline_of(&f, nested), 50);
  assert_int_equal(op_scope_counts(f.scope).rejected, 1);
  assert_int_equal(op_fulfil(f.table, nested, 0), OP_OK);
  done(&f, nested);
  close_table(&f);
}

static void late_is_counted(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = start(&f, 0, 0, 0), timer;
  assert_int_equal(op_fulfil(f.table, a, 0), OP_OK);
  assert_int_equal(op_fulfil(f.table, a, 0), OP_LATE);
  assert_int_equal(op_reject(f.table, a, 0), OP_LATE);
  assert_int_equal(op_cancel(f.table, a, 0), OP_LATE);
  assert_int_equal(op_scope_counts(f.scope).late, 3);
  done(&f, a);
  assert_int_equal(op_fulfil(f.table, a, 0), OP_LATE);
  assert_int_equal(op_timer_start(f.scope, 5, 0, 0, &timer), OP_OK);
  op_id strange[] = {0, timer, UINT64_MAX, UINT32_MAX, (op_id)1 << 32 | 255, (op_id)9 << 32};
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    assert_int_equal(op_cancel(f.table, strange[i], 0), OP_LATE);
    assert_int_equal(op_handler_done(f.table, strange[i], 0), OP_E_GONE);
    assert_true(gone(&f, strange[i]));
    if (strange[i] != timer)
      assert_int_equal(op_timer_stop(f.table, strange[i]), OP_E_GONE);
  }
  assert_int_equal(op_scope_counts(f.scope).late, 3);
  assert_int_equal(op_table_counts(f.table).late, 10);
  assert_int_equal(op_table_counts(f.table).fulfilled, 1);
  close_table(&f);
}

static void waits_in_order(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 2}, 0);
  op_id id[6];
  for (int i = 0; i < 6; i++)
    id[i] = submit(&f, 0, 0, 0);
  expect(&f, OP_EVENT_START, id[0], OP_RUNNING);
  assert_int_equal(op_scope_counts(f.scope).queued, 4);
  assert_int_equal(op_scope_counts(f.scope).running, 1);
  assert_int_equal(op_cancel(f.table, id[2], 0), OP_OK); /* from the middle of the queue */
  expect(&f, OP_EVENT_START, id[1], OP_RUNNING);
  expect(&f, OP_EVENT_SETTLED, id[2], OP_CANCELLED);
  no_event(&f);
  done(&f, id[1]); /* abandoned; its slot goes to the next but one */
  expect(&f, OP_EVENT_SETTLED, id[1], OP_REJECTED);
  assert_int_equal(op_fulfil(f.table, id[3], 0), OP_OK); /* START queued: gives the slot back */
  expect(&f, OP_EVENT_START, id[4], OP_RUNNING);
  assert_int_equal(op_fulfil(f.table, id[0], 0), OP_OK);
  no_event(&f); /* settled, but its handler runs */
  done(&f, id[0]);
  expect(&f, OP_EVENT_START, id[5], OP_RUNNING);
  assert_int_equal(op_scope_counts(f.scope).running_max, 2);
  done(&f, id[4]);
  done(&f, id[5]);
  expect(&f, OP_EVENT_SETTLED, id[4], OP_REJECTED);
  expect(&f, OP_EVENT_SETTLED, id[5], OP_REJECTED);
  close_table(&f);
}

static void deadlines_are_inherited(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = submit(&f, 0, 100, 0), b = submit(&f, a, 300, 1), c = submit(&f, b, 0, 2);
  op_id d = submit(&f, c, 20, 3), e = submit(&f, d, UINT64_MAX, 4), free_one = submit(&f, 0, 0, 4);
  op_id far = submit(&f, 0, UINT64_MAX, 4);
  assert_int_equal(deadline_of(&f, a), 100);
  assert_int_equal(deadline_of(&f, b), 100);
  assert_int_equal(deadline_of(&f, c), 100);
  assert_int_equal(deadline_of(&f, d), 23);
  assert_int_equal(deadline_of(&f, e), 23);
  assert_int_equal(deadline_of(&f, free_one), OP_NEVER);
  assert_int_equal(deadline_of(&f, far), OP_NEVER);
  assert_int_equal(op_next_deadline(f.table), 23);
  assert_int_equal(op_expire(f.table, OP_NEVER, 0), 5);
  op_counts counts = op_scope_counts(f.scope);
  assert_int_equal(counts.timed_out, 5);
  assert_int_equal(counts.live, 2);
  op_scope_close(f.scope, 0);
  op_id order[] = {d, e, a, b, c};
  for (size_t i = 0; i < 5; i++)
    expect(&f, OP_EVENT_SETTLED, order[i], OP_TIMED_OUT);
  close_table(&f);
}

static void nested_move_up(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id a = start(&f, 0, 0, 0), b = start(&f, a, 0, 0);
  op_id c = start(&f, b, 0, 0), d = start(&f, b, 0, 0), e = start(&f, a, 0, 0), rejected;
  assert_int_equal(parent_of(&f, c), b);
  assert_int_equal(op_reject(f.table, b, 0), OP_OK);
  assert_int_equal(parent_of(&f, c), a);
  assert_int_equal(parent_of(&f, d), a);
  /* Settled though its handler runs: nothing can be nested in it any more. */
  assert_int_equal(try_submit(f.scope, b, &rejected), OP_E_GONE);
  assert_int_equal(op_cancel(f.table, a, 0), OP_OK);
  op_id order[] = {a, e, c, d};
  for (size_t i = 0; i < 4; i++) {
    expect(&f, OP_EVENT_SETTLED, order[i], OP_CANCELLED);
    expect(&f, OP_EVENT_STOP, order[i], OP_CANCELLED);
    done(&f, order[i]);
  }
  done(&f, b);
  close_table(&f);
}

static void parents_must_be_live_here(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_scope *other = op_scope_open(f.table, NULL, OP_NEVER, NULL, 0);
  op_id there = submit_in(&f, other, 0, 0, 0), timer, id = 0;
  expect(&f, OP_EVENT_START, there, OP_RUNNING);
  assert_int_equal(op_timer_start(f.scope, 5, 0, 0, &timer), OP_OK);
  assert_int_equal(try_submit(f.scope, there, &id), OP_E_GONE);
  assert_int_equal(try_submit(f.scope, timer, &id), OP_E_GONE);
  assert_int_equal(try_submit(f.scope, 12345, &id), OP_E_GONE);
  assert_int_equal(id, 0);
  assert_int_equal(op_scope_counts(f.scope).created, 0);
  done(&f, there);
  expect(&f, OP_EVENT_SETTLED, there, OP_REJECTED);
  assert_int_equal(try_submit(other, there, &id), OP_E_GONE);
  op_scope_close(other, 0);
  op_scope_release(other);
  close_table(&f);
}

static void cancel_goes_outermost_first(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, &(op_scope_limits){.concurrent_max = 2}, 0);
  op_id root = start(&f, 0, 0, 0), a = start(&f, root, 0, 0), b = submit(&f, root, 0, 0);
  op_id a1 = submit(&f, a, 9, 0), a2 = submit(&f, a, 0, 0), b1 = submit(&f, b, 0, 0);
  op_id a11 = submit(&f, a1, 0, 0), outside = submit(&f, 0, 0, 0);
  assert_int_equal(op_cancel(f.table, a2, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, a2, OP_CANCELLED);
  assert_int_equal(op_cancel(f.table, root, 0), OP_OK);
  expect(&f, OP_EVENT_SETTLED, root, OP_CANCELLED);
  expect(&f, OP_EVENT_STOP, root, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, a, OP_CANCELLED);
  expect(&f, OP_EVENT_STOP, a, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, a1, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, a11, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, b, OP_CANCELLED);
  expect(&f, OP_EVENT_SETTLED, b1, OP_CANCELLED);
  no_event(&f);
  assert_int_equal(op_next_deadline(f.table), OP_NEVER);
  done(&f, root);
  expect(&f, OP_EVENT_START, outside, OP_RUNNING);
  done(&f, a);
  assert_int_equal(op_fulfil(f.table, outside, 0), OP_OK);
  done(&f, outside);
  assert_int_equal(op_scope_counts(f.scope).cancelled, 7);
  close_table(&f);
}

/* ---- depth ---- */

enum { DEPTH = 100000 };

/* The id of the outermost; 0: failed. Runs on the small stack, as do the rest up
 * to settle_deep(), where a cmocka assertion could not leave. */
static op_id chain(op_fixture *f) {
  op_id root = 0;
  for (op_id i = 0, id = 0; i < DEPTH; i++) {
    op_spec spec = {.name = "deep", .parent = id, .timeout_ns = 10};
    if (op_submit(f->scope, &spec, 0, &id) != OP_OK)
      return 0;
    if (i == 0)
      root = id;
  }
  return root;
}

/* Whether `expected` SETTLED events were all there was, and all is in order. */
static bool drained(op_fixture *f, uint64_t expected) {
  uint64_t count = 0;
  for (op_event event; op_next_event(f->table, &event); count++)
    if (event.kind != OP_EVENT_SETTLED)
      return false;
  return count == expected && op_table_check(f->table);
}

static bool deep_steps(op_fixture *f) {
  op_id root = chain(f);
  if (!root || op_cancel(f->table, root, 0) != OP_OK || !drained(f, DEPTH))
    return false;
  if (!chain(f) || op_expire(f->table, 10, 0) != DEPTH || !drained(f, DEPTH))
    return false;
  if (!chain(f))
    return false;
  op_scope_cancel_all(f->scope, 10);
  if (!drained(f, DEPTH) || !chain(f))
    return false;
  op_scope_close(f->scope, 10);
  return drained(f, 0);
}

static void *settle_deep(void *arg) {
  return deep_steps(arg) ? arg : NULL;
}

/* On a stack that recursion of this depth would not survive. */
static void deep_chains_do_not_recurse(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  pthread_attr_t attr;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, &attr, settle_deep, &f), 0);
  void *result = NULL;
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, &f);
  pthread_attr_destroy(&attr);
  assert_int_equal(op_scope_counts(f.scope).cancelled, 3 * DEPTH);
  close_table(&f);
}

/* ---- ids and memory ---- */

static void ids_are_not_reused(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id old[100];
  for (int i = 0; i < 100; i++) {
    old[i] = submit(&f, 0, 0, 0);
    for (int j = 0; j < i; j++)
      assert_int_not_equal(old[i], old[j]);
    assert_int_equal((uint32_t)old[i], (uint32_t)old[0]); /* the same slot each time */
    assert_int_equal(op_fulfil(f.table, old[i], 0), OP_OK);
  }
  op_id live = submit(&f, 0, 0, 0);
  for (int i = 0; i < 100; i++)
    assert_int_equal(op_reject(f.table, old[i], 0), OP_LATE);
  assert_int_equal(op_scope_counts(f.scope).live, 1);
  assert_int_equal(op_fulfil(f.table, live, 0), OP_OK);
  close_table(&f);
}

static void exhausted_slots_retire(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  op_id first = submit(&f, 0, 0, 0);
  assert_int_equal(op_fulfil(f.table, first, 0), OP_OK);
  op_slot(f.table, (uint32_t)first)->generation = OP_GENERATION_MAX;
  op_id last = submit(&f, 0, 0, 0);
  assert_int_equal(last >> 32, OP_GENERATION_MAX);
  assert_int_equal((uint32_t)last, (uint32_t)first);
  assert_int_equal(op_fulfil(f.table, last, 0), OP_OK);
  op_id after = submit(&f, 0, 0, 0);
  assert_int_not_equal((uint32_t)after, (uint32_t)first);
  assert_int_equal(op_fulfil(f.table, last, 0), OP_LATE);
  assert_int_equal(op_fulfil(f.table, (uint32_t)first, 0), OP_LATE);
  assert_int_equal(op_fulfil(f.table, after, 0), OP_OK);
  close_table(&f);
}

static void pointers_survive_growth(void **state) {
  (void)state;
  op_fixture f = {0};
  open_table(&f, NULL, 0);
  enum { MANY = 5000 };
  op_id id[MANY];
  for (uint32_t i = 0; i < MANY; i++) {
    op_spec spec = {.name = "many", .parent = i ? id[i / 3] : 0, .timeout_ns = 1000 - i % 7};
    assert_int_equal(op_submit(f.scope, &spec, i, &id[i]), OP_OK);
  }
  assert_true(op_table_check(f.table));
  for (uint32_t i = 1; i < MANY; i++)
    assert_int_equal(parent_of(&f, id[i]), id[i / 3]);
  assert_int_equal(op_cancel(f.table, id[0], MANY), OP_OK);
  assert_true(drained(&f, MANY));
  close_table(&f);
}

/* Everything that allocates, until one allocation fails; what failed must leave
 * the counts as they were. Returns whether all went well. */
static bool fill(op_fixture *f) {
  op_scope *scope = op_scope_open(f->table, NULL, 1000, NULL, 0);
  if (!scope)
    return false;
  bool ok = true;
  for (int i = 0; ok && i < 3000; i++) {
    op_counts before = op_table_counts(f->table);
    op_spec spec = {.name = "nth", .timeout_ns = 5};
    op_id id;
    op_status status =
        i & 1 ? op_timer_start(scope, 5, 0, 0, &id) : op_submit(scope, &spec, 0, &id);
    ok = status == OP_OK;
    if (!ok) {
      op_counts after = op_table_counts(f->table);
      assert_int_equal(status, OP_E_NOMEM);
      assert_memory_equal(&before, &after, sizeof before);
    }
  }
  assert_true(op_table_check(f->table));
  op_scope_close(scope, 0);
  op_scope_release(scope);
  return ok;
}

static void each_allocation_fails_once(void **state) {
  (void)state;
  bool ok = false;
  size_t n = 0;
  for (; !ok; n++) {
    op_fixture f = {.fail_after = n};
    f.allocator = (vow_allocator){counting_reallocate, &f};
    f.table = op_table_open(&f.allocator, 0);
    if (f.table) {
      ok = fill(&f);
      f.fail_after = SIZE_MAX;
      assert_true(fill(&f)); /* usable after a failure */
      close_table(&f);
    }
    assert_int_equal(f.blocks, 0);
  }
  assert_true(n > 10);
}

/* However many there were before, and however many of these are free again. */
static void reserved_ones_need_no_memory(void **state) {
  (void)state;
  enum { BEFORE = 300, MORE = 1000 };
  op_fixture f = {0};
  open_table(&f, NULL, BEFORE + MORE);
  op_id ids[BEFORE];
  for (int i = 0; i < BEFORE; i++)
    ids[i] = submit(&f, 0, 0, 0);
  for (int i = 0; i < BEFORE; i += 2)
    assert_int_equal(op_fulfil(f.table, ids[i], 0), OP_OK);
  assert_int_equal(op_table_reserve(f.table, BEFORE / 2 + MORE + 1), OP_E_LIVE);
  assert_int_equal(op_table_reserve(f.table, UINT32_MAX), OP_E_LIVE);
  f.fail_after = 1;
  assert_int_equal(op_table_reserve(f.table, MORE), OP_E_NOMEM);
  f.fail_after = SIZE_MAX;
  assert_int_equal(op_table_reserve(f.table, MORE), OP_OK);
  f.fail_after = 0;
  assert_int_equal(op_table_reserve(f.table, MORE), OP_OK);
  for (int i = 0; i < MORE; i++)
    submit(&f, 0, 0, 0);
  f.fail_after = SIZE_MAX;
  op_scope_close(f.scope, 0);
  op_scope_release(f.scope);
  f.scope = NULL;
  close_table(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts),
      cmocka_unit_test(fulfil_and_reject),
      cmocka_unit_test(settled_before_start),
      cmocka_unit_test(timed_out_while_running),
      cmocka_unit_test(handler_end_withdraws_stop),
      cmocka_unit_test(abandoned),
      cmocka_unit_test(late_is_counted),
      cmocka_unit_test(waits_in_order),
      cmocka_unit_test(deadlines_are_inherited),
      cmocka_unit_test(nested_move_up),
      cmocka_unit_test(parents_must_be_live_here),
      cmocka_unit_test(cancel_goes_outermost_first),
      cmocka_unit_test(deep_chains_do_not_recurse),
      cmocka_unit_test(ids_are_not_reused),
      cmocka_unit_test(reserved_ones_need_no_memory),
      cmocka_unit_test(exhausted_slots_retire),
      cmocka_unit_test(pointers_survive_growth),
      cmocka_unit_test(each_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
