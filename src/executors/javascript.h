/* Functions of JavaScript, on the native engine or each in a fresh sandbox.
 *
 * Natively a file is executed in an instance (an event loop with a guest), which serves one
 * call at a time, is kept for the next, and is thrown away after a call that was stopped or
 * ended by a limit, or that left something behind: a timer, an operation.
 *
 *   javascript_call call;
 *   javascript_call_init(&call, javascript);
 *   vow_task_on_stop(context, stop, &call);      -- calls javascript_call_stop()
 *   javascript_call_run(&call, &request, &result);
 *   vow_task_on_stop(context, NULL, NULL);       -- before `call` ends
 *   ... result ...
 *   javascript_result_free(&result); */
#ifndef VOW_EXECUTORS_JAVASCRIPT_H
#define VOW_EXECUTORS_JAVASCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vow/allocator.h"
#include "vow/executor.h"

typedef struct javascript javascript;

/* Instances that wait for a call; beyond them the one used longest ago is closed. */
#define JAVASCRIPT_IDLE_MAX 32u

typedef struct javascript_options {
  const vow_allocator *allocator; /* NULL: the C library's */
  uint64_t memory_bytes;          /* of one guest, at least RUN_MEMORY_MIN */
  /* A line with its end; `stream` is 1 or 2. On the thread of the call; calls of other
   * threads may come at the same time. */
  void (*on_output)(int stream, const char *text, size_t len, void *user);
  void *user;
} javascript_options;

/* Starts nothing. NULL when memory is short. */
javascript *javascript_open(const javascript_options *options);
/* No call may be going on. NULL is fine. */
void javascript_close(javascript *javascript);
/* Instances that wait for a call. Any thread. */
size_t javascript_idle(javascript *javascript);

typedef struct instance instance;

/* One call, in memory of the caller. All of it is private. */
typedef struct javascript_call {
  javascript *javascript;
  instance *instance; /* these two are guarded by the lock of `javascript` */
  bool stopping;
} javascript_call;

typedef struct javascript_request {
  /* VOW_JAVASCRIPT or VOW_JAVASCRIPT_ISOLATED. A relative file counts from the current
   * folder when the call runs. */
  const vow_function *function;
  bool load; /* looks for the function and does not call it; no value */
  /* The argument: CBOR. Without bytes it is undefined. */
  const void *value;
  size_t value_len;
} javascript_request;

typedef struct javascript_result {
  bool fulfilled;
  uint8_t *value; /* CBOR, from the allocator; NULL: none, as with `load` */
  size_t value_len;
  /* Else. UTF-8, cut where a task's would be. */
  char type[128 + 1];
  char message[4096 + 1];
  char *detail; /* a trace, from the allocator; NULL: none */
  const vow_allocator *allocator;
} javascript_result;

void javascript_call_init(javascript_call *call, javascript *javascript);

/* Makes a call end soon: script is interrupted where it is, natively after the native that
 * it is in. Any thread, at any time in the life of `call`, more than once, under any lock:
 * waits for nothing. */
void javascript_call_stop(javascript_call *call);

/* Blocks until the call has ended; once for each `call`. Fills all of `*result`, to be given to
 * javascript_result_free(). What went wrong is its failure; types beside those of JavaScript's
 * errors: NotFoundError (no such file or function), LoadError (no engine), DeadlockError (what it
 * waits for can never come), MemoryError (its limit), AbortError (it was stopped). Any thread with
 * 8 MiB of stack. */
void javascript_call_run(javascript_call *call, const javascript_request *request,
                         javascript_result *result);

void javascript_result_free(javascript_result *result);

#endif
