#include "loop/loop.h"

#include <errno.h>
#include <unistd.h>

#include "loop/spin.h"

struct loop {
  const vow_allocator *allocator;
  uv_loop_t uv;
  uv_timer_t timer;
  uv_idle_t idle;      /* keeps the poll from waiting while there is work, or mail */
  uv_prepare_t before; /* the poll */
  uv_check_t after;    /* where messages are delivered and the work is done */
  uv_async_t wake;
  loop_callback *on_deadline, *on_work;
  void *user;
  uint64_t deadline;
  bool busy;
  bool turning; /* within loop_run() */
  spin spin;
  atomic_uint expected; /* messages, by loop_expect() */
  uv_mutex_t lock;      /* guards what follows */
  loop_message *first, *last;
  atomic_bool mail; /* there are any; read without the lock */
  bool awake;       /* it looks for mail before it sleeps: who posts need not wake it */
};

uint64_t loop_now(void) {
  return uv_hrtime();
}

uv_loop_t *loop_uv(loop *loop) {
  return &loop->uv;
}

/* `awake` holds from now on. */
static void deliver_messages(loop *loop, bool awake) {
  uv_mutex_lock(&loop->lock);
  loop_message *message = loop->first;
  loop->first = loop->last = NULL;
  atomic_store_explicit(&loop->mail, false, memory_order_relaxed);
  loop->awake = awake;
  uv_mutex_unlock(&loop->lock);
  while (message) {
    loop_message *next = message->next;
    message->deliver(message);
    message = next;
  }
}

static void on_wake(uv_async_t *wake) {
  loop *loop = wake->data;
  deliver_messages(loop, loop->turning);
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

static void keep_from_waiting(loop *loop, bool keep) {
  if (keep)
    uv_idle_start(&loop->idle, on_idle);
  else
    uv_idle_stop(&loop->idle);
}

/* From here on who posts wakes it, or it has seen the message and does not wait. */
static void before_poll(uv_prepare_t *before) {
  loop *loop = before->data;
  if (!loop->turning)
    return;
  if (atomic_load_explicit(&loop->expected, memory_order_relaxed) > 0 &&
      uv_backend_timeout(&loop->uv) != 0)
    spin_until(&loop->spin, &loop->mail, true);
  uv_mutex_lock(&loop->lock);
  loop->awake = loop->first != NULL;
  bool mail = loop->awake;
  uv_mutex_unlock(&loop->lock);
  if (mail) {
    deliver_messages(loop, true);
    keep_from_waiting(loop, true);
  }
}

static void after_poll(uv_check_t *after) {
  loop *loop = after->data;
  if (loop->turning) {
    deliver_messages(loop, true);
    keep_from_waiting(loop, loop->busy);
  }
  if (loop->busy)
    loop->on_work(loop->user);
}

void loop_set_busy(loop *loop, bool busy) {
  if (busy == loop->busy)
    return;
  loop->busy = busy;
  keep_from_waiting(loop, busy);
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
  int error = spin_mutex_init(&loop->lock);
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
  uv_prepare_init(&loop->uv, &loop->before);
  uv_check_init(&loop->uv, &loop->after);
  loop->timer.data = loop->before.data = loop->after.data = loop->wake.data = loop;
  uv_prepare_start(&loop->before, before_poll);
  uv_check_start(&loop->after, after_poll);
  return loop;
}

void loop_close(loop *loop) {
  if (!loop)
    return;
  deliver_messages(loop, false);
  uv_close((uv_handle_t *)&loop->timer, NULL);
  uv_close((uv_handle_t *)&loop->idle, NULL);
  uv_close((uv_handle_t *)&loop->before, NULL);
  uv_close((uv_handle_t *)&loop->after, NULL);
  uv_close((uv_handle_t *)&loop->wake, NULL);
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
    ;
  uv_loop_close(&loop->uv);
  uv_mutex_destroy(&loop->lock);
  mem_free(loop->allocator, loop);
}

/* Whoever turns libuv's loop itself, or waits for its descriptor, is woken by each message,
 * and by those that have come already. */
static void set_turning(loop *loop, bool turning) {
  uv_mutex_lock(&loop->lock);
  loop->turning = loop->awake = turning;
  if (!turning && loop->first)
    uv_async_send(&loop->wake);
  uv_mutex_unlock(&loop->lock);
}

void loop_run(loop *loop, bool once) {
  set_turning(loop, true);
  uv_run(&loop->uv, once ? UV_RUN_ONCE : UV_RUN_DEFAULT);
  set_turning(loop, false);
}

void loop_expect(loop *loop, int change) {
  atomic_fetch_add_explicit(&loop->expected, (unsigned)change, memory_order_relaxed);
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
  atomic_store_explicit(&loop->mail, true, memory_order_release);
  /* Still under the lock: once the message is seen, its delivery may lead to the
   * end of the loop. */
  if (!loop->awake)
    uv_async_send(&loop->wake);
  uv_mutex_unlock(&loop->lock);
}
