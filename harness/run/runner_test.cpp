#include "harness/run/runner.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "harness/run/run_testing.hpp"

using namespace poolproof;
using namespace poolproof::run;
using run::testing::echo_text;
using run::testing::Folder;
using run::testing::found;
using run::testing::told;

namespace fs = std::filesystem;

namespace {

Loaded loaded(const Folder& folder, const std::string& more = "") {
  const std::string file = folder.write("echo.json", echo_text("ok", more));
  auto scenario = load_scenario(file);
  if (!scenario) FAIL(scenario.error().line());
  return std::move(*scenario);
}

ScenarioResult outcome(const std::string& job, Duration limit = std::chrono::seconds(60)) {
  const Folder folder;
  RunOptions options;
  options.self = folder.program(job);
  options.out = folder / "out";
  options.scenario_limit = limit;
  const auto result = run_all({loaded(folder)}, options, {});
  if (!result) FAIL(result.error());
  REQUIRE(result->scenarios.size() == 1);
  CHECK_FALSE(fs::exists(folder / "out/.work"));
  UNSCOPED_INFO(told(result->scenarios[0]));
  return result->scenarios[0];
}

}  // namespace

TEST_CASE("run: runner: a scenario process that hangs is killed and has failed") {
  const auto result = outcome("sleep 1000", std::chrono::milliseconds(300));
  CHECK(result.verdict == Verdict::fail);
  CHECK(found(result, "hang"));
}

TEST_CASE("run: runner: one that crashes has failed, by a signal or by a sanitizer's code") {
  for (const char* job : {"kill -ABRT $$", "echo data race >&2; exit 66"}) {
    const auto result = outcome(job);
    CHECK(result.verdict == Verdict::fail);
    CHECK(found(result, "crash"));
  }
}

TEST_CASE(
    "run: runner: in both worlds what is aimed by time is carried out in both, as it stands") {
  const auto carried_out = [](const std::string& more) {
    const Folder folder;
    RunOptions options;
    // The real run crashes; what it was given, and what else was carried out, is noted.
    options.self = folder.program(
        "echo \"$*\" >>" + (folder / "said") + "; cat $folder/scenario.json >>" +
        (folder / "said") + R"(; case "$*" in *"--world sim"*) exit 70;; esac; kill -ABRT $$)");
    options.out = folder / "out";
    options.worlds = Worlds::both;
    const auto result = run_all({loaded(folder, more)}, options, {});
    REQUIRE(result);
    std::ifstream said(folder / "said");
    return std::pair(result->scenarios.at(0),
                     std::string(std::istreambuf_iterator<char>(said), {}));
  };
  const auto [timed, said] = carried_out(R"(,"tags":["time"])");
  INFO(told(timed));
  CHECK(said.find("--world sim") != std::string::npos);
  CHECK(said.find("30000") == std::string::npos);
  CHECK(timed.verdict == Verdict::fail);
  REQUIRE(timed.reasons.size() == 1);
  CHECK(timed.reasons[0].starts_with("in the simulator: "));
  CHECK(timed.agreement.starts_with("not compared: it is aimed by time"));
  CHECK(timed.again.find("--world both") != std::string::npos);
  const auto [plain, said_of_plain] = carried_out("");
  CHECK(said_of_plain.find("--world sim") != std::string::npos);
  CHECK(said_of_plain.find("30000") != std::string::npos);
  const auto [alone, said_of_one] = carried_out(R"(,"tags":["time"],"worlds":["host"])");
  CHECK(said_of_one.find("--world sim") == std::string::npos);
  CHECK(alone.agreement == "not compared: it does not run in the simulator");
}

TEST_CASE("run: runner: a scenario with faults or signals is carried out once more without them") {
  const auto controls = [](const std::string& steps) {
    const Folder folder;
    RunOptions options;
    options.self = folder.program(R"(case "$*" in *--control*) touch )" + (folder / "control") +
                                  ";; esac; exit 70");
    options.out = folder / "out";
    std::string text = echo_text("ok");
    text.insert(text.find(R"({"checkin")"), steps);
    const std::string file = folder.write("echo.json", text);
    const auto scenario = load_scenario(file);
    if (!scenario) FAIL(scenario.error().line());
    REQUIRE(run_all({*scenario}, options, {}));
    return fs::exists(folder / "control");
  };
  CHECK_FALSE(controls(""));
  CHECK(controls(R"({"signal_worker":{"slot":0,"generation":0,"signal":"CONT"}},)"));
}

TEST_CASE("run: runner: one that says that it could not is unknown, with its words") {
  const auto result = outcome("echo no room >&2; exit 70");
  CHECK(result.verdict == Verdict::unknown);
  REQUIRE(result.reasons.size() == 1);
  CHECK(result.reasons[0].find("no room") != std::string::npos);
}

TEST_CASE("run: runner: no trace, half of one and garbage are unknown, and no trace is named") {
  for (const char* job : {"exit 0", "echo '{\"kind\":' >$folder/trace.jsonl",
                          "head -c 1000 /dev/urandom >$folder/trace.jsonl"}) {
    const auto result = outcome(job);
    CHECK(result.verdict == Verdict::unknown);
    CHECK(result.trace_file.empty());
  }
}

TEST_CASE("run: runner: every repetition runs once and is told of once, in the files' order") {
  const Folder folder;
  RunOptions options;
  options.self = folder.program("exit 70");
  options.out = folder / "out";
  options.jobs = 3;
  options.repeat = 5;
  options.seed = 7;
  std::vector<std::size_t> told_of;
  const auto result =
      run_all({loaded(folder)}, options, [&](std::size_t done, std::size_t of, const auto& one) {
        CHECK(of == 5);
        CHECK(one.seed == 7 + one.repetition);
        told_of.push_back(done);
      });
  REQUIRE(result);
  CHECK(told_of == std::vector<std::size_t>{1, 2, 3, 4, 5});
  REQUIRE(result->scenarios.size() == 5);
  for (std::uint32_t i = 0; i < 5; ++i) CHECK(result->scenarios[i].repetition == i);
}

TEST_CASE("run: runner: a folder in use or in the way is an error, and what lies there stays") {
  const Folder folder;
  RunOptions options;
  options.self = folder.program("exit 70");
  options.out = folder.write("file", "mine");
  CHECK_FALSE(run_all({loaded(folder)}, options, {}));
  CHECK(fs::file_size(options.out) == 4);
  options.out = folder / "out";
  bool refused = false;
  const auto outer = run_all({loaded(folder)}, options, [&](auto...) {
    const auto inner = run_all({loaded(folder)}, options, {});
    refused = !inner && inner.error().find("another run") != std::string::npos;
  });
  CHECK(outer);
  CHECK(refused);
}
