/* One handler for equal operations in progress. The first leads; those that come
 * while it is live follow, without a handler of their own. */
#include "core/op_int.h"

#include <string.h>

_Static_assert(offsetof(op_flight, keyed) == 0, "an entry of the set is taken for its flight");

op_flight *op_flight_find(const op_kind *kind, const op_spec *spec, uint64_t hash,
                          const op_rec *parent, bool *own) {
  op_flight *flight = (op_flight *)op_set_find(&kind->flights, spec->key, spec->key_len, hash);
  *own = !flight;
  /* Whoever followed an operation that waits for it would wait for itself. */
  for (; flight && parent; parent = parent->parent)
    if (parent->flight == flight)
      return NULL;
  return flight;
}

op_flight *op_flight_open(op_kind *kind, const op_spec *spec, uint64_t hash) {
  const vow_allocator *allocator = kind->table->allocator;
  if (spec->key_len > SIZE_MAX - sizeof(op_flight))
    return NULL;
  op_flight *flight = mem_resize(allocator, NULL, 1, sizeof(op_flight) + spec->key_len);
  if (!flight)
    return NULL;
  uint8_t *key = (uint8_t *)(flight + 1);
  if (spec->key_len)
    memcpy(key, spec->key, spec->key_len);
  *flight = (op_flight){.keyed = {.hash = hash, .key_len = spec->key_len, .key = key}};
  if (!kind->policy.single_flight || op_set_add(&kind->flights, &flight->keyed, allocator))
    return flight;
  mem_free(allocator, flight);
  return NULL;
}

void op_flight_free(op_kind *kind, op_flight *flight) {
  if (kind->policy.single_flight)
    op_set_remove(&kind->flights, &flight->keyed);
  mem_free(kind->table->allocator, flight);
}

void op_flight_lead(op_flight *flight, op_rec *rec) {
  rec->flight = flight;
  flight->leader = rec;
}

void op_flight_follow(op_flight *flight, op_rec *rec) {
  rec->flight = flight;
  rec->run = RUN_FOLLOWING;
  op_queue_append(&flight->followers, rec);
  flight->levels[rec->priority]++;
  op_raise_level(flight->leader, rec->priority);
}

static void stop_following(op_flight *flight, op_rec *rec) {
  op_queue_remove(&flight->followers, rec);
  flight->levels[rec->priority]--;
}

/* The highest priority of those that follow. */
static uint8_t highest(const op_flight *flight) {
  uint8_t level = 0;
  while (level < OP_PRIORITIES - 1 && !flight->levels[level])
    level++;
  return level;
}

void op_flight_leave(op_rec *rec) {
  op_flight *flight = rec->flight;
  if (!flight)
    return;
  rec->flight = NULL;
  if (flight->leader != rec) {
    stop_following(flight, rec);
    return;
  }
  op_rec *next = flight->followers.first;
  flight->leader = next;
  if (!next) {
    op_flight_free(rec->of, flight);
    return;
  }
  stop_following(flight, next);
  next->run = RUN_NONE;
  op_raise_level(next, highest(flight));
  op_admit_again(next);
}

op_id op_follower(const op_table *table, op_id id, void **user) {
  const op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec || !rec->flight || rec->flight->leader != rec)
    return 0;
  const op_rec *first = rec->flight->followers.first;
  if (!first)
    return 0;
  *user = first->user;
  return op_rec_id(first);
}
