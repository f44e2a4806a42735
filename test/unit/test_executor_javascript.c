/* The eight groups of what tasks promise, each through functions of JavaScript: natively,
 * and where it matters in a sandbox. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "unit/counting_alloc.h"
#include "vow/executor.h"

#define SECOND UINT64_C(1000000000)

static const char functions[] =
    "let calls = 0;\n"
    "function answer(x) { return x === undefined ? 42 : x; }\n"
    "async function later(ms) { await sleep(ms); return ms; }\n"
    "function spin() { console.log('spins'); for (;;); }\n"
    "async function wait() { console.log('waits'); await sleep(1e8); }\n"
    "class OwnError extends Error { name = 'OwnError'; }\n"
    "function fail(how) {\n"
    "  if (how === 'own') throw new OwnError('mine');\n"
    "  if (how === 'text') throw 'only text';\n"
    "  if (how === 'type') null.x;\n"
    "  return Promise.reject(new RangeError('later'));\n"
    "}\n"
    "function third() { if (++calls < 3) throw new Error('call ' + calls); return calls; }\n"
    "function never() { throw new Error('call ' + ++calls); }\n"
    "function search() { const where = 'a'.repeat(1 << 20), what = 'a'.repeat(300) + 'b'; "
    "console.log('1'); return where.indexOf(what); }\n";

typedef struct fixture {
  counting_alloc counting;
  vow_allocator allocator;
  vow_task_pool *pool;
  vow_executor *executor;
  atomic_uint lines; /* printed */
} fixture;

static void on_output(int stream, const char *text, size_t len, void *user) {
  fixture *f = user;
  assert_int_equal(stream, 1);
  assert_int_equal(text[len - 1], '\n');
  atomic_fetch_add(&f->lines, 1);
}

static void fixture_open(fixture *f, uint32_t concurrent) {
  memset(f, 0, sizeof *f);
  f->allocator = counting_allocator(&f->counting);
  const vow_task_pool_options pool = {
      .size = sizeof pool, .allocator = &f->allocator, .concurrent_max = concurrent};
  const vow_executor_options executor = {
      .size = sizeof executor, .allocator = &f->allocator, .on_output = on_output, .user = f};
  assert_int_equal(vow_task_pool_open(&pool, &f->pool), VOW_OK);
  assert_int_equal(vow_executor_open(&executor, &f->executor), VOW_OK);
}

static void fixture_close(fixture *f) {
  assert_int_equal(vow_task_pool_close(f->pool, VOW_TASK_GRACEFUL, 20000), VOW_OK);
  assert_int_equal(vow_executor_close(f->executor), VOW_OK);
  assert_int_equal(f->counting.blocks, 0);
}

/* With `value` as CBOR that is written as text: "\x01". */
static vow_task_spec spec_of(fixture *f, vow_language language, const char *name,
                             const char *value) {
  vow_task_spec spec;
  const vow_function function = {
      .size = sizeof function, .language = language, .source = functions, .name = name};
  assert_int_equal(vow_executor_task(f->executor, &function, &spec), VOW_OK);
  spec.value = value;
  spec.value_len = value ? strlen(value) : 0;
  return spec;
}

static vow_task *begin(fixture *f, const vow_task_spec *spec) {
  vow_task *task;
  assert_int_equal(vow_task_start(f->pool, spec, &task), VOW_OK);
  return task;
}

static const vow_task_result *await(vow_task *task) {
  assert_int_equal(vow_task_wait(task, 60000), VOW_OK);
  return vow_task_result_of(task);
}

static void gives(vow_task *task, const char *json) {
  const vow_task_result *result = await(task);
  if (result->state != VOW_FULFILLED)
    print_error("%s: %s\n", result->error_type, result->error_message);
  assert_int_equal(result->state, VOW_FULFILLED);
  assert_string_equal(vow_task_value_json(task), json);
  vow_task_release(task);
}

static void fails(vow_task *task, vow_state state, const char *type) {
  const vow_task_result *result = await(task);
  assert_int_equal(result->state, state);
  assert_string_equal(result->error_type, type);
  vow_task_release(task);
}

static void await_lines(fixture *f, unsigned lines) {
  while (atomic_load(&f->lines) < lines)
    sched_yield();
}

#define FOR_BOTH(language)                                                                         \
  for (vow_language language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED;                \
       language = (vow_language)(language + 1))

/* ---- execution ---- */

