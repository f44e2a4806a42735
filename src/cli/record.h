/* What a command writes about its run besides the value: the audit file, metrics
 * as Prometheus text, the report. */
#ifndef VOW_CLI_RECORD_H
#define VOW_CLI_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/output.h"
#include "sandbox/run_audit.h"
#include "sandbox/run_metrics.h"
#include "task/audit_file.h"

typedef struct record {
  output report, audit, metrics;
  const char *tenant; /* of the audit; borrowed */
  bool report_to_stdout;
  shard *shard; /* private from here on */
  pool *pool;
  struct audit chain;
  audit_file *file;
  uint64_t lines_before; /* in the audit file */
  char last[AUDIT_HASH_LEN + 1];
  run_audit run;
  metrics *counts;
  engine_counts since;
} record;

/* Locks the audit file, and finds the end of the chain it holds. False with a
 * one-line message, and nothing changed. */
bool record_prepare(record *record, char *message, size_t message_size);
/* Before the run's first turn. `pool` writes the audit file; needed if there is one.
 * False when memory is short. */
bool record_open(record *record, shard *shard, pool *pool, const engine_counts *since);
void record_event(record *record, const run_event *event);
/* The run has finished: writes everything, and takes turns of the loop until the
 * audit file has been written. False, with what to say, when something is lacking. */
bool record_end(record *record, const run_report *report, char *message, size_t message_size);
/* Frees; what was never begun is as it was before. */
void record_close(record *record);

#endif
