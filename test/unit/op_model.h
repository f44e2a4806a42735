/* What core/op.h promises, in the plainest form: arrays that only grow, and a
 * scan for every question. It shares no structure with the implementation: no
 * heap (the earliest deadline is searched), no lists (order is a number), an
 * event queue that is an array with one entry for each event, clocks that are
 * logs of their switches. For the simulation; included once. */
#ifndef VOW_TEST_OP_MODEL_H
#define VOW_TEST_OP_MODEL_H

#include <stdio.h>
#include <string.h>

#include "core/op.h"

enum {
  ITEMS_MAX = 2048,
  SCOPES_MAX = 40,
  KINDS_MAX = 10,
  ANSWERS_MAX = 2048,
  SWITCHES_MAX = 64,
  NOBODY = -1
};

typedef enum {
  HANDLER_NONE,
  HANDLER_WAITING,
  HANDLER_STARTING,
  HANDLER_RUNNING,
  HANDLER_DELAYED,
  HANDLER_FOLLOWING,
  HANDLER_GATHERING,
} handler_phase;
typedef enum { TIMER_NOT, TIMER_ARMED, TIMER_FIRED, TIMER_OVER } timer_phase;

typedef struct item { /* an operation or a timer */
  op_id id;
  int scope, parent, kind;
  op_state state;
  handler_phase handler;
  timer_phase timer;
  uint64_t deadline, created, tag;
  uint64_t order; /* of creation, among all items and scopes */
  uint64_t rank;  /* among the children of its parent */
  unsigned priority;
  unsigned level;  /* of the queue: its own priority, or the highest of its followers' */
  int places;      /* held: of the scope, of the kind, of the table */
  uint64_t joined; /* the queue, flight or batch it waits in */
  uint64_t batch;  /* that it was started with; 0: none */
  uint32_t attempts;
  uint64_t started; /* the last one */
  uint64_t length;  /* of the last one, once another follows */
  uint64_t wake;    /* when the delay before the next ends; OP_NEVER: none */
  int key, leader;  /* NOBODY: none; itself: it leads, or holds the key alone */
} item;

typedef struct family { /* a kind */
  op_kind *kind;
  op_policy policy;
  uint32_t picks;
  bool closed;
  uint64_t opened, window_end; /* of the batch that gathers */
} family;

typedef struct answer {
  int kind, key;
  op_state state;
  size_t len;
  uint64_t until, used;
  bool gone;
} answer;

typedef struct side { /* a scope */
  op_scope *scope;
  op_scope_limits limits;
  op_counts ended; /* created, the four ends, late, running_max; the rest is counted on demand */
  uint64_t wall;   /* OP_NEVER: none, or raised */
  uint64_t order;
  bool closed, released;
  uint32_t picks;
  int switches;
  op_clock clock[SWITCHES_MAX];
  uint64_t since[SWITCHES_MAX];
} side;

typedef struct happening {
  op_event_kind kind;
  int item, scope;
} happening;

typedef struct model {
  uint64_t now; /* the latest that was given */
  uint64_t order, rank, joined, late, live_max;
  uint32_t running_max, concurrent_max, queue_max, picks;
  int items_len, sides_len, kinds_len, queue_len;
  uint64_t told, told_sum; /* of those that wait again: how many, which ones in what order */
  int freed[KINDS_MAX], freed_len; /* kinds that got a place back in this call */
  family kinds[KINDS_MAX];
  int answers_len;
  uint64_t promoted, raised, too_late, hurried, batches, taken_batch;
  item items[ITEMS_MAX];
  answer answers[ANSWERS_MAX];
  side sides[SCOPES_MAX];
  happening queue[2 * ITEMS_MAX + SCOPES_MAX];
} model;

static uint64_t later(uint64_t now, uint64_t delay) {
  uint64_t sum = now + delay;
  return sum < now ? OP_NEVER : sum;
}

static void see(model *m, uint64_t now) {
  m->now = now > m->now ? now : m->now;
}

