/* Tasks: callbacks of C and C++, and functions of other languages (vow/executor.h), with a
 * time limit, a cancel, retries, and a record, on a pool of threads.
 *
 *   vow_task_pool *pool;
 *   vow_task *task;
 *   vow_task_spec spec = vow_task_call_spec("resize", resize, &image);
 *   vow_task_pool_open(NULL, &pool);
 *   if (vow_task_run(pool, &spec, &task) == VOW_OK &&
 *       vow_task_result_of(task)->state == VOW_FULFILLED)
 *     ...
 *   vow_task_release(task);
 *   vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 5000);
 *
 * A task settles exactly once: with what its callback says, or before that by its time
 * limit, a cancel, or the end of its pool. A thread cannot be killed: a callback that goes
 * on after its task has settled is told (vow_task_cancelled(), vow_task_sleep()), its
 * thread counts as busy until it returns, and after `patience_ms` the thread is given up:
 * replaced, counted, and not waited for by anybody. What the callback says then is dropped
 * and counted; its argument is freed when it returns.
 *
 * Every function may be called from any thread, from callbacks too, unless it says
 * otherwise. No callback is called with a lock held but vow_task_stop_callback. An event
 * loop is not needed; with vow_task_on_done() the end of a task comes to that of a runtime.
 *
 * fork(): open pools in the child; one of the parent answers VOW_E_STATE there. */
#ifndef VOW_TASK_H
#define VOW_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vow/allocator.h"
#include "vow/state.h"
#include "vow/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_runtime vow_runtime;
typedef struct vow_task_pool vow_task_pool;
typedef struct vow_task vow_task;
typedef struct vow_task_context vow_task_context;

/* ---- what is to be done ---- */

/* On a thread of the pool. Says what it came to with vow_task_succeed() or
 * vow_task_fail(), once; when it returns without, it has succeeded without a value.
 * `context` is valid until it returns, on this thread only, but where it is said. */
typedef void vow_task_callback(vow_task_context *context, void *argument);

#define VOW_TASK_TIMEOUT_MS 30000u

/* Types of values, for `takes` and `gives`: any of those that are set. */
enum {
  VOW_TYPE_NONE = 1 << 0, /* no value, undefined, null */
  VOW_TYPE_BOOL = 1 << 1,
  VOW_TYPE_INTEGER = 1 << 2, /* of any size; also a float without a fraction */
  VOW_TYPE_NUMBER = 1 << 3,  /* any number */
  VOW_TYPE_TEXT = 1 << 4,
  VOW_TYPE_BYTES = 1 << 5,
  VOW_TYPE_LIST = 1 << 6,
  VOW_TYPE_MAP = 1 << 7,
  VOW_TYPE_DATE = 1 << 8
};

/* Another attempt when one failed. A time limit or a cancel is the end, and no attempt
 * begins that could not end in the time left, judged by the last one. A call has returned
 * before it is tried again; in a group that is tried again a callback may be called while an
 * earlier call of it, which was cancelled, goes on with the same argument. */
typedef struct vow_task_retry {
  uint32_t attempts;       /* at most, with the first one; 0 and 1: no other; never more than
                              65535 */
  uint64_t delay_ms;       /* before the second one */
  uint32_t backoff;        /* the delay is multiplied by it each time; 0: 1 */
  uint64_t delay_max_ms;   /* 0: no such bound */
  uint32_t jitter_percent; /* so much of the delay, at most 100, is left to chance */
  const char *errors;      /* types that are tried again, a comma list; NULL: all */
} vow_task_retry;

typedef enum vow_task_form {
  VOW_TASK_CALL,     /* calls `callback` */
  VOW_TASK_PARALLEL, /* every member; succeeds when all do, its value is their list (CBOR; what
                        is not one CBOR item as a byte string, no value as undefined). Else it
                        fails as the first in order does that did not succeed */
  VOW_TASK_RACE      /* every member at once; the first success is its own, the others are
                        cancelled. Fails when all have failed: as its only member, or with an
                        AggregateError that names each */
} vow_task_form;

/* Set it up with vow_task_call_spec() or vow_task_group_spec(). What it points to is copied when
 * the task is started, but for `argument`. */
