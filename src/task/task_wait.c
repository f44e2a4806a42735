/* Waiting for a task, for a pool, and for time. */
#include "task/task_int.h"

static _Thread_local spin waiting;

/* ---- waiters ---- */

void task_waiter_add(task_waiter **list, task_waiter *waiter) {
  waiter->list = list;
  waiter->previous = NULL;
  waiter->next = *list;
  if (*list)
    (*list)->previous = waiter;
  *list = waiter;
}

void task_waiter_remove(task_waiter *waiter) {
  if (!waiter->list)
    return;
  *(waiter->previous ? &waiter->previous->next : waiter->list) = waiter->next;
  if (waiter->next)
    waiter->next->previous = waiter->previous;
  waiter->list = NULL;
}

void task_wake(task_waiter *waiter, vow_status status, task_after *after) {
  if (waiter->woken)
    return;
  task_waiter_remove(waiter);
  waiter->woken = true;
  waiter->status = status;
  const sleeper *sleeper = &waiter->sleeper;
  if (!sleeper_wake(&waiter->sleeper))
    return;
  if (after->asleep)
    sleeper_rouse(after->asleep);
  after->asleep = sleeper;
}

void task_wake_all(task_waiter **list, vow_status status, task_after *after) {
  while (*list)
    task_wake(*list, status, after);
}

void task_wake_returned(vow_task *task, task_after *after) {
  for (task_waiter *waiter = task->waiters, *next; waiter; waiter = next) {
    next = waiter->next;
    if (waiter->for_return)
      task_wake(waiter, VOW_OK, after);
  }
}

uint64_t task_until(uint64_t now, uint64_t limit_ms) {
  return limit_ms > (UINT64_MAX - now) / TASK_MS ? UINT64_MAX : now + limit_ms * TASK_MS;
}

/* Waits for who is on a list. */
static vow_status wait_on(vow_task_pool *pool, task_waiter *waiter, spin *spin, uint64_t until) {
  task_after after = {.ended = NULL};
  if (sleeper_wait(&waiter->sleeper, spin, until))
    return waiter->status;
  task_lock(pool, &after);
  vow_status status = waiter->woken ? waiter->status : VOW_E_TIME;
  task_waiter_remove(waiter);
  task_unlock(pool, &after);
  return status;
}

/* ---- chains of waits ---- */

typedef struct walk {
  vow_task *first, *last;
} walk;

/* The end of a walk is a task that links to itself. */
static void walk_add(walk *walk, vow_task *task) {
  if (!task || task->walk_next)
    return;
  task->walk_next = task;
  if (walk->last)
    walk->last->walk_next = task;
  else
    walk->first = task;
  walk->last = task;
}

static vow_task *walk_after(const vow_task *task) {
  return task->walk_next == task ? NULL : task->walk_next;
}

/* The live task that encloses it; NULL: none does. */
static vow_task *enclosing(const vow_task *task) {
  const vow_task_pool *pool = task->pool;
  op_info info;
  if (op_find(pool->table, task->id, &info, 0) != OP_OK || info.parent == 0)
    return NULL;
  op_status found = op_find(pool->table, info.parent, &info, 0);
  return found == OP_OK ? (vow_task *)(uintptr_t)info.tag : NULL;
}

static bool encloses(const vow_task *target, const vow_task *task) {
  const vow_task *at = task;
  while (at && at != target)
    at = enclosing(at);
  return at;
}

/* Whether `target` waits for `task`, or for one that does. What waits for a task: those whose
 * callbacks do, and the group that it is a member of. */
static bool waits_for(const vow_task *target, vow_task *task) {
  walk walk = {.first = NULL};
  walk_add(&walk, task);
  bool found = false;
  for (vow_task *at = walk.first; at && !found; at = walk_after(at)) {
    found = at == target;
    walk_add(&walk, at->group);
    for (const task_waiter *waiter = at->waiters; waiter; waiter = waiter->next)
      walk_add(&walk, waiter->by);
  }
  for (vow_task *at = walk.first, *next; at; at = next) {
    next = walk_after(at);
    at->walk_next = NULL;
  }
  return found;
}

/* ---- waiting for a task ---- */

static bool is_settled(const vow_task *task) {
  return atomic_load_explicit(&task->state, memory_order_acquire) >= VOW_FULFILLED;
}

/* Why there is nothing to wait for; VOW_E_TIME: there is. */
static vow_status look(const vow_task *task, const task_runner *self) {
  if (is_settled(task))
    return VOW_OK;
  if (self && atomic_load_explicit(&self->cancelled, memory_order_relaxed))
    return VOW_E_CANCELLED;
  if (self && (encloses(task, self->task) || waits_for(task, self->task)))
    return VOW_E_DEADLOCK;
  return VOW_E_TIME;
}

static bool look_settled(const void *task) {
  return is_settled(task);
}

