/* What the tests of the web globals share: an allocator that counts and can refuse,
 * a host that is none, with virtual time, and the globals that the scripts of
 * test/web see. */
#ifndef VOW_TEST_WEB_HOST_H
#define VOW_TEST_WEB_HOST_H

#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guest/web.h"

#define TIMERS_MAX 256
#define LINES_MAX 512

/* ---- an allocator that counts, and can refuse ---- */

typedef struct heap {
  int64_t blocks;
  int64_t calls;
  int64_t refuse_at; /* this call returns NULL; 0: none */
} heap;

static inline bool refuses(heap *h) {
  return ++h->calls == h->refuse_at;
}

static inline void *heap_calloc(void *opaque, size_t count, size_t size) {
  heap *h = opaque;
  void *block = refuses(h) ? NULL : calloc(count, size);
  h->blocks += block != NULL;
  return block;
}

static inline void *heap_malloc(void *opaque, size_t size) {
  heap *h = opaque;
  void *block = refuses(h) ? NULL : malloc(size);
  h->blocks += block != NULL;
  return block;
}

static inline void heap_free(void *opaque, void *block) {
  heap *h = opaque;
  h->blocks -= block != NULL;
  free(block);
}

static inline void *heap_realloc(void *opaque, void *block, size_t size) {
  heap *h = opaque;
  if (refuses(h))
    return NULL;
  void *moved = realloc(block, size);
  h->blocks += !block && moved;
  return moved;
}

static inline size_t heap_usable(const void *block) {
  return malloc_usable_size((void *)block);
}

static const JSMallocFunctions heap_functions = {heap_calloc, heap_malloc, heap_free, heap_realloc,
                                                 heap_usable};

/* ---- the fake host ---- */

typedef struct timer {
  double due;
  int64_t order;
  int32_t id;
} timer;

typedef struct fake_host {
  heap heap;
  JSRuntime *rt;
  JSContext *ctx;
  JSValue internals;
  JSValue thrown; /* what timer callbacks threw */
  double now;
  int64_t order;
  timer timers[TIMERS_MAX];
  size_t timer_count;
  size_t timer_max;
  int levels[LINES_MAX];
  char *lines[LINES_MAX];
  size_t line_count;
} fake_host;

static inline fake_host *host_of(JSContext *ctx) {
  return JS_GetRuntimeOpaque(JS_GetRuntime(ctx));
}

static inline JSValue host_log(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  fake_host *host = host_of(ctx);
  int32_t level;
  const char *text = JS_ToCString(ctx, argv[1]);
  if (!text || JS_ToInt32(ctx, &level, argv[0]))
    return JS_EXCEPTION;
  if (host->line_count < LINES_MAX) {
    host->levels[host->line_count] = level;
    host->lines[host->line_count++] = strdup(text);
  }
  JS_FreeCString(ctx, text);
  return JS_UNDEFINED;
}

static inline JSValue host_timer_start(JSContext *ctx, JSValueConst self, int argc,
                                       JSValueConst *argv) {
  (void)self, (void)argc;
  fake_host *host = host_of(ctx);
  int32_t id;
  double ms;
  if (JS_ToInt32(ctx, &id, argv[0]) || JS_ToFloat64(ctx, &ms, argv[1]))
    return JS_EXCEPTION;
  if (host->timer_count >= host->timer_max)
    return JS_ThrowRangeError(ctx, "too many timers");
  host->timers[host->timer_count++] =
      (timer){.due = host->now + ms, .order = ++host->order, .id = id};
  return JS_UNDEFINED;
}

static inline void drop_timer(fake_host *host, size_t index) {
  host->timers[index] = host->timers[--host->timer_count];
}

static inline JSValue host_timer_stop(JSContext *ctx, JSValueConst self, int argc,
                                      JSValueConst *argv) {
  (void)self, (void)argc;
  fake_host *host = host_of(ctx);
  int32_t id;
  if (JS_ToInt32(ctx, &id, argv[0]))
    return JS_EXCEPTION;
  for (size_t i = 0; i < host->timer_count; i++)
    if (host->timers[i].id == id) {
      drop_timer(host, i);
      return JS_UNDEFINED;
    }
  return JS_UNDEFINED;
}

static inline JSValue host_now(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewFloat64(ctx, host_of(ctx)->now);
}

static const JSCFunctionListEntry binding_functions[] = {
    JS_CFUNC_DEF("log", 2, host_log),
    JS_CFUNC_DEF("timerStart", 2, host_timer_start),
    JS_CFUNC_DEF("timerStop", 1, host_timer_stop),
    JS_CFUNC_DEF("now", 0, host_now),
};

