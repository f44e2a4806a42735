#include "notes_fixture.h"

/* The value of a date at `key` in the last result. */
static void take_date(const fixture *f, const char *key, char date[25]) {
  char pattern[32];
  snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
  const char *at = strstr(f->json, pattern);
  assert_non_null(at);
  snprintf(date, 25, "%s", at + strlen(pattern));
}

/* Compares all of the last note but its dates. */
static void assert_note(const fixture *f, const char *fields) {
  size_t len = strlen(fields);
  assert_true(strlen(f->json) > len);
  assert_memory_equal(f->json, fields, len);
  assert_memory_equal(f->json + len, ",\"created\":\"20", 14);
  char date[25];
  take_date(f, "updated", date);
  assert_int_equal(strlen(date), 24);
  assert_int_equal(date[23], 'Z');
}

static void test_create_and_get(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'a','title':'T','body':'B','tags':['x','y z']}]");
  assert_note(f, "{\"id\":\"a\",\"title\":\"T\",\"body\":\"B\",\"tags\":[\"x\",\"y z\"]");
  char *created = strdup(f->json);
  give(f, notes_get, "['a']");
  assert_string_equal(f->json, created);
  free(created);
}

static void test_defaults_of_create(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'t','title':'only','body':undefined,'extra':undefined}]");
  assert_note(f, "{\"id\":\"t\",\"title\":\"only\",\"body\":\"\",\"tags\":[]");
  give(f, notes_create, "[{'id':'b','body':'','tags':[]}, {'timeout':5}]");
  assert_note(f, "{\"id\":\"b\",\"title\":\"\",\"body\":\"\",\"tags\":[]");
}

static void test_made_ids_are_in_order(void **state) {
  fixture *f = *state;
  char before[64] = "", id[64];
  for (int i = 0; i < 200; i++) {
    give(f, notes_create, "[{'title':'x'}]");
    snprintf(id, 37, "%s", f->json + strlen("{\"id\":\""));
    assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
    assert_int_equal(id[14], '7');
    assert_non_null(strchr("89ab", id[19]));
    /* Two made within a quarter of a microsecond may stand in either order. */
    assert_true(strncmp(id, before, 18) >= 0);
    assert_string_not_equal(id, before);
    snprintf(before, sizeof before, "%s", id);
  }
}

static void test_update_changes_what_it_names(void **state) {
  fixture *f = *state;
  char created[25], updated[25], again[25];
  give(f, notes_create, "[{'id':'a','title':'T','body':'B','tags':['x']}]");
  take_date(f, "created", created);
  give(f, notes_update, "['a', {'title':'new','body':undefined}]");
  assert_note(f, "{\"id\":\"a\",\"title\":\"new\",\"body\":\"B\",\"tags\":[\"x\"]");
  take_date(f, "created", again);
  assert_string_equal(again, created);
  take_date(f, "updated", updated);
  assert_true(strcmp(updated, created) >= 0);
  give(f, notes_update, "['a', {'tags':[],'body':''}]");
  assert_note(f, "{\"id\":\"a\",\"title\":\"new\",\"body\":\"\",\"tags\":[]");
}

static void test_updated_never_goes_back(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'a','title':'T'}]");
  run_sql(f->file, "UPDATE notes SET updated = 4102444800000");
  give(f, notes_update, "['a', {'title':'now'}]");
  assert_non_null(strstr(f->json, "\"updated\":\"2100-01-01T00:00:00.000Z\""));
}

static void test_delete(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'a','title':'T'}]");
  assert_string_equal(give(f, notes_delete, "['a']"), "true");
  assert_string_equal(give(f, notes_delete, "['a']"), "false");
  refuse(f, notes_get, "['a']", "NotFoundError",
         "notes.get: there is no note 'a' in vault 'default'");
}

static void test_missing_and_conflict(void **state) {
  fixture *f = *state;
  refuse(f, notes_get, "['nö']", "NotFoundError",
         "notes.get: there is no note 'nö' in vault 'default'");
  assert_string_equal(f->error.code, "NOT_FOUND");
  refuse(f, notes_update, "['nö',{'title':'x'}]", "NotFoundError",
         "notes.update: there is no note 'nö' in vault 'default'");
  give(f, notes_create, "[{'id':'a','title':'first'}]");
  refuse(f, notes_create, "[{'id':'a','title':'second'}]", "ConflictError",
         "notes.create: there is already a note 'a' in vault 'default'");
  assert_string_equal(f->error.code, "CONFLICT");
  give(f, notes_get, "['a']");
  assert_non_null(strstr(f->json, "first"));
}

