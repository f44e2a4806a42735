/* Pools of tasks: how many at once, in which order, how many wait; cancelling, waiting and
 * closing them; what they count. */
#include "unit/task_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

/* ---- how many, in which order ---- */

typedef struct crowd {
  atomic_uint now, most, begun;
  uv_barrier_t meeting;
} crowd;

/* Two of them end only if they run at once. */
static void meet(vow_task_context *context, void *argument) {
  (void)context;
  crowd *c = argument;
  unsigned now = atomic_fetch_add(&c->now, 1) + 1, most = atomic_load(&c->most);
  while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
    ;
  uv_barrier_wait(&c->meeting);
  atomic_fetch_sub(&c->now, 1);
}

static void as_many_at_once_as_allowed(void **state) {
  (void)state;
  vow_task *tasks[60];
  stage s;
  crowd c = {.now = 0};
  stage_open(&s, 3);
  assert_int_equal(uv_barrier_init(&c.meeting, 3), 0);
  for (size_t i = 0; i < 60; i++)
    tasks[i] = start_with(&s, meet, &c);
  for (size_t i = 0; i < 60; i++)
    expect_end(tasks[i], VOW_FULFILLED);
  assert_int_equal(c.most, 3);
  uv_barrier_destroy(&c.meeting);
  stage_close(&s);
}

static void note_letter(vow_task_context *context, void *argument) {
  (void)context;
  char **next = argument;
  *(*next)++ = *(const char *)vow_task_value(context, &(size_t){0});
}

static void start_letter(const stage *s, char letter, uint8_t priority, char **next) {
  vow_task_spec spec = vow_task_call_spec("letter", note_letter, next);
  spec.value = &letter;
  spec.value_len = 1;
  spec.priority = priority;
  assert_int_equal(vow_task_start(s->pool, &spec, NULL), VOW_OK);
}

/* One in OP_TURN is the oldest of all, so that nothing waits for ever. */
static void who_is_urgent_goes_first(void **state) {
  (void)state;
  stage s;
  probe busy = {0};
  char letters[8] = {0}, *next = letters;
  stage_open(&s, 1);
  vow_task *first = start(&s, stubborn, &busy);
  await_count(&busy.begun, 1);
  start_letter(&s, 'd', 200, &next);
  start_letter(&s, 'c', 2, &next);
  start_letter(&s, 'a', 0, &next);
  start_letter(&s, 'b', 1, &next);
  start_letter(&s, 'e', 3, &next);
  atomic_store(&busy.go, true);
  assert_int_equal(vow_task_pool_wait(s.pool, VOW_FOREVER), VOW_OK);
  assert_string_equal(letters, "abcde"); /* the fourth pick is the oldest: 'd' of {d, e} */
  expect_end(first, VOW_FULFILLED);
  stage_close(&s);
}

static void a_full_queue_refuses(void **state) {
  (void)state;
  stage s;
  probe busy = {0}, p = {0};
  vow_task *refused;
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .queue_max = 2});
  vow_task *first = start(&s, stubborn, &busy);
  await_count(&busy.begun, 1);
  vow_task_spec spec = probe_spec(nothing, &p);
  assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_OK);
  assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_OK);
  assert_int_equal(vow_task_start(s.pool, &spec, &refused), VOW_E_FULL);
  assert_null(refused);
  assert_int_equal(counts_of(&s).queued, 2);
  atomic_store(&busy.go, true);
  expect_end(first, VOW_FULFILLED);
  assert_int_equal(vow_task_pool_wait(s.pool, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_OK);
  stage_close(&s);
  assert_int_equal(p.begun, 3);
  assert_int_equal(p.freed, 3);
}

/* ---- all of them ---- */

static void all_are_cancelled(void **state) {
  (void)state;
  stage s;
  probe p = {0}, waiting = {0};
  vow_task *tasks[50];
  stage_open(&s, 2);
  for (size_t i = 0; i < 50; i++)
    tasks[i] = start(&s, obedient, i < 2 ? &p : &waiting);
  await_count(&p.begun, 2);
  assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
  assert_int_equal(counts_of(&s).live, 0);
  assert_int_equal(counts_of(&s).cancelled, 50);
  for (size_t i = 0; i < 50; i++)
    expect_end(tasks[i], VOW_OP_CANCELLED);
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED); /* it goes on */
  stage_close(&s);
  assert_int_equal(p.returned, 2);
  assert_int_equal(waiting.begun, 0);
  assert_int_equal(waiting.freed, 48);
}

