#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/search/case.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

/// Choices for every stream the generator reads, so that RapidCheck shrinks one client without
/// touching the others.
ChoiceBook::Sequences any_sequences() {
  const auto any_sequence =
      rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 1'000));
  ChoiceBook::Sequences sequences;
  for (const char* stream : {"pool", "clients", "client.1", "client.2", "client.3", "faults"}) {
    sequences[stream] = *any_sequence;
  }
  return sequences;
}

}  // namespace

TEST_CASE("run: case: no choice whatever makes the pool break a promise") {
  holds("no choice makes the pool break a promise", Effort{400, 60}, [] {
    auto choices = ChoiceBook::replayed(any_sequences());
    scenario::Scenario scenario = scenario::generate(choices);
    scenario.schedule =
        *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 30));
    CaseRunner runner;
    const CaseResult result = runner.run(scenario);
    for (const auto& finding : result.findings) RC_FAIL(finding.invariant + ": " + finding.what);
    RC_ASSERT(result.trouble.empty());
  });
}
