/* notes.get through the whole stack: guest, operation, worker thread, SQLite, and back.
 * bench/peers/notes.mjs does the same statement in node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/db.h"
#include "api/host.h"
#include "load_figures.h"

#define NOTES 1000
#define GETS 20000
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* The notes of bench/peers/notes.mjs. */
static const char fill[] = "for (let i = 0; i < " TEXT(
    NOTES) "; i++)"
           "  await notes.create({id: 'n' + i, title: 'title ' + i,"
           "    body: 'word '.repeat(40), tags: ['bench', 'n' + i % 10]}); 0";
static const char one_by_one[] = "for (let i = 0; i < " TEXT(
    GETS) "; i++) {"
          "  const note = await notes.get('n' + i % " TEXT(
              NOTES) ");"
                     "  if (note.title !== 'title ' + i % " TEXT(NOTES) ") throw note;"
                                                                        "} 0";
static const char hundreds[] = "for (let i = 0; i < " TEXT(
    GETS) "; i += 100) {"
          "  const all = await Promise.all(Array.from({length: 100},"
          "    (_, k) => notes.get('n' + (i + k) % " TEXT(
              NOTES) ")));"
                     "  all.forEach((note, k) => {"
                     "    if (note.title !== 'title ' + (i + k) % " TEXT(NOTES) ") throw note; });"
                                                                                "} 0";

typedef struct library {
  char folder[64], file[96], url[112];
  db *db;
  shard *shard;
  pool *pool;
  api_host *host;
  uint64_t done_ns;
} library;

static void library_open(library *l, engine_kind engine) {
  char message[512] = "";
  bool allowed[32];
  size_t kinds;
  api_kinds(&kinds);
  if (kinds > sizeof allowed)
    broken("more kinds than there is room for");
  *l = (library){.done_ns = 0};
  snprintf(l->folder, sizeof l->folder, "/tmp/vow-bench-XXXXXX");
  if (!mkdtemp(l->folder))
    broken("no folder for the database");
  snprintf(l->file, sizeof l->file, "%s/vow.db", l->folder);
  snprintf(l->url, sizeof l->url, "sqlite:%s", l->file);
  if (!db_open(l->url, DB_CREATE, NULL, &l->db, message, sizeof message) ||
      !api_allow("notes.*", allowed, message, sizeof message) ||
      !(l->shard = shard_open(&(shard_options){.engine = engine}, message, sizeof message)))
    broken(message);
  l->pool = pool_open(&(pool_options){.threads_max = 2});
  l->host = l->pool ? api_host_open(NULL, allowed, l->db, "default", l->pool) : NULL;
  if (!l->host || !api_host_bind(l->host, l->shard))
    broken("out of memory");
}

static void library_close(library *l) {
  char path[160];
  static const char *const endings[] = {"", "-wal", "-shm"};
  api_host_unbind(l->host);
  shard_close(l->shard);
  pool_close(l->pool);
  api_host_close(l->host);
  db_close(l->db);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    snprintf(path, sizeof path, "%s%s", l->file, endings[i]);
    unlink(path);
  }
  if (rmdir(l->folder) != 0)
    broken("the database left a file");
}

static void on_done(run *run, const run_report *report, void *user) {
  (void)run;
  library *l = user;
  l->done_ns = clock_ns();
  if (report->outcome != RUN_VALUE)
    broken(report->error.message ? report->error.message : "a run failed");
}

static double seconds_of(library *l, const char *source) {
  const script script = {source, NULL, ANSWER_NEVER};
  const stage none = {.loaded = NULL};
  run_options options = stage_options(&none, &script);
  options.kinds = api_host_kinds(l->host, &options.kinds_count);
  options.limits.operations_max = 0;
  options.limits.queue_max = 0;
  options.on_done = on_done;
  options.user = l;
  l->done_ns = 0;
  uint64_t start = clock_ns();
  run *run = run_open(l->shard, &options);
  if (!run)
    broken("no memory for a run");
  while (l->done_ns == 0)
    shard_turn(l->shard);
  run_dispose(run);
  return (double)(l->done_ns - start) / (double)SECOND_NS;
}

static void add_gets(figures *all, library *l, const char *key, const char *text,
                     const char *source) {
  double values[REPEATS_MAX];
  seconds_of(l, source);
  for (unsigned i = 0; i < repeats; i++)
    values[i] = GETS / seconds_of(l, source);
  figures_add(all, key, text, "1/s", values, repeats);
}

void measure_notes(figures *all) {
  library l;
  library_open(&l, ENGINE_WASM);
  seconds_of(&l, fill);
  add_gets(all, &l, "notes_get_per_s", "notes.get on SQLite, awaited one by one", one_by_one);
  add_gets(all, &l, "notes_get_together_per_s", "  100 in Promise.all", hundreds);
  library_close(&l);
  library_open(&l, ENGINE_NATIVE);
  seconds_of(&l, fill);
  add_gets(all, &l, "native_notes_get_per_s", "engine native: awaited one by one", one_by_one);
  add_gets(all, &l, "native_notes_get_together_per_s", "  100 in Promise.all", hundreds);
  library_close(&l);
}
