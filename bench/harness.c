#include "harness.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void broken(const char *what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(2);
}

static uint64_t now_ns(clockid_t id) {
  struct timespec now;
  if (clock_gettime(id, &now) != 0)
    broken("no such clock");
  return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t clock_ns(void) {
  return now_ns(CLOCK_MONOTONIC);
}

uint64_t thread_ns(void) {
  return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

void set_cores(bool one) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (size_t i = 0; i < (one ? 1 : CPU_SETSIZE); i++)
    CPU_SET(i, &cores);
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks)
    broken("no list of threads");
  for (struct dirent *entry; (entry = readdir(tasks));) {
    int id = (int)strtol(entry->d_name, NULL, 10);
    if (id > 0 && sched_setaffinity(id, sizeof cores, &cores) != 0)
      broken("threads cannot be bound to a core");
  }
  closedir(tasks);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void sort_values(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_value);
}

double quantile(const double *sorted, size_t count, double share) {
  if (count == 0)
    broken("a quantile of nothing");
  size_t at = (size_t)(share * (double)count);
  return sorted[at < count ? at : count - 1];
}

figure *figures_add(figures *all, const char *key, const char *text, const char *unit,
                    double *values, size_t count) {
  if (all->count == FIGURES_MAX)
    broken("too many figures");
  sort_values(values, count);
  figure *f = &all->list[all->count++];
  *f = (figure){.key = key,
                .text = text,
                .unit = unit,
                .median = quantile(values, count, 0.5),
                .least = values[0],
                .most = values[count - 1],
                .values = count};
  return f;
}

void figure_at_most(figure *f, double target) {
  f->judgement = JUDGE_MOST;
  f->target = target;
}

void figure_at_least(figure *f, double target) {
  f->judgement = JUDGE_LEAST;
  f->target = target;
}

static bool met(const figure *f) {
  switch (f->judgement) {
  case JUDGE_MOST:
    return f->median <= f->target;
  case JUDGE_LEAST:
    return f->median >= f->target;
  case JUDGE_NOT:
    break;
  }
  return true;
}

bool figures_met(const figures *all) {
  for (size_t i = 0; i < all->count; i++)
    if (!met(&all->list[i]))
      return false;
  return true;
}

void figures_table(const figures *all) {
  printf("%-52s %10s %10s %10s %-8s target\n", all->name, "median", "least", "most", "unit");
  for (size_t i = 0; i < all->count; i++) {
    const figure *f = &all->list[i];
    printf("%-52s %10.2f %10.2f %10.2f %-8s ", f->text, f->median, f->least, f->most, f->unit);
    if (f->judgement != JUDGE_NOT)
      printf("%s %g %s", f->judgement == JUDGE_MOST ? "<=" : ">=", f->target,
             met(f) ? "met" : "MISSED");
    printf("\n");
  }
}

void figures_json(const figures *all, FILE *out) {
  fprintf(out, "{\"bench\":\"%s\",\"figures\":{", all->name);
  for (size_t i = 0; i < all->count; i++) {
    const figure *f = &all->list[i];
    fprintf(out,
            "%s\"%s\":{\"text\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,\"least\":%.3f,"
            "\"most\":%.3f,\"values\":%zu",
            i ? "," : "", f->key, f->text, f->unit, f->median, f->least, f->most, f->values);
    if (f->judgement != JUDGE_NOT)
      fprintf(out, ",\"%s\":%g,\"met\":%s", f->judgement == JUDGE_MOST ? "at_most" : "at_least",
              f->target, met(f) ? "true" : "false");
    fprintf(out, "}");
  }
  fprintf(out, "}}\n");
}

double kib_of(const char *path, const char *name) {
  char line[256];
  double sum = 0;
  bool found = false;
  FILE *file = fopen(path, "r");
  if (!file)
    broken("no figures of this process's memory");
  while (fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) {
      const char *colon = strchr(line, ':');
      sum += colon ? strtod(colon + 1, NULL) : 0;
      found = true;
    }
  fclose(file);
  if (!found)
    broken("an unknown format of memory figures");
  return sum;
}

double private_kib(void) {
  return kib_of("/proc/self/smaps_rollup", "Private_");
}

bool bench_option(bench_options *options, char **argv, int *i) {
  const char *name = argv[*i];
  if (strcmp(name, "--json") == 0) {
    options->json = true;
  } else if (strcmp(name, "--check") == 0) {
    options->check = true;
  } else if (strcmp(name, "--json-file") == 0 && argv[*i + 1]) {
    options->json_file = argv[++*i];
  } else {
    return false;
  }
  return true;
}

int bench_end(const bench_options *options, const figures *all) {
  if (options->json)
    figures_json(all, stdout);
  else
    figures_table(all);
  if (options->json_file) {
    FILE *file = fopen(options->json_file, "w");
    if (!file)
      broken("the file for the JSON cannot be written");
    figures_json(all, file);
    if (fclose(file) != 0)
      broken("the file for the JSON cannot be written");
  }
  return options->check && !figures_met(all) ? 1 : 0;
}

/* ---- programs of groups ---- */

unsigned repeats = 7;

static int usage(const char *program, const bench_group *groups, size_t count) {
  fprintf(stderr,
          "usage: bench_%s [--json] [--json-file FILE] [--check] [--only GROUP] [--repeats N]\n"
          "groups:",
          program);
  for (size_t i = 0; i < count; i++)
    fprintf(stderr, " %s", groups[i].name);
  fprintf(stderr, "\n");
  return 2;
}

static bool is_count(const char *text) {
  char *end;
  unsigned long count = strtoul(text, &end, 10);
  return *end == 0 && count >= 1 && count <= REPEATS_MAX;
}

static bool is_group(const char *name, const bench_group *groups, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(groups[i].name, name) == 0)
      return true;
  return false;
}

int bench_groups(int argc, char **argv, figures *all, const bench_group *groups, size_t count) {
  bench_options options = {0};
  const char *only = NULL;
  for (int i = 1; i < argc; i++) {
    const char *value = argv[i + 1] ? argv[i + 1] : "";
    if (strcmp(argv[i], "--only") == 0 && is_group(value, groups, count)) {
      only = argv[++i];
    } else if (strcmp(argv[i], "--repeats") == 0 && is_count(value)) {
      repeats = (unsigned)strtoul(argv[++i], NULL, 10);
    } else if (!bench_option(&options, argv, &i)) {
      return usage(all->name, groups, count);
    }
  }
  for (size_t i = 0; i < count; i++)
    if (!only || strcmp(only, groups[i].name) == 0)
      groups[i].measure(all);
  return bench_end(&options, all);
}
