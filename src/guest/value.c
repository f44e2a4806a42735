/* JavaScript values as CBOR and back; docs/values.md is the table. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guest/engine_function.h"
#include "guest/engine_object.h"
#include "guest/guest.h"
#include "guest/shared.h"
#include "guest/task.h"

#define PATH_MAX_TEXT 200

/* The path to the value at hand, for messages: a list on the C stack. */
typedef struct step {
  const struct step *up;
  JSAtom key; /* JS_ATOM_NULL: an index */
  uint32_t index;
  JSValueConst object; /* the container, to find cycles */
} step;

/* Lists of objects that are alike are common, also some levels deep. */
#define ALIKE 4u

typedef struct encoder {
  JSContext *ctx;
  cbor_out *out;
  value_mode mode;
  const char *root;     /* what a path starts with: "argument" */
  unsigned root_number; /* follows it, when not 0 */
  /* By level: the shape of the object that was read last; owned, NULL for none. */
  engine_shape *alike[ALIKE];
#ifndef __wasm__
  bool told[ALIKE]; /* that there are several like it */
#endif
} encoder;

static int encode(encoder *e, JSValueConst value, const step *at, unsigned depth);

/* ---- errors that name the path ---- */

static size_t path_text(JSContext *ctx, const step *at, char *text, size_t size, size_t used) {
  if (!at || used >= size)
    return used;
  used = path_text(ctx, at->up, text, size, used);
  if (used >= size)
    return used;
  int n;
  if (at->key == JS_ATOM_NULL) {
    n = snprintf(text + used, size - used, "[%u]", at->index);
  } else {
    const char *key = JS_AtomToCString(ctx, at->key);
    n = snprintf(text + used, size - used, ".%s", key ? key : "?");
    JS_FreeCString(ctx, key);
  }
  return n < 0 ? used : used + (size_t)n;
}

static int refuse(encoder *e, const step *at, const char *what) {
  char path[PATH_MAX_TEXT];
  int n = e->root_number ? snprintf(path, sizeof path, "%s %u", e->root, e->root_number)
                         : snprintf(path, sizeof path, "%s", e->root);
  size_t used = n < 0 ? 0 : (size_t)n;
  if (used < sizeof path)
    path_text(e->ctx, at, path, sizeof path, used);
  path[sizeof path - 1] = 0;
  JS_ThrowTypeError(e->ctx, "%s %s", path, what);
  return -1;
}

/* ---- scalars ---- */

static bool has_surrogates(const uint8_t *text, size_t len) {
  const uint8_t *at = text, *end = text + len;
  while (at < end && (at = memchr(at, 0xed, (size_t)(end - at)))) {
    if (at + 1 < end && at[1] >= 0xa0)
      return true;
    at++;
  }
  return false;
}

static void put_string_bytes(cbor_out *out, const char *text, size_t len) {
  if (has_surrogates((const uint8_t *)text, len)) {
    cbor_put_tag(out, CBOR_TAG_WTF8);
    cbor_put_bytes(out, text, len);
  } else {
    cbor_put_text(out, text, len);
  }
}

static int encode_string(encoder *e, JSValueConst value) {
  size_t len;
  const char *text = engine_ascii_text(value, &len);
  if (text) {
    cbor_put_text(e->out, text, len);
    return 0;
  }
  text = JS_ToCStringLen(e->ctx, &len, value);
  if (!text)
    return -1;
  put_string_bytes(e->out, text, len);
  JS_FreeCString(e->ctx, text);
  return 0;
}

static void encode_number(encoder *e, double value) {
  /* -0 and what is not a safe integer stay floats. */
  if (value == floor(value) && fabs(value) <= 9007199254740991.0 && !(value == 0 && signbit(value)))
    cbor_put_int(e->out, (int64_t)value);
  else
    cbor_put_double(e->out, value);
}

static int encode_bigint(encoder *e, JSValueConst value) {
  bool negative;
  uint8_t *bytes;
  size_t len;
  if (engine_bigint_bytes(e->ctx, value, &negative, &bytes, &len) < 0)
    return -1;
  cbor_put_tag(e->out, negative ? CBOR_TAG_NEGATIVE_BIGNUM : CBOR_TAG_BIGNUM);
  cbor_put_bytes(e->out, bytes, len);
  js_free(e->ctx, bytes);
  return 0;
}

