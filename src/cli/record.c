#include "cli/record.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

bool record_prepare(record *record, char *message, size_t message_size) {
  char why[256];
  if (recorder_prepare(&record->recorder, output_fd(&record->audit), record->audit.path, why,
                       sizeof why))
    return true;
  snprintf(message, message_size, "--audit %s: %s", record->audit.path, why);
  return false;
}

bool record_open(record *record, shard *shard, pool *pool, const engine_counts *since) {
  const recorder_parts parts = {.shard = shard,
                                .pool = pool,
                                .audit_fd = output_fd(&record->audit),
                                .metrics = record->counted || record->metrics.path,
                                .since = since};
  if (!recorder_begin(&record->recorder, &parts))
    return false;
  output_begin(&record->audit);
  return true;
}

/* ---- the end ---- */

static bool write_report(record *record, const run_report *report, const run_report_audit *audit) {
  FILE *out = record->report_to_stdout ? stdout : output_begin(&record->report);
  if (!out)
    return true;
  char *json = run_report_json(report, audit, NULL);
  bool ok = json && fprintf(out, "%s\n", json) > 0;
  mem_free(NULL, json);
  return ok;
}

static bool write_metrics(record *record) {
  size_t len;
  FILE *out = output_begin(&record->metrics);
  if (!out)
    return true;
  char *text = recorder_metrics(&record->recorder, &len);
  bool ok = text && fwrite(text, 1, len, out) == len;
  mem_free(NULL, text);
  return ok;
}

bool record_end(record *record, const run_report *report, char *message, size_t message_size) {
  run_report_audit audit = {0};
  int error = 0;
  bool audited = recorder_end(&record->recorder, &audit, &error);
  bool ok = !report || write_report(record, report, audited ? &audit : NULL);
  ok = write_metrics(record) && ok;
  ok = output_end(&record->report) && ok;
  ok = output_end(&record->metrics) && ok;
  if (!ok)
    snprintf(message, message_size, "not all of the output could be written");
  else if (audit.dropped)
    snprintf(message, message_size, "--audit %s: %" PRIu64 " events could not be written: %s",
             record->audit.path, audit.dropped,
             error == EAGAIN ? "its reader is too slow"
             : error         ? strerror(error)
                             : "they came faster than they could be written");
  return ok && !audit.dropped;
}

void record_close(record *record) {
  recorder_close(&record->recorder);
  output_discard(&record->report);
  output_discard(&record->audit);
  output_discard(&record->metrics);
}
