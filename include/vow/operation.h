/* Operations: what scripts may call, implemented by the program.
 *
 * A handler is called once for each call, and answers now or later, from any
 * thread. Each operation settles exactly once: by the answer, or before it by its
 * time limit, a cancel, or the end of the run. An answer that comes after that is
 * dropped and counted.
 *
 * Operations are counted by reference. The handler holds one reference while it
 * runs; to answer after it has returned it calls vow_op_retain(), and
 * vow_op_release() when it is done with the operation. An operation whose last
 * reference goes without an answer is rejected (ApiError, code ABANDONED): no
 * script waits for ever. While it holds a reference any thread may call everything
 * here on that operation, in every order: twice, late, and after the runtime was
 * closed.
 *
 * Locks: all operations of a runtime share one, held for moments; no callback is
 * called under it. */
#ifndef VOW_OPERATION_H
#define VOW_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vow/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_op vow_op;
typedef struct vow_run vow_run;

/* Called on the runtime's thread, or on one of its worker threads when the policy
 * says `blocking`. */
typedef void vow_handler(vow_op *op, void *user);

/* Several calls of one operation at once: a statement for all of them, say. Each is
 * answered alone; for each the handler holds one reference. `ops` is valid until the
 * return. */
typedef void vow_batch_handler(vow_op **ops, size_t count, void *user);

/* An operation that takes no argument, in vow_policy.arguments. */
#define VOW_NO_ARGUMENTS UINT32_MAX

/* What holds for every call of an operation; a call may tighten it, never loosen
 * it. Answers that are kept or shared are so for all runs of the runtime: tenants
 * that must not see each other's need runtimes, or operations, of their own. */
typedef struct vow_policy {
  size_t size;              /* sizeof(vow_policy) */
  uint32_t arguments;       /* positional ones, at most 64; what a call gives behind them is its
                               {timeout, signal, priority}. 1 */
  bool options_last;        /* the last argument is options: {timeout, ...} may be in it */
  bool blocking;            /* the handler blocks: it runs on a worker thread */
  uint64_t timeout_ms;      /* of one call; at most the run's own, which is the default */
  uint32_t attempts;        /* at most; only errors marked transient are tried again, in one run
                               100 times, and none that could not end within its time; more
                               than 1 only with `idempotent`. 1 */
  uint64_t backoff_ms;      /* before attempt n: a random time up to backoff * 2^(n-2) */
  uint64_t backoff_max_ms;  /* and up to this; no bound */
  uint32_t concurrent_max;  /* handlers at once in this runtime; the run's limit */
  uint32_t queue_max;       /* calls that wait for a place; one more is rejected (ApiError, code
                               QUEUE_FULL, transient); no bound but the run's and the runtime's */
  uint8_t priority;         /* 0 goes first; 3 and all beyond go last */
  uint64_t cache_ms;        /* how long a value serves equal calls; 0: it does not */
  uint64_t cache_error_ms;  /* the same for errors that are not transient */
  size_t cache_bytes;       /* of all values kept; 1 MiB */
  bool single_flight;       /* equal calls in progress share one handler */
  bool idempotent;          /* doing it twice comes to the same as doing it once */
  vow_batch_handler *batch; /* takes all calls, in place of the handler, which is NULL then */
  uint32_t batch_max;       /* calls at once, at most 256, which is the default */
  uint64_t batch_window_ms; /* how long the first one waits for others; one turn of the loop */
} vow_policy;

/* Gives the operation `name` a handler: for scripts of the runs opened from then
 * on that are allowed to call it. `name` is one or two JavaScript identifiers with
 * a dot between ("weather.get"), at most 63 bytes, copied; the first is no word of
 * the language, and no other operation's object or function. `policy` NULL: the
 * defaults; copied. `user` is the handler's, valid until the runtime is closed. An
 * operation cannot be taken back.
 * Runtime's thread. VOW_E_INVALID, VOW_E_EXISTS, VOW_E_NOMEM, VOW_E_THREAD. */
vow_status vow_register(vow_runtime *runtime, const char *name, vow_handler *handler,
                        const vow_policy *policy, void *user);

/* ---- what is asked ---- */

/* The name it was registered by; its number in its run, from 1; valid, as all that
 * follows, while a reference is held. Any thread. */
const char *vow_op_name(const vow_op *op);
uint64_t vow_op_number(const vow_op *op);

