#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "sandbox/run_int.h"

/* Operations that the message of a run that took too long names. */
#define NAMED_MAX 3u
#define REPORT_BYTES_MAX (256u << 20)
#define NS_PER_MS 1e6

const char *run_kind_text(run_kind kind) {
  static const char *const names[] = {[RUN_KIND_NONE] = "none",
                                      [RUN_KIND_SCRIPT] = "script",
                                      [RUN_KIND_API] = "api",
                                      [RUN_KIND_DENIED] = "denied",
                                      [RUN_KIND_DEADLOCK] = "deadlock",
                                      [RUN_KIND_INTERNAL] = "internal",
                                      [RUN_KIND_CPU] = "cpu",
                                      [RUN_KIND_TIMEOUT] = "timeout",
                                      [RUN_KIND_MEMORY] = "memory",
                                      [RUN_KIND_STACK] = "stack",
                                      [RUN_KIND_OPERATIONS] = "operations",
                                      [RUN_KIND_RESULT] = "result",
                                      [RUN_KIND_OUTPUT] = "output",
                                      [RUN_KIND_CANCELLED] = "cancelled"};
  return names[kind];
}

const char *run_outcome_text(run_outcome outcome) {
  static const char *const names[] = {[RUN_VALUE] = "value",
                                      [RUN_ERROR] = "error",
                                      [RUN_LIMIT] = "limit",
                                      [RUN_CANCELLED] = "cancelled"};
  return names[outcome];
}

static run_outcome outcome_of(run_kind kind) {
  if (kind == RUN_KIND_NONE)
    return RUN_VALUE;
  if (kind == RUN_KIND_CANCELLED)
    return RUN_CANCELLED;
  return kind >= RUN_KIND_CPU ? RUN_LIMIT : RUN_ERROR;
}

/* One text for each pending operation, some NULL; NULL when memory is short. */
static char **details_of_pending(run *run) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  char **texts = mem_new(allocator, RUN_PENDING_LISTED, sizeof *texts);
  for (size_t i = 0; texts && i < run->report.pending_count; i++) {
    host_call *call = run_call_numbered(run, run->pending[i].tag);
    if (call && call->detail)
      texts[i] = mem_text(allocator, call->detail, strlen(call->detail));
  }
  return texts;
}

/* Returns how many there are. */
static size_t list_pending(run *run, uint64_t now) {
  run->pending = mem_new(shard_allocator(run->shard), RUN_PENDING_LISTED, sizeof *run->pending);
  if (!run->pending)
    return 0;
  size_t count = op_scope_list(run->scope, run->pending, RUN_PENDING_LISTED, now);
  run->report.pending = run->pending;
  run->report.pending_count = count < RUN_PENDING_LISTED ? count : RUN_PENDING_LISTED;
  run->pending_details = details_of_pending(run);
  run->report.pending_details = (const char *const *)run->pending_details;
  run_note_leaks(run, false, now);
  return count;
}

/* ---- what a run that took too long was waiting for ---- */

typedef struct sentence {
  char text[1024];
  size_t len;
} sentence;

__attribute__((format(printf, 2, 3))) static void say(sentence *s, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(s->text + s->len, sizeof s->text - s->len, format, arguments);
  va_end(arguments);
  if (n > 0)
    s->len += (size_t)n < sizeof s->text - s->len ? (size_t)n : sizeof s->text - s->len - 1;
}

static void say_pending(sentence *s, const run_report *report, size_t i) {
  const char *detail = report->pending_details ? report->pending_details[i] : NULL;
  say(s, "%s%s%s%s (%llu ms)", i ? ", " : "; it was waiting for ", report->pending[i].name,
      detail ? " " : "", detail ? detail : "",
      (unsigned long long)(report->pending[i].age_ns / 1000000));
}

/* Without memory the message stays as it is. */
static void explain_timeout(run *run, size_t pending) {
  sentence s = {.len = 0};
  say(&s, "the run took longer than %llu ms (%s)", (unsigned long long)run->options.limits.wall_ms,
      run_names(run)->wall);
  size_t named = run->report.pending_count < NAMED_MAX ? run->report.pending_count : NAMED_MAX;
  for (size_t i = 0; i < named; i++)
    say_pending(&s, &run->report, i);
  if (pending > named && named > 0)
    say(&s, " and %zu more", pending - named);
  char *message = mem_text(shard_allocator(run->shard), s.text, s.len);
  if (!message)
    return;
  mem_free(shard_allocator(run->shard), run->failure.message);
  run->failure.message = message;
}

/* Closing cancels what is live: the counts are taken as they will be. */
static op_counts final_counts(const run *run) {
  op_counts counts = op_scope_counts(run->scope);
  counts.cancelled += counts.live;
  counts.live = 0;
  return counts;
}

void run_make_report(run *run, uint64_t now) {
  run_report *report = &run->report;
  const run_failure *failure = &run->failure;
  size_t pending = 0;
  if (op_scope_has_live(run->scope) || run->timer_count > 0)
    pending = list_pending(run, now);
  if (failure->kind == RUN_KIND_TIMEOUT)
    explain_timeout(run, pending);
  report->debug = run->options.debug;
  report->outcome = outcome_of(failure->kind);
  report->value = report->outcome == RUN_VALUE ? run->value : NULL;
  if (report->outcome == RUN_VALUE && run->exited)
    report->value = "null";
  report->error.kind = failure->kind;
  report->error.name = failure->name;
  report->error.message = failure->message;
  report->error.stack = failure->stack;
  report->error.shown = failure->shown;
  report->error.rejected = failure->rejected;
  report->error.operation_id = failure->operation_id;
  report->error.operation_name = failure->operation_name;
  report->error.operation_attempts = failure->operation_attempts;
  report->guest_ns = op_scope_time(run->scope, OP_CLOCK_GUEST, now);
  report->host_wait_ns = op_scope_time(run->scope, OP_CLOCK_HOST_WAIT, now);
  report->ready_ns = op_scope_time(run->scope, OP_CLOCK_READY, now);
  report->wall_ns = report->guest_ns + report->host_wait_ns + report->ready_ns;
  report->memory_peak = run->memory_peak;
  report->memory_limit = run->options.limits.memory_bytes;
  report->operations = final_counts(run);
}

