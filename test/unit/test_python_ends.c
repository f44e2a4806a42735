/* Functions of Python as tasks: how they end before they would, in groups, and with the
 * process. */
#include "unit/python_fixture.h"

#include <sys/wait.h>

/* ---- time limits ---- */

static const char stuck[] = "import asyncio, threading\n"
                            "def spin():\n"
                            "  while True: pass\n"
                            "def loop(_):\n"
                            "  print('begun')\n"
                            "  while True: pass\n"
                            "def deaf(_):\n"
                            "  print('begun')\n"
                            "  while True:\n"
                            "    try:\n"
                            "      spin()\n"
                            "    except Exception: print('caught')\n"
                            "def stubborn(_):\n"
                            "  print('begun')\n"
                            "  try:\n"
                            "    spin()\n"
                            "  except BaseException: print('caught')\n"
                            "  spin()\n"
                            "async def asleep(_):\n"
                            "  try:\n"
                            "    print('begun')\n"
                            "    await asyncio.sleep(1000)\n"
                            "  except asyncio.CancelledError: print('cancelled'); raise\n"
                            "async def busy(_):\n"
                            "  print('begun')\n"
                            "  while True: pass\n"
                            "async def wakeful(_):\n"
                            "  print('begun')\n"
                            "  while True:\n"
                            "    try: await asyncio.sleep(1000)\n"
                            "    except asyncio.CancelledError: print('caught')\n"
                            "held = threading.Event()\n"
                            "def in_c(_):\n"
                            "  said = []\n"
                            "  while not held.is_set():\n"
                            "    try:\n"
                            "      if not said: said.append(1); print('begun')\n"
                            "      held.wait()\n"
                            "    except BaseException: pass\n"
                            "  return 'awake'\n"
                            "def free(_): held.set()\n";

static void each_way_to_be_stuck_ends(void **state) {
  (void)state;
  static const char *const ways[] = {"loop", "deaf", "stubborn", "asleep", "busy", "wakeful"};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    snakes s;
    snakes_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 60000});
    const char *file = snakes_file(&s, "stuck.py", stuck);
    load(&s, in_file(file, ways[i]), NULL);
    vow_task *task = snakes_start(&s, in_file(file, ways[i]), BEGUN_MS);
    assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
    assert_int_equal(vow_task_result_of(task)->state, VOW_TIMED_OUT);
    vow_task_release(task);
    /* The only thread is free again. */
    gives(&s, in_source("1", NULL), "1");
    vow_task_counts counts = counts_of(&s.stage);
    assert_int_equal(counts.retired, 0);
    assert_int_equal(counts.timed_out, 1);
    bool told = strstr(s.output[0], "caught") || strstr(s.output[0], "cancelled");
    assert_int_equal(told, strcmp(ways[i], "stubborn") == 0 || strcmp(ways[i], "asleep") == 0 ||
                               strcmp(ways[i], "wakeful") == 0);
    snakes_close(&s);
  }
}

static void a_limit_that_is_not_reached_changes_nothing(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  vow_task *task = snakes_start(&s, in_source("'in time'", NULL), 60000);
  expect_end(task, VOW_FULFILLED);
  task = snakes_start(&s, in_source("'unlimited'", NULL), 0);
  expect_end(task, VOW_FULFILLED);
  snakes_close(&s);
}

/* ---- cancels ---- */

static void before_it_begins_it_is_never_called(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  const char *file = snakes_file(&s, "stuck.py", stuck);
  vow_task *first = snakes_start(&s, in_file(file, "asleep"), 0);
  vow_task *second = snakes_start(&s, in_source("print('never')", NULL), 0);
  await_output(&s, "begun\n", 1);
  assert_int_equal(vow_task_cancel(second), VOW_OK);
  assert_int_equal(vow_task_cancel(first), VOW_OK);
  assert_int_equal(vow_task_cancel(first), VOW_LATE);
  assert_int_equal(vow_task_result_of(second)->attempts, 0);
  expect_end(first, VOW_OP_CANCELLED);
  expect_end(second, VOW_OP_CANCELLED);
  gives(&s, in_source("1", NULL), "1");
  assert_null(strstr(s.output[0], "never"));
  assert_non_null(strstr(s.output[0], "cancelled\n"));
  snakes_close(&s);
}