/* ---- events ---- */

static void tell(model *m, op_event_kind kind, int i, int scope) {
  m->queue[m->queue_len++] = (happening){kind, i, scope};
}

static void take_out(model *m, int at) {
  m->queue_len--;
  memmove(&m->queue[at], &m->queue[at + 1], (size_t)(m->queue_len - at) * sizeof m->queue[0]);
}

static int find_event(const model *m, op_event_kind kind, int i, int scope) {
  for (int at = 0; at < m->queue_len; at++)
    if (m->queue[at].kind == kind && m->queue[at].item == i && m->queue[at].scope == scope)
      return at;
  return NOBODY;
}

static void untell(model *m, op_event_kind kind, int i, int scope) {
  int at = find_event(m, kind, i, scope);
  if (at != NOBODY)
    take_out(m, at);
}

#include "op_model_gates.h"
#include "op_model_keys.h"

/* ---- questions ---- */

static bool is_live(const item *it) {
  return it->timer == TIMER_NOT && (it->state == OP_PENDING || it->state == OP_RUNNING);
}

static bool timer_lives(const item *it) {
  return it->timer == TIMER_ARMED || it->timer == TIMER_FIRED;
}

static bool awaited(const model *m, int i) {
  for (int at = 0; at < m->queue_len; at++)
    if (m->queue[at].item == i)
      return true;
  return false;
}

/* Whether the operation's record is still there. */
static bool known(const model *m, int i) {
  const item *it = &m->items[i];
  return it->timer == TIMER_NOT && (is_live(it) || it->handler == HANDLER_RUNNING || awaited(m, i));
}

static uint64_t in_use(const model *m) {
  uint64_t count = 0;
  for (int i = 0; i < m->items_len; i++)
    count += known(m, i) || timer_lives(&m->items[i]);
  return count;
}

/* Of one scope, or of all for NOBODY. */
static op_counts counts_of(const model *m, int scope) {
  op_counts c = {0};
  for (int s = 0; s < m->sides_len; s++) {
    const op_counts *ended = &m->sides[s].ended;
    if (scope != NOBODY && s != scope)
      continue;
    c.created += ended->created;
    c.fulfilled += ended->fulfilled;
    c.rejected += ended->rejected;
    c.timed_out += ended->timed_out;
    c.cancelled += ended->cancelled;
    c.retries += ended->retries;
    c.cache_hits += ended->cache_hits;
    c.batched += ended->batched;
    c.late = ended->late;
    c.running_max = ended->running_max;
  }
  for (int i = 0; i < m->items_len; i++) {
    const item *it = &m->items[i];
    if (scope != NOBODY && it->scope != scope)
      continue;
    c.live += is_live(it);
    c.timers += timer_lives(it);
    c.running += it->handler == HANDLER_RUNNING;
    c.queued += it->handler == HANDLER_WAITING;
  }
  if (scope == NOBODY) {
    c.late = m->late;
    c.running_max = m->running_max;
  }
  return c;
}

static bool side_idle(const model *m, int scope) {
  op_counts c = counts_of(m, scope);
  for (int at = 0; at < m->queue_len; at++)
    if (m->queue[at].scope == scope)
      return false;
  return c.live == 0 && c.timers == 0;
}

static uint64_t clock_time(const model *m, int scope, op_clock clock, uint64_t now) {
  const side *sd = &m->sides[scope];
  uint64_t sum = 0;
  for (int i = 0; i < sd->switches; i++)
    if (sd->clock[i] == clock && clock != OP_CLOCK_STOPPED)
      sum += (i + 1 < sd->switches ? sd->since[i + 1] : now) - sd->since[i];
  return sum;
}

/* ---- settling ---- */

static int next_child(const model *m, int parent, uint64_t after) {
  int found = NOBODY;
  for (int i = 0; i < m->items_len; i++) {
    const item *it = &m->items[i];
    if (it->parent == parent && it->rank > after &&
        (found == NOBODY || it->rank < m->items[found].rank))
      found = i;
  }
  return found;
}

