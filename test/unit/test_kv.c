/* kv.*: order, prefixes, bounds, vaults, what another program may have written,
 * and files of the schema before there was a kv. */
#include "notes_fixture.h"

#include "api/kv.h"

static void expect(fixture *f, api_handler *handler, const char *arguments, const char *json) {
  assert_string_equal(give(f, handler, arguments), json);
}

static void test_set_get_delete(void **state) {
  fixture *f = *state;
  expect(f, kv_get, "['a']", "null");
  expect(f, kv_delete, "['a']", "false");
  expect(f, kv_set, "['a', {'x': [1, null, true]}]", "null");
  expect(f, kv_get, "['a']", "{\"x\":[1,null,true]}");
  expect(f, kv_set, "['a', date]", "null");
  expect(f, kv_get, "['a']", "\"1970-01-01T00:00:01.000Z\"");
  expect(f, kv_set, "['u', undefined]", "null");
  expect(f, kv_list, "[]", "{\"keys\":[\"a\",\"u\"],\"next\":null}");
  expect(f, kv_delete, "['a']", "true");
  expect(f, kv_list, "[undefined]", "{\"keys\":[\"u\"],\"next\":null}");
}

static void test_vaults_are_apart(void **state) {
  fixture *f = *state;
  give(f, kv_set, "['a', 1]");
  f->vault = "other";
  expect(f, kv_get, "['a']", "null");
  expect(f, kv_delete, "['a']", "false");
  expect(f, kv_list, "[]", "{\"keys\":[],\"next\":null}");
  f->vault = "default";
  expect(f, kv_get, "['a']", "1");
}

static void test_order_is_that_of_bytes(void **state) {
  fixture *f = *state;
  /* U+FF5E sorts after U+1F352 by UTF-16, before it by UTF-8. */
  static const char *const sets[] = {"['\xf0\x9f\x8d\x92', 1]",
                                     "['\xef\xbd\x9e', 1]",
                                     "['b', 1]",
                                     "['B', 1]",
                                     "['a', 1]",
                                     "['aa', 1]",
                                     "['a\x01', 1]"};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    give(f, kv_set, sets[i]);
  expect(f, kv_list, "[]",
         "{\"keys\":[\"B\",\"a\",\"a\\u0001\",\"aa\",\"b\",\"\xef\xbd\x9e\",\"\xf0\x9f\x8d\x92\"],"
         "\"next\":null}");
  expect(f, kv_list, "[{'limit': 2}]", "{\"keys\":[\"B\",\"a\"],\"next\":\"a\"}");
  expect(f, kv_list, "[{'limit': 2, 'after': 'a'}]",
         "{\"keys\":[\"a\\u0001\",\"aa\"],\"next\":\"aa\"}");
  expect(f, kv_list, "[{'prefix': 'a', 'after': 'aa'}]", "{\"keys\":[],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'a', 'limit': 3}]",
         "{\"keys\":[\"a\",\"a\\u0001\",\"aa\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'a', 'after': 'B'}]",
         "{\"keys\":[\"a\",\"a\\u0001\",\"aa\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'aa', 'after': 'a'}]", "{\"keys\":[\"aa\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'a', 'after': 'b'}]", "{\"keys\":[],\"next\":null}");
  expect(f, kv_list, "[{'prefix': '\xf0\x9f\x8d\x92', 'after': null}]",
         "{\"keys\":[\"\xf0\x9f\x8d\x92\"],\"next\":null}");
}

static void test_signs_in_prefixes_are_literal(void **state) {
  fixture *f = *state;
  static const char *const sets[] = {"['a%b', 1]", "['axb', 1]", "['a_c', 1]",
                                     "['a*d', 1]", "['%', 1]",   "['_', 1]"};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    give(f, kv_set, sets[i]);
  expect(f, kv_list, "[{'prefix': 'a%'}]", "{\"keys\":[\"a%b\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'a_'}]", "{\"keys\":[\"a_c\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': 'a*'}]", "{\"keys\":[\"a*d\"],\"next\":null}");
  expect(f, kv_list, "[{'prefix': '%'}]", "{\"keys\":[\"%\"],\"next\":null}");
}

static void test_refused(void **state) {
  fixture *f = *state;
  refuse(f, kv_get, "[]", "TypeError", "kv.get: key must be a string, got undefined");
  refuse(f, kv_get, "['']", "RangeError", "kv.get: key must not be empty");
  refuse(f, kv_delete, "[lone]", "TypeError",
         "kv.delete: key must be a string, got a string with lone surrogates");
  refuse(f, kv_list, "[5]", "TypeError", "kv.list: the options must be an object, got number");
  refuse(f, kv_list, "[{'limit': 0}]", "RangeError",
         "kv.list: limit must be a whole number from 1 to 1000, got 0");
  refuse(f, kv_list, "[{'first': 1}]", "TypeError",
         "kv.list: unknown option 'first'; there are: prefix, limit, after");
}

