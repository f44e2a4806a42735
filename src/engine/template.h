/* The compiled guest and its initialised heap, as the build embeds them. */
#ifndef VOW_ENGINE_TEMPLATE_H
#define VOW_ENGINE_TEMPLATE_H

#include <stdint.h>

#define TEMPLATE_MAGIC UINT64_C(0x31474d49574f5600) /* "\0VOWIMG1" */

/* At the start of the image file; the bytes of linear memory follow. */
typedef struct template_header {
  uint64_t magic;
  uint64_t size;   /* bytes that follow */
  uint32_t shared; /* address of wire_shared */
  uint32_t unused;
} template_header;

extern const uint8_t template_code[], template_code_end[];
extern const uint8_t template_image[], template_image_end[];

#endif
