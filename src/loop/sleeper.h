/* One thread that waits until another one wakes it. It lies on the waiter's stack, and may
 * be gone as soon as it is woken: what is left to do then needs its address alone. */
#ifndef VOW_LOOP_SLEEPER_H
#define VOW_LOOP_SLEEPER_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loop/spin.h"

typedef struct sleeper {
  atomic_uint state;
} sleeper;

enum { SLEEPER_WAITS, SLEEPER_ASLEEP, SLEEPER_WOKEN }; /* sleeper.state */

static inline bool sleeper_is_woken(const void *one) {
  return atomic_load_explicit(&((const sleeper *)one)->state, memory_order_acquire) ==
         SLEEPER_WOKEN;
}

/* Until somebody wakes it, or the monotonic clock says `until` (nanoseconds; UINT64_MAX:
 * never). What was written before sleeper_wake() is seen when this is true; false: the time
 * is over, and it may be woken still. `spin` NULL: it sleeps at once. */
static inline bool sleeper_wait(sleeper *sleeper, spin *spin, uint64_t until) {
  if (spin ? spin_for(spin, sleeper_is_woken, sleeper) : sleeper_is_woken(sleeper))
    return true;
  unsigned waits = SLEEPER_WAITS;
  if (!atomic_compare_exchange_strong(&sleeper->state, &waits, SLEEPER_ASLEEP) &&
      waits == SLEEPER_WOKEN)
    return true;
  const struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                              .tv_nsec = (long)(until % 1000000000)};
  while (!sleeper_is_woken(sleeper)) {
    long failed = syscall(SYS_futex, &sleeper->state, FUTEX_WAIT_BITSET_PRIVATE, SLEEPER_ASLEEP,
                          until == UINT64_MAX ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);
    if (failed && errno == ETIMEDOUT)
      return sleeper_is_woken(sleeper);
  }
  return true;
}

/* Once. True: it sleeps, and sleeper_rouse() must follow. */
static inline bool sleeper_wake(sleeper *sleeper) {
  return atomic_exchange(&sleeper->state, SLEEPER_WOKEN) == SLEEPER_ASLEEP;
}

/* It may be gone: nothing is read. Whoever has come to sleep at the same address is woken for
 * nothing, which every user of a futex must bear. */
static inline void sleeper_rouse(const sleeper *sleeper) {
  syscall(SYS_futex, sleeper, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
