#include <string.h>
#include <strings.h>

#include "api/fetch_int.h"
#include "core/utf8.h"

void fetch_response_init(fetch_response *response, const vow_allocator *allocator) {
  *response = (fetch_response){.allocator = allocator};
}

/* Forgets an interim answer; what it took still counts. */
static void begin_answer(fetch_response *response) {
  response->status = 0;
  response->reason[0] = 0;
  response->in_headers = false;
  response->headers_len = response->body_len = 0;
}

void fetch_response_reset(fetch_response *response) {
  begin_answer(response);
  response->header_bytes = 0;
  response->failed = NULL;
}

void fetch_response_free(fetch_response *response) {
  mem_free(response->allocator, response->headers);
  mem_free(response->allocator, response->body);
  fetch_response_init(response, response->allocator);
}

static bool refuse(fetch_response *response, const char *code) {
  response->failed = code;
  return false;
}

/* Room for `more` bytes behind `len`; the old block stays on failure. */
static bool grow(fetch_response *response, void **block, size_t len, size_t *room, size_t more) {
  if (more <= *room - len)
    return true;
  size_t wanted = *room ? *room : 1024;
  while (wanted - len < more)
    wanted *= 2; /* what is kept is bounded far below SIZE_MAX */
  void *grown = mem_resize(response->allocator, *block, wanted, 1);
  if (!grown)
    return refuse(response, "NO_MEMORY");
  *block = grown;
  *room = wanted;
  return true;
}

/* ---- headers ---- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *len) {
  while (*len && is_blank((*text)[0]))
    ++*text, --*len;
  while (*len && is_blank((*text)[*len - 1]))
    --*len;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool read_status(fetch_response *response, const char *line, size_t len) {
  const char *at = memchr(line, ' ', len), *end = line + len;
  if (!at || end - at < 4 || !is_digit(at[1]) || !is_digit(at[2]) || !is_digit(at[3]) ||
      (end - at > 4 && !is_blank(at[4])))
    return refuse(response, "BAD_RESPONSE");
  begin_answer(response);
  response->status =
      (unsigned)(at[1] - '0') * 100 + (unsigned)(at[2] - '0') * 10 + (unsigned)(at[3] - '0');
  at += 4;
  size_t left = (size_t)(end - at);
  trim(&at, &left);
  if (memchr(at, 0, left))
    return refuse(response, "BAD_RESPONSE");
  if (left >= sizeof response->reason)
    left = sizeof response->reason - 1;
  memcpy(response->reason, at, left);
  response->reason[left] = 0;
  response->in_headers = true;
  return true;
}

static bool append(fetch_response *response, const char *text, size_t len) {
  void *block = response->headers;
  bool done = grow(response, &block, response->headers_len, &response->headers_room, len + 1);
  response->headers = block;
  if (!done)
    return false;
  memcpy(response->headers + response->headers_len, text, len);
  response->headers_len += len;
  response->headers[response->headers_len++] = 0;
  return true;
}

/* A line that goes on the value before it, by the old rule of folding. */
static bool append_folded(fetch_response *response, const char *text, size_t len) {
  if (response->headers_len == 0)
    return true;
  response->headers[response->headers_len - 1] = ' ';
  return append(response, text, len);
}

static bool read_header(fetch_response *response, const char *line, size_t len) {
  if (memchr(line, 0, len))
    return refuse(response, "BAD_RESPONSE");
  if (line[0] == ' ' || line[0] == '\t') {
    trim(&line, &len);
    return append_folded(response, line, len);
  }
  const char *colon = memchr(line, ':', len);
  if (!colon || colon == line)
    return true;
  const char *value = colon + 1;
  size_t name_len = (size_t)(colon - line), value_len = len - name_len - 1;
  trim(&line, &name_len);
  trim(&value, &value_len);
  size_t before = response->headers_len;
  if (!append(response, line, name_len) || !append(response, value, value_len))
    return false;
  for (size_t i = before; response->headers[i]; i++)
    if (response->headers[i] >= 'A' && response->headers[i] <= 'Z')
      response->headers[i] = (char)(response->headers[i] - 'A' + 'a');
  return true;
}

static const char *next_header(const fetch_response *response, size_t *at, const char **value) {
  if (*at >= response->headers_len)
    return NULL;
  const char *name = response->headers + *at;
  *value = name + strlen(name) + 1;
  *at = (size_t)(*value - response->headers) + strlen(*value) + 1;
  return name;
}

const char *fetch_response_header(const fetch_response *response, const char *wanted) {
  size_t at = 0;
  const char *name, *value;
  while ((name = next_header(response, &at, &value)))
    if (strcmp(name, wanted) == 0)
      return value;
  return NULL;
}

