#include <algorithm>
#include <optional>

#include "harness/oracle/rules.hpp"

/// Holds what an error says (phase, kind, exit code, signal, limit, wait, retry) against what the
/// journals show, the client has seen and the pool reports.
namespace poolproof::oracle {
namespace {

constexpr const char* kDiagnosis = "diagnosis";

// ---- phases ------------------------------------------------------------------------------------

/// What is wrong with the phase that the failed call names; empty: nothing that shows.
std::string_view wrong_phase(const View& view, std::size_t place, bool exact) {
  const ClientStep& call = *view.calls[place];
  const bool began = call.outcome != Outcome::lease_over &&
                     call.outcome != Outcome::request_too_large && call.outcome != Outcome::ok;
  if (!began) return "";
  // Outside the simulator, the pool under test may be one that reports no phases.
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
  const WorkerRecord* const read = view.read_of(place);
  if (call.phase != Phase::writing_request || read == nullptr) return "";
  return read->at + view.grain < call.ended ? "though its request had been read" : "";
}

/// Whether a failed step calls another try unsafe, although nothing of it had reached a worker and
/// there was a worker to be asked.
bool denies_another_try(const ClientStep& step) {
  if (step.retryable || step.written_bytes > 0) return false;
  return step.outcome != Outcome::ok && step.outcome != Outcome::request_too_large &&
         step.outcome != Outcome::pool_closed && step.outcome != Outcome::worker_gone;
}

void judge_retries(const View& view, Findings& findings) {
  const auto judge = [&](const ClientStep& step) {
    if (!denies_another_try(step)) return;
    tell(findings, kDiagnosis, step,
         "got {} and was told that it is not safe to ask again, though nothing of it was written",
         name(step.outcome));
  };
  for (const std::uint32_t place : view.refused) judge(view.trace().clients[place]);
  for (const std::uint32_t place : view.troubled) judge(*view.calls[place]);
}

/// A write of at most this many bytes goes into a pipe as a whole or not at all.
constexpr std::uint64_t kAtOnceBytes = 4000;

/// Whether a call claims that part of its reply had come, although its worker, which no fault
/// struck, writes whole replies only and had written none.
bool is_made_up(const View& view, std::size_t place, Duration lateness) {
  const ClientStep& call = *view.calls[place];
  if (call.phase != Phase::reading_reply || call.written_bytes > kAtOnceBytes) return false;
  // A call that was answered did get its reply. (Checked first: there may be many of them.)
  if (was_answered(call.outcome)) return false;
  const WorkerRecord* const read = view.read_of(place);
  if (read == nullptr) return false;
  const WorkerRecord* next = nullptr;
  for (const WorkerRecord& record : view.journal(view.workers.find(read->worker))) {
    if (record.record.kind == Kind::receipt) return false;
    if (next == nullptr && &record > read) next = &record;
  }
  // A worker that a signal ended or stopped may have written without noting it in its journal.
  const auto by_then = [&call](const trace::EnvironmentRecord& strike) {
    return strike.delivered && strike.at <= call.ended;
  };
  if (was_struck(view.trace(), read->worker, by_then)) return false;
  return next != nullptr && next->record.kind != Kind::wrote &&
         after(call.ended, lateness) < next->at;
}

void judge_phases(const View& view, Duration lateness, Findings& findings) {
  for (const std::uint32_t i : view.troubled) {
    const ClientStep& call = *view.calls[i];
    std::string_view wrong = wrong_phase(view, i, lateness == Duration::zero());
    if (wrong.empty() && is_made_up(view, i, lateness)) wrong = "though nothing had come back";
    if (wrong.empty()) continue;
    tell(findings, kDiagnosis, call, "ended with {} and names the phase {}, {}", name(call.outcome),
         name(call.phase), wrong);
  }
}

// ---- kinds --------------------------------------------------------------------------------------

/// Judges what kind of error a call came to.
class Kinds {
 public:
  explicit Kinds(const Case& given) : given_(given), view_(given.view) {}

  /// Why the call should have ended with another error; empty: nothing shows that.
  [[nodiscard]] std::string_view wrong(std::size_t place) const {
    const ClientStep& call = *view_.calls[place];
    const bool cut = call.phase == Phase::reading_reply;
    const bool by_signal = call.exit.signal != 0;
    switch (call.outcome) {
      case Outcome::protocol_error: {
        if (by_signal) return "though a signal had ended its worker";
        return call.truncated && had_replied(place) ? "though nothing was cut off" : "";
      }
      case Outcome::call_timeout:
        return cut && was_over_limit(call, place)
                   ? "though more had been announced to it than a frame may hold"
                   : "";
      case Outcome::stdout_closed:
        return cut ? "though its reply was cut" : "";
      case Outcome::worker_died:
        if (by_signal && call.exit.code != 0) return "by a code and by a signal";
        if (cut && !by_signal) return "though its reply was cut";
        return had_replied(place) ? "though its worker had answered before" : "";
      case Outcome::request_too_large:
        return is_small(call) ? "though its request fits into a frame" : "";
      default:
        return "";
    }
  }

