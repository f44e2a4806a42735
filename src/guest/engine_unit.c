/* The one translation unit that sees QuickJS-ng from inside. */
#ifdef __wasm__
/* heap_wasm.c has its own. */
#pragma weak js_malloc_rt
#pragma weak js_calloc_rt
#pragma weak js_free_rt
#pragma weak js_realloc_rt
#pragma weak js_malloc_usable_size_rt
#endif
/* Scripts live in UTC on both engines, whatever the zone of the machine and TZ say. */
#include <time.h>
#define localtime_r gmtime_r
#include "quickjs.c"

#include "guest/engine_unit.h"

/* Each step of a search looks at the whole heap. */
#define STUCK_STEPS_MAX 12u

/* ---- memory ---- */

const size_t engine_held_offset = offsetof(JSRuntime, malloc_state.malloc_size);

_Static_assert(sizeof(engine_block_head) == sizeof(JSMallocBlockHeader) &&
                   offsetof(JSMallocBlockHeader, block_size_idx) ==
                       offsetof(engine_block_head, size_index) &&
                   offsetof(JSMallocBlockHeader, ref_count) ==
                       offsetof(engine_block_head, engine_count) &&
                   offsetof(JSMallocBlockHeader, user_data) == sizeof(engine_block_head),
               "the engine's head of a block is another one");

/* ---- promises ---- */

JSValue engine_promise_new(JSContext *ctx) {
  return engine_promise_new_proto(ctx, ctx->class_proto[JS_CLASS_PROMISE]);
}

JSValue engine_promise_new_proto(JSContext *ctx, JSValueConst prototype) {
  JSValue promise = JS_NewObjectProtoClass(ctx, prototype, JS_CLASS_PROMISE);
  if (JS_IsException(promise))
    return promise;
  JSPromiseData *data = js_mallocz(ctx, sizeof *data);
  if (!data) {
    JS_FreeValue(ctx, promise);
    return JS_EXCEPTION;
  }
  data->promise_state = JS_PROMISE_PENDING;
  init_list_head(&data->promise_reactions[0]);
  init_list_head(&data->promise_reactions[1]);
  data->promise_result = JS_UNDEFINED;
  JS_SetOpaqueInternal(promise, data);
  return promise;
}

void engine_promise_settle(JSContext *ctx, JSValueConst promise, JSValueConst value,
                           bool is_reject) {
  fulfill_or_reject_promise(ctx, promise, value, is_reject);
}

int engine_promise_watch(JSContext *ctx, JSValueConst promise, JSValueConst on_fulfilled,
                         JSValueConst on_rejected) {
  JSValueConst handlers[2] = {on_fulfilled, on_rejected};
  JSValueConst nobody[2] = {JS_UNDEFINED, JS_UNDEFINED};
  return perform_promise_then(ctx, promise, handlers, nobody);
}

void engine_reseed(JSContext *ctx, uint64_t random_state, uint32_t hash_seed) {
  ctx->random_state = random_state ? random_state : 1;
  ctx->hash_seed = hash_seed;
}

int engine_reserve_globals(JSContext *ctx, uint32_t count) {
  JSObject *global = JS_VALUE_GET_OBJ(ctx->global_obj);
  if (js_shape_prepare_update(ctx, global, NULL) < 0)
    return -1;
  uint32_t wanted = (uint32_t)global->shape->prop_count + count;
  if (wanted <= (uint32_t)global->shape->prop_size)
    return 0;
  return resize_properties(ctx, &global->shape, global, wanted);
}

#ifdef __wasm__
static int make_lazy_properties(JSContext *ctx, JSObject *object) {
  for (int i = 0; i < object->shape->prop_count; i++) {
    JSShapeProperty *property = &get_shape_prop(object->shape)[i];
    if ((property->flags & JS_PROP_TMASK) == JS_PROP_AUTOINIT &&
        JS_AutoInitProperty(ctx, object, property->atom, &object->prop[i], property) < 0)
      return -1;
  }
  return 0;
}

