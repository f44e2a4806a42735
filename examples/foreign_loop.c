/* A program that has an event loop of its own, around poll(2): the runtime is one
 * of the things it waits for, beside a pipe that answers arrive on.
 *
 *   cc foreign_loop.c $(pkg-config --cflags --libs vow) -o foreign_loop && ./foreign_loop */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <vow/vow.h>

/* echo.line(text): writes the text into the pipe; what comes out at its other end,
 * which the loop below watches, is the answer. */
typedef struct program {
  int pipe[2];
  vow_op *asked; /* a reference; NULL: none */
  int done;
} program;

static void echo_line(vow_op *op, void *user) {
  program *p = user;
  const char *args;
  if (p->asked || vow_op_args_json(op, &args) != VOW_OK)
    return; /* one at a time; let go without an answer it is rejected */
  char line[64];
  int len = snprintf(line, sizeof line, "%s", args);
  if (len > 0 && (size_t)len < sizeof line && write(p->pipe[1], line, (size_t)len) == len)
    p->asked = vow_op_retain(op);
}

static void on_line(program *p) {
  char line[65];
  ssize_t len = read(p->pipe[0], line, sizeof line - 1);
  if (len <= 0 || !p->asked)
    return;
  line[len] = 0;
  vow_op_fulfil_json(p->asked, line);
  vow_op_release(p->asked);
  p->asked = NULL;
}

static void on_done(vow_run *run, const vow_report *report, void *user) {
  (void)run;
  program *p = user;
  p->done = 1;
  printf("%s\n", report->value ? report->value : report->error_message);
}

static void loop(vow_runtime *runtime, program *p) {
  while (!p->done) {
    struct pollfd fds[2] = {{.fd = vow_loop_fd(runtime), .events = POLLIN},
                            {.fd = p->pipe[0], .events = POLLIN}};
    if (poll(fds, 2, vow_loop_timeout(runtime)) < 0)
      continue; /* a signal */
    if (fds[1].revents)
      on_line(p);
    vow_loop_turn(runtime); /* also when its descriptor is quiet: a time-out may be due */
  }
}

int main(void) {
  program p = {0};
  char message[256];
  vow_runtime *runtime;
  const vow_runtime_options options = {
      .size = sizeof options, .message = message, .message_size = sizeof message};
  const vow_request request = {
      .size = sizeof request,
      .source = "const first = await echo.line('one'); await sleep(10); [first, await "
                "echo.line('two')].flat()",
      .allow = "echo.line"};
  if (pipe(p.pipe) != 0)
    return 2;
  if (vow_runtime_open(&options, &runtime) != VOW_OK) {
    fprintf(stderr, "%s\n", message);
    return 2;
  }
  if (vow_register(runtime, "echo.line", echo_line, NULL, &p) == VOW_OK &&
      vow_eval(runtime, &request, on_done, &p, NULL) == VOW_OK)
    loop(runtime, &p);
  else
    fprintf(stderr, "%s\n", vow_runtime_message(runtime));
  vow_runtime_close(runtime);
  close(p.pipe[0]);
  close(p.pipe[1]);
  return !p.done;
}
