/* The event loop of a runtime: its own, or a part of another one. Everything on the
 * runtime's thread; callbacks are called from these functions. */
#ifndef VOW_LOOP_H
#define VOW_LOOP_H

#include "vow/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vow_loop_mode {
  VOW_LOOP_DONE, /* until no run is alive, no handler is at work and no vow_task_on_done() is
                    to come */
  VOW_LOOP_ONCE, /* waits for something to happen, and handles it */
  VOW_LOOP_POLL  /* handles what is there, without waiting */
} vow_loop_mode;

/* VOW_LOOP_ONCE returns at once when nothing is alive that could happen.
 * VOW_E_STATE: inside a callback; VOW_E_INVALID, VOW_E_THREAD. */
vow_status vow_loop_run(vow_runtime *runtime, vow_loop_mode mode);

/* For a program that has a loop of its own (poll, epoll, GLib, libuv ...): wait
 * until vow_loop_fd() is readable or vow_loop_timeout() milliseconds have passed,
 * call vow_loop_turn(), and ask for the time-out again. */

/* A descriptor that poll(2) and epoll(7) call readable when there is something to
 * do. It is the runtime's and stays the same. -1 on another thread. */
int vow_loop_fd(const vow_runtime *runtime);
/* Milliseconds until there is something to do without it; 0: now; -1: never. Valid
 * until the next call on the runtime: ask right before waiting. 0 on another thread. */
int vow_loop_timeout(const vow_runtime *runtime);
/* As vow_loop_run() with VOW_LOOP_POLL. */
vow_status vow_loop_turn(vow_runtime *runtime);

#ifdef __cplusplus
}
#endif
#endif
