#include "engine/linear_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define OS_PAGE LINEAR_OS_PAGE
#define MAPPING (LINEAR_MEMORY_RESERVATION + LINEAR_MEMORY_GUARD)
/* PAGEMAP_SCAN of Linux 6.7 (Documentation/admin-guide/mm/pagemap): the ranges
 * of pages that have, or have not, certain properties. Stated here because older
 * headers lack it. */
#define SCAN_FILE (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_ZERO (UINT64_C(1) << 5)

typedef struct scan_range {
  uint64_t start, end, categories;
} scan_range;

typedef struct scan_argument {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
      category_mask, category_anyof_mask, return_mask;
} scan_argument;
#define SCAN_IOCTL _IOWR('f', 16, scan_argument)
#define SCAN_RANGES 256u
/* Bits of a /proc/self/pagemap entry, for older kernels. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE (UINT64_C(1) << 61)
/* Grown memory is kept mapped up to this much beyond the image. */
#define GROWN_KEEP_MAX (4u << 20)
/* So many memories at a time are mapped from one file. To find out who uses a page of it the
 * kernel walks all that map it, under locks that page faults and mmap() wait for. */
#define SHARERS_MAX 256u
/* So many pages are dropped instead of copied back, now and after each later run. */
#define COPIED_PAGES_MAX 128u

struct linear_memory_pool {
  const vow_allocator *allocator;
  const linear_image *image;
  linear_image copy; /* what is mapped when enough memories map `image` */
  uint64_t file;     /* counts the copies: which one is mapped now */
  uint32_t sharers;  /* memories that map it */
  linear_memory *free;
  uint32_t free_count, keep_max;
  int pagemap;       /* -1: cannot be read */
  bool can_scan;     /* the kernel has PAGEMAP_SCAN */
  bool faults_count; /* the kernel counts page faults of a thread */
  uint64_t *entries; /* one per page of the image */
  linear_memory_account *account;
};

/* ---- pool ---- */

/* Its address tells threads apart. */
static _Thread_local char this_thread;

