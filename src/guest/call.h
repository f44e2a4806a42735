/* What the kinds of calls share: the options of one, its slot and its promise. Those
 * that Deferred makes of them (deferred.c) differ in nothing else. */
#ifndef VOW_GUEST_CALL_H
#define VOW_GUEST_CALL_H

#include "guest/guest.h"

/* What follows the arguments: {timeout, signal, priority}. */
typedef struct call_options {
  double timeout_ms; /* < 0: none */
  int priority;      /* 0 normal, -1 low */
  JSValue signal;    /* owned; JS_UNDEFINED: none */
} call_options;

/* Reads them from an object or undefined. 0, or -1 with an exception; `read->signal`
 * is to be freed either way. */
int call_read_options(JSContext *ctx, JSValueConst options, call_options *read);
/* The reason of an aborted signal; undefined when it is not aborted; an exception when
 * it is no signal. */
JSValue call_abort_reason(guest *g, JSValueConst signal);

/* Puts the beginning of WIRE_CALL; the array of arguments is to follow. */
void call_put_head(guest *g, cbor_out *out, uint32_t kind, const call_options *options);
/* 0 when all was put, else -1 with an exception. */
int call_check_encoded(guest *g, const cbor_out *out);
/* Sends the call; its answer settles `pending` (taken), which is returned. An exception
 * when memory is short or the signal is aborted or none. */
JSValue call_submit(guest *g, const cbor_out *message, JSValueConst signal, JSValue pending,
                    uint64_t *number);
/* Rejects `promise` with the pending exception and returns it: whatever goes wrong
 * before the host has the call. */
JSValue call_rejected(guest *g, JSValue promise);

/* NULL: it has an end already. */
guest_call *call_find(guest *g, uint64_t id);
/* The caller wants no answer any more: rejects with `reason` now and tells the host.
 * The call must be pending. */
void call_give_up(guest *g, uint64_t id, JSValueConst reason);
#ifndef __wasm__
/* Drops all pending calls: their promises are never settled, the host is told. */
void call_drop_all(guest *g);
#endif

#endif
