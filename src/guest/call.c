/* Host operations as the guest sees them: a call returns a real promise at
 * once; the answer settles it through the engine's own function, which nothing
 * the guest has replaced can see. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guest/call.h"
#include "guest/deferred.h"

#define CALLS_FIRST 8u
#define NAME_SIZE 64

/* ---- slots ---- */

static uint64_t call_id(const guest *g, const guest_call *call) {
  return (uint64_t)call->generation << 32 | (uint64_t)(call - g->calls + 1);
}

guest_call *call_find(guest *g, uint64_t id) {
  uint32_t index = (uint32_t)id, generation = (uint32_t)(id >> 32);
  if (index == 0 || index > g->calls_size)
    return NULL;
  guest_call *call = &g->calls[index - 1];
  return call->generation == generation && !JS_IsUndefined(call->promise) ? call : NULL;
}

static bool calls_grow(guest *g) {
  uint32_t size = g->calls_size ? g->calls_size * 2 : CALLS_FIRST;
  guest_call *calls = js_realloc_rt(g->rt, g->calls, size * sizeof *calls);
  if (!calls)
    return false;
  for (uint32_t i = size; i-- > g->calls_size;) {
    calls[i] = (guest_call){.promise = JS_UNDEFINED,
                            .watch = JS_UNDEFINED,
                            .signal = JS_UNDEFINED,
                            .next_free = g->calls_free};
    g->calls_free = i + 1;
  }
  g->calls = calls;
  g->calls_size = size;
  return true;
}

/* Takes `promise`. */
static guest_call *call_new(guest *g, JSValue promise) {
  if (JS_IsException(promise))
    return NULL;
  if (!g->calls_free && !calls_grow(g)) {
    JS_FreeValue(g->ctx, promise);
    JS_ThrowOutOfMemory(g->ctx);
    return NULL;
  }
  guest_call *call = &g->calls[g->calls_free - 1];
  g->calls_free = call->next_free;
  call->generation++;
  call->promise = promise;
  call->watch = call->signal = JS_UNDEFINED;
  engine_site_capture(g->ctx, &call->site);
#ifndef __wasm__
  g->calls_live++;
#endif
  return call;
}

/* Frees the slot and hands its promise to the caller. */
static JSValue end_call(guest *g, guest_call *call) {
  JSContext *ctx = g->ctx;
  JSValue promise = call->promise, signal = call->signal, watch = call->watch;
#ifndef __wasm__
  bool progressed = call->progressed;
  call->progressed = false;
  g->calls_live--;
#endif
  call->promise = call->signal = call->watch = JS_UNDEFINED;
  engine_site_free(ctx, &call->site);
  call->next_free = g->calls_free;
  g->calls_free = (uint32_t)(call - g->calls) + 1;
  if (!JS_IsUndefined(watch)) {
    JSValueConst arguments[2] = {signal, watch};
    JSValue done = JS_Call(ctx, g->internals.unwatch_signal, JS_UNDEFINED, 2, arguments);
    if (JS_IsException(done))
      JS_FreeValue(ctx, JS_GetException(ctx));
    JS_FreeValue(ctx, done);
  }
  JS_FreeValue(ctx, watch);
  JS_FreeValue(ctx, signal);
#ifndef __wasm__
  if (progressed)
    deferred_ended(g, promise);
#endif
  return promise;
}

/* The end of a call that is live. Takes `outcome`. */
static void settle(guest *g, uint64_t id, JSValue outcome, bool rejected) {
  JSValue promise = end_call(g, call_find(g, id));
  engine_promise_settle(g->ctx, promise, outcome, rejected);
  JS_FreeValue(g->ctx, outcome);
  JS_FreeValue(g->ctx, promise);
}

void call_give_up(guest *g, uint64_t id, JSValueConst reason) {
  outbox_put(g, WIRE_CANCEL, id, NULL, 0);
  settle(g, id, JS_DupValue(g->ctx, reason), true);
}

