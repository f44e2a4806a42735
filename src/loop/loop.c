#include "loop/loop.h"

#include <errno.h>
#include <unistd.h>

struct loop {
  const vow_allocator *allocator;
  uv_loop_t uv;
  uv_timer_t timer;
  uv_idle_t idle;   /* keeps the poll from waiting while there is work */
  uv_check_t check; /* where the work is done: after I/O was looked at */
  uv_async_t wake;
  loop_callback *on_deadline, *on_work;
  void *user;
  uint64_t deadline;
  bool busy;
  uv_mutex_t lock; /* guards `first` and `last` */
  loop_message *first, *last;
};

uint64_t loop_now(void) {
  return uv_hrtime();
}

uv_loop_t *loop_uv(loop *loop) {
  return &loop->uv;
}

static void deliver_messages(loop *loop) {
  uv_mutex_lock(&loop->lock);
  loop_message *message = loop->first;
  loop->first = loop->last = NULL;
  uv_mutex_unlock(&loop->lock);
  while (message) {
    loop_message *next = message->next;
    message->deliver(message);
    message = next;
  }
}

static void on_wake(uv_async_t *wake) {
  deliver_messages(wake->data);
}

static void arm(loop *loop);

static void on_timer(uv_timer_t *timer) {
  loop *loop = timer->data;
  if (loop_now() < loop->deadline) {
    arm(loop);
    return;
  }
  loop->deadline = UINT64_MAX;
  loop->on_deadline(loop->user);
}

/* libuv counts whole milliseconds from its cached time. */
static void arm(loop *loop) {
  uint64_t now = loop_now();
  uint64_t wait_ns = loop->deadline > now ? loop->deadline - now : 0;
  uint64_t wait_ms = wait_ns / 1000000 + (wait_ns % 1000000 != 0);
  uv_update_time(&loop->uv);
  uv_timer_start(&loop->timer, on_timer, wait_ms, 0);
}

void loop_set_deadline(loop *loop, uint64_t deadline) {
  if (deadline == loop->deadline)
    return;
  bool sooner = deadline < loop->deadline;
  loop->deadline = deadline;
  /* A timer that fires too early looks again; only a sooner one must move. */
  if (deadline == UINT64_MAX)
    uv_timer_stop(&loop->timer);
  else if (sooner || !uv_is_active((uv_handle_t *)&loop->timer))
    arm(loop);
}

static void on_idle(uv_idle_t *idle) {
  (void)idle;
}

static void on_check(uv_check_t *check) {
  loop *loop = check->data;
  loop->on_work(loop->user);
}

void loop_set_busy(loop *loop, bool busy) {
  if (busy == loop->busy)
    return;
  loop->busy = busy;
  if (busy) {
    uv_idle_start(&loop->idle, on_idle);
    uv_check_start(&loop->check, on_check);
  } else {
    uv_idle_stop(&loop->idle);
    uv_check_stop(&loop->check);
  }
}

static void close_pipe(const uv_file pipe[2]) {
  close(pipe[0]);
  close(pipe[1]);
}

/* A loop takes two descriptors, then libuv a pipe for signals; where there is no
 * room for that it ends the process. 0 or libuv's error. */
static int check_descriptors(void) {
  uv_file first[2], second[2];
  int error = uv_pipe(first, 0, 0);
  if (error != 0)
    return error;
  error = uv_pipe(second, 0, 0);
  if (error == 0)
    close_pipe(second);
  close_pipe(first);
  return error;
}

/* What may fail: 0, or libuv's error with nothing left open. */
static int open_parts(loop *loop) {
  int error = uv_mutex_init(&loop->lock);
  if (error != 0)
    return error;
  error = check_descriptors();
  if (error == 0)
    error = uv_loop_init(&loop->uv);
  if (error == 0) {
    error = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (error != 0)
      uv_loop_close(&loop->uv);
  }
  if (error != 0)
    uv_mutex_destroy(&loop->lock);
  return error;
}

loop *loop_open(const vow_allocator *allocator, loop_callback *on_deadline, loop_callback *on_work,
                void *user) {
  loop *loop = mem_new(allocator, 1, sizeof *loop);
  int error = loop ? open_parts(loop) : UV_ENOMEM;
  if (error != 0) {
    mem_free(allocator, loop);
    errno = -error;
    return NULL;
  }
  loop->allocator = allocator;
  loop->on_deadline = on_deadline;
  loop->on_work = on_work;
  loop->user = user;
  loop->deadline = UINT64_MAX;
  uv_timer_init(&loop->uv, &loop->timer);
  uv_idle_init(&loop->uv, &loop->idle);
  uv_check_init(&loop->uv, &loop->check);
  loop->timer.data = loop->check.data = loop->wake.data = loop;
  return loop;
}

void loop_close(loop *loop) {
  if (!loop)
    return;
  deliver_messages(loop);
  uv_close((uv_handle_t *)&loop->timer, NULL);
  uv_close((uv_handle_t *)&loop->idle, NULL);
  uv_close((uv_handle_t *)&loop->check, NULL);
  uv_close((uv_handle_t *)&loop->wake, NULL);
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
    ;
  uv_loop_close(&loop->uv);
  uv_mutex_destroy(&loop->lock);
  mem_free(loop->allocator, loop);
}

void loop_run(loop *loop, bool once) {
  uv_run(&loop->uv, once ? UV_RUN_ONCE : UV_RUN_DEFAULT);
}

void loop_stop(loop *loop) {
  uv_stop(&loop->uv);
}

void loop_post(loop *loop, loop_message *message) {
  message->next = NULL;
  uv_mutex_lock(&loop->lock);
  if (loop->last)
    loop->last->next = message;
  else
    loop->first = message;
  loop->last = message;
  /* Still under the lock: once the message is seen, its delivery may lead to the
   * end of the loop. */
  uv_async_send(&loop->wake);
  uv_mutex_unlock(&loop->lock);
}
