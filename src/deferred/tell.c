/* What the guests at work and the loop thread say to each other. */
#include <string.h>

#include "deferred/deferred_int.h"
#include "guest/shared.h"

/* ---- to the loop thread ---- */

typedef struct telling {
  loop_message message;
  task *task;  /* held */
  uint64_t at; /* it began */
  size_t len;
  uint8_t bytes[];
} telling;

static void deliver_one(const task *task, const wire_header *header, const uint8_t *body) {
  if (!task->call || !host_call_message(task->call, header, body))
    value_release(body, header->len);
}

static void deliver(loop_message *message) {
  telling *telling = (struct telling *)message;
  task *task = telling->task;
  wire_header header;
  const uint8_t *body;
  for (size_t at = 0; (body = wire_next(telling->bytes, telling->len, &at, &header));)
    deliver_one(task, &header, body);
  uv_mutex_lock(&task->lock);
  task->told_bytes -= telling->len;
  if (task->worker)
    worker_wake(task->worker);
  uv_mutex_unlock(&task->lock);
  mem_free(task->common->allocator, telling);
  deferred_task_release(task);
}

/* Nothing is posted for a task whose thread was given up: the loop may be gone. */
static void post(task *task, loop_message *message) {
  uv_mutex_lock(&task->lock);
  bool retired = task->retired;
  if (!retired)
    loop_post(task->work.reply_to, message);
  uv_mutex_unlock(&task->lock);
  if (retired) { /* progress of it goes with the task */
    const telling *telling = (const struct telling *)message;
    value_release(telling->bytes, telling->len);
    mem_free(task->common->allocator, message);
    deferred_task_release(task);
  }
}

static void deliver_started(loop_message *message) {
  telling *telling = (struct telling *)message;
  task *task = telling->task;
  deferred_started(task, telling->at);
  mem_free(task->common->allocator, telling);
  deferred_task_release(task);
}

void deferred_tell_started(task *task) {
  telling *telling = mem_new(task->common->allocator, 1, sizeof *telling);
  if (!telling)
    return; /* only its thread looks at the time then */
  *telling = (struct telling){
      .message.deliver = deliver_started, .task = deferred_task_hold(task), .at = loop_now()};
  post(task, &telling->message);
}

void deferred_tell(task *task, const uint8_t *bytes, size_t len) {
  telling *telling = mem_resize(task->common->allocator, NULL, 1, sizeof *telling + len);
  if (!telling) {
    value_release(bytes, len);
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY",
                       "Deferred: no memory for the function's calls");
    return;
  }
  *telling =
      (struct telling){.message.deliver = deliver, .task = deferred_task_hold(task), .len = len};
  memcpy(telling->bytes, bytes, len);
  uv_mutex_lock(&task->lock);
  task->told_bytes += len;
  uv_mutex_unlock(&task->lock);
  post(task, &telling->message);
  worker_await_loop(task);
}

static void deliver_progress(loop_message *message) {
  telling *telling = (struct telling *)message;
  task *task = telling->task;
  uv_mutex_lock(&task->lock);
  task_message *list = task->progress_first;
  task->progress_first = task->progress_last = NULL;
  task->progress_count = 0;
  task->progress_told = false;
  uv_mutex_unlock(&task->lock);
  for (const task_message *value = list; value; value = value->next)
    deliver_one(task, &value->header, value->body);
  deferred_task_messages_free(task, list);
  mem_free(task->common->allocator, telling);
  deferred_task_release(task);
}

/* Under the lock. The one that makes room, or NULL. */
static task_message *keep_progress(task *task, task_message *value) {
  task_message *oldest = NULL;
  if (task->progress_count == TASK_PROGRESS_MAX) {
    oldest = task->progress_first;
    task->progress_first = oldest->next;
    oldest->next = NULL;
  } else {
    task->progress_count++;
  }
  if (task->progress_first)
    task->progress_last->next = value;
  else
    task->progress_first = value;
  task->progress_last = value;
  return oldest;
}

/* One message to the loop for all values until it is delivered. */
void deferred_tell_progress(task *task, const uint8_t *body, size_t len) {
  const wire_header header = {WIRE_PROGRESS, (uint32_t)len, 0};
  task_message *value = deferred_task_message_new(task, &header, body);
  telling *telling = mem_new(task->common->allocator, 1, sizeof *telling);
  if (!value || !telling) { /* progress may be lost */
    value_release(body, len);
    deferred_task_messages_free(task, value);
    mem_free(task->common->allocator, telling);
    return;
  }
  uv_mutex_lock(&task->lock);
  task_message *oldest = keep_progress(task, value);
  bool told = task->progress_told;
  task->progress_told = true;
  uv_mutex_unlock(&task->lock);
  deferred_task_messages_drop(task, oldest);
  if (told) {
    mem_free(task->common->allocator, telling);
    return;
  }
  telling->message.deliver = deliver_progress;
  telling->task = deferred_task_hold(task);
  post(task, &telling->message);
}

/* ---- to a guest ---- */

void deferred_answer(host_call *call, const wire_header *header, const void *body, void *user) {
  (void)user;
  task *task = host_call_data(call);
  if (!task)
    return;
  task_message *message = deferred_task_message_new(task, header, body);
  uv_mutex_lock(&task->lock);
  if (!message) {
    value_release(body, header->len);
    task->starved = task->stop = true; /* it would wait for ever */
    if (task->worker)
      worker_stop(task->worker, task);
  } else {
    if (task->first)
      task->last->next = message;
    else
      task->first = message;
    task->last = message;
    if (task->worker)
      worker_wake(task->worker);
  }
  uv_mutex_unlock(&task->lock);
}
