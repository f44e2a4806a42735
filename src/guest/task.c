#include "guest/task.h"

#include <string.h>

#include "guest/call.h"
#include "guest/deferred.h"
#include "guest/engine_function.h"
#include "guest/engine_object.h"
#include "guest/program.h"
#include "guest/shared.h"

#define BUCKETS 64u
#define ARGUMENTS_MAX 65534u
#define MADE_MAX 16u

/* A function that was sent. */
typedef struct task_function {
  struct task_function *next;
  uint8_t hash[WIRE_HASH];
  JSValue function; /* owned */
  JSAtom *names;    /* globals it calls itself by; owned, as the atoms */
  uint32_t names_count;
} task_function;

typedef enum { TASK_NONE, TASK_RUNNING, TASK_FULFILLED, TASK_REJECTED } task_state;

typedef struct guest_task {
  task_function *functions[BUCKETS];
  task_state state;
  uint64_t id;
  task_function *running; /* NULL: it was dropped meanwhile, or there is none */
  uint32_t serial;        /* of this guest's tasks */
  JSValue outcome;        /* owned; what it settled with */
  /* What results were lists of, in turn: the next task makes such objects again. */
  engine_stages made[MADE_MAX];
  uint32_t made_next;
} guest_task;

/* ---- functions ---- */

static task_function **find_function(guest_task *task, const uint8_t *hash) {
  task_function **at = &task->functions[hash[0] % BUCKETS];
  while (*at && memcmp((*at)->hash, hash, WIRE_HASH) != 0)
    at = &(*at)->next;
  return at;
}

static void free_function(guest *g, task_function *function) {
  for (uint32_t i = 0; i < function->names_count; i++)
    JS_FreeAtom(g->ctx, function->names[i]);
  js_free_rt(g->rt, function->names);
  JS_FreeValue(g->ctx, function->function);
  js_free_rt(g->rt, function);
}

static bool read_names(guest *g, cbor_in *in, task_function *function) {
  uint64_t count;
  if (cbor_get_array(in, &count) != CBOR_OK)
    return false;
  function->names = js_calloc(g->ctx, (size_t)count + 1, sizeof *function->names);
  for (; function->names && function->names_count < count; function->names_count++) {
    const char *name;
    size_t len;
    JSAtom atom = JS_ATOM_NULL;
    if (cbor_get_text(in, &name, &len) == CBOR_OK)
      atom = JS_NewAtomLen(g->ctx, name, len);
    if (atom == JS_ATOM_NULL)
      return false;
    function->names[function->names_count] = atom;
  }
  return function->names != NULL;
}

/* What deferred.c wrote: the names, then the engine's bytecode. */
static bool read_function(guest *g, const uint8_t *bytes, size_t len, task_function *function) {
  cbor_in in;
  cbor_in_init(&in, bytes, len);
  if (!read_names(g, &in, function))
    return false;
  function->function = engine_function_read(g->ctx, in.at, (size_t)(in.end - in.at));
  return !JS_IsException(function->function);
}

/* What tasks need, made for the first. */
static bool make_task(guest *g) {
  if (g->task)
    return true;
  JSValue global = JS_GetGlobalObject(g->ctx);
  JSValue require = JS_NewCFunction(g->ctx, process_require, "require", 1);
  bool ok = !JS_IsException(require) &&
            JS_DefinePropertyValueStr(g->ctx, global, "require", require,
                                      JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) >= 0;
  JS_FreeValue(g->ctx, global);
  guest_task *task = ok && deferred_install(g) == 0 ? js_mallocz(g->ctx, sizeof *task) : NULL;
  if (task)
    task->outcome = JS_UNDEFINED;
  g->task = task;
  return task != NULL;
}

static void forget_exception(guest *g) {
  JS_FreeValue(g->ctx, JS_GetException(g->ctx));
}

void task_code(guest *g, cbor_in *fields) {
  uint64_t count;
  const uint8_t *hash, *bytes;
  size_t hash_len, len;
  if (cbor_get_array(fields, &count) != CBOR_OK || count != 5 ||
      cbor_get_bytes(fields, &hash, &hash_len) != CBOR_OK || hash_len != WIRE_HASH ||
      cbor_get_bytes(fields, &bytes, &len) != CBOR_OK)
    return;
  task_function *function = make_task(g) ? js_mallocz(g->ctx, sizeof *function) : NULL;
  if (!function) {
    forget_exception(g); /* the task that needs it will say so */
    return;
  }
  task_function **at = find_function(g->task, hash);
  function->function = JS_UNDEFINED;
  memcpy(function->hash, hash, WIRE_HASH);
  if (*at || !read_function(g, bytes, len, function)) {
    free_function(g, function);
    forget_exception(g);
    return;
  }
  *at = function;
}

