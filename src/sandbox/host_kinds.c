/* The policies of host operations, as the operation table takes them. */
#include <assert.h>

#include "sandbox/run_int.h"

static op_policy policy_of(const host_policy *policy) {
  return (op_policy){.timeout_ns = run_ns(policy->timeout_ms),
                     .concurrent_max = policy->concurrent_max,
                     .queue_max = policy->queue_max,
                     .priority = policy->priority,
                     .attempts = policy->attempts,
                     .backoff_ns = run_ns(policy->backoff_ms),
                     .backoff_max_ns = run_ns(policy->backoff_max_ms),
                     .cache_ns = run_ns(policy->cache_ms),
                     .cache_error_ns = run_ns(policy->cache_error_ms),
                     .cache_bytes = policy->cache_bytes,
                     .single_flight = policy->single_flight,
                     .batch_max = policy->batch_max,
                     .batch_window_ns = run_ns(policy->batch_window_ms)};
}

const char *host_policy_fault(const host_policy *policy) {
  if (policy->attempts > 1 && !policy->idempotent)
    return "attempts: only an operation that is `idempotent` can be tried again";
  return NULL;
}

bool host_kinds_open(shard *shard, host_kind *kinds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    assert(!host_policy_fault(&kinds[i].policy));
    const op_policy policy = policy_of(&kinds[i].policy);
    kinds[i].state =
        op_kind_open(shard_operations(shard), kinds[i].name, &policy, shard_random(shard));
    if (kinds[i].state)
      continue;
    host_kinds_close(kinds, i);
    return false;
  }
  return true;
}

void host_kinds_close(host_kind *kinds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    op_kind_close(kinds[i].state);
    kinds[i].state = NULL;
  }
}
