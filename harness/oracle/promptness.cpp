#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "harness/base/signals.hpp"
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

/// In virtual time lateness is 0, but a start still takes its time.
constexpr Duration kSoundStart = 1s;

}  // namespace

// ---- deadlines ---------------------------------------------------------------------------------

void judge_deadlines(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  const bool exact = evidence.bounds.liveness == Duration::zero();
  const auto report = [&findings](const ClientStep& step, Duration limit, std::string_view what) {
    tell(findings, "deadlines", step, "ended with {} after {} ms: {} its limit of {} ms",
         name(step.outcome), milliseconds(step.ended - step.begun), what, milliseconds(limit));
  };
  for (const std::uint32_t i : given.view.slow) {
    const ClientStep& step = evidence.trace.clients[i];
    const Duration limit = limit_of(step, evidence.scenario.pool);
    const Time deadline = after(step.begun, limit);
    const bool granted = step.kind == StepKind::checkout && step.outcome == Outcome::ok;
    if (step.ended > after(deadline, evidence.bounds.liveness)) {
      report(step, limit, "too long after");
    } else if (exact && granted && step.ended >= deadline && step.ended > step.begun) {
      report(step, limit, "granted at");
    }
    const bool timed_out =
        step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::call_timeout;
    if (timed_out && after(step.ended, given.view.grain) < deadline) {
      report(step, limit, "before");
    }
  }
  judge_cancels(given, findings);
}

// ---- close -------------------------------------------------------------------------------------

namespace {

void judge_during_close(const Case& given, const ClientStep& close, Findings& findings) {
  const Evidence& evidence = given.evidence;
  const Duration lateness = evidence.bounds.liveness;
  const bool exact = lateness == Duration::zero();
  const Duration limit = limit_of(close, evidence.scenario.pool);
  const Time calls_over_by = after(after(close.begun, limit), lateness);
  // A process whose start was under way can be ended only once it is there.
  const Time born = given.self_report != nullptr ? given.self_report->noted().late_start
                                                 : after(close.begun, kSoundStart);
  const Time closed_by = std::max(calls_over_by, born);
  const Time shut = exact ? close.begun : close.ended;
  const auto report = [&findings](const std::string& what, Time at) {
    findings.push_back({"bounded_close", what, at});
  };
  if (close.ended > closed_by) {
    report(fmt::format("{} took {} ms, its limit was {} ms", who(close),
                       milliseconds(close.ended - close.begun), milliseconds(limit)),
           close.ended);
  }
  if (given.view.others_ended <= close.begun) return;
  for (std::size_t i = 0; i < evidence.trace.clients.size(); ++i) {
    const ClientStep& step = evidence.trace.clients[i];
    if (step.ended <= close.begun || step.skipped || &step == &close) continue;
    const bool in_the_way = step.begun < close.begun;
    if (step.kind == StepKind::checkout && in_the_way &&
        step.ended > after(close.begun, lateness)) {
      report(fmt::format("{} still waited {} ms after the pool began to close", who(step),
                         milliseconds(step.ended - close.begun)),
             step.ended);
    }
    if (is_call(step.kind) && in_the_way && step.ended > calls_over_by) {
      report(who(step) + " went on after the pool had to be closed", step.ended);
    }
    if (step.kind == StepKind::checkout && step.outcome == Outcome::ok && step.begun > shut) {
      report(who(step) + " was granted a worker after the pool was closed", step.ended);
    }
  }
}

}  // namespace

void judge_bounded_close(const Case& given, Findings& findings) {
  for (const std::uint32_t place : given.view.closes) {
    judge_during_close(given, given.evidence.trace.clients[place], findings);
  }
}

// ---- death -------------------------------------------------------------------------------------

namespace {

struct Death {
  const trace::WorkerRecord* record = nullptr;  ///< null: it was killed from outside
  WorkerId worker;
  std::uint32_t number = kNone;  ///< the worker's
  Time at;

