#include "notes_fixture.h"

#include "api/db_int.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum { WRITERS = 6, NOTES_EACH = 60 };

typedef struct writer {
  fixture f;
  int number;
} writer;

static void *write_notes(void *user) {
  writer *w = user;
  char arguments[80];
  for (int i = 0; i < NOTES_EACH; i++) {
    snprintf(arguments, sizeof arguments, "[{'id':'%d-%d','title':'word%d'}]", w->number, i, i);
    give(&w->f, notes_create, arguments);
    snprintf(arguments, sizeof arguments, "['%d-%d',{'body':'changed'}]", w->number, i);
    give(&w->f, notes_update, arguments);
    give(&w->f, notes_search, "['changed',{'limit':3}]");
  }
  free(w->f.json);
  return NULL;
}

static void *open_and_write(void *user) {
  fixture f = *(const fixture *)user;
  open_db(&f);
  give(&f, notes_create, "[{'title':'x'}]");
  free(f.json);
  db_close(f.db);
  return NULL;
}

static void test_many_make_the_file_at_once(void **state) {
  fixture *f = *state;
  pthread_t threads[8];
  for (int i = 0; i < 8; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, open_and_write, f), 0);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(count_files(f->folder), 1);
  open_db(f);
  give(f, notes_list, "[]");
  int notes = 0;
  for (const char *at = f->json; (at = strstr(at, "\"id\"")); at++)
    notes++;
  assert_int_equal(notes, 8);
}

/* Half of the threads share a pool, the others another one of the same file. */
static void test_writers_at_once(void **state) {
  fixture *f = *state;
  open_db(f);
  fixture second = *f;
  open_db(&second);
  pthread_t threads[WRITERS];
  writer writers[WRITERS];
  for (int i = 0; i < WRITERS; i++) {
    writers[i] = (writer){i % 2 ? *f : second, i};
    assert_int_equal(pthread_create(&threads[i], NULL, write_notes, &writers[i]), 0);
  }
  for (int i = 0; i < WRITERS; i++)
    pthread_join(threads[i], NULL);
  give(f, notes_search, "['changed',{'limit':1000}]");
  int notes = 0;
  for (const char *at = f->json; (at = strstr(at, "\"id\"")); at++)
    notes++;
  assert_int_equal(notes, WRITERS * NOTES_EACH);
  db_close(second.db);
  run_sql(f->file, "INSERT INTO notes_text(notes_text, rank) VALUES('integrity-check', 1)");
}

static void test_busy_is_bounded_and_transient(void **state) {
  fixture *f = *state;
  open_db(f);
  sqlite3 *other = NULL;
  assert_int_equal(sqlite3_open(f->file, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  uint64_t start = now_ms();
  assert_false(call_text(f, notes_create, "[{'title':'x'}]"));
  uint64_t took = now_ms() - start;
  assert_true(took >= DB_BUSY_MS && took < DB_BUSY_MS * 4);
  assert_string_equal(f->error.code, "SQLITE_BUSY");
  assert_string_equal(f->error.name, "ApiError");
  assert_true(f->error.transient);
  give(f, notes_list, "[]"); /* readers do not wait */
  assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(other), SQLITE_OK);
  give(f, notes_create, "[{'title':'x'}]");
}

typedef struct stopper {
  fixture *f;
  atomic_bool stop;
  atomic_bool begun; /* the work is under way */
  bool done;
  api_error error;
} stopper;

static const char endless[] =
    "WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c) SELECT max(seen(n)) FROM c";

/* seen(n): the statement runs. */
static void seen(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  atomic_bool *begun = sqlite3_user_data(context);
  atomic_store(begun, true);
  sqlite3_result_value(context, argv[0]);
}

static void *run_endless(void *user) {
  stopper *s = user;
  db_conn *conn = db_checkout(s->f->db, DB_READ, &s->stop, &s->error);
  if (conn)
    sqlite3_create_function(conn->sqlite, "seen", 1, SQLITE_UTF8, &s->begun, seen, NULL, NULL);
  sqlite3_stmt *statement = conn ? db_statement(conn, endless, &s->error) : NULL;
  s->done = statement && db_step(conn, statement, &s->error) != DB_FAILED;
  if (conn)
    db_checkin(s->f->db, conn);
  return NULL;
}

static void *run_create(void *user) {
  stopper *s = user;
  fixture f = *s->f;
  f.stop = &s->stop;
  atomic_store(&s->begun, true);
  s->done = call_text(&f, notes_create, "[{'title':'x'}]");
  s->error = f.error;
  free(f.json);
  return NULL;
}

/* Starts `work` and stops it when it is under way. */
static void assert_stops(fixture *f, void *(*work)(void *)) {
  stopper s = {.f = f};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, work, &s), 0);
  while (!atomic_load(&s.begun))
    sched_yield();
  uint64_t start = now_ms();
  atomic_store(&s.stop, true);
  pthread_join(thread, NULL);
  assert_true(now_ms() - start < DB_BUSY_MS / 2);
  assert_false(s.done);
  /* A lock that was waited for is still busy; all else was interrupted. */
  if (work != run_create || strcmp(s.error.code, "SQLITE_BUSY") != 0)
    assert_string_equal(s.error.code, "SQLITE_INTERRUPT");
}

