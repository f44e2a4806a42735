/* Deferred: JavaScript functions that run on worker threads (docs/deferred.md).
 *
 * A run that is given these kinds has the global `Deferred`. What it makes is a host
 * call like any other, so deadline, cancel, audit and report are those of operations.
 * Its handler gives the function's bytecode and arguments to a thread of the pool,
 * which has a native guest of its own, made ahead, for one task at a time:
 *
 *     loop thread   call -> task -> pool queue              answer <- done
 *     worker                          function, arguments -> guest -> value
 *
 * The code is trusted: nothing isolates a worker's guest. Host calls made in it come
 * back to the loop thread as operations nested in the task's. All functions here: the
 * shard's loop thread. */
#ifndef VOW_DEFERRED_DEFERRED_H
#define VOW_DEFERRED_DEFERRED_H

#include "engine/engine.h"
#include "sandbox/run.h"

typedef struct deferred deferred;

typedef struct deferred_options {
  const vow_allocator *allocator; /* used on every thread; NULL: the C library's */
  uint32_t workers;               /* threads that execute at once; 0: as many as cores */
  uint32_t queue_max;             /* tasks waiting for a thread; 0: DEFERRED_QUEUE */
  engine_trust trust;             /* of the workers' guests */
} deferred_options;

#define DEFERRED_QUEUE 10000u
#define DEFERRED_KINDS 3u

/* One for each shard. NULL when memory is short. */
deferred *deferred_open(const deferred_options *options, shard *shard);
/* Writes the kinds, for host_kinds_open() and for the list of a run. */
void deferred_kinds(deferred *deferred, host_kind kinds[DEFERRED_KINDS]);
/* What workers' guests are like: kinds, memory of a task, stack and debug of
 * `options`, of the run that uses them. Once, before that run is opened. False when
 * memory is short. */
bool deferred_prepare(deferred *deferred, const run_options *options);
/* When every run is disposed and no handler is at work. Threads that are stuck in a
 * native are left behind; they end by themselves if that ever returns. */
void deferred_close(deferred *deferred);

typedef struct deferred_counts {
  uint32_t threads, running, queued;
  uint64_t retired; /* threads given up because they did not stop */
} deferred_counts;
deferred_counts deferred_counts_of(deferred *deferred);

#endif
