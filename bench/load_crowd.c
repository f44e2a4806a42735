/* 10,000 runs that wait, 1,000,000 operations pending in them: what they hold, what
 * waiting costs, and whether time-outs are exact among them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "load_figures.h"

enum { RUNS = 10000, PROBES = 1000, CALLS = 100 };

#define MS_NS UINT64_C(1000000)
/* The first probe is due so long after it began, the last so much later. */
#define FIRST_MS 8000
#define STEP_MS 2

typedef struct probe {
  uint64_t due_ns;
  double host_ms, guest_ms; /* how late: the handler was stopped, the guest called */
} probe;

typedef struct crowd {
  caller caller;
  run *runs[RUNS];
  probe probes[PROBES];
  size_t probes_begun, stopped, seen;
} crowd;

static double late_ms(const probe *probe) {
  uint64_t now = clock_ns();
  if (now < probe->due_ns)
    broken("an operation was timed out too early");
  return (double)(now - probe->due_ns) / (double)MS_NS;
}

/* Of all calls only those of probes are timed out, and only their runs have one. */
static void stop_late(host_call *call, void *user) {
  static const host_error stopped = {.name = "AbortError", .message = "stopped"};
  (void)user;
  probe *probe = host_call_run_user(call);
  if (probe)
    probe->host_ms = late_ms(probe);
  host_call_reject(call, &stopped);
}

static void on_seen(host_call *call, void *user) {
  crowd *crowd = user;
  probe *probe = host_call_run_user(call);
  probe->guest_ms = late_ms(probe);
  crowd->seen++;
}

/* Opens a run and waits until its calls have begun. */
static run *open_waiting(crowd *crowd, const char *source, size_t calls, probe *probe) {
  caller *caller = &crowd->caller;
  run *run = caller_start(caller, source, NULL, probe);
  while (run_counts(run).running < calls)
    shard_turn(caller->stage.shard);
  return run;
}

static void open_runs(crowd *crowd, size_t count, size_t calls) {
  char source[96];
  snprintf(source, sizeof source, "for (let i = 0; i < %zu; i++) op('n1'); await op('n1')",
           calls - 1);
  for (size_t i = 0; i < count; i++)
    crowd->runs[i] = open_waiting(crowd, source, calls, NULL);
}

static void close_runs(crowd *crowd, size_t count) {
  for (size_t i = 0; i < count; i++)
    run_dispose(crowd->runs[i]);
  if (op_table_counts(shard_operations(crowd->caller.stage.shard)).live != 0)
    broken("operations are left");
}

static void open_probe(crowd *crowd, size_t i) {
  char source[256];
  op_info list[CALLS];
  probe *probe = &crowd->probes[i];
  snprintf(source, sizeof source,
           "for (let i = 0; i < %d; i++) op('n1');"
           "const e = await op('n1', {timeout: %zu}).catch((e) => e);"
           "if (e.name !== 'TimeoutError') throw e; await seen(0); await op('n1')",
           CALLS - 1, FIRST_MS + STEP_MS * i);
  run *run = crowd->runs[RUNS - PROBES + i] = open_waiting(crowd, source, CALLS, probe);
  if (run_pending(run, list, CALLS) != CALLS)
    broken("not the calls that were expected");
  probe->due_ns = list[CALLS - 1].deadline;
}

static void add_late(figures *all, const char *const keys[2], const char *const texts[2],
                     double *values, double target) {
  sort_values(values, PROBES);
  double p99 = quantile(values, PROBES, 0.99);
  figures_add(all, keys[0], texts[0], "ms", values, PROBES);
  figure_at_most(figures_add(all, keys[1], texts[1], "ms", &p99, 1), target);
}

/* Processor time of a second in which all wait and nothing is due. */
static double idle_ms(crowd *crowd) {
  uint64_t wall = clock_ns(), cpu = thread_ns();
  if (crowd->probes[0].due_ns < wall + SECOND_NS / 5)
    broken("the machine is too slow for these time-outs");
  while (crowd->seen == 0)
    shard_turn(crowd->caller.stage.shard);
  return (double)(thread_ns() - cpu) / (double)MS_NS * (double)SECOND_NS /
         (double)(clock_ns() - wall);
}

/* Pages that had to be read from a disk: a machine that has dropped what is mapped here
 * makes everything late. */
static double pages_read(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0)
    broken("no figures of this process");
  return (double)usage.ru_majflt;
}

static void measure_timeouts(figures *all, crowd *crowd) {
  static double host[PROBES], guest[PROBES];
  double read = pages_read();
  for (size_t i = 0; i < PROBES; i++)
    open_probe(crowd, i);
  if (op_table_counts(shard_operations(crowd->caller.stage.shard)).live != RUNS * CALLS)
    broken("not 1,000,000 operations are pending");
  double idle = idle_ms(crowd);
  figures_add(all, "idle_ms", "  processor time of a second of waiting", "ms", &idle, 1);
  while (crowd->seen < PROBES)
    shard_turn(crowd->caller.stage.shard);
  read = pages_read() - read;
  for (size_t i = 0; i < PROBES; i++) {
    host[i] = crowd->probes[i].host_ms;
    guest[i] = crowd->probes[i].guest_ms;
  }
  add_late(all, (const char *const[]){"timeout_late_ms", "timeout_late_p99_ms"},
           (const char *const[]){"  how late 1,000 time-outs are", "    p99"}, host, 2);
  add_late(all, (const char *const[]){"timeout_guest_ms", "timeout_guest_p99_ms"},
           (const char *const[]){"  the same in the guest, at its next call", "    p99"}, guest, 5);
  figures_add(all, "timeout_pages_read", "  pages read from disk meanwhile", "pages", &read, 1);
}

void measure_crowd(figures *all) {
  crowd *crowd = calloc(1, sizeof *crowd);
  if (!crowd)
    broken("out of memory");
  caller_open(&crowd->caller, ENGINE_WASM, ANSWER_NEVER);
  crowd->caller.kinds[0].stop = stop_late;
  crowd->caller.on_seen = on_seen;
  crowd->caller.user = crowd;
  double before = private_kib();
  open_runs(crowd, RUNS, 1);
  double each = (private_kib() - before) / RUNS;
  close_runs(crowd, RUNS);
  uint64_t start = clock_ns();
  open_runs(crowd, RUNS - PROBES, CALLS);
  double seconds = (double)(clock_ns() - start) / (double)SECOND_NS;
  double bytes = ((private_kib() - before) / (RUNS - PROBES) - each) * 1024 / (CALLS - 1);
  figure_at_most(figures_add(all, "crowd_waiting_kib", "memory of each of 10,000 waiting runs",
                             "KiB", &each, 1),
                 128);
  figures_add(all, "crowd_pending_bytes", "100 calls pending in each: memory of one more", "bytes",
              &bytes, 1);
  figures_add(all, "crowd_open_s", "  time to begin the first 900,000", "s", &seconds, 1);
  measure_timeouts(all, crowd);
  close_runs(crowd, RUNS);
  caller_close(&crowd->caller);
  free(crowd);
}
