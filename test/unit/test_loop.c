/* The event loop: deadlines, work between polls, messages from other threads,
 * waking for them, and closing while threads still send. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "loop/spin.h"
#include "unit/counting_alloc.h"

#define MS UINT64_C(1000000)
/* What wakes for another reason wakes at its time, a minute away, or never. */
#define LATE_NS (10000 * MS)
#define SENDERS 3
#define MESSAGES 2000

typedef struct stage {
  counting_alloc counting;
  vow_allocator allocator;
  loop *loop;
  unsigned deadlines, works, works_left;
  uint64_t expected; /* a deadline must not come before */
  unsigned delivered;
  uint32_t next_of[SENDERS]; /* the number each sender's next message must have */
} stage;

static void on_deadline(void *user) {
  stage *s = user;
  assert_true(loop_now() >= s->expected);
  s->deadlines++;
}

static void on_work(void *user) {
  stage *s = user;
  s->works++;
  if (--s->works_left == 0)
    loop_set_busy(s->loop, false);
}

static void stage_open(stage *s) {
  *s = (stage){0};
  s->allocator = counting_allocator(&s->counting);
  s->loop = loop_open(&s->allocator, on_deadline, on_work, s);
  assert_non_null(s->loop);
}

static void stage_close(stage *s) {
  loop_close(s->loop);
  assert_int_equal(s->counting.blocks, 0);
}

static void set_deadline(stage *s, uint64_t at) {
  s->expected = at;
  loop_set_deadline(s->loop, at);
}

/* ---- deadlines ---- */

static void until_deadlines(stage *s, unsigned count) {
  while (s->deadlines < count)
    loop_run(s->loop, true);
}

static void deadlines_are_never_early(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  static const uint64_t waits[] = {0, 1, 999999, MS, MS + 1, 3 * MS - 1, 5 * MS};
  unsigned count = 0;
  for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
    uint64_t at = loop_now() + waits[i];
    set_deadline(&s, at);
    until_deadlines(&s, ++count);
    assert_true(loop_now() < at + LATE_NS);
  }
  stage_close(&s);
}

static void deadlines_can_be_moved(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  uint64_t now = loop_now();
  set_deadline(&s, now + 60000 * MS);
  set_deadline(&s, now + 3 * MS); /* sooner */
  until_deadlines(&s, 1);
  now = loop_now();
  set_deadline(&s, now + 2 * MS);
  set_deadline(&s, now + 8 * MS); /* later: what was armed fires, and is looked at again */
  until_deadlines(&s, 2);
  now = loop_now();
  set_deadline(&s, now - 1); /* passed */
  until_deadlines(&s, 3);
  stage_close(&s);
}

static void a_withdrawn_deadline_does_not_come(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  set_deadline(&s, loop_now() + MS);
  loop_set_deadline(s.loop, UINT64_MAX);
  uint64_t until = loop_now() + 3 * MS;
  while (loop_now() < until)
    uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
  assert_int_equal(s.deadlines, 0);
  stage_close(&s);
}

/* Each time is told once, however long nothing new is set. */
static void a_deadline_comes_once(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  set_deadline(&s, loop_now() + MS);
  until_deadlines(&s, 1);
  uint64_t until = loop_now() + 3 * MS;
  while (loop_now() < until)
    uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
  assert_int_equal(s.deadlines, 1);
  stage_close(&s);
}

/* ---- work ---- */

static void work_goes_on_while_busy(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  s.works_left = 100;
  loop_set_busy(s.loop, true);
  loop_set_busy(s.loop, true);
  while (s.works_left > 0)
    loop_run(s.loop, true);
  for (int i = 0; i < 5; i++)
    uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
  assert_int_equal(s.works, 100);
  stage_close(&s);
}

/* Endless work does not keep a deadline from coming. */
static void deadlines_come_beside_work(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  s.works_left = 1000000000;
  loop_set_busy(s.loop, true);
  set_deadline(&s, loop_now() + 2 * MS);
  until_deadlines(&s, 1);
  assert_true(s.works > 0);
  stage_close(&s);
}

/* ---- messages ---- */

typedef struct letter {
  loop_message message;
  stage *stage;
  uint32_t sender, number;
} letter;

typedef struct sender {
  uv_thread_t thread;
  stage *stage;
  letter *letters;
  uint32_t id, count;
} sender;

static void deliver(loop_message *message) {
  letter *l = (letter *)message;
  stage *s = l->stage;
  assert_int_equal(l->number, s->next_of[l->sender]);
  s->next_of[l->sender]++;
  s->delivered++;
}

static void send_all(void *user) {
  sender *from = user;
  for (uint32_t i = 0; i < from->count; i++) {
    from->letters[i] = (letter){{.deliver = deliver}, from->stage, from->id, i};
    loop_post(from->stage->loop, &from->letters[i].message);
  }
}

static void messages_of_many_threads_keep_their_order(void **state) {
  (void)state;
  static letter letters[SENDERS][MESSAGES];
  sender senders[SENDERS];
  stage s;
  stage_open(&s);
  for (uint32_t i = 0; i < SENDERS; i++) {
    senders[i] = (sender){.stage = &s, .letters = letters[i], .id = i, .count = MESSAGES};
    assert_int_equal(uv_thread_create(&senders[i].thread, send_all, &senders[i]), 0);
  }
  while (s.delivered < SENDERS * MESSAGES)
    loop_run(s.loop, true);
  for (uint32_t i = 0; i < SENDERS; i++)
    uv_thread_join(&senders[i].thread);
  stage_close(&s);
}

