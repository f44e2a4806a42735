#include "engine/wasmhost.h"

#include <stdint.h>
#include <string.h>

#define WASI_EBADF 8u

/* ---- settings ---- */

static void switch_off_features(wasm_config_t *config) {
  wasmtime_config_wasm_threads_set(config, false);
  wasmtime_config_wasm_tail_call_set(config, false);
  wasmtime_config_wasm_reference_types_set(config, false);
  wasmtime_config_wasm_function_references_set(config, false);
  wasmtime_config_wasm_gc_set(config, false);
  wasmtime_config_gc_support_set(config, false);
  wasmtime_config_wasm_relaxed_simd_set(config, false);
  wasmtime_config_wasm_simd_set(config, false);
  wasmtime_config_wasm_multi_memory_set(config, false);
  wasmtime_config_wasm_memory64_set(config, false);
  wasmtime_config_wasm_exceptions_set(config, false);
  wasmtime_config_wasm_component_model_async_set(config, false);
  wasmtime_config_wasm_component_model_set(config, false);
  wasmtime_config_concurrency_support_set(config, false);
}

wasm_config_t *wasmhost_config(void) {
  wasm_config_t *config = wasm_config_new();
  if (!config)
    return NULL;
  switch_off_features(config);
  wasmtime_config_strategy_set(config, WASMTIME_STRATEGY_CRANELIFT);
  wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_config_parallel_compilation_set(config, false);
  wasmtime_config_epoch_interruption_set(config, true);
  wasmtime_config_async_stack_size_set(config, WASMHOST_STACK_ASYNC);
  wasmtime_config_max_wasm_stack_set(config, WASMHOST_STACK_MAX);
  wasmtime_config_memory_reservation_set(config, LINEAR_MEMORY_RESERVATION);
  wasmtime_config_memory_guard_size_set(config, LINEAR_MEMORY_GUARD);
  wasmtime_config_memory_may_move_set(config, false);
  wasmtime_config_memory_init_cow_set(config, false);
  /* A baseline CPU: compiled code may be moved to another machine. */
  wasmtime_error_t *error = wasmtime_config_target_set(config, "x86_64-unknown-linux-gnu");
  if (error) {
    wasmtime_error_delete(error);
    wasm_config_delete(config);
    return NULL;
  }
  return config;
}

void wasmhost_message(wasmtime_error_t *error, wasm_trap_t *trap, char *message, size_t size) {
  wasm_byte_vec_t text = {0, NULL};
  if (error)
    wasmtime_error_message(error, &text);
  else if (trap)
    wasm_trap_message(trap, &text);
  size_t len = text.size < size ? text.size : size - 1;
  for (size_t i = 0; i < len; i++)
    message[i] = text.data[i] == '\n' ? ' ' : text.data[i];
  message[len] = 0;
  if (text.data)
    wasm_byte_vec_delete(&text);
  if (error)
    wasmtime_error_delete(error);
  if (trap)
    wasm_trap_delete(trap);
}

/* ---- what the guest imports ---- */

static void *store_data(wasmtime_caller_t *caller) {
  return wasmtime_context_get_data(wasmtime_caller_context(caller));
}

static wasm_trap_t *stopped(void) {
  static const char text[] = "stopped by the host";
  return wasmtime_trap_new(text, sizeof text - 1);
}

static wasm_trap_t *import_flush(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                 size_t count) {
  (void)values, (void)count;
  const wasmhost_imports *imports = env;
  return imports->flush(store_data(caller)) ? NULL : stopped();
}

static wasm_trap_t *import_send(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                size_t count) {
  (void)count;
  const wasmhost_imports *imports = env;
  bool go_on = imports->send(store_data(caller), (uint32_t)values[0].i32, (uint32_t)values[1].i32);
  return go_on ? NULL : stopped();
}

static wasm_trap_t *import_random(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                  size_t count) {
  (void)count;
  const wasmhost_imports *imports = env;
  bool filled =
      imports->random(store_data(caller), (uint32_t)values[0].i32, (uint32_t)values[1].i32);
  values[0].i32 = filled;
  return NULL;
}

/* clock_time_get(id, precision, address) of WASI preview 1; 1 = monotonic. */
static wasm_trap_t *import_clock(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                 size_t count) {
  (void)count;
  const wasmhost_imports *imports = env;
  wasmtime_extern_t memory;
  uint32_t address = (uint32_t)values[2].i32;
  uint64_t now = imports->clock_ns(store_data(caller), values[0].i32 == 1);
  values[0].i32 = (int32_t)WASI_EBADF;
  if (!wasmtime_caller_export_get(caller, "memory", 6, &memory) ||
      memory.kind != WASMTIME_EXTERN_MEMORY)
    return NULL;
  wasmtime_context_t *context = wasmtime_caller_context(caller);
  size_t size = wasmtime_memory_data_size(context, &memory.of.memory);
  if (address > size || size - address < sizeof now)
    return NULL;
  memcpy(wasmtime_memory_data(context, &memory.of.memory) + address, &now, sizeof now);
  values[0].i32 = 0;
  return NULL;
}

/* There is no file: every descriptor is a bad one. */
static wasm_trap_t *import_no_file(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                   size_t count) {
  (void)env, (void)caller, (void)count;
  values[0].i32 = (int32_t)WASI_EBADF;
  return NULL;
}

static wasm_trap_t *import_exit(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                                size_t count) {
  (void)env, (void)caller, (void)values, (void)count;
  return stopped();
}

static wasm_functype_t *function_type(const char *parameters, bool result) {
  wasm_valtype_t *types[8];
  size_t count = 0;
  for (; parameters[count]; count++)
    types[count] = parameters[count] == 'I' ? wasm_valtype_new_i64() : wasm_valtype_new_i32();
  wasm_valtype_vec_t in, out;
  wasm_valtype_vec_new(&in, count, types);
  wasm_valtype_t *one[1] = {result ? wasm_valtype_new_i32() : NULL};
  if (result)
    wasm_valtype_vec_new(&out, 1, one);
  else
    wasm_valtype_vec_new_empty(&out);
  return wasm_functype_new(&in, &out);
}

wasmtime_error_t *wasmhost_define_imports(wasmtime_linker_t *linker,
                                          const wasmhost_imports *imports) {
  static const char wasi[] = "wasi_snapshot_preview1";
  static const struct {
    const char *module, *name, *parameters;
    bool result;
    wasmtime_func_unchecked_callback_t function;
  } table[] = {
      {"vow", "flush", "", false, import_flush},
      {"vow", "send", "ii", false, import_send},
      {"vow", "random", "ii", true, import_random},
      {wasi, "clock_time_get", "iIi", true, import_clock},
      {wasi, "fd_close", "i", true, import_no_file},
      {wasi, "fd_fdstat_get", "ii", true, import_no_file},
      {wasi, "fd_seek", "iIii", true, import_no_file},
      {wasi, "fd_write", "iiii", true, import_no_file},
      {wasi, "proc_exit", "i", false, import_exit},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    wasm_functype_t *type = function_type(table[i].parameters, table[i].result);
    wasmtime_error_t *error = wasmtime_linker_define_func_unchecked(
        linker, table[i].module, strlen(table[i].module), table[i].name, strlen(table[i].name),
        type, table[i].function, (void *)(uintptr_t)imports, NULL);
    wasm_functype_delete(type);
    if (error)
      return error;
  }
  return NULL;
}
