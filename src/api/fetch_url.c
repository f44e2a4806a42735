#include "api/fetch_url.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_MAX (FETCH_HOST_MAX + 32u) /* scheme, host and port */

/* What is left to read, without tabs and newlines, and what is written. */
typedef struct parser {
  const char *at, *end;
  const fetch_url *base;
  fetch_url *url;
  size_t used; /* of url->href */
  const char **why;
} parser;

static bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_slash(char c) {
  return c == '/' || c == '\\';
}

static bool refuse(parser *p, const char *why) {
  *p->why = why;
  return false;
}

/* ---- scheme ---- */

/* The length of a scheme with its colon; 0: there is none. */
static size_t scheme_length(const parser *p) {
  const char *at = p->at;
  if (at == p->end || !is_alpha(*at))
    return 0;
  while (at < p->end && (is_alpha(*at) || is_digit(*at) || *at == '+' || *at == '-' || *at == '.'))
    at++;
  return at < p->end && *at == ':' ? (size_t)(at - p->at) + 1 : 0;
}

static bool scheme_is(const parser *p, size_t len, const char *scheme) {
  if (len != strlen(scheme))
    return false;
  for (size_t i = 0; i < len; i++)
    if ((p->at[i] >= 'A' && p->at[i] <= 'Z' ? p->at[i] - 'A' + 'a' : p->at[i]) != scheme[i])
      return false;
  return true;
}

static size_t slashes(const parser *p) {
  size_t count = 0;
  while (p->at + count < p->end && is_slash(p->at[count]))
    count++;
  return count;
}

/* Reads what stands before the host. `relative`: there is no host, the base's
 * counts. */
static bool read_scheme(parser *p, bool *relative) {
  size_t len = scheme_length(p);
  if (len == 0) {
    if (!p->base)
      return refuse(p, "is not absolute; it must begin with http:// or https://");
    p->url->https = p->base->https;
  } else if (scheme_is(p, len, "http:") || scheme_is(p, len, "https:")) {
    p->url->https = len == 6;
    p->at += len;
  } else {
    return refuse(p, "has another scheme than http and https");
  }
  bool own = len > 0 && !(p->base && p->base->https == p->url->https);
  size_t count = slashes(p);
  *relative = !own && count < 2;
  if (!*relative)
    p->at += count;
  return true;
}

/* ---- host and port ---- */

static bool read_port(parser *p, const char *at, const char *end) {
  uint32_t port = 0;
  if (at == end)
    return true;
  for (; at < end; at++) {
    if (!is_digit(*at))
      return refuse(p, "has a port that is no number");
    port = port * 10 + (uint32_t)(*at - '0');
    if (port > UINT16_MAX)
      return refuse(p, "has a port above 65535");
  }
  if (port == 0)
    return refuse(p, "has the port 0, which nothing can listen on");
  p->url->port = (uint16_t)port;
  return true;
}

/* Behind user name and password, which may only be there empty. */
static bool skip_credentials(parser *p, const char *end) {
  const char *last = NULL;
  for (const char *at = p->at; at < end; at++)
    if (*at == '@')
      last = at;
  if (!last)
    return true;
  if (last - p->at > 1 || (last - p->at == 1 && *p->at != ':'))
    return refuse(p, "has a user name or a password; send an Authorization header instead");
  p->at = last + 1;
  return true;
}

static bool read_authority(parser *p) {
  const char *end = p->at, *colon = NULL;
  while (end < p->end && !is_slash(*end) && *end != '?' && *end != '#')
    end++;
  if (!skip_credentials(p, end))
    return false;
  bool inside = false;
  for (const char *at = p->at; at < end; at++) {
    inside = *at == '[' || (inside && *at != ']');
    if (*at == ':' && !inside && !colon)
      colon = at;
  }
  const char *host_end = colon ? colon : end;
  p->url->port = p->url->https ? FETCH_HTTPS_PORT : FETCH_HTTP_PORT;
  if (!fetch_host_parse(p->at, (size_t)(host_end - p->at), &p->url->host, p->why) ||
      (colon && !read_port(p, colon + 1, end)))
    return false;
  p->at = end;
  return true;
}

static void put_authority(parser *p) {
  fetch_url *url = p->url;
  bool usual = url->port == (url->https ? FETCH_HTTPS_PORT : FETCH_HTTP_PORT);
  int n = snprintf(url->href, PREFIX_MAX, usual ? "http%s://%s" : "http%s://%s:%u",
                   url->https ? "s" : "", url->host.name, url->port);
  p->used = url->path_at = (size_t)n;
}

/* ---- path and query ---- */

static void put_encoded(parser *p, const char *text, size_t len, const char *special) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c > 0x20 && c < 0x7f && !strchr(special, c)) {
      p->url->href[p->used++] = (char)c;
      continue;
    }
    p->url->href[p->used++] = '%';
    p->url->href[p->used++] = digits[c >> 4];
    p->url->href[p->used++] = digits[c & 15];
  }
}

