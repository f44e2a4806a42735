/* Every allocation and every I/O of a scenario fails once, and at a sample of them
 * all that follow fail too: each call either succeeds or gives a typed error, nothing leaks, and
 * the file stays a sound database in which every note is there whole or not at all. */
#include "notes_fixture.h"

#include "api/kv.h"
#include "counting_alloc.h"

/* ---- SQLite's memory ---- */

static counting_alloc memory;

static void *memory_get(int size) {
  void *block = counting_alloc_call(&memory, NULL, (size_t)size + 8);
  if (!block)
    return NULL;
  *(int *)block = size;
  return (char *)block + 8;
}

static void memory_free(void *block) {
  if (block)
    counting_alloc_call(&memory, (char *)block - 8, 0);
}

static int memory_size(void *block) {
  return block ? *(int *)(void *)((char *)block - 8) : 0;
}

static void *memory_resize(void *block, int size) {
  void *grown = counting_alloc_call(&memory, (char *)block - 8, (size_t)size + 8);
  if (!grown)
    return NULL;
  *(int *)grown = size;
  return (char *)grown + 8;
}

static int memory_roundup(int size) {
  return (size + 7) & ~7;
}

static int memory_init(void *user) {
  (void)user;
  return SQLITE_OK;
}

static void memory_shutdown(void *user) {
  (void)user;
}

/* ---- SQLite's files: the system's, with a failing call ---- */

static sqlite3_vfs *real;
static size_t io_calls, io_fail_at;
static bool io_for_ever;

typedef struct shim {
  sqlite3_file base;
  sqlite3_io_methods methods;
  const sqlite3_io_methods *original;
} shim;

/* The real file stands behind the shim. */
static sqlite3_file *under(sqlite3_file *file) {
  return (sqlite3_file *)(void *)((char *)file + sizeof(shim));
}

static bool io_fails(void) {
  io_calls++;
  return io_fail_at && (io_calls == io_fail_at || (io_for_ever && io_calls > io_fail_at));
}

#define FORWARD(file, method, ...) under(file)->pMethods->method(under(file), ##__VA_ARGS__)

static int io_close(sqlite3_file *file) {
  return FORWARD(file, xClose);
}

static int io_read(sqlite3_file *file, void *to, int count, sqlite3_int64 at) {
  return io_fails() ? SQLITE_IOERR_READ : FORWARD(file, xRead, to, count, at);
}

static int io_write(sqlite3_file *file, const void *from, int count, sqlite3_int64 at) {
  return io_fails() ? SQLITE_FULL : FORWARD(file, xWrite, from, count, at);
}

static int io_truncate(sqlite3_file *file, sqlite3_int64 size) {
  return io_fails() ? SQLITE_IOERR_TRUNCATE : FORWARD(file, xTruncate, size);
}

static int io_sync(sqlite3_file *file, int flags) {
  return io_fails() ? SQLITE_IOERR_FSYNC : FORWARD(file, xSync, flags);
}

static int io_size(sqlite3_file *file, sqlite3_int64 *size) {
  return io_fails() ? SQLITE_IOERR_FSTAT : FORWARD(file, xFileSize, size);
}

static int io_lock(sqlite3_file *file, int lock) {
  return io_fails() ? SQLITE_IOERR_LOCK : FORWARD(file, xLock, lock);
}

static int io_unlock(sqlite3_file *file, int lock) {
  return FORWARD(file, xUnlock, lock);
}

static int io_reserved(sqlite3_file *file, int *held) {
  return FORWARD(file, xCheckReservedLock, held);
}

static int io_control(sqlite3_file *file, int op, void *argument) {
  return FORWARD(file, xFileControl, op, argument);
}

static int io_sector(sqlite3_file *file) {
  return FORWARD(file, xSectorSize);
}

static int io_traits(sqlite3_file *file) {
  return FORWARD(file, xDeviceCharacteristics);
}

static int io_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at) {
  return io_fails() ? SQLITE_IOERR_SHMMAP : FORWARD(file, xShmMap, page, size, extend, at);
}

