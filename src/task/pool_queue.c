#include "task/pool_int.h"

/* ---- a queue ---- */

static pool_list *list_of(pool_queue *queue, const pool_work *work) {
  uint8_t last = OP_PRIORITIES - 1;
  return &queue->lists[work->priority < last ? work->priority : last];
}

static void append(pool_queue *queue, pool_work *work) {
  pool_list *list = list_of(queue, work);
  work->next = NULL;
  work->previous = list->last;
  if (list->last)
    list->last->next = work;
  else
    list->first = work;
  list->last = work;
  queue->count++;
}

static void unlink_work(pool_queue *queue, pool_work *work) {
  pool_list *list = list_of(queue, work);
  if (work->previous)
    work->previous->next = work->next;
  else
    list->first = work->next;
  if (work->next)
    work->next->previous = work->previous;
  else
    list->last = work->previous;
  queue->count--;
}

/* ---- affinity ---- */

static pool_slot *slot_of(pool *pool, const pool_work *work) {
  if (work->affinity == 0)
    return NULL;
  /* Fibonacci hashing: keys are often small numbers or pointers. */
  return &pool->slots[(work->affinity * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}
_Static_assert(POOL_SLOTS == 256, "slot_of() takes the upper 8 bits");

static void bind_slot(pool_slot *slot, pool_thread *thread) {
  slot->thread = thread;
  thread->keys++;
}

void pool_unbind(pool_thread *thread) {
  pool *pool = thread->pool;
  for (uint32_t i = 0; thread->keys > 0 && i < POOL_SLOTS; i++)
    if (pool->slots[i].thread == thread) {
      pool->slots[i].thread = NULL;
      thread->keys--;
    }
}

static void append_shared(pool *pool, pool_work *work) {
  pool_slot *slot = slot_of(pool, work);
  work->thread = NULL;
  append(&pool->queue, work);
  if (slot)
    slot->waiting++;
}

static void append_own(pool_thread *thread, pool_work *work) {
  work->thread = thread;
  append(&thread->own, work);
  if (thread->idle && thread->own.count == 1)
    thread->pool->held++;
}

void pool_unplace(pool *pool, pool_work *work) {
  pool_thread *thread = work->thread;
  pool_slot *slot = slot_of(pool, work);
  if (thread) {
    unlink_work(&thread->own, work);
    if (thread->idle && thread->own.count == 0)
      pool->held--;
    return;
  }
  unlink_work(&pool->queue, work);
  if (slot)
    slot->waiting--;
}

void pool_release_own(pool_thread *thread) {
  for (uint32_t i = 0; i < OP_PRIORITIES; i++)
    for (pool_work *work; (work = thread->own.lists[i].first);) {
      pool_unplace(thread->pool, work);
      append_shared(thread->pool, work);
    }
}

static pool_thread *idle_with_least_keys(const pool *pool) {
  pool_thread *best = pool->top;
  for (pool_thread *thread = best; thread; thread = thread->down)
    if (thread->keys < best->keys)
      best = thread;
  return best;
}

/* The thread for a key that has none: keys are spread while threads can be had for them.
 * NULL: all are busy, the first to be free takes it. */
static pool_thread *choose(pool *pool) {
  if (pool->running + pool->waking >= pool->options.threads_max)
    return NULL;
  pool_thread *idle = idle_with_least_keys(pool);
  if (idle && idle->keys == 0)
    return idle;
  bool room = pool->threads - pool->parked < pool->options.threads_max;
  pool_thread *fresh = room ? pool_start_thread(pool) : NULL;
  return fresh ? fresh : idle;
}

void pool_place(pool *pool, pool_work *work) {
  pool_slot *slot = slot_of(pool, work);
  /* Behind those of its key that wait already. */
  if (!slot || slot->waiting > 0) {
    append_shared(pool, work);
    return;
  }
  if (!slot->thread) {
    pool_thread *chosen = choose(pool);
    if (chosen)
      bind_slot(slot, chosen);
  }
  if (slot->thread && !slot->thread->parked)
    append_own(slot->thread, work);
  else
    append_shared(pool, work);
}

/* ---- taking ---- */

static pool_work *older(pool_work *a, pool_work *b) {
  if (!a || !b)
    return a ? a : b;
  return a->seq < b->seq ? a : b;
}

static pool_work *pick(pool_thread *thread) {
  const pool_queue *shared = &thread->pool->queue;
  pool_work *oldest = NULL;
  if (shared->count == 0 && thread->own.count == 0)
    return NULL;
  bool any = ++thread->picks % OP_TURN == 0;
  for (unsigned i = 0; i < OP_PRIORITIES; i++) {
    pool_work *head = older(thread->own.lists[i].first, shared->lists[i].first);
    if (head && !any)
      return head;
    oldest = older(oldest, head);
  }
  return oldest;
}

/* True: it waits for its key's thread from now on. */
static bool hand_over(pool_thread *thread, pool_work *work) {
  pool_slot *slot = slot_of(thread->pool, work);
  if (!slot || work->thread == thread)
    return false;
  if (!slot->thread)
    bind_slot(slot, thread);
  if (slot->thread == thread || slot->thread->parked)
    return false;
  pool_unplace(thread->pool, work);
  append_own(slot->thread, work);
  return true;
}

pool_work *pool_take(pool_thread *thread) {
  pool *pool = thread->pool;
  if (pool->running >= pool->options.threads_max)
    return NULL;
  pool_work *work = pick(thread);
  while (work && hand_over(thread, work))
    work = pick(thread);
  if (!work)
    return NULL;
  pool_unplace(pool, work);
  pool->queued--;
  pool->running++;
  work->state = WORK_RUNNING;
  work->thread = thread;
  thread->work = work;
  return work;
}