static int encode_date(encoder *e, JSValueConst value) {
  double ms;
  JSValue time = engine_primitive_of(e->ctx, value);
  int failed = JS_ToFloat64(e->ctx, &ms, time);
  JS_FreeValue(e->ctx, time);
  if (failed)
    return -1;
  cbor_put_tag(e->out, CBOR_TAG_EPOCH);
  if (fmod(ms, 1000) == 0)
    cbor_put_int(e->out, (int64_t)(ms / 1000));
  else
    cbor_put_double(e->out, ms / 1000);
  return 0;
}

/* ---- bytes ---- */

static const uint8_t typed_tags[] = {
    [JS_TYPED_ARRAY_UINT8C] = 68,     [JS_TYPED_ARRAY_INT8] = 72,
    [JS_TYPED_ARRAY_UINT8] = 64,      [JS_TYPED_ARRAY_INT16] = 77,
    [JS_TYPED_ARRAY_UINT16] = 69,     [JS_TYPED_ARRAY_INT32] = 78,
    [JS_TYPED_ARRAY_UINT32] = 70,     [JS_TYPED_ARRAY_BIG_INT64] = 79,
    [JS_TYPED_ARRAY_BIG_UINT64] = 71, [JS_TYPED_ARRAY_FLOAT16] = 84,
    [JS_TYPED_ARRAY_FLOAT32] = 85,    [JS_TYPED_ARRAY_FLOAT64] = 86,
};

static int encode_buffer(encoder *e, JSValueConst value, const step *at) {
  size_t len;
  uint8_t *bytes = JS_GetArrayBuffer(e->ctx, &len, value);
  if (!bytes && len) {
    JS_FreeValue(e->ctx, JS_GetException(e->ctx));
    return refuse(e, at, "is a detached ArrayBuffer");
  }
  cbor_put_bytes(e->out, bytes, bytes ? len : 0);
  return 0;
}

#ifndef __wasm__
/* By a ticket (shared.h), and only where both sides run trusted code. */
static int encode_shared(encoder *e, JSValueConst value, const step *at) {
  guest *g = guest_of(e->ctx);
  uint8_t ticket[SHARED_TICKET];
  size_t len;
  if (e->mode != VALUE_TASK || !g->trusted)
    return refuse(e, at, "is a SharedArrayBuffer");
  if (engine_buffer_may_grow(value))
    return refuse(e, at, "is a SharedArrayBuffer that may grow; make it of a fixed length");
  uint8_t *block = JS_GetArrayBuffer(e->ctx, &len, value);
  if (!block || !platform_random(g, ticket, sizeof ticket) ||
      !shared_ticket_put(ticket, block, len)) {
    JS_ThrowOutOfMemory(e->ctx);
    return -1;
  }
  cbor_put_tag(e->out, SHARED_TAG);
  cbor_put_bytes(e->out, ticket, sizeof ticket);
  if (e->out->status != CBOR_OK) /* the ticket is not in the message */
    shared_drop(shared_ticket_take(ticket, &len));
  return 0;
}

static int encode_shared_view(encoder *e, JSValueConst view, JSValueConst buffer, const step *at) {
  size_t offset, len, width;
  JS_FreeValue(e->ctx, JS_GetTypedArrayBuffer(e->ctx, view, &offset, &len, &width));
  cbor_put_tag(e->out, SHARED_VIEW_TAG);
  cbor_put_array(e->out, 4);
  cbor_put_uint(e->out, (uint64_t)JS_GetTypedArrayType(view));
  cbor_put_uint(e->out, offset);
  cbor_put_uint(e->out, len / width);
  return encode_shared(e, buffer, at);
}

static bool is_shared_view(const encoder *e, JSValueConst buffer) {
  return e->mode == VALUE_TASK && engine_kind_of(e->ctx, buffer) == ENGINE_SHARED_ARRAY_BUFFER;
}
#endif

