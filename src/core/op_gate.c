/* The way from submission to a handler: three gates with places, passed one
 * after the other. */
#include "core/op_int.h"

/* NULL: there is none on the way of this operation. */
static op_gate *gate_of(const op_rec *rec, unsigned number) {
  if (number == GATE_SCOPE)
    return &rec->scope->gate;
  if (number == GATE_TABLE)
    return &rec->scope->table->gate;
  return rec->of ? &rec->of->gate : NULL;
}

static bool is_open(const op_gate *gate) {
  return !gate->max || (gate->used < gate->max && !gate->waiting);
}

bool op_would_wait(const op_scope *scope, const op_kind *kind) {
  return !is_open(&scope->gate) || !is_open(&scope->table->gate) || (kind && !is_open(&kind->gate));
}

/* ---- queues ---- */

static void count_queued(const op_rec *rec, uint32_t change) {
  rec->scope->counts.queued += change;
  rec->scope->table->counts.queued += change;
  if (rec->of)
    rec->of->queued += change;
}

static void enter_queue(op_gate *gate, op_rec *rec) {
  rec->run = RUN_WAITING;
  op_queue_append(&gate->queues[rec->level], rec);
  gate->waiting++;
  count_queued(rec, 1);
}

static void leave_queue(op_gate *gate, op_rec *rec) {
  op_queue_remove(&gate->queues[rec->level], rec);
  gate->waiting--;
  count_queued(rec, UINT32_MAX);
}

void op_raise_level(op_rec *rec, uint8_t level) {
  if (level >= rec->level)
    return;
  if (rec->run == RUN_WAITING) {
    op_gate *gate = gate_of(rec, rec->places);
    op_queue_remove(&gate->queues[rec->level], rec);
    op_queue_append(&gate->queues[level], rec);
  }
  rec->level = level;
}

static op_rec *pick(op_gate *gate) {
  op_rec *oldest = NULL;
  bool any = ++gate->picks % OP_TURN == 0;
  for (unsigned i = 0; i < OP_PRIORITIES; i++) {
    op_rec *rec = gate->queues[i].first;
    if (rec && !any)
      return rec;
    if (rec && (!oldest || rec->due.seq < oldest->due.seq))
      oldest = rec;
  }
  return oldest;
}

/* ---- passing ---- */

static void advance(op_rec *rec) {
  for (; rec->places < GATES; rec->places++) {
    op_gate *gate = gate_of(rec, rec->places);
    if (!gate)
      continue;
    if (!is_open(gate)) {
      enter_queue(gate, rec);
      return;
    }
    gate->used++;
  }
  if (rec->due.at != rec->deadline_ns)
    op_rec_set_due(rec, rec->deadline_ns);
  if (rec->of && rec->of->policy.batch_max > 1) {
    op_gather(rec);
    return;
  }
  rec->run = RUN_STARTING;
  op_event_raise(rec, EVENT_START);
}

void op_admit(op_rec *rec) {
  assert(rec->run == RUN_NONE && rec->places == 0);
  advance(rec);
}

void op_admit_again(op_rec *rec) {
  const op_table *table = rec->scope->table;
  op_admit(rec);
  if (rec->run == RUN_WAITING && table->waits && !rec->scope->closed)
    table->waits(table->waits_user, op_rec_id(rec), rec->user);
}

static void note_freed(op_kind *kind) {
  op_table *table = kind->table;
  if (kind->freed || !kind->gate.max)
    return;
  kind->freed = true;
  kind->freed_next = NULL;
  *(table->freed_last ? &table->freed_last->freed_next : &table->freed_first) = kind;
  table->freed_last = kind;
}

void op_leave_gates(op_rec *rec) {
  if (rec->run == RUN_WAITING)
    leave_queue(gate_of(rec, rec->places), rec);
  if (rec->places > GATE_KIND && rec->of)
    note_freed(rec->of);
  while (rec->places > 0) {
    op_gate *gate = gate_of(rec, --rec->places);
    if (gate)
      gate->used--;
  }
}

static void serve(op_gate *gate) {
  while (gate->waiting && gate->used < gate->max) {
    op_rec *rec = pick(gate);
    leave_queue(gate, rec);
    gate->used++;
    rec->places++;
    advance(rec);
  }
}

/* From the last gate to the first: whoever passes one goes on to the next, where
 * nothing comes free by that. */
void op_dispatch(op_scope *scope) {
  op_table *table = scope->table;
  serve(&table->gate);
  for (op_kind *kind; (kind = table->freed_first);) {
    table->freed_first = kind->freed_next;
    if (!table->freed_first)
      table->freed_last = NULL;
    kind->freed = false;
    serve(&kind->gate);
  }
  serve(&scope->gate);
}

void op_kind_set_concurrent(op_kind *kind, uint32_t concurrent_max) {
  assert(kind->gate.max > 0 && concurrent_max > 0);
  kind->policy.concurrent_max = kind->gate.max = concurrent_max;
  serve(&kind->gate);
}
