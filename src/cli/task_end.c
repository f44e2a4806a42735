/* `vow task`: what is said in the end. */
#include <errno.h>
#include <string.h>

#include "cli/task_int.h"
#include "cli/task_report.h"
#include "loop/loop.h"
#include "task/task.h"

/* ---- the end ---- */

static int exit_status(const tasks *t, vow_state state) {
  return state == VOW_FULFILLED                      ? EXIT_VALUE
         : state == VOW_TIMED_OUT                    ? EXIT_LIMIT
         : state == VOW_OP_CANCELLED && t->cancelled ? EXIT_CANCELLED
                                                     : EXIT_FAILED;
}

/* Which of a parallel's functions the error is of: the first that has failed like that. NULL:
 * it is no error of one. */
static const char *find_name(const tasks *t, const concluded *c, const vow_task_result *result) {
  for (size_t i = 0; c->group && i < t->count; i++) {
    const vow_task_result *member = vow_task_result_of(c->tasks[i]);
    if (member && member->state == result->state &&
        strcmp(member->error_type, result->error_type) == 0 &&
        strcmp(member->error_message, result->error_message) == 0)
      return t->names[i];
  }
  return NULL;
}

static void put_error(const char *name, const vow_task_result *result) {
  if (name)
    fprintf(stderr, "%s: ", name);
  tell_text(result->error_type, strlen(result->error_type));
  if (*result->error_message)
    fputs(": ", stderr);
  tell_text(result->error_message, strlen(result->error_message));
  fputc('\n', stderr);
}

static void put_detail(const char *detail) {
  size_t len = strlen(detail);
  tell_text(detail, len);
  if (len > 0 && detail[len - 1] != '\n')
    fputc('\n', stderr);
}

/* Each line in one piece: functions that were told to end may print meanwhile. */
static void tell_error(const tasks *t, const concluded *c) {
  const vow_task_result *result = vow_task_result_of(c->task);
  const char *command = t->command->table.command;
  if (result->state == VOW_OP_CANCELLED && t->cancelled) {
    fprintf(stderr, "vow %s: interrupted by a signal\n", command);
  } else if (result->state == VOW_TIMED_OUT) {
    fprintf(stderr, "vow %s: TimeoutError: it took longer than --timeout-ms %llu\n", command,
            (unsigned long long)t->options.timeout_ms);
  } else {
    flockfile(stderr);
    fprintf(stderr, "vow %s: ", command);
    put_error(find_name(t, c, result), result);
    if (result->error_detail)
      put_detail(result->error_detail);
    funlockfile(stderr);
  }
}

/* False: what should be on standard output is not. */
static bool print_line(const tasks *t, const cbor_out *text) {
  bool printed = fwrite(text->data, 1, text->len, t->out) == text->len &&
                 fputc('\n', t->out) != EOF && fflush(t->out) == 0;
  return printed || cli_task_complain(t, "standard output cannot be written: %s", strerror(errno));
}

/* The value to standard output, or the error to standard error, before anything is waited
 * for. */
static bool tell_result(const tasks *t, const concluded *c, cbor_out *value) {
  const vow_task_result *result = vow_task_result_of(c->task);
  if (result->state != VOW_FULFILLED) {
    tell_error(t, c);
    return true;
  }
  cbor_status status = task_report_value(result, value);
  if (status != CBOR_OK)
    return cli_task_complain(t, "the value cannot be printed: %s", cbor_status_text(status));
  return t->record.report_to_stdout || print_line(t, value);
}

static bool write_report(tasks *t, const concluded *c, const vow_task_counts *counts,
                         const cbor_out *value) {
  const task_report report = {.task = c->task,
                              .tasks = c->tasks,
                              .names = (const char *const *)t->names,
                              .count = t->count,
                              .group = c->group,
                              .counts = counts,
                              .wall_ns = loop_now() - t->begun_ns};
  if (!t->record.report_to_stdout && !t->record.report.path)
    return true;
  cbor_out text;
  cbor_out_init(&text, NULL, SIZE_MAX);
  task_report_put(&report, (const char *)value->data, value->len, &text);
  bool written = text.status == CBOR_OK;
  if (!written) {
    cli_task_complain(t, "no memory for the report");
  } else if (t->record.report_to_stdout) {
    written = print_line(t, &text);
  } else {
    output_write(&t->record.report, (const char *)text.data, text.len);
    output_write(&t->record.report, "\n", 1);
  }
  cbor_out_free(&text);
  return written;
}

static bool write_metrics(tasks *t, vow_task_pool *pool) {
  char *text = NULL;
  if (!t->record.metrics.path)
    return true;
  vow_status status = vow_task_pool_metrics(pool, &text);
  if (status != VOW_OK)
    return cli_task_complain(t, "no metrics: %s", vow_status_message(status));
  output_write(&t->record.metrics, text, strlen(text));
  vow_task_free_text(pool, text);
  return true;
}

static bool end_output(const tasks *t, output *output) {
  int error = output_end(output);
  return error == 0 || cli_task_complain(t, "%s %s: cannot be written: %s", output->option,
                                         output->path, strerror(error));
}

/* Everything that is said of what has settled. */
int cli_task_conclude(tasks *t, vow_task_pool *pool, const concluded *c) {
  vow_task_counts counts = {.size = sizeof counts};
  cbor_out value;
  cbor_out_init(&value, NULL, SIZE_MAX);
  int status = exit_status(t, vow_task_state(c->task));
  bool told = tell_result(t, c, &value);
  /* Callbacks that were told to end do so, or their threads are given up: what is said of them
   * now is the last of it. */
  task_stop_all(c->tasks, t->count, TASK_GIVEN_UP_MS);
  vow_task_pool_counts(pool, &counts);
  told = (!told || write_report(t, c, &counts, &value)) && told;
  told = (!c->recorded || write_metrics(t, pool)) && told;
  told = end_output(t, &t->record.report) && told;
  told = end_output(t, &t->record.metrics) && told;
  cbor_out_free(&value);
  return told ? status : EXIT_FAILED;
}
