#include "deferred/isolated.h"

#include <stdio.h>
#include <string.h>

#define KINDS 4u
#define NS_PER_MS UINT64_C(1000000)
#define NO_LIMIT UINT64_MAX

/* A method's source is one only inside an object. What cannot cross is named as natively:
 * here it is the argument of a call. */
static const char bootstrap[] =
    "(async ({ take, give, fail, progress }, evaluate) => {\n"
    "  delete globalThis.vow;\n"
    "  const named = (error, what) => {\n"
    "    const text = `${error.message}`;\n"
    "    if (text.startsWith('argument 1'))\n"
    "      error.message = what + text.slice(10);\n"
    "    else if (text.startsWith('the arguments are'))\n"
    "      error.message = `${what} is${text.slice(17)}`;\n"
    "    return error;\n"
    "  };\n"
    "  globalThis.Deferred = { __proto__: null, progress: (value) => {\n"
    "    progress(value).catch((error) => { throw named(error, 'progress'); });\n"
    "  } };\n"
    "  const [source, list] = await take();\n"
    "  let run;\n"
    "  try {\n"
    "    run = evaluate(`(${source}\\n)`);\n"
    "  } catch {\n"
    "    const holder = evaluate(`({${source}\\n})`);\n"
    "    run = holder[Reflect.ownKeys(holder)[0]];\n"
    "  }\n"
    "  let value;\n"
    "  try {\n"
    "    value = await run(...list);\n"
    "  } catch (error) {\n"
    "    await fail(error).catch((odd) => fail(named(odd, 'error')));\n"
    "    return;\n"
    "  }\n"
    "  await give(value).catch((odd) => fail(named(odd, 'result')));\n"
    "})(vow, eval)";

struct isolated {
  const common *common;
  shard *shard;
  run *run; /* while one executes */
  task *task;
  loop_message stop;                /* posted once for a task; delivered before its end */
  bool stop_posted, stop_delivered; /* the first: under the task's lock */
  bool finished;
};

/* ---- what its function may call ---- */

static void reject(host_call *call, const char *message) {
  const host_error error = {"Error", NULL, message, false};
  host_call_reject(call, &error);
}

static void take(host_call *call, void *user) {
  const isolated *isolated = user;
  const char *source;
  size_t len;
  cbor_out out;
  cbor_out_init(&out, isolated->common->allocator, 2 * (size_t)WIRE_MESSAGE_MAX);
  cbor_put_array(&out, 2);
  code_source(isolated->task->code, &source, &len);
  cbor_put_text(&out, source, len);
  cbor_put_raw(&out, isolated->task->list, isolated->task->list_len);
  if (out.status == CBOR_OK)
    host_call_fulfil(call, out.data, out.len);
  else
    reject(call, "Deferred: no memory for the arguments");
  cbor_out_free(&out);
}

static void answer_undefined(host_call *call) {
  static const uint8_t undefined[] = {0xf7};
  host_call_fulfil(call, undefined, sizeof undefined);
}

/* The one argument; empty when there is none. */
static void argument_of(const host_call *call, const uint8_t **bytes, size_t *len) {
  cbor_in in;
  uint64_t count = 0;
  size_t all;
  const uint8_t *arguments = host_call_arguments(call, &all);
  cbor_in_init(&in, arguments, all);
  if (cbor_get_array(&in, &count) != CBOR_OK || count == 0 ||
      cbor_slice(&in, bytes, len) != CBOR_OK) {
    static const uint8_t undefined[] = {0xf7};
    *bytes = undefined;
    *len = sizeof undefined;
  }
}

static void settle(host_call *call, task_state state) {
  const isolated *isolated = host_call_run_user(call);
  const uint8_t *bytes;
  size_t len;
  argument_of(call, &bytes, &len);
  deferred_task_settle(isolated->task, state, bytes, len);
  answer_undefined(call);
}

static void give(host_call *call, void *user) {
  (void)user;
  settle(call, TASK_VALUE);
}

static void fail(host_call *call, void *user) {
  (void)user;
  settle(call, TASK_THROWN);
}

static void progress(host_call *call, void *user) {
  const isolated *isolated = user;
  const uint8_t *bytes;
  size_t len;
  argument_of(call, &bytes, &len);
  deferred_tell_progress(isolated->task, bytes, len);
  answer_undefined(call);
}

/* ---- the run ---- */

static void on_log(void *user, int level, const char *text, size_t len) {
  const isolated *isolated = user;
  const vow_allocator *allocator = isolated->common->allocator;
  cbor_out body, message;
  cbor_out_init(&body, allocator, WIRE_MESSAGE_MAX);
  cbor_out_init(&message, allocator, WIRE_MESSAGE_MAX);
  cbor_put_array(&body, 2);
  cbor_put_uint(&body, (uint64_t)level);
  cbor_put_text(&body, text, len);
  deferred_task_put_message(&message, WIRE_LOG, 0, body.data, body.len);
  if (body.status == CBOR_OK && message.status == CBOR_OK)
    deferred_tell(isolated->task, message.data, message.len);
  cbor_out_free(&body);
  cbor_out_free(&message);
}

