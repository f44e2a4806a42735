#include "loop/forked.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool watching;
static atomic_uint forks;

static void on_forked(void) {
  atomic_fetch_add(&forks, 1);
}

static void watch(void) {
  watching = pthread_atfork(NULL, NULL, on_forked) == 0;
}

bool forked_watch(void) {
  pthread_once(&once, watch);
  return watching;
}

unsigned forked_count(void) {
  return atomic_load_explicit(&forks, memory_order_relaxed);
}
