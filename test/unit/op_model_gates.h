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
    if (waits_at(&m->items[i], g) && m->items[i].priority == level &&
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

static void go_on(model *m, int i) {
  item *it = &m->items[i];
  for (; it->places < PLACES; it->places++)
    if (!gate_open(m, gate_at(it, it->places))) {
      it->handler = HANDLER_WAITING;
      it->joined = ++m->joined;
      return;
    }
  it->handler = HANDLER_STARTING;
  tell(m, OP_EVENT_START, i, it->scope);
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

static bool queue_full(const model *m, int scope, int kind) {
  if (kind == NOBODY || m->kinds[kind].policy.queue_max == 0 ||
      queued_of(m, kind) < m->kinds[kind].policy.queue_max)
    return false;
  return !gate_open(m, (gate){OF_SCOPE, scope}) || !gate_open(m, (gate){OF_KIND, kind}) ||
         !gate_open(m, (gate){OF_TABLE, 0});
}

#endif
