/* What the tests of the public interface share: a runtime with an allocator that
 * counts, from any thread, and can fail; operations; runs whose end is noted. */
#ifndef VOW_TEST_VOW_FIXTURE_H
#define VOW_TEST_VOW_FIXTURE_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/keep_traps.h"
#include "vow/vow.h"

#define HELD_MAX 256
/* A time limit, in JavaScript, of a call that must have begun before it is over, on a machine
 * that is busy elsewhere for a moment either. */
#define BEGUN_MS 500
#define IN_TEXT(number) #number
#define TEXT_OF(number) IN_TEXT(number)

typedef struct fixture {
  atomic_size_t blocks, calls;
  size_t fail_at; /* the call that fails, from 1; 0: none. Set while one thread is at work */
  bool for_ever;
  vow_allocator allocator;
  vow_runtime *rt;
  vow_op *held[HELD_MAX]; /* of test.hold, oldest first; each with a reference */
  size_t held_count;
  unsigned echoes, cancels;
  unsigned leaks, leaks_expected; /* named when the runtime was closed */
} fixture;

static inline void *fixture_reallocate(void *user, void *block, size_t size) {
  fixture *f = user;
  if (size == 0) {
    if (block)
      atomic_fetch_sub(&f->blocks, 1);
    free(block);
    return NULL;
  }
  size_t call = atomic_fetch_add(&f->calls, 1) + 1;
  if (f->fail_at && (call == f->fail_at || (f->for_ever && call > f->fail_at)))
    return NULL;
  void *fresh = realloc(block, size);
  if (!block && fresh)
    atomic_fetch_add(&f->blocks, 1);
  return fresh;
}

/* ---- operations ---- */

/* The first argument, or undefined. The array has fewer than 24 items. */
static inline const void *first_argument(const vow_op *op, size_t *len) {
  const uint8_t *args = vow_op_args(op, len);
  if (*len < 2 || args[0] != 0x81)
    return NULL;
  *len -= 1;
  return args + 1;
}

/* test.echo(x): x, before the handler returns. */
static inline void on_echo(vow_op *op, void *user) {
  fixture *f = user;
  size_t len = 0;
  const void *value = first_argument(op, &len);
  f->echoes++;
  vow_op_fulfil(op, value, len);
}

/* test.hold(x): whatever the test says, when it says so. */
static inline void on_hold(vow_op *op, void *user) {
  fixture *f = user;
  assert_true(f->held_count < HELD_MAX);
  f->held[f->held_count++] = vow_op_retain(op);
}

/* test.forget(x): no answer, no reference. */
static inline void on_forget(vow_op *op, void *user) {
  (void)op, (void)user;
}

/* test.block(x): x, by way of a worker thread. */
static inline void on_block(vow_op *op, void *user) {
  (void)user;
  size_t len = 0;
  const void *value = first_argument(op, &len);
  vow_op_fulfil(op, value, len);
}

static inline vow_op *take_held(fixture *f) {
  assert_true(f->held_count > 0);
  vow_op *op = f->held[0];
  memmove(&f->held[0], &f->held[1], --f->held_count * sizeof f->held[0]);
  return op;
}

static inline void release_all_held(fixture *f) {
  while (f->held_count)
    vow_op_release(take_held(f));
}

/* ---- the runtime ---- */

static const vow_engine fixture_engines[] = {VOW_ENGINE_WASM, VOW_ENGINE_NATIVE};
#define ON_BOTH(test)                                                                              \
  {#test " (wasm)", test, NULL, NULL, (void *)(uintptr_t)&fixture_engines[0]}, {                   \
#test " (native)", test, NULL, NULL, (void *)(uintptr_t)&fixture_engines[1]                    \
  }

/* Leaks are looked for in every test: one that leaves something must say how much. */
static inline void note_leak(const vow_leak *leak, void *user) {
  fixture *f = user;
  if (++f->leaks > f->leaks_expected)
    print_error("left: %s %d\n%s    at %s\n", leak->name, (int)leak->number,
                leak->site ? leak->site : "", leak->host_site ? leak->host_site : "?");
}

/* Closes the runtime while the test still has `count` runs, scripts and operations
 * of it: no more and no less are named. ANY: threads have them. */
#define ANY UINT_MAX
static inline vow_status fixture_leave(fixture *f, unsigned count) {
  f->leaks = 0;
  f->leaks_expected = count;
  vow_status status = vow_runtime_close(f->rt);
  if (count != ANY)
    assert_int_equal(f->leaks, count);
  f->leaks_expected = 0;
  return status;
}

static inline vow_status fixture_try(fixture *f, vow_runtime_options *options) {
  static const vow_policy blocking = {.size = sizeof blocking, .blocking = true};
  f->allocator = (vow_allocator){fixture_reallocate, f};
  options->size = sizeof *options;
  options->allocator = &f->allocator;
  options->on_leak = note_leak;
  options->on_leak_user = f;
  vow_status status = vow_runtime_open(options, &f->rt);
  if (status != VOW_OK)
    return status;
  if (options->engine == VOW_ENGINE_WASM)
    keep_traps();
  const struct {
    const char *name;
    vow_handler *handler;
    const vow_policy *policy;
  } all[] = {{"test.echo", on_echo, NULL},
             {"test.hold", on_hold, NULL},
             {"test.forget", on_forget, NULL},
             {"test.block", on_block, &blocking}};
  for (size_t i = 0; status == VOW_OK && i < sizeof all / sizeof *all; i++)
    status = vow_register(f->rt, all[i].name, all[i].handler, all[i].policy, f);
  if (status != VOW_OK) {
    assert_int_equal(vow_runtime_close(f->rt), VOW_OK);
    f->rt = NULL;
  }
  return status;
}

