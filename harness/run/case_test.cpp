#include "harness/run/case.hpp"

#include <catch2/catch.hpp>

#include "harness/trace/jsonl.hpp"

using namespace poolproof;
using namespace poolproof::run;

namespace {

std::string trace_of(CaseRunner& runner, std::uint64_t seed) {
  runner.make(seed);
  (void)runner.run_made();
  return trace::write_trace(runner.trace());
}

}  // namespace

TEST_CASE("run: case: the same seed gives the same trace, whatever ran before") {
  CaseRunner fresh;
  CaseRunner used;
  for (std::uint64_t number = 0; number < 200; ++number) {
    const auto seed = case_seed(7, number);
    CaseRunner alone;
    const std::string trace = trace_of(used, seed);
    REQUIRE(trace == trace_of(alone, seed));
    if (number % 3 == 0) REQUIRE(trace == trace_of(fresh, seed));
  }
}

TEST_CASE("run: case: a run told again by its schedule is the same run") {
  CaseRunner runner;
  CaseRunner teller;
  for (std::uint64_t number = 0; number < 200; ++number) {
    scenario::Scenario scenario = runner.make(case_seed(8, number));
    (void)runner.run(scenario);
    scenario.schedule = runner.schedule().taken();
    (void)teller.run(scenario);
    REQUIRE(trace::write_trace(teller.trace()) == trace::write_trace(runner.trace()));
  }
}

TEST_CASE("run: case: another schedule is another run") {
  CaseRunner runner;
  std::size_t others = 0;
  for (std::uint64_t number = 0; number < 50; ++number) {
    scenario::Scenario scenario = runner.make(case_seed(9, number));
    (void)runner.run(scenario);
    const auto hash = hash_of(runner.trace());
    scenario.schedule = std::vector<std::uint32_t>{};
    (void)runner.run(scenario);
    if (hash_of(runner.trace()) != hash) ++others;
  }
  CHECK(others > 10);
}

TEST_CASE("run: case: a nondeterminism shows in the hash") {
  CaseRunner runner;
  runner.make(case_seed(10, 0));
  (void)runner.run_made();
  trace::Trace trace = runner.trace();
  const auto hash = hash_of(trace);
  CHECK(hash_of(runner.trace()) == hash);
  trace.clients.front().ended += Duration(1);
  CHECK(hash_of(trace) != hash);
}
