/* Ends of tasks that come to the loop of a runtime. */
#include "unit/vow_fixture.h"

#include <uv.h>

typedef struct desk {
  fixture f;
  vow_task_pool *pool;
  pthread_t thread; /* the runtime's */
  unsigned told;
  vow_state last;
  bool live_was_told;
  atomic_bool go;
} desk;

static void until_go(vow_task_context *context, void *argument) {
  desk *d = argument;
  while (!atomic_load(&d->go) && !vow_task_cancelled(context))
    uv_sleep(1);
}

static void at_once(vow_task_context *context, void *argument) {
  (void)context, (void)argument;
}

static void on_told(vow_task *task, void *user) {
  desk *d = user;
  d->told++;
  d->last = vow_task_state(task);
  d->live_was_told |= !vow_task_result_of(task);
  assert_true(pthread_equal(pthread_self(), d->thread));
  assert_int_equal(vow_loop_run(d->f.rt, VOW_LOOP_POLL), VOW_E_STATE);
}

static void desk_open(desk *d) {
  const vow_engine *engine = &fixture_engines[1];
  *d = (desk){.thread = pthread_self()};
  fixture_open(&d->f, (void **)&engine);
  vow_task_pool_options options = {
      .size = sizeof options, .allocator = &d->f.allocator, .concurrent_max = 2};
  assert_int_equal(vow_task_pool_open(&options, &d->pool), VOW_OK);
}

static void desk_close(desk *d) {
  if (d->pool)
    assert_int_equal(vow_task_pool_close(d->pool, VOW_TASK_GRACEFUL, 60000), VOW_OK);
  if (d->f.rt)
    assert_int_equal(fixture_leave(&d->f, 0), VOW_OK);
  assert_int_equal(atomic_load(&d->f.blocks), 0);
}

static vow_task *start(desk *d, vow_task_callback *callback) {
  vow_task_spec spec = vow_task_call_spec("task", callback, d);
  vow_task *task;
  assert_int_equal(vow_task_start(d->pool, &spec, &task), VOW_OK);
  return task;
}

static void the_loop_stays_for_it(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  for (unsigned i = 0; i < 100; i++) {
    vow_task *task = start(&d, at_once);
    assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_OK);
    assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_E_EXISTS);
    assert_int_equal(vow_task_on_done(task, NULL, on_told, &d), VOW_E_EXISTS);
    vow_task_release(task);
  }
  assert_int_equal(d.told, 0); /* never before a turn */
  assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(d.told, 100);
  assert_false(d.live_was_told);
  desk_close(&d);
}

static void a_turn_brings_it(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *task = start(&d, until_go);
  assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_OK);
  assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_POLL), VOW_OK);
  assert_int_equal(d.told, 0);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  while (d.told == 0)
    assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_ONCE), VOW_OK);
  assert_int_equal(d.last, VOW_OP_CANCELLED);
  vow_task_release(task);
  desk_close(&d);
}

static void one_that_has_settled_is_told_in_a_turn(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *task = start(&d, at_once);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_OK);
  vow_task_release(task);
  assert_int_equal(d.told, 0);
  assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(d.told, 1);
  assert_int_equal(d.last, VOW_FULFILLED);
  desk_close(&d);
}

static void on_told_anywhere(vow_task *task, void *user) {
  desk *d = user;
  d->told++;
  d->last = vow_task_state(task);
}

static void without_a_runtime_it_comes_where_it_settles(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *task = start(&d, at_once);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_on_done(task, NULL, on_told_anywhere, &d), VOW_OK);
  assert_int_equal(d.told, 1); /* before it returned */
  assert_int_equal(vow_task_on_done(task, NULL, NULL, &d), VOW_E_INVALID);
  vow_task_release(task);
  task = start(&d, until_go);
  assert_int_equal(vow_task_on_done(task, NULL, on_told_anywhere, &d), VOW_OK);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  assert_int_equal(d.told, 2); /* this thread has settled it */
  assert_int_equal(d.last, VOW_OP_CANCELLED);
  vow_task_release(task);
  desk_close(&d);
}

