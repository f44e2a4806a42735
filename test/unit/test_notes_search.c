/* Pages of notes: lists and searches. */
#include "notes_fixture.h"

static void test_list_pages(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 25; i++) {
    char arguments[64];
    snprintf(arguments, sizeof arguments, "[{'id':'n%02d','title':'x'}]", (i * 7) % 25);
    give(f, notes_create, arguments);
  }
  char arguments[64] = "[{'limit':10}]", seen[400] = "";
  int pages = 0;
  for (;;) {
    give(f, notes_list, arguments);
    pages++;
    for (const char *at = f->json; (at = strstr(at, "\"id\":\"")); at += 6)
      strncat(seen, at + 6, 3);
    const char *next = strstr(f->json, "\"next\":");
    if (strncmp(next, "\"next\":null}", 12) == 0)
      break;
    snprintf(arguments, sizeof arguments, "[{'limit':10,'after':'%.3s'}]", next + 8);
    /* A page goes on behind an id that is gone meanwhile. */
    char gone[16];
    snprintf(gone, sizeof gone, "['%.3s']", next + 8);
    assert_string_equal(give(f, notes_delete, gone), "true");
  }
  assert_int_equal(pages, 3);
  assert_string_equal(seen, "n00n01n02n03n04n05n06n07n08n09n10n11n12n13n14n15n16n17n18n19n20n21"
                            "n22n23n24");
  give(f, notes_list, "[{'limit':5,'after':'n20'}]");
  assert_non_null(strstr(f->json, "\"next\":null}")); /* exactly to the end */
}

static void test_big_pages_end_early(void **state) {
  fixture *f = *state;
  for (size_t id = 1; id <= 8; id++)
    assert_true(create_sized(f, id, 0, NOTES_BODY_MAX, 0, 0));
  give(f, notes_list, "[]");
  assert_true(strlen(f->json) < NOTES_PAGE_BYTES + 2 * NOTES_BODY_MAX);
  assert_non_null(strstr(f->json, "\"next\":\"xxxx"));
  f->result_max = NOTES_BODY_MAX;
  refuse(f, notes_list, "[]", "RangeError", "the result is larger than the 1048576 bytes allowed");
  assert_string_equal(f->error.code, "RESULT_SIZE");
}

static void test_result_that_does_not_fit_changes_nothing(void **state) {
  fixture *f = *state;
  f->result_max = 100;
  assert_false(call_text(f, notes_create,
                         "[{'id':'a','title':'a title that is long','body':'and a body, which "
                         "make the result longer than a hundred bytes'}]"));
  assert_string_equal(f->error.code, "RESULT_SIZE");
  f->result_max = 1 << 20;
  refuse(f, notes_get, "['a']", "NotFoundError",
         "notes.get: there is no note 'a' in vault 'default'");
}

/* The ids in the last result, each followed by a space. */
static const char *ids(const fixture *f) {
  static char found[256];
  size_t used = 0;
  found[0] = 0;
  for (const char *at = f->json; (at = strstr(at, "\"id\":\"")); at += 6) {
    used += (size_t)snprintf(found + used, sizeof found - used, "%.*s ", (int)strcspn(at + 6, "\""),
                             at + 6);
    assert_true(used < sizeof found);
  }
  return found;
}

static void fill_for_search(fixture *f) {
  give(f, notes_create, "[{'id':'body','title':'Shopping','body':'milk, eggs and a Hammer'}]");
  give(f, notes_create, "[{'id':'tag','title':'Work','body':'nothing','tags':['hammers']}]");
  give(f, notes_create, "[{'id':'title','title':'The hammer','body':'is heavy'}]");
  give(f, notes_create, "[{'id':'cafe','title':'Café Größe ÅNGSTRÖM','body':'foo-bar 100% a_b'}]");
}

