/* What the files of the operation table share. Nobody else includes this,
 * except tests that look inside.
 *
 * Operations, timers and the wall deadlines of scopes are all records of one
 * kind of slot: they have one id space, one heap and one event queue. Records
 * live in chunks that never move, so pointers between them are stable; a freed
 * record goes to the free list with its generation raised, and one whose
 * generations are used up stays out of use for good.
 *
 * The heap always has room for every slot (slots are only added together with
 * their room), and lists and queues are threaded through the records: settling,
 * cancelling, expiring and closing need no memory.
 *
 * A record is on at most one of: the queue of a gate (RUN_WAITING), the batch of its
 * kind (RUN_GATHERING), the followers of a flight (RUN_FOLLOWING) and the table's event queue
 * (events != 0), which is why they share their links. It is on its scope's list of operations
 * exactly while it is live. */
#ifndef VOW_CORE_OP_INT_H
#define VOW_CORE_OP_INT_H

#include <assert.h>

#include "core/deadline.h"
#include "core/op.h"

#define OP_CHUNK_SHIFT 8u
#define OP_CHUNK_LEN (1u << OP_CHUNK_SHIFT)
#define OP_CHUNKS_MIN 16u
#define OP_LIVE_DEFAULT (1u << 24)
#define OP_SLOTS_MAX (UINT32_MAX - OP_CHUNK_LEN) /* a whole number of chunks counts in 32 bits */
#define OP_GENERATION_MAX UINT32_MAX

typedef enum {
  REC_FREE, /* in the free list, retired, or not used yet */
  REC_OPERATION,
  REC_TIMER,
  REC_WALL,
} op_rec_kind;

/* Where the handler of an operation is; apart from whether it is settled. */
typedef enum {
  RUN_NONE,      /* has ended, or will never start */
  RUN_WAITING,   /* in the queue of gate number `places` */
  RUN_STARTING,  /* has its places; START is queued */
  RUN_ACTIVE,    /* has its places; START was taken */
  RUN_DELAYED,   /* between two attempts, without places; `due` is the end of the delay */
  RUN_GATHERING, /* has its places; in the batch of its kind, which has not started */
  RUN_FOLLOWING, /* another's handler; among the followers of its flight */
} op_run;

/* The gates on the way to a handler, in order. */
enum { GATE_SCOPE, GATE_KIND, GATE_TABLE, GATES };

enum {
  EVENT_START = 1,
  EVENT_SETTLED = 2,
  EVENT_STOP = 4,
  EVENT_FIRED = 8, /* of a timer or a wall */
};

typedef struct op_rec op_rec;

typedef struct op_list {
  op_rec *first, *last;
} op_list;

/* Places for handlers, and who waits for one. Between two calls nothing waits at
 * a gate that has a free place. */
typedef struct op_gate {
  uint32_t max; /* 0: no bound, nothing ever waits */
  uint32_t used;
  uint32_t waiting; /* in all queues */
  uint32_t picks;   /* places given to one that waited */
  op_list queues[OP_PRIORITIES];
} op_gate;

/* What can be found by key: flights, and answers that are kept. */
typedef struct op_keyed op_keyed;
struct op_keyed {
  op_keyed *next; /* in its place of the set */
  uint64_t hash;
  size_t key_len;
  const uint8_t *key; /* in the same block */
};

typedef struct op_set {
  op_keyed **places; /* 2^bits, or NULL while there are none */
  unsigned bits;
  uint32_t count;
} op_set;

/* A handler that works for equal operations; also where a kind shares no handlers
 * but keeps answers: then it only holds the key. */
typedef struct op_flight {
  op_keyed keyed; /* must stay first; in the set if the kind shares handlers */
  op_rec *leader;
  op_list followers;              /* by queue links, in the order they came */
  uint32_t levels[OP_PRIORITIES]; /* followers of each priority */
} op_flight;

typedef struct op_kept op_kept;
struct op_kept {
  op_keyed keyed; /* must stay first */
  op_kept *older, *newer;
  uint64_t until_ns;
  op_state state;
  size_t len;
  const uint8_t *bytes; /* in the same block */
};

struct op_rec {
  /* Must stay first: the heap hands out pointers to it. Of operations: the
   * deadline, or an earlier time at which the table has to do with it. */
  deadline due;
  uint32_t slot;
  uint32_t generation; /* from 1; of the id this record has now, or will have next */
  uint8_t kind;        /* op_rec_kind */
  uint8_t state;       /* op_state; operations only */
  uint8_t run;         /* op_run; operations only */
  uint8_t events;      /* EVENT_ bits still to be taken; not 0: on the event queue */
  uint8_t priority;    /* its own, which bounds what is nested in it */
  uint8_t level;       /* the queue it waits in: higher when one of its followers is */
  uint8_t places;      /* gates passed, in order: the places it holds */
  uint16_t attempts;
  uint32_t batch; /* that it was started with last; 0: none */
  op_scope *scope;
  op_kind *of;       /* NULL: none */
  op_flight *flight; /* that it leads or follows; NULL: none; live operations only */
  const char *name;
  uint64_t tag;
  void *user;
  uint64_t created_ns;
  uint64_t deadline_ns;             /* effective; operations only */
  uint64_t attempt_ns;              /* RUN_ACTIVE: when it began; before a further attempt: how long
                                       the last one took */
  op_rec *parent;                   /* live operations; settled ones are out of the tree */
  op_rec *child_first, *child_last; /* in creation order, then those that moved up */
  op_rec *sibling_prev, *sibling_next;
  op_rec *list_prev, *list_next; /* the scope's operations or timers; the free list */
  op_rec *queue_prev, *queue_next;
};

