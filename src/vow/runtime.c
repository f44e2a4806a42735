/* Opening and closing a runtime, what it has registered, its counts. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/notes.h"
#include "vow/vow_int.h"

#define WORKERS_DEFAULT 4u
#define WORKERS_MAX 64u
#define BUILTINS_MAX 256u
#define ARGUMENTS_MAX 64u

/* ---- arguments and messages ---- */

vow_status lib_fail(vow_runtime *runtime, vow_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(runtime->message, sizeof runtime->message, format, arguments);
  va_end(arguments);
  return status;
}

const char *vow_runtime_message(const vow_runtime *runtime) {
  return runtime->message;
}

/* ---- opening ---- */

static vow_status open_shard(vow_runtime *runtime, const vow_runtime_options *options) {
  const shard_options shard = {.allocator = runtime->allocator,
                               .engine = options->engine == VOW_ENGINE_NATIVE ? ENGINE_NATIVE
                                                                              : ENGINE_WASM,
                               .live_max = options->live_max,
                               .concurrent_max = options->concurrent_max,
                               .queue_max = options->queue_max,
                               .on_leak = runtime->on_leak ? lib_tell_handler : NULL,
                               .user = runtime,
                               .guest_folder = options->guest_dir};
  runtime->shard = shard_open(&shard, runtime->message, sizeof runtime->message);
  if (!runtime->shard)
    return VOW_E_OPEN;
  runtime->gate = lib_gate_open(runtime->allocator, shard_loop(runtime->shard));
  return runtime->gate ? VOW_OK : VOW_E_NOMEM;
}

/* The parser speaks to users of the command line. */
static vow_status no_builtin(vow_runtime *runtime, const char *message) {
  static const char prefix[] = "--allow";
  if (strncmp(message, prefix, sizeof prefix - 1) == 0)
    message += sizeof prefix - 1;
  return lib_fail(runtime, VOW_E_UNKNOWN, "builtins%s", message);
}

static vow_status open_database(vow_runtime *runtime, const char *url) {
  char message[LIB_MESSAGE_MAX];
  if (db_open(url, DB_CREATE, runtime->allocator, &runtime->store, message, sizeof message))
    return VOW_OK;
  return lib_fail(runtime, VOW_E_OPEN, "%s", message);
}

/* What is built in, as far as the options say it. */
typedef struct builtins {
  bool allowed[BUILTINS_MAX], needs_db;
  const char *vault;
} builtins;

static vow_status check_builtins(vow_runtime *runtime, const vow_runtime_options *options,
                                 builtins *builtins) {
  char message[LIB_MESSAGE_MAX];
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  *builtins = (struct builtins){.vault = options->vault ? options->vault : NOTES_VAULT_DEFAULT};
  if (options->builtins &&
      !api_allow(options->builtins, builtins->allowed, message, sizeof message))
    return no_builtin(runtime, message);
  if (!notes_vault_check(builtins->vault, message, sizeof message))
    return lib_fail(runtime, VOW_E_INVALID, "vault: %s", message);
  for (size_t i = 0; i < count; i++)
    builtins->needs_db |= builtins->allowed[i] && kinds[i].needs_db;
  return VOW_OK;
}

static vow_status open_builtins(vow_runtime *runtime, const vow_runtime_options *options,
                                const builtins *builtins) {
  size_t count;
  runtime->api = api_host_open(runtime->allocator, builtins->allowed, runtime->store,
                               builtins->vault, runtime->workers);
  bool bound = runtime->api && api_host_open_fetch(runtime->api, options->builtins) &&
               api_host_bind(runtime->api, runtime->shard);
  if (!bound)
    return VOW_E_NOMEM;
  const host_kind *kinds = api_host_kinds(runtime->api, &count);
  return api_registry_add_all(&runtime->registry, kinds, count) ? VOW_OK : VOW_E_NOMEM;
}

static pool *open_workers(const vow_allocator *allocator, uint32_t threads_max) {
  const pool_options options = {.allocator = allocator, .threads_max = threads_max};
  return pool_open(&options);
}

static vow_status check_options(vow_runtime *runtime, const vow_runtime_options *options,
                                builtins *builtins) {
  if (options->engine != VOW_ENGINE_WASM && options->engine != VOW_ENGINE_NATIVE)
    return lib_fail(runtime, VOW_E_INVALID, "engine: there is no such one");
  if (options->workers_max > WORKERS_MAX)
    return lib_fail(runtime, VOW_E_INVALID, "workers_max: at most %u", WORKERS_MAX);
  if (options->audit && !*options->audit)
    return lib_fail(runtime, VOW_E_INVALID, "audit: it names no file");
  return check_builtins(runtime, options, builtins);
}

/* The audit, then the database come after everything that may be refused, so that a
 * mistake leaves no new one: the audit can be taken back, a database cannot. */
