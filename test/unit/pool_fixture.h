/* A loop and a pool for tests, jobs that note where and when they ran, and gates that hold
 * them there. */
#ifndef VOW_TEST_POOL_FIXTURE_H
#define VOW_TEST_POOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "task/pool.h"

#define WORKS 200

/* Memory that can be waited for, because threads that were given up free theirs late. */
typedef struct memory {
  uv_mutex_t lock;
  uv_cond_t freed;
  size_t blocks, calls;
  size_t fail_at; /* the call that fails, counted from 1; 0: none */
  bool for_ever;  /* so do all after it */
} memory;

static inline void *memory_call(void *user, void *block, size_t size) {
  memory *m = user;
  void *fresh = NULL;
  uv_mutex_lock(&m->lock);
  if (size == 0) {
    free(block);
    m->blocks -= block != NULL;
    uv_cond_signal(&m->freed);
  } else {
    m->calls++;
    bool fails = m->fail_at && (m->calls == m->fail_at || (m->for_ever && m->calls > m->fail_at));
    fresh = fails ? NULL : realloc(block, size);
    m->blocks += !block && fresh;
  }
  uv_mutex_unlock(&m->lock);
  return fresh;
}

static inline vow_allocator memory_open(memory *m, size_t fail_at, bool for_ever) {
  *m = (memory){.fail_at = fail_at, .for_ever = for_ever};
  assert_int_equal(uv_mutex_init(&m->lock), 0);
  assert_int_equal(uv_cond_init(&m->freed), 0);
  return (vow_allocator){memory_call, m};
}

/* Waits for what threads that were given up still hold. */
static inline void memory_close(memory *m) {
  uv_mutex_lock(&m->lock);
  while (m->blocks > 0)
    uv_cond_wait(&m->freed, &m->lock);
  uv_mutex_unlock(&m->lock);
  uv_cond_destroy(&m->freed);
  uv_mutex_destroy(&m->lock);
}

typedef struct stage {
  memory memory;
  vow_allocator allocator;
  loop *loop;
  pool *pool;
  uv_thread_t loop_thread;
  unsigned done;
  uint32_t done_order[WORKS];
  atomic_uint ran, running, running_max;
  uint32_t ran_order[WORKS]; /* by `ran`, for a pool of one thread */
  uv_barrier_t meeting;
} stage;

typedef struct job {
  pool_work work;
  stage *stage;
  uint32_t number;
  bool meets; /* waits for others in the middle of its work */
  uv_thread_t ran_on;
  void *state; /* its thread's */
} job;

static inline void stage_nothing(void *user) {
  (void)user;
}

static inline void stage_open_with(stage *s, pool_options options) {
  *s = (stage){0};
  s->allocator = memory_open(&s->memory, 0, false);
  options.allocator = &s->allocator;
  s->loop = loop_open(&s->allocator, stage_nothing, stage_nothing, s);
  s->pool = pool_open(&options);
  s->loop_thread = uv_thread_self();
  assert_non_null(s->loop);
  assert_non_null(s->pool);
}

static inline void stage_open(stage *s, uint32_t threads_max) {
  stage_open_with(s, (pool_options){.threads_max = threads_max});
}

static inline void stage_close(stage *s) {
  pool_close(s->pool);
  loop_close(s->loop);
  memory_close(&s->memory);
}

static inline void run_job(pool_work *work, void *state) {
  job *j = (job *)work;
  stage *s = j->stage;
  j->ran_on = uv_thread_self();
  j->state = state;
  unsigned now = atomic_fetch_add(&s->running, 1) + 1;
  unsigned most = atomic_load(&s->running_max);
  while (now > most && !atomic_compare_exchange_weak(&s->running_max, &most, now))
    ;
  unsigned at = atomic_fetch_add(&s->ran, 1);
  if (at < WORKS)
    s->ran_order[at] = j->number;
  if (j->meets)
    uv_barrier_wait(&s->meeting);
  atomic_fetch_sub(&s->running, 1);
}

static inline void job_done(pool_work *work) {
  job *j = (job *)work;
  uv_thread_t self = uv_thread_self();
  assert_true(uv_thread_equal(&self, &j->stage->loop_thread));
  if (j->stage->done < WORKS)
    j->stage->done_order[j->stage->done] = j->number;
  j->stage->done++;
}

static inline void submit_with(stage *s, job *j, uint32_t number, uint8_t priority,
                               uint64_t affinity) {
  *j = (job){.work = {.run = run_job, .done = job_done, .priority = priority, .affinity = affinity},
             .stage = s,
             .number = number};
  assert_int_equal(pool_submit(s->pool, s->loop, &j->work), POOL_OK);
}

static inline void submit(stage *s, job *j, uint32_t number, bool meets) {
  *j = (job){
      .work = {.run = run_job, .done = job_done}, .stage = s, .number = number, .meets = meets};
  assert_int_equal(pool_submit(s->pool, s->loop, &j->work), POOL_OK);
}

static inline void until_done(stage *s, unsigned count) {
  while (s->done < count)
    loop_run(s->loop, true);
}

/* Work that says when it runs and stays until it is let go. */
typedef struct gate {
  job job;
  uv_sem_t began, go;
  atomic_uint lost;
} gate;

static inline void run_gate(pool_work *work, void *state) {
  gate *g = (gate *)work;
  uv_sem_post(&g->began);
  uv_sem_wait(&g->go);
  run_job(work, state);
}

static inline void gate_init(gate *g) {
  *g = (gate){.lost = 0};
  assert_int_equal(uv_sem_init(&g->began, 0), 0);
  assert_int_equal(uv_sem_init(&g->go, 0), 0);
}

/* Queued only. */
static inline void gate_submit(stage *s, gate *g, uint32_t number, uint64_t affinity) {
  g->job = (job){.work = {.run = run_gate, .done = job_done, .affinity = affinity},
                 .stage = s,
                 .number = number};
  assert_int_equal(pool_submit(s->pool, s->loop, &g->job.work), POOL_OK);
}

/* A thread is in it. */
static inline void gate_open(stage *s, gate *g, uint32_t number, uint64_t affinity) {
  gate_init(g);
  gate_submit(s, g, number, affinity);
  uv_sem_wait(&g->began);
}

static inline void gate_let_go(gate *g) {
  uv_sem_post(&g->go);
}

static inline void gate_close(gate *g) {
  uv_sem_destroy(&g->began);
  uv_sem_destroy(&g->go);
}

#endif
