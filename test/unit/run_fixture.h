/* What the tests of runs share: a shard with an allocator that counts, host
 * operations that answer in every way there is, and runs whose end is noted.
 * Every test ends with nothing left: runs, operations, handlers, memory. */
#ifndef VOW_TEST_RUN_FIXTURE_H
#define VOW_TEST_RUN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/cbor.h"
#include "sandbox/run.h"
#include "task/pool.h"
#include "unit/both_engines.h"
#include "unit/counting_alloc.h"
#include "unit/keep_traps.h"

/* A time limit that a call or a run must not come to before it has begun, on a machine that is
 * busy elsewhere for a moment either. */
#define BEGUN_MS 500u
#define HELD_MAX 1024u

enum {
  KIND_ECHO,   /* test.echo(x): x, before start returns */
  KIND_FAIL,   /* test.fail(x): NotFoundError, likewise */
  KIND_LATER,  /* test.later(ms): from a timer of the loop; ends at once when stopped */
  KIND_POOL,   /* test.pool(x): x, by way of a worker thread */
  KIND_HOLD,   /* test.hold(x): x when the test says so, never by itself */
  KIND_POLITE, /* test.polite(x): likewise, but ends when it is stopped */
  KIND_COUNT
};

typedef struct run_fixture {
  counting_alloc counting;
  vow_allocator allocator;
  shard *shard;
  uint32_t live_max; /* of the shard; set before fixture_try() */
  pool *pool;        /* opened by the first test.pool() */
  host_kind kinds[KIND_COUNT];
  host_call *held[HELD_MAX]; /* of hold and polite, oldest first */
  size_t held_count;
  unsigned started, stopped; /* of hold and polite */
  unsigned leaks;            /* handlers that shard_close() had to name */
  char leak[64];             /* the last of them */
  /* Called in the middle of start and stop of hold and polite; may be NULL. */
  void (*in_start)(struct run_fixture *f, host_call *call);
  void (*in_stop)(struct run_fixture *f, host_call *call);
  void *user;
} run_fixture;

#define ANY_LEAKS "*"

/* One run and what became of it. */
typedef struct subject {
  run_fixture *f;
  run *run;
  run_limits limits;
  const char *context;
  const run_program *program;
  uint64_t events[RUN_EVENTS], settled[OP_CANCELLED + 1]; /* by kind; by state */
  unsigned done;                                          /* calls of on_done */
  run_outcome outcome;
  run_kind kind;
  char value[256], name[64], message[256], pending[64], log[256];
  run_report report; /* its pointers are not valid any more */
  /* What may outlive the run: "timer test.hold"; NULL: nothing; ANY_LEAKS. Looked for
   * in every run. */
  const char *leaks;
  bool dispose_when_done;
  void (*when_done)(struct subject *s);
  void (*when_logged)(struct subject *s); /* in the middle of a turn */
} subject;

/* ---- answers ---- */

static inline void answer_with_argument(host_call *call) {
  size_t len;
  uint64_t count;
  cbor_in in;
  const uint8_t *value = (const uint8_t *)"\xf7"; /* undefined */
  const uint8_t *arguments = host_call_arguments(call, &len);
  cbor_in_init(&in, arguments, len);
  len = 1;
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  if (count > 0)
    assert_int_equal(cbor_slice(&in, &value, &len), CBOR_OK);
  host_call_fulfil(call, value, len);
}

static inline double number_argument(host_call *call) {
  size_t len;
  uint64_t count;
  double number = 0;
  cbor_in in;
  const uint8_t *arguments = host_call_arguments(call, &len);
  cbor_in_init(&in, arguments, len);
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  if (count > 0)
    assert_int_equal(cbor_get_number(&in, &number), CBOR_OK);
  return number;
}

static inline void reject_call(host_call *call, const char *name, const char *message) {
  const host_error error = {.name = name, .code = "TEST", .message = message};
  host_call_reject(call, &error);
}

static inline host_call *take_held(run_fixture *f, size_t i) {
  assert_true(i < f->held_count);
  host_call *call = f->held[i];
  f->held_count--;
  memmove(&f->held[i], &f->held[i + 1], (f->held_count - i) * sizeof f->held[0]);
  return call;
}

