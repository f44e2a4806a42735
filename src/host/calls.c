/* Calls of registered operations: requests of ours, and the host's answers.
 *
 * A call's place is taken until the host has answered it, or is gone, whatever
 * became of the caller: a handler's end is awaited separately. Its id on the wire is
 * the place with a generation, so that an answer given twice is told apart. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"
#include "guest/wire.h"
#include "host/schema.h"
#include "host/session_int.h"

#define PLACE_BITS 17u
#define GENERATIONS (UINT32_C(1) << 31) /* an id is a safe integer of script */
#define CALLS_FIRST 64u
#define NS_PER_MS 1e6
#define WORD_MAX 64u
#define ERROR_TEXT_MAX 4096u

_Static_assert(CALLS_MAX < 1u << PLACE_BITS, "a place fits into an id");

/* ---- places ---- */

static bool grow(session *session) {
  uint32_t size = session->calls_size ? session->calls_size * 2 : CALLS_FIRST;
  if (size > CALLS_MAX)
    return false;
  remote_call *calls = mem_resize(session->options.allocator, session->calls, size, sizeof *calls);
  if (!calls)
    return false;
  for (uint32_t i = size; i-- > session->calls_size;) {
    calls[i] = (remote_call){.next_free = session->calls_free};
    session->calls_free = i + 1;
  }
  session->calls = calls;
  session->calls_size = size;
  return true;
}

static bool take_place(session *session, host_call *call, uint32_t *place) {
  if (!session->calls_free && !grow(session))
    return false;
  *place = session->calls_free - 1;
  remote_call *remote = &session->calls[*place];
  session->calls_free = remote->next_free;
  remote->generation = remote->generation % (GENERATIONS - 1) + 1;
  remote->call = call;
  session->calls_count++;
  return true;
}

static host_call *free_place(session *session, uint32_t place) {
  remote_call *remote = &session->calls[place];
  host_call *call = remote->call;
  remote->call = NULL;
  remote->next_free = session->calls_free;
  session->calls_free = place + 1;
  session->calls_count--;
  return call;
}

static uint64_t wire_id(const session *session, uint32_t place) {
  return (uint64_t)session->calls[place].generation << PLACE_BITS | place;
}

static bool find_place(const session *session, const rpc_id *id, uint32_t *place) {
  uint64_t number = 0;
  if (id->len == 0 || id->len > 16)
    return false;
  for (size_t i = 0; i < id->len; i++) {
    if (id->text[i] < '0' || id->text[i] > '9')
      return false;
    number = number * 10 + (uint64_t)(id->text[i] - '0');
  }
  uint64_t at = number & ((1u << PLACE_BITS) - 1);
  if (at >= session->calls_size || !session->calls[at].call ||
      session->calls[at].generation != number >> PLACE_BITS)
    return false;
  *place = (uint32_t)at;
  return true;
}

/* ---- to the host ---- */

static void reject(host_call *call, const char *name, const char *code, const char *message,
                   bool transient) {
  const host_error error = {name, code, message, transient};
  host_call_reject(call, &error);
}

/* What the call gives for each parameter is as its schema says. */
static bool check_arguments(const operation *operation, host_call *call, char *message,
                            size_t size) {
  size_t len, at = 0;
  each list;
  cbor_kind kind;
  cbor_in arguments, item;
  cbor_item head;
  char name[sizeof operation->parameters[0].name + 80];
  const uint8_t *bytes = host_call_arguments(call, &len);
  cbor_in_init(&arguments, bytes, len);
  each_begin(&list, arguments, &kind);
  for (; at < operation->parameters_count && each_item(&list, &item); at++) {
    bool absent = cbor_peek(&item, &head) == CBOR_OK && head.kind == CBOR_UNDEFINED;
    if (absent && operation->parameters[at].optional)
      continue;
    snprintf(name, sizeof name, "%s: %s", operation->name, operation->parameters[at].name);
    if (!schema_check(operation->parameters[at].schema, item, name, message, size))
      return false;
  }
  if (at < operation->parameters_count && !operation->parameters[at].optional) {
    snprintf(message, size, "%s: %s is missing", operation->name, operation->parameters[at].name);
    return false;
  }
  return true;
}

static void put_number(cbor_out *out, uint64_t number) {
  if (number == UINT64_MAX)
    rpc_put(out, "null"); /* no limit */
  else
    json_put_number(out, (double)number);
}

