/* Allocation through a replaceable allocator.
 *
 * Everything Vow allocates for itself goes through these calls, so that an
 * embedding program can count or bound it and tests can fail each allocation
 * once. A NULL allocator means the C library's. */
#ifndef VOW_CORE_MEM_H
#define VOW_CORE_MEM_H

#include <stddef.h>

#include "vow/allocator.h"

/* Zeroed array of `count` elements of `size` bytes; NULL when memory is short
 * or the product overflows. */
void *mem_new(const vow_allocator *allocator, size_t count, size_t size);

/* Resizes `block` (NULL: none yet) to `count` elements; new bytes are not
 * zeroed. On NULL the old block is still valid and still the caller's. */
void *mem_resize(const vow_allocator *allocator, void *block, size_t count, size_t size);

/* Frees `block`; NULL is allowed. */
void mem_free(const vow_allocator *allocator, void *block);

/* Zero-terminated copy of `len` bytes of `text`. */
char *mem_text(const vow_allocator *allocator, const char *text, size_t len);

#endif
