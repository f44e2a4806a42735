/* Both engines behind engine.h: turns, messages of every size, many guests at
 * once, preemption, and every way a guest can come to grief. */
#include <time.h>

#include "unit/engine_fixture.h"

#define MANY 100
#define DROPS 200

static uint64_t clock_of(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void) {
  return clock_of(CLOCK_MONOTONIC);
}

/* ---- turns ---- */

static void open_and_close(void **state) {
  engine_fixture f;
  speaker s;
  for (int i = 0; i < 3; i++) {
    engine_fixture_open(&f, state);
    assert_int_equal(engine_kind_of_engine(f.engine), *(const engine_kind *)*state);
    engine_fixture_close(&f);
  }
  engine_close(NULL);
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX); /* never has a turn */
  assert_int_equal(engine_counts_of(f.engine).live, 1);
  speaker_close(&s, true);
  assert_int_equal(engine_counts_of(f.engine).opened, 1);
  engine_fixture_close(&f);
}

static void one_turn(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, "({a: [1, 'x'.repeat(3)]})", "{\"a\":[1,\"xxx\"]}");
  assert_int_equal(s.messages, 1);
  assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_NONE);
  assert_int_equal(engine_unhandled(s.instance), 0);
  assert_true(engine_memory(s.instance) > 100000 && engine_memory(s.instance) < MEMORY_MAX);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void a_turn_for_each_answer(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(tell_script(&s, "let n = 0; for (let i = 0; i < 20; i++) n += await op(i); n"),
                   ENGINE_DONE);
  for (unsigned i = 1; i <= 20; i++) {
    assert_int_equal(s.calls, i);
    assert_null(s.value);
    engine_instance_idle(s.instance); /* as it waits */
    assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id, "\x05", 1), ENGINE_DONE);
  }
  assert_string_equal(s.value, "100");
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void unhandled_rejections_are_counted(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, "Promise.reject(1); Promise.reject(2); Promise.reject(3).catch(() => {}); 1", "1");
  assert_int_equal(engine_unhandled(s.instance), 2);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* More than the outbox holds leaves in the middle of a turn, in order. */
static void many_messages_in_one_turn(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, "for (let i = 0; i < 5000; i++) console.log('line ' + i); 1", "1");
  assert_int_equal(s.logs, 5000);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* ---- sizes ---- */

static void a_source_of_ten_mebibytes(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  size_t len = 10 * MIB;
  char *source = malloc(len);
  assert_non_null(source);
  memset(source, ' ', len);
  memcpy(source, "'begin';", 8);
  memcpy(source + len - 5, "'end'", 5);
  const start_fields fields = {.source = source, .source_len = len};
  assert_int_equal(finish_turn(&s, begin(&s, &fields)), ENGINE_DONE);
  assert_string_equal(s.value, "\"end\"");
  free(source);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void an_answer_of_ten_mebibytes(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(
      tell_script(&s, "const b = new Uint8Array(await op(1)); [b.length, b[0], b.at(-1)]"),
      ENGINE_DONE);
  size_t len = 10 * MIB;
  uint8_t *value = malloc(len + 5);
  assert_non_null(value);
  memset(value, 7, len + 5);
  memcpy(value, "\x5a\x00\xa0\x00\x00", 5);
  assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id, value, len + 5), ENGINE_DONE);
  assert_string_equal(s.value, "[10485760,7,7]");
  free(value);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void a_value_of_ten_mebibytes(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(tell_script(&s, "'y'.repeat(10 << 20)"), ENGINE_DONE);
  assert_int_equal(strlen(s.value), (10u << 20) + 2);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* There is no room for the message: the guest is at an end, the host is not. */
static void a_message_larger_than_the_memory(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, 16 * MIB);
  assert_null(engine_inbox(s.instance, 32 * MIB));
  assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_MEMORY);
  assert_null(engine_inbox(s.instance, 8));
  assert_int_equal(engine_turn(s.instance, 0, UINT64_MAX), ENGINE_FAULT);
  speaker_close(&s, true);
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  engine_fixture_close(&f);
}

/* ---- many ---- */

