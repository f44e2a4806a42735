/* What a program forgets is named when its runtime is closed, with the place in the
 * script and the place in the program: here, everything that there is to forget.
 *
 *   cc -g leaks.c $(pkg-config --cflags --libs vow) -o leaks && ./leaks
 *   addr2line -e leaks 0xOFFSET */
#include <stdio.h>
#include <string.h>
#include <vow/vow.h>

static void name_it(const char *when, const vow_leak *leak) {
  printf("%s: %s %d\n", when, leak->name, (int)leak->number);
  if (leak->site)
    printf("%s", leak->site);
  if (leak->host_site)
    printf("    at %s\n", leak->host_site);
}

static void on_leak(const vow_leak *leak, void *user) {
  (void)user;
  name_it("left", leak);
}

/* Never answers for Oslo, and never lets go of what it has answered. */
static void get_weather(vow_op *op, void *user) {
  const char *args;
  (void)user;
  vow_op_retain(op);
  if (vow_op_args_json(op, &args) == VOW_OK && !strstr(args, "Oslo"))
    vow_op_fulfil_json(op, "21");
}

static void on_done(vow_run *run, const vow_report *report, void *user) {
  (void)run, (void)user;
  printf("value: %s\n", report->value ? report->value : report->error_message);
  for (size_t i = 0; i < report->leaks_count; i++)
    name_it("outlived its run", &report->leaks[i]);
}

int main(void) {
  vow_runtime *runtime;
  vow_run *run;
  vow_script *script;
  vow_runtime_options options = {.size = sizeof options, .on_leak = on_leak};
  vow_request request = {.size = sizeof request,
                         .source = "weather.get('Oslo');\n"
                                   "setTimeout(() => {}, 60000);\n"
                                   "await weather.get('Rome')",
                         .allow = "weather.get",
                         .wall_ms = 500};
  vow_request loaded = {.size = sizeof loaded, .source = "1"};
  if (vow_runtime_open(&options, &runtime) != VOW_OK)
    return 1;
  vow_register(runtime, "weather.get", get_weather, NULL, NULL);
  vow_script_open(runtime, &loaded, &script);       /* never closed */
  vow_eval(runtime, &request, on_done, NULL, &run); /* never disposed */
  while (vow_run_alive(run))
    vow_loop_run(runtime, VOW_LOOP_ONCE);
  vow_runtime_close(runtime);
  return 0;
}
