/* CBOR as new JavaScript values. The bytes come from the host, but in engine
 * native also from other guests' results: everything is checked. Objects are
 * made with defined properties and captured constructors, so no setter, no
 * `then` and no replaced built-in is run. */
#include <math.h>
#include <string.h>

#include "guest/engine_function.h"
#include "guest/engine_object.h"
#include "guest/guest.h"
#include "guest/shared.h"

/* More elements than this are not believed before they are seen. */
#define ROOM_MAX 256u
#define SHORT 24u /* below: the argument is in the first byte */
#define SHORT_TEXT 0x60u
#define FALSE_BYTE 0xf4u
#define TRUE_BYTE 0xf5u

/* `like` is what stands at the same place of the value before, if there is such: texts
 * that are the same again are not made anew. JS_UNDEFINED: nothing is known. */
static JSValue decode_item(guest *g, cbor_in *in, unsigned depth, JSValueConst like);

static JSValue malformed(guest *g) {
  return JS_ThrowInternalError(g->ctx, "a host value is malformed");
}

/* Most of a message: small integers, short texts, booleans. JS_UNINITIALIZED: the next
 * item is another, or is cut off. */
static inline JSValue decode_short(guest *g, cbor_in *in, JSValueConst like) {
  if (in->at == in->end)
    return JS_UNINITIALIZED;
  unsigned first = *in->at, len = first - SHORT_TEXT;
  if (first < SHORT) {
    in->at++;
    return JS_NewInt32(g->ctx, (int32_t)first);
  }
  if (len < SHORT && len < (size_t)(in->end - in->at)) {
    const char *text = (const char *)in->at + 1;
    in->at += 1 + len;
    return engine_text_new(g->ctx, text, len, like);
  }
  if (first != FALSE_BYTE && first != TRUE_BYTE)
    return JS_UNINITIALIZED;
  in->at++;
  return JS_NewBool(g->ctx, first == TRUE_BYTE);
}

static inline JSValue decode_like(guest *g, cbor_in *in, unsigned depth, JSValueConst like) {
  JSValue value = decode_short(g, in, like);
  return JS_IsUninitialized(value) ? decode_item(g, in, depth, like) : value;
}

static JSValue decode(guest *g, cbor_in *in, unsigned depth) {
  return decode_like(g, in, depth, JS_UNDEFINED);
}

static JSValue decode_integer(JSContext *ctx, const cbor_item *item) {
  if (item->n <= INT64_MAX) {
    int64_t value = item->kind == CBOR_UINT ? (int64_t)item->n : -1 - (int64_t)item->n;
    return JS_NewInt64(ctx, value);
  }
  double value = (double)item->n;
  return JS_NewFloat64(ctx, item->kind == CBOR_UINT ? value : -1 - value);
}

/* Lone surrogates cross as WTF-8: three bytes for each. */
static JSValue decode_wtf8(JSContext *ctx, const uint8_t *bytes, size_t len) {
  uint16_t *units = js_malloc(ctx, (len ? len : 1) * sizeof *units);
  size_t count = 0, i = 0;
  if (!units)
    return JS_EXCEPTION;
  while (i < len) {
    uint32_t lead = bytes[i], extra = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    uint32_t code = extra == 0 ? lead : lead & (0x3fu >> extra);
    if (extra > len - i - 1)
      break;
    for (uint32_t k = 1; k <= extra; k++)
      code = code << 6 | (bytes[i + k] & 0x3fu);
    i += extra + 1;
    if (code >= 0x10000) {
      units[count++] = (uint16_t)(0xd7c0 + (code >> 10));
      units[count++] = (uint16_t)(0xdc00 + (code & 0x3ff));
    } else {
      units[count++] = (uint16_t)code;
    }
  }
  JSValue text = JS_NewStringUTF16(ctx, units, count);
  js_free(ctx, units);
  return text;
}

