/* Bytes in from one descriptor and out to another, on a loop: pipes and sockets
 * through libuv, files and devices that cannot be waited for by plain calls.
 * Loop thread only. */
#ifndef VOW_HOST_CHANNEL_H
#define VOW_HOST_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"
#include "loop/loop.h"

typedef struct channel channel;

/* Reading stops while more than this waits to be written. */
#define CHANNEL_PAUSE_BYTES ((size_t)1 << 20)

typedef struct channel_options {
  const vow_allocator *allocator;
  loop *loop;  /* borrowed up to channel_close() */
  int in, out; /* descriptors; the channel's from then on, also when opening fails */
  void (*on_bytes)(void *user, const uint8_t *bytes, size_t len);
  void (*on_end)(void *user); /* nothing more comes: end of input, or a failure */
  /* Nobody reads what is written any more, or writing fails. Called once; what is
   * written from then on is dropped. `error` is libuv's. */
  void (*on_gone)(void *user, int error);
  void *user;
} channel_options;

/* NULL with a one-line message. */
channel *channel_open(const channel_options *options, char *message, size_t message_size);
/* Takes what is in `out` and writes it; `out` is empty then. False when memory is
 * short: then it is as it was. */
bool channel_write(channel *channel, cbor_out *out);
/* Bytes taken and not written. */
size_t channel_backlog(const channel *channel);
/* Its handles are closed by the loop; memory goes with the last of them. */
void channel_close(channel *channel);

#endif
