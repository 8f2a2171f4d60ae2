#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/oracle/view.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using trace::dotted;
using trace::milliseconds;
using Kind = JournalRecord::Kind;

std::optional<Duration> limit_of(const ClientStep& step, const scenario::PoolSpec& pool) {
  if (step.limit) return step.limit;
  if (step.op == "checkout") return pool.checkout_timeout;
  if (is_call(step)) return pool.call_timeout;
  if (step.op == "close") return pool.close_timeout;
  return std::nullopt;
}

}  // namespace

// ---- deadlines ---------------------------------------------------------------------------------

void judge_deadlines(const Evidence& evidence, Findings& findings) {
  const auto report = [&findings](const ClientStep& step, Duration limit, std::string_view what) {
    findings.push_back(
        {"deadlines",
         fmt::format("{} ended with {} after {} ms: {} its limit of {} ms", who(step),
                     name(step.outcome), milliseconds(step.ended - step.begun), what,
                     milliseconds(limit)),
         step.ended});
  };
  for (const ClientStep& step : evidence.trace.clients) {
    const bool gives_back = step.op == "checkin" || step.op == "throw";
    if (step.skipped || !(step.op == "checkout" || is_call(step) || gives_back)) continue;
    const Duration limit = limit_of(step, evidence.scenario.pool).value_or(Duration::zero());
    if (step.ended > after(after(step.begun, limit), evidence.bounds.liveness)) {
      report(step, limit, "too long after");
    }
    const bool timed_out =
        step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::call_timeout;
    if (timed_out && after(step.ended, kGrain) < after(step.begun, limit)) {
      report(step, limit, "before");
    }
  }
}

// ---- close -------------------------------------------------------------------------------------

namespace {

void judge_during_close(const Evidence& evidence, const ClientStep& close, Findings& findings) {
  const Duration limit = *limit_of(close, evidence.scenario.pool);
  const Time closed_by = after(after(close.begun, limit), evidence.bounds.liveness);
  const auto report = [&findings](const std::string& what, Time at) {
    findings.push_back({"bounded_close", what, at});
  };
  if (close.ended > closed_by) {
    report(fmt::format("{} took {} ms, its limit was {} ms", who(close),
                       milliseconds(close.ended - close.begun), milliseconds(limit)),
           close.ended);
  }
  for (const ClientStep& step : evidence.trace.clients) {
    if (step.skipped || &step == &close) continue;
    const bool in_the_way = step.begun < close.begun && step.ended > close.begun;
    if (step.op == "checkout" && in_the_way &&
        step.ended > after(close.begun, evidence.bounds.liveness)) {
      report(fmt::format("{} still waited {} ms after the pool began to close", who(step),
                         milliseconds(step.ended - close.begun)),
             step.ended);
    }
    if (is_call(step) && in_the_way && step.ended > closed_by) {
      report(who(step) + " went on after the pool had to be closed", step.ended);
    }
    if (is_grant(step) && step.begun > close.ended) {
      report(who(step) + " was granted a worker after the pool was closed", step.ended);
    }
  }
}

}  // namespace

void judge_bounded_close(const Evidence& evidence, Findings& findings) {
  for (const ClientStep& step : evidence.trace.clients) {
    if (step.op == "close" && !step.skipped) judge_during_close(evidence, step, findings);
  }
}

// ---- death -------------------------------------------------------------------------------------

namespace {

struct Death {
  WorkerId worker;
  Time at;
  std::string how;
};

std::vector<Death> deaths(const Evidence& evidence) {
  std::vector<Death> found;
  for (const trace::WorkerRecord& stamped : evidence.trace.workers) {
    const JournalRecord& record = stamped.record;
    if (record.kind == Kind::exiting) {
      found.push_back({stamped.worker, stamped.at, fmt::format("exited ({})", record.code)});
    }
    if (record.kind != Kind::receipt || record.fault != "killed_mid_call") continue;
    for (const faults::PlannedFault& planned : evidence.scenario.faults) {
      if (planned.id != record.plan_id || !is_deadly(static_cast<int>(planned.number("signal")))) {
        continue;
      }
      found.push_back({stamped.worker, stamped.at, "was killed (killed_mid_call)"});
    }
  }
  for (const trace::EnvironmentRecord& strike : evidence.trace.environment) {
    if (strike.delivered && strike.signal == 9) {
      found.push_back({strike.worker, strike.at, "was killed from outside"});
    }
  }
  return found;
}

}  // namespace

