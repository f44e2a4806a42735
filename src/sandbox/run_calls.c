/* Host calls of a run: from the guest's message through the operation table to
 * the handler, and the answer back. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/run_int.h"

#define NS_PER_MS 1e6
#define SITE_BYTES_MAX 1024u
#define ERROR_BYTES_MAX 8192u
/* Calls for each place of the index at which it gets more places. */
#define INDEX_LOAD 16u
#define INDEX_STEP_BITS 6u

/* ---- the guest's message ---- */

typedef struct call_fields {
  uint64_t kind;
  double timeout_ms; /* < 0: none given */
  const char *site;  /* NULL: none */
  const uint8_t *arguments;
  size_t site_len, arguments_len;
} call_fields;

static bool read_call(cbor_in *body, call_fields *call) {
  uint64_t count;
  cbor_item item;
  double priority;
  if (cbor_get_array(body, &count) != CBOR_OK || count != 5 ||
      cbor_get_uint(body, &call->kind) != CBOR_OK || cbor_peek(body, &item) != CBOR_OK)
    return false;
  call->timeout_ms = -1;
  if (item.kind == CBOR_NULL)
    cbor_next(body, &item);
  else if (cbor_get_number(body, &call->timeout_ms) != CBOR_OK || !(call->timeout_ms >= 0))
    return false;
  call->site = NULL;
  if (cbor_get_number(body, &priority) != CBOR_OK || cbor_peek(body, &item) != CBOR_OK)
    return false;
  if (item.kind == CBOR_NULL)
    cbor_next(body, &item);
  else if (cbor_get_text(body, &call->site, &call->site_len) != CBOR_OK)
    return false;
  return (!call->site || call->site_len <= SITE_BYTES_MAX) && cbor_peek(body, &item) == CBOR_OK &&
         item.kind == CBOR_ARRAY &&
         cbor_slice(body, &call->arguments, &call->arguments_len) == CBOR_OK;
}

/* What the host allows, tightened by what the caller asked for. */
static uint64_t timeout_ns(const run *run, double asked_ms) {
  uint64_t allowed = run_ns(run->options.limits.op_timeout_ms);
  if (asked_ms < 0 || asked_ms * NS_PER_MS >= (double)allowed)
    return allowed;
  uint64_t asked = (uint64_t)(asked_ms * NS_PER_MS);
  return asked ? asked : 1; /* 0 is no time at all, not no limit */
}

/* ---- calls by the guest's id ---- */

/* The ids are the guest's, so that only a secret multiplier spreads them. */
static size_t place_of(const call_index *index, uint64_t wire_id) {
  return index->bits ? (size_t)((wire_id * index->multiplier) >> (64 - index->bits)) : 0;
}

static void index_add(call_index *index, host_call *call) {
  host_call **place = &index->places[place_of(index, call->wire_id)];
  call->next_in_place = *place;
  *place = call;
}

static void index_remove(call_index *index, host_call *call) {
  host_call **at = &index->places[place_of(index, call->wire_id)];
  while (*at != call)
    at = &(*at)->next_in_place;
  *at = call->next_in_place;
}

/* Without memory for it the index stays as it is, and only gets slower. */
static void index_grow(run *run) {
  call_index *index = &run->index;
  unsigned bits = index->bits + INDEX_STEP_BITS;
  host_call **places = mem_new(shard_allocator(run->shard), (size_t)1 << bits, sizeof *places);
  if (!places)
    return;
  run_index_free(run);
  *index = (call_index){.places = places, .bits = bits};
  uint8_t seeds[12];
  shard_seeds(run->shard, seeds);
  memcpy(&index->multiplier, seeds, sizeof index->multiplier);
  index->multiplier |= 1;
  for (host_call *call = run->calls; call; call = call->next)
    index_add(index, call);
}

void run_index_init(run *run) {
  run->index = (call_index){.places = &run->index.one};
}

void run_index_free(run *run) {
  if (run->index.places != &run->index.one)
    mem_free(shard_allocator(run->shard), run->index.places);
}

static void link_call(run *run, host_call *call) {
  if (run->calls_linked >> run->index.bits >= INDEX_LOAD)
    index_grow(run);
  index_add(&run->index, call);
  run->calls_linked++;
  call->next = run->calls;
  call->previous = NULL;
  if (run->calls)
    run->calls->previous = call;
  run->calls = call;
  run->payload_bytes += call->arguments_len;
}

