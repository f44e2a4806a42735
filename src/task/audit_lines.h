/* Lines of an audit on their way to a file that may be full or slow: in two buffers, one
 * is being written, the other filled. No thread of its own: `filling` belongs to who puts
 * lines, `outgoing` and what is said of it to who writes, and between audit_lines_begin()
 * and audit_lines_wrote() these may be two threads; all else is called by one at a time. */
#ifndef VOW_TASK_AUDIT_LINES_H
#define VOW_TASK_AUDIT_LINES_H

#include "core/audit.h"
#include "core/mem.h"

/* In both buffers. */
#define AUDIT_LINES_BYTES_MAX (1u << 20)
/* How long a slow reader is waited for when all is said. */
#define AUDIT_PATIENCE_MS 500

typedef struct audit_buffer {
  char *bytes;
  size_t len, room;
} audit_buffer;

/* What has reached the file. */
typedef struct audit_lines_state {
  uint64_t lines;                /* as a whole */
  char last[AUDIT_HASH_LEN + 1]; /* of the last one; "": none did */
  int error;                     /* of the last attempt that wrote less than there was, else 0 */
} audit_lines_state;

typedef struct audit_lines {
  const vow_allocator *allocator;
  int fd; /* open for appending and not blocking; borrowed */
  audit_buffer filling;
  audit_buffer outgoing; /* whole lines */
  size_t written;        /* bytes of them that are in the file */
  int error;             /* why not all are */
  size_t whole;          /* bytes of `outgoing` in whole lines that were counted */
  audit_lines_state state;
} audit_lines;

void audit_lines_open(audit_lines *lines, const vow_allocator *allocator, int fd);
void audit_lines_close(audit_lines *lines);

/* False: there is no room for it. */
bool audit_lines_put(audit_lines *lines, const char *line, size_t len);
/* False: there is nothing to write. */
bool audit_lines_begin(audit_lines *lines);
/* Writes what it can, and waits once, at most `patience_ms`, for a reader that is slow. */
void audit_lines_write(audit_lines *lines, int patience_ms);
/* Takes note of what was written. */
void audit_lines_wrote(audit_lines *lines);
/* No more is written: takes a line back of which a part is in the file, where that is
 * possible. Nobody else writes to the file: it is locked by whoever opened it. */
void audit_lines_end(audit_lines *lines);

#endif
