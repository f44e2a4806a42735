/* The operation `fetch`: HTTP and HTTPS by libcurl, on the loop of a shard.
 *
 * One client serves the runs of one shard, on its thread, with one pool of
 * connections. It takes no setting from the environment: no proxies, no .netrc,
 * no cookies, no cached HSTS or Alt-Svc. Where a request may go, the allow-list
 * says (by host and port, before any name is looked up), and where a connection
 * may go, the address filter says, for the very address that is connected to:
 * a name that resolves to something else the next time gains nothing. Redirects
 * are followed here and checked like the first request.
 *
 * The process must ignore SIGPIPE. */
#ifndef VOW_API_FETCH_H
#define VOW_API_FETCH_H

#include "core/mem.h"
#include "sandbox/host.h"

typedef struct fetch_client fetch_client;

/* A client for what `allow_list`, accepted by api_allow(), says of fetch; NULL: it may
 * go everywhere, private addresses too, which is for trusted code. Nothing is loaded
 * before the first call. NULL when memory is short. */
fetch_client *fetch_client_open(const vow_allocator *allocator, const char *allow_list);
/* Every handler has ended and the shard is closed; NULL is fine. Closes the connections
 * that are kept, and waits for no name lookup. */
void fetch_client_close(fetch_client *client);

/* Handler of the operation; `user` is the client. */
void fetch_start(host_call *call, void *user);
/* Closes the connection at once and ends the handler. */
void fetch_stop(host_call *call, void *user);

#endif
