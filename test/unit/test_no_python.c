/* Functions of Python where there is none: in a build without it, and in a program that cannot
 * find its module. The one argument is how the error begins. */
#include "unit/task_fixture.h"
#include "vow/executor.h"

static const char *expected;

typedef struct parlour {
  stage stage;
  vow_executor *executor;
} parlour;

static void parlour_open(parlour *p) {
  stage_open(&p->stage, 2);
  const vow_executor_options options = {.size = sizeof options, .allocator = &p->stage.allocator};
  assert_int_equal(vow_executor_open(&options, &p->executor), VOW_OK);
}

/* Nothing is left. */
static void parlour_close(parlour *p) {
  assert_int_equal(vow_task_pool_close(p->stage.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  assert_int_equal(vow_executor_close(p->executor), VOW_OK);
  assert_int_equal(p->stage.memory.blocks, 0);
}

static const vow_function functions[] = {
    {.size = sizeof(vow_function), .language = VOW_PYTHON, .file = "gone.py", .name = "f"},
    {.size = sizeof(vow_function), .language = VOW_PYTHON, .module = "json", .name = "dumps"},
    {.size = sizeof(vow_function), .language = VOW_PYTHON, .source = "1"},
};
static const vow_function script = {
    .size = sizeof script, .language = VOW_JAVASCRIPT, .source = "6 * 7"};

static vow_task_spec spec_of(const parlour *p, const vow_function *function) {
  vow_task_spec spec;
  assert_int_equal(vow_executor_task(p->executor, function, &spec), VOW_OK);
  return spec;
}

static void expect_none(vow_task *task) {
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_REJECTED);
  assert_string_equal(result->error_type, "NotFoundError");
  if (strncmp(result->error_message, expected, strlen(expected)) != 0)
    fail_msg("it says: %s", result->error_message);
  assert_null(result->error_detail);
}

static void each_way_to_name_a_function(void **state) {
  (void)state;
  parlour p;
  parlour_open(&p);
  for (unsigned i = 0; i < 6; i++) {
    vow_task *task;
    vow_task_spec spec = spec_of(&p, &functions[i / 2]);
    if (i % 2) {
      spec.argument_free(spec.argument);
      assert_int_equal(vow_executor_load(p.executor, &functions[i / 2], &spec), VOW_OK);
    }
    assert_int_equal(vow_task_run(p.stage.pool, &spec, &task), VOW_OK);
    expect_none(task);
    vow_task_release(task);
  }
  parlour_close(&p);
}

static void functions_of_other_languages_go_on(void **state) {
  (void)state;
  for (unsigned race = 0; race < 2; race++) {
    parlour p;
    vow_task *task;
    parlour_open(&p);
    const vow_task_spec python = spec_of(&p, &functions[1]), other = spec_of(&p, &script);
    const vow_task_spec *const members[] = {&python, &other};
    vow_task_spec spec =
        vow_task_group_spec("both", race ? VOW_TASK_RACE : VOW_TASK_PARALLEL, members, 2);
    assert_int_equal(vow_task_run(p.stage.pool, &spec, &task), VOW_OK);
    assert_string_equal(vow_task_value_json(vow_task_member(task, 1)), "42");
    expect_none(vow_task_member(task, 0));
    if (race)
      assert_int_equal(vow_task_state(task), VOW_FULFILLED);
    else
      expect_none(task);
    vow_task_release(task);
    parlour_close(&p);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_way_to_name_a_function),
      cmocka_unit_test(functions_of_other_languages_go_on),
  };
  if (argc != 2)
    return 2;
  expected = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
