/* What one run costs: fresh, with more calls, cancelled, on two shards, in loops. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandbox_figures.h"
#include "stage.h"

/* The native engine makes its globals anew for each run: far fewer runs. */
enum { RUNS = 4000, WARM_UP = 300, NATIVE_RUNS = 40 };

#define THREE_CALLS                                                                                \
  "(async () => {\n"                                                                               \
  "  const a = await op('n1');\n"                                                                  \
  "  const b = await Promise.all([op('n2'), op('n3')]);\n"                                         \
  "  return JSON.stringify([a, ...b]);\n"                                                          \
  "})()"
#define THREE_NOTES "\"[\\\"note\\\",\\\"note\\\",\\\"note\\\"]\""

static const script at_once = {THREE_CALLS, THREE_NOTES, ANSWER_AT_ONCE};
static const script later = {THREE_CALLS, THREE_NOTES, ANSWER_LATER};
static const script synchronous = {"(() => {\n"
                                   "  const op = () => 'note';\n"
                                   "  const a = op('n1');\n"
                                   "  const b = [op('n2'), op('n3')];\n"
                                   "  return JSON.stringify([a, ...b]);\n"
                                   "})()",
                                   THREE_NOTES, ANSWER_AT_ONCE};
static const script smallest = {"1+1", "2", ANSWER_AT_ONCE};

static double us_per_run(stage *stage, const script *script, size_t runs) {
  uint64_t start = clock_ns();
  for (size_t i = 0; i < runs; i++)
    perform(stage, script);
  return (double)(clock_ns() - start) / 1e3 / (double)runs;
}

static void add_runs(figures *all, stage *stage, const char *key, const char *text,
                     const script *script, size_t runs) {
  double values[REPEATS_MAX];
  us_per_run(stage, script, runs / 10);
  for (unsigned i = 0; i < repeats; i++)
    values[i] = us_per_run(stage, script, runs);
  figures_add(all, key, text, "us", values, repeats);
}

void measure_fresh(figures *all) {
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  add_runs(all, &stage, "fresh_3_calls_later_us", "fresh run, 3 calls answered by the loop", &later,
           RUNS);
  add_runs(all, &stage, "fresh_3_calls_us", "fresh run, 3 calls answered at once", &at_once, RUNS);
  add_runs(all, &stage, "fresh_synchronous_us", "the same, synchronous, without host calls",
           &synchronous, RUNS);
  add_runs(all, &stage, "fresh_smallest_us", "1+1", &smallest, RUNS);
  stage_load(&stage, &later);
  add_runs(all, &stage, "loaded_3_calls_later_us", "3 calls by the loop, script loaded once",
           &later, RUNS);
  stage_unload(&stage);
  engine_counts before = engine_counts_of(shard_engine(stage.shard));
  us_per_run(&stage, &later, RUNS);
  engine_counts after = engine_counts_of(shard_engine(stage.shard));
  double pages = (double)(after.pages_restored - before.pages_restored) / RUNS;
  figures_add(all, "pages_restored", "pages restored for each run, 3 calls", "pages", &pages, 1);
  stage_close(&stage);
  stage_open(&stage, ENGINE_NATIVE);
  add_runs(all, &stage, "native_3_calls_us", "engine native (no sandbox): 3 calls, at once",
           &at_once, NATIVE_RUNS);
  stage_close(&stage);
}

/* ---- where the time of a run goes ---- */

enum { OPEN, START, SETTLE, DISPOSE, PHASES };

static void add_phases(stage *stage, double sums[PHASES]) {
  performance one;
  stage->first_start_ns = 0;
  perform_open(&one, stage, &at_once);
  uint64_t opened = clock_ns();
  while (one.done_ns == 0)
    shard_turn(stage->shard);
  uint64_t turned = clock_ns();
  run_dispose(one.run);
  uint64_t disposed = clock_ns();
  sums[OPEN] += (double)(opened - one.opened_ns);
  sums[START] += (double)(stage->first_start_ns - opened);
  sums[SETTLE] += (double)(turned - stage->first_start_ns);
  sums[DISPOSE] += (double)(disposed - turned);
}

