/* Answers kept for equal operations to come: by key, with a time to live, and
 * bounded in bytes; the one used longest ago goes first. */
#include "core/op_int.h"

#include <string.h>

_Static_assert(offsetof(op_kept, keyed) == 0, "an entry of the set is taken for its answer");

bool op_kind_keeps(const op_kind *kind) {
  return kind->policy.cache_ns || kind->policy.cache_error_ns;
}

static size_t size_of(const op_kept *kept) {
  return OP_ANSWER_BYTES + kept->keyed.key_len + kept->len;
}

/* ---- in the order of use ---- */

static void take_out(op_kind *kind, op_kept *kept) {
  *(kept->older ? &kept->older->newer : &kind->oldest) = kept->newer;
  *(kept->newer ? &kept->newer->older : &kind->newest) = kept->older;
}

static void put_newest(op_kind *kind, op_kept *kept) {
  kept->older = kind->newest;
  kept->newer = NULL;
  *(kind->newest ? &kind->newest->newer : &kind->oldest) = kept;
  kind->newest = kept;
}

static void drop(op_kind *kind, op_kept *kept) {
  take_out(kind, kept);
  op_set_remove(&kind->answers, &kept->keyed);
  kind->answer_bytes -= size_of(kept);
  mem_free(kind->table->allocator, kept);
}

void op_cache_free(op_kind *kind) {
  while (kind->oldest)
    drop(kind, kind->oldest);
  op_set_free(&kind->answers, kind->table->allocator);
}

/* ---- using ---- */

const op_kept *op_cache_find(op_kind *kind, const void *key, size_t len, uint64_t hash,
                             uint64_t now) {
  op_kept *kept = (op_kept *)op_set_find(&kind->answers, key, len, hash);
  if (!kept)
    return NULL;
  if (kept->until_ns <= now) {
    drop(kind, kept);
    return NULL;
  }
  take_out(kind, kept);
  put_newest(kind, kept);
  return kept;
}

/* ---- keeping ---- */

/* With key and answer in its own block; NULL when memory is short. The caller
 * has bounded both lengths by cache_bytes. */
static op_kept *new_kept(const op_kind *kind, const op_keyed *keyed, const void *bytes,
                         size_t len) {
  size_t size = sizeof(op_kept) + keyed->key_len;
  if (size > SIZE_MAX - len)
    return NULL;
  op_kept *kept = mem_resize(kind->table->allocator, NULL, 1, size + len);
  if (!kept)
    return NULL;
  uint8_t *copy = (uint8_t *)(kept + 1);
  memcpy(copy, keyed->key, keyed->key_len);
  if (len)
    memcpy(copy + keyed->key_len, bytes, len);
  *kept = (op_kept){
      .keyed = {.hash = keyed->hash, .key_len = keyed->key_len, .key = copy},
      .len = len,
      .bytes = copy + keyed->key_len,
  };
  return kept;
}

static bool fits(const op_kind *kind, size_t key_len, size_t len) {
  size_t most = kind->policy.cache_bytes;
  return most >= OP_ANSWER_BYTES && key_len <= most - OP_ANSWER_BYTES &&
         len <= most - OP_ANSWER_BYTES - key_len;
}

static bool keep(op_kind *kind, const op_keyed *keyed, op_state state, const void *bytes,
                 size_t len, uint64_t until) {
  op_kept *kept = new_kept(kind, keyed, bytes, len);
  if (!kept)
    return false;
  if (!op_set_add(&kind->answers, &kept->keyed, kind->table->allocator)) {
    mem_free(kind->table->allocator, kept);
    return false;
  }
  kept->state = state;
  kept->until_ns = until;
  put_newest(kind, kept);
  kind->answer_bytes += size_of(kept);
  while (kind->answer_bytes > kind->policy.cache_bytes)
    drop(kind, kind->oldest); /* never the new one: it fits alone */
  return true;
}

bool op_keep(op_table *table, op_id id, op_state state, const void *bytes, size_t len,
             uint64_t now) {
  now = op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec || !op_is_live(rec) || !rec->flight || rec->run == RUN_FOLLOWING)
    return false;
  op_kind *kind = rec->of;
  const op_keyed *keyed = &rec->flight->keyed;
  uint64_t ttl = state == OP_FULFILLED ? kind->policy.cache_ns : kind->policy.cache_error_ns;
  if (!ttl)
    return false;
  op_kept *old = (op_kept *)op_set_find(&kind->answers, keyed->key, keyed->key_len, keyed->hash);
  if (old)
    drop(kind, old);
  return fits(kind, keyed->key_len, len) &&
         keep(kind, keyed, state, bytes, len, op_time_add(now, ttl));
}
