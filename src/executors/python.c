#include "executors/python.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "engine/guest_file.h"
#include "executors/python_module.h"
#include "vow/version.h"

#define NOT_FOUND "NotFoundError"

void python_call_init(python_call *call) {
  memset(call, 0, sizeof *call);
  atomic_init(&call->stopping, false);
}

static void clear(python_result *result, const vow_allocator *allocator) {
  result->fulfilled = false;
  result->value = NULL;
  result->value_len = 0;
  result->type[0] = result->message[0] = 0;
  result->detail = NULL;
  result->allocator = allocator;
}

void python_result_free(python_result *result) {
  mem_free(result->allocator, result->value);
  mem_free(result->allocator, result->detail);
  clear(result, NULL);
}

#ifdef VOW_PYTHON_OFF

void python_call_stop(python_call *call) {
  atomic_store(&call->stopping, true);
}

void python_call_run(python_call *call, const python_request *request, python_result *result) {
  (void)call;
  clear(result, request->allocator);
  snprintf(result->type, sizeof result->type, NOT_FOUND);
  snprintf(result->message, sizeof result->message, "Python is not in this build: " VOW_PYTHON_OFF);
}

#else

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next two */
static char start_failure[512]; /* an interpreter is started once, so this is final */
static pid_t starter;           /* in a child of this process the interpreter is of no use */
static _Atomic(const python_module *) module; /* set once, under the lock */

/* Two interpreters in one process would be given each other's symbols. */
static bool python_is_here(void) {
  return dlsym(RTLD_DEFAULT, "Py_IsInitialized") != NULL;
}

static const python_module *open_module(char *why, size_t size) {
  char path[PATH_MAX];
  if (python_is_here()) {
    snprintf(why, size, "this program has an interpreter of Python already");
    return NULL;
  }
  if (!guest_file_find(NULL, PYTHON_MODULE_FILE, path, sizeof path)) {
    snprintf(why, size, PYTHON_MODULE_FILE " cannot be found; it belongs in " GUEST_FILE_PLACES);
    return NULL;
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const python_module *found = library ? dlsym(library, PYTHON_MODULE_SYMBOL) : NULL;
  if (!found) {
    const char *error = dlerror();
    snprintf(why, size, "%s cannot be loaded: %s", path, error ? error : "another file");
    return NULL;
  }
  if (strcmp(found->version, VOW_VERSION) == 0 && found->call_size == sizeof(python_call) &&
      found->request_size == sizeof(python_request) && found->result_size == sizeof(python_result))
    return found;
  snprintf(why, size, "%s is of another build of Vow", path);
  return NULL;
}

/* Under the lock. */
static const python_module *start_module(char *why, size_t size) {
  bool again = false;
  if (start_failure[0]) {
    snprintf(why, size, "%s", start_failure);
    return NULL;
  }
  const python_module *found = open_module(why, size);
  if (!found || found->start(why, size, &again))
    return found;
  if (!again)
    snprintf(start_failure, sizeof start_failure, "%.511s", why);
  return NULL;
}

static const python_module *get_module(char *why, size_t size) {
  const python_module *got = atomic_load(&module);
  if (got && getpid() == starter)
    return got;
  if (got) {
    snprintf(why, size, "this process is a fork of one that used it");
    return NULL;
  }
  pthread_mutex_lock(&lock);
  got = atomic_load(&module);
  if (!got && (got = start_module(why, size))) {
    starter = getpid();
    atomic_store(&module, got);
  }
  pthread_mutex_unlock(&lock);
  return got;
}

void python_call_stop(python_call *call) {
  atomic_store(&call->stopping, true);
  const python_module *got = atomic_load(&module);
  if (got)
    got->stop(call);
}

void python_call_run(python_call *call, const python_request *request, python_result *result) {
  char why[sizeof start_failure + PATH_MAX];
  clear(result, request->allocator);
  const python_module *got = get_module(why, sizeof why);
  if (got) {
    got->run(call, request, result);
    return;
  }
  snprintf(result->type, sizeof result->type, NOT_FOUND);
  snprintf(result->message, sizeof result->message, "Python cannot be used: %.3900s", why);
}

#endif
