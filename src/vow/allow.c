/* Which operations a run may call, by a list of names and globs. */
#include <string.h>

#include "vow/vow_int.h"

typedef struct allow_list {
  vow_runtime *runtime;
  host_kind *kinds; /* with room for all there are */
  size_t count;
} allow_list;

static bool has(const allow_list *list, const char *name) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->kinds[i].name, name) == 0)
      return true;
  return false;
}

static bool add_if(allow_list *list, const host_kind *kind, const char *glob, size_t len) {
  if (!api_glob_matches(glob, len, kind->name))
    return false;
  if (!has(list, kind->name))
    list->kinds[list->count++] = *kind;
  return true;
}

static vow_status add_entry(allow_list *list, const char *entry, size_t len) {
  size_t builtins;
  bool any = false;
  const host_kind *kinds = api_host_kinds(list->runtime->api, &builtins);
  for (size_t i = 0; i < builtins; i++)
    any |= add_if(list, &kinds[i], entry, len);
  for (const lib_kind *kind = list->runtime->kinds; kind; kind = kind->next)
    any |= add_if(list, &kind->host, entry, len);
  if (any)
    return VOW_OK;
  api_quote quote = api_quoted(entry, len);
  return lib_fail(list->runtime, VOW_E_UNKNOWN, "allow: there is no operation '%s'", quote.text);
}

static size_t blanks(const char *text, size_t len) {
  size_t count = 0;
  while (count < len && (text[count] == ' ' || text[count] == '\t'))
    count++;
  return count;
}

static vow_status add_all(allow_list *list, const char *text) {
  for (const char *entry = text;; entry++) {
    size_t len = strcspn(entry, ","), skip = blanks(entry, len), end = len;
    while (end > skip && blanks(entry + end - 1, 1))
      end--;
    vow_status status = add_entry(list, entry + skip, end - skip);
    entry += len;
    if (status != VOW_OK || !*entry)
      return status;
  }
}

vow_status lib_allow(vow_runtime *runtime, const char *text, host_kind **kinds, size_t *count) {
  allow_list list = {.runtime = runtime};
  size_t all;
  *kinds = NULL;
  *count = 0;
  if (!text || !*text)
    return VOW_OK;
  api_host_kinds(runtime->api, &all);
  for (const lib_kind *kind = runtime->kinds; kind; kind = kind->next)
    all++;
  list.kinds = mem_new(runtime->allocator, all, sizeof *list.kinds);
  if (!list.kinds)
    return VOW_E_NOMEM;
  vow_status status = add_all(&list, text);
  if (status != VOW_OK) {
    mem_free(runtime->allocator, list.kinds);
    return status;
  }
  *kinds = list.kinds;
  *count = list.count;
  return VOW_OK;
}
