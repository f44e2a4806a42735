/* Functions with {isolated: true}: each in a fresh sandbox of the wasm engine, on a
 * thread of the pool. They have timers, console and Deferred.progress(), no host calls. */
#ifndef VOW_DEFERRED_ISOLATED_H
#define VOW_DEFERRED_ISOLATED_H

#include "deferred/deferred_int.h"

/* A shard of this thread; everything here is called on it unless it says otherwise. */
typedef struct isolated isolated;

/* NULL with a one-line message. */
isolated *isolated_open(const common *common, char *message, size_t message_size);
void isolated_close(isolated *isolated);
/* Executes `task` to its outcome. */
void isolated_run(isolated *isolated, task *task);
/* After the task's `worker` has been taken back: no stop is on its way any more. */
void isolated_end(isolated *isolated);
/* Loop thread, under the task's lock, at most once while it executes. */
void isolated_stop(isolated *isolated);

#endif
