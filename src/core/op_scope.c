#include "core/op_int.h"

/* ---- opening and closing ---- */

static void link_scope(op_table *table, op_scope *scope) {
  scope->next = table->scopes;
  if (scope->next)
    scope->next->prev = scope;
  table->scopes = scope;
}

op_scope *op_scope_open(op_table *table, const op_scope_limits *limits, uint64_t wall_deadline,
                        void *user, uint64_t now) {
  now = op_time_seen(table, now);
  op_scope *scope = mem_new(table->allocator, 1, sizeof *scope);
  if (!scope)
    return NULL;
  scope->table = table;
  scope->user = user;
  if (limits)
    scope->limits = *limits;
  scope->gate.max = scope->limits.concurrent_max;
  scope->clock_since = now;
  scope->wall = op_rec_new(scope, REC_WALL, now);
  if (!scope->wall) {
    mem_free(table->allocator, scope);
    return NULL;
  }
  op_rec_set_due(scope->wall, wall_deadline);
  link_scope(table, scope);
  return scope;
}

void op_scope_set_wall(op_scope *scope, uint64_t wall_deadline) {
  if (scope->closed)
    return;
  op_event_withdraw(scope->wall, EVENT_FIRED);
  op_rec_set_due(scope->wall, wall_deadline);
}

static void drop_wall(op_scope *scope) {
  op_event_withdraw(scope->wall, EVENT_FIRED);
  op_rec_set_due(scope->wall, OP_NEVER);
  op_rec_free(scope->wall);
  scope->wall = NULL;
}

void op_scope_drop_timers(op_scope *scope) {
  while (scope->timers.first)
    op_timer_drop(scope->timers.first);
}

void op_scope_cancel_all(op_scope *scope, uint64_t now) {
  op_time_seen(scope->table, now);
  op_cancel_scope(scope, true);
  op_dispatch(scope);
  op_scope_drop_timers(scope);
  OP_CHECK(scope->table);
}

void op_scope_close(op_scope *scope, uint64_t now) {
  if (scope->closed)
    return;
  op_time_seen(scope->table, now); /* its clock may have been stopped before */
  op_scope_clock(scope, OP_CLOCK_STOPPED, now);
  scope->closed = true;
  op_cancel_scope(scope, false);
  op_dispatch(scope);
  op_scope_drop_timers(scope);
  drop_wall(scope);
  OP_CHECK(scope->table);
}

void op_scope_release(op_scope *scope) {
  assert(scope->closed && !scope->released);
  scope->released = true;
  if (scope->records == 0)
    op_scope_free(scope);
}

void op_scope_free(op_scope *scope) {
  op_table *table = scope->table;
  *(scope->prev ? &scope->prev->next : &table->scopes) = scope->next;
  if (scope->next)
    scope->next->prev = scope->prev;
  mem_free(table->allocator, scope);
}

/* ---- looking ---- */

op_counts op_scope_counts(const op_scope *scope) {
  return scope->counts;
}

bool op_scope_has_live(const op_scope *scope) {
  return scope->counts.live != 0;
}

bool op_scope_idle(const op_scope *scope) {
  return !scope->counts.live && !scope->counts.timers && !scope->events;
}

static op_info info_of(const op_rec *rec, uint64_t now) {
  bool timer = rec->kind == REC_TIMER;
  return (op_info){
      .id = op_rec_id(rec),
      .parent = rec->parent ? op_rec_id(rec->parent) : 0,
      .name = timer ? "timer" : rec->name,
      .state = (op_state)rec->state,
      .age_ns = op_time_since(rec->created_ns, now),
      .tag = rec->tag,
      .deadline = timer ? rec->due.at : rec->deadline_ns,
      .attempts = rec->attempts,
      .priority = rec->level,
      .queued = rec->run == RUN_WAITING,
      .follows = rec->run == RUN_FOLLOWING,
  };
}

/* Merges the two lists, each in creation order, by sequence. */
size_t op_scope_list(const op_scope *scope, op_info *list, size_t max, uint64_t now) {
  const op_rec *operation = scope->operations.first, *timer = scope->timers.first;
  for (size_t i = 0; i < max && (operation || timer); i++) {
    if (!timer || (operation && operation->due.seq < timer->due.seq)) {
      list[i] = info_of(operation, now);
      operation = operation->list_next;
    } else {
      list[i] = info_of(timer, now);
      timer = timer->list_next;
    }
  }
  return (size_t)scope->counts.live + scope->counts.timers;
}

size_t op_scope_older_than(const op_scope *scope, uint64_t age_ns, op_info *list, size_t max,
                           uint64_t now) {
  size_t count = 0;
  for (const op_rec *rec = scope->operations.first; rec; rec = rec->list_next) {
    if (op_time_since(rec->created_ns, now) < age_ns)
      break;
    if (count < max)
      list[count] = info_of(rec, now);
    count++;
  }
  return count;
}

op_status op_find(const op_table *table, op_id id, op_info *info, uint64_t now) {
  const op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec)
    return OP_E_GONE;
  *info = info_of(rec, now);
  return OP_OK;
}

/* ---- clocks ---- */

void op_scope_clock(op_scope *scope, op_clock clock, uint64_t now) {
  if (scope->clock == OP_CLOCK_STOPPED)
    return;
  now = op_time_seen(scope->table, now);
  scope->clock_ns[scope->clock] += now - scope->clock_since;
  scope->clock_since = now;
  scope->clock = clock;
}

uint64_t op_scope_time(const op_scope *scope, op_clock clock, uint64_t now) {
  if (clock == OP_CLOCK_STOPPED)
    return 0;
  uint64_t ns = scope->clock_ns[clock];
  return clock == scope->clock ? ns + op_time_since(scope->clock_since, now) : ns;
}
