/* Lines out of chunks of a stream, as they come. */
#ifndef VOW_HOST_LINES_H
#define VOW_HOST_LINES_H

#include "core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  LINE_WHOLE,    /* without its newline */
  LINE_TOO_LONG, /* it passed the limit; its text is gone, up to its newline */
  LINE_NO_MEMORY /* likewise, because no memory was had for it */
} line_kind;

typedef struct lines {
  const vow_allocator *allocator;
  uint8_t *data; /* the beginning of a line that has not ended */
  size_t len, cap, max;
  bool skipping; /* the rest of a line that was given up */
  /* Each line in its order. The text is good until this returns. */
  void (*on_line)(void *user, line_kind kind, const uint8_t *text, size_t len);
  void *user;
} lines;

void lines_feed(lines *lines, const uint8_t *bytes, size_t len);
/* The stream has ended: what has no newline yet is a line as well. */
void lines_end(lines *lines);
void lines_free(lines *lines);

#endif
