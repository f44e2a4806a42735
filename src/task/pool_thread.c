#include "task/pool_int.h"

static _Thread_local pool_thread *self;

pool_thread *pool_self(pool *pool) {
  return self && self->pool == pool && self->work ? self : NULL;
}

/* ---- idle threads ---- */

static void push_idle(pool_thread *thread) {
  pool *pool = thread->pool;
  thread->idle = true;
  thread->up = NULL;
  thread->down = pool->top;
  if (pool->top)
    pool->top->up = thread;
  pool->top = thread;
  pool->idle++;
  pool->held += thread->own.count > 0;
}

static void pull_idle(pool_thread *thread) {
  pool *pool = thread->pool;
  if (thread->up)
    thread->up->down = thread->down;
  else
    pool->top = thread->down;
  if (thread->down)
    thread->down->up = thread->up;
  thread->idle = false;
  pool->idle--;
  pool->held -= thread->own.count > 0;
}

void pool_wake(pool_thread *thread) {
  pull_idle(thread);
  thread->pool->waking++;
  if (thread->asleep)
    uv_cond_signal(&thread->wake);
}

static pool_thread *held_thread(const pool *pool) {
  pool_thread *thread = pool->top;
  while (thread->own.count == 0)
    thread = thread->down;
  return thread;
}

void pool_staff(pool *pool) {
  while (pool->running + pool->waking < pool->options.threads_max) {
    if (pool->held > 0)
      pool_wake(held_thread(pool));
    else if (pool->queue.count <= pool->waking)
      return;
    else if (pool->top)
      pool_wake(pool->top);
    else if (!pool_start_thread(pool))
      return;
  }
}

/* ---- the life of a thread ---- */

void pool_drop(pool *pool) {
  if (atomic_fetch_sub(&pool->references, 1) > 1)
    return;
  uv_cond_destroy(&pool->all_ended);
  uv_mutex_destroy(&pool->lock);
  mem_free(pool->options.allocator, pool);
}

void pool_tell(pool_work *work) {
  if (work->reply_to)
    loop_post(work->reply_to, &work->message);
  else
    work->done(work);
}

/* It counts no more. */
static void leave(pool_thread *thread) {
  pool_unbind(thread);
  thread->pool->threads--;
  thread->pool->ending++;
}

/* False when its time is over: it has left. Either way another may have its place. */
static bool become_idle(pool_thread *thread) {
  pool *pool = thread->pool;
  bool stays = !pool->closing || thread->own.count > 0;
  if (stays)
    push_idle(thread);
  else
    leave(thread);
  pool_staff(pool);
  return stays;
}

/* Until somebody wants it to look for work. False, as above, when nobody did for too long. */
static bool wait_idle(pool_thread *thread) {
  pool *pool = thread->pool;
  uint64_t idle_ns = UINT64_C(1000000) * pool->options.idle_ms;
  while (thread->idle) {
    bool late = false;
    thread->asleep = true;
    if (idle_ns == 0)
      uv_cond_wait(&thread->wake, &pool->lock);
    else
      late = uv_cond_timedwait(&thread->wake, &pool->lock, idle_ns) != 0;
    thread->asleep = false;
    if (late && thread->idle && thread->own.count == 0) {
      pull_idle(thread);
      leave(thread);
      return false;
    }
  }
  pool->waking--;
  return true;
}

/* One work after the other. True: the thread has been given up in the last one. */
static bool serve(pool_thread *thread, void *state) {
  pool *pool = thread->pool;
  bool stays = true;
  uv_mutex_lock(&pool->lock);
  pool->waking--;
  for (pool_work *ended = NULL; stays;) {
    pool_work *work = pool_take(thread);
    /* Idle first: who hears of the end may submit more at once. */
    if (work)
      pool_staff(pool);
    else
      stays = become_idle(thread);
    uv_mutex_unlock(&pool->lock);
    if (ended)
      pool_tell(ended);
    ended = work;
    if (work)
      work->run(work, state);
    else if (stays)
      spin_until(&thread->spin, &thread->idle, false);
    uv_mutex_lock(&pool->lock);
    if (thread->retired)
      break;
    if (work) {
      work->state = WORK_FREE;
      thread->work = NULL;
      pool->running--;
    } else if (stays) {
      stays = wait_idle(thread);
    }
  }
  uv_mutex_unlock(&pool->lock);
  return thread->retired;
}

static void free_thread(pool_thread *thread) {
  uv_cond_destroy(&thread->wake);
  mem_free(thread->pool->options.allocator, thread);
}

static void end(pool_thread *thread) {
  pool *pool = thread->pool;
  uv_mutex_lock(&pool->lock);
  uv_thread_t before = pool->last_ended;
  bool has_before = pool->has_ended;
  pool->last_ended = thread->id;
  pool->has_ended = true;
  pool->ending--;
  pool->ended++;
  free_thread(thread);
  if (pool->threads + pool->ending == 0)
    uv_cond_signal(&pool->all_ended);
  uv_mutex_unlock(&pool->lock);
  if (has_before)
    uv_thread_join(&before);
}

static void end_retired(pool_thread *thread) {
  pool *pool = thread->pool;
  uv_mutex_lock(&pool->lock);
  pool->retired--;
  pool->ended++;
  uv_mutex_unlock(&pool->lock);
  free_thread(thread);
  pool_drop(pool);
}

static void thread_main(void *user) {
  pool_thread *thread = user;
  const pool_options *options = &thread->pool->options;
  void *state = options->thread_open ? options->thread_open(options->user) : NULL;
  self = thread;
  bool retired = serve(thread, state);
  if (retired) {
    pool_work *work = thread->work;
    thread->work = NULL;
    if (work->lost)
      work->lost(work, state);
  }
  self = NULL;
  if (options->thread_close)
    options->thread_close(state);
  if (retired)
    end_retired(thread);
  else
    end(thread);
}

/* Whatever `ulimit -s` says: script of a worker may use half of it. */
#define THREAD_STACK ((size_t)8 << 20)

static bool start(pool_thread *thread) {
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                       .stack_size = THREAD_STACK};
  return uv_thread_create_ex(&thread->id, &options, thread_main, thread) == 0;
}

pool_thread *pool_start_thread(pool *pool) {
  const vow_allocator *allocator = pool->options.allocator;
  pool_thread *thread = mem_new(allocator, 1, sizeof *thread);
  if (!thread)
    return NULL;
  thread->pool = pool;
  if (uv_cond_init(&thread->wake) == 0) {
    if (start(thread)) {
      pool->threads++;
      pool->waking++;
      pool->started++;
      return thread;
    }
    uv_cond_destroy(&thread->wake);
  }
  mem_free(allocator, thread);
  return NULL;
}
