/* Writes the lines of an audit to a file without ever blocking the loop.
 *
 * Lines wait in memory, at most AUDIT_LINES_BYTES_MAX, and a worker of the pool
 * writes them, one piece of work at a time. When a disk is full or a reader slow,
 * lines stay in memory; when that is full, audit_file_put() refuses, and the audit
 * counts. What is written is tried again whenever new lines come, and once at the
 * end: nothing polls. Loop thread only. */
#ifndef VOW_TASK_AUDIT_FILE_H
#define VOW_TASK_AUDIT_FILE_H

#include "task/audit_lines.h"
#include "task/pool.h"

typedef struct audit_file audit_file;

/* Writes to `fd`, open for appending and not blocking, borrowed until
 * audit_file_close(). NULL when memory is short. */
audit_file *audit_file_open(const vow_allocator *allocator, int fd, pool *pool, loop *loop);
/* An audit_sink, with the file as `user`. */
bool audit_file_put(void *file, const char *line, size_t len);
/* No line comes any more: writes what is left, waiting at most `patience_ms` for a
 * reader, and takes back a line that did not get there whole, where that is
 * possible. Done once audit_file_busy() is false, which takes turns of the loop. */
void audit_file_end(audit_file *file, int patience_ms);
bool audit_file_busy(const audit_file *file);
/* After it ended, or before any line was put. NULL is fine. */
void audit_file_close(audit_file *file);

audit_lines_state audit_file_written(const audit_file *file);

#endif
