/* Functions are looked at and written once: a table keyed by their code remembers the
 * hash they were sent under and the globals they use. What can change between two
 * submissions, which is what names stand for, is looked at each time. */
#include "guest/deferred.h"

#include <string.h>

#include <sha2.h>

#include "guest/call.h"
#include "guest/deferred_int.h"
#include "guest/engine_function.h"
#include "guest/shared.h"
#include "guest/task.h"

/* ---- the table of functions ---- */

static deferred_code *slot_of(guest_deferred *deferred, const void *key) {
  size_t at = ((uintptr_t)key >> 4) * 0x9e3779b1u % CODE_SLOTS;
  while (deferred->codes[at].key && deferred->codes[at].key != key)
    at = (at + 1) % CODE_SLOTS;
  return &deferred->codes[at];
}

/* Functions that are submitted again are looked at again; all at once is simple and
 * costs each of them 1 / CODES_MAX. */
static void forget_codes(guest *g) {
  guest_deferred *deferred = g->deferred;
  for (size_t i = 0; deferred->codes && i < CODE_SLOTS; i++) {
    deferred_code *code = &deferred->codes[i];
    if (!code->key)
      continue;
    engine_names_free(g->ctx, code->names, code->names_count);
    js_free(g->ctx, code->uses);
    JS_FreeValue(g->ctx, code->held);
    *code = (deferred_code){0};
  }
  deferred->codes_count = 0;
}

static const engine_global *find_pristine(const guest_deferred *deferred, JSAtom name) {
  for (uint32_t i = 0; i < deferred->globals_count; i++)
    if (deferred->globals[i].atom == name)
      return &deferred->globals[i];
  return NULL;
}

/* What a global name stands for. */
static name_use look_up(guest *g, JSValueConst function, const engine_name *name) {
  const engine_global *pristine = find_pristine(g->deferred, name->atom);
  JSValueConst value;
  if (pristine && engine_global_is_same(g->ctx, pristine))
    return NAME_FINE;
  if (name->uses & ENGINE_NAME_MAYBE)
    return NAME_FINE; /* not ours to know */
  if (engine_global_find(g->ctx, name->atom, &value))
    return engine_same_object(value, function) && !(name->uses & ENGINE_NAME_WRITTEN)
               ? NAME_ITSELF
               : NAME_HERE_ONLY;
  if (pristine)
    return NAME_HERE_ONLY; /* deleted here */
  return name->uses & ENGINE_NAME_READ ? NAME_NOWHERE : NAME_FINE;
}

/* Whether all names stand for what they stood for when the function was sent. */
static bool is_as_sent(guest *g, JSValueConst function, const deferred_code *code) {
  for (uint32_t i = 0; i < code->names_count; i++)
    if (look_up(g, function, &code->names[i]) != code->uses[i])
      return false;
  uint32_t captured = engine_function_captures(function);
  for (uint32_t i = 0; i < captured; i++) {
    bool self;
    engine_function_captured(function, i, &self);
    if (!self)
      return false;
  }
  return true;
}

/* ---- sending a function ---- */

/* Names it calls itself by, then the bytecode: only task.c reads it. */
static bool put_blob(guest *g, cbor_out *out, JSValueConst function, const deferred_code *code) {
  uint32_t own = 0;
  for (uint32_t i = 0; i < code->names_count; i++)
    own += code->uses[i] == NAME_ITSELF;
  cbor_put_array(out, own);
  for (uint32_t i = 0; i < code->names_count; i++) {
    if (code->uses[i] != NAME_ITSELF)
      continue;
    const char *text = JS_AtomToCString(g->ctx, code->names[i].atom);
    if (!text)
      return false;
    cbor_put_cstring(out, text);
    JS_FreeCString(g->ctx, text);
  }
  size_t len;
  uint8_t *bytes = engine_function_write(g->ctx, function, &len);
  if (!bytes)
    return false;
  cbor_put_raw(out, bytes, len);
  js_free(g->ctx, bytes);
  if (out->status != CBOR_OK)
    JS_ThrowOutOfMemory(g->ctx);
  return out->status == CBOR_OK;
}