void task_code_drop(guest *g, cbor_in *hash) {
  const uint8_t *bytes;
  size_t len;
  if (!g->task || cbor_get_bytes(hash, &bytes, &len) != CBOR_OK || len != WIRE_HASH)
    return;
  task_function **at = find_function(g->task, bytes), *gone = *at;
  if (!gone || gone == g->task->running)
    return; /* the host drops none that runs */
  *at = gone->next;
  free_function(g, gone);
}

/* ---- how a task ends ---- */

/* Takes `value`. The first one counts. */
static void settle(guest *g, task_state state, JSValue value) {
  guest_task *task = g->task;
  if (task->state != TASK_RUNNING) {
    JS_FreeValue(g->ctx, value);
    return;
  }
  task->state = state;
  task->outcome = value;
}

/* With the pending exception. */
static void settle_thrown(guest *g) {
  settle(g, TASK_REJECTED, JS_GetException(g->ctx));
}

bool task_uncaught(guest *g) {
  if (!g->task || g->task->state == TASK_NONE)
    return false;
  if (g->task->state == TASK_FULFILLED) { /* its last jobs are its too */
    JS_FreeValue(g->ctx, g->task->outcome);
    g->task->state = TASK_RUNNING;
  }
  settle_thrown(g);
  g->dead = g->stopped;
  return true;
}

/* `data` is the task's serial number: a promise of an earlier one may live on. */
static JSValue on_settled(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv,
                          int magic, JSValueConst *data) {
  (void)this_value;
  guest *g = guest_of(ctx);
  uint32_t serial;
  if (JS_ToUint32(ctx, &serial, data[0]) == 0 && serial == g->task->serial)
    settle(g, (task_state)magic, argc > 0 ? JS_DupValue(ctx, argv[0]) : JS_UNDEFINED);
  return JS_UNDEFINED;
}

static bool watch(guest *g, JSValueConst promise) {
  JSContext *ctx = g->ctx;
  JSValueConst data[1] = {JS_NewUint32(ctx, g->task->serial)};
  JSValue fulfilled = JS_NewCFunctionData(ctx, on_settled, 1, TASK_FULFILLED, 1, data);
  JSValue rejected = JS_NewCFunctionData(ctx, on_settled, 1, TASK_REJECTED, 1, data);
  bool ok = !JS_IsException(fulfilled) && !JS_IsException(rejected) &&
            engine_promise_watch(ctx, promise, fulfilled, rejected) == 0;
  JS_FreeValue(ctx, fulfilled);
  JS_FreeValue(ctx, rejected);
  return ok;
}

/* A promise that is settled already needs no job more. */
static void await_promise(guest *g, JSValueConst promise) {
  switch (JS_PromiseState(g->ctx, promise)) {
  case JS_PROMISE_FULFILLED:
    settle(g, TASK_FULFILLED, JS_PromiseResult(g->ctx, promise));
    return;
  case JS_PROMISE_REJECTED:
    JS_PromiseMarkAsHandled(g->ctx, promise);
    settle(g, TASK_REJECTED, JS_PromiseResult(g->ctx, promise));
    return;
  default:
    if (!watch(g, promise))
      settle_thrown(g);
  }
}

/* 1: `value` has a function `then`; -1 with an exception. */
static int is_thenable(JSContext *ctx, JSValueConst value) {
  if (!JS_IsObject(value))
    return 0;
  JSValue then = JS_GetPropertyStr(ctx, value, "then");
  int is = JS_IsException(then) ? -1 : JS_IsFunction(ctx, then);
  JS_FreeValue(ctx, then);
  return is;
}

/* Awaits what the function returned (taken), as `await` would. */
static void await_returned(guest *g, JSValue value) {
  if (JS_IsException(value)) {
    settle_thrown(g);
    return;
  }
  int thenable = JS_IsPromise(value) ? 0 : is_thenable(g->ctx, value);
  if (thenable > 0) {
    JSValueConst arguments[1] = {value};
    JSValue promise = JS_Call(g->ctx, g->promise_resolve, g->promise_ctor, 1, arguments);
    JS_FreeValue(g->ctx, value);
    value = promise;
    thenable = JS_IsException(promise) ? -1 : 0;
  }
  if (thenable < 0)
    settle_thrown(g);
  else if (JS_IsPromise(value))
    await_promise(g, value);
  else
    settle(g, TASK_FULFILLED, JS_DupValue(g->ctx, value));
  JS_FreeValue(g->ctx, value);
}