static void waiting_for_all(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 2);
  assert_int_equal(vow_task_pool_wait(s.pool, 0), VOW_OK);
  vow_task *task = start(&s, stubborn, &p);
  assert_int_equal(vow_task_pool_wait(s.pool, 0), VOW_E_TIME);
  assert_int_equal(vow_task_pool_wait(s.pool, 5), VOW_E_TIME);
  atomic_store(&p.go, true);
  assert_int_equal(vow_task_pool_wait(s.pool, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_state(task), VOW_FULFILLED);
  vow_task_release(task);
  stage_close(&s);
}

static void wait_for_own_pool(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_pool_wait(vow_task_pool_of(context), VOW_FOREVER), VOW_E_DEADLOCK);
  assert_int_equal(vow_task_pool_close(vow_task_pool_of(context), VOW_TASK_IMMEDIATE, 0),
                   VOW_E_DEADLOCK);
  vow_task_succeed(context, "said", 4);
}

static void a_callback_cannot_wait_for_its_pool(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start_with(&s, wait_for_own_pool, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_result_of(task)->value_len, 4);
  vow_task_release(task);
  stage_close(&s);
}

/* ---- closing ---- */

static void a_graceful_close_does_what_was_started(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 2);
  vow_task_spec spec = probe_spec(nothing, &p);
  for (unsigned i = 0; i < 500; i++)
    assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_OK);
  stage_close(&s);
  assert_int_equal(p.begun, 500);
  assert_int_equal(p.freed, 500);
}

static void an_immediate_close_cancels(void **state) {
  (void)state;
  stage s;
  probe p = {0}, waiting = {0};
  vow_task *tasks[20];
  stage_open(&s, 2);
  for (size_t i = 0; i < 20; i++)
    tasks[i] = start(&s, obedient, i < 2 ? &p : &waiting);
  await_count(&p.begun, 2);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, CLOSE_MS), VOW_OK);
  assert_int_equal(p.returned, 2);
  for (size_t i = 0; i < 20; i++)
    expect_end(tasks[i], VOW_OP_CANCELLED);
  assert_int_equal(s.memory.blocks, 0);
  assert_int_equal(waiting.begun, 0);
  assert_int_equal(waiting.freed, 18);
}

static void a_graceful_close_has_a_limit(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 1);
  vow_task *task = start(&s, obedient, &p);
  await_count(&p.begun, 1);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, 10), VOW_OK);
  assert_int_equal(p.returned, 1);
  expect_end(task, VOW_OP_CANCELLED);
  assert_int_equal(s.memory.blocks, 0);
}

/* No task is live any more: that its callback goes on does not matter. */
static void waiting_for_all_ends_with_a_time_limit(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = CLOSE_MS});
  vow_task_spec spec = probe_spec(stubborn, &p);
  spec.timeout_ms = 50;
  vow_task *task = start_spec(&s, &spec);
  assert_int_equal(vow_task_pool_wait(s.pool, CLOSE_MS / 4), VOW_OK);
  assert_int_equal(p.returned, 0);
  atomic_store(&p.go, true);
  expect_end(task, VOW_TIMED_OUT);
  stage_close(&s);
}

/* What does not return holds nobody up, and its argument is freed when it has. */
static void closing_gives_up_what_does_not_return(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  vow_task *tasks[3];
  stage_open_with(
      &s, (vow_task_pool_options){.concurrent_max = 3, .patience_ms = 10, .retired_max = 1});
  for (size_t i = 0; i < 3; i++)
    tasks[i] = start(&s, stubborn, &p);
  await_count(&p.begun, 3);
  uint64_t begin = uv_hrtime();
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0), VOW_E_TIME);
  assert_in_range((uv_hrtime() - begin) / 1000000, 10, 10000); /* its patience, and some room */
  for (size_t i = 0; i < 3; i++)
    expect_end(tasks[i], VOW_OP_CANCELLED);
  assert_int_equal(p.freed, 0);
  atomic_store(&p.go, true);
  stage_no_memory(&s);
  assert_int_equal(p.returned, 3);
  assert_int_equal(p.freed, 3);
}

/* Memory that a thread has to wait for: in vow_task_start(), behind the lock, for a runner. */
typedef struct gate {
  counting_alloc memory;
  vow_task_pool *pool;
  vow_task *task;
  atomic_bool arrived, open, closed;
} gate;

static _Thread_local unsigned allocations_to_gate;

static void *gate_alloc(void *user, void *block, size_t size) {
  gate *g = user;
  if (size > 0 && allocations_to_gate > 0 && --allocations_to_gate == 0) {
    atomic_store(&g->arrived, true);
    while (!atomic_load(&g->open))
      uv_sleep(1);
  }
  return counting_alloc_call(&g->memory, block, size);
}

