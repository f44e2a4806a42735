/* What the files of tasks share.
 *
 * One lock for each pool. Under it are the operation table, in which every task is an
 * operation, and all that is not said to be otherwise. It is taken by task_lock(). What must not
 * happen under it (calls of the program, system calls that are long) is collected in a
 * task_after and done by task_unlock(). The lock of the thread pool below may be taken under it,
 * not the reverse.
 *
 * The life of a call:
 *   vow_task_start()  an operation of the pool's kind. Its START event puts it on the list of
 *                     ready ones, and a runner is hired if none is on its way to it
 *   task_inbox.c      where another thread has the lock, that one makes the operation
 *   task_run.c        a runner takes it, calls the callback, says to the table what it came to,
 *                     and takes the next: one crossing of the lock for each
 *   task_settle.c     every settlement comes to task_settle(), once; when no callback will be
 *                     called (any more), task_end() gives back what it holds
 *   task_keeper.c     a thread that waits for deadlines, and gives up threads that do not end
 *
 * References of a task: the caller's, the pool's (until task_end() is done), that of whoever is
 * told of its end. It holds the pool's memory. */
#ifndef VOW_TASK_INT_H
#define VOW_TASK_INT_H

#include <stdatomic.h>

#include "core/op.h"
#include "core/sized.h"
#include "loop/sleeper.h"
#include "task/pool.h"
#include "task/task.h"
#include "task/task_audit.h"
#include "task/task_metrics.h"
#include "task/task_plan.h"
#include "task/task_value.h"
#include "vow/task.h"

#define TASK_MS UINT64_C(1000000)

typedef struct vow_task_context task_runner;

/* Somebody who waits, on that one's stack. */
typedef struct task_waiter {
  sleeper sleeper;
  struct task_waiter *next, *previous;
  struct task_waiter **list; /* that it is on; NULL: none */
  vow_task *by;              /* whose callback waits; NULL: none of this pool */
  bool for_return;           /* of the callback, not for the settlement */
  bool woken;
  vow_status status; /* once woken */
} task_waiter;

typedef enum task_place {
  TASK_AWAY,    /* no callback of it is called, or about to be */
  TASK_READY,   /* has its place, and waits for a runner */
  TASK_RUNNING, /* has a runner, until the callback returns or that is given up */
  TASK_GROUP    /* a group: an attempt has begun */
} task_place;

/* Of a group, for one attempt; its last one holds the texts and values of its result. */
typedef struct task_members {
  struct task_members *before; /* of an earlier attempt; somebody has a pointer to them */
  uint32_t count, settled;
  uint32_t failed; /* the first in order that did not succeed; `count`: none */
  uint32_t winner; /* of a race; `count`: none */
  bool lent;       /* somebody has a pointer to one */
  vow_task *tasks[];
} task_members;

/* One block with the name, the retry and the value behind it. */
struct vow_task {
  vow_task_pool *pool;
  atomic_uint references;
  atomic_uchar state;   /* vow_state; a settled one is stored when `result` is whole */
  uint8_t place;        /* task_place */
  atomic_bool has_done; /* task_claim() */
  op_id id;
  vow_task *next;     /* of the ready ones, of those in the inbox, of the ended of a task_after */
  vow_task *previous; /* of the ready ones */
  task_waiter *waiters;
  vow_task *walk_next; /* while a chain of waits is walked */
  task_runner *runner; /* TASK_RUNNING */
  task_done *done;     /* told when it settles */
  vow_task_callback *callback;
  void *argument;
  void (*argument_free)(void *argument); /* NULL: none, done, or the node's */
  const vow_task_retry *retry;           /* NULL: none */
  uint16_t takes, gives;
  uint8_t form; /* vow_task_form */
  uint8_t priority;
  bool is_cbor;                   /* the value of the result is one well-formed item */
  uint32_t index;                 /* in its group */
  vow_task *group;                /* that it is a member of, while what it comes to matters there */
  task_node *node;                /* its part of a plan, of which it has a use until it has ended */
  task_members *members;          /* of a group */
  _Atomic(char *) json;           /* of the value */
  uint64_t number, parent_number; /* in the records of the pool */
  uint64_t started_ns;
  uint64_t timeout_ms;
  uint8_t *said;     /* what the value, or the texts of the error, are in; NULL: none */
  const void *value; /* of the spec; NULL: none */
  size_t value_len;
  vow_task_result result;
  char name[]; /* and its 0, then the value */
};