static inline void answer_held(run_fixture *f, size_t i) {
  answer_with_argument(take_held(f, i));
}

static inline void answer_all_held(run_fixture *f) {
  while (f->held_count > 0)
    answer_held(f, 0);
}

/* The place of `call` among the held ones; HELD_MAX when it was answered. */
static inline size_t held_place(const run_fixture *f, const host_call *call) {
  for (size_t i = 0; i < f->held_count; i++)
    if (f->held[i] == call)
      return i;
  return HELD_MAX;
}

/* ---- handlers ---- */

static inline void start_echo(host_call *call, void *user) {
  (void)user;
  answer_with_argument(call);
}

static inline void start_fail(host_call *call, void *user) {
  (void)user;
  reject_call(call, "NotFoundError", "there is no such thing");
}

typedef struct later_work {
  uv_timer_t timer;
  host_call *call;
} later_work;

static inline void later_closed(uv_handle_t *handle) {
  free(handle->data);
}

static inline void later_fires(uv_timer_t *timer) {
  later_work *work = timer->data;
  uv_close((uv_handle_t *)timer, later_closed);
  answer_with_argument(work->call);
}

static inline void start_later(host_call *call, void *user) {
  run_fixture *f = user;
  later_work *work = malloc(sizeof *work);
  assert_non_null(work);
  work->call = call;
  work->timer.data = work;
  host_call_set_data(call, work);
  assert_int_equal(uv_timer_init(loop_uv(shard_loop(f->shard)), &work->timer), 0);
  uv_timer_start(&work->timer, later_fires, (uint64_t)number_argument(call), 0);
  work->timer.data = work;
}

static inline void stop_later(host_call *call, void *user) {
  (void)user;
  later_work *work = host_call_data(call);
  uv_close((uv_handle_t *)&work->timer, later_closed);
  reject_call(call, "AbortError", "stopped");
}

typedef struct pool_echo {
  pool_work work;
  host_call *call;
  uint32_t sum; /* something for the worker to compute */
} pool_echo;

static inline void pool_echo_run(pool_work *base, void *state) {
  (void)state;
  pool_echo *work = (pool_echo *)base;
  for (uint32_t i = 0; i < 1000; i++)
    work->sum = work->sum * 31 + i;
}

static inline void pool_echo_done(pool_work *base) {
  pool_echo *work = (pool_echo *)base;
  answer_with_argument(work->call);
  free(work);
}

static inline void start_pool(host_call *call, void *user) {
  run_fixture *f = user;
  pool_echo *work = calloc(1, sizeof *work);
  assert_non_null(work);
  work->call = call;
  work->work.run = pool_echo_run;
  work->work.done = pool_echo_done;
  if (!f->pool)
    f->pool = pool_open(&(pool_options){.allocator = &f->allocator, .threads_max = 2});
  if (f->pool && pool_submit(f->pool, shard_loop(f->shard), &work->work) == POOL_OK)
    return;
  free(work);
  reject_call(call, NULL, "no pool");
}

static inline void start_hold(host_call *call, void *user) {
  run_fixture *f = user;
  assert_true(f->held_count < HELD_MAX);
  f->held[f->held_count++] = call;
  f->started++;
  if (f->in_start)
    f->in_start(f, call);
}

static inline void stop_hold(host_call *call, void *user) {
  run_fixture *f = user;
  f->stopped++;
  if (f->in_stop)
    f->in_stop(f, call);
}

static inline void stop_polite(host_call *call, void *user) {
  run_fixture *f = user;
  stop_hold(call, user);
  size_t place = held_place(f, call);
  if (place < HELD_MAX)
    reject_call(take_held(f, place), "AbortError", "stopped");
}

/* ---- the shard ---- */

static inline void note_leak(void *user, const run_leak *leak) {
  run_fixture *f = user;
  f->leaks++;
  snprintf(f->leak, sizeof f->leak, "%s", leak->name);
}

