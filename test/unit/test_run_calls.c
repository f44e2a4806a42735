/* Host operations of runs: every way to answer, the queue, the clocks, answers
 * that come too late, handlers that outlive their run. */
#include <time.h>

#include "unit/run_fixture.h"

#define MANY 50

/* ---- answers ---- */

static void each_kind_of_answer(void **state) {
  static const struct {
    const char *source, *value;
  } cases[] = {
      {"await test.echo({a: [1, 'x', null]})", "{\"a\":[1,\"x\",null]}"},
      {"await test.fail(1).catch(e => [e.name, e.code, e.message, e.operation.name].join())",
       "\"NotFoundError,TEST,there is no such thing,test.fail\""},
      {"await test.later(3)", "3"},
      {"await test.pool('p')", "\"p\""},
      {"const order = [];"
       "await Promise.all([test.later(4), test.pool(2), test.echo(1), test.later(1)]"
       "  .map(p => p.then(v => order.push(v))));"
       "order.sort().join()",
       "\"1,1,2,4\""},
  };
  run_fixture f;
  fixture_open(&f, state);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    subject s;
    subject_init(&s, &f);
    subject_open(&s, cases[i].source);
    ends_with_value(&s, cases[i].value);
    subject_close(&s);
  }
  fixture_close(&f);
}

/* The same call answered before its start returns and much later, in one list. */
static void calls_are_answered_in_any_order(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s,
               "(await Promise.all([test.hold('a'), test.hold('b'), test.hold('c')])).join('')");
  until_started(&f, 3);
  answer_held(&f, 1);
  shard_turn(f.shard);
  answer_held(&f, 1);
  shard_turn(f.shard);
  assert_true(run_alive(s.run));
  answer_held(&f, 0);
  ends_with_value(&s, "\"abc\"");
  assert_int_equal(s.report.operations.fulfilled, 3);
  assert_int_equal(s.report.operations.running_max, 3);
  subject_close(&s);
  fixture_close(&f);
}

static void reject_with_too_long_a_message(void **state) {
  run_fixture f;
  subject s;
  static char message[100000];
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "await test.hold(1).catch(e => e.name + ': ' + e.message)");
  until_started(&f, 1);
  memset(message, 'm', sizeof message - 1);
  reject_call(take_held(&f, 0), "ConflictError", message);
  ends_with_value(&s, "\"ConflictError: the error's message is too long\"");
  subject_close(&s);
  fixture_close(&f);
}

/* What a handler answers is checked like everything that crosses. */
static void malformed_answers_are_errors(void **state) {
  static const struct {
    const char *bytes;
    size_t len;
  } answers[] = {{"", 0}, {"\x81", 1}, {"\x01\x01", 2}, {"\x61\xff", 2}, {"\xff", 1}};
  run_fixture f;
  fixture_open(&f, state);
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    subject s;
    subject_init(&s, &f);
    subject_open(&s, "await test.hold(1).catch(e => e.name + ' ' + e.code)");
    until_started(&f, (unsigned)i + 1);
    host_call_fulfil(take_held(&f, 0), answers[i].bytes, answers[i].len);
    ends_with_value(&s, "\"ApiError MALFORMED\"");
    assert_int_equal(s.report.operations.rejected, 1);
    subject_close(&s);
  }
  fixture_close(&f);
}

/* ---- too late ---- */

static void answer_after_the_timeout(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.op_timeout_ms = BEGUN_MS;
  subject_open(&s, "await test.hold(1).catch(e => e.name)");
  ends_with_value(&s, "\"TimeoutError\"");
  assert_int_equal(s.report.operations.timed_out, 1);
  assert_int_equal(f.stopped, 1);
  assert_int_equal(shard_handlers(f.shard), 1); /* it outlived the run */
  answer_all_held(&f);
  assert_int_equal(op_table_counts(shard_operations(f.shard)).late, 1);
  subject_close(&s);
  fixture_close(&f);
}

