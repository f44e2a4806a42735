/* Functions of Python: one CPython interpreter for the process, from the first call to the
 * end of the process, never finalised: threads that were given up may be in it still.
 *
 * The interpreter is in a shared module beside the compiled guest (engine/guest_file.h),
 * which the first call opens; nothing of Python is loaded before. Environment variables and
 * the process's signal handlers mean nothing to it; the process must ignore SIGPIPE.
 *
 *   python_call call;
 *   python_call_init(&call);
 *   vow_task_on_stop(context, stop, &call);      -- calls python_call_stop()
 *   python_call_run(&call, &request, &result);
 *   vow_task_on_stop(context, NULL, NULL);       -- before `call` ends
 *   ... result ...
 *   python_result_free(&result); */
#ifndef VOW_EXECUTORS_PYTHON_H
#define VOW_EXECUTORS_PYTHON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vow/allocator.h"
#include "vow/executor.h"

/* One call, in memory of the caller. All of it is private. */
typedef struct python_call {
  atomic_bool stopping;
  /* Of the module; guarded by its lock. */
  struct python_call *next, *previous;
  bool listed;
  unsigned long thread;
  uint64_t number;
  void *cancel;           /* cancels what is awaited; a Python callable, owned */
  uint64_t interrupt_at;  /* ns */
  uint32_t interruptions; /* so far */
  /* Of the module; of the thread of the call. */
  const struct python_request *request;
  struct python_call *outer; /* the one that this thread is in, if any */
  void *output;
} python_call;

typedef struct python_request {
  const vow_allocator *allocator; /* for the result; NULL: the C library's */
  /* A relative file counts from the current folder when the call runs. `name` may have dots,
   * `Class.method`. In source text with a `name` NULL, `context` is the argument. */
  const vow_function *function;
  bool load; /* looks for the function and does not call it; no value */
  /* The argument: CBOR. Without bytes the argument is None. */
  const void *value;
  size_t value_len;
  /* What the thread of the call prints: UTF-8, whole lines but for very long ones and a last
   * one without an end; `stream` is 1 or 2. Without the GIL, on the thread of the call; calls
   * of other threads may come at the same time. NULL: descriptors 1 and 2. */
  void (*on_output)(int stream, const char *text, size_t len, void *user);
  void *user;
} python_request;

typedef struct python_result {
  bool fulfilled;
  uint8_t *value; /* CBOR, from the allocator; NULL: none, as with `load` */
  size_t value_len;
  /* Else. UTF-8, cut where a task's would be. */
  char type[128 + 1];
  char message[4096 + 1];
  char *detail; /* a traceback, from the allocator; NULL: none */
  const vow_allocator *allocator;
} python_result;

void python_call_init(python_call *call);

/* Makes a call end soon: a coroutine is cancelled, Python code is interrupted at its next
 * instruction by an exception that `except Exception` does not catch, and again if it was
 * caught all the same. Waiting in C (time.sleep(), a lock) ends first. Any thread, at any time
 * in the life of `call`, more than once, under any lock: does not wait for the interpreter. */
void python_call_stop(python_call *call);

/* Blocks until the call has ended; once for each `call`. Fills all of `*result`, to be given to
 * python_result_free(). What went wrong is its failure, types beside those of Python's
 * exceptions: NotFoundError (no such file, module or function, or no Python), AbortError (it
 * was stopped). SystemExit and KeyboardInterrupt are failures as others. Any thread that is
 * not Python's. */
void python_call_run(python_call *call, const python_request *request, python_result *result);

void python_result_free(python_result *result);

#endif
