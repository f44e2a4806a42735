/* What a program in C++ would do without tasks, and vow::task_pool. */
#include <cstdlib>
#include <future>
#include <thread>
#include <vector>

#include "task_peers.h"
#include "vow/task.hpp"

static std::uint64_t clock_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

template <class Call> static trip measure_trip(std::size_t count, Call &&call) {
  std::vector<double> ns(count);
  for (std::size_t i = 0; i < count / 10; i++)
    call();
  for (double &each : ns) {
    const std::uint64_t start = clock_ns();
    call();
    each = static_cast<double>(clock_ns() - start);
  }
  return trip_of(ns.data(), count);
}

/* `flight` are begun, then each is awaited. */
template <class Begin, class End>
static double measure_rate(std::size_t flight, std::size_t flights, Begin &&begin, End &&end) {
  std::vector<decltype(begin())> out(flight);
  std::uint64_t start = 0;
  for (std::size_t i = 0; i <= flights; i++) {
    if (i == 1) /* the first one warms */
      start = clock_ns();
    for (auto &each : out)
      each = begin();
    for (auto &each : out)
      end(each);
  }
  const auto all = static_cast<double>(flight * flights);
  return all * 1e3 / static_cast<double>(clock_ns() - start);
}

static std::future<void> begin_async() {
  return std::async(std::launch::async, [] {});
}

trip async_trip(void) {
  return measure_trip(TRIPS_THREAD, [] { begin_async().get(); });
}

trip thread_trip(void) {
  return measure_trip(TRIPS_THREAD, [] { std::thread([] {}).join(); });
}

double async_rate(void) {
  return measure_rate(THREADS_OUT, 30, begin_async, [](std::future<void> &each) { each.get(); });
}

double thread_rate(void) {
  return measure_rate(
      THREADS_OUT, 30, [] { return std::thread([] {}); }, [](std::thread &each) { each.join(); });
}

static vow::pool_options two_threads() {
  vow::pool_options options;
  options.concurrent_max = 2;
  return options;
}

trip cpp_trip(void) {
  vow::task_pool pool(two_threads());
  return measure_trip(TRIPS, [&] { pool.run([] {}); });
}

double cpp_rate(void) {
  vow::task_pool pool(two_threads());
  return measure_rate(
      FLIGHT, FLIGHTS, [&] { return pool.submit([] {}); },
      [](vow::task<void> &each) { each.get(); });
}

double cpp_throw_rate(void) {
  vow::task_pool pool(two_threads());
  return measure_rate(
      FLIGHT, FLIGHTS, [&] { return pool.submit([] { throw std::runtime_error("no"); }); },
      [](vow::task<void> &each) {
        if (each.result().success())
          std::abort();
      });
}
