/* Tasks by their handles. */
#include "task/task_int.h"

#include <string.h>

/* ---- starting ---- */

static vow_status check(const vow_task_pool *pool, const vow_task_spec *spec) {
  if (spec->form != VOW_TASK_CALL)
    return task_refuse(pool, "form: groups are not there");
  if (spec->retry.attempts > 1)
    return task_refuse(pool, "retry: there is none");
  if (spec->takes || spec->gives)
    return task_refuse(pool, "takes, gives: types are not checked");
  if (!spec->callback)
    return task_refuse(pool, "callback: a call needs one");
  if (!spec->value && spec->value_len > 0)
    return task_refuse(pool, "value: it is NULL, and value_len is not 0");
  return VOW_OK;
}

/* At most TASK_NAME_MAX bytes, of whole characters. */
static size_t name_len_of(const char *name) {
  size_t len = strnlen(name, TASK_NAME_MAX + 1);
  if (len <= TASK_NAME_MAX)
    return len;
  len = TASK_NAME_MAX;
  while (len > 0 && ((uint8_t)name[len] & 0xc0) == 0x80)
    len--;
  return len;
}

/* With a reference for the pool and, if `held`, one for the caller. NULL: memory is short. */
static vow_task *make(vow_task_pool *pool, const vow_task_spec *spec, bool held) {
  const char *name = spec->name ? spec->name : "task";
  size_t name_len = name_len_of(name), head = sizeof(vow_task) + name_len + 1;
  if (spec->value_len > SIZE_MAX - head)
    return NULL;
  vow_task *task = mem_resize(pool->allocator, NULL, head + spec->value_len, 1);
  if (!task)
    return NULL;
  memset(task, 0, sizeof *task);
  task->pool = pool;
  atomic_init(&task->references, held ? 2 : 1);
  task->callback = spec->callback;
  task->argument = spec->argument;
  task->argument_free = spec->argument_free;
  task->result.size = sizeof task->result;
  memcpy(task->name, name, name_len);
  task->name[name_len] = 0;
  if (spec->value) {
    uint8_t *value = (uint8_t *)task->name + name_len + 1;
    memcpy(value, spec->value, spec->value_len);
    task->value = value;
    task->value_len = spec->value_len;
  }
  return task;
}

static vow_status status_of(op_status status) {
  switch (status) {
  case OP_OK:
    return VOW_OK;
  case OP_E_NOMEM:
    return VOW_E_NOMEM;
  case OP_E_CLOSED:
  case OP_E_GONE:
    return VOW_E_STATE;
  default:
    return VOW_E_FULL;
  }
}

/* Under the lock. */
static vow_status submit(vow_task *task, const vow_task_spec *spec, uint64_t now) {
  vow_task_pool *pool = task->pool;
  const task_runner *self = task_self_in(pool);
  if (pool->stopped || (pool->closing && !self))
    return VOW_E_STATE;
  if (!task_keeper_start(pool))
    return VOW_E_NOMEM;
  const bool nested = self && !spec->detached;
  if (nested && self->retired)
    return VOW_E_STATE;
  const op_spec op = {.kind = pool->kind,
                      .parent = nested ? self->task->id : 0,
                      .timeout_ns = spec->timeout_ms > UINT64_MAX / TASK_MS
                                        ? UINT64_MAX
                                        : spec->timeout_ms * TASK_MS,
                      .priority = spec->priority,
                      .tag = (uint64_t)(uintptr_t)task,
                      .user = task};
  vow_status status = status_of(op_submit(pool->scope, &op, now, &task->id));
  if (status == VOW_OK)
    pool->holders++;
  return status;
}

vow_status vow_task_start(vow_task_pool *pool, const vow_task_spec *given, vow_task **started) {
  vow_task_spec spec;
  task_after after = {.ended = NULL};
  task_no_message();
  if (started)
    *started = NULL;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  if (!task_copy_options(&spec, sizeof spec, given))
    return task_refuse(pool, "the spec: its size is not set, or it is of a newer version");
  vow_status status = check(pool, &spec);
  if (status != VOW_OK)
    return status;
  vow_task *task = make(pool, &spec, started != NULL);
  if (!task)
    return VOW_E_NOMEM;
  uint64_t now = task->started_ns = loop_now();
  if (started)
    *started = task;
  uv_mutex_lock(&pool->lock);
  status = submit(task, &spec, now);
  task_unlock(pool, now, &after);
  if (status != VOW_OK) {
    mem_free(pool->allocator, task);
    if (started)
      *started = NULL;
  }
  return status;
}

vow_status vow_task_run(vow_task_pool *pool, const vow_task_spec *spec, vow_task **task) {
  vow_task *own;
  vow_status status = vow_task_start(pool, spec, &own);
  if (task)
    *task = own;
  if (status == VOW_OK)
    status = vow_task_wait(own, VOW_FOREVER);
  if (!task)
    vow_task_release(own);
  return status;
}

/* ---- looking ---- */

vow_state vow_task_state(const vow_task *task) {
  return (vow_state)atomic_load_explicit(&task->state, memory_order_acquire);
}

const vow_task_result *vow_task_result_of(vow_task *task) {
  return vow_task_state(task) >= VOW_FULFILLED ? &task->result : NULL;
}

/* ---- ending ---- */

vow_status vow_task_cancel(vow_task *task) {
  vow_task_pool *pool = task->pool;
  task_after after = {.ended = NULL};
  if (vow_task_state(task) >= VOW_FULFILLED)
    return VOW_LATE;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  uint64_t now = loop_now();
  uv_mutex_lock(&pool->lock);
  bool live = vow_task_state(task) < VOW_FULFILLED;
  if (live)
    op_cancel(pool->table, task->id, now);
  task_unlock(pool, now, &after);
  return live ? VOW_OK : VOW_LATE;
}

vow_status task_claim(vow_task *task) {
  if (task_pool_lost(task->pool))
    return VOW_E_STATE;
  return atomic_exchange(&task->has_done, true) ? VOW_E_EXISTS : VOW_OK;
}

void task_unclaim(vow_task *task) {
  atomic_store(&task->has_done, false);
}

void task_tell(vow_task *task, task_done *done) {
  vow_task_pool *pool = task->pool;
  uv_mutex_lock(&pool->lock);
  bool settled = vow_task_state(task) >= VOW_FULFILLED;
  done->task = task;
  if (!settled)
    task->done = done;
  uv_mutex_unlock(&pool->lock);
  if (settled)
    done->tell(done, task);
}

vow_task *vow_task_retain(vow_task *task) {
  atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
  return task;
}

void vow_task_release(vow_task *task) {
  if (!task || atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) > 1)
    return;
  vow_task_pool *pool = task->pool;
  mem_free(pool->allocator, task->said);
  mem_free(pool->allocator, task);
  task_pool_drop(pool);
}

const vow_allocator *task_allocator(const vow_task *task) {
  return task->pool->allocator;
}
