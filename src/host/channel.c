#include "host/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536u
#define KEPT_CAP ((size_t)1 << 20)

/* A descriptor: a stream of libuv, or one that is read and written at once. */
typedef struct side {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t tty;
    uv_idle_t idle; /* of a file that is read: its turn to read */
  } uv;
  int fd;
  bool file, open;
} side;

struct channel {
  channel_options options;
  side in, out;
  uv_poll_t watch; /* for the end of the reader, on a copy of the descriptor */
  int watch_fd;
  bool watching;
  bool ended, gone, paused, closing;
  unsigned handles; /* open ones */
  uint8_t chunk[CHUNK];
};

typedef struct write_request {
  uv_write_t uv;
  channel *channel;
  uint8_t *bytes;
} write_request;

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
  channel *channel = handle->data;
  if (--channel->handles > 0 || !channel->closing)
    return;
  const vow_allocator *allocator = channel->options.allocator;
  mem_free(allocator, channel);
}

static void close_side(side *side) {
  if (!side->open)
    return;
  side->open = false;
  if (side->file)
    close(side->fd);
  uv_close(&side->uv.handle, on_closed);
}

static void stop_watching(channel *channel) {
  if (!channel->watching)
    return;
  channel->watching = false;
  uv_poll_stop(&channel->watch);
  uv_close((uv_handle_t *)&channel->watch, on_closed);
  close(channel->watch_fd);
}

static void be_gone(channel *channel, int error) {
  if (channel->gone || channel->closing)
    return;
  channel->gone = true;
  channel->options.on_gone(channel->options.user, error);
}

static void end_input(channel *channel) {
  if (channel->ended || channel->closing)
    return;
  channel->ended = true;
  if (channel->in.file)
    uv_idle_stop(&channel->in.uv.idle);
  else
    uv_read_stop(&channel->in.uv.stream);
  channel->options.on_end(channel->options.user);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  channel *channel = handle->data;
  *buffer = uv_buf_init((char *)channel->chunk, CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer) {
  channel *channel = stream->data;
  if (len > 0)
    channel->options.on_bytes(channel->options.user, (const uint8_t *)buffer->base, (size_t)len);
  else if (len < 0)
    end_input(channel);
}

static void on_idle(uv_idle_t *idle) {
  channel *channel = idle->data;
  ssize_t len = read(channel->in.fd, channel->chunk, CHUNK);
  if (len > 0)
    channel->options.on_bytes(channel->options.user, channel->chunk, (size_t)len);
  else if (len == 0 || errno != EINTR)
    end_input(channel);
}

static int read_on(channel *channel) {
  return channel->in.file ? uv_idle_start(&channel->in.uv.idle, on_idle)
                          : uv_read_start(&channel->in.uv.stream, on_alloc, on_read);
}

static void look_at_backlog(channel *channel) {
  if (channel->ended || channel->closing)
    return;
  bool pause = !channel->gone && channel_backlog(channel) > CHANNEL_PAUSE_BYTES;
  if (pause == channel->paused)
    return;
  channel->paused = pause;
  if (!pause && read_on(channel) != 0)
    end_input(channel);
  else if (pause && channel->in.file)
    uv_idle_stop(&channel->in.uv.idle);
  else if (pause)
    uv_read_stop(&channel->in.uv.stream);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status) {
  write_request *written = (write_request *)request;
  channel *channel = written->channel;
  const vow_allocator *allocator = channel->options.allocator;
  mem_free(allocator, written->bytes);
  mem_free(allocator, written);
  if (status < 0)
    be_gone(channel, status);
  look_at_backlog(channel);
}

static void write_file(channel *channel, const uint8_t *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = write(channel->out.fd, bytes, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      be_gone(channel, uv_translate_sys_error(errno));
      return;
    }
    bytes += n;
    len -= (size_t)n;
  }
}

static void empty(cbor_out *out) {
  out->len = 0;
  if (out->cap > KEPT_CAP)
    cbor_out_free(out);
}

/* What goes out at once; false when writing has failed. */
static size_t write_now(channel *channel, const uint8_t *bytes, size_t len) {
  uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
  int n = channel_backlog(channel) == 0 ? uv_try_write(&channel->out.uv.stream, &buffer, 1) : 0;
  if (n < 0 && n != UV_EAGAIN) {
    be_gone(channel, n);
    return len;
  }
  return n > 0 ? (size_t)n : 0;
}

