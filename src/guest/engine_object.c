/* A section of engine_unit.c, which includes it: it needs quickjs.c. */
#include "guest/engine_object.h"

/* The words may overlap. */
static bool is_ascii(const void *text, size_t len) {
  const unsigned char *at = text;
  uint64_t word, all = 0;
  if (len >= sizeof word) {
    for (size_t i = 0; i < len - sizeof word; i += sizeof word) {
      memcpy(&word, at + i, sizeof word);
      all |= word;
    }
    memcpy(&word, at + len - sizeof word, sizeof word);
    all |= word;
  } else {
    for (size_t i = 0; i < len; i++)
      all |= at[i];
  }
  return (all & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_ascii_string(JSString *string) {
  return !string->is_wide_char && is_ascii(str8(string), string->len);
}

const char *engine_ascii_text(JSValueConst string, size_t *len) {
  if (JS_VALUE_GET_TAG(string) != JS_TAG_STRING)
    return NULL;
  JSString *p = JS_VALUE_GET_STRING(string);
  *len = p->len;
  return is_ascii_string(p) ? (const char *)str8(p) : NULL;
}

JSValue engine_text_new(JSContext *ctx, const char *text, size_t len, JSValueConst like) {
  if (len == 0 || len > JS_STRING_LEN_MAX || !is_ascii(text, len))
    return JS_NewStringLen(ctx, text, len);
  if (JS_VALUE_GET_TAG(like) == JS_TAG_STRING) {
    JSString *p = JS_VALUE_GET_STRING(like);
    if (p->len == len && !p->is_wide_char && memcmp(str8(p), text, len) == 0)
      return js_dup(like);
  }
  return js_new_string8_len(ctx, text, (int)len);
}

static bool is_plain_name(JSContext *ctx, JSAtom atom) {
  uint32_t index;
  if (JS_AtomIsArrayIndex(ctx, &index, atom)) /* it comes before the others */
    return false;
  JSAtomStruct *name = ctx->rt->atom_array[atom];
  return name->atom_type == JS_ATOM_TYPE_STRING && is_ascii_string(name);
}

engine_shape *engine_shape_to_read(JSContext *ctx, JSValueConst object) {
  const JSObject *p = JS_VALUE_GET_OBJ(object);
  JSShape *shape = p->shape;
  /* Those in the engine's table stay as they are while another refers to them. */
  if (p->class_id != JS_CLASS_OBJECT || p->is_exotic || !shape->is_hashed ||
      shape->deleted_prop_count != 0)
    return NULL;
  const JSShapeProperty *properties = get_shape_prop(shape);
  for (int i = 0; i < shape->prop_count; i++)
    if ((properties[i].flags & (JS_PROP_TMASK | JS_PROP_ENUMERABLE)) != JS_PROP_ENUMERABLE ||
        !is_plain_name(ctx, properties[i].atom))
      return NULL;
  return js_dup_shape(shape);
}

engine_shape *engine_shape_of(JSContext *ctx, JSValueConst object) {
  engine_shape *shape = engine_shape_to_read(ctx, object);
  if (!shape)
    return NULL;
  const JSShapeProperty *properties = get_shape_prop(shape);
  bool fits = shape->prop_count > 0 && (uint32_t)shape->prop_count <= ENGINE_SHAPE_MAX &&
              shape->proto == JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
  for (int i = 0; fits && i < shape->prop_count; i++)
    fits = properties[i].flags == JS_PROP_C_W_E;
  if (fits)
    return shape;
  js_free_shape(ctx->rt, shape);
  return NULL;
}

bool engine_has_shape(JSValueConst object, const engine_shape *shape) {
  const JSObject *p = JS_VALUE_GET_OBJ(object);
  return p->shape == shape && p->class_id == JS_CLASS_OBJECT && !p->is_exotic;
}

JSValueConst engine_member_at(JSValueConst object, uint32_t index) {
  return JS_VALUE_GET_OBJ(object)->prop[index].u.value;
}

const char *engine_shape_text(JSContext *ctx, const engine_shape *shape, uint32_t index,
                              size_t *len) {
  JSAtomStruct *name = ctx->rt->atom_array[engine_shape_name(shape, index)];
  *len = name->len;
  return (const char *)str8(name);
}

bool engine_array_at(JSValueConst array, int64_t index, JSValueConst *value) {
  const JSObject *p = JS_VALUE_GET_OBJ(array);
  if (p->class_id != JS_CLASS_ARRAY || !p->fast_array || index >= p->u.array.count)
    return false;
  *value = p->u.array.u.values[index];
  return true;
}

void engine_shape_free(JSContext *ctx, engine_shape *shape) {
  js_free_shape_null(ctx->rt, shape);
}

uint32_t engine_shape_count(const engine_shape *shape) {
  return (uint32_t)shape->prop_count;
}

JSAtom engine_shape_name(const engine_shape *shape, uint32_t index) {
  return get_shape_prop((JSShape *)shape)[index].atom;
}

JSValue engine_object_like(JSContext *ctx, engine_shape *shape, const JSValue *values) {
  JSProperty properties[ENGINE_SHAPE_MAX];
  for (int i = 0; i < shape->prop_count; i++)
    properties[i].u.value = values[i];
  return JS_NewObjectFromShape(ctx, js_dup_shape(shape), JS_CLASS_OBJECT, properties);
}

/* With the first `count` properties of `shape`, and room for all of them. */
static JSShape *stage_new(JSContext *ctx, JSShape *shape, int count) {
  const JSShapeProperty *properties = get_shape_prop(shape);
  JSShape *stage =
      js_new_shape2(ctx, shape->proto, (int)shape->prop_hash_mask + 1, shape->prop_size);
  for (int i = 0; stage && i < count; i++)
    if (add_shape_property(ctx, &stage, NULL, properties[i].atom, properties[i].flags) < 0) {
      js_free_shape(ctx->rt, stage);
      return NULL;
    }
  return stage;
}

static JSShape *first_stage(JSContext *ctx, JSObject *prototype) {
  JSShape *empty = find_hashed_shape_proto(ctx->rt, prototype);
  return empty ? js_dup_shape(empty) : js_new_shape(ctx, prototype);
}

int engine_stages_make(JSContext *ctx, engine_shape *shape, engine_stages *stages) {
  stages->count = 0;
  for (int i = 0; i <= shape->prop_count; i++) {
    JSShape *stage = i == shape->prop_count ? js_dup_shape(shape)
                     : i == 0               ? first_stage(ctx, shape->proto)
                                            : stage_new(ctx, shape, i);
    if (!stage) {
      engine_stages_free(ctx, stages);
      return -1;
    }
    stages->shapes[stages->count++] = stage;
  }
  return 0;
}

void engine_stages_free(JSContext *ctx, engine_stages *stages) {
  while (stages->count > 0)
    js_free_shape(ctx->rt, stages->shapes[--stages->count]);
}

JSValue engine_array_new(JSContext *ctx, uint32_t room) {
  JSValue array = JS_NewArray(ctx);
  if (!JS_IsException(array) && room && expand_fast_array(ctx, JS_VALUE_GET_OBJ(array), room) < 0) {
    JS_FreeValue(ctx, array);
    return JS_EXCEPTION;
  }
  return array;
}

int engine_array_push(JSContext *ctx, JSValueConst array, JSValue value) {
  return add_fast_array_element(ctx, JS_VALUE_GET_OBJ(array), value, 0) < 0 ? -1 : 0;
}
