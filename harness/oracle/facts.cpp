#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// What a call's error says, held against what the journals know: phase, kind, exit code, signal,
/// limit, and whether to ask again.
namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using Kind = JournalRecord::Kind;

constexpr const char* kDiagnosis = "diagnosis";

// ---- phases ------------------------------------------------------------------------------------

/// What is wrong with the phase that the failed call names; empty: nothing that shows.
std::string_view wrong_phase(const View& view, std::size_t place, bool exact) {
  const ClientStep& call = *view.calls[place];
  const bool began = call.outcome != Outcome::lease_over &&
                     call.outcome != Outcome::request_too_large && call.outcome != Outcome::ok;
  if (!began) return "";
  // Outside of the simulator, the pool may be one that knows no phases.
  if (call.phase == Phase::none && !exact) return "";
  if (call.phase != Phase::writing_request && call.phase != Phase::awaiting_reply &&
      call.phase != Phase::reading_reply) {
    return "which is none of a call";
  }
  const bool heard =
      call.outcome == Outcome::worker_error || call.outcome == Outcome::protocol_error;
  if (heard && call.phase == Phase::awaiting_reply) return "though something had come back";
  if (call.written_bytes == 0 && call.phase != Phase::writing_request) {
    return "though nothing was written";
  }
  if (call.phase != Phase::writing_request || !view.was_read(place)) return "";
  const trace::WorkerRecord& read = *view.nonces[view.call_nonces[place]].read;
  return read.at + view.grain < call.ended ? "though its request had been read" : "";
}

/// Whether a failed step says that it may not be asked again, although nothing had reached a worker
/// and a worker could be asked.
bool denies_another_try(const ClientStep& step) {
  if (step.retryable || step.written_bytes > 0) return false;
  return step.outcome != Outcome::ok && step.outcome != Outcome::request_too_large &&
         step.outcome != Outcome::pool_closed;
}

void judge_retries(const View& view, Findings& findings) {
  const auto judge = [&](const ClientStep& step) {
    if (!denies_another_try(step)) return;
    findings.push_back({kDiagnosis,
                        fmt::format("{} got {} and was told that it is not safe to ask again, "
                                    "though nothing of it was written",
                                    who(step), name(step.outcome)),
                        step.ended});
  };
  for (const std::uint32_t place : view.refused) judge(view.trace().clients[place]);
  for (const std::uint32_t place : view.troubled) judge(*view.calls[place]);
}

/// So much goes into a pipe at once, or not at all.
constexpr std::uint64_t kAtOnceBytes = 4000;

/// Whether a signal from outside had reached that worker by then.
bool was_signalled(const View& view, WorkerId worker, Time by) {
  const auto& all = view.trace().environment;
  return std::any_of(all.begin(), all.end(), [&](const trace::EnvironmentRecord& strike) {
    return strike.worker == worker && strike.delivered && strike.at <= by;
  });
}

/// It says that part of a reply had come; but its worker, to which no fault befell, writes whole
/// replies, and has written none to it.
bool is_made_up(const View& view, std::size_t place, Duration lateness) {
  const ClientStep& call = *view.calls[place];
  if (call.phase != Phase::reading_reply || call.written_bytes > kAtOnceBytes) return false;
  // Whoever was answered has been answered; and there may be many of them.
  if (call.outcome == Outcome::ok || call.outcome == Outcome::worker_error) return false;
  if (!view.was_read(place)) return false;
  const trace::WorkerRecord& read = *view.nonces[view.call_nonces[place]].read;
  const trace::WorkerRecord* next = nullptr;
  for (const std::uint32_t at : view.records_of_worker[view.workers.find(read.worker)]) {
    const trace::WorkerRecord& record = view.trace().workers[at];
    if (record.record.kind == Kind::receipt) return false;
    if (next == nullptr && &record > &read) next = &record;
  }
  // Who is made to go as soon as it has written may not come to say so, nor who is stopped then.
  if (was_signalled(view, read.worker, call.ended)) return false;
  return next != nullptr && next->record.kind != Kind::wrote &&
         after(call.ended, lateness) < next->at;
}

