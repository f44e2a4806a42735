/* Runs that the host asked for: from `eval` to its answer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"
#include "guest/wire.h"
#include "host/session_int.h"

#define DAY_MS 86400000u
#define NAME_MAX_BYTES 200u
#define CONTEXT_BYTES_MAX (16u << 20)
#define NO_SANDBOX "no memory or address space for a sandbox"
/* Bytes of the requests that wait, all together. */
#define WAITING_MESSAGES 4u

typedef struct eval_fields {
  field_text source, name;
  field_value context, allow;
  bool module, debug, progress;
  field_text tenant;
  field_value parent;
  uint64_t cpu_ms, wall_ms, op_timeout_ms, memory_mib, stack_kib, result_kib, log_kib, max_ops,
      max_concurrent, max_queued;
} eval_fields;

#define NUMBER(field, min, max)                                                                    \
  { #field, FIELD_NUMBER, false, offsetof(eval_fields, field), min, max }

/* The limits are those of `vow eval`, by their names there. */
static const field_spec specs[] = {
    {"source", FIELD_TEXT, true, offsetof(eval_fields, source), 0, 0},
    {"name", FIELD_TEXT, false, offsetof(eval_fields, name), 0, 0},
    {"module", FIELD_BOOL, false, offsetof(eval_fields, module), 0, 0},
    {"context", FIELD_VALUE, false, offsetof(eval_fields, context), 0, 0},
    {"allow", FIELD_VALUE, false, offsetof(eval_fields, allow), 0, 0},
    {"debug", FIELD_BOOL, false, offsetof(eval_fields, debug), 0, 0},
    {"progress", FIELD_BOOL, false, offsetof(eval_fields, progress), 0, 0},
    {"tenant", FIELD_TEXT, false, offsetof(eval_fields, tenant), 0, 0},
    {"parent", FIELD_VALUE, false, offsetof(eval_fields, parent), 0, 0},
    NUMBER(cpu_ms, 1, DAY_MS),
    NUMBER(wall_ms, 1, DAY_MS),
    NUMBER(op_timeout_ms, 1, DAY_MS),
    NUMBER(memory_mib, RUN_MEMORY_MIN >> 20, 2048),
    NUMBER(stack_kib, 32, 512),
    NUMBER(result_kib, 1, 65536),
    NUMBER(log_kib, 0, 32768),
    NUMBER(max_ops, 1, 1000000),
    NUMBER(max_concurrent, 1, 65536),
    NUMBER(max_queued, 1, 1000000),
};

static const run_limit_names limit_names = {"cpu_ms",     "wall_ms", "memory_mib",
                                            "result_kib", "log_kib", "max_ops"};

/* ---- lists ---- */

static void link_run(run_list *list, session_run *run) {
  run->next = NULL;
  run->previous = list->last;
  if (list->last)
    list->last->next = run;
  else
    list->first = run;
  list->last = run;
  list->count++;
}

static void unlink_run(run_list *list, session_run *run) {
  if (run->previous)
    run->previous->next = run->next;
  else
    list->first = run->next;
  if (run->next)
    run->next->previous = run->previous;
  else
    list->last = run->previous;
  list->count--;
}

static session_run *find_in(const run_list *list, const rpc_id *id) {
  session_run *run = list->first;
  while (run && !rpc_id_same(&run->id, id))
    run = run->next;
  return run;
}

static session_run *find_run(const session *session, const rpc_id *id) {
  session_run *run = find_in(&session->live, id);
  return run ? run : find_in(&session->waiting, id);
}

static void hold_run(void *user) {
  ((session_run *)user)->holders++;
}

static void drop_run(void *user) {
  session_run *run = user;
  const vow_allocator *allocator = run->session->options.allocator;
  if (--run->holders > 0)
    return;
  mem_free(allocator, run->tenant);
  mem_free(allocator, run->parameters);
  mem_free(allocator, run);
}

static void free_run(session_run *run) {
  run->session->nested -= run->parent != NULL;
  drop_run(run);
}

/* ---- what comes of a run ---- */

static void answer_report(session_run *run, const run_report *report) {
  session *session = run->session;
  run_report_audit audit;
  bool audited = recorder_chain(session->options.recorder, &audit);
  char *json = run_report_json(report, audited ? &audit : NULL, session->options.allocator);
  if (!json) {
    session_answer_error(session, run->batch, &run->id, RPC_INTERNAL_ERROR,
                         "out of memory for the report");
    return;
  }
  rpc_put(session_answer_begin(session, run->batch, &run->id), json);
  session_answer_end(session, run->batch);
  mem_free(session->options.allocator, json);
}

static void on_done(run *sandbox, const run_report *report, void *user) {
  session_run *run = user;
  unlink_run(&run->session->live, run);
  recorder_ended(run->session->options.recorder, &run->audit, report);
  runs_end_nested(run->session, run, 0);
  answer_report(run, report);
  run_dispose(sandbox);
  free_run(run);
}

static void on_event(void *user, const run_event *event) {
  session_run *run = user;
  recorder_event(run->session->options.recorder, &run->audit, event);
  if (run->progress)
    progress_event(run, event);
}

static void on_late(void *user, const run_event *event) {
  const session_run *run = user;
  recorder_event(run->session->options.recorder, &run->audit, event);
}

static const run_late late = {on_late, hold_run, drop_run};

static void on_log(void *user, int level, const char *text, size_t len) {
  static const char *const levels[] = {"debug", "log", "warn", "error"};
  const session_run *run = user;
  session *session = run->session;
  size_t start = session->out.len;
  if (session->backlog + start > SESSION_BACKLOG_MAX) {
    session->logs_dropped++;
    return;
  }
  rpc_put_notification_head(&session->out, "log");
  rpc_put(&session->out, "{\"run\":");
  cbor_put_raw(&session->out, run->id.text, run->id.len);
  rpc_put(&session->out, ",\"level\":");
  rpc_put_string(&session->out, levels[level >= 0 && level < 4 ? level : 1]);
  rpc_put(&session->out, ",\"text\":");
  json_put_string(&session->out, text, len);
  rpc_put(&session->out, "}}");
  if (!session_message_end(session, start))
    session->logs_dropped++;
}

/* One that never began. */
static void answer_cancelled(session_run *run) {
  const run_report report = {
      .outcome = RUN_CANCELLED,
      .error = {.kind = RUN_KIND_CANCELLED, .message = "the run was cancelled before it began"}};
  answer_report(run, &report);
}

/* ---- opening ---- */

static eval_fields defaults(void) {
  const run_limits *limits = &run_limits_default;
  return (eval_fields){.name = {"<eval>", strlen("<eval>")},
                       .cpu_ms = limits->cpu_ms,
                       .wall_ms = limits->wall_ms,
                       .op_timeout_ms = limits->op_timeout_ms,
                       .memory_mib = limits->memory_bytes >> 20,
                       .stack_kib = limits->stack_bytes >> 10,
                       .result_kib = limits->result_bytes >> 10,
                       .log_kib = limits->log_bytes >> 10,
                       .max_ops = limits->operations_max,
                       .max_concurrent = limits->concurrent_max,
                       .max_queued = limits->queue_max};
}

static run_limits limits_of(const eval_fields *fields) {
  return (run_limits){.cpu_ms = fields->cpu_ms,
                      .wall_ms = fields->wall_ms,
                      .op_timeout_ms = fields->op_timeout_ms,
                      .memory_bytes = fields->memory_mib << 20,
                      .stack_bytes = fields->stack_kib << 10,
                      .result_bytes = fields->result_kib << 10,
                      .log_bytes = fields->log_kib << 10,
                      .operations_max = fields->max_ops,
                      .retries_max = run_limits_default.retries_max,
                      .concurrent_max = (uint32_t)fields->max_concurrent,
                      .queue_max = (uint32_t)fields->max_queued};
}

static bool read_fields(cbor_in params, eval_fields *fields, char *message, size_t size) {
  *fields = defaults();
  if (!fields_read(specs, sizeof specs / sizeof *specs, params, "eval", fields, message, size))
    return false;
  if (fields->name.len == 0 || fields->name.len > NAME_MAX_BYTES ||
      memchr(fields->name.text, 0, fields->name.len)) {
    snprintf(message, size, "eval: name must have 1 to %u bytes, none of them zero",
             NAME_MAX_BYTES);
    return false;
  }
  return true;
}

/* The context as JSON text, zero-terminated; empty when there is none. */
static bool put_context(const eval_fields *fields, cbor_out *json) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  cbor_in end = fields->context.in;
  if (!fields->context.given)
    return true;
  if (cbor_skip(&end) != CBOR_OK ||
      json_from_cbor(fields->context.in.at, (size_t)(end.at - fields->context.in.at), &limits,
                     json) != CBOR_OK)
    return false;
  cbor_put_raw(json, "", 1);
  return json->status == CBOR_OK;
}

