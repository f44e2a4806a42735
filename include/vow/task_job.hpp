/* Part of vow/task.hpp: what may be submitted to a pool, and what its callables see. */
#ifndef VOW_TASK_JOB_HPP
#define VOW_TASK_JOB_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <forward_list>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include <cxxabi.h>
#include <unistd.h>

#include "vow/task.h"

namespace vow {

/* ---- errors ---- */

/* A call that could not be done. */
class error : public std::runtime_error {
public:
  error(vow_status status, const std::string &what)
      : std::runtime_error(what.empty() ? vow_status_message(status) : what), status_(status) {
  }
  vow_status status() const noexcept {
    return status_;
  }

private:
  vow_status status_;
};

/* A task that failed, as get() throws it when there is no exception of the callable's own:
 * what() is its message. A callable may throw it to fail with a type of its choice. */
class task_error : public std::runtime_error {
public:
  task_error(std::string type, const std::string &message, std::string detail = {})
      : std::runtime_error(message), type_(std::move(type)), detail_(std::move(detail)) {
  }
  const std::string &type() const noexcept {
    return type_;
  }
  const std::string &detail() const noexcept {
    return detail_;
  }

private:
  std::string type_, detail_;
};
/* Its time was over. */
class task_timeout : public task_error {
  using task_error::task_error;
};
/* It was cancelled. */
class task_cancelled : public task_error {
  using task_error::task_error;
};

/* ---- options and results ---- */

/* As vow_task_retry; the names in `errors` are those of C++: "std::runtime_error". */
struct retry_options {
  std::uint32_t attempts = 1;
  std::chrono::milliseconds delay{0};
  std::uint32_t backoff = 1;
  std::chrono::milliseconds delay_max{0};
  std::uint32_t jitter_percent = 0;
  std::string errors{};
};

/* As in vow_task_spec. No time may be negative. */
struct task_options {
  std::string name = "task";
  std::chrono::milliseconds timeout{VOW_TASK_TIMEOUT_MS}; /* 0: unlimited */
  retry_options retry{};
  std::uint8_t priority = 0;
  bool fail_fast = false; /* of vow::parallel() */
  bool detached = false;
};

/* As vow_task_pool_options; 0: its default. */
struct pool_options {
  std::uint32_t concurrent_max = 0;
  std::uint32_t queue_max = 0;
  std::chrono::milliseconds idle{0};
  std::uint32_t waiting_max = 0;
  std::uint32_t retired_max = 0;
  std::chrono::milliseconds patience{0};
  std::string audit{}; /* a file; empty: none */
  bool metrics = false;
  const vow_allocator *allocator = nullptr;
};

/* What a task of T has: T, or an empty value for void. */
template <class T> using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/* What a task came to. */
template <class T> struct task_result {
  vow_state state = VOW_PENDING;
  std::optional<value_type<T>> value{}; /* with success */
  std::string error_type{};             /* else: "std::out_of_range", "TimeoutError" ... */
  std::string error_message{};
  std::string error_detail{};     /* the exceptions nested in it, one on a line */
  std::exception_ptr exception{}; /* what the callable threw, if that is why */
  std::chrono::nanoseconds run_time{0}, age{0};
  std::uint32_t attempts = 0;

  bool success() const noexcept {
    return state == VOW_FULFILLED;
  }
};

namespace detail {

inline void check(vow_status status, const char *what = "") {
  if (status == VOW_E_NOMEM)
    throw std::bad_alloc();
  if (status < 0)
    throw error(status, what);
}

/* A time limit or a delay, where 0 has a meaning of its own. */
inline std::uint64_t span_ms(std::chrono::milliseconds span) {
  if (span.count() < 0)
    throw error(VOW_E_INVALID, "a time must not be negative");
  return static_cast<std::uint64_t>(span.count());
}

/* How long to wait: rounded up, what is past is 0, and centuries are for ever. */
template <class Rep, class Period>
std::uint64_t wait_ms(const std::chrono::duration<Rep, Period> &span) {
  const std::chrono::duration<double> seconds = span;
  if (!(seconds.count() > 0))
    return 0;
  if (seconds.count() > 1e10)
    return VOW_FOREVER;
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(span).count());
}

/* The name in C++ of what is being caught. */
inline std::string caught_name() {
  const std::type_info *type = abi::__cxa_current_exception_type();
  if (!type)
    return "unknown";
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return status == 0 && name ? name.get() : type->name();
}

struct failure {
  std::string type, message, detail;
};

/* Takes apart what is being caught, and what is nested in it. */
inline failure caught(int depth = 0) {
  constexpr int depth_max = 8;
  try {
    throw;
  } catch (const task_error &e) {
    return {e.type(), e.what(), e.detail()};
  } catch (const std::exception &e) {
    failure found{caught_name(), e.what(), {}};
    try {
      if (depth < depth_max)
        std::rethrow_if_nested(e);
    } catch (...) {
      const failure cause = caught(depth + 1);
      found.detail = "caused by " + cause.type + ": " + cause.message;
      if (!cause.detail.empty())
        found.detail += "\n" + cause.detail;
    }
    return found;
  } catch (const std::string &text) {
    return {caught_name(), text, {}};
  } catch (const char *text) {
    return {caught_name(), text ? text : "", {}};
  } catch (...) {
    return {caught_name(), "thrown without a message", {}};
  }
}

/* Fails the task with what is being caught; no memory for its texts is no reason to succeed. */
inline void fail_caught(vow_task_context *context) noexcept {
  try {
    const failure f = caught();
    vow_task_fail(context, f.type.c_str(), f.message.c_str(),
                  f.detail.empty() ? nullptr : f.detail.c_str());
  } catch (...) {
    vow_task_fail(context, "std::bad_alloc", "memory is short", nullptr);
  }
}

} // namespace detail

