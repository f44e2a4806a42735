/* `vow types`: TypeScript declarations of what a script finds. */
#ifndef VOW_CLI_TYPES_H
#define VOW_CLI_TYPES_H

#include <stdio.h>

/* argv[0] is "types". Returns the exit status: 0; 1 when they could not be written;
 * 2 for usage errors. One line on stderr says why. */
int cmd_types(int argc, char **argv);

/* What `vow help types` prints. */
void types_help(FILE *out);

#endif
