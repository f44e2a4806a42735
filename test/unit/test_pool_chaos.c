/* Seeded schedules of the worker pool: works that nest, wait, are taken back, given up or
 * dropped by closing, in any order, also when memory or threads are short. Whatever comes,
 * each work ends in exactly one way and nothing is left. */
#include <sched.h>

#include "unit/pool_fixture.h"
#include "unit/seeds.h"

#define SEEDS 1000u
#define JOBS 24u
#define STEPS 60u

typedef enum { PLAIN, HELD, NESTED } job_kind;

typedef struct chaos chaos;

typedef struct piece {
  pool_work work;
  chaos *chaos;
  job_kind kind;
  unsigned depth;
  bool used, let_go, given_up, parks;
  uv_sem_t go; /* of HELD */
  atomic_uint done, dropped, lost, withdrawn, ran;
} piece;

struct chaos {
  memory memory;
  vow_allocator allocator;
  loop *loop;
  pool *pool;
  uint64_t random;
  piece pieces[JOBS];
};

int __real_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
static atomic_uint threads_asked;
static unsigned threads_fail; /* each so many; 0: none */

int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg) {
  unsigned call = atomic_fetch_add(&threads_asked, 1) + 1;
  return threads_fail && call % threads_fail == 0
             ? UV_EAGAIN
             : __real_uv_thread_create_ex(id, options, entry, arg);
}

static uint32_t draw(chaos *c, uint32_t below) {
  c->random ^= c->random << 13;
  c->random ^= c->random >> 7;
  c->random ^= c->random << 17;
  return (uint32_t)(c->random >> 33) % below;
}

/* ---- what works do ---- */

typedef struct child {
  pool_work work;
  pool *pool;
  unsigned depth;
  uv_sem_t ended;
} child;

static void child_done(pool_work *work) {
  uv_sem_post(&((child *)work)->ended);
}

static void nest(pool *pool, unsigned depth, uint64_t affinity);

static void child_run(pool_work *work, void *state) {
  child *k = (child *)work;
  (void)state;
  nest(k->pool, k->depth, work->affinity);
}

/* Two works, waited for by the rule of pool.h: parked first, or done here. */
static void nest(pool *pool, unsigned depth, uint64_t affinity) {
  child children[2];
  if (depth == 0)
    return;
  bool parked = pool_park(pool);
  for (int i = 0; i < 2; i++) {
    children[i] =
        (child){.work = {.run = child_run, .done = child_done, .affinity = affinity}, .pool = pool};
    children[i].depth = depth - 1;
    uv_sem_init(&children[i].ended, 0);
    if (parked && pool_submit(pool, NULL, &children[i].work) == POOL_OK)
      continue;
    child_run(&children[i].work, NULL);
    child_done(&children[i].work);
  }
  for (int i = 0; i < 2; i++) {
    uv_sem_wait(&children[i].ended);
    uv_sem_destroy(&children[i].ended);
  }
  if (parked)
    pool_unpark(pool);
}

static void piece_run(pool_work *work, void *state) {
  piece *p = (piece *)work;
  (void)state;
  bool parked = p->parks && p->kind == HELD && pool_park(p->chaos->pool);
  if (p->kind == HELD)
    uv_sem_wait(&p->go);
  if (p->kind == NESTED)
    nest(p->chaos->pool, p->depth, work->affinity);
  if (parked)
    pool_unpark(p->chaos->pool);
  atomic_fetch_add(&p->ran, 1);
}

static void piece_done(pool_work *work) {
  piece *p = (piece *)work;
  atomic_fetch_add(work->dropped ? &p->dropped : &p->done, 1);
}

static void piece_lost(pool_work *work, void *state) {
  (void)state;
  atomic_fetch_add(&((piece *)work)->lost, 1);
}

/* ---- steps ---- */

static void let_go(piece *p) {
  if (!p->used || p->let_go)
    return;
  p->let_go = true;
  uv_sem_post(&p->go);
}

