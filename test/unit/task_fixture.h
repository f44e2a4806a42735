/* A pool of tasks in counted memory, and callbacks that wait for their test: none sleeps in
 * place of a condition. */
#ifndef VOW_TEST_TASK_FIXTURE_H
#define VOW_TEST_TASK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "unit/counting_alloc.h"
#include "vow/task.h"

#define CLOSE_MS 60000u
/* The time limit of what has to begin before it is over: not so near that a machine which is
 * busy elsewhere for a moment lets it pass in the queue. */
#define BEGUN_MS 1000u

typedef struct stage {
  counting_alloc memory;
  vow_allocator allocator;
  vow_task_pool *pool;
} stage;

static inline void stage_open_with(stage *s, vow_task_pool_options options) {
  *s = (stage){.memory = {0}};
  s->allocator = counting_allocator(&s->memory);
  options.size = sizeof options;
  options.allocator = &s->allocator;
  assert_int_equal(vow_task_pool_open(&options, &s->pool), VOW_OK);
}

static inline void stage_open(stage *s, uint32_t concurrent_max) {
  stage_open_with(s, (vow_task_pool_options){.concurrent_max = concurrent_max});
}

static inline vow_task_counts counts_of(const stage *s) {
  vow_task_counts counts = {.size = sizeof counts};
  assert_int_equal(vow_task_pool_counts(s->pool, &counts), VOW_OK);
  assert_int_equal(counts.created, counts.fulfilled + counts.rejected + counts.timed_out +
                                       counts.cancelled + counts.live);
  return counts;
}

/* Until `*count` is `wanted`: for what has no call that waits for it. */
static inline void await_count(atomic_uint *count, unsigned wanted) {
  while (atomic_load(count) != wanted)
    uv_sleep(1);
}

/* Threads given up let go of memory when they have ended, which nobody waits for but this. */
static inline void stage_no_memory(stage *s) {
  while (__atomic_load_n(&s->memory.blocks, __ATOMIC_ACQUIRE) != 0)
    uv_sleep(1);
}

static inline void stage_close(stage *s) {
  assert_int_equal(vow_task_pool_close(s->pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_int_equal(s->memory.blocks, 0);
}

/* ---- an argument that tells what happens to it ---- */

typedef struct probe {
  atomic_uint begun, returned, freed, told;
  atomic_bool go; /* for those that wait for it */
} probe;

static inline void free_probe(void *argument) {
  atomic_fetch_add(&((probe *)argument)->freed, 1);
}

/* Returns at once. */
static inline void nothing(vow_task_context *context, void *argument) {
  (void)context;
  probe *p = argument;
  if (p)
    atomic_fetch_add(&p->begun, 1);
}

/* Until the test says so, whatever becomes of its task. */
static inline void stubborn(vow_task_context *context, void *argument) {
  probe *p = argument;
  atomic_fetch_add(&p->begun, 1);
  while (!atomic_load(&p->go))
    uv_sleep(1);
  vow_task_succeed(context, "x", 1);
  atomic_fetch_add(&p->returned, 1);
}

/* Until it is cancelled. */
static inline void obedient(vow_task_context *context, void *argument) {
  probe *p = argument;
  atomic_fetch_add(&p->begun, 1);
  while (vow_task_sleep(context, 1000000))
    ;
  atomic_fetch_add(&p->returned, 1);
}

static inline vow_task_spec probe_spec(vow_task_callback *callback, probe *p) {
  vow_task_spec spec = vow_task_call_spec("probe", callback, p);
  spec.argument_free = p ? free_probe : NULL;
  return spec;
}

static inline vow_task *start_spec(const stage *s, const vow_task_spec *spec) {
  vow_task *task;
  assert_int_equal(vow_task_start(s->pool, spec, &task), VOW_OK);
  return task;
}

static inline vow_task *start(const stage *s, vow_task_callback *callback, probe *p) {
  vow_task_spec spec = probe_spec(callback, p);
  return start_spec(s, &spec);
}

/* The same without an argument that is counted. */
static inline vow_task *start_with(const stage *s, vow_task_callback *callback, void *argument) {
  vow_task_spec spec = vow_task_call_spec("plain", callback, argument);
  return start_spec(s, &spec);
}

/* Waits for its end, which is `state`, and lets go of it. */
static inline void expect_end(vow_task *task, vow_state state) {
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(task), state);
  assert_int_equal(vow_task_result_of(task)->state, state);
  vow_task_release(task);
}

#endif
