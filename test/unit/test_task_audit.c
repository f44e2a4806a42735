/* The audit of a pool of tasks, by itself: what lines say, and that a full disk, a slow
 * reader or short memory lose events and nothing else. With pools: test_task_record.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "loop/loop.h"
#include "task/audit_lines.h"
#include "task/task_audit.h"
#include "task/task_metrics.h"
#include "task/task_value.h"
#include "unit/audit_lines_fixture.h"
#include "unit/counting_alloc.h"

typedef struct fixture {
  counting_alloc counting;
  vow_allocator allocator;
  char path[32];
  task_audit *audit;
  char message[256];
} fixture;

static void setup(fixture *f) {
  *f = (fixture){.path = "/tmp/vow-audit-XXXXXX"};
  f->allocator = counting_allocator(&f->counting);
  int fd = mkstemp(f->path);
  assert_true(fd >= 0);
  close(fd);
}

static void open_audit(fixture *f) {
  vow_status status =
      task_audit_open(&f->allocator, f->path, &f->audit, f->message, sizeof f->message);
  if (status != VOW_OK)
    fail_msg("%s", f->message);
}

static void teardown(fixture *f) {
  assert_int_equal(f->counting.blocks, 0);
  unlink(f->path);
}

static task_event event_of(task_event_kind kind, uint64_t number) {
  return (task_event){.kind = kind, .number = number, .now_ns = loop_now(), .name = "work"};
}

static void put(fixture *f, unsigned count) {
  for (unsigned i = 1; i <= count; i++) {
    task_event event = event_of(TASK_EVENT_CREATED, i);
    task_audit_event(f->audit, &event);
  }
}

static void has(const char *text, unsigned line, const char *part) {
  char whole[1024];
  audit_line_of(text, line, whole, sizeof whole);
  if (!strstr(whole, part))
    fail_msg("%s is not in line %u: %s", part, line, whole);
}

static void has_not(const char *text, unsigned line, const char *part) {
  char whole[1024];
  audit_line_of(text, line, whole, sizeof whole);
  if (strstr(whole, part))
    fail_msg("%s is in line %u: %s", part, line, whole);
}

/* ---- lines ---- */

static void put_one_of_each(fixture *f) {
  task_event events[] = {event_of(TASK_EVENT_CREATED, 1), event_of(TASK_EVENT_CREATED, 2),
                         event_of(TASK_EVENT_STARTED, 2), event_of(TASK_EVENT_RETRIED, 2),
                         event_of(TASK_EVENT_SETTLED, 2), event_of(TASK_EVENT_SETTLED, 1),
                         event_of(TASK_EVENT_SETTLED, 3), event_of(TASK_EVENT_SETTLED, 4),
                         event_of(TASK_EVENT_LATE, 4),    event_of(TASK_EVENT_RETIRED, 5)};
  events[0].form = "race";
  events[0].name = "all \"of\" them";
  events[1].parent = 1;
  events[2].attempt = 1;
  events[3].attempt = 1;
  events[3].error = "NetError";
  events[4].state = OP_REJECTED;
  events[4].error = "TypeError";
  events[4].age_ns = 1500000;
  events[5].state = OP_FULFILLED;
  events[6].state = OP_TIMED_OUT;
  events[7].state = OP_CANCELLED;
  events[8].state = OP_FULFILLED;
  for (size_t i = 0; i < sizeof events / sizeof *events; i++)
    task_audit_event(f->audit, &events[i]);
}

static void what_lines_say(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  open_audit(&f);
  put_one_of_each(&f);
  assert_true(task_audit_close(f.audit));
  char *text = audit_read_all(f.path);
  assert_int_equal(audit_check_all(text), 12);
  has(text, 1, "\"event\":\"opened\"");
  has(text, 2,
      "\"event\":\"created\",\"operation\":1,\"name\":\"all \\\"of\\\" them\","
      "\"detail\":\"race\"");
  has_not(text, 2, "parent\"");
  has(text, 3, "/1\",");
  has(text, 3, "\"parent\":\"");
  has(text, 4, "\"event\":\"started\",\"operation\":2,\"name\":\"work\",\"attempt\":1");
  has(text, 5, "\"event\":\"retried\"");
  has(text, 5, "\"attempt\":1,\"error\":\"NetError\"");
  has(text, 6, "\"event\":\"settled\"");
  has(text, 6, "\"state\":\"rejected\",\"error\":\"TypeError\",\"age_ms\":1.500,\"security\":true");
  has(text, 7, "\"state\":\"fulfilled\",\"age_ms\":0.000");
  has_not(text, 7, "security");
  has(text, 8, "\"event\":\"timed_out\"");
  has(text, 8, "\"security\":true");
  has(text, 9, "\"event\":\"cancelled\"");
  has_not(text, 9, "security");
  has(text, 10, "\"event\":\"late\"");
  has(text, 11, "\"event\":\"retired\"");
  has(text, 11, "\"security\":true");
  has(text, 12, "\"event\":\"ended\"");
  free(text);
  teardown(&f);
}