static void test_stop_ends_everything(void **state) {
  fixture *f = *state;
  open_db(f);
  assert_stops(f, run_endless);
  /* another process's lock */
  sqlite3 *other = NULL;
  assert_int_equal(sqlite3_open(f->file, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  assert_stops(f, run_create);
  assert_int_equal(sqlite3_close(other), SQLITE_OK);
  /* the writer's turn in this process */
  db_conn *conn = db_checkout(f->db, DB_WRITE, NULL, &f->error);
  assert_non_null(conn);
  assert_stops(f, run_create);
  db_checkin(f->db, conn);
  give(f, notes_create, "[{'title':'x'}]");
}

static void test_pool_is_bounded(void **state) {
  fixture *f = *state;
  open_db(f);
  db_conn *conns[DB_CONNECTIONS_MAX];
  for (int i = 0; i < DB_CONNECTIONS_MAX; i++) {
    conns[i] = db_checkout(f->db, i ? DB_READ : DB_WRITE, NULL, &f->error);
    assert_non_null(conns[i]);
    for (int j = 0; j < i; j++)
      assert_ptr_not_equal(conns[i], conns[j]);
  }
  assert_stops(f, run_create);
  uint64_t start = now_ms();
  assert_null(db_checkout(f->db, DB_READ, NULL, &f->error));
  assert_true(now_ms() - start >= DB_BUSY_MS);
  assert_string_equal(f->error.code, "SQLITE_BUSY");
  assert_true(f->error.transient);
  for (int i = 0; i < DB_CONNECTIONS_MAX; i++)
    db_checkin(f->db, conns[i]);
  give(f, notes_list, "[]");
}

static void test_checkin_rolls_back(void **state) {
  fixture *f = *state;
  open_db(f);
  static const char insert[] = "INSERT INTO notes(vault,id,created,updated,title,tags,body) "
                               "VALUES('default','half',0,0,'','','')";
  db_conn *conn = db_checkout(f->db, DB_WRITE, NULL, &f->error);
  assert_non_null(conn);
  assert_true(db_begin(conn, &f->error));
  sqlite3_stmt *statement = db_statement(conn, insert, &f->error);
  assert_non_null(statement);
  assert_int_equal(db_step(conn, statement, &f->error), DB_DONE);
  db_checkin(f->db, conn);
  refuse(f, notes_get, "['half']", "NotFoundError",
         "notes.get: there is no note 'half' in vault 'default'");
}

static void test_statements_are_cached_and_bounded(void **state) {
  fixture *f = *state;
  open_db(f);
  static char texts[100][24];
  db_conn *conn = db_checkout(f->db, DB_READ, NULL, &f->error);
  assert_non_null(conn);
  static const char one[] = "SELECT 1";
  sqlite3_stmt *first = db_statement(conn, one, &f->error);
  assert_ptr_equal(db_statement(conn, one, &f->error), first);
  for (int i = 0; i < 100; i++) {
    snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
    sqlite3_stmt *statement = db_statement(conn, texts[i], &f->error);
    assert_non_null(statement);
    assert_int_equal(db_step(conn, statement, &f->error), DB_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), i);
    sqlite3_reset(statement);
  }
  assert_null(db_statement(conn, "NONSENSE", &f->error));
  assert_string_equal(f->error.code, "SQLITE_ERROR");
  db_checkin(f->db, conn);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_FOLDER(test_many_make_the_file_at_once),
      WITH_FOLDER(test_writers_at_once),
      WITH_FOLDER(test_busy_is_bounded_and_transient),
      WITH_FOLDER(test_stop_ends_everything),
      WITH_FOLDER(test_pool_is_bounded),
      WITH_FOLDER(test_checkin_rolls_back),
      WITH_FOLDER(test_statements_are_cached_and_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
