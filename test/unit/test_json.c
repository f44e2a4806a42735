/* JSON text from CBOR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/json_int.h"
#include "unit/conversion.h"

static void expect_text(cbor_out *out, const char *want) {
  cbor_put_raw(out, "", 1);
  assert_int_equal(out->status, CBOR_OK);
  assert_string_equal((const char *)out->data, want);
  cbor_out_free(out);
}

static cbor_status convert(const char *hex, cbor_out *out) {
  return convert_hex(json_from_cbor, hex, out);
}

static void expect(const char *hex, const char *json) {
  cbor_out out = new_out();
  assert_int_equal(convert(hex, &out), CBOR_OK);
  expect_text(&out, json);
}

static void expect_refused(const char *hex) {
  cbor_out out = new_out();
  cbor_put_raw(&out, "[", 1);
  assert_int_equal(convert(hex, &out), CBOR_E_MALFORMED);
  assert_int_equal(out.status, CBOR_OK);
  expect_text(&out, "[");
}

static void expect_number(double value, const char *want) {
  cbor_out out = new_out();
  json_put_number(&out, value);
  expect_text(&out, want);
}

/* ---- plain values ---- */

static void test_plain(void **state) {
  (void)state;
  expect("f4", "false");
  expect("f5", "true");
  expect("f6", "null");
  expect("f0", "null");
  expect("f8ff", "null");
  expect("00", "0");
  expect("1bffffffffffffffff", "18446744073709551615");
  expect("20", "-1");
  expect("3bffffffffffffffff", "-18446744073709551616");
  expect("3bfffffffffffffffe", "-18446744073709551615");
  expect("6161", "\"a\"");
  expect("60", "\"\"");
  expect("80", "[]");
  expect("a0", "{}");
  expect("9fff", "[]");
  expect("bfff", "{}");
  expect("8301820203820405", "[1,[2,3],[4,5]]");
  expect("bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}");
  expect("a2616202616101", "{\"b\":2,\"a\":1}"); /* the order is kept */
  expect("7f657374726561646d696e67ff", "\"streaming\"");
  expect("a1 7f61616162ff 7f6163ff", "{\"ab\":\"c\"}");
}

static void test_undefined(void **state) {
  (void)state;
  expect("f7", "null");
  expect("82f701", "[null,1]");
  expect("a36161f761620161 63f7", "{\"b\":1}");
  expect("a16161f7", "{}");
  expect("bf7f6161fff76162f5ff", "{\"b\":true}");
  expect("d90103a26161f7616202", "{\"b\":2}");
  expect("d90103a101f7", "[[1,null]]");
  expect("d9010281f7", "[null]");
}

/* ---- numbers ---- */

static void test_number_layout(void **state) {
  (void)state;
  expect_number(0, "0");
  expect_number(-0.0, "0");
  expect_number((double)NAN, "null");
  expect_number((double)INFINITY, "null");
  expect_number(-(double)INFINITY, "null");
  expect_number(-1.5, "-1.5");
  expect_number(9007199254740991, "9007199254740991");
  expect_number(9007199254740992, "9007199254740992");
  expect_number(9007199254740994, "9007199254740994");
  expect_number(123456789012345680000.0, "123456789012345680000");
  expect_number(1e20, "100000000000000000000");
  expect_number(1e21, "1e+21");
  expect_number(-1.234e21, "-1.234e+21");
  expect_number(1e-6, "0.000001");
  expect_number(1.5e-6, "0.0000015");
  expect_number(1e-7, "1e-7");
  expect_number(1.5e-7, "1.5e-7");
  expect_number(123.456, "123.456");
  expect_number(1e100, "1e+100");
}

static void test_number_shortest(void **state) {
  (void)state;
  expect_number(0.1, "0.1");
  expect_number(0.1 + 0.2, "0.30000000000000004");
  expect_number(1.0 / 3, "0.3333333333333333");
  expect_number((double)0.1f, "0.10000000149011612");
  expect_number(DBL_MAX, "1.7976931348623157e+308");
  expect_number(DBL_MIN, "2.2250738585072014e-308");
  expect_number(5e-324, "5e-324");
  expect_number(0x1p-1073, "1e-323");
  expect_number(0x0.fffffffffffffp-1022, "2.225073858507201e-308");
  /* A power of two of which no nearest decimal of 16 digits reads back. */
  expect_number(0x1p-44, "5.684341886080802e-14");
  expect_number(9.5367431640625e-7, "9.5367431640625e-7");
  expect_number(4.35, "4.35");
  expect_number(1e23, "1e+23");
  /* Of two decimals of 17 digits that read back, the nearer one. */
  expect_number(1.2345678901234567e-290, "1.2345678901234566e-290");
}

