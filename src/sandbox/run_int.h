/* Shared by the files of this folder only. */
#ifndef VOW_SANDBOX_RUN_INT_H
#define VOW_SANDBOX_RUN_INT_H

#include <signal.h>

#include "core/cbor.h"
#include "sandbox/host.h"
#include "sandbox/run.h"
#include "sandbox/shard.h"

typedef enum {
  RUN_READY,    /* in the shard's queue: a turn to begin or to go on with */
  RUN_WAITING,  /* for an operation or a timer */
  RUN_FINISHED, /* reported; to be disposed */
} run_state;

typedef enum {
  RUN_LIBRARY_NONE,
  RUN_LIBRARY_BUSY,     /* its source is executed, or something of it was invoked */
  RUN_LIBRARY_ANSWERED, /* it has said so: the answer is told when no job is left */
  RUN_LIBRARY_RESTING,  /* it may be invoked */
} run_library_state;

/* A message waiting for the run's next turn. */
typedef struct run_message {
  struct run_message *next;
  wire_header header;
  uint8_t body[];
} run_message;

typedef struct run_timer {
  uint64_t wire_id;
  op_id id;
  char *site; /* where script started it, with `debug`; else NULL */
  bool live;  /* the place is taken */
} run_timer;

/* What a run may call, shared by the run, its template and its calls: a handler
 * that is slower than its run still has its kind. */
typedef struct run_kinds {
  size_t holders;
  host_kind list[];
} run_kinds;

/* One host call, from the guest's message to the end of its handler. It outlives
 * its run when the handler is slower than the run's end. It is freed when its
 * handler has ended or will never start, and no event that names it waits in the
 * operation table: either may come last. */
struct host_call {
  shard *shard;
  run *run; /* NULL once the run has finished */
  const host_kind *kind;
  run_kinds *kinds; /* held: `kind` is one of them */
  op_id id;
  uint64_t wire_id;
  uint64_t number; /* in the run, from 1: what people see */
  bool started;    /* the handler has the call and will answer */
  bool ended;      /* it has answered */
  bool told;       /* no event of a settlement is to come (any more) */
  bool orphan;     /* in the shard's list of those */
  bool answered;   /* the guest needs no answer any more */
  uint8_t priority;
  uint32_t attempts;
  uint64_t created_ns;
  char *site;   /* where script made the call, with `debug`; else NULL */
  char *detail; /* by the handler; NULL: none */
  void *data;
  /* Once the run has finished: who hears of an answer, and when the run was opened. */
  const run_late *late;
  void *late_user; /* held */
  uint64_t late_opened_ns;
  host_call *next, *previous; /* in the run's list while `run`, or in the shard's */
  host_call *next_in_place;   /* in its index, likewise, unless nested */
  bool is_nested;             /* made by a guest of the handler of `parent` */
  uint64_t parent_number;     /* 0: it is not nested */
  host_call *parent;          /* NULL once its handler has ended */
  host_call *nested;          /* first of those made for this one */
  host_call *next_nested, *previous_nested;
  size_t held; /* bytes the handler holds for the answer */
  size_t arguments_len;
  uint8_t arguments[];
};

/* A run's calls by the guest's id: 2^bits places, each a list. */
typedef struct call_index {
  host_call **places; /* `one` before there are many */
  host_call *one;
  unsigned bits;
  uint64_t multiplier;
} call_index;

/* What ended the run, or will at the next look: kept until the report is made.
 * The strings are owned by `text`. */
typedef struct run_failure {
  run_kind kind;
  char *name, *message, *stack, *shown, *operation_name;
  bool rejected;
  uint64_t operation_id;
  uint32_t operation_attempts;
} run_failure;

struct run {
  shard *shard;
  engine_instance *instance; /* NULL once finished */
  op_scope *scope;           /* NULL once finished */
  run_options options;
  run_kinds *kinds; /* held; options.kinds is its list */
  run_state state;
  /* Places in lists of the shard; queue and idle_list: NULL when in none. */
  struct run_queue *queue;
  run *next_ready, *previous_ready;
  run **idle_list, *next_idle, *previous_idle;

  bool in_turn;              /* preempted in the middle of a turn */
  bool settled;              /* the guest has said its value or error */
  bool finishing;            /* WIRE_FINISH was sent */
  bool asked_stuck;          /* WIRE_STUCK was sent: the run is a proven deadlock */
  bool program;              /* as in options, of which that is gone */
  bool exited;               /* by process.exit() */
  run_library_state library; /* RUN_LIBRARY_NONE: it is none */
  wire_header answered;      /* of a library, with RUN_LIBRARY_ANSWERED: its answer */
  uint8_t *answer;
  volatile sig_atomic_t interrupted;
  bool wall_passed; /* the wall limit came in the middle of a turn */
  unsigned busy;    /* callbacks of ours going on; disposal waits for them */
  bool disposed;

