#include "guest/heap_wasm.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "guest/engine_unit.h"

#define STEP 8u          /* distance of the sizes of small blocks */
#define SIZES 33u        /* size i: blocks of i * STEP bytes, head included */
#define SLAB_FIRST 2u    /* blocks of the first slab of a size; each next has twice */
#define SLAB_BYTES 8192u /* as many, until one has about these bytes */
#define CARVED 8         /* blocks that are made at once */
#define GROWN_LEAST 64u  /* a block that js_realloc_rt makes, head included */

/* Blocks are the engine's: with link-time optimisation the compiler sees both
 * sides, and must not take the two for different memory. In a block of a slab,
 * `place` is the distance from the slab's first block in STEPs; size_index is 0
 * in a block of libc. */
typedef engine_block_head __attribute__((may_alias)) block_head;

typedef struct free_block {
  struct free_block *next;
} __attribute__((may_alias)) free_block;

/* Unlisted ones are full, or of a template; a full one may still be listed. */
typedef struct slab {
  struct slab *previous, *next; /* listed ones of the same size */
  free_block *free;
  uint16_t used, fresh, end; /* blocks given out; place of the next new one, and the last's end */
  uint8_t size_index;
  bool listed;
} slab;

static slab *listed[SIZES];
static uint32_t next_capacity[SIZES];
static uint32_t *out_of_memory;

_Static_assert(sizeof(slab) % STEP == 4, "the first block follows four bytes of padding");
#define SLAB_HEAD (sizeof(struct slab) + 4)

static void *refuse(void) {
  *out_of_memory = 1;
  return NULL;
}

static inline block_head *head_of(const void *block) {
  return (block_head *)(uintptr_t)block - 1;
}

/* ---- slabs ---- */

static void list(slab *slab) {
  struct slab **first = &listed[slab->size_index];
  slab->previous = NULL;
  slab->next = *first;
  if (*first)
    (*first)->previous = slab;
  *first = slab;
  slab->listed = true;
}

static void unlist(slab *slab) {
  if (slab->previous)
    slab->previous->next = slab->next;
  else
    listed[slab->size_index] = slab->next;
  if (slab->next)
    slab->next->previous = slab->previous;
  slab->listed = false;
}

static slab *new_slab(size_t size_index) {
  size_t stride = size_index * STEP, capacity = next_capacity[size_index];
  if (capacity == 0)
    capacity = SLAB_FIRST;
  slab *slab = malloc(SLAB_HEAD + capacity * stride);
  if (!slab)
    return refuse();
  *slab =
      (struct slab){.size_index = (uint8_t)size_index, .end = (uint16_t)(capacity * size_index)};
  list(slab);
  next_capacity[size_index] = (uint32_t)(capacity * stride < SLAB_BYTES ? 2 * capacity : capacity);
  return slab;
}

/* Makes some more blocks of a slab, not all: those that no one asks for stay unwritten. */
static void carve(slab *slab) {
  uint16_t stride = slab->size_index;
  free_block **last = &slab->free;
  for (int i = 0; i < CARVED && slab->fresh < slab->end; i++) {
    block_head *head = (block_head *)(void *)((uint8_t *)slab + SLAB_HEAD + slab->fresh * STEP);
    head->place = slab->fresh;
    head->size_index = slab->size_index;
    slab->fresh = (uint16_t)(slab->fresh + stride);
    *last = (free_block *)(void *)(head + 1);
    last = &(*last)->next;
  }
  *last = NULL;
}

/* The first listed slab has no free block, or there is none. */
static __attribute__((noinline)) void *block_of_other_slab(size_t size_index) {
  slab *slab;
  while ((slab = listed[size_index]) && !slab->free && slab->fresh == slab->end)
    unlist(slab);
  if (!slab && !(slab = new_slab(size_index)))
    return NULL;
  if (!slab->free)
    carve(slab);
  free_block *block = slab->free;
  slab->free = block->next;
  slab->used++;
  return block;
}

static inline void *small_block(size_t size_index) {
  slab *slab = listed[size_index];
  free_block *block = slab ? slab->free : NULL;
  if (!block)
    return block_of_other_slab(size_index);
  slab->free = block->next;
  slab->used++;
  return block;
}

/* The last slab with room stays, or a block taken and given in turn would make
 * and unmake one each time. */
static __attribute__((noinline)) void list_or_free(slab *slab) {
  if (!slab->listed)
    list(slab);
  if (slab->used == 0 && (slab->previous || slab->next)) {
    unlist(slab);
    free(slab);
  }
}

static inline void small_free(block_head *head) {
  slab *owner = (slab *)(void *)((uint8_t *)head - (size_t)head->place * STEP - SLAB_HEAD);
  free_block *freed = (free_block *)(void *)(head + 1);
  freed->next = owner->free;
  owner->free = freed;
  if (--owner->used == 0 || !owner->listed)
    list_or_free(owner);
}

/* ---- blocks of either kind ---- */

