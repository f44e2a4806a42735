/* fetch against a real server on 127.0.0.1 while things fail: each allocation of ours
 * and of libcurl's once, and each call of a socket; and then everything from it on.
 * A typed error or the answer, nothing left, and what comes later works. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "api/api.h"
#include "api/host.h"
#include "unit/run_fixture.h"

#define KINDS_MAX 64

/* ---- what fails: a count of each sort ---- */

typedef struct fault {
  size_t calls, fail_at;
  bool for_ever;
} fault;

static fault sockets; /* of the loop's thread */

/* Short of memory for an address in digits, libcurl starts a thread that looks it up. */
static counting_alloc curl_memory; /* lock: curl_lock */
static pthread_mutex_t curl_lock = PTHREAD_MUTEX_INITIALIZER;

static bool socket_fails(int error) {
  sockets.calls++;
  if (sockets.fail_at == 0 || sockets.calls < sockets.fail_at ||
      (sockets.calls > sockets.fail_at && !sockets.for_ever))
    return false;
  errno = error;
  return true;
}

/* The program's come before the C library's, for libcurl too, which is loaded later.
 * The server below uses others. */
#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

int socket(int domain, int type, int protocol) {
  return socket_fails(EMFILE) ? -1 : REAL(socket)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t len) {
  return socket_fails(ECONNREFUSED) ? -1 : REAL(connect)(fd, address, len);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
  return socket_fails(EPIPE) ? -1 : REAL(send)(fd, bytes, len, flags);
}

ssize_t recv(int fd, void *bytes, size_t len, int flags) {
  return socket_fails(ECONNRESET) ? -1 : REAL(recv)(fd, bytes, len, flags);
}

static void *curl_call(void *block, size_t size) {
  pthread_mutex_lock(&curl_lock);
  void *result = counting_alloc_call(&curl_memory, block, size);
  pthread_mutex_unlock(&curl_lock);
  return result;
}

/* Counts from 1 again. */
static void curl_fail(size_t fail_at, bool for_ever) {
  pthread_mutex_lock(&curl_lock);
  curl_memory.calls = 0;
  curl_memory.fail_at = fail_at;
  curl_memory.for_ever = for_ever;
  pthread_mutex_unlock(&curl_lock);
}

static counting_alloc curl_counts(void) {
  pthread_mutex_lock(&curl_lock);
  counting_alloc counts = curl_memory;
  pthread_mutex_unlock(&curl_lock);
  return counts;
}

static void *curl_malloc(size_t size) {
  return curl_call(NULL, size ? size : 1);
}

static void curl_release(void *block) {
  curl_call(block, 0);
}

static void *curl_realloc(void *block, size_t size) {
  return curl_call(block, size ? size : 1);
}

static void *curl_calloc(size_t count, size_t size) {
  if (size && count > SIZE_MAX / size)
    return NULL;
  void *block = curl_malloc(count * size);
  if (block)
    memset(block, 0, count * size);
  return block;
}

static char *curl_strdup(const char *text) {
  char *copy = curl_malloc(strlen(text) + 1);
  if (copy)
    memcpy(copy, text, strlen(text) + 1);
  return copy;
}

/* ---- the server ---- */

static int listener = -1;
static in_port_t port;
static pthread_t server;

static void write_all(int fd, const char *text, size_t len) {
  for (ssize_t n; len > 0; text += n, len -= (size_t)n)
    if ((n = write(fd, text, len)) <= 0)
      return;
}

static void respond(int fd, const char *request) {
  static char page[20000];
  char head[160];
  bool hop = strstr(request, " /hop ") != NULL;
  memset(page, 'x', sizeof page);
  size_t len = hop ? 0 : strstr(request, " /page ") ? sizeof page : 2;
  snprintf(head, sizeof head,
           "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\nX-A: b\r\n\r\n",
           hop ? "302 Found" : "200 OK", hop ? "Location: /page\r\n" : "", len);
  write_all(fd, head, strlen(head));
  write_all(fd, page, len);
}

/* One request; the body comes with its head, or is not looked at. Nobody answers
 * /hold: it ends when the other side closes. */
static void serve(int fd) {
  char request[4096];
  size_t len = 0;
  ssize_t n;
  while (len < sizeof request - 1 && (n = read(fd, request + len, sizeof request - 1 - len)) > 0) {
    len += (size_t)n;
    request[len] = 0;
    if (!strstr(request, "\r\n\r\n") || strstr(request, " /hold "))
      continue;
    respond(fd, request);
    shutdown(fd, SHUT_WR);
  }
  close(fd);
}

static void *accept_all(void *unused) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
    serve(fd);
  return unused;
}

static void open_server(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 64), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  port = ntohs(address.sin_port);
  assert_int_equal(pthread_create(&server, NULL, accept_all, NULL), 0);
}

static void close_server(void) {
  shutdown(listener, SHUT_RDWR);
  pthread_join(server, NULL);
  close(listener);
}

/* Before fetch loads it: what initialises it first decides on its memory. */
static void *open_curl(void) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  assert_non_null(library);
  __typeof__(&curl_global_init_mem) init =
      (__typeof__(&curl_global_init_mem))(uintptr_t)dlsym(library, "curl_global_init_mem");
  assert_non_null((void *)(uintptr_t)init);
  assert_int_equal(
      init(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc, curl_strdup, curl_calloc),
      CURLE_OK);
  return library;
}

static int set_up(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_IGN);
  open_server();
  open_curl();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  close_server();
  return 0;
}

/* ---- one run ---- */

