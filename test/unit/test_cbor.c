/* The CBOR codec: reading, writing, checking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbor_vectors.h"
#include "core/cbor.h"
#include "core/json.h"
#include "counting_alloc.h"
#include "hex.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const cbor_limits wide = {.depth = CBOR_DEPTH_MAX, .nodes = SIZE_MAX, .bytes = SIZE_MAX};

static uint8_t *bytes_of(const char *hex, size_t *len) {
  uint8_t *bytes = hex_bytes(hex, len);
  assert_non_null(bytes);
  return bytes;
}

static cbor_status check_hex(const char *hex, const cbor_limits *limits) {
  size_t len;
  uint8_t *bytes = bytes_of(hex, &len);
  cbor_status status = cbor_check(bytes, len, limits);
  free(bytes);
  return status;
}

static void expect_hex(const uint8_t *bytes, size_t len, const char *hex) {
  char *text = hex_text(bytes, len);
  assert_non_null(text);
  assert_string_equal(text, hex);
  free(text);
}

static void expect_out(cbor_out *out, const char *hex) {
  assert_int_equal(out->status, CBOR_OK);
  expect_hex(out->data, out->len, hex);
  cbor_out_free(out);
}

static cbor_out new_out(void) {
  cbor_out out;
  cbor_out_init(&out, NULL, SIZE_MAX);
  return out;
}

static void expect_canonical(const char *hex, const char *canonical) {
  size_t len;
  uint8_t *bytes = bytes_of(hex, &len);
  cbor_out out = new_out();
  assert_int_equal(cbor_canonical(bytes, len, &wide, &out), CBOR_OK);
  free(bytes);
  expect_out(&out, canonical);
}

static cbor_status canonical_status(const char *hex, const cbor_limits *limits) {
  size_t len;
  uint8_t *bytes = bytes_of(hex, &len);
  cbor_out out = new_out();
  cbor_status status = cbor_canonical(bytes, len, limits, &out);
  assert_int_equal(out.len, 0);
  cbor_out_free(&out);
  free(bytes);
  return status;
}

/* ---- the RFC's examples ---- */

static void say(cbor_out *to, const char *text) {
  cbor_put_raw(to, text, strlen(text));
}

