/* Values between CBOR and Python, both ways, without tasks. What Python got is told by its
 * repr(), what it gave by the bytes. */
#include "unit/python_fixture.h"

#include <sys/wait.h>

#include "executors/python.h"
#include "unit/hex.h"

#define FUNCTION(text) "def f(a):\n" text

/* Calls f of `source` with the CBOR in `hex`; free the result. */
static python_result call(const char *source, const void *value, size_t len) {
  const vow_function function = in_source(source, strstr(source, "def f") ? "f" : NULL);
  const python_request request = {.function = &function, .value = value, .value_len = len};
  python_result result;
  python_call call;
  python_call_init(&call);
  python_call_run(&call, &request, &result);
  return result;
}

static void expect_text(const char *source, const char *hex, const char *text) {
  size_t len;
  uint8_t *bytes = hex_bytes(hex, &len);
  python_result result = call(source, bytes, len);
  if (!result.fulfilled)
    fail_msg("%s: %s: %s", hex, result.type, result.message);
  cbor_in in;
  const char *got = NULL;
  size_t got_len = 0;
  cbor_in_init(&in, result.value, result.value_len);
  assert_int_equal(cbor_get_text(&in, &got, &got_len), CBOR_OK);
  if (got_len != strlen(text) || memcmp(got, text, got_len) != 0)
    fail_msg("%s: %.*s in place of %s", hex, (int)got_len, got, text);
  python_result_free(&result);
  free(bytes);
}

static void each_kind_arrives(void **state) {
  (void)state;
  static const char *const values[][2] = {
      {"f6", "None"},
      {"f7", "None"},
      {"e3", "None"},
      {"f4", "False"},
      {"f5", "True"},
      {"00", "0"},
      {"20", "-1"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"3bffffffffffffffff", "-18446744073709551616"},
      {"c24101", "1"},
      {"c240", "0"},
      {"c2 49 010000000000000000", "18446744073709551616"},
      {"c3 49 010000000000000000", "-18446744073709551617"},
      {"f93e00", "1.5"},
      {"f98000", "-0.0"},
      {"f97e00", "nan"},
      {"f97c00", "inf"},
      {"fb3ff0000000000000", "1.0"},
      {"63 e282ac", "'\xe2\x82\xac'"},
      {"7f 61 61 61 62 ff", "'ab'"},
      {"d90111 43 eda080", "'\\ud800'"},
      {"42 0001", "b'\\x00\\x01'"},
      {"5f 41 61 40 41 62 ff", "b'ab'"},
      {"83 01 f6 81 02", "[1, None, [2]]"},
      {"9f 01 ff", "[1]"},
      {"80", "[]"},
      {"a2 61 62 01 61 61 80", "{'b': 1, 'a': []}"},
      {"bf 61 61 01 ff", "{'a': 1}"},
      {"a1 01 02", "{1: 2}"},
      {"d90103 a2 01 02 82 01 80 03", "{1: 2, (1, ()): 3}"},
      {"d90102 82 01 01", "{1}"},
      {"d90102 81 d90102 81 82 01 02", "{frozenset({(1, 2)})}"},
      {"c1 1a 65920080", "datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"},
      {"c1 00", "datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"},
      {"c1 20", "datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc)"},
      {"c1 fb bff3c0c9539b8887", /* -1.234567 */
       "datetime.datetime(1969, 12, 31, 23, 59, 58, 765433, tzinfo=datetime.timezone.utc)"},
      {"c1 f97e00", "None"},
      {"d81b 82 65 4572726f72 a1 67 6d657373616765 62 6e6f", "Error('no')"},
      {"d840 42 0102", "b'\\x01\\x02'"},
      {"d9d9f7 01", "1"},
  };
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    expect_text(FUNCTION("  return repr(a)"), values[i][0], values[i][1]);
  /* Typed arrays, little-endian and big-endian. */
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d84d 44 0100 feff", "h[1, -2]");
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d849 44 0001 fffe", "h[1, -2]");
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d848 42 01ff", "b[1, -1]");
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d847 48 0100000000000000", "Q[1]");
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d855 44 0000c03f", "f[1.5]");
  expect_text(FUNCTION("  return a.format + repr(a.tolist())"), "d856 48 000000000000f83f",
              "d[1.5]");
}

