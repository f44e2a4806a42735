/* Callbacks and specs for tests of groups. */
#ifndef VOW_TEST_TASK_GROUP_FIXTURE_H
#define VOW_TEST_TASK_GROUP_FIXTURE_H

#include "unit/task_fixture.h"

/* What a callback does; its argument. */
typedef struct act {
  const char *json;  /* succeeds with it; NULL: without a value */
  const char *error; /* fails with this type */
  unsigned failures; /* so many times first, as "NetError" */
  bool waits;        /* before, for `go` or its cancel */
  atomic_bool go;
  atomic_uint begun, stopped, freed;
} act;

static inline void free_act(void *argument) {
  atomic_fetch_add(&((act *)argument)->freed, 1);
}

static inline void perform(vow_task_context *context, void *argument) {
  act *a = argument;
  unsigned before = atomic_fetch_add(&a->begun, 1);
  while (a->waits && !atomic_load(&a->go))
    if (!vow_task_sleep(context, 1)) {
      atomic_fetch_add(&a->stopped, 1);
      break;
    }
  if (a->error)
    vow_task_fail(context, a->error, "as it was told", NULL);
  else if (before < a->failures)
    vow_task_fail(context, "NetError", "not yet", NULL);
  else if (a->json && vow_task_succeed_json(context, a->json) == VOW_E_NOMEM)
    vow_task_fail(context, "MemoryError", "memory is short", NULL);
}

static inline vow_task_spec act_spec(const char *name, act *a) {
  vow_task_spec spec = vow_task_call_spec(name, perform, a);
  spec.argument_free = free_act;
  return spec;
}

#define GROUP(name_, form_, ...)                                                                   \
  vow_task_group_spec(name_, form_, (const vow_task_spec *const[]){__VA_ARGS__},                   \
                      sizeof((const vow_task_spec *const[]){__VA_ARGS__}) / sizeof(void *))

static inline void run_to(const stage *s, const vow_task_spec *spec, vow_state state,
                          vow_task **task) {
  assert_int_equal(vow_task_run(s->pool, spec, task), VOW_OK);
  if (vow_task_state(*task) != state)
    fail_msg("state %d: %s: %s", vow_task_state(*task), vow_task_result_of(*task)->error_type,
             vow_task_result_of(*task)->error_message);
}

static inline void expect_json(vow_task *task, const char *json) {
  assert_int_equal(vow_task_state(task), VOW_FULFILLED);
  const char *value = vow_task_value_json(task);
  assert_non_null(value);
  assert_string_equal(value, json);
}

static inline void expect_error(vow_task *task, const char *type, const char *message) {
  const vow_task_result *result = vow_task_result_of(task);
  assert_string_equal(result->error_type, type);
  assert_string_equal(result->error_message, message);
  assert_null(result->value);
}

static inline vow_state member_state(vow_task *group, size_t index) {
  return vow_task_state(vow_task_member(group, index));
}

#endif
