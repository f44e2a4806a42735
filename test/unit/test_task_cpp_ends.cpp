/* vow/task.hpp: who frees what and when, in every order of ends; groups of groups; memory
 * that runs short. */
#include "task_cpp_fixture.hpp"

#include <stdexcept>

using namespace fixture;

/* ---- the C++ library's memory, of the threads that say so ---- */

static thread_local std::size_t new_calls, new_fail_at; /* counted from 1; 0: none fails */
static thread_local bool new_fails;

/* Not inlined, or gcc would take malloc and delete for a mismatch. */
__attribute__((noinline)) void *operator new(std::size_t size) {
  if (new_fails || (new_fail_at && ++new_calls == new_fail_at))
    throw std::bad_alloc();
  if (void *block = std::malloc(size))
    return block;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void *block) noexcept {
  std::free(block);
}
__attribute__((noinline)) void operator delete(void *block, std::size_t) noexcept {
  std::free(block);
}

/* ---- callables and values are destroyed once ---- */

/* Held by `held`, when there is one. */
static auto counted(census &callables, census &values, gate *held = nullptr) {
  return [one = citizen(callables), &values, held] {
    if (held)
      held->pass();
    return citizen(values);
  };
}

static void destroyed_when_done(void **) {
  census callables, values;
  {
    stage s;
    auto taken = s.pool.submit(counted(callables, values));
    auto left = s.pool.submit(counted(callables, values));
    auto ignored = s.pool.submit(counted(callables, values));
    {
      const citizen value = taken.get();
      left.wait();
    }
  }
  callables.await_none();
  assert_int_equal(values.alive(), 0);
}

static void destroyed_before_a_guard_ends(void **) {
  census callables, values;
  stage s;
  for (int i = 0; i < 200; i++) {
    {
      auto task = s.pool.submit(counted(callables, values));
      if (i % 2)
        task.wait();
    }
    assert_int_equal(callables.alive(), 0);
    assert_int_equal(values.alive(), 0);
  }
}

static void destroyed_when_it_never_ran(void **) {
  census callables, values;
  stage s(threads(1));
  gate hold;
  auto first = s.pool.submit([&] { hold.pass(); });
  hold.await(1);
  {
    auto unused = vow::call(counted(callables, values));
    auto task = s.pool.submit(counted(callables, values));
    assert_true(task.cancel());
  }
  assert_int_equal(callables.alive(), 0);
  hold.open();
  first.get();
  assert_int_equal(values.made(), 0);
}

static void destroyed_when_it_was_refused(void **) {
  census callables, values;
  full_stage s;
  const auto call = [&] { s.pool.submit(counted(callables, values)).wait(); };
  const auto group = [&] {
    s.pool
        .submit(vow::parallel(vow::jobs(vow::call(counted(callables, values)),
                                        vow::call(counted(callables, values)))))
        .wait();
  };
  assert_int_equal(status_of(call), VOW_E_FULL);
  assert_int_equal(status_of(group), VOW_E_FULL);
  assert_int_equal(callables.alive(), 0);
  s.go_on();
  s.pool.close();
  assert_int_equal(status_of(call), VOW_E_STATE);
  assert_int_equal(callables.alive(), 0);
}

static void late_value_is_destroyed(void **) {
  census callables, values;
  gate hold;
  stage s(threads(1, 5ms));
  {
    auto task = s.pool.submit(counted(callables, values, &hold));
    hold.await(1);
    assert_true(task.cancel());
  }
  assert_int_equal(callables.alive(), 1);
  hold.open();
  callables.await_none();
  values.await_none();
  assert_true(values.made() > 0);
}

static void detached_ones_are_destroyed(void **) {
  census callables, values;
  stage s(threads(2));
  for (int i = 0; i < 100; i++)
    s.pool.submit(counted(callables, values)).detach();
  s.pool.submit(vow::race(vow::jobs(vow::call(counted(callables, values))))).detach();
  s.pool.close();
  callables.await_none();
  assert_int_equal(values.alive(), 0);
}

static void exception_outlives_all(void **) {
  std::exception_ptr kept;
  {
    stage s;
    auto result = s.pool.run([] { throw std::runtime_error("kept"); });
    kept = result.exception;
  }
  try {
    std::rethrow_exception(kept);
  } catch (const std::runtime_error &e) {
    assert_string_equal(e.what(), "kept");
  }
}

static void tasks_outlive_their_pool(void **) {
  memory memory;
  const vow_allocator allocator = memory.allocator();
  {
    vow::task<int> done, cut;
    {
      vow::pool_options options;
      options.allocator = &allocator;
      vow::task_pool pool(options);
      done = pool.submit([] { return 1; });
      done.wait();
      cut = pool.submit(until_cancelled);
    }
    assert_int_equal(done.get(), 1);
    assert_int_equal(cut.result().state, VOW_OP_CANCELLED);
    assert_false(cut.cancel());
  }
  memory.await_none();
}

