#include "vow/vow_int.h"

/* ---- fork() ----
 *
 * A child has the memory of its parent's runtimes, and of their threads the one that
 * forked. Whatever it did with them would be done to the parent's descriptors, under
 * locks that nobody gives back; and what SQLite knows of a file's locks is the
 * parent's too. So they are lost to it, and it opens none beside them. */

static pthread_once_t watched = PTHREAD_ONCE_INIT;
static bool watching;
static atomic_uint forks;    /* from the first process to this one, while watched */
static atomic_uint runtimes; /* open in this process */
static atomic_bool orphaned; /* some were open in a process that this one was forked from */

static void on_forked(void) {
  atomic_fetch_add(&forks, 1);
  if (atomic_exchange(&runtimes, 0) > 0)
    atomic_store(&orphaned, true);
}

static void watch(void) {
  watching = pthread_atfork(NULL, NULL, on_forked) == 0;
}

vow_status lib_process_enter(void) {
  pthread_once(&watched, watch);
  if (!watching)
    return VOW_E_NOMEM;
  if (atomic_load(&orphaned))
    return VOW_E_OPEN;
  atomic_fetch_add(&runtimes, 1);
  return VOW_OK;
}

void lib_process_leave(void) {
  atomic_fetch_sub(&runtimes, 1);
}

bool lib_gate_is_lost(const lib_gate *gate) {
  return gate->forks != atomic_load(&forks);
}

/* ---- the gate ---- */

lib_gate *lib_gate_open(const vow_allocator *allocator, loop *loop) {
  lib_gate *gate = mem_new(allocator, 1, sizeof *gate);
  if (!gate)
    return NULL;
  gate->allocator = allocator;
  gate->thread = pthread_self();
  gate->forks = atomic_load(&forks);
  gate->loop = loop;
  atomic_init(&gate->holders, 1);
  if (pthread_mutex_init(&gate->lock, NULL) != 0) {
    mem_free(allocator, gate);
    return NULL;
  }
  return gate;
}

void lib_gate_hold(lib_gate *gate) {
  atomic_fetch_add(&gate->holders, 1);
}

void lib_gate_drop(lib_gate *gate) {
  if (!gate || atomic_fetch_sub(&gate->holders, 1) != 1)
    return;
  pthread_mutex_destroy(&gate->lock);
  mem_free(gate->allocator, gate);
}

bool lib_gate_is_here(const lib_gate *gate) {
  return !lib_gate_is_lost(gate) && pthread_equal(pthread_self(), gate->thread) != 0;
}
