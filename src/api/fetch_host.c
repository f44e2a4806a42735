/* The host of a URL: percent-decoding, names of other scripts, and the many
 * spellings of an IPv4 address. */
#include <arpa/inet.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "api/fetch_curl.h"
#include "api/fetch_url.h"
#include "core/utf8.h"

/* Of the host as written: percent-encoded, or in a script whose punycode is
 * shorter. */
#define RAW_MAX 1024u
#define LABEL_MAX 63u

static const char too_long[] = "has a host name that is too long";

static int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static size_t percent_decode(const char *text, size_t len, char *out) {
  size_t used = 0;
  for (size_t i = 0; i < len; i++) {
    int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    out[used++] = low >= 0 ? (char)(high * 16 + low) : text[i];
    if (low >= 0)
      i += 2;
  }
  return used;
}

static bool is_ascii(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] >= 0x80)
      return false;
  return true;
}

/* libcurl takes names to be in the charset of the locale, which for this thread is
 * UTF-8 meanwhile. */
static CURLUcode get_punycode(const fetch_curl *curl, CURLU *url, char **name) {
  locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (!utf8)
    return CURLUE_OUT_OF_MEMORY;
  locale_t before = uselocale(utf8);
  CURLUcode code = curl->url_get(url, CURLUPART_HOST, name, CURLU_PUNYCODE);
  uselocale(before);
  freelocale(utf8);
  return code;
}

/* UTS #46 by way of libcurl, which has a library for it. */
static bool to_punycode(char raw[RAW_MAX + 1], size_t *len, const char **why) {
  bool passing;
  const fetch_curl *curl = fetch_curl_get(why, &passing);
  CURLU *url = curl ? curl->url() : NULL;
  char *name = NULL;
  *why = "has a host name that is not valid by IDNA";
  bool ok = url && curl->url_set(url, CURLUPART_SCHEME, "http", 0) == CURLUE_OK &&
            curl->url_set(url, CURLUPART_HOST, raw, 0) == CURLUE_OK &&
            get_punycode(curl, url, &name) == CURLUE_OK;
  size_t got = ok ? strlen(name) : 0;
  if (!url)
    *why = "has a host name beyond ASCII, which needs libcurl; write it as punycode (xn--...)";
  else if (ok && got > RAW_MAX)
    *why = too_long;
  ok = ok && got <= RAW_MAX && is_ascii(name, got);
  if (ok) {
    memcpy(raw, name, got + 1);
    *len = got;
  }
  if (name)
    curl->free(name);
  if (url)
    curl->url_cleanup(url);
  return ok;
}

/* ---- IPv4 ---- */

/* One number of an address: decimal, 0 octal, 0x hexadecimal; nothing behind 0x
 * is 0. Numbers too large for any place stay too large. */
static bool read_number(const char *text, size_t len, uint64_t *number) {
  unsigned base = 10;
  if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text += 2, len -= 2;
  } else if (len >= 2 && text[0] == '0') {
    base = 8;
    text++, len--;
  } else if (len == 0) {
    return false;
  }
  *number = 0;
  for (size_t i = 0; i < len; i++) {
    int digit = hex_digit(text[i]);
    if (digit < 0 || (unsigned)digit >= base)
      return false;
    if (*number <= UINT32_MAX)
      *number = *number * base + (unsigned)digit;
  }
  return true;
}

/* The start of the last label; `len` is without a final dot. */
static size_t last_label(const char *name, size_t len) {
  while (len > 0 && name[len - 1] != '.')
    len--;
  return len;
}

static bool ends_in_number(const char *name, size_t len) {
  if (len > 0 && name[len - 1] == '.')
    len--;
  size_t at = last_label(name, len);
  bool digits = at < len;
  for (size_t i = at; i < len; i++)
    digits = digits && is_digit(name[i]);
  uint64_t number;
  return digits || read_number(name + at, len - at, &number);
}

