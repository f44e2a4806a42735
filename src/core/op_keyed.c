/* Sets by key, in places that double as the set grows. When there is no memory
 * for more places they stay as they are, and the set only gets slower. */
#include "core/op_int.h"

#include <string.h>

#define BITS_FIRST 4u
#define BITS_MAX 24u

/* Two 64-bit numbers to one that depends on all bits of both. */
static uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b | 1);
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t op_key_hash(const void *key, size_t len, uint64_t seed) {
  const uint8_t *bytes = key;
  uint64_t hash = mix(seed, len + 0xd1342543de82ef95u);
  for (size_t at = 0; at < len; at += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + at, len - at < 8 ? len - at : 8);
    hash = mix(hash ^ word, seed ^ 0xda942042e4dd58b5u) + word;
  }
  return mix(hash, seed);
}

static op_keyed **place_of(const op_set *set, uint64_t hash) {
  return &set->places[hash >> (64 - set->bits)];
}

op_keyed *op_set_find(const op_set *set, const void *key, size_t len, uint64_t hash) {
  if (!set->places)
    return NULL;
  for (op_keyed *keyed = *place_of(set, hash); keyed; keyed = keyed->next)
    if (keyed->hash == hash && keyed->key_len == len && memcmp(keyed->key, key, len) == 0)
      return keyed;
  return NULL;
}

static void put(op_set *set, op_keyed *keyed) {
  op_keyed **place = place_of(set, keyed->hash);
  keyed->next = *place;
  *place = keyed;
}

static bool grow(op_set *set, const vow_allocator *allocator) {
  op_set wider = {.bits = set->places ? set->bits + 1 : BITS_FIRST, .count = set->count};
  wider.places = mem_new(allocator, (size_t)1 << wider.bits, sizeof(op_keyed *));
  if (!wider.places)
    return false;
  for (size_t i = 0; set->places && i < (size_t)1 << set->bits; i++)
    for (op_keyed *keyed = set->places[i], *next; keyed; keyed = next) {
      next = keyed->next;
      put(&wider, keyed);
    }
  mem_free(allocator, set->places);
  *set = wider;
  return true;
}

bool op_set_add(op_set *set, op_keyed *keyed, const vow_allocator *allocator) {
  bool crowded = !set->places || (set->count >> set->bits && set->bits < BITS_MAX);
  if (crowded && !grow(set, allocator) && !set->places)
    return false;
  put(set, keyed);
  set->count++;
  return true;
}

void op_set_remove(op_set *set, op_keyed *keyed) {
  op_keyed **at = place_of(set, keyed->hash);
  while (*at != keyed)
    at = &(*at)->next;
  *at = keyed->next;
  set->count--;
}

void op_set_free(op_set *set, const vow_allocator *allocator) {
  mem_free(allocator, set->places);
  *set = (op_set){.places = NULL};
}