void measure_phases(figures *all) {
  static const char *const keys[PHASES] = {"phase_open_us", "phase_start_us", "phase_settle_us",
                                           "phase_dispose_us"};
  static const char *const texts[PHASES] = {"phases of 3 calls at once: open",
                                            "  first turn: compile, run to the first call",
                                            "  other turns, report, instance back", "  disposal"};
  double values[PHASES][REPEATS_MAX];
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  us_per_run(&stage, &at_once, WARM_UP);
  for (unsigned i = 0; i < repeats; i++) {
    double sums[PHASES] = {0};
    for (int k = 0; k < RUNS; k++)
      add_phases(&stage, sums);
    for (int p = 0; p < PHASES; p++)
      values[p][i] = sums[p] / 1e3 / RUNS;
  }
  for (int p = 0; p < PHASES; p++)
    figures_add(all, keys[p], texts[p], "us", values[p], repeats);
  stage_close(&stage);
}

/* ---- one more call ---- */

enum { FEW = 3, MANY = 103, CALL_RUNS = 500 };

#define LOOP_OF(count, body) "(async () => { for (let i = 0; i < " #count "; i++) " body " })()"
#define ALL_OF(count)                                                                              \
  "Promise.all(Array.from({length: " #count "}, () => op('n'))).then(() => null)"
#define AWAIT_ONE "await op('n');"
#define ABORT_ONE                                                                                  \
  "{ const c = new AbortController(); const p = op('n', {signal: c.signal}).catch(() => 0);"       \
  " c.abort(); await p; }"

static void add_marginal(figures *all, stage *stage, const char *key, const char *text,
                         const script *few, const script *many) {
  double values[REPEATS_MAX];
  us_per_run(stage, many, WARM_UP / 10);
  for (unsigned i = 0; i < repeats; i++) {
    double short_us = us_per_run(stage, few, CALL_RUNS);
    values[i] = (us_per_run(stage, many, CALL_RUNS) - short_us) / (MANY - FEW);
  }
  figures_add(all, key, text, "us", values, repeats);
}

void measure_calls(figures *all) {
  static const script awaited[] = {{LOOP_OF(3, AWAIT_ONE), "null", ANSWER_AT_ONCE},
                                   {LOOP_OF(103, AWAIT_ONE), "null", ANSWER_AT_ONCE}};
  static const script looped[] = {{LOOP_OF(3, AWAIT_ONE), "null", ANSWER_LATER},
                                  {LOOP_OF(103, AWAIT_ONE), "null", ANSWER_LATER}};
  static const script together[] = {{ALL_OF(3), "null", ANSWER_AT_ONCE},
                                    {ALL_OF(103), "null", ANSWER_AT_ONCE}};
  static const script aborted[] = {{LOOP_OF(3, ABORT_ONE), "null", ANSWER_NEVER},
                                   {LOOP_OF(103, ABORT_ONE), "null", ANSWER_NEVER}};
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  add_marginal(all, &stage, "call_awaited_us", "one more call, awaited, answered at once",
               &awaited[0], &awaited[1]);
  add_marginal(all, &stage, "call_awaited_later_us", "one more call, awaited, answered by the loop",
               &looped[0], &looped[1]);
  add_marginal(all, &stage, "call_together_us", "one more call in Promise.all", &together[0],
               &together[1]);
  add_marginal(all, &stage, "call_aborted_us", "one more call, cancelled by its signal",
               &aborted[0], &aborted[1]);
  stage_close(&stage);
}

/* ---- one cancel ---- */

enum { CANCELS = 500 };

static double us_per_cancel(stage *stage) {
  static const script waiting = {"op('n')", NULL, ANSWER_NEVER};
  uint64_t spent = 0;
  for (int i = 0; i < CANCELS; i++) {
    performance one;
    uint64_t held = stage->held;
    perform_open_endless(&one, stage, &waiting);
    while (stage->held == held)
      shard_turn(stage->shard);
    uint64_t start = clock_ns();
    run_cancel(one.run);
    run_dispose(one.run);
    spent += clock_ns() - start;
    if (one.done_ns == 0 || shard_handlers(stage->shard) != 0)
      broken("a cancelled run goes on");
  }
  return (double)spent / 1e3 / CANCELS;
}

