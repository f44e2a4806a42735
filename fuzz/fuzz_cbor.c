/* clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc fuzz/fuzz_cbor.c \
 *       src/core/{mem,utf8,cbor_*,json*}.c -o fuzz_cbor && ./fuzz_cbor -max_total_time=60
 *
 * What the checker accepts must be readable to the end by every other walk,
 * and have one deterministic form. */
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"
#include "core/json.h"

/* Out of proportion to any input: reaching it is a fault, not a limit. */
#define OUTPUT_MAX ((size_t)64 << 20)

static const cbor_limits limits = {.depth = 64, .nodes = 1 << 16, .bytes = 1 << 20};

static void demand(int holds) {
  if (!holds)
    abort();
}

/* Reads every head in turn, however the bytes look. */
static size_t read_heads(const uint8_t *data, size_t size, cbor_status *last) {
  cbor_in in;
  cbor_item item;
  size_t heads = 0;
  cbor_in_init(&in, data, size);
  while ((*last = cbor_next(&in, &item)) == CBOR_OK) {
    demand(item.kind <= CBOR_BREAK);
    if (item.len)
      demand(item.bytes >= data && item.bytes + item.len <= data + size);
    heads++;
  }
  return heads;
}

static void try_readers(const uint8_t *data, size_t size) {
  cbor_in in, value;
  cbor_in_init(&in, data, size);
  if (cbor_find(&in, "message", &value))
    demand(cbor_skip(&value) == CBOR_OK && cbor_in_end(&value));
  cbor_skip(&in);
  cbor_out text;
  cbor_out_init(&text, NULL, OUTPUT_MAX);
  json_put_string(&text, (const char *)data, size);
  demand(text.status == CBOR_OK);
  cbor_out_free(&text);
}

static void try_canonical(const uint8_t *data, size_t size) {
  cbor_out once, twice;
  cbor_out_init(&once, NULL, OUTPUT_MAX);
  cbor_out_init(&twice, NULL, OUTPUT_MAX);
  cbor_status status = cbor_canonical(data, size, &limits, &once);
  demand(status == CBOR_OK || status == CBOR_E_MALFORMED); /* duplicate keys */
  if (status == CBOR_OK) {
    demand(once.len <= 2 * size);
    demand(cbor_check(once.data, once.len, &limits) == CBOR_OK);
    demand(cbor_canonical(once.data, once.len, &limits, &twice) == CBOR_OK);
    demand(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
  }
  cbor_out_free(&once);
  cbor_out_free(&twice);
}

static void try_json(const uint8_t *data, size_t size) {
  cbor_out out;
  cbor_out_init(&out, NULL, OUTPUT_MAX);
  cbor_status status = json_from_cbor(data, size, &limits, &out);
  demand(status == CBOR_OK || status == CBOR_E_MALFORMED || status == CBOR_E_SIZE);
  demand(status == CBOR_OK ? out.len > 0 : out.len == 0);
  for (size_t i = 0; i < out.len; i++)
    demand(out.data[i] >= 0x20);
  cbor_out_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cbor_status status;
  try_readers(data, size);
  size_t heads = read_heads(data, size, &status);
  if (cbor_check(data, size, &limits) != CBOR_OK)
    return 0;
  demand(status == CBOR_E_TRUNCATED && heads > 0);
  cbor_in in;
  cbor_in_init(&in, data, size);
  demand(cbor_skip(&in) == CBOR_OK && cbor_in_end(&in));
  try_canonical(data, size);
  try_json(data, size);
  return 0;
}
