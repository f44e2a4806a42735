/* `vow host`. */
#ifndef VOW_CLI_HOST_H
#define VOW_CLI_HOST_H

#include <stdio.h>

int cmd_host(int argc, char **argv);
void host_help(FILE *out);

#endif
