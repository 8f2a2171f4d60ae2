#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/oracle/oracle.hpp"
#include "harness/sim/world.hpp"

/// Pools that live for a day of virtual time: their workers are recycled for every reason while few
/// clients come after long pauses.
namespace poolproof::sim {
namespace {

/// `seed` makes it a little different each time.
scenario::Scenario a_day(std::uint64_t seed) {
  const std::uint64_t minutes = 7 + seed % 11;
  const std::uint64_t rounds = 23 * 60 / minutes;
  const std::string text = fmt::format(
      R"({{"schema_version": 1, "name": "a-day", "why": "a pool that lives long does not drift",
        "worlds": ["sim"], "workers": [{{"kind": "fake"}}], "seed": {0},
        "pool": {{"size": {1}, "checkout_timeout_ms": 10000, "start": "{2}", "max_calls": {3}, "max_lifetime_ms": 3600000,
                  "idle_timeout_ms": {4}, "min_idle": {5}}},
        "clients": [
          {{"name": "a", "repeat": {6}, "steps": [{{"pause": {{"span_ms": {7}}}}}, {{"checkout": {{}}}},
            {{"call": {{"command": "echo"}}}}, {{"checkin": {{}}}}]}},
          {{"name": "b", "count": 2, "repeat": {8}, "steps": [{{"pause": {{"span_ms": 3000000}}}},
            {{"checkout": {{}}}}, {{"call": {{"command": "sleep", "args": {{"ms": 2000}}}}}},
            {{"checkin": {{}}}}]}},
          {{"name": "admin", "repeat": 4, "steps": [{{"pause": {{"span_ms": 18000000}}}},
            {{"renew": {{}}}}, {{"suspend": {{}}}}, {{"pause": {{"span_ms": 1000}}}},
            {{"resume": {{}}}}]}}],
        "expect": {{"any_success": true}}}})",
      seed, 1 + seed % 3, seed % 2 == 0 ? "lazy" : "eager", seed % 5 == 0 ? 0 : 10 + seed,
      seed % 3 == 0 ? 0 : 600'000, seed % 4 == 0 ? 1 : 0, rounds, minutes * 60'000, 26);
  const auto read = scenario::read_scenario(text, "a-day.json");
  INFO((read ? "" : read.error().line()));
  REQUIRE(read);
  return *read;
}

TEST_CASE("sim: long-lived pools: a day passes, no promise breaks, and every call is served") {
  World world;
  std::uint64_t recycled = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    INFO("seed " << seed);
    const scenario::Scenario scenario = a_day(seed);
    auto schedule = Schedule::random(seed);
    const Carried carried = world.carry_out(scenario, seed, schedule);
    CHECK(carried.trouble.empty());
    CHECK_FALSE(carried.overran);
    const trace::Trace& trace = world.trace();
    for (const auto& finding : oracle::judge({scenario, trace, {Duration::zero()}})) {
      FAIL_CHECK(finding.invariant << ": " << finding.what);
    }
    for (const trace::ClientStep& step : trace.clients) {
      if (has_outcome(step.kind)) CHECK(step.outcome == Outcome::ok);
    }
    CHECK(trace.clients.back().ended > Time(std::chrono::hours(22)));
    for (const trace::PoolRecord& record : trace.pool) {
      for (const pool::Effect& effect : record.effects) {
        const auto* stop = std::get_if<pool::Stop>(&effect);
        if (stop != nullptr && pool::is_recycling(stop->why)) ++recycled;
      }
    }
  }
  CHECK(recycled > 24 * 20);
}

}  // namespace
}  // namespace poolproof::sim
