#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/mirror.hpp"
#include "harness/trace/fields.hpp"

/// Which worker the pool takes, and what it says to those whom it turns away.
namespace poolproof::oracle {
namespace {

using trace::dotted;

constexpr const char* kDiagnosis = "diagnosis";

std::uint64_t number(CheckoutId checkout) {
  return static_cast<std::uint64_t>(checkout);
}

}  // namespace

void Mirror::link_idle(std::uint32_t worker) {
  workers_[worker].older = newest_idle_;
  workers_[worker].newer = kNone;
  (newest_idle_ == kNone ? oldest_idle_ : workers_[newest_idle_].newer) = worker;
  newest_idle_ = worker;
}

void Mirror::unlink_idle(std::uint32_t worker) {
  const Worker& one = workers_[worker];
  (one.newer == kNone ? newest_idle_ : workers_[one.newer].older) = one.older;
  (one.older == kNone ? oldest_idle_ : workers_[one.older].newer) = one.newer;
}

/// Among several idle workers the config says which one is next.
void Mirror::judge_reuse(std::uint32_t worker) {
  const bool last_in = config_.reuse == pool::Reuse::last_in_first_out;
  const std::uint32_t next = last_in ? newest_idle_ : oldest_idle_;
  const bool idle = worker != kNone && workers_[worker].state == State::idle;
  if (!idle || worker == next) return;
  report("order", fmt::format("worker {} was leased, but worker {} was the next ({} first)",
                              dotted(ids_.key(worker)), dotted(ids_.key(next)),
                              last_in ? "last in" : "first in"));
}

/// What is due comes before the event, of which the mirror knows already: only where neither
/// changes what there is to say is it known what had to be said.
bool Mirror::is_settled() const {
  const pool::Event& event = record_->event;
  return !given_up_ && (std::holds_alternative<pool::Tick>(event) ||
                        std::holds_alternative<pool::CheckoutRequested>(event) ||
                        std::holds_alternative<pool::CheckoutCancelled>(event));
}

void Mirror::judge_refusal(const pool::Refuse& refusal, const Asked& asked) {
  const auto* cancelled = std::get_if<pool::CheckoutCancelled>(&record_->event);
  const bool wanted = cancelled != nullptr && cancelled->checkout == refusal.checkout;
  if (wanted && refusal.why != Outcome::cancelled && now_ < asked.deadline) {
    report(kDiagnosis, fmt::format("checkout #{} was cancelled, and told {}",
                                   number(refusal.checkout), poolproof::name(refusal.why)));
  }
  if (given_up_) judge_due(refusal, asked);
  if (!is_settled()) return;
  judge_turned_away(refusal);
  if (!closing_ && refusal.phase != Phase::none) judge_blocker(refusal, asked);
  const bool failed = failures_ > 0 && last_failure_ >= asked.in->at;
  const bool late = refusal.why == Outcome::checkout_timeout ||
                    (refusal.why == Outcome::start_failed && asked.deadline <= now_);
  // Who finds the breaker open is told so, though no start has failed meanwhile.
  if (late && !breaker_open() && failed != (refusal.why == Outcome::start_failed)) {
    report(kDiagnosis, fmt::format("checkout #{} was told {} though {} start had failed while it "
                                   "waited",
                                   number(refusal.checkout), poolproof::name(refusal.why),
                                   failed ? "a" : "no"));
  }
  if (refusal.why != Outcome::start_failed) return;
  if (asked.deadline > now_ && under_way() + count(State::idle) + count(State::leased) > 0) {
    report(kDiagnosis, fmt::format("checkout #{} was told start_failed while a worker lived",
                                   number(refusal.checkout)));
  }
  const bool known = !last_failed_ || refusal.cause_worker == *last_failed_;
  if (refusal.failures != failures_ || !known) {
    report(
        kDiagnosis,
        fmt::format("checkout #{} was told that worker {} failed, the last of {}; it was {} of {}",
                    number(refusal.checkout), dotted(refusal.cause_worker), refusal.failures,
                    last_failed_ ? dotted(*last_failed_) : "none", failures_));
  } else if (last_failed_ && refusal.cause.cause != last_cause_) {
    report(kDiagnosis, fmt::format("checkout #{} was told of the cause {}, the last was {}",
                                   number(refusal.checkout), poolproof::name(refusal.cause.cause),
                                   poolproof::name(last_cause_)));
  }
}

/// What is due at the same time comes to clients before it comes to workers: whose deadline was no
/// later than the end of the first start that is given up now has not seen that one fail.
void Mirror::judge_due(const pool::Refuse& refusal, const Asked& asked) {
  if (refusal.why != Outcome::start_failed || asked.in == record_) return;
  if (gave_up_at_ < asked.deadline || failure_before_ >= asked.in->at) return;
  report(kDiagnosis, fmt::format("checkout #{} was told start_failed though no start had failed by "
                                 "its deadline",
                                 number(refusal.checkout)));
}

/// Who gives no time is answered at once: with a worker that is idle, or with the open breaker.
void Mirror::judge_turned_away(const pool::Refuse& refusal) {
  if (closing_ || refusal.checkout != spent_) return;
  if (waiting_ == 0 && may_grant() && count(State::idle) > 0) {
    report("no_waiter_beside_idle",
           fmt::format("checkout #{} was turned away beside an idle worker",
                       number(refusal.checkout)));
  }
  if (is_hopeless() && refusal.why != Outcome::start_failed) {
    report(kDiagnosis,
           fmt::format("checkout #{} was told {} though no worker lives and the breaker "
                       "is open",
                       number(refusal.checkout), poolproof::name(refusal.why)));
  }
}

std::uint32_t Mirror::first_under_way() {
  for (;; ++oldest_under_way_) {
    const State state = workers_[starting_[oldest_under_way_]].state;
    if (state == State::starting || state == State::greeting) return starting_[oldest_under_way_];
  }
}

/// Whether one of the last starts still under way was ordered when it had asked already.
bool Mirror::is_begun_since(const Asked& asked) const {
  constexpr std::size_t kLooked = 64;
  const std::size_t last = starting_.size() - std::min(starting_.size(), kLooked);
  for (std::size_t i = starting_.size(); i > last; --i) {
    const Worker& worker = workers_[starting_[i - 1]];
    const bool goes_on = worker.state == State::starting || worker.state == State::greeting;
    if (goes_on) return worker.ordered_in >= asked.in;
  }
  return false;
}

/// Whom the error names as in the way: a worker whose start is under way, and how far it is.
void Mirror::judge_blocker(const pool::Refuse& refusal, const Asked& asked) {
  const auto wrong = [&](std::string_view what) {
    report(kDiagnosis, fmt::format("checkout #{} was told of the phase {}: {}",
                                   number(refusal.checkout), poolproof::name(refusal.phase), what));
  };
  const bool under_way_phase =
      refusal.phase == Phase::starting || refusal.phase == Phase::handshake;
  if (refusal.has_blocker != (under_way() > 0)) return wrong("a start is under way, or is not");
  if (!refusal.has_blocker) {
    const bool may_cool = breaker_open() || held_ > count(State::idle) + count(State::leased);
    if (under_way_phase) return wrong("no start is under way");
    if (refusal.phase == Phase::cooling && (!may_cool || count(State::leased) > 0)) {
      return wrong("it waited for no slot that cools");
    }
    const std::uint32_t alive = count(State::leased) + count(State::idle) + count(State::leaving);
    // Who does not wait may come before a start is tried.
    const bool waited = refusal.why == Outcome::checkout_timeout && asked.in != record_;
    if (refusal.phase == Phase::queued && alive == 0 && waited) wrong("nobody had a worker");
    return;
  }
  const std::uint32_t worker = living(refusal.blocker);
  const State state = worker == kNone ? State::over : workers_[worker].state;
  if (state != State::starting && state != State::greeting) {
    return wrong("its worker is not being started");
  }
  if (worker != first_under_way()) wrong("another start had been ordered before");
  if (refusal.since != workers_[worker].since) wrong("its worker was started at another time");
  if (!under_way_phase && is_begun_since(asked)) wrong("a start was begun after it had asked");
  if (!under_way_phase && under_way() < under_way_limit()) wrong("more starts might go on");
  if (!under_way_phase) return;
  const bool starting = refusal.phase == Phase::starting;
  if (starting != (state == State::starting)) wrong("its worker had got to another phase");
}

}  // namespace poolproof::oracle