/* ---- telling the host ---- */

/* Puts `value` so that the other side has all of it. 0, or -1 with an exception. */
static int put_value(guest *g, cbor_out *out, JSValueConst value, const char *root) {
  out->len = 0;
  out->status = CBOR_OK;
  int failed = value_encode(g->ctx, out, value, VALUE_TASK, root, 0);
  if (!failed && out->status == CBOR_OK)
    return 0;
  value_release(out->data, out->len);
  if (!JS_HasException(g->ctx)) {
    if (out->status == CBOR_E_SIZE)
      JS_ThrowRangeError(g->ctx, "%s is larger than 64 MiB", root);
    else
      JS_ThrowOutOfMemory(g->ctx);
  }
  return -1;
}

/* When there is no memory to say it better. */
static void send_least(guest *g) {
  uint8_t bytes[64];
  cbor_out out;
  cbor_out_fixed(&out, bytes, sizeof bytes);
  cbor_put_tag(&out, CBOR_TAG_OBJECT);
  cbor_put_array(&out, 2);
  cbor_put_cstring(&out, "InternalError");
  cbor_put_map(&out, 1);
  cbor_put_cstring(&out, "message");
  cbor_put_cstring(&out, "out of memory");
  outbox_put(g, WIRE_TASK_ERROR, g->task->id, bytes, out.len);
}

/* What is pending in the context says why the value itself could not be sent. */
static void send_pending(guest *g, cbor_out *out) {
  JSValue thrown = JS_GetException(g->ctx);
  if (g->stopped) {
    /* The host knows more of it than we. */
  } else if (put_value(g, out, thrown, "error") == 0) {
    outbox_put(g, WIRE_TASK_ERROR, g->task->id, out->data, out->len);
  } else {
    forget_exception(g);
    send_least(g);
  }
  JS_FreeValue(g->ctx, thrown);
}

static void send_outcome(guest *g) {
  guest_task *task = g->task;
  bool fulfilled = task->state == TASK_FULFILLED;
  cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  if (put_value(g, out, task->outcome, fulfilled ? "result" : "error") == 0)
    outbox_put(g, fulfilled ? WIRE_TASK_VALUE : WIRE_TASK_ERROR, task->id, out->data, out->len);
  else
    send_pending(g, out);
  scratch_release(g, out);
}

static bool is_made(const guest_task *task, const engine_shape *shape) {
  for (uint32_t i = 0; i < MADE_MAX; i++) {
    const engine_stages *made = &task->made[i];
    if (made->count > 0 && made->shapes[made->count - 1] == shape)
      return true;
  }
  return false;
}

void task_makes(guest *g, JSValueConst object) {
  guest_task *task = g->task;
  engine_shape *shape = task ? engine_shape_of(g->ctx, object) : NULL;
  if (!shape)
    return;
  if (!is_made(task, shape)) {
    engine_stages *made = &task->made[task->made_next++ % MADE_MAX];
    engine_stages_free(g->ctx, made);
    if (engine_stages_make(g->ctx, shape, made) < 0)
      forget_exception(g); /* it is only slower */
  }
  engine_shape_free(g->ctx, shape);
}

/* ---- the end ---- */

static void bind_names(guest *g, const task_function *function, bool bind) {
  JSContext *ctx = g->ctx;
  if (function->names_count == 0)
    return;
  JSValue global = JS_GetGlobalObject(ctx);
  for (uint32_t i = 0; i < function->names_count; i++) {
    int done = bind ? JS_DefinePropertyValue(ctx, global, function->names[i],
                                             JS_DupValue(ctx, function->function),
                                             JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE)
                    : JS_DeleteProperty(ctx, global, function->names[i], 0);
    if (done < 0)
      forget_exception(g); /* the function will find no such name */
  }
  JS_FreeValue(ctx, global);
}

static void stop_timers(guest *g) {
  if (!g->timers_started)
    return;
  g->timers_started = false;
  JSValue done = JS_Call(g->ctx, g->internals.clear_timers, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(done))
    forget_exception(g);
  JS_FreeValue(g->ctx, done);
}

/* Nothing of the task is to be seen by the next. */
static void clean_up(guest *g) {
  guest_task *task = g->task;
  if (task->running)
    bind_names(g, task->running, false);
  task->running = NULL;
  stop_timers(g);
  call_drop_all(g);
  guest_forget_unhandled(g);
  JS_FreeValue(g->ctx, task->outcome);
  task->outcome = JS_UNDEFINED;
  task->state = TASK_NONE;
}

