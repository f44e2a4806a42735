/* Shared by the session's files. */
#ifndef VOW_HOST_SESSION_INT_H
#define VOW_HOST_SESSION_INT_H

#include "api/registry.h"
#include "host/lines.h"
#include "host/rpc.h"
#include "host/session.h"
#include "sandbox/run.h"

#define OPERATIONS_MAX 1024u
#define PARAMETERS_MAX 16u
#define CALLS_MAX 65536u
#define WAITING_MAX 10000u
#define MESSAGE_TEXT 600u /* of an error, with what was quoted */

/* An operation that the host registered. It lives as long as the session. */
typedef struct operation {
  struct operation *next; /* in the session's list, newest first */
  session *session;
  char *name;
  uint8_t *bytes; /* the CBOR of its registration, which the readers below point into */
  field_text description;
  struct {
    char name[64];
    cbor_in schema;
    bool optional;
  } parameters[PARAMETERS_MAX];
  uint32_t parameters_count;
  field_value result; /* a schema */
  host_kind kind;     /* open: what it allows holds for all runs together */
} operation;

/* The operations that a run may call. */
typedef struct grant {
  host_kind *kinds;
  size_t count;
} grant;

/* A request of ours that the host has not answered. */
typedef struct remote_call {
  host_call *call; /* NULL: a free place */
  uint32_t generation, next_free;
} remote_call;

/* Requests that came in one array: their answers go out in one. */
typedef struct batch {
  cbor_out answers;
  size_t pending;
  bool complete; /* all of the array was looked at */
} batch;

typedef struct session_run {
  session *session;
  struct session_run *next, *previous; /* in the list of live ones, or of waiting ones */
  rpc_id id;
  batch *batch;        /* NULL: the request came alone */
  run *run;            /* NULL while it waits */
  size_t known;        /* operations there were when it was asked for: `allow` is about these */
  uint8_t *parameters; /* CBOR, while it waits */
  size_t parameters_len;
  bool progress; /* the host is told what its operations do */
  /* The run, and the call of it, that this one is nested in, with what that had of time
   * and priority; NULL: none. It ends before that run is freed. */
  struct session_run *parent;
  uint64_t parent_call, parent_ms;
  uint8_t parent_priority;
  char *tenant;
  char parent_name[AUDIT_ID_LEN + 24]; /* of the audit: RUN/NUMBER */
  run_audit audit;
  size_t holders; /* until it has ended; handlers that have not */
} session_run;

typedef struct run_list {
  session_run *first, *last;
  size_t count;
} run_list;

struct session {
  session_options options;
  lines lines;
  cbor_out parsed; /* the line at hand, as CBOR */
  cbor_out out;
  size_t answer_start; /* of the answer that is being written, in `out` */
  size_t backlog;
  bool deaf, ended, failed;

  operation *operations;
  size_t operations_count;
  api_registry registry; /* what is built in, then `operations` */

  run_list live, waiting;
  size_t waiting_bytes;
  remote_call *calls;
  uint32_t calls_size, calls_free, calls_count; /* calls_free: index + 1, 0 none */

  uint64_t strays; /* answers and notifications that belong to nothing */
  uint64_t logs_dropped, progress_dropped;
  size_t nested; /* runs with a parent */
};

/* ---- session.c ---- */

/* Begins an answer: `"result":` is written, or the whole error. */
cbor_out *session_answer_begin(session *session, batch *batch, const rpc_id *id);
void session_answer_end(session *session, batch *batch);
void session_answer_error(session *session, batch *batch, const rpc_id *id, int code,
                          const char *message);
/* A message of ours begins at the returned length, and goes out, or is taken back. */
bool session_message_end(session *session, size_t start);

/* ---- operations.c ---- */

/* Adds all operations of `params`, or none. */
bool operations_register(session *session, cbor_in params, size_t *count, char *message,
                         size_t message_size);
/* What `allow` (a list, or nothing) allows of the first `known` operations, to be
 * given back. False with a message. */
bool operations_grant(session *session, size_t known, field_value allow, grant *grant,
                      char *message, size_t message_size);
void operations_grant_end(session *session, grant *grant);
void operations_put_types(session *session, const grant *grant, cbor_out *out);
/* When no run is left, and before the shard is closed. */
void operations_end(session *session);
void operations_free(session *session);

/* ---- runs.c ---- */

void runs_eval(session *session, batch *batch, const rpc_id *id, cbor_in params);
/* Whether there was such a run. */
bool runs_cancel(session *session, const rpc_id *id);
void runs_open_waiting(session *session);
/* Ends the runs that are nested in `run`, or in the call `id` of it alone (0: all). */
void runs_end_nested(session *session, const session_run *run, uint64_t id);
void runs_end(session *session);

/* ---- progress.c ---- */

void progress_event(session_run *run, const run_event *event);
/* What the host says of a call; `value` is JSON's, as CBOR. */
void progress_value(session_run *run, const host_call *call, const char *name, cbor_in value);

/* ---- calls.c ---- */

/* Of host_kind; `user` is the operation. */
void calls_start(host_call *call, void *user);
void calls_start_batch(host_call **calls, size_t count, void *user);
void calls_stop(host_call *call, void *user);
void calls_answer(session *session, const rpc_message *message);
/* The call with that id on the wire; NULL: none is going on. */
host_call *calls_find(const session *session, const rpc_id *id, uint64_t *wire_id);
/* The host tells of a call, to whoever follows the run. */
void calls_progress(session *session, cbor_in params);
void calls_end(session *session);

#endif
