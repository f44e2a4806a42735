/* Runs that are programs: what holds them, what ends them, at every moment, with memory
 * that is short; and the files they import. */
#include <unistd.h>

#include "unit/run_fixture.h"

static const char *const arguments[] = {"vow", "program.js", "\xff"};
static const char *const environment[] = {"A=1", "EMPTY=", "ODD=\xfe", "none", NULL};
static const run_program program = {.arguments = arguments,
                                    .arguments_count = 3,
                                    .environment = environment,
                                    .folder = "/somewhere",
                                    .pid = 42};

/* ---- files to import ---- */

static char folder[] = "/tmp/vow-program-XXXXXX";

static void write_file(const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int make_files(void **state) {
  (void)state;
  assert_non_null(mkdtemp(folder));
  write_file("a.mjs", "import { b } from './b.mjs'; import data from './data.json' with { type: "
                      "'json' }; export const a = b + data.n;");
  write_file("b.mjs", "export const b = await Promise.resolve(40);");
  write_file("data.json", "{\"n\": 2}");
  write_file("bad.mjs", "import './worse.mjs';");
  write_file("worse.mjs", "let let = 1;");
  return 0;
}

static int remove_files(void **state) {
  static const char *const names[] = {"a.mjs", "b.mjs", "data.json", "bad.mjs", "worse.mjs"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    assert_int_equal(unlink(path), 0);
  }
  return rmdir(folder);
}

static char *read_module(void *user, const char *name, size_t *len, char *message,
                         size_t message_size) {
  (void)user;
  FILE *file = fopen(name, "r");
  char *text = file ? calloc(1, 4096) : NULL;
  if (text)
    *len = fread(text, 1, 4095, file);
  else
    snprintf(message, message_size, "cannot be read");
  if (file)
    fclose(file);
  return text;
}

static void trust(run_fixture *f) {
  static const engine_trust trusted = {.read_module = read_module};
  engine_set_trust(shard_engine(f->shard), &trusted);
}

static void open_program(run_fixture *f, subject *s, void **state) {
  fixture_open(f, state);
  trust(f);
  subject_init(s, f);
  s->program = &program;
  s->leaks = ANY_LEAKS; /* of programs that are ended */
}

/* ---- what holds a program, and what ends it ---- */

static void its_process(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  subject_open(&s, "console.log(JSON.stringify([process.argv, process.env, process.cwd(), "
                   "process.pid]))");
  ends_with_value(&s, "null");
  assert_string_equal(s.log, "1:[[\"vow\",\"program.js\",\"\xef\xbf\xbd\"],{\"A\":\"1\",\"EMPTY\":"
                             "\"\",\"ODD\":\"\xef\xbf\xbd\"},\"/somewhere\",42]\n");
  assert_int_equal(s.report.exit_status, 0);
  subject_close(&s);
  fixture_close(&f);
}

static void timers_and_operations_hold_it(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  subject_open(&s, "setTimeout(() => { test.hold(1).then(() => setTimeout(() => console.log('end'))"
                   "); }, 1); process.exitCode = 3; 'value'");
  until_started(&f, 1);
  turn_without_waiting(&f);
  assert_int_equal(s.done, 0);
  answer_held(&f, 0);
  ends_with_value(&s, "null");
  assert_string_equal(s.log, "1:end\n");
  assert_int_equal(s.report.exit_status, 3);
  subject_close(&s);
  fixture_close(&f);
}

static void exit_cancels_what_is_live(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  subject_open(&s, "setTimeout(() => {}, 60000); test.polite(1); test.polite(2);"
                   "setTimeout(() => { process.exit(9); console.log('never'); }, 1)");
  ends_with_value(&s, "null");
  assert_int_equal(s.report.exit_status, 9);
  assert_int_equal(s.report.operations.cancelled, 2);
  assert_int_equal(f.stopped, 2);
  assert_string_equal(s.log, "");
  subject_close(&s);
  fixture_close(&f);
}

static void what_nobody_handles_ends_it(void **state) {
  static const struct {
    const char *source, *name;
    bool rejected;
  } ends[] = {
      {"setTimeout(() => { throw new RangeError('x') }, 1)", "RangeError", false},
      {"setTimeout(() => { Promise.reject(new TypeError('x')) }, 1)", "TypeError", true},
      {"queueMicrotask(() => { throw new SyntaxError('x') })", "SyntaxError", false},
      {"test.fail(1)", "NotFoundError", true},
      {"await test.fail(1)", "NotFoundError", false},
  };
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    run_fixture f;
    subject s;
    open_program(&f, &s, state);
    char source[300];
    snprintf(source, sizeof source, "setInterval(() => {}, 5); test.polite(1); %s", ends[i].source);
    subject_open(&s, source);
    until_done(&s);
    assert_int_equal(s.outcome, RUN_ERROR);
    assert_string_equal(s.name, ends[i].name);
    assert_int_equal(s.report.error.rejected, ends[i].rejected);
    subject_close(&s);
    fixture_close(&f);
  }
}

