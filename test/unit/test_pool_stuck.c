/* The worker pool: work that waits for other work, work that does not end, closing in each
 * state, and threads and memory that cannot be had. */
#include <sched.h>

#include "unit/pool_fixture.h"

/* ---- work that waits for work ---- */

typedef struct nested {
  pool_work work;
  pool *pool;
  unsigned depth, width;
  uint64_t affinity;
  atomic_uint *leaves, *refused;
  uv_sem_t *ended; /* posted by `done` */
} nested;

static void nested_done(pool_work *work) {
  uv_sem_post(((nested *)work)->ended);
}

static void nested_run(pool_work *work, void *state);

/* Posts `ended` now or later. */
static void begin(nested *child, bool parked) {
  if (parked && pool_submit(child->pool, NULL, &child->work) == POOL_OK)
    return;
  nested_run(&child->work, NULL);
  nested_done(&child->work);
}

static void nested_run(pool_work *work, void *state) {
  nested *n = (nested *)work;
  (void)state;
  if (n->depth == 0) {
    atomic_fetch_add(n->leaves, 1);
    return;
  }
  nested children[3];
  uv_sem_t ended[3];
  /* The rule of pool.h: give the place away first, or do it all here. */
  bool parked = pool_park(n->pool);
  atomic_fetch_add(n->refused, !parked);
  for (unsigned i = 0; i < n->width; i++) {
    children[i] = *n;
    children[i].work = (pool_work){
        .run = nested_run, .done = nested_done, .affinity = n->affinity, .priority = (uint8_t)i};
    children[i].depth--;
    children[i].ended = &ended[i];
    uv_sem_init(&ended[i], 0);
    begin(&children[i], parked);
  }
  for (unsigned i = 0; i < n->width; i++) {
    uv_sem_wait(&ended[i]);
    uv_sem_destroy(&ended[i]);
  }
  if (parked)
    pool_unpark(n->pool);
}

static void nest(pool_options options, unsigned depth, unsigned width, uint64_t affinity,
                 bool refuses) {
  stage s;
  uv_sem_t ended;
  atomic_uint leaves = 0, refused = 0;
  unsigned expected = 1;
  for (unsigned i = 0; i < depth; i++)
    expected *= width;
  stage_open_with(&s, options);
  assert_int_equal(uv_sem_init(&ended, 0), 0);
  nested root = {.work = {.run = nested_run, .done = nested_done, .affinity = affinity},
                 .pool = s.pool,
                 .depth = depth,
                 .width = width,
                 .affinity = affinity,
                 .leaves = &leaves,
                 .refused = &refused,
                 .ended = &ended};
  assert_int_equal(pool_submit(s.pool, NULL, &root.work), POOL_OK);
  uv_sem_wait(&ended);
  assert_int_equal(leaves, expected);
  if (!refuses)
    assert_int_equal(refused, 0);
  else
    assert_true(refused > 0);
  pool_counts counts = pool_counts_of(s.pool);
  assert_true(counts.threads <= options.threads_max + options.parked_max);
  assert_int_equal(counts.parked + counts.queued, 0);
  uv_sem_destroy(&ended);
  stage_close(&s);
}

static void deeper_than_there_are_threads(void **state) {
  (void)state;
  nest((pool_options){.threads_max = 1, .parked_max = 20}, 20, 1, 0, false);
  nest((pool_options){.threads_max = 2, .parked_max = 64}, 5, 2, 0, false);
}

static void nested_work_of_one_key(void **state) {
  (void)state;
  nest((pool_options){.threads_max = 1, .parked_max = 20}, 20, 1, 7, false);
  nest((pool_options){.threads_max = 3, .parked_max = 64}, 4, 3, 7, false);
}

static void deeper_than_may_be_parked(void **state) {
  (void)state;
  nest((pool_options){.threads_max = 1}, 30, 1, 0, true);
  nest((pool_options){.threads_max = 2, .parked_max = 3}, 30, 1, 0, true);
  nest((pool_options){.threads_max = 1, .parked_max = 1}, 30, 1, 7, true);
  for (uint64_t key = 0; key < 2; key++)
    nest((pool_options){.threads_max = 2, .parked_max = 1, .idle_ms = 1}, 7, 3, key, true);
}

