/* Limits of runs, each with its kind, told in time; the report as a record and
 * as JSON; console output; what a run leaves unhandled. */
#include "unit/json_check.h"
#include "unit/run_fixture.h"

#define MS UINT64_C(1000000)
/* "Typed report within 100 ms of the limit, 500 ms at worst"; more under a sanitizer. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define LATE_NS (5000 * MS)
#else
#define LATE_NS (500 * MS)
#endif
/* The machine may be busy elsewhere just then: one of so many must be in time. */
#define TRIES 3

static bool in_time(uint64_t ns, uint64_t limit_ns) {
  assert_true(ns >= limit_ns);
  return ns < limit_ns + LATE_NS;
}

static void run_leaving(void **state, const run_limits *limits, const char *source, run_kind kind,
                        const char *leaks) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = leaks;
  s.limits = *limits;
  subject_open(&s, source);
  ends_with_kind(&s, kind);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
}

static void run_to_kind(void **state, const run_limits *limits, const char *source, run_kind kind) {
  run_leaving(state, limits, source, kind, NULL);
}

/* ---- clocks ---- */

static bool guest_limit_in_time(run_fixture *f, const char *source) {
  subject s;
  subject_init(&s, f);
  s.leaks = ANY_LEAKS;
  s.limits.cpu_ms = 20;
  s.limits.operations_max = 1000000;
  uint64_t begun = loop_now();
  subject_open(&s, source);
  ends_with_kind(&s, RUN_KIND_CPU);
  assert_int_equal(s.outcome, RUN_LIMIT);
  bool good = in_time(s.report.guest_ns, 20 * MS) && loop_now() - begun < 20 * MS + 2 * LATE_NS;
  subject_close(&s);
  return good;
}

static void guest_time(void **state) {
  static const char *const sources[] = {
      "for (;;);",
      "const p = () => Promise.resolve().then(p); p(); await new Promise(() => {})",
      "for (;;) await test.echo(1)",
      "while (true) try { for (;;); } catch {}",
      ("const spin = () => { setTimeout(spin, 0); for (let i = 0; i < 1e5; i++); }; spin();"
       "await new Promise(() => {})"),
  };
  run_fixture f;
  fixture_open(&f, state);
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    unsigned tries = 0;
    while (!guest_limit_in_time(&f, sources[i]))
      assert_in_range(++tries, 1, TRIES - 1);
  }
  fixture_close(&f);
}

static void waiting_costs_no_guest_time(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.cpu_ms = BEGUN_MS;
  subject_open(&s, "await test.later(600)"); /* longer than that */
  ends_with_value(&s, "600");
  assert_true(s.report.guest_ns < BEGUN_MS * MS);
  assert_true(s.report.host_wait_ns >= BEGUN_MS * MS);
  subject_close(&s);
  fixture_close(&f);
}

static bool waiting_limit_in_time(run_fixture *f) {
  subject s;
  subject_init(&s, f);
  s.leaks = "timer test.hold";
  s.limits.wall_ms = BEGUN_MS;
  subject_open(&s, "setTimeout(() => {}, 60000); await test.hold(1)");
  ends_with_kind(&s, RUN_KIND_TIMEOUT);
  assert_int_equal(s.outcome, RUN_LIMIT);
  bool good = in_time(s.report.wall_ns, BEGUN_MS * MS);
  assert_int_equal(s.report.pending_count, 2);
  assert_string_equal(s.pending, "timer");
  subject_close(&s);
  answer_all_held(f);
  return good;
}

static void wall_while_waiting(void **state) {
  run_fixture f;
  unsigned tries = 0;
  fixture_open(&f, state);
  while (!waiting_limit_in_time(&f))
    assert_in_range(++tries, 1, TRIES - 1);
  fixture_close(&f);
}

static bool wall_limit_in_time(run_fixture *f, const char *source) {
  subject s;
  subject_init(&s, f);
  s.limits.wall_ms = 20;
  subject_open(&s, source);
  ends_with_kind(&s, RUN_KIND_TIMEOUT);
  bool good = in_time(s.report.wall_ns, 20 * MS);
  subject_close(&s);
  return good;
}

static void wall_in_the_middle_of_a_turn(void **state) {
  static const char *const sources[] = {
      "for (;;);",
      /* The value is settled, the turn goes on. */
      "(async () => { for (let i = 0; i < 50; i++) await 0; for (;;); })(); 1",
  };
  run_fixture f;
  fixture_open(&f, state);
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    unsigned tries = 0;
    while (!wall_limit_in_time(&f, sources[i]))
      assert_in_range(++tries, 1, TRIES - 1);
  }
  fixture_close(&f);
}

