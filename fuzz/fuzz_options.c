/* Command lines: the input's zero-separated pieces are the words. Every word
 * must come out as an option's value, an argument, or one line of refusal. */
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define WORDS_MAX 32

typedef struct target {
  const char *file, *allow;
  uint64_t small, big;
  bool debug;
} target;

static const option_spec specs[] = {
    OPTION_TEXT(target, file, "file", "FILE", "text"),
    OPTION_TEXT(target, allow, "allow", "LIST", "text"),
    OPTION_NUMBER(target, small, "small", "N", 1, 10, "small"),
    OPTION_NUMBER(target, big, "big", "N", 0, UINT64_MAX, "big"),
    OPTION_FLAG(target, debug, "debug", "flag"),
};

static void check(bool holds) {
  if (!holds)
    abort();
}

static void check_parsed(const target *got, const option_result *result, int argc, char **argv) {
  check(result->count >= 0 && result->count < argc);
  check(result->count == 0 || result->arguments + result->count == argv + argc);
  check(got->small == 0 || (got->small >= 1 && got->small <= 10));
  for (int i = 0; i < result->count; i++)
    check(strlen(result->arguments[i]) < SIZE_MAX);
}

static void check_refusal(const char *message, size_t size) {
  size_t len = strnlen(message, size);
  check(len > 0 && len < size);
  for (size_t i = 0; i < len; i++)
    check((unsigned char)message[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  char *text = malloc(size + 1);
  if (!text)
    return 0;
  memcpy(text, data, size);
  text[size] = 0;
  char *argv[WORDS_MAX + 2] = {text + size};
  int argc = 1;
  for (char *at = text; at < text + size && argc <= WORDS_MAX; at += strlen(at) + 1)
    argv[argc++] = at;
  option_table table = {"fuzz", specs, sizeof specs / sizeof *specs, (data[0] & 1) != 0, NULL};
  target got = {0};
  option_result result;
  char message[200] = "";
  if (options_parse(&table, argc, argv, &got, &result, message, sizeof message))
    check_parsed(&got, &result, argc, argv);
  else
    check_refusal(message, sizeof message);
  free(text);
  return 0;
}
