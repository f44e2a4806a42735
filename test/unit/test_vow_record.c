/* The public interface: the files that a runtime makes, and what its audit says of
 * operations from their creation to what comes after the end of their run. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/audit.h"
#include "unit/vow_fixture.h"

#define TEXT_MAX 65536

typedef struct folder {
  char path[32], audit[64], database[64], url[80];
} folder;

static void folder_make(folder *d) {
  snprintf(d->path, sizeof d->path, "/tmp/vow-record-XXXXXX");
  assert_non_null(mkdtemp(d->path));
  snprintf(d->audit, sizeof d->audit, "%s/audit", d->path);
  snprintf(d->database, sizeof d->database, "%s/notes.db", d->path);
  snprintf(d->url, sizeof d->url, "sqlite:%s", d->database);
}

static unsigned files_in(const folder *d) {
  unsigned count = 0;
  DIR *dir = opendir(d->path);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static size_t read_text(const char *path, char text[TEXT_MAX]) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(text, 1, TEXT_MAX - 1, file);
  fclose(file);
  text[len] = 0;
  return len;
}

/* ---- opening ---- */

/* Does not open, for the reason given, and leaves so many files. */
static void refused(const folder *d, vow_runtime_options options, vow_status status,
                    const char *why, unsigned files) {
  fixture f = {0};
  char message[512];
  options.message = message;
  options.message_size = sizeof message;
  assert_int_equal(fixture_try(&f, &options), status);
  if (!strstr(message, why))
    print_error("%s\n", message);
  assert_non_null(strstr(message, why));
  assert_int_equal(files_in(d), files);
  assert_int_equal(atomic_load(&f.blocks), 0);
}

static void a_mistake_leaves_nothing_behind(void **state) {
  folder d;
  char other[128];
  folder_make(&d);
  const vow_runtime_options good = {.engine = *(const vow_engine *)*state,
                                    .builtins = "notes.*",
                                    .audit = d.audit,
                                    .database = d.url};
  vow_runtime_options options = good;
  options.builtins = "notes.*,nothing.get";
  refused(&d, options, VOW_E_UNKNOWN, "no operation 'nothing.get'", 0);
  options = good;
  options.vault = "";
  refused(&d, options, VOW_E_INVALID, "vault: ", 0);
  options = good;
  options.workers_max = 65;
  refused(&d, options, VOW_E_INVALID, "workers_max: at most 64", 0);
  options = good;
  options.database = "file:notes.db";
  refused(&d, options, VOW_E_OPEN, "a database is given as sqlite:FILE", 0);
  snprintf(other, sizeof other, "sqlite:%s/none/notes.db", d.path);
  options.database = other;
  refused(&d, options, VOW_E_OPEN, "notes.db", 0);
  options = good;
  snprintf(other, sizeof other, "%s/none/audit", d.path);
  options.audit = other;
  refused(&d, options, VOW_E_OPEN, "cannot be written: No such file", 0);
  options.audit = d.database;
  refused(&d, options, VOW_E_INVALID, "it is a file of the database", 0);
  if (good.engine == VOW_ENGINE_WASM) {
    options = good;
    options.guest_dir = d.path;
    refused(&d, options, VOW_E_OPEN, "guest", 0);
  }
  assert_int_equal(rmdir(d.path), 0);
}

/* What was there before is not Vow's to remove. */
static void a_mistake_changes_no_file(void **state) {
  folder d;
  char text[TEXT_MAX];
  folder_make(&d);
  vow_runtime_options options = {.engine = *(const vow_engine *)*state,
                                 .builtins = "kv.get",
                                 .audit = d.audit,
                                 .database = d.url};
  write_text(d.audit, "somebody's letter\n");
  refused(&d, options, VOW_E_OPEN, "does not end with a line of an audit", 1);
  assert_int_equal(read_text(d.audit, text), 18);
  write_text(d.audit, "");
  options.database = "sqlite:";
  refused(&d, options, VOW_E_OPEN, "names no file", 1);
  write_text(d.database, "no database");
  options.database = d.url;
  refused(&d, options, VOW_E_OPEN, "notes.db", 2);
  assert_int_equal(read_text(d.database, text), 11);
  unlink(d.audit);
  unlink(d.database);
  fixture f = {0};
  assert_int_equal(fixture_try(&f, &options), VOW_OK); /* and now both are made */
  fixture_close(&f);
  assert_int_equal(unlink(d.audit), 0);
  assert_int_equal(unlink(d.database), 0);
  assert_int_equal(rmdir(d.path), 0);
}

/* ---- what the audit says ---- */

typedef struct record {
  fixture f;
  folder d;
  char text[TEXT_MAX];
} record;

static void record_open(record *r, void **state) {
  *r = (record){.f = {0}};
  folder_make(&r->d);
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .audit = r->d.audit};
  assert_int_equal(fixture_try(&r->f, &options), VOW_OK);
}

