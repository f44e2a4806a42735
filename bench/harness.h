/* What the benchmark programs share: clock, repetitions, figures, printing. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)

/* How a figure is judged. */
typedef enum { JUDGE_NOT, JUDGE_MOST, JUDGE_LEAST } judgement;

/* One measured quantity: the median of its values, and their spread. */
typedef struct figure {
  const char *key;  /* in JSON */
  const char *text; /* in the table */
  const char *unit;
  judgement judgement; /* MOST: may be at most `target`; LEAST: at least */
  double target;
  double median, least, most;
  size_t values;
} figure;

#define FIGURES_MAX 64

typedef struct figures {
  const char *name; /* of the program, in JSON */
  figure list[FIGURES_MAX];
  size_t count;
} figures;

/* Prints what is wrong and ends the program with status 2: a figure of something
 * that did not work is worth nothing. */
_Noreturn void broken(const char *what);

uint64_t clock_ns(void);
/* Processor time of this thread. */
uint64_t thread_ns(void);

/* Binds every thread of this process to one core, or to none; new threads follow the one
 * that starts them. */
void set_cores(bool one);

/* Sorts `values` and adds their median as a figure without a target. The texts
 * are borrowed. */
figure *figures_add(figures *all, const char *key, const char *text, const char *unit,
                    double *values, size_t count);
void figure_at_most(figure *f, double target);
void figure_at_least(figure *f, double target);

/* The value at `share` (0..1) of sorted values. */
double quantile(const double *sorted, size_t count, double share);
void sort_values(double *values, size_t count);

bool figures_met(const figures *all);
/* The table on standard output. */
void figures_table(const figures *all);
/* One object of JSON, on a line. */
void figures_json(const figures *all, FILE *out);

/* Options that every program knows. */
typedef struct bench_options {
  bool json;             /* --json: JSON on standard output instead of the table */
  const char *json_file; /* --json-file FILE: JSON there, beside the table */
  bool check;            /* --check: status 1 when a target is missed */
} bench_options;

/* Takes one of them at argv[*i] and moves `*i` behind it; false: another one. */
bool bench_option(bench_options *options, char **argv, int *i);
/* Prints as asked; the program's exit status. */
int bench_end(const bench_options *options, const figures *all);

#define REPEATS_MAX 31
/* How often a timed figure is taken: --repeats N, at most REPEATS_MAX. */
extern unsigned repeats;

/* A program of groups, each of which measures and adds its figures. */
typedef struct bench_group {
  const char *name;
  void (*measure)(figures *all);
} bench_group;

/* The main() of such a program, with --only GROUP and --repeats N as well; `all` is
 * empty but for its name. */
int bench_groups(int argc, char **argv, figures *all, const bench_group *groups, size_t count);

/* A number in kB of a file of lines "Name:   123 kB"; the sum of all lines that
 * begin so. */
double kib_of(const char *path, const char *name);
/* Memory that this process alone holds. */
double private_kib(void);

#endif
