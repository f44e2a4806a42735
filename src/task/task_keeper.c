/* The keeper: a thread that waits for deadlines of tasks, and for those callbacks that go on
 * after their task has settled. */
#include "task/task_int.h"

/* Expired at once under the lock. */
#define EXPIRE_MAX 256u
/* When a thread could not be given up. */
#define RETIRE_AGAIN_NS (10 * TASK_MS)

uint64_t task_keeper_next(const vow_task_pool *pool) {
  uint64_t due = op_next_deadline(pool->table);
  if (!pool->stop_first || pool->retired_live >= pool->retired_max)
    return due;
  uint64_t retire = pool->stop_first->retire_at;
  if (retire < pool->retire_not_before)
    retire = pool->retire_not_before;
  return retire < due ? retire : due;
}

bool task_retire(task_runner *runner, uint64_t now, task_after *after) {
  vow_task_pool *pool = runner->pool;
  if (!pool_retire(pool->threads, &runner->work))
    return false;
  task_unpark(runner);
  runner->retired = true;
  pool->working--;
  pool->retired++;
  pool->retired_live++;
  pool->holders++;
  if (task_is_recorded(runner->task))
    task_record(runner->task, (task_event){.kind = TASK_EVENT_RETIRED, .now_ns = now});
  task_give_up(runner, now, after);
  return true;
}

static void retire_overdue(vow_task_pool *pool, uint64_t now, task_after *after) {
  for (task_runner *runner; (runner = pool->stop_first) && runner->retire_at <= now &&
                            pool->retired_live < pool->retired_max &&
                            pool->retire_not_before <= now;)
    if (!task_retire(runner, now, after))
      pool->retire_not_before = now + RETIRE_AGAIN_NS;
}

/* What is due. Then until what, which is when it sleeps to; 0: it ends. */
static uint64_t keep_once(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  uint64_t now = loop_now();
  op_expire(pool->table, now, EXPIRE_MAX);
  task_take_events(pool, now, &after);
  retire_overdue(pool, now, &after);
  task_take_events(pool, now, &after);
  uint64_t due = pool->keeper_ends ? 0 : task_keeper_next(pool);
  pool->keeper_due = due;
  atomic_store_explicit(&pool->keeper_sleeps.state, SLEEPER_WAITS, memory_order_relaxed);
  task_unlock(pool, &after);
  return due;
}

static void keep(void *user) {
  vow_task_pool *pool = user;
  task_thread_pool = pool;
  for (uint64_t due; (due = keep_once(pool)) > 0;)
    sleeper_wait(&pool->keeper_sleeps, NULL, due);
}

bool task_keeper_start(vow_task_pool *pool) {
  const uv_thread_options_t options = {.flags = UV_THREAD_NO_FLAGS};
  if (!pool->has_keeper)
    pool->has_keeper = uv_thread_create_ex(&pool->keeper, &options, keep, pool) == 0;
  return pool->has_keeper;
}

void task_keeper_end(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  pool->keeper_ends = true;
  bool asleep = sleeper_wake(&pool->keeper_sleeps);
  task_unlock(pool, &after);
  if (asleep)
    sleeper_rouse(&pool->keeper_sleeps);
  if (pool->has_keeper)
    uv_thread_join(&pool->keeper);
}
