#include "api/fetch_allow.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"

#define WORD "fetch"

bool fetch_allow_is(const char *entry, size_t len) {
  size_t word = strlen(WORD);
  return len >= word && memcmp(entry, WORD, word) == 0 && (len == word || entry[word] == ':');
}

static bool refuse(const char *text, size_t len, const char *why, char *message, size_t size) {
  api_quote quote = api_quoted(text, len);
  snprintf(message, size,
           "--allow: '%s' %s; right would be fetch:HOST (ports 80 and 443) or fetch:HOST:PORT, "
           "such as fetch:api.example.com",
           quote.text, why);
  return false;
}

static bool contains(const char *text, size_t len, const char *wanted) {
  return memmem(text, len, wanted, strlen(wanted)) != NULL;
}

/* The colon before a port; NULL: no port is given. */
static const char *find_port(const char *text, size_t len) {
  const char *bracket = memrchr(text, ']', len);
  const char *from = bracket ? bracket : text;
  return memchr(from, ':', len - (size_t)(from - text));
}

static bool read_port(const char *text, size_t len, uint16_t *port) {
  uint32_t number = 0;
  if (len == 0 || len > 5)
    return false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    number = number * 10 + (uint32_t)(text[i] - '0');
  }
  *port = (uint16_t)number;
  return number > 0 && number <= UINT16_MAX;
}

static size_t name_length(const fetch_host *host) {
  size_t len = strlen(host->name);
  return len > 0 && host->name[len - 1] == '.' ? len - 1 : len;
}

bool fetch_allow_parse(const char *text, size_t len, fetch_allow_entry *entry, char *message,
                       size_t message_size) {
  size_t word = strlen(WORD);
  const char *host = text + word + 1, *why;
  *entry = (fetch_allow_entry){.port = 0};
  if (len <= word + 1)
    return refuse(text, len, "names no host", message, message_size);
  size_t host_len = len - word - 1;
  if (contains(host, host_len, "/"))
    return refuse(text, len, "is more than a host and a port", message, message_size);
  const char *colon = find_port(host, host_len);
  if (colon) {
    if (!read_port(colon + 1, (size_t)(host + host_len - colon - 1), &entry->port))
      return refuse(text, len, "has no port from 1 to 65535 (an IPv6 address stands in brackets)",
                    message, message_size);
    host_len = (size_t)(colon - host);
  }
  if (host_len > 2 && memcmp(host, "*.", 2) == 0) {
    entry->subdomains = true;
    host += 2, host_len -= 2;
  }
  if (contains(host, host_len, "*"))
    return refuse(text, len, "has a * that is not the first label of a name", message,
                  message_size);
  if (!fetch_host_parse(host, host_len, &entry->host, &why))
    return refuse(text, len, why, message, message_size);
  if (entry->subdomains && entry->host.is_address)
    return refuse(text, len, "has a * before an address", message, message_size);
  return true;
}

/* ---- the list ---- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/* The next entry of a comma list without blanks around it; NULL at the end. */
static const char *next_entry(const char **list, size_t *len) {
  const char *entry = *list;
  if (!entry || !*entry)
    return NULL;
  *len = strcspn(entry, ",");
  *list = entry[*len] ? entry + *len + 1 : NULL;
  while (*len && is_blank(entry[0]))
    entry++, --*len;
  while (*len && is_blank(entry[*len - 1]))
    --*len;
  return entry;
}

static size_t count_entries(const char *list) {
  size_t len, count = 0;
  const char *entry;
  while ((entry = next_entry(&list, &len)))
    count += fetch_allow_is(entry, len);
  return count;
}

bool fetch_allow_names(const char *list) {
  return count_entries(list) > 0;
}

bool fetch_allow_open(const vow_allocator *allocator, const char *list, fetch_allow *allow) {
  size_t len, room = count_entries(list);
  const char *at = list, *entry;
  *allow = (fetch_allow){.entries = NULL};
  if (room > FETCH_ALLOW_ENTRIES_MAX)
    return false;
  allow->entries = mem_new(allocator, room, sizeof *allow->entries);
  if (!allow->entries)
    return false;
  for (at = list; (entry = next_entry(&at, &len));) {
    char message[API_MESSAGE_MAX];
    if (!fetch_allow_is(entry, len))
      continue;
    if (!fetch_allow_parse(entry, len, &allow->entries[allow->count], message, sizeof message)) {
      fetch_allow_close(allocator, allow);
      return false;
    }
    allow->count++;
  }
  return true;
}

void fetch_allow_close(const vow_allocator *allocator, fetch_allow *allow) {
  mem_free(allocator, allow->entries);
  *allow = (fetch_allow){.entries = NULL};
}

/* ---- matching ---- */

static bool port_matches(const fetch_allow_entry *entry, uint16_t port) {
  return entry->port ? entry->port == port : port == FETCH_HTTP_PORT || port == FETCH_HTTPS_PORT;
}

/* A final dot is no other name. */
static bool host_matches(const fetch_allow_entry *entry, const fetch_host *host) {
  if (entry->host.is_address || host->is_address)
    return entry->host.is_address && host->is_address &&
           fetch_address_equal(&entry->host.address, &host->address);
  size_t wanted = name_length(&entry->host), len = name_length(host);
  if (!entry->subdomains)
    return len == wanted && memcmp(host->name, entry->host.name, len) == 0;
  return len > wanted + 1 && host->name[len - wanted - 1] == '.' &&
         memcmp(host->name + len - wanted, entry->host.name, wanted) == 0;
}

bool fetch_allow_host(const fetch_allow *allow, const fetch_host *host, uint16_t port) {
  if (allow->everywhere)
    return true;
  for (size_t i = 0; i < allow->count; i++)
    if (port_matches(&allow->entries[i], port) && host_matches(&allow->entries[i], host))
      return true;
  return false;
}

bool fetch_allow_address(const fetch_allow *allow, const fetch_address *address, uint16_t port) {
  if (allow->everywhere)
    return true;
  for (size_t i = 0; i < allow->count; i++)
    if (allow->entries[i].host.is_address && port_matches(&allow->entries[i], port) &&
        fetch_address_equal(&allow->entries[i].host.address, address))
      return true;
  return false;
}
