#include "engine/wasmhost.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/guest_file.h"
#include "template_name.h"

/* Ticks without any guest before the ticker goes to sleep. */
#define IDLE_TICKS 50

/* ---- the ticker: a thread that is asleep when no guest runs ---- */

static struct {
  pthread_t thread;
  bool started;            /* under shared.lock */
  _Atomic uint32_t guests; /* stretches of guest code going on */
  _Atomic uint32_t asleep; /* futex: 1 while the thread sleeps */
  _Atomic uint32_t stop;   /* futex: 1 when the thread shall end */
  wasm_engine_t *engine;
} ticker;

/* Returns at a wake-up, after `timeout` (NULL: never), or at once when the word
 * has another value. */
static void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *timeout) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void ticker_sleep(void) {
  atomic_store(&ticker.asleep, 1);
  /* Whoever entered before it saw `asleep` is seen here. */
  while (!atomic_load(&ticker.stop) && atomic_load(&ticker.guests) == 0 &&
         atomic_load(&ticker.asleep) == 1)
    futex_wait(&ticker.asleep, 1, NULL);
  atomic_store(&ticker.asleep, 0);
}

static void *ticker_main(void *unused) {
  (void)unused;
  const struct timespec tick = {0, WASMHOST_TICK_NS};
  int idle = 0;
  while (!atomic_load(&ticker.stop)) {
    futex_wait(&ticker.stop, 0, &tick);
    wasmtime_engine_increment_epoch(ticker.engine);
    idle = atomic_load(&ticker.guests) ? 0 : idle + 1;
    if (idle >= IDLE_TICKS) {
      ticker_sleep();
      idle = 0;
    }
  }
  return NULL;
}

void wasmhost_enter(void) {
  atomic_fetch_add(&ticker.guests, 1);
  if (atomic_load(&ticker.asleep) && atomic_exchange(&ticker.asleep, 0))
    futex_wake(&ticker.asleep);
}

void wasmhost_leave(void) {
  atomic_fetch_sub(&ticker.guests, 1);
}

static bool ticker_start(wasm_engine_t *engine) {
  ticker.engine = engine;
  atomic_store(&ticker.stop, 0);
  atomic_store(&ticker.asleep, 0);
  ticker.started = pthread_create(&ticker.thread, NULL, ticker_main, NULL) == 0;
  return ticker.started;
}

static void ticker_stop(void) {
  if (!ticker.started)
    return;
  atomic_store(&ticker.stop, 1);
  atomic_store(&ticker.asleep, 0);
  futex_wake(&ticker.stop);
  futex_wake(&ticker.asleep);
  pthread_join(ticker.thread, NULL);
  ticker.started = false;
}

/* ---- the shared engine ---- */

static struct {
  pthread_mutex_t lock;
  uint32_t users;
  wasmhost host;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void close_host(wasmhost *host) {
  ticker_stop();
  if (host->pre)
    wasmtime_instance_pre_delete(host->pre);
  if (host->module)
    wasmtime_module_delete(host->module);
  if (host->engine)
    wasm_engine_delete(host->engine);
  linear_image_free(&host->image);
  *host = (wasmhost){.image = {.fd = -1}};
}

static bool open_engine(wasmhost *host, const wasmhost_creators *creators, char *message,
                        size_t size) {
  wasm_config_t *config = wasmhost_config();
  if (!config) {
    snprintf(message, size, "cannot set up the WebAssembly engine: this machine is not x86-64");
    return false;
  }
  wasmtime_memory_creator_t memories = {NULL, creators->new_memory, NULL};
  wasmtime_stack_creator_t stacks = {NULL, creators->new_stack, NULL};
  wasmtime_config_host_memory_creator_set(config, &memories);
  wasmtime_config_host_stack_creator_set(config, &stacks);
  host->engine = wasm_engine_new_with_config(config);
  if (!host->engine)
    snprintf(message, size, "cannot set up the WebAssembly engine");
  return host->engine != NULL;
}

/* The names hold a hash of the content, so that a program never takes the files of
 * another build. */
static bool open_module(wasmhost *host, const wasmhost_imports *imports, const char *folder,
                        char *message, size_t size) {
  char path[PATH_MAX];
  if (!guest_file_find(folder, TEMPLATE_NAME ".cwasm", path, sizeof path)) {
    snprintf(message, size, "the sandbox's guest (" TEMPLATE_NAME ".cwasm) is not in %s",
             folder ? folder : GUEST_FILE_PLACES);
    return false;
  }
  wasmtime_error_t *error = wasmtime_module_deserialize_file(host->engine, path, &host->module);
  wasmtime_linker_t *linker = wasmtime_linker_new(host->engine);
  if (!error)
    error = wasmhost_define_imports(linker, imports);
  if (!error)
    error = wasmtime_linker_instantiate_pre(linker, host->module, &host->pre);
  wasmtime_linker_delete(linker);
  if (error)
    wasmhost_message(error, NULL, message, size);
  return !error;
}

static bool open_image(wasmhost *host, const char *folder, char *message, size_t size) {
  static const linear_extent extents[] = TEMPLATE_EXTENTS;
  char path[PATH_MAX];
  if (guest_file_find(folder, TEMPLATE_NAME ".image", path, sizeof path) &&
      linear_image_open(&host->image, path, TEMPLATE_SIZE, extents,
                        sizeof extents / sizeof extents[0]))
    return true;
  snprintf(message, size, "the sandbox's heap (" TEMPLATE_NAME ".image) cannot be read: %s",
           strerror(errno));
  return false;
}

const wasmhost *wasmhost_acquire(const wasmhost_creators *creators, const wasmhost_imports *imports,
                                 const char *folder, char *message, size_t message_size) {
  const wasmhost *host = NULL;
  pthread_mutex_lock(&shared.lock);
  if (shared.users > 0) {
    shared.users++;
    host = &shared.host;
  } else {
    shared.host = (wasmhost){.image = {.fd = -1}};
    if (open_engine(&shared.host, creators, message, message_size) &&
        open_module(&shared.host, imports, folder, message, message_size) &&
        open_image(&shared.host, folder, message, message_size)) {
      if (ticker_start(shared.host.engine)) {
        shared.users = 1;
        host = &shared.host;
      } else {
        snprintf(message, message_size, "cannot start a thread");
      }
    }
    if (!host)
      close_host(&shared.host);
  }
  pthread_mutex_unlock(&shared.lock);
  return host;
}

void wasmhost_release(void) {
  pthread_mutex_lock(&shared.lock);
  if (--shared.users == 0)
    close_host(&shared.host);
  pthread_mutex_unlock(&shared.lock);
}