/* The last reference to a task is in what its callable has caught. */
static void callable_may_own_its_task(void **) {
  stage s;
  census callables;
  {
    auto holder = std::make_shared<vow::task<int>>();
    gate hold;
    *holder = s.pool.submit([holder, &hold, one = citizen(callables)] {
      hold.pass();
      return 1;
    });
    hold.await(1);
    holder.reset();
    hold.open();
    assert_true(s.pool.wait_for(1h));
  }
  callables.await_none();
}

/* ---- callables that use their pool ---- */

static void callable_waits_for_others_of_its_pool(void **) {
  stage s(threads(1));
  std::function<int(int)> sum = [&](int n) {
    return n == 0 ? 0 : n + s.pool.submit([&sum, n] { return sum(n - 1); }).get();
  };
  assert_int_equal(s.pool.submit([&] { return sum(20); }).get(), 210);
}

static void waiting_for_itself_is_told(void **) {
  stage s;
  vow::task<void> task;
  gate assigned;
  task = s.pool.submit([&] {
    assigned.pass();
    task.wait();
  });
  assigned.open();
  assert_text(thrown_by([&] { task.get(); }), "vow::error");
}

static void what_it_started_ends_with_it(void **) {
  stage s(threads(2));
  gate begun;
  begun.open();
  auto outer = s.pool.submit([&](vow::task_context &context) {
    auto inner = s.pool.submit(until_cancelled);
    begun.pass();
    until_cancelled(context);
    return inner.result().state;
  });
  begun.await(1);
  outer.cancel();
  outer = {};
  assert_int_equal(s.pool.counts().cancelled, 2);
}

/* ---- groups of groups ---- */

static void groups_compose(void **) {
  stage s(threads(2));
  const auto number = [](int n) { return vow::call([n] { return n; }); };
  const auto failing = [] { return vow::call([]() -> int { throw 1; }); };
  auto races = vow::jobs(vow::race(vow::jobs(failing(), number(1))),
                         vow::race(vow::jobs(number(2), vow::call(until_cancelled))));
  assert_true(s.pool.submit(vow::parallel(std::move(races))).get() == (std::vector<int>{1, 2}));

  std::vector<vow::job<std::vector<int>>> lists;
  lists.push_back(vow::parallel(vow::jobs(number(1), failing())));
  lists.push_back(vow::parallel(vow::jobs(number(3), number(4))));
  assert_true(s.pool.submit(vow::race(std::move(lists))).get() == (std::vector<int>{3, 4}));

  std::vector<vow::job<void>> nothings;
  nothings.push_back(vow::call([] {}));
  assert_int_equal(s.pool.submit(vow::parallel(std::move(nothings))).get().size(), 1);
}

static void groups_are_tried_again(void **) {
  stage s(threads(2));
  std::atomic<int> calls{0};
  vow::task_options twice;
  twice.retry.attempts = 3;
  const auto third = [&] {
    if (++calls < 5)
      throw std::runtime_error("not yet");
    return calls.load();
  };
  const auto result = s.pool.run(vow::race(vow::jobs(vow::call(third), vow::call(third)), twice));
  assert_true(result.success());
  assert_int_equal(result.attempts, 3);
}

/* A call of the attempt before, which heard no cancel, goes on beside that of the next one,
 * and returns when that one has. */
static void stale_call_changes_nothing(void **) {
  census values;
  stage s(threads(2, 5ms));
  gate hold;
  std::atomic<int> calls{0};
  const auto member = [&, one = std::make_shared<citizen>(values)]() -> std::shared_ptr<int> {
    const int number = ++calls;
    if (number == 1)
      hold.pass();
    return std::make_shared<int>(number);
  };
  vow::task_options again;
  again.retry.attempts = 1000; /* a later one may be out of time before it begins */
  auto task = s.pool.submit(vow::race(vow::jobs(vow::call(member, {"member", 10ms})), again));
  task.wait();
  hold.open();
  assert_true(s.pool.wait_for(1h));
  assert_in_range(*task.get(), 2, 1000);
}

/* It goes on when the guard has ended; the others are destroyed by then. */
static void guard_does_not_wait_for_the_deaf(void **) {
  census callables, values;
  gate hold;
  stage s(threads(3, 5ms));
  {
    auto winner = [&hold, one = citizen(callables), &values] {
      hold.await(1);
      return citizen(values);
    };
    auto task = s.pool.submit(vow::race(
        vow::jobs(vow::call(counted(callables, values, &hold)), vow::call(std::move(winner)))));
    assert_true(task.result().success());
  }
  assert_int_equal(callables.alive(), 1);
  hold.open();
  callables.await_none();
  values.await_none();
}

