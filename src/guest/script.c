/* From source to settlement: compile, evaluate, call main, encode the value. */
#include <stdlib.h>
#include <string.h>

#include "guest/deferred.h"
#include "guest/guest.h"
#include "guest/program.h"

#define STUCK_BYTES_MAX 1024u

static void settle_with(guest *g, JSValue value);

/* ---- settlement ---- */

/* The messages of a run, or of what is invoked in it. */
static uint32_t message_of(guest *g, uint32_t type) {
  g->shared.settled = 1;
  if (!g->invoked)
    return type;
  g->invoked = false;
  return type == WIRE_VALUE ? WIRE_RETURNED : WIRE_THROWN;
}

static void settle(guest *g, uint32_t type, const cbor_out *out) {
  outbox_put(g, message_of(g, type), 0, out->data, out->len);
}

/* A limit that the value itself hit. */
static void fail_with(guest *g, const char *kind, const char *message) {
  uint8_t bytes[160];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_map(&out, message ? 2 : 1);
  cbor_put_cstring(&out, WIRE_ERROR_KIND);
  cbor_put_cstring(&out, kind);
  if (message) {
    cbor_put_cstring(&out, WIRE_ERROR_MESSAGE);
    cbor_put_cstring(&out, message);
  }
  settle(g, WIRE_ERROR, &out);
}

static void fail_thrown(guest *g, JSValueConst thrown) {
  if (g->shared.settled || g->dead)
    return;
  describe_send(g, message_of(g, WIRE_ERROR), thrown);
  g->dead = g->program;
}

void script_fail(guest *g) {
  JSValue thrown = JS_GetException(g->ctx);
  fail_thrown(g, thrown);
  JS_FreeValue(g->ctx, thrown);
}

/* Encoding takes stack for each level on top of what getters use. */
#define ENCODING_STACK (256u * 1024)

static int encode_result(guest *g, cbor_out *out, JSValueConst value) {
  JS_SetMaxStackSize(g->rt, g->stack_size + ENCODING_STACK);
  int failed = value_encode(g->ctx, out, value, VALUE_RESULT, "result", 0);
  JS_SetMaxStackSize(g->rt, g->stack_size);
  return failed;
}

static void settle_value(guest *g, JSValueConst value) {
  cbor_out own, *out = scratch_take(g, &own, g->result_max);
  int failed = encode_result(g, out, value);
  cbor_status status = out->status;
  if (g->shared.settled)
    status = CBOR_OK; /* a getter ended the run meanwhile */
  else if (status == CBOR_E_SIZE)
    fail_with(g, "result", NULL); /* it is too large: the host knows for what */
  else if (status == CBOR_E_DEPTH)
    fail_with(g, "result", "the result is nested deeper than 256 levels");
  else if (status != CBOR_OK)
    fail_with(g, "memory", "no memory for the result");
  else if (failed)
    script_fail(g);
  else
    settle(g, WIRE_VALUE, out);
  if (status != CBOR_OK && failed)
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  scratch_release(g, out);
}

/* ---- after evaluation ---- */

static JSValue call_main(guest *g, JSValueConst function) {
  JSValue global = JS_GetGlobalObject(g->ctx);
  JSAtom name = JS_NewAtom(g->ctx, "context");
  JSValue context = engine_own_data(g->ctx, global, name);
  JS_FreeAtom(g->ctx, name);
  JS_FreeValue(g->ctx, global);
  JSValueConst arguments[1] = {context};
  JSValue result = JS_Call(g->ctx, function, JS_UNDEFINED, 1, arguments);
  JS_FreeValue(g->ctx, context);
  return result;
}

/* The value of a module: its export `main`, else its default export; called if
 * it is a function. */
static JSValue module_value(guest *g, bool *call) {
  JSValue value = JS_GetPropertyStr(g->ctx, g->module_namespace, "main");
  if (!JS_IsException(value) && !JS_IsFunction(g->ctx, value)) {
    JS_FreeValue(g->ctx, value);
    value = JS_GetPropertyStr(g->ctx, g->module_namespace, "default");
  }
  *call = JS_IsFunction(g->ctx, value);
  return value;
}

