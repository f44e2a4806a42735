/* Each allocation failing once and threads that cannot be had: what fails says so, the
 * rest goes on, and nothing is left. */
#include <stdatomic.h>

#include "guest/shared.h"
#include "unit/deferred_fixture.h"

int __real_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg);
static atomic_uint threads_asked;
static unsigned threads_fail_from; /* 0: none */

int __wrap_uv_thread_create_ex(uv_thread_t *id, const uv_thread_options_t *options,
                               uv_thread_cb entry, void *arg) {
  unsigned call = atomic_fetch_add(&threads_asked, 1) + 1;
  return threads_fail_from && call >= threads_fail_from
             ? UV_EAGAIN
             : __real_uv_thread_create_ex(id, options, entry, arg);
}

/* Functions, nesting, host calls, shared memory, progress, cancelling, the cache. */
static const char everything[] =
    "const m = new SharedArrayBuffer(8); const p = new Deferred((m) => { Deferred.progress(m);"
    " return [m, new Map([[1, 'x'.repeat(200)]])]; }, m); p.onprogress = () => {};"
    "const nested = new Deferred(async (x) => { const all = await Promise.all([test.echo(x),"
    " test.pool(x), new Deferred((x) => x + 1, x)]); console.log('said'); await sleep(1);"
    " return all; }, 3);"
    "const loop = new Deferred(() => { for (;;); }); setTimeout(() => loop.cancel(), 1);"
    "const run = (f, options) => Deferred.run(f, [1], options);"
    "const rest = [run((x) => x, { cache: true }), run((x) => x, { affinity: 'k' }),"
    " Deferred.map([1, 2], (x) => x), new Deferred(() => { throw new Error('e'); }),"
    " Deferred.ready()];"
    "const all = await Promise.allSettled([p, nested, loop, ...rest]);"
    /* only the loop was cancelled */
    "all.map((x, i) => i !== 2 && x.reason?.name === 'AbortError' ? '!' : x.status[0]).join('')";

/* False: no allocation was left to fail. */
static bool failing_scenario(size_t nth) {
  static deferred_fixture f;
  f = (deferred_fixture){0};
  f.counting.fail_at = nth;
  f.run.counting.fail_at = 0;
  bool open = deferred_fixture_try(&f, 2, 0);
  subject s;
  subject_init(&s, &f.run);
  s.leaks = ANY_LEAKS;
  if (open && deferred_try_run(&f, &s, everything)) {
    until_done(&s);
    assert_true(s.outcome == RUN_VALUE ? !strchr(s.value, '!') : s.message[0]);
    subject_close(&s);
  }
  pthread_mutex_lock(&f.lock);
  bool failed = f.counting.calls >= nth;
  f.counting.fail_at = 0;
  pthread_mutex_unlock(&f.lock);
  if (open) /* the failure is past: all works again */
    deferred_gives(&f, "await new Deferred((x) => x + 1, 1)", "2");
  deferred_fixture_close(&f, false);
  assert_int_equal(shared_in_flight(), 0);
  return failed;
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  size_t nth = 1;
  while (failing_scenario(nth))
    nth += 1 + nth / 100; /* all of the first 100, then fewer */
  print_message("%zu allocations\n", nth);
  assert_true(nth > 50);
}

/* As many threads as can be had do all of the work; without any it is refused. */
static void threads_fail(void **state) {
  (void)state;
  for (unsigned from = 1; from < 5; from++) {
    deferred_fixture f;
    atomic_store(&threads_asked, 0);
    threads_fail_from = from;
    deferred_fixture_open(&f, 4, 0);
    subject s;
    deferred_open_run(&f, &s,
                      "const all = await Promise.allSettled(Array.from({ length: 20 }, (_, i) =>"
                      " new Deferred((x) => x, i)));"
                      "[...new Set(all.map((x) => x.reason?.code ?? x.status))]");
    ends_with_value(&s, from == 1 ? "[\"NO_THREAD\"]" : "[\"fulfilled\"]");
    subject_close(&s);
    deferred_open_run(&f, &s,
                      "await new Deferred(function down(n) { return n ? new Deferred(down, n - 1)"
                      " : 'deep'; }, 4).catch((e) => e.message)");
    until_done(&s);
    assert_int_equal(s.outcome, RUN_VALUE);
    assert_true(strcmp(s.value, "\"deep\"") == 0 || strstr(s.value, "Deferred: no thread") ||
                strstr(s.value, "Deferred: too many functions wait"));
    subject_close(&s);
    threads_fail_from = 0;
    deferred_gives(&f, "await new Deferred((x) => x + 1, 1)", "2");
    deferred_fixture_close(&f, false);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_fails_once),
      cmocka_unit_test(threads_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