/* A thread that is parked is no place, so another takes what is queued; what comes back
 * waits for nobody, and is counted beside it. */
typedef struct parker {
  gate gate;
  uv_sem_t parked;
  bool was_parked;
} parker;

static void run_parker(pool_work *work, void *state) {
  parker *p = (parker *)work;
  pool *pool = p->gate.job.stage->pool;
  p->was_parked = pool_park(pool);
  uv_sem_post(&p->parked);
  run_gate(work, state);
  pool_unpark(pool);
  pool_unpark(pool); /* nothing */
}

static void parker_open(stage *s, parker *p, uint64_t affinity) {
  gate_init(&p->gate);
  assert_int_equal(uv_sem_init(&p->parked, 0), 0);
  p->gate.job =
      (job){.work = {.run = run_parker, .done = job_done, .affinity = affinity}, .stage = s};
  assert_int_equal(pool_submit(s->pool, s->loop, &p->gate.job.work), POOL_OK);
  uv_sem_wait(&p->parked);
}

static void parker_close(parker *p) {
  uv_sem_destroy(&p->parked);
  gate_close(&p->gate);
}

static void a_parked_thread_gives_its_place_away(void **state) {
  (void)state;
  stage s;
  parker first, second;
  gate g;
  stage_open_with(&s, (pool_options){.threads_max = 1, .parked_max = 1});
  assert_false(pool_park(s.pool)); /* no thread of the pool */
  pool_unpark(s.pool);
  parker_open(&s, &first, 7);
  assert_true(first.was_parked);
  gate_open(&s, &g, 1, 7); /* its key does not wait for it */
  pool_counts counts = pool_counts_of(s.pool);
  assert_int_equal(counts.parked, 1);
  assert_int_equal(counts.running, 1);
  assert_int_equal(counts.threads, 2);
  gate_let_go(&g);
  until_done(&s, 1);
  parker_open(&s, &second, 0);
  assert_false(second.was_parked); /* parked_max */
  gate_let_go(&second.gate);
  gate_let_go(&first.gate);
  until_done(&s, 3);
  assert_int_equal(pool_counts_of(s.pool).parked, 0);
  parker_close(&first);
  parker_close(&second);
  gate_close(&g);
  stage_close(&s);
}

static void run_returner(pool_work *work, void *state) {
  parker *p = (parker *)work;
  pool *pool = p->gate.job.stage->pool;
  p->was_parked = pool_park(pool);
  uv_sem_post(&p->parked);
  uv_sem_wait(&p->gate.go);
  pool_unpark(pool);
  run_gate(work, state);
}

/* While those that came back fill all places, what only an idle thread may run waits too. */
static void nothing_begins_beside_what_came_back(void **state) {
  (void)state;
  stage s;
  parker p;
  job first, second;
  stage_open_with(&s, (pool_options){.threads_max = 1, .parked_max = 1});
  gate_init(&p.gate);
  assert_int_equal(uv_sem_init(&p.parked, 0), 0);
  p.gate.job = (job){.work = {.run = run_returner, .done = job_done}, .stage = &s};
  assert_int_equal(pool_submit(s.pool, s.loop, &p.gate.job.work), POOL_OK);
  uv_sem_wait(&p.parked);
  submit_with(&s, &first, 1, 0, 7);
  until_done(&s, 1);
  gate_let_go(&p.gate);
  uv_sem_wait(&p.gate.began);
  submit_with(&s, &second, 2, 0, 7);
  pool_counts counts = pool_counts_of(s.pool);
  assert_int_equal(counts.queued, 1);
  assert_int_equal(counts.idle, 1);
  gate_let_go(&p.gate);
  until_done(&s, 3);
  assert_true(uv_thread_equal(&first.ran_on, &second.ran_on));
  parker_close(&p);
  stage_close(&s);
}

static void run_late_parker(pool_work *work, void *state) {
  parker *p = (parker *)work;
  uv_sem_post(&p->gate.began);
  uv_sem_wait(&p->gate.go);
  run_parker(work, state);
}

