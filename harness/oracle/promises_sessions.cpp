#include "harness/oracle/promise_names.hpp"
#include "harness/oracle/promises.hpp"
#include "harness/trace/fields.hpp"

/// What a pool promises of sessions.
namespace poolproof::oracle {
using trace::dotted;

/// A client that waits for one worker alone: that worker must exist, and must not be free to serve.
void Promises::judge_bound() {
  for (const std::uint32_t place : bound_) {
    CheckoutRequest& asked = asked_[place];
    if (asked.told) continue;
    const std::size_t before = findings_.size();
    const State now = state(*asked.only);
    const auto client = number(asked.checkout);
    if (now == State::idle && may_grant() && !closing_) {
      report(kNoWaiter, "checkout #{} waits beside the worker of its session, which is idle",
             client);
    } else if (now != State::leased && !is_at_rest(now)) {
      report(kAffinity, "checkout #{} waits for worker {}, which is gone", client,
             dotted(*asked.only));
    } else if (now == State::leased && asked.use.when_busy == pool::WhenBusy::fail) {
      report(kAffinity, "checkout #{} waits for a busy worker, and was to be refused", client);
    } else if (asked.deadline <= now_ && asked.in == records_) {
      report(kDeadlines, "checkout #{} waits though it gave no time", client);
    }
    asked.told = findings_.size() > before;
  }
}

/// A session that should be over must have been reported as over.
void Promises::judge_sessions() {
  const auto judge = [this](std::uint32_t session, bool is_over) {
    Session& one = sessions_[session];
    if (!one.lives || !is_over) return;
    report(kAccounting, "session #{} goes on, and should be over",
           static_cast<std::uint64_t>(session_numbers_.key(session)));
    one.ends_now = false;
    one.idle_until = kNever;
  };
  for (const std::uint32_t session : session_ends_) judge(session, sessions_[session].ends_now);
  session_ends_.clear();
  while (is_due(session_timers_, after(now_, Duration(1)))) {
    const std::uint32_t session = pop_timer(session_timers_);
    judge(session, sessions_[session].idle_until <= now_);
  }
}

/// A session that has been idle for too long must be over before anybody asks for it again.
void Promises::judge_asked(const pool::CheckoutRequested& event) {
  const std::uint32_t session = session_numbers_.find(event.use.session);
  if (session == kNone || !sessions_[session].lives) return;
  if (sessions_[session].idle_until > now_) return;
  report(kAccounting, "session #{} was asked for when it should have been over",
         static_cast<std::uint64_t>(event.use.session));
}

void Promises::judge(const pool::SessionOver& effect) {
  const std::uint32_t session = session_numbers_.find(effect.session);
  const bool lives = session != kNone && sessions_[session].lives;
  if (lives && (sessions_[session].ends_now || sessions_[session].idle_until <= now_)) return;
  report(kAccounting, "session #{} {}", static_cast<std::uint64_t>(effect.session),
         lives ? "was ended, though it was to go on" : "was ended, but did not go on");
}

/// A strict request that has a worker of its own is refused for reasons of that worker alone.
void Promises::judge_session_reason(const pool::Refuse& refusal, const CheckoutRequest& asked) {
  const auto wrong = [&](std::string_view what) {
    report(kDiagnosis, "checkout #{} was told {} {}", number(refusal.checkout),
           poolproof::name(refusal.why), what);
  };
  const State now = asked.only ? state(*asked.only) : State::over;
  const bool is_gone = now != State::leased && !is_at_rest(now);
  const bool late = asked.deadline <= now_;
  if (asked.in == records_ && now == State::idle && may_grant() && !closing_) {
    wrong("beside the worker of its session, which is idle");
  }
  switch (refusal.why) {
    case Outcome::sessions_full:
      if (!asked.has_no_room) wrong("though there was room for its session");
      return;
    case Outcome::worker_gone:
      if (!asked.only || !is_gone) wrong("though no worker of its session was gone");
      return;
    case Outcome::worker_busy: {
      const bool at_once = asked.use.when_busy == pool::WhenBusy::fail;
      if (now != State::leased || (!late && !at_once)) wrong("though it was to wait or be served");
      return;
    }
    case Outcome::checkout_timeout:
    case Outcome::start_failed:
      if (asked.only && !is_at_rest(now)) {
        wrong("though it waited for the worker of its session alone");
      }
      [[fallthrough]];
    default:
      if (asked.has_no_room && refusal.why != Outcome::pool_closed) {
        wrong("though there was no room for its session");
      }
  }
}

}  // namespace poolproof::oracle
