/* Linear memories of sandboxes: copies of a template image, mapped on write.
 *
 * A new mapping is dear (the kernel's map lock, page tables, TLB shootdowns on
 * every core), so mappings are kept: when a run ends well, the pages it wrote
 * are copied back from the template and the mapping serves the next run. Which
 * pages were written is read from /proc/self/pagemap: a private mapping of a
 * file shows a page as anonymous once it was written. Pages stay so, and the
 * first write to any other one is a page fault: while the thread had none since
 * the memory was taken, the pages found last time are all there can be, and the
 * search is left out. Where pagemap cannot be read, and where a run wrote so much
 * that copying would cost more, the whole image is dropped with madvise, which
 * restores the template as well.
 *
 * A pool belongs to one loop thread. */
#ifndef VOW_ENGINE_LINEAR_MEMORY_H
#define VOW_ENGINE_LINEAR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>

#include "core/mem.h"
#include "engine/linear_image.h"

#define LINEAR_PAGE 65536u
/* What Wasmtime reserves for one memory: with 4 GiB behind it and the guard no
 * bounds check is needed in compiled code. Checked against what it asks for. */
#define LINEAR_MEMORY_RESERVATION (UINT64_C(4) << 30)
#define LINEAR_MEMORY_GUARD (UINT64_C(32) << 20)

typedef struct linear_memory linear_memory;
typedef struct linear_memory_pool linear_memory_pool;

/* Pages that have been written since they were mapped; `complete` while nothing
 * outside of them can have been. */
#define LINEAR_WRITTEN_MAX 64u
typedef struct linear_written {
  linear_extent ranges[LINEAR_WRITTEN_MAX];
  size_t count;
  bool complete;
  uint64_t faults; /* of `thread`, when the memory was taken */
  const void *thread;
} linear_written;

struct linear_memory {
  linear_memory_pool *pool;
  uint8_t *base;
  size_t size;    /* accessible bytes */
  size_t max;     /* of this run */
  bool limit_hit; /* a growth beyond max was refused */
  bool host_full; /* a growth that max allows was refused by the system */
  bool reusable;  /* decided by the owner before the store goes */
  uint64_t file;  /* of the pool: what it is mapped from */
  linear_written written;
  linear_memory *next;
};

/* What all pools of a shard count, and whether each recycled memory is compared
 * with its image; a difference aborts. */
typedef struct linear_memory_account {
  uint64_t recycled, discarded, pages_restored, searches;
  bool verify;
} linear_memory_account;

/* `image` and `account` are borrowed. NULL when memory is short. */
linear_memory_pool *linear_memory_pool_open(const vow_allocator *allocator,
                                            const linear_image *image,
                                            linear_memory_account *account, uint32_t keep_max);
void linear_memory_pool_close(linear_memory_pool *pool);
/* A memory that equals the image. NULL when none can be had. */
linear_memory *linear_memory_take(linear_memory_pool *pool, size_t max);
/* Grows to `size` bytes; false with limit_hit or host_full. */
bool linear_memory_grow(linear_memory *memory, size_t size);
/* Makes a memory that has not grown equal to the image again, in place: its
 * instance may serve another run. False: it must be given up. */
bool linear_memory_restore(linear_memory *memory);
/* Takes a memory again that was restored in place. */
void linear_memory_retake(linear_memory *memory, size_t max);
/* Gives the pages of the first `size` bytes back to the system. The caller needs
 * their contents no more. */
void linear_memory_drop(linear_memory *memory, size_t size);
/* Back into the pool if it is reusable, else unmapped. */
void linear_memory_give(linear_memory *memory);

#endif