static void while_it_runs_its_code_is_interrupted(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  vow_function f = in_source("def spin():\n"
                             "  while True: pass\n"
                             "def f(_):\n"
                             "  try:\n"
                             "    print('begun')\n"
                             "    spin()\n"
                             "  finally: print('cleaned up')\n",
                             "f");
  vow_task *task = snakes_start(&s, f, 0);
  await_output(&s, "begun\n", 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  expect_end(task, VOW_OP_CANCELLED);
  await_output(&s, "cleaned up\n", 1);
  /* What comes after it on that thread is not meant. */
  for (int i = 0; i < 100; i++)
    gives(&s, in_source("sum(range(1000))", NULL), "499500");
  snakes_close(&s);
}

static void who_waits_for_a_file_can_be_cancelled(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  const char *file = snakes_file(&s, "slow.py",
                                 "print('begun')\n"
                                 "while True: pass\n");
  vow_task *first = snakes_start(&s, in_file(file, "f"), 0);
  await_output(&s, "begun\n", 1);
  vow_task *second = snakes_start(&s, in_file(file, "f"), 0);
  while (vow_task_state(second) == VOW_PENDING)
    uv_sleep(1);
  vow_task_cancel(second);
  expect_end(second, VOW_OP_CANCELLED);
  /* Its thread is free, though the file is being executed still. */
  gives(&s, in_source("1", NULL), "1");
  vow_task_cancel(first);
  expect_end(first, VOW_OP_CANCELLED);
  snakes_file(&s, "slow.py", "def f(_): return 'again'\n");
  gives(&s, in_file(file, "f"), "\"again\"");
  snakes_close(&s);
}

/* ---- guards ---- */

static void a_guard_ends_the_call(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  const char *file = snakes_file(&s, "stuck.py", stuck);
  vow_task_spec spec = snakes_spec(&s, in_file(file, "loop"));
  {
    VOW_TASK_GUARD(task) = NULL;
    assert_int_equal(vow_task_start(s.stage.pool, &spec, &task), VOW_OK);
    await_output(&s, "begun\n", 1);
  }
  vow_task_counts counts = counts_of(&s.stage);
  assert_int_equal(counts.live, 0);
  assert_int_equal(counts.cancelled, 1);
  {
    VOW_TASK_GUARD(task) = snakes_run(&s, in_source("1", NULL), NULL, 0);
    assert_int_equal(vow_task_state(task), VOW_FULFILLED);
  }
  snakes_close(&s);
}

/* ---- the pool ---- */

static void calls_wait_for_each_other_in_python(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 8);
  /* All eight are in it at once, or nobody gets out. */
  const char *file = snakes_file(&s, "meet.py",
                                 "import threading\n"
                                 "barrier = threading.Barrier(8)\n"
                                 "def f(_): barrier.wait(); return threading.get_ident()\n");
  vow_task *tasks[8];
  for (int i = 0; i < 8; i++)
    tasks[i] = snakes_start(&s, in_file(file, "f"), 0);
  for (int i = 0; i < 8; i++)
    expect_end(tasks[i], VOW_FULFILLED);
  assert_int_equal(counts_of(&s.stage).fulfilled, 8);
  snakes_close(&s);
}

static void all_are_cancelled_at_once(void **state) {
  (void)state;
  enum { COUNT = 40, AT_ONCE = 4 };
  snakes s;
  snakes_open(&s, AT_ONCE);
  const char *file = snakes_file(&s, "stuck.py", stuck);
  vow_task *tasks[COUNT];
  for (int i = 0; i < COUNT; i++)
    tasks[i] = snakes_start(&s, in_file(file, i % 2 ? "loop" : "asleep"), 0);
  await_output(&s, "begun\n", AT_ONCE);
  assert_int_equal(vow_task_pool_cancel(s.stage.pool), VOW_OK);
  for (int i = 0; i < COUNT; i++)
    expect_end(tasks[i], VOW_OP_CANCELLED);
  assert_int_equal(vow_task_pool_wait(s.stage.pool, VOW_FOREVER), VOW_OK);
  gives(&s, in_source("1", NULL), "1");
  snakes_close(&s);
}