/* What a callable owns may own tasks. */
static void tasks_end_with_a_callable(void **) {
  stage s(threads(2));
  auto inner = std::make_shared<vow::task<int>>(s.pool.submit(until_cancelled));
  auto outer = s.pool.submit([inner = std::move(inner)] { return inner->valid(); });
  assert_true(outer.get());
  outer = {};
  assert_true(s.pool.wait_for(1h));
  assert_int_equal(s.pool.counts().cancelled, 1);
}

static void job_is_submitted_once(void **) {
  stage s;
  auto job = vow::call([] { return 1; });
  auto task = s.pool.submit(std::move(job));
  auto again = [&] { s.pool.submit(std::move(job)).wait(); };
  assert_int_equal(status_of(again), VOW_E_STATE);
  assert_int_equal(task.get(), 1);
}

/* ---- memory is short ---- */

static auto tree(census &callables, census &values) {
  const auto one = [&] {
    return vow::call([held = std::make_shared<citizen>(callables), &values] {
      return std::make_shared<citizen>(values);
    });
  };
  vow::task_options again;
  again.retry.attempts = 2;
  std::vector<vow::job<std::vector<std::shared_ptr<citizen>>>> lists;
  lists.push_back(vow::parallel(vow::jobs(one(), one()), again));
  return vow::race(std::move(lists));
}

/* What was done: 1, or 0 when there was no memory for it. */
static int try_all(const vow_allocator *allocator, census &callables, census &values) {
  auto options = threads(2);
  options.allocator = allocator;
  try {
    vow::task_pool pool(options);
    auto failing = pool.submit([] { throw std::runtime_error("a text that is long enough"); });
    assert_int_equal(failing.result().state, VOW_REJECTED);
    return pool.submit(tree(callables, values)).result().success();
  } catch (const std::bad_alloc &) {
  } catch (const vow::error &e) {
    assert_int_equal(e.status(), VOW_E_NOMEM);
  }
  return 0;
}

static void every_allocation_of_the_core_may_fail(void **) {
  for (const bool for_ever : {false, true}) {
    std::size_t n = 1;
    for (bool more = true; more; n++) {
      census callables, values;
      memory memory(n, for_ever);
      const vow_allocator allocator = memory.allocator();
      const int done = try_all(&allocator, callables, values);
      more = memory.failed();
      assert_true(done || more);
      callables.await_none();
      values.await_none();
      memory.await_none();
    }
    assert_true(n > 5);
  }
}

static void every_allocation_of_a_submit_may_fail(void **) {
  stage s;
  std::size_t n = 1;
  for (bool done = false; !done; n++) {
    census callables, values;
    new_calls = 0;
    new_fail_at = n;
    try {
      auto task = s.pool.submit(tree(callables, values));
      new_fail_at = 0;
      done = task.result().success();
      assert_true(done);
    } catch (const std::bad_alloc &) {
    }
    new_fail_at = 0;
    callables.await_none();
    values.await_none();
  }
  assert_true(n > 5);
}

static void failure_needs_no_memory(void **) {
  stage s(threads(1));
  const auto result = s.pool.run([] {
    std::invalid_argument thrown("a message that does not fit into a short string");
    new_fails = true;
    throw std::move(thrown);
  });
  assert_int_equal(result.state, VOW_REJECTED);
  assert_text(result.error_type, "std::bad_alloc");
  s.pool.run([] { new_fails = false; });
}

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(destroyed_when_done),
      cmocka_unit_test(destroyed_before_a_guard_ends),
      cmocka_unit_test(destroyed_when_it_never_ran),
      cmocka_unit_test(destroyed_when_it_was_refused),
      cmocka_unit_test(late_value_is_destroyed),
      cmocka_unit_test(detached_ones_are_destroyed),
      cmocka_unit_test(exception_outlives_all),
      cmocka_unit_test(tasks_outlive_their_pool),
      cmocka_unit_test(callable_may_own_its_task),
      cmocka_unit_test(callable_waits_for_others_of_its_pool),
      cmocka_unit_test(waiting_for_itself_is_told),
      cmocka_unit_test(what_it_started_ends_with_it),
      cmocka_unit_test(groups_compose),
      cmocka_unit_test(groups_are_tried_again),
      cmocka_unit_test(stale_call_changes_nothing),
      cmocka_unit_test(guard_does_not_wait_for_the_deaf),
      cmocka_unit_test(tasks_end_with_a_callable),
      cmocka_unit_test(job_is_submitted_once),
      cmocka_unit_test(every_allocation_of_the_core_may_fail),
      cmocka_unit_test(every_allocation_of_a_submit_may_fail),
      cmocka_unit_test(failure_needs_no_memory),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
