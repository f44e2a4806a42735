/* Memory that native guests of one process share: what a SharedArrayBuffer of
 * trusted code holds. Any thread.
 *
 * A block is counted: each guest's buffer on it holds it, and each ticket. A message
 * names a block by a ticket, 16 random bytes that are good for one reading. Nobody can
 * make one up, so bytes of strangers reach no memory; and a ticket that was read or
 * released is gone, so a block is let go exactly once whatever becomes of a message. */
#ifndef VOW_GUEST_SHARED_H
#define VOW_GUEST_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARED_TICKET 16

/* Of SharedArrayBuffers as the wire has them: a byte string, the ticket. It is in
 * messages only and never leaves the process. */
#define SHARED_TAG 0x566f5301u
/* A typed array on one: [JSTypedArrayEnum, byte offset, length, buffer]. */
#define SHARED_VIEW_TAG 0x566f5302u

/* A zeroed block of `size` bytes, held once; NULL when memory is short. */
void *shared_new(size_t size);
void shared_hold(void *block);
void shared_drop(void *block);
/* Bytes it was made with. */
size_t shared_size(const void *block);

/* Registers `ticket`, which the caller filled with randomness, for a reference to the
 * block of its own. False when memory is short. */
bool shared_ticket_put(const uint8_t ticket[SHARED_TICKET], void *block, size_t len);
/* Redeems it: the reference is the caller's. NULL: there is no such ticket. */
void *shared_ticket_take(const uint8_t ticket[SHARED_TICKET], size_t *len);
/* How many tickets are out. */
size_t shared_in_flight(void);

/* Releases what a message names that no guest will read (any more): for every message
 * with values of a trusted guest that is dropped, whole or in part, read or not. Costs
 * nothing while no ticket is out; the bytes need not be well-formed. */
void value_release(const void *bytes, size_t len);
/* Whether a message names shared memory: it can be read once, and what comes of each
 * reading is the same memory. As cheap as value_release(). */
bool value_is_shared(const void *bytes, size_t len);

#endif
