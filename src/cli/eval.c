#include "cli/eval.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
#include "sandbox/source.h"

enum { EXIT_VALUE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_CANCELLED = 130 };

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

static bool read_source(evaluation *e) {
  char why[256];
  e->source = source_read(e->file, &e->source_len, why, sizeof why);
  if (!e->source)
    usage("%s: %s", e->file, why);
  return e->source != NULL;
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

static bool open_outputs(evaluation *e) {
  const eval_options *options = &e->options;
  const record_files files = {options->report, options->audit, options->metrics, e->file,
                              options->db};
  char message[PATH_MAX * 2 + 256];
  bool ready = record_open_files(&e->record, &files, message, sizeof message);
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
  tell_leak("eval", leak);
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
  if (needs_workers && !(e->workers = pool_open(&(pool_options){.threads_max = WORKERS_MAX}))) {
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
    tell_leak("eval", &report->leaks[i]);
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
                         .module = source_ends_with(e->file, ".mjs"),
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
  free(e->source);
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
