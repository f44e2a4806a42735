#include "executors/instance.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/host.h"
#include "sandbox/run.h"
#include "sandbox/source.h"

#define NO_LIMIT UINT64_MAX
#define CONCURRENT_MAX 65536u /* more operations wait */
/* Of the 8 MiB that a thread has, for script; the rest is for natives. */
#define STACK_BYTES ((uint64_t)4 << 20)
#define LINE_BYTES 1024u
#define TOLD_BYTES 512u /* names of functions in a message */

static const uint8_t undefined_cbor[] = {0xf7};

struct instance {
  instance *next; /* in its owner's list */
  const javascript_options *options;
  bool isolated;
  char *file, *source; /* one of them */
  shard *shard;
  api_host *api;          /* natively: fetch */
  run_template *template; /* isolated: the source, compiled; NULL: not yet */
  run *run;               /* natively from the first call on; isolated while one goes on */
  atomic_bool stop;
  loop_message wake; /* posted once for a call that is stopped, delivered before its end */
  bool delivered;

  const javascript_request *request; /* of the call; NULL: none goes on */
  javascript_result *result;
  bool loaded, done;
};

instance **instance_next(instance *instance) {
  return &instance->next;
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

bool instance_is_of(const instance *instance, const instance_key *key) {
  return instance->isolated == key->isolated && same_text(instance->file, key->file) &&
         same_text(instance->source, key->source);
}

/* ---- what the guest has ---- */

static char *read_module(void *user, const char *name, size_t *len, char *message,
                         size_t message_size) {
  (void)user;
  return source_read(name, len, message, message_size);
}

static void on_log(void *user, int level, const char *text, size_t len) {
  const instance *instance = user;
  const javascript_options *options = instance->options;
  if (instance->isolated && instance->request->load)
    return; /* a call executes the source again, and is who says it */
  char small[LINE_BYTES];
  char *line = len < sizeof small ? small : mem_resize(options->allocator, NULL, len + 1, 1);
  int stream = level >= 2 ? 2 : 1;
  if (!line) { /* in two pieces then */
    options->on_output(stream, text, len, options->user);
    options->on_output(stream, "\n", 1, options->user);
    return;
  }
  memcpy(line, text, len);
  line[len] = '\n';
  options->on_output(stream, line, len + 1, options->user);
  if (line != small)
    mem_free(options->allocator, line);
}

/* Trusted code reaches every host anyway. */
static bool open_api(instance *instance) {
  const vow_allocator *allocator = instance->options->allocator;
  size_t count;
  api_kinds(&count);
  bool *none = mem_new(allocator, count, sizeof *none);
  if (none)
    instance->api = api_host_open(allocator, none, NULL, "default", NULL);
  mem_free(allocator, none);
  return instance->api && api_host_open_fetch_everywhere(instance->api) &&
         api_host_bind(instance->api, instance->shard);
}

static bool open_shard(instance *instance, char *message, size_t message_size) {
  static const engine_trust trust = {.read_module = read_module};
  const shard_options options = {.allocator = instance->options->allocator,
                                 .engine = instance->isolated ? ENGINE_WASM : ENGINE_NATIVE};
  instance->shard = shard_open(&options, message, message_size);
  if (!instance->shard)
    return false;
  if (instance->isolated)
    return true;
  engine_set_trust(shard_engine(instance->shard), &trust);
  snprintf(message, message_size, "out of memory");
  return open_api(instance);
}

static bool copy_key(instance *instance, const instance_key *key) {
  const vow_allocator *allocator = instance->options->allocator;
  instance->isolated = key->isolated;
  if (key->file)
    instance->file = mem_text(allocator, key->file, strlen(key->file));
  else
    instance->source = mem_text(allocator, key->source, strlen(key->source));
  return instance->file || instance->source;
}

instance *instance_open(const javascript_options *options, const instance_key *key,
                        javascript_result *result) {
  char message[512] = "out of memory";
  instance *instance = mem_new(options->allocator, 1, sizeof *instance);
  if (instance) {
    instance->options = options;
    if (copy_key(instance, key) && open_shard(instance, message, sizeof message))
      return instance;
  }
  instance_close(instance);
  javascript_fail(result, "LoadError", NULL, "JavaScript cannot be executed: %s", message);
  return NULL;
}

void instance_close(instance *instance) {
  if (!instance)
    return;
  const vow_allocator *allocator = instance->options->allocator;
  if (instance->run)
    run_dispose(instance->run);
  run_template_close(instance->template);
  api_host_unbind(instance->api);
  shard_close(instance->shard);
  api_host_close(instance->api);
  mem_free(allocator, instance->file);
  mem_free(allocator, instance->source);
  mem_free(allocator, instance);
}

/* ---- how a call ends ---- */

/* What people call the source. */
static const char *title(const instance *instance) {
  return instance->request->function->file ? instance->request->function->file : "the source";
}

static void fail_memory(instance *instance) {
  javascript_fail(instance->result, "InternalError", NULL, "out of memory");
}

static void keep_value(instance *instance, const cbor_in *value) {
  javascript_result *result = instance->result;
  size_t len = (size_t)(value->end - value->at);
  result->fulfilled = true;
  if (instance->request->load)
    return;
  result->value = mem_resize(result->allocator, NULL, len ? len : 1, 1);
  if (!result->value) {
    fail_memory(instance);
    return;
  }
  memcpy(result->value, value->at, len);
  result->value_len = len;
}

static void fail_missing(instance *instance, const run_answer *answer) {
  char told[TOLD_BYTES] = "";
  const char *name = instance->request->function->name, *text;
  cbor_in functions = answer->functions;
  size_t len, used = 0;
  while (cbor_get_text(&functions, &text, &len) == CBOR_OK && len < sizeof told - used - 3)
    used += (size_t)snprintf(told + used, sizeof told - used, "%s%.*s", used ? ", " : "", (int)len,
                             text);
  if (answer->exists)
    javascript_fail(instance->result, "NotFoundError", NULL, "%s: '%s' is no function%s%s",
                    title(instance), name, used ? "; there are: " : "", told);
  else
    javascript_fail(instance->result, "NotFoundError", NULL, "%s: there is no function '%s'%s%s",
                    title(instance), name, used ? "; there are: " : ", and no other", told);
}

static void fail_thrown(instance *instance, const run_answer *answer) {
  const char *message = answer->message ? answer->message : "";
  if (answer->thrown == RUN_KIND_RESULT && !answer->message)
    javascript_fail(instance->result, "RangeError", NULL, "the value is larger than 64 MiB");
  else
    javascript_fail(instance->result, answer->name ? answer->name : "Error", answer->stack, "%s",
                    message);
}

static void on_answer(run *run, const run_answer *answer, void *user) {
  (void)run;
  instance *instance = user;
  if (answer->kind == RUN_ANSWER_VALUE)
    keep_value(instance, &answer->value);
  else if (answer->kind == RUN_ANSWER_MISSING)
    fail_missing(instance, answer);
  else
    fail_thrown(instance, answer);
  instance->done = true;
}

/* Where a text that does not compile is wrong: the first line of the trace, which is no
 * frame of a function. */
static size_t place_of(const char *stack, const char **place) {
  static const char at[] = "    at ";
  if (!stack || strncmp(stack, at, sizeof at - 1) != 0)
    return 0;
  *place = stack + sizeof at - 1;
  size_t len = strcspn(*place, "\n");
  return memchr(*place, '(', len) ? 0 : len;
}

static void fail_script(instance *instance, const run_report *report) {
  const char *name = report->error.name ? report->error.name : "Error", *place = "";
  const char *message = report->error.message ? report->error.message : "";
  size_t len = 0;
  if (!instance->loaded && strcmp(name, "SyntaxError") == 0)
    len = place_of(report->error.stack, &place);
  javascript_fail(instance->result, name, report->error.stack, "%s%s%.*s", message,
                  len ? " at " : "", (int)(len < PATH_MAX ? len : PATH_MAX), place);
}

static void fail_deadlock(instance *instance, const run_report *report) {
  const char *name = instance->request->function->name;
  if (instance->loaded && name)
    javascript_fail(instance->result, "DeadlockError", report->error.stack,
                    "%s of %s waits for a promise that nothing can settle any more", name,
                    title(instance));
  else
    javascript_fail(instance->result, "DeadlockError", report->error.stack,
                    "%s waits for a promise that nothing can settle any more", title(instance));
}

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  instance *instance = user;
  if (!instance->request || instance->done)
    return;
  const char *message = report->error.message ? report->error.message : "it stopped working";
  switch (report->error.kind) {
  case RUN_KIND_SCRIPT:
  case RUN_KIND_API:
  case RUN_KIND_DENIED:
    fail_script(instance, report);
    break;
  case RUN_KIND_DEADLOCK:
    fail_deadlock(instance, report);
    break;
  case RUN_KIND_MEMORY:
    javascript_fail(instance->result, "MemoryError", NULL, "%s", message);
    break;
  case RUN_KIND_STACK:
    javascript_fail(instance->result, "RangeError", report->error.stack, "%s", message);
    break;
  case RUN_KIND_CANCELLED:
    javascript_fail(instance->result, "AbortError", NULL, "it was stopped");
    break;
  default:
    javascript_fail(instance->result, "InternalError", report->error.stack, "%s", message);
    break;
  }
  instance->done = true;
}