static void unlink_call(host_call *call) {
  run *run = call->run;
  if (!run)
    return;
  index_remove(&run->index, call);
  run->calls_linked--;
  if (call->previous)
    call->previous->next = call->next;
  else
    run->calls = call->next;
  if (call->next)
    call->next->previous = call->previous;
  run->payload_bytes -= call->arguments_len + call->held;
  call->run = NULL;
}

static void free_call(host_call *call) {
  unlink_call(call);
  mem_free(shard_allocator(call->shard), call->site);
  mem_free(shard_allocator(call->shard), call);
}

static host_call *new_call(run *run, uint64_t wire_id, const call_fields *fields) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  host_call *call = mem_resize(allocator, NULL, 1, sizeof(host_call) + fields->arguments_len);
  if (!call)
    return NULL;
  *call = (host_call){.shard = run->shard,
                      .run = run,
                      .wire_id = wire_id,
                      .number = ++run->calls_made,
                      .kind = &run->options.kinds[fields->kind],
                      .arguments_len = fields->arguments_len};
  memcpy(call->arguments, fields->arguments, fields->arguments_len);
  call->created_ns = run_now();
  if (fields->site && run->options.debug)
    call->site = mem_text(allocator, fields->site, fields->site_len);
  link_call(run, call);
  return call;
}

static void tell_event(const host_call *call, run_event_kind kind, op_state state, uint64_t now);

static bool submit(run *run, host_call *call, double asked_ms) {
  op_spec spec = {.name = call->kind->name,
                  .timeout_ns = timeout_ns(run, asked_ms),
                  .tag = call->number,
                  .user = call};
  op_status status = op_submit(run->scope, &spec, call->created_ns, &call->id);
  if (status == OP_OK) {
    tell_event(call, RUN_EVENT_CREATED, OP_PENDING, call->created_ns);
    return true;
  }
  free_call(call);
  if (status == OP_E_TOTAL)
    run_fail(run, RUN_KIND_OPERATIONS, "more operations than --max-ops allows");
  else if (status == OP_E_LIVE)
    run_fail_for_places(run);
  else
    run_fail_for_memory(run);
  return false;
}

bool run_call(run *run, const wire_header *header, cbor_in *body) {
  call_fields fields;
  if (!read_call(body, &fields)) {
    run_fail(run, RUN_KIND_INTERNAL, "the guest sent a malformed call");
    return false;
  }
  if (fields.kind >= run->options.kinds_count) {
    run_fail(run, RUN_KIND_DENIED, "the guest called an operation that is not allowed");
    return false;
  }
  if (!run_has_room(run, fields.arguments_len)) {
    run_fail(run, RUN_KIND_MEMORY, "an operation's arguments do not fit into the run's memory");
    return false;
  }
  host_call *call = new_call(run, header->id, &fields);
  if (!call)
    run_fail_for_memory(run);
  return call && submit(run, call, fields.timeout_ms);
}

void run_call_cancel(run *run, uint64_t wire_id) {
  const call_index *index = &run->index;
  host_call *call = index->places[place_of(index, wire_id)];
  for (; call; call = call->next_in_place) {
    if (call->wire_id != wire_id || call->answered)
      continue;
    call->answered = true; /* the guest has rejected its promise itself */
    op_cancel(shard_operations(run->shard), call->id, run_now());
    return;
  }
}

host_call *run_call_numbered(const run *run, uint64_t number) {
  host_call *call = run->calls;
  while (call && call->number != number)
    call = call->next;
  return call;
}

/* ---- events ---- */

static void tell_event(const host_call *call, run_event_kind kind, op_state state, uint64_t now) {
  const run *run = call->run;
  if (!run || !run->options.on_event)
    return;
  run_event event = {.kind = kind,
                     .state = state,
                     .number = call->number,
                     .name = call->kind->name,
                     .at_ns = now - run->opened_ns,
                     .age_ns = now - call->created_ns};
  run->options.on_event(run->options.user, &event);
}

void run_call_start(host_call *call) {
  call->started = true;
  shard_handler_began(call->shard);
  tell_event(call, RUN_EVENT_STARTED, OP_RUNNING, run_now());
  call->kind->start(call, call->kind->user);
}

void run_call_stop(host_call *call) {
  if (call->kind->stop)
    call->kind->stop(call, call->kind->user);
}

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
  cbor_put_uint(out, 1);
}