static void each_kind_leaves(void **state) {
  (void)state;
  static const char *const values[][2] = {
      {"None", "f6"},
      {"True", "f5"},
      {"[0, -1, 23, -24, 2**53 - 1]", "85 00 20 17 37 1b001fffffffffffff"},
      {"[2**53, -2**53]", "82 c2 47 20000000000000 c3 47 1fffffffffffff"},
      {"2**64", "c2 49 010000000000000000"},
      {"-2**64 - 1", "c3 49 010000000000000000"},
      {"[1.5, -0.0, float('nan'), 1.0]", "84 f93e00 f98000 f97e00 f93c00"},
      {"['', '\\u20ac', '\\ud800']", "83 60 63 e282ac d90111 43 eda080"},
      {"[b'a', bytearray(b'b'), memoryview(b'c')]", "83 41 61 41 62 41 63"},
      {"(1, [2], ())", "83 01 81 02 80"},
      {"{'b': 1, 'a': {}}", "a2 61 62 01 61 61 a0"},
      {"{1: 2}", "d90103 a1 01 02"},
      {"{'a': 1, (1, 2): 2}", "d90103 a2 61 61 01 82 01 02 02"},
      {"{1}", "d90102 81 01"},
      {"frozenset()", "d90102 80"},
      {"__import__('collections').OrderedDict([('z', 1), ('y', 2)])", "a2 61 7a 01 61 79 02"},
      {"__import__('datetime').datetime(2024, 1, 1, tzinfo=__import__('datetime').timezone.utc)",
       "c1 1a 65920080"},
      {"__import__('datetime').datetime(1970, 1, 1, 1, tzinfo=__import__('datetime').timezone("
       "__import__('datetime').timedelta(hours=1)))",
       "c1 00"},
      {"__import__('datetime').datetime(1969, 12, 31, 23, 59, 59, 500000, "
       "__import__('datetime').timezone.utc)",
       "c1 f9b800"},
      {"__import__('datetime').datetime.fromtimestamp(86400)", "c1 1a 00015180"},
      {"ValueError('no')", "d81b 82 6a 56616c75654572726f72 a1 67 6d657373616765 62 6e6f"},
      {"__import__('array').array('h', [1, -2])", "d84d 44 0100 feff"},
      {"__import__('array').array('B', [1, 2])", "42 0102"},
      {"__import__('array').array('d', [1.5])", "d856 48 000000000000f83f"},
      {"memoryview(b'abcd')[::1][1:3]", "42 6263"},
      {"__import__('enum').IntEnum('E', ['A', 'B']).B", "02"},
      {"__import__('http').HTTPStatus.OK", "18c8"},
      {"type('S', (str,), {})('s')", "61 73"},
      {"type('L', (list,), {})([1])", "81 01"},
      {"__import__('collections').namedtuple('P', 'x y')(1, 2)", "82 01 02"},
  };
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    size_t len;
    uint8_t *wanted = hex_bytes(values[i][1], &len);
    python_result result = call(values[i][0], NULL, 0);
    if (!result.fulfilled)
      fail_msg("%s: %s: %s", values[i][0], result.type, result.message);
    char *got = hex_text(result.value, result.value_len);
    if (len != result.value_len || memcmp(result.value, wanted, len) != 0)
      fail_msg("%s: %s in place of %s", values[i][0], got, values[i][1]);
    free(got);
    free(wanted);
    python_result_free(&result);
  }
}

static const char *const unchanged[] = {
    "f6",
    "f4",
    "00",
    "1b001fffffffffffff",
    "c2 47 20000000000000",
    "c3 49 ffffffffffffffffff",
    "f93e00",
    "fb3ff199999999999a",
    "60",
    "d90111 43 eda080",
    "45 0001020304",
    "82 01 a1 61 61 f5",
    "d90103 a1 01 80",
    "d90102 81 d90102 80",
    "c1 fb 41d954fc4007e6b8",
    "d84e 44 01000000",
    "d855 44 0000c03f",
    "d81b 82 61 45 a1 67 6d657373616765 60",
};

static void the_bytes_come_back(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof unchanged / sizeof *unchanged; i++) {
    size_t len;
    uint8_t *bytes = hex_bytes(unchanged[i], &len);
    python_result result = call(FUNCTION("  return a"), bytes, len);
    if (!result.fulfilled)
      fail_msg("%s: %s: %s", unchanged[i], result.type, result.message);
    if (len != result.value_len || memcmp(result.value, bytes, len) != 0) {
      char *got = hex_text(result.value, result.value_len);
      fail_msg("%s became %s", unchanged[i], got);
    }
    python_result_free(&result);
    free(bytes);
  }
}