static bool read_v4(const char *name, size_t len, fetch_address *address) {
  uint64_t numbers[4], whole = 0;
  unsigned count = 0;
  if (name[len - 1] == '.')
    len--;
  for (size_t at = 0; at <= len; count++) {
    const char *dot = memchr(name + at, '.', len - at);
    size_t end = dot ? (size_t)(dot - name) : len;
    if (count == 4 || !read_number(name + at, end - at, &numbers[count]))
      return false;
    at = end + 1;
  }
  for (unsigned i = 0; i + 1 < count; i++) {
    if (numbers[i] > 255)
      return false;
    whole |= numbers[i] << (24 - 8 * i);
  }
  if (numbers[count - 1] >= UINT64_C(1) << (8 * (5 - count)))
    return false;
  *address = fetch_address_v4((uint32_t)(whole | numbers[count - 1]));
  return true;
}

/* ---- all of it ---- */

static void name_address(fetch_host *host, bool v6) {
  char text[FETCH_ADDRESS_TEXT];
  fetch_address_text(&host->address, text);
  host->is_address = true;
  if (v6 && fetch_address_is_v4(&host->address)) { /* ::ffff:a.b.c.d has its own spelling */
    const uint8_t *v4 = host->address.bytes + 12;
    snprintf(host->name, sizeof host->name, "[::ffff:%x:%x]", v4[0] << 8 | v4[1],
             v4[2] << 8 | v4[3]);
  } else {
    snprintf(host->name, sizeof host->name, v6 ? "[%s]" : "%s", text);
  }
}

static bool parse_v6(const char *text, size_t len, fetch_host *host, const char **why) {
  char inner[INET6_ADDRSTRLEN + 1];
  *why = "has a host in brackets that is no IPv6 address";
  if (len < 2 || text[len - 1] != ']' || len - 2 >= sizeof inner)
    return false;
  memcpy(inner, text + 1, len - 2);
  inner[len - 2] = 0;
  if (memchr(inner, 0, len - 2) || inet_pton(AF_INET6, inner, host->address.bytes) != 1)
    return false;
  name_address(host, true);
  return true;
}

static bool is_forbidden(char c) {
  return (unsigned char)c <= 0x20 || c == 0x7f || strchr("#%/:<>?@[\\]^|", c);
}

static bool check_name(char *name, size_t len, const char **why) {
  size_t label = 0;
  for (size_t i = 0; i < len; i++) {
    if (is_forbidden(name[i])) {
      *why = "has a host with a character that no host name has";
      return false;
    }
    if (name[i] >= 'A' && name[i] <= 'Z')
      name[i] = (char)(name[i] - 'A' + 'a');
    label = name[i] == '.' ? 0 : label + 1;
    if (label > LABEL_MAX) {
      *why = too_long;
      return false;
    }
  }
  return true;
}

bool fetch_host_parse(const char *text, size_t len, fetch_host *host, const char **why) {
  char raw[RAW_MAX + 1];
  *host = (fetch_host){.is_address = false};
  *why = "has no host";
  if (len == 0)
    return false;
  if (text[0] == '[')
    return parse_v6(text, len, host, why);
  *why = too_long;
  if (len > RAW_MAX)
    return false;
  len = percent_decode(text, len, raw);
  raw[len] = 0;
  *why = "has a host name that is not valid UTF-8";
  if (memchr(raw, 0, len) || !utf8_valid((const uint8_t *)raw, len))
    return false;
  if (!is_ascii(raw, len) && !to_punycode(raw, &len, why))
    return false;
  if (!check_name(raw, len, why))
    return false;
  *why = "has no host";
  if (len == 0 || strcmp(raw, ".") == 0)
    return false;
  if (ends_in_number(raw, len)) {
    *why = "has a host that ends in a number and is no IPv4 address";
    if (!read_v4(raw, len, &host->address))
      return false;
    name_address(host, false);
    return true;
  }
  *why = too_long;
  if (len > FETCH_HOST_MAX || (len == FETCH_HOST_MAX && raw[len - 1] != '.'))
    return false;
  memcpy(host->name, raw, len + 1);
  return true;
}