/* The value of a script: `main`, called, if it defines that function, else what
 * its last statement gave. */
static JSValue script_value(guest *g, JSValueConst evaluated, bool *call) {
  JSAtom name = JS_NewAtom(g->ctx, "main");
  JSValue value = engine_global_binding(g->ctx, name);
  JS_FreeAtom(g->ctx, name);
  *call = JS_IsFunction(g->ctx, value);
  if (*call)
    return value;
  JS_FreeValue(g->ctx, value);
  /* The engine made this object; a guest's setters on prototypes may have kept
   * it from getting the property, so no inherited one is looked at. */
  name = JS_NewAtom(g->ctx, "value");
  value = engine_own_data(g->ctx, evaluated, name);
  JS_FreeAtom(g->ctx, name);
  return value;
}

static void settle_evaluated(guest *g, JSValueConst evaluated) {
  bool call = false;
  JSValue value = JS_IsUndefined(g->module_namespace) ? script_value(g, evaluated, &call)
                                                      : module_value(g, &call);
  if (call) {
    JSValue function = value;
    value = call_main(g, function);
    JS_FreeValue(g->ctx, function);
  }
  if (JS_IsException(value))
    script_fail(g);
  else
    settle_with(g, value);
}

static void on_evaluated(guest *g, JSValueConst evaluated) {
  if (g->program) {
    settle_value(g, JS_UNDEFINED); /* nobody asks for its value */
  } else if (g->library) {
    JS_FreeValue(g->ctx, g->evaluated);
    g->evaluated = JS_DupValue(g->ctx, evaluated);
    g->shared.settled = 1;
    outbox_put(g, WIRE_LOADED, 0, NULL, 0);
  } else {
    settle_evaluated(g, evaluated);
  }
}

static JSValue on_settled(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                          int magic) {
  (void)this_value;
  guest *g = guest_of(ctx);
  JSValueConst value = argc > 0 ? argv[0] : JS_UNDEFINED;
  if (magic == ON_FAILED)
    fail_thrown(g, value);
  else if (magic == ON_VALUE)
    settle_value(g, value);
  else
    on_evaluated(g, value);
  return JS_UNDEFINED;
}

bool script_init(guest *g) {
  for (int then = 0; then < ON_COUNT; then++) {
    g->on_settled[then] =
        JS_NewCFunctionMagic(g->ctx, on_settled, "", 1, JS_CFUNC_generic_magic, then);
    if (JS_IsException(g->on_settled[then]))
      return false;
  }
  return true;
}

static void watch(guest *g, JSValueConst promise, int then) {
  JS_FreeValue(g->ctx, g->awaited);
  g->awaited = JS_DupValue(g->ctx, promise);
  if (engine_promise_watch(g->ctx, promise, g->on_settled[then], g->on_settled[ON_FAILED]) < 0)
    script_fail(g);
}

void script_tell_stuck(guest *g) {
  engine_site site;
  char text[STUCK_BYTES_MAX];
  uint8_t bytes[STUCK_BYTES_MAX * 3 + 16]; /* bad bytes grow */
  cbor_out out;
  engine_stuck_site(g->ctx, g->awaited, &site);
  size_t len = engine_site_text(g->ctx, &site, text, sizeof text);
  engine_site_free(g->ctx, &site);
  cbor_out_fixed(&out, bytes, sizeof bytes);
  put_clean_text(&out, text, len, sizeof bytes - 16);
  if (len > 0 && out.status == CBOR_OK)
    outbox_put(g, WIRE_STUCK_AT, 0, out.data, out.len);
}

/* Awaits `value` (taken) as `await` would, with the captured Promise. */
static void settle_with(guest *g, JSValue value) {
  if (!JS_IsObject(value)) {
    settle_value(g, value);
  } else if (JS_IsPromise(value)) {
    watch(g, value, ON_VALUE);
  } else {
    JSValueConst arguments[1] = {value};
    JSValue promise = JS_Call(g->ctx, g->promise_resolve, g->promise_ctor, 1, arguments);
    if (JS_IsException(promise))
      script_fail(g);
    else
      watch(g, promise, ON_VALUE);
    JS_FreeValue(g->ctx, promise);
  }
  JS_FreeValue(g->ctx, value);
}

