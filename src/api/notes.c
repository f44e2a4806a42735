#include "api/notes.h"

#include <stdio.h>
#include <string.h>

#include "api/notes_int.h"
#include "core/utf8.h"

static const char sql_get[] = "SELECT " NOTE_COLUMNS " FROM notes WHERE vault = ?1 AND id = ?2";

static const char sql_insert[] =
    "INSERT INTO notes(vault, id, title, body, tags, created, updated) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(vault, id) DO NOTHING RETURNING " NOTE_COLUMNS;

static const char sql_update[] =
    "UPDATE notes SET title = coalesce(?3, title), body = coalesce(?4, body), "
    "tags = coalesce(?5, tags), updated = max(?6, updated) "
    "WHERE vault = ?1 AND id = ?2 RETURNING " NOTE_COLUMNS;

static const char sql_delete[] = "DELETE FROM notes WHERE vault = ?1 AND id = ?2 RETURNING seq";

static const char sql_list[] =
    "SELECT " NOTE_COLUMNS " FROM notes WHERE vault = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

/* The best ones are chosen by number first, so that sorting carries no bodies.
 * CROSS JOIN: the text index leads. */
static const char sql_search[] =
    "WITH hit AS MATERIALIZED (SELECT n.seq AS seq, notes_rank(notes_text) AS score "
    "FROM notes_text CROSS JOIN notes AS n ON n.seq = notes_text.rowid "
    "WHERE notes_text MATCH ?1 AND n.vault = ?2 "
    "ORDER BY score DESC, n.updated DESC, n.seq DESC LIMIT ?3) "
    "SELECT " NOTE_COLUMNS " FROM hit JOIN notes AS n ON n.seq = hit.seq "
    "ORDER BY hit.score DESC, n.updated DESC, n.seq DESC";

/* ---- a row as a note ---- */

static void put_column(cbor_out *out, sqlite3_stmt *row, int column) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  cbor_put_text(out, text ? text : "", (size_t)sqlite3_column_bytes(row, column));
}

static void put_tags(cbor_out *out, sqlite3_stmt *row, int column) {
  const char *lines = (const char *)sqlite3_column_text(row, column);
  const char *end = lines + sqlite3_column_bytes(row, column);
  cbor_put_array_open(out);
  while (lines && lines < end) {
    const char *newline = memchr(lines, '\n', (size_t)(end - lines));
    size_t len = newline ? (size_t)(newline - lines) : (size_t)(end - lines);
    cbor_put_text(out, lines, len);
    lines += len + 1;
  }
  cbor_put_break(out);
}

static void put_date(cbor_out *out, sqlite3_stmt *row, int column) {
  char date[NOTES_DATE_LEN + 1];
  notes_date_text(sqlite3_column_int64(row, column), date);
  cbor_put_text(out, date, NOTES_DATE_LEN);
}

/* False when the row cannot be read: short memory, or another program wrote
 * text that is not UTF-8. */
static bool put_note(cbor_out *out, sqlite3_stmt *row, api_error *error) {
  for (int column = 0; column < 4; column++) {
    const void *text = sqlite3_column_text(row, column);
    if (!text)
      return api_error_set(error, "ApiError", "SQLITE_NOMEM", false, "out of memory");
    if (!utf8_valid(text, (size_t)sqlite3_column_bytes(row, column)))
      return api_error_set(error, "ApiError", "SQLITE_CORRUPT", false,
                           "the database holds a note whose text is not UTF-8");
  }
  cbor_put_map(out, 6);
  cbor_put_cstring(out, "id");
  put_column(out, row, 0);
  cbor_put_cstring(out, "title");
  put_column(out, row, 1);
  cbor_put_cstring(out, "body");
  put_column(out, row, 2);
  cbor_put_cstring(out, "tags");
  put_tags(out, row, 3);
  cbor_put_cstring(out, "created");
  put_date(out, row, 4);
  cbor_put_cstring(out, "updated");
  put_date(out, row, 5);
  return true;
}

/* A result that does not fit must fail before the transaction commits. */
static bool written(const cbor_out *out, api_error *error) {
  if (!out || out->status == CBOR_OK)
    return true;
  if (out->status == CBOR_E_SIZE)
    return api_error_set(error, "RangeError", "RESULT_SIZE", false,
                         "the result is larger than the %zu bytes allowed", out->max);
  return api_error_set(error, "ApiError", "NO_MEMORY", false, "the result cannot be kept: %s",
                       cbor_status_text(out->status));
}

bool notes_put_row(cbor_out *out, sqlite3_stmt *row, api_error *error) {
  return put_note(out, row, error) && written(out, error);
}