/* What it makes is added to the end of the list, so it is visited too. */
static int make_all_lazy_properties(JSContext *ctx) {
  struct list_head *at;
  list_for_each(at, &ctx->rt->gc_obj_list) {
    JSGCObjectHeader *header = list_entry(at, JSGCObjectHeader, link);
    if (JS_GC_TYPE(header) == JS_GC_OBJ_TYPE_JS_OBJECT &&
        make_lazy_properties(ctx, (JSObject *)header) < 0)
      return -1;
  }
  return 0;
}

/* Keeps the shape of an object with the first `count` properties of a function. */
static int keep_shape(JSContext *ctx, JSValueConst prototype, int count) {
  static const JSAtom names[] = {JS_ATOM_length, JS_ATOM_name};
  JSValue kept = JS_NewObjectProto(ctx, prototype);
  if (JS_IsException(kept))
    return -1;
  for (int i = 0; i < count; i++)
    if (JS_DefinePropertyValue(ctx, kept, names[i], js_int32(0), JS_PROP_CONFIGURABLE) < 0)
      return -1;
  return 0;
}

static int keep_shapes_of_class(JSContext *ctx, int class_id) {
  JSValueConst prototype = ctx->class_proto[class_id];
  int steps = js_class_has_bytecode(class_id) ? 2 : 0;
  if (!JS_IsObject(prototype))
    return 0;
  for (int count = 0; count <= steps; count++)
    if (keep_shape(ctx, prototype, count) < 0)
      return -1;
  return 0;
}

int engine_make_ahead(JSContext *ctx) {
  if (make_all_lazy_properties(ctx) < 0)
    return -1;
  for (int class_id = 1; class_id < JS_CLASS_INIT_COUNT; class_id++)
    if (keep_shapes_of_class(ctx, class_id) < 0)
      return -1;
  return 0;
}
#endif

static JSValue own_value(JSContext *ctx, JSObject *object, JSAtom name) {
  JSProperty *property;
  JSShapeProperty *shape = find_own_property(&property, object, name);
  if (!shape)
    return JS_UNDEFINED;
  JSValue value = JS_UNDEFINED;
  if ((shape->flags & JS_PROP_TMASK) == JS_PROP_NORMAL)
    value = property->u.value;
  else if ((shape->flags & JS_PROP_TMASK) == JS_PROP_VARREF)
    value = *property->u.var_ref->pvalue;
  return JS_IsUninitialized(value) ? JS_UNDEFINED : js_dup(value);
}

JSValue engine_global_binding(JSContext *ctx, JSAtom name) {
  JSValue value = own_value(ctx, JS_VALUE_GET_OBJ(ctx->global_var_obj), name);
  if (!JS_IsUndefined(value))
    return value;
  return own_value(ctx, JS_VALUE_GET_OBJ(ctx->global_obj), name);
}

JSValue engine_own_data(JSContext *ctx, JSValueConst object, JSAtom name) {
  if (JS_VALUE_GET_TAG(object) != JS_TAG_OBJECT)
    return JS_UNDEFINED;
  return own_value(ctx, JS_VALUE_GET_OBJ(object), name);
}

void engine_site_capture(JSContext *ctx, engine_site *site) {
  site->count = 0;
  JSStackFrame *frame = ctx->rt->current_stack_frame;
  for (; frame && site->count < ENGINE_SITE_FRAMES; frame = frame->prev_frame) {
    if (JS_VALUE_GET_TAG(frame->cur_func) != JS_TAG_OBJECT)
      continue;
    JSObject *function = JS_VALUE_GET_OBJ(frame->cur_func);
    if (!js_class_has_bytecode(function->class_id) || !frame->cur_pc)
      continue;
    JSFunctionBytecode *code = function->u.func.function_bytecode;
    site->frames[site->count].function = js_dup(frame->cur_func);
    site->frames[site->count].pc = (uint32_t)(frame->cur_pc - code->byte_code_buf - 1);
    site->count++;
  }
}

void engine_site_free(JSContext *ctx, engine_site *site) {
  for (uint32_t i = 0; i < site->count; i++)
    JS_FreeValue(ctx, site->frames[i].function);
  site->count = 0;
}

