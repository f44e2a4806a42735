/* What runs, their operations, sandboxes and workers come to, as metrics
 * (core/metrics.h; names in docs/command-line.md). Loop thread. */
#ifndef VOW_SANDBOX_RUN_METRICS_H
#define VOW_SANDBOX_RUN_METRICS_H

#include "core/metrics.h"
#include "sandbox/run.h"
#include "task/pool.h"

/* Every figure that needs no label is there from the beginning. NULL when memory is
 * short; metrics_close() ends it. */
metrics *run_metrics_open(const vow_allocator *allocator);
/* For on_event and on_done of each run. */
void run_metrics_event(metrics *metrics, const run_event *event);
void run_metrics_report(metrics *metrics, const run_report *report);
/* The state of a shard and of its engine now; `since`: what to leave out of the
 * engine's counts. `pool` may be NULL. */
void run_metrics_shard(metrics *metrics, shard *shard, const engine_counts *since, pool *pool);

#endif
