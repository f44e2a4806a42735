/* A thread of the pool with a native guest of its own: one task at a time, from its
 * function and arguments to its outcome. Everything here runs on that thread, but for
 * worker_wake() and worker_stop(). */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "deferred/isolated.h"
#include "guest/shared.h"

/* Functions that a guest keeps; the one used longest ago goes. */
#define KNOWN_MAX 256u
#define KEPT_BYTES 65536u
#define NS_PER_MS UINT64_C(1000000)

typedef struct known {
  uint8_t hash[WIRE_HASH];
  uint64_t used;
} known;

struct worker {
  common *common;
  engine *engine;
  engine_instance *instance; /* NULL: to be opened */
  isolated *isolated;        /* NULL: to be opened */
  uv_cond_t wake;            /* with the lock of the task that executes */

  known known[KNOWN_MAX];
  uint32_t known_count;
  uint64_t tasks; /* so far: the clock of `used`, and the ids of tasks */

  task *task;
  uint64_t stop_at; /* of the task's running time */
  waits waits;
  bool submits;      /* its guest has deferred functions itself, ever */
  cbor_out told;     /* messages for the loop thread */
  cbor_out messages; /* for the guest, for the next one */
};

/* ---- its guest ---- */

static bool drain(void *user, const uint8_t *bytes, size_t len);

static uint8_t *put_message(uint8_t *at, uint32_t type, uint64_t id, size_t len) {
  const wire_header header = {type, (uint32_t)len, id};
  memcpy(at, &header, sizeof header);
  memset(at + sizeof header + len, 0, WIRE_ALIGN((uint32_t)len) - len);
  return at + sizeof header;
}

static size_t room_for(size_t len) {
  return sizeof(wire_header) + WIRE_ALIGN((uint32_t)len);
}

/* The seeds that the message holds are zeros. */
static bool put_seeds(uint8_t *start, size_t len) {
  cbor_in in;
  uint64_t count;
  const uint8_t *seeds;
  size_t seeds_len;
  cbor_in_init(&in, start, len);
  return cbor_get_array(&in, &count) == CBOR_OK &&
         cbor_get_bytes(&in, &seeds, &seeds_len) == CBOR_OK &&
         getrandom(start + (seeds - start), seeds_len, 0) == (ssize_t)seeds_len;
}

static bool load(worker *worker) {
  const common *common = worker->common;
  uint8_t *inbox = engine_inbox(worker->instance, room_for(common->start_len));
  if (!inbox)
    return false;
  uint8_t *body = put_message(inbox, WIRE_LOAD, 0, common->start_len);
  memcpy(body, common->start, common->start_len);
  return put_seeds(body, common->start_len) &&
         engine_turn(worker->instance, room_for(common->start_len), UINT64_MAX) == ENGINE_DONE;
}

static void discard_guest(worker *worker) {
  if (worker->instance)
    engine_instance_close(worker->instance, false);
  worker->instance = NULL;
  worker->known_count = 0;
  worker->submits = false;
}

/* What could not be had when the thread began is tried again with each task. */
static bool ensure_engine(worker *worker) {
  char message[160];
  if (worker->engine)
    return true;
  worker->engine =
      engine_open(ENGINE_NATIVE, worker->common->allocator, NULL, message, sizeof message);
  if (worker->engine)
    engine_set_trust(worker->engine, &worker->common->trust);
  return worker->engine != NULL;
}

static bool ensure_guest(worker *worker) {
  if (worker->instance)
    return true;
  if (!ensure_engine(worker))
    return false;
  worker->instance =
      engine_instance_open(worker->engine, NULL, worker->common->memory_bytes, drain, worker);
  if (worker->instance && load(worker))
    return true;
  discard_guest(worker);
  return false;
}