/* Whether each word of a comma list is one of `known`, which ends with NULL. */
static bool has_only(const char *list, const char *const *known) {
  for (const char *at = list;; at++) {
    const char *word = at;
    size_t len = strcspn(at, ",");
    at += len;
    trim(&word, &len);
    const char *const *one = known;
    while (*one && (strlen(*one) != len || strncasecmp(*one, word, len) != 0))
      one++;
    if (!*one)
      return false;
    if (!*at)
      return true;
  }
}

/* libcurl decodes what it knows, asked for or not, also as a transfer encoding. Those
 * of small windows only: a server could have a zstd decoder take 128 MiB. */
static const char *encoding_fault(const char *name, const char *value) {
  static const char *const content[] = {"", "gzip", "x-gzip", "deflate", "identity", NULL};
  static const char *const transfer[] = {"", "chunked", NULL};
  if (strcmp(name, "content-encoding") == 0 && !has_only(value, content))
    return "CONTENT_ENCODING";
  return strcmp(name, "transfer-encoding") == 0 && !has_only(value, transfer) ? "BAD_RESPONSE"
                                                                              : NULL;
}

/* Lengths that differ, or a length beside chunks, leave open where the next answer on
 * the connection begins. */
static bool end_headers(fetch_response *response) {
  const char *length = fetch_response_header(response, "content-length"), *name, *value;
  size_t at = 0;
  response->in_headers = false;
  if (length && fetch_response_header(response, "transfer-encoding"))
    return refuse(response, "BAD_RESPONSE");
  while ((name = next_header(response, &at, &value))) {
    const char *fault = encoding_fault(name, value);
    if (strcmp(name, "content-length") == 0 && strcmp(value, length) != 0)
      fault = "BAD_RESPONSE";
    if (fault)
      return refuse(response, fault);
  }
  return true;
}

bool fetch_response_line(fetch_response *response, const char *line, size_t len) {
  if (response->failed)
    return false;
  response->header_bytes += len;
  if (response->header_bytes > FETCH_RESPONSE_HEADER_BYTES_MAX)
    return refuse(response, "HEADERS_TOO_LARGE");
  if (!response->in_headers && response->status >= 200)
    return true; /* trailers, which the standard has no place for */
  if (!response->in_headers)
    return len >= 5 && memcmp(line, "HTTP/", 5) == 0 ? read_status(response, line, len) : true;
  size_t content = len;
  while (content && (line[content - 1] == '\r' || line[content - 1] == '\n'))
    content--;
  return content > 0 ? read_header(response, line, content) : end_headers(response);
}

bool fetch_response_is_redirect(const fetch_response *response) {
  unsigned status = response->status;
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* ---- body ---- */

bool fetch_response_body(fetch_response *response, const void *bytes, size_t len) {
  if (response->failed)
    return false;
  if (len > FETCH_BODY_BYTES_MAX - response->body_len)
    return refuse(response, "BODY_TOO_LARGE");
  void *block = response->body;
  bool done = grow(response, &block, response->body_len, &response->body_room, len);
  response->body = block;
  if (!done)
    return false;
  if (len)
    memcpy(response->body + response->body_len, bytes, len);
  response->body_len += len;
  return true;
}

/* ---- for the guest ---- */

/* Bytes of a header as the standard reads them: each is a code point. */
static void put_latin1(cbor_out *out, const char *text) {
  size_t len = strlen(text), more = 0;
  for (size_t i = 0; i < len; i++)
    more += (unsigned char)text[i] >= 0x80;
  if (!more) {
    cbor_put_text(out, text, len);
    return;
  }
  char *utf8 = mem_resize(out->allocator, NULL, len + more, 1);
  if (!utf8) {
    out->status = CBOR_E_NOMEM;
    return;
  }
  size_t used = 0;
  for (size_t i = 0; i < len; i++)
    used += utf8_encode((unsigned char)text[i], (uint8_t *)utf8 + used);
  cbor_put_text(out, utf8, used);
  mem_free(out->allocator, utf8);
}

void fetch_response_put(const fetch_response *response, const char *url, bool redirected,
                        cbor_out *out) {
  size_t at = 0;
  const char *name, *value;
  unsigned status = response->status;
  cbor_put_array(out, 6);
  cbor_put_uint(out, status);
  put_latin1(out, response->reason);
  cbor_put_cstring(out, url);
  cbor_put_bool(out, redirected);
  cbor_put_array_open(out);
  while ((name = next_header(response, &at, &value))) {
    put_latin1(out, name);
    put_latin1(out, value);
  }
  cbor_put_break(out);
  if (status == 204 || status == 205 || status == 304)
    cbor_put_null(out);
  else
    cbor_put_bytes(out, response->body, response->body_len);
}
