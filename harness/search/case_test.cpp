#include "harness/search/case.hpp"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/scenario/generate.hpp"
#include "harness/trace/jsonl.hpp"

using namespace poolproof;
using namespace poolproof::search;

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

namespace {

/// The outcome of every step of every client.
std::map<std::string, std::string> stories(const trace::Trace& trace) {
  std::map<std::string, std::string> told;
  for (const auto& step : trace.clients) {
    told[step.client] +=
        fmt::format("{} {}; ", name(step.kind), step.skipped ? "-" : name(step.outcome));
  }
  return told;
}

/// No outcome of this scenario depends on the length of a message.
bool knows_no_size(const scenario::Scenario& scenario) {
  const bool faults = std::none_of(
      scenario.faults.begin(), scenario.faults.end(), [](const faults::PlannedFault& planned) {
        return planned.fault->touches_payload || planned.numbers.contains("keep_bytes") ||
               planned.numbers.contains("chunk_bytes");
      });
  return faults && scenario.pool.framing.prefix_bytes == 4 &&
         scenario.pool.framing.payload_limit() > 200'000;
}

}  // namespace

TEST_CASE("run: case: a scenario comes to the same with opaque payloads and with JSON") {
  CaseRunner runner;
  runner.cut_reads(false);
  std::size_t compared = 0;
  for (std::uint64_t number = 0; number < 2000; ++number) {
    CAPTURE(number);
    const scenario::Scenario& scenario = runner.make(case_seed(11, number));
    if (!knows_no_size(scenario)) continue;
    (void)runner.run(scenario, wire::Codec::terse);
    const auto terse = stories(runner.trace());
    (void)runner.run(scenario, wire::Codec::json);
    CHECK(terse == stories(runner.trace()));
    ++compared;
  }
  CHECK(compared > 500);
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
