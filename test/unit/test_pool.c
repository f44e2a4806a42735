/* The worker pool: where work runs and is done, in which order, how much of it
 * at once, and what closing does with it. */
#include "unit/pool_fixture.h"

static void work_runs_elsewhere_and_is_done_here(void **state) {
  (void)state;
  stage s;
  job j;
  stage_open(&s, 2);
  submit(&s, &j, 1, false);
  assert_int_equal(s.done, 0); /* never before the loop turns */
  until_done(&s, 1);
  assert_false(uv_thread_equal(&j.ran_on, &s.loop_thread));
  stage_close(&s);
}

static void one_thread_keeps_the_order(void **state) {
  (void)state;
  static job jobs[WORKS];
  stage s;
  stage_open(&s, 1);
  for (uint32_t i = 0; i < WORKS; i++)
    submit(&s, &jobs[i], i, false);
  until_done(&s, WORKS);
  for (uint32_t i = 0; i < WORKS; i++) {
    assert_int_equal(s.ran_order[i], i);
    assert_int_equal(s.done_order[i], i);
  }
  assert_int_equal(s.running_max, 1);
  stage_close(&s);
}

/* Works that wait for each other end only if they really run at once. */
static void as_many_at_once_as_allowed(void **state) {
  (void)state;
  static job jobs[WORKS];
  stage s;
  stage_open(&s, 4);
  assert_int_equal(uv_barrier_init(&s.meeting, 4), 0);
  for (uint32_t i = 0; i < WORKS; i++)
    submit(&s, &jobs[i], i, true);
  until_done(&s, WORKS);
  assert_int_equal(s.running_max, 4);
  uv_barrier_destroy(&s.meeting);
  stage_close(&s);
}

/* One thread is idle already when two works come at once: the second must get
 * a thread of its own, not wait for the first. */
static void an_idle_thread_is_counted_once(void **state) {
  (void)state;
  job jobs[3];
  for (int round = 0; round < 50; round++) {
    stage s;
    stage_open(&s, 2);
    assert_int_equal(uv_barrier_init(&s.meeting, 2), 0);
    submit(&s, &jobs[0], 0, false);
    until_done(&s, 1);
    submit(&s, &jobs[1], 1, true);
    submit(&s, &jobs[2], 2, true);
    until_done(&s, 3);
    uv_barrier_destroy(&s.meeting);
    stage_close(&s);
  }
}

/* What was submitted runs; its end is delivered by the loop, which lives longer. */
static void closing_runs_what_is_queued(void **state) {
  (void)state;
  static job jobs[WORKS];
  stage s;
  stage_open(&s, 2);
  for (uint32_t i = 0; i < WORKS; i++)
    submit(&s, &jobs[i], i, false);
  pool_close(s.pool);
  assert_int_equal(s.ran, WORKS);
  assert_int_equal(s.done, 0);
  loop_close(s.loop); /* delivers what is left */
  assert_int_equal(s.done, WORKS);
  memory_close(&s.memory);
}

static void an_unused_pool_has_no_thread(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1000);
  stage_close(&s);
  pool_close(NULL);
}

/* The thread that was started counts for the first work, also while it has not
 * come so far as to wait for it. */
static void a_thread_is_started_ahead(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    stage s;
    job j;
    stage_open(&s, 4);
    assert_true(pool_start(s.pool));
    assert_true(pool_start(s.pool));
    for (unsigned i = 0; i < 20; i++) { /* one after the other: it is enough */
      submit(&s, &j, i, false);
      until_done(&s, i + 1);
    }
    assert_int_equal(pool_counts_of(s.pool).started, 1);
    stage_close(&s);
  }
}

/* ---- two loops, one pool ---- */

typedef struct side {
  stage *shared;
  stage own;
  job jobs[WORKS];
} side;

static void side_main(void *user) {
  side *side = user;
  side->own.loop_thread = uv_thread_self();
  for (uint32_t i = 0; i < WORKS; i++) {
    job *j = &side->jobs[i];
    *j = (job){.work = {.run = run_job, .done = job_done}, .stage = &side->own, .number = i};
    assert_int_equal(pool_submit(side->shared->pool, side->own.loop, &j->work), POOL_OK);
    if (i % 8 == 7)
      until_done(&side->own, i);
  }
  until_done(&side->own, WORKS);
}

static void two_loops_share_a_pool(void **state) {
  (void)state;
  static side sides[2];
  stage shared;
  uv_thread_t threads[2];
  stage_open(&shared, 2);
  for (int i = 0; i < 2; i++) {
    sides[i] = (side){.shared = &shared};
    sides[i].own.allocator = memory_open(&sides[i].own.memory, 0, false);
    sides[i].own.loop = loop_open(&sides[i].own.allocator, stage_nothing, stage_nothing, NULL);
    assert_non_null(sides[i].own.loop);
  }
  for (int i = 0; i < 2; i++)
    assert_int_equal(uv_thread_create(&threads[i], side_main, &sides[i]), 0);
  for (int i = 0; i < 2; i++)
    uv_thread_join(&threads[i]);
  stage_close(&shared);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(sides[i].own.done, WORKS);
    loop_close(sides[i].own.loop);
    memory_close(&sides[i].own.memory);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(work_runs_elsewhere_and_is_done_here),
      cmocka_unit_test(one_thread_keeps_the_order),
      cmocka_unit_test(as_many_at_once_as_allowed),
      cmocka_unit_test(an_idle_thread_is_counted_once),
      cmocka_unit_test(closing_runs_what_is_queued),
      cmocka_unit_test(an_unused_pool_has_no_thread),
      cmocka_unit_test(a_thread_is_started_ahead),
      cmocka_unit_test(two_loops_share_a_pool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
