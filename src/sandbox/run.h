/* One run of an untrusted script, from source to report.
 *
 *   open --> running <--> waiting --> finished --> disposed
 *
 * A run is opened on a shard, lives through turns of the loop, and finishes
 * exactly once, with a report, by whichever comes first: its value is settled
 * and nothing is live any more, a limit, a proven deadlock, a cancel. When its
 * value is settled, host operations still live are awaited up to the wall limit
 * and then cancelled; the outcome stays the value. All calls: loop thread. */
#ifndef VOW_SANDBOX_RUN_H
#define VOW_SANDBOX_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"
#include "core/op.h"
#include "sandbox/host.h"
#include "sandbox/shard.h"

typedef struct run run;
typedef struct run_template run_template;

typedef struct run_limits {
  uint64_t cpu_ms;         /* guest time */
  uint64_t wall_ms;        /* from open to finish */
  uint64_t op_timeout_ms;  /* each operation; timers have none */
  uint64_t memory_bytes;   /* guest memory and payloads on their way */
  uint64_t stack_bytes;    /* JavaScript stack */
  uint64_t result_bytes;   /* of the value as JSON; more than 64 MiB counts as that */
  uint64_t log_bytes;      /* console output */
  uint64_t operations_max; /* created in the whole run */
  uint32_t concurrent_max; /* running at once; more wait */
  uint32_t queue_max;      /* waiting; one more is rejected, the run goes on */
  uint64_t retries_max;    /* attempts after the first, of all its operations */
} run_limits;

/* What the limits are called where they are set, for messages. */
typedef struct run_limit_names {
  const char *cpu, *wall, *memory, *result, *log, *operations;
} run_limit_names;

/* The defaults of `vow eval`. */
extern const run_limits run_limits_default;
#define RUN_TIMERS_MAX 1000u /* of what is no program */
#define RUN_MEMORY_MIN (8u << 20)
#define RUN_PENDING_LISTED 100u

typedef enum { RUN_VALUE, RUN_ERROR, RUN_LIMIT, RUN_CANCELLED } run_outcome;

/* Kinds of what ended a run that has no value; the order is by outcome. */
typedef enum {
  RUN_KIND_NONE,
  RUN_KIND_SCRIPT,
  RUN_KIND_API,
  RUN_KIND_DENIED,
  RUN_KIND_DEADLOCK,
  RUN_KIND_INTERNAL,
  RUN_KIND_CPU,
  RUN_KIND_TIMEOUT,
  RUN_KIND_MEMORY,
  RUN_KIND_STACK,
  RUN_KIND_OPERATIONS,
  RUN_KIND_RESULT,
  RUN_KIND_OUTPUT,
  RUN_KIND_CANCELLED,
} run_kind;

const char *run_kind_text(run_kind kind);
const char *run_outcome_text(run_outcome outcome);

/* What a run came to. Strings are UTF-8, zero-terminated, NULL when absent. */
typedef struct run_report {
  run_outcome outcome;
  const char *value;   /* JSON, one line; with RUN_VALUE */
  uint8_t exit_status; /* what a program asked to end with; 0 */
  struct {
    run_kind kind;
    const char *name, *message, *stack;
    const char *shown;     /* all of it, as the console shows it; of a program */
    bool rejected;         /* it came as a rejection that nobody handled */
    uint64_t operation_id; /* 0: no operation is behind it */
    const char *operation_name;
    uint32_t operation_attempts;
  } error;
  op_counts operations;
  uint64_t wall_ns, guest_ns, host_wait_ns, ready_ns;
  uint64_t memory_peak, memory_limit;
  const op_info
      *pending; /* what was live at the end, oldest first; `tag` is the number in the run */
  const char *const *pending_details; /* what each is about, or NULL; the list may be NULL */
  size_t pending_count;
  bool debug;            /* leaks were looked for */
  const run_leak *leaks; /* what was live at the end, and timers dropped with the value */
  size_t leaks_count;    /* at most RUN_PENDING_LISTED */
} run_report;

