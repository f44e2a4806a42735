/* One process, many runs one after the other and beside each other, a tenth of
 * them ending in a limit, an error or a cancel of every kind. What the process
 * holds at the end is what it held after the first tenth.
 *
 *   test_soak [RUNS] [wasm|native] */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/run_fixture.h"

#define ABREAST 8u /* runs at once */
#define SAMPLES 10u

/* What may be more at the end than after the warm-up: pools fill up by chance. */
#define RSS_SLACK_KIB 4096u
#define MAPS_SLACK 16u
#define THREADS_SLACK 1u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RSS_IS_TELLING 0 /* freed memory stays in quarantine */
#else
#define RSS_IS_TELLING 1
#endif

static unsigned runs_total = 100000;
static engine_kind kind_of_engine = ENGINE_WASM;

/* ---- what the process holds ---- */

typedef struct holdings {
  size_t rss_kib, maps, descriptors, threads, blocks;
} holdings;

static size_t entries_of(const char *folder) {
  DIR *dir = opendir(folder);
  size_t count = 0;
  assert_non_null(dir);
  while (readdir(dir))
    count++;
  closedir(dir);
  return count;
}

static size_t lines_of(const char *path) {
  FILE *file = fopen(path, "r");
  size_t lines = 0;
  int c;
  assert_non_null(file);
  while ((c = fgetc(file)) != EOF)
    lines += c == '\n';
  fclose(file);
  return lines;
}

static size_t resident_kib(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long size = 0, resident = 0;
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
  fclose(file);
  return resident * (size_t)(sysconf(_SC_PAGESIZE) / 1024);
}

static holdings look(const run_fixture *f) {
  return (holdings){.rss_kib = resident_kib(),
                    .maps = lines_of("/proc/self/maps"),
                    .descriptors = entries_of("/proc/self/fd"),
                    .threads = entries_of("/proc/self/task"),
                    .blocks = f->counting.blocks};
}

static void show(unsigned runs, const holdings *h) {
  print_message("%7u runs: rss %zu KiB, %zu maps, %zu descriptors, %zu threads, %zu blocks\n", runs,
                h->rss_kib, h->maps, h->descriptors - 3, h->threads - 2, h->blocks);
}

/* ---- the runs ---- */

typedef struct recipe {
  const char *source;
  run_kind kind;
  void (*tighten)(run_limits *limits);
  int cancel_after; /* turns; -1: not cancelled */
} recipe;

static void cpu(run_limits *limits) {
  limits->cpu_ms = 1;
}
static void memory(run_limits *limits) {
  limits->memory_bytes = RUN_MEMORY_MIN;
}
static void operations(run_limits *limits) {
  limits->operations_max = 5;
}
static void output(run_limits *limits) {
  limits->log_bytes = 100;
}
static void result(run_limits *limits) {
  limits->result_bytes = 100;
}
static void wall(run_limits *limits) {
  limits->wall_ms = 1;
}
static void op_timeout(run_limits *limits) {
  limits->op_timeout_ms = 1;
}

static const recipe good[] = {
    {"1 + 1", RUN_KIND_NONE, NULL, -1},
    {"await test.echo({a: [1, 2, 3]})", RUN_KIND_NONE, NULL, -1},
    {"(await Promise.all([test.echo(1), test.pool('x'), test.echo(3)])).join()", RUN_KIND_NONE,
     NULL, -1},
    {"const m = new Map(); for (let i = 0; i < 200; i++) m.set('k' + i, {i});"
     "await test.echo(m.size)",
     RUN_KIND_NONE, NULL, -1},
    {"console.log('one'); const t = setTimeout(() => {}, 1000); clearTimeout(t); test.echo(1); 'x'",
     RUN_KIND_NONE, NULL, -1},
};

