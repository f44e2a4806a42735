/* Callbacks that start tasks and wait for them; waits that can never end; callbacks that do
 * not return when their task has settled. */
#include "unit/task_fixture.h"

/* ---- nesting ---- */

typedef struct nest {
  unsigned depth;
  atomic_uint reached;
} nest;

typedef struct level {
  nest *nest;
  unsigned depth;
} level;

static void go_deeper(vow_task_context *context, void *argument) {
  const level *l = argument;
  atomic_fetch_add(&l->nest->reached, 1);
  if (l->depth == 0) {
    vow_task_succeed(context, "bottom", 6);
    return;
  }
  level below = {l->nest, l->depth - 1};
  vow_task_spec spec = vow_task_call_spec("deeper", go_deeper, &below);
  vow_task *task;
  assert_int_equal(vow_task_run(vow_task_pool_of(context), &spec, &task), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_FULFILLED);
  vow_task_succeed(context, result->value, result->value_len);
  vow_task_release(task);
}

/* Each one that waits gives its place away: one thread at once is enough for any depth. */
static void tasks_that_wait_for_tasks_cannot_stop_the_pool(void **state) {
  (void)state;
  stage s;
  nest n = {.reached = 0};
  stage_open(&s, 1);
  level top = {&n, 40};
  vow_task *task = start_with(&s, go_deeper, &top);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_result_of(task)->value_len, 6);
  vow_task_release(task);
  assert_int_equal(n.reached, 41);
  stage_close(&s);
}

static void wait_too_deep(vow_task_context *context, void *argument) {
  const level *l = argument;
  atomic_fetch_add(&l->nest->reached, 1);
  level below = {l->nest, l->depth - 1};
  vow_task_spec spec = vow_task_call_spec("deeper", wait_too_deep, &below);
  vow_task *task;
  if (l->depth == 0)
    return;
  vow_status status = vow_task_run(vow_task_pool_of(context), &spec, &task);
  assert_non_null(task);
  if (status == VOW_E_DEADLOCK) { /* `waiting_max` */
    assert_int_equal(l->depth, 1);
    vow_task_cancel(task);
    vow_task_fail(context, "TooDeep", "no place to wait", NULL);
  } else if (status == VOW_OK && vow_task_result_of(task)->state == VOW_REJECTED) {
    vow_task_fail(context, vow_task_result_of(task)->error_type, "below", NULL);
  }
  vow_task_release(task);
}

static void as_many_wait_as_may(void **state) {
  (void)state;
  stage s;
  nest n = {.reached = 0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .waiting_max = 3});
  level top = {&n, 4};
  vow_task *task = start_with(&s, wait_too_deep, &top);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_string_equal(vow_task_result_of(task)->error_type, "TooDeep");
  vow_task_release(task);
  assert_int_equal(n.reached, 4); /* the last one was cancelled before it began */
  stage_close(&s);
}

typedef struct family {
  probe p;
  vow_task *child;
  bool detached;
  uint64_t child_limit;
  atomic_bool child_started;
} family;

static void have_a_child(vow_task_context *context, void *argument) {
  family *f = argument;
  vow_task_spec spec = probe_spec(obedient, &f->p);
  spec.detached = f->detached;
  spec.timeout_ms = f->child_limit;
  assert_int_equal(vow_task_start(vow_task_pool_of(context), &spec, &f->child), VOW_OK);
  atomic_store(&f->child_started, true);
  while (vow_task_sleep(context, 1000000))
    ;
}

static vow_task *start_family(const stage *s, family *f, uint64_t limit_ms) {
  vow_task_spec spec = vow_task_call_spec("parent", have_a_child, f);
  spec.timeout_ms = limit_ms;
  vow_task *task = start_spec(s, &spec);
  await_count(&f->p.begun, 1);
  return task;
}

static void a_cancel_reaches_what_is_nested(void **state) {
  (void)state;
  stage s;
  family f = {.child_limit = 0};
  stage_open(&s, 2);
  vow_task *parent = start_family(&s, &f, 0);
  assert_int_equal(vow_task_cancel(parent), VOW_OK);
  expect_end(f.child, VOW_OP_CANCELLED);
  expect_end(parent, VOW_OP_CANCELLED);
  stage_close(&s);
}

static void a_time_limit_holds_for_what_is_nested(void **state) {
  (void)state;
  stage s;
  family f = {.child_limit = 0};
  stage_open(&s, 2);
  vow_task *parent = start_family(&s, &f, BEGUN_MS);
  expect_end(f.child, VOW_TIMED_OUT);
  expect_end(parent, VOW_TIMED_OUT);
  stage_close(&s);
}

