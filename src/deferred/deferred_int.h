/* Shared by the files of this folder only. */
#ifndef VOW_DEFERRED_DEFERRED_INT_H
#define VOW_DEFERRED_DEFERRED_INT_H

#include <stdatomic.h>

#include "core/cbor.h"
#include "deferred/deferred.h"
#include "sandbox/host.h"
#include "task/pool.h"

/* ---- code.c ---- */

/* One function as WIRE_CODE says it. Immutable; freed with the last that holds it. */
typedef struct code {
  atomic_uint holders;
  const vow_allocator *allocator;
  struct code *next; /* in its place of the table; loop thread */
  uint8_t hash[WIRE_HASH];
  char name[64]; /* "": it has none, or a longer one */
  size_t len;
  uint8_t body[];
} code;

#define CODE_PLACES 1024u
/* Different functions of one program: more are refused. */
#define CODE_BYTES_MAX ((size_t)256 << 20)

typedef struct code_table {
  const vow_allocator *allocator;
  code *places[CODE_PLACES];
  size_t bytes;
} code_table;

/* Keeps the function that a message of type WIRE_CODE brings, if there is room. False:
 * it is malformed, or not what its hash says. Loop thread, as all of the table. */
bool code_add(code_table *table, const uint8_t *body, size_t len);
/* NULL: it was never added, or there was no room. */
code *code_find(const code_table *table, const uint8_t hash[WIRE_HASH]);
void code_table_free(code_table *table);
/* Its text, which lives as long as it does. Any thread. */
void code_source(const code *code, const char **text, size_t *len);
code *code_hold(code *code);
/* Any thread. */
void code_release(code *code);

/* ---- what threads share ---- */

/* Outlives the deferred while a thread that was given up still refers to it. */
typedef struct common {
  atomic_uint holders;
  const vow_allocator *allocator;
  struct pool *pool;
  engine_trust trust;
  size_t memory_bytes; /* of one task */
  uint8_t *start;      /* body of WIRE_LOAD */
  size_t start_len;
} common;

common *common_hold(common *common);
void common_release(common *common);

/* ---- a task ---- */

typedef struct worker worker;

typedef struct task_message {
  struct task_message *next;
  wire_header header;
  uint8_t body[];
} task_message;

typedef enum {
  TASK_OPEN,   /* no outcome yet */
  TASK_VALUE,  /* `bytes` */
  TASK_THROWN, /* `bytes` */
  TASK_FAILED, /* `failure` */
} task_state;

typedef struct task_failure {
  const char *name, *code; /* constants */
  char message[200];
} task_failure;

#define TASK_INLINE 64u
/* More that the loop has not taken yet lets the worker wait for it. */
#define TASK_TOLD_MAX ((size_t)1 << 20)
/* Values of progress that wait for the loop; older ones make room. */
#define TASK_PROGRESS_MAX 64u

typedef struct task {
  pool_work work;
  atomic_uint holders; /* the pool's or loop's, and messages on their way */
  common *common;
  code *code;
  deferred *owner;     /* loop thread */
  host_call *call;     /* loop thread; NULL: it has been answered */
  uint64_t run_ns;     /* executing and waiting, from its start; 0: no limit */
  size_t memory_bytes; /* 0: as all */
  bool isolated;
  struct task *next_watched; /* loop thread */
  uint64_t give_up_at;       /* loop thread; 0: not watched */

  uv_mutex_t lock;            /* guards the following */
  worker *worker;             /* while it executes */
  task_message *first, *last; /* for its guest */
  task_message *progress_first, *progress_last;
  unsigned progress_count;
  bool progress_told; /* a message about them is on its way */
  size_t told_bytes;  /* on their way to the loop */
  bool stop;          /* nobody waits for the outcome any more, or it is `starved` */
  bool starved;       /* there was no memory for an answer to one of its calls */
  bool retired;       /* its thread was given up: nothing is posted any more */

  task_state state; /* from here: the worker's, then the loop's, with the pool's message */
  task_failure failure;
  uint8_t *bytes; /* `small` or from the allocator */
  size_t bytes_len;
  bool passed_on; /* the bytes went to where they are read */
  uint8_t small[TASK_INLINE];
  size_t list_len;
  uint8_t list[]; /* the arguments, one CBOR array */
} task;

