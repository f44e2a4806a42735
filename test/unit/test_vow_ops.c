/* Operations of the C library: answers, progress, cancelling. */
#include "unit/vow_fixture.h"

/* ---- answers ---- */

static void bad_answers_leave_it_unsettled(void **state) {
  fixture f;
  subject s;
  static char long_text[5000];
  memset(long_text, 'x', sizeof long_text - 1);
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  assert_int_equal(vow_op_fulfil(op, "\xff", 1), VOW_E_CBOR);
  assert_int_equal(vow_op_fulfil(op, "\x01\x01", 2), VOW_E_CBOR);
  assert_int_equal(vow_op_fulfil(op, "", 0), VOW_E_CBOR);
  assert_int_equal(vow_op_fulfil_json(op, "{"), VOW_E_JSON);
  assert_int_equal(vow_op_fulfil_json(op, "1 2"), VOW_E_JSON);
  assert_int_equal(vow_op_fulfil_json(op, NULL), VOW_E_JSON);
  vow_error error = {.size = 0};
  assert_int_equal(vow_op_reject(op, &error), VOW_E_INVALID);
  error = (vow_error){.size = sizeof error, .message = "\xc3"};
  assert_int_equal(vow_op_reject(op, &error), VOW_E_INVALID);
  error.message = long_text;
  assert_int_equal(vow_op_reject(op, &error), VOW_E_INVALID);
  assert_int_equal(vow_op_progress(op, NULL, 1), VOW_E_INVALID);
  assert_int_equal(vow_op_fulfil_json(op, "{\"a\": [1, null, \"\\u00e4\", -0.5]}"), VOW_OK);
  vow_op_release(op);
  ends_with_value(&s, "{\"a\":[1,null,\"\xc3\xa4\",-0.5]}");
  subject_close(&s);
  assert_int_equal(counts_of(&f).repeated, 0);
  fixture_close(&f);
}

static void errors_reach_the_script(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f,
               "const show = (e) => `${e.name} ${e.code} ${e.message} ${e.transient}`;"
               "[await test.hold(1).catch(show), await test.hold(2).catch(show),"
               " await test.forget().catch(show)]");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  const vow_error error = {.size = sizeof error,
                           .name = "NotFoundError",
                           .code = "GONE",
                           .message = "no such town",
                           .transient = true};
  assert_int_equal(vow_op_reject(op, &error), VOW_OK);
  vow_op_release(op);
  until_held(&f, 1);
  op = take_held(&f);
  assert_int_equal(vow_op_reject(op, NULL), VOW_OK);
  vow_op_release(op);
  ends_with_value(&s, "[\"NotFoundError GONE no such town true\",\"ApiError undefined  false\","
                      "\"ApiError ABANDONED the handler let go without an answer false\"]");
  subject_close(&s);
  assert_int_equal(counts_of(&f).abandoned, 1);
  fixture_close(&f);
}

static void settles_once(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  assert_int_equal(vow_op_fulfil(op, "\x01", 1), VOW_OK);
  assert_int_equal(vow_op_fulfil(op, "\x02", 1), VOW_LATE);
  assert_int_equal(vow_op_reject(op, NULL), VOW_LATE);
  assert_int_equal(vow_op_progress(op, "x", 1), VOW_LATE);
  assert_int_equal(vow_op_on_cancel(op, NULL, NULL), VOW_LATE);
  ends_with_value(&s, "1");
  assert_int_equal(vow_op_fulfil(op, "\x03", 1), VOW_LATE);
  subject_close(&s);
  assert_int_equal(vow_op_fulfil(op, "\x04", 1), VOW_LATE);
  assert_false(vow_run_alive(vow_op_run(op)));
  assert_int_equal(counts_of(&f).repeated, 4);
  vow_op_release(op);
  fixture_close(&f);
}

