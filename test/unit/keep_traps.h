/* cmocka takes the signals of faults at the start of each test. Wasmtime took
 * them once, for the traps of guests, when its first engine was made: they are
 * given back to it, so that traps end guests and not the test. */
#ifndef VOW_TEST_KEEP_TRAPS_H
#define VOW_TEST_KEEP_TRAPS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* To be called after an engine was opened. Any thread. */
static inline void keep_traps(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  static struct sigaction kept[sizeof signals / sizeof signals[0]];
  static bool known;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    if (known)
      sigaction(signals[i], &kept[i], NULL);
    else
      sigaction(signals[i], NULL, &kept[i]);
  known = true;
  pthread_mutex_unlock(&lock);
}

#endif
