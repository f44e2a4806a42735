/* On a terminal: one line on standard error that says what a run waits for, once it
 * has waited for a second, a few times a second.
 *
 *   waiting 3.2 s for fetch api.example.com, notes.get (+3 more)
 *
 * Where standard error is no terminal, or one that cannot erase a line, there is
 * none. Loop thread. */
#ifndef VOW_CLI_PROGRESS_H
#define VOW_CLI_PROGRESS_H

#include "sandbox/run.h"

typedef struct progress {
  uv_timer_t timer; /* private */
  run *run;
  bool opened, shown;
} progress;

/* Begins to look at `run`, which is borrowed until progress_end(). */
void progress_begin(progress *progress, loop *loop, run *run);
/* Takes the line away; before anything else is written to the terminal. */
void progress_erase(progress *progress);
/* Erases, and shows nothing any more. Closes its handle with the loop's next turns;
 * idempotent, also before progress_begin() of a zeroed one. */
void progress_end(progress *progress);

/* The line for `waited_ns`, at most `columns` wide, zero-terminated. `names`: what is
 * waited for, the first of `count`. Characters that are not printable ASCII are shown
 * as question marks, one each. */
void progress_line(char *text, size_t columns, uint64_t waited_ns, const char *const *names,
                   size_t listed, size_t count);

#endif