/* The guest stays: the late answer must not settle anything a second time. */
static void answer_after_the_timeout_in_a_live_run(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.op_timeout_ms = BEGUN_MS;
  subject_open(&s, "let settled = 0;"
                   "const p = test.hold(1); p.then(() => settled++, () => settled++);"
                   "await p.catch(() => {});"
                   "await new Promise(r => setTimeout(r, 5));"
                   "settled");
  while (f.stopped == 0)
    shard_turn(f.shard);
  assert_true(run_alive(s.run));
  answer_held(&f, 0);
  ends_with_value(&s, "1");
  assert_int_equal(s.report.operations.late, 1);
  assert_int_equal(s.report.operations.timed_out, 1);
  assert_int_equal(s.report.operations.fulfilled, 0);
  subject_close(&s);
  fixture_close(&f);
}

static void answer_after_the_guest_gave_up(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "const c = new AbortController();"
                   "const p = test.hold(1, {signal: c.signal});"
                   "await test.later(1); c.abort();"
                   "await p.catch(e => e.name)");
  ends_with_value(&s, "\"AbortError\"");
  assert_int_equal(s.report.operations.cancelled, 1);
  assert_int_equal(f.stopped, 1);
  subject_close(&s);
  assert_int_equal(shard_handlers(f.shard), 1);
  answer_all_held(&f); /* after disposal */
  assert_int_equal(op_table_counts(shard_operations(f.shard)).late, 1);
  fixture_close(&f);
}

static void answers_after_disposal(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "await Promise.all([test.hold(1), test.hold(2), test.pool(3)])");
  until_started(&f, 2);
  subject_close(&s);
  assert_no_run_left(&f);
  answer_held(&f, 0);
  reject_call(take_held(&f, 0), NULL, "too late");
  while (shard_handlers(f.shard) > 0)
    shard_turn(f.shard);
  assert_true(op_table_counts(shard_operations(f.shard)).late >= 2);
  fixture_close(&f);
}

/* ---- the queue ---- */

static void more_than_may_run_wait_in_order(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.concurrent_max = 3;
  subject_open(&s, "const a = []; for (let i = 0; i < 20; i++) a.push(test.hold(i));"
                   "(await Promise.all(a)).join()");
  until_started(&f, 3);
  until_created(&s, 20);
  assert_int_equal(run_counts(s.run).queued, 17);
  for (unsigned i = 0; i < 20; i++) {
    assert_true(f.held_count <= 3);
    assert_int_equal(number_argument(f.held[0]), i);
    answer_held(&f, 0);
  }
  ends_with_value(&s, "\"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19\"");
  assert_int_equal(s.report.operations.running_max, 3);
  subject_close(&s);
  fixture_close(&f);
}

/* A slot is in use until the handler has ended, whatever became of the call. */
static void a_timed_out_handler_keeps_its_slot(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.concurrent_max = 1;
  s.limits.op_timeout_ms = BEGUN_MS;
  subject_open(&s, "const first = await test.hold(1).catch(e => e.name);"
                   "const second = await test.hold(2).catch(e => e.name);"
                   "first + ' ' + second");
  ends_with_value(&s, "\"TimeoutError TimeoutError\"");
  assert_int_equal(f.started, 1);
  assert_int_equal(s.report.operations.running_max, 1);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
}

