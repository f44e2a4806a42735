/* What scripts of a command may call, and what that needs: threads, a database. */
#ifndef VOW_CLI_BACKEND_H
#define VOW_CLI_BACKEND_H

#include "api/db.h"
#include "api/host.h"
#include "sandbox/shard.h"

#define BACKEND_KINDS_MAX 256u

/* As given on the command line, which it outlives. */
typedef struct backend_settings {
  const char *allow; /* --allow; NULL: see `trusted` */
  const char *db, *vault;
  bool trusted; /* without a list all is allowed that needs no set-up, and with `db` what that
                   is for; fetch goes everywhere. Else nothing is. */
} backend_settings;

typedef struct backend {
  bool allowed[BACKEND_KINDS_MAX];
  bool needs_db;
  db *store;
  pool *workers;
  api_host *api;
} backend;

/* Fills in what is allowed. False with a one-line message. */
bool backend_check(backend *backend, const backend_settings *settings, char *message,
                   size_t message_size);
/* Opens everything; threads also for a caller that needs them itself (`needs_threads`).
 * After everything else that may be refused, so that a set-up error leaves no new
 * database. False with a one-line message. */
bool backend_open(backend *backend, const backend_settings *settings, shard *shard,
                  bool needs_threads, char *message, size_t message_size);
/* Before the shard is closed, and after; also when opening failed, or never was. */
void backend_unbind(backend *backend);
void backend_close(backend *backend);

#endif
