#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/promises.hpp"
#include "harness/trace/fields.hpp"

/// What the pool says to clients that it turns away.
namespace poolproof::oracle {
namespace {

using trace::dotted;

constexpr const char* kDiagnosis = "diagnosis";

std::uint64_t number(CheckoutId checkout) {
  return static_cast<std::uint64_t>(checkout);
}

}  // namespace

void Promises::judge(const pool::Refuse& effect) {
  if (!is_answered_once(effect.checkout)) return;
  const std::uint32_t place = waiter(effect.checkout);
  judge_reason(effect, asked_[place]);
  judge_late(effect, asked_[place]);
  if (effect.why == Outcome::start_failed) judge_cause(effect);
  if (!closing_ && effect.phase != Phase::none) judge_blocker(effect, place);
}

/// Why it was turned away, and whether it had to be.
void Promises::judge_reason(const pool::Refuse& refusal, const Asked& asked) {
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "checkout #{} was told {} {}", number(refusal.checkout),
           poolproof::name(refusal.why), what);
  };
  const bool is_new = asked.in == records_;
  const auto* cancelled = std::get_if<pool::CheckoutCancelled>(&record_->event);
  const bool wanted = cancelled != nullptr && cancelled->checkout == refusal.checkout;
  const bool told_so = refusal.why == Outcome::cancelled;
  if (wanted && !told_so && now_ < asked.deadline) wrong(kDiagnosis, "though it was cancelled");
  if (told_so && !wanted) wrong(kDiagnosis, "though it was not");
  if (refusal.why == Outcome::pool_closed && !closing_) wrong(kDiagnosis, "by an open pool");
  if (refusal.why == Outcome::checkout_timeout && now_ < asked.deadline) {
    wrong("deadlines",
          fmt::format("{} ms before its deadline", trace::milliseconds(asked.deadline - now_)));
  }
  const bool full = is_new && waiting_ > config_.waiters_max;
  if (refusal.why == Outcome::queue_full && !full) {
    wrong("bounds", fmt::format("though {} waited and {} may", waiting_ - 1, config_.waiters_max));
  }
  const bool early = refusal.why == Outcome::start_failed && now_ < asked.deadline;
  if (early && !is_hopeless()) wrong(kDiagnosis, "while a worker lived, or would be tried");
  if (!is_new || closing_) return;
  if (waiting_ == 1 && may_grant() && count(State::idle) > 0) {
    wrong("no_waiter_beside_idle", "and turned away beside an idle worker");
  }
  if (is_hopeless() && refusal.why != Outcome::start_failed) {
    wrong(kDiagnosis, "though no worker lives and the breaker is open");
  }
}

/// A client whose time is up is told of failing starts if one has failed while it waited.
void Promises::judge_late(const pool::Refuse& refusal, const Asked& asked) {
  const bool says_failed = refusal.why == Outcome::start_failed;
  const bool late =
      asked.deadline <= now_ && (says_failed || refusal.why == Outcome::checkout_timeout);
  // One that finds the breaker open is told so, though no start has failed meanwhile.
  if (!late || (asked.in == records_ && is_hopeless())) return;
  const bool failed = failures_ > 0 && last_failure_ >= asked.at;
  if (failed == says_failed) return;
  report(kDiagnosis, "checkout #{} was told {} though {} start had failed by its deadline",
         number(refusal.checkout), poolproof::name(refusal.why), failed ? "a" : "no");
}

void Promises::judge_cause(const pool::Refuse& refusal) {
  const bool known = !last_failed_ || refusal.cause_worker == *last_failed_;
  if (refusal.failures != failures_ || !known) {
    return report(kDiagnosis,
                  "checkout #{} was told that worker {} failed, the last of {}; it was {} of {}",
                  number(refusal.checkout), dotted(refusal.cause_worker), refusal.failures,
                  last_failed_ ? dotted(*last_failed_) : "none", failures_);
  }
  if (!last_failed_ || refusal.cause.cause == last_cause_) return;
  report(kDiagnosis, "checkout #{} was told of the cause {}, the last was {}",
         number(refusal.checkout), poolproof::name(refusal.cause.cause),
         poolproof::name(last_cause_));
}

/// Which worker the error names as in the way, and how far the start of that is.
void Promises::judge_blocker(const pool::Refuse& refusal, std::uint32_t place) {
  const std::string_view wrong =
      refusal.has_blocker ? wrong_start(refusal, place) : wrong_wait(refusal, asked_[place]);
  if (wrong.empty()) return;
  report(kDiagnosis, "checkout #{} was told of the phase {}: {}", number(refusal.checkout),
         poolproof::name(refusal.phase), wrong);
}

std::string_view Promises::wrong_wait(const pool::Refuse& refusal, const Asked& asked) const {
  if (under_way() > 0) return "a start is under way";
  if (refusal.cause.cause == StartCause::behind_another_start) return "no start is under way";
  switch (refusal.phase) {
    case Phase::starting:
    case Phase::handshake:
      return "no start is under way";
    case Phase::cooling: {
      const bool may_cool = breaker_open() || held_ > count(State::idle) + count(State::leased);
      return may_cool && count(State::leased) == 0 ? "" : "it waited for no slot that cools";
    }
    default:
      break;
  }
  const std::uint32_t alive = count(State::leased) + count(State::idle) + count(State::leaving);
  // A client that does not wait may come before a start is tried; in a late step a pause may have
  // ended just before.
  const bool waited = refusal.why == Outcome::checkout_timeout && asked.in != records_;
  const bool sure = lateness_ == Duration::zero() || !may_have_cooled();
  return alive == 0 && waited && sure ? "nobody had a worker" : "";
}

bool Promises::may_have_cooled() const {
  return std::any_of(slots_.begin(), slots_.end(), [this](const Slot& slot) {
    return slot.may_cool && after(slot.cooled_from, least_pause(slot.failures)) <= now_;
  });
}

std::string_view Promises::wrong_start(const pool::Refuse& refusal, std::uint32_t place) const {
  const std::uint32_t worker = living(refusal.blocker);
  if (worker == kNone || worker != under_way_.first) return "another start had been ordered before";
  const Worker& one = workers_[worker];
  if (refusal.since != one.since) return "its worker was started at another time";
  if (refusal.phase == Phase::starting || refusal.phase == Phase::handshake) {
    const bool starting = refusal.phase == Phase::starting;
    return starting == (one.state == State::starting) ? "" : "its worker had got to another phase";
  }
  if (refusal.cause.cause != StartCause::behind_another_start) return "a start is under way";
  if (workers_[under_way_.last].begun_after > place) return "a start was begun after it had asked";
  return under_way() < under_way_limit() ? "more starts might go on" : "";
}

}  // namespace poolproof::oracle
