#include "cli/notes.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "api/db.h"
#include "api/notes.h"
#include "cli/options.h"
#include "core/cbor.h"
#include "core/json.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define READ_CHUNK 65536
#define PROGRESS_STEP 10000 /* lines between two progress messages */

typedef struct notes_target {
  const char *db, *vault, *file, *after;
  uint64_t limit;
  bool help;
} notes_target;

#define COMMON_OPTIONS                                                                             \
  OPTION_TEXT(notes_target, db, "db", "URL",                                                       \
              "the database, sqlite:FILE; default " DB_URL_DEFAULT),                               \
      OPTION_TEXT(notes_target, vault, "vault", "NAME",                                            \
                  "the vault the notes are in; default " NOTES_VAULT_DEFAULT),                     \
      OPTION_FLAG(notes_target, help, "help", "show this help")

static const option_spec put_options[] = {
    OPTION_TEXT(notes_target, file, "file", "FILE",
                "JSON lines to read; default -, standard input"),
    COMMON_OPTIONS,
};
static const option_spec list_options[] = {
    OPTION_NUMBER(notes_target, limit, "limit", "N", 1, UINT32_MAX,
                  "print at most so many notes; default all"),
    OPTION_TEXT(notes_target, after, "after", "ID", "start behind this id"),
    COMMON_OPTIONS,
};
static const option_spec other_options[] = {COMMON_OPTIONS};

typedef struct session {
  const char *command; /* "notes put" */
  notes_target options;
  char **arguments;
  int count;
  db *db;
} session;

typedef struct subcommand {
  const char *name, *usage;
  option_table table;
  int (*run)(session *s);
  bool with_db; /* `run` finds the database open */
  int arguments_min, arguments_max;
} subcommand;

__attribute__((format(printf, 2, 3))) static void complain(const session *s, const char *format,
                                                           ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "vow %s: ", s->command);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

/* An operation's message without its name, which the command says already. */
static const char *reason(const api_error *error) {
  const char *colon = strstr(error->message, ": ");
  return colon && strncmp(error->message, "notes.", 6) == 0 ? colon + 2 : error->message;
}

static int finish_output(const session *s) {
  if (fflush(stdout) == 0 && !ferror(stdout))
    return EXIT_OK;
  complain(s, "cannot write to standard output: %s", strerror(errno));
  return EXIT_FAILED;
}

/* ---- calls of the operations ---- */

/* Calls `handler` with the one argument in `argument`; the result is a growing
 * buffer that the caller frees, whatever is returned. */
static bool call(session *s, api_handler *handler, const cbor_out *argument, cbor_out *result,
                 api_error *error) {
  uint8_t head[1];
  cbor_out array, whole;
  cbor_out_fixed(&array, head, sizeof head);
  cbor_put_array(&array, 1);
  cbor_out_init(&whole, NULL, SIZE_MAX);
  cbor_put_raw(&whole, head, array.len);
  cbor_put_raw(&whole, argument->data, argument->len);
  bool done = false;
  if (whole.status != CBOR_OK || argument->status != CBOR_OK) {
    api_error_set(error, "ApiError", "NO_MEMORY", false, "out of memory");
  } else {
    api_call record = {.db = s->db, .vault = s->options.vault, .result = result, .error = error};
    cbor_in_init(&record.args, whole.data, whole.len);
    done = handler(&record);
  }
  cbor_out_free(&whole);
  return done;
}

/* Prints one item as a line of JSON. */
static bool print_json(const uint8_t *item, size_t len) {
  static const cbor_limits limits = {.depth = 16, .nodes = 1 << 20, .bytes = SIZE_MAX};
  cbor_out line;
  cbor_out_init(&line, NULL, SIZE_MAX);
  cbor_status status = json_from_cbor(item, len, &limits, &line);
  cbor_put_raw(&line, "\n", 1);
  bool fine = status == CBOR_OK && line.status == CBOR_OK;
  if (fine)
    fwrite(line.data, 1, line.len, stdout);
  cbor_out_free(&line);
  return fine;
}

static int get(session *s) {
  api_error error;
  cbor_out id, result;
  cbor_out_init(&id, NULL, SIZE_MAX);
  cbor_out_init(&result, NULL, SIZE_MAX);
  cbor_put_cstring(&id, s->arguments[0]);
  int status = EXIT_FAILED;
  if (!call(s, notes_get, &id, &result, &error))
    complain(s, "%s", reason(&error));
  else if (!print_json(result.data, result.len))
    complain(s, "out of memory");
  else
    status = finish_output(s);
  cbor_out_free(&id);
  cbor_out_free(&result);
  return status;
}

/* ---- list ---- */

/* A cursor over pages, so that a reader who is slow blocks no writer. */
typedef struct listing {
  char after[NOTES_ID_MAX + 1]; /* "": from the start */
  uint64_t left;
} listing;

