#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/notes.h"
#include "cli/invocation.h"
#include "cli/options.h"
#include "cli/tell.h"
#include "deferred/deferred.h"
#include "sandbox/source.h"

enum {
  EXIT_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_LIMIT = 3,
  EXIT_UNSETTLED = 13, /* as node has it */
  EXIT_INTERRUPTED = 130,
};

#define usage(...) tell_usage("run", __VA_ARGS__)
#define WORKERS_MAX 1024u
#define DAY_MS 86400000u
#define CONCURRENT_MAX 65536u /* more operations wait */
#define STACK_BYTES_MAX (4u << 20)
#define STACK_BYTES_MIN (64u << 10)

typedef struct run_settings {
  invocation_settings common;
  uint64_t workers, memory_mib, op_timeout_ms;
  bool help;
} run_settings;

static const option_spec specs[] = {
    OPTION_TEXT(run_settings, common.allow, "allow", "LIST",
                "operations the program may call; without it fetch to every host, and with --db "
                "notes.* and kv.*"),
    OPTION_TEXT(run_settings, common.db, "db", "URL", "the database, sqlite:FILE"),
    OPTION_TEXT(run_settings, common.vault, "vault", "NAME",
                "the vault that notes.* and kv.* see; default " NOTES_VAULT_DEFAULT),
    OPTION_NUMBER(run_settings, workers, "workers", "N", 1, WORKERS_MAX,
                  "threads that execute deferred functions; without it one for each core"),
    OPTION_NUMBER(run_settings, memory_mib, "memory-mib", "N", RUN_MEMORY_MIN >> 20, 1u << 20,
                  "memory of the program; default 2048"),
    OPTION_NUMBER(run_settings, op_timeout_ms, "op-timeout-ms", "N", 1, DAY_MS,
                  "time each operation may take; without it there is no limit"),
    OPTION_TEXT(run_settings, common.report, "report", "FILE|-", "write the report as JSON"),
    OPTION_TEXT(run_settings, common.audit, "audit", "FILE",
                "add each event of each operation as a line of JSON, chained by hash"),
    OPTION_TEXT(run_settings, common.metrics, "metrics", "FILE",
                "write counts and times at exit, as Prometheus text"),
    OPTION_FLAG(run_settings, common.debug, "debug",
                "say what outlived the run, and where the program created it"),
    OPTION_FLAG(run_settings, help, "help", "show this help"),
};
static const option_table table = {
    "run", specs, sizeof specs / sizeof specs[0], true,
    "vow run [options] FILE|- [args]\n\n"
    "Runs a program that you trust: nothing isolates it from this machine. It ends when\n"
    "nothing of it is pending. What follows FILE is its process.argv.\n"
    "Exit status: 0 or what the program asked for, 1 it failed, 2 usage, 3 limit hit,\n"
    "13 it waits for what can never come, 130 interrupted.\n\n"};

typedef struct program {
  invocation script;
  run_settings settings;
  char name[PATH_MAX], folder[PATH_MAX]; /* of the script; where the process is */
  const char **arguments;                /* process.argv */
  size_t arguments_count;
  int output_error; /* errno of the first write to a standard stream that failed */
  deferred *deferred;
  host_kind kinds[BACKEND_KINDS_MAX + DEFERRED_KINDS];
  size_t kinds_count;
} program;

void run_help(FILE *out) {
  options_help(&table, out);
}

/* ---- set-up, before any code runs ---- */

/* What has no path of its own, such as a pipe of the shell's, keeps the one given. */
static bool name_script(program *p) {
  const char *file = p->script.file;
  if (strcmp(file, "-") == 0) {
    snprintf(p->name, sizeof p->name, "<stdin>");
    return true;
  }
  if (realpath(file, p->name))
    return true;
  int len = file[0] == '/' ? snprintf(p->name, sizeof p->name, "%s", file)
                           : snprintf(p->name, sizeof p->name, "%s/%s", p->folder, file);
  return len >= 0 && (size_t)len < sizeof p->name;
}

static bool find_script(program *p) {
  if (!getcwd(p->folder, sizeof p->folder)) {
    usage("the current folder has no path: %s", strerror(errno));
    return false;
  }
  if (!invocation_read(&p->script))
    return false;
  bool named = name_script(p);
  if (!named)
    usage("%s: too long a path", p->script.file);
  return named;
}

/* ['vow', absolute file, ...args], as node has it. */
static bool make_arguments(program *p, char **given, int count) {
  p->arguments = mem_new(NULL, (size_t)count + 1, sizeof *p->arguments);
  if (!p->arguments) {
    usage("out of memory");
    return false;
  }
  p->arguments[p->arguments_count++] = "vow";
  p->arguments[p->arguments_count++] = strcmp(p->script.file, "-") == 0 ? "-" : p->name;
  for (int i = 1; i < count; i++)
    p->arguments[p->arguments_count++] = given[i];
  return true;
}

