#include "cli/task.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/task_report.h"
#include "cli/tell.h"
#include "core/json_read.h"
#include "core/mem.h"
#include "loop/loop.h"
#include "task/task.h"
#include "vow/executor.h"

enum { EXIT_VALUE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_CANCELLED = 130 };

#define ARGUMENT_BYTES_MAX (16u << 20)
#define SPECS_MAX 1024u
#define WORKERS_MAX 1024u
#define DAY_MS 86400000u
#define TIMES_MAX 1000u
#define NODES_MAX (1u << 24)
#define DEPTH_MAX 256u
#define NS_PER_MS UINT64_C(1000000)
#define LINE_SIZE 8192u

typedef struct task_options {
  const char *arg, *report, *audit, *metrics;
  uint64_t timeout_ms, workers, times, delay_ms;
  bool help;
} task_options;

static const option_spec specs[] = {
    OPTION_TEXT(task_options, arg, "arg", "JSON", "the argument of every function"),
    OPTION_NUMBER(task_options, timeout_ms, "timeout-ms", "N", 0, DAY_MS,
                  "time for all of it, 0: no limit; default 30000"),
    OPTION_NUMBER(task_options, workers, "workers", "N", 1, WORKERS_MAX,
                  "functions at once; default: all"),
    OPTION_TEXT(task_options, report, "report", "FILE|-",
                "write the report as JSON; - puts it in place of the value"),
    OPTION_TEXT(task_options, audit, "audit", "FILE",
                "add each event of each task as a line of JSON, chained by hash"),
    OPTION_TEXT(task_options, metrics, "metrics", "FILE",
                "write counts and times at exit, as Prometheus text"),
    OPTION_FLAG(task_options, help, "help", "show this help"),
    /* Of retry only. */
    OPTION_NUMBER(task_options, times, "times", "N", 1, TIMES_MAX, "tries at most; default 3"),
    OPTION_NUMBER(task_options, delay_ms, "delay-ms", "N", 0, DAY_MS,
                  "time between two of them; default 100"),
};
enum { SPECS = sizeof specs / sizeof *specs, RETRY_SPECS = 2 };

typedef struct subcommand {
  const char *name;
  bool group;
  vow_task_form form;
  bool retry;
  option_table table;
} subcommand;

#define TABLE(name, usage, does, count)                                                            \
  { "task " name, specs, count, false, "vow task " name " [options] " usage "\n" does "\n" }

