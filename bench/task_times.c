/* How late a time limit and a cancel arrive, what a queued task holds, and 1,000 at once. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <uv.h>

#include "task_figures.h"
#include "vow/task.h"

enum { LIMITS = 300, CROWD = 1000, CANCELS = 2000, QUEUED = 200000 };

static vow_task_pool *open_pool(uint32_t concurrent_max) {
  const vow_task_pool_options options = {.size = sizeof options, .concurrent_max = concurrent_max};
  vow_task_pool *pool;
  if (vow_task_pool_open(&options, &pool) != VOW_OK)
    broken("the pool cannot be opened");
  return pool;
}

static void close_pool(vow_task_pool *pool) {
  if (vow_task_pool_close(pool, VOW_TASK_IMMEDIATE, 0) != VOW_OK)
    broken("the pool does not close");
}

static void until_told(vow_task_context *context, void *argument) {
  (void)argument;
  while (vow_task_sleep(context, 60000))
    continue;
}

/* ---- from the deadline to the result in hand ---- */

static uint64_t limit_ms(size_t i) {
  return 2 + i % 7;
}

/* One at a time, by the clock of who waits. */
static void late_alone(double *ms) {
  vow_task_pool *pool = open_pool(2);
  for (size_t i = 0; i < LIMITS; i++) {
    vow_task_spec spec = vow_task_call_spec("bench", until_told, NULL);
    vow_task *task;
    spec.timeout_ms = limit_ms(i);
    uint64_t start = clock_ns();
    if (vow_task_run(pool, &spec, &task) != VOW_OK || vow_task_state(task) != VOW_TIMED_OUT)
      broken("a task did not time out");
    ms[i] = (double)(clock_ns() - start) / 1e6 - (double)limit_ms(i);
    vow_task_release(task);
  }
  close_pool(pool);
}

typedef struct timed {
  uint64_t due;
  double late_ms;
} timed;

static void note_late(vow_task *task, void *user) {
  timed *t = user;
  (void)task;
  t->late_ms = ((double)clock_ns() - (double)t->due) / 1e6;
}

/* All live at once, 1 ms apart; by who is told. Most never get a thread. */
static void late_among(double *ms) {
  static timed all[CROWD];
  vow_task_pool *pool = open_pool(2);
  for (size_t i = 0; i < CROWD; i++) {
    vow_task_spec spec = vow_task_call_spec("bench", until_told, NULL);
    vow_task *task;
    spec.timeout_ms = 100 + i;
    all[i].due = clock_ns() + spec.timeout_ms * 1000000;
    if (vow_task_start(pool, &spec, &task) != VOW_OK ||
        vow_task_on_done(task, NULL, note_late, &all[i]) != VOW_OK)
      broken("a task is refused");
    vow_task_release(task);
  }
  vow_task_pool_wait(pool, VOW_FOREVER);
  close_pool(pool);
  for (size_t i = 0; i < CROWD; i++)
    ms[i] = all[i].late_ms;
}

static void add_late(figures *all, const char *const keys[3], const char *const texts[3],
                     double values[3][REPEATS_MAX]) {
  for (size_t i = 0; i < 3; i++) {
    figure *f = figures_add(all, keys[i], texts[i], "ms", values[i], repeats);
    if (i == 1)
      figure_at_most(f, 2);
  }
}

static void take_late(double values[3][REPEATS_MAX], unsigned i, double *ms, size_t count) {
  sort_values(ms, count);
  values[0][i] = quantile(ms, count, 0.5);
  values[1][i] = quantile(ms, count, 0.99);
  values[2][i] = ms[count - 1];
}

void measure_deadlines(figures *all) {
  static double ms[CROWD], alone[3][REPEATS_MAX], among[3][REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    late_alone(ms);
    take_late(alone, i, ms, LIMITS);
    late_among(ms);
    take_late(among, i, ms, CROWD);
  }
  add_late(all, (const char *const[]){"late", "late_p99", "late_worst"},
           (const char *const[]){"deadline to result, one at a time", "... 99 of 100 below",
                                 "... worst"},
           alone);
  add_late(all, (const char *const[]){"late_among", "late_among_p99", "late_among_worst"},
           (const char *const[]){"deadline to result, 1,000 live, 1 ms apart",
                                 "... 99 of 100 below", "... worst"},
           among);
}

/* ---- from the cancel to the callback's return ---- */

typedef struct told {
  atomic_bool begun;
  bool polls;
  uint64_t returned_at;
} told;

static void note_return(vow_task_context *context, void *argument) {
  told *t = argument;
  atomic_store(&t->begun, true);
  if (t->polls)
    while (!vow_task_cancelled(context))
      continue;
  else
    until_told(context, NULL);
  t->returned_at = clock_ns();
}

