/* `Deferred` where script makes one: a host call whose argument is a function, which
 * runs on another thread. Natively only. */
#ifndef VOW_GUEST_DEFERRED_H
#define VOW_GUEST_DEFERRED_H

#ifndef __wasm__

#include "guest/guest.h"

/* Takes the kinds "Deferred" and "Deferred.pure" and makes the global for
 * "Deferred.ready". 1: taken; 0: to be defined as any other kind; -1 with an
 * exception. */
int deferred_define(guest *g, const char *name, size_t name_len, uint32_t kind);
/* All kinds are defined and no script has run: what is global now is what a worker's
 * guest has too. 0, or -1 with an exception. */
int deferred_seal(guest *g);
/* Makes the global `Deferred` if there is none. 0, or -1 with an exception. */
int deferred_install(guest *g);
/* WIRE_PROGRESS of the call `id`. */
void deferred_progress(guest *g, uint64_t id, cbor_in *value);
/* A call whose progress is read has its end. */
void deferred_ended(guest *g, JSValueConst promise);
void deferred_free(guest *g);

#endif
#endif
