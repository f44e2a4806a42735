/* What decides where fetch may go: addresses, hosts, URLs and the allow-list; and
 * the parts of request and response that need no network. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/fetch_int.h"
#include "unit/counting_alloc.h"

/* ---- addresses ---- */

static fetch_address address_of(const char *text) {
  fetch_address address;
  struct in_addr v4;
  if (inet_pton(AF_INET, text, &v4) == 1)
    return fetch_address_v4(ntohl(v4.s_addr));
  assert_int_equal(inet_pton(AF_INET6, text, address.bytes), 1);
  return address;
}

static void test_public_addresses(void **state) {
  (void)state;
  static const char *const public[] = {
      "1.1.1.1",          "8.8.8.8",         "9.255.255.255",  "11.0.0.0",        "100.63.255.255",
      "100.128.0.0",      "126.255.255.255", "128.0.0.0",      "168.63.129.15",   "168.63.129.17",
      "169.253.255.255",  "169.255.0.0",     "172.15.255.255", "172.32.0.0",      "192.0.1.0",
      "192.0.3.0",        "192.167.255.255", "192.169.0.0",    "198.17.255.255",  "198.20.0.0",
      "198.51.99.255",    "203.0.112.255",   "203.0.114.0",    "223.255.255.255", "2606:4700::1111",
      "2a00:1450::1",     "2001:200::1",     "2001:4860::1",   "2003::1",         "::ffff:8.8.8.8",
      "64:ff9b::8.8.8.8", "3ffd::1"};
  for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
    fetch_address address = address_of(public[i]);
    if (!fetch_address_public(&address))
      fail_msg("%s is not public", public[i]);
  }
}

static void test_other_addresses(void **state) {
  (void)state;
  static const char *const other[] = {"0.0.0.0",
                                      "0.255.255.255",
                                      "10.0.0.0",
                                      "10.255.255.255",
                                      "100.64.0.0",
                                      "100.127.255.255",
                                      "127.0.0.0",
                                      "127.0.0.1",
                                      "127.255.255.255",
                                      "168.63.129.16",
                                      "64:ff9b::168.63.129.16",
                                      "169.254.0.0",
                                      "169.254.169.254",
                                      "169.254.255.255",
                                      "172.16.0.0",
                                      "172.31.255.255",
                                      "192.0.0.0",
                                      "192.0.0.170",
                                      "192.0.2.1",
                                      "192.88.99.1",
                                      "192.168.0.0",
                                      "192.168.255.255",
                                      "198.18.0.0",
                                      "198.19.255.255",
                                      "198.51.100.1",
                                      "203.0.113.1",
                                      "224.0.0.1",
                                      "239.255.255.255",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::8.8.8.8",
                                      "::127.0.0.1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "::ffff:169.254.169.254",
                                      "64:ff9b::10.0.0.1",
                                      "64:ff9b::127.0.0.1",
                                      "64:ff9b:1::8.8.8.8",
                                      "100::1",
                                      "2001::1",
                                      "2001:2::1",
                                      "2001:10::1",
                                      "2001:20::1",
                                      "2001:1ff::1",
                                      "2001:db8::1",
                                      "2002:808:808::1",
                                      "2002:7f00:1::1",
                                      "3fff::1",
                                      "3fff:fff::1",
                                      "3ffe::1",
                                      "4000::1",
                                      "5f00::1",
                                      "fc00::1",
                                      "fd00:ec2::254",
                                      "fdff::1",
                                      "fe80::1",
                                      "febf::1",
                                      "fec0::1",
                                      "ff00::1",
                                      "ff02::1",
                                      "ffff::1",
                                      "1fff::1"};
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    fetch_address address = address_of(other[i]);
    if (fetch_address_public(&address))
      fail_msg("%s is public", other[i]);
  }
}

