/* Operations and timers: from submission to settlement.
 *
 * Settling has one place, settle(). It leaves the record out of the heap, the
 * tree, the scope's list and both queues; what remains of it is a handler that
 * runs and events to be taken, and op_reap() frees it when neither is left. */
#include "core/op_int.h"

_Static_assert(offsetof(op_rec, due) == 0, "op_expire() takes an entry of the heap for its record");

/* ---- the tree ---- */

static void adopt(op_rec *parent, op_rec *rec) {
  rec->parent = parent;
  rec->sibling_prev = parent->child_last;
  rec->sibling_next = NULL;
  *(parent->child_last ? &parent->child_last->sibling_next : &parent->child_first) = rec;
  parent->child_last = rec;
}

static void leave_parent(op_rec *rec) {
  op_rec *parent = rec->parent;
  if (!parent)
    return;
  *(rec->sibling_prev ? &rec->sibling_prev->sibling_next : &parent->child_first) =
      rec->sibling_next;
  *(rec->sibling_next ? &rec->sibling_next->sibling_prev : &parent->child_last) = rec->sibling_prev;
  rec->parent = rec->sibling_prev = rec->sibling_next = NULL;
}

/* What is nested in `rec` and lives on belongs to what `rec` was nested in. */
static void leave_tree(op_rec *rec) {
  op_rec *parent = rec->parent;
  leave_parent(rec);
  for (op_rec *child = rec->child_first, *next; child; child = next) {
    next = child->sibling_next;
    child->parent = child->sibling_prev = child->sibling_next = NULL;
    if (parent)
      adopt(parent, child);
  }
  rec->child_first = rec->child_last = NULL;
}

/* ---- settling ---- */

static void count_settled(op_counts *counts, op_state state) {
  counts->live--;
  switch (state) {
  case OP_FULFILLED:
    counts->fulfilled++;
    break;
  case OP_REJECTED:
    counts->rejected++;
    break;
  case OP_TIMED_OUT:
    counts->timed_out++;
    break;
  default:
    assert(state == OP_CANCELLED);
    counts->cancelled++;
  }
}

/* A handler that has not started never will. */
static void forget_start(op_rec *rec) {
  if (rec->run == RUN_ACTIVE)
    return;
  op_event_withdraw(rec, EVENT_START);
  if (rec->run == RUN_GATHERING)
    op_batch_leave(rec);
  op_leave_gates(rec);
  rec->run = RUN_NONE;
}

/* The caller has taken `rec` out of the tree, and dispatches free places. */
static void settle(op_rec *rec, op_state state) {
  assert(op_is_live(rec));
  op_scope *scope = rec->scope;
  forget_start(rec);
  deadline_remove(&scope->table->heap, &rec->due);
  op_list_remove(&scope->operations, rec);
  rec->state = (uint8_t)state;
  count_settled(&scope->counts, state);
  count_settled(&scope->table->counts, state);
  op_flight_leave(rec);
}

void op_reap(op_rec *rec) {
  if (!op_is_live(rec) && rec->run == RUN_NONE && !rec->events)
    op_rec_free(rec);
}

static op_status late(op_table *table, op_rec *rec) {
  table->counts.late++;
  if (rec)
    rec->scope->counts.late++;
  return OP_LATE;
}

static op_status settle_by_result(op_table *table, op_id id, op_state state, uint64_t now) {
  op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec || !op_is_live(rec))
    return late(table, rec);
  op_scope *scope = rec->scope;
  leave_tree(rec);
  settle(rec, state);
  op_dispatch(scope);
  op_reap(rec);
  return OP_OK;
}

op_status op_fulfil(op_table *table, op_id id, uint64_t now) {
  return settle_by_result(table, id, OP_FULFILLED, now);
}

op_status op_reject(op_table *table, op_id id, uint64_t now) {
  return settle_by_result(table, id, OP_REJECTED, now);
}

