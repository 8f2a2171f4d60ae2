#include <algorithm>
#include <csignal>
#include <optional>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/guard/rules.hpp"

/// How were workers made to leave?
namespace poolproof::guard {
namespace {

/// No call has so short a time limit: a worker that is killed so soon was not late.
constexpr Duration kSurelyInTime = std::chrono::milliseconds(100);
/// A worker that is killed so soon after it was asked to leave was given no time to do so.
constexpr Duration kNoGrace = std::chrono::milliseconds(20);
/// A worker that ends with the program may have been killed by the program's end, or by ours.
constexpr Duration kWithTheProgram = std::chrono::milliseconds(50);

/// Whether a worker was killed by somebody else while the program lived, with no fault of its own.
/// A wrap that is killed has no time to say anything; one whose worker dies first ends as that did.
bool was_killed(const Facts& facts, const Incarnation& one, const Process& process) {
  if (one.exiting || one.real_was_killed || !one.receipts.empty() || !process.gone) return false;
  if (*process.gone + kWithTheProgram > facts.end.at) return false;
  return !process.exit || process.exit->signal == SIGKILL;
}

void judge_killed(const Incarnation& one, const Process& process, Judgement& judgement) {
  const Duration gone = *process.gone;
  const auto finding = [&](const char* invariant, std::string what) {
    return Finding{invariant,
                   Blame::program,
                   told(process.address) + ", " + std::move(what),
                   gone,
                   {process.address}};
  };
  if (const WorkerRequest* const call = one.in_flight()) {
    const std::string what = fmt::format(
        "was killed at most {} ms after it had read its request {} (command {}), with no fault of "
        "its own: it had noted no answer, though it may have written one just before",
        to_ms(gone - call->read), call->number, printable(call->command.value_or("unknown")));
    const bool surely = gone - call->read < kSurelyInTime;
    (surely ? judgement.findings : judgement.remarks)
        .push_back(finding("healthy_worker_killed", what));
    return;
  }
  const auto asked = one.asked_to_leave();
  if (!asked) {
    judgement.findings.push_back(
        finding("leaving_order",
                "was killed while idle: it had seen neither the end of its input nor TERM, and "
                "nobody had told it to leave"));
    return;
  }
  // Where the system does not tell how it ended, it may have obeyed the signal that asked it to.
  if (!process.exit) return;
  if (gone - *asked < kNoGrace) {
    judgement.findings.push_back(finding(
        "leaving_order",
        fmt::format("was asked to leave and killed within {} ms", to_ms(gone - *asked) + 1)));
  }
}

}  // namespace

void judge_leaving(const Facts& facts, Judgement& judgement) {
  for (const Incarnation& one : facts.incarnations) {
    const Process process = process_of(facts, one);
    if (was_killed(facts, one, process)) judge_killed(one, process, judgement);
  }
}

}  // namespace poolproof::guard
