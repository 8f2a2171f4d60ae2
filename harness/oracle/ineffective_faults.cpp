#include <algorithm>
#include <compare>
#include <csignal>
#include <map>

#include "harness/base/signals.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

using faults::PlannedFault;

/// The id by which receipts name a fault of the plan.
std::string id_of(const PlannedFault& fault, std::size_t place) {
  return fault.id.empty() ? fmt::format("f{}", place) : fault.id;
}

std::vector<const WorkerRecord*> receipts(const trace::Trace& trace, std::string_view id) {
  std::vector<const WorkerRecord*> found;
  for (const WorkerRecord& record : trace.workers) {
    if (record.record.kind == Kind::receipt && record.record.plan_id == id)
      found.push_back(&record);
  }
  return found;
}

/// A reply's timestamp has more or fewer digits from run to run: a difference of up to this many
/// bytes tells nothing.
constexpr std::uint64_t kTimestampBytes = 8;

bool bytes_differ(std::uint64_t a, std::uint64_t b) {
  return (a > b ? a - b : b - a) > kTimestampBytes;
}

/// What is the same in every run for a client's step to which nothing happens: neither its times
/// nor the words of its error.
struct StepShape {
  bool skipped;
  Outcome outcome;
  Phase phase;
  StartCause cause;
  bool in_doubt;
  auto operator<=>(const StepShape&) const = default;
};

using StepPlace = std::tuple<std::string_view, std::uint32_t, std::uint32_t>;

std::map<StepPlace, StepShape> shapes(const trace::Trace& trace) {
  std::map<StepPlace, StepShape> all;
  for (const ClientStep& step : trace.clients) {
    all[{step.client, step.repetition, step.step}] = {step.skipped, step.outcome, step.phase,
                                                      step.cause, step.in_doubt};
  }
  return all;
}

/// What is the same in every run for an incarnation to which nothing happens: what it read and
/// wrote, what it left behind, how it ended.
struct WorkerShape {
  std::size_t reads = 0;
  /// The number of each request, and how many bytes its reply had
  std::vector<std::pair<std::uint64_t, std::uint64_t>> wrote;
  std::size_t grandchildren = 0;
  bool saw_stdin_end = false;
  bool saw_term = false;
  std::optional<int> exit_code;

  [[nodiscard]] bool differs(const WorkerShape& other) const {
    const bool same_words =
        std::equal(wrote.begin(), wrote.end(), other.wrote.begin(), other.wrote.end(),
                   [](const auto& a, const auto& b) {
                     return a.first == b.first && !bytes_differ(a.second, b.second);
                   });
    return !same_words || reads != other.reads || grandchildren != other.grandchildren ||
           saw_stdin_end != other.saw_stdin_end || saw_term != other.saw_term ||
           exit_code != other.exit_code;
  }
};

std::map<WorkerId, WorkerShape> worker_shapes(const trace::Trace& trace) {
  std::map<WorkerId, WorkerShape> shapes;
  for (const WorkerRecord& stamped : trace.workers) {
    const JournalRecord& record = stamped.record;
    WorkerShape& shape = shapes[stamped.worker];
    if (record.kind == Kind::read) ++shape.reads;
    if (record.kind == Kind::wrote)
      shape.wrote.emplace_back(record.request.value_or(0), record.bytes);
    if (record.kind == Kind::grandchild) ++shape.grandchildren;
    if (record.kind == Kind::stdin_end) shape.saw_stdin_end = true;
    if (record.kind == Kind::term) shape.saw_term = true;
    if (record.kind == Kind::exiting) shape.exit_code = record.code;
  }
  return shapes;
}

/// The first record after `since` in the same worker's journal that satisfies `which`; null: there
/// is none.
template <class Which>
const WorkerRecord* next(const trace::Trace& trace, const WorkerRecord& since, Which which) {
  bool behind = false;
  for (const WorkerRecord& record : trace.workers) {
    if (behind && record.worker == since.worker && which(record.record)) return &record;
    behind = behind || &record == &since;
  }
  return nullptr;
}

/// Journals round to the microsecond: both ends of a pause may be off by one.
constexpr Duration kGrain{2};

enum class Measure : std::uint8_t { none, felt, not_felt };

