#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// What calls come to on workers that had ended, or had closed a pipe of theirs.
namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using trace::dotted;
using Kind = JournalRecord::Kind;

/// How long the exit of a worker that closed a pipe is waited for: it mostly is just ending.
constexpr Duration kExitWait = 250ms;

/// Since when; kNever: not at all, or something else befell the worker that blurs it.
struct Closed {
  Time ended = kNever;
  Time in = kNever;
  Time out = kNever;
};

Closed closed_by(const View& view, std::uint32_t worker) {
  Closed closed;
  for (const std::uint32_t place : view.records_of_worker[worker]) {
    const trace::WorkerRecord& stamped = view.trace().workers[place];
    const JournalRecord& record = stamped.record;
    // Its pipes outlive it.
    if (record.kind == Kind::grandchild) return {};
    if (record.kind == Kind::exiting) closed.ended = std::min(closed.ended, stamped.at);
    if (record.kind != Kind::receipt) continue;
    if (record.fault == "stdin_closed") closed.in = std::min(closed.in, stamped.at);
    if (record.fault == "stdout_closed") closed.out = std::min(closed.out, stamped.at);
  }
  return closed;
}

class Pipes {
 public:
  Pipes(const Case& given, Findings& findings)
      : lateness_(given.evidence.bounds.liveness), findings_(findings) {}

  void judge(const ClientStep& call, const Closed& closed) {
    // Before the first byte everybody looks whether there still is somebody.
    if (after(closed.ended, lateness_) < call.begun && !found_dead(call)) {
      report("diagnosis", call, "though its worker had ended before it began");
    }
    if (call.ended > after(after(std::max(closed.out, call.begun), kExitWait), lateness_)) {
      report("prompt_death", call, "long after its worker had closed its stdout");
    }
    const bool gave_up =
        call.outcome == Outcome::call_timeout || call.outcome == Outcome::cancelled;
    const bool tried = call.begun < call.ended && call.written_bytes == 0;
    if (gave_up && tried && !call.in_doubt && after(closed.in, lateness_) < call.begun) {
      report("no_dirty_reuse", call, "and no doubt, though its worker had closed its stdin");
    }
  }

 private:
  static bool found_dead(const ClientStep& call) {
    return call.outcome == Outcome::stale_worker || call.outcome == Outcome::lease_over ||
           call.outcome == Outcome::pool_closed || call.outcome == Outcome::request_too_large;
  }

  void report(const char* invariant, const ClientStep& call, std::string_view what) {
    findings_.push_back({invariant,
                         fmt::format("{} on worker {} ended with {}, {}", who(call),
                                     dotted(*call.worker), name(call.outcome), what),
                         call.ended});
  }

  Duration lateness_;
  Findings& findings_;
};

}  // namespace

void judge_pipes(const Case& given, Findings& findings) {
  const View& view = given.view;
  Pipes pipes(given, findings);
  std::vector<bool> struck(view.workers.size());
  for (const trace::EnvironmentRecord& strike : given.evidence.trace.environment) {
    const std::uint32_t worker = view.workers.find(strike.worker);
    if (worker != kNone) struck[worker] = true;
  }
  for (std::uint32_t worker = 0; worker < view.workers.size(); ++worker) {
    if (view.calls_of_worker[worker].empty() || struck[worker]) continue;
    const Closed closed = closed_by(view, worker);
    if (std::min({closed.ended, closed.in, closed.out}) == kNever) continue;
    for (const std::uint32_t place : view.calls_of_worker[worker]) {
      pipes.judge(*view.calls[place], closed);
    }
  }
}

}  // namespace poolproof::oracle
