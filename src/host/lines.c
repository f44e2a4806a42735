#include "host/lines.h"

#include <string.h>

#define FIRST_CAP 4096u
/* A buffer larger than this is given back when its line is done. */
#define KEPT_CAP (1u << 20)

static void reset(lines *lines) {
  lines->len = 0;
  if (lines->cap > KEPT_CAP) {
    mem_free(lines->allocator, lines->data);
    lines->data = NULL;
    lines->cap = 0;
  }
}

static void give_up(lines *lines, line_kind kind) {
  reset(lines);
  lines->skipping = true;
  lines->on_line(lines->user, kind, NULL, 0);
}

static bool make_room(lines *lines, size_t len) {
  size_t cap = lines->cap ? lines->cap : FIRST_CAP;
  while (cap < len)
    cap = cap > lines->max / 2 ? lines->max : cap * 2;
  if (cap == lines->cap)
    return true;
  uint8_t *data = mem_resize(lines->allocator, lines->data, cap, 1);
  if (!data)
    return false;
  lines->data = data;
  lines->cap = cap;
  return true;
}

/* More of a line; false when it was given up. */
static bool keep(lines *lines, const uint8_t *bytes, size_t len) {
  if (len > lines->max - lines->len) {
    give_up(lines, LINE_TOO_LONG);
    return false;
  }
  if (len > 0 && !make_room(lines, lines->len + len)) {
    give_up(lines, LINE_NO_MEMORY);
    return false;
  }
  if (len > 0)
    memcpy(lines->data + lines->len, bytes, len);
  lines->len += len;
  return true;
}

static void end_line(lines *lines, const uint8_t *bytes, size_t len) {
  if (lines->len == 0 && len <= lines->max) {
    lines->on_line(lines->user, LINE_WHOLE, bytes, len);
  } else if (keep(lines, bytes, len)) {
    lines->on_line(lines->user, LINE_WHOLE, lines->data, lines->len);
    reset(lines);
  }
}

void lines_feed(lines *lines, const uint8_t *bytes, size_t len) {
  while (len > 0) {
    const uint8_t *newline = memchr(bytes, '\n', len);
    size_t part = newline ? (size_t)(newline - bytes) : len;
    if (!lines->skipping && newline)
      end_line(lines, bytes, part);
    else if (!lines->skipping)
      keep(lines, bytes, part);
    if (!newline)
      return;
    lines->skipping = false;
    bytes += part + 1;
    len -= part + 1;
  }
}

void lines_end(lines *lines) {
  if (lines->len > 0)
    lines->on_line(lines->user, LINE_WHOLE, lines->data, lines->len);
  reset(lines);
  lines->skipping = false;
}

void lines_free(lines *lines) {
  mem_free(lines->allocator, lines->data);
  lines->data = NULL;
  lines->len = lines->cap = 0;
}
