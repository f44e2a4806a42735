/* What a callback asks and says. Its own thread, unless it is said otherwise. */
#include <string.h>

#include "core/utf8.h"
#include "task/task_int.h"

#define TYPE_MAX 128u
#define MESSAGE_MAX 4096u
#define DETAIL_MAX 16384u

/* ---- asking ---- */

bool vow_task_cancelled(const vow_task_context *context) {
  return atomic_load_explicit(&context->cancelled, memory_order_relaxed);
}

uint64_t vow_task_remaining_ms(const vow_task_context *context) {
  vow_task_pool *pool = context->pool;
  op_info info;
  uint64_t now = loop_now(), left = 0;
  uv_mutex_lock(&pool->lock);
  if (!vow_task_cancelled(context) &&
      op_find(pool->table, context->task->id, &info, now) == OP_OK && info.deadline > now)
    left = info.deadline == OP_NEVER ? UINT64_MAX : (info.deadline - now) / TASK_MS;
  uv_mutex_unlock(&pool->lock);
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

vow_task *vow_task_self(vow_task_context *context) {
  return context->task;
}

vow_task_pool *vow_task_pool_of(vow_task_context *context) {
  return context->pool;
}

void vow_task_on_stop(vow_task_context *context, vow_task_stop_callback *callback, void *user) {
  vow_task_pool *pool = context->pool;
  uv_mutex_lock(&pool->lock);
  bool stopped = vow_task_cancelled(context);
  context->on_stop = stopped ? NULL : callback;
  context->on_stop_user = user;
  if (stopped && callback)
    callback(user);
  uv_mutex_unlock(&pool->lock);
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

/* At most `max` bytes of `text` that are whole characters, what is no UTF-8 replaced by U+FFFD,
 * and a 0 to `out`, if that is not NULL. Returns how many, without the 0. */
static size_t put_text(char *out, const char *text, size_t max) {
  const uint8_t *bytes = (const uint8_t *)text;
  size_t left = strnlen(text, max), len = 0; /* a character that is cut off does not fit */
  bool cut = left == max && text[max] != 0;
  while (left > 0) {
    utf8_step step = utf8_next(bytes, left, false);
    uint8_t replaced[4];
    size_t put = step.good ? step.len : utf8_encode(0xfffd, replaced);
    if (len + put > max || (cut && !step.good && step.len == left))
      break;
    if (out)
      memcpy(out + len, step.good ? bytes : replaced, put);
    len += put;
    bytes += step.len;
    left -= step.len;
  }
  if (out)
    out[len] = 0;
  return len;
}

vow_status vow_task_fail(vow_task_context *context, const char *type, const char *message,
                         const char *detail) {
  if (context->said != SAID_NOTHING)
    return VOW_LATE;
  type = type ? type : "Error";
  message = message ? message : "";
  size_t type_len = put_text(NULL, type, TYPE_MAX);
  size_t message_len = put_text(NULL, message, MESSAGE_MAX);
  size_t detail_len = detail ? put_text(NULL, detail, DETAIL_MAX) : 0;
  char *block =
      mem_resize(context->pool->allocator, NULL, type_len + message_len + detail_len + 3, 1);
  context->said = SAID_ERROR;
  context->said_block = (uint8_t *)block;
  context->said_type = block ? block : "Error";
  context->said_message = block ? block + type_len + 1 : "memory is short";
  context->said_detail = block && detail ? block + type_len + message_len + 2 : NULL;
  if (!block)
    return VOW_E_NOMEM;
  put_text(block, type, TYPE_MAX);
  put_text(block + type_len + 1, message, MESSAGE_MAX);
  if (detail)
    put_text(block + type_len + message_len + 2, detail, DETAIL_MAX);
  return VOW_OK;
}