 private:
  /// Whether the whole reply had been written, and no fault had spoilt it.
  [[nodiscard]] bool had_replied(std::size_t place) const {
    const WorkerRecord* const read = view_.read_of(place);
    if (read == nullptr) return false;
    bool wrote = false;
    for (const WorkerRecord& one : view_.journal(view_.workers.find(read->worker))) {
      // A fault at an earlier request may have left bytes in the pipe that spoil this reply, too.
      if (one.record.kind == Kind::receipt && !exits_while_idle(one.record)) return false;
      wrote =
          wrote || (one.record.kind == Kind::wrote && one.record.request == read->record.request);
    }
    return wrote;
  }

  /// Whether the reply began with a header that announces too much, no other fault had struck the
  /// worker, and all was written in time.
  [[nodiscard]] bool was_over_limit(const ClientStep& call, std::size_t place) const {
    const WorkerRecord* const read = view_.read_of(place);
    if (read == nullptr) return false;
    bool announced = false;
    bool wrote = false;
    for (const WorkerRecord& one : view_.journal(view_.workers.find(read->worker))) {
      const bool of_call = one.record.request == read->record.request;
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

  /// Whether the request, whatever is put around the scenario's words, is far smaller than a frame.
  [[nodiscard]] bool is_small(const ClientStep& call) const {
    constexpr std::uint64_t kAroundIt = 1000;
    const auto asked = asked_call(given_.evidence.scenario, call);
    if (!asked) return false;
    // All other parts of the request stand in the scenario, whose size is a bound for theirs.
    const std::uint64_t most =
        asked->pad_bytes + kAroundIt + given_.evidence.trace.header.scenario_json.size();
    const auto& pool = given_.evidence.scenario.pool;
    return pool.echo_bytes_max(most) < pool.framing.payload_limit();
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
    tell(findings, kDiagnosis, call, "ended with {}, {}", name(call.outcome), wrong);
  }
}

// ---- ends --------------------------------------------------------------------------------------

void judge_limits(const View& view, Findings& findings) {
  for (const std::uint32_t i : view.troubled) {
    const ClientStep& call = *view.calls[i];
    if (call.outcome != Outcome::call_timeout || !call.limit) continue;
    if (call.after.value_or(*call.limit) == *call.limit) continue;
    tell(findings, kDiagnosis, call, "tells of a limit of {} ms, it was {} ms",
         milliseconds(*call.after), milliseconds(*call.limit));
  }
}

void judge_waits(const Case& given, Findings& findings) {
  const Duration lateness = given.evidence.bounds.liveness;
  for (const std::uint32_t place : given.view.refused) {
    const ClientStep& step = given.evidence.trace.clients[place];
    const Duration waited = step.ended - step.begun;
    const Duration said = step.after.value_or(waited);
    if (said <= waited + given.view.grain && said + lateness >= waited) continue;
    tell(findings, kDiagnosis, step, "was told that it had waited {} ms, it was {} ms",
         milliseconds(said), milliseconds(waited));
  }
}

/// The pool keeps at least this much of a worker's stderr.
constexpr std::uint64_t kStderrKept = 4096;

/// How many bytes a worker that exited by itself surely wrote to stderr; nothing: nobody knows.
std::optional<std::uint64_t> stderr_of(const View& view, WorkerId worker) {
  const auto known = view.find(worker);
  if (!known || !known->signs().exits || known->signs().farewell != nullptr) return std::nullopt;
  if (was_struck(view.trace(), worker, [](const auto&) { return true; })) return std::nullopt;
  std::uint64_t wrote = 0;
  for (const Receipt& receipt : view.receipts) {
    if (receipt.worker == known->number && receipt.planned != nullptr) {
      wrote += faults::stderr_bytes_of(*receipt.planned);
    }
  }
  return wrote;
}

/// Whether another start failed or another worker exited by then: the pool keeps the last words of
/// one failed start only.
bool others_failed(const Case& given, WorkerId worker, Time until) {
  return std::ranges::any_of(given.evidence.trace.pool, [&](const trace::PoolRecord& record) {
    const auto* const ended = std::get_if<pool::HandshakeEnded>(&record.event);
    const auto* const exited = std::get_if<pool::Exited>(&record.event);
    const bool bad = ended != nullptr && ended->evidence.cause != StartCause::none;
    return record.at <= until &&
           ((bad && ended->worker != worker) || (exited != nullptr && exited->worker != worker));
  });
}

/// An error must bring the last words of its own worker: all of them, and nobody else's.
void judge_last_words(const Case& given, Findings& findings) {
  const auto judge = [&](const ClientStep& step, WorkerId worker) {
    const auto wrote = stderr_of(given.view, worker);
    if (!wrote || step.stderr_bytes >= std::min(*wrote, kStderrKept)) return;
    tell(findings, kDiagnosis, step,
         "brings {} bytes of what worker {} wrote to stderr, it wrote {}", step.stderr_bytes,
         dotted(worker), *wrote);
  };
  for (const std::uint32_t place : given.view.refused) {
    const ClientStep& step = given.evidence.trace.clients[place];
    const bool knows = !given.evidence.trace.pool.empty() && step.blamed &&
                       !others_failed(given, *step.blamed, step.ended);
    if (step.stderr_bytes == 0 && !knows) continue;
    if (step.stderr_bytes > 0 && step.cause == StartCause::exec_failed) {
      tell(findings, kDiagnosis, step, "was told what a worker wrote that could not be started");
    } else if (step.cause == StartCause::exited && step.blamed) {
      judge(step, *step.blamed);
    }
  }
  for (const std::uint32_t place : given.view.troubled) {
    const ClientStep& call = *given.view.calls[place];
    if (call.outcome != Outcome::worker_died || call.exit.signal != 0 || !call.worker) continue;
    judge(call, *call.worker);
  }
}

/// An error may tell of another process that holds a worker's stdout only if some worker started a
/// process: in virtual time nobody else can.
void judge_launchers(const Case& given, Findings& findings) {
  if (given.evidence.bounds.liveness != Duration::zero()) return;
  const auto starts = [](const WorkerRecord& one) { return one.record.kind == Kind::grandchild; };
  if (std::ranges::any_of(given.evidence.trace.workers, starts)) return;
  for (const std::uint32_t place : given.view.refused) {
    const ClientStep& step = given.evidence.trace.clients[place];
    if (step.message.find("another process holds its stdout") == std::string::npos) continue;
    tell(findings, kDiagnosis, step, "was told of another process, and no worker had started one");
  }
}

/// How each worker ended, where that is beyond doubt.
struct Known {
  std::optional<int> code;
  bool killed = false;  ///< a fault ended it by a signal
  bool struck = false;  ///< a signal was sent to it from outside
};

Table<Known> known_ends(const View& view) {
  Table<Known> known(view.workers.size(), Known{}, view.memory);
  for (const std::uint32_t place : view.exits) {
    known[view.worker_of_record[place]].code = view.trace().workers[place].record.code;
  }
  for (const Receipt& receipt : view.receipts) {
    if (kills(receipt)) known[receipt.worker].killed = true;
  }
  for (const trace::EnvironmentRecord& strike : view.trace().environment) {
    const std::uint32_t worker = view.workers.find(strike.worker);
    if (worker != kNone) known[worker].struck = true;
  }
  return known;
}

void judge_ends(const View& view, Findings& findings) {
  Table<Known> known(view.memory);
  for (const std::uint32_t i : view.troubled) {
    const ClientStep& call = *view.calls[i];
    if (call.outcome != Outcome::worker_died || !call.worker) continue;
    if (known.empty()) known = known_ends(view);
    const Known& end = known[view.call_workers[i]];
    if (end.struck || (!end.code && !end.killed)) continue;
    const bool by_signal = call.exit.signal != 0;
    if (end.code ? call.exit == ExitStatus{*end.code, 0} : by_signal) continue;
    tell(findings, kDiagnosis, call, "tells of {} {}, but its worker {}",
         by_signal ? "signal" : "code", by_signal ? call.exit.signal : call.exit.code,
         end.code ? fmt::format("exited with code {}", *end.code) : "was ended by a signal");
  }
}

// ---- refusals ----------------------------------------------------------------------------------

/// One kind of refusal, and how often it was told.
struct RefusalCount {
  Outcome why;
  Phase phase;
  StartCause cause;
  std::int64_t times = 0;
};

/// The counter of that kind of refusal. There are so few kinds that a linear search will do.
std::int64_t& times_of(const RefusalCount& way, Table<RefusalCount>& all) {
  const auto found = std::find_if(all.begin(), all.end(), [&way](const RefusalCount& one) {
    return one.why == way.why && one.phase == way.phase && one.cause == way.cause;
  });
  return found != all.end() ? found->times : all.emplace_back(way).times;
}

// ---- departures: how a worker went, as the pool says --------------------------------------------

/// A worker that has exited and had written nothing unasked must be removed as dead, not for its
/// output: in virtual time its exit is seen together with the end of its stdout.
void judge_strayed_dead(const Case& given, Findings& findings) {
  if (given.evidence.bounds.liveness != Duration::zero()) return;
  for (const PutAway& unsolicited : given.self_report->noted().unsolicited) {
    const auto known = given.view.find(unsolicited.worker);
    if (!known || !known->signs().exits || known->signs().exiting > unsolicited.at) continue;
    bool left_only = true;
    for (const WorkerRecord& one : known->records()) {
      left_only = left_only && (one.record.kind != Kind::receipt || exits_while_idle(one.record));
    }
    if (!left_only) continue;
    tell(findings, "diagnosis", unsolicited.at,
         "worker {} had exited, and was put away for its output", dotted(unsolicited.worker));
  }
}

/// In virtual time, a sound worker that has nothing to do hears at once that it is asked to go. If
/// it has not by the end of the grace, the pool never asked.
void judge_deaf(const Case& given, Findings& findings) {
  if (given.self_report->noted().deaf.empty()) return;
  const Evidence& evidence = given.evidence;
  const auto& pool = evidence.scenario.pool;
  if (evidence.bounds.liveness != Duration::zero()) return;
  // The shutdown request may not fit into a small frame.
  constexpr std::size_t kSmallFrame = 512;
  if (pool.greets() && pool.framing.payload_limit() < kSmallFrame) return;
  if (pool.core.shutdown_grace == Duration::zero()) return;
  // A worker with an idle fault waits for the moment to strike, and leaves no receipt before.
  const auto waits = [](const faults::PlannedFault& planned) {
    return planned.fault->moment == faults::Moment::idle;
  };
  const auto& faults = evidence.scenario.faults;
  if (std::any_of(faults.begin(), faults.end(), waits)) return;
  for (const auto& [worker, at] : given.self_report->noted().deaf) {
    const auto known = given.view.find(worker);
    if (!known || !is_unharmed(*known)) continue;
    const WorkerRecord* heard = known->signs().farewell;
    if (heard != nullptr && heard->at < at) continue;
    tell(findings, "ladder", known->records().back().at,
         "worker {} is sound and was asked to go, but its stdin had to be closed", dotted(worker));
  }
}

/// A call that ended because a closing pool took its worker back must end with pool_closed, or with
/// lease_over if nothing of it was written.
void judge_taken_back(const Case& given, Findings& findings) {
  const View& view = given.view;
  for (const PutAway& taken : given.self_report->noted().taken_back) {
    const std::uint32_t worker = view.workers.find(taken.worker);
    if (worker == kNone) continue;
    for (const ClientStep& call : view.calls_on(worker)) {
      const Outcome right = call.written_bytes == 0 ? Outcome::lease_over : Outcome::pool_closed;
      if (call.outcome == Outcome::ok || call.outcome == right) continue;
      if (!call.in_doubt) continue;
      if (call.ended <= after(taken.at, given.evidence.bounds.liveness)) continue;
      tell(findings, "diagnosis", call,
           "ended with {}, though the closing pool had taken worker {} back before",
           name(call.outcome), dotted(taken.worker));
    }
  }
}

}  // namespace

void judge_facts(const Case& given, Findings& findings) {
  judge_phases(given.view, given.evidence.bounds.liveness, findings);
  judge_retries(given.view, findings);
  judge_kinds(given, findings);
  judge_limits(given.view, findings);
  judge_waits(given, findings);
  judge_last_words(given, findings);
  judge_launchers(given, findings);
  judge_ends(given.view, findings);
  judge_starts(given, findings);
  if (given.self_report == nullptr) return;
  judge_deaf(given, findings);
  judge_strayed_dead(given, findings);
  judge_taken_back(given, findings);
}

/// The self-report does not tell which client a refusal was for, but it must hold at least as many
/// refusals of each kind as the clients saw.
void judge_refusals(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  // On a real machine the trace may end between a refusal and the client's record of it.
  if (given.self_report == nullptr || evidence.bounds.liveness != Duration::zero()) return;
  if (given.view.refused.empty()) return;
  Table<RefusalCount> all(given.view.memory);
  for (const pool::Refuse* told : given.self_report->noted().refusals) {
    ++times_of({told->why, told->phase, told->cause.cause}, all);
  }
  for (const std::uint32_t place : given.view.refused) {
    const ClientStep& step = evidence.trace.clients[place];
    if (--times_of({step.outcome, step.phase, step.cause}, all) >= 0) continue;
    tell(findings, "witnesses", step,
         "was told {} ({}, cause {}), but the pool says that it told nobody so", name(step.outcome),
         name(step.phase), name(step.cause));
    return;
  }
}

}  // namespace poolproof::oracle
