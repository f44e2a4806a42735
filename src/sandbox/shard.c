#include "sandbox/shard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "sandbox/run_int.h"

/* Deadlines handled before guests get a slice. */
#define EXPIRE_BATCH 256u
/* Slices between two looks at I/O and deadlines. */
#define SLICES_PER_WORK 16u
#define SLICES_NS 2000000u
/* Guest time up to which a preempted run goes before those that took more. */
#define YOUNG_NS 5000000u
/* A run that waits for one to two of these gives its stack back: dropping and
 * touching it again costs more than a short wait. */
#define TRIM_MS 10u
/* For a handler to stop before it is named. */
#define GRACE_MS 100u

typedef struct run_queue {
  run *first, *last;
} run_queue;

struct shard {
  const vow_allocator *allocator;
  loop *loop;
  engine *engine;
  op_table *operations;
  /* Runs that begin a turn, runs preempted in one that have not taken much time so
   * far, and the others. In this order, so that a short run waits for a few slices
   * of its spinning neighbours and not for a round of them. */
  run_queue fresh, young, old;
  unsigned slices;
  run *idle[2];      /* waiting runs that may still hold a stack: */
  unsigned idle_new; /* the list for those that begin to wait; the other's waited longer */
  uv_timer_t trim;
  size_t handlers;
  host_call *orphans; /* calls whose run has finished before their handler */
  uv_timer_t grace;   /* of handlers, when the shard is closed */
  void (*on_leak)(void *user, const run_leak *leak);
  void *user;
  host_call *batch[OP_BATCH_MAX]; /* whose START events were taken, of the batch that goes on */
  size_t batch_count;
  bool dispatching;
  unsigned answering; /* host_answers_begin() without its end */
  uint8_t random[1020];
  size_t random_used;
};

static void on_deadline(void *user);
static void on_work(void *user);

static void on_waiting(void *user, op_id id, void *operation_user) {
  (void)user, (void)id;
  run_call_waits(operation_user);
}

