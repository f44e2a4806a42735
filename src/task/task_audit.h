/* The audit of a pool of tasks (core/audit.h): lines in a file, as those of runs, with the
 * pool as the run and its tasks as the operations.
 *
 *   opened, ended          the pool
 *   created, started, retried, settled, timed_out, cancelled, late, retired   tasks
 *
 * Time-outs, failures and threads given up carry "security":true.
 *
 * Who takes note of an event copies some hundred bytes under a lock of ten instructions; a
 * thread of the audit's own makes lines of them and writes these. Events wait in at most
 * TASK_AUDIT_BYTES_MAX; what finds no room there, or whose line finds none behind a full
 * disk or a slow reader (task/audit_lines.h), is lost, counted, and told by a line
 * `dropped`. What could not be written is tried again with the next event and once at the
 * end. */
#ifndef VOW_TASK_TASK_AUDIT_H
#define VOW_TASK_TASK_AUDIT_H

#include "core/mem.h"
#include "task/task_event.h"
#include "vow/status.h"

#define TASK_AUDIT_BYTES_MAX (16u << 20)

typedef struct task_audit task_audit;

/* Adds to the file `path`, which is locked. VOW_E_OPEN, VOW_E_INVALID with one line in
 * `message`; VOW_E_NOMEM, also when no thread can be had: then a file that was made for it
 * is gone. */
vow_status task_audit_open(const vow_allocator *allocator, const char *path, task_audit **audit,
                           char *message, size_t message_size);
/* Any thread, until task_audit_close(); under a lock of the caller too. `audit` NULL:
 * nothing happens. */
void task_audit_event(task_audit *audit, const task_event *event);
/* Writes what is left, and waits for it, for a slow reader at most AUDIT_PATIENCE_MS. False:
 * events are not in the file. NULL is fine. */
bool task_audit_close(task_audit *audit);

#endif