struct op_kind {
  op_table *table;
  const char *name;
  op_policy policy;
  op_gate gate;
  uint32_t queued; /* operations of the kind in the queue of any gate */
  op_list batch;   /* that gathers */
  uint32_t batch_count;
  uint64_t batch_due; /* of the batch, if there is a window */
  uint64_t seed;
  op_set flights, answers;
  op_kept *oldest, *newest; /* by their last use */
  size_t answer_bytes;
  uint64_t records; /* that point here; a closed kind goes with the last */
  bool closed;
  bool freed; /* on the table's list of kinds whose places came free */
  op_kind *freed_next;
  op_kind *open_prev, *open_next; /* kinds with a batch that ends with the turn */
  op_kind *prev, *next;           /* all kinds of the table */
};

struct op_scope {
  op_table *table;
  op_scope *prev, *next; /* all scopes of the table */
  void *user;
  op_scope_limits limits;
  op_counts counts;
  op_list operations; /* live, in creation order */
  op_list timers;     /* live, in creation order */
  op_gate gate;
  op_rec *wall;     /* NULL once closed */
  uint64_t events;  /* records of this scope on the event queue */
  uint64_t records; /* that point here; a released scope goes with the last */
  bool closed, released;
  op_clock clock;
  uint64_t clock_since;
  uint64_t clock_ns[OP_CLOCK_STOPPED];
};

struct op_table {
  const vow_allocator *allocator;
  op_rec **chunks;
  uint32_t chunk_count;
  uint32_t chunks_max; /* length of `chunks` */
  uint32_t slots_used; /* slots below were handed out at least once */
  uint32_t in_use;     /* records of operations and timers */
  uint32_t live_max;
  op_rec *free_first;
  uint64_t now; /* the latest seen; an earlier one counts as this */
  uint64_t next_seq;
  deadline_heap heap;
  op_list events;
  op_scope *scopes;
  op_kind *kinds;
  op_gate gate;
  uint32_t queue_max;
  op_waits *waits; /* NULL: nobody is told */
  void *waits_user;
  op_kind *open_first, *open_last;   /* kinds with a batch that ends with the turn */
  uint32_t batches;                  /* the number of the last one */
  uint32_t batch_taken;              /* of the START taken last */
  op_kind *freed_first, *freed_last; /* kinds of which a place came free in this call */
  op_counts counts;
};

/* ---- time ---- */

static inline uint64_t op_time_add(uint64_t now, uint64_t delay) {
  return delay > OP_NEVER - now ? OP_NEVER : now + delay;
}

static inline uint64_t op_time_since(uint64_t then, uint64_t now) {
  return now > then ? now - then : 0;
}

static inline uint64_t op_time_seen(op_table *table, uint64_t now) {
  if (now > table->now)
    table->now = now;
  return table->now;
}

/* ---- lists, by list_ and by queue_ links ---- */

static inline void op_list_append(op_list *list, op_rec *rec) {
  rec->list_prev = list->last;
  rec->list_next = NULL;
  *(list->last ? &list->last->list_next : &list->first) = rec;
  list->last = rec;
}

static inline void op_list_remove(op_list *list, op_rec *rec) {
  *(rec->list_prev ? &rec->list_prev->list_next : &list->first) = rec->list_next;
  *(rec->list_next ? &rec->list_next->list_prev : &list->last) = rec->list_prev;
  rec->list_prev = rec->list_next = NULL;
}

static inline void op_queue_append(op_list *list, op_rec *rec) {
  rec->queue_prev = list->last;
  rec->queue_next = NULL;
  *(list->last ? &list->last->queue_next : &list->first) = rec;
  list->last = rec;
}

static inline void op_queue_remove(op_list *list, op_rec *rec) {
  *(rec->queue_prev ? &rec->queue_prev->queue_next : &list->first) = rec->queue_next;
  *(rec->queue_next ? &rec->queue_next->queue_prev : &list->last) = rec->queue_prev;
  rec->queue_prev = rec->queue_next = NULL;
}

/* ---- records (op_table.c) ---- */

static inline op_rec *op_slot(const op_table *table, uint32_t slot) {
  return &table->chunks[slot >> OP_CHUNK_SHIFT][slot & (OP_CHUNK_LEN - 1)];
}

static inline op_id op_rec_id(const op_rec *rec) {
  return (op_id)rec->generation << 32 | rec->slot;
}

/* A blank record of `scope`, out of every list, with its sequence number; NULL
 * when memory is short. */
