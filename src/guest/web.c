#include "guest/web.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "guest/web_text.h"

/* ---- looking at values without running guest code ---- */

static JSValue class_of(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  if (!JS_IsObject(argv[0]))
    return JS_UNDEFINED;
  if (JS_IsProxy(argv[0])) /* which the engine names "Object" */
    return JS_NewString(ctx, "Proxy");
  JSAtom name = JS_GetClassName(JS_GetRuntime(ctx), JS_GetClassID(argv[0]));
  JSValue text = JS_AtomToString(ctx, name);
  JS_FreeAtom(ctx, name);
  return text;
}

static JSValue class_id(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  return JS_NewUint32(ctx, JS_GetClassID(argv[0]));
}

static JSValue proxy_target(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  if (!JS_IsProxy(argv[0]))
    return JS_UNDEFINED;
  JSValue target = JS_GetProxyTarget(ctx, argv[0]);
  if (!JS_IsException(target))
    return target;
  JS_FreeValue(ctx, JS_GetException(ctx));
  return JS_NULL;
}

/* Takes `value`. */
static int put_field(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
  return JS_DefinePropertyValueStr(ctx, object, name, value, JS_PROP_C_W_E);
}

/* Takes what `found` holds. */
static JSValue descriptor_object(JSContext *ctx, JSPropertyDescriptor *found) {
  bool accessor = (found->flags & JS_PROP_GETSET) != 0;
  JSValue object = JS_NewObjectProto(ctx, JS_NULL);
  if (JS_IsException(object)) {
    JS_FreeValue(ctx, found->value);
    JS_FreeValue(ctx, found->getter);
    JS_FreeValue(ctx, found->setter);
    return object;
  }
  int failed = put_field(ctx, object, "enumerable",
                         JS_NewBool(ctx, (found->flags & JS_PROP_ENUMERABLE) != 0));
  if (accessor) {
    JS_FreeValue(ctx, found->value);
    failed |= put_field(ctx, object, "get", found->getter);
    failed |= put_field(ctx, object, "set", found->setter);
  } else {
    JS_FreeValue(ctx, found->getter);
    JS_FreeValue(ctx, found->setter);
    failed |= put_field(ctx, object, "value", found->value);
    failed |=
        put_field(ctx, object, "writable", JS_NewBool(ctx, (found->flags & JS_PROP_WRITABLE) != 0));
  }
  if (failed >= 0)
    return object;
  JS_FreeValue(ctx, object);
  return JS_EXCEPTION;
}

static JSValue own_descriptor(JSContext *ctx, JSValueConst this_value, int argc,
                              JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  if (!JS_IsObject(argv[0]) || JS_IsProxy(argv[0]))
    return JS_UNDEFINED;
  JSAtom key = JS_ValueToAtom(ctx, argv[1]);
  if (key == JS_ATOM_NULL)
    return JS_EXCEPTION;
  JSPropertyDescriptor found;
  int there = JS_GetOwnProperty(ctx, &found, argv[0], key);
  JS_FreeAtom(ctx, key);
  if (there < 0)
    return JS_EXCEPTION;
  return there ? descriptor_object(ctx, &found) : JS_UNDEFINED;
}