/* Runs a statement that gives one row or none. */
static bool run_one(db_conn *conn, sqlite3_stmt *statement, cbor_out *out, bool *found,
                    api_error *error) {
  db_result result = db_step(conn, statement, error);
  *found = result == DB_ROW;
  if (*found && out && !notes_put_row(out, statement, error))
    return false;
  while (result == DB_ROW)
    result = db_step(conn, statement, error);
  return result == DB_DONE;
}

/* ---- statements ---- */

static void bind_vault(sqlite3_stmt *statement, int index, const char *vault) {
  db_bind_text(statement, index, vault, strlen(vault));
}

static void bind_given(sqlite3_stmt *statement, int index, api_text text) {
  if (text.given)
    db_bind_text(statement, index, text.text, text.len);
}

bool notes_insert(db_conn *conn, const char *vault, const notes_fields *fields, cbor_out *out,
                  bool *found, api_error *error) {
  sqlite3_stmt *insert = db_statement(conn, sql_insert, error);
  if (!insert)
    return false;
  int64_t now = notes_now_ms();
  int64_t created = fields->created != NOTES_NO_DATE ? fields->created : now;
  int64_t updated = fields->updated != NOTES_NO_DATE ? fields->updated : now;
  bind_vault(insert, 1, vault);
  db_bind_text(insert, 2, fields->id.text, fields->id.len);
  db_bind_text(insert, 3, fields->title.text, fields->title.len);
  db_bind_text(insert, 4, fields->body.text, fields->body.len);
  db_bind_text(insert, 5, fields->tags.text, fields->tags.len);
  sqlite3_bind_int64(insert, 6, created);
  sqlite3_bind_int64(insert, 7, updated);
  return run_one(conn, insert, out, found, error);
}

bool notes_change(db_conn *conn, const char *vault, api_text id, const notes_fields *fields,
                  cbor_out *out, bool *found, api_error *error) {
  sqlite3_stmt *update = db_statement(conn, sql_update, error);
  if (!update)
    return false;
  bind_vault(update, 1, vault);
  db_bind_text(update, 2, id.text, id.len);
  bind_given(update, 3, fields->title);
  bind_given(update, 4, fields->body);
  bind_given(update, 5, fields->tags);
  sqlite3_bind_int64(update, 6, notes_now_ms());
  return run_one(conn, update, out, found, error);
}

bool notes_remove(db_conn *conn, const char *vault, api_text id, bool *found, api_error *error) {
  sqlite3_stmt *statement = db_statement(conn, sql_delete, error);
  if (!statement)
    return false;
  bind_vault(statement, 1, vault);
  db_bind_text(statement, 2, id.text, id.len);
  return run_one(conn, statement, NULL, found, error);
}

bool notes_fail_missing(api_error *error, const char *operation, const char *vault, api_text id) {
  return api_error_set(error, "NotFoundError", "NOT_FOUND", false,
                       "%s%sthere is no note '%.*s' in vault '%s'", operation,
                       operation[0] ? ": " : "", (int)id.len, id.text, vault);
}

bool notes_ensure_id(notes_fields *fields, char made[NOTES_NEW_ID_LEN + 1], api_error *error) {
  if (fields->id.given)
    return true;
  if (!notes_new_id(made))
    return api_error_set(error, "ApiError", "NO_RANDOM", false,
                         "the system gives no random bytes for an id");
  fields->id = (api_text){made, NOTES_NEW_ID_LEN, true};
  return true;
}

bool notes_vault_check(const char *vault, char *message, size_t message_size) {
  size_t len = strlen(vault);
  bool fine = len >= 1 && len <= NOTES_VAULT_MAX && utf8_valid((const uint8_t *)vault, len);
  for (size_t i = 0; i < len && fine; i++)
    fine = (unsigned char)vault[i] >= 0x20 && vault[i] != 0x7f;
  if (!fine)
    snprintf(message, message_size,
             "'%s': a vault's name is 1 to %d bytes of UTF-8 without control characters",
             utf8_valid((const uint8_t *)vault, len) ? api_quoted(vault, len).text : "?",
             NOTES_VAULT_MAX);
  return fine;
}

/* ---- operations ---- */