static void an_operation_outlives_everything(void **state) {
  fixture f;
  subject s;
  size_t len;
  const char *json;
  fixture_open(&f, state);
  subject_open(&s, &f, "test.hold('held'); await test.hold(2)");
  until_held(&f, 2);
  vow_op *op = take_held(&f), *other = take_held(&f);
  assert_ptr_equal(vow_op_retain(vow_op_retain(op)), op); /* nested */
  assert_int_equal(fixture_leave(&f, 3), VOW_OK);         /* the run, too */
  assert_int_equal(s.done, 1);
  assert_string_equal(s.kind, "cancelled");
  assert_true(vow_op_cancelled(op));
  vow_op_release(op);
  assert_false(vow_run_alive(vow_op_run(op)));
  assert_ptr_equal(vow_run_user(vow_op_run(op)), &s);
  assert_int_equal(vow_run_dispose(vow_op_run(op)), VOW_E_STATE);
  assert_int_equal(vow_run_cancel(vow_op_run(op)), VOW_OK);
  assert_int_equal(vow_run_pending(vow_op_run(op), NULL, 0), 0);
  assert_non_null(vow_op_args(op, &len));
  assert_int_equal(vow_op_args_json(op, &json), VOW_OK);
  assert_string_equal(json, "[\"held\"]");
  assert_int_equal(vow_op_remaining_ms(op), 0);
  assert_int_equal(vow_op_fulfil(op, "\x01", 1), VOW_LATE);
  assert_int_equal(vow_op_progress(op, "x", 1), VOW_LATE);
  assert_int_equal(vow_op_on_cancel(op, NULL, NULL), VOW_E_CANCELLED);
  vow_op_release(op);
  assert_string_equal(vow_op_name(op), "test.hold");
  vow_op_release(op);
  vow_op_release(other); /* without an answer */
  assert_int_equal(atomic_load(&f.blocks), 0);
}

/* ---- cancelling ---- */

static void note_cancel(vow_op *op, void *user) {
  fixture *f = user;
  f->cancels++;
  assert_true(vow_op_cancelled(op));
  assert_int_equal(vow_op_remaining_ms(op), 0);
}

static void release_on_cancel(vow_op *op, void *user) {
  note_cancel(op, user);
  assert_int_equal(vow_op_reject(op, NULL), VOW_LATE);
  vow_op_release(op);
}

static void a_time_limit_tells_the_handler(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1, {timeout: " TEXT_OF(BEGUN_MS) "}).catch((e) => e.name)");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  assert_int_equal(vow_op_on_cancel(op, release_on_cancel, &f), VOW_OK);
  assert_int_equal(vow_op_on_cancel(op, NULL, NULL), VOW_OK); /* taken back */
  assert_int_equal(vow_op_on_cancel(op, note_cancel, &f), VOW_OK);
  ends_with_value(&s, "\"TimeoutError\"");
  assert_int_equal(f.cancels, 1);
  assert_int_equal(counts_of(&f).running, 1); /* its end is awaited */
  assert_int_equal(vow_op_on_cancel(op, note_cancel, &f), VOW_E_CANCELLED);
  assert_int_equal(vow_op_progress(op, "x", 1), VOW_LATE);
  assert_int_equal(vow_op_fulfil(op, NULL, 0), VOW_LATE);
  assert_int_equal(counts_of(&f).running, 0);
  assert_int_equal(counts_of(&f).late, 1);
  assert_int_equal(counts_of(&f).timed_out, 1);
  vow_op_release(op);
  subject_close(&s);
  fixture_close(&f);
}

static void cancel_in_log(subject *s) {
  assert_int_equal(vow_run_cancel(s->run), VOW_OK);
  assert_int_equal(s->done, 0); /* after the turn */
  assert_int_equal(vow_eval(s->f->rt, &s->request, NULL, NULL, NULL), VOW_E_STATE);
  assert_int_equal(vow_run_set_wall(s->run, 1), VOW_E_STATE);
  assert_int_equal(vow_loop_turn(s->f->rt), VOW_E_STATE);
  assert_int_equal(vow_runtime_close(s->f->rt), VOW_E_STATE);
}

static void dispose_in_log(subject *s) {
  assert_int_equal(vow_run_dispose(s->run), VOW_OK);
}

static void answer_in_log(subject *s) {
  vow_op *op = take_held(s->f);
  assert_int_equal(vow_op_progress(op, "soon", 4), VOW_OK);
  assert_int_equal(vow_op_fulfil(op, "\x07", 1), VOW_OK);
  vow_op_release(op);
  assert_int_equal(s->progress, 0); /* after the turn */
}

static void dispose_when_done(subject *s) {
  assert_int_equal(vow_runtime_close(s->f->rt), VOW_E_STATE);
  assert_int_equal(vow_loop_run(s->f->rt, VOW_LOOP_DONE), VOW_E_STATE);
  subject_close(s);
}

static void dispose_at_event(subject *s, const vow_event *event) {
  if (event->kind == VOW_EVENT_STARTED)
    assert_int_equal(vow_run_dispose(s->run), VOW_OK);
}

