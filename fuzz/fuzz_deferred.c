/* What Deferred's handler reads of a call and of code, and what a worker's guest reads of
 * the host's messages. Values have any shape but are well-formed, as the host makes sure.
 * Bytecode is trusted, so that it is whole or cut here, never changed. */
#include <stdlib.h>
#include <string.h>

#include "deferred/deferred_int.h"
#include "engine/engine.h"
#include "guest/shared.h"
#include "unit/counting_alloc.h"

#define MEMORY_MAX ((size_t)16 << 20)
#define TURNS 20u
#define CODES 6u

static const char program[] =
    "for (const f of [(x) => x, async (...all) => [await op(...all), all], (x) => { throw x; },"
    " async (x) => { Deferred.progress(x); await sleep(1); return x; },"
    " function again(x) { return x && typeof x === 'object' ? Object.keys(x).map(again) : x; },"
    " (x) => new Promise((give) => { setTimeout(give, 1, x); op(x).then(give, give); })])"
    " new Deferred(f); 0";

static const char *const kinds[] = {"op", "Deferred", "Deferred.pure", "Deferred.ready"};

typedef struct sent {
  uint8_t *bytes; /* WIRE_CODE */
  size_t len;
} sent;

static struct {
  const uint8_t *at, *end;
  counting_alloc counting;
  engine *engine;
  sent codes[CODES];
  unsigned codes_count;
  uint64_t call, timer; /* the last ones */
} f;

static void demand(bool holds) {
  if (!holds)
    abort();
}

static uint8_t byte(void) {
  return f.at < f.end ? *f.at++ : 0;
}

static bool is_well_formed(const uint8_t *bytes, size_t len) {
  static const cbor_limits limits = {WIRE_DEPTH_MAX + 8, WIRE_NODES_MAX, WIRE_MESSAGE_MAX};
  return cbor_check(bytes, len, &limits) == CBOR_OK;
}

/* ---- the handler ---- */

static void try_terms(const uint8_t *bytes, size_t len) {
  task_terms terms;
  if (!is_well_formed(bytes, len) || !deferred_task_terms_read(bytes, len, &terms))
    return;
  demand(terms.hash >= bytes && terms.hash + WIRE_HASH <= terms.list);
  demand(terms.list + terms.list_len <= bytes + len && is_well_formed(terms.list, terms.list_len));
}

/* One that a guest sent, with bytes of it changed, and any bytes. */
static void try_code(const uint8_t *bytes, size_t len) {
  const vow_allocator allocator = counting_allocator(&f.counting);
  code_table table = {.allocator = &allocator};
  size_t blocks = f.counting.blocks;
  const sent *original = &f.codes[len % CODES];
  uint8_t *copy = malloc(original->len);
  demand(copy != NULL);
  memcpy(copy, original->bytes, original->len);
  for (size_t i = 0; i + 2 < len; i += 3)
    copy[(bytes[i] * 256u + bytes[i + 1]) % original->len] ^= bytes[i + 2];
  if (is_well_formed(copy, original->len) && code_add(&table, copy, original->len)) {
    const code *added = code_find(&table, original->bytes + 2);
    demand(added && added->name[sizeof added->name - 1] == 0);
  }
  if (is_well_formed(bytes, len))
    demand(!code_add(&table, bytes, len)); /* nobody makes up a hash */
  free(copy);
  code_table_free(&table);
  demand(f.counting.blocks == blocks);
}

/* ---- a guest ---- */

static void note(const wire_header *header, const uint8_t *body) {
  switch (header->type) {
  case WIRE_CALL:
    f.call = header->id;
    break;
  case WIRE_TIMER_START:
    f.timer = header->id;
    break;
  case WIRE_CODE:
    if (f.codes_count < CODES) {
      sent *code = &f.codes[f.codes_count++];
      *code = (sent){malloc(header->len), header->len};
      demand(code->bytes != NULL);
      memcpy(code->bytes, body, header->len);
    }
    break;
  default:
    break;
  }
}

static bool hear(void *user, const uint8_t *bytes, size_t len) {
  (void)user;
  for (size_t at = 0; at < len;) {
    wire_header header;
    const uint8_t *body = wire_next(bytes, len, &at, &header);
    demand(body && (header.len == 0 || is_well_formed(body, header.len)));
    note(&header, body);
    value_release(body, header.len);
  }
  return true;
}

static void put_start(cbor_out *out, uint32_t type, const char *source) {
  static const uint8_t seeds[12] = {1};
  cbor_out body;
  cbor_out_init(&body, NULL, 1 << 20);
  cbor_put_array(&body, WIRE_START_FIELDS);
  cbor_put_bytes(&body, seeds, sizeof seeds);
  cbor_put_uint(&body, 192u << 10);
  cbor_put_bool(&body, false);
  cbor_put_cstring(&body, "fuzz.js");
  cbor_put_cstring(&body, source);
  cbor_put_cstring(&body, "{}");
  cbor_put_array(&body, sizeof kinds / sizeof *kinds);
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    cbor_put_array(&body, 4);
    cbor_put_cstring(&body, kinds[i]);
    cbor_put_uint(&body, 3 - i);
    cbor_put_bool(&body, false);
    cbor_put_uint(&body, i);
  }
  cbor_put_uint(&body, 1 << 20);
  cbor_put_bool(&body, false);
  deferred_task_put_message(out, type, 0, body.data, body.len);
  cbor_out_free(&body);
}

