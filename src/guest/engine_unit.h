/* What Vow needs of QuickJS-ng beyond its public API. engine_unit.c includes
 * quickjs.c, so no patched engine is needed; nothing else may look inside. */
#ifndef VOW_GUEST_ENGINE_UNIT_H
#define VOW_GUEST_ENGINE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

/* In front of every block of the engine. Its allocator may use the first two
 * fields, and must keep the others when it moves a block. */
typedef struct engine_block_head {
  uint16_t place;
  uint8_t size_index;
  uint8_t engine_bits;
  int32_t engine_count;
} engine_block_head;

/* Where in a JSRuntime the bytes it holds are counted (size_t). */
extern const size_t engine_held_offset;

/* A pending intrinsic promise without resolving functions. */
JSValue engine_promise_new(JSContext *ctx);
/* The same with a prototype of its own. */
JSValue engine_promise_new_proto(JSContext *ctx, JSValueConst prototype);
/* Settles it with exactly `value` (borrowed): no look at `value.then`, nothing
 * the guest has replaced is seen. No effect on a settled promise. */
void engine_promise_settle(JSContext *ctx, JSValueConst promise, JSValueConst value,
                           bool is_reject);
/* Calls `handlers` on settlement, without creating a derived promise and
 * without a look at Promise.prototype.then. 0, or -1 with an exception. */
int engine_promise_watch(JSContext *ctx, JSValueConst promise, JSValueConst on_fulfilled,
                         JSValueConst on_rejected);

/* The interrupt handler is called at the next loop or call of script, not after some
 * thousands of them. */
void engine_poll_soon(JSContext *ctx);

/* Room for `count` more globals, so that a run which adds its few moves no table.
 * 0, or -1 with an exception. */
int engine_reserve_globals(JSContext *ctx, uint32_t count);

#ifdef __wasm__
/* For a context that is a template and never freed: makes what the engine makes on
 * first use, that is built-in functions and the shapes of short-lived objects, and
 * never gives it back. Otherwise each run makes it for itself. 0, or -1 with an
 * exception. */
int engine_make_ahead(JSContext *ctx);
#endif

/* Makes this copy of a template its own: what Math.random and the hashes of
 * Map and Set start from. No Map or Set of the context may hold entries. */
void engine_reseed(JSContext *ctx, uint64_t random_state, uint32_t hash_seed);

/* The value a global name has, whether declared by var, function, let, const
 * or class, without running guest code; undefined if there is none. */
JSValue engine_global_binding(JSContext *ctx, JSAtom name);

/* Where script code is being executed right now: up to `max` frames of the
 * calling functions. Cheap: only references and offsets are kept. */
#define ENGINE_BUNDLE_NAME "vow:web" /* the file that the web globals are in */
#define ENGINE_SITE_FRAMES 6
typedef struct engine_site {
  uint32_t count;
  struct {
    JSValue function; /* owned */
    uint32_t pc;
  } frames[ENGINE_SITE_FRAMES];
} engine_site;
void engine_site_capture(JSContext *ctx, engine_site *site);
void engine_site_free(JSContext *ctx, engine_site *site);
/* Where the async functions stand that a pending promise waits for, the innermost
 * first. Those that nothing refers to any more are gone, so this may be empty or end
 * early. Runs no guest code. */
void engine_stuck_site(JSContext *ctx, JSValueConst promise, engine_site *site);
/* Writes lines like "    at f (file.js:3:10)\n"; returns the length, cut at `size`. */
size_t engine_site_text(JSContext *ctx, const engine_site *site, char *text, size_t size);

/* What kind of object, seen without traps or getters. */
typedef enum {
  ENGINE_PLAIN, /* everything that is not below */
  ENGINE_ARRAY,
  ENGINE_ERROR,
  ENGINE_DATE,
  ENGINE_MAP,
  ENGINE_SET,
  ENGINE_ARRAY_BUFFER,
  ENGINE_SHARED_ARRAY_BUFFER,
  ENGINE_TYPED_ARRAY,
  ENGINE_DATA_VIEW,
  ENGINE_BOXED, /* Number, String, Boolean, BigInt object */
  ENGINE_BOXED_SYMBOL,
  ENGINE_FUNCTION,
  ENGINE_PROXY,
  ENGINE_REVOKED_PROXY,
} engine_object_kind;
engine_object_kind engine_kind_of(JSContext *ctx, JSValueConst object);
/* Array.isArray: also through proxies. 1, 0, or -1 with an exception. */
int engine_is_array(JSContext *ctx, JSValueConst value);
/* The primitive inside a boxed object (owned), or the time value of a Date. */
JSValue engine_primitive_of(JSContext *ctx, JSValueConst object);
/* A RangeError that says what the engine's own stack check says. */
bool engine_is_stack_overflow(JSContext *ctx, JSValueConst value);
/* An own data property without guest code (undefined when there is none). */
JSValue engine_own_data(JSContext *ctx, JSValueConst object, JSAtom name);
/* The first `max` UTF-16 units of a string value. */
JSValue engine_string_prefix(JSContext *ctx, JSValueConst string, uint32_t max);

/* Everything in a Map (key, value, key, value...) or Set, owned by the caller:
 * free with engine_values_free. No guest code runs. 0, or -1 with an exception. */
int engine_collection_list(JSContext *ctx, JSValueConst collection, JSValue **values,
                           uint32_t *count);
void engine_values_free(JSContext *ctx, JSValue *values, uint32_t count);

/* A bigint's magnitude: |value| if negative is false, else -1 - value, as
 * big-endian bytes without leading zeros (js_free them). 0 or -1 with an exception. */
int engine_bigint_bytes(JSContext *ctx, JSValueConst value, bool *negative, uint8_t **bytes,
                        size_t *len);
JSValue engine_bigint_new(JSContext *ctx, bool negative, const uint8_t *bytes, size_t len);

#endif
