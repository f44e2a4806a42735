#include "task/pool_int.h"

#include <pthread.h>

/* ---- opening and closing ---- */

pool *pool_open(const pool_options *options) {
  pool *pool = mem_new(options->allocator, 1, sizeof *pool);
  if (!pool)
    return NULL;
  pool->options = *options;
  atomic_init(&pool->references, 1);
  if (spin_mutex_init(&pool->lock) == 0) {
    if (uv_cond_init(&pool->all_ended) == 0)
      return pool;
    uv_mutex_destroy(&pool->lock);
  }
  mem_free(options->allocator, pool);
  return NULL;
}

bool pool_start(pool *pool) {
  uv_mutex_lock(&pool->lock);
  bool started = pool->threads > 0 || pool_start_thread(pool);
  uv_mutex_unlock(&pool->lock);
  return started;
}

/* One of the works that wait; NULL: none does. */
static pool_work *any_queued(const pool *pool) {
  for (unsigned i = 0; i < OP_PRIORITIES; i++)
    if (pool->queue.lists[i].first)
      return pool->queue.lists[i].first;
  return NULL;
}

/* All that is queued, as a list, oldest first within a priority. */
static pool_work *drop_queued(pool *pool) {
  pool_work *first = NULL, **last = &first;
  for (unsigned i = 0; i < POOL_SLOTS; i++)
    if (pool->slots[i].thread)
      pool_release_own(pool->slots[i].thread);
  for (pool_work *work; (work = any_queued(pool)); last = &work->next) {
    pool_unplace(pool, work);
    pool->queued--;
    work->state = WORK_FREE;
    work->dropped = true;
    work->next = NULL;
    *last = work;
  }
  return first;
}

static void close_pool(pool *pool, bool now) {
  if (!pool)
    return;
  uv_mutex_lock(&pool->lock);
  pool->closing = true;
  pool->closed = now;
  pool_work *dropped = now ? drop_queued(pool) : NULL;
  while (pool->top)
    pool_wake(pool->top);
  uv_mutex_unlock(&pool->lock);
  while (dropped) { /* first: work that runs may wait for it */
    pool_work *work = dropped;
    dropped = work->next;
    pool_tell(work);
  }
  uv_mutex_lock(&pool->lock);
  while (pool->threads + pool->ending > 0)
    uv_cond_wait(&pool->all_ended, &pool->lock);
  pool->closed = true;
  uv_mutex_unlock(&pool->lock);
  if (pool->has_ended)
    uv_thread_join(&pool->last_ended);
  pool_drop(pool);
}

void pool_close(pool *pool) {
  close_pool(pool, false);
}

void pool_close_now(pool *pool) {
  close_pool(pool, true);
}

/* ---- work ---- */

static void deliver_done(loop_message *message) {
  pool_work *work = (pool_work *)message;
  loop_expect(work->reply_to, -1);
  work->done(work);
}

/* What is queued would wait for ever. */
static bool is_stranded(const pool *pool) {
  return pool->queued > 0 && pool->threads == pool->parked;
}

static pool_status enter(pool *pool, loop *reply_to, pool_work *work) {
  if (pool->closed)
    return POOL_CLOSED;
  if (pool->options.queue_max > 0 && pool->queued >= pool->options.queue_max)
    return POOL_FULL;
  pool_place(pool, work);
  pool->queued++;
  pool_staff(pool);
  if (is_stranded(pool)) {
    pool_unplace(pool, work);
    pool->queued--;
    return POOL_NO_THREAD;
  }
  work->message.deliver = deliver_done;
  work->reply_to = reply_to;
  work->seq = pool->seq++;
  work->state = WORK_QUEUED;
  work->dropped = false;
  return POOL_OK;
}

static void expect(const pool_work *work, int change) {
  if (work->reply_to)
    loop_expect(work->reply_to, change);
}

pool_status pool_submit(pool *pool, loop *reply_to, pool_work *work) {
  uv_mutex_lock(&pool->lock);
  pool_status status = enter(pool, reply_to, work);
  if (status == POOL_OK)
    expect(work, 1);
  uv_mutex_unlock(&pool->lock);
  return status;
}

bool pool_withdraw(pool *pool, pool_work *work) {
  uv_mutex_lock(&pool->lock);
  bool queued = work->state == WORK_QUEUED;
  if (queued) {
    pool_unplace(pool, work);
    pool->queued--;
    work->state = WORK_FREE;
    expect(work, -1);
  }
  uv_mutex_unlock(&pool->lock);
  return queued;
}

/* ---- threads that wait, threads that are stuck ---- */

/* Takes the place of `thread` away, or gives it back, without a look at who else is there. */
static void set_parked(pool_thread *thread, bool parked) {
  pool *pool = thread->pool;
  thread->parked = parked;
  if (parked) {
    pool->parked++;
    pool->running--;
  } else {
    pool->parked--;
    pool->running++;
  }
}

bool pool_park(pool *pool) {
  pool_thread *thread = pool_self(pool);
  if (!thread)
    return false;
  uv_mutex_lock(&pool->lock);
  bool parked = !thread->retired && !thread->parked && pool->parked < pool->options.parked_max;
  if (parked) {
    set_parked(thread, true);
    pool_release_own(thread);
    pool_staff(pool);
    if (is_stranded(pool)) {
      set_parked(thread, false);
      parked = false;
    }
  }
  uv_mutex_unlock(&pool->lock);
  return parked;
}

void pool_unpark(pool *pool) {
  pool_thread *thread = pool_self(pool);
  if (!thread)
    return;
  uv_mutex_lock(&pool->lock);
  if (thread->parked)
    set_parked(thread, false);
  uv_mutex_unlock(&pool->lock);
}

/* A parked thread is given a place first, so that there is one case. */
static bool give_up(pool *pool, pool_thread *thread) {
  bool parked = thread->parked;
  if (parked)
    set_parked(thread, false);
  pool_release_own(thread);
  pool->threads--;
  pool->running--;
  pool_staff(pool);
  if (!is_stranded(pool))
    return true;
  pool->threads++;
  pool->running++;
  if (parked)
    set_parked(thread, true);
  return false;
}

bool pool_retire(pool *pool, pool_work *work) {
  uv_mutex_lock(&pool->lock);
  pool_thread *thread = work->state == WORK_RUNNING ? work->thread : NULL;
  bool retired = thread && !thread->retired && pool->retired < pool->options.retired_max &&
                 give_up(pool, thread);
  if (retired) {
    pool_unbind(thread);
    thread->retired = true;
    pool->retired++;
    atomic_fetch_add(&pool->references, 1);
    pthread_detach(thread->id);
    expect(work, -1);
    if (pool->threads + pool->ending == 0)
      uv_cond_signal(&pool->all_ended);
  }
  uv_mutex_unlock(&pool->lock);
  return retired;
}

pool_counts pool_counts_of(pool *pool) {
  pool_counts counts = {0};
  if (!pool)
    return counts;
  uv_mutex_lock(&pool->lock);
  counts = (pool_counts){.threads = pool->threads,
                         .threads_max = pool->options.threads_max,
                         .idle = pool->idle,
                         .running = pool->running,
                         .parked = pool->parked,
                         .queued = pool->queued,
                         .retired = pool->retired,
                         .started = pool->started,
                         .ended = pool->ended};
  uv_mutex_unlock(&pool->lock);
  return counts;
}
