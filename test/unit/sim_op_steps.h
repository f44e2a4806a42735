/* The steps of the simulation: each calls the table and the model alike and
 * compares what they say. What they do is decided by chance(), from a seed
 * (sim_op.c) or from an input (fuzz/fuzz_op.c). Included once. */
#ifndef VOW_TEST_SIM_OP_STEPS_H
#define VOW_TEST_SIM_OP_STEPS_H

#include "sim_op.h"

enum { OPEN_MAX = 4 };

/* ---- operations and timers ---- */

static void step_open(sim *s) {
  int open = 0;
  for (int k = 0; k < s->m.sides_len; k++)
    open += !s->m.sides[k].closed;
  if (open == OPEN_MAX || s->m.sides_len == SCOPES_MAX)
    return;
  op_scope_limits limits = {
      .operations_max = chance(s, 20) ? 1 + below(s, 80) : 0,
      .concurrent_max = chance(s, 60) ? 1 + (uint32_t)below(s, 5) : 0,
      .queue_max = chance(s, 30) ? 1 + (uint32_t)below(s, 8) : 0,
      .timers_max = chance(s, 30) ? 1 + (uint32_t)below(s, 4) : 0,
      .retries_max = chance(s, 30) ? 1 + below(s, 6) : 0,
  };
  uint64_t wall = chance(s, 50) ? OP_NEVER : s->now + below(s, 100);
  uint64_t now = some_now(s);
  op_scope *scope = op_scope_open(s->table, &limits, wall, &s->m.sides[s->m.sides_len], now);
  see(&s->m, now);
  if (scope)
    model_open(&s->m, scope, &limits, wall);
  else if (!s->failed)
    fail(s, "a scope does not open");
}

static void step_open_kind(sim *s) {
  if (s->m.kinds_len == KINDS_MAX)
    return;
  op_policy policy = {
      .timeout_ns = chance(s, 20) ? some_time(s) : 0,
      .concurrent_max = chance(s, 60) ? 1 + (uint32_t)below(s, 4) : 0,
      .queue_max = chance(s, 40) ? 1 + (uint32_t)below(s, 6) : 0,
      .priority = (uint8_t)(chance(s, 60) ? 0 : below(s, OP_PRIORITIES)),
  };
  if (chance(s, 60)) {
    policy.attempts = (uint32_t)below(s, 6);
    policy.backoff_ns = chance(s, 10) ? OP_NEVER / 3 : below(s, 20);
    policy.backoff_max_ns = chance(s, 50) ? 0 : below(s, 40);
  }
  if (chance(s, 15)) { /* attempts that take a good part of the time, and wait for each other */
    policy.timeout_ns = 40 + below(s, 100);
    policy.concurrent_max = 1;
    policy.attempts = 4;
    policy.backoff_max_ns = 1;
  }
  if (chance(s, 50)) {
    policy.cache_ns = chance(s, 70) ? 1 + some_time(s) / 2 : 0;
    policy.cache_error_ns = chance(s, 40) ? 1 + below(s, 20) : 0;
    policy.cache_bytes = chance(s, 30) ? 0 : OP_ANSWER_BYTES + below(s, 4 * OP_ANSWER_BYTES);
  }
  policy.single_flight = chance(s, 50);
  if (chance(s, 50)) {
    policy.batch_max = 1 + (uint32_t)below(s, 6);
    policy.batch_window_ns = chance(s, 50) ? 0 : some_time(s);
  }
  op_kind *kind = op_kind_open(s->table, "kind", &policy, rnd(s));
  if (kind)
    model_open_kind(&s->m, kind, &policy);
  else if (!s->failed)
    fail(s, "a kind does not open");
}

static void close_kind(sim *s, int kind) {
  op_kind_close(s->m.kinds[kind].kind);
  s->m.kinds[kind].closed = true;
}

