/* Scripts loaded once for many runs: the same outcome as without, nothing shared. */
#include "unit/run_fixture.h"

static run_options options_of(const run_fixture *f, const char *source) {
  return (run_options){.name = "loaded.js",
                       .source = source,
                       .source_len = strlen(source),
                       .kinds = f->kinds,
                       .kinds_count = KIND_COUNT,
                       .limits = run_limits_default};
}

static run_template *loaded(run_fixture *f, const char *source) {
  const run_options options = options_of(f, source);
  run_template *template = run_template_open(f->shard, &options);
  assert_non_null(template);
  return template;
}

/* False when the run cannot be had. */
static bool start(subject *s, const run_template *template) {
  run_options options = subject_options(s, NULL, 0);
  options.template = template;
  s->run = run_open(s->f->shard, &options);
  return s->run != NULL;
}

static void gives(run_fixture *f, const run_template *template, const char *context,
                  const char *value) {
  subject s;
  subject_init(&s, f);
  s.context = context;
  assert_true(start(&s, template));
  ends_with_value(&s, value);
  subject_close(&s);
}

static void runs_of_one_template_share_nothing(void **state) {
  run_fixture f;
  fixture_open(&f, state);
  run_template *template =
      loaded(&f, "globalThis.count = (globalThis.count ?? 0) + 1; Object.prototype.seen = true;"
                 "async function main(c) { return [count, c.n, await test.echo('x')] }");
  for (int i = 0; i < 20; i++) {
    char context[32], value[32];
    snprintf(context, sizeof context, "{\"n\":%d}", i);
    snprintf(value, sizeof value, "[1,%d,\"x\"]", i);
    gives(&f, template, context, value);
  }
  run_template_close(template);
  fixture_close(&f);
}

static void their_random_numbers_differ(void **state) {
  run_fixture f;
  subject s[2];
  fixture_open(&f, state);
  run_template *template = loaded(&f, "Math.random()");
  for (int i = 0; i < 2; i++) {
    subject_init(&s[i], &f);
    assert_true(start(&s[i], template));
    until_done(&s[i]);
    assert_int_equal(s[i].outcome, RUN_VALUE);
    subject_close(&s[i]);
  }
  assert_string_not_equal(s[0].value, s[1].value);
  run_template_close(template);
  fixture_close(&f);
}

static void a_module_is_loaded_too(void **state) {
  run_fixture f;
  fixture_open(&f, state);
  run_template *template =
      loaded(&f, "let n = 0; export async function main() { return ++n + await test.echo(1) }");
  gives(&f, template, NULL, "2");
  gives(&f, template, NULL, "2");
  run_template_close(template);
  fixture_close(&f);
}

/* Two templates and plain runs in turn: each gets its own. */
static void templates_do_not_mix(void **state) {
  run_fixture f;
  subject plain;
  fixture_open(&f, state);
  run_template *one = loaded(&f, "'one'"), *two = loaded(&f, "'two' + typeof context");
  for (int i = 0; i < 5; i++) {
    gives(&f, one, NULL, "\"one\"");
    subject_init(&plain, &f);
    subject_open(&plain, "'plain'");
    gives(&f, two, NULL, "\"twoobject\"");
    ends_with_value(&plain, "\"plain\"");
    subject_close(&plain);
  }
  run_template_close(one);
  gives(&f, two, NULL, "\"twoobject\"");
  run_template_close(two);
  fixture_close(&f);
}

/* Whether it was loaded or not, a script fails with the same words. */
static void failures_are_those_of_a_plain_run(void **state) {
  static const char *const sources[] = {
      "1 +",
      "let a; let a",
      "\n\n  throw new TypeError('here')",
      "await test.fail(1)",
      "const deep = () => deep() + 1; deep()",
      "import x from 'y'; x",
      "new Promise(() => {})",
  };
  run_fixture f;
  fixture_open(&f, state);
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    subject with, without;
    subject_init(&with, &f);
    subject_init(&without, &f);
    run_template *template = loaded(&f, sources[i]);
    assert_true(start(&with, template));
    until_done(&with);
    assert_true(subject_try(&without, sources[i], strlen(sources[i])));
    until_done(&without);
    assert_int_equal(with.outcome, without.outcome);
    assert_int_equal(with.kind, without.kind);
    assert_string_equal(with.name, without.name);
    assert_string_equal(with.message, without.message);
    subject_close(&with);
    subject_close(&without);
    run_template_close(template);
  }
  fixture_close(&f);
}

/* A run with less memory than the template holds compiles by itself, and hits
 * its limit by itself. */
static void a_limit_below_the_template_holds(void **state) {
  enum { LEN = 12 << 20 };
  run_fixture f;
  subject s;
  fixture_open(&f, state);
  char *source = malloc(LEN + 1);
  assert_non_null(source);
  memset(source, ' ', LEN);
  memcpy(source, "const a = '", 11);
  memset(source + 11, 'x', LEN - 100);
  memcpy(source + LEN - 30, "'; a.length", 11);
  source[LEN] = 0;
  run_template *template = loaded(&f, source);
  free(source);
  char value[32];
  snprintf(value, sizeof value, "%d", LEN - 41);
  gives(&f, template, NULL, value);
  subject_init(&s, &f);
  s.limits.memory_bytes = RUN_MEMORY_MIN;
  assert_true(start(&s, template));
  ends_with_kind(&s, RUN_KIND_MEMORY);
  subject_close(&s);
  run_template_close(template);
  fixture_close(&f);
}

/* ---- memory of the host is short ---- */

static bool scenario(engine_kind engine, size_t nth) {
  run_fixture f = {.counting = {.fail_at = nth}};
  fixture_try(&f, engine);
  if (f.shard) {
    const run_options options = options_of(&f, "await test.echo(1)");
    run_template *template = run_template_open(f.shard, &options);
    for (int i = 0; template && i < 2; i++) {
      subject s;
      subject_init(&s, &f);
      if (start(&s, template))
        until_done(&s);
      subject_close(&s);
    }
    run_template_close(template);
    fixture_close(&f);
  }
  assert_int_equal(f.counting.blocks, 0);
  return f.counting.calls >= nth;
}

static void each_allocation_fails_once(void **state) {
  size_t nth = 1;
  while (scenario(*(const engine_kind *)*state, nth))
    nth++;
  assert_true(nth > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(runs_of_one_template_share_nothing),
      ON_BOTH(their_random_numbers_differ),
      ON_BOTH(a_module_is_loaded_too),
      ON_BOTH(templates_do_not_mix),
      ON_BOTH(failures_are_those_of_a_plain_run),
      ON_WASM(a_limit_below_the_template_holds),
      ON_BOTH(each_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