#ifndef __wasm__
void call_drop_all(guest *g) {
  for (uint32_t i = 0; i < g->calls_size && g->calls_live; i++) {
    uint64_t id = call_id(g, &g->calls[i]);
    if (!call_find(g, id))
      continue;
    outbox_put(g, WIRE_CANCEL, id, NULL, 0);
    JS_FreeValue(g->ctx, end_call(g, &g->calls[i]));
  }
}

void call_reject_value(guest *g, uint64_t id, cbor_in *value) {
  if (!call_find(g, id))
    return;
  JSValue thrown = value_decode(g, value);
  settle(g, id, JS_IsException(thrown) ? JS_GetException(g->ctx) : thrown, true);
}
#endif

void call_free_all(guest *g) {
  for (uint32_t i = 0; i < g->calls_size; i++) {
    guest_call *call = &g->calls[i];
    engine_site_free(g->ctx, &call->site);
    JS_FreeValue(g->ctx, call->promise);
    JS_FreeValue(g->ctx, call->watch);
    JS_FreeValue(g->ctx, call->signal);
  }
  js_free_rt(g->rt, g->calls);
  g->calls = NULL;
  g->calls_size = g->calls_free = 0;
}

/* ---- calling ---- */

static int read_timeout(JSContext *ctx, JSValueConst options, call_options *read) {
  JSValue value = JS_GetPropertyStr(ctx, options, "timeout");
  if (JS_IsException(value))
    return -1;
  if (JS_IsUndefined(value))
    return 0;
  double ms = -1;
  if (JS_IsNumber(value))
    JS_ToFloat64(ctx, &ms, value);
  JS_FreeValue(ctx, value);
  if (!(ms >= 0)) {
    JS_ThrowTypeError(ctx, "options.timeout must be a number of milliseconds, 0 or more");
    return -1;
  }
  read->timeout_ms = isinf(ms) ? -1 : ms;
  return 0;
}

static int read_priority(JSContext *ctx, JSValueConst options, call_options *read) {
  JSValue value = JS_GetPropertyStr(ctx, options, "priority");
  if (JS_IsException(value))
    return -1;
  if (JS_IsUndefined(value))
    return 0;
  const char *text = JS_IsString(value) ? JS_ToCString(ctx, value) : NULL;
  bool low = text && strcmp(text, "low") == 0, normal = text && strcmp(text, "normal") == 0;
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, value);
  if (!low && !normal) {
    JS_ThrowTypeError(ctx, "options.priority must be 'low' or 'normal'");
    return -1;
  }
  read->priority = low ? -1 : 0;
  return 0;
}

int call_read_options(JSContext *ctx, JSValueConst options, call_options *read) {
  *read = (call_options){-1, 0, JS_UNDEFINED};
  if (JS_IsUndefined(options))
    return 0;
  if (!JS_IsObject(options)) {
    JS_ThrowTypeError(ctx, "options must be an object {timeout, signal, priority}");
    return -1;
  }
  if (read_timeout(ctx, options, read) < 0 || read_priority(ctx, options, read) < 0)
    return -1;
  read->signal = JS_GetPropertyStr(ctx, options, "signal");
  if (JS_IsNull(read->signal))
    read->signal = JS_UNDEFINED;
  return JS_IsException(read->signal) ? -1 : 0;
}

/* Called by the signal's abort, with the reason: the caller's side settles now,
 * the host is asked to stop. */
static JSValue on_abort(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                        int magic, JSValueConst *data) {
  (void)this_value, (void)magic;
  guest *g = guest_of(ctx);
  double id = 0;
  JS_ToFloat64(ctx, &id, data[0]);
  double generation = 0;
  JS_ToFloat64(ctx, &generation, data[1]);
  uint64_t wire = (uint64_t)generation << 32 | (uint64_t)id;
  guest_call *call = call_find(g, wire);
  if (!call)
    return JS_UNDEFINED;
  JS_FreeValue(ctx, call->watch);
  call->watch = JS_UNDEFINED; /* the signal lets go of us by itself */
  call_give_up(g, wire, argc > 0 ? argv[0] : JS_UNDEFINED);
  return JS_UNDEFINED;
}

