/* A session over a pair of descriptors, from its first byte to its end. */
#ifndef VOW_HOST_SERVE_H
#define VOW_HOST_SERVE_H

#include "host/session.h"

typedef enum {
  SERVE_ENDED,  /* the input ended, and everything is done */
  SERVE_FAILED, /* nothing more can be written, for another reason than a reader that is
                   gone; or memory was short: `message` says which */
  SERVE_SIGNAL, /* SIGINT or SIGTERM */
  SERVE_SETUP,  /* it did not begin: `message` */
} serve_end;

/* Runs the loop of the session's shard until the end, and closes neither. When the
 * input ends, calls fail at once and runs have SERVE_GRACE_MS for their own end;
 * when nobody reads any more, or at a signal, they are ended at once. What is left
 * to be written has SERVE_GRACE_MS. */
#define SERVE_GRACE_MS 2000u
serve_end serve(session *session, shard *shard, int in, int out, char *message,
                size_t message_size);

#endif
