/* The public interface at random moments: runs that are opened, nested in operations,
 * cancelled and disposed, operations that are answered, told of, given up and answered
 * again, also in the middle of callbacks and of handlers, on both engines. What a seed
 * does is the same each time but for what the clock and the workers decide.
 *
 *   test_vow_chaos [--seeds N] [--seed FIRST] */
#include "unit/vow_fixture.h"

/* Behind the fixture. */
#include "unit/engine_seeds.h"

#define RUNS 6
#define HELD_USED 40u
#define STEPS 60
#define DEPTH_MAX 4u
#define SUBJECTS 4096u

#define SEEDS 100

typedef struct chaos {
  fixture f;
  uint64_t random;
  vow_run *runs[RUNS]; /* not disposed; NULL: none */
  unsigned depth;      /* callbacks going on */
  unsigned ends;       /* calls of on_done */
} chaos;

/* What on_done is given; they outlive their runs. */
static struct noted {
  chaos *c;
  bool done, disposed;
} noted[SUBJECTS];
static unsigned noted_used;

static unsigned pick(chaos *c, unsigned below) {
  return seeds_pick(&c->random, below);
}

static const char *const sources[] = {
    "1",
    "console.log('x'); await test.hold(1)",
    "for (let i = 0; i < 40; i++) await test.echo(i)",
    "await Promise.all([test.hold(1), test.block(2), test.crowd(3), test.bulk(4), test.echo(5)])",
    "await Promise.allSettled([1, 2, 3, 4, 5].map((i) => test.crowd(i, {timeout: i})))",
    "await Promise.allSettled([1, 2, 3, 4, 5].map((i) => test.bulk(i, {timeout: i})))",
    "await test.nest(1); await test.nest(2)",
    "await Promise.allSettled([test.nest(1), test.nest(2, {timeout: 2}), test.hold(3)])",
    "const c = new AbortController(); const p = test.nest(1, {signal: c.signal});"
    "await test.echo(1); c.abort(); await p.catch(() => 0); await test.hold(2)",
    "const c = new AbortController(); const o = {signal: c.signal};"
    "const all = [test.crowd(1, o), test.hold(2, o), test.shared(3, o), test.block(4, o)];"
    "test.echo(5); c.abort(); await Promise.allSettled(all)",
    "await Promise.allSettled([test.shared(1), test.shared(1), test.shared(2)])",
    "test.shared(1); test.forget(1).catch(() => 0); test.hold(1); throw new Error('x')",
    "await new Promise(() => {})",
};

static void any_action(chaos *c);

static void act_within(chaos *c) {
  if (c->depth >= DEPTH_MAX || pick(c, 3))
    return;
  c->depth++;
  any_action(c);
  c->depth--;
}

/* ---- callbacks ---- */

static void forget(chaos *c, const vow_run *run) {
  for (unsigned i = 0; i < RUNS; i++)
    if (c->runs[i] == run)
      c->runs[i] = NULL;
}

static void when_done(vow_run *run, const vow_report *report, void *user) {
  struct noted *n = user;
  assert_false(n->done || n->disposed);
  n->done = true;
  n->c->ends++;
  assert_int_equal(report->created,
                   report->fulfilled + report->rejected + report->timed_out + report->cancelled);
  act_within(n->c);
  if (!n->disposed) /* maybe there */
    assert_false(vow_run_alive(run));
}

static void when_event(vow_run *run, const vow_event *event, void *user) {
  struct noted *n = user;
  (void)run, (void)event;
  assert_false(n->done || n->disposed);
  if (!pick(n->c, 8))
    act_within(n->c);
}

static void when_log(vow_run *run, int level, const char *text, size_t len, void *user) {
  struct noted *n = user;
  (void)run, (void)level, (void)text, (void)len;
  assert_false(n->done || n->disposed);
  act_within(n->c);
}

static void when_progress(vow_run *run, uint64_t number, const char *name, const void *bytes,
                          size_t len, void *user) {
  struct noted *n = user;
  (void)run, (void)number, (void)name, (void)bytes, (void)len;
  assert_false(n->done || n->disposed);
  act_within(n->c);
}

