/* What crosses between two guests, and what does not: values, errors, shared memory,
 * and bytes that nobody sent. */
#include "unit/guests_fixture.h"

/* ---- values, there and back ---- */

static const char *const values[][2] = {
    {"await new Deferred((...all) => all, 1, 'a', null, undefined, true, 1.5)",
     "[1,\"a\",null,null,true,1.5]"},
    {"typeof await new Deferred(x => x, 2n ** 80n) + (await new Deferred(x => x, -(2n ** 80n)))",
     "\"bigint-1208925819614629174706176\""},
    {"(await new Deferred(x => x, new Date(5))).getTime()", "5"},
    {"[...await new Deferred(x => x, new Map([[1, { a: new Set([2]) }]]))].map(([k, v]) =>"
     " [k, [...v.a]])",
     "[[1,[2]]]"},
    {"const a = await new Deferred(x => x.map(y => y * 2), new Float64Array([1, 2.5]));"
     "[a.constructor.name, ...a]",
     "[\"Float64Array\",2,5]"},
    {"const b = await new Deferred(x => x, new Uint8Array([1, 2, 3]).buffer);"
     "[b.constructor.name, b.byteLength]",
     "[\"ArrayBuffer\",3]"},
    {"Object.is(await new Deferred(x => x, -0), -0)", "true"},
    {"Number.isNaN(await new Deferred(x => x, NaN))", "true"},
    {"(await new Deferred(x => x, 'a\\ud800b')).charCodeAt(1)", "55296"},
    {"await new Deferred(x => x.a.b[1].c, { a: { b: [0, { c: 'deep' }] } })", "\"deep\""},
    {"Object.keys(await new Deferred(x => x, { z: 1, a: undefined, m: 3 }))",
     "[\"z\",\"a\",\"m\"]"},
    {"(await new Deferred(n => 'x'.repeat(n), 300000)).length", "300000"},
    {"(await new Deferred(x => x.length, 'y'.repeat(300000)))", "300000"},
    {"(await Deferred.run((...all) => all.length, Array(1000).fill(0)))", "1000"},
    {"await Deferred.run(() => 'none')", "\"none\""},
    {"await new Deferred(x => x, [{ a: 1, b: 'x' }, { a: -2, b: '\u00e9' }, { b: 300, a: '\u20ac' "
     "},"
     " { z: 2, 1: 'i' }, { z: 3, 1: 'j' }, { '\u00e9': 1 }, { '\u00e9': 2 }, {}, { a: 1, b: 2 }])",
     "[{\"a\":1,\"b\":\"x\"},{\"a\":-2,\"b\":\"\u00e9\"},{\"b\":300,\"a\":\"\u20ac\"},"
     "{\"1\":\"i\",\"z\":2},{\"1\":\"j\",\"z\":3},{\"\u00e9\":1},{\"\u00e9\":2},{},{\"a\":1,\"b\":"
     "2}]"},
    /* what was counted is sent, as it is when its turn comes */
    {"const o = { a: { get x() { delete o.b; o.c = 4; o.d = 5; return 1; } }, b: 2, c: 3 };"
     "const p = await new Deferred(x => x, o); [Object.keys(p).join(), p.b ?? 'gone', p.c]",
     "[\"a,b,c\",\"gone\",4]"},
    {"const o = { a: { b: { get x() { o.a = l[0] = null; return 'x'; }, y: 'y' }, c: 'c' }, l: 1 };"
     "const l = [o.a, o]; await new Deferred(x => x, l)",
     "[{\"b\":{\"x\":\"x\",\"y\":\"y\"},\"c\":\"c\"},{\"a\":null,\"l\":1}]"},
};

static void values_cross(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    gives(values[i][0], values[i][1]);
}

/* ---- rows, which are made, sent and read with what is known of the ones before ---- */

/* `f` is a function whose results are the same here and there, each of several times. */
#define SAME_EACH_TIME                                                                             \
  "let same = 0; for (let i = 0; i < 5; i++)"                                                      \
  " same += JSON.stringify(await new Deferred(f, i)) === JSON.stringify(f(i)); same"