/* ---- in a callable ---- */

/* Its task as a callable sees it; valid until that returns, on its thread only. */
class task_context {
public:
  explicit task_context(vow_task_context *context) noexcept : context_(context) {
  }
  ~task_context() {
    if (stop_)
      vow_task_on_stop(context_, nullptr, nullptr);
  }
  task_context(const task_context &) = delete;
  task_context &operator=(const task_context &) = delete;

  /* Nobody waits for its result any more. Cheap, and from any thread. */
  bool cancelled() const noexcept {
    return vow_task_cancelled(context_);
  }

  /* False: it was woken, or did not sleep, because of that. */
  template <class Rep, class Period>
  bool sleep(const std::chrono::duration<Rep, Period> &span) noexcept {
    return vow_task_sleep(context_, detail::wait_ms(span));
  }

  /* Of its time limit; without one std::chrono::milliseconds::max(). */
  std::chrono::milliseconds remaining() const noexcept {
    const std::uint64_t left = vow_task_remaining_ms(context_);
    constexpr auto most = std::chrono::milliseconds::max();
    return left < static_cast<std::uint64_t>(most.count())
               ? std::chrono::milliseconds(static_cast<std::int64_t>(left))
               : most;
  }

  /* From 1. */
  std::uint32_t attempt() const noexcept {
    return vow_task_attempt(context_);
  }

  /* Calls `callback` once, when cancelled() becomes true, at once if it is, and never after
   * the callable has returned. On any thread, under a lock: it must not block and not call
   * Vow; what it throws is dropped. One at a time; an empty one takes it back. */
  void on_stop(std::function<void()> callback) {
    vow_task_on_stop(context_, nullptr, nullptr);
    stop_ = std::move(callback);
    if (stop_)
      vow_task_on_stop(context_, stopped, this);
  }

  vow_task_context *native() const noexcept {
    return context_;
  }

private:
  static void stopped(void *user) noexcept {
    try {
      static_cast<task_context *>(user)->stop_();
    } catch (...) {
    }
  }