static int encode_typed(encoder *e, JSValueConst value, const step *at) {
  int type = JS_GetTypedArrayType(value);
  size_t offset, len, width, size;
  JSValue buffer = JS_GetTypedArrayBuffer(e->ctx, value, &offset, &len, &width);
  if (JS_IsException(buffer)) {
    JS_FreeValue(e->ctx, JS_GetException(e->ctx));
    return refuse(e, at, "is a typed array whose buffer is detached");
  }
#ifndef __wasm__
  if (is_shared_view(e, buffer)) {
    int failed = encode_shared_view(e, value, buffer, at);
    JS_FreeValue(e->ctx, buffer);
    return failed;
  }
#endif
  uint8_t *bytes = JS_GetArrayBuffer(e->ctx, &size, buffer);
  JS_FreeValue(e->ctx, buffer); /* `value` still holds it */
  if (type < 0 || (size_t)type >= sizeof typed_tags || (len && !bytes) || offset > size ||
      len > size - offset) {
    JS_FreeValue(e->ctx, JS_GetException(e->ctx));
    return refuse(e, at, "is a typed array that cannot be read");
  }
  cbor_put_tag(e->out, typed_tags[type]);
  cbor_put_bytes(e->out, len ? bytes + offset : NULL, len);
  return 0;
}

/* ---- containers ---- */

static bool is_cycle(JSValueConst object, const step *at) {
  for (; at; at = at->up)
    if (JS_VALUE_GET_PTR(at->object) == JS_VALUE_GET_PTR(object))
      return true;
  return false;
}

/* JSON.stringify leaves such members out of objects and makes them null in lists. */
static bool is_nothing(JSContext *ctx, JSValueConst value) {
  return JS_IsUndefined(value) || JS_IsSymbol(value) || JS_IsFunction(ctx, value);
}

/* What a container holds: guest code that is run meanwhile may take it out. */
static int encode_held(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  if (!JS_IsObject(value) && !JS_IsBigInt(value))
    return encode(e, value, at, depth);
  JSValue own = JS_DupValue(e->ctx, value);
  int failed = encode(e, own, at, depth);
  JS_FreeValue(e->ctx, own);
  return failed;
}

static int encode_looked_for(encoder *e, JSValueConst array, int64_t index, const step *at,
                             unsigned depth) {
  JSValue item = JS_GetPropertyInt64(e->ctx, array, index);
  if (JS_IsException(item))
    return -1;
  int failed = encode(e, item, at, depth);
  JS_FreeValue(e->ctx, item);
  return failed;
}

static int encode_array(encoder *e, JSValueConst array, const step *at, unsigned depth) {
  int64_t length;
  if (JS_GetLength(e->ctx, array, &length) < 0)
    return -1;
  cbor_put_array(e->out, (uint64_t)length);
  for (int64_t i = 0; i < length; i++) {
    step here = {at, JS_ATOM_NULL, (uint32_t)i, array};
    JSValueConst item;
    int failed = engine_array_at(array, i, &item)
                     ? encode_held(e, item, &here, depth + 1)
                     : encode_looked_for(e, array, i, &here, depth + 1);
    if (failed || e->out->status != CBOR_OK)
      return -1;
  }
  return 0;
}

static int encode_member(encoder *e, JSValueConst object, JSAtom key, const step *at,
                         unsigned depth) {
  step here = {at, key, 0, object};
  JSValue member = JS_GetProperty(e->ctx, object, key);
  if (JS_IsException(member))
    return -1;
  int failed = 0;
  if (e->mode != VALUE_RESULT || !is_nothing(e->ctx, member)) {
    size_t len;
    const char *name = JS_AtomToCStringLen(e->ctx, &len, key);
    failed = name ? 0 : -1;
    if (name)
      put_string_bytes(e->out, name, len);
    JS_FreeCString(e->ctx, name);
    if (!failed)
      failed = encode(e, member, &here, depth + 1);
  }
  JS_FreeValue(e->ctx, member);
  return failed;
}

/* Members that are left out are not known before they are read. */
static void open_map(encoder *e, uint32_t count) {
  if (e->mode == VALUE_RESULT)
    cbor_put_map_open(e->out);
  else
    cbor_put_map(e->out, count);
}

