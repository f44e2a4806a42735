#include "engine/fiber_stack.h"

#include <sys/mman.h>

#define GUARD_SIZE 65536u

struct fiber_stack_pool {
  const vow_allocator *allocator;
  fiber_stack *free;
  uint32_t free_count, keep_max;
};

fiber_stack_pool *fiber_stack_pool_open(const vow_allocator *allocator, uint32_t keep_max) {
  fiber_stack_pool *pool = mem_new(allocator, 1, sizeof *pool);
  if (pool)
    *pool = (fiber_stack_pool){.allocator = allocator, .keep_max = keep_max};
  return pool;
}

static void unmap(fiber_stack *stack) {
  munmap(stack->bottom - GUARD_SIZE, stack->size + GUARD_SIZE);
  mem_free(stack->pool->allocator, stack);
}

void fiber_stack_pool_close(fiber_stack_pool *pool) {
  if (!pool)
    return;
  while (pool->free) {
    fiber_stack *stack = pool->free;
    pool->free = stack->next;
    unmap(stack);
  }
  mem_free(pool->allocator, pool);
}

static fiber_stack *map_new(fiber_stack_pool *pool, size_t size) {
  fiber_stack *stack = mem_new(pool->allocator, 1, sizeof *stack);
  if (!stack)
    return NULL;
  void *base = mmap(NULL, size + GUARD_SIZE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) {
    mem_free(pool->allocator, stack);
    return NULL;
  }
  *stack = (fiber_stack){.pool = pool, .bottom = (uint8_t *)base + GUARD_SIZE, .size = size};
  if (mprotect(stack->bottom, size, PROT_READ | PROT_WRITE) < 0) {
    unmap(stack);
    return NULL;
  }
  return stack;
}

fiber_stack *fiber_stack_take(fiber_stack_pool *pool, size_t size) {
  fiber_stack *stack = pool->free;
  if (!stack || stack->size != size)
    return map_new(pool, size);
  pool->free = stack->next;
  pool->free_count--;
  return stack;
}

void fiber_stack_give(fiber_stack *stack) {
  fiber_stack_pool *pool = stack->pool;
  if (pool->free_count >= pool->keep_max) {
    unmap(stack);
    return;
  }
  fiber_stack_release(stack);
  stack->next = pool->free;
  pool->free = stack;
  pool->free_count++;
}

void fiber_stack_release(fiber_stack *stack) {
  madvise(stack->bottom, stack->size, MADV_DONTNEED);
}
