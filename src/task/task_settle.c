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
  result->age_ns = now - task->started_ns;
  if (task->place == TASK_RUNNING) {
    result->run_ns += now - task->runner->began_ns;
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

void task_wake_pool_waiters(vow_task_pool *pool, task_after *after) {
  if (pool->idle_waiters && !op_scope_has_live(pool->scope))
    task_wake_all(&pool->idle_waiters, VOW_OK, after);
  if (pool->quiet_waiters && pool->coming + pool->working + pool->parked == 0)
    task_wake_all(&pool->quiet_waiters, VOW_OK, after);
}

void task_unlock(vow_task_pool *pool, task_after *after) {
  bool poke = false;
  if (!pool->closed) {
    if (task_is_short(pool) && !after->no_hire)
      task_hire(pool, after);
    poke = after->sooner && task_keeper_next(pool) < pool->keeper_due;
    if (poke)
      pool->keeper_due = 0;
  }
  task_wake_pool_waiters(pool, after);
  uv_mutex_unlock(&pool->lock);
  if (after->asleep)
    sleeper_rouse(after->asleep);
  if (poke)
    uv_cond_signal(&pool->keeper_wake);
  if (after->hires)
    task_send(pool, after->runner);
  tell_all(after->tells);
  task_nodes_free(after->unused);
  if (after->dropped)
    task_members_free(after->dropped, pool->allocator);
  end_ended(after->ended);
}
