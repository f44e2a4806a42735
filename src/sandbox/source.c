#include "sandbox/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM 65536u

typedef struct reading {
  char *text;
  size_t len, room; /* a zero fits behind `room` */
} reading;

static bool make_room(reading *reading) {
  size_t wanted = reading->room ? reading->room * 2 : FIRST_ROOM;
  char *grown = realloc(reading->text, wanted + 1);
  if (!grown)
    return false;
  reading->text = grown;
  reading->room = wanted;
  return true;
}

/* 0 or errno. */
static int read_all(reading *reading, int fd) {
  while (reading->len <= SOURCE_BYTES_MAX) {
    if (reading->len == reading->room && !make_room(reading))
      return ENOMEM;
    ssize_t n = read(fd, reading->text + reading->len, reading->room - reading->len);
    if (n == 0)
      return 0;
    if (n > 0)
      reading->len += (size_t)n;
    else if (errno != EINTR)
      return errno;
  }
  return EFBIG;
}

char *source_read(const char *file, size_t *len, char *message, size_t message_size) {
  reading reading = {NULL, 0, 0};
  bool is_stdin = strcmp(file, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : read_all(&reading, fd);
  if (!is_stdin && fd >= 0)
    close(fd);
  if (error == 0) {
    reading.text[reading.len] = 0;
    *len = reading.len;
    return reading.text;
  }
  free(reading.text);
  if (error == EFBIG)
    snprintf(message, message_size, "larger than %u MiB, which is the most a script may have",
             SOURCE_BYTES_MAX >> 20);
  else
    snprintf(message, message_size, "cannot be read: %s", strerror(error));
  return NULL;
}

bool source_ends_with(const char *file, const char *end) {
  size_t len = strlen(file), tail = strlen(end);
  return len >= tail && strcmp(file + len - tail, end) == 0;
}
