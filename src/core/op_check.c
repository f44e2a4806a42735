/* Every invariant of the table, checked by walking all of it. Needs no memory:
 * what the slots say in sum is compared with what the scopes' lists say, and
 * both with the counters. */
#include "core/op_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct tally {
  uint64_t live, running, queued, timers, in_use, timed, nested, with_events, records;
  uint64_t places;  /* of the table, in use */
  uint64_t of_kind; /* operations that have one */
} tally;

static bool require(bool holds, const char *invariant, uint64_t a, uint64_t b) {
  if (!holds)
    fprintf(stderr, "op_table_check: %s (%" PRIu64 ", %" PRIu64 ")\n", invariant, a, b);
  return holds;
}

static bool same(uint64_t a, uint64_t b, const char *invariant) {
  return require(a == b, invariant, a, b);
}

/* ---- one record ---- */

static bool check_events(const op_rec *rec) {
  unsigned allowed = 0;
  if (rec->kind == REC_TIMER || rec->kind == REC_WALL)
    allowed = EVENT_FIRED;
  else if (rec->kind == REC_OPERATION && op_is_live(rec))
    allowed = rec->run == RUN_STARTING ? EVENT_START : 0;
  else if (rec->kind == REC_OPERATION)
    allowed = rec->run == RUN_ACTIVE ? EVENT_SETTLED | EVENT_STOP : EVENT_SETTLED;
  return require(!(rec->events & ~allowed), "an event that its record cannot have", rec->slot,
                 rec->events);
}

static bool check_run(const op_rec *rec) {
  bool fits;
  switch (rec->run) {
  case RUN_WAITING:
    fits = rec->state == OP_PENDING && !rec->events;
    break;
  case RUN_STARTING:
    fits = rec->state == OP_PENDING && rec->events == EVENT_START;
    break;
  case RUN_ACTIVE:
    fits = rec->state != OP_PENDING && rec->attempts > 0;
    break;
  case RUN_GATHERING:
    fits = rec->state == OP_PENDING && !rec->events && rec->of;
    break;
  case RUN_FOLLOWING:
    fits = rec->state == OP_PENDING && !rec->events && rec->flight && rec->flight->leader != rec;
    break;
  case RUN_DELAYED:
    fits = rec->state == OP_PENDING && !rec->events && rec->attempts > 0;
    break;
  default:
    fits = !op_is_live(rec) && rec->events;
  }
  return require(fits, "handler and state disagree", rec->slot, rec->run);
}

static bool check_places(const op_rec *rec, tally *sum) {
  bool through = rec->run == RUN_STARTING || rec->run == RUN_ACTIVE || rec->run == RUN_GATHERING;
  bool fits = through                   ? rec->places == GATES
              : rec->run == RUN_WAITING ? rec->places < GATES
                                        : rec->places == 0;
  sum->places += rec->places > GATE_TABLE;
  sum->of_kind += rec->of != NULL;
  return require(fits, "places and handler disagree", rec->places, rec->run) &&
         require(rec->priority < OP_PRIORITIES &&
                     (!rec->of || rec->priority >= rec->of->policy.priority),
                 "a priority that may not be", rec->slot, rec->priority);
}

/* The heap has the deadline, or an earlier time that is waited for. */
static bool check_due(const op_rec *rec) {
  uint64_t at = rec->deadline_ns;
  const op_kind *kind = rec->of;
  if (rec->run == RUN_GATHERING && kind->batch.first == rec && kind->policy.batch_window_ns &&
      kind->batch_due < at)
    at = kind->batch_due;
  if (rec->run == RUN_WAITING)
    at = op_latest_start(rec);
  bool early = rec->run == RUN_DELAYED;
  return require(early ? rec->due.at < rec->deadline_ns : rec->due.at == at,
                 "a time that nothing waits for", rec->due.at, rec->deadline_ns);
}

/* Of an operation that leads a flight, the flight; of any, that it is in one alone. */
static bool check_flight(const op_rec *rec) {
  const op_flight *flight = rec->flight;
  if (!flight)
    return true;
  if (!require(op_is_live(rec) && rec->of, "a settled operation in a flight", rec->slot, rec->run))
    return false;
  if (flight->leader != rec)
    return require(rec->run == RUN_FOLLOWING && flight->leader &&
                       flight->leader->flight == flight && op_is_live(flight->leader),
                   "a flight without leader", rec->slot, rec->run);
  const op_rec *prev = NULL;
  uint32_t levels[OP_PRIORITIES] = {0};
  for (const op_rec *next = flight->followers.first; next; prev = next, next = next->queue_next) {
    if (!require(next->flight == flight && next->run == RUN_FOLLOWING && next->queue_prev == prev,
                 "a broken flight", rec->slot, next->slot) ||
        !require(rec->level <= next->priority, "a leader below one that follows", rec->slot,
                 next->slot))
      return false;
    levels[next->priority]++;
  }
  return require(memcmp(levels, flight->levels, sizeof levels) == 0, "followers and priorities",
                 rec->slot, 0) &&
         require(flight->followers.last == prev, "a flight without its end", rec->slot, 0);
}

