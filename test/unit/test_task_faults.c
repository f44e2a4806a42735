/* Tasks when memory or threads are short, and many of them. */
#include "task/task_int.h"

#include "unit/task_fixture.h"

#include <dirent.h>

int __real_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
static atomic_uint threads_asked;
static atomic_uint threads_fail_from; /* this one, from 1, and all after it; 0: none */

int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg) {
  unsigned call = atomic_fetch_add(&threads_asked, 1) + 1, from = atomic_load(&threads_fail_from);
  return from && call >= from ? UV_EAGAIN : __real_uv_thread_create_ex(id, options, entry, arg);
}

static void fail_threads_from(unsigned from) {
  atomic_store(&threads_asked, 0);
  atomic_store(&threads_fail_from, from);
}

/* ---- memory ---- */

typedef struct tally {
  unsigned started;
  probe p;
} tally;

static void say_something(vow_task_context *context, void *argument) {
  probe *p = argument;
  if (atomic_fetch_add(&p->begun, 1) % 2)
    vow_task_fail(context, "Error", "a message", "a detail");
  else
    vow_task_succeed(context, "a value", 7);
}

static void run_nested(vow_task_context *context, void *argument) {
  vow_task_spec spec = probe_spec(nothing, NULL);
  (void)argument;
  vow_task *task;
  vow_status status = vow_task_run(vow_task_pool_of(context), &spec, &task);
  assert_true(status == VOW_OK || (status == VOW_E_NOMEM && !task) || status == VOW_E_DEADLOCK);
  vow_task_release(task);
}

static void count_told(vow_task *task, void *user) {
  assert_non_null(vow_task_result_of(task));
  atomic_fetch_add((atomic_uint *)user, 1);
}

/* Each is settled, or was not started. */
static void use_pool(vow_task_pool *pool, tally *t) {
  for (unsigned i = 0; i < 6; i++) {
    vow_task_spec spec = probe_spec(i % 3 == 2 ? run_nested : say_something, &t->p);
    vow_task *task;
    vow_status status = vow_task_run(pool, &spec, &task);
    if (status != VOW_OK) {
      assert_int_equal(status, VOW_E_NOMEM);
      assert_null(task);
      continue;
    }
    t->started++;
    const vow_task_result *result = vow_task_result_of(task);
    assert_true(result->state == VOW_FULFILLED || result->state == VOW_REJECTED);
    if (result->state == VOW_REJECTED)
      assert_non_null(result->error_message);
    vow_task_release(task);
  }
}

