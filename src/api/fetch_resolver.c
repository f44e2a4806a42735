#include "api/fetch_resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/fetch_url.h"
#include "core/mem.h"

typedef enum { QUEUED, RUNNING, DONE } lookup_state;

/* The loop's, but for what is marked (l): guarded by the resolver's lock. While it is
 * RUNNING, or its message is on the way, a thread or the loop holds it: it stays. */
struct fetch_lookup {
  loop_message message; /* must be first */
  fetch_resolver *resolver;
  fetch_lookup *next;        /* in the resolver's list, the youngest first */
  fetch_lookup *next_queued; /* (l) */
  fetch_waiter *waiters;
  loop *reply_to;     /* (l) NULL: nobody waits */
  lookup_state state; /* (l) */
  bool posted;        /* (l) the message is on its way to the loop */
  bool orphan;        /* (l) the resolver is closed: the thread frees it */
  bool failed_memory; /* from here on: the thread's while RUNNING */
  uint64_t done_ns;
  char addresses[FETCH_LOOKUP_TEXT]; /* "": none */
  char name[FETCH_HOST_MAX + 2];
};

/* Outlives its client while a thread is in it: not of the client's allocator. */
struct fetch_resolver {
  pthread_mutex_t lock;
  fetch_lookup *queue_first, *queue_last; /* (l) */
  unsigned threads;                       /* (l) */
  bool closed;                            /* (l) */
  fetch_lookup *lookups;
  unsigned count;
  fetch_lookup_done *done;
  void *user;
};

/* ---- on a thread ---- */

static size_t put_address(char *text, size_t used, const struct addrinfo *found) {
  fetch_address address;
  char one[FETCH_ADDRESS_TEXT];
  if (!fetch_address_of(found->ai_addr, found->ai_addrlen, &address))
    return used;
  bool v6 = found->ai_family == AF_INET6;
  if (v6)
    inet_ntop(AF_INET6, address.bytes, one, sizeof one);
  else
    fetch_address_text(&address, one);
  return used + (size_t)snprintf(text + used, FETCH_LOOKUP_TEXT - used, v6 ? "%s[%s]" : "%s%s",
                                 used ? "," : "", one);
}

static void look_up(fetch_lookup *lookup) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *all = NULL;
  size_t used = 0;
  unsigned count = 0;
  int status = getaddrinfo(lookup->name, NULL, &hints, &all);
  lookup->failed_memory = status == EAI_MEMORY;
  lookup->addresses[0] = 0;
  if (status != 0)
    return;
  for (const struct addrinfo *found = all; found && count < FETCH_LOOKUP_ADDRESSES_MAX;
       found = found->ai_next, count++)
    used = put_address(lookup->addresses, used, found);
  freeaddrinfo(all);
}

/* Under the lock. */
static fetch_lookup *take_queued(fetch_resolver *resolver) {
  fetch_lookup *lookup = resolver->queue_first;
  if (!lookup)
    return NULL;
  resolver->queue_first = lookup->next_queued;
  if (!resolver->queue_first)
    resolver->queue_last = NULL;
  lookup->state = RUNNING;
  return lookup;
}

/* Under the lock, so that who leaves meanwhile has either left before or finds the
 * message posted; the loop is open while somebody waits. */
static void finish(fetch_lookup *lookup) {
  lookup->state = DONE;
  lookup->done_ns = loop_now();
  if (lookup->orphan) {
    mem_free(NULL, lookup);
  } else if (lookup->reply_to) {
    lookup->posted = true;
    loop_post(lookup->reply_to, &lookup->message);
  }
}

static void free_resolver(fetch_resolver *resolver) {
  pthread_mutex_destroy(&resolver->lock);
  mem_free(NULL, resolver);
}

static void *work(void *user) {
  fetch_resolver *resolver = user;
  pthread_mutex_lock(&resolver->lock);
  for (fetch_lookup *lookup; (lookup = take_queued(resolver));) {
    pthread_mutex_unlock(&resolver->lock);
    look_up(lookup);
    pthread_mutex_lock(&resolver->lock);
    finish(lookup);
  }
  bool last = --resolver->threads == 0 && resolver->closed;
  pthread_mutex_unlock(&resolver->lock);
  if (last)
    free_resolver(resolver);
  return NULL;
}

