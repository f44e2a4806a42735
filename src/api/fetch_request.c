#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/fetch_int.h"
#include "core/utf8.h"

static bool fail_type(api_error *error, const char *code, const char *what) {
  return api_error_set(error, "TypeError", code, false, "fetch: %s", what);
}

static bool fail_memory(api_error *error) {
  return api_error_set(error, "ApiError", "NO_MEMORY", true, "the host is out of memory");
}

static bool fail_malformed(api_error *error) {
  return fail_type(error, "INVALID_ARGUMENT", "the request is malformed");
}

/* ---- method and headers ---- */

static bool is_token(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!c || (!letter && !strchr("!#$%&'*+-.^_`|~", c)))
      return false;
  }
  return len > 0;
}

/* Those the Fetch standard forbids, in any case. */
static bool is_forbidden_method(const char *method) {
  return strcasecmp(method, "CONNECT") == 0 || strcasecmp(method, "TRACE") == 0 ||
         strcasecmp(method, "TRACK") == 0;
}

static void normalize_method(char *method) {
  static const char *const usual[] = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"};
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    if (strcasecmp(method, usual[i]) == 0)
      memcpy(method, usual[i], strlen(usual[i]));
}

static bool read_method(cbor_in *in, fetch_request *request, api_error *error) {
  const char *text;
  size_t len;
  if (cbor_get_text(in, &text, &len) != CBOR_OK)
    return fail_malformed(error);
  if (len > FETCH_METHOD_MAX || !is_token(text, len))
    return fail_type(error, "INVALID_ARGUMENT", "the method is no HTTP token of 32 bytes or less");
  memcpy(request->method, text, len);
  request->method[len] = 0;
  normalize_method(request->method);
  return !is_forbidden_method(request->method) ||
         fail_type(error, "INVALID_ARGUMENT", "the methods CONNECT, TRACE and TRACK are forbidden");
}