static cbor_out set_arguments(size_t key_len, size_t value_len) {
  cbor_out args;
  char *bytes = malloc(value_len + key_len);
  assert_non_null(bytes);
  memset(bytes, 'k', value_len + key_len);
  cbor_out_init(&args, NULL, SIZE_MAX);
  cbor_put_array(&args, 2);
  cbor_put_text(&args, bytes, key_len);
  cbor_put_bytes(&args, bytes, value_len);
  free(bytes);
  return args;
}

static void test_bounds(void **state) {
  fixture *f = *state;
  const size_t most = KV_VALUE_MAX - 5; /* the head of so many bytes takes five */
  cbor_out args = set_arguments(KV_KEY_MAX, most);
  assert_true(call_cbor(f, kv_set, &args));
  cbor_out_free(&args);
  args = set_arguments(KV_KEY_MAX, most + 1);
  assert_false(call_cbor(f, kv_set, &args));
  assert_string_equal(f->error.name, "RangeError");
  assert_string_equal(f->error.message,
                      "kv.set: the value is 1048577 bytes long; at most 1048576 are allowed");
  cbor_out_free(&args);
  args = set_arguments(KV_KEY_MAX + 1, 1);
  assert_false(call_cbor(f, kv_set, &args));
  assert_string_equal(f->error.message, "kv.set: key is 513 bytes long; at most 512 are allowed");
  cbor_out_free(&args);
  cbor_out_init(&args, NULL, SIZE_MAX);
  cbor_put_array(&args, 1);
  cbor_put_cstring(&args, "a");
  assert_false(call_cbor(f, kv_set, &args));
  assert_string_equal(f->error.message, "kv.set: there is no value; kv.delete removes a key");
  cbor_out_free(&args);
}

static void test_what_others_wrote(void **state) {
  fixture *f = *state;
  run_sql(f->file, "INSERT INTO kv(vault, key, value) VALUES('default', x'61', x'83'), "
                   "('default', x'ff', x'00'), ('default', x'62', x'f5f5'), "
                   "('default', x'63', zeroblob(1048577))");
  refuse(f, kv_get, "['a']", "ApiError", "the database holds a value that cannot be read");
  refuse(f, kv_get, "['b']", "ApiError", "the database holds a value that cannot be read");
  refuse(f, kv_get, "['c']", "ApiError", "the database holds a value that cannot be read");
  expect(f, kv_list, "[{'prefix': 'a'}]", "{\"keys\":[\"a\"],\"next\":null}");
  run_sql(f->file, "UPDATE kv SET key = x'80' WHERE key = x'63'");
  refuse(f, kv_list, "[]", "ApiError", "the database holds a key that cannot be read");
}

static void make_old(fixture *f) {
  give(f, notes_create, "[{'id':'a','title':'kept'}]");
  db_close(f->db);
  f->db = NULL;
  run_sql(f->file, "DROP TABLE kv; PRAGMA user_version=1");
}

static void test_file_with_notes_only(void **state) {
  fixture *f = *state;
  make_old(f);
  open_db(f);
  give(f, notes_get, "['a']");
  give(f, kv_set, "['a', 1]");
  db_close(f->db);
  open_db(f);
  expect(f, kv_get, "['a']", "1");
  give(f, notes_get, "['a']");
}

static void test_old_file_that_is_not_ours_stays(void **state) {
  fixture *f = *state;
  char message[512];
  make_old(f);
  run_sql(f->file, "CREATE TABLE kv(mine)");
  assert_false(db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message));
  assert_non_null(strstr(message, "'kv' in the database is not as Vow made it"));
  run_sql(f->file, "DROP TABLE kv; DROP TRIGGER notes_deleted");
  assert_false(db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message));
  assert_non_null(strstr(message, "'notes_deleted' in the database is not as Vow made it"));
  /* Neither has become a file of the new version. */
  run_sql(f->file, "CREATE TABLE kv(mine)");
}

static void test_stopped(void **state) {
  fixture *f = *state;
  atomic_bool stop = true;
  f->stop = &stop;
  assert_false(call_text(f, kv_set, "['a', 1]"));
  assert_string_equal(f->error.code, "SQLITE_INTERRUPT");
  f->stop = NULL;
  expect(f, kv_list, "[]", "{\"keys\":[],\"next\":null}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_DB(test_set_get_delete),
      WITH_DB(test_vaults_are_apart),
      WITH_DB(test_order_is_that_of_bytes),
      WITH_DB(test_signs_in_prefixes_are_literal),
      WITH_DB(test_refused),
      WITH_DB(test_bounds),
      WITH_DB(test_what_others_wrote),
      WITH_DB(test_file_with_notes_only),
      WITH_DB(test_old_file_that_is_not_ours_stays),
      WITH_DB(test_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