static void cancels(bool polls, double *us) {
  vow_task_pool *pool = open_pool(2);
  for (size_t i = 0; i < CANCELS; i++) {
    told t = {.polls = polls};
    VOW_TASK_GUARD(task) = NULL;
    const vow_task_spec spec = vow_task_call_spec("bench", note_return, &t);
    if (vow_task_start(pool, &spec, &task) != VOW_OK)
      broken("a task is refused");
    while (!atomic_load(&t.begun))
      sched_yield();
    uint64_t start = clock_ns();
    if (vow_task_cancel(task) != VOW_OK)
      broken("a cancel came late");
    vow_task_guard_end(&task);
    task = NULL;
    us[i] = (double)(t.returned_at - start) / 1e3;
  }
  close_pool(pool);
}

void measure_cancels(figures *all) {
  static double us[CANCELS], values[2][2][REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++)
    for (int polls = 0; polls < 2; polls++) {
      cancels(polls, us);
      sort_values(us, CANCELS);
      values[polls][0][i] = quantile(us, CANCELS, 0.5);
      values[polls][1][i] = quantile(us, CANCELS, 0.99);
    }
  figures_add(all, "cancel_sleeps", "cancel to the return of a callback that sleeps", "us",
              values[0][0], repeats);
  figures_add(all, "cancel_sleeps_p99", "... 99 of 100 below", "us", values[0][1], repeats);
  figures_add(all, "cancel_polls", "cancel to the return of one that asks", "us", values[1][0],
              repeats);
  figures_add(all, "cancel_polls_p99", "... 99 of 100 below", "us", values[1][1], repeats);
}

/* ---- memory of a queued task ---- */

void measure_memory(figures *all) {
  vow_task_pool *pool = open_pool(1);
  const vow_task_spec spec = vow_task_call_spec("bench", until_told, NULL);
  double bytes;
  if (vow_task_start(pool, &spec, NULL) != VOW_OK)
    broken("a task is refused");
  double before = private_kib();
  for (size_t i = 0; i < QUEUED; i++)
    if (vow_task_start(pool, &spec, NULL) != VOW_OK)
      broken("a task is refused");
  bytes = (private_kib() - before) * 1024 / QUEUED;
  close_pool(pool);
  figures_add(all, "queued_bytes", "memory of a queued task, 200,000 of them", "bytes", &bytes, 1);
}

/* ---- 1,000 at once ---- */

static void meet(vow_task_context *context, void *argument) {
  (void)context;
  uv_barrier_wait(argument);
}

static void *meet_thread(void *argument) {
  meet(NULL, argument);
  return NULL;
}

static double crowd_of_tasks(vow_task_pool *pool) {
  uv_barrier_t all_here;
  if (uv_barrier_init(&all_here, CROWD + 1) != 0)
    broken("no barrier");
  const vow_task_spec spec = vow_task_call_spec("bench", meet, &all_here);
  uint64_t start = clock_ns();
  for (size_t i = 0; i < CROWD; i++)
    if (vow_task_start(pool, &spec, NULL) != VOW_OK)
      broken("a task is refused");
  uv_barrier_wait(&all_here);
  double ms = (double)(clock_ns() - start) / 1e6;
  vow_task_pool_wait(pool, VOW_FOREVER);
  uv_barrier_destroy(&all_here);
  return ms;
}

static double crowd_of_threads(void) {
  static pthread_t threads[CROWD];
  uv_barrier_t all_here;
  if (uv_barrier_init(&all_here, CROWD + 1) != 0)
    broken("no barrier");
  uint64_t start = clock_ns();
  for (size_t i = 0; i < CROWD; i++)
    if (pthread_create(&threads[i], NULL, meet_thread, &all_here) != 0)
      broken("no thread");
  uv_barrier_wait(&all_here);
  double ms = (double)(clock_ns() - start) / 1e6;
  for (size_t i = 0; i < CROWD; i++)
    pthread_join(threads[i], NULL);
  uv_barrier_destroy(&all_here);
  return ms;
}

void measure_crowd(figures *all) {
  double first[REPEATS_MAX], again[REPEATS_MAX], threads[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    vow_task_pool *pool = open_pool(CROWD);
    first[i] = crowd_of_tasks(pool);
    again[i] = crowd_of_tasks(pool);
    close_pool(pool);
    threads[i] = crowd_of_threads();
  }
  figures_add(all, "crowd", "1,000 callbacks at once, their threads made", "ms", first, repeats);
  figures_add(all, "crowd_again", "... their threads there", "ms", again, repeats);
  figures_add(all, "crowd_threads", "1,000 threads at once", "ms", threads, repeats);
}
