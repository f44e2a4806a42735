/* One run with very many operations: calls per second, how soon a cancelled call is
 * rejected in the guest, and what 100,000 operations hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_figures.h"

typedef struct ending {
  uint64_t done_ns;
  op_counts operations;
} ending;

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  ending *ending = user;
  ending->done_ns = clock_ns();
  ending->operations = report->operations;
  if (report->outcome != RUN_VALUE)
    broken(report->error.message ? report->error.message : "a run failed");
}

/* Nanoseconds from the opening of the run to its end. */
static uint64_t run_to_end(caller *caller, const char *source, uint64_t operations) {
  ending end = {0};
  uint64_t start = clock_ns();
  run *run = caller_start(caller, source, on_done, &end);
  while (end.done_ns == 0)
    shard_turn(caller->stage.shard);
  run_dispose(run);
  if (end.operations.fulfilled != operations || end.operations.created != operations)
    broken("not every call was answered");
  return end.done_ns - start;
}

/* ---- calls per second ---- */

#define RATE_CALLS 20000
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

static const char awaited[] = "for (let i = 0; i < " TEXT(RATE_CALLS) "; i++) await op('n1'); 0";
static const char together[] = "for (let i = 0; i < " TEXT(
    RATE_CALLS) "; i += 100) await Promise.all(Array.from({length: 100}, () => op('n1'))); 0";

static void add_rate(figures *all, engine_kind engine, answer how, const char *source,
                     const char *key, const char *text) {
  double values[REPEATS_MAX];
  caller caller;
  caller_open(&caller, engine, how);
  run_to_end(&caller, source, RATE_CALLS);
  for (unsigned i = 0; i < repeats; i++)
    values[i] = RATE_CALLS * 1e9 / (double)run_to_end(&caller, source, RATE_CALLS);
  figures_add(all, key, text, "1/s", values, repeats);
  caller_close(&caller);
}

void measure_rate(figures *all) {
  add_rate(all, ENGINE_WASM, ANSWER_AT_ONCE, awaited, "calls_awaited_per_s",
           "calls, awaited one by one, answered at once");
  add_rate(all, ENGINE_WASM, ANSWER_LATER, awaited, "calls_later_per_s",
           "  the same, answered by the loop");
  add_rate(all, ENGINE_WASM, ANSWER_LATER, together, "calls_together_per_s",
           "calls, 100 in Promise.all, answered by the loop");
  add_rate(all, ENGINE_NATIVE, ANSWER_AT_ONCE, awaited, "native_calls_awaited_per_s",
           "engine native: awaited one by one, answered at once");
  add_rate(all, ENGINE_NATIVE, ANSWER_LATER, awaited, "native_calls_later_per_s",
           "  the same, answered by the loop");
  add_rate(all, ENGINE_NATIVE, ANSWER_LATER, together, "native_calls_together_per_s",
           "  100 in Promise.all, answered by the loop");
}

/* ---- cancels ---- */

enum { CANCELS = 1000 };

/* Microseconds from the request to the guest's next call, which it makes when the
 * rejection has reached its catch. */
static double us_to_rejection(caller *caller, run *run) {
  shard *shard = caller->stage.shard;
  op_info info;
  if (run_pending(run, &info, 1) != 1 || strcmp(info.name, "op") != 0)
    broken("not the one call that was expected");
  caller->seen_ns = 0;
  uint64_t held = caller->stage.held, asked = clock_ns();
  host_answers_begin(shard);
  if (op_cancel(shard_operations(shard), info.id, asked) != OP_OK)
    broken("a call that waits cannot be cancelled");
  host_answers_end(shard);
  while (caller->seen_ns == 0)
    shard_turn(shard);
  while (run_alive(run) && caller->stage.held == held)
    shard_turn(shard);
  return (double)(caller->seen_ns - asked) / 1e3;
}

