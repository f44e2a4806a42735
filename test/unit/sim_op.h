/* What the steps of the simulation (sim_op.c) stand on: chance, choosing among
 * what there is, and comparing the table with the model. Included once. */
#ifndef VOW_TEST_SIM_OP_H
#define VOW_TEST_SIM_OP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "op_model.h"

enum { LIST_MAX = 8 };

typedef struct sim {
  uint64_t seed, random, step, now;
  const uint8_t *at, *end; /* of the input; both NULL: there is none */
  op_table *table;
  vow_allocator allocator;
  uint64_t blocks;
  unsigned fail_percent;   /* of allocations */
  bool failed;             /* an allocation did, in this step */
  bool big;                /* many operations, compared less often */
  uint64_t told, told_sum; /* by the table, of those that wait again */
  unsigned weights;        /* sum of `weight` */
  unsigned weight[32];
  model m;
} sim;

/* What was reached by all seeds; a simulation that misses a case proves nothing about it. */
typedef struct coverage {
  uint64_t steps;
  uint64_t status[OP_E_NOMEM + 1];
  uint64_t event[OP_EVENT_WALL + 1];
  uint64_t end[OP_CANCELLED + 1];
  uint64_t followed, promoted, raised, waited_again, kept, batched, too_late, hurried,
      retried_after;
} coverage;

static coverage covered;

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(const sim *s, const char *format,
                                                                 ...) {
  va_list args;
  va_start(args, format);
  printf("seed %" PRIu64 " failed at step %" PRIu64 ": ", s->seed, s->step);
  vprintf(format, args);
  if (s->end)
    printf("\n");
  else
    printf(", replay with: sim_op --seed %" PRIu64 "\n", s->seed);
  va_end(args);
  fflush(stdout);
  if (s->end)
    abort(); /* the fuzzer keeps the input */
  _Exit(1);
}

static void same(const sim *s, const char *what, uint64_t is, uint64_t should_be) {
  if (is != should_be)
    fail(s, "%s is %" PRIu64 ", not %" PRIu64, what, is, should_be);
}

static void same_status(const sim *s, const char *what, op_status is, op_status should_be) {
  covered.status[is]++;
  if (is != should_be)
    fail(s, "%s answers \"%s\", not \"%s\"", what, op_status_text(is), op_status_text(should_be));
}

/* ---- chance ---- */

static void sim_clear(sim *s, uint64_t seed) {
  memset(s, 0, offsetof(sim, m) + offsetof(model, items));
  s->seed = s->random = seed;
}