static void say_float(cbor_out *to, double value) {
  if (isnan(value) || isinf(value)) {
    say(to, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    return;
  }
  if (value == 0 && signbit(value))
    say(to, "-");
  size_t before = to->len;
  json_put_number(to, value);
  for (size_t i = before; i < to->len; i++) {
    if (to->data[i] == '.' || to->data[i] == 'e')
      return;
  }
  say(to, ".0");
}

static void say_integer(cbor_out *to, const cbor_item *item) {
  if (item->kind == CBOR_NEGINT && item->n == UINT64_MAX) {
    say(to, "-18446744073709551616");
    return;
  }
  char text[32];
  uint64_t size = item->kind == CBOR_NEGINT ? item->n + 1 : item->n;
  snprintf(text, sizeof text, "%s%llu", item->kind == CBOR_NEGINT ? "-" : "",
           (unsigned long long)size);
  say(to, text);
}

static void say_string(cbor_out *to, const cbor_item *item) {
  if (item->kind == CBOR_TEXT) {
    json_put_string(to, (const char *)item->bytes, item->len);
    return;
  }
  char *hex = hex_text(item->bytes, item->len);
  assert_non_null(hex);
  say(to, "h'");
  say(to, hex);
  say(to, "'");
  free(hex);
}

static void say_item(cbor_in *in, cbor_out *to);

static void say_members(cbor_in *in, cbor_out *to, const cbor_item *head) {
  static const char *const opening[] = {
      [CBOR_BYTES] = "(", [CBOR_TEXT] = "(", [CBOR_ARRAY] = "[", [CBOR_MAP] = "{"};
  static const char *const closing[] = {
      [CBOR_BYTES] = ")", [CBOR_TEXT] = ")", [CBOR_ARRAY] = "]", [CBOR_MAP] = "}"};
  say(to, opening[head->kind]);
  say(to, head->indefinite ? "_ " : "");
  for (uint64_t i = 0; head->indefinite || i < head->n; i++) {
    cbor_item ahead;
    assert_int_equal(cbor_peek(in, &ahead), CBOR_OK);
    if (ahead.kind == CBOR_BREAK) {
      cbor_next(in, &ahead);
      break;
    }
    say(to, i ? ", " : "");
    say_item(in, to);
    if (head->kind == CBOR_MAP) {
      say(to, ": ");
      say_item(in, to);
    }
  }
  say(to, closing[head->kind]);
}

static void say_numbered(cbor_in *in, cbor_out *to, const cbor_item *item) {
  char text[48];
  if (item->kind == CBOR_SIMPLE)
    say(to, "simple");
  snprintf(text, sizeof text, "%llu", (unsigned long long)item->n);
  if (item->kind == CBOR_TAG)
    say(to, text);
  say(to, "(");
  if (item->kind == CBOR_TAG)
    say_item(in, to);
  else
    say(to, text);
  say(to, ")");
}

static void say_item(cbor_in *in, cbor_out *to) {
  cbor_item item;
  assert_int_equal(cbor_next(in, &item), CBOR_OK);
  switch (item.kind) {
  case CBOR_UINT:
  case CBOR_NEGINT:
    say_integer(to, &item);
    break;
  case CBOR_BYTES:
  case CBOR_TEXT:
    if (!item.indefinite) {
      say_string(to, &item);
      break;
    }
    say_members(in, to, &item);
    break;
  case CBOR_ARRAY:
  case CBOR_MAP:
    say_members(in, to, &item);
    break;
  case CBOR_TAG:
  case CBOR_SIMPLE:
    say_numbered(in, to, &item);
    break;
  case CBOR_BOOL:
    say(to, item.n ? "true" : "false");
    break;
  case CBOR_NULL:
    say(to, "null");
    break;
  case CBOR_UNDEFINED:
    say(to, "undefined");
    break;
  case CBOR_FLOAT:
    say_float(to, item.d);
    break;
  case CBOR_BREAK:
    fail_msg("a break outside an indefinite item");
  }
}

static void test_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(cbor_vectors); i++) {
    const cbor_vector *v = cbor_vectors + i;
    size_t len;
    uint8_t *bytes = bytes_of(v->hex, &len);
    assert_int_equal(cbor_check(bytes, len, &wide), CBOR_OK);
    cbor_in in;
    cbor_in_init(&in, bytes, len);
    cbor_out diagnostic = new_out();
    say_item(&in, &diagnostic);
    say(&diagnostic, "\n");
    assert_true(cbor_in_end(&in));
    assert_int_equal(diagnostic.status, CBOR_OK);
    assert_int_equal(diagnostic.len, strlen(v->diagnostic) + 1);
    assert_memory_equal(diagnostic.data, v->diagnostic, strlen(v->diagnostic));
    cbor_out_free(&diagnostic);
    free(bytes);
    expect_canonical(v->hex, v->canonical ? v->canonical : v->hex);
  }
}

static void test_bad_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(cbor_bad_vectors); i++) {
    const cbor_bad_vector *v = cbor_bad_vectors + i;
    if (check_hex(v->hex, &wide) != v->status)
      fail_msg("%s: %s, not %s", v->hex, cbor_status_text(check_hex(v->hex, &wide)),
               cbor_status_text(v->status));
    assert_int_equal(canonical_status(v->hex, &wide), v->status);
  }
}

/* Every beginning of an item is refused as cut off, by the checker and by
 * skipping; skipping the whole takes it all. */
static void test_truncation(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(cbor_vectors); i++) {
    size_t len, got;
    uint8_t *bytes = bytes_of(cbor_vectors[i].hex, &len);
    const uint8_t *slice;
    cbor_in in;
    for (size_t cut = 0; cut < len; cut++) {
      assert_int_equal(cbor_check(bytes, cut, &wide), CBOR_E_TRUNCATED);
      cbor_in_init(&in, bytes, cut);
      assert_int_equal(cbor_skip(&in), CBOR_E_TRUNCATED);
      assert_ptr_equal(in.at, bytes);
    }
    cbor_in_init(&in, bytes, len);
    assert_int_equal(cbor_slice(&in, &slice, &got), CBOR_OK);
    assert_ptr_equal(slice, bytes);
    assert_int_equal(got, len);
    assert_true(cbor_in_end(&in));
    free(bytes);
  }
}

