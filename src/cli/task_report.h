/* What `vow task --report` writes, and values as JSON. */
#ifndef VOW_CLI_TASK_REPORT_H
#define VOW_CLI_TASK_REPORT_H

#include "core/cbor.h"
#include "vow/task.h"

typedef struct task_report {
  vow_task *task;
  vow_task *const *tasks;   /* one for each SPEC: members, or the one task */
  const char *const *names; /* the SPECs */
  size_t count;
  bool group; /* `task` is a group of them */
  const vow_task_counts *counts;
  uint64_t wall_ns;
} task_report;

/* "value", "error", "limit" or "cancelled". */
const char *task_report_outcome(vow_state state);

/* Appends the value of a fulfilled task as JSON on one line. What is no CBOR is printed as
 * the bytes it is; no value is null. */
cbor_status task_report_value(const vow_task_result *result, cbor_out *out);

/* Appends the report as one JSON object on one line. `value` is that of the task, as JSON. */
void task_report_put(const task_report *report, const char *value, size_t value_len, cbor_out *out);

#endif
