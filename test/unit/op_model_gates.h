/* The places of the model: who waits for which, in numbers kept with the items.
 * Included by op_model.h alone. */
#ifndef VOW_TEST_OP_MODEL_GATES_H
#define VOW_TEST_OP_MODEL_GATES_H

enum { OF_SCOPE, OF_KIND, OF_TABLE, PLACES };

typedef struct gate { /* named, not stored */
  int sort, owner;    /* scope or kind; NOBODY: there is none on the way */
} gate;

static gate gate_at(const item *it, int sort) {
  return (gate){sort, sort == OF_SCOPE ? it->scope : sort == OF_KIND ? it->kind : 0};
}

static bool passes_by(const item *it, gate g) {
  return it->timer == TIMER_NOT && gate_at(it, g.sort).owner == g.owner;
}

static uint32_t most_of(const model *m, gate g) {
  return g.sort == OF_SCOPE  ? m->sides[g.owner].limits.concurrent_max
         : g.sort == OF_KIND ? m->kinds[g.owner].policy.concurrent_max
                             : m->concurrent_max;
}

static uint32_t *picks_of(model *m, gate g) {
  return g.sort == OF_SCOPE  ? &m->sides[g.owner].picks
         : g.sort == OF_KIND ? &m->kinds[g.owner].picks
                             : &m->picks;
}

static uint32_t used_of(const model *m, gate g) {
  uint32_t used = 0;
  for (int i = 0; i < m->items_len; i++)
    used += passes_by(&m->items[i], g) && m->items[i].places > g.sort;
  return used;
}

static bool waits_at(const item *it, gate g) {
  return it->handler == HANDLER_WAITING && it->places == g.sort && passes_by(it, g);
}

static bool some_wait(const model *m, gate g) {
  for (int i = 0; i < m->items_len; i++)
    if (waits_at(&m->items[i], g))
      return true;
  return false;
}

static bool has_free(const model *m, gate g) {
  return g.owner == NOBODY || most_of(m, g) == 0 || used_of(m, g) < most_of(m, g);
}

static bool gate_open(const model *m, gate g) {
  return has_free(m, g) && (g.owner == NOBODY || !some_wait(m, g));
}

/* Who waited longest, of those of priority `level`. */
static int head_of(const model *m, gate g, unsigned level) {
  int head = NOBODY;
  for (int i = 0; i < m->items_len; i++)
    if (waits_at(&m->items[i], g) && m->items[i].level == level &&
        (head == NOBODY || m->items[i].joined < m->items[head].joined))
      head = i;
  return head;
}

static int next_of(model *m, gate g) {
  bool turn = ++*picks_of(m, g) % 4 == 0;
  int chosen = NOBODY;
  for (unsigned level = 0; level < 4; level++) {
    int head = head_of(m, g, level);
    if (head == NOBODY)
      continue;
    if (!turn)
      return head;
    if (chosen == NOBODY || m->items[head].order < m->items[chosen].order)
      chosen = head;
  }
  return chosen;
}

/* ---- batches ---- */

static uint32_t gathering_of(const model *m, int kind) {
  uint32_t count = 0;
  for (int i = 0; i < m->items_len; i++)
    count += m->items[i].kind == kind && m->items[i].handler == HANDLER_GATHERING;
  return count;
}

static int first_of_batch(const model *m, int kind) {
  int first = NOBODY;
  for (int i = 0; i < m->items_len; i++)
    if (m->items[i].kind == kind && m->items[i].handler == HANDLER_GATHERING &&
        (first == NOBODY || m->items[i].joined < m->items[first].joined))
      first = i;
  return first;
}

static void start_batch(model *m, int kind) {
  m->batches++;
  for (int i; (i = first_of_batch(m, kind)) != NOBODY;) {
    m->items[i].handler = HANDLER_STARTING;
    m->items[i].batch = m->batches;
    tell(m, OP_EVENT_START, i, m->items[i].scope);
  }
}

static void gather(model *m, int i) {
  int kind = m->items[i].kind;
  family *f = &m->kinds[kind];
  m->items[i].joined = ++m->joined;
  if (gathering_of(m, kind) == 0) {
    f->opened = m->joined;
    f->window_end = later(m->now, f->policy.batch_window_ns);
  }
  m->items[i].handler = HANDLER_GATHERING;
  uint64_t left = m->items[i].deadline > m->now ? m->items[i].deadline - m->now : 0;
  uint64_t half = m->items[i].deadline == OP_NEVER ? OP_NEVER : m->now + left / 2;
  m->hurried += f->policy.batch_window_ns && half < f->window_end;
  f->window_end = half < f->window_end ? half : f->window_end;
  if (gathering_of(m, kind) == f->policy.batch_max)
    start_batch(m, kind);
}

