#include "api/db.h"

#include <string.h>
#include <time.h>

#include "api/db_int.h"

/* Nobody signals the pool when a call's `stop` is set, so a waiter looks at it
 * this often. */
#define STOP_LOOK_MS 10

uint64_t db_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- errors ---- */

const char *db_code_name(int code) {
  static const char *const names[] = {
      "SQLITE_OK",       "SQLITE_ERROR",     "SQLITE_INTERNAL", "SQLITE_PERM",
      "SQLITE_ABORT",    "SQLITE_BUSY",      "SQLITE_LOCKED",   "SQLITE_NOMEM",
      "SQLITE_READONLY", "SQLITE_INTERRUPT", "SQLITE_IOERR",    "SQLITE_CORRUPT",
      "SQLITE_NOTFOUND", "SQLITE_FULL",      "SQLITE_CANTOPEN", "SQLITE_PROTOCOL",
      "SQLITE_EMPTY",    "SQLITE_SCHEMA",    "SQLITE_TOOBIG",   "SQLITE_CONSTRAINT",
      "SQLITE_MISMATCH", "SQLITE_MISUSE",    "SQLITE_NOLFS",    "SQLITE_AUTH",
      "SQLITE_FORMAT",   "SQLITE_RANGE",     "SQLITE_NOTADB",
  };
  int primary = code & 0xff;
  if (primary < 0 || (size_t)primary >= sizeof names / sizeof *names)
    return "SQLITE_ERROR";
  return names[primary];
}

static const char *explain(int code, sqlite3 *sqlite) {
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return DB_BUSY_TEXT;
  case SQLITE_INTERRUPT:
    return "the call was stopped";
  case SQLITE_FULL:
    return "the disk is full";
  case SQLITE_NOMEM:
    return "out of memory";
  case SQLITE_CORRUPT:
    return "the database file is damaged";
  default:
    return sqlite ? sqlite3_errmsg(sqlite) : sqlite3_errstr(code);
  }
}

static bool fail_code(api_error *error, int code, sqlite3 *sqlite) {
  int primary = code & 0xff;
  bool transient = primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
  return api_error_set(error, "ApiError", db_code_name(code), transient, "%s",
                       explain(code, sqlite));
}

static bool stopped(const atomic_bool *stop) {
  return stop && atomic_load_explicit(stop, memory_order_relaxed);
}

/* ---- the pool ---- */

static bool init_lock(db *store) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0)
    return false;
  bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&store->changed, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  if (!made)
    return false;
  if (pthread_mutex_init(&store->lock, NULL) == 0)
    return true;
  pthread_cond_destroy(&store->changed);
  return false;
}

db *db_new(const vow_allocator *allocator) {
  db *store = mem_new(allocator, 1, sizeof *store);
  if (!store)
    return NULL;
  store->allocator = allocator;
  if (init_lock(store))
    return store;
  mem_free(allocator, store);
  return NULL;
}

void db_close(db *store) {
  if (!store)
    return;
  for (int i = 0; i < DB_CONNECTIONS_MAX; i++)
    db_disconnect(&store->conns[i]);
  pthread_cond_destroy(&store->changed);
  pthread_mutex_destroy(&store->lock);
  mem_free(store->allocator, store);
}

void db_disconnect(db_conn *conn) {
  for (int i = 0; i < DB_STATEMENTS_MAX; i++)
    sqlite3_finalize(conn->statements[i].statement);
  memset(conn->statements, 0, sizeof conn->statements);
  sqlite3_close(conn->sqlite);
  conn->sqlite = NULL;
}

/* A free connection, an open one first; NULL when there is none. Locked. */
static db_conn *find_free(db *store) {
  db_conn *free_one = NULL;
  for (int i = 0; i < DB_CONNECTIONS_MAX; i++) {
    db_conn *conn = &store->conns[i];
    if (conn->taken)
      continue;
    if (conn->sqlite)
      return conn;
    if (!free_one)
      free_one = conn;
  }
  return free_one;
}

static void wait_changed(db *store, uint64_t until_ms) {
  uint64_t now = db_now_ms();
  uint64_t wake = now + STOP_LOOK_MS < until_ms ? now + STOP_LOOK_MS : until_ms;
  struct timespec at = {(time_t)(wake / 1000), (long)(wake % 1000) * 1000000};
  pthread_cond_timedwait(&store->changed, &store->lock, &at);
}

/* Takes a connection, and the writer's turn if `use` asks for it; NULL when
 * that took too long or `stop` was set. */
