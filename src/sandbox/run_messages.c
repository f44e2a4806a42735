/* Messages between a run and its guest (guest/wire.h). What the guest says is
 * untrusted: each body is checked before it is read. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "guest/shared.h"
#include "sandbox/run_int.h"

/* Bytes of one batch beyond its first message. */
#define BATCH_MAX (256u << 10)
/* A CBOR value may be larger than its JSON: the JSON text is what is limited. */
#define RESULT_FACTOR 4u
#define STUCK_BYTES_MAX 4096u
#define RESULT_SLACK 65536u

static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};

/* ---- to the guest ---- */

static size_t room_for(size_t len) {
  return sizeof(wire_header) + ((len + 7u) & ~(size_t)7);
}

bool run_has_room(const run *run, size_t more) {
  size_t held = engine_memory(run->instance) + run->payload_bytes;
  return more <= run->options.limits.memory_bytes &&
         held <= run->options.limits.memory_bytes - more;
}

static run_message *new_message(run *run, size_t len) {
  run_message *message = NULL;
  if (len > RUN_START_BYTES_MAX || !run_has_room(run, len))
    run_fail(run, RUN_KIND_MEMORY, "a value for the guest does not fit into its memory");
  else if (!(message = mem_resize(shard_allocator(run->shard), NULL, 1, sizeof *message + len)))
    run_fail_for_memory(run);
  return message;
}

bool run_put(run *run, uint32_t type, uint64_t id, const void *body, size_t len) {
  run_message *message = new_message(run, len);
  if (!message) {
    value_release(body, len);
    return false;
  }
  message->next = NULL;
  message->header = (wire_header){type, (uint32_t)len, id};
  if (len)
    memcpy(message->body, body, len);
  if (run->last)
    run->last->next = message;
  else
    run->first = message;
  run->last = message;
  run->payload_bytes += len;
  return true;
}

bool run_send(run *run, uint32_t type, uint64_t id, const void *body, size_t len) {
  if (run->state == RUN_FINISHED) {
    value_release(body, len);
    return false;
  }
  bool put = run_put(run, type, id, body, len);
  run_wake(run);
  return put;
}

static size_t result_max(const run_options *options) {
  uint64_t max = options->limits.result_bytes;
  return max < WIRE_MESSAGE_MAX ? (size_t)max : WIRE_MESSAGE_MAX;
}

static void put_kinds(const run_options *options, cbor_out *out) {
  cbor_put_array(out, options->kinds_count);
  for (size_t i = 0; i < options->kinds_count; i++) {
    cbor_put_array(out, 4);
    cbor_put_cstring(out, options->kinds[i].name);
    cbor_put_uint(out, options->kinds[i].arguments);
    cbor_put_bool(out, options->kinds[i].options_last);
    cbor_put_uint(out, i);
  }
}

void run_put_start(const uint8_t seeds[12], const run_options *options, bool loaded,
                   cbor_out *out) {
  cbor_put_array(out, WIRE_START_FIELDS);
  cbor_put_bytes(out, seeds, 12);
  cbor_put_uint(out, options->limits.stack_bytes);
  cbor_put_bool(out, options->module);
  cbor_put_cstring(out, options->name);
  if (loaded)
    cbor_put_null(out);
  else
    cbor_put_bytes(out, options->source, options->source_len);
  if (options->context_cbor)
    cbor_put_bytes(out, options->context_cbor, options->context_cbor_len);
  else
    cbor_put_cstring(out, options->context ? options->context : "{}");
  if (loaded)
    cbor_put_array(out, 0);
  else
    put_kinds(options, out);
  cbor_put_uint(out, (uint64_t)result_max(options) * RESULT_FACTOR + RESULT_SLACK);
  cbor_put_bool(out, options->debug);
}

static unsigned long long kib(size_t bytes) {
  return bytes / 1024 + (bytes % 1024 != 0);
}

