/* Deadlines in order of (time, sequence), of which any can be taken out.
 *
 * Most come in order: what is submitted later with the same time limit is due later. So there
 * are a few lines, linked lists in order, to whose end an entry goes when it is not before the
 * last one: that, and leaving, costs the same for any number of them. What fits on no line is
 * in a 4-ary heap, whose places are kept in the entries.
 *
 * Nothing here owns an entry. Memory is reserved ahead by deadline_reserve(), the only call
 * that can fail: adding and removing never allocate. The heap grows by pages, so that growth
 * never copies what is there.
 *
 * Each place in the heap repeats the key of its entry, so that comparing does
 * not touch the entries, which are spread over memory. */
#ifndef VOW_CORE_DEADLINE_H
#define VOW_CORE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"

#define DEADLINE_OUT                                                                               \
  UINT32_MAX /* `place` of an entry that is neither in the heap nor on a line                      \
              */
#define DEADLINE_LINES 4u

typedef struct deadline {
  uint64_t at;                      /* nanoseconds; must not change while it is in */
  uint64_t seq;                     /* orders equal times; unique in one heap */
  struct deadline *previous, *next; /* on a line */
  uint32_t place; /* in the heap; from DEADLINE_OUT - DEADLINE_LINES: the line it is on */
} deadline;

typedef struct deadline_line {
  deadline *first, *last;
} deadline_line;

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
  uint32_t count;     /* in the heap */
  uint32_t all;       /* and on the lines */
  deadline_line lines[DEADLINE_LINES];
} deadline_heap;

void deadline_heap_init(deadline_heap *heap, const vow_allocator *allocator);
void deadline_heap_free(deadline_heap *heap);

/* Makes room for `count` entries in all; false when memory is short (then all
 * is as before). */
bool deadline_reserve(deadline_heap *heap, uint32_t count);
/* Room must have been reserved, and `entry` be out. */
void deadline_add(deadline_heap *heap, deadline *entry);
/* Does nothing to an entry that is out. */
void deadline_remove(deadline_heap *heap, deadline *entry);
/* The earliest; NULL: none. */
deadline *deadline_first(const deadline_heap *heap);

/* Whether order, keys and places hold, with the reason on stderr if not. */
bool deadline_check(const deadline_heap *heap);

#endif