/* Who sees the result without being told does not have to be woken. */
static vow_status wait_outside(vow_task *task, uint64_t until) {
  task_waiter waiter = {.by = NULL};
  task_after after = {.ended = NULL};
  if (until > 0 && spin_for(&waiting, look_settled, task))
    return VOW_OK;
  task_lock(task->pool, &after);
  bool live = !is_settled(task);
  if (live)
    task_waiter_add(&task->waiters, &waiter);
  task_unlock(task->pool, &after);
  return live ? wait_on(task->pool, &waiter, NULL, until) : VOW_OK;
}

/* In a callback of the pool: parked, so that another one may run. */
static vow_status wait_inside(vow_task *task, task_runner *self, uint64_t until) {
  vow_task_pool *pool = task->pool;
  task_waiter waiter = {.by = self->task};
  task_after after = {.ended = NULL};
  uint64_t now = loop_now();
  task_lock(pool, &after);
  vow_status status = look(task, self);
  bool waits = status == VOW_E_TIME && until > now;
  if (waits && !pool_park(pool->threads)) {
    waits = false;
    status = VOW_E_DEADLOCK;
  }
  if (waits) {
    task_park(self);
    task_waiter_add(&task->waiters, &waiter);
    self->waiter = &waiter;
    task_take_events(pool, now, &after);
  }
  task_unlock(pool, &after);
  if (!waits)
    return status;
  sleeper_wait(&waiter.sleeper, &waiting, until);
  task_lock(pool, &after);
  status = waiter.woken ? waiter.status : VOW_E_TIME;
  task_waiter_remove(&waiter);
  self->waiter = NULL;
  task_unpark(self);
  task_unlock(pool, &after);
  pool_unpark(pool->threads);
  return status;
}

vow_status vow_task_wait(vow_task *task, uint64_t limit_ms) {
  if (is_settled(task))
    return VOW_OK;
  if (task_pool_lost(task->pool))
    return VOW_E_STATE;
  task_runner *self = task_self_in(task->pool);
  if (!self && task_thread_pool == task->pool)
    return VOW_E_DEADLOCK;
  uint64_t until = limit_ms == 0 ? 0 : task_until(loop_now(), limit_ms);
  return self ? wait_inside(task, self, until) : wait_outside(task, until);
}

vow_status vow_task_pool_wait(vow_task_pool *pool, uint64_t limit_ms) {
  task_waiter waiter = {.by = NULL};
  task_after after = {.ended = NULL};
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  if (task_thread_pool == pool)
    return VOW_E_DEADLOCK;
  uint64_t until = limit_ms == 0 ? 0 : task_until(loop_now(), limit_ms);
  task_lock(pool, &after);
  bool live = !pool->closed && op_scope_has_live(pool->scope);
  if (live)
    task_waiter_add(&pool->idle_waiters, &waiter);
  task_unlock(pool, &after);
  return live ? wait_on(pool, &waiter, &waiting, until) : VOW_OK;
}

/* Of a settled task: until its callback, those of its members have returned. */
static void wait_returned(vow_task *task, uint64_t until) {
  vow_task_pool *pool = task->pool;
  task_waiter waiter = {.for_return = true};
  task_after after = {.ended = NULL};
  for (uint32_t i = 0; task->members && i < task->members->count; i++)
    wait_returned(task->members->tasks[i], until);
  task_lock(pool, &after);
  bool runs = task->place == TASK_RUNNING && task->runner != task_self_in(pool);
  if (runs)
    task_waiter_add(&task->waiters, &waiter);
  task_unlock(pool, &after);
  if (runs)
    wait_on(pool, &waiter, &waiting, until);
}

/* Members whose time is over with that of their group may still be live for a moment. */
static void cancel_all(vow_task *task) {
  vow_task_cancel(task);
  for (uint32_t i = 0; task->members && i < task->members->count; i++)
    cancel_all(task->members->tasks[i]);
}

void task_stop_all(vow_task *const *tasks, size_t count, uint64_t limit_ms) {
  for (size_t i = 0; i < count; i++)
    cancel_all(tasks[i]);
  uint64_t until = task_until(loop_now(), limit_ms);
  for (size_t i = 0; i < count; i++)
    wait_returned(tasks[i], until);
}

void vow_task_guard_end(vow_task **guard) {
  vow_task *task = *guard;
  if (!task)
    return;
  *guard = NULL;
  if (!task_pool_lost(task->pool))
    task_stop_all(&task, 1, task->pool->patience_ms);
  vow_task_release(task);
}

/* ---- waiting for time ---- */

bool vow_task_sleep(vow_task_context *context, uint64_t ms) {
  vow_task_pool *pool = context->pool;
  task_waiter waiter = {.by = NULL};
  task_after after = {.ended = NULL};
  if (ms > 0 && !vow_task_cancelled(context)) {
    uint64_t until = task_until(loop_now(), ms);
    task_lock(pool, &after);
    bool sleeps = !vow_task_cancelled(context);
    context->waiter = sleeps ? &waiter : NULL;
    task_unlock(pool, &after);
    if (sleeps) {
      sleeper_wait(&waiter.sleeper, NULL, until);
      task_lock(pool, &after);
      context->waiter = NULL;
      task_unlock(pool, &after);
    }
  }
  return !vow_task_cancelled(context);
}
