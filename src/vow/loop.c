/* The runtime's loop, and what another loop needs of it. */
#include "vow/loop.h"

#include "vow/vow_int.h"

static bool is_idle(const vow_runtime *runtime) {
  return runtime->runs_live == 0 && shard_handlers(runtime->shard) == 0 &&
         atomic_load(&runtime->gate->done_count) == 0;
}

static void poll_once(vow_runtime *runtime) {
  uv_run(loop_uv(shard_loop(runtime->shard)), UV_RUN_NOWAIT);
}

vow_status vow_loop_run(vow_runtime *runtime, vow_loop_mode mode) {
  if (!lib_gate_is_here(runtime->gate))
    return VOW_E_THREAD;
  if (runtime->depth > 0 || runtime->guarded > 0)
    return VOW_E_STATE;
  if (mode != VOW_LOOP_DONE && mode != VOW_LOOP_ONCE && mode != VOW_LOOP_POLL)
    return VOW_E_INVALID;
  runtime->depth++;
  if (mode == VOW_LOOP_ONCE && !is_idle(runtime))
    shard_turn(runtime->shard);
  while (mode == VOW_LOOP_DONE && !is_idle(runtime))
    shard_turn(runtime->shard);
  poll_once(runtime); /* what waits behind it, also when nothing is alive */
  runtime->depth--;
  return VOW_OK;
}

int vow_loop_fd(const vow_runtime *runtime) {
  if (!lib_gate_is_here(runtime->gate))
    return -1;
  return uv_backend_fd(loop_uv(shard_loop(runtime->shard)));
}

int vow_loop_timeout(const vow_runtime *runtime) {
  if (!lib_gate_is_here(runtime->gate))
    return 0;
  uv_loop_t *uv = loop_uv(shard_loop(runtime->shard));
  uv_update_time(uv); /* time has passed outside of the loop */
  return uv_backend_timeout(uv);
}

vow_status vow_loop_turn(vow_runtime *runtime) {
  return vow_loop_run(runtime, VOW_LOOP_POLL);
}