/* Queued for this very thread before it was parked. */
static void what_waits_for_a_parked_thread_goes_to_others(void **state) {
  (void)state;
  stage s;
  parker p;
  job j = {.work = {.run = run_job, .done = job_done, .affinity = 7}, .stage = &s};
  stage_open_with(&s, (pool_options){.threads_max = 2, .parked_max = 1});
  gate_init(&p.gate);
  assert_int_equal(uv_sem_init(&p.parked, 0), 0);
  p.gate.job =
      (job){.work = {.run = run_late_parker, .done = job_done, .affinity = 7}, .stage = &s};
  assert_int_equal(pool_submit(s.pool, s.loop, &p.gate.job.work), POOL_OK);
  uv_sem_wait(&p.gate.began);
  assert_int_equal(pool_submit(s.pool, s.loop, &j.work), POOL_OK);
  assert_int_equal(pool_counts_of(s.pool).queued, 1);
  gate_let_go(&p.gate);
  until_done(&s, 1);
  gate_let_go(&p.gate);
  until_done(&s, 2);
  assert_false(uv_thread_equal(&j.ran_on, &p.gate.job.ran_on));
  parker_close(&p);
  stage_close(&s);
}

/* ---- work that does not end ---- */

static uv_sem_t lost_now;

static void gate_lost(pool_work *work, void *state) {
  gate *g = (gate *)work;
  (void)state;
  atomic_fetch_add(&g->lost, 1);
  uv_sem_post(&lost_now);
}

static void stuck_open(stage *s, gate *g, uint64_t affinity) {
  gate_open(s, g, 0, affinity);
  g->job.work.lost = gate_lost; /* read when its run has ended */
}

static void a_stuck_thread_is_replaced(void **state) {
  (void)state;
  stage s;
  gate g;
  job jobs[3];
  assert_int_equal(uv_sem_init(&lost_now, 0), 0);
  stage_open_with(&s, (pool_options){.threads_max = 1, .retired_max = 1});
  stuck_open(&s, &g, 7);
  for (uint32_t i = 0; i < 3; i++)
    submit_with(&s, &jobs[i], i, 0, i == 1 ? 7 : 0);
  assert_false(pool_retire(s.pool, &jobs[0].work)); /* is queued */
  assert_true(pool_retire(s.pool, &g.job.work));
  assert_false(pool_retire(s.pool, &g.job.work));
  until_done(&s, 3);
  pool_counts counts = pool_counts_of(s.pool);
  assert_int_equal(counts.retired, 1);
  assert_int_equal(counts.threads, 1);
  assert_int_equal(counts.started, 2);
  assert_int_equal(g.lost, 0);
  assert_false(pool_retire(s.pool, &jobs[0].work)); /* has ended */
  gate_let_go(&g);
  uv_sem_wait(&lost_now);
  stage_close(&s);
  assert_int_equal(s.done, 3); /* its own never */
  assert_int_equal(g.lost, 1);
  gate_close(&g);
  uv_sem_destroy(&lost_now);
}

static void only_so_many_are_given_up(void **state) {
  (void)state;
  stage s;
  gate g[3];
  job j;
  assert_int_equal(uv_sem_init(&lost_now, 0), 0);
  stage_open_with(&s, (pool_options){.threads_max = 1, .retired_max = 2});
  stuck_open(&s, &g[0], 0);
  assert_true(pool_retire(s.pool, &g[0].job.work));
  stuck_open(&s, &g[1], 0);
  assert_true(pool_retire(s.pool, &g[1].job.work));
  stuck_open(&s, &g[2], 0);
  assert_false(pool_retire(s.pool, &g[2].job.work));
  submit_with(&s, &j, 1, 0, 0);
  gate_let_go(&g[0]);
  uv_sem_wait(&lost_now);
  while (pool_counts_of(s.pool).retired == 2)
    sched_yield();
  assert_true(pool_retire(s.pool, &g[2].job.work));
  until_done(&s, 1);
  gate_let_go(&g[1]);
  gate_let_go(&g[2]);
  uv_sem_wait(&lost_now);
  uv_sem_wait(&lost_now);
  stage_close(&s);
  for (int i = 0; i < 3; i++)
    gate_close(&g[i]);
  uv_sem_destroy(&lost_now);
}

