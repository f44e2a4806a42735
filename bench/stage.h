/* A shard with one host operation, `op`, in several manners, for benchmarks:
 * one stage belongs to one thread. */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include <uv.h>

#include "sandbox/run.h"

typedef enum {
  ANSWER_AT_ONCE, /* within the handler's start */
  ANSWER_LATER,   /* from a callback of the loop, in its next iteration */
  ANSWER_NEVER,   /* only when it is asked to stop */
  ANSWERS,
} answer;

typedef struct stage {
  shard *shard;
  host_kind kinds[ANSWERS];
  uv_idle_t idle; /* active while calls wait to be answered */
  host_call **waiting;
  size_t waiting_count, waiting_room;
  uint64_t held;           /* calls begun with ANSWER_NEVER, in all */
  run_template *loaded;    /* what its runs start from; NULL: their source */
  uint64_t first_start_ns; /* when the first call after it was zeroed began */
} stage;

/* One script and what its value must be, as JSON. */
typedef struct script {
  const char *source;
  const char *value;
  answer answer;
} script;

/* The options of a run of it: limits that it does not meet, no on_done. */
run_options stage_options(const stage *stage, const script *script);

void stage_open(stage *stage, engine_kind engine);
void stage_close(stage *stage);
/* From now on, or to stage_unload(), each run is one of `script`, loaded once. */
void stage_load(stage *stage, const script *script);
void stage_unload(stage *stage);

/* Opens a run of `script` whose on_done sets `*done_ns` and checks the value. */
typedef struct performance {
  stage *stage;
  const script *script;
  run *run;
  uint64_t opened_ns, done_ns; /* 0: not yet */
} performance;

void perform_open(performance *performance, stage *stage, const script *script);
/* The same without a look at the outcome: for runs that are to be cancelled. */
void perform_open_endless(performance *performance, stage *stage, const script *script);
/* Turns of the loop until the run is done, then disposal. */
void perform_finish(performance *performance);
/* One run from its source to its disposal. */
void perform(stage *stage, const script *script);

#endif
