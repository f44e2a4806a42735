/* Runs as a program sees them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vow/vow_int.h"

_Static_assert((int)VOW_CANCELLED == (int)RUN_CANCELLED && (int)VOW_LIMIT == (int)RUN_LIMIT &&
                   (int)VOW_ERROR == (int)RUN_ERROR && (int)VOW_VALUE == (int)RUN_VALUE,
               "outcomes are converted by number");
_Static_assert((int)VOW_PENDING == (int)OP_PENDING && (int)VOW_RUNNING == (int)OP_RUNNING &&
                   (int)VOW_FULFILLED == (int)OP_FULFILLED &&
                   (int)VOW_REJECTED == (int)OP_REJECTED &&
                   (int)VOW_TIMED_OUT == (int)OP_TIMED_OUT &&
                   (int)VOW_OP_CANCELLED == (int)OP_CANCELLED,
               "so are states");
_Static_assert((int)VOW_EVENT_CREATED == (int)RUN_EVENT_CREATED &&
                   (int)VOW_EVENT_SETTLED == (int)RUN_EVENT_SETTLED &&
                   (int)VOW_EVENT_LATE == (int)RUN_EVENT_LATE,
               "and events");

/* ---- lifetime ---- */

void lib_run_hold(vow_run *run) {
  atomic_fetch_add(&run->holders, 1);
}

void lib_run_drop(vow_run *run) {
  if (atomic_fetch_sub(&run->holders, 1) != 1)
    return;
  lib_gate *gate = run->gate;
  mem_free(gate->allocator, run->tenant);
  mem_free(gate->allocator, run);
  lib_gate_drop(gate);
}

static void link_run(vow_runtime *runtime, vow_run *run) {
  run->next = runtime->runs;
  if (run->next)
    run->next->previous = run;
  runtime->runs = run;
  run->number = ++runtime->runs_begun;
  runtime->runs_live++;
}

static void unlink_run(vow_run *run) {
  if (run->previous)
    run->previous->next = run->next;
  else
    run->runtime->runs = run->next;
  if (run->next)
    run->next->previous = run->previous;
}

/* ---- nesting ---- */

static void nest(vow_run *run, vow_op *op) {
  vow_run *parent = op->run;
  run->parent = parent;
  run->parent_op = op;
  lib_run_hold(parent);
  lib_op_hold(op);
  run->next_child = parent->children;
  if (run->next_child)
    run->next_child->previous_child = run;
  parent->children = run;
}

static void unnest(vow_run *run) {
  if (!run->parent)
    return;
  if (run->previous_child)
    run->previous_child->next_child = run->next_child;
  else
    run->parent->children = run->next_child;
  if (run->next_child)
    run->next_child->previous_child = run->previous_child;
  lib_run_drop(run->parent);
  lib_op_drop(run->parent_op);
  run->parent = NULL;
  run->parent_op = NULL;
}

static vow_run *find_nested(vow_run *run, const vow_op *op) {
  vow_run *child = run->children;
  while (child && op && child->parent_op != op)
    child = child->next_child;
  return child;
}

/* Each one's end takes it out of the list, and may do anything to the others. */
void lib_run_end_nested(vow_run *run, const vow_op *op) {
  vow_run *child;
  lib_run_hold(run);
  while ((child = find_nested(run, op)))
    run_cancel(child->run);
  lib_run_drop(run);
}

static void note_finished(vow_run *run, run_outcome outcome) {
  atomic_store(&run->finished, true);
  run->runtime->runs_live--;
  run->runtime->outcomes[outcome]++;
  unnest(run);
  lib_run_end_nested(run, NULL);
}

void lib_run_dispose(vow_run *run) {
  vow_runtime *runtime = run->runtime;
  lib_run_hold(run);
  runtime->depth++;
  run->dispose_asked = true; /* nobody is told, but the record */
  atomic_store(&run->disposed, true);
  run_cancel(run->run);
  unlink_run(run);
  run_dispose(run->run);
  runtime->depth--;
  lib_script_release(run->script);
  mem_free(run->gate->allocator, run->json);
  mem_free(run->gate->allocator, run->leaks);
  mem_free(run->gate->allocator, run->pending);
  run->run = NULL;
  run->runtime = NULL;
  lib_run_drop(run); /* the caller's */
  lib_run_drop(run);
}

