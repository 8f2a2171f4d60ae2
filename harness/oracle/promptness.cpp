#include <algorithm>
#include <iterator>
#include <set>

#include <boost/range/adaptor/reversed.hpp>

#include "harness/base/signals.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

/// How long a sound start may take: in virtual time lateness is 0, but a start still takes time.
constexpr Duration kSoundStart = 1s;

// ---- cancels -----------------------------------------------------------------------------------

bool waits(StepKind kind) {
  return kind == StepKind::checkout || is_call(kind);
}

/// The step of that client which was surely under way at `at`; null: none was.
const ClientStep* under_way(const View& view, std::string_view client, Time at) {
  const std::uint32_t number = view.clients.find(client);
  if (number == kNone) return nullptr;
  const auto steps = view.steps_of(number);
  // A client's steps come one after the other.
  const auto behind = std::ranges::partition_point(
      steps, [&](std::uint32_t place) { return view.trace().clients[place].begun < at; });
  if (behind == steps.begin()) return nullptr;
  return &view.trace().clients[*std::prev(behind)];
}

void judge_cancels(const Case& given, Findings& findings) {
  const Duration lateness = given.evidence.bounds.liveness;
  for (const std::uint32_t place : given.view.cancels) {
    const ClientStep& cancel = given.evidence.trace.clients[place];
    if (cancel.skipped) continue;
    const auto* asked = asked_as<scenario::Cancel>(given.evidence.scenario, cancel);
    if (asked == nullptr) continue;
    const ClientStep* step = under_way(given.view, asked->client, cancel.begun);
    if (step == nullptr || step->skipped || !(step->part || waits(step->kind))) continue;
    // A cancelled execution tries no further part.
    const Time ended = given.view.whole_of(*step).ended;
    if (ended <= after(cancel.ended, lateness)) continue;
    tell(findings, "deadlines", *step,
         "went on for {} ms after it was cancelled, and ended with {}",
         milliseconds(ended - cancel.ended), name(step->outcome));
  }
}

}  // namespace

// ---- deadlines ---------------------------------------------------------------------------------

void judge_deadlines(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  const bool exact = evidence.bounds.liveness == Duration::zero();
  const auto report = [&findings](const ClientStep& step, Duration limit, std::string_view what) {
    tell(findings, "deadlines", step, "ended with {} after {} ms: {} its limit of {} ms",
         name(step.outcome), milliseconds(step.ended - since(step)), what, milliseconds(limit));
  };
  for (const std::uint32_t i : given.view.slow) {
    const ClientStep& step = evidence.trace.clients[i];
    const Duration limit = limit_of(step, evidence.scenario.pool);
    const Time deadline = after(since(step), limit);
    const bool granted = step.kind == StepKind::checkout && step.outcome == Outcome::ok;
    if (step.ended > after(deadline, evidence.bounds.liveness)) {
      report(step, limit, "too long after");
    } else if (exact && granted && step.ended >= deadline && step.ended > step.begun) {
      report(step, limit, "granted at");
    }
    const bool timed_out =
        step.kind != StepKind::execute &&  // one try of an execution may have had less time
        (step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::call_timeout);
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
  constexpr const char* kClose = "bounded_close";
  if (close.ended > closed_by) {
    tell(findings, kClose, close, "took {} ms, its limit was {} ms",
         milliseconds(close.ended - close.begun), milliseconds(limit));
  }
  if (given.view.others_ended <= close.begun) return;
  for (std::size_t i = 0; i < evidence.trace.clients.size(); ++i) {
    const ClientStep& step = evidence.trace.clients[i];
    if (step.ended <= close.begun || step.skipped || &step == &close) continue;
    const bool in_the_way = step.begun < close.begun;
    if (step.kind == StepKind::checkout && in_the_way &&
        step.ended > after(close.begun, lateness)) {
      tell(findings, kClose, step, "still waited {} ms after the pool began to close",
           milliseconds(step.ended - close.begun));
    }
    if (is_call(step.kind) && in_the_way && step.ended > calls_over_by) {
      tell(findings, kClose, step, "went on after the pool had to be closed");
    }
    if (step.kind == StepKind::checkout && step.outcome == Outcome::ok && step.begun > shut) {
      tell(findings, kClose, step, "was granted a worker after the pool was closed");
    }
  }
}

}  // namespace

void judge_bounded_close(const Case& given, Findings& findings) {
  for (const std::uint32_t place : given.view.closes) {
    judge_during_close(given, given.evidence.trace.clients[place], findings);
  }
}

// ---- pipes of workers that had ended, or had closed one --------------------------------------

namespace {

/// How long a pool may wait for the exit of a worker that closed its stdout and is mostly just
/// ending.
constexpr Duration kExitWait = 250ms;

class Pipes {
 public:
  Pipes(const Case& given, Findings& findings)
      : lateness_(given.evidence.bounds.liveness), findings_(findings) {}

