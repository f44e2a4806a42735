/* A function as text: what is taken has a language, a place and a name that stand in the
 * text; what is refused is told in one line. The first byte is the size of the buffer. */
#include <stdlib.h>
#include <string.h>

#include "vow/executor.h"

static void check(bool holds) {
  if (!holds)
    abort();
}

static void check_refusal(const char *message, size_t size) {
  size_t len = strnlen(message, size);
  check(len > 0 && len < size);
  for (size_t i = 0; i < len; i++)
    check((unsigned char)message[i] >= 0x20 && message[i] != 0x7f);
}

static bool within(const char *text, const char *buffer, size_t size) {
  return text >= buffer && text + strlen(text) < buffer + size;
}

static void check_function(const vow_function *function, const char *text, const char *buffer,
                           size_t size) {
  const char *place = function->file ? function->file : function->module;
  check(function->size == sizeof *function && !function->source && place && function->name);
  check(!function->file != !function->module);
  check(within(place, buffer, size) && within(function->name, buffer, size));
  check(*place && *function->name && !strchr(function->name, ':'));
  size_t len = strlen(text), name_len = strlen(function->name), place_len = strlen(place);
  check(len > name_len + place_len + 1);
  check(strcmp(text + len - name_len, function->name) == 0);
  check(memcmp(text + len - name_len - 1 - place_len, place, place_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  char *text = malloc(size), *buffer = malloc(data[0] + 1u);
  if (text && buffer) {
    vow_function function;
    char message[400] = "";
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (vow_function_parse(text, &function, buffer, data[0], message, sizeof message) == VOW_OK)
      check_function(&function, text, buffer, data[0]);
    else
      check_refusal(message, sizeof message);
  }
  free(text);
  free(buffer);
  return 0;
}