/* Bytes that were changed here and there are a value or an error, and never more. */
static void hostile_bytes_do_no_harm(void **state) {
  (void)state;
  uint64_t seed = 7;
  for (unsigned round = 0; round < 4000; round++) {
    size_t len;
    uint8_t *bytes = hex_bytes(unchanged[round % (sizeof unchanged / sizeof *unchanged)], &len);
    for (int change = 0; change < 3; change++) {
      seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      bytes[(seed >> 33) % len] = (uint8_t)(seed >> 56);
    }
    python_result result = call(FUNCTION("  return a"), bytes, len);
    assert_true(result.fulfilled ? result.value_len > 0 : result.type[0] != 0);
    python_result_free(&result);
    free(bytes);
  }
}

static void refused(const char *source, const char *hex, const char *type, const char *message) {
  size_t len = 0;
  uint8_t *bytes = hex ? hex_bytes(hex, &len) : NULL;
  python_result result = call(source, bytes, len);
  assert_false(result.fulfilled);
  assert_null(result.value);
  if (strcmp(result.type, type) != 0 || !strstr(result.message, message))
    fail_msg("%s: %s: %s in place of %s", source, result.type, result.message, message);
  python_result_free(&result);
  free(bytes);
}

static void what_cannot_cross_is_named_by_its_path(void **state) {
  (void)state;
  refused("[1, {'a': [print]}]", NULL, "TypeError",
          "result[1].a[0] is a builtin_function_or_method");
  refused("{'a b': {1: object()}}", NULL, "TypeError", "result['a b'][1] is a object");
  refused("{(1, print): 1}", NULL, "TypeError", "result (a key)[1] is a builtin_function");
  refused("__import__('decimal').Decimal(1)", NULL, "TypeError", "result is a decimal.Decimal");
  refused("(x for x in [])", NULL, "TypeError", "result is a generator");
  refused("1j", NULL, "TypeError", "result is a complex");
  refused("memoryview(b'abcd')[::2]", NULL, "TypeError", "result is a buffer that is not");
  refused("memoryview(bytes(16)).cast('I', (2, 2))", NULL, "TypeError", "'I' in 2 dimensions");
  refused("def f(a):\n  a = [1]\n  a.append({'a': a})\n  return a", NULL, "ValueError",
          "result[1].a is a cycle");
  refused("def f(a):\n  a = {}\n  a['self'] = a\n  return a", NULL, "ValueError",
          "result.self is a cycle");
  refused("def f(a):\n  for i in range(300): a = [a]\n  return a", NULL, "ValueError",
          "is nested deeper than 256");
  refused("def f(a):\n  for i in range(40): a = [a, a]\n  return a", NULL, "ValueError",
          "bytes in all");
  refused("'x' * (65 << 20)", NULL, "ValueError", "bytes in all");
  refused("1 << (65 << 23)", NULL, "ValueError", "an integer of too many bytes");
  refused(FUNCTION("  pass"), "82 01 82 01 c1 fb 7e37e43c8800759c", "ValueError",
          "argument[1][1] is a date beyond those of Python");
  refused(FUNCTION("  pass"), "81 d90103 a1 a0 01", "TypeError", "argument[0] (a key) is a map");
  refused(FUNCTION("  pass"), "a1 61 61 d84d 43 010203", "ValueError",
          "argument.a is no typed array");
  refused(FUNCTION("  pass"), "a1 61 61 d850 42 0102", "ValueError",
          "argument.a is no typed array");
  refused(FUNCTION("  pass"), "c2 01", "ValueError", "argument is no big integer");
  refused(FUNCTION("  pass"), "c1 60", "ValueError", "argument is no date");
  refused(FUNCTION("  pass"), "d90102 01", "ValueError", "argument is no set");
  refused(FUNCTION("  pass"), "d81b 01", "ValueError", "argument is no error");
  refused(FUNCTION("  pass"), "82 01", "ValueError", "argument is no value");
  refused(FUNCTION("  pass"), "0101", "ValueError", "argument is no value");
  refused(FUNCTION("  pass"), "ff", "ValueError", "argument is no value");
}

