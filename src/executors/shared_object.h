/* Symbols of shared objects, which are vow_task_callbacks. */
#ifndef VOW_EXECUTORS_SHARED_OBJECT_H
#define VOW_EXECUTORS_SHARED_OBJECT_H

#include "vow/executor.h"

/* Calls the function, or with `load` only looks for it, and says to `context` what came of
 * it where that does not. The object is loaded by the first call, and stays: its code may be
 * running on a thread that was given up, and what it has started is not ours to end. A file
 * without a slash is in the current folder. Any thread. */
void shared_object_call(vow_task_context *context, const vow_function *function, bool load);

#endif
