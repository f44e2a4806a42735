/* Functions of JavaScript, called by themselves, without tasks. */
#include "unit/javascript_fixture.h"

#include <pthread.h>
#include <sched.h>

#define MEMORY ((uint64_t)64 << 20)

/* ---- values ---- */

static void each_language_gives_a_value(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "sum.js", "function sum(list) { return list.reduce((a, b) => a + b, 0); }");
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "sum");
    for (int i = 0; i < 3; i++)
      assert_string_equal(fixture_call(&f, &function, "[1,2,3]"), "6");
  }
  assert_int_equal(javascript_idle(f.javascript), 2);
  fixture_close(&f);
}

static void values_cross_as_what_they_are(void **state) {
  (void)state;
  static const char *const values[][2] = {
      {"null", "null"},
      {"true", "true"},
      {"-1.5", "-1.5"},
      {"\"\\ud800\"", "\"\\ud800\""},
      {"{\"$bigint\":\"123456789012345678901234567890\"}", "123456789012345678901234567890"},
      {"{\"$bytes\":\"AAEC\"}", "\"AAEC\""},
      {"{\"$date\":0}", "\"1970-01-01T00:00:00.000Z\""},
      {"{\"a\":[1,{\"b\":{}}]}", "{\"a\":[1,{\"b\":{}}]}"},
  };
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "same.mjs", "export const same = (value) => value;");
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++)
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      vow_function function = fixture_function((vow_language)language, f.file, "same");
      assert_string_equal(fixture_call(&f, &function, values[i][0]), values[i][1]);
    }
  assert_string_equal(fixture_gives(&f, "same", NULL), "null");
  fixture_close(&f);
}

static void promises_are_awaited(void **state) {
  (void)state;
  static const char text[] =
      "export async function later(ms) { await sleep(ms); return 'late'; }\n"
      "export const thenable = () => ({ then(done) { done(7); } });\n"
      "export default (x) => new Promise((done) => setTimeout(done, 1, x * 2));\n";
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "later.mjs", text);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "later");
    assert_string_equal(fixture_call(&f, &function, "5"), "\"late\"");
    function.name = "thenable";
    assert_string_equal(fixture_call(&f, &function, "5"), "7");
    function.name = "default";
    assert_string_equal(fixture_call(&f, &function, "5"), "10");
  }
  fixture_close(&f);
}

static void text_has_a_value_or_functions(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = {.size = sizeof function,
                             .language = (vow_language)language,
                             .source = "await sleep(1); context.a + 1"};
    assert_string_equal(fixture_call(&f, &function, "{\"a\":41}"), "42");
    assert_string_equal(fixture_call(&f, &function, "{\"a\":1}"), "2");
    function.source = "const twice = (x) => 2 * x;";
    function.name = "twice";
    assert_string_equal(fixture_call(&f, &function, "21"), "42");
    function.source = "export const thrice = (x) => 3 * x;";
    function.name = "thrice";
    assert_string_equal(fixture_call(&f, &function, "14"), "42");
  }
  fixture_close(&f);
}

static void a_file_is_executed_once_in_an_instance(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "count.js",
               "console.log('executed'); let n = 0; function next() { return ++n; }");
  assert_string_equal(fixture_gives(&f, "next", NULL), "1");
  assert_string_equal(fixture_gives(&f, "next", NULL), "2");
  assert_string_equal(f.output, "1:executed\n");
  vow_function function = fixture_function(VOW_JAVASCRIPT_ISOLATED, f.file, "next");
  assert_string_equal(fixture_call(&f, &function, NULL), "1");
  assert_string_equal(fixture_call(&f, &function, NULL), "1");
  fixture_close(&f);
}

static void modules_are_imported(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "part.mjs", "export const part = 20;");
  fixture_file(&f, "whole.js",
               "import { part } from './part.mjs'; export const f = async () =>"
               " part + (await import('./part.mjs')).part;");
  assert_string_equal(fixture_gives(&f, "f", NULL), "40");
  vow_function function = fixture_function(VOW_JAVASCRIPT_ISOLATED, f.file, "f");
  assert_non_null(
      strstr(fixture_call(&f, &function, NULL), "a script has no files to import from"));
  fixture_close(&f);
}