/* ---- compiling ---- */

/* Where a SyntaxError happened, as line * 2^20 + column; 0 if unknown. */
static uint64_t error_position(guest *g, JSValueConst error) {
  JSValue stack = JS_GetPropertyStr(g->ctx, error, "stack");
  const char *text = JS_IsString(stack) ? JS_ToCString(g->ctx, stack) : NULL;
  uint64_t position = 0;
  const char *end = text ? strchr(text, '\n') : NULL;
  if (end) {
    const char *colon = end;
    for (int seen = 0; colon > text && seen < 2; seen += *colon == ':')
      colon--;
    char *rest;
    unsigned long line = strtoul(colon + 1, &rest, 10);
    unsigned long column = *rest == ':' ? strtoul(rest + 1, NULL, 10) : 0;
    position = (uint64_t)line << 20 | (column & 0xfffff);
  }
  JS_FreeCString(g->ctx, text);
  JS_FreeValue(g->ctx, stack);
  return position;
}

static JSValue compile_as(guest *g, const char *source, size_t len, const char *name, int flags) {
  return JS_Eval(g->ctx, source, len, name, flags | JS_EVAL_FLAG_COMPILE_ONLY);
}

/* A file with a top-level import or export fails as a script and compiles as a
 * module. If both fail, the error that lies further on is the true one, or that of a
 * file it imports. */
static JSValue compile(guest *g, const char *source, size_t len, const char *name, bool module) {
  if (module)
    return compile_as(g, source, len, name, JS_EVAL_TYPE_MODULE);
  JSValue code = compile_as(g, source, len, name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_ASYNC);
  if (!JS_IsException(code))
    return code;
  JSValue as_script = JS_GetException(g->ctx);
  g->import_failed = false;
  code = compile_as(g, source, len, name, JS_EVAL_TYPE_MODULE);
  if (!JS_IsException(code)) {
    JS_FreeValue(g->ctx, as_script);
    return code;
  }
  JSValue as_module = JS_GetException(g->ctx);
  bool later = g->import_failed || error_position(g, as_module) > error_position(g, as_script);
  JS_FreeValue(g->ctx, later ? as_script : as_module);
  return JS_Throw(g->ctx, later ? as_module : as_script);
}

/* A script that has run to its end, defines no `main` and ends with a promise: that
 * is what to wait for, and nothing has to be looked at once more after the jobs. */
static bool watch_last_value(guest *g, JSValueConst promise) {
  bool call = false, watched = false;
  if (g->program || g->library || !JS_IsUndefined(g->module_namespace) ||
      JS_PromiseState(g->ctx, promise) != JS_PROMISE_FULFILLED)
    return false;
  JSValue evaluated = JS_PromiseResult(g->ctx, promise);
  JSValue value = script_value(g, evaluated, &call);
  if (!call && JS_IsPromise(value)) {
    watch(g, value, ON_VALUE);
    watched = true;
  }
  JS_FreeValue(g->ctx, value);
  JS_FreeValue(g->ctx, evaluated);
  return watched;
}

/* A program ends where it throws, before the microtasks it has queued. */
static bool has_thrown(guest *g, JSValueConst promise) {
  if (!g->program || JS_PromiseState(g->ctx, promise) != JS_PROMISE_REJECTED)
    return false;
  JSValue thrown = JS_PromiseResult(g->ctx, promise);
  fail_thrown(g, thrown);
  JS_FreeValue(g->ctx, thrown);
  return true;
}

/* Takes `code`. */
static void evaluate(guest *g, JSValue code) {
  JSModuleDef *definition = NULL;
  if (JS_VALUE_GET_TAG(code) == JS_TAG_MODULE)
    definition = JS_VALUE_GET_PTR(code);
  if (definition && !modules_set_meta(g, definition)) {
    script_fail(g);
    JS_FreeValue(g->ctx, code);
    return;
  }
  JSValue held = JS_DupValue(g->ctx, code);
  JSValue promise = JS_EvalFunction(g->ctx, code);
  if (definition && JS_IsException(promise))
    modules_tell_linking(g, definition);
  else if (definition)
    g->module_namespace = JS_GetModuleNamespace(g->ctx, definition);
  if (JS_IsException(promise))
    script_fail(g);
  else if (!has_thrown(g, promise) && !watch_last_value(g, promise))
    watch(g, promise, ON_EVALUATED);
  JS_FreeValue(g->ctx, promise);
  JS_FreeValue(g->ctx, held);
}

