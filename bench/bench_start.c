/* Whole processes: how long from spawn to exit, and their peak memory.
 *
 *   bench_start STARTS COMMAND [ARGUMENT...] [-- COMMAND [ARGUMENT...]]...
 *
 * Starts the commands in turn, STARTS times each, after one unmeasured round
 * that fills caches. Standard output and error are dropped; each must exit with
 * status 0. Prints one line of JSON per command: milliseconds (median, least,
 * most), processor time and peak resident memory (medians). It is a small
 * program because a child's peak never counts less than its parent's size. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum { COMMANDS_MAX = 8, STARTS_MAX = 1000 };

typedef struct command {
  char **argv; /* ends with NULL */
  double wall_ms[STARTS_MAX], cpu_ms[STARTS_MAX], peak_kib[STARTS_MAX];
} command;

static double ms_of(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void start_once(command *command, posix_spawn_file_actions_t *actions, int index) {
  extern char **environ;
  pid_t pid;
  int status;
  struct rusage usage;
  uint64_t start = clock_ns();
  int error = posix_spawnp(&pid, command->argv[0], actions, NULL, command->argv, environ);
  if (error) {
    fprintf(stderr, "bench_start: %s: %s\n", command->argv[0], strerror(error));
    exit(2);
  }
  while (wait4(pid, &status, 0, &usage) < 0)
    if (errno != EINTR)
      broken("a child was lost");
  uint64_t end = clock_ns();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "bench_start: %s failed\n", command->argv[0]);
    exit(2);
  }
  if (index < 0)
    return;
  command->wall_ms[index] = (double)(end - start) / 1e6;
  command->cpu_ms[index] = ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
  command->peak_kib[index] = (double)usage.ru_maxrss;
}

static void print_json(command *command, size_t starts) {
  sort_values(command->wall_ms, starts);
  sort_values(command->cpu_ms, starts);
  sort_values(command->peak_kib, starts);
  printf("{\"command\":\"%s\",\"starts\":%zu,\"ms\":%.3f,\"least_ms\":%.3f,\"most_ms\":%.3f,"
         "\"cpu_ms\":%.3f,\"peak_kib\":%.0f}\n",
         command->argv[0], starts, quantile(command->wall_ms, starts, 0.5), command->wall_ms[0],
         command->wall_ms[starts - 1], quantile(command->cpu_ms, starts, 0.5),
         quantile(command->peak_kib, starts, 0.5));
}

/* Cuts the arguments at each "--"; how many commands there are. */
static size_t cut(char **argv, command *commands) {
  size_t count = 0;
  bool begins = true;
  for (char **at = argv; *at; at++) {
    if (strcmp(*at, "--") == 0) {
      *at = NULL;
      begins = true;
    } else if (begins) {
      if (count == COMMANDS_MAX)
        broken("too many commands");
      commands[count++].argv = at;
      begins = false;
    }
  }
  return count;
}

int main(int argc, char **argv) {
  static command commands[COMMANDS_MAX];
  long starts = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
  size_t count = starts > 0 && starts <= STARTS_MAX ? cut(argv + 2, commands) : 0;
  if (count == 0) {
    fprintf(stderr, "usage: bench_start STARTS COMMAND [ARGUMENT...] [-- COMMAND...]...\n");
    return 2;
  }
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0 ||
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) != 0 ||
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) != 0)
    broken("out of memory");
  for (int i = -1; i < starts; i++)
    for (size_t c = 0; c < count; c++)
      start_once(&commands[c], &actions, i);
  posix_spawn_file_actions_destroy(&actions);
  for (size_t c = 0; c < count; c++)
    print_json(&commands[c], (size_t)starts);
  return 0;
}