static int close_map(encoder *e, int failed) {
  if (e->mode == VALUE_RESULT)
    cbor_put_break(e->out);
  return failed || e->out->status != CBOR_OK ? -1 : 0;
}

static int encode_any_object(encoder *e, JSValueConst object, const step *at, unsigned depth) {
  JSPropertyEnum *keys;
  uint32_t count;
  if (JS_GetOwnPropertyNames(e->ctx, &keys, &count, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) <
      0)
    return -1;
  open_map(e, count);
  int failed = 0;
  for (uint32_t i = 0; i < count && !failed && e->out->status == CBOR_OK; i++)
    failed = encode_member(e, object, keys[i].atom, at, depth);
  JS_FreePropertyEnum(e->ctx, keys, count);
  return close_map(e, failed);
}

static int encode_member_at(encoder *e, JSValueConst object, const engine_shape *shape,
                            uint32_t index, const step *at, unsigned depth) {
  JSAtom key = engine_shape_name(shape, index);
  if (!engine_has_shape(object, shape)) /* a member before it has changed the object */
    return encode_member(e, object, key, at, depth);
  step here = {at, key, 0, object};
  JSValueConst member = engine_member_at(object, index);
  if (e->mode == VALUE_RESULT && is_nothing(e->ctx, member))
    return 0;
  size_t len;
  const char *name = engine_shape_text(e->ctx, shape, index, &len);
  cbor_put_text(e->out, name, len);
  return encode_held(e, member, &here, depth + 1);
}

static int encode_members(encoder *e, JSValueConst object, const engine_shape *shape,
                          const step *at, unsigned depth) {
  uint32_t count = engine_shape_count(shape);
  int failed = 0;
  open_map(e, count);
  for (uint32_t i = 0; i < count && !failed && e->out->status == CBOR_OK; i++)
    failed = encode_member_at(e, object, shape, i, at, depth);
  return close_map(e, failed);
}

static int encode_object(encoder *e, JSValueConst object, const step *at, unsigned depth) {
  engine_shape **alike = &e->alike[depth % ALIKE], *shape = *alike;
  bool again = shape && engine_has_shape(object, shape);
  *alike = NULL; /* objects within may be noted in its place */
#ifndef __wasm__
  if (again && !e->told[depth % ALIKE] && e->mode == VALUE_TASK)
    task_makes(guest_of(e->ctx), object);
  e->told[depth % ALIKE] = again;
#endif
  if (!again) {
    engine_shape_free(e->ctx, shape);
    shape = engine_shape_to_read(e->ctx, object);
  }
  if (!shape)
    return encode_any_object(e, object, at, depth);
  int failed = encode_members(e, object, shape, at, depth);
  engine_shape_free(e->ctx, *alike);
  *alike = shape;
  return failed;
}

static int encode_collection(encoder *e, JSValueConst object, bool is_map, const step *at,
                             unsigned depth) {
  JSValue *values;
  uint32_t count;
  if (engine_collection_list(e->ctx, object, &values, &count) < 0)
    return -1;
  cbor_put_tag(e->out, is_map ? CBOR_TAG_MAP : CBOR_TAG_SET);
  if (is_map)
    cbor_put_map(e->out, count / 2);
  else
    cbor_put_array(e->out, count);
  int failed = 0;
  for (uint32_t i = 0; i < count && !failed && e->out->status == CBOR_OK; i++) {
    step here = {at, JS_ATOM_NULL, is_map ? i / 2 : i, object};
    failed = encode(e, values[i], &here, depth + 1);
  }
  engine_values_free(e->ctx, values, count);
  return failed || e->out->status != CBOR_OK ? -1 : 0;
}

static void put_own_text(encoder *e, JSValueConst object, const char *key, const char *fallback) {
  JSAtom atom = JS_NewAtom(e->ctx, key);
  JSValue value = JS_GetProperty(e->ctx, object, atom);
  JS_FreeAtom(e->ctx, atom);
  if (JS_IsException(value))
    JS_FreeValue(e->ctx, JS_GetException(e->ctx));
  if (!JS_IsString(value) || encode_string(e, value) < 0)
    cbor_put_cstring(e->out, fallback);
  JS_FreeValue(e->ctx, value);
}