static int io_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  return FORWARD(file, xShmLock, offset, count, flags);
}

static void io_shm_barrier(sqlite3_file *file) {
  FORWARD(file, xShmBarrier);
}

static int io_shm_unmap(sqlite3_file *file, int remove) {
  return FORWARD(file, xShmUnmap, remove);
}

static int io_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                   int *out_flags) {
  (void)vfs;
  static const sqlite3_io_methods methods = {
      .iVersion = 2,
      .xClose = io_close,
      .xRead = io_read,
      .xWrite = io_write,
      .xTruncate = io_truncate,
      .xSync = io_sync,
      .xFileSize = io_size,
      .xLock = io_lock,
      .xUnlock = io_unlock,
      .xCheckReservedLock = io_reserved,
      .xFileControl = io_control,
      .xSectorSize = io_sector,
      .xDeviceCharacteristics = io_traits,
      .xShmMap = io_shm_map,
      .xShmLock = io_shm_lock,
      .xShmBarrier = io_shm_barrier,
      .xShmUnmap = io_shm_unmap,
  };
  file->pMethods = NULL;
  if (io_fails())
    return SQLITE_CANTOPEN;
  int code = real->xOpen(real, name, under(file), flags, out_flags);
  if (under(file)->pMethods)
    file->pMethods = &methods;
  return code;
}

static int io_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs;
  return io_fails() ? SQLITE_IOERR_DELETE : real->xDelete(real, name, sync);
}

static sqlite3_vfs failing;

static int set_up_sqlite(void **state) {
  (void)state;
  static const sqlite3_mem_methods methods = {
      memory_get,     memory_free, memory_resize,   memory_size,
      memory_roundup, memory_init, memory_shutdown, NULL};
  assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
  assert_int_equal(sqlite3_initialize(), SQLITE_OK);
  real = sqlite3_vfs_find(NULL);
  failing = *real;
  failing.zName = "failing";
  failing.szOsFile += (int)sizeof(shim);
  failing.xOpen = io_open;
  failing.xDelete = io_delete;
  failing.pNext = NULL;
  assert_int_equal(sqlite3_vfs_register(&failing, 1), SQLITE_OK);
  return 0;
}

static int tear_down_sqlite(void **state) {
  (void)state;
  sqlite3_vfs_unregister(&failing);
  assert_int_equal(sqlite3_shutdown(), SQLITE_OK);
  assert_int_equal(memory.blocks, 0);
  return 0;
}

/* ---- the scenario ---- */

static counting_alloc own;
static vow_allocator allocator;

/* Whether the call gave a result; an error must be one that faults explain. */
static bool try_call(fixture *f, api_handler *handler, const char *text) {
  if (call_text(f, handler, text))
    return true;
  if (strcmp(f->error.name, "ApiError") != 0 && strcmp(f->error.name, "NotFoundError") != 0)
    fail_msg("%s: %s %s", text, f->error.name, f->error.message);
  return false;
}

static void import_one(fixture *f) {
  static const char line[] = "{\"id\":\"line\",\"title\":\"x\",\"tags\":[\"a\",\"b\"]}";
  notes_put put;
  notes_import *import = notes_import_begin(f->db, f->vault, &allocator, NULL, &f->error);
  if (!import)
    return;
  bool done = notes_import_put(import, line, sizeof line - 1, &put, &f->error);
  notes_import_end(import, done, &f->error);
}

/* What was set is there as it was given, or not at all. */
static void use_kv(fixture *f) {
  bool set = try_call(f, kv_set, "['k', {'x': [1, 'y']}]");
  try_call(f, kv_set, "['other', 2]");
  if (try_call(f, kv_get, "['k']"))
    assert_string_equal(f->json, set ? "{\"x\":[1,\"y\"]}" : "null");
  try_call(f, kv_list, "[{'prefix': 'k', 'limit': 1}]");
  try_call(f, kv_delete, "['other']");
}

