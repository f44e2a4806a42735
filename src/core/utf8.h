/* UTF-8 (RFC 3629) over bytes of any origin. Plain C, no locale. */
#ifndef VOW_CORE_UTF8_H
#define VOW_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the first bytes of a text are. */
typedef struct utf8_step {
  size_t len;     /* bytes of the sequence, or of the part to replace if it is bad */
  uint32_t point; /* the code point; meaningless if bad */
  bool good;
} utf8_step;

/* Looks at the sequence at `bytes`; `len` is at least 1. With `surrogates`,
 * U+D800..U+DFFF count as good (WTF-8). A bad sequence's length is the maximal
 * subpart that a decoder replaces by one U+FFFD. */
utf8_step utf8_next(const uint8_t *bytes, size_t len, bool surrogates);

/* Bytes of `point` (at most 0x10FFFF) written to `out`: 1 to 4. */
size_t utf8_encode(uint32_t point, uint8_t out[4]);

bool utf8_valid(const uint8_t *bytes, size_t len);

#endif
