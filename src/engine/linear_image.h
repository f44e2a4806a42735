/* The image of a linear memory that sandboxes start from, as a file that nobody
 * changes: the build's, or a sealed one in memory (memfd_create(2)). */
#ifndef VOW_ENGINE_LINEAR_IMAGE_H
#define VOW_ENGINE_LINEAR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* System pages; WebAssembly's are sixteen of them. */
#define LINEAR_OS_PAGE 4096u
#define LINEAR_EXTENTS_MAX 32u

/* A stretch of whole system pages in which an image is not zero. */
typedef struct linear_extent {
  size_t start, end;
} linear_extent;

typedef struct linear_image {
  int fd;                                    /* file that holds the bytes */
  const uint8_t *bytes;                      /* the same, mapped for reading */
  size_t size;                               /* multiple of WebAssembly's page */
  linear_extent extents[LINEAR_EXTENTS_MAX]; /* outside of them it is zero */
  size_t extent_count;
} linear_image;

/* Opens an image file of exactly `size` bytes. False: errno. */
bool linear_image_open(linear_image *image, const char *path, size_t size,
                       const linear_extent *extents, size_t extent_count);
/* Copies `size` bytes, whole pages, into a sealed file in memory. False: errno. */
bool linear_image_copy(linear_image *image, const uint8_t *bytes, size_t size);
void linear_image_free(linear_image *image);

/* The stretches of `bytes` that are not zero, their number; short gaps do not part
 * them, and the last one reaches to the end if there are too many. */
size_t linear_image_extents(const uint8_t *bytes, size_t size,
                            linear_extent extents[LINEAR_EXTENTS_MAX]);

#endif