/* What became of an audit that the run was told to. */
typedef struct run_report_audit {
  uint64_t lines;   /* in the chain, up to the last one that was written */
  const char *last; /* the hash of that one */
  uint64_t dropped; /* events that were not written */
} run_report_audit;

/* The report as one JSON object (docs/command-line.md) on one line, without a
 * newline; free with mem_free and `allocator`. `audit`: NULL, there was none. NULL
 * when memory is short. */
char *run_report_json(const run_report *report, const run_report_audit *audit,
                      const vow_allocator *allocator);

/* What happens to an operation, as it happens. */
typedef enum {
  RUN_EVENT_CREATED,
  RUN_EVENT_QUEUED,    /* it waits for a place among the running ones; for each attempt anew */
  RUN_EVENT_STARTED,   /* its handler begins */
  RUN_EVENT_RETRIED,   /* an attempt failed, another one follows */
  RUN_EVENT_CACHE_HIT, /* an earlier answer serves; SETTLED follows */
  RUN_EVENT_SETTLED,   /* `state` says how */
  RUN_EVENT_LATE,      /* an answer came after the settlement and was dropped */
  RUN_EVENTS,
} run_event_kind;

typedef struct run_event {
  run_event_kind kind;
  op_state state;
  uint64_t number;           /* of the operation in its run, from 1 */
  uint64_t parent;           /* of the one that it is nested in; 0: none */
  const char *name, *detail; /* "fetch", "api.example.com"; no detail: NULL */
  const char *error;         /* SETTLED as rejected: "NotFoundError"; else NULL */
  uint32_t attempt;          /* how often its handler has been started */
  uint64_t at_ns, age_ns;    /* since the run was opened, since the operation was created */
} run_event;

/* A program: trusted code that runs until nothing of it is pending, on a native
 * engine with engine_set_trust(). It has no value, and timers hold it. The first
 * exception or rejection that nobody handled ends it, and so does process.exit(), with
 * outcome RUN_VALUE. Its output comes as it is written, see on_log. */
typedef struct run_program {
  const char *const *arguments; /* process.argv */
  size_t arguments_count;
  const char *const *environment; /* process.env: "NAME=value", NULL at the end */
  const char *folder;             /* process.cwd() */
  uint64_t pid;
} run_program;

/* What came of one invocation of a library's function. All of it is valid in the callback,
 * up to run_invoke(). */
typedef struct run_answer {
  enum {
    RUN_ANSWER_VALUE,
    RUN_ANSWER_THROWN,
    RUN_ANSWER_MISSING, /* there is no such function */
  } kind;
  cbor_in value;                      /* VALUE: one item, checked; the bytes up to its end */
  run_kind thrown;                    /* THROWN: also STACK, RESULT or MEMORY */
  const char *name, *message, *stack; /* THROWN: UTF-8, NULL when absent */
  bool exists;                        /* MISSING: something of that name, which is no function */
  cbor_in functions;                  /* MISSING: texts, the names of those there are */
} run_answer;

/* A library: its source is executed, and then what it has is called, one call at a time.
 * The run has no value: it goes on until it is disposed, or fails. */
typedef struct run_library {
  /* The source was executed: run_invoke() may follow, from here on. */
  void (*on_loaded)(run *run, void *user);
  /* No job is left of what was invoked; operations and timers may be. run_invoke() and
   * run_dispose() may be called. What ends the run instead, such as a deadlock, is told by
   * on_done. */
  void (*on_answer)(run *run, const run_answer *answer, void *user);
} run_library;

/* Who is told of answers that come when their run has finished, which on_event never
 * is. `user` is that of the run: hold() says that it must stay, release() that it need
 * not any more; both NULL: it stays until the shard is closed. */
typedef struct run_late {
  void (*tell)(void *user, const run_event *event);
  void (*hold)(void *user);
  void (*release)(void *user);
} run_late;

