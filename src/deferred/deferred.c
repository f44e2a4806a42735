/* The loop thread's side: host calls become tasks, their outcomes answers. */
#include "deferred/deferred.h"

#include <string.h>

#include "deferred/deferred_int.h"

#define NS_PER_MS UINT64_C(1000000)
/* How long a task that was asked to stop may take before its thread is given up. */
#define PATIENCE_NS (20 * NS_PER_MS)
/* A sandbox always stops; only a busy machine makes it late. */
#define ISOLATED_PATIENCE_NS (2000 * NS_PER_MS)
#define RETIRED_MAX 64u
/* Tasks that wait for their own calls at once, beside those that execute. */
#define PARKED_MAX 256u
#define IDLE_MS 10000u
#define CACHE_BYTES (16u << 20)

typedef struct waiting {
  struct waiting *next;
  host_call *call;
} waiting;

struct deferred {
  const vow_allocator *allocator;
  shard *shard;
  common *common;
  pool *pool;
  code_table codes;
  uint32_t queue_max;
  task *watched; /* asked to stop, or with a limit of running time */
  uv_timer_t *watch;
  waiting *ready, *last_ready; /* calls of Deferred.ready() */
  uint64_t retired;
};

/* ---- threads that do not stop ---- */

static void unwatch(task *task) {
  struct task **at = &task->owner->watched;
  if (!task->give_up_at)
    return;
  while (*at != task)
    at = &(*at)->next_watched;
  *at = task->next_watched;
  task->give_up_at = 0;
}

static void reject(host_call *call, const char *name, const char *code, const char *message,
                   bool transient) {
  const host_error error = {name, code, message, transient};
  host_call_end_nested(call);
  host_call_reject(call, &error);
}

/* The thread is left to itself: whatever it still says reaches nobody. */
static bool give_up(task *task) {
  deferred *deferred = task->owner;
  host_call *call = task->call;
  deferred_task_hold(task); /* its thread may come back at any moment */
  uv_mutex_lock(&task->lock);
  bool was_asked = task->stop;
  bool retired = pool_retire(deferred->pool, &task->work);
  task->retired = retired;
  if (retired && task->worker)
    worker_wake(task->worker);
  uv_mutex_unlock(&task->lock);
  if (retired)
    task->call = NULL;
  deferred_task_release(task);
  if (!retired)
    return false;
  deferred->retired++;
  if (was_asked)
    reject(call, "AbortError", "CANCELLED", "Deferred: the function did not stop when asked to",
           false);
  else
    reject(call, "TimeoutError", "TIMEOUT", "Deferred: the function ran longer than its runTimeout",
           false);
  return true;
}

static void on_watch(uv_timer_t *timer);

static void set_watch(deferred *deferred) {
  uint64_t now = loop_now(), at = UINT64_MAX;
  for (const task *task = deferred->watched; task; task = task->next_watched)
    if (task->give_up_at < at)
      at = task->give_up_at;
  if (at == UINT64_MAX)
    uv_timer_stop(deferred->watch);
  else
    uv_timer_start(deferred->watch, on_watch, at > now ? (at - now) / NS_PER_MS + 1 : 0, 0);
}

static void on_watch(uv_timer_t *timer) {
  deferred *deferred = timer->data;
  uint64_t now = loop_now();
  for (task *task = deferred->watched, *next; task; task = next) {
    next = task->next_watched;
    if (task->give_up_at > now)
      continue;
    unwatch(task);
    if (!give_up(task)) { /* it ends just now, or too many are stuck */
      task->give_up_at = now + PATIENCE_NS;
      task->next_watched = deferred->watched;
      deferred->watched = task;
    }
  }
  set_watch(deferred);
}

static uint64_t patience(const task *task) {
  return task->isolated ? ISOLATED_PATIENCE_NS : PATIENCE_NS;
}

static void watch(task *task, uint64_t give_up_at) {
  unwatch(task);
  task->give_up_at = give_up_at;
  task->next_watched = task->owner->watched;
  task->owner->watched = task;
  uv_update_time(loop_uv(shard_loop(task->owner->shard)));
  set_watch(task->owner);
}

/* A native that it calls may outlast its running time. */
void deferred_started(task *task, uint64_t at) {
  if (task->call && !task->give_up_at)
    watch(task, at + task->run_ns + patience(task));
}

/* ---- Deferred.ready() ---- */

static bool has_room(const deferred *deferred) {
  return pool_counts_of(deferred->pool).queued < deferred->queue_max / 2 + 1;
}

static void answer_undefined(host_call *call) {
  static const uint8_t undefined[] = {0xf7};
  host_call_fulfil(call, undefined, sizeof undefined);
}

