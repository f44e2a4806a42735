#include "engine/linear_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Shorter stretches of zeros do not part extents: each extent makes two mappings more of
 * each sandbox, and a process may have 65,530 by default (vm.max_map_count). */
#define GAP_PAGES 256u

static bool is_zero(const uint8_t *page) {
  return page[0] == 0 && memcmp(page, page + 1, LINEAR_OS_PAGE - 1) == 0;
}

size_t linear_image_extents(const uint8_t *bytes, size_t size,
                            linear_extent extents[LINEAR_EXTENTS_MAX]) {
  size_t count = 0, gap = GAP_PAGES;
  for (size_t at = 0; at < size; at += LINEAR_OS_PAGE) {
    if (is_zero(bytes + at)) {
      gap++;
      continue;
    }
    if (gap >= GAP_PAGES && count < LINEAR_EXTENTS_MAX)
      extents[count++].start = at;
    extents[count - 1].end = at + LINEAR_OS_PAGE;
    gap = 0;
  }
  return count;
}

static bool map(linear_image *image) {
  void *bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, image->fd, 0);
  if (bytes == MAP_FAILED)
    return false;
  image->bytes = bytes;
  return true;
}

bool linear_image_open(linear_image *image, const char *path, size_t size,
                       const linear_extent *extents, size_t extent_count) {
  struct stat status;
  *image = (linear_image){.fd = open(path, O_RDONLY | O_CLOEXEC), .size = size};
  if (image->fd < 0)
    return false;
  memcpy(image->extents, extents, extent_count * sizeof *extents);
  image->extent_count = extent_count;
  errno = EINVAL; /* for a file of another size */
  if (fstat(image->fd, &status) == 0 && (uint64_t)status.st_size == size && map(image))
    return true;
  linear_image_free(image);
  return false;
}

static bool write_extent(int fd, const uint8_t *bytes, const linear_extent *extent) {
  for (size_t at = extent->start; at < extent->end;) {
    ssize_t n = pwrite(fd, bytes + at, extent->end - at, (off_t)at);
    if (n > 0)
      at += (size_t)n;
    else if (n == 0 || errno != EINTR)
      return false;
  }
  return true;
}

bool linear_image_copy(linear_image *image, const uint8_t *bytes, size_t size) {
  *image = (linear_image){.fd = memfd_create("vow-template", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                          .size = size};
  if (image->fd < 0)
    return false;
  image->extent_count = linear_image_extents(bytes, size, image->extents);
  bool ok = ftruncate(image->fd, (off_t)size) == 0;
  for (size_t i = 0; ok && i < image->extent_count; i++)
    ok = write_extent(image->fd, bytes, &image->extents[i]);
  ok = ok &&
       fcntl(image->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
  if (ok && map(image))
    return true;
  linear_image_free(image);
  return false;
}

void linear_image_free(linear_image *image) {
  int saved = errno;
  if (image->bytes)
    munmap((void *)(uintptr_t)image->bytes, image->size);
  if (image->fd >= 0)
    close(image->fd);
  *image = (linear_image){.fd = -1};
  errno = saved;
}
