#include "engine/wasmhost.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/template.h"

/* Ticks without any guest before the ticker goes to sleep. */
#define IDLE_TICKS 50
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

static wasm_trap_t *import_flush(void *env, wasmtime_caller_t *caller,
                                 wasmtime_val_raw_t *values, size_t count) {
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

/* clock_time_get(id, precision, address) of WASI preview 1; 1 = monotonic. */
static wasm_trap_t *import_clock(void *env, wasmtime_caller_t *caller,
                                 wasmtime_val_raw_t *values, size_t count) {
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
static wasm_trap_t *import_no_file(void *env, wasmtime_caller_t *caller,
                                   wasmtime_val_raw_t *values, size_t count) {
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

/* ---- the ticker: a thread that is asleep when no guest runs ---- */

static struct {
  pthread_t thread;
  bool started;               /* under shared.lock */
  _Atomic uint32_t guests;    /* stretches of guest code going on */
  _Atomic uint32_t asleep;    /* futex: 1 while the thread sleeps */
  _Atomic bool stop;
  wasm_engine_t *engine;
} ticker;

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void ticker_sleep(void) {
  atomic_store(&ticker.asleep, 1);
  /* Whoever entered before it saw `asleep` is seen here. */
  while (!atomic_load(&ticker.stop) && atomic_load(&ticker.guests) == 0 &&
         atomic_load(&ticker.asleep) == 1)
    futex_wait(&ticker.asleep, 1);
  atomic_store(&ticker.asleep, 0);
}

static void *ticker_main(void *unused) {
  (void)unused;
  const struct timespec tick = {0, WASMHOST_TICK_NS};
  int idle = 0;
  while (!atomic_load(&ticker.stop)) {
    nanosleep(&tick, NULL);
    wasmtime_engine_increment_epoch(ticker.engine);
    idle = atomic_load(&ticker.guests) ? 0 : idle + 1;
    if (idle >= IDLE_TICKS) {
      ticker_sleep();
      idle = 0;
    }
  }
  return NULL;
}

void wasmhost_enter(void) {
  atomic_fetch_add(&ticker.guests, 1);
  if (atomic_load(&ticker.asleep) && atomic_exchange(&ticker.asleep, 0))
    futex_wake(&ticker.asleep);
}

void wasmhost_leave(void) {
  atomic_fetch_sub(&ticker.guests, 1);
}

static bool ticker_start(wasm_engine_t *engine) {
  ticker.engine = engine;
  atomic_store(&ticker.stop, false);
  atomic_store(&ticker.asleep, 0);
  ticker.started = pthread_create(&ticker.thread, NULL, ticker_main, NULL) == 0;
  return ticker.started;
}

static void ticker_stop(void) {
  if (!ticker.started)
    return;
  atomic_store(&ticker.stop, true);
  atomic_store(&ticker.asleep, 0);
  futex_wake(&ticker.asleep);
  pthread_join(ticker.thread, NULL);
  ticker.started = false;
}

/* ---- the shared engine ---- */

static struct {
  pthread_mutex_t lock;
  uint32_t users;
  wasmhost host;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void close_host(wasmhost *host) {
  ticker_stop();
  if (host->pre)
    wasmtime_instance_pre_delete(host->pre);
  if (host->module)
    wasmtime_module_delete(host->module);
  if (host->engine)
    wasm_engine_delete(host->engine);
  linear_image_free(&host->image);
  *host = (wasmhost){.image = {.fd = -1}};
}

static bool open_engine(wasmhost *host, const wasmhost_creators *creators, char *message,
                        size_t size) {
  wasm_config_t *config = wasmhost_config();
  if (!config) {
    snprintf(message, size, "cannot set up the WebAssembly engine: this machine is not x86-64");
    return false;
  }
  wasmtime_memory_creator_t memories = {NULL, creators->new_memory, NULL};
  wasmtime_stack_creator_t stacks = {NULL, creators->new_stack, NULL};
  wasmtime_config_host_memory_creator_set(config, &memories);
  wasmtime_config_host_stack_creator_set(config, &stacks);
  host->engine = wasm_engine_new_with_config(config);
  if (!host->engine)
    snprintf(message, size, "cannot set up the WebAssembly engine");
  return host->engine != NULL;
}

static bool open_module(wasmhost *host, const wasmhost_imports *imports, char *message,
                        size_t size) {
  wasmtime_error_t *error =
      wasmtime_module_deserialize(host->engine, template_code,
                                  (size_t)(template_code_end - template_code), &host->module);
  wasmtime_linker_t *linker = wasmtime_linker_new(host->engine);
  if (!error)
    error = wasmhost_define_imports(linker, imports);
  if (!error)
    error = wasmtime_linker_instantiate_pre(linker, host->module, &host->pre);
  wasmtime_linker_delete(linker);
  if (error)
    wasmhost_message(error, NULL, message, size);
  return !error;
}

static bool open_image(wasmhost *host, char *message, size_t size) {
  template_header header;
  size_t len = (size_t)(template_image_end - template_image);
  memcpy(&header, template_image, sizeof header);
  if (len < sizeof header || header.magic != TEMPLATE_MAGIC || header.size != len - sizeof header) {
    snprintf(message, size, "the embedded guest image is damaged");
    return false;
  }
  host->shared = header.shared;
  if (!linear_image_make(&host->image, template_image + sizeof header, (size_t)header.size,
                         (size_t)header.size)) {
    snprintf(message, size, "cannot make the guest image: %s", strerror(errno));
    return false;
  }
  return true;
}

const wasmhost *wasmhost_acquire(const wasmhost_creators *creators,
                                 const wasmhost_imports *imports, char *message,
                                 size_t message_size) {
  const wasmhost *host = NULL;
  pthread_mutex_lock(&shared.lock);
  if (shared.users > 0) {
    shared.users++;
    host = &shared.host;
  } else {
    shared.host = (wasmhost){.image = {.fd = -1}};
    if (open_engine(&shared.host, creators, message, message_size) &&
        open_module(&shared.host, imports, message, message_size) &&
        open_image(&shared.host, message, message_size)) {
      if (ticker_start(shared.host.engine)) {
        shared.users = 1;
        host = &shared.host;
      } else {
        snprintf(message, message_size, "cannot start a thread");
      }
    }
    if (!host)
      close_host(&shared.host);
  }
  pthread_mutex_unlock(&shared.lock);
  return host;
}

void wasmhost_release(void) {
  pthread_mutex_lock(&shared.lock);
  if (--shared.users == 0)
    close_host(&shared.host);
  pthread_mutex_unlock(&shared.lock);
}