static uint64_t thread_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* Not everything that runs Linux programs counts them. */
static bool faults_are_counted(void) {
  volatile char *page =
      mmap(NULL, OS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return false;
  (void)page[0]; /* now it is the page of zeros */
  uint64_t before = thread_faults();
  page[0] = 1;
  bool counted = thread_faults() > before;
  munmap((void *)(uintptr_t)page, OS_PAGE);
  return counted;
}

linear_memory_pool *linear_memory_pool_open(const vow_allocator *allocator,
                                            const linear_image *image,
                                            linear_memory_account *account, uint32_t keep_max) {
  linear_memory_pool *pool = mem_new(allocator, 1, sizeof *pool);
  uint64_t *entries = mem_new(allocator, image->size / OS_PAGE, sizeof *entries);
  if (!pool || !entries) {
    mem_free(allocator, pool);
    mem_free(allocator, entries);
    return NULL;
  }
  *pool = (linear_memory_pool){.allocator = allocator,
                               .image = image,
                               .copy = {.fd = -1},
                               .account = account,
                               .keep_max = keep_max,
                               .entries = entries};
  pool->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  pool->can_scan = pool->pagemap >= 0;
  pool->faults_count = faults_are_counted();
  return pool;
}

static void unmap(linear_memory *memory) {
  munmap(memory->base, MAPPING);
  if (memory->file == memory->pool->file)
    memory->pool->sharers--;
  mem_free(memory->pool->allocator, memory);
}

void linear_memory_pool_close(linear_memory_pool *pool) {
  if (!pool)
    return;
  while (pool->free) {
    linear_memory *memory = pool->free;
    pool->free = memory->next;
    unmap(memory);
  }
  if (pool->pagemap >= 0)
    close(pool->pagemap);
  linear_image_free(&pool->copy);
  mem_free(pool->allocator, pool->entries);
  mem_free(pool->allocator, pool);
}

/* Where no copy can be had, more than SHARERS_MAX share one. A copy lives as long as
 * it is mapped. */
static int file_to_map(linear_memory *memory) {
  linear_memory_pool *pool = memory->pool;
  linear_image next;
  if (pool->sharers >= SHARERS_MAX &&
      linear_image_copy(&next, pool->image->bytes, pool->image->size)) {
    linear_image_free(&pool->copy);
    pool->copy = next;
    pool->file++;
    pool->sharers = 0;
  }
  memory->file = pool->file;
  pool->sharers++;
  return pool->copy.fd >= 0 ? pool->copy.fd : pool->image->fd;
}

/* Only what is not zero is mapped from the file: the kernel maps pages of a file
 * in batches, and each one that is present costs the search for written ones. */
static bool map_image(linear_memory *memory) {
  const linear_image *image = memory->pool->image;
  int fd = file_to_map(memory);
  bool ok = mprotect(memory->base, image->size, PROT_READ | PROT_WRITE) == 0;
  for (size_t i = 0; i < image->extent_count && ok; i++) {
    const linear_extent *extent = &image->extents[i];
    ok = mmap(memory->base + extent->start, extent->end - extent->start, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_FIXED, fd, (off_t)extent->start) != MAP_FAILED;
  }
  return ok;
}

static linear_memory *map_new(linear_memory_pool *pool) {
  linear_memory *memory = mem_new(pool->allocator, 1, sizeof *memory);
  if (!memory)
    return NULL;
  memory->pool = pool;
  void *base = mmap(NULL, MAPPING, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    mem_free(pool->allocator, memory);
    return NULL;
  }
  memory->base = base;
  if (!map_image(memory)) {
    unmap(memory);
    return NULL;
  }
  /* The kernel's huge pages would make a copy of 2 MiB out of each write. */
  madvise(base, MAPPING, MADV_NOHUGEPAGE);
  return memory;
}

void linear_memory_retake(linear_memory *memory, size_t max) {
  memory->max = max;
  memory->written.thread = &this_thread;
  memory->written.faults = thread_faults();
}

linear_memory *linear_memory_take(linear_memory_pool *pool, size_t max) {
  linear_memory *memory = pool->free;
  if (memory) {
    pool->free = memory->next;
    pool->free_count--;
  } else if (!(memory = map_new(pool))) {
    return NULL;
  }
  memory->next = NULL;
  memory->size = pool->image->size;
  memory->limit_hit = memory->host_full = false;
  memory->reusable = false;
  linear_memory_retake(memory, max);
  return memory;
}

bool linear_memory_grow(linear_memory *memory, size_t size) {
  if (size > memory->max) {
    memory->limit_hit = true;
    return false;
  }
  if (size > memory->size) {
    if (mprotect(memory->base + memory->size, size - memory->size, PROT_READ | PROT_WRITE) < 0) {
      memory->host_full = true;
      return false;
    }
    memory->size = size;
  }
  return true;
}

void linear_memory_drop(linear_memory *memory, size_t size) {
  (void)madvise(memory->base, size / OS_PAGE * OS_PAGE, MADV_DONTNEED);
}

/* ---- recycling ---- */

static void note_written(linear_written *written, size_t start, size_t end) {
  if (written->count > 0 && written->ranges[written->count - 1].end == start)
    written->ranges[written->count - 1].end = end;
  else if (written->count < LINEAR_WRITTEN_MAX)
    written->ranges[written->count++] = (linear_extent){start, end};
  else
    written->complete = false;
}

/* A page that was written is present (or swapped) and neither a page of the file
 * nor the kernel's page of zeros. */
static bool find_by_scan(linear_memory *memory) {
  linear_memory_pool *pool = memory->pool;
  scan_range ranges[SCAN_RANGES];
  uint64_t base = (uint64_t)(uintptr_t)memory->base, end = base + pool->image->size;
  for (uint64_t at = base; at < end;) {
    scan_argument scan = {.size = sizeof scan,
                          .start = at,
                          .end = end,
                          .vec = (uint64_t)(uintptr_t)ranges,
                          .vec_len = SCAN_RANGES,
                          .category_inverted = SCAN_FILE | SCAN_ZERO,
                          .category_mask = SCAN_FILE | SCAN_ZERO,
                          .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
                          .return_mask = SCAN_PRESENT};
    int count = ioctl(pool->pagemap, SCAN_IOCTL, &scan);
    if (count < 0 || scan.walk_end <= at)
      return false;
    for (int i = 0; i < count; i++)
      note_written(&memory->written, ranges[i].start - base, ranges[i].end - base);
    at = scan.walk_end;
  }
  return true;
}

static bool was_written(uint64_t entry) {
  if (entry & PAGEMAP_SWAPPED)
    return true;
  return (entry & PAGEMAP_PRESENT) && !(entry & PAGEMAP_FILE);
}

static bool find_by_entries(linear_memory *memory) {
  linear_memory_pool *pool = memory->pool;
  size_t count = pool->image->size / OS_PAGE;
  size_t bytes = count * sizeof *pool->entries;
  off_t at = (off_t)((uintptr_t)memory->base / OS_PAGE * sizeof *pool->entries);
  if (pool->pagemap < 0 || pread(pool->pagemap, pool->entries, bytes, at) != (ssize_t)bytes)
    return false;
  for (size_t i = 0; i < count; i++)
    if (was_written(pool->entries[i]))
      note_written(&memory->written, i * OS_PAGE, (i + 1) * OS_PAGE);
  return true;
}

static void forget_written(linear_written *written) {
  written->count = 0;
  written->complete = true;
}

/* Fills memory->written; false where it cannot hold or tell all pages. */
static bool find_written(linear_memory *memory) {
  linear_memory_pool *pool = memory->pool;
  linear_written *written = &memory->written;
  if (pool->faults_count && written->complete && written->thread == &this_thread &&
      written->faults == thread_faults())
    return true;
  pool->account->searches++;
  forget_written(written);
  if (pool->can_scan && find_by_scan(memory))
    return written->complete;
  pool->can_scan = false;
  forget_written(written);
  return find_by_entries(memory) && written->complete;
}

static size_t written_pages(const linear_written *written) {
  size_t pages = 0;
  for (size_t i = 0; i < written->count; i++)
    pages += (written->ranges[i].end - written->ranges[i].start) / OS_PAGE;
  return pages;
}

static void copy_back(linear_memory *memory) {
  const linear_written *written = &memory->written;
  for (size_t i = 0; i < written->count; i++) {
    size_t start = written->ranges[i].start;
    memcpy(memory->base + start, memory->pool->image->bytes + start,
           written->ranges[i].end - start);
  }
}

static bool drop_all(linear_memory *memory) {
  if (madvise(memory->base, memory->pool->image->size, MADV_DONTNEED) < 0)
    return false;
  forget_written(&memory->written);
  return true;
}

static bool restore(linear_memory *memory) {
  size_t image_size = memory->pool->image->size;
  size_t grown = memory->size - image_size;
  if (grown > GROWN_KEEP_MAX)
    return false;
  if (grown && (madvise(memory->base + image_size, grown, MADV_DONTNEED) < 0 ||
                mprotect(memory->base + image_size, grown, PROT_NONE) < 0))
    return false;
  bool found = find_written(memory);
  size_t pages = written_pages(&memory->written);
  memory->pool->account->pages_restored += pages;
  if (!found || pages > COPIED_PAGES_MAX)
    return drop_all(memory);
  copy_back(memory);
  return true;
}

static void verify_restored(const linear_memory *memory) {
  const linear_image *image = memory->pool->image;
  if (memcmp(memory->base, image->bytes, image->size) != 0) {
    fprintf(stderr, "vow: a recycled memory differs from its template\n");
    abort();
  }
}

static bool recycle(linear_memory *memory) {
  if (memory->limit_hit || memory->host_full || !restore(memory))
    return false;
  if (memory->pool->account->verify)
    verify_restored(memory);
  memory->pool->account->recycled++;
  return true;
}

bool linear_memory_restore(linear_memory *memory) {
  return memory->size == memory->pool->image->size && recycle(memory);
}

void linear_memory_give(linear_memory *memory) {
  linear_memory_pool *pool = memory->pool;
  if (!memory->reusable || pool->free_count >= pool->keep_max || !recycle(memory)) {
    pool->account->discarded++;
    unmap(memory);
    return;
  }
  memory->next = pool->free;
  pool->free = memory;
  pool->free_count++;
}
