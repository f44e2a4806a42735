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

static bool has_work(const task_after *after) {
  return after->ended || after->unused || after->dropped || after->tells || after->asleep;
}

/* Under the lock, also at the end. */
static void sleep_until_due(vow_task_pool *pool) {
  uint64_t due = task_keeper_next(pool), now = loop_now();
  if (due <= now || pool->keeper_ends)
    return;
  pool->keeper_due = due;
  if (due == UINT64_MAX)
    uv_cond_wait(&pool->keeper_wake, &pool->lock);
  else
    uv_cond_timedwait(&pool->keeper_wake, &pool->lock, due - now);
  pool->keeper_due = 0;
}

static void keep(void *user) {
  vow_task_pool *pool = user;
  task_thread_pool = pool;
  uv_mutex_lock(&pool->lock);
  while (!pool->keeper_ends) {
    task_after after = {.ended = NULL};
    uint64_t now = loop_now();
    op_expire(pool->table, now, EXPIRE_MAX);
    task_take_events(pool, now, &after);
    retire_overdue(pool, now, &after);
    task_take_events(pool, now, &after);
    task_wake_pool_waiters(pool, &after);
    if (has_work(&after) || task_is_short(pool)) {
      task_unlock(pool, &after);
      uv_mutex_lock(&pool->lock);
    } else {
      sleep_until_due(pool);
    }
  }
  uv_mutex_unlock(&pool->lock);
}

bool task_keeper_start(vow_task_pool *pool) {
  const uv_thread_options_t options = {.flags = UV_THREAD_NO_FLAGS};
  if (!pool->has_keeper)
    pool->has_keeper = uv_thread_create_ex(&pool->keeper, &options, keep, pool) == 0;
  return pool->has_keeper;
}

void task_keeper_end(vow_task_pool *pool) {
  uv_mutex_lock(&pool->lock);
  pool->keeper_ends = true;
  uv_cond_signal(&pool->keeper_wake);
  uv_mutex_unlock(&pool->lock);
  if (pool->has_keeper)
    uv_thread_join(&pool->keeper);
}
