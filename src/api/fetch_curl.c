#include "api/fetch_curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rest until `ready` */
static bool ready;
static fetch_curl functions;

static bool find_functions(void *library) {
#define FIND(name) {"curl_" #name, (void **)(void *)&functions.name},
  const struct {
    const char *name;
    void **into;
  } wanted[] = {FETCH_CURL_FUNCTIONS(FIND)};
#undef FIND
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    *wanted[i].into = dlsym(library, wanted[i].name);
    if (!*wanted[i].into)
      return false;
  }
  return true;
}

/* Other TLS libraries write keys by themselves. */
static bool may_log_keys(void *library, const char *tls) {
  const char *file = getenv("SSLKEYLOGFILE");
  if (tls && strncmp(tls, "OpenSSL/", 8) == 0)
    *(void **)(void *)&functions.set_keylog = dlsym(library, "SSL_CTX_set_keylog_callback");
  return !functions.set_keylog && file && *file;
}

/* The loader tells why in words only, so the system is asked. */
static bool lacks_descriptors(void) {
  int fd = open("/", O_PATH | O_CLOEXEC);
  if (fd >= 0)
    close(fd);
  return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

/* NULL, or why not; `passing` when it may work later. */
static const char *open_library(bool *passing) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
  *passing = !library && lacks_descriptors();
  if (*passing)
    return "libcurl cannot be loaded: Too many open files";
  if (!library)
    return "libcurl.so.4 cannot be loaded; install libcurl 7.88 or newer (Debian: libcurl4)";
  if (!find_functions(library))
    return "libcurl is too old; version 7.88 or newer is needed";
  const curl_version_info_data *version = functions.version_info(CURLVERSION_NOW);
  if (version->version_num < FETCH_CURL_MIN)
    return "libcurl is too old; version 7.88 or newer is needed";
  if (!(version->features & CURL_VERSION_ASYNCHDNS))
    return "libcurl was built without asynchronous name lookup";
  if (may_log_keys(library, version->ssl_version))
    return "SSLKEYLOGFILE is set, and this libcurl would write the keys of connections to it; "
           "unset it";
  return functions.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NULL
                                                                : "libcurl cannot be initialised";
}

const fetch_curl *fetch_curl_get(const char **why, bool *passing) {
  pthread_mutex_lock(&lock);
  *why = NULL;
  *passing = false;
  if (!ready)
    *why = open_library(passing);
  ready = !*why;
  pthread_mutex_unlock(&lock);
  return *why ? NULL : &functions;
}
