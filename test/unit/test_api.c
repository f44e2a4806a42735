/* The table of operations, and what an allow list names of it. */
#include "notes_fixture.h"

static void test_kinds_are_sorted_and_whole(void **state) {
  (void)state;
  size_t count = 0;
  const api_kind *kinds = api_kinds(&count);
  assert_true(count >= 6);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(kinds[i].handler == NULL, strcmp(kinds[i].name, "fetch") == 0);
    assert_true(kinds[i].parameters[0] && kinds[i].result[0] && kinds[i].doc[0]);
    assert_true(i == 0 || strcmp(kinds[i - 1].name, kinds[i].name) < 0);
  }
}

#define ALL                                                                                        \
  "fetch:HOST, kv.delete, kv.get, kv.list, kv.set, notes.create, notes.delete, notes.get, "        \
  "notes.list, notes.search, notes.update"

static void test_allow(void **state) {
  (void)state;
  static const struct {
    const char *list, *flags; /* of the kinds in order; NULL: refused */
    const char *message;
  } cases[] = {
      {"", "00000000000", NULL},
      {"*", "01111111111", NULL},
      {"notes.*", "00000111111", NULL},
      {"notes.get", "00000001000", NULL},
      {"notes.get,notes.list", "00000001100", NULL},
      {"kv.*,notes.get", "01111001000", NULL},
      {" notes.get , *.search\t", "00000001010", NULL},
      {"*e*t*e", "01000110001", NULL},
      {"notes.get,notes.get", "00000001000", NULL},
      {"**", "01111111111", NULL},
      {"fetch:api.example.com", "10000000000", NULL},
      {"notes.get, fetch:a.example ,fetch:[::1]:8080", "10000001000", NULL},
      {"notes.gett", NULL, "--allow: there is no operation 'notes.gett'; there are: " ALL},
      {"notes", NULL, "--allow: there is no operation 'notes'; there are: " ALL},
      {"notes.get,kw.*", NULL, "--allow: 'kw.*' matches no operation; there are: " ALL},
      {"notes.get,", NULL, "--allow: there is an empty entry; there are: " ALL},
      {",", NULL, "--allow: there is an empty entry; there are: " ALL},
      {" ", NULL, "--allow: there is an empty entry; there are: " ALL},
      {"fetch", NULL,
       "--allow: 'fetch' names no host; right would be fetch:HOST (ports 80 and 443) or "
       "fetch:HOST:PORT, such as fetch:api.example.com"},
      {"fetchx", NULL, "--allow: there is no operation 'fetchx'; there are: " ALL},
      {"fetch*", NULL, "--allow: 'fetch*' matches no operation; there are: " ALL},
      {"Notes.Get\n", NULL, "--allow: there is no operation 'Notes.Get?'; there are: " ALL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool allowed[11];
    char message[512] = "", flags[12] = "";
    bool done = api_allow(cases[i].list, allowed, message, sizeof message);
    for (int k = 0; k < 11; k++)
      flags[k] = allowed[k] ? '1' : '0';
    assert_int_equal(done, cases[i].flags != NULL);
    if (done)
      assert_string_equal(flags, cases[i].flags);
    else
      assert_string_equal(message, cases[i].message);
  }
}

static void test_messages_are_cut_on_characters(void **state) {
  (void)state;
  api_error error;
  static const char day[] = "日";
  char text[300 * (sizeof day - 1) + 1] = "";
  for (size_t i = 0; i + 1 < sizeof text; i++)
    text[i] = day[i % (sizeof day - 1)];
  for (int shift = 0; shift < 3; shift++) {
    assert_false(api_error_set(&error, "TypeError", "X", false, "%.*s%s", shift, "ab", text));
    assert_true(strlen(error.message) > 500);
    assert_int_equal((strlen(error.message) - (size_t)shift) % 3, 0);
  }
  api_quote quote = api_quoted(text, strlen(text));
  assert_int_equal(strlen(quote.text), 78 + 3);
  assert_string_equal(api_quoted("a\nb", 3).text, "a?b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kinds_are_sorted_and_whole),
      cmocka_unit_test(test_allow),
      cmocka_unit_test(test_messages_are_cut_on_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