/* What a call asks for, by its arguments, into which it points: [hash, [arguments of the
 * function], options or undefined]; of a pure one without options. */
typedef struct task_terms {
  const uint8_t *hash; /* WIRE_HASH bytes */
  const uint8_t *list;
  size_t list_len;
  uint64_t affinity; /* 0: any thread */
  uint64_t run_ns;   /* 0: no limit */
  size_t memory_bytes;
  bool isolated;
} task_terms;

/* False: they have not that form. What is odd about options is as if not given. */
bool deferred_task_terms_read(const uint8_t *arguments, size_t len, task_terms *terms);
/* Copies what the terms point to; NULL when memory is short. */
task *deferred_task_open(common *common, code *code, const task_terms *terms);
task *deferred_task_hold(task *task);
void deferred_task_release(task *task);
void deferred_task_fail(task *task, const char *name, const char *code, const char *message);
/* Its running time is over; it needs more memory than it, or without a limit of its own
 * `common_max`, may have; it waits for nothing. */
void deferred_task_fail_by_time(task *task);
void deferred_task_fail_by_memory(task *task, size_t common_max);
void deferred_task_fail_by_deadlock(task *task);
/* Copies `len` bytes as the outcome. */
void deferred_task_settle(task *task, task_state state, const uint8_t *bytes, size_t len);
/* Appends one message of wire.h. */
void deferred_task_put_message(cbor_out *out, uint32_t type, uint64_t id, const void *body,
                               size_t len);
/* Forgets an outcome. */
void deferred_task_reopen(task *task);
task_message *deferred_task_message_new(const task *task, const wire_header *header,
                                        const void *body);
/* Of a list that was passed on, and of one that will not be. */
void deferred_task_messages_free(const task *task, task_message *list);
void deferred_task_messages_drop(const task *task, task_message *list);

/* ---- waits.c: what a worker's guest waits for; all zeros at first ---- */

#define WAITS_TIMERS_MAX 1000u

typedef struct waits_timer {
  uint64_t id, at;
} waits_timer;

typedef struct waits {
  uint64_t *calls; /* ids */
  uint32_t calls_live, calls_size;
  uint32_t timer_count;
  waits_timer timers[WAITS_TIMERS_MAX]; /* in the order in which they were started */
} waits;

/* False: there are too many. */
bool waits_start_timer(waits *waits, uint64_t id, uint64_t at);
void waits_stop_timer(waits *waits, uint64_t id);
/* UINT64_MAX: there is none. */
uint64_t waits_next_timer(const waits *waits);
/* Takes out the first that is due, in the order of times. */
bool waits_take_due(waits *waits, uint64_t now, uint64_t *id);
/* False when memory is short. */
bool waits_add_call(waits *waits, const vow_allocator *allocator, uint64_t id);
void waits_remove_call(waits *waits, uint64_t id);
bool waits_is_empty(const waits *waits);
void waits_clear(waits *waits);
void waits_free(waits *waits, const vow_allocator *allocator);

/* ---- worker.c: on a thread of the pool ---- */

void *worker_open(void *common);
void worker_close(void *worker);
/* Executes one task to its outcome. */
void worker_run(worker *worker, task *task);
/* Loop thread, under the task's lock, while it executes: look at the messages and
 * flags again. */
void worker_wake(worker *worker);
/* The thread of a task that tells much waits until the loop has taken most of it, unless
 * it is to stop. */
void worker_await_loop(task *task);
/* Likewise: leave the script that is being executed. */
void worker_stop(worker *worker, const task *task);

/* ---- deferred.c ---- */

/* The task, whose running time has a limit, began at that time. Loop thread. */
void deferred_started(task *task, uint64_t at);

/* ---- tell.c ---- */

/* What a guest at work says to the loop thread, one message after the other. */
void deferred_tell(task *task, const uint8_t *bytes, size_t len);
/* Its running time has a limit and begins now. */
void deferred_tell_started(task *task);
void deferred_tell_progress(task *task, const uint8_t *body, size_t len);
/* host_kind.answer of a task's own calls. Loop thread. */
void deferred_answer(host_call *call, const wire_header *header, const void *body, void *user);

#endif
