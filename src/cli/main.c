#include <stdio.h>
#include <string.h>

#include "cli/audit.h"
#include "cli/eval.h"
#include "cli/host.h"
#include "cli/notes.h"
#include "cli/options.h"
#include "cli/run.h"
#include "cli/task.h"
#include "cli/types.h"

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);
static void version_help(FILE *out);
static void help_help(FILE *out);

static const struct {
  const char *name, *about;
  int (*run)(int argc, char **argv);
  void (*help)(FILE *out);
} commands[] = {
    {"eval", "run an untrusted script in a fresh sandbox", cmd_eval, eval_help},
    {"run", "run a program of your own, with modules, timers and fetch", cmd_run, run_help},
    {"host", "let a program in any language evaluate scripts, by JSON-RPC", cmd_host, host_help},
    {"audit", "check an audit file", cmd_audit, audit_help},
    {"notes", "fill and read the notes database", cmd_notes, notes_help},
    {"task", "call functions of several languages with a time limit, or race them", cmd_task,
     task_help},
    {"types", "print TypeScript declarations of what a script finds", cmd_types, types_help},
    {"version", "print the version", cmd_version, version_help},
    {"help", "explain a command", cmd_help, help_help},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void version_help(FILE *out) {
  fprintf(out, "vow version\n\nPrints the version.\n");
}

static void help_help(FILE *out) {
  fprintf(out, "vow help [COMMAND]\n\nCommands:\n");
  for (size_t i = 0; i < COMMANDS; i++)
    fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].about);
}

static const char *name_at(size_t index, void *user) {
  (void)user;
  return commands[index].name;
}

static int unknown(const char *name) {
  const char *nearest = options_nearest(name, strlen(name), name_at, NULL, COMMANDS);
  fprintf(stderr, "vow: there is no command '%s'", name);
  if (nearest)
    fprintf(stderr, "; did you mean '%s'?\n", nearest);
  else
    fprintf(stderr, "; see: vow help\n");
  return 2;
}

static size_t find(const char *name) {
  size_t i = 0;
  while (i < COMMANDS && strcmp(commands[i].name, name) != 0)
    i++;
  return i;
}

static int cmd_version(int argc, char **argv) {
  (void)argv;
  if (argc > 1) {
    fprintf(stderr, "vow version: takes no arguments\n");
    return 2;
  }
  printf("vow %s\n", VOW_VERSION);
  return 0;
}

static int cmd_help(int argc, char **argv) {
  if (argc > 2) {
    fprintf(stderr, "vow help: takes one COMMAND\n");
    return 2;
  }
  size_t i = find(argc > 1 ? argv[1] : "help");
  if (i == COMMANDS)
    return unknown(argv[1]);
  commands[i].help(stdout);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    help_help(stderr);
    return 2;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
    return cmd_help(1, argv + 1);
  if (strcmp(argv[1], "--version") == 0)
    return cmd_version(1, argv + 1);
  size_t i = find(argv[1]);
  return i == COMMANDS ? unknown(argv[1]) : commands[i].run(argc - 1, argv + 1);
}
