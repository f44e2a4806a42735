/* A guest's value against a schema. The value is hostile, the schema is not: the
 * work is at most that of the schema for each item of the value. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "host/schema_int.h"

#define PATH_SIZE 200

typedef struct checker {
  char path[PATH_SIZE];
  size_t path_len;
  char *message;
  size_t size;
} checker;

static bool check(checker *c, cbor_in schema, cbor_in value);

/* ---- what a value is ---- */

static uint32_t bit(schema_type type) {
  return UINT32_C(1) << type;
}

static uint32_t types_of_tag(uint64_t tag) {
  switch (tag) {
  case CBOR_TAG_WTF8:
    return bit(TYPE_STRING);
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return bit(TYPE_BIGINT);
  case CBOR_TAG_EPOCH:
    return bit(TYPE_DATE);
  case CBOR_TAG_SET:
    return bit(TYPE_ARRAY);
  case CBOR_TAG_MAP:
  case CBOR_TAG_OBJECT:
    return bit(TYPE_OBJECT);
  }
  if (tag == CBOR_TAG_TYPED_FIRST || tag == CBOR_TAG_TYPED_FIRST + 4)
    return bit(TYPE_BYTES);
  return tag > CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST ? bit(TYPE_ARRAY) : 0;
}

/* 0: nothing that a schema has a name for. */
static uint32_t types_of(const cbor_item *item) {
  switch (item->kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
    return bit(TYPE_INTEGER) | bit(TYPE_NUMBER);
  case CBOR_FLOAT:
    if (!isfinite(item->d))
      return 0;
    return bit(TYPE_NUMBER) | (item->d == trunc(item->d) ? bit(TYPE_INTEGER) : 0);
  case CBOR_TEXT:
    return bit(TYPE_STRING);
  case CBOR_BYTES:
    return bit(TYPE_BYTES);
  case CBOR_ARRAY:
    return bit(TYPE_ARRAY);
  case CBOR_MAP:
    return bit(TYPE_OBJECT);
  case CBOR_BOOL:
    return bit(TYPE_BOOLEAN);
  case CBOR_NULL:
    return bit(TYPE_NULL);
  case CBOR_TAG:
    return types_of_tag(item->n);
  default:
    return 0;
  }
}

static const char *const words[TYPES] = {
    [TYPE_STRING] = "a string",  [TYPE_NUMBER] = "a number",       [TYPE_INTEGER] = "an integer",
    [TYPE_NULL] = "null",        [TYPE_BOOLEAN] = "true or false", [TYPE_ARRAY] = "an array",
    [TYPE_OBJECT] = "an object", [TYPE_BYTES] = "bytes",           [TYPE_BIGINT] = "a bigint",
    [TYPE_DATE] = "a Date",
};

static const char *word_of(const cbor_item *item) {
  uint32_t all = types_of(item);
  if (item->kind == CBOR_UNDEFINED)
    return "undefined";
  if (item->kind == CBOR_FLOAT && !all)
    return "NaN or Infinity";
  for (schema_type type = 0; type < TYPES; type++)
    if (all & bit(type))
      return words[type];
  return "another kind of value";
}

/* ---- telling ---- */

static bool fail_types(const checker *c, uint32_t wanted, const cbor_item *item) {
  char list[160] = "";
  size_t used = 0;
  for (schema_type type = 0; type < TYPES; type++) {
    if (!(wanted & bit(type)) || used >= sizeof list)
      continue;
    int more = snprintf(list + used, sizeof list - used, "%s%s", used ? " or " : "", words[type]);
    used += more > 0 ? (size_t)more : 0;
  }
  snprintf(c->message, c->size, "%s must be %s, not %s", c->path, list, word_of(item));
  return false;
}

static bool fail_at(const checker *c, const char *what) {
  snprintf(c->message, c->size, "%s %s", c->path, what);
  return false;
}

/* A longer path is cut, and what it says stays true of what is shown. */
static void extend(checker *c, const char *format, const char *name, uint64_t index) {
  char *at = c->path + c->path_len;
  size_t room = sizeof c->path - c->path_len;
  int used = name ? snprintf(at, room, format, name)
                  : snprintf(at, room, "[%llu]", (unsigned long long)index);
  if (used > 0)
    c->path_len += (size_t)used < room ? (size_t)used : room - 1;
}

static void shorten(checker *c, size_t len) {
  c->path_len = len;
  c->path[len] = 0;
}

/* ---- checking ---- */

static bool same_scalar(cbor_in a, cbor_in b) {
  cbor_item x, y;
  double m, n;
  if (cbor_peek(&a, &x) != CBOR_OK || cbor_peek(&b, &y) != CBOR_OK)
    return false;
  if (cbor_get_number(&a, &m) == CBOR_OK)
    return cbor_get_number(&b, &n) == CBOR_OK && m == n;
  if (x.kind != y.kind)
    return false;
  if (x.kind == CBOR_TEXT)
    return !y.indefinite && x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
  return x.n == y.n;
}