static void tell_ready(deferred *deferred) {
  while (deferred->ready && has_room(deferred)) {
    waiting *first = deferred->ready;
    host_call *call = first->call;
    deferred->ready = first->next;
    mem_free(deferred->allocator, first);
    answer_undefined(call);
  }
}

static void start_ready(host_call *call, void *user) {
  deferred *deferred = user;
  waiting *entry = NULL;
  if (has_room(deferred))
    answer_undefined(call);
  else if (!(entry = mem_new(deferred->allocator, 1, sizeof *entry)))
    reject(call, NULL, "OUT_OF_MEMORY", "Deferred.ready: out of memory", false);
  if (!entry)
    return;
  entry->call = call;
  if (deferred->ready)
    deferred->last_ready->next = entry;
  else
    deferred->ready = entry;
  deferred->last_ready = entry;
}

static void stop_ready(host_call *call, void *user) {
  deferred *deferred = user;
  waiting **at = &deferred->ready, *before = NULL;
  while (*at && (*at)->call != call) {
    before = *at;
    at = &before->next;
  }
  if (*at) {
    waiting *gone = *at;
    *at = gone->next;
    if (deferred->last_ready == gone)
      deferred->last_ready = before;
    mem_free(deferred->allocator, gone);
  }
  reject(call, "AbortError", "CANCELLED", "Deferred.ready was cancelled", false);
}

/* ---- outcomes ---- */

static void answer(host_call *call, task *task) {
  static const host_error thrown = {"Error", NULL, "the function threw", false};
  host_call_end_nested(call);
  switch (task->state) {
  case TASK_VALUE:
    task->passed_on = task->isolated ? host_call_fulfil(call, task->bytes, task->bytes_len)
                                     : host_call_fulfil_encoded(call, task->bytes, task->bytes_len);
    break;
  case TASK_THROWN:
    task->passed_on = host_call_reject_value(call, &thrown, task->bytes, task->bytes_len);
    break;
  case TASK_FAILED:
  case TASK_OPEN:
    reject(call, task->failure.name, task->failure.code, task->failure.message, false);
    break;
  }
}

static void on_done(pool_work *work) {
  task *task = (struct task *)work;
  deferred *deferred = task->owner;
  unwatch(task);
  answer(task->call, task);
  task->call = NULL;
  deferred_task_release(task);
  tell_ready(deferred);
}

/* On its thread, once it has come back after all. */
static void on_lost(pool_work *work, void *state) {
  (void)state;
  deferred_task_release((task *)work);
}

static void run_work(pool_work *work, void *state) {
  task *task = (struct task *)work;
  worker *own = state ? NULL : worker_open(task->common); /* memory was short before */
  worker_run(state ? state : own, task);
  worker_close(own);
}

/* ---- calls ---- */

static bool on_code(const uint8_t *body, size_t len, void *user) {
  deferred *deferred = user;
  return code_add(&deferred->codes, body, len);
}

static pool_status submit(deferred *deferred, task *task, host_call *call) {
  task->owner = deferred;
  task->call = call;
  task->work.run = run_work;
  task->work.done = on_done;
  task->work.lost = on_lost;
  task->work.priority = host_call_priority(call);
  return pool_submit(deferred->pool, shard_loop(deferred->shard), &task->work);
}

static void start(host_call *call, void *user) {
  deferred *deferred = user;
  task_terms terms;
  code *code = NULL;
  size_t len;
  const uint8_t *arguments = host_call_arguments(call, &len);
  if (!deferred_task_terms_read(arguments, len, &terms) ||
      !(code = code_find(&deferred->codes, terms.hash))) {
    reject(call, NULL, "UNKNOWN_FUNCTION",
           "Deferred: the function is not known to the workers: there are more than 256 MiB of "
           "different ones, or memory is short",
           false);
    return;
  }
  task *task = deferred_task_open(deferred->common, code, &terms);
  if (!task) {
    reject(call, NULL, "OUT_OF_MEMORY", "Deferred: out of memory", false);
    return;
  }
  host_call_set_data(call, task);
  if (code->name[0])
    host_call_set_detail(call, code->name);
  pool_status status = submit(deferred, task, call);
  if (status == POOL_OK)
    return;
  deferred_task_release(task);
  if (status == POOL_NO_THREAD)
    reject(call, NULL, "NO_THREAD", "Deferred: no thread can be started: out of memory, or limited",
           true);
  else
    reject(call, NULL, "QUEUE_FULL",
           "Deferred: too many tasks wait already; await Deferred.ready() before the next", true);
}

