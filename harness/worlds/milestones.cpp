#include "harness/worlds/milestones.hpp"

namespace poolproof::worlds {

void Milestones::note(Progress progress, const std::string& client, std::uint32_t step) {
  const std::lock_guard lock(mutex_);
  reached_.emplace(progress, client, step);
  changed_.notify_all();
}

void Milestones::observed(const pool::Event& event, std::span<const pool::Effect> effects) {
  const std::lock_guard lock(mutex_);
  ++events_;
  workers_.note(event, effects);
  changed_.notify_all();
}

bool Milestones::await(Progress progress, const std::string& client, std::uint32_t step,
                       Duration limit) {
  return await_that([&] { return reached_.contains({progress, client, step}); }, limit);
}

bool Milestones::await_worker(WorkerId worker, scenario::WorkerMoment moment, Duration limit) {
  return await_that([&] { return workers_.has_been(worker, moment); }, limit);
}

std::uint64_t Milestones::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool Milestones::await_events_after(std::uint64_t seen, Duration limit) {
  return await_that([&] { return events_ > seen; }, limit);
}

}  // namespace poolproof::worlds
