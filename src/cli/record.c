#include "cli/record.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "api/db.h"

/* ---- opening ---- */

static bool same_file(const output *output, const char *other, char *message, size_t size) {
  snprintf(message, size, "%s %s and %s name the same file", output->option, output->path, other);
  return false;
}

/* SQLite's files beside the database are part of it. */
static bool is_database(const output *output, const char *file) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s", file, suffixes[i]);
    if (len > 0 && (size_t)len < sizeof path && output_is_path(output, path))
      return true;
  }
  return false;
}

static bool is_script(const output *output, const char *script) {
  if (!script)
    return false;
  return strcmp(script, "-") == 0 ? output_is_fd(output, STDIN_FILENO)
                                  : output_is_path(output, script);
}

/* Nothing else that is read or written is the file of `output`. */
static bool check_alone(const output *output, const record_files *files, char *message,
                        size_t size) {
  const char *database = files->database ? db_file(files->database) : NULL;
  if (is_script(output, files->script))
    return same_file(output, "the script", message, size);
  if (database && is_database(output, database))
    return same_file(output, "--db", message, size);
  if (output_is_fd(output, STDOUT_FILENO))
    return same_file(output, "standard output", message, size);
  return !output_is_fd(output, STDERR_FILENO) || same_file(output, "standard error", message, size);
}

static bool check_distinct(const record *record, const record_files *files, char *message,
                           size_t size) {
  const output *outputs[] = {&record->report, &record->audit, &record->metrics};
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = i + 1; j < 3; j++)
      if (output_same(outputs[i], outputs[j]))
        return same_file(outputs[i], outputs[j]->option, message, size);
    if (!check_alone(outputs[i], files, message, size))
      return false;
  }
  return true;
}

bool record_prepare(record *record, char *message, size_t message_size) {
  char why[256];
  if (recorder_prepare(&record->recorder, output_fd(&record->audit), record->audit.path, why,
                       sizeof why))
    return true;
  snprintf(message, message_size, "--audit %s: %s", record->audit.path, why);
  return false;
}

bool record_open_files(record *record, const record_files *files, char *message,
                       size_t message_size) {
  record->report_to_stdout = files->report && strcmp(files->report, "-") == 0;
  const char *report = record->report_to_stdout ? NULL : files->report;
  return output_open(&record->report, "--report", report, OUTPUT_REPLACED, message, message_size) &&
         output_open(&record->audit, "--audit", files->audit, OUTPUT_APPENDED, message,
                     message_size) &&
         output_open(&record->metrics, "--metrics", files->metrics, OUTPUT_REPLACED, message,
                     message_size) &&
         check_distinct(record, files, message, message_size) &&
         record_prepare(record, message, message_size);
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

/* 0 or errno. */
static int write_report(record *record, const run_report *report, const run_report_audit *audit) {
  if (!report || (!record->report_to_stdout && !record->report.path))
    return 0;
  char *json = run_report_json(report, audit, NULL);
  if (!json)
    return ENOMEM;
  int error = 0;
  if (record->report_to_stdout) {
    error = printf("%s\n", json) < 0 ? errno : 0;
  } else {
    output_write(&record->report, json, strlen(json));
    output_write(&record->report, "\n", 1);
  }
  mem_free(NULL, json);
  return error;
}

static int write_metrics(record *record) {
  size_t len;
  if (!record->metrics.path)
    return 0;
  char *text = recorder_metrics(&record->recorder, &len);
  if (!text)
    return ENOMEM;
  output_write(&record->metrics, text, len);
  mem_free(NULL, text);
  return 0;
}

/* Tells of the first error; false if there is one. */
static bool tell_unwritten(const record *record, int report_error, int metrics_error, char *message,
                           size_t message_size) {
  const output *output = report_error ? &record->report : &record->metrics;
  const char *why = strerror(report_error ? report_error : metrics_error);
  if (report_error == 0 && metrics_error == 0)
    return true;
  if (report_error && record->report_to_stdout)
    snprintf(message, message_size, "standard output cannot be written: %s", why);
  else
    snprintf(message, message_size, "%s %s: cannot be written: %s", output->option, output->path,
             why);
  return false;
}

bool record_end(record *record, const run_report *report, char *message, size_t message_size) {
  run_report_audit audit = {0};
  int error = 0;
  bool audited = recorder_end(&record->recorder, &audit, &error);
  int report_error = write_report(record, report, audited ? &audit : NULL);
  int metrics_error = write_metrics(record);
  int report_end = output_end(&record->report), metrics_end = output_end(&record->metrics);
  if (!tell_unwritten(record, report_error ? report_error : report_end,
                      metrics_error ? metrics_error : metrics_end, message, message_size))
    return false;
  if (audit.dropped)
    snprintf(message, message_size, "--audit %s: %" PRIu64 " events could not be written: %s",
             record->audit.path, audit.dropped,
             error == EAGAIN ? "its reader is too slow"
             : error         ? strerror(error)
                             : "they came faster than they could be written");
  return !audit.dropped;
}

void record_close(record *record) {
  recorder_close(&record->recorder);
  output_discard(&record->report);
  output_discard(&record->audit);
  output_discard(&record->metrics);
}
