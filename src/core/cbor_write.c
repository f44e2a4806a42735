#include "core/cbor_int.h"

#include <float.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void cbor_out_init(cbor_out *out, const vow_allocator *allocator, size_t max) {
  *out = (cbor_out){.allocator = allocator, .max = max};
}

void cbor_out_fixed(cbor_out *out, uint8_t *data, size_t cap) {
  *out = (cbor_out){.data = data, .cap = cap, .max = cap, .fixed = true};
}

void cbor_out_free(cbor_out *out) {
  if (!out->fixed)
    mem_free(out->allocator, out->data);
  *out = (cbor_out){.allocator = out->allocator, .max = out->max};
}

static bool grow(cbor_out *out, size_t more) {
  if (more > out->max - out->len || out->fixed) {
    out->status = CBOR_E_SIZE;
    return false;
  }
  size_t need = out->len + more;
  size_t cap = out->cap > out->max / 2 ? out->max : out->cap * 2;
  if (cap < FIRST_CAP)
    cap = FIRST_CAP < out->max ? FIRST_CAP : out->max;
  if (cap < need)
    cap = need;
  uint8_t *data = mem_resize(out->allocator, out->data, cap, 1);
  if (!data) {
    out->status = CBOR_E_NOMEM;
    return false;
  }
  out->data = data;
  out->cap = cap;
  return true;
}

/* Appends `more` bytes for the caller to fill; NULL once writing has failed. */
static inline uint8_t *reserve(cbor_out *out, size_t more) {
  if (out->status != CBOR_OK)
    return NULL;
  if (more > out->cap - out->len && !grow(out, more))
    return NULL;
  uint8_t *at = out->data + out->len;
  out->len += more;
  return at;
}

uint8_t *cbor_out_take(cbor_out *out, size_t *len) {
  *len = 0;
  /* Even an empty result is a block, so that NULL always means failure. */
  if (out->status == CBOR_OK && !out->fixed && !out->data) {
    out->data = mem_resize(out->allocator, NULL, 1, 1);
    out->cap = out->data ? 1 : 0;
    if (!out->data)
      out->status = CBOR_E_NOMEM;
  }
  if (out->status != CBOR_OK || out->fixed) {
    cbor_status status = out->status;
    cbor_out_free(out);
    out->status = status;
    return NULL;
  }
  uint8_t *data = out->data;
  *len = out->len;
  cbor_out_init(out, out->allocator, out->max);
  return data;
}

static inline void store_be(uint8_t *at, uint64_t value, size_t width) {
  for (size_t i = width; i > 0; i--) {
    at[i - 1] = (uint8_t)value;
    value >>= 8;
  }
}

/* An initial byte and `width` bytes after it. */
static void put_fixed(cbor_out *out, unsigned initial, uint64_t value, size_t width) {
  uint8_t *at = reserve(out, 1 + width);
  if (!at)
    return;
  at[0] = (uint8_t)initial;
  store_be(at + 1, value, width);
}

void cbor_put_head(cbor_out *out, unsigned major, uint64_t argument) {
  unsigned initial = major << 5;
  if (argument < CBOR_INFO_1)
    put_fixed(out, initial | (unsigned)argument, 0, 0);
  else if (argument <= UINT8_MAX)
    put_fixed(out, initial | CBOR_INFO_1, argument, 1);
  else if (argument <= UINT16_MAX)
    put_fixed(out, initial | (CBOR_INFO_1 + 1), argument, 2);
  else if (argument <= UINT32_MAX)
    put_fixed(out, initial | (CBOR_INFO_1 + 2), argument, 4);
  else
    put_fixed(out, initial | CBOR_INFO_8, argument, 8);
}

void cbor_put_uint(cbor_out *out, uint64_t value) {
  cbor_put_head(out, CBOR_MAJOR_UINT, value);
}

void cbor_put_int(cbor_out *out, int64_t value) {
  if (value >= 0)
    cbor_put_head(out, CBOR_MAJOR_UINT, (uint64_t)value);
  else
    cbor_put_head(out, CBOR_MAJOR_NEGINT, ~(uint64_t)value);
}

