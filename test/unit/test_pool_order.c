/* The worker pool: priorities, keys of affinity, work that is taken back, a queue with an
 * end, threads with state of their own and threads that end. */
#include <sched.h>

#include "unit/pool_fixture.h"

static void higher_priority_goes_first(void **state) {
  (void)state;
  stage s;
  gate g;
  job low, high[2];
  stage_open(&s, 1);
  gate_open(&s, &g, 0, 0);
  submit_with(&s, &low, 1, 255, 0); /* counts as the last priority */
  submit_with(&s, &high[0], 2, 1, 0);
  submit_with(&s, &high[1], 3, 0, 0);
  gate_let_go(&g);
  until_done(&s, 4);
  assert_int_equal(s.ran_order[1], 3);
  assert_int_equal(s.ran_order[2], 2);
  assert_int_equal(s.ran_order[3], 1);
  gate_close(&g);
  stage_close(&s);
}

/* One in OP_TURN is the oldest, whatever its priority. */
static void low_priority_does_not_starve(void **state) {
  (void)state;
  static job low[OP_PRIORITIES - 1], high[100];
  stage s;
  gate g;
  stage_open(&s, 1);
  gate_open(&s, &g, 0, 0);
  for (uint8_t i = 0; i < OP_PRIORITIES - 1; i++)
    submit_with(&s, &low[i], 1000u + i, (uint8_t)(i + 1), 0);
  for (uint32_t i = 0; i < 100; i++)
    submit_with(&s, &high[i], i, 0, 0);
  gate_let_go(&g);
  until_done(&s, 100 + OP_PRIORITIES);
  for (uint32_t i = 0; i < OP_PRIORITIES - 1; i++) {
    uint32_t at = 0;
    while (s.ran_order[at] != 1000 + i)
      at++;
    assert_in_range(at, 1, OP_TURN * (i + 1));
  }
  gate_close(&g);
  stage_close(&s);
}

static bool same_thread(const job *a, const job *b) {
  return uv_thread_equal(&a->ran_on, &b->ran_on);
}

static void a_key_keeps_its_thread(void **state) {
  (void)state;
  static job keyed[40], others[40];
  stage s;
  stage_open(&s, 4);
  for (uint32_t i = 0; i < 40; i++) {
    submit_with(&s, &keyed[i], i, (uint8_t)(i % OP_PRIORITIES), 7);
    submit_with(&s, &others[i], i, 0, 0);
    if (i % 5 == 4)
      until_done(&s, 2 * i);
  }
  until_done(&s, 80);
  for (uint32_t i = 1; i < 40; i++)
    assert_true(same_thread(&keyed[0], &keyed[i]));
  stage_close(&s);
}

/* Also when all of it was queued before any thread could take the key, and in order. */
static void a_key_queued_before_its_thread(void **state) {
  (void)state;
  static job keyed[50];
  stage s;
  gate gates[2];
  stage_open(&s, 2);
  for (uint32_t i = 0; i < 2; i++)
    gate_open(&s, &gates[i], 1000, 0);
  for (uint32_t i = 0; i < 50; i++)
    submit_with(&s, &keyed[i], i, 0, 7);
  for (uint32_t i = 0; i < 2; i++)
    gate_let_go(&gates[i]);
  until_done(&s, 52);
  for (uint32_t i = 0, next = 0; i < 52; i++)
    if (s.done_order[i] != 1000)
      assert_int_equal(s.done_order[i], next++);
  for (uint32_t i = 1; i < 50; i++)
    assert_true(same_thread(&keyed[0], &keyed[i]));
  for (uint32_t i = 0; i < 2; i++)
    gate_close(&gates[i]);
  stage_close(&s);
}

/* The second waits where any thread may find it, and hands it over; what comes after it must
 * not get in front. */
static void a_key_keeps_the_order(void **state) {
  (void)state;
  stage s;
  gate other, first;
  job second, third;
  stage_open(&s, 2);
  gate_open(&s, &other, 100, 0);
  gate blocks;
  gate_open(&s, &blocks, 101, 0);
  gate_init(&first);
  gate_submit(&s, &first, 1, 7);
  submit_with(&s, &second, 2, 0, 7);
  gate_let_go(&blocks);
  uv_sem_wait(&first.began);
  submit_with(&s, &third, 3, 0, 7);
  gate_let_go(&other);
  until_done(&s, 2);
  while (pool_counts_of(s.pool).idle == 0) /* the other thread has handed over what it found */
    sched_yield();
  gate_let_go(&first);
  until_done(&s, 5);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(s.done_order[2 + i], i + 1);
  gate_close(&other);
  gate_close(&blocks);
  gate_close(&first);
  stage_close(&s);
}

