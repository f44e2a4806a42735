/* Engine wasm: guests as copies of a template, preempted about every
 * millisecond. One asynchronous call per turn; nothing re-enters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine_int.h"
#include "engine/fiber_stack.h"
#include "engine/linear_memory.h"
#include "engine/wasmhost.h"
#include "template_name.h"

/* What a shard keeps mapped for the next runs. */
#define KEEP_MEMORIES 64u
#define KEEP_STACKS 64u
#define KEEP_INSTANCES 64u
/* Of calls that should take less than one. */
#define SHORT_SLICES_MAX 200u
#define C_STACK_MARGIN 4096u
/* Guests see time in steps of this size: no fine clock to time others with. */
#define CLOCK_STEP_NS UINT64_C(1000000)

typedef struct wasm_guest wasm_guest;

/* An image and what is kept of the runs that started from it. */
typedef struct wasm_template {
  engine_template base;
  struct wasm_template *next; /* of the shard */
  linear_image own;           /* not open in the first one, whose image is the host's */
  linear_memory_pool *memories;
  wasm_guest *parked; /* instances that equal a new one */
  uint32_t parked_count;
} wasm_template;

typedef struct wasm_shard {
  engine base;
  const wasmhost *host;
  linear_memory_account account;
  fiber_stack_pool *stacks;
  wasm_template *templates; /* the plain guest's is the last one */
  wasm_template *plain;
} wasm_shard;

struct wasm_guest {
  engine_instance base;
  wasm_guest *next_parked;
  wasm_template *template;
  wasmtime_store_t *store;
  wasmtime_context_t *context;
  wasmtime_instance_t instance;
  wasmtime_func_t turn, reserve, seal;
  wasmtime_global_t stack_pointer;
  int32_t stack_top;     /* its value outside calls */
  linear_memory *memory; /* owned by the store */
  fiber_stack *stack;    /* owned by the store; NULL before the first call */
  uint64_t opened_ns;
  uint32_t drained; /* bytes of the outbox the drain has seen in this turn */

  /* The call going on; Wasmtime uses these until the future is deleted. */
  wasmtime_call_future_t *future;
  wasmtime_val_t argument, result;
  wasm_trap_t *trap;
  wasmtime_error_t *error;
};

/* Whose memory or stack Wasmtime's creator callbacks are asked for. They run
 * inside calls that this thread makes. */
static _Thread_local wasm_guest *creating;

static wasm_shard *shard_of(const wasm_guest *guest) {
  return (wasm_shard *)guest->base.engine;
}

/* ---- creators ---- */

static uint8_t *get_memory(void *env, size_t *size, size_t *maximum) {
  linear_memory *memory = env;
  *size = memory->size;
  *maximum = LINEAR_MEMORY_RESERVATION; /* growing decides, and notes a refusal */
  return memory->base;
}

static wasmtime_error_t *grow_memory(void *env, size_t size) {
  return linear_memory_grow(env, size) ? NULL : wasmtime_error_new("memory limit");
}

static void end_memory(void *env) {
  linear_memory_give(env);
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum,
                                    size_t maximum, size_t reserved, size_t guard,
                                    wasmtime_linear_memory_t *result) {
  (void)env, (void)type, (void)maximum;
  if (minimum > creating->template->base.memory || reserved > LINEAR_MEMORY_RESERVATION ||
      guard > LINEAR_MEMORY_GUARD)
    return wasmtime_error_new("the guest's memory does not fit its template");
  linear_memory *memory =
      linear_memory_take(creating->template->memories, creating->base.memory_max);
  if (!memory)
    return wasmtime_error_new("no address space for a sandbox");
  creating->memory = memory;
  *result = (wasmtime_linear_memory_t){memory, get_memory, grow_memory, end_memory};
  return NULL;
}

static uint8_t *get_stack(void *env, size_t *size) {
  fiber_stack *stack = env;
  *size = stack->size;
  return stack->bottom + stack->size;
}

static void end_stack(void *env) {
  fiber_stack_give(env);
}

static wasmtime_error_t *new_stack(void *env, size_t size, bool zeroed,
                                   wasmtime_stack_memory_t *result) {
  (void)env, (void)zeroed;
  fiber_stack *stack = fiber_stack_take(shard_of(creating)->stacks, size);
  if (!stack) {
    creating->base.fault = ENGINE_FAULT_HOST_MEMORY;
    return wasmtime_error_new("no address space for a stack");
  }
  creating->stack = stack;
  *result = (wasmtime_stack_memory_t){stack, get_stack, end_stack};
  return NULL;
}

