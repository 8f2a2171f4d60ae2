#include "harness/worlds/milestones.hpp"

namespace poolproof::worlds {

using scenario::WorkerMoment;

void Milestones::step_begun(const std::string& client, std::uint32_t step) {
  const std::lock_guard lock(mutex_);
  begun_.emplace(client, step);
  changed_.notify_all();
}

void Milestones::step_ended(const std::string& client, std::uint32_t step) {
  const std::lock_guard lock(mutex_);
  ended_.emplace(client, step);
  changed_.notify_all();
}

void Milestones::client_done(const std::string& client) {
  const std::lock_guard lock(mutex_);
  done_.insert(client);
  changed_.notify_all();
}

void Milestones::observed(const pool::Event& event, std::span<const pool::Effect> effects) {
  const std::lock_guard lock(mutex_);
  ++events_;
  workers_.note(event, effects);
  changed_.notify_all();
}

bool Milestones::await_step(const std::string& client, std::uint32_t step, bool ended,
                            Duration limit) {
  const auto& reached = ended ? ended_ : begun_;
  return await([&] { return reached.contains({client, step}); }, limit);
}

bool Milestones::await_done(const std::string& client, Duration limit) {
  return await([&] { return done_.contains(client); }, limit);
}

bool Milestones::await_worker(WorkerId worker, WorkerMoment moment, Duration limit) {
  return await([&] { return workers_.has_been(worker, moment); }, limit);
}

std::uint64_t Milestones::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool Milestones::await_events_after(std::uint64_t seen, Duration limit) {
  return await([&] { return events_ > seen; }, limit);
}

}  // namespace poolproof::worlds
