#include "harness/scenario/worker_milestones.hpp"

namespace poolproof::scenario {

void WorkerMilestones::clear() {
  moments_.clear();
  holders_.clear();
}

void WorkerMilestones::note(const pool::Event& event, std::span<const pool::Effect> effects) {
  if (const auto* started = std::get_if<pool::Started>(&event)) {
    moments_.emplace(started->worker, WorkerMoment::started);
  } else if (const auto* greeted = std::get_if<pool::HandshakeEnded>(&event)) {
    if (greeted->evidence.cause == StartCause::none) {
      moments_.emplace(greeted->worker, WorkerMoment::ready);
      moments_.emplace(greeted->worker, WorkerMoment::idle);
    }
  } else if (const auto* exited = std::get_if<pool::Exited>(&event)) {
    moments_.emplace(exited->worker, WorkerMoment::exited);
  } else if (const auto* returned = std::get_if<pool::CheckedIn>(&event)) {
    const auto held = holders_.find(returned->lease);
    if (held != holders_.end() && returned->clean) {
      moments_.emplace(held->second, WorkerMoment::idle);
    }
  }
  for (const auto& effect : effects) {
    const auto* granted = std::get_if<pool::Grant>(&effect);
    if (granted == nullptr) continue;
    holders_[granted->lease] = granted->worker;
    moments_.erase({granted->worker, WorkerMoment::idle});
  }
}

}  // namespace poolproof::scenario
