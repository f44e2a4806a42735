#include "cli/types.h"

#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "cli/options.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, KINDS_MAX = 256 };

/* types_globals.d.ts and types_fetch.d.ts, made into bytes by the build. */
extern const char types_globals[], types_fetch[];

typedef struct types_options {
  const char *allow;
  bool help;
} types_options;

static const option_spec options[] = {
    OPTION_TEXT(types_options, allow, "allow", "LIST",
                "operations to declare: names and globs, e.g. notes.*"),
    OPTION_FLAG(types_options, help, "help", "show this help"),
};

static const option_table table = {"types", options, sizeof options / sizeof *options, false};

void types_help(FILE *out) {
  fprintf(out, "vow types --allow LIST\n\n"
               "Prints TypeScript declarations (a .d.ts file) of what a script finds that\n"
               "`vow eval --allow LIST` runs: the operations of LIST and the globals that are\n"
               "always there and that TypeScript's lib es2023 lacks.\n\n");
  options_help(&table, out);
}

/* ---- one operation ---- */

static bool is_reserved(const char *name) {
  static const char *const words[] = {"delete", "do",   "export", "for",    "if",  "import", "in",
                                      "new",    "null", "return", "switch", "try", "with"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i], name) == 0)
      return true;
  return false;
}

static void print_parameters(FILE *out, const api_kind *kind) {
  if (!kind->handler) {
    fprintf(out, "(%s): Promise<%s>;\n", kind->parameters, kind->result);
    return;
  }
  fprintf(out, "(%s%s%soptions%s?: CallOptions): Promise<%s>;\n", kind->parameters,
          kind->options_last ? " & CallOptions" : "", kind->parameters[0] ? ", " : "",
          kind->options_last ? "OfCall" : "", kind->result);
}

/* A name that cannot be declared is declared under another one. */
static void print_kind(FILE *out, const api_kind *kind, const char *name, const char *indent) {
  bool reserved = is_reserved(name);
  fprintf(out, "%s/** %s */\n", indent, kind->doc);
  fprintf(out, "%s%sfunction %s%s", indent,
          !*indent   ? "declare "
          : reserved ? ""
                     : "export ",
          name, reserved ? "_" : "");
  print_parameters(out, kind);
  if (reserved)
    fprintf(out, "%sexport { %s_ as %s };\n", indent, name, name);
}

/* ---- all of them ---- */

static size_t space_len(const char *name) {
  const char *dot = strchr(name, '.');
  return dot ? (size_t)(dot - name) : 0;
}

static bool any_mentions(const api_kind *kinds, size_t count, const bool *allowed,
                         const char *word) {
  for (size_t i = 0; i < count; i++)
    if (allowed[i] && (strstr(kinds[i].result, word) || strstr(kinds[i].parameters, word)))
      return true;
  return false;
}

static void print_note(FILE *out) {
  fprintf(out, "\ninterface Note {\n"
               "  id: string;\n"
               "  title: string;\n"
               "  body: string;\n"
               "  tags: string[];\n"
               "  /** An ISO date. */\n"
               "  created: string;\n"
               "  /** An ISO date. */\n"
               "  updated: string;\n"
               "}\n");
}

/* Kinds are sorted, so those of one namespace stand together. */
static void print_kinds(FILE *out, const api_kind *kinds, size_t count, const bool *allowed) {
  const char *open = NULL; /* a kind of the namespace being printed */
  if (any_mentions(kinds, count, allowed, "Note"))
    print_note(out);
  if (any_mentions(kinds, count, allowed, "RequestInit"))
    fprintf(out, "\n%s", types_fetch);
  for (size_t i = 0; i < count; i++) {
    const char *name = kinds[i].name;
    size_t len = space_len(name);
    if (!allowed[i])
      continue;
    bool same = open && len == space_len(open) && memcmp(open, name, len) == 0;
    if (open && !same)
      fprintf(out, "}\n");
    if (!same)
      fprintf(out, "\n");
    if (len && !same)
      fprintf(out, "declare namespace %.*s {\n", (int)len, name);
    open = len ? name : NULL;
    print_kind(out, &kinds[i], len ? name + len + 1 : name, len ? "  " : "");
  }
  if (open)
    fprintf(out, "}\n");
}

static int fail(const char *message) {
  fprintf(stderr, "vow types: %s\n", message);
  return EXIT_USAGE;
}

static int print_types(const char *allow) {
  size_t count;
  const api_kind *kinds = api_kinds(&count);
  bool allowed[KINDS_MAX];
  char message[512];
  if (count > KINDS_MAX)
    return fail("there are more operations than this command knows of");
  if (!api_allow(allow, allowed, message, sizeof message))
    return fail(message);
  fputs(types_globals, stdout);
  print_kinds(stdout, kinds, count, allowed);
  if (fflush(stdout) == 0 && !ferror(stdout))
    return EXIT_OK;
  fprintf(stderr, "vow types: standard output: %s\n", strerror(errno));
  return EXIT_FAILED;
}

int cmd_types(int argc, char **argv) {
  types_options given = {0};
  option_result result;
  char message[512];
  if (!options_parse(&table, argc, argv, &given, &result, message, sizeof message)) {
    fprintf(stderr, "%s\n", message);
    return EXIT_USAGE;
  }
  if (given.help) {
    types_help(stdout);
    return EXIT_OK;
  }
  if (result.count > 0)
    return fail("takes no arguments; usage: vow types --allow LIST");
  if (!given.allow)
    return fail("--allow is missing; usage: vow types --allow LIST");
  return print_types(given.allow);
}
