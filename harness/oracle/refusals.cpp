#include <array>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"

/// What clients say that they were told, against what the pool says that it told them.
namespace poolproof::oracle {
namespace {

constexpr std::size_t kWhys = kOutcomeNames.size();
constexpr std::size_t kPhases = kPhaseNames.size();
constexpr std::size_t kCauses = kStartCauseNames.size();

std::size_t kind_of(Outcome why, Phase phase, StartCause cause) {
  const auto first = static_cast<std::size_t>(why) * kPhases + static_cast<std::size_t>(phase);
  return first * kCauses + static_cast<std::size_t>(cause);
}

}  // namespace

/// Nobody knows which refusal was whose; but of each kind there are as many.
void judge_refusals(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  // On a real machine a client may have been told, and not be done when the trace ends.
  if (given.mirror == nullptr || evidence.bounds.liveness != Duration::zero()) return;
  std::array<std::int32_t, kWhys * kPhases * kCauses> counts{};
  for (const trace::PoolRecord& record : evidence.trace.pool) {
    for (const pool::Effect& effect : record.effects) {
      const auto* told = std::get_if<pool::Refuse>(&effect);
      if (told != nullptr) ++counts[kind_of(told->why, told->phase, told->cause.cause)];
    }
  }
  for (std::size_t i = 0; i < given.view.ops.size(); ++i) {
    const trace::ClientStep& step = evidence.trace.clients[i];
    if (given.view.ops[i] != Op::checkout || step.skipped || step.outcome == Outcome::ok) continue;
    if (--counts[kind_of(step.outcome, step.phase, step.cause)] >= 0) continue;
    findings.push_back(
        {"witnesses",
         fmt::format("{} was told {} ({}, cause {}), but the pool says that it told "
                     "nobody so",
                     who(step), name(step.outcome), name(step.phase), name(step.cause)),
         step.ended});
    return;
  }
}

}  // namespace poolproof::oracle