/* The value was settled before the wall, which passed about when the turn ended
 * that left a rejection unhandled: whichever came first, that is not forgotten. */
static void wall_in_a_turn_that_leaves_a_rejection(void **state) {
  run_fixture f;
  fixture_open(&f, state);
  for (int i = 0; i < 60; i++) {
    subject s;
    subject_init(&s, &f);
    s.limits.wall_ms = 5;
    subject_open(&s, "(async () => { for (let i = 0; i < 50; i++) await 0;"
                     "  const until = Date.now() + 6; while (Date.now() < until);"
                     "  Promise.reject(new TypeError('left')); })(); 1");
    until_done(&s);
    assert_int_not_equal(s.outcome, RUN_VALUE);
    if (s.kind != RUN_KIND_TIMEOUT)
      ends_with_kind(&s, RUN_KIND_SCRIPT);
    subject_close(&s);
  }
  fixture_close(&f);
}

static void wall_before_the_first_turn(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.wall_ms = 1;
  subject_open(&s, "for (;;);");
  let_pass(3);
  ends_with_kind(&s, RUN_KIND_TIMEOUT);
  subject_close(&s);
  fixture_close(&f);
}

static void the_wall_can_be_moved(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.wall_ms = 5;
  subject_open(&s, "await test.later(20)");
  run_set_wall(s.run, 60000);
  ends_with_value(&s, "20");
  run_set_wall(s.run, 1); /* finished: nothing happens */
  subject_close(&s);

  subject_init(&s, &f);
  s.leaks = "test.hold";
  subject_open(&s, "await test.hold(1)");
  until_started(&f, 1);
  run_set_wall(s.run, 0); /* it has passed already */
  ends_with_kind(&s, RUN_KIND_TIMEOUT);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
}

/* Any number is a limit, also of milliseconds that no clock can count. */
static void limits_without_end(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.wall_ms = s.limits.cpu_ms = s.limits.op_timeout_ms = UINT64_MAX;
  s.limits.result_bytes = s.limits.log_bytes = s.limits.operations_max = UINT64_MAX;
  subject_open(&s, "console.log('line'); (await test.later(2)) + 'x'.repeat(100000).slice(-1)");
  run_set_wall(s.run, UINT64_MAX - 1);
  ends_with_value(&s, "\"2x\"");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- amounts ---- */

static void memory(void **state) {
  static const char *const sources[] = {
      "const a = []; for (;;) a.push(new Uint8Array(1 << 20))",
      "const a = []; for (let i = 0; ; i++) a.push('x'.repeat(100000) + i)",
      "const m = new Map(); for (let i = 0; ; i++) m.set(i, {i})",
      "const a = []; for (;;) try { for (;;) a.push(new ArrayBuffer(1 << 20)) } catch {}",
      "const a = []; for (;;) a.push(Promise.resolve(a.length))",
  };
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    run_limits limits = *fixture_limits();
    limits.memory_bytes = 16u << 20;
    run_to_kind(state, &limits, sources[i], RUN_KIND_MEMORY);
  }
}

/* What waits on the host's side for the guest counts as the guest's. */
static void payloads_are_memory(void **state) {
  run_limits limits = *fixture_limits();
  limits.memory_bytes = 24u << 20;
  limits.concurrent_max = 1;
  /* The arguments of queued calls. */
  run_leaving(state, &limits,
              "const big = new Uint8Array(1 << 20); const all = [];"
              "for (let i = 0; i < 30; i++) all.push(test.hold(big)); await Promise.all(all)",
              RUN_KIND_MEMORY, ANY_LEAKS);
}

static void answers_are_memory(void **state) {
  enum { BIG = 4 << 20 };
  run_fixture f;
  subject s;
  uint8_t *value = calloc(1, BIG + 5);
  assert_non_null(value);
  memcpy(value, "\x5a\x00\x40\x00\x00", 5); /* a byte string of 4 MiB */
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.memory_bytes = 24u << 20;
  subject_open(&s, "const a = []; for (let i = 0; i < 10; i++) a.push(test.hold(i));"
                   "(await Promise.all(a)).length");
  until_started(&f, 10);
  while (f.held_count > 0)
    host_call_fulfil(take_held(&f, 0), value, BIG + 5);
  ends_with_kind(&s, RUN_KIND_MEMORY);
  subject_close(&s);
  free(value);
  fixture_close(&f);
}