static const subcommand subcommands[] = {
    {"run", false, VOW_TASK_CALL, false,
     TABLE("run", "SPEC", "calls one function and prints its value", SPECS - RETRY_SPECS)},
    {"race", true, VOW_TASK_RACE, false,
     TABLE("race", "SPEC...", "calls all at once, prints the first value and cancels the others",
           SPECS - RETRY_SPECS)},
    {"parallel", true, VOW_TASK_PARALLEL, false,
     TABLE("parallel", "SPEC...", "calls all at once and prints the list of their values",
           SPECS - RETRY_SPECS)},
    {"retry", false, VOW_TASK_CALL, true,
     TABLE("retry", "SPEC", "calls one function until it has a value", SPECS)},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

/* Everything one invocation holds. */
typedef struct tasks {
  const subcommand *command;
  task_options options;
  char **names; /* the SPECs */
  size_t count;
  char *texts; /* of the functions */
  cbor_out argument;
  record record;
  vow_executor *executor;
  int signals, settled; /* eventfds: a signal came; a task has settled */
  bool cancelled;       /* by a signal */
  bool abandoned;       /* a function goes on in a thread that was given up */
  uint64_t begun_ns;
  /* `count` of each. */
  vow_function *functions;
  vow_task_spec *specs;
  const vow_task_spec **members; /* pointers to these */
  vow_task **tasks;              /* held while there are any */
} tasks;

/* What has settled. */
typedef struct concluded {
  vow_task *task;
  vow_task **tasks; /* of each SPEC, as many as there are of those */
  bool group;       /* `task` is a group of them */
  bool recorded;    /* with audit and metrics */
} concluded;

/* One line, whatever is in a file's name. */
__attribute__((format(printf, 2, 3))) static bool complain(const tasks *t, const char *format,
                                                           ...) {
  char line[LINE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *at = line; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?';
  fprintf(stderr, "vow %s: %s\n", t->command->table.command, line);
  return false;
}

/* ---- set-up, before anything is called ---- */

/* Characters are what people count. */
static size_t character_at(const char *text, size_t at) {
  size_t count = 1;
  for (size_t i = 0; i < at; i++)
    count += ((unsigned char)text[i] & 0xc0) != 0x80;
  return count;
}

static bool read_argument(tasks *t) {
  static const cbor_limits limits = {DEPTH_MAX, NODES_MAX, ARGUMENT_BYTES_MAX};
  const char *json = t->options.arg;
  size_t at = 0;
  cbor_out_init(&t->argument, NULL, 2 * (size_t)ARGUMENT_BYTES_MAX);
  cbor_status status =
      json ? json_to_cbor(json, strlen(json), false, &limits, &t->argument, &at) : CBOR_OK;
  if (status == CBOR_OK)
    return true;
  if (status == CBOR_E_MALFORMED || status == CBOR_E_TRUNCATED)
    return complain(t, "--arg: not JSON, wrong at character %zu", character_at(json, at));
  if (status == CBOR_E_NOMEM)
    return complain(t, "out of memory");
  return complain(t, "--arg: %s",
                  status == CBOR_E_DEPTH ? "nested deeper than 256 levels" : "larger than 16 MiB");
}

static bool count_specs(const tasks *t) {
  if (t->count == 0)
    return complain(t, "needs %s; see: vow help task",
                    t->command->group ? "at least one SPEC, such as js:FILE:FUNCTION"
                                      : "a SPEC, such as js:FILE:FUNCTION");
  if (!t->command->group && t->count > 1)
    return complain(t, "takes one SPEC; see: vow help task");
  return t->count <= SPECS_MAX || complain(t, "takes at most %u SPECs", SPECS_MAX);
}

static bool read_specs(tasks *t) {
  char message[512];
  size_t bytes = 0;
  for (size_t i = 0; i < t->count; i++)
    bytes += strlen(t->names[i]) + 2;
  t->functions = mem_new(NULL, t->count, sizeof *t->functions);
  t->specs = mem_new(NULL, t->count, sizeof *t->specs);
  t->members = mem_new(NULL, t->count, sizeof *t->members);
  t->tasks = mem_new(NULL, t->count, sizeof *t->tasks);
  t->texts = mem_new(NULL, bytes, 1);
  if (!t->functions || !t->specs || !t->members || !t->tasks || !t->texts)
    return complain(t, "out of memory");
  char *text = t->texts;
  for (size_t i = 0; i < t->count; i++) {
    size_t room = strlen(t->names[i]) + 2;
    if (vow_function_parse(t->names[i], &t->functions[i], text, room, message, sizeof message) !=
        VOW_OK)
      return complain(t, "%s", message);
    t->members[i] = &t->specs[i];
    text += room;
  }
  return true;
}

/* A file that is executed is none that is written. */
static bool check_outputs(tasks *t) {
  const output *outputs[] = {&t->record.report, &t->record.audit, &t->record.metrics};
  for (size_t i = 0; i < t->count; i++)
    for (size_t j = 0; t->functions[i].file && j < sizeof outputs / sizeof *outputs; j++)
      if (output_is_path(outputs[j], t->functions[i].file))
        return complain(t, "%s %s and %s name the same file", outputs[j]->option, outputs[j]->path,
                        t->names[i]);
  return true;
}

static bool open_outputs(tasks *t) {
  char message[PATH_MAX * 2 + 256];
  const record_files files = {t->options.report, t->options.audit, t->options.metrics, NULL, NULL};
  if (!record_open_files(&t->record, &files, message, sizeof message))
    return complain(t, "%s", message);
  return check_outputs(t);
}

/* ---- signals ---- */

/* There is one invocation. */
static volatile sig_atomic_t signal_fd = -1;

static void wake(int fd) {
  const uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) { /* it is full: whoever waits is woken all the same */
  }
}

static void on_signal(int number) {
  (void)number;
  int error = errno;
  if (signal_fd >= 0)
    wake(signal_fd);
  errno = error;
}

static bool watch_signals(tasks *t) {
  /* Once: a second signal ends the process. */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  t->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  t->settled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (t->signals < 0 || t->settled < 0)
    return complain(t, "signals cannot be watched: %s", strerror(errno));
  signal_fd = t->signals;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return true;
}

static void unwatch_signals(tasks *t) {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal_fd = -1;
  if (t->signals >= 0)
    close(t->signals);
  if (t->settled >= 0)
    close(t->settled);
}

/* ---- tasks, and waiting for them ---- */

/* What functions print goes beside what the command says. */
static void on_output(int stream, const char *text, size_t len, void *user) {
  (void)stream, (void)user;
  tell_text(text, len);
}

typedef struct settlement {
  task_done done;
  int fd;
} settlement;

static void on_settled(task_done *done, vow_task *task) {
  (void)task;
  wake(((settlement *)done)->fd);
}

static void drain(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) { /* nobody has woken it */
  }
}