static const char *const rows[] = {
    "const f = n => Array.from({ length: 9 }, (_, i) => ({ id: i + n, title: `row ${i}`,"
    " tags: ['a', `${i}`], half: i / 2, owner: 'x', more: { a: n, b: 'same' } }));",
    /* Made like rows that were sent before, but for something. */
    "const f = n => { const l = Array.from({ length: 9 }, (_, a) => ({ a, b: 2, c: 3 }));"
    " if (!n) return l; delete l[0].b; l[1].d = 4; l[2] = { a: 1 }; l[3] = { b: 1, a: 2 };"
    " Object.defineProperty(l[4], 'b', { enumerable: false }); Object.freeze(l[5]);"
    " Object.defineProperty(l[6], 'c', { get: () => 7, enumerable: true });"
    " l[7] = { __proto__: { b: 2 }, a: 1, c: 1 }; l[8] = { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 };"
    " l[1].e = l[8].g = l[2].b = 1; return l };",
    /* More kinds of them than are remembered; more properties. */
    "const f = n => Array.from({ length: 40 }, (_, k) => Array.from({ length: 3 }, (_, i) =>"
    " Object.fromEntries(Array.from({ length: (k + n) % 20 }, (_, j) => [`k${k}_${j}`, i]))));",
    "const f = n => Array.from({ length: 6 }, (_, i) => { class Row { a = i; b = n; c = 'c' }"
    " return i % 2 ? [new Row(), new Row()] : [{ a: i, b: 1, c: '' }, { a: i, b: 2, c: '' }] });",
    "const f = n => [{}, {}, {}].map(o => { if (n > 2) o.a = n; return o });",
    /* Texts that are the same, and those that only look like it. */
    "const f = n => ['\u00e9', '\u00c3\u00a9', '\u00e9', 'ab', 'ab', 'abc', '', '', 'ab',"
    " '\U0001f600', '\U0001f600', 'y'.repeat(n * 20), 'y'.repeat(n * 20), 1, 'ab', null].map("
    "(b, i, l) => ({ a: l[i - 1] ?? b, b, c: [b, l[i - 2] ?? b, b], d: i % 2 ? [b] : { b } }));",
    "const f = n => [['a', 'b'], ['a'], ['a', 'c', 'c'], 'a', ['b', 'c'], [['a'], ['a']], [],"
    " ['a', 'b', ['a', 'b']]];",
};

static void rows_are_the_same_each_time(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char source[1000];
    int len = snprintf(source, sizeof source, "%s%s", rows[i], SAME_EACH_TIME);
    assert_true(len > 0 && (size_t)len < sizeof source);
    gives(source, "5");
  }
}

/* What is done to one row shows in no other. */
static void rows_are_apart(void **state) {
  (void)state;
  gives("const f = () => [1, 2, 3].map(i => ({ i, t: 'same', l: ['x'] }));"
        "await new Deferred(f); const [a, b, c] = await new Deferred(f);"
        "a.more = 1; delete b.i; b.l.push(2); a.t += '!'; c.l[0] = 'y'; [a, b, c]",
        "[{\"i\":1,\"t\":\"same!\",\"l\":[\"x\"],\"more\":1},{\"t\":\"same\",\"l\":[\"x\",2]},"
        "{\"i\":3,\"t\":\"same\",\"l\":[\"y\"]}]");
}

/* What cannot cross names its path; the promise is rejected with a TypeError. */
static const char *const paths[][2] = {
    {"new Deferred(() => ({ items: [0, 1, 2, { callback() {} }] }))",
     "result.items[3].callback is a function"},
    {"new Deferred(() => Symbol('s'))", "result is a symbol"},
    {"new Deferred(() => () => 1)", "result is a function"},
    {"new Deferred(() => { const a = {}; a.b = [a]; return a })",
     "result.b[0] refers back to an object that holds it"},
    {"new Deferred(() => new Map([[1, Symbol()]]))", "result[0] is a symbol"},
    {"new Deferred(() => { throw { code: 1, call() {} } })", "error.call is a function"},
    {"new Deferred(x => x, 1, { call() {} })", "argument 2.call is a function"},
    {"new Deferred(x => x, Symbol())", "argument 1 is a symbol"},
    {"Deferred.run(x => x, [new SharedArrayBuffer(8)], { cache: true })",
     "argument 1 is a SharedArrayBuffer"},
    {"Deferred.run(x => x, [new SharedArrayBuffer(8)], { isolated: true })",
     "argument 1 is a SharedArrayBuffer"},
    {"new Deferred(x => x, { a: new SharedArrayBuffer(8, { maxByteLength: 16 }) })",
     "argument 1.a is a SharedArrayBuffer that may grow; make it of a fixed length"},
    {"new Deferred(x => x, new DataView(new ArrayBuffer(1)))",
     "argument 1 is a DataView; pass its buffer or a Uint8Array"},
};

