#include "core/op_int.h"

static void link_kind(op_table *table, op_kind *kind) {
  kind->next = table->kinds;
  if (kind->next)
    kind->next->prev = kind;
  table->kinds = kind;
}

op_kind *op_kind_open(op_table *table, const char *name, const op_policy *policy, uint64_t seed) {
  op_kind *kind = mem_new(table->allocator, 1, sizeof *kind);
  if (!kind)
    return NULL;
  kind->table = table;
  kind->name = name;
  kind->policy = *policy;
  if (kind->policy.priority >= OP_PRIORITIES)
    kind->policy.priority = OP_PRIORITIES - 1;
  if (kind->policy.attempts > OP_ATTEMPTS_MAX)
    kind->policy.attempts = OP_ATTEMPTS_MAX;
  if (!kind->policy.cache_bytes)
    kind->policy.cache_bytes = OP_CACHE_BYTES;
  if (kind->policy.batch_max > OP_BATCH_MAX)
    kind->policy.batch_max = OP_BATCH_MAX;
  kind->seed = seed;
  kind->gate.max = policy->concurrent_max;
  link_kind(table, kind);
  return kind;
}

static void free_kind(op_kind *kind) {
  op_table *table = kind->table;
  *(kind->prev ? &kind->prev->next : &table->kinds) = kind->next;
  if (kind->next)
    kind->next->prev = kind->prev;
  mem_free(table->allocator, kind);
}

void op_kind_unref(op_kind *kind) {
  if (--kind->records == 0 && kind->closed)
    free_kind(kind);
}

void op_kind_close(op_kind *kind) {
  if (!kind)
    return;
  assert(!kind->closed && !kind->queued && !kind->batch_count && !kind->flights.count);
  op_cache_free(kind);
  op_set_free(&kind->flights, kind->table->allocator);
  kind->closed = true;
  if (kind->records == 0)
    free_kind(kind);
}

op_kind_counts op_kind_look(const op_kind *kind) {
  return (op_kind_counts){.places = kind->gate.used,
                          .queued = kind->queued,
                          .gathering = kind->batch_count,
                          .answers = kind->answers.count,
                          .answer_bytes = kind->answer_bytes};
}