/* ---- as JSON ---- */

static void put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

static void put_string(cbor_out *out, const char *key, const char *text, const char **comma) {
  if (!text)
    return;
  put(out, *comma);
  put(out, key);
  json_put_string(out, text, strlen(text));
  *comma = ",";
}

static void put_count(cbor_out *out, const char *key, uint64_t value) {
  char text[32];
  put(out, key);
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  put(out, text);
}

static void put_ms(cbor_out *out, const char *key, uint64_t ns) {
  put(out, key);
  /* Microseconds are all the precision a reader can use. */
  json_put_number(out, (double)(ns / 1000) / 1000);
}

static void put_error(cbor_out *out, const run_report *report) {
  const char *comma = ",";
  put(out, ",\"error\":{\"kind\":");
  json_put_string(out, run_kind_text(report->error.kind),
                  strlen(run_kind_text(report->error.kind)));
  put_string(out, "\"name\":", report->error.name, &comma);
  put_string(out, "\"message\":", report->error.message, &comma);
  put_string(out, "\"stack\":", report->error.stack, &comma);
  if (report->error.operation_id) {
    put_count(out, ",\"operation\":{\"id\":", report->error.operation_id);
    put_string(out, "\"name\":", report->error.operation_name, &comma);
    put_count(out, ",\"attempts\":", report->error.operation_attempts);
    put(out, "}");
  }
  put(out, "}");
}

static void put_operations(cbor_out *out, const op_counts *counts) {
  put_count(out, ",\"operations\":{\"created\":", counts->created);
  put_count(out, ",\"fulfilled\":", counts->fulfilled);
  put_count(out, ",\"rejected\":", counts->rejected);
  put_count(out, ",\"timed_out\":", counts->timed_out);
  put_count(out, ",\"cancelled\":", counts->cancelled);
  put_count(out, ",\"live\":", counts->live);
  put_count(out, ",\"late\":", counts->late);
  put_count(out, ",\"retries\":", counts->retries);
  put_count(out, ",\"cache_hits\":", counts->cache_hits);
  put_count(out, ",\"batched\":", counts->batched);
  put_count(out, ",\"concurrent_max\":", counts->running_max);
  put(out, "}");
}

static void put_pending(cbor_out *out, const run_report *report) {
  put(out, ",\"pending\":[");
  for (size_t i = 0; i < report->pending_count; i++) {
    const op_info *info = &report->pending[i];
    const char *comma = ",";
    put_count(out, i ? ",{\"id\":" : "{\"id\":", info->tag & ~WIRE_TIMER_BIT);
    put_string(out, "\"name\":", info->name, &comma);
    put_string(out, "\"detail\":", report->pending_details ? report->pending_details[i] : NULL,
               &comma);
    put_ms(out, ",\"age_ms\":", info->age_ns);
    put(out, "}");
  }
  put(out, "]");
}

static void put_leaks(cbor_out *out, const run_report *report) {
  put(out, ",\"leaks\":[");
  for (size_t i = 0; i < report->leaks_count; i++) {
    const run_leak *leak = &report->leaks[i];
    const char *comma = ",";
    put_count(out, i ? ",{\"id\":" : "{\"id\":", leak->number);
    put_string(out, "\"name\":", leak->name, &comma);
    put_ms(out, ",\"age_ms\":", leak->age_ns);
    put_string(out, "\"site\":", leak->site, &comma);
    put_string(out, "\"host_site\":", leak->host_site, &comma);
    put(out, "}");
  }
  put(out, "]");
}

static void put_audit(cbor_out *out, const run_report_audit *audit) {
  const char *comma = ",";
  put_count(out, ",\"audit\":{\"lines\":", audit->lines);
  put_string(out, "\"last\":", audit->last, &comma);
  put_count(out, ",\"dropped\":", audit->dropped);
  put(out, "}");
}

static void put_report(cbor_out *out, const run_report *report, const run_report_audit *audit) {
  const char *comma = ",";
  put(out, "{\"version\":1");
  put_string(out, "\"outcome\":", run_outcome_text(report->outcome), &comma);
  if (report->value) {
    put(out, ",\"value\":");
    put(out, report->value);
  }
  if (report->outcome != RUN_VALUE)
    put_error(out, report);
  put_operations(out, &report->operations);
  put_ms(out, ",\"time\":{\"wall_ms\":", report->wall_ns);
  put_ms(out, ",\"guest_ms\":", report->guest_ns);
  put_ms(out, ",\"host_wait_ms\":", report->host_wait_ns);
  put_ms(out, ",\"ready_ms\":", report->ready_ns);
  put_count(out, "},\"memory\":{\"peak_bytes\":", report->memory_peak);
  put_count(out, ",\"limit_bytes\":", report->memory_limit);
  put(out, "}");
  put_pending(out, report);
  if (report->debug)
    put_leaks(out, report);
  if (audit)
    put_audit(out, audit);
  put(out, "}");
}

char *run_report_json(const run_report *report, const run_report_audit *audit,
                      const vow_allocator *allocator) {
  cbor_out out;
  cbor_out_init(&out, allocator, REPORT_BYTES_MAX);
  put_report(&out, report, audit);
  cbor_put_raw(&out, "", 1);
  size_t len;
  return (char *)cbor_out_take(&out, &len);
}