static JSValue decode_date(guest *g, cbor_in *in) {
  double seconds;
  if (cbor_get_number(in, &seconds) != CBOR_OK)
    return malformed(g);
  double ms = floor(seconds * 1000 + 0.5);
  /* Near the ends of the range the product can be off by one. */
  if (ms / 1000 != seconds)
    ms = (ms - 1) / 1000 == seconds ? ms - 1 : (ms + 1) / 1000 == seconds ? ms + 1 : ms;
  return JS_NewDate(g->ctx, ms);
}

/* What the next element of `array` is likely to be. */
static JSValueConst next_like(JSValueConst array, uint64_t i, JSValueConst like) {
  JSValueConst found = JS_UNDEFINED;
  if (!(JS_IsObject(like) && engine_array_at(like, (int64_t)i, &found)) && i > 0)
    engine_array_at(array, (int64_t)i - 1, &found);
  return found;
}

static JSValue decode_array(guest *g, const cbor_item *head, cbor_in *in, unsigned depth,
                            JSValueConst like) {
  uint32_t room = head->indefinite ? 0 : head->n < ROOM_MAX ? (uint32_t)head->n : ROOM_MAX;
  JSValue array = engine_array_new(g->ctx, room);
  cbor_item next;
  for (uint64_t i = 0; !JS_IsException(array); i++) {
    if (head->indefinite ? cbor_peek(in, &next) == CBOR_OK && next.kind == CBOR_BREAK
                         : i == head->n)
      break;
    JSValue item =
        i < INT32_MAX ? decode_like(g, in, depth + 1, next_like(array, i, like)) : malformed(g);
    if (JS_IsException(item) || engine_array_push(g->ctx, array, item) < 0) {
      JS_FreeValue(g->ctx, array);
      return JS_EXCEPTION;
    }
  }
  if (head->indefinite)
    cbor_next(in, &next);
  return array;
}

static JSAtom decode_key(guest *g, cbor_in *in, unsigned depth) {
  JSValue key = decode(g, in, depth);
  if (JS_IsException(key))
    return JS_ATOM_NULL;
  if (!JS_IsString(key)) {
    JS_FreeValue(g->ctx, key);
    malformed(g);
    return JS_ATOM_NULL;
  }
  JSAtom atom = JS_ValueToAtom(g->ctx, key);
  JS_FreeValue(g->ctx, key);
  return atom;
}

static int decode_member(guest *g, JSValueConst object, cbor_in *in, unsigned depth) {
  JSAtom key = decode_key(g, in, depth);
  if (key == JS_ATOM_NULL)
    return -1;
  JSValue value = decode(g, in, depth);
  int failed = JS_IsException(value) ||
               JS_DefinePropertyValue(g->ctx, object, key, value, JS_PROP_C_W_E) < 0;
  JS_FreeAtom(g->ctx, key);
  return failed ? -1 : 0;
}

/* The members from `i` on; takes `object` over and gives it back. */
static JSValue decode_members(guest *g, JSValue object, uint64_t i, const cbor_item *head,
                              cbor_in *in, unsigned depth) {
  cbor_item next;
  for (; !JS_IsException(object); i++) {
    if (head->indefinite ? cbor_peek(in, &next) == CBOR_OK && next.kind == CBOR_BREAK
                         : i == head->n)
      break;
    if (decode_member(g, object, in, depth + 1) < 0) {
      JS_FreeValue(g->ctx, object);
      return JS_EXCEPTION;
    }
  }
  if (head->indefinite)
    cbor_next(in, &next);
  return object;
}

/* Skips the next key if it is the name at `index`. */
static bool take_name(guest *g, const engine_shape *shape, uint32_t index, cbor_in *in) {
  size_t len, left = (size_t)(in->end - in->at);
  const char *name = engine_shape_text(g->ctx, shape, index, &len);
  if (len >= SHORT || len >= left || *in->at != (SHORT_TEXT | len) ||
      memcmp(in->at + 1, name, len) != 0)
    return false;
  in->at += 1 + len;
  return true;
}

