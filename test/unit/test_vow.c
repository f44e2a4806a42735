/* The public interface on one thread: arguments, answers, cancelling in every
 * state, lifetimes. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "unit/vow_fixture.h"

/* ---- runs ---- */

static void gives_the_value_and_the_report(void **state) {
  fixture f;
  subject s;
  const char *json;
  fixture_open(&f, state);
  subject_init(&s, &f, "console.log('hi'); const n = await test.echo(context.n); n + 1");
  s.request.context = "{\"n\": 41}";
  assert_int_equal(subject_try(&s), VOW_OK);
  assert_null(vow_run_report(s.run));
  assert_int_equal(vow_run_report_json(s.run, &json), VOW_E_STATE);
  assert_int_equal(s.done, 0);
  ends_with_value(&s, "42");
  assert_string_equal(s.log, "1:hi");
  assert_int_equal(s.events[VOW_EVENT_CREATED], 1);
  assert_int_equal(s.events[VOW_EVENT_SETTLED], 1);
  assert_string_equal(vow_run_report(s.run)->value, "42");
  assert_int_equal(vow_run_report(s.run)->fulfilled, 1);
  assert_int_equal(vow_run_report_json(s.run, &json), VOW_OK);
  assert_non_null(strstr(json, "\"outcome\":\"value\",\"value\":42"));
  assert_int_equal(vow_run_cancel(s.run), VOW_OK); /* too late to change anything */
  assert_int_equal(vow_run_set_wall(s.run, 5), VOW_E_STATE);
  subject_close(&s);
  vow_counts counts = counts_of(&f);
  assert_int_equal(counts.runs_value, 1);
  assert_int_equal(counts.fulfilled, 1);
  fixture_close(&f);
}

static void disposes_itself(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, "await test.echo([1])");
  assert_int_equal(vow_eval(f.rt, &s.request, note_done, &s, NULL), VOW_OK);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  ends_with_value(&s, "[1]");
  /* Nobody needs to hear of it either. */
  s.request.on_log = NULL;
  s.request.on_event = NULL;
  assert_int_equal(vow_eval(f.rt, &s.request, NULL, NULL, NULL), VOW_OK);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(counts_of(&f).runs_value, 2);
  fixture_close(&f);
}

static void calls_go_on_at_the_same_time(void **state) {
  fixture f;
  subject s;
  vow_pending pending[4];
  fixture_open(&f, state);
  subject_open(&s, &f, "Promise.all([1, 2, 3].map((n) => test.hold(n)))");
  until_held(&f, 3);
  assert_int_equal(vow_run_pending(s.run, pending, 4), 3);
  assert_string_equal(pending[2].name, "test.hold");
  assert_int_equal(pending[2].number, 3);
  assert_int_equal(vow_run_pending(s.run, pending, 0), 3);
  for (int i = 3; i > 0; i--) {
    char json[16];
    const char *args;
    vow_op *op = f.held[--f.held_count];
    assert_int_equal(vow_op_args_json(op, &args), VOW_OK);
    snprintf(json, sizeof json, "[%d]", i);
    assert_string_equal(args, json);
    assert_int_equal(vow_op_number(op), i);
    assert_string_equal(vow_op_name(op), "test.hold");
    assert_ptr_equal(vow_op_run(op), s.run);
    assert_true(vow_op_remaining_ms(op) > 5000 && vow_op_remaining_ms(op) <= 10000);
    assert_int_equal(vow_op_fulfil_json(op, json), VOW_OK);
    vow_op_release(op);
  }
  ends_with_value(&s, "[[1],[2],[3]]");
  subject_close(&s);
  fixture_close(&f);
}

static void a_long_list_of_pending_is_whole(void **state) {
  enum { CALLS = 100 };
  static vow_pending pending[CALLS + 1];
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, "await Promise.all(Array.from({length: 100}, (_, i) => test.hold(i)))");
  s.request.concurrent_max = CALLS;
  assert_int_equal(subject_try(&s), VOW_OK);
  until_held(&f, CALLS);
  memset(pending, 0, sizeof pending);
  assert_int_equal(vow_run_pending(s.run, pending, CALLS + 1), CALLS);
  for (size_t i = 0; i < CALLS; i++)
    assert_int_equal(pending[i].number, i + 1);
  assert_int_equal(pending[CALLS].number, 0);
  f.fail_at = atomic_load(&f.calls) + 1;
  assert_int_equal(vow_run_pending(s.run, pending, 1), 0);
  f.fail_at = 0;
  subject_close(&s);
  release_all_held(&f);
  fixture_close(&f);
}

static void only_what_is_allowed_is_there(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, "[typeof test, typeof globalThis.test?.echo, typeof test?.hold]");
  s.request.allow = " test.echo , test.echo";
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "[\"object\",\"function\",\"undefined\"]");
  subject_close(&s);
  subject_init(&s, &f, "typeof test");
  s.request.allow = NULL;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "\"undefined\"");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- arguments ---- */

