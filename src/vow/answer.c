/* Answers and progress of operations, from any thread. */
#include <string.h>

#include "core/json_read.h"
#include "core/utf8.h"
#include "vow/vow_int.h"

#define TEXT_BYTES_MAX 4096u
#define WORD_BYTES_MAX 64u

static const cbor_limits limits = {WIRE_DEPTH_MAX, 1000000, WIRE_MESSAGE_MAX};

/* ---- on the runtime's thread ---- */

/* The first answer, which `answered` keeps from being any other's. False: nobody
 * waits for it any more. */
static bool deliver(vow_op *op) {
  host_call *call = op->call;
  if (!call)
    return false; /* the runtime is closing and has answered */
  vow_runtime *runtime = op->kind->runtime;
  const lib_answer *answer = &op->answer;
  op->call = NULL;
  lib_op_unlink(op);
  const host_error error = {answer->name, answer->code, answer->message, answer->transient};
  runtime->depth++;
  bool counts = answer->fulfilled ? host_call_fulfil(call, answer->bytes, answer->len)
                                  : host_call_reject(call, &error);
  runtime->depth--;
  mem_free(runtime->allocator, op->answer.bytes);
  op->answer.bytes = NULL;
  lib_op_drop(op); /* the call's */
  return counts;
}

static void deliver_message(loop_message *message) {
  vow_op *op = (vow_op *)message;
  pthread_mutex_lock(&op->gate->lock);
  op->gate->bytes -= op->answer.len;
  pthread_mutex_unlock(&op->gate->lock);
  deliver(op);
  lib_op_drop(op);
}

/* ---- on any thread ---- */

/* Under the gate's lock, with the loop open. In on_log and on_event the guest is in
 * the middle of a turn; and nothing overtakes progress that was told before. */
static bool may_deliver(const vow_op *op) {
  return lib_gate_is_here(op->gate) && op->kind->runtime->guarded == 0 && op->posted == 0;
}

static bool has_room(const lib_gate *gate, size_t more) {
  return more == 0 || gate->bytes == 0 ||
         (more <= LIB_MAILBOX_BYTES && gate->bytes <= LIB_MAILBOX_BYTES - more);
}

/* Under the gate's lock: VOW_OK when `op` is to be answered by who asks. */
static vow_status claim(vow_op *op, const lib_answer *answer, bool here) {
  if (op->answered || !op->gate->loop) {
    op->gate->repeated++;
    return VOW_LATE;
  }
  if (!here && !has_room(op->gate, answer->len))
    return VOW_E_FULL;
  op->answered = true;
  op->on_cancel = NULL;
  op->answer = *answer;
  return VOW_OK;
}

vow_status lib_op_settle(vow_op *op, lib_answer *answer) {
  lib_gate *gate = op->gate;
  if (lib_gate_is_lost(gate)) {
    mem_free(gate->allocator, answer->bytes);
    return VOW_LATE;
  }
  pthread_mutex_lock(&gate->lock);
  bool here = gate->loop && may_deliver(op);
  vow_status status = claim(op, answer, here);
  bool claimed = status == VOW_OK;
  if (claimed && vow_op_cancelled(op))
    status = VOW_LATE;
  if (claimed && !here) {
    gate->bytes += answer->len;
    lib_op_hold(op);
    op->message.deliver = deliver_message;
    loop_post(gate->loop, &op->message);
  }
  pthread_mutex_unlock(&gate->lock);
  if (!claimed)
    mem_free(gate->allocator, answer->bytes);
  else if (here && !deliver(op))
    status = VOW_LATE; /* maybe before its handler is told of that */
  return status;
}

bool lib_op_answered(const vow_op *op) {
  pthread_mutex_lock(&op->gate->lock);
  bool answered = op->answered;
  pthread_mutex_unlock(&op->gate->lock);
  return answered;
}

void lib_op_abandon(vow_op *op) {
  lib_answer answer = {.code = "ABANDONED", .message = "the handler let go without an answer"};
  if (lib_gate_is_lost(op->gate))
    return;
  pthread_mutex_lock(&op->gate->lock);
  bool unanswered = !op->answered && op->gate->loop;
  op->gate->abandoned += unanswered;
  pthread_mutex_unlock(&op->gate->lock);
  if (unanswered)
    lib_op_settle(op, &answer);
}

vow_status vow_op_fulfil(vow_op *op, const void *bytes, size_t len) {
  static const uint8_t undefined[] = {0xf7};
  if (!bytes) {
    bytes = undefined;
    len = sizeof undefined;
  }
  if (cbor_check(bytes, len, &limits) != CBOR_OK)
    return VOW_E_CBOR;
  lib_answer answer = {.fulfilled = true, .len = len};
  answer.bytes = mem_resize(op->gate->allocator, NULL, len, 1);
  if (!answer.bytes)
    return VOW_E_NOMEM;
  memcpy(answer.bytes, bytes, len);
  return lib_op_settle(op, &answer);
}