/* Settles without the caller: tells it, and asks a running handler to stop. */
static void settle_and_tell(op_rec *rec, op_state state, bool tell) {
  settle(rec, state);
  unsigned stop = rec->run == RUN_ACTIVE ? EVENT_STOP : 0;
  op_event_raise(rec, (tell ? EVENT_SETTLED : 0) | stop);
}

/* ---- cancelling ---- */

/* Walks the tree outermost first without recursion or memory: the children of
 * each one are put before its siblings still to come, in the sibling links
 * nobody needs any more. */
static void cancel_tree(op_rec *root) {
  leave_parent(root);
  for (op_rec *rec = root, *next; rec; rec = next) {
    next = rec->sibling_next;
    if (rec->child_first) {
      rec->child_last->sibling_next = next;
      next = rec->child_first;
    }
    rec->parent = rec->child_first = rec->child_last = NULL;
    rec->sibling_prev = rec->sibling_next = NULL;
    settle_and_tell(rec, OP_CANCELLED, true);
  }
}

op_status op_cancel(op_table *table, op_id id, uint64_t now) {
  op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec || !op_is_live(rec))
    return late(table, rec);
  op_scope *scope = rec->scope;
  cancel_tree(rec);
  op_dispatch(scope);
  return OP_OK;
}

void op_cancel_scope(op_scope *scope, bool tell) {
  for (op_rec *rec; (rec = scope->operations.first);) {
    rec->parent = rec->child_first = rec->child_last = NULL;
    rec->sibling_prev = rec->sibling_next = NULL;
    settle_and_tell(rec, OP_CANCELLED, tell);
    op_reap(rec);
  }
}

/* ---- the life of an operation ---- */

static uint64_t effective_deadline(const op_spec *spec, const op_rec *parent, uint64_t now) {
  uint64_t timeout = spec->timeout_ns, most = spec->kind ? spec->kind->policy.timeout_ns : 0;
  if (most && (!timeout || most < timeout))
    timeout = most;
  uint64_t at = timeout ? op_time_add(now, timeout) : OP_NEVER;
  return parent && parent->deadline_ns < at ? parent->deadline_ns : at;
}

static uint8_t effective_priority(const op_spec *spec, const op_rec *parent) {
  uint8_t priority = spec->priority < OP_PRIORITIES ? spec->priority : OP_PRIORITIES - 1;
  if (spec->kind && spec->kind->policy.priority > priority)
    priority = spec->kind->policy.priority;
  return parent && parent->priority > priority ? parent->priority : priority;
}

static op_status may_submit(const op_scope *scope) {
  const op_table *table = scope->table;
  if (scope->closed)
    return OP_E_CLOSED;
  if (scope->limits.operations_max && scope->counts.created >= scope->limits.operations_max)
    return OP_E_TOTAL;
  return table->in_use >= table->live_max ? OP_E_LIVE : OP_OK;
}

static void count_created(op_counts *counts) {
  counts->created++;
  counts->live++;
}

static void count_refused(op_counts *counts) {
  count_created(counts);
  count_settled(counts, OP_REJECTED);
}

/* What a full queue refuses counts all the same. */
static op_status not_created(op_scope *scope, op_status status) {
  if (status == OP_E_FULL || status == OP_E_FULL_SCOPE || status == OP_E_FULL_TABLE) {
    count_refused(&scope->counts);
    count_refused(&scope->table->counts);
  }
  return status;
}

static bool reached(uint32_t queued, uint32_t most) {
  return most && queued >= most;
}

/* Which queue has no room for a new operation; OP_OK: it needs none, or there is some. */
static op_status queue_full(const op_scope *scope, const op_kind *kind) {
  const op_table *table = scope->table;
  op_status full = OP_OK;
  if (kind && reached(kind->queued, kind->policy.queue_max))
    full = OP_E_FULL;
  else if (reached(scope->counts.queued, scope->limits.queue_max))
    full = OP_E_FULL_SCOPE;
  else if (reached(table->counts.queued, table->queue_max))
    full = OP_E_FULL_TABLE;
  return full != OP_OK && op_would_wait(scope, kind) ? full : OP_OK;
}