bool notes_get(api_call *call) {
  api_where where = {"notes.get", call->error};
  api_args args;
  api_text id;
  if (!api_args_begin(call, &args, where) || !notes_read_id(api_args_next(&args), "id", &id, where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_READ, call->stop, call->error);
  if (!conn)
    return false;
  bool found = false;
  sqlite3_stmt *get = db_statement(conn, sql_get, call->error);
  if (get) {
    bind_vault(get, 1, call->vault);
    db_bind_text(get, 2, id.text, id.len);
  }
  bool done = get && run_one(conn, get, call->result, &found, call->error);
  db_checkin(call->db, conn);
  if (done && !found)
    return notes_fail_missing(call->error, where.operation, call->vault, id);
  return done;
}

/* The writers below: argument checks first, then one transaction that commits
 * only when the result is written. */

static bool create_in(db_conn *conn, api_call *call, const notes_fields *fields) {
  bool found = false;
  if (!db_begin(conn, call->error))
    return false;
  bool made = notes_insert(conn, call->vault, fields, call->result, &found, call->error);
  if (made && !found)
    made = api_fail(call, "ConflictError", "CONFLICT", false,
                    "notes.create: there is already a note '%.*s' in vault '%s'",
                    (int)fields->id.len, fields->id.text, call->vault);
  return db_end(conn, made, call->error);
}

bool notes_create(api_call *call) {
  api_where where = {"notes.create", call->error};
  api_args args;
  notes_fields fields;
  char made[NOTES_NEW_ID_LEN + 1];
  unsigned keys = NOTES_KEY_ID | NOTES_KEY_TITLE | NOTES_KEY_BODY | NOTES_KEY_TAGS;
  if (!api_args_begin(call, &args, where) ||
      !notes_read_fields(api_args_next(&args), keys, "the note", &fields, where))
    return false;
  if (!fields.title.given && !fields.body.given)
    return api_fail(call, "TypeError", "INVALID_ARGUMENT", false,
                    "notes.create: a note needs a title or a body");
  if (!notes_ensure_id(&fields, made, call->error))
    return false;
  db_conn *conn = db_checkout(call->db, DB_WRITE, call->stop, call->error);
  if (!conn)
    return false;
  bool done = create_in(conn, call, &fields);
  db_checkin(call->db, conn);
  return done;
}

static bool update_in(db_conn *conn, api_call *call, api_text id, const notes_fields *fields) {
  bool found = false;
  if (!db_begin(conn, call->error))
    return false;
  bool done = notes_change(conn, call->vault, id, fields, call->result, &found, call->error);
  if (done && !found)
    done = notes_fail_missing(call->error, "notes.update", call->vault, id);
  return db_end(conn, done, call->error);
}

bool notes_update(api_call *call) {
  api_where where = {"notes.update", call->error};
  api_args args;
  api_text id;
  notes_fields fields;
  unsigned keys = NOTES_KEY_TITLE | NOTES_KEY_BODY | NOTES_KEY_TAGS;
  if (!api_args_begin(call, &args, where) ||
      !notes_read_id(api_args_next(&args), "id", &id, where) ||
      !notes_read_fields(api_args_next(&args), keys, "the patch", &fields, where))
    return false;
  if (!fields.title.given && !fields.body.given && !fields.tags.given)
    return api_fail(call, "TypeError", "INVALID_ARGUMENT", false,
                    "notes.update: the patch changes nothing; it may have title, body, tags");
  db_conn *conn = db_checkout(call->db, DB_WRITE, call->stop, call->error);
  if (!conn)
    return false;
  bool done = update_in(conn, call, id, &fields);
  db_checkin(call->db, conn);
  return done;
}

bool notes_delete(api_call *call) {
  api_where where = {"notes.delete", call->error};
  api_args args;
  api_text id;
  if (!api_args_begin(call, &args, where) || !notes_read_id(api_args_next(&args), "id", &id, where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_WRITE, call->stop, call->error);
  if (!conn)
    return false;
  bool found = false;
  bool done = db_begin(conn, call->error);
  if (done) {
    bool removed = notes_remove(conn, call->vault, id, &found, call->error);
    cbor_put_bool(call->result, found);
    done = db_end(conn, removed && written(call->result, call->error), call->error);
  }
  db_checkin(call->db, conn);
  return done;
}

/* ---- lists ---- */

/* Writes rows as an array until there are no more, `limit` are written, or they
 * pass NOTES_PAGE_BYTES. `last` (may be NULL) gets the id of the last one written
 * if another row follows, else it stays empty. */
static bool put_rows(api_call *call, db_conn *conn, sqlite3_stmt *rows, unsigned limit,
                     char last[NOTES_ID_MAX + 1]) {
  char id[NOTES_ID_MAX + 1] = "";
  size_t start = call->result->len;
  unsigned count = 0;
  db_result step;
  cbor_put_array_open(call->result);
  while ((step = db_step(conn, rows, call->error)) == DB_ROW) {
    if (count == limit || call->result->len - start > NOTES_PAGE_BYTES)
      break;
    if (!notes_put_row(call->result, rows, call->error))
      return false;
    snprintf(id, sizeof id, "%s", (const char *)sqlite3_column_text(rows, 0));
    count++;
  }
  cbor_put_break(call->result);
  if (last)
    snprintf(last, NOTES_ID_MAX + 1, "%s", step == DB_ROW ? id : "");
  return step != DB_FAILED;
}

static bool list_in(api_call *call, db_conn *conn, const notes_options *options) {
  char last[NOTES_ID_MAX + 1];
  sqlite3_stmt *rows = db_statement(conn, sql_list, call->error);
  if (!rows)
    return false;
  bind_vault(rows, 1, call->vault);
  db_bind_text(rows, 2, options->after.text, options->after.len);
  sqlite3_bind_int64(rows, 3, (int64_t)options->limit + 1); /* one more tells whether to go on */
  cbor_put_map(call->result, 2);
  cbor_put_cstring(call->result, "items");
  if (!put_rows(call, conn, rows, options->limit, last))
    return false;
  cbor_put_cstring(call->result, "next");
  if (last[0])
    cbor_put_cstring(call->result, last);
  else
    cbor_put_null(call->result);
  return written(call->result, call->error);
}

bool notes_list(api_call *call) {
  api_where where = {"notes.list", call->error};
  api_args args;
  notes_options options;
  if (!api_args_begin(call, &args, where) ||
      !notes_read_options(api_args_next(&args), true, NOTES_LIST_DEFAULT, NOTES_LIST_MAX, &options,
                          where))
    return false;
  db_conn *conn = db_checkout(call->db, DB_READ, call->stop, call->error);
  if (!conn)
    return false;
  bool done = list_in(call, conn, &options);
  db_checkin(call->db, conn);
  return done;
}

/* ---- search ---- */

/* Room for a query whose every byte is a quote, and for the signs around each
 * word. */
#define EXPRESSION_MAX (2 * NOTES_QUERY_MAX + 4 * NOTES_QUERY_WORDS_MAX)

static bool is_space(char c) {
  return (unsigned char)c <= 0x20 || c == 0x7f;
}

/* Turns the text into an FTS5 query: each word a quoted string, which FTS5 does
 * not interpret, with a star after it. False: too many words. */
static bool quote_words(api_text query, char *expression, size_t *expression_len) {
  char *to = expression;
  size_t at = 0, words = 0;
  for (;;) {
    while (at < query.len && is_space(query.text[at]))
      at++;
    if (at == query.len)
      break;
    if (++words > NOTES_QUERY_WORDS_MAX)
      return false;
    *to++ = '"';
    for (; at < query.len && !is_space(query.text[at]); at++) {
      if (query.text[at] == '"')
        *to++ = '"';
      *to++ = query.text[at];
    }
    *to++ = '"';
    *to++ = '*';
    *to++ = ' ';
  }
  *expression_len = (size_t)(to - expression);
  return true;
}

static bool search_in(api_call *call, db_conn *conn, const char *expression, size_t len,
                      unsigned limit) {
  if (len == 0) {
    cbor_put_array(call->result, 0);
    return written(call->result, call->error);
  }
  sqlite3_stmt *rows = db_statement(conn, sql_search, call->error);
  if (!rows)
    return false;
  db_bind_text(rows, 1, expression, len);
  bind_vault(rows, 2, call->vault);
  sqlite3_bind_int64(rows, 3, limit);
  return put_rows(call, conn, rows, limit, NULL) && written(call->result, call->error);
}

bool notes_search(api_call *call) {
  api_where where = {"notes.search", call->error};
  api_args args;
  api_text query;
  notes_options options;
  char expression[EXPRESSION_MAX];
  size_t len;
  if (!api_args_begin(call, &args, where) ||
      !notes_read_query(api_args_next(&args), &query, where) ||
      !notes_read_options(api_args_next(&args), false, NOTES_SEARCH_DEFAULT, NOTES_SEARCH_MAX,
                          &options, where))
    return false;
  if (!quote_words(query, expression, &len))
    return api_fail(call, "RangeError", "OUT_OF_RANGE", false,
                    "notes.search: text has more than %d words", NOTES_QUERY_WORDS_MAX);
  db_conn *conn = db_checkout(call->db, DB_READ, call->stop, call->error);
  if (!conn)
    return false;
  bool done = search_in(call, conn, expression, len, options.limit);
  db_checkin(call->db, conn);
  return done;
}
