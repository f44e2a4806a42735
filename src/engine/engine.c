#include "engine/engine.h"

#include <errno.h>
#include <sys/random.h>

#include "engine/engine_int.h"

bool engine_random(void *bytes, size_t len) {
  uint8_t *at = bytes;
  while (len > 0) {
    ssize_t got = getrandom(at, len, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    at += got;
    len -= (size_t)got;
  }
  return true;
}

engine *engine_open(engine_kind kind, const vow_allocator *allocator, const char *folder,
                    char *message, size_t message_size) {
  const engine_class *class = kind == ENGINE_WASM ? &engine_wasm_class : &engine_native_class;
  return class->open(allocator, folder, message, message_size);
}

void engine_close(engine *engine) {
  if (engine)
    engine->class->close(engine);
}

engine_kind engine_kind_of_engine(const engine *engine) {
  return engine->class->kind;
}

void engine_set_trust(engine *engine, const engine_trust *trust) {
  if (engine->class->set_trust)
    engine->class->set_trust(engine, trust);
}

engine_instance *engine_instance_open(engine *engine, engine_template *template, size_t memory_max,
                                      engine_drain *drain, void *user) {
  engine_instance *instance =
      engine->class->instance_open(engine, template, memory_max, drain, user);
  if (instance) {
    engine->counts.opened++;
    engine->counts.live++;
  }
  return instance;
}

void engine_instance_close(engine_instance *instance, bool reusable) {
  instance->engine->counts.live--;
  instance->engine->class->instance_close(instance, reusable);
}

engine_template *engine_template_make(engine_instance *instance) {
  return instance->engine->class->template_make(instance);
}

void engine_template_close(engine_template *template) {
  if (template)
    template->engine->class->template_close(template);
}

size_t engine_template_memory(const engine_template *template) {
  return template->memory;
}

uint8_t *engine_inbox(engine_instance *instance, size_t size) {
  return instance->engine->class->inbox(instance, size);
}

engine_turn_result engine_turn(engine_instance *instance, size_t len, uint64_t stop_at) {
  return instance->engine->class->turn(instance, len, stop_at);
}

engine_turn_result engine_resume(engine_instance *instance) {
  return instance->engine->class->resume(instance);
}

void engine_stop(engine_instance *instance) {
  if (instance->engine->class->stop)
    instance->engine->class->stop(instance);
}

void engine_set_stop(engine_instance *instance, const atomic_bool *stop) {
  instance->stop = stop;
}

engine_fault engine_fault_of(const engine_instance *instance) {
  return instance->fault;
}

size_t engine_memory(const engine_instance *instance) {
  return instance->engine->class->memory(instance);
}

void engine_set_memory_max(engine_instance *instance, size_t memory_max) {
  instance->memory_max = memory_max;
}

const uint8_t *engine_memory_bytes(const engine_instance *instance, size_t *len) {
  return instance->engine->class->memory_bytes(instance, len);
}

uint32_t engine_unhandled(const engine_instance *instance) {
  return instance->unhandled;
}

void engine_instance_idle(engine_instance *instance) {
  instance->engine->class->idle(instance);
}

void engine_trim(engine *engine) {
  engine->class->trim(engine);
}

engine_counts engine_counts_of(const engine *engine) {
  return engine->class->counts(engine);
}

void engine_verify_recycling(engine *engine, bool verify) {
  engine->class->verify(engine, verify);
}
