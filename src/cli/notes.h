/* `vow notes put|get|list|delete`: fills and reads the notes database. */
#ifndef VOW_CLI_NOTES_H
#define VOW_CLI_NOTES_H

#include <stdio.h>

/* argv[0] is "notes". Returns the exit status: 0; 1 when a note is missing, a
 * line of an import is bad or the database failed on the way, nothing having
 * been changed; 2 for usage and set-up errors. One line on stderr says why. */
int cmd_notes(int argc, char **argv);

/* What `vow help notes` prints. */
void notes_help(FILE *out);

#endif
