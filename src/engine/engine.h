/* One interface for both engines that run a guest.
 *
 * An engine belongs to one shard (one loop thread) and holds what its instances
 * share: the template, pools of memory and stacks. An instance is one guest:
 * messages go in with engine_inbox() and engine_turn(), answers come out through
 * the drain callback. Everything here is loop thread only.
 *
 *   native  the guest in this process: for trusted code. Nothing isolates it
 *           from errors of the engine; a turn runs to its end or until the
 *           interrupt handler stops script.
 *   wasm    the guest in WebAssembly: linear memory, a hard memory limit, and
 *           preemption, also inside natives, about every millisecond. */
#ifndef VOW_ENGINE_ENGINE_H
#define VOW_ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"
#include "guest/wire.h"

typedef enum { ENGINE_WASM, ENGINE_NATIVE } engine_kind;

typedef enum {
  ENGINE_DONE,    /* the job queue is empty: write messages, take another turn */
  ENGINE_YIELDED, /* preempted: engine_resume() goes on, or close the instance */
  ENGINE_FAULT,   /* the instance is of no use any more; engine_fault_of() says why */
} engine_turn_result;

typedef enum {
  ENGINE_FAULT_NONE,
  ENGINE_FAULT_STOPPED,     /* the drain callback refused to go on */
  ENGINE_FAULT_MEMORY,      /* the memory limit was hit */
  ENGINE_FAULT_HOST_MEMORY, /* the system refused memory that the limit allows */
  ENGINE_FAULT_STACK,       /* recursion that the engine's own check did not see */
  ENGINE_FAULT_TIME,        /* native: script ran past the deadline it was given */
  ENGINE_FAULT_INTERNAL,    /* the guest broke its own rules */
} engine_fault;

typedef struct engine engine;
typedef struct engine_instance engine_instance;
typedef struct engine_template engine_template;

/* Reads complete messages (wire.h) in `bytes`. Called in a turn, possibly while
 * the guest is suspended in the middle of it, and once after it: it must not
 * call the engine. False stops the instance with ENGINE_FAULT_STOPPED. */
typedef bool engine_drain(void *user, const uint8_t *bytes, size_t len);

/* Opens an engine; NULL with a one-line message. `folder`: where the compiled guest
 * is (wasmhost.h); NULL: found. */
engine *engine_open(engine_kind kind, const vow_allocator *allocator, const char *folder,
                    char *message, size_t message_size);
/* All instances must be closed. */
void engine_close(engine *engine);
engine_kind engine_kind_of_engine(const engine *engine);

/* What guests opened from now on may do beyond others: they run code that is trusted.
 * SharedArrayBuffer and Atomics are theirs, modules of files, and a clock that is finer
 * than a millisecond. */
typedef struct engine_trust {
  bool can_block; /* Atomics.wait(): for guests that have a thread to themselves */
  /* The source of one module: malloc'ed, zero-terminated, of *len bytes; NULL with a
   * one-line message. `name` is an absolute path. Called in a turn. NULL: there are no
   * files to import from. */
  char *(*read_module)(void *user, const char *name, size_t *len, char *message,
                       size_t message_size);
  void *user;
} engine_trust;
/* Native engine only. `trust` is copied; NULL: nothing, which is how an engine opens. */
void engine_set_trust(engine *engine, const engine_trust *trust);

/* A native guest that hits its limit stops at its next poll, and may hold so much more
 * until then. */
#define ENGINE_NATIVE_RESERVE ((size_t)2 << 20)

/* A guest with at most `memory_max` bytes, as it was when `template` was made;
 * NULL: a fresh one. NULL when memory is short. */
engine_instance *engine_instance_open(engine *engine, engine_template *template, size_t memory_max,
                                      engine_drain *drain, void *user);
/* Ends it at any moment, also between ENGINE_YIELDED and engine_resume(). With
 * `reusable` false its memory is never given to another run. */
void engine_instance_close(engine_instance *instance, bool reusable);

/* A template of what `instance` is now, between turns; the instance goes on. NULL
 * when memory is short, after a fault, and natively, where state cannot be copied. */
engine_template *engine_template_make(engine_instance *instance);
/* Its instances must be closed; NULL is fine. */
void engine_template_close(engine_template *template);
/* Bytes its instances start with. */
size_t engine_template_memory(const engine_template *template);

/* `size` writable bytes for a batch of messages, valid until engine_turn(). Not
 * between ENGINE_YIELDED and the end of that turn. NULL: a fault. */
uint8_t *engine_inbox(engine_instance *instance, size_t size);
/* One turn over the first `len` bytes of the inbox. `stop_at` (nanoseconds of
 * CLOCK_MONOTONIC) is for the native engine, which cannot yield. */
engine_turn_result engine_turn(engine_instance *instance, size_t len, uint64_t stop_at);
engine_turn_result engine_resume(engine_instance *instance);
/* Any thread, and signal handlers, while the instance is open: script stops at its next
 * poll, which is after a few calls or turns of a loop, with ENGINE_FAULT_TIME; no other
 * turn is taken. A native in between ends first. For the native engine: the other one
 * yields. */
void engine_stop(engine_instance *instance);
/* Native engine only, before the first turn: `stop`, which outlives the instance, does as
 * engine_stop() when any thread sets it, also one that cannot know whether the instance is
 * open. */
void engine_set_stop(engine_instance *instance, const atomic_bool *stop);
engine_fault engine_fault_of(const engine_instance *instance);

/* Bytes the guest holds. */
size_t engine_memory(const engine_instance *instance);
/* Native engine only: another limit from now on. */
void engine_set_memory_max(engine_instance *instance, size_t memory_max);
/* The whole linear memory, valid until the next turn; NULL natively, where there
 * is no such thing. For tests. */
const uint8_t *engine_memory_bytes(const engine_instance *instance, size_t *len);
/* How many rejections nobody has handled, after a turn. */
uint32_t engine_unhandled(const engine_instance *instance);
/* Gives back what a waiting guest does not need (its stacks). */
void engine_instance_idle(engine_instance *instance);

/* Gives back what instances kept for later runs do not need while none runs. */
void engine_trim(engine *engine);

/* How instances came about, for metrics and tests. */
typedef struct engine_counts {
  uint64_t opened, recycled, discarded, pages_restored;
  uint64_t searches;     /* for the pages that were written */
  size_t template_bytes; /* what a fresh instance starts with; 0 natively */
  uint32_t live;
} engine_counts;
engine_counts engine_counts_of(const engine *engine);

/* Each recycled memory is compared with the template, byte for byte; a
 * difference aborts. For tests. */
void engine_verify_recycling(engine *engine, bool verify);

#endif
