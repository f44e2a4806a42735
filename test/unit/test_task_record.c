/* Audit and metrics of pools of tasks: what their files say of calls and groups, and what
 * becomes of them when a disk is full or memory short. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/audit_lines_fixture.h"
#include "unit/task_group_fixture.h"

static const char *vow_command; /* the program, to verify files with */

typedef struct recorded {
  stage s;
  char path[32];
} recorded;

static void open_recorded(recorded *r, vow_task_pool_options options) {
  snprintf(r->path, sizeof r->path, "/tmp/vow-tasks-XXXXXX");
  int fd = mkstemp(r->path);
  assert_true(fd >= 0);
  close(fd);
  options.audit = r->path;
  options.metrics = true;
  stage_open_with(&r->s, options);
}

/* As `vow audit verify` sees it. */
static void verify(const char *path) {
  char command[256];
  snprintf(command, sizeof command, "'%s' audit verify %s >/dev/null", vow_command, path);
  int status = system(command);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The text of the file, once the pool is closed. */
static char *close_recorded(recorded *r) {
  assert_int_equal(vow_task_pool_close(r->s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_int_equal(r->s.memory.blocks, 0);
  char *text = audit_read_all(r->path);
  audit_check_all(text);
  verify(r->path);
  unlink(r->path);
  return text;
}

static void count(const char *text, const char *part, uint64_t wanted) {
  uint64_t counted = audit_count_lines(text, part);
  if (counted != wanted)
    fail_msg("%llu times %s in\n%s", (unsigned long long)counted, part, text);
}

/* The end of `group` is the last thing that happens in the pool, so its lines are told in
 * whole once that is closed. */
static void lines_of_calls(void **state) {
  (void)state;
  recorded r;
  act flaky = {.json = "1", .failures = 1}, bad = {.error = "BadError"}, slow = {.waits = true};
  vow_task *task;
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 1});
  vow_task_spec a = act_spec("flaky", &flaky), b = act_spec("bad", &bad),
                c = act_spec("slow", &slow);
  a.retry = (vow_task_retry){.attempts = 2};
  c.timeout_ms = BEGUN_MS;
  run_to(&r.s, &a, VOW_FULFILLED, &task);
  vow_task_release(task);
  run_to(&r.s, &b, VOW_REJECTED, &task);
  vow_task_release(task);
  run_to(&r.s, &c, VOW_TIMED_OUT, &task);
  vow_task_release(task);
  char *text = close_recorded(&r);
  count(text, "\"event\":\"opened\"", 1);
  count(text, "\"event\":\"ended\"", 1);
  count(text, "\"event\":\"created\"", 3);
  count(text, "\"event\":\"started\"", 4);
  count(text, "\"event\":\"started\",\"operation\":1,\"name\":\"flaky\",\"attempt\":2", 1);
  count(text,
        "\"event\":\"retried\",\"operation\":1,\"name\":\"flaky\",\"attempt\":1,"
        "\"error\":\"NetError\"",
        1);
  count(text, "\"event\":\"settled\",\"operation\":1,\"name\":\"flaky\",\"state\":\"fulfilled\"",
        1);
  count(text,
        "\"event\":\"settled\",\"operation\":2,\"name\":\"bad\",\"state\":\"rejected\","
        "\"error\":\"BadError\"",
        1);
  count(text,
        "\"event\":\"timed_out\",\"operation\":3,\"name\":\"slow\",\"state\":\"timed_out\","
        "\"error\":\"TimeoutError\"",
        1);
  count(text, "\"security\":true", 2);
  free(text);
}

static void lines_of_groups(void **state) {
  (void)state;
  recorded r;
  act good = {.json = "1"}, slow = {.waits = true};
  vow_task *task;
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 2});
  vow_task_spec a = act_spec("slow", &slow), b = act_spec("good", &good);
  vow_task_spec race = GROUP("first", VOW_TASK_RACE, &a, &b);
  vow_task_spec all = GROUP("all", VOW_TASK_PARALLEL, &race);
  run_to(&r.s, &all, VOW_FULFILLED, &task);
  vow_task_release(task);
  char *text = close_recorded(&r);
  count(text, "\"event\":\"created\",\"operation\":1,\"name\":\"all\",\"detail\":\"parallel\"", 1);
  count(text, "\"event\":\"created\",\"operation\":2,\"name\":\"first\",\"detail\":\"race\"", 1);
  count(text, "/1\",\"event\":\"created\",\"operation\":2,", 1);
  count(text, "/2\",\"event\":\"created\",\"operation\":3,\"name\":\"slow\"", 1);
  count(text, "/2\",\"event\":\"created\",\"operation\":4,\"name\":\"good\"", 1);
  count(text, "\"event\":\"cancelled\",\"operation\":3,", 1);
  count(text,
        "\"event\":\"settled\",\"operation\":2,\"name\":\"first\",\"detail\":\"race\","
        "\"state\":\"fulfilled\"",
        1);
  count(text, "\"security\":true", 0);
  free(text);
}

