/* Where fetch may go: the entries `fetch:HOST` and `fetch:HOST:PORT` of an
 * allow-list. */
#ifndef VOW_API_FETCH_ALLOW_H
#define VOW_API_FETCH_ALLOW_H

#include "api/fetch_url.h"

#define FETCH_ALLOW_ENTRIES_MAX 256u

typedef struct fetch_allow_entry {
  fetch_host host;
  bool subdomains; /* *.HOST: names below it, not the host itself */
  uint16_t port;   /* 0: 80 and 443 */
} fetch_allow_entry;

typedef struct fetch_allow {
  bool everywhere; /* every host and address: for code that is trusted */
  fetch_allow_entry *entries;
  size_t count;
} fetch_allow;

/* Whether an entry of an allow-list is about fetch. */
bool fetch_allow_is(const char *entry, size_t len);
/* Reads one such entry; false with a one-line message that says what would be
 * right. */
bool fetch_allow_parse(const char *text, size_t len, fetch_allow_entry *entry, char *message,
                       size_t message_size);

/* Whether a list has such an entry. */
bool fetch_allow_names(const char *list);
/* Reads all such entries of a list that api_allow() has accepted. False when
 * memory is short, or one cannot be read (which then is not so). */
bool fetch_allow_open(const vow_allocator *allocator, const char *list, fetch_allow *allow);
void fetch_allow_close(const vow_allocator *allocator, fetch_allow *allow);

/* Whether a URL with this host and port may be asked for. */
bool fetch_allow_host(const fetch_allow *allow, const fetch_host *host, uint16_t port);
/* Whether this very address and port is on the list: a private address must be. */
bool fetch_allow_address(const fetch_allow *allow, const fetch_address *address, uint16_t port);

#endif
