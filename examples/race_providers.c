/* Three providers of one answer and one deadline: the first answer counts, the others are
 * cancelled, one that fails is no reason to fail, and what happened is in an audit.
 *
 *   cc race_providers.c $(pkg-config --cflags --libs vow) -o race_providers
 *   ./race_providers audit.jsonl */
#include <stdio.h>
#include <string.h>

#include <vow/task.h>

typedef struct provider {
  const char *name;
  unsigned delay_ms;
  const char *answer; /* JSON; NULL: it is out of order */
} provider;

/* On a thread of the pool. Sleeping in place of waiting for a network: it returns as soon
 * as nobody wants the answer any more. */
static void ask(vow_task_context *context, void *argument) {
  const provider *p = argument;
  if (!vow_task_sleep(context, p->delay_ms))
    return;
  if (p->answer)
    vow_task_succeed_json(context, p->answer);
  else
    vow_task_fail(context, "NetworkError", "no route to the host", NULL);
}

static const char *state_name(vow_state state) {
  static const char *const names[] = {"pending",  "running",   "fulfilled",
                                      "rejected", "timed out", "cancelled"};
  return names[state];
}

static void show(vow_task *race, const provider *providers) {
  vow_task *member;
  for (size_t i = 0; (member = vow_task_member(race, i)); i++) {
    const vow_task_result *result = vow_task_result_of(member);
    printf("%s: %s", providers[i].name, state_name(result->state));
    if (result->state == VOW_REJECTED)
      printf(", %s: %s", result->error_type, result->error_message);
    printf("\n");
  }
  const char *value = vow_task_value_json(race);
  if (value)
    printf("%s says %s\n", providers[vow_task_winner(race)].name, value);
  else
    printf("nobody: %s\n", vow_task_result_of(race)->error_message);
}

/* The text of a member of one line of the audit. */
static void print_member(const char *line, const char *key, const char *before) {
  const char *at = strstr(line, key);
  if (at)
    printf("%s%.*s", before, (int)strcspn(at + strlen(key), "\""), at + strlen(key));
}

/* What ended, and whether it is a matter of security. */
static void show_audit(const char *path) {
  char line[4096];
  FILE *file = fopen(path, "r");
  if (!file)
    return;
  while (fgets(line, sizeof line, file)) {
    if (!strstr(line, "\"event\":\"settled\"") && !strstr(line, "\"event\":\"cancelled\"") &&
        !strstr(line, "\"event\":\"timed_out\""))
      continue;
    print_member(line, "\"name\":\"", "audit: ");
    print_member(line, "\"state\":\"", " ");
    print_member(line, "\"error\":\"", ", ");
    printf("%s\n", strstr(line, "\"security\":true") ? ", security" : "");
  }
  fclose(file);
}

int main(int argc, char **argv) {
  static provider providers[] = {
      {"far", 60000, "{\"celsius\":-4}"}, {"broken", 0, NULL}, {"near", 50, "{\"celsius\":-3}"}};
  enum { COUNT = sizeof providers / sizeof *providers };
  const char *audit = argc > 1 ? argv[1] : "audit.jsonl";
  char message[256] = "";
  const vow_task_pool_options options = {.size = sizeof options,
                                         .concurrent_max = COUNT,
                                         .audit = audit,
                                         .message = message,
                                         .message_size = sizeof message};
  vow_task_pool *pool;
  if (vow_task_pool_open(&options, &pool) != VOW_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }

  vow_task_spec calls[COUNT];
  const vow_task_spec *members[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    calls[i] = vow_task_call_spec(providers[i].name, ask, &providers[i]);
    members[i] = &calls[i];
  }
  vow_task_spec spec = vow_task_group_spec("weather", VOW_TASK_RACE, members, COUNT);
  spec.timeout_ms = 5000; /* of all of it */
  {
    VOW_TASK_GUARD(race) = NULL;
    if (vow_task_run(pool, &spec, &race) == VOW_OK)
      show(race, providers);
    else
      fprintf(stderr, "%s\n", vow_task_pool_message(pool));
  }
  vow_task_pool_close(pool, VOW_TASK_GRACEFUL, 1000); /* the audit is written */
  show_audit(audit);
  return 0;
}
