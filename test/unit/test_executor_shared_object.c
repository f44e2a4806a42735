/* Symbols of a shared object as tasks, through the public API, and functions as text. The
 * object, the first argument, is test/executors/tasks.c; it calls back into this program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/task_fixture.h"
#include "vow/executor.h"

static const char *object;

typedef struct fixture {
  stage stage;
  vow_executor *executor;
} fixture;

static void fixture_open(fixture *f) {
  stage_open(&f->stage, 1);
  const vow_executor_options options = {.size = sizeof options, .allocator = &f->stage.allocator};
  assert_int_equal(vow_executor_open(&options, &f->executor), VOW_OK);
}

static void fixture_close(fixture *f) {
  assert_int_equal(counts_of(&f->stage).retired, 0);
  assert_int_equal(vow_task_pool_close(f->stage.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_int_equal(vow_executor_close(f->executor), VOW_OK);
  assert_int_equal(f->stage.memory.blocks, 0);
}

static vow_task_spec symbol(const fixture *f, const char *name) {
  const vow_function function = {
      .size = sizeof function, .language = VOW_SHARED_OBJECT, .file = object, .name = name};
  vow_task_spec spec;
  assert_int_equal(vow_executor_task(f->executor, &function, &spec), VOW_OK);
  return spec;
}

/* To its end, which is `state`; the caller releases it. */
static vow_task *run(const fixture *f, const vow_task_spec *spec, vow_state state) {
  vow_task *task;
  assert_int_equal(vow_task_run(f->stage.pool, spec, &task), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  if (result->state != state && result->error_type)
    print_error("%s: %s\n", result->error_type, result->error_message);
  assert_int_equal(result->state, state);
  return task;
}

/* ---- calls ---- */

static void a_symbol_gets_its_argument_and_gives_its_value(void **state) {
  (void)state;
  static const uint8_t argument[] = {0x82, 0x18, 0x2a, 0x63, 'a', 0x00, 'b'};
  fixture f;
  fixture_open(&f);
  vow_task_spec spec = symbol(&f, "same");
  spec.value = argument;
  spec.value_len = sizeof argument;
  vow_task *task = run(&f, &spec, VOW_FULFILLED);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->value_len, sizeof argument);
  assert_memory_equal(result->value, argument, sizeof argument);
  assert_string_equal(vow_task_value_json(task), "[42,\"a\\u0000b\"]");
  vow_task_release(task);
  spec = symbol(&f, "third");
  spec.retry = (vow_task_retry){.attempts = 3};
  task = run(&f, &spec, VOW_FULFILLED);
  assert_int_equal(vow_task_result_of(task)->attempts, 3);
  assert_string_equal(vow_task_value_json(task), "3");
  vow_task_release(task);
  fixture_close(&f);
}

static void a_symbol_fails_with_its_type(void **state) {
  (void)state;
  fixture f;
  fixture_open(&f);
  vow_task_spec spec = symbol(&f, "fail");
  vow_task *task = run(&f, &spec, VOW_REJECTED);
  const vow_task_result *result = vow_task_result_of(task);
  assert_string_equal(result->error_type, "CError");
  assert_string_equal(result->error_message, vow_status_message(VOW_E_FULL));
  assert_string_equal(result->error_detail, "line 1\nline 2");
  vow_task_release(task);
  fixture_close(&f);
}

static void what_is_not_there_is_not_found(void **state) {
  (void)state;
  static const char *const wrong[][2] = {{"not_there", "there is no symbol 'not_there'"},
                                         {"data_of_this", "'data_of_this' is no function"}};
  fixture f;
  fixture_open(&f);
  for (size_t i = 0; i < 2; i++) {
    vow_task_spec spec = symbol(&f, wrong[i][0]);
    vow_task *task = run(&f, &spec, VOW_REJECTED);
    assert_string_equal(vow_task_result_of(task)->error_type, "NotFoundError");
    assert_non_null(strstr(vow_task_result_of(task)->error_message, wrong[i][1]));
    vow_task_release(task);
  }
  fixture_close(&f);
}

/* One line of what a function says; false: there is none. */
static bool read_line(int from, char *line, size_t size) {
  size_t len = 0;
  while (len + 1 < size && (len == 0 || line[len - 1] != '\n')) {
    ssize_t n = read(from, line + len, 1);
    if (n == 0 || (n < 0 && errno != EINTR))
      break;
    len += n > 0;
  }
  line[len] = 0;
  return len > 0 && line[len - 1] == '\n';
}