shard *shard_open(const shard_options *options, char *message, size_t message_size) {
  shard *shard = mem_new(options->allocator, 1, sizeof *shard);
  if (!shard) {
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  shard->allocator = options->allocator;
  shard->random_used = sizeof shard->random;
  shard->engine = engine_open(options->engine, options->allocator, options->guest_folder, message,
                              message_size);
  if (!shard->engine) {
    mem_free(options->allocator, shard);
    return NULL;
  }
  shard->operations = op_table_open(options->allocator, options->live_max);
  shard->loop =
      shard->operations ? loop_open(options->allocator, on_deadline, on_work, shard) : NULL;
  if (!shard->loop) {
    snprintf(message, message_size, "cannot open an event loop: %s",
             strerror(shard->operations ? errno : ENOMEM));
    if (shard->operations)
      op_table_close(shard->operations);
    engine_close(shard->engine);
    mem_free(options->allocator, shard);
    return NULL;
  }
  op_table_set_concurrent(shard->operations, options->concurrent_max);
  op_table_tell_waiting(shard->operations, on_waiting, NULL);
  op_table_set_queue(shard->operations, options->queue_max ? options->queue_max : SHARD_QUEUE_MAX);
  uv_timer_init(loop_uv(shard->loop), &shard->trim);
  uv_unref((uv_handle_t *)&shard->trim);
  uv_timer_init(loop_uv(shard->loop), &shard->grace);
  uv_unref((uv_handle_t *)&shard->grace);
  shard->grace.data = shard;
  shard->on_leak = options->on_leak;
  shard->user = options->user;
  shard->trim.data = shard;
  return shard;
}

static bool refuse_messages(void *user, const uint8_t *bytes, size_t len) {
  (void)user, (void)bytes, (void)len;
  return false;
}

bool shard_prepare(shard *shard) {
  /* Natively a guest is made for each run, and its memory as it is needed. */
  if (engine_kind_of_engine(shard->engine) == ENGINE_NATIVE)
    return true;
  engine_instance *instance =
      engine_instance_open(shard->engine, NULL, RUN_MEMORY_MIN, refuse_messages, NULL);
  if (instance)
    engine_instance_close(instance, true); /* kept for the next run */
  return instance != NULL;
}

static void on_grace(uv_timer_t *timer) {
  shard *shard = timer->data;
  run_tell_orphans(shard, shard->on_leak, shard->user);
}

void shard_drain(shard *shard) {
  if (shard->on_leak && shard->handlers > 0)
    uv_timer_start(&shard->grace, on_grace, GRACE_MS, 0);
  while (shard->handlers > 0)
    shard_turn(shard);
  shard_dispatch(shard);
  uv_timer_stop(&shard->grace);
}

void shard_close(shard *shard) {
  if (!shard)
    return;
  shard_drain(shard);
  uv_close((uv_handle_t *)&shard->trim, NULL);
  uv_close((uv_handle_t *)&shard->grace, NULL);
  loop_close(shard->loop);
  op_table_close(shard->operations);
  engine_close(shard->engine);
  mem_free(shard->allocator, shard);
}

loop *shard_loop(shard *shard) {
  return shard->loop;
}

engine *shard_engine(shard *shard) {
  return shard->engine;
}

op_table *shard_operations(shard *shard) {
  return shard->operations;
}

const vow_allocator *shard_allocator(const shard *shard) {
  return shard->allocator;
}

host_call **shard_orphans(shard *shard) {
  return &shard->orphans;
}

size_t shard_handlers(const shard *shard) {
  return shard->handlers;
}

void shard_handler_began(shard *shard) {
  shard->handlers++;
}

void shard_handler_ended(shard *shard) {
  shard->handlers--;
}

void shard_seeds(shard *shard, uint8_t seeds[12]) {
  if (shard->random_used + 12 > sizeof shard->random) {
    /* Up to 256 bytes at a time never fail once the system has booted. */
    for (size_t at = 0; at < sizeof shard->random; at += 204)
      while (getrandom(shard->random + at, 204, 0) != 204)
        ;
    shard->random_used = 0;
  }
  memcpy(seeds, shard->random + shard->random_used, 12);
  memset(shard->random + shard->random_used, 0, 12);
  shard->random_used += 12;
}

uint64_t shard_random(shard *shard) {
  uint8_t bytes[12];
  uint64_t random;
  shard_seeds(shard, bytes);
  memcpy(&random, bytes, sizeof random);
  return random;
}

/* ---- queues ---- */

static void push(run_queue *queue, run *run) {
  run->queue = queue;
  run->next_ready = NULL;
  run->previous_ready = queue->last;
  if (queue->last)
    queue->last->next_ready = run;
  else
    queue->first = run;
  queue->last = run;
}

static void take_out(run *run) {
  run_queue *queue = run->queue;
  if (run->previous_ready)
    run->previous_ready->next_ready = run->next_ready;
  else
    queue->first = run->next_ready;
  if (run->next_ready)
    run->next_ready->previous_ready = run->previous_ready;
  else
    queue->last = run->previous_ready;
  run->queue = NULL;
}

static run_queue *preempted_queue(shard *shard, const run *run) {
  uint64_t used = op_scope_time(run->scope, OP_CLOCK_GUEST, loop_now());
  return used < YOUNG_NS ? &shard->young : &shard->old;
}

void shard_make_ready(shard *shard, run *run) {
  if (run->queue)
    return;
  push(run->in_turn ? preempted_queue(shard, run) : &shard->fresh, run);
  loop_set_busy(shard->loop, true);
}

static void on_trim(uv_timer_t *timer);

static void arm_trim(shard *shard) {
  if (!uv_is_active((uv_handle_t *)&shard->trim))
    uv_timer_start(&shard->trim, on_trim, TRIM_MS, 0);
}

static void link_idle(run **list, run *run) {
  run->idle_list = list;
  run->next_idle = *list;
  run->previous_idle = NULL;
  if (*list)
    (*list)->previous_idle = run;
  *list = run;
}

static void unlink_idle(run *run) {
  if (run->previous_idle)
    run->previous_idle->next_idle = run->next_idle;
  else
    *run->idle_list = run->next_idle;
  if (run->next_idle)
    run->next_idle->previous_idle = run->previous_idle;
  run->idle_list = NULL;
}

void shard_note_idle(shard *shard, run *run) {
  if (run->idle_list)
    return;
  link_idle(&shard->idle[shard->idle_new], run);
  arm_trim(shard);
}

void shard_forget_run(shard *shard, run *run) {
  if (run->queue)
    take_out(run);
  if (run->idle_list)
    unlink_idle(run);
  arm_trim(shard); /* what it leaves parked */
}

static void on_trim(uv_timer_t *timer) {
  shard *shard = timer->data;
  run **longer = &shard->idle[!shard->idle_new];
  while (*longer) {
    run *run = *longer;
    unlink_idle(run);
    if (run->state == RUN_WAITING)
      engine_instance_idle(run->instance);
  }
  engine_trim(shard->engine);
  shard->idle_new = !shard->idle_new;
  if (shard->idle[!shard->idle_new])
    uv_timer_start(timer, on_trim, TRIM_MS, 0);
}

/* ---- events of the operation table ---- */

static void start(shard *shard, const op_event *event) {
  shard->batch[shard->batch_count++] = event->user;
  if (event->batch_more)
    return;
  size_t count = shard->batch_count;
  shard->batch_count = 0;
  run_calls_start(shard->batch, count);
}

static void handle_event(shard *shard, const op_event *event) {
  switch (event->kind) {
  case OP_EVENT_START:
    start(shard, event);
    break;
  case OP_EVENT_SETTLED:
    run_call_settled(event->user, event->state);
    break;
  case OP_EVENT_STOP:
    run_call_stop(event->user);
    break;
  case OP_EVENT_TIMER:
    if (event->scope_user)
      run_on_timer(event->scope_user, event->tag);
    break;
  case OP_EVENT_WALL:
    if (event->scope_user)
      run_on_wall(event->scope_user);
    break;
  }
}

void shard_dispatch(shard *shard) {
  op_event event;
  if (shard->dispatching || shard->answering)
    return; /* the outer loop, or the end of the answers, takes what was raised meanwhile */
  shard->dispatching = true;
  while (op_next_event(shard->operations, &event))
    handle_event(shard, &event);
  shard->dispatching = false;
  loop_set_deadline(shard->loop, op_next_deadline(shard->operations));
}

void host_answers_begin(shard *shard) {
  shard->answering++;
}

void host_answers_end(shard *shard) {
  shard->answering--;
  shard_dispatch(shard);
}

static void expire(shard *shard) {
  op_expire(shard->operations, loop_now(), EXPIRE_BATCH);
  shard_dispatch(shard);
}

static void on_deadline(void *user) {
  expire(user);
}

/* ---- turns ---- */

/* A flood of what goes first leaves one slice in four to the old and one in eight
 * to the young. */
static run *next_run(shard *shard) {
  run_queue *queues[] = {&shard->fresh, &shard->young, &shard->old};
  unsigned slice = shard->slices++ % 8;
  run_queue *favoured = slice % 4 == 3 ? &shard->old : slice == 5 ? &shard->young : &shard->fresh;
  run *run = favoured->first;
  for (size_t i = 0; !run && i < 3; i++)
    run = queues[i]->first;
  if (run)
    take_out(run);
  return run;
}

static void on_work(void *user) {
  shard *shard = user;
  uint64_t begun = loop_now(), now = begun;
  for (unsigned slices = 0; slices < SLICES_PER_WORK; slices++) {
    run *run = next_run(shard);
    if (!run)
      break;
    run_slice(run);
    shard_dispatch(shard);
    now = loop_now();
    if (now - begun > SLICES_NS)
      break;
  }
  if (op_next_deadline(shard->operations) <= now)
    expire(shard);
  loop_set_busy(shard->loop, shard->fresh.first || shard->young.first || shard->old.first);
}

void shard_turn(shard *shard) {
  loop_run(shard->loop, true);
}