/// How long the pauses within the reply are together; nothing: it is written at once.
std::optional<Duration> pauses_of(const PlannedFault& fault, std::uint64_t reply_bytes) {
  const auto bytes = static_cast<std::int64_t>(reply_bytes);
  const std::int64_t chunk = fault.number("chunk_bytes");
  if (bytes <= chunk) return std::nullopt;
  if (fault.fault->shows == faults::Shows::pieces) return Duration::zero();
  const std::int64_t pauses = (bytes + chunk - 1) / chunk - 1;
  return std::chrono::milliseconds(pauses * fault.number("gap_ms"));
}

/// Whether the worker's journal shows the effect of a fault. `none`: there is nothing to measure
/// (the worker did not get that far), or the fault shows only in what other witnesses saw.
Measure measure(const PlannedFault& fault, const WorkerRecord& receipt, const trace::Trace& run) {
  using enum faults::Shows;
  const auto felt = [](bool it) { return it ? Measure::felt : Measure::not_felt; };
  const auto wrote = [&] {
    return next(run, receipt, [&receipt](const JournalRecord& record) {
      return record.kind == Kind::wrote && record.request == receipt.record.request;
    });
  };
  const auto lasted = [&](const WorkerRecord* until, Duration least) {
    if (until == nullptr) return Measure::none;
    return felt(after(until->at, kGrain) >= after(receipt.at, least));
  };
  const auto next_of = [&](Kind kind) {
    return next(run, receipt, [kind](const JournalRecord& record) { return record.kind == kind; });
  };
  switch (fault.fault->shows) {
    case elsewhere:
      return Measure::none;
    case by_receipt:
      return Measure::felt;
    case pause_before_reading:
      return lasted(next_of(Kind::read), faults::pause_of(fault));
    case pause_before_reply:
      return lasted(wrote(), faults::pause_of(fault));
    case pause_before_exit:
      return lasted(next_of(Kind::exiting), faults::pause_of(fault));
    case process:
      return felt(next_of(Kind::grandchild) != nullptr);
    case pauses_in_reply:
    case pieces:
      break;
  }
  const WorkerRecord* const end = wrote();
  if (end == nullptr) return Measure::none;
  const auto pauses = pauses_of(fault, end->record.bytes);
  return pauses ? lasted(end, *pauses) : Measure::not_felt;
}

/// Compares the run with its control, a run without faults.
class Comparison {
 public:
  Comparison(const trace::Trace& run, const trace::Trace& control)
      : steps_(shapes(run)),
        control_steps_(shapes(control)),
        workers_(worker_shapes(run)),
        control_workers_(worker_shapes(control)) {
    for (const ClientStep& step : run.clients) {
      if (!step.nonce.empty()) calls_[step.nonce] = {step.client, step.repetition, step.step};
    }
    for (const WorkerRecord& record : run.workers) {
      if (record.record.kind != Kind::read || !record.record.nonce) continue;
      nonces_[{record.worker, record.record.request.value_or(0)}] = *record.record.nonce;
    }
  }

  /// Whether the two runs differ where the fault struck: in that call, that incarnation, or the
  /// number of incarnations in its slot. A fault of the start or init ping may show in any client.
  [[nodiscard]] bool differs_at(const WorkerRecord& receipt) const {
    const auto& request = receipt.record.request;
    if (!request || *request == 0) {
      if (steps_ != control_steps_) return true;
    } else if (const auto nonce = nonces_.find({receipt.worker, *request});
               nonce != nonces_.end()) {
      if (call_differs(nonce->second)) return true;
    }
    return worker_differs(receipt.worker);
  }

  /// Whether the two runs differ where the signal struck: in any client, that incarnation, or the
  /// number of incarnations in its slot.
  [[nodiscard]] bool differs_at(const trace::EnvironmentRecord& signal) const {
    return steps_ != control_steps_ || worker_differs(signal.worker);
  }

 private:
  [[nodiscard]] bool worker_differs(WorkerId worker) const {
    if (generations(workers_, worker.slot) != generations(control_workers_, worker.slot)) {
      return true;
    }
    const auto now = workers_.find(worker);
    const auto then = control_workers_.find(worker);
    return now == workers_.end() || then == control_workers_.end() ||
           now->second.differs(then->second);
  }

  [[nodiscard]] bool call_differs(std::string_view nonce) const {
    const auto call = calls_.find(nonce);
    if (call == calls_.end()) return false;
    const auto now = steps_.find(call->second);
    const auto then = control_steps_.find(call->second);
    return then == control_steps_.end() || now->second != then->second;
  }