/* 1: watching; 0: the signal is aborted already; -1 with an exception. */
static int watch_signal(guest *g, uint64_t id, JSValueConst signal) {
  JSContext *ctx = g->ctx;
  JSValueConst data[2] = {JS_NewUint32(ctx, (uint32_t)id), JS_NewUint32(ctx, (uint32_t)(id >> 32))};
  JSValue callback = JS_NewCFunctionData(ctx, on_abort, 1, 0, 2, data);
  if (JS_IsException(callback))
    return -1;
  JSValueConst arguments[2] = {signal, callback};
  JSValue watch = JS_Call(ctx, g->internals.watch_signal, JS_UNDEFINED, 2, arguments);
  JS_FreeValue(ctx, callback);
  if (JS_IsException(watch))
    return -1;
  if (JS_IsNull(watch))
    return 0;
  guest_call *call = call_find(g, id);
  call->watch = watch;
  call->signal = JS_DupValue(ctx, signal);
  return 1;
}

/* The reason of an aborted signal; undefined when it is not aborted. */
JSValue call_abort_reason(guest *g, JSValueConst signal) {
  JSValueConst arguments[1] = {signal};
  JSValue reason = JS_Call(g->ctx, g->internals.signal_reason, JS_UNDEFINED, 1, arguments);
  if (!JS_IsException(reason))
    return reason;
  JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  return JS_ThrowTypeError(g->ctx, "options.signal must be an AbortSignal");
}

static void put_site(guest *g, cbor_out *out) {
  char text[512];
  engine_site site;
  if (!g->debug) {
    cbor_put_null(out);
    return;
  }
  engine_site_capture(g->ctx, &site);
  size_t len = engine_site_text(g->ctx, &site, text, sizeof text);
  engine_site_free(g->ctx, &site);
  put_clean_text(out, text, len, sizeof text);
}

void call_put_head(guest *g, cbor_out *out, uint32_t kind, const call_options *options) {
  cbor_put_array(out, 5);
  cbor_put_uint(out, kind);
  if (options->timeout_ms < 0)
    cbor_put_null(out);
  else
    cbor_put_double(out, options->timeout_ms);
  cbor_put_int(out, options->priority);
  put_site(g, out);
}

int call_check_encoded(guest *g, const cbor_out *out) {
  if (JS_HasException(g->ctx))
    return -1;
  if (out->status == CBOR_E_SIZE)
    JS_ThrowRangeError(g->ctx, "the arguments are larger than 64 MiB");
  else if (out->status != CBOR_OK)
    JS_ThrowOutOfMemory(g->ctx);
  return out->status == CBOR_OK ? 0 : -1;
}

static int encode_arguments(guest *g, cbor_out *out, uint32_t kind, const call_options *options,
                            int argc, JSValueConst *argv) {
  call_put_head(g, out, kind, options);
  cbor_put_array(out, (uint64_t)argc);
  for (int i = 0; i < argc; i++) {
    if (value_encode(g->ctx, out, argv[i], VALUE_ARGUMENT, "argument", (unsigned)i + 1) < 0)
      break;
  }
  return call_check_encoded(g, out);
}

JSValue call_rejected(guest *g, JSValue promise) {
  JSValue reason = JS_GetException(g->ctx);
  if (!JS_IsException(promise))
    engine_promise_settle(g->ctx, promise, reason, true);
  JS_FreeValue(g->ctx, reason);
  return promise;
}

