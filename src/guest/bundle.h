/* The JavaScript of guest/js, made into bytes by the build: its source, terminated by a
 * zero that the length does not count and seen by bundle_tool.c alone, and what the
 * engine compiles it to. */
#ifndef VOW_GUEST_BUNDLE_H
#define VOW_GUEST_BUNDLE_H

#include <stddef.h>

extern const unsigned char bundle_source[];
extern const size_t bundle_source_len;

extern const unsigned char bundle_code[];
extern const size_t bundle_code_len;

/* js/deferred.js, natively only. */
extern const unsigned char tasks_source[];
extern const size_t tasks_source_len;

extern const unsigned char tasks_code[];
extern const size_t tasks_code_len;

#endif
