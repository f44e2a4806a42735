#include "cli/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a slow reader of the audit is waited for at the end. */
#define PATIENCE_MS 500

/* ---- the chain that is there already ---- */

__attribute__((format(printf, 4, 5))) static bool refuse(const record *record, char *message,
                                                         size_t size, const char *format, ...) {
  va_list arguments;
  int used = snprintf(message, size, "--audit %s: ", record->audit.path);
  if (used < 0 || (size_t)used >= size)
    return false;
  va_start(arguments, format);
  vsnprintf(message + used, size - (size_t)used, format, arguments);
  va_end(arguments);
  return false;
}

/* The last line of `len` bytes that end a file, with its newline; NULL: not whole. */
static const char *last_line(const char *bytes, size_t len) {
  if (len == 0 || bytes[len - 1] != '\n')
    return NULL;
  const char *before = memrchr(bytes, '\n', len - 1);
  return before ? before + 1 : bytes;
}

static bool read_end(int fd, char *bytes, size_t len, off_t at) {
  size_t have = 0;
  while (have < len) {
    ssize_t n = pread(fd, bytes + have, len - have, at + (off_t)have);
    if (n > 0)
      have += (size_t)n;
    else if (n == 0 || errno != EINTR)
      return false;
  }
  return true;
}

static bool find_chain(record *record, off_t size, char *message, size_t message_size) {
  char bytes[AUDIT_LINE_MAX];
  size_t len = size < (off_t)sizeof bytes ? (size_t)size : sizeof bytes;
  int fd = open(record->audit.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  bool got = fd >= 0 && read_end(fd, bytes, len, size - (off_t)len);
  int error = errno;
  if (fd >= 0)
    close(fd);
  if (!got)
    return refuse(record, message, message_size, "its last line cannot be read: %s",
                  strerror(error));
  const char *line = last_line(bytes, len);
  if (!line || !audit_continue(&record->chain, line, len - (size_t)(line - bytes)))
    return refuse(record, message, message_size,
                  "it does not end with a line of an audit; name a new file, or see: vow audit "
                  "verify");
  return true;
}

bool record_prepare(record *record, char *message, size_t message_size) {
  struct stat facts;
  audit_init(&record->chain, NULL, NULL);
  int fd = output_fd(&record->audit);
  if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return true;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return refuse(record, message, message_size, "another process writes to it");
  /* Only now nobody adds to it. */
  if (fstat(fd, &facts) != 0 || facts.st_size == 0)
    return true;
  return find_chain(record, facts.st_size, message, message_size);
}

/* ---- the run ---- */

static uint64_t wall_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool open_audit(record *record, shard *shard, pool *pool) {
  uint8_t random[RUN_AUDIT_ID_LEN / 2];
  record->file = audit_file_open(NULL, output_fd(&record->audit), pool, shard_loop(shard));
  if (!record->file)
    return false;
  while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    ;
  output_begin(&record->audit);
  record->chain.sink = audit_file_put;
  record->chain.user = record->file;
  record->lines_before = record->chain.lines;
  memcpy(record->last, record->chain.last, sizeof record->last);
  run_audit_open(&record->run, &record->chain, record->tenant, wall_clock_ms(), random);
  return true;
}

bool record_open(record *record, shard *shard, pool *pool, const engine_counts *since) {
  record->shard = shard;
  record->pool = pool;
  record->since = *since;
  if (record->metrics.path && !(record->counts = run_metrics_open(NULL)))
    return false;
  return !record->audit.path || open_audit(record, shard, pool);
}

void record_event(record *record, const run_event *event) {
  if (record->file)
    run_audit_event(&record->run, event);
  if (record->counts)
    run_metrics_event(record->counts, event);
}

/* ---- the end ---- */

/* What the audit file holds now. */
static run_report_audit end_audit(record *record, const run_report *report, int *error) {
  run_audit_end(&record->run, report);
  audit_file_end(record->file, PATIENCE_MS);
  while (audit_file_busy(record->file))
    shard_turn(record->shard);
  audit_file_state state = audit_file_written(record->file);
  if (state.lines > 0)
    memcpy(record->last, state.last, sizeof record->last);
  uint64_t put = record->chain.lines - record->lines_before;
  *error = state.error;
  return (run_report_audit){.lines = record->lines_before + state.lines,
                            .last = record->last,
                            .dropped = record->chain.dropped + (put - state.lines)};
}

/* 0 or errno. */
static int write_report(record *record, const run_report *report, const run_report_audit *audit) {
  if (!record->report_to_stdout && !record->report.path)
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

static int write_metrics(record *record, const run_report *report) {
  size_t len;
  if (!record->metrics.path)
    return 0;
  run_metrics_report(record->counts, report);
  run_metrics_shard(record->counts, record->shard, &record->since, record->pool);
  char *text = metrics_text(record->counts, &len);
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
  if (record->file)
    audit = end_audit(record, report, &error);
  int report_error = write_report(record, report, record->file ? &audit : NULL);
  int metrics_error = write_metrics(record, report);
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
  audit_file_close(record->file);
  metrics_close(record->counts);
  output_discard(&record->report);
  output_discard(&record->audit);
  output_discard(&record->metrics);
}
