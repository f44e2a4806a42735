/* What the operations of a run do, told to a host that wants to know. */
#include "api/api.h"
#include "core/json.h"
#include "guest/wire.h"
#include "host/session_int.h"

#define NS_PER_MS 1e6

/* Begins a message; false when the host does not keep up. */
static bool begin(session_run *run, const char *event, uint64_t operation, const char *name) {
  session *session = run->session;
  cbor_out *out = &session->out;
  if (session->backlog + out->len > SESSION_BACKLOG_MAX) {
    session->progress_dropped++;
    return false;
  }
  rpc_put_notification_head(out, "progress");
  rpc_put(out, "{\"run\":");
  cbor_put_raw(out, run->id.text, run->id.len);
  rpc_put(out, ",\"event\":");
  rpc_put_string(out, event);
  rpc_put(out, ",\"operation\":");
  rpc_put_count(out, operation);
  rpc_put(out, ",\"name\":");
  rpc_put_string(out, name);
  return true;
}

static void end(session *session, size_t start) {
  rpc_put(&session->out, "}}");
  if (!session_message_end(session, start))
    session->progress_dropped++;
}

static void put_text(cbor_out *out, const char *key, const char *text) {
  if (!text)
    return;
  rpc_put(out, key);
  rpc_put_string(out, text);
}

static void put_ms(cbor_out *out, const char *key, uint64_t ns) {
  rpc_put(out, key);
  json_put_number(out, (double)(ns / 1000) / 1000);
}

void progress_event(session_run *run, const run_event *event) {
  session *session = run->session;
  cbor_out *out = &session->out;
  size_t start = out->len;
  if (!begin(run, run_event_text(event), event->number, event->name))
    return;
  put_text(out, ",\"detail\":", event->detail);
  put_text(out, ",\"state\":", op_state_text(event->state));
  put_text(out, ",\"error\":", event->error);
  rpc_put(out, ",\"attempt\":");
  rpc_put_count(out, event->attempt);
  put_ms(out, ",\"at_ms\":", event->at_ns);
  put_ms(out, ",\"age_ms\":", event->age_ns);
  end(session, start);
}

void progress_value(session_run *run, const host_call *call, const char *name, cbor_in value) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  session *session = run->session;
  size_t start = session->out.len;
  cbor_in after = value;
  if (cbor_skip(&after) != CBOR_OK || !begin(run, "progress", host_call_number(call), name))
    return;
  rpc_put(&session->out, ",\"value\":");
  json_forms_from_cbor(value.at, (size_t)(after.at - value.at), &limits, &session->out);
  end(session, start);
}