static bool name_is(const char *name, size_t len, const char *wanted) {
  return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

/* What decides how a message is framed, where it goes or how the connection is
 * used is the host's. */
static bool is_forbidden_header(const char *name, size_t len) {
  static const char *const forbidden[] = {
      "accept-encoding", "connection", "content-length",    "expect",  "host", "keep-alive", "te",
      "trailer",         "trailers",   "transfer-encoding", "upgrade", "via"};
  for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
    if (name_is(name, len, forbidden[i]))
      return true;
  return len >= 6 && strncasecmp(name, "proxy-", 6) == 0;
}

/* A value of code points up to U+00FF as bytes; false when it holds others, or
 * what ends a line. */
static bool to_bytes(const char *text, size_t len, char *out, size_t *out_len) {
  *out_len = 0;
  for (size_t i = 0; i < len;) {
    utf8_step step = utf8_next((const uint8_t *)text + i, len - i, false);
    if (!step.good || step.point > 0xff || step.point == 0 || step.point == '\r' ||
        step.point == '\n')
      return false;
    out[(*out_len)++] = (char)step.point;
    i += step.len;
  }
  return true;
}

static bool add_header(fetch_request *request, const char *name, size_t name_len, const char *value,
                       size_t value_len, api_error *error) {
  if (!is_token(name, name_len))
    return fail_type(error, "INVALID_ARGUMENT", "a header's name is no HTTP token");
  if (is_forbidden_header(name, name_len))
    return fail_type(error, "INVALID_ARGUMENT", "a header is forbidden");
  char *line = mem_resize(request->allocator, NULL, name_len + value_len + 3, 1);
  if (!line)
    return fail_memory(error);
  size_t written;
  memcpy(line, name, name_len);
  memcpy(line + name_len, ": ", 2);
  if (!to_bytes(value, value_len, line + name_len + 2, &written)) {
    mem_free(request->allocator, line);
    return fail_type(error, "INVALID_ARGUMENT",
                     "a header's value has a line end, a NUL or a character beyond U+00FF");
  }
  if (written == 0)
    memcpy(line + name_len, ";", 2);
  line[name_len + 2 + written] = 0;
  request->headers[request->headers_count++] = (fetch_header){line, name_len};
  return true;
}

static bool read_headers(cbor_in *in, fetch_request *request, api_error *error) {
  uint64_t count;
  size_t bytes = 0;
  if (cbor_get_array(in, &count) != CBOR_OK || count % 2)
    return fail_malformed(error);
  if (count / 2 > FETCH_REQUEST_HEADERS_MAX)
    return fail_type(error, "TOO_LARGE", "a request has at most 256 headers");
  request->headers = mem_new(request->allocator, (size_t)count / 2, sizeof *request->headers);
  if (!request->headers)
    return fail_memory(error);
  for (uint64_t i = 0; i < count / 2; i++) {
    const char *name, *value;
    size_t name_len, value_len;
    if (cbor_get_text(in, &name, &name_len) != CBOR_OK ||
        cbor_get_text(in, &value, &value_len) != CBOR_OK)
      return fail_malformed(error);
    bytes += name_len + value_len; /* of bytes that are there: no overflow */
    if (bytes > FETCH_REQUEST_HEADER_BYTES_MAX)
      return fail_type(error, "TOO_LARGE", "the headers of a request take at most 64 KiB");
    if (!add_header(request, name, name_len, value, value_len, error))
      return false;
  }
  return true;
}

/* ---- the rest of the request ---- */

static bool read_url(cbor_in *in, fetch_request *request, api_error *error) {
  const char *text, *why;
  size_t len;
  if (cbor_get_text(in, &text, &len) != CBOR_OK)
    return fail_malformed(error);
  fetch_url_status status =
      fetch_url_parse(request->allocator, text, len, NULL, &request->url, &why);
  if (status == FETCH_URL_NO_MEMORY)
    return fail_memory(error);
  return status == FETCH_URL_OK ||
         api_error_set(error, "TypeError", "INVALID_URL", false, "fetch: the URL '%s' %s",
                       api_quoted(text, len).text, why);
}

/* Bytes, plain or as a Uint8Array; null: no body. */
static bool read_body(cbor_in *in, fetch_request *request, api_error *error) {
  cbor_item item;
  if (cbor_next(in, &item) != CBOR_OK)
    return fail_malformed(error);
  if (item.kind == CBOR_NULL)
    return true;
  if (item.kind == CBOR_TAG && item.n == CBOR_TAG_TYPED_FIRST && cbor_next(in, &item) != CBOR_OK)
    return fail_malformed(error);
  if (item.kind != CBOR_BYTES || item.indefinite)
    return fail_malformed(error);
  if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
    return fail_type(error, "INVALID_ARGUMENT", "a GET or HEAD request has no body");
  request->has_body = true;
  request->body = item.bytes;
  request->body_len = item.len;
  return true;
}

static bool read_redirect(cbor_in *in, fetch_request *request, api_error *error) {
  static const char *const names[] = {"follow", "error", "manual"};
  const char *text;
  size_t len;
  if (cbor_get_text(in, &text, &len) != CBOR_OK)
    return fail_malformed(error);
  for (size_t i = 0; i < 3; i++)
    if (name_is(text, len, names[i])) {
      request->redirect = (fetch_redirect)i;
      return true;
    }
  return fail_malformed(error);
}

bool fetch_request_read(const vow_allocator *allocator, cbor_in arguments, fetch_request *request,
                        api_error *error) {
  uint64_t one, five;
  *request = (fetch_request){.allocator = allocator};
  bool ok = cbor_get_array(&arguments, &one) == CBOR_OK && one == 1 &&
            cbor_get_array(&arguments, &five) == CBOR_OK && five == 5;
  if (!ok)
    fail_malformed(error);
  ok = ok && read_url(&arguments, request, error) && read_method(&arguments, request, error) &&
       read_headers(&arguments, request, error) && read_body(&arguments, request, error) &&
       read_redirect(&arguments, request, error);
  if (!ok)
    fetch_request_free(request);
  return ok;
}

void fetch_request_free(fetch_request *request) {
  for (size_t i = 0; i < request->headers_count; i++)
    mem_free(request->allocator, request->headers[i].line);
  mem_free(request->allocator, request->headers);
  fetch_url_free(request->allocator, &request->url);
  *request = (fetch_request){.allocator = request->allocator};
}

bool fetch_request_has(const fetch_request *request, const char *name) {
  for (size_t i = 0; i < request->headers_count; i++)
    if (name_is(request->headers[i].line, request->headers[i].name_len, name))
      return true;
  return false;
}

bool fetch_request_idempotent(const fetch_request *request) {
  static const char *const methods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(request->method, methods[i]) == 0)
      return true;
  return false;
}

