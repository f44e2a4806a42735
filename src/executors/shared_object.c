#include "executors/shared_object.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_SIZE (PATH_MAX + 512)

__attribute__((format(printf, 3, 4))) static void fail(vow_task_context *context, const char *type,
                                                       const char *format, ...) {
  char message[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  vow_task_fail(context, type, message, NULL);
}

/* The dynamic linker would look for a name without a slash elsewhere. NULL, said. */
static void *open_object(vow_task_context *context, const char *file) {
  char path[PATH_MAX];
  int len = snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file);
  if (len < 0 || (size_t)len >= sizeof path) {
    fail(context, "NotFoundError", "%.200s...: too long a path", file);
    return NULL;
  }
  if (access(path, R_OK) != 0) {
    fail(context, "NotFoundError", "%s: cannot be read: %s", file, strerror(errno));
    return NULL;
  }
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!object) {
    const char *why = dlerror();
    fail(context, "LoadError", "%s: cannot be loaded: %s", file, why ? why : "unknown");
  }
  return object;
}

/* Data is no function; of assembly it is not known. */
static bool is_function(void *symbol) {
  Dl_info info;
  const ElfW(Sym) *entry = NULL;
  if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
    return true;
  unsigned type = ELF64_ST_TYPE(entry->st_info);
  return type != STT_OBJECT && type != STT_TLS && type != STT_COMMON;
}

static vow_task_callback *find(vow_task_context *context, const vow_function *function) {
  vow_task_callback *callback = NULL;
  void *object = open_object(context, function->file);
  if (!object)
    return NULL;
  void *symbol = dlsym(object, function->name);
  dlclose(object); /* it stays all the same */
  if (!symbol)
    fail(context, "NotFoundError", "%s: there is no symbol '%s'", function->file, function->name);
  else if (!is_function(symbol))
    fail(context, "NotFoundError", "%s: '%s' is no function", function->file, function->name);
  else
    memcpy(&callback, &symbol, sizeof callback);
  return callback;
}

void shared_object_call(vow_task_context *context, const vow_function *function, bool load) {
  vow_task_callback *callback = find(context, function);
  if (callback && !load)
    callback(context, NULL);
}
