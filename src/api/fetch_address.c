#include "api/fetch_address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

typedef struct prefix {
  uint8_t bytes[16];
  unsigned bits;
} prefix;

/* Within IPv4: what is not global by the IANA IPv4 special-purpose registry,
 * multicast and the reserved class E; and 168.63.129.16, which looks public and
 * where a cloud (Azure) answers its machines with what is theirs alone. */
static const struct {
  uint8_t bytes[4];
  unsigned bits;
} special_v4[] = {
    {{0, 0, 0, 0}, 8},       {{10, 0, 0, 0}, 8},       {{100, 64, 0, 0}, 10},
    {{127, 0, 0, 0}, 8},     {{168, 63, 129, 16}, 32}, {{169, 254, 0, 0}, 16},
    {{172, 16, 0, 0}, 12},   {{192, 0, 0, 0}, 24},     {{192, 0, 2, 0}, 24},
    {{192, 31, 196, 0}, 24}, {{192, 52, 193, 0}, 24},  {{192, 88, 99, 0}, 24},
    {{192, 168, 0, 0}, 16},  {{192, 175, 48, 0}, 24},  {{198, 18, 0, 0}, 15},
    {{198, 51, 100, 0}, 24}, {{203, 0, 113, 0}, 24},   {{224, 0, 0, 0}, 3},
};

static const prefix mapped = {{[10] = 0xff, [11] = 0xff}, 96};
static const prefix nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const prefix global_unicast = {{0x20}, 3};

/* Within the global unicast block. */
static const prefix special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},             /* protocol assignments: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
    {{0x20, 0x02}, 16},                   /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48}, /* AS112 */
    {{0x3f, 0xfe}, 16},                   /* the former 6bone */
    {{0x3f, 0xff, 0x00}, 20},             /* documentation */
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *wanted, unsigned bits) {
  unsigned whole = bits / 8, rest = bits % 8;
  if (memcmp(bytes, wanted, whole) != 0)
    return false;
  return rest == 0 || ((bytes[whole] ^ wanted[whole]) >> (8 - rest)) == 0;
}

static bool is_within(const fetch_address *address, const prefix *range) {
  return has_prefix(address->bytes, range->bytes, range->bits);
}

fetch_address fetch_address_v4(uint32_t host_order) {
  fetch_address address = {{[10] = 0xff, [11] = 0xff}};
  for (unsigned i = 0; i < 4; i++)
    address.bytes[12 + i] = (uint8_t)(host_order >> (24 - 8 * i));
  return address;
}

bool fetch_address_of(const struct sockaddr *from, socklen_t len, fetch_address *address) {
  if (from->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in in;
    memcpy(&in, from, sizeof in);
    *address = fetch_address_v4(ntohl(in.sin_addr.s_addr));
    return true;
  }
  if (from->sa_family != AF_INET6 || len < sizeof(struct sockaddr_in6))
    return false;
  struct sockaddr_in6 in;
  memcpy(&in, from, sizeof in);
  memcpy(address->bytes, &in.sin6_addr, sizeof address->bytes);
  return true;
}

bool fetch_address_is_v4(const fetch_address *address) {
  return is_within(address, &mapped);
}

bool fetch_address_equal(const fetch_address *a, const fetch_address *b) {
  return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_public_v4(const uint8_t bytes[4]) {
  for (size_t i = 0; i < sizeof special_v4 / sizeof *special_v4; i++)
    if (has_prefix(bytes, special_v4[i].bytes, special_v4[i].bits))
      return false;
  return true;
}

bool fetch_address_public(const fetch_address *address) {
  if (is_within(address, &mapped) || is_within(address, &nat64))
    return is_public_v4(address->bytes + 12);
  if (!is_within(address, &global_unicast))
    return false;
  for (size_t i = 0; i < sizeof special_v6 / sizeof *special_v6; i++)
    if (is_within(address, &special_v6[i]))
      return false;
  return true;
}

/* ---- text ---- */

/* The first of the longest runs of two or more zero pieces; 8: none. */
static unsigned find_zeros(const unsigned pieces[8], unsigned *count) {
  unsigned best = 8;
  *count = 1;
  for (unsigned i = 0; i < 8; i++) {
    unsigned run = 0;
    while (i + run < 8 && pieces[i + run] == 0)
      run++;
    if (run > *count) {
      best = i;
      *count = run;
    }
  }
  return best;
}

static void put_v6(const uint8_t bytes[16], char text[FETCH_ADDRESS_TEXT]) {
  unsigned pieces[8], zeros_count;
  for (unsigned i = 0; i < 8; i++)
    pieces[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
  unsigned zeros = find_zeros(pieces, &zeros_count);
  size_t used = 0;
  for (unsigned i = 0; i < 8; i++) {
    if (i == zeros) {
      used += (size_t)snprintf(text + used, FETCH_ADDRESS_TEXT - used, i == 0 ? "::" : ":");
      i += zeros_count - 1;
      continue;
    }
    used +=
        (size_t)snprintf(text + used, FETCH_ADDRESS_TEXT - used, i < 7 ? "%x:" : "%x", pieces[i]);
  }
}

void fetch_address_text(const fetch_address *address, char text[FETCH_ADDRESS_TEXT]) {
  const uint8_t *v4 = address->bytes + 12;
  if (fetch_address_is_v4(address))
    snprintf(text, FETCH_ADDRESS_TEXT, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
  else
    put_v6(address->bytes, text);
}
