/* A main guest and a worker's guest in one thread, with the test as the host between
 * them: it carries functions, tasks, answers and progress, and fires timers at once. */
#ifndef VOW_TEST_GUESTS_FIXTURE_H
#define VOW_TEST_GUESTS_FIXTURE_H

#include "guest/shared.h"
#include "unit/engine_fixture.h"

enum { KIND_OP, KIND_TASK, KIND_PURE, KIND_READY, KINDS };
#define STEPS_MAX 100000u
#ifndef FIXTURE_MALLOC /* one that never fails, where others do */
#define FIXTURE_MALLOC malloc
#endif

typedef struct message {
  struct message *next;
  uint32_t type, len;
  uint64_t id;
  uint8_t bytes[];
} message;

typedef struct queue {
  message *first, *last;
} queue;

struct pair;

typedef struct side {
  struct pair *pair;
  engine_instance *instance;
  queue said;  /* by this guest, to be looked at */
  queue heard; /* for this guest */
} side;

typedef struct pair {
  counting_alloc counting;
  vow_allocator allocator;
  engine *engine;
  side main, worker;
  queue tasks; /* that wait for the worker */
  queue code;  /* that was kept from it */
  bool busy, hold_tasks, hold_code, hold_answers;
  unsigned codes, calls, cancels, answers, progress, stopped_timers;
  uint64_t running;
  bool isolated;
  double memory_mib, run_ms;
  char affinity[64], source[256], function_name[64], file[64];
  char *value; /* JSON */
  char error[1024];
} pair;

/* ---- queues ---- */

static inline message *queue_put(queue *q, uint32_t type, uint64_t id, const void *bytes,
                                 size_t len) {
  message *m = FIXTURE_MALLOC(sizeof *m + len);
  assert_non_null(m);
  *m = (message){.type = type, .len = (uint32_t)len, .id = id};
  if (len)
    memcpy(m->bytes, bytes, len);
  if (q->last)
    q->last->next = m;
  else
    q->first = m;
  q->last = m;
  return m;
}

static inline message *queue_take(queue *q) {
  message *m = q->first;
  if (m) {
    q->first = m->next;
    if (!q->first)
      q->last = NULL;
  }
  return m;
}

static inline void queue_drop(queue *q) {
  for (message *m; (m = queue_take(q));) {
    value_release(m->bytes, m->len);
    free(m);
  }
}

/* ---- life ---- */

static inline bool pair_hear(void *user, const uint8_t *bytes, size_t len) {
  side *s = user;
  for (size_t at = 0; at < len;) {
    wire_header header = {0};
    const uint8_t *body = wire_next(bytes, len, &at, &header);
    assert_non_null(body);
    queue_put(&s->said, header.type, header.id, body, header.len);
  }
  return true;
}

static inline void put_kind(cbor_out *out, const char *name, unsigned arguments, unsigned kind) {
  cbor_put_array(out, 4);
  cbor_put_cstring(out, name);
  cbor_put_uint(out, arguments);
  cbor_put_bool(out, false);
  cbor_put_uint(out, kind);
}

