#include "task/task_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cbor.h"
#include "core/json.h"
#include "core/json_read.h"
#include "core/utf8.h"
#include "vow/task.h"

/* As for the values of operations. */
static const cbor_limits limits = {256, 1000000, 64u << 20};

/* ---- types ---- */

/* What a value is: its name in messages, and the types it fits. */
typedef struct sort {
  const char *name;
  uint32_t types;
} sort;

static const sort nothing = {"null", VOW_TYPE_NONE};
static const sort integer = {"integer", VOW_TYPE_INTEGER | VOW_TYPE_NUMBER};
static const sort number = {"number", VOW_TYPE_NUMBER};
static const sort string = {"text", VOW_TYPE_TEXT};
static const sort octets = {"bytes", VOW_TYPE_BYTES};
static const sort list = {"list", VOW_TYPE_LIST};
static const sort map = {"map", VOW_TYPE_MAP};

/* False: the tag says nothing about the type, what it holds does. */
static bool sort_of_tag(uint64_t tag, sort *is) {
  if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST) {
    *is = octets;
    return true;
  }
  switch (tag) {
  case CBOR_TAG_EPOCH:
    *is = (sort){"date", VOW_TYPE_DATE};
    return true;
  case CBOR_TAG_BIGNUM:
  case CBOR_TAG_NEGATIVE_BIGNUM:
    *is = integer;
    return true;
  case CBOR_TAG_OBJECT:
    *is = (sort){"error", 0};
    return true;
  case CBOR_TAG_WTF8:
    *is = string;
    return true;
  case CBOR_TAG_MAP:
    *is = map;
    return true;
  case CBOR_TAG_SET:
    *is = list;
    return true;
  default:
    return false;
  }
}

static sort sort_of_plain(const cbor_item *item) {
  switch (item->kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
    return integer;
  case CBOR_FLOAT:
    return isfinite(item->d) && floor(item->d) == item->d ? integer : number;
  case CBOR_BYTES:
    return octets;
  case CBOR_TEXT:
    return string;
  case CBOR_ARRAY:
    return list;
  case CBOR_MAP:
    return map;
  case CBOR_BOOL:
    return (sort){"boolean", VOW_TYPE_BOOL};
  case CBOR_NULL:
  case CBOR_UNDEFINED:
    return nothing;
  default:
    return (sort){"a simple value", 0};
  }
}

static sort sort_of(const void *bytes, size_t len) {
  cbor_in in;
  cbor_item item;
  sort is;
  if (!bytes)
    return nothing;
  if (cbor_check(bytes, len, &limits) != CBOR_OK)
    return (sort){"not one CBOR value within the limits", 0};
  cbor_in_init(&in, bytes, len);
  while (cbor_next(&in, &item) == CBOR_OK && item.kind == CBOR_TAG)
    if (sort_of_tag(item.n, &is))
      return is;
  return sort_of_plain(&item);
}

/* "integer, text or null" */
static void list_types(uint32_t types, char *to, size_t size) {
  static const char *const names[] = {"boolean", "integer", "number", "text", "bytes",
                                      "list",    "map",     "date",   "null"};
  static const uint32_t bits[] = {VOW_TYPE_BOOL, VOW_TYPE_INTEGER, VOW_TYPE_NUMBER,
                                  VOW_TYPE_TEXT, VOW_TYPE_BYTES,   VOW_TYPE_LIST,
                                  VOW_TYPE_MAP,  VOW_TYPE_DATE,    VOW_TYPE_NONE};
  uint32_t left = types & TASK_TYPES_ALL;
  size_t used = 0;
  *to = 0;
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
    if (!(left & bits[i]))
      continue;
    left &= ~bits[i];
    const char *before = used == 0 ? "" : left ? ", " : " or ";
    int n = snprintf(to + used, size - used, "%s%s", before, names[i]);
    used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
  }
}

bool task_value_fits(uint32_t types, const void *bytes, size_t len, const char *what,
                     const char *name, char *message, size_t size) {
  char expected[96];
  if (types == 0)
    return true;
  sort is = sort_of(bytes, len);
  if (is.types & types)
    return true;
  list_types(types, expected, sizeof expected);
  snprintf(message, size, "%s of '%s' is %s, expected %s", what, name, is.name, expected);
  return false;
}

bool task_value_is_cbor(const void *bytes, size_t len) {
  return cbor_check(bytes, len, &limits) == CBOR_OK;
}

/* ---- JSON ---- */

vow_status task_value_from_json(const vow_allocator *allocator, const char *json, void **bytes,
                                size_t *len) {
  cbor_out out;
  size_t at;
  if (!json)
    return VOW_E_JSON;
  cbor_out_init(&out, allocator, limits.bytes);
  cbor_status status = json_to_cbor(json, strlen(json), false, &limits, &out, &at);
  if (status != CBOR_OK) {
    cbor_out_free(&out);
    return status == CBOR_E_NOMEM ? VOW_E_NOMEM : VOW_E_JSON;
  }
  *bytes = cbor_out_take(&out, len);
  return VOW_OK;
}

char *task_value_to_json(const vow_allocator *allocator, const void *bytes, size_t len) {
  cbor_out out;
  size_t json_len;
  cbor_out_init(&out, allocator, SIZE_MAX);
  if (bytes && json_from_cbor(bytes, len, &limits, &out) == CBOR_OK)
    cbor_put_raw(&out, "", 1);
  if (out.len == 0 || out.status != CBOR_OK) {
    cbor_out_free(&out);
    return NULL;
  }
  return (char *)cbor_out_take(&out, &json_len);
}

/* ---- texts ---- */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The next character: its bytes, how many, and how far to go on in `from`. */
static const char *next(const char *from, size_t len, size_t *bytes, size_t *step) {
  utf8_step is = utf8_next((const uint8_t *)from, len, false);
  *step = is.len;
  *bytes = is.good ? is.len : sizeof replacement - 1;
  return is.good ? from : replacement;
}

static size_t ascii_len(const char *text, size_t len) {
  uint64_t word;
  size_t used = 0;
  for (; len - used >= sizeof word; used += sizeof word) {
    memcpy(&word, text + used, sizeof word);
    if (word & UINT64_C(0x8080808080808080))
      break;
  }
  while (used < len && (uint8_t)text[used] < 0x80)
    used++;
  return used;
}

/* Copies what fits to `to`, which may be NULL; a sequence of 4 bytes may begin at the last. */
static size_t fit(char *to, const char *from, size_t max) {
  size_t len = from ? strnlen(from, max + 4) : 0, bytes, step;
  size_t used = ascii_len(from, len < max ? len : max); /* most are no longer */
  if (to && used > 0)
    memcpy(to, from, used);
  for (size_t at = used; at < len; at += step) {
    const char *character = next(from + at, len - at, &bytes, &step);
    if (bytes > max - used)
      break;
    if (to)
      memcpy(to + used, character, bytes);
    used += bytes;
  }
  return used;
}

size_t task_text_len(const char *text, size_t max) {
  return fit(NULL, text, max);
}

char *task_text_copy(char *to, const char *text, size_t max) {
  size_t len = fit(to, text, max);
  to[len] = 0;
  return to + len + 1;
}