/* An object of the first `count` names of `shape`; takes `values` over. */
static JSValue object_so_far(guest *g, const engine_shape *shape, JSValue *values, uint32_t count) {
  JSValue object = JS_NewObject(g->ctx);
  for (uint32_t i = 0; i < count; i++) {
    if (JS_IsException(object)) {
      JS_FreeValue(g->ctx, values[i]);
    } else if (JS_DefinePropertyValue(g->ctx, object, engine_shape_name(shape, i), values[i],
                                      JS_PROP_C_W_E) < 0) {
      JS_FreeValue(g->ctx, object);
      object = JS_EXCEPTION;
    }
  }
  return object;
}

/* With the names of `shape` as long as they are met: then no property is looked for. */
static JSValue decode_alike(guest *g, engine_shape *shape, const cbor_item *head, cbor_in *in,
                            unsigned depth, JSValueConst like) {
  JSValue values[ENGINE_SHAPE_MAX];
  uint32_t count = 0;
  bool is_like = JS_IsObject(like) && engine_has_shape(like, shape);
  while (count < head->n && take_name(g, shape, count, in)) {
    values[count] =
        decode_like(g, in, depth + 1, is_like ? engine_member_at(like, count) : JS_UNDEFINED);
    if (JS_IsException(values[count])) {
      while (count > 0)
        JS_FreeValue(g->ctx, values[--count]);
      return JS_EXCEPTION;
    }
    count++;
  }
  if (count == head->n)
    return engine_object_like(g->ctx, shape, values);
  return decode_members(g, object_so_far(g, shape, values, count), count, head, in, depth);
}

static JSValue decode_object(guest *g, const cbor_item *head, cbor_in *in, unsigned depth,
                             JSValueConst like) {
  engine_shape **alike = &g->alike[depth % GUEST_ALIKE];
  engine_shape *shape = *alike;
  if (shape && !head->indefinite && head->n == engine_shape_count(shape)) {
    *alike = NULL; /* objects within may be noted in its place */
    JSValue object = decode_alike(g, shape, head, in, depth, like);
    engine_shape_free(g->ctx, *alike);
    *alike = shape;
    return object;
  }
  JSValue object = decode_members(g, JS_NewObject(g->ctx), 0, head, in, depth);
  if (!JS_IsException(object)) {
    engine_shape_free(g->ctx, *alike);
    *alike = engine_shape_of(g->ctx, object);
  }
  return object;
}

/* `count` items (pairs for a Map) go in through the captured set or add. */
static JSValue decode_collection(guest *g, cbor_in *in, bool is_map, unsigned depth) {
  JSContext *ctx = g->ctx;
  uint64_t count;
  if ((is_map ? cbor_get_map(in, &count) : cbor_get_array(in, &count)) != CBOR_OK)
    return malformed(g);
  JSValue object = JS_CallConstructor(ctx, is_map ? g->map_ctor : g->set_ctor, 0, NULL);
  for (uint64_t i = 0; i < count && !JS_IsException(object); i++) {
    JSValue entry[2] = {decode(g, in, depth + 1), JS_UNDEFINED};
    if (is_map && !JS_IsException(entry[0]))
      entry[1] = decode(g, in, depth + 1);
    JSValue done = JS_EXCEPTION;
    if (!JS_IsException(entry[0]) && !JS_IsException(entry[1]))
      done = JS_Call(ctx, is_map ? g->map_set : g->set_add, object, is_map ? 2 : 1,
                     (JSValueConst *)entry);
    JS_FreeValue(ctx, entry[0]);
    JS_FreeValue(ctx, entry[1]);
    if (JS_IsException(done)) {
      JS_FreeValue(ctx, object);
      return JS_EXCEPTION;
    }
    JS_FreeValue(ctx, done);
  }
  return object;
}

static JSValue decode_bytes(guest *g, cbor_in *in, bool negative) {
  const uint8_t *bytes;
  size_t len;
  if (cbor_get_bytes(in, &bytes, &len) != CBOR_OK)
    return malformed(g);
  return engine_bigint_new(g->ctx, negative, bytes, len);
}