/* The second pool goes on where the first one ended, behind half a line too. */
static void a_chain_goes_on(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  for (unsigned round = 1; round <= 3; round++) {
    open_audit(&f);
    put(&f, 1000);
    assert_true(task_audit_close(f.audit));
    char *text = audit_read_all(f.path);
    assert_int_equal(audit_check_all(text), 1002 * round);
    free(text);
    int fd = open(f.path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"seq\":", 7), 7);
    close(fd);
  }
  teardown(&f);
}

static void nobody_else_may_write(void **state) {
  (void)state;
  fixture f;
  task_audit *second;
  setup(&f);
  open_audit(&f);
  assert_int_equal(task_audit_open(&f.allocator, f.path, &second, f.message, sizeof f.message),
                   VOW_E_OPEN);
  assert_non_null(strstr(f.message, "another process writes to it"));
  assert_true(task_audit_close(f.audit));
  teardown(&f);
}

static void files_that_are_none(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  task_audit *audit;
  assert_int_equal(task_audit_open(&f.allocator, "", &audit, f.message, sizeof f.message),
                   VOW_E_INVALID);
  assert_string_equal(f.message, "audit: it names no file");
  assert_int_equal(task_audit_open(&f.allocator, "/nowhere/a", &audit, f.message, sizeof f.message),
                   VOW_E_OPEN);
  assert_string_equal(f.message, "audit /nowhere/a: cannot be written: No such file or directory");
  int fd = open(f.path, O_WRONLY);
  assert_int_equal(write(fd, "a letter\n", 9), 9);
  close(fd);
  assert_int_equal(task_audit_open(&f.allocator, f.path, &audit, f.message, sizeof f.message),
                   VOW_E_OPEN);
  char *text = audit_read_all(f.path);
  assert_string_equal(text, "a letter\n");
  free(text);
  assert_true(task_audit_close(NULL));
  teardown(&f);
}

/* ---- what is lost ---- */

static void full_device(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  unlink(f.path);
  snprintf(f.path, sizeof f.path, "/dev/full");
  open_audit(&f);
  put(&f, 20000);
  assert_false(task_audit_close(f.audit));
  assert_int_equal(f.counting.blocks, 0);
}

static void allow_bytes(rlim_t bytes) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void wait_for_bytes(const char *path, off_t bytes) {
  struct stat facts;
  do
    assert_int_equal(stat(path, &facts), 0);
  while (facts.st_size < bytes);
}

/* What behaves as a disk with room for 10,000 bytes. */
static void full_disk(void **state) {
  (void)state;
  fixture f;
  struct rlimit before;
  setup(&f);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  allow_bytes(10000);
  open_audit(&f);
  put(&f, 10000); /* more lines than wait in memory */
  wait_for_bytes(f.path, 10000);
  assert_false(task_audit_close(f.audit));
  char *text = audit_read_all(f.path);
  uint64_t lines = audit_check_all(text); /* whole ones: a part was taken back */
  assert_true(lines > 10 && lines < 100 && strlen(text) < 10000);
  free(text);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  open_audit(&f);
  put(&f, 5);
  assert_true(task_audit_close(f.audit));
  text = audit_read_all(f.path);
  assert_int_equal(audit_check_all(text), lines + 7);
  free(text);
  teardown(&f);
}

/* Room again before the end: the chain goes on and tells how many it lacks. */
static void space_again(void **state) {
  (void)state;
  enum { EVENTS = 10000 };
  fixture f;
  struct rlimit before;
  setup(&f);
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  allow_bytes(10000);
  open_audit(&f);
  put(&f, EVENTS);
  wait_for_bytes(f.path, 10000);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  put(&f, 1);
  bool whole = task_audit_close(f.audit);
  char *text = audit_read_all(f.path);
  uint64_t lines = audit_check_all(text), told = audit_told_dropped(text);
  assert_int_equal(whole, told == 0);
  assert_int_equal(lines + told, EVENTS + 3 + audit_count_lines(text, "\"event\":\"dropped\""));
  free(text);
  teardown(&f);
}

static void slow_reader(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  unlink(f.path);
  assert_int_equal(mkfifo(f.path, 0600), 0);
  assert_int_equal(task_audit_open(&f.allocator, f.path, &f.audit, f.message, sizeof f.message),
                   VOW_E_OPEN);
  assert_non_null(strstr(f.message, "nobody reads from it"));
  int fd = open(f.path, O_RDONLY | O_NONBLOCK);
  open_audit(&f);
  put(&f, 10000);
  assert_false(task_audit_close(f.audit)); /* does not wait for ever */
  close(fd);
  fd = open(f.path, O_RDONLY | O_NONBLOCK);
  open_audit(&f);
  close(fd); /* gone: an error, not a signal */
  put(&f, 10);
  assert_false(task_audit_close(f.audit));
  teardown(&f);
}

