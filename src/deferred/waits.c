#include <string.h>

#include "deferred/deferred_int.h"

#define CALLS_FIRST 16u

/* ---- timers: few, or far apart ---- */

bool waits_start_timer(waits *waits, uint64_t id, uint64_t at) {
  if (waits->timer_count == WAITS_TIMERS_MAX)
    return false;
  waits->timers[waits->timer_count++] = (waits_timer){id, at};
  return true;
}

static void take_out(waits *waits, uint32_t index) {
  memmove(&waits->timers[index], &waits->timers[index + 1],
          (--waits->timer_count - index) * sizeof waits->timers[0]);
}

void waits_stop_timer(waits *waits, uint64_t id) {
  for (uint32_t i = 0; i < waits->timer_count; i++)
    if (waits->timers[i].id == id) {
      take_out(waits, i);
      return;
    }
}

/* Of equal ones the one that was started first; their count if there is none. */
static uint32_t find_first(const waits *waits) {
  uint32_t first = 0;
  for (uint32_t i = 1; i < waits->timer_count; i++)
    if (waits->timers[i].at < waits->timers[first].at)
      first = i;
  return first;
}

uint64_t waits_next_timer(const waits *waits) {
  return waits->timer_count ? waits->timers[find_first(waits)].at : UINT64_MAX;
}

bool waits_take_due(waits *waits, uint64_t now, uint64_t *id) {
  uint32_t first = find_first(waits);
  if (first == waits->timer_count || waits->timers[first].at > now)
    return false;
  *id = waits->timers[first].id;
  take_out(waits, first);
  return true;
}

/* ---- calls: by their ids, for one that is cancelled may have been answered already ---- */

bool waits_add_call(waits *waits, const vow_allocator *allocator, uint64_t id) {
  if (waits->calls_live == waits->calls_size) {
    uint32_t size = waits->calls_size ? waits->calls_size * 2 : CALLS_FIRST;
    uint64_t *calls = mem_resize(allocator, waits->calls, size, sizeof *calls);
    if (!calls)
      return false;
    waits->calls = calls;
    waits->calls_size = size;
  }
  waits->calls[waits->calls_live++] = id;
  return true;
}

void waits_remove_call(waits *waits, uint64_t id) {
  for (uint32_t i = 0; i < waits->calls_live; i++)
    if (waits->calls[i] == id) {
      waits->calls[i] = waits->calls[--waits->calls_live];
      return;
    }
}

/* ---- all of it ---- */

bool waits_is_empty(const waits *waits) {
  return waits->calls_live == 0 && waits->timer_count == 0;
}

void waits_clear(waits *waits) {
  waits->calls_live = waits->timer_count = 0;
}

void waits_free(waits *waits, const vow_allocator *allocator) {
  mem_free(allocator, waits->calls);
}
