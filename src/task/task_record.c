/* What is recorded of tasks. */
#include "task/task_int.h"

void task_record(const vow_task *task, task_event event) {
  static const char *const forms[] = {
      [VOW_TASK_CALL] = NULL, [VOW_TASK_PARALLEL] = "parallel", [VOW_TASK_RACE] = "race"};
  event.number = task->number;
  event.parent = task->parent_number;
  event.name = task->name;
  event.form = forms[task->form];
  event.age_ns = task_elapsed(task->started_ns, event.now_ns);
  task_audit_event(task->pool->audit, &event);
  task_metrics_event(task->pool->metrics, &event);
}

static op_state state_of(vow_state state) {
  switch (state) {
  case VOW_FULFILLED:
    return OP_FULFILLED;
  case VOW_TIMED_OUT:
    return OP_TIMED_OUT;
  case VOW_OP_CANCELLED:
    return OP_CANCELLED;
  default:
    return OP_REJECTED;
  }
}

void task_record_settled(const vow_task *task, uint64_t now) {
  const vow_task_result *result = &task->result;
  task_record(task, (task_event){.kind = TASK_EVENT_SETTLED,
                                 .now_ns = now,
                                 .state = state_of(result->state),
                                 .error = result->error_type});
}

void task_record_late(const vow_task *task, bool failed, const char *error, uint64_t now) {
  task_record(task, (task_event){.kind = TASK_EVENT_LATE,
                                 .now_ns = now,
                                 .state = failed ? OP_REJECTED : OP_FULFILLED,
                                 .error = error});
}
