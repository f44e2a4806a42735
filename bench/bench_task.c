/* Tasks (vow/task.h) beside uv_queue_work, std::async and a thread for each callback.
 *
 *   bench_task [--only GROUP] [--repeats N] [--json] [--json-file FILE] [--check]
 *
 * Every callback is empty, has a time limit of 30 s, can be cancelled, and has its record
 * until it is released. A wake-up costs about 5 or 50 us depending on the core it goes to, so
 * one at a time is measured on one core (pinned) and on all (free). Ratios are taken within
 * each repetition. */
#include <stdlib.h>
#include <unistd.h>

#include <uv.h>

#include "task_figures.h"
#include "vow/vow.h"

static void nothing(vow_task_context *context, void *argument) {
  (void)context;
  (void)argument;
}

static vow_task_pool *open_pool(const char *audit) {
  const vow_task_pool_options options = {
      .size = sizeof options, .concurrent_max = 2, .audit = audit, .metrics = audit != NULL};
  vow_task_pool *pool;
  if (vow_task_pool_open(&options, &pool) != VOW_OK)
    broken("the pool cannot be opened");
  return pool;
}

static void close_pool(vow_task_pool *pool) {
  if (vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 10000) != VOW_OK)
    broken("the pool does not close");
}

static void end(vow_task *task) {
  if (vow_task_wait(task, VOW_FOREVER) != VOW_OK || vow_task_state(task) != VOW_FULFILLED)
    broken("a task failed");
  vow_task_release(task);
}

/* ---- one at a time ---- */

static void run_one(vow_task_pool *pool) {
  const vow_task_spec spec = vow_task_call_spec("bench", nothing, NULL);
  vow_task *task;
  if (vow_task_run(pool, &spec, &task) != VOW_OK || vow_task_state(task) != VOW_FULFILLED)
    broken("a task failed");
  vow_task_release(task);
}

static trip task_trip(void) {
  static double ns[TRIPS];
  vow_task_pool *pool = open_pool(NULL);
  for (size_t i = 0; i < TRIPS / 10; i++)
    run_one(pool);
  for (size_t i = 0; i < TRIPS; i++) {
    uint64_t start = clock_ns();
    run_one(pool);
    ns[i] = (double)(clock_ns() - start);
  }
  close_pool(pool);
  return trip_of(ns, TRIPS);
}

typedef struct stage {
  vow_task_pool *pool;
  vow_runtime *runtime;
  size_t left, done;
  uint64_t started_at;
  double *ns;
} stage;

static void next_on_loop(stage *s);

static void done_on_loop(vow_task *task, void *user) {
  stage *s = user;
  s->ns[s->done++] = (double)(clock_ns() - s->started_at);
  vow_task_release(task);
  if (s->left > 0)
    next_on_loop(s);
}

static void next_on_loop(stage *s) {
  const vow_task_spec spec = vow_task_call_spec("bench", nothing, NULL);
  vow_task *task;
  s->left--;
  s->started_at = clock_ns();
  if (vow_task_start(s->pool, &spec, &task) != VOW_OK ||
      vow_task_on_done(task, s->runtime, done_on_loop, s) != VOW_OK)
    broken("a task failed");
}

/* The end comes in a turn of a loop, as that of uv_queue_work does. */
static trip loop_trip(void) {
  static double ns[TRIPS];
  stage s = {.pool = open_pool(NULL), .left = TRIPS, .ns = ns};
  if (vow_runtime_open(NULL, &s.runtime) != VOW_OK)
    broken("the runtime cannot be opened");
  next_on_loop(&s);
  while (s.done < TRIPS)
    vow_loop_run(s.runtime, VOW_LOOP_ONCE);
  vow_runtime_close(s.runtime);
  close_pool(s.pool);
  return trip_of(ns, TRIPS);
}

typedef struct uv_stage {
  uv_loop_t loop;
  uv_work_t work;
  uint64_t started_at;
  size_t left, done;
  double *ns;
} uv_stage;

static void nothing_uv(uv_work_t *work) {
  (void)work;
}

static void done_uv(uv_work_t *work, int status) {
  (void)status;
  uv_stage *s = work->data;
  s->ns[s->done++] = (double)(clock_ns() - s->started_at);
  if (--s->left == 0)
    return;
  s->started_at = clock_ns();
  if (uv_queue_work(&s->loop, &s->work, nothing_uv, done_uv) != 0)
    broken("libuv refuses work");
}

