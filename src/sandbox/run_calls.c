/* Host calls of a run: from the guest's message through the operation table to
 * the handler. The way back is run_answers.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guest/shared.h"
#include "sandbox/run_int.h"

#define NS_PER_MS 1e6
/* Calls for each place of the index at which it gets more places. */
#define INDEX_LOAD 16u
#define INDEX_STEP_BITS 6u

/* ---- the guest's message ---- */

typedef struct call_fields {
  uint64_t kind;
  double timeout_ms; /* < 0: none given */
  double priority;   /* 0 normal, less: lower */
  const char *site;  /* NULL: none */
  const uint8_t *arguments;
  size_t site_len, arguments_len;
} call_fields;

static bool read_call(cbor_in *body, call_fields *call) {
  uint64_t count;
  cbor_item item;
  if (cbor_get_array(body, &count) != CBOR_OK || count != 5 ||
      cbor_get_uint(body, &call->kind) != CBOR_OK || cbor_peek(body, &item) != CBOR_OK)
    return false;
  call->timeout_ms = -1;
  if (item.kind == CBOR_NULL)
    cbor_next(body, &item);
  else if (cbor_get_number(body, &call->timeout_ms) != CBOR_OK || !(call->timeout_ms >= 0))
    return false;
  call->site = NULL;
  if (cbor_get_number(body, &call->priority) != CBOR_OK || cbor_peek(body, &item) != CBOR_OK)
    return false;
  if (item.kind == CBOR_NULL)
    cbor_next(body, &item);
  else if (cbor_get_text(body, &call->site, &call->site_len) != CBOR_OK)
    return false;
  return (!call->site || call->site_len <= WIRE_SITE_MAX) && cbor_peek(body, &item) == CBOR_OK &&
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
    if (!call->is_nested)
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
  if (!call->is_nested) /* its id is another guest's */
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
  if (!call->is_nested)
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

void run_call_free(host_call *call) {
  unlink_call(call);
  run_nested_unlink(call);
  value_release(call->arguments, call->arguments_len);
  run_call_adopt(call);
  run_kinds_release(shard_allocator(call->shard), call->kinds);
  if (call->late && call->late->release)
    call->late->release(call->late_user);
  mem_free(shard_allocator(call->shard), call->site);
  mem_free(shard_allocator(call->shard), call->detail);
  mem_free(shard_allocator(call->shard), call);
}

/* Only lower than the kind's and the run's. */
static uint8_t priority_of(const run *run, const host_kind *kind, double asked) {
  unsigned below = !(asked < 0)                      ? 0
                   : asked <= -(double)OP_PRIORITIES ? OP_PRIORITIES
                                                     : (unsigned)-asked;
  unsigned highest =
      kind->policy.priority > run->options.priority ? kind->policy.priority : run->options.priority;
  unsigned priority = highest + below;
  return (uint8_t)(priority < OP_PRIORITIES ? priority : OP_PRIORITIES - 1);
}

static host_call *new_call(run *run, host_call *parent, uint64_t wire_id,
                           const call_fields *fields) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  host_call *call = mem_resize(allocator, NULL, 1, sizeof(host_call) + fields->arguments_len);
  if (!call)
    return NULL;
  *call =
      (host_call){.shard = run->shard,
                  .run = run,
                  .wire_id = wire_id,
                  .is_nested = parent != NULL,
                  .number = ++run->calls_made,
                  .kind = &run->options.kinds[fields->kind],
                  .kinds = run_kinds_hold(run->kinds),
                  .priority = priority_of(run, &run->options.kinds[fields->kind], fields->priority),
                  .arguments_len = fields->arguments_len};
  memcpy(call->arguments, fields->arguments, fields->arguments_len);
  call->created_ns = run_now();
  if (fields->site && run->options.debug)
    call->site = mem_text(allocator, fields->site, fields->site_len);
  link_call(run, call);
  if (parent)
    run_nested_link(call, parent);
  return call;
}

bool run_call_shares_answer(const host_call *call) {
  const host_policy *policy = &call->kind->policy;
  return call->kind->state && (policy->cache_ms || policy->cache_error_ms || policy->single_flight);
}

/* The deterministic encoding of the arguments, if the kind keeps or shares answers.
 * Without one (memory is short) the call shares nothing. */
static void put_key(const host_call *call, cbor_out *key) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  cbor_out_init(key, shard_allocator(call->shard), 2 * (size_t)WIRE_MESSAGE_MAX);
  if (run_call_shares_answer(call) &&
      cbor_canonical(call->arguments, call->arguments_len, &limits, key) != CBOR_OK)
    cbor_out_free(key);
}

static bool is_full(op_status status) {
  return status == OP_E_FULL || status == OP_E_FULL_SCOPE || status == OP_E_FULL_TABLE;
}

/* The error names the bound: it depends on that who can do something about it. */
static void refuse_full(host_call *call, op_status status) {
  char message[160];
  host_error error = {"ApiError", "QUEUE_FULL", message, true};
  const char *of = "of it";
  if (status == OP_E_FULL_SCOPE) {
    error.code = "RUN_QUEUE_FULL";
    of = "of this run";
  } else if (status == OP_E_FULL_TABLE) {
    error.code = "RUNTIME_QUEUE_FULL";
    of = "of all runs";
  }
  snprintf(message, sizeof message, "%s: too many calls %s wait already", call->kind->name, of);
  run_call_tell(call, RUN_EVENT_CREATED, OP_PENDING, call->created_ns);
  run_call_tell_rejected(call, &error, call->created_ns);
  run_answer_error(call, &error, run_put);
}