/* As the function's own: the report has the text of what nobody caught. */
static void fail_by_error(task *task, const run_report *report) {
  const char *name = report->error.name ? report->error.name : "Error";
  const char *message = report->error.message ? report->error.message : "";
  cbor_out out;
  cbor_out_init(&out, task->common->allocator, WIRE_MESSAGE_MAX);
  cbor_put_tag(&out, CBOR_TAG_OBJECT);
  cbor_put_array(&out, 2);
  cbor_put_cstring(&out, name);
  cbor_put_map(&out, report->error.stack ? 2 : 1);
  cbor_put_cstring(&out, "message");
  cbor_put_cstring(&out, message);
  if (report->error.stack) {
    cbor_put_cstring(&out, "stack");
    cbor_put_cstring(&out, report->error.stack);
  }
  if (out.status == CBOR_OK)
    deferred_task_settle(task, TASK_THROWN, out.data, out.len);
  else
    deferred_task_fail(task, "Error", NULL, message);
  cbor_out_free(&out);
}

static void fail_by_report(task *task, const run_report *report) {
  char message[200];
  switch (report->error.kind) {
  case RUN_KIND_CPU:
  case RUN_KIND_TIMEOUT:
    deferred_task_fail_by_time(task);
    break;
  case RUN_KIND_MEMORY:
    deferred_task_fail_by_memory(task, report->memory_limit);
    break;
  case RUN_KIND_STACK:
    snprintf(message, sizeof message, "Deferred: %.180s",
             report->error.message ? report->error.message : "the stack was used up");
    deferred_task_fail(task, "RangeError", "MEMORY", message);
    break;
  case RUN_KIND_DEADLOCK:
    deferred_task_fail_by_deadlock(task);
    break;
  case RUN_KIND_CANCELLED:
    deferred_task_fail(task, "AbortError", "CANCELLED", "Deferred: the function was stopped");
    break;
  default:
    fail_by_error(task, report);
    break;
  }
}

static void on_done(run *run, const run_report *report, void *user) {
  isolated *isolated = user;
  task *task = isolated->task;
  (void)run;
  isolated->finished = true;
  if (report->outcome == RUN_VALUE) {
    deferred_task_fail(task, "Error", NULL, "Deferred: the function gave no result");
    return;
  }
  if (task->state == TASK_VALUE)
    deferred_task_reopen(task); /* what comes after it is the function's too */
  fail_by_report(task, report);
}

static run *open_run(isolated *isolated, const task *task) {
  const host_kind kinds[KINDS] = {
      {.name = "vow.take", .start = take, .user = isolated},
      {.name = "vow.give", .arguments = 1, .start = give, .user = isolated},
      {.name = "vow.fail", .arguments = 1, .start = fail, .user = isolated},
      {.name = "vow.progress", .arguments = 1, .start = progress, .user = isolated},
  };
  run_options options = {.name = "deferred",
                         .source = bootstrap,
                         .source_len = sizeof bootstrap - 1,
                         .kinds = kinds,
                         .kinds_count = KINDS,
                         .limits = run_limits_default,
                         .on_log = on_log,
                         .on_done = on_done,
                         .user = isolated};
  if (task->run_ns)
    options.limits.cpu_ms = options.limits.wall_ms = task->run_ns / NS_PER_MS + 1;
  else
    options.limits.cpu_ms = options.limits.wall_ms = NO_LIMIT;
  options.limits.op_timeout_ms = options.limits.log_bytes = NO_LIMIT;
  options.limits.operations_max = options.limits.concurrent_max = 0;
  if (task->memory_bytes)
    options.limits.memory_bytes =
        task->memory_bytes > RUN_MEMORY_MIN ? task->memory_bytes : RUN_MEMORY_MIN;
  return run_open(isolated->shard, &options);
}

static void deliver_stop(loop_message *message) {
  isolated *isolated = (struct isolated *)((char *)message - offsetof(struct isolated, stop));
  isolated->stop_delivered = true;
  if (isolated->run && !isolated->finished)
    run_cancel(isolated->run);
}

void isolated_stop(isolated *isolated) {
  isolated->stop_posted = true;
  isolated->stop.deliver = deliver_stop;
  loop_post(shard_loop(isolated->shard), &isolated->stop);
}

void isolated_run(isolated *isolated, task *task) {
  isolated->task = task;
  isolated->finished = false;
  isolated->run = open_run(isolated, task);
  if (!isolated->run)
    deferred_task_fail(task, "RangeError", "OUT_OF_MEMORY", "Deferred: no memory for a sandbox");
  while (isolated->run && !isolated->finished)
    shard_turn(isolated->shard);
  if (isolated->run)
    run_dispose(isolated->run);
  isolated->run = NULL;
}

void isolated_end(isolated *isolated) {
  while (isolated->stop_posted && !isolated->stop_delivered)
    shard_turn(isolated->shard);
  isolated->stop_posted = isolated->stop_delivered = false;
  isolated->task = NULL;
}

/* ---- life ---- */

isolated *isolated_open(const common *common, char *message, size_t message_size) {
  const shard_options options = {.allocator = common->allocator, .engine = ENGINE_WASM};
  isolated *isolated = mem_new(common->allocator, 1, sizeof *isolated);
  if (!isolated) {
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  isolated->common = common;
  isolated->shard = shard_open(&options, message, message_size);
  if (isolated->shard)
    return isolated;
  mem_free(common->allocator, isolated);
  return NULL;
}

void isolated_close(isolated *isolated) {
  if (!isolated)
    return;
  shard_close(isolated->shard);
  mem_free(isolated->common->allocator, isolated);
}
