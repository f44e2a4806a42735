/* Turns among runs of one shard: a short run is not held up by spinning ones,
 * and nobody starves. Time is what the thread executed: a loaded machine takes
 * turns from all of them alike. */
#include <time.h>

#include "unit/run_fixture.h"

#define MS UINT64_C(1000000)
#define SPINNERS 16
#define TRIES 50

static const char spin[] = "for (;;);";

static uint64_t thread_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* Runs a loop to its end; what it took of the thread, its own guest time apart. */
static uint64_t others_ns(run_fixture *f, const char *source, uint64_t *guest_ns) {
  subject s;
  subject_init(&s, f);
  uint64_t begun = thread_ns();
  subject_open(&s, source);
  ends_with_kind(&s, RUN_KIND_NONE);
  uint64_t took = thread_ns() - begun;
  *guest_ns = s.report.guest_ns;
  subject_close(&s);
  return took > *guest_ns ? took - *guest_ns : 0;
}

/* A loop of two to three milliseconds: it is preempted, and stays young. */
static void make_short(run_fixture *f, char *source, size_t size) {
  uint64_t count = 1000, guest_ns = 0;
  while (guest_ns < 2500 * MS / 1000) {
    count += count / 4;
    snprintf(source, size, "for (let n = %llu; n > 0; n--); 0", (unsigned long long)count);
    others_ns(f, source, &guest_ns);
  }
}

static void open_spinners(run_fixture *f, subject *spinners) {
  for (int i = 0; i < SPINNERS; i++) {
    subject_init(&spinners[i], f);
    spinners[i].limits.cpu_ms = spinners[i].limits.wall_ms = 600000;
    subject_open(&spinners[i], spin);
  }
  uint64_t begun = thread_ns(); /* until none of them is young */
  while (thread_ns() - begun < SPINNERS * 8 * MS)
    shard_turn(f->shard);
}

static void a_short_run_waits_for_few_slices(void **state) {
  run_fixture f;
  subject spinners[SPINNERS];
  char source[80];
  uint64_t guest_ns = 0, others = 0;
  unsigned judged = 0;
  fixture_open(&f, state);
  make_short(&f, source, sizeof source);
  open_spinners(&f, spinners);
  for (int i = 0; i < TRIES; i++) {
    uint64_t one = others_ns(&f, source, &guest_ns);
    if (guest_ns >= 5 * MS)
      continue; /* the machine was busy elsewhere meanwhile */
    others += one;
    judged++;
  }
  print_message("%u runs, %.1f ms of others in each\n", judged,
                judged ? (double)others / (double)(judged * MS) : 0);
  /* In turn with all of them it would be 16 ms for each preemption. */
  assert_true(others <= judged * 10 * MS);
  for (int i = 0; i < SPINNERS; i++)
    subject_close(&spinners[i]);
  fixture_close(&f);
}

static void open_young(subject *s, run_fixture *f) {
  subject_init(s, f);
  s->limits.cpu_ms = 4;
  subject_open(s, spin);
}

/* New runs keep coming, each with more claim to a slice than the old one. */
static void an_old_run_goes_on_in_a_flood(void **state) {
  enum { FLOOD = 8, MOST = 2000 };
  run_fixture f;
  subject old, flood[FLOOD];
  unsigned ended = 0;
  fixture_open(&f, state);
  subject_init(&old, &f);
  old.limits.cpu_ms = 40;
  subject_open(&old, spin);
  for (unsigned i = 0; i < FLOOD; i++)
    open_young(&flood[i], &f);
  while (!old.done && ended < MOST) {
    shard_turn(f.shard);
    for (unsigned i = 0; i < FLOOD; i++) {
      if (!flood[i].done)
        continue;
      subject_close(&flood[i]);
      open_young(&flood[i], &f);
      ended++;
    }
  }
  print_message("%u others ended before\n", ended);
  ends_with_kind(&old, RUN_KIND_CPU);
  assert_true(ended < 200);
  for (unsigned i = 0; i < FLOOD; i++)
    subject_close(&flood[i]);
  subject_close(&old);
  fixture_close(&f);
}

/* Runs in every list of the shard leave it from anywhere in it. */
static void disposal_from_every_list(void **state) {
  enum { RUNS = 48 };
  static const char *const sources[] = {spin, "await test.hold(1)", "await test.polite(1)", "1"};
  run_fixture f;
  subject all[RUNS];
  fixture_open(&f, state);
  /* A step that has no factor in common with RUNS meets each of them once. */
  for (unsigned step = 1; step < RUNS; step += 2) {
    if (step % 3 == 0)
      continue;
    for (unsigned i = 0; i < RUNS; i++) {
      subject_init(&all[i], &f);
      subject_open(&all[i], sources[i % 4]);
      if (i % 8 == 7)
        shard_turn(f.shard);
    }
    for (unsigned i = 0, at = 0; i < RUNS; i++, at = (at + step) % RUNS) {
      subject_close(&all[at]);
      if (i % 16 == 15)
        turn_without_waiting(&f);
    }
    answer_all_held(&f);
    assert_no_run_left(&f);
  }
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_WASM(a_short_run_waits_for_few_slices),
      ON_WASM(an_old_run_goes_on_in_a_flood),
      ON_WASM(disposal_from_every_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
