/* The URLs that fetch connects to: http and https, by the URL standard
 * (https://url.spec.whatwg.org). What is checked against the allow-list and what
 * libcurl is given are one canonical text, so that two parsers cannot differ. */
#ifndef VOW_API_FETCH_URL_H
#define VOW_API_FETCH_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/fetch_address.h"
#include "core/mem.h"

#define FETCH_URL_BYTES_MAX 65536u
#define FETCH_HOST_MAX 254u /* of a name, with a final dot */
#define FETCH_HTTP_PORT 80u
#define FETCH_HTTPS_PORT 443u

typedef struct fetch_host {
  char name[FETCH_HOST_MAX + 2]; /* canonical: lower case, punycode; IPv6 in brackets */
  bool is_address;
  fetch_address address; /* if it is one */
} fetch_host;

/* Reads the host of a URL, decoding and mapping it as the standard says. False
 * with the reason, a phrase that goes on "the host ...". */
bool fetch_host_parse(const char *text, size_t len, fetch_host *host, const char **why);

typedef struct fetch_url {
  char *href;     /* canonical, ASCII, without fragment; owned */
  size_t path_at; /* of the path and query in it */
  bool https;
  uint16_t port;
  fetch_host host;
} fetch_url;

typedef enum { FETCH_URL_OK, FETCH_URL_BAD, FETCH_URL_NO_MEMORY } fetch_url_status;

/* Reads a URL, relative to `base` unless that is NULL. On FETCH_URL_OK `url` is
 * to be freed; else it is empty, and `why` is the reason for FETCH_URL_BAD, a
 * phrase that goes on "the URL ...". */
fetch_url_status fetch_url_parse(const vow_allocator *allocator, const char *text, size_t len,
                                 const fetch_url *base, fetch_url *url, const char **why);
void fetch_url_free(const vow_allocator *allocator, fetch_url *url);

/* Scheme, host and port are equal. */
bool fetch_url_same_origin(const fetch_url *a, const fetch_url *b);

#endif