/* ---- limits ---- */

static void test_limits(void **state) {
  (void)state;
  cbor_limits limits = {.depth = 2, .nodes = 4, .bytes = 8};
  assert_int_equal(check_hex("8181 00", &limits), CBOR_OK);
  assert_int_equal(check_hex("818180", &limits), CBOR_E_DEPTH);
  assert_int_equal(check_hex("81c100", &limits), CBOR_OK);
  assert_int_equal(check_hex("81c1c100", &limits), CBOR_E_DEPTH);
  assert_int_equal(check_hex("9fbfffff", &limits), CBOR_OK);
  assert_int_equal(check_hex("9f9f9fffffff", &limits), CBOR_E_DEPTH);
  assert_int_equal(check_hex("83000000", &limits), CBOR_OK);
  assert_int_equal(check_hex("8400000000", &limits), CBOR_E_NODES);
  assert_int_equal(check_hex("9f000000ff", &limits), CBOR_OK);
  assert_int_equal(check_hex("9f00000000ff", &limits), CBOR_E_NODES);
  assert_int_equal(check_hex("a200000100", &limits), CBOR_E_NODES);
  assert_int_equal(check_hex("5f404040ff", &limits), CBOR_OK);
  assert_int_equal(check_hex("5f40404040ff", &limits), CBOR_E_NODES);
  assert_int_equal(check_hex("4700000000000000", &limits), CBOR_OK);
  assert_int_equal(check_hex("480000000000000000", &limits), CBOR_E_SIZE);
  limits.depth = 0;
  assert_int_equal(check_hex("00", &limits), CBOR_OK);
  assert_int_equal(check_hex("80", &limits), CBOR_E_DEPTH);
  assert_int_equal(canonical_status("80", &limits), CBOR_E_DEPTH);
  limits.nodes = 0;
  assert_int_equal(check_hex("00", &limits), CBOR_E_NODES);
}

/* Nesting at CBOR_DEPTH_MAX works in every form, one more is refused even if
 * the limits would allow it. */
static void test_deepest(void **state) {
  (void)state;
  static const uint8_t heads[] = {0x81, 0xc1, 0x9f};
  for (size_t i = 0; i < COUNT(heads); i++) {
    uint8_t bytes[2 * CBOR_DEPTH_MAX + 3];
    size_t ends = heads[i] == 0x9f ? CBOR_DEPTH_MAX : 0, len = CBOR_DEPTH_MAX + 1 + ends;
    cbor_limits limits = {.depth = SIZE_MAX, .nodes = SIZE_MAX, .bytes = SIZE_MAX};
    memset(bytes, 0xff, sizeof bytes);
    memset(bytes, heads[i], CBOR_DEPTH_MAX);
    bytes[CBOR_DEPTH_MAX] = 0x07;
    assert_int_equal(cbor_check(bytes, len, &limits), CBOR_OK);
    cbor_out out = new_out();
    assert_int_equal(cbor_canonical(bytes, len, &limits, &out), CBOR_OK);
    assert_int_equal(out.len, CBOR_DEPTH_MAX + 1);
    cbor_out_free(&out);
    bytes[CBOR_DEPTH_MAX] = heads[i];
    bytes[CBOR_DEPTH_MAX + 1] = 0x07;
    assert_int_equal(cbor_check(bytes, sizeof bytes, &limits), CBOR_E_DEPTH);
    cbor_in in;
    cbor_in_init(&in, bytes, sizeof bytes);
    assert_int_equal(cbor_skip(&in), CBOR_E_DEPTH);
  }
}

/* ---- writing ---- */

