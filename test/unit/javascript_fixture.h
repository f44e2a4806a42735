/* Calls of JavaScript functions: files in a folder of the test, arguments and values as
 * JSON. */
#ifndef VOW_TEST_JAVASCRIPT_FIXTURE_H
#define VOW_TEST_JAVASCRIPT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/json_read.h"
#include "executors/javascript.h"
#include "loop/loop.h"
#include "unit/counting_alloc.h"

typedef struct javascript_fixture {
  char folder[64];
  counting_alloc counting;
  vow_allocator allocator;
  javascript *javascript;
  char output[4096]; /* "1:line\n2:line\n"; only calls of one thread print */
  atomic_uint lines; /* printed so far: any thread may look */
  char file[128];    /* the last one written */
  javascript_result result;
  char text[4096]; /* the value as JSON, or "Type: message" */
} javascript_fixture;

static inline void fixture_output(int stream, const char *text, size_t len, void *user) {
  javascript_fixture *f = user;
  size_t used = strlen(f->output);
  snprintf(f->output + used, sizeof f->output - used, "%d:%.*s", stream, (int)len, text);
  atomic_fetch_add(&f->lines, 1);
}

static inline void fixture_open(javascript_fixture *f, uint64_t memory_bytes) {
  memset(f, 0, sizeof *f);
  f->allocator = counting_allocator(&f->counting);
  snprintf(f->folder, sizeof f->folder, "/tmp/vow-javascript-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  const javascript_options options = {.allocator = &f->allocator,
                                      .memory_bytes = memory_bytes,
                                      .on_output = fixture_output,
                                      .user = f};
  f->javascript = javascript_open(&options);
  assert_non_null(f->javascript);
}

static inline void fixture_close(javascript_fixture *f) {
  char command[128];
  javascript_close(f->javascript);
  assert_int_equal(f->counting.blocks, 0);
  snprintf(command, sizeof command, "rm -r %s", f->folder);
  assert_int_equal(system(command), 0);
}

static inline const char *fixture_file(javascript_fixture *f, const char *name, const char *text) {
  snprintf(f->file, sizeof f->file, "%s/%s", f->folder, name);
  FILE *file = fopen(f->file, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  return f->file;
}

static const cbor_limits fixture_limits = {256, 1u << 20, 64u << 20};

static inline void fixture_show(javascript_fixture *f) {
  cbor_out json;
  if (!f->result.fulfilled) {
    snprintf(f->text, sizeof f->text, "%s: %.2000s", f->result.type, f->result.message);
  } else if (!f->result.value) {
    snprintf(f->text, sizeof f->text, "nothing");
  } else {
    cbor_out_init(&json, NULL, sizeof f->text - 1);
    assert_int_equal(json_from_cbor(f->result.value, f->result.value_len, &fixture_limits, &json),
                     CBOR_OK);
    snprintf(f->text, sizeof f->text, "%.*s", (int)json.len, (const char *)json.data);
    cbor_out_free(&json);
  }
}

/* One call that is begun already; what came of it stays in f->result until
 * fixture_forget(). */
static inline const char *fixture_run(javascript_fixture *f, javascript_call *call,
                                      const vow_function *function, const char *json, bool load) {
  cbor_out value;
  size_t at;
  cbor_out_init(&value, NULL, 1u << 20);
  if (json)
    assert_int_equal(json_to_cbor(json, strlen(json), true, &fixture_limits, &value, &at), CBOR_OK);
  const javascript_request request = {
      .function = function, .load = load, .value = value.data, .value_len = value.len};
  javascript_call_run(call, &request, &f->result);
  cbor_out_free(&value);
  fixture_show(f);
  return f->text;
}

static inline void fixture_forget(javascript_fixture *f) {
  javascript_result_free(&f->result);
}

static inline const char *fixture_call(javascript_fixture *f, const vow_function *function,
                                       const char *json) {
  javascript_call call;
  javascript_call_init(&call, f->javascript);
  fixture_run(f, &call, function, json, false);
  fixture_forget(f);
  return f->text;
}

static inline vow_function fixture_function(vow_language language, const char *file,
                                            const char *name) {
  return (vow_function){
      .size = sizeof(vow_function), .language = language, .file = file, .name = name};
}

/* Function `name` of the file written last, with `json`. */
static inline const char *fixture_gives(javascript_fixture *f, const char *name, const char *json) {
  vow_function function = fixture_function(VOW_JAVASCRIPT, f->file, name);
  return fixture_call(f, &function, json);
}

#endif