/* Closes the runtime; `text` is its audit, a whole chain, from then on. */
static void record_close(record *r) {
  static audit_check check;
  fixture_close(&r->f);
  size_t len = read_text(r->d.audit, r->text);
  audit_check_begin(&check, NULL);
  audit_check_feed(&check, r->text, len);
  assert_int_equal(audit_check_end(&check), AUDIT_WHOLE);
  assert_int_equal(unlink(r->d.audit), 0);
  assert_int_equal(rmdir(r->d.path), 0);
}

static void subject_begin(subject *s, record *r, const char *source, const char *tenant) {
  subject_init(s, &r->f, source);
  s->request.tenant = tenant;
  assert_int_equal(subject_try(s), VOW_OK);
}

static bool holds(const char *line, const char *end, const char *part) {
  const char *at = strstr(line, part);
  return at && at < end;
}

/* The events of an operation of the tenant's run, as "created started settled"; 0: of
 * the run and all of its operations. */
static const char *events_of(const record *r, const char *tenant, unsigned operation) {
  static char events[1024];
  char whose[64], which[64];
  size_t used = 0;
  events[0] = 0;
  snprintf(whose, sizeof whose, "\"tenant\":\"%s\"", tenant);
  snprintf(which, sizeof which, "\"operation\":%u,", operation);
  for (const char *line = r->text, *end; (end = strchr(line, '\n')); line = end + 1) {
    static const char name[] = "\"event\":\"";
    const char *event = strstr(line, name);
    assert_non_null(event);
    event += sizeof name - 1;
    if (!holds(line, end, whose) || (operation && !holds(line, end, which)))
      continue;
    used += (size_t)snprintf(events + used, sizeof events - used, "%s%.*s", used ? " " : "",
                             (int)strcspn(event, "\""), event);
    assert_true(used < sizeof events);
  }
  return events;
}

static void answer_next(fixture *f, bool failing) {
  static const vow_error busy = {.size = sizeof busy, .transient = true};
  until_held(f, 1);
  vow_op *op = take_held(f);
  assert_int_equal(failing ? vow_op_reject(op, &busy) : vow_op_fulfil_json(op, "7"), VOW_OK);
  vow_op_release(op);
}

/* Of what a run leaves behind, whether it is disposed or not, each answer has a line. */
static void a_late_answer_is_told_after_the_end(void **state) {
  static record r;
  subject s, t;
  record_open(&r, state);
  subject_begin(&s, &r, "test.hold(1); await test.hold(2)", "acme");
  subject_begin(&t, &r, "await test.hold(3)", "other");
  until_held(&r.f, 3);
  vow_run_cancel(s.run);
  vow_run_cancel(t.run);
  assert_int_equal(vow_run_report(s.run)->late, 0);
  subject_close(&s);
  vow_op *first = take_held(&r.f), *second = take_held(&r.f), *third = take_held(&r.f);
  assert_int_equal(vow_op_fulfil_json(first, "1"), VOW_LATE);
  assert_int_equal(vow_op_reject(third, NULL), VOW_LATE);
  vow_op_release(first);
  vow_op_release(second); /* no answer, but an end */
  vow_op_release(third);
  assert_int_equal(vow_loop_run(r.f.rt, VOW_LOOP_DONE), VOW_OK);
  assert_int_equal(counts_of(&r.f).late, 3);
  subject_close(&t);
  record_close(&r);
  assert_string_equal(events_of(&r, "acme", 1), "created started cancelled late");
  assert_string_equal(events_of(&r, "acme", 2), "created started cancelled late");
  const char *all = events_of(&r, "acme", 0); /* the script may be interrupted between the two */
  if (!strstr(all, "opened created started created started "))
    assert_non_null(strstr(all, "opened created created started started "));
  assert_non_null(strstr(all, " started cancelled cancelled ended late late"));
  assert_string_equal(events_of(&r, "other", 0), "opened created started cancelled ended late");
  const char *late = strstr(r.text, "\"event\":\"late\"");
  const char *end = strchr(late, '\n');
  assert_true(holds(late, end, "\"state\":\"fulfilled\""));
  assert_true(holds(late, end, "\"age_ms\":"));
  assert_true(holds(late, end, "\"name\":\"test.hold\""));
}

/* What is still held when the runtime is closed ends with it, and is told before the
 * file ends. */
static void closing_tells_of_what_was_at_work(void **state) {
  static record r;
  subject s;
  static const vow_policy blocking = {.size = sizeof blocking, .blocking = true};
  record_open(&r, state);
  assert_int_equal(vow_register(r.f.rt, "test.work", on_block, &blocking, &r.f), VOW_OK);
  subject_begin(&s, &r, "test.work(1); test.hold(2); for (;;) await test.echo(3)", "acme");
  until_held(&r.f, 1);
  assert_int_equal(vow_runtime_close(r.f.rt), VOW_OK);
  release_all_held(&r.f);
  assert_int_equal(atomic_load(&r.f.blocks), 0);
  read_text(r.d.audit, r.text);
  unlink(r.d.audit);
  rmdir(r.d.path);
  assert_string_equal(events_of(&r, "acme", 2), "created started cancelled late");
  const char *ended = strstr(r.text, "\"event\":\"ended\"");
  assert_non_null(ended);
  assert_non_null(strstr(ended, "\"event\":\"late\""));
}

