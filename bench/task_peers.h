/* What bench_task compares itself with, and what it asks of C++. */
#ifndef BENCH_TASK_PEERS_H
#define BENCH_TASK_PEERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many callbacks are out at once where throughput is measured; of peers that take a
 * thread for each, THREADS_OUT. */
enum { FLIGHT = 10000, THREADS_OUT = 64, FLIGHTS = 20, TRIPS = 20000, TRIPS_THREAD = 3000 };

typedef struct trip {
  double median_us, p99_us;
} trip;

/* Sorts the times. */
trip trip_of(double *ns, size_t count);

/* One at a time, from the call to its result. */
trip async_trip(void);
trip thread_trip(void);
trip cpp_trip(void);
/* Millions a second. */
double async_rate(void);
double thread_rate(void);
double cpp_rate(void);
/* Each throws. */
double cpp_throw_rate(void);

#ifdef __cplusplus
}
#endif
#endif