static void test_write_integers(void **state) {
  (void)state;
  cbor_out out = new_out();
  static const int64_t values[] = {
      0,    23,   24,     255,    256,        65535,      65536,       -1,        -24,      -25,
      -256, -257, -65536, -65537, 4294967295, 4294967296, -4294967297, INT64_MIN, INT64_MAX};
  for (size_t i = 0; i < COUNT(values); i++)
    cbor_put_int(&out, values[i]);
  cbor_put_uint(&out, UINT64_MAX);
  expect_out(&out, "0017181818ff19010019ffff1a00010000"
                   "2037381838ff39010039ffff3a00010000"
                   "1affffffff1b00000001000000003b0000000100000000"
                   "3b7fffffffffffffff1b7fffffffffffffff1bffffffffffffffff");
}

static void test_write_kinds(void **state) {
  (void)state;
  cbor_out out = new_out();
  cbor_put_array_open(&out);
  cbor_put_bool(&out, true);
  cbor_put_bool(&out, false);
  cbor_put_null(&out);
  cbor_put_undefined(&out);
  cbor_put_bytes(&out, "\x01\x02", 2);
  cbor_put_bytes(&out, NULL, 0);
  cbor_put_text(&out, "ab", 1);
  cbor_put_cstring(&out, "xyz");
  cbor_put_map(&out, 1);
  cbor_put_tag(&out, CBOR_TAG_SET);
  cbor_put_array(&out, 0);
  cbor_put_map_open(&out);
  cbor_put_raw(&out, "\x01\x02", 2);
  cbor_put_break(&out);
  cbor_put_break(&out);
  expect_out(&out, "9ff5f4f6f7420102406161637879"
                   "7aa1d9010280bf0102ffff");
}

static double written_back(double value, size_t *len) {
  uint8_t bytes[9];
  cbor_out out;
  cbor_in in;
  cbor_item item;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_double(&out, value);
  assert_int_equal(out.status, CBOR_OK);
  cbor_in_init(&in, bytes, out.len);
  assert_int_equal(cbor_next(&in, &item), CBOR_OK);
  assert_int_equal(item.kind, CBOR_FLOAT);
  assert_true(cbor_in_end(&in));
  *len = out.len;
  return item.d;
}