static void fill(op_rec *rec, const op_spec *spec, op_rec *parent, uint64_t now) {
  rec->of = spec->kind;
  rec->name = spec->kind ? spec->kind->name : spec->name;
  rec->tag = spec->tag;
  rec->user = spec->user;
  rec->priority = rec->level = effective_priority(spec, parent);
  rec->deadline_ns = effective_deadline(spec, parent, now);
  op_rec_set_due(rec, rec->deadline_ns);
  if (spec->kind)
    spec->kind->records++;
  if (parent)
    adopt(parent, rec);
}

/* What an earlier operation with the same key has to do with a new one. */
typedef struct relation {
  const op_kept *kept; /* settles it */
  op_flight *followed; /* that it joins */
  op_flight *own;      /* that it leads */
} relation;

static op_status relate(const op_spec *spec, const op_rec *parent, uint64_t now, op_status full,
                        relation *to) {
  op_kind *kind = spec->kind;
  bool leads = false;
  *to = (relation){.kept = NULL};
  if (kind && spec->key && (kind->policy.single_flight || op_kind_keeps(kind))) {
    uint64_t hash = op_key_hash(spec->key, spec->key_len, kind->seed);
    if (spec->answer)
      to->kept = op_cache_find(kind, spec->key, spec->key_len, hash, now);
    if (to->kept)
      return OP_HIT;
    to->followed = op_flight_find(kind, spec, hash, parent, &leads);
    if (leads && full == OP_OK && !(to->own = op_flight_open(kind, spec, hash)))
      return OP_E_NOMEM;
  }
  return to->followed ? OP_OK : full;
}

static void count_hit(op_counts *counts, op_state state) {
  count_created(counts);
  count_settled(counts, state);
  counts->cache_hits++;
}

static op_status settle_by_hit(op_scope *scope, const op_spec *spec, const op_kept *kept,
                               op_id *id) {
  *spec->answer = (op_answer){.bytes = kept->bytes, .len = kept->len, .state = kept->state};
  count_hit(&scope->counts, kept->state);
  count_hit(&scope->table->counts, kept->state);
  *id = 0;
  return OP_HIT;
}

static op_status find_parent(const op_scope *scope, const op_spec *spec, op_rec **parent) {
  *parent = NULL;
  if (!spec->parent)
    return OP_OK;
  *parent = op_rec_find(scope->table, spec->parent, REC_OPERATION);
  bool fits = *parent && (*parent)->scope == scope && op_is_live(*parent);
  return fits ? OP_OK : OP_E_GONE;
}

static op_rec *new_operation(op_scope *scope, const op_spec *spec, op_rec *parent, uint64_t now) {
  op_rec *rec = op_rec_new(scope, REC_OPERATION, now);
  if (!rec)
    return NULL;
  fill(rec, spec, parent, now);
  op_list_append(&scope->operations, rec);
  count_created(&scope->counts);
  count_created(&scope->table->counts);
  return rec;
}

op_status op_submit(op_scope *scope, const op_spec *spec, uint64_t now, op_id *id) {
  now = op_time_seen(scope->table, now);
  op_rec *parent;
  relation to;
  op_status status = may_submit(scope);
  if (status == OP_OK)
    status = find_parent(scope, spec, &parent);
  if (status == OP_OK)
    status = relate(spec, parent, now, queue_full(scope, spec->kind), &to);
  if (status == OP_HIT)
    return settle_by_hit(scope, spec, to.kept, id);
  if (status != OP_OK)
    return not_created(scope, status);
  op_rec *rec = new_operation(scope, spec, parent, now);
  if (!rec) {
    if (to.own)
      op_flight_free(spec->kind, to.own);
    return OP_E_NOMEM;
  }
  if (to.followed) {
    op_flight_follow(to.followed, rec);
  } else {
    if (to.own)
      op_flight_lead(to.own, rec);
    op_admit(rec);
  }
  *id = op_rec_id(rec);
  return OP_OK;
}

