/* The operation table: every call across a boundary, from submission to its
 * one settlement.
 *
 *   pending --start--> running --> fulfilled | rejected | timed_out | cancelled
 *      ^-----retry-------'
 *
 * One table belongs to one loop thread and has no lock. It calls no clock, no
 * I/O, no random and no thread: it is given `now` (nanoseconds of a monotonic
 * clock that never runs backwards) and answers with events, taken one by one
 * with op_next_event(). So a simulation can drive it through any schedule.
 *
 * Operations live in scopes. A scope is one owner (a run, a request): it has
 * its limits, its wall deadline, its clocks and its timers, and it is the root
 * of its cancellation tree. Operations may nest; a nested operation's deadline
 * is the minimum of its own and the enclosing ones.
 *
 * Invariants, asserted in debug builds by op_table_check():
 *  - an operation settles exactly once; what comes later is counted as late;
 *  - created = fulfilled + rejected + timed_out + cancelled + live, in each
 *    scope and in the table;
 *  - closing a scope settles every live operation of it, and it leaves no timer;
 *  - settling (by deadline or cancel) and the end of the handler are two
 *    things: the operation's places and record stay in use until
 *    op_handler_done(). A handler that was never started has no end to wait for.
 *
 * An id names a slot and a generation, so an id that outlived its operation is
 * harmless: calls with it answer OP_E_GONE (settling: OP_LATE).
 *
 * Memory is taken by the calls to open, op_submit(), op_timer_start() and
 * op_table_reserve() alone, nothing else can fail for it; op_keep() takes some and does
 * without. A `now` before one the table has seen counts as the latest seen. Times that do
 * not fit count as OP_NEVER. */
#ifndef VOW_CORE_OP_H
#define VOW_CORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

typedef uint64_t op_id; /* 0: none */
#define OP_NEVER UINT64_MAX

typedef enum {
  OP_PENDING, /* waiting for a place, or for the START event to be taken */
  OP_RUNNING,
  OP_FULFILLED,
  OP_REJECTED,
  OP_TIMED_OUT,
  OP_CANCELLED,
} op_state;

typedef enum {
  OP_OK = 0,
  OP_HIT,      /* an earlier answer settled it at once */
  OP_LATE,     /* already settled, or gone; counted in the table, and in the scope if known */
  OP_E_GONE,   /* no such operation, timer or scope any more */
  OP_E_STATE,  /* not possible in this state */
  OP_E_TOTAL,  /* the scope has created all the operations it may */
  OP_E_LIVE,   /* as many operations (or timers) are live as may be */
  OP_E_CLOSED, /* the scope is closed */
  /* It would have to wait for a place, and as many operations as may wait already: */
  OP_E_FULL,       /* of the kind, */
  OP_E_FULL_SCOPE, /* of the scope, */
  OP_E_FULL_TABLE, /* of the table */
  OP_E_SPENT,      /* no further attempt */
  OP_E_NOMEM,
} op_status;

const char *op_state_text(op_state state);
const char *op_status_text(op_status status);

typedef struct op_table op_table;
typedef struct op_scope op_scope;
typedef struct op_kind op_kind;

/* NULL when memory is short. `live_max`: operations and timers of all scopes
 * together, 0 = 2^24. It bounds memory, so settled operations count while their
 * handler runs or an event of theirs waits. */
op_table *op_table_open(const vow_allocator *allocator, uint32_t live_max);
/* Every scope must be closed and every event taken. Handlers that never ended
 * are forgotten: their late op_handler_done() must not come any more. */
void op_table_close(op_table *table);

/* Handlers of all scopes that may run at once; 0 = unlimited, as at the start.
 * Before the first submission. */
void op_table_set_concurrent(op_table *table, uint32_t concurrent_max);
/* Operations of all scopes that may wait for a place; 0 = unlimited, as at the start.
 * Before the first submission. */
void op_table_set_queue(op_table *table, uint32_t queue_max);

/* Room for `count` operations more, so that submitting so many fails for no memory until
 * something else is created. OP_E_LIVE: more than `live_max`; OP_E_NOMEM. Either way nothing
 * has changed but the memory held. */
op_status op_table_reserve(op_table *table, uint32_t count);

/* Called when an operation that was not waiting for a place begins to, once it is
 * created: another attempt, a follower that leads now. (Whether a new one waits is said
 * by op_find().) Not for what a closing scope settles. It comes in the middle of a
 * call of the table, and may do nothing to the table but look. */
