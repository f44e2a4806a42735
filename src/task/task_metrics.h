/* What is counted of a pool of tasks (core/metrics.h). By the caller's lock. */
#ifndef VOW_TASK_TASK_METRICS_H
#define VOW_TASK_TASK_METRICS_H

#include "core/metrics.h"
#include "task/task_event.h"
#include "vow/task.h"

/* To be closed with metrics_close(). NULL when memory is short. */
metrics *task_metrics_open(const vow_allocator *allocator);
/* `metrics` NULL: nothing happens. */
void task_metrics_event(metrics *metrics, const task_event *event);
/* How things are now. */
void task_metrics_pool(metrics *metrics, const vow_task_counts *counts);

#endif
