/* A short wait for another thread before one sleeps for it. Sleeping and being woken take
 * both sides a system call each and a switch, which is longer than a small work takes. */
#ifndef VOW_LOOP_SPIN_H
#define VOW_LOOP_SPIN_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

/* At most so long: being woken on another core takes 15 to 30 us, and what is expected
 * once that has happened comes within one or two. */
#define SPIN_NS 50000u
/* So often it is looked before that: about a microsecond. */
#define SPIN_PAUSES 30u
/* Others want this core: giving it to them is no way to wait. */
#define SPIN_LATE_NS 150000u
/* What is waited for in vain is waited for more rarely: once in 2^misses times. */
#define SPIN_MISSES_MAX 10u

/* Of one thread. */
typedef struct spin {
  uint32_t misses, skips;
} spin;

static inline void spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Before the core is offered to others, which takes a system call. */
static inline bool spin_briefly(bool (*is_so)(const void *what), const void *what) {
  bool seen = false;
  for (unsigned i = 0; i < SPIN_PAUSES && !seen; i++) {
    spin_pause();
    seen = is_so(what);
  }
  return seen;
}

/* True when `is_so(what)` has become true. The core is given to whoever wants it meanwhile,
 * so that it works on a single one too. */
static inline bool spin_for(spin *spin, bool (*is_so)(const void *what), const void *what) {
  if (is_so(what))
    return true;
  if (spin->skips > 0) {
    spin->skips--;
    return false;
  }
  bool seen = spin_briefly(is_so, what);
  if (seen)
    return true;
  uint64_t start = uv_hrtime(), waited;
  do {
    sched_yield();
    seen = is_so(what);
    waited = uv_hrtime() - start;
  } while (!seen && waited < SPIN_NS);
  if (waited > SPIN_LATE_NS)
    spin->misses = SPIN_MISSES_MAX;
  else if (seen)
    spin->misses /= 2;
  else if (spin->misses < SPIN_MISSES_MAX)
    spin->misses++;
  spin->skips = (1u << spin->misses) - 1;
  return seen;
}

static inline bool spin_is_set(const void *flag) {
  return atomic_load_explicit((const atomic_bool *)flag, memory_order_acquire);
}

static inline bool spin_is_clear(const void *flag) {
  return !spin_is_set(flag);
}

/* The same for a flag that becomes `wanted`. */
static inline bool spin_until(spin *spin, const atomic_bool *flag, bool wanted) {
  return spin_for(spin, wanted ? spin_is_set : spin_is_clear, flag);
}

/* A mutex that is held for some ten instructions: who finds it locked tries again a few
 * times before it sleeps. 0, or libuv's error. */
static inline int spin_mutex_init(uv_mutex_t *mutex) {
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
  pthread_mutexattr_t kind;
  int error = pthread_mutexattr_init(&kind);
  if (error == 0) {
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
    error = pthread_mutex_init(mutex, &kind);
    pthread_mutexattr_destroy(&kind);
  }
  return -error;
#else
  return uv_mutex_init(mutex);
#endif
}

/* Some microseconds (3.8 here; a pause takes 10 to 50 ns, depending on the processor), in which
 * who has the lock may cross it some ten times. */
#define SPIN_AWAY_PAUSES 150u
#define SPIN_AWAY_TRIES 4u

/* Locks a mutex that two threads cross in turns, again and again. That the lock, and what it
 * guards, goes to another core costs more than a crossing does: who finds it taken stays away
 * from it for a while, so that the other one has it for several crossings. */
static inline void spin_mutex_lock(uv_mutex_t *mutex) {
  for (unsigned i = 0; i < SPIN_AWAY_TRIES; i++) {
    if (uv_mutex_trylock(mutex) == 0)
      return;
    for (unsigned pauses = 0; pauses < SPIN_AWAY_PAUSES; pauses++)
      spin_pause();
  }
  uv_mutex_lock(mutex);
}

#endif
