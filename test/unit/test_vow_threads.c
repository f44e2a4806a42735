/* The public interface and several threads: answers from elsewhere, raced, late and
 * after the end; runtimes side by side. What it finds, it finds under
 * ThreadSanitizer too. And each allocation failing once. */
#include <pthread.h>
#include <sched.h>

#include "unit/vow_fixture.h"

#define ANSWERERS 3
#define LANES 2
#define ROUNDS 8
#define CALLS 100

/* Threads that answer what they are given, each operation twice. */
typedef struct desk {
  pthread_t threads[ANSWERERS];
  pthread_mutex_t lock;
  pthread_cond_t changed;
  vow_op *queue[LANES * CALLS * 2]; /* each with a reference */
  size_t count;
  bool paused, closing;
  atomic_uint answered, late, cancelled;
} desk;

static void answer(desk *d, vow_op *op) {
  char told[24];
  const char *args;
  snprintf(told, sizeof told, "%d", (int)vow_op_number(op));
  vow_op_progress(op, told, strlen(told));
  assert_int_equal(vow_op_args_json(op, &args), VOW_OK);
  vow_status status =
      vow_op_number(op) % 5 ? vow_op_fulfil_json(op, args) : vow_op_reject(op, NULL);
  assert_true(status == VOW_OK || status == VOW_LATE);
  atomic_fetch_add(status == VOW_OK ? &d->answered : &d->late, 1);
}

static void *desk_main(void *user) {
  desk *d = user;
  pthread_mutex_lock(&d->lock);
  for (;;) {
    while (!d->closing && (d->count == 0 || d->paused))
      pthread_cond_wait(&d->changed, &d->lock);
    if (d->count == 0)
      break;
    vow_op *op = d->queue[--d->count];
    pthread_mutex_unlock(&d->lock);
    answer(d, op);
    vow_op_release(op);
    pthread_mutex_lock(&d->lock);
  }
  pthread_mutex_unlock(&d->lock);
  return NULL;
}

static void count_cancel(vow_op *op, void *user) {
  desk *d = user;
  (void)op;
  atomic_fetch_add(&d->cancelled, 1);
}

static void on_desk(vow_op *op, void *user) {
  desk *d = user;
  assert_int_equal(vow_op_on_cancel(op, count_cancel, d), VOW_OK);
  pthread_mutex_lock(&d->lock);
  for (int i = 0; i < 2; i++) /* two of them race to answer */
    if (d->count < sizeof d->queue / sizeof *d->queue)
      d->queue[d->count++] = vow_op_retain(op);
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

static void desk_open(desk *d) {
  *d = (desk){0};
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->changed, NULL);
  for (size_t i = 0; i < ANSWERERS; i++)
    assert_int_equal(pthread_create(&d->threads[i], NULL, desk_main, d), 0);
}

static void desk_pause(desk *d, bool paused) {
  pthread_mutex_lock(&d->lock);
  d->paused = paused;
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

/* Answers what is left first. */
static void desk_close(desk *d) {
  pthread_mutex_lock(&d->lock);
  d->closing = true;
  d->paused = false;
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
  for (size_t i = 0; i < ANSWERERS; i++)
    pthread_join(d->threads[i], NULL);
  pthread_cond_destroy(&d->changed);
  pthread_mutex_destroy(&d->lock);
}

static const char calls_many[] =
    "const all = []; for (let i = 0; i < context.n; i++) all.push(desk.ask(i));"
    "const ends = await Promise.allSettled(all);"
    "ends.filter((end, i) => end.status === 'fulfilled' ? end.value[0] === i : (i + 1) % 5 === 0)"
    ".length";

static void subject_ask(subject *s, fixture *f, const char *source) {
  subject_init(s, f, source);
  s->request.allow = "desk.*";
  s->request.context = "{\"n\": 100}";
  assert_int_equal(subject_try(s), VOW_OK);
}

static void answers_come_from_other_threads(void **state) {
  fixture f;
  subject s;
  desk d;
  fixture_open(&f, state);
  desk_open(&d);
  assert_int_equal(vow_register(f.rt, "desk.ask", on_desk, NULL, &d), VOW_OK);
  subject_ask(&s, &f, calls_many);
  ends_with_value(&s, "100");
  desk_close(&d);
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  subject_close(&s);
  assert_int_equal(atomic_load(&d.answered), CALLS);
  assert_int_equal(atomic_load(&d.late), CALLS);
  assert_int_equal(atomic_load(&d.cancelled), 0);
  vow_counts counts = counts_of(&f);
  assert_int_equal(counts.repeated, CALLS);
  assert_int_equal(counts.fulfilled, CALLS - CALLS / 5);
  assert_int_equal(counts.rejected, CALLS / 5);
  fixture_close(&f);
}

/* Each operation is asked for, cancelled and answered at any moment. */
static void cancels_race_with_answers(void **state) {
  fixture f;
  desk d;
  fixture_open(&f, state);
  desk_open(&d);
  assert_int_equal(vow_register(f.rt, "desk.ask", on_desk, NULL, &d), VOW_OK);
  for (unsigned round = 0; round < ROUNDS; round++) {
    subject s;
    desk_pause(&d, round % 2);
    subject_ask(&s, &f, calls_many);
    for (unsigned turn = 0; turn < 1 + round % 4; turn++)
      assert_int_equal(vow_loop_turn(f.rt), VOW_OK);
    desk_pause(&d, false);
    if (round % 3)
      assert_int_equal(vow_run_cancel(s.run), VOW_OK);
    subject_close(&s);
  }
  assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
  desk_close(&d);
  fixture_close(&f);
}

static void the_runtime_closes_under_them(void **state) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    fixture f;
    subject s;
    desk d;
    fixture_open(&f, state);
    desk_open(&d);
    desk_pause(&d, round % 2);
    assert_int_equal(vow_register(f.rt, "desk.ask", on_desk, NULL, &d), VOW_OK);
    subject_ask(&s, &f, calls_many);
    assert_int_equal(vow_loop_turn(f.rt), VOW_OK);
    assert_int_equal(vow_loop_turn(f.rt), VOW_OK);
    assert_int_equal(fixture_leave(&f, ANY), VOW_OK);
    desk_close(&d); /* whatever they answer now is late */
    assert_int_equal(s.done, 1);
    assert_int_equal(atomic_load(&f.blocks), 0);
  }
}

