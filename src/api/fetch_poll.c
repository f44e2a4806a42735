#include "api/fetch_poll.h"

/* Connections kept for later requests, and open at once. */
#define KEPT_CONNECTIONS_MAX 32L
#define CONNECTIONS_MAX 256L

/* A socket of libcurl's that is watched. */
struct fetch_socket {
  uv_poll_t poll; /* `data` is this */
  const vow_allocator *allocator;
  fetch_poll *owner;
  struct fetch_socket *next, *previous;
  curl_socket_t fd;
  int events; /* of libuv's, watched for */
};

static void act(fetch_poll *poll, curl_socket_t fd, int events) {
  poll->act(poll->user, fd, events);
}

static void free_socket(uv_handle_t *handle) {
  fetch_socket *watched = handle->data;
  mem_free(watched->allocator, watched);
}

static void unwatch(fetch_socket *watched) {
  if (watched->previous)
    watched->previous->next = watched->next;
  else
    watched->owner->sockets = watched->next;
  if (watched->next)
    watched->next->previous = watched->previous;
  uv_close((uv_handle_t *)&watched->poll, free_socket);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  fetch_socket *watched = poll->data;
  int flags = 0;
  if (status < 0) {
    /* libuv has stopped. libcurl finds out what is wrong by using the socket, and
     * so sends a request again whose kept connection was closed meanwhile. */
    uv_poll_start(poll, watched->events, on_poll);
    flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
  }
  if (events & UV_READABLE)
    flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE)
    flags |= CURL_CSELECT_OUT;
  act(watched->owner, watched->fd, flags);
}

static fetch_socket *watch(fetch_poll *poll, curl_socket_t fd) {
  fetch_socket *watched = mem_new(poll->allocator, 1, sizeof *watched);
  if (!watched)
    return NULL;
  if (uv_poll_init(loop_uv(poll->loop), &watched->poll, fd) != 0) {
    mem_free(poll->allocator, watched);
    return NULL;
  }
  watched->poll.data = watched;
  watched->allocator = poll->allocator;
  watched->owner = poll;
  watched->fd = fd;
  watched->next = poll->sockets;
  if (poll->sockets)
    poll->sockets->previous = watched;
  poll->sockets = watched;
  return watched;
}

/* libcurl's: watch `fd` from now on for `what`. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned) {
  (void)easy;
  fetch_poll *poll = user;
  fetch_socket *watched = assigned;
  if (what == CURL_POLL_REMOVE) {
    if (watched)
      unwatch(watched);
    poll->curl->multi_assign(poll->multi, fd, NULL);
    return 0;
  }
  if (!watched && !(watched = watch(poll, fd)))
    return -1;
  poll->curl->multi_assign(poll->multi, fd, watched);
  watched->events =
      (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
  return uv_poll_start(&watched->poll, watched->events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer) {
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl's: wake it in `ms`; -1: not at all. */
static int on_timeout(CURLM *multi, long ms, void *user) {
  (void)multi;
  fetch_poll *poll = user;
  if (!poll->timer)
    return 0;
  uv_update_time(loop_uv(poll->loop));
  if (ms < 0)
    uv_timer_stop(poll->timer);
  else
    uv_timer_start(poll->timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

static void free_timer(uv_handle_t *handle) {
  const vow_allocator *allocator = handle->data;
  mem_free(allocator, handle);
}

void fetch_poll_leave(fetch_poll *poll) {
  while (poll->sockets) {
    fetch_socket *watched = poll->sockets;
    poll->curl->multi_assign(poll->multi, watched->fd, NULL);
    unwatch(watched);
  }
  if (poll->timer) {
    poll->timer->data = (void *)(uintptr_t)poll->allocator;
    uv_close((uv_handle_t *)poll->timer, free_timer);
  }
  poll->timer = NULL;
  poll->loop = NULL;
}

bool fetch_poll_join(fetch_poll *poll, loop *loop) {
  if (poll->timer)
    return true;
  poll->timer = mem_new(poll->allocator, 1, sizeof *poll->timer);
  if (!poll->timer)
    return false;
  poll->loop = loop;
  uv_timer_init(loop_uv(loop), poll->timer);
  poll->timer->data = poll;
  return true;
}

void fetch_poll_close(fetch_poll *poll) {
  if (!poll->multi)
    return;
  poll->curl->multi_setopt(poll->multi, CURLMOPT_SOCKETFUNCTION, NULL);
  poll->curl->multi_setopt(poll->multi, CURLMOPT_TIMERFUNCTION, NULL);
  poll->curl->multi_cleanup(poll->multi);
  poll->multi = NULL;
}

bool fetch_poll_open(fetch_poll *poll) {
  const fetch_curl *curl = poll->curl;
  if (poll->multi)
    return true;
  CURLM *multi = poll->multi = curl->multi_init();
  if (!multi)
    return false;
  bool ok = curl->multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
            curl->multi_setopt(multi, CURLMOPT_SOCKETDATA, poll) == CURLM_OK &&
            curl->multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
            curl->multi_setopt(multi, CURLMOPT_TIMERDATA, poll) == CURLM_OK &&
            curl->multi_setopt(multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS_MAX) == CURLM_OK &&
            curl->multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX) == CURLM_OK;
  if (!ok)
    fetch_poll_close(poll);
  return ok;
}
