/* Shards on threads of their own that share the pool, the compiled guest and
 * the ticker. What it finds, it finds under ThreadSanitizer. */
#include "unit/run_fixture.h"

#define SHARDS 2
#define ROUNDS 4
#define RUNS 40

typedef struct lane {
  uv_thread_t thread;
  engine_kind engine;
  pool *workers; /* shared; not this lane's */
  unsigned values, cancelled, limits;
} lane;

static const char *const sources[] = {
    "let n = 0; for (let i = 0; i < 3; i++) n += await test.pool(i); n",
    "for (let i = 0; i < 10; i++) test.pool(i); 'awaited'",
    "for (;;);",
    "await Promise.race([test.pool(1), test.later(1)])",
    "await test.polite(1)",
    ("const a = []; for (let i = 0; i < 200; i++) a.push(test.pool('x'.repeat(i))); "
     "(await Promise.all(a)).length"),
};

static void count(lane *lane, const subject *s) {
  lane->values += s->outcome == RUN_VALUE;
  lane->cancelled += s->outcome == RUN_CANCELLED;
  lane->limits += s->outcome == RUN_LIMIT;
}

/* A few turns, then whatever has not ended is cancelled or dropped. */
static void one_run(lane *lane, run_fixture *f, unsigned i) {
  const char *source = sources[i % (sizeof sources / sizeof sources[0])];
  subject s;
  subject_init(&s, f);
  s.leaks = ANY_LEAKS;
  if (strcmp(source, "for (;;);") == 0)
    s.limits.cpu_ms = 5;
  subject_open(&s, source);
  switch (i % 3) {
  case 0:
    for (unsigned turn = 0; turn < i % 7; turn++)
      turn_without_waiting(f);
    if (!s.done)
      run_cancel(s.run);
    break;
  case 1:
    if (strstr(source, "polite"))
      run_set_wall(s.run, 3);
    until_done(&s);
    break;
  default: /* dropped after a moment */
    turn_without_waiting(f);
  }
  if (s.done)
    count(lane, &s);
  subject_close(&s);
}

static void lane_main(void *user) {
  lane *lane = user;
  for (unsigned round = 0; round < ROUNDS; round++) {
    run_fixture f = {0};
    fixture_try(&f, lane->engine);
    assert_non_null(f.shard);
    f.pool = lane->workers;
    for (unsigned i = 0; i < RUNS; i++)
      one_run(lane, &f, i);
    while (shard_handlers(f.shard) > 0)
      shard_turn(f.shard);
    f.pool = NULL;
    fixture_close(&f);
  }
}

static void shards_beside_each_other(void **state) {
  lane lanes[SHARDS];
  pool *workers = pool_open(&(pool_options){.threads_max = 3});
  assert_non_null(workers);
  for (int i = 0; i < SHARDS; i++) {
    lanes[i] = (lane){.engine = *(const engine_kind *)*state, .workers = workers};
    assert_int_equal(uv_thread_create(&lanes[i].thread, lane_main, &lanes[i]), 0);
  }
  for (int i = 0; i < SHARDS; i++) {
    uv_thread_join(&lanes[i].thread);
    assert_true(lanes[i].values > 0);
    assert_true(lanes[i].cancelled > 0);
    assert_true(lanes[i].limits > 0);
  }
  pool_close(workers);
}

/* Engines opened and closed while others are at work: the shared one is made
 * and freed again and again. */
static void engines_come_and_go(void *user) {
  const lane *lane = user;
  for (int i = 0; i < 20; i++) {
    run_fixture f = {0};
    subject s;
    fixture_try(&f, lane->engine);
    assert_non_null(f.shard);
    subject_init(&s, &f);
    subject_open(&s, "1 + 1");
    ends_with_value(&s, "2");
    subject_close(&s);
    fixture_close(&f);
  }
}

static void shards_come_and_go(void **state) {
  lane lanes[SHARDS];
  for (int i = 0; i < SHARDS; i++) {
    lanes[i] = (lane){.engine = *(const engine_kind *)*state};
    assert_int_equal(uv_thread_create(&lanes[i].thread, engines_come_and_go, &lanes[i]), 0);
  }
  for (int i = 0; i < SHARDS; i++)
    uv_thread_join(&lanes[i].thread);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(shards_beside_each_other),
      ON_BOTH(shards_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
