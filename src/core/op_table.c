#include "core/op_int.h"

static const char *const STATE_TEXT[] = {
    [OP_PENDING] = "pending",   [OP_RUNNING] = "running",     [OP_FULFILLED] = "fulfilled",
    [OP_REJECTED] = "rejected", [OP_TIMED_OUT] = "timed_out", [OP_CANCELLED] = "cancelled",
};

static const char *const STATUS_TEXT[] = {
    [OP_OK] = "ok",
    [OP_HIT] = "settled by an earlier answer",
    [OP_LATE] = "the operation was settled already",
    [OP_E_GONE] = "no such operation, timer or scope any more",
    [OP_E_STATE] = "not possible in this state",
    [OP_E_TOTAL] = "too many operations in all",
    [OP_E_LIVE] = "too many operations or timers at once",
    [OP_E_CLOSED] = "the scope is closed",
    [OP_E_FULL] = "too many operations of this kind wait",
    [OP_E_FULL_SCOPE] = "too many operations of this scope wait",
    [OP_E_FULL_TABLE] = "too many operations wait in all",
    [OP_E_SPENT] = "no further attempt",
    [OP_E_NOMEM] = "out of memory",
};

const char *op_state_text(op_state state) {
  size_t i = (size_t)state;
  return i < sizeof STATE_TEXT / sizeof *STATE_TEXT ? STATE_TEXT[i] : "unknown";
}

const char *op_status_text(op_status status) {
  size_t i = (size_t)status;
  return i < sizeof STATUS_TEXT / sizeof *STATUS_TEXT ? STATUS_TEXT[i] : "unknown";
}

op_table *op_table_open(const vow_allocator *allocator, uint32_t live_max) {
  op_table *table = mem_new(allocator, 1, sizeof *table);
  if (!table)
    return NULL;
  table->allocator = allocator;
  table->live_max = live_max ? live_max : OP_LIVE_DEFAULT;
  deadline_heap_init(&table->heap, allocator);
  return table;
}

void op_table_set_concurrent(op_table *table, uint32_t concurrent_max) {
  table->gate.max = concurrent_max;
}

void op_table_set_queue(op_table *table, uint32_t queue_max) {
  table->queue_max = queue_max;
}

void op_table_tell_waiting(op_table *table, op_waits *waits, void *user) {
  table->waits = waits;
  table->waits_user = user;
}

void op_table_close(op_table *table) {
  if (!table)
    return;
  assert(!table->events.first);
  for (op_scope *scope = table->scopes, *next; scope; scope = next) {
    assert(scope->closed);
    next = scope->next;
    mem_free(table->allocator, scope);
  }
  for (op_kind *kind = table->kinds, *next; kind; kind = next) {
    assert(kind->closed);
    next = kind->next;
    mem_free(table->allocator, kind);
  }
  for (uint32_t i = 0; i < table->chunk_count; i++)
    mem_free(table->allocator, table->chunks[i]);
  mem_free(table->allocator, table->chunks);
  deadline_heap_free(&table->heap);
  mem_free(table->allocator, table);
}

/* ---- records ---- */

/* Room in the heap and in the list of chunks that is left over when a later
 * step fails is found by the next try. */
static bool add_chunk(op_table *table) {
  uint32_t slots = (table->chunk_count + 1) * OP_CHUNK_LEN;
  if (!deadline_reserve(&table->heap, slots))
    return false;
  if (table->chunk_count == table->chunks_max) {
    uint32_t longer = table->chunks_max ? table->chunks_max * 2 : OP_CHUNKS_MIN;
    op_rec **chunks = mem_resize(table->allocator, table->chunks, longer, sizeof(op_rec *));
    if (!chunks)
      return false;
    table->chunks = chunks;
    table->chunks_max = longer;
  }
  op_rec *chunk = mem_resize(table->allocator, NULL, OP_CHUNK_LEN, sizeof *chunk);
  if (!chunk)
    return false;
  table->chunks[table->chunk_count++] = chunk;
  return true;
}

/* A slot with its generation set and nothing else. */
static op_rec *take_slot(op_table *table) {
  op_rec *rec = table->free_first;
  if (rec) {
    table->free_first = rec->list_next;
    return rec;
  }
  uint32_t slot = table->slots_used;
  if (slot >= OP_SLOTS_MAX)
    return NULL;
  if (slot >> OP_CHUNK_SHIFT == table->chunk_count && !add_chunk(table))
    return NULL;
  table->slots_used++;
  rec = op_slot(table, slot);
  rec->slot = slot;
  rec->generation = 1;
  return rec;
}

/* What is in the free list comes on top: it is not counted. */
op_status op_table_reserve(op_table *table, uint32_t count) {
  if (table->in_use > table->live_max || count > table->live_max - table->in_use ||
      count > OP_SLOTS_MAX - table->slots_used)
    return OP_E_LIVE;
  while ((table->chunk_count << OP_CHUNK_SHIFT) - table->slots_used < count)
    if (!add_chunk(table))
      return OP_E_NOMEM;
  return OP_OK;
}

op_rec *op_rec_new(op_scope *scope, op_rec_kind kind, uint64_t now) {
  op_table *table = scope->table;
  op_rec *rec = take_slot(table);
  if (!rec)
    return NULL;
  *rec = (op_rec){
      .due = {.at = OP_NEVER, .seq = table->next_seq++, .place = DEADLINE_OUT},
      .slot = rec->slot,
      .generation = rec->generation,
      .kind = (uint8_t)kind,
      .scope = scope,
      .created_ns = now,
  };
  scope->records++;
  if (kind != REC_WALL)
    table->in_use++;
  return rec;
}

void op_rec_free(op_rec *rec) {
  op_scope *scope = rec->scope;
  op_table *table = scope->table;
  assert(rec->kind != REC_FREE && !rec->events && rec->due.place == DEADLINE_OUT);
  if (rec->kind != REC_WALL)
    table->in_use--;
  rec->kind = REC_FREE;
  rec->scope = NULL;
  if (rec->of)
    op_kind_unref(rec->of);
  if (rec->generation != OP_GENERATION_MAX) {
    rec->generation++;
    rec->list_next = table->free_first;
    table->free_first = rec;
  }
  if (--scope->records == 0 && scope->released)
    op_scope_free(scope);
}

op_rec *op_rec_find(const op_table *table, op_id id, op_rec_kind kind) {
  uint32_t slot = (uint32_t)id;
  if (slot >= table->slots_used)
    return NULL;
  op_rec *rec = op_slot(table, slot);
  return rec->generation == id >> 32 && rec->kind == kind ? rec : NULL;
}

void op_rec_set_due(op_rec *rec, uint64_t at) {
  deadline_heap *heap = &rec->scope->table->heap;
  deadline_remove(heap, &rec->due);
  rec->due.at = at;
  if (at != OP_NEVER)
    deadline_add(heap, &rec->due);
}

/* ---- looking ---- */

uint64_t op_next_deadline(const op_table *table) {
  const deadline *first = deadline_first(&table->heap);
  return first ? first->at : OP_NEVER;
}

uint64_t op_table_live(const op_table *table) {
  return table->counts.live;
}

op_counts op_table_counts(const op_table *table) {
  return table->counts;
}
