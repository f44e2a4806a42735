/* Tasks (vow/task.h): what the layers above need of them beside the public functions. */
#ifndef VOW_TASK_TASK_H
#define VOW_TASK_TASK_H

#include "vow/task.h"

/* Told once that a task has settled: on the thread that settles it, without a lock, where it
 * must not block. Whoever gave it holds the task until then. */
typedef struct task_done {
  struct task_done *next; /* private, as is the next one */
  vow_task *task;
  void (*tell)(struct task_done *done, vow_task *task);
} task_done;

/* VOW_OK: task_tell() may follow, or task_unclaim(). VOW_E_EXISTS: somebody has it; VOW_E_STATE:
 * the task is of a process that this one was forked from. */
vow_status task_claim(vow_task *task);
void task_unclaim(vow_task *task);
/* When the task is settled already `tell` is called before this returns. */
void task_tell(vow_task *task, task_done *done);
/* Cancels tasks of this process and waits, for all of them together, until their
 * callbacks have returned or the threads of those are given up. */
void task_stop_all(vow_task *const *tasks, size_t count, uint64_t limit_ms);
/* The allocator of the task's pool. */
const vow_allocator *task_allocator(const vow_task *task);

#endif