void *worker_open(void *user) {
  common *common = user;
  worker *worker = mem_new(common->allocator, 1, sizeof *worker);
  if (!worker)
    return NULL;
  worker->common = common_hold(common);
  cbor_out_init(&worker->told, common->allocator, WIRE_MESSAGE_MAX);
  cbor_out_init(&worker->messages, common->allocator, 2 * (size_t)WIRE_MESSAGE_MAX);
  if (uv_cond_init(&worker->wake) != 0) {
    common_release(common);
    mem_free(common->allocator, worker);
    return NULL;
  }
  ensure_guest(worker);
  return worker;
}

void worker_close(void *user) {
  worker *worker = user;
  if (!worker)
    return;
  common *common = worker->common;
  discard_guest(worker);
  isolated_close(worker->isolated);
  if (worker->engine)
    engine_close(worker->engine);
  cbor_out_free(&worker->told);
  cbor_out_free(&worker->messages);
  waits_free(&worker->waits, common->allocator);
  uv_cond_destroy(&worker->wake);
  mem_free(common->allocator, worker);
  common_release(common);
}

/* ---- the functions it knows ---- */

static known *find_known(worker *worker, const uint8_t hash[WIRE_HASH]) {
  for (uint32_t i = 0; i < worker->known_count; i++)
    if (memcmp(worker->known[i].hash, hash, WIRE_HASH) == 0)
      return &worker->known[i];
  return NULL;
}

static known *oldest_known(worker *worker) {
  known *oldest = &worker->known[0];
  for (uint32_t i = 1; i < worker->known_count; i++)
    if (worker->known[i].used < oldest->used)
      oldest = &worker->known[i];
  return oldest;
}

static void put_drop(cbor_out *out, const uint8_t hash[WIRE_HASH]) {
  uint8_t body[32];
  cbor_out bytes;
  cbor_out_fixed(&bytes, body, sizeof body);
  cbor_put_bytes(&bytes, hash, WIRE_HASH);
  deferred_task_put_message(out, WIRE_CODE_DROP, 0, body, bytes.len);
}

static void put_code(worker *worker, cbor_out *out, const code *code) {
  known *known = find_known(worker, code->hash);
  if (!known) {
    if (worker->known_count == KNOWN_MAX) {
      known = oldest_known(worker);
      put_drop(out, known->hash);
    } else {
      known = &worker->known[worker->known_count++];
    }
    memcpy(known->hash, code->hash, WIRE_HASH);
    deferred_task_put_message(out, WIRE_CODE, 0, code->body, code->len);
  }
  known->used = worker->tasks;
}

/* ---- what the guest says ---- */

static void start_timer(worker *worker, uint64_t id, const uint8_t *body, size_t len) {
  cbor_in in;
  uint64_t delay_ns;
  const char *site;
  size_t site_len;
  cbor_in_init(&in, body, len);
  if (!host_timer_read(&in, &delay_ns, &site, &site_len))
    return;
  if (!waits_start_timer(&worker->waits, id, loop_now() + delay_ns))
    deferred_task_fail(worker->task, "RangeError", "OPERATIONS",
                       "Deferred: more than 1000 timers are pending in the function");
}

static void add_call(worker *worker, uint64_t id) {
  if (!waits_add_call(&worker->waits, worker->common->allocator, id))
    deferred_task_fail(worker->task, "RangeError", "OUT_OF_MEMORY",
                       "Deferred: no memory for the function's calls");
}

static void fail_by_error(task *task, const uint8_t *body, size_t len) {
  cbor_in map, value;
  const char *text;
  size_t text_len;
  char message[200] = "Deferred: an exception was not caught";
  cbor_in_init(&map, body, len);
  if (cbor_find(&map, WIRE_ERROR_MESSAGE, &value) &&
      cbor_get_text(&value, &text, &text_len) == CBOR_OK)
    snprintf(message, sizeof message, "%.*s", (int)(text_len < 190 ? text_len : 190), text);
  deferred_task_fail(task, "Error", "UNCAUGHT", message);
}