static int typed_type(uint64_t tag) {
  switch (tag) {
  case 64:
    return JS_TYPED_ARRAY_UINT8;
  case 68:
    return JS_TYPED_ARRAY_UINT8C;
  case 69:
    return JS_TYPED_ARRAY_UINT16;
  case 70:
    return JS_TYPED_ARRAY_UINT32;
  case 71:
    return JS_TYPED_ARRAY_BIG_UINT64;
  case 72:
    return JS_TYPED_ARRAY_INT8;
  case 77:
    return JS_TYPED_ARRAY_INT16;
  case 78:
    return JS_TYPED_ARRAY_INT32;
  case 79:
    return JS_TYPED_ARRAY_BIG_INT64;
  case 84:
    return JS_TYPED_ARRAY_FLOAT16;
  case 85:
    return JS_TYPED_ARRAY_FLOAT32;
  case 86:
    return JS_TYPED_ARRAY_FLOAT64;
  default:
    return -1;
  }
}

static JSValue decode_typed(guest *g, uint64_t tag, cbor_in *in) {
  const uint8_t *bytes;
  size_t len;
  int type = typed_type(tag);
  if (type < 0 || cbor_get_bytes(in, &bytes, &len) != CBOR_OK)
    return malformed(g);
  JSValue buffer = JS_NewArrayBufferCopy(g->ctx, bytes, len);
  if (JS_IsException(buffer))
    return buffer;
  JSValueConst arguments[1] = {buffer};
  JSValue array = JS_NewTypedArray(g->ctx, 1, arguments, (JSTypedArrayEnum)type);
  JS_FreeValue(g->ctx, buffer);
  return array;
}

#ifndef __wasm__
/* What a ticket stands for: for trusted code, and once. */
static JSValue decode_shared(guest *g, cbor_in *in) {
  const uint8_t *ticket;
  size_t len, bytes;
  if (!g->trusted || cbor_get_bytes(in, &ticket, &len) != CBOR_OK || len != SHARED_TICKET)
    return malformed(g);
  void *block = shared_ticket_take(ticket, &bytes);
  if (!block)
    return JS_ThrowTypeError(g->ctx, "the shared memory was given to another already");
  JSValue buffer = JS_NewArrayBuffer(g->ctx, block, bytes, 0, NULL, NULL, true);
  shared_drop(block); /* the buffer has its own reference */
  return buffer;
}

static JSValue decode_shared_view(guest *g, cbor_in *in) {
  uint64_t count, type, offset, len;
  cbor_item tag;
  if (cbor_get_array(in, &count) != CBOR_OK || count != 4 || cbor_get_uint(in, &type) != CBOR_OK ||
      cbor_get_uint(in, &offset) != CBOR_OK || cbor_get_uint(in, &len) != CBOR_OK ||
      cbor_next(in, &tag) != CBOR_OK || tag.kind != CBOR_TAG || tag.n != SHARED_TAG ||
      type > JS_TYPED_ARRAY_FLOAT64)
    return malformed(g);
  JSValue buffer = decode_shared(g, in);
  if (JS_IsException(buffer))
    return buffer;
  JSValueConst arguments[3] = {buffer, JS_NewInt64(g->ctx, (int64_t)offset),
                               JS_NewInt64(g->ctx, (int64_t)len)};
  JSValue view = JS_NewTypedArray(g->ctx, 3, arguments, (JSTypedArrayEnum)type);
  JS_FreeValue(g->ctx, buffer);
  return view;
}
#endif

/* An error of the kind its name says, where tasks bring them. */
static JSValue new_error(guest *g, const char *name, size_t len) {
  JSValue error = JS_NewError(g->ctx);
#ifndef __wasm__
  if (!JS_IsException(error) && (g->deferred || g->task) &&
      engine_error_take_kind(g->ctx, error, name, len))
    return error;
#endif
  if (!JS_IsException(error) &&
      JS_DefinePropertyValueStr(g->ctx, error, "name", JS_NewStringLen(g->ctx, name, len),
                                JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE) < 0) {
    JS_FreeValue(g->ctx, error);
    return JS_EXCEPTION;
  }
  return error;
}

