/* What vow_function says, checked and copied. */
#ifndef VOW_EXECUTORS_FUNCTION_H
#define VOW_EXECUTORS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "vow/executor.h"

/* "js", as vow_function_parse() has it. */
const char *function_language(vow_language language);
/* Whether it names one function, or a source text. False with one line. */
bool function_check(const vow_function *function, char *message, size_t message_size);
/* Bytes for a copy of its texts. */
size_t function_text_bytes(const vow_function *function);
/* A copy whose texts are in `text`, which has those bytes. */
vow_function function_copy(const vow_function *function, char *text);
/* "js:file.js:name", cut. */
void function_label(const vow_function *function, char *label, size_t size);

#endif
