/* vow/task.hpp: callables, what they throw, time limits, cancels, guards, pools, groups. */
#include "task_cpp_fixture.hpp"

#include <cstring>
#include <stdexcept>
#include <thread>

using namespace fixture;

/* ---- execution ---- */

static void runs_and_waits(void **) {
  stage s;
  const auto result = s.pool.run([] { return 42; }, {"answer"});
  assert_true(result.success());
  assert_int_equal(result.state, VOW_FULFILLED);
  assert_int_equal(*result.value, 42);
  assert_int_equal(result.attempts, 1);
  assert_text(result.error_type, "");
}

static void starts_and_is_waited_for(void **) {
  stage s;
  gate hold;
  auto task = s.pool.submit([&] {
    hold.pass();
    return std::string("late");
  });
  hold.await(1);
  assert_int_equal(task.state(), VOW_RUNNING);
  assert_false(task.wait_for(1ms));
  assert_false(task.wait_until(std::chrono::steady_clock::now() - 1h));
  hold.open();
  assert_true(task.wait_for(1h));
  assert_text(task.get(), "late");
  assert_int_equal(task.state(), VOW_FULFILLED);
}

static void measures_time(void **) {
  stage s;
  const auto result = s.pool.run([](vow::task_context &context) { return context.sleep(20ms); });
  assert_true(*result.value);
  assert_true(result.run_time >= 20ms);
  assert_true(result.age >= result.run_time);
}

static void gives_any_type_that_moves(void **) {
  stage s;
  auto owner = s.pool.submit([] { return std::make_unique<int>(7); });
  auto list = s.pool.submit([] { return std::vector<std::string>{"a", "b"}; });
  auto nothing = s.pool.submit([] {});
  const int local = 3;
  auto copied = s.pool.submit([&local]() -> const int & { return local; });
  static_assert(std::is_same_v<decltype(copied), vow::task<int>>);
  assert_int_equal(*owner.get(), 7);
  assert_int_equal(list.get().size(), 2);
  nothing.get();
  assert_int_equal(copied.get(), 3);
}

static int doubled(vow::task_context &context) {
  return context.cancelled() ? -1 : 2;
}

struct object {
  int factor;
  int operator()() const {
    return 10 * factor;
  }
};

static void takes_any_callable(void **) {
  stage s;
  auto owner = std::make_unique<int>(5);
  const object kept{4};
  assert_int_equal(s.pool.submit(doubled).get(), 2);
  assert_int_equal(s.pool.submit(kept).get(), 40);
  assert_int_equal(s.pool.submit(std::function<int()>([] { return 6; })).get(), 6);
  assert_int_equal(s.pool.submit([owner = std::move(owner)] { return *owner; }).get(), 5);
  auto generic = [](auto &context) { return context.attempt(); };
  assert_int_equal(s.pool.submit(generic).get(), 1);
}

static void result_is_taken_once(void **) {
  stage s;
  auto task = s.pool.submit([] { return 1; });
  assert_int_equal(task.get(), 1);
  assert_int_equal(status_of([&] { task.get(); }), VOW_E_STATE);
  assert_int_equal(status_of([&] { task.result(); }), VOW_E_STATE);
  vow::task<int> none;
  assert_false(none.valid());
  assert_int_equal(status_of([&] { none.wait(); }), VOW_E_STATE);
}

/* ---- exceptions ---- */

static void throws_it_again(void **) {
  stage s;
  auto task = s.pool.submit([]() -> int { throw std::out_of_range("no such item"); });
  try {
    task.get();
    fail();
  } catch (const std::out_of_range &e) {
    assert_string_equal(e.what(), "no such item");
  }
  const auto result = s.pool.run([]() -> int { throw std::out_of_range("no such item"); });
  assert_int_equal(result.state, VOW_REJECTED);
  assert_false(result.value.has_value());
  assert_text(result.error_type, "std::out_of_range");
  assert_text(result.error_message, "no such item");
  assert_text(thrown_by([&] { std::rethrow_exception(result.exception); }), "std::out_of_range");
}

