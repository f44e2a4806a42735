/* Functions as what can be sent to another thread: which sort, what they need of
 * their surroundings, and their bytecode. Natively only. Nothing here runs guest
 * code but engine_globals_list(). */
#ifndef VOW_GUEST_ENGINE_FUNCTION_H
#define VOW_GUEST_ENGINE_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

/* Why a value is no function that can be sent; the order is that of the checks. */
typedef enum {
  ENGINE_CAN_BE_SENT,
  ENGINE_NO_FUNCTION,
  ENGINE_IS_PROXY,
  ENGINE_IS_BOUND,
  ENGINE_IS_NATIVE,
  ENGINE_IS_CLASS,
  ENGINE_IS_GENERATOR,
  ENGINE_USES_EVAL,    /* direct eval: it may name anything */
  ENGINE_USES_PRIVATE, /* #name */
  ENGINE_USES_SUPER,
  ENGINE_USES_THIS, /* of its surroundings */
  ENGINE_USES_META, /* import.meta */
} engine_function_sort;
engine_function_sort engine_function_sort_of(JSContext *ctx, JSValueConst value);

/* What closures of one source text have in common, for a cache: the key is not a
 * reference, the value is (JS_FreeValue). Only of what has bytecode, else NULL. */
const void *engine_function_key(JSValueConst function);
JSValue engine_function_hold(JSValueConst function);

/* Its captured variables, below `engine_function_captures()`. `self` is true where
 * the variable holds the function itself. The atom is borrowed. */
uint32_t engine_function_captures(JSValueConst function);
JSAtom engine_function_captured(JSValueConst function, uint32_t i, bool *self);
/* The first private name among them; JS_ATOM_NULL if there is none. */
JSAtom engine_function_private_name(JSContext *ctx, JSValueConst function);

/* Global names that it and the functions in it use. */
enum {
  ENGINE_NAME_READ = 1,   /* a ReferenceError where there is none */
  ENGINE_NAME_TESTED = 2, /* typeof */
  ENGINE_NAME_WRITTEN = 4,
  ENGINE_NAME_MAYBE = 8, /* perhaps a member of an object that `with` names */
};
typedef struct engine_name {
  JSAtom atom; /* owned */
  uint32_t uses;
} engine_name;
/* 0, or -1 with an exception. Free with engine_names_free. */
int engine_function_names(JSContext *ctx, JSValueConst function, engine_name **names,
                          uint32_t *count);
void engine_names_free(JSContext *ctx, engine_name *names, uint32_t count);

/* Bytecode without the source (js_free it), and back: the captured variables of what
 * is read all hold the function itself. `bytes` must be our own: they are not
 * checked. */
uint8_t *engine_function_write(JSContext *ctx, JSValueConst function, size_t *len);
JSValue engine_function_read(JSContext *ctx, const uint8_t *bytes, size_t len);
/* Makes them hold it once more, whatever it did to them. */
void engine_function_rebind(JSContext *ctx, JSValueConst function);

/* The source text (borrowed; NULL when there is none) and where it stands. Atoms are
 * borrowed. */
const char *engine_function_source(JSValueConst function, size_t *len);
JSAtom engine_function_file(JSValueConst function);
/* Its name as traces show it (JS_FreeCString); may be NULL. */
const char *engine_function_name(JSContext *ctx, JSValueConst function);

/* All globals there are now with their values, which are made if they were not yet.
 * 0, or -1 with an exception. */
typedef struct engine_global {
  JSAtom atom;   /* owned */
  JSValue value; /* owned */
} engine_global;
int engine_globals_list(JSContext *ctx, engine_global **globals, uint32_t *count);
void engine_globals_free(JSContext *ctx, engine_global *globals, uint32_t count);
/* Whether the name stands for the very same value as when it was listed. */
bool engine_global_is_same(JSContext *ctx, const engine_global *global);
/* Whether script can see a global of this name; then `*value` is borrowed. */
bool engine_global_find(JSContext *ctx, JSAtom name, JSValueConst *value);
bool engine_same_object(JSValueConst a, JSValueConst b);

/* A SharedArrayBuffer that was made with a maximum length. */
bool engine_buffer_may_grow(JSValueConst buffer);
/* Gives a new Error the prototype of TypeError, RangeError... if `name` is one of
 * these. False: it is none, and nothing is changed. */
bool engine_error_take_kind(JSContext *ctx, JSValueConst error, const char *name, size_t len);

/* A number in a pending promise, until it is settled: the slot of its result is free
 * that long, so the call behind a promise is found at once. */
void engine_promise_set_number(JSValueConst promise, uint64_t number);
/* False: no such promise, or settled, or without a number. */
bool engine_promise_number(JSValueConst promise, uint64_t *number);

/* After how many calls and turns of loops the interrupt handler is asked next. */
void engine_poll_after(JSContext *ctx, int count);

#endif
