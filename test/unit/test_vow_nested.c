/* The public interface: runs nested in operations, batches, and what is written down:
 * audit, metrics, leaks. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/audit.h"
#include "unit/vow_fixture.h"

/* ---- nested runs ---- */

/* test.nest(source): the handler answers with what that evaluates to. */
typedef struct nesting {
  fixture *f;
  vow_op *op; /* held while the nested run goes on */
  vow_run *run;
  uint64_t wall_ms;
  unsigned begun, done, events;
  vow_outcome outcome;
  vow_status status;
  uint64_t calls_left;
  bool keep; /* do not answer when it is done */
} nesting;

static void nested_done(vow_run *run, const vow_report *report, void *user) {
  nesting *n = user;
  n->done++;
  n->outcome = report->outcome;
  if (!n->keep && report->value)
    vow_op_fulfil_json(n->op, report->value);
  vow_op_release(n->op);
  vow_run_dispose(run);
}

static void on_nest(vow_op *op, void *user) {
  nesting *n = user;
  const char *args;
  char source[200];
  assert_int_equal(vow_op_args_json(op, &args), VOW_OK);
  snprintf(source, sizeof source, "await eval((%s)[0])", args);
  vow_request request = {.size = sizeof request,
                         .source = source,
                         .allow = "test.*",
                         .parent = op,
                         .tenant = "nested",
                         .wall_ms = n->wall_ms};
  n->calls_left = vow_op_calls_left(op);
  n->op = vow_op_retain(op);
  n->status = vow_eval(n->f->rt, &request, nested_done, n, &n->run);
  n->begun += n->status == VOW_OK;
  if (n->status != VOW_OK)
    vow_op_release(n->op);
}

static void nesting_open(nesting *n, fixture *f, void **state) {
  fixture_open(f, state);
  *n = (nesting){.f = f};
  assert_int_equal(vow_register(f->rt, "test.nest", on_nest, NULL, n), VOW_OK);
}

static void a_nested_run_answers(void **state) {
  fixture f;
  subject s;
  nesting n;
  nesting_open(&n, &f, state);
  subject_init(&s, &f, "await test.nest('test.echo(5)')");
  s.request.operations_max = 7;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "5");
  assert_int_equal(n.calls_left, 6);
  assert_int_equal(n.outcome, VOW_VALUE);
  subject_close(&s);
  fixture_close(&f);
}

static void ends_with_its_operation(void **state, const char *source, const char *value) {
  fixture f;
  subject s;
  nesting n;
  nesting_open(&n, &f, state);
  subject_open(&s, &f, source);
  bool aborts = strstr(source, "abort") != NULL;
  until_held(&f, aborts ? 2 : 1);
  vow_op *op = take_held(&f);
  if (aborts) {
    vow_op *go = take_held(&f);
    if (vow_op_run(op) != n.run) {
      vow_op *other = go;
      go = op;
      op = other;
    }
    assert_int_equal(vow_op_fulfil_json(go, "1"), VOW_OK);
    vow_op_release(go);
  }
  ends_with_value(&s, value);
  assert_int_equal(n.begun, 1);
  assert_int_equal(n.done, 1);
  assert_int_equal(n.outcome, VOW_CANCELLED);
  assert_true(vow_op_cancelled(op));
  assert_int_equal(vow_op_remaining_ms(op), 0);
  vow_op_release(op);
  subject_close(&s);
  fixture_close(&f);
}

static void a_nested_run_ends_with_its_operation(void **state) {
  ends_with_its_operation(state,
                          "await test.nest('test.hold(1)', {timeout: 1000}).catch((e) => e.name)",
                          "\"TimeoutError\"");
  ends_with_its_operation(state,
                          "const c = new AbortController();"
                          "const p = test.nest('test.hold(1)', {signal: c.signal});"
                          "await test.echo(1); await test.hold(2);"
                          "c.abort('enough'); await p.catch((e) => e)",
                          "\"enough\"");
}

