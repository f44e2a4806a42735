/* The chain of an audit: what is written is whole, and nothing can be changed in it
 * without being found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/audit.h"

#define LINES 6u

typedef struct paper {
  char text[65536];
  size_t len, room;
} paper;

static bool write_down(void *user, const char *line, size_t len) {
  paper *paper = user;
  assert_int_equal(line[len - 1], '\n');
  assert_true(len <= AUDIT_LINE_MAX);
  if (len > paper->room - paper->len)
    return false;
  memcpy(paper->text + paper->len, line, len);
  paper->len += len;
  return true;
}

static const audit_event example = {.event = "created",
                                    .time_ms = 1769860800123,
                                    .at_ns = 1234567,
                                    .run = "r",
                                    .tenant = "t",
                                    .operation = 1,
                                    .name = "notes.get"};

static void fill(paper *paper, audit *audit) {
  *paper = (struct paper){.room = sizeof paper->text};
  audit_init(audit, write_down, paper);
  for (uint64_t i = 1; i <= LINES; i++) {
    audit_event event = example;
    event.operation = i;
    assert_true(audit_put(audit, &event));
  }
  assert_int_equal(audit->lines, LINES);
}

/* Byte by byte as well: pieces may end anywhere. */
static audit_finding checked(const char *text, size_t len, const char *last, audit_check *check) {
  static audit_check slow;
  audit_check_begin(&slow, last);
  for (size_t i = 0; i < len; i++)
    audit_check_feed(&slow, text + i, 1);
  audit_check_begin(check, last);
  audit_check_feed(check, text, len);
  assert_int_equal(audit_check_end(&slow), audit_check_end(check));
  assert_int_equal(slow.line, check->line);
  assert_string_equal(slow.why, check->why);
  return check->finding;
}

static char *line_at(paper *paper, unsigned number) {
  char *at = paper->text;
  while (--number)
    at = strchr(at, '\n') + 1;
  return at;
}

static size_t line_len(const char *line) {
  return (size_t)(strchr(line, '\n') - line) + 1;
}

static audit_check check;

static void expect(paper *paper, const char *last, audit_finding finding, uint64_t line) {
  if (checked(paper->text, paper->len, last, &check) != finding)
    print_error("line %llu: %s\n", (unsigned long long)check.line, check.why);
  assert_int_equal(check.finding, finding);
  assert_int_equal(check.line, line);
  assert_int_equal(finding == AUDIT_WHOLE, check.why[0] == 0);
}

static void whole(void **state) {
  (void)state;
  paper paper;
  audit audit;
  fill(&paper, &audit);
  expect(&paper, audit.last, AUDIT_WHOLE, 0);
  assert_int_equal(check.lines, LINES);
  assert_string_equal(check.last, audit.last);
  assert_non_null(strstr(paper.text,
                         "{\"seq\":1,\"time\":\"2026-01-31T12:00:00.123Z\",\"at_ms\":1.234,"
                         "\"run\":\"r\",\"tenant\":\"t\",\"event\":\"created\","
                         "\"operation\":1,\"name\":\"notes.get\",\"previous\":\"000"));
}

/* Whatever single byte is changed, something is found. */
static void altered(void **state) {
  (void)state;
  paper paper;
  audit audit;
  fill(&paper, &audit);
  for (size_t i = 0; i < paper.len; i++) {
    char was = paper.text[i];
    paper.text[i] = was == 'x' ? 'y' : 'x';
    audit_check_begin(&check, audit.last);
    audit_check_feed(&check, paper.text, paper.len);
    assert_int_not_equal(audit_check_end(&check), AUDIT_WHOLE);
    paper.text[i] = was;
  }
  strstr(line_at(&paper, 3), "notes")[0] = 'N';
  expect(&paper, NULL, AUDIT_ALTERED, 3);
}

/* A line written anew with a hash that fits: the next one tells. */
static void rewritten(void **state) {
  (void)state;
  paper paper, forged;
  audit audit, forger;
  fill(&paper, &audit);
  fill(&forged, &forger);
  assert_true(audit_continue(&forger, line_at(&forged, 2), line_len(line_at(&forged, 2))));
  forged.len = (size_t)(line_at(&forged, 3) - forged.text);
  audit_event event = example;
  event.name = "notes.put";
  event.operation = 3;
  assert_true(audit_put(&forger, &event));
  memcpy(paper.text, forged.text, forged.len); /* it is as long as what it replaces */
  expect(&paper, NULL, AUDIT_ALTERED, 4);
}

