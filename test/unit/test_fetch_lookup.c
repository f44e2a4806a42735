/* Name lookups of fetch, with a name service of the test's own: it says what a name
 * leads to and when, so that it can be as slow as a real one that does not answer. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "api/fetch_resolver.h"
#include "unit/threads.h"
#include "unit/vow_fixture.h"

/* ---- the name service: these stand before the C library's, for libcurl too ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holding;              /* names that begin with "slow" wait */
static unsigned asked, asked_now; /* ever; those that have no answer yet */
static const char *answer;        /* addresses with blanks between; "": no such name */
static unsigned answers;          /* how often they are given */
static unsigned own_threads;      /* before anything is open */

static struct addrinfo *new_answer(const char *text, struct addrinfo *next) {
  struct addrinfo *found = calloc(1, sizeof *found + sizeof(struct sockaddr_in6));
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)(found + 1);
  struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)v6;
  bool is_v6 = inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
  assert_true(is_v6 || inet_pton(AF_INET, text, &v4->sin_addr) == 1);
  found->ai_family = is_v6 ? AF_INET6 : AF_INET;
  found->ai_socktype = SOCK_STREAM;
  found->ai_addrlen = is_v6 ? sizeof *v6 : sizeof *v4;
  found->ai_addr = (struct sockaddr *)v6;
  found->ai_addr->sa_family = (sa_family_t)found->ai_family;
  found->ai_next = next;
  return found;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **all) {
  (void)service, (void)hints;
  pthread_mutex_lock(&lock);
  asked++;
  asked_now++;
  pthread_cond_broadcast(&changed);
  while (holding && strncmp(name, "slow", 4) == 0)
    pthread_cond_wait(&changed, &lock);
  *all = NULL;
  for (unsigned i = 0; i < answers; i++) {
    char list[256], *rest = list;
    snprintf(list, sizeof list, "%s", answer);
    for (const char *one; (one = strsep(&rest, " "));)
      if (*one)
        *all = new_answer(one, *all);
  }
  asked_now--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return *all ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *all) {
  while (all) {
    struct addrinfo *next = all->ai_next;
    free(all);
    all = next;
  }
}