size_t engine_site_text(JSContext *ctx, const engine_site *site, char *text, size_t size) {
  size_t used = 0;
  for (uint32_t i = 0; i < site->count && used < size; i++) {
    JSFunctionBytecode *code = JS_VALUE_GET_OBJ(site->frames[i].function)->u.func.function_bytecode;
    const char *name = get_func_name(ctx, site->frames[i].function);
    const char *file = code->filename ? JS_AtomToCString(ctx, code->filename) : NULL;
    bool own = file && strcmp(file, ENGINE_BUNDLE_NAME) == 0; /* nobody's line */
    int column, n = 0;
    int line = find_line_num(ctx, code, site->frames[i].pc, &column);
    if (!own)
      n = snprintf(text + used, size - used, "    at %s (%s:%d:%d)\n",
                   name && *name ? name : "<anonymous>", file ? file : "?", line, column);
    JS_FreeCString(ctx, name);
    JS_FreeCString(ctx, file);
    if (n < 0 || (size_t)n >= size - used)
      break;
    used += (size_t)n;
  }
  return used;
}

/* ---- what a promise waits for ---- */

static bool resolves(JSValueConst function, const JSObject *promise) {
  JSPromiseFunctionData *data = JS_GetOpaque(function, JS_CLASS_PROMISE_RESOLVE_FUNCTION);
  return data && JS_VALUE_GET_TAG(data->promise) == JS_TAG_OBJECT &&
         JS_VALUE_GET_OBJ(data->promise) == promise;
}

static bool resumes(JSValueConst function, const JSAsyncFunctionData *waiting) {
  return JS_VALUE_GET_TAG(function) == JS_TAG_OBJECT &&
         JS_VALUE_GET_OBJ(function)->class_id == JS_CLASS_ASYNC_FUNCTION_RESOLVE &&
         JS_VALUE_GET_OBJ(function)->u.async_function_data == waiting;
}

/* The suspended async function whose promise this is; NULL: there is none. */
static JSAsyncFunctionData *function_behind(JSRuntime *rt, const JSObject *promise) {
  struct list_head *link;
  list_for_each(link, &rt->gc_obj_list) {
    JSGCObjectHeader *header = list_entry(link, JSGCObjectHeader, link);
    JSAsyncFunctionData *data = (JSAsyncFunctionData *)header;
    if (JS_GC_TYPE(header) == JS_GC_OBJ_TYPE_ASYNC_FUNCTION && data->is_active &&
        resolves(data->resolving_funcs[0], promise))
      return data;
  }
  return NULL;
}

/* Whether a reaction of this pending promise resumes `waiting` or settles `promise`,
 * whichever is not NULL. */
static bool leads_to(const JSPromiseData *data, const JSAsyncFunctionData *waiting,
                     const JSObject *promise) {
  struct list_head *link;
  list_for_each(link, &data->promise_reactions[0]) {
    JSPromiseReactionData *reaction = list_entry(link, JSPromiseReactionData, link);
    if (waiting ? resumes(reaction->handler, waiting)
                : resolves(reaction->resolving_funcs[0], promise) ||
                      resolves(reaction->handler, promise))
      return true;
  }
  return false;
}

/* The pending promise that the next step comes from; NULL: none that still exists. */
static JSObject *promise_before(JSRuntime *rt, const JSAsyncFunctionData *waiting,
                                const JSObject *promise) {
  struct list_head *link;
  list_for_each(link, &rt->gc_obj_list) {
    JSGCObjectHeader *header = list_entry(link, JSGCObjectHeader, link);
    JSObject *object = (JSObject *)header;
    if (JS_GC_TYPE(header) == JS_GC_OBJ_TYPE_JS_OBJECT && object->class_id == JS_CLASS_PROMISE &&
        object->u.opaque && leads_to(object->u.opaque, waiting, promise))
      return object;
  }
  return NULL;
}

static void put_innermost(engine_site *site, JSContext *ctx, const JSStackFrame *frame) {
  if (JS_VALUE_GET_TAG(frame->cur_func) != JS_TAG_OBJECT || !frame->cur_pc)
    return;
  JSObject *function = JS_VALUE_GET_OBJ(frame->cur_func);
  if (!js_class_has_bytecode(function->class_id))
    return;
  if (site->count == ENGINE_SITE_FRAMES)
    JS_FreeValue(ctx, site->frames[--site->count].function);
  memmove(&site->frames[1], &site->frames[0], site->count * sizeof site->frames[0]);
  site->frames[0].function = js_dup(frame->cur_func);
  site->frames[0].pc =
      (uint32_t)(frame->cur_pc - function->u.func.function_bytecode->byte_code_buf - 1);
  site->count++;
}

