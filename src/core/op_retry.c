/* Another attempt after a delay. The operation leaves its places and waits in
 * the heap, its real deadline kept beside; then it is on its way again like a
 * new one, and the heap has the time from which on it is too late to begin. */
#include "core/op_int.h"

/* Up to the backoff of the attempt that follows `attempts` of them: the doubling
 * stops where it would not fit. */
static uint64_t backoff(const op_policy *policy, uint32_t attempts) {
  uint64_t most = policy->backoff_max_ns ? policy->backoff_max_ns : OP_NEVER;
  uint64_t ns = policy->backoff_ns;
  for (uint32_t i = 1; i < attempts && ns && ns < most; i++)
    ns = ns > OP_NEVER / 2 ? OP_NEVER : ns * 2;
  return ns < most ? ns : most;
}

/* Full jitter: clients that failed together do not come back together. */
static uint64_t jitter(uint64_t most, uint64_t random) {
  return most == UINT64_MAX ? random : random % (most + 1);
}

/* When the next attempt begins; OP_NEVER: there is none. */
static uint64_t next_attempt(const op_rec *rec, uint64_t now, uint64_t random) {
  const op_scope *scope = rec->scope;
  if (!rec->of || rec->attempts >= rec->of->policy.attempts)
    return OP_NEVER;
  if (scope->limits.retries_max && scope->counts.retries >= scope->limits.retries_max)
    return OP_NEVER;
  uint64_t at = op_time_add(now, jitter(backoff(&rec->of->policy, rec->attempts), random));
  uint64_t end = op_time_add(at, op_time_since(rec->attempt_ns, now));
  return end < rec->deadline_ns ? at : OP_NEVER;
}

op_status op_retry(op_table *table, op_id id, uint64_t now, uint64_t random) {
  now = op_time_seen(table, now);
  op_rec *rec = op_rec_find(table, id, REC_OPERATION);
  if (!rec)
    return OP_E_GONE;
  if (rec->run != RUN_ACTIVE || !op_is_live(rec))
    return OP_E_STATE;
  uint64_t at = next_attempt(rec, now, random);
  if (at == OP_NEVER)
    return OP_E_SPENT;
  op_end_handler(rec);
  rec->run = RUN_DELAYED;
  rec->state = OP_PENDING;
  rec->attempt_ns = op_time_since(rec->attempt_ns, now);
  op_rec_set_due(rec, at);
  rec->scope->counts.retries++;
  table->counts.retries++;
  op_dispatch(rec->scope);
  return OP_OK;
}

void op_retry_now(op_rec *rec) {
  op_rec_set_due(rec, op_latest_start(rec));
  rec->run = RUN_NONE;
  op_admit_again(rec);
}