static void start_at_gate(void *user) {
  gate *g = user;
  vow_task_spec spec = probe_spec(nothing, NULL);
  allocations_to_gate = 2; /* the task, the runner */
  assert_int_equal(vow_task_start(g->pool, &spec, &g->task), VOW_OK);
}

static void close_at_gate(void *user) {
  gate *g = user;
  assert_int_equal(vow_task_pool_close(g->pool, VOW_TASK_IMMEDIATE, 0), VOW_E_TIME);
  atomic_store(&g->closed, true);
}

/* A thread that is about to hire is waited for, though patience is over: it uses the pool. */
static void closing_waits_for_who_hires(void **state) {
  (void)state;
  gate g = {.memory = {0}};
  probe p = {0};
  uv_thread_t starter, closer;
  vow_allocator allocator = {gate_alloc, &g};
  vow_task_pool_options options = {
      .size = sizeof options, .allocator = &allocator, .concurrent_max = 2, .patience_ms = 1};
  assert_int_equal(vow_task_pool_open(&options, &g.pool), VOW_OK);
  stage s = {.pool = g.pool};
  vow_task *task = start(&s, stubborn, &p);
  await_count(&p.begun, 1);
  assert_int_equal(uv_thread_create(&starter, start_at_gate, &g), 0);
  while (!atomic_load(&g.arrived))
    uv_sleep(1);
  assert_int_equal(uv_thread_create(&closer, close_at_gate, &g), 0);
  expect_end(task, VOW_OP_CANCELLED);
  uv_sleep(100); /* long after its patience */
  assert_false(atomic_load(&g.closed));
  atomic_store(&g.open, true);
  uv_thread_join(&starter);
  uv_thread_join(&closer);
  expect_end(g.task, VOW_OP_CANCELLED);
  atomic_store(&p.go, true);
  while (__atomic_load_n(&g.memory.blocks, __ATOMIC_ACQUIRE) != 0)
    uv_sleep(1);
}

typedef struct late_start {
  stage *s;
  probe p;
  atomic_int nested, other;
} late_start;

static void start_while_closing(vow_task_context *context, void *argument) {
  late_start *l = argument;
  atomic_fetch_add(&l->p.begun, 1);
  while (!atomic_load(&l->p.go))
    uv_sleep(1);
  vow_task_spec spec = probe_spec(nothing, &l->p);
  l->nested = vow_task_start(vow_task_pool_of(context), &spec, NULL);
}

static void close_it(void *user) {
  stage *s = user;
  assert_int_equal(vow_task_pool_close(s->pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
}

/* Callbacks go on starting what they need, nobody else. */
static void in_a_graceful_close_callbacks_may_start(void **state) {
  (void)state;
  stage s;
  late_start l = {.s = &s, .nested = -100};
  uv_thread_t closer;
  stage_open(&s, 2);
  vow_task *held = start_with(&s, start_while_closing, &l);
  await_count(&l.p.begun, 1);
  assert_int_equal(uv_thread_create(&closer, close_it, &s), 0);
  vow_task_spec spec = probe_spec(nothing, NULL);
  while (vow_task_start(s.pool, &spec, NULL) == VOW_OK) /* until it has begun to close */
    uv_sleep(1);
  assert_int_equal(vow_task_start(s.pool, &spec, NULL), VOW_E_STATE);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, 0), VOW_E_STATE);
  atomic_store(&l.p.go, true);
  uv_thread_join(&closer);
  assert_int_equal(l.nested, VOW_OK);
  assert_int_equal(l.p.begun, 2);
  expect_end(held, VOW_FULFILLED);
  assert_int_equal(s.memory.blocks, 0);
}

static void threads_that_have_nothing_to_do_end(void **state) {
  (void)state;
  stage s;
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .idle_ms = 1});
  for (int i = 0; i < 2; i++) { /* and there are new ones when they are needed */
    expect_end(start_with(&s, nothing, NULL), VOW_FULFILLED);
    while (counts_of(&s).threads > 0)
      uv_sleep(1);
  }
  stage_close(&s);
}

/* ---- options, counts ---- */

