#include "core/utf8.h"

#include <string.h>

/* Length of a sequence by its first byte, and the range its second byte must
 * be in: this is where overlong forms, surrogates and points above U+10FFFF
 * are told apart. 0: no sequence begins so. */
static size_t sequence_len(uint8_t first, bool surrogates, uint8_t *low, uint8_t *high) {
  *low = 0x80;
  *high = 0xbf;
  if (first < 0xc2 || first > 0xf4)
    return 0;
  if (first < 0xe0)
    return 2;
  if (first == 0xe0)
    *low = 0xa0;
  if (first == 0xed && !surrogates)
    *high = 0x9f;
  if (first < 0xf0)
    return 3;
  if (first == 0xf0)
    *low = 0x90;
  if (first == 0xf4)
    *high = 0x8f;
  return 4;
}

utf8_step utf8_next(const uint8_t *bytes, size_t len, bool surrogates) {
  utf8_step step = {.len = 1, .point = bytes[0], .good = bytes[0] < 0x80};
  if (step.good)
    return step;
  uint8_t low, high;
  size_t need = sequence_len(bytes[0], surrogates, &low, &high);
  if (need == 0)
    return step;
  step.point = bytes[0] & (0x7fu >> need);
  for (; step.len < need; step.len++) {
    if (step.len == len || bytes[step.len] < low || bytes[step.len] > high)
      return step;
    step.point = step.point << 6 | (bytes[step.len] & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  step.good = true;
  return step;
}

size_t utf8_encode(uint32_t point, uint8_t out[4]) {
  if (point < 0x80) {
    out[0] = (uint8_t)point;
    return 1;
  }
  size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = len - 1; i > 0; i--) {
    out[i] = (uint8_t)(0x80 | (point & 0x3f));
    point >>= 6;
  }
  out[0] = (uint8_t)((0xf00u >> len) | point);
  return len;
}

static bool is_ascii(const uint8_t *bytes, size_t len) {
  uint32_t head, tail;
  if (len >= sizeof head && len <= 2 * sizeof head) {
    memcpy(&head, bytes, sizeof head);
    memcpy(&tail, bytes + len - sizeof tail, sizeof tail);
    return ((head | tail) & 0x80808080u) == 0;
  }
  uint8_t all = 0;
  for (size_t i = 0; i < len; i++)
    all |= bytes[i];
  return all < 0x80;
}

bool utf8_valid(const uint8_t *bytes, size_t len) {
  size_t at = 0;
  while (at < len) {
    uint64_t eight;
    if (len - at >= sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if ((eight & UINT64_C(0x8080808080808080)) == 0) {
        at += sizeof eight;
        continue;
      }
    } else if (is_ascii(bytes + at, len - at)) {
      return true;
    }
    if (bytes[at] < 0x80) {
      at++;
      continue;
    }
    utf8_step step = utf8_next(bytes + at, len - at, false);
    if (!step.good)
      return false;
    at += step.len;
  }
  return true;
}
