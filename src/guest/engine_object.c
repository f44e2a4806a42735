/* A section of engine_unit.c, which includes it: it needs quickjs.c. */
#include "guest/engine_object.h"

engine_shape *engine_shape_of(JSContext *ctx, JSValueConst object) {
  const JSObject *p = JS_VALUE_GET_OBJ(object);
  JSShape *shape = p->shape;
  /* Only what is in the engine's table may be shared. */
  if (p->class_id != JS_CLASS_OBJECT || !shape->is_hashed || shape->deleted_prop_count != 0 ||
      shape->prop_count <= 0 || (uint32_t)shape->prop_count > ENGINE_SHAPE_MAX ||
      shape->proto != JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]))
    return NULL;
  const JSShapeProperty *properties = get_shape_prop(shape);
  for (int i = 0; i < shape->prop_count; i++)
    if (properties[i].flags != JS_PROP_C_W_E)
      return NULL;
  return js_dup_shape(shape);
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

static bool is_ascii(const char *text, size_t len) {
  unsigned char all = 0;
  for (size_t i = 0; i < len; i++)
    all |= (unsigned char)text[i];
  return all < 0x80;
}

bool engine_shape_is(JSContext *ctx, const engine_shape *shape, uint32_t index, const char *text,
                     size_t len) {
  JSAtom atom = engine_shape_name(shape, index);
  if (__JS_AtomIsTaggedInt(atom))
    return false;
  JSAtomStruct *name = ctx->rt->atom_array[atom];
  return name->atom_type == JS_ATOM_TYPE_STRING && !name->is_wide_char && name->len == len &&
         memcmp(str8(name), text, len) == 0 && is_ascii(text, len);
}

JSValue engine_object_like(JSContext *ctx, engine_shape *shape, const JSValue *values) {
  JSProperty properties[ENGINE_SHAPE_MAX];
  for (int i = 0; i < shape->prop_count; i++)
    properties[i].u.value = values[i];
  return JS_NewObjectFromShape(ctx, js_dup_shape(shape), JS_CLASS_OBJECT, properties);
}

int engine_array_push(JSContext *ctx, JSValueConst array, JSValue value) {
  return add_fast_array_element(ctx, JS_VALUE_GET_OBJ(array), value, 0) < 0 ? -1 : 0;
}
