/* `vow task`: waiting for tasks, looking for functions, calling them. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/task_int.h"
#include "loop/loop.h"
#include "task/task.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- tasks, and waiting for them ---- */

typedef struct settlement {
  task_done done;
  int fd;
} settlement;

static void on_settled(task_done *done, vow_task *task) {
  (void)task;
  cli_task_wake(((settlement *)done)->fd);
}

void cli_task_wake(int fd) {
  const uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) { /* it is full: whoever waits is woken all the same */
  }
}

static void drain(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) { /* nobody has woken it */
  }
}

static bool is_live(const vow_task *task) {
  vow_state state = vow_task_state(task);
  return state == VOW_PENDING || state == VOW_RUNNING;
}

/* Until it has settled; a signal cancels it, and whatever else the pool has. A function that
 * forks and returns in both processes wakes this one from the other, too. */
static void await_task(tasks *t, vow_task_pool *pool, vow_task *task) {
  settlement settlement = {.done.tell = on_settled, .fd = t->settled};
  struct pollfd fds[2] = {{.fd = t->settled, .events = POLLIN},
                          {.fd = t->signals, .events = POLLIN}};
  task_claim(task); /* nobody else has */
  task_tell(task, &settlement.done);
  for (;;) {
    if (poll(fds, 2, -1) < 0)
      continue;
    if (fds[0].revents) {
      drain(t->settled);
      if (!is_live(task))
        return;
      continue;
    }
    drain(t->signals);
    t->cancelled = true;
    vow_task_pool_cancel(pool);
  }
}

/* Milliseconds of --timeout-ms that are left; at least one, for 0 is no limit. */
static uint64_t time_left(const tasks *t) {
  uint64_t used = (loop_now() - t->begun_ns) / NS_PER_MS, all = t->options.timeout_ms;
  return all == 0 ? 0 : used < all ? all - used : 1;
}

/* False, having said so. `spec` is to be started or given back. */
static bool make_spec(tasks *t, size_t i, bool load, vow_task_spec *spec) {
  vow_status status =
      (load ? vow_executor_load : vow_executor_task)(t->executor, &t->functions[i], spec);
  if (status != VOW_OK)
    return cli_task_complain(t, "%s: %s", t->names[i], vow_status_message(status));
  spec->name = t->names[i];
  spec->value = load ? NULL : t->argument.data;
  spec->value_len = load ? 0 : t->argument.len;
  return true;
}

/* NULL, having said so; then `spec` is still to be given back. */
static vow_task *start(tasks *t, vow_task_pool *pool, const vow_task_spec *spec) {
  vow_task *task = NULL;
  vow_status status = vow_task_start(pool, spec, &task);
  const char *message = status == VOW_E_INVALID ? vow_task_pool_message(pool) : "";
  if (status != VOW_OK)
    cli_task_complain(t, "%s", *message ? message : vow_status_message(status));
  return task;
}

static vow_task_pool *open_pool(const tasks *t, bool recorded) {
  char message[PATH_MAX + 256] = "";
  vow_task_pool *pool = NULL;
  uint64_t workers = t->options.workers ? t->options.workers : t->count;
  vow_task_pool_options options = {.size = sizeof options,
                                   .concurrent_max = (uint32_t)workers,
                                   /* All at once, so that there is one time to wait for them. */
                                   .retired_max = (uint32_t)t->count,
                                   .patience_ms = TASK_PATIENCE_MS,
                                   .message = message,
                                   .message_size = sizeof message};
  if (recorded) {
    options.audit = t->options.audit;
    options.metrics = t->options.metrics != NULL;
  }
  vow_status status = vow_task_pool_open(&options, &pool);
  if (status != VOW_OK)
    cli_task_complain(t, "%s", *message ? message : vow_status_message(status));
  return pool;
}

/* Threads that go on are left to themselves. */
static int close_pool(tasks *t, vow_task_pool *pool, int status) {
  vow_status closed = vow_task_pool_close(pool, VOW_TASK_IMMEDIATE, 0);
  t->abandoned |= closed == VOW_E_TIME;
  if (closed != VOW_E_LOST)
    return status;
  cli_task_complain(t, "--audit %s: events could not be written", t->options.audit);
  return status == EXIT_VALUE ? EXIT_FAILED : status;
}

/* ---- looking for the functions ---- */

static bool is_missing(const vow_task_result *result) {
  return result->state == VOW_REJECTED && (strcmp(result->error_type, "NotFoundError") == 0 ||
                                           strcmp(result->error_type, "LoadError") == 0);
}

