/* Tasks by their handles. */
#include "task/task_int.h"

#include <string.h>

/* ---- making ---- */

/* Behind the name of one that is tried again. */
static size_t retry_room(const vow_task_retry *retry) {
  return sizeof *retry + (retry->errors ? strlen(retry->errors) + 1 : 0);
}

static void copy_retry(vow_task *task, const vow_task_retry *retry, uint8_t *room) {
  vow_task_retry *copy = (vow_task_retry *)(void *)room;
  *copy = *retry;
  if (retry->errors)
    copy->errors = memcpy(room + sizeof *copy, retry->errors, strlen(retry->errors) + 1);
  task->retry = copy;
}

static void fill(vow_task *task, vow_task_pool *pool, const vow_task_spec *spec, bool held) {
  memset(task, 0, sizeof *task);
  task->pool = pool;
  atomic_init(&task->references, held ? 2 : 1);
  task->form = (uint8_t)spec->form;
  task->priority = spec->priority;
  task->timeout_ms = spec->timeout_ms;
  task->callback = spec->callback;
  task->argument = spec->argument;
  task->takes = (uint16_t)spec->takes;
  task->gives = (uint16_t)spec->gives;
  task->result.size = sizeof task->result;
}

/* What a node's task has is the plan's, while it has a use of it. */
static vow_task *make_of_node(vow_task_pool *pool, task_node *node, bool held) {
  const vow_task_spec *spec = &node->spec;
  size_t name_size = strlen(spec->name) + 1;
  vow_task *task = mem_resize(pool->allocator, NULL, sizeof *task + name_size, 1);
  if (!task)
    return NULL;
  fill(task, pool, spec, held);
  task->node = node;
  task->retry = spec->retry.attempts > 1 ? &spec->retry : NULL;
  task->value = spec->value;
  task->value_len = spec->value_len;
  memcpy(task->name, spec->name, name_size);
  return task;
}

static vow_task *make_call(vow_task_pool *pool, const vow_task_spec *spec, bool held) {
  const char *name = spec->name ? spec->name : "task";
  size_t size = sizeof(vow_task) + task_text_len(name, TASK_WORD_MAX) + 1, retry_at = 0;
  if (spec->retry.attempts > 1) {
    retry_at = size = (size + _Alignof(vow_task_retry) - 1) & ~(_Alignof(vow_task_retry) - 1);
    size += retry_room(&spec->retry);
  }
  if (spec->value_len > SIZE_MAX - size)
    return NULL;
  vow_task *task = mem_resize(pool->allocator, NULL, size + spec->value_len, 1);
  if (!task)
    return NULL;
  fill(task, pool, spec, held);
  task->argument_free = spec->argument_free;
  task_text_copy(task->name, name, TASK_WORD_MAX);
  if (retry_at > 0)
    copy_retry(task, &spec->retry, (uint8_t *)task + retry_at);
  if (spec->value) {
    uint8_t *value = (uint8_t *)task + size;
    memcpy(value, spec->value, spec->value_len);
    task->value = value;
    task->value_len = spec->value_len;
  }
  return task;
}

vow_task *task_make(vow_task_pool *pool, const vow_task_spec *spec, task_node *node, bool held) {
  vow_task *task = node ? make_of_node(pool, node, held) : make_call(pool, spec, held);
  if (!task || task->form == VOW_TASK_CALL || task_group_make(task))
    return task;
  mem_free(pool->allocator, task);
  return NULL;
}

void task_unmake(vow_task *task) {
  task_members *members = task->members;
  for (uint32_t i = 0; members && i < members->count; i++)
    task_unmake(members->tasks[i]);
  mem_free(task->pool->allocator, members);
  mem_free(task->pool->allocator, task);
}

/* ---- starting ---- */

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

op_status task_submit(vow_task *task, const vow_task *parent, uint64_t now) {
  vow_task_pool *pool = task->pool;
  bool is_call = task->form == VOW_TASK_CALL;
  const op_spec op = {.kind = is_call ? pool->kind : NULL,
                      .name = is_call ? NULL : "group",
                      .parent = parent ? parent->id : 0,
                      .timeout_ns = task->timeout_ms > UINT64_MAX / TASK_MS
                                        ? UINT64_MAX
                                        : task->timeout_ms * TASK_MS,
                      .priority = task->priority,
                      .tag = (uint64_t)(uintptr_t)task,
                      .user = task};
  op_status status = op_submit(pool->scope, &op, now, &task->id);
  if (status != OP_OK)
    return status;
  pool->holders++;
  task->started_ns = now;
  if (task->timeout_ms > 0 && task_until(now, task->timeout_ms) < pool->keeper_due)
    pool->sooner = true;
  task->number = ++pool->numbers;
  task->parent_number = parent ? parent->number : 0;
  if (task_is_recorded(task))
    task_record(task, (task_event){.kind = TASK_EVENT_CREATED, .now_ns = now});
  return OP_OK;
}

