/* Host operations as a run sees them: a name, and a handler that answers. */
#ifndef VOW_SANDBOX_HOST_H
#define VOW_SANDBOX_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct host_call host_call;

typedef struct host_kind {
  const char *name;   /* "notes.get"; borrowed for as long as runs use the kind */
  uint32_t arguments; /* positional ones */
  bool options_last;  /* the last one is options: {timeout, signal, priority} may be in it */
  /* Begins the work, on the loop thread. It must lead to exactly one
   * host_call_fulfil() or host_call_reject(), now or later, also after `stop`. */
  void (*start)(host_call *call, void *user);
  /* Nobody waits for the answer any more: end soon. NULL: it cannot be hurried. */
  void (*stop)(host_call *call, void *user);
  void *user;
} host_kind;

typedef struct host_error {
  const char *name;    /* guest class: "NotFoundError"; NULL = ApiError */
  const char *code;    /* NULL: none */
  const char *message; /* UTF-8 */
  bool transient;
} host_error;

/* The arguments: one CBOR array, checked and bounded; valid until answered. */
const uint8_t *host_call_arguments(const host_call *call, size_t *len);
/* Cookie of the handler. */
void host_call_set_data(host_call *call, void *data);
void *host_call_data(const host_call *call);
struct shard *host_call_shard(const host_call *call);

/* Ends the handler with a value (one CBOR item, copied) or an error, on the loop
 * thread. `call` is invalid afterwards. If the operation was settled before
 * (deadline, cancel, end of the run) the answer is counted as late and dropped. */
void host_call_fulfil(host_call *call, const void *value, size_t len);
void host_call_reject(host_call *call, const host_error *error);

#endif
