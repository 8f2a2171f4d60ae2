#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// Who is cancelled goes at once, whether it waits for a worker or for a reply.
namespace poolproof::oracle {
namespace {

using trace::ClientStep;

bool waits(StepKind kind) {
  return kind == StepKind::checkout || is_call(kind);
}

/// The step of that client which was surely under way at `at`; null: none was.
const ClientStep* under_way(const View& view, std::string_view client, Time at) {
  const std::uint32_t number = view.clients.find(client);
  if (number == kNone) return nullptr;
  const auto steps = view.steps_of(number);
  // A client's steps come one after the other.
  const auto behind = std::partition_point(steps.begin(), steps.end(), [&](std::uint32_t place) {
    return view.trace().clients[place].begun < at;
  });
  if (behind == steps.begin()) return nullptr;
  return &view.trace().clients[*std::prev(behind)];
}

}  // namespace

void judge_cancels(const Case& given, Findings& findings) {
  const Duration lateness = given.evidence.bounds.liveness;
  for (const std::uint32_t place : given.view.cancels) {
    const ClientStep& cancel = given.evidence.trace.clients[place];
    if (cancel.skipped) continue;
    const auto* asked = asked_as<scenario::Cancel>(given.evidence.scenario, cancel);
    if (asked == nullptr) continue;
    const ClientStep* step = under_way(given.view, asked->client, cancel.begun);
    if (step == nullptr || step->skipped || !waits(step->kind)) continue;
    if (step->ended <= after(cancel.ended, lateness)) continue;
    tell(findings, "deadlines", *step,
         "went on for {} ms after it was cancelled, and ended with {}",
         trace::milliseconds(step->ended - cancel.ended), name(step->outcome));
  }
}

}  // namespace poolproof::oracle