static bool check_operation(const op_rec *rec, tally *sum) {
  bool live = op_is_live(rec);
  if (!require(rec->level <= rec->priority, "a level below the own priority", rec->slot,
               rec->level))
    return false;
  sum->live += live;
  sum->running += rec->run == RUN_ACTIVE;
  sum->queued += rec->run == RUN_WAITING;
  bool in_heap = rec->due.place != DEADLINE_OUT;
  sum->timed += in_heap;
  if (!check_run(rec) || !check_places(rec, sum) || !check_flight(rec) ||
      !require(in_heap == (live && rec->due.at != OP_NEVER), "heap and operation disagree",
               rec->slot, rec->due.at))
    return false;
  if (!live)
    return require(!rec->parent && !rec->child_first, "a settled operation in the tree", rec->slot,
                   rec->run);
  if (!check_due(rec))
    return false;
  const op_rec *parent = rec->parent;
  if (!parent)
    return true;
  sum->nested++;
  return require(op_is_live(parent) && parent->kind == REC_OPERATION && parent->scope == rec->scope,
                 "nested in what is not live in the scope", rec->slot, parent->slot) &&
         require(rec->priority >= parent->priority, "a priority above the enclosing one", rec->slot,
                 rec->priority) &&
         require(rec->deadline_ns <= parent->deadline_ns, "a deadline after the enclosing one",
                 rec->deadline_ns, parent->deadline_ns);
}

static bool check_record(const op_table *table, const op_rec *rec, uint32_t slot, tally *sum) {
  if (!same(rec->slot, slot, "a slot that does not know its place"))
    return false;
  if (rec->kind == REC_FREE)
    return true;
  sum->records++;
  sum->with_events += rec->events != 0;
  sum->in_use += rec->kind != REC_WALL;
  if (!require(rec->scope && rec->scope->table == table, "a record without scope", slot, 0) ||
      !check_events(rec))
    return false;
  if (rec->kind == REC_OPERATION)
    return check_operation(rec, sum);
  bool timed = rec->due.place != DEADLINE_OUT;
  sum->timed += timed;
  sum->timers += rec->kind == REC_TIMER;
  return require(timed == (rec->due.at != OP_NEVER && !rec->events), "heap and timer disagree",
                 slot, rec->due.at);
}

static bool check_slots(const op_table *table, tally *sum) {
  for (uint32_t i = 0; i < table->slots_used; i++)
    if (!check_record(table, op_slot(table, i), i, sum))
      return false;
  uint64_t free_count = 0;
  for (const op_rec *rec = table->free_first; rec; rec = rec->list_next)
    if (++free_count > table->slots_used || rec->kind != REC_FREE)
      return require(false, "the free list is broken", rec->slot, rec->kind);
  return require(sum->records + free_count <= table->slots_used, "more free slots than there are",
                 sum->records, free_count);
}

/* ---- one scope ---- */

static bool check_list(const op_list *list, op_rec_kind kind, uint64_t expected) {
  uint64_t count = 0;
  const op_rec *prev = NULL;
  for (const op_rec *rec = list->first; rec; prev = rec, rec = rec->list_next) {
    if (!require(rec->kind == kind && rec->list_prev == prev, "a broken list", rec->slot, kind) ||
        !require(!prev || prev->due.seq < rec->due.seq, "a list out of order", rec->slot, kind) ||
        !require(kind != REC_OPERATION || op_is_live(rec), "a settled operation listed", rec->slot,
                 rec->state))
      return false;
    count++;
  }
  return require(list->last == prev, "a list without its end", count, expected) &&
         same(count, expected, "list and counter disagree");
}

static bool check_queue(const op_list *queue, uint64_t expected) {
  uint64_t count = 0;
  const op_rec *prev = NULL;
  for (const op_rec *rec = queue->first; rec; prev = rec, rec = rec->queue_next) {
    if (!require(rec->queue_prev == prev && rec->kind != REC_FREE, "a broken queue", rec->slot, 0))
      return false;
    count++;
  }
  return require(queue->last == prev, "a queue without its end", count, expected) &&
         same(count, expected, "queue and counter disagree");
}

