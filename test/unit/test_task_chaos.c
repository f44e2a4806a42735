/* Schedules by seed: threads that start, cancel, wait for and let go of tasks and of groups of
 * groups, with retries, whose callbacks do the same, and a close at any time. Whatever happens,
 * each task settles once, each argument is freed once, and nothing is left. */
#include "unit/task_fixture.h"

#include "unit/seeds.h"

#define THREADS 3
#define STEPS 24
#define SLOTS 8
#define DEPTH_MAX 3
#define TREE_MAX 12 /* tasks of one group, with those inside */

typedef struct act act;

static uint64_t all_groups, all_retries; /* of all schedules */

typedef struct world {
  stage stage;
  atomic_uint tasks, refused; /* started, and counted by the pool though they were not */
  atomic_uint starts, freed;  /* of arguments */
  bool grouped; /* there are groups, and retries: of those more is created than started */
  atomic_uint groups;
  atomic_uint settled[VOW_OP_CANCELLED + 1]; /* as their holders saw it */
  uv_mutex_t lock;
  vow_task *shared[SLOTS]; /* each with a reference */
  uv_barrier_t started;
} world;

/* What a callback is to do; made for each call. Attempts of a group may overlap. */
struct act {
  world *world;
  _Atomic uint64_t random;
  unsigned depth;
};

static void free_act(void *argument) {
  act *a = argument;
  atomic_fetch_add(&a->world->freed, 1);
  free(a);
}

/* A reference to one of the tasks that all see; NULL: there is none. */
static vow_task *any_task(world *w, uint64_t *random) {
  uv_mutex_lock(&w->lock);
  vow_task *task = w->shared[seeds_pick(random, SLOTS)];
  if (task)
    vow_task_retain(task);
  uv_mutex_unlock(&w->lock);
  return task;
}

static void let_go(world *w, vow_task *task) {
  const vow_task_result *result = task ? vow_task_result_of(task) : NULL;
  if (result) {
    atomic_fetch_add(&w->settled[result->state], 1);
    assert_int_equal(result->state == VOW_FULFILLED, result->error_type == NULL);
    assert_true(!result->error_type || result->error_message);
  }
  vow_task_release(task);
}

/* Takes the reference. */
static void share(world *w, vow_task *task, uint64_t *random) {
  unsigned slot = seeds_pick(random, SLOTS);
  uv_mutex_lock(&w->lock);
  vow_task *old = w->shared[slot];
  w->shared[slot] = task;
  uv_mutex_unlock(&w->lock);
  let_go(w, old);
}

static void callback(vow_task_context *context, void *argument);

/* A task and those inside, as they are asked for; the first one is the outermost. */
typedef struct tree {
  vow_task_spec specs[TREE_MAX];
  const vow_task_spec *members[TREE_MAX];
  unsigned used, placed, calls;
} tree;

static void put_call(tree *t, vow_task_spec *spec, world *w, uint64_t *random, unsigned depth) {
  act *a = malloc(sizeof *a);
  assert_non_null(a);
  *a = (act){.world = w, .random = *random | 1, .depth = depth};
  seeds_pick(random, 2);
  *spec = vow_task_call_spec("chaos", callback, a);
  spec->argument_free = free_act;
  spec->value = "value";
  spec->value_len = seeds_pick(random, 6);
  t->calls++;
}

static const vow_task_spec *put_task(tree *t, world *w, uint64_t *random, unsigned depth);

static void put_group(tree *t, vow_task_spec *spec, world *w, uint64_t *random, unsigned depth) {
  bool race = seeds_pick(random, 2);
  size_t count = 0, most = race + seeds_pick(random, 4);
  const vow_task_spec **members = &t->members[t->placed];
  if (most > TREE_MAX - t->placed)
    most = TREE_MAX - t->placed;
  t->placed += (unsigned)most;
  for (; count < most && t->used < TREE_MAX; count++)
    members[count] = put_task(t, w, random, depth);
  if (race && count == 0) {
    put_call(t, spec, w, random, depth);
    return;
  }
  *spec = vow_task_group_spec("group", race ? VOW_TASK_RACE : VOW_TASK_PARALLEL, members, count);
  spec->fail_fast = seeds_pick(random, 2);
}

static const vow_task_spec *put_task(tree *t, world *w, uint64_t *random, unsigned depth) {
  static const char *const errors[] = {NULL, "Error", "AggregateError", "TimeoutError, Error"};
  vow_task_spec *spec = &t->specs[t->used++];
  if (w->grouped && seeds_pick(random, 3) == 0)
    put_group(t, spec, w, random, depth);
  else
    put_call(t, spec, w, random, depth);
  spec->timeout_ms = seeds_pick(random, 3) ? 1000 : 1 + seeds_pick(random, 2);
  spec->priority = (uint8_t)seeds_pick(random, 5);
  spec->retry.attempts = w->grouped ? seeds_pick(random, 4) : 0;
  spec->retry.delay_ms = seeds_pick(random, 2);
  spec->retry.jitter_percent = seeds_pick(random, 101);
  spec->retry.errors = errors[seeds_pick(random, 4)];
  return spec;
}

