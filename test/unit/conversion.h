/* What the tests of conversions from CBOR share. Behind cmocka.h. */
#ifndef VOW_TEST_CONVERSION_H
#define VOW_TEST_CONVERSION_H

#include "core/cbor.h"
#include "unit/counting_alloc.h"
#include "unit/hex.h"

typedef cbor_status conversion(const void *bytes, size_t len, const cbor_limits *limits,
                               cbor_out *out);

static const cbor_limits wide = {.depth = CBOR_DEPTH_MAX, .nodes = SIZE_MAX, .bytes = SIZE_MAX};

static inline cbor_out new_out(void) {
  cbor_out out;
  cbor_out_init(&out, NULL, SIZE_MAX);
  return out;
}

static inline cbor_status convert_hex(conversion *convert, const char *hex, cbor_out *out) {
  size_t len;
  uint8_t *bytes = hex_bytes(hex, &len);
  assert_non_null(bytes);
  cbor_status status = convert(bytes, len, &wide, out);
  free(bytes);
  return status;
}

/* Fails each allocation, once and for ever: always CBOR_E_NOMEM, `out` is as before,
 * no block is left. There are at least `least`. */
static inline void survives_failing_memory(conversion *convert, const char *hex, size_t least,
                                           const void *want, size_t want_len) {
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    cbor_status status = CBOR_E_NOMEM;
    for (size_t n = 1; status != CBOR_OK; n++) {
      counting_alloc counts = {.fail_at = n, .for_ever = for_ever};
      vow_allocator allocator = counting_allocator(&counts);
      cbor_out out;
      cbor_out_init(&out, &allocator, SIZE_MAX);
      status = convert_hex(convert, hex, &out);
      assert_int_equal(status, counts.calls >= n ? CBOR_E_NOMEM : CBOR_OK);
      assert_int_equal(out.len, status == CBOR_OK ? want_len : 0);
      if (status == CBOR_OK) {
        assert_true(n > least);
        assert_memory_equal(out.data, want, want_len);
      }
      cbor_out_free(&out);
      assert_int_equal(counts.blocks, 0);
    }
  }
}

#endif
