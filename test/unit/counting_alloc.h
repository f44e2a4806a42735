/* An allocator that counts its blocks and can fail. Any thread may use it; the counts
 * are to be read when none does. */
#ifndef VOW_TEST_COUNTING_ALLOC_H
#define VOW_TEST_COUNTING_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>

#include "core/mem.h"

typedef struct counting_alloc {
  size_t blocks;  /* allocated now */
  size_t calls;   /* allocations asked for */
  size_t fail_at; /* the call that fails, counted from 1; 0: none */
  bool for_ever;  /* so do all after it */
} counting_alloc;

static inline void *counting_alloc_call(void *user, void *block, size_t size) {
  counting_alloc *a = user;
  if (size == 0) {
    __atomic_fetch_sub(&a->blocks, (size_t)(block != NULL), __ATOMIC_RELEASE);
    free(block);
    return NULL;
  }
  size_t call = __atomic_add_fetch(&a->calls, 1, __ATOMIC_RELAXED);
  size_t fail_at = __atomic_load_n(&a->fail_at, __ATOMIC_RELAXED);
  if (fail_at && (call == fail_at || (a->for_ever && call > fail_at)))
    return NULL;
  void *fresh = realloc(block, size);
  __atomic_fetch_add(&a->blocks, (size_t)(!block && fresh), __ATOMIC_RELAXED);
  return fresh;
}

/* The `n`th call from now on fails; 0: none. Other threads may be at work. */
static inline void counting_fail(counting_alloc *a, size_t n) {
  __atomic_store_n(&a->fail_at, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&a->calls, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&a->fail_at, n, __ATOMIC_RELAXED);
}

static inline vow_allocator counting_allocator(counting_alloc *a) {
  return (vow_allocator){counting_alloc_call, a};
}

#endif
