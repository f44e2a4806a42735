/* The guest as a WebAssembly module: what the host imports and exports. */
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "guest/guest.h"

#define IMPORT(name) __attribute__((import_module("vow"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("flush") void host_flush(void);
IMPORT("send") void host_send(const wire_header *header, const void *bytes);

/* Free space in the heap of a template, so that a short run never grows memory. */
#define HEAP_SLACK (1u << 20)

static guest the_guest;

/* ---- allocation: the first refusal ends the run, caught or not ---- */

static void *or_refused(void *block) {
  if (!block)
    the_guest.shared.out_of_memory = 1;
  return block;
}

static void *guest_calloc(void *opaque, size_t count, size_t size) {
  (void)opaque;
  return or_refused(calloc(count, size));
}

static void *guest_malloc(void *opaque, size_t size) {
  (void)opaque;
  return or_refused(malloc(size));
}

static void guest_free_block(void *opaque, void *block) {
  (void)opaque;
  free(block);
}

static void *guest_realloc(void *opaque, void *block, size_t size) {
  (void)opaque;
  void *moved = realloc(block, size);
  return size ? or_refused(moved) : moved;
}

static size_t guest_usable_size(const void *block) {
  return malloc_usable_size((void *)(uintptr_t)block);
}

static const JSMallocFunctions allocation = {guest_calloc, guest_malloc, guest_free_block,
                                             guest_realloc, guest_usable_size};

void platform_flush(guest *g) {
  host_flush();
  g->shared.outbox_len = 0;
}

void platform_send(guest *g, const wire_header *header, const void *bytes) {
  (void)g;
  host_send(header, bytes);
}

double platform_now_ms(guest *g) {
  struct timespec now;
  (void)g;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void share(guest *g) {
  g->shared.inbox = (uint32_t)(uintptr_t)g->inbox;
  g->shared.outbox = (uint32_t)(uintptr_t)g->outbox;
}

/* Once, when the template is made: the address of the shared words, 0 when
 * memory is short. */
EXPORT("init") wire_shared *export_init(void) {
  guest_bundle bundle = {NULL, 0};
  bool ok = guest_init(&the_guest, &allocation, NULL, &bundle);
  free(bundle.code);
  if (!ok)
    return NULL;
  void *volatile slack = malloc(HEAP_SLACK); /* volatile: or the pair is left out */
  free(slack);
  share(&the_guest);
  return slack ? &the_guest.shared : NULL;
}

EXPORT("reserve") int export_reserve(uint32_t size) {
  bool ok = guest_reserve(&the_guest, size);
  share(&the_guest);
  return ok;
}

EXPORT("turn") void export_turn(uint32_t len) {
  guest_turn(&the_guest, len);
}
