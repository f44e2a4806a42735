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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