typedef struct vow_task_spec {
  size_t size;      /* sizeof(vow_task_spec) */
  const char *name; /* UTF-8, for errors and records; at most 128 bytes are kept; "task" */
  vow_task_form form;
  uint64_t timeout_ms; /* from the start to the settlement, retries too; 0: unlimited. With
                          that of what it is part of, the earlier one counts */
  uint8_t priority;    /* 0 goes first; 3 and all beyond go last */
  vow_task_retry retry;

  /* VOW_TASK_CALL */
  vow_task_callback *callback;
  void *argument;
  /* Called exactly once for a task that was started, when the callback does not need the
   * argument any more: after its last return, or when it will not be called. While a group that it
   * is in may be tried again, it may. On any thread, also the one that minds the time limits:
   * it must not block. NULL: nothing is to be freed. */
  void (*argument_free)(void *argument);
  const void *value; /* bytes for the callback, beside `argument`; CBOR where types are given */
  size_t value_len;
  /* Checked before the callback is called, and after it succeeded: any of VOW_TYPE_*; 0: not
   * checked. A task whose value does not fit fails (TypeError, with the type that was
   * expected and the one that came); for its argument it is not tried again. */
  uint32_t takes, gives;

  /* VOW_TASK_PARALLEL, VOW_TASK_RACE. Groups in groups, at most 16 deep, with at most 65535
   * members in all. A group takes no thread; it is started with all that is in it, or not at
   * all. When it is tried again and queue_max has no room for that, it fails as before. */
  const struct vow_task_spec *const *members;
  size_t member_count;
  bool fail_fast; /* VOW_TASK_PARALLEL: the first failure is its own, and cancels the others */

  /* Not part of the task whose callback starts it. Without that its time is part of that
   * one's, and a cancel of that one cancels it. When that one ends with what its callback said,
   * it goes on, as part of what that one was part of. */
  bool detached;
} vow_task_spec;

/* A call with the default time limit; in C and C++. */
static inline vow_task_spec vow_task_call_spec(const char *name, vow_task_callback *callback,
                                               void *argument) {
  vow_task_spec spec;
  memset(&spec, 0, sizeof spec);
  spec.size = sizeof spec;
  spec.name = name;
  spec.form = VOW_TASK_CALL;
  spec.timeout_ms = VOW_TASK_TIMEOUT_MS;
  spec.callback = callback;
  spec.argument = argument;
  return spec;
}

/* VOW_TASK_PARALLEL or VOW_TASK_RACE of `members`, with the default time limit. */
static inline vow_task_spec vow_task_group_spec(const char *name, vow_task_form form,
                                                const vow_task_spec *const *members,
                                                size_t member_count) {
  vow_task_spec spec;
  memset(&spec, 0, sizeof spec);
  spec.size = sizeof spec;
  spec.name = name;
  spec.form = form;
  spec.timeout_ms = VOW_TASK_TIMEOUT_MS;
  spec.members = members;
  spec.member_count = member_count;
  return spec;
}

/* ---- pools ---- */

typedef struct vow_task_pool_options {
  size_t size;                    /* sizeof(vow_task_pool_options) */
  const vow_allocator *allocator; /* NULL: the C library's; borrowed until the pool is closed,
                                     every task is released and no thread given up runs */
  uint32_t concurrent_max;        /* callbacks at once, at most 1024; the number of processors */
  uint32_t queue_max;             /* tasks that wait for a thread; 1000000 */
  uint32_t idle_ms;               /* a thread that had nothing to do for so long ends; 10000 */
  uint32_t waiting_max; /* callbacks that wait for other tasks of the pool (vow_task_wait())
                           and are not counted in concurrent_max meanwhile; 64 */
  uint32_t retired_max; /* threads given up that still run; 16 */
  uint64_t patience_ms; /* how long a callback may go on after its task has settled before its
                           thread is given up; 1000 */
  const char *audit;    /* a file for the events of each task, as vow_runtime_options.audit;
                           NULL: none */
  bool metrics;         /* count everything, for vow_task_pool_metrics() */
  char *message;        /* where one line goes that says why opening failed; NULL: nowhere */
  size_t message_size;
} vow_task_pool_options;

/* Opens a pool; its threads start when there is work. `options` NULL: the defaults.
 * VOW_E_INVALID, VOW_E_OPEN (the audit), VOW_E_NOMEM. */
vow_status vow_task_pool_open(const vow_task_pool_options *options, vow_task_pool **pool);

typedef enum vow_task_close {
  VOW_TASK_GRACEFUL, /* what was started is done first */
  VOW_TASK_IMMEDIATE /* all is cancelled at once */
} vow_task_close;

/* Ends the pool. From now on nothing can be started but by its own callbacks in a graceful
 * close. Waits up to `limit_ms` for its tasks; then cancels what is live, waits for callbacks
 * up to the pool's patience, and gives up the threads of those that still run, `retired_max` or
 * not. So it takes `limit_ms` and the patience at most, and what on_done and argument_free
 * callbacks take. Tasks that are held stay valid, the pool for callbacks in threads given up
 * too; no other call with the pool may be under way when this returns: a start may be, though its
 * task has ended. NULL is fine.
 *
 * VOW_OK; VOW_E_TIME: threads were given up, which go on until their callbacks return;
 * VOW_E_LOST: lines of the audit are not in its file. The pool is closed in these three.
 * VOW_E_DEADLOCK: on a thread of the pool; VOW_E_STATE: it is closed, or closing, already. */
