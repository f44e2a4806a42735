#include "sandbox/recorder.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "task/audit_open.h"

bool recorder_prepare(recorder *recorder, int fd, const char *path, char *message,
                      size_t message_size) {
  return audit_resume(&recorder->chain, fd, path, message, message_size);
}

/* ---- runs ---- */

static bool begin_audit(recorder *recorder, const recorder_parts *parts) {
  recorder->file =
      audit_file_open(parts->allocator, parts->audit_fd, parts->pool, shard_loop(parts->shard));
  if (!recorder->file)
    return false;
  recorder->chain.sink = audit_file_put;
  recorder->chain.user = recorder->file;
  recorder->lines_before = recorder->chain.lines;
  memcpy(recorder->last, recorder->chain.last, sizeof recorder->last);
  return true;
}

bool recorder_begin(recorder *recorder, const recorder_parts *parts) {
  recorder->allocator = parts->allocator;
  recorder->shard = parts->shard;
  recorder->pool = parts->pool;
  recorder->since = parts->since ? *parts->since : engine_counts_of(shard_engine(parts->shard));
  if (parts->metrics && !(recorder->counts = run_metrics_open(parts->allocator)))
    return false;
  return parts->audit_fd < 0 || begin_audit(recorder, parts);
}

bool recorder_is_on(const recorder *recorder) {
  return recorder->file || recorder->counts;
}

static uint64_t wall_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void recorder_run(recorder *recorder, run_audit *run, const char *tenant, const char *parent) {
  uint8_t random[AUDIT_ID_LEN / 2];
  if (!recorder->file)
    return;
  while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    ;
  *run = (run_audit){
      .audit = &recorder->chain, .tenant = tenant, .parent = parent, .opened_ms = wall_clock_ms()};
  run_audit_open(run, random);
}

void recorder_event(recorder *recorder, const run_audit *run, const run_event *event) {
  if (recorder->file)
    run_audit_event(run, event);
  if (recorder->counts)
    run_metrics_event(recorder->counts, event);
}

void recorder_ended(recorder *recorder, const run_audit *run, const run_report *report) {
  if (recorder->file)
    run_audit_end(run, report);
  if (recorder->counts)
    run_metrics_report(recorder->counts, report);
}

bool recorder_chain(const recorder *recorder, run_report_audit *audit) {
  if (!recorder->file)
    return false;
  *audit = (run_report_audit){.lines = recorder->chain.lines,
                              .last = recorder->chain.last,
                              .dropped = recorder->chain.dropped};
  return true;
}

char *recorder_metrics(const recorder *recorder, size_t *len) {
  if (!recorder->counts)
    return NULL;
  run_metrics_shard(recorder->counts, recorder->shard, &recorder->since, recorder->pool);
  return metrics_text(recorder->counts, len);
}

/* ---- the end ---- */

bool recorder_end(recorder *recorder, run_report_audit *audit, int *error) {
  if (!recorder->file)
    return false;
  audit_file_end(recorder->file, AUDIT_PATIENCE_MS);
  while (audit_file_busy(recorder->file))
    shard_turn(recorder->shard);
  audit_lines_state state = audit_file_written(recorder->file);
  if (state.lines > 0)
    memcpy(recorder->last, state.last, sizeof recorder->last);
  uint64_t put = recorder->chain.lines - recorder->lines_before;
  *error = state.error;
  *audit = (run_report_audit){.lines = recorder->lines_before + state.lines,
                              .last = recorder->last,
                              .dropped = recorder->chain.dropped + (put - state.lines)};
  return true;
}

void recorder_close(recorder *recorder) {
  audit_file_close(recorder->file);
  metrics_close(recorder->counts);
  recorder->file = NULL;
  recorder->counts = NULL;
}