  run_message *first, *last; /* to the guest */
  host_call *calls;          /* live or with a running handler */
  size_t calls_linked;
  call_index index;
  run_timer *timers;
  uint32_t timer_count, timer_room;

  uint64_t opened_ns;
  uint64_t log_bytes, calls_made;
  size_t payload_bytes; /* arguments and results held here for the guest */
  size_t memory_peak;

  run_failure failure; /* RUN_KIND_NONE: none so far */
  char *value;         /* JSON */
  char *stuck;         /* where a deadlock is, as a trace; NULL: not known */
  run_report report;
  op_info *pending;
  char **pending_details;
  run_leak *leaks; /* RUN_PENDING_LISTED of them, or NULL */
};

/* ---- shard.c ---- */

const vow_allocator *shard_allocator(const shard *shard);
/* 12 bytes of the system's randomness. */
void shard_seeds(shard *shard, uint8_t seeds[12]);
uint64_t shard_random(shard *shard);
void shard_make_ready(shard *shard, run *run);
/* The run waits; its stack is given back when the shard has nothing to do. */
void shard_note_idle(shard *shard, run *run);
void shard_forget_run(shard *shard, run *run);
void shard_handler_began(shard *shard);
/* Called when a handler ended: its call's operation is done. */
void shard_handler_ended(shard *shard);
/* The head of the list of calls whose run has finished. */
host_call **shard_orphans(shard *shard);
/* Handles events of the operation table until there is none. */
void shard_dispatch(shard *shard);

/* ---- run.c ---- */

/* One slice of the guest; called by the shard. */
void run_slice(run *run);
/* Decides what a run does next that has no turn going on. */
void run_advance(run *run);
void run_finish(run *run);
/* Puts the run into the shard's queue; if it waited, it is ready from now on. */
void run_wake(run *run);
/* Notes what ends the run; the first one counts. Strings may be NULL, are copied. */
void run_fail(run *run, run_kind kind, const char *message);
/* A limit was hit: `format` takes its name. */
__attribute__((format(printf, 3, 4))) void run_fail_limit(run *run, run_kind kind,
                                                          const char *format, ...);
const run_limit_names *run_names(const run *run);
/* The machine or the host is short of something: no limit of this run was hit. */
void run_fail_for_memory(run *run);
void run_fail_for_places(run *run);
void run_on_wall(run *run);
void run_free_if_disposed(run *run);
uint64_t run_now(void);
/* Absolute; OP_NEVER: none. */
uint64_t run_wall_deadline(const run *run);

/* Limits are the embedder's: any number is one. */
static inline uint64_t run_ns(uint64_t ms) {
  return ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
}

/* ---- run_template.c ---- */

struct run_template {
  shard *shard;
  run_options options;     /* name and source are its own */
  run_kinds *kinds;        /* held; options.kinds is its list */
  engine_template *loaded; /* NULL: runs compile the source themselves */
};

/* What a run with these options starts from; NULL: a plain guest. */
engine_template *run_template_loaded(const run_options *options);
/* Sets what the template decides. */
void run_template_apply(const run_template *template, run_options *options);
/* A copy of what `options` allows, held once; NULL when memory is short. */
run_kinds *run_kinds_open(const vow_allocator *allocator, const run_options *options);
run_kinds *run_kinds_hold(run_kinds *kinds);
void run_kinds_release(const vow_allocator *allocator, run_kinds *kinds);

/* ---- run_messages.c ---- */

#define RUN_START_BYTES_MAX (64u << 20)
/* Queues the first message. If script and context do not fit into the run's
 * memory it has failed with that, and is ready to say so. False when the host is
 * short of memory. */
bool run_start_message(run *run);
/* Whether `more` bytes fit beside the guest's memory and the payloads held. */
bool run_has_room(const run *run, size_t more);
/* Queues one message for the guest; false when the host is short of memory or the
 * limit on payloads is passed: then the run has failed, and is ready to say so. */