static void execution(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, 2);
  FOR_BOTH(language) {
    vow_task_spec spec = spec_of(&f, language, "answer", NULL);
    vow_task *task;
    assert_int_equal(vow_task_run(f.pool, &spec, &task), VOW_OK);
    gives(task, "42");
    spec = spec_of(&f, language, "answer",
                   "\x82\x01\x63"
                   "abc");
    gives(begin(&f, &spec), "[1,\"abc\"]");
    spec = spec_of(&f, language, "later", "\x19\x01\xf4"); /* 500 ms */
    task = begin(&f, &spec);
    assert_int_equal(vow_task_wait(task, 1), VOW_E_TIME);
    const vow_task_result *result = await(task);
    assert_true(result->run_ns >= SECOND / 2 && result->age_ns >= result->run_ns);
    assert_int_equal(result->attempts, 1);
    gives(task, "500");
  }
  fixture_close(&f);
}

/* ---- exceptions ---- */

static void exceptions(void **state) {
  (void)state;
  static const char *const thrown[][3] = {{"\x63own", "OwnError", "mine"},
                                          {"\x64text", "Error", "only text"},
                                          {"\x65later", "RangeError", "later"},
                                          {"\x64type", "TypeError", NULL}};
  fixture f;
  fixture_open(&f, 2);
  FOR_BOTH(language) for (size_t i = 0; i < sizeof thrown / sizeof *thrown; i++) {
    vow_task_spec spec = spec_of(&f, language, "fail", thrown[i][0]);
    vow_task *task = begin(&f, &spec);
    const vow_task_result *result = await(task);
    assert_int_equal(result->state, VOW_REJECTED);
    assert_string_equal(result->error_type, thrown[i][1]);
    if (thrown[i][2])
      assert_string_equal(result->error_message, thrown[i][2]);
    if (i == 0)
      assert_non_null(strstr(result->error_detail, "at fail (<source>:8:"));
    vow_task_release(task);
  }
  fixture_close(&f);
}

/* ---- time limits ---- */

static void time_limits(void **state) {
  (void)state;
  static const char *const names[] = {"spin", "wait"};
  fixture f;
  fixture_open(&f, 2);
  FOR_BOTH(language) for (size_t i = 0; i < 2; i++) {
    vow_task_spec spec = spec_of(&f, language, names[i], NULL);
    spec.timeout_ms = 30;
    fails(begin(&f, &spec), VOW_TIMED_OUT, "TimeoutError");
    spec = spec_of(&f, language, "later", "\x01");
    spec.timeout_ms = 20000;
    gives(begin(&f, &spec), "1");
    spec = spec_of(&f, language, "later", "\x01");
    spec.timeout_ms = 0;
    gives(begin(&f, &spec), "1");
  }
  vow_task_counts counts = {.size = sizeof counts};
  assert_int_equal(vow_task_pool_counts(f.pool, &counts), VOW_OK);
  assert_int_equal(counts.retired, 0);
  assert_int_equal(counts.timed_out, 4);
  fixture_close(&f);
}

/* ---- cancellation ---- */

static void cancellation(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, 1);
  FOR_BOTH(language) {
    unsigned lines = atomic_load(&f.lines);
    vow_task_spec spec = spec_of(&f, language, "spin", NULL);
    vow_task *first = begin(&f, &spec);
    await_lines(&f, lines + 1);
    spec = spec_of(&f, language, "wait", NULL);
    vow_task *second = begin(&f, &spec); /* waits for the one place */
    assert_int_equal(vow_task_cancel(second), VOW_OK);
    assert_int_equal(vow_task_cancel(first), VOW_OK);
    assert_int_equal(vow_task_cancel(first), VOW_LATE);
    assert_int_equal(vow_task_result_of(second)->attempts, 0);
    fails(first, VOW_OP_CANCELLED, "AbortError");
    fails(second, VOW_OP_CANCELLED, "AbortError");
    assert_int_equal(vow_task_pool_wait(f.pool, 20000), VOW_OK);
    assert_int_equal(atomic_load(&f.lines), lines + 1);
    spec = spec_of(&f, language, "answer", NULL);
    gives(begin(&f, &spec), "42");
  }
  fixture_close(&f);
}

/* ---- guard ---- */

static void guard(void **state) {
  (void)state;
  static const char *const names[] = {"spin", "wait"};
  fixture f;
  vow_task *kept = NULL;
  unsigned lines = 0;
  fixture_open(&f, 2);
  FOR_BOTH(language) for (size_t i = 0; i < 2; i++) {
    {
      VOW_TASK_GUARD(task) = NULL;
      vow_task_spec spec = spec_of(&f, language, names[i], NULL);
      assert_int_equal(vow_task_start(f.pool, &spec, &task), VOW_OK);
      kept = vow_task_retain(task);
      await_lines(&f, ++lines);
    }
    vow_task_counts counts = {.size = sizeof counts};
    assert_int_equal(vow_task_pool_counts(f.pool, &counts), VOW_OK);
    assert_int_equal(counts.active, 0);
    assert_int_equal(counts.live, 0);
    assert_int_equal(counts.retired, 0);
    assert_int_equal(vow_task_result_of(kept)->attempts, 1);
    fails(kept, VOW_OP_CANCELLED, "AbortError");
  }
  fixture_close(&f);
}

