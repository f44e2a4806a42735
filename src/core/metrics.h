/* Counters, gauges and histograms, as text for Prometheus (exposition format
 * 0.0.4). Families are declared in a table by the owner; a series is a family with
 * a value for each of its labels. Plain memory: no clock, no I/O, one thread. */
#ifndef VOW_CORE_METRICS_H
#define VOW_CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

#define METRICS_LABELS_MAX 2u
/* Series of one family; what comes beyond is counted with "other" in each label. */
#define METRICS_SERIES_MAX 512u

typedef enum { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM } metrics_type;

typedef struct metrics_family {
  const char *name; /* with unit; counters end in _total: "vow_runs_total" */
  metrics_type type;
  const char *help;                       /* one line */
  const char *labels[METRICS_LABELS_MAX]; /* NULL: none */
} metrics_family;

typedef struct metrics metrics;

/* `families` is borrowed. NULL when memory is short. */
metrics *metrics_open(const vow_allocator *allocator, const metrics_family *families, size_t count);
void metrics_close(metrics *metrics); /* NULL is fine */

/* `a` and `b`: values of the labels, UTF-8, copied; NULL where there is no label. A
 * change for which memory is short is lost, and counted in metrics_lost(). */
void metrics_add(metrics *metrics, size_t family, const char *a, const char *b, double amount);
void metrics_set(metrics *metrics, size_t family, const char *a, const char *b, double value);
/* Sets it if that makes it larger. */
void metrics_max(metrics *metrics, size_t family, const char *a, const char *b, double value);
/* A time, for a histogram in seconds. */
void metrics_observe(metrics *metrics, size_t family, const char *a, const char *b, uint64_t ns);
uint64_t metrics_lost(const metrics *metrics);

/* Everything, zero-terminated; free with mem_free and the allocator of
 * metrics_open(). NULL when memory is short. */
char *metrics_text(const metrics *metrics, size_t *len);

#endif
