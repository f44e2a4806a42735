#include "api/host.h"

#include <string.h>

#include "api/db.h"
#include "api/fetch.h"
#include "api/fetch_allow.h"
#include "guest/wire.h"
#include "sandbox/shard.h"

/* What one operation may answer with. */
#define RESULT_BYTES_MAX (16u << 20)

/* A write that was queued for so long has waited as long as one that is told that
 * the database is busy: DB_BUSY_MS, but for those that were queued in one turn. */
#define WAITED_NS (UINT64_C(1000000) * (DB_BUSY_MS - 50))

typedef struct api_entry {
  const api_kind *kind;
  api_host *host;
} api_entry;

typedef struct api_work api_work;

struct api_host {
  const vow_allocator *allocator;
  db *store;
  char *vault;
  pool *pool;
  fetch_client *fetch; /* NULL: not opened */
  host_kind *kinds;
  api_entry *entries;
  size_t count;
  /* Writes that wait for their turn, and how many are in the pool; the loop's. While
   * another process holds the lock each in the pool keeps a thread waiting: one
   * thread is left for what reads. */
  api_work *first_write, *last_write;
  uint32_t writing, writing_max;
};

typedef struct api_item {
  api_work *work;
  host_call *call;
  cbor_out result;
  api_error error;
  bool fulfilled;
} api_item;

/* One call on its way through the pool, or several as one. Between submit and done
 * the worker owns everything but `stopped`, the loop's, and `stop`, which only the
 * loop thread sets: when nobody waits for any of the answers any more. */
struct api_work {
  pool_work work;
  const api_entry *entry;
  api_work *next;     /* among writes */
  uint64_t queued_at; /* of a write, by loop_now() */
  atomic_bool stop;
  size_t count, stopped;
  api_item items[];
};

static api_call view_of(api_item *item) {
  api_work *work = item->work;
  size_t len;
  api_call call = {.db = work->entry->host->store,
                   .vault = work->entry->host->vault,
                   .stop = &work->stop,
                   .result = &item->result,
                   .error = &item->error};
  const uint8_t *arguments = host_call_arguments(item->call, &len);
  cbor_in_init(&call.args, arguments, len);
  return call;
}

static void run_batch(api_work *work) {
  api_call calls[API_BATCH_MAX];
  for (size_t i = 0; i < work->count; i++)
    calls[i] = view_of(&work->items[i]);
  work->entry->kind->batch(calls, work->count);
  for (size_t i = 0; i < work->count; i++)
    work->items[i].fulfilled = calls[i].fulfilled && work->items[i].result.status == CBOR_OK;
}

static void run_work(pool_work *base, void *state) {
  (void)state;
  api_work *work = (api_work *)base;
  api_item *item = &work->items[0];
  if (work->count > 1) {
    run_batch(work);
    return;
  }
  api_call call = view_of(item);
  item->fulfilled = work->entry->kind->handler(&call) && item->result.status == CBOR_OK;
}

static void answer(api_item *item) {
  if (item->fulfilled) {
    host_call_fulfil(item->call, item->result.data, item->result.len);
    return;
  }
  bool named = item->error.name[0] != 0;
  host_error error = {named ? item->error.name : "ApiError",
                      item->error.code[0] ? item->error.code : NULL,
                      named ? item->error.message : "the operation failed", item->error.transient};
  host_call_reject(item->call, &error);
}

static void refuse(api_work *work, const host_error *error) {
  for (size_t i = 0; i < work->count; i++) {
    host_call *call = work->items[i].call;
    host_call_set_data(call, NULL);
    host_call_reject(call, error);
  }
  mem_free(work->entry->host->allocator, work);
}

static const host_error no_thread = {"ApiError", "NO_THREAD", "no worker thread can be started",
                                     true};

static bool submit(api_work *work) {
  return pool_submit(work->entry->host->pool, shard_loop(host_call_shard(work->items[0].call)),
                     &work->work) == POOL_OK;
}

/* Lets the next writes begin; `busy`: the one before found no turn. What is called
 * here may queue more and come back. */
