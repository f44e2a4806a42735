/* Many sandboxes at a time: what a waiting one holds, and how long a short run
 * takes beside spinning ones. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox_figures.h"
#include "stage.h"

/* ---- memory ---- */

enum { CROWD = 2000 };

typedef struct held_memory {
  double private_kib, tables_kib, maps;
} held_memory;

static double count_maps(void) {
  double lines = 0;
  FILE *file = fopen("/proc/self/maps", "r");
  if (!file)
    broken("no maps of this process");
  for (int c; (c = getc(file)) != EOF;)
    lines += c == '\n';
  fclose(file);
  return lines;
}

static held_memory memory_now(void) {
  return (held_memory){private_kib(), kib_of("/proc/self/status", "VmPTE"), count_maps()};
}

static void add_held(figures *all, const char *key, const char *text, const char *unit,
                     double value, double target) {
  figure *f = figures_add(all, key, text, unit, &value, 1);
  if (target > 0)
    figure_at_most(f, target);
}

/* Opens the crowd, waits until each member holds its call, measures, ends it. */
static held_memory measure_crowd(stage *stage, const script *script) {
  performance *crowd = calloc(CROWD, sizeof *crowd);
  if (!crowd)
    broken("out of memory");
  memset(crowd, 1, CROWD * sizeof *crowd);
  held_memory before = memory_now();
  uint64_t held = stage->held;
  for (size_t i = 0; i < CROWD; i++) {
    perform_open_endless(&crowd[i], stage, script);
    while (stage->held == held + i)
      shard_turn(stage->shard);
  }
  held_memory after = memory_now();
  for (size_t i = 0; i < CROWD; i++)
    run_dispose(crowd[i].run);
  free(crowd);
  return (held_memory){(after.private_kib - before.private_kib) / CROWD,
                       (after.tables_kib - before.tables_kib) / CROWD,
                       (after.maps - before.maps) / CROWD};
}

void measure_memory(figures *all) {
  static const script flat = {"(async () => {\n"
                              "  const a = await op('n1');\n"
                              "  const b = await Promise.all([op('n2'), op('n3')]);\n"
                              "  return JSON.stringify([a, ...b]);\n"
                              "})()",
                              NULL, ANSWER_NEVER};
  static const script deep = {"function down(n) { return n ? 1 + down(n - 1) : 0; }\n"
                              "down(400);\n"
                              "op('n1')",
                              NULL, ANSWER_NEVER};
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  measure_crowd(&stage, &flat); /* fills the pools and the allocator */
  held_memory of_flat = measure_crowd(&stage, &flat);
  held_memory of_deep = measure_crowd(&stage, &deep);
  add_held(all, "waiting_kib", "memory of each of 2,000 waiting runs", "KiB", of_flat.private_kib,
           128);
  add_held(all, "waiting_deep_kib", "  after recursion 400 deep", "KiB", of_deep.private_kib, 128);
  add_held(all, "waiting_tables_kib", "  page tables of each, apart", "KiB", of_flat.tables_kib, 0);
  add_held(all, "waiting_maps", "  mappings of each", "maps", of_flat.maps, 0);
  stage_close(&stage);
}

/* ---- beside spinning neighbours ---- */

enum { SPINNERS = 8, STARTS = 400, GAP_MAX_US = 5000 };

static const script spin = {"for (;;);", NULL, ANSWER_NEVER};

/* A loop that takes about a millisecond of processor time here. */
static void make_short_script(stage *stage, char *source, size_t size) {
  script probe = {source, "0", ANSWER_AT_ONCE};
  uint64_t count = 1000, took;
  do {
    count *= 2;
    snprintf(source, size, "let n = %" PRIu64 "; while (n > 0) n--; n", count);
    uint64_t start = thread_ns();
    perform(stage, &probe);
    took = thread_ns() - start;
  } while (took < 8000000);
  snprintf(source, size, "let n = %" PRIu64 "; while (n > 0) n--; n", count * 1000000 / took);
}

/* Milliseconds from when the run was due (the loop may have been busy with a
 * slice then) to its end. */
static double short_run_ms(stage *stage, const script *script, uint64_t due_ns) {
  performance one;
  while (clock_ns() < due_ns)
    shard_turn(stage->shard);
  perform_open(&one, stage, script);
  perform_finish(&one);
  return (double)(one.done_ns - due_ns) / 1e6;
}

static void measure_starts(stage *stage, const script *script, double *values) {
  uint32_t random = 2463534242u;
  for (int i = 0; i < STARTS; i++) {
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    values[i] = short_run_ms(stage, script, clock_ns() + random % GAP_MAX_US * 1000);
  }
  sort_values(values, STARTS);
}

void measure_fairness(figures *all) {
  static double values[STARTS];
  char source[64];
  performance spinners[SPINNERS];
  double alone, p99, worst;
  stage stage;
  stage_open(&stage, ENGINE_WASM);
  make_short_script(&stage, source, sizeof source);
  script brief = {source, "0", ANSWER_AT_ONCE};
  for (int i = 0; i < 100; i++) {
    uint64_t start = clock_ns();
    perform(&stage, &brief);
    values[i] = (double)(clock_ns() - start) / 1e6;
  }
  sort_values(values, 100);
  alone = values[50];
  for (int i = 0; i < SPINNERS; i++)
    perform_open_endless(&spinners[i], &stage, &spin);
  measure_starts(&stage, &brief, values);
  p99 = quantile(values, STARTS, 0.99);
  worst = values[STARTS - 1];
  figures_add(all, "short_alone_ms", "a short run alone", "ms", &alone, 1);
  figures_add(all, "short_beside_8_ms", "the same beside 8 spinning runs, 400 starts", "ms", values,
              STARTS);
  figure_at_most(figures_add(all, "short_beside_8_p99_ms", "  its p99", "ms", &p99, 1), 20);
  figures_add(all, "short_beside_8_worst_ms", "  its worst", "ms", &worst, 1);
  for (int i = 0; i < SPINNERS; i++)
    run_dispose(spinners[i].run);
  stage_close(&stage);
}