/* ---- after the turn ---- */

static void do_asked(loop_message *message) {
  vow_run *run = (vow_run *)message;
  run->posted = false;
  if (!atomic_load(&run->disposed)) {
    if (run->dispose_asked)
      lib_run_dispose(run);
    else if (run->cancel_asked && vow_run_alive(run))
      run_cancel(run->run);
  }
  lib_run_drop(run);
}

static void ask(vow_run *run) {
  if (run->posted)
    return;
  run->posted = true;
  run->message.deliver = do_asked;
  lib_run_hold(run);
  loop_post(shard_loop(run->runtime->shard), &run->message);
}

/* ---- what the sandbox tells ---- */

static void on_log(void *user, int level, const char *text, size_t len) {
  vow_run *run = user;
  if (!run->on_log || run->dispose_asked)
    return;
  run->runtime->guarded++;
  run->on_log(run, level, text, len, run->user);
  run->runtime->guarded--;
}

static void on_event(void *user, const run_event *event) {
  vow_run *run = user;
  const vow_event told = {.size = sizeof told,
                          .kind = (vow_event_kind)event->kind,
                          .state = (vow_state)event->state,
                          .number = event->number,
                          .name = event->name,
                          .at_ns = event->at_ns,
                          .age_ns = event->age_ns,
                          .detail = event->detail,
                          .error = event->error,
                          .attempt = event->attempt};
  vow_runtime *runtime = run->runtime;
  recorder_event(&runtime->recorder, &run->audit, event);
  if (!run->on_event || run->dispose_asked)
    return;
  runtime->guarded++;
  run->on_event(run, &told, run->user);
  runtime->guarded--;
}

/* The run may be disposed. */
static void on_late(void *user, const run_event *event) {
  const vow_run *run = user;
  recorder_event(run->recorder, &run->audit, event);
}

static void hold_late(void *user) {
  lib_run_hold(user);
}

static void release_late(void *user) {
  lib_run_drop(user);
}

static const run_late late = {on_late, hold_late, release_late};

static vow_pending pending_of(const op_info *info, const char *detail) {
  return (vow_pending){.number = info->tag & ~WIRE_TIMER_BIT,
                       .name = info->name,
                       .state = (vow_state)info->state,
                       .age_ns = info->age_ns,
                       .detail = detail};
}

/* Without memory for the list it is left out. */
static void list_pending(vow_run *run, const run_report *from) {
  run->pending = mem_new(run->gate->allocator, from->pending_count, sizeof *run->pending);
  if (!run->pending)
    return;
  for (size_t i = 0; i < from->pending_count; i++)
    run->pending[i] =
        pending_of(&from->pending[i], from->pending_details ? from->pending_details[i] : NULL);
  run->report.pending = run->pending;
  run->report.pending_count = from->pending_count;
}

static void list_leaks(vow_run *run, const run_report *from) {
  run->leaks = mem_new(run->gate->allocator, from->leaks_count, sizeof *run->leaks);
  if (!run->leaks)
    return;
  for (size_t i = 0; i < from->leaks_count; i++)
    run->leaks[i] = (vow_leak){.kind = from->leaks[i].timer ? VOW_LEAK_TIMER : VOW_LEAK_OPERATION,
                               .number = from->leaks[i].number,
                               .name = from->leaks[i].name,
                               .age_ns = from->leaks[i].age_ns,
                               .site = from->leaks[i].site,
                               .host_site = from->leaks[i].host_site};
  run->report.leaks = run->leaks;
  run->report.leaks_count = from->leaks_count;
}

/* Later lines are other runs'. */
static void note_audit(vow_run *run) {
  run_report_audit audit;
  if (!recorder_chain(&run->runtime->recorder, &audit))
    return;
  memcpy(run->audit_last, audit.last, sizeof run->audit_last);
  run->report.audit_lines = audit.lines;
  run->report.audit_last = run->audit_last;
  run->report.audit_dropped = audit.dropped;
}