void measure_cancel(figures *all) {
  double values[REPEATS_MAX];
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  us_per_cancel(&stage);
  for (unsigned i = 0; i < repeats; i++)
    values[i] = us_per_cancel(&stage);
  figures_add(all, "cancel_us", "cancel + dispose a run that waits for a call", "us", values,
              repeats);
  stage_close(&stage);
}

/* ---- two shards ---- */

typedef struct worker {
  pthread_t thread;
  pthread_barrier_t *barrier;
  double us, cpu_us; /* of one run */
} worker;

static void *work(void *user) {
  worker *worker = user;
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  us_per_run(&stage, &later, WARM_UP);
  pthread_barrier_wait(worker->barrier);
  uint64_t cpu = thread_ns();
  worker->us = us_per_run(&stage, &later, RUNS);
  worker->cpu_us = (double)(thread_ns() - cpu) / 1e3 / RUNS;
  pthread_barrier_wait(worker->barrier);
  stage_close(&stage);
  return NULL;
}

/* Runs per second of `count` shards together, each on its own thread; by the
 * clock on the wall, and by the processor time they took. */
typedef struct rates {
  double wall, cpu;
} rates;

static rates rates_of(unsigned count) {
  worker workers[2];
  pthread_barrier_t barrier;
  rates sum = {0};
  if (count > 2 || pthread_barrier_init(&barrier, NULL, count) != 0)
    broken("no barrier");
  for (unsigned i = 0; i < count; i++) {
    workers[i].barrier = &barrier;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
      broken("no thread");
  }
  for (unsigned i = 0; i < count; i++) {
    pthread_join(workers[i].thread, NULL);
    sum.wall += 1e6 / workers[i].us;
    sum.cpu += 1e6 / workers[i].cpu_us;
  }
  pthread_barrier_destroy(&barrier);
  return sum;
}

/* The ratio by processor time tells what shards cost each other also on a
 * machine whose cores are busy with something else. */
void measure_shards(figures *all) {
  double one[REPEATS_MAX], two[REPEATS_MAX], ratios[REPEATS_MAX], cpu_ratios[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    rates alone = rates_of(1), together = rates_of(2);
    one[i] = alone.wall;
    two[i] = together.wall;
    ratios[i] = together.wall / alone.wall;
    cpu_ratios[i] = together.cpu / alone.cpu;
  }
  figures_add(all, "one_shard_per_s", "1 shard: fresh runs, 3 calls by the loop", "1/s", one,
              repeats);
  figures_add(all, "two_shards_per_s", "2 shards on 2 threads", "1/s", two, repeats);
  figure_at_least(figures_add(all, "two_shards_ratio", "  their ratio", "x", ratios, repeats), 1.7);
  figures_add(all, "two_shards_cpu_ratio", "  their ratio by processor time", "x", cpu_ratios,
              repeats);
}

/* ---- guest code alone ---- */

void measure_loops(figures *all) {
  static const script fib = {"function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n"
                             "fib(27)",
                             "196418", ANSWER_AT_ONCE};
  static const script properties = {"const o = {sum: 0, step: 1};\n"
                                    "for (let i = 0; i < 1000000; i++) o.sum = o.sum + o.step;\n"
                                    "o.sum",
                                    "1000000", ANSWER_AT_ONCE};
  double times[2][2][REPEATS_MAX];
  stage stages[2];
  stage_open(&stages[0], ENGINE_WASM);
  stage_open(&stages[1], ENGINE_NATIVE);
  for (unsigned i = 0; i < repeats; i++)
    for (int engine = 0; engine < 2; engine++) {
      times[engine][0][i] = us_per_run(&stages[engine], &fib, 1) / 1e3;
      times[engine][1][i] = us_per_run(&stages[engine], &properties, 1) / 1e3;
    }
  figures_add(all, "fib27_wasm_ms", "fib(27), engine wasm", "ms", times[0][0], repeats);
  figures_add(all, "fib27_native_ms", "fib(27), engine native", "ms", times[1][0], repeats);
  figures_add(all, "properties_wasm_ms", "1e6 property updates, engine wasm", "ms", times[0][1],
              repeats);
  figures_add(all, "properties_native_ms", "1e6 property updates, engine native", "ms", times[1][1],
              repeats);
  stage_close(&stages[0]);
  stage_close(&stages[1]);
}
