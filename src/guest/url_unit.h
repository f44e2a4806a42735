/* The URL parser, Ada, behind plain C. It knows no JavaScript and keeps nothing
 * between calls: a URL is its text, and each call parses it anew.
 *
 * Texts going in are UTF-8, not terminated; texts coming out are allocated and
 * freed with free(). Working memory comes from malloc(), which in wasm is the
 * guest's own and ends a run that has no more; natively a refusal aborts. */
#ifndef VOW_GUEST_URL_UNIT_H
#define VOW_GUEST_URL_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  URL_PROTOCOL,
  URL_USERNAME,
  URL_PASSWORD,
  URL_HOST,
  URL_HOSTNAME,
  URL_PORT,
  URL_PATHNAME,
  URL_SEARCH,
  URL_HASH,
  URL_PARTS,
} url_part;

/* A valid URL as text, which is ASCII, and where each part begins and ends in
 * it, as the getters of the standard's URL class give them. */
typedef struct url_record {
  char *text;
  size_t len;
  uint32_t begin[URL_PARTS], end[URL_PARTS];
} url_record;

/* `base` may be NULL. False: no valid URL; `record` holds nothing then. */
bool url_parse(const char *input, size_t len, const char *base, size_t base_len,
               url_record *record);
/* The URL `url` after the setter of `part` was given `value`, which may have
 * changed nothing. False: `url` is not valid. */
bool url_change(const char *url, size_t len, url_part part, const char *value, size_t value_len,
                url_record *record);
/* "https://example.org" or "null"; NULL when `url` is not valid. */
char *url_origin(const char *url, size_t len, size_t *origin_len);

/* application/x-www-form-urlencoded: calls `each` for every pair, in order, until
 * it returns false. One "?" at the start is left out. The bytes are percent-decoded and may be no
 * UTF-8. */
typedef bool url_pair_sink(void *user, const char *name, size_t name_len, const char *value,
                           size_t value_len);
void url_query_parse(const char *query, size_t len, url_pair_sink *each, void *user);
/* The text of `name`=`value`. */
char *url_query_pair(const char *name, size_t name_len, const char *value, size_t value_len,
                     size_t *len);

#ifdef __cplusplus
}
#endif
#endif
