/* The parts of Deferred that need no thread: what a call asks for, the table of code,
 * what a guest waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sha2.h>

#include "deferred/deferred_int.h"
#include "unit/counting_alloc.h"

/* ---- what a call asks for ---- */

#define HASH                                                                                       \
  "\x50"                                                                                           \
  "0123456789abcdef"

/* Of the options that follow hash and arguments. */
static task_terms terms_of(const char *options, size_t len) {
  uint8_t bytes[200] = "\x83" HASH "\x81\x07";
  task_terms terms;
  memcpy(bytes + 20, options, len);
  assert_true(deferred_task_terms_read(bytes, 20 + len, &terms));
  assert_memory_equal(terms.hash, "0123456789abcdef", WIRE_HASH);
  assert_int_equal(terms.list_len, 2);
  assert_memory_equal(terms.list, "\x81\x07", 2);
  return terms;
}
#define TERMS(options) terms_of(options, sizeof options - 1)

static void terms_are_read(void **state) {
  (void)state;
  task_terms terms = TERMS("\xf7");
  assert_true(terms.affinity == 0 && terms.run_ns == 0 && terms.memory_bytes == 0);
  assert_false(terms.isolated);
  terms = TERMS("\xa4\x68"
                "affinity\x61k\x68isolated\xf5\x69memoryMib\x10\x6arunTimeout\x19\x01\xf4");
  assert_true(terms.affinity != 0 && terms.isolated);
  assert_true(terms.memory_bytes > 16u << 20 && terms.memory_bytes < 17u << 20);
  assert_true(terms.run_ns > 500000000 && terms.run_ns < 501000000);
  assert_true(TERMS("\xa1\x68"
                    "affinity\x61k")
                  .affinity == terms.affinity);
  assert_true(TERMS("\xa1\x68"
                    "affinity\x61l")
                  .affinity != terms.affinity);
  assert_true(TERMS("\xa1\x68"
                    "affinity\x60")
                  .affinity != 0);
}

/* Options of another type, or beyond what can be, are as none. */
static void odd_options(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
  } odd[] = {
#define ODD(text) {text, sizeof text - 1}
      ODD("\x01"),
      ODD("\x80"),
      ODD("\xa0"),
      ODD("\xa1\x68"
          "affinity\x01"),
      ODD("\xa1\x68isolated\x01"),
      ODD("\xa1\x69memoryMib\xf9\x7e\x00"),                          /* NaN */
      ODD("\xa1\x69memoryMib\x20"),                                  /* -1 */
      ODD("\xa1\x69memoryMib\xfb\x7f\xe0\0\0\0\0\0\0"),              /* 9e307 */
      ODD("\xa1\x6arunTimeout\xf9\x7c\x00"),                         /* Infinity */
      ODD("\xa1\x6arunTimeout\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), /* 2^64 - 1 */
#undef ODD
  };
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    const task_terms terms = terms_of(odd[i].bytes, odd[i].len);
    assert_true(terms.affinity == 0 && terms.run_ns == 0 && terms.memory_bytes == 0);
    assert_false(terms.isolated);
  }
  assert_int_equal(TERMS("\xa1\x6arunTimeout\x20").run_ns, 1); /* no time at all */
}

static void what_is_no_call(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
  } others[] = {
#define OTHER(text) {text, sizeof text - 1}
      OTHER(""),
      OTHER("\x01"),
      OTHER("\x80"),
      OTHER("\x81" HASH),
      OTHER("\x82\x01\x80"),
      OTHER("\x82\x41\x01\x80"),     /* a hash of one byte */
      OTHER("\x82" HASH "\x01"),     /* no list */
      OTHER("\x82" HASH "\x82\x01"), /* one that ends too early */
#undef OTHER
  };
  task_terms terms;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(deferred_task_terms_read((const uint8_t *)others[i].bytes, others[i].len, &terms));
}

/* ---- code ---- */

typedef struct sent_code {
  uint8_t hash[SHA256_DIGEST_LENGTH];
  cbor_out body;
} sent_code;

/* Written as a guest does, but `cut` bytes short. */
static void code_make(sent_code *code, const char *bytecode, size_t cut, const char *name) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, (const uint8_t *)bytecode, strlen(bytecode));
  SHA256Final(code->hash, &context);
  cbor_out_init(&code->body, NULL, 1 << 20);
  cbor_put_array(&code->body, 5);
  cbor_put_bytes(&code->body, code->hash, WIRE_HASH);
  cbor_put_bytes(&code->body, bytecode, strlen(bytecode) - cut);
  cbor_put_cstring(&code->body, "() => 1");
  cbor_put_cstring(&code->body, name);
  cbor_put_cstring(&code->body, "file.js");
  assert_int_equal(code->body.status, CBOR_OK);
}

