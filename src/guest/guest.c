#include "guest/guest.h"

#include <stdlib.h>
#include <string.h>

#include "guest/bundle.h"
#include "guest/deferred.h"
#include "guest/program.h"
#include "guest/shared.h"
#include "guest/task.h"
#include "guest/web.h"

/* Recursion ends in a JavaScript error well before the stack does. Each run
 * sets its own size; this one is for initialisation. */
#define INITIAL_STACK_SIZE (256u * 1024)
/* `context`, the allowed operations and what a script declares. */
#define SPARE_GLOBALS 32u
/* A run shorter than this many new bytes never collects cycles. */
#define GC_HEADROOM (1u << 20)

/* ---- natives of the bundle ---- */

static JSValue native_log(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  guest *g = guest_of(ctx);
  int32_t level = 1;
  size_t len;
  const char *text = argc > 1 ? JS_ToCStringLen(ctx, &len, argv[1]) : NULL;
  if (!text)
    return JS_EXCEPTION;
  JS_ToInt32(ctx, &level, argv[0]);
  cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  cbor_put_array(out, 2);
  cbor_put_int(out, level);
  put_clean_text(out, text, len, WIRE_MESSAGE_MAX / 2);
  JS_FreeCString(ctx, text);
  bool ok = out->status == CBOR_OK;
  if (ok)
    outbox_put(g, WIRE_LOG, 0, out->data, out->len);
  scratch_release(g, out);
  if (g->trusted)
    platform_flush(g); /* what a program says is seen when it says it */
  return ok ? JS_UNDEFINED : JS_ThrowOutOfMemory(ctx);
}

static JSValue native_timer_start(JSContext *ctx, JSValueConst this_value, int argc,
                                  JSValueConst *argv) {
  (void)this_value;
  double id = 0, ms = 0;
  if (argc < 2 || JS_ToFloat64(ctx, &id, argv[0]) < 0 || JS_ToFloat64(ctx, &ms, argv[1]) < 0)
    return JS_EXCEPTION;
  guest *g = guest_of(ctx);
  uint8_t bytes[WIRE_SITE_MAX + 32];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  if (g->debug) {
    char text[WIRE_SITE_MAX];
    engine_site site;
    engine_site_capture(ctx, &site);
    size_t len = engine_site_text(ctx, &site, text, sizeof text);
    engine_site_free(ctx, &site);
    cbor_put_array(&out, 2);
    cbor_put_double(&out, ms);
    put_clean_text(&out, text, len, sizeof text);
  } else {
    cbor_put_double(&out, ms);
  }
#ifndef __wasm__
  g->timers_started = true;
#endif
  outbox_put(g, WIRE_TIMER_START, (uint64_t)id | WIRE_TIMER_BIT, bytes, out.len);
  return JS_UNDEFINED;
}

static JSValue native_timer_stop(JSContext *ctx, JSValueConst this_value, int argc,
                                 JSValueConst *argv) {
  (void)this_value;
  double id = 0;
  if (argc < 1 || JS_ToFloat64(ctx, &id, argv[0]) < 0)
    return JS_EXCEPTION;
  outbox_put(guest_of(ctx), WIRE_TIMER_STOP, (uint64_t)id | WIRE_TIMER_BIT, NULL, 0);
  return JS_UNDEFINED;
}

static JSValue native_now(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value, (void)argc, (void)argv;
  guest *g = guest_of(ctx);
  return JS_NewFloat64(ctx, platform_now_ms(g) - g->started_ms);
}

static const JSCFunctionListEntry natives[] = {
    JS_CFUNC_DEF("log", 2, native_log),
    JS_CFUNC_DEF("timerStart", 2, native_timer_start),
    JS_CFUNC_DEF("timerStop", 1, native_timer_stop),
    JS_CFUNC_DEF("now", 0, native_now),
};

/* ---- engine hooks ---- */

/* Memory of the guest's own tables counts as the engine's, so that it is under
 * the same limit. */
static void *engine_reallocate(void *user, void *block, size_t size) {
  if (size)
    return js_realloc_rt(user, block, size);
  js_free_rt(user, block);
  return NULL;
}

