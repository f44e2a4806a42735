#include "api/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/kv.h"
#include "api/notes.h"

#define NOTE_FIELDS "{id?: string, title?: string, body?: string, tags?: string[]}"
#define PATCH_FIELDS "{title?: string, body?: string, tags?: string[]}"

/* Sorted by name. */
static const api_kind kinds[] = {
    {"kv.delete", 1, false, "key: string", "boolean",
     "Removes a key with its value; says whether it was there.", kv_delete, true},
    {"kv.get", 1, false, "key: string", "any", "The value of a key; undefined when there is none.",
     kv_get, true},
    {"kv.list", 1, true, "options?: {prefix?: string, limit?: number, after?: string | null}",
     "{keys: string[], next: string | null}",
     "Keys in the order of their bytes, those that start with `prefix`, from the one behind "
     "`after`; `next` is the `after` of the next page.",
     kv_list, true},
    {"kv.set", 2, false, "key: string, value: any", "void",
     "Keeps a value under a key, in place of one that was there.", kv_set, true},
    {"notes.create", 1, false, "note: " NOTE_FIELDS, "Note",
     "Adds a note and returns it; ConflictError when its id is in use.", notes_create, true},
    {"notes.delete", 1, false, "id: string", "boolean",
     "Removes a note; says whether there was one.", notes_delete, true},
    {"notes.get", 1, false, "id: string", "Note", "The note; NotFoundError when there is none.",
     notes_get, true},
    {"notes.list", 1, true, "options?: {limit?: number, after?: string | null}",
     "{items: Note[], next: string | null}",
     "Notes in the order of their ids, from the one behind `after`; `next` is the `after` of the "
     "next page.",
     notes_list, true},
    {"notes.search", 2, true, "text: string, options?: {limit?: number}", "Note[]",
     "Notes that have all words of the text in title, tags or body, the best first.", notes_search,
     true},
    {"notes.update", 2, false, "id: string, patch: " PATCH_FIELDS, "Note",
     "Changes the fields that the patch gives and returns the note; NotFoundError when there is "
     "none.",
     notes_update, true},
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
    if (!api_glob_matches(entry, len, kinds[i].name))
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
    used += snprintf(message + used, size - (size_t)used, "%s%s", i ? ", " : "", kinds[i].name);
  return false;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool api_allow(const char *list, bool *allowed, char *message, size_t message_size) {
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
    if (!mark(entry, len, allowed))
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
