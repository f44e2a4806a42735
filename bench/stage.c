#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* "note" as CBOR text. */
static const uint8_t note[] = {0x64, 'n', 'o', 't', 'e'};

/* ---- the operation ---- */

static void start_at_once(host_call *call, void *user) {
  stage *stage = user;
  if (stage->first_start_ns == 0)
    stage->first_start_ns = clock_ns();
  host_call_fulfil(call, note, sizeof note);
}

static void answer_waiting(uv_idle_t *idle) {
  stage *stage = idle->data;
  uv_idle_stop(idle);
  size_t count = stage->waiting_count;
  stage->waiting_count = 0;
  /* A call that begins meanwhile takes the place of one answered before it. */
  for (size_t i = 0; i < count; i++)
    host_call_fulfil(stage->waiting[i], note, sizeof note);
}

static void start_later(host_call *call, void *user) {
  stage *stage = user;
  if (stage->waiting_count == stage->waiting_room) {
    size_t room = stage->waiting_room ? stage->waiting_room * 2 : 64;
    host_call **grown = realloc(stage->waiting, room * sizeof(host_call *));
    if (!grown)
      broken("out of memory");
    stage->waiting = grown;
    stage->waiting_room = room;
  }
  stage->waiting[stage->waiting_count++] = call;
  uv_idle_start(&stage->idle, answer_waiting);
}

static void start_never(host_call *call, void *user) {
  (void)call;
  stage *stage = user;
  stage->held++;
}

static void stop_held(host_call *call, void *user) {
  static const host_error stopped = {.name = "AbortError", .message = "stopped"};
  (void)user;
  host_call_reject(call, &stopped);
}

/* ---- the shard ---- */

void stage_open(stage *stage, engine_kind engine) {
  char message[256];
  shard_options options = {.engine = engine};
  *stage = (struct stage){0};
  stage->kinds[ANSWER_AT_ONCE] = (host_kind){
      .name = "op", .arguments = 1, .start = start_at_once, .stop = NULL, .user = stage};
  stage->kinds[ANSWER_LATER] =
      (host_kind){.name = "op", .arguments = 1, .start = start_later, .stop = NULL, .user = stage};
  stage->kinds[ANSWER_NEVER] = (host_kind){
      .name = "op", .arguments = 1, .start = start_never, .stop = stop_held, .user = stage};
  stage->shard = shard_open(&options, message, sizeof message);
  if (!stage->shard)
    broken(message);
  if (uv_idle_init(loop_uv(shard_loop(stage->shard)), &stage->idle) != 0)
    broken("no handle of the loop");
  stage->idle.data = stage;
}

void stage_close(stage *stage) {
  if (engine_counts_of(shard_engine(stage->shard)).live != 0)
    broken("a sandbox is left");
  uv_close((uv_handle_t *)&stage->idle, NULL);
  shard_close(stage->shard);
  free(stage->waiting);
}

/* ---- runs ---- */

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  performance *performance = user;
  performance->done_ns = clock_ns();
  if (report->outcome != RUN_VALUE)
    broken(report->error.message ? report->error.message : "a run failed");
  if (strcmp(report->value, performance->script->value) != 0)
    broken("a run came to a wrong value");
}

static void on_end(run *run, const run_report *report, void *user) {
  (void)run, (void)report;
  performance *performance = user;
  performance->done_ns = clock_ns();
}

run_options stage_options(const stage *stage, const script *script) {
  run_options options = {.template = stage->loaded,
                         .name = "bench.js",
                         .source = script->source,
                         .source_len = strlen(script->source),
                         .kinds = &stage->kinds[script->answer],
                         .kinds_count = 1,
                         .limits = run_limits_default};
  options.limits.wall_ms = options.limits.cpu_ms = 600000;
  options.limits.op_timeout_ms = 600000;
  return options;
}

void stage_load(stage *stage, const script *script) {
  const run_options options = stage_options(stage, script);
  stage->loaded = run_template_open(stage->shard, &options);
  if (!stage->loaded)
    broken("no memory for a template");
}

void stage_unload(stage *stage) {
  run_template_close(stage->loaded);
  stage->loaded = NULL;
}

static void open_with(performance *performance, stage *stage, const script *script,
                      void (*done)(run *, const run_report *, void *)) {
  run_options options = stage_options(stage, script);
  options.on_done = done;
  options.user = performance;
  *performance = (struct performance){.stage = stage, .script = script};
  performance->opened_ns = clock_ns();
  performance->run = run_open(stage->shard, &options);
  if (!performance->run)
    broken("no memory or address space for a sandbox");
}

void perform_open(performance *performance, stage *stage, const script *script) {
  open_with(performance, stage, script, on_done);
}

void perform_open_endless(performance *performance, stage *stage, const script *script) {
  open_with(performance, stage, script, on_end);
}

void perform_finish(performance *performance) {
  while (performance->done_ns == 0)
    shard_turn(performance->stage->shard);
  run_dispose(performance->run);
}

void perform(stage *stage, const script *script) {
  performance one;
  perform_open(&one, stage, script);
  perform_finish(&one);
}
