/* What a command tells people on standard error about a run. */
#ifndef VOW_CLI_TELL_H
#define VOW_CLI_TELL_H

#include <stddef.h>

#include "sandbox/run.h"

/* What is wrong with how the command was called: one line, whatever is in a file's name.
 * Returns the exit status for that. */
__attribute__((format(printf, 2, 3))) int tell_usage(const char *command, const char *format, ...);
/* Text of a stranger; on a terminal its control characters, but newline and tab,
 * are shown as \xNN. */
void tell_text(const char *text, size_t len);
/* Why the run has no value: one line, then the trace if there is one. */
void tell_failure(const run_report *report);
/* What outlived its run, and where it came from. `command`: "eval". */
void tell_leak(const char *command, const run_leak *leak);

#endif
