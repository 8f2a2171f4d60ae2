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
  if (const auto* started = std::get_if<pool::Started>(&event)) {
    moments_[started->worker].insert(WorkerMoment::started);
  } else if (const auto* greeted = std::get_if<pool::HandshakeEnded>(&event)) {
    if (greeted->evidence.cause == StartCause::none) {
      moments_[greeted->worker].insert({WorkerMoment::ready, WorkerMoment::idle});
    }
  } else if (const auto* exited = std::get_if<pool::Exited>(&event)) {
    moments_[exited->worker].insert(WorkerMoment::exited);
  } else if (const auto* returned = std::get_if<pool::CheckedIn>(&event)) {
    const auto held = holders_.find(returned->lease);
    if (held != holders_.end() && returned->clean)
      moments_[held->second].insert(WorkerMoment::idle);
  }
  for (const auto& effect : effects) {
    const auto* granted = std::get_if<pool::Grant>(&effect);
    if (granted == nullptr) continue;
    holders_[granted->lease] = granted->worker;
    moments_[granted->worker].erase(WorkerMoment::idle);
  }
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
  return await([&] { return moments_.contains(worker) && moments_.at(worker).contains(moment); },
               limit);
}

std::uint64_t Board::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool Board::await_events_after(std::uint64_t seen, Duration limit) {
  return await([&] { return events_ > seen; }, limit);
}

}  // namespace poolproof::worlds
