/* Shared by the files of this folder only. */
#ifndef VOW_DEFERRED_DEFERRED_INT_H
#define VOW_DEFERRED_DEFERRED_INT_H

#include <stdatomic.h>

#include "core/cbor.h"
#include "deferred/deferred.h"
#include "sandbox/host.h"
#include "task/pool.h"

#define CODE_HASH 16u

/* ---- code.c ---- */

/* One function as WIRE_CODE says it. Immutable; freed with the last that holds it. */
typedef struct code {
  atomic_uint holders;
  const vow_allocator *allocator;
  struct code *next; /* in its place of the table; loop thread */
  uint8_t hash[CODE_HASH];
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
 * it is malformed. Loop thread, as all of the table. */
bool code_add(code_table *table, const uint8_t *body, size_t len);
/* NULL: it was never added, or there was no room. */
code *code_find(const code_table *table, const uint8_t hash[CODE_HASH]);
void code_table_free(code_table *table);
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
  bool stop;          /* nobody waits for the outcome any more */
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

/* Copies the list. */
task *deferred_task_open(common *common, code *code, const uint8_t *list, size_t list_len);
task *deferred_task_hold(task *task);
void deferred_task_release(task *task);
void deferred_task_fail(task *task, const char *name, const char *code, const char *message);
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

/* What a guest at work says to the loop thread, one message after the other. */
void deferred_tell(task *task, const uint8_t *bytes, size_t len);
/* Its running time has a limit and begins now. */
void deferred_tell_started(task *task);
void deferred_tell_progress(task *task, const uint8_t *body, size_t len);

#endif
