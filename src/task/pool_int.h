/* What the files of the pool share. Everything is guarded by the pool's lock, unless it
 * says otherwise, and functions are called with it held. */
#ifndef VOW_TASK_POOL_INT_H
#define VOW_TASK_POOL_INT_H

#include <stdatomic.h>

#include "loop/spin.h"
#include "task/pool.h"

/* Keys of affinity are hashed to so many; a power of two. */
#define POOL_SLOTS 256u

enum { WORK_FREE, WORK_QUEUED, WORK_RUNNING }; /* pool_work.state */

typedef struct pool_list {
  pool_work *first, *last;
} pool_list;

typedef struct pool_queue {
  pool_list lists[OP_PRIORITIES];
  uint32_t count;
} pool_queue;

/* Freed by the thread itself, at its end. */
typedef struct pool_thread {
  pool *pool;
  uv_thread_t id;
  uv_cond_t wake;                /* `idle` has been cleared */
  struct pool_thread *up, *down; /* in the stack of idle ones */
  pool_queue own;                /* what must run here; empty while it is parked */
  pool_work *work;               /* runs */
  uint32_t keys;                 /* slots that are bound to it */
  uint32_t picks;
  /* In the stack; who takes it out means it to look for work. Changed under the lock. */
  atomic_bool idle;
  bool asleep; /* in `wake` */
  spin spin;   /* the thread's */
  bool parked, retired;
} pool_thread;

typedef struct pool_slot {
  pool_thread *thread; /* NULL: none yet */
  uint32_t waiting;    /* works of this slot in the pool's queue */
} pool_slot;

struct pool {
  pool_options options;
  atomic_uint references; /* the owner's, and one for each thread given up */
  uv_mutex_t lock;
  uv_cond_t all_ended;
  pool_queue queue; /* for any thread */
  uint32_t queued;  /* with what is in the queues of threads */
  uint64_t seq;
  /* Alive and not given up. Each is idle, waking (meant to look for work: started, or
   * taken out of the idle ones), running or parked. */
  uint32_t threads;
  uint32_t idle, waking, running, parked;
  uint32_t held; /* idle ones with work of their own, which is to wait for a place */
  uint32_t retired, ending;
  uint64_t started, ended;
  pool_thread *top; /* of the idle ones: the last to become so */
  /* Each thread that ends joins the one that ended before it, so that one is left. */
  uv_thread_t last_ended;
  bool has_ended;
  bool closing; /* threads end when there is nothing to do */
  bool closed;  /* nothing is taken */
  pool_slot slots[POOL_SLOTS];
};

/* ---- pool_queue.c: which work goes where ---- */

/* Puts `work` where it belongs; wakes or starts a thread only if it has to run there. */
void pool_place(pool *pool, pool_work *work);
/* Takes queued work out of its queue. */
void pool_unplace(pool *pool, pool_work *work);
/* The next work for `thread`, which runs it then; NULL: none, or no place. */
pool_work *pool_take(pool_thread *thread);
/* What waits for this thread may go to any. */
void pool_release_own(pool_thread *thread);
/* Its keys are free for others. */
void pool_unbind(pool_thread *thread);

/* ---- pool_thread.c ---- */

/* NULL when there is no memory or thread to be had. It is waking. */
pool_thread *pool_start_thread(pool *pool);
/* Takes `thread` out of the idle ones. */
void pool_wake(pool_thread *thread);
/* Sees to it that what is queued has threads, as far as there are places. */
void pool_staff(pool *pool);
/* The calling thread, if it runs work of this pool. */
pool_thread *pool_self(pool *pool);
/* Not under the lock. */
void pool_drop(pool *pool);
/* Not under the lock: has `done` called. */
void pool_tell(pool_work *work);

#endif