static void fill_report(vow_run *run, const run_report *from) {
  run->source = from;
  run->report =
      (vow_report){.size = sizeof run->report,
                   .outcome = (vow_outcome)from->outcome,
                   .value = from->value,
                   .kind = from->outcome == RUN_VALUE ? NULL : run_kind_text(from->error.kind),
                   .error_name = from->error.name,
                   .error_message = from->error.message,
                   .error_stack = from->error.stack,
                   .error_operation = from->error.operation_id,
                   .error_operation_name = from->error.operation_name,
                   .error_operation_attempts = from->error.operation_attempts,
                   .created = from->operations.created,
                   .fulfilled = from->operations.fulfilled,
                   .rejected = from->operations.rejected,
                   .timed_out = from->operations.timed_out,
                   .cancelled = from->operations.cancelled,
                   .late = from->operations.late,
                   .retries = from->operations.retries,
                   .cache_hits = from->operations.cache_hits,
                   .batched = from->operations.batched,
                   .concurrent_max = from->operations.running_max,
                   .wall_ns = from->wall_ns,
                   .guest_ns = from->guest_ns,
                   .host_wait_ns = from->host_wait_ns,
                   .ready_ns = from->ready_ns,
                   .memory_peak_bytes = from->memory_peak,
                   .memory_limit_bytes = from->memory_limit};
  if (from->pending_count)
    list_pending(run, from);
  if (from->leaks_count)
    list_leaks(run, from);
  note_audit(run);
}

static void on_done(struct run *inner, const run_report *report, void *user) {
  (void)inner;
  vow_run *run = user;
  vow_runtime *runtime = run->runtime;
  lib_run_hold(run);
  runtime->depth++;
  recorder_ended(&runtime->recorder, &run->audit, report);
  if (!atomic_load(&run->disposed))
    fill_report(run, report);
  note_finished(run, report->outcome);
  if (run->on_done && !run->dispose_asked)
    run->on_done(run, &run->report, run->user);
  runtime->depth--;
  if (run->by_itself && !atomic_load(&run->disposed))
    lib_run_dispose(run);
  lib_run_drop(run);
}

/* ---- beginning ---- */

static vow_run *new_run(vow_runtime *runtime, const vow_request *request,
                        vow_done_callback *callback, void *user) {
  vow_run *run = mem_new(runtime->allocator, 1, sizeof *run);
  if (!run)
    return NULL;
  atomic_init(&run->holders, 1);
  atomic_init(&run->finished, false);
  atomic_init(&run->disposed, false);
  run->gate = runtime->gate;
  lib_gate_hold(run->gate);
  run->runtime = runtime;
  run->recorder = &runtime->recorder;
  run->script = (vow_script *)(uintptr_t)request->script;
  run->on_done = callback;
  run->on_log = request->on_log;
  run->on_event = request->on_event;
  run->on_progress = request->on_progress;
  run->user = user;
  run->tenant = request->tenant
                    ? mem_text(runtime->allocator, request->tenant, strlen(request->tenant))
                    : NULL;
  if (!request->tenant || run->tenant)
    return run;
  lib_run_drop(run);
  return NULL;
}

/* Its lines name the operation it is nested in by that one's run. */
static void begin_record(vow_run *run, const vow_op *parent) {
  recorder *recorder = &run->runtime->recorder;
  if (parent && parent->run && recorder->file)
    snprintf(run->parent_name, sizeof run->parent_name, "%s/%" PRIu64, parent->run->audit.run,
             parent->number);
  recorder_run(recorder, &run->audit, run->tenant, run->parent_name[0] ? run->parent_name : NULL);
}

static vow_status begin(vow_runtime *runtime, const vow_request *request, lib_request *read,
                        vow_run *run) {
  read->options.on_log = on_log;
  read->options.on_event =
      request->on_event || recorder_is_on(&runtime->recorder) ? on_event : NULL;
  read->options.late = runtime->recorder.file ? &late : NULL;
  read->options.on_done = on_done;
  read->options.user = run;
  run->run = run_open(runtime->shard, &read->options);
  if (!run->run)
    return lib_fail(runtime, VOW_E_NOMEM, "no memory or address space for a sandbox");
  run->debug = read->options.debug;
  run->begun_ns = loop_now();
  if (run->script)
    lib_script_hold(run->script);
  link_run(runtime, run);
  if (request->parent)
    nest(run, request->parent);
  begin_record(run, request->parent);
  return VOW_OK;
}

