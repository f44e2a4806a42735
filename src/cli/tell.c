#include "cli/tell.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
/* Messages name up to two paths. */
#define LINE_MAX_BYTES (2 * PATH_MAX + 512)

int tell_usage(const char *command, const char *format, ...) {
  char line[LINE_MAX_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *at = line; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f)
      *at = '?';
  fprintf(stderr, "vow %s: %s\n", command, line);
  return EXIT_USAGE;
}

/* It must not move the cursor or set titles:
 * control characters but newline and tab are shown as \xNN (C0, DEL, and the C1
 * set, which is C2 80 to C2 9F in UTF-8). */
void tell_text(const char *text, size_t len) {
  if (!isatty(STDERR_FILENO)) {
    fwrite(text, 1, len, stderr);
    return;
  }
  for (size_t i = 0; i < len; i++) {
    unsigned char byte = (unsigned char)text[i],
                  next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
    bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    if (c1)
      fprintf(stderr, "\\x%02x", (unsigned char)text[++i]);
    else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
      fprintf(stderr, "\\x%02x", byte);
    else
      fputc(byte, stderr);
  }
}

static void put_lines(const char *text) {
  size_t len = strlen(text);
  tell_text(text, len);
  if (len > 0 && text[len - 1] != '\n')
    fputc('\n', stderr);
}

/* A trace holds "Name: message" by convention only: it is shown below both. */
void tell_failure(const run_report *report) {
  const char *name = report->error.name, *message = report->error.message;
  fprintf(stderr, "vow eval: %s (%s): ", run_outcome_text(report->outcome),
          run_kind_text(report->error.kind));
  if (name)
    tell_text(name, strlen(name));
  if (name && message)
    fputs(": ", stderr);
  if (message)
    tell_text(message, strlen(message));
  fputc('\n', stderr);
  if (report->error.stack)
    put_lines(report->error.stack);
}

void tell_leak(const char *command, const run_leak *leak) {
  fprintf(stderr, "vow %s: outlived the run: %s, %.3f s old\n", command, leak->name,
          (double)leak->age_ns / 1e9);
  if (leak->site)
    put_lines(leak->site);
}