static uint32_t place_of(host_call *call) {
  return (uint32_t)((uintptr_t)host_call_data(call) - 1);
}

/* False when there is an argument that cannot be said. */
static bool put_request(const operation *operation, host_call *call, cbor_out *out) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  const session_run *run = host_call_run_user(call);
  size_t len;
  const uint8_t *arguments = host_call_arguments(call, &len);
  rpc_put(out, "{\"jsonrpc\":\"2.0\",\"id\":");
  rpc_put_count(out, wire_id(operation->session, place_of(call)));
  rpc_put(out, ",\"method\":\"call\",\"params\":{\"run\":");
  /* An answer that runs share may be asked for again when the first one is gone. */
  if (run)
    cbor_put_raw(out, run->id.text, run->id.len);
  else
    rpc_put(out, "null");
  rpc_put(out, ",\"operation\":");
  rpc_put_count(out, host_call_number(call));
  rpc_put(out, ",\"name\":");
  rpc_put_string(out, operation->name);
  rpc_put(out, ",\"attempt\":");
  rpc_put_count(out, host_call_attempt(call));
  rpc_put(out, ",\"remaining_ms\":");
  put_number(out, host_call_remaining_ms(call));
  rpc_put(out, ",\"calls_left\":");
  put_number(out, host_call_calls_left(call));
  rpc_put(out, ",\"arguments\":");
  bool good = json_forms_from_cbor(arguments, len, &limits, out) == CBOR_OK;
  rpc_put(out, "}}");
  return good;
}

/* It was not sent: for want of memory, or because it is too large. */
static void fail_unsent(session *session, host_call *call, bool too_large) {
  free_place(session, place_of(call));
  if (too_large)
    reject(call, "RangeError", "OUT_OF_RANGE", "the arguments are too large to be sent", false);
  else
    reject(call, "ApiError", "NO_MEMORY", "the host is out of memory", true);
}

static void send_request(const operation *operation, host_call *call) {
  session *session = operation->session;
  cbor_out *out = &session->out;
  size_t start = out->len;
  bool good = put_request(operation, call, out) && out->len - start <= session->options.message_max;
  bool written = session_message_end(session, start);
  if (good && written)
    return;
  out->len = start;
  fail_unsent(session, call, written);
}

/* Sends an array of as many as fit into a message. How many are done with, at least
 * one: the first one fails if it does not fit alone. What is rejected may bring other
 * messages, so none is while the array is open. */
static size_t send_array(const operation *operation, host_call **calls, size_t count) {
  session *session = operation->session;
  cbor_out *out = &session->out;
  size_t start = out->len, before = start, sent = 0;
  bool written = true;
  for (; sent < count; sent++) {
    before = out->len;
    rpc_put(out, sent ? "," : "[");
    if (!put_request(operation, calls[sent], out) || out->status != CBOR_OK ||
        out->len - start >= session->options.message_max)
      break;
  }
  if (sent < count) {
    written = out->status == CBOR_OK;
    out->status = CBOR_OK;
    out->len = before;
  }
  if (sent == 0) {
    fail_unsent(session, calls[0], written);
    return 1;
  }
  rpc_put(out, "]");
  if (!session_message_end(session, start))
    for (size_t i = 0; i < sent; i++)
      fail_unsent(session, calls[i], false);
  return sent;
}

/* Whether it is to be sent, and has a place then; else it is rejected. */
static bool admit(const operation *operation, host_call *call) {
  session *session = operation->session;
  char message[MESSAGE_TEXT];
  uint32_t place;
  if (!check_arguments(operation, call, message, sizeof message))
    reject(call, "TypeError", "INVALID_ARGUMENT", message, false);
  else if (session->deaf)
    reject(call, "ApiError", "HOST_GONE", "the program that has the operation is gone", false);
  else if (session->backlog + session->out.len > SESSION_BACKLOG_MAX ||
           !take_place(session, call, &place))
    reject(call, "ApiError", "BUSY", "the program that has the operation does not keep up", true);
  else {
    host_call_set_data(call, (void *)((uintptr_t)place + 1));
    return true;
  }
  return false;
}

void calls_start(host_call *call, void *user) {
  const operation *operation = user;
  if (admit(operation, call))
    send_request(operation, call);
}

void calls_start_batch(host_call **calls, size_t count, void *user) {
  const operation *operation = user;
  size_t admitted = 0, sent = 0;
  for (size_t i = 0; i < count; i++)
    if (admit(operation, calls[i]))
      calls[admitted++] = calls[i];
  while (sent < admitted)
    sent += send_array(operation, calls + sent, admitted - sent);
}