static void hash_of(const cbor_out *blob, uint8_t hash[WIRE_HASH]) {
  uint8_t sum[SHA256_DIGEST_LENGTH];
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, blob->data, blob->len);
  SHA256Final(sum, &context);
  memcpy(hash, sum, WIRE_HASH);
}

/* An empty text where there is none. */
static void put_text(cbor_out *out, const char *text, size_t len) {
  put_clean_text(out, text ? text : "", text ? len : 0, WIRE_MESSAGE_MAX / 2);
}

static void put_code(guest *g, cbor_out *out, const cbor_out *blob, const deferred_code *code,
                     JSValueConst function) {
  size_t source_len;
  const char *source = engine_function_source(function, &source_len);
  const char *name = engine_function_name(g->ctx, function);
  JSAtom atom = engine_function_file(function);
  const char *file = atom == JS_ATOM_NULL ? NULL : JS_AtomToCString(g->ctx, atom);
  cbor_put_array(out, 5);
  cbor_put_bytes(out, code->hash, WIRE_HASH);
  cbor_put_bytes(out, blob->data, blob->len);
  put_text(out, source, source_len);
  put_text(out, name, name ? strlen(name) : 0);
  put_text(out, file, file ? strlen(file) : 0);
  JS_FreeCString(g->ctx, name);
  JS_FreeCString(g->ctx, file);
}

/* WIRE_CODE; 0, or -1 with an exception. */
static int send_code(guest *g, JSValueConst function, deferred_code *code) {
  cbor_out blob, own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  cbor_out_init(&blob, &g->allocator, WIRE_MESSAGE_MAX);
  int failed = put_blob(g, &blob, function, code) ? 0 : -1;
  if (!failed) {
    hash_of(&blob, code->hash);
    put_code(g, out, &blob, code, function);
    if (out->status == CBOR_OK) {
      outbox_put(g, WIRE_CODE, 0, out->data, out->len);
    } else {
      JS_ThrowOutOfMemory(g->ctx);
      failed = -1;
    }
  }
  cbor_out_free(&blob);
  scratch_release(g, out);
  return failed;
}

/* ---- from function to code ---- */

static int list_uses(guest *g, JSValueConst function, deferred_code *code) {
  JSContext *ctx = g->ctx;
  if (engine_function_names(ctx, function, &code->names, &code->names_count) < 0)
    return -1;
  code->uses = js_malloc(ctx, code->names_count + 1u);
  if (!code->uses)
    return -1;
  for (uint32_t i = 0; i < code->names_count; i++)
    code->uses[i] = (uint8_t)look_up(g, function, &code->names[i]);
  return 0;
}

static int make_code(guest *g, JSValueConst function, deferred_code *code) {
  if (list_uses(g, function, code) == 0 && refusal_for_names(g, function, code) == 0 &&
      send_code(g, function, code) == 0)
    return 0;
  engine_names_free(g->ctx, code->names, code->names_count);
  js_free(g->ctx, code->uses);
  return -1;
}

/* The hash of a function that the host has; -1 with an exception, which says why it
 * cannot be sent. */
static int hash_for(guest *g, JSValueConst function, uint8_t hash[WIRE_HASH]) {
  guest_deferred *deferred = g->deferred;
  const void *key = engine_function_key(function);
  deferred_code *slot = key && deferred->codes ? slot_of(deferred, key) : NULL;
  if (slot && slot->key && is_as_sent(g, function, slot)) {
    memcpy(hash, slot->hash, WIRE_HASH);
    return 0;
  }
  deferred_code code = {0};
  if (refusal_for_sort(g, function) < 0 || make_code(g, function, &code) < 0)
    return -1;
  memcpy(hash, code.hash, WIRE_HASH);
  if (!deferred->codes)
    deferred->codes = js_calloc(g->ctx, CODE_SLOTS, sizeof *deferred->codes);
  if (!deferred->codes) {
    engine_names_free(g->ctx, code.names, code.names_count);
    js_free(g->ctx, code.uses);
    return -1;
  }
  if (deferred->codes_count == CODES_MAX || slot_of(deferred, key)->key)
    forget_codes(g); /* full, or its names stand for others now */
  code.key = key;
  code.held = engine_function_hold(function);
  *slot_of(deferred, key) = code;
  deferred->codes_count++;
  return 0;
}

