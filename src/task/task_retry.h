/* When a task that failed is tried again. No state; any thread. */
#ifndef VOW_TASK_TASK_RETRY_H
#define VOW_TASK_TASK_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "vow/task.h"

/* What is wrong with it, as the end of a sentence; NULL: nothing. */
const char *task_retry_fault(const vow_task_retry *retry);
/* Whether another attempt is wanted after `attempts` of them, the last of which failed by
 * an error of type `error`. */
bool task_retry_wanted(const vow_task_retry *retry, uint32_t attempts, const char *error);
/* How long to wait before it; `random`: 64 random bits. */
uint64_t task_retry_delay_ns(const vow_task_retry *retry, uint32_t attempts, uint64_t random);

#endif