/* The last message seen may end the loop while its sender has not yet returned
 * from sending it. */
static void closing_right_behind_the_last_message(void **state) {
  (void)state;
  for (int round = 0; round < 300; round++) {
    letter letters[SENDERS];
    sender senders[SENDERS];
    stage s;
    stage_open(&s);
    for (uint32_t i = 0; i < SENDERS; i++) {
      senders[i] = (sender){.stage = &s, .letters = &letters[i], .id = i, .count = 1};
      assert_int_equal(uv_thread_create(&senders[i].thread, send_all, &senders[i]), 0);
    }
    while (s.delivered < SENDERS)
      loop_run(s.loop, true);
    stage_close(&s);
    for (uint32_t i = 0; i < SENDERS; i++)
      uv_thread_join(&senders[i].thread);
  }
}

static void closing_delivers_what_is_left(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  letter l = {{.deliver = deliver}, &s, 0, 0};
  loop_post(s.loop, &l.message);
  assert_int_equal(s.delivered, 0);
  stage_close(&s);
  assert_int_equal(s.delivered, 1);
}

static bool is_readable(const stage *s) {
  struct pollfd poller = {.fd = uv_backend_fd(loop_uv(s->loop)), .events = POLLIN};
  return poll(&poller, 1, 0) == 1;
}

/* Whoever waits for the loop's descriptor instead of running it. */
static void a_message_wakes_the_descriptor(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  uv_run(loop_uv(s.loop), UV_RUN_NOWAIT); /* it watches from its first turn on */
  for (uint32_t i = 0; i < 3; i++) {
    letter l = {{.deliver = deliver}, &s, 0, i};
    assert_false(is_readable(&s));
    loop_post(s.loop, &l.message);
    assert_true(is_readable(&s));
    if (i == 1)
      loop_run(s.loop, true);
    else
      uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
    assert_int_equal(s.delivered, i + 1);
  }
  stage_close(&s);
}

typedef struct reply {
  loop_message message;
  letter *letter;
  uint32_t hops; /* of its own, before the letter */
} reply;

static void deliver_reply(loop_message *message) {
  reply *r = (reply *)message;
  loop_post(r->letter->stage->loop, r->hops-- > 0 ? &r->message : &r->letter->message);
}

/* The loop looks at its mailbox again without being woken, but for what comes so late in a
 * turn that the turn is over. */
static void a_message_of_the_last_moment_is_not_lost(void **state) {
  (void)state;
  stage s;
  stage_open(&s);
  loop_expect(s.loop, 1);
  for (uint32_t i = 0; i < 20; i++) {
    letter l = {{.deliver = deliver}, &s, 0, i};
    reply r = {{.deliver = deliver_reply}, &l, i % 5};
    loop_post(s.loop, &r.message);
    loop_run(s.loop, true);
    while (s.delivered <= i) {
      assert_true(is_readable(&s));
      uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
    }
  }
  loop_expect(s.loop, -1);
  stage_close(&s);
}

/* What is waited for in vain costs less and less; what comes makes it worth again. */
static void looking_in_vain_becomes_rare(void **state) {
  (void)state;
  spin spin = {0};
  atomic_bool flag = false;
  unsigned looked = 0;
  for (int i = 0; i < 20000; i++) {
    uint32_t skips = spin.skips;
    assert_false(spin_until(&spin, &flag, true));
    looked += skips == 0;
  }
  assert_in_range(looked, 20000 >> SPIN_MISSES_MAX, SPIN_MISSES_MAX + (20000 >> SPIN_MISSES_MAX));
  flag = true;
  assert_true(spin_until(&spin, &flag, true));
  assert_int_equal(spin.misses, SPIN_MISSES_MAX);
}

/* ---- handles of others ---- */

static void close_timer(uv_timer_t *timer) {
  *(bool *)timer->data = true;
  uv_close((uv_handle_t *)timer, NULL);
}

static void closing_waits_for_handles_of_others(void **state) {
  (void)state;
  stage s;
  uv_timer_t timer;
  bool fired = false;
  stage_open(&s);
  uv_timer_init(loop_uv(s.loop), &timer);
  timer.data = &fired;
  uv_timer_start(&timer, close_timer, 2, 0);
  stage_close(&s);
  assert_true(fired);
}

static void no_memory(void **state) {
  (void)state;
  counting_alloc counting = {.fail_at = 1};
  vow_allocator allocator = counting_allocator(&counting);
  errno = 0;
  assert_null(loop_open(&allocator, on_deadline, on_work, NULL));
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(counting.blocks, 0);
  loop_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(deadlines_are_never_early),
      cmocka_unit_test(deadlines_can_be_moved),
      cmocka_unit_test(a_withdrawn_deadline_does_not_come),
      cmocka_unit_test(a_deadline_comes_once),
      cmocka_unit_test(work_goes_on_while_busy),
      cmocka_unit_test(deadlines_come_beside_work),
      cmocka_unit_test(messages_of_many_threads_keep_their_order),
      cmocka_unit_test(closing_right_behind_the_last_message),
      cmocka_unit_test(closing_delivers_what_is_left),
      cmocka_unit_test(a_message_wakes_the_descriptor),
      cmocka_unit_test(a_message_of_the_last_moment_is_not_lost),
      cmocka_unit_test(looking_in_vain_becomes_rare),
      cmocka_unit_test(closing_waits_for_handles_of_others),
      cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
