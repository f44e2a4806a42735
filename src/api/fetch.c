#include "api/fetch.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/fetch_int.h"
#include "api/fetch_poll.h"
#include "api/fetch_resolver.h"
#include "sandbox/shard.h"

/* A body is held as it comes, then as a message, then as the guest's value. */
#define BODY_COPIES 3u

/* One call, from start to its answer. */
typedef struct fetch_transfer {
  fetch_client *client;
  host_call *call;
  struct fetch_transfer *next, *previous; /* in the client's list; later of those to be answered */
  bool finished;                          /* out of the client's list: its answer is on the way */
  CURL *easy;
  struct curl_slist *lines;          /* of the request, as libcurl has them */
  struct curl_slist *names;          /* the addresses of its host, likewise */
  fetch_waiter waiter;               /* for those, before libcurl has the request */
  char addresses[FETCH_LOOKUP_TEXT]; /* what was found; "": the host is one itself */
  unsigned round;                    /* of trying them */
  fetch_request request;
  fetch_response response;
  unsigned redirects;
  bool resent;  /* libcurl wanted to send again what may have been done */
  bool refused; /* an address was not connected to: */
  fetch_address refused_address;
  bool fulfilled;
  api_error error; /* unless fulfilled */
  char reason[CURL_ERROR_SIZE];
} fetch_transfer;

struct fetch_client {
  const vow_allocator *allocator;
  fetch_allow allow;
  fetch_poll poll; /* on the loop while a transfer is live */
  fetch_transfer *transfers;
  fetch_resolver *resolver; /* NULL before the first call with a name */
};

static void act(void *user, curl_socket_t fd, int events);
static void on_lookup(void *user, fetch_waiter *waiters, fetch_lookup_status status,
                      const char *addresses);

/* ---- the client ---- */

fetch_client *fetch_client_open(const vow_allocator *allocator, const char *allow_list) {
  fetch_client *client = mem_new(allocator, 1, sizeof *client);
  if (!client)
    return NULL;
  client->allocator = allocator;
  client->poll = (fetch_poll){.allocator = allocator, .act = act, .user = client};
  client->allow.everywhere = allow_list == NULL;
  if (!allow_list || fetch_allow_open(allocator, allow_list, &client->allow))
    return client;
  mem_free(allocator, client);
  return NULL;
}

void fetch_client_close(fetch_client *client) {
  if (!client)
    return;
  fetch_poll_close(&client->poll);
  fetch_resolver_close(client->resolver);
  fetch_allow_close(client->allocator, &client->allow);
  mem_free(client->allocator, client);
}

/* ---- one request of a transfer ---- */

static bool fail_memory(api_error *error) {
  return api_error_set(error, "ApiError", "NO_MEMORY", true, "the host is out of memory");
}

static bool fail(fetch_transfer *transfer, const char *code, bool transient, const char *what) {
  const fetch_url *url = &transfer->request.url;
  return api_error_set(&transfer->error, "TypeError", code, transient, "fetch: %s:%u %s",
                       url->host.name, url->port, what);
}

/* libcurl's: a socket for this address. It is the only way to one. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to) {
  fetch_transfer *transfer = user;
  fetch_address address;
  if (purpose != CURLSOCKTYPE_IPCXN || !fetch_address_of(&to->addr, to->addrlen, &address))
    return CURL_SOCKET_BAD;
  if (!fetch_address_public(&address) &&
      !fetch_allow_address(&transfer->client->allow, &address, transfer->request.url.port)) {
    transfer->refused = true;
    transfer->refused_address = address;
    return CURL_SOCKET_BAD;
  }
  return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

/* libcurl's: a request is about to be sent, again when a kept connection has ended
 * without an answer. */
static int before_request(void *user, char *address, char *own_address, int port, int own_port) {
  (void)address, (void)own_address, (void)port, (void)own_port;
  fetch_transfer *transfer = user;
  long sent = 0;
  transfer->client->poll.curl->easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
  transfer->resent = sent > 0 && !fetch_request_idempotent(&transfer->request);
  return transfer->resent ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user) {
  fetch_transfer *transfer = user;
  return fetch_response_line(&transfer->response, bytes, size * count) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
  fetch_transfer *transfer = user;
  fetch_response *response = &transfer->response;
  size_t len = size * count; /* size is 1 */
  if (len <= FETCH_BODY_BYTES_MAX &&
      !host_call_hold(transfer->call, (response->body_len + len) * BODY_COPIES)) {
    response->failed = "NO_ROOM";
    return 0;
  }
  return len == 0 || fetch_response_body(response, bytes, len) ? len : 0;
}