vow_status vow_task_pool_close(vow_task_pool *pool, vow_task_close mode, uint64_t limit_ms);

/* Cancels every task that is live. */
vow_status vow_task_pool_cancel(vow_task_pool *pool);
/* Waits until no task is live, at most `limit_ms` (VOW_FOREVER: without a limit).
 * VOW_E_TIME; VOW_E_DEADLOCK: on a thread of the pool, which may be what they wait for. */
vow_status vow_task_pool_wait(vow_task_pool *pool, uint64_t limit_ms);

typedef struct vow_task_counts {
  size_t size;      /* sizeof(vow_task_counts); set by the caller */
  uint64_t created; /* tasks, groups and their members too; and, rejected at once, calls that a
                       full queue refused (not groups) */
  uint64_t fulfilled, rejected, timed_out, cancelled, live; /* their sum is `created` */
  uint64_t queued;                                          /* live, waiting for a thread */
  uint64_t active;       /* callbacks that run, those of settled tasks too, without those whose
                            threads were given up */
  uint64_t retries;      /* attempts after a first one */
  uint64_t late;         /* callbacks that said something when their task was settled, or
                            whose thread had been given up */
  uint64_t retired;      /* threads given up, ever */
  uint64_t retired_live; /* of these, those that still run */
  uint64_t threads;      /* alive, without those given up */
} vow_task_counts;
vow_status vow_task_pool_counts(vow_task_pool *pool, vow_task_counts *counts);

/* Everything that was counted, as text for Prometheus (docs/task.md); the caller's, to be
 * given back with vow_task_free_text(). VOW_E_STATE: `metrics` was not asked for;
 * VOW_E_NOMEM. */
vow_status vow_task_pool_metrics(vow_task_pool *pool, char **text);
void vow_task_free_text(vow_task_pool *pool, char *text);

/* What was wrong with the last call of this thread on this pool that answered
 * VOW_E_INVALID: one line, "" when there was none. Valid until this thread's next call. */
const char *vow_task_pool_message(const vow_task_pool *pool);

/* ---- tasks ---- */

#define VOW_FOREVER UINT64_MAX

/* Starts a task and returns at once. `*task` is the caller's, to be released; with `task`
 * NULL nobody holds it. When this fails nothing was started and `argument_free` is not
 * called. A task that no thread can be had for is started, and fails (ResourceError).
 * VOW_E_INVALID (the spec; a race without members), VOW_E_FULL (queue_max), VOW_E_NOMEM,
 * VOW_E_STATE (the pool is closed; the task that would enclose it has settled). */
vow_status vow_task_start(vow_task_pool *pool, const vow_task_spec *spec, vow_task **task);

/* Starts a task and waits until it has settled. As vow_task_start() and vow_task_wait(): when
 * waiting fails `*task` has been started all the same, and is the caller's. */
vow_status vow_task_run(vow_task_pool *pool, const vow_task_spec *spec, vow_task **task);

/* Waits until the task has settled, at most `limit_ms`. In a callback of the same pool its
 * place is another's meanwhile, so that tasks which wait for tasks cannot stop the pool; and
 * it returns when that callback's own task is settled from outside (VOW_E_CANCELLED).
 * VOW_OK; VOW_E_TIME: it is live still; VOW_E_DEADLOCK, at once and whatever the limit: the
 * task is the caller's own or encloses it, it waits for the caller or for one that does,
 * `waiting_max` callbacks wait already, no thread can be had in the caller's place, or the caller
 * is an on_done or argument_free callback on a thread of the pool. Waits of callbacks for tasks of
 * other pools are not known, and not ended with the callback's task. */
vow_status vow_task_wait(vow_task *task, uint64_t limit_ms);

/* VOW_PENDING, VOW_RUNNING (an attempt has begun), or how it has settled. */
vow_state vow_task_state(const vow_task *task);

typedef struct vow_task_result {
  size_t size;       /* set by Vow */
  vow_state state;   /* VOW_FULFILLED, VOW_REJECTED, VOW_TIMED_OUT or VOW_OP_CANCELLED */
  const void *value; /* with VOW_FULFILLED; NULL: none was given */
  size_t value_len;
  const char *error_type; /* else; a TimeoutError and an AbortError too */
  const char *error_message;
  const char *error_detail; /* a traceback, say; NULL: none */
  uint64_t run_ns;          /* its callback has executed, all attempts together */
  uint64_t age_ns;          /* from the start to the settlement */
  uint32_t attempts;        /* begun; 0: it never began */
} vow_task_result;

