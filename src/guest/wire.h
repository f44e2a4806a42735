/* What host and guest say to each other.
 *
 * One turn: the host writes a batch of messages into the guest's inbox and
 * calls guest_turn() once. The guest reads them all, runs until its job queue
 * is empty and answers into its outbox. Nothing re-enters: the only call out of
 * a turn is flush(), which makes the host read the outbox on the spot.
 *
 * The outbox only grows within a turn, and `outbox_len` is moved after a message
 * is complete, so the host may read it whenever the guest is suspended. The
 * guest empties it at the start of a turn and after flush().
 *
 * The guest's memory is untrusted: the host copies a header before it checks
 * it, and believes no length, kind or id. All numbers are little-endian. */
#ifndef VOW_GUEST_WIRE_H
#define VOW_GUEST_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Every message: this header, then `len` bytes, then padding up to 8. */
typedef struct wire_header {
  uint32_t type;
  uint32_t len;
  uint64_t id; /* of the call or timer; by the guest, opaque to the host */
} wire_header;

#define WIRE_ALIGN(n) (((n) + 7u) & ~(uint32_t)7)

/* The body of the message at `*at`, which moves behind it. NULL: it is cut short. What
 * pads the last one may be missing. */
static inline const uint8_t *wire_next(const uint8_t *bytes, size_t len, size_t *at,
                                       wire_header *header) {
  if (len - *at < sizeof *header)
    return NULL;
  memcpy(header, bytes + *at, sizeof *header);
  *at += sizeof *header;
  const uint8_t *body = bytes + *at;
  if (header->len > len - *at)
    return NULL;
  size_t padded = ((size_t)header->len + 7) & ~(size_t)7;
  *at += padded < len - *at ? padded : len - *at;
  return body;
}

enum {
  /* host to guest */
  WIRE_START = 1, /* array: wire_start_field in order */
  WIRE_FULFIL,    /* the value */
  WIRE_REJECT,    /* array: name, message, code, transient, operation id, name, attempts */
  WIRE_TIMER,     /* empty: the timer fired */
  WIRE_FINISH,    /* empty: tell the first rejection that nobody handled */
  WIRE_STUCK,     /* empty: tell what the run's promise waits for */
  WIRE_LOAD,      /* as WIRE_START: define and compile only; silence means success */
  WIRE_PROCESS, /* array: argv, env, cwd, pid; before WIRE_START, whose source is a program then */
  WIRE_LIBRARY, /* empty; before WIRE_START, whose source is then executed and has no value of its
                 * own: its functions are called */
  WIRE_INVOKE,  /* to a library that has said WIRE_LOADED and answered what came before; array:
                 * name and argument: call that function; name: only look for it; empty: the value
                 * that the source would have, were it no library */

  /* guest to host */
  WIRE_CALL = 32,   /* array: kind, timeout in ms or null, priority, site or null, [arguments] */
  WIRE_CANCEL,      /* empty: the call's caller wants no answer any more */
  WIRE_TIMER_START, /* number: delay in ms; or array: that and the site */
  WIRE_TIMER_STOP,  /* empty */
  WIRE_LOG,         /* array: level, text; of a program also WIRE_LEVEL_*, text or bytes */
  WIRE_VALUE,       /* the value the run settled with */
  WIRE_ERROR,       /* wire_error_field map; the run settled with it */
  WIRE_UNHANDLED,   /* likewise: answer to WIRE_FINISH, when there is one */
  WIRE_STUCK_AT,    /* text: lines of a trace; answer to WIRE_STUCK, when there are any */
  WIRE_EXIT,        /* array: exit status, bool: now; of a program */

  /* Deferred: functions that a worker's guest runs (natively only). The main guest
   * tells the host, and the host its workers. */
  WIRE_CODE, /* both ways, array: hash (bytes, WIRE_HASH), bytecode (bytes), source (text), function
              * name (text), file (text); before the first call or task that names it */
  WIRE_REJECT_VALUE, /* to the main guest: the thrown value; the call is rejected with exactly that
                      */
  WIRE_PROGRESS,     /* both ways, a value: progress of the call or task `id` */
  WIRE_CODE_DROP,    /* to a worker, bytes: the hash to forget */
  WIRE_TASK,         /* to a worker, array: hash, [arguments]; `id` is the task's. One at a time */
  WIRE_TASK_VALUE,   /* from a worker: the value that the task `id` is fulfilled with */
  WIRE_TASK_ERROR,   /* from a worker: the value that the task `id` is rejected with */

  /* A library. What it says by WIRE_ERROR and WIRE_UNHANDLED ends it. */
  WIRE_LOADED,   /* empty: its source was executed */
  WIRE_RETURNED, /* the value of what was invoked */
  WIRE_THROWN,   /* wire_error_field map: what was invoked threw */
  WIRE_MISSING,  /* array: bool: there is something of that name, no function; functions there are,
                  * text */
};

/* A program writes to standard output and error as it is: no line ends are added. */
enum { WIRE_LEVEL_OUT = 4, WIRE_LEVEL_ERR };

/* WIRE_START, an array in this order. */
enum {
  WIRE_START_SEEDS,   /* bytes: random state (8), hash seed (4) */
  WIRE_START_STACK,   /* JavaScript stack, bytes */
  WIRE_START_MODULE,  /* bool: the source is a module by its name */
  WIRE_START_NAME,    /* text: file name for traces */
  WIRE_START_SOURCE,  /* text, or bytes when it is not UTF-8; null: it was loaded */
  WIRE_START_CONTEXT, /* text: JSON of `context`; bytes: its CBOR, not frozen then */
  WIRE_START_KINDS,   /* array of [name, number of arguments, the last is options, kind] */
  WIRE_START_RESULT,  /* result limit, bytes */
  WIRE_START_DEBUG,   /* bool: tell the site of each call */
  WIRE_START_FIELDS,
};

/* WIRE_ERROR: a map with these keys; all but `kind` may be missing. */
#define WIRE_ERROR_KIND "kind" /* script, api, denied, stack, result, memory */
#define WIRE_ERROR_NAME "name"
#define WIRE_ERROR_MESSAGE "message"
#define WIRE_ERROR_STACK "stack"
#define WIRE_ERROR_SHOWN "shown"         /* all of it as the console shows it; of a program */
#define WIRE_ERROR_OPERATION "operation" /* array: id, name, attempts */

/* WIRE_CODE: what a function is known by, the first bytes of the SHA-256 of its bytecode. */
#define WIRE_HASH 16u

/* Shared words at a fixed place in the guest's memory. */
typedef struct wire_shared {
  uint32_t inbox, inbox_size;   /* address and room */
  uint32_t outbox, outbox_size; /* address and room */
  uint32_t outbox_len;          /* bytes of complete messages */
  uint32_t unhandled;           /* rejections nobody has handled so far */
  uint32_t settled;             /* 1: WIRE_VALUE or WIRE_ERROR has been said */
  uint32_t out_of_memory;       /* 1: an allocation was refused; never cleared */
} wire_shared;

#define WIRE_INBOX_SIZE 8192u
#define WIRE_OUTBOX_SIZE 8192u

/* Bounds on one value in either direction; bytes are bounded by memory. */
#define WIRE_DEPTH_MAX 256u
#define WIRE_MESSAGE_MAX (64u << 20)
/* Of a call or timer: where script created it. */
#define WIRE_SITE_MAX 1024u
#define WIRE_NODES_MAX WIRE_MESSAGE_MAX

/* Timer ids have this bit, so that they never equal a call's. */
#define WIRE_TIMER_BIT (UINT64_C(1) << 63)

#endif
