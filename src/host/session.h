/* One program that uses Vow by JSON-RPC: what it registers, the runs it asked
 * for, the calls it has to answer. docs/host.md is the protocol.
 *
 * Bytes go in by session_feed(), messages come out in session_output(); nothing
 * here reads or writes. Loop thread of the shard only. */
#ifndef VOW_HOST_SESSION_H
#define VOW_HOST_SESSION_H

#include "core/cbor.h"
#include "sandbox/host.h"
#include "sandbox/recorder.h"
#include "sandbox/shard.h"

typedef struct session session;

#define SESSION_BACKLOG_MAX ((size_t)64 << 20)

typedef struct session_options {
  const vow_allocator *allocator;
  shard *shard;               /* borrowed up to session_end() and the end of its handlers */
  recorder *recorder;         /* begun; borrowed up to the end of its handlers */
  const host_kind *built_ins; /* that runs may be allowed; borrowed up to session_close() */
  size_t built_ins_count;
  size_t message_max; /* bytes of a line that comes in, and of a call that goes out */
  uint32_t runs_max;  /* live at once; some more wait */
  const char *version;
} session_options;

/* NULL when memory is short. */
session *session_open(const session_options *options);
void session_feed(session *session, const uint8_t *bytes, size_t len);
/* Opens runs that waited for a place: after each turn of the loop. */
void session_turn(session *session);
/* What is to be written, in whole lines; the caller takes from it and empties it. */
cbor_out *session_output(session *session);
/* Bytes taken that have not gone out. Beyond SESSION_BACKLOG_MAX calls fail and
 * log lines are dropped. */
void session_set_backlog(session *session, size_t bytes);

/* No input comes any more: calls fail, now and later; runs go on. */
void session_deafen(session *session);
/* Ends every run, with its answer in the output, and every call. */
void session_end(session *session);
/* No run, none waiting, no call. */
bool session_idle(const session *session);
/* Memory was short for something that had to be told, or for a message that came in:
 * the session is to be ended. */
bool session_failed(const session *session);
/* After session_end(), when every handler has ended and the shard is closed: the
 * names of operations are its until then. */
void session_close(session *session);

#endif