/* ---- the guest's words and messages ---- */

static bool read_shared(const wasm_guest *guest, wire_shared *words) {
  uint32_t at = TEMPLATE_SHARED;
  if (at > guest->memory->size - sizeof *words)
    return false;
  memcpy(words, guest->memory->base + at, sizeof *words);
  return true;
}

static void clear_outbox(wasm_guest *guest) {
  const uint32_t zero = 0;
  uint32_t at = TEMPLATE_SHARED + (uint32_t)offsetof(wire_shared, outbox_len);
  memcpy(guest->memory->base + at, &zero, sizeof zero);
  guest->drained = 0;
}

static bool in_memory(const wasm_guest *guest, uint32_t at, uint64_t len) {
  return len <= guest->memory->size && at <= guest->memory->size - len;
}

static bool fail(wasm_guest *guest, engine_fault fault) {
  if (guest->base.fault == ENGINE_FAULT_NONE)
    guest->base.fault = fault;
  return false;
}

/* Shows the drain what has been completed since it last looked. */
static bool drain_outbox(wasm_guest *guest) {
  wire_shared words;
  if (!read_shared(guest, &words) || words.outbox_len < guest->drained ||
      !in_memory(guest, words.outbox, words.outbox_len))
    return fail(guest, ENGINE_FAULT_INTERNAL);
  uint32_t from = guest->drained;
  guest->drained = words.outbox_len;
  if (from == words.outbox_len)
    return true;
  if (!guest->base.drain(guest->base.user, guest->memory->base + words.outbox + from,
                         words.outbox_len - from))
    return fail(guest, ENGINE_FAULT_STOPPED);
  return true;
}

static bool on_flush(void *data) {
  wasm_guest *guest = data;
  bool go_on = drain_outbox(guest);
  clear_outbox(guest);
  return go_on;
}

/* A message too large for the outbox: the drain wants it in one piece. */
static bool on_send(void *data, uint32_t header_at, uint32_t bytes_at) {
  wasm_guest *guest = data;
  wire_header header;
  if (!in_memory(guest, header_at, sizeof header))
    return fail(guest, ENGINE_FAULT_INTERNAL);
  memcpy(&header, guest->memory->base + header_at, sizeof header);
  if (header.len > WIRE_MESSAGE_MAX || !in_memory(guest, bytes_at, header.len))
    return fail(guest, ENGINE_FAULT_INTERNAL);
  const vow_allocator *allocator = guest->base.engine->allocator;
  size_t len = sizeof header + WIRE_ALIGN(header.len);
  uint8_t *message = mem_new(allocator, len, 1);
  if (!message)
    return fail(guest, ENGINE_FAULT_HOST_MEMORY);
  memcpy(message, &header, sizeof header);
  memcpy(message + sizeof header, guest->memory->base + bytes_at, header.len);
  bool go_on = guest->base.drain(guest->base.user, message, len);
  mem_free(allocator, message);
  return go_on || fail(guest, ENGINE_FAULT_STOPPED);
}