static void immediate_close_interrupts(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  const char *file = snakes_file(&s, "stuck.py", stuck);
  vow_task *loop = snakes_start(&s, in_file(file, "loop"), 0);
  vow_task *asleep = snakes_start(&s, in_file(file, "asleep"), 0);
  await_output(&s, "begun\n", 2);
  assert_int_equal(vow_task_pool_close(s.stage.pool, VOW_TASK_IMMEDIATE, 0), VOW_OK);
  s.stage.pool = NULL;
  expect_end(loop, VOW_OP_CANCELLED);
  expect_end(asleep, VOW_OP_CANCELLED);
  snakes_close(&s);
}

/* Nothing interrupts a wait in C: the thread is given up, and what comes late is dropped. */
static void a_wait_in_c_costs_its_thread(void **state) {
  (void)state;
  snakes s;
  snakes_open_with(&s, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 20});
  const char *file = snakes_file(&s, "stuck.py", stuck);
  vow_task *task = snakes_start(&s, in_file(file, "in_c"), 0);
  await_output(&s, "begun\n", 1);
  assert_int_equal(vow_task_cancel(task), VOW_OK);
  expect_end(task, VOW_OP_CANCELLED);
  gives(&s, in_source("1", NULL), "1");
  assert_int_equal(counts_of(&s.stage).retired, 1);
  assert_int_equal(counts_of(&s.stage).retired_live, 1);
  assert_int_equal(vow_executor_close(s.executor), VOW_E_STATE);
  gives(&s, in_file(file, "free"), "null");
  while (counts_of(&s.stage).retired_live > 0)
    uv_sleep(1);
  assert_int_equal(counts_of(&s.stage).late, 1);
  snakes_close(&s);
}

/* ---- groups and retries ---- */

static void a_race_is_won_and_the_others_end(void **state) {
  (void)state;
  snakes s;
  snakes_open_with(&s, (vow_task_pool_options){.concurrent_max = 5, .patience_ms = 60000});
  const char *file = snakes_file(&s, "stuck.py", stuck);
  probe p = {.begun = 0};
  vow_task_spec loop = snakes_spec(&s, in_file(file, "loop"));
  vow_task_spec asleep = snakes_spec(&s, in_file(file, "asleep"));
  vow_task_spec in_c = probe_spec(obedient, &p);
  vow_task_spec winner = snakes_spec(&s, in_file(file, "in_c"));
  const vow_task_spec *const members[] = {&loop, &asleep, &in_c, &winner};
  vow_task_spec race = vow_task_group_spec("race", VOW_TASK_RACE, members, 4);
  vow_task *task = start_spec(&s.stage, &race);
  await_output(&s, "begun\n", 3);
  await_count(&p.begun, 1);
  gives(&s, in_file(file, "free"), "null");
  assert_int_equal(vow_task_wait(task, VOW_FOREVER), VOW_OK);
  expect_json(task, "\"awake\"");
  assert_int_equal(vow_task_winner(task), 3);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(vow_task_state(vow_task_member(task, i)), VOW_OP_CANCELLED);
  vow_task_release(task);
  assert_int_equal(vow_task_pool_wait(s.stage.pool, VOW_FOREVER), VOW_OK);
  snakes_close(&s);
}

static void parallel_gives_all_values(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 3);
  vow_task_spec specs[6];
  const vow_task_spec *members[6];
  static const uint8_t values[] = {0, 1, 2, 3, 4, 5};
  for (size_t i = 0; i < 6; i++) {
    specs[i] = snakes_spec(&s, in_source(i % 2 ? "context * 10" : "async def f(n): return n * 10",
                                         i % 2 ? NULL : "f"));
    specs[i].value = &values[i];
    specs[i].value_len = 1;
    members[i] = &specs[i];
  }
  vow_task_spec all = vow_task_group_spec("all", VOW_TASK_PARALLEL, members, 6);
  vow_task *task;
  assert_int_equal(vow_task_run(s.stage.pool, &all, &task), VOW_OK);
  expect_json(task, "[0,10,20,30,40,50]");
  vow_task_release(task);
  /* One that fails ends the others. */
  specs[0] = snakes_spec(&s, in_source("1 // 0", NULL));
  specs[1] = snakes_spec(&s, in_source("await __import__('asyncio').sleep(1000)", NULL));
  all = vow_task_group_spec("all", VOW_TASK_PARALLEL, members, 2);
  all.fail_fast = true;
  assert_int_equal(vow_task_run(s.stage.pool, &all, &task), VOW_OK);
  assert_int_equal(vow_task_state(task), VOW_REJECTED);
  assert_string_equal(vow_task_result_of(task)->error_type, "ZeroDivisionError");
  assert_int_equal(vow_task_state(vow_task_member(task, 1)), VOW_OP_CANCELLED);
  vow_task_release(task);
  snakes_close(&s);
}