  vow_task_context *context_;
  std::function<void()> stop_;
};

/* ---- jobs ---- */

namespace detail {

/* The specs of a group's members, until it has been started. */
struct plan {
  struct group {
    std::vector<vow_task_spec> specs;
    std::vector<const vow_task_spec *> members;
  };
  std::forward_list<group> groups;
};

/* A call or a group. Its handle owns it, and each call that is started owns itself until its
 * argument is freed. */
template <class T> class node {
public:
  explicit node(task_options options) : options_(std::move(options)) {
  }
  virtual ~node() = default;
  node(const node &) = delete;
  node &operator=(const node &) = delete;

  /* Describes it to the core; what the spec points to is this node's, or the plan's. */
  virtual void describe(vow_task_spec &spec, plan &plan) = 0;
  /* Before it is started: every call in it keeps itself. Undone when it was not started. */
  virtual void hold(const std::shared_ptr<node> &self, pid_t process) noexcept = 0;
  virtual void unhold() noexcept = 0;
  /* Once its task is settled, and its callback has returned or its thread was given up:
   * waits until the callables are destroyed of which no call goes on, and destroys what they
   * have left here. */
  virtual void clear() noexcept = 0;
  /* The value of `task`, which is this node's and fulfilled; once. */
  virtual value_type<T> take(vow_task *task) = 0;
  /* What its callable threw; once. */
  virtual std::exception_ptr take_exception() noexcept {
    return nullptr;
  }

protected:
  void describe_options(vow_task_spec &spec) const {
    spec.name = options_.name.c_str();
    spec.timeout_ms = span_ms(options_.timeout);
    spec.priority = options_.priority;
    spec.fail_fast = options_.fail_fast;
    spec.detached = options_.detached;
    const retry_options &retry = options_.retry;
    spec.retry = {retry.attempts,       span_ms(retry.delay),
                  retry.backoff,        span_ms(retry.delay_max),
                  retry.jitter_percent, retry.errors.empty() ? nullptr : retry.errors.c_str()};
  }

private:
  task_options options_;
};

template <class F> decltype(auto) invoke(F &callable, task_context &context) {
  if constexpr (std::is_invocable_v<F &, task_context &>)
    return std::invoke(callable, context);
  else
    return std::invoke(callable);
}

template <class F>
constexpr bool is_callable = std::is_invocable_v<F &, task_context &> || std::is_invocable_v<F &>;

template <class F>
using returned =
    std::decay_t<decltype(invoke(std::declval<F &>(), std::declval<task_context &>()))>;

/* This thread destroys a callable. A task that this ends must not wait for others: they may
 * wait for this one. */
inline thread_local bool destroying = false;

template <class F> class call_node final : public node<returned<F>> {
  using T = returned<F>;
  static_assert(std::is_void_v<T> || std::is_move_constructible_v<T>,
                "what a callable returns must be movable");

public:
  template <class G>
  call_node(G &&callable, task_options options)
      : node<T>(std::move(options)), callable_(std::in_place, std::forward<G>(callable)) {
  }

  void describe(vow_task_spec &spec, plan &) override {
    spec = vow_task_call_spec(nullptr, run, this);
    spec.argument_free = let_go;
    this->describe_options(spec);
  }
  void hold(const std::shared_ptr<node<T>> &self, pid_t process) noexcept override {
    self_ = self;
    process_ = process;
  }
  void unhold() noexcept override {
    self_.reset();
  }

  void clear() noexcept override {
    std::unique_lock<std::mutex> guard;
    if (!destroyed_) { /* else nobody is left */
      if (process_ != getpid())
        return;
      guard = std::unique_lock<std::mutex>(lock_);
      if (running_ == 0 && !destroying)
        changed_.wait(guard, [this] { return destroyed_.load(); });
    }
    value_.reset();
    exception_ = nullptr;
  }

  value_type<T> take(vow_task *) override {
    const std::lock_guard<std::mutex> guard(lock_);
    if (!value_)
      throw error(VOW_E_STATE, "the value of this task has been taken");
    value_type<T> taken(std::move(*value_));
    value_.reset();
    return taken;
  }
  std::exception_ptr take_exception() noexcept override {
    const std::lock_guard<std::mutex> guard(lock_);
    return std::exchange(exception_, nullptr);
  }

private:
  static void run(vow_task_context *raw, void *argument) noexcept {
    auto *self = static_cast<call_node *>(argument);
    self->running_++;
    self->call(raw);
    self->running_--;
  }

  void call(vow_task_context *raw) noexcept {
    task_context context(raw);
    try {
      if constexpr (std::is_void_v<T>) {
        invoke(*callable_, context);
        keep(context, std::monostate());
      } else {
        T value(invoke(*callable_, context));
        keep(context, std::move(value));
      }
    } catch (...) {
      fail_caught(raw);
      keep_exception(context);
    }
  }

  /* When a group is begun anew, a call of its last attempt may go on; what that says must not
   * come in between. Its task has settled before, so it is cancelled. */
  void keep(const task_context &context, value_type<T> &&value) {
    const std::lock_guard<std::mutex> guard(lock_);
    if (!context.cancelled())
      value_.emplace(std::move(value));
  }
  void keep_exception(const task_context &context) noexcept {
    const std::lock_guard<std::mutex> guard(lock_);
    if (!context.cancelled())
      exception_ = std::current_exception();
  }

  static void let_go(void *argument) noexcept {
    auto *node = static_cast<call_node *>(argument);
    const auto last = std::move(node->self_);
    const bool outer = std::exchange(destroying, true);
    node->callable_.reset();
    destroying = outer;
    const std::lock_guard<std::mutex> guard(node->lock_);
    node->destroyed_ = true;
    node->changed_.notify_all();
  }

  std::optional<F> callable_; /* until the argument is freed */
  std::shared_ptr<node<T>> self_;
  pid_t process_ = 0; /* in a child of it nobody will destroy the callable */
  std::atomic<unsigned> running_{0};
  std::atomic<bool> destroyed_{false}; /* set under the lock */
  std::mutex lock_;                    /* of what is below */
  std::condition_variable changed_;
  std::optional<value_type<T>> value_;
  std::exception_ptr exception_;
};

template <class T, class Member> class group_node : public node<T> {
public:
  group_node(vow_task_form form, std::vector<std::shared_ptr<node<Member>>> members,
             task_options options)
      : node<T>(std::move(options)), members_(std::move(members)), form_(form) {
  }

  void describe(vow_task_spec &spec, plan &plan) override {
    auto &group = plan.groups.emplace_front();
    group.specs.resize(members_.size());
    for (std::size_t i = 0; i < members_.size(); i++) {
      members_[i]->describe(group.specs[i], plan);
      group.members.push_back(&group.specs[i]);
    }
    spec = vow_task_group_spec(nullptr, form_, group.members.data(), group.members.size());
    this->describe_options(spec);
  }
  void hold(const std::shared_ptr<node<T>> &, pid_t process) noexcept override {
    for (auto &member : members_)
      member->hold(member, process);
  }
  void unhold() noexcept override {
    for (auto &member : members_)
      member->unhold();
  }
  void clear() noexcept override {
    for (auto &member : members_)
      member->clear();
  }

protected:
  std::vector<std::shared_ptr<node<Member>>> members_;

private:
  vow_task_form form_;
};

template <class T> class race_node final : public group_node<T, T> {
public:
  using group_node<T, T>::group_node;
  value_type<T> take(vow_task *task) override {
    const std::size_t winner = vow_task_winner(task);
    return this->members_.at(winner)->take(vow_task_member(task, winner));
  }
};

template <class T> task_result<T> result_of(node<T> &node, vow_task *task) {
  const vow_task_result *found = vow_task_result_of(task);
  task_result<T> result;
  result.state = found->state;
  result.run_time = std::chrono::nanoseconds(found->run_ns);
  result.age = std::chrono::nanoseconds(found->age_ns);
  result.attempts = found->attempts;
  if (result.success()) {
    result.value.emplace(node.take(task));
    return result;
  }
  if (result.state == VOW_REJECTED)
    result.exception = node.take_exception();
  const auto text = [](const char *from) { return std::string(from ? from : ""); };
  result.error_type = text(found->error_type);
  result.error_message = text(found->error_message);
  result.error_detail = text(found->error_detail);
  return result;
}

template <class T> class parallel_node final : public group_node<std::vector<value_type<T>>, T> {
public:
  using group_node<std::vector<value_type<T>>, T>::group_node;
  std::vector<value_type<T>> take(vow_task *task) override {
    std::vector<value_type<T>> values;
    values.reserve(this->members_.size());
    for (std::size_t i = 0; i < this->members_.size(); i++)
      values.push_back(this->members_[i]->take(vow_task_member(task, i)));
    return values;
  }
  std::vector<task_result<T>> results(vow_task *task) {
    std::vector<task_result<T>> results;
    results.reserve(this->members_.size());
    for (std::size_t i = 0; i < this->members_.size(); i++)
      results.push_back(result_of(*this->members_[i], vow_task_member(task, i)));
    return results;
  }
};

} // namespace detail

