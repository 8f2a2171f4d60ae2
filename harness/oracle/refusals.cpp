#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"

/// What clients say that they were told, against what the pool says that it told them.
namespace poolproof::oracle {
namespace {

/// What is told in one way, and how often.
struct Told {
  Outcome why;
  Phase phase;
  StartCause cause;
  std::int64_t times = 0;
};

/// There are but a few ways, however many are told.
std::int64_t& times_of(const Told& way, Table<Told>& all) {
  const auto found = std::find_if(all.begin(), all.end(), [&way](const Told& one) {
    return one.why == way.why && one.phase == way.phase && one.cause == way.cause;
  });
  return found != all.end() ? found->times : all.emplace_back(way).times;
}

}  // namespace

/// Nobody knows which refusal was whose; but of each kind there are as many.
void judge_refusals(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  // On a real machine a client may have been told, and not be done when the trace ends.
  if (given.mirror == nullptr || evidence.bounds.liveness != Duration::zero()) return;
  if (given.view.refused.empty()) return;
  Table<Told> all(given.view.memory());
  for (const pool::Refuse* told : given.mirror->refusals()) {
    ++times_of({told->why, told->phase, told->cause.cause}, all);
  }
  for (const std::uint32_t place : given.view.refused) {
    const trace::ClientStep& step = evidence.trace.clients[place];
    if (--times_of({step.outcome, step.phase, step.cause}, all) >= 0) continue;
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