static void bad_arguments_are_told(void **state) {
  fixture f;
  subject s;
  vow_runtime *rt;
  char message[128] = "";
  fixture_open(&f, state);
  const struct {
    vow_request request;
    vow_status status;
    const char *message;
  } all[] = {
      {{.source = "1"}, VOW_E_INVALID, "size"},
      {{.size = sizeof(vow_request)}, VOW_E_INVALID, "source"},
      {{.size = sizeof(vow_request), .source = "1", .cpu_ms = 86400001}, VOW_E_INVALID, "cpu_ms"},
      {{.size = sizeof(vow_request), .source = "1", .memory_bytes = 1}, VOW_E_INVALID, "memory"},
      {{.size = sizeof(vow_request), .source = "1", .allow = "nothing"}, VOW_E_UNKNOWN, "nothing"},
      {{.size = sizeof(vow_request), .source = "1", .allow = "test.*,,"}, VOW_E_UNKNOWN, "''"},
      {{.size = sizeof(vow_request), .source = "1", .context = "{"}, VOW_E_JSON, "byte 1"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    assert_int_equal(vow_eval(f.rt, &all[i].request, NULL, NULL, &s.run), all[i].status);
    assert_non_null(strstr(vow_runtime_message(f.rt), all[i].message));
    assert_null(s.run);
  }
  assert_int_equal(vow_eval(f.rt, NULL, NULL, NULL, NULL), VOW_E_INVALID);
  /* Of a newer version: refused where it says something unknown, else served. */
  struct {
    vow_request request;
    uint64_t more;
  } newer = {.request = {.size = sizeof newer, .source = "1"}, .more = 1};
  assert_int_equal(vow_eval(f.rt, &newer.request, NULL, NULL, NULL), VOW_E_INVALID);
  newer.more = 0;
  assert_int_equal(vow_eval(f.rt, &newer.request, NULL, NULL, NULL), VOW_OK);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);

  vow_runtime_options options = {.size = sizeof options,
                                 .guest_dir = "/nowhere",
                                 .workers_max = 65,
                                 .message = message,
                                 .message_size = sizeof message};
  assert_int_equal(vow_runtime_open(&options, &rt), VOW_E_INVALID);
  assert_null(rt);
  assert_non_null(strstr(message, "workers_max"));
  options.workers_max = 0;
  options.builtins = "nothing.*";
  options.engine = VOW_ENGINE_NATIVE;
  assert_int_equal(vow_runtime_open(&options, &rt), VOW_E_UNKNOWN);
  assert_non_null(strstr(message, "builtins: 'nothing.*'"));
  options.size = 1;
  assert_int_equal(vow_runtime_open(&options, &rt), VOW_E_INVALID);
  fixture_close(&f);
}

static void names_of_operations_are_checked(void **state) {
  fixture f;
  fixture_open(&f, state);
  static const char *const bad[] = {
      "",         ".",     "a.",
      ".a",       "a.b.c", "1a",
      "a-b",      "a b",   "a.1",
      "\xc3\xa4", "a..b",  "a123456789a123456789a123456789a123456789a123456789a123456789abcd"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(vow_register(f.rt, bad[i], on_echo, NULL, &f), VOW_E_INVALID);
  assert_int_equal(vow_register(f.rt, NULL, on_echo, NULL, &f), VOW_E_INVALID);
  assert_int_equal(vow_register(f.rt, "a", NULL, NULL, &f), VOW_E_INVALID);
  static const char *const meant[] = {"await", "eval", "context", "NaN", "this.x"};
  for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
    assert_int_equal(vow_register(f.rt, meant[i], on_echo, NULL, &f), VOW_E_INVALID);
  static const char *const taken[] = {"test.echo", "test"}; /* a function or an object */
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    assert_int_equal(vow_register(f.rt, taken[i], on_echo, NULL, &f), VOW_E_EXISTS);
  assert_int_equal(vow_register(f.rt, "alone", on_echo, NULL, &f), VOW_OK);
  assert_int_equal(vow_register(f.rt, "alone.x", on_echo, NULL, &f), VOW_E_EXISTS);
  vow_policy policy = {0};
  assert_int_equal(vow_register(f.rt, "a", on_echo, &policy, &f), VOW_E_INVALID);
  policy.size = sizeof policy;
  policy.arguments = 65;
  assert_int_equal(vow_register(f.rt, "a", on_echo, &policy, &f), VOW_E_INVALID);
  policy.arguments = VOW_NO_ARGUMENTS;
  assert_int_equal(vow_register(f.rt, "$a_1", on_echo, &policy, &f), VOW_OK);
  subject s;
  subject_init(&s, &f, "[$a_1.length, await $a_1()]");
  s.request.allow = "$*";
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "[0,null]");
  subject_close(&s);
  fixture_close(&f);
}

