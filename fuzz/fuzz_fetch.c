/* What a hostile guest asks fetch for, and what a hostile server answers. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/fetch_int.h"

static const cbor_limits limits = {64, 65536, 1 << 20};

static void check(bool holds) {
  if (!holds)
    abort();
}

static void check_request(const fetch_request *request) {
  check(request->method[0] && !strpbrk(request->method, " \r\n:"));
  check(strncmp(request->url.href, "http", 4) == 0 && !strpbrk(request->url.href, " \r\n"));
  for (size_t i = 0; i < request->headers_count; i++) {
    const fetch_header *header = &request->headers[i];
    check(!strpbrk(header->line, "\r\n") && strlen(header->line) > header->name_len);
    check(strcspn(header->line, ":; ") == header->name_len);
    check(strncasecmp(header->line, "host:", 5) != 0);
  }
  check(!request->has_body || (strcmp(request->method, "GET") && strcmp(request->method, "HEAD")));
}

/* Checked bytes, as the host makes sure; the rest is where the answer redirects. */
static void try_request(const uint8_t *data, size_t size) {
  fetch_request request;
  api_error error = {.name = ""};
  cbor_in in, arguments;
  const uint8_t *item;
  size_t len;
  cbor_in_init(&in, data, size);
  arguments = in;
  if (cbor_slice(&in, &item, &len) != CBOR_OK || cbor_check(item, len, &limits) != CBOR_OK)
    return;
  if (!fetch_request_read(NULL, arguments, &request, &error)) {
    check(error.name[0] && error.message[0]);
    return;
  }
  check_request(&request);
  static const unsigned statuses[] = {301, 302, 303, 307, 308};
  unsigned status = statuses[size % 5];
  if (fetch_request_follow(&request, status, (const char *)in.at, (size_t)(in.end - in.at), &error))
    check(request.url.href[0]);
  check_request(&request);
  fetch_request_free(&request);
}

/* Lines up to one that is empty, then the body. */
static void try_response(const char *text, size_t size) {
  fetch_response response;
  cbor_out out;
  fetch_response_init(&response, NULL);
  bool ok = true;
  while (ok && size > 0) {
    const char *end = memchr(text, '\n', size);
    size_t len = end ? (size_t)(end - text) + 1 : size;
    bool begun = response.in_headers;
    ok = fetch_response_line(&response, text, len);
    text += len, size -= len;
    if (begun && !response.in_headers)
      break;
  }
  ok = ok && fetch_response_body(&response, text, size);
  check(ok == (response.failed == NULL));
  cbor_out_init(&out, NULL, 1 << 20);
  if (ok) {
    check(response.status <= 999 && response.body_len == size);
    fetch_response_put(&response, "http://a.example/", false, &out);
    check(out.status == CBOR_OK && cbor_check(out.data, out.len, &limits) == CBOR_OK);
  }
  cbor_out_free(&out);
  fetch_response_free(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  if (data[0] & 1)
    try_request(data + 1, size - 1);
  else
    try_response((const char *)data + 1, size - 1);
  return 0;
}
