/* Shared by the files of this folder, which make the public interface (include/vow)
 * of what lies left of it. Public functions are vow_x, those across files lib_x.
 *
 * Who holds what: the runtime owns runs, scripts and kinds, on its thread. An
 * operation is held by its users together (`users` counts them) and by its host
 * call; while an answer or progress of it is on its way, by that message. It holds
 * its run's record and the gate, so that it outlives the runtime. */
#ifndef VOW_VOW_INT_H
#define VOW_VOW_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/db.h"
#include "api/host.h"
#include "api/registry.h"
#include "core/sized.h"
#include "loop/loop.h"
#include "sandbox/recorder.h"
#include "sandbox/run.h"
#include "task/pool.h"
#include "vow/vow.h"

#define LIB_MESSAGE_MAX 512
#define LIB_NAME_MAX 63u
/* Answers and progress from other threads that the loop has not taken; a single one
 * may be as large. */
#define LIB_MAILBOX_BYTES (64u << 20)

/* ---- gate.c: the way from any thread to the runtime's, until that is closed ---- */

typedef struct lib_gate {
  const vow_allocator *allocator;
  pthread_t thread;         /* the runtime's */
  unsigned forks;           /* of the process, when it was opened */
  atomic_size_t holders;    /* the runtime, and its operations */
  pthread_mutex_t lock;     /* guards what follows, and in operations what says so. Taken before
                               the loop's own; no callback is called under it */
  loop *loop;               /* NULL: the runtime is closed, or about to be */
  size_t bytes;             /* in the mailbox */
  struct lib_done *dones;   /* completions of tasks that are to come */
  atomic_size_t done_count; /* as many; read without the lock */
  struct lib_trace *traces; /* of its operations, the newest first */
  uint64_t repeated, abandoned;
} lib_gate;

/* NULL when memory is short. */
lib_gate *lib_gate_open(const vow_allocator *allocator, loop *loop);
void lib_gate_hold(lib_gate *gate);
void lib_gate_drop(lib_gate *gate);
bool lib_gate_is_here(const lib_gate *gate); /* on the runtime's thread */
/* The runtime is another process's, from which this one was forked: its lock may not
 * be touched. */
bool lib_gate_is_lost(const lib_gate *gate);
/* Before a runtime is opened, and once it is closed. VOW_E_OPEN: there are some that
 * are lost in this way, and there must be none beside them; VOW_E_NOMEM. */
vow_status lib_process_enter(void);
void lib_process_leave(void);

/* ---- task.c ---- */

/* The runtime is closing: completions of tasks that have not come are called now. */
void lib_tasks_close(vow_runtime *runtime);

/* ---- operations ---- */

typedef struct lib_kind {
  struct lib_kind *next;
  vow_runtime *runtime;
  vow_handler *handler; /* or: */
  vow_batch_handler *batch;
  void *user;
  bool blocking;
  host_kind host; /* its name is ours */
} lib_kind;

typedef struct lib_answer {
  bool fulfilled, transient;
  uint8_t *bytes; /* the value; or the texts that the others point to; NULL: none */
  size_t len;
  const char *name, *code, *message; /* of an error */
} lib_answer;

/* Of an operation that is watched for leaks. */
typedef struct lib_trace {
  struct lib_trace *next, *previous; /* in the gate's list; under its lock */
  vow_op *op;
  uint64_t created_ns;
  uintptr_t handler;
  atomic_uintptr_t taken_at; /* where the last vow_op_retain() returned to; 0: there was none */
  char *site;                /* where script called it; NULL: not known */
} lib_trace;

struct vow_op {
  loop_message message;    /* its answer, on its way to the loop */
  pool_work work;          /* of a handler that blocks */
  lib_gate *gate;          /* held */
  vow_run *run;            /* held; NULL: it had ended when this attempt began */
  lib_kind *kind;          /* valid while the runtime is open */
  host_call *call;         /* runtime's thread; NULL: answered */
  lib_trace *trace;        /* constant; NULL: not watched */
  vow_op *next, *previous; /* in the runtime's list while `call`; its thread */
  atomic_size_t users, holders;
  atomic_bool cancelled; /* told so; set on the runtime's thread, under the gate's lock */
  /* Under the gate's lock: */
  bool answered; /* an answer was taken, the first one */
  size_t posted; /* progress on its way: what comes after it goes the same way */
  vow_cancel_callback *on_cancel;
  void *on_cancel_user;
  char *args_json;
  lib_answer answer; /* once answered: its deliverer's */
  /* Constant: */
  uint64_t number, deadline, calls_left;
  uint8_t priority;
  size_t args_len;
  const char *name; /* behind the arguments */
  uint8_t args[];
};

/* Makes the handler's side of `kind`. */
void lib_kind_init(lib_kind *kind);
/* The operation of a call, with a reference for its handler; NULL: memory is short. */
vow_op *lib_op_open(lib_kind *kind, host_call *call);
void lib_call_no_memory(host_call *call);
void lib_op_no_thread(vow_op *op);
void lib_op_hold(vow_op *op);
void lib_op_drop(vow_op *op);
/* Takes it out of the runtime's list. */
void lib_op_unlink(vow_op *op);
/* The runtime is closing: the host call ends, whatever its handler does. */
void lib_op_close(vow_op *op);

/* ---- answer.c ---- */

/* Takes `answer` and its bytes, whatever it returns. */
vow_status lib_op_settle(vow_op *op, lib_answer *answer);
bool lib_op_answered(const vow_op *op);
/* Nobody is left who could answer. */
void lib_op_abandon(vow_op *op);

