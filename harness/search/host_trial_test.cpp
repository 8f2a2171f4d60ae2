#include "harness/search/host_trial.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

#include "harness/base/folder_testing.hpp"
#include "harness/scenario/parsed_testing.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/run_in_child.hpp"

using namespace poolproof;
using namespace poolproof::search;
using namespace std::chrono_literals;
using scenario::Scenario;

namespace fs = std::filesystem;

namespace {

const std::string kHang = "hang: the run came to no end within the limit of moves";
const std::string kRound = R"([{"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}])";

/// Its last client makes more moves than a case of a sweep may have. `clients` come before it.
Scenario endless(const std::string& clients) {
  return scenario::testing::parsed(
      R"({"schema_version": 1, "name": "x", "why": "a run without end is a failure like any other",
          "pool": {"size": 1}, "workers": [{"kind": "fake"}], "clients": [)" +
      clients +
      R"({"name": "z", "repeat": 100000, "steps": [{"pause": {"span_ms": 0}}]}],
          "expect": {"any_success": true}})");
}

Scenario with_a() {
  return endless(R"({"name": "a", "steps": )" + kRound + "},");
}
Scenario with_a_and_b() {
  return endless(R"({"name": "a", "steps": )" + kRound + R"(}, {"name": "b", "steps": )" + kRound +
                 "},");
}

ShrunkFailure shrunk_from(std::vector<Scenario> way) {
  ShrunkFailure shrunk;
  shrunk.scenario = way.back();
  shrunk.way = std::move(way);
  return shrunk;
}

bool has_client(const Scenario& scenario, const std::string& name) {
  return std::any_of(scenario.clients.begin(), scenario.clients.end(),
                     [&](const scenario::Client& client) { return client.name == name; });
}

bool takes_time(const Scenario& scenario) {
  const auto takes = [](const scenario::Step& step) {
    const auto* pause = std::get_if<scenario::Pause>(&step);
    return pause != nullptr && pause->span >= 1s;
  };
  return std::any_of(scenario.clients.begin(), scenario.clients.end(),
                     [&](const scenario::Client& client) {
                       return std::any_of(client.steps.begin(), client.steps.end(), takes);
                     });
}

/// Stands in for real processes: a run fails if `fails` says so, and there are `runs_left` runs.
template <class Fails>
TryOnHost host_that(Fails fails, std::uint32_t runs_left = 100'000) {
  return [fails, runs_left](const Scenario& scenario, std::uint32_t runs) mutable {
    if (runs_left < runs) return OnHost{};
    runs_left -= runs;
    return OnHost{fails(scenario) ? runs : 0, runs};
  };
}

void check_on_host(const OnHost& on_host, std::uint32_t failed, std::uint32_t runs) {
  CHECK(on_host.failed == failed);
  CHECK(on_host.runs == runs);
}

}  // namespace

TEST_CASE("run: host trial: a file that fails on real processes stays as it is") {
  auto shrunk = shrunk_from({with_a(), endless("")});
  const auto host = host_that([](const Scenario&) { return true; });
  check_on_host(shrink_for_host(shrunk, kHang, host), 3, 3);
  CHECK_FALSE(has_client(shrunk.scenario, "a"));
  CHECK(shrunk.attempts == 0);
}

TEST_CASE("run: host trial: a pause at the end is enough where the pool was closed too soon") {
  auto shrunk = shrunk_from({with_a()});
  check_on_host(shrink_for_host(shrunk, kHang, host_that(takes_time)), 3, 3);
  CHECK(takes_time(shrunk.scenario));
  CHECK(run_in_child(shrunk.scenario, 60s).failed_with(kHang));
}

