/* Is an audit file what was written? */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/audit.h"

const char *audit_finding_text(audit_finding finding) {
  static const char *const names[] = {[AUDIT_WHOLE] = "whole",
                                      [AUDIT_ALTERED] = "altered",
                                      [AUDIT_REMOVED] = "removed",
                                      [AUDIT_REORDERED] = "reordered",
                                      [AUDIT_CUT] = "cut end"};
  return names[finding];
}

void audit_check_begin(audit_check *check, const char *last) {
  memset(check, 0, sizeof *check);
  memset(check->last, '0', AUDIT_HASH_LEN);
  check->wanted = last;
}

__attribute__((format(printf, 4, 5))) static void find(audit_check *check, audit_finding finding,
                                                       uint64_t line, const char *format, ...) {
  va_list arguments;
  if (check->finding != AUDIT_WHOLE)
    return;
  check->finding = finding;
  check->line = line;
  va_start(arguments, format);
  vsnprintf(check->why, sizeof check->why, format, arguments);
  va_end(arguments);
}

/* A gap was met: is what lacks further on in the file, or gone? */
static void look_for_missing(audit_check *check, const audit_line *line) {
  if (line->seq == check->missing)
    find(check, AUDIT_REORDERED, check->read,
         "it was written as line %" PRIu64 ", before what now stands in front of it", line->seq);
}

static void on_gap(audit_check *check, uint64_t seq) {
  check->missing = check->lines + 1;
  check->missing_found = seq - check->missing;
  check->line = check->read;
}

static void check_place(audit_check *check, const audit_line *line) {
  uint64_t expected = check->lines + 1;
  if (line->seq > expected)
    on_gap(check, line->seq);
  else if (line->seq < expected)
    find(check, AUDIT_REORDERED, check->read,
         "it was written as line %" PRIu64 ", and that one has been there already", line->seq);
  else if (memcmp(line->previous, check->last, AUDIT_HASH_LEN) != 0)
    find(check, AUDIT_ALTERED, check->read,
         "it does not go on from the line before it: one of the two was written anew");
}

static void accept(audit_check *check, const audit_line *line) {
  check->lines++;
  check->after += check->seen;
  memcpy(check->last, line->hash, sizeof line->hash);
  if (check->wanted && !check->seen && strcmp(check->wanted, line->hash) == 0)
    check->seen = true;
}

/* The line in `text`, without its newline. */
static void check_line(audit_check *check) {
  audit_line line;
  bool fits = false, readable = audit_read_line(check->text, check->used, &line, &fits);
  check->read++;
  check->used = 0;
  if (check->missing) {
    if (fits)
      look_for_missing(check, &line);
    return;
  }
  if (!readable)
    find(check, AUDIT_ALTERED, check->read, "it is no line of an audit file");
  else if (!fits)
    find(check, AUDIT_ALTERED, check->read, "its text does not fit its hash");
  else
    check_place(check, &line);
  if (check->finding == AUDIT_WHOLE && !check->missing)
    accept(check, &line);
}

void audit_check_feed(audit_check *check, const char *bytes, size_t len) {
  while (len > 0 && check->finding == AUDIT_WHOLE) {
    const char *newline = memchr(bytes, '\n', len);
    size_t part = newline ? (size_t)(newline - bytes) : len;
    if (part >= sizeof check->text - check->used) {
      check->used = 0; /* behind a gap only a whole line is looked for */
      if (!check->missing)
        find(check, AUDIT_ALTERED, check->read + 1, "it is longer than any line of an audit file");
      part = part < sizeof check->text ? part : sizeof check->text - 1;
      newline = NULL;
    }
    memcpy(check->text + check->used, bytes, part);
    check->used += part;
    if (newline)
      check_line(check);
    bytes += part + (newline != NULL);
    len -= part + (newline != NULL);
  }
}

audit_finding audit_check_end(audit_check *check) {
  if (check->missing) {
    uint64_t line = check->line;
    find(check, AUDIT_REMOVED, line, "%" PRIu64 " line%s before it %s missing",
         check->missing_found, check->missing_found == 1 ? "" : "s",
         check->missing_found == 1 ? "is" : "are");
  }
  if (check->used > 0)
    find(check, AUDIT_CUT, check->read + 1, "it has no end");
  if (check->read == 0)
    find(check, AUDIT_CUT, 0, "the file is empty");
  if (check->wanted && !check->seen)
    find(check, AUDIT_CUT, check->read, "it is the last one, and none has the hash %s",
         check->wanted);
  return check->finding;
}