struct not_an_exception {};
namespace shop {
class sold_out : public std::runtime_error {
  using runtime_error::runtime_error;
};
} // namespace shop

template <class Thrown>
static void check_thrown(stage &s, Thrown thrown, const char *type, const char *message) {
  auto task = s.pool.submit([&] { throw thrown; });
  assert_text(thrown_by([&] { task.get(); }), type);
  const auto result = s.pool.run([&] { throw thrown; });
  assert_int_equal(result.state, VOW_REJECTED);
  assert_text(result.error_type, type);
  assert_text(result.error_message, message);
}

static void names_what_was_thrown(void **) {
  stage s;
  check_thrown(s, std::runtime_error("r"), "std::runtime_error", "r");
  check_thrown(s, shop::sold_out("none left"), "shop::sold_out", "none left");
  check_thrown(s, std::bad_alloc(), "std::bad_alloc", "std::bad_alloc");
  check_thrown(s, 42, "int", "thrown without a message");
  check_thrown(s, "text", "char const*", "text");
  check_thrown(s, static_cast<const char *>(nullptr), "char const*", "");
  check_thrown(s, not_an_exception(), "not_an_exception", "thrown without a message");
  const auto text = s.pool.run([] { throw std::string("of a string"); });
  assert_text(text.error_message, "of a string");
}

static void fails_with_a_type_of_its_choice(void **) {
  stage s;
  const auto result =
      s.pool.run([] { throw vow::task_error("QuotaError", "too much", "of 3 allowed"); });
  assert_text(result.error_type, "QuotaError");
  assert_text(result.error_message, "too much");
  assert_text(result.error_detail, "of 3 allowed");
}

static void tells_nested_exceptions(void **) {
  stage s;
  const auto result = s.pool.run([] {
    try {
      try {
        throw 1;
      } catch (...) {
        std::throw_with_nested(std::invalid_argument("no number"));
      }
    } catch (...) {
      std::throw_with_nested(std::runtime_error("no order"));
    }
  });
  assert_text(result.error_message, "no order");
  assert_non_null(std::strstr(result.error_detail.c_str(), "no number\ncaused by int: "));
}

/* ---- time limits ---- */

static void times_out(void **) {
  stage s;
  auto task = s.pool.submit(until_cancelled, {"slow", 10ms});
  assert_text(thrown_by([&] { task.get(); }), "vow::task_timeout");
  const auto result = s.pool.run(until_cancelled, {"slow", 10ms});
  assert_int_equal(result.state, VOW_TIMED_OUT);
  assert_text(result.error_type, "TimeoutError");
  assert_true(result.age >= 10ms);
  assert_true(result.exception == nullptr);
}

static void is_in_time(void **) {
  stage s;
  const auto result = s.pool.run([] { return 1; }, {"fast", 1h});
  assert_true(result.success());
}

static void zero_is_unlimited(void **) {
  stage s;
  const auto left = [](vow::task_context &context) { return context.remaining(); };
  assert_true(s.pool.submit(left, {"free", 0ms}).get() == std::chrono::milliseconds::max());
  const auto bounded = s.pool.submit(left, {"bounded", 1h}).get();
  assert_true(bounded > 59min && bounded <= 1h);
}

static void refuses_negative_times(void **) {
  stage s;
  assert_int_equal(status_of([&] { s.pool.submit([] {}, {"past", -1ms}).wait(); }), VOW_E_INVALID);
  vow::task_options options;
  options.retry.delay = -1ms;
  assert_int_equal(status_of([&] { s.pool.submit([] {}, options).wait(); }), VOW_E_INVALID);
  assert_int_equal(s.pool.counts().created, 0);
}