static bool write_later(channel *channel, cbor_out *out, size_t from) {
  const vow_allocator *allocator = channel->options.allocator;
  size_t len;
  write_request *request = mem_new(allocator, 1, sizeof *request);
  if (!request) {
    memmove(out->data, out->data + from, out->len - from); /* only the rest is left */
    out->len -= from;
    return false;
  }
  request->channel = channel;
  request->bytes = cbor_out_take(out, &len);
  uv_buf_t buffer = uv_buf_init((char *)request->bytes + from, (unsigned)(len - from));
  int error = uv_write(&request->uv, &channel->out.uv.stream, &buffer, 1, on_written);
  if (error != 0) {
    mem_free(allocator, request->bytes);
    mem_free(allocator, request);
    be_gone(channel, error);
  }
  look_at_backlog(channel);
  return true;
}

bool channel_write(channel *channel, cbor_out *out) {
  if (out->len == 0)
    return true;
  if (channel->gone || channel->out.file) {
    if (!channel->gone)
      write_file(channel, out->data, out->len);
    empty(out);
    return true;
  }
  size_t done = write_now(channel, out->data, out->len);
  if (done < out->len)
    return write_later(channel, out, done);
  empty(out);
  return true;
}

size_t channel_backlog(const channel *channel) {
  return channel->out.file || channel->gone
             ? 0
             : uv_stream_get_write_queue_size(&channel->out.uv.stream);
}

/* ---- opening ---- */

/* A pipe whose reader is gone shows it at any time, whatever is waited for. */
static void on_watch(uv_poll_t *watch, int status, int events) {
  (void)status, (void)events;
  channel *channel = watch->data;
  stop_watching(channel);
  be_gone(channel, UV_EPIPE);
}

static int watch_reader(channel *channel) {
  int fd = channel->out.file ? -1 : dup(channel->options.out);
  if (fd < 0)
    return 0;
  int error = uv_poll_init(loop_uv(channel->options.loop), &channel->watch, fd);
  if (error != 0) {
    close(fd);
    return error;
  }
  channel->watch.data = channel;
  channel->watch_fd = fd;
  channel->watching = true;
  channel->handles++;
  return uv_poll_start(&channel->watch, UV_PRIORITIZED, on_watch);
}

static int open_side(channel *channel, side *side, int fd, bool readable) {
  uv_loop_t *uv = loop_uv(channel->options.loop);
  uv_handle_type type = uv_guess_handle(fd);
  int error;
  side->fd = fd;
  side->file = type == UV_FILE;
  if (type == UV_UNKNOWN_HANDLE)
    error = UV_EBADF;
  else if (type == UV_FILE)
    error = uv_idle_init(uv, &side->uv.idle);
  else if (type == UV_TTY)
    error = uv_tty_init(uv, &side->uv.tty, fd, readable);
  else
    error = uv_pipe_init(uv, &side->uv.pipe, 0);
  if (error != 0)
    return error;
  side->open = true;
  side->uv.handle.data = channel;
  channel->handles++;
  return type == UV_FILE || type == UV_TTY ? 0 : uv_pipe_open(&side->uv.pipe, fd);
}

channel *channel_open(const channel_options *options, char *message, size_t message_size) {
  channel *channel = mem_new(options->allocator, 1, sizeof *channel);
  if (!channel) {
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  channel->options = *options;
  const char *which = "standard input";
  int error = open_side(channel, &channel->in, options->in, true);
  if (error == 0) {
    which = "standard output";
    error = open_side(channel, &channel->out, options->out, false);
  }
  if (error == 0)
    error = watch_reader(channel);
  if (error == 0)
    error = read_on(channel);
  if (error == 0)
    return channel;
  snprintf(message, message_size, "%s cannot be used: %s", which, uv_strerror(error));
  channel_close(channel);
  return NULL;
}

void channel_close(channel *channel) {
  if (!channel)
    return;
  channel->closing = true;
  channel->handles++; /* so that it lives until the end of this */
  stop_watching(channel);
  close_side(&channel->in);
  close_side(&channel->out);
  if (--channel->handles == 0)
    mem_free(channel->options.allocator, channel);
}