typedef struct elsewhere {
  fixture *f;
  vow_run *run;
} elsewhere;

static void *use_from_elsewhere(void *user) {
  elsewhere *e = user;
  vow_counts counts = {.size = sizeof counts};
  vow_run *run;
  vow_script *script;
  assert_int_equal(vow_eval(e->f->rt, NULL, NULL, NULL, &run), VOW_E_THREAD);
  assert_int_equal(vow_script_open(e->f->rt, NULL, &script), VOW_E_THREAD);
  assert_int_equal(vow_register(e->f->rt, "a", on_echo, NULL, NULL), VOW_E_THREAD);
  assert_int_equal(vow_runtime_counts(e->f->rt, &counts), VOW_E_THREAD);
  assert_int_equal(vow_loop_run(e->f->rt, VOW_LOOP_DONE), VOW_E_THREAD);
  assert_int_equal(vow_loop_turn(e->f->rt), VOW_E_THREAD);
  assert_int_equal(vow_loop_fd(e->f->rt), -1);
  assert_int_equal(vow_runtime_close(e->f->rt), VOW_E_THREAD);
  assert_int_equal(vow_run_cancel(e->run), VOW_E_THREAD);
  assert_int_equal(vow_run_set_wall(e->run, 1), VOW_E_THREAD);
  assert_int_equal(vow_run_dispose(e->run), VOW_E_THREAD);
  assert_null(vow_run_report(e->run));
  assert_int_equal(vow_run_pending(e->run, NULL, 0), 0);
  assert_true(vow_run_alive(e->run));
  return NULL;
}

