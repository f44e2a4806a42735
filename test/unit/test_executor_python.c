/* Functions of Python as tasks, through the public API. */
#include "unit/python_fixture.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- execution ---- */

static void a_function_gives_its_value(void **state) {
  (void)state;
  static const uint8_t argument[] = {0x83, 1, 2, 3};
  snakes s;
  snakes_open(&s, 2);
  vow_function f = in_source("def total(numbers):\n  return sum(numbers)", "total");
  vow_task *task = snakes_run(&s, f, argument, sizeof argument);
  expect_json(task, "6");
  assert_int_equal(vow_task_result_of(task)->attempts, 1);
  vow_task_release(task);
  gives(&s, in_source("def nothing(argument):\n  assert argument is None", "nothing"), "null");
  gives(&s, in_source("class A:\n  @staticmethod\n  def f(_): return 'static'", "A.f"),
        "\"static\"");
  snakes_close(&s);
}

static void functions_are_found_in_modules_and_texts(void **state) {
  (void)state;
  static const uint8_t argument[] = {0x81, 1};
  snakes s;
  snakes_open(&s, 2);
  vow_task *task = snakes_run(&s, in_module("json", "dumps"), argument, sizeof argument);
  expect_json(task, "\"[1]\"");
  vow_task_release(task);
  task = snakes_run(&s, in_source("sum(context) + 1", NULL), argument, sizeof argument);
  expect_json(task, "2");
  vow_task_release(task);
  gives(&s, in_source("\n  [n * n\n   for n in range(4)]\n", NULL), "[0,1,4,9]");
  snakes_close(&s);
}

static void coroutines_are_awaited(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  gives(&s,
        in_source("import asyncio\n"
                  "async def part(n):\n"
                  "  await asyncio.sleep(0)\n"
                  "  return n\n"
                  "async def all(_):\n"
                  "  return await asyncio.gather(*(part(n) for n in range(3)))\n",
                  "all"),
        "[0,1,2]");
  gives(&s, in_source("await __import__('asyncio').sleep(0, 'top')", NULL), "\"top\"");
  /* An object that can be awaited, and what is left behind. */
  gives(&s,
        in_source("import asyncio\n"
                  "async def forever():\n"
                  "  try: await asyncio.sleep(1000)\n"
                  "  finally: print('ended')\n"
                  "class Later:\n"
                  "  def __init__(self, _): pass\n"
                  "  def __await__(self):\n"
                  "    asyncio.ensure_future(forever())\n"
                  "    yield from asyncio.sleep(0).__await__()\n"
                  "    return 'done'\n",
                  "Later"),
        "\"done\"");
  assert_string_equal(s.output[0], "ended\n");
  snakes_close(&s);
}

/* ---- files ---- */

static void load(snakes *s, vow_function function, const char *type) {
  vow_task_spec spec;
  vow_task *task;
  assert_int_equal(vow_executor_load(s->executor, &function, &spec), VOW_OK);
  assert_int_equal(vow_task_run(s->stage.pool, &spec, &task), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, type ? VOW_REJECTED : VOW_FULFILLED);
  if (type)
    assert_string_equal(result->error_type, type);
  vow_task_release(task);
}

static void a_file_is_executed_once(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 4);
  const char *file = snakes_file(&s, "a/once.py",
                                 "import threading, helper\n"
                                 "print('executed', helper.NAME)\n"
                                 "def name(_): return __name__\n"
                                 "def same(_):\n"
                                 "  import once\n"
                                 "  return once.name is name\n");
  snakes_file(&s, "a/helper.py", "NAME = 'a helper'\n");
  vow_task *tasks[8];
  for (int i = 0; i < 8; i++)
    tasks[i] = snakes_start(&s, in_file(file, "name"), 0);
  for (int i = 0; i < 8; i++)
    expect_end(tasks[i], VOW_FULFILLED);
  assert_string_equal(s.output[0], "executed a helper\n");
  gives(&s, in_file(file, "name"), "\"once\"");
  gives(&s, in_file(file, "same"), "true");
  const char *helper = snakes_file(&s, "a/helper.py", "raise 1\n");
  gives(&s, in_source("__import__('helper').NAME", NULL), "\"a helper\"");
  load(&s, in_file(helper, "NAME.upper"), NULL);
  /* The same file by other names, and another file of the same name. */
  char other[300];
  snprintf(other, sizeof other, "%s/a/../a//once.py", s.folder);
  gives(&s, in_file(other, "name"), "\"once\"");
  assert_string_equal(s.output[0], "executed a helper\n");
  gives(&s, in_file(snakes_file(&s, "b/once.py", "def name(_): return 'another'\n"), "name"),
        "\"another\"");
  gives(&s, in_file(file, "name"), "\"once\"");
  snakes_close(&s);
}

