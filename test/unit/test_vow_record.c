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

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(a_mistake_leaves_nothing_behind),
      ON_BOTH(a_mistake_changes_no_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
