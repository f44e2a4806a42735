/* A run that is recorded in every way there is, with its audit in a file, metrics
 * and the search for leaks: each allocation fails once, and then everything from it
 * on, and so does each write. What is recorded is whole, what is not is counted. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sandbox/run_audit.h"
#include "sandbox/run_metrics.h"
#include "task/audit_file.h"
#include "unit/run_fixture.h"

/* ---- the failing write ---- */

static int audit_fd = -1;
static size_t writes, write_fail_at;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

/* One byte more than half, and then no room: a line that is cut. The loop's thread
 * sets what fails while no worker is at work. */
ssize_t __wrap_write(int fd, const void *bytes, size_t len) {
  if (fd != audit_fd || ++writes < write_fail_at || write_fail_at == 0)
    return __real_write(fd, bytes, len);
  if (writes == write_fail_at && len > 1)
    return __real_write(fd, bytes, len / 2 + 1);
  errno = ENOSPC;
  return -1;
}

/* ---- one recorded run ---- */

typedef struct recording {
  run_fixture f;
  audit chain;
  audit_file *file;
  run_audit run;
  metrics *metrics;
  unsigned events; /* given to the audit, with `opened` */
  run_report_audit written;
  size_t leaks;
  bool done, reported;
} recording;

static void record_event(void *user, const run_event *event) {
  recording *r = user;
  r->events++;
  run_audit_event(&r->run, event);
  run_metrics_event(r->metrics, event);
}

/* As `vow eval` does it. */
static void record_end(run *run, const run_report *report, void *user) {
  (void)run;
  recording *r = user;
  size_t len;
  r->done = true;
  r->leaks = report->leaks_count;
  run_audit_end(&r->run, report);
  r->events += report->outcome == RUN_LIMIT ? 2 : 1;
  run_metrics_report(r->metrics, report);
  run_metrics_shard(r->metrics, r->f.shard, &(engine_counts){0}, r->f.pool);
  char *text = metrics_text(r->metrics, &len);
  mem_free(&r->f.allocator, text);
  r->written.dropped = r->chain.dropped;
  char *json = run_report_json(report, &r->written, &r->f.allocator);
  r->reported = text && json;
  mem_free(&r->f.allocator, json);
}

/* Operations and timers of all kinds; some are live when it is cancelled. */
static const char source[] =
    "console.log('x'); setTimeout(() => {}, 60000);"
    "await test.echo('a'); await test.fail(1).catch(() => {}); await test.pool(1);"
    "await Promise.all([test.hold('h'), test.polite('p'), test.later(60000)])";

static void drive(recording *r) {
  static const uint8_t random[AUDIT_ID_LEN / 2] = {1, 2, 3};
  const run_options options = {.name = "test.js",
                               .source = source,
                               .source_len = sizeof source - 1,
                               .kinds = r->f.kinds,
                               .kinds_count = KIND_COUNT,
                               .limits = run_limits_default,
                               .debug = true,
                               .on_event = record_event,
                               .on_done = record_end,
                               .user = r};
  audit_init(&r->chain, audit_file_put, r->file);
  r->run = (run_audit){.audit = &r->chain, .tenant = "tenant", .opened_ms = 1};
  run_audit_open(&r->run, random);
  r->events = 1;
  run *run = run_open(r->f.shard, &options);
  while (run && !r->done) {
    shard_turn(r->f.shard);
    if (r->f.started == 2 && run_alive(run))
      run_cancel(run);
  }
  answer_all_held(&r->f);
  if (run)
    run_dispose(run);
  audit_file_end(r->file, 0);
  while (audit_file_busy(r->file))
    shard_turn(r->f.shard);
}

/* Every line of the file is of the chain, up to the last that counts as written; the
 * other events are counted. */
static void check_file(const recording *r) {
  static audit_check check;
  char bytes[4096];
  ssize_t len;
  audit_lines_state state = audit_file_written(r->file);
  audit_check_begin(&check, state.lines ? state.last : NULL);
  assert_int_equal(lseek(audit_fd, 0, SEEK_SET), 0);
  while ((len = read(audit_fd, bytes, sizeof bytes)) > 0)
    audit_check_feed(&check, bytes, (size_t)len);
  if (audit_check_end(&check) != AUDIT_WHOLE && (state.lines > 0 || check.read > 0))
    fail_msg("%s", check.why);
  assert_int_equal(check.lines, state.lines);
  assert_int_equal(check.after, 0);
  assert_true(state.lines <= r->chain.lines);
  assert_true(state.lines == r->chain.lines || state.error == ENOSPC || state.error == EAGAIN);
  /* Lines that tell of drops are none of the events. */
  assert_true(r->chain.lines + r->chain.dropped >= r->events);
  assert_true(r->chain.dropped > 0 || r->chain.lines == r->events);
}

static void open_file(void) {
  char path[] = "/tmp/vow-record-XXXXXX";
  audit_fd = mkostemp(path, O_CLOEXEC | O_APPEND);
  assert_true(audit_fd >= 0);
  assert_int_equal(unlink(path), 0);
}

/* True: nothing failed. */
static bool scenario(recording *r, engine_kind engine) {
  open_file();
  writes = 0;
  fixture_try(&r->f, engine);
  if (r->f.shard)
    r->f.pool = pool_open(&(pool_options){.allocator = &r->f.allocator, .threads_max = 1});
  if (r->f.pool)
    r->file = audit_file_open(&r->f.allocator, audit_fd, r->f.pool, shard_loop(r->f.shard));
  r->metrics = r->file ? run_metrics_open(&r->f.allocator) : NULL;
  if (r->metrics) {
    drive(r);
    check_file(r);
  }
  bool whole = r->metrics && r->reported && r->leaks == 4 && r->chain.dropped == 0 &&
               metrics_lost(r->metrics) == 0 && audit_file_written(r->file).error == 0;
  audit_file_close(r->file);
  if (r->metrics)
    metrics_close(r->metrics);
  if (r->f.shard)
    fixture_close(&r->f);
  assert_int_equal(r->f.counting.blocks, 0);
  assert_int_equal(close(audit_fd), 0);
  audit_fd = -1;
  return whole;
}

static void each_fails(engine_kind engine, bool for_ever) {
  for (size_t n = 1;; n++) {
    recording r = {.f.counting = {.fail_at = n, .for_ever = for_ever}};
    bool whole = scenario(&r, engine);
    if (r.f.counting.calls < n) {
      assert_true(whole && n > 50);
      print_message("%zu allocations\n", n - 1);
      return;
    }
  }
}

static void each_allocation_fails_once(void **state) {
  each_fails(*(const engine_kind *)*state, false);
}

static void from_each_allocation_on_all_fail(void **state) {
  each_fails(*(const engine_kind *)*state, true);
}

static void from_each_write_on_all_fail(void **state) {
  for (write_fail_at = 1;; write_fail_at++) {
    recording r = {.done = false};
    bool whole = scenario(&r, *(const engine_kind *)*state);
    if (writes < write_fail_at) {
      assert_true(whole && write_fail_at > 1);
      print_message("%zu writes\n", write_fail_at - 1);
      write_fail_at = 0;
      return;
    }
    assert_false(whole);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(each_allocation_fails_once),
      ON_BOTH(from_each_allocation_on_all_fail),
      ON_BOTH(from_each_write_on_all_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
