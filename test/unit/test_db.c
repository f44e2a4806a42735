#include "notes_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- files ---- */

typedef struct bytes {
  char *data;
  size_t len;
} bytes;

static bytes read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  bytes all = {malloc(1 << 20), 0};
  assert_non_null(all.data);
  all.len = fread(all.data, 1, 1 << 20, file);
  fclose(file);
  return all;
}

static void write_all(const char *path, const void *data, size_t len) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static void overwrite(const char *path, long at, int byte, size_t count) {
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, at, SEEK_SET), 0);
  while (count--)
    fputc(byte, file);
  assert_int_equal(fclose(file), 0);
}

static void make_ours(fixture *f) {
  open_db(f);
  give(f, notes_create, "[{'id':'a','title':'kept'}]");
  db_close(f->db);
  f->db = NULL;
}

/* Opening fails with the file's name and `reason`, and changes nothing. */
static void assert_refused(fixture *f, unsigned flags, const char *reason) {
  char message[512] = "", expected[512];
  bytes before = read_all(f->file);
  int files = count_files(f->folder);
  assert_false(db_open(f->url, flags, NULL, &f->db, message, sizeof message));
  assert_null(f->db);
  snprintf(expected, sizeof expected, "%s: %s", f->file, reason);
  assert_string_equal(message, expected);
  bytes after = read_all(f->file);
  assert_int_equal(after.len, before.len);
  assert_memory_equal(after.data, before.data, after.len);
  assert_int_equal(count_files(f->folder), files);
  free(before.data);
  free(after.data);
}

/* ---- URLs ---- */

static void test_urls(void **state) {
  (void)state;
  static const struct {
    const char *url, *message;
  } cases[] = {
      {"vow.db", "'vow.db': a database is given as sqlite:FILE"},
      {"", "'': a database is given as sqlite:FILE"},
      {"postgres://h/d", "'postgres://h/d': a database is given as sqlite:FILE"},
      {"sqlite:", "'sqlite:' names no file; a database is given as sqlite:FILE"},
      {"sqlite::memory:", "'sqlite::memory:' would be lost at once; name a file"},
      {"sqlite:/nonexistent/x.db", "/nonexistent/x.db: there is no such database"},
      {"sqlite:/dev/null", "/dev/null: is not a regular file"},
      {"sqlite:/tmp", "/tmp: is a folder, not a database file"},
      {"sqlite:/dev/null/x", "/dev/null/x: cannot be opened: Not a directory"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    db *opened = NULL;
    char message[512] = "";
    assert_false(db_open(cases[i].url, 0, NULL, &opened, message, sizeof message));
    assert_null(opened);
    assert_string_equal(message, cases[i].message);
  }
  char url[600] = "sqlite:", message[512];
  db *opened = NULL;
  memset(url + 7, 'x', 500);
  url[507] = 0;
  assert_false(db_open(url, DB_CREATE, NULL, &opened, message, sizeof message));
  assert_string_equal(message, "the name of the database is longer than 480 bytes");
}

static void test_special_names_are_files(void **state) {
  fixture *f = *state;
  char before[256], message[512];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(f->folder), 0);
  static const char *const urls[] = {"sqlite:file:x?mode=memory", "sqlite:a b'\"%.db"};
  for (size_t i = 0; i < 2; i++) {
    if (!db_open(urls[i], DB_CREATE, NULL, &f->db, message, sizeof message))
      fail_msg("%s", message);
    db_close(f->db);
    f->db = NULL;
    assert_int_equal(access(urls[i] + 7, R_OK), 0);
  }
  assert_int_equal(count_files("."), 2);
  assert_int_equal(chdir(before), 0);
}

/* ---- new files ---- */

static void test_new_file_is_whole(void **state) {
  fixture *f = *state;
  open_db(f);
  bytes all = read_all(f->file);
  assert_true(all.len >= 4096);
  assert_memory_equal(all.data, "SQLite format 3", 16);
  assert_int_equal(all.data[18], 2); /* WAL */
  assert_memory_equal(all.data + 68, "Vow ", 4);
  assert_int_equal(all.data[63], DB_SCHEMA_VERSION);
  free(all.data);
  give(f, notes_create, "[{'id':'a','title':'x'}]");
  db_close(f->db);
  f->db = NULL;
  assert_int_equal(count_files(f->folder), 1);
  open_db(f);
  give(f, notes_get, "['a']");
}