static void output_is_told(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "say.js",
               "function say(n) { console.log('out', n); console.error('err');"
               " console.log('x'.repeat(n)); }");
  assert_string_equal(fixture_gives(&f, "say", "3"), "null");
  assert_string_equal(f.output, "1:out 3\n2:err\n1:xxx\n");
  f.output[0] = 0;
  assert_string_equal(fixture_gives(&f, "say", "2000"), "null");
  assert_int_equal(strlen(f.output), strlen("1:out 2000\n2:err\n1:\n") + 2000);
  fixture_close(&f);
}

/* ---- failures ---- */

static void errors_have_type_message_and_trace(void **state) {
  (void)state;
  static const char text[] =
      "class MyError extends Error { name = 'MyError'; }\n"
      "function fails(how) {\n"
      "  if (how === 'own') throw new MyError('mine');\n"
      "  if (how === 'text') throw 'just text';\n"
      "  if (how === 'null') throw null;\n"
      "  if (how === 'later') return sleep(1).then(() => gone());\n"
      "  if (how === 'deep') return fails(how) + 1;\n"
      "  if (how === 'large') return new Uint8Array(70 << 20);\n"
      "  if (how === 'float') { Promise.reject(new RangeError('left')); return 1; }\n"
      "}\n";
  static const char *const failures[][2] = {
      {"\"own\"", "MyError: mine"},
      {"\"text\"", "Error: just text"},
      {"\"null\"", "Error: null"},
      {"\"later\"", "ReferenceError: gone is not defined"},
      {"\"deep\"", "RangeError: Maximum call stack size exceeded"},
      {"\"large\"", "RangeError: the value is larger than 64 MiB"},
      {"\"float\"", "RangeError: left"},
  };
  javascript_fixture f;
  fixture_open(&f, UINT64_C(256) << 20);
  fixture_file(&f, "fails.js", text);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++)
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
      vow_function function = fixture_function((vow_language)language, f.file, "fails");
      assert_string_equal(fixture_call(&f, &function, failures[i][0]), failures[i][1]);
    }
  javascript_call call;
  vow_function function = fixture_function(VOW_JAVASCRIPT, f.file, "fails");
  javascript_call_init(&call, f.javascript);
  fixture_run(&f, &call, &function, "\"own\"", false);
  assert_non_null(f.result.detail);
  assert_non_null(strstr(f.result.detail, "at fails ("));
  assert_non_null(strstr(f.result.detail, "fails.js:3:"));
  fixture_forget(&f);
  fixture_close(&f);
}

static void what_is_missing_is_told(void **state) {
  (void)state;
  javascript_fixture f;
  char wanted[256];
  fixture_open(&f, MEMORY);
  fixture_file(&f, "there.js", "function one() {} function two() {} const value = 1;");
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "three");
    snprintf(wanted, sizeof wanted,
             "NotFoundError: %s: there is no function 'three'; there are: one, two", f.file);
    assert_string_equal(fixture_call(&f, &function, NULL), wanted);
    function.name = "value";
    snprintf(wanted, sizeof wanted,
             "NotFoundError: %s: 'value' is no function; there are: one, two", f.file);
    assert_string_equal(fixture_call(&f, &function, NULL), wanted);
  }
  fixture_file(&f, "there.mjs", "export let early; export const f = () => 1;");
  snprintf(wanted, sizeof wanted, "NotFoundError: %s: there is no function 'g'; there are: f",
           f.file);
  assert_string_equal(fixture_gives(&f, "g", NULL), wanted);
  fixture_file(&f, "empty.js", "");
  snprintf(wanted, sizeof wanted, "NotFoundError: %s: there is no function 'g', and no other",
           f.file);
  assert_string_equal(fixture_gives(&f, "g", NULL), wanted);
  snprintf(f.file, sizeof f.file, "%s/gone.js", f.folder);
  snprintf(wanted, sizeof wanted, "NotFoundError: %s: cannot be read: No such file or directory",
           f.file);
  assert_string_equal(fixture_gives(&f, "g", NULL), wanted);
  snprintf(f.file, sizeof f.file, "%s", f.folder);
  assert_non_null(strstr(fixture_gives(&f, "g", NULL), "cannot be read: Is a directory"));
  fixture_close(&f);
}

