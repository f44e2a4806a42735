/* What the tests of engines share: an engine with a counting allocator, guests
 * spoken to in messages of wire.h, and what they answered. */
#ifndef VOW_TEST_ENGINE_FIXTURE_H
#define VOW_TEST_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/cbor.h"
#include "core/json.h"
#include "engine/engine.h"
#include "unit/both_engines.h"
#include "unit/counting_alloc.h"
#include "unit/keep_traps.h"

#define MIB ((size_t)1 << 20)
#define MEMORY_MAX (64 * MIB)

typedef struct engine_fixture {
  counting_alloc counting;
  vow_allocator allocator;
  engine *engine;
} engine_fixture;

/* One guest and what it has said. */
typedef struct speaker {
  engine_instance *instance;
  unsigned messages, calls, logs;
  uint64_t call_id; /* of the last call */
  bool refuse;      /* the drain says no */
  char *value;      /* JSON; NULL: none so far */
  char error[64];   /* kind of WIRE_ERROR */
} speaker;

static inline void engine_fixture_open(engine_fixture *f, void **state) {
  char message[256];
  *f = (engine_fixture){0};
  f->allocator = counting_allocator(&f->counting);
  f->engine =
      engine_open(*(const engine_kind *)*state, &f->allocator, NULL, message, sizeof message);
  if (!f->engine)
    print_error("%s\n", message);
  assert_non_null(f->engine);
  if (engine_kind_of_engine(f->engine) == ENGINE_WASM)
    keep_traps();
  engine_verify_recycling(f->engine, true);
}

static inline void engine_fixture_close(engine_fixture *f) {
  assert_int_equal(engine_counts_of(f->engine).live, 0);
  engine_close(f->engine);
  assert_int_equal(f->counting.blocks, 0);
}

/* ---- from the guest ---- */

static inline void hear_value(speaker *s, const uint8_t *body, size_t len) {
  static const cbor_limits limits = {300, 1 << 20, 64 << 20};
  cbor_out json;
  size_t bytes;
  cbor_out_init(&json, NULL, 64 * MIB);
  assert_int_equal(json_from_cbor(body, len, &limits, &json), CBOR_OK);
  cbor_put_raw(&json, "", 1);
  s->value = (char *)cbor_out_take(&json, &bytes);
  assert_non_null(s->value);
}

static inline void hear_error(speaker *s, const uint8_t *body, size_t len) {
  cbor_in in, kind;
  const char *text;
  size_t text_len;
  cbor_in_init(&in, body, len);
  assert_true(cbor_find(&in, WIRE_ERROR_KIND, &kind));
  assert_int_equal(cbor_get_text(&kind, &text, &text_len), CBOR_OK);
  snprintf(s->error, sizeof s->error, "%.*s", (int)text_len, text);
}

static inline bool hear(void *user, const uint8_t *bytes, size_t len) {
  speaker *s = user;
  for (size_t at = 0; at < len;) {
    wire_header header = {0};
    const uint8_t *body = wire_next(bytes, len, &at, &header);
    assert_non_null(body);
    s->messages++;
    s->logs += header.type == WIRE_LOG;
    s->calls += header.type == WIRE_CALL;
    if (header.type == WIRE_CALL)
      s->call_id = header.id;
    if (header.type == WIRE_VALUE && !s->value)
      hear_value(s, body, header.len);
    if (header.type == WIRE_ERROR && !s->error[0])
      hear_error(s, body, header.len);
  }
  return !s->refuse;
}

static inline void speaker_open(speaker *s, engine_fixture *f, size_t memory_max) {
  *s = (speaker){0};
  s->instance = engine_instance_open(f->engine, NULL, memory_max, hear, s);
  assert_non_null(s->instance);
}

static inline void speaker_close(speaker *s, bool reusable) {
  engine_instance_close(s->instance, reusable);
  free(s->value);
  *s = (speaker){0};
}

/* ---- to the guest ---- */

typedef struct start_fields {
  const char *source;
  size_t source_len; /* 0: the source is a string */
  uint64_t random_seed, stack_bytes;
  uint32_t hash_seed;
} start_fields;

/* One operation is allowed: op(x), kind 0. */
static inline void put_start(cbor_out *out, const start_fields *fields) {
  uint8_t seeds[12];
  memcpy(seeds, &fields->random_seed, 8);
  memcpy(seeds + 8, &fields->hash_seed, 4);
  cbor_put_array(out, WIRE_START_FIELDS);
  cbor_put_bytes(out, seeds, sizeof seeds);
  cbor_put_uint(out, fields->stack_bytes ? fields->stack_bytes : 192u << 10);
  cbor_put_bool(out, false);
  cbor_put_cstring(out, "test.js");
  cbor_put_bytes(out, fields->source,
                 fields->source_len ? fields->source_len : strlen(fields->source));
  cbor_put_cstring(out, "{}");
  cbor_put_array(out, 1);
  cbor_put_array(out, 4);
  cbor_put_cstring(out, "op");
  cbor_put_uint(out, 1);
  cbor_put_bool(out, false);
  cbor_put_uint(out, 0);
  cbor_put_uint(out, 16 * MIB);
  cbor_put_bool(out, false);
}

/* Writes one message into the inbox; its bytes, 0 when there is no room. */
static inline size_t put_message(speaker *s, uint32_t type, uint64_t id, const void *body,
                                 size_t len) {
  const wire_header header = {type, (uint32_t)len, id};
  size_t size = sizeof header + WIRE_ALIGN((uint32_t)len);
  uint8_t *inbox = engine_inbox(s->instance, size);
  if (!inbox)
    return 0;
  memcpy(inbox, &header, sizeof header);
  if (len)
    memcpy(inbox + sizeof header, body, len);
  return size;
}

static inline size_t write_start(speaker *s, const start_fields *fields) {
  cbor_out out;
  cbor_out_init(&out, NULL, 128 * MIB);
  put_start(&out, fields);
  assert_int_equal(out.status, CBOR_OK);
  size_t size = put_message(s, WIRE_START, 0, out.data, out.len);
  cbor_out_free(&out);
  return size;
}

static inline engine_turn_result begin(speaker *s, const start_fields *fields) {
  size_t size = write_start(s, fields);
  assert_true(size > 0);
  return engine_turn(s->instance, size, UINT64_MAX);
}

static inline engine_turn_result finish_turn(speaker *s, engine_turn_result result) {
  while (result == ENGINE_YIELDED)
    result = engine_resume(s->instance);
  return result;
}

/* The whole first turn of a script. */
static inline engine_turn_result tell_script(speaker *s, const char *source) {
  const start_fields fields = {.source = source, .random_seed = 0x1234567, .hash_seed = 0x89abcdef};
  return finish_turn(s, begin(s, &fields));
}

static inline engine_turn_result tell(speaker *s, uint32_t type, uint64_t id, const void *body,
                                      size_t len) {
  size_t size = put_message(s, type, id, body, len);
  assert_true(size > 0);
  return finish_turn(s, engine_turn(s->instance, size, UINT64_MAX));
}

/* A script that is settled with `value` after one turn. */
static inline void says(speaker *s, const char *source, const char *value) {
  assert_int_equal(tell_script(s, source), ENGINE_DONE);
  if (!s->value)
    print_error("no value: %s\n", s->error);
  assert_non_null(s->value);
  assert_string_equal(s->value, value);
}

#endif
