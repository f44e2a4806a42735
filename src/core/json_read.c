/* A JSON reader without recursion: the open containers are bits on a stack, and
 * each value is written as it is met. */
#include "core/json_read.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

#define SAFE_DIGITS 15u /* so many are always a safe integer */
#define SAFE_MAX 9007199254740991.0
#define NUMBER_SHORT 64u

typedef struct reader {
  const uint8_t *start, *at, *end;
  cbor_out *out;
  cbor_out scratch; /* of a string with escapes, of a long number */
  cbor_limits limits;
  size_t depth, nodes;
  bool forms;
  bool object[CBOR_DEPTH_MAX]; /* of each open container: it is no array */
} reader;

static void skip_blanks(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
    r->at++;
}

static bool take(reader *r, uint8_t c) {
  skip_blanks(r);
  if (r->at == r->end || *r->at != c)
    return false;
  r->at++;
  return true;
}

/* ---- strings ---- */

/* The end of a string's text, at its closing quote; NULL when there is none or a
 * control character stands in it. `plain`: it holds no escape. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end, bool *plain) {
  *plain = true;
  for (; at < end && *at >= 0x20; at++) {
    if (*at == '"')
      return at;
    if (*at == '\\') {
      *plain = false;
      if (++at == end)
        return NULL;
    }
  }
  return NULL;
}

static bool read_hex(const uint8_t *at, const uint8_t *end, uint32_t *unit) {
  *unit = 0;
  if (end - at < 4)
    return false;
  for (int i = 0; i < 4; i++) {
    uint8_t c = at[i], lower = c | 0x20;
    uint32_t digit = 16;
    if (c >= '0' && c <= '9')
      digit = (uint32_t)(c - '0');
    else if (lower >= 'a' && lower <= 'f')
      digit = (uint32_t)(lower - 'a') + 10;
    if (digit == 16)
      return false;
    *unit = *unit << 4 | digit;
  }
  return true;
}

/* Behind "\u": one unit, or a pair of surrogates. */
static bool unescape_unit(reader *r, const uint8_t *end, bool *surrogates) {
  uint32_t unit, low;
  if (!read_hex(r->at, end, &unit))
    return false;
  r->at += 4;
  if (unit >= 0xd800 && unit < 0xdc00 && end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u' &&
      read_hex(r->at + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    r->at += 6;
  } else if (unit >= 0xd800 && unit < 0xe000) {
    *surrogates = true;
  }
  uint8_t bytes[4];
  cbor_put_raw(&r->scratch, bytes, utf8_encode(unit, bytes));
  return true;
}

static bool unescape_one(reader *r, const uint8_t *end, bool *surrogates) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  uint8_t c = *r->at++;
  if (c == 'u')
    return unescape_unit(r, end, surrogates);
  const char *found = memchr(from, c, sizeof from - 1);
  if (!found) {
    r->at--;
    return false;
  }
  cbor_put_raw(&r->scratch, to + (found - from), 1);
  return true;
}

/* The text up to `end` into the scratch buffer. */
static bool unescape(reader *r, const uint8_t *end, bool *surrogates) {
  r->scratch.len = 0;
  *surrogates = false;
  while (r->at < end) {
    const uint8_t *escape = memchr(r->at, '\\', (size_t)(end - r->at));
    const uint8_t *stop = escape ? escape : end;
    cbor_put_raw(&r->scratch, r->at, (size_t)(stop - r->at));
    r->at = stop;
    if (!escape)
      break;
    r->at++;
    if (!unescape_one(r, end, surrogates))
      return false;
  }
  return true;
}

/* A key that looks like a form's, and is none, loses one '$'. */
static void put_string(reader *r, const uint8_t *text, size_t len, bool key, bool surrogates) {
  size_t less = key && r->forms && json_form_key(text, len) > 1 ? 1 : 0;
  if (surrogates) {
    cbor_put_tag(r->out, CBOR_TAG_WTF8);
    cbor_put_bytes(r->out, text, len);
  } else {
    cbor_put_text(r->out, (const char *)text + less, len - less);
  }
}

