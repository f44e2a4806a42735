/* Sandboxes on one shard: time and memory of runs.
 *
 *   bench_sandbox [--json] [--check] [--only GROUP]
 *
 * --json prints one line of JSON instead of the table; --check exits 1 when a
 * target is missed; --only measures one of the groups below. */
#include <stdio.h>
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
enum { GROUPS = sizeof groups / sizeof groups[0] };

static int usage(void) {
  fprintf(stderr, "usage: bench_sandbox [--json] [--check] [--only GROUP]\ngroups:");
  for (size_t i = 0; i < GROUPS; i++)
    fprintf(stderr, " %s", groups[i].name);
  fprintf(stderr, "\n");
  return 2;
}

static bool is_group(const char *name) {
  for (size_t i = 0; i < GROUPS; i++)
    if (strcmp(groups[i].name, name) == 0)
      return true;
  return false;
}

int main(int argc, char **argv) {
  static figures all = {.name = "sandbox"};
  bool json = false, check = false;
  const char *only = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0)
      json = true;
    else if (strcmp(argv[i], "--check") == 0)
      check = true;
    else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc && is_group(argv[i + 1]))
      only = argv[++i];
    else
      return usage();
  }
  for (size_t i = 0; i < GROUPS; i++)
    if (!only || strcmp(only, groups[i].name) == 0)
      groups[i].measure(&all);
  figures_print(&all, json);
  return check && !figures_met(&all) ? 1 : 0;
}
