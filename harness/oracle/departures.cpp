#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// How a worker went, as the pool says, held against what befell it and what its caller was told.
namespace poolproof::oracle {
namespace {

using trace::ClientStep;
using trace::dotted;
using Kind = faults::JournalRecord::Kind;

/// A worker that has exited and had written nothing unasked is dead, not astray: in virtual time
/// its exit is seen at once, and the end of its stdout is no news of its own.
void judge_strayed_dead(const Case& given, Findings& findings) {
  if (given.evidence.bounds.liveness != Duration::zero()) return;
  for (const PutAway& unsolicited : given.self_report->noted().unsolicited) {
    const auto known = given.view.find(unsolicited.worker);
    if (!known || !known->signs().exits || known->signs().exiting > unsolicited.at) continue;
    bool left_only = true;
    for (const trace::WorkerRecord& one : known->records()) {
      left_only = left_only && (one.record.kind != Kind::receipt || exits_while_idle(one.record));
    }
    if (!left_only) continue;
    tell(findings, "diagnosis", unsolicited.at,
         "worker {} had exited, and was put away for its output", dotted(unsolicited.worker));
  }
}

/// A sound worker that has nothing to do goes when it is asked, and in virtual time at once: of one
/// that does not go the asking never came.
void judge_deaf(const Case& given, Findings& findings) {
  if (given.self_report->noted().deaf.empty()) return;
  const Evidence& evidence = given.evidence;
  const auto& pool = evidence.scenario.pool;
  if (evidence.bounds.liveness != Duration::zero()) return;
  // A small frame may not hold the request.
  constexpr std::size_t kSmallFrame = 512;
  if (!pool.opaque && pool.framing.payload_limit() < kSmallFrame) return;
  if (pool.core.shutdown_grace == Duration::zero()) return;
  // Such a worker waits for the moment when it will strike, and leaves no receipt before.
  const auto waits = [](const faults::PlannedFault& planned) {
    return planned.fault->moment == faults::Moment::idle;
  };
  const auto& faults = evidence.scenario.faults;
  if (std::any_of(faults.begin(), faults.end(), waits)) return;
  for (const WorkerId worker : given.self_report->noted().deaf) {
    const auto known = given.view.find(worker);
    if (!known || known->records().empty() || known->signs().receipt != nullptr) continue;
    if (was_struck(evidence.trace, worker, [](const auto&) { return true; })) continue;
    tell(findings, "ladder", known->records().back().at,
         "worker {} is sound and was asked to go, but its stdin had to be closed", dotted(worker));
  }
}

/// A call that a closing pool has ended by taking its worker back is told so.
void judge_taken_back(const Case& given, Findings& findings) {
  const View& view = given.view;
  for (const PutAway& taken : given.self_report->noted().taken_back) {
    const std::uint32_t worker = view.workers.find(taken.worker);
    if (worker == kNone) continue;
    for (const ClientStep& call : view.calls_on(worker)) {
      if (call.outcome == Outcome::ok || call.outcome == Outcome::pool_closed) continue;
      if (!call.in_doubt) continue;
      if (call.ended <= after(taken.at, given.evidence.bounds.liveness)) continue;
      tell(findings, "diagnosis", call,
           "ended with {}, though the closing pool had taken worker {} back before",
           name(call.outcome), dotted(taken.worker));
    }
  }
}

}  // namespace

void judge_departures(const Case& given, Findings& findings) {
  if (given.self_report == nullptr) return;
  judge_deaf(given, findings);
  judge_strayed_dead(given, findings);
  judge_taken_back(given, findings);
}

}  // namespace poolproof::oracle