static void cancels_in_every_state(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  /* Before its first turn. */
  subject_open(&s, &f, "1");
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  assert_string_equal(s.kind, "cancelled");
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  subject_close(&s);
  /* While it waits; the handler is told. */
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  assert_int_equal(vow_op_on_cancel(op, release_on_cancel, &f), VOW_OK);
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  assert_int_equal(f.cancels, 1);
  assert_int_equal(s.done, 1);
  subject_close(&s);
  /* In the middle of a turn. */
  subject_init(&s, &f, "console.log('now'); await test.hold(1)");
  s.when_log = cancel_in_log;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_kind(&s, "cancelled");
  subject_close(&s);
  release_all_held(&f);
  /* Disposed instead, at every place. */
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  assert_int_equal(s.events[VOW_EVENT_STARTED], 1);
  subject_close(&s);
  release_all_held(&f);
  assert_int_equal(s.done, 0);
  assert_int_equal(s.events[VOW_EVENT_SETTLED], 0);     /* silent from then on */
  if (*(const vow_engine *)*state == VOW_ENGINE_WASM) { /* natively nothing yields */
    subject_open(&s, &f, "for (;;) {}");
    assert_int_equal(vow_loop_turn(f.rt), VOW_OK);
    subject_close(&s);
    assert_int_equal(s.done, 0);
  }
  fixture_close(&f);
}

static void disposes_in_callbacks(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_init(&s, &f, "console.log(1); console.log(2); await test.hold(1)");
  s.when_log = dispose_in_log;
  assert_int_equal(subject_try(&s), VOW_OK);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_ONCE), VOW_OK);
  release_all_held(&f);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  release_all_held(&f);
  assert_int_equal(s.logs, 1); /* silent from then on */
  assert_int_equal(s.done, 0);
  subject_init(&s, &f, "await test.echo(1)");
  s.when_done = dispose_when_done;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "1");
  subject_init(&s, &f, "await test.echo(1); await test.echo(2)");
  s.when_event = dispose_at_event;
  assert_int_equal(subject_try(&s), VOW_OK);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(s.done, 0);
  fixture_close(&f);
}

static void progress_is_told(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.hold(1)");
  until_held(&f, 1);
  assert_int_equal(vow_op_progress(f.held[0], "50%", 3), VOW_OK);
  assert_string_equal(s.told, "1 test.hold 50%");
  subject_close(&s);
  release_all_held(&f);
  subject_init(&s, &f, "const p = test.hold(1); await test.echo(1); console.log(2); await p");
  s.when_log = answer_in_log;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "7");
  assert_int_equal(s.progress, 1);
  assert_string_equal(s.told, "1 test.hold soon");
  subject_close(&s);
  fixture_close(&f);
}

static void tell_in_log(subject *s) {
  assert_int_equal(vow_op_progress(s->f->held[0], "first", 5), VOW_OK);
}

/* After the turn in which it was told, and before what was told behind it. */
static void on_tell(vow_op *op, void *user) {
  fixture *f = user;
  vow_op *held = take_held(f);
  assert_int_equal(vow_op_progress(held, "second", 6), VOW_OK);
  assert_int_equal(vow_op_fulfil_json(held, "\"third\""), VOW_OK);
  vow_op_release(held);
  vow_op_fulfil(op, NULL, 0);
}

static void note_order(vow_run *run, uint64_t number, const char *name, const void *bytes,
                       size_t len, void *user) {
  subject *s = user;
  (void)run, (void)number, (void)name;
  snprintf(s->told + strlen(s->told), sizeof s->told - strlen(s->told), "%.*s ", (int)len,
           (const char *)bytes);
}

static void nothing_overtakes_progress(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  assert_int_equal(vow_register(f.rt, "test.tell", on_tell, NULL, &f), VOW_OK);
  subject_init(&s, &f,
               "const p = test.hold(1); await test.echo(1);"
               "console.log(2); await test.tell(1); await p");
  s.when_log = tell_in_log;
  s.request.on_progress = note_order;
  assert_int_equal(subject_try(&s), VOW_OK);
  ends_with_value(&s, "\"third\"");
  assert_string_equal(s.told, "first second ");
  subject_close(&s);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(bad_answers_leave_it_unsettled),
      ON_BOTH(errors_reach_the_script),
      ON_BOTH(settles_once),
      ON_BOTH(an_operation_outlives_everything),
      ON_BOTH(a_time_limit_tells_the_handler),
      ON_BOTH(cancels_in_every_state),
      ON_BOTH(disposes_in_callbacks),
      ON_BOTH(progress_is_told),
      ON_BOTH(nothing_overtakes_progress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
