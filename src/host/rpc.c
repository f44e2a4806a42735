#include "host/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* ---- reading ---- */

bool rpc_id_read(cbor_in value, rpc_id *id) {
  static const cbor_limits limits = {2, 4, 4096};
  cbor_item item;
  cbor_out text;
  cbor_in from = value;
  id->len = 0;
  if (cbor_peek(&value, &item) != CBOR_OK ||
      (item.kind != CBOR_UINT && item.kind != CBOR_NEGINT && item.kind != CBOR_TEXT) ||
      cbor_skip(&value) != CBOR_OK)
    return false;
  cbor_out_fixed(&text, (uint8_t *)id->text, sizeof id->text);
  if (json_from_cbor(from.at, (size_t)(value.at - from.at), &limits, &text) != CBOR_OK)
    return false;
  id->len = text.len;
  return true;
}

bool rpc_id_same(const rpc_id *a, const rpc_id *b) {
  return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

typedef struct members {
  field_value jsonrpc, id, method, params, result, error;
} members;

static void find_members(each *object, members *found) {
  static const struct {
    const char *name;
    size_t offset;
  } names[] = {{"jsonrpc", offsetof(members, jsonrpc)}, {"id", offsetof(members, id)},
               {"method", offsetof(members, method)},   {"params", offsetof(members, params)},
               {"result", offsetof(members, result)},   {"error", offsetof(members, error)}};
  field_text key;
  cbor_in value;
  while (each_pair(object, &key.text, &key.len, &value))
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      if (field_same(key, names[i].name))
        *(field_value *)(void *)((char *)found + names[i].offset) = (field_value){true, value};
}

static bool is_structured(cbor_in value) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK && (item.kind == CBOR_ARRAY || item.kind == CBOR_MAP);
}

static void read_call(const members *found, rpc_message *message) {
  if (!field_is_text(found->method.in, &message->method))
    message->wrong = "method must be a string";
  else if (found->id.given && message->id.len == 0)
    message->wrong = "id must be a string of up to 198 bytes as JSON, or a whole number";
  else if (found->result.given || found->error.given)
    message->wrong = "a request has no result and no error";
  else if (found->params.given && !is_structured(found->params.in))
    message->wrong = "params must be an object or an array";
  else
    message->kind = found->id.given ? RPC_REQUEST : RPC_NOTIFICATION;
  message->params = found->params;
}

static void read_answer(const members *found, rpc_message *message) {
  if (found->result.given == found->error.given)
    message->wrong = found->result.given ? "an answer has either a result or an error"
                                         : "there is neither a method nor a result nor an error";
  else if (message->id.len == 0)
    message->wrong = "an answer needs the id of the call";
  else
    message->kind = found->result.given ? RPC_RESULT : RPC_FAILURE;
  message->outcome = found->result.given ? found->result.in : found->error.in;
}

void rpc_read(cbor_in in, rpc_message *message) {
  each object;
  cbor_kind kind;
  field_text version;
  members found = {0};
  *message = (rpc_message){.kind = RPC_WRONG};
  if (!each_begin(&object, in, &kind) || kind != CBOR_MAP) {
    message->wrong = "a message must be an object";
    return;
  }
  find_members(&object, &found);
  if (found.id.given)
    rpc_id_read(found.id.in, &message->id);
  if (!found.jsonrpc.given || !field_is_text(found.jsonrpc.in, &version) ||
      !field_same(version, "2.0"))
    message->wrong = "jsonrpc must be \"2.0\"";
  else if (found.method.given)
    read_call(&found, message);
  else
    read_answer(&found, message);
}

/* ---- writing ---- */

void rpc_put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

void rpc_put_string(cbor_out *out, const char *text) {
  json_put_string(out, text, strlen(text));
}

void rpc_put_count(cbor_out *out, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  rpc_put(out, text);
}

static void put_id(cbor_out *out, const rpc_id *id) {
  rpc_put(out, "{\"jsonrpc\":\"2.0\",\"id\":");
  if (id->len)
    cbor_put_raw(out, id->text, id->len);
  else
    rpc_put(out, "null");
}

void rpc_put_result_head(cbor_out *out, const rpc_id *id) {
  put_id(out, id);
  rpc_put(out, ",\"result\":");
}

void rpc_put_error(cbor_out *out, const rpc_id *id, int code, const char *message) {
  char text[16];
  snprintf(text, sizeof text, "%d", code);
  put_id(out, id);
  rpc_put(out, ",\"error\":{\"code\":");
  rpc_put(out, text);
  rpc_put(out, ",\"message\":");
  rpc_put_string(out, message);
  rpc_put(out, "}}");
}

void rpc_put_notification_head(cbor_out *out, const char *method) {
  rpc_put(out, "{\"jsonrpc\":\"2.0\",\"method\":");
  rpc_put_string(out, method);
  rpc_put(out, ",\"params\":");
}
