/* Reading an audit file in tests. */
#ifndef VOW_TEST_AUDIT_LINES_FIXTURE_H
#define VOW_TEST_AUDIT_LINES_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static inline uint64_t audit_count_lines(const char *text, const char *part) {
  uint64_t count = 0;
  for (; (text = strstr(text, part)); text += strlen(part))
    count++;
  return count;
}

/* Events that lines tell of as lost. */
static inline uint64_t audit_told_dropped(const char *text) {
  static const char line[] = "\"event\":\"dropped\",\"count\":";
  uint64_t count = 0;
  for (; (text = strstr(text, line)); text += sizeof line - 1)
    count += strtoull(text + sizeof line - 1, NULL, 10);
  return count;
}

#endif
