/* URL and URLSearchParams of the guest, by the calls url.js makes of the parser:
 * parse, against a base, each setter, queries. What comes out is a URL in its one
 * form, and the host's own reader of URLs (for fetch) reads it the same. */
#include <stdlib.h>
#include <string.h>

#include "api/fetch_url.h"
#include "core/utf8.h"
#include "guest/url_unit.h"

/* No UTF-8 has it. */
#define BETWEEN 0xff
#define PAIRS_MAX 64u

typedef struct text {
  char *bytes;
  size_t len;
} text;

typedef struct pairs {
  text names[PAIRS_MAX], values[PAIRS_MAX];
  size_t count;
} pairs;

static void demand(bool holds) {
  if (!holds)
    abort();
}

/* As the guest makes sure: what is no UTF-8 is replaced. */
static text well_formed(const char *bytes, size_t len) {
  text made = {malloc(3 * len + 1), 0};
  demand(made.bytes != NULL);
  for (size_t i = 0; i < len;) {
    utf8_step step = utf8_next((const uint8_t *)bytes + i, len - i, false);
    const char *from = step.good ? bytes + i : "\xef\xbf\xbd";
    size_t count = step.good ? step.len : 3;
    memcpy(made.bytes + made.len, from, count);
    made.len += count;
    i += step.len;
  }
  return made;
}

static text next_piece(const uint8_t **at, const uint8_t *end) {
  const uint8_t *from = *at, *stop = memchr(from, BETWEEN, (size_t)(end - from));
  size_t len = (size_t)((stop ? stop : end) - from);
  *at += len + (stop != NULL);
  return well_formed((const char *)from, len);
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len) {
  return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* ---- URLs ---- */

static text part_of(const url_record *url, url_part part) {
  return (text){url->text + url->begin[part], url->end[part] - url->begin[part]};
}

static bool same_part(const url_record *a, const url_record *b, url_part part) {
  text one = part_of(a, part), other = part_of(b, part);
  return same(one.bytes, one.len, other.bytes, other.len);
}

static void check_parts(const url_record *url) {
  for (unsigned i = 0; i < URL_PARTS; i++)
    demand(url->begin[i] <= url->end[i] && url->end[i] <= url->len);
  text protocol = part_of(url, URL_PROTOCOL), search = part_of(url, URL_SEARCH);
  text hash = part_of(url, URL_HASH), port = part_of(url, URL_PORT);
  demand(protocol.len >= 2 && protocol.bytes == url->text);
  demand(protocol.bytes[protocol.len - 1] == ':');
  demand(search.len == 0 || (search.len > 1 && search.bytes[0] == '?'));
  demand(hash.len == 0 || (hash.len > 1 && hash.bytes[0] == '#'));
  demand(port.len <= 5 && strspn(port.bytes, "0123456789") >= port.len);
  demand(part_of(url, URL_HOST).len >= part_of(url, URL_HOSTNAME).len);
}

static void check_record(const url_record *url) {
  url_record again;
  size_t len;
  demand(strlen(url->text) == url->len);
  for (size_t i = 0; i < url->len; i++)
    demand(url->text[i] >= 0x20 && url->text[i] < 0x7f);
  check_parts(url);
  demand(url_parse(url->text, url->len, NULL, 0, &again));
  demand(same(url->text, url->len, again.text, again.len));
  for (unsigned i = 0; i < URL_PARTS; i++)
    demand(same_part(url, &again, (url_part)i));
  free(again.text);
  char *origin = url_origin(url->text, url->len, &len);
  demand(origin != NULL && len >= 4);
  demand(same(origin, len, "null", 4) || memcmp(origin, url->text, 4) == 0 ||
         memcmp(url->text, "blob", 4) == 0);
  free(origin);
}

/* The host refuses more (credentials, port 0, long names); what it takes is the same. */
static void check_fetch(const url_record *url) {
  fetch_url read;
  const char *why = NULL;
  if (strncmp(url->text, "http:", 5) != 0 && strncmp(url->text, "https:", 6) != 0)
    return;
  if (fetch_url_parse(NULL, url->text, url->len, NULL, &read, &why) != FETCH_URL_OK) {
    demand(why != NULL);
    return;
  }
  const char *hash = strchr(url->text, '#');
  size_t len = hash ? (size_t)(hash - url->text) : url->len;
  demand(same(read.href, strlen(read.href), url->text, len));
  text name = part_of(url, URL_HOSTNAME);
  demand(same(read.host.name, strlen(read.host.name), name.bytes, name.len));
  fetch_url_free(NULL, &read);
}

/* A part that is given its own value changes nothing; empty ones would lose their sign. */
static void set_to_itself(const url_record *url, url_part part) {
  url_record changed;
  text value = part_of(url, part);
  if (value.len == 0)
    return;
  demand(url_change(url->text, url->len, part, value.bytes, value.len, &changed));
  demand(same(url->text, url->len, changed.text, changed.len));
  free(changed.text);
}

static void set(url_record *url, url_part part, text value) {
  url_record changed;
  demand(url_change(url->text, url->len, part, value.bytes, value.len, &changed));
  check_record(&changed);
  check_fetch(&changed);
  if (part == URL_HASH && part_of(url, URL_HOST).len)
    for (unsigned i = 0; i < URL_HASH; i++)
      demand(same_part(url, &changed, (url_part)i));
  free(url->text);
  *url = changed;
}

/* ---- queries ---- */

static bool keep_pair(void *user, const char *name, size_t name_len, const char *value,
                      size_t value_len) {
  pairs *list = user;
  if (list->count == PAIRS_MAX)
    return false;
  list->names[list->count] = well_formed(name, name_len);
  list->values[list->count++] = well_formed(value, value_len);
  return true;
}

static void free_pairs(pairs *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->names[i].bytes);
    free(list->values[i].bytes);
  }
}