static uint64_t clock_ns(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t on_clock(void *data, bool monotonic) {
  wasm_guest *guest = data;
  uint64_t now =
      monotonic ? clock_ns(CLOCK_MONOTONIC) - guest->opened_ns : clock_ns(CLOCK_REALTIME);
  return now - now % CLOCK_STEP_NS;
}

static bool on_random(void *data, uint32_t at, uint32_t len) {
  wasm_guest *guest = data;
  return in_memory(guest, at, len) && engine_random(guest->memory->base + at, len);
}

/* ---- calls ---- */

/* The guest's C stack lies lowest in its memory: running over its end leaves
 * memory, with the stack pointer below zero or near it. */
static int32_t stack_pointer(wasm_guest *guest) {
  wasmtime_val_t value;
  wasmtime_global_get(guest->context, &guest->stack_pointer, &value);
  return value.of.i32;
}

static bool ran_over_c_stack(wasm_guest *guest) {
  return stack_pointer(guest) < (int32_t)C_STACK_MARGIN;
}

static engine_fault fault_of_trap(wasm_guest *guest, const wasm_trap_t *trap) {
  wasmtime_trap_code_t code;
  if (!trap || !wasmtime_trap_code(trap, &code))
    return ENGINE_FAULT_INTERNAL;
  if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
    return ENGINE_FAULT_STACK;
  if (code == WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS && ran_over_c_stack(guest))
    return ENGINE_FAULT_STACK;
  return ENGINE_FAULT_INTERNAL;
}

static void end_call(wasm_guest *guest) {
  wasmtime_call_future_delete(guest->future);
  guest->future = NULL;
  if (guest->trap || guest->error)
    fail(guest, fault_of_trap(guest, guest->trap));
  if (guest->trap)
    wasm_trap_delete(guest->trap);
  if (guest->error)
    wasmtime_error_delete(guest->error);
  guest->trap = NULL;
  guest->error = NULL;
}

static void begin_call(wasm_guest *guest, const wasmtime_func_t *function, uint32_t argument,
                       size_t results) {
  guest->argument = (wasmtime_val_t){.kind = WASMTIME_I32, .of.i32 = (int32_t)argument};
  wasmtime_context_set_epoch_deadline(guest->context, 1);
  guest->future = wasmtime_func_call_async(guest->context, function, &guest->argument, 1,
                                           &guest->result, results, &guest->trap, &guest->error);
}

/* One slice; true when the call has ended. */
static bool poll_call(wasm_guest *guest) {
  creating = guest;
  wasmhost_enter();
  bool done = wasmtime_call_future_poll(guest->future);
  wasmhost_leave();
  creating = NULL;
  wire_shared words;
  if (guest->memory->host_full)
    fail(guest, ENGINE_FAULT_HOST_MEMORY);
  if (guest->memory->limit_hit || (read_shared(guest, &words) && words.out_of_memory))
    fail(guest, ENGINE_FAULT_MEMORY);
  if (done)
    end_call(guest);
  return done;
}

static engine_turn_result slice(wasm_guest *guest) {
  bool done = poll_call(guest);
  engine_fault fault = guest->base.fault;
  /* What was said before a limit was hit is complete, and counts. */
  if (fault == ENGINE_FAULT_NONE || fault == ENGINE_FAULT_MEMORY ||
      fault == ENGINE_FAULT_HOST_MEMORY || fault == ENGINE_FAULT_STACK)
    drain_outbox(guest);
  if (guest->base.fault != ENGINE_FAULT_NONE)
    return ENGINE_FAULT;
  if (!done)
    return ENGINE_YIELDED;
  wire_shared words;
  if (!read_shared(guest, &words)) {
    fail(guest, ENGINE_FAULT_INTERNAL);
    return ENGINE_FAULT;
  }
  guest->base.unhandled = words.unhandled;
  return ENGINE_DONE;
}

static engine_turn_result wasm_turn(engine_instance *instance, size_t len, uint64_t stop_at) {
  (void)stop_at;
  wasm_guest *guest = (wasm_guest *)instance;
  if (instance->fault != ENGINE_FAULT_NONE)
    return ENGINE_FAULT;
  clear_outbox(guest);
  begin_call(guest, &guest->turn, (uint32_t)len, 0);
  return slice(guest);
}

static engine_turn_result wasm_resume(engine_instance *instance) {
  return slice((wasm_guest *)instance);
}

/* A call that takes microseconds of the guest's time and returns false when
 * memory is short. */
static bool call_short(wasm_guest *guest, const wasmtime_func_t *function, uint32_t argument) {
  begin_call(guest, function, argument, 1);
  unsigned slices = 0;
  while (!poll_call(guest) && guest->base.fault == ENGINE_FAULT_NONE)
    if (++slices == SHORT_SLICES_MAX) /* a damaged heap may loop for ever */
      fail(guest, ENGINE_FAULT_INTERNAL);
  if (guest->base.fault == ENGINE_FAULT_NONE && guest->result.of.i32 == 0)
    fail(guest, ENGINE_FAULT_MEMORY);
  return guest->base.fault == ENGINE_FAULT_NONE;
}

static uint8_t *wasm_inbox(engine_instance *instance, size_t size) {
  wasm_guest *guest = (wasm_guest *)instance;
  wire_shared words;
  if (instance->fault != ENGINE_FAULT_NONE || size > UINT32_MAX || !read_shared(guest, &words))
    return NULL;
  if (size > words.inbox_size) {
    if (!call_short(guest, &guest->reserve, (uint32_t)size))
      return NULL;
    read_shared(guest, &words);
  }
  if (!in_memory(guest, words.inbox, size)) {
    fail(guest, ENGINE_FAULT_INTERNAL);
    return NULL;
  }
  return guest->memory->base + words.inbox;
}

/* ---- instances ---- */

static bool export_function(wasm_guest *guest, const char *name, wasmtime_func_t *function) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(guest->context, &guest->instance, name, strlen(name), &item) ||
      item.kind != WASMTIME_EXTERN_FUNC)
    return false;
  *function = item.of.func;
  return true;
}

