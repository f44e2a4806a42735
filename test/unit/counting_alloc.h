/* An allocator that counts its blocks and can fail. */
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
    a->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  a->calls++;
  if (a->fail_at && (a->calls == a->fail_at || (a->for_ever && a->calls > a->fail_at)))
    return NULL;
  void *fresh = realloc(block, size);
  a->blocks += !block && fresh;
  return fresh;
}

static inline vow_allocator counting_allocator(counting_alloc *a) {
  return (vow_allocator){counting_alloc_call, a};
}

#endif