static bool add_line(fetch_transfer *transfer, const char *line) {
  struct curl_slist *longer = transfer->client->poll.curl->slist_append(transfer->lines, line);
  if (longer)
    transfer->lines = longer;
  return longer != NULL;
}

/* A name with an empty value takes away what libcurl would send by itself. */
static bool make_lines(fetch_transfer *transfer) {
  static const char *const unless_given[][2] = {{"user-agent", "user-agent: vow"},
                                                {"content-type", "content-type:"}};
  const fetch_request *request = &transfer->request;
  transfer->client->poll.curl->slist_free_all(transfer->lines);
  transfer->lines = NULL;
  bool ok = add_line(transfer, "expect:");
  for (size_t i = 0; ok && i < 2; i++)
    if (!fetch_request_has(request, unless_given[i][0]))
      ok = add_line(transfer, unless_given[i][1]);
  for (size_t i = 0; ok && i < request->headers_count; i++)
    ok = add_line(transfer, request->headers[i].line);
  return ok;
}

#define SET(option, value) (curl->easy_setopt(easy, option, value) == CURLE_OK)

/* libcurl's, for a new TLS context: SSLKEYLOGFILE of the environment writes no keys. */
static CURLcode log_no_keys(CURL *easy, void *context, void *user) {
  (void)easy;
  const fetch_curl *curl = user;
  curl->set_keylog(context, NULL);
  return CURLE_OK;
}

static bool set_tls(const fetch_curl *curl, CURL *easy) {
  return !curl->set_keylog || (SET(CURLOPT_SSL_CTX_FUNCTION, log_no_keys) &&
                               SET(CURLOPT_SSL_CTX_DATA, (void *)(uintptr_t)curl));
}

/* Nothing of the environment or of the user's files; nothing but HTTP. */
static bool set_isolation(const fetch_curl *curl, CURL *easy) {
  return set_tls(curl, easy) && SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOPROXY, "*") &&
         SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) && SET(CURLOPT_NOSIGNAL, 1L) &&
         SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
         SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_PATH_AS_IS, 1L) &&
         /* Names have been looked up. Should it ask once more, an abort does not wait. */
         SET(CURLOPT_QUICK_EXIT, 1L);
}

static bool set_callbacks(fetch_transfer *transfer, const fetch_curl *curl, CURL *easy) {
  return SET(CURLOPT_PRIVATE, transfer) && SET(CURLOPT_ERRORBUFFER, transfer->reason) &&
         SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) && SET(CURLOPT_OPENSOCKETDATA, transfer) &&
         SET(CURLOPT_PREREQFUNCTION, before_request) && SET(CURLOPT_PREREQDATA, transfer) &&
         SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, transfer) &&
         SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, transfer);
}

/* POST and PUT say that they have no body by its length, others not at all. */
static bool set_request(const fetch_request *request, const fetch_curl *curl, CURL *easy) {
  bool sends = request->has_body || strcmp(request->method, "POST") == 0 ||
               strcmp(request->method, "PUT") == 0;
  bool ok = SET(CURLOPT_URL, request->url.href) && SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate") &&
            SET(CURLOPT_FORBID_REUSE, (long)fetch_request_binds_connection(request));
  if (strcmp(request->method, "HEAD") == 0)
    return ok && SET(CURLOPT_NOBODY, 1L);
  if (sends)
    ok = ok && SET(CURLOPT_POST, 1L) &&
         SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len) &&
         SET(CURLOPT_POSTFIELDS, request->body_len ? (const char *)request->body : "");
  else
    ok = ok && SET(CURLOPT_HTTPGET, 1L);
  return ok && SET(CURLOPT_CUSTOMREQUEST, request->method);
}

/* Adds the address of that number among those of its family. */
static bool add_address(const char *addresses, bool v6, unsigned number, char *entry, size_t size) {
  size_t len, used = strlen(entry);
  for (const char *at = addresses; *at; at += len + (at[len] == ',')) {
    len = strcspn(at, ",");
    if ((*at == '[') != v6 || number-- > 0)
      continue;
    snprintf(entry + used, size - used, "%s%.*s", entry[used - 1] == ':' ? "" : ",", (int)len, at);
    return true;
  }
  return false;
}

