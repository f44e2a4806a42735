/* What the files of Deferred share: deferred.c submits, deferred_names.c refuses,
 * deferred_progress.c is what its bundle of JavaScript needs. */
#ifndef VOW_GUEST_DEFERRED_INT_H
#define VOW_GUEST_DEFERRED_INT_H

#include "guest/call.h"
#include "guest/engine_function.h"

#define CODES_MAX 256u
#define CODE_SLOTS 512u
#define ARGUMENTS_MAX 65534u

/* What a global name stands for where the function is submitted. */
typedef enum {
  NAME_FINE,      /* for the same in a worker */
  NAME_ITSELF,    /* for the function: bound again in the worker */
  NAME_HERE_ONLY, /* for something that is only here */
  NAME_NOWHERE,
} name_use;

/* A function that was sent. */
typedef struct deferred_code {
  const void *key; /* its code; NULL: the slot is empty */
  JSValue held;    /* keeps `key` from being another's */
  uint8_t hash[WIRE_HASH];
  engine_name *names; /* globals it uses */
  uint8_t *uses;      /* name_use of each */
  uint32_t names_count;
} deferred_code;

/* Functions of js/deferred.js, which is read when a program first needs one. */
enum { BUNDLE_MAP, BUNDLE_PROGRESS_OF, BUNDLE_PROGRESSED, BUNDLE_ENDED, FROM_BUNDLE };

typedef struct guest_deferred {
  JSValue constructor, prototype;
  bool has_task, has_pure;
  uint32_t kind_task, kind_pure;
  engine_global *globals; /* those of a fresh worker */
  uint32_t globals_count;
  deferred_code *codes; /* CODE_SLOTS, open addressing; NULL: none yet */
  uint32_t codes_count;
  JSValue from_bundle[FROM_BUNDLE]; /* JS_UNDEFINED: not read yet */
} guest_deferred;

/* Beside {timeout, signal, priority}. */
#define AFFINITY_BYTES_MAX 256u
typedef struct task_options {
  call_options call;
  JSValue affinity;          /* a string, owned, or JS_UNDEFINED */
  double memory_mib, run_ms; /* < 0: not given */
  bool isolated, pure;
} task_options;
#define NO_TASK_OPTIONS                                                                            \
  { .call = {-1, 0, JS_UNDEFINED}, .affinity = JS_UNDEFINED, .memory_mib = -1, .run_ms = -1 }

/* 0, or -1 with an exception; task_options_free() follows either way. */
int task_options_read(JSContext *ctx, JSValueConst options, task_options *read);
void task_options_free(JSContext *ctx, task_options *options);

/* 0, or -1 with a TypeError that says why the function cannot be sent. */
int refusal_for_sort(guest *g, JSValueConst function);
int refusal_for_names(guest *g, JSValueConst function, const deferred_code *code);

/* False: the promise is none of a task that still runs. */
bool deferred_call_of(guest *g, JSValueConst promise, uint64_t *id);

/* Deferred.run(), Deferred.map() and the getter of `progress`. */
JSValue deferred_run(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv);
JSValue deferred_map(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv);
JSValue deferred_progress_of(JSContext *ctx, JSValueConst this_value);

#endif