void judge_phases(const View& view, Duration lateness, Findings& findings) {
  for (const std::uint32_t i : view.troubled) {
    const ClientStep& call = *view.calls[i];
    std::string_view wrong = wrong_phase(view, i, lateness == Duration::zero());
    if (wrong.empty() && is_made_up(view, i, lateness)) wrong = "though nothing had come back";
    if (wrong.empty()) continue;
    findings.push_back({kDiagnosis,
                        fmt::format("{} ended with {} and names the phase {}, {}", who(call),
                                    name(call.outcome), name(call.phase), wrong),
                        call.ended});
  }
}

// ---- kinds --------------------------------------------------------------------------------------

/// The largest payload, told apart from the code that is judged.
std::uint64_t largest_payload(const wire::Framing& framing) {
  const std::uint64_t by_prefix = framing.prefix_bytes == 1   ? 0xFF
                                  : framing.prefix_bytes == 2 ? 0xFFFF
                                                              : 0xFFFFFFFF;
  return std::min<std::uint64_t>(by_prefix, framing.max_frame_bytes);
}

/// Judges what kind of error a call came to.
class Kinds {
 public:
  explicit Kinds(const Case& given) : given_(given), view_(given.view) {}

  /// Why it should have been another; empty: nothing shows that.
  [[nodiscard]] std::string_view wrong(std::size_t place) const {
    const ClientStep& call = *view_.calls[place];
    const auto says = [&call](std::string_view words) {
      return call.message.find(words) != std::string::npos;
    };
    const bool cut = call.phase == Phase::reading_reply;
    switch (call.outcome) {
      case Outcome::protocol_error:
        if (says("ended by signal ")) return "though a signal had ended its worker";
        return says("truncated") && was_answered(place) ? "though nothing was cut off" : "";
      case Outcome::call_timeout:
        return cut && was_over_limit(call, place)
                   ? "though more had been announced to it than a frame may hold"
                   : "";
      case Outcome::stdout_closed:
        return cut ? "though its reply was cut" : "";
      case Outcome::worker_died:
        if (says("by signal ") && says("with code ")) return "by a code and by a signal";
        if (cut && says("with code ")) return "though its reply was cut";
        return was_answered(place) ? "though its worker had answered before" : "";
      case Outcome::request_too_large:
        return is_small(call) ? "though its request fits into a frame" : "";
      default:
        return "";
    }
  }

 private:
  /// The whole reply had been written, and no fault had spoilt it.
  [[nodiscard]] bool was_answered(std::size_t place) const {
    if (!view_.was_read(place)) return false;
    const trace::WorkerRecord& read = *view_.nonces[view_.call_nonces[place]].read;
    bool wrote = false;
    for (const std::uint32_t at : view_.records_of_worker[view_.workers.find(read.worker)]) {
      const JournalRecord& record = view_.trace().workers[at].record;
      // What stood in the pipe before may have spoilt it, too.
      if (record.kind == Kind::receipt && !exits_while_idle(record)) return false;
      wrote = wrote || (record.kind == Kind::wrote && record.request == read.record.request);
    }
    return wrote;
  }

  /// Its reply began with a header that no sound reader waits behind: nothing else had befallen its
  /// worker, and all was written in time.
  [[nodiscard]] bool was_over_limit(const ClientStep& call, std::size_t place) const {
    if (!view_.was_read(place)) return false;
    const trace::WorkerRecord& read = *view_.nonces[view_.call_nonces[place]].read;
    bool announced = false;
    bool wrote = false;
    for (const std::uint32_t at : view_.records_of_worker[view_.workers.find(read.worker)]) {
      const trace::WorkerRecord& one = view_.trace().workers[at];
      const bool of_call = one.record.request == read.record.request;
      if (one.record.kind == Kind::receipt) {
        const bool no_frame = view_.left_by(one.record) == faults::Leaves::no_frame;
        if (!of_call || !no_frame || announced) return false;
        announced = true;
      }
      wrote = wrote || (of_call && one.record.kind == Kind::wrote &&
                        after(one.at, given_.evidence.bounds.liveness) < call.ended);
    }
    return announced && wrote;
  }

