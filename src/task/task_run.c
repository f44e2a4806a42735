/* Runners: works of the thread pool that call callbacks. */
#include "task/task_int.h"
#include "task/task_retry.h"

/* ---- hiring ---- */

/* Any thread. */
static void give_back(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  task_runner *first = atomic_load_explicit(&pool->free, memory_order_relaxed);
  do
    runner->free_next = first;
  while (!atomic_compare_exchange_weak_explicit(&pool->free, &first, runner, memory_order_release,
                                                memory_order_relaxed));
}

/* Under the lock, so that nobody else takes: what is first stays on the list. */
static task_runner *take_free(vow_task_pool *pool) {
  task_runner *first = atomic_load_explicit(&pool->free, memory_order_acquire);
  while (first &&
         !atomic_compare_exchange_weak_explicit(&pool->free, &first, first->free_next,
                                                memory_order_acquire, memory_order_acquire))
    ;
  return first;
}

void task_hire(vow_task_pool *pool, task_after *after) {
  task_runner *runner = take_free(pool);
  pool->coming++;
  after->hires = true;
  after->runner = runner;
}

static void run(pool_work *work, void *state);
static void ran(pool_work *work);
static void lost(pool_work *work, void *state);

static task_runner *make_runner(vow_task_pool *pool) {
  task_runner *runner = mem_new(pool->allocator, 1, sizeof *runner);
  if (!runner)
    return NULL;
  runner->pool = pool;
  runner->work.run = run;
  runner->work.done = ran;
  runner->work.lost = lost;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  runner->all_next = pool->all;
  pool->all = runner;
  task_unlock(pool, &after);
  return runner;
}

void task_hire_failed(vow_task_pool *pool, task_after *after) {
  uint64_t now = loop_now();
  after->no_hire = true;
  pool->coming--;
  for (vow_task *task; pool->coming + pool->working == 0 && (task = pool->ready_first);) {
    task_unready(task);
    task_reject(task, "ResourceError", "no thread can be had for it", now, after);
    op_handler_done(pool->table, task->id, now);
    task_end(task, after);
    task_take_events(pool, now, after);
  }
}

bool task_send(vow_task_pool *pool, task_runner *runner) {
  if (!runner)
    runner = make_runner(pool);
  if (runner && pool_submit(pool->threads, NULL, &runner->work) == POOL_OK)
    return true;
  if (runner)
    give_back(runner);
  return false;
}

/* ---- places of those that wait ---- */

static void set_places(vow_task_pool *pool) {
  op_kind_set_concurrent(pool->kind, pool->concurrent_max + pool->parked);
}

void task_park(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  runner->parked = true;
  pool->working--;
  pool->parked++;
  set_places(pool);
}

void task_unpark(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  if (!runner->parked)
    return;
  runner->parked = false;
  pool->working++;
  pool->parked--;
  set_places(pool);
}

/* ---- being told to stop ---- */

void task_stop(task_runner *runner, uint64_t now, task_after *after) {
  vow_task_pool *pool = runner->pool;
  atomic_store_explicit(&runner->cancelled, true, memory_order_relaxed);
  runner->retire_at = task_until(now, pool->patience_ms);
  runner->stopping = true;
  runner->stop_next = NULL;
  runner->stop_previous = pool->stop_last;
  *(pool->stop_last ? &pool->stop_last->stop_next : &pool->stop_first) = runner;
  pool->stop_last = runner;
  pool->sooner = true;
  if (runner->waiter)
    task_wake(runner->waiter, VOW_E_CANCELLED, after);
  vow_task_stop_callback *on_stop = runner->on_stop;
  runner->on_stop = NULL;
  if (on_stop)
    on_stop(runner->on_stop_user);
}

void task_unstop(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  if (!runner->stopping)
    return;
  runner->stopping = false;
  *(runner->stop_previous ? &runner->stop_previous->stop_next : &pool->stop_first) =
      runner->stop_next;
  *(runner->stop_next ? &runner->stop_next->stop_previous : &pool->stop_last) =
      runner->stop_previous;
}

/* ---- running ---- */

