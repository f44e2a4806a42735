/* What equal operations of a kind share, in the model: answers in an array that
 * only grows, and for each operation the one whose handler serves it. Included by
 * op_model.h alone. */
#ifndef VOW_TEST_OP_MODEL_KEYS_H
#define VOW_TEST_OP_MODEL_KEYS_H

/* Keys are numbers; this is what the table gets to see of one. */
static size_t key_text(int key, char text[32]) {
  return (size_t)snprintf(text, 32, "%.*s%d", (key % 3) * 9, "a long beginning...", key);
}

static size_t room_of(const answer *a) {
  char text[32];
  return OP_ANSWER_BYTES + key_text(a->key, text) + a->len;
}

static size_t room_of_kind(const model *m, int kind, uint32_t *count) {
  size_t bytes = 0;
  *count = 0;
  for (int i = 0; i < m->answers_len; i++)
    if (m->answers[i].kind == kind && !m->answers[i].gone) {
      bytes += room_of(&m->answers[i]);
      ++*count;
    }
  return bytes;
}

static int find_answer(const model *m, int kind, int key) {
  for (int i = 0; i < m->answers_len; i++)
    if (m->answers[i].kind == kind && m->answers[i].key == key && !m->answers[i].gone)
      return i;
  return NOBODY;
}

/* The answer that settles a new operation, or NOBODY. */
static int model_hit(model *m, int kind, int key) {
  int i = find_answer(m, kind, key);
  if (i == NOBODY)
    return NOBODY;
  if (m->answers[i].until <= m->now) {
    m->answers[i].gone = true;
    return NOBODY;
  }
  m->answers[i].used = ++m->joined;
  return i;
}

static bool shares(const model *m, int kind, int key) {
  const op_policy *policy = kind == NOBODY ? NULL : &m->kinds[kind].policy;
  return key != NOBODY && policy &&
         (policy->single_flight || policy->cache_ns || policy->cache_error_ns);
}

/* Who leads the flight of this key, or NOBODY. */
static int leader_for(const model *m, int kind, int key) {
  for (int i = 0; i < m->items_len && m->kinds[kind].policy.single_flight; i++)
    if (m->items[i].kind == kind && m->items[i].key == key && m->items[i].leader == i)
      return i;
  return NOBODY;
}

static bool nested_in_flight(const model *m, int parent, int leader) {
  for (; parent != NOBODY; parent = m->items[parent].parent)
    if (m->items[parent].leader == leader)
      return true;
  return false;
}

static int model_follower(const model *m, int leader) {
  int first = NOBODY;
  if (m->items[leader].leader != leader)
    return NOBODY;
  for (int i = 0; i < m->items_len; i++)
    if (i != leader && m->items[i].leader == leader &&
        (first == NOBODY || m->items[i].joined < m->items[first].joined))
      first = i;
  return first;
}

/* A leader goes behind those of the priority of one that follows it. */
static void raise_level(model *m, int leader, unsigned priority) {
  item *it = &m->items[leader];
  if (priority >= it->level)
    return;
  it->level = priority;
  if (it->handler != HANDLER_WAITING)
    return;
  it->joined = ++m->joined;
  m->raised++;
}

static void leave_flight(model *m, int i) {
  int next = model_follower(m, i);
  m->items[i].leader = NOBODY;
  if (next == NOBODY)
    return;
  for (int k = 0; k < m->items_len; k++)
    if (m->items[k].leader == i)
      m->items[k].leader = next;
  m->items[next].handler = HANDLER_NONE;
  for (int k = 0; k < m->items_len; k++)
    if (k != next && m->items[k].leader == next)
      raise_level(m, next, m->items[k].priority);
  m->promoted++;
  go_on_again(m, next);
}

static int used_longest_ago(const model *m, int kind) {
  int oldest = NOBODY;
  for (int i = 0; i < m->answers_len; i++)
    if (m->answers[i].kind == kind && !m->answers[i].gone &&
        (oldest == NOBODY || m->answers[i].used < m->answers[oldest].used))
      oldest = i;
  return oldest;
}

/* Whether it is kept, if there is memory for it. */
static bool model_may_keep(model *m, int i, op_state state, size_t len, uint64_t now) {
  m->now = now > m->now ? now : m->now;
  if (i == NOBODY || m->items[i].leader != i)
    return false;
  const op_policy *policy = &m->kinds[m->items[i].kind].policy;
  if (!(state == OP_FULFILLED ? policy->cache_ns : policy->cache_error_ns))
    return false;
  int old = find_answer(m, m->items[i].kind, m->items[i].key);
  if (old != NOBODY)
    m->answers[old].gone = true;
  answer a = {.key = m->items[i].key, .len = len};
  return room_of(&a) <= (policy->cache_bytes ? policy->cache_bytes : OP_CACHE_BYTES);
}

static void model_keep(model *m, int i, op_state state, size_t len) {
  int kind = m->items[i].kind;
  const op_policy *policy = &m->kinds[kind].policy;
  m->answers[m->answers_len++] = (answer){
      .kind = kind,
      .key = m->items[i].key,
      .state = state,
      .len = len,
      .until = later(m->now, state == OP_FULFILLED ? policy->cache_ns : policy->cache_error_ns),
      .used = ++m->joined};
  uint32_t count;
  while (room_of_kind(m, kind, &count) >
         (policy->cache_bytes ? policy->cache_bytes : OP_CACHE_BYTES))
    m->answers[used_longest_ago(m, kind)].gone = true;
}

#endif
