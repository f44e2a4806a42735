/* Values of tasks: types and what is said of them, JSON, texts that are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"
#include "task/task_value.h"
#include "unit/counting_alloc.h"
#include "vow/task.h"

/* ---- types ---- */

/* A value, in hexadecimal, and the types it fits. */
typedef struct example {
  const char *hex, *name;
  uint32_t types;
} example;

#define NUMBERS (VOW_TYPE_INTEGER | VOW_TYPE_NUMBER)

static const example examples[] = {
    {"f6", "null", VOW_TYPE_NONE},
    {"f7", "null", VOW_TYPE_NONE},
    {"f4", "boolean", VOW_TYPE_BOOL},
    {"f5", "boolean", VOW_TYPE_BOOL},
    {"00", "integer", NUMBERS},
    {"1bffffffffffffffff", "integer", NUMBERS},
    {"38ff", "integer", NUMBERS},
    {"f93c00", "integer", NUMBERS}, /* 1.0 */
    {"f98000", "integer", NUMBERS}, /* -0 */
    {"fb7fefffffffffffff", "integer", NUMBERS},
    {"f93800", "number", VOW_TYPE_NUMBER}, /* 0.5 */
    {"f97e00", "number", VOW_TYPE_NUMBER}, /* NaN */
    {"f97c00", "number", VOW_TYPE_NUMBER}, /* Infinity */
    {"c24101", "integer", NUMBERS},
    {"c349ffffffffffffffffff", "integer", NUMBERS},
    {"60", "text", VOW_TYPE_TEXT},
    {"7f6161ff", "text", VOW_TYPE_TEXT},
    {"d9011143eda080", "text", VOW_TYPE_TEXT}, /* a lone surrogate */
    {"40", "bytes", VOW_TYPE_BYTES},
    {"d8404101", "bytes", VOW_TYPE_BYTES}, /* Uint8Array */
    {"d85644000000ff", "bytes", VOW_TYPE_BYTES},
    {"80", "list", VOW_TYPE_LIST},
    {"9fff", "list", VOW_TYPE_LIST},
    {"d9010280", "list", VOW_TYPE_LIST}, /* Set */
    {"a0", "map", VOW_TYPE_MAP},
    {"d90103a0", "map", VOW_TYPE_MAP}, /* Map */
    {"c100", "date", VOW_TYPE_DATE},
    {"d81b82654572726f72a0", "error", 0},
    {"f8ff", "a simple value", 0},
    {"d9d9f701", "integer", NUMBERS},              /* "this is CBOR" */
    {"da0001000063616263", "text", VOW_TYPE_TEXT}, /* an unknown tag says nothing */
    {"", "not one CBOR value within the limits", 0},
    {"0000", "not one CBOR value within the limits", 0},
    {"61ff", "not one CBOR value within the limits", 0},
    {"1a00", "not one CBOR value within the limits", 0},
};

static size_t read_hex(const char *hex, uint8_t *bytes) {
  size_t len = strlen(hex) / 2;
  for (size_t i = 0; i < len; i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return len;
}

static void each_type(void **state) {
  (void)state;
  char message[TASK_MESSAGE_MAX], head[200];
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    uint8_t bytes[32];
    size_t len = read_hex(examples[i].hex, bytes);
    assert_true(task_value_fits(0, bytes, len, "argument", "f", message, sizeof message));
    snprintf(head, sizeof head, "result of 'f' is %s, expected ", examples[i].name);
    for (uint32_t type = 1; type <= TASK_TYPES_ALL; type <<= 1) {
      bool fits = task_value_fits(type, bytes, len, "result", "f", message, sizeof message);
      assert_int_equal(fits, (type & examples[i].types) != 0);
      if (!fits)
        assert_memory_equal(message, head, strlen(head));
    }
    if (examples[i].types)
      assert_true(
          task_value_fits(examples[i].types, bytes, len, "result", "f", message, sizeof message));
  }
}

static void no_value_counts_as_null(void **state) {
  (void)state;
  char message[TASK_MESSAGE_MAX];
  assert_true(task_value_fits(VOW_TYPE_NONE | VOW_TYPE_MAP, NULL, 0, "argument", "f", message,
                              sizeof message));
  assert_false(task_value_fits(VOW_TYPE_MAP, NULL, 0, "argument", "f", message, sizeof message));
  assert_string_equal(message, "argument of 'f' is null, expected map");
}

static void says_what_was_expected(void **state) {
  (void)state;
  static const uint8_t text[] = {0x61, 'x'};
  char message[TASK_MESSAGE_MAX];
  assert_false(task_value_fits(VOW_TYPE_INTEGER | VOW_TYPE_NONE, text, sizeof text, "argument",
                               "resize", message, sizeof message));
  assert_string_equal(message, "argument of 'resize' is text, expected integer or null");
  assert_false(task_value_fits(TASK_TYPES_ALL & ~(uint32_t)VOW_TYPE_TEXT, text, sizeof text,
                               "result", "resize", message, sizeof message));
  assert_string_equal(message, "result of 'resize' is text, expected boolean, integer, number, "
                               "bytes, list, map, date or null");
  assert_false(task_value_fits(1u << 20, text, sizeof text, "argument", "f", message, 12));
  assert_string_equal(message, "argument of");
}