static void test_vaults_are_apart(void **state) {
  fixture *f = *state;
  give(f, notes_create, "[{'id':'a','title':'secret of one'}]");
  f->vault = "two";
  refuse(f, notes_get, "['a']", "NotFoundError", "notes.get: there is no note 'a' in vault 'two'");
  assert_string_equal(give(f, notes_search, "['secret']"), "[]");
  assert_string_equal(give(f, notes_list, "[]"), "{\"items\":[],\"next\":null}");
  assert_string_equal(give(f, notes_delete, "['a']"), "false");
  refuse(f, notes_update, "['a',{'title':'x'}]", "NotFoundError",
         "notes.update: there is no note 'a' in vault 'two'");
  give(f, notes_create, "[{'id':'a','title':'other'}]");
  f->vault = "default";
  assert_non_null(strstr(give(f, notes_get, "['a']"), "secret of one"));
}

static void test_wrong_kinds(void **state) {
  fixture *f = *state;
  static const struct {
    api_handler *handler;
    const char *arguments, *message;
  } cases[] = {
      {notes_get, "[]", "notes.get: id must be a string, got undefined"},
      {notes_get, "[undefined]", "notes.get: id must be a string, got undefined"},
      {notes_get, "[null]", "notes.get: id must be a string, got null"},
      {notes_get, "[5]", "notes.get: id must be a string, got number"},
      {notes_get, "[-5]", "notes.get: id must be a string, got number"},
      {notes_get, "[['a']]", "notes.get: id must be a string, got array"},
      {notes_get, "[{'id':'a'}]", "notes.get: id must be a string, got object"},
      {notes_get, "[date]", "notes.get: id must be a string, got Date"},
      {notes_get, "[big]", "notes.get: id must be a string, got bigint"},
      {notes_get, "[lone]", "notes.get: id must be a string, got a string with lone surrogates"},
      {notes_get, "['a\nb']", "notes.get: id must not contain control characters"},
      {notes_delete, "[true]", "notes.delete: id must be a string, got boolean"},
      {notes_create, "[]", "notes.create: the note must be an object, got undefined"},
      {notes_create, "['x']", "notes.create: the note must be an object, got string"},
      {notes_create, "[{}]", "notes.create: a note needs a title or a body"},
      {notes_create, "[{'tags':['x']}]", "notes.create: a note needs a title or a body"},
      {notes_create, "[{'title':7}]", "notes.create: title must be a string, got number"},
      {notes_create, "[{'title':null}]", "notes.create: title must be a string, got null"},
      {notes_create, "[{'title':'x','body':[]}]", "notes.create: body must be a string, got array"},
      {notes_create, "[{'title':'x','tags':'a'}]",
       "notes.create: tags must be an array of strings, got string"},
      {notes_create, "[{'title':'x','tags':['a','b',7]}]",
       "notes.create: tags[2] must be a string, got number"},
      {notes_create, "[{'title':'x','tags':['a\tb']}]",
       "notes.create: tags[0] must not contain control characters"},
      {notes_create, "[{'titel':'x'}]",
       "notes.create: unknown key 'titel'; there are: id, title, body, tags"},
      {notes_create, "[{'title':'x','created':'2020-01-01T00:00:00.000Z'}]",
       "notes.create: unknown key 'created'; there are: id, title, body, tags"},
      {notes_create, "[{'title':'x','title':'y'}]", "notes.create: key 'title' is given twice"},
      {notes_create, "[{5:'x'}]", "notes.create: a key must be a string, got number"},
      {notes_update, "['a']", "notes.update: the patch must be an object, got undefined"},
      {notes_update, "['a',{}]",
       "notes.update: the patch changes nothing; it may have title, body, tags"},
      {notes_update, "['a',{'title':undefined}]",
       "notes.update: the patch changes nothing; it may have title, body, tags"},
      {notes_update, "['a',{'id':'b'}]",
       "notes.update: unknown key 'id'; there are: title, body, tags"},
      {notes_list, "['x']", "notes.list: the options must be an object, got string"},
      {notes_list, "[null]", "notes.list: the options must be an object, got null"},
      {notes_list, "[{'limit':'5'}]", "notes.list: limit must be a number, got string"},
      {notes_list, "[{'after':5}]", "notes.list: after must be a string, got number"},
      {notes_list, "[{'limt':5}]", "notes.list: unknown option 'limt'; there are: limit, after"},
      {notes_search, "[]", "notes.search: text must be a string, got undefined"},
      {notes_search, "['x',{'after':'a'}]",
       "notes.search: unknown option 'after'; there are: limit"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    refuse(f, cases[i].handler, cases[i].arguments, "TypeError", cases[i].message);
    assert_string_equal(f->error.code, "INVALID_ARGUMENT");
  }
  assert_string_equal(give(f, notes_list, "[]"), "{\"items\":[],\"next\":null}");
}

static void test_limits_of_lists(void **state) {
  fixture *f = *state;
  static const char *const bad[] = {"0", "-1", "1001", "1.5", "1e300"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char arguments[64], message[160];
    snprintf(arguments, sizeof arguments, "[{'limit':%s}]", bad[i]);
    snprintf(message, sizeof message,
             "notes.list: limit must be a whole number from 1 to 1000, got %s",
             i == 4 ? "1e+300" : bad[i]);
    refuse(f, notes_list, arguments, "RangeError", message);
  }
  give(f, notes_list, "[{'limit':1000,'after':null,'timeout':5,'priority':1}]");
  give(f, notes_search, "['x',{'limit':1}]");
}

/* Calls notes.create with texts of these lengths; 0 leaves out. */
static bool create_sized(fixture *f, size_t id, size_t title, size_t body, size_t tags,
                         size_t tag) {
  static char text[NOTES_BODY_MAX + 2];
  memset(text, 'x', sizeof text);
  cbor_out args;
  cbor_out_init(&args, NULL, SIZE_MAX);
  cbor_put_array(&args, 1);
  cbor_put_map_open(&args);
  const struct {
    const char *key;
    size_t len;
  } fields[] = {{"id", id}, {"title", title}, {"body", body}};
  for (size_t i = 0; i < 3; i++)
    if (fields[i].len) {
      cbor_put_cstring(&args, fields[i].key);
      cbor_put_text(&args, text, fields[i].len);
    }
  cbor_put_cstring(&args, "tags");
  cbor_put_array(&args, tags);
  for (size_t i = 0; i < tags; i++)
    cbor_put_text(&args, text, tag);
  cbor_put_break(&args);
  bool done = call_cbor(f, notes_create, &args);
  cbor_out_free(&args);
  return done;
}

static void test_boundary_sizes(void **state) {
  fixture *f = *state;
  assert_true(create_sized(f, NOTES_ID_MAX, NOTES_TITLE_MAX, NOTES_BODY_MAX, NOTES_TAGS_MAX,
                           NOTES_TAG_MAX));
  assert_true(create_sized(f, 1, 1, 1, 1, 1));
  static const struct {
    size_t sizes[5];
    const char *message;
  } cases[] = {
      {{NOTES_ID_MAX + 1, 1, 0, 0, 0},
       "notes.create: id is 201 bytes long; at most 200 are allowed"},
      {{2, NOTES_TITLE_MAX + 1, 0, 0, 0},
       "notes.create: title is 1001 bytes long; at most 1000 are allowed"},
      {{2, 1, NOTES_BODY_MAX + 1, 0, 0},
       "notes.create: body is 1048577 bytes long; at most 1048576 are allowed"},
      {{2, 1, 0, NOTES_TAGS_MAX + 1, 1}, "notes.create: there are more than 64 tags"},
      {{2, 1, 0, 3, NOTES_TAG_MAX + 1},
       "notes.create: tags[0] is 101 bytes long; at most 100 are allowed"},
      {{2, 1, 0, 1, 0}, "notes.create: tags[0] must not be empty"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t *s = cases[i].sizes;
    assert_false(create_sized(f, s[0], s[1], s[2], s[3], s[4]));
    assert_string_equal(f->error.name, "RangeError");
    assert_string_equal(f->error.message, cases[i].message);
  }
  refuse(f, notes_get, "['']", "RangeError", "notes.get: id must not be empty");
}

static void test_any_text_survives(void **state) {
  fixture *f = *state;
  static const char text[] = "nul\0 in \"it\", \\ \r\n\t é 日本 \U0001F389 \x7f";
  cbor_out args;
  cbor_out_init(&args, NULL, SIZE_MAX);
  cbor_put_array(&args, 1);
  cbor_put_map(&args, 3);
  cbor_put_cstring(&args, "id");
  cbor_put_cstring(&args, "a");
  cbor_put_cstring(&args, "title");
  cbor_put_text(&args, text, sizeof text - 1);
  cbor_put_cstring(&args, "body");
  cbor_put_text(&args, text, sizeof text - 1);
  assert_true(call_cbor(f, notes_create, &args));
  cbor_out_free(&args);
  static const char escaped[] =
      "\"nul\\u0000 in \\\"it\\\", \\\\ \\r\\n\\t é 日本 \U0001F389 \x7f\"";
  char expected[256];
  snprintf(expected, sizeof expected, "{\"id\":\"a\",\"title\":%s,\"body\":%s,\"tags\":[]", escaped,
           escaped);
  give(f, notes_get, "['a']");
  assert_note(f, expected);
  assert_non_null(strstr(give(f, notes_search, "['日本']"), "\"id\":\"a\""));
  assert_string_equal(give(f, notes_delete, "['a']"), "true");
  assert_string_equal(give(f, notes_search, "['日本']"), "[]");
}

static void test_text_that_is_not_utf8_is_refused(void **state) {
  fixture *f = *state;
  static const uint8_t bytes[] = {0x81, 0x63, 'a', 0xff, 'b'};
  cbor_out args = {.data = (uint8_t *)(uintptr_t)bytes, .len = sizeof bytes};
  assert_false(call_cbor(f, notes_get, &args));
  assert_string_equal(f->error.name, "TypeError");
  run_sql(f->file, "INSERT INTO notes(vault,id,created,updated,title,tags,body) "
                   "VALUES('default','bad',0,0,CAST(x'61ff' AS TEXT),'','')");
  refuse(f, notes_get, "['bad']", "ApiError", "the database holds a note whose text is not UTF-8");
  assert_string_equal(f->error.code, "SQLITE_CORRUPT");
}

static void test_broken_arguments(void **state) {
  fixture *f = *state;
  static const struct {
    uint8_t bytes[8];
    size_t len;
  } cases[] = {{{0}, 0},
               {{0xa0}, 1},
               {{0x81, 0x7a, 0xff, 0xff, 0xff, 0xff}, 6},
               {{0x81, 0xa1, 0x61, 'a'}, 4},
               {{0x81, 0xbf, 0x64, 't', 'a', 'g', 's', 0x9f}, 8}};
  api_handler *const handlers[] = {notes_create, notes_get, notes_delete, notes_search};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t j = 0; j < 4; j++) {
      /* In a block of its own, so that reading past the end is seen. */
      uint8_t *copy = malloc(cases[i].len + 1);
      memcpy(copy, cases[i].bytes, cases[i].len);
      cbor_out args = {.data = copy, .len = cases[i].len};
      assert_false(call_cbor(f, handlers[j], &args));
      assert_string_equal(f->error.name, "TypeError");
      free(copy);
    }
}

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

/* ---- the table ---- */

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

#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, setup_db, teardown_db)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_DB(test_create_and_get),
      WITH_DB(test_defaults_of_create),
      WITH_DB(test_made_ids_are_in_order),
      WITH_DB(test_update_changes_what_it_names),
      WITH_DB(test_updated_never_goes_back),
      WITH_DB(test_delete),
      WITH_DB(test_missing_and_conflict),
      WITH_DB(test_vaults_are_apart),
      WITH_DB(test_wrong_kinds),
      WITH_DB(test_limits_of_lists),
      WITH_DB(test_boundary_sizes),
      WITH_DB(test_any_text_survives),
      WITH_DB(test_text_that_is_not_utf8_is_refused),
      WITH_DB(test_broken_arguments),
      WITH_DB(test_list_pages),
      WITH_DB(test_big_pages_end_early),
      WITH_DB(test_result_that_does_not_fit_changes_nothing),
      WITH_DB(test_search),
      WITH_DB(test_search_text_is_no_syntax),
      WITH_DB(test_search_follows_changes),
      WITH_DB(test_search_bounds),
      WITH_DB(test_ids_are_no_sql),
      WITH_DB(test_stop_ends_a_search),
      cmocka_unit_test(test_kinds_are_sorted_and_whole),
      cmocka_unit_test(test_allow),
      cmocka_unit_test(test_messages_are_cut_on_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
