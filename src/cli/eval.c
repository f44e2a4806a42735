#include "cli/eval.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "api/db.h"
#include "api/host.h"
#include "api/notes.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/tell.h"
#include "sandbox/run.h"

enum { EXIT_VALUE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_CANCELLED = 130 };

#define SOURCE_BYTES_MAX (16u << 20)
#define SOURCE_ROOM 65536u /* to begin with */
#define CONTEXT_BYTES_MAX (16u << 20)
#define WORKERS_MAX 4u
#define ALLOWED_MAX 256u
#define DAY_MS 86400000u
#define NO_SANDBOX "no memory or address space for a sandbox"

typedef struct eval_options {
  const char *engine, *allow, *context, *db, *vault, *report, *audit, *metrics;
  uint64_t cpu_ms, wall_ms, op_timeout_ms, memory_mib, stack_kib, result_kib, log_kib, max_ops,
      max_concurrent, max_queued;
  bool debug, help;
} eval_options;

static const option_spec specs[] = {
    OPTION_TEXT(eval_options, engine, "engine", "wasm|native",
                "where the script runs; native has no sandbox; default wasm"),
    OPTION_TEXT(eval_options, allow, "allow", "LIST",
                "operations the script may call: names and globs, e.g. notes.*"),
    OPTION_TEXT(eval_options, context, "context", "JSON",
                "the script's frozen global `context`, given to main(context); default {}"),
    OPTION_TEXT(eval_options, db, "db", "URL",
                "the database, sqlite:FILE; default " DB_URL_DEFAULT),
    OPTION_TEXT(eval_options, vault, "vault", "NAME",
                "the vault that notes.* and kv.* see; default " NOTES_VAULT_DEFAULT),
    OPTION_NUMBER(eval_options, cpu_ms, "cpu-ms", "N", 1, DAY_MS,
                  "time the script may execute; default 5000"),
    OPTION_NUMBER(eval_options, wall_ms, "wall-ms", "N", 1, DAY_MS,
                  "time the run may take; default 30000"),
    OPTION_NUMBER(eval_options, op_timeout_ms, "op-timeout-ms", "N", 1, DAY_MS,
                  "time each operation may take; default 10000"),
    OPTION_NUMBER(eval_options, memory_mib, "memory-mib", "N", RUN_MEMORY_MIN >> 20, 2048,
                  "memory of the script; default 64"),
    OPTION_NUMBER(eval_options, stack_kib, "stack-kib", "N", 32, 512,
                  "JavaScript stack; default 192"),
    OPTION_NUMBER(eval_options, result_kib, "result-kib", "N", 1, 65536,
                  "the value as JSON; default 1024"),
    OPTION_NUMBER(eval_options, log_kib, "log-kib", "N", 0, 32768, "console output; default 256"),
    OPTION_NUMBER(eval_options, max_ops, "max-ops", "N", 1, 1000000,
                  "operations in the whole run; default 10000"),
    OPTION_NUMBER(eval_options, max_concurrent, "max-concurrent", "N", 1, 65536,
                  "operations running at once, more wait; default 64"),
    OPTION_NUMBER(eval_options, max_queued, "max-queued", "N", 1, 1000000,
                  "operations waiting, more are rejected; default 10000"),
    OPTION_TEXT(eval_options, report, "report", "FILE|-",
                "write the report as JSON; - puts it in place of the value"),
    OPTION_TEXT(eval_options, audit, "audit", "FILE",
                "add each event of each operation as a line of JSON, chained by hash"),
    OPTION_TEXT(eval_options, metrics, "metrics", "FILE",
                "write counts and times at exit, as Prometheus text"),
    OPTION_FLAG(eval_options, debug, "debug",
                "say what outlived the run, and where the script created it"),
    OPTION_FLAG(eval_options, help, "help", "show this help"),
};
static const option_table table = {
    "eval", specs, sizeof specs / sizeof specs[0], false,
    "vow eval [options] FILE|-\n\n"
    "Runs an untrusted script in a fresh sandbox and prints its value as JSON.\n"
    "Exit status: 0 value, 1 script failed, 2 usage, 3 limit hit, 130 cancelled.\n\n"};

/* Everything one invocation holds. */
typedef struct evaluation {
  eval_options options;
  const char *file;
  char *source;
  size_t source_len;
  bool allowed[ALLOWED_MAX];
  bool needs_db;
  record record;
  run_audit audit;
  progress progress;
  const run_report *report; /* once the run has finished */
  db *store;
  pool *workers;
  api_host *api;
  shard *shard;
  engine_counts at_start; /* what making the shard counted */
  run *run;
  uv_signal_t signals[2];
} evaluation;

