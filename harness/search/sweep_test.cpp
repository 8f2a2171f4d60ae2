#include "harness/search/sweep.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/host/system.hpp"
#include "harness/run/runner.hpp"
#include "harness/search/sweep_testing.hpp"

/// What a sweep carries out, and what it makes of failures.
using namespace poolproof;
using namespace poolproof::search;
using namespace poolproof::search::testing;
using poolproof::testing::Folder;

TEST_CASE("run: sweep: a frequent crash does not hide a rare one", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 3000);
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);  // so that the test's own handler does not report it
    const bool rare = number == 2991;
    const bool frequent = number % 8 == 1;
    POOLPROOF_ASSERT(!rare);
    POOLPROOF_ASSERT(!frequent);
  };
  const SweepState state = swept(options);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(state.done == 3000);
  CHECK(state.own().numbers.next() == 3000);
  REQUIRE(state.failures.size() == 2);
  CHECK(state.failures[0].signature == "broken promise: !frequent");
  CHECK(state.failures[0].number == 1);
  CHECK(state.failures[0].times == 375);
  CHECK(state.failures[1].signature == "broken promise: !rare");
  CHECK(state.failures[1].number == 2991);
  CHECK(state.failures[1].times == 1);
  // A crash loses nothing that came before it: every other case is counted.
  CHECK(state.terse.runs == 3000 - 376);
  CHECK(state.repeated >= 5);
}

TEST_CASE("run: sweep: what does nothing but crash is given up", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 1'000'000);
  options.before_each = [](std::uint64_t) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = false;
    POOLPROOF_ASSERT(sound);
  };
  const SweepState state = swept(options);
  CHECK(state.own().end == SweepEnd::crashes);
  CHECK(state.done >= 100);
  CHECK(state.done < 1000);
  REQUIRE(state.failures.size() == 1);
  CHECK(state.failures[0].times == state.done);
  CHECK(state.own().done(1) == state.done);
}

TEST_CASE("run: sweep: a failure that hangs on the sweep is saved, and not said to show elsewhere",
          "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 100);
  options.shrink = true;
  options.shrink_time = std::chrono::milliseconds(100);
  options.self = folder.program("kill -SEGV $$");
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number % 50 != 7;
    POOLPROOF_ASSERT(sound);
  };
  std::vector<std::string> made_small;
  options.before_shrinking = [&](const std::string& one) { made_small.push_back(one); };
  const SweepState state = swept(options);
  REQUIRE(state.failures.size() == 1);
  const Failure& failure = state.failures.front();
  CHECK(failure.times == 2);
  CHECK(made_small == std::vector<std::string>{failure.signature});
  CHECK(failure.reproduces_with == ReproducesWith::nothing);
  CHECK(failure.on_host.runs == 0);
  REQUIRE_FALSE(failure.file.empty());
  CHECK(run::load_scenario(options.out + "/" + failure.file));

  // A file that somebody has removed is made again.
  std::filesystem::remove(options.out + "/" + failure.file);
  const SweepState again = swept(options);
  CHECK(made_small.size() == 2);
  CHECK(run::load_scenario(options.out + "/" + again.failures.front().file));
}

TEST_CASE("run: sweep: a process that could not be started leaves no case undone", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 300);
  options.jobs = 1;
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number != 100;
    POOLPROOF_ASSERT(sound);
  };
  // Each process needs two pipes: it is the second one that fails, after the crash.
  host::sys::fail_next(host::sys::Call::pipe, 2, EMFILE);
  const SweepState state = swept(options);
  CHECK(host::sys::failures_struck() == 1);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(state.done == 300);
  CHECK(state.terse.runs == 299);
  CHECK(state.failures.size() == 1);

  host::sys::fail_next(host::sys::Call::pipe, 0, EMFILE);
  options.count = 600;
  const auto none = sweep(options, {});
  host::sys::fail_none();
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == SearchError::Kind::broken);
}

TEST_CASE("run: sweep: the shards share the cases, and those that are carried out twice",
          "[sweep]") {
  const Folder folder;
  const std::uint64_t count = 8 * 509;
  const SweepState whole = swept(options_for(folder / "whole", count));
  CHECK(whole.repeated >= 8);
  for (const std::uint32_t shards : {2U, 4U}) {
    SweepState sum;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      auto options = options_for(folder / fmt::format("{}-{}", shard, shards), count);
      options.shard = shard;
      options.shards = shards;
      const SweepState part = swept(options);
      CHECK(part.done == cases_of(count, shard, shards));
      CHECK(part.own().done(shards) == part.done);
      CHECK(part.repeated >= 8 / shards);
      sum.Tally::add(part);
    }
    check_same(sum, whole);
  }
}

TEST_CASE("run: sweep: more shards than cases leave some with none", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 10);
  options.shard = 11;
  options.shards = 100'000;
  const SweepState state = swept(options);
  CHECK(state.done == 0);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(cases_of(10, 9, 100'000) == 1);
  CHECK(cases_of(10, 10, 100'000) == 0);
}