/* ---- options of a task ---- */

static void put_options(cbor_out *out, JSContext *ctx, const task_options *options) {
  bool placed = !JS_IsUndefined(options->affinity);
  unsigned members = (unsigned)placed + (unsigned)options->isolated +
                     (options->memory_mib >= 0 ? 1u : 0u) + (options->run_ms >= 0 ? 1u : 0u);
  if (!members) {
    cbor_put_undefined(out);
    return;
  }
  cbor_put_map(out, members);
  if (placed) {
    size_t len = 0;
    const char *text = JS_ToCStringLen(ctx, &len, options->affinity);
    cbor_put_cstring(out, "affinity");
    put_clean_text(out, text ? text : "", len, AFFINITY_BYTES_MAX);
    JS_FreeCString(ctx, text); /* no text: call_check_encoded() finds the exception */
  }
  if (options->isolated) {
    cbor_put_cstring(out, "isolated");
    cbor_put_bool(out, true);
  }
  if (options->memory_mib >= 0) {
    cbor_put_cstring(out, "memoryMib");
    cbor_put_double(out, options->memory_mib);
  }
  if (options->run_ms >= 0) {
    cbor_put_cstring(out, "runTimeout");
    cbor_put_double(out, options->run_ms);
  }
}

/* ---- submitting ---- */

static int encode_task(guest *g, cbor_out *out, const uint8_t *hash, const task_options *options,
                       int argc, JSValueConst *argv) {
  const guest_deferred *deferred = g->deferred;
  /* What a pure or an isolated function is given is copied: it shares nothing. */
  value_mode mode = options->pure || options->isolated ? VALUE_ARGUMENT : VALUE_TASK;
  call_put_head(g, out, options->pure ? deferred->kind_pure : deferred->kind_task, &options->call);
  cbor_put_array(out, options->pure ? 2 : 3);
  cbor_put_bytes(out, hash, WIRE_HASH);
  cbor_put_array(out, (uint64_t)argc);
  for (int i = 0; i < argc; i++)
    if (value_encode(g->ctx, out, argv[i], mode, "argument", (unsigned)i + 1) < 0)
      break;
  if (!options->pure && !JS_HasException(g->ctx))
    put_options(out, g->ctx, options);
  return call_check_encoded(g, out);
}

static JSValue new_promise(guest *g) {
  return engine_promise_new_proto(g->ctx, g->deferred->prototype);
}

/* What is wrong with the function is thrown, as it is a mistake in the program; what is
 * wrong with its arguments rejects the promise, as with every host call. */
static JSValue submit(guest *g, JSValueConst function, const task_options *options, int argc,
                      JSValueConst *argv) {
  uint8_t hash[WIRE_HASH];
  uint64_t number;
  JSValue promise = JS_EXCEPTION;
  if (hash_for(g, function, hash) < 0)
    return JS_EXCEPTION;
  cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  if (encode_task(g, out, hash, options, argc, argv) == 0)
    promise = call_submit(g, out, options->call.signal, new_promise(g), &number);
  if (JS_IsException(promise)) {
    value_release(out->data, out->len);
    promise = call_rejected(g, new_promise(g));
  } else {
    engine_promise_set_number(promise, number);
  }
  scratch_release(g, out);
  return promise;
}

static int check_kind(guest *g, bool pure) {
  const guest_deferred *deferred = g->deferred;
  if (pure ? deferred->has_pure : deferred->has_task)
    return 0;
  JS_ThrowTypeError(g->ctx, pure ? "Deferred: options.cache has no cache here"
                                 : "Deferred: no task can be started here");
  return -1;
}

/* new Deferred(fn, ...args). No subclass: its promise would not be one of that class. */
static JSValue construct(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv) {
  guest *g = guest_of(ctx);
  const task_options options = NO_TASK_OPTIONS;
  if (!engine_same_object(new_target, g->deferred->constructor))
    return JS_ThrowTypeError(ctx, "Deferred cannot be extended; write a function that makes one");
  if (check_kind(g, false) < 0)
    return JS_EXCEPTION;
  if (argc < 1)
    return JS_ThrowTypeError(ctx, "Deferred: give it a function to run");
  return submit(g, argv[0], &options, argc - 1, argv + 1);
}