/* ---- WIRE_START ---- */

static bool set_seeds(guest *g, cbor_in *fields) {
  const uint8_t *seeds;
  size_t len;
  uint64_t state;
  uint32_t hash;
  if (cbor_get_bytes(fields, &seeds, &len) != CBOR_OK || len != sizeof state + sizeof hash)
    return false;
  memcpy(&state, seeds, sizeof state);
  memcpy(&hash, seeds + sizeof state, sizeof hash);
  engine_reseed(g->ctx, state, hash);
  return true;
}

static bool is_empty_object(const char *json, size_t len) {
  return len == 2 && json[0] == '{' && json[1] == '}';
}

static JSValue parse_context(guest *g, const char *json, size_t len) {
  char *text = js_malloc(g->ctx, len + 1);
  if (!text)
    return JS_EXCEPTION;
  memcpy(text, json, len);
  text[len] = 0;
  JSValue context = JS_ParseJSON(g->ctx, text, len, "context");
  js_free(g->ctx, text);
  return context;
}

static bool deep_freeze(guest *g, JSValueConst value) {
  JSValueConst arguments[1] = {value};
  JSValue frozen = JS_Call(g->ctx, g->internals.deep_freeze, JS_UNDEFINED, 1, arguments);
  bool ok = !JS_IsException(frozen);
  JS_FreeValue(g->ctx, frozen);
  return ok;
}

/* Takes `context`. */
static bool define_context(guest *g, JSValue context) {
  JSValue global = JS_GetGlobalObject(g->ctx);
  bool ok = JS_DefinePropertyValueStr(g->ctx, global, "context", context, JS_PROP_ENUMERABLE) >= 0;
  JS_FreeValue(g->ctx, global);
  return ok;
}

/* The usual empty object is made by hand. */
static bool set_context_json(guest *g, const char *json, size_t len) {
  bool empty = is_empty_object(json, len);
  JSValue context = empty ? JS_NewObject(g->ctx) : parse_context(g, json, len);
  if (JS_IsException(context))
    return false;
  bool ok = empty ? JS_FreezeObject(g->ctx, context) >= 0 : deep_freeze(g, context);
  ok = ok && define_context(g, JS_DupValue(g->ctx, context));
  JS_FreeValue(g->ctx, context);
  return ok;
}

static bool define_kinds(guest *g, cbor_in *fields) {
  uint64_t kinds, four, arguments, kind;
  bool options_last;
  const char *name;
  size_t len;
  if (cbor_get_array(fields, &kinds) != CBOR_OK)
    return false;
  for (uint64_t i = 0; i < kinds; i++)
    if (cbor_get_array(fields, &four) != CBOR_OK || four != 4 ||
        cbor_get_text(fields, &name, &len) != CBOR_OK ||
        cbor_get_uint(fields, &arguments) != CBOR_OK ||
        cbor_get_bool(fields, &options_last) != CBOR_OK ||
        cbor_get_uint(fields, &kind) != CBOR_OK ||
        call_define(g, name, len, (uint32_t)arguments, options_last, (uint32_t)kind) < 0)
      return false;
#ifndef __wasm__
  return deferred_seal(g) == 0;
#else
  return true;
#endif
}

typedef struct start_fields {
  uint64_t stack, result;
  bool module;
  const char *name, *source, *context;
  size_t name_len, source_len, context_len;
  bool context_is_cbor;
} start_fields;

static bool get_source(cbor_in *fields, start_fields *start) {
  cbor_item item;
  if (cbor_next(fields, &item) != CBOR_OK || item.indefinite)
    return false;
  start->source = item.kind == CBOR_NULL ? "" : (const char *)item.bytes;
  start->source_len = item.len;
  return item.kind == CBOR_TEXT || item.kind == CBOR_BYTES || item.kind == CBOR_NULL;
}

