/* Functions of Python as tasks, through the public API: finding and calling them. */
#include "unit/python_fixture.h"

#include <fcntl.h>
#include <malloc.h>

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

/* Without on_output it is the process's own: standard output and error, each by itself. */
static void output_of_the_process(void **state) {
  (void)state;
  vow_function f = in_source("import sys\n"
                             "def say(x):\n"
                             "  print(x)\n"
                             "  print('error', file=sys.stderr)\n"
                             "  print('rest', end='')\n",
                             "say");
  char text[2][16] = {"", ""};
  int ends[2][2], kept[2] = {dup(1), dup(2)};
  snakes s;
  vow_executor *executor;
  vow_task *task;
  vow_task_spec spec;
  snakes_open(&s, 1);
  const vow_executor_options options = {.size = sizeof options, .allocator = &s.stage.allocator};
  assert_int_equal(vow_executor_open(&options, &executor), VOW_OK);
  assert_int_equal(vow_executor_task(executor, &f, &spec), VOW_OK);
  spec.value = "\x07";
  spec.value_len = 1;
  for (int i = 0; i < 2; i++)
    assert_int_equal(pipe(ends[i]), 0);
  fflush(NULL);
  for (int i = 0; i < 2; i++)
    dup2(ends[i][1], i + 1);
  vow_status status = vow_task_run(s.stage.pool, &spec, &task);
  for (int i = 0; i < 2; i++) {
    dup2(kept[i], i + 1);
    close(kept[i]);
    close(ends[i][1]);
  }
  assert_int_equal(status, VOW_OK);
  expect_json(task, "null");
  vow_task_release(task);
  for (int i = 0; i < 2; i++) {
    assert_true(read(ends[i][0], text[i], sizeof text[i] - 1) >= 0);
    close(ends[i][0]);
  }
  assert_string_equal(text[0], "7\nrest");
  assert_string_equal(text[1], "error\n");
  while ((status = vow_executor_close(executor)) == VOW_E_STATE)
    uv_sleep(1); /* until its thread has freed the argument */
  assert_int_equal(status, VOW_OK);
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

int main(void) {
  setenv("PYTHONHOME", "/nowhere", 1);
  setenv("PYTHONPATH", "/nowhere", 1);
  setenv("PYTHONDEVMODE", "1", 1);
  setenv("PYTHONSTARTUP", "/nowhere", 1);
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
      cmocka_unit_test(what_is_printed_comes_in_lines),
      cmocka_unit_test(output_of_the_process),
      cmocka_unit_test(nothing_is_kept_of_a_call),
      cmocka_unit_test(executors_come_and_go),
      cmocka_unit_test(many_threads_call),
      cmocka_unit_test(a_thread_keeps_what_is_its_own),
      cmocka_unit_test(the_environment_means_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
