/* memcpy, memset and memcmp of a guest in WebAssembly, in place of libc's.
 *
 * The engine moves a few bytes at a time, and each turn of a loop costs a look at
 * whether the guest must yield: short lengths take no loop here. Long ones keep
 * theirs, and not the instructions for bulk memory, which cannot be interrupted.
 * Compiled without link-time optimisation, which would see calls of themselves. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t load8(const uint8_t *at) {
  uint64_t word;
  __builtin_memcpy(&word, at, sizeof word);
  return word;
}

static inline uint32_t load4(const uint8_t *at) {
  uint32_t word;
  __builtin_memcpy(&word, at, sizeof word);
  return word;
}

static inline void store8(uint8_t *at, uint64_t word) {
  __builtin_memcpy(at, &word, sizeof word);
}

static inline void store4(uint8_t *at, uint32_t word) {
  __builtin_memcpy(at, &word, sizeof word);
}

/* Pieces from both ends, which may overlap in the middle, cover every length. */

static inline void copy_to_16(uint8_t *to, const uint8_t *from, size_t size) {
  if (size >= 8) {
    uint64_t head = load8(from), tail = load8(from + size - 8);
    store8(to, head);
    store8(to + size - 8, tail);
  } else if (size >= 4) {
    uint32_t head = load4(from), tail = load4(from + size - 4);
    store4(to, head);
    store4(to + size - 4, tail);
  } else if (size > 0) {
    uint8_t head = from[0], middle = from[size / 2], tail = from[size - 1];
    to[0] = head;
    to[size / 2] = middle;
    to[size - 1] = tail;
  }
}

static inline void copy_16(uint8_t *to, const uint8_t *from) {
  uint64_t head = load8(from), tail = load8(from + 8);
  store8(to, head);
  store8(to + 8, tail);
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  uint8_t *at = to;
  const uint8_t *source = from;
  if (size <= 16) {
    copy_to_16(at, source, size);
    return to;
  }
  const uint8_t *last = source + size - 16;
  uint8_t *last_to = at + size - 16;
  for (; size > 32; size -= 32, at += 32, source += 32) {
    copy_16(at, source);
    copy_16(at + 16, source + 16);
  }
  if (size > 16)
    copy_16(at, source);
  copy_16(last_to, last);
  return to;
}

void *memset(void *to, int byte, size_t size) {
  uint8_t *at = to;
  uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
  if (size >= 8) {
    uint8_t *last = at + size - 8;
    for (; size > 32; size -= 32, at += 32) {
      store8(at, word);
      store8(at + 8, word);
      store8(at + 16, word);
      store8(at + 24, word);
    }
    if (size > 16) {
      store8(at, word);
      store8(at + 8, word);
      at += 16;
      size -= 16;
    }
    if (size > 8)
      store8(at, word);
    store8(last, word);
  } else if (size >= 4) {
    store4(at, (uint32_t)word);
    store4(at + size - 4, (uint32_t)word);
  } else if (size > 0) {
    at[0] = at[size / 2] = at[size - 1] = (uint8_t)byte;
  }
  return to;
}

static inline int order_of(uint64_t a, uint64_t b) {
  return a == b ? 0 : __builtin_bswap64(a) < __builtin_bswap64(b) ? -1 : 1;
}

static inline int compare_below_8(const uint8_t *a, const uint8_t *b, size_t size) {
  if (size >= 4)
    return order_of(load4(a) | (uint64_t)load4(a + size - 4) << 32,
                    load4(b) | (uint64_t)load4(b + size - 4) << 32);
  for (size_t i = 0; i < size; i++)
    if (a[i] != b[i])
      return a[i] - b[i];
  return 0;
}

int memcmp(const void *a, const void *b, size_t size) {
  const uint8_t *left = a, *right = b;
  if (size < 8)
    return compare_below_8(left, right, size);
  for (; size > 8; size -= 8, left += 8, right += 8) {
    int order = order_of(load8(left), load8(right));
    if (order != 0)
      return order;
  }
  return order_of(load8(left + size - 8), load8(right + size - 8));
}
