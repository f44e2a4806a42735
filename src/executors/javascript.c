/* Calls of JavaScript, and the instances that wait for them. */
#include "executors/javascript.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "executors/instance.h"
#include "loop/spin.h"

struct javascript {
  javascript_options options;
  uv_mutex_t lock; /* guards the following, and which instance a call has */
  instance *idle;  /* the last used first */
  size_t idle_count;
};

javascript *javascript_open(const javascript_options *options) {
  javascript *javascript = mem_new(options->allocator, 1, sizeof *javascript);
  if (!javascript)
    return NULL;
  javascript->options = *options;
  if (spin_mutex_init(&javascript->lock) == 0)
    return javascript;
  mem_free(options->allocator, javascript);
  return NULL;
}

void javascript_close(javascript *javascript) {
  if (!javascript)
    return;
  while (javascript->idle) {
    instance *instance = javascript->idle;
    javascript->idle = *instance_next(instance);
    instance_close(instance);
  }
  uv_mutex_destroy(&javascript->lock);
  mem_free(javascript->options.allocator, javascript);
}

size_t javascript_idle(javascript *javascript) {
  uv_mutex_lock(&javascript->lock);
  size_t count = javascript->idle_count;
  uv_mutex_unlock(&javascript->lock);
  return count;
}

/* ---- the instances that wait ---- */

/* Under the lock. */
static instance *take_idle(javascript *javascript, const instance_key *key) {
  instance **at = &javascript->idle;
  while (*at && !instance_is_of(*at, key))
    at = instance_next(*at);
  instance *taken = *at;
  if (taken) {
    *at = *instance_next(taken);
    javascript->idle_count--;
  }
  return taken;
}

/* Under the lock. The one to be closed for it; NULL: none. */
static instance *keep_idle(javascript *javascript, instance *kept) {
  *instance_next(kept) = javascript->idle;
  javascript->idle = kept;
  if (++javascript->idle_count <= JAVASCRIPT_IDLE_MAX)
    return NULL;
  instance **last = &javascript->idle;
  while (*instance_next(*last))
    last = instance_next(*last);
  instance *dropped = *last;
  *last = NULL;
  javascript->idle_count--;
  return dropped;
}

/* ---- a call ---- */

void javascript_call_init(javascript_call *call, javascript *javascript) {
  *call = (javascript_call){.javascript = javascript};
}

void javascript_call_stop(javascript_call *call) {
  uv_mutex_lock(&call->javascript->lock);
  if (!call->stopping && call->instance)
    instance_stop(call->instance);
  call->stopping = true;
  uv_mutex_unlock(&call->javascript->lock);
}

/* False: it was stopped before. */
static bool begin(javascript_call *call, instance *instance) {
  uv_mutex_lock(&call->javascript->lock);
  bool stopped = call->stopping;
  if (!stopped)
    call->instance = instance;
  uv_mutex_unlock(&call->javascript->lock);
  return !stopped;
}

/* From here on nobody stops the instance for this call. Whether somebody has. */
static bool end(javascript_call *call) {
  uv_mutex_lock(&call->javascript->lock);
  bool stopped = call->instance && call->stopping;
  call->instance = NULL;
  uv_mutex_unlock(&call->javascript->lock);
  return stopped;
}

/* An absolute path, so that a change of folder leads to no other file. False: it is too
 * long, or the current folder has none. */
static bool read_key(const vow_function *function, char path[PATH_MAX], instance_key *key) {
  char folder[PATH_MAX];
  *key = (instance_key){.isolated = function->language == VOW_JAVASCRIPT_ISOLATED,
                        .source = function->source};
  if (!function->file)
    return true;
  key->file = function->file;
  if (function->file[0] == '/')
    return true;
  if (!getcwd(folder, sizeof folder))
    return false;
  int len = snprintf(path, PATH_MAX, "%s/%s", folder, function->file);
  key->file = path;
  return len >= 0 && len < PATH_MAX;
}

static instance *take(javascript *javascript, const instance_key *key, javascript_result *result) {
  uv_mutex_lock(&javascript->lock);
  instance *taken = take_idle(javascript, key);
  uv_mutex_unlock(&javascript->lock);
  return taken ? taken : instance_open(&javascript->options, key, result);
}

static void give_back(javascript *javascript, instance *instance, bool stopped) {
  struct instance *dropped = instance;
  if (instance_end_call(instance, stopped)) {
    uv_mutex_lock(&javascript->lock);
    dropped = keep_idle(javascript, instance);
    uv_mutex_unlock(&javascript->lock);
  }
  if (dropped)
    instance_close(dropped);
}

void javascript_call_run(javascript_call *call, const javascript_request *request,
                         javascript_result *result) {
  javascript *javascript = call->javascript;
  instance_key key;
  char path[PATH_MAX];
  memset(result, 0, sizeof *result);
  result->allocator = javascript->options.allocator;
  if (!read_key(request->function, path, &key)) {
    javascript_fail(result, "NotFoundError", NULL, "%s: its folder has no path",
                    request->function->file);
    return;
  }
  instance *instance = take(javascript, &key, result);
  if (!instance)
    return;
  if (begin(call, instance))
    instance_call(instance, request, result);
  else
    javascript_fail(result, "AbortError", NULL, "it was stopped before it began");
  give_back(javascript, instance, end(call));
}

/* ---- results ---- */

/* Cut before a character that does not fit. */
static void put_cut(char *to, size_t size, const char *text) {
  size_t len = strnlen(text, size);
  if (len == size)
    for (len = size - 1; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
      len--;
  memcpy(to, text, len);
  to[len] = 0;
}

void javascript_fail(javascript_result *result, const char *type, const char *detail,
                     const char *format, ...) {
  char text[sizeof result->message + 8];
  va_list arguments;
  mem_free(result->allocator, result->value);
  mem_free(result->allocator, result->detail);
  result->fulfilled = false;
  result->value = NULL;
  result->value_len = 0;
  result->detail = detail ? mem_text(result->allocator, detail, strlen(detail)) : NULL;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  put_cut(result->type, sizeof result->type, type);
  put_cut(result->message, sizeof result->message, text);
}

void javascript_result_free(javascript_result *result) {
  mem_free(result->allocator, result->value);
  mem_free(result->allocator, result->detail);
  result->value = NULL;
  result->detail = NULL;
}