static void removed(void **state) {
  (void)state;
  for (unsigned number = 1; number < LINES; number++) {
    paper paper;
    audit audit;
    fill(&paper, &audit);
    char *line = line_at(&paper, number);
    size_t len = line_len(line);
    memmove(line, line + len, paper.len - (size_t)(line - paper.text) - len);
    paper.len -= len;
    expect(&paper, audit.last, AUDIT_REMOVED, number);
    assert_string_equal(check.why, "1 line before it is missing");
  }
}

static void reordered(void **state) {
  (void)state;
  paper paper;
  audit audit;
  char moved[AUDIT_LINE_MAX];
  fill(&paper, &audit);
  char *line = line_at(&paper, 2);
  size_t len = line_len(line), rest = paper.len - (size_t)(line - paper.text) - len;
  memcpy(moved, line, len);
  memmove(line, line + len, rest);
  memcpy(line + rest, moved, len);
  expect(&paper, audit.last, AUDIT_REORDERED, LINES);
  fill(&paper, &audit);
  memcpy(paper.text + paper.len, line_at(&paper, 2), len); /* once more */
  paper.len += len;
  expect(&paper, NULL, AUDIT_REORDERED, LINES + 1);
}

static void cut(void **state) {
  (void)state;
  paper paper;
  audit audit;
  fill(&paper, &audit);
  size_t whole = paper.len;
  paper.len = whole - 1;
  expect(&paper, NULL, AUDIT_CUT, LINES);
  paper.len = (size_t)(line_at(&paper, LINES) - paper.text);
  expect(&paper, NULL, AUDIT_WHOLE, 0); /* nobody can tell without the last hash */
  expect(&paper, audit.last, AUDIT_CUT, LINES - 1);
  paper.len = 0;
  expect(&paper, NULL, AUDIT_CUT, 0);
}

static void long_line(void **state) {
  (void)state;
  paper paper;
  audit audit;
  fill(&paper, &audit);
  memset(paper.text + paper.len, 'x', 2 * AUDIT_LINE_MAX);
  paper.len += 2 * AUDIT_LINE_MAX;
  expect(&paper, NULL, AUDIT_ALTERED, LINES + 1);
}

static void continued(void **state) {
  (void)state;
  paper paper;
  audit audit, next;
  fill(&paper, &audit);
  audit_init(&next, write_down, &paper);
  char *line = line_at(&paper, LINES);
  assert_false(audit_continue(&next, "{}", 2));
  assert_true(audit_continue(&next, line, line_len(line)));
  assert_true(audit_put(&next, &example));
  expect(&paper, audit.last, AUDIT_WHOLE, 0); /* the first one's end is in it */
  assert_int_equal(check.lines, LINES + 1);
  assert_int_equal(check.after, 1);
}

/* Without room events are dropped and counted; with room again a line tells. */
static void dropped(void **state) {
  (void)state;
  paper paper;
  audit audit;
  fill(&paper, &audit);
  paper.room = paper.len;
  assert_false(audit_put(&audit, &example));
  assert_false(audit_put(&audit, &example));
  paper.room = sizeof paper.text;
  assert_true(audit_put(&audit, &example));
  assert_int_equal(audit.dropped, 2);
  assert_int_equal(audit.untold, 0);
  expect(&paper, audit.last, AUDIT_WHOLE, 0);
  assert_int_equal(check.lines, LINES + 2);
  assert_non_null(strstr(paper.text, "\"event\":\"dropped\",\"count\":2,\"security\":true"));
}

/* Texts of any length and content stay one line of bounded length. */
static void texts(void **state) {
  (void)state;
  paper paper;
  audit audit;
  char text[4 * AUDIT_TEXT_MAX];
  memset(text, '\n', sizeof text);
  text[sizeof text - 1] = 0;
  memcpy(text + AUDIT_TEXT_MAX - 1, "\xc3\xa9", 2); /* a character across the cut */
  const audit_event event = {.event = text,
                             .time_ms = UINT64_MAX,
                             .at_ns = UINT64_MAX,
                             .run = text,
                             .tenant = text,
                             .operation = UINT64_MAX,
                             .name = text,
                             .detail = text,
                             .attempt = UINT32_MAX,
                             .state = text,
                             .error = text,
                             .aged = true,
                             .age_ns = UINT64_MAX,
                             .outcome = text,
                             .kind = text,
                             .count = UINT64_MAX,
                             .security = true};
  fill(&paper, &audit);
  paper.len = 0;
  audit_init(&audit, write_down, &paper);
  assert_true(audit_put(&audit, &event));
  expect(&paper, audit.last, AUDIT_WHOLE, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole),     cmocka_unit_test(altered),   cmocka_unit_test(rewritten),
      cmocka_unit_test(removed),   cmocka_unit_test(reordered), cmocka_unit_test(cut),
      cmocka_unit_test(long_line), cmocka_unit_test(continued), cmocka_unit_test(dropped),
      cmocka_unit_test(texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