static JSValue define_data(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  JSAtom key = JS_ValueToAtom(ctx, argv[1]);
  if (key == JS_ATOM_NULL)
    return JS_EXCEPTION;
  int flags = JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE | JS_PROP_THROW;
  if (JS_ToBool(ctx, argv[3]))
    flags |= JS_PROP_ENUMERABLE;
  int done = JS_DefinePropertyValue(ctx, argv[0], key, JS_DupValue(ctx, argv[2]), flags);
  JS_FreeAtom(ctx, key);
  return done < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue promise_state(JSContext *ctx, JSValueConst this_value, int argc,
                             JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  JSPromiseStateEnum state = JS_PromiseState(ctx, argv[0]);
  if (state == JS_PROMISE_NOT_A_PROMISE)
    return JS_UNDEFINED;
  JSValue pair[2] = {JS_NewInt32(ctx, (int32_t)state), JS_UNDEFINED};
  if (state != JS_PROMISE_PENDING)
    pair[1] = JS_PromiseResult(ctx, argv[0]);
  return JS_NewArrayFrom(ctx, 2, pair);
}

static JSValue set_immutable(JSContext *ctx, JSValueConst this_value, int argc,
                             JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  bool done = JS_IsArrayBuffer(argv[0]) && JS_SetImmutableArrayBuffer(argv[0], true) == 0;
  return JS_NewBool(ctx, done);
}

/* ---- byte ranges ---- */

/* The range (offset, length) of an ArrayBuffer, clipped to what is there now;
 * -1 with an exception when it is no buffer. A detached buffer is empty. */
static int byte_range(JSContext *ctx, JSValueConst *argv, uint8_t **bytes, size_t *len) {
  uint64_t offset, want;
  if (JS_ToIndex(ctx, &offset, argv[1]) || JS_ToIndex(ctx, &want, argv[2]))
    return -1;
  size_t size;
  uint8_t *data = JS_GetArrayBuffer(ctx, &size, argv[0]);
  if (!data) {
    if (!JS_IsArrayBuffer(argv[0]))
      return -1;
    JS_FreeValue(ctx, JS_GetException(ctx));
    size = 0;
  }
  size_t from = offset < size ? (size_t)offset : size;
  *bytes = data ? data + from : NULL;
  *len = want < size - from ? (size_t)want : size - from;
  return 0;
}

/* ---- encoding ---- */

static JSValue utf8_encode(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  size_t len;
  const char *text = JS_ToCStringLen(ctx, &len, argv[0]);
  if (!text)
    return JS_EXCEPTION;
  JSValue array = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)text, len);
  JS_FreeCString(ctx, text);
  if (JS_IsException(array) || len == 0)
    return array;
  size_t size;
  uint8_t *bytes = JS_GetUint8Array(ctx, &size, array);
  if (bytes)
    web_text_replace_surrogates(bytes, size);
  return array;
}

static JSValue utf8_encode_into(JSContext *ctx, JSValueConst this_value, int argc,
                                JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  size_t text_len, room, read, written;
  const char *text = JS_ToCStringLen(ctx, &text_len, argv[0]);
  if (!text)
    return JS_EXCEPTION;
  uint8_t *bytes;
  if (byte_range(ctx, argv + 1, &bytes, &room)) {
    JS_FreeCString(ctx, text);
    return JS_EXCEPTION;
  }
  web_text_copy((const uint8_t *)text, text_len, bytes, room, &read, &written);
  JS_FreeCString(ctx, text);
  JSValue pair[2] = {JS_NewInt64(ctx, (int64_t)read), JS_NewInt64(ctx, (int64_t)written)};
  return JS_NewArrayFrom(ctx, 2, pair);
}

/* ---- decoding ---- */

static JSValue decoder_state(JSContext *ctx, JSValueConst this_value, int argc,
                             JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  int32_t encoding;
  if (JS_ToInt32(ctx, &encoding, argv[0]))
    return JS_EXCEPTION;
  web_decoder state = {.encoding = (uint8_t)(encoding & 3),
                       .fatal = JS_ToBool(ctx, argv[1]) != 0,
                       .keep_bom = JS_ToBool(ctx, argv[2]) != 0};
  return JS_NewArrayBufferCopy(ctx, (const uint8_t *)&state, sizeof state);
}

static web_decoder *decoder_of(JSContext *ctx, JSValueConst value) {
  size_t size;
  uint8_t *data = JS_GetArrayBuffer(ctx, &size, value);
  if (data && size != sizeof(web_decoder)) {
    JS_ThrowTypeError(ctx, "not a decoder state");
    return NULL;
  }
  return (web_decoder *)(void *)data;
}

static JSValue decode_joined(JSContext *ctx, web_decoder *state, const uint8_t *bytes, size_t len,
                             bool stream) {
  size_t start;
  if (web_text_is_plain(state, bytes, len, &start)) {
    state->started = stream && (state->started || len > 0);
    return JS_NewStringLen(ctx, (const char *)bytes + start, len - start);
  }
  if (len > SIZE_MAX / 3 - 1)
    return JS_ThrowOutOfMemory(ctx);
  uint8_t *out = js_malloc(ctx, len * 3 + 3);
  if (!out)
    return JS_EXCEPTION;
  size_t out_len;
  bool good = web_text_decode(state, bytes, len, stream, out, &out_len);
  JSValue text = good ? JS_NewStringLen(ctx, (const char *)out, out_len)
                      : JS_ThrowTypeError(ctx, "The encoded data was not valid for encoding %s",
                                          web_text_encoding(state));
  js_free(ctx, out);
  return text;
}