/* One task is live, the end of another is on its way. */
static void the_end_of_the_runtime_calls_the_rest(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *live = start(&d, until_go), *over = start(&d, at_once);
  assert_int_equal(vow_task_on_done(live, d.f.rt, on_told_anywhere, &d), VOW_OK);
  assert_int_equal(vow_task_on_done(over, d.f.rt, on_told_anywhere, &d), VOW_OK);
  assert_int_equal(vow_task_wait(over, VOW_FOREVER), VOW_OK);
  assert_int_equal(fixture_leave(&d.f, 0), VOW_OK);
  d.f.rt = NULL;
  assert_int_equal(d.told, 2);
  atomic_store(&d.go, true);
  assert_int_equal(vow_task_wait(live, VOW_FOREVER), VOW_OK);
  assert_int_equal(d.told, 2); /* once */
  vow_task_release(live);
  vow_task_release(over);
  desk_close(&d);
}

typedef struct pair {
  desk *desk;
  vow_task *tasks[2];
} pair;

static void on_told_cancel_both(vow_task *task, void *user) {
  pair *p = user;
  on_told_anywhere(task, p->desk);
  for (size_t i = 0; i < 2; i++)
    vow_task_cancel(p->tasks[i]);
}

/* While the runtime is closing and calls for one, the other settles. */
static void one_settles_while_the_runtime_ends(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  pair p = {&d, {start(&d, until_go), start(&d, until_go)}};
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(vow_task_on_done(p.tasks[i], d.f.rt, on_told_cancel_both, &p), VOW_OK);
  assert_int_equal(fixture_leave(&d.f, 0), VOW_OK);
  d.f.rt = NULL;
  assert_int_equal(d.told, 2);
  for (size_t i = 0; i < 2; i++)
    vow_task_release(p.tasks[i]);
  desk_close(&d);
}

static void the_pool_may_end_first(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *task = start(&d, until_go);
  assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_OK);
  vow_task_release(task);
  assert_int_equal(vow_task_pool_close(d.pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
  d.pool = NULL;
  assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(d.told, 1);
  assert_int_equal(d.last, VOW_OP_CANCELLED);
  desk_close(&d);
}

static void no_memory_to_tell(void **state) {
  (void)state;
  desk d;
  desk_open(&d);
  vow_task *task = start(&d, at_once);
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  assert_int_equal(vow_task_pool_wait(d.pool, VOW_FOREVER), VOW_OK);
  d.f.fail_at = atomic_load(&d.f.calls) + 1;
  assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_E_NOMEM);
  d.f.fail_at = 0;
  assert_int_equal(vow_task_on_done(task, d.f.rt, on_told, &d), VOW_OK);
  vow_task_release(task);
  assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(d.told, 1);
  desk_close(&d);
}

/* Any thread may ask for it, while the loop turns and when it ends. */
typedef struct asker {
  desk *desk;
  pthread_t thread;
} asker;

static void *ask(void *user) {
  desk *d = ((asker *)user)->desk;
  for (unsigned i = 0; i < 200; i++) {
    vow_task *task = start(d, at_once);
    assert_int_equal(vow_task_on_done(task, d->f.rt, on_told, d), VOW_OK);
    vow_task_release(task);
  }
  return NULL;
}

static void ends_from_many_threads(void **state) {
  (void)state;
  desk d;
  asker askers[4];
  desk_open(&d);
  for (unsigned i = 0; i < 4; i++) {
    askers[i].desk = &d;
    assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
  }
  while (d.told < 400)
    assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
  for (unsigned i = 0; i < 4; i++)
    pthread_join(askers[i].thread, NULL);
  assert_int_equal(fixture_leave(&d.f, 0), VOW_OK); /* brings the rest */
  d.f.rt = NULL;
  assert_int_equal(d.told, 800);
  desk_close(&d);
}

/* ---- ending the pool from there ---- */