static bool added(code_table *table, const char *bytecode, size_t cut, const char *name) {
  sent_code sent;
  code_make(&sent, bytecode, cut, name);
  bool is = code_add(table, sent.body.data, sent.body.len);
  assert_true(is == (code_find(table, sent.hash) != NULL));
  cbor_out_free(&sent.body);
  return is;
}

static code *find(code_table *table, const char *bytecode) {
  sent_code sent;
  code_make(&sent, bytecode, 0, "");
  cbor_out_free(&sent.body);
  return code_find(table, sent.hash);
}

static void code_is_kept(void **state) {
  (void)state;
  counting_alloc counting = {0};
  const vow_allocator allocator = counting_allocator(&counting);
  code_table table = {.allocator = &allocator};
  char long_name[65] = {0};
  const char *text;
  size_t len;
  memset(long_name, 'n', sizeof long_name - 1);
  assert_true(added(&table, "one", 0, "first"));
  size_t bytes = table.bytes;
  assert_true(added(&table, "one", 0, "again")); /* is known already */
  assert_int_equal(table.bytes, bytes);
  assert_true(added(&table, "two", 0, long_name));
  assert_string_equal(find(&table, "one")->name, "first");
  assert_string_equal(find(&table, "two")->name, ""); /* too long for one */
  code *held = code_hold(find(&table, "one"));
  code_table_free(&table);
  code_source(held, &text, &len);
  assert_int_equal(len, 7);
  assert_memory_equal(text, "() => 1", len);
  code_release(held);
  assert_int_equal(counting.blocks, 0);
}

/* Nothing that was cut, mixed up or is of another form gets to an engine. */
static void code_is_checked(void **state) {
  (void)state;
  code_table table = {0};
  sent_code sent;
  assert_false(added(&table, "bytecode", 1, "cut"));
  assert_false(added(&table, "bytecode", 8, "nothing"));
  code_make(&sent, "bytecode", 0, "f");
  for (size_t at = 0; at < sent.body.len; at++) /* ends too early, anywhere */
    assert_false(code_add(&table, sent.body.data, at));
  sent.body.data[2] ^= 1; /* another's hash */
  assert_false(code_add(&table, sent.body.data, sent.body.len));
  sent.body.data[2] ^= 1;
  sent.body.data[0] = 0x84; /* one that is too long */
  assert_false(code_add(&table, sent.body.data, sent.body.len));
  assert_int_equal(table.bytes, 0);
  cbor_out_free(&sent.body);
  table.bytes = CODE_BYTES_MAX; /* full: no error, but it is not there */
  code_make(&sent, "bytecode", 0, "f");
  assert_true(code_add(&table, sent.body.data, sent.body.len));
  assert_null(code_find(&table, sent.hash));
  cbor_out_free(&sent.body);
  code_table_free(&table);
}

/* ---- what a guest waits for ---- */

static void timers_in_the_order_of_time(void **state) {
  (void)state;
  static waits waits;
  uint64_t id;
  assert_true(waits_next_timer(&waits) == UINT64_MAX && !waits_take_due(&waits, UINT64_MAX, &id));
  assert_true(waits_start_timer(&waits, 1, 30) && waits_start_timer(&waits, 2, 10));
  assert_true(waits_start_timer(&waits, 3, 20) && waits_start_timer(&waits, 4, 10));
  waits_stop_timer(&waits, 3);
  waits_stop_timer(&waits, 99);
  assert_int_equal(waits_next_timer(&waits), 10);
  assert_false(waits_take_due(&waits, 9, &id));
  static const uint64_t order[] = {2, 4, 1};
  for (size_t i = 0; i < 3; i++) {
    assert_true(waits_take_due(&waits, 30, &id));
    assert_int_equal(id, order[i]);
  }
  assert_true(waits_is_empty(&waits));
  for (uint64_t i = 0; i < WAITS_TIMERS_MAX; i++)
    assert_true(waits_start_timer(&waits, i, i));
  assert_false(waits_start_timer(&waits, 5000, 1));
  waits_clear(&waits);
  assert_true(waits_is_empty(&waits));
}

static void calls_by_their_ids(void **state) {
  (void)state;
  counting_alloc counting = {0};
  const vow_allocator allocator = counting_allocator(&counting);
  static waits waits;
  for (uint64_t id = 1; id <= 100; id++)
    assert_true(waits_add_call(&waits, &allocator, id));
  for (uint64_t id = 1; id < 100; id++)
    waits_remove_call(&waits, id);
  waits_remove_call(&waits, 7); /* was answered and cancelled */
  assert_false(waits_is_empty(&waits));
  waits_remove_call(&waits, 100);
  assert_true(waits_is_empty(&waits));
  waits_free(&waits, &allocator);
  assert_int_equal(counting.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(terms_are_read),     cmocka_unit_test(odd_options),
      cmocka_unit_test(what_is_no_call),    cmocka_unit_test(code_is_kept),
      cmocka_unit_test(code_is_checked),    cmocka_unit_test(timers_in_the_order_of_time),
      cmocka_unit_test(calls_by_their_ids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