static const char source[] =
    "const { base } = context;"
    "const page = await fetch(base + '/hop', { headers: { a: 'b' } });"
    "const text = await page.text();"
    "const small = await fetch(base + '/small', { method: 'POST', body: 'hello' });"
    "const controller = new AbortController();"
    "const held = fetch(base + '/hold', { signal: controller.signal }).catch((e) => e.name);"
    "setTimeout(() => controller.abort(), 3);"
    "[text.length, page.redirected, await small.text(), await held].join()";
static const char value[] = "\"20000,true,xx,AbortError\"";

static void check_outcome(const subject *s) {
  switch (s->kind) {
  case RUN_KIND_NONE: /* what became of /hold is told by its name */
    if (strncmp(s->value, "\"20000,true,xx,", 15) != 0)
      fail_msg("%s", s->value);
    break;
  case RUN_KIND_API:
    if (strcmp(s->name, "TypeError") != 0 && strcmp(s->name, "ApiError") != 0)
      fail_msg("%s: %s", s->name, s->message);
    assert_null(strchr(s->message, '\n'));
    break;
  case RUN_KIND_MEMORY:
    break;
  case RUN_KIND_INTERNAL:
    if (s->message[0])
      assert_string_equal(s->message, "the host is out of memory");
    break;
  default:
    fail_msg("%s: %s: %s", run_kind_text(s->kind), s->name, s->message);
  }
}

/* Whether it came to its value. */
static bool run_once(run_fixture *f, const host_kind *kinds, size_t count) {
  subject s;
  char context[64];
  subject_init(&s, f);
  snprintf(context, sizeof context, "{\"base\":\"http://127.0.0.1:%u\"}", port);
  const run_options options = {.name = "test.js",
                               .source = source,
                               .source_len = sizeof source - 1,
                               .context = context,
                               .kinds = kinds,
                               .kinds_count = count,
                               .limits = run_limits_default,
                               .on_event = note_event,
                               .on_done = note_done,
                               .user = &s};
  s.run = run_open(f->shard, &options);
  if (!s.run)
    return false;
  until_done(&s);
  check_outcome(&s);
  subject_close(&s);
  return s.kind == RUN_KIND_NONE && strcmp(s.value, value) == 0;
}

static bool open_api(run_fixture *f, api_host **host) {
  char list[48], message[256];
  bool allowed[KINDS_MAX] = {false};
  size_t all;
  api_kinds(&all);
  assert_true(all <= KINDS_MAX);
  snprintf(list, sizeof list, "fetch:127.0.0.1:%u", port);
  assert_true(api_allow(list, allowed, message, sizeof message));
  *host = api_host_open(&f->allocator, allowed, NULL, "default", NULL);
  return *host && api_host_open_fetch(*host, list) && api_host_bind(*host, f->shard);
}

typedef enum { OURS, CURLS, SOCKETS, SORTS } sort;

/* Calls of each sort up to the end of the first run. */
static size_t used[SORTS];

static void nothing_fails_any_more(run_fixture *f) {
  f->counting.fail_at = sockets.fail_at = 0;
  curl_fail(0, false);
}

/* True: nothing failed. After what failed, the same client does it all. */
static bool scenario(run_fixture *f, engine_kind engine) {
  api_host *host = NULL;
  bool whole = false;
  size_t curl_blocks = curl_counts().blocks, count;
  fixture_try(f, engine);
  if (f->shard && open_api(f, &host)) {
    const host_kind *kinds = api_host_kinds(host, &count);
    whole = run_once(f, kinds, count);
    used[OURS] = f->counting.calls;
    used[CURLS] = curl_counts().calls;
    used[SOCKETS] = sockets.calls;
    nothing_fails_any_more(f);
    assert_true(run_once(f, kinds, count));
  }
  nothing_fails_any_more(f);
  api_host_unbind(host);
  if (f->shard) {
    while (shard_handlers(f->shard) > 0)
      shard_turn(f->shard);
    assert_no_run_left(f);
    shard_close(f->shard);
  }
  api_host_close(host);
  assert_int_equal(f->counting.blocks, 0);
  while (curl_counts().blocks > curl_blocks) /* libcurl's thread gives back by itself */
    sched_yield();
  assert_int_equal(curl_counts().blocks, curl_blocks);
  return whole;
}

/* ---- all of them ---- */

static bool fail_one(sort what, size_t n, bool for_ever, engine_kind engine) {
  run_fixture f = {.held_count = 0};
  curl_fail(0, false);
  sockets.calls = 0;
  if (what == OURS)
    f.counting.fail_at = n, f.counting.for_ever = for_ever;
  else if (what == CURLS)
    curl_fail(n, for_ever);
  else
    sockets.fail_at = n, sockets.for_ever = for_ever;
  return !scenario(&f, engine);
}

static void fail_each(sort what, engine_kind engine) {
  size_t seen = 0;
  assert_false(fail_one(what, 0, false, engine));
  size_t all = used[what];
  assert_true(all > 10);
  for (size_t n = 1; n <= all; n++) {
    fail_one(what, n, false, engine);
    seen += fail_one(what, n, true, engine);
  }
  print_message("%zu calls\n", all);
  assert_true(seen > all / 2); /* libcurl does without some of them */
}

static void each_allocation_of_ours(void **state) {
  fail_each(OURS, *(const engine_kind *)*state);
}

static void each_allocation_of_libcurl(void **state) {
  fail_each(CURLS, *(const engine_kind *)*state);
}

static void each_call_of_a_socket(void **state) {
  fail_each(SOCKETS, *(const engine_kind *)*state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_WASM(each_allocation_of_ours),
      ON_WASM(each_allocation_of_libcurl),
      ON_BOTH(each_call_of_a_socket),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
