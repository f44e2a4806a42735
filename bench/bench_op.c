/* The operation table alone: time and memory of its hot paths.
 *
 *   bench_op [--json] [--json-file FILE] [--check]
 *
 * Each figure is the median of REPEATS runs. --json prints JSON instead of the
 * table, --json-file writes it beside the table; --check exits 1 when a target
 * is missed. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/op.h"
#include "harness.h"

enum { REPEATS = 5, ROUNDS = 2000000, CROWD = 100000, MANY = 1000000 };

#define TARGET_NS 200.0
#define TARGET_BYTES 256.0

/* A figure of one run; what is wrong with it ends the program. */
typedef double measure(void);

/* ---- a table with its bytes counted ---- */

typedef union header { /* before each block: its size, at the alignment of any type */
  size_t size;
  max_align_t align;
} header;

typedef struct bench {
  size_t bytes; /* allocated by the table, without the allocator's own */
  vow_allocator allocator;
  op_table *table;
  op_scope *scope;
} bench;

static void *counted_reallocate(void *user, void *block, size_t size) {
  bench *b = user;
  header *old = block ? (header *)block - 1 : NULL;
  size_t old_size = old ? old->size : 0;
  if (size == 0) {
    b->bytes -= old_size;
    free(old);
    return NULL;
  }
  if (size > SIZE_MAX - sizeof(header))
    return NULL;
  header *fresh = realloc(old, size + sizeof(header));
  if (!fresh)
    return NULL;
  b->bytes += size - old_size;
  fresh->size = size;
  return fresh + 1;
}

static void bench_open(bench *b) {
  *b = (bench){.allocator = {counted_reallocate, b}};
  b->table = op_table_open(&b->allocator, 0);
  b->scope = b->table ? op_scope_open(b->table, NULL, OP_NEVER, NULL, 0) : NULL;
  if (!b->scope)
    broken("out of memory");
}

static void bench_close(bench *b) {
  op_event event;
  op_scope_close(b->scope, 0);
  op_scope_release(b->scope);
  while (op_next_event(b->table, &event))
    continue;
  if (op_table_counts(b->table).live != 0)
    broken("operations are left");
  op_table_close(b->table);
  if (b->bytes != 0)
    broken("memory is left");
}

static op_id create(bench *b, uint64_t timeout_ns, uint64_t now) {
  op_spec spec = {.name = "bench", .timeout_ns = timeout_ns};
  op_id id;
  if (op_submit(b->scope, &spec, now, &id) != OP_OK)
    broken("submit failed");
  return id;
}

/* `count` operations with deadlines spread over the next second. */
static void crowd(bench *b, uint32_t count) {
  uint64_t random = 88172645463325252u;
  for (uint32_t i = 0; i < count; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    create(b, SECOND_NS + random % SECOND_NS, 0);
  }
}

static void take_all(bench *b) {
  op_event event;
  while (op_next_event(b->table, &event))
    continue;
}

/* ---- the figures ---- */

/* The new deadline is about the earliest of all: the longest way in the heap. */
static double settle_among(uint32_t others) {
  bench b;
  bench_open(&b);
  crowd(&b, others);
  take_all(&b);
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++)
    if (op_fulfil(b.table, create(&b, SECOND_NS, i), i) != OP_OK)
      broken("fulfil failed");
  uint64_t ns = clock_ns() - start;
  op_scope_cancel_all(b.scope, ROUNDS);
  take_all(&b);
  op_scope_close(b.scope, ROUNDS);
  bench_close(&b);
  return (double)ns / ROUNDS;
}

static double settle_alone(void) {
  return settle_among(0);
}

static double settle_in_crowd(void) {
  return settle_among(CROWD);
}

/* With deadlines spread over the crowd's. */
static double settle_midst_crowd(void) {
  bench b;
  bench_open(&b);
  crowd(&b, CROWD);
  take_all(&b);
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++)
    if (op_reject(b.table, create(&b, SECOND_NS + i * 7919 % SECOND_NS, 0), 0) != OP_OK)
      broken("reject failed");
  uint64_t ns = clock_ns() - start;
  bench_close(&b);
  return (double)ns / ROUNDS;
}

