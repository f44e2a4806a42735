/* Recycled memories of the wasm engine: equal to the template after every run,
 * never given on after a limit, without a trace of the run before; and what
 * makes each run different from the others. */
#include <sys/random.h>
#include <sys/resource.h>

#include "unit/engine_fixture.h"

#define SECRET 32
/* Live at once: more than map one file. */
#define MANY 600

/* ---- the image ---- */

/* Each touches another part of the heap; engine_verify_recycling() compares. */
static const char *const varied[] = {
    "1",
    "throw new Error('x')",
    "(() => { for (;;) null.x })()",
    "syntax error here",
    "'a'.repeat(100000).split('').reverse().join('').length",
    "const m = new Map(); for (let i = 0; i < 10000; i++) m.set('k' + i, {i}); m.size",
    "const s = new Set([1, NaN, 'x', {}]); [...s].length",
    "JSON.parse(JSON.stringify(Array.from({length: 1000}, (_, i) => ({i, t: 'x' + i})))).length",
    "Object.prototype.polluted = 1; Array.prototype.push = null; Promise = null; 1",
    "globalThis.leak = {}; leak.self = leak; Symbol.for('leak'); 1",
    "/(a+)+b/.test('aaaaaaaaaaaaaaaa')",
    "(123n ** 456n).toString(36).length",
    "new Date(0).toISOString() + Intl",
    "const c = new AbortController(); c.abort(); c.signal.aborted",
    "structuredClone({a: new Map([[1, new Uint8Array(1000)]])}).a.size",
    "new TextDecoder().decode(new TextEncoder().encode('h\\u00e9'.repeat(5000))).length",
    "for (let i = 0; i < 2000; i++) console.log(i); 1",
    "class A { #p = 1; get p() { return this.#p } static { this.x = new A().p } } A.x",
    "function* g() { for (let i = 0; i < 100; i++) yield i } [...g()].length",
    "const w = new WeakRef({}); const r = new FinalizationRegistry(() => {}); r.register({}, 1); 1",
    "eval('var q = 1'); new Function('return 1')() + q",
    "const a = []; for (let i = 0; i < 30; i++) a.push(new Uint8Array(100000)); a.length",
    "await op(1)", /* dropped while it waits */
    "op(1); op(2); setTimeout(() => {}, 5); 1",
    "await Promise.all([1, 2, 3].map(async x => { await 0; return x })); 1",
    "let f = () => f() + 1; try { f() } catch {} 1",
    "Promise.reject(1); Promise.reject(2); 1",
    "Error.prepareStackTrace = (e, s) => s; new Error('x').stack; 1",
    "const p = new Proxy({}, {get: (t, k) => k}); p.anything",
    "[3, 1, 2].sort((a, b) => a - b).toString() + Math.random()",
};
#define VARIED (sizeof varied / sizeof varied[0])

static void the_image_after_each_run_is_the_template(void **state) {
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < 3 * VARIED; i++) {
    speaker s;
    speaker_open(&s, &f, MEMORY_MAX);
    assert_int_equal(tell_script(&s, varied[i % VARIED]), ENGINE_DONE);
    speaker_close(&s, true); /* aborts when there is a difference */
  }
  engine_counts counts = engine_counts_of(f.engine);
  assert_int_equal(counts.recycled, 3 * VARIED);
  assert_int_equal(counts.discarded, 0);
  assert_true(counts.pages_restored > 3 * VARIED);
  engine_fixture_close(&f);
}

/* Copies of the template in memory that are mapped. */
static unsigned mapped_copies(void) {
  char line[512];
  unsigned long inode, last = 0;
  unsigned copies = 0;
  FILE *maps = fopen("/proc/self/maps", "re");
  assert_non_null(maps);
  while (fgets(line, sizeof line, maps))
    if (strstr(line, "memfd:vow-template") && sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 &&
        inode != last) {
      last = inode;
      copies++;
    }
  fclose(maps);
  return copies;
}

