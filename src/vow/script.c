/* Scripts that are loaded once. */
#include "vow/vow_int.h"

void lib_script_hold(vow_script *script) {
  script->holders++;
}

void lib_script_release(vow_script *script) {
  if (!script || --script->holders > 0)
    return;
  vow_runtime *runtime = script->runtime;
  if (script->previous)
    script->previous->next = script->next;
  else
    runtime->scripts = script->next;
  if (script->next)
    script->next->previous = script->previous;
  run_template_close(script->template);
  mem_free(runtime->allocator, script);
}

static vow_status load(vow_runtime *runtime, const lib_request *read, vow_script **opened) {
  vow_script *script = mem_new(runtime->allocator, 1, sizeof *script);
  if (!script)
    return VOW_E_NOMEM;
  script->template = run_template_open(runtime->shard, &read->options);
  if (!script->template) {
    mem_free(runtime->allocator, script);
    return VOW_E_NOMEM;
  }
  script->runtime = runtime;
  script->holders = 1;
  script->next = runtime->scripts;
  if (script->next)
    script->next->previous = script;
  runtime->scripts = script;
  *opened = script;
  return VOW_OK;
}

vow_status vow_script_open(vow_runtime *runtime, const vow_request *given, vow_script **opened) {
  vow_request request;
  lib_request read;
  *opened = NULL;
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (runtime->guarded > 0 || runtime->closing)
    return VOW_E_STATE;
  runtime->message[0] = 0;
  vow_status status = lib_request_read(runtime, given, &request, &read);
  if (status == VOW_OK && request.script)
    status = lib_fail(runtime, VOW_E_INVALID, "script: it is to be opened, not used");
  if (status == VOW_OK)
    status = load(runtime, &read, opened);
  if (status == VOW_OK) {
    (*opened)->opened_at = (uintptr_t)__builtin_return_address(0);
    (*opened)->opened_ns = loop_now();
  }
  mem_free(runtime->allocator, read.kinds);
  return status;
}

vow_status vow_script_close(vow_script *script) {
  if (!script)
    return VOW_OK;
  if (!lib_gate_is_here(script->runtime->gate))
    return VOW_E_THREAD;
  script->closed = true;
  lib_script_release(script);
  return VOW_OK;
}
