/* Messages to `vow host`, whole and broken, against a session on a real shard; the
 * engine is a stand-in whose guest makes one call of each run's first operation and
 * ends with its answer. What comes out must be lines of JSON, and at the end nothing
 * may be left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_read.h"
#include "guest/wire.h"
#include "host/session.h"
#include "stand_in_engine.h"

#define MESSAGE_MAX 2048u
#define STEPS 200u

/* ---- the input ---- */

static struct { const uint8_t *at, *end; } f;

static uint8_t byte(void) {
  return f.at < f.end ? *f.at++ : 0;
}

/* ---- the guest ---- */

static void say(engine_instance *instance, uint32_t type, const void *body, size_t len) {
  uint8_t message[sizeof(wire_header) + 64] = {0};
  const wire_header header = {type, (uint32_t)len, 1};
  memcpy(message, &header, sizeof header);
  memcpy(message + sizeof header, body, len);
  say_bytes(instance, message, sizeof header + WIRE_ALIGN((uint32_t)len));
}

static engine_turn_result play(engine_instance *instance) {
  wire_header header = {0};
  if (instance->inbox_len >= sizeof header)
    memcpy(&header, instance->inbox, sizeof header);
  if (header.type == WIRE_START) {
    say(instance, WIRE_LOG, "\x82\x01\x62hi", 5);
    say(instance, WIRE_CALL, "\x85\x00\xf6\x00\xf6\x82\x61x\xc2\x41\x05", 11);
  } else {
    say(instance, WIRE_VALUE,
        "\xa1\x61"
        "a\xf6",
        4);
  }
  return ENGINE_DONE;
}

static bool short_of_memory(void) {
  return byte() == 255;
}

/* ---- messages ---- */

/* %u is a small number, %s a piece of the input as it is. */
static const char *const templates[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"eval\",\"params\":{\"source\":\"%s\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"eval\",\"params\":{\"source\":\"\",%s}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"eval\",\"params\":{\"source\":\"\",\"allow\":[\"%"
    "s\"]}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":%s}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":131072,\"result\":%s}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":131073,\"error\":{\"message\":\"%s\",\"data\":{\"name\":\"%s\"}}}"
    "\n",
    "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":%u}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"ping\"}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"types\",\"params\":{\"allow\":[\"%s*\"]}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"register\",\"params\":{\"operations\":[{\"name\":"
    "\"f%u\",%s}]}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"register\",\"params\":{\"operations\":[{\"name\":"
    "\"g%u\","
    "\"parameters\":[{\"name\":\"a\",\"schema\":{%s}}],\"result\":{%s}}]}}\n",
    "[{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"eval\",\"params\":{\"source\":\"\"}},%s]\n",
    "%s\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"eval\",\"params\":{\"source\":\"1\","
    "\"progress\":true,\"tenant\":\"t\",\"parent\":13107%u}}\n",
    "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"call\":13107%u,\"value\":%s}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"metrics\"}\n",
    "%s",
};
#define TEMPLATES (sizeof templates / sizeof *templates)

static void feed(session *session, const void *bytes, size_t len) {
  /* Exactly as long as it is, so that a read beyond it is seen. */
  uint8_t *exact = malloc(len ? len : 1);
  demand(exact != NULL);
  if (len)
    memcpy(exact, bytes, len);
  session_feed(session, exact, len);
  free(exact);
}

static void feed_piece(session *session) {
  size_t len = byte(), left = (size_t)(f.end - f.at);
  len = len < left ? len : left;
  const uint8_t *from = f.at;
  f.at += len;
  feed(session, from, len);
}

static void feed_template(session *session, const char *text) {
  while (*text) {
    const char *mark = strchr(text, '%');
    size_t len = mark ? (size_t)(mark - text) : strlen(text);
    char number[8];
    feed(session, text, len);
    if (!mark)
      return;
    if (mark[1] == 's') {
      feed_piece(session);
    } else {
      int digits = snprintf(number, sizeof number, "%u", byte() % 8u);
      feed(session, number, (size_t)digits);
    }
    text = mark + 2;
  }
}

/* ---- the session ---- */

static void check_output(session *session) {
  static const cbor_limits limits = {CBOR_DEPTH_MAX, SIZE_MAX, SIZE_MAX};
  cbor_out *out = session_output(session), parsed;
  size_t from = 0, at;
  cbor_out_init(&parsed, NULL, SIZE_MAX);
  while (from < out->len) {
    const uint8_t *line = out->data + from;
    const uint8_t *end = memchr(line, '\n', out->len - from);
    demand(end != NULL);
    parsed.len = 0;
    demand(json_to_cbor(line, (size_t)(end - line), false, &limits, &parsed, &at) == CBOR_OK);
    from += (size_t)(end - line) + 1;
  }
  out->len = 0;
  cbor_out_free(&parsed);
}

static void turn(session *session, shard *shard) {
  uv_run(loop_uv(shard_loop(shard)), UV_RUN_NOWAIT);
  session_turn(session);
  check_output(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char first[] =
      "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"register\",\"params\":{\"operations\":[{\"name\":"
      "\"a.f\",\"parameters\":[{\"name\":\"s\"},{\"name\":\"n\",\"optional\":true}]}]}}\n";
  char message[100];
  const shard_options shard_options = {.engine = ENGINE_WASM};
  f.at = data;
  f.end = data + size;
  shard *shard = shard_open(&shard_options, message, sizeof message);
  demand(shard != NULL);
  recorder recorder = {0};
  const recorder_parts parts = {.shard = shard, .audit_fd = -1, .metrics = true};
  demand(recorder_begin(&recorder, &parts));
  const session_options options = {.shard = shard,
                                   .recorder = &recorder,
                                   .message_max = MESSAGE_MAX,
                                   .runs_max = 3,
                                   .version = "fuzz"};
  session *session = session_open(&options);
  demand(session != NULL);
  feed(session, first, sizeof first - 1);
  for (unsigned steps = 0; steps < STEPS && f.at < f.end; steps++) {
    uint8_t choice = byte();
    if (choice < 200)
      feed_template(session, templates[choice % TEMPLATES]);
    else if (choice < 250)
      turn(session, shard);
    else
      session_set_backlog(session, choice % 2 ? SESSION_BACKLOG_MAX + 1 : 0);
  }
  if (byte() & 1)
    session_deafen(session);
  session_end(session);
  check_output(session);
  demand(session_idle(session) && !session_failed(session) && shard_handlers(shard) == 0);
  op_counts counts = op_table_counts(shard_operations(shard));
  demand(counts.live + counts.running + counts.queued + counts.timers == 0);
  recorder_close(&recorder);
  shard_close(shard);
  session_close(session);
  return 0;
}