/* Nobody waits for it any more. */
static void stop(host_call *call, void *user) {
  deferred *deferred = user;
  task *task = host_call_data(call);
  if (pool_withdraw(deferred->pool, &task->work)) {
    task->call = NULL;
    deferred_task_release(task);
    reject(call, "AbortError", "CANCELLED", "Deferred: it was cancelled before it began", false);
    tell_ready(deferred);
    return;
  }
  uv_mutex_lock(&task->lock);
  task->stop = true;
  if (task->worker)
    worker_stop(task->worker, task);
  uv_mutex_unlock(&task->lock);
  watch(task, loop_now() + patience(task));
}

/* ---- life ---- */

static bool open_parts(deferred *deferred, const deferred_options *options) {
  unsigned cores = uv_available_parallelism();
  const pool_options threads = {
      .allocator = deferred->allocator,
      .threads_max = options->workers ? options->workers : cores,
      .queue_max = deferred->queue_max,
      .idle_ms = IDLE_MS,
      .retired_max = RETIRED_MAX,
      .parked_max = PARKED_MAX,
      .thread_open = worker_open,
      .thread_close = worker_close,
      .user = deferred->common,
  };
  deferred->pool = pool_open(&threads);
  deferred->watch = mem_new(deferred->allocator, 1, sizeof *deferred->watch);
  if (!deferred->pool || !deferred->watch)
    return false;
  deferred->common->pool = deferred->pool;
  uv_timer_init(loop_uv(shard_loop(deferred->shard)), deferred->watch);
  deferred->watch->data = deferred;
  return true;
}

static void close_watch(uv_handle_t *handle) {
  mem_free(handle->data, handle);
}

deferred *deferred_open(const deferred_options *options, shard *shard) {
  deferred *deferred = mem_new(options->allocator, 1, sizeof *deferred);
  common *common = mem_new(options->allocator, 1, sizeof *common);
  if (!deferred || !common) {
    mem_free(options->allocator, deferred);
    mem_free(options->allocator, common);
    return NULL;
  }
  atomic_init(&common->holders, 1);
  common->allocator = options->allocator;
  common->trust = options->trust;
  deferred->common = common;
  deferred->allocator = deferred->codes.allocator = options->allocator;
  deferred->shard = shard;
  deferred->queue_max = options->queue_max ? options->queue_max : DEFERRED_QUEUE;
  if (open_parts(deferred, options))
    return deferred;
  deferred_close(deferred);
  return NULL;
}

void deferred_close(deferred *deferred) {
  if (!deferred)
    return;
  if (deferred->pool)
    pool_close_now(deferred->pool);
  if (deferred->watch && deferred->watch->data) {
    deferred->watch->data = (void *)(uintptr_t)deferred->allocator;
    uv_close((uv_handle_t *)deferred->watch, close_watch);
  } else {
    mem_free(deferred->allocator, deferred->watch);
  }
  code_table_free(&deferred->codes);
  common_release(deferred->common);
  mem_free(deferred->allocator, deferred);
}

bool deferred_prepare(deferred *deferred, const run_options *options) {
  static const uint8_t zeros[12];
  run_options workers = *options;
  cbor_out out;
  workers.name = "worker";
  workers.source = "";
  workers.source_len = 0;
  workers.context = NULL;
  workers.module = false;
  cbor_out_init(&out, deferred->allocator, WIRE_MESSAGE_MAX);
  run_put_start(zeros, &workers, false, &out);
  deferred->common->memory_bytes = (size_t)options->limits.memory_bytes;
  deferred->common->start = cbor_out_take(&out, &deferred->common->start_len);
  return deferred->common->start != NULL;
}

void deferred_kinds(deferred *deferred, host_kind kinds[DEFERRED_KINDS]) {
  const host_kind task = {.name = "Deferred",
                          .arguments = 3,
                          .start = start,
                          .stop = stop,
                          .answer = deferred_answer,
                          .code = on_code,
                          .user = deferred};
  kinds[0] = kinds[1] = task;
  kinds[1].name = "Deferred.pure";
  kinds[1].arguments = 2;
  kinds[1].policy =
      (host_policy){.cache_ms = UINT32_MAX, .cache_bytes = CACHE_BYTES, .single_flight = true};
  kinds[2] = (host_kind){
      .name = "Deferred.ready", .start = start_ready, .stop = stop_ready, .user = deferred};
}

deferred_counts deferred_counts_of(deferred *deferred) {
  pool_counts counts = pool_counts_of(deferred->pool);
  return (deferred_counts){counts.threads, counts.running, counts.queued, deferred->retired};
}
