/* What the files of bench_task and bench_executor share. */
#ifndef BENCH_TASK_FIGURES_H
#define BENCH_TASK_FIGURES_H

#include "harness.h"
#include "task_peers.h"

/* task_parts.c: what the overhead is made of. */
void measure_parts(figures *all);
/* task_times.c */
void measure_deadlines(figures *all);
void measure_cancels(figures *all);
void measure_memory(figures *all);
void measure_crowd(figures *all);

#endif