void engine_stuck_site(JSContext *ctx, JSValueConst promise, engine_site *site) {
  site->count = 0;
  JSObject *at = JS_GetOpaque(promise, JS_CLASS_PROMISE) ? JS_VALUE_GET_OBJ(promise) : NULL;
  for (unsigned step = 0; at && step < STUCK_STEPS_MAX; step++) {
    JSAsyncFunctionData *waiting = function_behind(ctx->rt, at);
    if (waiting)
      put_innermost(site, ctx, &waiting->func_state.frame);
    at = promise_before(ctx->rt, waiting, at);
  }
}

static engine_object_kind proxy_kind(JSValueConst object) {
  JSProxyData *proxy = JS_GetOpaque(object, JS_CLASS_PROXY);
  return proxy && proxy->is_revoked ? ENGINE_REVOKED_PROXY : ENGINE_PROXY;
}

engine_object_kind engine_kind_of(JSContext *ctx, JSValueConst object) {
  JSClassID id = JS_VALUE_GET_OBJ(object)->class_id;
  if (id >= JS_CLASS_UINT8C_ARRAY && id <= JS_CLASS_FLOAT64_ARRAY)
    return ENGINE_TYPED_ARRAY;
  switch (id) {
  case JS_CLASS_ARRAY:
    return ENGINE_ARRAY;
  case JS_CLASS_ERROR:
  case JS_CLASS_DOM_EXCEPTION:
    return ENGINE_ERROR;
  case JS_CLASS_DATE:
    return ENGINE_DATE;
  case JS_CLASS_MAP:
    return ENGINE_MAP;
  case JS_CLASS_SET:
    return ENGINE_SET;
  case JS_CLASS_ARRAY_BUFFER:
    return ENGINE_ARRAY_BUFFER;
  case JS_CLASS_SHARED_ARRAY_BUFFER:
    return ENGINE_SHARED_ARRAY_BUFFER;
  case JS_CLASS_DATAVIEW:
    return ENGINE_DATA_VIEW;
  case JS_CLASS_NUMBER:
  case JS_CLASS_STRING:
  case JS_CLASS_BOOLEAN:
  case JS_CLASS_BIG_INT:
    return ENGINE_BOXED;
  case JS_CLASS_SYMBOL:
    return ENGINE_BOXED_SYMBOL;
  case JS_CLASS_PROXY:
    return JS_IsFunction(ctx, object) ? ENGINE_FUNCTION : proxy_kind(object);
  default:
    return JS_IsFunction(ctx, object) ? ENGINE_FUNCTION : ENGINE_PLAIN;
  }
}

int engine_is_array(JSContext *ctx, JSValueConst value) {
  return js_is_array(ctx, value);
}

JSValue engine_primitive_of(JSContext *ctx, JSValueConst object) {
  return js_dup(JS_VALUE_GET_OBJ(object)->u.object_data);
}

bool engine_is_stack_overflow(JSContext *ctx, JSValueConst value) {
  static const char said[] = "Maximum call stack size exceeded";
  if (JS_VALUE_GET_TAG(value) != JS_TAG_OBJECT)
    return false;
  JSObject *object = JS_VALUE_GET_OBJ(value);
  if (object->class_id != JS_CLASS_ERROR || !object->shape->proto ||
      !js_same_value(ctx, JS_MKPTR(JS_TAG_OBJECT, object->shape->proto),
                     ctx->native_error_proto[JS_RANGE_ERROR]))
    return false;
  JSValue message = own_value(ctx, object, JS_ATOM_message);
  bool same = false;
  if (JS_VALUE_GET_TAG(message) == JS_TAG_STRING) {
    JSString *text = JS_VALUE_GET_STRING(message);
    same = !text->is_wide_char && text->len == sizeof said - 1 &&
           memcmp(str8(text), said, sizeof said - 1) == 0;
  }
  JS_FreeValue(ctx, message);
  return same;
}

