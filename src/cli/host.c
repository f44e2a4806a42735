#include "cli/host.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "api/notes.h"
#include "cli/backend.h"
#include "cli/options.h"
#include "cli/record.h"
#include "cli/tell.h"
#include "host/serve.h"

enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 130 };

typedef struct host_options {
  const char *allow, *db, *vault, *audit, *metrics;
  uint64_t message_mib, max_runs;
  bool help;
} host_options;

static const option_spec specs[] = {
    OPTION_TEXT(host_options, allow, "allow", "LIST",
                "built-in operations that runs may be allowed: names and globs, e.g. notes.*"),
    OPTION_TEXT(host_options, db, "db", "URL",
                "the database, sqlite:FILE; default " DB_URL_DEFAULT),
    OPTION_TEXT(host_options, vault, "vault", "NAME",
                "the vault that notes.* and kv.* see; default " NOTES_VAULT_DEFAULT),
    OPTION_TEXT(host_options, audit, "audit", "FILE",
                "add each event of each operation as a line of JSON, chained by hash"),
    OPTION_TEXT(host_options, metrics, "metrics", "FILE",
                "write counts and times at exit, as Prometheus text"),
    OPTION_NUMBER(host_options, message_mib, "message-mib", "N", 1, 64,
                  "the longest message; default 16"),
    OPTION_NUMBER(host_options, max_runs, "max-runs", "N", 1, 10000,
                  "runs at once, more wait; default 1000"),
    OPTION_FLAG(host_options, help, "help", "show this help"),
};
static const option_table table = {
    "host", specs, sizeof specs / sizeof specs[0], false,
    "vow host [options]\n\n"
    "Speaks JSON-RPC 2.0, one message a line, on standard input and output: a program\n"
    "in any language registers operations, and evaluates scripts that call them.\n"
    "Exit status: 0 the input ended, 1 failed on the way, 2 usage, 130 a signal.\n\n"};

/* Everything one invocation holds. */
typedef struct hosting {
  host_options options;
  backend backend;
  record record;
  shard *shard;
  session *session;
} hosting;

void host_help(FILE *out) {
  options_help(&table, out);
}

static bool complain(const char *message) {
  tell_usage("host", "%s", message);
  return false;
}

/* ---- set-up ---- */

/* The first thing of all: whatever is opened next would take the place of one that
 * is closed. */
static bool check_descriptors(void) {
  if (fcntl(STDIN_FILENO, F_GETFD) < 0)
    return complain("standard input is closed");
  return fcntl(STDOUT_FILENO, F_GETFD) >= 0 || complain("standard output is closed");
}

static backend_settings backend_of(const hosting *h) {
  return (backend_settings){
      .allow = h->options.allow, .db = h->options.db, .vault = h->options.vault};
}

static bool check_options(hosting *h) {
  char message[512];
  const backend_settings settings = backend_of(h);
  return backend_check(&h->backend, &settings, message, sizeof message) || complain(message);
}

/* Files of their own: neither each other's, nor the pipes that are spoken on. */
static bool check_outputs(const hosting *h) {
  const output *outputs[] = {&h->record.audit, &h->record.metrics};
  if (output_same(outputs[0], outputs[1]))
    return complain("--audit and --metrics name the same file");
  for (size_t i = 0; i < 2; i++)
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
      if (output_is_fd(outputs[i], fd)) {
        tell_usage("host", "%s: is in use as a standard file already", outputs[i]->option);
        return false;
      }
  return true;
}

static bool open_outputs(hosting *h) {
  record *record = &h->record;
  char message[PATH_MAX + 256];
  if (!output_open(&record->audit, "--audit", h->options.audit, OUTPUT_APPENDED, message,
                   sizeof message) ||
      !output_open(&record->metrics, "--metrics", h->options.metrics, OUTPUT_REPLACED, message,
                   sizeof message))
    return complain(message);
  return check_outputs(h) && (record_prepare(record, message, sizeof message) || complain(message));
}

static bool open_shard(hosting *h) {
  char message[512];
  const shard_options options = {.engine = ENGINE_WASM};
  h->shard = shard_open(&options, message, sizeof message);
  if (!h->shard)
    return complain(message);
  return shard_prepare(h->shard) || complain("no memory or address space for a sandbox");
}

static bool open_backend(hosting *h) {
  char message[512];
  const backend_settings settings = backend_of(h);
  return backend_open(&h->backend, &settings, h->shard, h->options.audit, message,
                      sizeof message) ||
         complain(message);
}

static bool open_session(hosting *h) {
  const engine_counts since = engine_counts_of(shard_engine(h->shard));
  if (!record_open(&h->record, h->shard, h->backend.workers, &since))
    return complain("out of memory");
  session_options options = {.shard = h->shard,
                             .recorder = &h->record.recorder,
                             .message_max = (size_t)h->options.message_mib << 20,
                             .runs_max = (uint32_t)h->options.max_runs,
                             .version = VOW_VERSION};
  options.built_ins = api_host_kinds(h->backend.api, &options.built_ins_count);
  h->session = session_open(&options);
  return h->session || complain("out of memory");
}

/* ---- serving ---- */

static int serve_all(hosting *h) {
  static const int statuses[] = {[SERVE_ENDED] = EXIT_ENDED,
                                 [SERVE_FAILED] = EXIT_FAILED,
                                 [SERVE_SIGNAL] = EXIT_SIGNAL,
                                 [SERVE_SETUP] = EXIT_USAGE};
  char message[256];
  serve_end end = serve(h->session, h->shard, STDIN_FILENO, STDOUT_FILENO, message, sizeof message);
  if (end == SERVE_FAILED || end == SERVE_SETUP)
    complain(message);
  char lost[PATH_MAX + 256];
  bool whole = record_end(&h->record, NULL, lost, sizeof lost) || complain(lost);
  return whole || statuses[end] != EXIT_ENDED ? statuses[end] : EXIT_FAILED;
}

/* Handlers end before the shard, names of operations live longer. */
static void close_parts(hosting *h) {
  if (h->session)
    session_end(h->session);
  backend_unbind(&h->backend);
  shard_close(h->shard);
  session_close(h->session);
  backend_close(&h->backend);
  record_close(&h->record);
}

int cmd_host(int argc, char **argv) {
  hosting h = {
      .record.counted = true,
      .options = {
          .db = DB_URL_DEFAULT, .vault = NOTES_VAULT_DEFAULT, .message_mib = 16, .max_runs = 1000}};
  option_result given;
  int ended = options_begin(&table, argc, argv, &h.options, &given);
  if (ended != OPTIONS_GO)
    return ended;
  if (given.count != 0) {
    complain("takes no arguments; see: vow help host");
    return EXIT_USAGE;
  }
  int status = EXIT_USAGE;
  if (check_descriptors() && check_options(&h) && open_outputs(&h) && open_shard(&h) &&
      open_backend(&h) && open_session(&h))
    status = serve_all(&h);
  close_parts(&h);
  return status;
}