static void same_pairs(const pairs *list, const char *query, size_t len) {
  pairs again = {.count = 0};
  url_query_parse(query, len, keep_pair, &again);
  demand(again.count == list->count);
  for (size_t i = 0; i < list->count; i++) {
    demand(
        same(list->names[i].bytes, list->names[i].len, again.names[i].bytes, again.names[i].len));
    demand(same(list->values[i].bytes, list->values[i].len, again.values[i].bytes,
                again.values[i].len));
  }
  free_pairs(&again);
}

static text joined(const pairs *list) {
  text all = {NULL, 0};
  for (size_t i = 0; i < list->count; i++) {
    size_t len;
    char *pair = url_query_pair(list->names[i].bytes, list->names[i].len, list->values[i].bytes,
                                list->values[i].len, &len);
    demand(pair != NULL && memchr(pair, '=', len));
    all.bytes = realloc(all.bytes, all.len + len + 1);
    demand(all.bytes != NULL);
    if (i > 0)
      all.bytes[all.len++] = '&';
    memcpy(all.bytes + all.len, pair, len);
    all.len += len;
    free(pair);
  }
  return all;
}

/* The pairs are the same once written, alone or as the search of a URL. */
static void try_query(const url_record *url, const char *query, size_t len) {
  pairs list = {.count = 0};
  url_record with;
  url_query_parse(query, len, keep_pair, &list);
  text written = joined(&list);
  if (written.len) {
    same_pairs(&list, written.bytes, written.len);
    demand(url_change(url->text, url->len, URL_SEARCH, written.bytes, written.len, &with));
    check_record(&with);
    text search = part_of(&with, URL_SEARCH);
    same_pairs(&list, search.bytes, search.len);
    free(with.text);
  }
  free(written.bytes);
  free_pairs(&list);
}

/* ---- inputs ---- */

static void try_url(url_record *url, const uint8_t *at, const uint8_t *end) {
  check_record(url);
  check_fetch(url);
  for (unsigned i = 0; i < URL_PARTS; i++)
    set_to_itself(url, (url_part)i);
  text search = part_of(url, URL_SEARCH);
  try_query(url, search.bytes, search.len);
  while (at < end) {
    unsigned part = *at++ % (URL_PARTS + 1u);
    text value = next_piece(&at, end);
    if (part < URL_PARTS)
      set(url, (url_part)part, value);
    else
      try_query(url, value.bytes, value.len);
    free(value.bytes);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A URL, perhaps one behind it that it is the base of, then setters: a byte for the
 * part and its value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const uint8_t *at = data + 1, *end = data + size;
  url_record url, relative;
  text first = next_piece(&at, end);
  if (url_parse(first.bytes, first.len, NULL, 0, &url)) {
    if (data[0] & 1) {
      text second = next_piece(&at, end);
      if (url_parse(second.bytes, second.len, url.text, url.len, &relative)) {
        free(url.text);
        url = relative;
      }
      free(second.bytes);
    }
    try_url(&url, at, end);
    free(url.text);
  }
  free(first.bytes);
  return 0;
}
