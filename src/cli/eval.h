/* `vow eval`: one untrusted script, from file to value and report. */
#ifndef VOW_CLI_EVAL_H
#define VOW_CLI_EVAL_H

#include <stdio.h>

/* argv[0] is "eval". Exit status: 0 value, 1 the script failed, 2 usage or
 * set-up error before any code ran, 3 a limit was hit, 130 cancelled. */
int cmd_eval(int argc, char **argv);

/* What `vow help eval` prints. */
void eval_help(FILE *out);

#endif
