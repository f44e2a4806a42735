/* A program that gives scripts an asynchronous operation, weather.get(city), which
 * another thread answers, and evaluates a script that calls it for several cities
 * at once.
 *
 *   cc embed.c $(pkg-config --cflags --libs vow) -o embed && ./embed */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vow/vow.h>

#define CALLS_MAX 16

/* The station: a thread that answers once as many calls are there as it waits for,
 * so that the output shows that they are at work at the same time. */
typedef struct station {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  vow_op *waiting[CALLS_MAX]; /* each with a reference of its own */
  int count, wanted, most;
  int closing;
} station;

static void answer(vow_op *op) {
  static const vow_error unknown = {.size = sizeof unknown,
                                    .name = "NotFoundError",
                                    .message = "there is no weather on Atlantis"};
  const char *args;
  if (vow_op_args_json(op, &args) != VOW_OK)
    return; /* released without an answer, it is rejected */
  if (strcmp(args, "[\"Atlantis\"]") == 0)
    vow_op_reject(op, &unknown);
  else
    vow_op_fulfil_json(op,
                       strcmp(args, "[\"Oslo\"]") == 0 ? "{\"celsius\": -3}" : "{\"celsius\": 21}");
}

static void *station_main(void *user) {
  station *s = user;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (!s->closing && s->count < s->wanted)
      pthread_cond_wait(&s->changed, &s->lock);
    if (s->count == 0)
      break;
    vow_op *op = s->waiting[--s->count];
    s->wanted = s->count; /* the rest at once */
    pthread_mutex_unlock(&s->lock);
    answer(op);
    vow_op_release(op);
    pthread_mutex_lock(&s->lock);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* On the runtime's thread: takes a reference and returns at once. */
static void get_weather(vow_op *op, void *user) {
  station *s = user;
  pthread_mutex_lock(&s->lock);
  if (s->count < CALLS_MAX) {
    s->waiting[s->count++] = vow_op_retain(op);
    s->most = s->count > s->most ? s->count : s->most;
    pthread_cond_signal(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
}

static void on_done(vow_run *run, const vow_report *report, void *user) {
  (void)run;
  int *failed = user;
  *failed = report->outcome != VOW_VALUE;
  if (*failed)
    fprintf(stderr, "%s: %s\n", report->kind, report->error_message);
  else
    printf("%s\n", report->value);
}

static const char script[] =
    "const cities = ['Oslo', 'Rome', 'Atlantis'];\n"
    "const all = await Promise.allSettled(cities.map((city) => weather.get(city)));\n"
    "all.map((one, i) => `${cities[i]}: ${one.value?.celsius ?? one.reason.name}`)\n";

int main(int argc, char **argv) {
  char message[256];
  int failed = 1;
  station s = {.wanted = 3};
  vow_runtime *runtime;
  const vow_runtime_options options = {.size = sizeof options,
                                       .guest_dir = argc > 1 ? argv[1] : NULL,
                                       .message = message,
                                       .message_size = sizeof message};
  if (vow_runtime_open(&options, &runtime) != VOW_OK) {
    fprintf(stderr, "%s\n", message);
    return 2;
  }
  pthread_mutex_init(&s.lock, NULL);
  pthread_cond_init(&s.changed, NULL);
  if (pthread_create(&s.thread, NULL, station_main, &s) != 0)
    abort();

  const vow_policy policy = {.size = sizeof policy, .arguments = 1, .timeout_ms = 2000};
  const vow_request request = {
      .size = sizeof request, .source = script, .allow = "weather.*", .wall_ms = 10000};
  vow_status status = vow_register(runtime, "weather.get", get_weather, &policy, &s);
  if (status == VOW_OK)
    status = vow_eval(runtime, &request, on_done, &failed, NULL);
  if (status == VOW_OK)
    status = vow_loop_run(runtime, VOW_LOOP_DONE);
  if (status != VOW_OK)
    fprintf(stderr, "%s: %s\n", vow_status_name(status), vow_runtime_message(runtime));

  pthread_mutex_lock(&s.lock);
  s.closing = 1;
  pthread_cond_signal(&s.changed);
  pthread_mutex_unlock(&s.lock);
  pthread_join(s.thread, NULL);
  printf("%d calls at once\n", s.most);
  vow_runtime_close(runtime);
  pthread_cond_destroy(&s.changed);
  pthread_mutex_destroy(&s.lock);
  return failed;
}
