#include "host/session.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "core/json_read.h"
#include "guest/wire.h"
#include "host/session_int.h"

/* A buffer larger than this is not kept from line to line. */
#define KEPT_CAP ((size_t)1 << 20)
#define OUTPUT_MAX ((size_t)1 << 30)
/* A number of three characters may take nine bytes, and a comma none. */
#define PARSED_FACTOR 4u
#define PARSED_SLACK 64u
#define NODES_MAX ((size_t)1 << 24)

static void on_line(void *user, line_kind kind, const uint8_t *text, size_t len);

session *session_open(const session_options *options) {
  session *session = mem_new(options->allocator, 1, sizeof *session);
  if (!session)
    return NULL;
  session->options = *options;
  session->lines = (lines){.allocator = options->allocator,
                           .max = options->message_max,
                           .on_line = on_line,
                           .user = session};
  cbor_out_init(&session->out, options->allocator, OUTPUT_MAX);
  cbor_out_init(&session->parsed, options->allocator,
                options->message_max * PARSED_FACTOR + PARSED_SLACK);
  session->registry.allocator = options->allocator;
  if (api_registry_add_all(&session->registry, options->built_ins, options->built_ins_count))
    return session;
  session_close(session);
  return NULL;
}

void session_close(session *session) {
  if (!session)
    return;
  lines_free(&session->lines);
  cbor_out_free(&session->out);
  cbor_out_free(&session->parsed);
  operations_free(session);
  mem_free(session->options.allocator, session->calls);
  mem_free(session->options.allocator, session);
}

/* ---- answers ---- */

bool session_message_end(session *session, size_t start) {
  cbor_out *out = &session->out;
  cbor_put_raw(out, "\n", 1);
  if (out->status == CBOR_OK)
    return true;
  out->status = CBOR_OK;
  out->len = start;
  return false;
}

cbor_out *session_answer_begin(session *session, batch *batch, const rpc_id *id) {
  cbor_out *out = batch ? &batch->answers : &session->out;
  if (batch)
    rpc_put(out, batch->answers.len ? "," : "[");
  session->answer_start = out->len; /* only used without a batch */
  rpc_put_result_head(out, id);
  return out;
}

static void end_batch(session *session, batch *batch) {
  if (!batch->complete || batch->pending > 0)
    return;
  size_t start = session->out.len;
  const cbor_out *answers = &batch->answers;
  if (answers->status != CBOR_OK) {
    session->failed = true;
  } else if (answers->len > 0) {
    cbor_put_raw(&session->out, answers->data, answers->len);
    rpc_put(&session->out, "]");
    if (!session_message_end(session, start))
      session->failed = true;
  }
  cbor_out_free(&batch->answers);
  mem_free(session->options.allocator, batch);
}

/* An answer that cannot be written ends the session: nobody may wait for it. */
static void finish(session *session, batch *batch, size_t start) {
  if (!batch) {
    if (!session_message_end(session, start))
      session->failed = true;
    return;
  }
  batch->pending--;
  end_batch(session, batch);
}

void session_answer_end(session *session, batch *batch) {
  cbor_out *out = batch ? &batch->answers : &session->out;
  rpc_put(out, "}");
  finish(session, batch, session->answer_start);
}

void session_answer_error(session *session, batch *batch, const rpc_id *id, int code,
                          const char *message) {
  cbor_out *out = batch ? &batch->answers : &session->out;
  size_t start = session->out.len;
  if (batch)
    rpc_put(out, batch->answers.len ? "," : "[");
  rpc_put_error(out, id, code, message);
  finish(session, batch, start);
}

/* ---- methods ---- */

static void on_ping(session *session, batch *batch, const rpc_message *message) {
  cbor_out *out = session_answer_begin(session, batch, &message->id);
  rpc_put(out, "{\"runs\":");
  rpc_put_count(out, session->live.count);
  rpc_put(out, ",\"waiting\":");
  rpc_put_count(out, session->waiting.count);
  rpc_put(out, ",\"calls\":");
  rpc_put_count(out, session->calls_count);
  rpc_put(out, ",\"strays\":");
  rpc_put_count(out, session->strays);
  rpc_put(out, ",\"logs_dropped\":");
  rpc_put_count(out, session->logs_dropped);
  rpc_put(out, ",\"progress_dropped\":");
  rpc_put_count(out, session->progress_dropped);
  rpc_put(out, "}");
  session_answer_end(session, batch);
}

static void on_version(session *session, batch *batch, const rpc_message *message) {
  cbor_out *out = session_answer_begin(session, batch, &message->id);
  rpc_put(out, "{\"version\":");
  rpc_put_string(out, session->options.version);
  rpc_put(out, ",\"protocol\":1,\"message_bytes_max\":");
  rpc_put_count(out, session->options.message_max);
  rpc_put(out, ",\"runs_max\":");
  rpc_put_count(out, session->options.runs_max);
  rpc_put(out, "}");
  session_answer_end(session, batch);
}