static void move_children_up(model *m, int i) {
  for (int child; (child = next_child(m, i, 0)) != NOBODY;) {
    m->items[child].parent = m->items[i].parent;
    m->items[child].rank = ++m->rank;
  }
}

static void end_item(model *m, int i, op_state state, bool by_result, bool telling) {
  item *it = &m->items[i];
  op_counts *ended = &m->sides[it->scope].ended;
  it->state = state;
  it->parent = NOBODY;
  it->wake = OP_NEVER;
  ended->fulfilled += state == OP_FULFILLED;
  ended->rejected += state == OP_REJECTED;
  ended->timed_out += state == OP_TIMED_OUT;
  ended->cancelled += state == OP_CANCELLED;
  untell(m, OP_EVENT_START, i, it->scope);
  if (it->handler != HANDLER_RUNNING) {
    it->handler = HANDLER_NONE;
    give_back(m, i);
  }
  leave_flight(m, i);
  if (telling)
    tell(m, OP_EVENT_SETTLED, i, it->scope);
  if (!by_result && it->handler == HANDLER_RUNNING)
    tell(m, OP_EVENT_STOP, i, it->scope);
}

/* `i` NOBODY: an id that never was. */
static bool too_late(model *m, int i) {
  if (i != NOBODY && is_live(&m->items[i]))
    return false;
  m->late++;
  if (i != NOBODY && known(m, i))
    m->sides[m->items[i].scope].ended.late++;
  return true;
}

static op_status model_settle(model *m, int i, op_state state, uint64_t now) {
  see(m, now);
  if (too_late(m, i))
    return OP_LATE;
  move_children_up(m, i);
  end_item(m, i, state, true, false);
  hand_out_places(m, m->items[i].scope);
  return OP_OK;
}

static void cancel_nested(model *m, int i) {
  end_item(m, i, OP_CANCELLED, false, true);
  uint64_t rank = 0;
  for (int child; (child = next_child(m, i, rank)) != NOBODY;) {
    rank = m->items[child].rank;
    cancel_nested(m, child);
  }
}

static op_status model_cancel(model *m, int i, uint64_t now) {
  see(m, now);
  if (too_late(m, i))
    return OP_LATE;
  cancel_nested(m, i);
  hand_out_places(m, m->items[i].scope);
  return OP_OK;
}

static op_status model_done(model *m, int i, uint64_t now) {
  see(m, now);
  if (i == NOBODY || !known(m, i))
    return OP_E_GONE;
  item *it = &m->items[i];
  if (it->handler != HANDLER_RUNNING)
    return OP_E_STATE;
  it->handler = HANDLER_NONE;
  give_back(m, i);
  untell(m, OP_EVENT_STOP, i, it->scope);
  if (is_live(it)) {
    move_children_up(m, i);
    end_item(m, i, OP_REJECTED, true, true);
  }
  hand_out_places(m, it->scope);
  return OP_OK;
}

static uint64_t longest_delay(const op_policy *policy, uint32_t attempts) {
  uint64_t most = policy->backoff_max_ns ? policy->backoff_max_ns : OP_NEVER;
  unsigned __int128 ns = policy->backoff_ns;
  ns <<= attempts - 1 < 60 ? attempts - 1 : 60;
  return ns < most ? (uint64_t)ns : most;
}

static op_status may_retry(model *m, int i, uint64_t now) {
  see(m, now);
  if (i == NOBODY || !known(m, i))
    return OP_E_GONE;
  const item *it = &m->items[i];
  return it->state == OP_RUNNING && it->handler == HANDLER_RUNNING ? OP_OK : OP_E_STATE;
}

