/* A run that is a program: what it is told of its process, and its own end. */
#include <string.h>

#include "core/utf8.h"
#include "sandbox/run_int.h"

/* ---- the process ---- */

/* What is no UTF-8 of an argument or of the environment becomes U+FFFD. */
static void put_repaired(const vow_allocator *allocator, cbor_out *out, const char *text,
                         size_t len) {
  const uint8_t *from = (const uint8_t *)text;
  uint8_t *repaired = mem_new(allocator, len ? len : 1, 3);
  size_t used = 0;
  if (!repaired) {
    out->status = CBOR_E_NOMEM;
    return;
  }
  for (size_t at = 0; at < len;) {
    utf8_step step = utf8_next(from + at, len - at, false);
    used += utf8_encode(step.good ? step.point : 0xfffd, repaired + used);
    at += step.len;
  }
  cbor_put_text(out, (const char *)repaired, used);
  mem_free(allocator, repaired);
}

static void put_text(const run *run, cbor_out *out, const char *text, size_t len) {
  if (utf8_valid((const uint8_t *)text, len))
    cbor_put_text(out, text, len);
  else
    put_repaired(shard_allocator(run->shard), out, text, len);
}

static void put_environment(const run *run, cbor_out *out, const char *const *environment) {
  cbor_put_map_open(out);
  for (; *environment; environment++) {
    const char *equals = strchr(*environment, '=');
    if (!equals)
      continue;
    put_text(run, out, *environment, (size_t)(equals - *environment));
    put_text(run, out, equals + 1, strlen(equals + 1));
  }
  cbor_put_break(out);
}

bool run_process_message(run *run) {
  const run_program *program = run->options.program;
  cbor_out out;
  cbor_out_init(&out, shard_allocator(run->shard), RUN_START_BYTES_MAX);
  cbor_put_array(&out, 4);
  cbor_put_array(&out, program->arguments_count);
  for (size_t i = 0; i < program->arguments_count; i++)
    put_text(run, &out, program->arguments[i], strlen(program->arguments[i]));
  put_environment(run, &out, program->environment);
  put_text(run, &out, program->folder, strlen(program->folder));
  cbor_put_uint(&out, program->pid);
  bool sent = out.status == CBOR_OK && run_send(run, WIRE_PROCESS, 0, out.data, out.len);
  cbor_out_free(&out);
  return sent;
}

/* ---- its end ---- */

bool run_on_exit(run *run, cbor_in *body) {
  uint64_t count, status;
  bool now;
  if (!run->program || cbor_get_array(body, &count) != CBOR_OK || count != 2 ||
      cbor_get_uint(body, &status) != CBOR_OK || status > UINT8_MAX ||
      cbor_get_bool(body, &now) != CBOR_OK)
    return false;
  run->report.exit_status = (uint8_t)status;
  run->exited |= now;
  return true;
}

void run_interrupt(run *run) {
  run->interrupted = 1;
  if (run->instance)
    engine_stop(run->instance);
}
