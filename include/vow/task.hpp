/* Tasks (vow/task.h) for C++17: callables that return or throw, with a time limit, a cancel,
 * retries and a record, on a pool of threads.
 *
 *   vow::task_pool pool;
 *   auto half = pool.submit([](vow::task_context &context) { ... return 21; }, {"half", 2s});
 *   int value = half.get() * 2;
 *
 * A callable takes a vow::task_context & or nothing, and returns any type that can be moved,
 * or nothing. What it throws ends at the boundary of the callback: it is the task's failure,
 * and get() throws it again.
 *
 * A task<T> guards its scope: at its end the task is cancelled if it is live, and its
 * callable's return is waited for, up to the pool's patience. So a callable may refer to
 * locals, as long as it returns when it is told: a thread that goes on after the patience is
 * given up, and what it refers to is not. detach() lets the task go on alone.
 *
 * Calls, groups of them, and groups of groups are jobs until they are submitted:
 *
 *   pool.submit(vow::race(vow::jobs(vow::call(fast), vow::parallel(...)), {"either", 5s}))
 *
 * Functions that fail throw vow::error, and std::bad_alloc when memory is short. Any thread
 * may call those of a pool, and cancel() and state() of a task; the others of a task one at a
 * time, as with std::future. */
#ifndef VOW_TASK_HPP
#define VOW_TASK_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

#include "vow/task.h"
#include "vow/task_job.hpp"

namespace vow {

/* ---- tasks ---- */

/* A task that was started; an empty one has none, and only valid() and detach(). */
template <class T> class [[nodiscard]] task {
public:
  task() noexcept = default;
  task(vow_task *handle, std::shared_ptr<detail::node<T>> node) noexcept
      : handle_(handle), node_(std::move(node)) {
  }
  task(task &&other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), node_(std::move(other.node_)),
        taken_(other.taken_) {
  }
  task &operator=(task &&other) noexcept {
    task moved(std::move(other));
    std::swap(handle_, moved.handle_);
    std::swap(node_, moved.node_);
    std::swap(taken_, moved.taken_);
    return *this;
  }
  ~task() {
    if (!handle_)
      return;
    vow_task_guard_end(&handle_);
    node_->clear();
  }

  bool valid() const noexcept {
    return handle_;
  }
  vow_state state() const {
    return vow_task_state(own());
  }

  /* Waits until it has settled. In a callable of the same pool it throws vow::error with
   * VOW_E_DEADLOCK when the task waits for the caller, and with VOW_E_CANCELLED when the
   * caller's own task is cancelled meanwhile. */
  void wait() {
    detail::check(vow_task_wait(own(), VOW_FOREVER));
  }

  /* False: it is live still. */
  template <class Rep, class Period> bool wait_for(const std::chrono::duration<Rep, Period> &span) {
    const vow_status status = vow_task_wait(own(), detail::wait_ms(span));
    if (status != VOW_E_TIME)
      detail::check(status);
    return status != VOW_E_TIME;
  }
  template <class Clock, class Duration>
  bool wait_until(const std::chrono::time_point<Clock, Duration> &time) {
    return wait_for(time - Clock::now());
  }

  /* Waits. What it came to, its value moved; once, of this and get(). */
  task_result<T> result() {
    wait();
    if (taken_)
      throw error(VOW_E_STATE, "the result of this task has been taken");
    taken_ = true;
    return detail::result_of(*node_, handle_);
  }

  /* Waits. Its value, or throws what the callable threw; task_timeout, task_cancelled, and
   * task_error, which groups that failed have. */
  T get() {
    task_result<T> found = result();
    if (!found.success())
      raise(std::move(found));
    if constexpr (!std::is_void_v<T>)
      return std::move(*found.value);
  }

  /* False: it had settled, nothing happens. */
  bool cancel() {
    return vow_task_cancel(own()) == VOW_OK;
  }

  /* Lets it go on alone; what its callable refers to must live that long. */
  void detach() noexcept {
    vow_task_release(std::exchange(handle_, nullptr));
    node_.reset();
  }

  vow_task *native() const noexcept {
    return handle_;
  }

protected:
  vow_task *own() const {
    if (!handle_)
      throw error(VOW_E_STATE, "there is no task");
    return handle_;
  }
  detail::node<T> &described() const {
    return *node_;
  }

private:
  [[noreturn]] static void raise(task_result<T> found) {
    if (found.exception)
      std::rethrow_exception(std::move(found.exception));
    if (found.state == VOW_TIMED_OUT)
      throw task_timeout(found.error_type, found.error_message, found.error_detail);
    if (found.state == VOW_OP_CANCELLED)
      throw task_cancelled(found.error_type, found.error_message, found.error_detail);
    throw task_error(found.error_type, found.error_message, found.error_detail);
  }

  vow_task *handle_ = nullptr;
  std::shared_ptr<detail::node<T>> node_;
  bool taken_ = false;
};

/* The task of vow::parallel(). */
template <class T> class [[nodiscard]] parallel_task : public task<std::vector<value_type<T>>> {
public:
  using task<std::vector<value_type<T>>>::task;

  /* Waits. What every member came to, in order, also when some have failed; values are moved,
   * so that it can be called once, and get() and result() not before or after. */
  std::vector<task_result<T>> results() {
    this->wait();
    auto &node = static_cast<detail::parallel_node<T> &>(this->described());
    return node.results(this->native());
  }
};

/* ---- pools ---- */

/* A pool of threads. At the end of its scope it is closed and what is live is cancelled: call
 * close() before, or wait for the tasks, for what is to be done. Tasks may outlive it. */
class task_pool {
public:
  explicit task_pool(const pool_options &options = {}) {
    char message[256] = "";
    vow_task_pool_options raw{};
    raw.size = sizeof raw;
    raw.allocator = options.allocator;
    raw.concurrent_max = options.concurrent_max;
    raw.queue_max = options.queue_max;
    raw.idle_ms = static_cast<std::uint32_t>(detail::span_ms(options.idle));
    raw.waiting_max = options.waiting_max;
    raw.retired_max = options.retired_max;
    raw.patience_ms = detail::span_ms(options.patience);
    raw.audit = options.audit.empty() ? nullptr : options.audit.c_str();
    raw.metrics = options.metrics;
    raw.message = message;
    raw.message_size = sizeof message;
    detail::check(vow_task_pool_open(&raw, &pool_), message);
  }
  ~task_pool() {
    close(VOW_TASK_IMMEDIATE);
  }
  task_pool(const task_pool &) = delete;
  task_pool &operator=(const task_pool &) = delete;

