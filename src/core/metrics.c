#include "core/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/cbor.h"

#define TEXT_BYTES_MAX (64u << 20)
#define OTHER "other"

/* Seconds, from what a cached answer takes to what a run may. */
static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,   0.5,   1,      2.5,   5,    10,    30};
#define BUCKETS (sizeof bounds / sizeof *bounds)

typedef struct series {
  struct series *next;
  char *labels[METRICS_LABELS_MAX];
  double value; /* histograms: the sum */
  uint64_t count;
  uint64_t *buckets; /* BUCKETS of them, each without those below; histograms only */
} series;

typedef struct family_state {
  series *first, **last;
  size_t count;
} family_state;

struct metrics {
  const vow_allocator *allocator;
  const metrics_family *families;
  size_t count;
  uint64_t lost;
  family_state state[];
};

metrics *metrics_open(const vow_allocator *allocator, const metrics_family *families,
                      size_t count) {
  metrics *metrics = mem_new(allocator, 1, sizeof *metrics + count * sizeof *metrics->state);
  if (!metrics)
    return NULL;
  metrics->allocator = allocator;
  metrics->families = families;
  metrics->count = count;
  for (size_t i = 0; i < count; i++)
    metrics->state[i].last = &metrics->state[i].first;
  return metrics;
}

static void free_series(const vow_allocator *allocator, series *series) {
  for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
    mem_free(allocator, series->labels[i]);
  mem_free(allocator, series->buckets);
  mem_free(allocator, series);
}

void metrics_close(metrics *metrics) {
  for (size_t i = 0; metrics && i < metrics->count; i++)
    while (metrics->state[i].first) {
      series *series = metrics->state[i].first;
      metrics->state[i].first = series->next;
      free_series(metrics->allocator, series);
    }
  if (metrics)
    mem_free(metrics->allocator, metrics);
}

uint64_t metrics_lost(const metrics *metrics) {
  return metrics->lost;
}

/* ---- series ---- */