static JSValue decode(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  web_decoder *state = decoder_of(ctx, argv[0]);
  uint8_t *bytes = NULL;
  size_t len = 0;
  if (!state || (!JS_IsUndefined(argv[1]) && byte_range(ctx, argv + 1, &bytes, &len)))
    return JS_EXCEPTION;
  bool stream = JS_ToBool(ctx, argv[4]) != 0;
  size_t pending = state->pending_count;
  if (pending == 0)
    return decode_joined(ctx, state, bytes ? bytes : (const uint8_t *)"", len, stream);
  if (len > SIZE_MAX - pending)
    return JS_ThrowOutOfMemory(ctx);
  uint8_t *joined = js_malloc(ctx, pending + len);
  if (!joined)
    return JS_EXCEPTION;
  memcpy(joined, state->pending, pending);
  if (len)
    memcpy(joined + pending, bytes, len);
  state->pending_count = 0;
  JSValue text = decode_joined(ctx, state, joined, pending + len, stream);
  js_free(ctx, joined);
  return text;
}

/* ---- showing strings ---- */

static JSValue quote_units(JSContext *ctx, const uint16_t *units, size_t len) {
  if (len > (SIZE_MAX - 2) / WEB_QUOTE_GROWTH)
    return JS_ThrowOutOfMemory(ctx);
  char *out = js_malloc(ctx, len * WEB_QUOTE_GROWTH + 2);
  if (!out)
    return JS_EXCEPTION;
  size_t out_len = web_text_quote(units, len, out);
  JSValue text = JS_NewStringLen(ctx, out, out_len);
  js_free(ctx, out);
  return text;
}

static JSValue quote(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  uint64_t max;
  size_t len;
  if (JS_ToIndex(ctx, &max, argv[1]))
    return JS_EXCEPTION;
  const uint16_t *units = JS_ToCStringLenUTF16(ctx, &len, argv[0]);
  if (!units)
    return JS_EXCEPTION;
  JSValue text = quote_units(ctx, units, len < max ? len : (size_t)max);
  JS_FreeCStringUTF16(ctx, units);
  return text;
}

static JSValue quote_key(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  (void)argc;
  size_t len;
  const uint16_t *units = JS_ToCStringLenUTF16(ctx, &len, argv[0]);
  if (!units)
    return JS_EXCEPTION;
  JSValue text =
      web_text_is_identifier(units, len) ? JS_DupValue(ctx, argv[0]) : quote_units(ctx, units, len);
  JS_FreeCStringUTF16(ctx, units);
  return text;
}

static const JSCFunctionListEntry natives[] = {
    JS_CFUNC_DEF("classOf", 1, class_of),
    JS_CFUNC_DEF("classId", 1, class_id),
    JS_CFUNC_DEF("proxyTarget", 1, proxy_target),
    JS_CFUNC_DEF("ownDescriptor", 2, own_descriptor),
    JS_CFUNC_DEF("defineData", 4, define_data),
    JS_CFUNC_DEF("promiseState", 1, promise_state),
    JS_CFUNC_DEF("setImmutable", 1, set_immutable),
    JS_CFUNC_DEF("quote", 2, quote),
    JS_CFUNC_DEF("quoteKey", 1, quote_key),
    JS_CFUNC_DEF("utf8Encode", 1, utf8_encode),
    JS_CFUNC_DEF("utf8EncodeInto", 4, utf8_encode_into),
    JS_CFUNC_DEF("decoderState", 3, decoder_state),
    JS_CFUNC_DEF("decode", 5, decode),
};

int web_add_natives(JSContext *ctx, JSValueConst vow) {
  int done = JS_SetPropertyFunctionList(ctx, vow, natives, (int)(sizeof natives / sizeof *natives));
  return done < 0 ? done : web_add_url_natives(ctx, vow);
}