static void a_parked_thread_can_be_given_up(void **state) {
  (void)state;
  stage s;
  parker p;
  job j;
  assert_int_equal(uv_sem_init(&lost_now, 0), 0);
  stage_open_with(&s, (pool_options){.threads_max = 1, .parked_max = 1, .retired_max = 1});
  parker_open(&s, &p, 0);
  p.gate.job.work.lost = gate_lost;
  assert_true(pool_retire(s.pool, &p.gate.job.work));
  assert_int_equal(pool_counts_of(s.pool).parked, 0);
  submit_with(&s, &j, 1, 0, 0);
  until_done(&s, 1);
  gate_let_go(&p.gate);
  uv_sem_wait(&lost_now);
  assert_int_equal(pool_counts_of(s.pool).running, 0);
  stage_close(&s);
  parker_close(&p);
  uv_sem_destroy(&lost_now);
}

/* A thread that was given up outlives pool and loop; what it still asks is refused. */
typedef struct stray {
  gate gate;
  pool *pool;
  job child;
  pool_status submitted;
  bool parked;
} stray;

static void run_stray(pool_work *work, void *state) {
  stray *y = (stray *)work;
  run_gate(work, state);
  y->parked = pool_park(y->pool);
  y->submitted = pool_submit(y->pool, NULL, &y->child.work);
  pool_unpark(y->pool);
}

static void closing_does_not_wait_for_the_stuck(void **state) {
  (void)state;
  for (int now = 0; now < 2; now++) {
    stage s;
    stray y = {.parked = true};
    assert_int_equal(uv_sem_init(&lost_now, 0), 0);
    stage_open_with(&s, (pool_options){.threads_max = 2, .retired_max = 1, .parked_max = 1});
    gate_init(&y.gate);
    y.pool = s.pool;
    y.child = (job){.work = {.run = run_job, .done = job_done}, .stage = &s};
    y.gate.job =
        (job){.work = {.run = run_stray, .done = job_done, .lost = gate_lost}, .stage = &s};
    assert_int_equal(pool_submit(s.pool, s.loop, &y.gate.job.work), POOL_OK);
    uv_sem_wait(&y.gate.began);
    assert_true(pool_retire(s.pool, &y.gate.job.work));
    if (now)
      pool_close_now(s.pool);
    else
      pool_close(s.pool);
    loop_close(s.loop);
    assert_int_equal(y.gate.lost, 0);
    gate_let_go(&y.gate);
    uv_sem_wait(&lost_now);
    memory_close(&s.memory); /* the last of it is freed by that thread */
    assert_int_equal(y.submitted, POOL_CLOSED);
    assert_false(y.parked);
    assert_int_equal(s.done, 0);
    gate_close(&y.gate);
    uv_sem_destroy(&lost_now);
  }
}

typedef struct rescue {
  stage *stage;
  gate *gate;
  bool retired;
} rescue;

static void rescue_main(void *user) {
  rescue *r = user;
  r->retired = pool_retire(r->stage->pool, &r->gate->job.work);
}

/* Whoever closes the pool may be waiting already. */
static void stuck_while_closing(void **state) {
  (void)state;
  for (int round = 0; round < 20; round++) {
    stage s;
    gate g;
    uv_thread_t thread;
    rescue r = {&s, &g, false};
    assert_int_equal(uv_sem_init(&lost_now, 0), 0);
    stage_open_with(&s, (pool_options){.threads_max = 1, .retired_max = 1});
    stuck_open(&s, &g, 0);
    assert_int_equal(uv_thread_create(&thread, rescue_main, &r), 0);
    pool_close(s.pool); /* hangs for ever if it is not given up */
    uv_thread_join(&thread);
    assert_true(r.retired);
    loop_close(s.loop);
    gate_let_go(&g);
    uv_sem_wait(&lost_now);
    memory_close(&s.memory);
    gate_close(&g);
    uv_sem_destroy(&lost_now);
  }
}

/* ---- closing ---- */

static void note_dropped(pool_work *work) {
  job *j = (job *)work;
  j->number = work->dropped ? 1 : 2;
  j->stage->done++;
}

