/* The API's operations for a run: those that block run on the worker pool. */
#ifndef VOW_API_HOST_H
#define VOW_API_HOST_H

#include "api/api.h"
#include "sandbox/host.h"
#include "task/pool.h"

typedef struct api_host api_host;

/* Operations allowed by `allowed` (one flag per kind of api_kinds), on `store`
 * (may be NULL when none of them needs one) and `vault`; all borrowed until
 * api_host_close(), after every run that uses them is disposed and every handler
 * has ended. NULL when memory is short. */
api_host *api_host_open(const vow_allocator *allocator, const bool *allowed, db *store,
                        const char *vault, pool *pool);
void api_host_close(api_host *host);
/* Adds fetch, if `allow_list` (the one that api_allow() made `allowed` of; NULL:
 * none) names hosts for it. The host then serves runs of one shard. False when
 * memory is short. */
bool api_host_open_fetch(api_host *host, const char *allow_list);
/* Likewise, for trusted code: to every host and address. */
bool api_host_open_fetch_everywhere(api_host *host);
/* Makes the policies of the table hold on the shard, for the runs of this host
 * alone: they share its vault. False when memory is short. */
bool api_host_bind(api_host *host, struct shard *shard);
/* Before shard_close(), when every run is disposed; NULL is allowed. */
void api_host_unbind(api_host *host);
const host_kind *api_host_kinds(const api_host *host, size_t *count);

#endif