static void when_cancelled(vow_op *op, void *user) {
  assert_true(vow_op_cancelled(op));
  act_within(user);
}

/* ---- actions ---- */

static void open_run(chaos *c, vow_op *parent) {
  unsigned place = pick(c, RUNS);
  bool keep = !c->runs[place] && pick(c, 4);
  if (noted_used == SUBJECTS)
    return;
  struct noted *n = &noted[noted_used++];
  *n = (struct noted){.c = c};
  const vow_request request = {.size = sizeof request,
                               .source = sources[pick(c, sizeof sources / sizeof *sources)],
                               .allow = "test.*",
                               .wall_ms = pick(c, 4) ? 0 : 1 + pick(c, 5),
                               .op_timeout_ms = pick(c, 4) ? 0 : 1 + pick(c, 5),
                               .debug = pick(c, 2),
                               .on_log = when_log,
                               .on_event = pick(c, 2) ? when_event : NULL,
                               .on_progress = when_progress,
                               .parent = parent};
  bool cancelled = parent && vow_op_cancelled(parent);
  vow_run *run = NULL;
  vow_status status = vow_eval(c->f.rt, &request, when_done, n, keep ? &run : NULL);
  assert_true(status == VOW_OK || status == VOW_E_STATE || (parent && status == VOW_E_CANCELLED) ||
              (c->f.fail_at && status == VOW_E_NOMEM));
  assert_false(cancelled && status == VOW_OK);
  if (keep && status == VOW_OK)
    c->runs[place] = run;
}

static void dispose(chaos *c, vow_run *run) {
  struct noted *n = vow_run_user(run);
  forget(c, run);
  n->disposed = true;
  assert_int_equal(vow_run_dispose(run), VOW_OK);
}

/* Holds or forgets it, or says what comes to mind. */
static void answer(chaos *c, vow_op *op) {
  static const vow_error again = {.size = sizeof again, .transient = true};
  bool cancelled = vow_op_cancelled(op);
  vow_status status = VOW_LATE;
  switch (pick(c, 4)) {
  case 0:
    status = vow_op_reject(op, &again);
    break;
  case 1:
    status = vow_op_progress(op, "x", 1);
    break;
  default:
    status = vow_op_fulfil(op, NULL, 0);
    break;
  }
  assert_true(status == VOW_OK || status == VOW_LATE || (c->f.fail_at && status == VOW_E_NOMEM));
  assert_false(cancelled && status == VOW_OK);
}

static void let_go(chaos *c) {
  if (c->f.held_count == 0)
    return;
  vow_op *op = c->f.held[pick(c, (unsigned)c->f.held_count)];
  vow_op_retain(op); /* whatever happens to the list meanwhile */
  if (pick(c, 4))
    answer(c, op);
  for (size_t i = 0; i < c->f.held_count; i++) {
    if (c->f.held[i] != op)
      continue;
    c->f.held[i] = c->f.held[--c->f.held_count];
    vow_op_release(op);
    break;
  }
  vow_op_release(op);
}

static void nest_in_held(chaos *c) {
  if (c->f.held_count)
    open_run(c, c->f.held[pick(c, (unsigned)c->f.held_count)]);
}

static void any_action(chaos *c) {
  vow_run *run = c->runs[pick(c, RUNS)];
  switch (pick(c, 8)) {
  case 0:
    open_run(c, NULL);
    break;
  case 1:
    nest_in_held(c);
    break;
  case 2:
    if (run)
      assert_int_equal(vow_run_cancel(run), VOW_OK);
    break;
  case 3:
    if (run)
      dispose(c, run);
    break;
  case 4:
    if (run)
      vow_run_set_wall(run, 1 + pick(c, 20));
    break;
  default:
    let_go(c);
    break;
  }
}

/* ---- handlers ---- */

/* In the list it is on the way to any answer. */
static void handle(chaos *c, vow_op *op) {
  act_within(c);
  if (pick(c, 2))
    vow_op_on_cancel(op, when_cancelled, c);
  if (c->f.held_count < HELD_USED && pick(c, 4))
    c->f.held[c->f.held_count++] = vow_op_retain(op);
  else if (pick(c, 8))
    answer(c, op);
  act_within(c);
}

