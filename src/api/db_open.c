/* From a URL to connections that are set up.
 *
 * A file is looked at before anything may write: through SQLite's own file
 * layer, because closing a descriptor of ours would drop the locks that other
 * connections of this process hold on the same file (POSIX locks). Only a file
 * whose header is ours is opened as a database; that is when SQLite may make a
 * -wal and a -shm file beside it, and it takes them away again. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/db_int.h"

/* Virtual machine steps between two looks at `stop`: well under a millisecond. */
#define STEPS_PER_LOOK 1000

typedef struct text_out {
  char *text;
  size_t size;
} text_out;

__attribute__((format(printf, 2, 3))) static bool fail(text_out out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(out.text, out.size, format, arguments);
  va_end(arguments);
  return false;
}

/* ---- the URL and the file ---- */

const char *db_file(const char *url) {
  static const char scheme[] = "sqlite:";
  return strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : NULL;
}

/* "./" keeps SQLite from seeing a special name (":memory:", "file:..."). */
static bool set_path(db *store, const char *url, text_out out) {
  const char *file = db_file(url);
  if (!file)
    return fail(out, "'%s': a database is given as sqlite:FILE", api_quoted(url, strlen(url)).text);
  size_t len = strlen(file);
  if (len == 0)
    return fail(out, "'sqlite:' names no file; a database is given as sqlite:FILE");
  if (strcmp(file, ":memory:") == 0)
    return fail(out, "'sqlite::memory:' would be lost at once; name a file");
  if (len > DB_PATH_MAX)
    return fail(out, "the name of the database is longer than %d bytes", DB_PATH_MAX);
  snprintf(store->path, sizeof store->path, "%s%s", file[0] == '/' ? "" : "./", file);
  return true;
}

/* The name as the user gave it. */
static const char *shown(const db *store) {
  return store->path[0] == '.' ? store->path + 2 : store->path;
}

static bool sibling(const db *store, const char *suffix, char *path, size_t size) {
  int len = snprintf(path, size, "%s%s", store->path, suffix);
  return len > 0 && (size_t)len < size;
}

static bool sibling_has_content(const db *store, const char *suffix) {
  char path[sizeof store->path + 32];
  struct stat facts;
  return sibling(store, suffix, path, sizeof path) && stat(path, &facts) == 0 && facts.st_size > 0;
}

