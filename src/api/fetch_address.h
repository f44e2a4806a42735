/* IP addresses, and which of them fetch may connect to without being told so by
 * address. */
#ifndef VOW_API_FETCH_ADDRESS_H
#define VOW_API_FETCH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv6 address; IPv4 as ::ffff:a.b.c.d, so that both spellings of one
 * endpoint are equal. */
typedef struct fetch_address {
  uint8_t bytes[16];
} fetch_address;

#define FETCH_ADDRESS_TEXT 48

/* False for a family that is neither IPv4 nor IPv6. */
bool fetch_address_of(const struct sockaddr *from, socklen_t len, fetch_address *address);
fetch_address fetch_address_v4(uint32_t host_order);
bool fetch_address_is_v4(const fetch_address *address);
bool fetch_address_equal(const fetch_address *a, const fetch_address *b);

/* Whether the address is one of the public internet: not loopback, private,
 * link-local, shared (CGNAT), multicast, unspecified, reserved, nor one for
 * documentation or benchmarks, by the IANA special-purpose registries, nor one of a
 * cloud's own services. Of forms
 * that carry an IPv4 address, mapped ones and those of the well-known NAT64 prefix
 * are as public as that address; the others (compatible, 6to4, Teredo, local
 * NAT64) never are. */
bool fetch_address_public(const fetch_address *address);

/* As in a URL, without brackets. */
void fetch_address_text(const fetch_address *address, char text[FETCH_ADDRESS_TEXT]);

#endif
