#include "host/schema.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "host/schema_int.h"

static const struct {
  const char *name, *script;
} types[TYPES] = {
    [TYPE_STRING] = {"string", "string"},   [TYPE_NUMBER] = {"number", "number"},
    [TYPE_INTEGER] = {"integer", "number"}, [TYPE_BOOLEAN] = {"boolean", "boolean"},
    [TYPE_NULL] = {"null", "null"},         [TYPE_ARRAY] = {"array", "unknown[]"},
    [TYPE_BYTES] = {"bytes", "Uint8Array"}, [TYPE_OBJECT] = {"object", "Record<string, unknown>"},
    [TYPE_BIGINT] = {"bigint", "bigint"},   [TYPE_DATE] = {"date", "Date"},
};

/* ---- reading ---- */

schema_type schema_type_named(field_text name) {
  schema_type type = 0;
  while (type < TYPES && !field_same(name, types[type].name))
    type++;
  return type;
}

static field_value *keyword(schema_fields *fields, field_text key) {
  return field_same(key, "type")                   ? &fields->type
         : field_same(key, "enum")                 ? &fields->enumeration
         : field_same(key, "items")                ? &fields->items
         : field_same(key, "properties")           ? &fields->properties
         : field_same(key, "required")             ? &fields->required
         : field_same(key, "additionalProperties") ? &fields->additional
         : field_same(key, "anyOf")                ? &fields->any_of
                                                   : NULL;
}

static bool is_annotation(field_text key) {
  static const char *const names[] = {"title", "description", "default", "examples", "format"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (field_same(key, names[i]))
      return true;
  return false;
}

bool schema_read(cbor_in schema, const char *where, schema_fields *fields, char *message,
                 size_t message_size) {
  each members;
  cbor_kind kind;
  cbor_in value;
  field_text key;
  *fields = (schema_fields){0};
  if (!each_begin(&members, schema, &kind) || kind != CBOR_MAP) {
    snprintf(message, message_size, "%s: a schema must be an object", where);
    return false;
  }
  while (each_pair(&members, &key.text, &key.len, &value)) {
    field_value *found = keyword(fields, key);
    if (found) {
      *found = (field_value){true, value};
    } else if (!is_annotation(key)) {
      snprintf(message, message_size,
               "%s: the schema keyword '%s' is not supported; there are: type, enum, items, "
               "properties, required, additionalProperties, anyOf",
               where, api_quoted(key.text ? key.text : "", key.len).text);
      return false;
    }
  }
  return true;
}

static uint32_t type_bit(cbor_in value) {
  field_text name;
  schema_type type = field_is_text(value, &name) ? schema_type_named(name) : TYPES;
  return type < TYPES ? UINT32_C(1) << type : 0;
}

/* 0 when `type` is wrong. */
uint32_t schema_types(const schema_fields *fields) {
  each list;
  cbor_kind kind;
  cbor_in item;
  uint32_t all = 0;
  if (!each_begin(&list, fields->type.in, &kind))
    return type_bit(fields->type.in);
  if (kind != CBOR_ARRAY)
    return 0;
  while (each_item(&list, &item)) {
    uint32_t bit = type_bit(item);
    if (!bit)
      return 0;
    all |= bit;
  }
  return all;
}

bool schema_is_required(const schema_fields *fields, field_text name) {
  each list;
  cbor_kind kind;
  cbor_in item;
  field_text text;
  if (!fields->required.given || !each_begin(&list, fields->required.in, &kind))
    return false;
  while (each_item(&list, &item))
    if (field_is_text(item, &text) && text.len == name.len &&
        memcmp(text.text, name.text, name.len) == 0)
      return true;
  return false;
}

/* ---- whether it is one ---- */

typedef struct validator {
  const char *where;
  char *message;
  size_t size;
} validator;

static bool valid(const validator *v, cbor_in schema, unsigned depth);

static bool fail(const validator *v, const char *what) {
  snprintf(v->message, v->size, "%s: %s", v->where, what);
  return false;
}

static bool is_scalar(cbor_in value) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK &&
         (item.kind == CBOR_UINT || item.kind == CBOR_NEGINT || item.kind == CBOR_FLOAT ||
          item.kind == CBOR_TEXT || item.kind == CBOR_BOOL || item.kind == CBOR_NULL);
}

static bool is_text(cbor_in value) {
  field_text text;
  return field_is_text(value, &text);
}

/* A list that is not empty, of items that `good` accepts. */
static bool valid_list(cbor_in list, bool (*good)(cbor_in), bool may_be_empty) {
  each items;
  cbor_kind kind;
  cbor_in item;
  bool any = may_be_empty;
  if (!each_begin(&items, list, &kind) || kind != CBOR_ARRAY)
    return false;
  while (each_item(&items, &item)) {
    if (!good(item))
      return false;
    any = true;
  }
  return any;
}

static bool valid_members(const validator *v, cbor_in container, cbor_kind wanted, unsigned depth,
                          const char *what) {
  each members;
  cbor_kind kind;
  cbor_in value;
  field_text key;
  if (!each_begin(&members, container, &kind) || kind != wanted)
    return fail(v, what);
  if (kind == CBOR_ARRAY) {
    while (each_item(&members, &value))
      if (!valid(v, value, depth))
        return false;
    return true;
  }
  while (each_pair(&members, &key.text, &key.len, &value))
    if (!key.text || !valid(v, value, depth))
      return key.text != NULL || fail(v, "a property's name must be whole text");
  return true;
}