static void *large_block(size_t size, bool zeroed) {
  if (size > SIZE_MAX - sizeof(block_head))
    return refuse();
  size_t whole = size + sizeof(block_head);
  block_head *head = zeroed ? calloc(1, whole) : malloc(whole);
  if (!head)
    return refuse();
  head->size_index = 0;
  return head + 1;
}

/* 0: too large for a slab. */
static inline size_t size_index_of(size_t size) {
  return size <= (SIZES - 1) * STEP - sizeof(block_head)
             ? (size + sizeof(block_head) + STEP - 1) / STEP
             : 0;
}

static inline size_t usable_size(const void *block) {
  block_head *head = head_of(block);
  return (head->size_index ? head->size_index * STEP : malloc_usable_size(head)) - sizeof *head;
}

/* The engine collects cycles by what it believes to hold. */
static inline size_t *held(JSRuntime *rt) {
  return (size_t *)(void *)((uint8_t *)rt + engine_held_offset);
}

static inline void *small_counted(JSRuntime *rt, size_t size_index) {
  void *block = small_block(size_index);
  if (block)
    *held(rt) += size_index * STEP;
  return block;
}

static __attribute__((noinline)) void *large_counted(JSRuntime *rt, size_t size, bool zeroed) {
  void *block = large_block(size, zeroed);
  if (block)
    *held(rt) += usable_size(block) + sizeof(block_head);
  return block;
}

static __attribute__((noinline)) void large_free(JSRuntime *rt, void *block) {
  *held(rt) -= usable_size(block) + sizeof(block_head);
  free(head_of(block));
}

/* ---- what QuickJS calls ---- */

void *js_malloc_rt(JSRuntime *rt, size_t size) {
  if (size == 0)
    return NULL;
  size_t i = size_index_of(size);
  return i ? small_counted(rt, i) : large_counted(rt, size, false);
}

void *js_calloc_rt(JSRuntime *rt, size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total))
    return refuse();
  size_t i = size_index_of(total);
  if (!i)
    return large_counted(rt, total, true);
  void *block = small_counted(rt, i);
  return block ? memset(block, 0, total) : NULL;
}

void js_free_rt(JSRuntime *rt, void *block) {
  if (!block)
    return;
  block_head *head = head_of(block);
  if (head->size_index == 0) {
    large_free(rt, block);
    return;
  }
  *held(rt) -= head->size_index * STEP;
  small_free(head);
}

size_t js_malloc_usable_size_rt(JSRuntime *rt, const void *block) {
  (void)rt;
  return block ? usable_size(block) : 0;
}

static void *resize_large(JSRuntime *rt, void *block, size_t size) {
  if (size > SIZE_MAX - sizeof(block_head))
    return refuse();
  size_t had = usable_size(block);
  block_head *head = realloc(head_of(block), size + sizeof *head);
  if (!head)
    return refuse();
  *held(rt) += usable_size(head + 1) - had;
  return head + 1;
}

/* What grows is likely to grow again. Large blocks are libc's to grow. */
static size_t size_to_grow_in(size_t size) {
  if (!size_index_of(size))
    return size;
  size_t least = GROWN_LEAST - sizeof(block_head), more = size + size / 2;
  return more < least ? least : size_index_of(more) ? more : size;
}

static __attribute__((noinline)) void *move(JSRuntime *rt, void *block, size_t size) {
  size_t had = usable_size(block);
  void *moved = js_malloc_rt(rt, had < size ? size_to_grow_in(size) : size);
  if (!moved)
    return NULL;
  memcpy(moved, block, had < size ? had : size);
  head_of(moved)->engine_bits = head_of(block)->engine_bits;
  head_of(moved)->engine_count = head_of(block)->engine_count;
  js_free_rt(rt, block);
  return moved;
}

void *js_realloc_rt(JSRuntime *rt, void *block, size_t size) {
  if (size == 0) {
    js_free_rt(rt, block);
    return NULL;
  }
  if (!block)
    return js_malloc_rt(rt, size_to_grow_in(size));
  size_t had = head_of(block)->size_index, wanted = size_index_of(size);
  if (had == 0 && wanted == 0)
    return resize_large(rt, block, size);
  /* It may have been given more than was asked for, so less is not to be had. */
  bool fits = wanted != 0 && wanted <= had && (had <= GROWN_LEAST / STEP || wanted >= had / 2);
  return fits ? block : move(rt, block, size);
}

/* ---- templates ---- */

void heap_open(uint32_t *refused) {
  out_of_memory = refused;
}

bool heap_seal(size_t slack) {
  for (size_t i = 0; i < SIZES; i++)
    while (listed[i])
      unlist(listed[i]);
  memset(next_capacity, 0, sizeof next_capacity);
  void *end = malloc(slack);
  for (void *volatile hole = end; hole && (uintptr_t)hole <= (uintptr_t)end;)
    hole = malloc(1);
  free(end);
  return end != NULL;
}
