/* Sandboxes on one shard: time and memory of runs.
 *
 *   bench_sandbox [--json] [--json-file FILE] [--check] [--only GROUP] [--repeats N]
 *
 * --json prints JSON instead of the table, --json-file writes it beside the
 * table; --check exits 1 when a target is missed; --only measures one of the
 * groups below; --repeats takes each timed figure N times (7, at most 31) and
 * gives the median. */
#include "sandbox_figures.h"

static const bench_group groups[] = {
    {"fresh", measure_fresh},   {"phases", measure_phases}, {"calls", measure_calls},
    {"cancel", measure_cancel}, {"shards", measure_shards}, {"loops", measure_loops},
    {"memory", measure_memory}, {"fair", measure_fairness},
};

int main(int argc, char **argv) {
  static figures all = {.name = "sandbox"};
  return bench_groups(argc, argv, &all, groups, sizeof groups / sizeof groups[0]);
}