static bool folder_writable(const db *store) {
  char folder[sizeof store->path];
  snprintf(folder, sizeof folder, "%s", store->path);
  char *slash = strrchr(folder, '/'); /* there is one in every path of ours */
  slash[slash == folder] = 0;
  return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

/* ---- one connection ---- */

static int on_busy(void *user, int count) {
  db_conn *conn = user;
  uint64_t now = db_now_ms();
  if (count == 0)
    conn->busy_until_ms = conn->begin_until_ms ? conn->begin_until_ms : now + DB_BUSY_MS;
  if (now >= conn->busy_until_ms || (conn->stop && atomic_load(conn->stop)))
    return 0;
  long pause_ms = count < 4 ? 1 << count : 10;
  nanosleep(&(struct timespec){0, pause_ms * 1000000}, NULL);
  return 1;
}

static int on_progress(void *user) {
  const db_conn *conn = user;
  return conn->stop && atomic_load_explicit(conn->stop, memory_order_relaxed);
}

static void set_limits(sqlite3 *sqlite) {
  static const struct {
    int id, value;
  } limits[] = {
      {SQLITE_LIMIT_LENGTH, DB_TEXT_MAX},
      {SQLITE_LIMIT_SQL_LENGTH, 1 << 16},
      {SQLITE_LIMIT_COLUMN, 64},
      {SQLITE_LIMIT_EXPR_DEPTH, 100},
      {SQLITE_LIMIT_COMPOUND_SELECT, 8},
      {SQLITE_LIMIT_VDBE_OP, 25000},
      {SQLITE_LIMIT_FUNCTION_ARG, 16},
      {SQLITE_LIMIT_ATTACHED, 0},
      {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
      {SQLITE_LIMIT_VARIABLE_NUMBER, API_BATCH_MAX + 1},
      {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
      {SQLITE_LIMIT_WORKER_THREADS, 0},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    sqlite3_limit(sqlite, limits[i].id, limits[i].value);
}

/* The file is data, whoever made it: its schema gets no way to run code. */
static void distrust(sqlite3 *sqlite) {
  static const struct {
    int option, value;
  } options[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_DQS_DDL, 0},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    sqlite3_db_config(sqlite, options[i].option, options[i].value, NULL);
}

static int set_up(db_conn *conn) {
  set_limits(conn->sqlite);
  distrust(conn->sqlite);
  sqlite3_busy_handler(conn->sqlite, on_busy, conn);
  sqlite3_progress_handler(conn->sqlite, STEPS_PER_LOOK, on_progress, conn);
  return sqlite3_exec(conn->sqlite,
                      "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
                      "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;"
                      "PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216",
                      NULL, NULL, NULL);
}

static bool open_sqlite(const char *path, int flags, sqlite3 **sqlite, int *code) {
  *code = sqlite3_open_v2(path, sqlite, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
  return *code == SQLITE_OK;
}

/* What SQLite says, with the system's reason where that helps. */
static bool fail_sqlite(const db *store, int code, sqlite3 *sqlite, text_out out) {
  int system = sqlite ? sqlite3_system_errno(sqlite) : 0;
  switch (code & 0xff) {
  case SQLITE_BUSY:
    return fail(out, "%s: is locked by another process", shown(store));
  case SQLITE_CORRUPT:
    return fail(out, "%s: the database is damaged (%s)", shown(store), db_code_name(code));
  case SQLITE_NOTADB:
    return fail(out, "%s: is not an SQLite database", shown(store));
  case SQLITE_CANTOPEN:
  case SQLITE_IOERR:
    if (system != 0)
      return fail(out, "%s: cannot be opened: %s", shown(store), strerror(system));
    /* fall through */
  default:
    return fail(out, "%s: cannot be opened: %s (%s)", shown(store), sqlite3_errstr(code),
                db_code_name(code));
  }
}

/* ---- looking without touching ---- */

typedef struct db_header {
  bool empty;
  bool wal;             /* the journal mode written in the file */
  sqlite3_int64 bytes;  /* size of the file */
  sqlite3_int64 wanted; /* size by the header; 0: it does not say */
  uint32_t application_id, version;
} db_header;

static uint32_t be32(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Offsets: "Database File Format", section 1.3. */
static bool parse_header(const unsigned char head[100], db_header *header) {
  if (memcmp(head, "SQLite format 3", 16) != 0)
    return false;
  uint32_t page = (uint32_t)head[16] << 8 | head[17];
  if (page == 1)
    page = 65536;
  header->wal = head[18] == 2 && head[19] == 2;
  /* The page count counts only if the last writer knew of it. */
  if (be32(head + 24) == be32(head + 92))
    header->wanted = (sqlite3_int64)be32(head + 28) * page;
  header->version = be32(head + 60);
  header->application_id = be32(head + 68);
  return page >= 512 && (page & (page - 1)) == 0;
}

static bool read_header(const db *store, sqlite3 *sqlite, db_header *header, text_out out) {
  *header = (db_header){0};
  sqlite3_file *file = NULL;
  int code = sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK)
    code = file->pMethods ? file->pMethods->xFileSize(file, &header->bytes) : SQLITE_CANTOPEN;
  if (code != SQLITE_OK)
    return fail_sqlite(store, code, sqlite, out);
  header->empty = header->bytes == 0;
  if (header->empty)
    return true;
  unsigned char head[100];
  code = header->bytes < 100 ? SQLITE_NOTADB : file->pMethods->xRead(file, head, sizeof head, 0);
  if (code == SQLITE_OK && !parse_header(head, header))
    code = SQLITE_NOTADB;
  return code == SQLITE_OK || fail_sqlite(store, code, sqlite, out);
}

static bool check_version(const db *store, int64_t application_id, int64_t version, text_out out) {
  if (application_id != DB_APPLICATION_ID)
    return fail(out, "%s: is a database of another program", shown(store));
  if (version > DB_SCHEMA_VERSION)
    return fail(out, "%s: was written by a newer Vow (schema %lld, this one knows %d)",
                shown(store), (long long)version, DB_SCHEMA_VERSION);
  return true;
}

static bool check_header(const db *store, const db_header *header, text_out out) {
  if (!check_version(store, header->application_id, header->version, out))
    return false;
  /* With a journal beside it the file may rightly be behind its header. */
  if (header->bytes < header->wanted && !sibling_has_content(store, "-wal") &&
      !sibling_has_content(store, "-journal"))
    return fail(out, "%s: the database is damaged: %lld bytes of %lld are there", shown(store),
                (long long)header->bytes, (long long)header->wanted);
  return true;
}

static bool check_file(const db *store, const struct stat *facts, text_out out) {
  if (S_ISDIR(facts->st_mode))
    return fail(out, "%s: is a folder, not a database file", shown(store));
  if (!S_ISREG(facts->st_mode))
    return fail(out, "%s: is not a regular file", shown(store));
  if (faccessat(AT_FDCWD, store->path, R_OK, AT_EACCESS) != 0)
    return fail(out, "%s: cannot be read: %s", shown(store), strerror(errno));
  if (faccessat(AT_FDCWD, store->path, W_OK, AT_EACCESS) != 0)
    return fail(out, "%s: cannot be written: %s", shown(store), strerror(errno));
  if (!folder_writable(store))
    return fail(out, "%s: its folder cannot be written (SQLite keeps a log beside the file): %s",
                shown(store), strerror(errno));
  return true;
}

static bool read_number(sqlite3 *sqlite, const char *pragma, int64_t *value, int *code) {
  sqlite3_stmt *statement = NULL;
  *code = sqlite3_prepare_v2(sqlite, pragma, -1, &statement, NULL);
  if (*code == SQLITE_OK)
    *code = sqlite3_step(statement);
  bool there = *code == SQLITE_ROW;
  if (there)
    *value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return there;
}

/* ---- a new file ---- */

/* Brings a file that is empty or of an earlier version to our schema, in one
 * transaction. Another process may have done it meanwhile, hence the look inside. */
static int install(sqlite3 *sqlite) {
  int64_t version = 0;
  int code = sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  if (code == SQLITE_OK && read_number(sqlite, "PRAGMA user_version", &version, &code))
    code = version < DB_SCHEMA_VERSION ? db_schema_install(sqlite, version) : SQLITE_OK;
  if (code == SQLITE_OK)
    code = sqlite3_exec(sqlite, "COMMIT", NULL, NULL, NULL);
  if (!sqlite3_get_autocommit(sqlite))
    sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
  return code;
}

static int fill_new(sqlite3 *sqlite) {
  /* Nobody else knows the file yet: it is synced once, at the end. */
  int code =
      sqlite3_exec(sqlite, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF", NULL, NULL, NULL);
  if (code == SQLITE_OK)
    code = install(sqlite);
  if (code == SQLITE_OK)
    code = sqlite3_exec(sqlite, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
  /* Opens every file that a connection needs: what stops that is told now, while
   * the database has no name yet. */
  int64_t version = 0;
  if (code == SQLITE_OK && read_number(sqlite, "PRAGMA user_version", &version, &code))
    code = SQLITE_OK;
  return code;
}

static bool sync_file(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  bool synced = fsync(file) == 0;
  close(file);
  return synced;
}

/* Gives the complete file its name, unless another process was quicker. */
static bool publish(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 || errno == EEXIST)
    return true;
  if (errno != EINVAL && errno != ENOSYS)
    return false;
  return link(from, to) == 0 || errno == EEXIST;
}

static void remove_new(const char *path) {
  static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
  char name[DB_PATH_MAX + 64];
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    unlink(name);
  }
}

static bool make_file(const db *store, const char *path, text_out out) {
  sqlite3 *sqlite = NULL;
  int code = SQLITE_OK;
  bool made = false;
  if (open_sqlite(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &sqlite, &code))
    code = fill_new(sqlite);
  int system = sqlite ? sqlite3_system_errno(sqlite) : 0;
  int closed = sqlite3_close(sqlite);
  if (code == SQLITE_OK)
    code = closed;
  if (code == SQLITE_OK) {
    made = sync_file(path) && publish(path, store->path);
    system = errno;
  }
  if (made)
    return true;
  return fail(out, "%s: cannot be created: %s", shown(store),
              system != 0 ? strerror(system) : sqlite3_errstr(code));
}

/* Makes the file under another name and renames it, so that no other process,
 * and no later run after a crash, sees it incomplete. */
static bool create(const db *store, text_out out) {
  if (sibling_has_content(store, "-wal") || sibling_has_content(store, "-journal"))
    return fail(out,
                "%s: is missing, but the log of an earlier one is left beside it; restore the "
                "file or remove the log",
                shown(store));
  if (!folder_writable(store))
    return fail(out, "%s: cannot be created: %s", shown(store), strerror(errno));
  unsigned random = 0;
  sqlite3_randomness(sizeof random, &random);
  char suffix[24], path[sizeof store->path + 32];
  snprintf(suffix, sizeof suffix, ".new-%08x", random);
  if (!sibling(store, suffix, path, sizeof path))
    return fail(out, "%s: the name is too long", shown(store));
  bool made = make_file(store, path, out);
  remove_new(path);
  return made;
}

/* ---- an existing file ---- */

/* The numbers as a reader sees them: the log may be newer than the header. */
static bool check_numbers(const db *store, sqlite3 *sqlite, int64_t *version, int *code,
                          text_out out) {
  int64_t application_id = 0;
  if (!read_number(sqlite, "PRAGMA user_version", version, code) ||
      !read_number(sqlite, "PRAGMA application_id", &application_id, code))
    return fail_sqlite(store, *code, sqlite, out);
  return check_version(store, application_id, *version, out);
}

static bool check_schema(const db *store, sqlite3 *sqlite, int64_t version, int *code,
                         text_out out) {
  char name[API_QUOTE_MAX];
  if (db_schema_matches(sqlite, version, code, name, sizeof name))
    return true;
  if (*code != SQLITE_OK)
    return fail_sqlite(store, *code, sqlite, out);
  *code = SQLITE_CORRUPT;
  return fail(out, "%s: '%s' in the database is not as Vow made it", shown(store), name);
}

static bool check_content(const db *store, sqlite3 *sqlite, const db_header *header, int *code,
                          text_out out) {
  int64_t version = 0;
  if (!check_numbers(store, sqlite, &version, code, out) ||
      !check_schema(store, sqlite, version, code, out))
    return false;
  if (version < DB_SCHEMA_VERSION && (*code = install(sqlite)) != SQLITE_OK)
    return fail_sqlite(store, *code, sqlite, out);
  if (header->wal)
    return true;
  /* Where the file system cannot share memory SQLite keeps its other journal,
   * which is as safe; so only errors count. */
  *code = sqlite3_exec(sqlite, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
  if (*code == SQLITE_OK || (*code & 0xff) == SQLITE_BUSY)
    return true;
  return fail_sqlite(store, *code, sqlite, out);
}

static bool set_up_checked(const db *store, db_conn *conn, int *code, text_out out) {
  db_header header;
  *code = SQLITE_CANTOPEN;
  if (!read_header(store, conn->sqlite, &header, out))
    return false;
  if (!header.empty && !check_header(store, &header, out))
    return false;
  /* A log of an earlier crash stays as it is unless the file turns out fine. */
  bool keep_log = sibling_has_content(store, "-wal");
  if (keep_log)
    sqlite3_db_config(conn->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  *code = set_up(conn);
  if (*code != SQLITE_OK)
    return fail_sqlite(store, *code, conn->sqlite, out);
  /* An empty file becomes a database where it stands: somebody reserved it. */
  if (header.empty && (*code = install(conn->sqlite)) != SQLITE_OK)
    return fail_sqlite(store, *code, conn->sqlite, out);
  if (!check_content(store, conn->sqlite, &header, code, out))
    return false;
  if (keep_log)
    sqlite3_db_config(conn->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  *code = db_search_register(conn->sqlite);
  if (*code != SQLITE_OK)
    return fail(out, "this SQLite cannot search text (FTS5): %s", sqlite3_errstr(*code));
  return true;
}

bool db_connect(db *store, db_conn *conn, int *code, char *message, size_t message_size) {
  text_out out = {message, message_size};
  int result = SQLITE_OK;
  bool open = open_sqlite(store->path, SQLITE_OPEN_READWRITE, &conn->sqlite, &result) ||
              fail_sqlite(store, result, conn->sqlite, out);
  if (open && !set_up_checked(store, conn, &result, out))
    open = false;
  if (!open)
    db_disconnect(conn);
  if (code)
    *code = result;
  return open;
}

static bool open_first(db *store, const char *url, unsigned flags, text_out out) {
  if (!set_path(store, url, out))
    return false;
  struct stat facts;
  if (stat(store->path, &facts) == 0) {
    if (!check_file(store, &facts, out))
      return false;
    if (facts.st_size == 0 && !(flags & DB_CREATE))
      return fail(out, "%s: is empty, not a database", shown(store));
  } else if (errno != ENOENT) {
    return fail(out, "%s: cannot be opened: %s", shown(store), strerror(errno));
  } else if (!(flags & DB_CREATE)) {
    return fail(out, "%s: there is no such database", shown(store));
  } else if (!create(store, out)) {
    return false;
  }
  return db_connect(store, &store->conns[0], NULL, out.text, out.size);
}

/* SQLite does this by itself, but what it does then about threads that come at
 * the same moment is a data race by the letter of C. Failing does no harm: it
 * tries again. */
static void initialize(void) {
  sqlite3_initialize();
}

bool db_open(const char *url, unsigned flags, const vow_allocator *allocator, db **opened,
             char *message, size_t message_size) {
  text_out out = {message, message_size};
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, initialize);
  *opened = NULL;
  db *store = db_new(allocator);
  if (!store)
    return fail(out, "out of memory");
  if (!open_first(store, url, flags, out)) {
    db_close(store);
    return false;
  }
  *opened = store;
  return true;
}