/* The run is opened all the same, for it to end as one that hit a limit. */
static bool refuse_start(run *run, size_t context_len) {
  run_fail_limit(run, RUN_KIND_MEMORY,
                 "the script (%llu KiB) and its context (%llu KiB) do not fit into the memory of "
                 "the run (%s)",
                 kib(run->options.source_len), kib(context_len), run_names(run)->memory);
  run_wake(run);
  return true;
}

bool run_start_message(run *run) {
  cbor_out out;
  bool loaded = run_template_loaded(&run->options) != NULL;
  size_t source_len = loaded ? 0 : run->options.source_len;
  size_t context_len = run->options.context_cbor ? run->options.context_cbor_len
                       : run->options.context    ? strlen(run->options.context)
                                                 : 0;
  if (source_len > RUN_START_BYTES_MAX || context_len > RUN_START_BYTES_MAX ||
      !run_has_room(run, source_len + context_len))
    return refuse_start(run, context_len);
  cbor_out_init(&out, shard_allocator(run->shard), RUN_START_BYTES_MAX);
  uint8_t seeds[12];
  shard_seeds(run->shard, seeds);
  run_put_start(seeds, &run->options, loaded, &out);
  bool sent;
  if (out.status == CBOR_E_SIZE || (out.status == CBOR_OK && !run_has_room(run, out.len)))
    sent = refuse_start(run, context_len);
  else
    sent = out.status == CBOR_OK && run_send(run, WIRE_START, 0, out.data, out.len);
  cbor_out_free(&out);
  return sent;
}

/* How much of the queue goes into this turn. */
static size_t batch_size(const run *run) {
  size_t size = 0;
  for (const run_message *message = run->first; message; message = message->next) {
    size_t room = room_for(message->header.len);
    if (size && size + room > BATCH_MAX)
      break;
    size += room;
  }
  return size;
}

static run_message *take_message(run *run) {
  run_message *message = run->first;
  run->first = message->next;
  if (!run->first)
    run->last = NULL;
  run->payload_bytes -= message->header.len;
  return message;
}

size_t run_fill_inbox(run *run) {
  size_t size = batch_size(run), at = 0;
  uint8_t *inbox = engine_inbox(run->instance, size);
  if (!inbox)
    return 0;
  while (at < size) {
    run_message *message = take_message(run);
    memcpy(inbox + at, &message->header, sizeof message->header);
    memcpy(inbox + at + sizeof message->header, message->body, message->header.len);
    at += room_for(message->header.len);
    mem_free(shard_allocator(run->shard), message);
  }
  return size;
}

void run_drop_messages(run *run) {
  while (run->first) {
    run_message *message = take_message(run);
    value_release(message->body, message->header.len);
    mem_free(shard_allocator(run->shard), message);
  }
}

/* ---- from the guest ---- */

char *run_error_text(run *run, const cbor_in *map, const char *key) {
  cbor_in value;
  const char *text;
  size_t len;
  if (!cbor_find(map, key, &value) || cbor_get_text(&value, &text, &len) != CBOR_OK)
    return NULL;
  char *copy = mem_text(shard_allocator(run->shard), text, len);
  for (size_t i = 0; copy && i < len; i++)
    if (copy[i] == 0)
      copy[i] = ' '; /* these texts are zero-terminated from here on */
  return copy;
}

run_kind run_error_kind(const cbor_in *map) {
  static const struct {
    const char *text;
    run_kind kind;
  } kinds[] = {{"script", RUN_KIND_SCRIPT}, {"api", RUN_KIND_API},
               {"denied", RUN_KIND_DENIED}, {"stack", RUN_KIND_STACK},
               {"result", RUN_KIND_RESULT}, {"memory", RUN_KIND_MEMORY}};
  cbor_in value;
  const char *text;
  size_t len;
  if (!cbor_find(map, WIRE_ERROR_KIND, &value) || cbor_get_text(&value, &text, &len) != CBOR_OK)
    return RUN_KIND_INTERNAL;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strlen(kinds[i].text) == len && memcmp(kinds[i].text, text, len) == 0)
      return kinds[i].kind;
  return RUN_KIND_INTERNAL;
}