static void test_search(void **state) {
  fixture *f = *state;
  fill_for_search(f);
  static const struct {
    const char *text, *ids;
  } cases[] = {
      {"hammer", "title tag body "},
      {"HAMMER", "title tag body "},
      {"ham", "title tag body "},
      {"hammers", "tag "},
      {"eggs milk", "body "},
      {"milk heavy", ""},
      {"ammer", ""},
      {"cafe", "cafe "},
      {"CAFÉ", "cafe "},
      {"grosse", ""},
      {"größe", "cafe "},
      {"angstrom", "cafe "},
      {"foo-bar", "cafe "},
      {"bar-foo", ""},
      {"bar foo", "cafe "},
      {"", ""},
      {"   ", ""},
      {"+++", ""},
      {"hammer +++ -", "title tag body "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char arguments[64];
    snprintf(arguments, sizeof arguments, "['%s']", cases[i].text);
    give(f, notes_search, arguments);
    if (strcmp(ids(f), cases[i].ids) != 0)
      fail_msg("search '%s': got '%s', not '%s'", cases[i].text, ids(f), cases[i].ids);
  }
  give(f, notes_search, "['hammer',{'limit':2}]");
  assert_string_equal(ids(f), "title tag ");
}

static void test_search_text_is_no_syntax(void **state) {
  fixture *f = *state;
  fill_for_search(f);
  static const char *const texts[] = {
      "hammer OR milk",
      "NOT heavy",
      "hammer AND saws",
      "NEAR(a b)",
      "title:hammer",
      "\"",
      "\"\"\"",
      "ham*er",
      "*",
      "^hammer",
      "(",
      "{title} :",
      "-hammer",
      "a\" OR \"b",
      "hammer\" OR title:\"milk",
      "'; DROP TABLE notes; --",
      "\\",
      "%",
      "_",
      "title : x",
      "+",
      "a + b",
      "[1,2]",
      "$1 ?1 :a @b",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    cbor_out args;
    cbor_out_init(&args, NULL, SIZE_MAX);
    cbor_put_array(&args, 1);
    cbor_put_cstring(&args, texts[i]);
    bool done = call_cbor(f, notes_search, &args);
    cbor_out_free(&args);
    if (!done)
      fail_msg("%s: %s", texts[i], f->error.message);
    if (i < 4) /* as words those with OR, NOT, AND, NEAR are in no note */
      assert_string_equal(f->json, "[]");
  }
  give(f, notes_search, "['hammer']");
  assert_string_equal(ids(f), "title tag body ");
}

static void test_search_follows_changes(void **state) {
  fixture *f = *state;
  fill_for_search(f);
  give(f, notes_update, "['title',{'title':'The saw'}]");
  give(f, notes_update, "['tag',{'tags':['nails']}]");
  give(f, notes_search, "['hammer']");
  assert_string_equal(ids(f), "body ");
  give(f, notes_search, "['nails']");
  assert_string_equal(ids(f), "tag ");
  give(f, notes_delete, "['body']");
  give(f, notes_search, "['hammer']");
  assert_string_equal(ids(f), "");
  run_sql(f->file, "INSERT INTO notes_text(notes_text, rank) VALUES('integrity-check', 1)");
}

static void test_search_bounds(void **state) {
  fixture *f = *state;
  char arguments[NOTES_QUERY_MAX + 16] = "['";
  memset(arguments + 2, '"', NOTES_QUERY_MAX);
  memcpy(arguments + 2 + NOTES_QUERY_MAX, "']", 3);
  assert_string_equal(give(f, notes_search, arguments), "[]");
  memcpy(arguments + 2 + NOTES_QUERY_MAX, "x']", 4);
  refuse(f, notes_search, arguments, "RangeError",
         "notes.search: text is 1001 bytes long; at most 1000 are allowed");
  size_t used = 2;
  for (int i = 0; i < NOTES_QUERY_WORDS_MAX; i++, used += 2)
    memcpy(arguments + used, "a ", 2);
  memcpy(arguments + used, "']", 3);
  assert_string_equal(give(f, notes_search, arguments), "[]");
  memcpy(arguments + used, "b']", 4);
  refuse(f, notes_search, arguments, "RangeError", "notes.search: text has more than 32 words");
}

static void test_ids_are_no_sql(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'keep','title':'x'}]");
  static const char *const texts[] = {
      "'; DELETE FROM notes; --",      "' OR '1'='1", "%", "_", "?1", "\"",
      "a' UNION SELECT 1,2,3,4,5,6 --"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    cbor_out args;
    cbor_out_init(&args, NULL, SIZE_MAX);
    cbor_put_array(&args, 1);
    cbor_put_cstring(&args, texts[i]);
    assert_false(call_cbor(f, notes_get, &args));
    assert_string_equal(f->error.name, "NotFoundError");
    assert_true(call_cbor(f, notes_delete, &args));
    assert_string_equal(f->json, "false");
    f->vault = texts[i];
    assert_true(call_cbor(f, notes_search, &args));
    assert_string_equal(f->json, "[]");
    f->vault = "default";
    cbor_out_free(&args);
  }
  give(f, notes_get, "['keep']");
}

static void test_stop_ends_a_search(void **state) {
  fixture *f = *state;
  run_sql(f->file, "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c LIMIT 20000) "
                   "INSERT INTO notes(vault,id,created,updated,title,tags,body) "
                   "SELECT 'default', 'n' || n, n, n, 'common', '', 'words' FROM c");
  atomic_bool stop = true;
  f->stop = &stop;
  assert_false(call_text(f, notes_search, "['common']"));
  assert_string_equal(f->error.code, "SQLITE_INTERRUPT");
  assert_false(f->error.transient);
  f->stop = NULL;
  give(f, notes_search, "['common',{'limit':1}]");
  assert_string_equal(ids(f), "n20000 ");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_DB(test_list_pages),
      WITH_DB(test_big_pages_end_early),
      WITH_DB(test_result_that_does_not_fit_changes_nothing),
      WITH_DB(test_search),
      WITH_DB(test_search_text_is_no_syntax),
      WITH_DB(test_search_follows_changes),
      WITH_DB(test_search_bounds),
      WITH_DB(test_ids_are_no_sql),
      WITH_DB(test_stop_ends_a_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
