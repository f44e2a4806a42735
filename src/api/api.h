/* The table of host operations: each kind is declared once, here and in the
 * file that implements it. From the table come the guest's functions, the names
 * --allow knows and the reference page. */
#ifndef VOW_API_API_H
#define VOW_API_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"
#include "sandbox/host.h"

typedef struct db db; /* api/db.h */

#define API_NAME_MAX 32
#define API_MESSAGE_MAX 512

/* Why an operation failed; `name` is the guest's error class: TypeError,
 * RangeError, NotFoundError, ConflictError, PermissionError or ApiError. */
typedef struct api_error {
  char name[API_NAME_MAX];
  char code[API_NAME_MAX]; /* stable word for programs, e.g. "SQLITE_BUSY" */
  char message[API_MESSAGE_MAX];
  bool transient; /* may succeed when tried again */
} api_error;

/* One call, as its handler sees it. Bytes only: the handler runs on a worker
 * thread and owns nothing else. */
typedef struct api_call {
  db *db;
  const char *vault;
  cbor_in args;            /* over the one array of arguments; checked, bounded */
  const atomic_bool *stop; /* set by the loop when nobody waits any more */
  cbor_out *result;        /* exactly one item when the handler returns true */
  api_error *error;        /* filled when it returns false */
  bool fulfilled;          /* of one call in a batch: what its handler would return */
} api_call;

typedef bool api_handler(api_call *call);
/* Several calls at once, 2 to API_BATCH_MAX, of one db, vault and `stop`: fills
 * result or error of each and sets `fulfilled`. */
typedef void api_batch_handler(api_call *calls, size_t count);
#define API_BATCH_MAX 64

typedef struct api_kind {
  const char *name;       /* "notes.get" */
  unsigned arguments;     /* positional ones; {timeout, signal, priority} may follow */
  bool options_last;      /* the last of them is options: {timeout, ...} may be in it */
  const char *parameters; /* as in TypeScript, for people: "id: string" */
  const char *result;     /* "Note" */
  const char *doc;        /* one line */
  /* Blocking: runs on the worker pool. NULL: fetch, which is on the loop, and has the
   * options of a call among its own. */
  api_handler *handler;
  bool needs_db;
  bool writes; /* to the database, which may mean waiting for another process */
  host_policy policy;
  api_batch_handler *batch; /* NULL: one by one */
} api_kind;

/* All kinds, sorted by name. */
const api_kind *api_kinds(size_t *count);

/* Marks in `allowed` (one flag per kind of api_kinds) what a comma list of
 * names and globs ("notes.*,kv.get") names; fetch is named with a host
 * ("fetch:api.example.com", api/fetch_allow.h) and by no glob. False with a
 * one-line message that lists what there is when an entry matches nothing or is
 * malformed. An empty list allows nothing. */
bool api_allow(const char *list, bool *allowed, char *message, size_t message_size);

/* Whether `name` is what an entry of such a list names; '*' stands for any run of
 * characters. */
bool api_glob_matches(const char *glob, size_t glob_len, const char *name);

/* Fills `error`; returns false. The message is cut at API_MESSAGE_MAX on a
 * character boundary. */
bool api_error_set(api_error *error, const char *name, const char *code, bool transient,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A piece of foreign text fit for a one-line message: at most API_QUOTE_MAX - 4
 * bytes of whole characters (then "..."), with '?' for control characters. */
#define API_QUOTE_MAX 84
typedef struct api_quote {
  char text[API_QUOTE_MAX];
} api_quote;
api_quote api_quoted(const char *utf8, size_t len);

/* Fills `call->error`; returns false, so that a handler can `return api_fail(...)`. */
bool api_fail(api_call *call, const char *name, const char *code, bool transient,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