static void many_guests_at_once(void **state) {
  static speaker all[MANY];
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (int i = 0; i < MANY; i++) {
    char source[100];
    speaker_open(&all[i], &f, MEMORY_MAX);
    snprintf(source, sizeof source, "globalThis.own = %d; await op(0); own * 2", i);
    assert_int_equal(tell_script(&all[i], source), ENGINE_DONE);
  }
  assert_int_equal(engine_counts_of(f.engine).live, MANY);
  for (int i = MANY - 1; i >= 0; i--) {
    char value[20];
    snprintf(value, sizeof value, "%d", i * 2);
    assert_int_equal(tell(&all[i], WIRE_FULFIL, all[i].call_id, "\xf6", 1), ENGINE_DONE);
    assert_string_equal(all[i].value, value);
    speaker_close(&all[i], true);
  }
  engine_fixture_close(&f);
}

/* ---- preemption ---- */

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* A slice of a spinning guest is about a millisecond long. A busy machine, on
 * which the ticker has to wait, makes many of them longer. */
static void spinning_guests_yield(void **state) {
  static const char *const spins[] = {
      "for (;;);",
      "'x'.repeat(50).match(/^(x+x+)+y/)",
      "[].indexOf.call({length: 2 ** 53 - 1}, 1)",
      "Array.from({length: 1e5}, (_, i) => 1e5 - i).sort((a, b) => { for (;;); })",
      "(10n ** 3000000n).toString().length",
  };
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < sizeof spins / sizeof spins[0]; i++) {
    enum { SLICES = 21 };
    uint64_t took[SLICES];
    speaker s;
    speaker_open(&s, &f, MEMORY_MAX);
    const start_fields fields = {.source = spins[i]};
    assert_int_equal(begin(&s, &fields), ENGINE_YIELDED);
    for (int slice = 0; slice < SLICES; slice++) {
      uint64_t begun = clock_of(CLOCK_THREAD_CPUTIME_ID);
      assert_int_equal(engine_resume(s.instance), ENGINE_YIELDED);
      took[slice] = clock_of(CLOCK_THREAD_CPUTIME_ID) - begun;
    }
    qsort(took, SLICES, sizeof took[0], by_size);
    assert_true(took[SLICES / 4] < 3000000);
    speaker_close(&s, true); /* in the middle of a turn: it is not reused all the same */
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  engine_fixture_close(&f);
}

/* Guests take turns slice by slice, and each comes to its own end. */
static void preempted_guests_go_on_where_they_were(void **state) {
  enum { GUESTS = 6 };
  speaker s[GUESTS];
  engine_turn_result results[GUESTS];
  engine_fixture f;
  engine_fixture_open(&f, state);
  unsigned yields = 0, live = GUESTS;
  for (int i = 0; i < GUESTS; i++) {
    char source[100];
    speaker_open(&s[i], &f, MEMORY_MAX);
    snprintf(source, sizeof source, "let n = %d; for (let i = 0; i < 300000; i++) n += i %% 3; n",
             i);
    const start_fields fields = {.source = source};
    results[i] = begin(&s[i], &fields);
  }
  while (live > 0) {
    live = 0;
    for (int i = 0; i < GUESTS; i++)
      if (results[i] == ENGINE_YIELDED) {
        results[i] = engine_resume(s[i].instance);
        live++;
        yields++;
      }
  }
  assert_true(yields > GUESTS);
  for (int i = 0; i < GUESTS; i++) {
    char value[20];
    snprintf(value, sizeof value, "%d", 300000 + i);
    assert_int_equal(results[i], ENGINE_DONE);
    assert_string_equal(s[i].value, value);
    speaker_close(&s[i], true);
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, GUESTS);
  engine_fixture_close(&f);
}

static void drop_in_the_middle_of_a_turn(void **state) {
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (int i = 0; i < DROPS; i++) {
    speaker s;
    speaker_open(&s, &f, MEMORY_MAX);
    const start_fields fields = {.source = i % 2 ? "for (;;) [].push.apply([], [1, 2])"
                                                 : "for (;;) console.log('x'.repeat(100))"};
    assert_int_equal(begin(&s, &fields), ENGINE_YIELDED);
    for (int slice = 0; slice < i % 3; slice++)
      assert_int_equal(engine_resume(s.instance), ENGINE_YIELDED);
    speaker_close(&s, true);
  }
  engine_counts counts = engine_counts_of(f.engine);
  assert_int_equal(counts.opened, DROPS);
  assert_int_equal(counts.recycled, 0);
  assert_int_equal(counts.discarded, DROPS);
  engine_fixture_close(&f);
}