op_rec *op_rec_new(op_scope *scope, op_rec_kind kind, uint64_t now);
/* The record must be out of every list; may free its scope, if that was released. */
void op_rec_free(op_rec *rec);
/* NULL when the id names no record of that kind any more. */
op_rec *op_rec_find(const op_table *table, op_id id, op_rec_kind kind);
/* The deadline, before or instead of adding to the heap what never comes due. */
void op_rec_set_due(op_rec *rec, uint64_t at);

/* ---- events (op_event.c) ---- */

/* Adds EVENT_ bits; the record joins the end of the queue unless it is there. */
void op_event_raise(op_rec *rec, unsigned events);
/* Takes EVENT_ bits back; with the last one the record leaves the queue. */
void op_event_withdraw(op_rec *rec, unsigned events);

/* ---- operations (op.c) ---- */

static inline bool op_is_live(const op_rec *rec) {
  return rec->state == OP_PENDING || rec->state == OP_RUNNING;
}

/* Settles as cancelled every live operation of the scope, oldest first; starts
 * none of those that wait. With or without SETTLED events. */
void op_cancel_scope(op_scope *scope, bool tell);
/* Frees the record when it is settled and neither handler nor event needs it. */
void op_reap(op_rec *rec);
/* Frees the places of a handler that ended, and withdraws the wish to stop it. */
void op_end_handler(op_rec *rec);
void op_timer_drop(op_rec *rec);

/* ---- scopes (op_scope.c) ---- */

void op_scope_free(op_scope *scope);

/* ---- places (op_gate.c) ---- */

/* Whether a new operation could not start at once. */
bool op_would_wait(const op_scope *scope, const op_kind *kind);
/* Raises the level of an operation, which may wait in a queue: there it goes behind
 * those of that level. */
void op_raise_level(op_rec *rec, uint8_t level);
/* Sends an operation without places, in no queue, on its way to its handler. */
void op_admit(op_rec *rec);
/* The same for one that was created before: tells when it has to wait. */
void op_admit_again(op_rec *rec);
/* Takes the operation out of the queue it waits in, and its places from it. The
 * caller then dispatches. */
void op_leave_gates(op_rec *rec);
/* Gives the places that came free in this call to those that wait; `scope` is
 * the one of which some may have. */
void op_dispatch(op_scope *scope);

/* ---- batches (op_batch.c) ---- */

/* The operation has its places. May start the batch. */
void op_gather(op_rec *rec);
/* It does not start with the batch. */
void op_batch_leave(op_rec *rec);
void op_batch_start(op_kind *kind);
/* No event is left: starts the batches that have no window. */
void op_batch_end_turn(op_table *table);

/* ---- retries (op_retry.c) ---- */

/* From when on an operation that waits for a place is too late: its deadline, for a
 * further attempt less what the last one took. */
static inline uint64_t op_latest_start(const op_rec *rec) {
  if (rec->attempts == 0 || rec->deadline_ns == OP_NEVER)
    return rec->deadline_ns;
  return rec->deadline_ns - rec->attempt_ns;
}

/* The delay is over: the next attempt. */
void op_retry_now(op_rec *rec);

/* ---- what is found by key (op_keyed.c) ---- */

uint64_t op_key_hash(const void *key, size_t len, uint64_t seed);
op_keyed *op_set_find(const op_set *set, const void *key, size_t len, uint64_t hash);
/* False when memory is short; only the first one can fail. */
bool op_set_add(op_set *set, op_keyed *keyed, const vow_allocator *allocator);
void op_set_remove(op_set *set, op_keyed *keyed);
void op_set_free(op_set *set, const vow_allocator *allocator);

/* ---- answers that are kept (op_cache.c) ---- */

bool op_kind_keeps(const op_kind *kind);
/* The answer that serves at `now`, the newest used from now on; NULL: none. */
const op_kept *op_cache_find(op_kind *kind, const void *key, size_t len, uint64_t hash,
                             uint64_t now);
void op_cache_free(op_kind *kind);

/* ---- handlers that are shared (op_flight.c) ---- */

/* The flight that an operation with this key, nested in `parent` (may be NULL),
 * follows; NULL: none. `*own` is false when it may lead none either. */
op_flight *op_flight_find(const op_kind *kind, const op_spec *spec, uint64_t hash,
                          const op_rec *parent, bool *own);
/* A flight without a leader; NULL when memory is short. */
op_flight *op_flight_open(op_kind *kind, const op_spec *spec, uint64_t hash);
void op_flight_free(op_kind *kind, op_flight *flight);
void op_flight_lead(op_flight *flight, op_rec *rec);
void op_flight_follow(op_flight *flight, op_rec *rec);
/* For an operation that is being settled: if it led, the first follower does. */
void op_flight_leave(op_rec *rec);

/* ---- kinds (op_kind.c) ---- */

/* One record less points to the kind. */
void op_kind_unref(op_kind *kind);

/* ---- checking ---- */

#if defined(VOW_OP_CHECK) && !defined(NDEBUG)
#define OP_CHECK(table) assert(op_table_check(table))
#else
#define OP_CHECK(table) ((void)0)
#endif

#endif
