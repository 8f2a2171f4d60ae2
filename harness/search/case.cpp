#include "harness/search/case.hpp"

#include "harness/base/random.hpp"
#include "harness/run/result.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::search {
namespace {

/// A limit that no generated scenario needs: a thousandth of it is usual.
constexpr sim::Limits kLimits{200'000};

}  // namespace

std::uint64_t case_seed(std::uint64_t sweep_seed, std::uint64_t number) {
  std::uint64_t state = sweep_seed + number * kSplitmixStep;
  return splitmix64(state);
}

const scenario::Scenario& CaseRunner::make(std::uint64_t seed) {
  choices_.restart(seed);
  made_ = scenario::generate(choices_);
  return made_;
}

CaseResult CaseRunner::run(const scenario::Scenario& scenario, wire::Codec codec) {
  if (scenario.schedule) {
    schedule_.restart(*scenario.schedule);
  } else {
    schedule_.restart(scenario.seed);
  }
  const sim::Carried carried = world_.carry_out(scenario, scenario.seed, schedule_, kLimits, codec);
  CaseResult result;
  result.broken_off = schedule_.moves() != nullptr && schedule_.moves()->broken_off();
  if (result.broken_off) return result;
  result.core_events = carried.core_events;
  result.trouble = carried.trouble;
  result.findings = judge_.judge({scenario, world_.trace(), {Duration::zero()}});
  if (carried.overran) result.findings = {{"hang", std::string(run::kEndless), Time{}}};
  return result;
}

std::uint64_t hash_of(const trace::Trace& trace) {
  return fnv1a(trace::write_trace(trace));
}

}  // namespace poolproof::search
