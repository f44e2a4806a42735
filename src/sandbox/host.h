/* Host operations as a run sees them: a name, and a handler that answers. */
#ifndef VOW_SANDBOX_HOST_H
#define VOW_SANDBOX_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"
#include "core/mem.h"
#include "core/op.h"
#include "guest/wire.h"

typedef struct host_call host_call;
struct shard;

/* What holds for every call of a kind. A call may tighten it, never loosen it.
 * Zero in a field: not used. It has no effect before host_kinds_open(). An answer with
 * shared memory of trusted code serves its own call only. */
typedef struct host_policy {
  uint64_t timeout_ms;                 /* of one operation, at most the run's own */
  uint32_t attempts;                   /* at most; only errors marked transient are retried; more
                                          than 1 only with `idempotent` */
  uint64_t backoff_ms, backoff_max_ms; /* before attempt n: random up to backoff * 2^(n-2) */
  uint32_t concurrent_max;             /* handlers of this kind at once, in one shard */
  uint32_t queue_max;                  /* operations of this kind waiting, in one shard */
  uint8_t priority;                    /* 0 first; a call may ask for a larger one */
  uint64_t cache_ms, cache_error_ms;   /* how long a value, an error that is not transient, serves
                                          equal calls */
  size_t cache_bytes;                  /* of all values kept */
  bool single_flight;                  /* equal calls in progress share one handler */
  uint32_t batch_max;                  /* calls for one start_batch() */
  uint64_t batch_window_ms;            /* how long the first waits for others, but none for more
                                          than half of its own time; 0: one turn */
  bool idempotent;                     /* doing it twice comes to the same as doing it once */
} host_policy;

/* What is wrong with a policy, to follow its place in a message; NULL: nothing. An
 * attempt that failed may have had its effect all the same (an answer that was lost,
 * a time limit), so that whoever wants another one must say that it does no harm. */
const char *host_policy_fault(const host_policy *policy);

typedef struct host_kind {
  const char *name;   /* "notes.get"; borrowed until shard_close() */
  uint32_t arguments; /* positional ones */
  bool options_last;  /* the last one is options: {timeout, signal, priority} may be in it */
  /* Begins the work, on the loop thread. It must lead to exactly one
   * host_call_fulfil() or host_call_reject(), now or later, also after `stop`. */
  void (*start)(host_call *call, void *user);
  /* Nobody waits for the answer any more: end soon. NULL: it cannot be hurried. */
  void (*stop)(host_call *call, void *user);
  /* Begins several at once (policy.batch_max), as `start` does for one: each call is
   * answered, stopped and ended alone. The array is not valid after the return.
   * NULL: `start` is called for each. */
  void (*start_batch)(host_call **calls, size_t count, void *user);
  /* For handlers that run a guest of their own, see host_call_message(); else NULL.
   * `answer`: what one of its calls came to, WIRE_FULFIL or WIRE_REJECT; must not end
   * the handler. `code`: WIRE_CODE of any guest of the run; false: it is malformed. */
  void (*answer)(host_call *call, const wire_header *header, const void *body, void *user);
  bool (*code)(const uint8_t *body, size_t len, void *user);
  /* With `debug`, of a call that is being handled: where in the program the handler
   * is, or has taken it; one line, from `allocator`, or NULL. NULL: nobody can say. */
  char *(*where)(const host_call *call, const vow_allocator *allocator);
  void *user;
  host_policy policy;
  op_kind *state; /* what its calls share; NULL: nothing, and no policy holds */
} host_kind;

/* Makes the policies of `kinds` hold on this shard: fills their `state`. The runs
 * that are given these kinds share queues, and where the policy says so, answers:
 * kinds that keep or share answers must be opened for each tenant apart, or one
 * gets to see what was answered to another. The policies have no fault. False when
 * memory is short; then none is open. Loop thread. */