JSValue call_submit(guest *g, const cbor_out *message, JSValueConst signal, JSValue pending,
                    uint64_t *number) {
  guest_call *call = call_new(g, pending);
  if (!call)
    return JS_EXCEPTION;
  uint64_t id = *number = call_id(g, call);
  JSValue promise = JS_DupValue(g->ctx, call->promise);
  int watching = JS_IsUndefined(signal) ? 1 : watch_signal(g, id, signal);
  if (watching == 1) {
    outbox_put(g, WIRE_CALL, id, message->data, message->len);
    return promise;
  }
  JS_FreeValue(g->ctx, end_call(g, call_find(g, id)));
  JS_FreeValue(g->ctx, promise);
  return watching < 0 ? JS_EXCEPTION : JS_Throw(g->ctx, call_abort_reason(g, signal));
}

/* {timeout, signal, priority}: behind the declared arguments, or in the last of
 * them where that is options as well. */
static JSValueConst find_options(int argc, JSValueConst *argv, int declared, bool options_last) {
  if (argc > declared)
    return argv[declared];
  bool merged = options_last && argc == declared && JS_IsObject(argv[declared - 1]);
  return merged ? argv[declared - 1] : JS_UNDEFINED;
}

/* `magic` is the kind; data: number of declared arguments, the last is options. */
static JSValue call_host(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                         int magic, JSValueConst *data) {
  (void)this_value;
  guest *g = guest_of(ctx);
  int declared = JS_VALUE_GET_INT(data[0]);
  call_options options;
  JSValue promise = JS_EXCEPTION, reason = JS_UNDEFINED;
  uint64_t number;
  if (call_read_options(ctx, find_options(argc, argv, declared, JS_VALUE_GET_BOOL(data[1])),
                        &options) == 0 &&
      (JS_IsUndefined(options.signal) ||
       JS_IsUndefined(reason = call_abort_reason(g, options.signal)))) {
    cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
    int given = argc < declared ? argc : declared;
    if (encode_arguments(g, out, (uint32_t)magic, &options, given, argv) == 0)
      promise = call_submit(g, out, options.signal, engine_promise_new(ctx), &number);
    scratch_release(g, out);
  } else if (!JS_IsUndefined(reason) && !JS_IsException(reason)) {
    JS_Throw(ctx, reason);
  }
  JS_FreeValue(ctx, options.signal);
  return JS_IsException(promise) ? call_rejected(g, engine_promise_new(ctx)) : promise;
}

/* ---- answers ---- */

void call_fulfil(guest *g, uint64_t id, cbor_in *value) {
  if (!call_find(g, id))
    return;
  JSValue decoded = value_decode(g, value);
  bool failed = JS_IsException(decoded);
  settle(g, id, failed ? JS_GetException(g->ctx) : decoded, failed);
}

/* name, message, code, transient, operation id, operation name, attempts, and
 * the trace: where the host did it, then where script called it. */
static JSValue make_error(guest *g, const guest_call *call, cbor_in *fields) {
  JSContext *ctx = g->ctx;
  uint64_t count;
  JSValue arguments[8];
  for (int i = 0; i < 8; i++)
    arguments[i] = JS_UNDEFINED;
  bool ok = cbor_get_array(fields, &count) == CBOR_OK && count == 7;
  for (int i = 0; i < 7 && ok; i++) {
    arguments[i] = value_decode(g, fields);
    ok = !JS_IsException(arguments[i]);
  }
  JSValue error = JS_EXCEPTION;
  if (ok) {
    char text[1024];
    const char *operation = JS_ToCString(ctx, arguments[5]);
    const char *number = JS_ToCString(ctx, arguments[4]);
    int n = snprintf(text, sizeof text, "    at %.64s (host operation %.20s)\n",
                     operation ? operation : "?", number ? number : "?");
    JS_FreeCString(ctx, operation);
    JS_FreeCString(ctx, number);
    size_t used = n < 0 ? 0 : (size_t)n;
    used += engine_site_text(ctx, &call->site, text + used, sizeof text - used);
    arguments[7] = JS_NewStringLen(ctx, text, used);
    error = JS_Call(ctx, g->internals.make_error, JS_UNDEFINED, 8, (JSValueConst *)arguments);
  } else if (!JS_HasException(ctx)) {
    JS_ThrowInternalError(ctx, "a host error is malformed");
  }
  for (int i = 0; i < 8; i++)
    JS_FreeValue(ctx, arguments[i]);
  return error;
}