static void test_all_halves(void **state) {
  (void)state;
  for (unsigned half = 0; half <= 0xffff; half++) {
    uint8_t bytes[] = {0xf9, (uint8_t)(half >> 8), (uint8_t)half};
    cbor_in in;
    cbor_item item;
    size_t len;
    cbor_in_init(&in, bytes, sizeof bytes);
    assert_int_equal(cbor_next(&in, &item), CBOR_OK);
    unsigned exponent = half >> 10 & 31, mantissa = half & 1023;
    double size = exponent == 0    ? ldexp(mantissa, -24)
                  : exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                                   : ldexp(1024 + mantissa, (int)exponent - 25);
    assert_true(isnan(size) ? isnan(item.d) : item.d == (half & 0x8000 ? -size : size));
    if (isnan(size))
      continue;
    assert_int_equal(signbit(item.d) != 0, half >> 15);
    double back = written_back(item.d, &len);
    assert_int_equal(len, 3);
    assert_true(back == item.d && signbit(back) == signbit(item.d));
  }
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

/* Random doubles keep their bits, and the form is a single's exactly when the
 * double is one; 3 bytes are left to test_all_halves. */
static void test_random_doubles(void **state) {
  (void)state;
  uint64_t seed = 0x5eed5eed5eed5eedu;
  for (size_t i = 0; i < 200000; i++) {
    uint64_t bits = next_random(&seed);
    double value;
    if (i % 2)
      bits &= ~((UINT64_C(1) << 29) - 1); /* no more digits than a single has */
    if (i % 4 == 3)                       /* and the exponent of one, or near */
      bits = (bits & ~(UINT64_C(0x7ff) << 52)) | (uint64_t)(870 + bits % 300) << 52;
    memcpy(&value, &bits, sizeof value);
    if (isnan(value))
      continue;
    size_t len;
    double back = written_back(value, &len);
    assert_memory_equal(&back, &value, sizeof value);
    bool single = (fabs(value) <= (double)FLT_MAX || isinf(value)) && (double)(float)value == value;
    assert_int_equal(len > 5, !single);
  }
}

static void test_double_edges(void **state) {
  (void)state;
  cbor_out out = new_out();
  static const double values[] = {65504,      65505,         65536,    0x1p-24,         0x1p-25,
                                  0x1.8p-24,  0x1p-149,      0x1p-150, (double)FLT_MAX, 0x1p128,
                                  0x1.ffep15, 0x1.ffc002p15, -0x1p-14, DBL_MAX};
  for (size_t i = 0; i < COUNT(values); i++)
    cbor_put_double(&out, values[i]);
  cbor_put_double(&out, -(double)NAN);
  expect_out(&out, "f97bff"
                   "fa477fe100"
                   "fa47800000"
                   "f90001"
                   "fa33000000"
                   "fa33c00000"
                   "fa00000001"
                   "fb3690000000000000"
                   "fa7f7fffff"
                   "fb47f0000000000000"
                   "fa477ff000"
                   "fa477fe001"
                   "f98400"
                   "fb7fefffffffffffff"
                   "f97e00");
}

static void test_fixed_buffer(void **state) {
  (void)state;
  uint8_t bytes[4];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_text(&out, "abc", 3);
  assert_int_equal(out.status, CBOR_OK);
  expect_hex(out.data, out.len, "63616263");
  cbor_put_null(&out);
  assert_int_equal(out.status, CBOR_E_SIZE);
  assert_int_equal(out.len, 4);
  size_t len;
  assert_null(cbor_out_take(&out, &len));
  cbor_out_free(&out);
}

static void test_growth_stops_at_max(void **state) {
  (void)state;
  cbor_out out;
  cbor_out_init(&out, NULL, 1000);
  for (int i = 0; i < 1000; i++)
    cbor_put_uint(&out, 7);
  assert_int_equal(out.status, CBOR_OK);
  assert_int_equal(out.cap, 1000);
  cbor_put_uint(&out, 7);
  assert_int_equal(out.status, CBOR_E_SIZE);
  /* The error is sticky: nothing more gets in, though it would fit. */
  out.len = 0;
  cbor_put_uint(&out, 7);
  assert_int_equal(out.len, 0);
  cbor_out_free(&out);
}

static void test_take(void **state) {
  (void)state;
  counting_alloc counts = {0};
  vow_allocator allocator = counting_allocator(&counts);
  cbor_out out;
  size_t len;
  cbor_out_init(&out, &allocator, 100);
  cbor_put_uint(&out, 7);
  uint8_t *bytes = cbor_out_take(&out, &len);
  assert_non_null(bytes);
  expect_hex(bytes, len, "07");
  mem_free(&allocator, bytes);
  bytes = cbor_out_take(&out, &len); /* nothing written since: empty, but no failure */
  assert_non_null(bytes);
  assert_int_equal(len, 0);
  mem_free(&allocator, bytes);
  cbor_put_bytes(&out, "x", 200);
  assert_null(cbor_out_take(&out, &len));
  assert_int_equal(out.status, CBOR_E_SIZE);
  assert_int_equal(counts.blocks, 0);
}

/* ---- reading ---- */

static void test_typed_readers(void **state) {
  (void)state;
  size_t len, got;
  uint8_t *bytes = bytes_of("1864 f5 29 f93e00 6161 4101 82 0102 a1 0102", &len);
  cbor_in in;
  uint64_t n;
  bool flag;
  double number;
  const char *text;
  const uint8_t *data;
  cbor_in_init(&in, bytes, len);
  assert_int_equal(cbor_get_bool(&in, &flag), CBOR_E_MALFORMED);
  assert_ptr_equal(in.at, bytes); /* a refused reader does not advance */
  assert_int_equal(cbor_get_uint(&in, &n), CBOR_OK);
  assert_int_equal(n, 100);
  assert_int_equal(cbor_get_number(&in, &number), CBOR_E_MALFORMED);
  assert_int_equal(cbor_get_bool(&in, &flag), CBOR_OK);
  assert_true(flag);
  assert_int_equal(cbor_get_uint(&in, &n), CBOR_E_MALFORMED);
  assert_int_equal(cbor_get_number(&in, &number), CBOR_OK);
  assert_true(number == -10);
  assert_int_equal(cbor_get_number(&in, &number), CBOR_OK);
  assert_true(number == 1.5);
  assert_int_equal(cbor_get_bytes(&in, &data, &got), CBOR_E_MALFORMED);
  assert_int_equal(cbor_get_text(&in, &text, &got), CBOR_OK);
  assert_true(got == 1 && text[0] == 'a');
  assert_int_equal(cbor_get_text(&in, &text, &got), CBOR_E_MALFORMED);
  assert_int_equal(cbor_get_bytes(&in, &data, &got), CBOR_OK);
  assert_true(got == 1 && data[0] == 1);
  assert_int_equal(cbor_get_map(&in, &n), CBOR_E_MALFORMED);
  assert_int_equal(cbor_get_array(&in, &n), CBOR_OK);
  assert_int_equal(n, 2);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_int_equal(cbor_get_map(&in, &n), CBOR_OK);
  assert_int_equal(n, 1);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_true(cbor_in_end(&in));
  assert_int_equal(cbor_get_uint(&in, &n), CBOR_E_TRUNCATED);
  free(bytes);
}

static void test_indefinite_heads(void **state) {
  (void)state;
  size_t len, got;
  uint8_t *bytes = bytes_of("7f6161ff9fff", &len);
  cbor_in in;
  cbor_item item;
  const char *text;
  uint64_t n;
  cbor_in_init(&in, bytes, len);
  assert_int_equal(cbor_get_text(&in, &text, &got), CBOR_E_MALFORMED);
  assert_int_equal(cbor_next(&in, &item), CBOR_OK);
  assert_true(item.kind == CBOR_TEXT && item.indefinite);
  assert_int_equal(cbor_peek(&in, &item), CBOR_OK);
  assert_int_equal(cbor_next(&in, &item), CBOR_OK);
  assert_true(item.kind == CBOR_TEXT && !item.indefinite && item.len == 1);
  assert_int_equal(cbor_next(&in, &item), CBOR_OK);
  assert_int_equal(item.kind, CBOR_BREAK);
  assert_int_equal(cbor_get_array(&in, &n), CBOR_E_MALFORMED);
  assert_int_equal(cbor_next(&in, &item), CBOR_OK);
  assert_true(item.kind == CBOR_ARRAY && item.indefinite);
  free(bytes);
}

static void expect_found(const char *hex, const char *key, const char *value) {
  size_t len;
  uint8_t *bytes = bytes_of(hex, &len);
  cbor_in in, found;
  cbor_in_init(&in, bytes, len);
  assert_int_equal(cbor_find(&in, key, &found), value != NULL);
  assert_ptr_equal(in.at, bytes);
  if (value)
    expect_hex(found.at, (size_t)(found.end - found.at), value);
  free(bytes);
}

static void test_find(void **state) {
  (void)state;
  expect_found("a26161016162820203", "a", "01");
  expect_found("a26161016162820203", "b", "820203");
  expect_found("a26161016162820203", "c", NULL);
  expect_found("a26161016162820203", "", NULL);
  expect_found("a16005", "", "05");
  expect_found("bf 80 6162 6161 07 ff", "a", "07");
  expect_found("bf616201ff", "a", NULL);
  expect_found("a27f6161ff017f61616162ff02", "ab", "02");
  expect_found("a17f61616162ff02", "a", NULL);
  expect_found("a17fff02", "", "02");
  expect_found("a2616101616102", "a", "01");
  expect_found("82616101", "a", NULL);
  expect_found("a26162016161", "a", NULL);
  expect_found("", "a", NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_bad_vectors),
      cmocka_unit_test(test_truncation),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_deepest),
      cmocka_unit_test(test_write_integers),
      cmocka_unit_test(test_write_kinds),
      cmocka_unit_test(test_all_halves),
      cmocka_unit_test(test_random_doubles),
      cmocka_unit_test(test_double_edges),
      cmocka_unit_test(test_fixed_buffer),
      cmocka_unit_test(test_growth_stops_at_max),
      cmocka_unit_test(test_take),
      cmocka_unit_test(test_typed_readers),
      cmocka_unit_test(test_indefinite_heads),
      cmocka_unit_test(test_find),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