void eval_help(FILE *out) {
  options_help(&table, out);
}

/* One line, whatever is in a file's name. */
__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...) {
  char line[8192];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *at = line; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?';
  fprintf(stderr, "vow eval: %s\n", line);
  return EXIT_USAGE;
}

/* ---- set-up, before any code runs ---- */

/* Room for more of the source; false when memory is short. */
static bool make_room(evaluation *e, size_t *room) {
  size_t wanted = *room ? *room * 2 : SOURCE_ROOM;
  char *grown = mem_resize(NULL, e->source, wanted, 1);
  if (!grown)
    return false;
  e->source = grown;
  *room = wanted;
  return true;
}

static bool read_all(evaluation *e, int fd) {
  size_t room = 0;
  while (e->source_len <= SOURCE_BYTES_MAX) {
    if (e->source_len == room && !make_room(e, &room)) {
      errno = ENOMEM;
      return false;
    }
    ssize_t n = read(fd, e->source + e->source_len, room - e->source_len);
    if (n == 0)
      return true;
    if (n > 0)
      e->source_len += (size_t)n;
    else if (errno != EINTR)
      return false;
  }
  errno = EFBIG;
  return false;
}

static bool read_source(evaluation *e) {
  bool is_stdin = strcmp(e->file, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(e->file, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && read_all(e, fd);
  int error = errno;
  if (!is_stdin && fd >= 0)
    close(fd);
  if (!ok && error == EFBIG)
    usage("%s: larger than %u MiB, which is the most a script may have", e->file,
          SOURCE_BYTES_MAX >> 20);
  else if (!ok)
    usage("%s: cannot be read: %s", e->file, strerror(error));
  return ok;
}

/* RFC 8259 text, told by SQLite's own JSON parser. */
static bool check_context(const char *json) {
  sqlite3 *memory = NULL;
  sqlite3_stmt *statement = NULL;
  bool valid = false;
  int position = 0;
  if (strlen(json) > CONTEXT_BYTES_MAX) {
    usage("--context: larger than %u MiB", CONTEXT_BYTES_MAX >> 20);
    return false;
  }
  if (sqlite3_open_v2(":memory:", &memory, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
          SQLITE_OK &&
      sqlite3_prepare_v2(memory, "SELECT json_valid(?1, 1), json_error_position(?1)", -1,
                         &statement, NULL) == SQLITE_OK &&
      sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    valid = sqlite3_column_int(statement, 0) != 0;
    position = sqlite3_column_int(statement, 1);
  }
  sqlite3_finalize(statement);
  sqlite3_close(memory);
  if (!valid && position > 0)
    usage("--context: not JSON, wrong at character %d", position);
  else if (!valid)
    usage("--context: not JSON");
  return valid;
}

static bool check_allow(evaluation *e) {
  char message[512];
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  if (count > ALLOWED_MAX)
    return usage("too many kinds of operations") == 0;
  if (e->options.allow && !api_allow(e->options.allow, e->allowed, message, sizeof message)) {
    usage("%s", message);
    return false;
  }
  for (size_t i = 0; i < count; i++)
    e->needs_db |= e->allowed[i] && kinds[i].needs_db;
  return true;
}

static bool check_options(evaluation *e) {
  char message[256];
  const char *engine = e->options.engine;
  if (strcmp(engine, "wasm") != 0 && strcmp(engine, "native") != 0) {
    usage("--engine %s: must be wasm or native", engine);
    return false;
  }
  if (!notes_vault_check(e->options.vault, message, sizeof message)) {
    usage("--vault: %s", message);
    return false;
  }
  return (!e->options.context || check_context(e->options.context)) && check_allow(e);
}

/* ---- what a run needs ---- */

static bool same_file(const output *output, const char *other) {
  usage("%s %s and %s name the same file", output->option, output->path, other);
  return false;
}

/* SQLite's files beside the database are part of it. */
static bool is_database(const output *output, const char *file) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s", file, suffixes[i]);
    if (len > 0 && (size_t)len < sizeof path && output_is_path(output, path))
      return true;
  }
  return false;
}

/* Nothing else that is read or written is the file of `output`. */
static bool check_alone(const evaluation *e, const output *output) {
  const char *database = db_file(e->options.db);
  bool is_stdin = strcmp(e->file, "-") == 0;
  if (is_stdin ? output_is_fd(output, STDIN_FILENO) : output_is_path(output, e->file))
    return same_file(output, "the script");
  if (database && is_database(output, database))
    return same_file(output, "--db");
  if (output_is_fd(output, STDOUT_FILENO))
    return same_file(output, "standard output");
  return !output_is_fd(output, STDERR_FILENO) || same_file(output, "standard error");
}

static bool check_distinct(const evaluation *e) {
  const output *outputs[] = {&e->record.report, &e->record.audit, &e->record.metrics};
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = i + 1; j < 3; j++)
      if (output_same(outputs[i], outputs[j]))
        return same_file(outputs[i], outputs[j]->option);
    if (!check_alone(e, outputs[i]))
      return false;
  }
  return true;
}

