/* Calls that are started while another thread has the pool's lock. */
#include "task/task_int.h"

#include "unit/task_fixture.h"

#define STARTERS 4u
#define EACH 4000u
#define WINDOW 64u

/* One has been started, so that there are credits. */
static void open_lending(stage *s, vow_task_pool_options options) {
  stage_open_with(s, options);
  expect_end(start(s, nothing, NULL), VOW_FULFILLED);
}

/* The same, and its one thread is taken until the task that is given back is cancelled. */
static vow_task *open_busy(stage *s, probe *busy, uint32_t queue_max) {
  open_lending(s, (vow_task_pool_options){.concurrent_max = 1, .queue_max = queue_max});
  vow_task *running = start(s, obedient, busy);
  await_count(&busy->begun, 1);
  return running;
}

/* ---- by hand: this thread is who has the lock ---- */

static void nobody_waits_for_the_lock(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  open_lending(&s, (vow_task_pool_options){.concurrent_max = 1});
  uv_mutex_lock(&s.pool->lock);
  vow_task *first = start(&s, nothing, &p), *second = start(&s, nothing, &p);
  assert_int_equal(vow_task_state(first), VOW_PENDING);
  assert_true(task_inbox_waits(s.pool));
  uv_mutex_unlock(&s.pool->lock);
  assert_int_equal(counts_of(&s).created, 3);
  assert_false(task_inbox_waits(s.pool));
  assert_true(first->number < second->number);
  expect_end(first, VOW_FULFILLED);
  expect_end(second, VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(p.freed, 2);
}

static void what_waits_is_cancelled(void **state) {
  (void)state;
  stage s;
  probe busy = {0}, p = {0};
  vow_task *running = open_busy(&s, &busy, 0);
  uv_mutex_lock(&s.pool->lock);
  vow_task *one = start(&s, nothing, &p), *all = start(&s, nothing, &p);
  uv_mutex_unlock(&s.pool->lock);
  assert_int_equal(vow_task_cancel(one), VOW_OK);
  assert_int_equal(vow_task_state(one), VOW_OP_CANCELLED);
  assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
  expect_end(one, VOW_OP_CANCELLED);
  expect_end(all, VOW_OP_CANCELLED);
  expect_end(running, VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(p.begun, 0);
  assert_int_equal(p.freed, 2);
}

/* The time that a task has begins when it is started. */
static void time_limits_hold(void **state) {
  (void)state;
  stage s;
  probe busy = {0}, p = {0};
  vow_task *running = open_busy(&s, &busy, 0);
  vow_task_spec spec = probe_spec(nothing, &p);
  spec.timeout_ms = 5;
  uv_mutex_lock(&s.pool->lock);
  vow_task *task = start_spec(&s, &spec);
  uv_mutex_unlock(&s.pool->lock);
  task_inbox_help(s.pool);
  expect_end(task, VOW_TIMED_OUT);
  vow_task_cancel(running);
  expect_end(running, VOW_OP_CANCELLED);
  stage_close(&s);
}

static void free_slowly(void *argument) {
  probe *p = argument;
  atomic_fetch_add(&p->begun, 1);
  while (!atomic_load(&p->go))
    uv_sleep(1);
  atomic_fetch_add(&p->freed, 1);
}

/* A thread that is to look for tasks may still be in the program's hands. */
static void time_limits_hold_while_a_runner_is_away(void **state) {
  (void)state;
  stage s;
  probe slow = {0}, p = {0};
  stage_open(&s, 1);
  vow_task_spec first = vow_task_call_spec("first", nothing, NULL),
                second = probe_spec(nothing, &p);
  first.argument = &slow;
  first.argument_free = free_slowly;
  second.timeout_ms = 5;
  vow_task *a = start_spec(&s, &first);
  await_count(&slow.begun, 2); /* its callback, and the other one */
  vow_task *b = start_spec(&s, &second);
  /* Not by a wait, which would see to it. */
  for (unsigned ms = 0; vow_task_state(b) == VOW_PENDING && ms < CLOSE_MS; ms++)
    uv_sleep(1);
  vow_state in_time = vow_task_state(b);
  atomic_store(&slow.go, true);
  assert_int_equal(in_time, VOW_TIMED_OUT);
  expect_end(a, VOW_FULFILLED);
  expect_end(b, VOW_TIMED_OUT);
  stage_close(&s);
  assert_int_equal(slow.freed, 1);
}

static void what_waits_is_closed(void **state) {
  (void)state;
  for (int immediate = 0; immediate < 2; immediate++) {
    stage s;
    probe p = {0};
    open_lending(&s, (vow_task_pool_options){.concurrent_max = 2});
    uv_mutex_lock(&s.pool->lock);
    vow_task *task = start(&s, nothing, &p);
    uv_mutex_unlock(&s.pool->lock);
    assert_int_equal(
        vow_task_pool_close(s.pool, immediate ? VOW_TASK_IMMEDIATE : VOW_TASK_GRACEFUL, CLOSE_MS),
        VOW_OK);
    assert_true(vow_task_state(task) == VOW_FULFILLED ||
                (immediate && vow_task_state(task) == VOW_OP_CANCELLED));
    vow_task_release(task);
    assert_int_equal(p.freed, 1);
    assert_int_equal(s.memory.blocks, 0);
  }
}

/* Room that is lent is given to who needs it, and is no more than there is. */
static void the_queue_holds_what_it_may(void **state) {
  (void)state;
  enum { QUEUE = 600 };
  stage s;
  probe busy = {0};
  static vow_task *out[QUEUE];
  vow_task *running = open_busy(&s, &busy, QUEUE), *none;
  assert_true(s.pool->lent > 0);
  uv_mutex_lock(&s.pool->lock);
  for (int i = 0; i < 10; i++)
    out[i] = start(&s, nothing, NULL);
  uv_mutex_unlock(&s.pool->lock);
  for (int i = 10; i < QUEUE; i++)
    out[i] = start(&s, nothing, NULL);
  vow_task_spec spec = vow_task_call_spec("one more", nothing, NULL);
  assert_int_equal(vow_task_start(s.pool, &spec, &none), VOW_E_FULL);
  assert_null(none);
  vow_task_cancel(running);
  expect_end(running, VOW_OP_CANCELLED);
  for (int i = 0; i < QUEUE; i++)
    expect_end(out[i], VOW_FULFILLED);
  stage_close(&s);
}

/* ---- many at once ---- */

typedef struct canceller {
  const stage *stage;
  atomic_bool ends;
} canceller;

static void cancel_all(void *user) {
  canceller *self = user;
  while (!atomic_load(&self->ends))
    assert_int_equal(vow_task_pool_cancel(self->stage->pool), VOW_OK);
}

/* Nothing is older than it can be, though threads look at the clock at any time. */
static void ages_are_possible(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 2);
  canceller other = {.stage = &s};
  uv_thread_t thread;
  uint64_t begin = uv_hrtime();
  assert_int_equal(uv_thread_create(&thread, cancel_all, &other), 0);
  for (unsigned i = 0; i < 5 * EACH; i++) {
    vow_task *task = start(&s, nothing, NULL);
    assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
    const vow_task_result *result = vow_task_result_of(task);
    assert_true(result->age_ns <= uv_hrtime() - begin);
    assert_true(result->run_ns <= result->age_ns);
    vow_task_release(task);
  }
  atomic_store(&other.ends, true);
  uv_thread_join(&thread);
  stage_close(&s);
}

typedef struct starter {
  const stage *stage;
  probe *probe;
  unsigned refused;
} starter;

/* A call, or a group of two, which takes the credits back. */
static vow_task *start_nth(starter *self, unsigned n) {
  vow_task_spec call = probe_spec(nothing, self->probe);
  vow_task_spec a = call, b = call;
  const vow_task_spec *const members[] = {&a, &b};
  vow_task_spec group = vow_task_group_spec("pair", VOW_TASK_PARALLEL, members, 2);
  const vow_task_spec *spec = n % 50 == 49 ? &group : &call;
  vow_task *task;
  vow_status status;
  while ((status = vow_task_start(self->stage->pool, spec, &task)) == VOW_E_FULL) {
    self->refused++;
    vow_task_pool_wait(self->stage->pool, 1);
  }
  assert_int_equal(status, VOW_OK);
  return task;
}

static void start_many(void *user) {
  starter *self = user;
  vow_task *out[WINDOW] = {0};
  for (unsigned n = 0; n < EACH; n++) {
    vow_task **slot = &out[n % WINDOW];
    if (*slot)
      expect_end(*slot, VOW_FULFILLED);
    *slot = start_nth(self, n);
  }
  for (unsigned i = 0; i < WINDOW; i++)
    expect_end(out[i], VOW_FULFILLED);
}

static void run_starters(uint32_t queue_max) {
  stage s;
  probe p = {0};
  starter starters[STARTERS];
  uv_thread_t threads[STARTERS];
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .queue_max = queue_max});
  for (unsigned i = 0; i < STARTERS; i++) {
    starters[i] = (starter){.stage = &s, .probe = &p};
    assert_int_equal(uv_thread_create(&threads[i], start_many, &starters[i]), 0);
  }
  for (unsigned i = 0; i < STARTERS; i++)
    uv_thread_join(&threads[i]);
  unsigned groups = STARTERS * (EACH / 50), calls = STARTERS * EACH - groups + 2 * groups;
  vow_task_counts counts = counts_of(&s);
  assert_int_equal(counts.fulfilled, calls + groups);
  stage_close(&s);
  assert_int_equal(p.begun, calls);
  assert_int_equal(p.freed, calls);
}

static void many_start_at_once(void **state) {
  (void)state;
  run_starters(0);
}

/* Credits are given, and taken back again and again. */
static void many_start_where_there_is_little_room(void **state) {
  (void)state;
  run_starters(520);
  run_starters(20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_waits_for_the_lock),
      cmocka_unit_test(what_waits_is_cancelled),
      cmocka_unit_test(time_limits_hold),
      cmocka_unit_test(time_limits_hold_while_a_runner_is_away),
      cmocka_unit_test(what_waits_is_closed),
      cmocka_unit_test(the_queue_holds_what_it_may),
      cmocka_unit_test(ages_are_possible),
      cmocka_unit_test(many_start_at_once),
      cmocka_unit_test(many_start_where_there_is_little_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