typedef void op_waits(void *user, op_id id, void *operation_user);
/* NULL: nobody is told, as at the start. */
void op_table_tell_waiting(op_table *table, op_waits *waits, void *user);

/* ---- places ----
 *
 * A handler needs a place of its scope, then one of its kind, then one of the
 * table, and keeps them until it has ended. An operation waits for one at a
 * time and keeps those it has: so the flood of one scope fills its own queue and
 * not the places of others.
 *
 * Who waits is served by priority and, within one, first come, first served. One
 * place in OP_TURN goes to the operation created first among the heads of the
 * queues, so that nothing waits for ever behind a flood of higher priority.
 *
 * How many wait is bounded for each kind, scope and table, whatever place it is they
 * wait for. A bound refuses new operations and nothing else: one that was admitted
 * and waits again (another attempt, a follower that leads now) is counted and stays. */
#define OP_PRIORITIES 4u /* 0 first */
#define OP_TURN 4u

/* ---- kinds ---- */

/* What holds for every operation of a kind. Zero: not used.
 *
 * Batches: operations that have all their places gather until there are batch_max
 * of them, or the window of the first one is over; without a window, until
 * op_next_event() has no other event. Then their START events come one after the
 * other, and the owner may begin them with one call. Each is settled, cancelled,
 * retried and ended alone, and holds places of its own. */
typedef struct op_policy {
  uint64_t timeout_ns;     /* of one operation, at most */
  uint32_t concurrent_max; /* handlers at once */
  uint32_t queue_max;      /* operations waiting for a place of any sort */
  uint8_t priority;        /* the highest an operation may have */
  uint32_t attempts;       /* at most; 0 and 1: no retry; more than OP_ATTEMPTS_MAX count as that */
  /* Before attempt n: anything up to backoff_ns * 2^(n-2), at most backoff_max_ns
   * (0: no such bound). */
  uint64_t backoff_ns, backoff_max_ns;
  /* How long a kept value, a kept error serves equal operations. */
  uint64_t cache_ns, cache_error_ns;
  size_t cache_bytes; /* of what is kept, with its keys; 0: OP_CACHE_BYTES */
  bool single_flight; /* equal operations in progress share one handler */
  uint32_t
      batch_max; /* handlers begun as one; 0 and 1: none; more than OP_BATCH_MAX count as that */
  uint64_t batch_window_ns; /* how long the first one waits for others, but none for more than
                               half of its own time; 0: until no event is left */
} op_policy;

#define OP_BATCH_MAX 256u
/* Of one operation. */
#define OP_ATTEMPTS_MAX UINT16_MAX

#define OP_CACHE_BYTES ((size_t)1 << 20)
/* Beside its key and its bytes, each kept answer counts as this much. */
#define OP_ANSWER_BYTES 96u

/* The state that operations of one kind share: places, answers that are kept, and
 * handlers that work for several. Whoever opens a kind decides by that who shares
 * it: where answers are kept or handlers shared, only callers that may see each
 * other's answers. One kind for two tenants gives one the secrets of the other.
 *
 * `name`: as in op_spec. The policy is copied; a priority past the last counts as
 * the last. `seed`: anything that those who choose keys do not know, against keys
 * made to collide. NULL when memory is short. */
op_kind *op_kind_open(op_table *table, const char *name, const op_policy *policy, uint64_t seed);
/* Gives the kind up, before op_table_close(): every operation of it must be
 * settled and its events taken. Its memory goes when the last handler has ended.
 * NULL is allowed. */
void op_kind_close(op_kind *kind);

/* Changes how many handlers of the kind may run at once: from one bound, which is not 0, to
 * another. More: those that wait are served. Fewer: the places that are in use stay so until
 * their handlers end. For an owner whose handlers wait for others of the kind: theirs are not
 * to count meanwhile. */
void op_kind_set_concurrent(op_kind *kind, uint32_t concurrent_max);

typedef struct op_kind_counts {
  uint32_t places;    /* in use: handlers that start, run or have not ended */
  uint32_t queued;    /* operations waiting for a place of any sort */
  uint32_t gathering; /* operations of the batch that has not started */
  uint32_t answers;   /* kept; some may be past their time */
  size_t answer_bytes;
} op_kind_counts;

