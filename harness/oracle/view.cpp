#include "harness/oracle/view.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace poolproof::oracle {

using faults::JournalRecord;
using trace::ClientStep;

View::View(const Evidence& evidence)
    : begun(kNever), close_begun(kNever), scenario_(evidence.scenario) {
  const trace::Trace& trace = evidence.trace;
  std::map<std::string_view, std::vector<const ClientStep*>> histories;
  Time last_ended = Time::min();
  for (const ClientStep& step : trace.clients) {
    histories[step.client].push_back(&step);
    begun = std::min(begun, step.begun);
    last_ended = std::max(last_ended, step.ended);
    if (step.op == "close" && !step.skipped) close_begun = std::min(close_begun, step.begun);
    if (!is_call(step) || step.skipped) continue;
    calls.push_back(&step);
    if (!step.nonce.empty()) call_of_nonce.emplace(step.nonce, &step);
  }
  // The harness closes the pool when its clients are done.
  if (close_begun == kNever && last_ended != Time::min()) close_begun = last_ended;
  for (const trace::OsRecord& census : trace.os) {
    if (census.when == "before") begun = std::min(begun, census.at);
  }
  for (const auto& [client, history] : histories) add_holds(history);
  for (const trace::WorkerRecord& record : trace.workers) {
    incarnations[record.worker].records.push_back(&record);
  }
}

void View::add_holds(const std::vector<const ClientStep*>& history) {
  std::optional<Hold> open;
  const auto finish = [&](Time at) {
    if (!open) return;
    open->to = at;
    holds.push_back(*open);
    open.reset();
  };
  for (const ClientStep* step : history) {
    const bool gives_back = step->op == "checkin" || step->op == "throw" || step->op == "checkout";
    if (gives_back && !step->skipped) finish(step->begun);
    if (is_grant(*step) && step->worker) open = Hold{step, *step->worker, step->ended, {}};
  }
  if (!history.empty()) finish(history.back()->ended);
}

bool View::has_journal(WorkerId worker) const {
  const auto& workers = scenario_.workers;
  return workers.empty() ||
         workers[worker.slot % workers.size()].kind != scenario::WorkerKind::command;
}

bool View::all_have_journals() const {
  return std::all_of(scenario_.workers.begin(), scenario_.workers.end(), [](const auto& worker) {
    return worker.kind != scenario::WorkerKind::command;
  });
}

const trace::WorkerRecord* Incarnation::first(JournalRecord::Kind kind) const {
  for (const trace::WorkerRecord* record : records) {
    if (record->record.kind == kind) return record;
  }
  return nullptr;
}

bool is_call(const ClientStep& step) {
  return step.op == "call" || step.op == "call_bytes";
}

bool is_grant(const ClientStep& step) {
  return step.op == "checkout" && !step.skipped && step.outcome == Outcome::ok;
}

bool leaves_doubt(const ClientStep& call, bool read) {
  if (call.in_doubt) return true;
  switch (call.outcome) {
    case Outcome::worker_died:
    case Outcome::stdout_closed:
    case Outcome::stdin_closed:
    case Outcome::protocol_error:
    case Outcome::stale_worker:
      return true;
    case Outcome::call_timeout:
    case Outcome::cancelled:
      return call.written_bytes > 0 || read;
    default:
      return false;
  }
}

std::string who(const ClientStep& step) {
  return fmt::format("client {}, step {} ({}{}{})", step.client.empty() ? "(harness)" : step.client,
                     step.step, step.op, step.nonce.empty() ? "" : " ", step.nonce);
}

bool is_deadly(int signal) {
  constexpr std::array kHarmless{17, 18, 19, 20, 21, 22, 23, 28};  // CHLD, CONT, stops, URG, WINCH
  return signal != 0 && std::find(kHarmless.begin(), kHarmless.end(), signal) == kHarmless.end();
}

const faults::Fault* fault_of(const JournalRecord& receipt) {
  return faults::find(receipt.fault);
}

}  // namespace poolproof::oracle
