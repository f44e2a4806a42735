/* A runtime: one thread's event loop with its operations and its runs.
 *
 * A runtime belongs to the thread that opened it; what may be called from other
 * threads says so. A process may have several, one or more for each thread; they
 * share the compiled guest and nothing else.
 *
 * fork(): open runtimes in the child. One that was open when the process was forked is
 * the parent's: in the child every call on it answers VOW_E_THREAD, settling an
 * operation of it VOW_LATE, its memory stays, no callback comes, and no other runtime
 * can be opened there. Such a child may exec or _exit, and must not return into a
 * function of Vow that called it. vfork() and posix_spawn() are as ever.
 *
 * dlclose(): close the runtimes before. The library stays mapped all the same, as a
 * thread may be in a name lookup for fetch, which nothing ends. A plug-in that
 * libvow.a is linked into is to be linked with -z nodelete for that reason.
 *
 * Structs of options begin with their size, set to sizeof: a program compiled
 * against an older header goes on working with a newer library. Zero in any other
 * field means the default that stands beside it. */
#ifndef VOW_RUNTIME_H
#define VOW_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vow/allocator.h"
#include "vow/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_runtime vow_runtime;

typedef enum vow_engine {
  VOW_ENGINE_WASM,  /* a sandbox: for code of strangers */
  VOW_ENGINE_NATIVE /* in this process, nothing isolates it: for code you trust */
} vow_engine;

typedef enum vow_leak_kind {
  VOW_LEAK_OPERATION,
  VOW_LEAK_TIMER,
  VOW_LEAK_RUN,   /* not disposed */
  VOW_LEAK_SCRIPT /* not closed */
} vow_leak_kind;

/* Something that outlived its owner: an operation, a timer or a handler its run, or
 * what the program holds the runtime. Texts are valid as long as the struct. */
typedef struct vow_leak {
  vow_leak_kind kind;
  uint64_t number;  /* of an operation in its run, of a run in its runtime, from 1; else 0 */
  const char *name; /* of the operation; "timer", "run", "script" */
  uint64_t age_ns;
  const char *site; /* lines of a trace: where script created it; NULL: not known */
  /* Where the program did: the call of vow_op_retain() (the last one; without any the
   * handler itself), of vow_eval() or of vow_script_open(), as "FILE+0xOFFSET
   * (SYMBOL+0xOFFSET)", of which the first offset is what addr2line -e FILE takes.
   * Without a symbol that is exported the second part is absent; NULL: not known. */
  const char *host_site;
} vow_leak;

typedef struct vow_runtime_options {
  size_t size; /* sizeof(vow_runtime_options) */
  vow_engine engine;
  const vow_allocator *allocator; /* NULL: the C library's; borrowed until the runtime is closed,
                                     every operation that was retained is released, and every
                                     task with a completion here has settled */
  uint32_t live_max;              /* operations and timers of all runs together; 2^24 */
  uint32_t concurrent_max;        /* handlers of all runs at once; unlimited */
  uint32_t runs_max;              /* runs that have not finished; unlimited */
  uint32_t workers_max;           /* threads for operations that block, at most 64; 4. Started
                                     when there is work and none is idle */
  /* Built-in operations that the runtime has, a comma list of names and globs
   * ("notes.*"); NULL: none. Which of them a run may call is said by its request. */
  const char *builtins;
  const char *database; /* their database, "sqlite:FILE", made when missing; "sqlite:vow.db" */
  const char *vault;    /* the vault that notes.* and kv.* see; "default" */
  /* Folder of the compiled guest (guest-*.cwasm, guest-*.image), for a program
   * that libvow.a is linked into and that does not lie beside an installation. It
   * must be writable by nobody less trusted than the program: what is in it is
   * machine code. Of the runtimes open at one time in a process the first one's
   * counts. NULL: found from where the library, or the program, lies. */
  const char *guest_dir;
  /* Where one line goes that says why opening failed; NULL: nowhere. */
  char *message;
  size_t message_size;
  /* A file to which each event of each operation of each run is added, one line of
   * JSON each, chained by hash (docs/command-line.md), by a worker thread; made when
   * missing, and locked. NULL: none. */
  const char *audit;
  bool metrics; /* count everything, for vow_runtime_metrics() */
  /* Operations of all runs that wait for a place; 1000000. One more is rejected
   * (ApiError, code RUNTIME_QUEUE_FULL, transient). */
  uint32_t queue_max;
  /* Looks for leaks, which costs time for each operation: every run is one with
   * `debug`, and vow_runtime_close() calls this for each run that was not disposed,
   * each script that was not closed, and, when its last handler has ended, each
   * operation that is still retained. Runtime's thread; must not call Vow. */
  void (*on_leak)(const vow_leak *leak, void *user);
  void *on_leak_user;
} vow_runtime_options;

/* Opens a runtime on this thread. `options` NULL: the defaults; what it points to
 * is copied but for the allocator. Blocks for file I/O, and the first one in a
 * process maps the compiled guest. On success `*runtime` is the caller's, to be
 * closed with vow_runtime_close(); else it is NULL, and what is wrong with an option
 * leaves no file behind, neither an audit nor a database.
 * VOW_E_INVALID, VOW_E_UNKNOWN (an entry of `builtins`), VOW_E_OPEN, VOW_E_NOMEM. */
vow_status vow_runtime_open(const vow_runtime_options *options, vow_runtime **runtime);

/* Cancels every run that has not finished (its on_done is called), disposes all of
 * its runs and closes its scripts, tells every operation that is not settled that
 * it is cancelled, and frees the runtime. Operations that were retained stay valid
 * until they are released; settling one is late from then on. Waits for handlers
 * that are on worker threads, until the audit is written (half a second for a reader
 * that is slow), and for nothing else. NULL is fine.
 * VOW_E_THREAD; VOW_E_STATE: inside one of its callbacks. Then nothing was done.
 * VOW_E_LOST: it is closed, but lines of the audit are not in its file. */
vow_status vow_runtime_close(vow_runtime *runtime);

/* What was wrong with the last call on this runtime that failed for its arguments:
 * one line, "" when there was none. Valid until the next call. Runtime's thread. */
const char *vow_runtime_message(const vow_runtime *runtime);

/* Counts since the runtime was opened. */
typedef struct vow_counts {
  size_t size; /* sizeof(vow_counts); set by the caller */
  uint64_t runs, runs_live;
  uint64_t runs_value, runs_error, runs_limit, runs_cancelled; /* finished, by outcome */
  uint64_t created, fulfilled, rejected, timed_out, cancelled; /* operations */
  uint64_t live;                                               /* created and not settled */
  uint64_t running;   /* handlers that have begun and not ended, some of them unheard */
  uint64_t late;      /* answers that came after the settlement */
  uint64_t repeated;  /* attempts to settle an operation by a handler that had done so, or when it
                         was gone */
  uint64_t abandoned; /* operations let go of without an answer */
} vow_counts;

/* Everything that was counted, as text for Prometheus (names in docs/command-line.md).
 * Valid until the next call of this. Runtime's thread. VOW_E_STATE: `metrics` was not
 * asked for; VOW_E_NOMEM, VOW_E_THREAD. */
vow_status vow_runtime_metrics(vow_runtime *runtime, const char **text);

/* Runtime's thread. VOW_E_INVALID: `size`; VOW_E_THREAD. */
vow_status vow_runtime_counts(const vow_runtime *runtime, vow_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
