#include "core/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *mem_resize(const vow_allocator *allocator, void *block, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size)
    return NULL;
  size_t bytes = count * size;
  if (bytes == 0)
    bytes = 1;
  if (!allocator)
    return realloc(block, bytes);
  return allocator->reallocate(allocator->user, block, bytes);
}

void *mem_new(const vow_allocator *allocator, size_t count, size_t size) {
  if (!allocator)
    return calloc(count ? count : 1, size ? size : 1);
  void *block = mem_resize(allocator, NULL, count, size);
  if (block)
    memset(block, 0, count * size);
  return block;
}

void mem_free(const vow_allocator *allocator, void *block) {
  if (!block)
    return;
  if (!allocator)
    free(block);
  else
    allocator->reallocate(allocator->user, block, 0);
}

char *mem_text(const vow_allocator *allocator, const char *text, size_t len) {
  if (len == SIZE_MAX)
    return NULL;
  char *copy = mem_resize(allocator, NULL, len + 1, 1);
  if (!copy)
    return NULL;
  if (len)
    memcpy(copy, text, len);
  copy[len] = 0;
  return copy;
}
