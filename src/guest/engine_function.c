/* A section of engine_unit.c, which includes it: it needs quickjs.c. */
#include "guest/engine_function.h"

/* ---- sorts ---- */

static const JSFunctionBytecode *code_of(JSValueConst function) {
  if (JS_VALUE_GET_TAG(function) != JS_TAG_OBJECT)
    return NULL;
  const JSObject *object = JS_VALUE_GET_OBJ(function);
  return js_class_has_bytecode(object->class_id) ? object->u.func.function_bytecode : NULL;
}

const void *engine_function_key(JSValueConst function) {
  return code_of(function);
}

JSValue engine_function_hold(JSValueConst function) {
  return js_dup(JS_MKPTR(JS_TAG_FUNCTION_BYTECODE, (void *)(uintptr_t)code_of(function)));
}

uint32_t engine_function_captures(JSValueConst function) {
  return code_of(function)->closure_var_count;
}

JSAtom engine_function_captured(JSValueConst function, uint32_t i, bool *self) {
  const JSObject *object = JS_VALUE_GET_OBJ(function);
  *self = engine_same_object(*object->u.func.var_refs[i]->pvalue, function);
  return object->u.func.function_bytecode->closure_var[i].var_name;
}

bool engine_same_object(JSValueConst a, JSValueConst b) {
  return JS_VALUE_GET_TAG(a) == JS_TAG_OBJECT && JS_VALUE_GET_TAG(b) == JS_TAG_OBJECT &&
         JS_VALUE_GET_OBJ(a) == JS_VALUE_GET_OBJ(b);
}

/* Private names are captured like variables, but begin with what no variable does. */
static bool is_private_name(JSContext *ctx, JSAtom atom) {
  char text[ATOM_GET_STR_BUF_SIZE];
  return JS_AtomGetStr(ctx, text, sizeof text, atom)[0] == '#';
}

JSAtom engine_function_private_name(JSContext *ctx, JSValueConst function) {
  const JSFunctionBytecode *code = code_of(function);
  for (int i = 0; i < code->closure_var_count; i++)
    if (is_private_name(ctx, code->closure_var[i].var_name))
      return code->closure_var[i].var_name;
  return JS_ATOM_NULL;
}

/* Whether `opcode` (with `operand` as its first byte unless negative) is in the code
 * itself or, if `deep`, in that of a function within. */
static bool has_opcode(const JSFunctionBytecode *code, int opcode, int operand, bool deep) {
  const uint8_t *at = code->byte_code_buf, *end = at + code->byte_code_len;
  for (; at < end; at += short_opcode_info(*at).size)
    if (*at == opcode && (operand < 0 || at[1] == operand))
      return true;
  for (int i = 0; deep && i < code->cpool_count; i++)
    if (JS_VALUE_GET_TAG(code->cpool[i]) == JS_TAG_FUNCTION_BYTECODE &&
        has_opcode(JS_VALUE_GET_PTR(code->cpool[i]), opcode, operand, true))
      return true;
  return false;
}

static bool captures(const JSFunctionBytecode *code, JSAtom name) {
  for (int i = 0; i < code->closure_var_count; i++)
    if (code->closure_var[i].var_name == name)
      return true;
  return false;
}

static engine_function_sort sort_by_code(JSContext *ctx, JSValueConst function) {
  const JSFunctionBytecode *code = code_of(function);
  if (code->is_derived_class_constructor || has_opcode(code, OP_check_ctor, -1, false))
    return ENGINE_IS_CLASS;
  if (code->func_kind & JS_FUNC_GENERATOR)
    return ENGINE_IS_GENERATOR;
  if (has_opcode(code, OP_eval, -1, true) || has_opcode(code, OP_apply_eval, -1, true))
    return ENGINE_USES_EVAL;
  if (engine_function_private_name(ctx, function) != JS_ATOM_NULL)
    return ENGINE_USES_PRIVATE;
  if (JS_VALUE_GET_OBJ(function)->u.func.home_object || captures(code, JS_ATOM_home_object) ||
      captures(code, JS_ATOM_this_active_func))
    return ENGINE_USES_SUPER;
  if (captures(code, JS_ATOM_this) || captures(code, JS_ATOM_new_target))
    return ENGINE_USES_THIS;
  if (has_opcode(code, OP_special_object, OP_SPECIAL_OBJECT_IMPORT_META, true))
    return ENGINE_USES_META;
  return ENGINE_CAN_BE_SENT;
}