static vow_status open_parts(vow_runtime *runtime, const vow_runtime_options *options) {
  builtins builtins;
  uint32_t workers = options->workers_max ? options->workers_max : WORKERS_DEFAULT;
  const char *database = options->database ? options->database : DB_URL_DEFAULT;
  vow_status status = check_options(runtime, options, &builtins);
  runtime->runs_max = options->runs_max;
  if (status == VOW_OK)
    status = open_shard(runtime, options);
  if (status == VOW_OK && !(runtime->workers = open_workers(runtime->allocator, workers)))
    status = VOW_E_NOMEM;
  if (status == VOW_OK)
    status = lib_record_open(runtime, options->audit, builtins.needs_db ? db_file(database) : NULL,
                             options->metrics);
  if (status == VOW_OK && builtins.needs_db)
    status = open_database(runtime, database);
  return status == VOW_OK ? open_builtins(runtime, options, &builtins) : status;
}

static void close_parts(vow_runtime *runtime) {
  const vow_allocator *allocator = runtime->allocator;
  for (lib_kind *kind = runtime->kinds; kind; kind = kind->next)
    host_kinds_close(&kind->host, 1);
  api_host_unbind(runtime->api);
  pool_close(runtime->workers); /* its last messages are for the loop */
  shard_close(runtime->shard);
  if (runtime->gate)
    lib_tell_operations(runtime);
  api_host_close(runtime->api);
  db_close(runtime->store);
  while (runtime->kinds) {
    lib_kind *kind = runtime->kinds;
    runtime->kinds = kind->next;
    mem_free(allocator, (void *)(uintptr_t)kind->host.name);
    mem_free(allocator, kind);
  }
  lib_record_close(runtime);
  api_registry_free(&runtime->registry);
  lib_gate_drop(runtime->gate);
  mem_free(allocator, runtime);
  lib_process_leave();
}

static void tell(const vow_runtime_options *options, const char *message) {
  if (options->message && options->message_size)
    snprintf(options->message, options->message_size, "%s", message);
}

vow_status vow_runtime_open(const vow_runtime_options *given, vow_runtime **opened) {
  static const char orphaned[] = "this process was forked from one with an open runtime: fork "
                                 "before opening any, or exec";
  vow_runtime_options options = {0};
  *opened = NULL;
  if (given && !sized_copy(&options, sizeof options, given))
    return VOW_E_INVALID;
  tell(&options, "");
  vow_status status = lib_process_enter();
  if (status != VOW_OK) {
    tell(&options, status == VOW_E_OPEN ? orphaned : vow_status_message(status));
    return status;
  }
  vow_runtime *runtime = mem_new(options.allocator, 1, sizeof *runtime);
  if (!runtime) {
    lib_process_leave();
    tell(&options, vow_status_message(VOW_E_NOMEM));
    return VOW_E_NOMEM;
  }
  runtime->allocator = runtime->registry.allocator = options.allocator;
  runtime->audit_fd = -1;
  runtime->on_leak = options.on_leak;
  runtime->on_leak_user = options.on_leak_user;
  status = open_parts(runtime, &options);
  if (status == VOW_OK) {
    runtime->audit_made = NULL;
    *opened = runtime;
    return VOW_OK;
  }
  tell(&options, runtime->message[0] ? runtime->message : vow_status_message(status));
  lib_record_take_back(runtime);
  close_parts(runtime);
  return status;
}

/* ---- closing ---- */

/* Every run tells its end, then goes. */
static void end_runs(vow_runtime *runtime) {
  while (runtime->runs) {
    vow_run *run = runtime->runs;
    lib_run_hold(run);
    if (vow_run_alive(run))
      run_cancel(run->run);
    if (!atomic_load(&run->disposed))
      lib_run_dispose(run);
    lib_run_drop(run);
  }
}

static void close_scripts(vow_runtime *runtime) {
  while (runtime->scripts) {
    runtime->scripts->closed = true;
    lib_script_release(runtime->scripts); /* no run holds it any more */
  }
}

vow_status vow_runtime_close(vow_runtime *runtime) {
  if (!runtime)
    return VOW_OK;
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (runtime->depth > 0 || runtime->guarded > 0)
    return VOW_E_STATE;
  runtime->closing = true;
  runtime->depth++;
  lib_tell_handles(runtime);
  end_runs(runtime);
  close_scripts(runtime);
  while (runtime->ops)
    lib_op_close(runtime->ops);
  if (runtime->recorder.file)
    shard_drain(runtime->shard); /* its end holds what came too late */
  bool whole = lib_record_end(runtime);
  pthread_mutex_lock(&runtime->gate->lock);
  runtime->gate->loop = NULL; /* from here on, every answer is late */
  pthread_mutex_unlock(&runtime->gate->lock);
  lib_tasks_close(runtime);
  close_parts(runtime);
  return whole ? VOW_OK : VOW_E_LOST;
}

/* ---- registering ---- */

static bool is_name(const char *name) {
  size_t len = name ? strnlen(name, LIB_NAME_MAX + 1) : 0;
  return len <= LIB_NAME_MAX && api_name_valid(name, len);
}

