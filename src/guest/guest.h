/* The guest: what sits beside QuickJS, compiled into the process (engine
 * native) and to wasm32 (engine wasm). It owns one JavaScript context, turns
 * messages of wire.h into promises and back, and knows nothing of deadlines,
 * policies or threads: those are the host's.
 *
 * A guest is used by one thread. Its state lives in `guest` and in the engine's
 * heap and holds no pointer into the host but `host`, which is NULL in wasm. */
#ifndef VOW_GUEST_GUEST_H
#define VOW_GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cbor.h"
#include "guest/engine_unit.h"
#include "guest/wire.h"

/* One host call whose answer is awaited. The id on the wire is the slot's
 * index and generation, so an answer that comes late finds nobody. */
typedef struct guest_call {
  JSValue promise; /* owned; JS_UNDEFINED: the slot is free */
  JSValue watch;   /* what watchSignal returned, or JS_UNDEFINED */
  JSValue signal;
  engine_site site;
  uint32_t generation;
  uint32_t next_free; /* index + 1 */
#ifndef __wasm__
  bool progressed; /* somebody reads its progress, and is told of the end */
#endif
} guest_call;

/* Functions of the JavaScript bundle (guest/js), captured before guest code. */
typedef struct guest_internals {
  JSValue fire_timer, make_error, error_operation, watch_signal, unwatch_signal, signal_reason,
      deep_freeze, install_fetch, inspect;
#ifndef __wasm__
  JSValue clear_timers;
#endif
} guest_internals;

/* What follows when the promise that a run waits for is settled. */
enum { ON_EVALUATED, ON_VALUE, ON_FAILED, ON_COUNT };

enum { GUEST_ALIKE = 8 };

typedef struct guest {
  JSRuntime *rt;
  JSContext *ctx;
  void *host;   /* the native engine's instance; NULL in wasm */
  bool trusted; /* native only: script has what `vow run` gives; set before guest_init() */
  guest_internals internals;
  JSValue promise_ctor, promise_resolve, map_ctor, map_set, set_ctor, set_add;
  JSValue on_settled[ON_COUNT];

  guest_call *calls;
  uint32_t calls_size, calls_free; /* calls_free: index + 1 of the first free slot */

  vow_allocator allocator; /* the engine's memory, under its limit */
  cbor_out scratch;        /* one value being encoded; `scratch_busy` while guest code may run */
  bool scratch_busy;
  /* While a value is decoded: what the last object of each depth was like, for rows are
   * alike. NULL otherwise. */
  struct JSShape *alike[GUEST_ALIKE];

  /* Rejected promises nobody has handled, in pairs of promise and reason; a
   * handled one leaves a gap of two JS_UNDEFINED. Slots from `head` to `end`. */
  JSValue *unhandled;
  uint32_t unhandled_head, unhandled_end, unhandled_size, unhandled_live;

  double started_ms; /* when the run began, by platform_now_ms() */
  size_t result_max, stack_size;
  JSValue loaded;           /* compiled by WIRE_LOAD; JS_UNDEFINED: nothing */
  JSValue awaited;          /* the promise that the run's next step waits for */
  JSValue module_namespace; /* JS_UNDEFINED: the source was a script */
  bool debug;               /* each call tells where it was made */
  bool dead;                /* an uncaught exception ended the run: nothing more is executed */
  bool library;             /* WIRE_LIBRARY came */
  bool invoked;             /* WIRE_INVOKE came that is not answered */
  JSValue evaluated;        /* of a library: what its source gave; JS_UNDEFINED: not yet */

#ifndef __wasm__
  uint32_t calls_live;
  bool timers_started;             /* since a task last cleared them */
  bool stopped;                    /* the host ends this guest, and says why */
  struct guest_deferred *deferred; /* deferred.c; NULL: there is no Deferred */
  struct guest_task *task;         /* task.c; NULL: no task was ever given */
#endif
  bool program;        /* WIRE_PROCESS came: it ends when nothing is pending, and has no value */
  bool exit_told;      /* process.exitCode was set */
  uint8_t exit_status; /* what it was set to */
  bool import_failed;  /* the last import that failed did not for the importing file's syntax */
  char *importer, *specifier; /* of the import that is resolved; the engine's memory */

  wire_shared shared;
  uint8_t *inbox, *outbox;
} guest;

/* ---- guest.c: life and turns ---- */

/* Makes runtime, context and web globals. False when memory is short. The
 * caller zeroed `g` (and set `host` and `trusted`). */