engine_function_sort engine_function_sort_of(JSContext *ctx, JSValueConst value) {
  if (!JS_IsFunction(ctx, value))
    return ENGINE_NO_FUNCTION;
  switch (JS_VALUE_GET_OBJ(value)->class_id) {
  case JS_CLASS_PROXY:
    return ENGINE_IS_PROXY;
  case JS_CLASS_BOUND_FUNCTION:
    return ENGINE_IS_BOUND;
  default:
    return code_of(value) ? sort_by_code(ctx, value) : ENGINE_IS_NATIVE;
  }
}

/* ---- global names ---- */

typedef struct name_list {
  JSContext *ctx;
  engine_name *names;
  uint32_t count, size;
} name_list;

static int add_name(name_list *list, JSAtom atom, uint32_t uses) {
  for (uint32_t i = 0; i < list->count; i++)
    if (list->names[i].atom == atom) {
      list->names[i].uses |= uses;
      return 0;
    }
  if (list->count == list->size) {
    uint32_t size = list->size ? list->size * 2 : 8;
    engine_name *grown = js_realloc(list->ctx, list->names, size * sizeof *grown);
    if (!grown)
      return -1;
    list->names = grown;
    list->size = size;
  }
  list->names[list->count++] = (engine_name){JS_DupAtom(list->ctx, atom), uses};
  return 0;
}

/* What the instruction at `at` does with the global it names; 0: it names none. */
static uint32_t uses_of(const uint8_t *at, const uint8_t *end) {
  switch (*at) {
  case OP_get_var:
    return ENGINE_NAME_READ;
  case OP_get_var_undef:
    return ENGINE_NAME_TESTED;
  case OP_put_var:
  case OP_put_var_init:
  case OP_delete_var:
    return ENGINE_NAME_WRITTEN;
  case OP_make_var_ref: /* a reference, to write by or, first, to read by */
    return at + 5 < end && at[5] == OP_get_ref_value ? ENGINE_NAME_READ | ENGINE_NAME_WRITTEN
                                                     : ENGINE_NAME_WRITTEN;
  case OP_with_get_var:
  case OP_with_put_var:
  case OP_with_delete_var:
  case OP_with_make_ref:
  case OP_with_get_ref:
  case OP_with_get_ref_undef:
    return ENGINE_NAME_MAYBE;
  default:
    return 0;
  }
}

static int add_names(name_list *list, const JSFunctionBytecode *code) {
  const uint8_t *at = code->byte_code_buf, *end = at + code->byte_code_len;
  for (; at < end; at += short_opcode_info(*at).size) {
    uint32_t uses = uses_of(at, end);
    if (uses && add_name(list, get_u32(at + 1), uses) < 0)
      return -1;
  }
  for (int i = 0; i < code->cpool_count; i++)
    if (JS_VALUE_GET_TAG(code->cpool[i]) == JS_TAG_FUNCTION_BYTECODE &&
        add_names(list, JS_VALUE_GET_PTR(code->cpool[i])) < 0)
      return -1;
  return 0;
}

void engine_names_free(JSContext *ctx, engine_name *names, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    JS_FreeAtom(ctx, names[i].atom);
  js_free(ctx, names);
}

