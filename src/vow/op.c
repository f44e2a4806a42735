/* Operations of registered kinds: from the host call to the handler, references,
 * what is asked, and cancelling. */
#include <string.h>

#include "core/json.h"
#include "vow/vow_int.h"

#define ARGS_JSON_BYTES_MAX (256u << 20)
#define NS_PER_MS UINT64_C(1000000)

static const lib_answer no_memory = {
    .transient = true, .code = "NO_MEMORY", .message = "the host is out of memory"};
static const lib_answer no_thread = {
    .transient = true, .code = "NO_THREAD", .message = "no worker thread can be started"};

/* ---- lifetime ---- */

void lib_op_hold(vow_op *op) {
  atomic_fetch_add(&op->holders, 1);
}

void lib_op_drop(vow_op *op) {
  if (atomic_fetch_sub(&op->holders, 1) != 1)
    return;
  lib_gate *gate = op->gate;
  lib_trace_close(op);
  mem_free(gate->allocator, op->args_json);
  mem_free(gate->allocator, op->answer.bytes);
  if (op->run)
    lib_run_drop(op->run);
  mem_free(gate->allocator, op);
  lib_gate_drop(gate);
}

vow_op *vow_op_retain(vow_op *op) {
  if (op->trace)
    atomic_store_explicit(&op->trace->taken_at, (uintptr_t)__builtin_return_address(0),
                          memory_order_relaxed);
  atomic_fetch_add(&op->users, 1);
  return op;
}

void vow_op_release(vow_op *op) {
  if (!op || atomic_fetch_sub(&op->users, 1) != 1)
    return;
  lib_op_abandon(op);
  lib_op_drop(op);
}

static uint64_t deadline_of(const host_call *call) {
  uint64_t left = host_call_remaining_ms(call), now = loop_now();
  return left < (OP_NEVER - now) / NS_PER_MS ? now + left * NS_PER_MS : OP_NEVER;
}

static void link_op(vow_op *op) {
  vow_runtime *runtime = op->kind->runtime;
  op->next = runtime->ops;
  if (op->next)
    op->next->previous = op;
  runtime->ops = op;
}

vow_op *lib_op_open(lib_kind *kind, host_call *call) {
  size_t len, name_len = strlen(kind->host.name);
  const uint8_t *args = host_call_arguments(call, &len);
  if (len > SIZE_MAX - sizeof(vow_op) - name_len - 1)
    return NULL;
  vow_op *op = mem_resize(kind->runtime->allocator, NULL, 1, sizeof(vow_op) + len + name_len + 1);
  if (!op)
    return NULL;
  vow_run *run = host_call_run_user(call);
  *op = (vow_op){.gate = kind->runtime->gate,
                 .run = run,
                 .kind = kind,
                 .call = call,
                 .number = host_call_number(call),
                 .deadline = deadline_of(call),
                 .calls_left = host_call_calls_left(call),
                 .priority = host_call_priority(call),
                 .args_len = len,
                 .name = (const char *)op->args + len};
  memcpy(op->args, args, len);
  memcpy(op->args + len, kind->host.name, name_len + 1);
  atomic_init(&op->users, 1);
  atomic_init(&op->holders, 2); /* the users, the call */
  atomic_init(&op->cancelled, false);
  lib_gate_hold(op->gate);
  if (run)
    lib_run_hold(run);
  host_call_set_data(call, op);
  lib_trace_open(op, call);
  link_op(op);
  return op;
}

void lib_call_no_memory(host_call *call) {
  const host_error error = {NULL, no_memory.code, no_memory.message, no_memory.transient};
  host_call_reject(call, &error);
}

void lib_op_no_thread(vow_op *op) {
  lib_answer answer = no_thread;
  lib_op_settle(op, &answer);
}

void lib_op_unlink(vow_op *op) {
  if (op->previous)
    op->previous->next = op->next;
  else
    op->kind->runtime->ops = op->next;
  if (op->next)
    op->next->previous = op->previous;
  op->next = op->previous = NULL;
}

/* ---- the handler ---- */

static void run_handler(pool_work *work, void *state) {
  (void)state;
  vow_op *op = (vow_op *)((char *)work - offsetof(vow_op, work));
  if (!vow_op_cancelled(op))
    op->kind->handler(op, op->kind->user);
  vow_op_release(op);
}

static void handler_done(pool_work *work) {
  lib_op_drop((vow_op *)((char *)work - offsetof(vow_op, work)));
}

static void start_on_worker(vow_op *op) {
  vow_runtime *runtime = op->kind->runtime;
  op->work.run = run_handler;
  op->work.done = handler_done;
  lib_op_hold(op);
  if (pool_submit(runtime->workers, shard_loop(runtime->shard), &op->work) == POOL_OK)
    return;
  lib_op_no_thread(op);
  vow_op_release(op);
  lib_op_drop(op);
}