bool host_kinds_open(struct shard *shard, host_kind *kinds, size_t count);
/* Before shard_close(), when every run that uses the kinds is disposed; handlers
 * may still be at work. Idempotent. */
void host_kinds_close(host_kind *kinds, size_t count);

typedef struct host_error {
  const char *name;    /* guest class: "NotFoundError"; NULL = ApiError */
  const char *code;    /* NULL: none */
  const char *message; /* UTF-8 */
  bool transient;
} host_error;

/* The arguments: one CBOR array, checked and bounded; valid until answered. */
const uint8_t *host_call_arguments(const host_call *call, size_t *len);
/* Where script made the call: lines of a trace, valid until answered. NULL: not noted. */
const char *host_call_site(const host_call *call);
/* Cookie of the handler. */
void host_call_set_data(host_call *call, void *data);
void *host_call_data(const host_call *call);
/* What the call is about, for people who wait for it or read of it later: "fetch"
 * with "api.example.com". UTF-8, copied, cut at 200 bytes, control characters become
 * question marks; NULL takes it back. Without memory for it there is none. */
void host_call_set_detail(host_call *call, const char *detail);
struct shard *host_call_shard(const host_call *call);
/* Counts `bytes` (in all, not more) that are held for the answer as memory of the
 * run, until it is given. False, with nothing changed, when they do not fit. */
bool host_call_hold(host_call *call, size_t bytes);
/* Milliseconds until nobody waits for the answer any more: 0 when nobody does now,
 * UINT64_MAX without a limit. */
uint64_t host_call_remaining_ms(const host_call *call);
/* Operations its run may still create; UINT64_MAX without a limit. */
uint64_t host_call_calls_left(const host_call *call);
const char *host_call_name(const host_call *call); /* of its kind */
/* The call's number in its run, from 1: `operation.id` of errors and reports. */
uint64_t host_call_number(const host_call *call);
/* How it is served among others: 0 first. */
uint8_t host_call_priority(const host_call *call);
/* Which attempt this is, from 1. */
uint32_t host_call_attempt(const host_call *call);
/* `user` of the run's options; NULL once the run has finished. */
void *host_call_run_user(const host_call *call);

/* Ends the handler with a value (one CBOR item, copied) or an error, on the loop
 * thread. `call` is invalid afterwards: where the policy grants another attempt for
 * a transient error, `start` gets it again. False: the operation was settled before
 * (deadline, cancel, end of the run), also when `stop` is still to be called; the
 * answer is counted as late and dropped. */
bool host_call_fulfil(host_call *call, const void *value, size_t len);
/* The same with a value that a trusted guest of this process has encoded: it is not
 * checked again. */
bool host_call_fulfil_encoded(host_call *call, const void *value, size_t len);
bool host_call_reject(host_call *call, const host_error *error);
/* As host_call_reject(), and the guest's promise is rejected with exactly `value`;
 * `error` is what the record, and whoever shares the answer, gets. */
bool host_call_reject_value(host_call *call, const host_error *error, const void *value,
                            size_t len);

/* A message from a guest that works for the handler: its calls become operations
 * nested in `call`, with what is left of its time; console output is the run's;
 * progress is told to the guest that made the call. False: it is malformed, or the
 * run takes no more. May call `answer`. */
bool host_call_message(host_call *call, const wire_header *header, const uint8_t *body);
/* WIRE_TIMER_START of such a guest, which the handler serves itself: the delay, and with
 * `debug` where script started it, else NULL. False: it is malformed. Any thread. */
bool host_timer_read(cbor_in *body, uint64_t *delay_ns, const char **site, size_t *site_len);
/* Cancels what is nested in `call`; nothing of it is answered any more. */
void host_call_end_nested(host_call *call);

/* Around several answers that came together: what may start because of them starts
 * at the end, so that it can go together as well. They nest. */
void host_answers_begin(struct shard *shard);
void host_answers_end(struct shard *shard);

#endif
