/* The groups of bench_load: each measures and adds its figures. */
#ifndef BENCH_LOAD_FIGURES_H
#define BENCH_LOAD_FIGURES_H

#include "harness.h"
#include "stage.h"

/* load_calls.c: one run with very many operations */
void measure_rate(figures *all);
void measure_cancels(figures *all);
void measure_operations(figures *all);

/* load_crowd.c: very many runs */
void measure_crowd(figures *all);

/* load_notes.c: the database behind the calls */
void measure_notes(figures *all);

/* What a script may call here: `op`, as the stage answers it (`how`), and `seen`, which
 * notes the time and is answered at once. */
typedef struct caller {
  stage stage;
  host_kind kinds[2];
  uint64_t seen_ns; /* of the last `seen`; 0: none since it was zeroed */
  uint64_t seen;    /* how many there were */
  void (*on_seen)(host_call *call, void *user);
  void *user; /* of on_seen; NULL: nobody is told */
} caller;

void caller_open(caller *caller, engine_kind engine, answer how);
void caller_close(caller *caller);
/* A run of `source` with limits that it does not meet; `on_done` may be NULL. */
run *caller_start(caller *caller, const char *source,
                  void (*on_done)(run *, const run_report *, void *), void *user);

#endif