/* The half-precision form of the single with these bits, if it is exact. */
static bool half_from_single(uint32_t single, uint16_t *half) {
  uint32_t sign = single >> 16 & 0x8000, mantissa = single & 0x7fffff;
  int exponent = (int)(single >> 23 & 0xff) - 127;
  uint32_t rest;
  if (exponent == -127 && mantissa == 0) {
    rest = 0;
  } else if (exponent == 128 && mantissa == 0) {
    rest = 0x7c00;
  } else if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) == 0) {
    rest = (uint32_t)(exponent + 15) << 10 | mantissa >> 13;
  } else if (exponent >= -24 && exponent < -14) {
    uint32_t whole = mantissa | 0x800000, drop = (uint32_t)(-1 - exponent);
    if (whole & ((1u << drop) - 1))
      return false;
    rest = whole >> drop;
  } else {
    return false;
  }
  *half = (uint16_t)(sign | rest);
  return true;
}

/* Infinities are singles, too; the range test keeps the cast defined. */
static bool single_from_double(double value, uint32_t *bits) {
  double size = value < 0 ? -value : value;
  if (size > (double)FLT_MAX && size <= DBL_MAX)
    return false;
  float single = (float)value;
  memcpy(bits, &single, sizeof *bits);
  return (double)single == value;
}

void cbor_put_double(cbor_out *out, double value) {
  uint64_t bits;
  uint32_t single;
  uint16_t half;
  memcpy(&bits, &value, sizeof bits);
  if (value != value)
    put_fixed(out, 0xf9, 0x7e00, 2);
  else if (!single_from_double(value, &single))
    put_fixed(out, 0xfb, bits, 8);
  else if (half_from_single(single, &half))
    put_fixed(out, 0xf9, half, 2);
  else
    put_fixed(out, 0xfa, single, 4);
}

void cbor_put_bool(cbor_out *out, bool value) {
  put_fixed(out, value ? 0xf5 : 0xf4, 0, 0);
}

void cbor_put_null(cbor_out *out) {
  put_fixed(out, 0xf6, 0, 0);
}

void cbor_put_undefined(cbor_out *out) {
  put_fixed(out, 0xf7, 0, 0);
}

void cbor_put_bytes(cbor_out *out, const void *bytes, size_t len) {
  cbor_put_head(out, CBOR_MAJOR_BYTES, len);
  cbor_put_raw(out, bytes, len);
}

/* Most texts are short: head and text in one. */
void cbor_put_text(cbor_out *out, const char *utf8, size_t len) {
  if (len == 0 || len >= CBOR_INFO_1) {
    cbor_put_head(out, CBOR_MAJOR_TEXT, len);
    cbor_put_raw(out, utf8, len);
    return;
  }
  uint8_t *at = reserve(out, 1 + len);
  if (!at)
    return;
  at[0] = (uint8_t)(CBOR_MAJOR_TEXT << 5 | len);
  memcpy(at + 1, utf8, len);
}

void cbor_put_cstring(cbor_out *out, const char *utf8) {
  cbor_put_text(out, utf8, strlen(utf8));
}

void cbor_put_array(cbor_out *out, uint64_t count) {
  cbor_put_head(out, CBOR_MAJOR_ARRAY, count);
}

void cbor_put_map(cbor_out *out, uint64_t pairs) {
  cbor_put_head(out, CBOR_MAJOR_MAP, pairs);
}

void cbor_put_array_open(cbor_out *out) {
  put_fixed(out, 0x9f, 0, 0);
}

void cbor_put_map_open(cbor_out *out) {
  put_fixed(out, 0xbf, 0, 0);
}

void cbor_put_break(cbor_out *out) {
  put_fixed(out, CBOR_BYTE_BREAK, 0, 0);
}

void cbor_put_tag(cbor_out *out, uint64_t tag) {
  cbor_put_head(out, CBOR_MAJOR_TAG, tag);
}

void cbor_put_raw(cbor_out *out, const void *encoded, size_t len) {
  uint8_t *at = len ? reserve(out, len) : NULL;
  if (at)
    memcpy(at, encoded, len);
}
