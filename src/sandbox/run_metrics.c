#include "sandbox/run_metrics.h"

typedef enum {
  RUNS,
  RUN_DURATION,
  RUN_SECONDS,
  OPERATIONS,
  CREATED,
  DURATION,
  RETRIES,
  CACHE_HITS,
  LATE,
  CONCURRENT_MAX,
  LIVE,
  RUNNING,
  QUEUED,
  TIMERS,
  MEMORY_PEAK,
  MEMORY_LIMIT,
  SANDBOXES,
  SANDBOXES_LIVE,
  PAGES,
  TEMPLATE,
  THREADS,
  POOL_QUEUED,
  LOST,
  FAMILIES,
} family;

static const metrics_family families[FAMILIES] = {
    [RUNS] = {"vow_runs_total",
              METRICS_COUNTER,
              "Runs by outcome and kind of failure.",
              {"outcome", "kind"}},
    [RUN_DURATION] = {"vow_run_duration_seconds",
                      METRICS_HISTOGRAM,
                      "Wall time of runs by outcome.",
                      {"outcome"}},
    [RUN_SECONDS] = {"vow_run_seconds_total",
                     METRICS_COUNTER,
                     "Time of runs by clock; the sum is the wall time.",
                     {"clock"}},
    [OPERATIONS] = {"vow_operations_total",
                    METRICS_COUNTER,
                    "Operations by kind and by how they were settled.",
                    {"kind", "state"}},
    [CREATED] = {"vow_operations_created_total",
                 METRICS_COUNTER,
                 "Operations created, by kind.",
                 {"kind"}},
    [DURATION] = {"vow_operation_duration_seconds",
                  METRICS_HISTOGRAM,
                  "Time from the creation of an operation to its settlement, by kind.",
                  {"kind"}},
    [RETRIES] = {"vow_operation_retries_total",
                 METRICS_COUNTER,
                 "Attempts after the first, by kind.",
                 {"kind"}},
    [CACHE_HITS] = {"vow_operation_cache_hits_total",
                    METRICS_COUNTER,
                    "Operations that an earlier answer served, by kind.",
                    {"kind"}},
    [LATE] = {"vow_operations_late_total",
              METRICS_COUNTER,
              "Answers dropped because they came too late.",
              {NULL}},
    [CONCURRENT_MAX] = {"vow_operations_concurrent_max",
                        METRICS_GAUGE,
                        "The most operations that ran at once in one run.",
                        {NULL}},
    [LIVE] = {"vow_operations_live", METRICS_GAUGE, "Operations not settled yet.", {NULL}},
    [RUNNING] = {"vow_operations_running", METRICS_GAUGE, "Handlers at work.", {NULL}},
    [QUEUED] = {"vow_operations_queued", METRICS_GAUGE, "Operations that wait to start.", {NULL}},
    [TIMERS] = {"vow_timers_live", METRICS_GAUGE, "Timers that have not fired.", {NULL}},
    [MEMORY_PEAK] = {"vow_memory_peak_bytes",
                     METRICS_GAUGE,
                     "The most memory that one run held.",
                     {NULL}},
    [MEMORY_LIMIT] = {"vow_memory_limit_bytes",
                      METRICS_GAUGE,
                      "The memory that the last run could hold.",
                      {NULL}},
    [SANDBOXES] = {"vow_sandboxes_total",
                   METRICS_COUNTER,
                   "Sandboxes by what became of their memory.",
                   {"memory"}},
    [SANDBOXES_LIVE] = {"vow_sandboxes_live", METRICS_GAUGE, "Sandboxes in use.", {NULL}},
    [PAGES] = {"vow_sandbox_pages_restored_total",
               METRICS_COUNTER,
               "Pages of memory copied back from a template.",
               {NULL}},
    [TEMPLATE] = {"vow_template_bytes",
                  METRICS_GAUGE,
                  "Size of the memory that a sandbox starts with; 0 natively.",
                  {NULL}},
    [THREADS] = {"vow_pool_threads", METRICS_GAUGE, "Worker threads.", {NULL}},
    [POOL_QUEUED] = {"vow_pool_queued", METRICS_GAUGE, "Work that no worker has taken.", {NULL}},
    [LOST] = {"vow_metrics_lost_total",
              METRICS_COUNTER,
              "Changes of metrics lost for want of memory.",
              {NULL}},
};

metrics *run_metrics_open(const vow_allocator *allocator) {
  metrics *metrics = metrics_open(allocator, families, FAMILIES);
  for (size_t i = 0; metrics && i < FAMILIES; i++)
    if (!families[i].labels[0])
      metrics_add(metrics, i, NULL, NULL, 0);
  return metrics;
}

static void add(metrics *metrics, family family, const char *label, double amount) {
  metrics_add(metrics, family, label, NULL, amount);
}

static void set(metrics *metrics, family family, uint64_t value) {
  metrics_set(metrics, family, NULL, NULL, (double)value);
}

void run_metrics_event(metrics *metrics, const run_event *event) {
  switch (event->kind) {
  case RUN_EVENT_CREATED:
    add(metrics, CREATED, event->name, 1);
    break;
  case RUN_EVENT_RETRIED:
    add(metrics, RETRIES, event->name, 1);
    break;
  case RUN_EVENT_CACHE_HIT:
    add(metrics, CACHE_HITS, event->name, 1);
    break;
  case RUN_EVENT_SETTLED:
    metrics_add(metrics, OPERATIONS, event->name, op_state_text(event->state), 1);
    metrics_observe(metrics, DURATION, event->name, NULL, event->age_ns);
    break;
  default:
    break;
  }
}

void run_metrics_report(metrics *metrics, const run_report *report) {
  const char *outcome = run_outcome_text(report->outcome);
  metrics_add(metrics, RUNS, outcome, run_kind_text(report->error.kind), 1);
  metrics_observe(metrics, RUN_DURATION, outcome, NULL, report->wall_ns);
  add(metrics, RUN_SECONDS, "guest", (double)report->guest_ns / 1e9);
  add(metrics, RUN_SECONDS, "host_wait", (double)report->host_wait_ns / 1e9);
  add(metrics, RUN_SECONDS, "ready", (double)report->ready_ns / 1e9);
  metrics_max(metrics, CONCURRENT_MAX, NULL, NULL, (double)report->operations.running_max);
  metrics_max(metrics, MEMORY_PEAK, NULL, NULL, (double)report->memory_peak);
  set(metrics, MEMORY_LIMIT, report->memory_limit);
}

void run_metrics_shard(metrics *metrics, shard *shard, const engine_counts *since, pool *pool) {
  op_counts operations = op_table_counts(shard_operations(shard));
  engine_counts engine = engine_counts_of(shard_engine(shard));
  pool_counts workers = pool_counts_of(pool);
  set(metrics, LATE, operations.late);
  set(metrics, LIVE, operations.live);
  set(metrics, RUNNING, operations.running);
  set(metrics, QUEUED, operations.queued);
  set(metrics, TIMERS, operations.timers);
  metrics_set(metrics, SANDBOXES, "recycled", NULL, (double)(engine.recycled - since->recycled));
  metrics_set(metrics, SANDBOXES, "discarded", NULL, (double)(engine.discarded - since->discarded));
  set(metrics, SANDBOXES_LIVE, engine.live);
  set(metrics, PAGES, engine.pages_restored - since->pages_restored);
  set(metrics, TEMPLATE, engine.template_bytes);
  set(metrics, THREADS, workers.threads);
  set(metrics, POOL_QUEUED, workers.queued);
  set(metrics, LOST, metrics_lost(metrics));
}