/* ---- a call ---- */

/* What cannot be sent has failed the run, which says so in its next turn. */
static void invoke(instance *instance) {
  const javascript_request *request = instance->request;
  bool has_value = request->value_len > 0;
  const uint8_t *argument = has_value ? request->value : undefined_cbor;
  size_t len = has_value ? request->value_len : sizeof undefined_cbor;
  const char *name = request->function->name;
  run_invoke(instance->run, name, request->load ? NULL : argument, request->load ? 0 : len);
}

static void on_loaded(run *run, void *user) {
  instance *instance = user;
  (void)run;
  instance->loaded = true;
  if (!instance->request->load || instance->request->function->name) {
    invoke(instance);
    return;
  }
  instance->result->fulfilled = true; /* there is no function to look for */
  instance->done = true;
}

static run_limits limits_of(const instance *instance) {
  run_limits limits = run_limits_default;
  limits.cpu_ms = limits.wall_ms = limits.op_timeout_ms = limits.log_bytes = NO_LIMIT;
  limits.operations_max = 0;
  limits.concurrent_max = CONCURRENT_MAX;
  limits.memory_bytes = instance->options->memory_bytes;
  limits.result_bytes = WIRE_MESSAGE_MAX;
  if (!instance->isolated)
    limits.stack_bytes = STACK_BYTES;
  return limits;
}

