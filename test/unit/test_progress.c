/* The line that says what a run waits for: always within its columns, whatever the
 * names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/progress.h"

#define SECONDS UINT64_C(1000000000)

static void expect(const char *line, size_t columns, const char *const *names, size_t listed,
                   size_t count) {
  char text[256];
  memset(text, 'x', sizeof text);
  progress_line(text, columns, 32 * SECONDS / 10, names, listed, count);
  assert_string_equal(text, line);
  assert_true(strlen(text) <= columns);
  assert_int_equal(text[columns + 1], 'x');
}

static void names(void **state) {
  (void)state;
  const char *const list[] = {"fetch api.example.com", "notes.search", "notes.get"};
  expect("waiting 3.2 s for fetch api.example.com", 100, list, 1, 1);
  expect("waiting 3.2 s for fetch api.example.com, notes.search, notes.get", 100, list, 3, 3);
  expect("waiting 3.2 s for fetch api.example.com, notes.search, notes.get (+4 more)", 100, list, 3,
         7);
  expect("waiting 3.2 s for fetch api.example.com (+2 more)", 60, list, 3, 3);
}

static void narrow(void **state) {
  (void)state;
  const char *const list[] = {"notes.search", "notes.get"};
  expect("", 0, list, 2, 2);
  expect("waitin", 6, list, 2, 2);
  expect("waiting 3.2 s for no", 20, list, 2, 2);
  expect("waiting 3.2 s for notes.search", 30, list, 2, 2);
  for (size_t columns = 0; columns < 100; columns++) {
    char text[128];
    progress_line(text, columns, 3 * SECONDS, list, 2, 9);
    assert_true(strlen(text) <= columns);
  }
}

static void strangers(void **state) {
  (void)state;
  const char *const list[] = {"a\033[2Jb\nc\x7f", "\xc3\xa9t\xc3\xa9 \xc2\x9b\xff"};
  expect("waiting 3.2 s for a?[2Jb?c?, ?t? ??", 100, list, 2, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names),
      cmocka_unit_test(narrow),
      cmocka_unit_test(strangers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