/* What libcurl is to take for the answer to a lookup of the host (`+`: not for ever):
 * one address of each family at a time. Of more, libcurl 7.88 forgets to try the next
 * one when one has failed. False: there are none left, or memory is short. */
static bool make_names(fetch_transfer *transfer) {
  const fetch_curl *curl = transfer->client->poll.curl;
  const fetch_url *url = &transfer->request.url;
  char entry[FETCH_HOST_MAX + 16 + 2 * FETCH_ADDRESS_TEXT];
  curl->slist_free_all(transfer->names);
  transfer->names = NULL;
  if (!transfer->addresses[0])
    return transfer->round == 0;
  snprintf(entry, sizeof entry, "+%s:%u:", url->host.name, url->port);
  bool v6 = add_address(transfer->addresses, true, transfer->round, entry, sizeof entry);
  bool v4 = add_address(transfer->addresses, false, transfer->round, entry, sizeof entry);
  if (v6 || v4)
    transfer->names = curl->slist_append(NULL, entry);
  return transfer->names != NULL;
}

static bool hand_over(fetch_transfer *transfer) {
  const fetch_curl *curl = transfer->client->poll.curl;
  CURL *easy = transfer->easy;
  if (!make_names(transfer))
    return false;
  curl->easy_reset(easy);
  return make_lines(transfer) && set_isolation(curl, easy) && set_callbacks(transfer, curl, easy) &&
         set_request(&transfer->request, curl, easy) && SET(CURLOPT_HTTPHEADER, transfer->lines) &&
         SET(CURLOPT_RESOLVE, transfer->names) &&
         curl->multi_add_handle(transfer->client->poll.multi, easy) == CURLM_OK;
}

/* `addresses` of the host; "": it is one itself. */
static bool send_to(fetch_transfer *transfer, const char *addresses) {
  snprintf(transfer->addresses, sizeof transfer->addresses, "%s", addresses);
  transfer->round = 0;
  return hand_over(transfer) || fail_memory(&transfer->error);
}

/* After no connection came about. */
static bool send_to_next(fetch_transfer *transfer) {
  transfer->round++;
  return hand_over(transfer);
}

static bool fail_lookup(fetch_transfer *transfer, fetch_lookup_status status) {
  if (status == FETCH_LOOKUP_NO_MEMORY)
    return fail_memory(&transfer->error);
  if (status == FETCH_LOOKUP_NO_THREAD)
    return api_error_set(&transfer->error, "ApiError", "NO_THREAD", true,
                         "fetch: no thread can be started to look up a name");
  return fail(transfer, "DNS", true, "cannot be found: its name does not resolve");
}

static bool send_to_name(fetch_transfer *transfer) {
  fetch_client *client = transfer->client;
  const char *addresses;
  if (!client->resolver && !(client->resolver = fetch_resolver_open(on_lookup, client)))
    return fail_memory(&transfer->error);
  fetch_lookup_status status =
      fetch_resolver_ask(client->resolver, client->poll.loop, transfer->request.url.host.name,
                         &transfer->waiter, &addresses);
  if (status == FETCH_LOOKUP_WAIT)
    return true;
  return status == FETCH_LOOKUP_FOUND ? send_to(transfer, addresses)
                                      : fail_lookup(transfer, status);
}

/* Sends the request as it is now, once the address is known. */
static bool begin(fetch_transfer *transfer) {
  if (!fetch_request_allowed(&transfer->request, &transfer->client->allow, &transfer->error))
    return false;
  fetch_response_reset(&transfer->response);
  host_call_hold(transfer->call, 0);
  transfer->refused = transfer->resent = false;
  transfer->reason[0] = 0;
  return transfer->request.url.host.is_address ? send_to(transfer, "") : send_to_name(transfer);
}

/* ---- what became of it ---- */