/* The native engine cannot yield: it stops script at the time it is given. */
static void natively_a_turn_ends_at_its_time(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  const start_fields fields = {.source = "try { for (;;); } catch {} for (;;);"};
  size_t size = write_start(&s, &fields);
  uint64_t stop_at = now_ns() + 5000000;
  assert_int_equal(engine_turn(s.instance, size, stop_at), ENGINE_FAULT);
  assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_TIME);
  assert_true(now_ns() >= stop_at && now_ns() < stop_at + 10 * 1000000000ull);
  assert_int_equal(engine_resume(s.instance), ENGINE_FAULT);
  speaker_close(&s, false);
  engine_fixture_close(&f);
}

/* What is for trusted code goes with engine_set_trust() and comes with nothing else. */
static void trusted_guests_share_memory(void **state) {
  static const char source[] = "const words = new Int32Array(new SharedArrayBuffer(8));"
                               "let waited; try { waited = Atomics.wait(words, 0, 0, 1) }"
                               "catch (error) { waited = error.name } waited";
  static const engine_trust steps[] = {{.can_block = false}, {.can_block = true}};
  static const char *const values[] = {"\"TypeError\"", "\"timed-out\""};
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < 2; i++) {
    engine_set_trust(f.engine, &steps[i]);
    speaker_open(&s, &f, MEMORY_MAX);
    says(&s, source, values[i]);
    speaker_close(&s, true);
  }
  engine_set_trust(f.engine, NULL);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, "typeof SharedArrayBuffer + typeof Atomics", "\"undefinedundefined\"");
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* Others get whole milliseconds, which tell little of what runs beside them. */
static void trusted_guests_have_a_fine_clock(void **state) {
  static const char source[] = "let fine = false, last = performance.now();"
                               "for (let i = 0; i < 10000 && !fine; i++) {"
                               "  const now = performance.now();"
                               "  fine = now !== last && now - last < 1; last = now }"
                               "fine";
  static const engine_trust trust = {.can_block = false};
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, source, "false");
  speaker_close(&s, true);
  engine_set_trust(f.engine, &trust);
  speaker_open(&s, &f, MEMORY_MAX);
  says(&s, source, "true");
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* ---- faults ---- */

static void the_memory_limit(void **state) {
  static const char *const hogs[] = {
      "const a = []; for (;;) a.push(new Uint8Array(100000))",
      "const a = []; for (;;) try { for (;;) a.push(new ArrayBuffer(1 << 20)) } catch {}",
      "new Uint8Array(1 << 30)",
      "try { new Uint8Array(1 << 30) } catch {} 'caught'",
      "const a = []; for (;;) a.push({})",
  };
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < sizeof hogs / sizeof hogs[0]; i++) {
    speaker s;
    speaker_open(&s, &f, 16 * MIB);
    assert_int_equal(tell_script(&s, hogs[i]), ENGINE_FAULT);
    assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_MEMORY);
    bool native = engine_kind_of_engine(f.engine) == ENGINE_NATIVE;
    assert_true(engine_memory(s.instance) <= 16 * MIB + (native ? ENGINE_NATIVE_RESERVE : 0));
    assert_int_equal(engine_turn(s.instance, 0, UINT64_MAX), ENGINE_FAULT);
    assert_null(engine_inbox(s.instance, 8));
    speaker_close(&s, true);
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  engine_fixture_close(&f);
}

static void memory_up_to_the_limit_is_given(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, 16 * MIB);
  says(&s, "const a = []; for (let i = 0; i < 10; i++) a.push(new Uint8Array(1 << 20)); a.length",
       "10");
  assert_true(engine_memory(s.instance) > 10 * MIB);
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