static bool start_looking(tasks *t, vow_task_pool *pool) {
  for (size_t i = 0; i < t->count; i++) {
    vow_task_spec spec;
    if (!make_spec(t, i, true, &spec))
      return false;
    spec.timeout_ms = time_left(t);
    t->tasks[i] = start(t, pool, &spec);
    if (!t->tasks[i]) {
      spec.argument_free(spec.argument);
      return false;
    }
  }
  return true;
}

/* The first that failed for another reason than that it is missing; NULL: none has. In a
 * race the others may have a value. */
static vow_task *find_failed(const tasks *t) {
  bool race = t->command->group && t->command->form == VOW_TASK_RACE;
  for (size_t i = 0; i < t->count; i++) {
    vow_state state = vow_task_state(t->tasks[i]);
    if (state != VOW_FULFILLED && !(race && state == VOW_REJECTED))
      return t->tasks[i];
  }
  return NULL;
}

static int tell_missing(const tasks *t) {
  for (size_t i = 0; i < t->count; i++) {
    const vow_task_result *result = vow_task_result_of(t->tasks[i]);
    if (is_missing(result)) {
      cli_task_complain(t, "'%s': %s", t->names[i], result->error_message);
      return EXIT_USAGE;
    }
  }
  return EXIT_VALUE;
}

static int look_at_tasks(tasks *t, vow_task_pool *pool) {
  if (!start_looking(t, pool))
    return EXIT_USAGE;
  for (size_t i = 0; i < t->count; i++)
    await_task(t, pool, t->tasks[i]);
  int status = tell_missing(t);
  vow_task *failed = status == EXIT_VALUE ? find_failed(t) : NULL;
  if (failed)
    status = cli_task_conclude(t, pool, &(concluded){.task = failed, .tasks = t->tasks});
  return status;
}

static void release_tasks(tasks *t) {
  for (size_t i = 0; i < t->count; i++) {
    vow_task_release(t->tasks[i]);
    t->tasks[i] = NULL;
  }
}

/* EXIT_VALUE: everything is there, and nothing was called. */
static int look(tasks *t) {
  vow_task_pool *pool = open_pool(t, false);
  if (!pool)
    return EXIT_USAGE;
  int status = look_at_tasks(t, pool);
  release_tasks(t);
  return close_pool(t, pool, status);
}

/* ---- calling them ---- */

static void free_specs(tasks *t, size_t count) {
  for (size_t i = 0; i < count; i++)
    t->specs[i].argument_free(t->specs[i].argument);
}

static bool make_members(tasks *t) {
  for (size_t i = 0; i < t->count; i++) {
    if (!make_spec(t, i, false, &t->specs[i])) {
      free_specs(t, i);
      return false;
    }
    t->specs[i].timeout_ms = 0; /* that of all of it is enough */
  }
  return true;
}

static vow_task *start_command(tasks *t, vow_task_pool *pool) {
  if (!make_members(t))
    return NULL;
  vow_task_spec spec = t->specs[0];
  if (t->command->group)
    spec = vow_task_group_spec(t->command->name, t->command->form, t->members, t->count);
  spec.timeout_ms = time_left(t);
  if (t->command->retry)
    spec.retry =
        (vow_task_retry){.attempts = (uint32_t)t->options.times, .delay_ms = t->options.delay_ms};
  vow_task *task = start(t, pool, &spec);
  if (!task)
    free_specs(t, t->count);
  return task;
}

static int call(tasks *t) {
  vow_task_pool *pool = open_pool(t, true);
  if (!pool)
    return EXIT_USAGE;
  int status = EXIT_USAGE;
  vow_task *task = start_command(t, pool);
  if (task) {
    await_task(t, pool, task);
    for (size_t i = 0; i < t->count; i++)
      t->tasks[i] = vow_task_retain(t->command->group ? vow_task_member(task, i) : task);
    status = cli_task_conclude(
        t, pool,
        &(concluded){
            .task = task, .tasks = t->tasks, .group = t->command->group, .recorded = true});
    release_tasks(t);
    vow_task_release(task);
  }
  return close_pool(t, pool, status);
}

int cli_task_execute(tasks *t) {
  int status = look(t);
  if (status != EXIT_VALUE)
    return status;
  output_discard(&t->record.audit); /* it can be written: the pool does */
  return call(t);
}
