/* Pools of tasks: opening, closing, counts. */
#include "task/task_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "loop/forked.h"

#define CONCURRENT_MOST 1024u
#define QUEUE_DEFAULT 1000000u
#define IDLE_MS_DEFAULT 10000u
#define WAITING_DEFAULT 64u
#define RETIRED_DEFAULT 16u
#define PATIENCE_MS_DEFAULT 1000u

_Thread_local vow_task_pool *task_thread_pool;
_Thread_local task_runner *task_self;

/* ---- messages ---- */

static _Thread_local struct {
  const vow_task_pool *pool; /* NULL: there is none */
  char text[256];
} last_message;

vow_status task_refuse(const vow_task_pool *pool, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(last_message.text, sizeof last_message.text, format, arguments);
  va_end(arguments);
  last_message.pool = pool;
  return VOW_E_INVALID;
}

void task_no_message(void) {
  last_message.pool = NULL;
}

const char *vow_task_pool_message(const vow_task_pool *pool) {
  return last_message.pool == pool ? last_message.text : "";
}

/* ---- opening ---- */

static uint32_t or_default(uint32_t given, uint32_t other) {
  return given ? given : other;
}

static void complete(vow_task_pool_options *options) {
  uint32_t processors = uv_available_parallelism();
  options->concurrent_max = or_default(options->concurrent_max,
                                       processors < CONCURRENT_MOST ? processors : CONCURRENT_MOST);
  options->queue_max = or_default(options->queue_max, QUEUE_DEFAULT);
  options->idle_ms = or_default(options->idle_ms, IDLE_MS_DEFAULT);
  options->waiting_max = or_default(options->waiting_max, WAITING_DEFAULT);
  options->retired_max = or_default(options->retired_max, RETIRED_DEFAULT);
  if (options->patience_ms == 0)
    options->patience_ms = PATIENCE_MS_DEFAULT;
}

static bool open_table(vow_task_pool *pool, const vow_task_pool_options *options) {
  const op_policy policy = {.concurrent_max = options->concurrent_max,
                            .queue_max = options->queue_max};
  pool->table = op_table_open(pool->allocator, 0);
  pool->kind = pool->table ? op_kind_open(pool->table, "task", &policy, 0) : NULL;
  pool->scope = pool->kind ? op_scope_open(pool->table, NULL, OP_NEVER, pool, loop_now()) : NULL;
  return pool->scope;
}

static void close_table(vow_task_pool *pool, uint64_t now) {
  op_event event;
  if (pool->scope) {
    op_scope_close(pool->scope, now);
    while (op_next_event(pool->table, &event))
      ;
    op_scope_release(pool->scope);
  }
  op_kind_close(pool->kind);
  op_table_close(pool->table);
  pool->scope = NULL;
  pool->kind = NULL;
  pool->table = NULL;
}

/* `threads` bounds nothing but the threads: what waits and what is given up is bounded here. */
static bool open_threads(vow_task_pool *pool, const vow_task_pool_options *options) {
  const pool_options threads = {.allocator = pool->allocator,
                                .threads_max = options->concurrent_max,
                                .idle_ms = options->idle_ms,
                                .retired_max = UINT32_MAX,
                                .parked_max = options->waiting_max};
  pool->threads = pool_open(&threads);
  return pool->threads;
}

static bool open_lock(vow_task_pool *pool) {
  return spin_mutex_init(&pool->lock) == 0;
}

static void tell(const vow_task_pool_options *options, const char *message) {
  if (options->message && options->message_size)
    snprintf(options->message, options->message_size, "%s", message);
}

/* Last, so that a pool that does not open leaves no file. */
static vow_status open_records(vow_task_pool *pool, const vow_task_pool_options *options) {
  char why[512] = "memory is short";
  if (options->metrics && !(pool->metrics = task_metrics_open(pool->allocator)))
    return VOW_E_NOMEM;
  vow_status status = VOW_OK;
  if (options->audit)
    status = task_audit_open(pool->allocator, options->audit, &pool->audit, why, sizeof why);
  if (status != VOW_OK)
    tell(options, why);
  return status;
}

static void close_parts(vow_task_pool *pool) {
  close_table(pool, loop_now());
  pool_close(pool->threads);
  metrics_close(pool->metrics);
  uv_mutex_destroy(&pool->lock);
  mem_free(pool->allocator, pool);
}