#ifndef __wasm__
/* Where it was thrown: of use to whoever awaits the task. */
static bool has_stack(encoder *e, JSValueConst error) {
  if (e->mode != VALUE_TASK)
    return false;
  JSValue stack = JS_GetPropertyStr(e->ctx, error, "stack");
  if (JS_IsException(stack))
    JS_FreeValue(e->ctx, JS_GetException(e->ctx));
  bool has = JS_IsString(stack);
  JS_FreeValue(e->ctx, stack);
  return has;
}

static void put_stack(encoder *e, JSValueConst error) {
  cbor_put_cstring(e->out, "stack");
  put_own_text(e, error, "stack", "");
}
#endif

static int encode_error(encoder *e, JSValueConst object, const step *at, unsigned depth) {
  unsigned members = 1;
  cbor_put_tag(e->out, CBOR_TAG_OBJECT);
  cbor_put_array(e->out, 2);
  put_own_text(e, object, "name", "Error");
  JSAtom cause = JS_NewAtom(e->ctx, "cause");
  int has_cause = e->mode != VALUE_RESULT ? JS_GetOwnProperty(e->ctx, NULL, object, cause) : 0;
  int failed = has_cause < 0 ? -1 : 0;
  if (!failed) {
#ifndef __wasm__
    bool stack = has_stack(e, object);
    members += stack;
#endif
    cbor_put_map(e->out, members + (has_cause != 0));
    cbor_put_cstring(e->out, "message");
    put_own_text(e, object, "message", "");
#ifndef __wasm__
    if (stack)
      put_stack(e, object);
#endif
    if (has_cause)
      failed = encode_member(e, object, cause, at, depth);
  }
  JS_FreeAtom(e->ctx, cause);
  return failed;
}

static int encode_boxed(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  JSValue primitive = engine_primitive_of(e->ctx, value);
  int failed = encode(e, primitive, at, depth);
  JS_FreeValue(e->ctx, primitive);
  return failed;
}

static int encode_proxy(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  int is_array = engine_is_array(e->ctx, value);
  if (is_array < 0)
    return -1;
  return is_array ? encode_array(e, value, at, depth) : encode_object(e, value, at, depth);
}

static int encode_by_kind(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  switch (engine_kind_of(e->ctx, value)) {
  case ENGINE_FUNCTION:
    return refuse(e, at, "is a function");
  case ENGINE_BOXED_SYMBOL:
    return refuse(e, at, "is a symbol");
  case ENGINE_REVOKED_PROXY:
    return refuse(e, at, "is a revoked proxy");
  case ENGINE_SHARED_ARRAY_BUFFER:
#ifndef __wasm__
    return encode_shared(e, value, at);
#else
    return refuse(e, at, "is a SharedArrayBuffer");
#endif
  case ENGINE_DATA_VIEW:
    return refuse(e, at, "is a DataView; pass its buffer or a Uint8Array");
  case ENGINE_DATE:
    return encode_date(e, value);
  case ENGINE_ARRAY_BUFFER:
    return encode_buffer(e, value, at);
  case ENGINE_TYPED_ARRAY:
    return encode_typed(e, value, at);
  case ENGINE_MAP:
    return encode_collection(e, value, true, at, depth);
  case ENGINE_SET:
    return encode_collection(e, value, false, at, depth);
  case ENGINE_ERROR:
    return encode_error(e, value, at, depth);
  case ENGINE_BOXED:
    return encode_boxed(e, value, at, depth);
  case ENGINE_ARRAY:
    return encode_array(e, value, at, depth);
  case ENGINE_PROXY:
    return encode_proxy(e, value, at, depth);
  case ENGINE_PLAIN:
    break;
  }
  if (e->mode != VALUE_RESULT && JS_IsPromise(value))
    return refuse(e, at, "is a promise; await it first");
  return encode_object(e, value, at, depth);
}

static JSValue index_text(JSContext *ctx, uint32_t index) {
  char text[16];
  snprintf(text, sizeof text, "%u", index);
  return JS_NewString(ctx, text);
}