typedef struct closer {
  stage *stage;
  gate *gate;
} closer;

/* Lets the running work go when what was queued is dropped, and that it is. */
static void closer_main(void *user) {
  closer *c = user;
  while (pool_counts_of(c->stage->pool).queued > 0)
    sched_yield();
  gate_let_go(c->gate);
}

static void closing_at_once_drops_what_is_queued(void **state) {
  (void)state;
  stage s;
  gate g;
  uv_thread_t thread;
  job by_loop[3], by_worker[3];
  stage_open(&s, 1);
  gate_open(&s, &g, 0, 7);
  for (uint32_t i = 0; i < 3; i++) {
    by_loop[i] =
        (job){.work = {.run = run_job, .done = note_dropped, .affinity = i ? 0 : 7}, .stage = &s};
    by_worker[i] = by_loop[i];
    assert_int_equal(pool_submit(s.pool, s.loop, &by_loop[i].work), POOL_OK);
    assert_int_equal(pool_submit(s.pool, NULL, &by_worker[i].work), POOL_OK);
  }
  closer c = {&s, &g};
  assert_int_equal(uv_thread_create(&thread, closer_main, &c), 0);
  pool_close_now(s.pool);
  uv_thread_join(&thread);
  assert_int_equal(s.ran, 1);
  assert_int_equal(s.done, 3); /* those without a loop */
  loop_close(s.loop);
  assert_int_equal(s.done, 7);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(by_loop[i].number, 1);
    assert_int_equal(by_worker[i].number, 1);
  }
  memory_close(&s.memory);
  gate_close(&g);
}

/* A chain of works, each submitted by the one before it. */
typedef struct chain {
  pool_work work;
  pool *pool;
  unsigned *ran;
  struct chain *next;
} chain;

static void run_link(pool_work *work, void *state) {
  chain *l = (chain *)work;
  (void)state;
  ++*l->ran;
  if (l->next && pool_submit(l->pool, NULL, &l->next->work) != POOL_OK)
    abort();
}

static void link_done(pool_work *work) {
  (void)work;
}

static void closing_runs_what_running_work_submits(void **state) {
  (void)state;
  for (unsigned threads = 1; threads < 4; threads++) {
    chain links[50];
    unsigned ran = 0;
    stage s;
    stage_open(&s, threads);
    for (int i = 0; i < 50; i++)
      links[i] = (chain){.work = {.run = run_link, .done = link_done},
                         .pool = s.pool,
                         .ran = &ran,
                         .next = i < 49 ? &links[i + 1] : NULL};
    assert_int_equal(pool_submit(s.pool, NULL, &links[0].work), POOL_OK);
    pool_close(s.pool);
    assert_int_equal(ran, 50);
    loop_close(s.loop);
    memory_close(&s.memory);
  }
}

/* ---- what cannot be had ---- */

int __real_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);

static atomic_uint threads_asked, threads_fail_from; /* 0: none fails */

int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg) {
  unsigned call = atomic_fetch_add(&threads_asked, 1) + 1;
  unsigned from = atomic_load(&threads_fail_from);
  return from && call >= from ? UV_EAGAIN : __real_uv_thread_create_ex(id, options, entry, arg);
}

static void no_thread_at_all(void **state) {
  (void)state;
  stage s;
  job j = {.work = {.run = run_job, .done = job_done, .affinity = 7}, .stage = &s};
  stage_open(&s, 2);
  threads_asked = 0;
  threads_fail_from = 1;
  assert_false(pool_start(s.pool));
  for (j.work.affinity = 0; j.work.affinity < 2; j.work.affinity++) {
    assert_int_equal(pool_submit(s.pool, s.loop, &j.work), POOL_NO_THREAD);
    assert_false(pool_withdraw(s.pool, &j.work));
  }
  assert_int_equal(pool_counts_of(s.pool).queued, 0);
  threads_fail_from = 0;
  assert_int_equal(pool_submit(s.pool, s.loop, &j.work), POOL_OK);
  until_done(&s, 1);
  stage_close(&s);
}

/* The one thread there is must do it all: it cannot be parked or given up while others wait
 * for it. */
