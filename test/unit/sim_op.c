/* Drives the operation table through random schedules, each made by one seed,
 * beside a plain model of its contract (op_model.h), and compares them after
 * every step.
 *
 *   sim_op [--seeds N] [--seed S]
 *
 * A failure prints the seed and the step, and exits 1; --seed replays it. */
#include <errno.h>

#include "sim_op_steps.h"

enum { SEEDS_DEFAULT = 10000 };

/* ---- one seed ---- */

/* Each seed weighs the steps differently: some hardly take events, some never
 * end a handler, some close scopes all the time. */
static void weigh(sim *s) {
  for (size_t i = 0; i < STEPS_LEN; i++) {
    s->weight[i] = STEPS[i].weight * (unsigned)below(s, 4);
    s->weights += s->weight[i] += STEPS[i].weight / 10 + 1;
  }
}

static size_t pick_step(sim *s) {
  uint64_t at = below(s, s->weights);
  size_t i = 0;
  for (; at >= s->weight[i]; i++)
    at -= s->weight[i];
  return i;
}

static void run_seed(sim *s, uint64_t seed) {
  sim_clear(s, seed);
  weigh(s);
  begin(s);
  uint64_t steps = s->big ? 300 : 50 + below(s, 400);
  step_open(s);
  for (s->step = 1; s->step <= steps; s->step++)
    one_step(s, pick_step(s));
  finish(s);
  covered.promoted += s->m.promoted;
  covered.raised += s->m.raised;
  covered.waited_again += s->m.told;
  covered.too_late += s->m.too_late;
  covered.hurried += s->m.hurried;
}

/* ---- all seeds ---- */

static void print_line(const char *what, const uint64_t *count, size_t len, size_t from,
                       const char *(*name)(size_t i)) {
  printf("  %s:", what);
  for (size_t i = from; i < len; i++)
    printf(" %s %" PRIu64, name(i), count[i]);
  printf("\n");
}

static const char *status_name(size_t i) {
  static const char *const NAMES[] = {"ok",         "hit",   "late",   "gone", "state",
                                      "total",      "live",  "closed", "full", "full_scope",
                                      "full_table", "spent", "nomem"};
  return NAMES[i];
}

static const char *event_name(size_t i) {
  static const char *const NAMES[] = {"start", "settled", "stop", "timer", "wall"};
  return NAMES[i];
}

static const char *state_name(size_t i) {
  return op_state_text((op_state)i);
}

static bool all_reached(void) {
  bool all = true;
  for (size_t i = 0; i <= OP_E_NOMEM; i++)
    all = all && covered.status[i];
  for (size_t i = 0; i <= OP_EVENT_WALL; i++)
    all = all && covered.event[i];
  for (size_t i = OP_REJECTED; i <= OP_CANCELLED; i++)
    all = all && covered.end[i];
  return all && covered.followed && covered.promoted && covered.raised && covered.waited_again &&
         covered.kept && covered.batched && covered.too_late && covered.hurried &&
         covered.retried_after;
}

static bool read_number(const char *text, uint64_t *number) {
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

static int usage(void) {
  fprintf(stderr, "usage: sim_op [--seeds N] [--seed S]\n");
  return 2;
}

int main(int argc, char **argv) {
  static sim s;
  uint64_t seeds = SEEDS_DEFAULT, first = 1;
  bool one = false;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || (strcmp(argv[i], "--seeds") != 0 && strcmp(argv[i], "--seed") != 0))
      return usage();
    one = one || strcmp(argv[i], "--seed") == 0;
    if (!read_number(argv[i + 1], strcmp(argv[i], "--seed") == 0 ? &first : &seeds))
      return usage();
  }
  if (one)
    seeds = 1;
  for (uint64_t i = 0; i < seeds; i++)
    run_seed(&s, first + i);
  printf("sim_op: %" PRIu64 " seeds, %" PRIu64 " steps, no difference\n", seeds, covered.steps);
  print_line("answers", covered.status, OP_E_NOMEM + 1, 0, status_name);
  print_line("events", covered.event, OP_EVENT_WALL + 1, 0, event_name);
  print_line("SETTLED as", covered.end, OP_CANCELLED + 1, OP_REJECTED, state_name);
  printf("  equal ones: followed %" PRIu64 " promoted %" PRIu64 " raised %" PRIu64 " kept %" PRIu64
         ", batched %" PRIu64 "\n",
         covered.followed, covered.promoted, covered.raised, covered.kept, covered.batched);
  printf("  waited again %" PRIu64 ", tried again by their owners %" PRIu64 "\n",
         covered.waited_again, covered.retried_after);
  printf("  too late for another attempt %" PRIu64 ", batches hurried %" PRIu64 "\n",
         covered.too_late, covered.hurried);
  if (seeds >= 1000 && !all_reached()) {
    printf("sim_op: something above was never reached\n");
    return 1;
  }
  return 0;
}
