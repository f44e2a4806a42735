/* Lines of JSON as `vow notes put` takes them, into a real database. What is JSON
 * and what a note's texts are must be the same to SQLite, which reads the lines,
 * and to our own reader of JSON; a refusal is one clear line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/db.h"
#include "api/notes.h"
#include "core/json_read.h"

#define LINES_MAX 16u

/* The depth SQLite reads. */
static const cbor_limits limits = {.depth = 1000, .nodes = 1 << 16, .bytes = 1 << 20};

static char folder[] = "/tmp/vow-fuzz-notes-XXXXXX";
static db *store;

static void demand(bool holds) {
  if (!holds)
    abort();
}

static void remove_folder(void) {
  static const char *const names[] = {"notes.db", "notes.db-wal", "notes.db-shm"};
  char path[sizeof folder + 20];
  db_close(store);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static void open_store(void) {
  char url[sizeof folder + 20], message[512];
  if (store)
    return;
  demand(mkdtemp(folder) != NULL);
  snprintf(url, sizeof url, "sqlite:%s/notes.db", folder);
  demand(db_open(url, DB_CREATE, NULL, &store, message, sizeof message));
  demand(atexit(remove_folder) == 0);
}

/* ---- one note ---- */

static void check_refusal(const api_error *error, bool is_json) {
  static const char *const names[] = {"TypeError", "RangeError"};
  demand(strcmp(error->name, names[0]) == 0 || strcmp(error->name, names[1]) == 0);
  demand(error->code[0] && error->message[0] && !error->transient);
  for (const char *at = error->message; *at; at++)
    demand((unsigned char)*at >= 0x20);
  if (strcmp(error->code, "INVALID_JSON") == 0)
    demand(!is_json);
}

/* The value of a key that stands in the object once. */
static bool find(const cbor_in *object, const char *key, cbor_in *value) {
  cbor_in in = *object;
  return cbor_find(&in, key, value);
}

static void same_text(const cbor_in *note, const cbor_in *line, const char *key) {
  cbor_in kept, given;
  const char *a = "", *b = "";
  size_t a_len = 0, b_len = 0;
  demand(find(note, key, &kept) && cbor_get_text(&kept, &a, &a_len) == CBOR_OK);
  if (find(line, key, &given))
    demand(cbor_get_text(&given, &b, &b_len) == CBOR_OK);
  demand(a_len == b_len && memcmp(a, b, a_len) == 0);
}

static size_t items_in(const cbor_in *object, const char *key) {
  cbor_in in;
  cbor_item item;
  size_t count = 0;
  if (!find(object, key, &in))
    return 0;
  demand(cbor_next(&in, &item) == CBOR_OK && item.kind == CBOR_ARRAY);
  for (uint64_t i = 0; item.indefinite || i < item.n; i++) {
    cbor_item next;
    if (cbor_peek(&in, &next) != CBOR_OK || next.kind == CBOR_BREAK)
      break;
    demand(cbor_skip(&in) == CBOR_OK);
    count++;
  }
  return count;
}

/* `line` is the object that was put. */
static void check_note(const char *id, const cbor_in *line) {
  cbor_out argument, result;
  api_error error;
  cbor_out_init(&argument, NULL, 1 << 16);
  cbor_out_init(&result, NULL, 1 << 24);
  cbor_put_array(&argument, 1);
  cbor_put_cstring(&argument, id);
  api_call call = {.db = store, .vault = "fuzz", .result = &result, .error = &error};
  cbor_in_init(&call.args, argument.data, argument.len);
  demand(notes_get(&call));
  demand(cbor_check(result.data, result.len, &limits) == CBOR_OK);
  cbor_in note;
  cbor_in_init(&note, result.data, result.len);
  same_text(&note, line, "title");
  same_text(&note, line, "body");
  demand(items_in(&note, "tags") == items_in(line, "tags"));
  cbor_out_free(&argument);
  cbor_out_free(&result);
}

/* ---- an import ---- */

typedef struct put_note {
  char id[NOTES_ID_MAX + 1];
  cbor_out line; /* as our reader has it */
} put_note;

static bool put_line(notes_import *import, const char *text, size_t len, put_note *note) {
  api_error error = {.name = ""};
  notes_put put;
  size_t at;
  /* Exactly as long as it is, so that a read beyond it is seen. */
  char *exact = malloc(len ? len : 1);
  demand(exact != NULL);
  if (len)
    memcpy(exact, text, len);
  cbor_out_init(&note->line, NULL, 1 << 22);
  bool is_json = json_to_cbor(exact, len, false, &limits, &note->line, &at) == CBOR_OK;
  bool done = notes_import_put(import, exact, len, &put, &error);
  free(exact);
  demand(!done || is_json);
  if (!done)
    check_refusal(&error, is_json);
  else
    memcpy(note->id, put.id, sizeof note->id);
  return done;
}

/* A later line may replace the note of an earlier one. */
static bool is_last(const put_note *notes, size_t count, size_t i) {
  for (size_t k = i + 1; k < count; k++)
    if (strcmp(notes[k].id, notes[i].id) == 0)
      return false;
  return true;
}

static void delete_all(const put_note *notes, size_t count) {
  api_error error;
  notes_import *import = notes_import_begin(store, "fuzz", NULL, NULL, &error);
  demand(import != NULL);
  for (size_t i = 0; i < count; i++)
    if (is_last(notes, count, i))
      demand(notes_import_delete(import, notes[i].id, strlen(notes[i].id), &error));
  demand(notes_import_end(import, true, &error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static put_note notes[LINES_MAX];
  api_error error;
  size_t count = 0;
  bool fine = true;
  open_store();
  notes_import *import = notes_import_begin(store, "fuzz", NULL, NULL, &error);
  demand(import != NULL);
  const char *at = (const char *)data, *end = at + size;
  while (fine && at < end && count < LINES_MAX) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((stop ? stop : end) - at);
    fine = put_line(import, at, len, &notes[count++]);
    at += len + (stop != NULL);
  }
  demand(notes_import_end(import, fine, &error) == fine);
  for (size_t i = 0; i < count; i++) {
    cbor_in line;
    cbor_in_init(&line, notes[i].line.data, notes[i].line.len);
    if (fine && is_last(notes, count, i))
      check_note(notes[i].id, &line);
  }
  if (fine && count > 0)
    delete_all(notes, count);
  for (size_t i = 0; i < count; i++)
    cbor_out_free(&notes[i].line);
  return 0;
}
