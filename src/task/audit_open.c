#include "task/audit_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

int audit_open(const char *path, bool *made) {
  int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  int fd = open(path, flags);
  *made = false;
  if (fd >= 0 || errno != ENOENT)
    return fd;
  fd = open(path, flags | O_CREAT, 0666);
  *made = fd >= 0;
  return fd;
}

const char *audit_open_error(int error) {
  return error == ENXIO ? "nobody reads from it" : strerror(error);
}

/* The path may name another file by now, or somebody else's text be in it: such a one is
 * not ours to remove. A link is followed to what was made. */
void audit_open_undo(int fd, const char *path) {
  struct stat facts, named;
  char name[PATH_MAX];
  if (fstat(fd, &facts) == 0 && facts.st_size == 0 && realpath(path, name) &&
      stat(name, &named) == 0 && named.st_dev == facts.st_dev && named.st_ino == facts.st_ino)
    unlink(name);
}

/* ---- the chain that is there already ---- */

/* Where the last whole line of `bytes` begins; `*len` becomes its end. NULL: none does. */
static const char *last_line(const char *bytes, size_t *len) {
  const char *end = memrchr(bytes, '\n', *len);
  if (!end)
    return NULL;
  *len = (size_t)(end - bytes) + 1;
  const char *before = memrchr(bytes, '\n', *len - 1);
  return before ? before + 1 : bytes;
}

static bool read_end(int fd, char *bytes, size_t len, off_t at) {
  size_t have = 0;
  while (have < len) {
    ssize_t n = pread(fd, bytes + have, len - have, at + (off_t)have);
    if (n > 0)
      have += (size_t)n;
    else if (n == 0 || errno != EINTR)
      return false;
  }
  return true;
}

/* The end of the file: up to two lines, the last of which may lack its end. */
static bool read_lines(const char *path, char *bytes, size_t len, off_t at) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  bool got = fd >= 0 && read_end(fd, bytes, len, at);
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return got;
}

/* A process that is killed while it writes leaves the beginning of a line: that is cut
 * off, but only behind a line of an audit. */
static bool find_chain(audit *chain, int fd, const char *path, off_t size, char *message,
                       size_t message_size) {
  char bytes[2 * AUDIT_LINE_MAX];
  size_t len = size < (off_t)sizeof bytes ? (size_t)size : sizeof bytes, whole = len;
  if (!read_lines(path, bytes, len, size - (off_t)len)) {
    snprintf(message, message_size, "its last line cannot be read: %s", strerror(errno));
    return false;
  }
  const char *line = last_line(bytes, &whole);
  if (!line || len - whole >= AUDIT_LINE_MAX ||
      !audit_continue(chain, line, whole - (size_t)(line - bytes))) {
    snprintf(message, message_size,
             "it does not end with a line of an audit; name a new file, or see: vow audit verify");
    return false;
  }
  if (whole < len && ftruncate(fd, size - (off_t)(len - whole)) != 0) {
    snprintf(message, message_size, "its last line has no end and cannot be cut off: %s",
             strerror(errno));
    return false;
  }
  return true;
}

bool audit_resume(audit *chain, int fd, const char *path, char *message, size_t message_size) {
  struct stat facts;
  audit_init(chain, NULL, NULL);
  if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return true;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    snprintf(message, message_size, "another process writes to it");
    return false;
  }
  /* Only now nobody adds to it. */
  if (fstat(fd, &facts) != 0 || facts.st_size == 0)
    return true;
  return find_chain(chain, fd, path, facts.st_size, message, message_size);
}
