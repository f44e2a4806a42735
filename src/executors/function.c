#include "executors/function.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 80 /* bytes of a caller's text in a message */

static const struct {
  const char *name, *form;
} languages[] = {
    [VOW_SHARED_OBJECT] = {"so", "so:FILE:SYMBOL"},
    [VOW_PYTHON] = {"py", "py:FILE.py:FUNCTION or py:package.module:FUNCTION"},
    [VOW_JAVASCRIPT] = {"js", "js:FILE:FUNCTION"},
    [VOW_JAVASCRIPT_ISOLATED] = {"js-isolated", "js-isolated:FILE:FUNCTION"},
};
#define LANGUAGES (sizeof languages / sizeof *languages)

const char *function_language(vow_language language) {
  return languages[language].name;
}

/* One line, whatever is in the text. */
__attribute__((format(printf, 3, 4))) static bool refuse(char *message, size_t size,
                                                         const char *format, ...) {
  va_list arguments;
  if (!message || size == 0)
    return false;
  va_start(arguments, format);
  vsnprintf(message, size, format, arguments);
  va_end(arguments);
  for (char *at = message; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?';
  return false;
}

/* ---- names ---- */

static bool is_letter(char c) {
  unsigned char lower = (unsigned char)c | 0x20;
  return (lower >= 'a' && lower <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* An identifier; for Python several, with dots between them. */
static bool is_name(const char *text, size_t len, vow_language language) {
  bool begins = true; /* a part of the name */
  for (size_t i = 0; i < len; i++) {
    bool dollar = text[i] == '$' && language != VOW_PYTHON;
    if (text[i] == '.' && language == VOW_PYTHON && !begins) {
      begins = true;
    } else if (is_letter(text[i]) || dollar || (is_digit(text[i]) && !begins)) {
      begins = false;
    } else {
      return false;
    }
  }
  return !begins;
}

/* ---- from text ---- */

/* What there is between the colons. */
typedef struct parts {
  const char *language, *place, *name;
  size_t language_len, place_len, name_len;
} parts;

/* The place may hold colons. */
static void split(const char *text, parts *parts) {
  const char *first = strchr(text, ':'), *last = strrchr(text, ':');
  memset(parts, 0, sizeof *parts);
  parts->language = text;
  parts->language_len = first ? (size_t)(first - text) : strlen(text);
  if (!first)
    return;
  parts->place = first + 1;
  parts->place_len = last > first ? (size_t)(last - first - 1) : strlen(first + 1);
  if (last == first)
    return;
  parts->name = last + 1;
  parts->name_len = strlen(last + 1);
}

static bool find_language(const parts *parts, vow_language *language) {
  for (size_t i = 0; i < LANGUAGES; i++)
    if (strlen(languages[i].name) == parts->language_len &&
        memcmp(languages[i].name, parts->language, parts->language_len) == 0) {
      *language = (vow_language)i;
      return true;
    }
  return false;
}

/* Python has modules by their names too. */
static bool is_file(const parts *parts, vow_language language) {
  static const char ending[] = ".py";
  size_t len = parts->place_len;
  return language != VOW_PYTHON || memchr(parts->place, '/', len) ||
         (len >= 3 && memcmp(parts->place + len - 3, ending, 3) == 0);
}

static bool check_parts(const char *text, const parts *parts, vow_language language, char *message,
                        size_t size) {
  const char *form = languages[language].form;
  if (!parts->name || parts->name_len == 0)
    return refuse(message, size, "'%.*s' names no function: must be %s", SHOWN_MAX, text, form);
  if (parts->place_len == 0)
    return refuse(message, size, "'%.*s' names no file: must be %s", SHOWN_MAX, text, form);
  if (!is_name(parts->name, parts->name_len, language))
    return refuse(message, size, "'%.*s': '%.*s' is no name of a function: must be %s", SHOWN_MAX,
                  text, SHOWN_MAX, parts->name, form);
  if (!is_file(parts, language) && !is_name(parts->place, parts->place_len, language))
    return refuse(message, size, "'%.*s': '%.*s' is no name of a module: must be %s", SHOWN_MAX,
                  text, (int)(parts->place_len < SHOWN_MAX ? parts->place_len : SHOWN_MAX),
                  parts->place, form);
  return true;
}

static bool find_parts(const char *text, parts *parts, vow_language *language, char *message,
                       size_t size) {
  split(text, parts);
  if (!parts->place)
    return refuse(message, size,
                  "'%.*s' is no function: must be LANGUAGE:FILE:FUNCTION, of the languages py, js, "
                  "js-isolated, so",
                  SHOWN_MAX, text);
  if (!find_language(parts, language))
    return refuse(message, size,
                  "'%.*s': there is no language '%.*s': must be py, js, "
                  "js-isolated or so",
                  SHOWN_MAX, text,
                  (int)(parts->language_len < SHOWN_MAX ? parts->language_len : SHOWN_MAX),
                  parts->language);
  return check_parts(text, parts, *language, message, size);
}

static char *put(char **to, const char *text, size_t len) {
  char *begin = *to;
  memcpy(begin, text, len);
  begin[len] = 0;
  *to += len + 1;
  return begin;
}

vow_status vow_function_parse(const char *text, vow_function *function, char *buffer,
                              size_t buffer_size, char *message, size_t message_size) {
  parts parts;
  vow_language language = VOW_PYTHON;
  char *to = buffer;
  if (!text || !function || !buffer)
    return VOW_E_INVALID;
  memset(function, 0, sizeof *function);
  if (!find_parts(text, &parts, &language, message, message_size))
    return VOW_E_INVALID;
  if (parts.place_len >= buffer_size || parts.name_len >= buffer_size - parts.place_len - 1) {
    refuse(message, message_size, "'%.*s...' is longer than %zu bytes", SHOWN_MAX, text,
           buffer_size);
    return VOW_E_INVALID;
  }
  function->size = sizeof *function;
  function->language = language;
  const char *place = put(&to, parts.place, parts.place_len);
  if (is_file(&parts, language))
    function->file = place;
  else
    function->module = place;
  function->name = put(&to, parts.name, parts.name_len);
  return VOW_OK;
}

/* ---- what a program says ---- */

bool function_check(const vow_function *function, char *message, size_t message_size) {
  if (!function || function->size < sizeof *function)
    return refuse(message, message_size, "function: its size is not set");
  if ((size_t)function->language >= LANGUAGES)
    return refuse(message, message_size, "function: there is no language %d",
                  (int)function->language);
  const char *language = function_language(function->language);
  int places = (function->file != NULL) + (function->module != NULL) + (function->source != NULL);
  if (places != 1)
    return refuse(message, message_size,
                  "function: must have one of file, module and source, has %d", places);
  if (function->module && function->language != VOW_PYTHON)
    return refuse(message, message_size, "function: module: only Python has modules by name");
  if (function->source && function->language == VOW_SHARED_OBJECT)
    return refuse(message, message_size, "function: source: there is none of a shared object");
  if (!function->source && (!function->name || !*function->name))
    return refuse(message, message_size, "function: name: a function of %s has one", language);
  if ((function->file && !*function->file) || (function->module && !*function->module))
    return refuse(message, message_size, "function: its file or module has no name");
  return true;
}

static size_t bytes_of(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

size_t function_text_bytes(const vow_function *function) {
  return bytes_of(function->file) + bytes_of(function->module) + bytes_of(function->source) +
         bytes_of(function->name);
}

static const char *copy_text(char **to, const char *text) {
  return text ? put(to, text, strlen(text)) : NULL;
}

vow_function function_copy(const vow_function *function, char *text) {
  vow_function copy = {.size = sizeof copy, .language = function->language};
  copy.file = copy_text(&text, function->file);
  copy.module = copy_text(&text, function->module);
  copy.source = copy_text(&text, function->source);
  copy.name = copy_text(&text, function->name);
  return copy;
}

void function_label(const vow_function *function, char *label, size_t size) {
  const char *place = function->file     ? function->file
                      : function->module ? function->module
                                         : "source";
  snprintf(label, size, "%s:%s%s%s", function_language(function->language), place,
           function->name ? ":" : "", function->name ? function->name : "");
}