static void what_cannot_cross_names_its_path(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    char source[600], value[300];
    snprintf(source, sizeof source,
             "await %s.then(() => 'fulfilled', e => [e instanceof TypeError, e.message])",
             paths[i][0]);
    snprintf(value, sizeof value, "[true,\"%s\"]", paths[i][1]);
    gives(source, value);
  }
}

/* ---- errors ---- */

static const char *const errors[][2] = {
    {"new Deferred(() => { throw new RangeError('far') })", "[true,\"RangeError\",\"far\",true]"},
    {"new Deferred(() => { throw new Error('plain') })", "[true,\"Error\",\"plain\",true]"},
    {"new Deferred(async () => { await null; throw new TypeError('late') })",
     "[true,\"TypeError\",\"late\",true]"},
    {"new Deferred(() => { const e = new Error('m'); e.name = 'Own'; throw e })",
     "[true,\"Own\",\"m\",true]"},
    {"new Deferred(() => missing.here.now, 1).catch(e => { throw e })", NULL},
};

static void errors_keep_name_message_and_stack(void **state) {
  (void)state;
  for (size_t i = 0; errors[i][1]; i++) {
    char source[600];
    snprintf(source, sizeof source,
             "await %s.catch(e => [e instanceof Error, e.name, e.message,"
             " e.stack.includes('test.js')])",
             errors[i][0]);
    gives(source, errors[i][1]);
  }
  gives("const e = await new Deferred(function thrower() { throw new TypeError('t') })"
        ".catch(e => e); [e instanceof TypeError, Object.hasOwn(e, 'name'),"
        " /thrower \\(test.js:1:\\d+\\)/.test(e.stack)]",
        "[true,false,true]");
  gives("const e = await new Deferred(() => { throw new Error('outer', { cause: new RangeError("
        "'inner', { cause: 5 }) }) }).catch(e => e);"
        "[e.message, e.cause instanceof RangeError, e.cause.message, e.cause.cause]",
        "[\"outer\",true,\"inner\",5]");
  gives("const e = await new Deferred(() => JSON.parse('{')).catch(e => e); e.name",
        "\"SyntaxError\"");
  gives("const e = await new Deferred(x => x, new RangeError('as a value')); "
        "[e instanceof RangeError, e.message]",
        "[true,\"as a value\"]");
  gives("const e = await new Deferred(() => { const f = n => f(n + 1); f(0) }).catch(e => e);"
        "[e.name, e.message]",
        "[\"RangeError\",\"Maximum call stack size exceeded\"]");
}

static void what_is_no_error_is_thrown_as_it_is(void **state) {
  (void)state;
  gives("await new Deferred(() => { throw null }).catch(e => [e === null])", "[true]");
  gives("await new Deferred(() => { throw undefined }).catch(e => [e === undefined])", "[true]");
  gives("await new Deferred(() => { throw 'text' }).catch(e => e)", "\"text\"");
  gives("await new Deferred(() => { throw { code: 7, list: [1] } }).catch(e => e)",
        "{\"code\":7,\"list\":[1]}");
  gives("await new Deferred(() => Promise.reject(8)).catch(e => e)", "8");
  gives("await new Deferred(() => ({ then(_, reject) { reject(9) } })).catch(e => e)", "9");
  gives("await new Deferred(() => ({ get then() { throw 10 } })).catch(e => e)", "10");
  gives("await new Deferred(() => ({ get a() { throw 11 } })).catch(e => e)", "11");
}

/* ---- shared memory ---- */

static const char *const shared[][2] = {
    {"const memory = new SharedArrayBuffer(16); const words = new Int32Array(memory);"
     "await new Deferred(m => { new Int32Array(m)[1] = 7 }, memory); words[1]",
     "7"},
    {"const words = new Int32Array(new SharedArrayBuffer(16), 4, 2);"
     "const back = await new Deferred(w => { Atomics.add(w, 0, 5); return w }, words);"
     "back[1] = 9; [...words, back.byteOffset, back.length, back.buffer.byteLength,"
     " back.buffer instanceof SharedArrayBuffer]",
     "[5,9,4,2,16,true]"},
    {"const memory = new SharedArrayBuffer(0);"
     "(await new Deferred(m => m, { deep: [memory] })).deep[0].byteLength",
     "0"},
    /* Made there, and nobody there holds it when it arrives. */
    {"const a = await new Deferred(() => new Uint8Array(new SharedArrayBuffer(4)).fill(3));"
     "[...a]",
     "[3,3,3,3]"},
    {"const big = new BigInt64Array(new SharedArrayBuffer(8));"
     "await new Deferred(b => { b[0] = 5n }, big); big[0]",
     "5"},
    {"const m = new SharedArrayBuffer(8);"
     "await new Deferred((a, b) => { new Uint8Array(a)[0] = 1; return new Uint8Array(b)[0] }, m,"
     " m)",
     "1"},
};