static bool get_context(cbor_in *fields, start_fields *start) {
  cbor_item item;
  if (cbor_next(fields, &item) != CBOR_OK || item.indefinite)
    return false;
  start->context = (const char *)item.bytes;
  start->context_len = item.len;
  start->context_is_cbor = item.kind == CBOR_BYTES;
  return item.kind == CBOR_TEXT || item.kind == CBOR_BYTES;
}

static bool read_start(guest *g, cbor_in *fields, start_fields *start) {
  uint64_t count;
  return cbor_get_array(fields, &count) == CBOR_OK && count == WIRE_START_FIELDS &&
         set_seeds(g, fields) && cbor_get_uint(fields, &start->stack) == CBOR_OK &&
         cbor_get_bool(fields, &start->module) == CBOR_OK &&
         cbor_get_text(fields, &start->name, &start->name_len) == CBOR_OK &&
         get_source(fields, start) && get_context(fields, start) && define_kinds(g, fields) &&
         cbor_get_uint(fields, &start->result) == CBOR_OK &&
         cbor_get_bool(fields, &g->debug) == CBOR_OK;
}

static bool begin(guest *g, cbor_in *fields, start_fields *start) {
  if (!read_start(g, fields, start)) {
    fail_with(g, "internal", "the start message is malformed");
    return false;
  }
  g->result_max = start->result < WIRE_MESSAGE_MAX ? (size_t)start->result : WIRE_MESSAGE_MAX;
  g->stack_size = (size_t)start->stack;
  JS_SetMaxStackSize(g->rt, g->stack_size);
  return true;
}

/* What was loaded, or else what the message brings. */
static JSValue get_code(guest *g, const start_fields *start) {
  if (!JS_IsUndefined(g->loaded)) {
    JSValue code = g->loaded;
    g->loaded = JS_UNDEFINED;
    return code;
  }
  /* The parser needs a terminating zero, and the inbox is not ours to keep. */
  char *text = js_malloc(g->ctx, start->source_len + start->name_len + 2);
  if (!text)
    return JS_EXCEPTION;
  char *name = text + start->source_len + 1;
  memcpy(text, start->source, start->source_len);
  text[start->source_len] = 0;
  memcpy(name, start->name, start->name_len);
  name[start->name_len] = 0;
  JSValue code = compile(g, text, start->source_len, name, start->module);
  js_free(g->ctx, text);
  return code;
}

void script_load(guest *g, cbor_in *fields) {
  start_fields start;
  if (!begin(g, fields, &start))
    return;
  JSValue code = get_code(g, &start);
  if (JS_IsException(code))
    script_fail(g);
  else
    g->loaded = code;
}

static bool set_context(guest *g, const start_fields *start) {
  if (!start->context_is_cbor)
    return set_context_json(g, start->context, start->context_len);
  cbor_in in;
  cbor_in_init(&in, start->context, start->context_len);
  JSValue context = value_decode(g, &in);
  return !JS_IsException(context) && define_context(g, context);
}

/* A program or a library may declare what a script is given. */
static bool has_context(const guest *g, const start_fields *start) {
  return !g->program && (!g->library || start->context_is_cbor);
}

void script_start(guest *g, cbor_in *fields) {
  start_fields start;
  g->started_ms = platform_now_ms(g);
  if (!begin(g, fields, &start))
    return;
  bool ready = !has_context(g, &start) || set_context(g, &start);
  JSValue code = ready ? get_code(g, &start) : JS_EXCEPTION;
  if (JS_IsException(code))
    script_fail(g);
  else
    evaluate(g, code);
}

/* ---- WIRE_INVOKE ---- */

#define TOLD_MAX 16u       /* functions */
#define TOLD_NAME_MAX 200u /* bytes */
#define TOLD_BYTES_MAX (TOLD_MAX * (TOLD_NAME_MAX + 8u) + 16u)

