/* What outlives its run or its runtime is named with its place in the script and in
 * this program. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>

#include "unit/vow_fixture.h"

/* What was named, one line each: "NAME NUMBER SITE @PLACE", and the last place. */
typedef struct named {
  char lines[1024];
  char place[512];
} named;

static void note(named *n, const vow_leak *leak) {
  size_t used = strlen(n->lines);
  const char *at = leak->site ? strchr(leak->site, '(') : NULL;
  snprintf(n->lines + used, sizeof n->lines - used, "%d %s %d%.*s\n", (int)leak->kind, leak->name,
           (int)leak->number, at ? (int)strcspn(at, "\n") : 0, at ? at : "");
  note_text(n->place, sizeof n->place, leak->host_site);
}

static void note_named(const vow_leak *leak, void *user) {
  note(user, leak);
}

static void note_report(vow_run *run, const vow_report *report, void *user) {
  (void)run;
  for (size_t i = 0; i < report->leaks_count; i++)
    note(user, &report->leaks[i]);
}

/* A place in a function of this program, at most so many bytes behind its start. */
static void assert_place(const char *place, uintptr_t function, uintptr_t most) {
  Dl_info info;
  struct link_map *map;
  assert_true(dladdr1((const void *)function, &info, (void **)&map, RTLD_DL_LINKMAP) != 0);
  size_t len = strlen(info.dli_fname);
  assert_int_equal(strncmp(place, info.dli_fname, len), 0);
  assert_int_equal(strncmp(place + len, "+0x", 3), 0);
  uintptr_t at = strtoull(place + len + 1, NULL, 16) + map->l_addr;
  assert_true(at >= function && at - function <= most);
}

/* ---- of the program's runtime ---- */

typedef struct bench {
  vow_runtime *rt;
  vow_op *taken[2];
  atomic_uint count; /* handlers that have begun, or operations that are taken */
} bench;

static void on_take(vow_op *op, void *user) {
  bench *b = user;
  b->taken[b->count++] = vow_op_retain(op);
}

static void open_bench(bench *b, void **state, named *named) {
  vow_runtime_options options = {.size = sizeof options,
                                 .engine = *(const vow_engine *)*state,
                                 .on_leak = named ? note_named : NULL,
                                 .on_leak_user = named};
  *b = (bench){0};
  assert_int_equal(vow_runtime_open(&options, &b->rt), VOW_OK);
  assert_int_equal(vow_register(b->rt, "take", on_take, NULL, b), VOW_OK);
}

static vow_run *begin(bench *b, const char *source, bool debug, named *report) {
  const vow_request request = {
      .size = sizeof request, .source = source, .allow = "*", .debug = debug};
  vow_run *run;
  assert_int_equal(vow_eval(b->rt, &request, note_report, report, &run), VOW_OK);
  return run;
}

/* Is cancelled when so many handlers have begun; 0: ends by itself. */
static void perform(bench *b, const char *source, unsigned handlers, bool debug, named *report) {
  vow_run *run = begin(b, source, debug, report);
  while (handlers ? atomic_load(&b->count) < handlers : vow_run_alive(run)) {
    assert_int_equal(vow_loop_run(b->rt, VOW_LOOP_POLL), VOW_OK);
    sched_yield();
  }
  assert_int_equal(vow_run_cancel(run), VOW_OK);
  assert_int_equal(vow_run_dispose(run), VOW_OK);
}

static void release_all(bench *b) {
  while (b->count)
    vow_op_release(b->taken[--b->count]);
}

/* ---- tests ---- */

static void nothing_is_left(void **state) {
  bench b;
  named closed = {{0}, {0}}, report = {{0}, {0}};
  open_bench(&b, state, &closed);
  vow_run *run = begin(&b, "await take()", false, &report);
  while (!b.count)
    assert_int_equal(vow_loop_run(b.rt, VOW_LOOP_ONCE), VOW_OK);
  assert_int_equal(vow_op_fulfil_json(b.taken[0], "1"), VOW_OK);
  release_all(&b);
  while (vow_run_alive(run))
    assert_int_equal(vow_loop_run(b.rt, VOW_LOOP_ONCE), VOW_OK);
  assert_int_equal(vow_run_dispose(run), VOW_OK);
  assert_int_equal(vow_runtime_close(b.rt), VOW_OK);
  assert_string_equal(report.lines, "");
  assert_string_equal(closed.lines, "");
}