static void next_writes(api_host *host, bool busy) {
  static const host_error is_busy = {"ApiError", "SQLITE_BUSY", DB_BUSY_TEXT, true};
  while (host->first_write && host->writing < host->writing_max) {
    api_work *work = host->first_write;
    host->first_write = work->next;
    host->writing++;
    bool waited = busy && loop_now() - work->queued_at >= WAITED_NS;
    if (!waited && submit(work))
      continue;
    refuse(work, waited ? &is_busy : &no_thread);
    host->writing--;
  }
}

static void queue_write(api_host *host, api_work *work) {
  work->queued_at = loop_now();
  if (host->first_write)
    host->last_write->next = work;
  else
    host->first_write = work;
  host->last_write = work;
  next_writes(host, false);
}

static void work_done(pool_work *base) {
  api_work *work = (api_work *)base;
  api_host *host = work->entry->host;
  bool writes = work->entry->kind->writes;
  const api_item *first = &work->items[0];
  bool busy = !first->fulfilled && strcmp(first->error.code, "SQLITE_BUSY") == 0;
  shard *shard = host_call_shard(first->call);
  host_answers_begin(shard);
  for (size_t i = 0; i < work->count; i++) {
    answer(&work->items[i]);
    cbor_out_free(&work->items[i].result);
  }
  mem_free(host->allocator, work);
  if (writes) {
    host->writing--;
    next_writes(host, busy);
  }
  host_answers_end(shard); /* may end runs, and with them the host */
}

static api_work *new_work(const api_entry *entry, host_call **calls, size_t count) {
  const vow_allocator *allocator = entry->host->allocator;
  api_work *work = mem_new(allocator, 1, sizeof *work + count * sizeof(api_item));
  if (!work)
    return NULL;
  work->work.run = run_work;
  work->work.done = work_done;
  work->entry = entry;
  work->count = count;
  for (size_t i = 0; i < count; i++) {
    work->items[i].work = work;
    work->items[i].call = calls[i];
    cbor_out_init(&work->items[i].result, allocator, RESULT_BYTES_MAX);
    host_call_set_data(calls[i], &work->items[i]);
  }
  return work;
}

static void start_batch(host_call **calls, size_t count, void *user) {
  static const host_error no_memory = {"ApiError", "NO_MEMORY", "the host is out of memory", true};
  const api_entry *entry = user;
  api_work *work = new_work(entry, calls, count);
  if (!work) {
    for (size_t i = 0; i < count; i++) {
      host_call_set_data(calls[i], NULL);
      host_call_reject(calls[i], &no_memory);
    }
  } else if (entry->kind->writes) {
    queue_write(entry->host, work);
  } else if (!submit(work)) {
    refuse(work, &no_thread);
  }
}

static void start(host_call *call, void *user) {
  start_batch(&call, 1, user);
}

static void stop(host_call *call, void *user) {
  (void)user;
  api_item *item = host_call_data(call);
  if (item && ++item->work->stopped == item->work->count)
    atomic_store(&item->work->stop, true);
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
                                           .start_batch = kinds[i].batch ? start_batch : NULL,
                                           .policy = kinds[i].policy,
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
  uint32_t threads = pool_counts_of(pool).threads_max;
  host->writing_max = threads > 1 ? threads - 1 : 1;
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

static bool add_fetch(api_host *host, const char *allow_list) {
  size_t all;
  const api_kind *kind = api_kinds(&all);
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

bool api_host_open_fetch(api_host *host, const char *allow_list) {
  return !allow_list || !fetch_allow_names(allow_list) || add_fetch(host, allow_list);
}

bool api_host_open_fetch_everywhere(api_host *host) {
  return add_fetch(host, NULL);
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

bool api_host_bind(api_host *host, shard *shard) {
  return host_kinds_open(shard, host->kinds, host->count);
}

void api_host_unbind(api_host *host) {
  if (!host)
    return;
  /* Nobody waits for the writes that are left, so none takes long; the pool may be
   * closed before the last of them is told of. */
  host->writing_max = UINT32_MAX;
  next_writes(host, false);
  host_kinds_close(host->kinds, host->count);
}

const host_kind *api_host_kinds(const api_host *host, size_t *count) {
  *count = host->count;
  return host->kinds;
}
