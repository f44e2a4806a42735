/* Public structs that begin with their size, so that programs compiled against an older
 * header go on working. */
#ifndef VOW_CORE_SIZED_H
#define VOW_CORE_SIZED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copies a struct of `size` bytes that may be given shorter (the rest is zero) or longer
 * (then with zeros only: what is not known here cannot be done). False: it is neither. */
static inline bool sized_copy(void *to, size_t size, const void *from) {
  size_t given = *(const size_t *)from;
  const uint8_t *bytes = (const uint8_t *)from;
  if (given < sizeof(size_t))
    return false;
  for (size_t i = size; i < given; i++)
    if (bytes[i] != 0)
      return false;
  memset(to, 0, size);
  memcpy(to, from, given < size ? given : size);
  return true;
}

#endif