bool run_send(run *run, uint32_t type, uint64_t id, const void *body, size_t len);
/* The same in a slice of the run, which looks at its messages at the end. */
bool run_put(run *run, uint32_t type, uint64_t id, const void *body, size_t len);
/* Writes queued messages into the inbox; their bytes, or 0 with a fault. */
size_t run_fill_inbox(run *run);
void run_drop_messages(run *run);
/* The engine's drain: everything the guest says. */
bool run_drain(void *user, const uint8_t *bytes, size_t len);
/* The kind, and a text, of a wire_error_field map; NULL: it is absent, or memory is short. */
run_kind run_error_kind(const cbor_in *map);
char *run_error_text(run *run, const cbor_in *map, const char *key);
/* WIRE_LOG and WIRE_CODE, whichever guest of the run says it. */
bool run_on_log(run *run, cbor_in *body);
bool run_on_code(run *run, const uint8_t *bytes, size_t len);

/* ---- run_timers.c ---- */

/* WIRE_TIMER_START; false when it is malformed, or with a failure noted. */
bool run_timer_start(run *run, uint64_t wire_id, cbor_in *body);
void run_timer_stop(run *run, uint64_t wire_id);
/* It has fired: the guest is told. */
void run_on_timer(run *run, uint64_t wire_id);
/* NULL: it is not live. Valid until the next change. */
const run_timer *run_timer_find(const run *run, uint64_t wire_id);
/* The scope has dropped them. */
void run_forget_timers(run *run);

/* ---- run_calls.c ---- */

/* `parent`: the call for whose handler a guest makes it; NULL: the run's guest. */
bool run_call(run *run, host_call *parent, const wire_header *header, cbor_in *body);
void run_call_cancel(run *run, uint64_t wire_id);
/* Begins the handlers of one batch. */
void run_calls_start(host_call **calls, size_t count);
void run_call_stop(host_call *call);
/* The operation was settled by deadline or cancel: tell the guest. */
void run_call_settled(host_call *call, op_state state);
/* The call, told of before, waits for a place. In the middle of a call of the
 * operation table. */
void run_call_waits(const host_call *call);
/* The run is going, its scope is still open: lets go of every call. */
void run_calls_detach(run *run, uint64_t now);
void run_index_init(run *run);
void run_index_free(run *run);
/* Whether answers of its kind serve equal calls, now or later. */
bool run_call_shares_answer(const host_call *call);
host_call *run_call_numbered(const run *run, uint64_t number);
void run_call_free(host_call *call);
/* Whether a SETTLED event for `call` waits to be taken. Only deadlines and
 * cancels raise one, and until it is taken the table keeps the operation. */
bool run_call_event_waits(const host_call *call, uint64_t now);
void run_call_tell(const host_call *call, run_event_kind kind, op_state state, uint64_t now);
/* SETTLED as rejected, with the error's name. */
void run_call_tell_rejected(const host_call *call, const host_error *error, uint64_t now);

/* ---- run_nested.c ---- */

void run_nested_link(host_call *call, host_call *parent);
/* Takes `call` out of its parent's list, and lets go of what is nested in it. */
void run_nested_unlink(host_call *call);
/* The answer goes to the handler of the call's parent, if that is still there. */
void run_nested_answer(host_call *call, uint32_t type, const void *body, size_t len);

/* ---- run_answers.c ---- */

typedef bool run_sender(run *run, uint32_t type, uint64_t id, const void *body, size_t len);
/* Tells the guest, unless it needs no answer any more. */
void run_answer_error(host_call *call, const host_error *error, run_sender *send);
/* An earlier answer settled the call in the slice that made it. */
void run_answer_kept(host_call *call, const op_answer *answer);

/* ---- leaks.c ---- */

/* With `debug`: lists what is live now as outliving the run. */
void run_note_leaks(run *run, bool timers_only, uint64_t now);
void run_free_leaks(run *run);
/* The call's run is gone, and its handler goes on; it has ended after all. */
void run_call_orphan(host_call *call);
void run_call_adopt(host_call *call);
void run_tell_orphans(shard *shard, void (*on_leak)(void *user, const run_leak *leak), void *user);

/* ---- run_program.c ---- */

/* WIRE_PROCESS for a program; false when memory is short. */
bool run_process_message(run *run);
/* WIRE_EXIT; false when it is malformed. */
bool run_on_exit(run *run, cbor_in *body);

/* ---- run_library.c ---- */

/* WIRE_LIBRARY; false when memory is short. */
bool run_library_message(run *run);
/* WIRE_LOADED, WIRE_RETURNED, WIRE_THROWN, WIRE_MISSING; false when that is malformed. */
bool run_on_answer(run *run, uint32_t type, const uint8_t *body, size_t len);
/* No job is left: tells the answer. May dispose the run. */
void run_tell_answer(run *run);
void run_forget_answer(run *run);

/* ---- report.c ---- */

void run_make_report(run *run, uint64_t now);

#endif