/* Every power of two and its neighbours, and random doubles: the text reads
 * back as the same double, and no text of one digit less does. */
static void expect_shortest(double value) {
  char text[64], shorter[64];
  cbor_out out;
  cbor_out_fixed(&out, (uint8_t *)text, sizeof text - 1);
  json_put_number(&out, value);
  assert_int_equal(out.status, CBOR_OK);
  text[out.len] = 0;
  assert_true(strtod(text, NULL) == value);
  int digits = 0, zeros = 0;
  for (const char *at = text; *at && *at != 'e'; at++) {
    if (*at >= '0' && *at <= '9' && (digits || *at != '0')) {
      digits++;
      zeros = *at == '0' ? zeros + 1 : 0;
    }
  }
  digits -= zeros;
  if (digits > 1) {
    snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
    assert_true(strtod(shorter, NULL) != value);
  }
}

static void test_number_round_trips(void **state) {
  (void)state;
  uint64_t seed = 0x9e3779b97f4a7c15u;
  for (int exponent = -1074; exponent < 1024; exponent++) {
    double power = ldexp(1, exponent);
    expect_shortest(power);
    expect_shortest(nextafter(power, DBL_MAX));
    if (exponent > -1074)
      expect_shortest(nextafter(power, 0));
  }
  for (int i = 0; i < 50000; i++) {
    double value;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    uint64_t bits = seed >> 1;
    memcpy(&value, &bits, sizeof value);
    if (value <= DBL_MAX)
      expect_shortest(value);
  }
}

/* Where the machine has a locale with a decimal comma, it changes nothing. */
static void test_number_locale(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
  const char *found = NULL;
  for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++)
    found = setlocale(LC_ALL, names[i]);
  if (!found)
    skip();
  expect_number(0.1, "0.1");
  expect_number(-1.234e21, "-1.234e+21");
  expect_number(0x1p-44, "5.684341886080802e-14");
  setlocale(LC_ALL, "C");
}

static void test_bigint(void **state) {
  (void)state;
  expect("c240", "0");
  expect("c340", "-1");
  expect("c24100", "0");
  expect("c241ff", "255");
  expect("c341ff", "-256");
  expect("c249010000000000000000", "18446744073709551616");
  expect("c349010000000000000000", "-18446744073709551617");
  expect("c348ffffffffffffffff", "-18446744073709551616");
  expect("c2488ac7230489e80000", "10000000000000000000");
  expect("c2488ac7230489e7ffff", "9999999999999999999");
  expect("c24a00000de0b6b3a7640000", "1000000000000000000");
  expect("c250 4b3b4ca85a86c47a098a224000000000", "100000000000000000000000000000000000000");
  expect("c250ffffffffffffffffffffffffffffffff", "340282366920938463463374607431768211455");
  expect("c25f420100 41ff ff", "65791");
  expect("a16161c24105", "{\"a\":5}");
  expect_refused("c26161");
  expect_refused("c201");
  expect_refused("c3f6");
}

/* 2^n - 1 in decimal, by doubling: slow, but plainly right. */
static void test_bigint_long(void **state) {
  (void)state;
  enum { BYTES = 1500, DIGITS = 3700 };
  static char digits[DIGITS + 1];
  static uint8_t ones[BYTES];
  memset(digits, '0', DIGITS);
  digits[DIGITS - 1] = '1';
  for (int bit = 0; bit < 8 * BYTES; bit++) {
    int carry = 0;
    for (int i = DIGITS - 1; i >= 0; i--) {
      int doubled = 2 * (digits[i] - '0') + carry;
      carry = doubled / 10;
      digits[i] = (char)('0' + doubled % 10);
    }
  }
  const char *power = digits + strspn(digits, "0");
  memset(ones, 0xff, sizeof ones);
  cbor_out out = new_out();
  json_put_bigint(&out, ones, sizeof ones, true); /* -1 - (2^n - 1) */
  cbor_put_raw(&out, "", 1);
  assert_int_equal(out.status, CBOR_OK);
  assert_int_equal(out.data[0], '-');
  assert_string_equal((char *)out.data + 1, power);
  cbor_out_free(&out);
}