static void step_close_kind(sim *s) {
  int kind = pick_kind(s);
  if (kind != NOBODY && kind_idle(&s->m, kind))
    close_kind(s, kind);
}

/* Whether `status` is what the model expects; out of memory is, if memory was. */
static bool created(sim *s, const char *what, op_status status, op_status expected, op_id id) {
  if (status == OP_E_NOMEM && s->failed && expected == OP_OK) {
    covered.status[status]++;
    return false;
  }
  same_status(s, what, status, expected);
  if (status == OP_OK && (id == 0 || id_taken(s, id)))
    fail(s, "an id was given twice");
  return status == OP_OK;
}

static void settled_by_hit(sim *s, int scope, op_id id, int hit, const op_answer *got) {
  const answer *a = &s->m.answers[hit];
  same(s, "the id of a hit", id, 0);
  same(s, "the state of an answer", got->state, a->state);
  same(s, "the length of an answer", got->len, a->len);
  for (size_t i = 0; i < a->len; i++)
    same(s, "a byte of an answer", ((const uint8_t *)got->bytes)[i], (uint8_t)hit);
  model_settle_by_hit(&s->m, scope, hit);
}

static void submit_one(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY || s->m.items_len == ITEMS_MAX)
    return;
  bool nested = chance(s, 45);
  int parent = nested ? pick(s, settleable) : NOBODY;
  if (parent != NOBODY && s->m.items[parent].scope != scope && chance(s, 90) &&
      !s->m.sides[s->m.items[parent].scope].released)
    scope = s->m.items[parent].scope;
  uint64_t timeout = chance(s, 50) ? some_time(s) : 0, now = some_now(s);
  int kind = pick_kind(s);
  uint8_t priority = (uint8_t)(chance(s, 70) ? 0 : below(s, 6));
  op_id parent_id = nested ? id_of(s, parent) : 0, id = 0;
  nested = parent_id != 0;
  int key = chance(s, 30) ? NOBODY : (int)below(s, s->big ? 30 : 4);
  int hit = chance(s, 80) ? 0 : NOBODY;
  op_answer got = {.bytes = NULL};
  char text[32];
  op_spec spec = {.kind = kind == NOBODY ? NULL : s->m.kinds[kind].kind,
                  .name = "sim",
                  .priority = priority,
                  .parent = parent_id,
                  .timeout_ns = timeout,
                  .tag = 1000 + (uint64_t)s->m.items_len,
                  .user = &s->m.items[s->m.items_len],
                  .key = key == NOBODY ? NULL : text,
                  .key_len = key == NOBODY ? 0 : key_text(key, text),
                  .answer = hit == NOBODY ? NULL : &got};
  op_status expected = model_may_submit(&s->m, scope, nested, parent, kind, key, &hit, now);
  op_status status = op_submit(s->m.sides[scope].scope, &spec, now, &id);
  if (created(s, "submit", status, expected, id))
    model_submit(&s->m, scope, parent, kind, key, timeout, priority, id);
  else if (status == OP_HIT)
    settled_by_hit(s, scope, id, hit, &got);
  else if (status == OP_E_FULL || status == OP_E_FULL_SCOPE || status == OP_E_FULL_TABLE)
    model_refuse(&s->m, scope);
  covered.followed +=
      status == OP_OK && s->m.items[s->m.items_len - 1].handler == HANDLER_FOLLOWING;
}

static void step_submit(sim *s) {
  for (uint64_t n = s->big ? 20 + below(s, 60) : 1 + below(s, 3); n > 0; n--)
    submit_one(s);
}

static void step_timer_start(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY || s->m.items_len == ITEMS_MAX)
    return;
  uint64_t delay = some_time(s), now = some_now(s);
  op_id id = 0;
  op_status expected = model_may_time(&s->m, scope, now);
  op_status status =
      op_timer_start(s->m.sides[scope].scope, delay, 1000 + (uint64_t)s->m.items_len, now, &id);
  if (created(s, "timer_start", status, expected, id))
    model_timer(&s->m, scope, delay, id);
}