static void read_operation(run *run, const cbor_in *map, run_failure *failure) {
  cbor_in value;
  uint64_t count, attempts;
  const char *name;
  size_t len;
  if (cbor_find(map, WIRE_ERROR_OPERATION, &value) && cbor_get_array(&value, &count) == CBOR_OK &&
      count == 3 && cbor_get_uint(&value, &failure->operation_id) == CBOR_OK &&
      cbor_get_text(&value, &name, &len) == CBOR_OK &&
      cbor_get_uint(&value, &attempts) == CBOR_OK) {
    failure->operation_name = mem_text(shard_allocator(run->shard), name, len);
    failure->operation_attempts = (uint32_t)attempts;
  } else {
    failure->operation_id = 0;
  }
}

static void fail_result(run *run) {
  run_fail_limit(run, RUN_KIND_RESULT, "the result is larger than %s allows",
                 run_names(run)->result);
}

static void on_error(run *run, const cbor_in *body) {
  if (run->failure.kind != RUN_KIND_NONE)
    return;
  run_failure *failure = &run->failure;
  if (run_error_kind(body) == RUN_KIND_RESULT &&
      !cbor_find(body, WIRE_ERROR_MESSAGE, &(cbor_in){0})) {
    fail_result(run); /* the guest does not know what the limit is called */
    return;
  }
  failure->kind = run_error_kind(body);
  failure->name = run_error_text(run, body, WIRE_ERROR_NAME);
  failure->message = run_error_text(run, body, WIRE_ERROR_MESSAGE);
  failure->stack = run_error_text(run, body, WIRE_ERROR_STACK);
  failure->shown = run_error_text(run, body, WIRE_ERROR_SHOWN);
  read_operation(run, body, failure);
}

static void on_value(run *run, const uint8_t *body, size_t len) {
  cbor_out json;
  const vow_allocator *allocator = shard_allocator(run->shard);
  if (run->value)
    return;
  cbor_out_init(&json, allocator, result_max(&run->options) + 1);
  cbor_status status = json_from_cbor(body, len, &limits, &json);
  if (status == CBOR_OK)
    run->value = mem_text(allocator, (const char *)json.data, json.len);
  if (status == CBOR_E_SIZE || (status == CBOR_OK && json.len > result_max(&run->options)))
    fail_result(run);
  else if (status == CBOR_E_NOMEM || (status == CBOR_OK && !run->value))
    run_fail_for_memory(run);
  else if (status == CBOR_E_DEPTH || status == CBOR_E_NODES)
    run_fail(run, RUN_KIND_RESULT, "the result has too many levels or parts");
  else if (status != CBOR_OK)
    run_fail(run, RUN_KIND_INTERNAL, "the guest sent a malformed result");
  cbor_out_free(&json);
}

static void on_settled(run *run) {
  run->settled = true;
  if (run->program)
    return; /* its timers hold it */
  if (run->timer_count > 0)
    run_note_leaks(run, true, run_now());
  op_scope_drop_timers(run->scope);
  run_forget_timers(run);
}

/* The text of a line, or what a program writes. */
static bool get_output(const run *run, cbor_in *body, uint64_t level, const char **text,
                       size_t *len) {
  cbor_item item;
  if (level < WIRE_LEVEL_OUT)
    return cbor_get_text(body, text, len) == CBOR_OK;
  if (!run->program || level > WIRE_LEVEL_ERR || cbor_next(body, &item) != CBOR_OK ||
      item.indefinite || (item.kind != CBOR_TEXT && item.kind != CBOR_BYTES))
    return false;
  *text = (const char *)item.bytes;
  *len = item.len;
  return true;
}

