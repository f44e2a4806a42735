/* fetch while memory runs short (each allocation of a call fails once, and each with all
 * behind it), and with its owner gone in the middle. The server is a real one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "unit/vow_fixture.h"

typedef struct server {
  int fd;
  uint16_t port;
  pthread_t thread;
  atomic_uint held, left; /* requests of /hold, and those of them whose client went away */
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

/* Answers in part and waits for the other side to go. */
static void hold(server *s, int fd) {
  char byte;
  write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
  atomic_fetch_add(&s->held, 1);
  if (read(fd, &byte, 1) <= 0)
    atomic_fetch_add(&s->left, 1);
}

static void answer(server *s, int fd, const char *request) {
  if (strncmp(request, "GET /hold ", 10) == 0)
    hold(s, fd);
  else if (strncmp(request, "GET /go ", 8) == 0)
    write_text(fd, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
  else
    write_text(fd, "HTTP/1.1 200 OK\r\nX-Name: value\r\nContent-Length: 4\r\n\r\nbody");
}

/* One request for each connection, until the socket is shut down. */
static void *serve(void *user) {
  server *s = user;
  char request[4096];
  for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd))
    if (read_request(fd, request, sizeof request))
      answer(s, fd, request);
  return NULL;
}

static void server_open(server *s) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof here;
  *s = (server){.fd = -1};
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

/* One call is in its answer, one waits for the server, and one for a name. */
static void closed_in_the_middle(void **state) {
  fixture f = {0};
  server s;
  subject run;
  vow_pending pending[3];
  char builtins[96], source[512];
  server_open(&s);
  snprintf(builtins, sizeof builtins, "fetch:*.invalid:%u,fetch:127.0.0.1:%u", s.port, s.port);
  snprintf(source, sizeof source,
           "const all = ['http://127.0.0.1:%u/hold', 'http://127.0.0.1:%u/hold',"
           "  'http://nowhere.invalid:%u/'].map((url) => fetch(url).catch(() => 0));"
           "await Promise.all(all)",
           s.port, s.port, s.port);
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .builtins = builtins};
  assert_int_equal(fixture_try(&f, &options), VOW_OK);
  subject_init(&run, &f, source);
  run.request.allow = "fetch";
  assert_int_equal(subject_try(&run), VOW_OK);
  while (!atomic_load(&s.held))
    assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_POLL), VOW_OK);
  assert_true(vow_run_pending(run.run, pending, 3) >= 2);
  assert_string_equal(pending[0].name, "fetch");
  assert_string_equal(pending[0].detail, "127.0.0.1");
  assert_int_equal(vow_run_cancel(run.run), VOW_OK);
  const vow_report *report = vow_run_report(run.run);
  assert_true(report->pending_count >= 2);
  assert_string_equal(report->pending[0].detail, "127.0.0.1");
  subject_close(&run);
  fixture_close(&f);
  server_close(&s);
  assert_true(atomic_load(&s.held) > 0);
  assert_int_equal(atomic_load(&s.left), atomic_load(&s.held));
}

int main(void) {
  const struct CMUnitTest tests[] = {ON_BOTH(each_fails_once), ON_BOTH(each_fails_for_ever),
                                     ON_BOTH(closed_in_the_middle)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