/* Each allocation fails once: the audit does not open, or events are lost and told. */
static void short_memory(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  unsigned refused = 0, lost = 0;
  for (size_t n = 1; n <= 12; n++) {
    f.counting.calls = 0;
    f.counting.fail_at = n;
    if (task_audit_open(&f.allocator, f.path, &f.audit, f.message, sizeof f.message) != VOW_OK) {
      refused++;
      continue;
    }
    put(&f, 3000);
    lost += !task_audit_close(f.audit);
    char *text = audit_read_all(f.path);
    audit_check_all(text);
    free(text);
    assert_int_equal(f.counting.blocks, 0);
  }
  assert_true(refused > 0 && lost > 0);
  teardown(&f);
}

/* A file that was made for an audit that did not open is gone. */
static void leaves_no_file(void **state) {
  (void)state;
  fixture f;
  setup(&f);
  unlink(f.path);
  for (f.counting.fail_at = 1;; f.counting.fail_at++) {
    f.counting.calls = 0;
    vow_status status =
        task_audit_open(&f.allocator, f.path, &f.audit, f.message, sizeof f.message);
    if (status == VOW_OK)
      break;
    assert_int_equal(status, VOW_E_NOMEM);
    assert_int_equal(access(f.path, F_OK), -1);
  }
  task_audit_close(f.audit);
  teardown(&f);
}

/* ---- threads ---- */

enum { THREADS = 4, EACH = 5000 };

static void flood(void *user) {
  put(user, EACH);
}

static void from_many_threads(void **state) {
  (void)state;
  fixture f;
  uv_thread_t threads[THREADS];
  setup(&f);
  open_audit(&f);
  for (unsigned i = 0; i < THREADS; i++)
    assert_int_equal(uv_thread_create(&threads[i], flood, &f), 0);
  for (unsigned i = 0; i < THREADS; i++)
    uv_thread_join(&threads[i]);
  assert_true(task_audit_close(f.audit));
  char *text = audit_read_all(f.path);
  assert_int_equal(audit_check_all(text), THREADS * EACH + 2);
  assert_int_equal(audit_count_lines(text, "\"event\":\"created\""), THREADS * EACH);
  free(text);
  teardown(&f);
}

/* ---- metrics ---- */

static void counts_text(void **state) {
  (void)state;
  counting_alloc counting = {0};
  vow_allocator allocator = counting_allocator(&counting);
  metrics *metrics = task_metrics_open(&allocator);
  task_event created = event_of(TASK_EVENT_CREATED, 1), retried = event_of(TASK_EVENT_RETRIED, 1);
  task_event settled = event_of(TASK_EVENT_SETTLED, 1);
  settled.state = OP_FULFILLED;
  settled.age_ns = 3000000;
  task_metrics_event(NULL, &created);
  task_metrics_event(metrics, &created);
  task_metrics_event(metrics, &retried);
  task_metrics_event(metrics, &settled);
  task_metrics_pool(metrics, &(vow_task_counts){.live = 7, .late = 2, .threads = 3, .retired = 1});
  size_t len;
  char *text = metrics_text(metrics, &len);
  assert_non_null(text);
  static const char *const lines[] = {"\nvow_tasks_total{name=\"work\",state=\"fulfilled\"} 1\n",
                                      "\nvow_tasks_created_total{name=\"work\"} 1\n",
                                      "\nvow_task_retries_total{name=\"work\"} 1\n",
                                      "\nvow_task_duration_seconds_count{name=\"work\"} 1\n",
                                      "\nvow_tasks_live 7\n",
                                      "\nvow_tasks_late_total 2\n",
                                      "\nvow_task_threads 3\n",
                                      "\nvow_task_threads_retired_total 1\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    assert_non_null(strstr(text, lines[i]));
  mem_free(&allocator, text);
  metrics_close(metrics);
  assert_int_equal(counting.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_lines_say),        cmocka_unit_test(a_chain_goes_on),
      cmocka_unit_test(nobody_else_may_write), cmocka_unit_test(files_that_are_none),
      cmocka_unit_test(full_device),           cmocka_unit_test(full_disk),
      cmocka_unit_test(space_again),           cmocka_unit_test(slow_reader),
      cmocka_unit_test(short_memory),          cmocka_unit_test(leaves_no_file),
      cmocka_unit_test(from_many_threads),     cmocka_unit_test(counts_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