static void step_submit(chaos *c) {
  piece *p = &c->pieces[draw(c, JOBS)];
  if (p->used)
    return;
  p->chaos = c;
  p->kind = (job_kind)draw(c, 3);
  p->depth = draw(c, 4);
  p->parks = draw(c, 2) == 0;
  p->work = (pool_work){.run = piece_run,
                        .done = piece_done,
                        .lost = piece_lost,
                        .priority = (uint8_t)draw(c, 5),
                        .affinity = draw(c, 3)};
  uv_sem_init(&p->go, 0);
  p->used = pool_submit(c->pool, draw(c, 3) ? c->loop : NULL, &p->work) == POOL_OK;
  if (!p->used)
    uv_sem_destroy(&p->go);
}

/* Only what was not told of yet may be asked for. */
static bool is_asked_for(piece *p) {
  return p->used && p->work.reply_to && p->done + p->withdrawn + p->given_up == 0;
}

static void step(chaos *c) {
  piece *p = &c->pieces[draw(c, JOBS)];
  switch (draw(c, 8)) {
  case 0:
    if (is_asked_for(p) && pool_withdraw(c->pool, &p->work))
      atomic_fetch_add(&p->withdrawn, 1);
    break;
  case 1:
    if (is_asked_for(p) && pool_retire(c->pool, &p->work))
      p->given_up = true;
    break;
  case 2:
    let_go(p);
    break;
  case 3:
    uv_run(loop_uv(c->loop), UV_RUN_NOWAIT);
    break;
  case 4:
    sched_yield();
    break;
  default:
    step_submit(c);
  }
}

/* What was given up is let go before the end or long after it. */
static void let_all_go(chaos *c, bool given_up) {
  for (unsigned i = 0; i < JOBS; i++)
    if (c->pieces[i].given_up == given_up)
      let_go(&c->pieces[i]);
}

static void check(chaos *c) {
  for (unsigned i = 0; i < JOBS; i++) {
    piece *p = &c->pieces[i];
    assert_int_equal(p->done + p->dropped + p->withdrawn + p->lost, p->used);
    assert_int_equal(p->lost, p->given_up);
    assert_int_equal(p->ran, p->done + p->lost);
    if (p->used)
      uv_sem_destroy(&p->go);
  }
}

static void schedule(unsigned seed) {
  static chaos c;
  c = (chaos){.random = UINT64_C(0x9e3779b97f4a7c15) * seed};
  draw(&c, 2);
  c.allocator = memory_open(&c.memory, 0, false);
  c.loop = loop_open(&c.allocator, stage_nothing, stage_nothing, NULL);
  assert_non_null(c.loop);
  c.pool = pool_open(&(pool_options){.allocator = &c.allocator,
                                     .threads_max = 1 + draw(&c, 4),
                                     .idle_ms = draw(&c, 2),
                                     .queue_max = draw(&c, 2) * 6,
                                     .retired_max = draw(&c, 4),
                                     .parked_max = draw(&c, 4)});
  assert_non_null(c.pool);
  c.memory.fail_at = draw(&c, 3) ? 0 : c.memory.calls + 1 + draw(&c, 6);
  atomic_store(&threads_asked, 0);
  threads_fail = draw(&c, 3) ? 0 : 2 + draw(&c, 4);
  unsigned steps = draw(&c, STEPS);
  for (unsigned i = 0; i < steps; i++)
    step(&c);
  let_all_go(&c, false);
  if (draw(&c, 2))
    let_all_go(&c, true);
  if (draw(&c, 2))
    pool_close(c.pool);
  else
    pool_close_now(c.pool);
  loop_close(c.loop);
  let_all_go(&c, true);
  memory_close(&c.memory);
  check(&c);
}

static void schedules(void **state) {
  (void)state;
  for (unsigned i = 0; i < seed_count; i++) {
    current_seed = first_seed + i;
    schedule(current_seed);
  }
  current_seed = 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(schedules, tell_seed_after)};
  seeds_begin(argc, argv, SEEDS);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
