/* What a callback asks and says. Its own thread, unless it is said otherwise. */
#include <string.h>

#include "task/task_int.h"

/* ---- asking ---- */

bool vow_task_cancelled(const vow_task_context *context) {
  return atomic_load_explicit(&context->cancelled, memory_order_relaxed);
}

uint64_t vow_task_remaining_ms(const vow_task_context *context) {
  vow_task_pool *pool = context->pool;
  task_after after = {.ended = NULL};
  op_info info;
  uint64_t now = loop_now(), left = 0;
  task_lock(pool, &after);
  if (!vow_task_cancelled(context) &&
      op_find(pool->table, context->task->id, &info, now) == OP_OK && info.deadline > now)
    left = info.deadline == OP_NEVER ? UINT64_MAX : (info.deadline - now) / TASK_MS;
  task_unlock(pool, &after);
  return left;
}

uint32_t vow_task_attempt(const vow_task_context *context) {
  return context->attempt;
}

const void *vow_task_value(const vow_task_context *context, size_t *len) {
  const vow_task *task = context->task;
  *len = task->value_len;
  return task->value;
}

const char *vow_task_argument_json(vow_task_context *context) {
  const vow_task *task = context->task;
  if (!context->argument_json)
    context->argument_json =
        task_value_to_json(context->pool->allocator, task->value, task->value_len);
  return context->argument_json;
}

vow_task *vow_task_self(vow_task_context *context) {
  return context->task;
}

vow_task_pool *vow_task_pool_of(vow_task_context *context) {
  return context->pool;
}

void vow_task_on_stop(vow_task_context *context, vow_task_stop_callback *callback, void *user) {
  vow_task_pool *pool = context->pool;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  bool stopped = vow_task_cancelled(context);
  context->on_stop = stopped ? NULL : callback;
  context->on_stop_user = user;
  if (stopped && callback)
    callback(user);
  task_unlock(pool, &after);
}

/* ---- saying ---- */

vow_status vow_task_succeed(vow_task_context *context, const void *bytes, size_t len) {
  if (context->said != SAID_NOTHING)
    return VOW_LATE;
  if (bytes) {
    uint8_t *block = mem_resize(context->pool->allocator, NULL, len, 1);
    if (!block)
      return VOW_E_NOMEM;
    if (len)
      memcpy(block, bytes, len);
    context->said_block = block;
    context->said_len = len;
  }
  context->said = SAID_VALUE;
  return VOW_OK;
}

vow_status vow_task_succeed_json(vow_task_context *context, const char *json) {
  void *bytes;
  size_t len;
  if (context->said != SAID_NOTHING)
    return VOW_LATE;
  vow_status status = task_value_from_json(context->pool->allocator, json, &bytes, &len);
  if (status != VOW_OK)
    return status;
  context->said_block = bytes;
  context->said_len = len;
  context->said = SAID_VALUE;
  return VOW_OK;
}

vow_status vow_task_fail(vow_task_context *context, const char *type, const char *message,
                         const char *detail) {
  if (context->said != SAID_NOTHING)
    return VOW_LATE;
  type = type ? type : "Error";
  message = message ? message : "";
  size_t len = task_text_len(type, TASK_WORD_MAX) + task_text_len(message, TASK_MESSAGE_MAX) +
               task_text_len(detail, TASK_DETAIL_MAX) + 3;
  char *block = mem_resize(context->pool->allocator, NULL, len, 1);
  context->said = SAID_ERROR;
  context->said_block = (uint8_t *)block;
  context->said_type = block ? block : "Error";
  context->said_message = "memory is short";
  context->said_detail = NULL;
  if (!block)
    return VOW_E_NOMEM;
  char *at = task_text_copy(block, type, TASK_WORD_MAX);
  context->said_message = at;
  at = task_text_copy(at, message, TASK_MESSAGE_MAX);
  task_text_copy(at, detail, TASK_DETAIL_MAX);
  context->said_detail = detail ? at : NULL;
  return VOW_OK;
}