static trip uv_trip(void) {
  static double ns[TRIPS];
  uv_stage s = {.left = TRIPS, .ns = ns};
  s.work.data = &s;
  if (uv_loop_init(&s.loop) != 0)
    broken("no loop");
  s.started_at = clock_ns();
  if (uv_queue_work(&s.loop, &s.work, nothing_uv, done_uv) != 0)
    broken("libuv refuses work");
  uv_run(&s.loop, UV_RUN_DEFAULT);
  uv_loop_close(&s.loop);
  return trip_of(ns, TRIPS);
}

enum { OURS, LOOP, CPP, UV, ASYNC, THREAD, KINDS };

static void trips(figures *all, bool pinned) {
  static trip (*const measure[KINDS])(void) = {task_trip, loop_trip,  cpp_trip,
                                               uv_trip,   async_trip, thread_trip};
  static const char *const keys[2][KINDS + 2] = {
      {"trip_free", "trip_loop_free", "trip_cpp_free", "uv_trip_free", "async_trip_free",
       "thread_trip_free", "trip_free_to_uv", "trip_free_to_async"},
      {"trip_pinned", "trip_loop_pinned", "trip_cpp_pinned", "uv_trip_pinned", "async_trip_pinned",
       "thread_trip_pinned", "trip_pinned_to_uv", "trip_pinned_to_async"}};
  static const char *const texts[2][KINDS] = {
      {"one at a time and wait, free", "the same, its end told to a loop, free",
       "the same from C++, free", "uv_queue_work, free", "std::async and get, free",
       "std::thread and join, free"},
      {"one at a time and wait, pinned", "the same, its end told to a loop, pinned",
       "the same from C++, pinned", "uv_queue_work, pinned", "std::async and get, pinned",
       "std::thread and join, pinned"}};
  static double median[KINDS][REPEATS_MAX], p99[KINDS][REPEATS_MAX];
  double to_uv[REPEATS_MAX], to_async[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    for (int kind = 0; kind < KINDS; kind++) {
      set_cores(pinned);
      trip t = measure[kind]();
      median[kind][i] = t.median_us;
      p99[kind][i] = t.p99_us;
    }
    to_uv[i] = median[OURS][i] / median[UV][i];
    to_async[i] = median[OURS][i] / median[ASYNC][i];
  }
  set_cores(false);
  for (int kind = 0; kind < KINDS; kind++) {
    figures_add(all, keys[pinned][kind], texts[pinned][kind], "us", median[kind], repeats);
    if (kind == OURS || kind == UV)
      figures_add(all,
                  kind == OURS ? (pinned ? "trip_pinned_p99" : "trip_free_p99")
                               : (pinned ? "uv_trip_pinned_p99" : "uv_trip_free_p99"),
                  "... 99 of 100 below", "us", p99[kind], repeats);
  }
  figure *f = figures_add(all, keys[pinned][KINDS], "ours to uv_queue_work", "", to_uv, repeats);
  figure_at_most(f, 1.2);
  f = figures_add(all, keys[pinned][KINDS + 1], "ours to std::async", "", to_async, repeats);
  figure_at_most(f, 1);
}

static void trips_pinned(figures *all) {
  trips(all, true);
}

static void trips_free(figures *all) {
  trips(all, false);
}

/* ---- many in flight ---- */

static double per_second(uint64_t start) {
  return (double)FLIGHT * FLIGHTS * 1e3 / (double)(clock_ns() - start);
}

static double rate_with(const char *audit) {
  static vow_task *out[FLIGHT];
  const vow_task_spec spec = vow_task_call_spec("bench", nothing, NULL);
  vow_task_pool *pool = open_pool(audit);
  uint64_t start = 0;
  for (size_t i = 0; i <= FLIGHTS; i++) {
    if (i == 1) /* the first one warms */
      start = clock_ns();
    for (size_t k = 0; k < FLIGHT; k++)
      if (vow_task_start(pool, &spec, &out[k]) != VOW_OK)
        broken("a task is refused");
    for (size_t k = 0; k < FLIGHT; k++)
      end(out[k]);
  }
  double rate = per_second(start);
  vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 10000); /* lines of an audit may be lost */
  return rate;
}

static double task_rate(void) {
  return rate_with(NULL);
}

static double audited_rate(void) {
  char path[] = "/tmp/vow-bench-XXXXXX";
  int file = mkstemp(path);
  if (file < 0)
    broken("no file for an audit");
  close(file);
  double rate = rate_with(path);
  unlink(path);
  return rate;
}

