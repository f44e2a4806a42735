/* Many notes.get by one statement. */
#include "api/notes_int.h"

#include <string.h>

#define EIGHT "?,?,?,?,?,?,?,?"
#define PLACES 64
_Static_assert(PLACES == API_BATCH_MAX, "a place in the statement for each call of a batch");

/* Places that no call needs are NULL, which equals no id. */
static const char sql_get_many[] =
    "SELECT " NOTE_COLUMNS " FROM notes WHERE vault = ?1 AND id IN (" EIGHT "," EIGHT "," EIGHT
    "," EIGHT "," EIGHT "," EIGHT "," EIGHT "," EIGHT ")";

typedef struct batch {
  api_call *calls;
  size_t count;
  api_text ids[API_BATCH_MAX]; /* not given: the call has its error already */
} batch;

static bool waits(const batch *b, size_t i) {
  return b->ids[i].given && !b->calls[i].fulfilled;
}

static bool read_ids(batch *b) {
  bool any = false;
  for (size_t i = 0; i < b->count; i++) {
    api_where where = {"notes.get", b->calls[i].error};
    api_args args;
    b->calls[i].fulfilled = false;
    b->ids[i].given = api_args_begin(&b->calls[i], &args, where) &&
                      notes_read_id(api_args_next(&args), "id", &b->ids[i], where);
    any = any || b->ids[i].given;
  }
  return any;
}

static void fail_waiting(batch *b, const api_error *error) {
  for (size_t i = 0; i < b->count; i++)
    if (waits(b, i))
      *b->calls[i].error = *error;
}

/* The same id may be asked for more than once. */
static void answer_row(batch *b, sqlite3_stmt *row) {
  const char *id = (const char *)sqlite3_column_text(row, 0);
  size_t len = (size_t)sqlite3_column_bytes(row, 0);
  for (size_t i = 0; id && i < b->count; i++) {
    api_call *call = &b->calls[i];
    if (!waits(b, i) || b->ids[i].len != len || memcmp(b->ids[i].text, id, len) != 0)
      continue;
    call->fulfilled = notes_put_row(call->result, row, call->error);
    b->ids[i].given = call->fulfilled; /* else it has its error */
  }
}

static bool select_all(batch *b, db_conn *conn, api_error *error) {
  const char *vault = b->calls[0].vault;
  sqlite3_stmt *rows = db_statement(conn, sql_get_many, error);
  if (!rows)
    return false;
  db_bind_text(rows, 1, vault, strlen(vault));
  for (size_t i = 0; i < b->count; i++)
    if (b->ids[i].given)
      db_bind_text(rows, (int)i + 2, b->ids[i].text, b->ids[i].len);
  db_result result;
  while ((result = db_step(conn, rows, error)) == DB_ROW)
    answer_row(b, rows);
  return result == DB_DONE;
}

void notes_get_batch(api_call *calls, size_t count) {
  batch b = {.calls = calls, .count = count};
  api_error error = {.transient = false};
  if (!read_ids(&b))
    return;
  db_conn *conn = db_checkout(calls[0].db, DB_READ, calls[0].stop, &error);
  bool done = conn && select_all(&b, conn, &error);
  if (conn)
    db_checkin(calls[0].db, conn);
  if (!done) {
    fail_waiting(&b, &error);
    return;
  }
  for (size_t i = 0; i < count; i++)
    if (waits(&b, i))
      notes_fail_missing(calls[i].error, "notes.get", calls[i].vault, b.ids[i]);
}
