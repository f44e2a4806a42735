/* Strings and bytes in JSON text. */
#include "core/json_int.h"

#include "core/utf8.h"

#include <string.h>

/* ---- strings ---- */

static void put_unit_escape(cbor_out *out, uint32_t unit) {
  static const char hex[] = "0123456789abcdef";
  char text[6] = {'\\', 'u'};
  for (size_t i = 0; i < 4; i++)
    text[2 + i] = hex[unit >> (12 - 4 * i) & 0xf];
  cbor_put_raw(out, text, sizeof text);
}

/* A control character, a quote or a backslash. */
static void put_escaped(cbor_out *out, uint8_t byte) {
  static const char letters[0x20] = {
      ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  char letter = byte < 0x20 ? letters[byte] : (char)byte;
  if (!letter) {
    put_unit_escape(out, byte);
    return;
  }
  char text[2] = {'\\', letter};
  cbor_put_raw(out, text, sizeof text);
}

/* The longest beginning that stands in a JSON string as it is. */
static size_t plain_len(const uint8_t *bytes, size_t len) {
  size_t at = 0;
  while (at < len && bytes[at] >= 0x20 && bytes[at] != '"' && bytes[at] != '\\') {
    if (bytes[at] < 0x80) {
      at++;
      continue;
    }
    utf8_step step = utf8_next(bytes + at, len - at, false);
    if (!step.good)
      break;
    at += step.len;
  }
  return at;
}

static bool is_high(uint32_t point) {
  return point >= 0xd800 && point <= 0xdbff;
}

static bool is_low(uint32_t point) {
  return point >= 0xdc00 && point <= 0xdfff;
}

/* One surrogate, or two that make a pair; gives the bytes used. */
static size_t put_surrogate(cbor_out *out, const uint8_t *bytes, size_t len, utf8_step high) {
  if (is_high(high.point) && high.len < len) {
    utf8_step low = utf8_next(bytes + high.len, len - high.len, true);
    if (low.good && is_low(low.point)) {
      uint8_t text[4];
      uint32_t point = 0x10000 + ((high.point - 0xd800) << 10) + (low.point - 0xdc00);
      cbor_put_raw(out, text, utf8_encode(point, text));
      return high.len + low.len;
    }
  }
  put_unit_escape(out, high.point);
  return high.len;
}

/* The text between the quotes. With `wtf8`, surrogates are printed; else they
 * are bad bytes as others are. Stops at bad bytes and gives where. */
static size_t put_good(cbor_out *out, const uint8_t *bytes, size_t len, bool wtf8) {
  size_t at = 0;
  for (;;) {
    size_t plain = plain_len(bytes + at, len - at);
    cbor_put_raw(out, bytes + at, plain);
    at += plain;
    if (at == len)
      return at;
    if (bytes[at] < 0x80) {
      put_escaped(out, bytes[at++]);
      continue;
    }
    utf8_step step = utf8_next(bytes + at, len - at, wtf8);
    if (!step.good)
      return at;
    at += put_surrogate(out, bytes + at, len - at, step);
  }
}

void json_put_string(cbor_out *out, const char *utf8, size_t len) {
  static const char replacement[] = "\xef\xbf\xbd";
  const uint8_t *bytes = (const uint8_t *)utf8;
  cbor_put_raw(out, "\"", 1);
  size_t at = 0;
  while (at < len && (at += put_good(out, bytes + at, len - at, false)) < len) {
    cbor_put_raw(out, replacement, sizeof replacement - 1);
    at += utf8_next(bytes + at, len - at, false).len;
  }
  cbor_put_raw(out, "\"", 1);
}

cbor_status json_put_wtf8(cbor_out *out, const uint8_t *bytes, size_t len) {
  cbor_put_raw(out, "\"", 1);
  size_t good = len ? put_good(out, bytes, len, true) : 0;
  cbor_put_raw(out, "\"", 1);
  return good == len ? CBOR_OK : CBOR_E_MALFORMED;
}

/* ---- bytes ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four digits. */
static void base64_group(const uint8_t *bytes, size_t len, char text[4]) {
  uint32_t bits = (uint32_t)bytes[0] << 16;
  if (len > 1)
    bits |= (uint32_t)bytes[1] << 8;
  if (len > 2)
    bits |= bytes[2];
  text[0] = base64_digits[bits >> 18];
  text[1] = base64_digits[bits >> 12 & 0x3f];
  text[2] = len > 1 ? base64_digits[bits >> 6 & 0x3f] : '=';
  text[3] = len > 2 ? base64_digits[bits & 0x3f] : '=';
}

void json_put_base64(cbor_out *out, const uint8_t *bytes, size_t len) {
  char block[4 * 128];
  size_t used = 0;
  cbor_put_raw(out, "\"", 1);
  for (size_t at = 0; at < len; at += 3) {
    base64_group(bytes + at, len - at, block + used);
    used += 4;
    if (used == sizeof block) {
      cbor_put_raw(out, block, used);
      used = 0;
    }
  }
  cbor_put_raw(out, block, used);
  cbor_put_raw(out, "\"", 1);
}
