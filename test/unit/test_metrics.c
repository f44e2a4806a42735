/* Metrics as text: what is printed is what was counted, and is well-formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/metrics.h"
#include "unit/counting_alloc.h"

enum { COUNTER, GAUGE, HISTOGRAM, FAMILIES };

static const metrics_family families[FAMILIES] = {
    [COUNTER] = {"a_total", METRICS_COUNTER, "Back\\slash and\nnewline.", {"kind", "state"}},
    [GAUGE] = {"b_bytes", METRICS_GAUGE, "B.", {NULL}},
    [HISTOGRAM] = {"c_seconds", METRICS_HISTOGRAM, "C.", {"kind"}},
};

typedef struct fixture {
  counting_alloc counting;
  vow_allocator allocator;
  metrics *metrics;
} fixture;

static void open_fixture(fixture *f) {
  *f = (fixture){0};
  f->allocator = counting_allocator(&f->counting);
  f->metrics = metrics_open(&f->allocator, families, FAMILIES);
  assert_non_null(f->metrics);
}

static void close_fixture(fixture *f) {
  metrics_close(f->metrics);
  assert_int_equal(f->counting.blocks, 0);
}

static void expect(fixture *f, const char *line) {
  size_t len;
  char *text = metrics_text(f->metrics, &len);
  assert_non_null(text);
  assert_int_equal(strlen(text), len);
  if (!strstr(text, line))
    print_error("%s\nlacks: %s\n", text, line);
  assert_non_null(strstr(text, line));
  mem_free(&f->allocator, text);
}

static void values(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f);
  metrics_add(f.metrics, COUNTER, "x", "y", 1);
  metrics_add(f.metrics, COUNTER, "x", "y", 2);
  metrics_add(f.metrics, COUNTER, "x", "z", 9007199254740992.0);
  metrics_set(f.metrics, GAUGE, NULL, NULL, 7);
  metrics_max(f.metrics, GAUGE, NULL, NULL, 6);
  expect(&f, "# TYPE a_total counter\n"
             "a_total{kind=\"x\",state=\"y\"} 3\n"
             "a_total{kind=\"x\",state=\"z\"} 9007199254740992\n");
  expect(&f, "# HELP a_total Back\\\\slash and\\nnewline.\n");
  expect(&f, "b_bytes 7\n");
  metrics_max(f.metrics, GAUGE, NULL, NULL, 8);
  expect(&f, "b_bytes 8\n");
  close_fixture(&f);
}

static void escapes(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f);
  metrics_add(f.metrics, COUNTER, "a\"b\\c\nd", NULL, 1);
  expect(&f, "a_total{kind=\"a\\\"b\\\\c\\nd\",state=\"\"} 1\n");
  close_fixture(&f);
}

static void histogram(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f);
  metrics_observe(f.metrics, HISTOGRAM, "k", NULL, 0);
  metrics_observe(f.metrics, HISTOGRAM, "k", NULL, 1000000); /* a bound belongs to its bucket */
  metrics_observe(f.metrics, HISTOGRAM, "k", NULL, 60000000000);
  expect(&f, "c_seconds_bucket{kind=\"k\",le=\"0.0005\"} 1\n"
             "c_seconds_bucket{kind=\"k\",le=\"0.001\"} 2\n");
  expect(&f, "c_seconds_bucket{kind=\"k\",le=\"30\"} 2\n"
             "c_seconds_bucket{kind=\"k\",le=\"+Inf\"} 3\n"
             "c_seconds_sum{kind=\"k\"} 60.001\n"
             "c_seconds_count{kind=\"k\"} 3\n");
  close_fixture(&f);
}

static void bounded(void **state) {
  (void)state;
  fixture f;
  open_fixture(&f);
  for (unsigned i = 0; i < METRICS_SERIES_MAX + 100; i++) {
    char kind[16];
    snprintf(kind, sizeof kind, "k%u", i);
    metrics_add(f.metrics, COUNTER, kind, "s", 1);
  }
  expect(&f, "a_total{kind=\"other\",state=\"other\"} 101\n");
  close_fixture(&f);
}

static void short_memory(void **state) {
  (void)state;
  for (size_t n = 1; n < 20; n++) {
    fixture f;
    open_fixture(&f);
    f.counting.fail_at = f.counting.calls + n;
    metrics_add(f.metrics, COUNTER, "x", "y", 1);
    metrics_observe(f.metrics, HISTOGRAM, "x", NULL, 1);
    size_t len;
    char *text = metrics_text(f.metrics, &len);
    assert_true(metrics_lost(f.metrics) <= 1);
    mem_free(&f.allocator, text);
    f.counting.fail_at = 0;
    metrics_add(f.metrics, COUNTER, "x", "y", 1);
    expect(&f, "a_total{kind=\"x\",state=\"y\"} ");
    close_fixture(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values),  cmocka_unit_test(escapes),      cmocka_unit_test(histogram),
      cmocka_unit_test(bounded), cmocka_unit_test(short_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