static cbor_status bigints(size_t count, size_t len) {
  uint8_t *zeros = calloc(len, 1);
  cbor_out in = new_out(), out = new_out();
  cbor_put_array(&in, count);
  for (size_t i = 0; i < count; i++) {
    cbor_put_tag(&in, CBOR_TAG_BIGNUM);
    cbor_put_bytes(&in, zeros, len);
  }
  assert_int_equal(in.status, CBOR_OK);
  cbor_status status = json_from_cbor(in.data, in.len, &wide, &out);
  cbor_out_free(&in);
  cbor_out_free(&out);
  free(zeros);
  return status;
}

static void test_bigint_limit(void **state) {
  (void)state;
  assert_int_equal(bigints(1, JSON_BIGINT_BYTES_MAX), CBOR_OK);
  assert_int_equal(bigints(1, JSON_BIGINT_BYTES_MAX + 1), CBOR_E_SIZE);
  assert_int_equal(bigints(4, JSON_BIGINT_BYTES_MAX / 2), CBOR_OK);
  assert_int_equal(bigints(5, JSON_BIGINT_BYTES_MAX / 2), CBOR_E_SIZE);
  assert_int_equal(bigints(20000, JSON_BIGINT_FREE), CBOR_OK);
}

/* ---- strings ---- */

static void expect_escaped(const char *bytes, size_t len, const char *want) {
  cbor_out out = new_out();
  json_put_string(&out, bytes, len);
  expect_text(&out, want);
}