/* What the end of one task makes of its pool. */
typedef struct ender {
  desk *desk;
  vow_task *task, *others[2]; /* these go on until they are cancelled */
  bool freed;                 /* told by argument_free, not by on_done */
  atomic_uint called;
  pthread_t thread; /* that it was called on */
  vow_status waited, waited_for_all, closed;
} ender;

static void close_pool(ender *e) {
  e->waited = vow_task_wait(e->others[0], 0);
  e->waited_for_all = vow_task_pool_wait(e->desk->pool, 0);
  e->closed = vow_task_pool_close(e->desk->pool, VOW_TASK_IMMEDIATE, 0);
  e->thread = pthread_self();
  atomic_fetch_add(&e->called, 1);
}

static void close_when_told(vow_task *task, void *user) {
  (void)task;
  close_pool(user);
}

static void close_when_freed(void *argument) {
  close_pool(argument);
}

static void until_cancelled(vow_task_context *context, void *argument) {
  (void)argument;
  while (!vow_task_cancelled(context))
    uv_sleep(1);
}

static void until_told(vow_task_context *context, void *argument) {
  (void)context;
  while (!atomic_load(&((ender *)argument)->desk->go))
    uv_sleep(1);
}

/* `others`: 1, or 2 so that the task waits for a thread. */
static void ender_open(ender *e, desk *d, unsigned others, vow_task_spec spec) {
  desk_open(d);
  for (unsigned i = 0; i < others; i++) {
    e->others[i] = start(d, until_cancelled);
    while (vow_task_state(e->others[i]) == VOW_PENDING)
      uv_sleep(1);
  }
  e->desk = d;
  spec.argument = e;
  spec.argument_free = e->freed ? close_when_freed : NULL;
  assert_int_equal(vow_task_start(d->pool, &spec, &e->task), VOW_OK);
  if (!e->freed)
    assert_int_equal(vow_task_on_done(e->task, NULL, close_when_told, e), VOW_OK);
}

static void ender_close(ender *e) {
  assert_int_equal(atomic_load(&e->called), 1);
  vow_task_release(e->task);
  for (unsigned i = 0; i < 2 && e->others[i]; i++) {
    vow_task_cancel(e->others[i]);
    vow_task_release(e->others[i]);
  }
  desk_close(e->desk);
}

/* True: it has ended on a thread of the pool, which would wait for itself. */
static bool ends_on_its_threads(bool freed, unsigned others, vow_task_spec spec) {
  desk d;
  ender e = {.freed = freed};
  ender_open(&e, &d, others, spec);
  atomic_store(&d.go, true);
  while (atomic_load(&e.called) == 0)
    uv_sleep(1);
  bool here = pthread_equal(e.thread, d.thread);
  if (here) {
    assert_int_equal(e.closed, VOW_OK);
    d.pool = NULL;
  } else {
    assert_int_equal(e.closed, VOW_E_DEADLOCK);
    assert_int_equal(e.waited, VOW_E_DEADLOCK);
    assert_int_equal(e.waited_for_all, VOW_E_DEADLOCK);
  }
  ender_close(&e);
  return !here;
}

static void no_end_on_a_thread_of_the_pool(void **state) {
  (void)state;
  const struct {
    bool freed;
    unsigned others;
    vow_task_callback *callback;
    uint64_t timeout_ms;
  } cases[] = {{false, 1, until_told, 0},      /* by what the callback came to */
               {true, 1, until_told, 0},       /* when it has returned */
               {false, 1, until_cancelled, 5}, /* by the thread that minds the limits */
               {false, 2, until_cancelled, 5}, /* and before it has begun */
               {true, 2, until_cancelled, 5}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vow_task_spec spec = vow_task_call_spec("ending", cases[i].callback, NULL);
    spec.timeout_ms = cases[i].timeout_ms;
    /* Its time may be over before this thread has asked to be told. */
    while (!ends_on_its_threads(cases[i].freed, cases[i].others, spec)) {
      assert_in_range(spec.timeout_ms, 1, 10000);
      spec.timeout_ms *= 2;
    }
  }
}

