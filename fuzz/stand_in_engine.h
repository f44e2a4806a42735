/* An engine whose guests say what a fuzz target makes them say, in place of the
 * library's: these functions have the names of src/engine/engine.h, and the linker
 * then leaves those out. Included once, by a target that defines play() and
 * short_of_memory(). */
#ifndef VOW_FUZZ_STAND_IN_ENGINE_H
#define VOW_FUZZ_STAND_IN_ENGINE_H

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

struct engine {
  uint32_t live;
};

struct engine_instance {
  engine *engine;
  engine_drain *drain;
  void *user;
  engine_fault fault;
  uint32_t unhandled;
  size_t memory_max;
  uint8_t *inbox; /* of `inbox_len` bytes; NULL: none was asked for */
  size_t inbox_len;
};

/* One turn, or the rest of one: says messages, and sets `fault` to fail. */
static engine_turn_result play(engine_instance *instance);
/* Whether the guest has no room for an inbox. */
static bool short_of_memory(void);

static void demand(bool holds) {
  if (!holds)
    abort();
}

/* Lets the host read `len` bytes, which it may refuse. */
static void say_bytes(engine_instance *instance, const void *bytes, size_t len) {
  /* Exactly as long as they are, so that a read beyond them is seen. */
  uint8_t *exact = malloc(len ? len : 1);
  demand(exact != NULL);
  if (len)
    memcpy(exact, bytes, len);
  if (len && !instance->drain(instance->user, exact, len))
    instance->fault = ENGINE_FAULT_STOPPED;
  free(exact);
}

engine *engine_open(engine_kind kind, const vow_allocator *allocator, const char *folder,
                    char *message, size_t size) {
  static engine the_engine;
  (void)kind, (void)allocator, (void)folder, (void)message, (void)size;
  return &the_engine;
}

void engine_close(engine *engine) {
  demand(engine->live == 0);
}

engine_kind engine_kind_of_engine(const engine *engine) {
  (void)engine;
  return ENGINE_WASM;
}

engine_instance *engine_instance_open(engine *engine, engine_template *template, size_t memory_max,
                                      engine_drain *drain, void *user) {
  demand(template == NULL); /* none is ever made */
  engine_instance *instance = calloc(1, sizeof *instance);
  demand(instance != NULL);
  *instance =
      (engine_instance){.engine = engine, .drain = drain, .user = user, .memory_max = memory_max};
  engine->live++;
  return instance;
}

void engine_instance_close(engine_instance *instance, bool reusable) {
  (void)reusable; /* an engine knows better after a fault */
  instance->engine->live--;
  free(instance->inbox);
  free(instance);
}

engine_template *engine_template_make(engine_instance *instance) {
  (void)instance;
  return NULL;
}

void engine_template_close(engine_template *template) {
  demand(template == NULL);
}

size_t engine_template_memory(const engine_template *template) {
  (void)template;
  return 0;
}

uint8_t *engine_inbox(engine_instance *instance, size_t size) {
  if (short_of_memory())
    instance->fault = ENGINE_FAULT_MEMORY;
  if (instance->fault != ENGINE_FAULT_NONE)
    return NULL;
  free(instance->inbox);
  instance->inbox = malloc(size ? size : 1);
  instance->inbox_len = size;
  demand(instance->inbox != NULL);
  return instance->inbox;
}

engine_turn_result engine_resume(engine_instance *instance) {
  demand(instance->fault == ENGINE_FAULT_NONE);
  engine_turn_result result = play(instance);
  return instance->fault == ENGINE_FAULT_NONE ? result : ENGINE_FAULT;
}

engine_turn_result engine_turn(engine_instance *instance, size_t len, uint64_t stop_at) {
  (void)stop_at;
  demand(len <= instance->inbox_len);
  return engine_resume(instance);
}

void engine_stop(engine_instance *instance) {
  if (instance->fault == ENGINE_FAULT_NONE)
    instance->fault = ENGINE_FAULT_TIME;
}

/* Nobody sets it: all is on one thread. */
void engine_set_stop(engine_instance *instance, const atomic_bool *stop) {
  (void)instance;
  demand(!stop || !atomic_load(stop));
}

engine_fault engine_fault_of(const engine_instance *instance) {
  return instance->fault;
}

size_t engine_memory(const engine_instance *instance) {
  return instance->memory_max / 2;
}

uint32_t engine_unhandled(const engine_instance *instance) {
  return instance->unhandled;
}

void engine_instance_idle(engine_instance *instance) {
  demand(instance->fault == ENGINE_FAULT_NONE);
}

void engine_trim(engine *engine) {
  demand(engine != NULL);
}

engine_counts engine_counts_of(const engine *engine) {
  return (engine_counts){.live = engine->live};
}

#endif
