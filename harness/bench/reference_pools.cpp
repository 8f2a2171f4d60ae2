#include "harness/bench/reference_pools.hpp"

#include <algorithm>
#include <utility>

namespace poolproof::bench {
namespace {

std::vector<int> numbers(std::uint32_t size) {
  std::vector<int> all;
  for (std::uint32_t i = 0; i < size; ++i) all.push_back(static_cast<int>(i));
  return all;
}

}  // namespace

FifoPool::FifoPool(std::uint32_t size, Wake wake) : wake_(wake), free_(numbers(size)) {}

int FifoPool::checkout(Duration limit) {
  std::unique_lock lock(mutex_);
  if (queue_.empty() && !free_.empty()) {
    const int number = free_.back();
    free_.pop_back();
    return number;
  }
  if (spare_.empty()) spare_.push_back(std::make_unique<Waiter>());
  std::unique_ptr<Waiter> waiter = std::move(spare_.back());
  spare_.pop_back();
  waiter->number = -1;
  queue_.push_back(waiter.get());
  if (!waiter->granted.wait_for(lock, limit, [&waiter] { return waiter->number >= 0; })) {
    std::erase(queue_, waiter.get());
  }
  const int number = waiter->number;
  spare_.push_back(std::move(waiter));
  return number;
}

void FifoPool::checkin(int number) {
  std::unique_lock lock(mutex_);
  if (queue_.empty()) {
    free_.push_back(number);
    return;
  }
  Waiter* const first = queue_.front();
  queue_.pop_front();
  first->number = number;
  if (wake_ == Wake::after_mutex) lock.unlock();
  first->granted.notify_one();
}

std::size_t FifoPool::waiting() {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

OvertakingPool::OvertakingPool(std::uint32_t size) : free_(numbers(size)) {}

int OvertakingPool::checkout(Duration limit) {
  std::unique_lock lock(mutex_);
  if (free_.empty()) {
    ++waiting_;
    const bool came = returned_.wait_for(lock, limit, [this] { return !free_.empty(); });
    --waiting_;
    if (!came) return -1;
  }
  const int number = free_.back();
  free_.pop_back();
  return number;
}

void OvertakingPool::checkin(int number) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(number);
  }
  returned_.notify_one();
}

std::size_t OvertakingPool::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace poolproof::bench
