/* A run that is a library: what is invoked of it, and the answers. */
#include <string.h>

#include "sandbox/run_int.h"

bool run_library_message(run *run) {
  return run_send(run, WIRE_LIBRARY, 0, NULL, 0);
}

/* ---- to the guest ---- */

bool run_invoke(run *run, const char *name, const uint8_t *argument, size_t argument_len) {
  cbor_out out;
  if (run->state == RUN_FINISHED || run->library != RUN_LIBRARY_RESTING)
    return false;
  run_forget_answer(run);
  run->library = RUN_LIBRARY_BUSY;
  cbor_out_init(&out, shard_allocator(run->shard), RUN_START_BYTES_MAX);
  cbor_put_array(&out, (uint64_t)(name != NULL) + (name && argument));
  if (name)
    cbor_put_cstring(&out, name);
  if (name && argument)
    cbor_put_raw(&out, argument, argument_len);
  if (out.status == CBOR_E_SIZE)
    run_fail(run, RUN_KIND_MEMORY, "the argument is larger than 64 MiB");
  else if (out.status != CBOR_OK)
    run_fail_for_memory(run);
  bool sent = out.status == CBOR_OK && run_send(run, WIRE_INVOKE, 0, out.data, out.len);
  if (!sent)
    run_wake(run); /* to end with what it failed with */
  cbor_out_free(&out);
  return sent;
}

/* ---- from the guest ---- */

void run_forget_answer(run *run) {
  mem_free(shard_allocator(run->shard), run->answer);
  run->answer = NULL;
}

bool run_on_answer(run *run, uint32_t type, const uint8_t *body, size_t len) {
  if (run->library != RUN_LIBRARY_BUSY)
    return false;
  run->answer = mem_resize(shard_allocator(run->shard), NULL, len ? len : 1, 1);
  if (!run->answer) {
    run_fail_for_memory(run);
    return true;
  }
  if (len)
    memcpy(run->answer, body, len);
  run->answered = (wire_header){.type = type, .len = (uint32_t)len};
  run->library = RUN_LIBRARY_ANSWERED;
  return true;
}

/* ---- telling ---- */

static void tell(run *run, const run_answer *answer) {
  run->options.library->on_answer(run, answer, run->options.user);
}

static void tell_thrown(run *run) {
  const vow_allocator *allocator = shard_allocator(run->shard);
  cbor_in map;
  cbor_in_init(&map, run->answer, run->answered.len);
  char *name = run_error_text(run, &map, WIRE_ERROR_NAME);
  char *message = run_error_text(run, &map, WIRE_ERROR_MESSAGE);
  char *stack = run_error_text(run, &map, WIRE_ERROR_STACK);
  tell(run, &(run_answer){.kind = RUN_ANSWER_THROWN,
                          .thrown = run_error_kind(&map),
                          .name = name,
                          .message = message,
                          .stack = stack});
  mem_free(allocator, name);
  mem_free(allocator, message);
  mem_free(allocator, stack);
}

static void tell_missing(run *run) {
  run_answer answer = {.kind = RUN_ANSWER_MISSING};
  cbor_item head;
  cbor_in_init(&answer.functions, run->answer, run->answered.len);
  if (cbor_next(&answer.functions, &head) != CBOR_OK || head.kind != CBOR_ARRAY ||
      cbor_get_bool(&answer.functions, &answer.exists) != CBOR_OK)
    cbor_in_init(&answer.functions, run->answer, 0);
  tell(run, &answer);
}

static void tell_value(run *run) {
  run_answer answer = {.kind = RUN_ANSWER_VALUE};
  cbor_in_init(&answer.value, run->answer, run->answered.len);
  tell(run, &answer);
}

void run_tell_answer(run *run) {
  run->library = RUN_LIBRARY_RESTING;
  run->busy++;
  switch (run->answered.type) {
  case WIRE_LOADED:
    run->options.library->on_loaded(run, run->options.user);
    break;
  case WIRE_RETURNED:
    tell_value(run);
    break;
  case WIRE_THROWN:
    tell_thrown(run);
    break;
  default:
    tell_missing(run);
    break;
  }
  run->busy--;
  run_free_if_disposed(run);
}