/* What this side did not want to go on with. */
static bool fail_refused(fetch_transfer *transfer, const char *code) {
  static const struct {
    const char *code, *what;
  } reasons[] = {{"BODY_TOO_LARGE", "answered with a body of more than 8 MiB"},
                 {"NO_ROOM", "answered with a body that does not fit into the run's memory"},
                 {"HEADERS_TOO_LARGE", "answered with headers of more than 64 KiB"},
                 {"CONTENT_ENCODING", "answered with a body that cannot be decoded"},
                 {"BAD_RESPONSE", "answered with something that is not HTTP"}};
  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
    if (strcmp(code, reasons[i].code) == 0)
      return fail(transfer, code, false, reasons[i].what);
  return fail_memory(&transfer->error);
}

static bool fail_connect(fetch_transfer *transfer) {
  long number = 0;
  char what[FETCH_ADDRESS_TEXT + 160], text[FETCH_ADDRESS_TEXT];
  if (transfer->refused) {
    fetch_address_text(&transfer->refused_address, text);
    snprintf(what, sizeof what,
             "is at the address %s, which is not public; it has to be on the allow-list itself",
             text);
    return fail(transfer, "ADDRESS_BLOCKED", false, what);
  }
  transfer->client->poll.curl->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
  if (number == ECONNREFUSED)
    return fail(transfer, "CONNECTION_REFUSED", true, "refused the connection");
  snprintf(what, sizeof what, "cannot be connected to: %.100s",
           number ? strerror((int)number) : "no address answers");
  return fail(transfer, "CONNECT", true, what);
}

static bool fail_curl(fetch_transfer *transfer, CURLcode code) {
  static const struct {
    CURLcode from;
    const char *code;
    bool transient;
    const char *what;
  } reasons[] = {
      {CURLE_COULDNT_RESOLVE_HOST, "DNS", true, "cannot be found: its name does not resolve"},
      {CURLE_OPERATION_TIMEDOUT, "CONNECT_TIMEOUT", true, "took too long to connect to"},
      {CURLE_PEER_FAILED_VERIFICATION, "TLS", false, "has a certificate that is not trusted"},
      {CURLE_SSL_CONNECT_ERROR, "TLS", false, "failed to agree on a TLS connection"},
      {CURLE_GOT_NOTHING, "CONNECTION_CLOSED", true, "closed the connection without an answer"},
      {CURLE_RECV_ERROR, "CONNECTION_CLOSED", true, "broke the connection off"},
      {CURLE_SEND_ERROR, "CONNECTION_CLOSED", true, "broke the connection off"},
      {CURLE_PARTIAL_FILE, "TRUNCATED", true, "closed the connection before the end of its answer"},
      {CURLE_BAD_CONTENT_ENCODING, "CONTENT_ENCODING", false,
       "answered with a body that cannot be decoded"},
      {CURLE_WEIRD_SERVER_REPLY, "BAD_RESPONSE", false, "answered with something that is not HTTP"},
      {CURLE_UNSUPPORTED_PROTOCOL, "BAD_RESPONSE", false,
       "answered with something that is not HTTP"},
  };
  /* How this version of libcurl refuses a line beyond its own limit. */
  if (code == CURLE_OUT_OF_MEMORY && transfer->response.in_headers)
    return fail_refused(transfer, "HEADERS_TOO_LARGE");
  if (code == CURLE_OUT_OF_MEMORY)
    return fail_memory(&transfer->error);
  if (code == CURLE_COULDNT_CONNECT)
    return fail_connect(transfer);
  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
    if (code == reasons[i].from)
      return fail(transfer, reasons[i].code, reasons[i].transient, reasons[i].what);
  char what[CURL_ERROR_SIZE + 32];
  for (char *at = transfer->reason; *at; at++)
    if ((unsigned char)*at >= 0x7f) /* the server's bytes may be no UTF-8 */
      *at = '?';
  snprintf(what, sizeof what, "failed: %s",
           api_quoted(transfer->reason, strlen(transfer->reason)).text);
  return fail(transfer, "NETWORK", false, what);
}

/* True when another request of the transfer is on its way. */
static bool follow(fetch_transfer *transfer) {
  fetch_response *response = &transfer->response;
  fetch_request *request = &transfer->request;
  const char *location = fetch_response_header(response, "location");
  transfer->fulfilled = true;
  if (!fetch_response_is_redirect(response) || request->redirect == FETCH_MANUAL ||
      (!location && request->redirect == FETCH_FOLLOW))
    return false;
  transfer->fulfilled = false;
  if (request->redirect == FETCH_ERROR)
    return fail(transfer, "REDIRECT", false, "answered with a redirect, which was asked to fail");
  if (transfer->redirects == FETCH_REDIRECTS_MAX)
    return fail(transfer, "TOO_MANY_REDIRECTS", false, "is the end of 20 redirects, and one more");
  transfer->redirects++;
  return fetch_request_follow(request, response->status, location, strlen(location),
                              &transfer->error) &&
         begin(transfer);
}