typedef enum task_said { SAID_NOTHING, SAID_VALUE, SAID_ERROR } task_said;

/* A runner: a work of the thread pool that calls callbacks, one after the other. The pool's
 * until that ends; they are kept for the next time. */
struct vow_task_context {
  pool_work work; /* must stay first */
  vow_task_pool *pool;
  task_runner *all_next, *free_next;
  vow_task *task;        /* that it runs; its own thread may read it without the lock */
  atomic_bool cancelled; /* set under the lock */
  bool retired;          /* given up: `task` has ended for the table */
  bool parked;           /* its callback waits, and its place is another's */
  bool stopping;         /* in the pool's list of those told to stop */
  task_runner *stop_next, *stop_previous;
  uint64_t retire_at;
  task_waiter *waiter; /* of its wait or sleep */
  vow_task_stop_callback *on_stop;
  void *on_stop_user;
  uint64_t began_ns;
  /* Its own thread's: */
  uint32_t attempt;
  task_said said;
  uint8_t *said_block;
  const char *said_type, *said_message, *said_detail; /* in the block, or constants */
  size_t said_len;
  bool said_cbor; /* the value is one well-formed item; only of members */
  bool misfit;    /* the callback was not called: its value has another type */
  char *argument_json;
};

/* What is to be done after the lock is given back. Zero at first. */
typedef struct task_after {
  vow_task *ended;       /* they give back what they hold */
  task_node *unused;     /* of plans */
  task_members *dropped; /* of earlier attempts */
  task_done *tells;
  const sleeper *asleep; /* woken, and to be roused */
  bool hires;            /* a runner: */
  task_runner *runner;   /* NULL: one that is to be made */
  bool no_hire;          /* no thread can be had now */
} task_after;

struct vow_task_pool {
  uv_mutex_t lock;
  const vow_allocator *allocator;
  unsigned forks; /* of the process, when it was opened */
  op_table *table;
  op_scope *scope;
  op_kind *kind;
  pool *threads;
  uint64_t patience_ms;
  uint32_t concurrent_max, queue_max, retired_max;
  uint64_t random;   /* of delays */
  uint64_t numbers;  /* of tasks, so far */
  task_audit *audit; /* NULL: none */
  metrics *metrics;  /* likewise */
  vow_task *ready_first, *ready_last;
  atomic_uint ready; /* changed under the lock */
  /* Runners on their way to what is ready; those that have a task and a place; those that are
   * parked. While anything is ready one of the first two is not 0. */
  uint32_t coming, working, parked;
  bool lingers;                        /* one of those that come looks for a while before it goes */
  task_runner *all;                    /* of them, ever made */
  _Atomic(task_runner *) free;         /* put without the lock, taken under it */
  task_runner *stop_first, *stop_last; /* told to stop, by time */
  uint64_t retire_not_before;
  uint64_t retired, retired_live, late;
  task_waiter *idle_waiters;  /* for no task to be live */
  task_waiter *quiet_waiters; /* for no runner to be there */
  bool closing;               /* only callbacks may start tasks */
  bool stopped;               /* nobody may */
  bool closed;                /* there is no table any more, and no thread but those given up */
  op_counts last;             /* once closed */
  uint32_t lent;              /* task_inbox.c */
  /* The keeper. */
  bool has_keeper, keeper_ends;
  bool sooner; /* something may be due sooner than it wakes */
  uv_thread_t keeper;
  sleeper keeper_sleeps;
  uint64_t keeper_due; /* it sleeps until then; 0: it is awake */
  /* Whose memory it is: tasks and threads given up, ever, and the pool until it is closed.
   * Each takes one from `balance`, and closing adds their number. */
  uint64_t holders;
  _Alignas(64) atomic_llong balance;
  /* Changed without the lock; the last put comes first. */
  _Alignas(64) _Atomic(vow_task *) inbox;
  atomic_uint credits;
  atomic_bool watched; /* the one that lingers looks, and takes the lock after that */
};

