// Prices of three shops, asked at once: one answers, one only when it is asked again, one
// throws. What is thrown ends at the task, with its type.
//
//   c++ -std=c++17 prices.cpp $(pkg-config --cflags --libs vow) -o prices && ./prices
#include <iostream>
#include <stdexcept>

#include <vow/task.hpp>

using namespace std::chrono_literals;

namespace shop {
struct sold_out : std::runtime_error {
  using runtime_error::runtime_error;
};
struct busy : std::runtime_error {
  using runtime_error::runtime_error;
};
} // namespace shop

struct price {
  std::string shop;
  int cents;
};

static price at_the_corner() {
  return {"corner", 1250};
}

// Asks whether anybody still waits, as every callable should that may take long.
static price at_the_market(vow::task_context &context) {
  if (context.attempt() < 3)
    throw shop::busy("come back later");
  if (!context.sleep(10ms))
    throw shop::busy("nobody waits any more");
  return {"market", 1190};
}

static price at_the_station() {
  throw shop::sold_out("none left");
}

int main() {
  vow::pool_options options;
  options.concurrent_max = 3;
  vow::task_pool pool(options);

  vow::task_options again{"market", 10s};
  again.retry.attempts = 5;
  again.retry.delay = 5ms;
  again.retry.backoff = 2;
  again.retry.errors = "shop::busy"; // and no other

  auto all = pool.submit(vow::parallel(vow::jobs(vow::call(at_the_corner, {"corner", 10s}),
                                                 vow::call(at_the_market, again),
                                                 vow::call(at_the_station, {"station", 10s})),
                                       {"prices", 20s}));
  for (const auto &result : all.results()) {
    if (result.success())
      std::cout << result.value->shop << ": " << result.value->cents << " cents, attempt "
                << result.attempts << "\n";
    else
      std::cout << result.error_type << ": " << result.error_message << "\n";
  }

  try {
    pool.submit(at_the_station, {"station", 10s}).get();
  } catch (const shop::sold_out &e) { // as if it had been called here
    std::cout << "sold out: " << e.what() << "\n";
  }

  // What is live when its task goes out of scope is cancelled, and waited for.
  auto forever = pool.submit([](vow::task_context &context) {
    while (context.sleep(1h))
      continue;
  });
  return 0;
}
