/* One queue of records, in the order of their oldest event. The events of one
 * record are adjacent in it without being stored: START is alone (whoever
 * settles withdraws it), and SETTLED and STOP are raised at one moment. */
#include "core/op_int.h"

void op_event_raise(op_rec *rec, unsigned events) {
  if (!events)
    return;
  if (!rec->events) {
    op_queue_append(&rec->scope->table->events, rec);
    rec->scope->events++;
  }
  rec->events = (uint8_t)(rec->events | events);
}

void op_event_withdraw(op_rec *rec, unsigned events) {
  if (!(rec->events & events))
    return;
  rec->events = (uint8_t)(rec->events & ~events);
  if (!rec->events) {
    op_queue_remove(&rec->scope->table->events, rec);
    rec->scope->events--;
  }
}

static void tell(op_event *event, const op_rec *rec, op_event_kind kind) {
  const op_scope *scope = rec->scope;
  *event = (op_event){
      .kind = kind,
      .state = (op_state)rec->state,
      .id = rec->kind == REC_WALL ? 0 : op_rec_id(rec),
      .scope = scope->released ? NULL : rec->scope,
      .scope_user = scope->released ? NULL : scope->user,
      .name = rec->name,
      .tag = rec->tag,
      .user = rec->user,
  };
}

static void count_running(op_counts *counts) {
  if (++counts->running > counts->running_max)
    counts->running_max = counts->running;
}

/* Events of a batch are raised together, so that those still there are adjacent. */
static bool batch_goes_on(const op_rec *rec) {
  const op_rec *next = rec->queue_next;
  return rec->batch && next && next->events & EVENT_START && next->batch == rec->batch;
}

static void count_batched(op_rec *rec, bool more) {
  op_table *table = rec->scope->table;
  bool joins = rec->batch && rec->batch == table->batch_taken;
  table->batch_taken = rec->batch;
  if (!more && !joins)
    return;
  rec->scope->counts.batched++;
  table->counts.batched++;
}

static void take_start(op_rec *rec, op_event *event) {
  assert(rec->run == RUN_STARTING && rec->state == OP_PENDING);
  bool more = batch_goes_on(rec);
  count_batched(rec, more);
  op_event_withdraw(rec, EVENT_START);
  rec->run = RUN_ACTIVE;
  rec->state = OP_RUNNING;
  rec->attempts++;
  rec->attempt_ns = rec->scope->table->now;
  count_running(&rec->scope->counts);
  count_running(&rec->scope->table->counts);
  tell(event, rec, OP_EVENT_START);
  event->batch_more = more;
}

static void take_fired(op_rec *rec, op_event *event) {
  bool timer = rec->kind == REC_TIMER;
  tell(event, rec, timer ? OP_EVENT_TIMER : OP_EVENT_WALL);
  op_event_withdraw(rec, EVENT_FIRED);
  if (timer)
    op_timer_drop(rec);
}

static void take_end(op_rec *rec, op_event *event) {
  bool settled = rec->events & EVENT_SETTLED;
  tell(event, rec, settled ? OP_EVENT_SETTLED : OP_EVENT_STOP);
  op_event_withdraw(rec, settled ? EVENT_SETTLED : EVENT_STOP);
  op_reap(rec);
}

bool op_next_event(op_table *table, op_event *event) {
  if (!table->events.first && table->open_first)
    op_batch_end_turn(table);
  op_rec *rec = table->events.first;
  if (!rec)
    return false;
  if (rec->kind != REC_OPERATION)
    take_fired(rec, event);
  else if (rec->events & EVENT_START)
    take_start(rec, event);
  else
    take_end(rec, event);
  return true;
}