static void run_scenario(fixture *f) {
  char message[512] = "";
  if (!db_open(f->url, DB_CREATE, &allocator, &f->db, message, sizeof message)) {
    assert_true(message[0] != 0);
    assert_null(strchr(message, '\n'));
    return;
  }
  try_call(f, notes_create, "[{'id':'a','title':'first','body':'word','tags':['x']}]");
  try_call(f, notes_update, "['a',{'title':'second'}]");
  try_call(f, notes_get, "['a']");
  try_call(f, notes_search, "['word']");
  try_call(f, notes_list, "[]");
  import_one(f);
  use_kv(f);
  db_conn *first = db_checkout(f->db, DB_READ, NULL, &f->error);
  try_call(f, notes_get, "['a']"); /* on a second connection */
  if (first)
    db_checkin(f->db, first);
  try_call(f, notes_delete, "['a']");
  free(f->json);
  f->json = NULL;
  db_close(f->db);
  f->db = NULL;
}

/* After the faults: open, sound, every note whole. */
static void check_file(fixture *f) {
  if (access(f->file, F_OK) != 0)
    return;
  open_db(f);
  db_conn *conn = db_checkout(f->db, DB_WRITE, NULL, &f->error);
  assert_non_null(conn);
  static const char check[] = "PRAGMA integrity_check";
  static const char text_check[] =
      "INSERT INTO notes_text(notes_text, rank) VALUES('integrity-check', 1)";
  sqlite3_stmt *statement = db_statement(conn, check, &f->error);
  assert_int_equal(db_step(conn, statement, &f->error), DB_ROW);
  assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
  statement = db_statement(conn, text_check, &f->error);
  assert_int_equal(db_step(conn, statement, &f->error), DB_DONE);
  db_checkin(f->db, conn);
  give(f, notes_list, "[]");
  const char *line = strstr(f->json, "\"id\":\"line\"");
  if (line)
    assert_non_null(strstr(line, "\"tags\":[\"a\",\"b\"]"));
  give(f, kv_get, "['k']");
  if (strcmp(f->json, "null") != 0)
    assert_string_equal(f->json, "{\"x\":[1,\"y\"]}");
  db_close(f->db);
  f->db = NULL;
}

/* One run in a fresh folder; `counter` and the rest say which call fails. */
static void run_once(size_t *calls, size_t *fail_at, size_t fail, bool *for_ever_flag,
                     bool for_ever) {
  fixture f;
  open_folder(&f);
  size_t blocks = memory.blocks;
  *calls = 0;
  *fail_at = fail;
  *for_ever_flag = for_ever;
  run_scenario(&f);
  *fail_at = 0;
  assert_int_equal(memory.blocks, blocks);
  assert_int_equal(own.blocks, 0);
  size_t used = *calls;
  check_file(&f);
  *calls = used;
  close_fixture(&f);
}

/* Failing for ever is mostly the same path as failing once: a sample does. */
enum { FOR_EVER_STEP = 5 };

static void fail_each(size_t *calls, size_t *fail_at, bool *for_ever_flag) {
  run_once(calls, fail_at, 0, for_ever_flag, false);
  size_t all = *calls;
  assert_true(all > 0);
  for (size_t fail = 1; fail <= all; fail++) {
    run_once(calls, fail_at, fail, for_ever_flag, false);
    if (fail % FOR_EVER_STEP == 1)
      run_once(calls, fail_at, fail, for_ever_flag, true);
  }
  print_message("%zu calls, each failed once\n", all);
}

static void test_each_allocation_of_ours(void **state) {
  (void)state;
  fail_each(&own.calls, &own.fail_at, &own.for_ever);
}

static void test_each_allocation_of_sqlite(void **state) {
  (void)state;
  fail_each(&memory.calls, &memory.fail_at, &memory.for_ever);
}

static void test_each_io(void **state) {
  (void)state;
  fail_each(&io_calls, &io_fail_at, &io_for_ever);
}

int main(void) {
  allocator = counting_allocator(&own);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_allocation_of_ours),
      cmocka_unit_test(test_each_allocation_of_sqlite),
      cmocka_unit_test(test_each_io),
  };
  return cmocka_run_group_tests(tests, set_up_sqlite, tear_down_sqlite);
}
