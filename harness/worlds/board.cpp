#include "harness/worlds/board.hpp"

namespace poolproof::worlds {

using scenario::WorkerMoment;

void Board::step_begun(const std::string& client, std::uint32_t step) {
  const std::lock_guard lock(mutex_);
  begun_.emplace(client, step);
  changed_.notify_all();
}

void Board::step_ended(const std::string& client, std::uint32_t step) {
  const std::lock_guard lock(mutex_);
  ended_.emplace(client, step);
  changed_.notify_all();
}

void Board::client_done(const std::string& client) {
  const std::lock_guard lock(mutex_);
  done_.insert(client);
  changed_.notify_all();
}

void Board::observed(const pool::Event& event, std::span<const pool::Effect> effects) {
  const std::lock_guard lock(mutex_);
  ++events_;
  milestones_.note(event, effects);
  changed_.notify_all();
}

bool Board::await_step(const std::string& client, std::uint32_t step, bool ended, Duration limit) {
  const auto& reached = ended ? ended_ : begun_;
  return await([&] { return reached.contains({client, step}); }, limit);
}

bool Board::await_done(const std::string& client, Duration limit) {
  return await([&] { return done_.contains(client); }, limit);
}

bool Board::await_worker(WorkerId worker, WorkerMoment moment, Duration limit) {
  return await([&] { return milestones_.has_been(worker, moment); }, limit);
}

std::uint64_t Board::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool Board::await_events_after(std::uint64_t seen, Duration limit) {
  return await([&] { return events_ > seen; }, limit);
}

}  // namespace poolproof::worlds