static void a_load_looks_and_calls_nothing(void **state) {
  (void)state;
  javascript_fixture f;
  javascript_call call;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "calls.js", "console.log('executed'); function f() { console.log('called'); }");
  vow_function function = fixture_function(VOW_JAVASCRIPT, f.file, "f");
  javascript_call_init(&call, f.javascript);
  assert_string_equal(fixture_run(&f, &call, &function, NULL, true), "nothing");
  fixture_forget(&f);
  assert_string_equal(f.output, "1:executed\n");
  assert_string_equal(fixture_call(&f, &function, NULL), "null");
  assert_string_equal(f.output, "1:executed\n1:called\n");
  function.name = "g";
  javascript_call_init(&call, f.javascript);
  assert_non_null(strstr(fixture_run(&f, &call, &function, NULL, true), "NotFoundError: "));
  fixture_forget(&f);
  fixture_close(&f);
}

static void a_source_that_fails_fails_the_call(void **state) {
  (void)state;
  javascript_fixture f;
  char wanted[256];
  fixture_open(&f, MEMORY);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "f");
    fixture_file(&f, "wrong.js", "function f() {\n  return 1 +;\n}\n");
    fixture_call(&f, &function, NULL);
    assert_non_null(strstr(f.text, "SyntaxError: "));
    snprintf(wanted, sizeof wanted, "wrong.js:2:");
    assert_non_null(strstr(f.text, wanted));
    fixture_file(&f, "throws.js", "function f() {} throw new TypeError('at load');");
    assert_string_equal(fixture_call(&f, &function, NULL), "TypeError: at load");
    fixture_file(&f, "stuck.mjs", "export const f = () => 1; await new Promise(() => {});");
    fixture_call(&f, &function, NULL);
    snprintf(wanted, sizeof wanted,
             "DeadlockError: %s waits for a promise that nothing can settle any more", f.file);
    assert_string_equal(f.text, wanted);
  }
  assert_int_equal(f.output[0], 0);
  fixture_close(&f);
}

static void what_never_settles_is_an_error_at_once(void **state) {
  (void)state;
  javascript_fixture f;
  char wanted[256];
  fixture_open(&f, MEMORY);
  fixture_file(&f, "never.js", "async function never() { await new Promise(() => {}); }");
  snprintf(wanted, sizeof wanted,
           "DeadlockError: never of %s waits for a promise that nothing can settle any more",
           f.file);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "never");
    uint64_t begun = loop_now();
    assert_string_equal(fixture_call(&f, &function, NULL), wanted);
    assert_true(loop_now() - begun < UINT64_C(2000000000));
  }
  fixture_close(&f);
}

static void memory_is_bounded(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, UINT64_C(16) << 20);
  fixture_file(&f, "grow.js",
               "function grow() { const all = []; for (;;) all.push(new Array(1000).fill(1)); }"
               "function small() { return 'small'; }");
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    vow_function function = fixture_function((vow_language)language, f.file, "grow");
    assert_string_equal(fixture_call(&f, &function, NULL),
                        "MemoryError: the memory limit (memory_bytes) was hit");
    function.name = "small";
    assert_string_equal(fixture_call(&f, &function, NULL), "\"small\"");
  }
  fixture_close(&f);
}

static void arguments_are_checked(void **state) {
  (void)state;
  static const uint8_t broken[] = {0x82, 0x01};
  javascript_fixture f;
  javascript_call call;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "f.js", "function f() {}");
  vow_function function = fixture_function(VOW_JAVASCRIPT, f.file, "f");
  const javascript_request request = {
      .function = &function, .value = broken, .value_len = sizeof broken};
  javascript_call_init(&call, f.javascript);
  javascript_call_run(&call, &request, &f.result);
  assert_false(f.result.fulfilled);
  assert_string_equal(f.result.type, "TypeError");
  fixture_forget(&f);
  fixture_close(&f);
}

/* ---- what is left behind ---- */

static void what_leaves_something_serves_no_other_call(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "left.js",
               "let n = 0; function tick() { setInterval(() => { n += 100; }, 0); return ++n; }"
               "function next() { return ++n; }");
  assert_string_equal(fixture_gives(&f, "next", NULL), "1");
  assert_string_equal(fixture_gives(&f, "next", NULL), "2");
  assert_string_equal(fixture_gives(&f, "tick", NULL), "3");
  assert_int_equal(javascript_idle(f.javascript), 0);
  assert_string_equal(fixture_gives(&f, "next", NULL), "1");
  fixture_close(&f);
}

