/* A session of `vow host` in which each allocation fails once, and then everything
 * from it on: each request gets its one answer, or the session says that it failed;
 * what it says is JSON, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/json_read.h"
#include "core/op.h"
#include "host/session.h"
#include "unit/both_engines.h"
#include "unit/counting_alloc.h"
#include "unit/keep_traps.h"

#define REQUESTS 9 /* ids 1 to 8 */
#define RUNS_MAX 2

typedef struct fixture {
  counting_alloc counting;
  vow_allocator allocator;
  shard *shard;
  recorder recorder;
  session *session;
  unsigned answers[REQUESTS]; /* by id; 0: those that have none */
  unsigned results, calls, logs;
} fixture;

/* More runs than may live at once, one that is cancelled while it waits for a call,
 * answers that come in one array, calls that go out in one and are retried. */
static const char *const lines[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"register\",\"params\":{\"operations\":["
    "{\"name\":\"a.f\",\"description\":\"d\",\"parameters\":[{\"name\":\"s\",\"schema\":"
    "{\"type\":\"string\"}},{\"name\":\"o\",\"optional\":true}],\"policy\":{\"attempts\":3,"
    "\"idempotent\":true,\"batch_max\":4}},"
    "{\"name\":\"a.hold\",\"policy\":{\"single_flight\":true,\"cache_ms\":1000}}]}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"eval\",\"params\":{\"source\":"
    "\"console.log('x'); await a.f('y', {z: [1n]}) + context.n\",\"context\":{\"n\":2},"
    "\"debug\":true,\"allow\":[\"a.f\"]}}\n",
    "[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"eval\",\"params\":{\"source\":"
    "\"await Promise.all([a.f('1'), a.f('2')])\"}},"
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"types\"},"
    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}]\n",
    ("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"eval\",\"params\":{\"source\":"
     "\"await a.hold()\",\"name\":\"hold.mjs\",\"module\":true}}\n"),
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eval\",\"params\":{\"source\":\"null.x\"}}\n",
};
/* In pieces, as a pipe may give it. */
static const char *const pieces[] = {"{\"jsonrpc\":\"2.0\",\"id\":8,\"meth",
                                     "od\":\"cancel\",\"params\":{\"id\":6}}", "\n"};

static void say(fixture *f, const char *text) {
  session_feed(f->session, (const uint8_t *)text, strlen(text));
}

/* ---- what it says ---- */

static bool find_number(const cbor_in *object, const char *key, uint64_t *number) {
  cbor_in value;
  return cbor_find(object, key, &value) && cbor_get_uint(&value, number) == CBOR_OK;
}

static bool is_method(const cbor_in *object, const char *name) {
  cbor_in value;
  const char *text;
  size_t len;
  return cbor_find(object, "method", &value) && cbor_get_text(&value, &text, &len) == CBOR_OK &&
         len == strlen(name) && memcmp(text, name, len) == 0;
}

/* The first attempt of each call fails. */
static void answer_call(fixture *f, const cbor_in *message) {
  char text[160];
  cbor_in params;
  uint64_t id, attempt;
  assert_true(find_number(message, "id", &id));
  assert_true(cbor_find(message, "params", &params));
  assert_true(find_number(&params, "attempt", &attempt));
  f->calls++;
  snprintf(text, sizeof text,
           attempt == 1 ? "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"message\":\"no\",\"data\":"
                          "{\"transient\":true}}}\n"
                        : "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":40}\n",
           (unsigned long long)id);
  say(f, text);
}

static void hear_answer(fixture *f, const cbor_in *message) {
  cbor_in value;
  uint64_t id = 0;
  bool result = cbor_find(message, "result", &value), error = cbor_find(message, "error", &value);
  assert_true(result != error);
  find_number(message, "id", &id);
  assert_true(id < REQUESTS);
  f->answers[id]++;
  f->results += result;
  if (error && !cbor_find(&value, "code", &value))
    fail_msg("an error without a code");
}

static void hear(fixture *f, const cbor_in *message) {
  if (is_method(message, "call")) {
    answer_call(f, message);
  } else if (is_method(message, "log")) {
    f->logs++;
  } else if (!is_method(message, "cancelled")) {
    hear_answer(f, message);
  }
}

