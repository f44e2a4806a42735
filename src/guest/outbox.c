#include <stdatomic.h>
#include <string.h>

#include "guest/guest.h"

void outbox_put(guest *g, uint32_t type, uint64_t id, const void *bytes, size_t len) {
  wire_header header = {type, (uint32_t)len, id};
  size_t need = sizeof header + WIRE_ALIGN((uint32_t)len);
  if (len > WIRE_MESSAGE_MAX || need > g->shared.outbox_size - g->shared.outbox_len)
    platform_flush(g);
  if (len > WIRE_MESSAGE_MAX || need > g->shared.outbox_size) {
    platform_send(g, &header, bytes);
    return;
  }
  uint8_t *at = g->outbox + g->shared.outbox_len;
  memcpy(at, &header, sizeof header);
  if (len)
    memcpy(at + sizeof header, bytes, len);
  /* The host may look at any moment: the length moves last. */
  atomic_signal_fence(memory_order_release);
  g->shared.outbox_len += (uint32_t)need;
}

cbor_out *scratch_take(guest *g, cbor_out *own, size_t max) {
  cbor_out *out = own;
  if (g->scratch_busy) {
    cbor_out_init(own, g->scratch.allocator, max);
  } else {
    out = &g->scratch;
    g->scratch_busy = true;
  }
  out->len = 0;
  out->max = max;
  out->status = CBOR_OK;
  return out;
}

/* A large buffer is not kept: it would count against the run's memory. */
#define SCRATCH_KEEP 65536u

void scratch_release(guest *g, cbor_out *out) {
  if (out != &g->scratch || out->cap > SCRATCH_KEEP)
    cbor_out_free(out);
  if (out == &g->scratch)
    g->scratch_busy = false;
}

static size_t cut_at_character(const char *text, size_t len, size_t max) {
  if (len <= max)
    return len;
  while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
    max--;
  return max;
}

void put_clean_text(cbor_out *out, const char *text, size_t len, size_t max) {
  len = cut_at_character(text, len, max);
  cbor_put_text(out, text, len);
  if (out->status != CBOR_OK)
    return;
  /* A surrogate's three bytes and U+FFFD's are of one length. */
  uint8_t *at = out->data + out->len - len, *end = out->data + out->len;
  for (; at + 2 < end; at++)
    if (at[0] == 0xed && at[1] >= 0xa0)
      memcpy(at, "\xef\xbf\xbd", 3);
}