/* A little more time than the call it is nested in: that one's limit ends both. */
static void inherit(const session_run *run, run_options *options) {
  if (!run->parent)
    return;
  if (run->parent_ms < options->limits.wall_ms)
    options->limits.wall_ms = run->parent_ms + 1;
  options->priority = run->parent_priority;
}

static run *open_sandbox(session_run *run, const eval_fields *fields, const grant *grant) {
  session *session = run->session;
  char name[NAME_MAX_BYTES + 1];
  cbor_out context;
  struct run *opened = NULL;
  memcpy(name, fields->name.text, fields->name.len);
  name[fields->name.len] = 0;
  size_t len = fields->name.len;
  cbor_out_init(&context, session->options.allocator, CONTEXT_BYTES_MAX);
  run_options options = {.name = name,
                         .source = fields->source.text,
                         .source_len = fields->source.len,
                         .module =
                             fields->module || (len > 4 && strcmp(name + len - 4, ".mjs") == 0),
                         .kinds = grant->kinds,
                         .kinds_count = grant->count,
                         .limits = limits_of(fields),
                         .limit_names = &limit_names,
                         .on_log = on_log,
                         .on_event = on_event,
                         .late = &late,
                         .debug = fields->debug,
                         .on_done = on_done,
                         .user = run};
  inherit(run, &options);
  if (put_context(fields, &context)) {
    options.context = fields->context.given ? (const char *)context.data : NULL;
    opened = run_open(session->options.shard, &options);
  }
  cbor_out_free(&context);
  return opened;
}

