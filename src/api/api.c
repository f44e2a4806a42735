#include "api/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/fetch_allow.h"
#include "api/kv.h"
#include "api/notes.h"

#define NOTE_FIELDS "{id?: string, title?: string, body?: string, tags?: string[]}"
#define PATCH_FIELDS "{title?: string, body?: string, tags?: string[]}"

/* No kind here is retried by policy: a busy database has been waited for already
 * (DB_BUSY_MS). Answers are neither kept nor shared by equal calls in progress: a
 * read that begins after a write was answered must see it, and the handler of an
 * earlier read may have looked before. */

/* Sorted by name. */
static const api_kind kinds[] = {
    {.name = "fetch",
     .arguments = 1,
     .parameters = "input: string | URL | Request, init?: RequestInit & CallOptions",
     .result = "Response",
     .doc = "Sends an HTTP request to an allowed host; any status is a response, TypeError when "
            "there is none."},
    {.name = "kv.delete",
     .arguments = 1,
     .parameters = "key: string",
     .result = "boolean",
     .doc = "Removes a key with its value; says whether it was there.",
     .handler = kv_delete,
     .needs_db = true,
     .writes = true},
    {.name = "kv.get",
     .arguments = 1,
     .parameters = "key: string",
     .result = "any",
     .doc = "The value of a key; undefined when there is none.",
     .handler = kv_get,
     .needs_db = true},
    {.name = "kv.list",
     .arguments = 1,
     .options_last = true,
     .parameters = "options?: {prefix?: string, limit?: number, after?: string | null}",
     .result = "{keys: string[], next: string | null}",
     .doc = "Keys in the order of their bytes, those that start with `prefix`, from the one behind "
            "`after`; `next` is the `after` of the next page.",
     .handler = kv_list,
     .needs_db = true},
    {.name = "kv.set",
     .arguments = 2,
     .parameters = "key: string, value: any",
     .result = "void",
     .doc = "Keeps a value under a key, in place of one that was there.",
     .handler = kv_set,
     .needs_db = true,
     .writes = true},
    {.name = "notes.create",
     .arguments = 1,
     .parameters = "note: " NOTE_FIELDS,
     .result = "Note",
     .doc = "Adds a note and returns it; ConflictError when its id is in use.",
     .handler = notes_create,
     .needs_db = true,
     .writes = true},
    {.name = "notes.delete",
     .arguments = 1,
     .parameters = "id: string",
     .result = "boolean",
     .doc = "Removes a note; says whether there was one.",
     .handler = notes_delete,
     .needs_db = true,
     .writes = true},
    {.name = "notes.get",
     .arguments = 1,
     .parameters = "id: string",
     .result = "Note",
     .doc = "The note; NotFoundError when there is none.",
     .handler = notes_get,
     .needs_db = true,
     .policy = {.batch_max = API_BATCH_MAX},
     .batch = notes_get_batch},
    {.name = "notes.list",
     .arguments = 1,
     .options_last = true,
     .parameters = "options?: {limit?: number, after?: string | null}",
     .result = "{items: Note[], next: string | null}",
     .doc =
         "Notes in the order of their ids, from the one behind `after`; `next` is the `after` of "
         "the next page.",
     .handler = notes_list,
     .needs_db = true},
    {.name = "notes.search",
     .arguments = 2,
     .options_last = true,
     .parameters = "text: string, options?: {limit?: number}",
     .result = "Note[]",
     .doc = "Notes that have all words of the text in title, tags or body, the best first.",
     .handler = notes_search,
     .needs_db = true},
    {.name = "notes.update",
     .arguments = 2,
     .parameters = "id: string, patch: " PATCH_FIELDS,
     .result = "Note",
     .doc = "Changes the fields that the patch gives and returns the note; NotFoundError when "
            "there is none.",
     .handler = notes_update,
     .needs_db = true,
     .writes = true},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

const api_kind *api_kinds(size_t *count) {
  *count = KINDS;
  return kinds;
}

/* ---- the allow-list ---- */

bool api_glob_matches(const char *glob, size_t glob_len, const char *name) {
  size_t at = 0, star = SIZE_MAX;
  const char *retry = NULL;
  while (*name) {
    if (at < glob_len && glob[at] == '*') {
      star = at++;
      retry = name;
    } else if (at < glob_len && glob[at] == *name) {
      at++;
      name++;
    } else if (star != SIZE_MAX) {
      at = star + 1;
      name = ++retry;
    } else {
      return false;
    }
  }
  while (at < glob_len && glob[at] == '*')
    at++;
  return at == glob_len;
}

static bool mark(const char *entry, size_t len, bool *allowed) {
  bool any = false;
  for (size_t i = 0; i < KINDS; i++) {
    if (!kinds[i].handler || !api_glob_matches(entry, len, kinds[i].name))
      continue;
    allowed[i] = true;
    any = true;
  }
  return any;
}

static bool fail_unknown(const char *entry, size_t len, char *message, size_t size) {
  api_quote quote = api_quoted(entry, len);
  int used =
      len == 0 ? snprintf(message, size, "--allow: there is an empty entry; there are: ")
      : memchr(entry, '*', len)
          ? snprintf(message, size, "--allow: '%s' matches no operation; there are: ", quote.text)
          : snprintf(message, size, "--allow: there is no operation '%s'; there are: ", quote.text);
  for (size_t i = 0; i < KINDS && used >= 0 && (size_t)used < size; i++)
    used += snprintf(message + used, size - (size_t)used, "%s%s%s", i ? ", " : "", kinds[i].name,
                     kinds[i].handler ? "" : ":HOST");
  return false;
}

static bool mark_fetch(const char *entry, size_t len, bool *allowed, size_t *hosts, char *message,
                       size_t size) {
  fetch_allow_entry parsed;
  for (size_t i = 0; i < KINDS; i++)
    allowed[i] |= !kinds[i].handler;
  if (++*hosts <= FETCH_ALLOW_ENTRIES_MAX)
    return fetch_allow_parse(entry, len, &parsed, message, size);
  snprintf(message, size, "--allow: more than %u hosts for fetch", FETCH_ALLOW_ENTRIES_MAX);
  return false;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool api_allow(const char *list, bool *allowed, char *message, size_t message_size) {
  size_t hosts = 0;
  memset(allowed, 0, KINDS * sizeof *allowed);
  if (!*list)
    return true;
  for (const char *entry = list;; entry++) {
    size_t len = strcspn(entry, ",");
    const char *end = entry + len;
    while (len && is_blank(entry[0]))
      entry++, len--;
    while (len && is_blank(entry[len - 1]))
      len--;
    if (fetch_allow_is(entry, len)) {
      if (!mark_fetch(entry, len, allowed, &hosts, message, message_size))
        return false;
    } else if (!mark(entry, len, allowed))
      return fail_unknown(entry, len, message, message_size);
    if (!*end)
      return true;
    entry = end;
  }
}

/* ---- errors ---- */

/* `len` bytes of valid UTF-8 were cut somewhere: drops an incomplete character
 * from the end. */
static size_t cut_whole(const char *utf8, size_t len) {
  size_t start = len;
  while (start > 0 && len - start < 3 && ((unsigned char)utf8[start - 1] & 0xc0) == 0x80)
    start--;
  if (start == 0)
    return len;
  unsigned char lead = (unsigned char)utf8[start - 1];
  size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return len - start + 1 < wanted ? start - 1 : len;
}

api_quote api_quoted(const char *utf8, size_t len) {
  api_quote quote;
  size_t used = len <= API_QUOTE_MAX - 4 ? len : cut_whole(utf8, API_QUOTE_MAX - 4);
  for (size_t i = 0; i < used; i++)
    quote.text[i] = (unsigned char)utf8[i] < 0x20 || utf8[i] == 0x7f ? '?' : utf8[i];
  snprintf(quote.text + used, sizeof quote.text - used, "%s", used < len ? "..." : "");
  return quote;
}

__attribute__((format(printf, 5, 0))) static bool set_error(api_error *error, const char *name,
                                                            const char *code, bool transient,
                                                            const char *format, va_list arguments) {
  snprintf(error->name, sizeof error->name, "%s", name);
  snprintf(error->code, sizeof error->code, "%s", code);
  error->transient = transient;
  int len = vsnprintf(error->message, sizeof error->message, format, arguments);
  if (len < 0)
    error->message[0] = 0;
  else if ((size_t)len >= sizeof error->message)
    error->message[cut_whole(error->message, sizeof error->message - 1)] = 0;
  return false;
}

bool api_error_set(api_error *error, const char *name, const char *code, bool transient,
                   const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  set_error(error, name, code, transient, format, arguments);
  va_end(arguments);
  return false;
}

bool api_fail(api_call *call, const char *name, const char *code, bool transient,
              const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  set_error(call->error, name, code, transient, format, arguments);
  va_end(arguments);
  return false;
}
