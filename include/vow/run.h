/* Runs: one evaluation of a script, from source to report.
 *
 * All on the runtime's thread, where nothing else is said, as are all callbacks. A
 * run makes progress in the turns of its loop (vow/loop.h). */
#ifndef VOW_RUN_H
#define VOW_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vow/operation.h"
#include "vow/runtime.h"
#include "vow/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_script vow_script;

typedef enum vow_outcome { VOW_VALUE, VOW_ERROR, VOW_LIMIT, VOW_CANCELLED } vow_outcome;

typedef enum vow_event_kind {
  VOW_EVENT_CREATED,
  VOW_EVENT_QUEUED,    /* waits for a place among the running ones; for each attempt anew */
  VOW_EVENT_STARTED,   /* its handler begins */
  VOW_EVENT_RETRIED,   /* an attempt failed, another one follows */
  VOW_EVENT_CACHE_HIT, /* an earlier answer serves; SETTLED follows */
  VOW_EVENT_SETTLED,   /* `state` says how */
  VOW_EVENT_LATE       /* an answer came after the settlement and was dropped */
} vow_event_kind;

/* What happened to an operation, for a record of what a script did. */
typedef struct vow_event {
  size_t size; /* set by Vow */
  vow_event_kind kind;
  vow_state state;
  uint64_t number;    /* of the operation in its run, from 1 */
  const char *name;   /* valid in the callback */
  uint64_t at_ns;     /* since the run was opened */
  uint64_t age_ns;    /* since the operation was created */
  const char *detail; /* what it is about, as fetch's host; NULL: nothing is known */
  const char *error;  /* class of the error it was rejected with; else NULL */
  uint32_t attempt;   /* how often its handler has been started */
} vow_event;

typedef struct vow_pending {
  uint64_t number;
  const char *name; /* "timer" for timers; valid until the run is disposed */
  vow_state state;
  uint64_t age_ns;
  const char *detail; /* what it is about, as fetch's host; NULL: nothing is known. In a report
                         valid as long as that; from vow_run_pending() until the next turn */
} vow_pending;

/* What a run came to. Valid until it is disposed; texts are UTF-8, NULL when
 * absent. */
typedef struct vow_report {
  size_t size; /* set by Vow */
  vow_outcome outcome;
  const char *value; /* JSON on one line; with VOW_VALUE */
  const char *kind;  /* else: script, api, denied, deadlock, internal; cpu, timeout, memory, stack,
                        operations, result, output; cancelled */
  const char *error_name, *error_message, *error_stack;
  uint64_t error_operation; /* its number; 0: none is behind it */
  const char *error_operation_name;
  uint32_t error_operation_attempts; /* how often its handler was begun */
  uint64_t created, fulfilled, rejected, timed_out, cancelled, late; /* operations */
  uint64_t retries;                                                  /* attempts after the first */
  uint64_t cache_hits;                                /* answered by an earlier answer */
  uint64_t batched;                                   /* begun together with others */
  uint64_t concurrent_max;                            /* running at once */
  uint64_t wall_ns, guest_ns, host_wait_ns, ready_ns; /* wall is the sum of the others */
  uint64_t memory_peak_bytes, memory_limit_bytes;
  const vow_pending *pending; /* what was live at the end, the oldest 100 */
  size_t pending_count;
  const vow_leak *leaks; /* with `debug`: what was not done when it ended, the oldest 100 */
  size_t leaks_count;
  /* The runtime's audit when the run had ended: lines up to and with this run's last,
   * the hash of that one (NULL: there is no audit), and events that were lost. */
  uint64_t audit_lines;
  const char *audit_last;
  uint64_t audit_dropped;
} vow_report;

/* The run has finished. Called once for each run, in a turn of the loop or in
 * vow_run_cancel() or vow_runtime_close(); not for one that is disposed before. The
 * run may be disposed here. */
typedef void vow_done_callback(vow_run *run, const vow_report *report, void *user);

/* What is evaluated, and within which limits. All that it points to is only needed
 * until the call it is given to returns. */
