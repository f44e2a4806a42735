#include "cli/record.h"

#include <inttypes.h>

static const char *event_text(run_event_kind kind) {
  static const char *const names[] = {[RUN_EVENT_CREATED] = "created",
                                      [RUN_EVENT_QUEUED] = "queued",
                                      [RUN_EVENT_STARTED] = "started",
                                      [RUN_EVENT_RETRIED] = "retried",
                                      [RUN_EVENT_CACHE_HIT] = "cache_hit",
                                      [RUN_EVENT_SETTLED] = "settled",
                                      [RUN_EVENT_LATE] = "late"};
  return names[kind];
}

void record_event(FILE *out, const run_event *event) {
  fprintf(out, "{\"at_ms\":%.3f,\"event\":\"%s\",\"operation\":%" PRIu64 ",\"name\":\"%s\"",
          (double)event->at_ns / 1e6, event_text(event->kind), event->number, event->name);
  if (event->kind == RUN_EVENT_SETTLED || event->kind == RUN_EVENT_LATE)
    fprintf(out, ",\"state\":\"%s\",\"age_ms\":%.3f", op_state_text(event->state),
            (double)event->age_ns / 1e6);
  if (event->kind == RUN_EVENT_SETTLED && event->state == OP_TIMED_OUT)
    fputs(",\"security\":true", out);
  fputs("}\n", out);
}

void record_end(FILE *out, const run_report *report) {
  fprintf(out, "{\"at_ms\":%.3f,\"event\":\"end\",\"outcome\":\"%s\"",
          (double)report->wall_ns / 1e6, run_outcome_text(report->outcome));
  if (report->outcome != RUN_VALUE)
    fprintf(out, ",\"kind\":\"%s\"", run_kind_text(report->error.kind));
  if (report->outcome == RUN_LIMIT || report->error.kind == RUN_KIND_DENIED)
    fputs(",\"security\":true", out);
  fputs("}\n", out);
}

static void head(FILE *out, const char *name, const char *type, const char *help) {
  fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void state(FILE *out, const char *name, uint64_t value) {
  fprintf(out, "vow_operations_total{state=\"%s\"} %" PRIu64 "\n", name, value);
}

static void put_operations(FILE *out, const op_counts *counts) {
  head(out, "vow_operations_total", "counter", "Operations by how they were settled.");
  state(out, "fulfilled", counts->fulfilled);
  state(out, "rejected", counts->rejected);
  state(out, "timed_out", counts->timed_out);
  state(out, "cancelled", counts->cancelled);
  head(out, "vow_operations_created_total", "counter", "Operations created.");
  fprintf(out, "vow_operations_created_total %" PRIu64 "\n", counts->created);
  head(out, "vow_operations_late_total", "counter", "Answers dropped because they came too late.");
  fprintf(out, "vow_operations_late_total %" PRIu64 "\n", counts->late);
  head(out, "vow_operations_concurrent_max", "gauge", "The most operations running at once.");
  fprintf(out, "vow_operations_concurrent_max %" PRIu32 "\n", counts->running_max);
}

static void put_seconds(FILE *out, const char *clock, uint64_t ns) {
  fprintf(out, "vow_run_seconds_total{clock=\"%s\"} %.6f\n", clock, (double)ns / 1e9);
}

void record_metrics(FILE *out, const run_report *report, const engine_counts *engine) {
  head(out, "vow_runs_total", "counter", "Runs by outcome.");
  fprintf(out, "vow_runs_total{outcome=\"%s\",kind=\"%s\"} 1\n", run_outcome_text(report->outcome),
          run_kind_text(report->error.kind));
  put_operations(out, &report->operations);
  head(out, "vow_run_seconds_total", "counter", "Time of runs by clock; the sum is the wall time.");
  put_seconds(out, "guest", report->guest_ns);
  put_seconds(out, "host_wait", report->host_wait_ns);
  put_seconds(out, "ready", report->ready_ns);
  head(out, "vow_memory_peak_bytes", "gauge", "The most memory the run held.");
  fprintf(out, "vow_memory_peak_bytes %" PRIu64 "\n", report->memory_peak);
  head(out, "vow_memory_limit_bytes", "gauge", "The memory the run may hold.");
  fprintf(out, "vow_memory_limit_bytes %" PRIu64 "\n", report->memory_limit);
  head(out, "vow_sandboxes_total", "counter", "Sandboxes by what became of their memory.");
  fprintf(out, "vow_sandboxes_total{memory=\"recycled\"} %" PRIu64 "\n", engine->recycled);
  fprintf(out, "vow_sandboxes_total{memory=\"discarded\"} %" PRIu64 "\n", engine->discarded);
}