/* One request has ended; true when another follows. */
static bool go_on(fetch_transfer *transfer, CURLcode code) {
  if (transfer->response.failed)
    return fail_refused(transfer, transfer->response.failed);
  if (transfer->resent)
    return fail_curl(transfer, CURLE_RECV_ERROR);
  if (code == CURLE_COULDNT_CONNECT && send_to_next(transfer))
    return true;
  if (code != CURLE_OK)
    return fail_curl(transfer, code);
  if (transfer->response.status < 200)
    return fail_refused(transfer, "BAD_RESPONSE");
  if (transfer->response.in_headers) /* which libcurl takes for an end as good as any */
    return fail_curl(transfer, CURLE_PARTIAL_FILE);
  return follow(transfer);
}

/* ---- answering ---- */

static void free_transfer(fetch_transfer *transfer) {
  const fetch_client *client = transfer->client;
  if (client->poll.curl) {
    client->poll.curl->easy_cleanup(transfer->easy);
    client->poll.curl->slist_free_all(transfer->lines);
    client->poll.curl->slist_free_all(transfer->names);
  }
  fetch_request_free(&transfer->request);
  fetch_response_free(&transfer->response);
  mem_free(client->allocator, transfer);
}

static void reject(host_call *call, const api_error *error) {
  const host_error told = {error->name, error->code, error->message, error->transient};
  host_call_reject(call, &told);
}

/* The last look at the transfer, and maybe at the client: answering may end the
 * run and all it uses. */
static void answer(fetch_transfer *transfer) {
  host_call *call = transfer->call;
  const size_t slack = 8 * FETCH_RESPONSE_HEADER_BYTES_MAX + 4 * FETCH_URL_BYTES_MAX;
  cbor_out result;
  api_error error = transfer->error;
  bool fulfilled = transfer->fulfilled;
  cbor_out_init(&result, transfer->client->allocator, FETCH_BODY_BYTES_MAX + slack);
  if (fulfilled) {
    fetch_response_put(&transfer->response, transfer->request.url.href, transfer->redirects > 0,
                       &result);
    fulfilled = result.status == CBOR_OK;
    if (!fulfilled)
      fail_memory(&error);
  }
  free_transfer(transfer);
  if (fulfilled)
    host_call_fulfil(call, result.data, result.len);
  else
    reject(call, &error);
  cbor_out_free(&result);
}

/* Takes the transfer out of the client; it is neither sent nor received for any
 * more. */
static void take_out(fetch_transfer *transfer) {
  fetch_client *client = transfer->client;
  fetch_resolver_leave(client->resolver, &transfer->waiter);
  if (transfer->previous)
    transfer->previous->next = transfer->next;
  else
    client->transfers = transfer->next;
  if (transfer->next)
    transfer->next->previous = transfer->previous;
  transfer->next = transfer->previous = NULL;
  transfer->finished = true;
  if (!client->transfers)
    fetch_poll_leave(&client->poll);
}

/* Once libcurl is in disorder (for want of memory or a descriptor in one of its
 * callbacks) it serves nobody any more: everything fails, and the next call gets
 * a new one. */
static fetch_transfer *take_out_all(fetch_client *client) {
  fetch_transfer *all = NULL;
  while (client->transfers) {
    fetch_transfer *transfer = client->transfers;
    client->poll.curl->multi_remove_handle(client->poll.multi, transfer->easy);
    take_out(transfer);
    api_error_set(&transfer->error, "ApiError", "NO_RESOURCES", true,
                  "fetch: the host has no memory or no descriptor left for a connection");
    transfer->fulfilled = false;
    transfer->next = all;
    all = transfer;
  }
  fetch_poll_close(&client->poll);
  return all;
}

