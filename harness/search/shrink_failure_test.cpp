#include "harness/search/shrink_failure.hpp"

#include <csignal>

#include <catch2/catch.hpp>

#include "harness/base/assert.hpp"
#include "harness/scenario/parsed_testing.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/case.hpp"
#include "harness/search/crash_signature.hpp"
#include "harness/search/run_in_child.hpp"

using namespace poolproof;
using namespace poolproof::search;
using namespace std::chrono_literals;

namespace {

const std::string kHang = "hang: the run came to no end within the limit of moves";

/// Two clients, one of which goes on without end: the sound pool reaches the limit of moves. A
/// pause is the step that costs least.
scenario::Scenario endless() {
  const auto read = scenario::read_scenario(R"({
    "schema_version": 1, "name": "x", "why": "a run without end is a failure like any other",
    "pool": {"size": 2, "call_timeout_ms": 700},
    "workers": [{"kind": "fake"}],
    "clients": [
      {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
      {"name": "b", "repeat": 100000, "steps": [{"pause": {"span_ms": 0}}]}
    ],
    "faults": [{"fault": "reply_slow", "at": {"client": "a", "call": 1}, "delay_ms": 50}],
    "expect": {"any_success": true}})",
                                            "endless.json");
  REQUIRE(read);
  return *read;
}

/// The same, but in the plainest order it ends just within the limit of moves. Cuts of reads are
/// moves as well, and they are drawn: in the order drawn from its seed it has too many moves.
scenario::Scenario endless_in_some_orders() {
  CaseRunner runner;
  scenario::Scenario scenario = endless();
  scenario::Client& last = scenario.clients.back();
  std::uint32_t held = 1;
  std::uint32_t too_many = last.repeat;
  scenario.schedule.emplace();
  while (too_many - held > 1) {
    last.repeat = held + (too_many - held) / 2;
    (runner.run(scenario).failed() ? too_many : held) = last.repeat;
  }
  last.repeat = held;
  scenario.schedule.reset();
  for (int tries = 0; tries < 100 && !runner.run(scenario).failed(); ++tries) {
    scenario.pool.core.seed = ++scenario.seed;
  }
  REQUIRE(runner.run(scenario).failed());
  return scenario;
}

}  // namespace

TEST_CASE("run: shrink failure: what a failure does not need is cut away") {
  const auto shrunk = shrink_failure({endless()}, kHang, 60s);
  CHECK(shrunk.what == "the run came to no end within the limit of moves");
  REQUIRE(shrunk.scenario.clients.size() == 1);
  CHECK(shrunk.scenario.clients.front().name == "b");
  CHECK(shrunk.scenario.faults.empty());
  CHECK(scenario::size_of(shrunk.scenario) < scenario::size_of(endless()));
  const ChildFindings found = run_in_child(shrunk.scenario, 60s);
  CHECK(found.sentences.size() == 1);
  CHECK(found.failed_with(kHang));
}

TEST_CASE("run: shrink failure: what fails in another way is not taken for it") {
  scenario::Scenario two = endless();
  two.faults.clear();
  two.clients.front().steps.resize(1);
  const auto shrunk = shrink_failure({two}, "stuck", 60s);
  CHECK(shrunk.attempts > 0);
  CHECK(shrunk.scenario.clients.size() == 2);
}

TEST_CASE("run: shrink failure: of several examples the one that fails in most orders is taken") {
  scenario::Scenario rare = endless_in_some_orders();
  rare.clients.back().name = "rare";
  scenario::Scenario sure = endless();
  sure.clients.back().name = "sure";
  const auto shrunk = shrink_failure({rare, sure, rare}, kHang, 60s);
  REQUIRE(shrunk.scenario.clients.size() == 1);
  CHECK(shrunk.scenario.clients.front().name == "sure");
}

TEST_CASE("run: shrink failure: what fails with JSON comes before what fails with terse messages") {
  scenario::Scenario with_json = endless();
  with_json.clients.back().name = "json";
  const auto terse = scenario::testing::endless_with_terse_messages();
  const auto shrunk = shrink_failure({terse, with_json}, kHang, 60s);
  REQUIRE(shrunk.scenario.clients.size() == 1);
  CHECK(shrunk.scenario.clients.front().name == "json");
  CHECK(run_in_child(shrunk.scenario, 60s, wire::Codec::json).failed_with(kHang));
}

TEST_CASE("run: apart: a copy that breaks a promise, ends badly or never ends is told apart") {
  auto broken = host::fork_child([](int) {
    std::signal(SIGABRT, SIG_DFL);  // so that Catch2 does not report it
    POOLPROOF_ASSERT(1 + 1 == 3);
    return 0;
  });
  REQUIRE(broken);
  const auto words = hear(*broken, 60s);
  CHECK(crash_signature(words.exit, words.errors) == "broken promise: 1 + 1 == 3");

  auto endless_one = host::fork_child([](int) {
    const volatile bool forever = true;
    while (forever) {
    }
    return 0;
  });
  REQUIRE(endless_one);
  CHECK(hear(*endless_one, 50ms).overran);

  auto talker = host::fork_child([](int said) {
    (void)host::sys::write(said, "a line\n");
    return 5;
  });
  REQUIRE(talker);
  const auto heard = hear(*talker, 60s);
  CHECK(heard.said == "a line\n");
  CHECK(heard.exit == ExitStatus{5, 0});
}
