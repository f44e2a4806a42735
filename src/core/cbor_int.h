/* Shared by the cbor_*.c files and the JSON writer; nobody else includes it. */
#ifndef VOW_CORE_CBOR_INT_H
#define VOW_CORE_CBOR_INT_H

#include "core/cbor.h"

enum {
  CBOR_MAJOR_UINT = 0,
  CBOR_MAJOR_NEGINT = 1,
  CBOR_MAJOR_BYTES = 2,
  CBOR_MAJOR_TEXT = 3,
  CBOR_MAJOR_ARRAY = 4,
  CBOR_MAJOR_MAP = 5,
  CBOR_MAJOR_TAG = 6,
  CBOR_MAJOR_SIMPLE = 7,

  CBOR_INFO_1 = 24, /* the argument is in the next 1, 2, 4, 8 bytes: 24..27 */
  CBOR_INFO_8 = 27,
  CBOR_INFO_OPEN = 31,

  CBOR_BYTE_BREAK = 0xff,
};

static inline uint64_t cbor_load_be(const uint8_t *at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++)
    value = value << 8 | at[i];
  return value;
}

/* Reads the argument that follows an initial byte whose low five bits are
 * `info` (not CBOR_INFO_OPEN), and advances `at`. */
static inline cbor_status cbor_argument(const uint8_t **at, const uint8_t *end, unsigned info,
                                        uint64_t *value) {
  if (info < CBOR_INFO_1) {
    *value = info;
    return CBOR_OK;
  }
  if (info > CBOR_INFO_8)
    return CBOR_E_MALFORMED;
  size_t width = (size_t)1 << (info - CBOR_INFO_1);
  if ((size_t)(end - *at) < width)
    return CBOR_E_TRUNCATED;
  *value = cbor_load_be(*at, width);
  *at += width;
  return CBOR_OK;
}

/* The value of an IEEE 754 float of 2, 4 or 8 bytes, given its bits. */
double cbor_float_value(uint64_t bits, size_t width);

/* Writes an initial byte with its argument in the shortest form. */
void cbor_put_head(cbor_out *out, unsigned major, uint64_t argument);

#endif