/* NULL shard when memory is short, which only a failing allocator makes it. */
static inline void fixture_try(run_fixture *f, engine_kind engine) {
  static const host_kind kinds[KIND_COUNT] = {
      [KIND_ECHO] = {.name = "test.echo", .start = start_echo},
      [KIND_FAIL] = {.name = "test.fail", .start = start_fail},
      [KIND_LATER] = {.name = "test.later", .start = start_later, .stop = stop_later},
      [KIND_POOL] = {.name = "test.pool", .start = start_pool},
      [KIND_HOLD] = {.name = "test.hold", .start = start_hold, .stop = stop_hold},
      [KIND_POLITE] = {.name = "test.polite", .start = start_hold, .stop = stop_polite},
  };
  char message[256];
  f->allocator = counting_allocator(&f->counting);
  for (size_t i = 0; i < KIND_COUNT; i++) {
    f->kinds[i] = kinds[i];
    f->kinds[i].arguments = 1;
    f->kinds[i].user = f;
  }
  const shard_options options = {.allocator = &f->allocator,
                                 .engine = engine,
                                 .live_max = f->live_max,
                                 .on_leak = note_leak,
                                 .user = f};
  f->shard = shard_open(&options, message, sizeof message);
  if (!f->shard)
    return;
  if (engine == ENGINE_WASM)
    keep_traps();
  engine_verify_recycling(shard_engine(f->shard), true);
}

static inline void fixture_open(run_fixture *f, void **state) {
  *f = (run_fixture){0};
  fixture_try(f, *(const engine_kind *)*state);
  assert_non_null(f->shard);
}

/* Nothing of any run is left. Handlers may still be at work. */
static inline void assert_no_run_left(run_fixture *f) {
  op_counts counts = op_table_counts(shard_operations(f->shard));
  assert_true(op_table_check(shard_operations(f->shard)));
  assert_int_equal(counts.live + counts.queued + counts.timers, 0);
  assert_int_equal(engine_counts_of(shard_engine(f->shard)).live, 0);
}

static inline void fixture_close(run_fixture *f) {
  assert_int_equal(f->held_count, 0);
  while (shard_handlers(f->shard) > 0)
    shard_turn(f->shard);
  assert_no_run_left(f);
  assert_int_equal(op_table_counts(shard_operations(f->shard)).running, 0);
  pool_close(f->pool);
  shard_close(f->shard);
  assert_int_equal(f->leaks, 0);
  assert_int_equal(f->counting.blocks, 0);
}

/* ---- runs ---- */

static inline void note_text(char *into, size_t size, const char *text) {
  snprintf(into, size, "%s", text ? text : "");
}

static inline void check_leaks(const subject *s, const run_report *report) {
  char names[1024] = "";
  for (size_t i = 0; i < report->leaks_count; i++) {
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "", report->leaks[i].name);
  }
  if (!s->leaks || strcmp(s->leaks, ANY_LEAKS) != 0)
    assert_string_equal(names, s->leaks ? s->leaks : "");
}

static inline void note_done(run *run, const run_report *report, void *user) {
  subject *s = user;
  s->done++;
  assert_int_equal(s->done, 1);
  s->outcome = report->outcome;
  s->kind = report->error.kind;
  s->report = *report;
  note_text(s->value, sizeof s->value, report->value);
  note_text(s->name, sizeof s->name, report->error.name);
  note_text(s->message, sizeof s->message, report->error.message);
  note_text(s->pending, sizeof s->pending, report->pending_count ? report->pending[0].name : NULL);
  const op_counts *o = &report->operations;
  assert_int_equal(o->created, o->fulfilled + o->rejected + o->timed_out + o->cancelled + o->live);
  assert_int_equal(o->live, 0);
  /* What was told as it happened is what the report counts. */
  assert_int_equal(s->events[RUN_EVENT_CREATED], o->created);
  assert_int_equal(s->events[RUN_EVENT_SETTLED], o->created);
  assert_int_equal(s->settled[OP_FULFILLED], o->fulfilled);
  assert_int_equal(s->settled[OP_REJECTED], o->rejected);
  assert_int_equal(s->settled[OP_TIMED_OUT], o->timed_out);
  assert_int_equal(s->settled[OP_CANCELLED], o->cancelled);
  assert_int_equal(report->wall_ns, report->guest_ns + report->host_wait_ns + report->ready_ns);
  check_leaks(s, report);
  if (s->when_done)
    s->when_done(s);
  if (s->dispose_when_done) {
    s->run = NULL;
    run_dispose(run);
  }
}

