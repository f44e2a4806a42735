/* What outlives its run is named, with the place it was created. */
#include "unit/run_fixture.h"

/* Long enough for a sanitized guest to begin on a busy machine, and to end. */
#define SHORT_MS 1500
#define PATIENT_MS 60000

typedef struct found {
  subject subject;
  size_t count;
  char names[256], sites[1024];
} found;

static void note_leaks(run *run, const run_report *report, void *user) {
  found *f = user;
  for (size_t i = 0; i < report->leaks_count; i++) {
    size_t names = strlen(f->names), sites = strlen(f->sites);
    snprintf(f->names + names, sizeof f->names - names, "%s ", report->leaks[i].name);
    snprintf(f->sites + sites, sizeof f->sites - sites, "%s",
             report->leaks[i].site ? report->leaks[i].site : "none\n");
  }
  f->count = report->leaks_count;
  note_done(run, report, &f->subject);
}

/* Ends when the script does, or by its time limit. */
static void perform(found *f, run_fixture *fixture, const char *source, bool debug,
                    uint64_t wall_ms) {
  *f = (found){0};
  subject_init(&f->subject, fixture);
  f->subject.leaks = ANY_LEAKS; /* the tests look at them */
  f->subject.limits.wall_ms = wall_ms;
  run_options options = subject_options(&f->subject, source, strlen(source));
  options.debug = debug;
  options.on_done = note_leaks; /* `found` begins with the subject */
  f->subject.run = run_open(fixture->shard, &options);
  assert_non_null(f->subject.run);
  until_done(&f->subject);
  subject_close(&f->subject);
}

static void nothing_left(void **state) {
  run_fixture f;
  found found;
  fixture_open(&f, state);
  perform(&found, &f, "await test.later(1); await sleep(1); 1", true, PATIENT_MS);
  assert_int_equal(found.subject.outcome, RUN_VALUE);
  assert_string_equal(found.names, "");
  assert_int_equal(found.count, 0);
  fixture_close(&f);
}

static void dropped_timers(void **state) {
  run_fixture f;
  found found;
  fixture_open(&f, state);
  perform(&found, &f, "setTimeout(() => {}, 1e6);\nsetInterval(() => {}, 1e6); 1", true,
          PATIENT_MS);
  assert_int_equal(found.subject.outcome, RUN_VALUE);
  assert_string_equal(found.names, "timer timer ");
  assert_string_equal(found.sites, "    at <eval> (test.js:1:1)\n    at <eval> (test.js:2:1)\n");
  perform(&found, &f, "setTimeout(() => {}, 1e6); 1", false, PATIENT_MS);
  assert_int_equal(found.count, 0); /* not looked for */
  fixture_close(&f);
}

static void live_at_the_limit(void **state) {
  run_fixture f;
  found found;
  fixture_open(&f, state);
  perform(&found, &f, "test.polite(1);\nawait sleep(1e6)", true, SHORT_MS);
  assert_int_equal(found.subject.kind, RUN_KIND_TIMEOUT);
  assert_string_equal(found.names, "test.polite timer ");
  assert_non_null(strstr(found.sites, "(test.js:1:"));
  assert_non_null(strstr(found.sites, "(test.js:2:"));
  fixture_close(&f);
}

/* ---- a handler that ignores stop ---- */

typedef struct stubborn {
  uv_timer_t timer;
  run_fixture *f;
} stubborn;

static void answer_at_last(uv_timer_t *timer) {
  stubborn *s = timer->data;
  if (s->f->leaks == 0)
    return; /* not before it was named */
  answer_all_held(s->f);
  uv_close((uv_handle_t *)timer, NULL);
}

static void stubborn_handler(void **state) {
  run_fixture f;
  found found;
  stubborn s = {.f = &f};
  fixture_open(&f, state);
  perform(&found, &f, "test.hold(1); await sleep(1e6)", true, SHORT_MS);
  assert_int_equal(f.held_count, 1);
  assert_int_equal(f.stopped, 1);
  s.timer.data = &s;
  uv_timer_init(loop_uv(shard_loop(f.shard)), &s.timer);
  uv_timer_start(&s.timer, answer_at_last, 1, 1);
  shard_close(f.shard);
  assert_int_equal(f.leaks, 1);
  assert_string_equal(f.leak, "test.hold");
  assert_int_equal(f.counting.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(nothing_left),
      ON_BOTH(dropped_timers),
      ON_BOTH(live_at_the_limit),
      ON_BOTH(stubborn_handler),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
