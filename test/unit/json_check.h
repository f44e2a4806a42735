/* Reads JSON strictly (RFC 8259), for tests of what is printed as JSON: checks
 * a whole text, and finds members of objects by name. */
#ifndef VOW_TEST_JSON_CHECK_H
#define VOW_TEST_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The end of the value at `at`; NULL when it is none. */
static inline const char *json_value_end(const char *at, unsigned depth);

static inline const char *json_string_end(const char *at) {
  if (*at++ != '"')
    return NULL;
  for (; *at != '"'; at++) {
    if ((unsigned char)*at < 0x20)
      return NULL;
    if (*at != '\\')
      continue;
    at++;
    if (*at == 'u') {
      for (int i = 0; i < 4; i++)
        if (!isxdigit((unsigned char)*++at))
          return NULL;
    } else if (!*at || !strchr("\"\\/bfnrt", *at)) {
      return NULL;
    }
  }
  return at + 1;
}

static inline const char *json_digits_end(const char *at) {
  const char *from = at;
  while (isdigit((unsigned char)*at))
    at++;
  return at > from ? at : NULL;
}

static inline const char *json_number_end(const char *at) {
  if (*at == '-')
    at++;
  at = *at == '0' ? at + 1 : json_digits_end(at);
  if (at && *at == '.')
    at = json_digits_end(at + 1);
  if (at && (*at == 'e' || *at == 'E')) {
    at++;
    at = json_digits_end(*at == '+' || *at == '-' ? at + 1 : at);
  }
  return at;
}

static inline const char *json_members_end(const char *at, bool object, unsigned depth) {
  const char close = object ? '}' : ']';
  if (*++at == close)
    return at + 1;
  for (;; at++) {
    if (object && (!(at = json_string_end(at)) || *at++ != ':'))
      return NULL;
    if (!(at = json_value_end(at, depth + 1)))
      return NULL;
    if (*at == close)
      return at + 1;
    if (*at != ',')
      return NULL;
  }
}

static inline const char *json_value_end(const char *at, unsigned depth) {
  static const char *const words[] = {"true", "false", "null"};
  if (depth > 500)
    return NULL;
  if (*at == '{' || *at == '[')
    return json_members_end(at, *at == '{', depth);
  if (*at == '"')
    return json_string_end(at);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strncmp(at, words[i], strlen(words[i])) == 0)
      return at + strlen(words[i]);
  return json_number_end(at);
}

/* One value without any space, and nothing behind it. */
static inline bool json_is_valid(const char *text) {
  const char *end = json_value_end(text, 0);
  return end && *end == 0;
}

/* The value of the member `name` of the object at `at`; NULL when there is
 * none. The text must be valid. */
static inline const char *json_member(const char *at, const char *name) {
  size_t len = strlen(name);
  if (!at || *at++ != '{')
    return NULL;
  while (*at == '"') {
    const char *end = json_string_end(at);
    if ((size_t)(end - at) == len + 2 && memcmp(at + 1, name, len) == 0)
      return end + 1;
    at = json_value_end(end + 1, 0);
    at += *at == ',';
  }
  return NULL;
}

/* Whether the value at `at` is exactly `text`. */
static inline bool json_is(const char *at, const char *text) {
  size_t len = strlen(text);
  return at && json_value_end(at, 0) == at + len && memcmp(at, text, len) == 0;
}

#endif
