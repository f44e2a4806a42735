/* fetch while memory runs short: each allocation of a call fails once, and each with all
 * behind it. A real server answers with a redirect, then with a body. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "unit/vow_fixture.h"

typedef struct server {
  int fd;
  uint16_t port;
  pthread_t thread;
} server;

/* The request up to its end; false: the connection is over. */
static bool read_request(int fd, char *text, size_t size) {
  size_t len = 0;
  while (len < size - 1) {
    ssize_t got = read(fd, text + len, size - 1 - len);
    if (got <= 0)
      return false;
    len += (size_t)got;
    text[len] = 0;
    if (strstr(text, "\r\n\r\n"))
      return true;
  }
  return false;
}

/* Who asked may have gone. */
static void write_text(int fd, const char *text) {
  send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* One request for each connection, until the socket is shut down. */
static void *serve(void *user) {
  const server *s = user;
  char text[4096];
  for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd))
    if (read_request(fd, text, sizeof text))
      write_text(fd, strncmp(text, "GET /go ", 8) == 0
                         ? "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
                         : "HTTP/1.1 200 OK\r\nX-Name: value\r\nContent-Length: 4\r\n\r\nbody");
  return NULL;
}

static void server_open(server *s) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof here;
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(s->fd, (struct sockaddr *)&here, len), 0);
  assert_int_equal(listen(s->fd, 16), 0);
  assert_int_equal(getsockname(s->fd, (struct sockaddr *)&here, &len), 0);
  s->port = ntohs(here.sin_port);
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_close(server *s) {
  shutdown(s->fd, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->fd);
}

/* True when nothing had to fail any more. */
static bool try_call(fixture *f, const char *source, bool for_ever, size_t n) {
  subject s;
  subject_init(&s, f, source);
  s.request.allow = "fetch";
  size_t last = atomic_load(&f->calls) + n;
  f->for_ever = for_ever;
  f->fail_at = last;
  vow_status status = subject_try(&s);
  while (status == VOW_OK && !s.done)
    assert_int_equal(vow_loop_run(f->rt, VOW_LOOP_ONCE), VOW_OK);
  f->fail_at = 0;
  bool reached = atomic_load(&f->calls) >= last;
  if (status != VOW_OK) {
    assert_int_equal(status, VOW_E_NOMEM);
    assert_true(reached);
    return false;
  }
  /* The call fails with a typed error, or the run as a whole for want of memory; or what
   * failed was not needed. */
  bool typed = s.outcome == VOW_VALUE &&
               (strcmp(s.value, "\"NO_MEMORY\"") == 0 || strcmp(s.value, "\"NO_RESOURCES\"") == 0);
  bool fine = s.outcome == VOW_VALUE && strcmp(s.value, "\"200 value body\"") == 0;
  bool ended = strcmp(s.kind, "memory") == 0 || strcmp(s.kind, "internal") == 0;
  if (!fine && !(reached && (typed || ended)))
    fail_msg("allocation %zu: %s %s %s", n, s.kind, s.value, s.error);
  subject_close(&s);
  return fine && !reached;
}

static void each_allocation_fails(void **state, bool for_ever) {
  fixture f = {0};
  server s;
  char builtins[96], source[512];
  server_open(&s);
  snprintf(builtins, sizeof builtins, "fetch:localhost:%u,fetch:127.0.0.1:%u", s.port, s.port);
  snprintf(source, sizeof source,
           "fetch('http://localhost:%u/go')"
           ".then(async (r) => `${r.status} ${r.headers.get('x-name')} ${await r.text()}`)"
           ".catch((e) => e.code ?? `${e}`)",
           s.port);
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .builtins = builtins};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  size_t n = 1;
  while (!try_call(&f, source, for_ever, n))
    n++;
  assert_true(n > 20);
  fixture_close(&f);
  server_close(&s);
}

static void each_fails_once(void **state) {
  each_allocation_fails(state, false);
}

static void each_fails_for_ever(void **state) {
  each_allocation_fails(state, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {ON_BOTH(each_fails_once), ON_BOTH(each_fails_for_ever)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
