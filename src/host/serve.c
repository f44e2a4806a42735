#include "host/serve.h"

#include <signal.h>
#include <stdio.h>

#include "host/channel.h"

typedef struct server {
  session *session;
  shard *shard;
  channel *channel;
  uv_signal_t signals[2];
  uv_timer_t grace;
  bool ending;  /* there is no more input, or none is wanted */
  bool ended;   /* session_end() was called */
  bool hurried; /* the time to write what is left is over */
  bool gone, signalled;
  int error; /* of writing, but for a reader that is gone */
} server;

static void on_grace(uv_timer_t *timer);

static void end_session(server *s) {
  s->ending = true;
  if (s->ended)
    return;
  s->ended = true;
  session_end(s->session);
  uv_timer_start(&s->grace, on_grace, SERVE_GRACE_MS, 0);
}

static void on_grace(uv_timer_t *timer) {
  server *s = timer->data;
  if (s->ended)
    s->hurried = true;
  else
    end_session(s);
}

static void on_bytes(void *user, const uint8_t *bytes, size_t len) {
  server *s = user;
  session_feed(s->session, bytes, len);
}

static void on_end(void *user) {
  server *s = user;
  if (s->ending)
    return;
  s->ending = true;
  session_deafen(s->session);
  uv_timer_start(&s->grace, on_grace, SERVE_GRACE_MS, 0);
}

static void on_gone(void *user, int error) {
  server *s = user;
  s->gone = true;
  if (error != UV_EPIPE && error != UV_ECONNRESET)
    s->error = error;
}

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  server *s = handle->data;
  s->signalled = true;
}

/* ---- one turn ---- */

static void flush(server *s) {
  if (!channel_write(s->channel, session_output(s->session)))
    s->error = UV_ENOMEM;
  session_set_backlog(s->session, channel_backlog(s->channel));
}

/* Ending is for here, not for callbacks: those may come in the middle of a run's
 * turn. */
static void turn(server *s) {
  shard_turn(s->shard);
  session_set_backlog(s->session, channel_backlog(s->channel));
  session_turn(s->session);
  if (session_failed(s->session))
    s->error = UV_ENOMEM;
  if (s->gone || s->signalled || s->error != 0)
    end_session(s);
  flush(s);
}

static bool is_done(const server *s) {
  if (!s->ending || !session_idle(s->session) || shard_handlers(s->shard) > 0)
    return false;
  return s->hurried || s->gone || channel_backlog(s->channel) == 0;
}

/* ---- from the beginning to the end ---- */

static int watch_signals(server *s) {
  static const int numbers[2] = {SIGINT, SIGTERM};
  int error = 0;
  for (int i = 0; i < 2 && error == 0; i++) {
    error = uv_signal_init(loop_uv(shard_loop(s->shard)), &s->signals[i]);
    if (error != 0)
      break;
    s->signals[i].data = s; /* from here on it has to be closed */
    uv_unref((uv_handle_t *)&s->signals[i]);
    /* Once: a second signal ends a process that does not come to its end. */
    error = uv_signal_start_oneshot(&s->signals[i], on_signal, numbers[i]);
  }
  return error;
}

static bool begin(server *s, int in, int out, char *message, size_t message_size) {
  channel_options options = {.loop = shard_loop(s->shard),
                             .in = in,
                             .out = out,
                             .on_bytes = on_bytes,
                             .on_end = on_end,
                             .on_gone = on_gone,
                             .user = s};
  uv_timer_init(loop_uv(shard_loop(s->shard)), &s->grace);
  s->grace.data = s;
  int error = watch_signals(s);
  if (error != 0) {
    snprintf(message, message_size, "signals cannot be watched: %s", uv_strerror(error));
    return false;
  }
  s->channel = channel_open(&options, message, message_size);
  return s->channel != NULL;
}

/* Handles live in `s`: the loop closes them before this returns. */
static void finish(server *s) {
  channel_close(s->channel);
  for (int i = 0; i < 2; i++)
    if (s->signals[i].data)
      uv_close((uv_handle_t *)&s->signals[i], NULL);
  uv_close((uv_handle_t *)&s->grace, NULL);
  uv_run(loop_uv(shard_loop(s->shard)), UV_RUN_NOWAIT);
}

serve_end serve(session *session, shard *shard, int in, int out, char *message,
                size_t message_size) {
  server s = {.session = session, .shard = shard};
  signal(SIGPIPE, SIG_IGN);
  if (!begin(&s, in, out, message, message_size)) {
    finish(&s);
    return SERVE_SETUP;
  }
  while (!is_done(&s))
    turn(&s);
  finish(&s);
  if (s.error != 0) {
    snprintf(message, message_size, "%s",
             s.error == UV_ENOMEM ? "out of memory" : uv_strerror(s.error));
    return SERVE_FAILED;
  }
  return s.signalled ? SERVE_SIGNAL : SERVE_ENDED;
}