/* The items of an array, owned; NULL with an exception. */
static JSValue *list_arguments(JSContext *ctx, JSValueConst array, uint32_t *count) {
  int64_t length = 0;
  *count = 0;
  if (!JS_IsUndefined(array)) {
    if (!JS_IsArray(array)) {
      JS_ThrowTypeError(ctx, "Deferred.run: the arguments must be an array");
      return NULL;
    }
    if (JS_GetLength(ctx, array, &length) < 0)
      return NULL;
    if (length > ARGUMENTS_MAX) {
      JS_ThrowRangeError(ctx, "Deferred.run: a function takes at most %u arguments", ARGUMENTS_MAX);
      return NULL;
    }
  }
  JSValue *values = js_malloc(ctx, ((size_t)length + 1) * sizeof *values);
  while (values && *count < length) {
    values[*count] = JS_GetPropertyInt64(ctx, array, *count);
    if (JS_IsException(values[*count])) {
      engine_values_free(ctx, values, *count);
      return NULL;
    }
    ++*count;
  }
  return values;
}

static JSValue run_with(guest *g, JSValueConst function, JSValueConst array, JSValueConst given) {
  JSContext *ctx = g->ctx;
  task_options options;
  uint32_t count = 0;
  JSValue *values = NULL, promise = JS_EXCEPTION, reason = JS_UNDEFINED;
  if (task_options_read(ctx, given, &options) == 0 && check_kind(g, options.pure) == 0)
    values = list_arguments(ctx, array, &count);
  if (values && !JS_IsUndefined(options.call.signal))
    reason = call_abort_reason(g, options.call.signal);
  if (values && JS_IsUndefined(reason)) {
    promise = submit(g, function, &options, (int)count, (JSValueConst *)values);
  } else if (values && !JS_IsException(reason)) {
    JS_Throw(ctx, reason);
    promise = call_rejected(g, new_promise(g));
  }
  if (values)
    engine_values_free(ctx, values, count);
  task_options_free(ctx, &options);
  return promise;
}

/* Deferred.run(fn, args = [], options) */
JSValue deferred_run(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  if (argc < 1)
    return JS_ThrowTypeError(ctx, "Deferred.run: give it a function to run");
  return run_with(guest_of(ctx), argv[0], argc > 1 ? argv[1] : JS_UNDEFINED,
                  argc > 2 ? argv[2] : JS_UNDEFINED);
}

/* ---- what its promise can do ---- */

bool deferred_call_of(guest *g, JSValueConst promise, uint64_t *id) {
  if (!engine_promise_number(promise, id))
    return false;
  guest_call *call = call_find(g, *id);
  return call && engine_same_object(call->promise, promise);
}

static JSValue cancel(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  guest *g = guest_of(ctx);
  uint64_t id;
  if (!JS_IsPromise(this_value))
    return JS_ThrowTypeError(ctx, "Deferred.prototype.cancel: this is no Deferred");
  if (!deferred_call_of(g, this_value, &id))
    return JS_UNDEFINED;
  JSValue reason = argc > 0 ? JS_DupValue(ctx, argv[0]) : JS_UNDEFINED;
  if (JS_IsUndefined(reason)) {
    JS_ThrowDOMException(ctx, "AbortError", "This operation was aborted");
    reason = JS_GetException(ctx);
  }
  call_give_up(g, id, reason);
  JS_FreeValue(ctx, reason);
  return JS_UNDEFINED;
}

/* ---- the global ---- */

static const JSCFunctionListEntry statics[] = {
    JS_CFUNC_DEF("run", 3, deferred_run),
    JS_CFUNC_DEF("map", 3, deferred_map),
    JS_CFUNC_DEF("progress", 1, task_progress),
};

/* `constructor` stays Promise's, so that `await` and `then` take the engine's own way
 * and make plain promises. */
static const JSCFunctionListEntry members[] = {
    JS_CFUNC_DEF("cancel", 1, cancel),
    JS_CGETSET_DEF("progress", deferred_progress_of, NULL),
    JS_PROP_STRING_DEF("[Symbol.toStringTag]", "Deferred", JS_PROP_CONFIGURABLE),
};

