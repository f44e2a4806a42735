/* A hostile guest against the real code of runs. The engine is replaced by one
 * whose guests say what the input says: whole messages with sensible or random
 * bodies, or any bytes; they yield, end their turns or come to grief. Between
 * turns and within callbacks the host answers, cancels, disposes and lets time
 * pass, as the input says. */
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"
#include "sandbox/run.h"
#include "stand_in_engine.h"

#define RUNS 3u
#define HELD 256u
#define STEPS 400u
#define MS UINT64_C(1000000)

typedef struct watched {
  run *run;      /* NULL: none */
  unsigned done; /* calls of on_done */
} watched;

static struct {
  const uint8_t *at, *end;
  size_t blocks;
  shard *shard;
  watched runs[RUNS];
  host_call *held[HELD];
  unsigned held_count, depth;
  uint64_t time; /* ahead of the clock, ns */
} f;

static uint8_t byte(void) {
  return f.at < f.end ? *f.at++ : 0;
}

static size_t slice(size_t max, const uint8_t **bytes) {
  size_t len = byte(), left = (size_t)(f.end - f.at);
  len = len < max ? len : max;
  len = len < left ? len : left;
  *bytes = f.at;
  f.at += len;
  return len;
}

static void *reallocate(void *user, void *block, size_t size) {
  (void)user;
  if (size == 0) {
    f.blocks -= block != NULL;
    free(block);
    return NULL;
  }
  void *fresh = realloc(block, size);
  f.blocks += !block && fresh;
  return fresh;
}

/* ---- the guest's messages ---- */

static void put_call(cbor_out *out) {
  uint8_t shape = byte();
  const uint8_t *bytes;
  cbor_put_array(out, shape & 128 ? byte() % 8 : 5);
  cbor_put_uint(out, byte() % 6);
  if (shape & 1)
    cbor_put_double(out, byte() / 8.0);
  else
    cbor_put_null(out);
  cbor_put_int(out, -(int)(shape >> 5));
  if (shape & 2)
    cbor_put_cstring(out, "at test.js:1:1");
  else
    cbor_put_null(out);
  cbor_put_array(out, 1);
  if (shape & 4) {
    size_t len = slice(64, &bytes);
    cbor_put_raw(out, bytes, len); /* any bytes */
  } else {
    size_t len = slice(255, &bytes);
    cbor_put_bytes(out, bytes, len);
  }
}

static void put_error(cbor_out *out) {
  static const char *const kinds[] = {"script", "api", "denied", "stack", "result", "memory", "?"};
  const uint8_t *text;
  cbor_put_map(out, 4);
  cbor_put_cstring(out, WIRE_ERROR_KIND);
  cbor_put_cstring(out, kinds[byte() % 7]);
  cbor_put_cstring(out, WIRE_ERROR_NAME);
  cbor_put_cstring(out, "TypeError");
  cbor_put_cstring(out, WIRE_ERROR_MESSAGE);
  size_t len = slice(64, &text);
  cbor_put_text(out, (const char *)text, len);
  cbor_put_cstring(out, WIRE_ERROR_OPERATION);
  cbor_put_array(out, 3);
  cbor_put_uint(out, byte());
  cbor_put_cstring(out, "fuzz.hold");
  cbor_put_uint(out, byte());
}

static void put_value(cbor_out *out) {
  const uint8_t *bytes;
  uint8_t shape = byte();
  for (unsigned i = 0; i < shape % 32u * (shape & 64 ? 10u : 1u); i++)
    cbor_put_array(out, 1);
  size_t len = slice(255, &bytes);
  if (shape & 128)
    cbor_put_raw(out, bytes, len);
  else
    cbor_put_bytes(out, bytes, len);
}

static void put_body(cbor_out *out, uint32_t type) {
  const uint8_t *bytes;
  if (!byte()) { /* seldom, for there is always a body of the right form */
    size_t len = slice(255, &bytes);
    cbor_put_raw(out, bytes, len);
    return;
  }
  if (type == WIRE_CALL)
    put_call(out);
  else if (type == WIRE_TIMER_START)
    cbor_put_double(out, byte());
  else if (type == WIRE_LOG) {
    size_t len = slice(255, &bytes);
    cbor_put_array(out, 2);
    cbor_put_uint(out, byte() % 5);
    cbor_put_text(out, (const char *)bytes, len);
  } else if (type == WIRE_VALUE)
    put_value(out);
  else if (type == WIRE_ERROR || type == WIRE_UNHANDLED)
    put_error(out);
}

