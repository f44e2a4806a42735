#include "task/pool.h"

struct pool {
  const vow_allocator *allocator;
  uv_mutex_t lock; /* guards everything below */
  uv_cond_t ready; /* `first` or `closing` has been set */
  pool_work *first, *last;
  uint32_t queued;
  uint32_t threads, threads_max;
  /* Threads that wait, also those that have been started, or woken for work, and
   * not taken any. */
  uint32_t idle;
  bool closing;
  uv_thread_t ids[];
};

static void deliver_done(loop_message *message) {
  pool_work *work = (pool_work *)message;
  work->done(work);
}

static pool_work *next_work(pool *pool) {
  uv_mutex_lock(&pool->lock);
  while (!pool->first && !pool->closing)
    uv_cond_wait(&pool->ready, &pool->lock);
  pool_work *work = pool->first;
  if (work) {
    pool->idle--;
    pool->queued--;
    pool->first = work->next;
    if (!pool->first)
      pool->last = NULL;
  }
  uv_mutex_unlock(&pool->lock);
  return work;
}

static void become_idle(pool *pool) {
  uv_mutex_lock(&pool->lock);
  pool->idle++;
  uv_mutex_unlock(&pool->lock);
}

static void worker(void *user) {
  pool *pool = user;
  pool_work *work;
  while ((work = next_work(pool))) {
    work->run(work);
    work->message.deliver = deliver_done;
    become_idle(pool); /* first: who hears of the end may submit more at once */
    loop_post(work->reply_to, &work->message);
  }
}

pool *pool_open(const vow_allocator *allocator, uint32_t threads_max) {
  pool *pool = mem_resize(allocator, NULL, 1, sizeof *pool + threads_max * sizeof(uv_thread_t));
  if (!pool)
    return NULL;
  *pool = (struct pool){.allocator = allocator, .threads_max = threads_max};
  if (uv_mutex_init(&pool->lock) != 0) {
    mem_free(allocator, pool);
    return NULL;
  }
  if (uv_cond_init(&pool->ready) != 0) {
    uv_mutex_destroy(&pool->lock);
    mem_free(allocator, pool);
    return NULL;
  }
  return pool;
}

void pool_close(pool *pool) {
  if (!pool)
    return;
  uv_mutex_lock(&pool->lock);
  pool->closing = true;
  uv_cond_broadcast(&pool->ready);
  uv_mutex_unlock(&pool->lock);
  for (uint32_t i = 0; i < pool->threads; i++)
    uv_thread_join(&pool->ids[i]);
  uv_cond_destroy(&pool->ready);
  uv_mutex_destroy(&pool->lock);
  mem_free(pool->allocator, pool);
}

/* Under the lock. */
static void start_thread(pool *pool) {
  if (uv_thread_create(&pool->ids[pool->threads], worker, pool) != 0)
    return;
  pool->threads++;
  pool->idle++;
}

bool pool_start(pool *pool) {
  uv_mutex_lock(&pool->lock);
  if (pool->threads == 0)
    start_thread(pool);
  bool started = pool->threads > 0;
  uv_mutex_unlock(&pool->lock);
  return started;
}

/* Under the lock. False when there is no thread at all to do the work. */
static bool ensure_thread(pool *pool) {
  if (pool->idle <= pool->queued && pool->threads < pool->threads_max)
    start_thread(pool);
  return pool->threads > 0;
}

bool pool_submit(pool *pool, loop *reply_to, pool_work *work) {
  work->reply_to = reply_to;
  work->next = NULL;
  uv_mutex_lock(&pool->lock);
  bool ok = ensure_thread(pool);
  if (ok) {
    if (pool->last)
      pool->last->next = work;
    else
      pool->first = work;
    pool->last = work;
    pool->queued++;
    uv_cond_signal(&pool->ready);
  }
  uv_mutex_unlock(&pool->lock);
  return ok;
}

pool_counts pool_counts_of(pool *pool) {
  pool_counts counts = {0};
  if (!pool)
    return counts;
  uv_mutex_lock(&pool->lock);
  counts = (pool_counts){pool->threads, pool->threads_max, pool->queued};
  uv_mutex_unlock(&pool->lock);
  return counts;
}
