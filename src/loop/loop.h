/* The event loop of one shard: a clock, one timer for the earliest deadline,
 * and messages from other threads. A thin layer over libuv. */
#ifndef VOW_LOOP_LOOP_H
#define VOW_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/mem.h"

typedef struct loop loop;

/* Called on the loop thread. */
typedef void loop_callback(void *user);

/* `on_deadline` is called once the time given to loop_set_deadline() has come;
 * `on_work` again and again, between polls for I/O, while loop_set_busy(true).
 * NULL with errno set when memory or descriptors are short. */
loop *loop_open(const vow_allocator *allocator, loop_callback *on_deadline, loop_callback *on_work,
                void *user);
/* Closes what the loop itself holds and runs it until every handle is gone. */
void loop_close(loop *loop);

/* Monotonic nanoseconds, never cached. Any thread. */
uint64_t loop_now(void);
/* The libuv loop, for handles of other modules. */
uv_loop_t *loop_uv(loop *loop);

/* Absolute time of the next on_deadline; UINT64_MAX: none. May fire late, by
 * less than a millisecond of rounding, never early. */
void loop_set_deadline(loop *loop, uint64_t deadline);
void loop_set_busy(loop *loop, bool busy);

/* Runs until loop_stop() or, with `once`, for one iteration that waits for an
 * event. */
void loop_run(loop *loop, bool once);
void loop_stop(loop *loop);

/* ---- messages from other threads ---- */

typedef struct loop_message {
  struct loop_message *next;
  void (*deliver)(struct loop_message *message); /* on the loop thread; owns it then */
} loop_message;

/* Any thread, until loop_close(). The order of one sender is kept. */
void loop_post(loop *loop, loop_message *message);
/* Any thread: so many more (or fewer) messages will come soon, so that it is worth to look
 * for them for a few microseconds before the loop sleeps. A hint only. */
void loop_expect(loop *loop, int change);

#endif