int engine_function_names(JSContext *ctx, JSValueConst function, engine_name **names,
                          uint32_t *count) {
  name_list list = {.ctx = ctx};
  int failed = add_names(&list, code_of(function));
  if (failed) {
    engine_names_free(ctx, list.names, list.count);
    list = (name_list){0};
  }
  *names = list.names;
  *count = list.count;
  return failed;
}

/* ---- globals ---- */

int engine_globals_list(JSContext *ctx, engine_global **globals, uint32_t *count) {
  JSPropertyEnum *keys;
  uint32_t keys_count, used = 0;
  if (JS_GetOwnPropertyNames(ctx, &keys, &keys_count, ctx->global_obj, JS_GPN_STRING_MASK) < 0)
    return -1;
  engine_global *list = js_malloc(ctx, (keys_count + 1) * sizeof *list);
  for (; list && used < keys_count; used++) {
    JSValue value = JS_GetProperty(ctx, ctx->global_obj, keys[used].atom);
    if (JS_IsException(value))
      break;
    list[used] = (engine_global){JS_DupAtom(ctx, keys[used].atom), value};
  }
  JS_FreePropertyEnum(ctx, keys, keys_count);
  if (list && used < keys_count) {
    engine_globals_free(ctx, list, used);
    list = NULL;
  }
  *globals = list;
  *count = list ? used : 0;
  return list ? 0 : -1;
}

void engine_globals_free(JSContext *ctx, engine_global *globals, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    JS_FreeAtom(ctx, globals[i].atom);
    JS_FreeValue(ctx, globals[i].value);
  }
  js_free(ctx, globals);
}

/* An accessor has no value that could be compared: it is undefined. */
bool engine_global_find(JSContext *ctx, JSAtom name, JSValueConst *value) {
  JSProperty *property;
  JSShapeProperty *shape =
      find_own_property(&property, JS_VALUE_GET_OBJ(ctx->global_var_obj), name);
  if (!shape)
    shape = find_own_property(&property, JS_VALUE_GET_OBJ(ctx->global_obj), name);
  if (!shape)
    return false;
  *value = JS_UNDEFINED;
  if ((shape->flags & JS_PROP_TMASK) == JS_PROP_NORMAL)
    *value = property->u.value;
  else if ((shape->flags & JS_PROP_TMASK) == JS_PROP_VARREF)
    *value = *property->u.var_ref->pvalue;
  return true;
}

bool engine_global_is_same(JSContext *ctx, const engine_global *global) {
  JSProperty *property;
  JSObject *declared = JS_VALUE_GET_OBJ(ctx->global_var_obj);
  if (find_own_property(&property, declared, global->atom))
    return false;
  JSShapeProperty *shape =
      find_own_property(&property, JS_VALUE_GET_OBJ(ctx->global_obj), global->atom);
  if (!shape)
    return false;
  if ((shape->flags & JS_PROP_TMASK) == JS_PROP_GETSET)
    return true;
  JSValueConst value = (shape->flags & JS_PROP_TMASK) == JS_PROP_VARREF
                           ? *property->u.var_ref->pvalue
                           : property->u.value;
  return engine_same_object(value, global->value) || js_same_value(ctx, value, global->value);
}

/* ---- bytecode ---- */

