/* Calls of a guest that works for a handler, on whatever thread: they are
 * operations nested in the handler's call, and their answers go to the handler. */
#include "guest/shared.h"
#include "sandbox/run_int.h"

static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};

void run_nested_link(host_call *call, host_call *parent) {
  call->parent = parent;
  call->parent_number = parent->number;
  call->next_nested = parent->nested;
  if (parent->nested)
    parent->nested->previous_nested = call;
  parent->nested = call;
}

static void leave_parent(host_call *call) {
  if (!call->parent)
    return;
  if (call->previous_nested)
    call->previous_nested->next_nested = call->next_nested;
  else
    call->parent->nested = call->next_nested;
  if (call->next_nested)
    call->next_nested->previous_nested = call->previous_nested;
  call->parent = call->next_nested = call->previous_nested = NULL;
}

void run_nested_unlink(host_call *call) {
  leave_parent(call);
  while (call->nested) {
    call->nested->answered = true;
    leave_parent(call->nested);
  }
}

void run_nested_answer(host_call *call, uint32_t type, const void *body, size_t len) {
  host_call *parent = call->parent;
  if (!parent || !parent->started || parent->ended || !parent->kind->answer) {
    value_release(body, len);
    return;
  }
  const wire_header header = {type, (uint32_t)len, call->wire_id};
  parent->kind->answer(parent, &header, body, parent->kind->user);
}

static void cancel(host_call *call) {
  call->answered = true;
  op_cancel(shard_operations(call->shard), call->id, run_now());
}

static void cancel_numbered(const host_call *parent, uint64_t wire_id) {
  for (host_call *call = parent->nested; call; call = call->next_nested)
    if (call->wire_id == wire_id && !call->answered) {
      cancel(call);
      return;
    }
}

/* Events wait until they are dispatched, so that the list stands still here. */
void host_call_end_nested(host_call *call) {
  if (!call->nested)
    return;
  for (host_call *nested = call->nested; nested; nested = nested->next_nested)
    if (!nested->answered)
      cancel(nested);
  shard_dispatch(call->shard);
}

static bool on_progress(host_call *call, const uint8_t *body, uint32_t len) {
  if (call->is_nested)
    run_nested_answer(call, WIRE_PROGRESS, body, len);
  else if (!call->answered)
    run_send(call->run, WIRE_PROGRESS, call->wire_id, body, len);
  else
    value_release(body, len);
  return true;
}

static bool handle(host_call *call, const wire_header *header, const uint8_t *body) {
  cbor_in in;
  cbor_in_init(&in, body, header->len);
  switch (header->type) {
  case WIRE_CALL:
    return run_call(call->run, call, header, &in);
  case WIRE_CANCEL:
    cancel_numbered(call, header->id);
    return true;
  case WIRE_LOG:
    return run_on_log(call->run, &in);
  case WIRE_PROGRESS:
    return on_progress(call, body, header->len);
  case WIRE_CODE:
    return run_on_code(call->run, body, header->len);
  default:
    return false;
  }
}

bool host_call_message(host_call *call, const wire_header *header, const uint8_t *body) {
  run *run = call->run;
  if (!run || run->state == RUN_FINISHED ||
      (header->type != WIRE_CANCEL && cbor_check(body, header->len, &limits) != CBOR_OK))
    return false;
  bool taken = handle(call, header, body);
  shard_dispatch(call->shard);
  if (run->failure.kind != RUN_KIND_NONE && run->state == RUN_WAITING)
    run_wake(run); /* what the guest asked for was more than the run may */
  return taken;
}
