#include "cli/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/tell.h"
#include "core/audit.h"

enum { EXIT_WHOLE = 0, EXIT_ALTERED = 1 };

#define usage(...) tell_usage("audit verify", __VA_ARGS__)

#define READ_BYTES 65536u

typedef struct verify_options {
  const char *last;
  bool help;
} verify_options;

static const option_spec specs[] = {
    OPTION_TEXT(verify_options, last, "last", "HEX",
                "a hash that must be in the file: audit.last of a report"),
    OPTION_FLAG(verify_options, help, "help", "show this help"),
};
static const option_table table = {
    "audit verify", specs, sizeof specs / sizeof specs[0], false,
    "vow audit verify [options] FILE|-\n\n"
    "Checks that an audit file is what was written: no line altered, removed or moved,\n"
    "and with --last, that its end is there.\n"
    "Exit status: 0 it is, 1 it is not, 2 usage, or it cannot be read.\n\n"};

void audit_help(FILE *out) {
  options_help(&table, out);
}

static bool feed(audit_check *check, int fd) {
  char bytes[READ_BYTES];
  for (;;) {
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0)
      audit_check_feed(check, bytes, (size_t)n);
    else if (n == 0)
      return true;
    else if (errno != EINTR)
      return false;
    if (check->finding != AUDIT_WHOLE)
      return true; /* what comes behind the first finding does not matter */
  }
}

static int tell(const audit_check *check) {
  if (check->finding != AUDIT_WHOLE) {
    printf("line %" PRIu64 ": %s: %s\n", check->line, audit_finding_text(check->finding),
           check->why);
    return EXIT_ALTERED;
  }
  printf("%" PRIu64 " lines are whole, the last hash is %s", check->lines, check->last);
  if (check->after > 0)
    printf(", %" PRIu64 " lines behind the one of --last", check->after);
  putchar('\n');
  return EXIT_WHOLE;
}

static int verify(const char *file, const char *last) {
  static audit_check check;
  bool is_stdin = strcmp(file, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  audit_check_begin(&check, last);
  bool read = fd >= 0 && feed(&check, fd);
  int error = errno;
  if (fd >= 0 && !is_stdin)
    close(fd);
  if (!read) {
    return usage("%s: cannot be read: %s", file, strerror(error));
  }
  audit_check_end(&check);
  int status = tell(&check);
  if (fflush(stdout) != 0 || ferror(stdout))
    return usage("the result could not be written");
  return status;
}

static int cmd_verify(int argc, char **argv) {
  verify_options options = {0};
  option_result given;
  int ended = options_begin(&table, argc, argv, &options, &given);
  if (ended != OPTIONS_GO)
    return ended;
  if (given.count != 1)
    return usage("%s; see: vow help audit",
                 given.count ? "takes one FILE" : "needs a FILE, or - for standard input");
  if (options.last && !audit_is_hash(options.last, strlen(options.last)))
    return usage("--last: a hash is 64 hexadecimal digits, lower case");
  return verify(given.arguments[0], options.last);
}

int cmd_audit(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "verify") == 0)
    return cmd_verify(argc - 1, argv + 1);
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    audit_help(stdout);
    return 0;
  }
  return tell_usage("audit", "needs `verify FILE`; see: vow help audit");
}
