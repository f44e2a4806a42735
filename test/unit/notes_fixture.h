/* A folder with a database, and calls of operations with arguments and results
 * written as text, for the tests of the notes and the database. */
#ifndef VOW_TEST_NOTES_FIXTURE_H
#define VOW_TEST_NOTES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/db.h"
#include "api/notes.h"
#include "core/json.h"

typedef struct fixture {
  char folder[64], file[80], url[96];
  db *db;
  char *json; /* of the last result */
  api_error error;
  const char *vault;
  const atomic_bool *stop;
  size_t result_max;
} fixture;

static inline void open_folder(fixture *f) {
  memset(f, 0, sizeof *f);
  snprintf(f->folder, sizeof f->folder, "/tmp/vow-notes-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  snprintf(f->file, sizeof f->file, "%s/vow.db", f->folder);
  snprintf(f->url, sizeof f->url, "sqlite:%s", f->file);
  f->vault = "default";
  f->result_max = 64u << 20;
}

static inline void open_db(fixture *f) {
  char message[512] = "";
  if (!db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message))
    fail_msg("%s", message);
}

static inline int count_files(const char *folder) {
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static inline void remove_folder(const char *folder) {
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      if (unlink(path) != 0)
        rmdir(path);
  }
  closedir(dir);
  assert_int_equal(rmdir(folder), 0);
}

/* Closes, and checks that the database leaves one file and no descriptor. */
static inline void close_fixture(fixture *f) {
  free(f->json);
  f->json = NULL;
  db_close(f->db);
  f->db = NULL;
  remove_folder(f->folder);
}

/* ---- values from text: JSON with '...' for strings, and undefined ---- */

static inline void put_string(const char **at, cbor_out *out) {
  char *text = malloc(strlen(*at) + 1);
  assert_non_null(text);
  size_t len = 0;
  for (++*at; **at != '\''; ++*at)
    text[len++] = **at;
  ++*at;
  cbor_put_text(out, text, len);
  free(text);
}

static inline bool skip_word(const char **at, const char *word) {
  if (strncmp(*at, word, strlen(word)) != 0)
    return false;
  *at += strlen(word);
  return true;
}

static inline void put_items(const char **at, cbor_out *out, char end);

static inline void put_value(const char **at, cbor_out *out) {
  *at += strspn(*at, " :,");
  if (**at == '\'')
    put_string(at, out);
  else if (skip_word(at, "["))
    cbor_put_array_open(out), put_items(at, out, ']');
  else if (skip_word(at, "{"))
    cbor_put_map_open(out), put_items(at, out, '}');
  else if (skip_word(at, "undefined"))
    cbor_put_undefined(out);
  else if (skip_word(at, "null"))
    cbor_put_null(out);
  else if (skip_word(at, "true"))
    cbor_put_bool(out, true);
  else if (skip_word(at, "date"))
    cbor_put_tag(out, CBOR_TAG_EPOCH), cbor_put_uint(out, 1);
  else if (skip_word(at, "big"))
    cbor_put_tag(out, CBOR_TAG_BIGNUM), cbor_put_bytes(out, "\1", 1);
  else if (skip_word(at, "lone"))
    cbor_put_tag(out, CBOR_TAG_WTF8), cbor_put_bytes(out, "\xed\xa0\x80", 3);
  else {
    char *end;
    cbor_put_double(out, strtod(*at, &end));
    assert_ptr_not_equal(end, *at);
    *at = end;
  }
}

static inline void put_items(const char **at, cbor_out *out, char end) {
  while (*at += strspn(*at, " :,"), **at != end)
    put_value(at, out);
  ++*at;
  cbor_put_break(out);
}

/* ---- calls ---- */

/* Calls with CBOR arguments; on success `f->json` holds the result's JSON. */
static inline bool call_cbor(fixture *f, api_handler *handler, const cbor_out *args) {
  static const cbor_limits limits = {.depth = 32, .nodes = 1 << 20, .bytes = SIZE_MAX};
  cbor_out result, json;
  cbor_out_init(&result, NULL, f->result_max);
  cbor_out_init(&json, NULL, SIZE_MAX);
  assert_int_equal(args->status, CBOR_OK);
  memset(&f->error, 0, sizeof f->error);
  api_call call = {
      .db = f->db, .vault = f->vault, .stop = f->stop, .result = &result, .error = &f->error};
  cbor_in_init(&call.args, args->data, args->len);
  bool done = handler(&call);
  free(f->json);
  f->json = NULL;
  if (done) {
    assert_int_equal(cbor_check(result.data, result.len, &limits), CBOR_OK);
    assert_int_equal(json_from_cbor(result.data, result.len, &limits, &json), CBOR_OK);
    cbor_put_raw(&json, "", 1);
    f->json = malloc(json.len);
    assert_non_null(f->json);
    memcpy(f->json, json.data, json.len);
  } else {
    assert_true(f->error.name[0] && f->error.code[0] && f->error.message[0]);
  }
  cbor_out_free(&json);
  cbor_out_free(&result);
  return done;
}

static inline bool call_text(fixture *f, api_handler *handler, const char *text) {
  cbor_out args;
  cbor_out_init(&args, NULL, SIZE_MAX);
  put_value(&text, &args);
  bool done = call_cbor(f, handler, &args);
  cbor_out_free(&args);
  return done;
}

/* The call must succeed. */
static inline const char *give(fixture *f, api_handler *handler, const char *text) {
  if (!call_text(f, handler, text))
    fail_msg("%s: %s %s", text, f->error.code, f->error.message);
  return f->json;
}

/* The call must fail with this class and this message. */
static inline void refuse(fixture *f, api_handler *handler, const char *text, const char *name,
                          const char *message) {
  if (call_text(f, handler, text))
    fail_msg("%s: succeeded with %s", text, f->json);
  assert_string_equal(f->error.message, message);
  assert_string_equal(f->error.name, name);
  assert_false(f->error.transient);
}

/* A folder of its own for each test; and with a database in it. */
static inline int setup_folder(void **state) {
  fixture *f = malloc(sizeof *f);
  assert_non_null(f);
  open_folder(f);
  *state = f;
  return 0;
}

static inline int setup_db(void **state) {
  setup_folder(state);
  open_db(*state);
  return 0;
}

static inline int teardown(void **state) {
  close_fixture(*state);
  free(*state);
  return 0;
}

/* Runs SQL of the test's own on the file, as another program. */
static inline void run_sql(const char *file, const char *sql) {
  sqlite3 *other = NULL;
  char *message = NULL;
  assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
  if (sqlite3_exec(other, sql, NULL, NULL, &message) != SQLITE_OK)
    fail_msg("%s: %s", sql, message);
  assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* Calls notes.create with texts of these lengths; 0 leaves out. */
static inline bool create_sized(fixture *f, size_t id, size_t title, size_t body, size_t tags,
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

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup_folder, teardown)
#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, setup_db, teardown)

#endif
