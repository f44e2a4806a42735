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

/* Behind the next `part` of the `*len` bytes of `text`; NULL: it is not there any more. strstr()
 * would look for the end of the text each time under a sanitizer. */
static inline const char *audit_behind(const char *text, size_t *len, const char *part) {
  const char *found = memmem(text, *len, part, strlen(part));
  if (!found)
    return NULL;
  found += strlen(part);
  *len -= (size_t)(found - text);
  return found;
}

static inline uint64_t audit_count_lines(const char *text, const char *part) {
  uint64_t count = 0;
  size_t len = strlen(text);
  for (; (text = audit_behind(text, &len, part)); count++)
    ;
  return count;
}

/* Events that lines tell of as lost. */
static inline uint64_t audit_told_dropped(const char *text) {
  uint64_t count = 0;
  size_t len = strlen(text);
  while ((text = audit_behind(text, &len, "\"event\":\"dropped\",\"count\":")))
    count += strtoull(text, NULL, 10);
  return count;
}

#endif