static uint64_t rnd(sim *s) {
  uint64_t z = (s->random += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* As few bytes of the input as it takes; by the seed where there are none left. */
static uint64_t below(sim *s, uint64_t n) {
  if (s->at == s->end)
    return rnd(s) % n;
  uint64_t value = 0;
  for (uint64_t most = n - 1; most && s->at < s->end; most >>= 8)
    value = value << 8 | *s->at++;
  return value % n;
}

static bool chance(sim *s, unsigned percent) {
  return below(s, 100) < percent;
}

/* Mostly small, so that deadlines coincide. */
static uint64_t some_time(sim *s) {
  uint64_t kind = below(s, 20);
  return kind == 0 ? OP_NEVER : kind == 1 ? 0 : 1 + below(s, kind < 15 ? 12 : 200);
}

/* Sometimes a little old, as a time that a caller kept. */
static uint64_t some_now(sim *s) {
  return chance(s, 5) && s->now > 3 ? s->now - 3 : s->now;
}

typedef bool item_test(const item *it);

static bool settleable(const item *it) {
  return is_live(it);
}

static bool handled(const item *it) {
  return it->handler == HANDLER_RUNNING;
}

/* Mostly one that passes; else any, or NOBODY. */
static int pick(sim *s, item_test *passes) {
  int n = s->m.items_len;
  if (n == 0 || chance(s, 3))
    return NOBODY;
  int first = (int)below(s, (uint64_t)n);
  if (chance(s, 15))
    return first;
  for (int k = 0; k < n; k++) {
    int i = (first + k) % n;
    if (passes(&s->m.items[i]))
      return i;
  }
  return first;
}

static bool id_taken(const sim *s, op_id id) {
  for (int i = 0; i < s->m.items_len; i++)
    if (s->m.items[i].id == id)
      return true;
  return false;
}

/* The id of the item; for NOBODY one that was never given out. */
static op_id id_of(sim *s, int i) {
  if (i != NOBODY)
    return s->m.items[i].id;
  op_id id = chance(s, 10) ? 0 : (1 + below(s, 5)) << 32 | below(s, 300);
  while (id_taken(s, id))
    id += (op_id)1 << 32;
  return id;
}

/* One that is not released, mostly an open one; NOBODY: there is none. */
static int pick_scope(sim *s) {
  int n = s->m.sides_len, first = n ? (int)below(s, (uint64_t)n) : 0, closed = NOBODY;
  bool any = chance(s, 5);
  for (int k = 0; k < n; k++) {
    int scope = (first + k) % n;
    const side *sd = &s->m.sides[scope];
    if (!sd->released && (any || !sd->closed))
      return scope;
    if (!sd->released)
      closed = scope;
  }
  return closed;
}

static int pick_closed(sim *s) {
  int n = s->m.sides_len, first = n ? (int)below(s, (uint64_t)n) : 0;
  for (int k = 0; k < n; k++) {
    int scope = (first + k) % n;
    if (s->m.sides[scope].closed && !s->m.sides[scope].released)
      return scope;
  }
  return NOBODY;
}

/* An open one, or NOBODY. */
static int pick_kind(sim *s) {
  int n = s->m.kinds_len, first = n ? (int)below(s, (uint64_t)n) : 0;
  for (int k = 0; k < n && chance(s, 80); k++)
    if (!s->m.kinds[(first + k) % n].closed)
      return (first + k) % n;
  return NOBODY;
}

static void *sim_reallocate(void *user, void *block, size_t size) {
  sim *s = user;
  if (size == 0) {
    s->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if (s->fail_percent && chance(s, s->fail_percent)) {
    s->failed = true;
    return NULL;
  }
  void *fresh = realloc(block, size);
  s->blocks += !block && fresh;
  return fresh;
}

/* ---- comparing ---- */

static void compare_counts(const sim *s, op_counts is, op_counts should_be) {
  same(s, "created", is.created, should_be.created);
  same(s, "fulfilled", is.fulfilled, should_be.fulfilled);
  same(s, "rejected", is.rejected, should_be.rejected);
  same(s, "timed_out", is.timed_out, should_be.timed_out);
  same(s, "cancelled", is.cancelled, should_be.cancelled);
  same(s, "retries", is.retries, should_be.retries);
  same(s, "cache_hits", is.cache_hits, should_be.cache_hits);
  same(s, "batched", is.batched, should_be.batched);
  same(s, "late", is.late, should_be.late);
  same(s, "live", is.live, should_be.live);
  same(s, "running", is.running, should_be.running);
  same(s, "running_max", is.running_max, should_be.running_max);
  same(s, "queued", is.queued, should_be.queued);
  same(s, "timers", is.timers, should_be.timers);
}

static const char *name_of(const item *it) {
  return it->kind == NOBODY ? "sim" : "kind";
}

static void compare_info(const sim *s, const op_info *info, int i) {
  const item *it = &s->m.items[i];
  same(s, "id", info->id, it->id);
  same(s, "parent", info->parent, it->parent == NOBODY ? 0 : s->m.items[it->parent].id);
  same(s, "state", info->state, it->state);
  same(s, "age", info->age_ns, s->now - it->created);
  same(s, "deadline", info->deadline, it->deadline);
  same(s, "tag", info->tag, it->tag);
  same(s, "attempts", info->attempts, it->attempts);
  same(s, "follows", info->follows, it->handler == HANDLER_FOLLOWING);
  same(s, "queued", info->queued, it->handler == HANDLER_WAITING);
  same(s, "priority", info->priority, it->level);
  if (strcmp(info->name, it->timer == TIMER_NOT ? name_of(it) : "timer") != 0)
    fail(s, "the name is %s", info->name);
}

static void compare_items(const sim *s) {
  for (int i = 0; i < s->m.items_len; i++) {
    op_info info;
    bool found = op_find(s->table, s->m.items[i].id, &info, s->now) == OP_OK;
    same(s, "whether an operation is known", found, known(&s->m, i));
    if (found)
      compare_info(s, &info, i);
  }
}

static void compare_list(sim *s, int scope, uint64_t age, bool timers) {
  op_info list[LIST_MAX];
  size_t max = below(s, LIST_MAX + 1), expected = 0;
  op_scope *sc = s->m.sides[scope].scope;
  size_t count = timers ? op_scope_list(sc, list, max, s->now)
                        : op_scope_older_than(sc, age, list, max, s->now);
  for (int i = 0; i < s->m.items_len; i++) {
    const item *it = &s->m.items[i];
    if (it->scope != scope || !(is_live(it) || (timers && timer_lives(it))) ||
        (!timers && s->now - it->created < age))
      continue;
    if (expected < max && expected < count)
      compare_info(s, &list[expected], i);
    expected++;
  }
  same(s, "the length of a list", count, expected);
}

static void compare_scope(sim *s, int scope) {
  const side *sd = &s->m.sides[scope];
  op_counts expected = counts_of(&s->m, scope);
  compare_counts(s, op_scope_counts(sd->scope), expected);
  same(s, "idle", op_scope_idle(sd->scope), side_idle(&s->m, scope));
  same(s, "has_live", op_scope_has_live(sd->scope), expected.live != 0);
  uint64_t sum = 0;
  for (int c = OP_CLOCK_READY; c <= OP_CLOCK_STOPPED; c++) {
    uint64_t ns = op_scope_time(sd->scope, (op_clock)c, s->now);
    same(s, "a clock", ns, clock_time(&s->m, scope, (op_clock)c, s->now));
    sum += ns;
  }
  uint64_t end =
      sd->clock[sd->switches - 1] == OP_CLOCK_STOPPED ? sd->since[sd->switches - 1] : s->now;
  same(s, "the sum of the clocks", sum, end - sd->since[0]);
}

static void compare_kind(const sim *s, int kind) {
  op_kind_counts c = op_kind_look(s->m.kinds[kind].kind);
  same(s, "places of a kind", c.places, used_of(&s->m, (gate){OF_KIND, kind}));
  same(s, "operations that gather", c.gathering, gathering_of(&s->m, kind));
  uint32_t answers;
  same(s, "bytes of answers", c.answer_bytes, room_of_kind(&s->m, kind, &answers));
  same(s, "answers kept", c.answers, answers);
  same(s, "operations of a kind that wait", c.queued, queued_of(&s->m, kind));
}

static void note_waiting(void *user, op_id id, void *operation_user) {
  sim *s = user;
  s->told++;
  s->told_sum = tell_sum(s->told_sum, id);
  if (((const item *)operation_user)->id != id)
    fail(s, "an operation that waits of another user");
}

static void compare(sim *s) {
  int i, scope;
  same(s, "those that wait again", s->told, s->m.told);
  same(s, "who waits again", s->told_sum, s->m.told_sum);
  same(s, "the next deadline", op_next_deadline(s->table), earliest(&s->m, &i, &scope));
  compare_counts(s, op_table_counts(s->table), counts_of(&s->m, NOBODY));
  for (int k = 0; k < s->m.sides_len; k++)
    if (!s->m.sides[k].released)
      compare_scope(s, k);
  for (int k = 0; k < s->m.kinds_len; k++)
    if (!s->m.kinds[k].closed)
      compare_kind(s, k);
  if (s->step % 4 == 0)
    compare_items(s);
  if (!op_table_check(s->table))
    fail(s, "op_table_check found a broken invariant");
}

#endif
