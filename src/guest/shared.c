#include "guest/shared.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define BUCKETS 64u

typedef struct block_head {
  _Alignas(max_align_t) atomic_size_t references;
  size_t size;
} block_head;

typedef struct ticket {
  struct ticket *next;
  void *block; /* a reference */
  size_t len;
  uint8_t bytes[SHARED_TICKET];
} ticket;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ticket *tickets[BUCKETS]; /* under `lock` */
static atomic_size_t in_flight;  /* changed under `lock` */

/* ---- blocks ---- */

static block_head *head_of(const void *block) {
  return (block_head *)(uintptr_t)block - 1;
}

void *shared_new(size_t size) {
  if (size > SIZE_MAX - sizeof(block_head))
    return NULL;
  block_head *head = mem_new(NULL, sizeof *head + size, 1);
  if (!head)
    return NULL;
  atomic_init(&head->references, 1);
  head->size = size;
  return head + 1;
}

void shared_hold(void *block) {
  atomic_fetch_add_explicit(&head_of(block)->references, 1, memory_order_relaxed);
}

void shared_drop(void *block) {
  block_head *head = head_of(block);
  if (atomic_fetch_sub_explicit(&head->references, 1, memory_order_acq_rel) == 1)
    mem_free(NULL, head);
}

size_t shared_size(const void *block) {
  return head_of(block)->size;
}

/* ---- tickets ---- */

static ticket **bucket_of(const uint8_t bytes[SHARED_TICKET]) {
  return &tickets[bytes[0] % BUCKETS];
}

/* Under the lock. Where it is, or would be. */
static ticket **find(const uint8_t bytes[SHARED_TICKET]) {
  ticket **at = bucket_of(bytes);
  while (*at && memcmp((*at)->bytes, bytes, SHARED_TICKET) != 0)
    at = &(*at)->next;
  return at;
}

bool shared_ticket_put(const uint8_t bytes[SHARED_TICKET], void *block, size_t len) {
  ticket *made = mem_new(NULL, 1, sizeof *made);
  if (!made)
    return false;
  shared_hold(block);
  made->block = block;
  made->len = len;
  memcpy(made->bytes, bytes, SHARED_TICKET);
  pthread_mutex_lock(&lock);
  ticket **bucket = bucket_of(bytes);
  made->next = *bucket;
  *bucket = made;
  atomic_fetch_add_explicit(&in_flight, 1, memory_order_relaxed);
  pthread_mutex_unlock(&lock);
  return true;
}

void *shared_ticket_take(const uint8_t bytes[SHARED_TICKET], size_t *len) {
  pthread_mutex_lock(&lock);
  ticket **at = find(bytes), *found = *at;
  if (found) {
    *at = found->next;
    atomic_fetch_sub_explicit(&in_flight, 1, memory_order_relaxed);
  }
  pthread_mutex_unlock(&lock);
  if (!found)
    return NULL;
  void *block = found->block;
  *len = found->len;
  mem_free(NULL, found);
  return block;
}

size_t shared_in_flight(void) {
  return atomic_load_explicit(&in_flight, memory_order_relaxed);
}

/* ---- messages ---- */

/* The next bytes that may be a ticket, by what stands before one; NULL: none. */
static const uint8_t *next_ticket(const uint8_t *at, const uint8_t *end) {
  static const uint8_t before[] = {0xda,
                                   SHARED_TAG >> 24,
                                   (SHARED_TAG >> 16) & 0xff,
                                   (SHARED_TAG >> 8) & 0xff,
                                   SHARED_TAG & 0xff,
                                   0x40 | SHARED_TICKET};
  at = memmem(at, (size_t)(end - at), before, sizeof before);
  if (!at || SHARED_TICKET > end - at - (ptrdiff_t)sizeof before)
    return NULL;
  return at + sizeof before;
}

/* Bytes that look alike do no harm: nobody holds a ticket of that name. */
void value_release(const void *bytes, size_t len) {
  if (!bytes || shared_in_flight() == 0)
    return;
  const uint8_t *at = bytes, *end = at + len;
  while ((at = next_ticket(at, end))) {
    size_t block_len;
    void *block = shared_ticket_take(at, &block_len);
    if (block)
      shared_drop(block);
  }
}

bool value_is_shared(const void *bytes, size_t len) {
  if (!bytes || shared_in_flight() == 0)
    return false;
  const uint8_t *at = bytes, *end = at + len;
  bool is = false;
  pthread_mutex_lock(&lock);
  while (!is && (at = next_ticket(at, end)))
    is = *find(at) != NULL;
  pthread_mutex_unlock(&lock);
  return is;
}