static void handle(worker *worker, const wire_header *header, const uint8_t *body) {
  task *task = worker->task;
  switch (header->type) {
  case WIRE_TASK_VALUE:
  case WIRE_TASK_ERROR:
    if (header->id == worker->tasks)
      deferred_task_settle(task, header->type == WIRE_TASK_VALUE ? TASK_VALUE : TASK_THROWN, body,
                           header->len);
    return;
  case WIRE_ERROR:
    fail_by_error(task, body, header->len);
    return;
  case WIRE_TIMER_START:
    start_timer(worker, header->id, body, header->len);
    return;
  case WIRE_TIMER_STOP:
    waits_stop_timer(&worker->waits, header->id);
    return;
  case WIRE_PROGRESS:
    deferred_tell_progress(task, body, header->len);
    return;
  case WIRE_CALL:
    add_call(worker, header->id);
    break;
  case WIRE_CODE:
    worker->submits = true; /* tasks follow */
    break;
  case WIRE_CANCEL:
    waits_remove_call(&worker->waits, header->id);
    break;
  default:
    break;
  }
  deferred_task_put_message(&worker->told, header->type, header->id, body, header->len);
  if (worker->told.status != CBOR_OK)
    value_release(body, header->len);
}

/* Room for large messages is not kept. */
static void empty(cbor_out *out) {
  if (out->cap > KEPT_BYTES)
    cbor_out_free(out);
  out->len = 0;
  out->status = CBOR_OK;
}

/* What the guest has said so far. */
static void tell_loop(worker *worker, task *task) {
  if (worker->told.status != CBOR_OK) {
    value_release(worker->told.data, worker->told.len);
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY",
                       "Deferred: no memory for the function's calls");
  } else if (worker->told.len > 0) {
    deferred_tell(task, worker->told.data, worker->told.len);
  }
  empty(&worker->told);
}

static bool drain(void *user, const uint8_t *bytes, size_t len) {
  worker *worker = user;
  for (size_t at = 0; worker->task && at < len;) {
    wire_header header;
    const uint8_t *body = wire_next(bytes, len, &at, &header);
    if (!body)
      return false;
    handle(worker, &header, body);
  }
  if (worker->task)
    tell_loop(worker, worker->task);
  return true;
}

/* ---- turns ---- */

static void fail_by_stop(task *task) {
  uv_mutex_lock(&task->lock);
  bool starved = task->starved;
  uv_mutex_unlock(&task->lock);
  if (starved)
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY", "Deferred: no memory for an answer");
  else
    deferred_task_fail(task, "AbortError", "CANCELLED", "Deferred: the function was stopped");
}

static void fail_by_fault(worker *worker, task *task) {
  switch (engine_fault_of(worker->instance)) {
  case ENGINE_FAULT_TIME:
    if (task->run_ns && loop_now() >= worker->stop_at)
      deferred_task_fail_by_time(task);
    else
      fail_by_stop(task);
    break;
  case ENGINE_FAULT_MEMORY:
    deferred_task_fail_by_memory(task, worker->common->memory_bytes);
    break;
  case ENGINE_FAULT_HOST_MEMORY:
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY",
                       "Deferred: the machine is out of memory");
    break;
  default:
    deferred_task_fail(task, "ApiError", "WORKER", "Deferred: the worker stopped working");
    break;
  }
}

static void take_turn(worker *worker, task *task) {
  const cbor_out *messages = &worker->messages;
  uint8_t *inbox =
      messages->status == CBOR_OK ? engine_inbox(worker->instance, messages->len) : NULL;
  if (inbox) {
    memcpy(inbox, messages->data, messages->len);
    engine_turn(worker->instance, messages->len, worker->stop_at);
  } else if (messages->status != CBOR_OK) {
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY", "Deferred: no memory for a message");
  }
  engine_fault fault = engine_fault_of(worker->instance);
  if (fault == ENGINE_FAULT_MEMORY && task->state == TASK_THROWN)
    deferred_task_reopen(task); /* what it threw is that: the same error in all cases */
  if (fault != ENGINE_FAULT_NONE)
    fail_by_fault(worker, task);
}

