#include "sandbox/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/run_int.h"

/* For the turn that tells of an unhandled rejection after the wall limit. */
#define FINISH_NS UINT64_C(100000000)

const run_limits run_limits_default = {
    .cpu_ms = 5000,
    .wall_ms = 30000,
    .op_timeout_ms = 10000,
    .memory_bytes = 64u << 20,
    .stack_bytes = 192u << 10,
    .result_bytes = 1u << 20,
    .log_bytes = 256u << 10,
    .operations_max = 10000,
    .concurrent_max = 64,
    .queue_max = 10000,
    .retries_max = 100,
};

uint64_t run_now(void) {
  return loop_now();
}

/* ---- opening ---- */

/* What the guest told of itself in the slice that hit a limit: the limit is why. */
static void forget_failure(run *run) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  mem_free(allocator, run->failure.name);
  mem_free(allocator, run->failure.message);
  mem_free(allocator, run->failure.stack);
  mem_free(allocator, run->failure.shown);
  mem_free(allocator, run->failure.operation_name);
  run->failure = (run_failure){.kind = RUN_KIND_NONE};
}

static void free_texts(const run *run, char **texts) {
  for (size_t i = 0; texts && i < run->report.pending_count; i++)
    mem_free(shard_allocator(run->shard), texts[i]);
  mem_free(shard_allocator(run->shard), texts);
}

static void free_run(run *run) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  run_drop_messages(run);
  run_forget_answer(run);
  forget_failure(run);
  mem_free(allocator, run->value);
  mem_free(allocator, run->stuck);
  free_texts(run, run->pending_details);
  run_free_leaks(run);
  mem_free(allocator, run->pending);
  run_forget_timers(run);
  mem_free(allocator, run->timers);
  run_index_free(run);
  run_kinds_release(allocator, run->kinds);
  mem_free(allocator, run);
}

static uint64_t wall_deadline(const run *run, uint64_t ms) {
  uint64_t ns = run_ns(ms);
  return ns < OP_NEVER - run->opened_ns ? run->opened_ns + ns : OP_NEVER;
}

uint64_t run_wall_deadline(const run *run) {
  return wall_deadline(run, run->options.limits.wall_ms);
}

static void note_memory(run *run) {
  size_t held = engine_memory(run->instance) + run->payload_bytes;
  if (held > run->memory_peak)
    run->memory_peak = held;
}

static bool open_parts(run *run, const run_options *options) {
  op_scope_limits limits = {.operations_max = options->limits.operations_max,
                            .concurrent_max = options->limits.concurrent_max,
                            .queue_max = options->limits.queue_max,
                            .timers_max = options->program ? 0 : RUN_TIMERS_MAX,
                            .retries_max = options->limits.retries_max};
  uint64_t wall = wall_deadline(run, options->limits.wall_ms);
  run->scope = op_scope_open(shard_operations(run->shard), &limits, wall, run, run->opened_ns);
  if (!run->scope)
    return false;
  run->instance = engine_instance_open(shard_engine(run->shard), run_template_loaded(options),
                                       options->limits.memory_bytes, run_drain, run);
  if (!run->instance)
    return false;
  engine_set_stop(run->instance, options->stop);
  run->options = *options;
  if (options->template)
    run_template_apply(options->template, &run->options);
  run->kinds = options->template ? run_kinds_hold(options->template->kinds)
                                 : run_kinds_open(shard_allocator(run->shard), options);
  if (!run->kinds)
    return false;
  run->options.kinds = run->kinds->list;
  run->program = options->program != NULL;
  run->library = options->library ? RUN_LIBRARY_BUSY : RUN_LIBRARY_NONE;
  bool started = (!run->program || run_process_message(run)) &&
                 (!run->library || run_library_message(run)) && run_start_message(run);
  note_memory(run);
  /* They are the caller's, and only the messages needed them. */
  run->options.name = run->options.source = run->options.context = NULL;
  run->options.context_cbor = NULL;
  run->options.program = NULL;
  return started;
}