static void test_string_escapes(void **state) {
  (void)state;
  expect_escaped("\"\\/", 3, "\"\\\"\\\\/\"");
  expect_escaped("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
  expect_escaped("\0\x01\x1f\x20\x7f", 5, "\"\\u0000\\u0001\\u001f \x7f\"");
  expect_escaped("\xe2\x80\xa8\xf0\x9f\x98\x80", 7, "\"\xe2\x80\xa8\xf0\x9f\x98\x80\"");
  expect_escaped("a\nb\nc", 5, "\"a\\nb\\nc\"");
  expect_escaped(NULL, 0, "\"\"");
}

#define FFFD "\xef\xbf\xbd"

/* One U+FFFD for each maximal subpart (Unicode 3.9, as TextDecoder does). */
static void test_string_bad_bytes(void **state) {
  (void)state;
  expect_escaped("\x80", 1, "\"" FFFD "\"");
  expect_escaped("a\xff\xfe!", 4, "\"a" FFFD FFFD "!\"");
  expect_escaped("\xe2\x80", 2, "\"" FFFD "\"");
  expect_escaped("\xe2\x80\"", 3, "\"" FFFD "\\\"\"");
  expect_escaped("\xf0\x9f\x98x", 4, "\"" FFFD "x\"");
  expect_escaped("\xc0\xaf", 2, "\"" FFFD FFFD "\"");
  expect_escaped("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"");
  expect_escaped("\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\"");
  expect_escaped("\xe0\x80\xc3\xa9", 4, "\"" FFFD FFFD "\xc3\xa9\"");
}

static void test_lone_surrogates(void **state) {
  (void)state;
  expect("d9011143eda080", "\"\\ud800\"");
  expect("d9011143edbfbf", "\"\\udfff\"");
  expect("d901114561eda08062", "\"a\\ud800b\"");
  expect("d9011146edb880eda0bd", "\"\\ude00\\ud83d\"");
  expect("d9011146eda0bdedb880", "\"\xf0\x9f\x98\x80\""); /* a pair is one character */
  expect("d9011149eda0bdeda0bdedb880", "\"\\ud83d\xf0\x9f\x98\x80\"");
  expect("d9011146220ac3a95c7f", "\"\\\"\\n\xc3\xa9\\\\\x7f\"");
  expect("d901115f42eda04180ff", "\"\\ud800\"");
  expect("a1d9011143eda08001", "{\"\\ud800\":1}");
  expect_refused("d9011142eda0");
  expect_refused("d9011141ff");
  expect_refused("d9011144f4908080");
  expect_refused("d901116161");
}

static void test_bytes(void **state) {
  (void)state;
  expect("40", "\"\"");
  expect("4166", "\"Zg==\"");
  expect("42666f", "\"Zm8=\"");
  expect("43666f6f", "\"Zm9v\"");
  expect("5f4166426f6fff", "\"Zm9v\"");
  expect("43fbefff", "\"++//\"");
  cbor_out in = new_out(), out = new_out();
  static const uint8_t zeros[3000];
  cbor_put_bytes(&in, zeros, sizeof zeros);
  assert_int_equal(json_from_cbor(in.data, in.len, &wide, &out), CBOR_OK);
  assert_int_equal(out.len, 4002);
  for (size_t i = 1; i < 4001; i++)
    assert_int_equal(out.data[i], 'A');
  cbor_out_free(&in);
  cbor_out_free(&out);
}

/* ---- tagged values ---- */

static void test_typed_arrays(void **state) {
  (void)state;
  expect("d84043010203", "\"AQID\"");      /* Uint8Array */
  expect("d84443010203", "\"AQID\"");      /* Uint8ClampedArray */
  expect("d841440102fffe", "[258,65534]"); /* Uint16Array, big-endian */
  expect("d8424401020304", "[16909060]");  /* Uint32Array */
  expect("d84348ffffffffffffffff", "[18446744073709551615]");
  expect("d845440201feff", "[258,65534]"); /* the same, little-endian */
  expect("d8464404030201", "[16909060]");
  expect("d847480100000000000000", "[1]");
  expect("d848437f80ff", "[127,-128,-1]");    /* Int8Array */
  expect("d849447fff8000", "[32767,-32768]"); /* Int16Array */
  expect("d84a4480000000", "[-2147483648]");  /* Int32Array */
  expect("d84b488000000000000000", "[-9223372036854775808]");
  expect("d84d44ff7f0080", "[32767,-32768]");
  expect("d84e44ffffffff", "[-1]");
  expect("d84f48feffffffffffffff", "[-2]");
  expect("d850463c00c000 7e00", "[1,-2,null]"); /* float16 */
  expect("d851443fc00000", "[1.5]");            /* Float32Array */
  expect("d852483ff8000000000000", "[1.5]");    /* Float64Array */
  expect("d85444003c0080", "[1,0]");
  expect("d855440000c03f", "[1.5]");
  expect("d856489a9999999999b93f", "[0.1]");
  expect("d856 5f 44 9a999999 44 9999b93f ff", "[0.1]");
  expect("d85640", "[]");
  /* no JavaScript type: reserved, and floats of 16 bytes */
  expect("d84c4101", "\"AQ==\"");
  expect("d8535000000000000000000000000000000000", "\"AAAAAAAAAAAAAAAAAAAAAA==\"");
  expect("d8574101", "\"AQ==\"");
  expect_refused("d84143010203");
  expect_refused("d8564701020304050607");
  expect_refused("d8408101");
}

static void test_dates(void **state) {
  (void)state;
  expect("c100", "\"1970-01-01T00:00:00.000Z\"");
  expect("c11a514b67b0", "\"2013-03-21T20:04:00.000Z\"");
  expect("c1fb41d452d9ec200000", "\"2013-03-21T20:04:00.500Z\"");
  expect("c120", "\"1969-12-31T23:59:59.000Z\"");
  expect("c1f97e00", "null");
  expect("c1f97c00", "null");
  expect("c11bffffffffffffffff", "null");
  expect("c13bffffffffffffffff", "null");
  expect_refused("c16161");
  expect_refused("c1c24101");
  expect_refused("c180");
}

static void expect_date(double ms, const char *want) {
  cbor_out out = new_out();
  json_put_date(&out, ms / 1000);
  expect_text(&out, want);
}

static void test_date_calendar(void **state) {
  (void)state;
  expect_date(8.64e15, "\"+275760-09-13T00:00:00.000Z\"");
  expect_date(8.64e15 - 1, "\"+275760-09-12T23:59:59.999Z\"");
  expect_date(-8.64e15, "\"-271821-04-20T00:00:00.000Z\"");
  expect_date(-8.64e15 + 1, "\"-271821-04-20T00:00:00.001Z\"");
  expect_date(8.64e15 + 2, "null");
  expect_date(253402300799999, "\"9999-12-31T23:59:59.999Z\"");
  expect_date(253402300800000, "\"+010000-01-01T00:00:00.000Z\"");
  expect_date(-62167219200000, "\"0000-01-01T00:00:00.000Z\"");
  expect_date(-62167219200001, "\"-000001-12-31T23:59:59.999Z\"");
  expect_date(951782400000, "\"2000-02-29T00:00:00.000Z\"");
  expect_date(4107542400000, "\"2100-03-01T00:00:00.000Z\"");
  expect_date(1709164800000, "\"2024-02-29T00:00:00.000Z\"");
  expect_date(-1, "\"1969-12-31T23:59:59.999Z\"");
  expect_date(1, "\"1970-01-01T00:00:00.001Z\"");
}

/* Each millisecond, made seconds as the guest does, comes back as itself. */
static void test_date_exact(void **state) {
  (void)state;
  for (int64_t begin = -8640000000000000; begin < 8640000000000000; begin += 86400000000) {
    char text[64], want[8];
    cbor_out out;
    int64_t ms = begin + (begin / 86400000) % 1000;
    cbor_out_fixed(&out, (uint8_t *)text, sizeof text);
    json_put_date(&out, (double)ms / 1000);
    assert_int_equal(out.status, CBOR_OK);
    int64_t part = ((ms % 1000) + 1000) % 1000;
    snprintf(want, sizeof want, ".%03dZ\"", (int)part);
    assert_memory_equal(text + out.len - 6, want, 6);
  }
}

static void test_collections(void **state) {
  (void)state;
  expect("d90102820102", "[1,2]");
  expect("d9010280", "[]");
  expect("d901029f01ff", "[1]");
  expect("d90103a0", "{}");
  expect("d90103a1616101", "{\"a\":1}");
  expect("d90103bf616101ff", "{\"a\":1}");
  expect("d90103a20102616103", "[[1,2],[\"a\",3]]");
  expect("d90103bf6161010304ff", "[[\"a\",1],[3,4]]");
  expect("d90103a180a0", "[[[],{}]]");
  expect("d90103a1d9011143eda08001", "{\"\\ud800\":1}");
  expect("d90103a17f6161ff01", "{\"a\":1}");
  expect("d90103a1c10001", "[[\"1970-01-01T00:00:00.000Z\",1]]");
  expect_refused("d90102a0");
  expect_refused("d9010380");
  expect_refused("d90103d90103a0");
}

/* Each Map decides for itself, also inside keys and values of others. */
static void test_nested_maps(void **state) {
  (void)state;
  expect("82 d90103a1 6161 d90103a1 01 d90103a1 6162 02 d90103a1 03 04",
         "[{\"a\":[[1,{\"b\":2}]]},[[3,4]]]");
  expect("d90103a2 d90103a1 6161 01 02 6162 d90103bf 6163 f6 ff",
         "[[{\"a\":1},2],[\"b\",{\"c\":null}]]");
  expect("d90103a1 6161 a1 6162 d90103a1 f5 80", "{\"a\":{\"b\":[[true,[]]]}}");
  /* a Map inside what an Error does not print is passed over */
  expect("d90103a2 6161 d81b82 6145 a1 6163 d90103a1 01 02 6162 d90103a1 6164 03",
         "{\"a\":{\"name\":\"E\",\"message\":\"\"},\"b\":{\"d\":3}}");
}

static void test_plain_map_keys(void **state) {
  (void)state;
  expect_refused("a10102");
  expect_refused("a1f600");
  expect_refused("a1416100");
  expect_refused("a18000");
  expect_refused("bf01 00 ff");
  expect_refused("a1c1616100");
}

static void test_errors(void **state) {
  (void)state;
  expect("d81b82 69547970654572726f72 a1 676d657373616765 626e6f",
         "{\"name\":\"TypeError\",\"message\":\"no\"}");
  expect("d81b82 6145 a2 65737461636b 6178 676d657373616765 6179",
         "{\"name\":\"E\",\"message\":\"y\"}");
  expect("d81b82 6145 a0", "{\"name\":\"E\",\"message\":\"\"}");
  expect("d81b9f 6145 bf 676d657373616765 d9011143eda080 ff ff",
         "{\"name\":\"E\",\"message\":\"\\ud800\"}");
  expect("82 d81b82 6145 a0 07", "[{\"name\":\"E\",\"message\":\"\"},7]");
  expect_refused("d81ba0");
  expect_refused("d81b80");
  expect_refused("d81b816145");
  expect_refused("d81b836145a000");
  expect_refused("d81b8201a0");
  expect_refused("d81b82614580");
  expect_refused("d81b9f6145ff");
  expect_refused("d81b9f6145a000ff");
  expect_refused("d81b9f6145a09fffff");
  expect_refused("d81b82 6145 a1 676d657373616765 01");
}

static void test_unknown_tags(void **state) {
  (void)state;
  expect("d74401020304", "\"AQIDBA==\"");
  expect("d9d9f7 82 d903e8 01 02", "[1,2]");
  expect("a16161d903e8f7", "{\"a\":null}");
  expect("d903e8d903e8a0", "{}");
}

/* ---- limits and failures ---- */

static void test_limits(void **state) {
  (void)state;
  static const uint8_t nested[] = {0x82, 0x81, 0x01, 0x02};
  cbor_out out = new_out();
  cbor_limits limits = {.depth = 2, .nodes = 4, .bytes = 4};
  assert_int_equal(json_from_cbor(nested, sizeof nested, &limits, &out), CBOR_OK);
  limits.depth = 1;
  assert_int_equal(json_from_cbor(nested, sizeof nested, &limits, &out), CBOR_E_DEPTH);
  limits = (cbor_limits){.depth = 2, .nodes = 3, .bytes = 4};
  assert_int_equal(json_from_cbor(nested, sizeof nested, &limits, &out), CBOR_E_NODES);
  limits = (cbor_limits){.depth = 2, .nodes = 4, .bytes = 3};
  assert_int_equal(json_from_cbor(nested, sizeof nested, &limits, &out), CBOR_E_SIZE);
  expect_text(&out, "[[1],2]");
  cbor_out_init(&out, NULL, 6);
  assert_int_equal(json_from_cbor(nested, sizeof nested, &wide, &out), CBOR_E_SIZE);
  assert_int_equal(out.len, 0);
  cbor_out_free(&out);
}

static void test_deepest(void **state) {
  (void)state;
  static const char *const openings[] = {"\x81", "\xa1\x60", "\x9f"};
  static const char *const endings[] = {"", "", "\xff"};
  static const char *const json[] = {"[]", "{}", "[]"};
  for (int kind = 0; kind < 3; kind++) {
    cbor_out in = new_out(), out = new_out();
    for (int i = 0; i < CBOR_DEPTH_MAX; i++)
      cbor_put_raw(&in, openings[kind], strlen(openings[kind]));
    cbor_put_uint(&in, 7);
    for (int i = 0; i < CBOR_DEPTH_MAX; i++)
      cbor_put_raw(&in, endings[kind], strlen(endings[kind]));
    assert_int_equal(json_from_cbor(in.data, in.len, &wide, &out), CBOR_OK);
    assert_int_equal(out.data[0], json[kind][0]);
    assert_int_equal(out.data[out.len - 1], json[kind][1]);
    assert_int_equal(out.len, CBOR_DEPTH_MAX * (kind == 1 ? 5 : 2) + 1);
    cbor_out_free(&in);
    cbor_out_free(&out);
  }
}

static const char scenario[] = "bf 6161 d90103a2 01 7f6162ff 6163 d90103bf 6164 f6 ff"
                               "   6165 c2 5f41014100ff 6166 5f43666f6fff"
                               "   6167 d856 48 9a9999999999b93f ff";
static const char scenario_json[] = "{\"a\":[[1,\"b\"],[\"c\",{\"d\":null}]],\"e\":256,"
                                    "\"f\":\"Zm9v\",\"g\":[0.1]}";

static void test_failing_allocations(void **state) {
  (void)state;
  survives_failing_memory(json_from_cbor, scenario, 4, scenario_json, strlen(scenario_json));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_undefined),
      cmocka_unit_test(test_number_layout),
      cmocka_unit_test(test_number_shortest),
      cmocka_unit_test(test_number_round_trips),
      cmocka_unit_test(test_number_locale),
      cmocka_unit_test(test_bigint),
      cmocka_unit_test(test_bigint_long),
      cmocka_unit_test(test_bigint_limit),
      cmocka_unit_test(test_string_escapes),
      cmocka_unit_test(test_string_bad_bytes),
      cmocka_unit_test(test_lone_surrogates),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_typed_arrays),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_date_calendar),
      cmocka_unit_test(test_date_exact),
      cmocka_unit_test(test_collections),
      cmocka_unit_test(test_nested_maps),
      cmocka_unit_test(test_plain_map_keys),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_unknown_tags),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_deepest),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