/* Behind the opening quote. */
static bool read_string(reader *r, bool key) {
  bool plain, surrogates;
  const uint8_t *end = string_end(r->at, r->end, &plain);
  if (!end)
    return false;
  if (plain) {
    put_string(r, r->at, (size_t)(end - r->at), key, false);
  } else {
    if (!unescape(r, end, &surrogates) || r->scratch.status != CBOR_OK)
      return false;
    put_string(r, r->scratch.data, r->scratch.len, key, surrogates);
  }
  r->at = end + 1;
  return true;
}

/* ---- numbers and words ---- */

static size_t digits_at(const uint8_t *at, const uint8_t *end) {
  const uint8_t *from = at;
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return (size_t)(at - from);
}

/* Where a number's text ends; NULL when there is none. `digits`: of an integer,
 * else 0. */
static const uint8_t *number_end(const uint8_t *at, const uint8_t *end, size_t *digits) {
  if (at < end && *at == '-')
    at++;
  size_t whole = digits_at(at, end);
  if (whole == 0 || (whole > 1 && *at == '0'))
    return NULL;
  at += whole;
  *digits = whole;
  if (at < end && *at == '.') {
    size_t part = digits_at(at + 1, end);
    if (part == 0)
      return NULL;
    at += 1 + part;
    *digits = 0;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-'))
      at++;
    size_t power = digits_at(at, end);
    if (power == 0)
      return NULL;
    at += power;
    *digits = 0;
  }
  return at;
}

static void put_integer(reader *r, const uint8_t *at, const uint8_t *end) {
  bool negative = *at == '-';
  int64_t value = 0;
  for (at += negative; at < end; at++)
    value = value * 10 + (*at - '0');
  if (negative && value == 0)
    cbor_put_double(r->out, -0.0);
  else
    cbor_put_int(r->out, negative ? -value : value);
}

static void put_real(reader *r, const uint8_t *at, size_t len) {
  char brief[NUMBER_SHORT];
  const char *text = brief;
  if (len < sizeof brief) {
    memcpy(brief, at, len);
    brief[len] = 0;
  } else {
    r->scratch.len = 0;
    cbor_put_raw(&r->scratch, at, len);
    cbor_put_raw(&r->scratch, "", 1);
    if (r->scratch.status != CBOR_OK)
      return;
    text = (const char *)r->scratch.data;
  }
  double value = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", NULL));
  if (value <= SAFE_MAX && value >= -SAFE_MAX && value == (double)(int64_t)value && value != 0)
    cbor_put_int(r->out, (int64_t)value);
  else if (value == 0 && text[0] != '-')
    cbor_put_int(r->out, 0);
  else
    cbor_put_double(r->out, value);
}

static bool read_number(reader *r) {
  size_t digits = 0;
  const uint8_t *end = number_end(r->at, r->end, &digits);
  if (!end)
    return false;
  if (digits > 0 && digits <= SAFE_DIGITS)
    put_integer(r, r->at, end);
  else
    put_real(r, r->at, (size_t)(end - r->at));
  r->at = end;
  return true;
}

static bool read_word(reader *r) {
  static const char *const words[] = {"null", "true", "false"};
  for (size_t i = 0; i < 3; i++) {
    size_t len = strlen(words[i]);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, words[i], len) != 0)
      continue;
    if (i == 0)
      cbor_put_null(r->out);
    else
      cbor_put_bool(r->out, i == 1);
    r->at += len;
    return true;
  }
  return false;
}

/* ---- forms ---- */

/* The text of a value that is a string without escapes, a number or null. */
static const uint8_t *scalar_end(const reader *r, const uint8_t *at) {
  bool plain;
  size_t digits;
  if (at < r->end && *at == '"') {
    const uint8_t *end = string_end(at + 1, r->end, &plain);
    return end && plain ? end + 1 : NULL;
  }
  if (r->end - at >= 4 && memcmp(at, "null", 4) == 0)
    return at + 4;
  return number_end(at, r->end, &digits);
}

/* Behind '{': reads the object if it is a form, else leaves everything as it is. */
static bool read_form(reader *r) {
  const uint8_t *from = r->at, *key_end = NULL, *value_end = NULL;
  size_t len = r->out->len;
  bool plain = false, done = false;
  if (!take(r, '"')) {
    r->at = from;
    return false;
  }
  const uint8_t *key = r->at;
  key_end = key < r->end && *key == '$' ? string_end(key, r->end, &plain) : NULL;
  if (key_end && plain && json_form_key(key, (size_t)(key_end - key)) == 1) {
    r->at = key_end + 1;
    if (take(r, ':')) {
      skip_blanks(r);
      value_end = scalar_end(r, r->at);
    }
  }
  if (value_end) {
    const uint8_t *value = r->at;
    r->at = value_end;
    done = take(r, '}') &&
           json_form_read(key, (size_t)(key_end - key), value, (size_t)(value_end - value), r->out);
  }
  if (!done) {
    r->at = from;
    r->out->len = len;
  }
  return done;
}

