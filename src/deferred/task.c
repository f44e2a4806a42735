#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deferred/deferred_int.h"
#include "guest/shared.h"

#define NS_PER_MS UINT64_C(1000000)

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

/* ---- what a call asks for ---- */

/* FNV-1a; never 0. */
static uint64_t hash_text(const char *text, size_t len) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  return hash ? hash : 1;
}

static void read_options(const cbor_in *options, task_terms *terms) {
  cbor_in value;
  const char *text;
  size_t len;
  double number;
  if (cbor_find(options, "affinity", &value) && cbor_get_text(&value, &text, &len) == CBOR_OK)
    terms->affinity = hash_text(text, len);
  if (cbor_find(options, "runTimeout", &value) && cbor_get_number(&value, &number) == CBOR_OK &&
      number < (double)(UINT64_MAX / 4 / NS_PER_MS))
    terms->run_ns = (uint64_t)(fmax(number, 0) * (double)NS_PER_MS) + 1;
  if (cbor_find(options, "memoryMib", &value) && cbor_get_number(&value, &number) == CBOR_OK &&
      number > 0 && number < (double)(SIZE_MAX >> 21))
    terms->memory_bytes = (size_t)(number * 1048576) + 1;
  if (cbor_find(options, "isolated", &value))
    cbor_get_bool(&value, &terms->isolated);
}

bool deferred_task_terms_read(const uint8_t *arguments, size_t len, task_terms *terms) {
  size_t hash_len;
  uint64_t count;
  cbor_in in;
  cbor_item item;
  *terms = (task_terms){0};
  cbor_in_init(&in, arguments, len);
  if (cbor_get_array(&in, &count) != CBOR_OK || count < 2 ||
      cbor_get_bytes(&in, &terms->hash, &hash_len) != CBOR_OK || hash_len != WIRE_HASH ||
      cbor_peek(&in, &item) != CBOR_OK || item.kind != CBOR_ARRAY ||
      cbor_slice(&in, &terms->list, &terms->list_len) != CBOR_OK)
    return false;
  if (count > 2)
    read_options(&in, terms);
  return true;
}

/* ---- life ---- */

task *deferred_task_open(common *common, code *code, const task_terms *terms) {
  task *task = mem_resize(common->allocator, NULL, 1, sizeof *task + terms->list_len);
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
  task->work.affinity = terms->affinity;
  task->run_ns = terms->run_ns;
  task->memory_bytes = terms->memory_bytes;
  task->isolated = terms->isolated;
  task->list_len = terms->list_len;
  memcpy(task->list, terms->list, terms->list_len);
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

void deferred_task_fail_by_time(task *task) {
  char message[120];
  snprintf(message, sizeof message, "Deferred: the function ran longer than %llu ms",
           (unsigned long long)(task->run_ns / NS_PER_MS));
  deferred_task_fail(task, "TimeoutError", "TIMEOUT", message);
}

void deferred_task_fail_by_memory(task *task, size_t common_max) {
  char message[120];
  snprintf(message, sizeof message, "Deferred: the function needs more than its %zu MiB of memory",
           (task->memory_bytes ? task->memory_bytes : common_max) >> 20);
  deferred_task_fail(task, "RangeError", "MEMORY", message);
}

void deferred_task_fail_by_deadlock(task *task) {
  deferred_task_fail(task, "Error", "DEADLOCK",
                     "Deferred: the function waits for a promise that nothing can settle any more");
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
