/* Plain objects, arrays and strings made and read quickly, for what turns values into
 * bytes and back: no property is looked for, no setter, getter or other guest code is
 * run. */
#ifndef VOW_GUEST_ENGINE_OBJECT_H
#define VOW_GUEST_ENGINE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

/* The names of an object's properties in their order, which objects made alike share. */
typedef struct JSShape engine_shape;

#define ENGINE_SHAPE_MAX 16u /* properties */

/* NULL is fine. */
void engine_shape_free(JSContext *ctx, engine_shape *shape);
uint32_t engine_shape_count(const engine_shape *shape);
/* The name at `index`, borrowed from `shape`. */
JSAtom engine_shape_name(const engine_shape *shape, uint32_t index);
/* The same as text. */
const char *engine_shape_text(JSContext *ctx, const engine_shape *shape, uint32_t index,
                              size_t *len);

/* ---- reading ---- */

/* Of a plain object of any prototype whose own properties are all enumerable data
 * properties with ASCII names that are no indices: in the order in which
 * Object.keys() has them. As long as it is owned (engine_shape_free()), it stays as it
 * is, whatever becomes of the object. NULL: it is no such one. */
engine_shape *engine_shape_to_read(JSContext *ctx, JSValueConst object);
/* The same of an object as a decoder makes them: of the usual prototype, with properties
 * as an assignment makes them, one at least and ENGINE_SHAPE_MAX at most. */
engine_shape *engine_shape_of(JSContext *ctx, JSValueConst object);
/* Whether a plain object has just these properties. */
bool engine_has_shape(JSValueConst object, const engine_shape *shape);
/* The value of property `index` of an object that has such a shape now; borrowed. */
JSValueConst engine_member_at(JSValueConst object, uint32_t index);
/* The element at `index` (0 or more), borrowed. False: it has to be looked for. */
bool engine_array_at(JSValueConst array, int64_t index, JSValueConst *value);
/* The text of a value that is a string of ASCII, borrowed. NULL: it is not, or is in
 * pieces. */
const char *engine_ascii_text(JSValueConst string, size_t *len);

/* ---- making ---- */

/* The string of `text`, which is UTF-8; `like` itself, when it is just that one. */
JSValue engine_text_new(JSContext *ctx, const char *text, size_t len, JSValueConst like);

/* An object of a shape of engine_shape_of(). Takes over as many `values` as it has
 * properties, also when it fails. */
JSValue engine_object_like(JSContext *ctx, engine_shape *shape, const JSValue *values);

/* The shapes that an object goes through on its way to one of engine_shape_of(), and
 * that one itself. As long as they are there, the engine finds them when script makes such
 * an object property by property, with room for all properties from the first one on;
 * otherwise it makes them, and moves the properties, for each object anew. */
typedef struct engine_stages {
  uint32_t count; /* 0: none */
  engine_shape *shapes[ENGINE_SHAPE_MAX + 1];
} engine_stages;
/* 0, or -1 with an exception; then there are none. */
int engine_stages_make(JSContext *ctx, engine_shape *shape, engine_stages *stages);
void engine_stages_free(JSContext *ctx, engine_stages *stages);

/* An empty array with room for `room` elements. */
JSValue engine_array_new(JSContext *ctx, uint32_t room);
/* Adds `value`, which it takes over, at the end of an array that no guest code has seen
 * yet. 0, or -1 with an exception. */
int engine_array_push(JSContext *ctx, JSValueConst array, JSValue value);

#endif