static vow_status open_pool(const vow_task_pool_options *options, vow_task_pool **opened) {
  vow_task_pool *pool = mem_new(options->allocator, 1, sizeof *pool);
  if (!pool)
    return VOW_E_NOMEM;
  pool->allocator = options->allocator;
  pool->forks = forked_count();
  pool->concurrent_max = options->concurrent_max;
  pool->queue_max = options->queue_max;
  pool->retired_max = options->retired_max;
  pool->patience_ms = options->patience_ms;
  while (getrandom(&pool->random, sizeof pool->random, 0) != (ssize_t)sizeof pool->random)
    ;
  atomic_init(&pool->balance, 0);
  if (!open_lock(pool)) {
    mem_free(options->allocator, pool);
    return VOW_E_NOMEM;
  }
  vow_status status = VOW_E_NOMEM;
  if (open_table(pool, options) && open_threads(pool, options))
    status = open_records(pool, options);
  if (status == VOW_OK)
    *opened = pool;
  else
    close_parts(pool);
  return status;
}

static const char *fault_of(const vow_task_pool_options *options) {
  return options->concurrent_max > CONCURRENT_MOST ? "concurrent_max: at most 1024" : NULL;
}

vow_status vow_task_pool_open(const vow_task_pool_options *given, vow_task_pool **opened) {
  vow_task_pool_options options = {0};
  *opened = NULL;
  if (given && !sized_copy(&options, sizeof options, given))
    return VOW_E_INVALID;
  tell(&options, "");
  const char *fault = fault_of(&options);
  if (fault) {
    tell(&options, fault);
    return VOW_E_INVALID;
  }
  complete(&options);
  tell(&options, "memory is short");
  vow_status status = forked_watch() ? open_pool(&options, opened) : VOW_E_NOMEM;
  if (status == VOW_OK)
    tell(&options, "");
  return status;
}

bool task_pool_lost(const vow_task_pool *pool) {
  return pool->forks != forked_count();
}

/* ---- closing ---- */

static void free_pool(vow_task_pool *pool) {
  while (pool->all) {
    task_runner *runner = pool->all;
    pool->all = runner->all_next;
    mem_free(pool->allocator, runner);
  }
  uv_mutex_destroy(&pool->lock);
  mem_free(pool->allocator, pool);
}

static void add_balance(vow_task_pool *pool, long long change) {
  if (atomic_fetch_add(&pool->balance, change) + change == 0)
    free_pool(pool);
}

/* Until it is closed the balance is below 0, however many are dropped. */
void task_pool_drop(vow_task_pool *pool) {
  add_balance(pool, -1);
}

vow_status vow_task_pool_cancel(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  task_lock(pool, &after);
  uint64_t now = loop_now();
  if (!pool->closed) { /* a callback in a thread that was given up may ask */
    op_scope_cancel_all(pool->scope, now);
    task_take_events(pool, now, &after);
  }
  task_unlock(pool, &after);
  return VOW_OK;
}

/* Waits until no runner is there, at most the pool's patience. */
static void wait_quiet(vow_task_pool *pool) {
  task_waiter waiter = {.by = NULL};
  task_after after = {.ended = NULL};
  uint64_t until = task_until(loop_now(), pool->patience_ms);
  task_lock(pool, &after);
  bool quiet = pool->coming + pool->working + pool->parked == 0;
  if (!quiet)
    task_waiter_add(&pool->quiet_waiters, &waiter);
  task_unlock(pool, &after);
  if (quiet || sleeper_wait(&waiter.sleeper, NULL, until))
    return;
  task_lock(pool, &after);
  task_waiter_remove(&waiter);
  task_unlock(pool, &after);
}

/* Takes back the runners that wait for a thread: without one for them they would keep others
 * from being given up. False: one is still on its way to them, or from there. */
static bool withdraw_runners(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  for (task_runner *runner = pool->all; runner; runner = runner->all_next)
    if (!runner->task && pool_withdraw(pool->threads, &runner->work))
      pool->coming--;
  bool none = pool->coming == 0;
  task_unlock(pool, &after);
  return none;
}

