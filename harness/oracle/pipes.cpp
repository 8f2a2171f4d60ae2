#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// What calls come to on workers that had ended, or had closed a pipe of theirs.
namespace poolproof::oracle {
namespace {

using trace::ClientStep;
using trace::dotted;

/// How long the exit of a worker that closed a pipe is waited for: it mostly is just ending.
constexpr Duration kExitWait = 250ms;

class Pipes {
 public:
  Pipes(const Case& given, Findings& findings)
      : lateness_(given.evidence.bounds.liveness), findings_(findings) {}

  /// `closed` tells since when its worker's pipes were.
  void judge(const ClientStep& call, const Signs& closed) {
    // Before the first byte everybody looks whether there still is somebody.
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

}  // namespace

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
    // A process left behind holds its pipes open; a signal blurs it all.
    if (closed.left_a_process || (!strikes.empty() && struck[worker])) continue;
    if (std::min({closed.exiting, closed.stdin_closed, closed.stdout_closed}) == kNever) continue;
    for (const ClientStep& call : view.calls_on(worker)) pipes.judge(call, closed);
  }
}

}  // namespace poolproof::oracle