static void a_payload_is_given_back(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.memory_bytes = 24u << 20;
  subject_open(&s, "const big = new Uint8Array(1 << 20); let n = 0;"
                   "for (let i = 0; i < 60; i++) n += (await test.pool(big)).length; n");
  ends_with_value(&s, "62914560");
  assert_true(s.report.memory_peak > 1u << 20 && s.report.memory_peak <= 24u << 20);
  assert_int_equal(s.report.memory_limit, 24u << 20);
  subject_close(&s);
  fixture_close(&f);
}

static void ends_for_size(subject *s, const char *source, size_t len) {
  assert_true(subject_try(s, source, len));
  assert_true(run_alive(s->run)); /* nobody is told before the loop turns */
  ends_with_kind(s, RUN_KIND_MEMORY);
  assert_int_equal(s->outcome, RUN_LIMIT);
  assert_non_null(strstr(s->message, "the script ("));
  assert_non_null(strstr(s->message, "--memory-mib"));
  assert_true(s->report.memory_peak > 0);
  subject_close(s);
}

/* What cannot be placed in the sandbox at all ends the run, with a report. */
static void a_script_is_memory(void **state) {
  enum { BIG = 65 << 20 };
  run_fixture f;
  subject s;
  char *text = malloc(BIG + 1);
  assert_non_null(text);
  memset(text, ' ', BIG);
  text[BIG] = 0;
  fixture_open(&f, state);
  const struct {
    size_t memory, source, context;
  } cases[] = {{8u << 20, 9u << 20, 0},
               {8u << 20, 1, 9u << 20},
               {9u << 20, 5u << 20, 5u << 20},
               {64u << 20, BIG, 0},
               {256u << 20, 33u << 20, 33u << 20}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    subject_init(&s, &f);
    s.limits.memory_bytes = cases[i].memory;
    s.context = text + BIG - cases[i].context;
    ends_for_size(&s, text, cases[i].source);
  }
  subject_init(&s, &f);
  s.context = NULL;
  text[0] = '7';
  assert_true(subject_try(&s, text, 5u << 20));
  ends_with_value(&s, "7");
  subject_close(&s);
  free(text);
  fixture_close(&f);
}

static void a_large_script_can_be_disposed_of_at_once(void **state) {
  run_fixture f;
  subject s;
  char *text = calloc(1, 9u << 20);
  assert_non_null(text);
  fixture_open(&f, state);
  for (int cancel = 0; cancel < 2; cancel++) {
    subject_init(&s, &f);
    s.limits.memory_bytes = RUN_MEMORY_MIN;
    assert_true(subject_try(&s, text, 9u << 20));
    if (cancel)
      run_cancel(s.run);
    assert_int_equal(s.done, cancel);
    subject_close(&s);
  }
  free(text);
  fixture_close(&f);
}

/* Limits of the shard are nobody's --max-ops. */
static void places_of_the_host(void **state) {
  static const char *const greedy[] = {
      "test.hold(1); test.hold(2); await test.hold(3)",
      "setTimeout(() => {}, 1e6); setTimeout(() => {}, 1e6); await sleep(1e6)",
  };
  run_fixture f = {.live_max = 4};
  subject first, second;
  fixture_try(&f, *(const engine_kind *)*state);
  assert_non_null(f.shard);
  for (unsigned i = 0; i < 2; i++) {
    subject_init(&first, &f);
    subject_open(&first, "await Promise.all([test.hold(1), test.hold(2)]); 'both'");
    until_started(&f, 2 + i * 4);
    subject_init(&second, &f);
    second.leaks = i ? "timer timer" : "test.hold test.hold";
    subject_open(&second, greedy[i]);
    ends_with_kind(&second, RUN_KIND_INTERNAL);
    assert_int_equal(second.outcome, RUN_ERROR);
    assert_string_equal(second.message, "the host has no place for one more operation or timer");
    subject_close(&second);
    answer_all_held(&f);
    ends_with_value(&first, "\"both\"");
    subject_close(&first);
    f.started = 2 + i * 4 + 2;
  }
  fixture_close(&f);
}

static void operations(void **state) {
  run_limits limits = *fixture_limits();
  limits.operations_max = 10;
  run_to_kind(state, &limits, "for (;;) await test.echo(1)", RUN_KIND_OPERATIONS);
  run_leaving(state, &limits, "for (let i = 0; i < 11; i++) test.hold(i).catch(() => {})",
              RUN_KIND_OPERATIONS, ANY_LEAKS);
  run_leaving(state, fixture_limits(), "for (;;) setTimeout(() => {}, 1000)", RUN_KIND_OPERATIONS,
              ANY_LEAKS);
}