static void open_many(engine_fixture *f, speaker *many) {
  for (size_t i = 0; i < MANY; i++) {
    speaker_open(&many[i], f, MEMORY_MAX);
    assert_int_equal(tell_script(&many[i], varied[i % VARIED]), ENGINE_DONE);
  }
}

static void close_many(speaker *many) {
  for (size_t i = 0; i < MANY; i++)
    speaker_close(&many[i], true);
}

static void many_memories_map_several_files(void **state) {
  engine_fixture f;
  struct rlimit limit, none;
  speaker *many = calloc(MANY, sizeof *many);
  assert_non_null(many);
  engine_fixture_open(&f, state);
  open_many(&f, many);
  assert_true(mapped_copies() >= 2);
  close_many(many);
  assert_true(engine_counts_of(f.engine).recycled > 0);
  engine_fixture_close(&f);
  assert_int_equal(mapped_copies(), 0);
  /* Where no file can be made they share what there is. */
  engine_fixture_open(&f, state);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  open_many(&f, many);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(mapped_copies(), 0);
  close_many(many);
  engine_fixture_close(&f);
  free(many);
}

/* The test's own look at it: a memory that was used equals one that never was. */
static void a_used_memory_equals_a_new_one(void **state) {
  engine_fixture f;
  speaker fresh, used;
  size_t fresh_len, used_len;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < VARIED; i++) {
    speaker_open(&used, &f, MEMORY_MAX);
    assert_int_equal(tell_script(&used, varied[i]), ENGINE_DONE);
    speaker_close(&used, true);
    speaker_open(&used, &f, MEMORY_MAX);  /* takes the one just given back */
    speaker_open(&fresh, &f, MEMORY_MAX); /* so this is a new one, but for the first round */
    const uint8_t *a = engine_memory_bytes(fresh.instance, &fresh_len);
    const uint8_t *b = engine_memory_bytes(used.instance, &used_len);
    assert_ptr_not_equal(a, b);
    assert_int_equal(fresh_len, used_len);
    assert_memory_equal(a, b, fresh_len);
    speaker_close(&fresh, false);
    speaker_close(&used, true);
  }
  engine_fixture_close(&f);
}

static void run_says(engine_fixture *f, const char *source, const char *value) {
  speaker s;
  speaker_open(&s, f, MEMORY_MAX);
  says(&s, source, value);
  speaker_close(&s, true);
}

/* Runs that write nothing new need no search, and one that does is noticed. */
static void written_pages_are_searched_when_there_can_be_new_ones(void **state) {
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (int i = 0; i < 100; i++)
    run_says(&f, "[1, 2, 3].map(x => x * 2).join()", "\"2,4,6\"");
  uint64_t searches = engine_counts_of(f.engine).searches;
  /* First steps fault elsewhere, and so may a system that takes pages away. */
  assert_in_range(searches, 1, 60);
  for (int i = 0; i < 10; i++) {
    char source[100];
    snprintf(source, sizeof source, "globalThis.a = new Uint8Array(%d).fill(7); 1", 40000 * i);
    run_says(&f, source, "1");
  }
  assert_true(engine_counts_of(f.engine).searches > searches + 5);
  engine_fixture_close(&f);
}

/* Much more than is worth a copy: the next run does not pay for it. */
static void a_run_that_wrote_much_leaves_little_to_restore(void **state) {
  engine_fixture f;
  engine_fixture_open(&f, state);
  run_says(&f, "globalThis.a = new Uint8Array(900000).fill(7); 1", "1");
  uint64_t restored = engine_counts_of(f.engine).pages_restored;
  assert_true(restored > 200);
  run_says(&f, "1", "1");
  assert_true(engine_counts_of(f.engine).pages_restored - restored < 100);
  engine_fixture_close(&f);
}

/* What a waiting guest gives back it does not need. */
static void an_idle_guest_goes_on(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(tell_script(&s, "const deep = n => n ? deep(n - 1) + 1 : 0;"
                                   "deep(400) + await op(1) + deep(400) + await op(2) + deep(400)"),
                   ENGINE_DONE);
  for (int i = 0; i < 2; i++) {
    engine_instance_idle(s.instance);
    assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id, "\x05", 1), ENGINE_DONE);
  }
  assert_string_equal(s.value, "1210");
  speaker_close(&s, true);
  assert_int_equal(engine_counts_of(f.engine).recycled, 1);
  engine_fixture_close(&f);
}