static double whole_life(uint32_t others) {
  bench b;
  bench_open(&b);
  crowd(&b, others);
  take_all(&b);
  op_event event;
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++) {
    op_id id = create(&b, SECOND_NS, i);
    if (!op_next_event(b.table, &event) || event.id != id || op_fulfil(b.table, id, i) != OP_OK ||
        op_handler_done(b.table, id, i) != OP_OK)
      broken("an operation went astray");
  }
  uint64_t ns = clock_ns() - start;
  bench_close(&b);
  return (double)ns / ROUNDS;
}

static double life_alone(void) {
  return whole_life(0);
}

static double life_in_crowd(void) {
  return whole_life(CROWD);
}

/* ---- policies ---- */

/* The whole life of an operation of a kind. */
static double life_of(const op_policy *policy, const char *key) {
  bench b;
  bench_open(&b);
  op_kind *kind = op_kind_open(b.table, "bench", policy, 1);
  if (!kind)
    broken("out of memory");
  op_answer answer;
  op_spec spec = {.kind = kind,
                  .timeout_ns = SECOND_NS,
                  .key = key,
                  .key_len = key ? strlen(key) : 0,
                  .answer = &answer};
  op_event event;
  uint64_t hits = 0, start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++) {
    op_id id;
    op_status status = op_submit(b.scope, &spec, i, &id);
    hits += status == OP_HIT;
    if (status == OP_HIT)
      continue;
    if (status != OP_OK || !op_next_event(b.table, &event) || event.id != id)
      broken("an operation went astray");
    op_keep(b.table, id, OP_FULFILLED, "x", 1, i);
    if (op_fulfil(b.table, id, i) != OP_OK || op_handler_done(b.table, id, i) != OP_OK)
      broken("an operation went astray");
  }
  uint64_t ns = clock_ns() - start;
  if (hits != (policy->cache_ns == OP_NEVER ? ROUNDS - 1 : 0))
    broken("an answer was not kept, or too long");
  op_kind_close(kind);
  bench_close(&b);
  return (double)ns / ROUNDS;
}

/* What a kind costs that declares nothing, above an operation without kind. */
static double policies_unused(void) {
  double with = life_of(&(op_policy){.timeout_ns = 0}, NULL);
  return with - whole_life(0);
}

static double life_kind(void) {
  return life_of(&(op_policy){.attempts = 3, .backoff_ns = 1}, NULL);
}

static double life_timed(void) {
  return life_of(&(op_policy){.timeout_ns = SECOND_NS / 2}, NULL);
}

/* Each answer is kept over the one before. */
static double life_keeping(void) {
  return life_of(&(op_policy){.cache_ns = 1}, "the arguments of a call, as bytes");
}

static double life_bounded(void) {
  return life_of(&(op_policy){.concurrent_max = 8, .queue_max = 8, .priority = 1}, NULL);
}

static double life_flight(void) {
  return life_of(&(op_policy){.single_flight = true}, "the arguments of a call, as bytes");
}

static double life_hit(void) {
  return life_of(&(op_policy){.cache_ns = OP_NEVER}, "the arguments of a call, as bytes");
}

/* One leads, 63 follow and are settled with it. */
static double life_following(void) {
  bench b;
  bench_open(&b);
  op_kind *kind = op_kind_open(b.table, "bench", &(op_policy){.single_flight = true}, 1);
  if (!kind)
    broken("out of memory");
  op_spec spec = {.kind = kind, .timeout_ns = SECOND_NS, .key = "key", .key_len = 3};
  op_event event;
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i += 64) {
    op_id leader, id;
    void *user;
    if (op_submit(b.scope, &spec, i, &leader) != OP_OK)
      broken("submit failed");
    for (int k = 1; k < 64; k++)
      if (op_submit(b.scope, &spec, i, &id) != OP_OK)
        broken("submit failed");
    if (!op_next_event(b.table, &event) || event.id != leader)
      broken("an operation went astray");
    while ((id = op_follower(b.table, leader, &user)))
      op_fulfil(b.table, id, i);
    if (op_fulfil(b.table, leader, i) != OP_OK || op_handler_done(b.table, leader, i) != OP_OK ||
        op_next_event(b.table, &event))
      broken("an operation went astray");
  }
  uint64_t ns = clock_ns() - start;
  op_kind_close(kind);
  bench_close(&b);
  return (double)ns / ROUNDS;
}

