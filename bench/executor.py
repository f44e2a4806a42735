"""An empty function, for the executor of Python and for concurrent.futures.

    executor.py

prints the median and the 99th percentile of one at a time in microseconds, then thousands a
second with 1,000 in flight; on as many threads as bench_executor has."""
import concurrent.futures
import sys
import time

THREADS = 2
TRIPS = 5000
FLIGHT = 1000
FLIGHTS = 10


def nothing(argument):
    return None


def trip(pool):
    start = time.perf_counter_ns()
    pool.submit(nothing, None).result()
    return time.perf_counter_ns() - start


def flight(pool):
    for future in [pool.submit(nothing, None) for _ in range(FLIGHT)]:
        future.result()


def main():
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for _ in range(TRIPS // 10):
            trip(pool)
        times = sorted(trip(pool) for _ in range(TRIPS))
        start = time.perf_counter_ns()
        for _ in range(FLIGHTS):
            flight(pool)
        each_ns = (time.perf_counter_ns() - start) / FLIGHT / FLIGHTS
    print(times[TRIPS // 2] / 1e3, times[TRIPS * 99 // 100] / 1e3, 1e6 / each_ns)


if __name__ == "__main__":
    sys.exit(main())