static void drop_tree(tree *t) {
  for (unsigned i = 0; i < t->used; i++)
    if (t->specs[i].form == VOW_TASK_CALL)
      free(t->specs[i].argument);
}

static vow_task *start_one(world *w, uint64_t *random, unsigned depth) {
  tree t = {.used = 0};
  put_task(&t, w, random, depth);
  vow_task_spec *spec = &t.specs[0];
  bool group = spec->form != VOW_TASK_CALL, held = seeds_pick(random, 4) > 0;
  spec->detached = seeds_pick(random, 3) == 0;
  vow_task *task = NULL;
  vow_status status = vow_task_start(w->stage.pool, spec, held ? &task : NULL);
  if (status == VOW_OK) {
    atomic_fetch_add(&w->starts, t.calls);
    atomic_fetch_add(&w->tasks, t.used);
    atomic_fetch_add(&w->groups, group);
    return task;
  }
  assert_true(status == VOW_E_FULL || status == VOW_E_STATE);
  atomic_fetch_add(&w->refused, status == VOW_E_FULL && !group);
  drop_tree(&t);
  return NULL;
}

static void note_done(vow_task *task, void *user) {
  (void)user;
  assert_non_null(vow_task_result_of(task));
}

static void wait_some(vow_task *task, uint64_t *random, bool inside) {
  vow_status status = vow_task_wait(task, seeds_pick(random, 4));
  assert_true(status == VOW_OK || status == VOW_E_TIME ||
              (inside && (status == VOW_E_DEADLOCK || status == VOW_E_CANCELLED)));
  if (status == VOW_OK)
    assert_non_null(vow_task_result_of(task));
}

/* What any thread may do with a task it holds, or with a member of it. */
static void meddle(vow_task *task, uint64_t *random, bool inside) {
  vow_task *member = vow_task_member(task, seeds_pick(random, 3));
  if (member && seeds_pick(random, 2)) {
    meddle(member, random, inside);
    return;
  }
  switch (seeds_pick(random, 4)) {
  case 0:
    vow_task_cancel(task);
    break;
  case 1:
    vow_task_on_done(task, NULL, note_done, NULL);
    break;
  case 2:
    assert_true(vow_task_state(task) <= VOW_OP_CANCELLED);
    break;
  default:
    wait_some(task, random, inside);
  }
}

static void spin_ms(unsigned ms) {
  uint64_t until = uv_hrtime() + ms * UINT64_C(1000000);
  while (uv_hrtime() < until)
    ;
}

static void on_stop(void *user) {
  atomic_store((atomic_bool *)user, true);
}

static void nest(const act *a, uint64_t *random) {
  world *w = a->world;
  if (a->depth >= DEPTH_MAX)
    return;
  vow_task *task = start_one(w, random, a->depth + 1);
  if (!task)
    return;
  if (seeds_pick(random, 4) == 0) {
    VOW_TASK_GUARD(guarded) = vow_task_retain(task);
    (void)guarded;
  }
  meddle(task, random, true);
  share(w, task, random);
}

static void callback(vow_task_context *context, void *argument) {
  act *a = argument;
  uint64_t random = atomic_fetch_add(&a->random, UINT64_C(0x9e3779b97f4a7c15));
  atomic_bool stopped = false;
  bool told;
  size_t len;
  vow_task *other;
  vow_task_value(context, &len);
  assert_true(len < 6);
  switch (seeds_pick(&random, 10)) {
  case 0:
    vow_task_fail(context, "Error", "chaos", seeds_pick(&random, 2) ? "here" : NULL);
    break;
  case 1:
    vow_task_succeed(context, "value", 5);
    break;
  case 2:
    vow_task_sleep(context, seeds_pick(&random, 3));
    break;
  case 3:
    spin_ms(seeds_pick(&random, 3));
    break;
  case 4:
    vow_task_cancel(vow_task_self(context));
    assert_true(vow_task_cancelled(context));
    break;
  case 5:
    assert_int_not_equal(vow_task_wait(vow_task_self(context), 1), VOW_E_TIME);
    break;
  case 6:
    vow_task_on_stop(context, on_stop, &stopped);
    vow_task_sleep(context, 1);
    told = vow_task_cancelled(context);
    vow_task_on_stop(context, NULL, NULL);
    assert_true(!told || stopped);
    assert_true(!told || vow_task_remaining_ms(context) == 0);
    break;
  case 7:
    if ((other = any_task(a->world, &random))) {
      meddle(other, &random, true);
      vow_task_release(other);
    }
    break;
  default:
    nest(a, &random);
  }
}

/* ---- a thread ---- */

typedef struct actor {
  world *world;
  uint64_t random;
  uv_thread_t thread;
} actor;