static void test_socket_addresses(void **state) {
  (void)state;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  struct sockaddr unix_socket = {.sa_family = AF_UNIX};
  fetch_address a, b;
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
  assert_true(fetch_address_of((struct sockaddr *)&v4, sizeof v4, &a));
  assert_true(fetch_address_of((struct sockaddr *)&v6, sizeof v6, &b));
  assert_true(fetch_address_equal(&a, &b));
  assert_false(fetch_address_of((struct sockaddr *)&v6, sizeof v4, &b));
  assert_false(fetch_address_of((struct sockaddr *)&v4, 4, &b));
  assert_false(fetch_address_of(&unix_socket, sizeof unix_socket, &b));
}

/* ---- hosts and URLs ---- */

static void test_hosts(void **state) {
  (void)state;
  static const struct {
    const char *text, *name; /* NULL: refused */
  } cases[] = {
      {"Example.COM", "example.com"},
      {"example.com.", "example.com."},
      {"ex%41mple.com", "example.com"},
      {"b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"B%C3%9Ccher.example", "xn--bcher-kva.example"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"a_b.example", "a_b.example"},
      {"127.0.0.1", "127.0.0.1"},
      {"127.1", "127.0.0.1"},
      {"127.0.1", "127.0.0.1"},
      {"0x7f.1", "127.0.0.1"},
      {"0X7F.0.0.0x1", "127.0.0.1"},
      {"2130706433", "127.0.0.1"},
      {"0x7f000001", "127.0.0.1"},
      {"017700000001", "127.0.0.1"},
      {"127.0.0.1.", "127.0.0.1"},
      {"0x.0x.0", "0.0.0.0"},
      {"%30%78%37f.1", "127.0.0.1"},
      {"4294967295", "255.255.255.255"},
      {"1.2.3.a", "1.2.3.a"},
      {"1.2.3.4a", "1.2.3.4a"},
      {"[::1]", "[::1]"},
      {"[0:0:0:0:0:0:0:1]", "[::1]"},
      {"[::FFFF:127.0.0.1]", "[::ffff:7f00:1]"},
      {"[1:0:0:2::3]", "[1:0:0:2::3]"},
      {"[2001:DB8::1:0:0:1]", "[2001:db8::1:0:0:1]"},
      {"[1::]", "[1::]"},
      {"[fd00:ec2::254]", "[fd00:ec2::254]"},
      {"", NULL},
      {".", NULL},
      {"4294967296", NULL},
      {"256.1.1.1", NULL},
      {"1.2.3.256", NULL},
      {"1.2.3.4.5", NULL},
      {"1..2", NULL},
      {"09.1.1.1", NULL},
      {"a.0x", NULL},
      {"foo.1", NULL},
      {"999999999999999999999999", NULL},
      {"a b", NULL},
      {"a%00b", NULL},
      {"a%2fb", NULL},
      {"a%25b", NULL},
      {"a:b", NULL},
      {"a\xff", NULL},
      {"[::1", NULL},
      {"[::1%25eth0]", NULL},
      {"[127.0.0.1]", NULL},
      {"[]", NULL},
      {"[1::2::3]", NULL},
      {"a[b", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fetch_host host;
    const char *why = NULL;
    bool ok = fetch_host_parse(cases[i].text, strlen(cases[i].text), &host, &why);
    if (ok != (cases[i].name != NULL) || (ok && strcmp(host.name, cases[i].name) != 0))
      fail_msg("%s: %s", cases[i].text, ok ? host.name : why);
    assert_true(ok || strlen(why) > 5);
  }
}

static void test_long_hosts(void **state) {
  (void)state;
  fetch_host host;
  const char *why;
  char text[2000];
  memset(text, 'a', sizeof text);
  for (size_t i = 63; i < sizeof text; i += 64)
    text[i] = '.';
  assert_true(fetch_host_parse(text, 253, &host, &why));
  assert_false(fetch_host_parse(text, 254, &host, &why));
  assert_false(fetch_host_parse(text, sizeof text, &host, &why));
  assert_false(fetch_host_parse(
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", 66, &host, &why));
}

static void test_urls(void **state) {
  (void)state;
  static const char *const base = "http://a.example:8080/b/c/d?q#f";
  static const struct {
    const char *base, *text, *href; /* NULL: refused */
  } cases[] = {
      {NULL, "http://A.example", "http://a.example/"},
      {NULL, "  HTTP://a.example:80/x \n", "http://a.example/x"},
      {NULL, "https://a.example:443", "https://a.example/"},
      {NULL, "https://a.example:80", "https://a.example:80/"},
      {NULL, "http:a.example", "http://a.example/"},
      {NULL, "http:\\\\a.example\\x\\y", "http://a.example/x/y"},
      {NULL, "http:////a.example//x", "http://a.example//x"},
      {NULL, "ht\ntp://a.ex\tample/", "http://a.example/"},
      {NULL, "http://a.example/a/./b/../c/%2e%2E/d/.", "http://a.example/a/d/"},
      {NULL, "http://a.example/../..", "http://a.example/"},
      {NULL, "http://a.example/...", "http://a.example/..."},
      {NULL, "http://a.example/a b\"<>`{}^\x7f\xc3\xa9?a b'<\xc3\xa9`",
       "http://a.example/a%20b%22%3C%3E%60%7B%7D%5E%7F%C3%A9?a%20b%27%3C%C3%A9`"},
      {NULL, "http://a.example?x#y", "http://a.example/?x"},
      {NULL, "http://a.example/?", "http://a.example/?"},
      {NULL, "http://@a.example/", "http://a.example/"},
      {NULL, "http://a.example:/", "http://a.example/"},
      {NULL, "http://a.example\\@b.example/", "http://a.example/@b.example/"},
      {NULL, "http://a.example#@b.example/", "http://a.example/"},
      {NULL, "http://a.example?@b.example/", "http://a.example/?@b.example/"},
      {NULL, "http://127.1:8080/%zz", "http://127.0.0.1:8080/%zz"},
      {base, "", "http://a.example:8080/b/c/d?q"},
      {base, "#x", "http://a.example:8080/b/c/d?q"},
      {base, "?x", "http://a.example:8080/b/c/d?x"},
      {base, "x", "http://a.example:8080/b/c/x"},
      {base, "../x", "http://a.example:8080/b/x"},
      {base, "../../../x", "http://a.example:8080/x"},
      {base, ".", "http://a.example:8080/b/c/"},
      {base, "/x", "http://a.example:8080/x"},
      {base, "\\x", "http://a.example:8080/x"},
      {base, "//b.example/x", "http://b.example/x"},
      {base, "/\\b.example/x", "http://b.example/x"},
      {base, "http:x", "http://a.example:8080/b/c/x"},
      {base, "http:/x", "http://a.example:8080/x"},
      {base, "https:x", "https://x/"},
      {base, "https://b.example", "https://b.example/"},
      {NULL, "", NULL},
      {NULL, "//a.example/", NULL},
      {NULL, "a.example", NULL},
      {NULL, "http://", NULL},
      {NULL, "http:///", NULL},
      {NULL, "http://u@a.example/", NULL},
      {NULL, "http://u:p@a.example/", NULL},
      {NULL, "http://a.example@b.example/", NULL},
      {NULL, "http://a.example:1x/", NULL},
      {NULL, "http://a.example:65536/", NULL},
      {NULL, "http://a.example:0/", NULL},
      {NULL, "http://[::1]x/", NULL},
      {NULL, "ftp://a.example/", NULL},
      {base, "javascript:alert(1)", NULL},
      {base, "file:///etc/passwd", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fetch_url from = {.href = NULL}, url;
    const char *why;
    if (cases[i].base)
      assert_int_equal(
          fetch_url_parse(NULL, cases[i].base, strlen(cases[i].base), NULL, &from, &why),
          FETCH_URL_OK);
    fetch_url_status status = fetch_url_parse(NULL, cases[i].text, strlen(cases[i].text),
                                              cases[i].base ? &from : NULL, &url, &why);
    bool ok = status == FETCH_URL_OK;
    if (ok != (cases[i].href != NULL) || (ok && strcmp(url.href, cases[i].href) != 0))
      fail_msg("%s: %s", cases[i].text, ok ? url.href : why);
    if (ok) { /* canonical: reading it again changes nothing */
      fetch_url again;
      assert_int_equal(fetch_url_parse(NULL, url.href, strlen(url.href), NULL, &again, &why),
                       FETCH_URL_OK);
      assert_string_equal(again.href, url.href);
      assert_true(fetch_url_same_origin(&again, &url));
      fetch_url_free(NULL, &again);
    }
    fetch_url_free(NULL, &url);
    fetch_url_free(NULL, &from);
  }
}

/* ---- the allow-list ---- */

static bool allows(const char *list, const char *href) {
  fetch_allow allow;
  fetch_url url;
  const char *why;
  assert_true(fetch_allow_open(NULL, list, &allow));
  assert_int_equal(fetch_url_parse(NULL, href, strlen(href), NULL, &url, &why), FETCH_URL_OK);
  bool allowed = fetch_allow_host(&allow, &url.host, url.port);
  fetch_url_free(NULL, &url);
  fetch_allow_close(NULL, &allow);
  return allowed;
}

static void test_allowed_hosts(void **state) {
  (void)state;
  static const struct {
    const char *list, *yes[4], *no[5];
  } cases[] = {
      {"fetch:api.example.com",
       {"http://api.example.com/", "https://API.example.com./x", "http://api.example.com:443/"},
       {"http://api.example.com:8080/", "http://example.com/", "http://x.api.example.com/",
        "http://api.example.com.evil.example/", "http://127.0.0.1/"}},
      {"notes.get, fetch:a.example:8080 ,fetch:B.EXAMPLE.",
       {"http://a.example:8080/", "http://b.example/", "https://b.example/"},
       {"http://a.example/", "http://b.example:8080/", "https://a.example/"}},
      {"fetch:*.example.com",
       {"http://a.example.com/", "http://a.b.example.com/", "http://a.example.com./"},
       {"http://example.com/", "http://aexample.com/", "http://.example.com/",
        "http://a.example.org/"}},
      {"fetch:127.0.0.1:80",
       {"http://127.1/", "http://2130706433/", "http://[::ffff:127.0.0.1]/"},
       {"http://127.0.0.2/", "http://localhost/", "https://127.0.0.1/", "http://[::1]/"}},
      {"fetch:[::1]", {"http://[0::1]/"}, {"http://127.0.0.1/", "http://[::2]/"}},
      {"fetch:xn--bcher-kva.example",
       {"http://b\xc3\xbc"
        "cher.example/"},
       {"http://bucher.example/"}},
      {"", {NULL}, {"http://a.example/"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t j = 0; j < 4 && cases[i].yes[j]; j++)
      if (!allows(cases[i].list, cases[i].yes[j]))
        fail_msg("%s refuses %s", cases[i].list, cases[i].yes[j]);
    for (size_t j = 0; j < 5 && cases[i].no[j]; j++)
      if (allows(cases[i].list, cases[i].no[j]))
        fail_msg("%s allows %s", cases[i].list, cases[i].no[j]);
  }
}

static void test_allowed_addresses(void **state) {
  (void)state;
  fetch_allow allow;
  fetch_address loopback = address_of("127.0.0.1"), other = address_of("10.0.0.1");
  assert_true(fetch_allow_open(NULL, "fetch:localhost,fetch:127.0.0.1:81", &allow));
  assert_true(fetch_allow_address(&allow, &loopback, 81));
  assert_false(fetch_allow_address(&allow, &loopback, 80));
  assert_false(fetch_allow_address(&allow, &other, 81));
  fetch_allow_close(NULL, &allow);
}

static void test_refused_entries(void **state) {
  (void)state;
  static const struct {
    const char *entry, *why;
  } cases[] = {
      {"fetch", "names no host"},
      {"fetch:", "names no host"},
      {"fetch:https://a.example", "more than a host and a port"},
      {"fetch:a.example/x", "more than a host and a port"},
      {"fetch:a.example:", "no port from 1 to 65535"},
      {"fetch:a.example:0", "no port from 1 to 65535"},
      {"fetch:a.example:65536", "no port from 1 to 65535"},
      {"fetch:a.example:8o", "no port from 1 to 65535"},
      {"fetch:::1", "no port from 1 to 65535"},
      {"fetch:*", "has a *"},
      {"fetch:a.*.example", "has a *"},
      {"fetch:*.127.0.0.1", "before an address"},
      {"fetch:*.", "has a *"},
      {"fetch:user@a.example", "character that no host name has"},
      {"fetch:1.2.3.4.5", "no IPv4 address"},
      {"fetch:[::1", "IPv6"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fetch_allow_entry entry;
    char message[512] = "";
    const char *text = cases[i].entry;
    assert_true(fetch_allow_is(text, strlen(text)));
    assert_false(fetch_allow_parse(text, strlen(text), &entry, message, sizeof message));
    if (!strstr(message, cases[i].why) || !strstr(message, text) || !strstr(message, "fetch:HOST"))
      fail_msg("%s: %s", text, message);
  }
  assert_false(fetch_allow_is("fetcher", 7));
  assert_false(fetch_allow_is("fetc", 4));
}

/* ---- requests: what a guest may send past its own checks ---- */

static void put_request(cbor_out *out, const char *url, const char *method, const char *name,
                        const char *value, const char *body) {
  cbor_put_array(out, 1);
  cbor_put_array(out, 5);
  cbor_put_cstring(out, url);
  cbor_put_cstring(out, method);
  cbor_put_array(out, name ? 2 : 0);
  if (name) {
    cbor_put_cstring(out, name);
    cbor_put_cstring(out, value);
  }
  if (body)
    cbor_put_bytes(out, body, strlen(body));
  else
    cbor_put_null(out);
  cbor_put_cstring(out, "follow");
}

static bool read_request(const vow_allocator *allocator, const cbor_out *bytes,
                         fetch_request *request, api_error *error) {
  cbor_in in;
  cbor_in_init(&in, bytes->data, bytes->len);
  return fetch_request_read(allocator, in, request, error);
}

static void test_requests_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *url, *method, *name, *value, *body, *why; /* NULL: fine */
  } cases[] = {
      {"http://a.example/", "get", NULL, NULL, NULL, NULL},
      {"http://a.example/", "POST", "X-A", "b", "c", NULL},
      {"http://a.example/", "TrAcE", NULL, NULL, NULL, "forbidden"},
      {"http://a.example/", "CONNECT", NULL, NULL, NULL, "forbidden"},
      {"http://a.example/", "GET / HTTP/1.1\r\nX: y", NULL, NULL, NULL, "token"},
      {"http://a.example/", "", NULL, NULL, NULL, "token"},
      {"http://a.example/", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL, NULL, "token"},
      {"http://a.example/", "GET", "Host", "x", NULL, "header is forbidden"},
      {"http://a.example/", "GET", "cONTENT-lENGTH", "1", NULL, "header is forbidden"},
      {"http://a.example/", "GET", "Proxy-X", "1", NULL, "header is forbidden"},
      {"http://a.example/", "GET", "Transfer-Encoding", "chunked", NULL, "header is forbidden"},
      {"http://a.example/", "GET", "a b", "1", NULL, "no HTTP token"},
      {"http://a.example/", "GET", "a:", "1", NULL, "no HTTP token"},
      {"http://a.example/", "GET", "", "1", NULL, "no HTTP token"},
      {"http://a.example/", "GET", "a", "b\r\nc: d", NULL, "line end"},
      {"http://a.example/", "GET", "a", "b\nc", NULL, "line end"},
      {"http://a.example/", "GET", "a", "\xc4\x80", NULL, "beyond U+00FF"},
      {"http://a.example/", "GET", NULL, NULL, "x", "no body"},
      {"http://a.example/", "HEAD", NULL, NULL, "x", "no body"},
      {"gopher://a.example/", "GET", NULL, NULL, NULL, "another scheme"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cbor_out out;
    fetch_request request;
    api_error error = {.name = ""};
    cbor_out_init(&out, NULL, 65536);
    put_request(&out, cases[i].url, cases[i].method, cases[i].name, cases[i].value, cases[i].body);
    bool ok = read_request(NULL, &out, &request, &error);
    if (ok != (cases[i].why == NULL) || (!ok && !strstr(error.message, cases[i].why)))
      fail_msg("%zu: %s", i, error.message);
    if (ok)
      fetch_request_free(&request);
    cbor_out_free(&out);
  }
}

static void test_malformed_requests(void **state) {
  (void)state;
  cbor_out out;
  cbor_out_init(&out, NULL, 65536);
  put_request(&out, "http://a.example/", "POST", "a", "b", "c");
  for (size_t len = 0; len < out.len; len++) {
    fetch_request request;
    api_error error;
    cbor_in in;
    cbor_in_init(&in, out.data, len);
    assert_false(fetch_request_read(NULL, in, &request, &error));
    assert_string_equal(error.name, "TypeError");
  }
  cbor_out_free(&out);
}

static void follow_all(const vow_allocator *allocator) {
  cbor_out out;
  fetch_request request;
  fetch_response response;
  api_error error;
  fetch_response_init(&response, allocator);
  cbor_out_init(&out, NULL, 65536);
  put_request(&out, "http://a.example/x", "POST", "Authorization", "b", "c");
  if (read_request(allocator, &out, &request, &error)) {
    fetch_request_follow(&request, 302, "//b.example/y", 13, &error);
    fetch_request_free(&request);
  }
  cbor_out_free(&out);
  cbor_out_init(&out, allocator, 65536);
  if (fetch_response_line(&response, "HTTP/1.1 200 OK\r\n", 17) &&
      fetch_response_line(&response, "A: \xe9\r\n", 6) &&
      fetch_response_line(&response, " b\r\n", 4) && fetch_response_line(&response, "\r\n", 2) &&
      fetch_response_body(&response, "abc", 3))
    fetch_response_put(&response, "http://a.example/", false, &out);
  cbor_out_free(&out);
  fetch_response_free(&response);
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  counting_alloc counter = {.fail_at = 0};
  vow_allocator allocator = counting_allocator(&counter);
  follow_all(&allocator);
  size_t all = counter.calls;
  assert_true(all > 5);
  for (size_t n = 1; n <= all; n++) {
    counter = (counting_alloc){.fail_at = n};
    follow_all(&allocator);
    assert_int_equal(counter.blocks, 0);
  }
}

static void test_responses(void **state) {
  (void)state;
  fetch_response r;
  fetch_response_init(&r, NULL);
  assert_true(fetch_response_line(&r, "HTTP/1.1 100 Continue\r\n", 23));
  assert_true(fetch_response_line(&r, "X: early\r\n", 10));
  assert_true(fetch_response_line(&r, "\r\n", 2));
  assert_true(fetch_response_line(&r, "HTTP/2 302 \r\n", 13));
  assert_true(fetch_response_line(&r, "LOCATION:  /x \r\n", 16));
  assert_true(fetch_response_line(&r, "no colon\r\n", 10));
  assert_true(fetch_response_line(&r, "\r\n", 2));
  assert_int_equal(r.status, 302);
  assert_true(fetch_response_is_redirect(&r));
  assert_string_equal(fetch_response_header(&r, "location"), "/x");
  assert_null(fetch_response_header(&r, "x"));
  assert_true(fetch_response_body(&r, "ab", 2));
  assert_true(fetch_response_line(&r, "Location: /trailer\r\n", 20));
  assert_string_equal(fetch_response_header(&r, "location"), "/x");
  fetch_response_reset(&r);
  assert_false(fetch_response_line(&r, "HTTP/1.1 20\r\n", 13));
  assert_string_equal(r.failed, "BAD_RESPONSE");
  fetch_response_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_public_addresses),   cmocka_unit_test(test_other_addresses),
      cmocka_unit_test(test_socket_addresses),   cmocka_unit_test(test_hosts),
      cmocka_unit_test(test_long_hosts),         cmocka_unit_test(test_urls),
      cmocka_unit_test(test_allowed_hosts),      cmocka_unit_test(test_allowed_addresses),
      cmocka_unit_test(test_refused_entries),    cmocka_unit_test(test_requests_are_checked),
      cmocka_unit_test(test_malformed_requests), cmocka_unit_test(test_every_allocation_fails_once),
      cmocka_unit_test(test_responses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