static bool open_outputs(evaluation *e) {
  const eval_options *options = &e->options;
  record *record = &e->record;
  char message[PATH_MAX + 256];
  record->report_to_stdout = options->report && strcmp(options->report, "-") == 0;
  const char *report = record->report_to_stdout ? NULL : options->report;
  if (!output_open(&record->report, "--report", report, OUTPUT_REPLACED, message, sizeof message) ||
      !output_open(&record->audit, "--audit", options->audit, OUTPUT_APPENDED, message,
                   sizeof message) ||
      !output_open(&record->metrics, "--metrics", options->metrics, OUTPUT_REPLACED, message,
                   sizeof message)) {
    usage("%s", message);
    return false;
  }
  if (!check_distinct(e))
    return false;
  bool ready = record_prepare(record, message, sizeof message);
  if (!ready)
    usage("%s", message);
  return ready;
}

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  evaluation *e = handle->data;
  if (e->run)
    run_cancel(e->run);
}

static bool watch_signals(evaluation *e) {
  static const int numbers[2] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; i++) {
    int error = uv_signal_init(loop_uv(shard_loop(e->shard)), &e->signals[i]);
    if (error == 0) {
      e->signals[i].data = e; /* from here on it has to be closed */
      uv_unref((uv_handle_t *)&e->signals[i]);
      /* Once: a second signal ends a process that a native keeps busy. */
      error = uv_signal_start_oneshot(&e->signals[i], on_signal, numbers[i]);
    }
    if (error != 0) {
      usage("signals cannot be watched: %s", uv_strerror(error));
      return false;
    }
  }
  return true;
}

static void on_leak(void *user, const run_leak *leak) {
  (void)user;
  tell_leak(leak);
}

static bool open_shard(evaluation *e) {
  char message[512];
  shard_options options = {.engine = strcmp(e->options.engine, "native") == 0 ? ENGINE_NATIVE
                                                                              : ENGINE_WASM,
                           .on_leak = e->options.debug ? on_leak : NULL};
  e->shard = shard_open(&options, message, sizeof message);
  if (!e->shard) {
    usage("%s", message);
    return false;
  }
  if (!shard_prepare(e->shard)) {
    usage(NO_SANDBOX);
    return false;
  }
  e->at_start = engine_counts_of(shard_engine(e->shard));
  return watch_signals(e);
}

/* The database comes after everything that may be refused, so that a set-up
 * error leaves no new one. */
static bool open_api(evaluation *e) {
  char message[512];
  bool needs_workers = e->needs_db || e->record.audit.path;
  if (needs_workers && !(e->workers = pool_open(NULL, WORKERS_MAX))) {
    usage("out of memory");
    return false;
  }
  if (needs_workers && !pool_start(e->workers)) {
    usage("no worker thread can be started");
    return false;
  }
  if (e->needs_db && !db_open(e->options.db, DB_CREATE, NULL, &e->store, message, sizeof message)) {
    usage("%s", message);
    return false;
  }
  e->api = api_host_open(NULL, e->allowed, e->store, e->options.vault, e->workers);
  bool ready =
      e->api && api_host_open_fetch(e->api, e->options.allow) && api_host_bind(e->api, e->shard);
  if (!ready)
    usage("out of memory");
  return ready;
}

/* ---- the run ---- */

static void on_log(void *user, int level, const char *text, size_t len) {
  (void)level;
  progress_erase(&((evaluation *)user)->progress);
  tell_text(text, len);
  fputc('\n', stderr);
}

static int exit_status(run_outcome outcome) {
  static const int statuses[] = {[RUN_VALUE] = EXIT_VALUE,
                                 [RUN_ERROR] = EXIT_FAILED,
                                 [RUN_LIMIT] = EXIT_LIMIT,
                                 [RUN_CANCELLED] = EXIT_CANCELLED};
  return statuses[outcome];
}

static void on_event(void *user, const run_event *event) {
  evaluation *e = user;
  recorder_event(&e->record.recorder, &e->audit, event);
}

/* The evaluation outlives every handler. */
static const run_late late = {.tell = on_event};

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  ((evaluation *)user)->report = report; /* until the run is disposed */
}