static void cancel_many(caller *caller, double *p50, double *p99) {
  static const char source[] = "for (let i = 0; i < " TEXT(
      1000) "; i++) {"
            "  const e = await op('n1').catch((e) => e);"
            "  if (e.name !== 'AbortError' || e.operation.name !== 'op') throw e;"
            "  seen(0);"
            "} 0";
  double values[CANCELS];
  ending end = {0};
  run *run = caller_start(caller, source, on_done, &end);
  uint64_t held = caller->stage.held;
  while (caller->stage.held == held)
    shard_turn(caller->stage.shard);
  for (int i = 0; i < CANCELS; i++)
    values[i] = us_to_rejection(caller, run);
  while (end.done_ns == 0)
    shard_turn(caller->stage.shard);
  run_dispose(run);
  if (end.operations.cancelled != CANCELS || end.operations.fulfilled != CANCELS)
    broken("not every call was cancelled once");
  sort_values(values, CANCELS);
  *p50 = quantile(values, CANCELS, 0.5);
  *p99 = quantile(values, CANCELS, 0.99);
}

static void add_cancels(figures *all, engine_kind engine, const char *const keys[2],
                        const char *const texts[2]) {
  double p50[REPEATS_MAX], p99[REPEATS_MAX];
  caller caller;
  caller_open(&caller, engine, ANSWER_NEVER);
  for (unsigned i = 0; i < repeats; i++)
    cancel_many(&caller, &p50[i], &p99[i]);
  figures_add(all, keys[0], texts[0], "us", p50, repeats);
  figures_add(all, keys[1], texts[1], "us", p99, repeats);
  caller_close(&caller);
}

void measure_cancels(figures *all) {
  add_cancels(all, ENGINE_WASM, (const char *const[]){"cancel_p50_us", "cancel_p99_us"},
              (const char *const[]){"cancel, from request to typed rejection: p50", "  p99"});
  add_cancels(
      all, ENGINE_NATIVE, (const char *const[]){"native_cancel_p50_us", "native_cancel_p99_us"},
      (const char *const[]){"engine native: from request to typed rejection: p50", "  p99"});
}

/* ---- 100,000 operations in one run ---- */

enum { OPERATIONS = 100000 };

typedef struct watched {
  uint64_t calls;
  double early_kib, late_kib;
} watched;

static void watch_growth(host_call *call, void *user) {
  (void)call;
  watched *watched = user;
  *(watched->calls++ == 0 ? &watched->early_kib : &watched->late_kib) = private_kib();
}

static void measure_one_by_one(figures *all) {
  static const char source[] =
      "for (let i = 0; i < " TEXT(100000) "; i++) {"
                                          "  await op('n' + i); if (i === 999) await seen(i);"
                                          "} await seen(0)";
  watched watched = {0};
  caller caller;
  caller_open(&caller, ENGINE_WASM, ANSWER_AT_ONCE);
  caller.on_seen = watch_growth;
  caller.user = &watched;
  double ns = (double)run_to_end(&caller, source, OPERATIONS + 2) / OPERATIONS;
  double growth = watched.late_kib - watched.early_kib;
  figures_add(all, "operation_of_100k_ns", "100,000 operations of one run, one by one: each", "ns",
              &ns, 1);
  figure_at_most(figures_add(all, "growth_of_100k_kib", "  memory from the 1,000th to the last",
                             "KiB", &growth, 1),
                 1024);
  caller_close(&caller);
}

/* All are live when the first handler is begun: the guest's turn is over then. */
static void measure_at_once(figures *all) {
  static const char source[] =
      "const all = Promise.all(Array.from({length: " TEXT(100000) "}, (_, i) => op('n' + i)));"
                                                                  "await seen(0); await all; 0";
  watched watched = {0};
  caller caller;
  caller_open(&caller, ENGINE_WASM, ANSWER_LATER);
  caller.on_seen = watch_growth;
  caller.user = &watched;
  double before = private_kib();
  double ns = (double)run_to_end(&caller, source, OPERATIONS + 1) / OPERATIONS;
  double bytes = (watched.early_kib - before) * 1024 / OPERATIONS;
  figures_add(all, "operation_of_100k_at_once_ns", "100,000 live at once in one run: each", "ns",
              &ns, 1);
  figure_at_most(figures_add(all, "bytes_of_100k_at_once",
                             "  memory of each, with its promise in the guest", "bytes", &bytes, 1),
                 4096);
  caller_close(&caller);
}

void measure_operations(figures *all) {
  measure_one_by_one(all);
  measure_at_once(all);
}