uint8_t *engine_function_write(JSContext *ctx, JSValueConst function, size_t *len) {
  JSValueConst code = JS_MKPTR(JS_TAG_FUNCTION_BYTECODE, (void *)(uintptr_t)code_of(function));
  return JS_WriteObject(ctx, len, code, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
}

static void free_cells(JSContext *ctx, JSVarRef **cells, int count) {
  for (int i = 0; i < count; i++)
    if (cells[i])
      free_var_ref(ctx->rt, cells[i]);
  js_free(ctx, cells);
}

/* A cell for each captured variable, taken by its place. */
static JSVarRef **make_cells(JSContext *ctx, JSFunctionBytecode *code) {
  int count = code->closure_var_count;
  JSVarRef **cells = js_mallocz(ctx, ((size_t)count + 1) * sizeof *cells);
  for (int i = 0; cells && i < count; i++) {
    code->closure_var[i].closure_type = JS_CLOSURE_REF;
    code->closure_var[i].var_idx = (uint16_t)i;
    cells[i] = js_create_var_ref(ctx, true);
    if (!cells[i]) {
      free_cells(ctx, cells, count);
      cells = NULL;
    }
  }
  return cells;
}

JSValue engine_function_read(JSContext *ctx, const uint8_t *bytes, size_t len) {
  JSValue code = JS_ReadObject(ctx, bytes, len, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(code))
    return code;
  if (JS_VALUE_GET_TAG(code) != JS_TAG_FUNCTION_BYTECODE) {
    JS_FreeValue(ctx, code);
    return JS_ThrowTypeError(ctx, "what was sent is no function");
  }
  int count = ((JSFunctionBytecode *)JS_VALUE_GET_PTR(code))->closure_var_count;
  JSVarRef **cells = make_cells(ctx, JS_VALUE_GET_PTR(code));
  if (!cells) {
    JS_FreeValue(ctx, code);
    return JS_EXCEPTION;
  }
  JSValue function = js_closure(ctx, code, cells, NULL);
  free_cells(ctx, cells, count);
  if (!JS_IsException(function))
    engine_function_rebind(ctx, function);
  return function;
}

void engine_function_rebind(JSContext *ctx, JSValueConst function) {
  JSObject *object = JS_VALUE_GET_OBJ(function);
  for (int i = 0; i < object->u.func.function_bytecode->closure_var_count; i++)
    set_value(ctx, object->u.func.var_refs[i]->pvalue, js_dup(function));
}

/* ---- where it comes from ---- */

const char *engine_function_source(JSValueConst function, size_t *len) {
  const JSFunctionBytecode *code = code_of(function);
  *len = code->source ? (size_t)code->source_len : 0;
  return code->source;
}

JSAtom engine_function_file(JSValueConst function) {
  return code_of(function)->filename;
}

const char *engine_function_name(JSContext *ctx, JSValueConst function) {
  return get_func_name(ctx, function);
}

/* ---- values ---- */

bool engine_buffer_may_grow(JSValueConst buffer) {
  return JS_VALUE_GET_OBJ(buffer)->u.array_buffer->max_byte_length >= 0;
}

bool engine_error_take_kind(JSContext *ctx, JSValueConst error, const char *name, size_t len) {
  if (len == 5 && memcmp(name, "Error", 5) == 0)
    return true;
  for (int i = 0; i < JS_NATIVE_ERROR_COUNT; i++)
    if (strlen(native_error_name[i]) == len && memcmp(native_error_name[i], name, len) == 0)
      return JS_SetPrototype(ctx, error, ctx->native_error_proto[i]) == 1;
  return false;
}

/* ---- promises with a number ---- */

static JSPromiseData *pending_of(JSValueConst promise) {
  JSPromiseData *data = JS_GetOpaque(promise, JS_CLASS_PROMISE);
  return data && data->promise_state == JS_PROMISE_PENDING ? data : NULL;
}

void engine_promise_set_number(JSValueConst promise, uint64_t number) {
  JSPromiseData *data = pending_of(promise);
  double bits;
  memcpy(&bits, &number, sizeof bits);
  if (data)
    data->promise_result = __JS_NewFloat64(bits);
}

bool engine_promise_number(JSValueConst promise, uint64_t *number) {
  JSPromiseData *data = pending_of(promise);
  if (!data || JS_VALUE_GET_TAG(data->promise_result) != JS_TAG_FLOAT64)
    return false;
  double bits = JS_VALUE_GET_FLOAT64(data->promise_result);
  memcpy(number, &bits, sizeof bits);
  return true;
}

void engine_poll_after(JSContext *ctx, int count) {
  ctx->interrupt_counter = count;
}
