#include "cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 40 /* longer names are never misspellings of ours */
#define SHOWN_MAX 80    /* bytes of a user's text in a message */

typedef struct option_parser {
  const option_table *table;
  char *message;
  size_t message_size;
} option_parser;

__attribute__((format(printf, 2, 3))) static bool fail(const option_parser *p, const char *format,
                                                       ...) {
  int used = snprintf(p->message, p->message_size, "vow %s: ", p->table->command);
  if (used < 0 || (size_t)used >= p->message_size)
    return false;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(p->message + used, p->message_size - (size_t)used, format, arguments);
  va_end(arguments);
  /* One line, whatever the user typed. */
  for (char *at = p->message; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?';
  return false;
}

bool options_number(const char *text, uint64_t *value) {
  uint64_t number = 0;
  if (!*text)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return false;
    unsigned digit = (unsigned)(*text - '0');
    if (number > (UINT64_MAX - digit) / 10)
      return false;
    number = number * 10 + digit;
  }
  *value = number;
  return true;
}

/* ---- misspelt names ---- */

static size_t min3(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap neighbours) between two short names. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t rows[3][NAME_MAX_LEN + 1];
  for (size_t j = 0; j <= b_len; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          above2[j - 2] + 1 < row[j])
        row[j] = above2[j - 2] + 1;
    }
  }
  return rows[a_len % 3][b_len];
}

const char *options_nearest(const char *name, size_t name_len,
                            const char *(*name_at)(size_t, void *), void *user, size_t count) {
  const char *nearest = NULL;
  size_t best = name_len / 3 + 1; /* a third of the letters may be wrong */
  if (name_len < 3 || name_len > NAME_MAX_LEN)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    const char *known = name_at(i, user);
    size_t len = strlen(known);
    if (len > NAME_MAX_LEN)
      continue;
    size_t edits = distance(name, name_len, known, len);
    if (edits < best || (edits == best && !nearest)) {
      nearest = known;
      best = edits;
    }
  }
  return nearest;
}

static const char *option_name(size_t i, void *user) {
  const option_table *table = user;
  return table->options[i].name;
}

static bool fail_unknown(const option_parser *p, const char *word, const char *name, size_t len) {
  option_table table = *p->table;
  const char *nearest = options_nearest(name, len, option_name, &table, table.count);
  int shown = (int)strcspn(word, "=");
  if (shown > SHOWN_MAX)
    shown = SHOWN_MAX;
  if (nearest)
    return fail(p, "unknown option %.*s; did you mean --%s?", shown, word, nearest);
  return fail(p, "unknown option %.*s; see: vow help %.*s", shown, word,
              (int)strcspn(p->table->command, " "), p->table->command);
}

/* ---- one option ---- */

static size_t find(const option_table *table, const char *name, size_t len) {
  size_t i = 0;
  while (i < table->count &&
         (strlen(table->options[i].name) != len || memcmp(table->options[i].name, name, len) != 0))
    i++;
  return i;
}

static bool set_number(const option_parser *p, const option_spec *spec, const char *text,
                       void *field) {
  uint64_t number = 0;
  bool digits = *text && text[strspn(text, "0123456789")] == 0;
  if (!digits)
    return fail(p, "--%s '%.*s': must be a whole number from %llu to %llu", spec->name, SHOWN_MAX,
                text, (unsigned long long)spec->min, (unsigned long long)spec->max);
  if (!options_number(text, &number) || number < spec->min || number > spec->max)
    return fail(p, "--%s %.*s: must be %llu to %llu", spec->name, SHOWN_MAX, text,
                (unsigned long long)spec->min, (unsigned long long)spec->max);
  memcpy(field, &number, sizeof number);
  return true;
}

static bool set_value(const option_parser *p, const option_spec *spec, const char *text,
                      void *target) {
  char *field = (char *)target + spec->offset;
  if (spec->kind == OPTION_KIND_NUMBER)
    return set_number(p, spec, text, field);
  if (spec->kind == OPTION_KIND_TEXT)
    memcpy(field, &text, sizeof text);
  else
    *(bool *)field = true;
  return true;
}