static bool print_items(cbor_in in, uint64_t *printed) {
  cbor_item head;
  *printed = 0;
  if (cbor_next(&in, &head) != CBOR_OK)
    return false;
  for (uint64_t i = 0; head.indefinite || i < head.n; i++) {
    const uint8_t *bytes;
    size_t len;
    cbor_item item;
    if (cbor_peek(&in, &item) != CBOR_OK)
      return false;
    if (item.kind == CBOR_BREAK)
      break;
    if (cbor_slice(&in, &bytes, &len) != CBOR_OK || !print_json(bytes, len))
      return false;
    ++*printed;
  }
  return true;
}

/* Prints one page; `*more` tells whether there is another. */
static bool print_page(const cbor_out *result, listing *at, bool *more) {
  cbor_in page, items, next;
  const char *id;
  size_t len;
  uint64_t printed;
  cbor_in_init(&page, result->data, result->len);
  if (!cbor_find(&page, "items", &items) || !cbor_find(&page, "next", &next) ||
      !print_items(items, &printed))
    return false;
  at->left -= printed < at->left ? printed : at->left;
  *more = cbor_get_text(&next, &id, &len) == CBOR_OK && len < sizeof at->after && at->left > 0;
  if (*more) {
    memcpy(at->after, id, len);
    at->after[len] = 0;
  }
  return true;
}

static bool list_page(session *s, listing *at, bool *more, api_error *error) {
  cbor_out options, result;
  cbor_out_init(&options, NULL, SIZE_MAX);
  cbor_out_init(&result, NULL, SIZE_MAX);
  cbor_put_map(&options, at->after[0] ? 2 : 1);
  cbor_put_cstring(&options, "limit");
  cbor_put_uint(&options, at->left < NOTES_LIST_MAX ? at->left : NOTES_LIST_MAX);
  if (at->after[0]) {
    cbor_put_cstring(&options, "after");
    cbor_put_cstring(&options, at->after);
  }
  bool done = call(s, notes_list, &options, &result, error);
  if (done && !print_page(&result, at, more))
    done = api_error_set(error, "ApiError", "NO_MEMORY", false, "out of memory");
  cbor_out_free(&options);
  cbor_out_free(&result);
  return done;
}

static int list(session *s) {
  listing at = {.left = s->options.limit};
  size_t len = strlen(s->options.after);
  if (len > NOTES_ID_MAX) {
    complain(s, "--after: an id has at most %d bytes", NOTES_ID_MAX);
    return EXIT_USAGE;
  }
  memcpy(at.after, s->options.after, len + 1);
  api_error error;
  for (bool more = true; more && !ferror(stdout);)
    if (!list_page(s, &at, &more, &error)) {
      complain(s, "%s", reason(&error));
      return EXIT_FAILED;
    }
  return finish_output(s);
}

/* ---- delete ---- */

static int delete (session *s) {
  api_error error;
  notes_import *import = notes_import_begin(s->db, s->options.vault, NULL, NULL, &error);
  bool done = import != NULL;
  for (int i = 0; i < s->count && done; i++)
    done = notes_import_delete(import, s->arguments[i], strlen(s->arguments[i]), &error);
  if (import && !notes_import_end(import, done, &error))
    done = false;
  if (!done) {
    complain(s, "%s%s", error.message, s->count > 1 ? "; nothing was deleted" : "");
    return EXIT_FAILED;
  }
  printf("{\"deleted\":%d}\n", s->count);
  return finish_output(s);
}

/* ---- put ---- */

typedef struct line_reader {
  FILE *file;
  char *buffer;
  size_t at, end, room; /* unread bytes are buffer[at..end) */
  uint64_t number;      /* of the line given last, from 1 */
  bool ended;
} line_reader;

typedef enum { LINE_GIVEN, LINE_END, LINE_TOO_LONG, LINE_NO_MEMORY, LINE_READ_ERROR } line_result;

/* Reads more behind the unread bytes. */
static line_result fill(line_reader *reader) {
  if (reader->at > 0) {
    memmove(reader->buffer, reader->buffer + reader->at, reader->end - reader->at);
    reader->end -= reader->at;
    reader->at = 0;
  }
  if (reader->end > DB_TEXT_MAX / 2)
    return LINE_TOO_LONG;
  if (reader->room - reader->end < READ_CHUNK) {
    size_t room = reader->room * 2 + READ_CHUNK;
    char *grown = mem_resize(NULL, reader->buffer, room, 1);
    if (!grown)
      return LINE_NO_MEMORY;
    reader->buffer = grown;
    reader->room = room;
  }
  size_t got = fread(reader->buffer + reader->end, 1, READ_CHUNK, reader->file);
  reader->end += got;
  reader->ended = got < READ_CHUNK;
  return ferror(reader->file) ? LINE_READ_ERROR : LINE_GIVEN;
}

