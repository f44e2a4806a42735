/* The end of a pool in each state that a task can be in, in each order: what the task comes to,
 * that it is told once, that its argument is freed once, that nothing is left. */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "task/task_int.h"
#include "unit/task_fixture.h"
#include "vow/vow.h"

typedef enum ending {
  TO_ITS_END, /* a graceful close; when it has begun, whatever waits may go on */
  TO_A_LIMIT, /* a graceful close whose time is over before that */
  AT_ONCE,    /* an immediate close */
  RELEASED,   /* the same when nobody holds the task any more */
  CANCELLED,  /* a graceful close when the task was cancelled */
  ENDINGS
} ending;

static const char *const ending_names[ENDINGS] = {"to its end", "to a limit", "at once",
                                                  "released before", "cancelled before"};

#define ANY UINT_MAX

typedef struct scene scene;

/* What is expected is first for TO_ITS_END, then for all other endings. */
typedef struct situation {
  const char *name;
  void (*bring)(scene *v);
  uint32_t places, queue_max;
  bool impatient;      /* the pool's patience is no more than a moment */
  bool alone;          /* nothing else runs, or goes on */
  bool shut[2];        /* it does not return before the pool is closed */
  vow_state states[2]; /* VOW_PENDING: there is no task */
  vow_status closed[2];
  unsigned begun[2]; /* callbacks */
  unsigned arguments;
} situation;

struct scene {
  probe p; /* of the task; must stay first: as its argument it is the scene, too */
  probe porters, others;
  unsigned others_started;
  stage stage;
  ending ending;
  vow_runtime *runtime; /* that the end is told to; NULL: where it settles */
  vow_task *task;       /* whose state it is; NULL: there is none */
  vow_task *porter;     /* runs until its door is opened: no graceful close ends before */
  atomic_bool holding;  /* a callback for another task's end holds a thread up */
  atomic_int told_state;
  vow_status closed;
};

/* ---- where the task is ---- */

typedef struct look {
  task_place place;
  bool waits, parked;
  uint32_t attempts, settled;
} look;

/* More than public calls tell, so that no state is only likely. */
static look look_at(const scene *v) {
  uv_mutex_lock(&v->stage.pool->lock);
  const vow_task *task = v->task;
  const task_runner *runner = task->place == TASK_RUNNING ? task->runner : NULL;
  look seen = {.place = (task_place)task->place,
               .waits = runner && runner->waiter,
               .parked = runner && runner->parked,
               .attempts = task->result.attempts,
               .settled = task->members ? task->members->settled : 0};
  uv_mutex_unlock(&v->stage.pool->lock);
  return seen;
}

static void note_told(vow_task *task, void *user) {
  scene *v = user;
  atomic_store(&v->told_state, (int)vow_task_state(task));
  atomic_fetch_add(&v->p.told, 1);
}

static void start_it(scene *v, const vow_task_spec *spec) {
  v->task = start_spec(&v->stage, spec);
  assert_int_equal(vow_task_on_done(v->task, v->runtime, note_told, v), VOW_OK);
}

static void start_call(scene *v, vow_task_callback *callback) {
  vow_task_spec spec = probe_spec(callback, &v->p);
  spec.timeout_ms = 0;
  start_it(v, &spec);
}

static vow_task *start_other(scene *v, vow_task_callback *callback) {
  v->others_started++;
  return start(&v->stage, callback, &v->others);
}

/* ---- into each state ---- */

static void refused(scene *v) {
  vow_task_spec spec = probe_spec(nothing, &v->p);
  vow_task_release(start_other(v, nothing));
  assert_int_equal(vow_task_start(v->stage.pool, &spec, &v->task), VOW_E_FULL);
}

static void queued(scene *v) {
  start_call(v, nothing);
  assert_int_equal(look_at(v).place, TASK_AWAY);
  assert_int_equal(counts_of(&v->stage).queued, 1);
}

static void hold_thread(vow_task *task, void *user) {
  scene *v = user;
  (void)task;
  atomic_store(&v->holding, true);
  while (!atomic_load(&v->porters.go))
    uv_sleep(1);
}