/* Parses argv[*at], an option, and its value; `*at` ends on the last word used. */
static bool parse_option(const option_parser *p, int argc, char **argv, int *at, void *target,
                         option_result *result) {
  const char *word = argv[*at];
  const char *name = word + (word[1] == '-' ? 2 : 1);
  size_t len = strcspn(name, "=");
  const char *value = name[len] == '=' ? name + len + 1 : NULL;
  size_t found = word[1] == '-' ? find(p->table, name, len) : p->table->count;
  if (found == p->table->count)
    return fail_unknown(p, word, name, len);
  const option_spec *spec = &p->table->options[found];
  if (result->given & UINT64_C(1) << found)
    return fail(p, "--%s is given twice", spec->name);
  result->given |= UINT64_C(1) << found;
  if (spec->kind == OPTION_KIND_FLAG && value)
    return fail(p, "--%s takes no value", spec->name);
  if (spec->kind != OPTION_KIND_FLAG && !value) {
    if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0)
      return fail(p, "--%s needs a value: --%s=%s", spec->name, spec->name, spec->value);
    value = argv[++*at];
  }
  return set_value(p, spec, value, target);
}

static bool is_option(const char *word) {
  return word[0] == '-' && word[1] != 0;
}

bool options_parse(const option_table *table, int argc, char **argv, void *target,
                   option_result *result, char *message, size_t message_size) {
  option_parser parser = {table, message, message_size};
  *result = (option_result){argv, 0, 0};
  if (argc < 1)
    return true;
  int at = 1;
  for (; at < argc; at++) {
    if (strcmp(argv[at], "--") == 0) {
      at++;
      break;
    }
    if (is_option(argv[at])) {
      if (!parse_option(&parser, argc, argv, &at, target, result))
        return false;
    } else if (table->stop_at_argument) {
      break;
    } else {
      argv[++result->count] = argv[at]; /* over words already read */
    }
  }
  /* Arguments met so far stand at the front; they go before the rest. */
  int moved = result->count;
  result->arguments = argv + (at - moved);
  memmove(result->arguments, argv + 1, (size_t)moved * sizeof *argv);
  result->count = moved + (argc - at);
  return true;
}

bool options_given(const option_table *table, const option_result *result, const char *name) {
  size_t found = find(table, name, strlen(name));
  return found < table->count && (result->given & UINT64_C(1) << found) != 0;
}

int options_begin(const option_table *table, int argc, char **argv, void *target,
                  option_result *result) {
  char message[512];
  if (!options_parse(table, argc, argv, target, result, message, sizeof message)) {
    fprintf(stderr, "%s\n", message);
    return OPTIONS_WRONG;
  }
  if (!options_given(table, result, "help"))
    return OPTIONS_GO;
  options_help(table, stdout);
  return 0;
}

/* ---- help ---- */

static int heading(const option_spec *spec, char *text, size_t size) {
  return snprintf(text, size, "--%s%s%s", spec->name, spec->value ? " " : "",
                  spec->value ? spec->value : "");
}

void options_help(const option_table *table, FILE *out) {
  char text[NAME_MAX_LEN * 2];
  int widest = 0;
  if (table->about)
    fputs(table->about, out);
  for (size_t i = 0; i < table->count; i++) {
    int width = heading(&table->options[i], text, sizeof text);
    widest = width > widest ? width : widest;
  }
  for (size_t i = 0; i < table->count; i++) {
    const option_spec *spec = &table->options[i];
    heading(spec, text, sizeof text);
    fprintf(out, "  %-*s  %s", widest, text, spec->help);
    if (spec->kind == OPTION_KIND_NUMBER)
      fprintf(out, " (%llu to %llu)", (unsigned long long)spec->min, (unsigned long long)spec->max);
    fputc('\n', out);
  }
}