static void a_file_that_fails_is_tried_again(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  const char *file = snakes_file(&s, "broken.py", "def f(_): return 1\nraise KeyError('k')\n");
  fails(&s, in_file(file, "f"), "KeyError", "'k'", "broken.py\", line 2");
  snakes_file(&s, "broken.py", "def f(_): return 1\n");
  gives(&s, in_file(file, "f"), "1");
  snakes_close(&s);
}

static void relative_files_and_modules_of_the_current_folder(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(before >= 0);
  snakes_file(&s, "here/there.py", "def f(_): return 'relative'\n");
  snakes_file(&s, "package_of_test/__init__.py", "");
  snakes_file(&s, "package_of_test/part.py", "from . import other\ndef f(_): return other.VALUE\n");
  snakes_file(&s, "package_of_test/other.py", "VALUE = 'module'\n");
  assert_int_equal(chdir(s.folder), 0);
  gives(&s, in_file("here/there.py", "f"), "\"relative\"");
  gives(&s, in_module("package_of_test.part", "f"), "\"module\"");
  assert_int_equal(fchdir(before), 0);
  close(before);
  snakes_close(&s);
}

static void loading_looks_and_does_not_call(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  const char *file =
      snakes_file(&s, "load.py", "print('loaded')\nNO = 1\ndef f(_): print('called')\n");
  load(&s, in_file(file, "f"), NULL);
  load(&s, in_file(file, "g"), "NotFoundError");
  load(&s, in_file(file, "NO"), "NotFoundError");
  load(&s, in_file("/nowhere/at/all.py", "f"), "NotFoundError");
  load(&s, in_file(s.folder, "f"), "NotFoundError");
  load(&s, in_module("no_such_module", "f"), "NotFoundError");
  load(&s, in_module("json.nothing", "f"), "NotFoundError");
  load(&s, in_module("json", "dumps"), NULL);
  load(&s, in_source("def f(_) return 1", "f"), "SyntaxError");
  load(&s, in_source("print('called')", NULL), NULL);
  load(&s, in_source("1 +", NULL), "SyntaxError");
  load(&s, in_file(snakes_file(&s, "syntax.py", "def f(:\n"), "f"), "SyntaxError");
  load(&s, in_file(snakes_file(&s, "import.py", "import not_there\n"), "f"), "ModuleNotFoundError");
  assert_string_equal(s.output[0], "loaded\n");
  fails(&s, in_file(file, "g"), "NotFoundError", "has no function g", NULL);
  fails(&s, in_file(file, "NO"), "NotFoundError", "is no function", NULL);
  snakes_close(&s);
}

/* ---- exceptions ---- */

static void exceptions_keep_type_message_and_traceback(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  const char *file = snakes_file(&s, "bad.py",
                                 "class Broken(Exception): pass\n"
                                 "def inner(): raise Broken('a \\ud800 message')\n"
                                 "def f(_): inner()\n"
                                 "async def g(_): inner()\n");
  fails(&s, in_file(file, "f"), "Broken", "a \\ud800 message", "bad.py\", line 3, in f\n");
  fails(&s, in_file(file, "g"), "Broken", "a \\ud800 message", "raise Broken(");
  vow_task *task = snakes_run(&s, in_file(file, "g"), NULL, 0);
  /* Of its own code only. */
  assert_null(strstr(vow_task_result_of(task)->error_detail, "<vow>"));
  assert_null(strstr(vow_task_result_of(task)->error_detail, "asyncio"));
  vow_task_release(task);
  fails(&s, in_source("1 // 0", NULL), "ZeroDivisionError", "", "File \"<source>\", line 1");
  fails(&s, in_source("def f(_): return f(_)", "f"), "RecursionError", "recursion", "line 1, in f");
  fails(&s, in_source("def f(): pass", "f"), "TypeError", "takes 0 positional arguments", "");
  snakes_close(&s);
}