/* ---- waiting ---- */

static uint64_t next_time(const worker *worker) {
  uint64_t at = waits_next_timer(&worker->waits);
  return at < worker->stop_at ? at : worker->stop_at;
}

static void put_due_timers(worker *worker, cbor_out *out) {
  uint64_t now = loop_now(), id;
  while (waits_take_due(&worker->waits, now, &id))
    deferred_task_put_message(out, WIRE_TIMER, id, NULL, 0);
}

/* Under the task's lock. */
static void sleep_until(worker *worker, task *task, uint64_t at) {
  uint64_t now;
  while (!task->first && !task->stop && (now = loop_now()) < at) {
    if (at == UINT64_MAX)
      uv_cond_wait(&worker->wake, &task->lock);
    else
      uv_cond_timedwait(&worker->wake, &task->lock, at - now);
  }
}

static void put_answers(worker *worker, cbor_out *out, const task *task, task_message *list) {
  for (task_message *message = list; message; message = message->next) {
    if (message->header.type == WIRE_FULFIL || message->header.type == WIRE_REJECT ||
        message->header.type == WIRE_REJECT_VALUE)
      waits_remove_call(&worker->waits, message->header.id);
    deferred_task_put_message(out, message->header.type, message->header.id, message->body,
                              message->header.len);
    if (out->status != CBOR_OK)
      value_release(message->body, message->header.len);
  }
  deferred_task_messages_free(task, list);
}

/* While it only waits its place serves others, so that tasks which wait for tasks
 * cannot use up all threads. */
static task_message *wait_for_messages(worker *worker, task *task) {
  bool parked = pool_park(worker->common->pool);
  if (!parked && worker->submits) {
    deferred_task_fail(task, "RangeError", "QUEUE_FULL",
                       "Deferred: too many functions wait for functions that they have deferred");
    return NULL;
  }
  uv_mutex_lock(&task->lock);
  sleep_until(worker, task, next_time(worker));
  task_message *list = task->first;
  task->first = task->last = NULL;
  uv_mutex_unlock(&task->lock);
  if (parked)
    pool_unpark(worker->common->pool);
  return list;
}

static bool is_stopped(task *task) {
  uv_mutex_lock(&task->lock);
  bool stopped = task->stop;
  uv_mutex_unlock(&task->lock);
  return stopped;
}

/* The promise of the function is pending and its job queue is empty. */
static void go_on(worker *worker, task *task) {
  cbor_out *messages = &worker->messages;
  if (waits_is_empty(&worker->waits)) {
    deferred_task_fail_by_deadlock(task);
    return;
  }
  task_message *answers = wait_for_messages(worker, task);
  empty(messages);
  put_answers(worker, messages, task, answers);
  if (task->state != TASK_OPEN)
    return;
  if (is_stopped(task)) {
    fail_by_stop(task);
  } else if (loop_now() >= worker->stop_at) {
    deferred_task_fail_by_time(task);
  } else {
    put_due_timers(worker, messages);
    take_turn(worker, task);
  }
}

/* ---- one task ---- */

static void put_task(worker *worker, cbor_out *out, const task *task) {
  uint8_t head[64];
  cbor_out prefix;
  put_code(worker, out, task->code);
  cbor_out_fixed(&prefix, head, sizeof head);
  cbor_put_array(&prefix, 2);
  cbor_put_bytes(&prefix, task->code->hash, WIRE_HASH);
  size_t len = prefix.len + task->list_len;
  const wire_header header = {WIRE_TASK, (uint32_t)len, worker->tasks};
  static const uint8_t zeros[8];
  cbor_put_raw(out, &header, sizeof header);
  cbor_put_raw(out, head, prefix.len);
  cbor_put_raw(out, task->list, task->list_len);
  cbor_put_raw(out, zeros, WIRE_ALIGN((uint32_t)len) - len);
}