static void shared_memory_is_shared(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
    gives(shared[i][0], shared[i][1]);
}

/* A block in a message that goes nowhere is let go, whoever drops it. */
static void shared_memory_of_dropped_messages(void **state) {
  (void)state;
  pair p;
  /* The host drops the task. */
  pair_open(&p);
  p.hold_tasks = true;
  pair_script(&p, "new Deferred(x => x, new SharedArrayBuffer(8), new SharedArrayBuffer(8)); 1");
  assert_int_equal(shared_in_flight(), 2);
  queue_drop(&p.tasks);
  assert_int_equal(shared_in_flight(), 0);
  pair_close(&p);
  /* The answer comes when nobody waits for it any more. */
  pair_open(&p);
  pair_script(&p, "const d = new Deferred(x => x, new SharedArrayBuffer(8));"
                  "d.cancel(); await d.catch(e => e.name)");
  pair_expect(&p, "cancelled", "\"AbortError\"");
  assert_int_equal(shared_in_flight(), 0);
  pair_close(&p);
  /* The rest of a message that cannot be encoded. */
  pair_open(&p);
  pair_script(&p, "const m = new SharedArrayBuffer(8);"
                  "await new Deferred(x => x, m, [m, Symbol()]).catch(e => e.message)");
  pair_expect(&p, "symbol", "\"argument 2[1] is a symbol\"");
  assert_int_equal(shared_in_flight(), 0);
  pair_close(&p);
  gives("await new Deferred(m => [m, () => 1], new SharedArrayBuffer(8)).catch(e => e.message)",
        "\"result[1] is a function\"");
  gives("await new Deferred(m => { throw [m, () => 1] }, new SharedArrayBuffer(8))"
        ".catch(e => e.message)",
        "\"error[1] is a function\"");
}

static void shared_memory_counts(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  pair_start(&p.main, WIRE_START, "globalThis.kept = new SharedArrayBuffer(100 << 20)", false);
  assert_false(pair_run(&p));
  assert_int_equal(engine_fault_of(p.main.instance), ENGINE_FAULT_MEMORY);
  pair_close(&p);
  pair_open(&p);
  size_t before = engine_memory(p.main.instance);
  pair_script(&p, "globalThis.kept = new SharedArrayBuffer(1 << 20); 1");
  assert_true(engine_memory(p.main.instance) >= before + MIB);
  pair_close(&p);
}

/* ---- bytes that nobody sent ---- */

/* op(1) is answered with these bytes. */
static void answered(bool trusted, const uint8_t *bytes, size_t len, const char *value) {
  static const engine_trust trust = {.can_block = false};
  pair p;
  pair_open_with(&p, trusted ? &trust : NULL);
  p.hold_answers = true;
  pair_start(&p.main, WIRE_START, "await op(1).then(() => 'read', e => e.message)", false);
  p.hold_answers = false;
  assert_true(side_turn(&p.main));
  message *call = queue_take(&p.main.said);
  assert_int_equal(call->type, WIRE_CALL);
  queue_put(&p.main.heard, WIRE_FULFIL, call->id, bytes, len);
  free(call);
  assert_true(pair_run(&p));
  pair_expect(&p, "forged", value);
  pair_close(&p);
}

static size_t put_forged(uint8_t *bytes, bool view, const uint8_t *ticket, size_t ticket_len,
                         uint64_t offset, uint64_t len) {
  cbor_out out;
  cbor_out_fixed(&out, bytes, 128);
  if (view) {
    cbor_put_tag(&out, SHARED_VIEW_TAG);
    cbor_put_array(&out, 4);
    cbor_put_uint(&out, 2);
    cbor_put_uint(&out, offset);
    cbor_put_uint(&out, len);
  }
  cbor_put_tag(&out, SHARED_TAG);
  cbor_put_bytes(&out, ticket, ticket_len);
  return out.len;
}