/* Whoever hires uses the threads without the lock. Nobody begins to any more, and no callback
 * of the program is called on the way: so this is short, and rare. */
static void await_hired(vow_task_pool *pool) {
  while (!withdraw_runners(pool))
    uv_sleep(1);
}

/* Gives up the threads of all callbacks that run. False: there was one. */
static bool retire_all(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  uint64_t now = loop_now();
  for (task_runner *runner = pool->all; runner; runner = runner->all_next)
    if (runner->task && !runner->retired)
      task_retire(runner, now, &after);
  bool none = pool->retired_live == 0;
  task_take_events(pool, now, &after);
  task_unlock(pool, &after);
  return none;
}

/* Nothing may be started any more, and what is live is cancelled. */
static void stop_all(vow_task_pool *pool) {
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  pool->stopped = true;
  task_unlock(pool, &after);
  vow_task_pool_cancel(pool);
}

/* No callback runs, but in threads that were given up. False: the audit is not whole. */
static bool close_all(vow_task_pool *pool) {
  task_keeper_end(pool);
  pool_close_now(pool->threads);
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  pool->last = op_table_counts(pool->table);
  close_table(pool, loop_now());
  pool->closed = true;
  long long holders = (long long)pool->holders;
  task_audit *audit = pool->audit;
  metrics *metrics = pool->metrics;
  pool->audit = NULL;
  pool->metrics = NULL;
  task_unlock(pool, &after);
  bool whole = task_audit_close(audit);
  metrics_close(metrics);
  add_balance(pool, holders);
  return whole;
}

vow_status vow_task_pool_close(vow_task_pool *pool, vow_task_close mode, uint64_t limit_ms) {
  if (!pool)
    return VOW_OK;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  if (task_thread_pool == pool)
    return VOW_E_DEADLOCK;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  bool closing = pool->closing;
  pool->closing = true;
  if (!closing) {
    task_inbox_revoke(pool);
    task_take_events(pool, loop_now(), &after);
  }
  task_unlock(pool, &after);
  if (closing)
    return VOW_E_STATE;
  if (mode == VOW_TASK_GRACEFUL)
    vow_task_pool_wait(pool, limit_ms);
  stop_all(pool);
  wait_quiet(pool);
  await_hired(pool);
  bool all_ended = retire_all(pool);
  bool whole = close_all(pool);
  if (!all_ended)
    return VOW_E_TIME;
  return whole ? VOW_OK : VOW_E_LOST;
}

/* ---- counts ---- */

/* Under the lock. */
static vow_task_counts look(vow_task_pool *pool) {
  op_counts ops = pool->closed ? pool->last : op_table_counts(pool->table);
  vow_task_counts counts = {.created = ops.created,
                            .fulfilled = ops.fulfilled,
                            .rejected = ops.rejected,
                            .timed_out = ops.timed_out,
                            .cancelled = ops.cancelled,
                            .live = ops.live,
                            .queued = ops.queued + pool->ready,
                            .active = pool->working + pool->parked,
                            .retries = ops.retries,
                            .late = pool->late,
                            .retired = pool->retired,
                            .retired_live = pool->retired_live};
  if (!pool->closed)
    counts.threads = pool_counts_of(pool->threads).threads;
  return counts;
}

vow_status vow_task_pool_counts(vow_task_pool *pool, vow_task_counts *counts) {
  size_t size = counts->size;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  if (size < sizeof size)
    return VOW_E_INVALID;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  vow_task_counts all = look(pool);
  task_unlock(pool, &after);
  all.size = size;
  memcpy(counts, &all, size < sizeof all ? size : sizeof all);
  return VOW_OK;
}

vow_status vow_task_pool_metrics(vow_task_pool *pool, char **text) {
  size_t len;
  *text = NULL;
  if (task_pool_lost(pool))
    return VOW_E_STATE;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  bool counted = pool->metrics;
  if (counted) {
    vow_task_counts counts = look(pool);
    task_metrics_pool(pool->metrics, &counts);
    *text = metrics_text(pool->metrics, &len);
  }
  task_unlock(pool, &after);
  if (!counted)
    return VOW_E_STATE;
  return *text ? VOW_OK : VOW_E_NOMEM;
}

void vow_task_free_text(vow_task_pool *pool, char *text) {
  mem_free(pool->allocator, text);
}
