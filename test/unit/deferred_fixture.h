/* A native shard whose runs have Deferred beside the operations of run_fixture.h. */
#ifndef VOW_TEST_DEFERRED_FIXTURE_H
#define VOW_TEST_DEFERRED_FIXTURE_H

#include <pthread.h>
#include <sched.h>

#include "deferred/deferred.h"
#include "unit/run_fixture.h"

#define DEFERRED_TEST_KINDS (KIND_COUNT + DEFERRED_KINDS)

typedef struct deferred_fixture {
  run_fixture run; /* first: it is the `user` of its kinds */
  counting_alloc counting;
  pthread_mutex_t lock; /* of `counting`: workers allocate as well */
  vow_allocator allocator;
  deferred *deferred;
  host_kind kinds[DEFERRED_TEST_KINDS];
  bool prepared;
} deferred_fixture;

static inline void *locked_allocate(void *user, void *block, size_t size) {
  deferred_fixture *f = user;
  pthread_mutex_lock(&f->lock);
  void *result = counting_alloc_call(&f->counting, block, size);
  pthread_mutex_unlock(&f->lock);
  return result;
}

/* False when memory is short. */
static inline bool deferred_fixture_try(deferred_fixture *f, uint32_t workers, uint32_t queue_max) {
  const deferred_options options = {.allocator = &f->allocator,
                                    .workers = workers,
                                    .queue_max = queue_max,
                                    .trust = {.can_block = true}};
  pthread_mutex_init(&f->lock, NULL);
  f->allocator = (vow_allocator){locked_allocate, f};
  fixture_try(&f->run, ENGINE_NATIVE);
  if (!f->run.shard)
    return false;
  engine_set_trust(shard_engine(f->run.shard), &(engine_trust){0});
  f->deferred = deferred_open(&options, f->run.shard);
  if (!f->deferred)
    return false;
  memcpy(f->kinds, f->run.kinds, sizeof f->run.kinds);
  deferred_kinds(f->deferred, f->kinds + KIND_COUNT);
  f->prepared = host_kinds_open(f->run.shard, f->kinds, DEFERRED_TEST_KINDS);
  run_options workers_are = {
      .kinds = f->kinds, .kinds_count = DEFERRED_TEST_KINDS, .limits = run_limits_default};
  return f->prepared && deferred_prepare(f->deferred, &workers_are);
}

static inline void deferred_fixture_open(deferred_fixture *f, uint32_t workers,
                                         uint32_t queue_max) {
  *f = (deferred_fixture){0};
  assert_true(deferred_fixture_try(f, workers, queue_max));
}

static inline size_t deferred_blocks(deferred_fixture *f) {
  pthread_mutex_lock(&f->lock);
  size_t blocks = f->counting.blocks;
  pthread_mutex_unlock(&f->lock);
  return blocks;
}

/* A thread that was given up, as on a busy machine any may be, gives its memory back
 * when it ends; one that never does is `left_behind`. */
static inline void deferred_fixture_close(deferred_fixture *f, bool left_behind) {
  if (f->run.shard)
    shard_drain(f->run.shard);
  deferred_close(f->deferred);
  if (f->prepared)
    host_kinds_close(f->kinds, DEFERRED_TEST_KINDS);
  if (f->run.shard)
    fixture_close(&f->run);
  while (!left_behind && deferred_blocks(f) > 0)
    sched_yield();
}

static inline bool deferred_try_run(deferred_fixture *f, subject *s, const char *source) {
  const run_options options = {.name = "test.js",
                               .source = source,
                               .source_len = strlen(source),
                               .kinds = f->kinds,
                               .kinds_count = DEFERRED_TEST_KINDS,
                               .limits = s->limits,
                               .on_log = note_log,
                               .on_event = note_event,
                               .on_done = note_done,
                               .user = s};
  s->run = run_open(f->run.shard, &options);
  return s->run != NULL;
}

static inline void deferred_open_run(deferred_fixture *f, subject *s, const char *source) {
  subject_init(s, &f->run);
  s->limits.concurrent_max = 0;
  assert_true(deferred_try_run(f, s, source));
}

/* The run comes to that value. */
static inline void deferred_gives(deferred_fixture *f, const char *source, const char *value) {
  subject s;
  deferred_open_run(f, &s, source);
  until_done(&s);
  if (s.outcome != RUN_VALUE || strcmp(s.value, value) != 0)
    fail_msg("%s\n gave %s %s %s: %s, not %s", source, s.value, run_kind_text(s.kind), s.name,
             s.message, value);
  subject_close(&s);
}

#endif
