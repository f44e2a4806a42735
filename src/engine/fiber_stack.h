/* Native stacks that guest code runs on, kept in a pool of one loop thread. A
 * waiting sandbox keeps the address range and gives its pages back. */
#ifndef VOW_ENGINE_FIBER_STACK_H
#define VOW_ENGINE_FIBER_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

typedef struct fiber_stack_pool fiber_stack_pool;

typedef struct fiber_stack {
  fiber_stack_pool *pool;
  uint8_t *bottom; /* lowest usable byte; a guard lies below */
  size_t size;
  struct fiber_stack *next;
} fiber_stack;

fiber_stack_pool *fiber_stack_pool_open(const vow_allocator *allocator, uint32_t keep_max);
void fiber_stack_pool_close(fiber_stack_pool *pool);
fiber_stack *fiber_stack_take(fiber_stack_pool *pool, size_t size);
void fiber_stack_give(fiber_stack *stack);
/* Gives the pages of a stack that holds no frame back to the system. */
void fiber_stack_release(fiber_stack *stack);

#endif