static bool valid_additional(const validator *v, cbor_in value, unsigned depth) {
  bool flag;
  cbor_in at = value;
  return cbor_get_bool(&at, &flag) == CBOR_OK || valid(v, value, depth);
}

static bool valid(const validator *v, cbor_in schema, unsigned depth) {
  schema_fields fields;
  if (depth == SCHEMA_DEPTH_MAX)
    return fail(v, "a schema nests deeper than 16 levels");
  if (!schema_read(schema, v->where, &fields, v->message, v->size))
    return false;
  if (fields.type.given && schema_types(&fields) == 0)
    return fail(v, "type must be string, number, integer, boolean, null, array, object, bytes, "
                   "bigint or date, or a list of these");
  if (fields.enumeration.given && !valid_list(fields.enumeration.in, is_scalar, false))
    return fail(v, "enum must be a list of strings, numbers, booleans and null");
  if (fields.required.given && !valid_list(fields.required.in, is_text, true))
    return fail(v, "required must be a list of names");
  depth++;
  return (!fields.items.given || valid(v, fields.items.in, depth)) &&
         (!fields.properties.given || valid_members(v, fields.properties.in, CBOR_MAP, depth,
                                                    "properties must be an object")) &&
         (!fields.additional.given || valid_additional(v, fields.additional.in, depth)) &&
         (!fields.any_of.given ||
          valid_members(v, fields.any_of.in, CBOR_ARRAY, depth, "anyOf must be a list"));
}

bool schema_valid(cbor_in schema, const char *where, char *message, size_t message_size) {
  validator v = {where, message, message_size};
  return valid(&v, schema, 0);
}

/* ---- as TypeScript ---- */

static void put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

/* The whole item's JSON. */
static void put_json(cbor_in value, cbor_out *out) {
  static const cbor_limits limits = {4, 16, SIZE_MAX};
  cbor_in end = value;
  if (cbor_skip(&end) == CBOR_OK)
    json_from_cbor(value.at, (size_t)(end.at - value.at), &limits, out);
}

static void put_union(cbor_in list, void (*put_one)(cbor_in, cbor_out *), cbor_out *out) {
  each items;
  cbor_kind kind;
  cbor_in item;
  bool any = false;
  each_begin(&items, list, &kind);
  put(out, "(");
  while (each_item(&items, &item)) {
    put(out, any ? " | " : "");
    put_one(item, out);
    any = true;
  }
  put(out, any ? ")" : "never)");
}

static void put_object(const schema_fields *fields, cbor_out *out) {
  each members;
  cbor_kind kind;
  cbor_in value;
  field_text key;
  bool any = false, flag = true;
  put(out, "{");
  each_begin(&members, fields->properties.in, &kind);
  while (each_pair(&members, &key.text, &key.len, &value)) {
    put(out, any ? "; " : "");
    json_put_string(out, key.text, key.len);
    put(out, schema_is_required(fields, key) ? ": " : "?: ");
    schema_put_type(value, out);
    any = true;
  }
  cbor_in additional = fields->additional.in;
  if (!fields->additional.given || (cbor_get_bool(&additional, &flag) == CBOR_OK && flag))
    put(out, any ? "; [key: string]: unknown" : "[key: string]: unknown");
  put(out, "}");
}

static void put_array(const schema_fields *fields, cbor_out *out) {
  put(out, "Array<");
  schema_put_type(fields->items.in, out);
  put(out, ">");
}

static void put_map(const schema_fields *fields, cbor_out *out) {
  bool flag;
  cbor_in additional = fields->additional.in;
  if (!fields->additional.given || cbor_get_bool(&additional, &flag) == CBOR_OK) {
    put(out, types[TYPE_OBJECT].script);
    return;
  }
  put(out, "Record<string, ");
  schema_put_type(fields->additional.in, out);
  put(out, ">");
}

static void put_types(const schema_fields *fields, cbor_out *out) {
  uint32_t all = schema_types(fields);
  bool any = false;
  for (schema_type type = 0; type < TYPES; type++) {
    if (!(all & UINT32_C(1) << type))
      continue;
    put(out, any ? " | " : "");
    if (type == TYPE_OBJECT && fields->properties.given)
      put_object(fields, out);
    else if (type == TYPE_OBJECT)
      put_map(fields, out);
    else if (type == TYPE_ARRAY && fields->items.given)
      put_array(fields, out);
    else
      put(out, types[type].script);
    any = true;
  }
}

void schema_put_type(cbor_in schema, cbor_out *out) {
  schema_fields fields;
  char message[8];
  if (!schema_read(schema, "", &fields, message, sizeof message))
    return;
  if (fields.enumeration.given)
    put_union(fields.enumeration.in, put_json, out);
  else if (fields.any_of.given)
    put_union(fields.any_of.in, schema_put_type, out);
  else if (fields.type.given)
    put_types(&fields, out);
  else if (fields.properties.given)
    put_object(&fields, out);
  else if (fields.items.given)
    put_array(&fields, out);
  else
    put(out, "unknown");
}