bool run_on_log(run *run, cbor_in *body) {
  uint64_t count, level;
  const char *text;
  size_t len;
  if (cbor_get_array(body, &count) != CBOR_OK || count != 2 ||
      cbor_get_uint(body, &level) != CBOR_OK || !get_output(run, body, level, &text, &len))
    return false;
  run->log_bytes += len + 1;
  if (run->log_bytes > run->options.limits.log_bytes) {
    run_fail_limit(run, RUN_KIND_OUTPUT, "more console output than %s allows", run_names(run)->log);
    return true;
  }
  if (run->options.on_log)
    run->options.on_log(run->options.user, (int)level, text, len);
  return true;
}

bool run_on_code(run *run, const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < run->options.kinds_count; i++) {
    const host_kind *kind = &run->options.kinds[i];
    if (kind->code)
      return kind->code(bytes, len, kind->user);
  }
  return false;
}

/* Only an answer, and only one. */
static bool on_stuck(run *run, cbor_in *body) {
  const char *text;
  size_t len;
  if (!run->asked_stuck || run->stuck || cbor_get_text(body, &text, &len) != CBOR_OK ||
      len > STUCK_BYTES_MAX)
    return false;
  run->stuck = mem_text(shard_allocator(run->shard), text, len);
  return true;
}

static bool has_body(uint32_t type) {
  return type != WIRE_CANCEL && type != WIRE_TIMER_STOP && type != WIRE_LOADED;
}

static bool on_message(run *run, const wire_header *header, const uint8_t *bytes) {
  cbor_in body;
  cbor_in_init(&body, bytes, header->len);
  if (has_body(header->type) && cbor_check(bytes, header->len, &limits) != CBOR_OK)
    return false;
  switch (header->type) {
  case WIRE_CALL:
    return run_call(run, NULL, header, &body);
  case WIRE_CANCEL:
    run_call_cancel(run, header->id);
    return true;
  case WIRE_TIMER_START:
    return run_timer_start(run, header->id, &body);
  case WIRE_TIMER_STOP:
    run_timer_stop(run, header->id);
    return true;
  case WIRE_LOG:
    return run_on_log(run, &body);
  case WIRE_CODE:
    return run_on_code(run, bytes, header->len);
  case WIRE_VALUE:
    on_settled(run);
    on_value(run, bytes, header->len);
    return true;
  case WIRE_ERROR:
    on_settled(run);
    on_error(run, &body);
    return true;
  case WIRE_UNHANDLED:
    run->failure.rejected = run->failure.kind == RUN_KIND_NONE;
    on_error(run, &body);
    return true;
  case WIRE_EXIT:
    return run_on_exit(run, &body);
  case WIRE_STUCK_AT:
    return on_stuck(run, &body);
  case WIRE_LOADED:
  case WIRE_RETURNED:
  case WIRE_THROWN:
  case WIRE_MISSING:
    return run_on_answer(run, header->type, bytes, header->len);
  default:
    return false;
  }
}

/* Errors of the script let the turn come to its end: only what the guest may
 * not go on with stops it. */
static bool may_go_on(const run *run) {
  return run->failure.kind == RUN_KIND_NONE || run->failure.kind == RUN_KIND_SCRIPT ||
         run->failure.kind == RUN_KIND_API;
}

bool run_drain(void *user, const uint8_t *bytes, size_t len) {
  run *run = user;
  size_t at = 0;
  while (at < len && run->failure.kind == RUN_KIND_NONE && !run->exited) {
    wire_header header;
    const uint8_t *body = wire_next(bytes, len, &at, &header);
    if (!body || !on_message(run, &header, body))
      run_fail(run, RUN_KIND_INTERNAL, "the guest sent a malformed message");
  }
  if (!run_has_room(run, 0))
    run_fail_limit(run, RUN_KIND_MEMORY, "payloads and guest memory pass %s",
                   run_names(run)->memory);
  return may_go_on(run) && !run->exited;
}