static void what_is_detached_goes_on(void **state) {
  (void)state;
  stage s;
  family f = {.child_limit = 0, .detached = true};
  stage_open(&s, 2);
  vow_task *parent = start_family(&s, &f, 0);
  assert_int_equal(vow_task_cancel(parent), VOW_OK);
  expect_end(parent, VOW_OP_CANCELLED);
  assert_int_equal(vow_task_state(f.child), VOW_RUNNING);
  assert_int_equal(vow_task_cancel(f.child), VOW_OK);
  expect_end(f.child, VOW_OP_CANCELLED);
  stage_close(&s);
}

static void start_when_it_is_over(vow_task_context *context, void *argument) {
  vow_status *status = argument;
  vow_task_cancel(vow_task_self(context));
  vow_task_spec spec = vow_task_call_spec("too late", nothing, NULL);
  *status = vow_task_start(vow_task_pool_of(context), &spec, NULL);
}

static void nothing_nests_in_what_has_settled(void **state) {
  (void)state;
  stage s;
  vow_status status = VOW_OK;
  stage_open(&s, 1);
  expect_end(start_with(&s, start_when_it_is_over, &status), VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(status, VOW_E_STATE);
}

/* ---- waits that cannot end ---- */

typedef struct ring {
  uv_sem_t started;
  vow_task *tasks[3];
  atomic_uint waiting, deadlocks, others;
} ring;

typedef struct link {
  ring *ring;
  unsigned number;
} link_of;

static void wait_for_the_next(vow_task_context *context, void *argument) {
  const link_of *l = argument;
  (void)context;
  uv_sem_wait(&l->ring->started);
  vow_status status = vow_task_wait(l->ring->tasks[(l->number + 1) % 3], VOW_FOREVER);
  if (status == VOW_E_DEADLOCK)
    atomic_fetch_add(&l->ring->deadlocks, 1);
  else if (status == VOW_OK)
    atomic_fetch_add(&l->ring->others, 1);
}

/* Whoever closes the ring is told; then it returns, and the others with it. */
static void a_ring_of_waits_is_found(void **state) {
  (void)state;
  for (unsigned round = 0; round < 50; round++) {
    stage s;
    ring r = {.waiting = 0};
    link_of links[3];
    stage_open(&s, 3);
    assert_int_equal(uv_sem_init(&r.started, 0), 0);
    for (unsigned i = 0; i < 3; i++) {
      links[i] = (link_of){&r, i};
      r.tasks[i] = start_with(&s, wait_for_the_next, &links[i]);
    }
    for (unsigned i = 0; i < 3; i++)
      uv_sem_post(&r.started);
    for (unsigned i = 0; i < 3; i++)
      assert_int_equal(vow_task_wait(r.tasks[i], VOW_FOREVER), VOW_OK);
    assert_int_equal(r.deadlocks, 1);
    assert_int_equal(r.others, 2);
    for (unsigned i = 0; i < 3; i++)
      expect_end(r.tasks[i], VOW_FULFILLED);
    uv_sem_destroy(&r.started);
    stage_close(&s);
  }
}

static void wait_for_itself(vow_task_context *context, void *argument) {
  (void)argument;
  assert_int_equal(vow_task_wait(vow_task_self(context), VOW_FOREVER), VOW_E_DEADLOCK);
  assert_int_equal(vow_task_wait(vow_task_self(context), 0), VOW_E_DEADLOCK);
}

static void nobody_waits_for_himself(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  expect_end(start_with(&s, wait_for_itself, NULL), VOW_FULFILLED);
  stage_close(&s);
}

static void wait_for_parent(vow_task_context *context, void *argument) {
  (void)context;
  assert_int_equal(vow_task_wait(argument, VOW_FOREVER), VOW_E_DEADLOCK);
}

static void run_a_child(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_spec spec = vow_task_call_spec("child", wait_for_parent, vow_task_self(context));
  vow_task *child;
  assert_int_equal(vow_task_run(vow_task_pool_of(context), &spec, &child), VOW_OK);
  assert_int_equal(vow_task_state(child), VOW_FULFILLED);
  vow_task_release(child);
}

static void nobody_waits_for_what_encloses_him(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  expect_end(start_with(&s, run_a_child, NULL), VOW_FULFILLED);
  stage_close(&s);
}

typedef struct bystanders {
  vow_task *parent, *other, *child;
  atomic_bool go, known;
  atomic_int waited;
} bystanders;

static void until_known(const bystanders *b) {
  while (!atomic_load(&b->known))
    uv_sleep(1);
}

static void wait_for_the_other(vow_task_context *context, void *argument) {
  bystanders *b = argument;
  (void)context;
  until_known(b);
  atomic_store(&b->go, true);
  b->waited = vow_task_wait(b->other, VOW_FOREVER);
}

static void start_and_go_on(vow_task_context *context, void *argument) {
  bystanders *b = argument;
  vow_task_spec spec = vow_task_call_spec("child", wait_for_the_other, b);
  assert_int_equal(vow_task_start(vow_task_pool_of(context), &spec, &b->child), VOW_OK);
  while (!atomic_load(&b->go))
    uv_sleep(1);
}

static void wait_for_the_parent(vow_task_context *context, void *argument) {
  bystanders *b = argument;
  (void)context;
  until_known(b);
  assert_int_equal(vow_task_wait(b->parent, VOW_FOREVER), VOW_OK);
}

/* The other waits for the parent, which encloses the child and does not wait for it. */
static void who_only_encloses_does_not_wait(void **state) {
  (void)state;
  for (unsigned round = 0; round < 50; round++) {
    stage s;
    bystanders b = {.waited = -100};
    stage_open(&s, 3);
    b.parent = start_with(&s, start_and_go_on, &b);
    b.other = start_with(&s, wait_for_the_parent, &b);
    atomic_store(&b.known, true);
    assert_int_equal(vow_task_wait(b.other, VOW_FOREVER), VOW_OK);
    expect_end(b.parent, VOW_FULFILLED);
    expect_end(b.child, VOW_FULFILLED);
    vow_task_release(b.other);
    assert_int_equal(b.waited, VOW_OK);
    stage_close(&s);
  }
}

static void wait_for_another(vow_task_context *context, void *argument) {
  (void)context;
  assert_int_equal(vow_task_wait(argument, VOW_FOREVER), VOW_E_CANCELLED);
}

static void who_is_cancelled_stops_waiting(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open(&s, 2);
  vow_task *target = start(&s, stubborn, &p);
  vow_task *waits = start_with(&s, wait_for_another, target);
  while (counts_of(&s).threads < 2 || vow_task_state(waits) != VOW_RUNNING)
    uv_sleep(1);
  assert_int_equal(vow_task_cancel(waits), VOW_OK);
  expect_end(waits, VOW_OP_CANCELLED);
  atomic_store(&p.go, true);
  expect_end(target, VOW_FULFILLED);
  stage_close(&s);
}

/* A pool of its own is nobody else's business: nothing is parked. */
static void wait_in_another_pool(vow_task_context *context, void *argument) {
  const stage *other = argument;
  vow_task_spec spec = vow_task_call_spec("there", nothing, NULL);
  assert_int_equal(vow_task_run(other->pool, &spec, NULL), VOW_OK);
  assert_int_equal(vow_task_pool_wait(other->pool, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_pool_close(other->pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_true(vow_task_pool_of(context) != other->pool);
}

static void callbacks_use_other_pools(void **state) {
  (void)state;
  stage s, other;
  stage_open(&s, 1);
  stage_open(&other, 1);
  expect_end(start_with(&s, wait_in_another_pool, &other), VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(other.memory.blocks, 0);
}

/* ---- what does not return ---- */

static void a_stuck_thread_is_replaced(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 5});
  vow_task_spec spec = probe_spec(stubborn, &p);
  spec.timeout_ms = BEGUN_MS;
  vow_task *stuck = start_spec(&s, &spec);
  await_count(&p.begun, 1);
  vow_task *next = start(&s, nothing, NULL); /* there is one thread for both */
  expect_end(next, VOW_FULFILLED);
  vow_task_counts counts = counts_of(&s);
  assert_int_equal(counts.retired, 1);
  assert_int_equal(counts.retired_live, 1);
  assert_int_equal(counts.timed_out, 1);
  assert_int_equal(p.freed, 0);
  atomic_store(&p.go, true);
  while (counts_of(&s).retired_live != 0)
    uv_sleep(1);
  assert_int_equal(counts_of(&s).late, 1);
  assert_int_equal(p.freed, 1);
  const vow_task_result *result = vow_task_result_of(stuck);
  assert_null(result->value); /* what came late is nowhere */
  expect_end(stuck, VOW_TIMED_OUT);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  stage_no_memory(&s);
}

/* No more than that are given up at once; the others wait for a place. */
static void not_too_many_are_given_up(void **state) {
  (void)state;
  stage s;
  probe p = {0}, second = {0};
  stage_open_with(&s,
                  (vow_task_pool_options){.concurrent_max = 2, .patience_ms = 1, .retired_max = 1});
  vow_task *a = start(&s, stubborn, &p), *b = start(&s, stubborn, &second);
  await_count(&p.begun, 1);
  await_count(&second.begun, 1);
  assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
  while (counts_of(&s).retired < 1)
    uv_sleep(1);
  vow_task *next = start(&s, nothing, NULL);
  expect_end(next, VOW_FULFILLED);
  vow_task_counts counts = counts_of(&s);
  assert_int_equal(counts.retired_live, 1);
  assert_int_equal(counts.active, 1);
  atomic_store(&p.go, true); /* whichever was given up: now the other one can be */
  atomic_store(&second.go, true);
  expect_end(a, VOW_OP_CANCELLED);
  expect_end(b, VOW_OP_CANCELLED);
  while (counts_of(&s).retired_live + counts_of(&s).active != 0)
    uv_sleep(1);
  stage_close(&s);
  assert_int_equal(p.freed + second.freed, 2);
}

/* Its pool may be closed before it returns; what it calls then is refused. */
static void use_a_closed_pool(vow_task_context *context, void *argument) {
  probe *p = argument;
  atomic_fetch_add(&p->begun, 1);
  while (!atomic_load(&p->go))
    uv_sleep(1);
  vow_task_pool *pool = vow_task_pool_of(context);
  vow_task_spec spec = vow_task_call_spec("x", nothing, NULL);
  vow_task_counts counts = {.size = sizeof counts};
  assert_int_equal(vow_task_start(pool, &spec, NULL), VOW_E_STATE);
  spec.detached = true;
  assert_int_equal(vow_task_start(pool, &spec, NULL), VOW_E_STATE);
  assert_int_equal(vow_task_pool_counts(pool, &counts), VOW_OK);
  assert_int_equal(counts.cancelled, 1);
  assert_false(vow_task_sleep(context, 1000));
  assert_int_equal(vow_task_remaining_ms(context), 0);
  assert_int_equal(vow_task_wait(vow_task_self(context), VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_cancel(vow_task_self(context)), VOW_LATE);
  assert_int_equal(vow_task_pool_cancel(pool), VOW_OK);
  vow_task_on_stop(context, NULL, NULL);
  assert_int_equal(vow_task_fail(context, "Error", "late", NULL), VOW_OK);
  atomic_fetch_add(&p->returned, 1);
}

static void a_callback_outlives_its_pool(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 5});
  vow_task *task = start(&s, use_a_closed_pool, &p);
  await_count(&p.begun, 1);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0), VOW_E_TIME);
  expect_end(task, VOW_OP_CANCELLED);
  atomic_store(&p.go, true);
  stage_no_memory(&s);
  assert_int_equal(p.returned, 1);
  assert_int_equal(p.freed, 1);
}