static void cancel_it(ender *e) {
  assert_int_equal(vow_task_cancel(e->task), VOW_OK);
}

static void cancel_all(ender *e) {
  assert_int_equal(vow_task_pool_cancel(e->desk->pool), VOW_OK);
}

static void guard_it(ender *e) {
  vow_task_guard_end(&e->task);
}

static void cancel_for(vow_task_context *context, void *argument) {
  (void)context;
  cancel_it(argument);
}

/* In a callback of a pool that is not ended. */
static void cancel_in_another_pool(ender *e) {
  vow_task_pool *pool;
  vow_task_spec spec = vow_task_call_spec("canceller", cancel_for, e);
  assert_int_equal(vow_task_pool_open(NULL, &pool), VOW_OK);
  assert_int_equal(vow_task_run(pool, &spec, NULL), VOW_OK);
  assert_int_equal(vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 60000), VOW_OK);
}

/* Any other thread may, in the middle of a call that has settled the task. */
static void an_end_on_the_thread_that_settles(void **state) {
  (void)state;
  const struct {
    bool freed;
    unsigned others;
    void (*settle)(ender *e);
  } cases[] = {{false, 1, cancel_it},
               {false, 1, cancel_all},
               {false, 1, guard_it},
               {false, 2, cancel_it},
               {true, 2, cancel_it},
               {false, 2, cancel_all},
               {true, 2, cancel_all},
               {true, 2, guard_it},
               {false, 1, cancel_in_another_pool},
               {true, 2, cancel_in_another_pool}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    desk d;
    ender e = {.freed = cases[i].freed};
    ender_open(&e, &d, cases[i].others, vow_task_call_spec("ending", until_cancelled, NULL));
    cases[i].settle(&e);
    assert_int_equal(e.closed, VOW_OK);
    d.pool = NULL;
    ender_close(&e);
  }
}

/* It is the pool's end that settles the task. */
static void no_second_end_while_it_ends(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    desk d;
    ender e = {.freed = i == 1};
    ender_open(&e, &d, 2, vow_task_call_spec("ending", until_cancelled, NULL));
    assert_int_equal(vow_task_pool_close(d.pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
    assert_int_equal(e.closed, VOW_E_STATE);
    d.pool = NULL;
    ender_close(&e);
  }
}

/* In a turn of the loop, and at once when the task has settled before. */
static void an_end_in_a_turn_of_the_loop(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    desk d;
    desk_open(&d);
    ender e = {.desk = &d, .task = start(&d, at_once), .others = {start(&d, until_cancelled)}};
    assert_int_equal(vow_task_wait(e.task, VOW_FOREVER), VOW_OK);
    vow_runtime *rt = i ? d.f.rt : NULL;
    assert_int_equal(vow_task_on_done(e.task, rt, close_when_told, &e), VOW_OK);
    assert_int_equal(vow_loop_run(d.f.rt, VOW_LOOP_DONE), VOW_OK);
    assert_int_equal(e.waited, VOW_E_TIME);
    assert_int_equal(e.waited_for_all, VOW_E_TIME);
    assert_int_equal(e.closed, VOW_OK);
    d.pool = NULL;
    ender_close(&e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_loop_stays_for_it),
      cmocka_unit_test(a_turn_brings_it),
      cmocka_unit_test(one_that_has_settled_is_told_in_a_turn),
      cmocka_unit_test(without_a_runtime_it_comes_where_it_settles),
      cmocka_unit_test(the_end_of_the_runtime_calls_the_rest),
      cmocka_unit_test(one_settles_while_the_runtime_ends),
      cmocka_unit_test(the_pool_may_end_first),
      cmocka_unit_test(no_memory_to_tell),
      cmocka_unit_test(ends_from_many_threads),
      cmocka_unit_test(no_end_on_a_thread_of_the_pool),
      cmocka_unit_test(an_end_on_the_thread_that_settles),
      cmocka_unit_test(no_second_end_while_it_ends),
      cmocka_unit_test(an_end_in_a_turn_of_the_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
