/* Tasks (vow/task.h): what the layers above need of them beside the public functions. */
#ifndef VOW_TASK_TASK_H
#define VOW_TASK_TASK_H

#include "vow/task.h"

/* Told once that a task has settled: on the thread that settles it, without a lock, where it
 * must not block. It holds the task from task_tell() until then. */
typedef struct task_done {
  struct task_done *next; /* private, as is the next one */
  vow_task *task;
  void (*tell)(struct task_done *done, vow_task *task);
} task_done;

/* VOW_E_EXISTS: it has one. When it is settled already `tell` is called before this returns. */
vow_status task_tell(vow_task *task, task_done *done);
/* The allocator of the task's pool. */
const vow_allocator *task_allocator(const vow_task *task);

#endif