/* It has its place, but the thread for it is not back from the one before. */
static void ready(scene *v) {
  vow_task *before = start_other(v, stubborn);
  assert_int_equal(vow_task_on_done(before, NULL, hold_thread, v), VOW_OK);
  atomic_store(&v->others.go, true);
  while (!atomic_load(&v->holding))
    uv_sleep(1);
  vow_task_release(before);
  start_call(v, nothing);
  assert_int_equal(look_at(v).place, TASK_READY);
}

static void cooperate(vow_task_context *context, void *argument) {
  probe *p = argument;
  atomic_fetch_add(&p->begun, 1);
  while (!atomic_load(&p->go) && !vow_task_cancelled(context))
    uv_sleep(1);
  atomic_fetch_add(&p->returned, 1);
}

static void cooperating(scene *v) {
  start_call(v, cooperate);
  await_count(&v->p.begun, 1);
}

static void ignoring(scene *v) {
  start_call(v, stubborn);
  await_count(&v->p.begun, 1);
}

static uint64_t nap_ms(const scene *v) {
  return v->ending == TO_ITS_END ? 20 : 1000000;
}

static void nap(vow_task_context *context, void *argument) {
  scene *v = argument;
  atomic_fetch_add(&v->p.begun, 1);
  vow_task_sleep(context, nap_ms(v));
  atomic_fetch_add(&v->p.returned, 1);
}

static void asleep(scene *v) {
  start_call(v, nap);
  while (!look_at(v).waits && atomic_load(&v->p.returned) == 0)
    uv_sleep(1);
}

static void wait_for_porter(vow_task_context *context, void *argument) {
  scene *v = argument;
  (void)context;
  atomic_fetch_add(&v->p.begun, 1);
  vow_task_wait(v->porter, VOW_FOREVER);
}

static void waiting(scene *v) {
  start_call(v, wait_for_porter);
  while (!look_at(v).parked)
    uv_sleep(1);
}

static void fail_first(vow_task_context *context, void *argument) {
  if (atomic_fetch_add(&((probe *)argument)->begun, 1) == 0)
    vow_task_fail(context, "Error", "not yet", NULL);
}

static void between_attempts(scene *v) {
  vow_task_spec spec = probe_spec(fail_first, &v->p);
  spec.timeout_ms = 0;
  spec.retry = (vow_task_retry){.attempts = 2, .delay_ms = nap_ms(v)};
  start_it(v, &spec);
  for (look seen = look_at(v); seen.place != TASK_AWAY || seen.attempts == 0; seen = look_at(v))
    uv_sleep(1);
}

/* Of three members one has settled, one runs, one is queued. */
static void start_group(scene *v, vow_task_form form, vow_task_callback *first) {
  const vow_task_spec a = probe_spec(first, &v->p), b = probe_spec(cooperate, &v->p),
                      c = probe_spec(nothing, &v->p);
  const vow_task_spec *const members[] = {&a, &b, &c};
  const vow_task_spec spec = vow_task_group_spec("group", form, members, 3);
  start_it(v, &spec);
  await_count(&v->p.begun, 2);
  while (look_at(v).settled != 1)
    uv_sleep(1);
}

static void in_parallel(scene *v) {
  start_group(v, VOW_TASK_PARALLEL, nothing);
}

static void in_a_race(scene *v) {
  start_group(v, VOW_TASK_RACE, fail_first);
}

static void settled(scene *v) {
  start_call(v, nothing);
  assert_int_equal(vow_task_wait(v->task, VOW_FOREVER), VOW_OK);
}

static void on_its_way(scene *v) {
  const vow_runtime_options options = {.size = sizeof options, .engine = VOW_ENGINE_NATIVE};
  assert_int_equal(vow_runtime_open(&options, &v->runtime), VOW_OK);
  settled(v);
}

static void retired(scene *v) {
  ignoring(v);
  assert_int_equal(vow_task_cancel(v->task), VOW_OK);
  while (counts_of(&v->stage).retired_live != 1)
    uv_sleep(1);
}

static void retired_and_back(scene *v) {
  retired(v);
  atomic_store(&v->p.go, true);
  while (counts_of(&v->stage).retired_live != 0)
    uv_sleep(1);
}

/* ---- the ends ---- */