/* The text of a file, or NULL with the failure. */
static char *read_file(instance *instance, char *path, size_t *len) {
  char why[256], *source = NULL;
  if (realpath(instance->file, path))
    source = source_read(path, len, why, sizeof why);
  else
    snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
  if (!source)
    javascript_fail(instance->result, "NotFoundError", NULL, "%s: %s", title(instance), why);
  return source;
}

static bool open_template(instance *instance, const run_options *options) {
  if (!instance->isolated || instance->template)
    return true;
  run_options compiled = *options;
  compiled.limits.cpu_ms = run_limits_default.cpu_ms;
  compiled.context_cbor = NULL;
  instance->template = run_template_open(instance->shard, &compiled);
  return instance->template != NULL;
}

static void open_run(instance *instance, const char *name, const char *source, size_t len) {
  static const run_library library = {on_loaded, on_answer};
  static const run_limit_names names = {"-", "-", "memory_bytes", "64 MiB", "-", "-"};
  const javascript_request *request = instance->request;
  run_options options = {.name = name,
                         .source = source,
                         .source_len = len,
                         .module = source_ends_with(name, ".mjs"),
                         .limits = limits_of(instance),
                         .library = &library,
                         .limit_names = &names,
                         .stop = &instance->stop,
                         .on_log = on_log,
                         .on_done = on_done,
                         .user = instance};
  if (!request->function->name) {
    options.context_cbor = request->value_len ? request->value : undefined_cbor;
    options.context_cbor_len = request->value_len ? request->value_len : sizeof undefined_cbor;
  }
  if (instance->api)
    options.kinds = api_host_kinds(instance->api, &options.kinds_count);
  if (open_template(instance, &options)) {
    options.template = instance->template;
    instance->run = run_open(instance->shard, &options);
  }
  if (!instance->run)
    fail_memory(instance);
}

/* False with the failure. */
static bool execute_source(instance *instance) {
  char path[PATH_MAX] = "";
  size_t len = 0;
  if (instance->template) {
    open_run(instance, "", "", 0); /* it has all of it */
  } else if (instance->source) {
    open_run(instance, "<source>", instance->source, strlen(instance->source));
  } else {
    char *source = read_file(instance, path, &len);
    if (source)
      open_run(instance, path, source, len);
    free(source);
  }
  return instance->run != NULL;
}

static bool check_value(instance *instance) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  const javascript_request *request = instance->request;
  cbor_status status =
      request->value_len ? cbor_check(request->value, request->value_len, &limits) : CBOR_OK;
  if (status != CBOR_OK)
    javascript_fail(instance->result, "TypeError", NULL,
                    "the argument is not one CBOR item within the limits (%s)",
                    cbor_status_text(status));
  return status == CBOR_OK;
}

void instance_call(instance *instance, const javascript_request *request,
                   javascript_result *result) {
  instance->request = request;
  instance->result = result;
  instance->done = false;
  if (!check_value(instance))
    return;
  if (instance->run)
    invoke(instance);
  else if (!execute_source(instance))
    return;
  while (!instance->done)
    shard_turn(instance->shard);
}

/* ---- being stopped ---- */

static void deliver_wake(loop_message *message) {
  instance *instance = (struct instance *)((char *)message - offsetof(struct instance, wake));
  instance->delivered = true;
  if (instance->run && run_alive(instance->run) && !instance->done)
    run_cancel(instance->run);
}

void instance_stop(instance *instance) {
  atomic_store_explicit(&instance->stop, true, memory_order_relaxed);
  instance->wake.deliver = deliver_wake;
  loop_post(shard_loop(instance->shard), &instance->wake);
}

static bool is_reusable(instance *instance) {
  if (instance->isolated)
    return true;
  return instance->run && run_alive(instance->run) && run_is_quiet(instance->run) &&
         instance->request->function->name &&
         !atomic_load_explicit(&instance->stop, memory_order_relaxed);
}

bool instance_end_call(instance *instance, bool stopped) {
  while (stopped && !instance->delivered)
    shard_turn(instance->shard);
  bool reusable = !instance->request || is_reusable(instance);
  instance->delivered = false;
  instance->request = NULL;
  instance->result = NULL;
  if (instance->isolated && instance->run) {
    run_dispose(instance->run);
    instance->run = NULL;
    instance->loaded = false;
    atomic_store_explicit(&instance->stop, false, memory_order_relaxed);
  }
  return reusable;
}
