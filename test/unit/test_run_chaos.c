/* Runs that are opened, answered, cancelled and disposed of at random moments,
 * also in the middle of callbacks, on both engines. What a seed does is the same
 * each time but for what the clock decides.
 *
 *   test_run_chaos [--seeds N] [--seed FIRST] */
#include <stdlib.h>

#include "unit/run_fixture.h"

/* Behind the fixture. */
#include "unit/engine_seeds.h"

#define RUNS 5
#define SEEDS_PER_SHARD 20

#define SEEDS 200

typedef struct chaos {
  run_fixture f;
  uint64_t random;
  subject *runs[RUNS]; /* NULL: none */
  unsigned depth;      /* callbacks going on */
} chaos;

static unsigned pick(chaos *c, unsigned below) {
  return seeds_pick(&c->random, below);
}

static const char *const sources[] = {
    "1",
    "for (;;);",
    "for (;;) await test.echo(1)",
    "await Promise.all([test.hold(1), test.polite(2), test.later(1), test.pool(3), test.echo(4)])",
    "const c = new AbortController(); const p = test.hold(1, {signal: c.signal});"
    "p.catch(() => {}); await test.later(1); c.abort(); await test.hold(2)",
    "for (let i = 0; i < 30; i++) test.hold(i, {timeout: i % 3}).catch(() => {}); await "
    "test.later(2)",
    "const tick = () => { setTimeout(tick, 0); test.polite(1).catch(() => {}) }; tick();"
    "await new Promise(() => {})",
    "await new Promise(() => {})",
    "const c = new AbortController(); for (let i = 0; i < 8; i++)"
    "  test.hold(i, {signal: c.signal}).catch(() => {}); c.abort(); console.log('x'.repeat(2000))",
    "try { new ArrayBuffer(1 << 28) } catch {} await test.hold(1)",
    "for (let i = 0; i < 50; i++) test.pool(i); 'value'",
    "test.hold('x'.repeat(20000)); throw new Error('x')",
    "await Promise.race([test.hold(1), test.later(1)])",
};

static void any_action(chaos *c);

/* ---- callbacks ---- */

static void act_within(chaos *c) {
  if (c->depth > 3 || pick(c, 4))
    return;
  c->depth++;
  any_action(c);
  c->depth--;
}

static void act_in_call(run_fixture *f, host_call *call) {
  (void)call;
  act_within(f->user);
}

static void forget(chaos *c, subject *s) {
  for (unsigned i = 0; i < RUNS; i++)
    if (c->runs[i] == s)
      c->runs[i] = NULL;
}

/* Disposal in on_done goes the way every disposal here goes: the subject is
 * freed when nobody looks at it any more. */
static void act_when_done(subject *s) {
  chaos *c = s->f->user;
  if (!pick(c, 3)) {
    s->dispose_when_done = true;
    forget(c, s);
  }
  act_within(c);
}

/* ---- actions ---- */

/* Subjects outlive their disposal in callbacks; the pool of one schedule. */
static subject subjects[4096];
static unsigned subjects_used;

static void open_one(chaos *c) {
  unsigned at = pick(c, RUNS);
  if (c->runs[at] || subjects_used == sizeof subjects / sizeof subjects[0])
    return;
  subject *s = &subjects[subjects_used];
  subject_init(s, &c->f);
  s->leaks = ANY_LEAKS;
  s->when_done = act_when_done;
  s->limits.cpu_ms = 1 + pick(c, 2);
  s->limits.wall_ms = 1 + pick(c, 8);
  s->limits.op_timeout_ms = 1 + pick(c, 5);
  s->limits.memory_bytes = 16u << 20;
  s->limits.log_bytes = 1000;
  s->limits.operations_max = 1 + pick(c, 100);
  s->limits.concurrent_max = 1 + pick(c, 4);
  const char *source = sources[pick(c, sizeof sources / sizeof sources[0])];
  if (subject_try(s, source, strlen(source))) {
    subjects_used++;
    c->runs[at] = s;
  }
}

static void dispose_one(chaos *c, unsigned at) {
  subject *s = c->runs[at];
  c->runs[at] = NULL;
  if (s)
    subject_close(s);
}

static void cancel_one(chaos *c, unsigned at) {
  if (c->runs[at])
    run_cancel(c->runs[at]->run);
}

static void answer_one(chaos *c) {
  run_fixture *f = &c->f;
  if (f->held_count == 0)
    return;
  host_call *call = take_held(f, pick(c, (unsigned)f->held_count));
  if (pick(c, 3))
    answer_with_argument(call);
  else
    reject_call(call, "ConflictError", "by chance");
}

static void any_action(chaos *c) {
  unsigned at = pick(c, RUNS);
  switch (pick(c, 10)) {
  case 0:
  case 1:
    open_one(c);
    break;
  case 2:
    dispose_one(c, at);
    break;
  case 3:
    cancel_one(c, at);
    break;
  case 4:
  case 5:
    answer_one(c);
    break;
  case 6:
    if (c->runs[at])
      run_set_wall(c->runs[at]->run, pick(c, 10));
    break;
  case 7:
    let_pass(pick(c, 2));
    break;
  default:
    if (c->depth == 0) /* a loop does not turn in its own callbacks */
      turn_without_waiting(&c->f);
  }
}

/* ---- schedules ---- */

static void schedule(chaos *c, unsigned seed) {
  c->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  subjects_used = 0;
  for (unsigned steps = 10 + pick(c, 50); steps > 0; steps--)
    any_action(c);
  for (unsigned i = 0; i < RUNS; i++)
    dispose_one(c, i);
  while (c->f.held_count > 0)
    answer_one(c);
  for (unsigned i = 0; i < RUNS; i++) /* opened in the callbacks of those */
    dispose_one(c, i);
  answer_all_held(&c->f);
  assert_no_run_left(&c->f);
}

static void schedules(void **state) {
  static chaos c;
  unsigned end = first_seed + seed_count;
  for (unsigned seed = first_seed; seed < end;) {
    c = (chaos){0};
    fixture_open(&c.f, state);
    c.f.user = &c;
    c.f.in_start = c.f.in_stop = act_in_call;
    for (unsigned i = 0; i < SEEDS_PER_SHARD && seed < end; i++, seed++) {
      current_seed = seed;
      schedule(&c, seed);
    }
    c.f.in_start = c.f.in_stop = NULL;
    fixture_close(&c.f);
  }
  current_seed = 0;
}

int main(int argc, char **argv) {
  return seeds_main(argc, argv, SEEDS, schedules);
}
