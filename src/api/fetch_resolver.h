/* Name lookups for fetch, beside the loop.
 *
 * getaddrinfo() blocks, for half a minute where no server answers, and nothing stops
 * it. So lookups have threads of their own, at most FETCH_LOOKUP_THREADS_MAX for one
 * client however many are asked for and given up; the others wait. One name is looked
 * up once at a time, for all who ask, and what was found serves for a minute. Threads
 * end when nothing waits. One that is in getaddrinfo() when the resolver is closed
 * ends by itself later, on memory of the C library's that is no longer the client's.
 *
 * Loop thread only. */
#ifndef VOW_API_FETCH_RESOLVER_H
#define VOW_API_FETCH_RESOLVER_H

#include <stdbool.h>

#include "api/fetch_address.h"
#include "loop/loop.h"

#define FETCH_LOOKUP_THREADS_MAX 8u
#define FETCH_LOOKUPS_KEPT_MAX 256u
#define FETCH_LOOKUP_KEPT_NS (60 * UINT64_C(1000000000))
#define FETCH_LOOKUP_ADDRESSES_MAX 16u /* of one name; others are left out */
#define FETCH_LOOKUP_TEXT (FETCH_LOOKUP_ADDRESSES_MAX * (FETCH_ADDRESS_TEXT + 2))

typedef struct fetch_resolver fetch_resolver;
typedef struct fetch_lookup fetch_lookup;

/* Who waits for a lookup; part of the caller's own record. */
typedef struct fetch_waiter {
  struct fetch_waiter *next, *previous;
  fetch_lookup *lookup; /* NULL: waits for none */
} fetch_waiter;

typedef enum {
  FETCH_LOOKUP_FOUND,
  FETCH_LOOKUP_NOT_FOUND,
  FETCH_LOOKUP_NO_MEMORY,
  FETCH_LOOKUP_NO_THREAD,
  FETCH_LOOKUP_WAIT, /* the answer comes later */
} fetch_lookup_status;

/* Called on the loop with all who waited, linked by `next` and no longer waiting.
 * `addresses` are valid until the return: numbers with commas between, IPv6 in
 * brackets; not empty when found. */
typedef void fetch_lookup_done(void *user, fetch_waiter *waiters, fetch_lookup_status status,
                               const char *addresses);

/* NULL when memory is short. */
fetch_resolver *fetch_resolver_open(fetch_lookup_done *done, void *user);
/* Nobody waits, and the loop is closed; NULL is fine. Does not wait for lookups. */
void fetch_resolver_close(fetch_resolver *resolver);

/* FETCH_LOOKUP_FOUND with `addresses`, valid until the next call of any of these;
 * FETCH_LOOKUP_WAIT: `done` gets `waiter` later, unless it leaves before. */
fetch_lookup_status fetch_resolver_ask(fetch_resolver *resolver, loop *loop, const char *name,
                                       fetch_waiter *waiter, const char **addresses);
/* Waits no more. What waits for none stays as it is. */
void fetch_resolver_leave(fetch_resolver *resolver, fetch_waiter *waiter);

#endif