static op_status model_retry_after(model *m, int i, uint64_t now, uint64_t delay) {
  op_status may = may_retry(m, i, now);
  if (may != OP_OK)
    return may;
  item *it = &m->items[i];
  side *sd = &m->sides[it->scope];
  uint64_t at = later(m->now, delay);
  if ((sd->limits.retries_max && sd->ended.retries >= sd->limits.retries_max) ||
      later(at, m->now - it->started) >= it->deadline)
    return OP_E_SPENT;
  it->handler = HANDLER_DELAYED;
  it->state = OP_PENDING;
  it->length = m->now - it->started;
  it->wake = at;
  sd->ended.retries++;
  give_back(m, i);
  hand_out_places(m, it->scope);
  return OP_OK;
}

static op_status model_retry(model *m, int i, uint64_t now, uint64_t random) {
  op_status may = may_retry(m, i, now);
  if (may != OP_OK)
    return may;
  const item *it = &m->items[i];
  if (it->kind == NOBODY || it->attempts >= m->kinds[it->kind].policy.attempts)
    return OP_E_SPENT;
  uint64_t most = longest_delay(&m->kinds[it->kind].policy, it->attempts);
  return model_retry_after(m, i, now, most == OP_NEVER ? random : random % (most + 1));
}

/* ---- creating ---- */

static item *add_item(model *m, int scope, uint64_t deadline) {
  item *it = &m->items[m->items_len];
  *it = (item){.scope = scope,
               .parent = NOBODY,
               .kind = NOBODY,
               .key = NOBODY,
               .leader = NOBODY,
               .wake = OP_NEVER,
               .deadline = deadline,
               .created = m->now,
               .tag = 1000 + (uint64_t)m->items_len,
               .order = ++m->order};
  m->items_len++;
  return it;
}

/* `has_parent` with `parent` NOBODY: an id that never was. `hit`: NOBODY, no earlier
 * answer is wanted; the answer for OP_HIT. */
static op_status model_may_submit(model *m, int scope, bool has_parent, int parent, int kind,
                                  int key, int *hit, uint64_t now) {
  see(m, now);
  const side *sd = &m->sides[scope];
  if (sd->closed)
    return OP_E_CLOSED;
  if (sd->limits.operations_max && sd->ended.created >= sd->limits.operations_max)
    return OP_E_TOTAL;
  if (in_use(m) >= m->live_max)
    return OP_E_LIVE;
  if (has_parent &&
      (parent == NOBODY || m->items[parent].scope != scope || !is_live(&m->items[parent])))
    return OP_E_GONE;
  bool asked = *hit != NOBODY;
  *hit = NOBODY;
  if (shares(m, kind, key)) {
    if (asked && (*hit = model_hit(m, kind, key)) != NOBODY)
      return OP_HIT;
    int leader = leader_for(m, kind, key);
    if (leader != NOBODY && !nested_in_flight(m, parent, leader))
      return OP_OK;
  }
  return queue_full(m, scope, kind);
}

