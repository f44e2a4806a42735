/* The database behind the operations: one SQLite file, used by several threads.
 *
 * A `db` is a pool of at most DB_CONNECTIONS_MAX connections that are opened
 * when needed. A thread checks one out, works with it, and checks it in; every
 * statement it prepares stays cached with the connection. Writers of one process
 * take turns here, so that only other processes can make SQLite wait.
 *
 * Waiting, for a connection or for another process's lock, is bounded by
 * DB_BUSY_MS and ends early when the `stop` of the checkout becomes true, which
 * also interrupts a running statement. */
#ifndef VOW_API_DB_H
#define VOW_API_DB_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/api.h"
#include "core/mem.h"

#define DB_URL_DEFAULT "sqlite:vow.db"
#define DB_CONNECTIONS_MAX 4
#define DB_BUSY_MS 2000
#define DB_BUSY_TEXT "the database is busy with another writer"
/* In the file's header: "Vow " */
#define DB_APPLICATION_ID 0x566f7720
/* user_version that this program writes. A newer one is refused; an earlier file
 * gets what it lacks when it is opened, and earlier programs refuse it from then on. */
#define DB_SCHEMA_VERSION 2
/* Bytes of the longest text SQLite handles for us: a line of an import. */
#define DB_TEXT_MAX (16 << 20)

enum {
  DB_CREATE = 1, /* make the file when there is none */
};

/* Opens the database at `url`, "sqlite:FILE". False with a one-line message: the
 * scheme is unknown; the file is missing (without DB_CREATE), not a regular
 * file, not readable and writable, not a database, another program's, damaged,
 * or of a newer version. Such a file is left byte for byte as it was. A new file
 * appears complete or not at all. Blocks for file I/O; any thread. The db uses
 * `allocator` (NULL: the C library's), which must outlive it. */
bool db_open(const char *url, unsigned flags, const vow_allocator *allocator, db **opened,
             char *message, size_t message_size);

/* The file that `url` names, a part of it; NULL when it names none. */
const char *db_file(const char *url);

/* Every connection must be checked in. NULL is allowed. */
void db_close(db *store);

typedef struct db_conn db_conn;

typedef enum {
  DB_READ,
  DB_WRITE, /* only one of them at a time */
} db_use;

/* NULL with `error` filled when none came free in time, `stop` (may be NULL)
 * became true, or a connection cannot be opened. `stop` must stay valid up to
 * db_checkin(). Blocks; any thread. The connection is the caller's alone. */
db_conn *db_checkout(db *store, db_use use, const atomic_bool *stop, api_error *error);

/* Gives the connection back: statements are reset, an open transaction is
 * rolled back. */
void db_checkin(db *store, db_conn *conn);

/* The prepared statement of `sql`, reset and without bindings. `sql` must be a
 * constant: its address is the cache's key. It belongs to the connection.
 * NULL with `error` filled. */
sqlite3_stmt *db_statement(db_conn *conn, const char *sql, api_error *error);

typedef enum {
  DB_ROW,
  DB_DONE,
  DB_FAILED, /* `error` is filled */
} db_result;

db_result db_step(db_conn *conn, sqlite3_stmt *statement, api_error *error);

/* Binds `len` bytes of UTF-8, borrowed up to the statement's reset. */
void db_bind_text(sqlite3_stmt *statement, int index, const char *utf8, size_t len);

/* A write transaction. db_end() commits when `keep`, else rolls back; true only
 * if the changes are in the database. `error` is left alone when not `keep`. */
bool db_begin(db_conn *conn, api_error *error);
bool db_end(db_conn *conn, bool keep, api_error *error);

#endif