/* What is to be done, until a pool is given it: can be moved, and submitted once. */
template <class T> class job {
public:
  explicit job(std::shared_ptr<detail::node<T>> node) noexcept : node_(std::move(node)) {
  }
  job(job &&) noexcept = default;
  job &operator=(job &&) noexcept = default;

  std::shared_ptr<detail::node<T>> take() &&noexcept {
    return std::move(node_);
  }

private:
  std::shared_ptr<detail::node<T>> node_;
};

/* A job whose task tells the result of every member. */
template <class T> class parallel_job : public job<std::vector<value_type<T>>> {
public:
  using job<std::vector<value_type<T>>>::job;
};

/* A call of `callable`, of which a copy is kept, or which is moved. */
template <class F> auto call(F &&callable, task_options options = {}) {
  using node = detail::call_node<std::decay_t<F>>;
  static_assert(detail::is_callable<std::decay_t<F>>,
                "a callable takes a vow::task_context & or nothing");
  return job<detail::returned<std::decay_t<F>>>(
      std::make_shared<node>(std::forward<F>(callable), std::move(options)));
}

/* A list of jobs of one type. */
template <class T, class... Jobs> std::vector<job<T>> jobs(job<T> first, Jobs... others) {
  std::vector<job<T>> list;
  list.reserve(1 + sizeof...(others));
  list.push_back(std::move(first));
  (list.push_back(std::move(others)), ...);
  return list;
}

namespace detail {
template <class T> std::vector<std::shared_ptr<node<T>>> nodes(std::vector<job<T>> &&jobs) {
  std::vector<std::shared_ptr<node<T>>> list;
  list.reserve(jobs.size());
  for (auto &job : jobs)
    list.push_back(std::move(job).take());
  return list;
}
} // namespace detail

/* All at once. Succeeds when all do, with their values in order; with `fail_fast` in the
 * options the first failure cancels the others. */
template <class T>
parallel_job<T> parallel(std::vector<job<T>> members, task_options options = {}) {
  return parallel_job<T>(std::make_shared<detail::parallel_node<T>>(
      VOW_TASK_PARALLEL, detail::nodes(std::move(members)), std::move(options)));
}

/* All at once: the first success is its own, and cancels the others. */
template <class T> job<T> race(std::vector<job<T>> members, task_options options = {}) {
  return job<T>(std::make_shared<detail::race_node<T>>(
      VOW_TASK_RACE, detail::nodes(std::move(members)), std::move(options)));
}

} // namespace vow
#endif
