#include "harness/sim/agenda.hpp"

#include "harness/base/assert.hpp"

namespace poolproof::sim {

void Agenda::clear() {
  queue_.clear();
  is_ready_.clear();
  is_queued_.clear();
  ready_count_ = 0;
  while (!times_.empty()) times_.clear(times_.first());
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

void Agenda::drop(Task task) {
  set_ready(task, false);
  times_.clear(task);
}

void Agenda::arrive(Time now) {
  while (times_.earliest() <= now) {
    const Task due = times_.first();
    times_.clear(due);
    set_ready(due, true);
  }
}

Task Agenda::next(Schedule& schedule) {
  POOLPROOF_ASSERT(ready_count_ > 0);
  window_.clear();
  // Keeps the living of the first ones in front, in their order, and lets the dead go.
  std::size_t looked = 0;
  while (looked < queue_.size() && window_.size() < kWindow) {
    const Task task = queue_[looked];
    if (is_ready_[task]) {
      window_.push_back(task);
      ++looked;
    } else {
      is_queued_[task] = false;
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(looked));
    }
  }
  const std::uint32_t picked = schedule.pick(window_);
  const Task task = window_[picked];
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(picked));
  is_queued_[task] = false;
  is_ready_[task] = false;
  --ready_count_;
  return task;
}

}  // namespace poolproof::sim