static uint64_t less_of(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static unsigned lower_of(unsigned a, unsigned b) {
  return a > b ? a : b;
}

static void model_settle_by_hit(model *m, int scope, int hit) {
  op_counts *ended = &m->sides[scope].ended;
  ended->created++;
  ended->cache_hits++;
  ended->fulfilled += m->answers[hit].state == OP_FULFILLED;
  ended->rejected += m->answers[hit].state == OP_REJECTED;
}

static void model_refuse(model *m, int scope) {
  m->sides[scope].ended.created++;
  m->sides[scope].ended.rejected++;
}

static void join_flight(model *m, int i, int leader) {
  m->items[i].leader = leader;
  m->items[i].handler = HANDLER_FOLLOWING;
  m->items[i].joined = ++m->joined;
  raise_level(m, leader, m->items[i].priority);
}

static void model_submit(model *m, int scope, int parent, int kind, int key, uint64_t timeout,
                         unsigned priority, op_id id) {
  uint64_t most = kind == NOBODY ? 0 : m->kinds[kind].policy.timeout_ns;
  uint64_t deadline =
      less_of(timeout ? later(m->now, timeout) : OP_NEVER, most ? later(m->now, most) : OP_NEVER);
  if (parent != NOBODY && m->items[parent].deadline < deadline)
    deadline = m->items[parent].deadline;
  item *it = add_item(m, scope, deadline);
  it->id = id;
  it->parent = parent;
  it->rank = ++m->rank;
  it->kind = kind;
  it->priority = priority > 3 ? 3 : priority;
  if (kind != NOBODY)
    it->priority = lower_of(it->priority, m->kinds[kind].policy.priority);
  if (parent != NOBODY)
    it->priority = lower_of(it->priority, m->items[parent].priority);
  it->level = it->priority;
  m->sides[scope].ended.created++;
  int self = m->items_len - 1, leader = shares(m, kind, key) ? leader_for(m, kind, key) : NOBODY;
  if (leader != NOBODY && !nested_in_flight(m, parent, leader)) {
    it->key = key;
    join_flight(m, self, leader);
    return;
  }
  if (shares(m, kind, key) && leader == NOBODY) {
    it->key = key;
    it->leader = self;
  }
  go_on(m, self);
}

static op_status model_may_time(model *m, int scope, uint64_t now) {
  see(m, now);
  const side *sd = &m->sides[scope];
  if (sd->closed)
    return OP_E_CLOSED;
  if (sd->limits.timers_max && counts_of(m, scope).timers >= sd->limits.timers_max)
    return OP_E_LIVE;
  return in_use(m) >= m->live_max ? OP_E_LIVE : OP_OK;
}

static void model_timer(model *m, int scope, uint64_t delay, op_id id) {
  item *it = add_item(m, scope, later(m->now, delay));
  it->id = id;
  it->timer = TIMER_ARMED;
}

static op_status model_timer_stop(model *m, int i) {
  if (i == NOBODY || !timer_lives(&m->items[i]))
    return OP_E_GONE;
  untell(m, OP_EVENT_TIMER, i, m->items[i].scope);
  m->items[i].timer = TIMER_OVER;
  return OP_OK;
}

/* ---- scopes ---- */

static void model_clock(model *m, int scope, op_clock clock, uint64_t now) {
  side *sd = &m->sides[scope];
  if (sd->switches && sd->clock[sd->switches - 1] == OP_CLOCK_STOPPED)
    return;
  see(m, now);
  sd->clock[sd->switches] = clock;
  sd->since[sd->switches++] = m->now;
}

static void model_open(model *m, op_scope *scope, const op_scope_limits *limits, uint64_t wall) {
  side *sd = &m->sides[m->sides_len++];
  *sd = (side){.scope = scope, .limits = *limits, .wall = wall, .order = ++m->order};
  model_clock(m, m->sides_len - 1, OP_CLOCK_READY, m->now);
}

static void model_set_wall(model *m, int scope, uint64_t wall) {
  if (m->sides[scope].closed)
    return;
  untell(m, OP_EVENT_WALL, NOBODY, scope);
  m->sides[scope].wall = wall;
}

static void model_drop_timers(model *m, int scope) {
  for (int i = 0; i < m->items_len; i++)
    if (m->items[i].scope == scope)
      model_timer_stop(m, i);
}

static void model_cancel_all(model *m, int scope, bool telling, uint64_t now) {
  see(m, now);
  for (int i = 0; i < m->items_len; i++)
    if (m->items[i].scope == scope && is_live(&m->items[i]))
      end_item(m, i, OP_CANCELLED, false, telling);
  hand_out_places(m, scope);
  model_drop_timers(m, scope);
}

static void model_close(model *m, int scope, uint64_t now) {
  if (m->sides[scope].closed)
    return;
  model_clock(m, scope, OP_CLOCK_STOPPED, now);
  m->sides[scope].closed = true;
  model_cancel_all(m, scope, false, now);
  untell(m, OP_EVENT_WALL, NOBODY, scope);
  m->sides[scope].wall = OP_NEVER;
}

/* ---- kinds ---- */

/* Settled, with no event to be taken; handlers may run on. */
static bool kind_idle(const model *m, int kind) {
  for (int i = 0; i < m->items_len; i++)
    if (m->items[i].kind == kind && (is_live(&m->items[i]) || awaited(m, i)))
      return false;
  return true;
}

static void model_open_kind(model *m, op_kind *kind, const op_policy *policy) {
  m->kinds[m->kinds_len++] = (family){.kind = kind, .policy = *policy};
}

/* ---- time and events ---- */

/* The earliest deadline, OP_NEVER: none; whose it is in `i` or in `scope`. */
static uint64_t earliest(const model *m, int *i, int *scope) {
  uint64_t at = OP_NEVER, order = 0;
  *i = *scope = NOBODY;
  for (int j = 0; j < m->items_len; j++) {
    const item *it = &m->items[j];
    uint64_t due = early_time(m, j);
    due = due < it->deadline ? due : it->deadline;
    if (due == OP_NEVER || (!is_live(it) && it->timer != TIMER_ARMED))
      continue;
    if (due < at || (due == at && it->order < order)) {
      at = due;
      order = it->order;
      *i = j;
    }
  }
  for (int s = 0; s < m->sides_len; s++) {
    const side *sd = &m->sides[s];
    if (sd->wall == OP_NEVER || sd->wall > at || (sd->wall == at && sd->order > order))
      continue;
    at = sd->wall;
    order = sd->order;
    *i = NOBODY;
    *scope = s;
  }
  return at;
}

static size_t model_expire(model *m, uint64_t now, size_t max) {
  see(m, now);
  size_t count = 0;
  for (int i, s; !max || count < max; count++) {
    uint64_t at = earliest(m, &i, &s);
    if (at == OP_NEVER || at > m->now)
      break;
    if (i == NOBODY) {
      m->sides[s].wall = OP_NEVER;
      tell(m, OP_EVENT_WALL, NOBODY, s);
    } else if (m->items[i].timer != TIMER_NOT) {
      m->items[i].timer = TIMER_FIRED;
      tell(m, OP_EVENT_TIMER, i, m->items[i].scope);
    } else if (m->items[i].handler == HANDLER_GATHERING && at < m->items[i].deadline) {
      start_batch(m, m->items[i].kind);
    } else if (m->items[i].wake < m->items[i].deadline) {
      m->items[i].wake = OP_NEVER;
      m->items[i].handler = HANDLER_NONE;
      go_on_again(m, i);
    } else {
      m->too_late += at < m->items[i].deadline;
      move_children_up(m, i);
      end_item(m, i, OP_TIMED_OUT, false, true);
      hand_out_places(m, m->items[i].scope);
    }
  }
  return count;
}

/* Starts what waits for the end of the turn; whether there is an event. */
static bool model_has_event(model *m) {
  if (m->queue_len == 0)
    start_open_batches(m);
  return m->queue_len > 0;
}

/* There must be one. */
static happening model_take(model *m, bool *batch_more) {
  happening h = m->queue[0];
  take_out(m, 0);
  *batch_more = h.kind == OP_EVENT_START && m->queue_len && m->queue[0].kind == OP_EVENT_START &&
                m->items[h.item].batch &&
                m->items[m->queue[0].item].batch == m->items[h.item].batch;
  if (h.kind == OP_EVENT_TIMER)
    m->items[h.item].timer = TIMER_OVER;
  if (h.kind != OP_EVENT_START)
    return h;
  m->items[h.item].handler = HANDLER_RUNNING;
  m->items[h.item].state = OP_RUNNING;
  m->items[h.item].attempts++;
  uint64_t batch = m->items[h.item].batch;
  m->sides[h.scope].ended.batched += *batch_more || (batch && batch == m->taken_batch);
  m->taken_batch = batch;
  m->items[h.item].started = m->now;
  op_counts *ended = &m->sides[h.scope].ended;
  uint32_t here = counts_of(m, h.scope).running, all = counts_of(m, NOBODY).running;
  ended->running_max = here > ended->running_max ? here : ended->running_max;
  m->running_max = all > m->running_max ? all : m->running_max;
  return h;
}

#endif