static void close_parts(run *run, bool reusable, uint64_t now) {
  if (run->scope) {
    run_calls_detach(run, now);
    op_scope_close(run->scope, now);
    op_scope_release(run->scope);
    run->scope = NULL;
  }
  engine_instance *instance = run->instance;
  run->instance = NULL; /* run_interrupt() finds none from here on */
  if (instance)
    engine_instance_close(instance, reusable);
}

run *run_open(shard *shard, const run_options *options) {
  run *run = mem_new(shard_allocator(shard), 1, sizeof *run);
  if (!run)
    return NULL;
  run->shard = shard;
  run->opened_ns = run_now();
  run_index_init(run);
  if (!open_parts(run, options)) {
    shard_forget_run(shard, run);
    close_parts(run, false, run_now());
    free_run(run);
    return NULL;
  }
  loop_set_deadline(shard_loop(shard), op_next_deadline(shard_operations(shard)));
  return run;
}

/* ---- ending ---- */

void run_fail(run *run, run_kind kind, const char *message) {
  if (run->failure.kind != RUN_KIND_NONE)
    return;
  run->failure.kind = kind;
  if (message)
    run->failure.message = mem_text(shard_allocator(run->shard), message, strlen(message));
}

void run_fail_limit(run *run, run_kind kind, const char *format, ...) {
  char message[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  run_fail(run, kind, message);
}

const run_limit_names *run_names(const run *run) {
  static const run_limit_names options = {"--cpu-ms",     "--wall-ms", "--memory-mib",
                                          "--result-kib", "--log-kib", "--max-ops"};
  return run->options.limit_names ? run->options.limit_names : &options;
}

void run_fail_for_memory(run *run) {
  run_fail(run, RUN_KIND_INTERNAL, "the host is out of memory");
}

void run_fail_for_places(run *run) {
  run_fail(run, RUN_KIND_INTERNAL, "the host has no place for one more operation or timer");
}

static bool is_recyclable(const run *run) {
  run_kind kind = run->failure.kind;
  return !run->in_turn &&
         (kind == RUN_KIND_NONE || kind == RUN_KIND_SCRIPT || kind == RUN_KIND_API ||
          kind == RUN_KIND_DENIED || kind == RUN_KIND_DEADLOCK);
}

static void end(run *run) {
  uint64_t now = run_now();
  op_scope_clock(run->scope, OP_CLOCK_STOPPED, now);
  run_make_report(run, now);
  shard_forget_run(run->shard, run);
  run->state = RUN_FINISHED;
  run_drop_messages(run);
  close_parts(run, is_recyclable(run), now);
}

void run_finish(run *run) {
  if (run->state == RUN_FINISHED)
    return;
  end(run);
  if (run->options.on_done && !run->disposed) {
    run->busy++;
    run->options.on_done(run, &run->report, run->options.user);
    run->busy--;
  }
  run_free_if_disposed(run);
}

void run_free_if_disposed(run *run) {
  if (run->disposed && run->busy == 0)
    free_run(run);
}

void run_cancel(run *run) {
  if (run->state == RUN_FINISHED)
    return;
  shard *shard = run->shard;
  run_fail(run, RUN_KIND_CANCELLED, "the run was cancelled");
  run_finish(run);
  shard_dispatch(shard); /* handlers that run are asked to stop */
}

void run_dispose(run *run) {
  shard *shard = run->shard;
  if (run->state != RUN_FINISHED) {
    if (run->library != RUN_LIBRARY_RESTING)
      run_fail(run, RUN_KIND_CANCELLED, NULL);
    end(run);
    shard_dispatch(shard);
  }
  run->disposed = true;
  run_free_if_disposed(run);
}

/* ---- turns ---- */

void run_wake(run *run) {
  if (run->state == RUN_WAITING) {
    run->state = RUN_READY;
    op_scope_clock(run->scope, OP_CLOCK_READY, run_now());
  }
  shard_make_ready(run->shard, run);
}

static void fail_by_fault(run *run) {
  uint64_t now = run_now();
  const atomic_bool *stop = run->options.stop;
  if (run->interrupted || (stop && atomic_load_explicit(stop, memory_order_relaxed))) {
    forget_failure(run);
    run_fail(run, RUN_KIND_CANCELLED, "the run was cancelled");
    return;
  }
  switch (engine_fault_of(run->instance)) {
  case ENGINE_FAULT_MEMORY:
    forget_failure(run);
    run_fail_limit(run, RUN_KIND_MEMORY, "the memory limit (%s) was hit", run_names(run)->memory);
    break;
  case ENGINE_FAULT_HOST_MEMORY:
    forget_failure(run);
    run_fail_for_memory(run);
    break;
  case ENGINE_FAULT_STACK:
    forget_failure(run);
    run_fail(run, RUN_KIND_STACK, "recursion went deeper than the stack");
    break;
  case ENGINE_FAULT_TIME:
    forget_failure(run);
    if (op_scope_time(run->scope, OP_CLOCK_GUEST, now) >= run_ns(run->options.limits.cpu_ms))
      run_fail_limit(run, RUN_KIND_CPU, "the guest's time limit (%s) was hit", run_names(run)->cpu);
    else
      run_fail_limit(run, RUN_KIND_TIMEOUT, "the time limit of the run (%s) was hit",
                     run_names(run)->wall);
    break;
  case ENGINE_FAULT_STOPPED:
  case ENGINE_FAULT_INTERNAL:
  case ENGINE_FAULT_NONE:
    run_fail(run, RUN_KIND_INTERNAL, "the guest stopped working");
    break;
  }
}

static uint64_t guest_time_left(const run *run, uint64_t now) {
  uint64_t limit = run_ns(run->options.limits.cpu_ms);
  uint64_t used = op_scope_time(run->scope, OP_CLOCK_GUEST, now);
  return used < limit ? limit - used : 0;
}

static engine_turn_result take_turn(run *run, uint64_t now) {
  if (run->in_turn)
    return engine_resume(run->instance);
  size_t len = 0;
  if (run->first && !(len = run_fill_inbox(run)))
    return ENGINE_FAULT;
  uint64_t left = guest_time_left(run, now);
  uint64_t wall = wall_deadline(run, run->options.limits.wall_ms);
  uint64_t stop_at = wall > now && left < wall - now ? now + left : wall;
  return engine_turn(run->instance, len, stop_at);
}

/* The trace stays absent where it is not known. */
static void fail_by_deadlock(run *run) {
  run_fail(run, RUN_KIND_DEADLOCK,
           "the script waits for a promise that nothing can settle any more");
  if (run->failure.kind == RUN_KIND_DEADLOCK && !run->failure.stack) {
    run->failure.stack = run->stuck;
    run->stuck = NULL;
  }
}

static void timed_out(run *run) {
  if (run->asked_stuck)
    fail_by_deadlock(run);
  /* A settled value stays the outcome; what it still waited for is cancelled. */
  if (!run->settled || run->failure.kind != RUN_KIND_NONE || run->in_turn)
    run_fail_limit(run, RUN_KIND_TIMEOUT, "the time limit of the run (%s) was hit",
                   run_names(run)->wall);
}

/* A settled run whose time is over still has to say whether a rejection was left
 * unhandled: one short turn. */
static bool ask_unhandled(run *run) {
  if (!run->settled || run->failure.kind != RUN_KIND_NONE || run->in_turn ||
      engine_unhandled(run->instance) == 0)
    return false;
  if (run->finishing) {
    run_fail(run, RUN_KIND_SCRIPT, "a rejection was left unhandled");
    return false;
  }
  run->finishing = true;
  op_scope_set_wall(run->scope, run_now() + FINISH_NS);
  return run_send(run, WIRE_FINISH, 0, NULL, 0);
}

static void end_by_wall(run *run) {
  run->wall_passed = false;
  if (ask_unhandled(run))
    return;
  timed_out(run);
  run_finish(run);
}

void run_slice(run *run) {
  uint64_t now = run_now();
  run->state = RUN_READY;
  engine_turn_result result = ENGINE_DONE;
  if (run->in_turn || run->first) {
    op_scope_clock(run->scope, OP_CLOCK_GUEST, now);
    result = take_turn(run, now);
    now = run_now();
    op_scope_clock(run->scope, OP_CLOCK_READY, now);
  }
  run->in_turn = result == ENGINE_YIELDED;
  note_memory(run);
  if (result == ENGINE_FAULT && !run->exited)
    fail_by_fault(run);
  if (guest_time_left(run, now) == 0 && run->asked_stuck)
    fail_by_deadlock(run);
  else if (guest_time_left(run, now) == 0)
    run_fail_limit(run, RUN_KIND_CPU, "the guest's time limit (%s) was hit", run_names(run)->cpu);
  if (run->failure.kind != RUN_KIND_NONE || run->exited)
    run_finish(run);
  else if (run->wall_passed)
    end_by_wall(run);
  else if (run->in_turn)
    shard_make_ready(run->shard, run);
  else
    run_advance(run);
}

/* Nothing is live and no job is left: the run ends. If a rejection was left
 * unhandled one more turn tells which: it is why the run fails, also where it
 * led to a deadlock. */
static void advance_to_end(run *run) {
  if (!run->finishing && engine_unhandled(run->instance) > 0) {
    run->finishing = true;
    run_send(run, WIRE_FINISH, 0, NULL, 0);
    return;
  }
  if (!run->settled && !run->asked_stuck) {
    run->asked_stuck = true;
    run_send(run, WIRE_STUCK, 0, NULL, 0);
    return;
  }
  if (!run->settled)
    fail_by_deadlock(run);
  run_finish(run);
}

/* Nothing is left of what was invoked but operations and timers. A rejection that nobody
 * handled ends the run. */
static void end_invocation(run *run) {
  if (!run->finishing && engine_unhandled(run->instance) > 0) {
    run->finishing = true;
    run_send(run, WIRE_FINISH, 0, NULL, 0);
    return;
  }
  run->finishing = false;
  run->state = RUN_WAITING;
  op_scope_clock(run->scope, OP_CLOCK_HOST_WAIT, run_now());
  run_tell_answer(run);
}

void run_advance(run *run) {
  run->busy++;
  shard_dispatch(run->shard); /* operations begun in this turn may answer at once */
  run->busy--;
  if (run->state == RUN_FINISHED) {
    run_free_if_disposed(run);
    return;
  }
  if (run->first) {
    shard_make_ready(run->shard, run);
  } else if (run->library == RUN_LIBRARY_ANSWERED) {
    end_invocation(run);
    return;
  } else if (run->library == RUN_LIBRARY_RESTING) {
    run->state = RUN_WAITING;
  } else if (run->finishing) {
    advance_to_end(run);
    return;
  } else if (op_scope_has_live(run->scope)) {
    run->state = RUN_WAITING;
  } else if ((!run->settled || run->program) && op_scope_counts(run->scope).timers > 0) {
    run->state = RUN_WAITING;
  } else {
    advance_to_end(run);
    return;
  }
  if (run->state == RUN_WAITING) {
    op_scope_clock(run->scope, OP_CLOCK_HOST_WAIT, run_now());
    shard_note_idle(run->shard, run);
  }
}

void run_on_wall(run *run) {
  if (run->in_turn)
    run->wall_passed = true; /* its next slice ends it */
  else
    end_by_wall(run);
}

/* ---- looking ---- */

bool run_is_quiet(const run *run) {
  return !run->scope ||
         (!run->first && !op_scope_has_live(run->scope) && op_scope_counts(run->scope).timers == 0);
}

bool run_alive(const run *run) {
  return run->state != RUN_FINISHED;
}

op_counts run_counts(const run *run) {
  return run->scope ? op_scope_counts(run->scope) : run->report.operations;
}

size_t run_pending(const run *run, op_info *list, size_t max) {
  return run->scope ? op_scope_list(run->scope, list, max, run_now()) : 0;
}

const char *run_pending_detail(const run *run, const op_info *info) {
  const host_call *call = run->scope ? run_call_numbered(run, info->tag) : NULL;
  return call ? call->detail : NULL;
}

void run_set_wall(run *run, uint64_t ms) {
  run->options.limits.wall_ms = ms;
  if (!run->scope)
    return;
  if (wall_deadline(run, ms) > run_now())
    run->wall_passed = false;
  op_scope_set_wall(run->scope, wall_deadline(run, ms));
  loop_set_deadline(shard_loop(run->shard), op_next_deadline(shard_operations(run->shard)));
}
