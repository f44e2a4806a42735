#include "task/audit_file.h"

#include <errno.h>

struct audit_file {
  pool_work work; /* must stay first. While `writing` is set the worker owns what of
                     `lines` is being written, and `waiting_ms` */
  const vow_allocator *allocator;
  pool *pool;
  loop *loop;
  bool writing, ending;
  audit_lines lines;
  int waiting_ms;  /* for a reader that is slow */
  int patience_ms; /* what the next piece of work may wait */
};

/* On a worker. */
static void write_some(pool_work *work, void *state) {
  (void)state;
  audit_file *file = (audit_file *)work;
  audit_lines_write(&file->lines, file->waiting_ms);
}

static void done(pool_work *work);

static void begin(audit_file *file) {
  if (!audit_lines_begin(&file->lines))
    return;
  file->waiting_ms = file->patience_ms;
  file->patience_ms = 0;
  file->work.run = write_some;
  file->work.done = done;
  file->writing = pool_submit(file->pool, file->loop, &file->work) == POOL_OK;
  if (!file->writing)
    file->lines.state.error = EAGAIN; /* until a write that begins tells otherwise */
}

static void done(pool_work *work) {
  audit_file *file = (audit_file *)work;
  file->writing = false;
  audit_lines_wrote(&file->lines);
  if ((file->lines.error == 0 && file->lines.filling.len > 0) || file->patience_ms > 0)
    begin(file);
  if (file->ending && !file->writing)
    audit_lines_end(&file->lines);
}

bool audit_file_put(void *user, const char *line, size_t len) {
  audit_file *file = user;
  bool fits = !file->ending && audit_lines_put(&file->lines, line, len);
  if (!file->writing && !file->ending)
    begin(file);
  return fits;
}

void audit_file_end(audit_file *file, int patience_ms) {
  file->ending = true;
  file->patience_ms = patience_ms;
  if (file->writing)
    return; /* its end leads on */
  begin(file);
  if (!file->writing)
    audit_lines_end(&file->lines);
}

bool audit_file_busy(const audit_file *file) {
  return file->writing;
}

audit_file *audit_file_open(const vow_allocator *allocator, int fd, pool *pool, loop *loop) {
  audit_file *file = mem_new(allocator, 1, sizeof *file);
  if (!file)
    return NULL;
  file->allocator = allocator;
  file->pool = pool;
  file->loop = loop;
  audit_lines_open(&file->lines, allocator, fd);
  return file;
}

void audit_file_close(audit_file *file) {
  if (!file)
    return;
  audit_lines_close(&file->lines);
  mem_free(file->allocator, file);
}

audit_lines_state audit_file_written(const audit_file *file) {
  return file->lines.state;
}
