#include "task/audit_lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES_MAX (AUDIT_LINES_BYTES_MAX / 2)
#define BUFFER_ROOM 8192u /* to begin with */

void audit_lines_open(audit_lines *lines, const vow_allocator *allocator, int fd) {
  *lines = (audit_lines){.allocator = allocator, .fd = fd};
}

void audit_lines_close(audit_lines *lines) {
  mem_free(lines->allocator, lines->filling.bytes);
  mem_free(lines->allocator, lines->outgoing.bytes);
}

/* ---- filling ---- */

static bool make_room(audit_lines *lines, size_t len) {
  audit_buffer *into = &lines->filling;
  if (len > BUFFER_BYTES_MAX - into->len)
    return false;
  if (len <= into->room - into->len)
    return true;
  size_t room = into->room ? into->room * 2 : BUFFER_ROOM;
  while (room - into->len < len)
    room *= 2;
  char *grown = mem_resize(lines->allocator, into->bytes, room, 1);
  if (!grown)
    return false;
  into->bytes = grown;
  into->room = room;
  return true;
}

bool audit_lines_put(audit_lines *lines, const char *line, size_t len) {
  audit_buffer *into = &lines->filling;
  if (!make_room(lines, len))
    return false;
  memcpy(into->bytes + into->len, line, len);
  into->len += len;
  return true;
}

/* ---- writing ---- */

bool audit_lines_begin(audit_lines *lines) {
  if (lines->written == lines->outgoing.len) {
    audit_buffer empty = lines->outgoing;
    empty.len = lines->written = lines->whole = 0;
    lines->outgoing = lines->filling;
    lines->filling = empty;
  }
  return lines->outgoing.len > 0;
}

/* False when there is no more to be hoped for. Waits once: a reader who takes a byte a
 * second is not waited for. */
static bool wait_for_reader(int fd, int *patience_ms) {
  struct pollfd poller = {.fd = fd, .events = POLLOUT};
  int patience = *patience_ms;
  *patience_ms = 0;
  return patience > 0 && poll(&poller, 1, patience) > 0;
}

void audit_lines_write(audit_lines *lines, int patience_ms) {
  const audit_buffer *out = &lines->outgoing;
  lines->error = 0;
  while (lines->written < out->len) {
    ssize_t n = write(lines->fd, out->bytes + lines->written, out->len - lines->written);
    if (n > 0) {
      lines->written += (size_t)n;
    } else if (n == 0 ||
               (errno != EINTR && (errno != EAGAIN || !wait_for_reader(lines->fd, &patience_ms)))) {
      lines->error = n == 0 ? EIO : errno;
      return;
    }
  }
}

/* `outgoing` begins with a line and holds whole ones; each ends with its hash. */
void audit_lines_wrote(audit_lines *lines) {
  const char *bytes = lines->outgoing.bytes;
  lines->state.error = lines->error;
  while (lines->whole < lines->written) {
    const char *newline = memchr(bytes + lines->whole, '\n', lines->written - lines->whole);
    if (!newline)
      return;
    lines->state.lines++;
    lines->whole = (size_t)(newline - bytes) + 1;
    memcpy(lines->state.last, newline - 2 - AUDIT_HASH_LEN, AUDIT_HASH_LEN);
  }
}

void audit_lines_end(audit_lines *lines) {
  struct stat facts;
  size_t part = lines->written - lines->whole;
  if (part > 0 && fstat(lines->fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
      facts.st_size >= (off_t)part && ftruncate(lines->fd, facts.st_size - (off_t)part) == 0)
    lines->written = lines->whole;
}