static inline void note_event(void *user, const run_event *event) {
  subject *s = user;
  assert_int_equal(s->done, 0); /* none comes after the end */
  s->events[event->kind]++;
  if (event->kind == RUN_EVENT_SETTLED)
    s->settled[event->state]++;
}

static inline void note_log(void *user, int level, const char *text, size_t len) {
  subject *s = user;
  size_t used = strlen(s->log);
  snprintf(s->log + used, sizeof s->log - used, "%d:%.*s\n", level, (int)len, text);
  if (s->when_logged)
    s->when_logged(s);
}

/* The command line's, with time enough for a busy machine under a sanitizer. */
static inline const run_limits *fixture_limits(void) {
  static _Thread_local run_limits limits;
  limits = run_limits_default;
  limits.cpu_ms = 100000;
  limits.wall_ms = limits.op_timeout_ms = 150000;
  return &limits;
}

static inline void subject_init(subject *s, run_fixture *f) {
  *s = (subject){.f = f, .limits = *fixture_limits()};
}

static inline run_options subject_options(subject *s, const char *source, size_t len) {
  return (run_options){.name = "test.js",
                       .source = source,
                       .source_len = len,
                       .context = s->context,
                       .kinds = s->f->kinds,
                       .kinds_count = KIND_COUNT,
                       .program = s->program,
                       .limits = s->limits,
                       .on_log = note_log,
                       .on_event = note_event,
                       .debug = true,
                       .on_done = note_done,
                       .user = s};
}

/* False when the run cannot be had. */
static inline bool subject_try(subject *s, const char *source, size_t len) {
  const run_options options = subject_options(s, source, len);
  s->run = run_open(s->f->shard, &options);
  return s->run != NULL;
}

static inline void subject_open(subject *s, const char *source) {
  assert_true(subject_try(s, source, strlen(source)));
  assert_true(run_alive(s->run));
}

static inline void until_done(subject *s) {
  while (!s->done)
    shard_turn(s->f->shard);
}

/* Turns until hold and polite have been started so often. */
static inline void until_started(run_fixture *f, unsigned count) {
  while (f->started < count)
    shard_turn(f->shard);
}

/* Turns until the script has made so many calls: it may be interrupted between two of them, and
 * what is answered meanwhile makes another order. */
static inline void until_created(subject *s, unsigned count) {
  while (s->events[RUN_EVENT_CREATED] < count)
    shard_turn(s->f->shard);
}

/* Lets deadlines pass that are at most `ms` away, without looking at them. */
static inline void let_pass(unsigned ms) {
  uint64_t until = loop_now() + (uint64_t)ms * 1000000;
  while (loop_now() <= until)
    ;
}

/* One round of what is there to be done, without waiting for more. */
static inline void turn_without_waiting(run_fixture *f) {
  uv_run(loop_uv(shard_loop(f->shard)), UV_RUN_NOWAIT);
}

static inline void subject_close(subject *s) {
  if (s->run)
    run_dispose(s->run);
  s->run = NULL;
}

static inline void ends_with_value(subject *s, const char *value) {
  until_done(s);
  if (s->outcome != RUN_VALUE)
    print_error("%s: %s: %s\n", run_kind_text(s->kind), s->name, s->message);
  assert_int_equal(s->outcome, RUN_VALUE);
  assert_string_equal(s->value, value);
}

static inline void ends_with_kind(subject *s, run_kind kind) {
  until_done(s);
  if (s->kind != kind)
    print_error("%s, not %s: %s %s\n", run_kind_text(s->kind), run_kind_text(kind), s->message,
                s->value);
  assert_int_equal(s->kind, kind);
}

#endif