static int make_global(guest *g, guest_deferred *deferred) {
  JSContext *ctx = g->ctx;
  JSValue promise_prototype = JS_GetPropertyStr(ctx, g->promise_ctor, "prototype");
  deferred->prototype = JS_NewObjectProto(ctx, promise_prototype);
  JS_FreeValue(ctx, promise_prototype);
  deferred->constructor = JS_NewCFunction2(ctx, construct, "Deferred", 1, JS_CFUNC_constructor, 0);
  JSValue global = JS_GetGlobalObject(ctx);
  int failed =
      JS_IsException(deferred->prototype) || JS_IsException(deferred->constructor) ||
      JS_SetPropertyFunctionList(ctx, deferred->constructor, statics,
                                 sizeof statics / sizeof *statics) < 0 ||
      JS_SetPropertyFunctionList(ctx, deferred->prototype, members,
                                 sizeof members / sizeof *members) < 0 ||
      JS_DefinePropertyValueStr(ctx, deferred->constructor, "prototype",
                                JS_DupValue(ctx, deferred->prototype), 0) < 0 ||
      JS_DefinePropertyValueStr(ctx, global, "Deferred", JS_DupValue(ctx, deferred->constructor),
                                JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0;
  JS_FreeValue(ctx, global);
  return failed ? -1 : 0;
}

int deferred_install(guest *g) {
  if (g->deferred)
    return 0;
  guest_deferred *deferred = js_mallocz(g->ctx, sizeof *deferred);
  if (!deferred)
    return -1;
  deferred->constructor = deferred->prototype = JS_UNDEFINED;
  for (size_t i = 0; i < FROM_BUNDLE; i++)
    deferred->from_bundle[i] = JS_UNDEFINED;
  g->deferred = deferred;
  return make_global(g, deferred);
}

static bool is_name(const char *name, size_t len, const char *other) {
  return len == strlen(other) && memcmp(name, other, len) == 0;
}

int deferred_define(guest *g, const char *name, size_t name_len, uint32_t kind) {
  bool task = is_name(name, name_len, "Deferred"), pure = is_name(name, name_len, "Deferred.pure");
  if (!task && !pure && !is_name(name, name_len, "Deferred.ready"))
    return 0;
  if (deferred_install(g) < 0)
    return -1;
  if (task) {
    g->deferred->has_task = true;
    g->deferred->kind_task = kind;
  } else if (pure) {
    g->deferred->has_pure = true;
    g->deferred->kind_pure = kind;
  }
  return task || pure;
}

/* What a program has and its tasks have not. */
static bool is_of_programs(JSContext *ctx, JSAtom name) {
  const char *text = JS_AtomToCString(ctx, name);
  bool is = text && (strcmp(text, "process") == 0 || strcmp(text, "require") == 0);
  JS_FreeCString(ctx, text);
  return is;
}

int deferred_seal(guest *g) {
  guest_deferred *deferred = g->deferred;
  if (!deferred)
    return 0;
  engine_globals_free(g->ctx, deferred->globals, deferred->globals_count);
  deferred->globals = NULL;
  deferred->globals_count = 0;
  if (engine_globals_list(g->ctx, &deferred->globals, &deferred->globals_count) < 0)
    return -1;
  for (uint32_t i = 0; i < deferred->globals_count; i++) {
    engine_global *global = &deferred->globals[i];
    if (!is_of_programs(g->ctx, global->atom))
      continue;
    JS_FreeAtom(g->ctx, global->atom);
    JS_FreeValue(g->ctx, global->value);
    *global = deferred->globals[--deferred->globals_count];
    i--;
  }
  return 0;
}

void deferred_free(guest *g) {
  guest_deferred *deferred = g->deferred;
  if (!deferred)
    return;
  forget_codes(g);
  js_free(g->ctx, deferred->codes);
  engine_globals_free(g->ctx, deferred->globals, deferred->globals_count);
  JS_FreeValue(g->ctx, deferred->constructor);
  JS_FreeValue(g->ctx, deferred->prototype);
  for (size_t i = 0; i < FROM_BUNDLE; i++)
    JS_FreeValue(g->ctx, deferred->from_bundle[i]);
  js_free(g->ctx, deferred);
  g->deferred = NULL;
}