static void options_are_checked(void **state) {
  (void)state;
  char message[100] = "old";
  vow_task_pool *pool = (vow_task_pool *)message;
  vow_task_pool_options options = {
      .size = sizeof options, .concurrent_max = 1025, .message = message, .message_size = 100};
  assert_int_equal(vow_task_pool_open(&options, &pool), VOW_E_INVALID);
  assert_null(pool);
  assert_non_null(strstr(message, "1024"));
  options.size = 2;
  assert_int_equal(vow_task_pool_open(&options, &pool), VOW_E_INVALID);
  assert_int_equal(vow_task_pool_open(NULL, &pool), VOW_OK);
  assert_int_equal(vow_task_pool_close(pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
  assert_int_equal(vow_task_pool_close(NULL, VOW_TASK_IMMEDIATE, 0), VOW_OK);
}

static void fail_now(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_fail(context, "Error", "no", NULL);
}

static void everything_is_counted(void **state) {
  (void)state;
  stage s;
  probe p = {0}, limited = {0};
  stage_open(&s, 1);
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED);
  expect_end(start(&s, fail_now, NULL), VOW_REJECTED);
  vow_task_spec spec = probe_spec(obedient, &limited);
  spec.timeout_ms = 5;
  expect_end(start_spec(&s, &spec), VOW_TIMED_OUT);
  vow_task *task = start(&s, stubborn, &p);
  await_count(&p.begun, 1);
  vow_task *second = start(&s, nothing, NULL);
  vow_task_counts counts = counts_of(&s);
  assert_int_equal(counts.created, 5);
  assert_int_equal(counts.fulfilled, 1);
  assert_int_equal(counts.rejected, 1);
  assert_int_equal(counts.timed_out, 1);
  assert_int_equal(counts.live, 2);
  assert_int_equal(counts.active, 1);
  assert_int_equal(counts.queued, 1);
  assert_int_equal(counts.threads, 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  counts = counts_of(&s);
  assert_int_equal(counts.cancelled, 1);
  assert_int_equal(counts.active, 1); /* it runs still, and the next one waits for it */
  assert_int_equal(counts.queued, 1);
  atomic_store(&p.go, true);
  expect_end(second, VOW_FULFILLED);
  expect_end(task, VOW_OP_CANCELLED);
  assert_int_equal(counts_of(&s).late, 1);
  vow_task_counts shorter = {.size = offsetof(vow_task_counts, live), .live = 77};
  assert_int_equal(vow_task_pool_counts(s.pool, &shorter), VOW_OK);
  assert_int_equal(shorter.created, 5);
  assert_int_equal(shorter.live, 77);
  shorter.size = 1;
  assert_int_equal(vow_task_pool_counts(s.pool, &shorter), VOW_E_INVALID);
  stage_close(&s);
}

/* ---- fork() ---- */

/* The child has none of the threads, and maybe locks that nobody gives back. */
static void a_forked_child_is_refused(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  vow_task *task = start(&s, nothing, NULL);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    vow_task_spec spec = vow_task_call_spec("x", nothing, NULL);
    vow_task_counts counts = {.size = sizeof counts};
    bool refused = vow_task_start(s.pool, &spec, NULL) == VOW_E_STATE &&
                   vow_task_pool_wait(s.pool, 0) == VOW_E_STATE &&
                   vow_task_pool_cancel(s.pool) == VOW_E_STATE &&
                   vow_task_pool_counts(s.pool, &counts) == VOW_E_STATE &&
                   vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0) == VOW_E_STATE;
#ifdef __SANITIZE_THREAD__ /* it has no threads after a fork */
    bool works = true;
#else
    vow_task_pool *own;
    bool works = vow_task_pool_open(NULL, &own) == VOW_OK &&
                 vow_task_run(own, &spec, NULL) == VOW_OK &&
                 vow_task_pool_close(own, VOW_TASK_GRACEFUL, CLOSE_MS) == VOW_OK;
#endif
    _exit(refused && works ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  vow_task_release(task);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_many_at_once_as_allowed),
      cmocka_unit_test(who_is_urgent_goes_first),
      cmocka_unit_test(a_full_queue_refuses),
      cmocka_unit_test(all_are_cancelled),
      cmocka_unit_test(waiting_for_all),
      cmocka_unit_test(waiting_for_all_ends_with_a_time_limit),
      cmocka_unit_test(a_callback_cannot_wait_for_its_pool),
      cmocka_unit_test(a_graceful_close_does_what_was_started),
      cmocka_unit_test(an_immediate_close_cancels),
      cmocka_unit_test(a_graceful_close_has_a_limit),
      cmocka_unit_test(closing_gives_up_what_does_not_return),
      cmocka_unit_test(closing_waits_for_who_hires),
      cmocka_unit_test(in_a_graceful_close_callbacks_may_start),
      cmocka_unit_test(threads_that_have_nothing_to_do_end),
      cmocka_unit_test(options_are_checked),
      cmocka_unit_test(everything_is_counted),
      cmocka_unit_test(a_forked_child_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