static void another_thread_is_refused(void **state) {
  fixture f;
  subject s;
  pthread_t thread;
  fixture_open(&f, state);
  subject_open(&s, &f, "1");
  elsewhere e = {&f, s.run};
  assert_int_equal(pthread_create(&thread, NULL, use_from_elsewhere, &e), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  ends_with_value(&s, "1");
  subject_close(&s);
  fixture_close(&f);
}

static void statuses_have_names(void **state) {
  (void)state;
  assert_string_equal(vow_status_name(VOW_OK), "OK");
  assert_string_equal(vow_status_name(VOW_E_NOMEM), "E_NOMEM");
  assert_string_equal(vow_status_message(VOW_E_NOMEM), "memory is short");
  assert_string_equal(vow_status_name((vow_status)99), "UNKNOWN");
  assert_string_equal(vow_version(), VOW_VERSION);
  char numbers[32];
  snprintf(numbers, sizeof numbers, "%d.%d.%d", VOW_VERSION_MAJOR, VOW_VERSION_MINOR,
           VOW_VERSION_PATCH);
  assert_string_equal(numbers, VOW_VERSION);
}

static void the_wall_can_be_moved(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  assert_int_equal(vow_run_set_wall(s.run, 0), VOW_E_INVALID);
  assert_int_equal(vow_run_set_wall(s.run, 1), VOW_OK);
  ends_with_kind(&s, "timeout");
  assert_int_equal(vow_run_report(s.run)->pending_count, 1);
  assert_string_equal(vow_run_report(s.run)->pending[0].name, "test.hold");
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

/* ---- many ---- */

static void ten_thousand_runs_leave_nothing(void **state) {
  fixture f;
  fixture_open(&f, state);
  unsigned runs = *(const vow_engine *)*state == VOW_ENGINE_WASM ? 10000 : 1000;
  size_t after_first = 0;
  for (unsigned i = 0; i < runs; i++) {
    subject s;
    subject_init(&s, &f, "(await Promise.all([1, 2].map((n) => test.echo(n)))).length");
    s.request.allow = i % 2 ? "test.echo" : "test.*";
    assert_int_equal(subject_try(&s), VOW_OK);
    ends_with_value(&s, "2");
    subject_close(&s);
    if (i == 9)
      after_first = atomic_load(&f.blocks);
  }
  assert_true(atomic_load(&f.blocks) <= after_first);
  assert_int_equal(f.echoes, 2 * runs);
  fixture_close(&f);
}

static void a_script_is_loaded_once(void **state) {
  fixture f;
  subject s;
  vow_script *script, *broken;
  fixture_open(&f, state);
  subject_init(&s, &f, "globalThis.n = (globalThis.n ?? 0) + (await test.echo(context.add)); n");
  assert_int_equal(vow_script_open(f.rt, &s.request, &script), VOW_OK);
  s.request.script = script;
  assert_int_equal(subject_try(&s), VOW_E_INVALID); /* said twice */
  for (int i = 0; i < 3; i++) {
    char context[32], value[16];
    subject_init(&s, &f, NULL);
    snprintf(context, sizeof context, "{\"add\": %d}", i);
    snprintf(value, sizeof value, "%d", i);
    s.request.allow = NULL;
    s.request.script = script;
    s.request.context = context;
    assert_int_equal(subject_try(&s), VOW_OK);
    if (i == 2)
      assert_int_equal(vow_script_close(script), VOW_OK); /* the run goes on */
    ends_with_value(&s, value);
    subject_close(&s);
  }
  subject_init(&s, &f, "(");
  assert_int_equal(vow_script_open(f.rt, &s.request, &broken), VOW_OK);
  s.request = (vow_request){.size = sizeof s.request, .script = broken};
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_kind(&s, "script");
  subject_close(&s);
  assert_int_equal(fixture_leave(&f, 1), VOW_OK); /* closes the other script as well */
  assert_int_equal(atomic_load(&f.blocks), 0);
}

/* ---- loops ---- */

static void another_loop_can_drive_it(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_ONCE), VOW_OK); /* nothing to wait for */
  assert_int_equal(vow_loop_run(f.rt, (vow_loop_mode)7), VOW_E_INVALID);
  assert_int_equal(fcntl(vow_loop_fd(f.rt), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  subject_open(&s, &f, "await sleep(20); await test.block(1); await sleep(1); 'slept'");
  unsigned rounds = 0;
  while (!s.done) {
    struct pollfd fd = {.fd = vow_loop_fd(f.rt), .events = POLLIN};
    assert_true(poll(&fd, 1, vow_loop_timeout(f.rt)) >= 0);
    assert_int_equal(vow_loop_turn(f.rt), VOW_OK);
    rounds++;
  }
  ends_with_value(&s, "\"slept\"");
  assert_true(rounds < 500); /* it waited */
  subject_close(&s);
  fixture_close(&f);
}

/* ---- built-in operations ---- */

static void builtins_work(void **state) {
  char folder[] = "/tmp/vow-library-XXXXXX", url[64], path[64];
  fixture f = {0};
  subject s;
  assert_non_null(mkdtemp(folder));
  snprintf(url, sizeof url, "sqlite:%s/notes.db", folder);
  vow_runtime_options options = {
      .engine = *(const vow_engine *)*state, .builtins = "notes.get,notes.create", .database = url};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  assert_int_equal(vow_register(f.rt, "notes.get", on_echo, NULL, &f), VOW_E_EXISTS);
  subject_init(&s, &f,
               "await notes.create({id: 'a', title: await test.echo('A'), body: '', tags: []});"
               "[(await notes.get('a')).title, typeof notes.list]");
  s.request.allow = "notes.*,test.echo";
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "[\"A\",\"undefined\"]");
  subject_close(&s);
  subject_init(&s, &f,
               "for (let i = 0; i < 40; i++) notes.create({title: 'x'});"
               "notes.get('a'); test.hold(1); await notes.get('a')");
  s.request.allow = "notes.*,test.hold";
  assert_int_equal(subject_try(&s), VOW_OK);
  until_held(&f, 1);
  assert_int_equal(fixture_leave(&f, 2), VOW_OK); /* with all of them at work */
  assert_string_equal(s.kind, "cancelled");
  release_all_held(&f);
  assert_int_equal(atomic_load(&f.blocks), 0);
  static const char *const files[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(path, sizeof path, "%s/notes.db%s", folder, files[i]);
    unlink(path);
  }
  assert_int_equal(rmdir(folder), 0);
}

static void blocking_handlers_are_on_workers(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f,
               "const all = []; for (let i = 0; i < 50; i++) all.push(test.block(i));"
               "(await Promise.all(all)).reduce((a, b) => a + b)");
  ends_with_value(&s, "1225");
  subject_close(&s);
  subject_open(&s, &f, "for (let i = 0; i < 50; i++) test.block(i); await test.hold(1)");
  until_held(&f, 1);
  assert_int_equal(fixture_leave(&f, 2), VOW_OK); /* queued ones, and some that run */
  release_all_held(&f);
  assert_int_equal(atomic_load(&f.blocks), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(gives_the_value_and_the_report),   ON_BOTH(disposes_itself),
      ON_BOTH(calls_go_on_at_the_same_time),     ON_BOTH(a_long_list_of_pending_is_whole),
      ON_BOTH(only_what_is_allowed_is_there),    ON_BOTH(bad_arguments_are_told),
      ON_BOTH(names_of_operations_are_checked),  ON_BOTH(another_thread_is_refused),
      cmocka_unit_test(statuses_have_names),     ON_BOTH(the_wall_can_be_moved),
      ON_BOTH(ten_thousand_runs_leave_nothing),  ON_BOTH(a_script_is_loaded_once),
      ON_BOTH(another_loop_can_drive_it),        ON_BOTH(builtins_work),
      ON_BOTH(blocking_handlers_are_on_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
