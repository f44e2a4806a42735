/* A pool and an executor in counted memory, Python files in a folder of the test's own, and
 * what functions print. Functions that a test has to wait for say so by printing. */
#ifndef VOW_TEST_PYTHON_FIXTURE_H
#define VOW_TEST_PYTHON_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/json.h"
#include "unit/task_fixture.h"
#include "vow/executor.h"

typedef struct snakes {
  stage stage;
  vow_executor *executor;
  char folder[32];
  uv_mutex_t lock; /* guards the rest */
  uv_cond_t printed;
  char output[2][1 << 16]; /* of streams 1 and 2 */
  size_t len[2];
} snakes;

static inline void snakes_output(int stream, const char *text, size_t len, void *user) {
  snakes *s = user;
  uv_mutex_lock(&s->lock);
  size_t *used = &s->len[stream - 1];
  if (len > sizeof s->output[0] - 1 - *used)
    abort();
  memcpy(s->output[stream - 1] + *used, text, len);
  *used += len;
  s->output[stream - 1][*used] = 0;
  uv_cond_broadcast(&s->printed);
  uv_mutex_unlock(&s->lock);
}

/* Until functions have printed `text` so many times. */
static inline void await_output(snakes *s, const char *text, unsigned times) {
  uv_mutex_lock(&s->lock);
  for (;;) {
    unsigned seen = 0;
    for (const char *at = s->output[0]; (at = strstr(at, text)); at++)
      seen++;
    if (seen >= times)
      break;
    uv_cond_wait(&s->printed, &s->lock);
  }
  uv_mutex_unlock(&s->lock);
}

static inline void snakes_open_with(snakes *s, vow_task_pool_options options) {
  memset(s, 0, sizeof *s);
  snprintf(s->folder, sizeof s->folder, "/tmp/vow-python-XXXXXX");
  assert_non_null(mkdtemp(s->folder));
  assert_int_equal(uv_mutex_init(&s->lock), 0);
  assert_int_equal(uv_cond_init(&s->printed), 0);
  stage_open_with(&s->stage, options);
  const vow_executor_options executor = {.size = sizeof executor,
                                         .allocator = &s->stage.allocator,
                                         .on_output = snakes_output,
                                         .user = s};
  assert_int_equal(vow_executor_open(&executor, &s->executor), VOW_OK);
}

static inline void snakes_open(snakes *s, uint32_t concurrent_max) {
  snakes_open_with(s, (vow_task_pool_options){.concurrent_max = concurrent_max});
}

static inline int snakes_remove(const char *path, const struct stat *info, int type,
                                struct FTW *walk) {
  (void)info;
  (void)type;
  (void)walk;
  return remove(path);
}

/* Nothing is left, in time or when the last callback has returned. */
static inline void snakes_close(snakes *s) {
  vow_status status;
  assert_int_equal(vow_task_pool_close(s->stage.pool, VOW_TASK_GRACEFUL, CLOSE_MS), VOW_OK);
  while ((status = vow_executor_close(s->executor)) == VOW_E_STATE)
    uv_sleep(1);
  assert_int_equal(status, VOW_OK);
  stage_no_memory(&s->stage);
  nftw(s->folder, snakes_remove, 8, FTW_DEPTH | FTW_PHYS);
  uv_cond_destroy(&s->printed);
  uv_mutex_destroy(&s->lock);
}

/* Writes folder/name, makes folders on the way, and gives its path, for the next 8 calls. */
static inline const char *snakes_file(snakes *s, const char *name, const char *text) {
  static char paths[8][256];
  static unsigned turn;
  char *path = paths[turn++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", s->folder, name);
  for (char *at = path + strlen(s->folder) + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    if (access(path, F_OK) != 0)
      assert_int_equal(mkdir(path, 0700), 0);
    *at = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  return path;
}

static inline vow_function in_file(const char *file, const char *name) {
  return (vow_function){
      .size = sizeof(vow_function), .language = VOW_PYTHON, .file = file, .name = name};
}

static inline vow_function in_source(const char *source, const char *name) {
  return (vow_function){
      .size = sizeof(vow_function), .language = VOW_PYTHON, .source = source, .name = name};
}

static inline vow_function in_module(const char *module, const char *name) {
  return (vow_function){
      .size = sizeof(vow_function), .language = VOW_PYTHON, .module = module, .name = name};
}

static inline vow_task_spec snakes_spec(snakes *s, vow_function function) {
  vow_task_spec spec;
  assert_int_equal(vow_executor_task(s->executor, &function, &spec), VOW_OK);
  return spec;
}

static inline vow_task *snakes_start(snakes *s, vow_function function, uint64_t timeout_ms) {
  vow_task_spec spec = snakes_spec(s, function);
  spec.timeout_ms = timeout_ms;
  return start_spec(&s->stage, &spec);
}

/* A task that has settled; release it. */
static inline vow_task *snakes_run(snakes *s, vow_function function, const void *value,
                                   size_t value_len) {
  vow_task *task;
  vow_task_spec spec = snakes_spec(s, function);
  spec.value = value;
  spec.value_len = value_len;
  assert_int_equal(vow_task_run(s->stage.pool, &spec, &task), VOW_OK);
  return task;
}

/* The value of a task that has settled, on one line. */
static inline void expect_json(vow_task *task, const char *json) {
  static const cbor_limits limits = {CBOR_DEPTH_MAX, 1 << 20, 1 << 20};
  const vow_task_result *result = vow_task_result_of(task);
  char text[4096];
  cbor_out out;
  if (result->state != VOW_FULFILLED)
    fail_msg("%s: %s\n%s", result->error_type, result->error_message,
             result->error_detail ? result->error_detail : "");
  cbor_out_fixed(&out, (uint8_t *)text, sizeof text - 1);
  assert_int_equal(json_from_cbor(result->value, result->value_len, &limits, &out), CBOR_OK);
  text[out.len] = 0;
  assert_string_equal(text, json);
}

/* The function, called without an argument, gives what is `json`. */
static inline void gives(snakes *s, vow_function function, const char *json) {
  vow_task *task = snakes_run(s, function, NULL, 0);
  expect_json(task, json);
  vow_task_release(task);
}

static inline void contains(const char *text, const char *part) {
  if (!text || !strstr(text, part))
    fail_msg("'%s' is not in '%s'", part, text ? text : "");
}

/* It fails so; `message` and `detail` are parts of what it says, NULL for no detail. */
static inline void fails(snakes *s, vow_function function, const char *type, const char *message,
                         const char *detail) {
  vow_task *task = snakes_run(s, function, NULL, 0);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, VOW_REJECTED);
  assert_string_equal(result->error_type, type);
  contains(result->error_message, message);
  if (detail)
    contains(result->error_detail, detail);
  else
    assert_null(result->error_detail);
  vow_task_release(task);
}

/* Loads the function and does not call it, which fails so; NULL: succeeds. */
static inline void load(snakes *s, vow_function function, const char *type) {
  vow_task_spec spec;
  vow_task *task;
  assert_int_equal(vow_executor_load(s->executor, &function, &spec), VOW_OK);
  assert_int_equal(vow_task_run(s->stage.pool, &spec, &task), VOW_OK);
  const vow_task_result *result = vow_task_result_of(task);
  assert_int_equal(result->state, type ? VOW_REJECTED : VOW_FULFILLED);
  if (type)
    assert_string_equal(result->error_type, type);
  vow_task_release(task);
}

#endif