/* Each operation fails once and is started again. */
static double life_retried(void) {
  bench b;
  bench_open(&b);
  op_kind *kind = op_kind_open(b.table, "bench", &(op_policy){.attempts = 2}, 1);
  if (!kind)
    broken("out of memory");
  op_spec spec = {.kind = kind, .timeout_ns = SECOND_NS};
  op_event event;
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++) {
    op_id id;
    if (op_submit(b.scope, &spec, i, &id) != OP_OK || !op_next_event(b.table, &event) ||
        op_retry(b.table, id, i, i) != OP_OK || op_expire(b.table, i, 0) != 1 ||
        !op_next_event(b.table, &event) || op_fulfil(b.table, id, i) != OP_OK ||
        op_handler_done(b.table, id, i) != OP_OK)
      broken("an operation went astray");
  }
  uint64_t ns = clock_ns() - start;
  op_kind_close(kind);
  bench_close(&b);
  return (double)ns / ROUNDS;
}

/* In batches of 64, which end with the turn. */
static double life_batched(void) {
  bench b;
  bench_open(&b);
  op_kind *kind = op_kind_open(b.table, "bench", &(op_policy){.batch_max = 100}, 1);
  if (!kind)
    broken("out of memory");
  op_spec spec = {.kind = kind, .timeout_ns = SECOND_NS};
  op_event event;
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i += 64) {
    op_id id[64];
    for (int k = 0; k < 64; k++)
      if (op_submit(b.scope, &spec, i, &id[k]) != OP_OK)
        broken("submit failed");
    for (int k = 0; k < 64; k++)
      if (!op_next_event(b.table, &event) || event.id != id[k] || event.batch_more != (k < 63))
        broken("a batch went astray");
    for (int k = 0; k < 64; k++)
      if (op_fulfil(b.table, id[k], i) != OP_OK || op_handler_done(b.table, id[k], i) != OP_OK)
        broken("an operation went astray");
  }
  uint64_t ns = clock_ns() - start;
  op_kind_close(kind);
  bench_close(&b);
  return (double)ns / ROUNDS;
}

static double bytes_pending(void) {
  bench b;
  bench_open(&b);
  crowd(&b, MANY);
  double bytes = (double)b.bytes / MANY;
  bench_close(&b);
  return bytes;
}

static double insert_many(void) {
  bench b;
  bench_open(&b);
  uint64_t start = clock_ns();
  crowd(&b, MANY);
  uint64_t ns = clock_ns() - start;
  bench_close(&b);
  return (double)ns / 1e6;
}

/* Expires all at once, then checks that the events came in the order of deadlines. */
static double expire_many(void) {
  bench b;
  bench_open(&b);
  uint64_t *deadline = malloc(MANY * sizeof *deadline);
  if (!deadline)
    broken("out of memory");
  uint64_t random = 88172645463325252u;
  for (uint32_t i = 0; i < MANY; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    op_spec spec = {.name = "bench", .timeout_ns = 1 + (random >> 33), .tag = i};
    op_id id;
    if (op_submit(b.scope, &spec, 0, &id) != OP_OK)
      broken("submit failed");
    deadline[i] = spec.timeout_ns;
  }
  uint64_t start = clock_ns();
  size_t count = op_expire(b.table, OP_NEVER - 1, 0);
  uint64_t ns = clock_ns() - start, last = 0, taken = 0;
  for (op_event event; op_next_event(b.table, &event); taken++) {
    if (event.state != OP_TIMED_OUT || deadline[event.tag] < last)
      broken("expired out of order");
    last = deadline[event.tag];
  }
  if (count != MANY || taken != MANY)
    broken("not all expired");
  free(deadline);
  bench_close(&b);
  return (double)ns / 1e6;
}

