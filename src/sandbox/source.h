/* The file a command was given to execute, and files that it imports. */
#ifndef VOW_SANDBOX_SOURCE_H
#define VOW_SANDBOX_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_BYTES_MAX (16u << 20)

/* All of `file`, "-" being standard input: malloc'ed, zero-terminated, of *len bytes.
 * NULL with why it cannot be read, which does not name the file. */
char *source_read(const char *file, size_t *len, char *message, size_t message_size);

/* Whether a file's name ends so. */
bool source_ends_with(const char *file, const char *end);

#endif