static void no_exception_ends_the_process(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 2);
  fails(&s, in_source("__import__('sys').exit(3)", NULL), "SystemExit", "3", "line 1");
  fails(&s, in_source("exit()", NULL), "SystemExit", "", "");
  fails(&s, in_source("async def f(_): raise SystemExit('no')", "f"), "SystemExit", "no", "in f");
  fails(&s, in_source("def f(_): raise KeyboardInterrupt", "f"), "KeyboardInterrupt", "", "in f");
  fails(&s, in_source("import asyncio\nasync def f(_): raise asyncio.CancelledError", "f"),
        "CancelledError", "", "");
  fails(&s,
        in_source("class E(Exception):\n"
                  "  def __str__(self): raise ValueError\n"
                  "def f(_): raise E\n",
                  "f"),
        "E", "cannot be had", "");
  fails(&s, in_source("def f(_): raise MemoryError", "f"), "MemoryError", "", "in f");
  gives(&s, in_source("1", NULL), "1");
  snakes_close(&s);
}

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
    vow_task *task = snakes_start(&s, in_file(file, ways[i]), 60);
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

/* ---- output ---- */

static void what_is_printed_comes_in_lines(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  gives(&s,
        in_source("import sys\n"
                  "def f(_):\n"
                  "  print('a', 'b', end='')\n"
                  "  print('c', file=sys.stderr)\n"
                  "  print('d\\ne', end='')\n"
                  "  sys.stdout.buffer.write(b'\\xc3\\xa4\\n')\n"
                  "  print('\\ud800', end='')\n",
                  "f"),
        "null");
  assert_string_equal(s.output[0], "a bd\ne\xc3\xa4\n\\ud800");
  assert_string_equal(s.output[1], "c\n");
  s.len[0] = 0;
  gives(&s, in_source("print('x' * 20000, 'y')", NULL), "null");
  assert_int_equal(s.len[0], 20003);
  snakes_close(&s);
}

/* ---- many ---- */

/* What the C library has given out, and Python's own allocator. */
static void in_use(snakes *s, size_t *bytes, uint64_t *blocks) {
  vow_function f = in_source("def f(_):\n"
                             "  import gc, sys\n"
                             "  gc.collect()\n"
                             "  return sys.getallocatedblocks()\n",
                             "f");
  vow_task *task = snakes_run(s, f, NULL, 0);
  cbor_in in;
  cbor_in_init(&in, vow_task_result_of(task)->value, vow_task_result_of(task)->value_len);
  assert_int_equal(cbor_get_uint(&in, blocks), CBOR_OK);
  vow_task_release(task);
  *bytes = mallinfo2().uordblks;
}

static void nothing_is_kept_of_a_call(void **state) {
  (void)state;
  enum { CALLS = 25000 };
  static const uint8_t argument[] = {0x82, 0x63, 'a', 'b', 'c', 0xa1, 0x61, 'k', 0x81, 0x01};
  snakes s;
  size_t bytes_before = 0, bytes;
  uint64_t blocks_before = 0, blocks;
  snakes_open(&s, 1);
  const char *file = snakes_file(&s, "many.py",
                                 "class Own(Exception): pass\n"
                                 "def value(a): return {'list': a, 'n': 2**80}\n"
                                 "def failing(a): raise Own(str(a))\n"
                                 "async def coroutine(a): return a\n");
  static const char *const names[] = {"value", "value", "value", "failing", "coroutine"};
  for (int i = 0; i < 2 * CALLS; i++) {
    if (i == CALLS)
      in_use(&s, &bytes_before, &blocks_before);
    const char *name = names[i % (i % 16 == 0 ? 5 : 3)];
    vow_task *task = snakes_run(&s, in_file(file, name), argument, sizeof argument);
    assert_int_equal(vow_task_state(task),
                     strcmp(name, "failing") == 0 ? VOW_REJECTED : VOW_FULFILLED);
    vow_task_release(task);
  }
  in_use(&s, &bytes, &blocks);
  if (bytes > bytes_before + CALLS || blocks > blocks_before + CALLS / 100)
    fail_msg("%zu bytes and %lu blocks, after so many more calls %zu and %lu", bytes_before,
             (unsigned long)blocks_before, bytes, (unsigned long)blocks);
  snakes_close(&s);
}

static void executors_come_and_go(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    snakes s;
    snakes_open(&s, 1);
    if (i % 2)
      gives(&s, in_source("1", NULL), "1");
    snakes_close(&s);
  }
}

/* ---- many threads ---- */

typedef struct caller {
  snakes *snakes;
  unsigned wrong;
} caller;

