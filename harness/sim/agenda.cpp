#include "harness/sim/agenda.hpp"

#include <algorithm>
#include <bit>

#include "harness/base/assert.hpp"

namespace poolproof::sim {
namespace {

constexpr std::size_t kRoles = 8;
/// How many taken entries may lie at the front before the queue is moved up.
constexpr std::size_t kGoneMost = 64;

}  // namespace

void Agenda::clear() {
  queue_.clear();
  head_ = 0;
  std::fill(who_.begin(), who_.end(), Who{});
  ready_count_ = 0;
  for (const Task task : untold_) alarms_[task] = {};
  untold_.clear();
  while (!times_.empty()) {
    alarms_[times_.first()] = {};
    times_.clear(times_.first());
  }
}

void Agenda::grow(std::uint32_t number) {
  who_.resize(number + 1);
  alarms_.resize(std::size_t{task_of(Role::pool, number)} + kRoles);
}

/// Makes those roles of `number` ready that were not, and the others not ready any more.
void Agenda::change(Who& who, std::uint32_t number, std::uint8_t roles) {
  const auto ready = static_cast<std::uint8_t>(who.ready ^ roles);
  who.ready = ready;
  while (roles != 0) {
    const auto role = static_cast<std::uint8_t>(roles & -roles);
    roles ^= role;
    if ((ready & role) == 0) {
      --ready_count_;
      continue;
    }
    ++ready_count_;
    if ((who.queued & role) != 0) continue;
    who.queued |= role;
    queue_.push_back(task_of(static_cast<Role>(std::countr_zero(role)), number));
  }
}

void Agenda::update_times() {
  for (const Task task : untold_) {
    alarms_[task].untold = false;
    times_.set(task, alarms_[task].at);
  }
  untold_.clear();
}

void Agenda::drop(Task task) {
  set_ready(task, false);
  set_time(task, kNever);
}

void Agenda::arrive(Time now) {
  while (earliest() <= now) {
    const Task due = times_.first();
    times_.clear(due);
    alarms_[due].at = kNever;
    set_ready(due, true);
  }
}

Task Agenda::next(Schedule& schedule) {
  POOLPROOF_ASSERT(ready_count_ > 0);
  if (ready_count_ < queue_.size() - head_) bury_dead();
  const std::size_t many = std::min(ready_count_, kWindow);
  const std::size_t at = head_ + schedule.pick(std::span(queue_.data() + head_, many));
  const Task task = queue_[at];
  take_out(at);
  const std::uint8_t role = bit_of(role_of(task));
  Who& who = who_[number_of(task)];
  who.ready ^= role;
  who.queued ^= role;
  --ready_count_;
  if (head_ == queue_.size()) {
    queue_.clear();
    head_ = 0;
  } else if (head_ > kGoneMost && head_ > queue_.size() / 2) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return task;
}

/// Drops dead entries, so that the first entries of the queue, as many as may be chosen from, are
/// ready.
void Agenda::bury_dead() {
  std::size_t ready = 0;
  for (std::size_t at = head_; at < queue_.size() && ready < kWindow; ++at) {
    Who& who = who_[number_of(queue_[at])];
    const std::uint8_t role = bit_of(role_of(queue_[at]));
    if ((who.ready & role) != 0) {
      ++ready;
    } else {
      who.queued ^= role;
      take_out(at);
    }
  }
}

/// Takes an entry out. Those before it move up; it is among the first, so that they are few.
void Agenda::take_out(std::size_t at) {
  for (; at > head_; --at) queue_[at] = queue_[at - 1];
  ++head_;
}

}  // namespace poolproof::sim