static void step_timer_stop(sim *s) {
  int i = pick(s, timer_lives);
  op_id id = id_of(s, i);
  same_status(s, "timer_stop", op_timer_stop(s->table, id), model_timer_stop(&s->m, i));
}

/* What the contract makes of a timer's id where an operation's is wanted. */
static int operation_or_nobody(const sim *s, int i) {
  return i != NOBODY && s->m.items[i].timer != TIMER_NOT ? NOBODY : i;
}

static void settle_one(sim *s, int i, op_id id, op_state state, uint64_t now) {
  op_status status =
      state == OP_FULFILLED ? op_fulfil(s->table, id, now) : op_reject(s->table, id, now);
  same_status(s, "settling", status, model_settle(&s->m, i, state, now));
}

/* As an owner does it, with the answer for all who wait for it; or without. */
static void settle_followers(sim *s, int i, op_id id, op_state state, uint64_t now) {
  for (int f;;) {
    void *user = NULL;
    op_id follower = op_follower(s->table, id, &user);
    f = i == NOBODY ? NOBODY : model_follower(&s->m, i);
    same(s, "a follower", follower, f == NOBODY ? 0 : s->m.items[f].id);
    if (f == NOBODY || chance(s, 5))
      break;
    if (user != &s->m.items[f])
      fail(s, "a follower of another user");
    settle_one(s, f, follower, state, now);
  }
}

static void keep(sim *s, int i, op_id id, op_state state, uint64_t now) {
  uint8_t bytes[64];
  size_t len = below(s, sizeof bytes);
  if (s->m.answers_len == ANSWERS_MAX)
    return;
  memset(bytes, s->m.answers_len, sizeof bytes);
  bool kept = op_keep(s->table, id, state, bytes, len, now);
  bool expected = model_may_keep(&s->m, i, state, len, now);
  if (!(expected && !kept && s->failed))
    same(s, "whether an answer is kept", kept, expected);
  if (kept)
    model_keep(&s->m, i, state, len);
  covered.kept += kept;
}

static void step_settle(sim *s) {
  int i = pick(s, settleable);
  op_id id = id_of(s, i);
  uint64_t now = some_now(s);
  op_state state = chance(s, 50) ? OP_FULFILLED : OP_REJECTED;
  i = operation_or_nobody(s, i);
  if (chance(s, 80))
    settle_followers(s, i, id, state, now);
  if (chance(s, 90))
    keep(s, i, id, state, now);
  settle_one(s, i, id, state, now);
}

static void step_retry(sim *s) {
  int i = pick(s, handled);
  op_id id = id_of(s, i);
  uint64_t now = some_now(s), random = rnd(s);
  i = operation_or_nobody(s, i);
  same_status(s, "retry", op_retry(s->table, id, now, random), model_retry(&s->m, i, now, random));
}

static void step_retry_after(sim *s) {
  int i = pick(s, handled);
  op_id id = id_of(s, i);
  uint64_t now = some_now(s), delay = some_time(s);
  i = operation_or_nobody(s, i);
  op_status status = op_retry_after(s->table, id, now, delay);
  same_status(s, "retry_after", status, model_retry_after(&s->m, i, now, delay));
  covered.retried_after += status == OP_OK;
}

static void step_cancel(sim *s) {
  int i = pick(s, settleable);
  op_id id = id_of(s, i);
  i = operation_or_nobody(s, i);
  same_status(s, "cancel", op_cancel(s->table, id, s->now), model_cancel(&s->m, i, s->now));
}

static void step_done(sim *s) {
  int i = pick(s, handled);
  op_id id = id_of(s, i);
  i = operation_or_nobody(s, i);
  same_status(s, "handler_done", op_handler_done(s->table, id, s->now),
              model_done(&s->m, i, s->now));
}