static void as_many_operations_as_allowed(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = ANY_LEAKS;
  s.limits.operations_max = 10;
  subject_open(&s, "for (let i = 0; i < 10; i++) await test.echo(i);"
                   "for (let i = 0; i < 1000; i++) setTimeout(() => {}, 1e6); 'all'");
  ends_with_value(&s, "\"all\"");
  subject_close(&s);
  fixture_close(&f);
}

static void output(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.log_bytes = 12; /* a line and its end count */
  subject_open(&s, "console.log('12345'); console.error('12345'); 1");
  ends_with_value(&s, "1");
  assert_string_equal(s.log, "1:12345\n3:12345\n");
  subject_close(&s);

  subject_init(&s, &f);
  s.limits.log_bytes = 11;
  subject_open(&s, "console.log('12345'); console.warn('12345'); 1");
  ends_with_kind(&s, RUN_KIND_OUTPUT);
  assert_string_equal(s.log, "1:12345\n"); /* the one too much is not shown */
  subject_close(&s);
  fixture_close(&f);
}

static void result(void **state) {
  run_limits limits = *fixture_limits();
  limits.result_bytes = 100;
  run_to_kind(state, &limits, "'x'.repeat(98)", RUN_KIND_NONE);
  run_to_kind(state, &limits, "'x'.repeat(99)", RUN_KIND_RESULT);
  run_to_kind(state, &limits, "'x'.repeat(10000000)", RUN_KIND_RESULT);
  run_to_kind(state, &limits, "let a = []; for (let i = 0; i < 300; i++) a = [a]; a",
              RUN_KIND_RESULT);
}

static void stack(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  for (uint64_t kib = 32; kib <= 512; kib *= 4) {
    subject_init(&s, &f);
    s.limits.stack_bytes = kib << 10;
    subject_open(&s, "const f = () => f() + 1;"
                     "let caught = ''; try { f() } catch (e) { caught = e.name } caught");
    ends_with_value(&s, "\"RangeError\"");
    subject_close(&s);
    subject_init(&s, &f);
    s.limits.stack_bytes = kib << 10;
    subject_open(&s, "const f = () => f() + 1; f()");
    ends_with_kind(&s, RUN_KIND_STACK);
    subject_close(&s);
  }
  fixture_close(&f);
}

/* ---- errors of the script ---- */

static void deadlock(void **state) {
  static const char *const sources[] = {
      "await new Promise(() => {})",
      "await test.echo(1); await new Promise(() => {})",
      "setTimeout(() => {}, 2); await new Promise(() => {})",
      "const p = (async () => { await 0; await p })(); await p",
  };
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
    run_to_kind(state, fixture_limits(), sources[i], RUN_KIND_DEADLOCK);
}

/* Proven at once, not after some time without progress. */
static void a_deadlock_is_told_at_once(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "await test.hold(1); await new Promise(() => {})");
  until_started(&f, 1);
  answer_held(&f, 0);
  for (int i = 0; i < 5; i++)
    turn_without_waiting(&f);
  assert_int_equal(s.done, 1);
  assert_int_equal(s.kind, RUN_KIND_DEADLOCK);
  assert_int_equal(s.outcome, RUN_ERROR);
  subject_close(&s);
  fixture_close(&f);
}

static void unhandled_rejections(void **state) {
  static const struct {
    const char *source;
    run_kind kind;
  } cases[] = {
      {"Promise.reject(new TypeError('left')); 1", RUN_KIND_SCRIPT},
      {"test.fail(1); 1", RUN_KIND_API},
      {"const p = Promise.reject(1); await test.later(2); p.catch(() => {}); 1", RUN_KIND_NONE},
      {"test.later(1).then(() => { throw new Error('late') }); 1", RUN_KIND_SCRIPT},
      {"throw new Error('thrown')", RUN_KIND_SCRIPT},
      {"await test.fail(1)", RUN_KIND_API},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    run_to_kind(state, fixture_limits(), cases[i].source, cases[i].kind);
}

/* ---- the report ---- */

static char report_text[20000];

static void keep_report(subject *s) {
  /* note_done has copied the record; its pointers hold until disposal. */
  char *text = run_report_json(&s->report, NULL, &s->f->allocator);
  assert_non_null(text);
  assert_true(strlen(text) < sizeof report_text);
  memcpy(report_text, text, strlen(text) + 1);
  mem_free(&s->f->allocator, text);
}

static const char *report_of(void **state, const run_limits *limits, const char *source) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits = *limits;
  s.leaks = ANY_LEAKS; /* they are in the report */
  s.when_done = keep_report;
  subject_open(&s, source);
  until_done(&s);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
  assert_true(json_is_valid(report_text));
  assert_null(strchr(report_text, '\n'));
  assert_true(json_is(json_member(report_text, "version"), "1"));
  return report_text;
}

