/* The web globals (src/guest/js) and their natives, without any host but a
 * fake one with virtual time.
 *
 *   test_web BUNDLE_LIST TEST_FOLDER [TEST_NAME]
 *
 * Each TEST_FOLDER/NAME.js runs in a runtime of its own as a script with
 * top-level await, after the bundle. It sees `assert`, `same`, `throws` and
 * `host` (see the table host_functions). When nothing else can run, time jumps to
 * the next timer. A test fails by throwing, by waiting for what cannot come, by
 * leaving a timer, and by leaving memory. */
#include <dirent.h>
#include <malloc.h>
#include <time.h>

#include "unit/web_host.h"

#define STACK_BYTES (192 * 1024)
#define HEAP_GROWTH_MAX (400 * 1024) /* on 64 bits; wasm32 needs little more than half */

static const char *bundle_list;
static const char *test_folder;

/* ---- files ---- */

static char *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("cannot open %s", path);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  assert_true(size >= 0);
  char *text = malloc((size_t)size + 1);
  assert_non_null(text);
  *len = fread(text, 1, (size_t)size, file);
  text[*len] = 0;
  fclose(file);
  return text;
}

static char *append(char *text, size_t *len, const char *more) {
  size_t add = strlen(more);
  char *grown = realloc(text, *len + add + 1);
  assert_non_null(grown);
  memcpy(grown + *len, more, add + 1);
  *len += add;
  return grown;
}

static char *read_bundle(size_t *len) {
  size_t list_len, part_len;
  char *list = read_file(bundle_list, &list_len);
  const char *slash = strrchr(bundle_list, '/');
  int folder_len = slash ? (int)(slash - bundle_list) + 1 : 0;
  *len = 0;
  char *bundle = append(NULL, len, "(function (vow) { \"use strict\";\n");
  char *rest = list, *name;
  while ((name = strsep(&rest, "\n"))) {
    if (!*name)
      continue;
    char path[4096];
    snprintf(path, sizeof path, "%.*s%s", folder_len, bundle_list, name);
    char *part = read_file(path, &part_len);
    bundle = append(bundle, len, part);
    bundle = append(bundle, len, "\n");
    free(part);
  }
  free(list);
  return append(bundle, len, "})");
}

/* ---- a guest ---- */

static void show_exception(JSContext *ctx, const char *where) {
  JSValue error = JS_GetException(ctx);
  const char *text = JS_ToCString(ctx, error);
  JSValue stack = JS_IsObject(error) ? JS_GetPropertyStr(ctx, error, "stack") : JS_UNDEFINED;
  const char *frames = JS_ToCString(ctx, stack);
  fprintf(stderr, "%s: %s\n%s\n", where, text ? text : "(no text)", frames ? frames : "");
  JS_FreeCString(ctx, frames);
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, stack);
  JS_FreeValue(ctx, error);
}

static fake_host *open_host(void) {
  fake_host *host = calloc(1, sizeof *host);
  assert_non_null(host);
  host->internals = host->thrown = JS_UNDEFINED;
  host->timer_max = TIMERS_MAX;
  host->rt = JS_NewRuntime2(&heap_functions, &host->heap);
  assert_non_null(host->rt);
  JS_SetRuntimeOpaque(host->rt, host);
  JS_SetMaxStackSize(host->rt, STACK_BYTES);
  host->ctx = JS_NewContext(host->rt);
  assert_non_null(host->ctx);
  assert_int_equal(JS_AddIntrinsicDOMException(host->ctx), 0);
  return host;
}

static void close_host(fake_host *host) {
  JS_FreeValue(host->ctx, host->internals);
  JS_FreeValue(host->ctx, host->thrown);
  JS_FreeContext(host->ctx);
  JS_FreeRuntime(host->rt);
  for (size_t i = 0; i < host->line_count; i++)
    free(host->lines[i]);
  int64_t left = host->heap.blocks;
  free(host);
  assert_int_equal(left, 0);
}

/* Compiles the bundle; with `strip`, the way the build does: to bytecode
 * without source text. */
