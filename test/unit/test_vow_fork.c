/* The public interface in a process that forks: what was open stays the parent's, and
 * works there as if nothing had happened. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/vow_fixture.h"

enum { CHILDREN = 20, CHILD_SECONDS = 60, TOLD_BYTES = 16384 };

/* In a child: cmocka's ways out are the parent's. The line number is the exit status. */
#define MUST(holds)                                                                                \
  do {                                                                                             \
    if (!(holds))                                                                                  \
      _exit(__LINE__ & 0xff ? __LINE__ & 0xff : 1);                                                \
  } while (0)

static pid_t fork_child(void) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    alarm(CHILD_SECONDS); /* one that waits for a lost lock ends as well */
  return child;
}

static void ends_well(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    print_error("the child ended with %#x\n", (unsigned)status);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void use_what_is_lost(fixture *f, subject *s, vow_op *op) {
  vow_policy policy = {.size = sizeof policy};
  vow_counts counts = {.size = sizeof counts};
  vow_pending pending;
  vow_script *script;
  vow_run *run;
  const char *json;
  MUST(vow_loop_run(f->rt, VOW_LOOP_ONCE) == VOW_E_THREAD);
  MUST(vow_loop_turn(f->rt) == VOW_E_THREAD);
  MUST(vow_loop_fd(f->rt) == -1 && vow_loop_timeout(f->rt) == 0);
  MUST(vow_register(f->rt, "test.child", on_echo, &policy, f) == VOW_E_THREAD);
  MUST(vow_eval(f->rt, &s->request, note_done, s, &run) == VOW_E_THREAD);
  MUST(vow_script_open(f->rt, &s->request, &script) == VOW_E_THREAD);
  MUST(vow_runtime_counts(f->rt, &counts) == VOW_E_THREAD);
  MUST(vow_runtime_metrics(f->rt, &json) == VOW_E_THREAD);
  MUST(vow_run_cancel(s->run) == VOW_E_THREAD);
  MUST(vow_run_set_wall(s->run, 1) == VOW_E_THREAD);
  MUST(vow_run_pending(s->run, &pending, 1) == 0);
  MUST(vow_run_dispose(s->run) == VOW_E_THREAD);
  MUST(vow_op_cancelled(op) && vow_op_remaining_ms(op) == 0);
  MUST(vow_op_on_cancel(op, NULL, NULL) == VOW_E_CANCELLED);
  MUST(vow_op_args_json(op, &json) == VOW_E_STATE);
  MUST(vow_op_progress(op, "x", 1) == VOW_LATE);
  MUST(vow_op_fulfil_json(op, "1") == VOW_LATE);
  MUST(vow_op_reject(op, NULL) == VOW_LATE);
  vow_op_release(op);
  MUST(vow_runtime_close(f->rt) == VOW_E_THREAD);
  MUST(s->done == 0 && s->progress == 0);
}

/* It would work beside the parent's engine and the parent's locks on files. */
static void open_another(void) {
  char message[200];
  vow_runtime *rt;
  for (int engine = VOW_ENGINE_WASM; engine <= VOW_ENGINE_NATIVE; engine++) {
    const vow_runtime_options options = {.size = sizeof options,
                                         .engine = (vow_engine)engine,
                                         .message = message,
                                         .message_size = sizeof message};
    MUST(vow_runtime_open(&options, &rt) == VOW_E_OPEN && !rt);
    MUST(strstr(message, "fork before opening any"));
  }
}

static void what_is_open_is_lost_to_the_child(void **state) {
  fixture f;
  subject s;
  fixture_open(&f, state);
  subject_open(&s, &f, "await test.block(1) + await test.hold(2)");
  until_held(&f, 1);
  pid_t child = fork_child();
  if (child == 0) {
    use_what_is_lost(&f, &s, f.held[0]);
    open_another();
    _exit(0);
  }
  ends_well(child);
  vow_op *op = take_held(&f);
  assert_false(vow_op_cancelled(op));
  assert_int_equal(vow_op_fulfil_json(op, "41"), VOW_OK);
  vow_op_release(op);
  ends_with_value(&s, "42");
  subject_close(&s);
  fixture_close(&f);
}

/* ---- while another thread is at it ---- */

typedef struct teller {
  vow_op *op;
  atomic_bool stop;
} teller;

static void *tell_for_ever(void *user) {
  static const char told[TOLD_BYTES];
  teller *t = user;
  while (!atomic_load(&t->stop))
    vow_op_progress(t->op, told, sizeof told); /* holds the lock much of the time */
  return NULL;
}

static void no_child_waits_for_a_lost_lock(void **state) {
  fixture f;
  subject s;
  pthread_t thread;
  fixture_open(&f, state);
  subject_init(&s, &f, "await test.hold(1)");
  s.request.op_timeout_ms = s.request.wall_ms = CHILDREN * CHILD_SECONDS * 1000;
  assert_int_equal(subject_try(&s), VOW_OK);
  until_held(&f, 1);
  teller t = {.op = f.held[0]};
  assert_int_equal(pthread_create(&thread, NULL, tell_for_ever, &t), 0);
  for (int i = 0; i < CHILDREN; i++) {
    pid_t child = fork_child();
    if (child == 0) {
      MUST(vow_op_progress(t.op, "x", 1) == VOW_LATE);
      MUST(vow_op_fulfil(t.op, NULL, 0) == VOW_LATE);
      _exit(0);
    }
    ends_well(child);
  }
  atomic_store(&t.stop, true);
  pthread_join(thread, NULL);
  vow_op *op = take_held(&f);
  while (vow_op_fulfil_json(op, "7") == VOW_E_FULL) /* its mailbox */
    assert_int_equal(vow_loop_run(f.rt, VOW_LOOP_POLL), VOW_OK);
  vow_op_release(op);
  ends_with_value(&s, "7");
  assert_true(s.progress > 0);
  subject_close(&s);
  fixture_close(&f);
}

/* ---- before and after ---- */

static vow_status evaluate(vow_engine engine, char value[256]) {
  fixture f = {0};
  subject s;
  vow_runtime_options options = {.engine = engine};
  vow_status status = fixture_try(&f, &options);
  if (status != VOW_OK)
    return status;
  subject_init(&s, &f, "await test.block(40) + await test.echo(2)");
  status = subject_try(&s);
  while (status == VOW_OK && !s.done)
    status = vow_loop_run(f.rt, VOW_LOOP_ONCE);
  note_text(value, 256, s.value);
  vow_run_dispose(s.run);
  vow_runtime_close(f.rt);
  return status;
}

/* As a server does that forks its workers; closed ones are not in the way. */
static void children_open_their_own(void **state) {
  vow_engine engine = *(const vow_engine *)*state;
  char value[256];
  for (int i = 0; i < 2; i++) {
    pid_t child = fork_child();
    if (child == 0) {
      MUST(evaluate(engine, value) == VOW_OK);
      MUST(strcmp(value, "42") == 0);
      _exit(0);
    }
    ends_well(child);
    assert_int_equal(evaluate(engine, value), VOW_OK);
    assert_string_equal(value, "42");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_BOTH(children_open_their_own),
      ON_BOTH(what_is_open_is_lost_to_the_child),
      ON_BOTH(no_child_waits_for_a_lost_lock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