void judge_prompt_death(const Evidence& evidence, Findings& findings) {
  const View view(evidence);
  for (const Death& death : deaths(evidence)) {
    for (const ClientStep* call : view.calls) {
      const bool during = call->worker == death.worker && call->begun < death.at &&
                          death.at < call->ended && call->outcome != Outcome::lease_over;
      if (!during || call->ended <= after(death.at, evidence.bounds.liveness)) continue;
      findings.push_back({"prompt_death",
                          fmt::format("worker {} {} during {}, which ended only {} ms later ({})",
                                      dotted(death.worker), death.how, who(*call),
                                      milliseconds(call->ended - death.at), name(call->outcome)),
                          call->ended});
    }
  }
}

// ---- recovery ----------------------------------------------------------------------------------

namespace {

/// Judges only checkouts that a sound pool can't but serve: they begin after the last strike, stay
/// within the pool's capacity, and wait long enough for every pause that the strikes may have
/// caused.
class Recovery {
 public:
  explicit Recovery(const Evidence& evidence) : evidence_(evidence), view_(evidence) {
    for (const Hold& hold : view_.holds) leased_.insert(hold.worker);
    for (const trace::WorkerRecord& record : evidence.trace.workers) {
      if (record.record.kind != Kind::receipt) continue;
      const faults::Fault* fault = fault_of(record.record);
      const bool early = !record.record.request || record.record.request == 0U;
      struck(record.worker, record.at, early && !(fault != nullptr && fault->harmless));
    }
    for (const trace::EnvironmentRecord& record : evidence.trace.environment) {
      struck(record.worker, record.at, false);
    }
  }

  void judge(Findings& findings) const {
    // Of other programs nobody knows whether they can start at all.
    if (strikes_ == 0 || !view_.all_have_journals()) return;
    for (const ClientStep& step : evidence_.trace.clients) {
      if (!refused(step) || !must_be_served(step)) continue;
      findings.push_back(
          {"recovery",
           fmt::format("{} got {} although the last fault was {} ms before", who(step),
                       name(step.outcome), milliseconds(step.begun - last_strike_)),
           step.ended});
    }
  }

 private:
  void struck(WorkerId worker, Time at, bool spoils_start) {
    last_strike_ = std::max(last_strike_, at);
    ++strikes_;
    // Without a lease behind it, the loss of a worker counts as a start that led to nothing.
    pauses_ = pauses_ || spoils_start || !leased_.contains(worker);
  }

  static bool refused(const ClientStep& step) {
    return step.op == "checkout" && !step.skipped &&
           (step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::start_failed ||
            step.outcome == Outcome::queue_full);
  }

  [[nodiscard]] bool must_be_served(const ClientStep& step) const {
    if (step.begun < last_strike_ || step.ended >= view_.close_begun) return false;
    const Duration limit = *limit_of(step, evidence_.scenario.pool);
    const Time free_by = std::max(step.begun, after(last_strike_, settling()));
    const Duration start = std::max(evidence_.bounds.liveness, kSoundStart);
    return after(step.begun, limit) >= after(free_by, start) && capacity_is_left(step);
  }

  /// How long after the last strike the pool may hold back its starts.
  [[nodiscard]] Duration settling() const {
    const pool::Config& core = evidence_.scenario.pool.core;
    const Duration gone = core.shutdown_grace + core.stdin_grace + core.term_grace;
    const Duration leaving = strikes_ >= core.leaving_max ? gone : Duration::zero();
    if (!pauses_) return leaving;
    return leaving + core.startup_budget + core.postmortem_budget + core.silence_max +
           core.backoff_max + core.breaker_open;
  }

  /// Fewer other clients held or wanted a worker meanwhile than there are slots.
  [[nodiscard]] bool capacity_is_left(const ClientStep& step) const {
    std::set<std::string_view> others;
    for (const Hold& hold : view_.holds) {
      const bool meanwhile = hold.checkout->begun <= step.ended && hold.to >= step.begun;
      if (meanwhile && hold.checkout->client != step.client) others.insert(hold.checkout->client);
    }
    for (const ClientStep& other : evidence_.trace.clients) {
      const bool meanwhile = other.begun <= step.ended && other.ended >= step.begun;
      if (other.op == "checkout" && meanwhile && other.client != step.client) {
        others.insert(other.client);
      }
    }
    return others.size() < evidence_.scenario.pool.core.size;
  }

  /// In virtual time lateness is 0, but a start still takes its time.
  static constexpr Duration kSoundStart = 1s;

  const Evidence& evidence_;
  View view_;
  std::set<WorkerId> leased_;
  Time last_strike_ = Time::min();
  std::size_t strikes_ = 0;
  bool pauses_ = false;
};

}  // namespace

void judge_recovery(const Evidence& evidence, Findings& findings) {
  Recovery(evidence).judge(findings);
}

}  // namespace poolproof::oracle
