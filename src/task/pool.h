/* The worker pool: threads for work that blocks or computes. Threads are started when
 * there is work and none is idle, up to a maximum; they end when they have had nothing
 * to do for long enough, and with the pool.
 *
 * Order. Who waits is served by priority and, within one, first come, first served. One
 * in OP_TURN of what a thread takes is the oldest of all it may take, so that nothing
 * waits for ever behind a flood of higher priority.
 *
 * Affinity. Work with the same key goes to the same thread while that lives, and waits
 * for it while it is busy; other work does not wait behind it. It is about warm state,
 * not a lock: while the key's thread is parked or given up its work goes to others. Keys
 * are hashed, so two of them may share a thread.
 *
 * Work that waits for other work. Each of threads_max works that run has a place. A work
 * that is going to wait for others of the same pool gives its place away first:
 * pool_park(), submit them, wait, pool_unpark(). When pool_park() says no, because
 * parked_max wait already, it must not wait for any work of this pool, not even for one
 * that runs: it does the work itself, or fails; what it has submitted before it takes back
 * or leaves to its end. So whatever has a place goes on without the pool, and ends or
 * gives it away, and all that is queued is reached: no depth of nesting can stop the pool.
 * (Waiting in place for work that runs is not enough: that may park and then wait for
 * queued work, while the places are full of such as wait for it.) After unparking more
 * than threads_max may run for a while, at most by parked_max; nothing new begins then.
 *
 * A thread cannot be killed. One whose work does not end is given up with pool_retire():
 * it counts no more, is replaced, and nobody waits for it, pool_close() neither. */
#ifndef VOW_TASK_POOL_H
#define VOW_TASK_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"
#include "core/op.h"
#include "loop/loop.h"

typedef struct pool pool;

typedef struct pool_options {
  const vow_allocator *allocator; /* outlives threads that were given up */
  uint32_t threads_max;           /* at least 1: works that run at once */
  uint32_t idle_ms;     /* a thread that had nothing to do for so long ends; 0: it stays */
  uint32_t queue_max;   /* works that wait; 0: the submitters bound them */
  uint32_t retired_max; /* threads given up that have not ended yet */
  uint32_t parked_max;  /* threads that wait beside the ones that run */
  /* Make and free what a thread keeps from one work to the next; on that thread, before
   * its first work and after its last. Both may be NULL, also what thread_open returns. */
  void *(*thread_open)(void *user);
  void (*thread_close)(void *state);
  void *user;
} pool_options;

/* One piece of work, embedded in the submitter's record; zero what is not set. The pool
 * owns it from pool_submit() until `done` or `lost` is called or it is withdrawn, and
 * writes nothing but its private part and `dropped`. */
typedef struct pool_work {
  /* Private, up to here. */
  loop_message message;
  struct pool_work *next, *previous;
  struct pool_thread *thread; /* that runs it, or keeps it in its own queue */
  loop *reply_to;
  uint64_t seq;
  uint8_t state;

  uint8_t priority;  /* 0 first; past the last of OP_PRIORITIES counts as that */
  uint64_t affinity; /* a key; 0: none */
  bool dropped;      /* for `done`: the pool was closed before it ran */
  /* On a worker: touches only its own record and its thread's `state`. */
  void (*run)(struct pool_work *work, void *state);
  /* Once: on the thread of `reply_to` or, without a loop, on the worker, where it must not
   * block. The work is the submitter's again. */
  void (*done)(struct pool_work *work);
  /* Instead of `done`, on its thread, when the run of work that was given up has ended
   * after all: frees what that may touch. NULL: there is nothing. The loop and whoever
   * submitted it may be gone. */
  void (*lost)(struct pool_work *work, void *state);
} pool_work;

typedef enum pool_status {
  POOL_OK,
  POOL_FULL,      /* queue_max are waiting */
  POOL_NO_THREAD, /* not even one thread can be started */
  POOL_CLOSED,
} pool_status;

/* NULL when memory is short. */
pool *pool_open(const pool_options *options);
/* Starts the first thread ahead of any work, for whoever knows that there will be
 * some. False when none can be started. */
bool pool_start(pool *pool);

/* Both end the pool, which may be NULL, and wait for the threads but those that were
 * given up. Not from its own threads; nobody may use the pool afterwards but the work
 * that runs on those. What has ended is still to be delivered by the loops.
 *
 * pool_close() runs what is queued, and what running work submits. pool_close_now()
 * drops what is queued: `done` is called with `dropped` set, from here if it has no
 * loop, and nothing can be submitted any more. */
void pool_close(pool *pool);
void pool_close_now(pool *pool);

/* Any thread. `done` is called by the loop `reply_to`, which lives until then; NULL: by
 * the worker. But for POOL_OK `work` is untouched. */
pool_status pool_submit(pool *pool, loop *reply_to, pool_work *work);

/* Any thread, before `done`. Takes back work that is still queued: `done` is never called.
 * False: it runs or has run, and `done` will come. */
bool pool_withdraw(pool *pool, pool_work *work);

/* Any thread, before `done`. Gives up the thread that runs `work`: neither counts any
 * more, another thread may start at once, and `done` is never called; `lost` is, when
 * the run ends after all, and then the thread ends. False, and nothing has changed: it
 * is not running (any more), retired_max are stuck already, or work is queued and no
 * other thread can be had for it. */
bool pool_retire(pool *pool, pool_work *work);

/* On a worker, from within `run`: gives away its place, because it does little but wait
 * from here to pool_unpark(). False: it keeps its place (parked_max are parked, it is
 * parked already, it was given up, or work is queued and no other thread can be had);
 * see above what it must not do then. */
bool pool_park(pool *pool);
/* Never blocks. Nothing when it is not parked. */
void pool_unpark(pool *pool);

typedef struct pool_counts {
  uint32_t threads; /* alive, parked ones too, without those given up */
  uint32_t threads_max;
  uint32_t idle, running, parked;
  uint32_t queued;
  uint32_t retired;        /* given up and not ended */
  uint64_t started, ended; /* threads, ever */
} pool_counts;
/* Any thread; zeros for NULL. */
pool_counts pool_counts_of(pool *pool);

#endif
