/* Numbers in JSON text: doubles by ECMA-262 6.1.6.1.20 (Number::toString), and
 * integers of any length. */
#include "core/json_int.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_INTEGER_MAX 9007199254740991.0

enum { DIGITS_MAX = 17 };

void json_put_uint(cbor_out *out, uint64_t value) {
  char text[20];
  size_t at = sizeof text;
  do {
    text[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  cbor_put_raw(out, text + at, sizeof text - at);
}

void json_put_negint(cbor_out *out, uint64_t n) {
  if (n == UINT64_MAX) {
    static const char lowest[] = "-18446744073709551616";
    cbor_put_raw(out, lowest, sizeof lowest - 1);
    return;
  }
  cbor_put_raw(out, "-", 1);
  json_put_uint(out, n + 1);
}

/* ---- doubles ---- */

/* digits * 10^(point - count), the digits taken as an integer */
typedef struct decimal {
  char digits[DIGITS_MAX];
  int count;
  int point; /* the decimal point stands after so many digits */
} decimal;

/* `value` (positive) rounded to `count` digits. Only digits and the exponent
 * are read back: the decimal point is whatever the locale says. */
static decimal rounded(double value, int count) {
  decimal d = {.count = 0};
  char text[64];
  snprintf(text, sizeof text, "%.*e", count - 1, value);
  const char *at = text;
  for (; *at != 'e'; at++) {
    if (*at >= '0' && *at <= '9' && d.count < count)
      d.digits[d.count++] = *at;
  }
  d.point = (int)strtol(at + 1, NULL, 10) + 1;
  return d;
}

/* Without a decimal point strtod knows no locale. */
static bool reads_back(const decimal *d, double value) {
  char text[64];
  snprintf(text, sizeof text, "%.*se%d", d->count, d->digits, d->point - d->count);
  return strtod(text, NULL) == value;
}

/* The next decimal with as many digits; false if there is none. */
static bool step_up(decimal *d) {
  for (int i = d->count; i > 0; i--) {
    if (d->digits[i - 1] != '9') {
      d->digits[i - 1]++;
      return true;
    }
    d->digits[i - 1] = '0';
  }
  return false;
}

static bool is_power_of_two(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* The shortest decimal that reads back as `value`. Any decimal of 15 digits
 * survives a normal double, so what 15 digits can say is found there, with
 * zeros at the end. Below a power of two the doubles lie closer: there the
 * nearest decimal may miss where the next one above it hits. */
static decimal shortest(double value) {
  decimal d = {.count = 0};
  for (int count = value < DBL_MIN ? 1 : DBL_DIG; count <= DIGITS_MAX; count++) {
    d = rounded(value, count);
    if (count == DIGITS_MAX || reads_back(&d, value))
      break;
    decimal above = d;
    if (is_power_of_two(value) && step_up(&above) && reads_back(&above, value)) {
      d = above;
      break;
    }
  }
  while (d.count > 1 && d.digits[d.count - 1] == '0')
    d.count--;
  return d;
}

static void put_zeros(cbor_out *out, int count) {
  static const char zeros[] = "000000000000000000000";
  cbor_put_raw(out, zeros, (size_t)count);
}

static void put_exponent(cbor_out *out, int exponent) {
  cbor_put_raw(out, exponent < 0 ? "e-" : "e+", 2);
  json_put_uint(out, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

static void put_decimal(cbor_out *out, const decimal *d) {
  size_t count = (size_t)d->count;
  if (d->point > 21 || d->point <= -6) {
    cbor_put_raw(out, d->digits, 1);
    if (count > 1) {
      cbor_put_raw(out, ".", 1);
      cbor_put_raw(out, d->digits + 1, count - 1);
    }
    put_exponent(out, d->point - 1);
  } else if (d->point >= d->count) {
    cbor_put_raw(out, d->digits, count);
    put_zeros(out, d->point - d->count);
  } else if (d->point > 0) {
    size_t whole = (size_t)d->point;
    cbor_put_raw(out, d->digits, whole);
    cbor_put_raw(out, ".", 1);
    cbor_put_raw(out, d->digits + whole, count - whole);
  } else {
    cbor_put_raw(out, "0.", 2);
    put_zeros(out, -d->point);
    cbor_put_raw(out, d->digits, count);
  }
}

void json_put_number(cbor_out *out, double value) {
  if (!(value >= -DBL_MAX && value <= DBL_MAX)) {
    cbor_put_raw(out, "null", 4);
    return;
  }
  if (value < 0) {
    cbor_put_raw(out, "-", 1);
    value = -value;
  }
  if (value <= SAFE_INTEGER_MAX && value == (double)(uint64_t)value) {
    json_put_uint(out, (uint64_t)value);
    return;
  }
  decimal d = shortest(value);
  put_decimal(out, &d);
}

/* ---- bigints ---- */

__extension__ typedef unsigned __int128 wide;

/* The largest power of ten in 64 bits. Its top bit is set, so the division
 * below needs no shifting. */
#define CHUNK UINT64_C(10000000000000000000)
enum { CHUNK_DIGITS = 19 };

/* floor((2^128 - 1) / CHUNK) - 2^64 */
#define CHUNK_INVERSE ((uint64_t)(~(wide)0 / CHUNK - ((wide)1 << 64)))

/* (high * 2^64 + low) / CHUNK for high < CHUNK, by multiplying with the inverse
 * (N. Moeller, T. Granlund, "Improved division by invariant integers", 2011):
 * several times faster than the machine's division. */
static inline uint64_t divide(uint64_t high, uint64_t low, uint64_t *rest) {
  wide guess = (wide)CHUNK_INVERSE * high + ((wide)high << 64 | low);
  uint64_t quotient = (uint64_t)(guess >> 64) + 1;
  uint64_t remainder = low - quotient * CHUNK;
  if (remainder > (uint64_t)guess) {
    quotient--;
    remainder += CHUNK;
  }
  if (remainder >= CHUNK) {
    quotient++;
    remainder -= CHUNK;
  }
  *rest = remainder;
  return quotient;
}

/* Fills `limbs` (most significant first, one to spare in front) from bytes. */
static void load_limbs(uint64_t *limbs, size_t count, const uint8_t *bytes, size_t len,
                       bool negative) {
  memset(limbs, 0, count * sizeof *limbs);
  for (size_t i = 0; i < len; i++) {
    size_t place = len - 1 - i;
    limbs[count - 1 - place / 8] |= (uint64_t)bytes[i] << (place % 8 * 8);
  }
  for (size_t i = count; negative && i > 0; i--) {
    if (++limbs[i - 1] != 0)
      break;
  }
}

/* Divides `limbs` down to nothing; the remainders, least significant first, go
 * to `chunks`. Gives their number. */
static size_t to_chunks(uint64_t *limbs, size_t count, uint64_t *chunks) {
  size_t first = 0, made = 0;
  for (;;) {
    while (first < count && limbs[first] == 0)
      first++;
    if (first == count)
      return made;
    uint64_t rest = 0;
    for (size_t i = first; i < count; i++)
      limbs[i] = divide(rest, limbs[i], &rest);
    chunks[made++] = rest;
  }
}

static void put_chunks(cbor_out *out, const uint64_t *chunks, size_t count) {
  json_put_uint(out, count ? chunks[count - 1] : 0);
  for (size_t i = count; i > 1; i--) {
    char text[CHUNK_DIGITS];
    uint64_t chunk = chunks[i - 2];
    for (size_t at = CHUNK_DIGITS; at > 0; at--) {
      text[at - 1] = (char)('0' + chunk % 10);
      chunk /= 10;
    }
    cbor_put_raw(out, text, sizeof text);
  }
}

void json_put_bigint(cbor_out *out, const uint8_t *bytes, size_t len, bool negative) {
  while (len > 0 && bytes[0] == 0) {
    bytes++;
    len--;
  }
  size_t count = len / 8 + 2;
  /* A chunk takes more than 63 bits of the 64 in a limb. */
  size_t chunks_max = count + count / 63 + 1;
  uint64_t *limbs = mem_resize(out->allocator, NULL, count + chunks_max, sizeof *limbs);
  if (!limbs) {
    if (out->status == CBOR_OK)
      out->status = CBOR_E_NOMEM;
    return;
  }
  load_limbs(limbs, count, bytes, len, negative);
  size_t made = to_chunks(limbs, count, limbs + count);
  if (negative)
    cbor_put_raw(out, "-", 1);
  put_chunks(out, limbs + count, made);
  mem_free(out->allocator, limbs);
}