static JSValue compile_bundle(JSContext *ctx, bool strip) {
  size_t len, code_len;
  char *source = read_bundle(&len);
  int flags = JS_EVAL_TYPE_GLOBAL | (strip ? JS_EVAL_FLAG_COMPILE_ONLY : 0);
  JSValue compiled = JS_Eval(ctx, source, len, "vow:web", flags);
  free(source);
  if (!strip || JS_IsException(compiled))
    return compiled;
  uint8_t *code =
      JS_WriteObject(ctx, &code_len, compiled, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  JS_FreeValue(ctx, compiled);
  if (!code)
    return JS_EXCEPTION;
  JSValue loaded = JS_ReadObject(ctx, code, code_len, JS_READ_OBJ_BYTECODE);
  js_free(ctx, code);
  return JS_IsException(loaded) ? loaded : JS_EvalFunction(ctx, loaded);
}

static int run_bundle(fake_host *host, bool strip) {
  JSContext *ctx = host->ctx;
  JSValue vow = JS_NewObject(ctx);
  JSValue bundle = compile_bundle(ctx, strip);
  JSValue internals = JS_EXCEPTION;
  if (!JS_IsException(bundle) && !JS_IsException(vow) &&
      !JS_SetPropertyFunctionList(ctx, vow, binding_functions, COUNT(binding_functions)) &&
      !web_add_natives(ctx, vow))
    internals = JS_Call(ctx, bundle, JS_UNDEFINED, 1, (JSValueConst *)&vow);
  JS_FreeValue(ctx, bundle);
  JS_FreeValue(ctx, vow);
  if (JS_IsException(internals))
    return -1;
  host->internals = internals;
  return 0;
}

static void add_test_globals(fake_host *host) {
  JSContext *ctx = host->ctx;
  JSValue global = JS_GetGlobalObject(ctx);
  JSValue object = JS_NewObject(ctx);
  host->thrown = JS_NewArray(ctx);
  JS_SetPropertyFunctionList(ctx, global, test_functions, COUNT(test_functions));
  JS_SetPropertyFunctionList(ctx, object, host_functions, COUNT(host_functions));
  JS_SetPropertyStr(ctx, object, "internals", JS_DupValue(ctx, host->internals));
  JS_SetPropertyStr(ctx, global, "host", object);
  JS_FreeValue(ctx, global);
}

static void run_jobs(fake_host *host) {
  JSContext *ctx;
  int status;
  while ((status = JS_ExecutePendingJob(host->rt, &ctx)) != 0)
    if (status < 0)
      show_exception(ctx, "job");
}

static void keep_thrown(fake_host *host) {
  int64_t len = 0;
  JSValue error = JS_GetException(host->ctx);
  JS_GetLength(host->ctx, host->thrown, &len);
  JS_DefinePropertyValueUint32(host->ctx, host->thrown, (uint32_t)len, error, JS_PROP_C_W_E);
}

/* False: there is no timer. */
static bool fire_next_timer(fake_host *host) {
  if (host->timer_count == 0)
    return false;
  size_t next = 0;
  for (size_t i = 1; i < host->timer_count; i++) {
    timer *a = &host->timers[i], *b = &host->timers[next];
    if (a->due < b->due || (a->due == b->due && a->order < b->order))
      next = i;
  }
  timer fired = host->timers[next];
  drop_timer(host, next);
  if (fired.due > host->now)
    host->now = fired.due;
  JSValue fire = JS_GetPropertyStr(host->ctx, host->internals, "fireTimer");
  JSValue id = JS_NewInt32(host->ctx, fired.id);
  JSValue result = JS_Call(host->ctx, fire, JS_UNDEFINED, 1, (JSValueConst *)&id);
  if (JS_IsException(result))
    keep_thrown(host);
  JS_FreeValue(host->ctx, result);
  JS_FreeValue(host->ctx, fire);
  return true;
}

/* ---- script tests ---- */

static bool settle(fake_host *host, JSValueConst promise) {
  JSPromiseStateEnum state;
  run_jobs(host);
  while ((state = JS_PromiseState(host->ctx, promise)) == JS_PROMISE_PENDING) {
    if (!fire_next_timer(host)) {
      fprintf(stderr, "waits for what cannot come\n");
      return false;
    }
    run_jobs(host);
  }
  if (state == JS_PROMISE_FULFILLED)
    return true;
  JS_Throw(host->ctx, JS_PromiseResult(host->ctx, promise));
  show_exception(host->ctx, "test");
  return false;
}

static bool run_script(fake_host *host, const char *path) {
  size_t len;
  char *source = read_file(path, &len);
  JSValue promise = JS_Eval(host->ctx, source, len, path, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_ASYNC);
  free(source);
  if (JS_IsException(promise)) {
    show_exception(host->ctx, path);
    return false;
  }
  bool good = settle(host, promise);
  JS_FreeValue(host->ctx, promise);
  return good;
}

static void script_test(void **state) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", test_folder, (const char *)*state);
  fake_host *host = open_host();
  if (run_bundle(host, true)) {
    show_exception(host->ctx, "bundle");
    fail_msg("the bundle does not run");
  }
  add_test_globals(host);
  bool good = run_script(host, path);
  size_t timers_left = host->timer_count;
  close_host(host);
  assert_true(good);
  assert_int_equal(timers_left, 0);
}

