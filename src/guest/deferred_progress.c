/* Progress and Deferred.map: what is written in JavaScript (js/deferred.js), read and
 * made when a program first needs it, for most do not. */
#include "guest/deferred.h"

#include <unistd.h>

#include "guest/bundle.h"
#include "guest/deferred_int.h"

/* Two for each worker: it has the next one when the answer to the last is on its way. */
#define TASKS_PER_PROCESSOR 2

static const char *const names[FROM_BUNDLE] = {
    [BUNDLE_MAP] = "map",
    [BUNDLE_PROGRESS_OF] = "progressOf",
    [BUNDLE_PROGRESSED] = "progressed",
    [BUNDLE_ENDED] = "ended",
};

/* What the bundle is given: Deferred's own functions and those of signals. */
static JSValue make_natives(guest *g) {
  JSContext *ctx = g->ctx;
  JSValue vow = JS_NewObject(ctx);
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  struct {
    const char *name;
    JSValue value;
  } given[] = {
      {"run", JS_NewCFunction(ctx, deferred_run, "run", 3)},
      {"cancel", JS_GetPropertyStr(ctx, g->deferred->prototype, "cancel")},
      {"watchSignal", JS_DupValue(ctx, g->internals.watch_signal)},
      {"unwatchSignal", JS_DupValue(ctx, g->internals.unwatch_signal)},
      {"signalReason", JS_DupValue(ctx, g->internals.signal_reason)},
      {"concurrency", JS_NewInt64(ctx, (processors > 0 ? processors : 1) * TASKS_PER_PROCESSOR)},
  };
  bool ok = !JS_IsException(vow);
  for (size_t i = 0; i < sizeof given / sizeof *given; i++)
    if (!ok)
      JS_FreeValue(ctx, given[i].value);
    else
      ok = JS_DefinePropertyValueStr(ctx, vow, given[i].name, given[i].value, JS_PROP_C_W_E) >= 0;
  if (ok)
    return vow;
  JS_FreeValue(ctx, vow);
  return JS_EXCEPTION;
}

/* 0, or -1 with an exception. */
static int load(guest *g) {
  JSContext *ctx = g->ctx;
  guest_deferred *deferred = g->deferred;
  if (!JS_IsUndefined(deferred->from_bundle[BUNDLE_ENDED]))
    return 0;
  JSValue code = JS_ReadObject(ctx, tasks_code, tasks_code_len, JS_READ_OBJ_BYTECODE);
  JSValue function = JS_IsException(code) ? code : JS_EvalFunction(ctx, code);
  JSValue vow = JS_IsException(function) ? JS_EXCEPTION : make_natives(g);
  JSValueConst arguments[1] = {vow};
  JSValue made =
      JS_IsException(vow) ? JS_EXCEPTION : JS_Call(ctx, function, JS_UNDEFINED, 1, arguments);
  bool ok = !JS_IsException(made);
  for (size_t i = 0; ok && i < FROM_BUNDLE; i++) {
    JSValue part = JS_GetPropertyStr(ctx, made, names[i]);
    ok = JS_IsFunction(ctx, part);
    JS_FreeValue(ctx, deferred->from_bundle[i]);
    deferred->from_bundle[i] = ok ? part : JS_UNDEFINED;
  }
  JS_FreeValue(ctx, made);
  JS_FreeValue(ctx, vow);
  JS_FreeValue(ctx, function);
  return ok ? 0 : -1;
}

static JSValue call_bundle(guest *g, int which, int argc, JSValueConst *argv) {
  if (load(g) < 0)
    return JS_EXCEPTION;
  return JS_Call(g->ctx, g->deferred->from_bundle[which], JS_UNDEFINED, argc, argv);
}

JSValue deferred_map(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  return call_bundle(guest_of(ctx), BUNDLE_MAP, argc, argv);
}

/* The call, if it has no end yet, will tell when it has. */
static bool expect_end(guest *g, JSValueConst promise) {
  uint64_t id;
  if (!deferred_call_of(g, promise, &id))
    return false;
  call_find(g, id)->progressed = true;
  return true;
}

JSValue deferred_progress_of(JSContext *ctx, JSValueConst this_value) {
  guest *g = guest_of(ctx);
  if (!JS_IsPromise(this_value))
    return JS_ThrowTypeError(ctx, "Deferred.prototype.progress: this is no Deferred");
  if (load(g) < 0)
    return JS_EXCEPTION;
  JSValueConst arguments[2] = {this_value, JS_NewBool(ctx, expect_end(g, this_value))};
  return call_bundle(g, BUNDLE_PROGRESS_OF, 2, arguments);
}

void deferred_progress(guest *g, uint64_t id, cbor_in *value) {
  guest_call *call = g->deferred ? call_find(g, id) : NULL;
  if (!call)
    return;
  JSValue promise = JS_DupValue(g->ctx, call->promise);
  JSValue decoded = value_decode(g, value);
  JSValue done = JS_EXCEPTION;
  if (!JS_IsException(decoded) && load(g) == 0 && expect_end(g, promise)) {
    JSValueConst arguments[2] = {promise, decoded};
    done = call_bundle(g, BUNDLE_PROGRESSED, 2, arguments);
  }
  JS_FreeValue(g->ctx, decoded);
  JS_FreeValue(g->ctx, promise);
  if (JS_IsException(done))
    guest_uncaught(g);
  JS_FreeValue(g->ctx, done);
}

void deferred_ended(guest *g, JSValueConst promise) {
  JSValueConst arguments[1] = {promise};
  JSValue done = call_bundle(g, BUNDLE_ENDED, 1, arguments);
  if (JS_IsException(done))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  JS_FreeValue(g->ctx, done);
}