/* The transfers that have ended, out of the client, in their order. */
static fetch_transfer *take_ended(fetch_client *client) {
  fetch_transfer *first = NULL, **last = &first;
  CURLMsg *message;
  int left;
  while ((message = client->poll.curl->multi_info_read(client->poll.multi, &left))) {
    char *user = NULL;
    CURLcode code = message->data.result;
    CURL *easy = message->easy_handle;
    client->poll.curl->easy_getinfo(easy, CURLINFO_PRIVATE, &user);
    fetch_transfer *transfer = (fetch_transfer *)(void *)user;
    client->poll.curl->multi_remove_handle(client->poll.multi, easy);
    if (go_on(transfer, code))
      continue;
    take_out(transfer);
    *last = transfer;
    last = &transfer->next;
  }
  return first;
}

/* Linked by `next`. */
static void answer_all(fetch_transfer *ended) {
  while (ended) {
    fetch_transfer *transfer = ended;
    ended = transfer->next;
    answer(transfer);
  }
}

/* fetch_poll's. */
static void act(void *user, curl_socket_t fd, int events) {
  fetch_client *client = user;
  int running;
  CURLMcode code = client->poll.curl->multi_socket_action(client->poll.multi, fd, events, &running);
  answer_all(code == CURLM_OK ? take_ended(client) : take_out_all(client));
}

/* The resolver's. */
static void on_lookup(void *user, fetch_waiter *waiters, fetch_lookup_status status,
                      const char *addresses) {
  fetch_transfer *ended = NULL;
  (void)user;
  for (fetch_waiter *waiter = waiters, *next; waiter; waiter = next) {
    fetch_transfer *transfer =
        (fetch_transfer *)(void *)((char *)waiter - offsetof(fetch_transfer, waiter));
    next = waiter->next;
    if (status == FETCH_LOOKUP_FOUND ? send_to(transfer, addresses) : fail_lookup(transfer, status))
      continue;
    take_out(transfer);
    transfer->next = ended;
    ended = transfer;
  }
  answer_all(ended);
}

/* ---- the handler ---- */

static bool prepare(fetch_client *client, host_call *call, api_error *error) {
  const char *why;
  bool passing;
  if (!client->poll.curl && !(client->poll.curl = fetch_curl_get(&why, &passing)))
    return api_error_set(error, "ApiError", passing ? "NO_DESCRIPTOR" : "NO_LIBCURL", passing,
                         "fetch: %s", why);
  if (!fetch_poll_open(&client->poll) ||
      !fetch_poll_join(&client->poll, shard_loop(host_call_shard(call))))
    return fail_memory(error);
  return true;
}

static void link_in(fetch_client *client, fetch_transfer *transfer) {
  transfer->next = client->transfers;
  if (client->transfers)
    client->transfers->previous = transfer;
  client->transfers = transfer;
}

void fetch_start(host_call *call, void *user) {
  fetch_client *client = user;
  size_t len;
  cbor_in arguments;
  api_error error;
  const uint8_t *bytes = host_call_arguments(call, &len);
  cbor_in_init(&arguments, bytes, len);
  fetch_transfer *transfer = mem_new(client->allocator, 1, sizeof *transfer);
  if (!transfer) {
    fail_memory(&error);
    reject(call, &error);
    return;
  }
  transfer->client = client;
  transfer->call = call;
  fetch_response_init(&transfer->response, client->allocator);
  bool ok = fetch_request_read(client->allocator, arguments, &transfer->request, &transfer->error);
  if (ok)
    host_call_set_detail(call, transfer->request.url.host.name);
  /* What is not allowed costs no library and no look-up. */
  ok = ok && fetch_request_allowed(&transfer->request, &client->allow, &transfer->error) &&
       prepare(client, call, &transfer->error);
  link_in(client, transfer);
  if (ok && !(transfer->easy = client->poll.curl->easy_init()))
    ok = fail_memory(&transfer->error);
  host_call_set_data(call, transfer);
  if (ok && begin(transfer))
    return;
  take_out(transfer);
  answer(transfer);
}

void fetch_stop(host_call *call, void *user) {
  fetch_client *client = user;
  fetch_transfer *transfer = host_call_data(call);
  if (transfer->finished)
    return;
  client->poll.curl->multi_remove_handle(client->poll.multi, transfer->easy);
  take_out(transfer);
  transfer->fulfilled = false;
  api_error_set(&transfer->error, "AbortError", "CANCELLED", false, "fetch was cancelled");
  answer(transfer);
}