static void retained_ones(void **state) {
  bench b;
  named closed = {{0}, {0}}, report = {{0}, {0}};
  open_bench(&b, state, &closed);
  perform(&b, "take();\ntake();\nawait 1", 2, false, &report);
  assert_string_equal(report.lines, "0 take 1(script.js:1:1)\n0 take 2(script.js:2:1)\n");
  assert_place(report.place, (uintptr_t)on_take, 256);
  vow_op_release(b.taken[--b.count]); /* that one is given back in time */
  assert_int_equal(vow_runtime_close(b.rt), VOW_OK);
  assert_string_equal(closed.lines, "0 take 1(script.js:1:1)\n");
  assert_place(closed.place, (uintptr_t)on_take, 256);
  release_all(&b);
}

/* With `debug` alone reports have places, and closing says nothing. */
static void debug_of_a_request(void **state) {
  bench b;
  named report = {{0}, {0}};
  open_bench(&b, state, NULL);
  perform(&b, "take(); await 1", 1, true, &report);
  assert_string_equal(report.lines, "0 take 1(script.js:1:1)\n");
  assert_place(report.place, (uintptr_t)on_take, 256);
  report = (named){{0}, {0}};
  perform(&b, "take(); setTimeout(() => {}, 1e6); await 1", 2, false, &report);
  assert_string_equal(report.lines, "");
  assert_int_equal(vow_runtime_close(b.rt), VOW_OK);
  release_all(&b);
}

typedef struct door {
  pthread_mutex_t lock;
  bench *b;
} door;

/* Waits on its worker until it is let out; retains nothing. */
static void on_wait(vow_op *op, void *user) {
  door *d = user;
  atomic_fetch_add(&d->b->count, 1);
  pthread_mutex_lock(&d->lock);
  pthread_mutex_unlock(&d->lock);
  vow_op_fulfil(op, NULL, 0);
}

static void a_handler_at_work(void **state) {
  static const vow_policy blocking = {.size = sizeof blocking, .blocking = true};
  bench b;
  door d = {.b = &b};
  named closed = {{0}, {0}}, report = {{0}, {0}};
  assert_int_equal(pthread_mutex_init(&d.lock, NULL), 0);
  open_bench(&b, state, &closed);
  assert_int_equal(vow_register(b.rt, "wait", on_wait, &blocking, &d), VOW_OK);
  pthread_mutex_lock(&d.lock);
  perform(&b, "await wait()", 1, false, &report);
  pthread_mutex_unlock(&d.lock);
  assert_string_equal(report.lines, "0 wait 1(script.js:1:6)\n");
  assert_place(report.place, (uintptr_t)on_wait, 0);
  assert_int_equal(vow_runtime_close(b.rt), VOW_OK);
  assert_string_equal(closed.lines, ""); /* it was waited for */
  pthread_mutex_destroy(&d.lock);
}

static void handles(void **state) {
  bench b;
  named closed = {{0}, {0}}, report = {{0}, {0}};
  const vow_request request = {.size = sizeof request, .source = "1"};
  vow_script *script, *other;
  open_bench(&b, state, &closed);
  assert_int_equal(vow_script_open(b.rt, &request, &script), VOW_OK);
  assert_int_equal(vow_script_open(b.rt, &request, &other), VOW_OK);
  assert_int_equal(vow_script_close(other), VOW_OK);
  perform(&b, "1", 0, false, &report);
  begin(&b, "2", false, &report); /* number 2 */
  assert_int_equal(vow_runtime_close(b.rt), VOW_OK);
  assert_string_equal(closed.lines, "2 run 2\n3 script 0\n");
  assert_place(closed.place, (uintptr_t)handles, 4096);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(nothing_is_left),   ON_BOTH(retained_ones), ON_BOTH(debug_of_a_request),
      ON_BOTH(a_handler_at_work), ON_BOTH(handles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