/* Under the lock. Detached: nobody waits for getaddrinfo(). The program's signals are
 * not for it. */
static void start_thread(fetch_resolver *resolver) {
  sigset_t all, before;
  pthread_attr_t detached;
  pthread_t thread;
  if (resolver->threads == FETCH_LOOKUP_THREADS_MAX || pthread_attr_init(&detached) != 0)
    return;
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  resolver->threads += pthread_create(&thread, &detached, work, resolver) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&detached);
}

/* ---- on the loop: the list ---- */

/* Nothing but the list knows the lookup. */
static void drop(fetch_lookup *lookup) {
  fetch_lookup **at = &lookup->resolver->lookups;
  while (*at != lookup)
    at = &(*at)->next;
  *at = lookup->next;
  lookup->resolver->count--;
  mem_free(NULL, lookup);
}

/* Under the lock. */
static bool is_idle(const fetch_lookup *lookup) {
  return lookup->state == DONE && !lookup->posted && !lookup->waiters;
}

static bool is_fresh(const fetch_lookup *lookup, uint64_t now) {
  return lookup->addresses[0] && now - lookup->done_ns < FETCH_LOOKUP_KEPT_NS;
}

/* Under the lock. Drops the oldest of those that only are kept. */
static void make_room(fetch_resolver *resolver) {
  fetch_lookup *oldest = NULL;
  if (resolver->count < FETCH_LOOKUPS_KEPT_MAX)
    return;
  for (fetch_lookup *lookup = resolver->lookups; lookup; lookup = lookup->next)
    if (is_idle(lookup))
      oldest = lookup;
  if (oldest)
    drop(oldest);
}

static fetch_lookup *find(fetch_resolver *resolver, const char *name) {
  fetch_lookup *lookup = resolver->lookups;
  while (lookup && strcmp(lookup->name, name) != 0)
    lookup = lookup->next;
  return lookup;
}

static void remove_waiter(fetch_waiter *waiter) {
  if (waiter->previous)
    waiter->previous->next = waiter->next;
  else
    waiter->lookup->waiters = waiter->next;
  if (waiter->next)
    waiter->next->previous = waiter->previous;
  *waiter = (fetch_waiter){.lookup = NULL};
}

static void add_waiter(fetch_lookup *lookup, fetch_waiter *waiter) {
  *waiter = (fetch_waiter){.next = lookup->waiters, .lookup = lookup};
  if (lookup->waiters)
    lookup->waiters->previous = waiter;
  lookup->waiters = waiter;
}

static void deliver(loop_message *message) {
  fetch_lookup *lookup = (fetch_lookup *)message;
  fetch_resolver *resolver = lookup->resolver;
  fetch_waiter *waiters = lookup->waiters;
  char addresses[FETCH_LOOKUP_TEXT];
  memcpy(addresses, lookup->addresses, sizeof addresses);
  fetch_lookup_status status = lookup->failed_memory ? FETCH_LOOKUP_NO_MEMORY
                               : addresses[0]        ? FETCH_LOOKUP_FOUND
                                                     : FETCH_LOOKUP_NOT_FOUND;
  pthread_mutex_lock(&resolver->lock);
  lookup->posted = false;
  lookup->reply_to = NULL;
  pthread_mutex_unlock(&resolver->lock);
  for (fetch_waiter *waiter = waiters; waiter; waiter = waiter->next)
    waiter->lookup = NULL;
  lookup->waiters = NULL;
  if (status != FETCH_LOOKUP_FOUND)
    drop(lookup);
  if (waiters)
    resolver->done(resolver->user, waiters, status, addresses);
}

/* ---- on the loop: asking ---- */