TEST_CASE("run: host trial: who strikes pauses first, and who awaits it awaits the same step") {
  auto shrunk = shrunk_from({endless(R"({"name": "a", "steps": [
      {"cancel": {"client": "z"}}, {"checkout": {}}, {"checkin": {}}]},
    {"name": "b", "steps": [{"await": {"client": "a", "step": 2, "moment": "ended"}}]},)")});
  bool awaited_well = true;
  const auto host = host_that([&awaited_well](const Scenario& one) {
    bool paused = false;
    for (const scenario::Client& client : one.clients) {
      const auto* await = std::get_if<scenario::AwaitClient>(&client.steps.front());
      if (await != nullptr && one.clients.front().steps.size() > 2) {
        const auto& awaited = one.clients.front().steps.at(await->step);
        awaited_well = awaited_well && std::holds_alternative<scenario::Checkin>(awaited);
      }
      for (std::size_t i = 1; i < client.steps.size(); ++i) {
        const auto* before = std::get_if<scenario::Pause>(&client.steps[i - 1]);
        paused = paused || (before != nullptr && before->span >= 1s &&
                            std::holds_alternative<scenario::Cancel>(client.steps[i]));
      }
    }
    return paused;
  });
  check_on_host(shrink_for_host(shrunk, kHang, host), 3, 3);
  CHECK(awaited_well);
  CHECK_FALSE(has_client(shrunk.scenario, "b"));
  REQUIRE(shrunk.scenario.clients.front().steps.size() == 2);
  CHECK(std::holds_alternative<scenario::Cancel>(shrunk.scenario.clients.front().steps.back()));
  CHECK(run_in_child(shrunk.scenario, 60s).failed_with(kHang));
}

TEST_CASE("run: host trial: what was on the way is made small while it fails in both worlds") {
  auto shrunk = shrunk_from({with_a_and_b(), with_a_and_b(), with_a(), endless(""), endless("")});
  const auto host = host_that([](const Scenario& one) { return has_client(one, "a"); });
  check_on_host(shrink_for_host(shrunk, kHang, host), 3, 3);
  REQUIRE(has_client(shrunk.scenario, "a"));
  CHECK_FALSE(has_client(shrunk.scenario, "b"));
  CHECK(scenario::size_of(shrunk.scenario) < scenario::size_of(with_a()));
  CHECK(run_in_child(shrunk.scenario, 60s).failed_with(kHang));
}

TEST_CASE("run: host trial: where real processes never fail the smallest is kept") {
  auto shrunk = shrunk_from({with_a_and_b(), with_a(), endless("")});
  const auto host = host_that([](const Scenario&) { return false; });
  check_on_host(shrink_for_host(shrunk, kHang, host), 0, 3);
  CHECK(shrunk.scenario.clients.size() == 1);
  CHECK_FALSE(takes_time(shrunk.scenario));
}

TEST_CASE("run: host trial: when the time is over the best so far is kept") {
  for (const std::uint32_t runs : {0U, 2U, 3U, 8U, 9U, 12U}) {
    auto shrunk = shrunk_from({with_a_and_b(), with_a(), endless("")});
    const auto host = host_that([](const Scenario& one) { return has_client(one, "a"); }, runs);
    int refused = 0;
    const auto counted = [&](const Scenario& one, std::uint32_t wanted) {
      const OnHost tried = host(one, wanted);
      if (tried.runs == 0) ++refused;
      return tried;
    };
    const OnHost on_host = shrink_for_host(shrunk, kHang, counted);
    CAPTURE(runs, on_host.failed, on_host.runs);
    CHECK(refused <= 2);  // one run tells that the time is over, then the search ends
    CHECK(has_client(shrunk.scenario, "a") == (on_host.failed > 0));
    CHECK((on_host.runs > 0) == (runs >= 3));
    CHECK(run_in_child(shrunk.scenario, 60s).failed_with(kHang));
  }
}

namespace {

/// A stand-in for our own program; its processes for scenarios run the script `job`.
OnHost on_host_with(const std::string& job, const std::string& signature, Duration budget,
                    std::uint32_t runs) {
  const testing::Folder folder;
  HostTrials trials(folder.program(job), folder / "trial", budget);
  const OnHost on_host =
      trials.run(scenario::testing::parsed(scenario::testing::echo_text("ok")), signature, runs);
  CHECK_FALSE(fs::exists(folder / "trial"));
  CHECK((trials.spent() > Duration::zero()) == (on_host.runs > 0));
  return on_host;
}

}  // namespace

TEST_CASE("run: host trial: a run that crashes has failed") {
  check_on_host(on_host_with("kill -SEGV $$", "broken promise: x", 60s, 3), 3, 3);
}

TEST_CASE("run: host trial: a run that could not be done has not failed") {
  check_on_host(on_host_with("exit 70", "isolation: client # got another's answer", 60s, 2), 0, 2);
}

TEST_CASE("run: host trial: without time nothing is run") {
  check_on_host(on_host_with("kill -SEGV $$", "broken promise: x", 0s, 3), 0, 0);
}