/* Under the lock. The next callback for the runner; NULL: there is none. */
static vow_task *begin(task_runner *runner, uint64_t now) {
  vow_task_pool *pool = runner->pool;
  vow_task *task = pool->ready_first;
  runner->task = task;
  if (!task)
    return NULL;
  task_unready(task);
  task->place = TASK_RUNNING;
  task->runner = runner;
  pool->working++;
  runner->began_ns = now > task->started_ns ? now : task->started_ns;
  runner->attempt = ++task->result.attempts;
  runner->said = SAID_NOTHING;
  runner->said_cbor = runner->misfit = false;
  atomic_store_explicit(&runner->cancelled, false, memory_order_relaxed);
  atomic_store_explicit(&task->state, VOW_RUNNING, memory_order_relaxed);
  if (task_is_recorded(task))
    task_record(
        task, (task_event){.kind = TASK_EVENT_STARTED, .now_ns = now, .attempt = runner->attempt});
  return task;
}

/* The runner is done with its task. */
static void leave_task(task_runner *runner, task_after *after) {
  vow_task *task = runner->task;
  task_unstop(runner);
  runner->on_stop = NULL;
  task->place = TASK_AWAY;
  task->runner = NULL;
  if (task->waiters)
    task_wake_returned(task, after);
}

void task_give_up(task_runner *runner, uint64_t now, task_after *after) {
  vow_task *task = runner->task;
  op_handler_done(task->pool->table, task->id, now);
  leave_task(runner, after);
}

/* What was said becomes the task's. */
static void take_said(vow_task *task, task_runner *runner) {
  vow_task_result *result = &task->result;
  task->said = runner->said_block;
  runner->said_block = NULL;
  if (runner->said == SAID_ERROR) {
    result->error_type = runner->said_type;
    result->error_message = runner->said_message;
    result->error_detail = runner->said_detail;
  } else if (task->said) {
    result->value = task->said;
    result->value_len = runner->said_len;
    task->is_cbor = runner->said_cbor;
  }
}

bool task_again(vow_task *task, const char *error, uint64_t now) {
  vow_task_pool *pool = task->pool;
  uint32_t attempt = task->result.attempts;
  if (!task->retry || !task_retry_wanted(task->retry, attempt, error))
    return false;
  uint64_t random = (pool->random += UINT64_C(0x9e3779b97f4a7c15));
  random = (random ^ random >> 32) * UINT64_C(0xd6e8feb86659fd93);
  random ^= random >> 32;
  uint64_t delay = task_retry_delay_ns(task->retry, attempt, random);
  if (op_retry_after(pool->table, task->id, now, delay) != OP_OK)
    return false;
  pool->sooner = true;
  task->place = TASK_AWAY;
  if (task_is_recorded(task))
    task_record(task,
                (task_event){
                    .kind = TASK_EVENT_RETRIED, .now_ns = now, .attempt = attempt, .error = error});
  return true;
}

/* Another attempt of the task that the runner's callback has failed. */
static bool retry(task_runner *runner, uint64_t now) {
  vow_task *task = runner->task;
  if (runner->said != SAID_ERROR || runner->misfit || !task_again(task, runner->said_type, now))
    return false;
  task->result.run_ns += task_elapsed(runner->began_ns, now);
  task->runner = NULL;
  runner->on_stop = NULL;
  runner->pool->working--;
  return true;
}

/* Under the lock: the callback has returned. */
static void finish(task_runner *runner, uint64_t now, task_after *after) {
  vow_task_pool *pool = runner->pool;
  vow_task *task = runner->task;
  bool failed = runner->said == SAID_ERROR;
  if (retry(runner, now))
    return;
  op_status settled = op_finish(pool->table, task->id, failed ? OP_REJECTED : OP_FULFILLED, now);
  if (settled == OP_OK) {
    take_said(task, runner);
    task_settle(task, failed ? VOW_REJECTED : VOW_FULFILLED, now, after);
  } else if (runner->said != SAID_NOTHING) {
    pool->late++;
    if (task_is_recorded(task))
      task_record_late(task, failed, failed ? runner->said_type : NULL, now);
  }
  pool->working--;
  leave_task(runner, after);
  task_end(task, after);
}

/* Under the lock: so has that of one given up, which has no place and no task any more. */
static void finish_retired(task_runner *runner, uint64_t now, task_after *after) {
  bool failed = runner->said == SAID_ERROR;
  runner->pool->late++;
  if (task_is_recorded(runner->task))
    task_record_late(runner->task, failed, failed ? runner->said_type : NULL, now);
  task_end(runner->task, after);
  runner->task = NULL;
}

