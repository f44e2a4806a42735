/* The guest's memcpy, memset and memcmp against libc's, for every short length. */
#define memcpy guest_memcpy
#define memset guest_memset
#define memcmp guest_memcmp
void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ size);
void *memset(void *to, int byte, __SIZE_TYPE__ size);
int memcmp(const void *a, const void *b, __SIZE_TYPE__ size);
#include "guest/bytes_wasm.c"
#undef memcpy
#undef memset
#undef memcmp

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH_MAX 200
#define OFFSETS 8

static void fill(uint8_t *bytes, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t)(i * 37 + seed);
}

static void copies_every_length(void **state) {
  (void)state;
  uint8_t from[LENGTH_MAX + OFFSETS], to[LENGTH_MAX + OFFSETS], expected[sizeof to];
  fill(from, sizeof from, 1);
  for (size_t size = 0; size <= LENGTH_MAX - OFFSETS; size++) {
    for (size_t offset = 0; offset < OFFSETS; offset++) {
      fill(to, sizeof to, 2);
      fill(expected, sizeof expected, 2);
      assert_ptr_equal(guest_memcpy(to + offset, from + 3, size), to + offset);
      for (size_t i = 0; i < size; i++)
        expected[offset + i] = from[3 + i];
      assert_memory_equal(to, expected, sizeof to);
    }
  }
}

static void sets_every_length(void **state) {
  (void)state;
  uint8_t to[LENGTH_MAX + OFFSETS], expected[sizeof to];
  for (size_t size = 0; size <= LENGTH_MAX; size++) {
    for (size_t offset = 0; offset < OFFSETS; offset++) {
      fill(to, sizeof to, 2);
      fill(expected, sizeof expected, 2);
      assert_ptr_equal(guest_memset(to + offset, 0x1a7, size), to + offset);
      for (size_t i = 0; i < size; i++)
        expected[offset + i] = 0xa7;
      assert_memory_equal(to, expected, sizeof to);
    }
  }
}

static int sign(int order) {
  return (order > 0) - (order < 0);
}

static void compares_every_length(void **state) {
  (void)state;
  uint8_t a[LENGTH_MAX], b[LENGTH_MAX];
  for (size_t size = 0; size <= 40; size++) {
    fill(a, sizeof a, 3);
    fill(b, sizeof b, 3);
    b[size] ^= 0x80; /* what lies behind does not count */
    assert_int_equal(guest_memcmp(a, b, size), 0);
    for (size_t at = 0; at < size; at++) {
      uint8_t was = b[at];
      b[at] = (uint8_t)(was ^ 0x80);
      int expected = a[at] < b[at] ? -1 : 1;
      assert_int_equal(sign(guest_memcmp(a, b, size)), expected);
      if (at + 1 < size) { /* the first difference decides */
        uint8_t later = b[at + 1];
        b[at + 1] = (uint8_t)(a[at] < b[at] ? 0 : 255);
        assert_int_equal(sign(guest_memcmp(a, b, size)), expected);
        b[at + 1] = later;
      }
      b[at] = was;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_every_length),
      cmocka_unit_test(sets_every_length),
      cmocka_unit_test(compares_every_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
