#include "cli/task.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/task_int.h"
#include "core/json_read.h"
#include "core/mem.h"
#include "loop/loop.h"
#include "task/task.h"
#include "vow/executor.h"

#define ARGUMENT_BYTES_MAX (16u << 20)
#define SPECS_MAX 1024u
#define WORKERS_MAX 1024u
#define DAY_MS 86400000u
#define TIMES_MAX 1000u
#define NODES_MAX (1u << 24)
#define DEPTH_MAX 256u
#define NS_PER_MS UINT64_C(1000000)

static const option_spec specs[] = {
    OPTION_TEXT(task_options, arg, "arg", "JSON", "the argument of every function"),
    OPTION_NUMBER(task_options, timeout_ms, "timeout-ms", "N", 0, DAY_MS,
                  "time for all of it, 0: no limit; default 30000"),
    OPTION_NUMBER(task_options, workers, "workers", "N", 1, WORKERS_MAX,
                  "functions at once; without it all"),
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

/* One line, whatever is in a file's name. */
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
    return cli_task_complain(t, "--arg: not JSON, wrong at character %zu", character_at(json, at));
  if (status == CBOR_E_NOMEM)
    return cli_task_complain(t, "out of memory");
  return cli_task_complain(t, "--arg: %s",
                           status == CBOR_E_DEPTH ? "nested deeper than 256 levels"
                                                  : "larger than 16 MiB");
}

static bool count_specs(const tasks *t) {
  if (t->count == 0)
    return cli_task_complain(t, "needs %s; see: vow help task",
                             t->command->group ? "at least one SPEC, such as js:FILE:FUNCTION"
                                               : "a SPEC, such as js:FILE:FUNCTION");
  if (!t->command->group && t->count > 1)
    return cli_task_complain(t, "takes one SPEC; see: vow help task");
  return t->count <= SPECS_MAX || cli_task_complain(t, "takes at most %u SPECs", SPECS_MAX);
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
    return cli_task_complain(t, "out of memory");
  char *text = t->texts;
  for (size_t i = 0; i < t->count; i++) {
    size_t room = strlen(t->names[i]) + 2;
    if (vow_function_parse(t->names[i], &t->functions[i], text, room, message, sizeof message) !=
        VOW_OK)
      return cli_task_complain(t, "%s", message);
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
        return cli_task_complain(t, "%s %s and %s name the same file", outputs[j]->option,
                                 outputs[j]->path, t->names[i]);
  return true;
}

static bool open_outputs(tasks *t) {
  char message[PATH_MAX * 2 + 256];
  const record_files files = {t->options.report, t->options.audit, t->options.metrics, NULL, NULL};
  if (!record_open_files(&t->record, &files, message, sizeof message))
    return cli_task_complain(t, "%s", message);
  return check_outputs(t);
}

/* ---- signals ---- */

/* There is one invocation. */
static volatile sig_atomic_t signal_fd = -1;

static void on_signal(int number) {
  (void)number;
  int error = errno;
  if (signal_fd >= 0)
    cli_task_wake(signal_fd);
  errno = error;
}

static bool watch_signals(tasks *t) {
  /* Once: a second signal ends the process. */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  t->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  t->settled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (t->signals < 0 || t->settled < 0)
    return cli_task_complain(t, "signals cannot be watched: %s", strerror(errno));
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

/* ---- the command ---- */

/* What functions print goes beside what the command says. */
static void on_output(int stream, const char *text, size_t len, void *user) {
  (void)stream, (void)user;
  tell_text(text, len);
}

static bool open_executor(tasks *t) {
  const vow_executor_options options = {.size = sizeof options, .on_output = on_output};
  return vow_executor_open(&options, &t->executor) == VOW_OK ||
         cli_task_complain(t, "out of memory");
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

static int perform(tasks *t) {
  int status = EXIT_USAGE;
  signal(SIGPIPE, SIG_IGN);
  t->begun_ns = loop_now();
  if (count_specs(t) && read_argument(t) && read_specs(t) && open_outputs(t) && watch_signals(t) &&
      open_executor(t))
    status = cli_task_execute(t);
  close_parts(t);
  /* A function that goes on has nothing taken from under it, and may hold any stream's lock;
   * what was said has left them. */
  if (t->abandoned)
    _exit(status);
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
  return perform(&t);
}