/* How many dots the segment stands for; 0 unless it is "." or "..". */
static unsigned dots(const char *text, size_t len) {
  unsigned count = 0;
  for (size_t i = 0; i < len; count++) {
    if (text[i] == '.')
      i++;
    else if (len - i >= 3 && text[i] == '%' && text[i + 1] == '2' && (text[i + 2] | 0x20) == 'e')
      i += 3;
    else
      return 0;
  }
  return count <= 2 ? count : 0;
}

static void drop_segment(parser *p) {
  while (p->used > p->url->path_at && p->url->href[p->used - 1] != '/')
    p->used--;
  if (p->used > p->url->path_at)
    p->used--;
}

static void put_segment(parser *p, const char *text, size_t len, bool last) {
  unsigned special = dots(text, len);
  if (special == 2)
    drop_segment(p);
  if (special && !last)
    return;
  p->url->href[p->used++] = '/';
  if (!special)
    put_encoded(p, text, len, "\"#<>?^`{}");
}

/* Segments up to the query; a slash before the first has been read. */
static void read_path(parser *p) {
  for (;;) {
    const char *end = p->at;
    while (end < p->end && !is_slash(*end) && *end != '?' && *end != '#')
      end++;
    bool last = end == p->end || !is_slash(*end);
    put_segment(p, p->at, (size_t)(end - p->at), last);
    p->at = last ? end : end + 1;
    if (last)
      return;
  }
}

static void read_query(parser *p) {
  if (p->at == p->end || *p->at != '?')
    return;
  const char *end = memchr(p->at, '#', (size_t)(p->end - p->at));
  p->at++;
  p->url->href[p->used++] = '?';
  put_encoded(p, p->at, (size_t)((end ? end : p->end) - p->at), "\"#<>'");
}

/* The base's path; with `query` its query too, else without its last segment. */
static void put_base_path(parser *p, bool query) {
  const char *path = p->base->href + p->base->path_at;
  size_t len = query ? strlen(path) : strcspn(path, "?");
  memcpy(p->url->href + p->used, path, len);
  p->used += len;
}

static void read_relative(parser *p) {
  p->url->host = p->base->host;
  p->url->port = p->base->port;
  put_authority(p);
  if (p->at < p->end && is_slash(*p->at)) {
    p->at++;
    read_path(p);
  } else if (p->at == p->end || *p->at == '#') {
    put_base_path(p, true);
  } else if (*p->at == '?') {
    put_base_path(p, false);
  } else {
    put_base_path(p, false);
    drop_segment(p);
    read_path(p);
  }
  read_query(p);
}

static bool parse(parser *p) {
  bool relative;
  if (!read_scheme(p, &relative))
    return false;
  if (relative) {
    read_relative(p);
  } else {
    if (!read_authority(p))
      return false;
    put_authority(p);
    if (p->at < p->end && is_slash(*p->at))
      p->at++;
    read_path(p);
    read_query(p);
  }
  p->url->href[p->used] = 0;
  return p->used <= FETCH_URL_BYTES_MAX || refuse(p, "is longer than 64 KiB");
}

/* Without the blanks around it and the tabs and newlines in it. */
static size_t strip(const char *text, size_t len, char *out) {
  size_t used = 0;
  while (len > 0 && (unsigned char)text[0] <= 0x20)
    text++, len--;
  while (len > 0 && (unsigned char)text[len - 1] <= 0x20)
    len--;
  for (size_t i = 0; i < len; i++)
    if (text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
      out[used++] = text[i];
  return used;
}

fetch_url_status fetch_url_parse(const vow_allocator *allocator, const char *text, size_t len,
                                 const fetch_url *base, fetch_url *url, const char **why) {
  *url = (fetch_url){.href = NULL};
  *why = "is longer than 64 KiB";
  if (len > FETCH_URL_BYTES_MAX)
    return FETCH_URL_BAD;
  size_t base_len = base ? strlen(base->href) : 0;
  char *input = mem_resize(allocator, NULL, len, 1);
  /* Each byte becomes three at most; "/" and "?" may be added. */
  url->href = mem_resize(allocator, NULL, PREFIX_MAX + base_len + 3 * len + 8, 1);
  fetch_url_status status = input && url->href ? FETCH_URL_OK : FETCH_URL_NO_MEMORY;
  if (status == FETCH_URL_OK) {
    size_t stripped = strip(text, len, input);
    parser p = {input, input + stripped, base, url, 0, why};
    status = parse(&p) ? FETCH_URL_OK : FETCH_URL_BAD;
  }
  mem_free(allocator, input);
  if (status != FETCH_URL_OK)
    fetch_url_free(allocator, url);
  return status;
}

void fetch_url_free(const vow_allocator *allocator, fetch_url *url) {
  mem_free(allocator, url->href);
  *url = (fetch_url){.href = NULL};
}

bool fetch_url_same_origin(const fetch_url *a, const fetch_url *b) {
  return a->https == b->https && a->port == b->port && strcmp(a->host.name, b->host.name) == 0;
}