/* Code of the value's own runs during the walk and changes what is walked. */
static void a_value_that_changes_meanwhile_is_refused(void **state) {
  (void)state;
#define ZONE                                                                                       \
  "import datetime\n"                                                                              \
  "class Zone(datetime.tzinfo):\n"                                                                 \
  "  def __init__(self, act): self.act = act\n"                                                    \
  "  def utcoffset(self, _):\n"                                                                    \
  "    self.act()\n"                                                                               \
  "    return datetime.timedelta(0)\n"                                                             \
  "  def dst(self, _): return None\n"                                                              \
  "def f(_):\n"
  refused(ZONE "  a = []\n"
               "  a += [datetime.datetime(2000, 1, 1, tzinfo=Zone(a.clear)), [1] * 100]\n"
               "  return a",
          NULL, "RuntimeError", "result changed while it was read");
  refused(ZONE "  a = {}\n"
               "  def act():\n"
               "    for i in range(1000): a[i] = i\n"
               "  a['x'] = datetime.datetime(2000, 1, 1, tzinfo=Zone(act))\n"
               "  a['y'] = 1\n"
               "  return a",
          NULL, "RuntimeError", "result changed while it was read");
  refused(ZONE "  a = {1}\n"
               "  a.add(datetime.datetime(2000, 1, 1, tzinfo=Zone(lambda: a.add(len(a)))))\n"
               "  return a",
          NULL, "RuntimeError", "changed");
  refused(ZONE "  return datetime.datetime(2000, 1, 1, tzinfo=Zone(lambda: 1 // 0))", NULL,
          "ZeroDivisionError", "");
}

static void discard(int stream, const char *text, size_t len, void *user) {
  (void)stream;
  (void)text;
  *(size_t *)user += len;
}

/* Every allocation of the executor's own fails once. */
static void short_memory_is_a_failure(void **state) {
  (void)state;
  for (size_t at = 1;; at++) {
    size_t printed = 0;
    counting_alloc memory = {.fail_at = at};
    const vow_allocator allocator = counting_allocator(&memory);
    const vow_function function =
        in_source("def f(a):\n  print(a)\n  if a: raise KeyError\n  return ['x' * 100000]", "f");
    static const uint8_t yes[] = {0xf5};
    for (int failing = 0; failing < 2; failing++) {
      const python_request request = {.allocator = &allocator,
                                      .function = &function,
                                      .value = yes,
                                      .value_len = failing ? 1 : 0,
                                      .on_output = discard,
                                      .user = &printed};
      python_result result;
      python_call call;
      python_call_init(&call);
      python_call_run(&call, &request, &result);
      if (!result.fulfilled)
        assert_true(strcmp(result.type, "MemoryError") == 0 ||
                    strcmp(result.type, "KeyError") == 0);
      python_result_free(&result);
    }
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(printed, strlen("None\nTrue\n"));
    if (memory.calls < at)
      break;
  }
}

static void a_stop_before_the_call_is_one(void **state) {
  (void)state;
  const vow_function function = in_source("print('never')", NULL);
  const python_request request = {.function = &function};
  python_result result;
  python_call call;
  python_call_init(&call);
  python_call_stop(&call);
  python_call_stop(&call);
  python_call_run(&call, &request, &result);
  assert_false(result.fulfilled);
  assert_string_equal(result.type, "AbortError");
  python_call_stop(&call);
  python_result_free(&result);
}

static void a_fork_has_no_interpreter(void **state) {
  (void)state;
  int status;
  python_result result = call("1", NULL, 0);
  assert_true(result.fulfilled);
  python_result_free(&result);
  pid_t child = fork();
  if (child == 0) {
    result = call("1", NULL, 0);
    _exit(!result.fulfilled && strcmp(result.type, "NotFoundError") == 0 ? 0 : 1);
  }
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

int main(void) {
  setenv("TZ", "Asia/Kathmandu", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_arrives),
      cmocka_unit_test(each_kind_leaves),
      cmocka_unit_test(the_bytes_come_back),
      cmocka_unit_test(hostile_bytes_do_no_harm),
      cmocka_unit_test(what_cannot_cross_is_named_by_its_path),
      cmocka_unit_test(a_value_that_changes_meanwhile_is_refused),
      cmocka_unit_test(short_memory_is_a_failure),
      cmocka_unit_test(a_stop_before_the_call_is_one),
      cmocka_unit_test(a_fork_has_no_interpreter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
