/* What outlived its owner, with the place in the program that began it or took it.
 *
 * The places are return addresses of public functions; what they are called is found
 * when they are told. Nothing is noted for a runtime without on_leak and a run
 * without `debug`. */
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "vow/vow_int.h"

/* ---- places ---- */

/* Less the load address, as addr2line wants it. */
static int put_place(char *to, size_t size, const Dl_info *info, uintptr_t base,
                     uintptr_t address) {
  uintptr_t offset = address - base, symbol = (uintptr_t)info->dli_saddr;
  if (!info->dli_sname)
    return snprintf(to, size, "%s+0x%" PRIxPTR, info->dli_fname, offset);
  return snprintf(to, size, "%s+0x%" PRIxPTR " (%s+0x%" PRIxPTR ")", info->dli_fname, offset,
                  info->dli_sname, address - symbol);
}

static char *place_text(const vow_allocator *allocator, uintptr_t address) {
  Dl_info info;
  struct link_map *map = NULL;
  if (!address || !dladdr1((const void *)address, &info, (void **)&map, RTLD_DL_LINKMAP) ||
      !info.dli_fname || !map)
    return NULL;
  int len = put_place(NULL, 0, &info, map->l_addr, address);
  char *text = len < 0 ? NULL : mem_resize(allocator, NULL, 1, (size_t)len + 1);
  if (text)
    put_place(text, (size_t)len + 1, &info, map->l_addr, address);
  return text;
}

/* ---- operations ---- */

void lib_trace_open(vow_op *op, const host_call *call) {
  lib_gate *gate = op->gate;
  if (!op->kind->runtime->on_leak && !(op->run && op->run->debug))
    return;
  lib_trace *trace = mem_new(gate->allocator, 1, sizeof *trace);
  if (!trace)
    return; /* this one is not named */
  const char *site = host_call_site(call);
  trace->op = op;
  trace->created_ns = loop_now();
  trace->handler = op->kind->batch ? (uintptr_t)op->kind->batch : (uintptr_t)op->kind->handler;
  trace->site = site ? mem_text(gate->allocator, site, strlen(site)) : NULL;
  atomic_init(&trace->taken_at, 0);
  op->trace = trace;
  pthread_mutex_lock(&gate->lock);
  trace->next = gate->traces;
  if (trace->next)
    trace->next->previous = trace;
  gate->traces = trace;
  pthread_mutex_unlock(&gate->lock);
}

void lib_trace_close(vow_op *op) {
  lib_trace *trace = op->trace;
  lib_gate *gate = op->gate;
  if (!trace)
    return;
  pthread_mutex_lock(&gate->lock);
  if (trace->previous)
    trace->previous->next = trace->next;
  else
    gate->traces = trace->next;
  if (trace->next)
    trace->next->previous = trace->previous;
  pthread_mutex_unlock(&gate->lock);
  mem_free(gate->allocator, trace->site);
  mem_free(gate->allocator, trace);
}

/* A call returns behind itself: one byte before that is its line. */
static uintptr_t place_of(const lib_trace *trace) {
  uintptr_t taken_at = atomic_load_explicit(&trace->taken_at, memory_order_relaxed);
  return taken_at ? taken_at - 1 : trace->handler;
}

char *lib_trace_where(const host_call *call, const vow_allocator *allocator) {
  const vow_op *op = host_call_data(call);
  return op && op->trace ? place_text(allocator, place_of(op->trace)) : NULL;
}

/* ---- telling ---- */

static void tell(vow_runtime *runtime, vow_leak *leak, uintptr_t place) {
  char *text = place_text(runtime->allocator, place);
  leak->host_site = text;
  runtime->on_leak(leak, runtime->on_leak_user);
  mem_free(runtime->allocator, text);
}

/* The list is not changed while it is told: on_leak must not call Vow. */
void lib_tell_handles(vow_runtime *runtime) {
  uint64_t now = loop_now();
  if (!runtime->on_leak)
    return;
  for (const vow_run *run = runtime->runs; run; run = run->next) {
    vow_leak leak = {
        .kind = VOW_LEAK_RUN, .number = run->number, .name = "run", .age_ns = now - run->begun_ns};
    tell(runtime, &leak, run->begun_at - 1);
  }
  for (const vow_script *script = runtime->scripts; script; script = script->next) {
    vow_leak leak = {.kind = VOW_LEAK_SCRIPT, .name = "script", .age_ns = now - script->opened_ns};
    if (!script->closed)
      tell(runtime, &leak, script->opened_at - 1);
  }
}

void lib_tell_handler(void *user, const run_leak *from) {
  vow_runtime *runtime = user;
  const vow_leak leak = {.kind = VOW_LEAK_OPERATION,
                         .number = from->number,
                         .name = from->name,
                         .age_ns = from->age_ns,
                         .site = from->site,
                         .host_site = from->host_site};
  runtime->on_leak(&leak, runtime->on_leak_user);
}

/* What is told of an operation that another thread may release meanwhile. */
typedef struct told {
  struct told *next;
  vow_leak leak;
  uintptr_t place;
  char name[LIB_NAME_MAX + 1];
  char site[];
} told;

/* Under the gate's lock. NULL when memory is short. */
static told *copy_of(const lib_trace *trace, const vow_allocator *allocator, uint64_t now) {
  size_t size = trace->site ? strlen(trace->site) + 1 : 1;
  told *copy = mem_resize(allocator, NULL, 1, sizeof *copy + size);
  if (!copy)
    return NULL;
  *copy = (told){.place = place_of(trace),
                 .leak = {.kind = VOW_LEAK_OPERATION,
                          .number = trace->op->number,
                          .age_ns = now - trace->created_ns}};
  snprintf(copy->name, sizeof copy->name, "%s", trace->op->name);
  memcpy(copy->site, trace->site ? trace->site : "", size);
  copy->leak.name = copy->name;
  copy->leak.site = trace->site ? copy->site : NULL;
  return copy;
}

/* The oldest first: the list has them last. */
void lib_tell_operations(vow_runtime *runtime) {
  lib_gate *gate = runtime->gate;
  told *list = NULL, *copy;
  if (!runtime->on_leak)
    return;
  uint64_t now = loop_now();
  pthread_mutex_lock(&gate->lock);
  for (const lib_trace *trace = gate->traces; trace; trace = trace->next) {
    if (atomic_load(&trace->op->users) == 0 || !(copy = copy_of(trace, runtime->allocator, now)))
      continue;
    copy->next = list;
    list = copy;
  }
  pthread_mutex_unlock(&gate->lock);
  while ((copy = list)) {
    list = copy->next;
    tell(runtime, &copy->leak, copy->place);
    mem_free(runtime->allocator, copy);
  }
}
