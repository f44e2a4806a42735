/* The table of functions behind engine.h; one for each engine. */
#ifndef VOW_ENGINE_ENGINE_INT_H
#define VOW_ENGINE_ENGINE_INT_H

#include "engine/engine.h"

typedef struct engine_class {
  engine_kind kind;
  engine *(*open)(const vow_allocator *allocator, const char *folder, char *message,
                  size_t message_size);
  void (*close)(engine *engine);
  engine_instance *(*instance_open)(engine *engine, engine_template *template, size_t memory_max,
                                    engine_drain *drain, void *user);
  void (*instance_close)(engine_instance *instance, bool reusable);
  engine_template *(*template_make)(engine_instance *instance);
  void (*template_close)(engine_template *template);
  uint8_t *(*inbox)(engine_instance *instance, size_t size);
  engine_turn_result (*turn)(engine_instance *instance, size_t len, uint64_t stop_at);
  engine_turn_result (*resume)(engine_instance *instance);
  void (*stop)(engine_instance *instance);
  void (*idle)(engine_instance *instance);
  size_t (*memory)(const engine_instance *instance);
  const uint8_t *(*memory_bytes)(const engine_instance *instance, size_t *len);
  void (*trim)(engine *engine);
  void (*set_trust)(engine *engine, const engine_trust *trust);
  engine_counts (*counts)(const engine *engine);
  void (*verify)(engine *engine, bool verify);
} engine_class;

/* First member of each engine's own struct. */
struct engine {
  const engine_class *class;
  const vow_allocator *allocator;
  engine_counts counts;
};

struct engine_template {
  engine *engine;
  size_t memory; /* bytes its instances start with */
};

struct engine_instance {
  engine *engine;
  engine_drain *drain;
  void *user;
  engine_fault fault;
  uint32_t unhandled;
  size_t memory_max;
  const atomic_bool *stop; /* as engine_stop(); NULL: none */
};

/* Fills `bytes` with the system's randomness; false when there is none. */
bool engine_random(void *bytes, size_t len);

extern const engine_class engine_native_class;
extern const engine_class engine_wasm_class;

#endif
