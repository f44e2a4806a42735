/* Settlements, and what follows a crossing of the lock. */
#include "task/task_int.h"

/* ---- the ready ones ---- */

static void set_ready(vow_task_pool *pool, uint32_t ready) {
  atomic_store_explicit(&pool->ready, ready, memory_order_relaxed);
}

static void add_ready(vow_task *task) {
  vow_task_pool *pool = task->pool;
  task->place = TASK_READY;
  task->next = NULL;
  task->previous = pool->ready_last;
  *(pool->ready_last ? &pool->ready_last->next : &pool->ready_first) = task;
  pool->ready_last = task;
  set_ready(pool, pool->ready + 1);
}

void task_unready(vow_task *task) {
  vow_task_pool *pool = task->pool;
  *(task->previous ? &task->previous->next : &pool->ready_first) = task->next;
  *(task->next ? &task->next->previous : &pool->ready_last) = task->previous;
  task->place = TASK_AWAY;
  set_ready(pool, pool->ready - 1);
}

/* ---- settling ---- */

static void set_error(vow_task_result *result, const char *type, const char *message) {
  result->error_type = type;
  result->error_message = message;
}

static void tell_after(vow_task *task, task_after *after) {
  task_done *done = task->done;
  if (!done)
    return;
  task->done = NULL;
  done->next = after->tells;
  after->tells = done;
}

void task_settle(vow_task *task, vow_state state, uint64_t now, task_after *after) {
  vow_task_result *result = &task->result;
  result->state = state;
  result->age_ns = task_elapsed(task->started_ns, now);
  if (task->place == TASK_RUNNING) {
    result->run_ns += task_elapsed(task->runner->began_ns, now);
    /* Before the state is seen, which is before STOP is taken. Where it is by result the
     * callback has returned. */
    atomic_store_explicit(&task->runner->cancelled, true, memory_order_relaxed);
  }
  if (state == VOW_TIMED_OUT)
    set_error(result, "TimeoutError", "its time limit is over");
  else if (state == VOW_OP_CANCELLED)
    set_error(result, "AbortError", "it was cancelled");
  atomic_store_explicit(&task->state, (unsigned char)state, memory_order_release);
  for (task_waiter *waiter = task->waiters, *next; waiter; waiter = next) {
    next = waiter->next;
    if (!waiter->for_return)
      task_wake(waiter, VOW_OK, after);
  }
  tell_after(task, after);
  if (task_is_recorded(task))
    task_record_settled(task, now);
  if (task->members)
    task_group_leave(task);
  if (task->group)
    task_group_hear(task, now, after);
}

void task_end(vow_task *task, task_after *after) {
  if (task->node)
    task_node_drop(task->node, &after->unused);
  task->next = after->ended;
  after->ended = task;
}

void task_reject(vow_task *task, const char *type, const char *message, uint64_t now,
                 task_after *after) {
  op_table *table = task->pool->table;
  set_error(&task->result, type, message);
  if (op_reject(table, task->id, now) == OP_OK)
    task_settle(task, VOW_REJECTED, now, after);
}

/* ---- events of the table ---- */

static vow_state state_of(op_state state) {
  switch (state) {
  case OP_TIMED_OUT:
    return VOW_TIMED_OUT;
  case OP_CANCELLED:
    return VOW_OP_CANCELLED;
  default:
    return VOW_REJECTED;
  }
}

/* One that is ready, and a group, has STOP still to come; one that runs ends with its runner. */
static void on_settled(vow_task *task, op_state state, uint64_t now, task_after *after) {
  task_settle(task, state_of(state), now, after);
  if (task->place == TASK_AWAY)
    task_end(task, after);
}

static void on_stop(vow_task *task, uint64_t now, task_after *after) {
  if (task->place == TASK_RUNNING) {
    task_stop(task->runner, now, after);
    return;
  }
  if (task->place == TASK_READY)
    task_unready(task);
  task->place = TASK_AWAY;
  op_handler_done(task->pool->table, task->id, now);
  task_end(task, after);
}

void task_take_events(vow_task_pool *pool, uint64_t now, task_after *after) {
  op_event event;
  while (op_next_event(pool->table, &event)) {
    vow_task *task = event.user;
    if (event.kind == OP_EVENT_START && task->form != VOW_TASK_CALL)
      task_group_begin(task, now, after);
    else if (event.kind == OP_EVENT_START)
      add_ready(task);
    else if (event.kind == OP_EVENT_SETTLED)
      on_settled(task, event.state, now, after);
    else if (event.kind == OP_EVENT_STOP)
      on_stop(task, now, after);
  }
}