static void top_level_await_for_nothing(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  subject_open(&s, "setTimeout(() => console.log('timer'), 1); await new Promise(() => {})");
  ends_with_kind(&s, RUN_KIND_DEADLOCK);
  assert_string_equal(s.log, "1:timer\n");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- interrupting ---- */

static void interrupt(subject *s) {
  run_interrupt(s->run);
}

static void interrupted_in_a_turn(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  s.when_logged = interrupt;
  subject_open(&s, "console.log('x'); for (;;) try { for (;;); } catch {}");
  ends_with_kind(&s, RUN_KIND_CANCELLED);
  subject_close(&s);
  fixture_close(&f);
}

static void interrupted_between_turns(void **state) {
  run_fixture f;
  subject s;
  open_program(&f, &s, state);
  subject_open(&s, "test.polite(1)");
  run_interrupt(s.run); /* before its first turn */
  ends_with_kind(&s, RUN_KIND_CANCELLED);
  run_interrupt(s.run); /* after its last */
  subject_close(&s);
  subject_init(&s, &f);
  s.program = &program;
  s.leaks = ANY_LEAKS;
  subject_open(&s, "test.polite(1)");
  until_started(&f, 1);
  turn_without_waiting(&f);
  run_interrupt(s.run);
  run_cancel(s.run);
  assert_int_equal(s.kind, RUN_KIND_CANCELLED);
  subject_close(&s);
  fixture_close(&f);
}

static void disposed_at_any_moment(void **state) {
  for (unsigned turns = 0; turns < 6; turns++) {
    run_fixture f;
    subject s;
    open_program(&f, &s, state);
    subject_open(&s, "setInterval(() => test.later(1), 1); await test.later(1); test.polite(1)");
    for (unsigned i = 0; i < turns; i++)
      shard_turn(f.shard);
    subject_close(&s);
    fixture_close(&f);
  }
}

/* ---- memory that is short ---- */

static const char everything[] =
    "const t = setTimeout(() => {}, 60000); clearTimeout(t); process.stdout.write('raw');"
    "for (let i = 0; i < 40; i++) setTimeout(() => {}, i % 2);"
    "await Promise.all([test.echo({a: 1}), test.later(1), test.fail(1).catch(() => {})]);"
    "const { a } = await import(`${process.argv[3]}/a.mjs`); process.exitCode = a;"
    "await import(`${process.argv[3]}/bad.mjs`).catch((error) => { if (error.name !== "
    "'SyntaxError') throw error; });";

static const run_program *with_folder(run_program *told, const char **given) {
  given[0] = "vow";
  given[1] = given[2] = "";
  given[3] = folder;
  *told = program;
  told->arguments = given;
  told->arguments_count = 4;
  return told;
}

static bool one_allocation_fails(size_t nth, bool for_ever) {
  const char *given[4];
  run_program told;
  run_fixture f = {.counting = {.fail_at = nth, .for_ever = for_ever}};
  fixture_try(&f, ENGINE_NATIVE);
  if (f.shard) {
    subject s;
    trust(&f);
    subject_init(&s, &f);
    s.program = with_folder(&told, given);
    s.leaks = ANY_LEAKS;
    if (subject_try(&s, everything, strlen(everything))) {
      until_done(&s);
      if (s.kind == RUN_KIND_NONE)
        assert_int_equal(s.report.exit_status, 42);
      else
        assert_true(s.kind == RUN_KIND_INTERNAL || s.kind == RUN_KIND_API ||
                    s.kind == RUN_KIND_MEMORY);
    }
    subject_close(&s);
    fixture_close(&f);
  }
  assert_int_equal(f.counting.blocks, 0);
  return f.counting.calls >= nth;
}

static void each_allocation_of_the_host_fails(void **state) {
  (void)state;
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    size_t nth = 1;
    while (one_allocation_fails(nth, for_ever))
      nth++;
    assert_true(nth > 20);
  }
}

/* Every limit from one that no guest can be made in to one that is enough: each
 * allocation of the guest is the one that is refused somewhere in between. */
static void any_limit_of_the_guest(void **state) {
  const char *given[4];
  run_program told;
  run_fixture f;
  subject s;
  unsigned enough = 0, refused = 0;
  fixture_open(&f, state);
  trust(&f);
  for (uint64_t limit = 100000; enough < 3; limit += 1021) {
    assert_true(limit < 8u << 20);
    subject_init(&s, &f);
    s.limits.memory_bytes = limit;
    s.program = with_folder(&told, given);
    s.leaks = ANY_LEAKS;
    if (!subject_try(&s, everything, strlen(everything))) {
      refused++;
      continue;
    }
    until_done(&s);
    enough += s.kind == RUN_KIND_NONE && s.report.exit_status == 42;
    refused += s.kind == RUN_KIND_MEMORY;
    subject_close(&s);
  }
  assert_true(refused > 20);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_NATIVE(its_process),
      ON_NATIVE(timers_and_operations_hold_it),
      ON_NATIVE(exit_cancels_what_is_live),
      ON_NATIVE(what_nobody_handles_ends_it),
      ON_NATIVE(top_level_await_for_nothing),
      ON_NATIVE(interrupted_in_a_turn),
      ON_NATIVE(interrupted_between_turns),
      ON_NATIVE(disposed_at_any_moment),
      ON_NATIVE(each_allocation_of_the_host_fails),
      ON_NATIVE(any_limit_of_the_guest),
  };
  return cmocka_run_group_tests(tests, make_files, remove_files);
}