  static std::size_t generations(const std::map<WorkerId, WorkerShape>& workers,
                                 std::uint32_t slot) {
    return static_cast<std::size_t>(
        std::count_if(workers.begin(), workers.end(),
                      [slot](const auto& worker) { return worker.first.slot == slot; }));
  }

  std::map<StepPlace, StepShape> steps_;
  std::map<StepPlace, StepShape> control_steps_;
  std::map<WorkerId, WorkerShape> workers_;
  std::map<WorkerId, WorkerShape> control_workers_;
  std::map<std::string_view, StepPlace> calls_;
  std::map<std::pair<WorkerId, std::uint64_t>, std::string_view> nonces_;
};

/// Whether a step that needs the worker may have been under way at that time: a call to it, the
/// checkout that got it, which may have waited for its start, or a close, which waits for all.
bool waits_for(const ClientStep& step, WorkerId worker, Time at) {
  const bool needs_it = is_call(step.kind) || step.kind == StepKind::checkout;
  const bool waits = step.kind == StepKind::close || (needs_it && step.worker == worker);
  return waits && step.begun <= at && at <= step.ended;
}

/// Whether a step was under way when a worker that it needs, which a signal had stopped, was told
/// to go on: that it was held up shows in its time alone.
bool was_held_up(const trace::Trace& run, WorkerId worker) {
  bool stopped = false;
  for (const trace::EnvironmentRecord& signal : run.environment) {
    if (!signal.delivered || signal.worker != worker) continue;
    stopped = stopped || is_stopping(signal.signal);
    if (!stopped || signal.signal != SIGCONT) continue;
    stopped = false;
    const bool held_up = std::ranges::any_of(
        run.clients, [&](const ClientStep& step) { return waits_for(step, worker, signal.at); });
    if (held_up) return true;
  }
  return false;
}

/// Why the run proves nothing about a signal from outside that reached its worker.
void judge_signals(const Comparison& comparison, const trace::Trace& run,
                   std::vector<std::string>& reasons) {
  for (const trace::EnvironmentRecord& signal : run.environment) {
    if (!signal.delivered || comparison.differs_at(signal)) continue;
    const bool holds_up = is_stopping(signal.signal) || signal.signal == SIGCONT;
    if (holds_up && was_held_up(run, signal.worker)) continue;
    reasons.push_back(fmt::format(
        "signal {} reached worker {}, but nothing that a witness saw differs from the run without "
        "it",
        signal.signal, dotted(signal.worker)));
  }
}

/// Where the fault was meant to strike, in words for a person.
std::string place(const faults::Aim& at) {
  if (!at.client.empty()) return fmt::format("client {}, call {}", at.client, at.call);
  std::string text;
  const auto add = [&text](std::string_view what, auto value) {
    if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, *value);
  };
  add("slot", at.slot);
  add("generation", at.generation);
  add("request", at.request);
  return text.empty() ? "anywhere" : text;
}

}  // namespace

std::vector<std::size_t> strikes(const scenario::Scenario& scenario, const trace::Trace& run) {
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    counts.push_back(receipts(run, id_of(scenario.faults[i], i)).size());
  }
  return counts;
}

std::vector<std::string> ineffective_faults(const scenario::Scenario& scenario,
                                            const trace::Trace& run, const trace::Trace& control) {
  std::vector<std::string> reasons;
  const Comparison comparison(run, control);
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    const PlannedFault& fault = scenario.faults[i];
    const std::string who = fmt::format("fault {} ({})", id_of(fault, i), fault.fault->name);
    const auto struck = receipts(run, id_of(fault, i));
    if (struck.empty()) {
      reasons.push_back(fmt::format("{} never struck ({})", who, place(fault.at)));
      continue;
    }
    const bool felt = std::any_of(struck.begin(), struck.end(), [&](const WorkerRecord* receipt) {
      const Measure measured = measure(fault, *receipt, run);
      return measured == Measure::felt ||
             (measured == Measure::none && comparison.differs_at(*receipt));
    });
    if (felt) continue;
    reasons.push_back(fmt::format(
        "{} struck, but nothing that a witness saw differs from the run without faults", who));
  }
  judge_signals(comparison, run, reasons);
  const bool control_ran = std::any_of(control.clients.begin(), control.clients.end(),
                                       [](const ClientStep& step) { return !step.skipped; });
  if (scenario::harms(scenario) && !control_ran) {
    reasons.emplace_back("the run without faults did nothing, so that there is nothing to compare");
  }
  return reasons;
}

}  // namespace poolproof::oracle
