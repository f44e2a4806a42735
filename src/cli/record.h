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

/* What a command was told to write, and what else it reads and writes; each may be
 * NULL, and `report` "-" for standard output. */
typedef struct record_files {
  const char *report, *audit, *metrics, *script, *database;
} record_files;
/* Opens the files, nothing of which is changed; they are no file that is read or
 * written otherwise. False with a one-line message. */
bool record_open_files(record *record, const record_files *files, char *message,
                       size_t message_size);
/* What the audit file needs before anything is made; for a caller that opened the files
 * by itself. False with a one-line message. */
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