static bool same(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static series *find(const family_state *state, const char *const labels[METRICS_LABELS_MAX]) {
  series *at = state->first;
  while (at && (!same(at->labels[0], labels[0]) || !same(at->labels[1], labels[1])))
    at = at->next;
  return at;
}

static series *make(metrics *metrics, size_t family, const char *const labels[METRICS_LABELS_MAX]) {
  const vow_allocator *allocator = metrics->allocator;
  family_state *state = &metrics->state[family];
  series *made = mem_new(allocator, 1, sizeof *made);
  bool whole = made != NULL;
  for (size_t i = 0; whole && i < METRICS_LABELS_MAX; i++)
    if (labels[i])
      whole = (made->labels[i] = mem_text(allocator, labels[i], strlen(labels[i]))) != NULL;
  if (whole && metrics->families[family].type == METRICS_HISTOGRAM)
    whole = (made->buckets = mem_new(allocator, BUCKETS, sizeof *made->buckets)) != NULL;
  if (!whole) {
    if (made)
      free_series(allocator, made);
    metrics->lost++;
    return NULL;
  }
  *state->last = made;
  state->last = &made->next;
  state->count++;
  return made;
}

static series *series_of(metrics *metrics, size_t family, const char *a, const char *b) {
  const metrics_family *declared = &metrics->families[family];
  const char *labels[METRICS_LABELS_MAX] = {declared->labels[0] ? (a ? a : "") : NULL,
                                            declared->labels[1] ? (b ? b : "") : NULL};
  series *found = find(&metrics->state[family], labels);
  if (!found && metrics->state[family].count >= METRICS_SERIES_MAX - 1) {
    for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
      labels[i] = labels[i] ? OTHER : NULL;
    found = find(&metrics->state[family], labels);
  }
  return found ? found : make(metrics, family, labels);
}

void metrics_add(metrics *metrics, size_t family, const char *a, const char *b, double amount) {
  series *series = series_of(metrics, family, a, b);
  if (series)
    series->value += amount;
}

void metrics_set(metrics *metrics, size_t family, const char *a, const char *b, double value) {
  series *series = series_of(metrics, family, a, b);
  if (series)
    series->value = value;
}

void metrics_max(metrics *metrics, size_t family, const char *a, const char *b, double value) {
  series *series = series_of(metrics, family, a, b);
  if (series && series->value < value)
    series->value = value;
}

void metrics_observe(metrics *metrics, size_t family, const char *a, const char *b, uint64_t ns) {
  series *series = series_of(metrics, family, a, b);
  double seconds = (double)ns / 1e9;
  size_t bucket = 0;
  if (!series)
    return;
  while (bucket < BUCKETS && seconds > bounds[bucket])
    bucket++;
  if (bucket < BUCKETS)
    series->buckets[bucket]++;
  series->value += seconds;
  series->count++;
}

/* ---- as text ---- */

static void put(cbor_out *out, const char *text) {
  cbor_put_raw(out, text, strlen(text));
}

/* Backslash and newline are escaped, in label values the quote as well. */
static void put_escaped(cbor_out *out, const char *text, bool quote) {
  for (; *text; text++) {
    if (*text == '\n')
      put(out, "\\n");
    else if (*text == '\\' || (quote && *text == '"'))
      put(out, *text == '"' ? "\\\"" : "\\\\");
    else
      cbor_put_raw(out, text, 1);
  }
}

static void put_value(cbor_out *out, double value) {
  char text[64];
  bool whole = value >= 0 && value < 9.2e18 && value == (double)(uint64_t)value;
  snprintf(text, sizeof text, whole ? " %.0f\n" : " %.15g\n", value);
  put(out, text);
}

static void put_label(cbor_out *out, const char *name, const char *value, const char **before) {
  if (!name || !value)
    return;
  put(out, *before);
  put(out, name);
  put(out, "=\"");
  put_escaped(out, value, true);
  put(out, "\"");
  *before = ",";
}

/* A sample's name and labels; `le` is a bucket's bound or NULL. */
static void put_name(cbor_out *out, const metrics_family *family, const char *suffix,
                     const series *series, const char *le) {
  const char *before = "{";
  put(out, family->name);
  put(out, suffix);
  for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
    put_label(out, family->labels[i], series->labels[i], &before);
  put_label(out, "le", le, &before);
  if (*before == ',')
    put(out, "}");
}

static void put_histogram(cbor_out *out, const metrics_family *family, const series *series) {
  uint64_t below = 0;
  for (size_t i = 0; i < BUCKETS; i++) {
    char bound[32];
    snprintf(bound, sizeof bound, "%g", bounds[i]);
    below += series->buckets[i];
    put_name(out, family, "_bucket", series, bound);
    put_value(out, (double)below);
  }
  put_name(out, family, "_bucket", series, "+Inf");
  put_value(out, (double)series->count);
  put_name(out, family, "_sum", series, NULL);
  put_value(out, series->value);
  put_name(out, family, "_count", series, NULL);
  put_value(out, (double)series->count);
}

static void put_family(cbor_out *out, const metrics_family *family, const series *series) {
  static const char *const types[] = {"counter", "gauge", "histogram"};
  put(out, "# HELP ");
  put(out, family->name);
  put(out, " ");
  put_escaped(out, family->help, false);
  put(out, "\n# TYPE ");
  put(out, family->name);
  put(out, " ");
  put(out, types[family->type]);
  put(out, "\n");
  for (; series; series = series->next) {
    if (family->type == METRICS_HISTOGRAM) {
      put_histogram(out, family, series);
    } else {
      put_name(out, family, "", series, NULL);
      put_value(out, series->value);
    }
  }
}

char *metrics_text(const metrics *metrics, size_t *len) {
  cbor_out out;
  cbor_out_init(&out, metrics->allocator, TEXT_BYTES_MAX);
  for (size_t i = 0; i < metrics->count; i++)
    put_family(&out, &metrics->families[i], metrics->state[i].first);
  cbor_put_raw(&out, "", 1);
  char *text = (char *)cbor_out_take(&out, len);
  if (text)
    --*len;
  return text;
}