/* ---- what tests see ---- */

static inline JSValue test_assert(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  if (JS_ToBool(ctx, argv[0]))
    return JS_UNDEFINED;
  const char *why = JS_ToCString(ctx, argv[1]);
  JSValue thrown = JS_ThrowPlainError(ctx, "assert: %s", why ? why : "?");
  JS_FreeCString(ctx, why);
  return thrown;
}

static inline JSValue test_same(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  if (JS_IsSameValue(ctx, argv[0], argv[1]))
    return JS_UNDEFINED;
  const char *got = JS_ToCString(ctx, argv[0]);
  const char *want = JS_ToCString(ctx, argv[1]);
  fprintf(stderr, "same: got\n%s\nwanted\n%s\n", got ? got : "?", want ? want : "?");
  JS_FreeCString(ctx, got);
  JS_FreeCString(ctx, want);
  return JS_ThrowPlainError(ctx, "same: values differ (shown on stderr)");
}

/* throws(function, name) gives the error, whose `name` must be that. */
static inline JSValue test_throws(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  JSValue result = JS_Call(ctx, argv[0], JS_UNDEFINED, 0, NULL);
  if (!JS_IsException(result)) {
    JS_FreeValue(ctx, result);
    return JS_ThrowPlainError(ctx, "throws: nothing was thrown");
  }
  JSValue error = JS_GetException(ctx);
  JSValue name = JS_GetPropertyStr(ctx, error, "name");
  bool good = JS_IsSameValue(ctx, name, argv[1]);
  JS_FreeValue(ctx, name);
  if (good)
    return error;
  return JS_Throw(ctx, error);
}

/* Takes the lines logged so far, each as "<level> text". */
static inline JSValue test_lines(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  fake_host *host = host_of(ctx);
  JSValue list = JS_NewArray(ctx);
  for (size_t i = 0; i < host->line_count; i++) {
    size_t size = strlen(host->lines[i]) + 8;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%d %s", host->levels[i], host->lines[i]);
    JS_DefinePropertyValueUint32(ctx, list, (uint32_t)i, JS_NewString(ctx, text), JS_PROP_C_W_E);
    free(text);
    free(host->lines[i]);
  }
  host->line_count = 0;
  return list;
}

static inline JSValue test_timers(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewInt64(ctx, (int64_t)host_of(ctx)->timer_count);
}

static inline JSValue test_limit_timers(JSContext *ctx, JSValueConst self, int argc,
                                        JSValueConst *argv) {
  (void)self, (void)argc;
  int32_t max;
  if (JS_ToInt32(ctx, &max, argv[0]))
    return JS_EXCEPTION;
  host_of(ctx)->timer_max = max > 0 && max < TIMERS_MAX ? (size_t)max : 0;
  return JS_UNDEFINED;
}

static inline JSValue test_elapse(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  double ms;
  if (JS_ToFloat64(ctx, &ms, argv[0]))
    return JS_EXCEPTION;
  host_of(ctx)->now += ms;
  return JS_UNDEFINED;
}

/* Bytes in use after a collection. */
static inline JSValue test_heap(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  JSMemoryUsage usage;
  JS_RunGC(JS_GetRuntime(ctx));
  JS_ComputeMemoryUsage(JS_GetRuntime(ctx), &usage);
  return JS_NewInt64(ctx, usage.memory_used_size);
}

static inline JSValue test_thrown(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  fake_host *host = host_of(ctx);
  JSValue list = host->thrown;
  host->thrown = JS_NewArray(ctx);
  return list;
}

static const JSCFunctionListEntry host_functions[] = {
    JS_CFUNC_DEF("lines", 0, test_lines),
    JS_CFUNC_DEF("timers", 0, test_timers),
    JS_CFUNC_DEF("limitTimers", 1, test_limit_timers),
    JS_CFUNC_DEF("elapse", 1, test_elapse),
    JS_CFUNC_DEF("heap", 0, test_heap),
    JS_CFUNC_DEF("thrown", 0, test_thrown),
};

static const JSCFunctionListEntry test_functions[] = {
    JS_CFUNC_DEF("assert", 2, test_assert),
    JS_CFUNC_DEF("same", 2, test_same),
    JS_CFUNC_DEF("throws", 2, test_throws),
};

#define COUNT(table) (int)(sizeof table / sizeof *table)

#endif