/* Everything that is said of a run that has finished. */
static int conclude(evaluation *e) {
  const run_report *report = e->report;
  char message[PATH_MAX + 256];
  if (report->outcome != RUN_VALUE)
    tell_failure(report);
  else if (!e->record.report_to_stdout)
    printf("%s\n", report->value);
  for (size_t i = 0; i < report->leaks_count; i++)
    tell_leak(&report->leaks[i]);
  recorder_ended(&e->record.recorder, &e->audit, report);
  if (e->record.audit.path)
    shard_drain(e->shard); /* its end holds what came too late */
  bool written = record_end(&e->record, report, message, sizeof message);
  if (written && (fflush(stdout) != 0 || ferror(stdout))) {
    snprintf(message, sizeof message, "standard output cannot be written: %s", strerror(errno));
    written = false;
  }
  if (!written)
    fprintf(stderr, "vow eval: %s\n", message);
  return written ? exit_status(report->outcome) : EXIT_FAILED;
}

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), tail = strlen(end);
  return len >= tail && strcmp(text + len - tail, end) == 0;
}

static run_limits limits_of(const eval_options *options) {
  return (run_limits){.cpu_ms = options->cpu_ms,
                      .wall_ms = options->wall_ms,
                      .op_timeout_ms = options->op_timeout_ms,
                      .memory_bytes = options->memory_mib << 20,
                      .stack_bytes = options->stack_kib << 10,
                      .result_bytes = options->result_kib << 10,
                      .log_bytes = options->log_kib << 10,
                      .operations_max = options->max_ops,
                      .concurrent_max = (uint32_t)options->max_concurrent,
                      .queue_max = (uint32_t)options->max_queued,
                      .retries_max = run_limits_default.retries_max};
}

static int evaluate(evaluation *e) {
  run_options options = {.name = strcmp(e->file, "-") == 0 ? "<stdin>" : e->file,
                         .source = e->source,
                         .source_len = e->source_len,
                         .module = ends_with(e->file, ".mjs"),
                         .context = e->options.context,
                         .limits = limits_of(&e->options),
                         .on_log = on_log,
                         .on_event =
                             e->record.audit.path || e->record.metrics.path ? on_event : NULL,
                         .late = e->record.audit.path ? &late : NULL,
                         .debug = e->options.debug,
                         .on_done = on_done,
                         .user = e};
  options.kinds = api_host_kinds(e->api, &options.kinds_count);
  e->run = run_open(e->shard, &options);
  if (!e->run)
    return usage(NO_SANDBOX);
  int status = EXIT_USAGE;
  if (record_open(&e->record, e->shard, e->workers, &e->at_start)) {
    recorder_run(&e->record.recorder, &e->audit, e->options.vault, NULL);
    progress_begin(&e->progress, shard_loop(e->shard), e->run);
    while (run_alive(e->run))
      shard_turn(e->shard);
    progress_end(&e->progress);
    status = conclude(e);
  } else {
    usage("out of memory");
  }
  run *run = e->run;
  e->run = NULL; /* a signal finds none from here on */
  run_dispose(run);
  return status;
}

static void close_parts(evaluation *e) {
  api_host_unbind(e->api);
  if (e->shard) {
    for (int i = 0; i < 2; i++)
      if (e->signals[i].data)
        uv_close((uv_handle_t *)&e->signals[i], NULL);
    shard_close(e->shard);
  }
  pool_close(e->workers);
  api_host_close(e->api);
  db_close(e->store);
  record_close(&e->record);
  mem_free(NULL, e->source);
}

int cmd_eval(int argc, char **argv) {
  evaluation e = {.options = {.engine = "wasm",
                              .db = DB_URL_DEFAULT,
                              .vault = NOTES_VAULT_DEFAULT,
                              .cpu_ms = 5000,
                              .wall_ms = 30000,
                              .op_timeout_ms = 10000,
                              .memory_mib = 64,
                              .stack_kib = 192,
                              .result_kib = 1024,
                              .log_kib = 256,
                              .max_ops = 10000,
                              .max_concurrent = 64,
                              .max_queued = 10000}};
  option_result given;
  int ended = options_begin(&table, argc, argv, &e.options, &given);
  if (ended != OPTIONS_GO)
    return ended;
  if (given.count != 1)
    return usage("%s; see: vow help eval",
                 given.count ? "takes one FILE" : "needs a FILE, or - for standard input");
  e.file = given.arguments[0];
  signal(SIGPIPE, SIG_IGN);
  int status = EXIT_USAGE;
  if (check_options(&e) && read_source(&e) && open_outputs(&e) && open_shard(&e) && open_api(&e))
    status = evaluate(&e);
  close_parts(&e);
  return status;
}