static void an_error_keeps_the_instance(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "odd.js",
               "let n = 0; function odd() { if (++n % 2 === 0) throw Error('even'); return n; }");
  assert_string_equal(fixture_gives(&f, "odd", NULL), "1");
  assert_string_equal(fixture_gives(&f, "odd", NULL), "Error: even");
  assert_string_equal(fixture_gives(&f, "odd", NULL), "3");
  fixture_close(&f);
}

static void idle_instances_are_bounded(void **state) {
  (void)state;
  javascript_fixture f;
  char name[32];
  fixture_open(&f, MEMORY);
  for (unsigned i = 0; i < JAVASCRIPT_IDLE_MAX + 3; i++) {
    snprintf(name, sizeof name, "f%u.js", i);
    fixture_file(&f, name, "function f() { return 1; }");
    assert_string_equal(fixture_gives(&f, "f", NULL), "1");
  }
  assert_int_equal(javascript_idle(f.javascript), JAVASCRIPT_IDLE_MAX);
  fixture_close(&f);
}

/* ---- being stopped ---- */

typedef struct stopping {
  javascript_fixture *f;
  javascript_call call;
  vow_function function;
  javascript_result result;
  atomic_bool ended;
  uint64_t stopped_at, ended_at;
} stopping;

static void *run_to_its_end(void *argument) {
  stopping *s = argument;
  const javascript_request request = {.function = &s->function};
  javascript_call_run(&s->call, &request, &s->result);
  s->ended_at = loop_now();
  atomic_store(&s->ended, true);
  return NULL;
}

/* Until the function has said that it runs. */
static void await_output(javascript_fixture *f, unsigned before) {
  while (atomic_load(&f->lines) == before)
    sched_yield();
}

static void script_is_stopped_wherever_it_is(void **state) {
  (void)state;
  static const char text[] = "function spin() { console.log('1'); for (;;); }\n"
                             "async function turns() { console.log('1'); for (;;) await null; }\n"
                             "function wait() { console.log('1'); return sleep(1e8); }\n"
                             "function caught() { console.log('1'); for (;;) try { for (;;); } "
                             "catch {} finally { for (;;); } }\n";
  static const char *const names[] = {"spin", "turns", "wait", "caught"};
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "stop.js", text);
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++)
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      stopping s = {.f = &f,
                    .function = fixture_function((vow_language)language, f.file, names[i])};
      pthread_t thread;
      unsigned before = atomic_load(&f.lines);
      f.output[0] = 0;
      javascript_call_init(&s.call, f.javascript);
      assert_int_equal(pthread_create(&thread, NULL, run_to_its_end, &s), 0);
      await_output(&f, before);
      javascript_call_stop(&s.call);
      javascript_call_stop(&s.call);
      assert_int_equal(pthread_join(thread, NULL), 0);
      assert_false(s.result.fulfilled);
      assert_string_equal(s.result.type, "AbortError");
      javascript_result_free(&s.result);
    }
  fixture_file(&f, "after.js", "function after() { return 1; }");
  assert_string_equal(fixture_gives(&f, "after", NULL), "1");
  fixture_close(&f);
}

static void a_source_that_spins_is_stopped(void **state) {
  (void)state;
  javascript_fixture f;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "top.js", "console.log('1'); for (;;);");
  for (int language = VOW_JAVASCRIPT; language <= VOW_JAVASCRIPT_ISOLATED; language++) {
    stopping s = {.f = &f, .function = fixture_function((vow_language)language, f.file, "f")};
    pthread_t thread;
    unsigned before = atomic_load(&f.lines);
    f.output[0] = 0;
    javascript_call_init(&s.call, f.javascript);
    assert_int_equal(pthread_create(&thread, NULL, run_to_its_end, &s), 0);
    await_output(&f, before);
    javascript_call_stop(&s.call);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(s.result.type, "AbortError");
    javascript_result_free(&s.result);
  }
  fixture_close(&f);
}

static void a_stop_before_is_seen(void **state) {
  (void)state;
  javascript_fixture f;
  javascript_call call;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "f.js", "function f() { console.log('called'); }");
  vow_function function = fixture_function(VOW_JAVASCRIPT, f.file, "f");
  javascript_call_init(&call, f.javascript);
  javascript_call_stop(&call);
  assert_string_equal(fixture_run(&f, &call, &function, NULL, false),
                      "AbortError: it was stopped before it began");
  javascript_call_stop(&call);
  fixture_forget(&f);
  assert_int_equal(f.output[0], 0);
  fixture_close(&f);
}