op_kind_counts op_kind_look(const op_kind *kind);

/* ---- scopes ---- */

typedef struct op_scope_limits {
  uint64_t operations_max; /* created in the scope's life; 0 = unlimited */
  uint32_t concurrent_max; /* running at once, more wait; 0 = unlimited */
  uint32_t queue_max;      /* operations waiting for a place of any sort; 0 = unlimited */
  uint32_t timers_max;     /* live timers; 0 = unlimited */
  uint64_t retries_max;    /* in the scope's life; 0 = unlimited */
} op_scope_limits;

/* Opens a scope with an absolute wall deadline (OP_NEVER: none). `user` comes
 * back with events. NULL when memory is short. */
op_scope *op_scope_open(op_table *table, const op_scope_limits *limits, uint64_t wall_deadline,
                        void *user, uint64_t now);
/* Moves the wall deadline; a WALL event not yet taken is withdrawn. Nothing
 * happens to a closed scope. The wall raises an event and does nothing else:
 * operations do not inherit it, their owner closes the scope. */
void op_scope_set_wall(op_scope *scope, uint64_t wall_deadline);
/* Settles every live operation as cancelled, drops every timer and the wall,
 * stops the clocks, and refuses whatever comes later. Settlements by close raise
 * no SETTLED event (the owner is going), but handlers that run get STOP events.
 * START, TIMER and WALL events not yet taken vanish; SETTLED and STOP events
 * raised before stay. Idempotent. */
void op_scope_close(op_scope *scope, uint64_t now);
/* Gives up the scope (after close); its memory goes when the last handler in
 * it has ended. The pointer is invalid afterwards; events still to come for
 * its operations carry a NULL scope and user. */
void op_scope_release(op_scope *scope);
/* Cancels every live operation of the scope with SETTLED events, oldest first,
 * and drops its timers; the scope stays open. */
void op_scope_cancel_all(op_scope *scope, uint64_t now);
/* Drops every live timer of the scope, also those fired and not yet taken. */
void op_scope_drop_timers(op_scope *scope);

/* ---- operations ---- */

/* An answer that was kept; valid until the next call of the table. */
typedef struct op_answer {
  const void *bytes;
  size_t len;
  op_state state; /* OP_FULFILLED or OP_REJECTED */
} op_answer;

typedef struct op_spec {
  op_kind *kind;       /* NULL: one without shared state */
  const char *name;    /* without a kind; borrowed, must outlive the table */
  op_id parent;        /* enclosing operation in the same scope, or 0 */
  uint64_t timeout_ns; /* from now; the kind's holds as well; 0 = only what is inherited */
  uint8_t priority;    /* as asked; never higher than the kind's and the parent's */
  uint64_t tag;        /* the owner's cookie; comes back with events */
  void *user;          /* likewise */
  /* Operations of one kind are equal when their keys are (the deterministic
   * encoding of their arguments). Copied if the kind keeps or shares anything;
   * NULL: it shares nothing with others. */
  const void *key;
  size_t key_len;
  op_answer *answer; /* where OP_HIT puts the answer; NULL: none is wanted */
} op_spec;

/* Creates an operation. If its places are free a START event follows, else it
 * waits; a place counts as used from then on. Checked in this order:
 * OP_E_CLOSED, OP_E_TOTAL, OP_E_LIVE, OP_E_GONE (the parent is not a live
 * operation of this scope), OP_E_FULL, OP_E_FULL_SCOPE, OP_E_FULL_TABLE (it would
 * have to wait, and `queue_max` operations do already), OP_E_NOMEM; then nothing was
 * created. What a full queue refuses is counted as created and rejected all the same:
 * asking again and again uses up `operations_max`.
 *
 * OP_HIT: an answer to an equal operation was kept. The operation is created,
 * counted and settled with it, without a record: no id (0), no event.
 * If an equal one leads a flight (single_flight), the new one follows it: it needs
 * no handler and no place, and whoever settles the leader by result settles it
 * first (op_follower()). While the leader waits for its places it does so with the
 * highest priority of itself and those that follow; it never loses by one that leaves.
 * One that is nested in the leader does not follow, but goes its own way and shares
 * nothing. */