bool fetch_request_binds_connection(const fetch_request *request) {
  for (size_t i = 0; i < request->headers_count; i++) {
    const fetch_header *header = &request->headers[i];
    if (!name_is(header->line, header->name_len, "authorization"))
      continue;
    const char *value = header->line + header->name_len + 1;
    value += strspn(value, " \t");
    if (strncasecmp(value, "ntlm", 4) == 0 || strncasecmp(value, "negotiate", 9) == 0)
      return true;
  }
  return false;
}

/* ---- redirects ---- */

static void drop_headers(fetch_request *request, const char *const *names, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < request->headers_count; i++) {
    fetch_header header = request->headers[i];
    bool drop = false;
    for (size_t j = 0; j < count; j++)
      drop = drop || name_is(header.line, header.name_len, names[j]);
    if (drop)
      mem_free(request->allocator, header.line);
    else
      request->headers[kept++] = header;
  }
  request->headers_count = kept;
}

static void drop_body(fetch_request *request) {
  static const char *const about_body[] = {"content-encoding", "content-language",
                                           "content-location", "content-type"};
  memcpy(request->method, "GET", 4);
  request->has_body = false;
  request->body = NULL;
  request->body_len = 0;
  drop_headers(request, about_body, sizeof about_body / sizeof *about_body);
}

bool fetch_request_follow(fetch_request *request, unsigned status, const char *location, size_t len,
                          api_error *error) {
  /* By the standard Authorization; cookies are as secret, and here they are the
   * caller's to set. */
  static const char *const secrets[] = {"authorization", "cookie"};
  fetch_url next;
  const char *why;
  fetch_url_status read =
      fetch_url_parse(request->allocator, location, len, &request->url, &next, &why);
  if (read == FETCH_URL_NO_MEMORY)
    return fail_memory(error);
  if (read != FETCH_URL_OK)
    return api_error_set(error, "TypeError", "BAD_REDIRECT", false,
                         "fetch: %s:%u redirects to somewhere that cannot be followed: the URL %s",
                         request->url.host.name, request->url.port, why);
  bool is_post = strcmp(request->method, "POST") == 0, is_get = strcmp(request->method, "GET") == 0,
       is_head = strcmp(request->method, "HEAD") == 0;
  if (((status == 301 || status == 302) && is_post) || (status == 303 && !is_get && !is_head))
    drop_body(request);
  if (!fetch_url_same_origin(&request->url, &next))
    drop_headers(request, secrets, sizeof secrets / sizeof *secrets);
  fetch_url_free(request->allocator, &request->url);
  request->url = next;
  return true;
}

bool fetch_request_allowed(const fetch_request *request, const fetch_allow *allow,
                           api_error *error) {
  const fetch_url *url = &request->url;
  if (fetch_allow_host(allow, &url->host, url->port))
    return true;
  bool usual = url->port == FETCH_HTTP_PORT || url->port == FETCH_HTTPS_PORT;
  char port[8] = "";
  if (!usual)
    snprintf(port, sizeof port, ":%u", url->port);
  return api_error_set(
      error, "PermissionError", "NOT_ALLOWED", false,
      "fetch: %s, port %u, is not allowed; fetch:%s%s in what is allowed would permit it",
      url->host.name, url->port, url->host.name, port);
}
