/* The audit's writer: full disks, slow readers and short memory never block the
 * loop and never break the chain in the file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "task/audit_file.h"
#include "unit/counting_alloc.h"

typedef struct fixture {
  counting_alloc counting;
  vow_allocator allocator;
  loop *loop;
  pool *pool;
  audit_file *file;
  audit audit;
} fixture;

static void nothing(void *user) {
  (void)user;
}

static void open_fixture(fixture *f, int fd) {
  *f = (fixture){0};
  f->allocator = counting_allocator(&f->counting);
  f->loop = loop_open(&f->allocator, nothing, nothing, NULL);
  f->pool = pool_open(&(pool_options){.allocator = &f->allocator, .threads_max = 2});
  assert_true(f->loop && f->pool);
  f->file = audit_file_open(&f->allocator, fd, f->pool, f->loop);
  assert_non_null(f->file);
  audit_init(&f->audit, audit_file_put, f->file);
}

static void put(fixture *f, unsigned count) {
  const audit_event event = {.event = "created", .run = "r", .operation = 1, .name = "notes.get"};
  while (count--)
    audit_put(&f->audit, &event);
}

static void wait_for_file(fixture *f) {
  while (audit_file_busy(f->file))
    loop_run(f->loop, true);
}

static audit_lines_state end(fixture *f, int patience_ms) {
  audit_file_end(f->file, patience_ms);
  wait_for_file(f);
  assert_false(audit_file_put(f->file, "x", 1)); /* too late */
  return audit_file_written(f->file);
}

static void close_fixture(fixture *f) {
  audit_file_close(f->file);
  pool_close(f->pool);
  loop_close(f->loop);
  assert_int_equal(f->counting.blocks, 0);
}

static int temporary(void) {
  char path[] = "/tmp/vow-audit-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  unlink(path);
  assert_true(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
  return fd;
}

/* Reads all that `fd` holds now and checks it. */
static uint64_t check_all(int fd, const char *last) {
  static audit_check check;
  static char bytes[65536];
  ssize_t n;
  audit_check_begin(&check, last);
  while ((n = read(fd, bytes, sizeof bytes)) > 0)
    audit_check_feed(&check, bytes, (size_t)n);
  if (audit_check_end(&check) != AUDIT_WHOLE)
    print_error("line %llu: %s\n", (unsigned long long)check.line, check.why);
  assert_int_equal(check.finding, AUDIT_WHOLE);
  return check.lines;
}

static void writes_all(void **state) {
  (void)state;
  fixture f;
  int fd = temporary();
  open_fixture(&f, fd);
  for (unsigned i = 0; i < 100; i++) {
    put(&f, 50);
    loop_run(f.loop, true);
  }
  audit_lines_state written = end(&f, 0);
  assert_int_equal(f.audit.dropped, 0);
  assert_int_equal(written.lines, 5000);
  assert_int_equal(written.error, 0);
  assert_string_equal(written.last, f.audit.last);
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_int_equal(check_all(fd, written.last), 5000);
  close(fd);
  close_fixture(&f);
}

static void full_device(void **state) {
  (void)state;
  fixture f;
  int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  open_fixture(&f, fd);
  put(&f, 20000); /* more than memory may hold */
  assert_true(f.audit.lines < 20000);
  assert_int_equal(f.audit.lines + f.audit.dropped, 20000);
  audit_lines_state written = end(&f, 100);
  assert_int_equal(written.lines, 0);
  assert_int_equal(written.error, ENOSPC);
  assert_string_equal(written.last, "");
  close(fd);
  close_fixture(&f);
}

static void allow_bytes(rlim_t bytes) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file on what behaves as a disk with room for 10,000 bytes, and more written
 * than that. */
static int fill_disk(fixture *f, struct rlimit *before) {
  int fd = temporary();
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
  allow_bytes(10000);
  open_fixture(f, fd);
  put(f, 10000);
  wait_for_file(f);
  return fd;
}

/* Space for a part of a line: what is left in the file is whole lines. With space
 * again, the chain goes on and tells what was lost. */
static void full_disk(void **state) {
  (void)state;
  fixture f;
  struct rlimit before;
  int fd = fill_disk(&f, &before);
  assert_true(f.audit.dropped > 0);
  assert_int_equal(lseek(fd, 0, SEEK_END), 10000);
  assert_int_equal(audit_file_written(f.file).error, EFBIG);
  allow_bytes(20000);
  put(&f, 1);
  wait_for_file(&f);
  assert_int_equal(lseek(fd, 0, SEEK_END), 20000);
  audit_lines_state written = end(&f, 0);
  assert_true(lseek(fd, 0, SEEK_END) < 20000); /* the part of a line is taken back */
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_int_equal(check_all(fd, written.last), written.lines);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  close(fd);
  close_fixture(&f);
}

static void space_again(void **state) {
  (void)state;
  fixture f;
  struct rlimit before;
  int fd = fill_disk(&f, &before);
  uint64_t dropped = f.audit.dropped;
  assert_true(dropped > 0);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  put(&f, 1); /* maybe no room for it, but now there is work again */
  wait_for_file(&f);
  put(&f, 1);
  assert_int_equal(f.audit.untold, 0);
  audit_lines_state written = end(&f, 0);
  assert_int_equal(written.lines, f.audit.lines);
  assert_true(written.lines + f.audit.dropped > 10002); /* with lines that tell of them */
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_int_equal(check_all(fd, written.last), written.lines);
  close(fd);
  close_fixture(&f);
}

static void slow_reader(void **state) {
  (void)state;
  fixture f;
  int ends[2];
  assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  open_fixture(&f, ends[1]);
  put(&f, 10000);
  wait_for_file(&f); /* the pipe is full, and nobody waits for it */
  assert_int_equal(audit_file_written(f.file).error, EAGAIN);
  audit_lines_state written = end(&f, 1);
  assert_true(written.lines > 0 && written.lines < f.audit.lines);
  close(ends[0]);
  close(ends[1]);
  close_fixture(&f);
}

static void no_reader(void **state) {
  (void)state;
  fixture f;
  int ends[2];
  assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);
  open_fixture(&f, ends[1]);
  put(&f, 10);
  audit_lines_state written = end(&f, 100);
  assert_int_equal(written.lines, 0);
  assert_int_equal(written.error, EPIPE);
  close(ends[1]);
  close_fixture(&f);
}

static void short_memory(void **state) {
  (void)state;
  fixture f;
  int fd = temporary();
  for (size_t n = 1; n < 5; n++) {
    open_fixture(&f, fd);
    f.counting.fail_at = f.counting.calls + n;
    put(&f, 100);
    f.counting.fail_at = 0;
    put(&f, 1);
    audit_lines_state written = end(&f, 0);
    assert_int_equal(written.lines, f.audit.lines);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(check_all(fd, written.last), written.lines);
    assert_int_equal(ftruncate(fd, 0), 0);
    close_fixture(&f);
  }
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_all),   cmocka_unit_test(full_device), cmocka_unit_test(full_disk),
      cmocka_unit_test(space_again),  cmocka_unit_test(slow_reader), cmocka_unit_test(no_reader),
      cmocka_unit_test(short_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