op_status op_submit(op_scope *scope, const op_spec *spec, uint64_t now, op_id *id);
/* Settles by result. OP_OK: this is the settlement, deliver it now (no event
 * comes). OP_LATE: drop it. An operation that has not started may be settled as
 * well (by a cache, say). Nested operations still live move up to the parent,
 * here and at every settlement but a cancel, which costs time by their number. */
op_status op_fulfil(op_table *table, op_id id, uint64_t now);
op_status op_reject(op_table *table, op_id id, uint64_t now);
/* Settles the operation and everything nested in it as cancelled: SETTLED
 * events, and STOP for handlers that run; the operation first, then each nested
 * one followed by what is nested in it. OP_LATE if it was settled already. */
op_status op_cancel(op_table *table, op_id id, uint64_t now);
/* The handler has ended, or will not start: frees its places and, once settled,
 * the record; may start the next ones waiting. An operation that its handler
 * left unsettled is rejected with a SETTLED event (abandoned; no other way to
 * reject raises one). A STOP event not yet taken is withdrawn. OP_E_GONE when
 * the record is gone; OP_E_STATE when no handler runs: before the START event
 * was taken, or a second time. */
op_status op_handler_done(op_table *table, op_id id, uint64_t now);

/* op_fulfil() or op_reject(), as `state` says, and op_handler_done() as one. OP_OK: this is the
 * settlement; OP_LATE: it was settled before, and the handler has ended all the same. OP_E_GONE,
 * OP_E_STATE: as of op_handler_done(). */
op_status op_finish(op_table *table, op_id id, op_state state, uint64_t now);

/* The first of those that follow the live operation `id`, with its cookie in
 * `user`; 0: there is none. One that settles `id` by result settles these before,
 * with the same answer, until there is none. If it is settled in any other way, or
 * before them, the first of them starts its own handler and leads the others. */
op_id op_follower(const op_table *table, op_id id, void **user);
/* Keeps a copy of the answer with which the live operation `id` is about to be
 * settled, for equal ones to come; an older one goes. False, and nothing is kept
 * for it then: the kind keeps no such answers, the operation has no key or follows
 * another, it is larger than cache_bytes, or memory is short. The answer used
 * longest ago goes first when there is no room. */
bool op_keep(op_table *table, op_id id, op_state state, const void *bytes, size_t len,
             uint64_t now);

/* In place of op_reject() and op_handler_done() when an attempt failed and
 * another one may help. OP_OK: the handler counts as ended, its places are free,
 * and the operation is pending again; a START event for the next attempt follows
 * after a delay chosen by `random` (64 random bits) and the wait for its places.
 * Deadline and cancel settle it meanwhile as ever, and it is timed out as soon as it
 * has waited so long for its places that an attempt as long as the last one would not
 * end before the deadline. What is nested in it stays so.
 * OP_E_GONE, OP_E_STATE (settled, or no handler runs) and OP_E_SPENT: nothing has
 * changed; end the handler as ever. OP_E_SPENT: the kind's attempts or the scope's
 * retries are used up, or an attempt as long as the last one would not end before
 * the deadline. */
op_status op_retry(op_table *table, op_id id, uint64_t now, uint64_t random);
/* The same for an operation whose attempts its owner counts, of a kind or not: after
 * exactly `delay_ns`, and not bounded by the kind but by OP_ATTEMPTS_MAX. */
op_status op_retry_after(op_table *table, op_id id, uint64_t now, uint64_t delay_ns);

/* ---- timers: too small to be operations ---- */

/* One TIMER event at now + delay. OP_E_CLOSED, OP_E_LIVE (over `timers_max` or
 * the table's `live_max`), OP_E_NOMEM. A timer is live until its event is taken.
 * Ids of timers and operations are of one kind and never equal. */
op_status op_timer_start(op_scope *scope, uint64_t delay_ns, uint64_t tag, uint64_t now, op_id *id);
/* OP_E_GONE when it has fired (the event was taken) or was stopped. A fired
 * timer whose event is still queued is stopped as well. */
op_status op_timer_stop(op_table *table, op_id id);

/* ---- time and events ---- */

/* When op_expire() has something to do next; OP_NEVER: nothing waits for a time. */
uint64_t op_next_deadline(const op_table *table);
/* Times out every operation, sends on those whose delay before the next attempt is
 * over, starts the batches whose window is, and fires every timer and wall deadline that is due
 * (time <= now), in the order of times, equal ones in the order of creation (a wall: of its scope).
 * Bounded: at most `max` of them per call (0: all); returns how many. */