static void test_no_file_without_the_flag(void **state) {
  fixture *f = *state;
  char message[512], expected[200];
  assert_false(db_open(f->url, 0, NULL, &f->db, message, sizeof message));
  snprintf(expected, sizeof expected, "%s: there is no such database", f->file);
  assert_string_equal(message, expected);
  assert_int_equal(count_files(f->folder), 0);
}

static void test_empty_file_becomes_a_database(void **state) {
  fixture *f = *state;
  write_all(f->file, "", 0);
  assert_refused(f, 0, "is empty, not a database");
  make_ours(f);
  bytes all = read_all(f->file);
  assert_int_equal(all.data[18], 2);
  free(all.data);
}

static void test_missing_folder(void **state) {
  fixture *f = *state;
  char url[160], message[512], expected[200];
  snprintf(url, sizeof url, "sqlite:%s/no/x.db", f->folder);
  assert_false(db_open(url, DB_CREATE, NULL, &f->db, message, sizeof message));
  snprintf(expected, sizeof expected, "%s/no/x.db: cannot be created: No such file or directory",
           f->folder);
  assert_string_equal(message, expected);
}

static void test_log_without_its_file(void **state) {
  fixture *f = *state;
  char log[120], message[512], expected[300];
  snprintf(log, sizeof log, "%s-wal", f->file);
  write_all(log, "some log", 8);
  assert_false(db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message));
  snprintf(expected, sizeof expected,
           "%s: is missing, but the log of an earlier one is left beside it; restore the file or "
           "remove the log",
           f->file);
  assert_string_equal(message, expected);
  assert_int_equal(count_files(f->folder), 1);
}

/* ---- files that are not ours ---- */

static void test_not_a_database(void **state) {
  fixture *f = *state;
  static const char text[] = "Dear diary, this is text and no database, but it is long enough to "
                             "be looked at as the header of one.";
  write_all(f->file, text, sizeof text);
  assert_refused(f, DB_CREATE, "is not an SQLite database");
  write_all(f->file, "short", 5);
  assert_refused(f, DB_CREATE, "is not an SQLite database");
  write_all(f->file, "SQLite format 3", 16);
  assert_refused(f, DB_CREATE, "is not an SQLite database");
}

static void test_other_programs_database(void **state) {
  fixture *f = *state;
  run_sql(f->file, "CREATE TABLE notes(x)");
  assert_refused(f, DB_CREATE, "is a database of another program");
  run_sql(f->file, "PRAGMA application_id=252006675");
  assert_refused(f, DB_CREATE, "is a database of another program");
  run_sql(f->file, "PRAGMA journal_mode=WAL");
  assert_refused(f, DB_CREATE, "is a database of another program");
}

static void test_newer_version(void **state) {
  fixture *f = *state;
  make_ours(f);
  run_sql(f->file, "PRAGMA user_version=3");
  assert_refused(f, DB_CREATE, "was written by a newer Vow (schema 3, this one knows 2)");
}

static void test_damaged(void **state) {
  fixture *f = *state;
  make_ours(f);
  bytes good = read_all(f->file);
  write_all(f->file, good.data, good.len - 4096);
  char reason[100];
  snprintf(reason, sizeof reason, "the database is damaged: %zu bytes of %zu are there",
           good.len - 4096, good.len);
  assert_refused(f, 0, reason);
  write_all(f->file, good.data, good.len);
  overwrite(f->file, 100, 0xff, 3996);
  assert_refused(f, 0, "the database is damaged (SQLITE_CORRUPT)");
  write_all(f->file, good.data, good.len);
  overwrite(f->file, 100, 0, 3996);
  assert_refused(f, 0, "the database is damaged (SQLITE_CORRUPT)");
  write_all(f->file, good.data, good.len);
  overwrite(f->file, 16, 3, 1); /* page size */
  assert_refused(f, 0, "is not an SQLite database");
  free(good.data);
}