static bool try_with(size_t fail_at, bool for_ever) {
  tally t = {.started = 0};
  counting_alloc memory = {.fail_at = fail_at, .for_ever = for_ever};
  vow_allocator allocator = counting_allocator(&memory);
  vow_task_pool_options options = {
      .size = sizeof options, .allocator = &allocator, .concurrent_max = 2};
  vow_task_pool *pool;
  vow_status status = vow_task_pool_open(&options, &pool);
  if (status == VOW_OK) {
    use_pool(pool, &t);
    assert_int_equal(vow_task_pool_close(pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  } else {
    assert_int_equal(status, VOW_E_NOMEM);
    assert_null(pool);
  }
  assert_int_equal(memory.blocks, 0);
  assert_int_equal(t.p.freed, t.started);
  return memory.calls >= fail_at;
}

static void no_memory_at_any_point(void **state) {
  (void)state;
  size_t n = 1;
  while (try_with(n, false))
    n++;
  assert_true(n > 10);
  for (size_t i = 1; i < n; i++)
    try_with(i, true);
}

/* ---- threads ---- */

/* The first thread is the keeper, the second the first worker. */
static void no_thread_for_a_first_task(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  vow_task *task;
  stage_open(&s, 2);
  vow_task_spec spec = probe_spec(nothing, &p);
  fail_threads_from(1);
  assert_int_equal(vow_task_start(s.pool, &spec, &task), VOW_E_NOMEM);
  assert_null(task);
  assert_int_equal(counts_of(&s).created, 0);
  fail_threads_from(2);
  assert_int_equal(vow_task_run(s.pool, &spec, &task), VOW_OK);
  assert_int_equal(vow_task_state(task), VOW_REJECTED);
  assert_string_equal(vow_task_result_of(task)->error_type, "ResourceError");
  assert_int_equal(vow_task_result_of(task)->attempts, 0);
  vow_task_release(task);
  fail_threads_from(0);
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED);
  stage_close(&s);
  assert_int_equal(p.begun, 0);
  assert_int_equal(p.freed, 1);
}

/* One thread does what was to be done by two. */
static void no_second_thread(void **state) {
  (void)state;
  vow_task *tasks[20];
  stage s;
  probe busy = {0}, p = {0};
  stage_open(&s, 2);
  fail_threads_from(3);
  vow_task *first = start(&s, stubborn, &busy);
  await_count(&busy.begun, 1);
  for (size_t i = 0; i < 20; i++)
    tasks[i] = start(&s, nothing, &p);
  assert_int_equal(vow_task_pool_wait(s.pool, 0), VOW_E_TIME);
  assert_int_equal(p.begun, 0);
  atomic_store(&busy.go, true);
  expect_end(first, VOW_FULFILLED);
  for (size_t i = 0; i < 20; i++)
    expect_end(tasks[i], VOW_FULFILLED);
  fail_threads_from(0);
  stage_close(&s);
  assert_int_equal(p.freed, 20);
}

static void wait_without_threads(vow_task_context *context, void *argument) {
  (void)argument;
  vow_task_spec spec = probe_spec(nothing, NULL);
  vow_task *child;
  assert_int_equal(vow_task_run(vow_task_pool_of(context), &spec, &child), VOW_OK);
  assert_int_equal(vow_task_state(child), VOW_REJECTED);
  vow_task_release(child);
}

/* All threads wait, and none can be had for what they wait for. */
static void no_thread_for_what_is_waited_for(void **state) {
  (void)state;
  stage s;
  stage_open(&s, 1);
  fail_threads_from(3);
  expect_end(start_with(&s, wait_without_threads, NULL), VOW_FULFILLED);
  fail_threads_from(0);
  stage_close(&s);
}

/* What hangs is given up all the same when the pool ends, and tasks behind it are settled. */
static void no_thread_in_place_of_one_given_up(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 5});
  fail_threads_from(3);
  vow_task *stuck = start(&s, stubborn, &p);
  await_count(&p.begun, 1);
  vow_task *behind = start(&s, nothing, NULL);
  assert_int_equal(vow_task_cancel(stuck), VOW_OK);
  expect_end(behind, VOW_REJECTED);
  assert_int_equal(counts_of(&s).retired_live, 1);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_E_TIME);
  fail_threads_from(0);
  atomic_store(&p.go, true);
  expect_end(stuck, VOW_OP_CANCELLED);
  stage_no_memory(&s);
}

/* While no other thread can be had for what is queued, the one that hangs cannot be given up: that
 * is tried again, now and then, until it can. */
