#include "host/fields.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"

/* ---- walking ---- */

bool each_begin(each *each, cbor_in container, cbor_kind *kind) {
  cbor_item head;
  *each = (struct each){.in = container};
  while (cbor_next(&each->in, &head) == CBOR_OK)
    if (head.kind != CBOR_TAG)
      break;
  if (head.kind != CBOR_ARRAY && head.kind != CBOR_MAP)
    return false;
  each->left = head.n;
  each->open = head.indefinite;
  *kind = head.kind;
  return true;
}

bool each_more(each *each) {
  cbor_item item;
  if (each->open)
    return cbor_peek(&each->in, &item) == CBOR_OK && item.kind != CBOR_BREAK;
  if (each->left == 0)
    return false;
  each->left--;
  return true;
}

bool each_item(each *each, cbor_in *item) {
  if (!each_more(each))
    return false;
  *item = each->in;
  return cbor_skip(&each->in) == CBOR_OK;
}

bool each_pair(each *each, const char **key, size_t *key_len, cbor_in *value) {
  if (!each_more(each))
    return false;
  if (cbor_get_text(&each->in, key, key_len) != CBOR_OK) {
    *key = NULL;
    *key_len = 0;
    if (cbor_skip(&each->in) != CBOR_OK)
      return false;
  }
  *value = each->in;
  return cbor_skip(&each->in) == CBOR_OK;
}

/* ---- members ---- */

bool field_is_text(cbor_in value, field_text *text) {
  return cbor_get_text(&value, &text->text, &text->len) == CBOR_OK;
}

bool field_same(field_text text, const char *word) {
  return text.text && strlen(word) == text.len && memcmp(text.text, word, text.len) == 0;
}

static bool set(const field_spec *spec, cbor_in value, void *target) {
  char *field = (char *)target + spec->offset;
  uint64_t number;
  switch (spec->kind) {
  case FIELD_TEXT:
    return field_is_text(value, (field_text *)(void *)field);
  case FIELD_BOOL:
    return cbor_get_bool(&value, (bool *)field) == CBOR_OK;
  case FIELD_NUMBER:
    if (cbor_get_uint(&value, &number) != CBOR_OK || number < spec->min || number > spec->max)
      return false;
    memcpy(field, &number, sizeof number);
    return true;
  case FIELD_VALUE:
    *(field_value *)(void *)field = (field_value){true, value};
    return true;
  }
  return false;
}

static bool fail_kind(const field_spec *spec, const char *where, char *message, size_t size) {
  if (spec->kind == FIELD_NUMBER)
    snprintf(message, size, "%s: %s must be a whole number from %llu to %llu", where, spec->name,
             (unsigned long long)spec->min, (unsigned long long)spec->max);
  else
    snprintf(message, size, "%s: %s must be %s", where, spec->name,
             spec->kind == FIELD_TEXT ? "a string" : "true or false");
  return false;
}

static bool fail_unknown(const field_spec *specs, size_t count, const char *where, field_text key,
                         char *message, size_t size) {
  api_quote quote = api_quoted(key.text ? key.text : "", key.len);
  int used = snprintf(message, size, "%s: there is no '%s'; there are: ", where, quote.text);
  for (size_t i = 0; i < count && used >= 0 && (size_t)used < size; i++)
    used += snprintf(message + used, size - (size_t)used, "%s%s", i ? ", " : "", specs[i].name);
  return false;
}

static bool fail_missing(const field_spec *specs, size_t count, uint64_t given, const char *where,
                         char *message, size_t size) {
  for (size_t i = 0; i < count; i++) {
    if (!specs[i].needed || (given & UINT64_C(1) << i))
      continue;
    snprintf(message, size, "%s: %s is missing", where, specs[i].name);
    return true;
  }
  return false;
}

bool field_is_null(cbor_in value) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK && item.kind == CBOR_NULL;
}

bool fields_read(const field_spec *specs, size_t count, cbor_in object, const char *where,
                 void *target, char *message, size_t message_size) {
  each members;
  cbor_kind kind;
  cbor_in value;
  field_text key;
  uint64_t given = 0;
  if (!each_begin(&members, object, &kind) || kind != CBOR_MAP) {
    snprintf(message, message_size, "%s: must be an object", where);
    return false;
  }
  while (each_pair(&members, &key.text, &key.len, &value)) {
    size_t i = 0;
    while (i < count && !field_same(key, specs[i].name))
      i++;
    if (i == count)
      return fail_unknown(specs, count, where, key, message, message_size);
    if (field_is_null(value) && specs[i].kind != FIELD_VALUE)
      continue;
    if (!set(&specs[i], value, target))
      return fail_kind(&specs[i], where, message, message_size);
    given |= UINT64_C(1) << i;
  }
  return !fail_missing(specs, count, given, where, message, message_size);
}