/* Valid until the task is released; NULL while it is live. */
const vow_task_result *vow_task_result_of(vow_task *task);

/* Its value as JSON on one line, by the rules of the command line; the task's. NULL: it has
 * none, which is not CBOR, or memory is short. */
const char *vow_task_value_json(vow_task *task);

/* A group's members, in their order; borrowed from it. NULL past the last one. A member that
 * a group had no need to begin is cancelled. Retries of a group begin its members anew: these
 * are the last ones. */
vow_task *vow_task_member(vow_task *task, size_t index);
/* Which member has won a race; SIZE_MAX: none has. */
size_t vow_task_winner(const vow_task *task);

/* Settles the task as cancelled, and what is part of it. Before its callback is called it
 * never will be; while it runs it is told; VOW_LATE: it had settled, nothing happens. */
vow_status vow_task_cancel(vow_task *task);

/* Calls `callback` once when the task has settled: on the thread of `runtime`, in a turn of
 * its loop, which is alive until then; with `runtime` NULL on the thread that settles it (or
 * this one, before this returns, when it has), where it must not block. The task is valid in
 * it. When the runtime is closed before, it is called from there, while the task may be
 * live. One for each task.
 * VOW_E_EXISTS: it has one; VOW_E_NOMEM; VOW_E_STATE: the runtime is closed. */
typedef void vow_task_done_callback(vow_task *task, void *user);
vow_status vow_task_on_done(vow_task *task, vow_runtime *runtime, vow_task_done_callback *callback,
                            void *user);

/* One more reference; returns `task`. */
vow_task *vow_task_retain(vow_task *task);
/* NULL is fine. A task that is live goes on. */
void vow_task_release(vow_task *task);

/* VOW_TASK_GUARD(task) = NULL; then vow_task_start(pool, &spec, &task): at the end of the
 * scope the task is cancelled if it is live, its callback's return is waited for, up to the
 * pool's patience, and it is released. */
#define VOW_TASK_GUARD(name_) __attribute__((cleanup(vow_task_guard_end))) vow_task *name_
void vow_task_guard_end(vow_task **task);

/* ---- in a callback ---- */

/* Nobody waits for what it says: time limit, cancel, or the end of the pool. It never becomes
 * false again. As cheap as a read. Any thread. */
bool vow_task_cancelled(const vow_task_context *context);
/* Sleeps; false: it was woken, or did not sleep, because of that. */
bool vow_task_sleep(vow_task_context *context, uint64_t ms);
/* Milliseconds of its time left; UINT64_MAX: no limit. */
uint64_t vow_task_remaining_ms(const vow_task_context *context);
/* From 1. */
uint32_t vow_task_attempt(const vow_task_context *context);
/* The spec's `value`; valid until the callback returns. */
const void *vow_task_value(const vow_task_context *context, size_t *len);
/* The same as JSON text on one line, by the rules of the command line's value; valid as long.
 * NULL: it is not CBOR, or memory is short. */
const char *vow_task_argument_json(vow_task_context *context);
/* Its own task, borrowed, and pool. */
vow_task *vow_task_self(vow_task_context *context);
vow_task_pool *vow_task_pool_of(vow_task_context *context);

/* Success: bytes, copied; NULL: no value. Checked when the spec gives types. VOW_LATE: it has
 * said what it came to; VOW_E_NOMEM: it has not, and may say something else. Whether it still
 * counts is found out when the callback returns. */
vow_status vow_task_succeed(vow_task_context *context, const void *bytes, size_t len);
/* The same from JSON text (as CBOR). VOW_E_JSON. */
vow_status vow_task_succeed_json(vow_task_context *context, const char *json);
/* Failure. Texts are UTF-8 (else what is wrong in them is replaced), copied and cut at 128
 * bytes and 4 KiB; `detail` at 16 KiB, NULL: none. A `type` that is NULL is "Error". VOW_LATE;
 * VOW_E_NOMEM: it has failed all the same, without these texts. */
vow_status vow_task_fail(vow_task_context *context, const char *type, const char *message,
                         const char *detail);

/* Calls `callback` once, when vow_task_cancelled() becomes true, at once if it is. Under a
 * lock, on any thread: it must not block and not call Vow. One at a time; with NULL it is taken
 * back, and is not running any more when that returns. Take it back before the task's callback
 * returns, unless `user` lives longer: it may be called until that return is taken note of. */
typedef void vow_task_stop_callback(void *user);
void vow_task_on_stop(vow_task_context *context, vow_task_stop_callback *callback, void *user);

#ifdef __cplusplus
}
#endif
#endif