void calls_stop(host_call *call, void *user) {
  const operation *operation = user;
  session *session = operation->session;
  uint32_t place = place_of(call);
  if (session->deaf || place >= session->calls_size || session->calls[place].call != call)
    return;
  size_t start = session->out.len;
  rpc_put_notification_head(&session->out, "cancelled");
  rpc_put(&session->out, "{\"call\":");
  rpc_put_count(&session->out, wire_id(session, place));
  rpc_put(&session->out, "}}");
  session_message_end(session, start);
  const session_run *run = host_call_run_user(call);
  if (run)
    runs_end_nested(session, run, wire_id(session, place));
}

/* ---- from the host ---- */

typedef struct error_data {
  field_text name, code;
  bool transient;
} error_data;

/* Cut at a whole character, and at a zero byte. */
static void copy_word(char *to, size_t size, field_text from) {
  size_t len = from.text ? strnlen(from.text, from.len < size ? from.len : size - 1) : 0;
  while (len > 0 && !utf8_valid((const uint8_t *)from.text, len))
    len--;
  if (len > 0)
    memcpy(to, from.text, len);
  to[len] = 0;
}

/* Whatever members the error has, those that are as they should be count. */
static void read_error(cbor_in error, error_data *data, field_text *message) {
  cbor_in value, member;
  *data = (error_data){0};
  *message = (field_text){"the operation failed", strlen("the operation failed")};
  if (cbor_find(&error, "message", &value))
    field_is_text(value, message);
  if (!cbor_find(&error, "data", &value))
    return;
  if (cbor_find(&value, "name", &member))
    field_is_text(member, &data->name);
  if (cbor_find(&value, "code", &member))
    field_is_text(member, &data->code);
  if (cbor_find(&value, "transient", &member) &&
      cbor_get_bool(&member, &data->transient) != CBOR_OK)
    data->transient = false;
}

static void answer_failure(host_call *call, cbor_in error) {
  char name[WORD_MAX + 1], code[WORD_MAX + 1], text[ERROR_TEXT_MAX + 1];
  error_data data;
  field_text message;
  read_error(error, &data, &message);
  copy_word(name, sizeof name, data.name);
  copy_word(code, sizeof code, data.code);
  copy_word(text, sizeof text, message);
  const host_error failure = {name[0] ? name : NULL, code[0] ? code : NULL, text, data.transient};
  host_call_reject(call, &failure);
}

void calls_answer(session *session, const rpc_message *message) {
  uint32_t place;
  cbor_in end = message->outcome;
  if (session->deaf || !find_place(session, &message->id, &place)) {
    session->strays++;
    return;
  }
  host_call *call = free_place(session, place);
  if (message->kind == RPC_FAILURE) {
    answer_failure(call, message->outcome);
    return;
  }
  cbor_skip(&end);
  host_call_fulfil(call, message->outcome.at, (size_t)(end.at - message->outcome.at));
}

host_call *calls_find(const session *session, const rpc_id *id, uint64_t *wire) {
  uint32_t place;
  if (!find_place(session, id, &place))
    return NULL;
  *wire = wire_id(session, place);
  return session->calls[place].call;
}

typedef struct progress_fields {
  field_value call, value;
} progress_fields;

void calls_progress(session *session, cbor_in params) {
  static const field_spec specs[] = {
      {"call", FIELD_VALUE, true, offsetof(progress_fields, call), 0, 0},
      {"value", FIELD_VALUE, true, offsetof(progress_fields, value), 0, 0}};
  progress_fields fields = {0};
  char message[MESSAGE_TEXT];
  rpc_id id;
  uint64_t wire;
  host_call *call = NULL;
  if (fields_read(specs, 2, params, "progress", &fields, message, sizeof message) &&
      rpc_id_read(fields.call.in, &id))
    call = calls_find(session, &id, &wire);
  if (!call) {
    session->strays++;
    return;
  }
  session_run *run = host_call_run_user(call);
  if (run && run->progress)
    progress_value(run, call, host_call_name(call), fields.value.in);
}

void calls_end(session *session) {
  for (uint32_t i = 0; i < session->calls_size; i++)
    if (session->calls[i].call)
      reject(free_place(session, i), "ApiError", "HOST_GONE",
             "the program that has the operation is gone", false);
}