static bool export_stack_pointer(wasm_guest *guest) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(guest->context, &guest->instance, "__stack_pointer", 15,
                                    &item) ||
      item.kind != WASMTIME_EXTERN_GLOBAL)
    return false;
  guest->stack_pointer = item.of.global;
  guest->stack_top = stack_pointer(guest);
  return true;
}

static bool instantiate(wasm_guest *guest) {
  const wasmhost *host = shard_of(guest)->host;
  guest->store = wasmtime_store_new(host->engine, guest, NULL);
  guest->context = wasmtime_store_context(guest->store);
  wasmtime_context_set_epoch_deadline(guest->context, 1);
  /* Declared to return an error, this function of Wasmtime 50 returns nothing. */
  (void)wasmtime_context_epoch_deadline_async_yield_and_update(guest->context, 1);
  creating = guest;
  guest->future = wasmtime_instance_pre_instantiate_async(
      host->pre, guest->context, &guest->instance, &guest->trap, &guest->error);
  while (!wasmtime_call_future_poll(guest->future))
    ;
  creating = NULL;
  end_call(guest);
  return guest->base.fault == ENGINE_FAULT_NONE && guest->memory &&
         export_function(guest, "turn", &guest->turn) &&
         export_function(guest, "reserve", &guest->reserve) &&
         export_function(guest, "seal", &guest->seal) && export_stack_pointer(guest);
}

/* All a guest can change is its memory and one global, its stack pointer: with
 * the memory restored and that as it was, the instance equals a new one. */
static bool park(wasm_guest *guest) {
  wasm_template *template = guest->template;
  if (template->parked_count >= KEEP_INSTANCES || stack_pointer(guest) != guest->stack_top ||
      !linear_memory_restore(guest->memory))
    return false;
  guest->next_parked = template->parked;
  template->parked = guest;
  template->parked_count++;
  return true;
}

static void wasm_instance_close(engine_instance *instance, bool reusable) {
  wasm_guest *guest = (wasm_guest *)instance;
  bool midway = guest->future != NULL;
  if (midway)
    end_call(guest);
  if (reusable && !midway && instance->fault == ENGINE_FAULT_NONE && park(guest))
    return;
  if (guest->memory)
    guest->memory->reusable = reusable && !midway && instance->fault == ENGINE_FAULT_NONE;
  if (guest->store)
    wasmtime_store_delete(guest->store);
  mem_free(instance->engine->allocator, guest);
}

static engine_instance *wasm_instance_open(engine *engine, engine_template *base, size_t memory_max,
                                           engine_drain *drain, void *user) {
  wasm_template *template = base ? (wasm_template *)base : ((wasm_shard *)engine)->plain;
  wasm_guest *guest = template->parked;
  if (guest) {
    template->parked = guest->next_parked;
    template->parked_count--;
    linear_memory_retake(guest->memory, memory_max);
  } else if (!(guest = mem_new(engine->allocator, 1, sizeof *guest))) {
    return NULL;
  }
  guest->base =
      (engine_instance){.engine = engine, .drain = drain, .user = user, .memory_max = memory_max};
  guest->template = template;
  guest->opened_ns = clock_ns(CLOCK_MONOTONIC);
  if (!guest->store && !instantiate(guest)) {
    wasm_instance_close(&guest->base, false);
    return NULL;
  }
  return &guest->base;
}

static void wasm_idle(engine_instance *instance) {
  wasm_guest *guest = (wasm_guest *)instance;
  if (guest->future)
    return;
  if (guest->stack)
    fiber_stack_release(guest->stack);
  linear_memory_drop(guest->memory, (size_t)guest->stack_top);
}

static size_t wasm_memory_used(const engine_instance *instance) {
  return ((const wasm_guest *)instance)->memory->size;
}

static const uint8_t *wasm_memory_bytes(const engine_instance *instance, size_t *len) {
  const linear_memory *memory = ((const wasm_guest *)instance)->memory;
  *len = memory->size;
  return memory->base;
}

/* ---- templates ---- */

