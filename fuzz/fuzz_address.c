/* Where fetch may go: addresses, hosts, URLs (also relative ones) and entries of
 * the allow-list. What is read is canonical: reading it again changes nothing. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/fetch_allow.h"

static void check(bool holds) {
  if (!holds)
    abort();
}

static void check_reason(const char *why) {
  check(why && strlen(why) > 4 && strlen(why) < 200 && !strpbrk(why, "\r\n"));
}

static void check_visible(const char *text) {
  for (; *text; text++)
    check(*text > 0x20 && *text < 0x7f);
}

/* Said once more, by numbers. */
static bool is_inside(uint32_t v4) {
  return v4 >> 24 == 0 || v4 >> 24 == 10 || v4 >> 24 == 127 || v4 >> 22 == 0x6440 >> 6 ||
         v4 >> 16 == 0xa9fe || v4 >> 20 == 0xac1 || v4 >> 16 == 0xc0a8 || v4 >> 28 >= 14;
}

static void try_address(const uint8_t bytes[16]) {
  fetch_address address, back;
  char text[FETCH_ADDRESS_TEXT];
  memcpy(address.bytes, bytes, 16);
  fetch_address_text(&address, text);
  struct in_addr v4;
  if (inet_pton(AF_INET, text, &v4) == 1)
    back = fetch_address_v4(ntohl(v4.s_addr));
  else
    check(inet_pton(AF_INET6, text, back.bytes) == 1);
  check(fetch_address_equal(&address, &back));
  bool global = (bytes[0] & 0xe0) == 0x20;
  bool embeds = fetch_address_is_v4(&address) || (bytes[0] == 0 && bytes[1] == 0x64);
  check(global || embeds || !fetch_address_public(&address));
  uint32_t low =
      (uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 | bytes[15];
  check(global || !is_inside(low) || !fetch_address_public(&address));
  fetch_address plain = fetch_address_v4(low);
  check(!is_inside(low) || !fetch_address_public(&plain));
}

static void try_host(const char *text, size_t len) {
  fetch_host host, again;
  const char *why = NULL;
  if (!fetch_host_parse(text, len, &host, &why)) {
    check_reason(why);
    return;
  }
  check_visible(host.name);
  check(!strpbrk(host.name, "/?#@\\%"));
  check(fetch_host_parse(host.name, strlen(host.name), &again, &why));
  check(strcmp(host.name, again.name) == 0 && host.is_address == again.is_address);
  check(!host.is_address || fetch_address_equal(&host.address, &again.address));
}

static void try_url(const char *text, size_t len, const fetch_url *base) {
  fetch_url url, again;
  const char *why = NULL;
  fetch_url_status status = fetch_url_parse(NULL, text, len, base, &url, &why);
  if (status != FETCH_URL_OK) {
    check(!url.href);
    check_reason(why);
    return;
  }
  check_visible(url.href);
  check(url.href[url.path_at] == '/' && !strchr(url.href, '#'));
  if (fetch_url_parse(NULL, url.href, strlen(url.href), NULL, &again, &why) != FETCH_URL_OK)
    abort();
  check(strcmp(url.href, again.href) == 0 && fetch_url_same_origin(&url, &again));
  fetch_url_free(NULL, &again);
  if (!base)
    try_url(text + len / 2, len - len / 2, &url);
  fetch_url_free(NULL, &url);
}

static void try_entry(const char *text, size_t len) {
  static const char word[] = "fetch:";
  fetch_allow_entry entry;
  char *whole = malloc(sizeof word + len), message[512] = "";
  if (!whole)
    return;
  memcpy(whole, word, sizeof word - 1);
  memcpy(whole + sizeof word - 1, text, len);
  size_t whole_len = sizeof word - 1 + len;
  check(fetch_allow_is(whole, whole_len));
  if (fetch_allow_parse(whole, whole_len, &entry, message, sizeof message)) {
    fetch_allow allow = {.entries = &entry, .count = 1};
    uint16_t port = entry.port ? entry.port : 80;
    check(fetch_allow_host(&allow, &entry.host, port) == !entry.subdomains);
    check(!fetch_allow_host(&allow, &entry.host, port == 81 ? 82 : 81));
    check(!entry.host.is_address || fetch_allow_address(&allow, &entry.host.address, port));
  } else {
    check(strlen(message) > 10 && !strpbrk(message, "\r\n"));
  }
  free(whole);
}

static void try_list(const char *text, size_t len) {
  fetch_allow allow;
  char *list = malloc(len + 1);
  if (!list)
    return;
  memcpy(list, text, len);
  list[len] = 0;
  if (fetch_allow_open(NULL, list, &allow))
    fetch_allow_close(NULL, &allow);
  free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const char *text = (const char *)data + 1;
  size_t len = size - 1;
  switch (data[0] % 5) {
  case 0:
    if (len >= 16)
      try_address(data + 1);
    break;
  case 1:
    try_host(text, len);
    break;
  case 2:
    try_url(text, len, NULL);
    break;
  case 3:
    try_entry(text, len);
    break;
  default:
    try_list(text, len);
    break;
  }
  return 0;
}
