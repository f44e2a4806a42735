/* What the overhead of a task is made of, each part alone and in one thread but the
 * hand-over. They do not add up to the whole: threads meet at the lock, and caches. */
#include <stdlib.h>

#include "core/op.h"
#include "loop/spin.h"
#include "task/pool.h"
#include "task_figures.h"
#include "vow/task.h"

enum { ROUNDS = 1000000 };

/* ---- the record ---- */

typedef struct sizes {
  size_t largest; /* asked for at once while they are counted */
  bool counting;
} sizes;

static void *sized_reallocate(void *user, void *block, size_t size) {
  sizes *s = user;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (s->counting && size > s->largest)
    s->largest = size;
  return realloc(block, size);
}

static void until_told(vow_task_context *context, void *argument) {
  (void)argument;
  while (vow_task_sleep(context, 60000))
    continue;
}

static void start(vow_task_pool *pool, vow_task **task) {
  const vow_task_spec spec = vow_task_call_spec("bench", until_told, NULL);
  if (vow_task_start(pool, &spec, task) != VOW_OK)
    broken("a task is refused");
}

/* Of a task that waits behind another one, so that nothing else is allocated. */
static size_t record_bytes(void) {
  sizes sizes = {0};
  const vow_allocator allocator = {sized_reallocate, &sizes};
  const vow_task_pool_options options = {
      .size = sizeof options, .allocator = &allocator, .concurrent_max = 1};
  vow_task_pool *pool;
  vow_task *tasks[3];
  if (vow_task_pool_open(&options, &pool) != VOW_OK)
    broken("the pool cannot be opened");
  start(pool, &tasks[0]);
  start(pool, &tasks[1]);
  sizes.counting = true;
  start(pool, &tasks[2]);
  sizes.counting = false;
  for (size_t i = 3; i-- > 0;)
    vow_task_guard_end(&tasks[i]);
  vow_task_pool_close(pool, VOW_TASK_IMMEDIATE, 0);
  return sizes.largest;
}

static double record_ns(size_t bytes) {
  void *volatile block;
  uint64_t start = clock_ns();
  for (size_t i = 0; i < ROUNDS; i++) {
    block = mem_new(NULL, 1, bytes);
    if (!block)
      broken("memory is short");
    mem_free(NULL, block);
  }
  return (double)(clock_ns() - start) / ROUNDS;
}

/* ---- the operation, the lock, the clock ---- */

/* Created with a deadline, started, settled, and its handler ended. */
static double operation_ns(void) {
  op_table *table = op_table_open(NULL, 0);
  op_scope *scope = table ? op_scope_open(table, NULL, OP_NEVER, NULL, 0) : NULL;
  const op_policy policy = {.concurrent_max = 2, .queue_max = 1000, .priority = 0};
  op_kind *kind = scope ? op_kind_open(table, "bench", &policy, 1) : NULL;
  if (!kind)
    broken("memory is short");
  const op_spec spec = {.kind = kind, .timeout_ns = SECOND_NS};
  op_event event;
  op_id id;
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++)
    if (op_submit(scope, &spec, i, &id) != OP_OK || !op_next_event(table, &event) ||
        op_fulfil(table, id, i) != OP_OK || op_handler_done(table, id, i) != OP_OK)
      broken("an operation failed");
  double ns = (double)(clock_ns() - start) / ROUNDS;
  op_scope_close(scope, ROUNDS);
  op_scope_release(scope);
  op_kind_close(kind);
  op_table_close(table);
  return ns;
}

static double lock_ns(void) {
  uv_mutex_t lock;
  if (spin_mutex_init(&lock) != 0)
    broken("no lock");
  uint64_t start = clock_ns();
  for (size_t i = 0; i < ROUNDS; i++) {
    uv_mutex_lock(&lock);
    uv_mutex_unlock(&lock);
  }
  double ns = (double)(clock_ns() - start) / ROUNDS;
  uv_mutex_destroy(&lock);
  return ns;
}

static double read_clock_ns(void) {
  uint64_t start = clock_ns();
  for (size_t i = 0; i < ROUNDS; i++)
    (void)uv_hrtime();
  return (double)(clock_ns() - start) / ROUNDS;
}

/* ---- the hand-over ---- */

typedef struct handed {
  pool_work work; /* must stay first */
  uv_sem_t *done;
} handed;

static void nothing(pool_work *work, void *state) {
  (void)work;
  (void)state;
}

static void done(pool_work *work) {
  uv_sem_post(((handed *)work)->done);
}

static double trips_ns(pool *pool, handed *one) {
  static double ns[TRIPS];
  for (size_t i = 0; i < TRIPS; i++) {
    uint64_t start = clock_ns();
    if (pool_submit(pool, NULL, &one->work) != POOL_OK)
      broken("work was refused");
    uv_sem_wait(one->done);
    ns[i] = (double)(clock_ns() - start);
  }
  return trip_of(ns, TRIPS).median_us * 1e3;
}

static double flights_ns(pool *pool, handed *all) {
  uint64_t start = clock_ns();
  for (size_t i = 0; i < FLIGHTS; i++) {
    for (size_t k = 0; k < FLIGHT; k++)
      if (pool_submit(pool, NULL, &all[k].work) != POOL_OK)
        broken("work was refused");
    for (size_t k = 0; k < FLIGHT; k++)
      uv_sem_wait(all[k].done);
  }
  return (double)(clock_ns() - start) / FLIGHT / FLIGHTS;
}

/* Bare work to a thread of the pool, and a semaphore back: one at a time and in flight. */
static void hand_over(double *one, double *many) {
  static handed all[FLIGHT];
  uv_sem_t ended;
  pool *pool = pool_open(&(pool_options){.threads_max = 2});
  if (!pool || uv_sem_init(&ended, 0) != 0)
    broken("memory is short");
  for (size_t k = 0; k < FLIGHT; k++) {
    all[k].work.run = nothing;
    all[k].work.done = done;
    all[k].done = &ended;
  }
  *one = trips_ns(pool, &all[0]);
  *many = flights_ns(pool, all);
  pool_close(pool);
  uv_sem_destroy(&ended);
}

/* ---- all of it ---- */

void measure_parts(figures *all) {
  enum { RECORD, OPERATION, LOCK, CLOCK, TRIP, FLOW, RETURNS, THROWS, PARTS };
  static double ns[PARTS][REPEATS_MAX];
  static const struct {
    const char *key, *text;
  } parts[PARTS] = {
      {"part_record", "record: allocated and freed"},
      {"part_operation", "operation of the core: its whole life"},
      {"part_lock", "lock: taken and given back, nobody else there"},
      {"part_clock", "clock: read"},
      {"part_trip", "hand-over: one bare work and a semaphore back"},
      {"part_flow", "hand-over: 10,000 in flight, each"},
      {"part_returns", "C++ callable in flight, each, all of it"},
      {"part_throws", "... that throws"},
  };
  size_t bytes = record_bytes();
  for (unsigned i = 0; i < repeats; i++) {
    ns[RECORD][i] = record_ns(bytes);
    ns[OPERATION][i] = operation_ns();
    ns[LOCK][i] = lock_ns();
    ns[CLOCK][i] = read_clock_ns();
    hand_over(&ns[TRIP][i], &ns[FLOW][i]);
    ns[RETURNS][i] = 1e3 / cpp_rate();
    ns[THROWS][i] = 1e3 / cpp_throw_rate();
  }
  for (size_t part = 0; part < PARTS; part++)
    figures_add(all, parts[part].key, parts[part].text, "ns", ns[part], repeats);
}