/* ---- pool ---- */

static void pool(void **state) {
  (void)state;
  vow_task *tasks[30];
  fixture f;
  fixture_open(&f, 3);
  for (size_t i = 0; i < 30; i++) {
    vow_task_spec spec = spec_of(&f, VOW_JAVASCRIPT, "later", "\x02");
    tasks[i] = begin(&f, &spec);
  }
  assert_int_equal(vow_task_pool_wait(f.pool, 60000), VOW_OK);
  for (size_t i = 0; i < 30; i++)
    gives(tasks[i], "2");
  for (size_t i = 0; i < 30; i++) {
    vow_task_spec spec = spec_of(&f, i % 2 ? VOW_JAVASCRIPT : VOW_JAVASCRIPT_ISOLATED,
                                 i % 3 ? "wait" : "spin", NULL);
    tasks[i] = begin(&f, &spec);
  }
  await_lines(&f, 1);
  assert_int_equal(vow_task_pool_cancel(f.pool), VOW_OK);
  for (size_t i = 0; i < 30; i++)
    fails(tasks[i], VOW_OP_CANCELLED, "AbortError");
  assert_int_equal(vow_executor_close(NULL), VOW_OK);
  vow_task_counts counts = {.size = sizeof counts};
  assert_int_equal(vow_task_pool_counts(f.pool, &counts), VOW_OK);
  assert_int_equal(counts.fulfilled, 30);
  assert_int_equal(counts.cancelled, 30);
  assert_true(counts.threads <= 3);
  fixture_close(&f);
}

/* ---- helpers ---- */

static void retries(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, 1);
  vow_task_spec spec = spec_of(&f, VOW_JAVASCRIPT, "third", NULL);
  spec.retry = (vow_task_retry){.attempts = 3, .delay_ms = 1};
  gives(begin(&f, &spec), "3");
  spec = spec_of(&f, VOW_JAVASCRIPT, "never", NULL);
  spec.retry = (vow_task_retry){.attempts = 3, .delay_ms = 1};
  vow_task *task = begin(&f, &spec);
  assert_int_equal(await(task)->attempts, 3);
  fails(task, VOW_REJECTED, "Error");
  spec = spec_of(&f, VOW_JAVASCRIPT, "fail", "\x64type");
  spec.retry = (vow_task_retry){.attempts = 3, .errors = "RangeError"};
  task = begin(&f, &spec);
  assert_int_equal(await(task)->attempts, 1);
  fails(task, VOW_REJECTED, "TypeError");
  fixture_close(&f);
}

static vow_task *begin_group(fixture *f, vow_task_form form, const vow_task_spec *members,
                             size_t count, uint64_t timeout_ms) {
  const vow_task_spec *list[8];
  for (size_t i = 0; i < count; i++)
    list[i] = &members[i];
  vow_task_spec group = vow_task_group_spec("group", form, list, count);
  group.timeout_ms = timeout_ms;
  return begin(f, &group);
}

static void groups(void **state) {
  (void)state;
  fixture f;
  vow_task *none;
  fixture_open(&f, 4);
  vow_task_spec parallel[] = {spec_of(&f, VOW_JAVASCRIPT, "later", "\x09"),
                              spec_of(&f, VOW_JAVASCRIPT_ISOLATED, "later", "\x01"),
                              spec_of(&f, VOW_JAVASCRIPT, "answer", NULL)};
  gives(begin_group(&f, VOW_TASK_PARALLEL, parallel, 3, 20000), "[9,1,42]");
  vow_task_spec race[] = {
      spec_of(&f, VOW_JAVASCRIPT, "wait", NULL), spec_of(&f, VOW_JAVASCRIPT_ISOLATED, "spin", NULL),
      spec_of(&f, VOW_JAVASCRIPT, "fail", "\x63own"), spec_of(&f, VOW_JAVASCRIPT, "later", "\x05")};
  vow_task *task = begin_group(&f, VOW_TASK_RACE, race, 4, 20000);
  await(task);
  assert_int_equal(vow_task_winner(task), 3);
  gives(task, "5");
  vow_task_spec slow[] = {spec_of(&f, VOW_JAVASCRIPT, "wait", NULL),
                          spec_of(&f, VOW_JAVASCRIPT_ISOLATED, "spin", NULL)};
  fails(begin_group(&f, VOW_TASK_RACE, slow, 2, 30), VOW_TIMED_OUT, "TimeoutError");
  vow_task_spec empty = vow_task_group_spec("group", VOW_TASK_RACE, NULL, 0);
  assert_int_equal(vow_task_start(f.pool, &empty, &none), VOW_E_INVALID);
  fixture_close(&f);
}

