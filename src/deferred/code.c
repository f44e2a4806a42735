#include <string.h>

#include <sha2.h>

#include "deferred/deferred_int.h"

static size_t place_of(const uint8_t hash[WIRE_HASH]) {
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

code *code_find(const code_table *table, const uint8_t hash[WIRE_HASH]) {
  code *code = table->places[place_of(hash)];
  while (code && memcmp(code->hash, hash, WIRE_HASH) != 0)
    code = code->next;
  return code;
}

typedef struct code_fields {
  const uint8_t *hash, *bytecode;
  const char *source, *name;
  size_t bytecode_len, source_len, name_len;
} code_fields;

static bool read_fields(const uint8_t *body, size_t len, code_fields *fields) {
  cbor_in in;
  uint64_t count;
  size_t hash_len, file_len;
  const char *file;
  cbor_in_init(&in, body, len);
  return cbor_get_array(&in, &count) == CBOR_OK && count == 5 &&
         cbor_get_bytes(&in, &fields->hash, &hash_len) == CBOR_OK && hash_len == WIRE_HASH &&
         cbor_get_bytes(&in, &fields->bytecode, &fields->bytecode_len) == CBOR_OK &&
         cbor_get_text(&in, &fields->source, &fields->source_len) == CBOR_OK &&
         cbor_get_text(&in, &fields->name, &fields->name_len) == CBOR_OK &&
         cbor_get_text(&in, &file, &file_len) == CBOR_OK && cbor_in_end(&in);
}

/* A worker's engine believes bytecode as it is, so none that was cut or mixed up gets
 * to it. */
static bool is_whole(const code_fields *fields) {
  uint8_t sum[SHA256_DIGEST_LENGTH];
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, fields->bytecode, fields->bytecode_len);
  SHA256Final(sum, &context);
  return memcmp(sum, fields->hash, WIRE_HASH) == 0;
}

void code_source(const code *code, const char **text, size_t *len) {
  code_fields fields = {0};
  read_fields(code->body, code->len, &fields);
  *text = fields.source;
  *len = fields.source_len;
}

bool code_add(code_table *table, const uint8_t *body, size_t len) {
  code_fields fields;
  if (!read_fields(body, len, &fields))
    return false;
  if (code_find(table, fields.hash))
    return true;
  if (!is_whole(&fields))
    return false;
  code *code = NULL;
  if (len <= CODE_BYTES_MAX && table->bytes <= CODE_BYTES_MAX - len)
    code = mem_resize(table->allocator, NULL, 1, sizeof *code + len);
  if (!code)
    return true; /* its tasks are refused, one by one */
  memset(code, 0, sizeof *code);
  atomic_init(&code->holders, 1);
  code->allocator = table->allocator;
  memcpy(code->hash, fields.hash, WIRE_HASH);
  code->len = len;
  memcpy(code->body, body, len);
  if (fields.name_len < sizeof code->name)
    memcpy(code->name, fields.name, fields.name_len);
  struct code **place = &table->places[place_of(code->hash)];
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