/* Those without a window, in the order they were begun. */
static void start_open_batches(model *m) {
  for (int next;;) {
    next = NOBODY;
    for (int k = 0; k < m->kinds_len; k++)
      if (!m->kinds[k].policy.batch_window_ns && gathering_of(m, k) &&
          (next == NOBODY || m->kinds[k].opened < m->kinds[next].opened))
        next = k;
    if (next == NOBODY)
      return;
    start_batch(m, next);
  }
}

/* A time before its deadline at which something is done with the item. */
static uint64_t early_time(const model *m, int i) {
  const item *it = &m->items[i];
  if (it->handler == HANDLER_WAITING && it->attempts > 0 && it->deadline != OP_NEVER)
    return it->deadline - it->length;
  if (it->handler != HANDLER_GATHERING)
    return it->wake;
  const family *f = &m->kinds[it->kind];
  return f->policy.batch_window_ns && first_of_batch(m, it->kind) == i ? f->window_end : OP_NEVER;
}

/* ---- on the way ---- */

static void go_on(model *m, int i) {
  item *it = &m->items[i];
  for (; it->places < PLACES; it->places++)
    if (!gate_open(m, gate_at(it, it->places))) {
      it->handler = HANDLER_WAITING;
      it->joined = ++m->joined;
      return;
    }
  if (it->kind != NOBODY && m->kinds[it->kind].policy.batch_max > 1) {
    gather(m, i);
    return;
  }
  it->handler = HANDLER_STARTING;
  tell(m, OP_EVENT_START, i, it->scope);
}

/* In the order they are told of. */
static uint64_t tell_sum(uint64_t sum, op_id id) {
  return sum * 31 + id;
}

/* It was created before, and may have to wait now. */
static void go_on_again(model *m, int i) {
  go_on(m, i);
  if (m->items[i].handler != HANDLER_WAITING || m->sides[m->items[i].scope].closed)
    return;
  m->told++;
  m->told_sum = tell_sum(m->told_sum, m->items[i].id);
}

static void give_places(model *m, gate g) {
  while (has_free(m, g) && some_wait(m, g)) {
    int i = next_of(m, g);
    m->items[i].places++;
    m->items[i].handler = HANDLER_NONE;
    go_on(m, i);
  }
}

/* The places of the table, of the kinds that gave some back, in the order of the
 * first, and of the scope. */
static void hand_out_places(model *m, int scope) {
  give_places(m, (gate){OF_TABLE, 0});
  for (int k = 0; k < m->freed_len; k++)
    give_places(m, (gate){OF_KIND, m->freed[k]});
  m->freed_len = 0;
  give_places(m, (gate){OF_SCOPE, scope});
}

static void give_back(model *m, int i) {
  item *it = &m->items[i];
  bool noted = it->kind == NOBODY || it->places <= OF_KIND;
  for (int k = 0; k < m->freed_len; k++)
    noted = noted || m->freed[k] == it->kind;
  if (!noted)
    m->freed[m->freed_len++] = it->kind;
  it->places = 0;
}

static uint32_t queued_of(const model *m, int kind) {
  uint32_t count = 0;
  for (int i = 0; i < m->items_len; i++)
    count += m->items[i].kind == kind && m->items[i].handler == HANDLER_WAITING;
  return count;
}

/* Of one scope, or of all for NOBODY. */
static uint32_t waiting_of(const model *m, int scope) {
  uint32_t count = 0;
  for (int i = 0; i < m->items_len; i++)
    count +=
        (scope == NOBODY || m->items[i].scope == scope) && m->items[i].handler == HANDLER_WAITING;
  return count;
}

/* The first bound that refuses a new operation; OP_OK: none does. */
static op_status queue_full(const model *m, int scope, int kind) {
  uint32_t of_kind = kind == NOBODY ? 0 : m->kinds[kind].policy.queue_max;
  uint32_t of_scope = m->sides[scope].limits.queue_max;
  if (gate_open(m, (gate){OF_SCOPE, scope}) && gate_open(m, (gate){OF_KIND, kind}) &&
      gate_open(m, (gate){OF_TABLE, 0}))
    return OP_OK;
  if (of_kind && queued_of(m, kind) >= of_kind)
    return OP_E_FULL;
  if (of_scope && waiting_of(m, scope) >= of_scope)
    return OP_E_FULL_SCOPE;
  return m->queue_max && waiting_of(m, NOBODY) >= m->queue_max ? OP_E_FULL_TABLE : OP_OK;
}

#endif
