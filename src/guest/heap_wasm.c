#include "guest/heap_wasm.h"

#include <stdlib.h>
#include <string.h>

#define STEP 8u
#define SIZES 65u
#define SLAB_FIRST 2u
#define SLAB_BYTES 8192u /* as many, until one has about these bytes */

typedef struct slab slab;

/* In front of every block. */
typedef struct block_head {
  slab *owner; /* NULL: a large block of libc, with its size in front of this */
} block_head;

typedef struct free_block {
  struct free_block *next;
} free_block;

struct slab {
  slab *previous, *next; /* with room, of the same size */
  free_block *free;
  uint16_t size_index, used, fresh, capacity; /* fresh: blocks never given out */
  bool listed;
  block_head pad; /* keeps what follows the first head at a multiple of 8 */
};

typedef struct large_head {
  uint32_t size;
  block_head head;
} large_head;

_Static_assert(sizeof(slab) % 8 == 4, "block heads lie right before multiples of 8");
_Static_assert(sizeof(large_head) == 8, "blocks of libc stay at multiples of 8");

static slab *with_room[SIZES];
static uint32_t next_capacity[SIZES];
static uint32_t *out_of_memory;

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
  slab *slab = malloc(sizeof *slab + capacity * stride);
  if (!slab)
    return refuse();
  *slab = (struct slab){.size_index = (uint16_t)size_index, .capacity = (uint16_t)capacity};
  list(slab);
  next_capacity[size_index] = (uint32_t)(capacity * stride < SLAB_BYTES ? 2 * capacity : capacity);
  return slab;
}

static void *fresh_block(slab *slab) {
  uint8_t *at = (uint8_t *)(slab + 1) + (size_t)slab->fresh++ * slab->size_index * STEP;
  block_head *head = (block_head *)(void *)at;
  head->owner = slab;
  return head + 1;
}

static void *small_block(size_t size_index) {
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
static void small_free(slab *slab, void *block) {
  free_block *freed = block;
  freed->next = slab->free;
  slab->free = freed;
  slab->used--;
  if (!slab->listed)
    list(slab);
  if (slab->used == 0 && (slab->previous || slab->next)) {
    unlist(slab);
    free(slab);
  }
}

/* ---- what QuickJS calls ---- */

static void *large_block(size_t size, bool zeroed) {
  if (size > SIZE_MAX - sizeof(large_head))
    return refuse();
  size_t whole = size + sizeof(large_head);
  large_head *large = zeroed ? calloc(1, whole) : malloc(whole);
  if (!large)
    return refuse();
  *large = (large_head){.size = size};
  return large + 1;
}

/* 0: too large for a slab. */
static size_t size_index_of(size_t size) {
  return size <= (SIZES - 1) * STEP - sizeof(block_head)
             ? (size + sizeof(block_head) + STEP - 1) / STEP
             : 0;
}

static void *allocate(void *opaque, size_t size) {
  (void)opaque;
  size_t i = size_index_of(size);
  return i ? small_block(i) : large_block(size, false);
}

static void *allocate_zeroed(void *opaque, size_t count, size_t size) {
  (void)opaque;
  size_t total;
  if (__builtin_mul_overflow(count, size, &total))
    return refuse();
  size_t i = size_index_of(total);
  if (!i)
    return large_block(total, true);
  void *block = small_block(i);
  return block ? memset(block, 0, total) : NULL;
}

static void release(void *opaque, void *block) {
  (void)opaque;
  if (!block)
    return;
  slab *owner = head_of(block)->owner;
  if (owner)
    small_free(owner, block);
  else
    free((large_head *)block - 1);
}

static size_t usable_size(const void *block) {
  if (!block)
    return 0;
  const slab *owner = head_of(block)->owner;
  return owner ? owner->size_index * STEP - sizeof(block_head)
               : ((const large_head *)block - 1)->size;
}

static void *reallocate_large(void *block, size_t size) {
  if (size > SIZE_MAX - sizeof(large_head))
    return refuse();
  large_head *moved = realloc((large_head *)block - 1, size + sizeof(large_head));
  if (!moved)
    return refuse();
  moved->size = size;
  return moved + 1;
}

static void *reallocate(void *opaque, void *block, size_t size) {
  if (!block)
    return allocate(opaque, size);
  if (size == 0) {
    release(opaque, block);
    return NULL;
  }
  const slab *owner = head_of(block)->owner;
  size_t i = size_index_of(size);
  if (!owner && !i)
    return reallocate_large(block, size);
  if (owner && owner->size_index == i)
    return block;
  size_t had = usable_size(block);
  void *moved = allocate(opaque, size);
  if (!moved)
    return NULL;
  memcpy(moved, block, had < size ? had : size);
  release(opaque, block);
  return moved;
}

JSMallocFunctions heap_functions(uint32_t *refused) {
  out_of_memory = refused;
  return (JSMallocFunctions){allocate_zeroed, allocate, release, reallocate, usable_size};
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