static void memory_that_grew_shrinks_again(void **state) {
  engine_fixture f;
  speaker s;
  size_t small, grown;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  engine_memory_bytes(s.instance, &small);
  says(&s, "globalThis.a = new Uint8Array(3 << 20).fill(170); 1", "1");
  engine_memory_bytes(s.instance, &grown);
  assert_true(grown > small);
  speaker_close(&s, true);
  assert_int_equal(engine_counts_of(f.engine).recycled, 1);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(engine_memory(s.instance), small);
  /* What it grows into again is zeroed, as if it were new. */
  says(&s, "new Uint8Array(3 << 20).every(x => x === 0)", "true");
  const uint8_t *bytes = engine_memory_bytes(s.instance, &grown);
  size_t left = 0;
  for (size_t i = small; i < grown; i++)
    left += bytes[i] == 170;
  assert_true(left < 100);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void a_fault_discards_the_memory(void **state) {
  static const struct {
    const char *source;
    size_t memory_max;
    bool refuse;
  } cases[] = {
      {"const a = []; for (;;) a.push(new Uint8Array(1 << 20))", 16 * MIB, false},
      {"try { new Uint8Array(1 << 30) } catch {} 1", 16 * MIB, false},
      {"for (;;) console.log('x'.repeat(1000))", 16 * MIB, true},
  };
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    speaker s;
    speaker_open(&s, &f, cases[i].memory_max);
    s.refuse = cases[i].refuse;
    assert_int_equal(tell_script(&s, cases[i].source), ENGINE_FAULT);
    speaker_close(&s, true); /* reusable, the caller says; the engine knows better */
    assert_int_equal(engine_counts_of(f.engine).discarded, i + 1);
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  engine_fixture_close(&f);
}

/* ---- secrets ---- */

static void make_secret(uint8_t secret[SECRET], char hex[2 * SECRET + 1]) {
  assert_int_equal(getrandom(secret, SECRET, 0), SECRET);
  for (int i = 0; i < SECRET; i++)
    snprintf(hex + 2 * i, 3, "%02x", secret[i]);
}

/* Every place where the first half of `needle` lies, as bytes or UTF-16. */
static size_t count_in_memory(const speaker *s, const void *needle, size_t len) {
  uint8_t wide[4 * SECRET];
  size_t size, found = 0;
  const uint8_t *at = engine_memory_bytes(s->instance, &size), *end = at + size;
  for (size_t i = 0; i < len; i++) {
    wide[2 * i] = ((const uint8_t *)needle)[i];
    wide[2 * i + 1] = 0;
  }
  for (const uint8_t *p = at; (p = memmem(p, (size_t)(end - p), needle, len / 2)); p++)
    found++;
  for (const uint8_t *p = at; (p = memmem(p, (size_t)(end - p), wide, len)); p++)
    found++;
  return found;
}

static void write_secret(engine_fixture *f, const char *hex, const uint8_t *secret) {
  char source[1500];
  speaker s;
  snprintf(
      source, sizeof source,
      "const text = '%s';"
      "globalThis.bytes = Uint8Array.from(text.match(/../g), x => parseInt(x, 16));"
      "globalThis[text] = {[text]: text}; globalThis.wide = text + '\\u0100';"
      "globalThis.list = Array.from({length: 100}, (_, i) => text + i);"
      "globalThis.map = new Map([[text, new Uint8Array(bytes)]]);"
      "globalThis.symbol = Symbol(text); globalThis.code = new Function('return \"' + text + '\"');"
      "globalThis.big = BigInt('0x' + text); globalThis.pattern = new RegExp(text);"
      "globalThis.far = new Uint8Array(1 << 20); far.set(bytes, far.length - 32);"
      "console.log(text); const p = op(text); Promise.reject(new Error(text)); 1",
      hex);
  speaker_open(&s, f, MEMORY_MAX);
  says(&s, source, "1");
  /* The search does find what is there. */
  assert_true(count_in_memory(&s, hex, SECRET) > 100);
  assert_true(count_in_memory(&s, secret, SECRET) >= 3);
  speaker_close(&s, true);
}

static void a_secret_is_not_found_in_the_next_run(void **state) {
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (int round = 0; round < 5; round++) {
    uint8_t secret[SECRET];
    char hex[2 * SECRET + 1];
    speaker s;
    make_secret(secret, hex);
    write_secret(&f, hex, secret);
    assert_int_equal(engine_counts_of(f.engine).recycled, round + 1);
    speaker_open(&s, &f, MEMORY_MAX); /* the same memory */
    assert_int_equal(count_in_memory(&s, hex, SECRET) + count_in_memory(&s, secret, SECRET), 0);
    /* Takes all there is, so that what lies beyond the image is seen too. */
    says(&s, "globalThis.a = []; for (let i = 0; i < 300; i++) a.push(new Uint8Array(100000)); 1",
         "1");
    assert_int_equal(count_in_memory(&s, hex, SECRET) + count_in_memory(&s, secret, SECRET), 0);
    speaker_close(&s, true); /* it grew too far to be kept */
  }
  engine_fixture_close(&f);
}

/* ---- what differs from run to run ---- */

static void random_numbers_come_from_the_seed(void **state) {
  engine_fixture f;
  speaker s[3];
  engine_fixture_open(&f, state);
  for (int i = 0; i < 3; i++) {
    const start_fields fields = {.source = "[Math.random(), Math.random()].join()",
                                 .random_seed = i < 2 ? 1 : 2,
                                 .hash_seed = (uint32_t)i + 1};
    speaker_open(&s[i], &f, MEMORY_MAX);
    assert_int_equal(finish_turn(&s[i], begin(&s[i], &fields)), ENGINE_DONE);
    assert_non_null(s[i].value);
  }
  assert_string_equal(s[0].value, s[1].value);
  assert_string_not_equal(s[0].value, s[2].value);
  for (int i = 0; i < 3; i++)
    speaker_close(&s[i], true);
  engine_fixture_close(&f);
}

/* The hash seed cannot be seen by script: it is looked for in memory. The inbox
 * that brought it is written over first. */
static void the_hash_seed_is_the_runs_own(void **state) {
  static const uint32_t seeds[2] = {0xa5f0c3d1, 0x5b17e88d};
  engine_fixture f;
  engine_fixture_open(&f, state);
  size_t places[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    static uint8_t zeros[4096];
    speaker s;
    size_t len;
    const start_fields fields = {.source = "await op(1)", .random_seed = 1, .hash_seed = seeds[i]};
    speaker_open(&s, &f, MEMORY_MAX);
    assert_int_equal(finish_turn(&s, begin(&s, &fields)), ENGINE_DONE);
    assert_int_equal(tell(&s, 99, 0, zeros, sizeof zeros), ENGINE_DONE);
    const uint8_t *bytes = engine_memory_bytes(s.instance, &len);
    const uint8_t *at = memmem(bytes, len, &seeds[i], 4);
    assert_non_null(at);
    assert_null(memmem(bytes, len, &seeds[1 - i], 4));
    places[i] = (size_t)(at - bytes);
    speaker_close(&s, true);
  }
  assert_int_equal(places[0], places[1]);
  engine_fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_WASM(the_image_after_each_run_is_the_template),
      ON_WASM(many_memories_map_several_files),
      ON_WASM(a_used_memory_equals_a_new_one),
      ON_WASM(written_pages_are_searched_when_there_can_be_new_ones),
      ON_WASM(a_run_that_wrote_much_leaves_little_to_restore),
      ON_WASM(an_idle_guest_goes_on),
      ON_WASM(memory_that_grew_shrinks_again),
      ON_WASM(a_fault_discards_the_memory),
      ON_WASM(a_secret_is_not_found_in_the_next_run),
      ON_BOTH(random_numbers_come_from_the_seed),
      ON_WASM(the_hash_seed_is_the_runs_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
