/* The process's one Wasmtime engine for sandboxes, and its ticker.
 *
 * Wasmtime's engine and compiled module are shared by all shards and counted;
 * the last shard that goes ends the ticker thread and frees them. */
#ifndef VOW_ENGINE_WASMHOST_H
#define VOW_ENGINE_WASMHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasm.h>
#include <wasmtime.h>

#include "engine/linear_memory.h"

/* JavaScript stacks up to 512 KiB must end in a JavaScript error before this
 * native stack ends in a trap; only touched pages cost memory. */
#define WASMHOST_STACK_MAX (16u << 20)
#define WASMHOST_STACK_ASYNC (WASMHOST_STACK_MAX + (512u << 10))
#define WASMHOST_TICK_NS 1000000

/* Settings that compiled code depends on: the same at build time and here. */
wasm_config_t *wasmhost_config(void);
/* Writes the text of `error` or `trap` (taken; one is not NULL) as one line. */
void wasmhost_message(wasmtime_error_t *error, wasm_trap_t *trap, char *message, size_t size);
/* Defines what the guest imports; `flush` and `send` get the store's data. */
typedef struct wasmhost_imports {
  bool (*flush)(void *data);
  bool (*send)(void *data, uint32_t header, uint32_t bytes);
  uint64_t (*clock_ns)(void *data, bool monotonic);
  bool (*random)(void *data, uint32_t bytes, uint32_t len); /* false: nothing was written */
} wasmhost_imports;
wasmtime_error_t *wasmhost_define_imports(wasmtime_linker_t *linker,
                                          const wasmhost_imports *imports);

typedef struct wasmhost {
  wasm_engine_t *engine;
  wasmtime_module_t *module;
  wasmtime_instance_pre_t *pre;
  linear_image image;
} wasmhost;

/* Creator callbacks, called by Wasmtime on the thread that opens an instance. */
typedef struct wasmhost_creators {
  wasmtime_new_memory_callback_t new_memory;
  wasmtime_new_stack_memory_callback_t new_stack;
} wasmhost_creators;

/* The shared engine, made by the first caller; NULL with a one-line message.
 * `folder` is where the first caller has the compiled guest; NULL: beside the
 * program or the shared library that this code is in. Any thread. */
const wasmhost *wasmhost_acquire(const wasmhost_creators *creators, const wasmhost_imports *imports,
                                 const char *folder, char *message, size_t message_size);
void wasmhost_release(void);

/* Around each stretch of guest code: the ticker ticks only in between. */
void wasmhost_enter(void);
void wasmhost_leave(void);

#endif