/* Opens the run, which is in no list; else it is answered and gone. */
static void open_run(session_run *run, const eval_fields *fields, grant *grant) {
  session *session = run->session;
  link_run(&session->live, run);
  run->run = open_sandbox(run, fields, grant);
  operations_grant_end(session, grant);
  if (run->run) {
    recorder_run(session->options.recorder, &run->audit, run->tenant,
                 run->parent_name[0] ? run->parent_name : NULL);
    return;
  }
  unlink_run(&session->live, run);
  session_answer_error(session, run->batch, &run->id, RPC_NO_RESOURCES, NO_SANDBOX);
  free_run(run);
}

/* ---- waiting ---- */

/* A host that does not read gets no more reports than those of the runs that go on. */
static bool is_heard(const session *session) {
  return session->backlog + session->out.len <= SESSION_BACKLOG_MAX;
}

static bool may_open(const session *session) {
  return session->live.count < (uint64_t)session->options.runs_max + session->nested &&
         is_heard(session);
}

/* `run` is counted already. It has a place that is not the others', and never waits
 * for one: all of theirs may be taken by runs that wait for what it comes to. */
static bool may_open_nested(const session_run *run) {
  return run->session->nested <= run->session->options.runs_max && is_heard(run->session);
}

static bool may_wait(const session *session, size_t len) {
  size_t max = session->options.message_max * WAITING_MESSAGES;
  return session->waiting.count < WAITING_MAX && session->waiting_bytes <= max &&
         len <= max - session->waiting_bytes;
}

/* The request is kept as it is, to be read again. */
static bool let_wait(session_run *run, cbor_in params) {
  session *session = run->session;
  cbor_in end = params;
  cbor_skip(&end);
  size_t len = (size_t)(end.at - params.at);
  if (!may_wait(session, len))
    return false;
  run->parameters = mem_resize(session->options.allocator, NULL, len, 1);
  if (!run->parameters)
    return false;
  memcpy(run->parameters, params.at, len);
  run->parameters_len = len;
  session->waiting_bytes += len;
  link_run(&session->waiting, run);
  return true;
}

static void stop_waiting(session_run *run) {
  unlink_run(&run->session->waiting, run);
  run->session->waiting_bytes -= run->parameters_len;
}

void runs_open_waiting(session *session) {
  while (session->waiting.first && may_open(session)) {
    session_run *run = session->waiting.first;
    eval_fields fields;
    grant grant;
    char message[MESSAGE_TEXT];
    cbor_in params;
    stop_waiting(run);
    cbor_in_init(&params, run->parameters, run->parameters_len);
    if (read_fields(params, &fields, message, sizeof message) &&
        operations_grant(session, run->known, fields.allow, &grant, message, sizeof message)) {
      open_run(run, &fields, &grant);
    } else {
      session_answer_error(session, run->batch, &run->id, RPC_INVALID_PARAMS, message);
      free_run(run);
    }
  }
}