static void forged_tickets_open_nothing(void **state) {
  (void)state;
  static const uint8_t made_up[SHARED_TICKET] = {1, 2, 3};
  uint8_t bytes[128];
  size_t len = put_forged(bytes, false, made_up, SHARED_TICKET, 0, 0);
  answered(true, bytes, len, "\"the shared memory was given to another already\"");
  answered(false, bytes, len, "\"a host value is malformed\"");
  len = put_forged(bytes, false, made_up, 8, 0, 0);
  answered(true, bytes, len, "\"a host value is malformed\"");
  /* A true ticket, in the hands of an untrusted guest, with a view past the end, and
   * read twice. */
  void *block = shared_new(16);
  uint8_t ticket[SHARED_TICKET] = {9, 9, 9};
  assert_true(shared_ticket_put(ticket, block, 16));
  len = put_forged(bytes, false, ticket, SHARED_TICKET, 0, 0);
  answered(false, bytes, len, "\"a host value is malformed\"");
  assert_int_equal(shared_in_flight(), 0); /* the message was its end */
  assert_true(shared_ticket_put(ticket, block, 16));
  len = put_forged(bytes, true, ticket, SHARED_TICKET, 8, 100);
  answered(true, bytes, len, "\"invalid length\"");
  assert_true(shared_ticket_put(ticket, block, 16));
  len = put_forged(bytes, true, ticket, SHARED_TICKET, 0, 4);
  answered(true, bytes, len, "\"read\"");
  answered(true, bytes, len, "\"the shared memory was given to another already\"");
  shared_drop(block);
}

/* Answers with some bytes of rows changed, or without their end: values or errors. */
static void mutated_answers(void **state) {
  (void)state;
  enum { ANSWERS = 20000 };
  uint64_t random = 1;
  pair p;
  pair_open(&p);
  pair_start(&p.main, WIRE_START,
             "const rows = Array.from({ length: 12 }, (_, i) => ({ id: i, t: `row ${i}`,"
             " f: i / 4, l: ['a', 'b'], o: { x: 'same', y: [{ z: i }, { z: -i }] } }));"
             "let read = 0; for (let i = 0; i < 20000; i++) await op(rows).then(x => {"
             " read++; try { JSON.stringify(x) } catch {} }, () => {}); read > 99",
             false);
  for (unsigned i = 0; i < ANSWERS; i++) {
    assert_true(side_turn(&p.main));
    message *call = queue_take(&p.main.said);
    assert_int_equal(call->type, WIRE_CALL);
    note_call(&p, &p.main, call); /* the answer is what op() was given */
    free(call);
    message *answer = p.main.heard.first;
    for (unsigned changes = 1 + i % 3; changes > 0; changes--) {
      random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      answer->bytes[(random >> 33) % answer->len] = (uint8_t)(random >> 25);
    }
    if (i % 7 == 0)
      answer->len = (uint32_t)((random >> 40) % answer->len);
  }
  assert_true(pair_run(&p));
  pair_expect(&p, "mutated", "true");
  pair_close(&p);
}

/* The worker's guest believes no shape: it says so, or keeps silent, and goes on. */
static void forged_tasks(void **state) {
  (void)state;
  static const struct {
    uint32_t type;
    const char *bytes;
    size_t len;
    const char *value;
  } forged[] = {
      {WIRE_CODE, "", 0, NULL},
      {WIRE_CODE, "\x80", 1, NULL},
      {WIRE_CODE, "\x85\x41\x00\x40\x60\x60\x60", 7, NULL},
      {WIRE_CODE,
       "\x85\x50"
       "0123456789abcdef"
       "\x40\x60\x60\x60",
       22, NULL},
      {WIRE_CODE,
       "\x85\x50"
       "0123456789abcdef"
       "\x42\x80\x00\x60\x60\x60",
       24, NULL},
      {WIRE_CODE_DROP, "", 0, NULL},
      {WIRE_CODE_DROP,
       "\x50"
       "0123456789abcdef",
       17, NULL},
      {WIRE_TASK, "", 0, "the worker could not read this function"},
      {WIRE_TASK,
       "\x82\x50"
       "0123456789abcdef"
       "\x80",
       19, "the worker could not read this function"},
      {WIRE_PROGRESS, "\x00", 1, NULL},
      {WIRE_REJECT_VALUE, "\x00", 1, NULL},
      {99, "\x00", 1, NULL},
  };
  pair p;
  pair_open(&p);
  for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
    p.busy = forged[i].value != NULL;
    p.running = 5;
    queue_put(&p.worker.heard, forged[i].type, 5, forged[i].bytes, forged[i].len);
    assert_true(side_turn(&p.worker));
    if (forged[i].value) {
      message *m = queue_take(&p.worker.said);
      assert_int_equal(m->type, WIRE_TASK_ERROR);
      assert_non_null(memmem(m->bytes, m->len, forged[i].value, strlen(forged[i].value)));
      free(m);
    }
    assert_null(p.worker.said.first);
    p.busy = false;
  }
  pair_script(&p, "await new Deferred(() => 'goes on')");
  pair_expect(&p, "after", "\"goes on\"");
  pair_close(&p);
}