static void call_often(void *argument) {
  caller *c = argument;
  for (int i = 0; i < 200; i++) {
    vow_task *task;
    vow_function f = in_source(i % 3 ? "def f(n):\n  import threading\n  return [n, n]"
                                     : "async def f(n): return [n, n]",
                               "f");
    uint8_t value = (uint8_t)(i % 24), wanted[] = {0x82, value, value};
    vow_task_spec spec;
    if (vow_executor_task(c->snakes->executor, &f, &spec) != VOW_OK)
      abort();
    spec.value = &value;
    spec.value_len = 1;
    if (vow_task_start(c->snakes->stage.pool, &spec, &task) != VOW_OK)
      abort();
    bool cancel = i % 10 == 9;
    if (cancel)
      vow_task_cancel(task);
    vow_task_wait(task, VOW_FOREVER);
    const vow_task_result *result = vow_task_result_of(task);
    if (result->state == VOW_FULFILLED
            ? result->value_len != 3 || memcmp(result->value, wanted, 3) != 0
            : !cancel || result->state != VOW_OP_CANCELLED)
      c->wrong++;
    vow_task_release(task);
  }
}

static void many_threads_call(void **state) {
  (void)state;
  enum { THREADS = 6 };
  snakes s;
  caller callers[THREADS];
  uv_thread_t threads[THREADS];
  snakes_open(&s, 4);
  for (int i = 0; i < THREADS; i++) {
    callers[i] = (caller){.snakes = &s};
    assert_int_equal(uv_thread_create(&threads[i], call_often, &callers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    uv_thread_join(&threads[i]);
    assert_int_equal(callers[i].wrong, 0);
  }
  snakes_close(&s);
}

static void a_thread_keeps_what_is_its_own(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  const char *file =
      snakes_file(&s, "own.py",
                  "import threading\n"
                  "own = threading.local()\n"
                  "def f(_):\n"
                  "  own.count = getattr(own, 'count', 0) + 1\n"
                  "  return own.count\n"
                  "def main(_):\n"
                  "  return threading.current_thread() is threading.main_thread()\n");
  gives(&s, in_file(file, "f"), "1");
  gives(&s, in_file(file, "f"), "2");
  gives(&s, in_file(file, "main"), "false");
  snakes_close(&s);
}

static void the_environment_means_nothing(void **state) {
  (void)state;
  snakes s;
  snakes_open(&s, 1);
  gives(&s,
        in_source("(lambda sys: [sys.flags.ignore_environment, sys.flags.dev_mode,"
                  " sys.getfilesystemencoding(), '/nowhere' in sys.path])(__import__('sys'))",
                  NULL),
        "[1,false,\"utf-8\",false]");
  gives(&s, in_source("__import__('ssl').__name__", NULL), "\"ssl\"");
  gives(
      &s,
      in_source("__import__('signal').getsignal(2) in (None, __import__('signal').SIG_DFL)", NULL),
      "true");
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
    execl("/proc/self/exe", "test_executor_python", how, (char *)NULL);
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
  setenv("PYTHONHOME", "/nowhere", 1);
  setenv("PYTHONPATH", "/nowhere", 1);
  setenv("PYTHONDEVMODE", "1", 1);
  setenv("PYTHONSTARTUP", "/nowhere", 1);
  if (argc > 1)
    return strcmp(argv[1], "end") == 0 ? end_at_work() : start_nothing();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_function_gives_its_value),
      cmocka_unit_test(functions_are_found_in_modules_and_texts),
      cmocka_unit_test(coroutines_are_awaited),
      cmocka_unit_test(a_file_is_executed_once),
      cmocka_unit_test(a_file_that_fails_is_tried_again),
      cmocka_unit_test(relative_files_and_modules_of_the_current_folder),
      cmocka_unit_test(loading_looks_and_does_not_call),
      cmocka_unit_test(exceptions_keep_type_message_and_traceback),
      cmocka_unit_test(no_exception_ends_the_process),
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
      cmocka_unit_test(what_is_printed_comes_in_lines),
      cmocka_unit_test(nothing_is_kept_of_a_call),
      cmocka_unit_test(executors_come_and_go),
      cmocka_unit_test(many_threads_call),
      cmocka_unit_test(a_thread_keeps_what_is_its_own),
      cmocka_unit_test(the_environment_means_nothing),
      cmocka_unit_test(the_process_ends_while_calls_are_at_work),
      cmocka_unit_test(nothing_of_python_is_loaded_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