/* Until it has settled; a signal cancels it, and whatever else the pool has. */
static void await_task(tasks *t, vow_task_pool *pool, vow_task *task) {
  settlement settlement = {.done.tell = on_settled, .fd = t->settled};
  struct pollfd fds[2] = {{.fd = t->settled, .events = POLLIN},
                          {.fd = t->signals, .events = POLLIN}};
  task_claim(task); /* nobody else has */
  task_tell(task, &settlement.done);
  for (;;) {
    if (poll(fds, 2, -1) < 0)
      continue;
    if (fds[0].revents)
      break;
    drain(t->signals);
    t->cancelled = true;
    vow_task_pool_cancel(pool);
  }
  drain(t->settled);
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
    return complain(t, "%s: %s", t->names[i], vow_status_message(status));
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
    complain(t, "%s", *message ? message : vow_status_message(status));
  return task;
}

static vow_task_pool *open_pool(const tasks *t, bool recorded) {
  char message[PATH_MAX + 256] = "";
  vow_task_pool *pool = NULL;
  uint64_t workers = t->options.workers ? t->options.workers : t->count;
  vow_task_pool_options options = {.size = sizeof options,
                                   .concurrent_max = (uint32_t)workers,
                                   .message = message,
                                   .message_size = sizeof message};
  if (recorded) {
    options.audit = t->options.audit;
    options.metrics = t->options.metrics != NULL;
  }
  vow_status status = vow_task_pool_open(&options, &pool);
  if (status != VOW_OK)
    complain(t, "%s", *message ? message : vow_status_message(status));
  return pool;
}

/* ---- the end ---- */

static int exit_status(const tasks *t, vow_state state) {
  return state == VOW_FULFILLED                      ? EXIT_VALUE
         : state == VOW_TIMED_OUT                    ? EXIT_LIMIT
         : state == VOW_OP_CANCELLED && t->cancelled ? EXIT_CANCELLED
                                                     : EXIT_FAILED;
}

static void put_error(const char *name, const vow_task_result *result) {
  if (name)
    fprintf(stderr, "  %s: ", name);
  tell_text(result->error_type, strlen(result->error_type));
  if (*result->error_message)
    fputs(": ", stderr);
  tell_text(result->error_message, strlen(result->error_message));
  fputc('\n', stderr);
}

/* Its error, the trace of it, and those of a group's members. */
static void tell_error(const tasks *t, const concluded *c) {
  const vow_task_result *result = vow_task_result_of(c->task);
  const char *detail = result->error_detail;
  fprintf(stderr, "vow %s: ", t->command->table.command);
  if (result->state == VOW_OP_CANCELLED && t->cancelled) {
    fputs("interrupted by a signal\n", stderr);
    return;
  }
  put_error(NULL, result);
  if (detail) {
    size_t len = strlen(detail);
    tell_text(detail, len);
    if (len > 0 && detail[len - 1] != '\n')
      fputc('\n', stderr);
  }
  for (size_t i = 0; c->group && result->state == VOW_REJECTED && i < t->count; i++) {
    const vow_task_result *member = c->tasks[i] ? vow_task_result_of(c->tasks[i]) : NULL;
    if (member && member->state == VOW_REJECTED)
      put_error(t->names[i], member);
  }
}