/* What a module exports, or a script has as a global under that name. */
static JSValue find_named(guest *g, const char *name, size_t len) {
  JSAtom atom = JS_NewAtomLen(g->ctx, name, len);
  if (atom == JS_ATOM_NULL)
    return JS_EXCEPTION;
  JSValue value = JS_IsUndefined(g->module_namespace)
                      ? engine_global_binding(g->ctx, atom)
                      : JS_GetProperty(g->ctx, g->module_namespace, atom);
  JS_FreeAtom(g->ctx, atom);
  return value;
}

static bool is_function_at(guest *g, JSValueConst holder, JSAtom name) {
  bool global = JS_IsUndefined(g->module_namespace);
  JSValue value =
      global ? engine_own_data(g->ctx, holder, name) : JS_GetProperty(g->ctx, holder, name);
  bool is = JS_IsFunction(g->ctx, value);
  if (JS_IsException(value))
    JS_FreeValue(g->ctx, JS_GetException(g->ctx));
  JS_FreeValue(g->ctx, value);
  return is;
}

/* Functions that the source exports or, as a script, declares. */
static void put_functions(guest *g, cbor_out *out) {
  JSContext *ctx = g->ctx;
  bool global = JS_IsUndefined(g->module_namespace);
  JSValue holder = global ? JS_GetGlobalObject(ctx) : JS_DupValue(ctx, g->module_namespace);
  JSPropertyEnum *names = NULL;
  uint32_t count = 0, told = 0;
  if (JS_GetOwnPropertyNames(ctx, &names, &count, holder, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) <
      0)
    JS_FreeValue(ctx, JS_GetException(ctx));
  for (uint32_t i = 0; i < count && told < TOLD_MAX; i++) {
    size_t len = 0;
    const char *text = is_function_at(g, holder, names[i].atom)
                           ? JS_AtomToCStringLen(ctx, &len, names[i].atom)
                           : NULL;
    if (text && len <= TOLD_NAME_MAX / 3) {
      put_clean_text(out, text, len, TOLD_NAME_MAX);
      told++;
    }
    JS_FreeCString(ctx, text);
  }
  JS_FreePropertyEnum(ctx, names, count);
  JS_FreeValue(ctx, holder);
}

static void tell_missing(guest *g, bool exists) {
  uint8_t bytes[TOLD_BYTES_MAX];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_array_open(&out);
  cbor_put_bool(&out, exists);
  put_functions(g, &out);
  cbor_put_break(&out);
  g->shared.settled = 1;
  g->invoked = false;
  outbox_put(g, WIRE_MISSING, 0, out.data, out.len);
}

/* Takes `function`. */
static void call_with(guest *g, JSValue function, cbor_in *fields) {
  JSValue argument = value_decode(g, fields);
  JSValueConst arguments[1] = {argument};
  JSValue result = JS_IsException(argument) ? JS_EXCEPTION
                                            : JS_Call(g->ctx, function, JS_UNDEFINED, 1, arguments);
  JS_FreeValue(g->ctx, argument);
  JS_FreeValue(g->ctx, function);
  if (JS_IsException(result))
    script_fail(g);
  else
    settle_with(g, result);
}

static void invoke_named(guest *g, const char *name, size_t len, bool call, cbor_in *fields) {
  JSValue found = find_named(g, name, len);
  if (JS_IsException(found)) {
    script_fail(g);
  } else if (JS_IsFunction(g->ctx, found) && call) {
    call_with(g, found, fields);
    return;
  } else if (JS_IsFunction(g->ctx, found)) {
    settle_value(g, JS_UNDEFINED);
  } else {
    tell_missing(g, !JS_IsUndefined(found));
  }
  JS_FreeValue(g->ctx, found);
}

void script_invoke(guest *g, cbor_in *fields) {
  uint64_t count;
  const char *name;
  size_t len;
  if (!g->library || g->invoked || cbor_get_array(fields, &count) != CBOR_OK || count > 2)
    return; /* the host breaks its own rule */
  g->invoked = true;
  g->shared.settled = 0;
  if (count == 0)
    settle_evaluated(g, g->evaluated);
  else if (cbor_get_text(fields, &name, &len) == CBOR_OK)
    invoke_named(g, name, len, count == 2, fields);
  else
    fail_with(g, "internal", "the invocation is malformed");
}