/* False: it was stopped before it began. */
static bool begin(worker *worker, task *task) {
  uv_mutex_lock(&task->lock);
  bool stopped = task->stop;
  if (!stopped)
    task->worker = worker;
  uv_mutex_unlock(&task->lock);
  if (!stopped && task->run_ns)
    deferred_tell_started(task);
  return !stopped;
}

/* From here nobody stops or wakes the worker for this task. */
static bool end(task *task) {
  uv_mutex_lock(&task->lock);
  task->worker = NULL;
  bool stopped = task->stop;
  uv_mutex_unlock(&task->lock);
  return stopped;
}

static void set_limits(worker *worker, const task *task) {
  size_t most = task->memory_bytes ? task->memory_bytes : worker->common->memory_bytes;
  size_t held = engine_memory(worker->instance);
  engine_set_memory_max(worker->instance, most < SIZE_MAX - held ? held + most : SIZE_MAX);
  uint64_t now = task->run_ns ? loop_now() : 0;
  worker->stop_at =
      task->run_ns && task->run_ns < UINT64_MAX - now ? now + task->run_ns : UINT64_MAX;
}

/* A guest that did not end the task by itself, or in which something of it is left that
 * may still come to execute, serves no other task. */
static bool is_reusable(const worker *worker, const task *task) {
  return task->state != TASK_FAILED && engine_fault_of(worker->instance) == ENGINE_FAULT_NONE &&
         waits_is_empty(&worker->waits);
}

static void execute(worker *worker, task *task) {
  worker->task = task;
  worker->tasks++;
  set_limits(worker, task);
  empty(&worker->messages);
  put_task(worker, &worker->messages, task);
  take_turn(worker, task);
  while (task->state == TASK_OPEN)
    go_on(worker, task);
  if (task->state == TASK_FAILED) /* the guest may not have read all of it */
    value_release(worker->messages.data, worker->messages.len);
  worker->task = NULL;
}

static void fail_before(task *task) {
  deferred_task_fail(task, "AbortError", "CANCELLED", "Deferred: it was cancelled before it began");
}

static void run_isolated(worker *worker, task *task) {
  char message[160], text[200];
  if (!worker->isolated &&
      !(worker->isolated = isolated_open(worker->common, message, sizeof message))) {
    snprintf(text, sizeof text, "Deferred: no sandbox can be opened: %s", message);
    deferred_task_fail(task, "ApiError", "WORKER", text);
    return;
  }
  if (begin(worker, task)) {
    isolated_run(worker->isolated, task);
    end(task);
    isolated_end(worker->isolated);
  } else {
    fail_before(task);
  }
}

void worker_run(worker *worker, task *task) {
  if (worker && task->isolated) {
    run_isolated(worker, task);
    return;
  }
  if (!worker || !ensure_guest(worker)) {
    deferred_task_fail(task, "ApiError", "OUT_OF_MEMORY", "Deferred: no memory for a worker");
    return;
  }
  if (!begin(worker, task)) {
    fail_before(task);
    return;
  }
  execute(worker, task);
  bool stopped = end(task);
  if (stopped || !is_reusable(worker, task))
    discard_guest(worker);
  if (stopped)
    ensure_guest(worker); /* nobody waits for this outcome: the next task need not wait either */
  waits_clear(&worker->waits);
}

void worker_wake(worker *worker) {
  uv_cond_signal(&worker->wake);
}

void worker_await_loop(task *task) {
  uv_mutex_lock(&task->lock);
  while (task->told_bytes > TASK_TOLD_MAX && task->worker && !task->stop && !task->retired)
    uv_cond_wait(&task->worker->wake, &task->lock);
  uv_mutex_unlock(&task->lock);
}

void worker_stop(worker *worker, const task *task) {
  if (task->isolated)
    isolated_stop(worker->isolated);
  else
    engine_stop(worker->instance);
  uv_cond_signal(&worker->wake);
}
