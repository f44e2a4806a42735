/* From a request of the program to the options of a run. */
#include <inttypes.h>
#include <string.h>

#include "core/json_read.h"
#include "vow/vow_int.h"

#define DAY_MS UINT64_C(86400000)
#define CONTEXT_BYTES_MAX (16u << 20)

typedef struct bounds {
  const char *name;
  uint64_t least, most;
} bounds;

/* 0 keeps the default that is in `*limit`. */
static bool take(vow_runtime *runtime, uint64_t given, const bounds *bounds, uint64_t *limit) {
  if (given == 0)
    return true;
  if (given < bounds->least || given > bounds->most) {
    lib_fail(runtime, VOW_E_INVALID, "%s is %" PRIu64 ": must be from %" PRIu64 " to %" PRIu64,
             bounds->name, given, bounds->least, bounds->most);
    return false;
  }
  *limit = given;
  return true;
}

static vow_status read_limits(vow_runtime *runtime, const vow_request *request,
                              run_limits *limits) {
  *limits = run_limits_default;
  uint64_t concurrent = limits->concurrent_max, queue = limits->queue_max;
  const struct {
    uint64_t given;
    uint64_t *limit;
    bounds bounds;
  } all[] = {
      {request->cpu_ms, &limits->cpu_ms, {"cpu_ms", 1, DAY_MS}},
      {request->wall_ms, &limits->wall_ms, {"wall_ms", 1, DAY_MS}},
      {request->op_timeout_ms, &limits->op_timeout_ms, {"op_timeout_ms", 1, DAY_MS}},
      {request->memory_bytes,
       &limits->memory_bytes,
       {"memory_bytes", RUN_MEMORY_MIN, UINT64_C(2) << 30}},
      {request->stack_bytes, &limits->stack_bytes, {"stack_bytes", 32u << 10, 512u << 10}},
      {request->result_bytes, &limits->result_bytes, {"result_bytes", 1, 64u << 20}},
      {request->log_bytes, &limits->log_bytes, {"log_bytes", 1, 32u << 20}},
      {request->operations_max, &limits->operations_max, {"operations_max", 1, 1000000}},
      {request->concurrent_max, &concurrent, {"concurrent_max", 1, 65536}},
      {request->queue_max, &queue, {"queue_max", 1, 1000000}},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!take(runtime, all[i].given, &all[i].bounds, all[i].limit))
      return VOW_E_INVALID;
  limits->concurrent_max = (uint32_t)concurrent;
  limits->queue_max = (uint32_t)queue;
  return VOW_OK;
}

static vow_status check_context(vow_runtime *runtime, const char *json) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX, 1000000, CONTEXT_BYTES_MAX};
  cbor_out out;
  size_t at = 0, len = json ? strlen(json) : 0;
  if (!json)
    return VOW_OK;
  if (len > CONTEXT_BYTES_MAX)
    return lib_fail(runtime, VOW_E_JSON, "context: larger than %u MiB", CONTEXT_BYTES_MAX >> 20);
  cbor_out_init(&out, runtime->allocator, 2 * (size_t)CONTEXT_BYTES_MAX);
  cbor_status status = json_to_cbor(json, len, false, &limits, &out, &at);
  cbor_out_free(&out);
  if (status == CBOR_E_NOMEM)
    return VOW_E_NOMEM;
  if (status != CBOR_OK)
    return lib_fail(runtime, VOW_E_JSON, "context: not JSON, wrong at byte %zu", at);
  return VOW_OK;
}

/* What a loaded script has decided must not be said again. */
static vow_status read_script(vow_runtime *runtime, const vow_request *request,
                              run_options *options) {
  const vow_script *script = request->script;
  if (script->runtime != runtime || script->closed)
    return lib_fail(runtime, VOW_E_INVALID, "script: not an open one of this runtime");
  if (request->source || request->name || request->module || request->allow)
    return lib_fail(runtime, VOW_E_INVALID,
                    "name, source, module and allow are the script's: they must be zero");
  options->template = script->template;
  return VOW_OK;
}

static vow_status read_source(vow_runtime *runtime, const vow_request *request, lib_request *read) {
  if (!request->source)
    return lib_fail(runtime, VOW_E_INVALID, "source: there is none");
  read->options.name = request->name ? request->name : "script.js";
  read->options.source = request->source;
  read->options.source_len = request->source_len ? request->source_len : strlen(request->source);
  read->options.module = request->module;
  vow_status status = lib_allow(runtime, request->allow, &read->kinds, &read->options.kinds_count);
  read->options.kinds = read->kinds;
  return status;
}

/* It has the time of the operation it is nested in, and a little more: so it is that
 * operation's time limit which ends both, and not this run as if it had failed. */
static vow_status read_parent(vow_runtime *runtime, vow_op *parent, run_options *options) {
  if (parent->gate != runtime->gate)
    return lib_fail(runtime, VOW_E_INVALID, "parent: not an operation of this runtime");
  uint64_t left = vow_op_remaining_ms(parent);
  if (left == 0 || !parent->run || lib_op_answered(parent))
    return lib_fail(runtime, VOW_E_CANCELLED, "parent: nobody waits for %s any more", parent->name);
  if (left < options->limits.wall_ms)
    options->limits.wall_ms = left + 1;
  options->priority = parent->priority;
  return VOW_OK;
}

vow_status lib_request_read(vow_runtime *runtime, const vow_request *given, vow_request *request,
                            lib_request *read) {
  static const run_limit_names names = {"cpu_ms",       "wall_ms",   "memory_bytes",
                                        "result_bytes", "log_bytes", "operations_max"};
  *read = (lib_request){.options.limit_names = &names};
  if (!given || !sized_copy(request, sizeof *request, given))
    return lib_fail(runtime, VOW_E_INVALID,
                    "request: its size is not set, or it is of a newer version");
  vow_status status = read_limits(runtime, request, &read->options.limits);
  if (status == VOW_OK)
    status = check_context(runtime, request->context);
  read->options.context = request->context;
  read->options.debug = request->debug || runtime->on_leak;
  if (status == VOW_OK)
    status = request->script ? read_script(runtime, request, &read->options)
                             : read_source(runtime, request, read);
  if (status == VOW_OK && request->parent)
    status = read_parent(runtime, request->parent, &read->options);
  return status;
}
