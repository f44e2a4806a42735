/* The groups of bench_sandbox: each measures and adds its figures. */
#ifndef BENCH_SANDBOX_FIGURES_H
#define BENCH_SANDBOX_FIGURES_H

#include "harness.h"

/* sandbox_runs.c: what one run costs */
void measure_fresh(figures *all);
void measure_phases(figures *all);
void measure_calls(figures *all);
void measure_cancel(figures *all);
void measure_shards(figures *all);
void measure_loops(figures *all);

/* sandbox_crowd.c: many at a time */
void measure_memory(figures *all);
void measure_fairness(figures *all);

#endif
