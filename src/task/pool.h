/* The worker pool: threads for work that blocks. Threads are started when there
 * is work and none is idle, up to a maximum, and end with the pool. */
#ifndef VOW_TASK_POOL_H
#define VOW_TASK_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"
#include "loop/loop.h"

typedef struct pool pool;

/* One piece of work, embedded in the submitter's record. The pool owns it from
 * pool_submit() until `done` is called. */
typedef struct pool_work {
  loop_message message; /* private */
  struct pool_work *next;
  loop *reply_to;
  void (*run)(struct pool_work *work);  /* on a worker: touches only its own record */
  void (*done)(struct pool_work *work); /* on the loop thread that submitted it */
} pool_work;

/* NULL when memory is short. */
pool *pool_open(const vow_allocator *allocator, uint32_t threads_max);
/* Starts the first thread ahead of any work, for whoever knows that there will be
 * some. False when none can be started. */
bool pool_start(pool *pool);
/* Runs what is queued, joins the threads. Their last messages are still to be
 * delivered by the loops. */
void pool_close(pool *pool);

/* Loop thread `reply_to`. First in, first out. The caller bounds how much it
 * queues. False when not even one thread can be started: `work` is untouched. */
bool pool_submit(pool *pool, loop *reply_to, pool_work *work);

typedef struct pool_counts {
  uint32_t threads, threads_max, queued;
} pool_counts;
/* Any thread; zeros for NULL. */
pool_counts pool_counts_of(pool *pool);

#endif