static void a_busy_key_holds_up_nobody_else(void **state) {
  (void)state;
  stage s;
  gate g;
  job same, other_key, none;
  stage_open(&s, 2);
  gate_open(&s, &g, 0, 7);
  submit_with(&s, &same, 1, 0, 7);
  submit_with(&s, &other_key, 2, 0, 8);
  submit_with(&s, &none, 3, 0, 0);
  until_done(&s, 2);
  assert_int_equal(s.ran, 2);
  assert_int_equal(pool_counts_of(s.pool).queued, 1);
  gate_let_go(&g);
  until_done(&s, 4);
  assert_true(same_thread(&same, &g.job));
  assert_false(same_thread(&other_key, &g.job));
  gate_close(&g);
  stage_close(&s);
}

/* One after the other they would all find the first thread idle. */
static void keys_are_spread(void **state) {
  (void)state;
  job jobs[3];
  stage s;
  stage_open(&s, 3);
  for (uint32_t i = 0; i < 3; i++) {
    submit_with(&s, &jobs[i], i, 0, i + 1);
    until_done(&s, i + 1);
  }
  assert_false(same_thread(&jobs[0], &jobs[1]));
  assert_false(same_thread(&jobs[0], &jobs[2]));
  assert_false(same_thread(&jobs[1], &jobs[2]));
  stage_close(&s);
}

static void many_keys_take_no_memory(void **state) {
  (void)state;
  stage s;
  job j;
  stage_open(&s, 2);
  submit_with(&s, &j, 0, 0, 1);
  until_done(&s, 1);
  submit_with(&s, &j, 0, 0, 2);
  until_done(&s, 2);
  size_t calls = s.memory.calls;
  for (unsigned i = 0; i < 5000; i++) {
    submit_with(&s, &j, i, 0, UINT64_C(0x123456789abcdef) * (i + 1));
    until_done(&s, i + 3);
  }
  assert_int_equal(s.memory.calls, calls);
  stage_close(&s);
}

static void what_is_queued_can_be_taken_back(void **state) {
  (void)state;
  stage s;
  gate g;
  job shared, own, after;
  stage_open(&s, 1);
  gate_open(&s, &g, 0, 7);
  submit_with(&s, &shared, 1, 0, 0);
  submit_with(&s, &own, 2, 0, 7);
  submit_with(&s, &after, 3, 0, 0);
  assert_false(pool_withdraw(s.pool, &g.job.work)); /* runs */
  assert_true(pool_withdraw(s.pool, &shared.work));
  assert_false(pool_withdraw(s.pool, &shared.work));
  assert_true(pool_withdraw(s.pool, &own.work));
  assert_int_equal(pool_counts_of(s.pool).queued, 1);
  gate_let_go(&g);
  until_done(&s, 2);
  assert_false(pool_withdraw(s.pool, &after.work)); /* has run */
  assert_int_equal(s.ran, 2);
  submit_with(&s, &shared, 4, 0, 0); /* it is the submitter's, to submit again */
  until_done(&s, 3);
  stage_close(&s);
  assert_int_equal(s.done, 3);
  gate_close(&g);
}

static void a_full_queue_says_so(void **state) {
  (void)state;
  stage s;
  gate g;
  job jobs[2], more = {.work = {.run = run_job, .done = job_done}, .stage = &s};
  stage_open_with(&s, (pool_options){.threads_max = 1, .queue_max = 2});
  gate_open(&s, &g, 0, 0);
  submit_with(&s, &jobs[0], 1, 0, 0);
  submit_with(&s, &jobs[1], 2, 0, 7);
  assert_int_equal(pool_submit(s.pool, s.loop, &more.work), POOL_FULL);
  assert_true(pool_withdraw(s.pool, &jobs[0].work));
  assert_int_equal(pool_submit(s.pool, s.loop, &more.work), POOL_OK);
  gate_let_go(&g);
  until_done(&s, 3);
  gate_close(&g);
  stage_close(&s);
}

/* ---- threads ---- */

typedef struct warm {
  atomic_uint opened, closed;
  uv_sem_t ends;
  uv_thread_t threads[8];
} warm;

