/* The worker pool beside libuv's: handing over an empty work and having it back.
 *
 *   bench_pool [--only GROUP] [--repeats N] [--json] [--json-file FILE] [--check]
 *
 * One at a time, from the call that submits it to the one that tells its end, and many in
 * flight on two threads. A wake-up costs about 5 or 50 us depending on the core it goes to,
 * so everything is measured on one core (pinned) and on all. libuv's work is queued on a
 * pool of two threads as well. */
#include <stdlib.h>

#include "harness.h"
#include "task/pool.h"

enum { WARM = 2000, TRIPS = 20000, FLIGHT = 64, MANY = 200000 };

#define UV_WORK_NS 4200.0 /* uv_queue_work, pinned, where the targets were set */

/* ---- works ---- */

typedef struct bench bench;

typedef struct item {
  pool_work work;
  uv_work_t uv;
  bench *bench;
  uint64_t submitted_at;
} item;

struct bench {
  loop *loop;
  pool *pool; /* NULL: libuv's */
  size_t left, done;
  double *ns; /* of each trip; NULL: not noted */
  item items[FLIGHT];
};

static void nothing(void *user) {
  (void)user;
}

static void run(pool_work *work, void *state) {
  (void)work;
  (void)state;
}

static void run_uv(uv_work_t *work) {
  (void)work;
}

static void submit(item *item);

static void ended(item *item) {
  bench *b = item->bench;
  if (b->ns)
    b->ns[b->done] = (double)(clock_ns() - item->submitted_at);
  b->done++;
  if (b->left > 0)
    submit(item);
}

static void done(pool_work *work) {
  ended((item *)work);
}

static void done_uv(uv_work_t *work, int status) {
  (void)status;
  ended(work->data);
}

static void submit(item *item) {
  bench *b = item->bench;
  b->left--;
  if (b->ns)
    item->submitted_at = clock_ns();
  bool ok = b->pool ? pool_submit(b->pool, b->loop, &item->work) == POOL_OK
                    : uv_queue_work(loop_uv(b->loop), &item->uv, run_uv, done_uv) == 0;
  if (!ok)
    broken("work was refused");
}

/* `flight` at a time, until there have been `count`. */
static void drive(bench *b, size_t flight, size_t count) {
  b->left = count;
  b->done = 0;
  for (size_t i = 0; i < flight; i++) {
    b->items[i].bench = b;
    b->items[i].uv.data = &b->items[i];
    b->items[i].work.run = run;
    b->items[i].work.done = done;
    submit(&b->items[i]);
  }
  while (b->done < count)
    loop_run(b->loop, true);
}

static void bench_open(bench *b, bool uv) {
  *b = (bench){.loop = loop_open(NULL, nothing, nothing, NULL)};
  if (!uv)
    b->pool = pool_open(&(pool_options){.threads_max = 2});
  if (!b->loop || (!uv && !b->pool))
    broken("out of memory");
}

static void bench_close(bench *b) {
  pool_close(b->pool);
  loop_close(b->loop);
}

/* ---- figures ---- */

typedef struct trip {
  double median_us, p99_us;
} trip;

static trip measure_trip(bool uv, bool pinned) {
  static double ns[TRIPS];
  bench b;
  bench_open(&b, uv);
  drive(&b, 1, 1);
  set_cores(pinned);
  drive(&b, 1, WARM);
  b.ns = ns;
  drive(&b, 1, TRIPS);
  set_cores(false);
  bench_close(&b);
  sort_values(ns, TRIPS);
  return (trip){quantile(ns, TRIPS, 0.5) / 1e3, quantile(ns, TRIPS, 0.99) / 1e3};
}

static double measure_rate(bool uv, bool pinned) {
  bench b;
  bench_open(&b, uv);
  drive(&b, 2, 2);
  set_cores(pinned);
  drive(&b, FLIGHT, WARM);
  uint64_t start = clock_ns();
  drive(&b, FLIGHT, MANY);
  double rate = (double)MANY * 1e9 / (double)(clock_ns() - start) / 1e6;
  set_cores(false);
  bench_close(&b);
  return rate;
}

static void trips(figures *all, bool pinned) {
  double ours[REPEATS_MAX], ours99[REPEATS_MAX], uv[REPEATS_MAX], uv99[REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++) {
    trip t = measure_trip(false, pinned);
    ours[i] = t.median_us;
    ours99[i] = t.p99_us;
    t = measure_trip(true, pinned);
    uv[i] = t.median_us;
    uv99[i] = t.p99_us;
  }
  if (pinned) {
    figure *f = figures_add(all, "trip_pinned", "one at a time, pinned", "us", ours, repeats);
    figure_at_most(f, UV_WORK_NS / 1e3);
    figures_add(all, "trip_pinned_p99", "... 99 of 100 below", "us", ours99, repeats);
    figures_add(all, "uv_trip_pinned", "uv_queue_work, pinned", "us", uv, repeats);
    figures_add(all, "uv_trip_pinned_p99", "... 99 of 100 below", "us", uv99, repeats);
  } else {
    figures_add(all, "trip_free", "one at a time, on all cores", "us", ours, repeats);
    figures_add(all, "trip_free_p99", "... 99 of 100 below", "us", ours99, repeats);
    figures_add(all, "uv_trip_free", "uv_queue_work, on all cores", "us", uv, repeats);
    figures_add(all, "uv_trip_free_p99", "... 99 of 100 below", "us", uv99, repeats);
  }
}

static void trips_pinned(figures *all) {
  trips(all, true);
}

static void trips_free(figures *all) {
  trips(all, false);
}

static void rates(figures *all) {
  double ours[2][REPEATS_MAX], uv[2][REPEATS_MAX];
  for (unsigned i = 0; i < repeats; i++)
    for (int pinned = 0; pinned < 2; pinned++) {
      ours[pinned][i] = measure_rate(false, pinned);
      uv[pinned][i] = measure_rate(true, pinned);
    }
  figure *f = figures_add(all, "rate_free", "64 in flight, on all cores", "M/s", ours[0], repeats);
  figure_at_least(f, 1);
  figures_add(all, "uv_rate_free", "uv_queue_work, 64 in flight, on all cores", "M/s", uv[0],
              repeats);
  figures_add(all, "rate_pinned", "64 in flight, pinned", "M/s", ours[1], repeats);
  figures_add(all, "uv_rate_pinned", "uv_queue_work, 64 in flight, pinned", "M/s", uv[1], repeats);
}

int main(int argc, char **argv) {
  static const bench_group groups[] = {
      {"pinned", trips_pinned}, {"free", trips_free}, {"rate", rates}};
  figures all = {.name = "pool"};
  setenv("UV_THREADPOOL_SIZE", "2", 1);
  return bench_groups(argc, argv, &all, groups, sizeof groups / sizeof *groups);
}