static void on_metrics(session *session, batch *batch, const rpc_message *message) {
  size_t len;
  char *text = recorder_metrics(session->options.recorder, &len);
  if (!text) {
    session_answer_error(session, batch, &message->id, RPC_INTERNAL_ERROR, "out of memory");
    return;
  }
  cbor_out *out = session_answer_begin(session, batch, &message->id);
  rpc_put(out, "{\"metrics\":");
  json_put_string(out, text, len);
  rpc_put(out, "}");
  session_answer_end(session, batch);
  mem_free(session->options.recorder->allocator, text);
}

static void on_register(session *session, batch *batch, const rpc_message *message) {
  char text[MESSAGE_TEXT];
  size_t count;
  if (!operations_register(session, message->params.in, &count, text, sizeof text)) {
    session_answer_error(session, batch, &message->id, RPC_INVALID_PARAMS, text);
    return;
  }
  cbor_out *out = session_answer_begin(session, batch, &message->id);
  rpc_put(out, "{\"registered\":");
  rpc_put_count(out, count);
  rpc_put(out, "}");
  session_answer_end(session, batch);
}

static void on_eval(session *session, batch *batch, const rpc_message *message) {
  runs_eval(session, batch, &message->id, message->params.in);
}

static bool read_id(const rpc_message *message, const char *method, rpc_id *id, char *text,
                    size_t size) {
  static const field_spec specs[] = {{"id", FIELD_VALUE, true, 0, 0, 0}};
  field_value value = {0};
  if (!fields_read(specs, 1, message->params.in, method, &value, text, size))
    return false;
  if (rpc_id_read(value.in, id))
    return true;
  snprintf(text, size, "%s: id must be a string or a whole number", method);
  return false;
}

static void on_cancel(session *session, batch *batch, const rpc_message *message) {
  char text[MESSAGE_TEXT];
  rpc_id id;
  if (!read_id(message, "cancel", &id, text, sizeof text)) {
    session_answer_error(session, batch, &message->id, RPC_INVALID_PARAMS, text);
    return;
  }
  bool found = runs_cancel(session, &id);
  rpc_put(session_answer_begin(session, batch, &message->id),
          found ? "{\"cancelled\":true}" : "{\"cancelled\":false}");
  session_answer_end(session, batch);
}

static void on_types(session *session, batch *batch, const rpc_message *message) {
  static const field_spec specs[] = {{"allow", FIELD_VALUE, false, 0, 0, 0}};
  char text[MESSAGE_TEXT];
  field_value allow = {0};
  grant grant;
  if ((message->params.given &&
       !fields_read(specs, 1, message->params.in, "types", &allow, text, sizeof text)) ||
      !operations_grant(session, session->registry.count, allow, &grant, text, sizeof text)) {
    session_answer_error(session, batch, &message->id, RPC_INVALID_PARAMS, text);
    return;
  }
  operations_put_types(session, &grant, session_answer_begin(session, batch, &message->id));
  session_answer_end(session, batch);
  operations_grant_end(session, &grant);
}

static const struct {
  const char *name;
  void (*run)(session *session, batch *batch, const rpc_message *message);
  bool needs_params;
} methods[] = {
    {"eval", on_eval, true},        {"register", on_register, true}, {"cancel", on_cancel, true},
    {"types", on_types, false},     {"ping", on_ping, false},        {"version", on_version, false},
    {"metrics", on_metrics, false},
};
#define METHODS (sizeof methods / sizeof *methods)

static void on_request(session *session, batch *batch, const rpc_message *message) {
  char text[MESSAGE_TEXT];
  size_t i = 0;
  while (i < METHODS && !field_same(message->method, methods[i].name))
    i++;
  if (i == METHODS) {
    snprintf(
        text, sizeof text,
        "there is no method '%s'; there are: register, eval, cancel, types, ping, metrics, version",
        api_quoted(message->method.text, message->method.len).text);
    session_answer_error(session, batch, &message->id, RPC_METHOD_NOT_FOUND, text);
  } else if (methods[i].needs_params && !message->params.given) {
    snprintf(text, sizeof text, "%s: params are missing", methods[i].name);
    session_answer_error(session, batch, &message->id, RPC_INVALID_PARAMS, text);
  } else {
    methods[i].run(session, batch, message);
  }
}

/* A notification gets no answer, whatever it says. */
static void on_notification(session *session, const rpc_message *message) {
  rpc_id id;
  char text[MESSAGE_TEXT];
  if (field_same(message->method, "progress") && message->params.given) {
    calls_progress(session, message->params.in);
    return;
  }
  bool known = message->params.given && read_id(message, "cancel", &id, text, sizeof text) &&
               field_same(message->method, "cancel") && runs_cancel(session, &id);
  if (!known)
    session->strays++;
}

