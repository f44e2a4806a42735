/* Whether this process has been forked since something was opened: a child has no thread of
 * its parent but the one that forked, and no lock that another held is ever given back. */
#ifndef VOW_LOOP_FORKED_H
#define VOW_LOOP_FORKED_H

#include <stdbool.h>

/* Before the first forked_count(). False: no memory to watch. */
bool forked_watch(void);
/* Forks from the first process that watched to this one. As cheap as a read. Any thread. */
unsigned forked_count(void);

#endif
