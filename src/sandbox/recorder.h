/* What becomes known of the runs of one shard: an audit file that they share, and
 * counts of everything for metrics. Loop thread.
 *
 *   recorder_prepare()  the file: locked, its chain found, half a line at its end cut off
 *   recorder_begin()    before the first run
 *   recorder_run(), recorder_event(), recorder_ended()   of each run
 *   recorder_end()      after the last one: waits until the file is written
 *   recorder_close()
 *
 * A recorder of zeros records nothing, and all of this may be called on it. */
#ifndef VOW_SANDBOX_RECORDER_H
#define VOW_SANDBOX_RECORDER_H

#include "sandbox/run_audit.h"
#include "sandbox/run_metrics.h"
#include "task/audit_file.h"

typedef struct recorder {
  const vow_allocator *allocator;
  shard *shard;
  pool *pool;
  struct audit chain;
  audit_file *file; /* NULL: no audit */
  uint64_t lines_before;
  char last[AUDIT_HASH_LEN + 1]; /* of the line that is in the file */
  metrics *counts;               /* NULL: no metrics */
  engine_counts since;
} recorder;

/* Locks the audit file `fd`, open for appending and not blocking, and finds the end
 * of the chain that `path` holds. False with a one-line message. */
bool recorder_prepare(recorder *recorder, int fd, const char *path, char *message,
                      size_t message_size);

typedef struct recorder_parts {
  const vow_allocator *allocator;
  shard *shard;
  pool *pool;   /* writes the audit file */
  int audit_fd; /* borrowed until recorder_close(); -1: no audit */
  bool metrics;
  const engine_counts *since; /* what metrics leave out; NULL: what was counted so far */
} recorder_parts;

/* False when memory is short. */
bool recorder_begin(recorder *recorder, const recorder_parts *parts);
bool recorder_is_on(const recorder *recorder);

/* `tenant` and `parent` are borrowed until it has ended; NULL: none. */
void recorder_run(recorder *recorder, run_audit *run, const char *tenant, const char *parent);
void recorder_event(recorder *recorder, const run_audit *run, const run_event *event);
void recorder_ended(recorder *recorder, const run_audit *run, const run_report *report);
/* The chain as it is now, lines included that are on their way to the file. False:
 * there is no audit. */
bool recorder_chain(const recorder *recorder, run_report_audit *audit);

/* The counts as Prometheus text, to be freed with mem_free(); NULL: there are none,
 * or memory is short. */
char *recorder_metrics(const recorder *recorder, size_t *len);

/* Takes turns of the shard until the audit file is written: `*audit` is what it holds
 * then, `*error` why something is lacking. False: there is no audit. */
bool recorder_end(recorder *recorder, run_report_audit *audit, int *error);
void recorder_close(recorder *recorder);

#endif
