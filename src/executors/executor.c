/* Executors: which language a task's function is of, and what its tasks share. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/sized.h"
#include "executors/function.h"
#include "executors/javascript.h"
#include "executors/python.h"
#include "executors/shared_object.h"
#include "loop/spin.h"
#include "sandbox/run.h"

#define MEMORY_DEFAULT (UINT64_C(256) << 20)
#define MEMORY_MOST (UINT64_C(2) << 30)
#define LABEL_SIZE 160u

struct vow_executor {
  vow_executor_options options;
  atomic_size_t tasks;    /* arguments that are not freed */
  uv_mutex_t output_lock; /* around on_output */
  javascript *javascript;
};

/* The argument of a task: one function. */
typedef struct task_function {
  vow_executor *executor;
  vow_function function;
  bool load;
  char label[LABEL_SIZE];
  char text[];
} task_function;

/* ---- output ---- */

/* What cannot be written is lost: the function has no part in it. */
static void write_all(int fd, const char *text, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, text, len);
    if (n > 0) {
      text += n;
      len -= (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    } else if (n == 0 || errno != EINTR) {
      return;
    }
  }
}

static void on_output(int stream, const char *text, size_t len, void *user) {
  vow_executor *executor = user;
  uv_mutex_lock(&executor->output_lock);
  if (executor->options.on_output)
    executor->options.on_output(stream, text, len, executor->options.user);
  else
    write_all(stream, text, len);
  uv_mutex_unlock(&executor->output_lock);
}

/* ---- opening and closing ---- */

static vow_status refuse(const vow_executor_options *options, vow_status status,
                         const char *message) {
  if (options->message && options->message_size)
    snprintf(options->message, options->message_size, "%s", message);
  return status;
}

static bool open_parts(vow_executor *executor) {
  const javascript_options options = {.allocator = executor->options.allocator,
                                      .memory_bytes = executor->options.memory_bytes,
                                      .on_output = on_output,
                                      .user = executor};
  if (uv_mutex_init(&executor->output_lock) != 0)
    return false;
  executor->javascript = javascript_open(&options);
  if (executor->javascript)
    return true;
  uv_mutex_destroy(&executor->output_lock);
  return false;
}

vow_status vow_executor_open(const vow_executor_options *given, vow_executor **opened) {
  vow_executor_options options = {0};
  if (!opened)
    return VOW_E_INVALID;
  *opened = NULL;
  if (given && !sized_copy(&options, sizeof options, given))
    return VOW_E_INVALID;
  if (options.memory_bytes == 0)
    options.memory_bytes = MEMORY_DEFAULT;
  if (options.memory_bytes < RUN_MEMORY_MIN || options.memory_bytes > MEMORY_MOST)
    return refuse(&options, VOW_E_INVALID, "memory_bytes: must be 8 MiB to 2 GiB");
  vow_executor *executor = mem_new(options.allocator, 1, sizeof *executor);
  if (!executor)
    return refuse(&options, VOW_E_NOMEM, "out of memory");
  executor->options = options;
  if (open_parts(executor)) {
    *opened = executor;
    return VOW_OK;
  }
  mem_free(options.allocator, executor);
  return refuse(&options, VOW_E_NOMEM, "out of memory");
}

vow_status vow_executor_close(vow_executor *executor) {
  if (!executor)
    return VOW_OK;
  if (atomic_load_explicit(&executor->tasks, memory_order_acquire) > 0)
    return refuse(&executor->options, VOW_E_STATE, "a task of the executor has not ended");
  javascript_close(executor->javascript);
  uv_mutex_destroy(&executor->output_lock);
  mem_free(executor->options.allocator, executor);
  return VOW_OK;
}

/* ---- calls ---- */

/* Says what a call came to. A value for which there is no memory is a failure. */
static void say(vow_task_context *context, const void *value, size_t len) {
  if (vow_task_succeed(context, value, len) == VOW_E_NOMEM)
    vow_task_fail(context, "MemoryError", "no memory for the value", NULL);
}

static void stop_python(void *call) {
  python_call_stop(call);
}

static void call_python(vow_task_context *context, void *argument) {
  const task_function *task = argument;
  python_call call;
  python_result result;
  python_request request = {.allocator = task->executor->options.allocator,
                            .function = &task->function,
                            .load = task->load,
                            .on_output = on_output,
                            .user = task->executor};
  request.value = vow_task_value(context, &request.value_len);
  python_call_init(&call);
  vow_task_on_stop(context, stop_python, &call);
  python_call_run(&call, &request, &result);
  vow_task_on_stop(context, NULL, NULL);
  if (result.fulfilled)
    say(context, result.value, result.value_len);
  else
    vow_task_fail(context, result.type, result.message, result.detail);
  python_result_free(&result);
}

static void stop_javascript(void *call) {
  javascript_call_stop(call);
}

static void call_javascript(vow_task_context *context, void *argument) {
  const task_function *task = argument;
  javascript_call call;
  javascript_result result;
  javascript_request request = {.function = &task->function, .load = task->load};
  request.value = vow_task_value(context, &request.value_len);
  javascript_call_init(&call, task->executor->javascript);
  vow_task_on_stop(context, stop_javascript, &call);
  javascript_call_run(&call, &request, &result);
  vow_task_on_stop(context, NULL, NULL);
  if (result.fulfilled)
    say(context, result.value, result.value_len);
  else
    vow_task_fail(context, result.type, result.message, result.detail);
  javascript_result_free(&result);
}

static void call_shared_object(vow_task_context *context, void *argument) {
  const task_function *task = argument;
  shared_object_call(context, &task->function, task->load);
}

/* ---- tasks ---- */

/* The executor may be closed by another thread right after the last line. */
static void free_function(void *argument) {
  task_function *task = argument;
  vow_executor *executor = task->executor;
  mem_free(executor->options.allocator, task);
  atomic_fetch_sub_explicit(&executor->tasks, 1, memory_order_release);
}

static vow_status make(vow_executor *executor, const vow_function *function, bool load,
                       vow_task_spec *spec) {
  static vow_task_callback *const callbacks[] = {[VOW_SHARED_OBJECT] = call_shared_object,
                                                 [VOW_PYTHON] = call_python,
                                                 [VOW_JAVASCRIPT] = call_javascript,
                                                 [VOW_JAVASCRIPT_ISOLATED] = call_javascript};
  char message[256];
  if (!executor || !spec)
    return VOW_E_INVALID;
  if (!function_check(function, message, sizeof message))
    return refuse(&executor->options, VOW_E_INVALID, message);
  task_function *task = mem_resize(executor->options.allocator, NULL, 1,
                                   sizeof *task + function_text_bytes(function));
  if (!task)
    return refuse(&executor->options, VOW_E_NOMEM, "out of memory");
  task->executor = executor;
  task->load = load;
  task->function = function_copy(function, task->text);
  function_label(function, task->label, sizeof task->label);
  atomic_fetch_add_explicit(&executor->tasks, 1, memory_order_relaxed);
  *spec = vow_task_call_spec(task->label, callbacks[function->language], task);
  spec->argument_free = free_function;
  return VOW_OK;
}

vow_status vow_executor_task(vow_executor *executor, const vow_function *function,
                             vow_task_spec *spec) {
  return make(executor, function, false, spec);
}

vow_status vow_executor_load(vow_executor *executor, const vow_function *function,
                             vow_task_spec *spec) {
  return make(executor, function, true, spec);
}
