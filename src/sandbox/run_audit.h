/* What happens to a run and its operations, as lines of an audit (core/audit.h):
 *
 *   opened, ended      the run; `ended` with its outcome
 *   created, queued, started, retried, cache_hit
 *   settled            by the handler: `state` fulfilled or rejected
 *   timed_out, cancelled   settled without it
 *   late               an answer that was dropped, or the end of a handler that had been
 *                      stopped; may come after `ended`
 *   denied, limit      what the run ended by, before `ended`
 *
 * Time-outs, limits, denied calls and runs that failed by an exception carry
 * "security":true. */
#ifndef VOW_SANDBOX_RUN_AUDIT_H
#define VOW_SANDBOX_RUN_AUDIT_H

#include "core/audit.h"
#include "sandbox/run.h"

/* One run in an audit that many runs may share. */
typedef struct run_audit {
  audit *audit;       /* borrowed */
  const char *tenant; /* on whose behalf it runs; borrowed, NULL: nobody's */
  const char *parent; /* the operation it is nested in, "RUN/NUMBER"; likewise */
  uint64_t opened_ms; /* wall clock, milliseconds since 1970, when the run is opened */
  char run[AUDIT_ID_LEN + 1];
} run_audit;

/* Gives the run, whose other fields are filled, an id by 16 bytes of `random` and
 * tells that it is opened. */
void run_audit_open(run_audit *run, const uint8_t random[AUDIT_ID_LEN / 2]);
void run_audit_event(const run_audit *run, const run_event *event);
/* What lines call it: "started", "timed_out". */
const char *run_event_text(const run_event *event);
void run_audit_end(const run_audit *run, const run_report *report);

#endif