static void queued_calls_start_when_a_late_handler_ends(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.limits.concurrent_max = 1;
  subject_open(&s, "const first = await test.hold(1, {timeout: 500}).catch(e => e.name);"
                   "first + ' ' + await test.hold(2)");
  while (f.stopped == 0)
    shard_turn(f.shard);
  answer_held(&f, 0);
  until_started(&f, 2);
  answer_held(&f, 0);
  ends_with_value(&s, "\"TimeoutError 2\"");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- many runs ---- */

static void two_runs_take_turns(void **state) {
  run_fixture f;
  subject a, b;
  fixture_open(&f, state);
  subject_init(&a, &f);
  subject_init(&b, &f);
  static const char source[] = "let sum = 0; for (let i = 0; i < 5; i++) sum += await test.hold(i);"
                               "globalThis.leak = (globalThis.leak ?? 0) + 1; [sum, leak]";
  subject_open(&a, source);
  subject_open(&b, source);
  for (unsigned i = 0; i < 5; i++) {
    until_started(&f, 2 * i + 2);
    answer_held(&f, i % 2); /* once this one first, once the other one */
    answer_held(&f, 0);
  }
  ends_with_value(&a, "[10,1]");
  ends_with_value(&b, "[10,1]");
  subject_close(&a);
  subject_close(&b);
  fixture_close(&f);
}

static void fifty_runs_at_once(void **state) {
  static subject subjects[MANY];
  run_fixture f;
  fixture_open(&f, state);
  for (int i = 0; i < MANY; i++) {
    subject_init(&subjects[i], &f);
    subject_open(&subjects[i],
                 "let n = 0; for (let i = 0; i < 3; i++) n += await test.later(1 + i);"
                 "n += (await Promise.all([test.pool(10), test.echo(20)])).reduce((a, b) => a + b);"
                 "n");
  }
  assert_int_equal(engine_counts_of(shard_engine(f.shard)).live, MANY);
  for (int i = 0; i < MANY; i++) {
    ends_with_value(&subjects[i], "36");
    subject_close(&subjects[i]);
  }
  fixture_close(&f);
}

/* ---- what a run can tell while it lives ---- */

static void pending_operations_are_listed(void **state) {
  run_fixture f;
  subject s;
  op_info list[8];
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = "timer";
  s.limits.concurrent_max = 1;
  subject_open(&s, "setTimeout(() => {}, 60000); await Promise.all([test.hold(1), test.hold(2)])");
  assert_int_equal(run_pending(s.run, list, 8), 0);
  until_started(&f, 1);
  until_created(&s, 2);
  let_pass(1);
  assert_int_equal(run_pending(s.run, list, 8), 3);
  assert_string_equal(list[0].name, "timer");
  assert_string_equal(list[1].name, "test.hold");
  assert_int_equal(list[1].state, OP_RUNNING);
  assert_int_equal(list[2].state, OP_PENDING);
  assert_true(list[0].age_ns >= list[2].age_ns && list[2].age_ns >= 1000000);
  assert_int_equal(run_pending(s.run, list, 1), 3); /* there are more than fit */
  answer_held(&f, 0);
  until_started(&f, 2);
  answer_held(&f, 0);
  ends_with_value(&s, "[1,2]");
  assert_int_equal(run_pending(s.run, list, 8), 0);
  assert_int_equal(run_counts(s.run).created, 2);
  subject_close(&s);
  fixture_close(&f);
}

/* The clocks of a run: which of them goes when. */
static void time_is_split_by_what_the_run_waits_for(void **state) {
  run_fixture f;
  subject s, spinner;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "await test.hold(1)");
  until_started(&f, 1);
  let_pass(10); /* the host is waited for */
  answer_held(&f, 0);
  let_pass(20); /* the answer is there, the turn is not */
  ends_with_value(&s, "1");
  assert_true(s.report.host_wait_ns >= 10000000);
  assert_true(s.report.ready_ns >= 20000000);
  subject_close(&s);
  subject_init(&spinner, &f);
  spinner.limits.cpu_ms = 20;
  subject_open(&spinner, "for (;;);");
  ends_with_kind(&spinner, RUN_KIND_CPU);
  assert_true(spinner.report.guest_ns >= 20000000);
  assert_int_equal(spinner.report.host_wait_ns, 0);
  subject_close(&spinner);
  fixture_close(&f);
}

/* ---- the end of a run ---- */

/* Operations of a settled run are awaited; the outcome stays the value. */
static void operations_are_awaited_after_the_value(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = "timer";
  subject_open(&s, "test.hold(1); setTimeout(() => console.log('never'), 1); 'value'");
  until_started(&f, 1);
  let_pass(3);
  for (int i = 0; i < 5; i++)
    turn_without_waiting(&f);
  assert_int_equal(s.done, 0);
  answer_held(&f, 0);
  ends_with_value(&s, "\"value\"");
  assert_int_equal(s.report.operations.fulfilled, 1);
  assert_string_equal(s.log, ""); /* timers are not */
  subject_close(&s);
  fixture_close(&f);
}

static void the_wall_ends_the_wait_after_the_value(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  s.leaks = "test.hold";
  s.limits.wall_ms = BEGUN_MS;
  subject_open(&s, "test.hold(1); 'value'");
  ends_with_value(&s, "\"value\"");
  assert_int_equal(s.report.operations.cancelled, 1);
  assert_int_equal(s.report.pending_count, 1);
  assert_int_equal(f.stopped, 1);
  subject_close(&s);
  answer_all_held(&f);
  fixture_close(&f);
}

