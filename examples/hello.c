/* The smallest program: a script that calls one operation of the program.
 *
 *   cc hello.c $(pkg-config --cflags --libs vow) -o hello && ./hello */
#include <stdio.h>
#include <vow/vow.h>

/* Called on this thread, in a turn of the loop; may also answer later. */
static void add(vow_op *op, void *user) {
  const char *args; /* a JSON list: what the script gave */
  int a, b;
  char sum[16];
  (void)user;
  if (vow_op_args_json(op, &args) != VOW_OK || sscanf(args, "[%d,%d]", &a, &b) != 2)
    return; /* let go without an answer, the call is rejected */
  snprintf(sum, sizeof sum, "%d", a + b);
  vow_op_fulfil_json(op, sum);
}

static void on_done(vow_run *run, const vow_report *report, void *user) {
  (void)run, (void)user;
  printf("%s\n", report->value ? report->value : report->error_message);
}

int main(void) {
  vow_runtime *runtime;
  vow_policy policy = {.size = sizeof policy, .arguments = 2, .timeout_ms = 1000};
  vow_request request = {.size = sizeof request,
                         .source = "const n = await math.add(40, 2); `${n}, said the host`",
                         .allow = "math.add",
                         .wall_ms = 2000};
  if (vow_runtime_open(NULL, &runtime) != VOW_OK)
    return 1;
  if (vow_register(runtime, "math.add", add, &policy, NULL) != VOW_OK ||
      vow_eval(runtime, &request, on_done, NULL, NULL) != VOW_OK)
    fprintf(stderr, "%s\n", vow_runtime_message(runtime));
  vow_loop_run(runtime, VOW_LOOP_DONE);
  vow_runtime_close(runtime);
  return 0;
}