static void answer_with(const char *address, unsigned times, bool hold) {
  pthread_mutex_lock(&lock);
  answer = address;
  answers = times;
  holding = hold;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static unsigned asked_so_far(void) {
  pthread_mutex_lock(&lock);
  unsigned count = asked;
  pthread_mutex_unlock(&lock);
  return count;
}

/* ---- a port that refuses connections ---- */

typedef struct lookups {
  fixture f;
  int socket;
  uint16_t port;
  unsigned threads; /* of the runtime */
  char builtins[128];
} lookups;

static void open_all(lookups *l, void **state) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof here;
  *l = (lookups){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  assert_int_equal(bind(l->socket, (struct sockaddr *)&here, len), 0);
  assert_int_equal(getsockname(l->socket, (struct sockaddr *)&here, &len), 0);
  l->port = ntohs(here.sin_port);
  snprintf(l->builtins, sizeof l->builtins, "fetch:*.test:%u,fetch:127.0.0.1:%u,fetch:[::1]:%u",
           l->port, l->port, l->port);
  vow_runtime_options options = {.engine = *(const vow_engine *)*state, .builtins = l->builtins};
  assert_int_equal(fixture_try(&l->f, &options), VOW_OK);
  answer_with("127.0.0.1", 1, false);
  l->threads = threads_now();
}

static void close_all(lookups *l) {
  fixture_close(&l->f);
  close(l->socket);
}

/* `code(name, timeout)` is how a fetch of that name ended. */
static void begin(subject *s, lookups *l, const char *source) {
  static char text[2048];
  snprintf(text, sizeof text,
           "const code = (name, timeout) => fetch(`http://${name}.test:%u/`, { timeout })"
           "  .then((r) => r.status, (e) => e.code);\n%s",
           l->port, source);
  subject_init(s, &l->f, text);
  s->request.allow = "fetch";
  assert_int_equal(subject_try(s), VOW_OK);
}

static void ends_as(lookups *l, const char *source, const char *value) {
  subject s;
  begin(&s, l, source);
  ends_with_value(&s, value);
  subject_close(&s);
}

/* ---- what is found ---- */

static void addresses_are_used(void **state) {
  lookups l;
  open_all(&l, state);
  ends_as(&l, "await code('home')", "\"CONNECTION_REFUSED\"");
  answer_with("::ffff:127.0.0.1", 1, false);
  ends_as(&l, "await code('mapped')", "\"CONNECTION_REFUSED\"");
  answer_with("127.0.0.1", 100, false);
  ends_as(&l, "await code('many')", "\"CONNECTION_REFUSED\"");
  answer_with("::1 127.0.0.1", 8, false);
  ends_as(&l, "await code('both')", "\"CONNECTION_REFUSED\"");
  answer_with("127.0.0.1 169.254.169.254", 3, false);
  ends_as(&l, "await code('mixed')", "\"ADDRESS_BLOCKED\"");
  answer_with("169.254.169.254", 1, false);
  ends_as(&l, "await code('metadata')", "\"ADDRESS_BLOCKED\"");
  answer_with("fe80::1", 100, false);
  ends_as(&l, "await code('local')", "\"ADDRESS_BLOCKED\"");
  answer_with("", 0, false);
  ends_as(&l, "[await code('nobody'), await code('home')]", "[\"DNS\",\"CONNECTION_REFUSED\"]");
  close_all(&l);
  until_threads(own_threads);
}

/* Not by libcurl, for a name with a final dot and one of a special sense either. */
static void each_name_is_asked_for_once(void **state) {
  lookups l;
  open_all(&l, state);
  unsigned before = asked_so_far();
  ends_as(&l,
          "const all = [];"
          "for (const name of ['a', 'b', 'A', 'a.b', 'a', 'b']) all.push(await code(name));"
          "new Set(all).size",
          "1");
  assert_int_equal(asked_so_far() - before, 3);
  char source[256];
  snprintf(source, sizeof source,
           "const e = await fetch('http://a.test.:%u/').catch((e) => e.code); e", l.port);
  ends_as(&l, source, "\"CONNECTION_REFUSED\"");
  assert_int_equal(asked_so_far() - before, 4);
  answer_with("", 0, false);
  ends_as(&l, "[await code('c'), await code('c')]", "[\"DNS\",\"DNS\"]");
  assert_int_equal(asked_so_far() - before, 6);
  close_all(&l);
  until_threads(own_threads);
}

/* What was found goes when others come, the oldest first. */
static void names_are_forgotten(void **state) {
  lookups l;
  open_all(&l, state);
  unsigned before = asked_so_far();
  ends_as(&l,
          "await code('first');"
          "for (let i = 0; i < 300; i++) await code(`n${i}`);"
          "await code('n299'); await code('first')",
          "\"CONNECTION_REFUSED\"");
  assert_int_equal(asked_so_far() - before, 302);
  close_all(&l);
  until_threads(own_threads);
}

/* ---- slow ones ---- */

static void many_that_are_given_up(void **state) {
  lookups l;
  open_all(&l, state);
  answer_with("127.0.0.1", 1, true);
  unsigned before = asked_so_far();
  ends_as(&l,
          "const all = await Promise.all(Array.from({ length: 60 }, (_, i) =>"
          "  code(`slow-${i}`, 20)));"
          "const again = await Promise.all(Array.from({ length: 60 }, (_, i) =>"
          "  code(`slow-${i + 60}`, 20)));"
          "[...new Set([...all, ...again])]",
          "[\"TIMEOUT\"]");
  assert_in_range(threads_now(), l.threads + 1, l.threads + FETCH_LOOKUP_THREADS_MAX);
  /* Only those that had a thread were begun; a thread may be late to begin. */
  assert_in_range(asked_so_far() - before, 1, FETCH_LOOKUP_THREADS_MAX);
  answer_with("127.0.0.1", 1, false);
  ends_as(&l, "[await code('home'), await code('slow-0')]",
          "[\"CONNECTION_REFUSED\",\"CONNECTION_REFUSED\"]");
  until_threads(l.threads);
  assert_in_range(asked_so_far() - before, 2, FETCH_LOOKUP_THREADS_MAX + 2);
  close_all(&l);
  until_threads(own_threads);
}

static void equal_ones_share_a_lookup(void **state) {
  lookups l;
  subject s;
  open_all(&l, state);
  answer_with("127.0.0.1", 1, true);
  unsigned before = asked_so_far();
  begin(&s, &l,
        "const all = Array.from({ length: 50 }, (_, i) => code('slow', i % 2 ? 20 : 9000));"
        "await Promise.all(all.filter((_, i) => i % 2)); console.log('given up');"
        "const codes = await Promise.all(all); [...new Set(codes)]");
  while (!s.logs)
    assert_int_equal(vow_loop_run(l.f.rt, VOW_LOOP_ONCE), VOW_OK);
  answer_with("127.0.0.1", 1, false);
  ends_with_value(&s, "[\"CONNECTION_REFUSED\",\"TIMEOUT\"]");
  subject_close(&s);
  assert_int_equal(asked_so_far() - before, 1);
  close_all(&l);
  until_threads(own_threads);
}

/* Closing waits for no lookup; its thread finds nobody there. */
static void closed_before_the_answer(void **state) {
  lookups l;
  subject s;
  open_all(&l, state);
  answer_with("127.0.0.1", 1, true);
  begin(&s, &l, "await Promise.all(['slow-1', 'slow-2', 'slow-1'].map((name) => code(name)))");
  pthread_mutex_lock(&lock);
  while (asked_now < 2) {
    pthread_mutex_unlock(&lock);
    assert_int_equal(vow_loop_run(l.f.rt, VOW_LOOP_POLL), VOW_OK);
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  subject_close(&s);
  close_all(&l);
  until_threads(own_threads + 2);
  answer_with("127.0.0.1", 1, false);
  until_threads(own_threads);
}

static void *do_nothing(void *user) {
  return user;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(addresses_are_used),        ON_BOTH(each_name_is_asked_for_once),
      ON_BOTH(names_are_forgotten),       ON_BOTH(many_that_are_given_up),
      ON_BOTH(equal_ones_share_a_lookup), ON_BOTH(closed_before_the_answer),
  };
  pthread_t first; /* with it comes a sanitizer's */
  assert_int_equal(pthread_create(&first, NULL, do_nothing, NULL), 0);
  pthread_join(first, NULL);
  own_threads = threads_at_rest();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
