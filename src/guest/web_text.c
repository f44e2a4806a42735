#include "guest/web_text.h"

#include <string.h>

#define REPLACEMENT 0xFFFD
#define BYTE_ORDER_MARK 0xFEFF

static bool is_high(uint32_t unit) {
  return (unit & 0xFC00) == 0xD800;
}

static bool is_low(uint32_t unit) {
  return (unit & 0xFC00) == 0xDC00;
}

static size_t put_utf8(uint8_t *out, uint32_t c) {
  if (c < 0x80) {
    out[0] = (uint8_t)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (uint8_t)(0xC0 | c >> 6);
    out[1] = (uint8_t)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (uint8_t)(0xE0 | c >> 12);
    out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (uint8_t)(0xF0 | c >> 18);
  out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
  out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
  out[3] = (uint8_t)(0x80 | (c & 0x3F));
  return 4;
}

/* ---- one UTF-8 sequence ---- */

typedef enum { SEQUENCE_GOOD, SEQUENCE_BAD, SEQUENCE_CUT } sequence;

static size_t sequence_len(uint8_t lead) {
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead <= 0xDF)
    return 2;
  if (lead >= 0xE0 && lead <= 0xEF)
    return 3;
  return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* The second byte's range excludes overlong forms, surrogates and what lies
 * beyond U+10FFFF. */
static bool second_byte_fits(uint8_t lead, uint8_t second) {
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

/* Looks at the sequence at `bytes` (at least one byte). `used`: its bytes; for
 * a bad one the maximal subpart, which is replaced as a whole. */
static sequence next_sequence(const uint8_t *bytes, size_t len, size_t *used) {
  size_t want = sequence_len(bytes[0]);
  *used = 1;
  if (want == 0)
    return SEQUENCE_BAD;
  while (*used < want) {
    if (*used == len)
      return SEQUENCE_CUT;
    uint8_t byte = bytes[*used];
    bool fits = *used == 1 ? second_byte_fits(bytes[0], byte) : (byte & 0xC0) == 0x80;
    if (!fits)
      return SEQUENCE_BAD;
    (*used)++;
  }
  return SEQUENCE_GOOD;
}

static bool is_bom(const uint8_t *bytes, size_t len) {
  return len >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF;
}

bool web_text_is_plain(const web_decoder *state, const uint8_t *bytes, size_t len, size_t *start) {
  if (state->encoding != WEB_UTF8)
    return false;
  bool drop_bom = !state->keep_bom && !state->started && is_bom(bytes, len);
  *start = drop_bom ? 3 : 0;
  for (size_t at = *start, used; at < len; at += used) {
    if (bytes[at] < 0x80)
      used = 1;
    else if (next_sequence(bytes + at, len - at, &used) != SEQUENCE_GOOD)
      return false;
  }
  return true;
}

/* ---- decoders: each returns false for bad bytes in fatal mode ---- */

typedef struct output {
  uint8_t *bytes;
  size_t len;
  web_decoder *state;
} output;

static void emit(output *out, uint32_t c) {
  bool drop = c == BYTE_ORDER_MARK && !out->state->keep_bom && !out->state->started;
  out->state->started = true;
  if (!drop)
    out->len += put_utf8(out->bytes + out->len, c);
}

static bool emit_bad(output *out) {
  emit(out, REPLACEMENT);
  return !out->state->fatal;
}

static void keep(web_decoder *state, const uint8_t *bytes, size_t len) {
  memcpy(state->pending, bytes, len);
  state->pending_count = (uint8_t)len;
}

static bool decode_utf8(output *out, const uint8_t *bytes, size_t len, bool stream) {
  for (size_t at = 0, used; at < len; at += used) {
    sequence kind = next_sequence(bytes + at, len - at, &used);
    if (kind == SEQUENCE_GOOD) {
      bool drop = !out->state->keep_bom && !out->state->started && is_bom(bytes + at, len - at);
      out->state->started = true;
      if (!drop) {
        memcpy(out->bytes + out->len, bytes + at, used);
        out->len += used;
      }
    } else if (kind == SEQUENCE_CUT && stream) {
      keep(out->state, bytes + at, used);
    } else if (!emit_bad(out)) {
      return false;
    }
  }
  return true;
}

static uint32_t utf16_unit(const web_decoder *state, const uint8_t *bytes) {
  unsigned first = bytes[0], second = bytes[1];
  return state->encoding == WEB_UTF16BE ? first << 8 | second : second << 8 | first;
}

static bool decode_utf16(output *out, const uint8_t *bytes, size_t len, bool stream) {
  size_t at = 0;
  while (len - at >= 2) {
    uint32_t unit = utf16_unit(out->state, bytes + at);
    if (is_high(unit)) {
      if (len - at < 4)
        break;
      uint32_t second = utf16_unit(out->state, bytes + at + 2);
      if (is_low(second)) {
        emit(out, 0x10000 + ((unit & 0x3FF) << 10 | (second & 0x3FF)));
        at += 4;
        continue;
      }
    }
    bool bad = is_high(unit) || is_low(unit);
    if (bad && !emit_bad(out))
      return false;
    if (!bad)
      emit(out, unit);
    at += 2;
  }
  if (at == len)
    return true;
  if (!stream)
    return emit_bad(out);
  keep(out->state, bytes + at, len - at);
  return true;
}

/* What 0x80..0x9F mean; the five unassigned bytes stay C1 controls. */
static const uint16_t windows1252_high[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

static void decode_windows1252(output *out, const uint8_t *bytes, size_t len) {
  for (size_t at = 0; at < len; at++) {
    uint8_t byte = bytes[at];
    uint32_t c = byte >= 0x80 && byte < 0xA0 ? windows1252_high[byte - 0x80] : byte;
    out->len += put_utf8(out->bytes + out->len, c);
  }
}

bool web_text_decode(web_decoder *state, const uint8_t *bytes, size_t len, bool stream,
                     uint8_t *out, size_t *out_len) {
  output text = {.bytes = out, .len = 0, .state = state};
  bool good = true;
  state->pending_count = 0;
  if (state->encoding == WEB_UTF8)
    good = decode_utf8(&text, bytes, len, stream);
  else if (state->encoding == WEB_WINDOWS1252)
    decode_windows1252(&text, bytes, len);
  else
    good = decode_utf16(&text, bytes, len, stream);
  if (!stream || !good) {
    state->started = false;
    state->pending_count = 0;
  }
  *out_len = text.len;
  return good;
}

const char *web_text_encoding(const web_decoder *state) {
  static const char *const names[] = {"utf-8", "utf-16le", "utf-16be", "windows-1252"};
  return names[state->encoding & 3];
}

/* ---- the engine's WTF-8: UTF-8 in which lone surrogates take three bytes ---- */

static bool is_surrogate_at(const uint8_t *text, size_t len) {
  return len >= 3 && text[0] == 0xED && text[1] >= 0xA0;
}

void web_text_replace_surrogates(uint8_t *bytes, size_t len) {
  for (size_t at = 0; at < len;) {
    uint8_t *found = memchr(bytes + at, 0xED, len - at);
    if (!found)
      return;
    at = (size_t)(found - bytes);
    if (is_surrogate_at(bytes + at, len - at))
      put_utf8(bytes + at, REPLACEMENT);
    at++;
  }
}

void web_text_copy(const uint8_t *text, size_t len, uint8_t *out, size_t room, size_t *read,
                   size_t *written) {
  *read = *written = 0;
  size_t at = 0;
  while (at < len) {
    size_t size = sequence_len(text[at]);
    if (size == 0 || size > len - at || size > room - *written)
      return;
    if (is_surrogate_at(text + at, len - at))
      put_utf8(out + *written, REPLACEMENT);
    else
      memcpy(out + *written, text + at, size);
    at += size;
    *written += size;
    *read += size == 4 ? 2 : 1;
  }
}

/* ---- string literals ---- */

static bool has_unit(const uint16_t *units, size_t len, char wanted) {
  for (size_t i = 0; i < len; i++)
    if (units[i] == (unsigned char)wanted)
      return true;
  return false;
}

static char pick_quote(const uint16_t *units, size_t len) {
  static const char quotes[] = "'\"`";
  for (const char *quote = quotes; *quote; quote++)
    if (!has_unit(units, len, *quote))
      return *quote;
  return '\'';
}

static size_t put_escape(char *out, char name) {
  out[0] = '\\';
  out[1] = name;
  return 2;
}

static size_t put_hex(char *out, char name, uint32_t unit, unsigned digits) {
  const char *hex = name == 'u' ? "0123456789abcdef" : "0123456789ABCDEF";
  size_t len = put_escape(out, name);
  for (unsigned i = digits; i > 0; i--)
    out[len++] = hex[unit >> (4 * (i - 1)) & 15];
  return len;
}

static size_t put_control(char *out, uint32_t unit) {
  switch (unit) {
  case '\b':
    return put_escape(out, 'b');
  case '\t':
    return put_escape(out, 't');
  case '\n':
    return put_escape(out, 'n');
  case '\f':
    return put_escape(out, 'f');
  case '\r':
    return put_escape(out, 'r');
  default:
    return put_hex(out, 'x', unit, 2);
  }
}

size_t web_text_quote(const uint16_t *units, size_t len, char *out) {
  char quote = pick_quote(units, len);
  size_t size = 0;
  out[size++] = quote;
  for (size_t i = 0; i < len; i++) {
    uint32_t unit = units[i];
    if (unit == (unsigned char)quote || unit == '\\') {
      size += put_escape(out + size, (char)unit);
    } else if (unit < 0x20 || (unit >= 0x7F && unit < 0xA0)) {
      size += put_control(out + size, unit);
    } else if (is_high(unit) && i + 1 < len && is_low(units[i + 1])) {
      uint32_t c = 0x10000 + ((unit & 0x3FF) << 10 | (units[++i] & 0x3FFu));
      size += put_utf8((uint8_t *)out + size, c);
    } else if (is_high(unit) || is_low(unit)) {
      size += put_hex(out + size, 'u', unit, 4);
    } else {
      size += put_utf8((uint8_t *)out + size, unit);
    }
  }
  out[size++] = quote;
  return size;
}

bool web_text_is_identifier(const uint16_t *units, size_t len) {
  for (size_t i = 0; i < len; i++) {
    uint32_t unit = units[i];
    bool letter = (unit | 32) >= 'a' && (unit | 32) <= 'z' && unit < 128;
    bool digit = unit >= '0' && unit <= '9';
    if (!letter && unit != '_' && (!digit || i == 0))
      return false;
  }
  return len > 0;
}
