/* Which operations a run may call, by a list of names and globs. */
#include <string.h>

#include "vow/vow_int.h"

static vow_status mark(vow_runtime *runtime, const char *entry, size_t len, bool *marks) {
  const api_registry *all = &runtime->registry;
  if (api_registry_mark(all, all->count, entry, len, marks))
    return VOW_OK;
  api_quote quote = api_quoted(entry, len);
  return lib_fail(runtime, VOW_E_UNKNOWN, "allow: there is no operation '%s'", quote.text);
}

static size_t blanks(const char *text, size_t len) {
  size_t count = 0;
  while (count < len && (text[count] == ' ' || text[count] == '\t'))
    count++;
  return count;
}

static vow_status mark_all(vow_runtime *runtime, const char *text, bool *marks) {
  for (const char *entry = text;; entry++) {
    size_t len = strcspn(entry, ","), skip = blanks(entry, len), end = len;
    while (end > skip && blanks(entry + end - 1, 1))
      end--;
    vow_status status = mark(runtime, entry + skip, end - skip, marks);
    entry += len;
    if (status != VOW_OK || !*entry)
      return status;
  }
}

vow_status lib_allow(vow_runtime *runtime, const char *text, host_kind **kinds, size_t *count) {
  const api_registry *all = &runtime->registry;
  *kinds = NULL;
  *count = 0;
  if (!text || !*text)
    return VOW_OK;
  bool *marks = mem_new(runtime->allocator, all->count ? all->count : 1, sizeof *marks);
  if (!marks)
    return VOW_E_NOMEM;
  vow_status status = mark_all(runtime, text, marks);
  if (status == VOW_OK && !(*kinds = api_registry_marked(all, all->count, marks, count)))
    status = VOW_E_NOMEM;
  mem_free(runtime->allocator, marks);
  return status;
}
