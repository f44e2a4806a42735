/* The smallest program with a task: a callback on another thread, with a time limit.
 *
 *   cc task.c $(pkg-config --cflags --libs vow) -o task && ./task */
#include <stdio.h>
#include <vow/task.h>

/* On a thread of the pool. What takes long asks whether anybody still waits. */
static void count(vow_task_context *context, void *argument) {
  const unsigned *to = argument;
  unsigned n = 0;
  char text[16];
  while (n < *to && !vow_task_cancelled(context))
    n++;
  snprintf(text, sizeof text, "%u", n);
  vow_task_succeed_json(context, text);
}

static void run(vow_task_pool *pool, unsigned to) {
  VOW_TASK_GUARD(task) = NULL; /* at the end of this scope the callback has returned */
  vow_task_spec spec = vow_task_call_spec("count", count, &to);
  spec.timeout_ms = 500;
  if (vow_task_run(pool, &spec, &task) != VOW_OK) {
    printf("%s\n", vow_task_pool_message(pool));
    return;
  }
  const vow_task_result *result = vow_task_result_of(task);
  if (result->state == VOW_FULFILLED)
    printf("%s\n", vow_task_value_json(task));
  else
    printf("%s: %s\n", result->error_type, result->error_message);
}

int main(void) {
  vow_task_pool *pool;
  if (vow_task_pool_open(NULL, &pool) != VOW_OK)
    return 1;
  run(pool, 1000);
  run(pool, UINT32_MAX);
  vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 1000);
  return 0;
}