  /// Far smaller than a frame may be, with all that goes around what the scenario says.
  [[nodiscard]] bool is_small(const ClientStep& call) const {
    constexpr std::uint64_t kAroundIt = 1000;
    for (const scenario::Client& client : given_.evidence.scenario.clients) {
      const std::string_view name = call.client;
      if (client.name != name && client.name != name.substr(0, name.find('.'))) continue;
      if (call.step >= client.steps.size()) return false;
      const auto* asked = std::get_if<scenario::Call>(&client.steps[call.step]);
      if (asked == nullptr) return false;
      // What else it says stands in the scenario.
      const std::uint64_t most =
          asked->pad_bytes + kAroundIt + given_.evidence.trace.header.scenario_json.size();
      return most < largest_payload(given_.evidence.scenario.pool.framing);
    }
    return false;
  }

  const Case& given_;
  const View& view_;
};

void judge_kinds(const Case& given, Findings& findings) {
  const Kinds kinds(given);
  for (const std::uint32_t i : given.view.troubled) {
    const ClientStep& call = *given.view.calls[i];
    if (call.outcome == Outcome::ok) continue;
    const std::string_view wrong = kinds.wrong(i);
    if (wrong.empty()) continue;
    findings.push_back({kDiagnosis,
                        fmt::format("{} ended with {}, {}", who(call), name(call.outcome), wrong),
                        call.ended});
  }
}

// ---- ends --------------------------------------------------------------------------------------

/// The numbers that stand behind those words, up to what the worker itself had to say.
template <class Use>
void numbers_after(std::string_view message, std::string_view words, Use use) {
  message = message.substr(0, message.find("stderr"));
  for (std::size_t at = message.find(words); at != std::string_view::npos;
       at = message.find(words, at)) {
    at += words.size();
    int number = 0;
    const auto read = std::from_chars(message.data() + at, message.data() + message.size(), number);
    if (read.ec == std::errc()) use(number);
  }
}

void judge_limits(const View& view, Findings& findings) {
  for (const std::uint32_t i : view.troubled) {
    const ClientStep& call = *view.calls[i];
    if (call.outcome != Outcome::call_timeout || !call.limit) continue;
    numbers_after(call.message, ") after ", [&](int number) {
      if (number == to_ms(*call.limit)) return;
      findings.push_back({kDiagnosis,
                          fmt::format("{} tells of a limit of {} ms, it was {} ms", who(call),
                                      number, to_ms(*call.limit)),
                          call.ended});
    });
  }
}

/// How each worker ended, where that is beyond doubt.
struct Known {
  std::optional<int> code;
  std::size_t strikes = 0;  ///< signals from outside
};

void judge_ends(const Case& given, Findings& findings) {
  const View& view = given.view;
  Table<Known> known(view.memory);
  const auto look = [&] {
    known.resize(view.workers.size());
    for (const std::uint32_t place : view.exits) {
      known[view.worker_of_record[place]].code = given.evidence.trace.workers[place].record.code;
    }
    for (const trace::EnvironmentRecord& strike : given.evidence.trace.environment) {
      const std::uint32_t worker = view.workers.find(strike.worker);
      if (worker != kNone) ++known[worker].strikes;
    }
  };
  for (const std::uint32_t i : view.troubled) {
    const ClientStep* call = view.calls[i];
    if (call->outcome != Outcome::worker_died || !call->worker) continue;
    if (known.empty()) look();
    const Known& end = known[view.call_workers[i]];
    if (!end.code || end.strikes > 0) continue;
    const auto wrong = [&](std::string_view what, int number) {
      findings.push_back({kDiagnosis,
                          fmt::format("{} tells of {} {}, but its worker exited with code {}",
                                      who(*call), what, number, *end.code),
                          call->ended});
    };
    numbers_after(call->message, "with code ", [&](int number) {
      if (number != *end.code) wrong("code", number);
    });
    numbers_after(call->message, "by signal ", [&](int number) { wrong("signal", number); });
  }
}

}  // namespace

void judge_facts(const Case& given, Findings& findings) {
  judge_phases(given.view, given.evidence.bounds.liveness, findings);
  judge_retries(given.view, findings);
  judge_kinds(given, findings);
  judge_limits(given.view, findings);
  judge_ends(given, findings);
  judge_starts(given, findings);
  judge_refusal_words(given, findings);
  judge_departures(given, findings);
}

}  // namespace poolproof::oracle