/* ---- requests ---- */

static void refuse(session *session, batch *batch, const rpc_id *id, int code,
                   const char *message) {
  session_answer_error(session, batch, id, code, message);
}

/* Whose it is, and what it is nested in. */
static bool place_run(session_run *run, const eval_fields *fields, char *message, size_t size) {
  session *session = run->session;
  rpc_id id;
  if (fields->tenant.text && !(run->tenant = mem_text(session->options.allocator,
                                                      fields->tenant.text, fields->tenant.len))) {
    snprintf(message, size, "eval: out of memory");
    return false;
  }
  if (!fields->parent.given || field_is_null(fields->parent.in))
    return true;
  host_call *call =
      rpc_id_read(fields->parent.in, &id) ? calls_find(session, &id, &run->parent_call) : NULL;
  session_run *parent = call ? host_call_run_user(call) : NULL;
  if (!parent || host_call_remaining_ms(call) == 0) {
    snprintf(message, size, "eval: parent must be the id of a call that a script waits for");
    return false;
  }
  run->parent = parent;
  run->parent_ms = host_call_remaining_ms(call);
  run->parent_priority = host_call_priority(call);
  session->nested++;
  if (parent->audit.run[0])
    snprintf(run->parent_name, sizeof run->parent_name, "%s/%" PRIu64, parent->audit.run,
             host_call_number(call));
  return true;
}

void runs_eval(session *session, batch *batch, const rpc_id *id, cbor_in params) {
  char message[MESSAGE_TEXT];
  eval_fields fields;
  grant grant;
  if (find_run(session, id)) {
    refuse(session, batch, id, RPC_INVALID_REQUEST, "eval: a run with this id is going on");
    return;
  }
  if (!read_fields(params, &fields, message, sizeof message) ||
      !operations_grant(session, session->registry.count, fields.allow, &grant, message,
                        sizeof message)) {
    refuse(session, batch, id, RPC_INVALID_PARAMS, message);
    return;
  }
  session_run *run = mem_new(session->options.allocator, 1, sizeof *run);
  if (!run) {
    operations_grant_end(session, &grant);
    refuse(session, batch, id, RPC_NO_RESOURCES, NO_SANDBOX);
    return;
  }
  *run = (session_run){.holders = 1,
                       .session = session,
                       .id = *id,
                       .batch = batch,
                       .known = session->registry.count,
                       .progress = fields.progress};
  if (!place_run(run, &fields, message, sizeof message)) {
    operations_grant_end(session, &grant);
    refuse(session, batch, id, RPC_INVALID_PARAMS, message);
    free_run(run);
    return;
  }
  if (run->parent ? may_open_nested(run) : may_open(session) && !session->waiting.first) {
    open_run(run, &fields, &grant);
    return;
  }
  operations_grant_end(session, &grant);
  if (!run->parent && let_wait(run, params))
    return;
  refuse(session, batch, id, RPC_BUSY,
         run->parent ? "too many nested runs go on already" : "too many runs wait already");
  free_run(run);
}

static void cancel_waiting(session_run *run) {
  stop_waiting(run);
  answer_cancelled(run);
  free_run(run);
}

bool runs_cancel(session *session, const rpc_id *id) {
  session_run *run = find_run(session, id);
  if (run && run->run)
    run_cancel(run->run); /* answers, and frees it */
  else if (run)
    cancel_waiting(run);
  return run != NULL;
}

static session_run *find_nested(const session *session, const session_run *parent, uint64_t id) {
  session_run *run = session->live.first;
  while (run && (run->parent != parent || (id && run->parent_call != id)))
    run = run->next;
  return run;
}

/* Each one's end may be others' end, too. */
void runs_end_nested(session *session, const session_run *parent, uint64_t id) {
  session_run *run;
  while (session->nested > 0 && (run = find_nested(session, parent, id)))
    run_cancel(run->run);
}

void runs_end(session *session) {
  while (session->waiting.first)
    cancel_waiting(session->waiting.first);
  while (session->live.first)
    run_cancel(session->live.first->run);
}