  [[nodiscard]] std::string how() const {
    if (record == nullptr) return "was killed from outside";
    if (record->record.kind != Kind::exiting) {
      return fmt::format("was killed ({})", record->record.fault);
    }
    return fmt::format("exited ({})", record->record.code);
  }
};

/// A stopped process does not come to the end that it has announced.
bool was_stopped(const Evidence& evidence, WorkerId worker) {
  return was_struck(evidence.trace, worker, [](const trace::EnvironmentRecord& strike) {
    return strike.delivered && is_stopping(strike.signal);
  });
}

/// Between what it announces and its end TERM may come, and be obeyed at leisure.
bool was_interrupted(const View& view, const trace::WorkerRecord& announced) {
  const auto records = view.journal(view.workers.find(announced.worker));
  for (const trace::WorkerRecord& record : std::views::reverse(records)) {
    if (&record == &announced) return false;
    if (record.record.kind == Kind::term) return true;
  }
  return false;
}

/// All that was announced, also where it was interrupted: see there.
Table<Death> deaths(const Evidence& evidence, const View& view) {
  Table<Death> found(view.memory);
  found.reserve(view.exits.size() + view.receipts.size());
  const auto announced = [&](const trace::WorkerRecord& record, std::uint32_t worker) {
    if (view.calls_of_worker[worker].empty()) return;
    found.push_back({&record, record.worker, worker, record.at});
  };
  for (const std::uint32_t place : view.exits) {
    announced(evidence.trace.workers[place], view.worker_of_record[place]);
  }
  const auto exits = std::ssize(found);
  for (const Receipt& receipt : view.receipts) {
    if (kills(receipt)) announced(*receipt.record, receipt.worker);
  }
  if (exits != std::ssize(found)) {
    // In the order of the journal.
    std::inplace_merge(found.begin(), found.begin() + exits, found.end(),
                       [](const Death& a, const Death& b) { return a.record < b.record; });
  }
  if (evidence.trace.environment.empty()) return found;
  std::erase_if(found,
                [&evidence](const Death& death) { return was_stopped(evidence, death.worker); });
  for (const trace::EnvironmentRecord& strike : evidence.trace.environment) {
    if (strike.delivered && strike.signal == 9)
      found.push_back({nullptr, strike.worker, view.workers.find(strike.worker), strike.at});
  }
  return found;
}

}  // namespace