typedef struct vow_request {
  size_t size;              /* sizeof(vow_request) */
  const vow_script *script; /* a script opened before: then name, source, module and allow are
                               its own, and those here must be zero */
  const char *name;         /* for traces; "script.js" */
  const char *source;       /* JavaScript, UTF-8 */
  size_t source_len;        /* 0: it is zero-terminated */
  bool module;              /* else found out: a top-level import or export makes a module */
  const char *context;      /* JSON; the script's frozen `context`; "{}" */
  /* What the script may call: a comma list of names and globs over the registered
   * and the built-in operations ("weather.get,notes.*"); NULL and "": nothing. */
  const char *allow;

  uint64_t cpu_ms;         /* time the script executes; 5000 */
  uint64_t wall_ms;        /* from vow_eval() to the end; 30000 */
  uint64_t op_timeout_ms;  /* each operation; 10000 */
  uint64_t memory_bytes;   /* of the script, values on their way to it included; 8 MiB to 2 GiB;
                              64 MiB */
  uint64_t stack_bytes;    /* JavaScript stack, 32 to 512 KiB; 192 KiB */
  uint64_t result_bytes;   /* the value as JSON, at most 64 MiB; 1 MiB */
  uint64_t log_bytes;      /* console output; 256 KiB */
  uint64_t operations_max; /* in the whole run, at most 1000000; 10000 */
  uint32_t concurrent_max; /* handlers at once, at most 65536; 64 */

  /* Callbacks; NULL: not told. `user` is the one given to vow_eval(). on_log and
   * on_event come in the middle of a turn: there vow_eval(), vow_script_open(),
   * vow_run_set_wall() and turns of the loop answer VOW_E_STATE, and cancelling or
   * disposing a run, or settling an operation, is done after the turn. */
  void (*on_log)(vow_run *run, int level, const char *text, size_t len,
                 void *user); /* console: 0 debug, 1 log, 2 warn, 3 error; not terminated */
  void (*on_event)(vow_run *run, const vow_event *event, void *user);
  void (*on_progress)(vow_run *run, uint64_t number, const char *name, const void *bytes,
                      size_t len, void *user);

  bool debug;         /* note where operations are created, for `leaks`: costs time for each */
  const char *tenant; /* on whose behalf it runs, for the audit; UTF-8 */
  /* The operation whose handler begins this run, held by the caller: the run has at
   * most its time, its calls have at most its priority, and when it is cancelled, or
   * the run it belongs to ends, so does this one, before that run's on_done. Of the
   * same runtime. */
  vow_op *parent;
  /* Operations that wait for a place, at most 1000000; 10000. One more is rejected
   * (ApiError, code RUN_QUEUE_FULL, transient), and the script goes on. */
  uint32_t queue_max;
} vow_request;

/* Begins a run; `on_done` is called later, never before this returns. `*run` is the
 * caller's, to be given back with vow_run_dispose(). With `run` NULL it is disposed
 * by itself after on_done. `user` comes back in every callback.
 * VOW_E_INVALID (a limit out of range, no source), VOW_E_JSON (`context`),
 * VOW_E_UNKNOWN (an entry of `allow`), VOW_E_FULL (`runs_max`), VOW_E_NOMEM (also:
 * no address space for a sandbox), VOW_E_CANCELLED (nobody waits for `parent`),
 * VOW_E_STATE, VOW_E_THREAD. */
vow_status vow_eval(vow_runtime *runtime, const vow_request *request, vow_done_callback *on_done,
                    void *user, vow_run **run);

/* Ends the run now, outcome cancelled, unless it has finished: its operations are
 * cancelled, and on_done is called before this returns. VOW_OK also when it had
 * finished; VOW_E_THREAD. */
vow_status vow_run_cancel(vow_run *run);

/* Moves the limit on the run's time to `wall_ms` after vow_eval(), 1 or more.
 * VOW_E_INVALID, VOW_E_STATE (it has finished), VOW_E_THREAD. */
vow_status vow_run_set_wall(vow_run *run, uint64_t wall_ms);

/* Gives the run back, at any moment; one that has not finished is ended without
 * on_done. NULL is fine. VOW_E_THREAD. */
vow_status vow_run_dispose(vow_run *run);

/* Not finished. Any thread; also of a run that is disposed, for whoever holds an
 * operation of it. */
bool vow_run_alive(const vow_run *run);
/* The `user` of vow_eval(): which script is it that calls? Any thread, likewise. */
void *vow_run_user(const vow_run *run);
/* What it waits for, oldest first: writes up to `max` entries, returns how many
 * there are. 0 on another thread, and when memory is short. */
size_t vow_run_pending(const vow_run *run, vow_pending *list, size_t max);
/* NULL while it is alive, when it is disposed, and on another thread. */
const vow_report *vow_run_report(const vow_run *run);
/* The report as one JSON object on one line (docs/command-line.md). The text is the
 * run's, valid until it is disposed. VOW_E_STATE while it is alive; VOW_E_NOMEM,
 * VOW_E_THREAD. */
vow_status vow_run_report_json(vow_run *run, const char **json);

/* ---- scripts that are run many times ---- */

/* Loads a script once, for any number of runs, each of which starts from a copy:
 * its source is compiled and its operations are defined. Nothing of it is executed,
 * so runs share no state. Takes name, source, module, allow, cpu_ms, memory_bytes
 * and stack_bytes of the request. A source that does not compile is no error here:
 * its runs say what is wrong. As vow_eval() otherwise. */
vow_status vow_script_open(vow_runtime *runtime, const vow_request *request, vow_script **script);
/* Runs that were begun with it go on. NULL is fine. VOW_E_THREAD. */
vow_status vow_script_close(vow_script *script);

#ifdef __cplusplus
}
#endif
#endif