/* The oldest rejection that nobody handled takes the place of the value. */
static void take_unhandled(guest *g) {
  JSValue reason = guest_first_unhandled(g);
  if (JS_IsUninitialized(reason))
    return;
  JS_FreeValue(g->ctx, g->task->outcome);
  g->task->outcome = reason;
  g->task->state = TASK_REJECTED;
}

void task_after_jobs(guest *g) {
  guest_task *task = g->task;
  if (!task || task->state == TASK_NONE || task->state == TASK_RUNNING)
    return;
  if (task->state == TASK_FULFILLED)
    take_unhandled(g);
  if (!g->stopped) /* or the host knows more of it than we */
    send_outcome(g);
  guest_run_jobs(g); /* of getters in what was sent */
  clean_up(g);
}

/* ---- WIRE_TASK ---- */

static void free_values(guest *g, JSValue *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    JS_FreeValue(g->ctx, values[i]);
  js_free(g->ctx, values);
}

/* NULL with an exception. */
static JSValue *read_arguments(guest *g, cbor_in *fields, uint32_t *count) {
  uint64_t said;
  if (cbor_get_array(fields, &said) != CBOR_OK || said > ARGUMENTS_MAX) {
    JS_ThrowRangeError(g->ctx, "a task takes at most %u arguments", ARGUMENTS_MAX);
    return NULL;
  }
  JSValue *values = js_malloc(g->ctx, ((size_t)said + 1) * sizeof *values);
  *count = 0;
  while (values && *count < said) {
    JSValue value = value_decode(g, fields);
    if (JS_IsException(value)) {
      free_values(g, values, *count);
      return NULL;
    }
    values[(*count)++] = value;
  }
  return values;
}

static void call_function(guest *g, task_function *function, cbor_in *fields) {
  uint32_t count;
  JSValue *arguments = read_arguments(g, fields, &count);
  if (!arguments) {
    settle_thrown(g);
    return;
  }
  g->task->running = function;
  engine_function_rebind(g->ctx, function->function);
  bind_names(g, function, true);
  await_returned(
      g, JS_Call(g->ctx, function->function, JS_UNDEFINED, (int)count, (JSValueConst *)arguments));
  free_values(g, arguments, count);
}

void task_start(guest *g, uint64_t id, cbor_in *fields) {
  uint64_t count;
  const uint8_t *hash;
  size_t len;
  if (!make_task(g)) {
    forget_exception(g); /* the memory limit ends this guest */
    return;
  }
  guest_task *task = g->task;
  if (task->state != TASK_NONE)
    return; /* the host breaks its own rule: the first task goes on */
  task->state = TASK_RUNNING;
  task->id = id;
  task->serial++;
  task_function *function = NULL;
  if (cbor_get_array(fields, &count) == CBOR_OK && count == 2 &&
      cbor_get_bytes(fields, &hash, &len) == CBOR_OK && len == WIRE_HASH)
    function = *find_function(task, hash);
  if (function) {
    call_function(g, function, fields);
  } else {
    JS_ThrowTypeError(g->ctx, "the worker could not read this function");
    settle_thrown(g);
  }
  guest_run_jobs(g);
  task_after_jobs(g);
}

/* ---- progress ---- */

JSValue task_progress(JSContext *ctx, JSValueConst this_value, int argc, JSValueConst *argv) {
  (void)this_value;
  guest *g = guest_of(ctx);
  if (!g->task || g->task->state == TASK_NONE)
    return JS_ThrowTypeError(ctx, "Deferred.progress is called by the function that runs");
  cbor_out own, *out = scratch_take(g, &own, WIRE_MESSAGE_MAX);
  int failed = put_value(g, out, argc > 0 ? argv[0] : JS_UNDEFINED, "progress");
  if (!failed)
    outbox_put(g, WIRE_PROGRESS, g->task->id, out->data, out->len);
  scratch_release(g, out);
  platform_flush(g); /* a function that computes for long tells it meanwhile */
  return failed ? JS_EXCEPTION : JS_UNDEFINED;
}

void task_free(guest *g) {
  guest_task *task = g->task;
  if (!task)
    return;
  for (uint32_t i = 0; i < BUCKETS; i++)
    for (task_function *at = task->functions[i], *next; at; at = next) {
      next = at->next;
      free_function(g, at);
    }
  for (uint32_t i = 0; i < MADE_MAX; i++)
    engine_stages_free(g->ctx, &task->made[i]);
  JS_FreeValue(g->ctx, task->outcome);
  js_free_rt(g->rt, task);
  g->task = NULL;
}