/* It is told, and returns by itself: no thread is given up. */
static void a_symbol_is_cancelled(void **state) {
  (void)state;
  char begun[32], told[32];
  int ends[2], kept = dup(2);
  fixture f;
  vow_task *task;
  fixture_open(&f);
  vow_task_spec spec = symbol(&f, "wait_for_stop");
  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], 2);
  close(ends[1]);
  vow_status started = vow_task_start(f.stage.pool, &spec, &task);
  bool has_begun = started == VOW_OK && read_line(ends[0], begun, sizeof begun);
  vow_status cancelled = has_begun ? vow_task_cancel(task) : VOW_E_STATE;
  bool was_told = cancelled == VOW_OK && read_line(ends[0], told, sizeof told);
  dup2(kept, 2);
  close(kept);
  assert_int_equal(started, VOW_OK);
  assert_true(has_begun);
  assert_int_equal(cancelled, VOW_OK);
  assert_string_equal(begun, "begun\n");
  assert_true(was_told);
  assert_string_equal(told, "told to stop\n");
  close(ends[0]);
  assert_string_equal(vow_task_result_of(task)->error_type, "AbortError");
  expect_end(task, VOW_OP_CANCELLED);
  fixture_close(&f);
}

/* ---- from text ---- */

static void same_text(const char *text, const char *wanted) {
  if (wanted)
    assert_string_equal(text, wanted);
  else
    assert_null(text);
}

static void functions_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    vow_language language;
    const char *file, *module, *name;
  } good[] = {
      {"so:a/b.so:run_1", VOW_SHARED_OBJECT, "a/b.so", NULL, "run_1"},
      {"so:b:c.so:_f", VOW_SHARED_OBJECT, "b:c.so", NULL, "_f"},
      {"py:a.py:f", VOW_PYTHON, "a.py", NULL, "f"},
      {"py:./a:A.f", VOW_PYTHON, "./a", NULL, "A.f"},
      {"py:package.part:f", VOW_PYTHON, NULL, "package.part", "f"},
      {"js:a.mjs:$f", VOW_JAVASCRIPT, "a.mjs", NULL, "$f"},
      {"js-isolated:a.js:f", VOW_JAVASCRIPT_ISOLATED, "a.js", NULL, "f"},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    vow_function function;
    char buffer[32], message[200] = "";
    const char *place = good[i].file ? good[i].file : good[i].module;
    size_t needed = strlen(place) + strlen(good[i].name) + 2;
    assert_int_equal(
        vow_function_parse(good[i].text, &function, buffer, needed, message, sizeof message),
        VOW_OK);
    assert_int_equal(function.size, sizeof function);
    assert_int_equal(function.language, good[i].language);
    same_text(function.file, good[i].file);
    same_text(function.module, good[i].module);
    same_text(function.source, NULL);
    same_text(function.name, good[i].name);
    assert_string_equal(message, "");
    assert_int_equal(
        vow_function_parse(good[i].text, &function, buffer, needed - 1, message, sizeof message),
        VOW_E_INVALID);
    assert_non_null(strstr(message, "is longer than"));
  }
}

static void what_is_no_function_is_refused(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"f", "'f' is no function: must be LANGUAGE:FILE:FUNCTION, of the languages py, js, "
            "js-isolated, so"},
      {"c:a.c:f", "'c:a.c:f': there is no language 'c': must be py, js, js-isolated or so"},
      {"so:a.so", "'so:a.so' names no function: must be so:FILE:SYMBOL"},
      {"js::f", "'js::f' names no file: must be js:FILE:FUNCTION"},
      {"so:a.so:1f", "'so:a.so:1f': '1f' is no name of a function: must be so:FILE:SYMBOL"},
      {"py:a..b:f", "'py:a..b:f': 'a..b' is no name of a module: must be py:FILE.py:FUNCTION or "
                    "py:package.module:FUNCTION"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    vow_function function;
    char buffer[32], message[200] = "";
    assert_int_equal(
        vow_function_parse(wrong[i][0], &function, buffer, sizeof buffer, message, sizeof message),
        VOW_E_INVALID);
    assert_string_equal(message, wrong[i][1]);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: test_executor_shared_object OBJECT\n", stderr);
    return 2;
  }
  object = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_symbol_gets_its_argument_and_gives_its_value),
      cmocka_unit_test(a_symbol_fails_with_its_type),
      cmocka_unit_test(what_is_not_there_is_not_found),
      cmocka_unit_test(a_symbol_is_cancelled),
      cmocka_unit_test(functions_are_read),
      cmocka_unit_test(what_is_no_function_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