static void on_call(vow_op *op, void *user) {
  handle(user, op);
}

static void on_nesting(vow_op *op, void *user) {
  chaos *c = user;
  if (c->depth < DEPTH_MAX) {
    c->depth++;
    open_run(c, op);
    c->depth--;
  }
  handle(c, op);
}

static void on_calls(vow_op **ops, size_t count, void *user) {
  for (size_t i = 0; i < count; i++)
    handle(user, ops[i]);
}

/* On a worker. */
static void on_bulk(vow_op **ops, size_t count, void *user) {
  (void)user;
  for (size_t i = 0; i < count; i++)
    if (i % 4 != 3)
      vow_op_fulfil(ops[i], NULL, 0);
}

static void open_all(chaos *c, vow_engine engine) {
  vow_runtime_options options = {.engine = engine, .workers_max = 2, .metrics = true};
  const vow_policy crowd = {
      .size = sizeof crowd, .batch = on_calls, .batch_max = 3, .batch_window_ms = 1};
  const vow_policy bulk = {
      .size = sizeof bulk, .batch = on_bulk, .batch_max = 4, .blocking = true, .concurrent_max = 5};
  const vow_policy shared = {.size = sizeof shared,
                             .single_flight = true,
                             .attempts = 3,
                             .backoff_ms = 1,
                             .idempotent = true};
  const struct {
    const char *name;
    vow_handler *handler;
    const vow_policy *policy;
  } all[] = {{"test.nest", on_nesting, NULL},
             {"test.crowd", NULL, &crowd},
             {"test.bulk", NULL, &bulk},
             {"test.shared", on_call, &shared}};
  assert_int_equal(fixture_try(&c->f, &options), VOW_OK);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    assert_int_equal(vow_register(c->f.rt, all[i].name, all[i].handler, all[i].policy, c), VOW_OK);
}

/* ---- schedules ---- */

/* One in two is closed with everything still going on; in one of three memory is short
 * once. */
static void schedule(vow_engine engine, unsigned seed) {
  static chaos c;
  c = (chaos){.random = UINT64_C(0x9e3779b97f4a7c15) * (seed + 1)};
  noted_used = 0;
  open_all(&c, engine);
  if (seed % 3 == 0)
    c.f.fail_at = atomic_load(&c.f.calls) + 1 + pick(&c, 400);
  for (unsigned step = 0; step < STEPS; step++) {
    any_action(&c);
    if (pick(&c, 2))
      assert_int_equal(vow_loop_run(c.f.rt, VOW_LOOP_POLL), VOW_OK);
    counts_of(&c.f);
  }
  if (seed % 2) {
    for (unsigned i = 0; i < RUNS; i++)
      if (c.runs[i])
        dispose(&c, c.runs[i]);
    while (counts_of(&c.f).runs_live + counts_of(&c.f).running > 0) {
      while (c.f.held_count)
        let_go(&c);
      for (unsigned i = 0; i < RUNS; i++)
        if (c.runs[i])
          vow_run_cancel(c.runs[i]);
      assert_int_equal(vow_loop_run(c.f.rt, VOW_LOOP_POLL), VOW_OK);
    }
  }
  c.depth = DEPTH_MAX; /* callbacks of the end begin nothing */
  assert_int_equal(fixture_leave(&c.f, ANY), VOW_OK);
  release_all_held(&c.f);
  for (unsigned i = 0; i < noted_used; i++)
    c.ends -= noted[i].done;
  assert_int_equal(c.ends, 0);
  assert_int_equal(atomic_load(&c.f.blocks), 0);
}

static void schedules(void **state) {
  for (unsigned i = 0; i < seed_count; i++) {
    current_seed = first_seed + i;
    schedule(*(const vow_engine *)*state, current_seed);
  }
  current_seed = 0;
}

int main(int argc, char **argv) {
  return seeds_main(argc, argv, SEEDS, schedules);
}
