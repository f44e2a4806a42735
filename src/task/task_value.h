/* Values and texts of tasks: what types a value may have, JSON beside CBOR, and texts
 * that are made fit to be kept. No state; any thread. */
#ifndef VOW_TASK_TASK_VALUE_H
#define VOW_TASK_TASK_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"
#include "vow/status.h"

/* What is kept of texts, in bytes without the final zero. */
#define TASK_WORD_MAX 128u           /* a name, a type of error */
#define TASK_MESSAGE_MAX 4096u       /* what an error says */
#define TASK_DETAIL_MAX (16u * 1024) /* a traceback */

/* Every type there is: VOW_TYPE_*. */
#define TASK_TYPES_ALL 0x1ffu

/* Whether the CBOR value in `bytes` (NULL: there is none) has one of `types` (0: all fit).
 * If not, `message` becomes one line that names both: "argument of 'resize' is text,
 * expected integer or null". `what`: "argument", "result". Room for TASK_MESSAGE_MAX is
 * always enough. */
bool task_value_fits(uint32_t types, const void *bytes, size_t len, const char *what,
                     const char *name, char *message, size_t size);

bool task_value_is_cbor(const void *bytes, size_t len);

/* CBOR of JSON text, to be freed with mem_free(). VOW_E_JSON, VOW_E_NOMEM. */
vow_status task_value_from_json(const vow_allocator *allocator, const char *json, void **bytes,
                                size_t *len);
/* JSON of CBOR on one line, to be freed with mem_free(); NULL: it is none, or memory is
 * short. */
char *task_value_to_json(const vow_allocator *allocator, const void *bytes, size_t len);

/* Bytes that task_text_copy() writes without the final zero: those of `text` (NULL counts
 * as ""), where each part that is no UTF-8 is U+FFFD, cut at a character so that they are
 * at most `max`. */
size_t task_text_len(const char *text, size_t max);
/* Writes these and a zero to `to`; returns what is behind it. */
char *task_text_copy(char *to, const char *text, size_t max);

#endif