static host_policy policy_of(const vow_policy *policy) {
  return (host_policy){.timeout_ms = policy->timeout_ms,
                       .attempts = policy->attempts,
                       .backoff_ms = policy->backoff_ms,
                       .backoff_max_ms = policy->backoff_max_ms,
                       .concurrent_max = policy->concurrent_max,
                       .queue_max = policy->queue_max,
                       .priority = policy->priority,
                       .cache_ms = policy->cache_ms,
                       .cache_error_ms = policy->cache_error_ms,
                       .cache_bytes = policy->cache_bytes,
                       .single_flight = policy->single_flight,
                       .batch_max = !policy->batch      ? 0
                                    : policy->batch_max ? policy->batch_max
                                                        : OP_BATCH_MAX,
                       .batch_window_ms = policy->batch_window_ms,
                       .idempotent = policy->idempotent};
}

static vow_status add_kind(vow_runtime *runtime, const char *name, vow_handler *handler,
                           const vow_policy *policy, void *user) {
  uint32_t arguments = policy->arguments == 0                  ? 1
                       : policy->arguments == VOW_NO_ARGUMENTS ? 0
                                                               : policy->arguments;
  if (arguments > ARGUMENTS_MAX || (policy->options_last && arguments == 0))
    return lib_fail(runtime, VOW_E_INVALID,
                    "policy of %s: arguments: at most %u, and options_last "
                    "needs one",
                    name, ARGUMENTS_MAX);
  const host_policy host = policy_of(policy);
  const char *fault = host_policy_fault(&host);
  if (fault)
    return lib_fail(runtime, VOW_E_INVALID, "policy of %s: %s", name, fault);
  lib_kind *kind = mem_new(runtime->allocator, 1, sizeof *kind);
  char *copy = kind ? mem_text(runtime->allocator, name, strlen(name)) : NULL;
  if (!copy) {
    mem_free(runtime->allocator, kind);
    return VOW_E_NOMEM;
  }
  *kind = (lib_kind){.next = runtime->kinds,
                     .runtime = runtime,
                     .handler = handler,
                     .batch = policy->batch,
                     .user = user,
                     .blocking = policy->blocking,
                     .host = {.name = copy,
                              .arguments = arguments,
                              .options_last = policy->options_last,
                              .policy = host}};
  lib_kind_init(kind);
  if (kind->batch)
    lib_kind_init_batch(kind);
  if (!host_kinds_open(runtime->shard, &kind->host, 1) ||
      !api_registry_add(&runtime->registry, &kind->host)) {
    host_kinds_close(&kind->host, 1);
    mem_free(runtime->allocator, copy);
    mem_free(runtime->allocator, kind);
    return VOW_E_NOMEM;
  }
  runtime->kinds = kind;
  return VOW_OK;
}

vow_status vow_register(vow_runtime *runtime, const char *name, vow_handler *handler,
                        const vow_policy *given, void *user) {
  vow_policy policy = {0};
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  runtime->message[0] = 0;
  if (given && !sized_copy(&policy, sizeof policy, given))
    return lib_fail(runtime, VOW_E_INVALID,
                    "policy: its size is not set, or it is of a newer version");
  if ((policy.batch ? policy.batch_max > OP_BATCH_MAX || handler != NULL
                    : policy.batch_max || policy.batch_window_ms))
    return lib_fail(runtime, VOW_E_INVALID,
                    "policy: batch takes the place of a handler, for at most %u calls at once",
                    OP_BATCH_MAX);
  if ((!handler && !policy.batch) || !is_name(name))
    return lib_fail(runtime, VOW_E_INVALID,
                    "an operation needs a handler and a name like 'weather.get', of at most %u "
                    "bytes",
                    LIB_NAME_MAX);
  const host_kind *taken = api_registry_taken(&runtime->registry, name);
  if (taken)
    return lib_fail(runtime, VOW_E_EXISTS, "there is an operation '%s'", taken->name);
  return add_kind(runtime, name, handler, &policy, user);
}

/* ---- counts ---- */

vow_status vow_runtime_counts(const vow_runtime *runtime, vow_counts *counts) {
  size_t size = counts->size;
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (size < sizeof size)
    return VOW_E_INVALID;
  op_counts operations = op_table_counts(shard_operations(runtime->shard));
  vow_counts all = {.size = size,
                    .runs = runtime->runs_begun,
                    .runs_live = runtime->runs_live,
                    .runs_value = runtime->outcomes[RUN_VALUE],
                    .runs_error = runtime->outcomes[RUN_ERROR],
                    .runs_limit = runtime->outcomes[RUN_LIMIT],
                    .runs_cancelled = runtime->outcomes[RUN_CANCELLED],
                    .created = operations.created,
                    .fulfilled = operations.fulfilled,
                    .rejected = operations.rejected,
                    .timed_out = operations.timed_out,
                    .cancelled = operations.cancelled,
                    .live = operations.live,
                    .running = shard_handlers(runtime->shard),
                    .late = operations.late};
  pthread_mutex_lock(&runtime->gate->lock);
  all.repeated = runtime->gate->repeated;
  all.abandoned = runtime->gate->abandoned;
  pthread_mutex_unlock(&runtime->gate->lock);
  memcpy(counts, &all, size < sizeof all ? size : sizeof all);
  return VOW_OK;
}
