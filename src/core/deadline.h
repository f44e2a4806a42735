/* A heap of deadlines: 4-ary, ordered by (time, sequence), the position of each
 * entry kept in the entry itself so that any of them can be taken out.
 *
 * The heap owns no entry. Its memory is reserved ahead by deadline_reserve(),
 * the only call that can fail: adding and removing never allocate. It grows by
 * pages, so that growth never copies what is there.
 *
 * Each place in the heap repeats the key of its entry, so that comparing does
 * not touch the entries, which are spread over memory. */
#ifndef VOW_CORE_DEADLINE_H
#define VOW_CORE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"

#define DEADLINE_OUT UINT32_MAX /* `place` of an entry that is not in the heap */

typedef struct deadline {
  uint64_t at;  /* nanoseconds; must not change while in the heap */
  uint64_t seq; /* orders equal times; unique in one heap */
  uint32_t place;
} deadline;

typedef struct deadline_place {
  uint64_t at;
  uint64_t seq;
  deadline *entry;
} deadline_place;

typedef struct deadline_heap {
  const vow_allocator *allocator;
  deadline_place **pages;
  uint32_t page_count;
  uint32_t pages_max; /* length of `pages` */
  uint32_t count;
} deadline_heap;

void deadline_heap_init(deadline_heap *heap, const vow_allocator *allocator);
void deadline_heap_free(deadline_heap *heap);

/* Makes room for `count` entries in all; false when memory is short (then all
 * is as before). */
bool deadline_reserve(deadline_heap *heap, uint32_t count);
/* Room must have been reserved, and `entry` be out of the heap. */
void deadline_add(deadline_heap *heap, deadline *entry);
/* Does nothing to an entry that is out of the heap. */
void deadline_remove(deadline_heap *heap, deadline *entry);
/* The earliest; NULL: none. */
deadline *deadline_first(const deadline_heap *heap);

/* Whether order, keys and places hold, with the reason on stderr if not. */
bool deadline_check(const deadline_heap *heap);

#endif
