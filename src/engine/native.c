/* Engine native: the guest in this process, for code that is trusted. Script is
 * stopped by the engine's interrupt handler; natives stop late. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine_int.h"
#include "guest/engine_function.h"
#include "guest/guest.h"
#include "guest/program.h"
#include "guest/shared.h"

/* Calls and turns of loops between two looks at whether to stop: 1 ms when each is a
 * native that takes 100 us, such as a search through 100 KB. The clock, which costs more
 * than to look at a flag, is asked at every 100th look. */
#define POLL_EVERY 10
#define CLOCK_EVERY 100u

typedef struct native_engine {
  engine base;
  bool trusted;
  engine_trust trust; /* with `trusted` */
} native_engine;

typedef struct native_guest {
  engine_instance base;
  guest guest;
  size_t memory_used; /* bytes the JavaScript engine holds */
  uint64_t opened_ns, stop_at;
  uint32_t drained, polls;
  bool limit_hit, host_full;
  uint32_t said;    /* bytes of the outbox that were complete when memory ran short */
  void *ballast;    /* what the system is given back when it has no more; never touched */
  atomic_bool stop; /* set by any thread */
} native_guest;

static uint64_t clock_ns(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- memory under a limit ---- */

/* The engine does not come well through every allocation that fails. So a guest that
 * hits its limit is stopped at its next poll, and until then small blocks come out of a
 * reserve; what is refused are large ones, which script asked for. */
#define SMALL ((size_t)64 << 10)
/* Large enough for the C library to take it from the system, and give it back. */
#define BALLAST ((size_t)1 << 20)

/* From here on nothing the guest says is heard: it may be a consequence. */
static void run_short(native_guest *native, bool *why) {
  if (!native->limit_hit && !native->host_full)
    native->said = native->guest.shared.outbox_len;
  *why = native->guest.stopped = true;
  if (native->guest.ctx)
    engine_poll_after(native->guest.ctx, 1);
}

static bool admit(native_guest *native, size_t size) {
  size_t max = native->base.memory_max, used = native->memory_used;
  if (size <= max && used <= max - size)
    return true;
  run_short(native, &native->limit_hit);
  return size <= SMALL && (used <= max || used - max <= ENGINE_NATIVE_RESERVE - size);
}

/* realloc(), which for a small block tries again with the ballast given back. */
static void *resize(native_guest *native, void *block, size_t size) {
  void *moved = realloc(block, size);
  if (moved)
    return moved;
  run_short(native, &native->host_full);
  if (size > SMALL || !native->ballast)
    return NULL;
  free(native->ballast);
  native->ballast = NULL;
  return realloc(block, size);
}

static void *limited_malloc(void *opaque, size_t size) {
  native_guest *native = opaque;
  if (!admit(native, size))
    return NULL;
  void *block = resize(native, NULL, size);
  if (block)
    native->memory_used += malloc_usable_size(block);
  return block;
}

static void *limited_calloc(void *opaque, size_t count, size_t size) {
  size_t bytes = size && count > SIZE_MAX / size ? SIZE_MAX : count * size; /* refused */
  void *block = limited_malloc(opaque, bytes);
  if (block)
    memset(block, 0, bytes);
  return block;
}

static void limited_free(void *opaque, void *block) {
  native_guest *native = opaque;
  if (block)
    native->memory_used -= malloc_usable_size(block);
  free(block);
}

static void *limited_realloc(void *opaque, void *block, size_t size) {
  native_guest *native = opaque;
  size_t had = block ? malloc_usable_size(block) : 0;
  if (size == 0) {
    limited_free(opaque, block);
    return NULL;
  }
  if (size > had && !admit(native, size - had))
    return NULL;
  void *moved = resize(native, block, size);
  if (moved)
    native->memory_used += malloc_usable_size(moved) - had;
  return moved;
}

static size_t usable_size(const void *block) {
  return malloc_usable_size((void *)(uintptr_t)block);
}

static const JSMallocFunctions limited = {limited_calloc, limited_malloc, limited_free,
                                          limited_realloc, usable_size};

/* ---- shared memory: counted in each guest that holds it ---- */

static void *block_new(void *opaque, size_t size) {
  native_guest *native = opaque;
  if (!admit(native, size))
    return NULL;
  void *block = shared_new(size);
  if (block)
    native->memory_used += size;
  else
    run_short(native, &native->host_full);
  return block;
}

/* The engine cannot be told no here: a limit that is passed ends the guest at its next
 * poll, as every other. */
static void block_hold(void *opaque, void *block) {
  native_guest *native = opaque;
  size_t size = shared_size(block);
  admit(native, size);
  native->memory_used += size;
  shared_hold(block);
}

static void block_drop(void *opaque, void *block) {
  native_guest *native = opaque;
  native->memory_used -= shared_size(block);
  shared_drop(block);
}

/* ---- stopping ---- */

static void fail(native_guest *native, engine_fault fault) {
  if (native->base.fault == ENGINE_FAULT_NONE)
    native->base.fault = fault;
}

static void fail_for_memory(native_guest *native) {
  if (native->limit_hit)
    fail(native, ENGINE_FAULT_MEMORY);
  else if (native->host_full)
    fail(native, ENGINE_FAULT_HOST_MEMORY);
}

static bool stop_is_asked(const native_guest *native) {
  return atomic_load_explicit(&native->stop, memory_order_relaxed) ||
         (native->base.stop && atomic_load_explicit(native->base.stop, memory_order_relaxed));
}

/* Mostly no more than a look at the flag. */
static int should_stop(JSContext *ctx, void *opaque) {
  native_guest *native = opaque;
  engine_poll_after(ctx, POLL_EVERY);
  bool stop = stop_is_asked(native);
  fail_for_memory(native);
  if (stop || (++native->polls % CLOCK_EVERY == 0 && clock_ns(CLOCK_MONOTONIC) >= native->stop_at))
    fail(native, ENGINE_FAULT_TIME);
  if (native->base.fault != ENGINE_FAULT_NONE)
    native->guest.stopped = true;
  return native->guest.stopped;
}

static void native_stop(engine_instance *instance) {
  atomic_store_explicit(&((native_guest *)instance)->stop, true, memory_order_relaxed);
}

/* ---- the guest's platform ---- */

/* What the host does not want any more of, it has not taken to the end. */
static void tell(native_guest *native, const uint8_t *messages, size_t len) {
  if (native->base.drain(native->base.user, messages, len))
    return;
  value_release(messages, len);
  fail(native, ENGINE_FAULT_STOPPED);
}

static void drain(native_guest *native) {
  guest *g = &native->guest;
  uint32_t from = native->drained, end = g->shared.outbox_len, heard = end;
  native->drained = end;
  if ((native->limit_hit || native->host_full) && native->said < end)
    heard = native->said > from ? native->said : from;
  if (native->base.fault == ENGINE_FAULT_STOPPED)
    heard = from;
  if (heard < end)
    value_release(g->outbox + heard, end - heard);
  if (heard > from)
    tell(native, g->outbox + from, heard - from);
}

void platform_flush(guest *g) {
  native_guest *native = g->host;
  drain(native);
  g->shared.outbox_len = 0;
  native->drained = native->said = 0;
}

void platform_send(guest *g, const wire_header *header, const void *bytes) {
  native_guest *native = g->host;
  size_t len = sizeof *header + WIRE_ALIGN(header->len);
  uint8_t *message = NULL;
  if (header->len > WIRE_MESSAGE_MAX)
    fail(native, ENGINE_FAULT_MEMORY);
  else if (native->base.fault == ENGINE_FAULT_NONE && !native->limit_hit && !native->host_full &&
           !(message = mem_new(native->base.engine->allocator, len, 1)))
    fail(native, ENGINE_FAULT_HOST_MEMORY);
  if (!message) {
    value_release(bytes, header->len);
    return;
  }
  memcpy(message, header, sizeof *header);
  memcpy(message + sizeof *header, bytes, header->len);
  tell(native, message, len);
  mem_free(native->base.engine->allocator, message);
}

double platform_now_ms(guest *g) {
  const native_guest *native = g->host;
  uint64_t ns = clock_ns(CLOCK_MONOTONIC) - native->opened_ns;
  return g->trusted ? (double)ns / 1e6 : (double)(ns / 1000000);
}

char *platform_read_module(guest *g, const char *name, size_t *len, char *message,
                           size_t message_size) {
  native_guest *native = g->host;
  const engine_trust *trust = &((const native_engine *)native->base.engine)->trust;
  if (trust->read_module)
    return trust->read_module(trust->user, name, len, message, message_size);
  snprintf(message, message_size, "there are no files to import from");
  return NULL;
}

bool platform_random(guest *g, void *bytes, uint32_t len) {
  (void)g;
  return engine_random(bytes, len);
}

/* ---- the engine's functions ---- */

static void native_instance_close(engine_instance *instance, bool reusable) {
  (void)reusable;
  native_guest *native = (native_guest *)instance;
  guest_free(&native->guest);
  free(native->ballast);
  mem_free(instance->engine->allocator, native);
}

static engine_instance *native_instance_open(engine *engine, engine_template *template,
                                             size_t memory_max, engine_drain *drain_user,
                                             void *user) {
  (void)template; /* there is none */
  native_engine *of = (native_engine *)engine;
  native_guest *native = mem_new(engine->allocator, 1, sizeof *native);
  if (!native)
    return NULL;
  native->base = (engine_instance){
      .engine = engine, .drain = drain_user, .user = user, .memory_max = memory_max};
  native->guest.host = native;
  native->guest.trusted = of->trusted;
  native->opened_ns = clock_ns(CLOCK_MONOTONIC);
  native->stop_at = UINT64_MAX;
  native->ballast = malloc(BALLAST);
  if (!native->ballast || !guest_init(&native->guest, &limited, native) || native->limit_hit ||
      native->host_full) {
    native_instance_close(&native->base, false);
    return NULL;
  }
  JS_SetInterruptHandler(native->guest.rt, should_stop, native);
  engine_poll_after(native->guest.ctx, POLL_EVERY);
  JS_SetSharedArrayBufferFunctions(
      native->guest.rt, &(JSSharedArrayBufferFunctions){block_new, block_drop, block_hold, native});
  JS_SetCanBlock(native->guest.rt, of->trusted && of->trust.can_block);
  if (of->trusted && of->trust.read_module)
    modules_open(&native->guest);
  return &native->base;
}

static engine_template *native_template_make(engine_instance *instance) {
  (void)instance;
  return NULL;
}

static uint8_t *native_inbox(engine_instance *instance, size_t size) {
  native_guest *native = (native_guest *)instance;
  if (instance->fault == ENGINE_FAULT_NONE && !guest_reserve(&native->guest, size)) {
    fail_for_memory(native);
    fail(native, ENGINE_FAULT_MEMORY); /* a size past all limits asks for no memory */
  }
  return instance->fault == ENGINE_FAULT_NONE ? native->guest.inbox : NULL;
}

static engine_turn_result native_turn(engine_instance *instance, size_t len, uint64_t stop_at) {
  native_guest *native = (native_guest *)instance;
  if (stop_is_asked(native))
    fail(native, ENGINE_FAULT_TIME); /* a short turn may not poll */
  if (instance->fault != ENGINE_FAULT_NONE) {
    value_release(native->guest.inbox, len);
    return ENGINE_FAULT;
  }
  native->stop_at = stop_at;
  native->drained = 0;
  guest_turn(&native->guest, len);
  fail_for_memory(native);
  drain(native);
  if (stop_is_asked(native)) /* too late for what has just ended, which was told; no more */
    fail(native, ENGINE_FAULT_TIME);
  instance->unhandled = native->guest.shared.unhandled;
  return instance->fault == ENGINE_FAULT_NONE ? ENGINE_DONE : ENGINE_FAULT;
}

static engine_turn_result native_resume(engine_instance *instance) {
  fail((native_guest *)instance, ENGINE_FAULT_INTERNAL); /* it never yields */
  return ENGINE_FAULT;
}

static void native_idle(engine_instance *instance) {
  (void)instance;
}

static size_t native_memory(const engine_instance *instance) {
  return ((const native_guest *)instance)->memory_used;
}

static const uint8_t *native_memory_bytes(const engine_instance *instance, size_t *len) {
  (void)instance;
  *len = 0;
  return NULL;
}

static void native_close(engine *engine) {
  mem_free(engine->allocator, engine);
}

static engine *native_open(const vow_allocator *allocator, const char *folder, char *message,
                           size_t message_size) {
  (void)folder;
  native_engine *native = mem_new(allocator, 1, sizeof *native);
  if (!native) {
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  native->base.class = &engine_native_class;
  native->base.allocator = allocator;
  return &native->base;
}

static void native_set_trust(engine *engine, const engine_trust *trust) {
  native_engine *native = (native_engine *)engine;
  native->trusted = trust != NULL;
  native->trust = trust ? *trust : (engine_trust){0};
}

static void native_trim(engine *engine) {
  (void)engine;
}

static engine_counts native_counts(const engine *engine) {
  return engine->counts;
}

static void native_verify(engine *engine, bool verify) {
  (void)engine, (void)verify;
}

const engine_class engine_native_class = {
    .kind = ENGINE_NATIVE,
    .open = native_open,
    .close = native_close,
    .instance_open = native_instance_open,
    .instance_close = native_instance_close,
    .template_make = native_template_make,
    .inbox = native_inbox,
    .turn = native_turn,
    .resume = native_resume,
    .stop = native_stop,
    .idle = native_idle,
    .memory = native_memory,
    .memory_bytes = native_memory_bytes,
    .trim = native_trim,
    .set_trust = native_set_trust,
    .counts = native_counts,
    .verify = native_verify,
};
