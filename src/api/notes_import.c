/* Many notes in one transaction, from lines of JSON.
 *
 * A line goes through the same checks as the argument of notes.create: SQLite's
 * JSON functions take it apart, and what they find is written as CBOR, of which
 * only the kind counts where no text is wanted. */
#include <stdio.h>
#include <string.h>

#include "api/notes_int.h"
#include "core/utf8.h"

struct notes_import {
  db *store;
  const vow_allocator *allocator;
  db_conn *conn;
  const char *vault;
  cbor_out line; /* reused */
};

notes_import *notes_import_begin(db *store, const char *vault, const vow_allocator *allocator,
                                 const atomic_bool *stop, api_error *error) {
  notes_import *import = mem_new(allocator, 1, sizeof *import);
  if (!import) {
    api_error_set(error, "ApiError", "NO_MEMORY", false, "out of memory");
    return NULL;
  }
  import->store = store;
  import->allocator = allocator;
  import->vault = vault;
  cbor_out_init(&import->line, allocator, DB_TEXT_MAX);
  import->conn = db_checkout(store, DB_WRITE, stop, error);
  if (import->conn && db_begin(import->conn, error))
    return import;
  if (import->conn)
    db_checkin(store, import->conn);
  mem_free(allocator, import);
  return NULL;
}

bool notes_import_end(notes_import *import, bool keep, api_error *error) {
  bool kept = db_end(import->conn, keep, error);
  db_checkin(import->store, import->conn);
  cbor_out_free(&import->line);
  mem_free(import->allocator, import);
  return kept;
}

/* ---- JSON ---- */

static bool fail_json(api_error *error, const char *format, int64_t number) {
  return api_error_set(error, "TypeError", "INVALID_JSON", false, format, (long long)number);
}

static bool check_json(notes_import *import, const char *json, size_t len, api_error *error) {
  static const char sql[] = "SELECT json_valid(?1, 1), json_error_position(?1)";
  if (len > DB_TEXT_MAX / 2)
    return fail_json(error, "is longer than %lld bytes", DB_TEXT_MAX / 2);
  if (memchr(json, 0, len) || !utf8_valid((const uint8_t *)json, len))
    return api_error_set(error, "TypeError", "INVALID_JSON", false, "is not UTF-8 text");
  sqlite3_stmt *check = db_statement(import->conn, sql, error);
  if (!check)
    return false;
  db_bind_text(check, 1, json, len);
  if (db_step(import->conn, check, error) != DB_ROW)
    return false;
  bool valid = sqlite3_column_int(check, 0) == 1;
  int64_t position = sqlite3_column_int64(check, 1);
  sqlite3_reset(check);
  if (valid)
    return true;
  /* 1 is also what SQLite says of text behind a complete value. */
  if (position > 1)
    return fail_json(error, "is not JSON (at character %lld)", position);
  return api_error_set(error, "TypeError", "INVALID_JSON", false,
                       position == 1 ? "is not JSON" : "is not strict JSON (RFC 8259)");
}

static void put_text(cbor_out *out, sqlite3_stmt *row, int column) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  cbor_put_text(out, text ? text : "", (size_t)sqlite3_column_bytes(row, column));
}

/* One value by SQLite's name of its type; arrays and objects without content. */
static void put_value(cbor_out *out, sqlite3_stmt *row, int type_column, int value_column) {
  const char *type = (const char *)sqlite3_column_text(row, type_column);
  if (!type)
    out->status = CBOR_E_NOMEM;
  else if (strcmp(type, "text") == 0)
    put_text(out, row, value_column);
  else if (strcmp(type, "integer") == 0 || strcmp(type, "real") == 0)
    cbor_put_double(out, sqlite3_column_double(row, value_column));
  else if (strcmp(type, "true") == 0 || strcmp(type, "false") == 0)
    cbor_put_bool(out, type[0] == 't');
  else if (strcmp(type, "array") == 0)
    cbor_put_array(out, 0);
  else if (strcmp(type, "object") == 0)
    cbor_put_map(out, 0);
  else
    cbor_put_null(out);
}

static bool put_tags(notes_import *import, const char *json, size_t len, api_error *error) {
  static const char sql[] = "SELECT type, atom FROM json_each(?1, '$.tags')";
  sqlite3_stmt *rows = db_statement(import->conn, sql, error);
  if (!rows)
    return false;
  db_bind_text(rows, 1, json, len);
  cbor_put_array_open(&import->line);
  db_result step;
  while ((step = db_step(import->conn, rows, error)) == DB_ROW)
    put_value(&import->line, rows, 0, 1);
  cbor_put_break(&import->line);
  sqlite3_reset(rows);
  return step == DB_DONE;
}

