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

/* The handler runs and its operation is live. */
static op_status retry_at(op_rec *rec, uint64_t at, uint64_t now) {
  op_scope *scope = rec->scope;
  uint64_t took = op_time_since(rec->attempt_ns, now);
  if (rec->attempts == OP_ATTEMPTS_MAX || op_time_add(at, took) >= rec->deadline_ns)
    return OP_E_SPENT;
  if (scope->limits.retries_max && scope->counts.retries >= scope->limits.retries_max)
    return OP_E_SPENT;
  op_end_handler(rec);
  rec->run = RUN_DELAYED;
  rec->state = OP_PENDING;
  rec->attempt_ns = took;
  op_rec_set_due(rec, at);
  scope->counts.retries++;
  scope->table->counts.retries++;
  op_dispatch(scope);
  return OP_OK;
}

static op_status find_running(const op_table *table, op_id id, op_rec **rec) {
  *rec = op_rec_find(table, id, REC_OPERATION);
  if (!*rec)
    return OP_E_GONE;
  return (*rec)->run == RUN_ACTIVE && op_is_live(*rec) ? OP_OK : OP_E_STATE;
}

op_status op_retry(op_table *table, op_id id, uint64_t now, uint64_t random) {
  op_rec *rec;
  now = op_time_seen(table, now);
  op_status status = find_running(table, id, &rec);
  if (status != OP_OK)
    return status;
  const op_policy *policy = rec->of ? &rec->of->policy : NULL;
  if (!policy || rec->attempts >= policy->attempts)
    return OP_E_SPENT;
  return retry_at(rec, op_time_add(now, jitter(backoff(policy, rec->attempts), random)), now);
}

op_status op_retry_after(op_table *table, op_id id, uint64_t now, uint64_t delay_ns) {
  op_rec *rec;
  now = op_time_seen(table, now);
  op_status status = find_running(table, id, &rec);
  return status == OP_OK ? retry_at(rec, op_time_add(now, delay_ns), now) : status;
}

void op_retry_now(op_rec *rec) {
  op_rec_set_due(rec, op_latest_start(rec));
  rec->run = RUN_NONE;
  op_admit_again(rec);
}
