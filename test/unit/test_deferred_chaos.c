/* Seeded schedules of whole programs that use Deferred in every way, ended at random
 * moments, with tasks queued, running and finishing. What the threads do in between is
 * theirs; whatever comes, every promise settles once, which note_done() counts, and
 * nothing is left: no operation, handler, memory, ticket of shared memory, thread.
 *
 *   test_deferred_chaos [--seeds N] [--seed FIRST]
 *
 * With SHOW_SOURCES in the environment it tells what each schedule runs. */
#include <stdlib.h>

#include "guest/shared.h"
#include "unit/deferred_fixture.h"
#include "unit/seeds.h"

#define SEEDS 1000
#define SEEDS_PER_FIXTURE 100u
#define RUNS 2u
#define SOURCE_SIZE 8192

typedef struct part {
  unsigned weight;
  const char *source;
} part;

#define LOOP "() => { for (;;); }"

/* `a` and `b` are small numbers by chance; add() keeps a promise to wait for. */
static const part parts[] = {
    {60, "add(new Deferred((x) => x * 2, a))"},
    {30, "for (let i = 0; i < a; i++) add(new Deferred((x) => [x], i))"},
    {20, "add(new Deferred(() => { throw null; }))"},
    {20, "add(new Deferred(() => () => 1))"},
    {20, "add(new Deferred(() => new Promise(() => {})))"},
    {20, "add(new Deferred(async (x) => { console.log(x); await null; return x; }, a))"},
    {10, "add(Deferred.run(" LOOP ", [], { runTimeout: 1 + a % 3 }))"},
    {10, "add(Deferred.run(" LOOP ", [], { timeout: a % 4 }))"},
    {10, "const d = add(new Deferred(" LOOP ")); setTimeout(() => d.cancel(), b % 4)"},
    {10, "const c = new AbortController(); add(Deferred.run(" LOOP ", [], { signal: c.signal }));"
         "setTimeout(() => c.abort(a), b % 3)"},
    {20, "add(new Deferred((x) => x, a)).cancel('why')"},
    {4, "add(Deferred.run(() => { const l = []; for (;;) l.push(new Uint8Array(1e5)); }, [],"
        " { memoryMib: 2 }))"},
    {4, "add(new Deferred(function f() { return f() + 1; }))"},
    {20, "add(new Deferred(async (ms) => { await sleep(ms); return ms; }, a % 3))"},
    {10, "const d = add(new Deferred(() => sleep(1000))); setTimeout(() => d.cancel(), b % 3)"},
    {10, "const d = add(new Deferred((n) => { for (let i = 0; i < n; i++) Deferred.progress(i); },"
         " b * 20)); d.onprogress = () => {}; if (a % 2) d.cancel()"},
    {10, "const d = add(new Deferred((n) => { for (let i = 0; i < n; i++) Deferred.progress(i); },"
         " b)); add((async () => { for await (const v of d.progress) if (v > 3) break; })())"},
    {20,
     "add(new Deferred(function down(n) { return n ? new Deferred(down, n - 1) : 0; }, a % 6))"},
    {10, "const d = add(new Deferred(function down(n) { return n ? new Deferred(down, n - 1)"
         " : sleep(100); }, a % 4)); setTimeout(() => d.cancel(), b % 4)"},
    {20, "add(new Deferred(async (n) => (await Promise.all(Array.from({ length: n }, (_, i) =>"
         " new Deferred((x) => x, i)))).length, a % 5))"},
    {20, "add(new Deferred(async (x) => (await Promise.all([test.later(x), test.pool(x),"
         " test.echo(x), test.fail(x).catch(() => x)])).length, a % 3))"},
    {10, "add(new Deferred((n) => { for (let i = 0; i < n; i++) new Deferred(" LOOP
         ").catch(() => {}); test.polite(1).catch(() => {}); return 1; }, a % 3))"},
    {10, "add(new Deferred(async () => { const d = new Deferred(() => 1), o = test.later(2);"
         " const t = performance.now(); while (performance.now() - t < 1);"
         " d.cancel(); d.catch(() => {}); return o; }))"},
    {20, "const d = add(new Deferred((m) => { Atomics.add(new Int32Array(m), 0, 1);"
         " Deferred.progress(m); return m; }, new SharedArrayBuffer(8))); d.onprogress = () => {};"
         " if (b % 3 === 0) setTimeout(() => d.cancel(), a % 2)"},
    {10, "add(new Deferred((m) => new Deferred((m) => m, m), new SharedArrayBuffer(8)))"},
    {10, "const d = add(new Deferred(async (m) => { const all = []; for (let i = 0; i < 4; i++)"
         " all.push(new Deferred((m) => m, m)); await all[0]; return m; },"
         " new SharedArrayBuffer(8))); setTimeout(() => d.cancel(), b % 3)"},
    {10, "const d = add(new Deferred((m) => { for (;;) Deferred.progress(m); },"
         " new SharedArrayBuffer(8))); setTimeout(() => d.cancel(), b % 3)"},
    {20, "add(Deferred.run((x) => x, [a], { affinity: 'k' + b % 3, priority: a % 2 ? 'low' :"
         " 'normal' }))"},
    {20, "for (let i = 0; i < 3; i++) { const d = add(Deferred.run((x) => x + 1, [b % 4],"
         " { cache: true })); if (i === a) d.cancel(); }"},
    {10, "add(Deferred.map([1, 2, 3, 4], (x, i) => { Deferred.progress(x); if (i === 9) throw x;"
         " return x; }, { concurrency: 1 + a % 3, onprogress() {} }))"},
    {10, "const c = new AbortController(); add(Deferred.map([1, 2, 3], (x) => { if (x === 2) throw"
         " x; for (;;); }, { signal: c.signal })); setTimeout(() => c.abort(), b % 4)"},
    {10, "add(Deferred.ready())"},
    {10, "new Deferred((x) => x, a).catch(() => {})"},
    {5, "if (a % 2) throw new Error('the end')"},
    {1, "add(new Deferred((m) => Atomics.wait(new Int32Array(m), 0, 0, 40),"
        " new SharedArrayBuffer(4))).cancel()"},
    {1, "const d = add(new Deferred((m) => Atomics.wait(new Int32Array(m), 0, 0, 40),"
        " new SharedArrayBuffer(4))); setTimeout(() => d.cancel(), 1 + b % 3)"},
    {1, "add(Deferred.run((x) => x, [a], { isolated: true, timeout: 100 }))"},
    {1, "const d = add(Deferred.run(" LOOP ", [], { isolated: true }));"
        " setTimeout(() => d.cancel(), b)"},
};
#define PARTS (sizeof parts / sizeof parts[0])

