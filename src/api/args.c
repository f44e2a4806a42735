/* Arguments of operations, from CBOR that a guest made. */
#include "api/args.h"

#include <math.h>
#include <string.h>

#include "core/utf8.h"

bool api_fail_bytes(api_where where) {
  return api_fail_kind(where, "%s", "the arguments are not well-formed");
}

/* ---- what a value is ---- */

static const char *tagged_name(uint64_t tag) {
  if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
    return "a typed array";
  switch (tag) {
  case CBOR_TAG_EPOCH:
    return "Date";
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    return "bigint";
  case CBOR_TAG_OBJECT:
    return "Error";
  case CBOR_TAG_SET:
    return "Set";
  case CBOR_TAG_MAP:
    return "Map";
  case CBOR_TAG_WTF8:
    return "a string with lone surrogates";
  default:
    return "a tagged value";
  }
}

const char *api_kind_name(cbor_in value) {
  cbor_item item;
  if (cbor_next(&value, &item) != CBOR_OK)
    return "nothing";
  switch (item.kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
  case CBOR_FLOAT:
    return "number";
  case CBOR_TEXT:
    return item.indefinite ? "a string in chunks" : "string";
  case CBOR_BYTES:
    return "bytes";
  case CBOR_ARRAY:
    return "array";
  case CBOR_MAP:
    return "object";
  case CBOR_BOOL:
    return "boolean";
  case CBOR_NULL:
    return "null";
  case CBOR_UNDEFINED:
    return "undefined";
  case CBOR_TAG:
    return tagged_name(item.n);
  default:
    return "an unknown value";
  }
}

bool api_is_kind(cbor_in value, cbor_kind kind) {
  cbor_item item;
  return cbor_peek(&value, &item) == CBOR_OK && item.kind == kind;
}

bool api_is_undefined(cbor_in value) {
  return api_is_kind(value, CBOR_UNDEFINED);
}

static bool has_control(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
      return true;
  return false;
}

/* ---- the list of arguments ---- */

bool api_args_begin(const api_call *call, api_args *args, api_where where) {
  cbor_item head;
  args->in = call->args;
  if (cbor_next(&args->in, &head) != CBOR_OK || head.kind != CBOR_ARRAY)
    return api_fail_bytes(where);
  args->open = head.indefinite;
  args->left = head.n;
  return true;
}

cbor_in api_args_next(api_args *args) {
  static const uint8_t undefined[] = {0xf7};
  cbor_in value = {undefined, undefined + 1};
  cbor_item item;
  const uint8_t *bytes;
  size_t len;
  if (!args->open && args->left == 0)
    return value;
  if (args->open && (cbor_peek(&args->in, &item) != CBOR_OK || item.kind == CBOR_BREAK))
    return value;
  if (cbor_slice(&args->in, &bytes, &len) == CBOR_OK)
    cbor_in_init(&value, bytes, len);
  args->left--;
  return value;
}

/* ---- texts ---- */

bool api_read_text(cbor_in value, const char *name, size_t max, api_text *text, api_where where) {
  const char *utf8;
  cbor_in in = value;
  if (cbor_get_text(&in, &utf8, &text->len) != CBOR_OK)
    return api_fail_kind(where, "%s must be a string, got %s", name, api_kind_name(value));
  text->text = utf8;
  text->given = true;
  if (text->len > max)
    return api_fail_bound(where, "%s is %zu bytes long; at most %zu are allowed", name, text->len,
                          max);
  if (!utf8_valid((const uint8_t *)utf8, text->len))
    return api_fail_kind(where, "%s must be well-formed Unicode, without lone surrogates", name);
  return true;
}

bool api_read_name(cbor_in value, const char *name, size_t max, api_text *text, api_where where) {
  if (!api_read_text(value, name, max, text, where))
    return false;
  if (text->len == 0)
    return api_fail_bound(where, "%s must not be empty", name);
  if (has_control(text->text, text->len))
    return api_fail_kind(where, "%s must not contain control characters", name);
  return true;
}

/* ---- objects ---- */

bool api_next_pair(cbor_in *in, api_pair *next, api_where where) {
  const uint8_t *bytes;
  size_t len;
  cbor_in key = *in, again = *in;
  if (cbor_slice(in, &bytes, &len) != CBOR_OK)
    return api_fail_bytes(where);
  if (cbor_get_text(&key, &next->key, &next->len) != CBOR_OK)
    return api_fail_kind(where, "a key must be a string, got %s", api_kind_name(again));
  if (cbor_slice(in, &bytes, &len) != CBOR_OK)
    return api_fail_bytes(where);
  cbor_in_init(&next->value, bytes, len);
  return true;
}

bool api_more_pairs(cbor_in *in, const cbor_item *head, uint64_t done) {
  cbor_item item;
  if (!head->indefinite)
    return done < head->n;
  return cbor_peek(in, &item) == CBOR_OK && item.kind != CBOR_BREAK;
}

bool api_read_limit(cbor_in value, unsigned max, unsigned *limit, api_where where) {
  double number;
  cbor_in in = value;
  if (cbor_get_number(&in, &number) != CBOR_OK)
    return api_fail_kind(where, "limit must be a number, got %s", api_kind_name(value));
  if (!(number >= 1 && number <= max) || number != floor(number))
    return api_fail_bound(where, "limit must be a whole number from 1 to %u, got %.15g", max,
                          number);
  *limit = (unsigned)number;
  return true;
}

bool api_is_key(const api_pair *next, const char *name) {
  return strlen(name) == next->len && memcmp(name, next->key, next->len) == 0;
}

static bool is_of_every_operation(const api_pair *next) {
  return api_is_key(next, "timeout") || api_is_key(next, "priority") || api_is_key(next, "signal");
}

bool api_read_options(cbor_in value, const char *names, api_option_reader *read, void *options,
                      api_where where) {
  cbor_item head;
  const char *kind = api_kind_name(value);
  if (api_is_undefined(value))
    return true;
  if (cbor_next(&value, &head) != CBOR_OK || head.kind != CBOR_MAP)
    return api_fail_kind(where, "the options must be an object, got %s", kind);
  for (uint64_t i = 0; api_more_pairs(&value, &head, i); i++) {
    api_pair next;
    bool known = true;
    if (!api_next_pair(&value, &next, where))
      return false;
    if (api_is_undefined(next.value) || is_of_every_operation(&next))
      continue;
    if (!read(&next, options, &known, where))
      return false;
    if (!known)
      return api_fail_kind(where, "unknown option '%s'; there are: %s",
                           api_quoted(next.key, next.len).text, names);
  }
  return true;
}
