/* Shared by the files of fetch only. */
#ifndef VOW_API_FETCH_INT_H
#define VOW_API_FETCH_INT_H

#include "api/api.h"
#include "api/fetch_allow.h"
#include "api/fetch_url.h"

#define FETCH_METHOD_MAX 32u
#define FETCH_REQUEST_HEADERS_MAX 256u
#define FETCH_REQUEST_HEADER_BYTES_MAX 65536u
#define FETCH_RESPONSE_HEADER_BYTES_MAX 65536u
#define FETCH_BODY_BYTES_MAX (8u << 20) /* of a response, decoded */
#define FETCH_REDIRECTS_MAX 20u
#define FETCH_REASON_MAX 256u

/* ---- fetch_request.c ---- */

typedef struct fetch_header {
  char *line; /* "name: value", or "name;" with an empty value: libcurl's form; owned */
  size_t name_len;
} fetch_header;

typedef enum { FETCH_FOLLOW, FETCH_ERROR, FETCH_MANUAL } fetch_redirect;

typedef struct fetch_request {
  const vow_allocator *allocator;
  fetch_url url;
  char method[FETCH_METHOD_MAX + 1];
  fetch_header *headers;
  size_t headers_count;
  bool has_body;
  const uint8_t *body; /* into the call's arguments */
  size_t body_len;
  fetch_redirect redirect;
} fetch_request;

/* Reads what the guest asks for, one array of url, method, [name, value, ...],
 * body and redirect mode, in `arguments`, which must outlive the request. The
 * guest's own checks count for nothing: all are made here. False with `error`;
 * then nothing is to be freed. */
bool fetch_request_read(const vow_allocator *allocator, cbor_in arguments, fetch_request *request,
                        api_error *error);
void fetch_request_free(fetch_request *request);
/* Whether a header of that name (in any case) is there. */
bool fetch_request_has(const fetch_request *request, const char *name);
/* Whether it may be done twice, by its method (RFC 9110, section 9.2.2). */
bool fetch_request_idempotent(const fetch_request *request);
/* Whether it asks to be known by a scheme that authenticates the connection, which
 * later requests would then come from. */
bool fetch_request_binds_connection(const fetch_request *request);
/* Makes it the request that follows a redirect: `location` are the bytes of that
 * header. False with `error`, the request unchanged. */
bool fetch_request_follow(fetch_request *request, unsigned status, const char *location, size_t len,
                          api_error *error);
/* PermissionError unless the list has the URL's host and port. */
bool fetch_request_allowed(const fetch_request *request, const fetch_allow *allow,
                           api_error *error);

/* ---- fetch_response.c ---- */

typedef struct fetch_response {
  const vow_allocator *allocator;
  unsigned status; /* 0: none yet */
  char reason[FETCH_REASON_MAX];
  bool in_headers;
  char *headers; /* name, 0, value, 0, and so on */
  size_t headers_len, headers_room;
  size_t header_bytes; /* of interim answers and trailers too */
  uint8_t *body;
  size_t body_len, body_room;
  const char *failed; /* code of what this side refused; NULL: nothing */
} fetch_response;

void fetch_response_init(fetch_response *response, const vow_allocator *allocator);
/* Forgets what is there, for the answer to the next request. */
void fetch_response_reset(fetch_response *response);
void fetch_response_free(fetch_response *response);
/* One line of a header block, with its end; status line and empty line too; of
 * interim answers, the answer and its trailers.
 * False: do not go on; `failed` says why. */
bool fetch_response_line(fetch_response *response, const char *line, size_t len);
/* Part of the decoded body; likewise. */
bool fetch_response_body(fetch_response *response, const void *bytes, size_t len);
/* The first value of a header (lower-case name); NULL: none. */
const char *fetch_response_header(const fetch_response *response, const char *name);
bool fetch_response_is_redirect(const fetch_response *response);
/* [status, reason, url, redirected, [name, value, ...], body or null] */
void fetch_response_put(const fetch_response *response, const char *url, bool redirected,
                        cbor_out *out);

#endif
