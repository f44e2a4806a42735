/* `vow audit`. */
#ifndef VOW_CLI_AUDIT_H
#define VOW_CLI_AUDIT_H

#include <stdio.h>

int cmd_audit(int argc, char **argv);
void audit_help(FILE *out);

#endif
