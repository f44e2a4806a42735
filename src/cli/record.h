/* What a command writes about its runs besides values: the audit file, metrics as
 * Prometheus text, a report. */
#ifndef VOW_CLI_RECORD_H
#define VOW_CLI_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/output.h"
#include "sandbox/recorder.h"

typedef struct record {
  output report, audit, metrics;
  bool report_to_stdout;
  bool counted;      /* metrics are kept also without a file for them */
  recorder recorder; /* of what the command runs */
} record;

/* Opens the files, nothing of which is changed. False with a one-line message. */
bool record_prepare(record *record, char *message, size_t message_size);
/* Before the first run. `pool` writes the audit file; needed if there is one. False
 * when memory is short. */
bool record_open(record *record, shard *shard, pool *pool, const engine_counts *since);
/* Everything has ended, a run with `report` (NULL: there were many, and no report is
 * written): writes everything, and takes turns of the loop until the audit file has
 * been written. False, with what to say, when something is lacking. */
bool record_end(record *record, const run_report *report, char *message, size_t message_size);
/* Frees; what was never begun is as it was before. */
void record_close(record *record);

#endif
