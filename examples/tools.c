/* Code mode: a model writes a script that calls three tools, and a program runs it
 * within limits, with a record of every call.
 *
 *   cc tools.c $(pkg-config --cflags --libs vow) -o tools && ./tools script.js audit.jsonl */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vow/vow.h>

#define SOURCE_MAX 65536

/* ---- three tools ---- */

/* orders.list(): what is open. */
static void list_orders(vow_op *op, void *user) {
  (void)user;
  vow_op_fulfil_json(op, "[{\"id\": 1, \"item\": \"lamp\", \"count\": 3},"
                         " {\"id\": 2, \"item\": \"desk\", \"count\": 1},"
                         " {\"id\": 3, \"item\": \"moon\", \"count\": 1}]");
}

/* stock.get(item): blocks, as a database would; so it has the policy `blocking`. */
static void get_stock(vow_op *op, void *user) {
  (void)user;
  const char *args;
  const vow_error unknown = {
      .size = sizeof unknown, .name = "NotFoundError", .message = "there is no such item"};
  if (vow_op_args_json(op, &args) != VOW_OK)
    return;
  if (strcmp(args, "[\"lamp\"]") == 0)
    vow_op_fulfil_json(op, "2");
  else if (strcmp(args, "[\"desk\"]") == 0)
    vow_op_fulfil_json(op, "5");
  else
    vow_op_reject(op, &unknown);
}

/* mail.send({to, text}): this one has an effect. */
static void send_mail(vow_op *op, void *user) {
  const char *args;
  if (vow_op_args_json(op, &args) != VOW_OK)
    return;
  printf("mail: %s\n", args);
  ++*(int *)user;
  vow_op_fulfil_json(op, "true");
}

static vow_status register_tools(vow_runtime *runtime, int *mails) {
  const vow_policy quick = {.size = sizeof quick, .arguments = VOW_NO_ARGUMENTS};
  const vow_policy blocking = {
      .size = sizeof blocking, .arguments = 1, .blocking = true, .timeout_ms = 500};
  const vow_policy single = {.size = sizeof single, .arguments = 1, .concurrent_max = 1};
  vow_status status = vow_register(runtime, "orders.list", list_orders, &quick, NULL);
  if (status == VOW_OK)
    status = vow_register(runtime, "stock.get", get_stock, &blocking, NULL);
  if (status == VOW_OK)
    status = vow_register(runtime, "mail.send", send_mail, &single, mails);
  return status;
}

/* ---- what becomes of it ---- */

typedef struct record {
  uint64_t calls;
  int failed;
} record;

static void on_log(vow_run *run, int level, const char *text, size_t len, void *user) {
  (void)run, (void)level, (void)user;
  printf("script: %.*s\n", (int)len, text);
}

/* The hash of the audit's last line, kept elsewhere, tells whether its end is there:
 * vow audit verify --last HASH FILE */
static void on_done(vow_run *run, const vow_report *report, void *user) {
  record *r = user;
  (void)run;
  r->failed = report->outcome != VOW_VALUE;
  r->calls = report->created;
  if (r->failed)
    printf("%s: %s\n", report->kind, report->error_message ? report->error_message : "");
  else
    printf("value: %s\n", report->value);
  if (report->audit_dropped)
    printf("%" PRIu64 " events are not in the audit\n", report->audit_dropped);
}

/* ---- the program ---- */

static size_t read_source(const char *path, char *source) {
  FILE *file = fopen(path, "r");
  size_t len = file ? fread(source, 1, SOURCE_MAX, file) : 0;
  if (file)
    fclose(file);
  return len < SOURCE_MAX ? len : 0;
}

static int evaluate(vow_runtime *runtime, const char *source, size_t len, record *r) {
  const vow_request request = {.size = sizeof request,
                               .name = "model.js",
                               .source = source,
                               .source_len = len,
                               .allow = "orders.list,stock.get,mail.send",
                               .cpu_ms = 200,
                               .wall_ms = 5000,
                               .memory_bytes = 32u << 20,
                               .operations_max = 50,
                               .log_bytes = 16u << 10,
                               .tenant = "buyer",
                               .on_log = on_log};
  vow_status status = vow_eval(runtime, &request, on_done, r, NULL);
  if (status == VOW_OK)
    return vow_loop_run(runtime, VOW_LOOP_DONE) == VOW_OK && !r->failed ? 0 : 1;
  fprintf(stderr, "%s: %s\n", vow_status_name(status), vow_runtime_message(runtime));
  return 2;
}

int main(int argc, char **argv) {
  static char source[SOURCE_MAX];
  char message[256];
  int mails = 0, result = 2;
  record r = {0};
  vow_runtime *runtime;
  size_t len = argc == 3 ? read_source(argv[1], source) : 0;
  if (len == 0) {
    fprintf(stderr, "usage: tools SCRIPT AUDIT\n");
    return 2;
  }
  const vow_runtime_options options = {
      .size = sizeof options, .message = message, .message_size = sizeof message, .audit = argv[2]};
  if (vow_runtime_open(&options, &runtime) != VOW_OK) {
    fprintf(stderr, "%s\n", message);
    return 2;
  }
  if (register_tools(runtime, &mails) == VOW_OK)
    result = evaluate(runtime, source, len, &r);
  vow_status status = vow_runtime_close(runtime);
  printf("%" PRIu64 " calls, %d mails\n", r.calls, mails);
  if (status != VOW_OK)
    fprintf(stderr, "%s: %s\n", argv[2], vow_status_message(status));
  return status == VOW_OK ? result : 1;
}