static inline void fixture_open(fixture *f, void **state) {
  vow_runtime_options options = {.engine = *(const vow_engine *)*state};
  *f = (fixture){0};
  assert_int_equal(fixture_try(f, &options), VOW_OK);
}

static inline vow_counts counts_of(const fixture *f) {
  vow_counts counts = {.size = sizeof counts};
  assert_int_equal(vow_runtime_counts(f->rt, &counts), VOW_OK);
  assert_int_equal(counts.created, counts.fulfilled + counts.rejected + counts.timed_out +
                                       counts.cancelled + counts.live);
  assert_int_equal(counts.runs, counts.runs_live + counts.runs_value + counts.runs_error +
                                    counts.runs_limit + counts.runs_cancelled);
  return counts;
}

/* Nothing is left: neither runs nor operations nor memory. */
static inline void fixture_close(fixture *f) {
  vow_counts counts = counts_of(f);
  assert_int_equal(counts.runs_live + counts.live + counts.running, 0);
  assert_int_equal(f->held_count, 0);
  assert_int_equal(fixture_leave(f, 0), VOW_OK);
  assert_int_equal(atomic_load(&f->blocks), 0);
}

/* ---- runs ---- */

typedef struct subject {
  fixture *f;
  vow_run *run;
  vow_request request;
  unsigned done, logs, progress, events[VOW_EVENT_LATE + 1];
  vow_outcome outcome;
  char kind[32], value[256], error[256], log[256], told[64];
  void (*when_done)(struct subject *s);
  void (*when_log)(struct subject *s);
  void (*when_event)(struct subject *s, const vow_event *event);
} subject;

static inline void note_text(char *into, size_t size, const char *text) {
  snprintf(into, size, "%s", text ? text : "");
}

static inline void note_done(vow_run *run, const vow_report *report, void *user) {
  subject *s = user;
  assert_int_equal(++s->done, 1);
  assert_false(vow_run_alive(run));
  assert_int_equal(report->wall_ns, report->guest_ns + report->host_wait_ns + report->ready_ns);
  assert_int_equal(report->created,
                   report->fulfilled + report->rejected + report->timed_out + report->cancelled);
  s->outcome = report->outcome;
  note_text(s->kind, sizeof s->kind, report->kind);
  note_text(s->value, sizeof s->value, report->value);
  note_text(s->error, sizeof s->error, report->error_message);
  if (s->when_done)
    s->when_done(s);
}

static inline void note_log(vow_run *run, int level, const char *text, size_t len, void *user) {
  subject *s = user;
  (void)run;
  assert_int_equal(s->done, 0);
  snprintf(s->log, sizeof s->log, "%d:%.*s", level, (int)len, text);
  s->logs++;
  if (s->when_log)
    s->when_log(s);
}

static inline void note_event(vow_run *run, const vow_event *event, void *user) {
  subject *s = user;
  (void)run;
  assert_int_equal(s->done, 0);
  s->events[event->kind]++;
  if (s->when_event)
    s->when_event(s, event);
}

static inline void note_progress(vow_run *run, uint64_t number, const char *name, const void *bytes,
                                 size_t len, void *user) {
  subject *s = user;
  assert_int_equal(s->done, 0);
  assert_ptr_equal(vow_run_user(run), s);
  s->progress++;
  snprintf(s->told, sizeof s->told, "%d %s %.*s", (int)number, name, (int)len, (const char *)bytes);
}

static inline void subject_init(subject *s, fixture *f, const char *source) {
  *s = (subject){.f = f,
                 .request = {.size = sizeof s->request,
                             .source = source,
                             .allow = "test.*",
                             .on_log = note_log,
                             .on_event = note_event,
                             .on_progress = note_progress}};
}

static inline vow_status subject_try(subject *s) {
  return vow_eval(s->f->rt, &s->request, note_done, s, &s->run);
}

static inline void subject_open(subject *s, fixture *f, const char *source) {
  subject_init(s, f, source);
  assert_int_equal(subject_try(s), VOW_OK);
  assert_true(vow_run_alive(s->run));
}

static inline void until_done(subject *s) {
  while (!s->done)
    assert_int_equal(vow_loop_run(s->f->rt, VOW_LOOP_ONCE), VOW_OK);
}

static inline void until_held(fixture *f, size_t count) {
  while (f->held_count < count)
    assert_int_equal(vow_loop_run(f->rt, VOW_LOOP_ONCE), VOW_OK);
}

/* The script may be interrupted between two of its calls: what is answered, or asked by others,
 * meanwhile makes another order. */
static inline void until_created(subject *s, unsigned count) {
  while (s->events[VOW_EVENT_CREATED] < count)
    assert_int_equal(vow_loop_run(s->f->rt, VOW_LOOP_ONCE), VOW_OK);
}

static inline void subject_close(subject *s) {
  assert_int_equal(vow_run_dispose(s->run), VOW_OK);
  s->run = NULL;
}

static inline void ends_with_value(subject *s, const char *value) {
  until_done(s);
  if (s->outcome != VOW_VALUE)
    print_error("%s: %s\n", s->kind, s->error);
  assert_int_equal(s->outcome, VOW_VALUE);
  assert_string_equal(s->value, value);
}

static inline void ends_with_kind(subject *s, const char *kind) {
  until_done(s);
  assert_string_equal(s->kind, kind);
}

#endif
