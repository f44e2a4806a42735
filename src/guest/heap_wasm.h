/* The heap of a guest in WebAssembly: it takes the place of QuickJS's functions
 * for raw memory (js_malloc_rt and its kin, which are weak in that build).
 *
 * What a run writes is what must be copied back after it, and what it holds
 * while it waits: its blocks should lie close together. QuickJS's own pools, a
 * page for each of 31 sizes, spread them thinly. Here small blocks of one size
 * come from slabs that are small at first and grow with their number; libc gives
 * the slabs and all larger blocks, and takes back a slab that is empty, so memory
 * freed in one size serves the others. A template's heap has no holes
 * (heap_seal), so that a run fills the free space behind it from the start. */
#ifndef VOW_GUEST_HEAP_WASM_H
#define VOW_GUEST_HEAP_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on *refused is set to 1, and stays so, when memory cannot be had. */
void heap_open(uint32_t *refused);
/* Takes what is free now out of use, but for `slack` bytes at the heap's end.
 * Once, when a template is made. False when memory is short. */
bool heap_seal(size_t slack);

#endif