static void does_not_wait_for_the_deaf(void **) {
  stage s(threads(1, 20ms));
  gate hold;
  census all;
  {
    vow::task<int> task;
    do { /* until one has begun before its time was over */
      auto deaf = [&hold, one = citizen(all)] {
        hold.pass();
        return 1;
      };
      task = s.pool.submit(std::move(deaf), {"deaf", 10ms});
      task.wait();
    } while (vow_task_result_of(task.native())->attempts == 0);
    assert_text(thrown_by([&] { task.get(); }), "vow::task_timeout");
    assert_int_equal(s.pool.submit([] { return 2; }).get(), 2);
  }
  assert_int_equal(all.alive(), 1);
  assert_int_equal(s.pool.counts().retired, 1);
  hold.open();
  all.await_none();
}

/* ---- cancels ---- */

static void cancelled_before_it_never_runs(void **) {
  stage s(threads(1));
  gate hold;
  std::atomic<bool> ran{false};
  auto first = s.pool.submit([&] { hold.pass(); });
  hold.await(1);
  auto second = s.pool.submit([&] { ran = true; });
  assert_int_equal(second.state(), VOW_PENDING);
  assert_true(second.cancel());
  assert_text(thrown_by([&] { second.get(); }), "vow::task_cancelled");
  hold.open();
  first.get();
  assert_true(s.pool.wait_for(1h));
  assert_false(ran);
}

static void cancelled_while_it_runs_it_is_told(void **) {
  stage s;
  gate begun;
  begun.open();
  std::atomic<bool> told{false};
  auto task = s.pool.submit([&](vow::task_context &context) {
    begun.pass();
    until_cancelled(context);
    told = context.cancelled();
  });
  begun.await(1);
  assert_true(task.cancel());
  const auto result = task.result();
  assert_int_equal(result.state, VOW_OP_CANCELLED);
  assert_text(result.error_type, "AbortError");
  task = {};
  assert_true(told);
}

static void cancelled_after_it_has_no_effect(void **) {
  stage s;
  auto task = s.pool.submit([] { return 1; });
  task.wait();
  assert_false(task.cancel());
  assert_int_equal(task.get(), 1);
}

static void stop_callback_wakes(void **) {
  stage s;
  gate begun, stopped;
  begun.open();
  auto task = s.pool.submit([&](vow::task_context &context) {
    context.on_stop([&] { stopped.open(); });
    begun.pass();
    stopped.pass();
  });
  begun.await(1);
  task.cancel();
  stopped.await(1);
  auto at_once = s.pool.submit([](vow::task_context &context) {
    until_cancelled(context);
    bool called = false;
    context.on_stop([&] { called = true; });
    context.on_stop(nullptr);
    context.on_stop([] { throw 1; });
    return called;
  });
  assert_true(at_once.cancel());
}

/* ---- guards ---- */

static void end_of_scope_cancels_and_waits(void **) {
  stage s;
  gate begun;
  begun.open();
  bool told = false;
  {
    auto task = s.pool.submit([&](vow::task_context &context) {
      begun.pass();
      until_cancelled(context);
      told = true;
    });
    begun.await(1);
  }
  assert_true(told);
  assert_int_equal(s.pool.counts().cancelled, 1);
}

static void exception_passes_a_guard(void **) {
  stage s;
  bool told = false;
  gate begun;
  begun.open();
  const auto scope = [&] {
    auto task = s.pool.submit([&](vow::task_context &context) {
      begun.pass();
      until_cancelled(context);
      told = true;
    });
    begun.await(1);
    throw std::logic_error("of the caller");
  };
  assert_text(thrown_by(scope), "std::logic_error");
  assert_true(told);
}

static void assigned_the_old_one_ends(void **) {
  stage s;
  auto task = s.pool.submit(until_cancelled);
  task = s.pool.submit([](vow::task_context &) { return 2; });
  assert_int_equal(task.get(), 2);
  auto &same = task;
  task = std::move(same);
  assert_true(task.valid());
  assert_int_equal(status_of([&] { task.get(); }), VOW_E_STATE);
  assert_int_equal(s.pool.counts().cancelled, 1);
}