typedef struct ending {
  vow_task *queued, *other;
  vow_status waited;
} ending;

static void wait_when_freed(void *argument) {
  ending *e = argument;
  e->waited = vow_task_wait(e->other, CLOSE_MS);
}

static void cancel_queued(vow_task_context *context, void *argument) {
  (void)context;
  assert_int_equal(vow_task_cancel(((ending *)argument)->queued), VOW_OK);
}

/* It is not the callback that waits, though the callback's call has brought it about. */
static void no_callback_waits_for_what_an_end_waits_for(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  ending e = {.waited = VOW_OK};
  stage_open(&s, 1);
  vow_task *first = start(&s, stubborn, &p);
  vow_task *canceller = start_with(&s, cancel_queued, &e);
  vow_task_spec spec = vow_task_call_spec("queued", nothing, &e);
  spec.argument_free = wait_when_freed;
  e.queued = start_spec(&s, &spec);
  e.other = start(&s, nothing, NULL);
  atomic_store(&p.go, true);
  expect_end(first, VOW_FULFILLED);
  expect_end(canceller, VOW_FULFILLED);
  assert_int_equal(e.waited, VOW_E_DEADLOCK);
  expect_end(e.queued, VOW_OP_CANCELLED);
  expect_end(e.other, VOW_FULFILLED);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tasks_that_wait_for_tasks_cannot_stop_the_pool),
      cmocka_unit_test(as_many_wait_as_may),
      cmocka_unit_test(a_cancel_reaches_what_is_nested),
      cmocka_unit_test(a_time_limit_holds_for_what_is_nested),
      cmocka_unit_test(what_is_detached_goes_on),
      cmocka_unit_test(nothing_nests_in_what_has_settled),
      cmocka_unit_test(a_ring_of_waits_is_found),
      cmocka_unit_test(nobody_waits_for_himself),
      cmocka_unit_test(nobody_waits_for_what_encloses_him),
      cmocka_unit_test(who_only_encloses_does_not_wait),
      cmocka_unit_test(who_is_cancelled_stops_waiting),
      cmocka_unit_test(callbacks_use_other_pools),
      cmocka_unit_test(a_stuck_thread_is_replaced),
      cmocka_unit_test(not_too_many_are_given_up),
      cmocka_unit_test(a_callback_outlives_its_pool),
      cmocka_unit_test(no_callback_waits_for_what_an_end_waits_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
