#include "core/cbor_int.h"

#include <string.h>

const char *cbor_status_text(cbor_status status) {
  switch (status) {
  case CBOR_OK:
    return "ok";
  case CBOR_E_NOMEM:
    return "out of memory";
  case CBOR_E_SIZE:
    return "too many bytes";
  case CBOR_E_TRUNCATED:
    return "ends inside an item";
  case CBOR_E_MALFORMED:
    return "not well-formed";
  case CBOR_E_DEPTH:
    return "nested too deep";
  case CBOR_E_NODES:
    return "too many items";
  }
  return "unknown status";
}

void cbor_in_init(cbor_in *in, const void *bytes, size_t len) {
  in->at = bytes;
  in->end = len ? in->at + len : in->at;
}

bool cbor_in_end(const cbor_in *in) {
  return in->at == in->end;
}

/* ---- one head ---- */

/* A half as the double with the same value: its exponent moved to the double's
 * bias, or, below the normal range, its mantissa as a multiple of 2^-24. */
static double half_value(unsigned half) {
  uint64_t sign = (uint64_t)(half >> 15) << 63, mantissa = half & 0x3ff;
  unsigned exponent = half >> 10 & 0x1f;
  if (exponent == 0) {
    double value = (double)mantissa * 0x1p-24;
    return sign ? -value : value;
  }
  uint64_t wide = exponent == 31 ? 0x7ff : exponent + (1023u - 15u);
  uint64_t bits = sign | wide << 52 | mantissa << 42;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

double cbor_float_value(uint64_t bits, size_t width) {
  if (width == 2)
    return half_value((unsigned)bits);
  if (width == 4) {
    uint32_t narrow = (uint32_t)bits;
    float single;
    memcpy(&single, &narrow, sizeof single);
    return (double)single;
  }
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static cbor_status read_simple(cbor_in *in, unsigned info, cbor_item *item) {
  if (info == CBOR_INFO_OPEN) {
    item->kind = CBOR_BREAK;
    return CBOR_OK;
  }
  cbor_status status = cbor_argument(&in->at, in->end, info, &item->n);
  if (status != CBOR_OK)
    return status;
  if (info > CBOR_INFO_1) {
    item->kind = CBOR_FLOAT;
    item->d = cbor_float_value(item->n, (size_t)1 << (info - CBOR_INFO_1));
    return CBOR_OK;
  }
  if (info == CBOR_INFO_1 && item->n < 32)
    return CBOR_E_MALFORMED;
  switch (item->n) {
  case 20:
  case 21:
    item->kind = CBOR_BOOL;
    item->n -= 20;
    break;
  case 22:
    item->kind = CBOR_NULL;
    break;
  case 23:
    item->kind = CBOR_UNDEFINED;
    break;
  default:
    item->kind = CBOR_SIMPLE;
  }
  return CBOR_OK;
}

/* Strings: the payload is taken along. Containers: every item to come needs at
 * least one byte, so a count beyond what is left is known to be a lie. */
static cbor_status read_counted(cbor_in *in, unsigned major, cbor_item *item) {
  size_t left = (size_t)(in->end - in->at);
  if (major == CBOR_MAJOR_MAP)
    return item->n > left / 2 ? CBOR_E_TRUNCATED : CBOR_OK;
  if (item->n > left)
    return CBOR_E_TRUNCATED;
  if (major == CBOR_MAJOR_ARRAY)
    return CBOR_OK;
  item->bytes = in->at;
  item->len = (size_t)item->n;
  in->at += item->len;
  return CBOR_OK;
}

static cbor_status read_item(cbor_in *in, cbor_item *item) {
  static const cbor_kind kinds[] = {CBOR_UINT,  CBOR_NEGINT, CBOR_BYTES, CBOR_TEXT,
                                    CBOR_ARRAY, CBOR_MAP,    CBOR_TAG};
  *item = (cbor_item){0};
  if (in->at == in->end)
    return CBOR_E_TRUNCATED;
  unsigned major = *in->at >> 5, info = *in->at & 0x1f;
  in->at++;
  if (major == CBOR_MAJOR_SIMPLE)
    return read_simple(in, info, item);
  item->kind = kinds[major];
  bool counted = major >= CBOR_MAJOR_BYTES && major <= CBOR_MAJOR_MAP;
  if (counted && info == CBOR_INFO_OPEN) {
    item->indefinite = true;
    return CBOR_OK;
  }
  cbor_status status = cbor_argument(&in->at, in->end, info, &item->n);
  if (status != CBOR_OK || !counted)
    return status;
  return read_counted(in, major, item);
}

cbor_status cbor_next(cbor_in *in, cbor_item *item) {
  cbor_in ahead = *in;
  cbor_status status = read_item(&ahead, item);
  if (status == CBOR_OK)
    *in = ahead;
  return status;
}

cbor_status cbor_peek(const cbor_in *in, cbor_item *item) {
  cbor_in ahead = *in;
  return read_item(&ahead, item);
}

/* ---- fixed shapes ---- */

/* Takes the next item if it is a definite one of `kind`. */
static cbor_status take(cbor_in *in, cbor_kind kind, cbor_item *item) {
  cbor_in ahead = *in;
  cbor_status status = read_item(&ahead, item);
  if (status != CBOR_OK)
    return status;
  if (item->kind != kind || item->indefinite)
    return CBOR_E_MALFORMED;
  *in = ahead;
  return CBOR_OK;
}

cbor_status cbor_get_uint(cbor_in *in, uint64_t *value) {
  cbor_item item;
  cbor_status status = take(in, CBOR_UINT, &item);
  if (status == CBOR_OK)
    *value = item.n;
  return status;
}

cbor_status cbor_get_bool(cbor_in *in, bool *value) {
  cbor_item item;
  cbor_status status = take(in, CBOR_BOOL, &item);
  if (status == CBOR_OK)
    *value = item.n != 0;
  return status;
}

cbor_status cbor_get_number(cbor_in *in, double *value) {
  cbor_item item;
  cbor_status status = cbor_peek(in, &item);
  if (status != CBOR_OK)
    return status;
  if (item.kind == CBOR_UINT)
    *value = (double)item.n;
  else if (item.kind == CBOR_NEGINT)
    *value = -1.0 - (double)item.n;
  else if (item.kind == CBOR_FLOAT)
    *value = item.d;
  else
    return CBOR_E_MALFORMED;
  return cbor_next(in, &item);
}

cbor_status cbor_get_text(cbor_in *in, const char **utf8, size_t *len) {
  cbor_item item;
  cbor_status status = take(in, CBOR_TEXT, &item);
  if (status == CBOR_OK) {
    *utf8 = (const char *)item.bytes;
    *len = item.len;
  }
  return status;
}

cbor_status cbor_get_bytes(cbor_in *in, const uint8_t **bytes, size_t *len) {
  cbor_item item;
  cbor_status status = take(in, CBOR_BYTES, &item);
  if (status == CBOR_OK) {
    *bytes = item.bytes;
    *len = item.len;
  }
  return status;
}

cbor_status cbor_get_array(cbor_in *in, uint64_t *count) {
  cbor_item item;
  cbor_status status = take(in, CBOR_ARRAY, &item);
  if (status == CBOR_OK)
    *count = item.n;
  return status;
}

cbor_status cbor_get_map(cbor_in *in, uint64_t *pairs) {
  cbor_item item;
  cbor_status status = take(in, CBOR_MAP, &item);
  if (status == CBOR_OK)
    *pairs = item.n;
  return status;
}

/* Steps over the next item and tells in `same` whether it is the text `key`,
 * whole or in chunks. */
static cbor_status match_key(cbor_in *in, const char *key, size_t key_len, bool *same) {
  cbor_item item;
  cbor_status status = cbor_peek(in, &item);
  *same = false;
  if (status != CBOR_OK)
    return status;
  if (item.kind != CBOR_TEXT)
    return cbor_skip(in);
  cbor_next(in, &item);
  if (!item.indefinite) {
    *same = item.len == key_len && (key_len == 0 || memcmp(item.bytes, key, key_len) == 0);
    return CBOR_OK;
  }
  size_t done = 0;
  *same = true;
  while ((status = cbor_next(in, &item)) == CBOR_OK && item.kind == CBOR_TEXT && !item.indefinite) {
    *same = *same && item.len <= key_len - done &&
            (item.len == 0 || memcmp(item.bytes, key + done, item.len) == 0);
    if (*same)
      done += item.len;
  }
  *same = *same && done == key_len;
  if (status == CBOR_OK && item.kind != CBOR_BREAK)
    status = CBOR_E_MALFORMED;
  return status;
}

bool cbor_find(const cbor_in *in, const char *key, cbor_in *value) {
  cbor_in at = *in;
  cbor_item map, ahead;
  if (cbor_next(&at, &map) != CBOR_OK || map.kind != CBOR_MAP)
    return false;
  size_t key_len = strlen(key);
  for (uint64_t i = 0; map.indefinite || i < map.n; i++) {
    bool same;
    if (map.indefinite && (cbor_peek(&at, &ahead) != CBOR_OK || ahead.kind == CBOR_BREAK))
      return false;
    if (match_key(&at, key, key_len, &same) != CBOR_OK)
      return false;
    const uint8_t *begin = at.at;
    if (cbor_skip(&at) != CBOR_OK)
      return false;
    if (same) {
      *value = (cbor_in){.at = begin, .end = at.at};
      return true;
    }
  }
  return false;
}
