/* Reading an audit file in tests. */
#ifndef VOW_TEST_AUDIT_LINES_FIXTURE_H
#define VOW_TEST_AUDIT_LINES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/audit.h"

/* The caller's, to be freed. */
static inline char *audit_read_all(const char *path) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  long size = ftell(file);
  assert_true(size >= 0);
  rewind(file);
  char *text = malloc((size_t)size + 1);
  assert_non_null(text);
  assert_int_equal(fread(text, 1, (size_t)size, file), size);
  text[size] = 0;
  fclose(file);
  return text;
}

/* How many lines there are; they are one whole chain. */
static inline uint64_t audit_check_all(const char *text) {
  static audit_check check;
  audit_check_begin(&check, NULL);
  audit_check_feed(&check, text, strlen(text));
  if (audit_check_end(&check) != AUDIT_WHOLE)
    fail_msg("line %llu: %s", (unsigned long long)check.line, check.why);
  return check.lines;
}

/* From 1. */
static inline void audit_line_of(const char *text, unsigned line, char *to, size_t size) {
  while (--line > 0 && (text = strchr(text, '\n')))
    text++;
  assert_non_null(text);
  snprintf(to, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Behind the first `part` in the line at `*text`, which moves to the next line; NULL: it is not
 * there. Line by line: under sanitizers each search looks at all the bytes it is given. */
static inline const char *audit_behind(const char **text, size_t *len, const char *part) {
  const char *end = memchr(*text, '\n', *len);
  size_t line = end ? (size_t)(end - *text) + 1 : *len;
  const char *found = memmem(*text, line, part, strlen(part));
  *text += line;
  *len -= line;
  return found ? found + strlen(part) : NULL;
}

/* Lines that have `part`. */
static inline uint64_t audit_count_lines(const char *text, const char *part) {
  uint64_t count = 0;
  for (size_t len = strlen(text); len > 0;)
    count += audit_behind(&text, &len, part) != NULL;
  return count;
}

/* Events that lines tell of as lost. */
static inline uint64_t audit_told_dropped(const char *text) {
  uint64_t count = 0;
  for (size_t len = strlen(text); len > 0;) {
    const char *number = audit_behind(&text, &len, "\"event\":\"dropped\",\"count\":");
    count += number ? strtoull(number, NULL, 10) : 0;
  }
  return count;
}

#endif