static void giving_up_is_tried_again(void **state) {
  (void)state;
  enum { REFUSED = 4, AGAIN_MS = 10 };
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .patience_ms = 1});
  fail_threads_from(3);
  vow_task *stuck = start(&s, stubborn, &p);
  await_count(&p.begun, 1);
  vow_task *behind = start(&s, nothing, NULL);
  unsigned before = atomic_load(&threads_asked);
  uint64_t begun = uv_hrtime();
  assert_int_equal(vow_task_cancel(stuck), VOW_OK);
  while (atomic_load(&threads_asked) < before + REFUSED)
    uv_sleep(1);
  assert_true(uv_hrtime() - begun >= (REFUSED - 1) * AGAIN_MS * UINT64_C(1000000));
  vow_task_counts counts = counts_of(&s);
  assert_int_equal(counts.retired, 0);
  assert_int_equal(counts.active, 1);
  assert_int_equal(vow_task_state(behind), VOW_PENDING);
  fail_threads_from(0);
  expect_end(behind, VOW_FULFILLED);
  counts = counts_of(&s);
  assert_int_equal(counts.retired, 1);
  assert_int_equal(counts.retired_live, 1);
  atomic_store(&p.go, true);
  expect_end(stuck, VOW_OP_CANCELLED);
  while (counts_of(&s).retired_live != 0)
    uv_sleep(1);
  assert_int_equal(vow_task_pool_close(s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  stage_no_memory(&s);
  assert_int_equal(p.freed, 1);
}

/* ---- many ---- */

static size_t count_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  size_t count = 0;
  assert_non_null(tasks);
  for (struct dirent *entry; (entry = readdir(tasks));)
    count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

static void run_many(const stage *s, unsigned count) {
  probe p = {0};
  vow_task_spec spec = probe_spec(say_something, &p);
  for (unsigned i = 0; i < count; i++) {
    assert_int_equal(vow_task_start(s->pool, &spec, NULL), VOW_OK);
    if (i % 100 == 99)
      assert_int_equal(vow_task_pool_wait(s->pool, VOW_FOREVER), VOW_OK);
  }
  while (p.freed != count) /* that of a task comes after its end */
    uv_sleep(1);
}

static size_t blocks_of(const stage *s) {
  return __atomic_load_n(&s->memory.blocks, __ATOMIC_ACQUIRE);
}

static void a_hundred_thousand_do_not_grow(void **state) {
  (void)state;
  stage s;
  size_t before = count_threads();
  unsigned asked = atomic_load(&threads_asked);
  stage_open(&s, 4);
  run_many(&s, 1000);
  size_t blocks = blocks_of(&s);
  run_many(&s, 100000);
  while (blocks_of(&s) > blocks + 16) /* threads and runners that were not needed before */
    uv_sleep(1);
  assert_true(count_threads() <= before + 5); /* and the keeper */
  assert_true(atomic_load(&threads_asked) - asked <= 5);
  assert_int_equal(counts_of(&s).created, 101000);
  stage_close(&s);
}

static void a_thousand_wait_at_once(void **state) {
  (void)state;
  static vow_task *tasks[1000];
  stage s;
  probe p = {0};
  stage_open(&s, 1000);
  for (size_t i = 0; i < 1000; i++)
    tasks[i] = start(&s, obedient, &p);
  await_count(&p.begun, 1000);
  assert_int_equal(counts_of(&s).active, 1000);
  assert_int_equal(vow_task_pool_cancel(s.pool), VOW_OK);
  for (size_t i = 0; i < 1000; i++)
    expect_end(tasks[i], VOW_OP_CANCELLED);
  stage_close(&s);
  assert_int_equal(p.returned, 1000);
}

/* ---- from many threads ---- */

typedef struct starter {
  const stage *s;
  atomic_uint *told;
  uv_thread_t thread;
} starter;

static void start_many(void *user) {
  const starter *self = user;
  for (unsigned i = 0; i < 500; i++) {
    vow_task *task = start(self->s, nothing, NULL);
    assert_int_equal(vow_task_on_done(task, NULL, count_told, self->told), VOW_OK);
    assert_int_equal(vow_task_on_done(task, NULL, count_told, self->told), VOW_E_EXISTS);
    expect_end(task, VOW_FULFILLED);
  }
}

static void many_threads_share_a_pool(void **state) {
  (void)state;
  starter starters[8];
  stage s;
  atomic_uint told = 0;
  stage_open(&s, 4);
  for (unsigned i = 0; i < 8; i++) {
    starters[i] = (starter){.s = &s, .told = &told};
    assert_int_equal(uv_thread_create(&starters[i].thread, start_many, &starters[i]), 0);
  }
  for (unsigned i = 0; i < 8; i++)
    uv_thread_join(&starters[i].thread);
  assert_int_equal(counts_of(&s).fulfilled, 4000);
  stage_close(&s);
  assert_int_equal(told, 4000);
}

/* Started while another thread has the lock, for which no thread can be had then. */
static void no_thread_for_what_is_in_the_inbox(void **state) {
  (void)state;
  stage s;
  probe p = {0};
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .idle_ms = 1});
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED);
  while (counts_of(&s).threads > 0)
    uv_sleep(1);
  fail_threads_from(1);
  uv_mutex_lock(&s.pool->lock);
  vow_task *first = start(&s, nothing, &p), *second = start(&s, nothing, &p);
  uv_mutex_unlock(&s.pool->lock);
  assert_true(task_inbox_waits(s.pool));
  task_inbox_help(s.pool);
  fail_threads_from(0);
  assert_string_equal(vow_task_result_of(first)->error_type, "ResourceError");
  expect_end(first, VOW_REJECTED);
  expect_end(second, VOW_REJECTED);
  assert_int_equal(p.begun, 0);
  assert_int_equal(p.freed, 2);
  expect_end(start(&s, nothing, NULL), VOW_FULFILLED);
  stage_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_memory_at_any_point),
      cmocka_unit_test(no_thread_for_a_first_task),
      cmocka_unit_test(no_second_thread),
      cmocka_unit_test(no_thread_for_what_is_waited_for),
      cmocka_unit_test(no_thread_in_place_of_one_given_up),
      cmocka_unit_test(giving_up_is_tried_again),
      cmocka_unit_test(a_hundred_thousand_do_not_grow),
      cmocka_unit_test(a_thousand_wait_at_once),
      cmocka_unit_test(no_thread_for_what_is_in_the_inbox),
      cmocka_unit_test(many_threads_share_a_pool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