static void report_of_a_value(void **state) {
  const char *report = report_of(
      state, fixture_limits(), "await test.echo(1); test.fail(1).catch(() => {}); ({a: '\"\\n'})");
  assert_true(json_is(json_member(report, "outcome"), "\"value\""));
  assert_true(json_is(json_member(report, "value"), "{\"a\":\"\\\"\\n\"}"));
  assert_null(json_member(report, "error"));
  const char *operations_at = json_member(report, "operations");
  assert_true(json_is(json_member(operations_at, "created"), "2"));
  assert_true(json_is(json_member(operations_at, "fulfilled"), "1"));
  assert_true(json_is(json_member(operations_at, "rejected"), "1"));
  assert_true(json_is(json_member(operations_at, "concurrent_max"), "1"));
  assert_non_null(json_member(json_member(report, "time"), "wall_ms"));
  assert_true(json_is(json_member(json_member(report, "memory"), "limit_bytes"), "67108864"));
  assert_true(json_is(json_member(report, "pending"), "[]"));
}

static void report_of_an_error(void **state) {
  const char *report =
      report_of(state, fixture_limits(), "throw new RangeError('\\u0001\"\\ud800 \\u{1f600}')");
  assert_true(json_is(json_member(report, "outcome"), "\"error\""));
  assert_null(json_member(report, "value"));
  const char *error = json_member(report, "error");
  assert_true(json_is(json_member(error, "kind"), "\"script\""));
  assert_true(json_is(json_member(error, "name"), "\"RangeError\""));
  assert_non_null(json_member(error, "message"));
  assert_non_null(strstr(json_member(error, "stack"), "test.js:1"));
}

static void report_of_an_operation_error(void **state) {
  const char *error =
      json_member(report_of(state, fixture_limits(), "await test.fail(1)"), "error");
  assert_true(json_is(json_member(error, "kind"), "\"api\""));
  const char *operation = json_member(error, "operation");
  assert_true(json_is(json_member(operation, "name"), "\"test.fail\""));
  assert_true(json_is(json_member(operation, "attempts"), "1"));
}

static void report_of_a_timeout(void **state) {
  run_limits limits = *fixture_limits();
  limits.wall_ms = 5;
  const char *report = report_of(state, &limits, "setTimeout(() => {}, 1e6); await test.hold(1)");
  assert_true(json_is(json_member(report, "outcome"), "\"limit\""));
  assert_true(json_is(json_member(json_member(report, "error"), "kind"), "\"timeout\""));
  const char *pending = json_member(report, "pending");
  assert_non_null(pending);
  assert_true(json_is(json_member(pending + 1, "name"), "\"timer\""));
  assert_non_null(strstr(pending, "\"test.hold\""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(guest_time),
      ON_BOTH(waiting_costs_no_guest_time),
      ON_BOTH(wall_while_waiting),
      ON_BOTH(wall_in_the_middle_of_a_turn),
      ON_WASM(wall_in_a_turn_that_leaves_a_rejection),
      ON_BOTH(wall_before_the_first_turn),
      ON_BOTH(the_wall_can_be_moved),
      ON_BOTH(limits_without_end),
      ON_BOTH(memory),
      ON_BOTH(payloads_are_memory),
      ON_BOTH(answers_are_memory),
      ON_BOTH(a_payload_is_given_back),
      ON_BOTH(a_script_is_memory),
      ON_BOTH(a_large_script_can_be_disposed_of_at_once),
      ON_BOTH(places_of_the_host),
      ON_BOTH(operations),
      ON_BOTH(as_many_operations_as_allowed),
      ON_BOTH(output),
      ON_BOTH(result),
      ON_WASM(stack),
      ON_BOTH(deadlock),
      ON_BOTH(a_deadlock_is_told_at_once),
      ON_BOTH(unhandled_rejections),
      ON_BOTH(report_of_a_value),
      ON_BOTH(report_of_an_error),
      ON_BOTH(report_of_an_operation_error),
      ON_BOTH(report_of_a_timeout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
