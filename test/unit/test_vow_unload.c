/* The shared library loaded as a plug-in would, and let go of while one of its threads
 * is still in a name lookup, which nothing ends: that one must have code to return to. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/threads.h"
#include "vow/vow.h"

/* ---- the name service stands before the C library's ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holding;
static unsigned asked; /* names that have no answer yet */

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **all) {
  (void)name, (void)service, (void)hints, (void)all;
  pthread_mutex_lock(&lock);
  asked++;
  while (holding)
    pthread_cond_wait(&changed, &lock);
  asked--;
  pthread_mutex_unlock(&lock);
  return EAI_NONAME;
}

static void hold_answers(bool hold) {
  pthread_mutex_lock(&lock);
  holding = hold;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static unsigned waiting_for_answers(void) {
  pthread_mutex_lock(&lock);
  unsigned count = asked;
  pthread_mutex_unlock(&lock);
  return count;
}

/* ---- the library ---- */

typedef struct library {
  void *handle;
  vow_status (*open)(const vow_runtime_options *options, vow_runtime **runtime);
  vow_status (*eval)(vow_runtime *runtime, const vow_request *request, vow_done_callback *on_done,
                     void *user, vow_run **run);
  vow_status (*run)(vow_runtime *runtime, vow_loop_mode mode);
  vow_status (*close)(vow_runtime *runtime);
} library;

static void load(library *l) {
  l->handle = dlopen(VOW_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!l->handle)
    print_error("%s\n", dlerror());
  assert_non_null(l->handle);
  const struct {
    const char *name;
    void *into;
  } all[] = {{"vow_runtime_open", &l->open},
             {"vow_eval", &l->eval},
             {"vow_loop_run", &l->run},
             {"vow_runtime_close", &l->close}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    void *found = dlsym(l->handle, all[i].name);
    assert_non_null(found);
    memcpy(all[i].into, &found, sizeof found);
  }
}

static void note_done(vow_run *run, const vow_report *report, void *user) {
  (void)run;
  strncat(user, report->value ? report->value : report->kind, 31);
}

/* A life of the library, from loading to unloading, for one script; until that has
 * ended, or until it is in a name lookup. */
static void live(vow_engine engine, const char *source, bool looks_up, const char *expected) {
  library l;
  vow_runtime *runtime;
  char end[32] = "";
  const vow_runtime_options options = {
      .size = sizeof options, .engine = engine, .builtins = "fetch:slow.test"};
  const vow_request request = {.size = sizeof request, .source = source, .allow = "fetch"};
  load(&l);
  assert_int_equal(l.open(&options, &runtime), VOW_OK);
  assert_int_equal(l.eval(runtime, &request, note_done, end, NULL), VOW_OK);
  while (looks_up && waiting_for_answers() == 0)
    assert_int_equal(l.run(runtime, VOW_LOOP_POLL), VOW_OK);
  if (!looks_up)
    assert_int_equal(l.run(runtime, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(l.close(runtime), VOW_OK);
  assert_string_equal(end, expected);
  assert_int_equal(dlclose(l.handle), 0);
}

static void a_lookup_outlives_the_library(void **state) {
  vow_engine engine = *(const vow_engine *)*state;
  live(engine, "40 + 2", false, "42");
  unsigned before = threads_at_rest();
  hold_answers(true);
  live(engine, "await fetch('http://slow.test/')", true, "cancelled");
  assert_int_equal(waiting_for_answers(), 1);
  hold_answers(false); /* it returns into what was the library */
  until_threads(before);
  live(engine, "40 + 2", false, "42");
}

int main(void) {
  static const vow_engine engines[] = {VOW_ENGINE_WASM, VOW_ENGINE_NATIVE};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(a_lookup_outlives_the_library, (void *)(uintptr_t)&engines[0]),
      cmocka_unit_test_prestate(a_lookup_outlives_the_library, (void *)(uintptr_t)&engines[1]),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