/* Closes the gaps; then makes room if less than half of the slots are free. */
static bool unhandled_make_room(guest *g) {
  uint32_t used = 0;
  for (uint32_t i = g->unhandled_head; i < g->unhandled_end; i++) {
    if (JS_IsUndefined(g->unhandled[2 * i]))
      continue;
    g->unhandled[2 * used] = g->unhandled[2 * i];
    g->unhandled[2 * used + 1] = g->unhandled[2 * i + 1];
    used++;
  }
  g->unhandled_head = 0;
  g->unhandled_end = used;
  if (used < g->unhandled_size / 2)
    return true;
  uint32_t size = g->unhandled_size ? g->unhandled_size * 2 : 8;
  JSValue *grown = js_realloc_rt(g->rt, g->unhandled, 2u * size * sizeof *grown);
  if (!grown)
    return used < g->unhandled_size;
  g->unhandled = grown;
  g->unhandled_size = size;
  return true;
}

static void unhandled_add(guest *g, JSValueConst promise, JSValueConst reason) {
  if (g->unhandled_end == g->unhandled_size && !unhandled_make_room(g))
    return; /* the memory limit ends this run */
  g->unhandled[2 * g->unhandled_end] = JS_DupValue(g->ctx, promise);
  g->unhandled[2 * g->unhandled_end + 1] = JS_DupValue(g->ctx, reason);
  g->unhandled_end++;
  g->unhandled_live++;
}

static bool is_promise_at(const guest *g, uint32_t i, JSValueConst promise) {
  return !JS_IsUndefined(g->unhandled[2 * i]) &&
         JS_VALUE_GET_PTR(g->unhandled[2 * i]) == JS_VALUE_GET_PTR(promise);
}

/* Looks from both ends: rejections are handled in their order or in reverse. */
static bool unhandled_find(const guest *g, JSValueConst promise, uint32_t *at) {
  uint32_t low = g->unhandled_head, high = g->unhandled_end;
  while (low < high) {
    *at = low++;
    if (is_promise_at(g, *at, promise))
      return true;
    *at = --high;
    if (low <= high && is_promise_at(g, *at, promise))
      return true;
  }
  return false;
}

static void unhandled_remove(guest *g, JSValueConst promise) {
  uint32_t at;
  if (!unhandled_find(g, promise, &at))
    return;
  JSValue gone[2] = {g->unhandled[2 * at], g->unhandled[2 * at + 1]};
  g->unhandled[2 * at] = g->unhandled[2 * at + 1] = JS_UNDEFINED;
  g->unhandled_live--;
  while (g->unhandled_head < g->unhandled_end &&
         JS_IsUndefined(g->unhandled[2 * g->unhandled_head]))
    g->unhandled_head++;
  while (g->unhandled_end > g->unhandled_head &&
         JS_IsUndefined(g->unhandled[2 * (g->unhandled_end - 1)]))
    g->unhandled_end--;
  JS_FreeValue(g->ctx, gone[0]);
  JS_FreeValue(g->ctx, gone[1]);
}

#ifndef __wasm__
JSValue guest_first_unhandled(guest *g) {
  return g->unhandled_live ? JS_DupValue(g->ctx, g->unhandled[2 * g->unhandled_head + 1])
                           : JS_UNINITIALIZED;
}

void guest_forget_unhandled(guest *g) {
  while (g->unhandled_live) {
    JSValue promise = JS_DupValue(g->ctx, g->unhandled[2 * g->unhandled_head]);
    unhandled_remove(g, promise);
    JS_FreeValue(g->ctx, promise);
  }
}
#endif

static void on_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool is_handled,
                         void *opaque) {
  (void)opaque;
  if (is_handled)
    unhandled_remove(guest_of(ctx), promise);
  else
    unhandled_add(guest_of(ctx), promise, reason);
}

static JSModuleDef *no_modules(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  guest_of(ctx)->import_failed = true;
  JS_ThrowReferenceError(ctx, "cannot import '%s': a script has no files to import from", name);
  return NULL;
}

static char *same_name(JSContext *ctx, const char *base, const char *name, void *opaque) {
  (void)base, (void)opaque;
  return js_strdup(ctx, name);
}

/* ---- initialisation ---- */

