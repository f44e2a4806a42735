#include <string.h>

#include "deferred/deferred_int.h"

static size_t place_of(const uint8_t hash[CODE_HASH]) {
  uint32_t word;
  memcpy(&word, hash, sizeof word);
  return word % CODE_PLACES;
}

code *code_hold(code *code) {
  atomic_fetch_add_explicit(&code->holders, 1, memory_order_relaxed);
  return code;
}

void code_release(code *code) {
  if (code && atomic_fetch_sub_explicit(&code->holders, 1, memory_order_acq_rel) == 1)
    mem_free(code->allocator, code);
}

code *code_find(const code_table *table, const uint8_t hash[CODE_HASH]) {
  code *code = table->places[place_of(hash)];
  while (code && memcmp(code->hash, hash, CODE_HASH) != 0)
    code = code->next;
  return code;
}

/* The hash, if the body is a list that begins with one. */
static const uint8_t *hash_of(const uint8_t *body, size_t len) {
  cbor_in in;
  uint64_t count;
  const uint8_t *hash;
  size_t hash_len;
  cbor_in_init(&in, body, len);
  if (cbor_get_array(&in, &count) != CBOR_OK || count != 5 ||
      cbor_get_bytes(&in, &hash, &hash_len) != CBOR_OK || hash_len != CODE_HASH)
    return NULL;
  return hash;
}

/* The fourth of the list. */
static void take_name(code *code) {
  cbor_in in;
  uint64_t count;
  const char *name;
  size_t len;
  cbor_in_init(&in, code->body, code->len);
  if (cbor_get_array(&in, &count) != CBOR_OK || cbor_skip(&in) != CBOR_OK ||
      cbor_skip(&in) != CBOR_OK || cbor_skip(&in) != CBOR_OK ||
      cbor_get_text(&in, &name, &len) != CBOR_OK || len >= sizeof code->name)
    return;
  memcpy(code->name, name, len);
}

bool code_add(code_table *table, const uint8_t *body, size_t len) {
  const uint8_t *hash = hash_of(body, len);
  if (!hash)
    return false;
  if (code_find(table, hash))
    return true;
  code *code = NULL;
  if (len <= CODE_BYTES_MAX && table->bytes <= CODE_BYTES_MAX - len)
    code = mem_resize(table->allocator, NULL, 1, sizeof *code + len);
  if (!code)
    return true; /* its tasks are refused, one by one */
  memset(code, 0, sizeof *code);
  atomic_init(&code->holders, 1);
  code->allocator = table->allocator;
  memcpy(code->hash, hash, CODE_HASH);
  code->len = len;
  memcpy(code->body, body, len);
  take_name(code);
  struct code **place = &table->places[place_of(hash)];
  code->next = *place;
  *place = code;
  table->bytes += len;
  return true;
}

void code_table_free(code_table *table) {
  for (size_t i = 0; i < CODE_PLACES; i++)
    while (table->places[i]) {
      code *code = table->places[i];
      table->places[i] = code->next;
      code_release(code);
    }
}