/* Stops at every moment of a short call, and many calls at once. */
static void *call_and_stop(void *argument) {
  stopping *s = argument;
  for (unsigned i = 0; i < 200; i++) {
    javascript_result result;
    const javascript_request request = {.function = &s->function};
    javascript_call call;
    javascript_call_init(&call, s->f->javascript);
    stopping inner = {.f = s->f, .function = s->function};
    inner.call = call;
    if (i % 4 == 0) {
      pthread_t thread;
      assert_int_equal(pthread_create(&thread, NULL, run_to_its_end, &inner), 0);
      for (volatile unsigned spin = 0; spin < i * 1000; spin++)
        ;
      javascript_call_stop(&inner.call);
      assert_int_equal(pthread_join(thread, NULL), 0);
      result = inner.result;
    } else {
      javascript_call_run(&call, &request, &result);
      assert_true(result.fulfilled);
    }
    assert_true(result.fulfilled || strcmp(result.type, "AbortError") == 0);
    javascript_result_free(&result);
  }
  return NULL;
}

static void many_threads_call(void **state) {
  (void)state;
  javascript_fixture f;
  pthread_t threads[3];
  stopping s[3];
  fixture_open(&f, MEMORY);
  fixture_file(&f, "some.js",
               "async function some() { await null; let n = 0; for (let i = 0; i < 1000; i++) n += "
               "i; return n; }");
  for (size_t i = 0; i < 3; i++) {
    s[i] = (stopping){.f = &f, .function = fixture_function(VOW_JAVASCRIPT, f.file, "some")};
    assert_int_equal(pthread_create(&threads[i], NULL, call_and_stop, &s[i]), 0);
  }
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  fixture_close(&f);
}

/* ---- memory runs short ---- */

static void each_allocation_may_fail(void **state) {
  (void)state;
  javascript_fixture f;
  bool passed = false;
  fixture_open(&f, MEMORY);
  fixture_file(&f, "f.js", "async function f(x) { await sleep(0); return [x]; }");
  vow_function function = fixture_function(VOW_JAVASCRIPT, f.file, "f");
  for (size_t nth = 1; !passed; nth++) {
    const javascript_options options = {
        .allocator = &f.allocator, .memory_bytes = MEMORY, .on_output = fixture_output, .user = &f};
    javascript *whole = f.javascript;
    f.counting.calls = 0;
    f.counting.fail_at = nth;
    f.javascript = javascript_open(&options);
    for (int i = 0; f.javascript && i < 2; i++) {
      fixture_call(&f, &function, "1");
      assert_true(strcmp(f.text, "[1]") == 0 || strstr(f.text, "memory") ||
                  strstr(f.text, "executed"));
    }
    javascript_close(f.javascript);
    passed = f.counting.calls < nth;
    f.counting.fail_at = 0;
    f.javascript = whole;
    assert_true(nth < 5000);
  }
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_language_gives_a_value),
      cmocka_unit_test(values_cross_as_what_they_are),
      cmocka_unit_test(promises_are_awaited),
      cmocka_unit_test(text_has_a_value_or_functions),
      cmocka_unit_test(a_file_is_executed_once_in_an_instance),
      cmocka_unit_test(modules_are_imported),
      cmocka_unit_test(output_is_told),
      cmocka_unit_test(errors_have_type_message_and_trace),
      cmocka_unit_test(what_is_missing_is_told),
      cmocka_unit_test(a_load_looks_and_calls_nothing),
      cmocka_unit_test(a_source_that_fails_fails_the_call),
      cmocka_unit_test(what_never_settles_is_an_error_at_once),
      cmocka_unit_test(memory_is_bounded),
      cmocka_unit_test(arguments_are_checked),
      cmocka_unit_test(what_leaves_something_serves_no_other_call),
      cmocka_unit_test(an_error_keeps_the_instance),
      cmocka_unit_test(idle_instances_are_bounded),
      cmocka_unit_test(script_is_stopped_wherever_it_is),
      cmocka_unit_test(a_source_that_spins_is_stopped),
      cmocka_unit_test(a_stop_before_is_seen),
      cmocka_unit_test(many_threads_call),
      cmocka_unit_test(each_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
