/* Shared by the files of `vow task` only. */
#ifndef VOW_CLI_TASK_INT_H
#define VOW_CLI_TASK_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"
#include "cli/record.h"
#include "cli/tell.h"
#include "core/cbor.h"
#include "vow/executor.h"

enum { EXIT_VALUE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_CANCELLED = 130 };

/* How long a function may go on when it has been told to end; then its thread is given up, at the
 * latest after the other time, unless none can be had in its place. */
#define TASK_PATIENCE_MS 1000u
#define TASK_GIVEN_UP_MS (TASK_PATIENCE_MS + 500u)

typedef struct task_options {
  const char *arg, *report, *audit, *metrics;
  uint64_t timeout_ms, workers, times, delay_ms;
  bool help;
} task_options;

typedef struct subcommand {
  const char *name;
  bool group;
  vow_task_form form;
  bool retry;
  option_table table;
} subcommand;

/* Everything one invocation holds. */
typedef struct tasks {
  const subcommand *command;
  task_options options;
  char **names; /* the SPECs */
  size_t count;
  char *texts; /* of the functions */
  cbor_out argument;
  record record;
  vow_executor *executor;
  FILE *out;            /* what standard output was at the start */
  int signals, settled; /* eventfds: a signal came; a task has settled */
  bool cancelled;       /* by a signal */
  bool abandoned;       /* a function goes on in a thread that was given up */
  uint64_t begun_ns;
  /* `count` of each. */
  vow_function *functions;
  vow_task_spec *specs;
  const vow_task_spec **members; /* pointers to these */
  vow_task **tasks;              /* held while there are any */
} tasks;

/* What has settled. */
typedef struct concluded {
  vow_task *task;
  vow_task **tasks; /* of each SPEC, as many as there are of those */
  bool group;       /* `task` is a group of them */
  bool recorded;    /* with audit and metrics */
} concluded;

static inline bool cli_task_refused(int status) {
  (void)status;
  return false;
}
/* Says one line; false. */
#define cli_task_complain(t, ...)                                                                  \
  cli_task_refused(tell_usage((t)->command->table.command, __VA_ARGS__))

/* ---- task_run.c ---- */

/* Looks whether every function is there, calls them, says what came of it. The exit status. */
int cli_task_execute(tasks *t);

/* Of an eventfd; in a signal handler too. */
void cli_task_wake(int fd);

/* ---- task_end.c ---- */

/* Everything that is said of what has settled. The exit status. */
int cli_task_conclude(tasks *t, vow_task_pool *pool, const concluded *c);

#endif
