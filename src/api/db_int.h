/* What the files of the database share: db.c (pool, statements), db_open.c
 * (files, set-up of connections), db_schema.c (tables), db_search.c (ranking). */
#ifndef VOW_API_DB_INT_H
#define VOW_API_DB_INT_H

#include <pthread.h>
#include <stdint.h>

#include "api/db.h"

#define DB_STATEMENTS_MAX 24
#define DB_PATH_MAX 480 /* SQLite's own bound on a full path is 512 */

typedef struct db_cached {
  const char *sql;
  sqlite3_stmt *statement;
} db_cached;

struct db_conn {
  sqlite3 *sqlite; /* NULL: not opened yet */
  bool taken;      /* guarded by db.lock; the rest belongs to the taker */
  bool writer;
  const atomic_bool *stop;
  uint64_t busy_until_ms;  /* of the wait that goes on */
  uint64_t begin_until_ms; /* for a writer that has not begun; else 0 */
  db_cached statements[DB_STATEMENTS_MAX];
};

struct db {
  const vow_allocator *allocator;
  char path[DB_PATH_MAX + 3]; /* absolute or starting with "./" */
  pthread_mutex_t lock;
  pthread_cond_t changed; /* a connection or the writer's turn came free */
  bool writing;
  db_conn conns[DB_CONNECTIONS_MAX];
};

/* An empty pool; NULL when memory is short. */
db *db_new(const vow_allocator *allocator);

/* Milliseconds of the monotonic clock. */
uint64_t db_now_ms(void);

/* "SQLITE_BUSY" for a primary or extended result code. */
const char *db_code_name(int code);

/* Opens and sets up `conn` on an existing file. False with a message that names
 * the file. `code` (may be NULL) gets SQLite's result. */
bool db_connect(db *store, db_conn *conn, int *code, char *message, size_t message_size);
/* Finalizes the statements and closes. */
void db_disconnect(db_conn *conn);

/* Makes the tables that versions up to DB_SCHEMA_VERSION brought and that a file
 * of `version` lacks. Inside a transaction. SQLite's result code. */
int db_schema_install(sqlite3 *sqlite, int64_t version);
/* Compares the tables with those of a file of `version`; `code` is SQLite's
 * result. False when a table is missing or other, one of a later version is
 * there, or a trigger or view that is not ours; its name is in `name`. */
bool db_schema_matches(sqlite3 *sqlite, int64_t version, int *code, char *name, size_t name_size);

/* Registers notes_rank() for FTS5 queries. SQLite's result code. */
int db_search_register(sqlite3 *sqlite);

#endif