static const recipe bad[] = {
    {"for (;;);", RUN_KIND_CPU, cpu, -1},
    {"const a = []; for (;;) a.push(new Uint8Array(1 << 20))", RUN_KIND_MEMORY, memory, -1},
    {"const f = () => f() + 1; f()", RUN_KIND_STACK, NULL, -1},
    {"for (;;) await test.echo(1)", RUN_KIND_OPERATIONS, operations, -1},
    {"console.log('x'.repeat(200))", RUN_KIND_OUTPUT, output, -1},
    {"'x'.repeat(200)", RUN_KIND_RESULT, result, -1},
    {"await test.polite(1)", RUN_KIND_TIMEOUT, wall, -1},
    {"await test.polite(1)", RUN_KIND_API, op_timeout, -1},
    {"await new Promise(() => {})", RUN_KIND_DEADLOCK, NULL, -1},
    {"throw new Error('x')", RUN_KIND_SCRIPT, NULL, -1},
    {"await test.fail(1)", RUN_KIND_API, NULL, -1},
    {"await Promise.all([test.polite(1), test.later(60000), test.pool(2)])", RUN_KIND_CANCELLED,
     NULL, 3},
    {"for (;;);", RUN_KIND_CANCELLED, NULL, 2}, /* in the middle of a turn */
    {"1", RUN_KIND_CANCELLED, NULL, 0},
};
#define BAD (sizeof bad / sizeof bad[0])

/* Every tenth run, and of those every kind in its turn. */
static const recipe *recipe_of(unsigned number) {
  if (number % 10 != 9)
    return &good[number % (sizeof good / sizeof good[0])];
  const recipe *r = &bad[number / 10 % BAD];
  if (kind_of_engine == ENGINE_NATIVE && r->cancel_after == 2)
    return &bad[0]; /* natively a turn cannot be left */
  return r;
}

static unsigned ended[RUN_KIND_CANCELLED + 1];

static void run_batch(run_fixture *f, unsigned first, unsigned count) {
  static subject subjects[ABREAST];
  for (unsigned i = 0; i < count; i++) {
    const recipe *r = recipe_of(first + i);
    subject_init(&subjects[i], f);
    subjects[i].leaks = ANY_LEAKS;
    if (r->tighten)
      r->tighten(&subjects[i].limits);
    subject_open(&subjects[i], r->source);
  }
  for (int turn = 0; turn < 4; turn++) {
    for (unsigned i = 0; i < count; i++)
      if (recipe_of(first + i)->cancel_after == turn)
        run_cancel(subjects[i].run);
    turn_without_waiting(f);
  }
  for (unsigned i = 0; i < count; i++) {
    ends_with_kind(&subjects[i], recipe_of(first + i)->kind);
    ended[subjects[i].kind]++;
    subject_close(&subjects[i]);
  }
  while (shard_handlers(f->shard) > 0)
    shard_turn(f->shard);
  assert_int_equal(f->held_count, 0);
}

/* ---- the soak ---- */

static void compare(const holdings *warm, const holdings *end) {
  assert_int_equal(end->descriptors, warm->descriptors);
  assert_true(end->threads <= warm->threads + THREADS_SLACK);
  assert_true(end->maps <= warm->maps + MAPS_SLACK);
  assert_true(end->blocks <= warm->blocks + 2 * ABREAST);
  if (RSS_IS_TELLING)
    assert_true(end->rss_kib <= warm->rss_kib + RSS_SLACK_KIB);
}

static void nothing_grows(void **state) {
  run_fixture f;
  holdings warm = {0}, now = {0};
  unsigned step = runs_total / SAMPLES;
  fixture_open(&f, state);
  engine_verify_recycling(shard_engine(f.shard), false); /* it would touch every page */
  for (unsigned sample = 0; sample < SAMPLES; sample++) {
    for (unsigned done = 0; done < step; done += ABREAST)
      run_batch(&f, sample * step + done, step - done < ABREAST ? step - done : ABREAST);
    now = look(&f);
    show((sample + 1) * step, &now);
    if (sample == 0)
      warm = now;
  }
  compare(&warm, &now);
  for (run_kind kind = RUN_KIND_NONE; kind <= RUN_KIND_CANCELLED; kind++)
    if (ended[kind])
      print_message("%s %u, ", run_kind_text(kind), ended[kind]);
  engine_counts counts = engine_counts_of(shard_engine(f.shard));
  print_message("recycled %llu of %llu\n", (unsigned long long)counts.recycled,
                (unsigned long long)counts.opened);
  fixture_close(&f);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "native") == 0)
      kind_of_engine = ENGINE_NATIVE;
    else if (strcmp(argv[i], "wasm") != 0)
      runs_total = (unsigned)strtoul(argv[i], NULL, 10);
  }
  if (runs_total < 1000) {
    fprintf(stderr, "test_soak: at least 1000 runs are needed\n");
    return 2;
  }
  const struct CMUnitTest tests[] = {
      {"nothing_grows", nothing_grows, NULL, NULL, &kind_of_engine},
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
