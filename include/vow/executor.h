/* Executors: functions of Python, of JavaScript and of shared objects as tasks (vow/task.h),
 * so that a race, a pool, a retry may mix them with callbacks in C.
 *
 * A function gets one argument, the task's `value`, and its result is the task's value: CBOR
 * both. docs/task.md says what becomes of each type in each language. What it throws is the
 * task's failure, with its type, message and traceback.
 *
 * What is executed here is trusted: only VOW_JAVASCRIPT_ISOLATED is a sandbox.
 *
 * Any thread, unless it says otherwise. */
#ifndef VOW_EXECUTOR_H
#define VOW_EXECUTOR_H

#include "vow/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_executor vow_executor;

typedef enum vow_language {
  /* A symbol of a shared object that is a vow_task_callback; its `argument` is NULL. The
   * object is loaded by the first task and stays; a file without a slash is in the current
   * folder. What it needs of Vow must be there: the program exports it, or it is linked
   * with libvow.so. */
  VOW_SHARED_OBJECT,
  /* In this process: one interpreter, for all executors, from the first use to the end of the
   * process, which neither ends it nor flushes its files. Environment variables mean nothing
   * to it, and text is UTF-8. It handles no signals, and expects SIGPIPE to be ignored. A
   * coroutine is awaited, on an asyncio loop of the call. A module or file is executed once,
   * source text each time. A file is found as it is by `python FILE`: its folder is the first
   * of sys.path; a module as by `python -m`, but the current folder is the last.
   * A time limit or a cancel throws an exception into Python code that `except Exception` does
   * not catch, again after 250 ms if it goes on, and cancels a coroutine before that. It does
   * not end what waits in C (time.sleep(), a lock): that thread is given up. */
  VOW_PYTHON,
  /* On the native engine, in an instance for each call that runs at once. A file is executed
   * once in each: as a module if it ends in .mjs or has a top-level import or export, and then
   * `name` is an export; else as a script, of which it is a global function. It has timers,
   * fetch, and imports of local files. A promise is awaited; one that nothing can settle any
   * more is a DeadlockError at once. An instance serves the next call when nothing of the last
   * one is left in it, no timer and no operation. */
  VOW_JAVASCRIPT,
  /* In a fresh sandbox for each call, with timers, without operations and imports. */
  VOW_JAVASCRIPT_ISOLATED
} vow_language;

typedef struct vow_executor_options {
  size_t size;                    /* sizeof(vow_executor_options) */
  const vow_allocator *allocator; /* as in vow_task_pool_options */
  /* What functions print, whole lines where that can be known; `stream` is 1 or 2. On any
   * thread, one call at a time; must not call Vow. NULL: goes to the process's own. */
  void (*on_output)(int stream, const char *text, size_t len, void *user);
  void *user;
  uint64_t memory_bytes; /* of one JavaScript instance, 8 MiB to 2 GiB; 256 MiB */
  char *message;         /* where one line goes that says why a call failed; NULL: nowhere */
  size_t message_size;
} vow_executor_options;

/* Starts nothing: each language is loaded by its first task. VOW_E_INVALID, VOW_E_NOMEM. */
vow_status vow_executor_open(const vow_executor_options *options, vow_executor **executor);
/* When every task made by it has settled and its argument is freed; waits for nothing.
 * NULL is fine. VOW_E_STATE: there are some; nothing was done. */
vow_status vow_executor_close(vow_executor *executor);

typedef struct vow_function {
  size_t size; /* sizeof(vow_function) */
  vow_language language;
  /* One of these: a file; a module by its dotted name (Python); source text (Python,
   * JavaScript; `name` may be NULL then: its value is that of the text, as an expression in
   * Python, as `vow eval` has it in JavaScript; `context` is the argument). Relative files
   * count from the current folder when the task runs. */
  const char *file, *module, *source;
  const char *name; /* of the function, or symbol */
} vow_function;

/* Makes `*spec` a call of the function, with the default time limit; add `value` and the rest
 * before it is started. `spec->argument` is the task's once it is started; else give it back
 * with spec->argument_free(). Does not look whether the function exists.
 * VOW_E_INVALID, VOW_E_NOMEM. */
vow_status vow_executor_task(vow_executor *executor, const vow_function *function,
                             vow_task_spec *spec);

/* Makes `*spec` a task that loads the function and does not call it: it fails with a
 * NotFoundError when the file, the module or the function is missing or is no function, or
 * its language is not there; with a LoadError when it cannot be loaded for another reason that
 * is none of its own; with what loading threw otherwise. Files of JavaScript and Python are
 * executed for it. */
vow_status vow_executor_load(vow_executor *executor, const vow_function *function,
                             vow_task_spec *spec);

/* Reads "py:FILE.py:FUNCTION", "py:package.module:FUNCTION", "js:FILE:FUNCTION",
 * "js-isolated:FILE:FUNCTION" or "so:FILE:SYMBOL" into `*function`, whose texts are in
 * `buffer`. VOW_E_INVALID, with one line in `message`. */
vow_status vow_function_parse(const char *text, vow_function *function, char *buffer,
                              size_t buffer_size, char *message, size_t message_size);

#ifdef __cplusplus
}
#endif
#endif