static bool put_pair(notes_import *import, sqlite3_stmt *row, const char *json, size_t len,
                     api_error *error) {
  const char *key = (const char *)sqlite3_column_text(row, 0);
  const char *type = (const char *)sqlite3_column_text(row, 1);
  put_text(&import->line, row, 0);
  if (key && type && strcmp(key, "tags") == 0 && strcmp(type, "array") == 0)
    return put_tags(import, json, len, error);
  put_value(&import->line, row, 1, 2);
  return true;
}

/* The line as the CBOR of an object. */
static bool convert(notes_import *import, const char *json, size_t len, api_error *error) {
  static const char sql[] = "SELECT key, type, atom FROM json_each(?1)";
  static const char sql_type[] = "SELECT json_type(?1)";
  sqlite3_stmt *type = db_statement(import->conn, sql_type, error);
  sqlite3_stmt *rows = type ? db_statement(import->conn, sql, error) : NULL;
  if (!rows)
    return false;
  db_bind_text(type, 1, json, len);
  if (db_step(import->conn, type, error) != DB_ROW)
    return false;
  const char *kind = (const char *)sqlite3_column_text(type, 0);
  if (!kind || strcmp(kind, "object") != 0)
    return api_error_set(error, "TypeError", "INVALID_ARGUMENT", false,
                         "a note must be an object, got %s", kind ? kind : "nothing");
  db_bind_text(rows, 1, json, len);
  import->line.len = 0;
  cbor_put_map_open(&import->line);
  db_result step;
  while ((step = db_step(import->conn, rows, error)) == DB_ROW)
    if (!put_pair(import, rows, json, len, error))
      return false;
  cbor_put_break(&import->line);
  if (step == DB_DONE && import->line.status != CBOR_OK)
    return api_error_set(error, "ApiError", "NO_MEMORY", false, "%s",
                         cbor_status_text(import->line.status));
  return step == DB_DONE;
}

/* ---- notes ---- */

/* As a whole: what the line leaves out becomes empty. */
static bool replace(notes_import *import, notes_fields *fields, api_error *error) {
  bool found = false;
  fields->title.given = fields->body.given = fields->tags.given = true;
  if (!notes_change(import->conn, import->vault, fields->id, fields, NULL, &found, error))
    return false;
  return found || notes_fail_missing(error, "", import->vault, fields->id);
}

bool notes_import_put(notes_import *import, const char *json, size_t len, notes_put *put,
                      api_error *error) {
  api_where where = {"", error};
  notes_fields fields;
  char made[NOTES_NEW_ID_LEN + 1];
  unsigned keys =
      NOTES_KEY_ID | NOTES_KEY_TITLE | NOTES_KEY_BODY | NOTES_KEY_TAGS | NOTES_KEY_DATES;
  if (!check_json(import, json, len, error) || !convert(import, json, len, error))
    return false;
  cbor_in line;
  cbor_in_init(&line, import->line.data, import->line.len);
  if (!notes_read_fields(line, keys, "a note", &fields, where))
    return false;
  if (!fields.title.given && !fields.body.given)
    return api_error_set(error, "TypeError", "INVALID_ARGUMENT", false,
                         "a note needs a title or a body");
  if (!notes_ensure_id(&fields, made, error) ||
      !notes_insert(import->conn, import->vault, &fields, NULL, &put->created, error))
    return false;
  snprintf(put->id, sizeof put->id, "%.*s", (int)fields.id.len, fields.id.text);
  return put->created || replace(import, &fields, error);
}

bool notes_import_delete(notes_import *import, const char *id, size_t len, api_error *error) {
  api_where where = {"", error};
  api_text text = {id, len, true};
  uint8_t head[16 + NOTES_ID_MAX];
  cbor_out out;
  cbor_out_fixed(&out, head, sizeof head);
  cbor_put_text(&out, id, len);
  cbor_in value;
  cbor_in_init(&value, out.data, out.len);
  if (out.status != CBOR_OK)
    return api_error_set(error, "RangeError", "OUT_OF_RANGE", false,
                         "the id is %zu bytes long; at most %d are allowed", len, NOTES_ID_MAX);
  bool found = false;
  if (!notes_read_id(value, "id", &text, where) ||
      !notes_remove(import->conn, import->vault, text, &found, error))
    return false;
  return found || notes_fail_missing(error, "", import->vault, text);
}
