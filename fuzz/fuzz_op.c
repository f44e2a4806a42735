/* The operation table under any sequence of calls, each input byte being a call
 * or its argument; allocations fail when the input says so. Beside the table's
 * own invariants each operation is followed: it settles once, starts at most
 * once and never after its settlement, and is asked to stop only while it runs. */
#include <stdlib.h>
#include <string.h>

#include "core/op.h"

#define SCOPES 3u
#define OPERATIONS 400u
#define TIMERS 32u
#define LIST 4u

typedef struct operation {
  op_id id;
  unsigned scope;
  bool settled; /* as far as calls and events have told */
  bool started, ended, told;
} operation;

typedef struct fuzz {
  const uint8_t *at, *end;
  uint64_t now;
  size_t blocks;
  unsigned fail_next; /* allocations */
  op_table *table;
  op_scope *scopes[SCOPES];
  bool closed[SCOPES];
  operation operations[OPERATIONS];
  unsigned count;
  op_id timers[TIMERS];
} fuzz;

static void demand(bool holds) {
  if (!holds)
    abort();
}

static uint8_t byte(fuzz *f) {
  return f->at < f->end ? *f->at++ : 0;
}

static void *reallocate(void *user, void *block, size_t size) {
  fuzz *f = user;
  if (size == 0) {
    f->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if (f->fail_next) {
    f->fail_next--;
    return NULL;
  }
  void *fresh = realloc(block, size);
  f->blocks += !block && fresh;
  return fresh;
}

/* ---- calls ---- */

static void open_scope(fuzz *f, unsigned i) {
  uint8_t bits = byte(f);
  op_scope_limits limits = {.operations_max = bits & 3 ? 0 : byte(f),
                            .concurrent_max = (bits >> 2) & 3,
                            .timers_max = (bits >> 4) & 7};
  f->closed[i] = false;
  f->scopes[i] = op_scope_open(f->table, &limits, bits & 128 ? OP_NEVER : f->now + byte(f),
                               &f->scopes[i], f->now);
}

static void submit(fuzz *f, unsigned scope) {
  if (f->count == OPERATIONS || !f->scopes[scope])
    return;
  operation *o = &f->operations[f->count];
  uint8_t parent = byte(f);
  op_spec spec = {.name = "kind",
                  .parent = parent < f->count ? f->operations[parent].id : 0,
                  .timeout_ns = byte(f),
                  .tag = f->count,
                  .user = o};
  *o = (operation){.scope = scope};
  if (op_submit(f->scopes[scope], &spec, f->now, &o->id) == OP_OK)
    f->count++;
}

static operation *any_operation(fuzz *f) {
  return f->count ? &f->operations[byte(f) % f->count] : NULL;
}

static void settle(fuzz *f, operation *o, bool fulfil) {
  if (!o)
    return;
  op_status status =
      fulfil ? op_fulfil(f->table, o->id, f->now) : op_reject(f->table, o->id, f->now);
  demand(status == OP_OK || status == OP_LATE);
  demand(!(o->settled && status == OP_OK));
  o->settled = true;
}

static void cancel(fuzz *f, operation *o) {
  if (!o)
    return;
  op_status status = op_cancel(f->table, o->id, f->now);
  demand(status == OP_OK || status == OP_LATE);
  demand(!(o->settled && status == OP_OK));
  o->settled = true;
}

static void end_handler(fuzz *f, operation *o) {
  if (!o)
    return;
  op_status status = op_handler_done(f->table, o->id, f->now);
  demand((status == OP_OK) == (o->started && !o->ended));
  if (status == OP_OK)
    o->ended = true;
}

static void start_timer(fuzz *f, unsigned scope) {
  unsigned i = byte(f) % TIMERS;
  op_id id;
  if (f->scopes[scope] && op_timer_start(f->scopes[scope], byte(f), i, f->now, &id) == OP_OK)
    f->timers[i] = id;
}

static void close_scope(fuzz *f, unsigned i) {
  if (!f->scopes[i])
    return;
  op_scope_close(f->scopes[i], f->now);
  f->closed[i] = true;
  for (unsigned k = 0; k < f->count; k++)
    f->operations[k].settled |= f->operations[k].scope == i;
}

static void release_scope(fuzz *f, unsigned i) {
  if (!f->scopes[i])
    return;
  close_scope(f, i);
  op_scope_release(f->scopes[i]);
  f->scopes[i] = NULL;
  for (unsigned k = 0; k < f->count; k++) /* the next scope here is another one */
    if (f->operations[k].scope == i)
      f->operations[k].scope = SCOPES;
}

static void look(fuzz *f, unsigned scope) {
  op_info list[LIST], info;
  operation *o = any_operation(f);
  if (o && op_find(f->table, o->id, &info, f->now) == OP_OK)
    demand(info.id == o->id && info.tag == (uint64_t)(o - f->operations));
  if (!f->scopes[scope])
    return;
  op_counts counts = op_scope_counts(f->scopes[scope]);
  demand(counts.created ==
         counts.fulfilled + counts.rejected + counts.timed_out + counts.cancelled + counts.live);
  demand(op_scope_list(f->scopes[scope], list, LIST, f->now) == counts.live + counts.timers);
  demand(op_scope_older_than(f->scopes[scope], byte(f), list, LIST, f->now) <= counts.live);
  demand(op_scope_has_live(f->scopes[scope]) == (counts.live > 0));
  op_scope_clock(f->scopes[scope], (op_clock)(byte(f) % (OP_CLOCK_STOPPED + 1)), f->now);
}

/* ---- events ---- */

static bool take_event(fuzz *f) {
  op_event event;
  if (!op_next_event(f->table, &event))
    return false;
  if (event.kind == OP_EVENT_TIMER || event.kind == OP_EVENT_WALL) {
    demand(event.scope && event.scope_user);
    return true;
  }
  operation *o = event.user;
  demand(o >= f->operations && o < f->operations + f->count && o->id == event.id);
  switch (event.kind) {
  case OP_EVENT_START:
    demand(!o->started && !o->settled);
    o->started = true;
    break;
  case OP_EVENT_SETTLED:
    demand(!o->told && event.state != OP_PENDING && event.state != OP_RUNNING);
    o->told = o->settled = true;
    break;
  default:
    demand(o->started && !o->ended && o->settled);
  }
  return true;
}

/* ---- sequences ---- */

static void step(fuzz *f) {
  uint8_t command = byte(f);
  unsigned scope = (command >> 5) % SCOPES;
  switch (command & 15) {
  case 0:
  case 1:
    submit(f, scope);
    break;
  case 2:
    settle(f, any_operation(f), true);
    break;
  case 3:
    settle(f, any_operation(f), false);
    break;
  case 4:
    cancel(f, any_operation(f));
    break;
  case 5:
    end_handler(f, any_operation(f));
    break;
  case 6:
    start_timer(f, scope);
    break;
  case 7:
    op_timer_stop(f->table, f->timers[byte(f) % TIMERS]);
    break;
  case 8:
    f->now += byte(f);
    op_expire(f->table, f->now, command >> 6);
    break;
  case 9:
    take_event(f);
    break;
  case 10:
    while (take_event(f))
      ;
    break;
  case 11:
    if (command & 16)
      release_scope(f, scope);
    else if (f->scopes[scope])
      op_scope_set_wall(f->scopes[scope], command & 128 ? OP_NEVER : f->now + byte(f));
    break;
  case 12:
    if (command & 16)
      close_scope(f, scope);
    else if (!f->scopes[scope])
      open_scope(f, scope);
    break;
  case 13:
    if (f->scopes[scope] && command & 16)
      op_scope_cancel_all(f->scopes[scope], f->now);
    else if (f->scopes[scope])
      op_scope_drop_timers(f->scopes[scope]);
    break;
  case 14:
    f->fail_next = byte(f) % 4;
    break;
  default:
    look(f, scope);
  }
}

static void wind_up(fuzz *f) {
  for (unsigned i = 0; i < SCOPES; i++)
    release_scope(f, i);
  while (take_event(f))
    ;
  for (unsigned i = 0; i < f->count; i++)
    end_handler(f, &f->operations[i]);
  demand(!take_event(f) && op_table_check(f->table));
  op_counts counts = op_table_counts(f->table);
  demand(counts.live + counts.running + counts.queued + counts.timers == 0);
  demand(counts.created == f->count && op_next_deadline(f->table) == OP_NEVER);
  op_table_close(f->table);
  demand(f->blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz f;
  f = (fuzz){.at = data, .end = data + size};
  const vow_allocator allocator = {reallocate, &f};
  f.table = op_table_open(&allocator, byte(&f));
  if (!f.table)
    return 0;
  for (unsigned i = 0; i < SCOPES; i++)
    open_scope(&f, i);
  while (f.at < f.end) {
    step(&f);
    demand(op_table_check(f.table));
  }
  f.fail_next = 0;
  wind_up(&f);
  return 0;
}