JSValue engine_string_prefix(JSContext *ctx, JSValueConst string, uint32_t max) {
  JSValue flat = js_force_tostring(ctx, string);
  if (JS_IsException(flat))
    return flat;
  JSString *text = JS_VALUE_GET_STRING(flat);
  JSValue prefix = text->len > max ? js_sub_string(ctx, text, 0, (int)max) : js_dup(flat);
  JS_FreeValue(ctx, flat);
  return prefix;
}

void engine_values_free(JSContext *ctx, JSValue *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    JS_FreeValue(ctx, values[i]);
  js_free(ctx, values);
}

int engine_collection_list(JSContext *ctx, JSValueConst collection, JSValue **values,
                           uint32_t *count) {
  JSObject *object = JS_VALUE_GET_OBJ(collection);
  JSMapState *state = object->u.map_state;
  bool is_map = object->class_id == JS_CLASS_MAP;
  struct list_head *link;
  uint32_t used = 0;
  size_t room = (size_t)state->record_count * (is_map ? 2 : 1);
  *values = js_malloc(ctx, (room ? room : 1) * sizeof **values);
  *count = 0;
  if (!*values)
    return -1;
  list_for_each(link, &state->records) {
    JSMapRecord *record = list_entry(link, JSMapRecord, link);
    if (record->empty || used == room)
      continue;
    (*values)[used++] = js_dup(record->key);
    if (is_map)
      (*values)[used++] = js_dup(record->value);
  }
  *count = used;
  return 0;
}

int engine_bigint_bytes(JSContext *ctx, JSValueConst value, bool *negative, uint8_t **bytes,
                        size_t *len) {
  js_limb_t one;
  const js_limb_t *limbs = &one;
  uint32_t count = 1;
  if (JS_VALUE_GET_TAG(value) == JS_TAG_SHORT_BIG_INT) {
    one = (js_limb_t)JS_VALUE_GET_SHORT_BIG_INT(value);
  } else {
    JSBigInt *big = JS_VALUE_GET_PTR(value);
    limbs = big->tab;
    count = big->len;
  }
  /* Two's complement: -1 - n is the complement of n's limbs. */
  *negative = (js_slimb_t)limbs[count - 1] < 0;
  js_limb_t flip = *negative ? ~(js_limb_t)0 : 0;
  size_t size = (size_t)count * sizeof(js_limb_t), used = 0;
  uint8_t *out = js_malloc(ctx, size);
  if (!out)
    return -1;
  for (uint32_t i = count; i-- > 0;) {
    js_limb_t limb = limbs[i] ^ flip;
    for (int shift = JS_LIMB_BITS - 8; shift >= 0; shift -= 8) {
      uint8_t byte = (uint8_t)(limb >> shift);
      if (used || byte)
        out[used++] = byte;
    }
  }
  *bytes = out;
  *len = used;
  return 0;
}

JSValue engine_bigint_new(JSContext *ctx, bool negative, const uint8_t *bytes, size_t len) {
  while (len && bytes[0] == 0)
    bytes++, len--;
  size_t limbs = len / sizeof(js_limb_t) + 1; /* room for the sign bit */
  if (limbs > JS_BIGINT_MAX_SIZE)
    return JS_ThrowRangeError(ctx, "bigint is too large");
  JSBigInt *big = js_bigint_new(ctx, (int)limbs);
  if (!big)
    return JS_EXCEPTION;
  for (size_t i = 0; i < limbs; i++) {
    js_limb_t limb = 0;
    for (size_t k = 0; k < sizeof(js_limb_t); k++) {
      size_t at = i * sizeof(js_limb_t) + k;
      if (at < len)
        limb |= (js_limb_t)bytes[len - 1 - at] << (8 * k);
    }
    big->tab[i] = negative ? ~limb : limb;
  }
  big = js_bigint_normalize(ctx, big);
  return big ? JS_CompactBigInt(ctx, big) : JS_EXCEPTION;
}

#include "guest/engine_object.c"
#ifndef __wasm__
#include "guest/engine_function.c"
#endif
