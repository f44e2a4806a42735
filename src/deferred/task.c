#include <stdlib.h>
#include <string.h>

#include "deferred/deferred_int.h"
#include "guest/shared.h"

common *common_hold(common *common) {
  atomic_fetch_add_explicit(&common->holders, 1, memory_order_relaxed);
  return common;
}

void common_release(common *common) {
  if (atomic_fetch_sub_explicit(&common->holders, 1, memory_order_acq_rel) != 1)
    return;
  mem_free(common->allocator, common->start);
  mem_free(common->allocator, common);
}

task *deferred_task_open(common *common, code *code, const uint8_t *list, size_t list_len) {
  task *task = mem_resize(common->allocator, NULL, 1, sizeof *task + list_len);
  if (!task)
    return NULL;
  memset(task, 0, offsetof(struct task, small));
  if (uv_mutex_init(&task->lock) != 0) {
    mem_free(common->allocator, task);
    return NULL;
  }
  atomic_init(&task->holders, 1);
  task->common = common_hold(common);
  task->code = code_hold(code);
  task->list_len = list_len;
  memcpy(task->list, list, list_len);
  return task;
}

task *deferred_task_hold(task *task) {
  atomic_fetch_add_explicit(&task->holders, 1, memory_order_relaxed);
  return task;
}

void deferred_task_release(task *task) {
  if (atomic_fetch_sub_explicit(&task->holders, 1, memory_order_acq_rel) != 1)
    return;
  common *common = task->common;
  deferred_task_messages_drop(task, task->first);
  deferred_task_messages_drop(task, task->progress_first);
  value_release(task->list, task->list_len);
  if (!task->passed_on)
    value_release(task->bytes, task->bytes_len);
  if (task->bytes != task->small)
    mem_free(common->allocator, task->bytes);
  code_release(task->code);
  uv_mutex_destroy(&task->lock);
  mem_free(common->allocator, task);
  common_release(common);
}

void deferred_task_fail(task *task, const char *name, const char *code, const char *message) {
  if (task->state != TASK_OPEN)
    return;
  task->state = TASK_FAILED;
  task->failure.name = name;
  task->failure.code = code;
  size_t len = strnlen(message, sizeof task->failure.message - 1);
  memcpy(task->failure.message, message, len);
  task->failure.message[len] = 0;
}

void deferred_task_settle(task *task, task_state state, const uint8_t *bytes, size_t len) {
  if (task->state != TASK_OPEN) {
    value_release(bytes, len);
    return;
  }
  task->bytes = task->small;
  if (len > sizeof task->small)
    task->bytes = mem_resize(task->common->allocator, NULL, len, 1);
  if (!task->bytes) {
    value_release(bytes, len);
    deferred_task_fail(task, "ApiError", "OUT_OF_MEMORY", "Deferred: no memory for the result");
    return;
  }
  memcpy(task->bytes, bytes, len);
  task->bytes_len = len;
  task->state = state;
}

void deferred_task_reopen(task *task) {
  value_release(task->bytes, task->bytes_len);
  if (task->bytes != task->small)
    mem_free(task->common->allocator, task->bytes);
  task->bytes = NULL;
  task->bytes_len = 0;
  task->state = TASK_OPEN;
}

void deferred_task_put_message(cbor_out *out, uint32_t type, uint64_t id, const void *body,
                               size_t len) {
  static const uint8_t zeros[8];
  const wire_header header = {type, (uint32_t)len, id};
  cbor_put_raw(out, &header, sizeof header);
  cbor_put_raw(out, body, len);
  cbor_put_raw(out, zeros, WIRE_ALIGN(header.len) - len);
}

task_message *deferred_task_message_new(const task *task, const wire_header *header,
                                        const void *body) {
  task_message *message =
      mem_resize(task->common->allocator, NULL, 1, sizeof *message + header->len);
  if (!message)
    return NULL;
  message->next = NULL;
  message->header = *header;
  if (header->len)
    memcpy(message->body, body, header->len);
  return message;
}

void deferred_task_messages_drop(const task *task, task_message *list) {
  for (const task_message *message = list; message; message = message->next)
    value_release(message->body, message->header.len);
  deferred_task_messages_free(task, list);
}

void deferred_task_messages_free(const task *task, task_message *list) {
  while (list) {
    task_message *next = list->next;
    mem_free(task->common->allocator, list);
    list = next;
  }
}