/* ---- containers ---- */

static cbor_status count_node(reader *r) {
  return ++r->nodes > r->limits.nodes ? CBOR_E_NODES : CBOR_OK;
}

/* `"key":` */
static cbor_status read_key(reader *r) {
  if (!take(r, '"') || !read_string(r, true) || !take(r, ':'))
    return CBOR_E_MALFORMED;
  return count_node(r);
}

/* Behind '{' or '['; `open`: a value is due. */
static cbor_status begin(reader *r, bool object, bool *open) {
  if (r->depth >= r->limits.depth || r->depth >= CBOR_DEPTH_MAX)
    return CBOR_E_DEPTH;
  if (object)
    cbor_put_map_open(r->out);
  else
    cbor_put_array_open(r->out);
  *open = !take(r, object ? '}' : ']');
  if (!*open) {
    cbor_put_break(r->out);
    return CBOR_OK;
  }
  r->object[r->depth++] = object;
  return object ? read_key(r) : CBOR_OK;
}

/* One value, or the beginning of one. */
static cbor_status read_value(reader *r, bool *open) {
  *open = false;
  skip_blanks(r);
  if (r->at == r->end)
    return CBOR_E_MALFORMED;
  cbor_status status = count_node(r);
  if (status != CBOR_OK)
    return status;
  bool good;
  switch (*r->at) {
  case '{':
  case '[':
    r->at++;
    if (r->at[-1] == '{' && r->forms && r->at < r->end && read_form(r))
      return CBOR_OK;
    return begin(r, r->at[-1] == '{', open);
  case '"':
    r->at++;
    good = read_string(r, false);
    break;
  case 'n':
  case 't':
  case 'f':
    good = read_word(r);
    break;
  default:
    good = read_number(r);
  }
  return good ? CBOR_OK : CBOR_E_MALFORMED;
}

/* Behind a value: closes what ends here; `open`: another value is due. */
static cbor_status read_between(reader *r, bool *open) {
  *open = false;
  while (r->depth > 0) {
    bool object = r->object[r->depth - 1];
    if (take(r, ',')) {
      *open = true;
      return object ? read_key(r) : CBOR_OK;
    }
    if (!take(r, object ? '}' : ']'))
      return CBOR_E_MALFORMED;
    cbor_put_break(r->out);
    r->depth--;
  }
  return CBOR_OK;
}

static cbor_status read_all(reader *r) {
  cbor_status status;
  bool open = true;
  do {
    status = read_value(r, &open);
    if (status == CBOR_OK && !open)
      status = read_between(r, &open);
    if (r->scratch.status != CBOR_OK)
      return r->scratch.status;
  } while (status == CBOR_OK && open && r->out->status == CBOR_OK);
  skip_blanks(r);
  if (status == CBOR_OK && r->out->status == CBOR_OK && r->at != r->end)
    return CBOR_E_MALFORMED;
  return r->out->status != CBOR_OK ? r->out->status : status;
}

cbor_status json_to_cbor(const void *text, size_t len, bool forms, const cbor_limits *limits,
                         cbor_out *out, size_t *at) {
  reader r;
  *at = 0;
  if (out->status != CBOR_OK)
    return out->status;
  if (len > limits->bytes)
    return CBOR_E_SIZE;
  if (!utf8_valid(text, len))
    return CBOR_E_MALFORMED;
  r.start = r.at = text;
  r.end = r.at + len;
  r.out = out;
  cbor_out_init(&r.scratch, out->allocator, len + 1);
  r.limits = *limits;
  r.depth = r.nodes = 0;
  r.forms = forms;
  size_t base = out->len;
  cbor_status status = read_all(&r);
  cbor_out_free(&r.scratch);
  *at = (size_t)(r.at - r.start);
  if (status != CBOR_OK)
    out->len = base;
  return status;
}
