#include "harness/oracle/ladder.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace poolproof::oracle {

std::string_view name(Rung rung) {
  constexpr std::array<std::string_view, 5> kNames{"not pushed", "asked", "stdin closed", "TERM",
                                                   "KILL"};
  return kNames[static_cast<std::size_t>(rung)];
}

/// The last part of a close belongs to TERM: leases that go on till then are taken back.
void Ladder::close_requested(Time deadline) {
  close_deadline_ = std::min(close_deadline_, std::max(now_, deadline));
  const Duration left = close_deadline_ - now_;
  drain_until_ = std::min(drain_until_, close_deadline_ - std::min(config_.term_grace, left / 2));
  closed_in_ = record_;
}

std::string words(const WrongPush& wrong) {
  switch (wrong.how) {
    case WrongPush::How::not_at_all:
      break;
    case WrongPush::How::first:
      return fmt::format("was pushed first by {}, not by {}", name(wrong.rung),
                         name(wrong.instead));
    case WrongPush::How::order:
      return fmt::format("was pushed by {} after {}", name(wrong.rung), name(wrong.instead));
    case WrongPush::How::early:
      return fmt::format("was pushed by {} before the grace after {} was over", name(wrong.rung),
                         name(wrong.instead));
  }
  return "";
}

WrongPush Ladder::pushed(std::uint32_t worker, Rung rung, Rung first) {
  Worker& one = at(worker);
  const Worker before = one;
  one = {rung, record_, after(now_, grace(rung))};
  if (rung != Rung::killed) {
    add(waiting(rung).workers, worker);
    next_due_ = std::min(next_due_, one.due);
  }
  if (before.rung == Rung::none) {
    if (rung == first) return {};
    return {WrongPush::How::first, rung, first};
  }
  // Its time is up, whatever rung it is on.
  if (rung == Rung::killed && close_deadline_ <= now_) return {};
  if (static_cast<int>(rung) != static_cast<int>(before.rung) + 1) {
    return {WrongPush::How::order, rung, before.rung};
  }
  if (before.due <= now_) return {};
  return {WrongPush::How::early, rung, before.rung};
}

Ladder::Worker& Ladder::at(std::uint32_t worker) {
  if (worker >= workers_.size()) workers_.resize(std::size_t{worker} + 1);
  return workers_[worker];
}

Duration Ladder::grace(Rung rung) const {
  switch (rung) {
    case Rung::asked:
      return config_.shutdown_grace;
    case Rung::stdin_closed:
      return config_.stdin_grace;
    case Rung::termed:
      return config_.term_grace;
    default:
      return kNever - Time{};
  }
}

}  // namespace poolproof::oracle