/* ---- measurements ---- */

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int64_t bundle_growth(bool strip, double *ms) {
  fake_host *host = open_host();
  JSMemoryUsage before, after;
  JS_RunGC(host->rt);
  JS_ComputeMemoryUsage(host->rt, &before);
  double start = milliseconds();
  assert_int_equal(run_bundle(host, strip), 0);
  *ms = milliseconds() - start;
  JS_RunGC(host->rt);
  JS_ComputeMemoryUsage(host->rt, &after);
  close_host(host);
  return after.malloc_size - before.malloc_size;
}

static void bundle_stays_small(void **state) {
  (void)state;
  double ms[2];
  int64_t with_source = bundle_growth(false, &ms[0]);
  int64_t stripped = bundle_growth(true, &ms[1]);
  print_message("bundle: %.1f KiB with source, %.1f KiB stripped; compiled and run in %.2f ms\n",
                (double)with_source / 1024, (double)stripped / 1024, ms[0]);
  assert_in_range(stripped, 1, HEAP_GROWTH_MAX);
}

/* ---- every allocation of the natives refused once ----
 *
 * The natives only: the engine's own compiler and string operations leak, or
 * worse, when memory is refused. */

/* Names and arguments of calls; the first argument of decode is an encoding. */
static const char native_calls[] =
    "[['classOf', new Map()], ['classOf', new Proxy({}, {})], ['proxyTarget', new Proxy({}, {})],"
    "['proxyTarget', (() => { const r = Proxy.revocable({}, {}); r.revoke(); return r.proxy })()],"
    "['ownDescriptor', { a: 1 }, 'a'], ['defineData', {}, 'key', 1, true], ['ownDescriptor', { get "
    "a() {} }, 'a'],"
    "['promiseState', Promise.resolve({})], ['quote', 'it\\'s\\u20ac\\n', 100],"
    "['quoteKey', 'a b'], ['quoteKey', 'ab'], ['utf8Encode', 'a\\u20ac\\ud800b'],"
    "['utf8EncodeInto', '\\u20ac\\ud83d\\ude00', new ArrayBuffer(8), 1, 6],"
    "['decoderState', 1, true, false],"
    "['decode', 0, new Uint8Array([97, 0xe2, 0x82, 0xac]).buffer, 0, 4, false],"
    "['decode', 0, new Uint8Array([97, 0xff, 0x62, 0xe2]).buffer, 0, 4, true],"
    "['decode', 1, new Uint8Array([97, 0, 0x62]).buffer, 0, 3, true],"
    "['decode', 3, new Uint8Array([97, 0x80]).buffer, 0, 2, false]]";

#define CALL_ARGS_MAX 6