static void tell_error(host_call *call, const host_error *error) {
  uint8_t bytes[ERROR_BYTES_MAX];
  cbor_out out;
  run *run = call->run;
  if (!run || call->answered)
    return;
  call->answered = true;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  put_error(&out, call, error);
  if (out.status != CBOR_OK) {
    const host_error brief = {error->name, error->code, "the error's message is too long",
                              error->transient};
    cbor_out_fixed(&out, bytes, sizeof bytes);
    put_error(&out, call, &brief);
  }
  run_send(run, WIRE_REJECT, call->wire_id, bytes, out.len);
}

void run_call_settled(host_call *call, op_state state) {
  char message[160];
  host_error error = {"TimeoutError", "TIMEOUT", message, true};
  if (state == OP_TIMED_OUT) {
    snprintf(message, sizeof message, "%s took longer than its time limit", call->kind->name);
  } else if (state == OP_CANCELLED) {
    error = (host_error){"AbortError", "CANCELLED", message, false};
    snprintf(message, sizeof message, "%s was cancelled", call->kind->name);
  } else {
    error = (host_error){"ApiError", "ABANDONED", message, false};
    snprintf(message, sizeof message, "%s ended without an answer", call->kind->name);
  }
  tell_event(call, RUN_EVENT_SETTLED, state, run_now());
  tell_error(call, &error);
  call->told = true;
  if (!call->started || call->ended)
    free_call(call);
}

/* Whether a SETTLED event for `call` waits to be taken. Only deadlines and
 * cancels raise one, and until it is taken the table keeps the operation. */
static bool event_waits(const host_call *call) {
  op_info info;
  return !call->told &&
         op_find(shard_operations(call->shard), call->id, &info, run_now()) == OP_OK &&
         (info.state == OP_TIMED_OUT || info.state == OP_CANCELLED);
}

/* What the run will not hear of any more: closing its scope cancels what is live
 * without an event, and an event that waits finds no run. */
static void tell_end(const host_call *call, uint64_t now) {
  op_info info;
  if (call->told || op_find(shard_operations(call->shard), call->id, &info, now) != OP_OK)
    return;
  bool live = info.state == OP_PENDING || info.state == OP_RUNNING;
  tell_event(call, RUN_EVENT_SETTLED, live ? OP_CANCELLED : info.state, now);
}

void run_calls_detach(run *run, uint64_t now) {
  while (run->calls) {
    host_call *call = run->calls;
    tell_end(call, now);
    call->told = !event_waits(call);
    if (call->started || !call->told)
      unlink_call(call);
    else
      free_call(call);
  }
}

/* ---- the handler's side ---- */

const uint8_t *host_call_arguments(const host_call *call, size_t *len) {
  *len = call->arguments_len;
  return call->arguments;
}

void host_call_set_data(host_call *call, void *data) {
  call->data = data;
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

static void end_handler(host_call *call) {
  shard *shard = call->shard;
  run *run = call->run;
  op_id id = call->id;
  call->ended = true;
  if (!event_waits(call))
    free_call(call);
  op_handler_done(shard_operations(shard), id, run_now());
  shard_handler_ended(shard);
  if (run && run->state == RUN_WAITING && !run->first)
    run_wake(run); /* maybe the last thing it waited for */
  shard_dispatch(shard);
}

void host_call_fulfil(host_call *call, const void *value, size_t len) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  static const host_error unreadable = {
      "ApiError", "MALFORMED", "the operation answered with no value that can cross", false};
  if (cbor_check(value, len, &limits) != CBOR_OK) {
    host_call_reject(call, &unreadable);
    return;
  }
  uint64_t now = run_now();
  host_call_hold(call, 0); /* the message takes its place */
  bool settled = op_fulfil(shard_operations(call->shard), call->id, now) == OP_OK;
  tell_event(call, settled ? RUN_EVENT_SETTLED : RUN_EVENT_LATE, OP_FULFILLED, now);
  if (settled && call->run && !call->answered) {
    call->answered = true;
    run_send(call->run, WIRE_FULFIL, call->wire_id, value, len);
  }
  end_handler(call);
}

void host_call_reject(host_call *call, const host_error *error) {
  uint64_t now = run_now();
  bool settled = op_reject(shard_operations(call->shard), call->id, now) == OP_OK;
  tell_event(call, settled ? RUN_EVENT_SETTLED : RUN_EVENT_LATE, OP_REJECTED, now);
  if (settled)
    tell_error(call, error);
  end_handler(call);
}
