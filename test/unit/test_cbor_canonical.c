/* The deterministic form of CBOR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "unit/conversion.h"

static void expect_bytes(const uint8_t *bytes, size_t len, const char *hex) {
  size_t want_len;
  uint8_t *want = hex_bytes(hex, &want_len);
  char *got_text = hex_text(bytes, len), *want_text = want ? hex_text(want, want_len) : NULL;
  assert_non_null(got_text);
  assert_non_null(want_text);
  assert_string_equal(got_text, want_text);
  free(got_text);
  free(want_text);
  free(want);
}

static cbor_status canonical(const char *hex, cbor_out *out) {
  return convert_hex(cbor_canonical, hex, out);
}

static void expect(const char *hex, const char *want) {
  cbor_out out = new_out();
  assert_int_equal(canonical(hex, &out), CBOR_OK);
  expect_bytes(out.data, out.len, want);
  cbor_out_free(&out);
}

static void expect_refused(const char *hex) {
  cbor_out out = new_out();
  cbor_put_null(&out);
  assert_int_equal(canonical(hex, &out), CBOR_E_MALFORMED);
  assert_int_equal(out.status, CBOR_OK);
  expect_bytes(out.data, out.len, "f6");
  cbor_out_free(&out);
}

static void test_shortest_forms(void **state) {
  (void)state;
  expect("1b0000000000000017", "17");
  expect("3900ff", "38ff");
  expect("5900024142", "424142");
  expect("7b0000000000000000", "60");
  expect("9a0000000101", "8101");
  expect("b90001 0102", "a1 0102");
  expect("d90001 00", "c100");
  expect("fb3ff8000000000000", "f93e00");
  expect("fb8000000000000000", "f98000");
  expect("fb47efffffe0000000", "fa7f7fffff");
  expect("fb3ff0000000000001", "fb3ff0000000000001");
  expect("faffc00001", "f97e00");
  expect("5f 4101 40 420203 ff", "43010203");
  expect("7fff", "60");
}

/* What is another value for JavaScript stays another value. */
static void test_kinds_are_kept(void **state) {
  (void)state;
  expect("fb4000000000000000", "f94000");
  expect("c2420001", "c2420001");
  expect("f8ff", "f8ff");
  expect("c11a514b67b0", "c11a514b67b0");
  expect("a2 f93c00 00 01 00", "a2 01 00 f93c00 00");
}

static void test_order(void **state) {
  (void)state;
  /* Bytewise, which is not shortest first: 10, 100, -1, "z", "aa", [100],
   * [-1], false (RFC 8949, 4.2.1). */
  expect("a8 f4 00 8120 00 811864 00 626161 00 617a 00 20 00 1864 00 0a 00",
         "a8 0a 00 1864 00 20 00 617a 00 626161 00 811864 00 8120 00 f4 00");
  expect("a2 6162 02 6161 01", "a2 6161 01 6162 02");
  expect("bf 6162 02 6161 01 ff", "a2 6161 01 6162 02");
  expect("82 a2 6162 02 6161 01 a2 6164 04 6163 03", "82 a2 6161 01 6162 02 a2 6163 03 6164 04");
  /* disorder in a value and around it; the content of a tag moves with it */
  expect("a2 6162 a2 6164 04 6163 03 6161 c1 a2 02 01 01 02",
         "a2 6161 c1 a2 01 02 02 01 6162 a2 6163 03 6164 04");
  expect("a3 6163 9f02ff 6162 9fff 6161 bfff", "a3 6161 a0 6162 80 6163 8102");
  expect("9f a2 02 00 01 00 f6 ff", "82 a2 01 00 02 00 f6");
}

/* Keys are compared by their own deterministic form. */
static void test_keys_that_contain_maps(void **state) {
  (void)state;
  expect("a2 a2 02 01 01 02 00 a1 01 02 00", "a2 a1 01 02 00 a2 01 02 02 01 00");
  expect("a2 bf 02 01 01 05 ff 00 bf 01 02 02 01 ff 01", "a2 a2 01 02 02 01 01 a2 01 05 02 01 00");
  expect("a2 82 a2 02 00 01 00 05 00 82 a2 01 00 02 00 04 00",
         "a2 82 a2 01 00 02 00 04 00 82 a2 01 00 02 00 05 00");
  expect("a2 a1 a2 02 00 01 00 01 00 a1 a2 01 00 02 00 00 00",
         "a2 a1 a2 01 00 02 00 00 00 a1 a2 01 00 02 00 01 00");
}

static void test_duplicates(void **state) {
  (void)state;
  expect_refused("a2 01 00 01 01");
  expect_refused("a2 01 00 1801 01");
  expect_refused("a3 01 00 02 00 01 01");
  expect_refused("a2 f93e00 00 fb3ff8000000000000 00");
  expect_refused("a2 f97e00 00 fa7fc00001 00");
  expect_refused("bf 7f 6161 6162 ff 00 626162 00 ff");
  expect_refused("a2 9f01ff 00 8101 00");
  expect_refused("a2 a2 02 01 01 02 00 a2 01 02 02 01 00");
  expect_refused("81 a1 00 a2 6161 00 6161 00");
}

