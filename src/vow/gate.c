#include "vow/vow_int.h"

lib_gate *lib_gate_open(const vow_allocator *allocator, loop *loop) {
  lib_gate *gate = mem_new(allocator, 1, sizeof *gate);
  if (!gate)
    return NULL;
  gate->allocator = allocator;
  gate->thread = pthread_self();
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
  return pthread_equal(pthread_self(), gate->thread) != 0;
}
