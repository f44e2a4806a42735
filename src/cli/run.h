/* `vow run`: a program that its user trusts, on the native engine. */
#ifndef VOW_CLI_RUN_H
#define VOW_CLI_RUN_H

#include <stdio.h>

/* argv[0] is "run". Exit status: what the program asked for, else 0; 1 it failed, 2
 * usage or set-up error before any code ran, 3 a limit was hit, 13 its top-level await
 * can never be settled, 130 it was interrupted. */
int cmd_run(int argc, char **argv);

/* What `vow help run` prints. */
void run_help(FILE *out);

#endif
