/* What the tests of the operation table share: an allocator that counts and can
 * fail, a table with one scope, and checked steps. Every test ends with nothing
 * left in the table and no allocation. */
#ifndef VOW_TEST_OP_FIXTURE_H
#define VOW_TEST_OP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/op.h"

typedef struct op_fixture {
  size_t blocks;     /* allocated now */
  size_t fail_after; /* this many allocations succeed, then all fail; SIZE_MAX: none fails */
  vow_allocator allocator;
  op_table *table;
  op_scope *scope;
  char cookie; /* its address is the scope's user */
} op_fixture;

static inline void *counting_reallocate(void *user, void *block, size_t size) {
  op_fixture *f = user;
  if (size == 0) {
    f->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if (f->fail_after == 0)
    return NULL;
  if (f->fail_after != SIZE_MAX)
    f->fail_after--;
  void *fresh = realloc(block, size);
  f->blocks += !block && fresh;
  return fresh;
}

static inline void open_table(op_fixture *f, const op_scope_limits *limits, uint32_t live_max) {
  f->fail_after = SIZE_MAX;
  f->allocator = (vow_allocator){counting_reallocate, f};
  f->table = op_table_open(&f->allocator, live_max);
  assert_non_null(f->table);
  f->scope = op_scope_open(f->table, limits, OP_NEVER, &f->cookie, 0);
  assert_non_null(f->scope);
}

static inline op_event next(op_fixture *f) {
  op_event event;
  assert_true(op_next_event(f->table, &event));
  assert_true(op_table_check(f->table));
  return event;
}

static inline void no_event(op_fixture *f) {
  op_event event;
  assert_false(op_next_event(f->table, &event));
}

static inline void expect(op_fixture *f, op_event_kind kind, op_id id, op_state state) {
  op_event event = next(f);
  assert_int_equal(event.kind, kind);
  assert_int_equal(event.id, id);
  assert_int_equal(event.state, state);
}

static inline op_id submit_in(op_fixture *f, op_scope *scope, op_id parent, uint64_t timeout,
                              uint64_t now) {
  op_spec spec = {.name = "kind", .parent = parent, .timeout_ns = timeout};
  op_id id = 0;
  assert_int_equal(op_submit(scope, &spec, now, &id), OP_OK);
  assert_int_not_equal(id, 0);
  assert_true(op_table_check(f->table));
  return id;
}

static inline op_id submit(op_fixture *f, op_id parent, uint64_t timeout, uint64_t now) {
  return submit_in(f, f->scope, parent, timeout, now);
}

static inline op_status try_submit(op_scope *scope, op_id parent, op_id *id) {
  op_spec spec = {.name = "kind", .parent = parent};
  return op_submit(scope, &spec, 0, id);
}

/* Submitted and started; no other event may be waiting. */
static inline op_id start(op_fixture *f, op_id parent, uint64_t timeout, uint64_t now) {
  op_id id = submit(f, parent, timeout, now);
  expect(f, OP_EVENT_START, id, OP_RUNNING);
  no_event(f);
  return id;
}

static inline void done(op_fixture *f, op_id id) {
  assert_int_equal(op_handler_done(f->table, id, 0), OP_OK);
  assert_true(op_table_check(f->table));
}

static inline uint64_t deadline_of(op_fixture *f, op_id id) {
  op_info info;
  assert_int_equal(op_find(f->table, id, &info, 0), OP_OK);
  return info.deadline;
}

static inline op_id parent_of(op_fixture *f, op_id id) {
  op_info info;
  assert_int_equal(op_find(f->table, id, &info, 0), OP_OK);
  return info.parent;
}

static inline bool gone(op_fixture *f, op_id id) {
  op_info info;
  return op_find(f->table, id, &info, 0) == OP_E_GONE;
}

/* Every handler has ended and every event was taken by the test itself. */
static inline void close_table(op_fixture *f) {
  if (f->scope) {
    op_scope_close(f->scope, 0);
    op_scope_release(f->scope);
  }
  no_event(f);
  assert_true(op_table_check(f->table));
  op_counts counts = op_table_counts(f->table);
  assert_int_equal(counts.live + counts.running + counts.queued + counts.timers, 0);
  assert_int_equal(op_next_deadline(f->table), OP_NEVER);
  op_table_close(f->table);
  assert_int_equal(f->blocks, 0);
}

#endif