/* Code that was cut is no function, wherever it was; and one hash is none for another. */
static void code_that_was_cut(void **state) {
  (void)state;
  pair p;
  pair_open(&p);
  p.hold_tasks = p.hold_code = true;
  pair_script(&p, "function cut(a) { const l = [`x${a}`, /b+/, { c: 1n }]; class D { #e = 2.5; };"
                  " try { return [l, new D()]; } finally { a++; } } new Deferred(cut, 1); 1");
  message *code = queue_take(&p.code), *task = queue_take(&p.tasks);
  cbor_in in;
  uint64_t count;
  const uint8_t *hash, *bytes;
  size_t hash_len, len;
  cbor_in_init(&in, code->bytes, code->len);
  assert_int_equal(cbor_get_array(&in, &count), CBOR_OK);
  assert_int_equal(cbor_get_bytes(&in, &hash, &hash_len), CBOR_OK);
  assert_int_equal(cbor_get_bytes(&in, &bytes, &len), CBOR_OK);
  for (size_t cut = 0; cut <= len; cut++) {
    cbor_out out;
    cbor_out_init(&out, NULL, MIB);
    cbor_put_array(&out, 5);
    cbor_put_bytes(&out, hash, hash_len);
    cbor_put_bytes(&out, bytes, cut);
    for (int i = 0; i < 3; i++)
      cbor_put_text(&out, "", 0);
    queue_put(&p.worker.heard, WIRE_CODE, 0, out.data, out.len);
    cbor_out_free(&out);
    task->bytes[2] ^= cut == len; /* the first of its hash, at last */
    queue_put(&p.worker.heard, WIRE_TASK, 5, task->bytes, task->len);
    assert_true(side_turn(&p.worker));
    message *m = queue_take(&p.worker.said);
    assert_int_equal(m->type, WIRE_TASK_ERROR);
    assert_non_null(memmem(m->bytes, m->len, "could not read this function", 28));
    free(m);
    assert_null(p.worker.said.first);
  }
  task->bytes[2] ^= 1;
  queue_put(&p.worker.heard, WIRE_TASK, 5, task->bytes, task->len);
  assert_true(side_turn(&p.worker));
  assert_int_equal(p.worker.said.first->type, WIRE_TASK_VALUE);
  free(code);
  free(task);
  pair_close(&p);
}

/* Arguments that end too early or are none: an error of the task. */
static void forged_arguments(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
  } forged[] = {{"\x01", 1}, {"\x82\x01", 2}, {"\x81\xff", 2}, {"\x9a\xff\xff\xff\xff", 5}};
  pair p;
  pair_open(&p);
  p.hold_tasks = true;
  pair_script(&p, "new Deferred(() => 1); 1");
  message *task = queue_take(&p.tasks);
  for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
    uint8_t bytes[64];
    assert_true(task->len < 40);
    memcpy(bytes, task->bytes, 18); /* the array's head and the hash */
    memcpy(bytes + 18, forged[i].bytes, forged[i].len);
    queue_put(&p.worker.heard, WIRE_TASK, 5, bytes, 18 + forged[i].len);
    assert_true(side_turn(&p.worker));
    message *m = queue_take(&p.worker.said);
    assert_int_equal(m->type, WIRE_TASK_ERROR);
    free(m);
    assert_null(p.worker.said.first);
  }
  free(task);
  pair_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_cross),
      cmocka_unit_test(rows_are_the_same_each_time),
      cmocka_unit_test(rows_are_apart),
      cmocka_unit_test(what_cannot_cross_names_its_path),
      cmocka_unit_test(errors_keep_name_message_and_stack),
      cmocka_unit_test(what_is_no_error_is_thrown_as_it_is),
      cmocka_unit_test(shared_memory_is_shared),
      cmocka_unit_test(shared_memory_of_dropped_messages),
      cmocka_unit_test(shared_memory_counts),
      cmocka_unit_test(forged_tickets_open_nothing),
      cmocka_unit_test(mutated_answers),
      cmocka_unit_test(forged_tasks),
      cmocka_unit_test(code_that_was_cut),
      cmocka_unit_test(forged_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