/* ---- what a run needs ---- */

static char *read_module(void *user, const char *name, size_t *len, char *message,
                         size_t message_size) {
  (void)user;
  return source_read(name, len, message, message_size);
}

static bool open_shard(program *p) {
  static const engine_trust trust = {.read_module = read_module};
  if (!invocation_open_shard(&p->script, ENGINE_NATIVE))
    return false;
  engine *engine = shard_engine(p->script.shard);
  engine_set_trust(engine, &trust);
  p->script.at_start = engine_counts_of(engine);
  return true;
}

/* Threads are started with the first task. */
static bool open_deferred(program *p) {
  const deferred_options options = {.workers = (uint32_t)p->settings.workers,
                                    .trust = {.can_block = true, .read_module = read_module}};
  const host_kind *kinds = api_host_kinds(p->script.backend.api, &p->kinds_count);
  if (p->kinds_count > 0)
    memcpy(p->kinds, kinds, p->kinds_count * sizeof *kinds);
  host_kind *own = p->kinds + p->kinds_count;
  if ((p->deferred = deferred_open(&options, p->script.shard))) {
    deferred_kinds(p->deferred, own);
    if (host_kinds_open(p->script.shard, own, DEFERRED_KINDS)) {
      p->kinds_count += DEFERRED_KINDS;
      return true;
    }
  }
  usage("out of memory");
  return false;
}

/* ---- being interrupted ---- */

/* What a signal handler has: there is one run. Set before the handler is, and cleared
 * on the thread of the loop, where the handler does its work. */
static struct {
  pthread_t thread;
  program *volatile program;
  uv_async_t wake;
} interrupt;

/* Ends the run as soon as possible, from wherever the loop's thread is. */
static void stop_soon(program *p) {
  if (p->script.run)
    run_interrupt(p->script.run);
  uv_async_send(&interrupt.wake);
}

/* Once: a second signal ends a process that a native keeps busy. Any thread may be told
 * of the first one, and passes it on. */
static void on_signal(int number) {
  int error = errno;
  if (pthread_equal(pthread_self(), interrupt.thread)) {
    signal(number, SIG_DFL);
    if (interrupt.program)
      stop_soon(interrupt.program);
  } else {
    pthread_kill(interrupt.thread, number);
  }
  errno = error;
}

static void on_wake(uv_async_t *wake) {
  const program *p = wake->data;
  if (p->script.run)
    run_cancel(p->script.run);
}

static bool watch_signals(program *p) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  int error = uv_async_init(loop_uv(shard_loop(p->script.shard)), &interrupt.wake, on_wake);
  if (error != 0) {
    usage("signals cannot be watched: %s", uv_strerror(error));
    return false;
  }
  uv_unref((uv_handle_t *)&interrupt.wake);
  interrupt.wake.data = p;
  interrupt.thread = pthread_self();
  interrupt.program = p;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return true;
}

static void unwatch_signals(void) {
  if (!interrupt.program)
    return;
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  interrupt.program = NULL;
  uv_close((uv_handle_t *)&interrupt.wake, NULL);
}

/* ---- output ---- */

/* 0 or errno. A stream that another process made non-blocking is waited for. */
static int write_all(int fd, struct iovec *parts, int count) {
  while (count > 0) {
    ssize_t n = writev(fd, parts, count);
    if (n < 0 && errno == EAGAIN)
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    else if (n < 0 && errno != EINTR)
      return errno;
    for (; n > 0; n -= (ssize_t)parts->iov_len, parts++, count--)
      if ((size_t)n < parts->iov_len) {
        parts->iov_base = (char *)parts->iov_base + n;
        parts->iov_len -= (size_t)n;
        break;
      }
    while (count > 0 && parts->iov_len == 0)
      parts++, count--;
  }
  return 0;
}

/* At once, in the order in which the program says it on either stream. */
static void on_log(void *user, int level, const char *text, size_t len) {
  program *p = user;
  bool raw = level >= WIRE_LEVEL_OUT;
  bool to_error = raw ? level == WIRE_LEVEL_ERR : level >= 2;
  struct iovec parts[2] = {{(void *)(uintptr_t)text, len}, {"\n", raw ? 0 : 1}};
  int error = p->output_error ? 0 : write_all(to_error ? STDERR_FILENO : STDOUT_FILENO, parts, 2);
  if (error && !to_error) {
    p->output_error = error;
    stop_soon(p);
  }
}