/* The next line without its newline, valid up to the next call. */
static line_result next_line(line_reader *reader, const char **line, size_t *len) {
  size_t looked = 0;
  for (;;) {
    size_t there = reader->end - reader->at;
    char *start = reader->buffer + reader->at;
    char *newline = there > looked ? memchr(start + looked, '\n', there - looked) : NULL;
    if (newline || reader->ended) {
      if (!newline && there == 0)
        return LINE_END;
      *line = start;
      *len = newline ? (size_t)(newline - start) : there;
      reader->at += *len + (newline != NULL);
      reader->number++;
      return LINE_GIVEN;
    }
    looked = there;
    line_result filled = fill(reader);
    if (filled != LINE_GIVEN)
      return filled;
  }
}

/* The byte order mark that some editors write is no part of the JSON. */
static void skip_mark(const line_reader *reader, const char **line, size_t *len) {
  if (reader->number == 1 && *len >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
    *line += 3;
    *len -= 3;
  }
}

static bool is_blank(const char *line, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
      return false;
  return true;
}

typedef struct tally {
  uint64_t created, replaced;
  char id[NOTES_ID_MAX + 1]; /* of the last note */
} tally;

static void show_progress(const session *s, const tally *counts, bool last) {
  uint64_t done = counts->created + counts->replaced;
  if (done >= PROGRESS_STEP && (last || done % PROGRESS_STEP == 0) && isatty(STDERR_FILENO))
    fprintf(stderr, "\rvow %s: %" PRIu64 " notes%s", s->command, done, last ? "\n" : "");
}

static bool put_line(notes_import *import, const char *line, size_t len, tally *counts,
                     api_error *error) {
  notes_put put;
  if (!notes_import_put(import, line, len, &put, error))
    return false;
  if (put.created)
    counts->created++;
  else
    counts->replaced++;
  memcpy(counts->id, put.id, sizeof put.id);
  return true;
}

static bool put_lines(session *s, line_reader *reader, notes_import *import, tally *counts) {
  const char *name = reader->file == stdin ? "standard input" : s->options.file;
  const char *line;
  size_t len;
  line_result result;
  while ((result = next_line(reader, &line, &len)) == LINE_GIVEN) {
    api_error error;
    skip_mark(reader, &line, &len);
    if (is_blank(line, len))
      continue;
    if (!put_line(import, line, len, counts, &error)) {
      complain(s, "%s:%" PRIu64 ": %s; nothing was put", name, reader->number, error.message);
      return false;
    }
    show_progress(s, counts, false);
  }
  if (result == LINE_TOO_LONG)
    complain(s, "%s:%" PRIu64 ": is longer than %d bytes; nothing was put", name,
             reader->number + 1, DB_TEXT_MAX / 2);
  else if (result == LINE_NO_MEMORY)
    complain(s, "out of memory; nothing was put");
  else if (result == LINE_READ_ERROR)
    complain(s, "%s: cannot be read: %s; nothing was put", name, strerror(errno));
  return result == LINE_END;
}

static int print_tally(const session *s, const tally *counts) {
  printf("{\"put\":%" PRIu64 ",\"created\":%" PRIu64 ",\"replaced\":%" PRIu64,
         counts->created + counts->replaced, counts->created, counts->replaced);
  /* Who puts one note wants to know its id. */
  if (counts->created + counts->replaced == 1) {
    uint8_t text[6 * NOTES_ID_MAX + 2];
    cbor_out id;
    cbor_out_fixed(&id, text, sizeof text);
    json_put_string(&id, counts->id, strlen(counts->id));
    printf(",\"id\":%.*s", (int)id.len, (const char *)id.data);
  }
  printf("}\n");
  return finish_output(s);
}

static int put_from(session *s, line_reader *reader) {
  api_error error;
  tally counts = {0};
  notes_import *import = notes_import_begin(s->db, s->options.vault, NULL, NULL, &error);
  if (!import) {
    complain(s, "%s; nothing was put", error.message);
    return EXIT_FAILED;
  }
  bool read = put_lines(s, reader, import, &counts);
  show_progress(s, &counts, true);
  if (!notes_import_end(import, read, &error)) {
    if (read)
      complain(s, "%s; nothing was put", error.message);
    return EXIT_FAILED;
  }
  return print_tally(s, &counts);
}