static void no_second_thread(void **state) {
  (void)state;
  stage s;
  gate g;
  parker p;
  job j;
  stage_open_with(&s, (pool_options){.threads_max = 1, .parked_max = 1, .retired_max = 1});
  threads_asked = 0;
  threads_fail_from = 2;
  gate_open(&s, &g, 0, 0);
  gate_init(&p.gate);
  assert_int_equal(uv_sem_init(&p.parked, 0), 0);
  p.gate.job = (job){.work = {.run = run_parker, .done = job_done}, .stage = &s};
  assert_int_equal(pool_submit(s.pool, s.loop, &p.gate.job.work), POOL_OK);
  submit_with(&s, &j, 1, 0, 0);
  assert_false(pool_retire(s.pool, &g.job.work));
  gate_let_go(&g);
  uv_sem_wait(&p.parked);
  assert_false(p.was_parked);
  assert_false(pool_retire(s.pool, &p.gate.job.work));
  gate_let_go(&p.gate);
  until_done(&s, 3);
  threads_fail_from = 0;
  stage_close(&s);
  parker_close(&p);
  gate_close(&g);
}

/* True: nothing failed. */
static bool scenario(size_t fail_at, bool for_ever) {
  stage s = {0};
  static job jobs[12];
  unsigned expected = 0;
  s.allocator = memory_open(&s.memory, 0, false);
  s.loop_thread = uv_thread_self();
  s.loop = loop_open(&s.allocator, stage_nothing, stage_nothing, &s);
  assert_non_null(s.loop);
  s.memory.fail_at = s.memory.calls + fail_at;
  s.memory.for_ever = for_ever;
  size_t before = s.memory.calls;
  s.pool = pool_open(&(pool_options){.allocator = &s.allocator, .threads_max = 3, .idle_ms = 1});
  bool whole = s.pool && pool_start(s.pool);
  for (uint32_t i = 0; s.pool && i < 12; i++) {
    jobs[i] = (job){.work = {.run = run_job, .done = job_done, .affinity = i % 4}, .stage = &s};
    pool_status status = pool_submit(s.pool, s.loop, &jobs[i].work);
    assert_true(status == POOL_OK || status == POOL_NO_THREAD);
    expected += status == POOL_OK;
    if (i % 5 == 4)
      until_done(&s, expected);
  }
  until_done(&s, expected);
  pool_close(s.pool);
  loop_close(s.loop);
  whole = whole && expected == 12 && s.memory.calls - before < fail_at;
  memory_close(&s.memory);
  return whole;
}

static void each_allocation_fails(void **state) {
  (void)state;
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    size_t n = 1;
    while (n < 100 && !scenario(n, for_ever))
      n++;
    assert_in_range(n, 4, 99); /* the pool and three threads at least */
  }
}

static void from_each_thread_on_none_starts(void **state) {
  (void)state;
  for (unsigned n = 1; n < 6; n++) {
    threads_asked = 0;
    threads_fail_from = n;
    scenario(SIZE_MAX / 2, false);
    assert_true(threads_asked >= 1);
  }
  threads_fail_from = 0;
  assert_true(scenario(SIZE_MAX / 2, false));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(deeper_than_there_are_threads),
      cmocka_unit_test(nested_work_of_one_key),
      cmocka_unit_test(deeper_than_may_be_parked),
      cmocka_unit_test(a_parked_thread_gives_its_place_away),
      cmocka_unit_test(nothing_begins_beside_what_came_back),
      cmocka_unit_test(what_waits_for_a_parked_thread_goes_to_others),
      cmocka_unit_test(a_stuck_thread_is_replaced),
      cmocka_unit_test(only_so_many_are_given_up),
      cmocka_unit_test(a_parked_thread_can_be_given_up),
      cmocka_unit_test(closing_does_not_wait_for_the_stuck),
      cmocka_unit_test(stuck_while_closing),
      cmocka_unit_test(closing_at_once_drops_what_is_queued),
      cmocka_unit_test(closing_runs_what_running_work_submits),
      cmocka_unit_test(no_thread_at_all),
      cmocka_unit_test(no_second_thread),
      cmocka_unit_test(each_allocation_fails),
      cmocka_unit_test(from_each_thread_on_none_starts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