size_t op_expire(op_table *table, uint64_t now, size_t max);

typedef enum {
  OP_EVENT_START,   /* begin the handler; the operation is running now */
  OP_EVENT_SETTLED, /* tell the owner: `state` is timed_out, cancelled or (abandoned) rejected */
  OP_EVENT_STOP,    /* ask the running handler to stop, then await op_handler_done() */
  OP_EVENT_TIMER,   /* a timer fired and is gone */
  OP_EVENT_WALL,    /* the scope's wall deadline passed; raised once per op_scope_set_wall */
} op_event_kind;

typedef struct op_event {
  op_event_kind kind;
  op_state state;   /* of operations */
  op_id id;         /* 0 for WALL */
  op_scope *scope;  /* NULL once released */
  void *scope_user; /* NULL once released */
  const char *name; /* NULL for timers and WALL */
  uint64_t tag;     /* 0 for WALL */
  void *user;       /* the operation's; NULL for timers and WALL */
  bool batch_more;  /* of START: the next event is a START of the same batch, unless a call
                       comes between that settles it */
} op_event;

/* Takes the next event, oldest first; false when there is none. An operation
 * that was settled before its START was taken gives no START. For one
 * operation SETTLED comes before STOP. */
bool op_next_event(op_table *table, op_event *event);

/* ---- looking ---- */

typedef struct op_counts {
  uint64_t created, fulfilled, rejected, timed_out, cancelled, late;
  uint64_t retries;     /* attempts after the first that were granted */
  uint64_t cache_hits;  /* settled at once by an earlier answer */
  uint64_t batched;     /* started together with others of their batch */
  uint64_t live;        /* created and not settled */
  uint32_t running;     /* handlers that have started and not ended */
  uint32_t running_max; /* the most there were at once */
  uint32_t queued;      /* live, waiting for a place */
  uint32_t timers;      /* live timers */
} op_counts;

op_counts op_scope_counts(const op_scope *scope);
op_counts op_table_counts(const op_table *table);
/* `live` of them, without a copy of all: for every submission. */
uint64_t op_table_live(const op_table *table);
/* Nothing live: no operation and no timer, and no event waiting. */
bool op_scope_idle(const op_scope *scope);
/* True while at least one operation of the scope is live. */
bool op_scope_has_live(const op_scope *scope);

typedef struct op_info {
  op_id id, parent;
  const char *name; /* "timer" for timers */
  op_state state;
  uint64_t age_ns, tag;
  uint64_t deadline; /* effective, absolute */
  bool queued;       /* waits for a place */
  bool follows;      /* waits for the handler of an equal one */
  uint32_t attempts; /* handlers started for it */
  uint8_t priority;  /* by which it waits for its places */
} op_info;

/* Live operations and timers of the scope, oldest first; returns how many
 * there are, of which the first `max` were written. */
size_t op_scope_list(const op_scope *scope, op_info *list, size_t max, uint64_t now);
/* Live operations (no timers) at least `age_ns` old, oldest first. */
size_t op_scope_older_than(const op_scope *scope, uint64_t age_ns, op_info *list, size_t max,
                           uint64_t now);
/* One operation, live or with its record still in use; OP_E_GONE (timers too). */
op_status op_find(const op_table *table, op_id id, op_info *info, uint64_t now);

/* ---- a scope's clocks ---- */

typedef enum {
  OP_CLOCK_READY,     /* waiting for a turn */
  OP_CLOCK_GUEST,     /* executing */
  OP_CLOCK_HOST_WAIT, /* waiting for operations or timers */
  OP_CLOCK_STOPPED,   /* ended; nothing counts any more */
} op_clock;

/* Scopes open on OP_CLOCK_READY. Adds the time since the last call to the clock
 * that was running and switches to `clock`. Stopped is for good. */
void op_scope_clock(op_scope *scope, op_clock clock, uint64_t now);
/* Time on one clock up to now (OP_CLOCK_STOPPED: 0); their sum is the wall time
 * from the opening to now or to the stop, exactly. */
uint64_t op_scope_time(const op_scope *scope, op_clock clock, uint64_t now);

/* Walks everything and checks every invariant; false (with the reason on
 * stderr) when one is broken. For tests and debug builds. */
bool op_table_check(const op_table *table);

#endif
