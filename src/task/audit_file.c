#include "task/audit_file.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two of them: one is being written, the other filled. */
#define BUFFER_BYTES_MAX (AUDIT_FILE_BYTES_MAX / 2)
#define BUFFER_ROOM 8192u /* to begin with */

typedef struct buffer {
  char *bytes;
  size_t len, room;
} buffer;

struct audit_file {
  pool_work work; /* must stay first. While `writing` is set the worker owns what
                     is marked so */
  const vow_allocator *allocator;
  pool *pool;
  loop *loop;
  int fd;
  bool writing;
  buffer filling;
  buffer outgoing; /* worker: whole lines */
  size_t written;  /* worker: bytes of them that are in the file */
  int waiting_ms;  /* worker: for a reader that is slow */
  int error;       /* worker */
  size_t whole;    /* bytes of `outgoing` in whole lines that were counted */
  bool ending;
  int patience_ms; /* what the next piece of work may wait */
  audit_file_state state;
};

/* ---- on a worker ---- */

/* False when there is no more to be hoped for. */
static bool wait_for_reader(audit_file *file) {
  struct pollfd poller = {.fd = file->fd, .events = POLLOUT};
  int patience = file->waiting_ms;
  file->waiting_ms = 0; /* once: a reader who takes a byte a second is not waited for */
  return patience > 0 && poll(&poller, 1, patience) > 0;
}

static void write_some(pool_work *work, void *state) {
  (void)state;
  audit_file *file = (audit_file *)work;
  const buffer *out = &file->outgoing;
  file->error = 0;
  while (file->written < out->len) {
    ssize_t n = write(file->fd, out->bytes + file->written, out->len - file->written);
    if (n > 0) {
      file->written += (size_t)n;
    } else if (n == 0 || (errno != EINTR && (errno != EAGAIN || !wait_for_reader(file)))) {
      file->error = n == 0 ? EIO : errno;
      return;
    }
  }
}

/* ---- on the loop ---- */

/* `outgoing` begins with a line and holds whole ones; each ends with its hash. */
static void count_lines(audit_file *file) {
  const char *bytes = file->outgoing.bytes;
  while (file->whole < file->written) {
    const char *newline = memchr(bytes + file->whole, '\n', file->written - file->whole);
    if (!newline)
      return;
    file->state.lines++;
    file->whole = (size_t)(newline - bytes) + 1;
    memcpy(file->state.last, newline - 2 - AUDIT_HASH_LEN, AUDIT_HASH_LEN);
  }
}

/* Nobody else writes to the file: it is locked by whoever opened it. */
static void take_back_part(audit_file *file) {
  struct stat facts;
  size_t part = file->written - file->whole;
  if (part > 0 && fstat(file->fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
      facts.st_size >= (off_t)part && ftruncate(file->fd, facts.st_size - (off_t)part) == 0)
    file->written = file->whole;
}

static void done(pool_work *work);

static void begin(audit_file *file) {
  if (file->written == file->outgoing.len) {
    buffer empty = file->outgoing;
    empty.len = file->written = file->whole = 0;
    file->outgoing = file->filling;
    file->filling = empty;
  }
  if (file->outgoing.len == 0)
    return;
  file->waiting_ms = file->patience_ms;
  file->patience_ms = 0;
  file->work.run = write_some;
  file->work.done = done;
  file->writing = pool_submit(file->pool, file->loop, &file->work) == POOL_OK;
  if (!file->writing)
    file->state.error = EAGAIN; /* until a write that begins tells otherwise */
}

static void done(pool_work *work) {
  audit_file *file = (audit_file *)work;
  file->writing = false;
  count_lines(file);
  file->state.error = file->error;
  if ((file->error == 0 && file->filling.len > 0) || file->patience_ms > 0)
    begin(file);
  if (file->ending && !file->writing)
    take_back_part(file);
}

static bool make_room(audit_file *file, size_t len) {
  buffer *into = &file->filling;
  if (len > BUFFER_BYTES_MAX - into->len)
    return false;
  if (len <= into->room - into->len)
    return true;
  size_t room = into->room ? into->room * 2 : BUFFER_ROOM;
  while (room - into->len < len)
    room *= 2;
  char *grown = mem_resize(file->allocator, into->bytes, room, 1);
  if (!grown)
    return false;
  into->bytes = grown;
  into->room = room;
  return true;
}

bool audit_file_put(void *user, const char *line, size_t len) {
  audit_file *file = user;
  bool fits = !file->ending && make_room(file, len);
  if (fits) {
    memcpy(file->filling.bytes + file->filling.len, line, len);
    file->filling.len += len;
  }
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
    take_back_part(file);
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
  file->fd = fd;
  return file;
}

void audit_file_close(audit_file *file) {
  if (!file)
    return;
  mem_free(file->allocator, file->filling.bytes);
  mem_free(file->allocator, file->outgoing.bytes);
  mem_free(file->allocator, file);
}

audit_file_state audit_file_written(const audit_file *file) {
  return file->state;
}