vow_status vow_eval(vow_runtime *runtime, const vow_request *given, vow_done_callback *callback,
                    void *user, vow_run **begun) {
  vow_request request;
  lib_request read;
  if (begun)
    *begun = NULL;
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (runtime->guarded > 0 || runtime->closing)
    return VOW_E_STATE;
  runtime->message[0] = 0;
  if (runtime->runs_max && runtime->runs_live >= runtime->runs_max)
    return lib_fail(runtime, VOW_E_FULL, "%u runs have not finished", runtime->runs_max);
  vow_status status = lib_request_read(runtime, given, &request, &read);
  vow_run *run = status == VOW_OK ? new_run(runtime, &request, callback, user) : NULL;
  if (status == VOW_OK)
    status = run ? begin(runtime, &request, &read, run) : VOW_E_NOMEM;
  mem_free(runtime->allocator, read.kinds);
  if (status != VOW_OK) {
    if (run)
      lib_run_drop(run);
    return status;
  }
  run->begun_at = (uintptr_t)__builtin_return_address(0);
  run->by_itself = !begun;
  if (begun)
    *begun = run;
  return VOW_OK;
}

/* ---- what a program does with it ---- */

/* VOW_OK: it may be used. On another thread nothing else is looked at: there it may
 * be disposed at any moment. */
static vow_status usable(const vow_run *run) {
  if (!lib_gate_is_here(run->gate))
    return VOW_E_THREAD;
  return atomic_load(&run->disposed) ? VOW_E_STATE : VOW_OK;
}

vow_status vow_run_cancel(vow_run *run) {
  vow_status status = usable(run);
  if (status != VOW_OK || !vow_run_alive(run))
    return status == VOW_E_THREAD ? status : VOW_OK;
  vow_runtime *runtime = run->runtime;
  if (runtime->guarded > 0) {
    run->cancel_asked = true;
    ask(run);
    return VOW_OK;
  }
  runtime->depth++;
  run_cancel(run->run);
  runtime->depth--;
  return VOW_OK;
}

vow_status vow_run_set_wall(vow_run *run, uint64_t wall_ms) {
  vow_status status = usable(run);
  if (status != VOW_OK)
    return status;
  if (!vow_run_alive(run) || run->runtime->guarded > 0)
    return VOW_E_STATE;
  if (wall_ms == 0)
    return VOW_E_INVALID;
  run_set_wall(run->run, wall_ms);
  return VOW_OK;
}

vow_status vow_run_dispose(vow_run *run) {
  if (!run)
    return VOW_OK;
  vow_status status = usable(run);
  if (status != VOW_OK)
    return status;
  if (run->runtime->guarded == 0) {
    lib_run_dispose(run);
    return VOW_OK;
  }
  run->dispose_asked = true;
  ask(run);
  return VOW_OK;
}

bool vow_run_alive(const vow_run *run) {
  return !atomic_load(&run->finished);
}

void *vow_run_user(const vow_run *run) {
  return run->user;
}

size_t vow_run_pending(const vow_run *run, vow_pending *list, size_t max) {
  if (usable(run) != VOW_OK)
    return 0;
  size_t count = run_pending(run->run, NULL, 0);
  size_t wanted = count < max ? count : max;
  if (wanted == 0)
    return count;
  op_info *infos = mem_new(run->gate->allocator, wanted, sizeof *infos);
  if (!infos)
    return 0;
  run_pending(run->run, infos, wanted);
  for (size_t i = 0; i < wanted; i++)
    list[i] = pending_of(&infos[i], run_pending_detail(run->run, &infos[i]));
  mem_free(run->gate->allocator, infos);
  return count;
}

const vow_report *vow_run_report(const vow_run *run) {
  return usable(run) == VOW_OK && run->source ? &run->report : NULL;
}

vow_status vow_run_report_json(vow_run *run, const char **json) {
  *json = NULL;
  vow_status status = usable(run);
  if (status != VOW_OK)
    return status;
  if (!run->source)
    return VOW_E_STATE;
  const run_report_audit audit = {.lines = run->report.audit_lines,
                                  .last = run->report.audit_last,
                                  .dropped = run->report.audit_dropped};
  if (!run->json)
    run->json =
        run_report_json(run->source, run->report.audit_last ? &audit : NULL, run->gate->allocator);
  *json = run->json;
  return run->json ? VOW_OK : VOW_E_NOMEM;
}
