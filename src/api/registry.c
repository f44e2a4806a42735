#include "api/registry.h"

#include <string.h>

#include "api/api.h"

#define FIRST_ROOM 16u

/* ---- names ---- */

static size_t identifier_len(const char *text, size_t len) {
  size_t i = 0;
  for (; i < len; i++) {
    char c = text[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    if (!letter && (i == 0 || c < '0' || c > '9'))
      break;
  }
  return i;
}

/* Words of the language, and globals that no operation can take the place of. */
static bool is_reserved(const char *name, size_t len) {
  static const char *const reserved[] = {
      "Infinity",  "NaN",        "arguments", "await",    "break",      "case",       "catch",
      "class",     "const",      "context",   "continue", "debugger",   "default",    "delete",
      "do",        "else",       "enum",      "eval",     "export",     "extends",    "false",
      "finally",   "for",        "function",  "if",       "implements", "import",     "in",
      "interface", "let",        "new",       "null",     "package",    "instanceof", "private",
      "protected", "public",     "return",    "static",   "super",      "switch",     "this",
      "throw",     "true",       "try",       "typeof",   "undefined",  "var",        "void",
      "while",     "globalThis", "with",      "yield"};
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
    if (strlen(reserved[i]) == len && memcmp(reserved[i], name, len) == 0)
      return true;
  return false;
}

bool api_identifier_valid(const char *name, size_t len) {
  return len > 0 && identifier_len(name, len) == len && !is_reserved(name, len);
}

bool api_name_valid(const char *name, size_t len) {
  size_t first = identifier_len(name, len);
  if (!api_identifier_valid(name, first))
    return false;
  if (first == len)
    return true;
  size_t rest = len - first - 1;
  return name[first] == '.' && rest > 0 && identifier_len(name + first + 1, rest) == rest;
}

static bool is_space_of(const char *space, const char *name) {
  size_t len = strlen(space);
  return strncmp(space, name, len) == 0 && name[len] == '.';
}

const host_kind *api_registry_taken(const api_registry *registry, const char *name) {
  for (size_t i = 0; i < registry->count; i++) {
    const char *other = registry->kinds[i]->name;
    if (strcmp(name, other) == 0 || is_space_of(name, other) || is_space_of(other, name))
      return registry->kinds[i];
  }
  return NULL;
}

/* ---- the list ---- */

bool api_registry_add(api_registry *registry, const host_kind *kind) {
  if (registry->count == registry->room) {
    size_t room = registry->room ? registry->room * 2 : FIRST_ROOM;
    const host_kind **kinds =
        mem_resize(registry->allocator, (void *)registry->kinds, room, sizeof *kinds);
    if (!kinds)
      return false;
    registry->kinds = kinds;
    registry->room = room;
  }
  registry->kinds[registry->count++] = kind;
  return true;
}

bool api_registry_add_all(api_registry *registry, const host_kind *kinds, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!api_registry_add(registry, &kinds[i]))
      return false;
  return true;
}

void api_registry_cut(api_registry *registry, size_t count) {
  if (count < registry->count)
    registry->count = count;
}

void api_registry_free(api_registry *registry) {
  mem_free(registry->allocator, (void *)registry->kinds);
  registry->kinds = NULL;
  registry->count = registry->room = 0;
}

/* ---- what a run may call ---- */

bool api_registry_mark(const api_registry *registry, size_t known, const char *entry, size_t len,
                       bool *marks) {
  bool any = false;
  for (size_t i = 0; i < known; i++)
    if (api_glob_matches(entry, len, registry->kinds[i]->name))
      any = marks[i] = true;
  return any;
}

host_kind *api_registry_marked(const api_registry *registry, size_t known, const bool *marks,
                               size_t *count) {
  size_t marked = 0;
  for (size_t i = 0; i < known; i++)
    marked += marks[i];
  host_kind *kinds = mem_new(registry->allocator, marked ? marked : 1, sizeof *kinds);
  *count = 0;
  for (size_t i = 0; kinds && i < known; i++)
    if (marks[i])
      kinds[(*count)++] = *registry->kinds[i];
  return kinds;
}
