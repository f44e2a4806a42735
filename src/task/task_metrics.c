#include "task/task_metrics.h"

typedef enum {
  TASKS,
  CREATED,
  DURATION,
  RETRIES,
  LATE,
  LIVE,
  RUNNING,
  QUEUED,
  THREADS,
  RETIRED,
  RETIRED_LIVE,
  LOST,
  FAMILIES,
} family;

static const metrics_family families[FAMILIES] = {
    [TASKS] = {"vow_tasks_total",
               METRICS_COUNTER,
               "Tasks by name and by how they were settled.",
               {"name", "state"}},
    [CREATED] = {"vow_tasks_created_total", METRICS_COUNTER, "Tasks started, by name.", {"name"}},
    [DURATION] = {"vow_task_duration_seconds",
                  METRICS_HISTOGRAM,
                  "Time from the start of a task to its settlement, by name.",
                  {"name"}},
    [RETRIES] = {"vow_task_retries_total",
                 METRICS_COUNTER,
                 "Attempts after the first, by name.",
                 {"name"}},
    [LATE] = {"vow_tasks_late_total",
              METRICS_COUNTER,
              "Results dropped because they came too late.",
              {NULL}},
    [LIVE] = {"vow_tasks_live", METRICS_GAUGE, "Tasks not settled yet.", {NULL}},
    [RUNNING] = {"vow_tasks_running", METRICS_GAUGE, "Callbacks at work.", {NULL}},
    [QUEUED] = {"vow_tasks_queued", METRICS_GAUGE, "Tasks that wait for a thread.", {NULL}},
    [THREADS] = {"vow_task_threads", METRICS_GAUGE, "Threads, without those given up.", {NULL}},
    [RETIRED] = {"vow_task_threads_retired_total",
                 METRICS_COUNTER,
                 "Threads given up because their callback did not return.",
                 {NULL}},
    [RETIRED_LIVE] = {"vow_task_threads_retired_live",
                      METRICS_GAUGE,
                      "Threads given up that still run.",
                      {NULL}},
    [LOST] = {"vow_metrics_lost_total",
              METRICS_COUNTER,
              "Changes of metrics lost for want of memory.",
              {NULL}},
};

metrics *task_metrics_open(const vow_allocator *allocator) {
  metrics *metrics = metrics_open(allocator, families, FAMILIES);
  for (size_t i = 0; metrics && i < FAMILIES; i++)
    if (!families[i].labels[0])
      metrics_add(metrics, i, NULL, NULL, 0);
  return metrics;
}

void task_metrics_event(metrics *metrics, const task_event *event) {
  if (!metrics)
    return;
  switch (event->kind) {
  case TASK_EVENT_CREATED:
    metrics_add(metrics, CREATED, event->name, NULL, 1);
    break;
  case TASK_EVENT_RETRIED:
    metrics_add(metrics, RETRIES, event->name, NULL, 1);
    break;
  case TASK_EVENT_SETTLED:
    metrics_add(metrics, TASKS, event->name, op_state_text(event->state), 1);
    metrics_observe(metrics, DURATION, event->name, NULL, event->age_ns);
    break;
  default:
    break;
  }
}

void task_metrics_pool(metrics *metrics, const vow_task_counts *counts) {
  const struct {
    family family;
    uint64_t value;
  } values[] = {{LATE, counts->late},          {LIVE, counts->live},
                {RUNNING, counts->active},     {QUEUED, counts->queued},
                {THREADS, counts->threads},    {RETIRED, counts->retired},
                {LOST, metrics_lost(metrics)}, {RETIRED_LIVE, counts->retired_live}};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    metrics_set(metrics, values[i].family, NULL, NULL, (double)values[i].value);
}
