/* Command-line options from one table per command: it is parsed from, checked
 * by and printed as help.
 *
 *   typedef struct eval_options { const char *db; uint64_t cpu_ms; bool debug; } eval_options;
 *   static const option_spec options[] = {
 *       OPTION_TEXT(eval_options, db, "db", "URL", "the database"),
 *       OPTION_NUMBER(eval_options, cpu_ms, "cpu-ms", "N", 1, 3600000, "time the guest may
 * compute"), OPTION_FLAG(eval_options, debug, "debug", "look for leaks"),
 *   };
 *
 * The target holds the defaults before parsing; only options that were given
 * are written. `--name value` and `--name=value` mean the same; a value that
 * starts with "--" needs the second form. "--" ends the options, "-" alone is an
 * argument. An option given twice is an error. */
#ifndef VOW_CLI_OPTIONS_H
#define VOW_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_MAX 64 /* options of one command: bits of `given` */

typedef enum {
  OPTION_KIND_FLAG,   /* bool */
  OPTION_KIND_TEXT,   /* const char *, into argv */
  OPTION_KIND_NUMBER, /* uint64_t */
} option_kind;

typedef struct option_spec {
  const char *name; /* without "--" */
  option_kind kind;
  size_t offset;     /* of the field in the target */
  const char *value; /* what help calls the value: "URL"; NULL for flags */
  uint64_t min, max; /* numbers, inclusive */
  const char *help;  /* one line */
} option_spec;

/* The field's type is checked: another one does not compile. */
#define OPTION_FLAG(type, field, name, help)                                                       \
  {                                                                                                \
    name, OPTION_KIND_FLAG,                                                                        \
        _Generic(((type *)0)->field, bool                                                          \
                 : offsetof(type, field)),                                                         \
        NULL, 0, 0, help                                                                           \
  }
#define OPTION_TEXT(type, field, name, value, help)                                                   \
  {                                                                                                   \
    name, OPTION_KIND_TEXT, _Generic(((type *)0)->field, const char *: offsetof(type, field)),      \
   value, 0, 0, help \
  }
#define OPTION_NUMBER(type, field, name, value, min, max, help)                                    \
  {                                                                                                \
    name, OPTION_KIND_NUMBER,                                                                      \
        _Generic(((type *)0)->field, uint64_t                                                      \
                 : offsetof(type, field)),                                                         \
        value, min, max, help                                                                      \
  }

typedef struct option_table {
  const char *command; /* "eval", "notes put": for messages */
  const option_spec *options;
  size_t count; /* at most OPTIONS_MAX */
  /* The first argument that is no option ends them; what follows is untouched
   * (`vow run FILE [args]`). */
  bool stop_at_argument;
  const char *about; /* lines of help before the options; NULL: none */
} option_table;

typedef struct option_result {
  char **arguments; /* what is no option, in order; part of argv, NULL-terminated if argv is */
  int count;
  uint64_t given; /* bit i: options[i] was given */
} option_result;

/* Parses argv[1..argc-1] into `target`, moving arguments to the end of argv
 * (the order of each kind stays). False with one line, "vow COMMAND: ...", in
 * `message`. */
bool options_parse(const option_table *table, int argc, char **argv, void *target,
                   option_result *result, char *message, size_t message_size);

/* Whether the option of that name was given; false for an unknown name. */
bool options_given(const option_table *table, const option_result *result, const char *name);

/* The beginning of each command: parses, and says on standard error what is wrong, or
 * prints the help that was asked for by the flag `help`. Then it returns the exit
 * status of the command, else OPTIONS_GO. */
enum { OPTIONS_GO = -1, OPTIONS_WRONG = 2 };
int options_begin(const option_table *table, int argc, char **argv, void *target,
                  option_result *result);

/* Prints `about`, then "  --name VALUE   help (min to max)" lines, aligned. */
void options_help(const option_table *table, FILE *out);

/* A whole number in decimal digits, nothing else around it. */
bool options_number(const char *text, uint64_t *value);

/* The nearest of `count` names to a misspelt one, or NULL when none is near. */
const char *options_nearest(const char *name, size_t name_len,
                            const char *(*name_at)(size_t, void *), void *user, size_t count);

#endif