static void hear_line(fixture *f, const uint8_t *text, size_t len) {
  static const cbor_limits limits = {CBOR_DEPTH_MAX, SIZE_MAX, SIZE_MAX};
  cbor_out out;
  cbor_in in;
  cbor_item head, next;
  size_t at;
  cbor_out_init(&out, NULL, SIZE_MAX);
  if (json_to_cbor(text, len, false, &limits, &out, &at) != CBOR_OK)
    fail_msg("no JSON at %zu: %.*s", at, (int)len, (const char *)text);
  cbor_in_init(&in, out.data, out.len);
  cbor_in item = in;
  assert_int_equal(cbor_next(&item, &head), CBOR_OK);
  if (head.kind != CBOR_ARRAY) {
    hear(f, &in);
  } else {
    while (cbor_peek(&item, &next) == CBOR_OK && next.kind != CBOR_BREAK) {
      hear(f, &item);
      assert_int_equal(cbor_skip(&item), CBOR_OK);
    }
  }
  cbor_out_free(&out);
}

/* Takes what is there; answers may bring more. */
static void hear_all(fixture *f) {
  cbor_out *out = session_output(f->session);
  while (out->len > 0) {
    uint8_t *text = malloc(out->len);
    size_t len = out->len;
    assert_non_null(text);
    memcpy(text, out->data, len);
    out->len = 0;
    for (size_t from = 0; from < len;) {
      const uint8_t *newline = memchr(text + from, '\n', len - from);
      assert_non_null(newline);
      size_t part = (size_t)(newline - (text + from));
      hear_line(f, text + from, part);
      from += part + 1;
    }
    free(text);
  }
}

/* ---- the scenario ---- */

/* 6 has not been answered, or has not begun, when it is cancelled. */
static void drive(fixture *f) {
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    say(f, lines[i]);
  uv_run(loop_uv(shard_loop(f->shard)), UV_RUN_NOWAIT);
  session_turn(f->session);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
    say(f, pieces[i]);
  hear_all(f);
  while (!session_idle(f->session) && !session_failed(f->session)) {
    shard_turn(f->shard);
    session_turn(f->session);
    hear_all(f);
  }
}

/* A message that is lost for want of memory ends the session. */
static void check_answers(const fixture *f) {
  assert_int_equal(f->answers[0], 0);
  for (int id = 1; id < REQUESTS; id++)
    assert_int_equal(f->answers[id], 1);
}

static void close_all(fixture *f) {
  if (f->session)
    session_end(f->session);
  while (shard_handlers(f->shard) > 0)
    shard_turn(f->shard);
  op_counts counts = op_table_counts(shard_operations(f->shard));
  assert_int_equal(counts.live + counts.running + counts.queued + counts.timers, 0);
  assert_true(op_table_check(shard_operations(f->shard)));
  assert_true(!f->session || session_idle(f->session));
  recorder_close(&f->recorder);
  shard_close(f->shard);
  session_close(f->session);
}

static void open_session(fixture *f) {
  const recorder_parts parts = {
      .allocator = &f->allocator, .shard = f->shard, .audit_fd = -1, .metrics = true};
  const session_options options = {.allocator = &f->allocator,
                                   .shard = f->shard,
                                   .recorder = &f->recorder,
                                   .message_max = 1 << 16,
                                   .runs_max = RUNS_MAX,
                                   .version = "test"};
  if (recorder_begin(&f->recorder, &parts))
    f->session = session_open(&options);
}

static void scenario(fixture *f, engine_kind engine) {
  char message[256];
  f->allocator = counting_allocator(&f->counting);
  const shard_options shard_options = {.allocator = &f->allocator, .engine = engine};
  f->shard = shard_open(&shard_options, message, sizeof message);
  if (f->shard) {
    if (engine == ENGINE_WASM)
      keep_traps();
    open_session(f);
    if (f->session)
      drive(f);
    if (f->session && !session_failed(f->session))
      check_answers(f);
    close_all(f);
  }
  assert_int_equal(f->counting.blocks, 0);
}

static void nothing_fails(void **state) {
  fixture f = {.calls = 0};
  scenario(&f, *(const engine_kind *)*state);
  assert_int_equal(f.results, REQUESTS - 1);
  assert_int_equal(f.logs, 1);
  assert_true(f.calls >= 6); /* three of them twice */
}

static void each_fails(engine_kind engine, bool for_ever) {
  for (size_t n = 1;; n++) {
    fixture f = {.counting = {.fail_at = n, .for_ever = for_ever}};
    scenario(&f, engine);
    if (f.counting.calls < n) {
      assert_true(n > 50);
      print_message("%zu allocations\n", n - 1);
      return;
    }
  }
}

static void each_allocation_fails_once(void **state) {
  each_fails(*(const engine_kind *)*state, false);
}

static void from_each_allocation_on_all_fail(void **state) {
  each_fails(*(const engine_kind *)*state, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(nothing_fails),
      ON_BOTH(each_allocation_fails_once),
      ON_BOTH(from_each_allocation_on_all_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