static bool check_children(const op_scope *scope, tally *sum) {
  for (const op_rec *rec = scope->operations.first; rec; rec = rec->list_next) {
    const op_rec *prev = NULL;
    for (const op_rec *child = rec->child_first; child; prev = child, child = child->sibling_next) {
      if (!require(child->parent == rec && child->sibling_prev == prev, "a broken tree", rec->slot,
                   child->slot))
        return false;
      sum->nested++;
    }
    if (!require(rec->child_last == prev, "children without their end", rec->slot, 0))
      return false;
  }
  return true;
}

static bool check_balance(const op_counts *c) {
  return same(c->created, c->fulfilled + c->rejected + c->timed_out + c->cancelled + c->live,
              "created = settled + live") &&
         require(c->running <= c->running_max, "more running than the most", c->running,
                 c->running_max);
}

static bool is_at(const op_rec *rec, unsigned number, const op_kind *kind) {
  return rec->run == RUN_WAITING && rec->places == number && (!kind || rec->of == kind);
}

/* One gate, of which `used` places are held; `kind`: whose gate it is, or NULL. */
static bool check_gate(const op_gate *gate, unsigned number, const op_kind *kind, uint64_t used) {
  uint64_t waiting = 0;
  for (unsigned i = 0; i < OP_PRIORITIES; i++) {
    uint64_t count = 0;
    for (const op_rec *rec = gate->queues[i].first; rec; rec = rec->queue_next, count++)
      if (!require(is_at(rec, number, kind) && rec->level == i, "in the wrong queue", rec->slot,
                   number))
        return false;
    if (!check_queue(&gate->queues[i], count))
      return false;
    waiting += count;
  }
  return same(gate->waiting, waiting, "a gate and its queues disagree") &&
         same(gate->used, used, "places and handlers disagree") &&
         /* Of a kind, fewer may have been allowed since. */
         require(!gate->max || gate->used <= gate->max || number == GATE_KIND,
                 "more places than there are", gate->used, gate->max) &&
         require(!waiting || (gate->max && gate->used >= gate->max),
                 "an operation waits though a place is free", gate->used, gate->max);
}

/* Handlers of settled operations hold places as well, and only their number is known. */
static uint64_t places_of(const op_scope *scope) {
  uint64_t used = scope->counts.running;
  for (const op_rec *rec = scope->operations.first; rec; rec = rec->list_next)
    used += rec->places > GATE_SCOPE && rec->run != RUN_ACTIVE;
  return used;
}

static bool check_closed(const op_scope *scope) {
  if (!scope->closed)
    return require(scope->wall && !scope->released, "an open scope without wall", 0, 0);
  return require(!scope->counts.live && !scope->counts.timers && !scope->counts.queued,
                 "something lives in a closed scope", scope->counts.live, scope->counts.timers) &&
         require(!scope->wall, "a closed scope with a wall", 0, 0) &&
         require(!scope->released || scope->records, "a released scope nobody needs", 0, 0);
}

static bool check_scope(const op_scope *scope, tally *sum) {
  const op_counts *c = &scope->counts;
  sum->live += c->live;
  sum->running += c->running;
  sum->queued += c->queued;
  sum->timers += c->timers;
  sum->with_events += scope->events;
  sum->records += scope->records;
  return check_balance(c) && check_list(&scope->operations, REC_OPERATION, c->live) &&
         check_list(&scope->timers, REC_TIMER, c->timers) &&
         check_gate(&scope->gate, GATE_SCOPE, NULL, places_of(scope)) &&
         check_children(scope, sum) && check_closed(scope) &&
         require(!scope->limits.retries_max || c->retries <= scope->limits.retries_max,
                 "more retries than there may be", c->retries, scope->limits.retries_max);
}

/* ---- kinds ---- */

static bool check_answers(const op_kind *kind) {
  uint64_t count = 0, bytes = 0;
  const op_kept *prev = NULL;
  for (const op_kept *kept = kind->oldest; kept; prev = kept, kept = kept->newer) {
    const op_keyed *keyed = &kept->keyed;
    if (!require(kept->older == prev, "answers not linked", count, 0) ||
        !require(op_set_find(&kind->answers, keyed->key, keyed->key_len, keyed->hash) == keyed,
                 "an answer that is not found", count, keyed->hash))
      return false;
    bytes += OP_ANSWER_BYTES + keyed->key_len + kept->len;
    count++;
  }
  return require(kind->newest == prev, "answers without their end", count, 0) &&
         same(kind->answers.count, count, "answers kept") &&
         same(kind->answer_bytes, bytes, "bytes of answers") &&
         require(bytes <= kind->policy.cache_bytes, "more answers than fit", bytes,
                 kind->policy.cache_bytes);
}