/* False: what should be on standard output is not. */
static bool print_line(const tasks *t, const cbor_out *text) {
  bool printed = fwrite(text->data, 1, text->len, stdout) == text->len &&
                 fputc('\n', stdout) != EOF && fflush(stdout) == 0;
  return printed || complain(t, "standard output cannot be written: %s", strerror(errno));
}

/* The value to standard output, or the error to standard error, before anything is waited
 * for. */
static bool tell_result(const tasks *t, const concluded *c, cbor_out *value) {
  const vow_task_result *result = vow_task_result_of(c->task);
  if (result->state != VOW_FULFILLED) {
    tell_error(t, c);
    return true;
  }
  cbor_status status = task_put_value(result, value);
  if (status != CBOR_OK)
    return complain(t, "the value cannot be printed: %s", cbor_status_text(status));
  return t->record.report_to_stdout || print_line(t, value);
}

static bool write_report(tasks *t, const concluded *c, const vow_task_counts *counts,
                         const cbor_out *value) {
  const task_report report = {.task = c->task,
                              .tasks = c->tasks,
                              .names = (const char *const *)t->names,
                              .count = t->count,
                              .group = c->group,
                              .counts = counts,
                              .wall_ns = loop_now() - t->begun_ns};
  if (!t->record.report_to_stdout && !t->record.report.path)
    return true;
  cbor_out text;
  cbor_out_init(&text, NULL, SIZE_MAX);
  task_put_report(&report, (const char *)value->data, value->len, &text);
  bool written = text.status == CBOR_OK;
  if (!written) {
    complain(t, "no memory for the report");
  } else if (t->record.report_to_stdout) {
    written = print_line(t, &text);
  } else {
    output_write(&t->record.report, (const char *)text.data, text.len);
    output_write(&t->record.report, "\n", 1);
  }
  cbor_out_free(&text);
  return written;
}

static bool write_metrics(tasks *t, vow_task_pool *pool) {
  char *text = NULL;
  if (!t->record.metrics.path)
    return true;
  vow_status status = vow_task_pool_metrics(pool, &text);
  if (status != VOW_OK)
    return complain(t, "no metrics: %s", vow_status_message(status));
  output_write(&t->record.metrics, text, strlen(text));
  vow_task_free_text(pool, text);
  return true;
}

static bool end_output(const tasks *t, output *output) {
  int error = output_end(output);
  return error == 0 ||
         complain(t, "%s %s: cannot be written: %s", output->option, output->path, strerror(error));
}

/* Callbacks that were told to end do so, or their threads are given up, so that what is said
 * of them is the last of it. */
static void await_callbacks(const tasks *t, const concluded *c) {
  for (size_t i = 0; i < t->count; i++) {
    VOW_TASK_GUARD(task) = c->tasks[i] ? vow_task_retain(c->tasks[i]) : NULL;
    (void)task;
  }
}

/* Everything that is said of what has settled. */
static int conclude(tasks *t, vow_task_pool *pool, const concluded *c) {
  vow_task_counts counts = {.size = sizeof counts};
  cbor_out value;
  cbor_out_init(&value, NULL, SIZE_MAX);
  int status = exit_status(t, vow_task_state(c->task));
  bool told = tell_result(t, c, &value);
  await_callbacks(t, c);
  vow_task_pool_counts(pool, &counts);
  told = (!told || write_report(t, c, &counts, &value)) && told;
  told = (!c->recorded || write_metrics(t, pool)) && told;
  told = end_output(t, &t->record.report) && told;
  told = end_output(t, &t->record.metrics) && told;
  cbor_out_free(&value);
  return told ? status : EXIT_FAILED;
}

/* Threads that go on are left to themselves. */
static int close_pool(tasks *t, vow_task_pool *pool, int status) {
  vow_status closed = vow_task_pool_close(pool, VOW_TASK_IMMEDIATE, 0);
  t->abandoned |= closed == VOW_E_TIME;
  if (closed != VOW_E_LOST)
    return status;
  complain(t, "--audit %s: events could not be written", t->options.audit);
  return status == EXIT_VALUE ? EXIT_FAILED : status;
}

/* ---- looking for the functions ---- */

