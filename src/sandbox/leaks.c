/* What outlived its owner: operations and timers that were live when their run
 * ended, and handlers that go on although they were asked to stop. */
#include <string.h>

#include "sandbox/run_int.h"

static char *host_site(const host_call *call) {
  bool handled = call && call->started && !call->ended;
  return handled && call->kind->where ? call->kind->where(call, shard_allocator(call->shard))
                                      : NULL;
}

static void note(run *run, const op_info *info) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  bool is_timer = info->tag & WIRE_TIMER_BIT;
  const host_call *call = is_timer ? NULL : run_call_numbered(run, info->tag);
  const run_timer *timer = is_timer ? run_timer_find(run, info->tag) : NULL;
  const char *site = timer ? timer->site : call ? call->site : NULL;
  run->leaks[run->report.leaks_count++] =
      (run_leak){.number = info->tag & ~WIRE_TIMER_BIT,
                 .name = info->name,
                 .age_ns = info->age_ns,
                 .site = site ? mem_text(allocator, site, strlen(site)) : NULL,
                 .host_site = host_site(call),
                 .timer = is_timer};
}

void run_note_leaks(run *run, bool timers_only, uint64_t now) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  if (!run->options.debug)
    return;
  op_info *list = mem_new(allocator, RUN_PENDING_LISTED, sizeof *list);
  if (!run->leaks)
    run->leaks = mem_new(allocator, RUN_PENDING_LISTED, sizeof *run->leaks);
  size_t count = list && run->leaks ? op_scope_list(run->scope, list, RUN_PENDING_LISTED, now) : 0;
  for (size_t i = 0; i < count && i < RUN_PENDING_LISTED; i++)
    if (run->report.leaks_count < RUN_PENDING_LISTED &&
        (!timers_only || list[i].tag & WIRE_TIMER_BIT))
      note(run, &list[i]);
  mem_free(allocator, list);
  run->report.leaks = run->leaks;
}

void run_free_leaks(run *run) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  for (size_t i = 0; i < run->report.leaks_count; i++) {
    mem_free(allocator, (void *)(uintptr_t)run->leaks[i].site);
    mem_free(allocator, (void *)(uintptr_t)run->leaks[i].host_site);
  }
  mem_free(allocator, run->leaks);
}

/* ---- handlers without a run ---- */

void run_call_orphan(host_call *call) {
  host_call **list = shard_orphans(call->shard);
  call->orphan = true;
  call->previous = NULL;
  call->next = *list;
  if (*list)
    (*list)->previous = call;
  *list = call;
}

void run_call_adopt(host_call *call) {
  if (!call->orphan)
    return;
  call->orphan = false;
  if (call->previous)
    call->previous->next = call->next;
  else
    *shard_orphans(call->shard) = call->next;
  if (call->next)
    call->next->previous = call->previous;
}

void run_tell_orphans(shard *shard, void (*on_leak)(void *user, const run_leak *leak), void *user) {
  uint64_t now = run_now();
  for (const host_call *call = *shard_orphans(shard); call; call = call->next) {
    if (!call->started || call->ended)
      continue;
    char *where = host_site(call);
    const run_leak leak = {.number = call->number,
                           .name = call->kind->name,
                           .age_ns = now - call->created_ns,
                           .site = call->site,
                           .host_site = where};
    on_leak(user, &leak);
    mem_free(shard_allocator(shard), where);
  }
}
