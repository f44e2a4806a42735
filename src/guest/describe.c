/* What was thrown, as a bounded map. The thrown thing may be anything: null, a
 * proxy whose traps throw, an error with a message of many megabytes. */
#include <string.h>

#include "guest/guest.h"

#define NAME_UNITS 100u
#define MESSAGE_UNITS 8192u
#define STACK_UNITS 16384u
#define SHOWN_UNITS 65536u

/* Puts `key` and the text of a string value, or nothing. */
static void put_string(guest *g, cbor_out *out, const char *key, JSValueConst value, uint32_t max) {
  JSValue prefix = engine_string_prefix(g->ctx, value, max);
  size_t len;
  const char *text = JS_IsException(prefix) ? NULL : JS_ToCStringLen(g->ctx, &len, prefix);
  if (text) {
    cbor_put_cstring(out, key);
    put_clean_text(out, text, len, (size_t)max * 3);
  } else {
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  }
  JS_FreeCString(g->ctx, text);
  JS_FreeValue(g->ctx, prefix);
}

/* Puts property `key` of the thrown object if it is a string. */
static bool put_property(guest *g, cbor_out *out, const char *key, JSValueConst thrown,
                         uint32_t max) {
  JSValue value = JS_GetPropertyStr(g->ctx, thrown, key);
  bool is_string = JS_IsString(value);
  if (JS_IsException(value))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  else if (is_string)
    put_string(g, out, key, value, max);
  JS_FreeValue(g->ctx, value);
  return is_string;
}

static void put_as_text(guest *g, cbor_out *out, JSValueConst thrown) {
  JSValue text = JS_IsSymbol(thrown) ? JS_NewString(g->ctx, "a symbol was thrown")
                                     : JS_ToString(g->ctx, thrown);
  if (JS_IsException(text)) {
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
    cbor_put_cstring(out, WIRE_ERROR_MESSAGE);
    cbor_put_cstring(out, "an object that cannot be shown as text was thrown");
    return;
  }
  put_string(g, out, WIRE_ERROR_MESSAGE, text, MESSAGE_UNITS);
  JS_FreeValue(g->ctx, text);
}

/* The host operation behind an error, by the brand that only the bridge gives. */
static JSValue operation_of(guest *g, JSValueConst thrown) {
  if (!JS_IsObject(thrown))
    return JS_UNDEFINED;
  JSValueConst arguments[1] = {thrown};
  JSValue operation = JS_Call(g->ctx, g->internals.error_operation, JS_UNDEFINED, 1, arguments);
  if (JS_IsException(operation))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  return JS_IsObject(operation) ? operation : JS_UNDEFINED;
}

static bool is_denied(guest *g, JSValueConst thrown) {
  JSValue name = JS_GetPropertyStr(g->ctx, thrown, "name");
  const char *text = JS_IsString(name) ? JS_ToCString(g->ctx, name) : NULL;
  bool denied = text && strcmp(text, "PermissionError") == 0;
  if (JS_IsException(name))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  JS_FreeCString(g->ctx, text);
  JS_FreeValue(g->ctx, name);
  return denied;
}

static const char *kind_of(guest *g, JSValueConst thrown, JSValueConst operation) {
  if (JS_IsObject(operation))
    return is_denied(g, thrown) ? "denied" : "api";
  return engine_is_stack_overflow(g->ctx, thrown) ? "stack" : "script";
}

/* As console.error() would show it. */
static void put_shown(guest *g, cbor_out *out, JSValueConst thrown) {
  JSValueConst arguments[1] = {thrown};
  JSValue shown = JS_Call(g->ctx, g->internals.inspect, JS_UNDEFINED, 1, arguments);
  if (JS_IsException(shown))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  else
    put_string(g, out, WIRE_ERROR_SHOWN, shown, SHOWN_UNITS);
  JS_FreeValue(g->ctx, shown);
}

static void describe(guest *g, cbor_out *out, JSValueConst thrown) {
  JSValue operation = operation_of(g, thrown);
  cbor_put_map_open(out);
  cbor_put_cstring(out, WIRE_ERROR_KIND);
  cbor_put_cstring(out, kind_of(g, thrown, operation));
  if (JS_IsObject(thrown)) {
    bool named = put_property(g, out, WIRE_ERROR_NAME, thrown, NAME_UNITS);
    if (!put_property(g, out, WIRE_ERROR_MESSAGE, thrown, MESSAGE_UNITS) && !named)
      put_as_text(g, out, thrown);
    put_property(g, out, WIRE_ERROR_STACK, thrown, STACK_UNITS);
  } else {
    put_as_text(g, out, thrown);
  }
  if (g->program)
    put_shown(g, out, thrown);
  if (JS_IsObject(operation)) {
    cbor_put_cstring(out, WIRE_ERROR_OPERATION);
    size_t len = out->len;
    if (value_encode(g->ctx, out, operation, VALUE_ARGUMENT, "operation", 0) < 0) {
      JS_FreeValue(g->ctx, JS_GetException(g->ctx));
      out->len = len;
      cbor_put_null(out);
    }
  }
  cbor_put_break(out);
  JS_FreeValue(g->ctx, operation);
}

void describe_send(guest *g, uint32_t type, JSValueConst thrown) {
  cbor_out own, *out = scratch_take(g, &own, 4u * (MESSAGE_UNITS + STACK_UNITS + SHOWN_UNITS));
  describe(g, out, thrown);
  if (out->status == CBOR_OK) {
    outbox_put(g, type, 0, out->data, out->len);
  } else {
    uint8_t small[32];
    cbor_out least;
    cbor_out_fixed(&least, small, sizeof small);
    cbor_put_map(&least, 1);
    cbor_put_cstring(&least, WIRE_ERROR_KIND);
    cbor_put_cstring(&least, "script");
    outbox_put(g, type, 0, small, least.len);
  }
  scratch_release(g, out);
}