  /// `closed` tells since when the pipes of the call's worker were closed.
  void judge(const ClientStep& call, const Signs& closed) {
    // Before its first byte, a call looks whether its worker is still there.
    if (after(closed.exiting, lateness_) < call.begun && !found_dead(call)) {
      report("diagnosis", call, "though its worker had ended before it began");
    }
    if (call.ended >
        after(after(std::max(closed.stdout_closed, call.begun), kExitWait), lateness_)) {
      report("prompt_death", call, "long after its worker had closed its stdout");
    }
    const bool gave_up =
        call.outcome == Outcome::call_timeout || call.outcome == Outcome::cancelled;
    const bool tried = call.begun < call.ended && call.written_bytes == 0;
    if (gave_up && tried && !call.in_doubt && after(closed.stdin_closed, lateness_) < call.begun) {
      report("no_dirty_reuse", call, "and no doubt, though its worker had closed its stdin");
    }
  }

 private:
  static bool found_dead(const ClientStep& call) {
    return call.outcome == Outcome::stale_worker || call.outcome == Outcome::lease_over ||
           call.outcome == Outcome::pool_closed || call.outcome == Outcome::request_too_large;
  }

  void report(const char* invariant, const ClientStep& call, std::string_view what) {
    tell(findings_, invariant, call, "on worker {} ended with {}, {}", dotted(*call.worker),
         name(call.outcome), what);
  }

  Duration lateness_;
  Findings& findings_;
};

void judge_pipes(const Case& given, Findings& findings) {
  const View& view = given.view;
  Pipes pipes(given, findings);
  const auto& strikes = given.evidence.trace.environment;
  Table<bool> struck(strikes.empty() ? 0 : view.workers.size(), false, view.memory);
  for (const trace::EnvironmentRecord& strike : strikes) {
    const std::uint32_t worker = view.workers.find(strike.worker);
    if (worker != kNone) struck[worker] = true;
  }
  for (std::uint32_t worker = 0; worker < view.workers.size(); ++worker) {
    const Signs& closed = view.signs[worker];
    // A process left behind holds the worker's pipes open, and a signal blurs the times.
    if (closed.left_a_process || (!strikes.empty() && struck[worker])) continue;
    if (std::min({closed.exiting, closed.stdin_closed, closed.stdout_closed}) == kNever) continue;
    for (const ClientStep& call : view.calls_on(worker)) pipes.judge(call, closed);
  }
}

// ---- death -------------------------------------------------------------------------------------
struct Death {
  const WorkerRecord* record = nullptr;  ///< null: it was killed from outside
  WorkerId worker;
  std::uint32_t number = kNone;  ///< the worker's number
  Time at;