/* What a loop asks before each wait, with a crowd waiting. */
static double next_deadline(void) {
  bench b;
  bench_open(&b);
  crowd(&b, CROWD);
  uint64_t sum = 0, expected = op_next_deadline(b.table);
  uint64_t start = clock_ns();
  for (uint64_t i = 0; i < ROUNDS; i++)
    sum += op_next_deadline(b.table) - expected;
  uint64_t ns = clock_ns() - start;
  if (sum != 0)
    broken("the next deadline moved");
  bench_close(&b);
  return (double)ns / ROUNDS;
}

static const struct {
  const char *key, *text, *unit;
  measure *run;
  double target; /* at most; 0: none */
} measures[] = {
    {.key = "create_settle_ns",
     .text = "create + settle, 1 live",
     .unit = "ns",
     .run = settle_alone,
     .target = TARGET_NS},
    {.key = "create_settle_100k_ns",
     .text = "create + settle, 100,000 live",
     .unit = "ns",
     .run = settle_in_crowd,
     .target = TARGET_NS},
    {.key = "create_settle_100k_midst_ns",
     .text = "  the same, deadlines in their midst",
     .unit = "ns",
     .run = settle_midst_crowd,
     .target = TARGET_NS},
    {.key = "life_ns",
     .text = "create + start + fulfil + done, 1 live",
     .unit = "ns",
     .run = life_alone,
     .target = TARGET_NS},
    {.key = "life_100k_ns",
     .text = "create + start + fulfil + done, 100,000 live",
     .unit = "ns",
     .run = life_in_crowd,
     .target = TARGET_NS},
    {.key = "policies_unused_ns",
     .text = "  a kind without policies: more than without a kind",
     .unit = "ns",
     .run = policies_unused,
     .target = 5},
    {.key = "life_timed_ns",
     .text = "  the same, with a time-out of its kind",
     .unit = "ns",
     .run = life_timed,
     .target = TARGET_NS},
    {.key = "life_kind_ns",
     .text = "  the same, of a kind that may be retried",
     .unit = "ns",
     .run = life_kind,
     .target = TARGET_NS},
    {.key = "life_bounded_ns",
     .text = "  the same, bounded places and queue",
     .unit = "ns",
     .run = life_bounded,
     .target = TARGET_NS},
    {.key = "life_flight_ns",
     .text = "  the same, leading a flight",
     .unit = "ns",
     .run = life_flight},
    {.key = "life_following_ns",
     .text = "  the same, 63 of 64 following",
     .unit = "ns",
     .run = life_following},
    {.key = "life_keeping_ns",
     .text = "  the same, its answer kept",
     .unit = "ns",
     .run = life_keeping},
    {.key = "life_retried_ns",
     .text = "  the same, failing once",
     .unit = "ns",
     .run = life_retried},
    {.key = "life_batched_ns",
     .text = "  the same, 64 in a batch",
     .unit = "ns",
     .run = life_batched},
    {.key = "hit_ns", .text = "create + settle by a kept answer", .unit = "ns", .run = life_hit},
    {.key = "bytes_per_pending",
     .text = "memory for each of 1,000,000 pending",
     .unit = "bytes",
     .run = bytes_pending,
     .target = TARGET_BYTES},
    {.key = "insert_1m_ms",
     .text = "create 1,000,000 with deadlines",
     .unit = "ms",
     .run = insert_many},
    {.key = "expire_1m_ms", .text = "expire 1,000,000 in order", .unit = "ms", .run = expire_many},
    {.key = "next_deadline_ns",
     .text = "op_next_deadline, 100,000 waiting",
     .unit = "ns",
     .run = next_deadline},
};
enum { MEASURES = sizeof measures / sizeof *measures };

int main(int argc, char **argv) {
  static figures all = {.name = "operations"};
  bench_options options = {0};
  for (int i = 1; i < argc; i++)
    if (!bench_option(&options, argv, &i)) {
      fprintf(stderr, "usage: bench_op [--json] [--json-file FILE] [--check]\n");
      return 2;
    }
  for (size_t m = 0; m < MEASURES; m++) {
    double values[REPEATS];
    for (int i = 0; i < REPEATS; i++)
      values[i] = measures[m].run();
    figure *f =
        figures_add(&all, measures[m].key, measures[m].text, measures[m].unit, values, REPEATS);
    if (measures[m].target > 0)
      figure_at_most(f, measures[m].target);
  }
  return bench_end(&options, &all);
}