/* ---- threads ---- */

static void *call_many(void *argument) {
  fixture *f = argument;
  for (unsigned i = 0; i < 100; i++) {
    vow_task_spec spec = spec_of(f, i % 10 ? VOW_JAVASCRIPT : VOW_JAVASCRIPT_ISOLATED,
                                 i % 5 ? "answer" : "wait", NULL);
    vow_task *task = begin(f, &spec);
    if (i % 5 == 0) {
      vow_task_cancel(task);
      fails(task, VOW_OP_CANCELLED, "AbortError");
    } else {
      gives(task, "42");
    }
  }
  return NULL;
}

static void threads(void **state) {
  (void)state;
  pthread_t callers[4];
  fixture f;
  fixture_open(&f, 3);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&callers[i], NULL, call_many, &f), 0);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pthread_join(callers[i], NULL), 0);
  fixture_close(&f);
}

/* ---- output ---- */

/* Without on_output it is the process's own. */
static void output_of_the_process(void **state) {
  (void)state;
  static const char source[] = "const say = (x) => { console.log(x); console.error('error'); };";
  const vow_function function = {
      .size = sizeof function, .language = VOW_JAVASCRIPT, .source = source, .name = "say"};
  char text[64] = "";
  int ends[2], kept[2] = {dup(1), dup(2)};
  vow_task_pool *tasks;
  vow_executor *executor;
  vow_task *task;
  vow_task_spec spec;
  fflush(NULL);
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(vow_task_pool_open(NULL, &tasks), VOW_OK);
  assert_int_equal(vow_executor_open(NULL, &executor), VOW_OK);
  assert_int_equal(vow_executor_task(executor, &function, &spec), VOW_OK);
  spec.value = "\x07";
  spec.value_len = 1;
  dup2(ends[1], 1);
  dup2(ends[1], 2);
  vow_status status = vow_task_run(tasks, &spec, &task);
  for (int i = 0; i < 2; i++) {
    dup2(kept[i], i + 1);
    close(kept[i]);
  }
  close(ends[1]);
  assert_int_equal(status, VOW_OK);
  gives(task, "null");
  assert_int_equal(read(ends[0], text, sizeof text - 1), 8);
  assert_string_equal(text, "7\nerror\n");
  close(ends[0]);
  assert_int_equal(vow_task_pool_close(tasks, VOW_TASK_GRACEFUL, 20000), VOW_OK);
  assert_int_equal(vow_executor_close(executor), VOW_OK);
}

/* ---- the end of an executor ---- */

static void an_executor_with_tasks_stays(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f, 1);
  vow_task_spec spec = spec_of(&f, VOW_JAVASCRIPT, "wait", NULL);
  assert_int_equal(vow_executor_close(f.executor), VOW_E_STATE);
  vow_task *task = begin(&f, &spec);
  await_lines(&f, 1);
  assert_int_equal(vow_executor_close(f.executor), VOW_E_STATE);
  vow_task_cancel(task);
  vow_task_release(task);
  spec = spec_of(&f, VOW_JAVASCRIPT, "wait", NULL);
  spec.argument_free(spec.argument); /* never started */
  fixture_close(&f);
}