static void put_message(cbor_out *out) {
  static const uint8_t zeros[8];
  uint8_t shape = byte(), id = byte();
  cbor_out body;
  cbor_out_init(&body, NULL, 1 << 16);
  uint32_t type = shape < 250 ? (uint32_t)WIRE_CALL + shape % 8u : shape % 40u;
  put_body(&body, type);
  wire_header header = {type, (uint32_t)body.len, id & 15u};
  if (type == WIRE_TIMER_START || type == WIRE_TIMER_STOP)
    header.id |= WIRE_TIMER_BIT;
  if (id > 250)
    header.len += byte(); /* a lie */
  cbor_put_raw(out, &header, sizeof header);
  if (body.len)
    cbor_put_raw(out, body.data, body.len);
  cbor_put_raw(out, zeros, WIRE_ALIGN((uint32_t)body.len) - body.len);
  cbor_out_free(&body);
}

/* ---- its turns ---- */

static void say(engine_instance *instance) {
  cbor_out out;
  uint8_t shape = byte();
  cbor_out_init(&out, NULL, 1 << 20);
  for (unsigned i = 0; i < shape % 8u; i++)
    put_message(&out);
  if (shape >= 240) {
    const uint8_t *bytes;
    size_t len = slice(255, &bytes);
    cbor_put_raw(&out, bytes, len);
  }
  say_bytes(instance, out.data, out.len);
  cbor_out_free(&out);
}

static engine_turn_result play(engine_instance *instance) {
  say(instance);
  if (instance->fault != ENGINE_FAULT_NONE)
    return ENGINE_FAULT;
  uint8_t end = byte();
  if (end >= 250)
    instance->fault = (engine_fault)(ENGINE_FAULT_MEMORY + end % 5);
  instance->unhandled = end >> 6 & 1;
  return end & 1 && f.at < f.end ? ENGINE_YIELDED : ENGINE_DONE;
}

static bool short_of_memory(void) {
  return byte() == 255;
}

/* ---- the host ---- */

static void act(void);

static void act_within(void) {
  if (f.depth < 3 && byte() > 200) {
    f.depth++;
    act();
    f.depth--;
  }
}

static void start_now(host_call *call, void *user) {
  (void)user;
  host_call_fulfil(call, "\x01", 1);
}

static void start_reject(host_call *call, void *user) {
  static const host_error error = {.name = "ConflictError", .code = "C", .message = "no"};
  (void)user;
  host_call_reject(call, &error);
}

static void start_hold(host_call *call, void *user) {
  (void)user;
  if (f.held_count == HELD) {
    host_call_fulfil(call, "\xf6", 1);
    return;
  }
  f.held[f.held_count++] = call;
  act_within();
}

static void answer(unsigned i) {
  size_t len;
  host_call *call = f.held[i];
  f.held[i] = f.held[--f.held_count];
  host_call_arguments(call, &len);
  if (len % 2)
    start_now(call, NULL);
  else
    start_reject(call, NULL);
}

static void stop_hold(host_call *call, void *user) {
  (void)call, (void)user;
  act_within();
}

static void stop_polite(host_call *call, void *user) {
  stop_hold(call, user);
  for (unsigned i = 0; i < f.held_count; i++)
    if (f.held[i] == call) {
      answer(i);
      return;
    }
}

static void on_log(void *user, int level, const char *text, size_t len) {
  volatile char sum = 0;
  (void)user, (void)level;
  for (size_t i = 0; i < len; i++)
    sum = (char)(sum + text[i]);
}