static void tell_why(const run_report *report) {
  const char *message = report->error.message ? report->error.message : "";
  const char *shown = report->error.shown;
  if (report->outcome == RUN_CANCELLED)
    return;
  if (report->error.kind == RUN_KIND_DEADLOCK) {
    fprintf(stderr,
            "vow run: the program's top-level await waits for a promise that nothing can "
            "settle any more\n%s",
            report->error.stack ? report->error.stack : "");
  } else if (shown) {
    fputs(report->error.rejected ? "Unhandled rejection: " : "Uncaught ", stderr);
    tell_text(shown, strlen(shown));
    fputc('\n', stderr);
  } else {
    fprintf(stderr, "vow run: %s (%s): %s\n", run_outcome_text(report->outcome),
            run_kind_text(report->error.kind), message);
  }
}

/* ---- the run ---- */

static int exit_status(const program *p) {
  const run_report *report = p->script.report;
  if (p->output_error)
    return EXIT_FAILED;
  if (report->outcome == RUN_VALUE)
    return report->exit_status;
  if (report->outcome == RUN_CANCELLED)
    return EXIT_INTERRUPTED;
  if (report->outcome == RUN_LIMIT && report->error.kind != RUN_KIND_STACK)
    return EXIT_LIMIT;
  return report->error.kind == RUN_KIND_DEADLOCK ? EXIT_UNSETTLED : EXIT_FAILED;
}

/* Everything that is said of a run that has finished. */
static int conclude(program *p) {
  if (p->output_error)
    fprintf(stderr, "vow run: standard output cannot be written: %s\n", strerror(p->output_error));
  else if (p->script.report->outcome != RUN_VALUE)
    tell_why(p->script.report);
  int status = exit_status(p);
  return invocation_end(&p->script) ? status : EXIT_FAILED;
}

/* Half of what the thread has is left to natives. */
static uint64_t stack_bytes(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur / 2 > STACK_BYTES_MAX)
    return STACK_BYTES_MAX;
  return limit.rlim_cur / 2 < STACK_BYTES_MIN ? STACK_BYTES_MIN : limit.rlim_cur / 2;
}

/* Time, output and numbers of operations are the program's own affair. */
static run_limits limits_of(const run_settings *settings) {
  return (run_limits){.cpu_ms = UINT64_MAX,
                      .wall_ms = UINT64_MAX,
                      .op_timeout_ms =
                          settings->op_timeout_ms ? settings->op_timeout_ms : UINT64_MAX,
                      .memory_bytes = settings->memory_mib << 20,
                      .stack_bytes = stack_bytes(),
                      .result_bytes = run_limits_default.result_bytes,
                      .log_bytes = UINT64_MAX,
                      .concurrent_max = CONCURRENT_MAX};
}

static run *open_run(program *p) {
  const run_program told = {.arguments = p->arguments,
                            .arguments_count = p->arguments_count,
                            .environment = (const char *const *)environ,
                            .folder = p->folder,
                            .pid = (uint64_t)getpid()};
  run_options options = {.name = p->name,
                         .module = source_ends_with(p->name, ".mjs"),
                         .program = &told,
                         .kinds = p->kinds,
                         .kinds_count = p->kinds_count,
                         .limits = limits_of(&p->settings),
                         .on_log = on_log};
  invocation_fill(&p->script, &options);
  return deferred_prepare(p->deferred, &options) ? run_open(p->script.shard, &options) : NULL;
}

static int execute(program *p) {
  invocation *script = &p->script;
  int status = EXIT_USAGE;
  script->run = open_run(p);
  if (!script->run)
    return usage("out of memory");
  if (invocation_begin(script)) {
    while (run_alive(script->run))
      shard_turn(script->shard);
    status = conclude(p);
  }
  invocation_dispose(script);
  return status;
}

static void close_parts(program *p) {
  unwatch_signals();
  invocation_unbind(&p->script);
  if (p->script.shard)
    shard_drain(p->script.shard);
  if (p->deferred) {
    size_t others;
    api_host_kinds(p->script.backend.api, &others);
    host_kinds_close(p->kinds + others, DEFERRED_KINDS);
  }
  deferred_close(p->deferred);
  shard_close(p->script.shard);
  invocation_close(&p->script);
  mem_free(NULL, (void *)p->arguments);
}

int cmd_run(int argc, char **argv) {
  program p = {.script = {.command = "run", .trusted = true, .settings = &p.settings.common},
               .settings = {.common.vault = NOTES_VAULT_DEFAULT, .memory_mib = 2048}};
  option_result given;
  int ended = options_begin(&table, argc, argv, &p.settings, &given);
  if (ended != OPTIONS_GO)
    return ended;
  if (given.count < 1)
    return usage("needs a FILE, or - for standard input; see: vow help run");
  p.script.file = given.arguments[0];
  signal(SIGPIPE, SIG_IGN);
  int status = EXIT_USAGE;
  if (invocation_check(&p.script) && find_script(&p) &&
      make_arguments(&p, given.arguments, given.count) && invocation_open_outputs(&p.script) &&
      open_shard(&p) && watch_signals(&p) && invocation_open_backend(&p.script) &&
      open_deferred(&p))
    status = execute(&p);
  close_parts(&p);
  return status;
}
