/* How many threads this process has. */
#ifndef VOW_TEST_THREADS_H
#define VOW_TEST_THREADS_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static inline unsigned threads_now(void) {
  unsigned count = 0;
  DIR *tasks = opendir("/proc/self/task");
  assert_non_null(tasks);
  for (struct dirent *entry; (entry = readdir(tasks));)
    count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

/* The same at rest: a thread that was joined may still be listed for a moment. */
static inline unsigned threads_at_rest(void) {
  const struct timespec pause = {0, 1000000};
  unsigned least = threads_now();
  for (unsigned i = 0; i < 50; i++) {
    nanosleep(&pause, NULL);
    unsigned now = threads_now();
    least = now < least ? now : least;
  }
  return least;
}

/* A thread that nobody can join is gone when the system says so. */
static inline void until_threads(unsigned wanted) {
  const struct timespec pause = {0, 1000000};
  for (unsigned i = 0; threads_now() > wanted && i < 20000; i++)
    nanosleep(&pause, NULL);
  assert_int_equal(threads_now(), wanted);
}

#endif
