/* Why a function cannot be sent, and what a task may be told. */
#include "guest/deferred_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAMES_TEXT 600
#define SHOWN_MAX 8u

/* ---- by sort ---- */

static const char *reason_of(engine_function_sort sort) {
  switch (sort) {
  case ENGINE_IS_PROXY:
    return "is a Proxy; pass the function behind it";
  case ENGINE_IS_BOUND:
    return "is a bound function; pass the function itself and its arguments to Deferred";
  case ENGINE_IS_NATIVE:
    return "is a native function; call it in a function of your own";
  case ENGINE_IS_CLASS:
    return "is a class; pass a function that declares it and uses it";
  case ENGINE_IS_GENERATOR:
    return "is a generator; pass a function that returns all of its values";
  case ENGINE_USES_EVAL:
    return "calls eval directly, which may name anything of its surroundings; write that code out";
  case ENGINE_USES_SUPER:
    return "uses 'super' of its surroundings; pass what it needs as an argument";
  case ENGINE_USES_THIS:
    return "uses 'this' of its surroundings; pass what it needs as an argument";
  case ENGINE_USES_META:
    return "uses 'import.meta' of its surroundings; pass what it needs as an argument";
  default:
    return "cannot be sent";
  }
}

static const char *type_of(JSValueConst value) {
  if (JS_IsNull(value))
    return "null";
  if (JS_IsUndefined(value))
    return "undefined";
  if (JS_IsString(value))
    return "a string";
  if (JS_IsNumber(value))
    return "a number";
  return JS_IsObject(value) ? "an object" : "a value of another type";
}

int refusal_for_sort(guest *g, JSValueConst function) {
  JSContext *ctx = g->ctx;
  engine_function_sort sort = engine_function_sort_of(ctx, function);
  if (sort == ENGINE_CAN_BE_SENT)
    return 0;
  if (sort == ENGINE_NO_FUNCTION) {
    JS_ThrowTypeError(ctx, "Deferred: the first argument must be a function, not %s",
                      type_of(function));
    return -1;
  }
  if (sort == ENGINE_USES_PRIVATE) {
    const char *text = JS_AtomToCString(ctx, engine_function_private_name(ctx, function));
    JS_ThrowTypeError(ctx,
                      "Deferred: function uses the private name '%s' of its class; pass its "
                      "value as an argument",
                      text ? text : "#");
    JS_FreeCString(ctx, text);
    return -1;
  }
  const char *name = engine_function_name(ctx, function);
  if (name && *name)
    JS_ThrowTypeError(ctx, "Deferred: function '%s' %s", name, reason_of(sort));
  else
    JS_ThrowTypeError(ctx, "Deferred: function %s", reason_of(sort));
  JS_FreeCString(ctx, name);
  return -1;
}

/* ---- by names ---- */

typedef struct name_text {
  JSContext *ctx;
  char text[NAMES_TEXT];
  size_t used;
  uint32_t count;
  JSAtom shown[SHOWN_MAX];
} name_text;

/* Those beyond the first are counted. */
static void collect(name_text *names, JSAtom name) {
  uint32_t shown = names->count < SHOWN_MAX ? names->count : SHOWN_MAX;
  for (uint32_t i = 0; i < shown; i++)
    if (names->shown[i] == name)
      return;
  if (names->count < SHOWN_MAX)
    names->shown[names->count] = name;
  names->count++;
}

static void append(name_text *names, const char *between, const char *text) {
  int n = snprintf(names->text + names->used, NAMES_TEXT - names->used, "%s%s", between, text);
  names->used += n < 0 ? 0 : (size_t)n;
  if (names->used >= NAMES_TEXT)
    names->used = NAMES_TEXT - 1;
}

/* 'a', 'b' and 'c' */
static const char *join(name_text *names) {
  uint32_t shown = names->count < SHOWN_MAX ? names->count : SHOWN_MAX;
  for (uint32_t i = 0; i < shown; i++) {
    char quoted[80];
    const char *name = JS_AtomToCString(names->ctx, names->shown[i]);
    snprintf(quoted, sizeof quoted, "'%.70s'", name ? name : "?");
    JS_FreeCString(names->ctx, name);
    append(names, i == 0 ? "" : i + 1 == names->count ? " and " : ", ", quoted);
  }
  if (names->count > shown) {
    char rest[40];
    snprintf(rest, sizeof rest, "%u more", names->count - shown);
    append(names, " and ", rest);
  }
  return names->text;
}

