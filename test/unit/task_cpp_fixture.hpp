/* Pools for tests in C++ whose memory is counted, gates that hold callables, and values that
 * count themselves. */
#ifndef VOW_TEST_TASK_CPP_FIXTURE_HPP
#define VOW_TEST_TASK_CPP_FIXTURE_HPP

#include <atomic>
#include <condition_variable>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

extern "C" {
#include <cmocka.h>
}

#include "vow/task.hpp"

namespace fixture {

using namespace std::chrono_literals;

/* Closed at first. */
class gate {
public:
  void open() {
    const std::lock_guard<std::mutex> guard(lock_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock<std::mutex> guard(lock_);
    passing_++;
    changed_.notify_all();
    changed_.wait(guard, [this] { return open_; });
  }
  /* Until so many have come to it. */
  void await(unsigned count) {
    std::unique_lock<std::mutex> guard(lock_);
    changed_.wait(guard, [&] { return passing_ >= count; });
  }

private:
  std::mutex lock_;
  std::condition_variable changed_;
  unsigned passing_ = 0;
  bool open_ = false;
};

/* How many of a thing there are; can be waited for, for threads given up free theirs late. */
class census {
public:
  void add(int count) {
    const std::lock_guard<std::mutex> guard(lock_);
    alive_ += count;
    made_ += count > 0 ? 1u : 0u;
    changed_.notify_all();
  }
  void await_none() {
    std::unique_lock<std::mutex> guard(lock_);
    changed_.wait(guard, [this] { return alive_ == 0; });
  }
  int alive() {
    const std::lock_guard<std::mutex> guard(lock_);
    return alive_;
  }
  unsigned made() {
    const std::lock_guard<std::mutex> guard(lock_);
    return made_;
  }

private:
  std::mutex lock_;
  std::condition_variable changed_;
  int alive_ = 0;
  unsigned made_ = 0;
};

/* One of a census; a move makes another one, as with any value. */
class citizen {
public:
  explicit citizen(census &all) : all_(&all) {
    all_->add(1);
  }
  citizen(citizen &&other) noexcept : all_(other.all_) {
    all_->add(1);
  }
  citizen(const citizen &) = delete;
  citizen &operator=(const citizen &) = delete;
  citizen &operator=(citizen &&) = delete;
  ~citizen() {
    all_->add(-1);
  }

private:
  census *all_;
};

/* Counts the blocks of a pool, and can fail one allocation. */
class memory {
public:
  explicit memory(std::size_t fail_at = 0, bool for_ever = false)
      : fail_at_(fail_at), for_ever_(for_ever) {
  }
  vow_allocator allocator() {
    return {reallocate, this};
  }
  bool failed() const {
    return fail_at_ && calls_ >= fail_at_;
  }
  void await_none() {
    blocks_.await_none();
  }

private:
  static void *reallocate(void *user, void *block, std::size_t size) {
    auto *self = static_cast<memory *>(user);
    if (size == 0) {
      std::free(block);
      if (block)
        self->blocks_.add(-1);
      return nullptr;
    }
    const std::size_t call = ++self->calls_;
    if (self->fail_at_ && (call == self->fail_at_ || (self->for_ever_ && call > self->fail_at_)))
      return nullptr;
    void *fresh = std::realloc(block, size);
    if (fresh && !block)
      self->blocks_.add(1);
    return fresh;
  }

  census blocks_;
  std::atomic<std::size_t> calls_{0};
  std::size_t fail_at_;
  bool for_ever_;
};

/* A pool that leaves nothing. */
class stage {
public:
  explicit stage(vow::pool_options options = {})
      : allocator_(memory_.allocator()), pool(with(options, &allocator_)) {
  }
  ~stage() {
    pool.close(VOW_TASK_IMMEDIATE);
    memory_.await_none();
  }

private:
  static vow::pool_options with(vow::pool_options options, const vow_allocator *allocator) {
    options.allocator = allocator;
    return options;
  }
  memory memory_;
  vow_allocator allocator_;

public:
  vow::task_pool pool;
};

inline vow::pool_options threads(std::uint32_t count,
                                 std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  vow::pool_options options;
  options.concurrent_max = count;
  options.patience = patience;
  return options;
}

/* One whose thread and queue are both taken until it is let go on: it refuses what comes. */
class full_stage : public stage {
public:
  full_stage() : stage(room_for_two()), running_(pool.submit([this] { hold_.pass(); })) {
    hold_.await(1);
    queued_.emplace(pool.submit([] {}));
  }
  void go_on() {
    hold_.open();
    running_.get();
    queued_->get();
  }

private:
  static vow::pool_options room_for_two() {
    auto options = threads(1);
    options.queue_max = 1;
    return options;
  }
  gate hold_;
  vow::task<void> running_;
  std::optional<vow::task<void>> queued_;
};

/* Does nothing but what it is told. */
inline int until_cancelled(vow::task_context &context) {
  while (context.sleep(std::chrono::hours(1)))
    continue;
  return -1;
}

inline void assert_text(const std::string &found, const char *expected) {
  assert_string_equal(found.c_str(), expected);
}

/* The status that a call fails with; VOW_OK: it does not. */
template <class Call> vow_status status_of(Call &&call) {
  try {
    call();
  } catch (const vow::error &e) {
    return e.status();
  }
  return VOW_OK;
}

/* The type of what a call throws, as it is said; "": nothing. */
template <class Call> std::string thrown_by(Call &&call) {
  try {
    call();
  } catch (...) {
    return vow::detail::caught_name();
  }
  return "";
}

} // namespace fixture
#endif