  /* Starts a job and returns at once. */
  template <class T> task<T> submit(job<T> job) {
    return start<task<T>>(std::move(job).take(), vow_task_start);
  }
  template <class T> parallel_task<T> submit(parallel_job<T> job) {
    return start<parallel_task<T>>(std::move(job).take(), vow_task_start);
  }
  template <class F, class = std::enable_if_t<detail::is_callable<std::decay_t<F>>>>
  auto submit(F &&callable, task_options options = {}) {
    return submit(call(std::forward<F>(callable), std::move(options)));
  }

  /* Starts a job, waits until it has settled, and tells what it came to. */
  template <class T> task_result<T> run(job<T> job) {
    return start<task<T>>(std::move(job).take(), vow_task_run).result();
  }
  template <class F, class = std::enable_if_t<detail::is_callable<std::decay_t<F>>>>
  auto run(F &&callable, task_options options = {}) {
    return run(call(std::forward<F>(callable), std::move(options)));
  }

  /* Cancels every task that is live. */
  void cancel() {
    detail::check(vow_task_pool_cancel(own()));
  }
  /* Waits until no task is live; false: some are still. */
  template <class Rep, class Period> bool wait_for(const std::chrono::duration<Rep, Period> &span) {
    const vow_status status = vow_task_pool_wait(own(), detail::wait_ms(span));
    if (status != VOW_E_TIME)
      detail::check(status);
    return status != VOW_E_TIME;
  }
  void wait() {
    detail::check(vow_task_pool_wait(own(), VOW_FOREVER));
  }

  vow_task_counts counts() const {
    vow_task_counts counts{};
    counts.size = sizeof counts;
    detail::check(vow_task_pool_counts(own(), &counts));
    return counts;
  }
  /* As text for Prometheus. */
  std::string metrics() const {
    char *text = nullptr;
    detail::check(vow_task_pool_metrics(own(), &text));
    const auto free_text = [this](char *given) { vow_task_free_text(pool_, given); };
    const std::unique_ptr<char, decltype(free_text)> owner(text, free_text);
    return text;
  }

  /* As vow_task_pool_close(); VOW_E_STATE: it is closed already. */
  template <class Rep = std::int64_t, class Period = std::milli>
  vow_status close(vow_task_close mode = VOW_TASK_GRACEFUL,
                   const std::chrono::duration<Rep, Period> &limit =
                       std::chrono::duration<Rep, Period>::max()) noexcept {
    if (!pool_)
      return VOW_E_STATE;
    const vow_status status = vow_task_pool_close(pool_, mode, detail::wait_ms(limit));
    if (status == VOW_OK || status == VOW_E_TIME || status == VOW_E_LOST)
      pool_ = nullptr;
    return status;
  }

  vow_task_pool *native() const noexcept {
    return pool_;
  }

private:
  vow_task_pool *own() const {
    if (!pool_)
      throw error(VOW_E_STATE, "the pool is closed");
    return pool_;
  }

  using starter = vow_status(vow_task_pool *, const vow_task_spec *, vow_task **);

  template <class Task, class Node> Task start(std::shared_ptr<Node> node, starter *how) {
    vow_task_pool *pool = own();
    if (!node)
      throw error(VOW_E_STATE, "this job has been submitted");
    detail::plan plan;
    vow_task_spec spec;
    node->describe(spec, plan);
    node->hold(node, process_);
    vow_task *handle = nullptr;
    const vow_status status = how(pool, &spec, &handle);
    if (!handle)
      node->unhold();
    Task started(handle, std::move(node));
    detail::check(status, status == VOW_E_INVALID ? vow_task_pool_message(pool) : "");
    return started;
  }

  vow_task_pool *pool_ = nullptr;
  const pid_t process_ = getpid();
};

} // namespace vow
#endif
