#include "sandbox/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a slow reader of the audit is waited for at the end. */
#define PATIENCE_MS 500

/* ---- the chain that is there already ---- */

/* Where the last whole line of `bytes` begins; `*len` becomes its end. NULL: none does. */
static const char *last_line(const char *bytes, size_t *len) {
  const char *end = memrchr(bytes, '\n', *len);
  if (!end)
    return NULL;
  *len = (size_t)(end - bytes) + 1;
  const char *before = memrchr(bytes, '\n', *len - 1);
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

/* The end of the file: up to two lines, the last of which may lack its end. */
static bool read_lines(const char *path, char *bytes, size_t len, off_t at) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  bool got = fd >= 0 && read_end(fd, bytes, len, at);
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return got;
}

/* A process that is killed while it writes leaves the beginning of a line: that is cut
 * off, but only behind a line of an audit. */
static bool find_chain(recorder *recorder, int fd, const char *path, off_t size, char *message,
                       size_t message_size) {
  char bytes[2 * AUDIT_LINE_MAX];
  size_t len = size < (off_t)sizeof bytes ? (size_t)size : sizeof bytes, whole = len;
  if (!read_lines(path, bytes, len, size - (off_t)len)) {
    snprintf(message, message_size, "its last line cannot be read: %s", strerror(errno));
    return false;
  }
  const char *line = last_line(bytes, &whole);
  if (!line || len - whole >= AUDIT_LINE_MAX ||
      !audit_continue(&recorder->chain, line, whole - (size_t)(line - bytes))) {
    snprintf(message, message_size,
             "it does not end with a line of an audit; name a new file, or see: vow audit verify");
    return false;
  }
  if (whole < len && ftruncate(fd, size - (off_t)(len - whole)) != 0) {
    snprintf(message, message_size, "its last line has no end and cannot be cut off: %s",
             strerror(errno));
    return false;
  }
  return true;
}

bool recorder_prepare(recorder *recorder, int fd, const char *path, char *message,
                      size_t message_size) {
  struct stat facts;
  audit_init(&recorder->chain, NULL, NULL);
  if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return true;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    snprintf(message, message_size, "another process writes to it");
    return false;
  }
  /* Only now nobody adds to it. */
  if (fstat(fd, &facts) != 0 || facts.st_size == 0)
    return true;
  return find_chain(recorder, fd, path, facts.st_size, message, message_size);
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
  uint8_t random[RUN_AUDIT_ID_LEN / 2];
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
  audit_file_end(recorder->file, PATIENCE_MS);
  while (audit_file_busy(recorder->file))
    shard_turn(recorder->shard);
  audit_file_state state = audit_file_written(recorder->file);
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