/* False after a fault. */
static bool turn(engine_instance *instance, const cbor_out *messages) {
  demand(messages->status == CBOR_OK);
  uint8_t *inbox = engine_inbox(instance, messages->len);
  if (!inbox)
    return false;
  if (messages->len)
    memcpy(inbox, messages->data, messages->len);
  return engine_turn(instance, messages->len, UINT64_MAX) == ENGINE_DONE;
}

static engine_instance *open_guest(uint32_t type, const char *source) {
  cbor_out out;
  engine_instance *instance = engine_instance_open(f.engine, NULL, MEMORY_MAX, hear, NULL);
  demand(instance != NULL);
  cbor_out_init(&out, NULL, 1 << 20);
  put_start(&out, type, source);
  demand(turn(instance, &out));
  cbor_out_free(&out);
  return instance;
}

/* ---- messages to a worker's guest ---- */

/* The next item of the input, or the next bytes as one. */
static void put_value(cbor_out *out) {
  cbor_in in;
  const uint8_t *item;
  size_t len, left = (size_t)(f.end - f.at);
  cbor_in_init(&in, f.at, left);
  if (cbor_slice(&in, &item, &len) == CBOR_OK && is_well_formed(item, len)) {
    cbor_put_raw(out, item, len);
    f.at += len;
    return;
  }
  len = byte();
  left = (size_t)(f.end - f.at);
  len = len < left ? len : left;
  cbor_put_bytes(out, f.at, len);
  f.at += len;
}

/* A function's, or nobody's. */
static void put_hash(cbor_out *out, const sent *code) {
  uint8_t hash[WIRE_HASH];
  memcpy(hash, code->bytes + 2, WIRE_HASH);
  hash[0] ^= byte() > 250;
  cbor_put_bytes(out, hash, WIRE_HASH);
}

static void put_code(cbor_out *out, const sent *code) {
  cbor_in in;
  uint64_t count;
  const uint8_t *hash, *bytes;
  size_t hash_len, len;
  uint8_t shape = byte();
  cbor_in_init(&in, code->bytes, code->len);
  demand(cbor_get_array(&in, &count) == CBOR_OK &&
         cbor_get_bytes(&in, &hash, &hash_len) == CBOR_OK &&
         cbor_get_bytes(&in, &bytes, &len) == CBOR_OK);
  cbor_put_array(out, 5);
  put_hash(out, code);
  cbor_put_bytes(out, bytes, shape < 32 ? len * byte() / 256 : len);
  for (int i = 0; i < 3; i++)
    put_value(out);
}

static void put_body(cbor_out *out, uint32_t type) {
  const sent *code = &f.codes[byte() % CODES];
  switch (byte() > 240 ? 0 : type) { /* seldom any other shape */
  case WIRE_CODE:
    put_code(out, code);
    break;
  case WIRE_CODE_DROP:
    put_hash(out, code);
    break;
  case WIRE_TASK:
    cbor_put_array(out, 2);
    put_hash(out, code);
    put_value(out);
    break;
  case WIRE_REJECT:
    cbor_put_array(out, 7);
    for (int i = 0; i < 7; i++)
      put_value(out);
    break;
  case WIRE_TIMER:
    break;
  default:
    put_value(out);
  }
}

static void put_message(cbor_out *out) {
  static const uint32_t types[] = {WIRE_CODE,   WIRE_CODE,         WIRE_TASK,    WIRE_TASK,
                                   WIRE_TASK,   WIRE_CODE_DROP,    WIRE_TIMER,   WIRE_FULFIL,
                                   WIRE_REJECT, WIRE_REJECT_VALUE, WIRE_PROGRESS};
  uint32_t type = types[byte() % (sizeof types / sizeof *types)];
  uint8_t id = byte();
  cbor_out body;
  cbor_out_init(&body, NULL, 1 << 20);
  put_body(&body, type);
  demand(body.status == CBOR_OK);
  deferred_task_put_message(out, type,
                            id > 200             ? id
                            : type == WIRE_TIMER ? f.timer
                                                 : f.call,
                            body.data, body.len);
  cbor_out_free(&body);
}

static void try_guest(void) {
  engine_instance *instance = open_guest(WIRE_LOAD, "");
  bool fine = true;
  for (unsigned i = 0; fine && i < TURNS && f.at < f.end; i++) {
    cbor_out out;
    cbor_out_init(&out, NULL, 1 << 24);
    for (unsigned messages = byte() % 4u + 1; messages > 0; messages--)
      put_message(&out);
    fine = turn(instance, &out);
    cbor_out_free(&out);
  }
  engine_instance_close(instance, fine);
  demand(shared_in_flight() == 0);
}

/* ---- */

static void open_engine(void) {
  static const engine_trust trust = {.can_block = true};
  static vow_allocator allocator;
  char message[200];
  allocator = counting_allocator(&f.counting);
  f.engine = engine_open(ENGINE_NATIVE, &allocator, NULL, message, sizeof message);
  demand(f.engine != NULL);
  engine_set_trust(f.engine, &trust);
  engine_instance_close(open_guest(WIRE_START, program), true);
  demand(f.codes_count == CODES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!f.engine)
    open_engine();
  if (size == 0)
    return 0;
  f.at = data + 1;
  f.end = data + size;
  f.call = f.timer = 0;
  size_t blocks = f.counting.blocks;
  if (data[0] % 8 == 0)
    try_terms(f.at, size - 1);
  else if (data[0] % 8 == 1)
    try_code(f.at, size - 1);
  else
    try_guest();
  demand(f.counting.blocks == blocks);
  return 0;
}
