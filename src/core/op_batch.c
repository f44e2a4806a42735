/* Operations of one kind that have their places gather, until there are enough of
 * them or their time is over; then their START events follow each other.
 *
 * The end of the window is kept in the heap by the first one that gathers, as a
 * time before its deadline; when it leaves, the next one takes that over. It never
 * moves back, and forward when one comes that has less time: the handler needs some
 * of it. A batch without window ends when no event is left: those kinds are on a
 * list. */
#include "core/op_int.h"

static void open_batch(op_kind *kind) {
  op_table *table = kind->table;
  if (kind->policy.batch_window_ns) {
    kind->batch_due = op_time_add(table->now, kind->policy.batch_window_ns);
    return;
  }
  kind->open_prev = table->open_last;
  kind->open_next = NULL;
  *(table->open_last ? &table->open_last->open_next : &table->open_first) = kind;
  table->open_last = kind;
}

static void close_batch(op_kind *kind) {
  op_table *table = kind->table;
  if (kind->policy.batch_window_ns)
    return;
  *(kind->open_prev ? &kind->open_prev->open_next : &table->open_first) = kind->open_next;
  *(kind->open_next ? &kind->open_next->open_prev : &table->open_last) = kind->open_prev;
}

/* The first one waits for the end of the window, the others for their deadlines. */
static void watch_window(op_kind *kind) {
  op_rec *first = kind->batch.first;
  if (first && kind->policy.batch_window_ns)
    op_rec_set_due(first,
                   kind->batch_due < first->deadline_ns ? kind->batch_due : first->deadline_ns);
}

/* Half of what `rec` has until its deadline, at most. */
static bool shorten_window(op_kind *kind, const op_rec *rec) {
  uint64_t now = kind->table->now;
  if (rec->deadline_ns == OP_NEVER)
    return false;
  uint64_t most = now + op_time_since(now, rec->deadline_ns) / 2;
  if (most >= kind->batch_due)
    return false;
  kind->batch_due = most;
  return true;
}

static void take_out(op_kind *kind, op_rec *rec) {
  op_queue_remove(&kind->batch, rec);
  if (--kind->batch_count == 0)
    close_batch(kind);
}

void op_gather(op_rec *rec) {
  op_kind *kind = rec->of;
  rec->run = RUN_GATHERING;
  op_queue_append(&kind->batch, rec);
  bool opened = ++kind->batch_count == 1;
  if (opened)
    open_batch(kind);
  if (shorten_window(kind, rec) || opened)
    watch_window(kind);
  if (kind->batch_count == kind->policy.batch_max)
    op_batch_start(kind);
}

void op_batch_leave(op_rec *rec) {
  op_kind *kind = rec->of;
  bool first = kind->batch.first == rec;
  take_out(kind, rec);
  if (first)
    watch_window(kind);
}

void op_batch_start(op_kind *kind) {
  op_table *table = kind->table;
  if (++table->batches == 0)
    table->batches = 1; /* 0: in no batch */
  for (op_rec *rec; (rec = kind->batch.first);) {
    take_out(kind, rec);
    if (rec->due.at != rec->deadline_ns)
      op_rec_set_due(rec, rec->deadline_ns);
    rec->batch = table->batches;
    rec->run = RUN_STARTING;
    op_event_raise(rec, EVENT_START);
  }
}

void op_batch_end_turn(op_table *table) {
  while (table->open_first)
    op_batch_start(table->open_first);
}