static void detached_it_goes_on(void **) {
  stage s;
  gate hold;
  std::atomic<bool> ran{false};
  s.pool
      .submit([&] {
        hold.pass();
        ran = true;
      })
      .detach();
  hold.open();
  assert_true(s.pool.wait_for(1h));
  assert_true(ran);
  assert_int_equal(s.pool.counts().fulfilled, 1);
}

/* ---- pools ---- */

static void does_many(void **) {
  stage s(threads(4));
  std::vector<vow::task<std::size_t>> tasks;
  for (std::size_t i = 0; i < 1000; i++)
    tasks.push_back(s.pool.submit([i] { return i * i; }));
  for (std::size_t i = 0; i < tasks.size(); i++)
    assert_int_equal(tasks[i].get(), i * i);
  const vow_task_counts counts = s.pool.counts();
  assert_int_equal(counts.created, 1000);
  assert_int_equal(counts.fulfilled, 1000);
}

static void bounds_what_runs_at_once(void **) {
  stage s(threads(3));
  std::atomic<int> running{0}, most{0};
  std::vector<vow::task<void>> tasks;
  for (int i = 0; i < 100; i++)
    tasks.push_back(s.pool.submit([&] {
      const int now = ++running;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now))
        continue;
      std::this_thread::yield();
      running--;
    }));
  for (auto &task : tasks)
    task.get();
  assert_in_range(most.load(), 1, 3);
}

static void queue_is_bounded(void **) {
  full_stage s;
  assert_int_equal(status_of([&] { s.pool.submit([] {}).wait(); }), VOW_E_FULL);
  s.go_on();
}

static void urgent_goes_first(void **) {
  stage s(threads(1));
  gate hold;
  std::vector<int> order;
  auto first = s.pool.submit([&] { hold.pass(); });
  hold.await(1);
  vow::task_options later, sooner;
  later.priority = 3;
  auto low = s.pool.submit([&] { order.push_back(3); }, later);
  auto high = s.pool.submit([&] { order.push_back(0); }, sooner);
  hold.open();
  low.get();
  high.get();
  assert_true(order == (std::vector<int>{0, 3}));
}

static void cancels_all(void **) {
  stage s(threads(2));
  std::vector<vow::task<int>> tasks;
  for (int i = 0; i < 20; i++)
    tasks.push_back(s.pool.submit(until_cancelled));
  s.pool.cancel();
  for (auto &task : tasks)
    assert_int_equal(task.result().state, VOW_OP_CANCELLED);
  assert_true(s.pool.wait_for(1h));
}

static void closes_after_what_was_started(void **) {
  stage s(threads(2));
  std::atomic<int> done{0};
  for (int i = 0; i < 50; i++)
    s.pool.submit([&] { done++; }).detach();
  assert_int_equal(s.pool.close(), VOW_OK);
  assert_int_equal(done.load(), 50);
  assert_int_equal(s.pool.close(), VOW_E_STATE);
  assert_int_equal(status_of([&] { s.pool.submit([] {}).wait(); }), VOW_E_STATE);
}

static void counts_are_told(void **) {
  auto options = threads(1);
  options.metrics = true;
  stage s(options);
  s.pool.run([] {});
  assert_true(s.pool.metrics().find("vow_") != std::string::npos);
  stage without;
  assert_int_equal(status_of([&] { without.pool.metrics(); }), VOW_E_STATE);
}

/* ---- retry, parallel, race ---- */

static vow::task_options tried(std::uint32_t attempts, const char *errors = "") {
  vow::task_options options;
  options.name = "tried";
  options.retry.attempts = attempts;
  options.retry.delay = 1ms;
  options.retry.errors = errors;
  return options;
}

static void tries_again_until_it_succeeds(void **) {
  stage s;
  const auto result = s.pool.run(
      [](vow::task_context &context) {
        if (context.attempt() < 3)
          throw std::runtime_error("not yet");
        return context.attempt();
      },
      tried(5));
  assert_int_equal(*result.value, 3);
  assert_int_equal(result.attempts, 3);
}