/* Its thread is given up; the instance is that thread's until the native has ended. */
static void a_native_that_does_not_stop(void **state) {
  (void)state;
  fixture f = {.counting = {0}};
  f.allocator = counting_allocator(&f.counting);
  const vow_task_pool_options impatient = {
      .size = sizeof impatient, .allocator = &f.allocator, .concurrent_max = 1, .patience_ms = 1};
  const vow_executor_options executor = {
      .size = sizeof executor, .allocator = &f.allocator, .on_output = on_output, .user = &f};
  assert_int_equal(vow_task_pool_open(&impatient, &f.pool), VOW_OK);
  assert_int_equal(vow_executor_open(&executor, &f.executor), VOW_OK);
  vow_task_spec spec = spec_of(&f, VOW_JAVASCRIPT, "search", NULL);
  vow_task *task = begin(&f, &spec);
  await_lines(&f, 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  fails(task, VOW_OP_CANCELLED, "AbortError");
  spec = spec_of(&f, VOW_JAVASCRIPT, "answer", NULL);
  gives(begin(&f, &spec), "42"); /* in the place of that one */
  vow_status closed = vow_task_pool_close(f.pool, VOW_TASK_GRACEFUL, 0);
  assert_true(closed == VOW_OK || closed == VOW_E_TIME);
  while (vow_executor_close(f.executor) == VOW_E_STATE)
    sched_yield();
  while (__atomic_load_n(&f.counting.blocks, __ATOMIC_ACQUIRE) != 0)
    sched_yield(); /* the thread itself */
}

static void each_allocation_may_fail(void **state) {
  (void)state;
  counting_alloc counting = {0};
  const vow_allocator allocator = counting_allocator(&counting);
  const vow_executor_options options = {.size = sizeof options, .allocator = &allocator};
  const vow_function function = {
      .size = sizeof function, .language = VOW_PYTHON, .module = "m", .name = "f"};
  vow_status status = VOW_E_NOMEM;
  for (size_t nth = 1; status != VOW_OK; nth++) {
    vow_executor *executor;
    vow_task_spec spec;
    counting.calls = 0;
    counting.fail_at = nth;
    status = vow_executor_open(&options, &executor);
    if (status == VOW_OK)
      status = vow_executor_task(executor, &function, &spec);
    assert_true(status == VOW_OK || status == VOW_E_NOMEM);
    if (status == VOW_OK)
      spec.argument_free(spec.argument);
    assert_int_equal(vow_executor_close(executor), VOW_OK);
    assert_int_equal(counting.blocks, 0);
    assert_true(nth < 100);
  }
  assert_true(counting.calls >= 2);
}

static void what_is_wrong_is_told(void **state) {
  (void)state;
  static const struct {
    vow_function function;
    const char *message;
  } wrong[] = {
      {{0}, "function: its size is not set"},
      {{.size = sizeof(vow_function), .language = (vow_language)9, .file = "f", .name = "f"},
       "function: there is no language 9"},
      {{.size = sizeof(vow_function), .language = VOW_JAVASCRIPT, .name = "f"},
       "function: must have one of file, module and source, has 0"},
      {{.size = sizeof(vow_function),
        .language = VOW_PYTHON,
        .file = "f",
        .module = "f",
        .name = "f"},
       "function: must have one of file, module and source, has 2"},
      {{.size = sizeof(vow_function), .language = VOW_JAVASCRIPT, .module = "f", .name = "f"},
       "function: module: only Python has modules by name"},
      {{.size = sizeof(vow_function), .language = VOW_SHARED_OBJECT, .source = "f", .name = "f"},
       "function: source: there is none of a shared object"},
      {{.size = sizeof(vow_function), .language = VOW_JAVASCRIPT, .file = "f"},
       "function: name: a function of js has one"},
      {{.size = sizeof(vow_function), .language = VOW_SHARED_OBJECT, .file = "", .name = "f"},
       "function: its file or module has no name"},
  };
  char message[200] = "";
  vow_executor *executor;
  vow_task_spec spec;
  vow_executor_options options = {.size = sizeof options,
                                  .memory_bytes = 1,
                                  .message = message,
                                  .message_size = sizeof message};
  assert_int_equal(vow_executor_open(&options, &executor), VOW_E_INVALID);
  assert_null(executor);
  assert_string_equal(message, "memory_bytes: must be 8 MiB to 2 GiB");
  options.memory_bytes = 0;
  assert_int_equal(vow_executor_open(&options, &executor), VOW_OK);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(vow_executor_task(executor, &wrong[i].function, &spec), VOW_E_INVALID);
    assert_string_equal(message, wrong[i].message);
    assert_int_equal(vow_executor_load(executor, &wrong[i].function, &spec), VOW_E_INVALID);
  }
  assert_int_equal(vow_executor_close(executor), VOW_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(execution),
      cmocka_unit_test(exceptions),
      cmocka_unit_test(time_limits),
      cmocka_unit_test(cancellation),
      cmocka_unit_test(guard),
      cmocka_unit_test(pool),
      cmocka_unit_test(retries),
      cmocka_unit_test(groups),
      cmocka_unit_test(threads),
      cmocka_unit_test(output_of_the_process),
      cmocka_unit_test(an_executor_with_tasks_stays),
      cmocka_unit_test(a_native_that_does_not_stop),
      cmocka_unit_test(each_allocation_may_fail),
      cmocka_unit_test(what_is_wrong_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