/* ---- batch.c ---- */

/* The same for a kind with a batch handler, behind lib_kind_init(). */
void lib_kind_init_batch(lib_kind *kind);

/* ---- leaks.c ---- */

/* Watches `op`, if its runtime or its run asks for that, until it is freed. */
void lib_trace_open(vow_op *op, const host_call *call);
void lib_trace_close(vow_op *op);
/* Of host_kind. */
char *lib_trace_where(const host_call *call, const vow_allocator *allocator);
/* To on_leak: runs and scripts that the program has left; operations that it holds. */
void lib_tell_handles(vow_runtime *runtime);
/* Of shard_options; `user` is the runtime. */
void lib_tell_handler(void *user, const run_leak *leak);
void lib_tell_operations(vow_runtime *runtime);

/* ---- runs and scripts ---- */

struct vow_script {
  vow_runtime *runtime;
  vow_script *next, *previous;
  size_t holders;      /* the caller, until it closes it, and its runs */
  bool closed;         /* by the caller */
  uintptr_t opened_at; /* where vow_script_open() returned to */
  uint64_t opened_ns;
  run_template *template;
};

struct vow_run {
  loop_message message; /* what on_log or on_event asked for, after the turn */
  bool posted, cancel_asked, dispose_asked;
  atomic_size_t holders;
  atomic_bool finished, disposed; /* set on the runtime's thread */
  lib_gate *gate;                 /* held: tells the thread also when the runtime is gone */
  vow_runtime *runtime;           /* until it is disposed; its thread */
  vow_run *next, *previous;
  run *run; /* NULL: disposed */
  bool debug;
  uint64_t number, begun_ns;
  uintptr_t begun_at; /* where vow_eval() returned to */
  vow_script *script;
  vow_done_callback *on_done;
  void (*on_log)(vow_run *run, int level, const char *text, size_t len, void *user);
  void (*on_event)(vow_run *run, const vow_event *event, void *user);
  void (*on_progress)(vow_run *run, uint64_t number, const char *name, const void *bytes,
                      size_t len, void *user);
  void *user;
  bool by_itself; /* disposed after on_done */
  /* While it has not finished, and is nested: */
  vow_run *parent;   /* held */
  vow_op *parent_op; /* held */
  vow_run *next_child, *previous_child;
  vow_run *children; /* runs nested in its operations that have not finished */
  char *tenant;
  char parent_name[AUDIT_ID_LEN + 24];
  run_audit audit;
  recorder *recorder; /* the runtime's, which all handlers end before */
  char audit_last[AUDIT_HASH_LEN + 1];
  vow_leak *leaks;
  const run_report *source; /* NULL: it has not finished */
  vow_report report;
  vow_pending *pending;
  char *json;
};

void lib_run_hold(vow_run *run);
void lib_run_drop(vow_run *run);
/* Ends, disposes and forgets it. Not in the middle of a turn. */
void lib_run_dispose(vow_run *run);
/* Ends the runs that are nested in the operations of `run`, or in `op` alone. */
void lib_run_end_nested(vow_run *run, const vow_op *op);
void lib_script_hold(vow_script *script);
void lib_script_release(vow_script *script);

/* ---- request.c ---- */

/* A request as the sandbox takes it. */
typedef struct lib_request {
  run_options options;
  host_kind *kinds; /* mem_free() after options were used */
} lib_request;

/* Checks and completes `given`. Fails with the runtime's message set. */
vow_status lib_request_read(vow_runtime *runtime, const vow_request *given, vow_request *request,
                            lib_request *read);

/* ---- record.c ---- */

/* `database`: the file of one that is opened next, or NULL. */
vow_status lib_record_open(vow_runtime *runtime, const char *audit, const char *database,
                           bool metrics);
/* The runtime does not open after all: an audit file that was made for it goes. */
void lib_record_take_back(vow_runtime *runtime);
/* Every run has ended. False when lines of the audit were lost. */
bool lib_record_end(vow_runtime *runtime);
void lib_record_close(vow_runtime *runtime);

/* ---- runtime.c ---- */

struct vow_runtime {
  const vow_allocator *allocator;
  lib_gate *gate;
  shard *shard;
  pool *workers;
  db *store;
  api_host *api;
  api_registry registry; /* what is built in, and `kinds` */
  lib_kind *kinds;
  vow_run *runs;
  vow_script *scripts;
  vow_op *ops;      /* with a host call */
  unsigned depth;   /* calls into what may call back, one in the other */
  unsigned guarded; /* of on_log and on_event, which come in the middle of a turn */
  bool closing;
  uint32_t runs_max;
  uint64_t runs_begun, runs_live, outcomes[RUN_CANCELLED + 1];
  void (*on_leak)(const vow_leak *leak, void *user); /* NULL: not looked for */
  void *on_leak_user;
  recorder recorder;
  int audit_fd;           /* -1: none */
  const char *audit_made; /* its path, borrowed: while the runtime is opened, if it made it */
  char *metrics;          /* the last text that was asked for */
  char message[LIB_MESSAGE_MAX];
};

__attribute__((format(printf, 3, 4))) vow_status lib_fail(vow_runtime *runtime, vow_status status,
                                                          const char *format, ...);

/* ---- allow.c ---- */

/* The kinds that the list allows, to be freed with mem_free(). */
vow_status lib_allow(vow_runtime *runtime, const char *list, host_kind **kinds, size_t *count);

#endif