static void tries_no_more_than_it_is_told(void **) {
  stage s;
  std::atomic<int> calls{0};
  const auto fails = [&] {
    calls++;
    throw std::runtime_error("never");
  };
  assert_text(s.pool.run(fails, tried(3)).error_message, "never");
  assert_int_equal(calls.load(), 3);
  assert_int_equal(s.pool.run(fails, tried(3, "std::logic_error,int")).attempts, 1);
  assert_int_equal(s.pool.run(fails, tried(2, "int,std::runtime_error")).attempts, 2);
}

static void parallel_gives_all_in_order(void **) {
  stage s(threads(2));
  std::vector<vow::job<std::string>> jobs;
  for (int i = 0; i < 10; i++)
    jobs.push_back(vow::call([i] { return std::to_string(i); }));
  auto task = s.pool.submit(vow::parallel(std::move(jobs), {"all", 1h}));
  const std::vector<std::string> values = task.get();
  assert_int_equal(values.size(), 10);
  for (std::size_t i = 0; i < values.size(); i++)
    assert_text(values[i], std::to_string(i).c_str());
  assert_int_equal(s.pool.submit(vow::parallel(std::vector<vow::job<int>>())).get().size(), 0);
}

static void parallel_tells_each_result(void **) {
  stage s;
  auto jobs = vow::jobs(vow::call([] { return 1; }),
                        vow::call([]() -> int { throw shop::sold_out("two"); }),
                        vow::call([] { return 3; }));
  auto task = s.pool.submit(vow::parallel(std::move(jobs)));
  const auto results = task.results();
  assert_int_equal(task.state(), VOW_REJECTED);
  assert_int_equal(*results[0].value, 1);
  assert_text(results[1].error_type, "shop::sold_out");
  assert_text(thrown_by([&] { std::rethrow_exception(results[1].exception); }), "shop::sold_out");
  assert_int_equal(*results[2].value, 3);
  assert_text(thrown_by([&] { task.get(); }), "vow::task_error");
}

static void parallel_fails_fast(void **) {
  stage s(threads(2));
  vow::task_options options;
  options.fail_fast = true;
  auto jobs = vow::jobs(vow::call(until_cancelled), vow::call([]() -> int { throw 1; }));
  auto task = s.pool.submit(vow::parallel(std::move(jobs), options));
  const auto results = task.results();
  assert_int_equal(results[0].state, VOW_OP_CANCELLED);
  assert_int_equal(results[1].state, VOW_REJECTED);
}

static void race_is_won_by_the_first_success(void **) {
  stage s(threads(3));
  auto jobs = vow::jobs(vow::call(until_cancelled), vow::call([]() -> int { throw 1; }),
                        vow::call([] { return 3; }));
  assert_int_equal(s.pool.submit(vow::race(std::move(jobs))).get(), 3);
  assert_true(s.pool.wait_for(1h));
  const auto counts = s.pool.counts();
  assert_int_equal(counts.cancelled + counts.rejected, 2);
  assert_true(counts.cancelled >= 1); /* the second may have lost before it threw */
}

static void race_has_a_deadline(void **) {
  stage s(threads(2));
  auto jobs = vow::jobs(vow::call(until_cancelled), vow::call(until_cancelled));
  auto task = s.pool.submit(vow::race(std::move(jobs), {"either", 10ms}));
  assert_text(thrown_by([&] { task.get(); }), "vow::task_timeout");
}

static void race_of_none_is_refused(void **) {
  stage s;
  const auto empty = [&] { s.pool.submit(vow::race(std::vector<vow::job<int>>())).wait(); };
  assert_int_equal(status_of(empty), VOW_E_INVALID);
}

