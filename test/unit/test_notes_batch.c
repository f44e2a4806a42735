/* notes.get in batches: how many statements the database sees, and that each call
 * keeps its own answer. */
#include "unit/notes_fixture.h"

#include <stdatomic.h>

#include "api/host.h"
#include "sandbox/run.h"

/* Statements that read notes by id, on every connection. */
static atomic_uint statements;

static int on_statement(unsigned type, void *user, void *statement, void *sql) {
  (void)type, (void)user, (void)statement;
  if (strstr(sql, "FROM notes WHERE vault = ?1 AND id"))
    atomic_fetch_add(&statements, 1);
  return 0;
}

static int watch(sqlite3 *sqlite, const char **message, const struct sqlite3_api_routines *api) {
  (void)message, (void)api;
  return sqlite3_trace_v2(sqlite, SQLITE_TRACE_STMT, on_statement, NULL);
}

typedef struct stage {
  fixture f;
  shard *shard;
  pool *pool;
  api_host *host;
  run_outcome outcome;
  char value[4096];
  op_counts operations;
} stage;

static void note_end(run *run, const run_report *report, void *user) {
  (void)run;
  stage *s = user;
  s->outcome = report->outcome;
  s->operations = report->operations;
  snprintf(s->value, sizeof s->value, "%s", report->value ? report->value : report->error.message);
}

static void stage_open(stage *s) {
  char message[256];
  bool allowed[16];
  open_folder(&s->f);
  open_db(&s->f);
  assert_true(api_allow("notes.*", allowed, message, sizeof message));
  s->shard = shard_open(&(shard_options){.engine = ENGINE_NATIVE}, message, sizeof message);
  s->pool = pool_open(&(pool_options){.threads_max = 2});
  assert_true(s->shard && s->pool);
  s->host = api_host_open(NULL, allowed, s->f.db, "default", s->pool);
  assert_true(s->host && api_host_bind(s->host, s->shard));
}

static void stage_close(stage *s) {
  api_host_unbind(s->host);
  shard_close(s->shard);
  pool_close(s->pool);
  api_host_close(s->host);
  close_fixture(&s->f);
}

static void ends_with(stage *s, const char *source, const char *value) {
  run_options options = {.name = "test.js",
                         .source = source,
                         .source_len = strlen(source),
                         .limits = run_limits_default,
                         .on_done = note_end,
                         .user = s};
  options.kinds = api_host_kinds(s->host, &options.kinds_count);
  atomic_store(&statements, 0);
  s->outcome = RUN_ERROR;
  run *run = run_open(s->shard, &options);
  assert_non_null(run);
  while (run_alive(run))
    shard_turn(s->shard);
  run_dispose(run);
  assert_string_equal(s->value, value);
  assert_int_equal(s->outcome, RUN_VALUE);
}

/* Each test has a stage of its own, with a hundred notes. */
static int set_up(void **state) {
  char text[64];
  stage *s = calloc(1, sizeof *s);
  assert_non_null(s);
  stage_open(s);
  for (int i = 0; i < 100; i++) {
    snprintf(text, sizeof text, "[{'id':'n%d','title':'title %d'}]", i, i);
    give(&s->f, notes_create, text);
  }
  *state = s;
  return 0;
}

static int tear_down(void **state) {
  stage_close(*state);
  free(*state);
  return 0;
}

static void a_hundred_in_one_turn(void **state) {
  stage *s = *state;
  ends_with(
      s,
      "const all = await Promise.all(Array.from({length: 100}, (_, i) => notes.get('n' + i)));"
      "all.every((note, i) => note.id === 'n' + i && note.title === 'title ' + i)",
      "true");
  assert_int_equal(atomic_load(&statements), 2);
  assert_int_equal(s->operations.fulfilled, 100);
  assert_in_range(s->operations.batched, 96, 100);
}

static void each_has_its_own_answer(void **state) {
  stage *s = *state;
  ends_with(
      s,
      "const say = (p) => p.then((n) => n.title, (e) => e.name + ' ' + e.operation.id);"
      "await Promise.all(['n1', 'none', 5, 'n1', '', 'n2'].map((id) => say(notes.get(id))))",
      "[\"title 1\",\"NotFoundError 2\",\"TypeError 3\",\"title 1\",\"RangeError 5\",\"title 2\"]");
  assert_int_equal(atomic_load(&statements), 1);
  assert_int_equal(s->operations.batched, 6);
  ends_with(s, "try { await Promise.all([notes.get(1), notes.get(2)]) } catch (e) { e.name }",
            "\"TypeError\"");
  assert_int_equal(atomic_load(&statements), 0);
}

/* A read that begins after an answered write sees it, whatever is in progress. */
static void reads_see_writes(void **state) {
  stage *s = *state;
  ends_with(s,
            "let stale = 0; for (let i = 0; i < 50; i++) {"
            "  const early = notes.get('n1');"
            "  await notes.update('n1', {title: 'v' + i});"
            "  const late = await Promise.all([notes.get('n1'), notes.get('n2')]);"
            "  if (late[0].title !== 'v' + i) stale++; await early; } stale",
            "0");
}

static void a_cancelled_one_leaves_the_others(void **state) {
  stage *s = *state;
  ends_with(s,
            "const stop = new AbortController();"
            "const all = [0, 1, 2].map((i) => notes.get('n' + i, {signal: i === 1 ? stop.signal : "
            "undefined}).then((n) => n.title, (e) => e.name));"
            "stop.abort(); await Promise.all(all)",
            "[\"title 0\",\"AbortError\",\"title 2\"]");
  assert_int_equal(s->operations.cancelled, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_hundred_in_one_turn, set_up, tear_down),
      cmocka_unit_test_setup_teardown(each_has_its_own_answer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(reads_see_writes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_cancelled_one_leaves_the_others, set_up, tear_down),
  };
  sqlite3_auto_extension((void (*)(void))watch);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
