#include <fmt/format.h>

#include "harness/oracle/mirror.hpp"
#include "harness/trace/fields.hpp"

/// How workers are made to go.
namespace poolproof::oracle {
namespace {

using trace::dotted;

constexpr const char* kLadder = "ladder";

}  // namespace

void Mirror::judge_push(std::uint32_t worker, Rung rung, pool::RemovalReason why) {
  if (worker == kNone) return;
  if (ladder_.rung(worker) == Rung::none && !is_caused(worker, why)) {
    report(kLadder, fmt::format("worker {} was made to go, but not for the reason given",
                                dotted(ids_.key(worker))));
  }
  const WrongPush wrong = ladder_.pushed(worker, rung, first_rung(worker, rung, why));
  if (wrong.how == WrongPush::How::not_at_all) return;
  report(kLadder, fmt::format("worker {} {}", dotted(ids_.key(worker)), words(wrong)));
}

/// Where it begins. A process whose start has not led to anything deserves no asking and no TERM.
Rung Mirror::first_rung(std::uint32_t worker, Rung rung, pool::RemovalReason why) const {
  if (why == pool::RemovalReason::budget_spent) return Rung::killed;
  if (why != pool::RemovalReason::closing) return Rung::termed;
  const State state = workers_[worker].state;
  const auto* started = std::get_if<pool::Started>(&record_->event);
  const bool late = started != nullptr && started->worker == ids_.key(worker);
  if (late || state == State::starting || state == State::greeting) return Rung::killed;
  // In doubt is in doubt, also while the pool closes: nobody asks such a worker.
  const auto* returned = std::get_if<pool::CheckedIn>(&record_->event);
  const bool in_doubt = (returned != nullptr && !returned->clean) ||
                        std::holds_alternative<pool::LeaseRevoked>(record_->event);
  if (rung == Rung::asked && state == State::leaving && in_doubt) return Rung::termed;
  const bool drained = state == State::leased || ladder_.drain_until() <= now_;
  return rung == Rung::termed && drained ? Rung::termed : Rung::asked;
}

/// Whether this record, or the time, gives that reason to make it go.
bool Mirror::is_caused(std::uint32_t worker, pool::RemovalReason why) const {
  const pool::Event& event = record_->event;
  const State state = workers_[worker].state;
  const auto* returned = std::get_if<pool::CheckedIn>(&event);
  switch (why) {
    case pool::RemovalReason::none:
      return false;
    case pool::RemovalReason::start_failed:
      return std::holds_alternative<pool::HandshakeEnded>(event);
    case pool::RemovalReason::budget_spent:
      return state == State::leaving || (state == State::greeting &&
                                         after(workers_[worker].since, longest_greeting()) <= now_);
    case pool::RemovalReason::dirty:
      return returned != nullptr && !returned->clean;
    case pool::RemovalReason::revoked:
      return std::holds_alternative<pool::LeaseRevoked>(event);
    case pool::RemovalReason::strayed:
      return std::holds_alternative<pool::OutputStrayed>(event) && state == State::idle;
    case pool::RemovalReason::closing:
      if (state == State::leased) return closing_ && ladder_.drain_until() <= now_;
      return closing_;
  }
  return false;
}

void Mirror::judge_ladder() {
  ladder_.end([this](std::uint32_t worker, const std::string& what) {
    report(kLadder, fmt::format("worker {} {}", dotted(ids_.key(worker)), what));
  });
  if (count(State::leased) > 0 && newly(ladder_.drained(), told_.drained)) {
    report(kLadder, "a closing pool did not take its leases back when it had drained long enough");
  }
}

/// Whose start has led to nothing by the end of every budget is given up.
void Mirror::judge_greetings() {
  greeting_due_ = kNever;
  for (; oldest_greeting_ < starting_.size(); ++oldest_greeting_) {
    const std::uint32_t worker = starting_[oldest_greeting_];
    const State state = workers_[worker].state;
    if (state != State::starting && state != State::greeting) continue;
    const Time due = after(workers_[worker].since, longest_greeting());
    if (state == State::starting || due > now_) {
      greeting_due_ = due;
      return;
    }
    report("deadlines", fmt::format("worker {} was still greeted when its start was to be given up",
                                    dotted(ids_.key(worker))));
  }
}

}  // namespace poolproof::oracle