static void close_it(void *user) {
  scene *v = user;
  bool graceful = v->ending != AT_ONCE && v->ending != RELEASED;
  v->closed = vow_task_pool_close(v->stage.pool, graceful ? VOW_TASK_GRACEFUL : VOW_TASK_IMMEDIATE,
                                  v->ending == TO_A_LIMIT ? 1 : CLOSE_MS);
}

/* The pool is there as long as the porter is. */
static void await_closing(const scene *v) {
  const vow_task_spec spec = probe_spec(nothing, NULL);
  while (vow_task_start(v->stage.pool, &spec, NULL) != VOW_E_STATE)
    uv_sleep(1);
}

static void close_beside(scene *v, bool shut) {
  uv_thread_t closer;
  assert_int_equal(uv_thread_create(&closer, close_it, v), 0);
  if (v->ending == TO_ITS_END || v->ending == CANCELLED)
    await_closing(v);
  else if (v->task && !v->runtime)
    await_count(&v->p.told, 1);
  if (!shut)
    atomic_store(&v->p.go, true);
  atomic_store(&v->porters.go, true);
  uv_thread_join(&closer);
}

static void scene_open(scene *v, const situation *s, ending ending) {
  *v = (scene){.ending = ending};
  stage_open_with(&v->stage, (vow_task_pool_options){.concurrent_max = s->places,
                                                     .queue_max = s->queue_max,
                                                     .patience_ms = s->impatient ? 1 : CLOSE_MS});
  if (!s->alone) {
    v->porter = start(&v->stage, stubborn, &v->porters);
    await_count(&v->porters.begun, 1);
  }
}

static void end_scene(scene *v, const situation *s) {
  bool shut = s->shut[v->ending != TO_ITS_END];
  vow_task *held = v->task;
  if (held && v->ending == CANCELLED) {
    bool live = vow_task_state(held) < VOW_FULFILLED;
    assert_int_equal(vow_task_cancel(held), live ? VOW_OK : VOW_LATE);
  }
  if (v->ending == RELEASED) {
    vow_task_release(held);
    held = NULL;
  }
  if (s->alone)
    close_it(v);
  else
    close_beside(v, shut);
  assert_int_equal(v->closed, s->closed[v->ending != TO_ITS_END]);
  if (held)
    assert_int_equal(vow_task_state(held), s->states[v->ending != TO_ITS_END]);
  assert_int_equal(atomic_load(&v->p.freed), shut ? 0 : s->arguments);
  vow_task_release(held);
  vow_task_release(v->porter);
}

/* When whatever goes on has returned, nothing is left. */
static void scene_close(scene *v, const situation *s) {
  unsigned column = v->ending != TO_ITS_END;
  atomic_store(&v->p.go, true);
  if (v->runtime) {
    assert_int_equal(atomic_load(&v->p.told), 0);
    assert_int_equal(vow_loop_run(v->runtime, VOW_LOOP_DONE), VOW_OK);
    assert_int_equal(vow_runtime_close(v->runtime), VOW_OK);
  }
  if (s->impatient)
    stage_no_memory(&v->stage);
  assert_int_equal(v->stage.memory.blocks, 0);
  assert_int_equal(v->p.freed, s->arguments);
  assert_int_equal(v->p.told, s->arguments > 0);
  assert_int_equal(v->told_state, s->states[column]);
  if (s->begun[column] != ANY)
    assert_int_equal(v->p.begun, s->begun[column]);
  assert_int_equal(v->porters.freed, !s->alone);
  assert_int_equal(v->others.freed, v->others_started);
}

#define DONE                                                                                       \
  { VOW_FULFILLED, VOW_OP_CANCELLED }
#define OVER                                                                                       \
  { VOW_FULFILLED, VOW_FULFILLED }
#define GONE                                                                                       \
  { VOW_OP_CANCELLED, VOW_OP_CANCELLED }