static inline void pair_start(side *s, uint32_t type, const char *source, bool is_module) {
  static const uint8_t seeds[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  cbor_out out;
  cbor_out_init(&out, NULL, 64 * MIB);
  cbor_put_array(&out, WIRE_START_FIELDS);
  cbor_put_bytes(&out, seeds, sizeof seeds);
  cbor_put_uint(&out, 192u << 10);
  cbor_put_bool(&out, is_module);
  cbor_put_cstring(&out, "test.js");
  cbor_put_cstring(&out, source);
  cbor_put_cstring(&out, "{}");
  cbor_put_array(&out, KINDS);
  put_kind(&out, "op", 1, KIND_OP);
  put_kind(&out, "Deferred", 3, KIND_TASK);
  put_kind(&out, "Deferred.pure", 2, KIND_PURE);
  put_kind(&out, "Deferred.ready", 0, KIND_READY);
  cbor_put_uint(&out, 16 * MIB);
  cbor_put_bool(&out, false);
  assert_int_equal(out.status, CBOR_OK);
  queue_put(&s->heard, type, 0, out.data, out.len);
  cbor_out_free(&out);
}

/* NULL when the allocator gives nothing. */
static inline bool side_open(pair *p, side *s) {
  s->pair = p;
  s->instance = engine_instance_open(p->engine, NULL, MEMORY_MAX, pair_hear, s);
  return s->instance != NULL;
}

static inline void pair_open_with(pair *p, const engine_trust *trust) {
  char text[256];
  *p = (pair){.memory_mib = -1, .run_ms = -1};
  p->allocator = counting_allocator(&p->counting);
  p->engine = engine_open(ENGINE_NATIVE, &p->allocator, NULL, text, sizeof text);
  assert_non_null(p->engine);
  engine_set_trust(p->engine, trust);
  assert_true(side_open(p, &p->main));
  assert_true(side_open(p, &p->worker));
  pair_start(&p->worker, WIRE_LOAD, "", false);
}

static inline void pair_open(pair *p) {
  static const engine_trust trust = {.can_block = true};
  pair_open_with(p, &trust);
}

static inline void pair_close(pair *p) {
  queue *const queues[] = {&p->main.said,    &p->main.heard, &p->worker.said,
                           &p->worker.heard, &p->tasks,      &p->code};
  for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
    queue_drop(queues[i]);
  if (p->main.instance)
    engine_instance_close(p->main.instance, true);
  if (p->worker.instance)
    engine_instance_close(p->worker.instance, true);
  engine_close(p->engine);
  free(p->value);
  assert_int_equal(p->counting.blocks, 0);
  assert_int_equal(shared_in_flight(), 0);
}

/* ---- one turn ---- */

/* All that is heard, in one batch. False after a fault. */
static inline bool side_turn(side *s) {
  size_t size = 0;
  for (message *m = s->heard.first; m; m = m->next)
    size += sizeof(wire_header) + WIRE_ALIGN(m->len);
  uint8_t *at = engine_inbox(s->instance, size);
  if (!at)
    return false;
  for (message *m; (m = queue_take(&s->heard)); free(m)) {
    const wire_header header = {m->type, m->len, m->id};
    memcpy(at, &header, sizeof header);
    if (m->len)
      memcpy(at + sizeof header, m->bytes, m->len);
    at += sizeof header + WIRE_ALIGN(m->len);
  }
  return engine_turn(s->instance, size, UINT64_MAX) == ENGINE_DONE;
}

/* ---- what guests say ---- */

static inline void note_text(cbor_in *in, char *text, size_t size) {
  const char *utf8;
  size_t len;
  assert_int_equal(cbor_get_text(in, &utf8, &len), CBOR_OK);
  snprintf(text, size, "%.*s", (int)len, utf8);
}

static inline void note_options(pair *p, cbor_in *in) {
  cbor_in value;
  bool flag;
  if (cbor_find(in, "affinity", &value))
    note_text(&value, p->affinity, sizeof p->affinity);
  if (cbor_find(in, "isolated", &value) && cbor_get_bool(&value, &flag) == CBOR_OK)
    p->isolated = flag;
  if (cbor_find(in, "memoryMib", &value))
    assert_int_equal(cbor_get_number(&value, &p->memory_mib), CBOR_OK);
  if (cbor_find(in, "runTimeout", &value))
    assert_int_equal(cbor_get_number(&value, &p->run_ms), CBOR_OK);
}

/* WIRE_CALL as a task: hash and arguments go to the worker as they are. */
static inline void note_call(pair *p, side *from, const message *m) {
  cbor_in in;
  uint64_t count, kind;
  cbor_in_init(&in, m->bytes, m->len);
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  assert_int_equal(count, 5);
  assert_int_equal(cbor_get_uint(&in, &kind), CBOR_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(cbor_skip(&in), CBOR_OK);
  p->calls++;
  if (kind == KIND_OP || kind == KIND_READY) {
    /* op(x) gives x */
    const uint8_t *bytes = (const uint8_t *)"\xf7";
    size_t len = 1;
    assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
    if (count)
      assert_int_equal(cbor_slice(&in, &bytes, &len), CBOR_OK);
    queue_put(&from->heard, WIRE_FULFIL, m->id, bytes, len);
    return;
  }
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  assert_int_equal(count, kind == KIND_PURE ? 2 : 3);
  const uint8_t *begin = in.at;
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  uint8_t *task = malloc((size_t)(in.at - begin) + 1);
  assert_non_null(task);
  task[0] = 0x82;
  memcpy(task + 1, begin, (size_t)(in.at - begin));
  queue_put(&p->tasks, WIRE_TASK, m->id, task, (size_t)(in.at - begin) + 1);
  free(task);
  if (kind == KIND_TASK)
    note_options(p, &in);
}

static inline void note_code(pair *p, const message *m) {
  cbor_in in;
  uint64_t count;
  cbor_in_init(&in, m->bytes, m->len);
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  assert_int_equal(count, 5);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  assert_int_equal(cbor_skip(&in), CBOR_OK);
  note_text(&in, p->source, sizeof p->source);
  note_text(&in, p->function_name, sizeof p->function_name);
  note_text(&in, p->file, sizeof p->file);
  assert_true(cbor_in_end(&in));
  p->codes++;
  queue_put(p->hold_code ? &p->code : &p->worker.heard, WIRE_CODE, 0, m->bytes, m->len);
}

static inline void note_value(pair *p, const message *m) {
  static const cbor_limits limits = {300, 1 << 20, 64 << 20};
  cbor_out json;
  size_t len;
  cbor_out_init(&json, NULL, 64 * MIB);
  assert_int_equal(json_from_cbor(m->bytes, m->len, &limits, &json), CBOR_OK);
  cbor_put_raw(&json, "", 1);
  free(p->value);
  p->value = (char *)cbor_out_take(&json, &len);
}

static inline void note_error(pair *p, const message *m) {
  cbor_in in, found;
  cbor_in_init(&in, m->bytes, m->len);
  if (cbor_find(&in, WIRE_ERROR_MESSAGE, &found))
    note_text(&found, p->error, sizeof p->error);
  else
    snprintf(p->error, sizeof p->error, "without a message");
}

/* By either. */
static inline void said(pair *p, side *s, const message *m) {
  switch (m->type) {
  case WIRE_CALL:
    note_call(p, s, m);
    break;
  case WIRE_CANCEL:
    p->cancels++;
    break;
  case WIRE_TIMER_START:
    queue_put(&s->heard, WIRE_TIMER, m->id, NULL, 0);
    break;
  case WIRE_TIMER_STOP:
    p->stopped_timers++;
    break;
  case WIRE_ERROR:
    note_error(p, m);
    break;
  default:
    break;
  }
}

static inline void main_said(pair *p, const message *m) {
  if (m->type == WIRE_CODE)
    note_code(p, m);
  else if (m->type == WIRE_VALUE)
    note_value(p, m);
  else
    said(p, &p->main, m);
}

static inline void worker_said(pair *p, const message *m) {
  switch (m->type) {
  case WIRE_TASK_VALUE:
  case WIRE_TASK_ERROR:
    assert_true(p->busy);
    assert_int_equal(m->id, p->running);
    p->busy = false;
    p->answers++;
    queue_put(&p->main.heard, m->type == WIRE_TASK_VALUE ? WIRE_FULFIL : WIRE_REJECT_VALUE, m->id,
              m->bytes, m->len);
    break;
  case WIRE_PROGRESS:
    assert_int_equal(m->id, p->running);
    p->progress++;
    queue_put(&p->main.heard, WIRE_PROGRESS, m->id, m->bytes, m->len);
    break;
  default:
    said(p, &p->worker, m);
  }
}

static inline void look(pair *p, side *s) {
  for (message *m; (m = queue_take(&s->said)); free(m)) {
    if (s == &p->main)
      main_said(p, m);
    else
      worker_said(p, m);
    if (m->type != WIRE_FULFIL && (m->type == WIRE_VALUE || m->type == WIRE_LOG))
      value_release(m->bytes, m->len);
  }
}

/* ---- until nothing is left to say ---- */

static inline void give_task(pair *p) {
  if (p->busy || p->hold_tasks || !p->tasks.first)
    return;
  message *m = queue_take(&p->tasks);
  p->busy = true;
  p->running = m->id;
  queue_put(&p->worker.heard, m->type, m->id, m->bytes, m->len);
  free(m);
}

/* False after a fault of either. */
static inline bool pair_run(pair *p) {
  for (unsigned step = 0; step < STEPS_MAX; step++) {
    give_task(p);
    side *s = p->worker.heard.first                     ? &p->worker
              : p->main.heard.first && !p->hold_answers ? &p->main
                                                        : NULL;
    if (!s)
      return true;
    bool fine = side_turn(s);
    look(p, s);
    if (!fine)
      return false;
  }
  fail_msg("it does not come to an end");
  return false;
}

/* The whole of a script. */
static inline void pair_script(pair *p, const char *source) {
  pair_start(&p->main, WIRE_START, source, false);
  assert_true(pair_run(p));
}

static inline void pair_expect(pair *p, const char *source, const char *value) {
  if (!p->value)
    print_error("%s\nno value: %s\n", source, p->error);
  assert_non_null(p->value);
  if (strcmp(p->value, value) != 0)
    print_error("%s\n", source);
  assert_string_equal(p->value, value);
}

/* In a pair of its own. */
static inline void gives(const char *source, const char *value) {
  pair p;
  pair_open(&p);
  pair_script(&p, source);
  pair_expect(&p, source, value);
  pair_close(&p);
}

#endif
