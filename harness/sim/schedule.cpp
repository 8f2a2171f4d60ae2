#include "harness/sim/schedule.hpp"

#include <algorithm>

#include "harness/base/assert.hpp"

namespace poolproof::sim {
namespace {

/// How often the priorities change: most bugs of order need few changes of who comes first (PCT
/// calls it the depth).
constexpr std::uint32_t kChanges = 3;
/// The changes fall into so many picks from the beginning.
constexpr std::uint32_t kHorizon = 256;
/// Priorities below it: tasks put last.
constexpr std::uint64_t kOrdinary = std::uint64_t{1} << 32U;

}  // namespace

Schedule Schedule::random(std::uint64_t seed) {
  Schedule schedule;
  schedule.restart(seed);
  return schedule;
}

Schedule Schedule::replayed(std::vector<std::uint32_t> choices) {
  Schedule schedule;
  schedule.restart(choices);
  return schedule;
}

void Schedule::restart(std::uint64_t seed) {
  random_ = Random(seed, "schedule");
  taken_.clear();
  bounds_.clear();
  priority_.clear();
  change_after_.clear();
  picks_ = 0;
  lowest_ = kOrdinary - 1;
  source_ = random_.below(2) == 0 ? Source::evenly : Source::by_priority;
  if (source_ == Source::evenly) return;
  for (std::uint32_t i = 0; i < kChanges; ++i) {
    change_after_.push_back(static_cast<std::uint32_t>(random_.below(kHorizon)));
  }
}

void Schedule::restart(std::span<const std::uint32_t> choices) {
  source_ = Source::replay;
  replay_.assign(choices.begin(), choices.end());
  taken_.clear();
  bounds_.clear();
}

std::uint32_t Schedule::pick_one_of(std::span<const std::uint32_t> tasks) {
  const auto bound = static_cast<std::uint32_t>(tasks.size());
  if (moves_ != nullptr) {
    const std::uint32_t picked = moves_->pick(tasks);
    return bound == 1 ? 0 : keep(picked, bound);
  }
  return source_ == Source::by_priority ? keep(most_urgent(tasks), bound) : below(bound);
}

std::uint32_t Schedule::below(std::uint32_t bound) {
  POOLPROOF_ASSERT(bound > 0);
  if (bound == 1) return 0;
  if (moves_ != nullptr) return keep(moves_->below(bound), bound);
  if (source_ != Source::replay) return keep(drawn(bound), bound);
  const bool over = taken_.size() >= replay_.size();
  return keep(over ? 0 : replay_[taken_.size()] % bound, bound);
}

/// Nearly even: what is lost is far below what a sweep could notice, and no division is needed.
std::uint32_t Schedule::drawn(std::uint32_t bound) {
  return static_cast<std::uint32_t>(((random_.next() >> 32U) * bound) >> 32U);
}

std::uint32_t Schedule::most_urgent(std::span<const std::uint32_t> tasks) {
  std::uint32_t best = 0;
  std::uint64_t highest = 0;
  for (std::uint32_t i = 0; i < tasks.size(); ++i) {
    const std::uint32_t task = tasks[i];
    if (task >= priority_.size()) priority_.resize(task + 1, 0);
    std::uint64_t& priority = priority_[task];
    if (priority == 0) priority = kOrdinary + (random_.next() >> 32U);
    if (priority > highest) {
      highest = priority;
      best = i;
    }
  }
  if (std::find(change_after_.begin(), change_after_.end(), picks_++) != change_after_.end()) {
    priority_[tasks[best]] = lowest_--;
  }
  return best;
}

std::uint32_t Schedule::keep(std::uint32_t choice, std::uint32_t bound) {
  taken_.push_back(choice);
  if (source_ == Source::replay) bounds_.push_back(bound);
  if (moves_ != nullptr) moves_->kept(choice);
  return choice;
}

}  // namespace poolproof::sim