  [[nodiscard]] std::string how() const {
    if (record == nullptr) return "was killed from outside";
    if (record->record.kind != Kind::exiting) {
      return fmt::format("was killed ({})", record->record.fault);
    }
    return fmt::format("exited ({})", record->record.code);
  }
};

/// Whether a signal stopped the worker: it then does not come to the end that it has announced.
bool was_stopped(const Evidence& evidence, WorkerId worker) {
  return was_struck(evidence.trace, worker, [](const trace::EnvironmentRecord& strike) {
    return strike.delivered && is_stopping(strike.signal);
  });
}

/// Whether TERM came after the worker had announced its end: then it may take its time.
bool was_interrupted(const View& view, const WorkerRecord& announced) {
  const auto records = view.journal(view.workers.find(announced.worker));
  for (const WorkerRecord& record : boost::adaptors::reverse(records)) {
    if (&record == &announced) return false;
    if (record.record.kind == Kind::term) return true;
  }
  return false;
}

/// All ends that workers announced, also interrupted ones (see was_interrupted), and all kills from
/// outside.
Table<Death> deaths(const Evidence& evidence, const View& view) {
  Table<Death> found(view.memory);
  found.reserve(view.exits.size() + view.receipts.size());
  const auto announced = [&](const WorkerRecord& record, std::uint32_t worker) {
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
    // Merges exits and kills in the order of the journals.
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
      // A call that finds its worker dead must be over at once.
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

/// Judges only checkouts that a sound pool must serve: they begin after the last strike, stay
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
    look_for_suspension();
  }

  /// Whether the outcome is one that recovery judges. A full queue is not: `bounds` judges that.
  static bool in_vain(const ClientStep& step) {
    return step.outcome == Outcome::checkout_timeout || step.outcome == Outcome::start_failed;
  }

  void judge(Findings& findings) {
    // Nobody knows whether other programs can start at all.
    if (!view_.all_are_ours()) return;
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
    Time latest;  ///< the latest end of this interest and of all that began before it
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

  /// Counts a suspension as a strike: a suspended pool serves nobody.
  void look_for_suspension() {
    Time suspended = Time::min();
    Time resumed = Time::min();
    for (const ClientStep& step : evidence_.trace.clients) {
      if (step.kind == StepKind::suspend) suspended = std::max(suspended, step.ended);
      if (step.kind == StepKind::resume) resumed = std::max(resumed, step.begun);
    }
    if (suspended == Time::min()) return;
    const Time over = suspended < resumed ? resumed : kNever;
    last_strike_ = std::max(last_strike_, over);
    strikes_over_ = std::max(strikes_over_, over);
  }

  /// How long the fault holds its worker up.
  static Duration delay_of(const Receipt& receipt) {
    return receipt.planned == nullptr ? Duration::zero() : faults::pause_of(*receipt.planned);
  }

  void struck(std::uint32_t worker, Time at, Time over, bool spoils_start) {
    last_strike_ = std::max(last_strike_, at);
    strikes_over_ = std::max(strikes_over_, over);
    ++strikes_;
    // A worker that was lost before its first lease counts as a failed start: the pool pauses.
    const bool leased = worker != kNone && !view_.holds_of_worker[worker].empty();
    pauses_ = pauses_ || spoils_start || !leased;
  }

  [[nodiscard]] bool must_be_served(const ClientStep& step) {
    // Workers that start side by side may come up one after the other.
    if (core_.startup_budget < kLeastBudget * std::min(core_.size, core_.starts_max)) return false;
    if (step.begun < last_strike_ || step.ended >= view_.close_begun) return false;
    const Duration limit = limit_of(step, evidence_.scenario.pool);
    const Time free_by = after(std::max(step.begun, after(strikes_over_, pause())), leaving());
    const Duration start = std::max(evidence_.bounds.liveness, kSoundStart);
    // As long as starts are held back, the pool may refuse a client at once.
    if (step.outcome == Outcome::start_failed && step.ended < free_by) return false;
    return after(step.begun, limit) >= after(free_by, start) && capacity_is_left(step);
  }

  /// How long after the last strike the pool may hold back its starts.
  [[nodiscard]] Duration pause() const {
    if (!pauses_) return Duration::zero();
    return core_.startup_budget + core_.postmortem_budget + core_.silence_max + core_.backoff_max +
           core_.breaker_open;
  }

  /// How long workers told to go may hold back starts: a full list of them, whenever it became
  /// full, or the last worker of a slot, where the next one waits for it.
  [[nodiscard]] Duration leaving() const {
    const bool pings = core_.idle_ping_interval > Duration::zero();
    const bool goes_on = core_.overlap && strikes_ < core_.leaving_max && !recycles() && !pings;
    if (goes_on) return Duration::zero();
    const Duration ping =
        pings ? core_.idle_ping_budget + core_.postmortem_budget : Duration::zero();
    return ping + core_.shutdown_grace + core_.stdin_grace + core_.term_grace;
  }

  /// Whether the pool may let workers go that nothing has struck.
  [[nodiscard]] bool recycles() const {
    const bool renews = std::ranges::any_of(evidence_.trace.clients, [](const ClientStep& step) {
      return step.kind == StepKind::renew;
    });
    return renews || core_.max_calls > 0 || core_.max_rss_bytes > 0 ||
           core_.max_lifetime > Duration::zero() || core_.idle_timeout > Duration::zero();
  }

  /// Whether fewer other clients held or wanted a worker meanwhile than there are slots.
  [[nodiscard]] bool capacity_is_left(const ClientStep& step) {
    if (interests_.empty()) gather();
    auto at = std::ranges::partition_point(
        interests_, [&step](const Interest& one) { return one.from <= step.ended; });
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
    std::ranges::stable_sort(interests_,
                             [](const Interest& a, const Interest& b) { return a.from < b.from; });
    Time latest = Time::min();
    for (Interest& one : interests_) one.latest = latest = std::max(latest, one.to);
  }

  /// With a smaller start-up budget, even a sound worker may not start in time.
  static constexpr Duration kLeastBudget = std::chrono::milliseconds(50);

  const Evidence& evidence_;
  const pool::Config& core_;
  const View& view_;
  std::vector<Interest> interests_;  ///< sorted by their beginning; gathered when needed
  Time last_strike_ = Time::min();
  Time strikes_over_ = Time::min();
  std::size_t strikes_ = 0;
  bool pauses_ = false;
};

}  // namespace

void judge_recovery(const Case& given, Findings& findings) {
  const auto& refused = given.view.refused;
  const bool any = std::ranges::any_of(refused, [&given](std::uint32_t place) {
    return Recovery::in_vain(given.evidence.trace.clients[place]);
  });
  if (any) Recovery(given).judge(findings);
}

}  // namespace poolproof::oracle
