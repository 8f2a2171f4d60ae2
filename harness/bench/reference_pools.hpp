#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "harness/base/clock.hpp"

namespace poolproof::bench {

/// The simplest pools there can be, of the numbers 0 to size - 1: Poolproof's own pool is measured
/// against them. They start, watch and explain nothing. Any thread may use them.
class ReferencePool {
 public:
  virtual ~ReferencePool() = default;
  /// Takes a number that nobody else holds. Below 0: none came free within `limit`.
  virtual int checkout(Duration limit) = 0;
  virtual void checkin(int number) = 0;
  /// How many clients are waiting.
  virtual std::size_t waiting() = 0;
};

/// First come first served: a mutex, a queue, and a condition for each who waits.
class FifoPool final : public ReferencePool {
 public:
  enum class Wake : std::uint8_t { under_mutex, after_mutex };

  FifoPool(std::uint32_t size, Wake wake);
  int checkout(Duration limit) override;
  void checkin(int number) override;
  std::size_t waiting() override;

 private:
  struct Waiter {
    std::condition_variable granted;
    int number = -1;
  };

  Wake wake_;
  std::mutex mutex_;
  std::vector<int> free_;
  std::deque<Waiter*> queue_;
  /// The waiters that are not in use. A waiter that is woken after the mutex is free may have left
  /// by itself already: its condition must still exist.
  std::vector<std::unique_ptr<Waiter>> spare_;
};

/// Whoever comes first gets a number, as in commons-pool2: a mutex and one condition.
class OvertakingPool final : public ReferencePool {
 public:
  explicit OvertakingPool(std::uint32_t size);
  int checkout(Duration limit) override;
  void checkin(int number) override;
  std::size_t waiting() override;

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<int> free_;
  std::size_t waiting_ = 0;
};

}  // namespace poolproof::bench