static void *warm_open(void *user) {
  warm *w = user;
  unsigned at = atomic_fetch_add(&w->opened, 1);
  if (at >= 8)
    abort();
  w->threads[at] = uv_thread_self();
  uv_thread_t **state = malloc(sizeof *state);
  if (!state)
    abort();
  *state = &w->threads[at];
  return state;
}

static warm *warm_of_test;

static void warm_close(void *state) {
  uv_thread_t self = uv_thread_self();
  if (!uv_thread_equal(&self, *(uv_thread_t **)state))
    abort();
  free(state);
  atomic_fetch_add(&warm_of_test->closed, 1);
  uv_sem_post(&warm_of_test->ends);
}

static void threads_have_state(void **state) {
  (void)state;
  static job jobs[40];
  stage s;
  warm w = {0};
  warm_of_test = &w;
  assert_int_equal(uv_sem_init(&w.ends, 0), 0);
  stage_open_with(
      &s, (pool_options){
              .threads_max = 4, .thread_open = warm_open, .thread_close = warm_close, .user = &w});
  for (uint32_t i = 0; i < 40; i++)
    submit_with(&s, &jobs[i], i, 0, i % 3);
  until_done(&s, 40);
  for (uint32_t i = 0; i < 40; i++)
    assert_true(uv_thread_equal(&jobs[i].ran_on, *(uv_thread_t **)jobs[i].state));
  stage_close(&s);
  assert_in_range(w.opened, 1, 4);
  assert_int_equal(w.closed, w.opened);
  uv_sem_destroy(&w.ends);
}

/* Then the next work gets a new one, and its key too. */
static void idle_threads_end(void **state) {
  (void)state;
  stage s;
  warm w = {0};
  job jobs[4];
  warm_of_test = &w;
  assert_int_equal(uv_sem_init(&w.ends, 0), 0);
  stage_open_with(&s, (pool_options){.threads_max = 2,
                                     .idle_ms = 1,
                                     .thread_open = warm_open,
                                     .thread_close = warm_close,
                                     .user = &w});
  for (uint32_t i = 0; i < 4; i++) {
    submit_with(&s, &jobs[i], i, 0, 7);
    until_done(&s, i + 1);
    uv_sem_wait(&w.ends);
    assert_int_equal(pool_counts_of(s.pool).threads, 0);
  }
  pool_counts counts = pool_counts_of(s.pool);
  assert_int_equal(counts.started, 4);
  assert_int_equal(counts.idle + counts.running + counts.queued, 0);
  stage_close(&s);
  assert_int_equal(w.closed, 4);
  uv_sem_destroy(&w.ends);
}

static void counts_tell_what_is_going_on(void **state) {
  (void)state;
  stage s;
  gate gates[2];
  job j;
  stage_open(&s, 2);
  gate_open(&s, &gates[0], 0, 0);
  gate_open(&s, &gates[1], 1, 0);
  submit_with(&s, &j, 2, 0, 0);
  pool_counts counts = pool_counts_of(s.pool);
  assert_int_equal(counts.threads, 2);
  assert_int_equal(counts.threads_max, 2);
  assert_int_equal(counts.running, 2);
  assert_int_equal(counts.queued, 1);
  assert_int_equal(counts.idle, 0);
  assert_int_equal(counts.started, 2);
  assert_int_equal(counts.ended, 0);
  gate_let_go(&gates[0]);
  gate_let_go(&gates[1]);
  until_done(&s, 3);
  counts = pool_counts_of(s.pool);
  assert_int_equal(counts.threads, 2);
  assert_int_equal(counts.queued + counts.parked + counts.retired, 0);
  gate_close(&gates[0]);
  gate_close(&gates[1]);
  stage_close(&s);
  counts = pool_counts_of(NULL);
  assert_int_equal(counts.threads_max, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(higher_priority_goes_first),
      cmocka_unit_test(low_priority_does_not_starve),
      cmocka_unit_test(a_key_keeps_its_thread),
      cmocka_unit_test(a_key_queued_before_its_thread),
      cmocka_unit_test(a_key_keeps_the_order),
      cmocka_unit_test(a_busy_key_holds_up_nobody_else),
      cmocka_unit_test(keys_are_spread),
      cmocka_unit_test(many_keys_take_no_memory),
      cmocka_unit_test(what_is_queued_can_be_taken_back),
      cmocka_unit_test(a_full_queue_says_so),
      cmocka_unit_test(threads_have_state),
      cmocka_unit_test(idle_threads_end),
      cmocka_unit_test(counts_tell_what_is_going_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
