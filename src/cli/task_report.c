#include "cli/task_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

static const cbor_limits limits = {CBOR_DEPTH_MAX, SIZE_MAX, SIZE_MAX};

static void put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

static void put_string(cbor_out *out, const char *label, const char *text) {
  if (!text)
    return;
  put(out, label);
  json_put_string(out, text, strlen(text));
}

static void put_count(cbor_out *out, const char *label, uint64_t count) {
  char text[32];
  put(out, label);
  cbor_put_raw(out, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, count));
}

/* Microseconds are what a clock can tell. */
static void put_ms(cbor_out *out, const char *label, uint64_t ns) {
  put(out, label);
  json_put_number(out, (double)(ns / 1000) / 1000.0);
}

/* ---- values ---- */

static cbor_status put_bytes(const vow_task_result *result, cbor_out *out) {
  cbor_out bytes;
  cbor_out_init(&bytes, out->allocator, SIZE_MAX);
  cbor_put_bytes(&bytes, result->value, result->value_len);
  cbor_status status = bytes.status;
  if (status == CBOR_OK)
    status = json_from_cbor(bytes.data, bytes.len, &limits, out);
  cbor_out_free(&bytes);
  return status;
}

cbor_status task_report_value(const vow_task_result *result, cbor_out *out) {
  if (!result->value) {
    put(out, "null");
    return out->status;
  }
  if (cbor_check(result->value, result->value_len, &limits) != CBOR_OK)
    return put_bytes(result, out);
  return json_from_cbor(result->value, result->value_len, &limits, out);
}

/* ---- the report ---- */

const char *task_report_outcome(vow_state state) {
  return state == VOW_FULFILLED      ? "value"
         : state == VOW_TIMED_OUT    ? "limit"
         : state == VOW_OP_CANCELLED ? "cancelled"
                                     : "error";
}

static const char *state_text(vow_state state) {
  static const char *const texts[] = {
      [VOW_PENDING] = "pending",   [VOW_RUNNING] = "running",     [VOW_FULFILLED] = "fulfilled",
      [VOW_REJECTED] = "rejected", [VOW_TIMED_OUT] = "timed_out", [VOW_OP_CANCELLED] = "cancelled"};
  return texts[state];
}

static const char *kind_text(vow_state state) {
  return state == VOW_TIMED_OUT ? "timeout" : state == VOW_OP_CANCELLED ? "cancelled" : "script";
}

static void put_error(cbor_out *out, const vow_task_result *result) {
  put(out, ",\"error\":{\"kind\":");
  json_put_string(out, kind_text(result->state), strlen(kind_text(result->state)));
  put_string(out, ",\"name\":", result->error_type);
  put_string(out, ",\"message\":", result->error_message);
  put_string(out, ",\"stack\":", result->error_detail);
  put(out, "}");
}

/* A task that is live, of a group that has settled, has no result. */
static void put_task(cbor_out *out, const char *name, vow_task *task) {
  const vow_task_result *result = task ? vow_task_result_of(task) : NULL;
  put(out, "{\"name\":");
  json_put_string(out, name, strlen(name));
  put_string(out, ",\"state\":", task ? state_text(vow_task_state(task)) : "cancelled");
  put_count(out, ",\"attempts\":", result ? result->attempts : 0);
  put_ms(out, ",\"run_ms\":", result ? result->run_ns : 0);
  put_ms(out, ",\"age_ms\":", result ? result->age_ns : 0);
  if (result && result->state != VOW_FULFILLED)
    put_error(out, result);
  put(out, "}");
}

static void put_tasks(cbor_out *out, const task_report *report) {
  put(out, ",\"tasks\":[");
  for (size_t i = 0; i < report->count; i++) {
    put(out, i ? "," : "");
    put_task(out, report->names[i], report->tasks[i]);
  }
  put(out, "]");
  if (report->group && vow_task_winner(report->task) != SIZE_MAX)
    put_count(out, ",\"winner\":", vow_task_winner(report->task));
}

static void put_counts(cbor_out *out, const vow_task_counts *counts) {
  put_count(out, ",\"counts\":{\"created\":", counts->created);
  put_count(out, ",\"fulfilled\":", counts->fulfilled);
  put_count(out, ",\"rejected\":", counts->rejected);
  put_count(out, ",\"timed_out\":", counts->timed_out);
  put_count(out, ",\"cancelled\":", counts->cancelled);
  put_count(out, ",\"live\":", counts->live);
  put_count(out, ",\"active\":", counts->active);
  put_count(out, ",\"retries\":", counts->retries);
  put_count(out, ",\"late\":", counts->late);
  put_count(out, ",\"retired\":", counts->retired);
  put(out, "}");
}

void task_report_put(const task_report *report, const char *value, size_t value_len,
                     cbor_out *out) {
  const vow_task_result *result = vow_task_result_of(report->task);
  put(out, "{\"version\":1");
  put_string(out, ",\"outcome\":", task_report_outcome(result->state));
  if (result->state == VOW_FULFILLED) {
    put(out, ",\"value\":");
    cbor_put_raw(out, value, value_len);
  } else {
    put_error(out, result);
  }
  put_tasks(out, report);
  put_counts(out, report->counts);
  put_ms(out, ",\"time\":{\"wall_ms\":", report->wall_ns);
  put(out, "}}");
}