static void forget_said(task_runner *runner) {
  mem_free(runner->pool->allocator, runner->said_block);
  mem_free(runner->pool->allocator, runner->argument_json);
  runner->said_block = NULL;
  runner->argument_json = NULL;
}

/* It has said what does not fit its task. */
static void say_misfit(task_runner *runner, const char *message) {
  forget_said(runner);
  runner->said = SAID_NOTHING;
  vow_task_fail(runner, "TypeError", message, NULL);
}

static void call(task_runner *runner, vow_task *task) {
  char message[512];
  if (vow_task_cancelled(runner))
    return; /* while this thread ended the one before */
  if (task->takes && !task_value_fits(task->takes, task->value, task->value_len, "argument",
                                      task->name, message, sizeof message)) {
    runner->misfit = true;
    say_misfit(runner, message);
    return;
  }
  task->callback(runner, task->argument);
  if (runner->said == SAID_ERROR)
    return;
  if (task->gives && !task_value_fits(task->gives, runner->said_block, runner->said_len, "result",
                                      task->name, message, sizeof message))
    say_misfit(runner, message);
  else if (task->node && runner->said_block)
    runner->said_cbor = task_value_is_cbor(runner->said_block, runner->said_len);
}

/* ---- lingering ----
 *
 * Who submits one after the other wants a runner again right after its last callback. To look
 * for a moment whether something becomes ready costs both sides less than going back to the
 * thread pool, and being hired from there. Such a runner counts as coming. */

static _Thread_local spin lingering;

static bool is_any_ready(const void *user) {
  const vow_task_pool *pool = user;
  return atomic_load_explicit(&pool->ready, memory_order_relaxed) > 0 || task_inbox_waits(pool);
}

/* Under the lock. One of them is enough, and not when it was for nothing the last times. */
static bool may_linger(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  if (runner->retired || pool->lingers || pool->stopped)
    return false;
  if (lingering.skips > 0) {
    lingering.skips--;
    return false;
  }
  pool->lingers = true;
  pool->coming++;
  return true;
}

static vow_task *linger(task_runner *runner) {
  vow_task_pool *pool = runner->pool;
  task_after after = {.ended = NULL};
  atomic_store_explicit(&pool->watched, true, memory_order_relaxed);
  spin_for(&lingering, is_any_ready, pool);
  task_lock(pool, &after);
  atomic_store_explicit(&pool->watched, false, memory_order_relaxed);
  pool->lingers = false;
  pool->coming--;
  vow_task *task = begin(runner, loop_now());
  task_unlock(pool, &after);
  return task;
}

/* ---- a callback after the other ---- */

/* Calls the callback and takes the next. */
static vow_task *run_one(task_runner *runner, vow_task *task) {
  vow_task_pool *pool = runner->pool;
  task_after after = {.ended = NULL};
  task_self = runner;
  call(runner, task);
  task_self = NULL;
  uint64_t now = loop_now();
  task_lock(pool, &after);
  vow_task *next = NULL;
  if (runner->retired) {
    finish_retired(runner, now, &after);
  } else {
    finish(runner, now, &after);
    task_take_events(pool, now, &after);
    next = begin(runner, now);
  }
  bool lingers = !next && may_linger(runner);
  task_unlock(pool, &after);
  forget_said(runner);
  return lingers ? linger(runner) : next;
}

static void run(pool_work *work, void *state) {
  (void)state;
  task_runner *runner = (task_runner *)work;
  vow_task_pool *pool = runner->pool;
  task_after after = {.ended = NULL};
  task_thread_pool = pool;
  task_lock(pool, &after);
  pool->coming--;
  vow_task *task = begin(runner, loop_now());
  task_unlock(pool, &after);
  while (task)
    task = run_one(runner, task);
  task_thread_pool = NULL;
}

static void ran(pool_work *work) {
  give_back((task_runner *)work);
}

/* Its thread was given up, and it has returned after all. */
static void lost(pool_work *work, void *state) {
  (void)state;
  task_runner *runner = (task_runner *)work;
  vow_task_pool *pool = runner->pool;
  task_after after = {.ended = NULL};
  task_lock(pool, &after);
  runner->retired = false;
  pool->retired_live--;
  pool->sooner = true;
  task_unlock(pool, &after);
  give_back(runner);
  task_pool_drop(pool);
}