static void test_appends(void **state) {
  (void)state;
  uint8_t space[16];
  cbor_out out = new_out();
  cbor_put_null(&out);
  assert_int_equal(canonical("a2 02 00 01 00", &out), CBOR_OK);
  assert_int_equal(canonical("9f01ff", &out), CBOR_OK);
  expect_bytes(out.data, out.len, "f6 a2 01 00 02 00 8101");
  cbor_out_free(&out);
  cbor_out_fixed(&out, space, 5);
  assert_int_equal(canonical("a2 02 00 01 00", &out), CBOR_OK);
  expect_bytes(out.data, out.len, "a2 01 00 02 00");
  cbor_out_fixed(&out, space, 4);
  assert_int_equal(canonical("a2 02 00 01 00", &out), CBOR_E_SIZE);
  assert_int_equal(out.len, 0);
  assert_int_equal(canonical("00", &out), CBOR_E_SIZE); /* sticky */
  /* Cut-off keys look alike; that must not pass for a duplicate. */
  cbor_out_fixed(&out, space, 1);
  assert_int_equal(canonical("a2 6161 00 6161 00", &out), CBOR_E_SIZE);
}

/* Many keys with a long common beginning, in falling order: the worst case for
 * a careless sort would take minutes. */
static void test_many_keys(void **state) {
  (void)state;
  enum { KEYS = 200000, COMMON = 40 };
  char key[COMMON + 8];
  memset(key, 'x', sizeof key);
  cbor_out in = new_out(), out = new_out();
  cbor_put_map_open(&in);
  for (unsigned i = KEYS; i-- > 0;) {
    for (unsigned digit = 0, rest = i; digit < 8; digit++, rest /= 10)
      key[COMMON + 7 - digit] = (char)('0' + rest % 10);
    cbor_put_text(&in, key, sizeof key);
    cbor_put_uint(&in, i);
  }
  cbor_put_break(&in);
  assert_int_equal(in.status, CBOR_OK);
  assert_int_equal(cbor_canonical(in.data, in.len, &wide, &out), CBOR_OK);
  cbor_in at;
  uint64_t pairs, value;
  cbor_in_init(&at, out.data, out.len);
  assert_int_equal(cbor_get_map(&at, &pairs), CBOR_OK);
  assert_int_equal(pairs, KEYS);
  for (unsigned i = 0; i < KEYS; i++) {
    assert_int_equal(cbor_skip(&at), CBOR_OK);
    assert_int_equal(cbor_get_uint(&at, &value), CBOR_OK);
    assert_int_equal(value, i);
  }
  assert_true(cbor_in_end(&at));
  cbor_out_free(&in);
  cbor_out_free(&out);
}

/* Maps as keys of maps as keys of maps, out of order on every level: the inner
 * map is each level's first key, and its second key, an empty array, sorts in
 * front of it. */
static void test_nested_disorder(void **state) {
  (void)state;
  cbor_out in = new_out(), out = new_out(), want = new_out();
  for (int i = 0; i < CBOR_DEPTH_MAX; i++) {
    cbor_put_map_open(&in);
    cbor_put_map(&want, 2);
    cbor_put_raw(&want, i + 1 < CBOR_DEPTH_MAX ? "\x80\x00" : "\x01\x00", 2);
  }
  cbor_put_raw(&in, "\x02\x00\x01\x00\xff", 5);
  cbor_put_raw(&want, "\x02\x00", 2);
  for (int i = 1; i < CBOR_DEPTH_MAX; i++) {
    cbor_put_raw(&in, "\x00\x80\x00\xff", 4);
    cbor_put_raw(&want, "\x00", 1);
  }
  assert_int_equal(in.status, CBOR_OK);
  assert_int_equal(cbor_canonical(in.data, in.len, &wide, &out), CBOR_OK);
  assert_int_equal(out.len, want.len);
  assert_memory_equal(out.data, want.data, want.len);
  cbor_out_free(&in);
  cbor_out_free(&out);
  cbor_out_free(&want);
}

static const char scenario[] = "bf 6162 a2 02 9f 7f6161ff f5 ff 01 fb3ff8000000000000"
                               "   6161 c2 5f4101ff 80 a3 03 00 02 00 01 00 ff";
static const char scenario_form[] = "a3 6161 c2 4101 6162 a2 01 f93e00 02 82 6161 f5"
                                    "   80 a3 01 00 02 00 03 00";

static void test_failing_allocations(void **state) {
  (void)state;
  size_t len;
  uint8_t *form = hex_bytes(scenario_form, &len);
  assert_non_null(form);
  survives_failing_memory(cbor_canonical, scenario, 5, form, len);
  free(form);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shortest_forms),
      cmocka_unit_test(test_kinds_are_kept),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_keys_that_contain_maps),
      cmocka_unit_test(test_duplicates),
      cmocka_unit_test(test_appends),
      cmocka_unit_test(test_many_keys),
      cmocka_unit_test(test_nested_disorder),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