/* Arguments of one call; decode() gets a state that already holds a byte. */
static int call_arguments(JSContext *ctx, JSValueConst vow, JSValueConst call, JSValue *args) {
  int64_t len = 0;
  JS_GetLength(ctx, call, &len);
  assert_in_range(len, 1, CALL_ARGS_MAX);
  for (uint32_t i = 0; i < len; i++)
    args[i] = JS_GetPropertyUint32(ctx, call, i);
  const char *name = JS_ToCString(ctx, args[0]);
  if (strcmp(name, "decode") == 0) {
    JSValue make = JS_GetPropertyStr(ctx, vow, "decoderState");
    JSValueConst facts[3] = {args[1], JS_FALSE, JS_FALSE};
    args[1] = JS_Call(ctx, make, JS_UNDEFINED, 3, facts);
    size_t size;
    uint8_t *state = JS_GetArrayBuffer(ctx, &size, args[1]);
    assert_non_null(state);
    state[4] = 1; /* pending_count */
    state[5] = 0xC3;
    JS_FreeValue(ctx, make);
  }
  JS_FreeCString(ctx, name);
  return (int)len;
}

/* True when the call got all the memory it asked for. */
static bool call_refused_at(fake_host *host, JSValueConst vow, JSValueConst call, int64_t at) {
  JSContext *ctx = host->ctx;
  JSValue args[CALL_ARGS_MAX];
  int count = call_arguments(ctx, vow, call, args);
  JSAtom name = JS_ValueToAtom(ctx, args[0]);
  JSValue native = JS_GetProperty(ctx, vow, name);
  host->heap.refuse_at = host->heap.calls + at;
  JSValue value = JS_Call(ctx, native, JS_UNDEFINED, count - 1, (JSValueConst *)args + 1);
  bool refused = host->heap.calls >= host->heap.refuse_at;
  host->heap.refuse_at = 0;
  bool threw = JS_IsException(value);
  JS_FreeValue(ctx, threw ? JS_GetException(ctx) : value);
  JS_FreeValue(ctx, native);
  JS_FreeAtom(ctx, name);
  for (int i = 0; i < count; i++)
    JS_FreeValue(ctx, args[i]);
  assert_true(refused || !threw);
  return !refused;
}

static void natives_survive_refused_memory(void **state) {
  (void)state;
  fake_host *host = open_host();
  JSContext *ctx = host->ctx;
  JSValue vow = JS_NewObject(ctx);
  assert_int_equal(web_add_natives(ctx, vow), 0);
  JSValue calls = JS_Eval(ctx, native_calls, strlen(native_calls), "calls", JS_EVAL_TYPE_GLOBAL);
  int64_t count = 0;
  assert_int_equal(JS_GetLength(ctx, calls, &count), 0);
  assert_true(count > 10);
  for (uint32_t i = 0; i < count; i++) {
    JSValue call = JS_GetPropertyUint32(ctx, calls, i);
    for (int64_t at = 1; !call_refused_at(host, vow, call, at); at++)
      ;
    JS_FreeValue(ctx, call);
  }
  JS_FreeValue(ctx, calls);
  JS_FreeValue(ctx, vow);
  close_host(host);
}

/* ---- the list of tests ---- */

static int is_script(const struct dirent *entry) {
  size_t len = strlen(entry->d_name);
  return len > 3 && strcmp(entry->d_name + len - 3, ".js") == 0;
}

static int run_all(const char *only) {
  struct dirent **entries;
  int found = scandir(test_folder, &entries, is_script, alphasort);
  if (found <= 0) {
    fprintf(stderr, "test_web: no tests in %s\n", test_folder);
    return 2;
  }
  struct CMUnitTest *tests = calloc((size_t)found + 2, sizeof *tests);
  size_t count = 0;
  if (!tests)
    return 2;
  for (int i = 0; i < found; i++)
    if (!only || strcmp(only, entries[i]->d_name) == 0)
      tests[count++] = (struct CMUnitTest){.name = entries[i]->d_name,
                                           .test_func = script_test,
                                           .initial_state = entries[i]->d_name};
  if (!only) {
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(bundle_stays_small);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(natives_survive_refused_memory);
  }
  int failed = count == 0 ? 2 : _cmocka_run_group_tests("web", tests, count, NULL, NULL);
  for (int i = 0; i < found; i++)
    free(entries[i]);
  free(entries);
  free(tests);
  return failed;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: test_web BUNDLE_LIST TEST_FOLDER [TEST_NAME]\n");
    return 2;
  }
  bundle_list = argv[1];
  test_folder = argv[2];
  return run_all(argc > 3 ? argv[3] : NULL);
}