/* Handlers that run are waited for by the shard, not forgotten. */
static void closing_a_shard_waits_for_handlers(void **state) {
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f);
  subject_open(&s, "for (let i = 0; i < 10; i++) { test.pool(i); test.hold(i) } 1");
  until_started(&f, 10);
  subject_close(&s);
  assert_true(shard_handlers(f.shard) >= 10);
  /* What a foreign loop would do: answers come while the shard closes. */
  answer_all_held(&f);
  pool *workers = f.pool;
  shard_close(f.shard);
  pool_close(workers);
  assert_int_equal(f.counting.blocks, 0);
}

/* ---- many calls ---- */

typedef struct abort_times {
  bool done;
  run_kind kind;
  uint64_t begun_ns, aborts_ns;
} abort_times;

static uint64_t thread_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The script says a line before and after it aborts. */
static void time_line(void *user, int level, const char *text, size_t len) {
  abort_times *times = user;
  (void)level, (void)text, (void)len;
  if (times->begun_ns == 0)
    times->begun_ns = thread_ns();
  else
    times->aborts_ns = thread_ns() - times->begun_ns;
}

static void note_end(run *run, const run_report *report, void *user) {
  (void)run;
  abort_times *times = user;
  times->done = true;
  times->kind = report->error.kind;
}

static uint64_t time_of_aborts(run_fixture *f, unsigned calls) {
  char source[512];
  abort_times times = {0};
  int len = snprintf(source, sizeof source,
                     "const list = [];"
                     "for (let i = 0; i < %u; i++) { const one = new AbortController();"
                     "  list.push(one); test.polite(i, {signal: one.signal}).catch(() => {}); }"
                     "console.log('begin'); for (const one of list) one.abort();"
                     "console.log('end'); 1",
                     calls);
  run_options options = {.name = "test.js",
                         .source = source,
                         .source_len = (size_t)len,
                         .kinds = f->kinds,
                         .kinds_count = KIND_COUNT,
                         .limits = run_limits_default,
                         .on_log = time_line,
                         .on_done = note_end,
                         .user = &times};
  options.limits.memory_bytes = 1u << 30;
  options.limits.cpu_ms = options.limits.wall_ms = options.limits.op_timeout_ms = 600000;
  options.limits.operations_max = calls;
  run *run = run_open(f->shard, &options);
  assert_non_null(run);
  while (!times.done)
    shard_turn(f->shard);
  assert_int_equal(times.kind, RUN_KIND_NONE);
  run_dispose(run);
  return times.aborts_ns;
}

/* What one of them costs does not grow with how many there are. */
static void cancelling_many(void **state) {
  run_fixture f;
  fixture_open(&f, state);
  uint64_t few = time_of_aborts(&f, 4000), many = time_of_aborts(&f, 64000);
  print_message("%.1f us each of 4000, %.1f us each of 64000\n", (double)few / 4e6,
                (double)many / 64e6);
  assert_true(many < 16 * 3 * few);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(each_kind_of_answer),
      ON_BOTH(calls_are_answered_in_any_order),
      ON_BOTH(reject_with_too_long_a_message),
      ON_BOTH(malformed_answers_are_errors),
      ON_BOTH(answer_after_the_timeout),
      ON_BOTH(answer_after_the_timeout_in_a_live_run),
      ON_BOTH(answer_after_the_guest_gave_up),
      ON_BOTH(answers_after_disposal),
      ON_BOTH(more_than_may_run_wait_in_order),
      ON_BOTH(a_timed_out_handler_keeps_its_slot),
      ON_BOTH(queued_calls_start_when_a_late_handler_ends),
      ON_BOTH(two_runs_take_turns),
      ON_BOTH(fifty_runs_at_once),
      ON_BOTH(pending_operations_are_listed),
      ON_BOTH(time_is_split_by_what_the_run_waits_for),
      ON_BOTH(operations_are_awaited_after_the_value),
      ON_BOTH(the_wall_ends_the_wait_after_the_value),
      ON_BOTH(closing_a_shard_waits_for_handlers),
      ON_WASM(cancelling_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
