#include "cli/eval.h"

#include <signal.h>
#include <string.h>

#include <sqlite3.h>

#include "api/notes.h"
#include "cli/invocation.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "sandbox/source.h"

enum { EXIT_VALUE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_CANCELLED = 130 };

#define usage(...) tell_usage("eval", __VA_ARGS__)
#define CONTEXT_BYTES_MAX (16u << 20)
#define DAY_MS 86400000u
#define NO_SANDBOX "no memory or address space for a sandbox"

typedef struct eval_options {
  invocation_settings common;
  const char *engine, *context;
  uint64_t cpu_ms, wall_ms, op_timeout_ms, memory_mib, stack_kib, result_kib, log_kib, max_ops,
      max_concurrent, max_queued;
  bool help;
} eval_options;

static const option_spec specs[] = {
    OPTION_TEXT(eval_options, engine, "engine", "wasm|native",
                "where the script runs; native has no sandbox; default wasm"),
    OPTION_TEXT(eval_options, common.allow, "allow", "LIST",
                "operations the script may call: names and globs, e.g. notes.*"),
    OPTION_TEXT(eval_options, context, "context", "JSON",
                "the script's frozen global `context`, given to main(context); default {}"),
    OPTION_TEXT(eval_options, common.db, "db", "URL",
                "the database, sqlite:FILE; default " DB_URL_DEFAULT),
    OPTION_TEXT(eval_options, common.vault, "vault", "NAME",
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
    OPTION_TEXT(eval_options, common.report, "report", "FILE|-",
                "write the report as JSON; - puts it in place of the value"),
    OPTION_TEXT(eval_options, common.audit, "audit", "FILE",
                "add each event of each operation as a line of JSON, chained by hash"),
    OPTION_TEXT(eval_options, common.metrics, "metrics", "FILE",
                "write counts and times at exit, as Prometheus text"),
    OPTION_FLAG(eval_options, common.debug, "debug",
                "say what outlived the run, and where the script created it"),
    OPTION_FLAG(eval_options, help, "help", "show this help"),
};
static const option_table table = {
    "eval", specs, sizeof specs / sizeof specs[0], false,
    "vow eval [options] FILE|-\n\n"
    "Runs an untrusted script in a fresh sandbox and prints its value as JSON.\n"
    "Exit status: 0 value, 1 script failed, 2 usage, 3 limit hit, 130 cancelled.\n\n"};

typedef struct evaluation {
  invocation script;
  eval_options options;
  progress progress;
  uv_signal_t signals[2];
} evaluation;

void eval_help(FILE *out) {
  options_help(&table, out);
}

/* ---- set-up, before any code runs ---- */

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

static bool check_options(const evaluation *e) {
  const char *engine = e->options.engine;
  if (strcmp(engine, "wasm") != 0 && strcmp(engine, "native") != 0) {
    usage("--engine %s: must be wasm or native", engine);
    return false;
  }
  return !e->options.context || check_context(e->options.context);
}

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  const evaluation *e = handle->data;
  if (e->script.run)
    run_cancel(e->script.run);
}

static bool watch_signals(evaluation *e) {
  static const int numbers[2] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; i++) {
    int error = uv_signal_init(loop_uv(shard_loop(e->script.shard)), &e->signals[i]);
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

static bool open_shard(evaluation *e) {
  bool native = strcmp(e->options.engine, "native") == 0;
  if (!invocation_open_shard(&e->script, native ? ENGINE_NATIVE : ENGINE_WASM))
    return false;
  if (!shard_prepare(e->script.shard)) {
    usage(NO_SANDBOX);
    return false;
  }
  e->script.at_start = engine_counts_of(shard_engine(e->script.shard));
  return watch_signals(e);
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

/* Everything that is said of a run that has finished. */
static int conclude(evaluation *e) {
  const run_report *report = e->script.report;
  if (report->outcome != RUN_VALUE)
    tell_failure(report);
  else if (!e->script.record.report_to_stdout)
    printf("%s\n", report->value);
  return invocation_end(&e->script) ? exit_status(report->outcome) : EXIT_FAILED;
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
  invocation *script = &e->script;
  run_options options = {.name = strcmp(script->file, "-") == 0 ? "<stdin>" : script->file,
                         .module = source_ends_with(script->file, ".mjs"),
                         .context = e->options.context,
                         .limits = limits_of(&e->options),
                         .on_log = on_log};
  int status = EXIT_USAGE;
  invocation_fill(script, &options);
  options.kinds = api_host_kinds(script->backend.api, &options.kinds_count);
  script->run = run_open(script->shard, &options);
  if (!script->run)
    return usage(NO_SANDBOX);
  if (invocation_begin(script)) {
    progress_begin(&e->progress, shard_loop(script->shard), script->run);
    while (run_alive(script->run))
      shard_turn(script->shard);
    progress_end(&e->progress);
    status = conclude(e);
  }
  invocation_dispose(script);
  return status;
}

static void close_parts(evaluation *e) {
  invocation_unbind(&e->script);
  if (e->script.shard) {
    for (int i = 0; i < 2; i++)
      if (e->signals[i].data)
        uv_close((uv_handle_t *)&e->signals[i], NULL);
    shard_close(e->script.shard);
  }
  invocation_close(&e->script);
}

int cmd_eval(int argc, char **argv) {
  evaluation e = {.script = {.command = "eval", .settings = &e.options.common},
                  .options = {.common = {.db = DB_URL_DEFAULT, .vault = NOTES_VAULT_DEFAULT},
                              .engine = "wasm",
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
  e.script.file = given.arguments[0];
  signal(SIGPIPE, SIG_IGN);
  int status = EXIT_USAGE;
  if (check_options(&e) && invocation_check(&e.script) && invocation_read(&e.script) &&
      invocation_open_outputs(&e.script) && open_shard(&e) && invocation_open_backend(&e.script))
    status = evaluate(&e);
  close_parts(&e);
  return status;
}