static int put(session *s) {
  line_reader reader = {.file = stdin};
  if (strcmp(s->options.file, "-") != 0)
    reader.file = fopen(s->options.file, "rbe");
  /* Before the database is made: a folder opens, but does not read. */
  line_result first = reader.file ? fill(&reader) : LINE_READ_ERROR;
  if (first != LINE_GIVEN) {
    complain(s, "%s: %s", s->options.file, strerror(errno));
    if (reader.file && reader.file != stdin)
      fclose(reader.file);
    mem_free(NULL, reader.buffer);
    return EXIT_USAGE;
  }
  char message[512];
  int status = EXIT_USAGE;
  if (db_open(s->options.db, DB_CREATE, NULL, &s->db, message, sizeof message))
    status = put_from(s, &reader);
  else
    complain(s, "%s", message);
  if (reader.file != stdin)
    fclose(reader.file);
  mem_free(NULL, reader.buffer);
  return status;
}

/* ---- the command ---- */

#define PUT_USAGE "[--file FILE|-]"
#define LIST_USAGE "[--limit N] [--after ID]"
#define TABLE(name, usage, about, options)                                                         \
  {                                                                                                \
    "notes " name, options, sizeof(options) / sizeof *(options), false,                            \
        "vow notes " name " " usage "\n  " about "\n"                                              \
  }

static const subcommand subcommands[] = {
    {"put", PUT_USAGE,
     TABLE("put", PUT_USAGE, "makes or replaces the notes in JSON lines, all or none", put_options),
     put, false, 0, 0},
    {"get", "ID", TABLE("get", "ID", "prints a note", other_options), get, true, 1, 1},
    {"list", LIST_USAGE, TABLE("list", LIST_USAGE, "prints notes, one a line, by id", list_options),
     list, true, 0, 0},
    {"delete", "ID...", TABLE("delete", "ID...", "deletes notes, all or none", other_options),
     delete, true, 1, INT_MAX},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static const char *subcommand_name(size_t i, void *user) {
  (void)user;
  return subcommands[i].name;
}

void notes_help(FILE *out) {
  fprintf(out,
          "A note is {\"id\", \"title\", \"body\", \"tags\"} in a vault. A line of `put` needs "
          "a title or a body;\nwithout an id it gets a new one. `created` and `updated`, as "
          "`list` prints them, are\nkept for notes that are new.\n");
  for (size_t i = 0; i < SUBCOMMANDS; i++) {
    fputc('\n', out);
    options_help(&subcommands[i].table, out);
  }
}

static int fail_subcommand(const char *name) {
  const char *nearest =
      name ? options_nearest(name, strlen(name), subcommand_name, NULL, SUBCOMMANDS) : NULL;
  if (!name)
    fprintf(stderr, "vow notes: say what to do: put, get, list or delete; see: vow help notes\n");
  else if (nearest)
    fprintf(stderr, "vow notes: there is no '%s'; did you mean %s?\n",
            api_quoted(name, strlen(name)).text, nearest);
  else
    fprintf(stderr, "vow notes: there is no '%s'; there are put, get, list and delete\n",
            api_quoted(name, strlen(name)).text);
  return EXIT_USAGE;
}

static bool check_arguments(const subcommand *command, const session *s) {
  if (s->count < command->arguments_min)
    complain(s, "needs an ID: vow notes %s %s", command->name, command->usage);
  else if (s->count > command->arguments_max)
    complain(s, "does not know what to do with '%s'; usage: vow notes %s %s",
             api_quoted(s->arguments[command->arguments_max],
                        strlen(s->arguments[command->arguments_max]))
                 .text,
             command->name, command->usage);
  else
    return true;
  return false;
}

static int run(const subcommand *command, session *s) {
  char message[512];
  int status = EXIT_USAGE;
  if (!notes_vault_check(s->options.vault, message, sizeof message))
    complain(s, "--vault %s", message);
  else if (command->with_db && !db_open(s->options.db, 0, NULL, &s->db, message, sizeof message))
    complain(s, "%s", message);
  else
    status = command->run(s);
  db_close(s->db);
  return status;
}

int cmd_notes(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : NULL;
  if (name && (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)) {
    notes_help(stdout);
    return EXIT_OK;
  }
  size_t i = 0;
  while (name && i < SUBCOMMANDS && strcmp(subcommands[i].name, name) != 0)
    i++;
  if (!name || i == SUBCOMMANDS)
    return fail_subcommand(name);
  const subcommand *command = &subcommands[i];
  session s = {.command = command->table.command,
               .options = {.db = DB_URL_DEFAULT,
                           .vault = NOTES_VAULT_DEFAULT,
                           .file = "-",
                           .after = "",
                           .limit = UINT64_MAX}};
  option_result parsed;
  int ended = options_begin(&command->table, argc - 1, argv + 1, &s.options, &parsed);
  if (ended != OPTIONS_GO)
    return ended;
  s.arguments = parsed.arguments;
  s.count = parsed.count;
  return check_arguments(command, &s) ? run(command, &s) : EXIT_USAGE;
}