vow_status vow_op_fulfil_json(vow_op *op, const char *json) {
  cbor_out out;
  size_t at;
  if (!json)
    return VOW_E_JSON;
  cbor_out_init(&out, op->gate->allocator, WIRE_MESSAGE_MAX);
  cbor_status status = json_to_cbor(json, strlen(json), false, &limits, &out, &at);
  if (status != CBOR_OK) {
    cbor_out_free(&out);
    return status == CBOR_E_NOMEM ? VOW_E_NOMEM : VOW_E_JSON;
  }
  lib_answer answer = {.fulfilled = true};
  answer.bytes = cbor_out_take(&out, &answer.len);
  return lib_op_settle(op, &answer);
}

/* ---- errors ---- */

static bool is_text(const char *text, size_t max) {
  size_t len = text ? strnlen(text, max + 1) : 0;
  return len <= max && (!len || utf8_valid((const uint8_t *)text, len));
}

/* A copy at `*at`, which moves behind it. */
static const char *keep(uint8_t **at, const char *text) {
  if (!text)
    return NULL;
  size_t size = strlen(text) + 1;
  const char *copy = memcpy(*at, text, size);
  *at += size;
  return copy;
}

static size_t room_for(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

vow_status vow_op_reject(vow_op *op, const vow_error *given) {
  vow_error error = {0};
  if ((given && !sized_copy(&error, sizeof error, given)) || !is_text(error.name, WORD_BYTES_MAX) ||
      !is_text(error.code, WORD_BYTES_MAX) || !is_text(error.message, TEXT_BYTES_MAX))
    return VOW_E_INVALID;
  lib_answer answer = {.transient = error.transient,
                       .len =
                           room_for(error.name) + room_for(error.code) + room_for(error.message)};
  uint8_t *at = answer.bytes = mem_resize(op->gate->allocator, NULL, answer.len, 1);
  if (!at)
    return VOW_E_NOMEM;
  answer.name = keep(&at, error.name);
  answer.code = keep(&at, error.code);
  answer.message = keep(&at, error.message);
  return lib_op_settle(op, &answer);
}

/* ---- progress ---- */

typedef struct progress {
  loop_message message;
  vow_op *op; /* held */
  size_t len;
  uint8_t bytes[];
} progress;

/* On the runtime's thread. The call knows whether its run goes on. */
static void tell(vow_op *op, const void *bytes, size_t len) {
  vow_run *run = op->call ? host_call_run_user(op->call) : NULL;
  if (!run || !run->on_progress || run->dispose_asked)
    return;
  vow_runtime *runtime = op->kind->runtime;
  lib_run_hold(run);
  runtime->depth++;
  run->on_progress(run, op->number, op->name, bytes, len, run->user);
  runtime->depth--;
  lib_run_drop(run);
}

static void deliver_progress(loop_message *message) {
  progress *told = (progress *)message;
  vow_op *op = told->op;
  pthread_mutex_lock(&op->gate->lock);
  op->gate->bytes -= sizeof *told + told->len;
  op->posted--;
  pthread_mutex_unlock(&op->gate->lock);
  tell(op, told->bytes, told->len);
  mem_free(op->gate->allocator, told);
  lib_op_drop(op);
}

/* Under the gate's lock. Behind what the same thread has posted before. */
static vow_status post_progress(vow_op *op, const void *bytes, size_t len) {
  size_t size = sizeof(progress) + len;
  if (!has_room(op->gate, size))
    return VOW_E_FULL;
  progress *told = mem_resize(op->gate->allocator, NULL, 1, size);
  if (!told)
    return VOW_E_NOMEM;
  *told = (progress){.message.deliver = deliver_progress, .op = op, .len = len};
  if (len)
    memcpy(told->bytes, bytes, len);
  lib_op_hold(op);
  op->gate->bytes += size;
  op->posted++;
  loop_post(op->gate->loop, &told->message);
  return VOW_OK;
}

vow_status vow_op_progress(vow_op *op, const void *bytes, size_t len) {
  lib_gate *gate = op->gate;
  if (len > WIRE_MESSAGE_MAX || (len && !bytes))
    return VOW_E_INVALID;
  if (lib_gate_is_lost(gate))
    return VOW_LATE;
  pthread_mutex_lock(&gate->lock);
  bool late = op->answered || !gate->loop || vow_op_cancelled(op);
  bool here = !late && may_deliver(op);
  vow_status status = late ? VOW_LATE : here ? VOW_OK : post_progress(op, bytes, len);
  pthread_mutex_unlock(&gate->lock);
  if (here)
    tell(op, bytes, len);
  return status;
}