/* The second attempt finds its place taken by a call that waited for it. */
static void an_attempt_that_waits_is_told(void **state) {
  static record r;
  subject s;
  const vow_policy policy = {
      .size = sizeof policy, .concurrent_max = 1, .attempts = 2, .idempotent = true};
  record_open(&r, state);
  assert_int_equal(vow_register(r.f.rt, "test.single", on_hold, &policy, &r.f), VOW_OK);
  subject_begin(&s, &r, "await Promise.all([test.single(1), test.single(2)])", "acme");
  until_created(&s, 2);
  answer_next(&r.f, true);
  until_held(&r.f, 1); /* the second call */
  while (s.events[VOW_EVENT_QUEUED] < 2)
    assert_int_equal(vow_loop_run(r.f.rt, VOW_LOOP_ONCE), VOW_OK);
  for (int i = 0; i < 2; i++)
    answer_next(&r.f, false);
  ends_with_value(&s, "[7,7]");
  subject_close(&s);
  record_close(&r);
  assert_string_equal(events_of(&r, "acme", 1), "created started retried queued started settled");
  assert_string_equal(events_of(&r, "acme", 2), "created queued started settled");
}

/* It waits from when the run of its leader has ended. */
static void a_follower_that_leads_and_waits_is_told(void **state) {
  static record r;
  subject busy, leader, follower;
  const vow_policy policy = {.size = sizeof policy, .concurrent_max = 1, .single_flight = true};
  record_open(&r, state);
  assert_int_equal(vow_register(r.f.rt, "test.shared", on_hold, &policy, &r.f), VOW_OK);
  subject_begin(&busy, &r, "await test.shared('other')", "busy");
  until_held(&r.f, 1);
  subject_begin(&leader, &r, "await test.shared('x')", "leader");
  while (!leader.events[VOW_EVENT_CREATED])
    assert_int_equal(vow_loop_run(r.f.rt, VOW_LOOP_ONCE), VOW_OK);
  subject_begin(&follower, &r, "await Promise.all([test.shared('x'), test.shared('x')])",
                "follower");
  while (follower.events[VOW_EVENT_CREATED] < 2)
    assert_int_equal(vow_loop_run(r.f.rt, VOW_LOOP_ONCE), VOW_OK);
  assert_int_equal(follower.events[VOW_EVENT_QUEUED], 0);
  subject_close(&leader);
  assert_int_equal(follower.events[VOW_EVENT_QUEUED], 1);
  for (int i = 0; i < 2; i++)
    answer_next(&r.f, false);
  ends_with_value(&follower, "[7,7]");
  ends_with_value(&busy, "7");
  subject_close(&follower);
  subject_close(&busy);
  record_close(&r);
  assert_string_equal(events_of(&r, "leader", 1), "created queued cancelled");
  assert_string_equal(events_of(&r, "follower", 1), "created queued started settled");
  assert_string_equal(events_of(&r, "follower", 2), "created settled");
}

/* Two runs lead and follow; both end while all of it waits, the leader's first. */
static void runs_that_end_together_tell_nothing_of_each_other(void **state) {
  static record r;
  subject busy, all;
  const vow_policy policy = {.size = sizeof policy, .concurrent_max = 1, .single_flight = true};
  record_open(&r, state);
  assert_int_equal(vow_register(r.f.rt, "test.shared", on_hold, &policy, &r.f), VOW_OK);
  subject_begin(&busy, &r, "await test.shared('other')", "busy");
  until_held(&r.f, 1);
  subject_begin(&all, &r, "await Promise.all([1, 1, 1].map((n) => test.shared(n)))", "all");
  while (all.events[VOW_EVENT_CREATED] < 3)
    assert_int_equal(vow_loop_run(r.f.rt, VOW_LOOP_ONCE), VOW_OK);
  subject_close(&all);
  answer_next(&r.f, false);
  ends_with_value(&busy, "7");
  subject_close(&busy);
  record_close(&r);
  assert_string_equal(events_of(&r, "all", 1), "created queued cancelled");
  assert_string_equal(events_of(&r, "all", 2), "created cancelled");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(a_mistake_leaves_nothing_behind),
      ON_BOTH(a_mistake_changes_no_file),
      ON_BOTH(a_late_answer_is_told_after_the_end),
      ON_BOTH(closing_tells_of_what_was_at_work),
      ON_BOTH(an_attempt_that_waits_is_told),
      ON_BOTH(a_follower_that_leads_and_waits_is_told),
      ON_BOTH(runs_that_end_together_tell_nothing_of_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