static bool is_missing(const vow_task_result *result) {
  return result->state == VOW_REJECTED && strcmp(result->error_type, "NotFoundError") == 0;
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
      complain(t, "'%s': %s", t->names[i], result->error_message);
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
    status = conclude(t, pool, &(concluded){.task = failed, .tasks = t->tasks});
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
    status = conclude(
        t, pool,
        &(concluded){
            .task = task, .tasks = t->tasks, .group = t->command->group, .recorded = true});
    release_tasks(t);
    vow_task_release(task);
  }
  return close_pool(t, pool, status);
}

static int execute(tasks *t) {
  int status = look(t);
  if (status != EXIT_VALUE)
    return status;
  output_discard(&t->record.audit); /* it can be written: the pool does */
  return call(t);
}

/* ---- the command ---- */

static bool open_executor(tasks *t) {
  const vow_executor_options options = {.size = sizeof options, .on_output = on_output};
  return vow_executor_open(&options, &t->executor) == VOW_OK || complain(t, "out of memory");
}

static void close_parts(tasks *t) {
  t->abandoned |= vow_executor_close(t->executor) != VOW_OK;
  unwatch_signals(t);
  record_close(&t->record);
  cbor_out_free(&t->argument);
  mem_free(NULL, t->functions);
  mem_free(NULL, t->specs);
  mem_free(NULL, t->members);
  mem_free(NULL, t->tasks);
  mem_free(NULL, t->texts);
}

static int run(tasks *t) {
  int status = EXIT_USAGE;
  signal(SIGPIPE, SIG_IGN);
  t->begun_ns = loop_now();
  if (count_specs(t) && read_argument(t) && read_specs(t) && open_outputs(t) && watch_signals(t) &&
      open_executor(t))
    status = execute(t);
  close_parts(t);
  if (t->abandoned) {
    /* A function goes on in a thread of its own: nothing is taken from under it. */
    fflush(NULL);
    _exit(status);
  }
  return status;
}

static const char *subcommand_name(size_t i, void *user) {
  (void)user;
  return subcommands[i].name;
}

void task_help(FILE *out) {
  fprintf(out, "Calls functions of Python, JavaScript and shared objects, each with the one "
               "argument.\nA SPEC is py:FILE.py:FUNCTION, py:package.module:FUNCTION, "
               "js:FILE:FUNCTION,\njs-isolated:FILE:FUNCTION (in a sandbox) or so:FILE:SYMBOL.\n"
               "The value is printed as JSON; what functions print goes to standard error.\n"
               "Exit status: 0 value, 1 failed, 2 usage, a file or function that is not there, "
               "3 time limit,\n130 interrupted.\n");
  for (size_t i = 0; i < SUBCOMMANDS; i++)
    fprintf(out, "\n%s", subcommands[i].table.about);
  fputc('\n', out);
  option_table all = subcommands[SUBCOMMANDS - 1].table;
  all.about = NULL;
  options_help(&all, out);
}

static int fail_subcommand(const char *name) {
  const char *nearest =
      name ? options_nearest(name, strlen(name), subcommand_name, NULL, SUBCOMMANDS) : NULL;
  if (!name)
    fprintf(stderr, "vow task: say what to do: run, race, parallel or retry; see: vow help task\n");
  else if (nearest)
    fprintf(stderr, "vow task: there is no '%s'; did you mean %s?\n",
            api_quoted(name, strlen(name)).text, nearest);
  else
    fprintf(stderr, "vow task: there is no '%s'; there are run, race, parallel and retry\n",
            api_quoted(name, strlen(name)).text);
  return EXIT_USAGE;
}

int cmd_task(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : NULL;
  if (name && (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)) {
    task_help(stdout);
    return EXIT_VALUE;
  }
  size_t i = 0;
  while (name && i < SUBCOMMANDS && strcmp(subcommands[i].name, name) != 0)
    i++;
  if (!name || i == SUBCOMMANDS)
    return fail_subcommand(name);
  tasks t = {.command = &subcommands[i],
             .options = {.timeout_ms = VOW_TASK_TIMEOUT_MS, .times = 3, .delay_ms = 100},
             .signals = -1,
             .settled = -1};
  option_result given;
  int ended = options_begin(&t.command->table, argc - 1, argv + 1, &t.options, &given);
  if (ended != OPTIONS_GO)
    return ended;
  t.names = given.arguments;
  t.count = (size_t)given.count;
  return run(&t);
}
