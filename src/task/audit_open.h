/* Opens the file of an audit and goes on with the chain that it holds. */
#ifndef VOW_TASK_AUDIT_OPEN_H
#define VOW_TASK_AUDIT_OPEN_H

#include "core/audit.h"

/* Opens `path` for appending, not blocking, without a change to what is there; -1 with
 * errno. `*made`: the file is new. */
int audit_open(const char *path, bool *made);
/* Removes the file that was made by this call and is still empty: no more is wanted. */
void audit_open_undo(int fd, const char *path);
/* "nobody reads from it": why audit_open() failed. */
const char *audit_open_error(int error);

/* Begins `chain`, without a sink: locks the file `fd`, open for appending and not
 * blocking, and finds the end of what `path` holds. The beginning of a line at its end,
 * left by a process that was killed, is cut off. False with a one-line message. */
bool audit_resume(audit *chain, int fd, const char *path, char *message, size_t message_size);

#endif
