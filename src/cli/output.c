#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens without a change to a file that is there. */
static int open_path(output *output) {
  int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY |
              (output->mode == OUTPUT_APPENDED ? O_APPEND | O_NONBLOCK : 0);
  int fd = open(output->path, flags);
  if (fd >= 0 || errno != ENOENT)
    return fd;
  fd = open(output->path, flags | O_CREAT, 0666);
  output->made = fd >= 0;
  return fd;
}

/* The file may be another one by now, or somebody else's text be in it: such a
 * one is not ours to remove. A link is followed to what was made. */
static void remove_made(const output *output) {
  struct stat facts;
  char *name = realpath(output->path, NULL);
  if (name && stat(name, &facts) == 0 && facts.st_dev == output->device &&
      facts.st_ino == output->inode && facts.st_size == 0)
    unlink(name);
  free(name);
}

static bool open_stream(output *output) {
  struct stat facts;
  int fd = open_path(output);
  if (fd < 0)
    return false;
  if (fstat(fd, &facts) == 0) {
    output->regular = S_ISREG(facts.st_mode);
    output->device = facts.st_dev;
    output->inode = facts.st_ino;
    output->file = fdopen(fd, "w");
  }
  if (output->file)
    return true;
  int error = errno;
  if (output->made)
    remove_made(output);
  close(fd);
  errno = error;
  return false;
}

bool output_open(output *output, const char *option, const char *path, output_mode mode,
                 char *message, size_t message_size) {
  *output = (struct output){.option = option, .path = path, .mode = mode};
  if (!path || open_stream(output))
    return true;
  const char *why = errno == ENXIO ? "nobody reads from it" : strerror(errno);
  snprintf(message, message_size, "%s %s: cannot be written: %s", option, path, why);
  return false;
}

static void note_error(output *output, bool failed) {
  if (failed && output->error == 0)
    output->error = errno ? errno : EIO;
}

void output_begin(output *output) {
  if (!output->file || output->begun)
    return;
  output->begun = true;
  note_error(output, output->mode == OUTPUT_REPLACED && output->regular &&
                         ftruncate(fileno(output->file), 0) != 0);
}

void output_write(output *output, const char *bytes, size_t len) {
  output_begin(output);
  if (output->file)
    note_error(output, fwrite(bytes, 1, len, output->file) != len);
}

int output_fd(const output *output) {
  return output->file ? fileno(output->file) : -1;
}

int output_end(output *output) {
  if (!output->file)
    return 0;
  note_error(output, fclose(output->file) != 0);
  output->file = NULL;
  return output->error;
}

void output_discard(output *output) {
  if (output->file && output->made && !output->begun)
    remove_made(output);
  output_end(output);
}

/* ---- which file it is ---- */

bool output_same(const output *a, const output *b) {
  return a->file && b->file && a->regular && a->device == b->device && a->inode == b->inode;
}

static bool is_file(const output *output, const struct stat *facts) {
  return output->file && output->regular && facts->st_dev == output->device &&
         facts->st_ino == output->inode;
}

bool output_is_path(const output *output, const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && is_file(output, &facts);
}

bool output_is_fd(const output *output, int fd) {
  struct stat facts;
  return fstat(fd, &facts) == 0 && is_file(output, &facts);
}