/* ---- runs, asked by whoever holds an operation of them ---- */

typedef struct asker {
  vow_op *op;
  atomic_bool started, disposed;
} asker;

static void *ask_of_the_run(void *user) {
  asker *a = user;
  vow_run *run = vow_op_run(a->op);
  vow_pending pending;
  for (unsigned after = 0; after < 100; after += atomic_load(&a->disposed)) {
    assert_int_equal(vow_run_cancel(run), VOW_E_THREAD);
    assert_int_equal(vow_run_dispose(run), VOW_E_THREAD);
    assert_int_equal(vow_run_pending(run, &pending, 1), 0);
    assert_null(vow_run_report(run));
    assert_non_null(vow_run_user(run));
    vow_run_alive(run);
    atomic_store(&a->started, true);
  }
  vow_op_release(a->op);
  return NULL;
}

static void runs_are_disposed_while_they_are_asked(void **state) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    fixture f;
    subject s;
    pthread_t thread;
    fixture_open(&f, state);
    subject_open(&s, &f, "await test.hold(1)");
    until_held(&f, 1);
    asker a = {.op = take_held(&f)};
    assert_int_equal(pthread_create(&thread, NULL, ask_of_the_run, &a), 0);
    while (!atomic_load(&a.started))
      sched_yield();
    subject_close(&s);
    if (round % 2)
      assert_int_equal(fixture_leave(&f, 1), VOW_OK);
    atomic_store(&a.disposed, true);
    pthread_join(thread, NULL);
    if (round % 2 == 0) {
      assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_DONE), VOW_OK);
      fixture_close(&f);
    }
    assert_int_equal(atomic_load(&f.blocks), 0);
  }
}

/* ---- runtimes side by side ---- */

typedef struct lane {
  pthread_t thread;
  void *engine;
  desk *desk; /* shared */
  unsigned values;
} lane;

static void *lane_main(void *user) {
  lane *l = user;
  for (unsigned round = 0; round < 3; round++) {
    fixture f;
    fixture_open(&f, &l->engine);
    assert_int_equal(vow_register(f.rt, "desk.ask", on_desk, NULL, l->desk), VOW_OK);
    for (unsigned i = 0; i < 5; i++) {
      subject s;
      subject_ask(&s, &f, calls_many);
      until_done(&s);
      l->values += s.outcome == VOW_VALUE && strcmp(s.value, "100") == 0;
      subject_close(&s);
    }
    assert_int_equal(fixture_leave(&f, ANY), VOW_OK);
    /* The desk may hold some for a moment longer: their memory is looked at by
     * LeakSanitizer, and the allocator must live until then. */
    while (atomic_load(&f.blocks) > 0)
      sched_yield();
  }
  return NULL;
}

static void runtimes_run_side_by_side(void **state) {
  desk d;
  lane lanes[LANES];
  desk_open(&d);
  for (size_t i = 0; i < LANES; i++) {
    lanes[i] = (lane){.engine = *state, .desk = &d};
    assert_int_equal(pthread_create(&lanes[i].thread, NULL, lane_main, &lanes[i]), 0);
  }
  for (size_t i = 0; i < LANES; i++) {
    pthread_join(lanes[i].thread, NULL);
    assert_int_equal(lanes[i].values, 15);
  }
  desk_close(&d);
}