static void on_done(run *run, const run_report *report, void *user) {
  watched *w = user;
  const op_counts *c = &report->operations;
  const vow_allocator allocator = {reallocate, NULL};
  demand(w->run == run && w->done++ == 0 && !run_alive(run));
  demand(c->created == c->fulfilled + c->rejected + c->timed_out + c->cancelled && c->live == 0);
  demand(report->outcome != RUN_VALUE || (report->value && report->error.kind == RUN_KIND_NONE));
  demand(report->pending_count <= RUN_PENDING_LISTED);
  char *json = run_report_json(report, NULL, &allocator);
  demand(json != NULL);
  mem_free(&allocator, json);
  if (byte() & 1) {
    w->run = NULL;
    run_dispose(run);
  }
  act_within();
}

static void open_run(watched *w) {
  static const host_kind kinds[] = {
      {.name = "fuzz.now", .arguments = 1, .start = start_now},
      {.name = "fuzz.reject", .arguments = 1, .start = start_reject},
      {.name = "fuzz.hold", .arguments = 1, .start = start_hold, .stop = stop_hold},
      {.name = "fuzz.polite", .arguments = 1, .start = start_hold, .stop = stop_polite},
      {.name = "fuzz.deaf", .arguments = 1, .start = start_hold},
  };
  uint8_t bits = byte();
  run_options options = {.name = "fuzz.js",
                         .source = "",
                         .kinds = kinds,
                         .kinds_count = sizeof kinds / sizeof kinds[0],
                         .limits = run_limits_default,
                         .debug = bits & 1,
                         .on_log = on_log,
                         .on_done = on_done,
                         .user = w};
  options.limits.concurrent_max = (bits >> 1 & 3) + 1u;
  options.limits.operations_max = bits & 8 ? 100 : 5;
  options.limits.op_timeout_ms = bits >> 4 & 7;
  options.limits.wall_ms = bits & 128 ? 10 : 100000;
  options.limits.log_bytes = options.limits.result_bytes = 300;
  options.limits.memory_bytes = bits == 255 ? 1024 : RUN_MEMORY_MIN;
  *w = (watched){.run = run_open(f.shard, &options)};
}

static void dispose(watched *w) {
  run *run = w->run;
  w->run = NULL;
  if (run)
    run_dispose(run);
}

/* The table is told of a later time than it is. */
static void let_time_pass(void) {
  op_table *table = shard_operations(f.shard);
  f.time += byte() * MS;
  op_expire(table, loop_now() + f.time, 1 + byte() % 8);
}

static void look(const watched *w) {
  op_info list[4];
  if (!w->run)
    return;
  op_counts counts = run_counts(w->run);
  size_t pending = run_pending(w->run, list, 4);
  demand(!run_alive(w->run) || pending == counts.live + counts.timers);
}

static void act(void) {
  watched *w = &f.runs[byte() % RUNS];
  switch (byte() % 9) {
  case 0:
    if (!w->run)
      open_run(w);
    break;
  case 1:
    if (f.held_count)
      answer(byte() % f.held_count);
    break;
  case 2:
    if (w->run)
      run_cancel(w->run);
    break;
  case 3:
    dispose(w);
    break;
  case 4:
    if (w->run)
      run_set_wall(w->run, byte());
    break;
  case 5:
    let_time_pass();
    break;
  case 6:
    look(w);
    break;
  default:
    if (f.depth == 0)
      uv_run(loop_uv(shard_loop(f.shard)), UV_RUN_NOWAIT);
  }
}

static void wind_up(void) {
  f.at = f.end;
  for (unsigned i = 0; i < RUNS; i++)
    dispose(&f.runs[i]);
  while (f.held_count > 0)
    answer(0);
  op_counts counts = op_table_counts(shard_operations(f.shard));
  demand(counts.live + counts.running + counts.queued + counts.timers == 0);
  demand(shard_handlers(f.shard) == 0);
  shard_close(f.shard);
  demand(f.blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const vow_allocator allocator = {reallocate, NULL};
  const shard_options options = {.allocator = &allocator};
  char message[100];
  memset(&f, 0, sizeof f);
  f.at = data;
  f.end = data + size;
  f.shard = shard_open(&options, message, sizeof message);
  demand(f.shard != NULL);
  open_run(&f.runs[0]);
  for (unsigned steps = 0; steps < STEPS && f.at < f.end; steps++) {
    act();
    demand(op_table_check(shard_operations(f.shard)));
  }
  wind_up();
  return 0;
}