static void test_schema_of_others(void **state) {
  fixture *f = *state;
  make_ours(f);
  bytes good = read_all(f->file);
  static const struct {
    const char *sql, *reason;
  } cases[] = {
      {"CREATE TRIGGER evil AFTER INSERT ON notes BEGIN SELECT 1; END",
       "'evil' in the database is not as Vow made it"},
      {"CREATE VIEW evil AS SELECT * FROM notes", "'evil' in the database is not as Vow made it"},
      {"DROP TABLE notes_text", "'notes_text' in the database is not as Vow made it"},
      {"DROP TRIGGER notes_updated", "'notes_updated' in the database is not as Vow made it"},
      {"ALTER TABLE notes ADD COLUMN more TEXT", "'notes' in the database is not as Vow made it"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_all(f->file, good.data, good.len);
    run_sql(f->file, cases[i].sql);
    assert_refused(f, 0, cases[i].reason);
  }
  write_all(f->file, good.data, good.len);
  run_sql(f->file, "CREATE TABLE mine(x); CREATE INDEX mine_x ON mine(x); ANALYZE");
  open_db(f);
  give(f, notes_get, "['a']");
  free(good.data);
}

static void test_damage_inside(void **state) {
  fixture *f = *state;
  make_ours(f);
  bytes good = read_all(f->file);
  overwrite(f->file, 4096, 0xff, good.len - 4096);
  bytes bad = read_all(f->file);
  open_db(f);
  static const char *const arguments[] = {"['a']", "['a']", "[{'title':'x'}]"};
  api_handler *const handlers[] = {notes_get, notes_delete, notes_create};
  for (int i = 0; i < 3; i++) {
    refuse(f, handlers[i], arguments[i], "ApiError", "the database file is damaged");
    assert_string_equal(f->error.code, "SQLITE_CORRUPT");
  }
  db_close(f->db);
  f->db = NULL;
  bytes after = read_all(f->file);
  assert_int_equal(after.len, bad.len);
  assert_memory_equal(after.data, bad.data, bad.len);
  assert_int_equal(count_files(f->folder), 1);
  free(good.data);
  free(bad.data);
  free(after.data);
}

/* ---- permissions: in a child without root's rights ---- */

typedef void child_work(fixture *f);

static void in_child(fixture *f, child_work *work) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
      _exit(99);
    work(f);
    _exit(98); /* `work` ends with its own status */
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect_in_child(fixture *f, const char *reason) {
  char message[512] = "", expected[512];
  snprintf(expected, sizeof expected, "%s: %s", f->file, reason);
  bool opened = db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message);
  if (!opened && strcmp(message, expected) == 0)
    _exit(0);
  fprintf(stderr, "got: %s\nnot: %s\n", message, expected);
  _exit(1);
}

static void read_only_file(fixture *f) {
  expect_in_child(f, "cannot be written: Permission denied");
}

static void unreadable_file(fixture *f) {
  expect_in_child(f, "cannot be read: Permission denied");
}

static void read_only_folder(fixture *f) {
  expect_in_child(
      f, "its folder cannot be written (SQLite keeps a log beside the file): Permission denied");
}

static void new_in_read_only_folder(fixture *f) {
  expect_in_child(f, "cannot be created: Permission denied");
}

static void test_permissions(void **state) {
  fixture *f = *state;
  assert_int_equal(chmod(f->folder, 0555), 0);
  in_child(f, new_in_read_only_folder);
  assert_int_equal(chmod(f->folder, 0755), 0);
  make_ours(f);
  bytes before = read_all(f->file);
  assert_int_equal(chmod(f->file, 0444), 0);
  in_child(f, read_only_file);
  assert_int_equal(chmod(f->file, 0222), 0);
  in_child(f, unreadable_file);
  assert_int_equal(chmod(f->file, 0666), 0);
  assert_int_equal(chmod(f->folder, 0555), 0);
  in_child(f, read_only_folder);
  assert_int_equal(chmod(f->folder, 0755), 0);
  bytes after = read_all(f->file);
  assert_memory_equal(after.data, before.data, before.len);
  assert_int_equal(count_files(f->folder), 1);
  free(before.data);
  free(after.data);
}

/* ---- a full disk and a crash ---- */

