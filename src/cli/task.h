/* vow task: functions of several languages as tasks. */
#ifndef VOW_CLI_TASK_H
#define VOW_CLI_TASK_H

#include <stdio.h>

int cmd_task(int argc, char **argv);
void task_help(FILE *out);

#endif