/* Who waits for the lock has looked at the clock before what happened meanwhile. */
static inline uint64_t task_elapsed(uint64_t from, uint64_t to) {
  return to > from ? to - from : 0;
}

/* ---- task.c ---- */

/* A task with a reference for the pool and, if `held`, one for who asks for it, that is not
 * submitted; of `node`, whose spec it is then, or NULL. NULL: memory is short. */
vow_task *task_make(vow_task_pool *pool, const vow_task_spec *spec, task_node *node, bool held);
/* Takes back what was not submitted, with its members, not with its plan. */
void task_unmake(vow_task *task);
/* Under the lock: an operation nested in that of `parent` (NULL: none). */
op_status task_submit(vow_task *task, const vow_task *parent, uint64_t now);

/* ---- task_pool.c ---- */

/* The pool that this thread works for: calls its callbacks, or keeps its deadlines. */
extern _Thread_local vow_task_pool *task_thread_pool;
/* The runner whose callback this thread is in; NULL: none. */
extern _Thread_local task_runner *task_self;

/* The innermost callback of the pool that this thread is in; NULL: none. */
static inline task_runner *task_self_in(const vow_task_pool *pool) {
  return task_self && task_self->pool == pool ? task_self : NULL;
}

/* Not to be touched: it is another process's. */
bool task_pool_lost(const vow_task_pool *pool);
void task_pool_drop(vow_task_pool *pool);
/* Remembers why a call of this thread is refused; VOW_E_INVALID. */
__attribute__((format(printf, 2, 3))) vow_status task_refuse(const vow_task_pool *pool,
                                                             const char *format, ...);
void task_no_message(void);

/* ---- task_settle.c ---- */

/* Takes the table's events: tasks become ready, are settled, are told to stop. Whatever may
 * have raised some is followed by this before the lock is given back. */
void task_take_events(vow_task_pool *pool, uint64_t now, task_after *after);
/* Takes the lock. All that was started before is an operation then. */
void task_lock(vow_task_pool *pool, task_after *after);
/* If nobody has it, and nobody who looks into the inbox is about to take it. */
bool task_try_lock(vow_task_pool *pool, task_after *after);
/* Sees to it that what is ready has runners, gives the lock back, and does what is to be done
 * then. */
void task_unlock(vow_task_pool *pool, task_after *after);
/* It has settled: `result` has value or error if it is by result. Wakes and tells. */
void task_settle(vow_task *task, vow_state state, uint64_t now, task_after *after);
/* It is settled, and its callback has returned or will not be called: once for each. */
void task_end(vow_task *task, task_after *after);
/* Settles one that is ready or runs as failed, with constant texts. */
void task_reject(vow_task *task, const char *type, const char *message, uint64_t now,
                 task_after *after);
/* Out of the list of ready ones. */
void task_unready(vow_task *task);

/* A failed attempt is followed by another one, after a delay: it is away until that. */
bool task_again(vow_task *task, const char *error, uint64_t now);

/* ---- task_inbox.c ---- */

/* Under the lock: gives credits, if there is room and there are none. */
void task_inbox_lend(vow_task_pool *pool);
/* Under the lock: takes them back. Whoever calls it takes the table's events. */
void task_inbox_revoke(vow_task_pool *pool);
/* Under the lock: that many are lent that one more can be submitted. Events likewise. */
void task_inbox_keep_room(vow_task_pool *pool);
/* Not under it: starts the task, a call that is nested in nothing. False: there is no credit. */
bool task_inbox_put(vow_task *task, uint64_t now);
static inline bool task_inbox_waits(const vow_task_pool *pool) {
  return atomic_load_explicit(&pool->inbox, memory_order_relaxed);
}
/* Whether a runner looks into it, which takes the lock before it goes. */
static inline bool task_inbox_is_watched(const vow_task_pool *pool) {
  return atomic_load_explicit(&pool->watched, memory_order_relaxed);
}
/* Under the lock: submits what is there. Events likewise. */
void task_inbox_take(vow_task_pool *pool);
/* Not under it: takes what is there, unless somebody has the lock, who will. */
void task_inbox_help(vow_task_pool *pool);

