#include "sandbox/run_audit.h"

#include <stdio.h>
#include <string.h>

static audit_event event_of(const run_audit *run, uint64_t at_ns) {
  return (audit_event){.run = run->run,
                       .tenant = run->tenant,
                       .parent = run->parent,
                       .time_ms = run->opened_ms + at_ns / 1000000,
                       .at_ns = at_ns};
}

void run_audit_open(run_audit *run, const uint8_t random[AUDIT_ID_LEN / 2]) {
  audit_id(run->run, random);
  audit_event opened = event_of(run, 0);
  opened.event = "opened";
  audit_put(run->audit, &opened);
}

static bool is_denied(const run_event *event) {
  return event->kind == RUN_EVENT_SETTLED && event->error &&
         strcmp(event->error, "PermissionError") == 0;
}

const char *run_event_text(const run_event *event) {
  static const char *const names[] = {[RUN_EVENT_CREATED] = "created",
                                      [RUN_EVENT_QUEUED] = "queued",
                                      [RUN_EVENT_STARTED] = "started",
                                      [RUN_EVENT_RETRIED] = "retried",
                                      [RUN_EVENT_CACHE_HIT] = "cache_hit",
                                      [RUN_EVENT_SETTLED] = "settled",
                                      [RUN_EVENT_LATE] = "late"};
  if (is_denied(event))
    return "denied";
  if (event->kind == RUN_EVENT_SETTLED && event->state == OP_TIMED_OUT)
    return "timed_out";
  if (event->kind == RUN_EVENT_SETTLED && event->state == OP_CANCELLED)
    return "cancelled";
  return names[event->kind];
}

void run_audit_event(const run_audit *run, const run_event *event) {
  bool ends = event->kind == RUN_EVENT_SETTLED || event->kind == RUN_EVENT_LATE;
  bool tries = event->kind == RUN_EVENT_STARTED || event->kind == RUN_EVENT_RETRIED;
  char parent[AUDIT_ID_LEN + 24];
  audit_event line = event_of(run, event->at_ns);
  if (event->parent) {
    snprintf(parent, sizeof parent, "%s/%llu", run->run, (unsigned long long)event->parent);
    line.parent = parent;
  }
  line.event = run_event_text(event);
  line.operation = event->number;
  line.name = event->name;
  line.detail = event->detail;
  line.attempt = tries ? event->attempt : 0;
  line.error = event->error;
  line.state = ends ? op_state_text(event->state) : NULL;
  line.aged = ends;
  line.age_ns = event->age_ns;
  line.security =
      is_denied(event) || (event->kind == RUN_EVENT_SETTLED && event->state == OP_TIMED_OUT);
  audit_put(run->audit, &line);
}

/* The limit, or the denied call, by which the run ended. */
static void put_reason(const run_audit *run, const run_report *report) {
  audit_event line = event_of(run, report->wall_ns);
  line.event = report->outcome == RUN_LIMIT ? "limit" : "denied";
  line.kind = run_kind_text(report->error.kind);
  line.operation = report->error.operation_id;
  line.name = report->error.operation_name;
  line.security = true;
  audit_put(run->audit, &line);
}

void run_audit_end(const run_audit *run, const run_report *report) {
  bool failed = report->outcome != RUN_VALUE;
  if (report->outcome == RUN_LIMIT || report->error.kind == RUN_KIND_DENIED)
    put_reason(run, report);
  audit_event line = event_of(run, report->wall_ns);
  line.event = "ended";
  line.outcome = run_outcome_text(report->outcome);
  line.kind = failed ? run_kind_text(report->error.kind) : NULL;
  line.error = failed ? report->error.name : NULL;
  line.security = report->outcome == RUN_LIMIT || report->outcome == RUN_ERROR;
  audit_put(run->audit, &line);
}