static const situation situations[] = {
    {"refused", refused, .places = 1, .queue_max = 1},
    {"queued", queued, .places = 1, .states = DONE, .begun = {1, 0}, .arguments = 1},
    {"ready", ready, .places = 2, .states = DONE, .begun = {1, 0}, .arguments = 1},
    {"cooperating", cooperating, .places = 2, .states = DONE, .begun = {1, 1}, .arguments = 1},
    {"ignoring", ignoring, .places = 2, .states = DONE, .begun = {1, 1}, .arguments = 1},
    {"asleep", asleep, .places = 2, .states = DONE, .begun = {1, 1}, .arguments = 1},
    {"waiting", waiting, .places = 2, .states = DONE, .begun = {1, 1}, .arguments = 1},
    {"between attempts", between_attempts, .places = 2, .states = DONE, .begun = {2, 1},
     .arguments = 1},
    {"in parallel", in_parallel, .places = 2, .states = DONE, .begun = {3, 2}, .arguments = 3},
    {"in a race", in_a_race, .places = 2, .states = DONE, .begun = {ANY, 2}, .arguments = 3},
    {"settled", settled, .places = 2, .states = OVER, .begun = {1, 1}, .arguments = 1},
    {"settled, on its way to a loop", on_its_way, .places = 2, .states = OVER, .begun = {1, 1},
     .arguments = 1},
    {"given up by the close", ignoring, .places = 2, .impatient = true, .shut = {false, true},
     .states = DONE, .closed = {VOW_OK, VOW_E_TIME}, .begun = {1, 1}, .arguments = 1},
    {"given up", retired, .places = 2, .impatient = true, .shut = {true, true}, .states = GONE,
     .closed = {VOW_E_TIME, VOW_E_TIME}, .begun = {1, 1}, .arguments = 1},
    {"given up, and back", retired_and_back, .places = 1, .impatient = true, .alone = true,
     .states = GONE, .begun = {1, 1}, .arguments = 1},
};
enum { SITUATIONS = sizeof situations / sizeof *situations };

typedef struct test_case {
  const situation *situation;
  ending ending;
  char name[64];
} test_case;

static void ends(void **state) {
  const test_case *c = *state;
  static scene v; /* a thread that was given up may be in it when an assertion fails */
  scene_open(&v, c->situation, c->ending);
  c->situation->bring(&v);
  end_scene(&v, c->situation);
  scene_close(&v, c->situation);
}

/* ---- the end of the process ---- */

extern char **environ;

static void never_return(vow_task_context *context, void *argument) {
  (void)context;
  atomic_fetch_add(&((probe *)argument)->begun, 1);
  for (;;)
    uv_sleep(1000);
}

static void free_too_early(void *argument) {
  (void)argument;
  _exit(3);
}

/* In a process of its own. */
static int leave(bool closed) {
  static stage s;
  static probe p;
  stage_open_with(&s, (vow_task_pool_options){.concurrent_max = 2, .patience_ms = 1});
  vow_task_spec spec = probe_spec(never_return, &p);
  spec.argument_free = free_too_early;
  vow_task *given_up = start_spec(&s, &spec), *runs = start_spec(&s, &spec);
  await_count(&p.begun, 2);
  vow_task_cancel(given_up);
  while (counts_of(&s).retired_live != 1)
    uv_sleep(1);
  if (closed && vow_task_pool_close(s.pool, VOW_TASK_IMMEDIATE, 0) != VOW_E_TIME)
    return 1;
  vow_task_release(given_up);
  vow_task_release(runs);
  return 0;
}

/* Callbacks that never return, given up and not, end with it, whether the pool is closed or not. */
static void the_process_ends(void **state) {
  (void)state;
  for (unsigned closed = 0; closed < 2; closed++) {
    char *words[] = {(char[]){"test_task_ends"}, closed ? (char[]){"closed"} : (char[]){"open"},
                     NULL};
    pid_t child;
    int status;
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
  }
}

int main(int argc, char **argv) {
  static test_case cases[SITUATIONS * ENDINGS];
  static struct CMUnitTest tests[SITUATIONS * ENDINGS + 1];
  if (argc > 1)
    return leave(strcmp(argv[1], "closed") == 0);
  for (unsigned i = 0; i < SITUATIONS * ENDINGS; i++) {
    test_case *c = &cases[i];
    c->situation = &situations[i / ENDINGS];
    c->ending = (ending)(i % ENDINGS);
    snprintf(c->name, sizeof c->name, "%s: %s", c->situation->name, ending_names[c->ending]);
    tests[i] = (struct CMUnitTest){.name = c->name, .test_func = ends, .initial_state = c};
  }
  tests[SITUATIONS * ENDINGS] = (struct CMUnitTest)cmocka_unit_test(the_process_ends);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