/* ---- task_group.c ---- */

/* Makes the members of an attempt; false: memory is short. */
bool task_group_make(vow_task *group);
/* Whether all that `node` encloses can be submitted. VOW_E_FULL, VOW_E_NOMEM. */
vow_status task_group_room(vow_task_pool *pool, const task_node *node);
/* Submits the members; there is room. */
void task_group_submit(vow_task *group, uint64_t now);
/* The table has started it. */
void task_group_begin(vow_task *group, uint64_t now, task_after *after);
/* What its members come to does not matter to it any more. */
void task_group_leave(vow_task *group);
/* A member has settled. */
void task_group_hear(vow_task *member, uint64_t now, task_after *after);
/* Not under the lock. NULL is fine. */
void task_members_free(task_members *members, const vow_allocator *allocator);

/* ---- task_record.c ---- */

static inline bool task_is_recorded(const vow_task *task) {
  return task->pool->audit || task->pool->metrics;
}
/* Completes the event by what is the same in all of the task, and records it. */
void task_record(const vow_task *task, task_event event);
/* Its settlement. */
void task_record_settled(const vow_task *task, uint64_t now);
/* `failed`: what its callback has said, too late. */
void task_record_late(const vow_task *task, bool failed, const char *error, uint64_t now);

/* ---- task_wait.c ---- */

void task_waiter_add(task_waiter **list, task_waiter *waiter);
void task_waiter_remove(task_waiter *waiter);
/* Takes it off its list. */
void task_wake(task_waiter *waiter, vow_status status, task_after *after);
void task_wake_all(task_waiter **list, vow_status status, task_after *after);
/* Those who wait for the callback's return. */
void task_wake_returned(vow_task *task, task_after *after);
/* When a limit is over; UINT64_MAX: never. */
uint64_t task_until(uint64_t now, uint64_t limit_ms);

/* ---- task_run.c ---- */

/* Nobody is on the way to what is ready. One is enough: if more is ready when it comes it
 * hires the next. So no more threads are woken than there is work for. */
static inline bool task_is_short(const vow_task_pool *pool) {
  return pool->coming == 0 && atomic_load_explicit(&pool->ready, memory_order_relaxed) > 0;
}
/* Before the lock is given back: takes a runner for it. */
void task_hire(vow_task_pool *pool, task_after *after);
/* After it: sends that; NULL: one has to be made. False: no thread can be had for it, */
bool task_send(vow_task_pool *pool, task_runner *runner);
/* and under the lock what is ready fails, if nobody is there who would take it. */
void task_hire_failed(vow_task_pool *pool, task_after *after);
/* The callback goes on though its task has settled: it is told. */
void task_stop(task_runner *runner, uint64_t now, task_after *after);
void task_unstop(task_runner *runner);
/* Its thread is given up: for the table, and for those who wait, the callback has ended. */
void task_give_up(task_runner *runner, uint64_t now, task_after *after);
/* Parks the runner in the table, and takes it back. */
void task_park(task_runner *runner);
void task_unpark(task_runner *runner);

/* ---- task_keeper.c ---- */

/* False: no thread can be had. */
bool task_keeper_start(vow_task_pool *pool);
/* Not under the lock. */
void task_keeper_end(vow_task_pool *pool);
/* When it has something to do next; UINT64_MAX: nothing. */
uint64_t task_keeper_next(const vow_task_pool *pool);
/* Gives up the runner's thread. False: that is not possible now. */
bool task_retire(task_runner *runner, uint64_t now, task_after *after);

#endif
