/* The global `process` of a program, and `require`, which says what to use. */
#include <string.h>

#include "guest/program.h"

/* ---- ending ---- */

/* Tells the host the status that the program ends with, now or when nothing is left. */
static void tell_exit(guest *g, bool now) {
  uint8_t bytes[16];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_array(&out, 2);
  cbor_put_uint(&out, g->exit_status);
  cbor_put_bool(&out, now);
  outbox_put(g, WIRE_EXIT, 0, bytes, out.len);
}

/* A whole number, of which a process keeps eight bits; undefined: no change. */
static int read_status(guest *g, JSValueConst value) {
  double number;
  if (JS_IsUndefined(value))
    return 0;
  if (!JS_IsNumber(value) || JS_ToFloat64(g->ctx, &number, value) < 0 ||
      !(number >= INT32_MIN && number <= INT32_MAX) || (double)(int32_t)number != number) {
    JS_ThrowTypeError(g->ctx, "an exit code is a whole number");
    return -1;
  }
  g->exit_status = (uint8_t)(int32_t)number;
  return 0;
}

static JSValue process_exit(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  guest *g = guest_of(ctx);
  if (read_status(g, argc > 0 ? argv[0] : JS_UNDEFINED) < 0)
    return JS_EXCEPTION;
  tell_exit(g, true);
  platform_flush(g);
  g->dead = true;
  /* Nothing of the program is executed any more, not even its `finally`. */
  JSValue end = JS_NewError(ctx);
  JS_SetUncatchableError(ctx, end);
  return JS_Throw(ctx, end);
}

static JSValue get_exit_code(JSContext *ctx, JSValueConst this_value) {
  (void)this_value;
  const guest *g = guest_of(ctx);
  return g->exit_told ? JS_NewInt32(ctx, g->exit_status) : JS_UNDEFINED;
}

static JSValue set_exit_code(JSContext *ctx, JSValueConst this_value, JSValueConst value) {
  (void)this_value;
  guest *g = guest_of(ctx);
  if (read_status(g, value) < 0)
    return JS_EXCEPTION;
  g->exit_told = !JS_IsUndefined(value);
  if (!g->exit_told)
    g->exit_status = 0;
  tell_exit(g, false);
  return JS_UNDEFINED;
}

/* ---- output ---- */

static bool send(guest *g, int level, const void *bytes, size_t len, bool text) {
  cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  cbor_put_array(out, 2);
  cbor_put_int(out, level);
  if (text)
    put_clean_text(out, bytes, len, WIRE_MESSAGE_MAX);
  else
    cbor_put_bytes(out, bytes, len);
  bool ok = out->status == CBOR_OK;
  if (ok)
    outbox_put(g, WIRE_LOG, 0, out->data, out->len);
  scratch_release(g, out);
  platform_flush(g);
  return ok;
}

/* `magic` is the level. Text or bytes, as they are. */
static JSValue process_write(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                             int magic) {
  (void)this_value;
  size_t len;
  bool ok;
  if (argc > 0 && JS_IsString(argv[0])) {
    const char *text = JS_ToCStringLen(ctx, &len, argv[0]);
    if (!text)
      return JS_EXCEPTION;
    ok = send(guest_of(ctx), magic, text, len, true);
    JS_FreeCString(ctx, text);
  } else {
    const uint8_t *bytes = argc > 0 ? JS_GetUint8Array(ctx, &len, argv[0]) : NULL;
    if (!bytes) {
      JS_FreeValue(ctx, JS_GetException(ctx));
      return JS_ThrowTypeError(ctx, "write() takes a string or a Uint8Array");
    }
    ok = send(guest_of(ctx), magic, bytes, len, false);
  }
  return ok ? JS_TRUE : JS_ThrowRangeError(ctx, "more than 64 MiB in one write()");
}

JSValue process_require(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  const char *name = argc > 0 && JS_IsString(argv[0]) ? JS_ToCString(ctx, argv[0]) : NULL;
  JS_ThrowTypeError(ctx,
                    "require('%.60s') is not here: use import ... from './file.js', or "
                    "await import('./file.js')",
                    name ? name : "...");
  JS_FreeCString(ctx, name);
  return JS_EXCEPTION;
}

static JSValue process_cwd(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                           int magic, JSValueConst *data) {
  (void)this_value, (void)argc, (void)argv, (void)magic;
  return JS_DupValue(ctx, data[0]);
}

/* ---- the object ---- */

static const JSCFunctionListEntry members[] = {
    JS_CFUNC_DEF("exit", 1, process_exit),
    JS_CGETSET_DEF("exitCode", get_exit_code, set_exit_code),
    JS_PROP_STRING_DEF("platform", "linux", JS_PROP_C_W_E),
};
static const JSCFunctionListEntry out_members[] = {
    JS_CFUNC_MAGIC_DEF("write", 1, process_write, WIRE_LEVEL_OUT)};
static const JSCFunctionListEntry err_members[] = {
    JS_CFUNC_MAGIC_DEF("write", 1, process_write, WIRE_LEVEL_ERR)};

/* Takes `value`. */
static bool put(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
  return !JS_IsException(value) &&
         JS_DefinePropertyValueStr(ctx, object, name, value, JS_PROP_C_W_E) >= 0;
}

static JSValue new_stream(JSContext *ctx, const JSCFunctionListEntry *list) {
  JSValue stream = JS_NewObject(ctx);
  if (!JS_IsException(stream))
    JS_SetPropertyFunctionList(ctx, stream, list, 1);
  return stream;
}

/* argv, env, cwd, pid in this order. */
static bool fill(guest *g, JSValueConst process, cbor_in *fields) {
  JSContext *ctx = g->ctx;
  uint64_t count;
  if (cbor_get_array(fields, &count) != CBOR_OK || count != 4 ||
      !put(ctx, process, "argv", value_decode(g, fields)))
    return false;
  JSValue env = value_decode(g, fields);
  if (JS_IsException(env))
    return false;
  bool frozen = JS_FreezeObject(ctx, env) >= 0;
  if (!put(ctx, process, "env", env) || !frozen)
    return false;
  JSValue cwd = value_decode(g, fields);
  if (JS_IsException(cwd))
    return false;
  JSValueConst data[1] = {cwd};
  bool ok = put(ctx, process, "cwd", JS_NewCFunctionData(ctx, process_cwd, 0, 0, 1, data)) &&
            put(ctx, process, "pid", value_decode(g, fields));
  JS_FreeValue(ctx, cwd);
  return ok;
}

void process_open(guest *g, cbor_in *fields) {
  JSContext *ctx = g->ctx;
  const int flags = JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE;
  JSValue global = JS_GetGlobalObject(ctx), process = JS_NewObject(ctx);
  g->program = true;
  bool ok =
      !JS_IsException(process) && fill(g, process, fields) &&
      JS_SetPropertyFunctionList(ctx, process, members, sizeof members / sizeof *members) == 0 &&
      put(ctx, process, "stdout", new_stream(ctx, out_members)) &&
      put(ctx, process, "stderr", new_stream(ctx, err_members)) &&
      JS_DefinePropertyValueStr(ctx, global, "process", JS_DupValue(ctx, process), flags) >= 0 &&
      JS_DefinePropertyValueStr(ctx, global, "require",
                                JS_NewCFunction(ctx, process_require, "require", 1), flags) >= 0;
  JS_FreeValue(ctx, process);
  JS_FreeValue(ctx, global);
  if (!ok)
    script_fail(g);
}