/* In a callback: what it starts is part of it. */
static void starts_another(vow_task_context *context, void *argument) {
  vow_task_spec spec = act_spec("inner", argument);
  vow_task_run(vow_task_pool_of(context), &spec, NULL);
}

static void nested_calls_name_what_they_are_part_of(void **state) {
  (void)state;
  recorded r;
  act a = {0};
  vow_task *task;
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 1});
  vow_task_spec spec = vow_task_call_spec("outer", starts_another, &a);
  run_to(&r.s, &spec, VOW_FULFILLED, &task);
  vow_task_release(task);
  char *text = close_recorded(&r);
  count(text, "/1\",\"event\":\"created\",\"operation\":2,\"name\":\"inner\"", 1);
  free(text);
}

static void threads_given_up_are_told(void **state) {
  (void)state;
  recorded r;
  probe p = {0};
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 5});
  vow_task_spec spec = probe_spec(stubborn, &p);
  spec.timeout_ms = BEGUN_MS;
  vow_task *task = start_spec(&r.s, &spec);
  while (counts_of(&r.s).retired == 0)
    uv_sleep(1);
  vow_task_release(task);
  atomic_store(&p.go, true);
  while (counts_of(&r.s).retired_live > 0)
    uv_sleep(1);
  char *text = close_recorded(&r);
  count(text, "\"event\":\"timed_out\"", 1);
  count(text, "\"event\":\"retired\",\"operation\":1,", 1);
  count(text, "\"event\":\"late\",\"operation\":1,\"name\":\"probe\",\"state\":\"fulfilled\"", 1);
  free(text);
}

/* A callback that returns after the pool is closed has no audit any more. */
static void late_behind_the_end(void **state) {
  (void)state;
  recorded r;
  probe p = {0};
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 1, .patience_ms = 5});
  vow_task *task = start(&r.s, stubborn, &p);
  await_count(&p.begun, 1);
  assert_int_equal(vow_task_pool_close(r.s.pool, VOW_TASK_IMMEDIATE, 0), VOW_E_TIME);
  vow_task_release(task);
  char *text = audit_read_all(r.path);
  audit_check_all(text);
  count(text, "\"event\":\"retired\"", 1);
  free(text);
  atomic_store(&p.go, true);
  stage_no_memory(&r.s);
  unlink(r.path);
}

/* Nothing is lost while as many events come as a pool can make. */
static void ten_thousand_tasks(void **state) {
  (void)state;
  enum { MANY = 10000 };
  recorded r;
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 2});
  for (int i = 0; i < MANY; i++) {
    vow_task_spec spec = vow_task_call_spec("many", nothing, NULL);
    assert_int_equal(vow_task_start(r.s.pool, &spec, NULL), VOW_OK);
  }
  char *text = close_recorded(&r);
  count(text, "\"event\":\"created\"", MANY);
  count(text, "\"event\":\"started\"", MANY);
  count(text, "\"event\":\"settled\"", MANY);
  free(text);
}