/* Nobody holds them. */
static double unheld_rate(void) {
  const vow_task_spec spec = vow_task_call_spec("bench", nothing, NULL);
  vow_task_pool *pool = open_pool(NULL);
  uint64_t start = 0;
  for (size_t i = 0; i <= FLIGHTS; i++) {
    if (i == 1)
      start = clock_ns();
    for (size_t k = 0; k < FLIGHT; k++)
      if (vow_task_start(pool, &spec, NULL) != VOW_OK)
        broken("a task is refused");
    vow_task_pool_wait(pool, VOW_FOREVER);
  }
  double rate = per_second(start);
  close_pool(pool);
  return rate;
}

static void counted_uv(uv_work_t *work, int status) {
  (void)status;
  ++*(size_t *)work->data;
}

static double uv_rate(void) {
  static uv_work_t out[FLIGHT];
  size_t done = 0;
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0)
    broken("no loop");
  uint64_t start = 0;
  for (size_t i = 0; i <= FLIGHTS; i++) {
    if (i == 1)
      start = clock_ns();
    for (size_t k = 0; k < FLIGHT; k++) {
      out[k].data = &done;
      if (uv_queue_work(&loop, &out[k], nothing_uv, counted_uv) != 0)
        broken("libuv refuses work");
    }
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  double rate = per_second(start);
  if (done != (size_t)FLIGHT * (FLIGHTS + 1))
    broken("works are lost");
  uv_loop_close(&loop);
  return rate;
}

static void rates_with(figures *all, bool pinned) {
  enum { HELD, UNHELD, IN_CPP, AUDITED, OF_UV, OF_ASYNC, OF_THREAD, RATES };
  static double (*const measure[RATES])(void) = {task_rate, unheld_rate, cpp_rate,   audited_rate,
                                                 uv_rate,   async_rate,  thread_rate};
  static const char *const keys[2][RATES] = {
      {"rate_free", "rate_unheld_free", "rate_cpp_free", "rate_audited_free", "uv_rate_free",
       "async_rate_free", "thread_rate_free"},
      {"rate_pinned", "rate_unheld_pinned", "rate_cpp_pinned", "rate_audited_pinned",
       "uv_rate_pinned", "async_rate_pinned", "thread_rate_pinned"}};
  static const char *const texts[RATES] = {"10,000 in flight, each held and awaited",
                                           "the same, held by nobody",
                                           "the same from C++, each held",
                                           "the same in C, audit and metrics",
                                           "uv_queue_work, 10,000 in flight",
                                           "std::async, 64 in flight",
                                           "std::thread, 64 in flight"};
  static double rate[RATES][REPEATS_MAX];
  double to_uv[REPEATS_MAX], to_async[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    for (int kind = 0; kind < RATES; kind++) {
      set_cores(pinned);
      rate[kind][i] = measure[kind]();
    }
    to_uv[i] = rate[HELD][i] / rate[OF_UV][i];
    to_async[i] = rate[HELD][i] / rate[OF_ASYNC][i];
  }
  set_cores(false);
  for (int kind = 0; kind < RATES; kind++)
    figures_add(all, keys[pinned][kind], texts[kind], pinned ? "M/s, pin" : "M/s", rate[kind],
                repeats);
  figure *f = figures_add(all, pinned ? "rate_pinned_to_uv" : "rate_free_to_uv",
                          "ours to uv_queue_work", "", to_uv, repeats);
  figure_at_least(f, 0.5);
  f = figures_add(all, pinned ? "rate_pinned_to_async" : "rate_free_to_async", "ours to std::async",
                  "", to_async, repeats);
  figure_at_least(f, 20);
}

static void rates(figures *all) {
  rates_with(all, false);
  rates_with(all, true);
}

int main(int argc, char **argv) {
  static const bench_group groups[] = {{"pinned", trips_pinned},
                                       {"free", trips_free},
                                       {"rate", rates},
                                       {"parts", measure_parts},
                                       {"deadline", measure_deadlines},
                                       {"cancel", measure_cancels},
                                       {"memory", measure_memory},
                                       {"crowd", measure_crowd}};
  figures all = {.name = "task"};
  setenv("UV_THREADPOOL_SIZE", "2", 1);
  return bench_groups(argc, argv, &all, groups, sizeof groups / sizeof *groups);
}