/* A time limit of the operation is one of the run that is nested in it. */
static void a_nested_run_has_no_more_time(void **state) {
  fixture f;
  subject s;
  nesting n;
  nesting_open(&n, &f, state);
  n.wall_ms = 60000;
  subject_open(&s, &f, "await test.nest('test.hold(1)', {timeout: 5000})");
  until_held(&f, 1);
  assert_in_range(vow_op_remaining_ms(f.held[0]), 1, 5002);
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  assert_int_equal(s.done, 1);
  assert_int_equal(n.done, 1); /* before this returns */
  assert_int_equal(n.outcome, VOW_CANCELLED);
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

static void dispose_the_nested(vow_op *op, void *user) {
  nesting *n = user;
  (void)op;
  n->done++;
  assert_int_equal(vow_run_dispose(n->run), VOW_OK);
  vow_op_release(n->op);
}

/* Whatever disposes what, and where. */
static void nested_runs_are_disposed(void **state) {
  for (int who = 0; who < 3; who++) {
    fixture f;
    subject s;
    nesting n;
    nesting_open(&n, &f, state);
    subject_open(&s, &f, "await test.nest('test.hold(1)')");
    until_held(&f, 1);
    if (who == 1) /* by the callback that tells of the end */
      assert_int_equal(vow_op_on_cancel(n.op, dispose_the_nested, &n), VOW_OK);
    if (who == 2) { /* by its program, long before */
      assert_int_equal(vow_run_dispose(n.run), VOW_OK);
      vow_op_release(n.op);
    }
    subject_close(&s);
    assert_int_equal(n.done, who == 2 ? 0 : 1);
    release_all_held(&f);
    fixture_close(&f);
  }
}

/* When its operation is answered early, it is the run's. */
static void a_nested_run_ends_with_the_run_at_the_latest(void **state) {
  fixture f;
  subject s;
  nesting n;
  nesting_open(&n, &f, state);
  n.keep = true;
  subject_open(&s, &f, "await test.nest('test.hold(1)')");
  until_held(&f, 1);
  assert_int_equal(vow_op_fulfil_json(n.op, "1"), VOW_OK);
  assert_int_equal(n.done, 0);
  ends_with_value(&s, "1");
  assert_int_equal(n.done, 1);
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

static void a_late_parent_is_refused(void **state) {
  fixture f, g;
  subject s;
  nesting n;
  nesting_open(&n, &f, state);
  fixture_open(&g, state);
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  vow_request request = {.size = sizeof request, .source = "1", .parent = f.held[0]};
  assert_int_equal(vow_eval(g.rt, &request, NULL, NULL, NULL), VOW_E_INVALID);
  fixture_close(&g);
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  assert_int_equal(vow_eval(f.rt, &request, NULL, NULL, NULL), VOW_E_CANCELLED);
  assert_string_equal(vow_runtime_message(f.rt), "parent: nobody waits for test.hold any more");
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

static void an_answered_parent_is_refused(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1); await test.hold(2)");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  vow_request request = {.size = sizeof request, .source = "1", .parent = op};
  assert_int_equal(vow_op_fulfil_json(op, "1"), VOW_OK);
  assert_int_equal(vow_eval(f.rt, &request, NULL, NULL, NULL), VOW_E_CANCELLED);
  vow_op_release(op);
  subject_close(&s);
  release_all_held(&f);
  fixture_close(&f);
}

/* ---- answers that come too late ---- */

/* test.end(): its handler disposes the run that it is a call of, then goes on. */
static void on_end(vow_op *op, void *user) {
  fixture *f = user;
  vow_request request = {.size = sizeof request, .source = "1", .parent = op};
  assert_int_equal(vow_op_on_cancel(op, NULL, NULL), VOW_OK);
  assert_int_equal(vow_run_dispose(vow_op_run(op)), VOW_OK);
  assert_true(vow_op_cancelled(op));
  assert_int_equal(vow_op_remaining_ms(op), 0);
  assert_int_equal(vow_op_on_cancel(op, NULL, NULL), VOW_E_CANCELLED);
  assert_int_equal(vow_op_progress(op, "x", 1), VOW_LATE);
  assert_int_equal(vow_eval(f->rt, &request, NULL, NULL, NULL), VOW_E_CANCELLED);
  assert_int_equal(vow_op_fulfil(op, NULL, 0), VOW_LATE);
}

static void a_handler_that_ends_its_run_is_late(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.end", on_end, NULL, &f), VOW_OK);
  subject_open(&s, &f, "await test.end()");
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(s.done, 0);
  assert_int_equal(counts_of(&f).late, 1);
  assert_int_equal(counts_of(&f).repeated, 0);
  fixture_close(&f);
}

typedef struct freeing {
  fixture f;
  vow_status answered;
} freeing;

/* test.free(): answers what is held, by an error that may be tried again. */
static void on_free(vow_op *op, void *user) {
  freeing *g = user;
  const vow_error again = {.size = sizeof again, .transient = true};
  vow_op *held = take_held(&g->f);
  g->answered = vow_op_reject(held, &again);
  vow_op_release(held);
  assert_int_equal(vow_op_fulfil(op, NULL, 0), VOW_OK);
}

/* False: the script was interrupted between the two, and the answer came before. */
static bool gives_up_before_the_answer(freeing *g) {
  subject s;
  subject_open(&s, &g->f,
               "const c = new AbortController(); const p = test.hold(1, {signal: c.signal});"
               "await test.echo(1); const q = test.free(); c.abort('enough');"
               "await q; await p.catch((e) => e.name ?? e)");
  until_done(&s); /* which tells what `answered` is */
  ends_with_value(&s, g->answered == VOW_LATE ? "\"enough\"" : "\"ApiError\"");
  subject_close(&s);
  return g->answered == VOW_LATE;
}

/* The call was given up in the turn that began the other one, whose handler comes
 * before the first one's is told. */
static void an_answer_is_late_before_its_handler_is_told(void **state) {
  freeing g;
  unsigned tries = 0;
  fixture_open(&g.f, state);
  assert_int_equal(vow_register(g.f.rt, "test.free", on_free, NULL, &g), VOW_OK);
  while (!gives_up_before_the_answer(&g))
    assert_in_range(++tries, 1, 100);
  assert_int_equal(counts_of(&g.f).late, 1);
  fixture_close(&g.f);
}

/* ---- batches ---- */

typedef struct crowd {
  fixture *f;
  atomic_size_t batches, most, calls; /* blocking handlers are on threads of their own */
} crowd;

/* Each call gets its argument; those of 3 none. */
static void on_crowd(vow_op **ops, size_t count, void *user) {
  crowd *c = user;
  c->batches++;
  c->calls += count;
  for (size_t most = c->most; count > most;)
    if (atomic_compare_exchange_weak(&c->most, &most, count))
      break;
  for (size_t i = 0; i < count; i++) {
    size_t len;
    const void *value = first_argument(ops[i], &len);
    if (len != 1 || *(const uint8_t *)value != 3)
      vow_op_fulfil(ops[i], value, len);
  }
}

static void calls_come_together(void **state) {
  for (int blocking = 0; blocking < 2; blocking++) {
    fixture f;
    subject s;
    crowd c = {.f = &f};
    vow_policy policy = {
        .size = sizeof policy, .blocking = blocking, .batch = on_crowd, .batch_max = 4};
    fixture_open(&f, state);
    assert_int_equal(vow_register(f.rt, "test.crowd", NULL, &policy, &c), VOW_OK);
    subject_open(&s, &f,
                 "(await Promise.allSettled([0, 1, 2, 3, 4, 5, 6, 7].map((i) => test.crowd(i))))"
                 ".map((end) => end.value ?? end.reason.code).join()");
    ends_with_value(&s, "\"0,1,2,ABANDONED,4,5,6,7\"");
    assert_int_equal(c.calls, 8);
    /* The guest may be interrupted between two of its calls. */
    assert_true(c.batches >= 2 && c.batches < 8);
    assert_true(c.most >= 2 && c.most <= 4);
    assert_true(vow_run_report(s.run)->batched >= 2);
    subject_close(&s);
    fixture_close(&f);
  }
}

static void a_batch_is_cut_by_the_end(vow_op **ops, size_t count, void *user) {
  crowd *c = user;
  c->calls += count;
  vow_run *run = vow_op_run(ops[0]);
  assert_int_equal(vow_run_dispose(run), VOW_OK);
  for (size_t i = 0; i < count; i++)
    vow_op_fulfil(ops[i], NULL, 0);
}

static void batches_are_checked(void **state) {
  fixture f;
  subject s;
  crowd c = {.f = &f};
  vow_policy policy = {.size = sizeof policy, .batch = a_batch_is_cut_by_the_end};
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.a", on_echo, &policy, &c), VOW_E_INVALID);
  policy.batch_max = 257;
  assert_int_equal(vow_register(f.rt, "test.a", NULL, &policy, &c), VOW_E_INVALID);
  policy = (vow_policy){.size = sizeof policy, .batch_max = 2};
  assert_int_equal(vow_register(f.rt, "test.a", on_echo, &policy, &c), VOW_E_INVALID);
  policy = (vow_policy){.size = sizeof policy, .batch = a_batch_is_cut_by_the_end};
  assert_int_equal(vow_register(f.rt, "test.a", NULL, &policy, &c), VOW_OK);
  size_t before, tries = 0;
  do { /* until it was not interrupted between its calls */
    before = c.calls;
    subject_open(&s, &f, "await Promise.all([test.a(), test.a(), test.a()])");
    assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
    assert_int_equal(s.done, 0);
    assert_in_range(++tries, 1, 100);
  } while (c.calls - before < 3);
  assert_int_equal(c.calls - before, 3);
  assert_int_equal(counts_of(&f).late, c.calls);
  fixture_close(&f);
}

/* ---- what is written down ---- */

static size_t read_file(const char *path, char *text, size_t size) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(text, 1, size - 1, file);
  fclose(file);
  text[len] = 0;
  return len;
}

static void fixture_open_audit(fixture *f, void **state, const char *path) {
  vow_runtime_options options = {
      .engine = *(const vow_engine *)*state, .audit = path, .metrics = true};
  *f = (fixture){0};
  assert_int_equal(fixture_try(f, &options), VOW_OK);
}

static void everything_is_written_down(void **state) {
  static char text[1 << 16];
  static audit_check check;
  char path[] = "/tmp/vow-audit-XXXXXX", last[65], refused[200];
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (int round = 0; round < 2; round++) { /* the chain goes on */
    fixture f, g = {0};
    subject s;
    fixture_open_audit(&f, state, path);
    vow_runtime_options second = {.engine = *(const vow_engine *)*state,
                                  .audit = path,
                                  .message = refused,
                                  .message_size = sizeof refused};
    assert_int_equal(fixture_try(&g, &second), VOW_E_OPEN);
    assert_non_null(strstr(refused, "another process writes to it"));
    nesting n = {.f = &f};
    assert_int_equal(vow_register(f.rt, "test.nest", on_nest, NULL, &n), VOW_OK);
    subject_init(&s, &f, "await test.nest('test.echo(5)')");
    s.request.tenant = "acme";
    assert_int_equal(subject_try(&s), VOW_OK);
    ends_with_value(&s, "5");
    const char *json, *metrics;
    assert_int_equal(vow_run_report_json(s.run, &json), VOW_OK);
    const vow_report *report = vow_run_report(s.run);
    memcpy(last, report->audit_last, sizeof last);
    assert_non_null(strstr(json, last));
    assert_int_equal(report->audit_dropped, 0);
    assert_int_equal(vow_runtime_metrics(f.rt, &metrics), VOW_OK);
    assert_non_null(strstr(metrics, "vow_runs_total{outcome=\"value\",kind=\"none\"} 2\n"));
    assert_non_null(
        strstr(metrics, "vow_operations_total{kind=\"test.echo\",state=\"fulfilled\"} 1\n"));
    subject_close(&s);
    subject_open(&s, &f, "await test.hold(1)"); /* disposed: it has an end all the same */
    until_held(&f, 1);
    release_all_held(&f);
    subject_close(&s);
    assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
    fixture_close(&f);
    size_t len = read_file(path, text, sizeof text);
    audit_check_begin(&check, last);
    audit_check_feed(&check, text, len);
    assert_int_equal(audit_check_end(&check), AUDIT_WHOLE);
    size_t opened = 0, ended = 0, nested = 0;
    for (const char *at = text; (at = strstr(at, "\"event\":\"opened\"")); at++)
      opened++;
    for (const char *at = text; (at = strstr(at, "\"event\":\"ended\"")); at++)
      ended++;
    for (const char *at = text; (at = strstr(at, "/1\",\"tenant\":\"nested\"")); at++)
      nested++;
    assert_int_equal(opened, 3 * (round + 1));
    assert_int_equal(ended, opened);
    assert_int_equal(nested, 5 * (round + 1)); /* opened, created, started, settled, ended */
    assert_non_null(strstr(text, "\"tenant\":\"acme\""));
  }
  unlink(path);
}

static void an_audit_that_cannot_be_written_is_told(void **state) {
  fixture f = {0};
  subject s;
  char message[200];
  vow_runtime_options options = {.engine = *(const vow_engine *)*state,
                                 .audit = "/nonexistent/audit",
                                 .message = message,
                                 .message_size = sizeof message};
  const char *text;
  assert_int_equal(fixture_try(&f, &options), VOW_E_OPEN);
  assert_string_equal(message,
                      "audit /nonexistent/audit: cannot be written: No such file or directory");
  options.audit = "/dev/full";
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  assert_int_equal(vow_runtime_metrics(f.rt, &text), VOW_E_STATE);
  subject_open(&s, &f, "await test.echo(1)");
  ends_with_value(&s, "1");
  subject_close(&s);
  assert_int_equal(fixture_leave(&f, 0), VOW_E_LOST);
  assert_int_equal(atomic_load(&f.blocks), 0);
}

static void leaks_are_named(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, "function lose() { return test.hold(1) }\nawait lose()");
  s.request.debug = true;
  s.request.wall_ms = BEGUN_MS;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_kind(&s, "timeout");
  const vow_report *report = vow_run_report(s.run);
  assert_int_equal(report->leaks_count, 1);
  assert_string_equal(report->leaks[0].name, "test.hold");
  assert_non_null(strstr(report->leaks[0].site, "lose"));
  assert_non_null(strstr(s.error, "wall_ms"));
  assert_null(strstr(s.error, "--"));
  release_all_held(&f);
  subject_close(&s);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(a_nested_run_answers),
      ON_BOTH(a_nested_run_ends_with_its_operation),
      ON_BOTH(a_nested_run_has_no_more_time),
      ON_BOTH(nested_runs_are_disposed),
      ON_BOTH(a_nested_run_ends_with_the_run_at_the_latest),
      ON_BOTH(a_late_parent_is_refused),
      ON_BOTH(an_answered_parent_is_refused),
      ON_BOTH(a_handler_that_ends_its_run_is_late),
      ON_BOTH(an_answer_is_late_before_its_handler_is_told),
      ON_BOTH(calls_come_together),
      ON_BOTH(batches_are_checked),
      ON_BOTH(everything_is_written_down),
      ON_BOTH(an_audit_that_cannot_be_written_is_told),
      ON_BOTH(leaks_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
