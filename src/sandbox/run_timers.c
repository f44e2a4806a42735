/* The live timers of a run, by the guest's id: a table with open addressing, because a
 * program may have very many. Its ids are trusted or its timers few, so that nothing
 * secret has to spread them. */
#include "sandbox/run_int.h"

#define NS_PER_MS UINT64_C(1000000)
#define LONGEST_TIMER_MS 2147483647.0
#define FIRST_ROOM 16u
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

/* ---- the table ---- */

/* The room is a power of two, and a place with no operation is free. */
static uint32_t home_of(const run *run, uint64_t wire_id) {
  return (uint32_t)((wire_id * SPREAD) >> 32) & (run->timer_room - 1);
}

static run_timer *place_for(const run *run, uint64_t wire_id) {
  uint32_t at = home_of(run, wire_id);
  while (run->timers[at].live)
    at = (at + 1) & (run->timer_room - 1);
  return &run->timers[at];
}

/* One more fits, and a place stays free. False when memory is short. */
static bool make_room(run *run) {
  if (run->timer_count + 1 <= run->timer_room / 2)
    return true;
  if (run->timer_room > UINT32_MAX / 4)
    return false;
  uint32_t had = run->timer_room, room = had ? had * 2 : FIRST_ROOM;
  run_timer *old = run->timers, *timers = mem_new(shard_allocator(run->shard), room, sizeof *old);
  if (!timers)
    return false;
  run->timers = timers;
  run->timer_room = room;
  for (uint32_t i = 0; i < had; i++)
    if (old[i].live)
      *place_for(run, old[i].wire_id) = old[i];
  mem_free(shard_allocator(run->shard), old);
  return true;
}

const run_timer *run_timer_find(const run *run, uint64_t wire_id) {
  if (run->timer_count == 0)
    return NULL;
  uint32_t at = home_of(run, wire_id);
  for (; run->timers[at].live; at = (at + 1) & (run->timer_room - 1))
    if (run->timers[at].wire_id == wire_id)
      return &run->timers[at];
  return NULL;
}

/* Those behind that would be further from home than they need move up. */
static void forget(run *run, const run_timer *timer) {
  uint32_t mask = run->timer_room - 1, hole = (uint32_t)(timer - run->timers);
  mem_free(shard_allocator(run->shard), timer->site);
  for (uint32_t at = (hole + 1) & mask; run->timers[at].live; at = (at + 1) & mask) {
    uint32_t home = home_of(run, run->timers[at].wire_id);
    if (((at - home) & mask) < ((at - hole) & mask))
      continue;
    run->timers[hole] = run->timers[at];
    hole = at;
  }
  run->timers[hole] = (run_timer){.live = false};
  run->timer_count--;
}

void run_forget_timers(run *run) {
  for (uint32_t i = 0; i < run->timer_room && run->timer_count > 0; i++)
    if (run->timers[i].live) {
      mem_free(shard_allocator(run->shard), run->timers[i].site);
      run->timers[i] = (run_timer){.live = false};
      run->timer_count--;
    }
}

/* ---- from the guest, and to it ---- */

static void no_timer(run *run, op_status status) {
  if (status == OP_E_NOMEM)
    run_fail_for_memory(run);
  else if (!run->program && op_scope_counts(run->scope).timers >= RUN_TIMERS_MAX)
    run_fail(run, RUN_KIND_OPERATIONS, "more than 1000 timers are pending");
  else
    run_fail_for_places(run);
}

/* The delay, or with `debug` an array of it and the site. */
static bool read_fields(cbor_in *body, double *ms, const char **site, size_t *site_len) {
  cbor_item item;
  uint64_t count;
  *site = NULL;
  if (cbor_peek(body, &item) == CBOR_OK && item.kind == CBOR_ARRAY)
    return cbor_get_array(body, &count) == CBOR_OK && count == 2 &&
           cbor_get_number(body, ms) == CBOR_OK && cbor_get_text(body, site, site_len) == CBOR_OK &&
           *site_len <= WIRE_SITE_MAX;
  return cbor_get_number(body, ms) == CBOR_OK;
}

bool host_timer_read(cbor_in *body, uint64_t *delay_ns, const char **site, size_t *site_len) {
  double ms;
  if (!read_fields(body, &ms, site, site_len) || !(ms >= 0) || ms > LONGEST_TIMER_MS)
    return false;
  *delay_ns = (uint64_t)(ms * (double)NS_PER_MS);
  return true;
}

bool run_timer_start(run *run, uint64_t wire_id, cbor_in *body) {
  uint64_t delay_ns;
  const char *site;
  size_t site_len = 0;
  if (!host_timer_read(body, &delay_ns, &site, &site_len))
    return false;
  if (run->settled && !run->program)
    return true; /* the run only waits for operations now */
  op_id id;
  op_status status = OP_E_NOMEM;
  if (make_room(run))
    status = op_timer_start(run->scope, delay_ns, wire_id, run_now(), &id);
  if (status != OP_OK) {
    no_timer(run, status);
    return false;
  }
  run_timer *timer = place_for(run, wire_id);
  *timer = (run_timer){.wire_id = wire_id, .id = id, .live = true};
  run->timer_count++;
  if (site && run->options.debug)
    timer->site = mem_text(shard_allocator(run->shard), site, site_len);
  return true;
}

void run_timer_stop(run *run, uint64_t wire_id) {
  const run_timer *timer = run_timer_find(run, wire_id);
  if (!timer)
    return;
  op_timer_stop(shard_operations(run->shard), timer->id);
  forget(run, timer);
}

/* A guest that gives one id to two timers may be told of them in another order. */
void run_on_timer(run *run, uint64_t wire_id) {
  const run_timer *timer = run_timer_find(run, wire_id);
  if (!timer)
    return;
  forget(run, timer);
  run_send(run, WIRE_TIMER, wire_id, NULL, 0);
}