/* `own` is taken, NULL for the plain guest. */
static wasm_template *open_template(wasm_shard *shard, const linear_image *own) {
  wasm_template *template = mem_new(shard->base.allocator, 1, sizeof *template);
  if (!template)
    return NULL;
  template->own = own ? *own : (linear_image){.fd = -1};
  const linear_image *image = own ? &template->own : &shard->host->image;
  template->base = (engine_template){&shard->base, image->size};
  template->memories =
      linear_memory_pool_open(shard->base.allocator, image, &shard->account, KEEP_MEMORIES);
  if (!template->memories) {
    mem_free(shard->base.allocator, template);
    return NULL;
  }
  template->next = shard->templates;
  shard->templates = template;
  return template;
}

static void wasm_template_close(engine_template *base) {
  wasm_template *template = (wasm_template *)base;
  wasm_shard *shard = (wasm_shard *)base->engine;
  wasm_template **at = &shard->templates;
  while (*at != template)
    at = &(*at)->next;
  *at = template->next;
  while (template->parked) {
    wasm_guest *guest = template->parked;
    template->parked = guest->next_parked;
    wasmtime_store_delete(guest->store);
    mem_free(shard->base.allocator, guest);
  }
  linear_memory_pool_close(template->memories);
  linear_image_free(&template->own);
  mem_free(shard->base.allocator, template);
}

static engine_template *wasm_template_make(engine_instance *instance) {
  wasm_guest *guest = (wasm_guest *)instance;
  linear_image image;
  if (instance->fault != ENGINE_FAULT_NONE || guest->future ||
      !call_short(guest, &guest->seal, 0) ||
      !linear_image_copy(&image, guest->memory->base, guest->memory->size))
    return NULL;
  wasm_template *template = open_template(shard_of(guest), &image);
  if (!template)
    linear_image_free(&image);
  return template ? &template->base : NULL;
}

/* ---- shard ---- */

static void wasm_close(engine *engine) {
  wasm_shard *shard = (wasm_shard *)engine;
  while (shard->templates)
    wasm_template_close(&shard->templates->base);
  fiber_stack_pool_close(shard->stacks);
  if (shard->host)
    wasmhost_release();
  mem_free(engine->allocator, shard);
}

static engine *wasm_open(const vow_allocator *allocator, const char *folder, char *message,
                         size_t message_size) {
  static const wasmhost_creators creators = {new_memory, new_stack};
  static const wasmhost_imports imports = {on_flush, on_send, on_clock, on_random};
  wasm_shard *shard = mem_new(allocator, 1, sizeof *shard);
  if (!shard) {
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  shard->base = (engine){.class = &engine_wasm_class, .allocator = allocator};
  shard->host = wasmhost_acquire(&creators, &imports, folder, message, message_size);
  if (shard->host) {
    shard->plain = open_template(shard, NULL);
    shard->stacks = fiber_stack_pool_open(allocator, KEEP_STACKS);
    if (shard->plain && shard->stacks)
      return &shard->base;
    snprintf(message, message_size, "out of memory");
  }
  wasm_close(&shard->base);
  return NULL;
}

static void wasm_trim(engine *engine) {
  for (wasm_template *t = ((wasm_shard *)engine)->templates; t; t = t->next)
    for (wasm_guest *guest = t->parked; guest; guest = guest->next_parked)
      if (guest->stack)
        fiber_stack_release(guest->stack);
}

static engine_counts wasm_counts(const engine *engine) {
  const linear_memory_account *account = &((const wasm_shard *)engine)->account;
  engine_counts counts = engine->counts;
  counts.recycled = account->recycled;
  counts.discarded = account->discarded;
  counts.pages_restored = account->pages_restored;
  counts.searches = account->searches;
  counts.template_bytes = ((const wasm_shard *)engine)->host->image.size;
  return counts;
}

static void wasm_verify(engine *engine, bool verify) {
  ((wasm_shard *)engine)->account.verify = verify;
}

const engine_class engine_wasm_class = {
    .kind = ENGINE_WASM,
    .open = wasm_open,
    .close = wasm_close,
    .instance_open = wasm_instance_open,
    .instance_close = wasm_instance_close,
    .template_make = wasm_template_make,
    .template_close = wasm_template_close,
    .inbox = wasm_inbox,
    .turn = wasm_turn,
    .resume = wasm_resume,
    .idle = wasm_idle,
    .memory = wasm_memory_used,
    .memory_bytes = wasm_memory_bytes,
    .trim = wasm_trim,
    .counts = wasm_counts,
    .verify = wasm_verify,
};