/* Two runtimes on one thread do not disturb each other. */
static void one_thread_has_two(void **state) {
  fixture f, g;
  subject s, t;
  fixture_open(&f, state);
  fixture_open(&g, state);
  subject_open(&s, &f, "await test.hold('s')");
  subject_open(&t, &g, "await test.echo('t')");
  ends_with_value(&t, "\"t\"");
  until_held(&f, 1);
  vow_op *op = take_held(&f);
  assert_int_equal(vow_op_fulfil_json(op, "1"), VOW_OK);
  vow_op_release(op);
  subject_close(&t);
  fixture_close(&g);
  ends_with_value(&s, "1");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- memory ---- */

/* A run that is cancelled while its operation is held. False: memory was short. */
static bool cancel_one(fixture *f) {
  subject s;
  subject_init(&s, f, "await test.hold('c')");
  vow_status status = subject_try(&s);
  if (status != VOW_OK) {
    assert_int_equal(status, VOW_E_NOMEM);
    return false;
  }
  while (!s.done && !f->held_count)
    assert_int_equal(vow_loop_run(f->rt, VOW_LOOP_ONCE), VOW_OK);
  bool held = f->held_count > 0;
  assert_int_equal(vow_run_cancel(s.run), VOW_OK);
  assert_int_equal(s.done, 1);
  assert_true(!held || s.outcome == VOW_CANCELLED);
  release_all_held(f);
  subject_close(&s);
  return held;
}

/* Whatever fails is told, and nothing is left of it. True: nothing failed. */
static bool scenario(fixture *f, vow_engine engine) {
  vow_runtime_options options = {.engine = engine, .audit = "/dev/null", .metrics = true};
  vow_script *script = NULL;
  subject s;
  vow_status status = fixture_try(f, &options);
  if (status != VOW_OK) {
    assert_true(status == VOW_E_NOMEM || status == VOW_E_OPEN);
    return false;
  }
  subject_init(&s, f,
               "console.log('x'); const p = test.hold({a: [1]}); await test.echo('y');"
               "await test.forget().catch(() => 0); await test.block(2); await p");
  status = vow_script_open(f->rt, &s.request, &script);
  bool whole = status == VOW_OK;
  assert_true(whole || status == VOW_E_NOMEM);
  if (whole)
    s.request = (vow_request){.size = sizeof s.request, .script = script, .context = "[1]"};
  s.request.on_progress = note_progress;
  status = subject_try(&s);
  assert_true(status == VOW_OK || status == VOW_E_NOMEM);
  whole = whole && status == VOW_OK;
  while (status == VOW_OK && !s.done) {
    assert_int_equal(vow_loop_run(f->rt, VOW_LOOP_ONCE), VOW_OK);
    while (f->held_count) {
      const char *json;
      vow_op *op = take_held(f);
      whole = vow_op_args_json(op, &json) == VOW_OK && whole;
      whole = vow_op_progress(op, "z", 1) == VOW_OK && whole;
      whole = vow_op_fulfil_json(op, "[1, {\"b\": \"c\"}]") == VOW_OK && whole;
      vow_op_release(op); /* unanswered, if memory was short for that */
    }
  }
  if (status == VOW_OK) {
    const char *json;
    whole = whole && s.outcome == VOW_VALUE && strcmp(s.value, "[1,{\"b\":\"c\"}]") == 0;
    whole = vow_run_report_json(s.run, &json) == VOW_OK && whole;
    subject_close(&s);
  }
  whole = cancel_one(f) && whole;
  const char *metrics;
  whole = vow_runtime_metrics(f->rt, &metrics) == VOW_OK && whole;
  status = fixture_leave(f, script != NULL);
  assert_true(status == VOW_OK || status == VOW_E_LOST);
  return whole && status == VOW_OK;
}

static void each_allocation_fails_once(void **state) {
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    bool whole = false;
    for (size_t n = 1; n < 100000; n++) {
      fixture f = {.fail_at = n, .for_ever = for_ever};
      whole = scenario(&f, *(const vow_engine *)*state);
      assert_int_equal(atomic_load(&f.blocks), 0);
      if (atomic_load(&f.calls) < n)
        break;
    }
    assert_true(whole);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(answers_come_from_other_threads), ON_BOTH(cancels_race_with_answers),
      ON_BOTH(the_runtime_closes_under_them),   ON_BOTH(runs_are_disposed_while_they_are_asked),
      ON_BOTH(runtimes_run_side_by_side),       ON_BOTH(one_thread_has_two),
      ON_BOTH(each_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