/* What JSON.stringify would look at instead: the answer of value.toJSON(key).
 * Dates have their own form and keep it. */
static JSValue apply_to_json(encoder *e, JSValueConst value, const step *at) {
  JSContext *ctx = e->ctx;
  if (JS_IsObject(value) && engine_kind_of(ctx, value) == ENGINE_DATE)
    return JS_DupValue(ctx, value);
  JSAtom name = JS_NewAtom(ctx, "toJSON");
  JSValue method = JS_GetProperty(ctx, value, name);
  JS_FreeAtom(ctx, name);
  if (JS_IsException(method) || !JS_IsFunction(ctx, method)) {
    bool failed = JS_IsException(method);
    JS_FreeValue(ctx, method);
    return failed ? JS_EXCEPTION : JS_DupValue(ctx, value);
  }
  JSValue key = !at                       ? JS_NewString(ctx, "")
                : at->key != JS_ATOM_NULL ? JS_AtomToString(ctx, at->key)
                                          : index_text(ctx, at->index);
  JSValueConst arguments[1] = {key};
  JSValue result = JS_IsException(key) ? JS_EXCEPTION : JS_Call(ctx, method, value, 1, arguments);
  JS_FreeValue(ctx, key);
  JS_FreeValue(ctx, method);
  return result;
}

static int encode_object_value(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  if (depth >= WIRE_DEPTH_MAX) {
    e->out->status = CBOR_E_DEPTH;
    return refuse(e, NULL, "is nested too deeply");
  }
  if (is_cycle(value, at))
    return refuse(e, at, "refers back to an object that holds it");
  return encode_by_kind(e, value, at, depth);
}

static int encode_result(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  JSValue seen = apply_to_json(e, value, at);
  int failed = -1;
  if (JS_IsObject(seen) && !JS_IsFunction(e->ctx, seen))
    failed = encode_object_value(e, seen, at, depth);
  else if (JS_IsBigInt(seen))
    failed = encode_bigint(e, seen);
  else if (!JS_IsException(seen))
    failed = encode(e, seen, at, depth);
  JS_FreeValue(e->ctx, seen);
  return failed;
}

static int encode(encoder *e, JSValueConst value, const step *at, unsigned depth) {
  double number;
  switch (JS_VALUE_GET_NORM_TAG(value)) {
  case JS_TAG_UNDEFINED:
    cbor_put_undefined(e->out);
    return 0;
  case JS_TAG_NULL:
    cbor_put_null(e->out);
    return 0;
  case JS_TAG_BOOL:
    cbor_put_bool(e->out, JS_VALUE_GET_BOOL(value));
    return 0;
  case JS_TAG_INT:
    cbor_put_int(e->out, JS_VALUE_GET_INT(value));
    return 0;
  case JS_TAG_FLOAT64:
    JS_ToFloat64(e->ctx, &number, value);
    encode_number(e, number);
    return 0;
  case JS_TAG_STRING:
  case JS_TAG_STRING_ROPE:
    return encode_string(e, value);
  case JS_TAG_BIG_INT:
  case JS_TAG_SHORT_BIG_INT:
    return e->mode == VALUE_RESULT ? encode_result(e, value, at, depth) : encode_bigint(e, value);
  default:
    break;
  }
  if (e->mode == VALUE_RESULT && is_nothing(e->ctx, value)) {
    cbor_put_undefined(e->out);
    return 0;
  }
  if (JS_IsSymbol(value))
    return refuse(e, at, "is a symbol");
  if (!JS_IsObject(value))
    return refuse(e, at, "is of no kind that can cross");
  return e->mode == VALUE_RESULT ? encode_result(e, value, at, depth)
                                 : encode_object_value(e, value, at, depth);
}

int value_encode(JSContext *ctx, cbor_out *out, JSValueConst value, value_mode mode,
                 const char *root, unsigned root_number) {
  encoder e = {.ctx = ctx, .out = out, .mode = mode, .root = root, .root_number = root_number};
  int failed = encode(&e, value, NULL, 0);
  for (unsigned i = 0; i < ALIKE; i++)
    engine_shape_free(ctx, e.alike[i]);
  return failed;
}