static bool add_intrinsics(JSContext *ctx) {
  return JS_AddIntrinsicBaseObjects(ctx) == 0 && JS_AddIntrinsicDate(ctx) == 0 &&
         JS_AddIntrinsicEval(ctx) == 0 && JS_AddIntrinsicRegExp(ctx) == 0 &&
         JS_AddIntrinsicJSON(ctx) == 0 && JS_AddIntrinsicProxy(ctx) == 0 &&
         JS_AddIntrinsicMapSet(ctx) == 0 && JS_AddIntrinsicTypedArrays(ctx) == 0 &&
         JS_AddIntrinsicPromise(ctx) == 0 && JS_AddIntrinsicWeakRef(ctx) == 0 &&
         JS_AddIntrinsicAToB(ctx) == 0 && JS_AddIntrinsicDOMException(ctx) == 0;
}

static void remove_global(JSContext *ctx, JSValueConst global, const char *name) {
  JSAtom atom = JS_NewAtom(ctx, name);
  JS_DeleteProperty(ctx, global, atom, 0);
  JS_FreeAtom(ctx, atom);
}

/* Built-ins that decoding and awaiting use, before the guest can replace them. */
static void capture(guest *g, JSValueConst global) {
  JSContext *ctx = g->ctx;
  g->promise_ctor = JS_GetPropertyStr(ctx, global, "Promise");
  g->promise_resolve = JS_GetPropertyStr(ctx, g->promise_ctor, "resolve");
  g->map_ctor = JS_GetPropertyStr(ctx, global, "Map");
  g->set_ctor = JS_GetPropertyStr(ctx, global, "Set");
  JSValue prototype = JS_GetPropertyStr(ctx, g->map_ctor, "prototype");
  g->map_set = JS_GetPropertyStr(ctx, prototype, "set");
  JS_FreeValue(ctx, prototype);
  prototype = JS_GetPropertyStr(ctx, g->set_ctor, "prototype");
  g->set_add = JS_GetPropertyStr(ctx, prototype, "add");
  JS_FreeValue(ctx, prototype);
}

static bool take_internals(guest *g, JSValueConst internals) {
  struct {
    const char *name;
    JSValue *into;
  } wanted[] = {
      {"fireTimer", &g->internals.fire_timer},
      {"makeError", &g->internals.make_error},
      {"errorOperation", &g->internals.error_operation},
      {"watchSignal", &g->internals.watch_signal},
      {"unwatchSignal", &g->internals.unwatch_signal},
      {"signalReason", &g->internals.signal_reason},
      {"deepFreeze", &g->internals.deep_freeze},
      {"installFetch", &g->internals.install_fetch},
#ifndef __wasm__
      {"clearTimers", &g->internals.clear_timers},
#endif
      {"inspect", &g->internals.inspect},
  };
  bool ok = JS_IsObject(internals);
  for (size_t i = 0; ok && i < sizeof wanted / sizeof wanted[0]; i++) {
    *wanted[i].into = JS_GetPropertyStr(g->ctx, internals, wanted[i].name);
    ok = JS_IsFunction(g->ctx, *wanted[i].into);
  }
  return ok;
}

static JSValue load_bundle(JSContext *ctx) {
  JSValue code = JS_ReadObject(ctx, bundle_code, bundle_code_len, JS_READ_OBJ_BYTECODE);
  return JS_IsException(code) ? code : JS_EvalFunction(ctx, code);
}

/* The bundle is one function expression; it is called with the natives. */
static bool run_bundle(guest *g) {
  JSContext *ctx = g->ctx;
  JSValue function = load_bundle(ctx);
  JSValue vow = JS_NewObject(ctx);
  bool ok =
      !JS_IsException(function) && !JS_IsException(vow) &&
      JS_SetPropertyFunctionList(ctx, vow, natives, sizeof natives / sizeof natives[0]) == 0 &&
      web_add_natives(ctx, vow) == 0 && web_add_crypto_natives(ctx, vow) == 0;
  JSValueConst arguments[1] = {vow};
  JSValue internals = ok ? JS_Call(ctx, function, JS_UNDEFINED, 1, arguments) : JS_UNDEFINED;
  ok = ok && take_internals(g, internals);
  JS_FreeValue(ctx, internals);
  JS_FreeValue(ctx, vow);
  JS_FreeValue(ctx, function);
  return ok;
}