typedef struct run_options {
  const run_template *template; /* borrowed until disposal; its name, source, module and kinds
                                   are the run's then. NULL: none */
  const char *name;             /* file name for traces; needed up to the return of run_open() */
  const char *source;           /* need not be terminated; likewise */
  size_t source_len;
  bool module;                 /* the name says so; else found out */
  const char *context;         /* JSON text; NULL = {}; likewise */
  const uint8_t *context_cbor; /* in its place: one item, checked; likewise. NULL: none */
  size_t context_cbor_len;
  const host_kind *kinds; /* what is allowed; copied, but for what it points to */
  size_t kinds_count;
  run_limits limits;
  const run_program *program; /* NULL: it is none; needed up to the return of run_open() */
  const run_library *library; /* NULL: it is none; borrowed up to disposal */
  const atomic_bool *stop; /* natively, script stops when it is set, by any thread, and the run is
                              cancelled then, if it does not wait; borrowed likewise; NULL: none */
  uint8_t priority;        /* the highest its operations may have; 0 */
  const run_limit_names *limit_names; /* borrowed up to disposal; NULL: the command line's */
  /* Console output, as it comes: level 0 debug, 1 log, 2 warn, 3 error; of a program
   * also WIRE_LEVEL_OUT and _ERR, for its standard output and error as they are. NULL:
   * dropped. May be called in the middle of a turn: it must not call the run. */
  void (*on_log)(void *user, int level, const char *text, size_t len);
  /* Operations as they go, all of them settled before on_done; NULL: not told. May
   * be called in run_dispose() of a run that has not finished. As on_log, it must
   * not call the run. */
  void (*on_event)(void *user, const run_event *event);
  const run_late *late; /* borrowed until shard_close(); NULL: nobody */
  bool debug;           /* note where each operation was created: costs time for each call */
  /* The run has finished. The report is valid until run_dispose(), which may be
   * called here. */
  void (*on_done)(run *run, const run_report *report, void *user);
  void *user;
} run_options;

/* The body of WIRE_START or WIRE_LOAD (guest/wire.h) for a guest with these options;
 * `loaded`: it has source and kinds already. */
void run_put_start(const uint8_t seeds[12], const run_options *options, bool loaded, cbor_out *out);

/* A script that many runs execute, with its operations defined and its source
 * compiled once: each run starts from a copy of that. Nothing of the script is
 * executed for it, so runs share no state. Takes name, source, module, kinds and
 * limits of `options`. A source that does not compile within them, and the native
 * engine, make no copy: then each run compiles, and reports what is wrong. NULL
 * when memory is short. */
run_template *run_template_open(shard *shard, const run_options *options);
/* Its runs must be disposed; NULL is fine. */
void run_template_close(run_template *template);

/* Opens a run; its first turn comes with shard_turn(). One whose script and
 * context do not fit into its memory is opened and ends with that limit. NULL when
 * the machine is short of memory or address space. */
run *run_open(shard *shard, const run_options *options);
/* Ends the run now, outcome cancelled, unless it has finished. on_done is called
 * before this returns. */
void run_cancel(run *run);
/* Of a library that is loaded and answered what was invoked before: calls the function of
 * that name with `argument`, one CBOR item, checked; `argument` NULL: looks whether there is
 * one, for which the answer is an undefined value; `name` NULL: the value that the source
 * would have, were it no library. False when memory is short; then the run has failed. */
bool run_invoke(run *run, const char *name, const uint8_t *argument, size_t argument_len);
/* Nothing of it is live, no operation and no timer, and nothing is on its way to it. */
bool run_is_quiet(const run *run);
/* In a signal handler on the loop's thread: script of the run stops at its next poll,
 * and the run is cancelled when it does. One that waits goes on waiting: cancel it. */
void run_interrupt(run *run);
/* Frees the run at any moment. One that has not finished is ended first, without
 * on_done. The pointer is invalid afterwards. */
void run_dispose(run *run);

bool run_alive(const run *run); /* not finished */
op_counts run_counts(const run *run);
size_t run_pending(const run *run, op_info *list, size_t max);
/* What one of the listed is about; NULL: nothing is known. Valid until the next turn. */
const char *run_pending_detail(const run *run, const op_info *info);
/* Moves the wall limit to `ms` after the run was opened. */
void run_set_wall(run *run, uint64_t ms);

#endif
