/* The tables. A version of the schema adds objects and never changes the text
 * of earlier ones, so one list serves to make them and to recognise them. */
#include <stdio.h>
#include <string.h>

#include "api/db_int.h"

typedef struct schema_object {
  int since; /* version that brought it */
  const char *name;
  const char *sql; /* as SQLite keeps it: the text of its CREATE statement */
} schema_object;

/* `seq` gives full-text rows a stable number. The wide columns come last: what
 * filters and sorts then needs no overflow page. Tags are lines of one text
 * (a tag has no control characters). Dates are milliseconds since 1970. */
static const schema_object objects[] = {
    {1, "notes",
     "CREATE TABLE notes(seq INTEGER PRIMARY KEY, vault TEXT NOT NULL, "
     "id TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, "
     "title TEXT NOT NULL, tags TEXT NOT NULL, body TEXT NOT NULL, UNIQUE(vault, id)) STRICT"},
    {1, "notes_text",
     "CREATE VIRTUAL TABLE notes_text USING fts5(title, tags, body, content='notes', "
     "content_rowid='seq', columnsize=0, tokenize='unicode61 remove_diacritics 2')"},
    {1, "notes_inserted",
     "CREATE TRIGGER notes_inserted AFTER INSERT ON notes BEGIN "
     "INSERT INTO notes_text(rowid, title, tags, body) "
     "VALUES(new.seq, new.title, new.tags, new.body); END"},
    {1, "notes_deleted",
     "CREATE TRIGGER notes_deleted AFTER DELETE ON notes BEGIN "
     "INSERT INTO notes_text(notes_text, rowid, title, tags, body) "
     "VALUES('delete', old.seq, old.title, old.tags, old.body); END"},
    {1, "notes_updated",
     "CREATE TRIGGER notes_updated AFTER UPDATE OF title, tags, body ON notes "
     "WHEN old.title IS NOT new.title OR old.tags IS NOT new.tags OR old.body IS NOT new.body "
     "BEGIN INSERT INTO notes_text(notes_text, rowid, title, tags, body) "
     "VALUES('delete', old.seq, old.title, old.tags, old.body); "
     "INSERT INTO notes_text(rowid, title, tags, body) "
     "VALUES(new.seq, new.title, new.tags, new.body); END"},
    {2, "kv",
     "CREATE TABLE kv(seq INTEGER PRIMARY KEY, vault TEXT NOT NULL, key BLOB NOT NULL, "
     "value BLOB NOT NULL, UNIQUE(vault, key)) STRICT"},
};

enum { OBJECTS = sizeof objects / sizeof *objects };

int db_schema_install(sqlite3 *sqlite, int64_t version) {
  int code = SQLITE_OK;
  for (size_t i = 0; i < OBJECTS && code == SQLITE_OK; i++)
    if (objects[i].since > version)
      code = sqlite3_exec(sqlite, objects[i].sql, NULL, NULL, NULL);
  if (code != SQLITE_OK)
    return code;
  char header[96];
  snprintf(header, sizeof header, "PRAGMA application_id=%d; PRAGMA user_version=%d",
           DB_APPLICATION_ID, DB_SCHEMA_VERSION);
  return sqlite3_exec(sqlite, header, NULL, NULL, NULL);
}

static size_t find_object(const char *name) {
  size_t i = 0;
  while (i < OBJECTS && strcmp(objects[i].name, name) != 0)
    i++;
  return i;
}

/* Tables and indexes of others do no harm; a trigger or a view would run SQL
 * that is not ours. */
static bool row_is_fine(sqlite3_stmt *rows, int64_t version, bool *seen) {
  const char *type = (const char *)sqlite3_column_text(rows, 0);
  const char *name = (const char *)sqlite3_column_text(rows, 1);
  const char *sql = (const char *)sqlite3_column_text(rows, 2);
  if (!type || !name)
    return false;
  size_t found = find_object(name);
  if (found == OBJECTS)
    return strcmp(type, "trigger") != 0 && strcmp(type, "view") != 0;
  if (objects[found].since > version || !sql || strcmp(sql, objects[found].sql) != 0)
    return false;
  seen[found] = true;
  return true;
}

bool db_schema_matches(sqlite3 *sqlite, int64_t version, int *code, char *name, size_t name_size) {
  bool seen[OBJECTS] = {false};
  bool fine = true;
  sqlite3_stmt *rows = NULL;
  *code = sqlite3_prepare_v2(sqlite, "SELECT type, name, sql FROM sqlite_schema", -1, &rows, NULL);
  if (*code != SQLITE_OK)
    return false;
  while (fine && (*code = sqlite3_step(rows)) == SQLITE_ROW) {
    fine = row_is_fine(rows, version, seen);
    if (!fine) {
      api_quote quote = api_quoted((const char *)sqlite3_column_text(rows, 1),
                                   (size_t)sqlite3_column_bytes(rows, 1));
      snprintf(name, name_size, "%s", quote.text);
    }
  }
  sqlite3_finalize(rows);
  if (fine && *code != SQLITE_DONE)
    return false;
  *code = SQLITE_OK;
  for (size_t i = 0; i < OBJECTS && fine; i++) {
    fine = seen[i] || objects[i].since > version;
    if (!fine)
      snprintf(name, name_size, "%s", objects[i].name);
  }
  return fine;
}