static bool make_buffers(guest *g) {
  g->inbox = js_malloc_rt(g->rt, WIRE_INBOX_SIZE);
  g->outbox = js_malloc_rt(g->rt, WIRE_OUTBOX_SIZE);
  g->shared.inbox_size = g->inbox ? WIRE_INBOX_SIZE : 0;
  g->shared.outbox_size = g->outbox ? WIRE_OUTBOX_SIZE : 0;
  return g->inbox && g->outbox;
}

static void clear_values(guest *g) {
  JSValue *values[] = {&g->promise_ctor,
                       &g->promise_resolve,
                       &g->map_ctor,
                       &g->map_set,
                       &g->set_ctor,
                       &g->set_add,
                       &g->loaded,
                       &g->awaited,
                       &g->module_namespace,
                       &g->evaluated,
                       &g->on_settled[ON_EVALUATED],
                       &g->on_settled[ON_VALUE],
                       &g->on_settled[ON_FAILED],
                       &g->internals.fire_timer,
                       &g->internals.make_error,
                       &g->internals.error_operation,
                       &g->internals.watch_signal,
                       &g->internals.unwatch_signal,
                       &g->internals.signal_reason,
                       &g->internals.deep_freeze,
                       &g->internals.install_fetch,
#ifndef __wasm__
                       &g->internals.clear_timers,
#endif
                       &g->internals.inspect};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    if (g->ctx)
      JS_FreeValue(g->ctx, *values[i]);
    *values[i] = JS_UNDEFINED;
  }
}

void guest_tidy(guest *g) {
  JSMemoryUsage usage;
  JS_RunGC(g->rt);
  JS_ComputeMemoryUsage(g->rt, &usage);
  JS_SetGCThreshold(g->rt, (size_t)usage.malloc_size + GC_HEADROOM);
}

bool guest_init(guest *g, const JSMallocFunctions *malloc_functions, void *malloc_opaque) {
  clear_values(g);
  g->rt = malloc_functions ? JS_NewRuntime2(malloc_functions, malloc_opaque) : JS_NewRuntime();
  if (!g->rt)
    return false;
  JS_SetMaxStackSize(g->rt, INITIAL_STACK_SIZE);
  JS_SetHostPromiseRejectionTracker(g->rt, on_rejection, NULL);
  JS_SetModuleLoaderFunc(g->rt, same_name, no_modules, NULL);
  JS_SetCanBlock(g->rt, false);
  g->allocator = (vow_allocator){engine_reallocate, g->rt};
  cbor_out_init(&g->scratch, &g->allocator, WIRE_MESSAGE_MAX);
  g->ctx = JS_NewContextRaw(g->rt);
  if (!g->ctx || !make_buffers(g) || !add_intrinsics(g->ctx))
    return false;
  JS_SetContextOpaque(g->ctx, g);
  JSValue global = JS_GetGlobalObject(g->ctx);
  if (!g->trusted) {
    remove_global(g->ctx, global, "SharedArrayBuffer");
    remove_global(g->ctx, global, "Atomics");
  }
  capture(g, global);
  JS_FreeValue(g->ctx, global);
  if (!script_init(g) || !run_bundle(g) || engine_reserve_globals(g->ctx, SPARE_GLOBALS) < 0)
    return false;
  guest_tidy(g);
  return true;
}

void guest_free(guest *g) {
  if (g->ctx) {
#ifndef __wasm__
    task_free(g);
    deferred_free(g);
#endif
    call_free_all(g);
    for (uint32_t i = 2 * g->unhandled_head; i < 2 * g->unhandled_end; i++)
      JS_FreeValue(g->ctx, g->unhandled[i]);
    clear_values(g);
    JS_FreeContext(g->ctx);
  }
  if (!g->rt)
    return;
  js_free_rt(g->rt, g->unhandled);
  js_free_rt(g->rt, g->importer);
  js_free_rt(g->rt, g->specifier);
  cbor_out_free(&g->scratch);
  js_free_rt(g->rt, g->inbox);
  js_free_rt(g->rt, g->outbox);
  JS_FreeRuntime(g->rt);
}

/* ---- turns ---- */

bool guest_reserve(guest *g, size_t size) {
  if (size <= g->shared.inbox_size)
    return true;
  if (size > UINT32_MAX)
    return false;
  uint8_t *grown = js_realloc_rt(g->rt, g->inbox, size);
  if (!grown)
    return false;
  g->inbox = grown;
  g->shared.inbox_size = (uint32_t)size;
  return true;
}

