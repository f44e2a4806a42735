/* libcurl's sockets and its timer on the loop of a shard. */
#ifndef VOW_API_FETCH_POLL_H
#define VOW_API_FETCH_POLL_H

#include <uv.h>

#include "api/fetch_curl.h"
#include "loop/loop.h"

typedef struct fetch_socket fetch_socket;

typedef struct fetch_poll {
  const vow_allocator *allocator;
  const fetch_curl *curl; /* NULL before the first call */
  CURLM *multi;           /* NULL: not open */
  /* Calls multi_socket_action() with these. */
  void (*act)(void *user, curl_socket_t fd, int events);
  void *user;
  /* While the loop is joined: */
  loop *loop;
  uv_timer_t *timer;
  fetch_socket *sockets;
} fetch_poll;

/* Makes `multi`, unless it is there. False when memory is short. */
bool fetch_poll_open(fetch_poll *poll);
/* Every transfer has been removed. Closes the connections that are kept. */
void fetch_poll_close(fetch_poll *poll);

/* From now on `act` is called when there is something to do. False when memory is
 * short. */
bool fetch_poll_join(fetch_poll *poll, loop *loop);
/* Nothing of it is left on the loop, which may be closed. */
void fetch_poll_leave(fetch_poll *poll);

#endif