/* ---- JSON ---- */

static void json_and_back(void **state) {
  (void)state;
  static const char *const values[] = {
      "null", "true", "-12", "1.5", "\"\xc3\xa4\"", "[1,[],{\"a\":null}]", "{\"b\":[1],\"a\":2}"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    void *bytes;
    size_t len;
    assert_int_equal(task_value_from_json(NULL, values[i], &bytes, &len), VOW_OK);
    char *json = task_value_to_json(NULL, bytes, len);
    assert_string_equal(json, values[i]);
    mem_free(NULL, json);
    mem_free(NULL, bytes);
  }
}

static void what_is_no_json_or_no_cbor(void **state) {
  (void)state;
  static const char *const values[] = {"", "{", "1 2", "'a'", "[1,]", "\"\xff\""};
  void *bytes;
  size_t len;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    assert_int_equal(task_value_from_json(NULL, values[i], &bytes, &len), VOW_E_JSON);
  assert_int_equal(task_value_from_json(NULL, NULL, &bytes, &len), VOW_E_JSON);
  assert_null(task_value_to_json(NULL, NULL, 0));
  assert_null(task_value_to_json(NULL, "", 0));
  assert_null(task_value_to_json(NULL, "\x61\xff", 2));
  assert_null(task_value_to_json(NULL, "\x01\x01", 2));
}

static void json_without_memory(void **state) {
  (void)state;
  counting_alloc counting = {0};
  vow_allocator allocator = counting_allocator(&counting);
  vow_status status = VOW_E_NOMEM;
  unsigned failures = 0;
  for (counting.fail_at = 1; status != VOW_OK; counting.fail_at++, failures++) {
    void *bytes = NULL;
    char *json = NULL;
    size_t len;
    counting.calls = 0;
    status = task_value_from_json(&allocator, "{\"a\":[1,2,{\"b\":\"text\"}]}", &bytes, &len);
    if (status == VOW_OK && !(json = task_value_to_json(&allocator, bytes, len)))
      status = VOW_E_NOMEM;
    assert_true(status == VOW_OK || status == VOW_E_NOMEM);
    mem_free(&allocator, json);
    mem_free(&allocator, bytes);
    assert_int_equal(counting.blocks, 0);
  }
  assert_true(failures > 2);
}

/* ---- texts ---- */

static void check_copy(const char *text, size_t max, const char *expected) {
  char room[64];
  memset(room, '#', sizeof room);
  size_t len = task_text_len(text, max);
  assert_int_equal(len, strlen(expected));
  assert_ptr_equal(task_text_copy(room, text, max), room + len + 1);
  assert_string_equal(room, expected);
  assert_int_equal(room[len + 1], '#');
}

static void texts_are_cut_at_a_character(void **state) {
  (void)state;
  check_copy(NULL, 8, "");
  check_copy("", 8, "");
  check_copy("abc", 0, "");
  check_copy("abc", 2, "ab");
  check_copy("abc", 3, "abc");
  check_copy("a\xc3\xa4", 2, "a");
  check_copy("a\xc3\xa4", 3, "a\xc3\xa4");
  check_copy("\xf0\x9f\x98\x80x", 3, "");
  check_copy("\xf0\x9f\x98\x80x", 4, "\xf0\x9f\x98\x80");
}

static void what_is_no_utf8_is_replaced(void **state) {
  (void)state;
  check_copy("a\xffz", 8, "a\xef\xbf\xbdz");
  check_copy("a\xffz", 3, "a"); /* the replacement is longer than what it replaces */
  check_copy("\xe2\x82", 8, "\xef\xbf\xbd");
  check_copy("\xed\xa0\x80", 9, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  check_copy("\xff\xff\xff", 7, "\xef\xbf\xbd\xef\xbf\xbd");
}

/* Any bytes become valid text of at most the length asked for. */
static void any_bytes(void **state) {
  (void)state;
  uint64_t random = 1;
  char text[40], room[41];
  for (unsigned round = 0; round < 20000; round++) {
    for (size_t i = 0; i < sizeof text; i++) {
      random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
      text[i] = (char)(random >> 33 & 3 ? 0x80 | random >> 40 : 1 + (random >> 40) % 127);
    }
    text[sizeof text - 1] = 0;
    size_t max = random >> 50 & 31;
    char *end = task_text_copy(room, text, max);
    assert_int_equal(end - room - 1, task_text_len(text, max));
    assert_true(strlen(room) <= max && end == room + strlen(room) + 1);
    assert_true(utf8_valid((const uint8_t *)room, strlen(room)));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_type),
      cmocka_unit_test(no_value_counts_as_null),
      cmocka_unit_test(says_what_was_expected),
      cmocka_unit_test(json_and_back),
      cmocka_unit_test(what_is_no_json_or_no_cbor),
      cmocka_unit_test(json_without_memory),
      cmocka_unit_test(texts_are_cut_at_a_character),
      cmocka_unit_test(what_is_no_utf8_is_replaced),
      cmocka_unit_test(any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