static void full_disk(void **state) {
  (void)state;
  recorded r;
  struct rlimit before, limit;
  signal(SIGXFSZ, SIG_IGN);
  open_recorded(&r, (vow_task_pool_options){.concurrent_max = 2});
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 5000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (int i = 0; i < 100; i++) {
    vow_task_spec spec = vow_task_call_spec("many", nothing, NULL);
    assert_int_equal(vow_task_start(r.s.pool, &spec, NULL), VOW_OK);
  }
  assert_int_equal(vow_task_pool_close(r.s.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_E_LOST);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(r.s.memory.blocks, 0);
  char *text = audit_read_all(r.path);
  assert_true(audit_check_all(text) > 5);
  verify(r.path);
  free(text);
  unlink(r.path);
}

static void pools_that_do_not_open(void **state) {
  (void)state;
  char message[256] = "";
  vow_task_pool *pool;
  vow_task_pool_options options = {
      .size = sizeof options, .audit = "", .message = message, .message_size = sizeof message};
  assert_int_equal(vow_task_pool_open(&options, &pool), VOW_E_INVALID);
  assert_string_equal(message, "audit: it names no file");
  options.audit = "/nowhere/audit";
  assert_int_equal(vow_task_pool_open(&options, &pool), VOW_E_OPEN);
  assert_string_equal(message,
                      "audit /nowhere/audit: cannot be written: No such file or directory");
  assert_null(pool);
}

/* Each allocation fails once: the pool does not open, or what it does is recorded or told as
 * lost. */
static void each_allocation_fails_once(void **state) {
  (void)state;
  char path[] = "/tmp/vow-tasks-XXXXXX";
  close(mkstemp(path));
  unsigned opened = 0;
  for (size_t n = 1; opened < 12; n++) {
    counting_alloc memory = {.fail_at = n};
    vow_allocator allocator = counting_allocator(&memory);
    const vow_task_pool_options options = {.size = sizeof options,
                                           .allocator = &allocator,
                                           .concurrent_max = 1,
                                           .audit = path,
                                           .metrics = true};
    vow_task_pool *pool;
    act a = {.json = "1"};
    vow_status status = vow_task_pool_open(&options, &pool);
    if (status != VOW_OK) {
      assert_int_equal(status, VOW_E_NOMEM);
      assert_int_equal(memory.blocks, 0);
      continue;
    }
    opened++;
    vow_task_spec spec = act_spec("a", &a);
    vow_task_run(pool, &spec, NULL);
    status = vow_task_pool_close(pool, VOW_TASK_GRACEFUL, CLOSE_MS);
    assert_true(status == VOW_OK || status == VOW_E_LOST);
    assert_int_equal(memory.blocks, 0);
    char *text = audit_read_all(path);
    audit_check_all(text);
    free(text);
  }
  unlink(path);
}

/* ---- metrics ---- */

static void has(const char *text, const char *line) {
  if (!strstr(text, line))
    fail_msg("%s is not in\n%s", line, text);
}

static void metrics_of_a_pool(void **state) {
  (void)state;
  stage s;
  act flaky = {.json = "1", .failures = 1}, slow = {.waits = true};
  char *text;
  vow_task *task;
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .metrics = true});
  vow_task_spec a = act_spec("flaky", &flaky), b = act_spec("slow", &slow);
  a.retry = (vow_task_retry){.attempts = 2};
  vow_task_spec race = GROUP("race", VOW_TASK_RACE, &a, &b);
  run_to(&s, &race, VOW_FULFILLED, &task);
  vow_task_release(task);
  task = start_spec(&s, &b);
  assert_int_equal(vow_task_pool_metrics(s.pool, &text), VOW_OK);
  has(text, "\nvow_tasks_total{name=\"flaky\",state=\"fulfilled\"} 1\n");
  has(text, "\nvow_tasks_total{name=\"slow\",state=\"cancelled\"} 1\n");
  has(text, "\nvow_tasks_total{name=\"race\",state=\"fulfilled\"} 1\n");
  has(text, "\nvow_tasks_created_total{name=\"slow\"} 2\n");
  has(text, "\nvow_task_retries_total{name=\"flaky\"} 1\n");
  has(text, "\nvow_task_duration_seconds_count{name=\"race\"} 1\n");
  has(text, "\nvow_tasks_live 1\n");
  has(text, "\nvow_metrics_lost_total 0\n");
  vow_task_free_text(s.pool, text);
  vow_task_cancel(task);
  vow_task_release(task);
  stage_close(&s);
}

static void metrics_that_nobody_asked_for(void **state) {
  (void)state;
  stage s;
  char *text;
  stage_open(&s, 1);
  assert_int_equal(vow_task_pool_metrics(s.pool, &text), VOW_E_STATE);
  assert_null(text);
  stage_close(&s);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_of_calls),
      cmocka_unit_test(lines_of_groups),
      cmocka_unit_test(nested_calls_name_what_they_are_part_of),
      cmocka_unit_test(threads_given_up_are_told),
      cmocka_unit_test(late_behind_the_end),
      cmocka_unit_test(ten_thousand_tasks),
      cmocka_unit_test(full_disk),
      cmocka_unit_test(pools_that_do_not_open),
      cmocka_unit_test(each_allocation_fails_once),
      cmocka_unit_test(metrics_of_a_pool),
      cmocka_unit_test(metrics_that_nobody_asked_for),
  };
  if (argc != 2) {
    fprintf(stderr, "usage: test_task_record VOW\n");
    return 2;
  }
  vow_command = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