static bool check_enumeration(const checker *c, cbor_in list, cbor_in value) {
  each items;
  cbor_kind kind;
  cbor_in item;
  each_begin(&items, list, &kind);
  while (each_item(&items, &item))
    if (same_scalar(item, value))
      return true;
  return fail_at(c, "is none of the values that it may have");
}

static bool check_items(checker *c, cbor_in schema, cbor_in value) {
  each items;
  cbor_kind kind;
  cbor_in item;
  size_t len = c->path_len;
  if (!each_begin(&items, value, &kind) || kind != CBOR_ARRAY)
    return true; /* a typed array has numbers */
  for (uint64_t i = 0; each_item(&items, &item); i++) {
    extend(c, NULL, NULL, i);
    if (!check(c, schema, item))
      return false;
    shorten(c, len);
  }
  return true;
}

static bool is_undefined(cbor_in value) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK && item.kind == CBOR_UNDEFINED;
}

static bool find_property(const schema_fields *fields, field_text name, cbor_in *schema) {
  each members;
  cbor_kind kind;
  field_text key;
  if (!fields->properties.given || !each_begin(&members, fields->properties.in, &kind))
    return false;
  while (each_pair(&members, &key.text, &key.len, schema))
    if (key.len == name.len && memcmp(key.text, name.text, key.len) == 0)
      return true;
  return false;
}

static bool check_property(checker *c, const schema_fields *fields, field_text key, cbor_in value) {
  cbor_in schema;
  bool allowed = true;
  size_t len = c->path_len;
  api_quote quote = api_quoted(key.text ? key.text : "?", key.text ? key.len : 1);
  extend(c, ".%s", quote.text, 0);
  bool good = true;
  if (key.text && find_property(fields, key, &schema)) {
    good = check(c, schema, value);
  } else if (fields->additional.given) {
    schema = fields->additional.in;
    if (cbor_get_bool(&schema, &allowed) != CBOR_OK)
      good = check(c, schema, value);
    else if (!allowed)
      good = fail_at(c, "is not known");
  }
  if (good)
    shorten(c, len);
  return good;
}

static bool has_property(cbor_in value, field_text name) {
  each members;
  cbor_kind kind;
  cbor_in found;
  field_text key;
  each_begin(&members, value, &kind);
  while (each_pair(&members, &key.text, &key.len, &found))
    if (key.text && key.len == name.len && memcmp(key.text, name.text, key.len) == 0)
      return !is_undefined(found);
  return false;
}

static bool check_required(checker *c, cbor_in required, cbor_in value) {
  each names;
  cbor_kind kind;
  cbor_in item;
  field_text name;
  each_begin(&names, required, &kind);
  while (each_item(&names, &item)) {
    if (!field_is_text(item, &name) || has_property(value, name))
      continue;
    extend(c, ".%s", api_quoted(name.text, name.len).text, 0);
    return fail_at(c, "is missing");
  }
  return true;
}

static bool check_object(checker *c, const schema_fields *fields, cbor_in value) {
  each members;
  cbor_kind kind;
  cbor_in member;
  field_text key;
  if (!each_begin(&members, value, &kind) || kind != CBOR_MAP)
    return true; /* an Error */
  while (each_pair(&members, &key.text, &key.len, &member))
    if (!is_undefined(member) && !check_property(c, fields, key, member))
      return false;
  return !fields->required.given || check_required(c, fields->required.in, value);
}

static bool check_any(checker *c, cbor_in list, cbor_in value) {
  each schemas;
  cbor_kind kind;
  cbor_in schema;
  size_t len = c->path_len;
  each_begin(&schemas, list, &kind);
  while (each_item(&schemas, &schema)) {
    if (check(c, schema, value))
      return true;
    shorten(c, len);
  }
  return fail_at(c, "is none of the kinds that it may be");
}

static bool check(checker *c, cbor_in schema, cbor_in value) {
  schema_fields fields;
  cbor_item item;
  if (!schema_read(schema, "", &fields, c->message, c->size) || cbor_peek(&value, &item) != CBOR_OK)
    return false;
  uint32_t wanted = fields.type.given ? schema_types(&fields) : 0, found = types_of(&item);
  if (wanted && !(wanted & found))
    return fail_types(c, wanted, &item);
  if (fields.enumeration.given && !check_enumeration(c, fields.enumeration.in, value))
    return false;
  if (fields.any_of.given && !check_any(c, fields.any_of.in, value))
    return false;
  if (fields.items.given && (found & bit(TYPE_ARRAY)) && !check_items(c, fields.items.in, value))
    return false;
  return !(found & bit(TYPE_OBJECT)) || check_object(c, &fields, value);
}

bool schema_check(cbor_in schema, cbor_in value, const char *name, char *message,
                  size_t message_size) {
  checker c = {.message = message, .size = message_size};
  extend(&c, "%s", name, 0);
  return check(&c, schema, value);
}