/* With the engine's own check out of the way, recursion runs over the stack. */
static void a_stack_overflow_is_a_trap(void **state) {
  static const char *const recursions[] = {
      "const f = () => f() + 1; f()",
      "let s = '['.repeat(1e6); JSON.parse(s)",
      "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; a.flat(Infinity)",
  };
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < sizeof recursions / sizeof recursions[0]; i++) {
    speaker s;
    speaker_open(&s, &f, 256 * MIB);
    const start_fields fields = {.source = recursions[i], .stack_bytes = 1u << 31};
    assert_int_equal(finish_turn(&s, begin(&s, &fields)), ENGINE_FAULT);
    assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_STACK);
    speaker_close(&s, true);
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  speaker s;
  speaker_open(&s, &f, MEMORY_MAX); /* the next one is well */
  says(&s, "1 + 1", "2");
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

static void a_drain_that_refuses_stops_the_guest(void **state) {
  static const char *const talkers[] = {
      "for (;;) console.log('x'.repeat(1000))",      /* through a full outbox */
      "console.log('x'.repeat(1 << 20)); for (;;);", /* through a message of its own */
      "1",                                           /* at the end of the turn */
  };
  engine_fixture f;
  engine_fixture_open(&f, state);
  for (size_t i = 0; i < sizeof talkers / sizeof talkers[0]; i++) {
    speaker s;
    speaker_open(&s, &f, MEMORY_MAX);
    s.refuse = true;
    assert_int_equal(tell_script(&s, talkers[i]), ENGINE_FAULT);
    assert_int_equal(engine_fault_of(s.instance), ENGINE_FAULT_STOPPED);
    assert_int_equal(s.messages > 0, 1);
    unsigned messages = s.messages;
    assert_int_equal(engine_turn(s.instance, 0, UINT64_MAX), ENGINE_FAULT);
    assert_int_equal(s.messages, messages); /* nothing is heard any more */
    speaker_close(&s, true);
  }
  assert_int_equal(engine_counts_of(f.engine).recycled, 0);
  engine_fixture_close(&f);
}

/* Messages the guest does not know, cut short or with ids of nobody change nothing. */
static void odd_messages_are_ignored(void **state) {
  engine_fixture f;
  speaker s;
  engine_fixture_open(&f, state);
  speaker_open(&s, &f, MEMORY_MAX);
  assert_int_equal(tell_script(&s, "await op(1)"), ENGINE_DONE);
  assert_int_equal(tell(&s, 99, 1, "\x01", 1), ENGINE_DONE);
  assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id + 1, "\x01", 1), ENGINE_DONE);
  assert_int_equal(tell(&s, WIRE_FULFIL, UINT64_MAX, "\x01", 1), ENGINE_DONE);
  assert_int_equal(tell(&s, WIRE_TIMER, 12345, NULL, 0), ENGINE_DONE);
  assert_int_equal(engine_turn(s.instance, 0, UINT64_MAX), ENGINE_DONE);
  assert_null(s.value);
  assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id, "\x07", 1), ENGINE_DONE);
  assert_string_equal(s.value, "7");
  assert_int_equal(tell(&s, WIRE_FULFIL, s.call_id, "\x08", 1), ENGINE_DONE); /* again */
  speaker_close(&s, true);
  engine_fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(open_and_close),
      ON_BOTH(one_turn),
      ON_BOTH(a_turn_for_each_answer),
      ON_BOTH(unhandled_rejections_are_counted),
      ON_BOTH(many_messages_in_one_turn),
      ON_BOTH(a_source_of_ten_mebibytes),
      ON_BOTH(an_answer_of_ten_mebibytes),
      ON_BOTH(a_value_of_ten_mebibytes),
      ON_BOTH(a_message_larger_than_the_memory),
      ON_BOTH(many_guests_at_once),
      ON_WASM(spinning_guests_yield),
      ON_WASM(preempted_guests_go_on_where_they_were),
      ON_WASM(drop_in_the_middle_of_a_turn),
      ON_NATIVE(natively_a_turn_ends_at_its_time),
      ON_NATIVE(trusted_guests_share_memory),
      ON_NATIVE(trusted_guests_have_a_fine_clock),
      ON_BOTH(the_memory_limit),
      ON_BOTH(memory_up_to_the_limit_is_given),
      ON_WASM(a_stack_overflow_is_a_trap),
      ON_BOTH(a_drain_that_refuses_stops_the_guest),
      ON_BOTH(odd_messages_are_ignored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
