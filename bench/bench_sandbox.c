/* Sandboxes on one shard: time and memory of runs.
 *
 *   bench_sandbox [--json] [--json-file FILE] [--check] [--only GROUP] [--repeats N]
 *
 * --json prints JSON instead of the table, --json-file writes it beside the
 * table; --check exits 1 when a target is missed; --only measures one of the
 * groups below; --repeats takes each timed figure N times (7, at most 31) and
 * gives the median. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox_figures.h"

static const struct {
  const char *name;
  void (*measure)(figures *all);
} groups[] = {
    {"fresh", measure_fresh},   {"phases", measure_phases}, {"calls", measure_calls},
    {"cancel", measure_cancel}, {"shards", measure_shards}, {"loops", measure_loops},
    {"memory", measure_memory}, {"fair", measure_fairness},
};
unsigned repeats = 7;

enum { GROUPS = sizeof groups / sizeof groups[0] };

static int usage(void) {
  fprintf(stderr, "usage: bench_sandbox [--json] [--json-file FILE] [--check] [--only GROUP]"
                  " [--repeats N]\ngroups:");
  for (size_t i = 0; i < GROUPS; i++)
    fprintf(stderr, " %s", groups[i].name);
  fprintf(stderr, "\n");
  return 2;
}

static bool is_count(const char *text) {
  char *end;
  unsigned long count = strtoul(text, &end, 10);
  return *end == 0 && count >= 1 && count <= REPEATS_MAX;
}

static bool is_group(const char *name) {
  for (size_t i = 0; i < GROUPS; i++)
    if (strcmp(groups[i].name, name) == 0)
      return true;
  return false;
}

int main(int argc, char **argv) {
  static figures all = {.name = "sandbox"};
  bench_options options = {0};
  const char *only = NULL;
  for (int i = 1; i < argc; i++) {
    const char *value = argv[i + 1] ? argv[i + 1] : "";
    if (strcmp(argv[i], "--only") == 0 && is_group(value)) {
      only = argv[++i];
    } else if (strcmp(argv[i], "--repeats") == 0 && is_count(value)) {
      repeats = (unsigned)strtoul(argv[++i], NULL, 10);
    } else if (!bench_option(&options, argv, &i)) {
      return usage();
    }
  }
  for (size_t i = 0; i < GROUPS; i++)
    if (!only || strcmp(only, groups[i].name) == 0)
      groups[i].measure(&all);
  return bench_end(&options, &all);
}