typedef struct chaos {
  deferred_fixture f;
  uint64_t random;
  subject subjects[RUNS];
} chaos;

static unsigned pick(chaos *c, unsigned below) {
  return seeds_pick(&c->random, below);
}

static const char *pick_part(chaos *c) {
  unsigned all = 0, at = 0;
  for (size_t i = 0; i < PARTS; i++)
    all += parts[i].weight;
  unsigned drawn = pick(c, all);
  while (drawn >= parts[at].weight)
    drawn -= parts[at++].weight;
  return parts[at].source;
}

/* Most are small. */
static void write_source(chaos *c, char source[SOURCE_SIZE], bool waits) {
  size_t used = (size_t)snprintf(
      source, SOURCE_SIZE,
      "const all = [], add = (p) => { all.push(p); p.catch(() => {}); return p; };");
  unsigned count = 1 + (pick(c, 4) ? pick(c, 3) : pick(c, 9));
  for (unsigned i = 0; i < count; i++) {
    used += (size_t)snprintf(source + used, SOURCE_SIZE - used, "{ const a = %u, b = %u; %s }\n",
                             pick(c, 10), pick(c, 10), pick_part(c));
    if (pick(c, 6) == 0)
      used += (size_t)snprintf(source + used, SOURCE_SIZE - used, "await sleep(%u);", pick(c, 2));
    assert_true(used < SOURCE_SIZE - 100);
  }
  snprintf(source + used, SOURCE_SIZE - used, "%s1",
           waits ? "await Promise.allSettled(all); " : "");
}

static void open_one(chaos *c, subject *s) {
  char source[SOURCE_SIZE];
  if (s->run)
    return;
  bool waits = pick(c, 4) > 0;
  write_source(c, source, waits);
  subject_init(s, &c->f.run);
  s->leaks = ANY_LEAKS;
  if (!waits || pick(c, 8) == 0) /* without its timers nothing else may end its tasks */
    s->limits.wall_ms = 1 + pick(c, 10);
  s->limits.concurrent_max = 0; /* as in `vow run`: those that wait for others hold theirs */
  if (getenv("SHOW_SOURCES"))
    fprintf(stderr, "%s\n--\n", source);
  assert_true(deferred_try_run(&c->f, s, source));
}

static void wait_a_little(unsigned us) {
  uint64_t until = loop_now() + (uint64_t)us * 1000;
  while (loop_now() < until)
    sched_yield();
}

static void step(chaos *c) {
  subject *s = &c->subjects[pick(c, RUNS)];
  switch (pick(c, 12)) {
  case 0:
    open_one(c, s);
    break;
  case 1:
    if (s->run && pick(c, 3) == 0)
      run_cancel(s->run);
    break;
  case 2:
    if (pick(c, 3) == 0)
      subject_close(s);
    break;
  case 3:
    answer_all_held(&c->f.run);
    break;
  case 4:
    wait_a_little(pick(c, 200));
    break;
  default:
    turn_without_waiting(&c->f.run);
  }
}

static void end_one(chaos *c, subject *s) {
  if (s->run && pick(c, 2))
    until_done(s);
  else if (s->run && pick(c, 2))
    run_cancel(s->run);
  subject_close(s);
}

static void schedule(chaos *c, unsigned seed) {
  c->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  memset(c->subjects, 0, sizeof c->subjects);
  open_one(c, &c->subjects[0]);
  for (unsigned steps = pick(c, 24); steps > 0; steps--)
    step(c);
  for (unsigned i = 0; i < RUNS; i++)
    end_one(c, &c->subjects[i]);
  answer_all_held(&c->f.run);
  assert_no_run_left(&c->f.run);
}

static void schedules(void **state) {
  static chaos c;
  unsigned end = first_seed + seed_count;
  (void)state;
  for (unsigned seed = first_seed; seed < end;) {
    uint64_t random = seed;
    deferred_fixture_open(&c.f, 1 + seeds_pick(&random, 3), seeds_pick(&random, 2) * 8);
    for (unsigned i = 0; i < SEEDS_PER_FIXTURE && seed < end; i++, seed++) {
      current_seed = seed;
      schedule(&c, seed);
    }
    deferred_fixture_close(&c.f, false);
    assert_int_equal(shared_in_flight(), 0);
  }
  current_seed = 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(schedules, tell_seed_after)};
  seeds_begin(argc, argv, SEEDS);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