/* [name, {message, ...}] as an Error whose own properties these are. */
static JSValue decode_error(guest *g, cbor_in *in, unsigned depth) {
  uint64_t count, members;
  const char *name;
  size_t len;
  if (cbor_get_array(in, &count) != CBOR_OK || count != 2 ||
      cbor_get_text(in, &name, &len) != CBOR_OK || cbor_get_map(in, &members) != CBOR_OK)
    return malformed(g);
  JSValue error = new_error(g, name, len);
  if (JS_IsException(error))
    return error;
  const int hidden = JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE;
  bool failed = false;
  for (uint64_t i = 0; i < members && !failed; i++) {
    JSAtom key = decode_key(g, in, depth + 1);
    JSValue value = key == JS_ATOM_NULL ? JS_EXCEPTION : decode(g, in, depth + 1);
    failed = JS_IsException(value) || JS_DefinePropertyValue(g->ctx, error, key, value, hidden) < 0;
    JS_FreeAtom(g->ctx, key);
  }
  if (!failed)
    return error;
  JS_FreeValue(g->ctx, error);
  return JS_EXCEPTION;
}

static JSValue decode_tagged(guest *g, uint64_t tag, cbor_in *in, unsigned depth) {
  const uint8_t *bytes;
  size_t len;
  if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
    return decode_typed(g, tag, in);
  switch (tag) {
  case CBOR_TAG_EPOCH:
    return decode_date(g, in);
  case CBOR_TAG_BIGNUM:
    return decode_bytes(g, in, false);
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return decode_bytes(g, in, true);
  case CBOR_TAG_MAP:
    return decode_collection(g, in, true, depth);
  case CBOR_TAG_SET:
    return decode_collection(g, in, false, depth);
  case CBOR_TAG_OBJECT:
    return decode_error(g, in, depth);
  case CBOR_TAG_WTF8:
    if (cbor_get_bytes(in, &bytes, &len) != CBOR_OK)
      return malformed(g);
    return decode_wtf8(g->ctx, bytes, len);
#ifndef __wasm__
  case SHARED_TAG:
    return decode_shared(g, in);
  case SHARED_VIEW_TAG:
    return decode_shared_view(g, in);
#endif
  default:
    return decode(g, in, depth); /* a tag that adds nothing we know */
  }
}

static JSValue decode_item(guest *g, cbor_in *in, unsigned depth, JSValueConst like) {
  cbor_item item;
  if (depth > WIRE_DEPTH_MAX || cbor_next(in, &item) != CBOR_OK)
    return malformed(g);
  switch (item.kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
    return decode_integer(g->ctx, &item);
  case CBOR_BYTES:
    return item.indefinite ? malformed(g) : JS_NewArrayBufferCopy(g->ctx, item.bytes, item.len);
  case CBOR_TEXT:
    return item.indefinite ? malformed(g)
                           : engine_text_new(g->ctx, (const char *)item.bytes, item.len, like);
  case CBOR_ARRAY:
    return decode_array(g, &item, in, depth, like);
  case CBOR_MAP:
    return decode_object(g, &item, in, depth, like);
  case CBOR_TAG:
    return decode_tagged(g, item.n, in, depth);
  case CBOR_BOOL:
    return JS_NewBool(g->ctx, item.n != 0);
  case CBOR_NULL:
    return JS_NULL;
  case CBOR_UNDEFINED:
    return JS_UNDEFINED;
  case CBOR_FLOAT:
    return JS_NewFloat64(g->ctx, item.d);
  case CBOR_SIMPLE:
  case CBOR_BREAK:
    break;
  }
  return malformed(g);
}

JSValue value_decode(guest *g, cbor_in *in) {
  JSValue value = decode(g, in, 0);
  for (size_t i = 0; i < GUEST_ALIKE; i++) {
    engine_shape_free(g->ctx, g->alike[i]);
    g->alike[i] = NULL;
  }
  return value;
}