void judge_prompt_death(const Case& given, Findings& findings) {
  judge_pipes(given, findings);
  const View& view = given.view;
  for (const Death& death : deaths(given.evidence, view)) {
    if (death.number == kNone) continue;
    for (const ClientStep& call : view.calls_on(death.number)) {
      // Also a call that found the worker dead is over at once.
      const Time noticed = std::max(death.at, call.begun);
      if (call.ended <= after(noticed, given.evidence.bounds.liveness)) continue;
      if (call.outcome == Outcome::lease_over) continue;
      if (death.record != nullptr && was_interrupted(view, *death.record)) break;
      tell(findings, "prompt_death", call.ended,
           "worker {} {} during {}, which ended only {} ms later ({})", dotted(death.worker),
           death.how(), who(call), milliseconds(call.ended - death.at), name(call.outcome));
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
  explicit Recovery(const Case& given)
      : evidence_(given.evidence), core_(evidence_.scenario.pool.core), view_(given.view) {
    for (const Receipt& receipt : view_.receipts) struck_by(receipt);
    for (const trace::EnvironmentRecord& record : evidence_.trace.environment) {
      struck(view_.workers.find(record.worker), record.at, record.at, false);
    }
  }

  /// That the queue is full may well be; `bounds` sees to it.
  static bool in_vain(const ClientStep& step) {
    return step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::start_failed;
  }

  void judge(Findings& findings) {
    // Of other programs nobody knows whether they can start at all.
    if (!view_.all_have_journals()) return;
    for (const std::uint32_t place : view_.refused) {
      const ClientStep& step = evidence_.trace.clients[place];
      if (!in_vain(step) || !must_be_served(step)) continue;
      const std::string since = strikes_ == 0
                                    ? "nothing had struck"
                                    : fmt::format("the last fault was {} ms before",
                                                  milliseconds(step.begun - last_strike_));
      tell(findings, "recovery", step, "got {} although {}", name(step.outcome), since);
    }
  }

 private:
  /// When a client wanted or held a worker.
  struct Interest {
    Time from;
    Time to;
    std::string_view client;
    Time latest;  ///< the latest end of all that began before, and its own
  };

  void struck_by(const Receipt& receipt) {
    const JournalRecord& record = receipt.record->record;
    const bool early = !record.request || record.request == 0U;
    const bool harmful = receipt.fault == nullptr || !receipt.fault->harmless;
    const Duration delay = delay_of(receipt);
    const Time at = receipt.record->at;
    struck(receipt.worker, at, after(at, delay),
           early && (harmful || delay >= core_.startup_budget));
  }

  /// How long the fault holds its worker up.
  static Duration delay_of(const Receipt& receipt) {
    return receipt.planned == nullptr ? Duration::zero() : faults::pause_of(*receipt.planned);
  }

  void struck(std::uint32_t worker, Time at, Time over, bool spoils_start) {
    last_strike_ = std::max(last_strike_, at);
    strikes_over_ = std::max(strikes_over_, over);
    ++strikes_;
    // Without a lease behind it, the loss of a worker counts as a start that led to nothing.
    const bool leased = worker != kNone && !view_.holds_of_worker[worker].empty();
    pauses_ = pauses_ || spoils_start || !leased;
  }

  [[nodiscard]] bool must_be_served(const ClientStep& step) {
    if (core_.startup_budget < kLeastBudget) return false;
    if (step.begun < last_strike_ || step.ended >= view_.close_begun) return false;
    const Duration limit = limit_of(step, evidence_.scenario.pool);
    const Time free_by = after(std::max(step.begun, after(strikes_over_, pause())), leaving());
    const Duration start = std::max(evidence_.bounds.liveness, kSoundStart);
    // As long as starts are held back, the pool says so at once.
    if (step.outcome == Outcome::start_failed && step.ended < free_by) return false;
    return after(step.begun, limit) >= after(free_by, start) && capacity_is_left(step);
  }

  /// How long after the last strike the pool may hold back its starts.
  [[nodiscard]] Duration pause() const {
    if (!pauses_) return Duration::zero();
    return core_.startup_budget + core_.postmortem_budget + core_.silence_max + core_.backoff_max +
           core_.breaker_open;
  }

  /// How long a full list of leaving workers may, whenever it became full.
  [[nodiscard]] Duration leaving() const {
    if (strikes_ < core_.leaving_max) return Duration::zero();
    return core_.shutdown_grace + core_.stdin_grace + core_.term_grace;
  }

  /// Fewer other clients held or wanted a worker meanwhile than there are slots.
  [[nodiscard]] bool capacity_is_left(const ClientStep& step) {
    if (interests_.empty()) gather();
    auto at = std::partition_point(interests_.begin(), interests_.end(),
                                   [&step](const Interest& one) { return one.from <= step.ended; });
    std::set<std::string_view> others;
    while (at != interests_.begin() && (--at)->latest >= step.begun) {
      if (at->to < step.begun || at->client == step.client) continue;
      others.insert(at->client);
      if (others.size() >= core_.size) return false;
    }
    return true;
  }

  void gather() {
    for (const ClientStep& step : evidence_.trace.clients) {
      if (step.kind != StepKind::checkout) continue;
      interests_.push_back({step.begun, step.ended, step.client, {}});
    }
    for (const Hold& hold : view_.holds) {
      interests_.push_back({hold.checkout->begun, hold.to, hold.checkout->client, {}});
    }
    std::stable_sort(interests_.begin(), interests_.end(),
                     [](const Interest& a, const Interest& b) { return a.from < b.from; });
    Time latest = Time::min();
    for (Interest& one : interests_) one.latest = latest = std::max(latest, one.to);
  }

  /// With less even a sound worker may not start in time.
  static constexpr Duration kLeastBudget = std::chrono::milliseconds(50);

  const Evidence& evidence_;
  const pool::Config& core_;
  const View& view_;
  std::vector<Interest> interests_;  ///< by their beginning; gathered when needed
  Time last_strike_ = Time::min();
  Time strikes_over_ = Time::min();
  std::size_t strikes_ = 0;
  bool pauses_ = false;
};

}  // namespace

void judge_recovery(const Case& given, Findings& findings) {
  const auto& refused = given.view.refused;
  const bool any = std::any_of(refused.begin(), refused.end(), [&given](std::uint32_t place) {
    return Recovery::in_vain(given.evidence.trace.clients[place]);
  });
  if (any) Recovery(given).judge(findings);
}

}  // namespace poolproof::oracle
