/* Files that a command writes beside its standard output: a report, a log.
 *
 * All of them are opened before anything else is made, so that a path that
 * cannot be written is a set-up error. Opening changes no file: what stands in
 * one goes when the first new byte comes (output_begin), and a command that gives
 * up before takes away the files it made (output_discard). */
#ifndef VOW_CLI_OUTPUT_H
#define VOW_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* How a file is written. */
typedef enum {
  OUTPUT_REPLACED, /* by a stream, in place of what was there */
  OUTPUT_APPENDED, /* by its descriptor, behind what was there, without blocking */
} output_mode;

typedef struct output {
  const char *option; /* "--report": for messages */
  const char *path;   /* borrowed; NULL: nothing was asked for, every call does nothing */
  FILE *file;         /* private from here on */
  bool made, begun, regular;
  int error; /* errno of the first thing that failed, or 0 */
  output_mode mode;
  dev_t device;
  ino_t inode;
} output;

/* Fills `option` and `path` in, and opens. False with a one-line message. */
bool output_open(output *output, const char *option, const char *path, output_mode mode,
                 char *message, size_t message_size);
/* From here on the file holds nothing but what this command writes, or for one that
 * is appended to, behind what was there, by its descriptor. */
void output_begin(output *output);
/* Begins, and writes. What fails is told by output_end(). */
void output_write(output *output, const char *bytes, size_t len);
/* Its descriptor; -1: there is none. */
int output_fd(const output *output);
/* Closes a file that was begun; 0, or errno of the first thing that did not reach it. */
int output_end(output *output);
/* Closes a file that was not begun, and leaves things as they were. */
void output_discard(output *output);

/* Whether both write to one regular file. */
bool output_same(const output *a, const output *b);
/* Whether `path`, or what descriptor `fd` is open on, is the file that is written. */
bool output_is_path(const output *output, const char *path);
bool output_is_fd(const output *output, int fd);

#endif