static db_conn *take(db *store, db_use use, const atomic_bool *stop) {
  uint64_t until = db_now_ms() + DB_BUSY_MS;
  db_conn *conn = NULL;
  pthread_mutex_lock(&store->lock);
  while (!stopped(stop)) {
    conn = use == DB_WRITE && store->writing ? NULL : find_free(store);
    if (conn || db_now_ms() >= until)
      break;
    wait_changed(store, until);
  }
  if (conn) {
    conn->taken = true;
    conn->writer = use == DB_WRITE;
    /* The wait for other processes is the rest of this one. */
    conn->begin_until_ms = conn->writer ? until : 0;
    store->writing |= conn->writer;
  }
  pthread_mutex_unlock(&store->lock);
  return conn;
}

static void give_back(db *store, db_conn *conn) {
  pthread_mutex_lock(&store->lock);
  if (conn->writer)
    store->writing = false;
  conn->writer = false;
  conn->taken = false;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->lock);
}

db_conn *db_checkout(db *store, db_use use, const atomic_bool *stop, api_error *error) {
  db_conn *conn = take(store, use, stop);
  if (!conn) {
    fail_code(error, stopped(stop) ? SQLITE_INTERRUPT : SQLITE_BUSY, NULL);
    return NULL;
  }
  conn->stop = stop;
  char message[API_MESSAGE_MAX];
  int code = SQLITE_OK;
  if (conn->sqlite || db_connect(store, conn, &code, message, sizeof message))
    return conn;
  fail_code(error, code, NULL);
  give_back(store, conn);
  return NULL;
}

static void roll_back(db_conn *conn) {
  if (!sqlite3_get_autocommit(conn->sqlite))
    sqlite3_exec(conn->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

void db_checkin(db *store, db_conn *conn) {
  for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
    sqlite3_stmt *statement = conn->statements[i].statement;
    if (!statement)
      continue;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
  conn->stop = NULL;
  roll_back(conn);
  /* Only when even that failed for want of memory; closing always rolls back. */
  if (!sqlite3_get_autocommit(conn->sqlite))
    db_disconnect(conn);
  give_back(store, conn);
}

/* ---- statements ---- */

/* The slot of `sql`, or one that may be filled: an empty one, else one that
 * does not run. */
static db_cached *find_slot(db_conn *conn, const char *sql) {
  db_cached *fill = NULL;
  for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
    db_cached *slot = &conn->statements[i];
    if (slot->sql == sql)
      return slot;
    if (!fill || (fill->sql && !slot->sql) ||
        (sqlite3_stmt_busy(fill->statement) && !sqlite3_stmt_busy(slot->statement)))
      fill = slot;
  }
  return fill;
}

sqlite3_stmt *db_statement(db_conn *conn, const char *sql, api_error *error) {
  db_cached *slot = find_slot(conn, sql);
  if (slot->sql == sql) {
    sqlite3_reset(slot->statement);
    sqlite3_clear_bindings(slot->statement);
    return slot->statement;
  }
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v3(conn->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  if (code != SQLITE_OK) {
    fail_code(error, code, conn->sqlite);
    return NULL;
  }
  sqlite3_finalize(slot->statement);
  *slot = (db_cached){sql, statement};
  return statement;
}

db_result db_step(db_conn *conn, sqlite3_stmt *statement, api_error *error) {
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW)
    return DB_ROW;
  if (code == SQLITE_DONE)
    return DB_DONE;
  fail_code(error, code, conn->sqlite);
  return DB_FAILED;
}

void db_bind_text(sqlite3_stmt *statement, int index, const char *utf8, size_t len) {
  /* A NULL pointer would bind NULL instead of the empty text. A failure leaves
   * NULL, which the tables' NOT NULL and the comparisons refuse. */
  sqlite3_bind_text64(statement, index, utf8 ? utf8 : "", len, SQLITE_STATIC, SQLITE_UTF8);
}

static bool run(db_conn *conn, const char *sql, api_error *error) {
  sqlite3_stmt *statement = db_statement(conn, sql, error);
  if (!statement)
    return false;
  bool done = db_step(conn, statement, error) == DB_DONE;
  sqlite3_reset(statement);
  return done;
}

bool db_begin(db_conn *conn, api_error *error) {
  static const char begin[] = "BEGIN IMMEDIATE";
  bool begun = run(conn, begin, error);
  conn->begin_until_ms = 0;
  return begun;
}

bool db_end(db_conn *conn, bool keep, api_error *error) {
  static const char commit[] = "COMMIT";
  if (keep && run(conn, commit, error))
    return true;
  roll_back(conn);
  return false;
}