static void race_that_all_lose_fails(void **) {
  stage s;
  auto jobs = vow::jobs(vow::call([]() -> int { throw 1; }), vow::call([]() -> int { throw 2; }));
  const auto result = s.pool.run(vow::race(std::move(jobs)));
  assert_int_equal(result.state, VOW_REJECTED);
  assert_false(result.error_type.empty());
  assert_text(
      thrown_by([&] { s.pool.submit(vow::race(vow::jobs(vow::call([] { throw 1; })))).get(); }),
      "vow::task_error");
}

/* ---- threads ---- */

static void many_threads_use_one_pool(void **) {
  stage s(threads(4));
  std::atomic<int> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; c++)
    callers.emplace_back([&] {
      for (int i = 0; i < 100; i++) {
        auto kept = s.pool.submit([&sum] { return ++sum > 0; });
        auto dropped = s.pool.submit(until_cancelled, {"dropped", 50ms});
        dropped.cancel();
        if (!kept.get())
          sum = -1000;
      }
    });
  for (auto &caller : callers)
    caller.join();
  assert_int_equal(sum.load(), 400);
  const vow_task_counts counts = s.pool.counts();
  assert_int_equal(counts.created, 800);
  assert_int_equal(counts.live, 0);
}

static void one_task_is_cancelled_by_many(void **) {
  stage s(threads(2));
  for (int round = 0; round < 50; round++) {
    auto task = s.pool.submit(until_cancelled);
    std::atomic<int> effective{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 3; c++)
      callers.emplace_back([&] { effective += task.cancel(); });
    for (auto &caller : callers)
      caller.join();
    assert_int_equal(effective.load(), 1);
  }
}

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs_and_waits),
      cmocka_unit_test(starts_and_is_waited_for),
      cmocka_unit_test(measures_time),
      cmocka_unit_test(gives_any_type_that_moves),
      cmocka_unit_test(takes_any_callable),
      cmocka_unit_test(result_is_taken_once),
      cmocka_unit_test(throws_it_again),
      cmocka_unit_test(names_what_was_thrown),
      cmocka_unit_test(fails_with_a_type_of_its_choice),
      cmocka_unit_test(tells_nested_exceptions),
      cmocka_unit_test(times_out),
      cmocka_unit_test(is_in_time),
      cmocka_unit_test(zero_is_unlimited),
      cmocka_unit_test(refuses_negative_times),
      cmocka_unit_test(does_not_wait_for_the_deaf),
      cmocka_unit_test(cancelled_before_it_never_runs),
      cmocka_unit_test(cancelled_while_it_runs_it_is_told),
      cmocka_unit_test(cancelled_after_it_has_no_effect),
      cmocka_unit_test(stop_callback_wakes),
      cmocka_unit_test(end_of_scope_cancels_and_waits),
      cmocka_unit_test(exception_passes_a_guard),
      cmocka_unit_test(assigned_the_old_one_ends),
      cmocka_unit_test(detached_it_goes_on),
      cmocka_unit_test(does_many),
      cmocka_unit_test(bounds_what_runs_at_once),
      cmocka_unit_test(queue_is_bounded),
      cmocka_unit_test(urgent_goes_first),
      cmocka_unit_test(cancels_all),
      cmocka_unit_test(closes_after_what_was_started),
      cmocka_unit_test(counts_are_told),
      cmocka_unit_test(tries_again_until_it_succeeds),
      cmocka_unit_test(tries_no_more_than_it_is_told),
      cmocka_unit_test(parallel_gives_all_in_order),
      cmocka_unit_test(parallel_tells_each_result),
      cmocka_unit_test(parallel_fails_fast),
      cmocka_unit_test(race_is_won_by_the_first_success),
      cmocka_unit_test(race_has_a_deadline),
      cmocka_unit_test(race_of_none_is_refused),
      cmocka_unit_test(race_that_all_lose_fails),
      cmocka_unit_test(many_threads_use_one_pool),
      cmocka_unit_test(one_task_is_cancelled_by_many),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