static bool check_batch(const op_kind *kind, uint64_t gathering) {
  for (const op_rec *rec = kind->batch.first; rec; rec = rec->queue_next)
    if (!require(rec->of == kind && rec->run == RUN_GATHERING, "not of the batch", rec->slot, 0))
      return false;
  bool listed = false;
  for (const op_kind *open = kind->table->open_first; open; open = open->open_next)
    listed = listed || open == kind;
  return check_queue(&kind->batch, gathering) &&
         same(kind->batch_count, gathering, "operations that gather") &&
         require(!gathering || gathering < kind->policy.batch_max, "a full batch that waits",
                 gathering, kind->policy.batch_max) &&
         same(listed, gathering && !kind->policy.batch_window_ns, "batches that end with the turn");
}

static bool leads_in_set(const op_kind *kind, const op_rec *rec) {
  const op_flight *flight = rec->flight;
  return kind->policy.single_flight && flight && flight->leader == rec &&
         op_set_find(&kind->flights, flight->keyed.key, flight->keyed.key_len,
                     flight->keyed.hash) == &flight->keyed;
}

static bool check_kind(const op_table *table, const op_kind *kind, tally *sum) {
  uint64_t used = 0, queued = 0, records = 0, flights = 0, gathering = 0;
  for (uint32_t i = 0; i < table->slots_used; i++) {
    const op_rec *rec = op_slot(table, i);
    if (rec->kind != REC_OPERATION || rec->of != kind)
      continue;
    records++;
    used += rec->places > GATE_KIND;
    queued += rec->run == RUN_WAITING;
    flights += leads_in_set(kind, rec);
    gathering += rec->run == RUN_GATHERING;
  }
  sum->of_kind += records;
  return check_gate(&kind->gate, GATE_KIND, kind, used) &&
         same(kind->flights.count, flights, "flights and leaders") && check_answers(kind) &&
         check_batch(kind, gathering) &&
         same(kind->queued, queued, "operations of a kind that wait") &&
         same(kind->records, records, "records of a kind") &&
         require(!kind->closed || kind->records, "a closed kind nobody needs", 0, 0) &&
         require(!kind->freed, "a kind whose free places were not given", kind->gate.used,
                 kind->gate.waiting);
}

static bool check_kinds(const op_table *table, tally *sum) {
  const op_kind *prev = NULL;
  for (const op_kind *kind = table->kinds; kind; prev = kind, kind = kind->next)
    if (!require(kind->prev == prev, "the kinds are not linked", 0, 0) ||
        !check_kind(table, kind, sum))
      return false;
  return true;
}

/* ---- the table ---- */

static bool check_sums(const op_table *table, const tally *slots, const tally *scopes) {
  const op_counts *c = &table->counts;
  return same(slots->live, c->live, "live, by the slots and by the table") &&
         same(scopes->live, c->live, "live, by the scopes and by the table") &&
         same(slots->running, c->running, "running, by the slots and by the table") &&
         same(scopes->running, c->running, "running, by the scopes and by the table") &&
         same(slots->queued, c->queued, "queued, by the slots and by the table") &&
         same(scopes->queued, c->queued, "queued, by the scopes and by the table") &&
         same(slots->timers, c->timers, "timers, by the slots and by the table") &&
         same(scopes->timers, c->timers, "timers, by the scopes and by the table") &&
         same(slots->nested, scopes->nested, "parents and children disagree") &&
         same(slots->with_events, scopes->with_events, "events, by the slots and by the scopes") &&
         same(slots->records, scopes->records, "records, by the slots and by the scopes") &&
         same(slots->in_use, table->in_use, "records in use") &&
         require(table->in_use <= table->live_max, "more in use than may be", table->in_use,
                 table->live_max) &&
         same(slots->timed, table->heap.all, "records with a deadline");
}

bool op_table_check(const op_table *table) {
  tally slots = {0}, scopes = {0}, kinds = {0};
  if (!check_slots(table, &slots) || !deadline_check(&table->heap))
    return false;
  const op_scope *prev = NULL;
  for (const op_scope *scope = table->scopes; scope; prev = scope, scope = scope->next)
    if (!require(scope->prev == prev, "the scopes are not linked", 0, 0) ||
        !check_scope(scope, &scopes))
      return false;
  return check_sums(table, &slots, &scopes) && check_kinds(table, &kinds) &&
         same(slots.of_kind, kinds.of_kind, "operations of kinds") &&
         check_gate(&table->gate, GATE_TABLE, NULL, slots.places) &&
         check_balance(&table->counts) && check_queue(&table->events, slots.with_events);
}