/* The limit on a file's size stands for a full disk: write(2) fails. */
static void write_until_full(fixture *f) {
  signal(SIGXFSZ, SIG_IGN);
  open_db(f);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, 200000});
  int made = 0;
  char arguments[4200];
  for (;; made++) {
    snprintf(arguments, sizeof arguments, "[{'id':'n%05d','title':'x','body':'%04000d'}]", made, 7);
    if (!call_text(f, notes_create, arguments))
      break;
  }
  bool named =
      strcmp(f->error.name, "ApiError") == 0 &&
      (strcmp(f->error.code, "SQLITE_FULL") == 0 || strcmp(f->error.code, "SQLITE_IOERR") == 0);
  snprintf(arguments, sizeof arguments, "['n%05d']", made - 1);
  bool kept = call_text(f, notes_get, arguments);
  snprintf(arguments, sizeof arguments, "['n%05d']", made);
  bool undone = !call_text(f, notes_get, arguments) && strcmp(f->error.code, "NOT_FOUND") == 0;
  _exit(made > 3 && named && kept && undone ? 0 : 1); /* without closing: a crash, too */
}

static void test_full_disk_and_crash(void **state) {
  fixture *f = *state;
  assert_int_equal(chmod(f->folder, 0777), 0);
  in_child(f, write_until_full);
  if (geteuid() == 0)
    assert_int_equal(chmod(f->file, 0666), 0);
  open_db(f);
  give(f, notes_get, "['n00003']");
  db_close(f->db);
  f->db = NULL;
  assert_int_equal(count_files(f->folder), 1);
  run_sql(f->file, "INSERT INTO notes_text(notes_text, rank) VALUES('integrity-check', 1)");
}

static void create_when_full(fixture *f) {
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192});
  char message[512] = "";
  bool opened = db_open(f->url, DB_CREATE, NULL, &f->db, message, sizeof message);
  _exit(!opened && strstr(message, ": cannot be created: ") ? 0 : 1);
}

static void test_full_disk_leaves_no_new_file(void **state) {
  fixture *f = *state;
  assert_int_equal(chmod(f->folder, 0777), 0);
  in_child(f, create_when_full);
  assert_int_equal(count_files(f->folder), 0);
}

static void write_newer_and_crash(fixture *f) {
  sqlite3 *other = NULL;
  int code = sqlite3_open(f->file, &other);
  if (code == SQLITE_OK)
    code = sqlite3_exec(other, "PRAGMA journal_mode=WAL; PRAGMA user_version=9", NULL, NULL, NULL);
  _exit(code == SQLITE_OK ? 0 : 1);
}

static void test_log_of_a_crash_stays_when_refused(void **state) {
  fixture *f = *state;
  make_ours(f);
  assert_int_equal(chmod(f->folder, 0777), 0);
  assert_int_equal(chmod(f->file, 0666), 0);
  in_child(f, write_newer_and_crash);
  char log[120];
  snprintf(log, sizeof log, "%s-wal", f->file);
  bytes before = read_all(log);
  assert_true(before.len > 0);
  assert_refused(f, DB_CREATE, "was written by a newer Vow (schema 9, this one knows 2)");
  bytes after = read_all(log);
  assert_int_equal(after.len, before.len);
  assert_memory_equal(after.data, before.data, before.len);
  free(before.data);
  free(after.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_urls),
      WITH_FOLDER(test_special_names_are_files),
      WITH_FOLDER(test_new_file_is_whole),
      WITH_FOLDER(test_no_file_without_the_flag),
      WITH_FOLDER(test_empty_file_becomes_a_database),
      WITH_FOLDER(test_missing_folder),
      WITH_FOLDER(test_log_without_its_file),
      WITH_FOLDER(test_not_a_database),
      WITH_FOLDER(test_other_programs_database),
      WITH_FOLDER(test_newer_version),
      WITH_FOLDER(test_damaged),
      WITH_FOLDER(test_schema_of_others),
      WITH_FOLDER(test_damage_inside),
      WITH_FOLDER(test_permissions),
      WITH_FOLDER(test_full_disk_and_crash),
      WITH_FOLDER(test_full_disk_leaves_no_new_file),
      WITH_FOLDER(test_log_of_a_crash_stays_when_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