static op_status model_finish(model *m, int i, op_state state, uint64_t now) {
  bool runs = i != NOBODY && known(m, i) && m->items[i].handler == HANDLER_RUNNING;
  op_status settled = runs ? model_settle(m, i, state, now) : OP_OK;
  op_status done = model_done(m, i, now);
  return done == OP_OK ? settled : done;
}

static void step_finish(sim *s) {
  int i = pick(s, handled);
  op_id id = id_of(s, i);
  op_state state = chance(s, 50) ? OP_FULFILLED : OP_REJECTED;
  i = operation_or_nobody(s, i);
  if (chance(s, 80))
    settle_followers(s, i, id, state, s->now);
  same_status(s, "finish", op_finish(s->table, id, state, s->now),
              model_finish(&s->m, i, state, s->now));
}

static void compare_event(const sim *s, const op_event *event, happening h) {
  const side *sd = &s->m.sides[h.scope];
  const item *it = h.item == NOBODY ? NULL : &s->m.items[h.item];
  bool operation = it && it->timer == TIMER_NOT;
  same(s, "the kind of an event", event->kind, h.kind);
  same(s, "the id of an event", event->id, it ? it->id : 0);
  same(s, "the tag of an event", event->tag, it ? it->tag : 0);
  if (event->scope != (sd->released ? NULL : sd->scope) ||
      event->scope_user != (sd->released ? NULL : (const void *)sd))
    fail(s, "an event of another scope");
  if (event->user != (operation ? (const void *)it : NULL))
    fail(s, "an event of another user");
  if (operation)
    same(s, "the state of an event", event->state, it->state);
  if (operation ? strcmp(event->name, name_of(it)) != 0 : event->name != NULL)
    fail(s, "an event of another name");
}

static void take_event(sim *s) {
  op_event event;
  bool some = op_next_event(s->table, &event);
  same(s, "whether there is an event", some, model_has_event(&s->m));
  if (!some)
    return;
  covered.event[event.kind]++;
  if (event.kind == OP_EVENT_SETTLED)
    covered.end[event.state]++;
  bool batch_more;
  compare_event(s, &event, model_take(&s->m, &batch_more));
  same(s, "whether the batch goes on", event.batch_more, batch_more);
  covered.batched += batch_more;
}

static void step_events(sim *s) {
  for (uint64_t n = below(s, s->big ? 30 : 5); n > 0; n--)
    take_event(s);
}

static void step_time(sim *s) {
  s->now += below(s, chance(s, 90) ? 8 : 100);
}

static void step_expire(sim *s) {
  size_t max = chance(s, 60) ? 0 : 1 + below(s, 3);
  uint64_t now = some_now(s);
  same(s, "what expires", op_expire(s->table, now, max), model_expire(&s->m, now, max));
}

static void step_set_wall(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY)
    return;
  uint64_t wall = chance(s, 20) ? OP_NEVER : s->now + below(s, 60);
  op_scope_set_wall(s->m.sides[scope].scope, wall);
  model_set_wall(&s->m, scope, wall);
}

static void step_clock(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY || s->m.sides[scope].switches >= SWITCHES_MAX - 2)
    return;
  op_clock clock = chance(s, 2) ? OP_CLOCK_STOPPED : (op_clock)below(s, OP_CLOCK_STOPPED);
  uint64_t now = some_now(s);
  op_scope_clock(s->m.sides[scope].scope, clock, now);
  model_clock(&s->m, scope, clock, now);
}

static void step_list(sim *s) {
  int scope = pick_scope(s);
  if (scope != NOBODY)
    compare_list(s, scope, below(s, 40), chance(s, 50));
}

static void step_cancel_all(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY)
    return;
  op_scope_cancel_all(s->m.sides[scope].scope, s->now);
  model_cancel_all(&s->m, scope, true, s->now);
}