void guest_uncaught(guest *g) {
  if (g->dead)
    return; /* by process.exit(): what was thrown is no error */
#ifndef __wasm__
  if (task_uncaught(g))
    return;
#endif
  JSValue thrown = JS_GetException(g->ctx);
  describe_send(g, WIRE_ERROR, thrown);
  JS_FreeValue(g->ctx, thrown);
  g->shared.settled = 1;
  g->dead = true;
}

/* A program ends with the oldest rejection that its microtasks left unhandled. */
static void end_unhandled(guest *g) {
  JSValue reason = JS_DupValue(g->ctx, g->unhandled[2 * g->unhandled_head + 1]);
  describe_send(g, WIRE_UNHANDLED, reason);
  JS_FreeValue(g->ctx, reason);
  g->dead = true;
}

void guest_run_jobs(guest *g) {
  JSContext *ctx;
  int ran;
  while (!g->dead && (ran = JS_ExecutePendingJob(g->rt, &ctx)) != 0)
    if (ran < 0)
      guest_uncaught(g);
  if (g->program && !g->dead && g->unhandled_live)
    end_unhandled(g);
}

static void fire_timer(guest *g, uint64_t id) {
  JSValueConst arguments[1] = {JS_NewFloat64(g->ctx, (double)(id & ~WIRE_TIMER_BIT))};
  JSValue done = JS_Call(g->ctx, g->internals.fire_timer, JS_UNDEFINED, 1, arguments);
  if (JS_IsException(done))
    guest_uncaught(g);
  JS_FreeValue(g->ctx, done);
  guest_run_jobs(g);
}

/* The oldest one. Describing runs getters, which may handle it meanwhile. */
static void tell_unhandled(guest *g) {
  if (!g->unhandled_live)
    return;
  JSValue reason = JS_DupValue(g->ctx, g->unhandled[2 * g->unhandled_head + 1]);
  describe_send(g, WIRE_UNHANDLED, reason);
  JS_FreeValue(g->ctx, reason);
}

#ifndef __wasm__
static void handle_deferred(guest *g, const wire_header *header, cbor_in *in) {
  switch (header->type) {
  case WIRE_REJECT_VALUE:
    call_reject_value(g, header->id, in);
    break;
  case WIRE_PROGRESS:
    deferred_progress(g, header->id, in);
    break;
  case WIRE_CODE:
    task_code(g, in);
    break;
  case WIRE_CODE_DROP:
    task_code_drop(g, in);
    break;
  case WIRE_TASK:
    task_start(g, header->id, in);
    break;
  default:
    break;
  }
}
#endif

static void handle(guest *g, const wire_header *header, const uint8_t *body) {
  cbor_in in;
  cbor_in_init(&in, body, header->len);
  switch (header->type) {
  case WIRE_START:
    script_start(g, &in);
    break;
  case WIRE_LOAD:
    script_load(g, &in);
    break;
  case WIRE_FULFIL:
    call_fulfil(g, header->id, &in);
    break;
  case WIRE_REJECT:
    call_reject(g, header->id, &in);
    break;
  case WIRE_TIMER:
    guest_run_jobs(g);
    if (!g->dead)
      fire_timer(g, header->id);
    break;
  case WIRE_FINISH:
    tell_unhandled(g);
    break;
  case WIRE_PROCESS:
    process_open(g, &in);
    break;
  case WIRE_STUCK:
    script_tell_stuck(g);
    break;
  case WIRE_LIBRARY:
    g->library = true;
    break;
  case WIRE_INVOKE:
    script_invoke(g, &in);
    break;
  default:
#ifndef __wasm__
    handle_deferred(g, header, &in);
#endif
    break;
  }
}

void guest_turn(guest *g, size_t len) {
  JS_UpdateStackTop(g->rt);
  g->shared.outbox_len = 0;
  size_t at = 0, size = len <= g->shared.inbox_size ? len : 0;
  wire_header header;
  const uint8_t *body;
  while (!g->dead && (body = wire_next(g->inbox, size, &at, &header)))
    handle(g, &header, body);
  guest_run_jobs(g);
#ifndef __wasm__
  task_after_jobs(g);
  /* What nobody waited for, or could not be read. */
  value_release(g->inbox, size);
#endif
  g->shared.unhandled = g->unhandled_live;
}
