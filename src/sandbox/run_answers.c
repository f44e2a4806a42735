/* The way back of a host call: what the handler answers, to the guest, to the
 * calls that wait for the same answer, and to those that will ask for it. */
#include <stdio.h>
#include <string.h>

#include "guest/shared.h"
#include "sandbox/run_int.h"

#define DETAIL_BYTES_MAX 200u
#define ERROR_BYTES_MAX 8192u
#define NS_PER_MS UINT64_C(1000000)

/* ---- what the handler can see ---- */

const uint8_t *host_call_arguments(const host_call *call, size_t *len) {
  *len = call->arguments_len;
  return call->arguments;
}

void host_call_set_data(host_call *call, void *data) {
  call->data = data;
}

void host_call_set_detail(host_call *call, const char *detail) {
  const vow_allocator *allocator = shard_allocator(call->shard);
  mem_free(allocator, call->detail);
  call->detail = NULL;
  size_t len = detail ? strnlen(detail, DETAIL_BYTES_MAX + 1) : 0;
  if (len > DETAIL_BYTES_MAX) /* cut at a character */
    for (len = DETAIL_BYTES_MAX; len > 0 && ((unsigned char)detail[len] & 0xc0) == 0x80;)
      len--;
  if (detail)
    call->detail = mem_text(allocator, detail, len);
  for (char *at = call->detail; at && *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?'; /* it becomes part of lines */
}

void *host_call_data(const host_call *call) {
  return call->data;
}

shard *host_call_shard(const host_call *call) {
  return call->shard;
}

bool host_call_hold(host_call *call, size_t bytes) {
  run *run = call->run;
  if (!run)
    return true; /* nobody hears the answer */
  if (bytes > call->held && !run_has_room(run, bytes - call->held))
    return false;
  run->payload_bytes = run->payload_bytes - call->held + bytes;
  call->held = bytes;
  return true;
}

static bool find_live(const host_call *call, op_info *info, uint64_t now) {
  return op_find(shard_operations(call->shard), call->id, info, now) == OP_OK &&
         (info->state == OP_PENDING || info->state == OP_RUNNING);
}

uint64_t host_call_remaining_ms(const host_call *call) {
  op_info info;
  uint64_t now = run_now();
  if (!call->run || !find_live(call, &info, now))
    return 0;
  uint64_t at = run_wall_deadline(call->run);
  if (info.deadline < at)
    at = info.deadline;
  if (at == OP_NEVER)
    return UINT64_MAX;
  return at > now ? (at - now) / NS_PER_MS : 0;
}

const char *host_call_site(const host_call *call) {
  return call->site;
}

const char *host_call_name(const host_call *call) {
  return call->kind->name;
}

uint64_t host_call_number(const host_call *call) {
  return call->number;
}

uint8_t host_call_priority(const host_call *call) {
  return call->priority;
}

uint32_t host_call_attempt(const host_call *call) {
  return call->attempts;
}

void *host_call_run_user(const host_call *call) {
  return call->run ? call->run->options.user : NULL;
}

uint64_t host_call_calls_left(const host_call *call) {
  if (!call->run || !call->run->scope)
    return 0;
  uint64_t most = call->run->options.limits.operations_max;
  uint64_t made = op_scope_counts(call->run->scope).created;
  return !most ? UINT64_MAX : made < most ? most - made : 0;
}

/* ---- to the guest ---- */

/* name, message, code, transient, operation id, operation name, attempts. */
static void put_error(cbor_out *out, const host_call *call, const host_error *error) {
  cbor_put_array(out, 7);
  cbor_put_cstring(out, error->name ? error->name : "ApiError");
  cbor_put_cstring(out, error->message ? error->message : "");
  if (error->code)
    cbor_put_cstring(out, error->code);
  else
    cbor_put_undefined(out);
  cbor_put_bool(out, error->transient);
  cbor_put_uint(out, call->number);
  cbor_put_cstring(out, call->kind->name);
  cbor_put_uint(out, call->attempts);
}

static void answer(host_call *call, uint32_t type, const void *body, size_t len, run_sender *send) {
  call->answered = true;
  if (call->is_nested)
    run_nested_answer(call, type, body, len);
  else
    send(call->run, type, call->wire_id, body, len);
}

void run_answer_error(host_call *call, const host_error *error, run_sender *send) {
  uint8_t bytes[ERROR_BYTES_MAX];
  cbor_out out;
  if (!call->run || call->answered)
    return;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  put_error(&out, call, error);
  if (out.status != CBOR_OK) {
    const host_error brief = {error->name, error->code, "the error's message is too long",
                              error->transient};
    cbor_out_fixed(&out, bytes, sizeof bytes);
    put_error(&out, call, &brief);
  }
  answer(call, WIRE_REJECT, bytes, out.len, send);
}

static void answer_value(host_call *call, const void *value, size_t len, run_sender *send) {
  if (call->run && !call->answered)
    answer(call, WIRE_FULFIL, value, len, send);
}

/* ---- answers that are kept ---- */

/* An error as bytes: whether it is transient, then name, code and message, each
 * with its zero; the first two empty when absent. These never leave the process. */
static size_t pack_error(const host_error *error, uint8_t bytes[ERROR_BYTES_MAX]) {
  const char *texts[] = {error->name ? error->name : "", error->code ? error->code : "",
                         error->message ? error->message : ""};
  size_t at = 0;
  bytes[at++] = error->transient;
  for (size_t i = 0; i < 3; i++) {
    size_t len = strlen(texts[i]) + 1;
    if (len > ERROR_BYTES_MAX - at)
      return 0;
    memcpy(bytes + at, texts[i], len);
    at += len;
  }
  return at;
}

static host_error unpack_error(const void *bytes) {
  const char *name = (const char *)bytes + 1, *code = name + strlen(name) + 1;
  return (host_error){.name = *name ? name : NULL,
                      .code = *code ? code : NULL,
                      .message = code + strlen(code) + 1,
                      .transient = *(const uint8_t *)bytes != 0};
}

void run_answer_kept(host_call *call, const op_answer *answer) {
  uint64_t now = call->created_ns;
  run_call_tell(call, RUN_EVENT_CREATED, OP_PENDING, now);
  run_call_tell(call, RUN_EVENT_CACHE_HIT, OP_PENDING, now);
  if (answer->state == OP_FULFILLED) {
    run_call_tell(call, RUN_EVENT_SETTLED, OP_FULFILLED, now);
    answer_value(call, answer->bytes, answer->len, run_put);
  } else {
    const host_error error = unpack_error(answer->bytes);
    run_call_tell_rejected(call, &error, now);
    run_answer_error(call, &error, run_put);
  }
}

/* ---- settling ---- */

typedef struct outcome {
  op_state state;
  const host_error *error; /* OP_REJECTED */
  const void *value;       /* OP_FULFILLED, or what exactly OP_REJECTED is with; else NULL */
  size_t len;
} outcome;

static op_status settle(const host_call *call, op_state state, uint64_t now) {
  op_table *operations = shard_operations(call->shard);
  return state == OP_FULFILLED ? op_fulfil(operations, call->id, now)
                               : op_reject(operations, call->id, now);
}

static void deliver(host_call *call, const outcome *outcome, uint64_t now) {
  if (outcome->state == OP_FULFILLED) {
    run_call_tell(call, RUN_EVENT_SETTLED, OP_FULFILLED, now);
    answer_value(call, outcome->value, outcome->len, run_send);
  } else {
    run_call_tell_rejected(call, outcome->error, now);
    if (outcome->value && call->run && !call->answered)
      answer(call, WIRE_REJECT_VALUE, outcome->value, outcome->len, run_send);
    else
      run_answer_error(call, outcome->error, run_send);
  }
}

/* Those that wait for this handler's answer; they have none of their own. */
static void settle_followers(const host_call *call, const outcome *outcome, uint64_t now) {
  void *user;
  while (op_follower(shard_operations(call->shard), call->id, &user)) {
    host_call *follower = user;
    deliver(follower, outcome, now);
    settle(follower, outcome->state, now);
    run_call_free(follower);
  }
}

static void keep(const host_call *call, const outcome *outcome, uint64_t now) {
  uint8_t bytes[ERROR_BYTES_MAX];
  const void *kept = outcome->value;
  size_t len = outcome->len;
  if (outcome->state == OP_REJECTED) {
    if (!call->kind->policy.cache_error_ms || outcome->error->transient)
      return;
    len = pack_error(outcome->error, bytes);
    kept = bytes;
    if (!len)
      return;
  }
  op_keep(shard_operations(call->shard), call->id, outcome->state, kept, len, now);
}

static void end_handler(host_call *call, uint64_t now) {
  shard *shard = call->shard;
  run *run = call->run;
  op_id id = call->id;
  call->ended = true;
  if (!run_call_event_waits(call, now))
    run_call_free(call);
  op_handler_done(shard_operations(shard), id, now);
  shard_handler_ended(shard);
  if (run && run->state == RUN_WAITING && !run->first)
    run_wake(run); /* maybe the last thing it waited for */
  shard_dispatch(shard);
}

/* False: too late. */
static bool finish(host_call *call, const outcome *outcome) {
  op_info info;
  uint64_t now = run_now();
  bool live = find_live(call, &info, now);
  if (live) {
    /* Before it is read: memory that is shared is one call's alone. The first of those
     * that wait for the same answer starts a handler of its own then. */
    bool serves = run_call_shares_answer(call) && !value_is_shared(outcome->value, outcome->len);
    deliver(call, outcome, now);
    if (serves) {
      settle_followers(call, outcome, now);
      keep(call, outcome, now);
    }
  } else {
    run_call_tell(call, RUN_EVENT_LATE, outcome->state, now);
  }
  settle(call, outcome->state, now); /* if it was settled before, counts this as late */
  end_handler(call, now);
  return live;
}

bool host_call_fulfil(host_call *call, const void *value, size_t len) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  static const host_error unreadable = {
      "ApiError", "MALFORMED", "the operation answered with no value that can cross", false};
  if (cbor_check(value, len, &limits) != CBOR_OK)
    return host_call_reject(call, &unreadable);
  return host_call_fulfil_encoded(call, value, len);
}

bool host_call_fulfil_encoded(host_call *call, const void *value, size_t len) {
  host_call_hold(call, 0); /* the message takes its place */
  return finish(call, &(outcome){.state = OP_FULFILLED, .value = value, .len = len});
}

/* True: the handler counts as ended, and will be started again. */
static bool retry(host_call *call) {
  shard *shard = call->shard;
  uint64_t now = run_now();
  if (op_retry(shard_operations(shard), call->id, now, shard_random(shard)) != OP_OK)
    return false;
  call->started = false;
  call->data = NULL;
  run_call_tell(call, RUN_EVENT_RETRIED, OP_PENDING, now);
  shard_handler_ended(shard);
  shard_dispatch(shard);
  return true;
}

bool host_call_reject(host_call *call, const host_error *error) {
  return host_call_reject_value(call, error, NULL, 0);
}

bool host_call_reject_value(host_call *call, const host_error *error, const void *value,
                            size_t len) {
  host_call_hold(call, 0);
  if (error->transient && call->kind->state && retry(call))
    return true;
  return finish(call, &(outcome){OP_REJECTED, error, value, len});
}