static vow_status submit_group(vow_task *group, const vow_task *parent, uint64_t now) {
  vow_status status = task_group_room(group->pool, group->node);
  if (status == VOW_OK)
    status = status_of(task_submit(group, parent, now));
  if (status == VOW_OK)
    task_group_submit(group, now);
  return status;
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
  if (task->node)
    return submit_group(task, nested ? self->task : NULL, now);
  task_inbox_keep_room(pool);
  vow_status status = status_of(task_submit(task, nested ? self->task : NULL, now));
  if (status == VOW_OK)
    task_inbox_lend(pool);
  return status;
}

/* Waits for nobody who has the lock, if there is a credit. */
static vow_status enter(vow_task *task, const vow_task_spec *spec, uint64_t now) {
  vow_task_pool *pool = task->pool;
  task_after after = {.ended = NULL};
  bool nested = !spec->detached && task_self_in(pool);
  if (!task_try_lock(pool, &after)) {
    if (!task->node && !nested && task_inbox_put(task, now))
      return VOW_OK;
    task_lock(pool, &after);
  }
  vow_status status = submit(task, spec, now);
  if (!pool->closed) /* a callback in a thread that was given up may ask */
    task_take_events(pool, now, &after);
  task_unlock(pool, &after);
  return status;
}

static vow_status make_plan(vow_task_pool *pool, const vow_task_spec *spec, task_node **node) {
  char fault[256];
  vow_status status = task_plan_make(pool->allocator, spec, node, fault, sizeof fault);
  return status == VOW_E_INVALID ? task_refuse(pool, "%s", fault) : status;
}

static vow_status start(vow_task_pool *pool, const vow_task_spec *spec, vow_task **started) {
  task_node *node = NULL;
  vow_status status = spec->form == VOW_TASK_CALL ? VOW_OK : make_plan(pool, spec, &node);
  if (status != VOW_OK)
    return status;
  vow_task *task = task_make(pool, spec, node, started != NULL);
  status = VOW_E_NOMEM;
  if (task) {
    uint64_t now = loop_now();
    if (started)
      *started = task;
    status = enter(task, spec, now);
  }
  if (status == VOW_OK)
    return VOW_OK;
  if (started)
    *started = NULL;
  if (task)
    task_unmake(task);
  if (node)
    task_plan_free(node);
  return status;
}

vow_status vow_task_start(vow_task_pool *pool, const vow_task_spec *given, vow_task **started) {
  vow_task_spec copy;
  const vow_task_spec *spec = given;
  task_no_message();
  if (started)
    *started = NULL;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  if (!given || given->size != sizeof copy) {
    if (!given || !sized_copy(&copy, sizeof copy, given))
      return task_refuse(pool, "size: it is not set, or the spec is of a newer version");
    spec = &copy;
  }
  const char *fault = task_spec_fault(spec);
  return fault ? task_refuse(pool, "%s", fault) : start(pool, spec, started);
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

const char *vow_task_value_json(vow_task *task) {
  const vow_task_result *result = vow_task_result_of(task);
  char *json = atomic_load_explicit(&task->json, memory_order_acquire), *none = NULL;
  if (json || !result || !result->value)
    return json;
  json = task_value_to_json(task->pool->allocator, result->value, result->value_len);
  if (!json || atomic_compare_exchange_strong(&task->json, &none, json))
    return json;
  mem_free(task->pool->allocator, json); /* another thread was faster */
  return none;
}

/* ---- ending ---- */

vow_status vow_task_cancel(vow_task *task) {
  vow_task_pool *pool = task->pool;
  task_after after = {.ended = NULL};
  if (vow_task_state(task) >= VOW_FULFILLED)
    return VOW_LATE;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  task_lock(pool, &after);
  uint64_t now = loop_now();
  bool live = vow_task_state(task) < VOW_FULFILLED;
  if (live)
    op_cancel(pool->table, task->id, now);
  if (live)
    task_take_events(pool, now, &after);
  task_unlock(pool, &after);
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
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  bool settled = vow_task_state(task) >= VOW_FULFILLED;
  done->task = task;
  if (!settled)
    task->done = done;
  task_unlock(pool, &after);
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
  task_members_free(task->members, pool->allocator);
  mem_free(pool->allocator, atomic_load_explicit(&task->json, memory_order_relaxed));
  mem_free(pool->allocator, task->said);
  mem_free(pool->allocator, task);
  task_pool_drop(pool);
}

const vow_allocator *task_allocator(const vow_task *task) {
  return task->pool->allocator;
}
