#include "api/host.h"

#include <string.h>

#include "api/fetch.h"
#include "api/fetch_allow.h"
#include "guest/wire.h"
#include "sandbox/shard.h"

/* What one operation may answer with. */
#define RESULT_BYTES_MAX (16u << 20)

typedef struct api_entry {
  const api_kind *kind;
  api_host *host;
} api_entry;

struct api_host {
  const vow_allocator *allocator;
  db *store;
  char *vault;
  pool *pool;
  fetch_client *fetch; /* NULL: not opened */
  host_kind *kinds;
  api_entry *entries;
  size_t count;
};

/* One operation on its way through the pool. Between submit and done the worker
 * owns everything but `stop`, which only the loop thread sets. */
typedef struct api_work {
  pool_work work;
  const api_entry *entry;
  host_call *call;
  atomic_bool stop;
  bool fulfilled;
  cbor_out result;
  api_error error;
} api_work;

static void run_work(pool_work *base) {
  api_work *work = (api_work *)base;
  size_t len;
  api_call call = {.db = work->entry->host->store,
                   .vault = work->entry->host->vault,
                   .stop = &work->stop,
                   .result = &work->result,
                   .error = &work->error};
  const uint8_t *arguments = host_call_arguments(work->call, &len);
  cbor_in_init(&call.args, arguments, len);
  work->fulfilled = work->entry->kind->handler(&call) && work->result.status == CBOR_OK;
}

static void answer(api_work *work) {
  if (work->fulfilled) {
    host_call_fulfil(work->call, work->result.data, work->result.len);
    return;
  }
  bool named = work->error.name[0] != 0;
  host_error error = {named ? work->error.name : "ApiError",
                      work->error.code[0] ? work->error.code : NULL,
                      named ? work->error.message : "the operation failed", work->error.transient};
  host_call_reject(work->call, &error);
}

static void work_done(pool_work *base) {
  api_work *work = (api_work *)base;
  const vow_allocator *allocator = work->entry->host->allocator;
  answer(work); /* may end the run, and with it the host */
  cbor_out_free(&work->result);
  mem_free(allocator, work);
}

static void start(host_call *call, void *user) {
  static const host_error busy = {"ApiError", "NO_THREAD", "no worker thread can be started", true};
  const api_entry *entry = user;
  api_work *work = mem_new(entry->host->allocator, 1, sizeof *work);
  if (!work) {
    const host_error error = {"ApiError", "NO_MEMORY", "the host is out of memory", true};
    host_call_reject(call, &error);
    return;
  }
  work->work.run = run_work;
  work->work.done = work_done;
  work->entry = entry;
  work->call = call;
  cbor_out_init(&work->result, entry->host->allocator, RESULT_BYTES_MAX);
  host_call_set_data(call, work);
  if (!pool_submit(entry->host->pool, shard_loop(host_call_shard(call)), &work->work)) {
    mem_free(entry->host->allocator, work);
    host_call_reject(call, &busy);
  }
}

static void stop(host_call *call, void *user) {
  (void)user;
  api_work *work = host_call_data(call);
  atomic_store(&work->stop, true);
}

static void fill(api_host *host, const bool *allowed) {
  size_t all;
  const api_kind *kinds = api_kinds(&all);
  for (size_t i = 0; i < all; i++) {
    if (!allowed[i] || !kinds[i].handler)
      continue;
    host->entries[host->count] = (api_entry){&kinds[i], host};
    host->kinds[host->count] = (host_kind){.name = kinds[i].name,
                                           .arguments = kinds[i].arguments,
                                           .options_last = kinds[i].options_last,
                                           .start = start,
                                           .stop = stop,
                                           .user = &host->entries[host->count]};
    host->count++;
  }
}

api_host *api_host_open(const vow_allocator *allocator, const bool *allowed, db *store,
                        const char *vault, pool *pool) {
  size_t all;
  api_kinds(&all);
  api_host *host = mem_new(allocator, 1, sizeof *host);
  if (!host)
    return NULL;
  host->allocator = allocator;
  host->store = store;
  host->pool = pool;
  host->vault = mem_text(allocator, vault, strlen(vault));
  host->kinds = mem_new(allocator, all, sizeof *host->kinds);
  host->entries = mem_new(allocator, all, sizeof *host->entries);
  if (!host->vault || !host->kinds || !host->entries) {
    api_host_close(host);
    return NULL;
  }
  fill(host, allowed);
  return host;
}

bool api_host_open_fetch(api_host *host, const char *allow_list) {
  size_t all;
  const api_kind *kind = api_kinds(&all);
  if (!allow_list || !fetch_allow_names(allow_list))
    return true;
  while (kind->handler)
    kind++;
  host->fetch = fetch_client_open(host->allocator, allow_list);
  if (!host->fetch)
    return false;
  host->kinds[host->count++] = (host_kind){.name = kind->name,
                                           .arguments = kind->arguments,
                                           .options_last = kind->options_last,
                                           .start = fetch_start,
                                           .stop = fetch_stop,
                                           .user = host->fetch};
  return true;
}

void api_host_close(api_host *host) {
  if (!host)
    return;
  fetch_client_close(host->fetch);
  mem_free(host->allocator, host->vault);
  mem_free(host->allocator, host->kinds);
  mem_free(host->allocator, host->entries);
  mem_free(host->allocator, host);
}

const host_kind *api_host_kinds(const api_host *host, size_t *count) {
  *count = host->count;
  return host->kinds;
}