/* ---- after the lock ---- */

static void end_ended(vow_task *task) {
  while (task) {
    vow_task *next = task->next;
    void (*argument_free)(void *argument) = task->argument_free;
    task->argument_free = NULL;
    if (argument_free)
      argument_free(task->argument);
    vow_task_release(task);
    task = next;
  }
}

/* The last ones told are the first in the list. */
static void tell_all(task_done *done) {
  while (done) {
    task_done *next = done->next;
    done->tell(done, done->task);
    done = next;
  }
}

static void wake_pool_waiters(vow_task_pool *pool, task_after *after) {
  if (pool->idle_waiters && !op_scope_has_live(pool->scope) && !task_inbox_waits(pool))
    task_wake_all(&pool->idle_waiters, VOW_OK, after);
  if (pool->quiet_waiters && pool->coming + pool->working + pool->parked == 0)
    task_wake_all(&pool->quiet_waiters, VOW_OK, after);
}

/* ---- the lock ---- */

static void take_inbox(vow_task_pool *pool, task_after *after) {
  if (!task_inbox_waits(pool))
    return;
  task_inbox_take(pool);
  task_take_events(pool, loop_now(), after);
}

void task_lock(vow_task_pool *pool, task_after *after) {
  spin_mutex_lock(&pool->lock);
  take_inbox(pool, after);
}

bool task_try_lock(vow_task_pool *pool, task_after *after) {
  if (task_inbox_is_watched(pool) || uv_mutex_trylock(&pool->lock) != 0)
    return false;
  take_inbox(pool, after);
  return true;
}

/* The keeper, if it has to be roused. */
static const sleeper *poke_keeper(vow_task_pool *pool) {
  bool late = pool->sooner && task_keeper_next(pool) < pool->keeper_due;
  pool->sooner = false;
  if (!late)
    return NULL;
  pool->keeper_due = 0;
  return sleeper_wake(&pool->keeper_sleeps) ? &pool->keeper_sleeps : NULL;
}

/* Where no thread can be had the inbox waits for the next crossing, which tries again. */
static void leave(vow_task_pool *pool, task_after *after) {
  const sleeper *keeper = NULL;
  after->hires = false;
  if (!pool->closed && !after->no_hire) {
    take_inbox(pool, after);
    if (task_is_short(pool))
      task_hire(pool, after);
  }
  if (!pool->closed)
    keeper = poke_keeper(pool);
  wake_pool_waiters(pool, after);
  const sleeper *asleep = after->asleep;
  after->asleep = NULL;
  after->no_hire = false;
  uv_mutex_unlock(&pool->lock);
  if (asleep)
    sleeper_rouse(asleep);
  if (keeper)
    sleeper_rouse(keeper);
}

/* Between giving the lock back, or putting into the inbox, and a look at the other of them: of
 * two threads that do so at once, one sees what the other has done. */
static void fence(void) {
  atomic_thread_fence(memory_order_seq_cst);
}

static bool lock_to_help(vow_task_pool *pool) {
  fence();
  return task_inbox_waits(pool) && uv_mutex_trylock(&pool->lock) == 0;
}

/* Under the lock. Gives it back, with what the inbox has until then. */
static void leave_all(vow_task_pool *pool, task_after *after) {
  do {
    leave(pool, after);
    while (after->hires && !task_send(pool, after->runner)) {
      uv_mutex_lock(&pool->lock);
      task_hire_failed(pool, after);
      leave(pool, after);
    }
  } while (lock_to_help(pool));
}

/* What is called is not a part of the callback, if any, that this thread is in. */
void task_unlock(vow_task_pool *pool, task_after *after) {
  leave_all(pool, after);
  const task_after what = *after;
  *after = (task_after){.ended = NULL};
  task_runner *self = task_self;
  task_self = NULL;
  tell_all(what.tells);
  task_nodes_free(what.unused);
  if (what.dropped)
    task_members_free(what.dropped, pool->allocator);
  end_ended(what.ended);
  task_self = self;
}

void task_inbox_help(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  fence();
  if (!task_inbox_is_watched(pool) && task_inbox_waits(pool) && uv_mutex_trylock(&pool->lock) == 0)
    task_unlock(pool, &after);
}
