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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