bool guest_init(guest *g, const JSMallocFunctions *malloc_functions, void *malloc_opaque);
/* Only the native engine ends a guest so; wasm memory is simply dropped. */
void guest_free(guest *g);
/* Handles `len` bytes of messages in the inbox and runs until no job is left. */
void guest_turn(guest *g, size_t len);
/* Collects what is garbage now, so that a short run never has to. */
void guest_tidy(guest *g);
/* Room for `size` bytes of messages in the inbox; false when memory is short. */
bool guest_reserve(guest *g, size_t size);
/* Runs jobs until the queue is empty. */
void guest_run_jobs(guest *g);
/* A microtask or a timer callback threw: the run ends with it. */
void guest_uncaught(guest *g);
#ifndef __wasm__
/* The reason of the oldest rejection that nobody handled; JS_UNINITIALIZED: none. */
JSValue guest_first_unhandled(guest *g);
void guest_forget_unhandled(guest *g);
#endif

/* ---- outbox.c ---- */

/* Appends one message; large ones leave at once. */
void outbox_put(guest *g, uint32_t type, uint64_t id, const void *bytes, size_t len);
/* Scratch buffer for encoding one message of at most `max` bytes. Encoding may
 * run guest code that encodes another, so the guest's own buffer is lent to the
 * first user and `own` serves the others. */
cbor_out *scratch_take(guest *g, cbor_out *own, size_t max);
void scratch_release(guest *g, cbor_out *out);
/* Puts text that may hold lone surrogates, at most `max` bytes of it, as UTF-8:
 * each one becomes U+FFFD. */
void put_clean_text(cbor_out *out, const char *text, size_t len, size_t max);

/* ---- platform: given by the engine ---- */

/* Makes the host read the outbox now. The host may stop the run here: then it
 * does not return in wasm; natively the outbox is dropped and script stops at
 * its next poll. */
void platform_flush(guest *g);
/* The host reads `bytes` as one message body right now, without the outbox. */
void platform_send(guest *g, const wire_header *header, const void *bytes);
/* Monotonic milliseconds: whole ones, but for trusted code, which may measure. */
double platform_now_ms(guest *g);
/* Fills `bytes` with the system's randomness, new ones at every call; false when
 * there is none. */
bool platform_random(guest *g, void *bytes, uint32_t len);
/* Native only, for trusted guests: as engine_trust's read_module. */
char *platform_read_module(guest *g, const char *name, size_t *len, char *message,
                           size_t message_size);

/* ---- value.c: JavaScript values as CBOR (docs/values.md) ---- */

typedef enum {
  VALUE_ARGUMENT, /* all of a value or a TypeError that names the path */
#ifndef __wasm__
  VALUE_TASK, /* as an argument; errors with their stack, shared memory of trusted code */
#endif
  VALUE_RESULT, /* as JSON.stringify sees it: toJSON is called, functions are left out */
} value_mode;

/* Appends `value` to `out`. `root` and, unless 0, `root_number` name it in
 * messages. May run guest code (getters, traps, toJSON). 0, or
 * -1 with an exception; out->status tells when `out` was too small. */
int value_encode(JSContext *ctx, cbor_out *out, JSValueConst value, value_mode mode,
                 const char *root, unsigned root_number);
/* The one item at `in` as a new value; no guest code runs. */
JSValue value_decode(guest *g, cbor_in *in);

/* ---- call.c: host operations ---- */

/* Defines one host function, e.g. "notes.get", creating `notes`. 0 or -1. */
int call_define(guest *g, const char *name, size_t name_len, uint32_t arguments, bool options_last,
                uint32_t kind);
void call_fulfil(guest *g, uint64_t id, cbor_in *value);
void call_reject(guest *g, uint64_t id, cbor_in *fields);
#ifndef __wasm__
void call_reject_value(guest *g, uint64_t id, cbor_in *value);
#endif
void call_free_all(guest *g);

/* ---- script.c: from source to settlement ---- */

/* Makes what waiting for a run's promises needs; false when memory is short. */
bool script_init(guest *g);
void script_start(guest *g, cbor_in *fields);
/* All that many runs of one script have in common; nothing of it is executed. */
void script_load(guest *g, cbor_in *fields);
void script_invoke(guest *g, cbor_in *fields);
/* Tells where the run is stuck, if that can be told. */
void script_tell_stuck(guest *g);
/* The run settles with the exception that is pending in the context. */
void script_fail(guest *g);

/* ---- describe.c: a thrown value as a bounded map ---- */

/* Sends WIRE_ERROR or WIRE_UNHANDLED for `thrown`. Never fails. */
void describe_send(guest *g, uint32_t type, JSValueConst thrown);

static inline guest *guest_of(JSContext *ctx) {
  return JS_GetContextOpaque(ctx);
}

#endif