static void refuse(run *run, op_status status) {
  if (status == OP_E_TOTAL)
    run_fail_limit(run, RUN_KIND_OPERATIONS, "more operations than %s allows",
                   run_names(run)->operations);
  else if (status == OP_E_LIVE)
    run_fail_for_places(run);
  else
    run_fail_for_memory(run);
}

static void tell_created(const host_call *call) {
  op_info info;
  if (!call->run->options.on_event)
    return;
  run_call_tell(call, RUN_EVENT_CREATED, OP_PENDING, call->created_ns);
  if (op_find(shard_operations(call->shard), call->id, &info, call->created_ns) == OP_OK &&
      info.queued)
    run_call_tell(call, RUN_EVENT_QUEUED, OP_PENDING, call->created_ns);
}

static bool submit(run *run, host_call *call, const call_fields *fields) {
  cbor_out key;
  op_answer answer;
  put_key(call, &key);
  op_spec spec = {.kind = call->kind->state,
                  .name = call->kind->name,
                  .parent = call->parent ? call->parent->id : 0,
                  .timeout_ns = timeout_ns(run, fields->timeout_ms),
                  .priority = call->priority,
                  .tag = call->number,
                  .user = call,
                  .key = key.len ? key.data : NULL,
                  .key_len = key.len,
                  .answer = &answer};
  op_status status = op_submit(run->scope, &spec, call->created_ns, &call->id);
  cbor_out_free(&key);
  if (status == OP_OK) {
    tell_created(call);
    return true;
  }
  if (status == OP_HIT)
    run_answer_kept(call, &answer);
  else if (is_full(status))
    refuse_full(call, status);
  else if (status != OP_E_GONE) /* its parent is settled: nobody waits for an answer */
    refuse(run, status);
  run_call_free(call);
  return status == OP_HIT || is_full(status) || status == OP_E_GONE;
}

bool run_call(run *run, host_call *parent, const wire_header *header, cbor_in *body) {
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
  host_call *call = new_call(run, parent, header->id, &fields);
  if (!call)
    run_fail_for_memory(run);
  return call && submit(run, call, &fields);
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

static void tell(const host_call *call, run_event_kind kind, op_state state, const char *error,
                 uint64_t now) {
  const run *run = call->run;
  bool late = !run && call->late && kind == RUN_EVENT_LATE;
  if (!late && (!run || !run->options.on_event))
    return;
  run_event event = {.kind = kind,
                     .state = state,
                     .number = call->number,
                     .parent = call->parent_number,
                     .name = call->kind->name,
                     .detail = call->detail,
                     .error = error,
                     .attempt = call->attempts,
                     .at_ns = now - (late ? call->late_opened_ns : run->opened_ns),
                     .age_ns = now - call->created_ns};
  if (late)
    call->late->tell(call->late_user, &event);
  else
    run->options.on_event(run->options.user, &event);
}

void run_call_waits(const host_call *call) {
  run_call_tell(call, RUN_EVENT_QUEUED, OP_PENDING, run_now());
}

void run_call_tell(const host_call *call, run_event_kind kind, op_state state, uint64_t now) {
  tell(call, kind, state, NULL, now);
}

void run_call_tell_rejected(const host_call *call, const host_error *error, uint64_t now) {
  tell(call, RUN_EVENT_SETTLED, OP_REJECTED, error->name ? error->name : "ApiError", now);
}

void run_calls_start(host_call **calls, size_t count) {
  const host_kind *kind = calls[0]->kind; /* of all, in the copy of the first one's run */
  uint64_t now = run_now();
  for (size_t i = 0; i < count; i++) {
    calls[i]->started = true;
    calls[i]->attempts++;
    shard_handler_began(calls[i]->shard);
    run_call_tell(calls[i], RUN_EVENT_STARTED, OP_RUNNING, now);
  }
  if (kind->start_batch && kind->state && kind->policy.batch_max > 1)
    kind->start_batch(calls, count, kind->user);
  else
    for (size_t i = 0; i < count; i++) /* that copy may go with the first one */
      calls[i]->kind->start(calls[i], calls[i]->kind->user);
}

void run_call_stop(host_call *call) {
  if (call->kind->stop)
    call->kind->stop(call, call->kind->user);
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
  run_call_tell(call, RUN_EVENT_SETTLED, state, run_now());
  run_answer_error(call, &error, run_send);
  call->told = true;
  if (!call->started || call->ended)
    run_call_free(call);
}

bool run_call_event_waits(const host_call *call, uint64_t now) {
  op_info info;
  return !call->told && op_find(shard_operations(call->shard), call->id, &info, now) == OP_OK &&
         (info.state == OP_TIMED_OUT || info.state == OP_CANCELLED);
}

/* What the run will not hear of any more: closing its scope cancels what is live
 * without an event, and an event that waits finds no run. */
static void tell_end(const host_call *call, uint64_t now) {
  op_info info;
  if (call->told || op_find(shard_operations(call->shard), call->id, &info, now) != OP_OK)
    return;
  bool live = info.state == OP_PENDING || info.state == OP_RUNNING;
  run_call_tell(call, RUN_EVENT_SETTLED, live ? OP_CANCELLED : info.state, now);
}

/* Its handler goes on. */
static void note_late(host_call *call, const run *run) {
  const run_late *late = run->options.late;
  if (!late || !call->started || call->ended)
    return;
  call->late = late;
  call->late_user = run->options.user;
  call->late_opened_ns = run->opened_ns;
  if (late->hold)
    late->hold(call->late_user);
}

void run_calls_detach(run *run, uint64_t now) {
  while (run->calls) {
    host_call *call = run->calls;
    tell_end(call, now);
    call->told = !run_call_event_waits(call, now);
    if (call->started || !call->told) {
      note_late(call, run);
      unlink_call(call);
      run_call_orphan(call);
    } else {
      run_call_free(call);
    }
  }
}
