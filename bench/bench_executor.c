/* Functions of other languages as tasks (vow/executor.h), and Python's own ThreadPoolExecutor.
 *
 *   bench_executor [--only GROUP] [--repeats N] [--json] [--json-file FILE] [--check]
 *
 * Empty functions, each with a time limit, a cancel and a record, on two threads. */
#include <stdlib.h>

#include "task_figures.h"
#include "vow/executor.h"

/* As in executor.py. */
enum { CALLS = 5000, OUT = 1000, OUTS = 10, THREADS = 2 };

typedef struct stage {
  vow_executor *executor;
  vow_task_pool *pool;
} stage;

static stage stage_open(void) {
  const vow_task_pool_options options = {.size = sizeof options, .concurrent_max = THREADS};
  stage s;
  if (vow_executor_open(NULL, &s.executor) != VOW_OK ||
      vow_task_pool_open(&options, &s.pool) != VOW_OK)
    broken("memory is short");
  return s;
}

static void stage_close(stage *s) {
  if (vow_task_pool_close(s->pool, VOW_TASK_GRACEFUL, 10000) != VOW_OK ||
      vow_executor_close(s->executor) != VOW_OK)
    broken("the pool does not close");
}

static vow_task *start(stage *s, const vow_function *function) {
  vow_task_spec spec;
  vow_task *task;
  if (vow_executor_task(s->executor, function, &spec) != VOW_OK ||
      vow_task_start(s->pool, &spec, &task) != VOW_OK)
    broken("a task is refused");
  return task;
}

static void end(vow_task *task) {
  if (vow_task_wait(task, VOW_FOREVER) != VOW_OK || vow_task_state(task) != VOW_FULFILLED)
    broken(vow_task_result_of(task)->error_message);
  vow_task_release(task);
}

typedef struct pace {
  double median_us, p99_us, thousands;
} pace;

static pace measure(const vow_function *function) {
  static double ns[CALLS];
  static vow_task *out[OUT];
  stage s = stage_open();
  for (size_t i = 0; i < CALLS / 10; i++)
    end(start(&s, function));
  for (size_t i = 0; i < CALLS; i++) {
    uint64_t at = clock_ns();
    end(start(&s, function));
    ns[i] = (double)(clock_ns() - at);
  }
  uint64_t at = clock_ns();
  for (size_t i = 0; i < OUTS; i++) {
    for (size_t k = 0; k < OUT; k++)
      out[k] = start(&s, function);
    for (size_t k = 0; k < OUT; k++)
      end(out[k]);
  }
  double all_ns = (double)(clock_ns() - at);
  stage_close(&s);
  trip t = trip_of(ns, CALLS);
  return (pace){t.median_us, t.p99_us, (double)OUT * OUTS * 1e6 / all_ns};
}

static pace measure_python(void) {
  return measure(&(vow_function){.size = sizeof(vow_function),
                                 .language = VOW_PYTHON,
                                 .file = VOW_BENCH_DIR "/executor.py",
                                 .name = "nothing"});
}

static pace measure_javascript(void) {
  return measure(&(vow_function){.size = sizeof(vow_function),
                                 .language = VOW_JAVASCRIPT,
                                 .file = VOW_BENCH_DIR "/executor.js",
                                 .name = "nothing"});
}

/* In a process of its own, which has this one's cores. */
static pace measure_futures(void) {
  pace p;
  FILE *peer = popen("python3 " VOW_BENCH_DIR "/executor.py", "r");
  if (!peer || fscanf(peer, "%lf %lf %lf", &p.median_us, &p.p99_us, &p.thousands) != 3 ||
      pclose(peer) != 0)
    broken("Python's ThreadPoolExecutor cannot be measured");
  return p;
}

static bool has_python(void) {
  stage s = stage_open();
  const vow_function function = {
      .size = sizeof function, .language = VOW_PYTHON, .source = "1", .name = NULL};
  vow_task *task = start(&s, &function);
  vow_task_wait(task, VOW_FOREVER);
  bool has = vow_task_state(task) == VOW_FULFILLED;
  if (!has)
    printf("Python: %s\n", vow_task_result_of(task)->error_message);
  vow_task_release(task);
  stage_close(&s);
  return has;
}

/* ---- figures ---- */

typedef struct language {
  pace (*measure)(void);
  const char *keys[2][3], *texts[2][3]; /* free, pinned: one at a time, p99, in flight */
} language;

static const language python = {
    measure_python,
    {{"py_trip_free", "py_p99_free", "py_rate_free"},
     {"py_trip_pinned", "py_p99_pinned", "py_rate_pinned"}},
    {{"a function of Python, free", "... 99 of 100 below", "... 1,000 in flight"},
     {"a function of Python, pinned", "... 99 of 100 below", "... 1,000 in flight"}}};
static const language futures = {
    measure_futures,
    {{"futures_trip_free", "futures_p99_free", "futures_rate_free"},
     {"futures_trip_pinned", "futures_p99_pinned", "futures_rate_pinned"}},
    {{"ThreadPoolExecutor, free", "... 99 of 100 below", "... 1,000 in flight"},
     {"ThreadPoolExecutor, pinned", "... 99 of 100 below", "... 1,000 in flight"}}};
static const language javascript = {
    measure_javascript,
    {{"js_trip_free", "js_p99_free", "js_rate_free"},
     {"js_trip_pinned", "js_p99_pinned", "js_rate_pinned"}},
    {{"a function of JavaScript, free", "... 99 of 100 below", "... 1,000 in flight"},
     {"a function of JavaScript, pinned", "... 99 of 100 below", "... 1,000 in flight"}}};

static void add(figures *all, const language *language, bool pinned) {
  double median[REPEATS_MAX], p99[REPEATS_MAX], rate[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    set_cores(pinned);
    pace p = language->measure();
    median[i] = p.median_us;
    p99[i] = p.p99_us;
    rate[i] = p.thousands;
  }
  set_cores(false);
  figures_add(all, language->keys[pinned][0], language->texts[pinned][0], "us", median, repeats);
  figures_add(all, language->keys[pinned][1], language->texts[pinned][1], "us", p99, repeats);
  figures_add(all, language->keys[pinned][2], language->texts[pinned][2], "k/s", rate, repeats);
}

static void both(figures *all, const language *language) {
  add(all, language, false);
  add(all, language, true);
}

static void measure_of_python(figures *all) {
  if (!has_python())
    return;
  both(all, &python);
  both(all, &futures);
}

static void measure_of_javascript(figures *all) {
  both(all, &javascript);
}

int main(int argc, char **argv) {
  static const bench_group groups[] = {{"python", measure_of_python},
                                       {"javascript", measure_of_javascript}};
  figures all = {.name = "executor"};
  return bench_groups(argc, argv, &all, groups, sizeof groups / sizeof *groups);
}