/* ---- messages ---- */

static void handle(session *session, batch *batch, cbor_in in) {
  rpc_message message;
  rpc_read(in, &message);
  bool answered = message.kind == RPC_REQUEST || message.kind == RPC_WRONG;
  if (batch && answered)
    batch->pending++;
  if (message.kind == RPC_REQUEST)
    on_request(session, batch, &message);
  else if (message.kind == RPC_NOTIFICATION)
    on_notification(session, &message);
  else if (message.kind == RPC_WRONG)
    session_answer_error(session, batch, &message.id, RPC_INVALID_REQUEST, message.wrong);
  else
    calls_answer(session, &message);
}

static void fail_line(session *session, int code, const char *message) {
  static const rpc_id none = {0};
  session_answer_error(session, NULL, &none, code, message);
}

/* A message that was not read may have been a request or the answer of a call, and
 * whoever waits for it would wait for ever. */
static void lose_message(session *session) {
  fail_line(session, RPC_INTERNAL_ERROR, "out of memory for the message");
  session->failed = true;
}

static void handle_batch(session *session, each *list) {
  cbor_in item;
  struct batch *batch = mem_new(session->options.allocator, 1, sizeof *batch);
  if (!batch) {
    lose_message(session);
    return;
  }
  cbor_out_init(&batch->answers, session->options.allocator, OUTPUT_MAX);
  batch->pending = 1; /* so that it is not over before its end */
  while (each_item(list, &item))
    handle(session, batch, item);
  batch->pending--;
  batch->complete = true;
  end_batch(session, batch);
}

static void on_message(session *session, cbor_in in) {
  each list;
  cbor_kind kind;
  if (!each_begin(&list, in, &kind) || kind != CBOR_ARRAY) {
    handle(session, NULL, in);
    return;
  }
  each look = list;
  if (each_more(&look))
    handle_batch(session, &list);
  else
    fail_line(session, RPC_INVALID_REQUEST, "an array of messages must not be empty");
}

static bool is_blank(const uint8_t *text, size_t len) {
  while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
    len--;
  return len == 0;
}

static void fail_parse(session *session, cbor_status status, size_t at) {
  char text[120];
  if (status == CBOR_E_DEPTH || status == CBOR_E_NODES) {
    fail_line(session, RPC_INVALID_REQUEST,
              status == CBOR_E_DEPTH ? "the message nests too deep"
                                     : "the message has too many parts");
  } else if (status == CBOR_E_NOMEM || status == CBOR_E_SIZE) {
    lose_message(session);
  } else {
    snprintf(text, sizeof text, "not JSON in UTF-8, wrong at byte %zu", at + 1);
    fail_line(session, RPC_PARSE_ERROR, text);
  }
}

static void parse_line(session *session, const uint8_t *text, size_t len) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, NODES_MAX, SIZE_MAX};
  size_t at;
  cbor_out *parsed = &session->parsed;
  parsed->len = 0;
  parsed->status = CBOR_OK;
  cbor_status status = json_to_cbor(text, len, true, &limits, parsed, &at);
  if (status != CBOR_OK) {
    fail_parse(session, status, at);
  } else {
    cbor_in in;
    cbor_in_init(&in, parsed->data, parsed->len);
    on_message(session, in);
  }
  if (parsed->cap > KEPT_CAP)
    cbor_out_free(parsed);
}

static void on_line(void *user, line_kind kind, const uint8_t *text, size_t len) {
  session *session = user;
  char message[80];
  if (session->ended)
    return;
  if (kind == LINE_TOO_LONG) {
    snprintf(message, sizeof message, "the message is longer than %zu bytes",
             session->options.message_max);
    fail_line(session, RPC_TOO_LARGE, message);
  } else if (kind == LINE_NO_MEMORY) {
    lose_message(session);
  } else if (!is_blank(text, len)) {
    parse_line(session, text, len);
  }
}

/* ---- the whole ---- */

void session_feed(session *session, const uint8_t *bytes, size_t len) {
  /* What may start because of the answers in it starts together. */
  host_answers_begin(session->options.shard);
  lines_feed(&session->lines, bytes, len);
  host_answers_end(session->options.shard);
}

void session_turn(session *session) {
  runs_open_waiting(session);
}

cbor_out *session_output(session *session) {
  return &session->out;
}

void session_set_backlog(session *session, size_t bytes) {
  session->backlog = bytes;
}

void session_deafen(session *session) {
  if (session->deaf)
    return;
  lines_end(&session->lines);
  session->deaf = true;
  calls_end(session);
}

void session_end(session *session) {
  session->ended = session->deaf = true;
  runs_end(session);
  calls_end(session);
  operations_end(session);
}

bool session_idle(const session *session) {
  return session->live.count == 0 && session->waiting.count == 0 && session->calls_count == 0;
}

bool session_failed(const session *session) {
  return session->failed;
}
