/* Calls that are started while another thread holds the lock.
 *
 * Who starts one then need not wait: it puts the task into the inbox, and whoever has the lock
 * makes its operation before giving the lock back, or looks again right after. For that nothing
 * may be refused later. So there are credits: each is room for one task, in the queue and in
 * the table, that is kept free under the lock and taken without it.
 *
 * `lent` are the credits given that have not come back as tasks. What is live and what is lent
 * are together no more than may be queued; who would break that takes the credits back. */
#include "task/task_int.h"

#include <assert.h>
#include <sched.h>

/* Given at once: so the lock is waited for once in so many starts at most. */
#define LEND_MAX 128u

/* Then it sleeps: what it waits for may run on this core alone, and have no right to it. */
#define YIELDS_MAX 100u

/* ---- giving, under the lock ---- */

static bool is_room(vow_task_pool *pool, uint32_t count) {
  return op_table_live(pool->table) + count <= pool->queue_max &&
         op_table_reserve(pool->table, count) == OP_OK;
}

void task_inbox_lend(vow_task_pool *pool) {
  if (pool->lent > 0 || pool->closing || !is_room(pool, LEND_MAX))
    return;
  pool->lent = LEND_MAX;
  atomic_store_explicit(&pool->credits, LEND_MAX, memory_order_relaxed);
}

/* Those in use are tasks already, or will be in some instructions: of a thread that may have
 * lost its core, even to this one. */
void task_inbox_revoke(vow_task_pool *pool) {
  pool->lent -= atomic_exchange_explicit(&pool->credits, 0, memory_order_relaxed);
  for (unsigned i = 0; pool->lent > 0; i++) {
    if (i > YIELDS_MAX)
      uv_sleep(1);
    else if (i > 0)
      sched_yield();
    task_inbox_take(pool);
  }
}

void task_inbox_keep_room(vow_task_pool *pool) {
  if (pool->lent > 0 && !is_room(pool, pool->lent + 1))
    task_inbox_revoke(pool);
}

/* ---- putting, without the lock ---- */

static bool take_credit(vow_task_pool *pool) {
  unsigned credits = atomic_load_explicit(&pool->credits, memory_order_relaxed);
  while (credits > 0)
    if (atomic_compare_exchange_weak_explicit(&pool->credits, &credits, credits - 1,
                                              memory_order_relaxed, memory_order_relaxed))
      return true;
  return false;
}

bool task_inbox_put(vow_task *task, uint64_t now) {
  vow_task_pool *pool = task->pool;
  if (!take_credit(pool))
    return false;
  task->started_ns = now;
  vow_task *first = atomic_load_explicit(&pool->inbox, memory_order_relaxed);
  do
    task->next = first;
  while (!atomic_compare_exchange_weak_explicit(&pool->inbox, &first, task, memory_order_release,
                                                memory_order_relaxed));
  /* Who has put the first sees to it that all are taken. */
  if (!first)
    task_inbox_help(pool);
  return true;
}

/* ---- taking, under the lock ---- */

/* The last is the first of the inbox. */
static vow_task *in_order(vow_task *last) {
  vow_task *first = NULL;
  for (vow_task *previous; last; last = previous) {
    previous = last->next;
    last->next = first;
    first = last;
  }
  return first;
}

void task_inbox_take(vow_task_pool *pool) {
  vow_task *task = in_order(atomic_exchange_explicit(&pool->inbox, NULL, memory_order_acquire));
  for (vow_task *next; task; task = next) {
    next = task->next;
    task->next = NULL;
    op_status status = task_submit(task, NULL, task->started_ns);
    assert(status == OP_OK); /* its credit */
    (void)status;
    pool->lent--;
  }
}