void call_reject(guest *g, uint64_t id, cbor_in *fields) {
  guest_call *call = call_find(g, id);
  if (!call)
    return;
  JSValue error = make_error(g, call, fields);
  settle(g, id, JS_IsException(error) ? JS_GetException(g->ctx) : error, true);
}

/* ---- definition ---- */

/* The operation itself takes and gives plain values; the bundle makes `fetch` and
 * its classes of it. Takes `function`. */
static int define_fetch(guest *g, JSValue function) {
  JSValueConst arguments[1] = {function};
  JSValue done = JS_IsException(function)
                     ? JS_EXCEPTION
                     : JS_Call(g->ctx, g->internals.install_fetch, JS_UNDEFINED, 1, arguments);
  bool failed = JS_IsException(done);
  JS_FreeValue(g->ctx, done);
  JS_FreeValue(g->ctx, function);
  return failed ? -1 : 0;
}

/* The object that names before a dot stand for, made if there is none. */
static JSValue find_space(JSContext *ctx, JSValueConst global, const char *name, size_t len) {
  JSAtom space = JS_NewAtomLen(ctx, name, len);
  if (space == JS_ATOM_NULL)
    return JS_EXCEPTION;
  JSValue holder = engine_own_data(ctx, global, space);
  if (!JS_IsObject(holder)) {
    holder = JS_NewObject(ctx);
    if (!JS_IsException(holder) &&
        JS_DefinePropertyValue(ctx, global, space, JS_DupValue(ctx, holder),
                               JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0) {
      JS_FreeValue(ctx, holder);
      holder = JS_EXCEPTION;
    }
  }
  JS_FreeAtom(ctx, space);
  return holder;
}

/* Takes `function`; 0 or -1. */
static int define_function(JSContext *ctx, JSValueConst holder, const char *name, size_t len,
                           JSValue function) {
  JSAtom own = JS_NewAtomLen(ctx, name, len);
  JSValue title = JS_NewStringLen(ctx, name, len);
  int failed = own == JS_ATOM_NULL || JS_IsException(title) || JS_IsException(function) ||
               JS_IsException(holder);
  if (failed)
    JS_FreeValue(ctx, title);
  else
    failed =
        JS_DefinePropertyValueStr(ctx, function, "name", title, JS_PROP_CONFIGURABLE) < 0 ||
        JS_DefinePropertyValue(ctx, holder, own, JS_DupValue(ctx, function), JS_PROP_C_W_E) < 0;
  JS_FreeValue(ctx, function);
  JS_FreeAtom(ctx, own);
  return failed ? -1 : 0;
}

int call_define(guest *g, const char *name, size_t name_len, uint32_t arguments, bool options_last,
                uint32_t kind) {
  JSContext *ctx = g->ctx;
  JSValueConst data[2] = {JS_NewInt32(ctx, (int32_t)arguments), JS_NewBool(ctx, options_last)};
#ifndef __wasm__
  int taken = deferred_define(g, name, name_len, kind);
  if (taken)
    return taken < 0 ? -1 : 0;
#endif
  if (name_len == 5 && memcmp(name, "fetch", 5) == 0)
    return define_fetch(g, JS_NewCFunctionData(ctx, call_host, 2, (int)kind, 2, data));
  const char *dot = memchr(name, '.', name_len);
  JSValue global = JS_GetGlobalObject(ctx);
  JSValue holder =
      dot ? find_space(ctx, global, name, (size_t)(dot - name)) : JS_DupValue(ctx, global);
  JSValue function = JS_NewCFunctionData(ctx, call_host, (int)arguments, (int)kind, 2, data);
  if (dot) {
    name_len -= (size_t)(dot + 1 - name);
    name = dot + 1;
  }
  int failed = define_function(ctx, holder, name, name_len, function);
  JS_FreeValue(ctx, holder);
  JS_FreeValue(ctx, global);
  return failed;
}