static void act_on_pool(world *w, uint64_t *random) {
  unsigned what = seeds_pick(random, 12);
  if (what == 0)
    vow_task_pool_cancel(w->stage.pool);
  else if (what == 1)
    vow_task_pool_wait(w->stage.pool, seeds_pick(random, 3));
  else
    counts_of(&w->stage);
}

static void actor_main(void *user) {
  actor *self = user;
  world *w = self->world;
  for (unsigned step = 0; step < STEPS; step++) {
    unsigned what = seeds_pick(&self->random, 10);
    vow_task *task;
    if (what < 5) {
      task = start_one(w, &self->random, 0);
      if (task)
        share(w, task, &self->random);
    } else if (what < 6) {
      act_on_pool(w, &self->random);
    } else if ((task = any_task(w, &self->random))) {
      meddle(task, &self->random, false);
      vow_task_release(task);
    }
  }
  uv_barrier_wait(&w->started);
  /* From here on the pool may be closed: only tasks that are held are touched. */
  for (unsigned step = 0; step < STEPS / 4; step++) {
    vow_task *task = any_task(w, &self->random);
    if (task)
      meddle(task, &self->random, false);
    vow_task_release(task);
  }
}

/* ---- a schedule ---- */

static void open_world(world *w, uint64_t *random) {
  *w = (world){.grouped = seeds_pick(random, 2)};
  stage_open_with(&w->stage, (vow_task_pool_options){.concurrent_max = 1 + seeds_pick(random, 3),
                                                     .queue_max = seeds_pick(random, 2) ? 4 : 0,
                                                     .waiting_max = 1 + seeds_pick(random, 3),
                                                     .retired_max = 1 + seeds_pick(random, 2),
                                                     .patience_ms = 1 + seeds_pick(random, 2)});
  uv_mutex_init(&w->lock);
  uv_barrier_init(&w->started, THREADS + 1);
}

/* Nobody is left who could start anything: callbacks of settled tasks neither. */
static vow_task_counts until_quiet(world *w) {
  vow_task_counts counts;
  for (;;) {
    assert_int_equal(vow_task_pool_wait(w->stage.pool, VOW_FOREVER), VOW_OK);
    counts = counts_of(&w->stage);
    if (counts.live + counts.active + counts.retired_live == 0)
      return counts;
    uv_sleep(1);
  }
}

/* Callbacks in threads that were given up may share tasks still. */
static void until_nothing_is_left(world *w) {
  while (__atomic_load_n(&w->stage.memory.blocks, __ATOMIC_ACQUIRE) != 0) {
    for (unsigned i = 0; i < SLOTS; i++) {
      uv_mutex_lock(&w->lock);
      vow_task *task = w->shared[i];
      w->shared[i] = NULL;
      uv_mutex_unlock(&w->lock);
      let_go(w, task);
    }
    uv_sleep(1);
  }
}

static void close_world(world *w, uint64_t *random) {
  unsigned least = w->tasks + w->refused;
  vow_task_counts counts = counts_of(&w->stage);
  bool graceful = seeds_pick(random, 2);
  vow_status status = vow_task_pool_close(
      w->stage.pool, graceful ? VOW_TASK_GRACEFUL : VOW_TASK_IMMEDIATE, seeds_pick(random, 5));
  assert_true(status == VOW_OK || status == VOW_E_TIME);
  assert_true(counts.created >= least);
  all_retries += counts.retries;
  all_groups += w->groups;
}

static void schedule(uint64_t seed) {
  static world w;
  actor actors[THREADS];
  uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  open_world(&w, &random);
  for (unsigned i = 0; i < THREADS; i++) {
    actors[i] = (actor){.world = &w, .random = random + i * 7919 + 1};
    assert_int_equal(uv_thread_create(&actors[i].thread, actor_main, &actors[i]), 0);
  }
  uv_barrier_wait(&w.started);
  if (seeds_pick(&random, 2)) {
    vow_task_counts counts = until_quiet(&w);
    assert_true(counts.created >= w.tasks + w.refused);
    assert_true(w.grouped || counts.created == w.tasks + w.refused);
  }
  close_world(&w, &random);
  for (unsigned i = 0; i < THREADS; i++)
    uv_thread_join(&actors[i].thread);
  until_nothing_is_left(&w);
  assert_int_equal(w.freed, w.starts);
  uv_barrier_destroy(&w.started);
  uv_mutex_destroy(&w.lock);
}

static void schedules(void **state) {
  (void)state;
  for (unsigned i = 0; i < seed_count; i++) {
    current_seed = first_seed + i;
    schedule(current_seed);
  }
  current_seed = 0;
  assert_true(seed_count < 100 || (all_groups > 0 && all_retries > 0));
}

int main(int argc, char **argv) {
  seeds_begin(argc, argv, 200);
  const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(schedules, tell_seed_after)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