static bool is_require(const name_text *names) {
  if (!names->count)
    return false;
  const char *name = JS_AtomToCString(names->ctx, names->shown[0]);
  bool is = name && strcmp(name, "require") == 0;
  JS_FreeCString(names->ctx, name);
  return is;
}

int refusal_for_names(guest *g, JSValueConst function, const deferred_code *code) {
  name_text here = {.ctx = g->ctx}, nowhere = {.ctx = g->ctx};
  uint32_t captured = engine_function_captures(function);
  for (uint32_t i = 0; i < captured; i++) {
    bool self;
    JSAtom name = engine_function_captured(function, i, &self);
    if (!self)
      collect(&here, name);
  }
  for (uint32_t i = 0; i < code->names_count; i++) {
    if (code->uses[i] == NAME_HERE_ONLY)
      collect(&here, code->names[i].atom);
    else if (code->uses[i] == NAME_NOWHERE)
      collect(&nowhere, code->names[i].atom);
  }
  if (is_require(&here) || is_require(&nowhere))
    JS_ThrowTypeError(g->ctx, "Deferred: function uses 'require', which is not available; use "
                              "await import('./file.js') in it");
  else if (here.count)
    JS_ThrowTypeError(g->ctx, "Deferred: function uses %s from its surroundings; pass %s",
                      join(&here), here.count == 1 ? "it as an argument" : "them as arguments");
  else if (nowhere.count)
    JS_ThrowTypeError(g->ctx, "Deferred: function uses %s, which %s not defined; pass %s",
                      join(&nowhere), nowhere.count == 1 ? "is" : "are",
                      nowhere.count == 1 ? "it as an argument" : "them as arguments");
  return here.count || nowhere.count ? -1 : 0;
}

/* ---- options ---- */

static int read_text(JSContext *ctx, JSValueConst options, const char *key, JSValue *text) {
  JSValue value = JS_GetPropertyStr(ctx, options, key);
  if (JS_IsException(value))
    return -1;
  if (!JS_IsUndefined(value) && !JS_IsString(value)) {
    JS_FreeValue(ctx, value);
    JS_ThrowTypeError(ctx, "options.%s must be a string", key);
    return -1;
  }
  *text = value;
  return 0;
}

static int read_amount(JSContext *ctx, JSValueConst options, const char *key, const char *unit,
                       double *amount) {
  JSValue value = JS_GetPropertyStr(ctx, options, key);
  double read = -1;
  if (JS_IsException(value))
    return -1;
  if (JS_IsUndefined(value))
    return 0;
  if (JS_IsNumber(value))
    JS_ToFloat64(ctx, &read, value);
  JS_FreeValue(ctx, value);
  if (!(read > 0)) {
    JS_ThrowTypeError(ctx, "options.%s must be a number of %s, more than 0", key, unit);
    return -1;
  }
  *amount = isinf(read) ? -1 : read;
  return 0;
}

static int read_flag(JSContext *ctx, JSValueConst options, const char *key, bool *flag) {
  JSValue value = JS_GetPropertyStr(ctx, options, key);
  if (JS_IsException(value))
    return -1;
  bool fine = JS_IsUndefined(value) || JS_IsBool(value);
  *flag = fine && JS_ToBool(ctx, value) == 1;
  JS_FreeValue(ctx, value);
  if (!fine)
    JS_ThrowTypeError(ctx, "options.%s must be true or false", key);
  return fine ? 0 : -1;
}

int task_options_read(JSContext *ctx, JSValueConst options, task_options *read) {
  *read = (task_options)NO_TASK_OPTIONS;
  if (call_read_options(ctx, options, &read->call) < 0)
    return -1;
  if (JS_IsUndefined(options))
    return 0;
  if (read_text(ctx, options, "affinity", &read->affinity) < 0 ||
      read_amount(ctx, options, "memoryMib", "mebibytes", &read->memory_mib) < 0 ||
      read_amount(ctx, options, "runTimeout", "milliseconds", &read->run_ms) < 0 ||
      read_flag(ctx, options, "isolated", &read->isolated) < 0 ||
      read_flag(ctx, options, "cache", &read->pure) < 0)
    return -1;
  bool placed = read->isolated || read->memory_mib >= 0 || read->run_ms >= 0 ||
                !JS_IsUndefined(read->affinity);
  if (read->pure && placed) {
    JS_ThrowTypeError(ctx, "options.cache goes with timeout, signal and priority only");
    return -1;
  }
  return 0;
}

void task_options_free(JSContext *ctx, task_options *options) {
  JS_FreeValue(ctx, options->call.signal);
  JS_FreeValue(ctx, options->affinity);
}
