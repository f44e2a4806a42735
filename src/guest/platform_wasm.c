/* The guest as a WebAssembly module: what the host imports and exports. */
#include <time.h>

#include "guest/guest.h"
#include "guest/heap_wasm.h"

#define IMPORT(name) __attribute__((import_module("vow"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("flush") void host_flush(void);
IMPORT("send") void host_send(const wire_header *header, const void *bytes);
IMPORT("random") int host_random(void *bytes, uint32_t len);

/* Free space in the heap of a template, so that a short run never grows memory. */
#define HEAP_SLACK (1u << 20)

static guest the_guest;

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

bool platform_random(guest *g, void *bytes, uint32_t len) {
  (void)g;
  return host_random(bytes, len) != 0;
}

static void share(guest *g) {
  g->shared.inbox = (uint32_t)(uintptr_t)g->inbox;
  g->shared.outbox = (uint32_t)(uintptr_t)g->outbox;
}

/* Once, when the template is made: the address of the shared words, 0 when
 * memory is short. */
EXPORT("init") wire_shared *export_init(void) {
  heap_open(&the_guest.shared.out_of_memory);
  bool ok = guest_init(&the_guest, NULL, NULL);
  if (!ok || engine_make_ahead(the_guest.ctx) < 0)
    return NULL;
  guest_tidy(&the_guest);
  if (!heap_seal(HEAP_SLACK))
    return NULL;
  share(&the_guest);
  return &the_guest.shared;
}

/* The guest as it is now is to be a template. */
EXPORT("seal") int export_seal(uint32_t unused) {
  (void)unused;
  guest_tidy(&the_guest);
  return heap_seal(HEAP_SLACK);
}

EXPORT("reserve") int export_reserve(uint32_t size) {
  bool ok = guest_reserve(&the_guest, size);
  share(&the_guest);
  return ok;
}

EXPORT("turn") void export_turn(uint32_t len) {
  guest_turn(&the_guest, len);
}
