#include <fmt/format.h>

#include "harness/oracle/promises.hpp"
#include "harness/trace/fields.hpp"

/// Which workers a pool may recycle, which it must, and how many it keeps.
namespace poolproof::oracle {

using pool::RemovalReason;
using pool::StopStep;
using trace::dotted;

/// An eager pool keeps as many workers as it has needed; any pool keeps `min_idle` workers idle
/// beyond those for waiting clients. `cooling`: how many slots cool, which only the Core knows.
bool Promises::lacks_workers(std::uint32_t cooling) const {
  if (config_.start == pool::StartMode::eager && present() + cooling < kept_) return true;
  if (config_.min_idle == 0) return false;
  const std::uint64_t served_next = suspended_ ? 0 : waiting_for_any();
  return count(State::idle) + coming() + cooling < served_next + config_.min_idle;
}

/// A worker may be recycled only for a valid reason, while idle, one at a time, and when no waiting
/// client is left without a worker.
void Promises::judge_recycled(std::uint32_t worker, const pool::Stop& effect) {
  const Worker& one = workers_[worker];
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "worker {} was recycled ({}) {}", dotted(effect.worker),
           trace::name(effect.why), what);
  };
  if (one.state != State::idle) return wrong("no_overkill", "in the middle of its job");
  if (effect.step != StopStep::ask) wrong("ladder", "and not asked to go");
  if (const auto none = unfounded(one, effect.why); !none.empty()) wrong("no_overkill", none);
  if (!may_recycle()) {
    wrong("bounds", fmt::format("while {} other(s) were, {} starts were under way{}", recycling_,
                                under_way(), breaker_open() ? ", and the breaker open" : ""));
  }
  if (waiting_for_any() == 0 || !may_grant()) return;
  if (worker != returned_) wrong("no_waiter_beside_idle", "though somebody waited");
  if (count(State::leaving) + 1 >= config_.leaving_max) {
    wrong("no_waiter_beside_idle", "though somebody waited and no other could be started");
  }
}

/// Why the reason given does not justify its recycling; empty: it may.
std::string_view Promises::unfounded(const Worker& one, RemovalReason why) const {
  switch (why) {
    case RemovalReason::calls_spent:
      return config_.max_calls > 0 && one.calls >= config_.max_calls ? "" : "after too few calls";
    case RemovalReason::lifetime_over: {
      const bool over =
          config_.max_lifetime > Duration::zero() && after(one.ready, least_lifetime()) <= now_;
      return over ? "" : "before its time";
    }
    case RemovalReason::idle_too_long:
      if (count(State::idle) <= config_.min_idle) return "though so many are to be kept idle";
      return config_.idle_timeout > Duration::zero() &&
                     after(one.idle_since, config_.idle_timeout) <= now_
                 ? ""
                 : "before its time";
    case RemovalReason::renewed:
      return one.renewed ? "" : "though no renewal was asked for since its start";
    case RemovalReason::rss_exceeded:
      return is_too_large(one) ? "" : "though it was never seen too large";
    default:
      return "for no reason that there is";
  }
}

RemovalReason Promises::surely_due(const Worker& one) const {
  if (one.renewed) return RemovalReason::renewed;
  if (config_.max_calls > 0 && one.calls >= config_.max_calls) return RemovalReason::calls_spent;
  if (is_too_large(one)) return RemovalReason::rss_exceeded;
  if (config_.max_lifetime > Duration::zero() && after(one.ready, config_.max_lifetime) <= now_) {
    return RemovalReason::lifetime_over;
  }
  const bool too_many = count(State::idle) > config_.min_idle;
  if (too_many && config_.idle_timeout > Duration::zero() &&
      after(one.idle_since, config_.idle_timeout) <= now_) {
    return RemovalReason::idle_too_long;
  }
  return RemovalReason::none;
}

/// A worker that is due to be recycled must go as soon as it may.
void Promises::judge_recycling() {
  std::uint32_t due = kNone;
  for (std::uint32_t i = may_recycle() ? idle_.first : kNone; i != kNone && due == kNone;
       i = workers_[i].following) {
    if (surely_due(workers_[i]) != RemovalReason::none) due = i;
  }
  if (!newly(due != kNone, told_.recycle)) return;
  report("full_size", "worker {} is due to be recycled ({}) and stays", dotted(ids_.key(due)),
         trace::name(surely_due(workers_[due])));
}

// ---- idle pings --------------------------------------------------------------------------------

void Promises::judge(const pool::BeginPing& effect) {
  const std::uint32_t worker = living(effect.worker);
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "worker {} was pinged {}", dotted(effect.worker), what);
  };
  if (worker == kNone || workers_[worker].state != State::idle) {
    return wrong("accounting", "though it was not idle");
  }
  const bool never = config_.idle_ping_interval == Duration::zero();
  if (never || after(workers_[worker].ping_from, config_.idle_ping_interval) > now_) {
    wrong("deadlines", "before it had been idle for long enough");
  }
  if (effect.deadline != after(now_, config_.idle_ping_budget)) {
    wrong("deadlines", "with another budget than that of idle pings");
  }
  if (count(State::pinging) > 0) wrong("bounds", "beside another");
  if (closing_) wrong("accounting", "by a closing pool");
}

/// A worker that has been idle for long enough must be pinged, unless another is being pinged.
void Promises::judge_pings() {
  std::uint32_t due = kNone;
  const Duration interval = config_.idle_ping_interval;
  const bool may = interval > Duration::zero() && count(State::pinging) == 0 && !closing_;
  for (std::uint32_t i = may ? idle_.first : kNone; i != kNone; i = workers_[i].following) {
    if (after(workers_[i].ping_from, interval) <= now_) due = i;
  }
  if (!newly(due != kNone, told_.ping)) return;
  report("full_size", "worker {} has been idle for long enough and is not pinged",
         dotted(ids_.key(due)));
}

// ---- memory ------------------------------------------------------------------------------------

void Promises::judge(const pool::MeasureMemory& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone || workers_[worker].state != State::idle) {
    report("accounting", "worker {} was measured though it was not idle", dotted(effect.worker));
  } else if (!awaits_measure(workers_[worker])) {
    report("deadlines", "worker {} was measured before it had been idle for long enough",
           dotted(effect.worker));
  }
}

/// The memory of a worker that has been idle for long enough must be measured.
void Promises::judge_measures() {
  std::uint32_t due = kNone;
  const bool may = config_.max_rss_bytes > 0;
  for (std::uint32_t i = may ? idle_.first : kNone; i != kNone; i = workers_[i].following) {
    if (awaits_measure(workers_[i])) due = i;
  }
  if (!newly(due != kNone, told_.measure)) return;
  report("full_size", "worker {} has been idle for long enough and is not measured",
         dotted(ids_.key(due)));
}

}  // namespace poolproof::oracle
