/* Hexadecimal literals of the tests as bytes. */
#ifndef VOW_TEST_HEX_H
#define VOW_TEST_HEX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline int hex_digit(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (int)(at - digits) : -1;
}

/* Bytes of lower-case `hex` (blanks are skipped) in a block of exactly their
 * size, so that reading beyond them is seen; free() it. NULL: not hexadecimal. */
static inline uint8_t *hex_bytes(const char *hex, size_t *len) {
  uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
  size_t made = 0;
  *len = 0;
  for (; bytes && *hex; hex++) {
    if (*hex == ' ')
      continue;
    int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);
    if (low < 0) {
      free(bytes);
      return NULL;
    }
    bytes[made++] = (uint8_t)(high << 4 | low);
    hex++;
  }
  *len = made;
  uint8_t *exact = bytes ? realloc(bytes, made ? made : 1) : NULL;
  return exact ? exact : bytes;
}

/* Lower-case hexadecimal of `bytes`, terminated; free() it. */
static inline char *hex_text(const uint8_t *bytes, size_t len) {
  char *text = malloc(2 * len + 1);
  for (size_t i = 0; text && i < len; i++) {
    text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
    text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
  if (text)
    text[2 * len] = 0;
  return text;
}

#endif
