#include "cli/backend.h"

#include <stdio.h>

#include "api/notes.h"

#define THREADS_MAX 4u

static bool refuse(char *message, size_t size, const char *why) {
  snprintf(message, size, "%s", why);
  return false;
}

bool backend_check(backend *backend, const backend_settings *settings, char *message,
                   size_t message_size) {
  char why[256];
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  if (count > BACKEND_KINDS_MAX)
    return refuse(message, message_size, "too many kinds of operations");
  if (!notes_vault_check(settings->vault, why, sizeof why)) {
    snprintf(message, message_size, "--vault: %s", why);
    return false;
  }
  if (settings->allow && !api_allow(settings->allow, backend->allowed, message, message_size))
    return false;
  for (size_t i = 0; i < count; i++) {
    if (!settings->allow && settings->trusted)
      backend->allowed[i] = kinds[i].handler && (!kinds[i].needs_db || settings->db);
    backend->needs_db |= backend->allowed[i] && kinds[i].needs_db;
  }
  return true;
}

bool backend_open(backend *backend, const backend_settings *settings, shard *shard,
                  bool needs_threads, char *message, size_t message_size) {
  const pool_options threads = {.threads_max = THREADS_MAX};
  const char *url = settings->db ? settings->db : DB_URL_DEFAULT;
  needs_threads |= backend->needs_db;
  if (needs_threads && !(backend->workers = pool_open(&threads)))
    return refuse(message, message_size, "out of memory");
  if (needs_threads && !pool_start(backend->workers))
    return refuse(message, message_size, "no worker thread can be started");
  if (backend->needs_db && !db_open(url, DB_CREATE, NULL, &backend->store, message, message_size))
    return false;
  backend->api =
      api_host_open(NULL, backend->allowed, backend->store, settings->vault, backend->workers);
  bool everywhere = settings->trusted && !settings->allow;
  return (backend->api &&
          (everywhere ? api_host_open_fetch_everywhere(backend->api)
                      : api_host_open_fetch(backend->api, settings->allow)) &&
          api_host_bind(backend->api, shard)) ||
         refuse(message, message_size, "out of memory");
}

void backend_unbind(backend *backend) {
  api_host_unbind(backend->api);
}

void backend_close(backend *backend) {
  pool_close(backend->workers);
  api_host_close(backend->api);
  db_close(backend->store);
}
