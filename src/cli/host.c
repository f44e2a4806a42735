#include "cli/host.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "api/db.h"
#include "api/host.h"
#include "api/notes.h"
#include "cli/options.h"
#include "cli/record.h"
#include "host/serve.h"

enum { EXIT_ENDED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 130 };

#define WORKERS_MAX 4u
#define ALLOWED_MAX 256u

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
  bool allowed[ALLOWED_MAX];
  bool needs_db;
  db *store;
  pool *workers;
  record record;
  api_host *api;
  shard *shard;
  session *session;
} hosting;

void host_help(FILE *out) {
  options_help(&table, out);
}

static bool complain(const char *message) {
  fprintf(stderr, "vow host: %s\n", message);
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

static bool check_options(hosting *h) {
  char message[512];
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  if (count > ALLOWED_MAX)
    return complain("too many kinds of operations");
  if (!notes_vault_check(h->options.vault, message, sizeof message)) {
    fprintf(stderr, "vow host: --vault: %s\n", message);
    return false;
  }
  if (h->options.allow && !api_allow(h->options.allow, h->allowed, message, sizeof message))
    return complain(message);
  for (size_t i = 0; i < count; i++)
    h->needs_db |= h->allowed[i] && kinds[i].needs_db;
  return true;
}

/* Files of their own: neither each other's, nor the pipes that are spoken on. */
static bool check_outputs(const hosting *h) {
  const output *outputs[] = {&h->record.audit, &h->record.metrics};
  if (output_same(outputs[0], outputs[1]))
    return complain("--audit and --metrics name the same file");
  for (size_t i = 0; i < 2; i++)
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
      if (output_is_fd(outputs[i], fd)) {
        fprintf(stderr, "vow host: %s: is in use as a standard file already\n", outputs[i]->option);
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

/* Last, so that a set-up error leaves no new database. */
static bool open_api(hosting *h) {
  char message[512];
  bool needs_workers = h->needs_db || h->options.audit;
  if (needs_workers && !(h->workers = pool_open(&(pool_options){.threads_max = WORKERS_MAX})))
    return complain("out of memory");
  if (needs_workers && !pool_start(h->workers))
    return complain("no worker thread can be started");
  if (h->needs_db && !db_open(h->options.db, DB_CREATE, NULL, &h->store, message, sizeof message))
    return complain(message);
  h->api = api_host_open(NULL, h->allowed, h->store, h->options.vault, h->workers);
  return (h->api && api_host_open_fetch(h->api, h->options.allow) &&
          api_host_bind(h->api, h->shard)) ||
         complain("out of memory");
}

static bool open_session(hosting *h) {
  const engine_counts since = engine_counts_of(shard_engine(h->shard));
  if (!record_open(&h->record, h->shard, h->workers, &since))
    return complain("out of memory");
  session_options options = {.shard = h->shard,
                             .recorder = &h->record.recorder,
                             .message_max = (size_t)h->options.message_mib << 20,
                             .runs_max = (uint32_t)h->options.max_runs,
                             .version = VOW_VERSION};
  options.built_ins = api_host_kinds(h->api, &options.built_ins_count);
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
  api_host_unbind(h->api);
  shard_close(h->shard);
  session_close(h->session);
  pool_close(h->workers);
  api_host_close(h->api);
  db_close(h->store);
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
      open_api(&h) && open_session(&h))
    status = serve_all(&h);
  close_parts(&h);
  return status;
}