static void start(host_call *call, void *user) {
  lib_kind *kind = user;
  vow_op *op = lib_op_open(kind, call);
  if (!op) {
    lib_call_no_memory(call);
    return;
  }
  if (kind->blocking) {
    start_on_worker(op);
    return;
  }
  kind->runtime->depth++;
  kind->handler(op, kind->user);
  kind->runtime->depth--;
  vow_op_release(op);
}

/* Nobody waits any more: says so, and calls who wanted to be told. */
static void cancel(vow_op *op) {
  pthread_mutex_lock(&op->gate->lock);
  atomic_store(&op->cancelled, true);
  vow_cancel_callback *callback = op->answered ? NULL : op->on_cancel;
  void *user = op->on_cancel_user;
  op->on_cancel = NULL;
  pthread_mutex_unlock(&op->gate->lock);
  vow_runtime *runtime = op->kind->runtime;
  lib_op_hold(op);
  runtime->depth++;
  if (callback)
    callback(op, user);
  if (op->run)
    lib_run_end_nested(op->run, op);
  runtime->depth--;
  lib_op_drop(op);
}

static void stop(host_call *call, void *user) {
  (void)user;
  cancel(host_call_data(call));
}

void lib_kind_init(lib_kind *kind) {
  kind->host.start = start;
  kind->host.stop = stop;
  kind->host.where = lib_trace_where;
  kind->host.user = kind;
}

void lib_op_close(vow_op *op) {
  static const host_error closed = {"AbortError", "CLOSED", "the runtime was closed", false};
  lib_op_hold(op);
  if (!atomic_load(&op->cancelled))
    cancel(op);
  host_call *call = op->call;
  if (call) { /* not answered by on_cancel */
    op->call = NULL;
    lib_op_unlink(op);
    host_call_reject(call, &closed);
    lib_op_drop(op);
  }
  lib_op_drop(op);
}

/* ---- what is asked ---- */

const char *vow_op_name(const vow_op *op) {
  return op->name;
}

uint64_t vow_op_number(const vow_op *op) {
  return op->number;
}

vow_run *vow_op_run(const vow_op *op) {
  return op->run;
}

const void *vow_op_args(const vow_op *op, size_t *len) {
  *len = op->args_len;
  return op->args;
}

static char *json_of_args(const vow_op *op) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  cbor_out out;
  cbor_out_init(&out, op->gate->allocator, ARGS_JSON_BYTES_MAX);
  cbor_status status = json_from_cbor(op->args, op->args_len, &limits, &out);
  if (status == CBOR_OK)
    cbor_put_raw(&out, "", 1);
  if (status == CBOR_OK && out.status == CBOR_OK)
    return (char *)cbor_out_take(&out, &(size_t){0});
  cbor_out_free(&out);
  return NULL;
}

/* Made outside of the lock: of two threads the first one's stays. */
vow_status vow_op_args_json(vow_op *op, const char **json) {
  *json = NULL;
  if (lib_gate_is_lost(op->gate))
    return VOW_E_STATE;
  char *made = json_of_args(op);
  if (!made)
    return VOW_E_NOMEM;
  pthread_mutex_lock(&op->gate->lock);
  if (!op->args_json) {
    op->args_json = made;
    made = NULL;
  }
  *json = op->args_json;
  pthread_mutex_unlock(&op->gate->lock);
  mem_free(op->gate->allocator, made);
  return VOW_OK;
}

uint64_t vow_op_calls_left(const vow_op *op) {
  return op->calls_left;
}

uint64_t vow_op_remaining_ms(const vow_op *op) {
  if (vow_op_cancelled(op))
    return 0;
  if (op->deadline == OP_NEVER)
    return UINT64_MAX;
  uint64_t now = loop_now();
  uint64_t left = op->deadline > now ? op->deadline - now : 0;
  return left / NS_PER_MS + (left % NS_PER_MS != 0);
}

/* ---- cancelling ---- */

/* A run may end inside a handler of its own, which is told only when it returns. */
bool vow_op_cancelled(const vow_op *op) {
  return atomic_load(&op->cancelled) || (op->run && atomic_load(&op->run->finished)) ||
         lib_gate_is_lost(op->gate);
}

vow_status vow_op_on_cancel(vow_op *op, vow_cancel_callback *callback, void *user) {
  vow_status status = VOW_OK;
  if (lib_gate_is_lost(op->gate))
    return VOW_E_CANCELLED;
  pthread_mutex_lock(&op->gate->lock);
  if (op->answered)
    status = VOW_LATE;
  else if (vow_op_cancelled(op) || !op->gate->loop)
    status = VOW_E_CANCELLED;
  else
    op->on_cancel = callback;
  if (status == VOW_OK)
    op->on_cancel_user = user;
  pthread_mutex_unlock(&op->gate->lock);
  return status;
}