void op_end_handler(op_rec *rec) {
  op_scope *scope = rec->scope;
  rec->run = RUN_NONE;
  op_leave_gates(rec);
  scope->counts.running--;
  scope->table->counts.running--;
  op_event_withdraw(rec, EVENT_STOP);
}

op_status op_handler_done(op_table *table, op_id id, uint64_t now) {
  op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec)
    return OP_E_GONE;
  if (rec->run != RUN_ACTIVE)
    return OP_E_STATE;
  op_end_handler(rec);
  if (op_is_live(rec)) {
    leave_tree(rec);
    settle_and_tell(rec, OP_REJECTED, true);
  }
  op_dispatch(rec->scope);
  op_reap(rec);
  return OP_OK;
}

op_status op_finish(op_table *table, op_id id, op_state state, uint64_t now) {
  op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec)
    return OP_E_GONE;
  if (rec->run != RUN_ACTIVE)
    return OP_E_STATE;
  op_scope *scope = rec->scope;
  op_status status = OP_OK;
  if (op_is_live(rec)) {
    leave_tree(rec);
    settle(rec, state);
  } else {
    status = late(table, rec);
  }
  op_end_handler(rec);
  op_dispatch(scope);
  op_reap(rec);
  return status;
}

/* ---- timers ---- */

op_status op_timer_start(op_scope *scope, uint64_t delay_ns, uint64_t tag, uint64_t now,
                         op_id *id) {
  op_table *table = scope->table;
  now = op_time_seen(table, now);
  if (scope->closed)
    return OP_E_CLOSED;
  if (scope->limits.timers_max && scope->counts.timers >= scope->limits.timers_max)
    return OP_E_LIVE;
  if (table->in_use >= table->live_max)
    return OP_E_LIVE;
  op_rec *rec = op_rec_new(scope, REC_TIMER, now);
  if (!rec)
    return OP_E_NOMEM;
  rec->tag = tag;
  op_rec_set_due(rec, op_time_add(now, delay_ns));
  op_list_append(&scope->timers, rec);
  scope->counts.timers++;
  table->counts.timers++;
  *id = op_rec_id(rec);
  return OP_OK;
}

void op_timer_drop(op_rec *rec) {
  op_scope *scope = rec->scope;
  op_event_withdraw(rec, EVENT_FIRED);
  deadline_remove(&scope->table->heap, &rec->due);
  op_list_remove(&scope->timers, rec);
  scope->counts.timers--;
  scope->table->counts.timers--;
  op_rec_free(rec);
}

op_status op_timer_stop(op_table *table, op_id id) {
  op_rec *rec = op_rec_find(table, id, REC_TIMER);
  if (!rec)
    return OP_E_GONE;
  op_timer_drop(rec);
  return OP_OK;
}

/* ---- time ---- */

static void come_due(op_rec *rec) {
  if (rec->kind != REC_OPERATION) {
    deadline_remove(&rec->scope->table->heap, &rec->due);
    if (rec->kind == REC_WALL)
      rec->due.at = OP_NEVER;
    op_event_raise(rec, EVENT_FIRED);
    return;
  }
  if (rec->run == RUN_GATHERING && rec->due.at < rec->deadline_ns) {
    op_batch_start(rec->of);
    return;
  }
  if (rec->run == RUN_DELAYED) {
    op_retry_now(rec);
    return;
  }
  leave_tree(rec);
  settle_and_tell(rec, OP_TIMED_OUT, true);
  op_dispatch(rec->scope);
}

size_t op_expire(op_table *table, uint64_t now, size_t max) {
  now = op_time_seen(table, now);
  size_t count = 0;
  for (deadline *first; (first = deadline_first(&table->heap)) && first->at <= now; count++) {
    if (max && count == max)
      break;
    come_due((op_rec *)first);
  }
  OP_CHECK(table);
  return count;
}