static void step_drop_timers(sim *s) {
  int scope = pick_scope(s);
  if (scope == NOBODY)
    return;
  op_scope_drop_timers(s->m.sides[scope].scope);
  model_drop_timers(&s->m, scope);
}

static void close_scope(sim *s, int scope) {
  op_scope_close(s->m.sides[scope].scope, s->now);
  model_close(&s->m, scope, s->now);
}

static void release_scope(sim *s, int scope) {
  op_scope_release(s->m.sides[scope].scope);
  s->m.sides[scope].released = true;
}

static void step_close(sim *s) {
  int scope = pick_scope(s);
  if (scope != NOBODY)
    close_scope(s, scope);
}

static void step_release(sim *s) {
  int scope = pick_closed(s);
  if (scope != NOBODY)
    release_scope(s, scope);
}

static const struct {
  void (*run)(sim *s);
  unsigned weight;
} STEPS[] = {
    {step_submit, 60},      {step_events, 60},     {step_settle, 30},   {step_done, 30},
    {step_cancel, 10},      {step_time, 30},       {step_expire, 25},   {step_timer_start, 20},
    {step_timer_stop, 8},   {step_set_wall, 5},    {step_clock, 10},    {step_list, 8},
    {step_cancel_all, 1},   {step_drop_timers, 2}, {step_open, 20},     {step_close, 3},
    {step_release, 4},      {step_retry, 20},      {step_open_kind, 8}, {step_close_kind, 2},
    {step_retry_after, 10}, {step_finish, 20},
};
enum { STEPS_LEN = sizeof STEPS / sizeof *STEPS };

/* ---- from the first step to the last ---- */

/* `s->random` is set, and `s->at` for an input. */
static void begin(sim *s) {
  s->allocator = (vow_allocator){sim_reallocate, s};
  s->big = chance(s, 2);
  uint32_t live_max = !s->big && chance(s, 30) ? 3 + (uint32_t)below(s, 60) : 0;
  s->table = op_table_open(&s->allocator, live_max);
  if (!s->table)
    fail(s, "no memory for a table");
  s->m.live_max = live_max ? live_max : 1u << 24;
  s->m.concurrent_max = chance(s, 30) ? 1 + (uint32_t)below(s, 8) : 0;
  op_table_set_concurrent(s->table, s->m.concurrent_max);
  s->m.queue_max = chance(s, 20) ? 1 + (uint32_t)below(s, 12) : 0;
  op_table_set_queue(s->table, s->m.queue_max);
  op_table_tell_waiting(s->table, note_waiting, s);
  s->now = chance(s, 5) ? OP_NEVER - 5000 : below(s, 1000);
  s->fail_percent = chance(s, 25) ? 1 + (unsigned)below(s, 60) : 0;
}

static void one_step(sim *s, size_t i) {
  s->failed = false;
  STEPS[i].run(s);
  covered.steps++;
  if (!s->big || s->step % 8 == 0)
    compare(s);
}

static void finish(sim *s) {
  bool forget = chance(s, 25);
  for (int k = 0; k < s->m.sides_len; k++) {
    if (s->m.sides[k].released)
      continue;
    close_scope(s, k);
    if (chance(s, 90))
      release_scope(s, k);
  }
  while (s->m.queue_len)
    take_event(s);
  take_event(s); /* none */
  for (int k = 0; k < s->m.kinds_len; k++)
    if (!s->m.kinds[k].closed)
      close_kind(s, k);
  for (int i = 0; i < s->m.items_len && !forget; i++)
    if (handled(&s->m.items[i]))
      same_status(s, "handler_done", op_handler_done(s->table, s->m.items[i].id, s->now),
                  model_done(&s->m, i, s->now));
  s->step++;
  compare(s);
  compare_items(s);
  op_counts c = op_table_counts(s->table);
  same(s, "what is left", c.live + c.timers + c.queued + (forget ? 0 : c.running), 0);
  op_table_close(s->table);
  same(s, "blocks left", s->blocks, 0);
}

#endif
