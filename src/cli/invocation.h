/* What `vow eval` and `vow run` have in common: one script, its run, and what is
 * written of it. */
#ifndef VOW_CLI_INVOCATION_H
#define VOW_CLI_INVOCATION_H

#include "cli/backend.h"
#include "cli/record.h"
#include "sandbox/run.h"

/* Of the command line. */
typedef struct invocation_settings {
  const char *allow, *db, *vault, *report, *audit, *metrics;
  bool debug;
} invocation_settings;

/* Zeros but for the first two. It is the `user` of its run, so that what holds one begins
 * with it. Each function that gives false has said why, as a set-up error does. */
typedef struct invocation {
  const char *command; /* "eval" */
  bool trusted;
  const invocation_settings *settings;
  const char *file; /* "-": standard input */
  char *source;
  size_t source_len;
  backend backend;
  record record;
  run_audit audit;
  const run_report *report; /* once the run has finished, until it is disposed */
  shard *shard;
  engine_counts at_start; /* what making the shard counted */
  run *run;
} invocation;

bool invocation_check(invocation *invocation);
bool invocation_read(invocation *invocation);
bool invocation_open_outputs(invocation *invocation);
bool invocation_open_shard(invocation *invocation, engine_kind engine);
bool invocation_open_backend(invocation *invocation);

/* Sets the source, and what is told of the run. */
void invocation_fill(invocation *invocation, run_options *options);
/* The run is open: records begin. */
bool invocation_begin(invocation *invocation);
/* The run has finished, and its outcome is told: what outlived it, the records, standard
 * output. False: something could not be written; the command has failed. */
bool invocation_end(invocation *invocation);
/* Disposes the run, if there is one. */
void invocation_dispose(invocation *invocation);
/* Around the end of the shard; also of what was never opened. */
void invocation_unbind(invocation *invocation);
void invocation_close(invocation *invocation);

#endif
