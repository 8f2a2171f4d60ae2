#include "harness/sim/agenda.hpp"

#include <algorithm>
#include <bit>

#include "harness/base/assert.hpp"

namespace poolproof::sim {

void Agenda::clear() {
  queue_.clear();
  head_ = 0;
  std::fill(ready_.begin(), ready_.end(), std::uint8_t{0});
  std::fill(queued_.begin(), queued_.end(), std::uint8_t{0});
  ready_count_ = 0;
  while (!times_.empty()) set_time(times_.first(), kNever);
}

void Agenda::grow(std::uint32_t number) {
  ready_.resize(number + 1, 0);
  queued_.resize(number + 1, 0);
}

/// Those roles are ready from now on, or no more.
void Agenda::change(std::uint32_t number, std::uint8_t roles) {
  ready_[number] ^= roles;
  while (roles != 0) {
    const auto role = static_cast<std::uint8_t>(roles & -roles);
    roles ^= role;
    const bool ready = (ready_[number] & role) != 0;
    ready ? ++ready_count_ : --ready_count_;
    if (!ready || (queued_[number] & role) != 0) continue;
    queued_[number] |= role;
    queue_.push_back(task_of(static_cast<Role>(std::countr_zero(role)), number));
  }
}

void Agenda::change(Task task, Time at) {
  if (task >= time_of_.size()) time_of_.resize(task + 1, kNever);
  time_of_[task] = at;
  times_.set(task, at);
}

void Agenda::drop(Task task) {
  set_ready(task, false);
  set_time(task, kNever);
}

void Agenda::arrive(Time now) {
  while (times_.earliest() <= now) {
    const Task due = times_.first();
    set_time(due, kNever);
    set_ready(due, true);
  }
}

Task Agenda::next(Schedule& schedule) {
  POOLPROOF_ASSERT(ready_count_ > 0);
  const std::size_t many = std::min(ready_count_, kWindow);
  if (ready_count_ < queue_.size() - head_) bury_dead();
  const std::size_t at = head_ + schedule.pick(std::span(queue_).subspan(head_, many));
  const Task task = queue_[at];
  take_out(at);
  const std::uint8_t role = bit_of(role_of(task));
  ready_[number_of(task)] ^= role;
  queued_[number_of(task)] ^= role;
  --ready_count_;
  if (head_ == queue_.size()) {
    queue_.clear();
    head_ = 0;
  } else if (head_ > queue_.size() / 2) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return task;
}

/// So that the first of the queue, as many as may be chosen from, are all ready.
void Agenda::bury_dead() {
  std::size_t ready = 0;
  for (std::size_t at = head_; at < queue_.size() && ready < kWindow; ++at) {
    const std::uint32_t number = number_of(queue_[at]);
    const std::uint8_t role = bit_of(role_of(queue_[at]));
    if ((ready_[number] & role) != 0) {
      ++ready;
    } else {
      queued_[number] ^= role;
      take_out(at);
    }
  }
}

/// Those before it move up: it is among the first, so that they are few.
void Agenda::take_out(std::size_t at) {
  for (; at > head_; --at) queue_[at] = queue_[at - 1];
  ++head_;
}

}  // namespace poolproof::sim