static void errors_are_retried_by_their_type(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  const char *file = snakes_file(&s, "retry.py",
                                 "class Passing(Exception): pass\n"
                                 "calls = []\n"
                                 "def third(_):\n"
                                 "  calls.append(1)\n"
                                 "  if len(calls) % 3: raise Passing\n"
                                 "  return len(calls)\n"
                                 "def never(_): raise KeyError\n");
  vow_task *task;
  vow_task_spec spec = snakes_spec(&s, in_file(file, "third"));
  spec.retry = (vow_task_retry){.attempts = 5, .errors = "KeyError,Passing"};
  assert_int_equal(vow_task_run(s.stage.pool, &spec, &task), VOW_OK);
  expect_json(task, "3");
  assert_int_equal(vow_task_result_of(task)->attempts, 3);
  vow_task_release(task);
  spec = snakes_spec(&s, in_file(file, "never"));
  spec.retry = (vow_task_retry){.attempts = 5, .errors = "Passing"};
  assert_int_equal(vow_task_run(s.stage.pool, &spec, &task), VOW_OK);
  assert_int_equal(vow_task_result_of(task)->attempts, 1);
  vow_task_release(task);
  snakes_close(&s);
}

/* ---- the end of the process ---- */

/* Runs in a process of its own, which ends while three calls are at work. */
static int end_at_work(void) {
  static const char *const ways[] = {"loop", "asleep", "in_c"};
  static snakes s;
  snakes_open(&s, 4);
  const char *file = snakes_file(&s, "stuck.py", stuck);
  for (int i = 0; i < 3; i++)
    snakes_start(&s, in_file(file, ways[i]), 0);
  await_output(&s, "begun\n", 3);
  nftw(s.folder, snakes_remove, 8, FTW_DEPTH | FTW_PHYS);
  return 7;
}

static int status_of(const char *how) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "test_python_ends", how, (char *)NULL);
    _exit(127);
  }
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void the_process_ends_while_calls_are_at_work(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++) {
    int status = status_of("end");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
  }
}

static int start_nothing(void) {
  static char maps[1 << 20];
  snakes s;
  snakes_open(&s, 1);
  vow_task_spec spec = snakes_spec(&s, in_source("1", NULL));
  FILE *file = fopen("/proc/self/maps", "r");
  size_t len = file ? fread(maps, 1, sizeof maps - 1, file) : 0;
  if (file)
    fclose(file);
  spec.argument_free(spec.argument);
  snakes_close(&s);
  return len == 0 || strstr(maps, "libpython");
}

static void nothing_of_python_is_loaded_before(void **state) {
  (void)state;
  int status = status_of("start");
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv) {
  if (argc > 1)
    return strcmp(argv[1], "end") == 0 ? end_at_work() : start_nothing();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_way_to_be_stuck_ends),
      cmocka_unit_test(a_limit_that_is_not_reached_changes_nothing),
      cmocka_unit_test(before_it_begins_it_is_never_called),
      cmocka_unit_test(while_it_runs_its_code_is_interrupted),
      cmocka_unit_test(who_waits_for_a_file_can_be_cancelled),
      cmocka_unit_test(a_guard_ends_the_call),
      cmocka_unit_test(calls_wait_for_each_other_in_python),
      cmocka_unit_test(all_are_cancelled_at_once),
      cmocka_unit_test(immediate_close_interrupts),
      cmocka_unit_test(a_wait_in_c_costs_its_thread),
      cmocka_unit_test(a_race_is_won_and_the_others_end),
      cmocka_unit_test(parallel_gives_all_values),
      cmocka_unit_test(errors_are_retried_by_their_type),
      cmocka_unit_test(the_process_ends_while_calls_are_at_work),
      cmocka_unit_test(nothing_of_python_is_loaded_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