/* The run that called it. It stays valid, also when it is disposed, as long as the
 * operation is held: what it can still be asked is said in vow/run.h. NULL when the
 * run had ended before this attempt began, for others that share its answer. Any
 * thread. */
vow_run *vow_op_run(const vow_op *op);

/* The arguments: one array of CBOR (RFC 8949), checked. `len` may not be NULL. Any
 * thread. */
const void *vow_op_args(const vow_op *op, size_t *len);

/* The arguments as JSON text, a list, by the rules of the command line's value:
 * bytes are base64, a Date its ISO string. The text is the operation's, and made
 * once. Any thread. VOW_E_NOMEM; VOW_E_JSON: nothing JSON can say; VOW_E_STATE: in a
 * child that was forked. */
vow_status vow_op_args_json(vow_op *op, const char **json);

/* Milliseconds until nobody waits for an answer any more, as its time limit was
 * when it was started; 0 when they are over or it was cancelled, UINT64_MAX when
 * there is no limit. Any thread. */
uint64_t vow_op_remaining_ms(const vow_op *op);

/* Operations its run could still create when this one was started; UINT64_MAX when
 * there is no limit. Any thread. */
uint64_t vow_op_calls_left(const vow_op *op);

/* ---- answers ---- */

/* Errors as scripts see them. */
typedef struct vow_error {
  size_t size;         /* sizeof(vow_error) */
  const char *name;    /* class: TypeError, RangeError, NotFoundError, ConflictError,
                          PermissionError, TimeoutError, AbortError; ApiError */
  const char *code;    /* stable word for programs; none */
  const char *message; /* for people, UTF-8, at most 4 KiB; "" */
  bool transient;      /* may succeed when tried again: what a policy's attempts are for */
} vow_error;

/* Settles with a value: one item of CBOR, copied; `bytes` NULL is undefined.
 *
 * VOW_OK: this is the handler's answer; its promise is settled in a turn of the
 * runtime soon. VOW_LATE: it was answered before, or nobody waits for it any more;
 * counted. VOW_E_CBOR: not one well-formed item, or more than 64 MiB, 256 levels or
 * a million parts; VOW_E_NOMEM; VOW_E_FULL: 64 MiB of answers and progress wait for the
 * runtime's thread: in these three it is not settled, and may be tried again. Any
 * thread; does not block. */
vow_status vow_op_fulfil(vow_op *op, const void *bytes, size_t len);
/* The same with JSON text (RFC 8259), zero-terminated; numbers as JSON.parse reads
 * them. VOW_E_JSON in place of VOW_E_CBOR. */
vow_status vow_op_fulfil_json(vow_op *op, const char *json);
/* The same with an error; NULL is an ApiError without a message. VOW_E_INVALID: its
 * size, or texts that are not UTF-8 or too long. */
vow_status vow_op_reject(vow_op *op, const vow_error *error);

/* Something to tell before the answer, for on_progress of the run's request: any
 * bytes, copied, may be empty. The order of one thread is kept. VOW_LATE, VOW_E_NOMEM, VOW_E_FULL
 * as above. Any thread; does not block. */
vow_status vow_op_progress(vow_op *op, const void *bytes, size_t len);

/* ---- cancelling ---- */

/* Whether nobody waits for the answer any more: time limit, cancel, end of the run
 * or of the runtime. It never becomes false again. Any thread; as cheap as a read. */
bool vow_op_cancelled(const vow_op *op);

/* Calls `callback` once, on the runtime's thread, when vow_op_cancelled() becomes
 * true before the handler has answered; it may settle and release the operation. One
 * callback at a time: NULL takes it back, a later one replaces it. It may be on its
 * way while another thread settles or takes it back: what `user` points to must
 * stay valid until the runtime's thread has passed by.
 * VOW_E_CANCELLED: too late, `callback` will not be called; VOW_LATE: the handler
 * has answered. Any thread. */
typedef void vow_cancel_callback(vow_op *op, void *user);
vow_status vow_op_on_cancel(vow_op *op, vow_cancel_callback *callback, void *user);

/* ---- references ---- */

/* One more reference; returns `op`. For whoever holds one. Any thread. */
vow_op *vow_op_retain(vow_op *op);
/* Gives a reference back; NULL is fine. Any thread. */
void vow_op_release(vow_op *op);

#ifdef __cplusplus
}
#endif
#endif
