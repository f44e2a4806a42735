/* Sandboxes under load: calls, cancels and time-outs in great numbers, through the
 * whole stack.
 *
 *   bench_load [--json] [--json-file FILE] [--check] [--only GROUP] [--repeats N]
 *
 * --json prints JSON instead of the table, --json-file writes it beside the
 * table; --check exits 1 when a target is missed; --only measures one of the
 * groups below; --repeats takes each timed figure N times (7, at most 31) and
 * gives the median. The crowd takes about 4 GiB of memory. */
#include "load_figures.h"

#include <string.h>

/* ---- what the groups share ---- */

static void start_seen(host_call *call, void *user) {
  static const uint8_t nothing[] = {0xf7};
  caller *caller = user;
  caller->seen_ns = clock_ns();
  caller->seen++;
  if (caller->on_seen)
    caller->on_seen(call, caller->user);
  host_call_fulfil(call, nothing, sizeof nothing);
}

void caller_open(caller *caller, engine_kind engine, answer how) {
  memset(caller, 0, sizeof *caller);
  stage_open(&caller->stage, engine);
  caller->kinds[0] = caller->stage.kinds[how];
  caller->kinds[1] =
      (host_kind){.name = "seen", .arguments = 1, .start = start_seen, .user = caller};
}

void caller_close(caller *caller) {
  stage_close(&caller->stage);
}

run *caller_start(caller *caller, const char *source,
                  void (*on_done)(run *, const run_report *, void *), void *user) {
  const script script = {source, NULL, ANSWER_NEVER};
  run_options options = stage_options(&caller->stage, &script);
  options.kinds = caller->kinds;
  options.kinds_count = 2;
  options.limits.operations_max = 0;
  options.limits.queue_max = 0;
  options.limits.concurrent_max = 128;
  options.limits.memory_bytes = 512u << 20;
  options.on_done = on_done;
  options.user = user;
  run *run = run_open(caller->stage.shard, &options);
  if (!run)
    broken("no memory or address space for a sandbox");
  return run;
}

static const bench_group groups[] = {
    {"rate", measure_rate},   {"cancels", measure_cancels}, {"operations", measure_operations},
    {"crowd", measure_crowd}, {"notes", measure_notes},
};

int main(int argc, char **argv) {
  static figures all = {.name = "load"};
  return bench_groups(argc, argv, &all, groups, sizeof groups / sizeof groups[0]);
}
