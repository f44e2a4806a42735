#include "core/json_forms.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DATE_MS_MAX 8.64e15 /* ECMA-262 21.4.1.1 */
#define NUMBER_TEXT_MAX 40u
#define LIMB_DIGITS 9u
#define LIMB_BASE UINT32_C(1000000000)
#define LIMBS_MAX (JSON_FORM_DIGITS_MAX / LIMB_DIGITS + 2)

static bool same(const uint8_t *text, size_t len, const char *word) {
  return strlen(word) == len && memcmp(text, word, len) == 0;
}

size_t json_form_key(const uint8_t *key, size_t len) {
  size_t signs = 0;
  while (signs < len && key[signs] == '$')
    signs++;
  const uint8_t *word = key + signs;
  size_t rest = len - signs;
  return same(word, rest, "bytes") || same(word, rest, "bigint") || same(word, rest, "date") ? signs
                                                                                             : 0;
}

/* ---- bytes ---- */

static int digit_value(uint8_t c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Whole groups, with padding in the last one only and no bits left over. */
static bool is_base64(const uint8_t *text, size_t len, size_t *padding) {
  if (len % 4 != 0)
    return false;
  *padding = len && text[len - 1] == '=' ? text[len - 2] == '=' ? 2 : 1 : 0;
  for (size_t i = 0; i < len - *padding; i++)
    if (digit_value(text[i]) < 0)
      return false;
  int last = *padding ? digit_value(text[len - *padding - 1]) : 0;
  return (last & (*padding == 2 ? 0xf : *padding == 1 ? 0x3 : 0)) == 0;
}

static void put_group(cbor_out *out, const uint8_t *text, size_t bytes) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; i++)
    bits = bits << 6 | (uint32_t)(text[i] == '=' ? 0 : digit_value(text[i]));
  const uint8_t group[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
  cbor_put_raw(out, group, bytes);
}

/* The head of a byte string comes first, so its length must be known before. */
static void put_bytes_head(cbor_out *out, size_t len) {
  uint8_t head[9];
  size_t width = len < 24 ? 0 : len <= UINT8_MAX ? 1 : len <= UINT16_MAX ? 2 : 4;
  head[0] = (uint8_t)(0x40 | (width == 0 ? len : width == 1 ? 24 : width == 2 ? 25 : 26));
  for (size_t i = 0; i < width; i++)
    head[1 + i] = (uint8_t)(len >> (8 * (width - 1 - i)));
  cbor_put_raw(out, head, 1 + width);
}

static bool read_bytes(const uint8_t *text, size_t len, cbor_out *out) {
  size_t padding;
  if (!is_base64(text, len, &padding) || len > UINT32_MAX)
    return false;
  cbor_put_tag(out, CBOR_TAG_TYPED_FIRST); /* a Uint8Array, as script knows bytes */
  put_bytes_head(out, len / 4 * 3 - padding);
  for (size_t at = 0; at < len; at += 4)
    put_group(out, text + at, at + 4 == len ? 3 - padding : 3);
  return true;
}

/* ---- bigint ---- */

/* limbs = limbs * 10^9 + digits, of 32 bits each, the least first. */
static size_t append_digits(uint32_t *limbs, size_t count, uint32_t factor, uint32_t digits) {
  uint64_t carry = digits;
  for (size_t i = 0; i < count; i++) {
    carry += (uint64_t)limbs[i] * factor;
    limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry)
    limbs[count++] = (uint32_t)carry;
  return count;
}

static size_t limbs_of(const uint8_t *digits, size_t len, uint32_t *limbs) {
  size_t count = 0;
  for (size_t at = 0; at < len;) {
    uint32_t value = 0, factor = 1;
    for (; at < len && factor < LIMB_BASE; at++) {
      value = value * 10 + (uint32_t)(digits[at] - '0');
      factor *= 10;
    }
    count = append_digits(limbs, count, factor, value);
  }
  return count;
}

static bool is_digits(const uint8_t *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] < '0' || text[i] > '9')
      return false;
  return len > 0 && len <= JSON_FORM_DIGITS_MAX;
}

static void subtract_one(uint32_t *limbs, size_t count) {
  for (size_t i = 0; i < count && limbs[i]-- == 0; i++)
    continue;
}

static bool read_bigint(const uint8_t *text, size_t len, cbor_out *out) {
  uint32_t limbs[LIMBS_MAX];
  uint8_t bytes[LIMBS_MAX * 4];
  bool negative = len > 0 && text[0] == '-';
  if (!is_digits(text + negative, len - negative))
    return false;
  size_t count = limbs_of(text + negative, len - negative, limbs), used = 0;
  negative = negative && count > 0; /* there is no -0n */
  if (negative)
    subtract_one(limbs, count);
  for (size_t i = count * 4; i-- > 0;) {
    uint8_t byte = (uint8_t)(limbs[i / 4] >> (8 * (i % 4)));
    if (used || byte)
      bytes[used++] = byte;
  }
  cbor_put_tag(out, negative ? CBOR_TAG_NEGATIVE_BIGNUM : CBOR_TAG_BIGNUM);
  cbor_put_bytes(out, bytes, used);
  return true;
}

/* ---- Date ---- */

static bool read_date(const uint8_t *text, size_t len, cbor_out *out) {
  char number[NUMBER_TEXT_MAX + 1];
  double ms = NAN;
  if (len == 0 || len > NUMBER_TEXT_MAX)
    return false;
  if (!same(text, len, "null")) {
    char *end;
    memcpy(number, text, len);
    number[len] = 0;
    /* strtod() knows more than JSON does: words, hexadecimal digits. */
    if (strspn(number, "0123456789+-.eE") != len)
      return false;
    ms = strtod_l(number, &end, newlocale(LC_ALL_MASK, "C", NULL));
    if (*end || !(fabs(ms) <= DATE_MS_MAX))
      return false;
    ms = trunc(ms);
  }
  cbor_put_tag(out, CBOR_TAG_EPOCH);
  if (fmod(ms, 1000) == 0)
    cbor_put_int(out, (int64_t)(ms / 1000));
  else
    cbor_put_double(out, ms / 1000);
  return true;
}

bool json_form_read(const uint8_t *key, size_t key_len, const uint8_t *content, size_t len,
                    cbor_out *out) {
  if (same(key, key_len, "$date"))
    return read_date(content, len, out);
  if (len < 2 || content[0] != '"' || content[len - 1] != '"')
    return false;
  if (same(key, key_len, "$bytes"))
    return read_bytes(content + 1, len - 2, out);
  return same(key, key_len, "$bigint") && read_bigint(content + 1, len - 2, out);
}
