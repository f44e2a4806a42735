/* Loaded before the C library (LD_PRELOAD) into the command under test. What fails is
 * said in the environment:
 *   FAULT_THREAD=N       the Nth pthread_create fails; -N: that one and all behind it
 *   FAULT_CLOCK=MS:S     MS milliseconds after the start the wall clock jumps by S
 *                        seconds, and back as long after, and so on */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long thread_fails, clock_ms, clock_jump_s;
static long long started_ms;
static atomic_long threads;

static long long monotonic_ms(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((constructor)) static void read_faults(void) {
  const char *text = getenv("FAULT_THREAD");
  char *end = NULL;
  thread_fails = text ? strtol(text, NULL, 10) : 0;
  text = getenv("FAULT_CLOCK");
  if (!text)
    return;
  started_ms = monotonic_ms();
  clock_ms = strtol(text, &end, 10);
  clock_jump_s = *end == ':' ? strtol(end + 1, NULL, 10) : 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *user) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (!real)
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  long number = atomic_fetch_add(&threads, 1) + 1;
  if (number == thread_fails || (thread_fails < 0 && number >= -thread_fails))
    return EAGAIN;
  return real(thread, attributes, run, user);
}

static time_t jump(void) {
  if (clock_ms <= 0)
    return 0;
  return (monotonic_ms() - started_ms) / clock_ms % 2 ? clock_jump_s : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, id, now);
  if (failed == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += jump();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  *now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now)
    *now = precise.tv_sec;
  return precise.tv_sec;
}