static fetch_lookup *new_lookup(fetch_resolver *resolver, const char *name) {
  fetch_lookup *lookup = mem_new(NULL, 1, sizeof *lookup);
  if (!lookup)
    return NULL;
  lookup->message.deliver = deliver;
  lookup->resolver = resolver;
  snprintf(lookup->name, sizeof lookup->name, "%s", name);
  lookup->next = resolver->lookups;
  resolver->lookups = lookup;
  resolver->count++;
  return lookup;
}

/* Under the lock. */
static fetch_lookup_status enqueue(fetch_resolver *resolver, const char *name, loop *loop,
                                   fetch_waiter *waiter) {
  make_room(resolver);
  fetch_lookup *lookup = new_lookup(resolver, name);
  if (!lookup)
    return FETCH_LOOKUP_NO_MEMORY;
  *(resolver->queue_last ? &resolver->queue_last->next_queued : &resolver->queue_first) = lookup;
  resolver->queue_last = lookup;
  start_thread(resolver);
  if (resolver->threads == 0) { /* then nothing else is queued */
    resolver->queue_first = resolver->queue_last = NULL;
    drop(lookup);
    return FETCH_LOOKUP_NO_THREAD;
  }
  lookup->reply_to = loop;
  add_waiter(lookup, waiter);
  return FETCH_LOOKUP_WAIT;
}

fetch_lookup_status fetch_resolver_ask(fetch_resolver *resolver, loop *loop, const char *name,
                                       fetch_waiter *waiter, const char **addresses) {
  fetch_lookup_status status = FETCH_LOOKUP_WAIT;
  pthread_mutex_lock(&resolver->lock);
  fetch_lookup *lookup = find(resolver, name);
  if (lookup && is_idle(lookup)) {
    if (is_fresh(lookup, loop_now())) {
      *addresses = lookup->addresses;
      status = FETCH_LOOKUP_FOUND;
    } else {
      drop(lookup);
      lookup = NULL;
    }
  }
  if (!lookup) {
    status = enqueue(resolver, name, loop, waiter);
  } else if (status == FETCH_LOOKUP_WAIT) {
    lookup->reply_to = loop;
    add_waiter(lookup, waiter);
  }
  pthread_mutex_unlock(&resolver->lock);
  return status;
}

/* Under the lock. */
static void withdraw(fetch_lookup *lookup) {
  fetch_resolver *resolver = lookup->resolver;
  fetch_lookup *before = NULL, *at = resolver->queue_first;
  for (; at != lookup; at = at->next_queued)
    before = at;
  *(before ? &before->next_queued : &resolver->queue_first) = lookup->next_queued;
  if (resolver->queue_last == lookup)
    resolver->queue_last = before;
  drop(lookup);
}

void fetch_resolver_leave(fetch_resolver *resolver, fetch_waiter *waiter) {
  fetch_lookup *lookup = waiter->lookup;
  if (!lookup)
    return;
  remove_waiter(waiter);
  if (lookup->waiters)
    return;
  pthread_mutex_lock(&resolver->lock);
  lookup->reply_to = NULL;
  if (lookup->state == QUEUED)
    withdraw(lookup);
  pthread_mutex_unlock(&resolver->lock);
}

/* ---- the resolver ---- */

fetch_resolver *fetch_resolver_open(fetch_lookup_done *done, void *user) {
  fetch_resolver *resolver = mem_new(NULL, 1, sizeof *resolver);
  if (!resolver)
    return NULL;
  resolver->done = done;
  resolver->user = user;
  if (pthread_mutex_init(&resolver->lock, NULL) == 0)
    return resolver;
  mem_free(NULL, resolver);
  return NULL;
}

void fetch_resolver_close(fetch_resolver *resolver) {
  if (!resolver)
    return;
  pthread_mutex_lock(&resolver->lock);
  for (fetch_lookup *lookup = resolver->lookups, *next; lookup; lookup = next) {
    next = lookup->next;
    lookup->orphan = true;
    if (lookup->state != RUNNING)
      mem_free(NULL, lookup);
  }
  resolver->queue_first = resolver->queue_last = NULL;
  resolver->closed = true;
  bool last = resolver->threads == 0;
  pthread_mutex_unlock(&resolver->lock);
  if (last)
    free_resolver(resolver);
}
