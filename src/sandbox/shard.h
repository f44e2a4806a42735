/* One shard: a loop thread with its operation table, its engine and its runs.
 * Everything here is called on that thread, unless it says otherwise. */
#ifndef VOW_SANDBOX_SHARD_H
#define VOW_SANDBOX_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/op.h"
#include "engine/engine.h"
#include "loop/loop.h"

typedef struct shard shard;

/* An operation, a timer or a handler that outlived its run. */
typedef struct run_leak {
  uint64_t number;  /* in its run */
  const char *name; /* "notes.get", "timer" */
  uint64_t age_ns;
  const char *site;      /* lines of a trace: where script created it; NULL: not noted */
  const char *host_site; /* where the program has it: host_kind.where; NULL: not known */
  bool timer;
} run_leak;

#define SHARD_QUEUE_MAX 1000000u

typedef struct shard_options {
  const vow_allocator *allocator; /* NULL: the C library's */
  engine_kind engine;
  uint32_t live_max;       /* operations and timers of all runs together; 0 = 2^24 */
  uint32_t concurrent_max; /* handlers of all runs together; 0 = unlimited */
  uint32_t queue_max;      /* operations of all runs that wait; 0 = SHARD_QUEUE_MAX */
  /* shard_close() has waited for 100 ms for a handler that was asked to stop with its
   * run, and goes on waiting. May be NULL; must not call the shard. */
  void (*on_leak)(void *user, const run_leak *leak);
  void *user;
  const char *guest_folder; /* where the compiled guest is; NULL: found */
} shard_options;

/* NULL with a one-line message. */
shard *shard_open(const shard_options *options, char *message, size_t message_size);
/* Makes what the next run_open() needs of address space, so that it is had before
 * anything else is done for that run. False when it cannot be had. */
bool shard_prepare(shard *shard);
/* Every run must be disposed. Waits for handlers that have not ended. NULL is fine. */
void shard_close(shard *shard);

loop *shard_loop(shard *shard);
engine *shard_engine(shard *shard);
op_table *shard_operations(shard *shard);

/* Waits for and handles one round of events (I/O, deadlines, slices of guests). */
void shard_turn(shard *shard);
/* Takes turns until every handler has ended. Their runs have: what is waited for is
 * that they stop. */
void shard_drain(shard *shard);
/* Handlers that have started and not ended. */
size_t shard_handlers(const shard *shard);

#endif
