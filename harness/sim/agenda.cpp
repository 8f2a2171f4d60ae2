#include "harness/sim/agenda.hpp"

#include <algorithm>

#include "harness/base/assert.hpp"

namespace poolproof::sim {

void Agenda::clear() {
  queue_.clear();
  head_ = 0;
  is_ready_.clear();
  is_queued_.clear();
  ready_count_ = 0;
  while (!times_.empty()) times_.clear(times_.first());
  time_of_.clear();
}

void Agenda::set_ready(Task task, bool ready) {
  if (task >= is_ready_.size()) {
    if (!ready) return;
    is_ready_.resize(task + 1, false);
    is_queued_.resize(task + 1, false);
  }
  if (is_ready_[task] == ready) return;
  is_ready_[task] = ready;
  ready ? ++ready_count_ : --ready_count_;
  if (!ready || is_queued_[task]) return;
  is_queued_[task] = true;
  queue_.push_back(task);
}

void Agenda::set_time(Task task, Time at) {
  if (task >= time_of_.size()) {
    if (at == kNever) return;
    time_of_.resize(task + 1, kNever);
  }
  if (time_of_[task] == at) return;
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
  window_.clear();
  for (std::size_t at = head_; at < queue_.size() && window_.size() < kWindow; ++at) {
    const Task task = queue_[at];
    if (is_ready_[task]) {
      window_.push_back(task);
    } else {
      is_queued_[task] = false;
      take_out(at);
    }
  }
  const Task task = window_[schedule.pick(window_)];
  take_out(static_cast<std::size_t>(
      std::find(queue_.begin() + static_cast<std::ptrdiff_t>(head_), queue_.end(), task) -
      queue_.begin()));
  is_queued_[task] = false;
  is_ready_[task] = false;
  --ready_count_;
  if (head_ > queue_.size() / 2) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return task;
}

/// Those before it move up: it is among the first, so that they are few.
void Agenda::take_out(std::size_t at) {
  for (; at > head_; --at) queue_[at] = queue_[at - 1];
  ++head_;
}

}  // namespace poolproof::sim
