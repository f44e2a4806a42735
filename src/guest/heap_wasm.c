#include "guest/heap_wasm.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "guest/engine_unit.h"

#define STEP 8u          /* distance of the sizes of small blocks */
#define SIZES 33u        /* size i: blocks of i * STEP bytes, head included */
#define SLAB_FIRST 2u    /* blocks of the first slab of a size; each next has twice */
#define SLAB_BYTES 8192u /* as many, until one has about these bytes */
#define LARGE UINT16_MAX /* place of a block of libc */

/* Blocks are the engine's: with link-time optimisation the compiler sees both
 * sides, and must not take the two for different memory. */
typedef engine_block_head __attribute__((may_alias)) block_head;

typedef struct free_block {
  struct free_block *next;
} __attribute__((may_alias)) free_block;

typedef struct slab {
  struct slab *previous, *next; /* with room, of the same size */
  free_block *free;
  uint16_t used, fresh, capacity; /* fresh: blocks that were given out so far */
  uint8_t size_index;
  bool listed;
} slab;

static slab *with_room[SIZES];
static uint32_t next_capacity[SIZES];
static uint32_t *out_of_memory;

_Static_assert(sizeof(slab) % STEP == 4, "the first block follows four bytes of padding");
#define SLAB_HEAD (sizeof(struct slab) + 4)

static void *refuse(void) {
  *out_of_memory = 1;
  return NULL;
}

static block_head *head_of(const void *block) {
  return (block_head *)(uintptr_t)block - 1;
}

/* ---- slabs ---- */

static void list(slab *slab) {
  struct slab **first = &with_room[slab->size_index];
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
    with_room[slab->size_index] = slab->next;
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
  *slab = (struct slab){.size_index = (uint8_t)size_index, .capacity = (uint16_t)capacity};
  list(slab);
  next_capacity[size_index] = (uint32_t)(capacity * stride < SLAB_BYTES ? 2 * capacity : capacity);
  return slab;
}

static void *fresh_block(slab *slab) {
  uint8_t *at = (uint8_t *)slab + SLAB_HEAD + (size_t)slab->fresh * slab->size_index * STEP;
  block_head *head = (block_head *)(void *)at;
  head->place = slab->fresh++;
  head->size_index = slab->size_index;
  return head + 1;
}

static inline void *small_block(size_t size_index) {
  slab *slab = with_room[size_index];
  if (!slab && !(slab = new_slab(size_index)))
    return NULL;
  free_block *block = slab->free;
  if (block)
    slab->free = block->next;
  else
    block = fresh_block(slab);
  if (++slab->used == slab->capacity)
    unlist(slab);
  return block;
}

/* The last slab with room stays, or a block taken and given in turn would make
 * and unmake one each time. */
static inline void small_free(block_head *head) {
  slab *owner =
      (slab *)(void *)((uint8_t *)head - (size_t)head->place * head->size_index * STEP - SLAB_HEAD);
  free_block *freed = (free_block *)(void *)(head + 1);
  freed->next = owner->free;
  owner->free = freed;
  owner->used--;
  if (!owner->listed)
    list(owner);
  if (owner->used == 0 && (owner->previous || owner->next)) {
    unlist(owner);
    free(owner);
  }
}

/* ---- blocks of either kind ---- */

static void *large_block(size_t size, bool zeroed) {
  if (size > SIZE_MAX - sizeof(block_head))
    return refuse();
  size_t whole = size + sizeof(block_head);
  block_head *head = zeroed ? calloc(1, whole) : malloc(whole);
  if (!head)
    return refuse();
  head->place = LARGE;
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
  if (head->place == LARGE)
    return malloc_usable_size(head) - sizeof *head;
  return (size_t)head->size_index * STEP - sizeof *head;
}

/* The engine collects cycles by what it believes to hold. */
static inline size_t *held(JSRuntime *rt) {
  return (size_t *)(void *)((uint8_t *)rt + engine_held_offset);
}

static inline void *counted(JSRuntime *rt, void *block) {
  if (block)
    *held(rt) += usable_size(block) + sizeof(block_head);
  return block;
}

/* ---- what QuickJS calls ---- */

void *js_malloc_rt(JSRuntime *rt, size_t size) {
  if (size == 0)
    return NULL;
  size_t i = size_index_of(size);
  return counted(rt, i ? small_block(i) : large_block(size, false));
}

void *js_calloc_rt(JSRuntime *rt, size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total))
    return refuse();
  size_t i = size_index_of(total);
  if (!i)
    return counted(rt, large_block(total, true));
  void *block = counted(rt, small_block(i));
  return block ? memset(block, 0, total) : NULL;
}

void js_free_rt(JSRuntime *rt, void *block) {
  if (!block)
    return;
  block_head *head = head_of(block);
  *held(rt) -= usable_size(block) + sizeof *head;
  if (head->place == LARGE)
    free(head);
  else
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

void *js_realloc_rt(JSRuntime *rt, void *block, size_t size) {
  if (!block)
    return js_malloc_rt(rt, size);
  if (size == 0) {
    js_free_rt(rt, block);
    return NULL;
  }
  block_head *head = head_of(block);
  size_t i = size_index_of(size);
  if (head->place == LARGE && !i)
    return resize_large(rt, block, size);
  if (head->place != LARGE && head->size_index == i)
    return block;
  void *moved = js_malloc_rt(rt, size);
  if (!moved)
    return NULL;
  size_t had = usable_size(block);
  memcpy(moved, block, had < size ? had : size);
  head_of(moved)->engine_bits = head->engine_bits;
  head_of(moved)->engine_count = head->engine_count;
  js_free_rt(rt, block);
  return moved;
}

/* ---- templates ---- */

void heap_open(uint32_t *refused) {
  out_of_memory = refused;
}

bool heap_seal(size_t slack) {
  for (size_t i = 0; i < SIZES; i++)
    while (with_room[i])
      unlist(with_room[i]);
  memset(next_capacity, 0, sizeof next_capacity);
  void *end = malloc(slack);
  for (void *volatile hole = end; hole && (uintptr_t)hole <= (uintptr_t)end;)
    hole = malloc(1);
  free(end);
  return end != NULL;
}
